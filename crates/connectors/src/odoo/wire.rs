//! The shapes of answers.
//!
//! A relation comes as `[id, "name"]`, and everything that is empty as `false`. A field that was asked for and is missing makes
//! the answer unexpected, never a default.

use connect::ConnectorError;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

use crate::numbers;

/// A sales order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    pub(super) id: i64,
    pub(super) state: String,
    /// Holds our key.
    #[serde(deserialize_with = "text")]
    pub(super) client_order_ref: String,
    #[serde(deserialize_with = "link")]
    pub(super) partner_shipping_id: Option<Link>,
    #[serde(deserialize_with = "text")]
    pub(super) write_date: String,
}

/// Fields of [`Order`].
pub(super) const ORDER: &[&str] = &["state", "client_order_ref", "partner_shipping_id", "write_date"];

/// A line of a sales order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Line {
    #[serde(deserialize_with = "link")]
    pub(super) order_id: Option<Link>,
    /// Nothing for a heading or a note.
    #[serde(deserialize_with = "link")]
    pub(super) product_id: Option<Link>,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) product_uom_qty: Decimal,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) qty_delivered: Decimal,
}

/// Fields of [`Line`].
pub(super) const LINE: &[&str] = &["order_id", "product_id", "product_uom_qty", "qty_delivered"];

/// Whom it goes to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Contact {
    pub(super) id: i64,
    #[serde(deserialize_with = "text")]
    pub(super) name: String,
    #[serde(deserialize_with = "text")]
    pub(super) street: String,
    #[serde(deserialize_with = "text")]
    pub(super) street2: String,
    #[serde(deserialize_with = "text")]
    pub(super) city: String,
    #[serde(deserialize_with = "text")]
    pub(super) zip: String,
}

/// Fields of [`Contact`].
pub(super) const CONTACT: &[&str] = &["name", "street", "street2", "city", "zip"];

/// A transfer of an order's goods: out of the building, or a step towards that inside it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Transfer {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) state: String,
    #[serde(deserialize_with = "text")]
    pub(super) picking_type_code: String,
    #[serde(deserialize_with = "link")]
    pub(super) sale_id: Option<Link>,
    #[serde(deserialize_with = "text")]
    pub(super) date_done: String,
    #[serde(deserialize_with = "link")]
    pub(super) carrier_id: Option<Link>,
    #[serde(deserialize_with = "text")]
    pub(super) carrier_tracking_ref: String,
    #[serde(deserialize_with = "text")]
    pub(super) write_date: String,
}

/// Fields of [`Transfer`].
pub(super) const TRANSFER: &[&str] =
    &["name", "state", "picking_type_code", "sale_id", "date_done", "carrier_id", "carrier_tracking_ref", "write_date"];

impl Transfer {
    /// Whether goods left the building with it. Where they are picked and packed in steps, those steps leave nowhere.
    pub(super) fn is_done(&self) -> bool {
        self.state == "done" && self.picking_type_code == "outgoing"
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.state == "cancel"
    }

    /// Whether something may still leave with it.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state.as_str(), "done" | "cancel")
    }
}

/// Goods of one transfer: of one product, of one lot, in one box.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Moved {
    #[serde(deserialize_with = "link")]
    pub(super) picking_id: Option<Link>,
    #[serde(deserialize_with = "link")]
    pub(super) product_id: Option<Link>,
    #[serde(deserialize_with = "link")]
    pub(super) lot_id: Option<Link>,
    #[serde(deserialize_with = "link")]
    pub(super) result_package_id: Option<Link>,
    #[serde(deserialize_with = "link")]
    pub(super) move_id: Option<Link>,
    /// Up to Odoo 16 under its older name.
    #[serde(alias = "qty_done", deserialize_with = "numbers::quantity")]
    pub(super) quantity: Decimal,
}

/// Fields of [`Moved`], by the server's main version.
pub(super) fn moved(version: u32) -> Vec<&'static str> {
    let quantity = if version < 17 { "qty_done" } else { "quantity" };
    vec!["picking_id", "product_id", "lot_id", "result_package_id", "move_id", quantity]
}

/// What an order line became in the warehouse.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Move {
    pub(super) id: i64,
    #[serde(deserialize_with = "link")]
    pub(super) sale_line_id: Option<Link>,
}

/// A product, with whatever field holds its SKU.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) id: i64,
    pub(super) sku: String,
    pub(super) kind: String,
    /// Whether each unit has a serial number.
    pub(super) has_serials: bool,
}

/// Fields of [`Product`].
pub(super) fn product(sku_field: &str) -> Vec<&str> {
    vec![sku_field, "type", "tracking"]
}

impl Product {
    pub(super) fn new(row: &Value, sku_field: &str) -> Result<Self, ConnectorError> {
        let unexpected =
            || ConnectorError::unexpected("a product does not have the documented form: something is missing");
        let word = |name: &str| row.get(name).ok_or_else(unexpected);
        let plain = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
        Ok(Self {
            id: word("id")?.as_i64().ok_or_else(unexpected)?,
            sku: plain(word(sku_field)?),
            kind: plain(word("type")?),
            has_serials: word("tracking")?.as_str() == Some("serial"),
        })
    }
}

/// What lies in one place.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Quant {
    #[serde(deserialize_with = "link")]
    pub(super) product_id: Option<Link>,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) quantity: Decimal,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) reserved_quantity: Decimal,
}

/// A warehouse.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Building {
    pub(super) id: i64,
    pub(super) name: String,
    /// Its short name, by which the hub knows it.
    pub(super) code: String,
    #[serde(deserialize_with = "link")]
    pub(super) view_location_id: Option<Link>,
}

/// Fields of [`Building`].
pub(super) const BUILDING: &[&str] = &["name", "code", "view_location_id"];

/// Anything with an id and a name.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    pub(super) id: i64,
    #[serde(deserialize_with = "text")]
    pub(super) name: String,
}

/// What a record was made under.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    pub(super) id: i64,
    /// Its external id.
    #[serde(deserialize_with = "text")]
    pub(super) xmlid: String,
}

/// Another record: its id, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) id: i64,
    pub(super) name: String,
}

fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Link>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Bool(false) | Value::Null => Ok(None),
        Value::Array(parts) => {
            let id = parts.first().and_then(Value::as_i64);
            let name = parts.get(1).and_then(Value::as_str).unwrap_or_default().to_owned();
            id.map(|id| Some(Link { id, name })).ok_or_else(|| D::Error::custom("a relation without an id"))
        }
        _ => Err(D::Error::custom("a relation is neither empty nor a record")),
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Bool(false) | Value::Null => Ok(String::new()),
        _ => Err(D::Error::custom("a text is neither empty nor a text")),
    }
}

/// The rows of an answer.
pub(super) fn rows<T: DeserializeOwned>(what: &str, answer: Value) -> Result<Vec<T>, ConnectorError> {
    serde_json::from_value(answer).map_err(|error| {
        ConnectorError::unexpected(format!("{what}: the answer does not have the documented form: {error}"))
    })
}

/// Ids of what rows point to, each once.
pub(super) fn ids<'a>(links: impl Iterator<Item = Option<&'a Link>>) -> Vec<i64> {
    let mut ids: Vec<i64> = links.flatten().map(|link| link.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
