//! The Mintsoft stand-in, by its own interface: what the vendor's documentation says of it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test panics")]

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use simulators::mintsoft::{
    Config, Dispatch, Handle, ListOrder, Mintsoft, Received, Running, Status, Switches, Uniqueness,
};

struct Client {
    server: Running,
    http: reqwest::Client,
    key: String,
}

impl Client {
    async fn start(config: Config) -> Self {
        let server = Mintsoft::start(config).await.unwrap();
        let handle = server.handle();
        for sku in ["SKU-A", "SKU-B"] {
            handle.add_product(12, sku);
        }
        assert!(handle.receive(&Received::plain(12, 3, "SKU-A", 100)));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut client = Self { server, http, key: String::new() };
        client.sign_in().await;
        client
    }

    async fn sign_in(&mut self) {
        let (status, body) =
            self.call(Method::POST, "/api/Auth", Some(json!({"Username": "hub", "Password": "secret"}))).await;
        assert_eq!(status, 200);
        self.key = body.as_str().expect("a key is a JSON text").to_owned();
    }

    fn handle(&self) -> Handle {
        self.server.handle()
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.server.base_url()));
        if !self.key.is_empty() {
            request = request.header("ms-apikey", &self.key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn put(&self, body: &Value) -> Value {
        self.call(Method::PUT, "/api/Order", Some(body.clone())).await.1
    }
}

fn order(number: &str) -> Value {
    json!({
        "OrderNumber": number, "ExternalOrderReference": number, "ClientId": 12, "WarehouseId": 3, "FirstName": "Jane",
        "Address1": "1 High St", "PostCode": "LS1 1AA", "Country": "GB", "CourierService": "AUTO",
        "OrderItems": [{"SKU": "SKU-A", "Quantity": 5}],
    })
}

#[tokio::test]
async fn a_key_lives_a_day_and_stands_in_its_header_only() {
    let mut client = Client::start(Config::default()).await;
    client.get("/api/Warehouse").await;
    client.handle().advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(client.call(Method::GET, "/api/Warehouse", None).await.0, 401);
    client.sign_in().await;
    let key = std::mem::take(&mut client.key);
    assert_eq!(client.call(Method::GET, &format!("/api/Warehouse?APIKey={key}"), None).await.0, 401);
    let wrong = json!({"Username": "hub", "Password": "wrong"});
    assert_eq!(client.call(Method::POST, "/api/Auth", Some(wrong)).await.0, 401);
}

#[tokio::test]
async fn what_the_real_system_refuses_is_refused_inside_a_200() {
    let client = Client::start(Config::default()).await;
    let refusal = |change: &'static str, value: Value| {
        let client = &client;
        async move {
            let mut body = order("N1");
            body[change] = value;
            let answer = client.put(&body).await;
            assert_eq!(answer[0]["Success"], false, "{change}: {answer}");
            answer[0]["Message"].as_str().unwrap_or_default().to_owned()
        }
    };
    for (told, message) in [
        ("OrderNumber", refusal("OrderNumber", "".into()).await),
        ("FirstName", refusal("FirstName", "".into()).await),
        ("PostCode", refusal("PostCode", Value::Null).await),
        ("Country", refusal("Country", "Atlantis".into()).await),
        ("Warehouse", refusal("WarehouseId", 9.into()).await),
        ("Courier", refusal("CourierService", "Pigeon".into()).await),
        ("ClientId is required", refusal("ClientId", Value::Null).await),
        ("Client 77", refusal("ClientId", 77.into()).await),
        ("OrderItems", refusal("OrderItems", json!([])).await),
        ("NONE", refusal("OrderItems", json!([{"SKU": "NONE", "Quantity": 1}])).await),
        ("whole number", refusal("OrderItems", json!([{"SKU": "SKU-A", "Quantity": 1.5}])).await),
        ("whole number", refusal("OrderItems", json!([{"SKU": "SKU-A", "Quantity": 0}])).await),
    ] {
        assert!(message.contains(told), "{told}: {message}");
    }
    assert!(client.handle().ledger().orders.is_empty());
    assert_eq!(client.call(Method::PUT, "/api/Order", Some(json!([1]))).await.0, 400);
}

#[tokio::test]
async fn numbers_are_unique_per_client_where_they_are() {
    for (uniqueness, again, after_cancel) in
        [(Uniqueness::PerClient, false, false), (Uniqueness::AmongLive, false, true), (Uniqueness::None, true, true)]
    {
        let client =
            Client::start(Config { switches: Switches { uniqueness, ..Switches::default() }, ..Config::default() })
                .await;
        let first = client.put(&order("N1")).await;
        assert_eq!(client.put(&order("N1")).await[0]["Success"], again, "{uniqueness:?}");
        assert_eq!(client.handle().ledger().duplicates.len(), usize::from(again));
        let mut by_reference = order("N1");
        by_reference["OrderNumber"] = "N2".into();
        assert_eq!(client.put(&by_reference).await[0]["Success"], again, "the reference counts too");
        client.get(&format!("/api/Order/{}/Cancel", first[0]["OrderId"])).await;
        assert_eq!(client.put(&order("N1")).await[0]["Success"], after_cancel, "{uniqueness:?}");
        // Another client's number is free.
        client.handle().add_product(13, "SKU-A");
        let mut other = order("N1");
        other["ClientId"] = 13.into();
        assert_eq!(client.put(&other).await[0]["Success"], true);
    }
}

