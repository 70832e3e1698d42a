//! The wrapping key is replaced through the API while the program works, by an operator who proved themselves lately.

use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    access::{brightpearl, connected},
    browser::{administrator, with_time},
};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_replaced_while_everything_goes_on() {
    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let file = &installation.hub.config.key_file;
    let old = std::fs::read_to_string(file).unwrap();
    let before = ada.get("/api/v1/wrapping-key").await.json();
    assert_eq!((&before["wraps"], &before["left"], &before["rotated_at"]), (&json!(1), &json!(0), &Value::Null));
    assert_eq!(before["key_file"], file.to_str().unwrap());

    let done = ada.post("/api/v1/wrapping-key/rotate", json!({})).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(done.json()["wrapped"], 1);
    let now = std::fs::read_to_string(file).unwrap();
    assert!(now.ends_with(&old) && now.lines().count() == 2 && !done.text.contains(now.lines().next().unwrap()));
    // This very program knows, and opens what it has.
    let after = ada.get("/api/v1/wrapping-key").await.json();
    assert_ne!(after["key"], before["key"]);
    assert_eq!((&after["key"], &after["wraps"], &after["left"]), (&done.json()["key"], &json!(1), &json!(0)));
    assert!(after["rotated_at"].is_string(), "{after}");
    let tested = ada.post("/api/v1/stores/BP/test", json!({})).await.json();
    assert_eq!(tested["ok"], true, "{tested}");

    clock.pass(SignedDuration::from_mins(11));
    assert_eq!(ada.post("/api/v1/wrapping-key/rotate", json!({})).await.problem(), "proof_needed");
    assert_eq!(std::fs::read_to_string(file).unwrap(), now);
}
