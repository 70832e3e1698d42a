//! Backups through the API: taken while the program works, fetched with a fresh proof, removed; by nobody but operators.

use axum::{
    body::{Body, to_bytes},
    http::StatusCode,
};
use jiff::SignedDuration;
use millrace::{config::Config, db::Access};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{
    Installation,
    browser::{Browser, administrator, with_time},
    seams,
};
use crate::db::world::{server, unique};

/// The bytes of a backup.
async fn fetch(browser: &Browser<'_>, id: &Value) -> (StatusCode, Vec<u8>) {
    let path = format!("/api/v1/backups/{}/file", id.as_str().unwrap());
    let request = browser.request("GET", &path).body(Body::empty()).unwrap();
    let response = browser.installation.router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    (status, to_bytes(response.into_body(), 64 * 1024 * 1024).await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_taken_fetched_and_removed() {
    let (installation, clock) = with_time().await;
    let mut ada = administrator(&installation).await;
    assert_eq!(ada.get("/api/v1/backups").await.json()["items"], json!([]));
    assert_eq!(
        ada.post("/api/v1/merchants", json!({ "name": "Kept in the backup" })).await.status,
        StatusCode::CREATED
    );
    let made = ada.post("/api/v1/backups", json!({})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    clock.pass(SignedDuration::from_secs(1));
    let second = ada.post("/api/v1/backups", json!({})).await.json();
    let listed = ada.get("/api/v1/backups?limit=1").await.json();
    assert_eq!(listed["items"], json!([second]));
    let next = listed["next"].as_str().unwrap();
    let rest = ada.get(&format!("/api/v1/backups?limit=1&cursor={next}")).await.json();
    assert_eq!((&rest["items"], &rest["next"]), (&json!([made]), &Value::Null));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = std::path::Path::new(made["file"].as_str().unwrap());
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    let (status, bytes) = fetch(&ada, &made["id"]).await;
    assert_eq!((status, bytes.len() as u64), (StatusCode::OK, made["bytes"].as_u64().unwrap()));
    assert!(bytes.starts_with(b"SQLite format 3\0"));
    let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"Kept in the backup"));
    let key = std::fs::read_to_string(&installation.hub.config.key_file).unwrap();
    assert!(!contains(key.trim().as_bytes()), "the wrapping key is in the backup");

    // Only what is in the folder, whatever is asked for.
    for id in ["bak_0000000000000", "bak_x", "millrace.db", "..%2Fmillrace.db", "%2e%2e%2fmillrace.key"] {
        assert_eq!(ada.get(&format!("/api/v1/backups/{id}/file")).await.status, StatusCode::NOT_FOUND, "{id}");
        assert_eq!(ada.delete(&format!("/api/v1/backups/{id}")).await.status, StatusCode::NOT_FOUND, "{id}");
    }
    // The password was given too long ago.
    clock.pass(SignedDuration::from_mins(11));
    let (status, refused) = fetch(&ada, &made["id"]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(String::from_utf8(refused).unwrap().contains("proof_needed"));
    let path = format!("/api/v1/backups/{}", made["id"].as_str().unwrap());
    assert_eq!(ada.delete(&path).await.problem(), "proof_needed");
    assert_eq!(installation.ask("DELETE", &path, Some(&installation.administrator), None).await.status, 204);
    assert_eq!(installation.ask("DELETE", &path, Some(&installation.administrator), None).await.status, 404);
    assert_eq!(ada.get("/api/v1/backups").await.json()["items"], json!([second]));
    let trail = installation.hub.db.audit_after(&Access::System, 0, 500).await.unwrap();
    let actions: Vec<_> = trail.iter().map(|row| row.action.as_str()).collect();
    for action in ["backup.fetch", "backup.remove"] {
        assert_eq!(actions.iter().filter(|done| **done == action).count(), 1, "{actions:?}");
    }
}

/// A server's database is backed up by the server: the answer says what to type.
#[tokio::test(flavor = "multi_thread")]
async fn postgresql_makes_its_own() {
    let server = server();
    let name = format!("backed_up_{}_{}", std::process::id(), unique());
    server.create_database(&name).unwrap();
    let url = server.url(&name);
    let installation = Installation::with(seams(), |config: &mut Config| config.database = url).await;
    let told = installation.post("/api/v1/backups", json!({})).await;
    assert_eq!((told.status, told.problem().as_str()), (StatusCode::NOT_IMPLEMENTED, "setup"), "{}", told.text);
    let remedy = told.json()["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains("pg_dump") && remedy.contains(&name), "{remedy}");
    assert_eq!(installation.get("/api/v1/backups").await.json()["items"], json!([]));
}
