//! The least a client needs.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use simulators::extensiv::{Config, Customer, Extensiv, Facility, Handle, Received, Running, Switches, Zone};

pub const ORDER: &str = "http://api.3plCentral.com/rels/orders/order";
pub const ORDER_ITEM: &str = "http://api.3plCentral.com/rels/orders/item";
pub const PACKAGE: &str = "http://api.3plCentral.com/rels/orders/package";
pub const PACKAGE_CONTENT: &str = "http://api.3plCentral.com/rels/orders/packagecontent";

pub struct Client {
    pub server: Running,
    pub http: reqwest::Client,
    pub token: String,
    pub accept: &'static str,
}

pub struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub body: Value,
}

/// Two customers, two facilities, 100 of SKU-A for the first.
pub fn config(switches: Switches) -> Config {
    let customer = |id, name: &str| Customer { id, name: name.to_owned() };
    let facility = |id, name: &str, zone| Facility { id, name: name.to_owned(), zone };
    Config {
        switches,
        customers: vec![customer(143, "Acme"), customer(144, "Bolt")],
        facilities: vec![facility(10, "NEWARK-1", Zone::Eastern), facility(11, "LEEDS-1", Zone::London)],
        ..Config::default()
    }
}

impl Client {
    pub async fn start(switches: Switches) -> Self {
        Self::start_with(config(switches)).await
    }

    pub async fn start_with(config: Config) -> Self {
        let server = Extensiv::start(config).await.unwrap();
        let handle = server.handle();
        for (customer, sku) in [(143, "SKU-A"), (143, "SKU-B"), (144, "SKU-A")] {
            handle.add_item(customer, sku);
        }
        handle.receive(&Received::plain(143, 10, "SKU-A", 100.into())).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut client = Self { server, http, token: String::new(), accept: "application/hal+json" };
        client.sign_in().await;
        client
    }

    pub fn handle(&self) -> Handle {
        self.server.handle()
    }

    pub async fn sign_in(&mut self) {
        let body = json!({"grant_type": "client_credentials", "user_login": "millrace"});
        let answer = self.token_call("client", "secret", &body).await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        self.token = answer["access_token"].as_str().unwrap().to_owned();
    }

    pub async fn token_call(&self, id: &str, secret: &str, body: &Value) -> Response {
        let url = format!("{}/AuthServer/api/Token", self.server.base_url());
        self.http.post(url).basic_auth(id, Some(secret)).json(body).send().await.unwrap()
    }

    pub async fn send(&self, method: Method, path: &str, etag: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.server.base_url()))
            .bearer_auth(&self.token)
            .header("Accept", self.accept);
        if let Some(etag) = etag {
            request = request.header("If-Match", etag);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", self.accept).body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let etag = answer.headers().get("ETag").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, etag, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    pub async fn create(&self, body: &Value) -> Answer {
        self.send(Method::POST, "/orders", None, Some(body)).await
    }

    /// Creates an order that must be taken, and returns its id and tag.
    pub async fn created(&self, body: &Value) -> (u64, String) {
        let answer = self.create(body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        (answer.body["readOnly"]["orderId"].as_u64().unwrap(), answer.etag.unwrap())
    }

    pub async fn complete(&self, id: u64, etag: &str) -> Answer {
        self.send(Method::POST, &format!("/orders/{id}/completer"), Some(etag), None).await
    }

    pub async fn cancel(&self, id: u64, etag: &str) -> Answer {
        let body = json!({"reason": "Cancelled in Brightpearl"});
        self.send(Method::POST, &format!("/orders/{id}/canceler"), Some(etag), Some(&body)).await
    }

    /// Ids found by a filter, in the order of the answer.
    pub async fn find(&self, rql: &str) -> Vec<u64> {
        let answer = self.get(&format!("/orders?pgsiz=1000&rql={}", encode(rql))).await;
        assert_eq!(answer.status, 200, "{rql}: {}", answer.body);
        answer.body["_embedded"][ORDER]
            .as_array()
            .unwrap()
            .iter()
            .map(|order| order["readOnly"]["orderId"].as_u64().unwrap())
            .collect()
    }
}

pub fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A deferred order of the first customer.
pub fn order(reference: &str, lines: &[(&str, f64)]) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .enumerate()
        .map(|(at, (sku, quantity))| {
            json!({"itemIdentifier": {"sku": sku}, "qty": quantity, "externalId": (at + 1).to_string()})
        })
        .collect();
    json!({
        "customerIdentifier": {"id": 143},
        "facilityIdentifier": {"id": 10},
        "referenceNum": reference,
        "externalId": "shr_8f3",
        "poNum": "PO4500",
        "deferNotification": true,
        "billingCode": "Prepaid",
        "routingInfo": {"carrier": "UPS", "mode": "Ground", "scacCode": "UPSN"},
        "shipTo": {"name": "RECIPIENT 1", "address1": "1 High St", "city": "Leeds", "zip": "LS1 1AA", "country": "GB"},
        "savedElements": [{"name": "BrightpearlOrderId", "value": "100001"}],
        "orderItems": items,
    })
}
