//! Every read and every change of the Extensiv connector, with damaged answers.

use std::sync::Arc;

use connect::{BuildContext, EffectKind, FeedCursor, Sent, Waits, Warehouse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    PASSWORD, campaign,
    replay::{Dial, Replay, SEND_BY, context},
    runtime, said,
    session::{Answer, Session, Written, corpus, damage},
};
use crate::hub::{settings, warehouse};

pub const CORPUS: &str = "extensiv.json";

/// Everything the hub asks of this warehouse.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    Check,
    Shipments { cursor: FeedCursor },
    Stock,
    Prepare { effects: Vec<Written> },
    Send { effects: Vec<Written> },
    Probe { effects: Vec<Written> },
}

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

async fn perform(connector: &dyn Warehouse, session: &Session<Op>, replay: &Replay) -> Result<(), String> {
    let at = session.at;
    match &session.op {
        Op::Check => drop(said(connector.check().await)?),
        Op::Shipments { cursor } => {
            let Some(page) = said(connector.shipments(cursor).await)? else { return Ok(()) };
            for shipment in &page.shipments {
                if shipment.key.is_empty() || shipment.lines().any(|line| line.quantity <= 0.into()) {
                    return Err(format!("a shipment of nothing, or of nobody: {shipment:?}"));
                }
            }
            if page.rejected.iter().any(|rejected| rejected.reason.trim().is_empty()) {
                return Err("something was set aside without a reason".to_owned());
            }
            return reads_on(&page.next).await;
        }
        Op::Stock => drop(said(connector.stock().await)?),
        Op::Prepare { effects } => {
            let effects: Vec<_> = effects.iter().map(|effect| effect.effect(at)).collect();
            let prepared = said(connector.prepare(&effects).await)?;
            if prepared.is_some_and(|prepared| prepared.len() != effects.len()) {
                return Err("not one preparation for each effect".to_owned());
            }
        }
        Op::Probe { effects } => {
            let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
            let probes = said(connector.probe(&armed).await)?;
            if probes.is_some_and(|probes| probes.len() != armed.len()) {
                return Err("not one probe for each effect".to_owned());
            }
        }
        Op::Send { effects } => {
            let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
            let delivery = connector.send(&armed, SEND_BY).await;
            if delivery.outcomes.len() != armed.len() {
                return Err(format!("{} outcomes of {} effects", delivery.outcomes.len(), armed.len()));
            }
            if format!("{delivery:?}").contains(PASSWORD) {
                return Err("a secret is in the delivery".to_owned());
            }
            for (effect, outcome) in effects.iter().zip(&delivery.outcomes) {
                classified(effect.kind, outcome, replay.change().as_ref())?;
            }
        }
    }
    Ok(())
}

/// One damaged reading must not spoil those that follow: with good answers again, reading goes on from its cursor.
async fn reads_on(next: &FeedCursor) -> Result<(), String> {
    let sessions: Vec<Session<Op>> = corpus(CORPUS);
    let good = sessions.iter().find(|session| matches!(&session.op, Op::Shipments { cursor } if cursor.0.is_none()));
    let good = good.ok_or("no reading of shipments is recorded")?;
    let (replay, dial) = (Replay::new(&good.answers), Dial::at(good.at));
    let connector = connector("http://127.0.0.1:9", &context(replay, dial, Waits::default()));
    match connector.shipments(next).await {
        Ok(_) => Ok(()),
        // The recorded answers are those to another cursor, so they may not fit together; they are read again.
        Err(error) if error.is_passing() => Ok(()),
        Err(error) => Err(format!("reading cannot go on from {next:?}: {error}")),
    }
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

async fn drive(session: &Session<Op>) -> Result<(), String> {
    let (replay, dial) = (Replay::new(&session.answers), Dial::at(session.at));
    let connector = connector("http://127.0.0.1:9", &context(replay.clone(), dial.clone(), Waits::default()));
    perform(connector.as_ref(), session, &replay).await?;
    replay.bounded()?;
    dial.bounded()
}

#[test]
fn extensiv_answers() {
    let (sessions, runtime): (Vec<Session<Op>>, _) = (corpus(CORPUS), runtime());
    let bodies: Vec<Vec<u8>> =
        sessions.iter().flat_map(|session| &session.answers).map(|answer| answer.body.clone()).collect();
    let donors: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    for session in &sessions {
        runtime.block_on(drive(session)).unwrap_or_else(|problem| panic!("undamaged {:?}: {problem}", session.op));
    }
    campaign("extensiv_answers").run(
        |dice| {
            let session = &sessions[rand::RngExt::random_range(dice, 0..sessions.len())];
            serde_json::to_vec(&damage(session, &donors, dice)).unwrap()
        },
        |input| {
            let session =
                serde_json::from_slice(input).map_err(|error| format!("the input is not a session: {error}"))?;
            runtime.block_on(drive(&session))
        },
    );
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
