//! The Warehouse API, asked the way the system of a warehouse would.

use axum::http::StatusCode;
use connect::WarehouseId;
use millrace::db::{DeskKey, Scope};
use serde_json::{Value, json};

use super::{Answer, Installation};
use crate::db::desk::request;

/// A warehouse with requests on its desk, and its system.
struct Warehouse {
    installation: Installation,
    desk: DeskKey,
    key: String,
}

impl Warehouse {
    async fn new(requests: &[&str]) -> Self {
        let installation = Installation::new().await;
        let merchant = installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await.json();
        let given = json!({ "name": "Desk", "merchant": "Acme", "platform": "warehouse_api",
            "settings": { "carriers": "UPS: Ground" } });
        let made = installation.post("/api/v1/warehouses", given).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let tested = installation.post("/api/v1/warehouses/Desk/test", json!({})).await.json();
        assert_eq!(tested["ok"], true, "{tested}");
        let warehouse: WarehouseId = made.json()["id"].as_str().unwrap().parse().unwrap();
        let made = installation.post("/api/v1/warehouses/Desk/keys", json!({ "name": "WMS", "days": 30 })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let tenant = installation.tenant("default").await;
        let scope = Scope { tenant, merchant: merchant["id"].as_str().unwrap().parse().unwrap() };
        let desk = DeskKey { scope, warehouse };
        for key in requests {
            installation.hub.db.lay_on_desk(&desk, &request(key)).await.unwrap();
        }
        Self { installation, desk, key }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.installation.ask(method, &format!("/api/v1/desk{path}"), Some(&self.key), body).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body)).await
    }

    /// The refusal names this place, and nothing is kept.
    async fn refuses(&self, path: &str, body: &Value, status: u16, at: &str) {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        let problem = answer.json();
        let places: Vec<&str> = problem["problems"]
            .as_array()
            .map(|all| all.iter().filter_map(|one| one["at"].as_str()).collect())
            .unwrap_or_default();
        let named = places.contains(&at) || (places.is_empty() && problem["detail"].as_str().unwrap().contains(at));
        assert!(named, "{at} of {body}: {}", answer.text);
        assert!(!problem["remedy"].as_str().unwrap().is_empty());
        assert_eq!(self.installation.hub.db.told_at_desk(&self.desk, 0, 10).await.unwrap().told.len(), 0, "{body}");
        assert_eq!(self.installation.hub.db.counts_at_desk(&self.desk, 10).await.unwrap(), [], "{body}");
    }
}

fn shipment() -> Value {
    json!({
        "id": "S-1", "request": "A-1", "shipped_at": "2026-11-26T10:00:00Z", "carrier": "UPS", "service": "Ground",
        "packages": [
            { "tracking": "1Z1", "weight": "1.5", "lines": [{ "line": 1, "sku": "WH-1", "quantity": 5 }] },
            { "tracking": "1Z2", "lines": [{ "sku": "WH-2", "quantity": "3.0", "lot": "L1", "serials": ["a", "b", "c"] }] },
        ],
    })
}

