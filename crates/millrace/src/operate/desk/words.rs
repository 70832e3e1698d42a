//! What a warehouse reads of its requests, and says of them.

use connect::{Money, RequestLine};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::orders::AddressOut;
use crate::db::DeskRow;

/// How much to hand out.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PullIn {
    /// Most requests, 1 to 100; 20 where not given.
    pub limit: Option<u32>,
    /// Seconds until a request that nobody has acknowledged is handed out again, 10 to 3600; 300 where not given.
    pub seconds: Option<u32>,
}

/// Requests that were handed out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PulledOut {
    /// To be given when they are acknowledged.
    pub lease: String,
    /// Until then nobody else gets them.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Oldest first; empty: nothing waits.
    pub items: Vec<DeskRequestOut>,
}

/// A shipment request: what to ship, and how it stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeskRequestOut {
    /// Its name: never given to anything else. Keep it unique in your system.
    pub request: String,
    /// `waiting`, `acknowledged`, `closed` (all that will leave has left), `cancelled`, `given_up`.
    pub state: String,
    /// Whether you are asked to stop it: `none`, `asked` (answer it), `too_late` (you said so).
    pub cancel: String,
    /// The order, as people know it.
    pub order_number: String,
    /// The customer's or shop's reference; may be empty.
    pub reference: String,
    /// When the customer placed the order.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// Wanted by, where given. A day without a time is midnight UTC of that day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deliver_on: Option<Timestamp>,
    /// Where it goes.
    pub ship_to: AddressOut,
    /// Who pays.
    pub bill_to: AddressOut,
    /// Carrier, in your own codes.
    pub carrier: String,
    /// Its service; may be empty.
    pub service: String,
    /// Your facility, where you have several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// Words for the packer; may be empty.
    pub notes: String,
    /// What to ship.
    pub lines: Vec<AskedLineOut>,
    /// What you call it, once you have said so.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub warehouse_reference: String,
    /// Why you gave it up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How often it was handed out.
    pub handed_out: u32,
    /// Since when it lies here.
    #[schema(value_type = String, format = DateTime)]
    pub waiting_since: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

/// One line of a shipment request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AskedLineOut {
    /// From 1.
    pub line: u32,
    /// Your SKU.
    pub sku: String,
    /// Units.
    #[schema(value_type = String)]
    pub quantity: Decimal,
    /// What it is called.
    pub name: String,
    /// Price of one, for customs papers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<PriceOut>,
}

/// An amount of money.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PriceOut {
    /// ISO 4217.
    pub currency: String,
    /// Exact.
    #[schema(value_type = String)]
    pub amount: Decimal,
}

impl From<Money> for PriceOut {
    fn from(Money { currency, amount }: Money) -> Self {
        Self { currency, amount }
    }
}

impl From<RequestLine> for AskedLineOut {
    fn from(line: RequestLine) -> Self {
        Self {
            line: line.line_number,
            sku: line.sku,
            quantity: line.quantity.normalize(),
            name: line.name,
            // The price is that of the row's unit; a part of a kit has none of its own.
            unit_price: line.unit_price.filter(|_| line.per_unit == Decimal::ONE).map(PriceOut::from),
        }
    }
}

impl From<DeskRow> for DeskRequestOut {
    fn from(row: DeskRow) -> Self {
        let asked = row.request;
        Self {
            request: asked.key,
            state: row.standing.state.as_str().to_owned(),
            cancel: row.standing.cancel.as_str().to_owned(),
            order_number: asked.order_number,
            reference: asked.reference,
            placed_at: asked.placed_at,
            deliver_on: asked.deliver_on,
            ship_to: asked.ship_to.into(),
            bill_to: asked.bill_to.into(),
            carrier: asked.ship_method.carrier,
            service: asked.ship_method.service,
            facility: asked.facility,
            notes: asked.notes,
            lines: asked.lines.into_iter().map(AskedLineOut::from).collect(),
            warehouse_reference: row.reference,
            reason: row.reason,
            handed_out: row.offered,
            waiting_since: row.put_at,
            changed_at: row.changed_at,
        }
    }
}

/// Which requests.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DeskRequestsQuery {
    /// In this state; or `cancel_asked`: you are asked to stop them, and have not answered.
    pub state: Option<String>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// You have it now.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequestIn {
    /// As it came with the request.
    pub lease: String,
    /// What you call it.
    #[serde(default)]
    pub reference: Option<String>,
}

/// You will not ship it, or nothing more of it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveUpIn {
    /// Why, for people.
    pub reason: String,
}

/// Your answer to a cancel.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelAnswerIn {
    /// `accepted`: it is stopped, and nothing more ships. `too_late`: it is being picked or has left, and ships.
    pub answer: String,
}
