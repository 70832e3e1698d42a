//! How much one caller may ask: each key by itself, a person over all sessions, told in headers.

use std::num::NonZeroU32;

use axum::http::StatusCode;
use jiff::SignedDuration;
use millrace::operate::Role;
use serde_json::json;

use super::{
    Answer, Installation,
    browser::{Browser, PASSWORD, administrator, with_time_and},
};

/// Limit, what is left of it, and seconds until it is whole; `None` where nothing is told.
fn told(answer: &Answer) -> Option<(u64, u64, u64)> {
    let number = |name: &str| answer.headers.get(name)?.to_str().ok()?.parse().ok();
    Some((number("ratelimit-limit")?, number("ratelimit-remaining")?, number("ratelimit-reset")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_its_own() {
    // One request flows back every twenty seconds: however loaded the machine is, the test is not so slow.
    let (installation, clock) = with_time_and(|config| config.requests_per_minute = NonZeroU32::new(3)).await;
    for left in [2, 1, 0] {
        let answer = installation.get("/api/v1/merchants").await;
        let (limit, remaining, reset) = told(&answer).unwrap();
        assert_eq!((answer.status, limit, remaining), (StatusCode::OK, 3, left));
        assert!((1..=60).contains(&reset), "{reset}");
    }
    let refused = installation.post("/api/v1/merchants", json!({ "name": "Too much" })).await;
    assert_eq!((refused.status, refused.problem().as_str()), (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"));
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(told(&refused).unwrap().1, 0);

    // Another key is another caller, and who is nobody has no allowance that could be used up.
    let tenant = installation.tenant("default").await;
    let other = installation.key(&tenant, Role::Read, None).await;
    let answer = installation.ask("GET", "/api/v1/merchants", Some(&other), None).await;
    assert_eq!((answer.status, told(&answer).unwrap().1), (StatusCode::OK, 2));
    assert!(!answer.text.contains("Too much"), "what was refused was not done: {}", answer.text);
    for _ in 0..5 {
        let stranger = installation.ask("GET", "/api/v1/merchants", Some("mr_unknown"), None).await;
        assert_eq!((stranger.status, told(&stranger)), (StatusCode::UNAUTHORIZED, None));
    }

    // Who waits as long as told is let in, once; a minute later all of it is there again.
    clock.pass(SignedDuration::from_secs(wait.try_into().unwrap()));
    assert_eq!(installation.get("/api/v1/tenants").await.status, StatusCode::OK);
    assert_eq!(installation.get("/api/v1/tenants").await.status, StatusCode::TOO_MANY_REQUESTS);
    clock.pass(SignedDuration::from_mins(1));
    // A refusal of another kind costs, and tells, as much as anything.
    let missing = installation.get("/api/v1/orders/ord_none").await;
    assert_eq!((missing.status, told(&missing).unwrap().1), (StatusCode::NOT_FOUND, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_one_over_all_sessions() {
    let (installation, clock) = with_time_and(|config| config.requests_per_minute = NonZeroU32::new(3)).await;
    let mut here = administrator(&installation).await;
    let mut there = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    clock.pass(SignedDuration::from_mins(1));
    assert_eq!(told(&here.get("/api/v1/session").await).unwrap().1, 2);
    assert_eq!(told(&there.get("/api/v1/merchants").await).unwrap().1, 1);
    assert_eq!(here.get("/api/v1/merchants").await.status, StatusCode::OK);
    for browser in [&mut here, &mut there] {
        assert_eq!(browser.get("/api/v1/merchants").await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    // A key of the same installation is not that person.
    assert_eq!(installation.get("/api/v1/merchants").await.status, StatusCode::OK);
    // Signing in is counted by tries, which are another thing, and does not give more.
    let mut again = Browser::new(&installation).signed_in("ada@example.com", PASSWORD).await;
    assert_eq!(again.get("/api/v1/session").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_let_everybody_ask() {
    let installation = Installation::new().await;
    assert!(installation.hub.config.requests_per_minute.is_none());
    let answer = installation.get("/api/v1/merchants").await;
    assert_eq!((answer.status, told(&answer)), (StatusCode::OK, None));
    let usual = millrace::config::Config::in_folder(std::path::Path::new("/nonexistent"));
    assert!(usual.requests_per_minute.is_some(), "without a word of the operator there is a limit");
}
