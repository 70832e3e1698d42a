//! Webhooks and alerts, typed.

use serde_json::json;

use super::Desk;

const ADDRESS: &str = "https://chat.example.com/hooks/CANARY-chat-token";

#[test]
fn webhooks_and_alerts_are_typed() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let made = desk.works(&[
        "--json",
        "webhooks",
        "create",
        "--name",
        "erp",
        "--url",
        "https://erp.example.com/in",
        "--events",
        "order,shipment",
    ]);
    let made = made.json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{made}");
    let rotated = desk.works(&["--json", "webhooks", "rotate", "erp", "--hours", "2"]).json();
    assert_ne!(rotated["secret"], secret.as_str());
    let updated = desk.works(&["--json", "webhooks", "update", "erp", "--events", "run", "--enabled", "false"]).json();
    assert_eq!(
        (&updated["events"], &updated["enabled"], &updated["url"]),
        (&json!(["run"]), &json!(false), &made["webhook"]["url"])
    );
    assert_eq!(desk.type_in(&["webhooks", "test", "erp"]).code, 1, "it is switched off");
    desk.works(&["webhooks", "update", "erp", "--enabled", "true"]);
    let sent = desk.works(&["--json", "webhooks", "test", "erp"]).json();
    let id = sent["id"].as_str().unwrap();
    assert!(desk.works(&["webhooks", "deliveries", "erp", "--state", "waiting"]).out.contains(id));
    assert!(desk.works(&["webhooks", "delivery", id]).out.contains("This is a test"));
    desk.works(&["webhooks", "replay", id]);
    let replayed = desk.works(&["--json", "webhooks", "replay", "erp", "--from", "2020-01-01T00:00:00Z"]).json();
    assert_eq!(replayed["events"], 0);
    assert_eq!(desk.type_in(&["webhooks", "show", "nowhere"]).code, 4);
    assert_eq!(
        desk.type_in(&["webhooks", "create", "--name", "x", "--url", "ftp://example.com", "--events", "order"]).code,
        3
    );

    desk.works(&["alerts", "channels", "create-email", "--name", "ops", "--to", "ops@example.test,night@example.test"]);
    let file = desk.path().join("chat-address");
    std::fs::write(&file, format!("{ADDRESS}\n")).unwrap();
    desk.works(&["alerts", "channels", "create-chat", "--name", "floor", "--url-file", file.to_str().unwrap()]);
    let mut shown = String::new();
    for command in [
        vec!["alerts", "channels", "list"],
        vec!["--json", "alerts", "channels", "list"],
        vec!["webhooks", "list"],
        vec!["--json", "webhooks", "show", "erp"],
        vec!["audit"],
        vec!["--json", "audit"],
    ] {
        shown.push_str(&desk.works(&command).all());
    }
    assert!(shown.contains("chat.example.com") && shown.contains("ops@example.test"), "{shown}");
    for hidden in ["CANARY", secret.as_str(), "whsec_"] {
        assert!(!shown.contains(hidden), "{hidden} is shown:\n{shown}");
    }
    let policy = desk.works(&[
        "--json",
        "alerts",
        "policies",
        "create",
        "--name",
        "night",
        "--kinds",
        "sending_frozen,unaccounted",
        "--channels",
        "floor",
        "--quiet",
        "22:00,07:00,Europe/London",
        "--remind-hours",
        "4",
    ]);
    assert_eq!(policy.json()["quiet"]["zone"], "Europe/London");
    let changed = desk.works(&["--json", "alerts", "policies", "update", "night", "--quiet", "none"]).json();
    assert_eq!((&changed["quiet"], &changed["remind_hours"]), (&json!(null), &json!(4)));
    assert!(desk.works(&["alerts", "policies", "list"]).out.contains("default"));
    let refused = desk.type_in(&["alerts", "channels", "delete", "floor"]);
    assert!(refused.code == 1 && refused.err.contains("night"), "{}", refused.all());
    desk.works(&["alerts", "policies", "delete", "night"]);
    desk.works(&["alerts", "channels", "delete", "floor"]);
    desk.works(&["webhooks", "delete", "erp"]);
    assert_eq!(desk.works(&["alerts", "issues"]).out.trim(), "nothing");
    assert_eq!(desk.type_in(&["alerts", "show", "iss_x"]).code, 4);
    // A mail server that cannot be used is said at the start.
    let mut serve = desk.command();
    serve.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--smtp",
        "https://mail.example.test",
        "--mail-from",
        "hub@example.test",
    ]);
    let ended = super::ended(&serve.output().unwrap());
    assert!(ended.code == 3 && ended.err.contains("smtps://"), "{}", ended.all());
}
