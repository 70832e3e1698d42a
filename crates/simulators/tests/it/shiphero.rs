//! The ShipHero stand-in, by its own interface: what the vendor's documentation says of it.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulators::shiphero::{
    Config, Credits, Dispatch, Handle, Running, ShipHero, Status, Switches, WebhookRules, global, signature,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const CREATE: &str = "mutation($data: CreateOrderInput!) { order_create(data: $data) { order { id holds { client_hold address_hold } } } }";
const FIND: &str = "query($n: String, $c: String) { orders(order_number: $n, customer_account_id: $c) { complexity
    data(first: 2) { pageInfo { hasNextPage endCursor } edges { node { id } } } } }";

struct Client {
    server: Running,
    http: reqwest::Client,
    token: String,
}

impl Client {
    async fn start(config: Config) -> Self {
        let server = ShipHero::start(config).await.unwrap();
        server.handle().receive(123, "SKU-A", 100);
        let mut client =
            Self { server, http: reqwest::Client::builder().no_proxy().build().unwrap(), token: String::new() };
        let signed = client.post("/auth/token", &json!({"username": "hub@example.test", "password": "secret"})).await;
        assert_eq!(signed.0, 200);
        assert_eq!(signed.1["expires_in"], 2_419_200);
        client.token = signed.1["access_token"].as_str().expect("a token").to_owned();
        client
    }

    fn handle(&self) -> Handle {
        self.server.handle()
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.server.base_url())).bearer_auth(&self.token).json(body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let (status, body) = self.post("/graphql", &json!({"query": query, "variables": variables})).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Creates an order; its id.
    async fn create(&self, data: &Value) -> String {
        let answer = self.ask(CREATE, json!({ "data": data })).await;
        answer
            .pointer("/data/order_create/order/id")
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }
}

fn order(number: &str) -> Value {
    json!({
        "customer_account_id": global("CustomerAccount", 123), "order_number": number, "partner_order_id": number,
        "shop_name": "millrace", "shipping_address": {"first_name": "Jane", "country_code": "GB"},
        "line_items": [{"sku": "SKU-A", "partner_line_item_id": format!("{number}_1"), "quantity": 5, "price": "10.00"}],
        "holds": {"client_hold": true},
    })
}

#[tokio::test]
async fn a_token_ends_and_is_renewed_without_the_password() {
    let mut client = Client::start(Config::default()).await;
    client.ask("{ user_quota { credits_remaining } }", json!({})).await;
    client.handle().advance(Duration::from_secs(2_419_201));
    let query = json!({"query": "{ user_quota { credits_remaining } }"});
    assert_eq!(client.post("/graphql", &query).await.0, 401);
    assert_eq!(client.post("/auth/refresh", &json!({"refresh_token": "guessed"})).await.0, 403);
    let (status, renewed) = client.post("/auth/refresh", &json!({"refresh_token": "refresh"})).await;
    assert_eq!(status, 200);
    client.token = renewed["access_token"].as_str().unwrap().to_owned();
    assert_eq!(client.post("/graphql", &query).await.0, 200);
    assert_eq!(client.post("/auth/token", &json!({"username": "hub@example.test", "password": "x"})).await.0, 403);
}

