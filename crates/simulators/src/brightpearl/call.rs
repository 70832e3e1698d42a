//! One API call on its way through: what was asked, what may be answered, what it changed.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::auth::Caller;
use super::idset::{IdSet, IdSetError};
use super::switches::{DescendingList, IdCapAnswer, Switches};

/// The code of refusals whose real code no public source tells (*assumption*).
pub(crate) const UNKNOWN_CODE: &str = "WHSC-999";

/// What a call works with besides the account.
pub(crate) struct Call<'a> {
    /// Now, without fractions of a second: resources keep whole seconds.
    pub(crate) now: Timestamp,
    pub(crate) switches: &'a Switches,
    pub(crate) pace: Pace,
    pub(crate) caller: Caller,
    pub(crate) query: Vec<(String, String)>,
    /// The JSON body; `None` if missing or broken.
    pub(crate) body: Option<Value>,
    pub(crate) if_match: Option<String>,
    pub(crate) trace: Trace,
}

/// How much faster than the real system waits pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace(pub(crate) u32);

impl Pace {
    /// A wait of the real system, shortened.
    pub(crate) fn wait(self, real: std::time::Duration) -> std::time::Duration {
        real / self.0.max(1)
    }
}

/// What a call did, for the ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) took_effect: bool,
    pub(crate) orders: Vec<i64>,
    pub(crate) notes: Vec<i64>,
}

impl Trace {
    pub(crate) fn changed_order(&mut self, id: i64) {
        self.took_effect = true;
        self.orders.push(id);
    }

    pub(crate) fn changed_note(&mut self, order: i64, note: i64) {
        self.changed_order(order);
        self.notes.push(note);
    }
}

pub(crate) type Answer = Result<Reply, Refusal>;

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// Replaces the message name of the route.
    pub(crate) message: Option<&'static str>,
}

impl Reply {
    /// `{"response": value}`.
    pub(crate) fn of(value: impl Into<Value>) -> Self {
        Self::body(json!({ "response": value.into() }))
    }

    /// `{}`.
    pub(crate) fn empty() -> Self {
        Self::body(json!({}))
    }

    pub(crate) fn body(body: Value) -> Self {
        Self { status: 200, body, message: None }
    }

    pub(crate) fn named(mut self, message: &'static str) -> Self {
        self.message = Some(message);
        self
    }
}

/// A refusal with one or more errors.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) errors: Vec<(String, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, errors: vec![(code.to_owned(), message.into())] }
    }

    /// 400 with a documented code.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 400 for input the documentation forbids without telling the code (*assumption*).
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, UNKNOWN_CODE, message)
    }

    /// 404. The texts are the recorded ones where there is a recording, else an *assumption*.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "CMNC-404", message)
    }

    pub(crate) fn body(&self) -> Value {
        let errors: Vec<Value> =
            self.errors.iter().map(|(code, message)| json!({ "code": code, "message": message })).collect();
        json!({ "errors": errors })
    }
}

impl Call<'_> {
    /// The JSON body, or CMNC-010.
    pub(crate) fn json(&self) -> Result<&Value, Refusal> {
        self.body
            .as_ref()
            .ok_or_else(|| Refusal::bad("CMNC-010", "You must supply a JSON formatted body with your request"))
    }

    /// The operations of an RFC 6902 body.
    pub(crate) fn patch(&self) -> Result<Vec<PatchStep>, Refusal> {
        let Value::Array(steps) = self.json()? else {
            return Err(Refusal::bad("CMNC-010", "You must supply a JSON formatted body with your request"));
        };
        let read = |step: &Value| {
            Some(PatchStep {
                op: text(step.get("op")?)?.to_owned(),
                path: text(step.get("path")?)?.to_owned(),
                value: step.get("value").cloned().unwrap_or(Value::Null),
            })
        };
        let steps = steps.iter().map(read).collect::<Option<Vec<_>>>();
        steps
            .filter(|steps| !steps.is_empty())
            .ok_or_else(|| Refusal::invalid("A patch needs at least one operation with op and path"))
    }

    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether `includeOptional` names a section.
    pub(crate) fn includes(&self, section: &str) -> bool {
        self.option("includeOptional").is_some_and(|list| list.split(',').any(|name| name == section))
    }

    /// An id set of a path, with the largest number of ids the resource takes.
    pub(crate) fn id_set(&self, text: &str, cap: Option<u64>) -> Result<IdSet, Refusal> {
        let parsed = match self.switches.descending_list {
            DescendingList::Refused => IdSet::parse(text),
            DescendingList::Accepted => IdSet::parse_unordered(text),
        };
        let set = parsed.map_err(|error| match error {
            IdSetError::NotAscending => {
                Refusal::bad("CMNC-006", format!("The ID set {text} is not in ascending order"))
            }
            IdSetError::Unreadable => Refusal::bad("CMNC-008", format!("The ID set {text} cannot be parsed")),
        })?;
        match cap {
            Some(cap) if set != IdSet::All && set.size() > cap => {
                let status = match self.switches.id_cap_answer {
                    IdCapAnswer::BadRequest => 400,
                    IdCapAnswer::UriTooLong => 414,
                };
                Err(Refusal::new(status, UNKNOWN_CODE, format!("An ID set may hold at most {cap} IDs")))
            }
            _ => Ok(set),
        }
    }
}

/// One operation of a patch.
#[derive(Debug)]
pub(crate) struct PatchStep {
    pub(crate) op: String,
    pub(crate) path: String,
    pub(crate) value: Value,
}

impl PatchStep {
    /// The documented refusal of an operation a path does not take.
    pub(crate) fn not_allowed(&self) -> Refusal {
        Refusal::new(500, "CMNC-044", format!("Invalid patch operation ({}) for given path ({})", self.op, self.path))
    }

    pub(crate) fn unknown_path(&self) -> Refusal {
        Refusal::bad("CMNC-043", format!("Unsupported patch path ({})", self.path))
    }
}

/// A whole number, also written as text.
pub(crate) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let exact = Decimal::from_str(&number.to_string()).ok()?;
            exact.fract().is_zero().then(|| i64::try_from(exact).ok())?
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A decimal number, also written as text.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            Decimal::from_str(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
        }
        Value::String(text) => Decimal::from_str(text.trim()).ok(),
        _ => None,
    }
}

pub(crate) fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

/// A truth value, also written as text.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A time with offset, or a plain date, which means midnight UTC.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(date) = Date::from_str(text)
        && text.len() <= 10
    {
        return date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    }
    DateTime::from_str(text).ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A number in JSON with the digits of the decimal: floats never take part.
pub(crate) fn number(value: Decimal) -> Value {
    Value::Number(value.to_string().parse().unwrap_or_else(|_| 0.into()))
}

/// The field of an object, unless it is missing or null.
pub(crate) fn field<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}
