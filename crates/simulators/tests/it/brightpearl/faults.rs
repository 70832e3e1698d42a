//! Faults: whether the effect happened is told by the ledger, never by the answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulators::brightpearl::switches::AbandonedRequest;
use simulators::brightpearl::{NewOrder, Outcome};
use simulators::faults::{Fault, FaultRule};

use super::client::{ACCOUNT, Bench};

const HOLD: Duration = Duration::from_millis(60);

/// What a client saw of a note POST: a status, or nothing.
async fn post_note(bench: &Bench, order: i64) -> Option<(u16, String)> {
    let path = format!("order-service/order/{order}/note");
    let answer = bench.try_call("POST", &path, Some(json!({ "text": "once" })), &[]).await.ok()?;
    Some((answer.status, answer.text))
}

#[tokio::test]
async fn what_the_client_sees_and_what_happened() {
    let cases: [(Fault, Option<u16>, usize); 15] = [
        (Fault::Refuse, None, 0),
        (Fault::TimeoutBeforeEffect { hold: HOLD }, None, 0),
        (Fault::TimeoutAfterEffect { hold: HOLD }, None, 1),
        (Fault::ResetMidBody, None, 1),
        (Fault::ErrorAfterEffect { html: true }, Some(500), 1),
        (Fault::ErrorAfterEffect { html: false }, Some(500), 1),
        (Fault::ErrorBeforeEffect { html: false }, Some(500), 0),
        (Fault::Throttled, Some(503), 0),
        (Fault::Outage, Some(503), 0),
        (Fault::TruncatedBody, Some(200), 1),
        (Fault::HtmlBody, Some(200), 1),
        (Fault::SlowBody { over: HOLD }, Some(200), 1),
        (Fault::DuplicateDelivery { answer_second: false }, Some(200), 2),
        (Fault::LateEffect { delay: HOLD }, None, 1),
        (Fault::ExpireTokens, Some(200), 1),
    ];
    let bench = Bench::new().await;
    for (fault, status, effects) in cases {
        let order = bench.sim.create_order(ACCOUNT, NewOrder::default()).unwrap();
        let rule = bench.sim.faults().add(FaultRule::new(fault.clone()).method("POST").path_contains("/note").nth(1));
        let before = Instant::now();
        let seen = post_note(&bench, order).await;
        let took = before.elapsed();
        assert_eq!(seen.as_ref().map(|(status, _)| *status), status, "{fault:?}");
        let count = || bench.sim.order(ACCOUNT, order).unwrap().texts.len();
        if matches!(fault, Fault::LateEffect { .. }) {
            assert_eq!(count(), 0, "not yet");
            tokio::time::sleep(HOLD * 3).await;
        }
        assert_eq!(count(), effects, "{fault:?}");
        if matches!(fault, Fault::TimeoutAfterEffect { .. } | Fault::TimeoutBeforeEffect { .. }) {
            assert!(took >= HOLD, "{fault:?} took {took:?}");
        }
        let text = seen.map(|(_, text)| text).unwrap_or_default();
        match fault {
            Fault::Throttled => assert!(text.contains("too many requests")),
            Fault::Outage => assert!(!text.contains("too many requests")),
            Fault::TruncatedBody => assert!(serde_json::from_str::<Value>(&text).is_err()),
            Fault::HtmlBody | Fault::ErrorAfterEffect { html: true } => assert!(text.starts_with("<html>")),
            _ => {}
        }
        assert_eq!(bench.sim.faults().fired_count(rule), 1);
        // The rule was about the first request only.
        assert_eq!(post_note(&bench, order).await.unwrap().0, 200);
        bench.sim.faults().clear();
    }
    let fired = bench.sim.faults().fired();
    assert_eq!(fired.len(), 15);
    assert!(fired.iter().all(|fired| fired.body.contains("once") && fired.path.ends_with("/note")));
}

