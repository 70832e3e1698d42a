//! Merchants, backups and drafts, typed.

use std::process::Command;

use millrace::config::Config;
use serde_json::json;

use super::Desk;
use crate::api::{
    Installation,
    browser::{Browser, administrator},
    seams,
};

#[test]
fn a_merchant_is_exported_and_erased() {
    let desk = Desk::new();
    desk.works(&["init"]);
    std::fs::write(desk.path().join("acme.toml"), "[tenant]\nname = \"default\"\n[[merchant]]\nname = \"Acme\"\n")
        .unwrap();
    desk.works(&["apply", "-f", "acme.toml"]);
    assert!(desk.works(&["merchants", "list"]).out.contains("Acme"));
    let told = desk.works(&["--json", "merchants", "export", "Acme", "--to", "acme.tar.gz"]).json();
    let file = desk.path().join("acme.tar.gz");
    assert_eq!(told["bytes"].as_u64(), Some(std::fs::metadata(&file).unwrap().len()));
    let listed = Command::new("tar").arg("-tzf").arg(&file).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.ends_with("manifest.json\n") && listed.contains("merchant.ndjson"), "{listed}");
    let again = desk.type_in(&["merchants", "export", "Acme", "--to", "acme.tar.gz"]);
    assert_eq!(again.code, 3, "never over a file: {}", again.all());
    assert_eq!(desk.type_in(&["merchants", "export", "Best", "--to", "best.tar.gz"]).code, 4);

    let erase = ["merchants", "erase", "Acme", "--reason", "asked for"];
    let looked = desk.works(&erase);
    assert!(looked.out.contains("Nothing was erased"), "{}", looked.out);
    assert!(!desk.works(&["audit"]).out.contains("merchant.erase"));
    let done = desk.works(&[erase.as_slice(), &["--yes"]].concat());
    assert!(done.out.contains("Erased."), "{}", done.out);
    assert!(desk.works(&["audit"]).out.contains("merchant.erased"));
}

#[test]
fn kept_backups_are_listed_fetched_and_removed() {
    let desk = Desk::new();
    desk.works(&["init"]);
    assert!(desk.works(&["backups", "list"]).out.contains("nothing"));
    let kept = desk.works(&["--json", "backup", "--keep"]).json();
    let id = kept["id"].as_str().unwrap();
    assert_eq!(desk.works(&["--json", "backups", "list"]).json()["items"][0]["id"], id);
    desk.works(&["backups", "fetch", id, "--to", "copy.backup"]);
    let copy = std::fs::read(desk.path().join("copy.backup")).unwrap();
    assert_eq!(copy, std::fs::read(kept["file"].as_str().unwrap()).unwrap());
    assert_eq!(desk.type_in(&["backups", "fetch", id, "--to", "copy.backup"]).code, 3, "never over a file");
    assert_eq!(desk.type_in(&["backups", "fetch", "bak_0", "--to", "other.backup"]).code, 4);
    assert!(!desk.path().join("other.backup").exists());
    desk.works(&["backups", "remove", id]);
    assert_eq!(desk.works(&["--json", "backups", "list"]).json()["items"], json!([]));
    assert_eq!(desk.type_in(&["backups", "remove", id]).code, 4);
}

/// What somebody has entered in the wizard, as the operator sees it at the machine.
#[tokio::test(flavor = "multi_thread")]
async fn drafts_are_listed_shown_and_removed() {
    let desk = Desk::new();
    let data = desk.data();
    let installation = Installation::with(seams(), |config| {
        *config = Config { allow_stand_ins: true, requests_per_minute: None, ..Config::in_folder(&data) };
    })
    .await;
    let mut ada: Browser<'_> = administrator(&installation).await;
    let given = json!({ "name": "Half way", "content": { "step": 2 }, "secrets": { "store.password": "CANARY" } });
    let made = ada.post("/api/v1/drafts", given).await.json();
    let id = made["id"].as_str().unwrap();
    let of = ["--of", "ada@example.com"];
    let typed = |command: &[&str]| desk.type_in(&[command, of.as_slice()].concat());
    let listed = typed(&["drafts", "list"]);
    assert!(listed.code == 0 && listed.out.contains("Half way") && listed.out.contains(id), "{}", listed.all());
    let shown = typed(&["drafts", "show", id]);
    assert!(shown.out.contains("\"step\": 2") && shown.out.contains("store.password"), "{}", shown.all());
    assert!(!shown.all().contains("CANARY") && !listed.all().contains("CANARY"));
    assert_eq!(desk.type_in(&["drafts", "list", "--of", "nobody@example.com"]).code, 4);
    assert_eq!(typed(&["drafts", "remove", id]).code, 0);
    assert_eq!(typed(&["drafts", "show", id]).code, 4);
    assert!(typed(&["drafts", "list"]).out.contains("nothing"));
}
