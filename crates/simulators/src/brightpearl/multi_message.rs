//! Several changes in one request.

use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::account::Account;
use super::call::{Answer, Call, Refusal, Reply, UNKNOWN_CODE, field, text};
use super::routes;
use super::switches::MultiMessageRefusal;

/// The most parts a multi-message takes.
const MOST_PARTS: usize = 10;

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, rng: &mut StdRng) -> Answer {
    let body = call.json()?.clone();
    let stop = field(&body, "onFail").and_then(text) == Some("STOP");
    let parallel = field(&body, "processingMode").and_then(text) == Some("PARALLEL");
    let messages = field(&body, "messages").and_then(Value::as_array).filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| Refusal::invalid("You have not supplied any messages"))?;
    if (parallel && stop) || messages.len() > MOST_PARTS {
        let status = match call.switches.multi_message_refusal {
            MultiMessageRefusal::BadRequest => 400,
            MultiMessageRefusal::Forbidden => 403,
        };
        return Err(Refusal::new(status, UNKNOWN_CODE, "The multi-message cannot be processed"));
    }
    let mut processed = Vec::new();
    let mut unprocessed = Vec::new();
    let mut statuses = Vec::new();
    for message in messages {
        let label = field(message, "label").cloned().unwrap_or(Value::Null);
        if stop && statuses.last().is_some_and(|status| *status >= 400) {
            unprocessed.push(label);
            continue;
        }
        let method = field(message, "httpMethod").and_then(text).unwrap_or_default();
        let uri = field(message, "uri").and_then(text).unwrap_or_default();
        let path: Vec<&str> = uri.split('/').filter(|segment| !segment.is_empty()).collect();
        let answer = if matches!(method, "POST" | "PUT" | "DELETE") {
            call.body = field(message, "body").cloned();
            routes::dispatch(account, call, method, &path, rng).1
        } else {
            Err(Refusal::invalid(format!("The method {method} cannot be part of a multi-message")))
        };
        let (status, body) = match answer {
            Ok(Reply { status, body, .. }) => (status, body),
            Err(refusal) => (refusal.status, refusal.body()),
        };
        statuses.push(status);
        processed.push(json!({ "label": label, "statusCode": status, "body": { "content": body.to_string() } }));
    }
    let mixed = !unprocessed.is_empty() || statuses.iter().any(|status| Some(status) != statuses.first());
    let mut reply = Reply::of(json!({ "processedMessages": processed, "unprocessedMessages": unprocessed }));
    reply.status = if mixed { 207 } else { 200 };
    Ok(reply)
}
