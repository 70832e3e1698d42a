//! Every read and every change of the Mintsoft connector, and the calls that anybody can make at its address.

use std::{collections::BTreeMap, sync::Arc};

use connect::{BuildContext, EffectKind, Sent, SystemClock, Waits, Warehouse, WebhookCall};
use serde_json::{Value, json};
use simulators::{
    fuzz::{Form, damaged},
    mintsoft::{Config, Dispatch, Mintsoft, Received, Rest},
};

use super::{
    PASSWORD, campaign,
    record::{exchange, is_wanted, network, read, write},
    replay::{Dial, Replay, context},
    rest::{Op, Subject},
    runtime,
    session::{Answer, Session},
};
use crate::hub::{at, request, settings, warehouse};

const CORPUS: &str = "mintsoft.json";
const WAREHOUSE: Subject = Subject { name: "mintsoft_answers", corpus: CORPUS, connector, classified };

fn connector(base: &str, context: &BuildContext) -> Arc<dyn Warehouse> {
    with_password(base, context, PASSWORD)
}

fn with_password(base: &str, context: &BuildContext, password: &str) -> Arc<dyn Warehouse> {
    let values = [
        ("base_url", base),
        ("username", "hub"),
        ("client_id", "12"),
        ("warehouse_id", "3"),
        ("calls_per_minute", "100000"),
    ];
    warehouse("mintsoft", &settings(&values, &[("password", password)]), context)
}

/// Whether an answer may be taken for what it was taken for, by the reference alone. Of a cancellation the answer is one to a
/// GET: it is known by its path.
fn classified(kind: EffectKind, outcome: &Sent, served: &[Answer]) -> Result<(), String> {
    let is_change = |answer: &&Answer| match kind {
        EffectKind::CancelRequest => answer.path.ends_with("/Cancel"),
        _ => answer.method == "PUT",
    };
    let Some(answer) = served.iter().rev().find(is_change) else {
        return match outcome {
            Sent::NotSent { .. } => Ok(()),
            other => Err(format!("nothing was sent, and the outcome is {other:?}")),
        };
    };
    let (status, body) = (answer.status, answer.json().unwrap_or_default());
    let results = match &body {
        Value::Array(results) => results.clone(),
        other => vec![other.clone()],
    };
    let success = |wanted: bool| {
        !results.is_empty() && results.iter().all(|one| one.get("Success").and_then(Value::as_bool) == Some(wanted))
    };
    let named = results.iter().all(|one| one.get("OrderId").and_then(Value::as_i64).is_some_and(|id| id > 0));
    let own = success(false)
        || (400..500).contains(&status) && results.iter().all(|one| one.get("Message").is_some_and(Value::is_string));
    let fits = match outcome {
        Sent::Accepted { .. } => {
            (200..300).contains(&status) && success(true) && (kind == EffectKind::CancelRequest || named)
        }
        Sent::Refused { .. } => (200..500).contains(&status) && !matches!(status, 401 | 408 | 429) && own,
        Sent::Throttled { .. } => status == 429,
        Sent::NotSent { .. } => status == 401,
        Sent::Unknown { .. } => true,
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{kind}: HTTP {status} {body} was taken for {outcome:?}")),
    }
}

#[test]
fn mintsoft_answers() {
    WAREHOUSE.fuzz();
}

/// Calls are not signed: what is in them is believed of nobody, and is a hint of bounded size.
#[test]
fn mintsoft_calls() {
    let body = json!({
        "ID": 90_210, "OrderNumber": "BPacme-O100001", "OrderStatusId": 4, "TrackingNumber": "JD1", "OrderItems": [],
    });
    let body = body.to_string().into_bytes();
    let now = at("2026-11-23T06:30:00Z");
    let hub = connector("http://127.0.0.1:9", &context(Replay::new(&[]), Dial::at(now), Waits::default()));
    let runtime = runtime();
    campaign("mintsoft_calls").run(
        |dice| damaged(Form::Json, &body, &[], dice),
        |input| {
            let call = WebhookCall { headers: Vec::new(), body: input.to_vec(), received_at: now };
            match runtime.block_on(hub.parse_webhook(&call)) {
                Ok(hints) if hints.len() != 1 => Err(format!("one call, and {} hints", hints.len())),
                Ok(hints) if hints.iter().any(|hint| hint.subject.len() > 100 || hint.event.len() > 100) => {
                    Err("a hint is longer than a hint may be".to_owned())
                }
                Ok(_) => Ok(()),
                Err(error) if error.message.trim().is_empty() => Err("an error without words".to_owned()),
                Err(_) => Ok(()),
            }
        },
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn record_mintsoft() {
    if !is_wanted() {
        return;
    }
    let simulator = Mintsoft::start(Config::default()).await.unwrap();
    let handle = simulator.handle();
    for sku in ["SKU-A", "SKU-LOT"] {
        handle.add_product(12, sku);
        assert!(handle.receive(&Received { batch: "L1".to_owned(), ..Received::plain(12, 3, sku, 1000) }));
    }
    handle.add_bundle(12, "SET", &[("SKU-A", 2)]);
    let (recorder, clock) = (network(), Arc::new(SystemClock::default()));
    let connector = || {
        // The simulator knows its own password only; the recording does not hold it.
        let context = context(recorder.clone(), clock.clone(), Waits::default());
        with_password(&simulator.base_url(), &context, "secret")
    };
    let mut sessions: Vec<Session<Op>> = Vec::new();
    for key in ["BPacme-O1", "BPacme-O2", "BPacme-O3", "BPacme-O4"] {
        let mut order = request(key);
        order.ship_method.carrier = "UPS Ground".to_owned();
        order.ship_method.service = String::new();
        if key == "BPacme-O4" {
            order.lines[0].sku = "NO-SUCH".to_owned();
        }
        let warehouse = connector();
        let draft = warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        match exchange(&mut sessions, &recorder, &connector, &draft).await {
            Sent::Accepted { reference: Some(reference) } if key == "BPacme-O3" => {
                let cancel = warehouse.plan_cancel(key, &reference, at("2026-11-23T06:30:00Z")).unwrap();
                exchange(&mut sessions, &recorder, &connector, &cancel).await;
            }
            Sent::Accepted { .. } => {}
            Sent::Refused { .. } if key == "BPacme-O4" => {}
            other => panic!("{key}: {other:?}"),
        }
    }
    let ids: Vec<u64> = handle.ledger().orders.iter().map(|order| order.order_id).collect();
    let part = Dispatch { only: Some(BTreeMap::from([("SKU-A".to_owned(), 2)])), rest: Rest::Split, boxes: 1 };
    handle.ship(ids[0], &part).unwrap();
    handle.ship(ids[1], &Dispatch { boxes: 2, ..Dispatch::full() }).unwrap();
    read(&mut sessions, &recorder, &connector, [None, Some("2026-11-23T06:30:04".to_owned())]).await;
    write(CORPUS, &sessions);
}