#[tokio::test]
async fn tokens_run_out_in_the_middle() {
    let bench = Bench::new().await;
    let body = json!({ "apiAccountCredentials": { "email": "api.user@example.test", "password": "example-password" } });
    let answer = bench.raw("POST", "/exampleeu/authorise", &[], Some(body.to_string())).await.unwrap();
    let token = answer.response().as_str().unwrap().to_owned();
    bench.sim.faults().add(FaultRule::new(Fault::ExpireTokens).path_contains("warehouse-service").nth(2));
    let path = "/public-api/exampleeu/warehouse-service/warehouse";
    for status in [200, 401, 401] {
        let answer = bench.raw("GET", path, &[("brightpearl-auth", &token)], None).await.unwrap();
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn an_abandoned_request_may_be_dropped() {
    let bench = Bench::switched(|switches| switches.abandoned_request = AbandonedRequest::Dropped).await;
    let order = bench.sim.create_order(ACCOUNT, NewOrder::default()).unwrap();
    bench.sim.faults().add(FaultRule::new(Fault::LateEffect { delay: Duration::ZERO }).method("POST"));
    assert!(post_note(&bench, order).await.is_none());
    tokio::time::sleep(HOLD).await;
    assert!(bench.sim.order(ACCOUNT, order).unwrap().texts.is_empty());
}

#[tokio::test]
async fn chances_follow_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new().await;
        bench.sim.faults().add(FaultRule::new(Fault::Outage).chance(0.5));
        let mut seen = Vec::new();
        for _ in 0..40 {
            seen.push(bench.get("warehouse-service/warehouse").await.status);
        }
        assert!(seen.contains(&200) && seen.contains(&503));
        runs.push(seen);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn the_control_desk_over_http() {
    let bench = Bench::new().await;
    let product = bench.stocked(5, 20, 0);
    let json = [("content-type", "application/json")];
    let post = async |path: &str, body: Value| bench.raw("POST", path, &json, Some(body.to_string())).await.unwrap();
    let get = async |path: &str| bench.raw("GET", path, &[], None).await.unwrap().json();
    let command = json!({ "do": "create_order", "order": {
        "lines": [{ "item": { "product": product }, "quantity": 2 }], "warehouse_id": 5 } });
    let made = post("/_sim/accounts/exampleeu", command).await;
    let Outcome::Created(order) = serde_json::from_str(&made.text).unwrap() else { panic!("{}", made.text) };
    let command = json!({ "do": "create_note", "order": order, "warehouse": 5, "staff": 5, "rows": null });
    let made = post("/_sim/accounts/exampleeu", command).await;
    let Outcome::Created(note) = serde_json::from_str(&made.text).unwrap() else { panic!("{}", made.text) };
    let ship = json!({ "do": "ship_note", "note": note, "staff": 5 });
    assert_eq!(post("/_sim/accounts/exampleeu", ship.clone()).await.status, 200);
    assert_eq!(post("/_sim/accounts/exampleeu", ship).await.status, 409);
    let shown = get(&format!("/_sim/accounts/exampleeu/orders/{order}")).await;
    assert_eq!(shown["goods_out_notes"][0]["shipped"], true);
    assert_eq!(get("/_sim/ledger").await.as_array().unwrap().len(), 4);
    assert_eq!(get("/_sim/accounts/exampleeu/check").await, Value::Null);
    let rule = json!({ "method": "GET", "occurrence": { "on": "every" }, "fault": { "kind": "timeout_after_effect", "hold_ms": 5 } });
    assert_eq!(post("/_sim/faults", rule).await.status, 200);
    assert!(bench.try_call("GET", "order-service/order/1", None, &[]).await.is_err());
    assert_eq!(get("/_sim/faults").await["fired"].as_array().unwrap().len(), 1);
    bench.raw("DELETE", "/_sim/faults", &[], None).await.unwrap();
    assert_eq!(bench.get("order-service/order/1").await.status, 200);
    let calls = get("/_sim/accounts/exampleeu/calls").await;
    assert_eq!(calls["calls"][0]["message_type"], "get-order", "the desk itself is not counted: {calls}");
    let requests = get("/_sim/requests").await;
    let headers = requests[0]["headers"].as_array().unwrap();
    assert!(headers.iter().any(|header| header[1] == "EXAMPLE-ACCOUNT-TOKEN"));
}

#[tokio::test]
async fn shutdown_ends_what_is_held() {
    let sim = simulators::brightpearl::start(super::client::small(Default::default())).await.unwrap();
    sim.faults().add(FaultRule::new(Fault::TimeoutBeforeEffect { hold: Duration::from_secs(600) }));
    let url = format!("{}/public-api/exampleeu/order-service/order/1", sim.base_url());
    let held = tokio::spawn(reqwest::get(url.clone()));
    while sim.faults().fired().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::timeout(Duration::from_secs(10), sim.shutdown()).await.expect("it does not wait for the hold");
    assert!(held.await.unwrap().is_err());
    assert!(reqwest::get(url).await.is_err(), "nothing listens any more");
}
