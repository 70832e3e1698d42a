//! What every answer has in common: `{"response": …}` or `{"errors": […]}`, the throttle headers, and the two refusals
//! that carry a plain text in `response` (Brightpearl help: *JSON structure* 212644943, *Request throttling*
//! 212644823).

use std::time::Duration;

use connect::HttpResponse;
use serde::{Deserialize, de::DeserializeOwned};

use super::lenient::{Object, Text};

/// One error of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ApiError {
    code: Text,
    message: Text,
}

/// The errors of an answer, joined: the first code, and every text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Brightpearl's code, or `HTTP {status}` where it gave none.
    pub(super) code: String,
    /// Its words.
    pub(super) message: String,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Object<ApiError>>,
}

#[derive(Deserialize)]
struct Response<T> {
    response: T,
}

/// The errors in a body; `None` when it does not have that form or lists none.
pub(super) fn refusal(status: u16, body: &[u8]) -> Option<Refusal> {
    let Object(Errors { errors }) = serde_json::from_slice(body).ok()?;
    let Object(first) = errors.first()?;
    let code = if first.code.0.is_empty() { format!("HTTP {status}") } else { first.code.0.clone() };
    let message = errors
        .iter()
        .enumerate()
        .map(|(index, Object(error))| match index {
            0 => error.message.0.clone(),
            _ => format!("{} {}", error.code.0, error.message.0),
        })
        .collect::<Vec<_>>()
        .join("; ");
    let message = if message.trim().is_empty() { "it gave no reason".to_owned() } else { message };
    Some(Refusal { code, message: cut(&message, 1_000) })
}

/// The value of `response`.
pub(super) fn response<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).map(|Object(Response { response })| response)
}

/// The plain text that 401 and 503 answers carry in `response`.
pub(super) fn plain_text(body: &[u8]) -> Option<String> {
    response::<String>(body).ok()
}

/// Codes by which Brightpearl says that it did not take a call in, whatever HTTP status it gives them: some mistakes in
/// a call are answered 500. `CMNU-003`, its word for an unexpected failure, is not among them, since then nothing is
/// known.
const REFUSAL_CODES: [&str; 20] = [
    "CMNC-006", "CMNC-008", "CMNC-010", "CMNC-018", "CMNC-038", "CMNC-043", "CMNC-044", "CMNC-404", "ORDC-003",
    "ORDC-005", "ORDC-006", "ORDC-022", "ORDC-024", "ORDC-026", "INTC-057", "INTC-062", "INTC-064", "WHSC-014",
    "WHSC-020", "WHSC-097",
];

/// Whether a 500 with this code is a refusal rather than a failure.
pub(super) fn is_refusal_code(code: &str) -> bool {
    REFUSAL_CODES.contains(&code)
}

/// Whether an answer is the documented throttle answer: 503 with its text. A 503 with any other text is an outage.
pub(super) fn is_throttled(status: u16, body: &[u8]) -> bool {
    status == 503 && plain_text(body).is_some_and(|text| text.to_ascii_lowercase().contains("too many requests"))
}

/// The calls left in the account's pool, and when it refills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) remaining: u32,
    pub(super) refills_in: Duration,
}

/// The throttle headers of an answer, where it has them.
pub(super) fn quota(answer: &HttpResponse) -> Option<Quota> {
    let remaining = answer.header("brightpearl-requests-remaining")?.trim().parse().ok()?;
    Some(Quota { remaining, refills_in: refills_in(answer)? })
}

fn refills_in(answer: &HttpResponse) -> Option<Duration> {
    answer.header("brightpearl-next-throttle-period")?.trim().parse().ok().map(Duration::from_millis)
}

/// How long a throttle answer asks to wait.
pub(super) fn throttle_wait(answer: &HttpResponse) -> Option<Duration> {
    let retry_after = answer.header("retry-after").and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    retry_after.or_else(|| refills_in(answer))
}

/// Whether a 401 is the gateway's own word that the token is refused: the call was not taken in. The legacy generation
/// sends no `Message-Type`.
pub(super) fn is_refused_token(answer: &HttpResponse, legacy: bool) -> bool {
    let from_gateway = match answer.header("message-type") {
        Some(message) => message == "api-proxy",
        None => legacy,
    };
    answer.status == 401 && from_gateway && plain_text(&answer.body).is_some()
}

