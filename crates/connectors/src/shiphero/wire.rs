//! What the service writes, as far as it is read.

use connect::{ConnectorError, RequestState};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{numbers, times::moment};

/// An order without its lines.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Head {
    pub(super) id: String,
    #[serde(default)]
    pub(super) order_number: Option<String>,
    #[serde(default)]
    pub(super) partner_order_id: Option<String>,
    pub(super) fulfillment_status: String,
    #[serde(default)]
    pub(super) updated_at: Option<String>,
    #[serde(default)]
    pub(super) holds: Option<Holds>,
    #[serde(default)]
    pub(super) shipments: Option<Vec<ShipmentHead>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the service's own")]
pub(super) struct Holds {
    payment_hold: Option<bool>,
    operator_hold: Option<bool>,
    fraud_hold: Option<bool>,
    address_hold: Option<bool>,
    pub(super) client_hold: Option<bool>,
}

impl Holds {
    fn is_any(&self) -> bool {
        [self.payment_hold, self.operator_hold, self.fraud_hold, self.address_hold, self.client_hold]
            .contains(&Some(true))
    }
}

/// A shipment without what is in it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShipmentHead {
    pub(super) id: String,
    #[serde(default)]
    pub(super) created_date: Option<String>,
    #[serde(default)]
    shipped_off_shiphero: Option<bool>,
    #[serde(default)]
    shipping_labels: Option<Vec<Label>>,
}

/// A box.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Label {
    pub(super) id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    pub(super) tracking_number: Option<String>,
    #[serde(default)]
    pub(super) carrier: Option<String>,
    #[serde(default)]
    pub(super) shipping_method: Option<String>,
}

impl Label {
    /// The words for it are not published.
    pub(super) fn is_void(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.to_ascii_lowercase().contains("void"))
    }
}

impl ShipmentHead {
    pub(super) fn labels(&self) -> &[Label] {
        self.shipping_labels.as_deref().unwrap_or_default()
    }

    /// Whether every label was taken back.
    pub(super) fn is_void(&self) -> bool {
        !self.labels().is_empty() && self.labels().iter().all(Label::is_void)
    }

    /// Whether some labels were taken back, and others hold.
    pub(super) fn is_void_in_part(&self) -> bool {
        !self.is_void() && self.labels().iter().any(Label::is_void)
    }

    /// Whether it has left: each label that holds has its number, or it was sent by other means. `completed` says whether the shop
    /// was told, which may be before there is a number.
    pub(super) fn has_left(&self) -> bool {
        let said = self.shipped_off_shiphero == Some(true);
        let mut labels = self.labels().iter().filter(|label| !label.is_void()).peekable();
        let numbered =
            labels.peek().is_some() && labels.all(|label| filled(label.tracking_number.as_deref()).is_some());
        !self.is_void() && (said || numbered)
    }
}

impl Head {
    /// What it was sent under.
    pub(super) fn key(&self) -> Option<&str> {
        filled(self.partner_order_id.as_deref()).or_else(|| filled(self.order_number.as_deref()))
    }

    pub(super) fn is_of(&self, key: &str) -> bool {
        [&self.order_number, &self.partner_order_id].iter().any(|there| there.as_deref().map(str::trim) == Some(key))
    }

    /// Both spellings are seen.
    pub(super) fn is_cancelled(&self) -> bool {
        is_cancelled(&self.fulfillment_status)
    }

    pub(super) fn is_fulfilled(&self) -> bool {
        self.fulfillment_status.trim().eq_ignore_ascii_case("fulfilled")
    }

    /// What has left of it.
    pub(super) fn left(&self) -> impl Iterator<Item = &ShipmentHead> {
        self.shipments.iter().flatten().filter(|shipment| shipment.has_left())
    }

    /// Where it stands. Accounts have statuses of their own: a word that is not known is no success, and what left is believed
    /// before any word.
    pub(super) fn standing(&self) -> RequestState {
        let some_left = self.left().next().is_some();
        if self.is_cancelled() {
            return if some_left { RequestState::Finished } else { RequestState::Cancelled };
        }
        match (some_left, self.is_fulfilled()) {
            (true, true) => RequestState::Finished,
            (true, false) | (false, true) => RequestState::Working,
            (false, false) if self.holds.as_ref().is_some_and(Holds::is_any) => RequestState::Held,
            (false, false) => RequestState::Waiting,
        }
    }
}

/// Both spellings are seen.
pub(super) fn is_cancelled(status: &str) -> bool {
    ["canceled", "cancelled"].iter().any(|word| status.trim().eq_ignore_ascii_case(word))
}

/// An order with everything.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) head: Head,
    pub(super) address: Option<Value>,
    pub(super) line_items: Connection,
    /// The same as in the head, with what is in them.
    shipments: Vec<Contents>,
}

#[derive(Deserialize)]
struct Rest {
    #[serde(default)]
    shipping_address: Option<Value>,
    line_items: Connection,
    #[serde(default)]
    shipments: Option<Vec<Contents>>,
}

