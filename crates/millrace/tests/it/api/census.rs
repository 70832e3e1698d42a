//! The census and findings through the API: who sees them, what is refused, and that a repair looks first.

use axum::http::StatusCode;
use engine::finding::{Finding, FindingKind, Subject};
use millrace::{
    db::{CensusOutcome, ConnectionKey, Extent, Scope},
    operate::Role,
};
use serde_json::{Value, json};

use super::{
    Installation,
    access::{brightpearl, connected},
};

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_seen_by_their_own_and_repaired_only_while_they_hold() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["in", "out"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let (connection, merchant) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let census = installation.get("/api/v1/connections/main/census").await.json();
    assert_eq!((&census["unaccounted"], &census["runs"], &census["findings"]), (&Value::Null, &json!([]), &json!([])));
    let off = installation.post("/api/v1/connections/main/census", json!({ "full": true })).await;
    assert_eq!(off.problem(), "conflict", "nothing takes the census of a connection that is off: {}", off.text);

    let own = installation.tenant("default").await;
    let key = ConnectionKey {
        scope: Scope { tenant: own.clone(), merchant: merchant.parse().unwrap() },
        connection: connection.parse().unwrap(),
    };
    let orphan = Finding {
        kind: FindingKind::OrphanNote,
        subject: Subject::Note(7),
        order_id: Some(1),
        what: "goods-out note 7 belongs to nothing".to_owned(),
    };
    let outcome = CensusOutcome {
        unaccounted: 0,
        report: b"null".to_vec(),
        findings: vec![orphan],
        checked: FindingKind::ALL.into(),
    };
    let db = &installation.hub.db;
    db.begin_census(&key).await.unwrap();
    db.finish_census(&key, Extent::Recent, outcome).await.unwrap();

    let other = db.create_tenant("other").await.unwrap();
    let brand = db.create_merchant(&own, "Brand").await.unwrap();
    let (staff, read) =
        (installation.key(&own, Role::Staff, None).await, installation.key(&own, Role::Read, None).await);
    let listed = installation.ask("GET", "/api/v1/findings?notes=true&connection=main", Some(&read), None).await.json();
    let found = &listed["items"][0];
    assert_eq!((&found["kind"], &found["repair"]), (&json!("orphan_note"), &json!("delete_note")), "{listed}");
    assert_eq!(found["subject"], "goods-out note 7");
    let wrong = installation.ask("GET", "/api/v1/findings?kind=nonsense", Some(&read), None).await;
    assert_eq!(wrong.problem(), "invalid", "{}", wrong.text);
    let none = installation.ask("GET", "/api/v1/findings?kind=stuck_note", Some(&read), None).await.json();
    assert_eq!(none["items"], json!([]));

    let path = format!("/api/v1/findings/{}", found["id"].as_str().unwrap());
    let repair = format!("{path}/repair");
    let why = json!({ "reason": "seen in Brightpearl" });
    for foreign in [
        installation.key(&other, Role::Admin, None).await,
        installation.key(&own, Role::Admin, Some(brand.as_str())).await,
    ] {
        let answer = installation.ask("GET", "/api/v1/findings", Some(&foreign), None).await.json();
        assert_eq!(answer["items"], json!([]));
        assert_eq!(installation.ask("GET", &path, Some(&foreign), None).await.status, StatusCode::NOT_FOUND);
        assert_eq!(installation.ask("POST", &repair, Some(&foreign), Some(&why)).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(installation.ask("POST", &repair, Some(&read), Some(&why)).await.status, StatusCode::FORBIDDEN);
    let unsaid = installation.ask("POST", &repair, Some(&staff), Some(&json!({ "reason": " " }))).await;
    assert_eq!(unsaid.problem(), "invalid", "{}", unsaid.text);
    // There is no such note at Brightpearl: nothing is planned.
    let refused = installation.ask("POST", &repair, Some(&staff), Some(&why)).await;
    assert_eq!(refused.problem(), "conflict");
    assert!(refused.text.contains("does not hold any more"), "{}", refused.text);
    let effects = installation.ask("GET", "/api/v1/effects", Some(&read), None).await.json();
    assert_eq!(effects["items"], json!([]));
}
