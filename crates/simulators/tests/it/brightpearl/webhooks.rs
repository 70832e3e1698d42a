//! Webhooks: validation and delivery to a real receiver.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use simulators::brightpearl::{NewLine, NewOrder, WebhookFaults};
use tokio::net::TcpListener;

use super::client::{ACCOUNT, Bench};

const TEMPLATE: &str = r#"{"account":"${account-code}","type":"${resource-type}","id":"${resource-id}","event":"${lifecycle-event}","full":"${full-event}","on":"${raised-on}"}"#;

/// Answers with the next status of a list, then 200, and keeps what it got.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<Vec<u16>>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn listen(answers: &[u16]) -> (Self, String) {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers.iter().rev());
        let app = Router::new().fallback(take).with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, address)
    }

    /// Waits until this many calls came, then a little for more.
    async fn settle(&self, at_least: usize) -> Vec<String> {
        for _ in 0..400 {
            if self.got.lock().unwrap().len() >= at_least {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.got.lock().unwrap().clone()
    }
}

async fn take(State(receiver): State<Receiver>, body: String) -> StatusCode {
    receiver.got.lock().unwrap().push(body);
    let next = receiver.answers.lock().unwrap().pop().unwrap_or(200);
    StatusCode::from_u16(next).unwrap()
}

async fn subscribe(bench: &Bench, event: &str, uri: &str, sets: bool, quality: i64) -> i64 {
    let body = json!({
        "subscribeTo": event, "httpMethod": "POST", "uriTemplate": uri, "bodyTemplate": TEMPLATE,
        "contentType": "application/json", "idSetAccepted": sets, "qualityOfService": quality
    });
    bench.post("integration-service/webhook", body).await.id()
}

fn two_notes(bench: &Bench) -> [i64; 2] {
    let product = bench.stocked(5, 20, 0);
    [0, 1].map(|_| {
        let new = NewOrder { warehouse_id: Some(5), ..NewOrder::of([NewLine::product(product, 1)]) };
        let order = bench.sim.create_order(ACCOUNT, new).unwrap();
        bench.sim.create_note(ACCOUNT, order, 5, 203, None).unwrap()
    })
}

#[tokio::test]
async fn id_sets_or_one_call_each() {
    let bench = Bench::new().await;
    let (sets, uri) = Receiver::listen(&[]).await;
    subscribe(&bench, "goods-out-note.created", &uri, true, 1).await;
    let (single, uri) = Receiver::listen(&[]).await;
    subscribe(&bench, "goods-out-note", &uri, false, 1).await;
    let (silent, uri) = Receiver::listen(&[]).await;
    subscribe(&bench, "product.created", &uri, true, 1).await;
    let notes = two_notes(&bench);
    let got = sets.settle(1).await;
    let ids: Vec<String> = got
        .iter()
        .map(|body| {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["account"], ACCOUNT);
            assert_eq!(body["full"], "goods-out-note.created");
            assert!(body["on"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
            body["id"].as_str().unwrap().to_owned()
        })
        .collect();
    // Usually one call with a range; two if the second note came after the window.
    let joined = ids.join(",");
    assert!(
        joined == format!("{}-{}", notes[0], notes[1]) || joined == format!("{},{}", notes[0], notes[1]),
        "{joined}"
    );
    assert_eq!(single.settle(2).await.len(), 2);
    assert!(silent.settle(0).await.is_empty());
}

#[tokio::test]
async fn retries_follow_the_service_level() {
    for (quality, answers, calls) in
        [(0, [500, 200], 1), (0, [503, 200], 2), (1, [500, 200], 2), (1, [404, 200], 1), (1, [302, 200], 2)]
    {
        let bench = Bench::new().await;
        let (receiver, uri) = Receiver::listen(&answers).await;
        subscribe(&bench, "goods-out-note.created", &uri, true, quality).await;
        let product = bench.stocked(5, 20, 0);
        let new = NewOrder { warehouse_id: Some(5), ..NewOrder::of([NewLine::product(product, 1)]) };
        let order = bench.sim.create_order(ACCOUNT, new).unwrap();
        bench.sim.create_note(ACCOUNT, order, 5, 203, None).unwrap();
        assert_eq!(receiver.settle(calls).await.len(), calls, "quality {quality}, first answer {}", answers[0]);
        assert_eq!(bench.sim.webhook_calls().len(), calls);
    }
}

#[tokio::test]
async fn calls_can_be_lost_and_doubled() {
    let bench = Bench::new().await;
    let (receiver, uri) = Receiver::listen(&[]).await;
    subscribe(&bench, "goods-out-note.created", &uri, false, 1).await;
    bench.sim.set_webhook_faults(WebhookFaults { lose: 1.0, ..WebhookFaults::default() });
    two_notes(&bench);
    assert!(receiver.settle(0).await.is_empty());
    bench.sim.set_webhook_faults(WebhookFaults { duplicate: 1.0, delay_up_to_millis: 20, ..WebhookFaults::default() });
    two_notes(&bench);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for body in receiver.settle(4).await {
        let body: Value = serde_json::from_str(&body).unwrap();
        *counts.entry(body["id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test]
async fn validation() {
    let bench = Bench::new().await;
    let refused = |body: Value| bench.post("integration-service/webhook", body);
    let bare =
        json!({ "subscribeTo": "product.created", "httpMethod": "GET", "uriTemplate": "http://x/${resource-id}" });
    let answer = refused(bare).await;
    assert_eq!(answer.refusal(), (400, vec!["INTC-057".to_owned(); 3]));
    assert!(answer.text.contains("must contatin the template variable ${account-code}"));
    let destroyed =
        json!({ "subscribeTo": "product.destroyed", "httpMethod": "DELETE", "uriTemplate": "http://x/${resource-id}" });
    let codes = refused(destroyed).await.refusal().1;
    assert_eq!(codes.iter().filter(|code| *code == "INTC-057").count(), 3);
    assert!(codes.contains(&"INTC-062".to_owned()));
    let missing = bench.call("DELETE", "integration-service/webhook/99999", None).await;
    assert_eq!(missing.json()["errors"][0]["message"], "Cannot find webhook: 99999");
    assert_eq!(missing.header("message-type"), Some("delete-webhook"));
}

#[tokio::test]
async fn a_test_call() {
    let bench = Bench::new().await;
    let (receiver, uri) = Receiver::listen(&[]).await;
    let id = subscribe(&bench, "product", &uri, true, 1).await;
    let data = |ids: &str| {
        json!({ "testData": { "${account-code}": "a", "${resource-type}": "product", "${resource-id}": ids,
        "${lifecycle-event}": "modified", "${full-event}": "f", "${raised-on}": "r" } })
    };
    let path = format!("integration-service/webhook/{id}/simulate");
    assert_eq!(bench.post(&path, data("1-5,99")).await.status, 200);
    assert_eq!(bench.post(&path, data("1-11")).await.status, 400);
    let got = receiver.settle(1).await;
    assert_eq!(got, [r#"{"account":"a","type":"product","id":"1-5,99","event":"modified","full":"f","on":"r"}"#]);
}
