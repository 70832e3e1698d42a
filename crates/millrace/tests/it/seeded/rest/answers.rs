//! The forms of answers, and of refusals.

use serde_json::{Value, json};

/// Status, tag and body.
pub(super) type Answer = (u16, Option<String>, Value);

/// An answer without a body.
pub(super) fn blank(status: u16) -> Answer {
    (status, None, Value::Null)
}

fn kind_of_refusal(name: &str) -> String {
    format!("WMS.V2.Generic.Models.Exceptions.{name}, WMS.V2.Generic.Models")
}

/// A property of the body is refused.
pub(super) fn invalid(property: &str, value: &str, code: &str) -> Answer {
    let body = json!({"$type": kind_of_refusal("ModelValidationException"), "ModelType": 0,
        "Properties": [{"Name": property, "Value": value}], "ErrorCode": code, "Hint": ""});
    (400, None, body)
}

/// A parameter of a read is refused.
pub(super) fn misasked(parameter: &str, hint: &str) -> Answer {
    let body = json!({"$type": kind_of_refusal("QueryParameterException"), "Parameters": [parameter],
        "ErrorCode": "NotParsable", "Hint": hint});
    (400, None, body)
}

/// What is asked for does not fit how the order stands.
pub(super) fn forbidden(action: &str, code: &str) -> Answer {
    let body = json!({"$type": kind_of_refusal("OperationException"), "ActionName": action, "ErrorCode": code,
        "Hint": ""});
    (403, None, body)
}

pub(super) fn rel(name: &str) -> String {
    format!("http://api.3plCentral.com/rels/{name}")
}

pub(super) fn list(name: &str, total: usize, rows: Vec<Value>) -> Answer {
    (200, None, json!({"totalResults": total, "_embedded": {rel(name): rows}}))
}

/// The other shape of an answer, for whoever does not ask for the one with links: names begin with a capital, and lists stand in
/// the answer itself.
pub(super) fn plain(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(fields) => {
            let mut told = serde_json::Map::new();
            for (name, value) in fields {
                match value {
                    Value::Object(lists) if name == "_embedded" => {
                        told.extend(lists.values().map(|list| ("ResourceList".to_owned(), plain(list))));
                    }
                    value => {
                        let mut letters = name.chars();
                        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                        told.insert(first.into_iter().chain(letters).collect(), plain(value));
                    }
                }
            }
            Value::Object(told)
        }
        other => other.clone(),
    }
}
