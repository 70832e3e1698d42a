//! What an answer of Odoo says. Over JSON-2 the HTTP status speaks, over JSON-RPC everything is inside a 200; and *load* says
//! inside its result whether anything was made.

use std::time::Duration;

use connect::{ConnectorError, ErrorKind, HttpResponse};
use serde_json::Value;

use super::settings::Interface;

/// An answer, sorted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// What the method returned.
    Result(Value),
    /// Odoo understood and said no, in its own form: it has taken everything back.
    Refused {
        /// Name of its exception, e.g. `odoo.exceptions.UserError`.
        name: String,
        /// Its words for people.
        message: String,
    },
    /// The key, or name and password, are not accepted; nothing was called.
    Denied(String),
    /// Something in front of Odoo asks for fewer calls.
    Throttled(Option<Duration>),
    /// Odoo failed, in its own form. Usually it has taken everything back, but it does not promise to.
    Failed {
        /// Name of its exception.
        name: String,
        /// Its words.
        message: String,
    },
    /// Anything else.
    Unclear(String),
}

/// Sorts an answer.
pub(super) fn read(interface: Interface, response: &HttpResponse) -> Answer {
    if response.status == 429 {
        return Answer::Throttled(retry_after(response));
    }
    let body = serde_json::from_slice::<Value>(&response.body);
    match (interface, body) {
        (Interface::Json2, Ok(body)) => json2(response, body),
        (Interface::JsonRpc, Ok(body)) if response.is_success() => json_rpc(response, body),
        _ => unclear(response),
    }
}

fn json2(response: &HttpResponse, body: Value) -> Answer {
    if response.is_success() {
        return Answer::Result(body);
    }
    let Some((name, message)) = exception(&body) else { return unclear(response) };
    match response.status {
        401 => Answer::Denied(message),
        408 => unclear(response),
        400..500 => Answer::Refused { name, message },
        500.. => Answer::Failed { name, message },
        _ => unclear(response),
    }
}

fn json_rpc(response: &HttpResponse, body: Value) -> Answer {
    let Value::Object(mut body) = body else { return unclear(response) };
    // What says nothing of JSON-RPC was said by somebody else.
    if !body.contains_key("jsonrpc") {
        return unclear(response);
    }
    let Some(error) = body.get("error").filter(|error| !error.is_null()) else {
        // A method that returns nothing answers without a result.
        return Answer::Result(body.remove("result").unwrap_or_default());
    };
    let Some((name, message)) = error.get("data").and_then(exception) else { return unclear(response) };
    match name.as_str() {
        "odoo.exceptions.AccessDenied" => Answer::Denied(message),
        _ if name.starts_with("odoo.exceptions.") => Answer::Refused { name, message },
        _ => Answer::Failed { name, message },
    }
}

/// Name and message of an exception. What stands under `debug` is neither shown nor kept: it holds code, and can hold values.
fn exception(form: &Value) -> Option<(String, String)> {
    let text = |name: &str| form.get(name).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty())?;
    Some((shortened(name), shortened(text("message")?)))
}

fn unclear(response: &HttpResponse) -> Answer {
    let body = String::from_utf8_lossy(&response.body);
    let shown = match serde_json::from_slice::<Value>(&response.body) {
        Ok(form) => match exception(&form).or_else(|| exception(form.get("error")?.get("data")?)) {
            Some((name, message)) => format!("{name}: {message}"),
            None => "JSON of another form".to_owned(),
        },
        // Of a page there is only its status to say.
        Err(_) if body.trim_start().starts_with('<') => "a web page".to_owned(),
        Err(_) => shortened(&body),
    };
    Answer::Unclear(format!("the server answered {}: {shown}", response.status))
}

fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// A text of the server, short enough to show and on one line.
pub(super) fn shortened(text: &str) -> String {
    let plain: String = text.chars().map(|one| if one.is_whitespace() { ' ' } else { one }).collect();
    plain.trim().chars().filter(|character| !character.is_control()).take(300).collect()
}

impl Answer {
    /// What it means for a reading of `what`.
    pub(super) fn of_reading(self, what: &str, status: u16) -> Result<Value, ConnectorError> {
        match self {
            Self::Result(value) => Ok(value),
            Self::Denied(message) => Err(denied(&message)),
            Self::Throttled(wait) => Err(ConnectorError::new(
                ErrorKind::RateLimited { retry_after: wait },
                "the server in front of Odoo asks for fewer calls",
            )),
            Self::Refused { name, message } if name.ends_with(".AccessError") => Err(ConnectorError::credentials(
                format!("{what}: the user lacks a right: {message}. Give it the rights that the documentation lists"),
            )),
            Self::Refused { name, message } if name.ends_with(".MissingError") => {
                Err(ConnectorError::new(ErrorKind::NotFound, format!("{what}: {message}")))
            }
            // The database is busy or away.
            Self::Failed { name, message } if name.starts_with("psycopg2.") => {
                Err(ConnectorError::transient(format!("{what}: Odoo's database did not answer: {message}")))
            }
            Self::Refused { name, message } | Self::Failed { name, message } => {
                Err(ConnectorError::new(ErrorKind::Rejected { code: name }, format!("{what} was refused: {message}")))
            }
            Self::Unclear(why) if status == 404 => Err(ConnectorError::unexpected(format!(
                "{what}: {why}. Check the address, and Database: a server with several databases, or without the one that is \
                 named, answers so"
            ))),
            Self::Unclear(why) => Err(ConnectorError::transient(format!("{what}: {why}"))),
        }
    }
}