#[tokio::test]
async fn some_gets_change_things_and_the_ledger_shows_it() {
    let client = Client::start(Config::default()).await;
    let id = |answer: &Value| answer[0]["OrderId"].as_u64().unwrap();
    let (first, second) = (id(&client.put(&order("N1")).await), id(&client.put(&order("N2")).await));
    assert_eq!(client.get(&format!("/api/Order/{first}/Cancel")).await["Success"], true);
    assert_eq!(client.get(&format!("/api/Order/{first}/Cancel")).await["Success"], true, "twice is once");
    assert_eq!(client.get(&format!("/api/Order/{second}/MarkDespatched")).await["Success"], true);
    assert_eq!(client.get(&format!("/api/Order/{second}/Cancel")).await["Success"], false);
    let seen: Vec<(String, bool)> =
        client.handle().ledger().mutations.into_iter().map(|one| (one.method, one.took_effect)).collect();
    let expected = [("PUT", true), ("PUT", true), ("GET", true), ("GET", false), ("GET", true), ("GET", false)];
    assert_eq!(seen, expected.map(|(method, effect)| (method.to_owned(), effect)));
    let states: Vec<Status> = client.handle().ledger().orders.iter().map(|order| order.status).collect();
    assert_eq!(states, [Status::Cancelled, Status::Despatched]);
}

#[tokio::test]
async fn a_list_shows_a_hundred_with_and_without_pages() {
    for (pages, list_order) in [(true, ListOrder::ByChange), (false, ListOrder::NewestFirst)] {
        let switches = Switches { pages, list_order, ..Switches::default() };
        let client = Client::start(Config { switches, ..Config::default() }).await;
        for number in 0..120 {
            assert_eq!(client.put(&order(&format!("N{number}"))).await[0]["Success"], true);
        }
        let rows = client.get("/api/Order/List?ClientId=12&Limit=500").await;
        assert_eq!(rows.as_array().unwrap().len(), 100);
        assert_eq!(rows[0]["OrderNumber"], if pages { "N0" } else { "N119" });
        assert_eq!(rows[0].get("OrderItems"), None, "lines come when they are asked for");
        let second = client.get("/api/Order/List?ClientId=12&PageNo=2&IncludeOrderItems=true").await;
        assert_eq!(second.as_array().unwrap().len(), if pages { 20 } else { 100 });
        assert_eq!(second[0]["OrderItems"][0]["SKU"], "SKU-A");
        let since = second[second.as_array().unwrap().len() - 1]["LastUpdated"].as_str().unwrap().to_owned();
        let few = client.get(&format!("/api/Order/List?SinceLastUpdated={since}")).await;
        assert!(!few.as_array().unwrap().is_empty());
        assert_eq!(client.get("/api/Order/List?ClientId=13").await, json!([]));
        assert_eq!(client.call(Method::GET, "/api/Order/List?SinceLastUpdated=soon", None).await.0, 400);
    }
}

#[tokio::test]
async fn parts_share_a_number_and_bundles_leave_in_parts() {
    let client = Client::start(Config::default()).await;
    let handle = client.handle();
    handle.add_bundle(12, "SET", &[("SKU-A", 2)]);
    let mut body = order("N1");
    body["OrderItems"] = json!([{"SKU": "SET", "Quantity": 3}, {"SKU": "SKU-B", "Quantity": 1}]);
    let id = client.put(&body).await[0]["OrderId"].as_u64().unwrap();
    // Of SKU-B there is nothing: it is left for a part of its own.
    let rest = handle.ship(id, &Dispatch::full()).unwrap().expect("a rest");
    let found = client.get("/api/Order/Search?OrderNumber=N1").await;
    let parts: Vec<_> = found.as_array().unwrap().iter().map(|one| (&one["Part"], &one["NumberOfParts"])).collect();
    assert_eq!(parts, [(&json!(1), &json!(2)), (&json!(2), &json!(2))]);
    let splits = client.get(&format!("/api/Order/{rest}/Splits")).await;
    assert_eq!((&splits[0]["OrderId"], &splits[0]["SplitOrderId"]), (&json!(id), &json!(rest)));
    let levels = client.get("/api/Product/StockLevels?ClientId=12&Breakdown=true").await;
    let level = |sku: &str| {
        let rows = levels.as_array().unwrap();
        rows.iter().find(|row| row["SKU"] == sku).map(|row| (row["Level"].clone(), row["Bundle"].clone())).unwrap()
    };
    assert_eq!(level("SKU-A"), (json!(94), json!(false)));
    assert_eq!(level("SET"), (json!(47), json!(true)), "calculated from what it is made of");
}

#[tokio::test]
async fn a_batch_has_an_english_date_and_changes_of_stock_are_listed() {
    let client = Client::start(Config::default()).await;
    let best_before = Some(jiff::civil::date(2027, 5, 5));
    let came = Received { batch: "LOT1".to_owned(), best_before, ..Received::plain(12, 3, "SKU-B", 4) };
    client.handle().advance(Duration::from_secs(7200));
    assert!(client.handle().receive(&came));
    let levels = client.get("/api/Product/StockLevels?WarehouseId=3&Breakdown=true").await;
    let lot = levels.as_array().unwrap().iter().find(|row| row["SKU"] == "SKU-B").unwrap();
    assert_eq!(lot["Breakdown"][0]["BestBefore"], "05-May-2027");
    let since = lot["LastUpdated"].as_str().unwrap();
    let changed = client.get(&format!("/api/Product/StockLevels/UpdatedSince?FromDate={since}")).await;
    let skus: Vec<&str> = changed.as_array().unwrap().iter().filter_map(|row| row["SKU"].as_str()).collect();
    assert_eq!(skus, ["SKU-B"]);
    let together = client.get("/api/Product/StockLevels?WarehouseId=0").await;
    assert_eq!(together[0]["WarehouseId"], 0);
}