#[tokio::test]
async fn calls_cost_credits_which_come_back() {
    let credits = Credits { bucket: 100, per_second: 10 };
    let client = Client::start(Config { credits, ..Config::default() }).await;
    let listed = "{ orders { data(first: 49) { edges { node { id } } } } }";
    assert!(client.ask(listed, json!({})).await.get("errors").is_none());
    assert!(client.ask(listed, json!({})).await.get("errors").is_none());
    let refused = client.ask(listed, json!({})).await;
    let error = &refused["errors"][0];
    assert_eq!((error["code"].as_u64(), error["required_credits"].as_u64()), (Some(30), Some(50)), "{refused}");
    assert!(refused.get("data").is_none(), "refused whole");
    let wait: u64 = error["time_remaining"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    client.handle().advance(Duration::from_secs(wait));
    assert!(client.ask(listed, json!({})).await.get("errors").is_none());
    let priced = client.ask("{ orders(analyze: true) { complexity data { edges { node { id } } } } }", json!({})).await;
    assert_eq!(priced["data"]["orders"]["complexity"], 101, "the price of what is not said is that of a hundred");
    assert_eq!(client.handle().ledger().refused_for_credits, 1);
}

#[tokio::test]
async fn a_number_may_be_there_twice_and_the_search_lags() {
    let client = Client::start(Config { search_lag: Duration::from_secs(30), ..Config::default() }).await;
    let ids = [client.create(&order("K1")).await, client.create(&order("K1")).await, client.create(&order("K1")).await];
    let variables = json!({"n": "K1", "c": global("CustomerAccount", 123)});
    let found = client.ask(FIND, variables.clone()).await;
    assert_eq!(found["data"]["orders"]["data"]["edges"], json!([]), "not yet");
    let one = client.ask("query($i: String!) { order(id: $i) { data { order_number } } }", json!({"i": ids[0]})).await;
    assert_eq!(one["data"]["order"]["data"]["order_number"], "K1", "read directly it is there at once");
    client.handle().advance(Duration::from_secs(31));
    let found = client.ask(FIND, variables).await;
    let page = &found["data"]["orders"]["data"];
    assert_eq!(page["edges"].as_array().unwrap().len(), 2);
    assert_eq!(page["pageInfo"], json!({"hasNextPage": true, "endCursor": "c2"}));
    assert_eq!(client.handle().ledger().duplicates, [(123, "K1".to_owned())]);
}

#[tokio::test]
async fn without_a_customer_an_order_is_the_parents_own() {
    let client = Client::start(Config {
        switches: Switches { unknown_sku_refused: false, ..Switches::default() },
        ..Config::default()
    })
    .await;
    let mut lost = order("K1");
    lost.as_object_mut().unwrap().remove("customer_account_id");
    client.create(&lost).await;
    let mut foreign = order("K2");
    foreign["customer_account_id"] = json!(global("CustomerAccount", 999));
    let refused = client.ask(CREATE, json!({ "data": foreign })).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("not one of your accounts"), "{refused}");
    assert_eq!(refused["data"]["order_create"], Value::Null);
    let orders = client.handle().ledger().orders;
    assert_eq!(orders.iter().map(|order| order.account).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_held_order_waits_and_an_odd_address_holds_one() {
    let client = Client::start(Config::default()).await;
    let id = client.create(&order("K1")).await;
    let number = client.handle().ledger().orders[0].order_id;
    assert_eq!(client.handle().work(), 0);
    let hold =
        "mutation($d: UpdateOrderHoldsInput!) { order_update_holds(data: $d) { order { holds { client_hold } } } }";
    client.ask(hold, json!({"d": {"order_id": id, "client_hold": false}})).await;
    client.handle().ship(number, &Dispatch::full()).expect("it may leave");
    let cancel = "mutation($d: CancelOrderInput!) { order_cancel(data: $d) { order { fulfillment_status } } }";
    let refused = client.ask(cancel, json!({"d": {"order_id": id}})).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("fulfilled"), "{refused}");

    let mut odd = order("K2");
    odd["shipping_address"] = json!({"first_name": "Jane", "country_code": "US", "zip": "12"});
    let answer = client.ask(CREATE, json!({ "data": odd })).await;
    assert_eq!(answer["data"]["order_create"]["order"]["holds"]["address_hold"], true, "{answer}");
    let other = client.handle().ledger().orders.iter().find(|order| order.number == "K2").unwrap().id.clone();
    client.ask(cancel, json!({"d": {"order_id": other}})).await;
    assert_eq!(client.handle().ledger().orders[1].status, Status::Canceled);
}

#[tokio::test]
async fn what_is_not_in_the_schema_is_refused_and_written_down() {
    let client = Client::start(Config::default()).await;
    let refused = client.ask("{ orders(created_at_min: \"2026-01-01\") { request_id } }", json!({})).await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("no argument created_at_min"), "{refused}");
    assert_eq!(client.handle().ledger().off_schema.len(), 1);
}

/// One call, answered with this status: its signature, its number, its body.
async fn receive(listener: &TcpListener, status: &str) -> (String, String, Vec<u8>) {
    let (mut stream, _) = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name)).expect(name);
            line.split_once(": ").unwrap().1.to_owned()
        };
        if body.len() >= header("content-length").parse::<usize>().unwrap() {
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            return (header("x-shiphero-hmac-sha256"), header("x-shiphero-message-id"), body.as_bytes().to_vec());
        }
    }
}

#[tokio::test]
async fn calls_are_signed_numbered_repeated_and_not_kept_while_off() {
    let webhooks = WebhookRules { retry_every: Duration::from_millis(20), ..WebhookRules::default() };
    let client = Client::start(Config { webhooks, ..Config::default() }).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let create =
        "mutation($d: CreateWebhookInput!) { webhook_create(data: $d) { webhook { shared_signature_secret } } }";
    let data = json!({"name": "Shipment Update", "url": url, "shop_name": "millrace", "customer_account_id": global("CustomerAccount", 123)});
    let made = client.ask(create, json!({ "d": data })).await;
    let secret = made.pointer("/data/webhook_create/webhook/shared_signature_secret").and_then(Value::as_str).unwrap();
    let again = client.ask(create, json!({ "d": data })).await;
    assert!(again["errors"][0]["message"].as_str().unwrap().contains("already"), "{again}");

    client.create(&order("K1")).await;
    let number = client.handle().ledger().orders[0].order_id;
    assert!(client.handle().hold(number, "client_hold", false));
    let some = Dispatch { only: Some([("SKU-A".to_owned(), 2)].into()), ..Dispatch::full() };
    client.handle().set_webhooks(false);
    client.handle().ship(number, &some).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    client.handle().set_webhooks(true);
    client.handle().ship(number, &Dispatch::full()).unwrap();
    let first = receive(&listener, "500 No").await;
    let second = receive(&listener, "200 OK").await;
    assert_eq!(first, second, "the same call, number and all");
    assert_eq!(first.0, signature(secret, &first.2));
    let body: Value = serde_json::from_slice(&first.2).unwrap();
    assert_eq!(
        body["fulfillment"]["line_items"][0]["quantity"], 3,
        "what left while calls were off is never told: {body}"
    );
    assert_eq!(client.handle().ledger().off_schema, Vec::<String>::new());
}
