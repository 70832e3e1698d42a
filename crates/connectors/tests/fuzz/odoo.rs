//! Every read and every change of the Odoo connector, over each of its interfaces. There is no stand-in: the answers were
//! recorded from Odoo itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use connect::{BuildContext, EffectDraft, EffectKind, FeedCursor, Prepared, Sent, SystemClock, Waits, Warehouse};
use serde_json::{Value, json};
use simulators::odoo::{Dispatch, Odoo, Rest as RestOf};

use super::{
    PASSWORD,
    record::{exchange, is_wanted, network, now, read, write},
    replay::{Recorder, context},
    rest::{Op, Subject},
    session::{Answer, Session, Written},
};
use crate::hub::{at, request, settings, warehouse};

const JSON_2: &str = "odoo.json";
const JSON_RPC: &str = "odoo_rpc.json";

/// Whose answers they are.
struct Signed<'a> {
    base: &'a str,
    interface: &'a str,
    database: &'a str,
    key: &'a str,
}

fn connector(of: &Signed<'_>, context: &BuildContext) -> Arc<dyn Warehouse> {
    let values = [
        ("base_url", of.base),
        ("interface", of.interface),
        ("database", of.database),
        ("login", "hub"),
        ("warehouse", "WH"),
        ("tracking_wait_minutes", "30"),
        ("calls_per_minute", "100000"),
    ];
    warehouse("odoo", &settings(&values, &[("api_key", of.key)]), context)
}

fn replayed(base: &str, interface: &str, context: &BuildContext) -> Arc<dyn Warehouse> {
    connector(&Signed { base, interface, database: "wms", key: PASSWORD }, context)
}

/// What an answer says, by the reference alone.
#[derive(Debug)]
enum Said {
    /// The method returned this.
    Result(Value),
    /// Odoo said no in its own form, and has taken everything back.
    No,
    /// The sign-in is not accepted.
    Denied,
    /// Fewer calls, please.
    Throttled,
    /// Nothing that is certain.
    Unclear,
}

/// The name of an exception in the form that both interfaces give one: with a name and a message.
fn exception(form: &Value) -> Option<&str> {
    form.get("message")?.as_str()?;
    form.get("name")?.as_str().filter(|name| !name.is_empty())
}

/// The status speaks.
fn over_json_2(answer: &Answer) -> Said {
    let form = answer.json();
    let is_own = form.as_ref().is_some_and(|form| exception(form).is_some());
    match (answer.status, form) {
        (429, _) => Said::Throttled,
        (200..=299, Some(value)) => Said::Result(value),
        (401, _) if is_own => Said::Denied,
        (400..=499, _) if is_own && answer.status != 408 => Said::No,
        _ => Said::Unclear,
    }
}

/// Everything is inside a 200, in the envelope of JSON-RPC.
fn over_json_rpc(answer: &Answer) -> Said {
    let form = answer.json().unwrap_or_default();
    if answer.status == 429 {
        return Said::Throttled;
    }
    if !(200..300).contains(&answer.status) || form.get("jsonrpc").is_none() {
        return Said::Unclear;
    }
    match form.get("error").filter(|error| !error.is_null()) {
        None => Said::Result(form.get("result").cloned().unwrap_or_default()),
        Some(error) => match error.get("data").and_then(exception) {
            Some("odoo.exceptions.AccessDenied") => Said::Denied,
            Some(name) if name.starts_with("odoo.exceptions.") => Said::No,
            _ => Said::Unclear,
        },
    }
}

/// What *load* says of one record: its id and not a word beside it; or no id, and why.
#[derive(Debug, PartialEq)]
enum Made {
    Record,
    Nothing,
    Unclear,
}

fn made(result: &Value) -> Made {
    let messages = result.get("messages").and_then(Value::as_array).map(Vec::len);
    let ids = result.get("ids");
    match (ids.and_then(Value::as_array).map(Vec::as_slice), messages) {
        (Some([id]), Some(0)) if id.as_i64().is_some_and(|id| id > 0) => Made::Record,
        (None, Some(1..)) if ids == Some(&Value::Bool(false)) => Made::Nothing,
        _ => Made::Unclear,
    }
}

