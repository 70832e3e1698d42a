//! Every read and every change of the ShipHero connector, and the calls that anybody can make at its address.

use std::{collections::BTreeMap, sync::Arc};

use connect::{BuildContext, EffectKind, Sent, SystemClock, Waits, Warehouse, WebhookCall};
use rand::RngExt as _;
use serde_json::{Value, json};
use simulators::{
    fuzz::{Form, damaged},
    shiphero::{Config, Dispatch, ShipHero, global, signature},
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

const CORPUS: &str = "shiphero.json";
const WAREHOUSE: Subject = Subject { name: "shiphero_answers", corpus: CORPUS, connector, classified };
const SECRET: &str = "canary-of-the-webhook-secret";

fn connector(base: &str, context: &BuildContext) -> Arc<dyn Warehouse> {
    with_password(base, context, PASSWORD)
}

fn with_password(base: &str, context: &BuildContext, password: &str) -> Arc<dyn Warehouse> {
    let (customer, building) = (global("CustomerAccount", 123), global("Warehouse", 1));
    let values = [
        ("base_url", base),
        ("username", "hub@example.test"),
        ("customer_account_id", customer.as_str()),
        ("warehouse_id", building.as_str()),
        ("calls_per_minute", "100000"),
    ];
    warehouse("shiphero", &settings(&values, &[("password", password), ("webhook_secrets", SECRET)]), context)
}

/// Whether an answer may be taken for what it was taken for, by the reference alone: code 30 without data is a throttle, data
/// without errors is an answer, errors that name the operation beside its empty field are a refusal, and everything else is
/// unknown; but a cancel that was refused in whatever form is looked into.
fn classified(kind: EffectKind, outcome: &Sent, served: &[Answer]) -> Result<(), String> {
    let operation = match kind {
        EffectKind::ReleaseRequest => "#release",
        EffectKind::CancelRequest => "#cancel",
        _ => "#create",
    };
    let Some(answer) = served.iter().find(|answer| answer.path.ends_with(operation)) else {
        return match outcome {
            Sent::NotSent { .. } => Ok(()),
            other => Err(format!("nothing was sent, and the outcome is {other:?}")),
        };
    };
    let (status, body) = (answer.status, answer.json().unwrap_or_default());
    let (ok, field) = (
        (200..300).contains(&status),
        match kind {
            EffectKind::ReleaseRequest => "order_update_holds",
            EffectKind::CancelRequest => "order_cancel",
            _ => "order_create",
        },
    );
    let errors = body.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
    let data = body.get("data").cloned().unwrap_or_default();
    let empty = data.is_null() || data.as_object().is_some_and(|fields| fields.values().all(Value::is_null));
    let order = data.pointer(&format!("/{field}/order")).cloned().unwrap_or_default();
    let fits = match outcome {
        Sent::Accepted { .. } => {
            let said = match kind {
                EffectKind::ReleaseRequest => order.pointer("/holds/client_hold") == Some(&json!(false)),
                EffectKind::CancelRequest => {
                    order["fulfillment_status"].as_str().is_some_and(|word| word.to_lowercase().contains("cancel"))
                }
                _ => order["id"].as_str().is_some_and(|id| !id.trim().is_empty()),
            };
            ok && errors.is_empty() && said
        }
        Sent::Refused { .. } if kind == EffectKind::CancelRequest => ok && empty && !errors.is_empty(),
        Sent::Refused { code, .. } => {
            let in_form = |error: &Value| {
                let code = error.get("code").and_then(Value::as_i64);
                error.get("operation") == Some(&json!(field)) && code.is_some_and(|code| code != 30)
            };
            let first = errors.first().and_then(|error| error.get("code")?.as_i64());
            let is_null = data.get(field).is_some_and(Value::is_null);
            ok && empty
                && is_null
                && errors.iter().all(in_form)
                && first.is_some_and(|first| first.to_string() == *code)
        }
        Sent::Throttled { .. } => {
            let credits = !errors.is_empty() && errors.iter().all(|error| error.get("code") == Some(&json!(30)));
            status == 429 || ok && empty && credits
        }
        Sent::NotSent { .. } => status == 401,
        Sent::Unknown { .. } => true,
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{kind}: HTTP {status} {body} was taken for {outcome:?}")),
    }
}

#[test]
fn shiphero_answers() {
    WAREHOUSE.fuzz();
}

/// What is signed is a hint of bounded size, whatever it says; what is not signed is nothing.
#[test]
fn shiphero_calls() {
    let body = json!({
        "webhook_type": "Shipment Update", "account_id": 123, "fulfillment": {
            "shipment_id": 567, "partner_order_id": "BPacme-O1", "order_number": "BPacme-O1", "tracking_number": "1Z",
            "line_items": [{"id": "BPacme-O1_1", "sku": "SKU-A", "quantity": 2}],
        },
    });
    let body = body.to_string().into_bytes();
    let now = at("2026-11-23T06:30:00Z");
    let hub = connector("http://127.0.0.1:9", &context(Replay::new(&[]), Dial::at(now), Waits::default()));
    let runtime = runtime();
    campaign("shiphero_calls").run(
        |dice| {
            let mut input = damaged(Form::Json, &body, &[], dice);
            // The first byte says whether it is signed.
            input.insert(0, dice.random_range(0..2));
            input
        },
        |input| {
            let Some((signed, body)) = input.split_first() else { return Ok(()) };
            let is_signed = signed % 2 == 1;
            let secret = if is_signed { SECRET } else { "guessed" };
            let headers = vec![("x-shiphero-hmac-sha256".to_owned(), signature(secret, body))];
            let call = WebhookCall { headers, body: body.to_vec(), received_at: now };
            match runtime.block_on(hub.parse_webhook(&call)) {
                Ok(_) if !is_signed => Err("a forged call is believed".to_owned()),
                Ok(hints) if hints.len() != 1 => Err(format!("one call, and {} hints", hints.len())),
                Ok(hints)
                    if hints.iter().any(|hint| hint.subject.chars().count() > 200 || hint.event_id.len() > 400) =>
                {
                    Err("a hint is longer than a hint may be".to_owned())
                }
                Ok(_) => Ok(()),
                Err(error) if error.message.trim().is_empty() => Err("an error without words".to_owned()),
                Err(error) if error.message.contains("canary") => Err("a secret is in an error".to_owned()),
                Err(_) => Ok(()),
            }
        },
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn record_shiphero() {
    if !is_wanted() {
        return;
    }
    let simulator = ShipHero::start(Config::default()).await.unwrap();
    let handle = simulator.handle();
    handle.receive(123, "SKU-A", 1000);
    handle.receive_lot(123, "SKU-LOT", 1000, "L1", &["SN1", "SN2", "SN3"]);
    let (recorder, clock) = (network(), Arc::new(SystemClock::default()));
    let connector = || {
        // The simulator knows its own password only; the recording does not hold it.
        let context = context(recorder.clone(), clock.clone(), Waits::default());
        with_password(&simulator.base_url(), &context, "secret")
    };
    let mut sessions: Vec<Session<Op>> = Vec::new();
    for key in ["BPacme-O1", "BPacme-O2", "BPacme-O3"] {
        let warehouse = connector();
        let draft = warehouse.plan_submit(&[request(key)], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        let Sent::Accepted { reference: Some(reference) } =
            exchange(&mut sessions, &recorder, &connector, &draft).await
        else {
            panic!("{key} is not created")
        };
        let then = match key {
            "BPacme-O3" => warehouse.plan_cancel(key, &reference, at("2026-11-23T06:30:00Z")).unwrap(),
            _ => warehouse.plan_release(key, &reference).unwrap(),
        };
        exchange(&mut sessions, &recorder, &connector, &then).await;
    }
    let ids: Vec<u64> = handle.ledger().orders.iter().map(|order| order.order_id).collect();
    let part = Dispatch { only: Some(BTreeMap::from([("SKU-A".to_owned(), 2)])), ..Dispatch::full() };
    handle.ship(ids[0], &part).unwrap();
    handle.ship(ids[1], &Dispatch { boxes: 2, ..Dispatch::full() }).unwrap();
    read(&mut sessions, &recorder, &connector, [None, Some("2026-11-23T06:30:04".to_owned())]).await;
    write(CORPUS, &sessions);
}
