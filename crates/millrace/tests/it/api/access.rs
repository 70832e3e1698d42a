//! Who may ask for what (security control 6): every documented route, with every kind of key.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use connect::ConnectionId;
use millrace::{
    api,
    db::ConnectionKey,
    operate::{Role, scopes::AREAS},
};
use serde_json::{Value, json};
use simulators::brightpearl;

use super::Installation;

/// The routes that need nothing, because who uses them is not signed in yet.
pub const OPEN: [&str; 7] = [
    "get /api/v1/session/provider",
    "post /api/v1/links/describe",
    "post /api/v1/links/hand-off",
    "post /api/v1/links/redeem",
    "post /api/v1/session",
    "post /api/v1/session/provider",
    "post /api/v1/session/provider/code",
];

/// Every documented route but the open ones: method, and path with `id` in the place of its parameters.
pub fn routes(id: &str) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let mut routes = Vec::new();
    let mut open = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let mut filled = path.clone();
        while let Some(start) = filled.find('{') {
            let end = filled.find('}').unwrap();
            let name = &filled[start + 1..end];
            let value = if name == "channel" { "orders" } else { id };
            filled = format!("{}{value}{}", &filled[..start], &filled[end + 1..]);
        }
        for (method, operation) in methods.as_object().unwrap() {
            if operation["security"] == json!([{}]) || operation["security"] == json!([]) {
                open.push(format!("{method} {path}"));
            } else {
                routes.push((method.to_uppercase(), filled.clone()));
            }
        }
    }
    open.sort();
    assert_eq!(open, OPEN, "what is open is written down here");
    assert!(routes.len() > 40, "{} routes", routes.len());
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_without_a_key() {
    let installation = Installation::new().await;
    let wrong = format!("mr_{}", "0".repeat(64));
    for (method, path) in routes("nothing") {
        for key in [None, Some("nonsense"), Some(wrong.as_str())] {
            let answer = installation.ask(&method, &path, key, None).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.problem(), "unauthorised");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(installation.ask("GET", path, None, None).await.status, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_look_changes_nothing() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    let read = installation.key(&tenant, Role::Read, None).await;
    for (method, path) in routes("nothing").into_iter().filter(|(method, _)| method != "GET") {
        let answer = installation.ask(&method, &path, Some(&read), Some(&json!({}))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
        assert_eq!(answer.problem(), "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_does_not_administer() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    let staff = installation.key(&tenant, Role::Staff, None).await;
    for (method, path, body) in [
        ("GET", "/api/v1/keys", None),
        ("POST", "/api/v1/keys", Some(json!({ "name": "x", "role": "admin" }))),
        ("DELETE", "/api/v1/keys/key_1", None),
        ("GET", "/api/v1/audit", None),
        ("GET", "/api/v1/configuration", None),
        ("PUT", "/api/v1/configuration", Some(json!({ "toml": "" }))),
        ("POST", "/api/v1/merchants", Some(json!({ "name": "x" }))),
    ] {
        let answer = installation.ask(method, path, Some(&staff), body.as_ref()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {}", answer.text);
    }
}

/// Every documented route with a tag of its own area: area, method, and path with `nothing` in the place of its parameters.
pub fn routes_by_area() -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled: Vec<&str> =
            path.split('/').map(|part| if part.starts_with('{') { "nothing" } else { part }).collect();
        for (method, operation) in methods.as_object().unwrap() {
            let area = operation["tags"][0].as_str().expect("a tag").to_owned();
            found.push((area, method.to_uppercase(), filled.join("/")));
        }
    }
    found
}

/// No key with a role opens these: one is for people about themselves, the other for the systems of warehouses.
pub const NO_AREAS: [&str; 2] = ["session", "warehouse"];

#[test]
fn every_tag_is_an_area_that_a_key_can_be_limited_to() {
    let tags: BTreeSet<String> = routes_by_area().into_iter().map(|(area, ..)| area).collect();
    let areas: BTreeSet<String> = AREAS.into_iter().chain(NO_AREAS).map(str::to_owned).collect();
    assert_eq!(tags, areas);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_scopes_opens_their_areas_and_no_other() {
    let installation = Installation::new().await;
    let tenant = installation.tenant("default").await;
    let routes = routes_by_area();
    for area in AREAS {
        let others: Vec<String> =
            AREAS.into_iter().filter(|other| *other != area).map(|other| format!("{other}:write")).collect();
        let elsewhere = installation.key_with(&tenant, Role::Admin, None, &others.join(" ")).await;
        let looks = installation.key_with(&tenant, Role::Admin, None, &format!("{area}:read")).await;
        let changes = installation.key_with(&tenant, Role::Admin, None, &format!("{area}:write")).await;
        for (_, method, path) in routes.iter().filter(|(of, ..)| of == area) {
            let body = (method != "GET").then(|| json!({}));
            let ask = async |key: &str| installation.ask(method, path, Some(key), body.as_ref()).await;
            let verb = if method == "GET" { "read" } else { "write" };
            let needed = format!("this needs the scope {area}:{verb}");
            let refused = ask(&elsewhere).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}: {}", refused.text);
            assert!(refused.text.contains(&needed), "{method} {path}: {}", refused.text);
            // The stream of events has no end that could be waited for.
            if area == "events" {
                continue;
            }
            let looked = ask(&looks).await;
            assert_eq!(
                looked.text.contains("this needs the scope"),
                method != "GET",
                "{method} {path}: {}",
                looked.text
            );
            let changed = ask(&changes).await;
            assert!(!changed.text.contains("this needs the scope"), "{method} {path}: {}", changed.text);
            assert_ne!(changed.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_no_key_that_may_more_than_itself() {
    let installation = Installation::new().await;
    let make = async |key: &str, body: Value| installation.ask("POST", "/api/v1/keys", Some(key), Some(&body)).await;
    let keeper = json!({ "name": "keeper", "role": "admin", "scopes": ["keys:write", "orders:read"] });
    let keeper = make(&installation.administrator, keeper).await;
    assert_eq!(keeper.status, StatusCode::CREATED, "{}", keeper.text);
    let keeper = keeper.json()["key"].as_str().unwrap().to_owned();
    for scopes in [json!([]), json!(["orders:write"]), json!(["keys:write", "stock:read"])] {
        let answer = make(&keeper, json!({ "name": "wider", "role": "admin", "scopes": scopes })).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        assert!(answer.text.contains("keys:write orders:read"), "{}", answer.text);
    }
    let desk =
        installation.ask("POST", "/api/v1/warehouses/any/keys", Some(&keeper), Some(&json!({ "name": "desk" }))).await;
    assert_eq!(desk.status, StatusCode::FORBIDDEN, "{}", desk.text);
    assert!(desk.text.contains("may more than itself"), "{}", desk.text);
    let within = make(&keeper, json!({ "name": "reads", "role": "read", "scopes": ["orders:read"] })).await;
    assert_eq!(within.status, StatusCode::CREATED, "{}", within.text);
    let reads = within.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(installation.ask("GET", "/api/v1/orders", Some(&reads), None).await.status, StatusCode::OK);
    let listed = installation.ask("GET", "/api/v1/keys", Some(&keeper), None).await.json();
    assert_eq!(listed["items"][0]["scopes"], json!(["orders:read"]));

    for (role, scopes) in
        [("read", json!(["orders:write"])), ("staff", json!(["orders"])), ("staff", json!(["order:read"]))]
    {
        let answer = make(&installation.administrator, json!({ "name": "x", "role": role, "scopes": scopes })).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid".to_owned()),
            "{}",
            answer.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_at_once() {
    let installation = Installation::new().await;
    let made = installation.post("/api/v1/keys", json!({ "name": "short", "role": "read" })).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(installation.ask("GET", "/api/v1/orders", Some(key), None).await.status, StatusCode::OK);
    let path = format!("/api/v1/keys/{id}");
    let revoked = installation.ask("DELETE", &path, Some(&installation.administrator), None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(installation.ask("GET", "/api/v1/orders", Some(key), None).await.status, StatusCode::UNAUTHORIZED);
    let listed = installation.get("/api/v1/keys").await;
    assert!(!listed.text.contains(key), "a key is shown once");
}

/// A store and a warehouse with a connection between them, by the API alone. Its id and the merchant's.
pub async fn connected(installation: &Installation, base_url: &str, folder: &str) -> (String, String) {
    let merchant = installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await.json();
    let store = json!({
        "name": "BP", "merchant": "Acme", "platform": "brightpearl",
        "settings": {
            "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test", "base_url": base_url,
            // Who may what is asked here, not how many calls are left.
            "calls_per_minute": "60000",
        },
        "secrets": { "password": "example-password" },
    });
    let made = installation.post("/api/v1/stores", store).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert!(!made.text.contains("example-password"));
    let warehouse = json!({
        "name": "WH", "merchant": "Acme", "platform": "dsfx", "settings": { "transport": "folder", "folder": folder },
    });
    let made = installation.post("/api/v1/warehouses", warehouse).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let connection = json!({
        "name": "main", "store": "BP", "warehouse": "WH",
        "settings": {
            "import_statuses": ["Ready to ship"], "warehouse": "Example 3PL", "unmapped_sku": "pass_through",
            "default_ship_method": { "carrier": "UPS", "service": "Ground" },
        },
    });
    let made = installation.post("/api/v1/connections", connection).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    assert_eq!(made["webhooks"], "polling_only");
    (made["id"].as_str().unwrap().to_owned(), merchant["id"].as_str().unwrap().to_owned())
}

pub async fn brightpearl(orders: usize) -> brightpearl::Running {
    let mut account = brightpearl::AccountConfig::new("acme");
    account.data = brightpearl::DataConfig { products: 60, orders, customers: 5 };
    let config =
        brightpearl::Config { accounts: vec![account], requests_per_window: None, ..brightpearl::Config::default() };
    brightpearl::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_foreign_does_not_exist() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;

    // Another tenant, and another merchant of the same one.
    let other = installation.hub.db.create_tenant("other").await.unwrap();
    let own = installation.tenant("default").await;
    let brand = installation.hub.db.create_merchant(&own, "Brand").await.unwrap();
    let foreign = [
        installation.key(&other, Role::Admin, None).await,
        installation.key(&own, Role::Admin, Some(brand.as_str())).await,
    ];
    for key in &foreign {
        for list in ["connections", "stores", "warehouses"] {
            let answer = installation.ask("GET", &format!("/api/v1/{list}"), Some(key), None).await;
            assert_eq!(answer.json()["items"], json!([]), "{list}");
        }
        for name in [connection.as_str(), "main"] {
            for (method, path) in routes(name).into_iter().filter(|(_, path)| path.contains("/connections/")) {
                let body = if path.ends_with("/settings") {
                    json!({ "import_statuses": [1] })
                } else if path.ends_with("/channels/orders") {
                    json!({ "enabled": true })
                } else if path.ends_with("/schedule") {
                    json!({ "zone": "UTC", "rules": [] })
                } else if method == "PATCH" {
                    json!({ "name": "main" })
                } else {
                    json!({})
                };
                let answer = installation.ask(&method, &path, Some(key), Some(&body)).await;
                let nowhere = path.replace(name, "con_00000000000000000000000000");
                let nothing = installation.ask(&method, &nowhere, Some(key), Some(&body)).await;
                // What is another's cannot be told from what is nobody's.
                assert_eq!((answer.status, answer.problem()), (nothing.status, nothing.problem()), "{method} {path}");
                let limited = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN];
                assert!(limited.contains(&answer.status), "{method} {path}: {}", answer.text);
                if key == &foreign[0] {
                    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
                }
            }
        }
        for path in ["/api/v1/stores/BP", "/api/v1/warehouses/WH"] {
            assert_eq!(installation.ask("GET", path, Some(key), None).await.status, StatusCode::NOT_FOUND);
        }
    }
    // Nothing of it was done.
    let shown = installation.get("/api/v1/connections/main").await;
    // The administrator of the installation must now say whose data it means.
    assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", shown.text);
    let admin = installation.key(&own, Role::Admin, None).await;
    let shown = installation.ask("GET", "/api/v1/connections/main", Some(&admin), None).await.json();
    assert_eq!(shown["enabled"], false);
    assert!(shown["channels"].as_array().unwrap().iter().all(|channel| channel["enabled"] == false));

    let key = ConnectionKey {
        scope: millrace::db::Scope {
            tenant: own.clone(),
            merchant: installation.hub.db.merchant_by_name(&own, "Acme").await.unwrap(),
        },
        connection: connection.parse::<ConnectionId>().unwrap(),
    };
    assert!(installation.hub.db.channels(&key).await.unwrap().iter().all(|channel| channel.wanted_at.is_none()));
}
