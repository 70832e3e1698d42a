//! The audit trail, typed: what is written can be read on one line, and what was altered is named (AU1, control 25).

use std::path::Path;

use super::Desk;

/// Changes the database behind the program's back, its guard taken off: what an intruder with the file could do.
async fn behind_its_back(database: &Path, sql: &str) {
    use sqlx::Connection as _;
    let mut raw = sqlx::SqliteConnection::connect(&format!("sqlite:{}", database.display())).await.unwrap();
    for step in ["DROP TRIGGER IF EXISTS audit_kept", "DROP TRIGGER IF EXISTS audit_kept_whole", sql] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(step.to_owned())).execute(&mut raw).await.unwrap();
    }
    raw.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_row_is_named() {
    let desk = Desk::new();
    desk.works(&["init"]);
    for name in ["one", "two", "three"] {
        desk.works(&["keys", "create", "--name", name, "--role", "read"]);
    }
    let whole = desk.works(&["--json", "audit", "verify"]).json();
    assert_eq!(whole["whole"], true, "{whole}");
    let trails: Vec<_> =
        whole["trails"].as_array().unwrap().iter().map(|trail| trail["of"].as_str().unwrap()).collect();
    assert_eq!(trails, ["default", "installation"]);
    assert_eq!(whole["trails"][0]["head"].as_str().unwrap().len(), 64);
    let rows = whole["trails"][0]["rows"].as_i64().unwrap();
    assert!(rows >= 3, "{whole}");

    let database = desk.data().join("millrace.db");
    let of_tenant = "tenant <> 'installation'";
    behind_its_back(&database, &format!("UPDATE audit SET actor = 'nobody' WHERE number = 2 AND {of_tenant}")).await;
    let told = desk.type_in(&["audit", "verify"]);
    assert_eq!(told.code, 5, "{}", told.all());
    assert!(told.out.contains("ROW 2 IS NOT AS IT WAS WRITTEN"), "{}", told.out);
    let told = desk.type_in(&["--json", "audit", "verify"]).json();
    assert_eq!((&told["whole"], &told["trails"][0]["altered"]), (&false.into(), &2.into()), "{told}");
    assert_eq!(told["trails"][1]["whole"], true, "the installation's own is whole: {told}");

    // Rows cut off at the end leave a whole chain; the hash that was noted before shows it.
    let desk = Desk::new();
    desk.works(&["init"]);
    desk.works(&["keys", "create", "--name", "one", "--role", "read"]);
    let before = desk.works(&["--json", "audit", "verify"]).json();
    behind_its_back(
        &desk.data().join("millrace.db"),
        &format!("DELETE FROM audit WHERE {of_tenant} AND number = (SELECT max(number) FROM audit WHERE {of_tenant})"),
    )
    .await;
    let after = desk.works(&["--json", "audit", "verify"]).json();
    assert_ne!(before["trails"][0]["head"], after["trails"][0]["head"]);
}

#[test]
fn a_name_with_line_ends_forges_no_row() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let lines = |desk: &Desk| desk.works(&["audit"]).out.lines().count();
    let before = lines(&desk);
    let forged = "x\r\n999  2026-01-01 00:00  admin  key.revoke  everything\u{1b}[2J\u{2028}y";
    desk.works(&["keys", "create", "--name", forged, "--role", "read"]);
    let text = desk.works(&["audit"]).out;
    assert_eq!(lines(&desk), before + 1, "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    let json = desk.works(&["--json", "audit"]);
    assert!(!json.out.contains("999  2026-01-01 00:00  admin\n") && !json.out.contains('\r'), "{}", json.out);
    let kept = json.json()["items"][0].clone();
    assert!(kept.to_string().contains("key.create"), "{kept}");
    assert_eq!(desk.type_in(&["audit", "verify"]).code, 0);
}

#[test]
fn what_somebody_did_is_found() {
    let desk = Desk::new();
    desk.works(&["init"]);
    for name in ["one", "two", "three"] {
        desk.works(&["keys", "create", "--name", name, "--role", "read"]);
    }
    let found = |more: &[&str]| {
        let page = desk.works(&[&["--json", "audit"], more].concat()).json();
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["action"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let created = vec!["api_key.create".to_owned(); 3];
    assert_eq!(found(&["--action", "api_key.", "--from", "2026-01-01T00:00:00Z", "--limit", "3"]), created);
    assert!(found(&["--action", "api_key.revoke"]).is_empty());
    assert!(found(&["--to", "2020-01-01T00:00:00Z"]).is_empty());
    assert!(found(&["--actor", "nobody@acme.test"]).is_empty());
    let page = desk.works(&["--json", "audit", "--action", "api_key.", "--limit", "1"]).json();
    let (target, next) = (page["items"][0]["target"].as_str().unwrap(), page["next"].as_str().unwrap());
    assert_eq!(found(&["--target", target]), ["api_key.create"]);
    assert_eq!(found(&["--action", "api_key.", "--limit", "2", "--cursor", next]), created[..2]);
}