/// The beginning of a text, at most `most` characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// An answer's body for people. A 401 echoes the refused token, so of those only the fact is kept.
pub(super) fn shown_body(answer: &HttpResponse) -> String {
    if answer.status == 401 {
        return "(not kept: a refused token is echoed in it)".to_owned();
    }
    cut(&String::from_utf8_lossy(&answer.body), 8_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connect::HttpResponse;
    use serde_json::Value;

    use super::{Refusal, is_refused_token, is_throttled, quota, refusal, response, shown_body, throttle_wait};

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn several_errors_are_one_refusal() {
        let body = br#"{"errors":[{"code":"ORDC-003","message":"invalid order id: 123"},{"code":"ORDC-026","message":"no name"}]}"#;
        assert_eq!(
            refusal(400, body),
            Some(Refusal {
                code: "ORDC-003".to_owned(),
                message: "invalid order id: 123; ORDC-026 no name".to_owned()
            })
        );
        assert_eq!(refusal(400, br#"{"errors":[]}"#), None);
        assert_eq!(refusal(400, br#"{"errors":[{"message":"x"}]}"#).unwrap().code, "HTTP 400");
        assert_eq!(refusal(404, b"<html>"), None);
        // Lists in the places of objects are somebody else's document.
        assert_eq!(refusal(403, br#"[[["WHSC-020","no"]]]"#), None);
        assert_eq!(refusal(500, br#"{"errors":[["WHSC-020","no"]]}"#), None);
        assert!(response::<String>(br#"["token"]"#).is_err());
    }

    #[test]
    fn throttle_is_told_from_outage_by_its_text() {
        let text = r#"{"response":"You have sent too many requests. Please wait before sending another request"}"#;
        assert!(is_throttled(503, text.as_bytes()));
        assert!(!is_throttled(500, text.as_bytes()));
        assert!(!is_throttled(503, br#"{"response":"down for maintenance"}"#));
        let answer =
            answer(503, &[("brightpearl-requests-remaining", "0"), ("brightpearl-next-throttle-period", "811")], text);
        assert_eq!(quota(&answer).unwrap().refills_in, Duration::from_millis(811));
        assert_eq!(throttle_wait(&answer), Some(Duration::from_millis(811)));
        let mut told = answer;
        told.headers.push(("retry-after".to_owned(), "1".to_owned()));
        assert_eq!(throttle_wait(&told), Some(Duration::from_secs(1)));
    }

    #[test]
    fn only_the_gateways_401_refuses_the_token() {
        let body = r#"{"response":"Authorization token expired"}"#;
        assert!(is_refused_token(&answer(401, &[("message-type", "api-proxy")], body), false));
        assert!(!is_refused_token(&answer(401, &[], body), false));
        assert!(is_refused_token(&answer(401, &[], body), true));
        assert!(!is_refused_token(&answer(401, &[("message-type", "post-order")], body), true));
        assert!(!is_refused_token(&answer(401, &[("message-type", "api-proxy")], "<html>"), true));
        assert!(!is_refused_token(&answer(403, &[("message-type", "api-proxy")], body), true));
    }

    #[test]
    fn refused_tokens_are_not_shown() {
        assert!(!shown_body(&answer(401, &[], r#"{"response":"Invalid instance token: S3CRET"}"#)).contains("S3CRET"));
    }

    #[test]
    fn the_date_of_an_answer() {
        let answer = answer(200, &[("date", "Wed, 05 Nov 2025 21:38:59 GMT")], "{}");
        assert_eq!(answer.date(), Some("2025-11-05T21:38:59Z".parse().unwrap()));
    }

    /// Every recorded answer of the API, whether the hub makes the call or not.
    #[test]
    fn recorded_answers() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/brightpearl");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let recording: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let text =
                |pointer: &str| recording.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let name = text("/name");
            // The exchange of OAuth tokens has a form of its own, and the hub does not make it.
            if text("/api_generation") == "oauth" {
                continue;
            }
            seen += 1;
            let headers = recording.pointer("/response/headers").and_then(Value::as_object).unwrap();
            let answer = HttpResponse {
                status: recording
                    .pointer("/response/status")
                    .and_then(Value::as_u64)
                    .unwrap_or(200)
                    .try_into()
                    .unwrap(),
                headers: headers
                    .iter()
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned()))
                    .collect(),
                body: recording.pointer("/response/body").unwrap().to_string().into(),
            };
            let errors = refusal(answer.status, &answer.body);
            let value = response::<Value>(&answer.body);
            match answer.status {
                200..=299 => {
                    assert_eq!(errors, None, "{name}");
                    let is_empty = answer.body.as_ref() == b"{}";
                    assert!(is_empty || value.is_ok(), "{name}");
                }
                401 => assert!(is_refused_token(&answer, false), "{name}"),
                503 => assert_eq!(is_throttled(503, &answer.body), name.contains("request-cap"), "{name}"),
                _ => assert!(
                    errors.is_some_and(|errors| !errors.code.is_empty() && !errors.message.is_empty()),
                    "{name}"
                ),
            }
            if answer.header("brightpearl-requests-remaining").is_some() {
                assert!(quota(&answer).is_some() && answer.date().is_some(), "{name}");
            }
        }
        assert!(seen >= 60, "only {seen} recordings were found in {folder}");
    }
}