/// Whether an answer may be taken for what it was taken for.
fn classified(said: fn(&Answer) -> Said, kind: EffectKind, outcome: &Sent, served: &[Answer]) -> Result<(), String> {
    let of = |method: &str| served.iter().filter(|answer| answer.path.ends_with(method)).collect::<Vec<_>>();
    let (contact, change) = match kind {
        EffectKind::SubmitRequest => (of("res.partner/load"), of("sale.order/load")),
        EffectKind::ReleaseRequest => (Vec::new(), of("sale.order/action_confirm")),
        _ => (Vec::new(), of("sale.order/action_cancel")),
    };
    if change.len() > 1 || contact.len() > 1 {
        return Err(format!("{kind}: what changes something was sent more than once"));
    }
    let fits = match (contact.first().copied().map(said), change.first().copied().map(said)) {
        // A contact alone is nothing.
        (contact, None) => match (&contact, outcome) {
            (_, Sent::NotSent { .. }) => true,
            (Some(Said::No), Sent::Refused { .. }) | (Some(Said::Throttled), Sent::Throttled { .. }) => true,
            (Some(Said::Result(result)), Sent::Refused { .. }) => made(result) == Made::Nothing,
            _ => false,
        },
        // The order goes to a contact that is there.
        (Some(contact), Some(order)) => {
            let is_there = matches!(&contact, Said::Result(result) if made(result) == Made::Record);
            is_there
                && match (&order, outcome) {
                    (Said::Result(result), Sent::Accepted { .. }) => made(result) == Made::Record,
                    (Said::Result(result), Sent::Refused { .. } | Sent::NotSent { .. }) => {
                        made(result) == Made::Nothing
                    }
                    (said, outcome) => fits(said, outcome),
                }
        }
        (None, Some(Said::Result(result))) => match (kind, outcome) {
            (EffectKind::ReleaseRequest, Sent::Accepted { .. }) => result == Value::Bool(true),
            // What became of it is read.
            (EffectKind::CancelRequest, Sent::Accepted { .. }) => stands(said, served, kind),
            (_, outcome) => matches!(outcome, Sent::Unknown { .. }),
        },
        // What is done already is refused, and then it is done.
        (None, Some(Said::No)) if matches!(outcome, Sent::Accepted { .. }) => {
            kind == EffectKind::ReleaseRequest && stands(said, served, kind)
        }
        (None, Some(change)) => fits(&change, outcome),
    };
    match fits {
        true => Ok(()),
        false => {
            let shown: Vec<(&str, u16, Said)> =
                contact.into_iter().chain(change).map(|one| (one.path.as_str(), one.status, said(one))).collect();
            Err(format!("{kind}: {shown:?} was taken for {outcome:?}"))
        }
    }
}

fn fits(said: &Said, outcome: &Sent) -> bool {
    match outcome {
        Sent::Accepted { .. } => false,
        // Two who write at once: nothing was made, and it is sent again.
        Sent::Refused { .. } => matches!(said, Said::No),
        Sent::NotSent { .. } => matches!(said, Said::Denied | Said::No),
        Sent::Throttled { .. } => matches!(said, Said::Throttled),
        Sent::Unknown { .. } => true,
    }
}

/// Whether what was read afterwards shows it done: confirmed; or cancelled, or with something that had left.
fn stands(said: fn(&Answer) -> Said, served: &[Answer], kind: EffectKind) -> bool {
    let shows = |model: &str, states: &[&str]| {
        let last = served.iter().rev().find(|answer| answer.path.ends_with(&format!("{model}/search_read")));
        let Some(Said::Result(Value::Array(rows))) = last.map(said) else { return false };
        rows.iter().any(|row| row["state"].as_str().is_some_and(|state| states.contains(&state)))
    };
    match kind {
        EffectKind::ReleaseRequest => shows("sale.order", &["sale", "done"]),
        _ => shows("sale.order", &["cancel"]) || shows("stock.picking", &["done"]),
    }
}

#[test]
fn odoo_answers() {
    let connector: fn(&str, &BuildContext) -> _ = |base, context| replayed(base, "json2", context);
    let classified = |kind, outcome: &Sent, served: &[Answer]| classified(over_json_2, kind, outcome, served);
    Subject { name: "odoo_answers", corpus: JSON_2, connector, classified }.fuzz();
}

