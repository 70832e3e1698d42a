//! The shapes of answers (`application/hal+json`).
//!
//! Unknown fields are ignored, unknown values kept as text; a required field that is missing makes the answer unexpected,
//! never a default.

use std::collections::BTreeMap;

use connect::ConnectorError;
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::numbers;

/// An order as it is read with all details.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) read_only: OrderFacts,
    pub(super) reference_num: String,
    #[serde(default)]
    pub(super) routing_info: Option<Routing>,
    #[serde(default)]
    pub(super) parcel_response: Option<ParcelResponse>,
    #[serde(default)]
    pub(super) ship_to: Option<BTreeMap<String, Value>>,
    #[serde(default, rename = "_embedded")]
    embedded: BTreeMap<String, Value>,
}

/// What the service says of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderFacts {
    pub(super) order_id: i64,
    pub(super) status: i64,
    #[serde(default)]
    pub(super) is_closed: Option<bool>,
    #[serde(default)]
    pub(super) defer_notification: Option<bool>,
    #[serde(default)]
    pub(super) last_modified_date: Option<String>,
    #[serde(default)]
    pub(super) process_date: Option<String>,
    #[serde(default)]
    pub(super) ship_date: Option<String>,
    #[serde(default)]
    pub(super) pick_started: Option<bool>,
    #[serde(default)]
    pub(super) pick_done_date: Option<String>,
    #[serde(default)]
    pub(super) pack_started: Option<bool>,
    #[serde(default)]
    pub(super) pack_done_date: Option<String>,
    #[serde(default)]
    pub(super) on_hold_date: Option<String>,
    #[serde(default)]
    pub(super) facility_identifier: Option<Identifier>,
    #[serde(default)]
    pub(super) packages: Option<Vec<WirePackage>>,
    #[serde(default)]
    pub(super) outbound_serial_numbers: Option<Vec<OutboundSerials>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Identifier {
    pub(super) id: i64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Routing {
    #[serde(default)]
    pub(super) carrier: Option<String>,
    #[serde(default)]
    pub(super) mode: Option<String>,
    #[serde(default)]
    pub(super) tracking_number: Option<String>,
    /// Spelt so by the service.
    #[serde(default)]
    pub(super) bill_of_lading: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParcelResponse {
    #[serde(default)]
    pub(super) tracking_numbers: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutboundSerials {
    pub(super) item_identifier: ItemIdentifier,
    #[serde(default)]
    pub(super) serial_numbers: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ItemIdentifier {
    pub(super) sku: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePackage {
    #[serde(default)]
    pub(super) tracking_number: Option<String>,
    #[serde(default)]
    package_contents: Option<Vec<WireContent>>,
    #[serde(default, rename = "_embedded")]
    embedded: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireContent {
    pub(super) order_item_id: i64,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) qty: Decimal,
    #[serde(default)]
    pub(super) lot_number: Option<String>,
    #[serde(default)]
    pub(super) serial_number: Option<String>,
    #[serde(default)]
    pub(super) serial_numbers: Option<Vec<String>>,
}

/// A line of an order, as read.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderItem {
    pub(super) read_only: OrderItemFacts,
    pub(super) item_identifier: ItemIdentifier,
    #[serde(default)]
    pub(super) external_id: Option<String>,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) qty: Decimal,
    #[serde(default)]
    pub(super) lot_number: Option<String>,
    #[serde(default)]
    pub(super) serial_number: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderItemFacts {
    pub(super) order_item_id: i64,
}

/// A row of the stock summaries. It names no customer: the filter of the call is the only fence.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockSummary {
    pub(super) item_identifier: ItemIdentifier,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) available: Decimal,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) on_hand: Decimal,
    pub(super) facility_id: i64,
}

impl Order {
    /// Its lines; an error when the answer carries none, as it does without the right `detail`.
    pub(super) fn items(&self) -> Result<Vec<OrderItem>, ConnectorError> {
        match self.embedded.iter().find(|(rel, _)| ends_with(rel, "orders/item")) {
            Some((_, items)) => typed(&format!("the lines of order {}", self.read_only.order_id), items.clone()),
            None => {
                Err(ConnectorError::unexpected(format!("order {} came without its lines", self.read_only.order_id)))
            }
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.read_only.status == 2
    }

    /// Closed by shipping. A cancelled order may be marked closed too.
    pub(super) fn is_closed(&self) -> bool {
        !self.is_cancelled() && (self.read_only.status == 1 || self.read_only.is_closed == Some(true))
    }

    /// Whether anybody has begun to work on it.
    pub(super) fn is_started(&self) -> bool {
        let facts = &self.read_only;
        facts.pick_started == Some(true)
            || facts.pack_started == Some(true)
            || filled(facts.pick_done_date.as_deref()).is_some()
            || filled(facts.pack_done_date.as_deref()).is_some()
    }
}

impl WirePackage {
    pub(super) fn contents(&self) -> Result<Vec<WireContent>, ConnectorError> {
        if let Some(contents) = &self.package_contents {
            return Ok(contents.clone());
        }
        match self.embedded.iter().find(|(rel, _)| ends_with(rel, "orders/packagecontent")) {
            Some((_, contents)) => typed("the contents of a package", contents.clone()),
            None => Ok(Vec::new()),
        }
    }
}

/// A text that says something.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Reads a shape.
pub(super) fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, ConnectorError> {
    serde_json::from_value(value).map_err(|error| {
        ConnectorError::unexpected(format!("{what}: the answer does not have the documented form: {error}"))
    })
}

/// A page of a list: how many there are in all, and those on the page. Embedded lists stand under the name of their
/// relation, some under `item`; summaries stand in the answer itself.
pub(super) fn page(what: &str, answer: &Value) -> Result<(usize, Vec<Value>), ConnectorError> {
    let field = |name: &str, other: &str| answer.get(name).or_else(|| answer.get(other));
    let total =
        field("totalResults", "TotalResults").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
    let embedded =
        answer.get("_embedded").and_then(Value::as_object).and_then(|lists| lists.values().find_map(Value::as_array));
    let list = embedded
        .or_else(|| field("resourceList", "ResourceList")?.as_array())
        .or_else(|| answer.get("summaries")?.as_array());
    match (total, list) {
        (Some(total), Some(list)) => Ok((total, list.clone())),
        // An empty list may be left out.
        (Some(0), None) => Ok((0, Vec::new())),
        _ => Err(ConnectorError::unexpected(format!("{what}: the answer is not a list with its total"))),
    }
}

fn ends_with(rel: &str, name: &str) -> bool {
    rel.rsplit_once("/rels/").is_some_and(|(_, rel)| rel.eq_ignore_ascii_case(name))
}
