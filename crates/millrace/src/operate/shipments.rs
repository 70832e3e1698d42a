//! Shipments: what left the building, and how far Brightpearl knows of it.

use connect::{Package, PackageLine, Shipment, ShipmentId};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, PageOut, Role, connections, effects::EffectOut, id, limit};
use crate::db::{Page, ShipmentQuery, ShipmentView};

/// Which shipments.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ShipmentsQuery {
    /// With words that begin so, all of them: the warehouse's own id, key, order number or tracking number.
    pub text: Option<String>,
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Known to Brightpearl in full, or not.
    pub confirmed: Option<bool>,
    /// With something that a person is needed for, or without.
    pub needs_person: Option<bool>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A shipment in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShipmentOut {
    /// Its id.
    pub id: String,
    /// The connection that read it.
    pub connection: String,
    /// The order, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The warehouse's own id.
    pub reference: String,
    /// Key of the request it belongs to.
    pub key: String,
    /// When it left.
    #[schema(value_type = String, format = DateTime)]
    pub shipped_at: Timestamp,
    /// Carrier, as the warehouse says.
    pub carrier: String,
    /// Service, as the warehouse says.
    pub service: String,
    /// Tracking numbers, in box order.
    pub tracking: Vec<String>,
    /// When Brightpearl knew everything about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub confirmed_at: Option<Timestamp>,
    /// What a person is needed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl From<ShipmentView> for ShipmentOut {
    fn from(view: ShipmentView) -> Self {
        let tracking = view.shipment.tracking_numbers().into_iter().map(str::to_owned).collect();
        Self {
            id: view.id,
            connection: view.connection.to_string(),
            order: view.order.map(|order| order.to_string()),
            reference: view.shipment.reference,
            key: view.shipment.key,
            shipped_at: view.shipment.shipped_at,
            carrier: view.shipment.ship_method.carrier,
            service: view.shipment.ship_method.service,
            tracking,
            confirmed_at: view.confirmed_at,
            problem: view.problem,
        }
    }
}

/// A shipment with everything about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShipmentDetailOut {
    /// As in the list.
    #[serde(flatten)]
    pub shipment: ShipmentOut,
    /// The boxes.
    pub boxes: Vec<BoxOut>,
    /// Goods the warehouse reports without saying in which box.
    pub loose: Vec<BoxLineOut>,
    /// Nothing more will come for its request.
    pub is_final: bool,
    /// The changes that tell Brightpearl, oldest first.
    pub effects: Vec<EffectOut>,
}

/// One box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BoxOut {
    /// Tracking number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking: Option<String>,
    /// Kilograms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub weight: Option<Decimal>,
    /// What is inside.
    pub lines: Vec<BoxLineOut>,
}

/// Goods in a box.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BoxLineOut {
    /// The request's line, where the warehouse reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The warehouse's SKU.
    pub sku: String,
    /// Units.
    #[schema(value_type = String)]
    pub quantity: Decimal,
    /// Lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Serial numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<String>,
}

impl From<&PackageLine> for BoxLineOut {
    fn from(line: &PackageLine) -> Self {
        Self {
            line: line.line_number,
            sku: line.sku.clone(),
            quantity: line.quantity,
            lot: line.lot.clone(),
            serials: line.serials.clone(),
        }
    }
}

/// The shipments the caller may see, newest first.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn list(hub: &Hub, caller: &Caller, query: ShipmentsQuery) -> Result<PageOut<ShipmentOut>, Failure> {
    let page = found(hub, caller, query).await?;
    Ok(PageOut { items: page.items.into_iter().map(ShipmentOut::from).collect(), next: page.next })
}

/// As [`list`], each with its boxes, and its goods of which no box is known.
pub(super) async fn with_lines(
    hub: &Hub,
    caller: &Caller,
    query: ShipmentsQuery,
) -> Result<PageOut<(ShipmentOut, Vec<BoxOut>, Vec<BoxLineOut>)>, Failure> {
    let page = found(hub, caller, query).await?;
    let with = |view: ShipmentView| {
        let (boxes, loose) = (boxes(&view.shipment), loose(&view.shipment));
        (ShipmentOut::from(view), boxes, loose)
    };
    Ok(PageOut { items: page.items.into_iter().map(with).collect(), next: page.next })
}

async fn found(hub: &Hub, caller: &Caller, query: ShipmentsQuery) -> Result<Page<ShipmentView>, Failure> {
    let connection = match &query.connection {
        Some(named) => Some(connections::find(hub, caller, named).await?.connection),
        None => None,
    };
    let query = ShipmentQuery {
        connection,
        confirmed: query.confirmed,
        needs_person: query.needs_person,
        text: query.text.unwrap_or_default(),
        after: query.cursor,
        limit: limit(query.limit),
    };
    Ok(hub.db.list_shipments(&caller.access(), query).await?)
}

fn boxes(shipment: &Shipment) -> Vec<BoxOut> {
    let one = |package: &Package| BoxOut {
        tracking: package.tracking.clone(),
        weight: package.weight,
        lines: package.lines.iter().map(BoxLineOut::from).collect(),
    };
    shipment.packages.iter().map(one).collect()
}

fn loose(shipment: &Shipment) -> Vec<BoxLineOut> {
    shipment.loose.iter().map(BoxLineOut::from).collect()
}

/// One shipment with everything about it.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<ShipmentDetailOut, Failure> {
    let found = hub.db.find_shipment(&caller.access(), &id::<connect::kind::Shipment>(named)?).await?;
    let shipment = &found.view.shipment;
    Ok(ShipmentDetailOut {
        boxes: boxes(shipment),
        loose: loose(shipment),
        is_final: shipment.is_final,
        shipment: ShipmentOut::from(found.view),
        effects: found.effects.into_iter().map(EffectOut::from).collect(),
    })
}

/// Has the next step of a shipment decided again.
///
/// # Errors
/// When there is none for this caller, or no order for it is known.
pub async fn retry(hub: &Hub, caller: &Caller, named: &str) -> Result<ShipmentDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let wanted: ShipmentId = id(named)?;
    let found = hub.db.find_shipment(&caller.access(), &wanted).await?;
    let Some(request) = &found.request else {
        return Err(Failure::conflict(format!(
            "no order with the key {} is known, so there is nothing to decide",
            found.view.shipment.key
        ))
        .remedy("It is taken up by itself when an order with that key is imported."));
    };
    hub.db.schedule_advance(&found.key, request, hub.seams.clock.now()).await?;
    hub.db.audit(&caller.access(), &caller.actor, "shipment.retry", wanted.as_str(), &serde_json::json!({})).await?;
    if let Some(runtime) = hub.workers.runtime(&found.key) {
        runtime.wake.advance.notify_one();
    }
    show(hub, caller, named).await
}
