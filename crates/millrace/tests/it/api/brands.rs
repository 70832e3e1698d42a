//! People limited to merchants see those and nothing else, and do what their role lets them.

use axum::http::StatusCode;
use engine::settings::ConnectionSettings;
use millrace::{db::Scope, operate::Role};
use serde_json::{Value, json};

use super::{
    Installation,
    access::{brightpearl, connected, routes},
    browser::{administrator, invited},
};

/// Three brands, each with a store, a warehouse and a connection. Their ids.
async fn brands(installation: &Installation) -> Vec<String> {
    let folder = "/var/empty";
    let mut ids = Vec::new();
    for name in ["Acme", "Bolt", "Cask"] {
        let made = installation.post("/api/v1/merchants", json!({ "name": name })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        ids.push(made.json()["id"].as_str().unwrap().to_owned());
        let store = json!({
            "name": format!("{name} store"), "merchant": name, "platform": "brightpearl",
            "settings": { "datacenter_code": "eu1", "account_id": name.to_lowercase(), "email": "a@example.com" },
            "secrets": { "password": "example-password" },
        });
        let made = installation.post("/api/v1/stores", store).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let store = made.json()["id"].as_str().unwrap().parse().unwrap();
        let settings = json!({ "transport": "folder", "folder": folder });
        let warehouse = json!({
            "name": format!("{name} warehouse"), "merchant": name, "platform": "dsfx", "settings": settings,
        });
        let made = installation.post("/api/v1/warehouses", warehouse).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let scope =
            Scope { tenant: installation.tenant("default").await, merchant: ids.last().unwrap().parse().unwrap() };
        let warehouse = made.json()["id"].as_str().unwrap().parse().unwrap();
        let (connection, settings) = (format!("{name} connection"), ConnectionSettings::default());
        installation.hub.db.create_connection(&scope, &connection, &store, &warehouse, &settings).await.unwrap();
    }
    ids
}

fn names(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_limited_to_merchants_sees_only_those() {
    let installation = Installation::new().await;
    brands(&installation).await;
    let mut ada = administrator(&installation).await;
    let limit = json!({ "role": "staff", "merchants": ["Acme", "Cask"] });
    let mut joe = invited(&mut ada, "joe@example.com", limit).await;
    let sees = ["Acme", "Cask"];
    assert_eq!(names(&joe.get("/api/v1/merchants").await.json()), sees);
    for (list, kind) in [("stores", "store"), ("warehouses", "warehouse"), ("connections", "connection")] {
        let expected: Vec<String> = sees.iter().map(|name| format!("{name} {kind}")).collect();
        assert_eq!(names(&joe.get(&format!("/api/v1/{list}")).await.json()), expected);
    }
    for path in
        ["/api/v1/stores/Bolt%20store", "/api/v1/warehouses/Bolt%20warehouse", "/api/v1/connections/Bolt%20connection"]
    {
        let foreign = joe.get(path).await;
        assert_eq!((foreign.status, foreign.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
        assert_eq!(joe.get(&path.replace("Bolt", "Cask")).await.status, StatusCode::OK, "{path}");
    }
    // Decides about its own, and cannot touch the others.
    let switch = json!({ "enabled": false, "every_seconds": 60 });
    let own = joe.put("/api/v1/connections/Cask%20connection/channels/orders", switch.clone()).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    let foreign = joe.put("/api/v1/connections/Bolt%20connection/channels/orders", switch).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{}", foreign.text);
    // Does not administer anything, not even of its own.
    for (method, path, body) in [
        ("POST", "/api/v1/merchants", json!({ "name": "x" })),
        ("GET", "/api/v1/audit", json!(null)),
        ("GET", "/api/v1/configuration", json!(null)),
        ("PUT", "/api/v1/stores/Cask%20store", json!({ "settings": {}, "secrets": {} })),
        ("PUT", "/api/v1/connections/Cask%20connection/settings", json!({ "import_statuses": ["x"] })),
    ] {
        let answer = joe.ask(method, path, Some(body).filter(|body| !body.is_null())).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
    }
    // With other limits, it sees others from the next request on.
    let changed = ada.put("/api/v1/people/joe@example.com", json!({ "role": "staff", "merchants": ["Bolt"] })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(names(&joe.get("/api/v1/stores").await.json()), ["Bolt store"]);
    ada.put("/api/v1/people/joe@example.com", json!({ "role": "staff" })).await;
    assert_eq!(joe.get("/api/v1/stores").await.json()["items"].as_array().unwrap().len(), 3, "unlimited");
    let unknown = ada.put("/api/v1/people/joe@example.com", json!({ "role": "staff", "merchants": ["Nobody"] })).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_looks_at_its_own_and_changes_nothing_but_itself() {
    let installation = Installation::new().await;
    let ids = brands(&installation).await;
    let mut ada = administrator(&installation).await;
    let none = json!({ "email": "m@example.com", "name": "M", "role": "merchant" });
    assert_eq!(ada.post("/api/v1/invitations", none).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let limit = json!({ "role": "merchant", "merchants": [ids[1]] });
    let mut mia = invited(&mut ada, "mia@example.com", limit).await;
    assert_eq!(names(&mia.get("/api/v1/stores").await.json()), ["Bolt store"]);
    for path in ["/api/v1/orders", "/api/v1/shipments", "/api/v1/effects", "/api/v1/exceptions", "/api/v1/findings"] {
        assert_eq!(mia.get(path).await.status, StatusCode::OK, "{path}");
    }
    for (method, path) in routes("nothing") {
        if path.contains("/session") || method == "GET" {
            continue;
        }
        let answer = mia.ask(&method, &path, Some(json!({}))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
        assert_eq!(answer.problem(), "forbidden", "{method} {path}");
    }
    for path in ["/api/v1/people", "/api/v1/keys", "/api/v1/audit", "/api/v1/configuration", "/api/v1/invitations"] {
        assert_eq!(mia.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let password = json!({ "current": super::browser::PASSWORD, "new": "a password of my own choosing" });
    assert_eq!(mia.put("/api/v1/session/password", password).await.status, StatusCode::OK);
    assert_eq!(mia.delete("/api/v1/session").await.status, StatusCode::NO_CONTENT);
}

/// Whoever names an account need not be whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn tenants_who_name_the_same_account_share_no_budget() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    connected(&installation, &source.base_url(), "/var/empty").await;
    let other = installation.hub.db.create_tenant("other").await.unwrap();
    let key = installation.key(&other, Role::Admin, None).await;
    let own = installation.key(&installation.tenant("default").await, Role::Admin, None).await;
    let ask = async |method: &str, path: &str, key: &str, body: Value| {
        let body = Some(&body).filter(|body| !body.is_null());
        installation.ask(method, &format!("/api/v1/{path}"), Some(key), body).await
    };
    let before = ask("GET", "budgets", &own, Value::Null).await.json();
    assert_eq!(ask("POST", "merchants", &key, json!({ "name": "Theirs" })).await.status, StatusCode::CREATED);
    let store = json!({
        "name": "BP", "merchant": "Theirs", "platform": "brightpearl",
        "settings": {
            "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test",
            "base_url": source.base_url(), "calls_per_minute": "30",
        },
        "secrets": { "password": "example-password" },
    });
    assert_eq!(ask("POST", "stores", &key, store).await.status, StatusCode::CREATED);
    let tested = ask("POST", "stores/BP/test", &key, json!({})).await;
    assert_eq!(tested.json()["ok"], true, "{}", tested.text);
    let theirs = ask("GET", "budgets", &key, Value::Null).await.json();
    assert_eq!(theirs["brightpearl:acme"]["limit"], 30, "{theirs}");
    assert!(!theirs["brightpearl:acme"]["calls"].as_object().unwrap().is_empty(), "{theirs}");
    assert_eq!(ask("GET", "budgets", &own, Value::Null).await.json(), before, "neither its calls nor its limit");
}
