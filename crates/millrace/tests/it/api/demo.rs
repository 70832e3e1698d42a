//! The link of `millrace demo`: it signs the demo's own person in, once and soon, and no other program takes it.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::{OsRandom, Secret};
use jiff::SignedDuration;
use millrace::{
    api,
    db::Access,
    operate::demo::{DemoLink, LIFE},
};
use serde_json::json;

use super::{
    Installation,
    browser::{Browser, HOST, Later, PASSWORD, administrator, with_time_of},
};

const PATH: &str = "/sign-in/demo";

/// A program as the demo starts it, and the token of its link.
async fn demo() -> (Installation, std::sync::Arc<Later>, Secret) {
    let mut token = None;
    let (installation, clock) = with_time_of(|config, clock| {
        let (link, drawn) = DemoLink::draw("ada@example.com", &OsRandom, clock);
        config.demo = Some(link);
        token = Some(drawn);
    })
    .await;
    (installation, clock, token.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn its_link_signs_the_demos_person_in_once() {
    let (installation, _, token) = demo().await;
    administrator(&installation).await;
    let given = || json!({ "token": token.expose() });

    // Neither a wrong token nor another site's page uses it up.
    let wrong = json!({ "token": format!("mrl_{}", "0".repeat(64)) });
    let refused = Browser::new(&installation).post(PATH, wrong).await;
    assert_eq!((refused.status, refused.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let foreign = Request::post(PATH).header("host", HOST).header("content-type", "application/json");
        let foreign = foreign.header(name, value).body(Body::from(given().to_string())).unwrap();
        let answer = installation.send(foreign).await;
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "cross_site"));
    }

    let (mut left, mut right) = (Browser::new(&installation), Browser::new(&installation));
    let (one, two) = tokio::join!(left.post(PATH, given()), right.post(PATH, given()));
    let mut came = [one.status, two.status];
    came.sort();
    assert_eq!(came, [StatusCode::CREATED, StatusCode::NOT_FOUND], "of two at the same time one comes in");
    let mut person = if one.status == StatusCode::CREATED { left } else { right };
    let session = person.get("/api/v1/session").await.json();
    assert_eq!(session["person"]["email"], "ada@example.com");
    let made = person.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "a session like any other: {}", made.text);

    let again = Browser::new(&installation).post(PATH, given()).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert!(!again.headers.contains_key("set-cookie"));
    Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    let tenant = installation.tenant("default").await;
    let rows = installation.hub.db.audit_after(&Access::Tenant(tenant), 0, 100).await.unwrap();
    let by_link = rows.iter().filter(|row| row.action == "sign_in.success" && row.detail.contains("\"demo\"")).count();
    assert_eq!(by_link, 1, "{rows:?}");
    assert!(!format!("{rows:?}").contains(token.expose()), "the token is written down nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_link_ends_soon() {
    let (installation, clock, token) = demo().await;
    administrator(&installation).await;
    clock.pass(LIFE + SignedDuration::from_secs(1));
    let late = Browser::new(&installation).post(PATH, json!({ "token": token.expose() })).await;
    assert_eq!((late.status, late.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"));
    // The form, filled in, still does.
    Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
}

/// `serve` has no such link, and no address that would look at one.
#[tokio::test(flavor = "multi_thread")]
async fn no_other_program_has_the_address() {
    let installation = Installation::new().await;
    assert!(installation.hub.config.demo.is_none());
    administrator(&installation).await;
    let (link, token) = DemoLink::draw("ada@example.com", &OsRandom, &*installation.hub.seams.clock);
    drop(link);
    for body in [json!({ "token": token.expose() }), json!({}), json!({ "anything": true })] {
        let answer = Browser::new(&installation).post(PATH, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.json()["detail"], "there is nothing at this address", "nothing has looked at the body");
    }
    assert!(api::routes_beside().iter().all(|(_, path)| *path != PATH));
    assert!(!serde_json::to_string(&api::document()).unwrap().contains(PATH));
}
