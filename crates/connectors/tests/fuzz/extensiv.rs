//! Every read and every change of the Extensiv connector, with damaged answers.

use std::sync::Arc;

use connect::{BuildContext, EffectKind, Sent, Waits, Warehouse};
use serde_json::Value;

use super::{
    PASSWORD,
    replay::{Dial, Replay, context, last_change},
    rest::{Op, Subject},
    runtime,
    session::{Answer, Session, corpus},
};
use crate::hub::{settings, warehouse};

pub const CORPUS: &str = "extensiv.json";

pub fn connector(base: &str, context: &BuildContext) -> Arc<dyn Warehouse> {
    let values = [
        ("base_url", base),
        ("client_id", "client"),
        ("user_login_id", "millrace"),
        ("customer_id", "143"),
        ("facility_id", "10"),
        ("calls_per_minute", "100000"),
    ];
    warehouse("extensiv", &settings(&values, &[("client_secret", PASSWORD)]), context)
}

/// Whether an answer may be taken for what it was taken for, by the reference alone (reliability.md §4.4 and the vendor's
/// table of errors).
fn classified(kind: EffectKind, outcome: &Sent, answer: Option<&Answer>) -> Result<(), String> {
    let Some(answer) = answer else {
        return match outcome {
            Sent::NotSent { .. } => Ok(()),
            other => Err(format!("nothing was sent, and the outcome is {other:?}")),
        };
    };
    let (status, body) = (answer.status, answer.json());
    let code = body.as_ref().and_then(|body| body.get("ErrorCode")?.as_str());
    let fits = match outcome {
        Sent::Accepted { .. } => match kind {
            EffectKind::SubmitRequest => {
                let id = body.as_ref().and_then(|body| body.pointer("/readOnly/orderId")?.as_i64());
                (200..300).contains(&status) && id.is_some_and(|id| id > 0)
            }
            _ => {
                (200..300).contains(&status)
                    || kind == EffectKind::ReleaseRequest && status == 403 && code == Some("AlreadyCompleted")
            }
        },
        Sent::Refused { .. } => {
            let own = (400..500).contains(&status) && !matches!(status, 401 | 408 | 412 | 428 | 429) && code.is_some();
            // Documented without a body; a page of something on the way is not this.
            own || status == 404 && answer.body.iter().all(u8::is_ascii_whitespace)
        }
        Sent::Throttled { .. } => status == 429,
        Sent::NotSent { .. } => matches!(status, 401 | 412 | 428),
        Sent::Unknown { .. } => true,
    };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "{kind}: HTTP {status} {} was taken for {outcome:?}",
            String::from_utf8_lossy(answer.body.get(..300.min(answer.body.len())).unwrap_or_default())
        )),
    }
}

pub const WAREHOUSE: Subject =
    Subject { name: "extensiv_answers", corpus: CORPUS, connector, classified: by_the_change };

fn by_the_change(kind: EffectKind, outcome: &Sent, served: &[Answer]) -> Result<(), String> {
    classified(kind, outcome, last_change(served).as_ref())
}

#[test]
fn extensiv_answers() {
    WAREHOUSE.fuzz();
}

/// Quantities are decimals from the first byte on: what a float would round is kept, or refused.
#[test]
fn quantities_never_become_floats() {
    let sessions: Vec<Session<Op>> = corpus(CORPUS);
    let stock = sessions.iter().find(|session| matches!(session.op, Op::Stock)).unwrap();
    let runtime = runtime();
    for (written, read_as) in [
        ("0.1", Some("0.1")),
        ("1234567.12345678", Some("1234567.12345678")),
        ("9007199254740993", Some("9007199254740993")),
        // What a sender's own float made of 0.3.
        ("0.30000000000000004", Some("0.3")),
        ("123456789012345678.123456789", None),
        ("1e300", None),
    ] {
        let mut session = stock.clone();
        for answer in &mut session.answers {
            if let Some(mut body) = answer.json()
                && let Some(row) = first_row(&mut body)
            {
                row.insert("available".to_owned(), Value::String("~quantity~".to_owned()));
                answer.body = body.to_string().replace("\"~quantity~\"", written).into_bytes();
            }
        }
        let (replay, dial) = (Replay::new(&session.answers), Dial::at(session.at));
        let connector = connector("http://127.0.0.1:9", &context(replay, dial, Waits::default()));
        let read = runtime.block_on(connector.stock());
        match (read, read_as) {
            (Ok(page), Some(exact)) => {
                let exact: rust_decimal::Decimal = exact.parse().unwrap();
                let found = page.feeds[0].levels.iter().filter_map(|level| level.available).any(|level| level == exact);
                assert!(found, "{written} was read as something else: {:?}", page.feeds[0].levels);
            }
            (Ok(page), None) => panic!("{written} was read as {:?}", page.feeds[0].levels),
            (Err(error), read_as) => assert!(read_as.is_none(), "{written}: {error}"),
        }
    }
}

fn first_row(body: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    let list = match body {
        Value::Object(fields) => fields.values_mut().find_map(|value| match value {
            Value::Array(rows) => Some(rows),
            Value::Object(inner) => inner.values_mut().find_map(Value::as_array_mut),
            _ => None,
        })?,
        _ => return None,
    };
    list.first_mut()?.as_object_mut().filter(|row| row.contains_key("available"))
}
