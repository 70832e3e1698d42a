//! What an answer says. HTTP 200 is no success: an answer carries its own errors, with data beside them or without.

use std::time::Duration;

use connect::HttpResponse;
use serde_json::Value;

/// Code of *not enough credits*.
const CREDITS: i64 = 30;
/// A wait for credits is neither shorter nor longer, whatever is told.
const SHORTEST: u64 = 1;
const LONGEST: u64 = 120;

/// What an answer says by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judged {
    /// Data, and no errors.
    Data(Value),
    /// Errors without data.
    Errors(Complaints),
    /// Not enough credits, or too many calls: nothing was done.
    Throttled(Option<Duration>),
    /// Anything else.
    Unclear(String),
}

/// Errors that came without data.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Complaints {
    /// The words of the service.
    pub(super) told: String,
    /// The fields of the answer, with nothing in any of them.
    empty: Vec<String>,
    /// Of each error, the operation that it names, and its code.
    of: Vec<(Option<String>, Option<i64>)>,
}

impl Complaints {
    /// The code under which the service refused this operation for good, where it says so in the form that it publishes
    /// (developer.shiphero.com, *Error Glossary*): the field of the operation is null, and each error names the operation and
    /// has a code. `None`: it is not known what was done, which is so as well where the words speak of a fault that passes.
    pub(super) fn refusal_of(&self, operation: &str) -> Option<String> {
        let codes = self.of.iter().map(|(named, code)| match (named.as_deref(), code) {
            (Some(named), Some(code)) if named == operation && *code != CREDITS => Some(*code),
            _ => None,
        });
        let codes: Vec<i64> = codes.collect::<Option<_>>()?;
        if !self.empty.iter().any(|field| field == operation) || speaks_of_a_fault(&self.told) {
            return None;
        }
        codes.first().map(ToString::to_string)
    }
}

/// Whether the words may mean that something broke there, after which the same may be taken: which code that has is not
/// published.
fn speaks_of_a_fault(told: &str) -> bool {
    const WORDS: [&str; 11] = [
        "again",
        "busy",
        "deadlock",
        "internal",
        "later",
        "no reason given",
        "temporar",
        "timed out",
        "timeout",
        "unavailable",
        "went wrong",
    ];
    let told = told.to_lowercase();
    WORDS.iter().any(|word| told.contains(word))
}

/// Reads an answer.
pub(super) fn judged(response: &HttpResponse) -> Judged {
    let unclear = || {
        let body = shortened(&String::from_utf8_lossy(&response.body));
        Judged::Unclear(format!("the service answered {}: {body}", response.status))
    };
    if response.status == 429 {
        return Judged::Throttled(retry_after(response));
    }
    let body: Option<Value> = serde_json::from_slice(&response.body).ok().filter(Value::is_object);
    let (true, Some(body)) = (response.is_success(), body) else { return unclear() };
    let data = body.get("data").filter(|data| !is_nothing(data));
    let errors = match body.get("errors") {
        None | Some(Value::Null) => None,
        Some(Value::Array(errors)) if errors.is_empty() => None,
        Some(errors) => Some(errors),
    };
    match (data, errors) {
        (Some(data), None) if data.is_object() => Judged::Data(data.clone()),
        (None, Some(Value::Array(errors))) => match credits(errors) {
            Some(wait) => Judged::Throttled(wait),
            None => Judged::Errors(Complaints {
                told: said(errors),
                empty: body
                    .get("data")
                    .and_then(Value::as_object)
                    .map(|data| data.keys().cloned().collect())
                    .unwrap_or_default(),
                of: errors
                    .iter()
                    .map(|error| {
                        let named = error.get("operation").and_then(Value::as_str).map(str::to_owned);
                        (named, error.get("code").and_then(Value::as_i64))
                    })
                    .collect(),
            }),
        },
        (Some(_), Some(Value::Array(errors))) => {
            Judged::Unclear(format!("it answered with data and with errors: {}", said(errors)))
        }
        _ => unclear(),
    }
}

/// No field of the answer holds anything.
fn is_nothing(data: &Value) -> bool {
    data.is_null() || data.as_object().is_some_and(|fields| fields.values().all(Value::is_null))
}

/// Whether credits are all that is wanting, and how long to wait for them.
fn credits(errors: &[Value]) -> Option<Option<Duration>> {
    let is_code = |error: &Value| error.get("code").and_then(Value::as_i64) == Some(CREDITS);
    if errors.is_empty() || !errors.iter().all(is_code) {
        return None;
    }
    let told = errors.iter().filter_map(|error| seconds(error.get("time_remaining")?)).max();
    Some(told.map(|seconds| Duration::from_secs(seconds.clamp(SHORTEST, LONGEST))))
}

/// `"10 seconds"`, or a number.
fn seconds(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => {
            let digits: String = text.trim().chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        }
        _ => None,
    }
}

fn said(errors: &[Value]) -> String {
    let messages: Vec<&str> = errors.iter().filter_map(|error| error.get("message")?.as_str()).collect();
    match messages.is_empty() {
        true => "no reason given".to_owned(),
        false => shortened(&messages.join("; ")),
    }
}

