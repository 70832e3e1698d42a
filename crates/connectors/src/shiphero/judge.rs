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
    /// Errors without data: the words of the service.
    Errors(String),
    /// Not enough credits, or too many calls: nothing was done.
    Throttled(Option<Duration>),
    /// Anything else.
    Unclear(String),
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
            None => Judged::Errors(said(errors)),
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
