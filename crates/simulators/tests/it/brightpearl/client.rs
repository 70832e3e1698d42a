//! A plain client: it sends what a test says and keeps everything that comes back.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use simulators::brightpearl::{self, AccountConfig, Config, DataConfig, Running, Switches};

/// The account of most tests.
pub const ACCOUNT: &str = "exampleeu";
/// The staff contact behind the usual credentials.
pub const STAFF: i64 = 4;

/// The time of day, as a client would write it.
#[expect(clippy::disallowed_methods, reason = "the simulator's clock is the real one")]
pub fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// `response` of a successful answer.
    pub fn response(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()["response"].clone()
    }

    /// The id a creating message answers.
    pub fn id(&self) -> i64 {
        let response = self.response();
        response.as_i64().or_else(|| response[0].as_i64()).unwrap_or_else(|| panic!("no id in {response}"))
    }

    /// Status and codes of a refusal.
    pub fn refusal(&self) -> (u16, Vec<String>) {
        let codes = self.json()["errors"].as_array().cloned().unwrap_or_default();
        (self.status, codes.iter().map(|error| error["code"].as_str().unwrap_or_default().to_owned()).collect())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A simulator with one small account, and a client with its account token.
pub struct Bench {
    pub sim: Running,
    client: Client,
}

/// A small account: products without orders.
pub fn small(switches: Switches) -> Config {
    let data = DataConfig { products: 60, orders: 0, customers: 5 };
    let account = AccountConfig { data, ..AccountConfig::new(ACCOUNT) };
    Config { accounts: vec![account], switches, time_factor: 1000, requests_per_window: None, ..Config::default() }
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(small(Switches::default())).await
    }

    pub async fn switched(change: impl FnOnce(&mut Switches)) -> Self {
        let mut switches = Switches::default();
        change(&mut switches);
        Self::with(small(switches)).await
    }

    pub async fn with(config: Config) -> Self {
        let sim = brightpearl::start(config).await.unwrap();
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { sim, client }
    }

    /// Sends anything, anywhere.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, reqwest::Error> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.sim.base_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, text: answer.text().await? })
    }

    /// Calls the API of the account with the account token; the path starts with the service.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_with(method, path, body, &[]).await
    }

    pub async fn call_with(&self, method: &str, path: &str, body: Option<Value>, more: &[(&str, &str)]) -> Answer {
        self.try_call(method, path, body, more).await.unwrap()
    }

    pub async fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        more: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("brightpearl-app-ref", "exampleeu_hub"),
            ("brightpearl-account-token", "EXAMPLE-ACCOUNT-TOKEN"),
        ];
        headers.extend_from_slice(more);
        self.raw(method, &format!("/public-api/{ACCOUNT}/{path}"), &headers, body.map(|body| body.to_string())).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    /// A product with at least this many on hand in a warehouse, skipping the first `skip`.
    pub fn stocked(&self, warehouse: i64, at_least: i64, skip: usize) -> i64 {
        let products = self.sim.plain_products(ACCOUNT).unwrap();
        let enough = |id: &i64| self.sim.stock(ACCOUNT, *id, warehouse).unwrap().on_hand >= at_least;
        products.into_iter().map(|(id, _)| id).filter(enough).nth(skip).unwrap()
    }

    /// Posts a goods-out note over rows of (row, product, quantity).
    pub async fn post_note(&self, order: i64, warehouse: i64, rows: &[(i64, i64, i64)]) -> Answer {
        let products: Vec<Value> = rows
            .iter()
            .map(|(row, product, quantity)| {
                json!({ "productId": product, "salesOrderRowId": row, "quantity": quantity })
            })
            .collect();
        let body = json!({
            "warehouses": [{ "releaseDate": "2026-02-03T11:00:00.000Z", "warehouseId": warehouse, "transfer": false,
                             "products": products }],
            "priority": false, "shippingMethodId": 49
        });
        self.post(&format!("warehouse-service/order/{order}/goods-note/goods-out"), body).await
    }

    /// Posts one event.
    pub async fn event(&self, note: i64, code: &str, if_match: Option<i64>) -> Answer {
        let body = json!({
            "events": [{ "eventCode": code, "occured": "2026-02-03T16:41:38.000Z", "eventOwnerId": STAFF }]
        });
        let version = if_match.map(|version| version.to_string());
        let headers: Vec<(&str, &str)> = version.as_deref().map(|version| ("if-match", version)).into_iter().collect();
        self.call_with("POST", &format!("warehouse-service/goods-note/goods-out/{note}/event"), Some(body), &headers)
            .await
    }

    /// The row of an order that holds a product.
    pub fn row_of(&self, order: i64, product: i64) -> i64 {
        let order = self.sim.order(ACCOUNT, order).unwrap();
        *order.rows.iter().find(|(_, row)| row.product_id == product).unwrap().0
    }
}