/// A text of the service, short enough to show and without control characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// How long the service asks to be left alone.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connect::HttpResponse;
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{Judged, judged};

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: body.to_owned().into() }
    }

    #[test]
    fn every_row_of_the_table() {
        let credits = "{\"code\":30,\"message\":\"not enough\",\"time_remaining\":\"10 seconds\"}";
        let other = "{\"code\":3,\"message\":\"Product not found\"}";
        for (status, body, expected) in [
            (200, "{\"data\":{\"order_create\":{\"order\":{\"id\":\"x\"}}}}".to_owned(), "data"),
            (200, "{\"data\":{\"order_create\":{}},\"errors\":[]}".to_owned(), "data"),
            (200, "{\"data\":{\"order_create\":{}},\"errors\":null}".to_owned(), "data"),
            (200, format!("{{\"errors\":[{credits}]}}"), "throttled"),
            (200, format!("{{\"data\":null,\"errors\":[{credits}]}}"), "throttled"),
            (200, format!("{{\"data\":{{\"order_create\":null}},\"errors\":[{credits}]}}"), "throttled"),
            (200, format!("{{\"errors\":[{credits},{other}]}}"), "errors"),
            (200, format!("{{\"data\":{{\"order_create\":{{}}}},\"errors\":[{credits}]}}"), "unclear"),
            (200, format!("{{\"errors\":[{other}]}}"), "errors"),
            (200, format!("{{\"data\":{{\"order_create\":null}},\"errors\":[{other}]}}"), "errors"),
            (200, format!("{{\"data\":{{\"order_create\":{{}}}},\"errors\":[{other}]}}"), "unclear"),
            (200, "{\"data\":{\"order_create\":{}},\"errors\":\"no\"}".to_owned(), "unclear"),
            (200, "{\"data\":{\"order_create\":null}}".to_owned(), "unclear"),
            (200, "{\"data\":[1]}".to_owned(), "unclear"),
            (200, "{}".to_owned(), "unclear"),
            (200, "[]".to_owned(), "unclear"),
            (200, String::new(), "unclear"),
            (200, "<html>".to_owned(), "unclear"),
            (400, format!("{{\"errors\":[{other}]}}"), "unclear"),
            (429, String::new(), "throttled"),
            (500, format!("{{\"errors\":[{credits}]}}"), "unclear"),
            (302, "{\"data\":{\"order_create\":{}}}".to_owned(), "unclear"),
        ] {
            let word = match judged(&response(status, &body)) {
                Judged::Data(_) => "data",
                Judged::Errors(_) => "errors",
                Judged::Throttled(_) => "throttled",
                Judged::Unclear(_) => "unclear",
            };
            assert_eq!(word, expected, "{status} {body}");
        }
        for (told, waits) in
            [("\"10 seconds\"", Some(10)), ("\"0 seconds\"", Some(1)), ("9000", Some(120)), ("\"soon\"", None)]
        {
            let body = format!("{{\"errors\":[{{\"code\":30,\"time_remaining\":{told}}}]}}");
            assert_eq!(judged(&response(200, &body)), Judged::Throttled(waits.map(Duration::from_secs)), "{told}");
        }
    }

    #[test]
    fn only_the_published_form_is_a_refusal() {
        let glossary = r#"{"message":"Order not found","operation":"order_create","field":"order_create","request_id":"5d","code":5}"#;
        let other = r#"{"message":"Order not found","operation":"order_cancel","code":5}"#;
        let credits = r#"{"message":"not enough","operation":"order_create","code":30}"#;
        for (errors, data, refused) in [
            (glossary.to_owned(), r#","data":{"order_create":null}"#, Some("5")),
            (format!("{glossary},{glossary}"), r#","data":{"order_create":null}"#, Some("5")),
            // Without the field nobody says how far it came.
            (glossary.to_owned(), r#","data":{"order_cancel":null}"#, None),
            (glossary.to_owned(), "", None),
            (glossary.to_owned(), r#","data":null"#, None),
            (other.to_owned(), r#","data":{"order_create":null}"#, None),
            (format!("{glossary},{other}"), r#","data":{"order_create":null}"#, None),
            (format!("{glossary},{credits}"), r#","data":{"order_create":null}"#, None),
            (r#"{"message":"no","operation":"order_create"}"#.to_owned(), r#","data":{"order_create":null}"#, None),
            (r#"{"message":"no","code":5}"#.to_owned(), r#","data":{"order_create":null}"#, None),
            (
                r#"{"message":"no","operation":"order_create","code":"5"}"#.to_owned(),
                r#","data":{"order_create":null}"#,
                None,
            ),
            (r#"{"operation":"order_create","code":5}"#.to_owned(), r#","data":{"order_create":null}"#, None),
            ("\"no\"".to_owned(), r#","data":{"order_create":null}"#, None),
        ] {
            let body = format!("{{\"errors\":[{errors}]{data}}}");
            let Judged::Errors(complaints) = judged(&response(200, &body)) else { panic!("no errors in {body}") };
            assert_eq!(complaints.refusal_of("order_create").as_deref(), refused, "{body}");
        }
        for passes in [
            "Internal server error",
            "Lock wait timeout exceeded; try restarting",
            "Something went wrong",
            "Please try again",
        ] {
            let body = format!(
                "{{\"errors\":[{{\"message\":\"{passes}\",\"operation\":\"order_create\",\"code\":1}}],\"data\":{{\"order_create\":null}}}}"
            );
            let Judged::Errors(complaints) = judged(&response(200, &body)) else { panic!("no errors in {body}") };
            assert_eq!(complaints.refusal_of("order_create"), None, "{passes}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_answer_of_the_service_says_nothing(status in 100_u16..1000, body in any::<String>()) {
            let judged = judged(&response(status, &body));
            let fits = matches!(judged, Judged::Unclear(_)) || status == 429 && matches!(judged, Judged::Throttled(_));
            let is_object = body.trim_start().starts_with('\u{7b}');
            prop_assert!(fits || (200..300).contains(&status) && is_object);
        }
    }
}