/// A shipment with what is in it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Contents {
    #[serde(flatten)]
    pub(super) head: ShipmentHead,
    pub(super) line_items: Connection,
}

/// Nodes of a connection.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Connection {
    #[serde(rename = "pageInfo")]
    page: PageInfo,
    edges: Vec<Edge>,
}

#[derive(Debug, Clone, Deserialize)]
struct PageInfo {
    #[serde(rename = "hasNextPage")]
    has_next: bool,
    #[serde(default, rename = "endCursor")]
    end: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Edge {
    node: Value,
}

impl Connection {
    /// What is on the page.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Value> {
        self.edges.iter().map(|edge| &edge.node)
    }

    pub(super) fn typed<T: DeserializeOwned>(&self, what: &str) -> Result<Vec<T>, ConnectorError> {
        self.nodes().map(|node| typed(what, node.clone())).collect()
    }

    pub(super) fn is_whole(&self) -> bool {
        !self.page.has_next
    }

    /// Where the next page begins; `None` when there is none.
    pub(super) fn next(&self) -> Result<Option<String>, ConnectorError> {
        match (self.page.has_next, filled(self.page.end.as_deref())) {
            (false, _) => Ok(None),
            (true, Some(end)) => Ok(Some(end.to_owned())),
            (true, None) => Err(ConnectorError::unexpected("there is another page, and the answer does not say where")),
        }
    }
}

/// A line of an order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) sku: String,
    #[serde(default)]
    pub(super) partner_line_item_id: Option<String>,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) quantity: Decimal,
    #[serde(default)]
    serial_numbers: Option<Vec<Serial>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Serial {
    #[serde(default)]
    serial_number: Option<String>,
}

impl Line {
    /// Serial numbers, each once.
    pub(super) fn serials(&self) -> Vec<String> {
        let mut known: Vec<String> = Vec::new();
        for serial in self.serial_numbers.iter().flatten().filter_map(|one| filled(one.serial_number.as_deref())) {
            if !known.iter().any(|other| other == serial) {
                known.push(serial.to_owned());
            }
        }
        known
    }
}

/// Goods of a line in a shipment.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Content {
    pub(super) line_item_id: String,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) quantity: Decimal,
    #[serde(default)]
    pub(super) shipping_label_id: Option<String>,
    #[serde(default)]
    lot: Option<Lot>,
}

#[derive(Debug, Clone, Deserialize)]
struct Lot {
    #[serde(default)]
    name: Option<String>,
}

impl Content {
    pub(super) fn lot(&self) -> Option<&str> {
        filled(self.lot.as_ref()?.name.as_deref())
    }
}

impl Order {
    pub(super) fn read(answer: Value) -> Result<Self, ConnectorError> {
        let head = typed("an order", answer.clone())?;
        let rest: Rest = typed("an order", answer)?;
        let mut shipments = rest.shipments.unwrap_or_default();
        shipments.sort_by(|a, b| (&a.head.created_date, &a.head.id).cmp(&(&b.head.created_date, &b.head.id)));
        Ok(Self { head, address: rest.shipping_address, line_items: rest.line_items, shipments })
    }

    pub(super) fn lines(&self) -> Result<Vec<Line>, ConnectorError> {
        self.line_items.typed("a line of an order")
    }

    /// Its shipments, oldest first.
    pub(super) fn shipments(&self) -> &[Contents] {
        &self.shipments
    }

    /// Whether the answer holds every line.
    pub(super) fn is_whole(&self) -> bool {
        self.line_items.is_whole() && self.shipments.iter().all(|shipment| shipment.line_items.is_whole())
    }
}

/// A row of stock: one SKU in one warehouse.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StockRow {
    pub(super) sku: String,
    pub(super) warehouse_id: String,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) on_hand: Decimal,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) available: Decimal,
    #[serde(default)]
    non_sellable_quantity: Option<Quantity>,
}

#[derive(Debug, Clone, Deserialize)]
struct Quantity(#[serde(deserialize_with = "numbers::quantity")] Decimal);

impl StockRow {
    pub(super) fn non_sellable(&self) -> Decimal {
        self.non_sellable_quantity.as_ref().map(|quantity| quantity.0).unwrap_or_default()
    }
}

/// A text that says something.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// A time; without an offset it means UTC.
pub(super) fn utc(text: &str) -> Result<Timestamp, ConnectorError> {
    moment(text, &TimeZone::UTC)
}

/// Reads a shape.
pub(super) fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, ConnectorError> {
    serde_json::from_value(value).map_err(|error| {
        ConnectorError::unexpected(format!("{what}: the answer does not have the documented form: {error}"))
    })
}

/// The list under a field at the top of an answer.
pub(super) fn list(data: &Value, field: &str) -> Result<Connection, ConnectorError> {
    let list = data.get(field).and_then(|answer| answer.get("data")).cloned().unwrap_or(Value::Null);
    typed(field, list)
}
