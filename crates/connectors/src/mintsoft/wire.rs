//! The shapes of answers.
//!
//! Unknown fields are ignored, unknown values kept as text; a required field that is missing makes the answer unexpected,
//! never a default. The description of the calls requires almost nothing, so an absent figure means unknown, not zero.

use connect::{ConnectorError, HttpResponse};
use rust_decimal::Decimal;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::numbers;

/// An order, or one part of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Order {
    #[serde(rename = "ID")]
    pub(super) id: i64,
    pub(super) order_number: String,
    #[serde(default)]
    pub(super) external_order_reference: Option<String>,
    #[serde(default)]
    pub(super) client_id: Option<i64>,
    #[serde(default)]
    pub(super) warehouse_id: Option<i64>,
    pub(super) order_status_id: i64,
    /// Which part it is; 1 or nothing for a whole order.
    #[serde(default)]
    pub(super) part: Option<i64>,
    #[serde(default)]
    pub(super) number_of_parts: Option<i64>,
    #[serde(default)]
    pub(super) despatch_date: Option<String>,
    #[serde(default)]
    pub(super) last_updated: Option<String>,
    #[serde(default)]
    pub(super) tracking_number: Option<String>,
    #[serde(default)]
    pub(super) courier_service_name: Option<String>,
    #[serde(default)]
    pub(super) order_items: Option<Vec<Item>>,
    #[serde(default)]
    pub(super) first_name: Option<String>,
    #[serde(default)]
    pub(super) last_name: Option<String>,
    #[serde(default)]
    pub(super) company_name: Option<String>,
    #[serde(default)]
    pub(super) address1: Option<String>,
    #[serde(default)]
    pub(super) address2: Option<String>,
    #[serde(default)]
    pub(super) town: Option<String>,
    #[serde(default)]
    pub(super) county: Option<String>,
    #[serde(default)]
    pub(super) post_code: Option<String>,
}

/// A line of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Item {
    #[serde(rename = "ID")]
    pub(super) id: i64,
    #[serde(rename = "SKU")]
    pub(super) sku: String,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) quantity: Decimal,
    #[serde(default)]
    pub(super) order_item_name_values: Option<Vec<NameValue>>,
}

/// A word somebody has left on a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NameValue {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// A consignment with a carrier.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Parcels {
    #[serde(default)]
    pub(super) number: Option<String>,
    #[serde(default)]
    pub(super) parcel_numbers: Option<Vec<String>>,
}

/// What was scanned when it was packed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Scan {
    pub(super) order_item_id: i64,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) quantity: Decimal,
    #[serde(default)]
    pub(super) batch_no: Option<String>,
    #[serde(default)]
    pub(super) serial_no: Option<String>,
    #[serde(default)]
    pub(super) box_number: Option<i64>,
}

/// An order and what was split off it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Split {
    pub(super) order_id: i64,
    pub(super) split_order_id: i64,
}

/// Stock of one product in one warehouse. `Level` is what is on hand, not what is available.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StockRow {
    #[serde(default)]
    pub(super) product_id: Option<i64>,
    #[serde(rename = "SKU")]
    pub(super) sku: String,
    pub(super) warehouse_id: i64,
    #[serde(default)]
    pub(super) client_id: Option<i64>,
    #[serde(deserialize_with = "numbers::quantity")]
    pub(super) level: Decimal,
    /// Calculated from what it is made of.
    #[serde(default)]
    pub(super) bundle: Option<bool>,
}

/// Anything with an id and a name.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    #[serde(rename = "ID")]
    pub(super) id: i64,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) external_name: Option<String>,
    /// Of courier services: whether they are in use.
    #[serde(default)]
    pub(super) active_b: Option<bool>,
}

impl Order {
    /// The key it was made under. Both fields carry it; a part that was split off may carry it with something behind it in
    /// the first.
    pub(super) fn key(&self) -> &str {
        match filled(self.external_order_reference.as_deref()) {
            Some(reference) if self.order_number.starts_with(reference) => reference,
            _ => &self.order_number,
        }
    }

    /// Whether it belongs to this key.
    pub(super) fn is_of(&self, key: &str) -> bool {
        self.order_number == key || self.key() == key
    }

    /// Whether it is one of several parts.
    pub(super) fn is_part(&self) -> bool {
        self.number_of_parts.is_some_and(|parts| parts > 1)
    }
}

impl Item {
    /// The hub's line number, as far as it is still there.
    pub(super) fn line_number(&self) -> Option<u32> {
        let words = self.order_item_name_values.iter().flatten();
        let line = words.filter(|word| word.name.as_deref() == Some(LINE)).find_map(|word| word.value.as_deref())?;
        line.trim().parse().ok()
    }
}

/// The name under which a line carries its number.
pub(super) const LINE: &str = "MillraceLine";

/// A text that says something.
pub(super) fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The body of a success. One that is no JSON is not the service's own word, or was cut on its way: it passes, and says
/// nothing about what was asked for.
pub(super) fn parse(what: &str, response: &HttpResponse) -> Result<Value, ConnectorError> {
    serde_json::from_slice(&response.body)
        .map_err(|error| ConnectorError::transient(format!("{what}: the answer is not JSON: {error}")))
}

/// Reads a shape.
pub(super) fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, ConnectorError> {
    serde_json::from_value(value).map_err(|error| {
        ConnectorError::unexpected(format!("{what}: the answer does not have the documented form: {error}"))
    })
}

/// A list, as the service answers everywhere; nothing is an empty one.
pub(super) fn list(what: &str, answer: Value) -> Result<Vec<Value>, ConnectorError> {
    match answer {
        Value::Array(list) => Ok(list),
        Value::Null => Ok(Vec::new()),
        _ => Err(ConnectorError::unexpected(format!("{what}: the answer is not a list"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Order, typed};

    #[test]
    fn parts_belong_to_the_key_they_were_split_from() {
        let of = |number: &str, reference: &str| -> Order {
            let order =
                json!({ "ID": 1, "OrderNumber": number, "ExternalOrderReference": reference, "OrderStatusId": 1 });
            typed("an order", order).unwrap()
        };
        assert!(of("BPacme-O1", "BPacme-O1").is_of("BPacme-O1"));
        assert!(of("BPacme-O1-2", "BPacme-O1").is_of("BPacme-O1"));
        assert!(of("BPacme-O1", "").is_of("BPacme-O1"));
        assert!(!of("BPacme-O10", "BPacme-O10").is_of("BPacme-O1"));
        assert!(!of("BPacme-O10", "").is_of("BPacme-O1"), "keys that begin alike are other orders");
        // Somebody else's reference says nothing.
        assert_eq!(of("WEB-7", "4711").key(), "WEB-7");
    }
}