/// The sign-in is not accepted.
pub(super) fn denied(message: &str) -> ConnectorError {
    ConnectorError::credentials(format!(
        "Odoo does not accept the API key ({message}): make a new one for the user, and enter that. Keys end, at the latest \
         after 90 days where no administrator made them"
    ))
}

/// Whether this exception, of a call that Odoo has taken back, says only that somebody else was writing at the same moment.
pub(super) fn is_of_others(name: &str) -> bool {
    matches!(name, "odoo.exceptions.LockError" | "odoo.exceptions.ConcurrencyError")
}

/// What *load* made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loaded {
    /// This record, and nothing to say about it.
    Made(i64),
    /// Nothing, for these reasons.
    Refused(String),
    /// Nothing, because somebody else wrote at the same moment.
    Conflict(String),
    /// It says both, or neither.
    Odd(String),
}

/// Reads what *load* says of one record. Any word beside the id means that it is not what was asked for: of two products with one
/// reference, say, it takes one and warns.
pub(super) fn loaded(result: &Value) -> Loaded {
    let Some(messages) = result.get("messages").and_then(Value::as_array) else {
        return Loaded::Odd("the answer does not say whether there is anything to say of it".to_owned());
    };
    let messages: Vec<String> = messages
        .iter()
        .map(|message| shortened(message.get("message").and_then(Value::as_str).unwrap_or("no reason given")))
        .collect();
    let told = shortened(&messages.join("; "));
    match (result.get("ids"), messages.is_empty()) {
        (Some(Value::Array(ids)), true) if ids.len() == 1 => match ids.first().and_then(Value::as_i64) {
            Some(id) if id > 0 => Loaded::Made(id),
            _ => Loaded::Odd("the answer names no record".to_owned()),
        },
        (Some(Value::Bool(false)), false) => {
            let of_others = ["could not serialize access", "concurrent update", "deadlock", "duplicate key"];
            match of_others.iter().any(|words| told.contains(words)) {
                true => Loaded::Conflict(told),
                false => Loaded::Refused(told),
            }
        }
        (_, false) => Loaded::Odd(format!("it has something to say: {told}")),
        _ => Loaded::Odd("the answer names no record".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use connect::{ErrorKind, HttpResponse};
    use proptest::prelude::{any, prop_assert, proptest};
    use serde_json::json;

    use super::{Answer, Interface, Loaded, is_of_others, loaded, read};

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, headers: vec![("retry-after".to_owned(), "7".to_owned())], body: body.to_owned().into() }
    }

    fn word(answer: &Answer) -> &'static str {
        match answer {
            Answer::Result(_) => "result",
            Answer::Refused { .. } => "refused",
            Answer::Denied(_) => "denied",
            Answer::Throttled(_) => "throttled",
            Answer::Failed { .. } => "failed",
            Answer::Unclear(_) => "unclear",
        }
    }

    fn own(name: &str) -> String {
        json!({"name": name, "message": "words", "arguments": [], "context": {}, "debug": "Traceback secret"})
            .to_string()
    }

    #[test]
    fn every_row_of_json_2() {
        for (status, body, expected) in [
            (200, "[1]".to_owned(), "result"),
            (200, "true".to_owned(), "result"),
            (200, "null".to_owned(), "result"),
            (200, "<html>".to_owned(), "unclear"),
            (200, String::new(), "unclear"),
            (401, own("werkzeug.exceptions.Unauthorized"), "denied"),
            (401, "<html>".to_owned(), "unclear"),
            (403, own("odoo.exceptions.AccessError"), "refused"),
            (404, own("odoo.exceptions.MissingError"), "refused"),
            (404, own("werkzeug.exceptions.NotFound"), "refused"),
            (404, "<html>".to_owned(), "unclear"),
            (408, own("x"), "unclear"),
            (422, own("odoo.exceptions.UserError"), "refused"),
            (422, "{}".to_owned(), "unclear"),
            (429, own("x"), "throttled"),
            (500, own("builtins.ValueError"), "failed"),
            (500, "{}".to_owned(), "unclear"),
            (502, "<html>".to_owned(), "unclear"),
            (302, own("x"), "unclear"),
        ] {
            let answer = read(Interface::Json2, &response(status, &body));
            assert_eq!(word(&answer), expected, "{status} {body}");
            assert!(!format!("{answer:?}").contains("secret"), "what is for programmers is not kept");
        }
    }

    #[test]
    fn every_row_of_json_rpc() {
        let error = |name: &str| {
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 200, "message": "Odoo Server Error",
            "data": {"name": name, "message": "words", "debug": "Traceback secret"}}})
            .to_string()
        };
        for (status, body, expected) in [
            (200, json!({"jsonrpc": "2.0", "id": 1, "result": [1]}).to_string(), "result"),
            (200, json!({"jsonrpc": "2.0", "id": 1, "result": false}).to_string(), "result"),
            (200, json!({"jsonrpc": "2.0", "id": 1}).to_string(), "result"),
            (200, error("odoo.exceptions.AccessDenied"), "denied"),
            (200, error("odoo.exceptions.AccessError"), "refused"),
            (200, error("odoo.exceptions.UserError"), "refused"),
            (200, error("builtins.TypeError"), "failed"),
            (200, error("psycopg2.errors.SerializationFailure"), "failed"),
            (200, json!({"jsonrpc": "2.0", "error": {"code": 1}}).to_string(), "unclear"),
            (200, "{}".to_owned(), "unclear"),
            (200, json!({"result": true}).to_string(), "unclear"),
            (200, "[]".to_owned(), "unclear"),
            (200, "<html>".to_owned(), "unclear"),
            (404, json!({"jsonrpc": "2.0", "id": 1, "result": [1]}).to_string(), "unclear"),
            (429, String::new(), "throttled"),
            (500, error("odoo.exceptions.UserError"), "unclear"),
        ] {
            let answer = read(Interface::JsonRpc, &response(status, &body));
            assert_eq!(word(&answer), expected, "{status} {body}");
            assert!(!format!("{answer:?}").contains("secret"), "what is for programmers is not kept");
        }
    }

    #[test]
    fn a_reading_says_what_to_do() {
        let kind = |status: u16, body: &str| {
            read(Interface::Json2, &response(status, body)).of_reading("orders", status).unwrap_err().kind
        };
        assert_eq!(kind(401, &own("werkzeug.exceptions.Unauthorized")), ErrorKind::Credentials);
        assert_eq!(kind(403, &own("odoo.exceptions.AccessError")), ErrorKind::Credentials);
        assert_eq!(kind(404, &own("odoo.exceptions.MissingError")), ErrorKind::NotFound);
        assert_eq!(kind(404, "<html>"), ErrorKind::Unexpected, "a wrong database is nothing that passes");
        assert_eq!(kind(500, &own("psycopg2.OperationalError")), ErrorKind::Transient);
        assert!(matches!(kind(500, &own("builtins.ValueError")), ErrorKind::Rejected { .. }));
        assert!(matches!(kind(429, ""), ErrorKind::RateLimited { retry_after: Some(_) }));
        assert_eq!(kind(503, "busy"), ErrorKind::Transient);
    }

    #[test]
    fn who_was_in_the_way_is_told_from_a_refusal() {
        for (name, expected) in [
            ("odoo.exceptions.LockError", true),
            ("odoo.exceptions.ConcurrencyError", true),
            ("odoo.exceptions.UserError", false),
            ("odoo.exceptions.ValidationError", false),
            ("odoo.addons.shop.LockError", false),
        ] {
            assert_eq!(is_of_others(name), expected, "{name}");
        }
    }

    #[test]
    fn what_was_loaded() {
        let error = |text: &str| json!({"ids": false, "messages": [{"type": "error", "message": text}], "nextrow": 0});
        assert_eq!(loaded(&json!({"ids": [6], "messages": [], "nextrow": 0})), Loaded::Made(6));
        assert!(matches!(loaded(&error("No matching record found")), Loaded::Refused(_)));
        assert!(matches!(loaded(&error("could not serialize access due to concurrent update\n")), Loaded::Conflict(_)));
        for odd in [
            json!({"ids": [6], "messages": [{"type": "warning", "message": "Found multiple matches"}]}),
            json!({"ids": [6, 7], "messages": []}),
            json!({"ids": [0], "messages": []}),
            json!({"ids": ["6"], "messages": []}),
            json!({"ids": false, "messages": []}),
            json!({"ids": [], "messages": []}),
            json!({"ids": [6]}),
            json!({"ids": [6], "messages": "Found multiple matches"}),
            json!({"ids": [6], "messages": {"message": "Found multiple matches"}}),
            json!(true),
            json!(null),
        ] {
            assert!(matches!(loaded(&odd), Loaded::Odd(_)), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_failure_is_never_a_result(status in 300_u16..1000, body in any::<String>()) {
            for interface in [Interface::Json2, Interface::JsonRpc] {
                prop_assert!(!matches!(read(interface, &response(status, &body)), Answer::Result(_)));
            }
        }

        #[test]
        fn what_failed_on_the_server_is_never_certain(status in 500_u16..1000, name in "[a-z.]{1,20}") {
            for interface in [Interface::Json2, Interface::JsonRpc] {
                let answer = read(interface, &response(status, &own(&name)));
                let is_certain = !matches!(answer, Answer::Failed { .. } | Answer::Unclear(_));
                prop_assert!(!is_certain);
            }
        }
    }
}
