//! Other names, and taking away: what something depends on stays, and what has a history is put away with it.

use axum::http::StatusCode;
use millrace::db::OrderQuery;
use serde_json::{Value, json};

use super::{
    Answer, Installation,
    access::{brightpearl, connected},
    orders::Shop,
};

async fn patch(installation: &Installation, path: &str, name: &str) -> Answer {
    installation.ask("PATCH", path, Some(&installation.administrator), Some(&json!({ "name": name }))).await
}

async fn delete(installation: &Installation, path: &str) -> Answer {
    installation.ask("DELETE", path, Some(&installation.administrator), None).await
}

fn refused(answer: &Answer, because: &str) {
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert_eq!(answer.problem(), "conflict");
    assert!(answer.json()["detail"].as_str().unwrap().contains(because), "{}", answer.text);
    assert!(!answer.json()["remedy"].as_str().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_change_and_what_is_unused_goes() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let of = format!("/api/v1/connections/{connection}");
    for (path, name) in [
        ("/api/v1/merchants/Acme", "Acme Ltd"),
        ("/api/v1/stores/BP", "Shop"),
        ("/api/v1/warehouses/WH", "Barn"),
        (of.as_str(), "first"),
    ] {
        let renamed = patch(&installation, path, name).await;
        assert_eq!(renamed.status, StatusCode::OK, "{path}: {}", renamed.text);
        assert_eq!(renamed.json()["name"], name);
    }
    let shown = installation.get("/api/v1/connections/first").await.json();
    assert_eq!((&shown["store_name"], &shown["warehouse_name"]), (&json!("Shop"), &json!("Barn")));
    let settings = installation.get("/api/v1/stores/Shop").await.json();
    assert_eq!(settings["settings"]["account_id"], "acme", "only the name changes");
    assert_eq!(settings["secrets"], json!(["password"]));
    installation.post("/api/v1/merchants", json!({ "name": "Other" })).await;
    refused(&patch(&installation, "/api/v1/merchants/Other", "Acme Ltd").await, "already");
    assert_eq!(patch(&installation, "/api/v1/stores/Shop", " ").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(patch(&installation, "/api/v1/stores/none", "Some").await.status, StatusCode::NOT_FOUND);

    refused(&delete(&installation, "/api/v1/merchants/Acme%20Ltd").await, "stores: 1");
    refused(&delete(&installation, "/api/v1/stores/Shop").await, "\"first\"");
    refused(&delete(&installation, "/api/v1/warehouses/Barn").await, "\"first\"");
    let on = installation.put(&format!("{of}/channels/orders"), json!({ "enabled": true })).await;
    assert_eq!(on.status, StatusCode::OK);
    let on = installation.post(&format!("{of}/enable"), json!({})).await;
    assert_eq!(on.status, StatusCode::OK, "{}", on.text);
    refused(&delete(&installation, &of).await, "switched on");
    installation.post(&format!("{of}/disable"), json!({})).await;

    // Nothing has happened with it: nothing of it is left, and then of what it used.
    let gone = delete(&installation, &of).await;
    assert_eq!((gone.status, gone.json()), (StatusCode::OK, json!({ "outcome": "deleted" })));
    assert_eq!(installation.get(&of).await.status, StatusCode::NOT_FOUND);
    for path in ["/api/v1/stores/Shop", "/api/v1/warehouses/Barn", "/api/v1/merchants/Acme%20Ltd"] {
        let gone = delete(&installation, path).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{path}: {}", gone.text);
        assert_eq!(delete(&installation, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let audit = installation.get("/api/v1/audit?limit=500").await.json();
    let acts: Vec<&str> = audit["items"].as_array().unwrap().iter().filter_map(|row| row["action"].as_str()).collect();
    for act in [
        "merchant.rename",
        "store.rename",
        "warehouse.rename",
        "connection.rename",
        "connection.delete",
        "store.delete",
        "warehouse.delete",
        "merchant.delete",
    ] {
        assert_eq!(acts.iter().filter(|row| **row == act).count(), 1, "{act} in {acts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_history_is_put_away_with_it() {
    let shop = Shop::new().await;
    shop.orders(1).await;
    let (installation, connection, order) = (&shop.installation, shop.key.connection.to_string(), 1);
    let of = format!("/api/v1/connections/{connection}");
    refused(&delete(installation, &of).await, "in flight");
    let cancelled = installation.post(&format!("/api/v1/orders/{order}/cancel"), json!({ "reason": "a test" })).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.text);

    let away = delete(installation, &of).await;
    assert_eq!(away.status, StatusCode::OK, "{}", away.text);
    assert_eq!(away.json()["outcome"], "archived");
    let name = away.json()["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("main (archived "), "{name}");
    assert_eq!(installation.get("/api/v1/connections").await.json()["items"], json!([]), "lists leave it out");
    let all = installation.get("/api/v1/connections?archived=true").await.json();
    assert_eq!(all["items"][0]["state"], "archived");
    let kept = installation.get(&format!("/api/v1/orders/{order}")).await;
    assert_eq!(kept.status, StatusCode::OK, "its history can be read: {}", kept.text);
    let tenant = installation.tenant("default").await;
    let orders = OrderQuery { limit: 10, ..OrderQuery::default() };
    assert_eq!(installation.hub.db.list_orders(&(&tenant).into(), orders).await.unwrap().items.len(), 1);

    // It cannot be switched on again, and is not put away twice; its store and warehouse stay with it.
    refused(&installation.post(&format!("{of}/enable"), json!({})).await, "put away");
    let stock = installation.put(&format!("{of}/channels/orders"), json!({ "enabled": true })).await;
    refused(&stock, "put away");
    refused(&delete(installation, &of).await, "already");
    refused(&delete(installation, "/api/v1/stores/BP").await, "archived");

    // Its name is free, in a file too.
    let exported = installation.get("/api/v1/configuration").await.text;
    assert!(!exported.contains("archived"), "{exported}");
    let again = json!({ "name": "main", "store": "BP", "warehouse": "WH", "settings": {
        "import_statuses": ["Ready to ship"], "warehouse": "Example 3PL", "unmapped_sku": "pass_through",
        "default_ship_method": { "carrier": "UPS", "service": "Ground" },
    } });
    let again = installation.post("/api/v1/connections", again).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    assert_ne!(again.json()["id"], Value::from(connection));
}
