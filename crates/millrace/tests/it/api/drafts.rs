//! Drafts of the wizard: kept for whoever began them, their secrets never shown, and gone after a month.

use axum::http::StatusCode;
use jiff::SignedDuration;
use millrace::operate::Role;
use serde_json::{Value, json};

use super::{
    Installation,
    access::brightpearl,
    browser::{administrator, invited, with_time},
};

const SECRET: &str = "example-password";

fn draft(step: u32, secrets: Value) -> Value {
    json!({ "name": "Acme UK", "content": { "step": step, "store": { "account_id": "acme" } }, "secrets": secrets })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_its_owners_and_its_secrets_are_used_and_never_shown() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let mut ann = administrator(&installation).await;
    let made = ann.post("/api/v1/drafts", draft(1, json!({ "store.password": SECRET }))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/drafts/{id}");
    let next = ann.put(&path, draft(2, json!({ "warehouse.secret": "other-secret" }))).await;
    assert_eq!(next.json()["content"]["step"], 2);
    assert_eq!(next.json()["secrets"], json!(["store.password", "warehouse.secret"]), "those not given stay");
    let less = ann.put(&path, draft(3, json!({ "warehouse.secret": "" }))).await;
    assert_eq!(less.json()["secrets"], json!(["store.password"]), "an empty one is removed");
    let list = ann.get("/api/v1/drafts").await;
    for answer in [&made, &next, &less, &list, &ann.get(&path).await] {
        assert!(!answer.text.contains(SECRET) && !answer.text.contains("other-secret"), "{}", answer.text);
    }
    let folder = installation.hub.config.key_file.parent().unwrap().to_owned();
    for file in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(
            !bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()),
            "it is sealed where it is kept"
        );
    }

    // Nobody else has it: not another administrator, not a key, not another tenant.
    let mut bob = invited(&mut ann, "bob@example.com", json!({ "role": "administrator" })).await;
    assert_eq!(bob.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/api/v1/drafts").await.json(), json!({ "items": [] }));
    assert_eq!(bob.delete(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(installation.get(&path).await.status, StatusCode::NOT_FOUND);
    let store = json!({
        "name": "BP", "merchant": "Acme", "platform": "brightpearl", "draft": id,
        "settings": {
            "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test",
            "base_url": source.base_url(), "calls_per_minute": "60000",
        },
    });
    ann.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    assert_eq!(bob.post("/api/v1/stores", store.clone()).await.status, StatusCode::NOT_FOUND, "nor its secrets");

    // Its owner tests and makes the store of it.
    let mut test = store.clone();
    for field in ["merchant", "name"] {
        test.as_object_mut().unwrap().remove(field);
    }
    let tested = ann.post("/api/v1/stores/test", test.clone()).await;
    assert_eq!((tested.status, &tested.json()["ok"]), (StatusCode::OK, &json!(true)), "{}", tested.text);
    let made = ann.post("/api/v1/stores", store).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["secrets"], json!(["password"]));
    assert_eq!(ann.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.post("/api/v1/stores/test", test).await.status, StatusCode::NOT_FOUND);

    let staff = installation.key(&installation.tenant("default").await, Role::Staff, None).await;
    let refused = installation.ask("POST", "/api/v1/drafts", Some(&staff), Some(&draft(1, json!({})))).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "who may not connect anything has none");
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_have_bounds_and_go_after_a_month() {
    let (installation, clock) = with_time().await;
    let mut ids = Vec::new();
    for step in 0..20 {
        let made = installation.post("/api/v1/drafts", draft(step, json!({ "store.password": SECRET }))).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        ids.insert(0, made.json()["id"].clone());
    }
    let many = installation.post("/api/v1/drafts", draft(0, json!({}))).await;
    assert_eq!((many.status, many.problem().as_str()), (StatusCode::CONFLICT, "conflict"));
    let page = installation.get("/api/v1/drafts?limit=15").await.json();
    let next = page["next"].as_str().unwrap().to_owned();
    let rest = installation.get(&format!("/api/v1/drafts?limit=15&cursor={next}")).await.json();
    let all = page["items"].as_array().unwrap().iter().chain(rest["items"].as_array().unwrap());
    assert_eq!(all.map(|draft| draft["id"].clone()).collect::<Vec<_>>(), ids, "the one begun last first");

    let path = format!("/api/v1/drafts/{}", ids[0].as_str().unwrap());
    for (body, at) in [
        (json!({ "name": "Large", "content": { "text": "x".repeat(70_000) } }), "content"),
        (draft(1, json!({ "password": SECRET })), "secrets"),
        (draft(1, json!({ "store.private_key": "x".repeat(17_000) })), "secrets.store.private_key"),
    ] {
        let refused = installation.put(&path, body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.json()["problems"][0]["at"], at, "{}", refused.text);
        assert!(!refused.text.contains(SECRET), "{}", refused.text);
    }

    // Each change keeps it for another month.
    clock.pass(SignedDuration::from_hours(20 * 24));
    assert_eq!(installation.put(&path, draft(9, json!({}))).await.status, StatusCode::OK);
    clock.pass(SignedDuration::from_hours(11 * 24));
    let left = installation.get("/api/v1/drafts").await.json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert_eq!(left["items"][0]["id"], ids[0]);
    let gone = format!("/api/v1/drafts/{}", ids[1].as_str().unwrap());
    assert_eq!(installation.get(&gone).await.status, StatusCode::NOT_FOUND);
    assert_eq!(installation.put(&gone, draft(1, json!({}))).await.status, StatusCode::NOT_FOUND);
    let made = installation.post("/api/v1/drafts", draft(1, json!({}))).await;
    assert_eq!(made.status, StatusCode::CREATED, "room again: {}", made.text);
}
