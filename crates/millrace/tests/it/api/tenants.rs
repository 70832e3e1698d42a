//! Tenants as an operator makes, disables and enables them.

use axum::http::StatusCode;
use millrace::{
    db::{Access, NewApiKey},
    operate::{Role, keys},
};
use serde_json::{Value, json};

use super::{
    Installation,
    browser::{Browser, PASSWORD, administrator, invited},
};

async fn come(installation: &Installation, link: &Value, email: &str) -> StatusCode {
    let given = json!({ "token": link["token"], "email": email, "name": "First", "password": PASSWORD });
    Browser::new(installation).post("/api/v1/links/redeem", given).await.status
}

/// One operator, two tenants that share names and numbers: each has its own people, and the operator says whose data it means.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_made_with_the_link_for_its_first_administrator() {
    let installation = Installation::new().await;
    let made = installation.post("/api/v1/tenants", json!({ "name": "North" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    assert_eq!((&made["tenant"]["people"], &made["tenant"]["disabled_at"]), (&json!(0), &Value::Null));
    assert!(made["link"]["link"].as_str().unwrap().contains("/setup#"));
    let again = installation.post("/api/v1/tenants", json!({ "name": "North" })).await;
    assert_eq!((again.status, again.problem().as_str()), (StatusCode::CONFLICT, "conflict"));
    let nameless = installation.post("/api/v1/tenants", json!({ "name": " " })).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);

    // The link works once, and another one ends it.
    let newer = installation.post("/api/v1/tenants/North/set-up", json!({})).await;
    assert_eq!(newer.status, StatusCode::CREATED, "{}", newer.text);
    assert_eq!(come(&installation, &made["link"], "nora@example.com").await, StatusCode::NOT_FOUND);
    assert_eq!(come(&installation, &newer.json(), "nora@example.com").await, StatusCode::CREATED);
    assert_eq!(come(&installation, &newer.json(), "eve@example.com").await, StatusCode::NOT_FOUND);
    let over = installation.post("/api/v1/tenants/North/set-up", json!({})).await;
    assert_eq!((over.status, over.problem().as_str()), (StatusCode::CONFLICT, "conflict"));

    // Who came administers that tenant and nothing else; the installation's own set-up still waits for its first.
    let mut nora = Browser::new(&installation).signed_in("nora@example.com", PASSWORD).await;
    let session = nora.get("/api/v1/session").await.json();
    assert_eq!(session["tenant"], made["tenant"]["id"]);
    assert_eq!(
        (&session["person"]["role"], &session["person"]["installation"]),
        (&json!("administrator"), &json!(false))
    );
    for (method, path) in
        [("GET", "/api/v1/tenants"), ("POST", "/api/v1/tenants"), ("POST", "/api/v1/tenants/default/disable")]
    {
        let body = (method == "POST").then(|| json!({ "name": "South" }));
        assert_eq!(nora.ask(method, path, body).await.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    let mut ada = administrator(&installation).await;
    let listed = ada.get("/api/v1/tenants?limit=1").await.json();
    assert_eq!(listed["items"][0]["name"], "default");
    let next = listed["next"].as_str().unwrap();
    let rest = ada.get(&format!("/api/v1/tenants?limit=1&cursor={next}")).await.json();
    assert_eq!((&rest["items"][0]["name"], &rest["items"][0]["people"]), (&json!("North"), &json!(1)));
    assert_eq!(rest["next"], Value::Null);

    // The same names, apart.
    assert_eq!(nora.post("/api/v1/merchants", json!({ "name": "Acme" })).await.status, StatusCode::CREATED);
    assert_eq!(ada.get("/api/v1/merchants").await.json()["items"], json!([]));
    assert_eq!(nora.get("/api/v1/people").await.json()["items"].as_array().unwrap().len(), 1);
    let trail = nora.get("/api/v1/audit?limit=100").await.text;
    assert!(trail.contains("tenant.create") && trail.contains("person.create"), "{trail}");
    assert!(!trail.contains("ada@example.com"), "{trail}");
}

/// Disabled, nothing of a tenant lets anybody in, nothing of it is work to do, and all of it is there when it is enabled.
#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_tenant_keeps_its_data_and_lets_nobody_in() {
    let installation = Installation::new().await;
    let made = installation.post("/api/v1/tenants", json!({ "name": "North" })).await.json();
    assert_eq!(come(&installation, &made["link"], "nora@example.com").await, StatusCode::CREATED);
    let mut nora = Browser::new(&installation).signed_in("nora@example.com", PASSWORD).await;
    let bob = invited(&mut nora, "bob@example.com", json!({ "role": "staff" })).await;
    let guest =
        nora.post("/api/v1/invitations", json!({ "email": "g@example.com", "name": "G", "role": "staff" })).await;
    let north = installation.tenant("North").await;
    let merchant = installation.hub.db.create_merchant(&north, "Acme").await.unwrap();
    let key = installation.key(&north, Role::Admin, None).await;
    let mut ada = administrator(&installation).await;

    // Only who administers the installation, and not the tenant that such a person is in.
    let refused = ada.post("/api/v1/tenants/default/disable", json!({})).await;
    assert_eq!((refused.status, refused.problem().as_str()), (StatusCode::CONFLICT, "conflict"), "{}", refused.text);
    let disabled = ada.post("/api/v1/tenants/North/disable", json!({})).await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.text);
    let since = disabled.json()["disabled_at"].clone();
    assert!(since.is_string());
    // A second time it stays as it is.
    assert_eq!(ada.post("/api/v1/tenants/North/disable", json!({})).await.json()["disabled_at"], since);

    let keyed = installation.ask("GET", "/api/v1/merchants", Some(&key), None).await;
    assert_eq!(keyed.status, StatusCode::UNAUTHORIZED);
    for mut browser in [nora, bob] {
        assert_eq!(browser.get("/api/v1/session").await.status, StatusCode::UNAUTHORIZED);
    }
    let mut door = Browser::new(&installation);
    let unknown = door.sign_in("nobody@example.com", PASSWORD).await;
    let known = door.sign_in("nora@example.com", PASSWORD).await;
    assert_eq!((known.status, known.json()["detail"].clone()), (unknown.status, unknown.json()["detail"].clone()));
    let named = json!({ "email": "nora@example.com", "password": PASSWORD, "tenant": "North" });
    assert_eq!(door.post("/api/v1/session", named).await.problem(), "sign_in_refused");
    let link = json!({ "token": guest.json()["token"], "password": PASSWORD });
    assert_eq!(
        door.post("/api/v1/links/describe", json!({ "token": link["token"] })).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(door.post("/api/v1/links/redeem", link.clone()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ada.post("/api/v1/tenants/North/set-up", json!({})).await.status, StatusCode::CONFLICT);

    // The operator still sees what is there.
    let there = ada
        .installation
        .send(
            ada.request("GET", "/api/v1/merchants")
                .header("millrace-tenant", "North")
                .body(String::new().into())
                .unwrap(),
        )
        .await;
    assert_eq!(there.json()["items"][0]["id"], merchant.as_str());

    // A key made by other means works no more than those from before.
    let secret = keys::generate(&connect::OsRandom);
    let new = NewApiKey {
        tenant: Some(north.clone()),
        name: "later".to_owned(),
        hash: keys::hash(&secret),
        role: "admin".to_owned(),
        scopes: String::new(),
        merchant: None,
        warehouse: None,
        expires_at: None,
    };
    installation.hub.db.create_api_key(new, "test").await.unwrap();
    let later = installation.ask("GET", "/api/v1/merchants", Some(&secret), None).await;
    assert_eq!(later.status, StatusCode::UNAUTHORIZED);

    let enabled = ada.post("/api/v1/tenants/North/enable", json!({})).await;
    assert_eq!((enabled.status, &enabled.json()["disabled_at"]), (StatusCode::OK, &Value::Null));
    let mut nora = Browser::new(&installation).signed_in("nora@example.com", PASSWORD).await;
    assert_eq!(nora.get("/api/v1/merchants").await.json()["items"][0]["id"], merchant.as_str());
    assert_eq!(nora.get("/api/v1/session/all").await.json().as_array().unwrap().len(), 1, "the old sessions are over");
    assert_eq!(door.post("/api/v1/links/redeem", link).await.status, StatusCode::CREATED);
    let trail = installation.hub.db.audit_after(&Access::Tenant(north), 0, 100).await.unwrap();
    let actions: Vec<&str> = trail.iter().map(|row| row.action.as_str()).collect();
    assert!(actions.contains(&"tenant.disable") && actions.contains(&"tenant.enable"), "{actions:?}");
}

/// Somebody else may have the same address in another tenant. That they get in says nothing of whoever guesses at this one.
#[tokio::test(flavor = "multi_thread")]
async fn who_gets_in_elsewhere_under_the_same_address_clears_nobody_elses_tries() {
    let installation = Installation::new().await;
    administrator(&installation).await;
    let made = installation.post("/api/v1/tenants", json!({ "name": "North" })).await.json();
    assert_eq!(come(&installation, &made["link"], "ada@example.com").await, StatusCode::CREATED);
    let mut refused = 0;
    for number in 0..20 {
        let from = |group: u8| format!("198.51.100.{}:1", group + number).parse().unwrap();
        let mut guesser = Browser { peer: from(0), ..Browser::new(&installation) };
        match guesser.sign_in("ada@example.com", "wrong, and long").await.status {
            StatusCode::TOO_MANY_REQUESTS => refused += 1,
            other => assert_eq!(other, StatusCode::UNAUTHORIZED),
        }
        let mut theirs = Browser { peer: from(100), ..Browser::new(&installation) };
        let given = json!({ "email": "ada@example.com", "password": PASSWORD, "tenant": "North" });
        let came = theirs.post("/api/v1/session", given).await;
        assert_eq!(came.status, StatusCode::CREATED, "who guesses at one keeps no other out: {}", came.text);
    }
    assert!(refused >= 10, "{refused} of 20 guesses were not looked at");
}

/// Tries that count elsewhere would tell who is here.
#[tokio::test(flavor = "multi_thread")]
async fn how_often_one_may_try_does_not_say_who_is_there() {
    let installation = Installation::new().await;
    administrator(&installation).await;
    let mut told = Vec::new();
    for (number, email) in ["ada@example.com", "nobody@example.com"].into_iter().enumerate() {
        let mut statuses = Vec::new();
        for tenant in [json!("nowhere"), json!("default"), Value::Null] {
            for _ in 0..7 {
                let peer = format!("198.51.100.{}:1", 10 * number + statuses.len() % 10).parse().unwrap();
                let mut guesser = Browser { peer, ..Browser::new(&installation) };
                let given = json!({ "email": email, "password": "wrong, and long", "tenant": tenant });
                statuses.push(guesser.post("/api/v1/session", given).await.status);
            }
        }
        told.push(statuses);
    }
    assert_eq!(told[0], told[1]);
    assert!(
        told[0].contains(&StatusCode::TOO_MANY_REQUESTS) && told[0].contains(&StatusCode::UNAUTHORIZED),
        "{told:?}"
    );
}