fn count() -> Value {
    json!({ "id": "C-1", "counted_at": "2026-11-26T10:00:00Z", "complete": true,
        "levels": [{ "sku": "WH-1", "physical": 7 }, { "sku": "WH-1", "facility": "West", "available": "2" }] })
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    *document.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn pulled_acknowledged_and_shipped() {
    let warehouse = Warehouse::new(&["A-1", "A-2"]).await;
    let pulled = warehouse.ask("POST", "/pull", None).await;
    assert_eq!(pulled.status, StatusCode::OK, "{}", pulled.text);
    let pulled = pulled.json();
    let lease = pulled["lease"].as_str().unwrap();
    let item = &pulled["items"][0];
    assert_eq!((item["request"].as_str(), item["state"].as_str()), (Some("A-1"), Some("waiting")));
    assert_eq!(item["lines"][1]["quantity"], "3");
    assert_eq!(item["ship_to"]["name"], "Jane Doe");
    assert!(item.get("id").is_none() && item["lines"][0].get("row_id").is_none(), "nothing of the hub's own: {item}");
    assert_eq!(warehouse.ask("POST", "/pull", None).await.json()["items"], json!([]), "they are held");
    let listed = warehouse.ask("GET", "/requests?state=waiting&limit=1", None).await.json();
    let next = listed["next"].as_str().expect("another page");
    let rest = warehouse.ask("GET", &format!("/requests?state=waiting&cursor={next}"), None).await.json();
    assert_eq!((rest["items"][0]["request"].as_str(), rest.get("next")), (Some("A-2"), None));
    let take = json!({ "lease": lease, "reference": "W-1" });
    for _ in 0..2 {
        let taken = warehouse.post("/requests/A-1/acknowledge", &take).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
        assert_eq!(taken.json()["warehouse_reference"], "W-1");
    }
    let wrong = warehouse.post("/requests/A-2/acknowledge", &json!({ "lease": "lea_other" })).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::CONFLICT, "conflict"));
    let nothing = warehouse.post("/requests/A-9/acknowledge", &take).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    let first = warehouse.post("/shipments", &shipment()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert_eq!(first.json()["final"], true, "everything has left");
    // Written otherwise it is still the same.
    let again = with(shipment(), "/packages/1/lines/0/quantity", json!(3));
    let again = warehouse.post("/shipments", &again).await;
    assert_eq!((again.status, again.text), (StatusCode::OK, first.text));
    let other = with(shipment(), "/packages/0/tracking", json!("1Z9"));
    assert_eq!(warehouse.post("/shipments", &other).await.status, StatusCode::CONFLICT);
    assert_eq!(warehouse.ask("GET", "/requests/A-1", None).await.json()["state"], "closed");
    let given_up = warehouse.post("/requests/A-2/give-up", &json!({ "reason": "none left" })).await.json();
    assert_eq!((given_up["state"].as_str(), given_up["reason"].as_str()), (Some("given_up"), Some("none left")));
    let counted = warehouse.post("/stock", &count()).await;
    assert_eq!(counted.status, StatusCode::CREATED, "{}", counted.text);
    let again = warehouse.post("/stock", &count()).await;
    assert_eq!((again.status, again.text), (StatusCode::OK, counted.text));
    let other = with(count(), "/levels/0/physical", json!(8));
    assert_eq!(warehouse.post("/stock", &other).await.status, StatusCode::CONFLICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_with_its_place() {
    let warehouse = Warehouse::new(&["A-1"]).await;
    for (pointer, value, at) in [
        ("/id", json!(" "), "id"),
        ("/id", json!("x\ny"), "id"),
        ("/request", json!("A-9"), "request"),
        ("/shipped_at", json!("2999-01-01T00:00:00Z"), "shipped_at"),
        ("/packages/0/tracking", json!("x".repeat(201)), "packages[0].tracking"),
        ("/packages/0/lines/0/sku", json!("WH-9"), "packages[0].lines[0].sku"),
        ("/packages/0/lines/0/line", json!(2), "packages[0].lines[0].line"),
        ("/packages/0/lines/0/quantity", json!(6), "packages[0].lines[0].quantity"),
        ("/packages/0/lines/0/quantity", json!(-1), "packages[0].lines[0].quantity"),
        ("/packages/0/lines/0/quantity", json!("many"), "packages[0].lines[0].quantity"),
        ("/packages/0/weight", json!(-1.25), "packages[0].weight"),
        ("/packages/0/weight", json!("1000000"), "packages[0].weight"),
        ("/packages/1/lines/0/serials/1", json!(""), "packages[1].lines[0].serials[1]"),
        ("/packages", json!([]), "packages"),
        ("/packages", json!(7), "packages"),
        ("/shipped_at", json!("yesterday"), "shipped_at"),
    ] {
        warehouse.refuses("/shipments", &with(shipment(), pointer, value), 422, at).await;
    }
    let mut heavy = with(shipment(), "/packages/0/weight", json!("999999.99"));
    heavy["packages"][1]["weight"] = json!("0.01");
    warehouse.refuses("/shipments", &heavy, 422, "packages").await;
    let mut more = shipment();
    more["parcels"] = json!([]);
    warehouse.refuses("/shipments", &more, 422, "parcels").await;
    for (pointer, value, at) in [
        ("/levels", json!([]), "levels"),
        ("/levels/0/sku", json!(""), "levels[0].sku"),
        ("/levels/0/physical", json!(-1), "levels[0].physical"),
        ("/levels/0/physical", json!(null), "levels[0]"),
        ("/levels/1/facility", json!(" "), "levels[1]"),
        ("/levels/0/physical", json!("1e40"), "levels[0].physical"),
        ("/counted_at", json!("2999-01-01T00:00:00Z"), "counted_at"),
    ] {
        warehouse.refuses("/stock", &with(count(), pointer, value), 422, at).await;
    }
    warehouse.refuses("/pull", &json!({ "limit": 0 }), 422, "limit").await;
    warehouse.refuses("/pull", &json!({ "seconds": 5 }), 422, "seconds").await;
    warehouse.refuses("/requests/A-1/give-up", &json!({ "reason": "" }), 422, "reason").await;
    warehouse.refuses("/requests/A-1/cancel", &json!({ "answer": "maybe" }), 422, "answer").await;
    let listed = warehouse.ask("GET", "/requests?state=lost", None).await;
    assert_eq!(listed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(warehouse.ask("GET", "/requests?cursor=x", None).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    // What was refused left its id free.
    assert_eq!(warehouse.post("/shipments", &shipment()).await.status, StatusCode::CREATED);
}

/// Nothing goes to any warehouse while sending is frozen, however it gets there; what it says is taken in.
#[tokio::test(flavor = "multi_thread")]
async fn while_frozen_nothing_is_handed_out() {
    let warehouse = Warehouse::new(&["A-1"]).await;
    warehouse.installation.hub.db.set_frozen(true).await.unwrap();
    let frozen = warehouse.ask("POST", "/pull", None).await;
    assert_eq!(frozen.status, StatusCode::SERVICE_UNAVAILABLE, "{}", frozen.text);
    assert!(frozen.headers.contains_key("retry-after"));
    assert_eq!(warehouse.post("/shipments", &shipment()).await.status, StatusCode::CREATED);
    warehouse.installation.hub.db.set_frozen(false).await.unwrap();
    assert_eq!(warehouse.ask("POST", "/pull", None).await.status, StatusCode::OK);
}

/// What a warehouse lists can be picked from; of one that lists nothing there is nothing, and nothing is dialled for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_warehouses_own_lists_are_read() {
    let warehouse = Warehouse::new(&[]).await;
    let installation = &warehouse.installation;
    let lists = installation.get("/api/v1/warehouses/Desk/choices").await;
    assert_eq!(lists.status, StatusCode::OK, "{}", lists.text);
    assert_eq!(lists.json(), json!({ "facilities": [], "carriers": [{ "carrier": "UPS", "services": ["Ground"] }] }));
    let folder = json!({ "name": "Folder", "merchant": "Acme", "platform": "dsfx",
        "settings": { "transport": "folder", "folder": "/nonexistent/folder" } });
    assert_eq!(installation.post("/api/v1/warehouses", folder).await.status, StatusCode::CREATED);
    let lists = installation.get("/api/v1/warehouses/Folder/choices").await;
    assert_eq!(lists.json(), json!({ "facilities": [], "carriers": [] }), "{}", lists.text);
    assert_eq!(installation.get("/api/v1/warehouses/Nobody/choices").await.status, StatusCode::NOT_FOUND);
}

/// A key of a warehouse is shown, and ends, like any other; warehouses that are called have none.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_warehouses_are_listed_and_end() {
    let warehouse = Warehouse::new(&[]).await;
    let installation = &warehouse.installation;
    let listed = installation.get("/api/v1/keys").await;
    assert!(!listed.text.contains(&warehouse.key));
    let keys = listed.json();
    let own = keys["items"].as_array().unwrap().iter().find(|key| key["role"] == "warehouse").expect("it is listed");
    assert_eq!(own["warehouse"].as_str(), Some(warehouse.desk.warehouse.as_str()));
    for (method, path) in [("GET", "/api/v1/orders"), ("GET", "/api/v1/keys"), ("POST", "/api/v1/keys")] {
        let refused = installation.ask(method, path, Some(&warehouse.key), None).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    let administrator = Some(installation.administrator.as_str());
    assert_eq!(installation.ask("POST", "/api/v1/desk/pull", administrator, None).await.status, StatusCode::FORBIDDEN);
    let path = format!("/api/v1/keys/{}", own["id"].as_str().unwrap());
    assert_eq!(installation.ask("DELETE", &path, administrator, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(warehouse.ask("POST", "/pull", None).await.status, StatusCode::UNAUTHORIZED);
    let folder = json!({ "name": "Folder", "merchant": "Acme", "platform": "dsfx",
        "settings": { "transport": "folder", "folder": "/nonexistent/folder" } });
    assert_eq!(installation.post("/api/v1/warehouses", folder).await.status, StatusCode::CREATED);
    let refused = installation.post("/api/v1/warehouses/Folder/keys", json!({ "name": "WMS" })).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
}
