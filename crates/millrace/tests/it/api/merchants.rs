//! All of a merchant's data: as one archive, and without the people in it.

use std::{collections::BTreeMap, process::Command};

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use connect::{FeedCursor, Side};
use engine::effect::EffectState;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::{
    browser::{PASSWORD, administrator, with_time},
    orders::Shop,
};
use crate::db::world::{busy_neighbour, carry_out, order, request_key, shipment};

/// What makes a person of an address.
const PEOPLE: [&str; 4] = ["Lovelace", "James", "SW1Y", "lovelace"];

/// The files of a merchant's archive, as another program unpacks them.
async fn unpacked(shop: &Shop) -> BTreeMap<String, String> {
    let request = Request::get("/api/v1/merchants/Acme/export")
        .header("authorization", format!("Bearer {}", shop.installation.administrator));
    let answer = shop.installation.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/gzip");
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("it.tar.gz");
    std::fs::write(&packed, to_bytes(answer.into_body(), 64 << 20).await.unwrap()).unwrap();
    let files = folder.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let done = Command::new("tar").arg("-xzf").arg(&packed).arg("-C").arg(&files).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(files.join("manifest.json")).unwrap()).unwrap();
    let mut read = BTreeMap::new();
    for file in manifest["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        let text = std::fs::read_to_string(files.join(name)).unwrap();
        let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (file["sha256"].as_str(), file["bytes"].as_u64()),
            (Some(&*digest), Some(text.len() as u64)),
            "{name}"
        );
        read.insert(name.to_owned(), text);
    }
    read
}

fn lines(files: &BTreeMap<String, String>, name: &str) -> Vec<Value> {
    files[name].lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A merchant with three orders, of which two are over, beside another one that is busy.
async fn shop() -> Shop {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    shop.orders(3).await;
    carry_out(db, &shop.key, Side::Warehouse, &[EffectState::Applied]).await;
    let left = vec![shipment(&order(1), "S1", &request_key(1), &[3, 1])];
    db.record_shipments(&shop.key, left, Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
    // What its shipment led to at the source is over, too.
    carry_out(db, &shop.key, Side::Source, &[EffectState::Applied]).await;
    for number in [1, 2] {
        let archived = shop.post(&format!("orders/{number}/archive"), json!({})).await;
        assert_eq!(archived.status, StatusCode::OK, "{}", archived.text);
    }
    let brand = db.create_merchant(&shop.key.scope.tenant, "Brand").await.unwrap();
    busy_neighbour(db, &shop.key.scope.tenant, &brand).await;
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_merchant_is_one_archive() {
    let shop = shop().await;
    let files = unpacked(&shop).await;
    let orders = lines(&files, "orders-0001.ndjson");
    assert_eq!(orders.len(), 3, "its own, archived ones too, and no other's");
    assert!(orders.iter().all(|order| order["deliver_to"]["name"] == "Ada Lovelace" && order["timeline"].is_array()));
    assert_eq!(lines(&files, "shipments-0001.ndjson").len(), 1);
    assert!(lines(&files, "effects-0001.ndjson").len() >= 3);
    assert_eq!(lines(&files, "connections.ndjson")[0]["settings"]["import_statuses"].as_array().unwrap().len(), 1);
    assert_eq!(lines(&files, "stores.ndjson")[0]["secrets"], json!(["password"]), "that there is one, and not which");
    let listings = &files[&format!("mappings/{}/listings.csv", shop.key.connection)];
    assert_eq!(listings, "brightpearl_sku,warehouse_sku\r\n");
    for list in ["exceptions-0001.ndjson", "findings-0001.ndjson", "census.csv", "webhooks.ndjson"] {
        assert!(files.contains_key(list), "{list} of {:?}", files.keys());
    }
    for (name, text) in &files {
        assert!(!text.contains("example-password") && !text.contains("mr_"), "{name} holds a secret");
    }
    let trail = shop.installation.get("/api/v1/audit?limit=500").await.text;
    assert_eq!(trail.matches("\"merchant.export\"").count(), 1, "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_erased_from_what_is_over() {
    let shop = shop().await;
    let path = "merchants/Acme/erasure";
    let seen = shop.get(path).await;
    assert_eq!((&seen["orders"], &seen["in_flight"]), (&json!(2), &json!(1)), "{seen}");
    let journal = |files: &BTreeMap<String, String>| files["effects-0001.ndjson"].clone();
    let before = unpacked(&shop).await;
    // Who has not looked, or does not say why, erases nothing.
    let other = shop.post(path, json!({ "orders": 1, "reason": "asked for" })).await;
    assert_eq!((other.status, other.problem().as_str()), (StatusCode::CONFLICT, "conflict"), "{}", other.text);
    let mute = shop.post(path, json!({ "orders": 2, "reason": " " })).await;
    assert_eq!(mute.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", mute.text);
    assert_eq!(shop.get(path).await, seen);

    let done = shop.post(path, json!({ "orders": 2, "reason": "asked for" })).await;
    assert_eq!((done.status, &done.json()["orders"]), (StatusCode::OK, &json!(2)), "{}", done.text);
    assert_eq!(shop.get(path).await["orders"], 0);
    let after = unpacked(&shop).await;
    for order in lines(&after, "orders-0001.ndjson") {
        let told = order.to_string();
        let people = PEOPLE.iter().filter(|word| told.contains(*word)).count();
        match order["number"].as_i64().unwrap() {
            3 => assert!(people > 0, "what is under way needs its address: {told}"),
            _ => assert!(people == 0 && told.contains("SKU-1001") && told.contains("\"GB\""), "{told}"),
        }
    }
    assert_eq!(journal(&after), journal(&before), "what was done is as it was");
    assert_eq!(after["shipments-0001.ndjson"], before["shipments-0001.ndjson"]);
    let found = shop.get("orders?state=archived,open&text=lovelace&merchant=Acme").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    let found = shop.get("orders?state=archived&text=lovelace&merchant=Brand").await;
    assert_eq!(found["items"], json!([]), "none of the other merchant's is archived");
    let brand = shop.get("merchants/Brand/erasure").await;
    assert_eq!((&brand["orders"], &brand["in_flight"]), (&json!(0), &json!(20)), "it is as it was: {brand}");
    let trail = shop.installation.get("/api/v1/audit?limit=500").await.text;
    for action in ["\"merchant.erase\"", "\"merchant.erased\""] {
        assert_eq!(trail.matches(action).count(), 1, "{trail}");
    }
    assert!(trail.contains("asked for"), "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_need_the_password_lately() {
    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    ada.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    clock.pass(SignedDuration::from_mins(11));
    let export = ada.get("/api/v1/merchants/Acme/export").await;
    assert_eq!((export.status, export.problem().as_str()), (StatusCode::UNAUTHORIZED, "proof_needed"));
    let given = json!({ "orders": 0, "reason": "asked for" });
    let erase = ada.post("/api/v1/merchants/Acme/erasure", given.clone()).await;
    assert_eq!((erase.status, erase.problem().as_str()), (StatusCode::UNAUTHORIZED, "proof_needed"));
    assert_eq!(ada.get("/api/v1/merchants/Acme/erasure").await.status, StatusCode::OK, "to look needs none");
    assert_eq!(ada.post("/api/v1/session/proof", json!({ "password": PASSWORD })).await.status, StatusCode::OK);
    assert_eq!(ada.post("/api/v1/merchants/Acme/erasure", given).await.status, StatusCode::OK);
}
