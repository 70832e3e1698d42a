//! Events on their way to a subscriber.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use simulators::extensiv::{Config, Dispatch, Switches, WebhookKey, WebhookRules};

use super::client::{Client, config, order};

#[derive(Clone, Debug)]
struct Letter {
    signature: String,
    body: Bytes,
}

impl Letter {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A subscriber that answers with the statuses given, then 200; `None` answers too late.
#[derive(Clone, Default)]
struct Inbox {
    letters: Arc<Mutex<Vec<Letter>>>,
    answers: Arc<Mutex<Vec<Option<u16>>>>,
}

impl Inbox {
    async fn open(answers: &[Option<u16>]) -> (Self, String) {
        let inbox = Self { answers: Arc::new(Mutex::new(answers.iter().rev().copied().collect())), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/hook", post(take)).with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (inbox, url)
    }

    fn letters(&self) -> Vec<Letter> {
        self.letters.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<Letter> {
        for _ in 0..2000 {
            if self.letters().len() >= count {
                return self.letters();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("only {} letters came", self.letters().len());
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("Signature").unwrap().to_str().unwrap().to_owned();
    inbox.letters.lock().unwrap().push(Letter { signature, body });
    let answer = inbox.answers.lock().unwrap().pop().unwrap_or(Some(200));
    match answer {
        Some(status) => StatusCode::from_u16(status).unwrap(),
        None => {
            tokio::time::sleep(Duration::from_secs(2)).await;
            StatusCode::OK
        }
    }
}

fn rules() -> WebhookRules {
    WebhookRules {
        answer_within: Duration::from_millis(300),
        retry_every: Duration::from_millis(10),
        disorder_delay: Duration::from_millis(200),
        ..WebhookRules::default()
    }
}

async fn start(rules: WebhookRules, switches: Switches) -> Client {
    Client::start_with(Config { webhooks: rules, ..config(switches) }).await
}

async fn shipped(client: &Client, reference: &str) -> u64 {
    let (id, etag) = client.created(&order(reference, &[("SKU-A", 1.0)])).await;
    client.complete(id, &etag).await;
    client.handle().ship(id, &Dispatch::full()).unwrap();
    id
}

async fn key(client: &Client) -> String {
    let answer = client.get("/events/webhook/key").await;
    assert_eq!(answer.status, 200);
    answer.body["publicKey"].as_str().unwrap().to_owned()
}

fn verifies(pem: &str, letter: &Letter) -> bool {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(base64).unwrap();
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).unwrap();
    key.verify_sig(&letter.body, &STANDARD.decode(&letter.signature).unwrap()).is_ok()
}

#[tokio::test]
async fn events_are_signed_and_shaped_as_documented() {
    let client = start(rules(), Switches::default()).await;
    let (inbox, url) = Inbox::open(&[]).await;
    client.handle().subscribe(&url, true).unwrap();
    let id = shipped(&client, "R1").await;
    let letters = inbox.wait_for(2).await;
    let pem = key(&client).await;
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert!(letters.iter().all(|letter| verifies(&pem, letter)));
    let mut forged = letters[0].clone();
    forged.body = Bytes::from_static(b"{}");
    assert!(!verifies(&pem, &forged));

    let confirm = letters.iter().map(Letter::json).find(|event| event["eventType"] == "OrderConfirm").unwrap();
    assert_eq!(confirm["tplId"], 2);
    assert!(confirm["wmsEventId"].is_u64());
    assert_eq!(confirm["tags"], "Shipped");
    assert_eq!(confirm["resource"]["rel"], "orders/order");
    assert_eq!(confirm["resource"]["href"], format!("/orders/{id}?detail=OrderItems"));
    let inner = |name: &str| serde_json::from_str::<Value>(confirm[name].as_str().unwrap()).unwrap();
    assert_eq!(inner("data"), json!({"OrderId": id.to_string()}));
    assert_eq!(inner("links")["customers/customer"], "/customers/143");
    let body: Value = serde_json::from_str(confirm["resource"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["referenceNum"], "R1");
    let time = confirm["eventDateTimeUtc"].as_str().unwrap();
    assert_eq!((time.len(), &time[19..20]), (27, "."));
    let utc: jiff::civil::DateTime = time.parse().unwrap();
    let local: jiff::civil::DateTime = confirm["dateTime"].as_str().unwrap().parse().unwrap();
    assert_ne!(utc, local, "the first time is local");
}

#[tokio::test]
async fn a_deferred_order_is_announced_when_it_is_completed() {
    let client = start(rules(), Switches::default()).await;
    let (inbox, url) = Inbox::open(&[]).await;
    client.handle().subscribe(&url, false).unwrap();
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    client.complete(id, &etag).await;
    let letters = inbox.wait_for(1).await;
    let event = letters[0].json();
    assert_eq!(event["eventType"], "OrderCreate");
    assert!(event["resource"].get("body").is_none());
    assert_eq!(letters.len(), 1, "creation itself was silent");
}

#[tokio::test]
async fn what_is_not_answered_in_time_comes_again() {
    let client = start(rules(), Switches::default()).await;
    let (inbox, url) = Inbox::open(&[Some(500), None]).await;
    client.handle().subscribe(&url, false).unwrap();
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    client.complete(id, &etag).await;
    let letters = inbox.wait_for(3).await;
    assert_eq!(letters[0].body, letters[2].body);
    for _ in 0..500 {
        if client.handle().ledger().deliveries.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let deliveries = client.handle().ledger().deliveries;
    let told: Vec<(u32, Option<u16>)> = deliveries.iter().map(|one| (one.attempt, one.status)).collect();
    assert_eq!(told, [(1, Some(500)), (2, None), (3, Some(200))]);
}

#[tokio::test]
async fn events_repeat_and_overtake_each_other() {
    let client = start(WebhookRules { repeat_percent: 100, ..rules() }, Switches::default()).await;
    let (inbox, url) = Inbox::open(&[]).await;
    client.handle().subscribe(&url, false).unwrap();
    shipped(&client, "R1").await;
    let ids: Vec<Value> = inbox.wait_for(4).await.iter().map(|letter| letter.json()["wmsEventId"].clone()).collect();
    assert!(ids.iter().all(|id| ids.iter().filter(|other| *other == id).count() == 2), "{ids:?}");

    let client = start(WebhookRules { disorder_percent: 50, ..rules() }, Switches::default()).await;
    let (inbox, url) = Inbox::open(&[]).await;
    client.handle().subscribe(&url, false).unwrap();
    for number in 0..6 {
        shipped(&client, &format!("R{number}")).await;
    }
    let ids: Vec<u64> =
        inbox.wait_for(12).await.iter().map(|letter| letter.json()["wmsEventId"].as_u64().unwrap()).collect();
    assert!(!ids.is_sorted(), "{ids:?}");
}

#[tokio::test]
async fn the_key_may_change() {
    let client = start(rules(), Switches::default()).await;
    let (inbox, url) = Inbox::open(&[]).await;
    client.handle().subscribe(&url, false).unwrap();
    let answer = client.get("/events/webhook/key").await.body;
    let old = answer["publicKey"].as_str().unwrap().to_owned();
    let since = answer["retrievalDateISO"].as_str().unwrap();
    let again = client.get(&format!("/events/webhook/key?previousRetrievalDateISO={since}")).await;
    assert_eq!(again.status, 304);
    client.handle().rotate_webhook_key();
    shipped(&client, "R1").await;
    let letters = inbox.wait_for(2).await;
    assert!(!verifies(&old, &letters[0]));
    let fresh = client.get(&format!("/events/webhook/key?previousRetrievalDateISO={since}")).await;
    assert_eq!(fresh.status, 200);
    assert!(verifies(fresh.body["publicKey"].as_str().unwrap(), &letters[0]));
}

#[tokio::test]
async fn the_key_may_need_a_token() {
    for (switch, status) in [(WebhookKey::Open, 200), (WebhookKey::NeedsToken, 401)] {
        let client = start(rules(), Switches { webhook_key: switch, ..Switches::default() }).await;
        let url = format!("{}/events/webhook/key", client.server.base_url());
        assert_eq!(client.http.get(url).send().await.unwrap().status(), status);
        assert!(!key(&client).await.is_empty());
    }
}

#[tokio::test]
async fn only_https_is_subscribed_to() {
    let client = start(rules(), Switches::default()).await;
    let handle = client.handle();
    assert!(handle.subscribe("https://hub.example.test/hook", false).is_ok());
    for url in ["http://hub.example.test/hook", "http://10.0.0.1/hook", "nonsense", "ftp://127.0.0.1/"] {
        assert!(handle.subscribe(url, false).is_err(), "{url}");
    }
    let strict = start(WebhookRules { allow_http_to_loopback: false, ..rules() }, Switches::default()).await;
    assert!(strict.handle().subscribe("http://127.0.0.1:1/hook", false).is_err());
}
