//! Every read and every change of the Odoo connector, over both interfaces. The sessions were recorded from a real Odoo:
//! `./dev test-odoo` says how to have one.

use std::{collections::BTreeMap, sync::Arc};

use connect::{BuildContext, EffectKind, FeedCursor, Sent, SystemClock, Waits, Warehouse};
use serde_json::Value;
use simulators::odoo::{Dispatch, Odoo, Rest};

use super::{
    PASSWORD,
    record::{exchange, is_wanted, network, read, write},
    replay::context,
    rest::{Op, Subject},
    session::{Answer, Session},
};
use crate::hub::{at, request, settings, warehouse};

const JSON_2: Subject = Subject {
    name: "odoo_answers",
    corpus: "odoo-json2.json",
    connector: |base, context| connector(base, context, "json2", "wms", PASSWORD),
    classified: of_json_2,
};
const JSON_RPC: Subject = Subject {
    name: "odoo_rpc_answers",
    corpus: "odoo-jsonrpc.json",
    connector: |base, context| connector(base, context, "jsonrpc", "wms", PASSWORD),
    classified: of_json_rpc,
};

fn connector(base: &str, context: &BuildContext, interface: &str, database: &str, key: &str) -> Arc<dyn Warehouse> {
    let values = [
        ("base_url", base),
        ("interface", interface),
        ("database", database),
        ("login", "hub"),
        ("warehouse", "WH"),
        ("calls_per_minute", "100000"),
    ];
    warehouse("odoo", &settings(&values, &[("api_key", key)]), context)
}

/// Whether what *load* returned says that one record was made, and nothing else.
fn made(result: &Value) -> bool {
    let one = result["ids"].as_array().is_some_and(|ids| ids.len() == 1 && ids[0].as_i64().is_some_and(|id| id > 0));
    one && result["messages"].as_array().is_none_or(Vec::is_empty)
}

/// Whether an answer may be taken for what it was taken for, by the reference alone.
fn of_json_2(kind: EffectKind, outcome: &Sent, served: &[Answer]) -> Result<(), String> {
    let method = match kind {
        EffectKind::ReleaseRequest => "/action_confirm",
        EffectKind::CancelRequest => "/action_cancel",
        _ => "/load",
    };
    let Some(answer) = served.iter().rev().find(|answer| answer.path.ends_with(method)) else {
        return not_sent(outcome);
    };
    let body = answer.json().unwrap_or_default();
    let is_contact = answer.path.ends_with("res.partner/load");
    let is_own = body["name"].is_string() && body["message"].is_string();
    let is_said_by_load = method == "/load" && answer.status == 200 && body["ids"] == Value::Bool(false);
    fits(kind, outcome, answer, is_contact, &body, is_own && (400..500).contains(&answer.status) || is_said_by_load)
}

/// The same where everything is inside a 200. Calls are told apart by their order alone: a contact, then an order.
fn of_json_rpc(kind: EffectKind, outcome: &Sent, served: &[Answer]) -> Result<(), String> {
    if served.len() < 2 {
        // The sign-in.
        return not_sent(outcome);
    }
    let place = match kind {
        EffectKind::SubmitRequest => served.len() - 1,
        _ => 1,
    };
    let answer = &served[place];
    let body = answer.json().unwrap_or_default();
    let name = body["error"]["data"]["name"].as_str().unwrap_or_default();
    let is_contact = kind == EffectKind::SubmitRequest && served.len() == 2;
    let is_said_by_load =
        kind == EffectKind::SubmitRequest && answer.status == 200 && body["result"]["ids"] == Value::Bool(false);
    let refuses = (200..300).contains(&answer.status) && name.starts_with("odoo.exceptions.") || is_said_by_load;
    fits(kind, outcome, answer, is_contact, &body["result"], refuses)
}

fn not_sent(outcome: &Sent) -> Result<(), String> {
    match outcome {
        Sent::NotSent { .. } | Sent::Throttled { .. } => Ok(()),
        other => Err(format!("nothing was sent, and the outcome is {other:?}")),
    }
}

fn fits(
    kind: EffectKind,
    outcome: &Sent,
    answer: &Answer,
    is_contact: bool,
    result: &Value,
    refuses: bool,
) -> Result<(), String> {
    let is_success = (200..300).contains(&answer.status);
    let fits = match outcome {
        Sent::Accepted { .. } => match kind {
            EffectKind::SubmitRequest => is_success && !is_contact && made(result),
            EffectKind::ReleaseRequest => is_success && *result == Value::Bool(true),
            _ => is_success,
        },
        Sent::Refused { .. } => refuses,
        Sent::Throttled { .. } => answer.status == 429,
        // Before the order left, refused at the door, or taken back because another wrote.
        Sent::NotSent { .. } => is_contact || answer.status == 401 || refuses,
        Sent::Unknown { .. } => !is_contact,
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{kind}: HTTP {} {result} was taken for {outcome:?}", answer.status)),
    }
}

#[test]
fn odoo_answers() {
    JSON_2.fuzz();
}

#[test]
fn odoo_rpc_answers() {
    JSON_RPC.fuzz();
}

#[tokio::test(flavor = "multi_thread")]
async fn record_odoo() {
    if !is_wanted() {
        return;
    }
    for subject in [JSON_2, JSON_RPC] {
        let interface = if subject.name == JSON_2.name { "json2" } else { "jsonrpc" };
        let odoo = Odoo::open().unwrap_or_else(|error| panic!("{error}"));
        odoo.add_products(&["SKU-A"], "none").unwrap();
        odoo.add_products(&["SKU-LOT"], "lot").unwrap();
        odoo.shelve(&BTreeMap::from([("SKU-A".to_owned(), 100)])).unwrap();
        odoo.shelve_lots("SKU-LOT", &[("L1", 100)]).unwrap();
        let (recorder, clock) = (network(), Arc::new(SystemClock::default()));
        let connector = || {
            let context = context(recorder.clone(), clock.clone(), Waits::default());
            connector(odoo.url(), &context, interface, odoo.database(), odoo.key("hub"))
        };
        let mut sessions: Vec<Session<Op>> = Vec::new();
        let now = at("2026-11-23T06:30:00Z");
        for key in ["BPacme-O1", "BPacme-O2", "BPacme-O3"] {
            let warehouse = connector();
            let draft = warehouse.plan_submit(&[request(key)], now).remove(0).unwrap();
            let Sent::Accepted { reference: Some(reference) } =
                exchange(&mut sessions, &recorder, &connector, &draft).await
            else {
                panic!("{key} is taken")
            };
            let next = match key {
                "BPacme-O3" => warehouse.plan_cancel(key, &reference, now).unwrap(),
                _ => warehouse.plan_release(key, &reference).unwrap(),
            };
            let sent = exchange(&mut sessions, &recorder, &connector, &next).await;
            assert!(matches!(sent, Sent::Accepted { .. }), "{key}: {sent:?}");
        }
        let some = Some(BTreeMap::from([("SKU-A".to_owned(), 2)]));
        odoo.ship("BPacme-O1", &Dispatch { only: some, rest: Rest::Follows, boxes: 1 }).unwrap();
        odoo.ship("BPacme-O2", &Dispatch { boxes: 2, ..Dispatch::full() }).unwrap();
        let from: FeedCursor = connector().shipments(&FeedCursor::default()).await.unwrap().next;
        read(&mut sessions, &recorder, &connector, [None, from.0]).await;
        write(subject.corpus, &sessions);
    }
}
