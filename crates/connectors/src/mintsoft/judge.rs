//! What an answer to one of our changes says by itself. HTTP 200 is no success: each answer carries its own `Success`.

use std::time::Duration;

use connect::HttpResponse;
use serde_json::Value;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// It says that it was done; of a creation, the ids of what was made: several where the system split the order.
    Done(Vec<i64>),
    /// It says, in the service's own form, that it was not done.
    Denied(String),
    /// Too many calls: not done.
    Throttled(Option<Duration>),
    /// Anything else.
    Unclear(String),
}

/// The answer to a creation: a list, since the system may split an order on entry.
pub(super) fn created(response: &HttpResponse) -> Judged {
    if let Some(judged) = before_the_body(response) {
        return judged;
    }
    let results: Vec<Value> = match serde_json::from_slice(&response.body) {
        Ok(Value::Array(results)) if !results.is_empty() => results,
        Ok(result @ Value::Object(_)) => vec![result],
        _ => return unclear(response),
    };
    let successes: Vec<Option<bool>> = results.iter().map(|result| result.get("Success")?.as_bool()).collect();
    if successes.iter().all(|success| *success == Some(true)) && response.is_success() {
        let id = |result: &Value| result.get("OrderId")?.as_i64().filter(|id| *id > 0);
        return match results.iter().map(id).collect::<Option<Vec<i64>>>() {
            Some(ids) => Judged::Done(ids),
            None => Judged::Unclear("the answer does not name the order that was made".to_owned()),
        };
    }
    // The second: refused before anything was looked at, in the form of the framework underneath.
    if successes.iter().all(|success| *success == Some(false)) || is_own_refusal(response, &results) {
        return Judged::Denied(told(response));
    }
    unclear(response)
}

/// The answer to a cancellation: one result.
pub(super) fn cancelled(response: &HttpResponse) -> Judged {
    if let Some(judged) = before_the_body(response) {
        return judged;
    }
    let result: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    match result.get("Success").and_then(Value::as_bool) {
        Some(true) if response.is_success() => Judged::Done(Vec::new()),
        Some(false) => Judged::Denied(told(response)),
        None if is_own_refusal(response, std::slice::from_ref(&result)) => Judged::Denied(told(response)),
        Some(true) | None => unclear(response),
    }
}

/// Whether a change whose outcome decides nothing was taken in. The form of the answer is not published.
pub(super) fn taken(response: &HttpResponse) -> bool {
    let result: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    response.is_success() && result.get("Success").and_then(Value::as_bool) != Some(false)
}

/// What the status alone decides.
fn before_the_body(response: &HttpResponse) -> Option<Judged> {
    match response.status {
        429 => Some(Judged::Throttled(retry_after(response))),
        200..300 => None,
        400..500 if response.status != 408 => None,
        _ => Some(unclear(response)),
    }
}

fn is_own_refusal(response: &HttpResponse, results: &[Value]) -> bool {
    (400..500).contains(&response.status)
        && results.len() == 1
        && results
            .iter()
            .all(|result| result.get("Success").is_none() && result.get("Message").is_some_and(Value::is_string))
}

fn unclear(response: &HttpResponse) -> Judged {
    let body = shortened(&String::from_utf8_lossy(&response.body));
    Judged::Unclear(format!("the service answered {}: {body}", response.status))
}

fn told(response: &HttpResponse) -> String {
    said(&response.body).unwrap_or_else(|| "no reason given".to_owned())
}

/// The messages in an answer.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let list = body.as_array().cloned().unwrap_or_else(|| vec![body]);
    let mut messages: Vec<&str> = Vec::new();
    for result in &list {
        let fields = ["Message", "WarningMessage", "ExceptionMessage"];
        for text in fields.iter().filter_map(|name| result.get(*name)?.as_str()).map(str::trim) {
            if !text.is_empty() && !messages.contains(&text) {
                messages.push(text);
            }
        }
    }
    (!messages.is_empty()).then(|| shortened(&messages.join("; ")))
}

/// A text of the service, short enough to show and without control characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// How long the service asks to be left alone.
pub(super) fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use connect::HttpResponse;
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{Judged, cancelled, created};

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: body.to_owned().into() }
    }

    fn word(judged: &Judged) -> &'static str {
        match judged {
            Judged::Done(ids) if ids.is_empty() => "done",
            Judged::Done(_) => "done, named",
            Judged::Denied(_) => "denied",
            Judged::Throttled(_) => "throttled",
            Judged::Unclear(_) => "unclear",
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let made = "[{\"OrderId\":7,\"Success\":true,\"Message\":\"\"}]";
        let split = "[{\"OrderId\":7,\"Success\":true},{\"OrderId\":8,\"Success\":true}]";
        let refused = "[{\"OrderId\":0,\"Success\":false,\"Message\":\"SKU X not found\"}]";
        let mixed = "[{\"OrderId\":7,\"Success\":true},{\"OrderId\":0,\"Success\":false}]";
        for (status, body, of_create) in [
            (200, made, "done, named"),
            (201, made, "done, named"),
            (200, split, "done, named"),
            (200, refused, "denied"),
            (400, refused, "denied"),
            (409, refused, "denied"),
            (400, "{\"Message\":\"The request is invalid.\"}", "denied"),
            (200, "{\"Message\":\"fine\"}", "unclear"),
            (400, made, "unclear"),
            (200, mixed, "unclear"),
            (200, "[]", "unclear"),
            (200, "", "unclear"),
            (200, "<html>", "unclear"),
            (400, "<html>", "unclear"),
            (404, "", "unclear"),
            (200, "[{\"OrderId\":0,\"Success\":true}]", "unclear"),
            (200, "[{\"OrderId\":-1,\"Success\":true}]", "unclear"),
            (200, &made[..20], "unclear"),
            (408, refused, "unclear"),
            (429, "", "throttled"),
            (500, refused, "unclear"),
            (503, "{\"Message\":\"busy\"}", "unclear"),
            (302, made, "unclear"),
        ] {
            assert_eq!(word(&created(&response(status, body))), of_create, "create {status} {body}");
        }
        for (status, body, of_cancel) in [
            (200, "{\"ID\":7,\"Success\":true,\"Message\":\"\"}", "done"),
            (200, "{\"ID\":7,\"Success\":false,\"Message\":\"Order is despatched\"}", "denied"),
            (400, "{\"ID\":7,\"Success\":false}", "denied"),
            (404, "{\"Message\":\"No order\"}", "denied"),
            (200, "true", "unclear"),
            (200, made, "unclear"),
            (500, "{\"Success\":false}", "unclear"),
            (429, "", "throttled"),
        ] {
            assert_eq!(word(&cancelled(&response(status, body))), of_cancel, "cancel {status} {body}");
        }
        let Judged::Denied(told) = created(&response(200, refused)) else { panic!("it is denied") };
        assert_eq!(told, "SKU X not found");
    }

    proptest! {
        #[test]
        fn server_errors_are_never_certain(status in 500_u16..1000, body in any::<String>()) {
            prop_assert!(matches!(created(&response(status, &body)), Judged::Unclear(_)));
            prop_assert!(matches!(cancelled(&response(status, &body)), Judged::Unclear(_)));
        }

        #[test]
        fn what_is_no_json_is_never_certain(status in 200_u16..500, body in "[^\\[{\"0-9tfn][ -~]{0,40}") {
            for judged in [created(&response(status, &body)), cancelled(&response(status, &body))] {
                prop_assert!(matches!(judged, Judged::Unclear(_) | Judged::Throttled(_)));
            }
        }
    }
}
