//! The outside of an answer: headers and the bytes of the body.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::Serialize;
use serde_json::Value;

use super::throttle::Verdict;

/// The text of a 503 for too many requests.
pub(crate) const TOO_MANY: &str = "You have sent too many requests. Please wait before sending another request";

/// The two ages of the API, told apart by the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// `/public-api/…`.
    Current,
    /// `/2.0.0/…`: no `Message-Type`, no instance id, another weekday in `Expires`.
    Legacy,
}

/// What the headers tell.
pub(crate) struct Outside {
    pub(crate) generation: Generation,
    pub(crate) status: u16,
    pub(crate) message: &'static str,
    pub(crate) ruid: String,
    pub(crate) throttle: Option<Verdict>,
    pub(crate) instance: Option<i64>,
    pub(crate) retry_after: bool,
}

/// Puts an answer together.
pub(crate) fn seal(outside: &Outside, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(outside.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, must-revalidate"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    let mut insert = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    insert("ruid", outside.ruid.clone());
    if let Some(verdict) = outside.throttle {
        insert("brightpearl-requests-remaining", verdict.remaining.to_string());
        insert("brightpearl-next-throttle-period", verdict.period.to_string());
    }
    match outside.generation {
        Generation::Current => {
            insert("message-type", outside.message.to_owned());
            if let Some(instance) = outside.instance {
                insert("brightpearl-installed-integration-instance-id", instance.to_string());
            }
            headers.insert(EXPIRES, HeaderValue::from_static("Mon, 20 Dec 1998 01:00:00 GMT"));
        }
        Generation::Legacy => {
            headers.insert(EXPIRES, HeaderValue::from_static("Sun, 20 Dec 1998 01:00:00 GMT"));
        }
    }
    if outside.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Writes JSON with the entries of maps keyed by id in a random order, as the real system does.
pub(crate) fn write_shuffled(value: &Value, rng: &mut StdRng) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    write(value, rng, &mut out);
    out
}

fn write(value: &Value, rng: &mut StdRng, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            if entries.len() > 1 && map.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_digit())) {
                entries.shuffle(rng);
            }
            out.push(b'{');
            for (place, (key, value)) in entries.into_iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                plain(key, out);
                out.push(b':');
                write(value, rng, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write(item, rng, out);
            }
            out.push(b']');
        }
        scalar => plain(scalar, out),
    }
}

fn plain(value: &impl Serialize, out: &mut Vec<u8>) {
    // Neither a text nor a number can fail to be written, nor can memory.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