#[test]
fn odoo_rpc_answers() {
    let connector: fn(&str, &BuildContext) -> _ = |base, context| replayed(base, "jsonrpc", context);
    let classified = |kind, outcome: &Sent, served: &[Answer]| classified(over_json_rpc, kind, outcome, served);
    Subject { name: "odoo_rpc_answers", corpus: JSON_RPC, connector, classified }.fuzz();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn record_odoo() {
    if !is_wanted() {
        return;
    }
    for (interface, corpus) in [("json2", JSON_2), ("jsonrpc", JSON_RPC)] {
        let odoo = Odoo::open().unwrap_or_else(|error| panic!("{error}"));
        odoo.add_products(&["SKU-A"], "none").unwrap();
        odoo.add_products(&["SKU-LOT"], "lot").unwrap();
        odoo.shelve(&BTreeMap::from([("SKU-A".to_owned(), 100)])).unwrap();
        odoo.shelve_lots("SKU-LOT", &[("L1", 2), ("L2", 98)]).unwrap();
        let (recorder, clock) = (network(), Arc::new(SystemClock::default()));
        let connector = || {
            let context = context(recorder.clone(), clock.clone(), Waits::default());
            let key = odoo.key("hub");
            connector(&Signed { base: odoo.url(), interface, database: odoo.database(), key }, &context)
        };
        let mut sessions: Vec<Session<Op>> = Vec::new();
        let mut releases = Vec::new();
        let mut cancels = Vec::new();
        for key in ["BPacme-O1", "BPacme-O2", "BPacme-O3"] {
            let (hub, asked_at) = (connector(), at("2026-11-23T06:30:00Z"));
            let draft = hub.plan_submit(&[request(key)], asked_at).remove(0).unwrap();
            let sent = exchange(&mut sessions, &recorder, &connector, &draft).await;
            let Sent::Accepted { reference: Some(reference) } = sent else { panic!("{key}: {sent:?}") };
            releases.push(hub.plan_release(key, &reference).unwrap());
            cancels.push(hub.plan_cancel(key, &reference, asked_at).unwrap());
            let next = if key == "BPacme-O3" { cancels.last() } else { releases.last() };
            let sent = exchange(&mut sessions, &recorder, &connector, next.unwrap()).await;
            assert!(matches!(sent, Sent::Accepted { .. }), "{key}: {sent:?}");
        }
        let part = Some(BTreeMap::from([("SKU-A".to_owned(), 2)]));
        odoo.ship("BPacme-O1", &Dispatch { only: part, rest: RestOf::Follows, boxes: 1 }).unwrap();
        odoo.ship("BPacme-O2", &Dispatch { boxes: 2, ..Dispatch::full() }).unwrap();
        // The number of the first is typed in later.
        let domain = json!([["sale_id.client_order_ref", "=", "BPacme-O1"], ["state", "=", "done"]]);
        let left = odoo.search("stock.picking", domain, &["name"]).unwrap();
        let late = json!({ "ids": [left[0]["id"]], "vals": { "carrier_tracking_ref": false } });
        odoo.call("stock.picking", "write", &late).unwrap();

        // Confirmed once more; cancelled when everything had left; made of what is not there.
        let again = alone(&mut sessions, &recorder, &connector, &releases[0], &json!({})).await;
        assert!(matches!(again, Sent::Accepted { .. }), "{again:?}");
        let late = alone(&mut sessions, &recorder, &connector, &cancels[1], &json!({})).await;
        assert!(matches!(late, Sent::Accepted { .. }), "{late:?}");
        let draft = connector().plan_submit(&[request("BPacme-O4")], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let nothing = json!({ "products": { "SKU-A": 999_999, "SKU-LOT": 999_999 } });
        let refused = alone(&mut sessions, &recorder, &connector, &draft, &nothing).await;
        assert!(matches!(refused, Sent::Refused { .. }), "{refused:?}");

        read(&mut sessions, &recorder, &connector, [None, Some("2026-11-23 06:30:04".to_owned())]).await;
        // With something that is held back for its number.
        let cursor = connector().shipments(&FeedCursor::default()).await.unwrap().next;
        recorder.take();
        let at = now();
        assert_eq!(connector().shipments(&cursor).await.unwrap().next, cursor);
        sessions.push(Session { op: Op::Shipments { cursor }, at, answers: recorder.take() });
        let keys: Vec<String> = (1..=4).map(|number| format!("BPacme-O{number}")).collect();
        assert_eq!(connector().sightings(&keys).await.unwrap().found.len(), 3);
        sessions.push(Session { op: Op::Sightings { keys }, at: now(), answers: recorder.take() });
        sessions.iter_mut().flat_map(|session| &mut session.answers).for_each(plain);
        write(corpus, &sessions);
    }
}

/// Sends without a look before or after.
async fn alone(
    sessions: &mut Vec<Session<Op>>,
    recorder: &Recorder,
    connector: &impl Fn() -> Arc<dyn Warehouse>,
    draft: &EffectDraft,
    baseline: &Value,
) -> Sent {
    let effect = Written::new(draft, Some(&Prepared::Ready { baseline: baseline.clone() }));
    let at = now();
    recorder.take();
    let sent = connector().send(&[effect.armed(at)], Duration::from_secs(1_000_000)).await.outcomes.remove(0);
    sessions.push(Session { op: Op::Send { effects: vec![effect] }, at, answers: recorder.take() });
    sent
}

/// What says where it was recorded is not kept: cookies, and the paths in what is meant for programmers.
fn plain(answer: &mut Answer) {
    answer.headers.retain(|(name, _)| matches!(name.as_str(), "date" | "content-type"));
    let Some(mut form) = answer.json() else { return };
    for place in ["/debug", "/error/data/debug"] {
        if let Some(debug) = form.pointer_mut(place) {
            *debug = json!("Traceback (most recent call last): …");
            answer.body = form.to_string().into_bytes();
        }
    }
}
