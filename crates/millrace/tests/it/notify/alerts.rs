//! Alerts: one issue for one cause, few messages, and an end when the cause is gone.

use connect::{Inbound, RejectedInput};
use jiff::SignedDuration;
use millrace::{
    db::{ConnectionKey, Scope},
    notify::mail::MailSettings,
    operate::Role,
};
use serde_json::{Value, json};

use super::{
    Telling,
    receiver::{MailServer, Receiver},
};
use crate::api::access::{brightpearl, connected};

/// A connection, and its key.
async fn connection(telling: &Telling) -> (ConnectionKey, impl Drop) {
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, merchant) =
        connected(&telling.installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let tenant = telling.installation.tenant("default").await;
    let scope = Scope { tenant, merchant: merchant.parse().unwrap() };
    (ConnectionKey { scope, connection: connection.parse().unwrap() }, folder)
}

/// Inputs that cannot be used, each worded a little differently.
async fn reject(telling: &Telling, key: &ConnectionKey, from: usize, count: usize, why: &str) {
    let rejected: Vec<RejectedInput> = (from..from + count)
        .map(|number| RejectedInput {
            input: Inbound {
                name: format!("file-{number}.csv"),
                content_hash: format!("{number:064}"),
                content: b"a,b".to_vec(),
            },
            reason: format!("{why} in row {number} of file-{number}.csv"),
            beside: false,
            key: None,
        })
        .collect();
    telling.installation.hub.db.record_inputs(key, &[], &rejected).await.unwrap();
}

async fn issues(telling: &Telling, query: &str) -> Vec<Value> {
    let page = telling.installation.get(&format!("/api/v1/alerts/issues{query}")).await.json();
    page["items"].as_array().unwrap().clone()
}

async fn chat(telling: &Telling, receiver: &Receiver) -> String {
    let given = json!({ "name": "chat", "kind": "chat", "url": format!("{}?token=CANARY", receiver.url) });
    let made = telling.installation.post("/api/v1/alerts/channels", given).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains("CANARY"), "a chat's address is a secret: {}", made.text);
    made.json()["id"].as_str().unwrap().to_owned()
}

fn texts(receiver: &Receiver) -> Vec<String> {
    receiver.calls().iter().map(|call| call.json()["text"].as_str().unwrap().to_owned()).collect()
}

/// A thousand exceptions in half an hour are one issue for each cause and a handful of messages; when they are settled it closes and
/// says so once.
async fn a_flood(telling: &Telling, minute: impl AsyncFn()) {
    let receiver = Receiver::start().await;
    chat(telling, &receiver).await;
    let (key, _folder) = connection(telling).await;
    for round in 0..20 {
        reject(telling, &key, round * 50, 30, "a column is missing").await;
        reject(telling, &key, round * 50 + 30, 20, "the quantity is no number").await;
        telling.turn().await;
        minute().await;
    }
    let found = issues(telling, "?kind=exception").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found.iter().map(|issue| issue["count"].as_u64().unwrap()).sum::<u64>(), 1000);
    let messages = texts(&receiver);
    assert!((1..=2).contains(&messages.len()), "{messages:?}");
    assert!(messages[0].contains("a column is missing"), "{messages:?}");
    let open = telling.installation.hub.db.exceptions(&key, false, 2000).await.unwrap();
    assert_eq!(open.len(), 1000);
    for exception in open {
        telling.installation.hub.db.resolve_exception(&key.scope, &exception.id, "test").await.unwrap();
    }
    telling.turn().await;
    assert!(issues(telling, "?kind=exception").await.iter().all(|issue| issue["state"] == "going"));
    for _ in 0..16 {
        minute().await;
        telling.turn().await;
    }
    assert_eq!(issues(telling, "?kind=exception").await, Vec::<Value>::new());
    assert_eq!(issues(telling, "?kind=exception&all=true").await.len(), 2);
    let ends: Vec<String> = texts(&receiver).split_off(messages.len());
    assert_eq!(ends.len(), 1, "one message for both ends: {ends:?}");
    assert!(ends[0].contains("2 closed"), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_a_few_messages() {
    let telling = Telling::new().await;
    a_flood(&telling, async || telling.clock.by(SignedDuration::from_mins(1))).await;
    // A minute is 300 ms there: five of them are the least between two messages.
    let (telling, _server) = Telling::on_postgres(200).await;
    a_flood(&telling, async || tokio::time::sleep(std::time::Duration::from_millis(300)).await).await;
}

/// E-mail, through a mail server; and a webhook that a policy names.
#[tokio::test(flavor = "multi_thread")]
async fn people_and_programs_are_told() {
    let (mail, hook, chatter) = (MailServer::start().await, Receiver::start().await, Receiver::start().await);
    let server = mail.url.parse().unwrap();
    let from = "Millrace <millrace@example.test>".to_owned();
    let telling = Telling::with(|config| config.mail = Some(MailSettings { server, password: None, from })).await;
    let given = json!({ "name": "ops", "kind": "email", "to": ["ops@example.test", "Night <night@example.test>"] });
    let made = telling.installation.post("/api/v1/alerts/channels", given).await;
    assert_eq!(made.status, 201, "{}", made.text);
    chat(&telling, &chatter).await;
    let (webhook, secret) = telling.webhook(&hook.url, &["alert"]).await;
    let policy = json!({ "name": "programs", "channels": [webhook], "kinds": ["exception"] });
    let made = telling.installation.post("/api/v1/alerts/policies", policy).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (key, _folder) = connection(&telling).await;
    reject(&telling, &key, 0, 3, "a column is missing").await;
    telling.turn().await;
    telling.turn().await;
    let mails = mail.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    let text = mails[0].replace("=\r\n", "");
    for part in [
        "To: ops@example.test, Night <night@example.test>",
        "From: Millrace <millrace@example.test>",
        "Subject: Millrace: main:",
        "a column is missing",
        "(3 times)",
        "Look at the exceptions",
        "Message-ID: <dlv_",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(texts(&chatter).len(), 1);
    let calls = hook.calls();
    assert!(calls.iter().all(|call| call.is_signed_with(&secret)));
    let kinds: Vec<String> = calls.iter().map(|call| call.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["alert", "alert.opened"], "the message of the policy, then the event it asked for");
    assert_eq!(calls[0].json()["data"]["issues"][0]["count"], 3);
    let exported = telling.installation.get("/api/v1/exports/issues").await.text;
    assert!(exported.lines().any(|line| line.starts_with("iss_") && line.contains(",open,")), "{exported}");
    // What a policy names is not deleted under it.
    let path = format!("/api/v1/webhooks/{webhook}");
    let administrator = telling.installation.administrator.clone();
    let refused = telling.installation.ask("DELETE", &path, Some(&administrator), None).await;
    assert_eq!(refused.problem(), "conflict");
}

/// Without a mail server an e-mail fails with the reason, and goes once there is one.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_it_says_so() {
    let telling = Telling::new().await;
    let given = json!({ "name": "ops", "kind": "email", "to": ["ops@example.test"] });
    let made = telling.installation.post("/api/v1/alerts/channels", given).await;
    assert!(made.json()["problem"].as_str().unwrap().contains("--smtp"), "{}", made.text);
    let sent = telling.installation.post("/api/v1/alerts/channels/ops/test", json!({})).await.json();
    telling.turn().await;
    let shown = telling.installation.get(&format!("/api/v1/deliveries/{}", sent["id"].as_str().unwrap())).await.json();
    assert!(shown["attempts"][0]["problem"].as_str().unwrap().contains("no mail server is configured"), "{shown}");
    for to in [
        json!([]),
        json!(["nobody"]),
        json!(["a@example.test, b@example.test"]),
        json!(["a@example.test\r\nBcc: c@example.test"]),
    ] {
        let given = json!({ "name": "wrong", "kind": "email", "to": to });
        let refused = telling.installation.post("/api/v1/alerts/channels", given).await;
        assert_eq!(refused.problem(), "invalid", "{}", refused.text);
    }
}

/// Taken on, snoozed, quiet hours, reminders: who is told when.
#[tokio::test(flavor = "multi_thread")]
async fn reminders_stop_when_somebody_takes_it_on() {
    let telling = Telling::new().await;
    let receiver = Receiver::start().await;
    chat(&telling, &receiver).await;
    let (key, _folder) = connection(&telling).await;
    // Quiet for the next hours, whatever the time is.
    let now = connect::Clock::now(&*telling.clock);
    let at = |hours: i64| (now + SignedDuration::from_hours(hours)).strftime("%H:%M").to_string();
    let policy =
        |quiet: Value| json!({ "name": "default", "kinds": ["exception"], "remind_hours": 24, "quiet": quiet });
    let quiet = json!({ "from": at(-1), "until": at(2), "zone": "UTC" });
    let set = telling.installation.put("/api/v1/alerts/policies/default", policy(quiet)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    for wrong in [
        json!({ "from": "25:00", "until": "07:00", "zone": "UTC" }),
        json!({ "from": "22:00", "until": "07:00", "zone": "Mars/Olympus" }),
    ] {
        let refused = telling.installation.put("/api/v1/alerts/policies/default", policy(wrong)).await;
        assert_eq!(refused.problem(), "invalid", "{}", refused.text);
    }
    reject(&telling, &key, 0, 2, "a column is missing").await;
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 0, "quiet");
    let issue = issues(&telling, "").await.remove(0);
    let path = format!("/api/v1/alerts/issues/{}", issue["id"].as_str().unwrap());
    telling.clock.by(SignedDuration::from_hours(3));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 1, "said afterwards");
    telling.clock.by(SignedDuration::from_hours(23));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 1);
    telling.clock.by(SignedDuration::from_hours(2));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 2);
    assert!(texts(&receiver)[1].contains("still open"), "{:?}", texts(&receiver));
    let snoozed = telling.installation.post(&format!("{path}/snooze"), json!({ "hours": 100 })).await;
    assert_eq!(snoozed.status, 200, "{}", snoozed.text);
    telling.clock.by(SignedDuration::from_hours(96));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 2, "snoozed");
    telling.clock.by(SignedDuration::from_hours(6));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 3);
    let taken = telling.installation.post(&format!("{path}/acknowledge"), json!({})).await.json();
    assert!(taken["acknowledged_by"].as_str().unwrap().starts_with("key "), "{taken}");
    telling.clock.by(SignedDuration::from_hours(200));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 3, "somebody has taken it on");
    let back = telling.installation.post(&format!("{path}/acknowledge"), json!({ "undo": true })).await.json();
    assert!(back["acknowledged_at"].is_null(), "{back}");
    telling.clock.by(SignedDuration::from_hours(2));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), 4);
    // It is written down who did what.
    let audit = telling.installation.get("/api/v1/audit?limit=100").await.text;
    for action in ["alert_policy.put", "issue.acknowledge", "issue.snooze", "outlet.create"] {
        assert!(audit.contains(action), "{action} is not in the audit trail");
    }
    assert!(!audit.contains("CANARY"));
    // The default policy can be changed, and goes back to what it was.
    let administrator = telling.installation.administrator.clone();
    let gone = telling.installation.ask("DELETE", "/api/v1/alerts/policies/default", Some(&administrator), None).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let again = telling.installation.get("/api/v1/alerts/policies/default").await.json();
    assert_eq!((&again["kinds"], &again["quiet"]), (&json!([]), &Value::Null));
}

/// What concerns the installation: frozen sending, and no backup for a week. While sending is frozen, events are kept back and
/// people are told.
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_installation_tells_people_and_keeps_the_rest() {
    let telling = Telling::new().await;
    let (receiver, hook) = (Receiver::start().await, Receiver::start().await);
    chat(&telling, &receiver).await;
    telling.webhook(&hook.url, &["connection", "safety"]).await;
    let frozen = telling.installation.post("/api/v1/safety/freeze", json!({ "reason": "drill" })).await;
    assert_eq!(frozen.status, 200, "{}", frozen.text);
    let (_, _folder) = connection(&telling).await;
    telling.clock.by(SignedDuration::from_hours(8 * 24));
    telling.turn().await;
    let kinds: Vec<Value> = issues(&telling, "").await.into_iter().map(|issue| issue["kind"].clone()).collect();
    assert!(kinds.contains(&json!("sending_frozen")) && kinds.contains(&json!("backup_overdue")), "{kinds:?}");
    assert!(texts(&receiver)[0].contains("drill"), "{:?}", texts(&receiver));
    let told: Vec<String> = hook.calls().iter().map(|call| call.json()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["safety.frozen"]);
    let released =
        telling.installation.post("/api/v1/safety/release", json!({ "reason": "over", "force": true })).await;
    assert_eq!(released.status, 200, "{}", released.text);
    telling.turn().await;
    let told: Vec<String> = hook.calls().iter().map(|call| call.json()["type"].as_str().unwrap().to_owned()).collect();
    assert!(
        told.contains(&"connection.created".to_owned()) && told.contains(&"safety.released".to_owned()),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_are_seen_by_their_own() {
    let telling = Telling::new().await;
    let (key, _folder) = connection(&telling).await;
    reject(&telling, &key, 0, 1, "a column is missing").await;
    telling.turn().await;
    let installation = &telling.installation;
    let found = issues(&telling, "?connection=main").await;
    let path = format!("/api/v1/alerts/issues/{}", found[0]["id"].as_str().unwrap());
    let own = installation.tenant("default").await;
    let brand = installation.hub.db.create_merchant(&own, "Brand").await.unwrap();
    let other = installation.hub.db.create_tenant("other").await.unwrap();
    let reader = installation.key(&own, Role::Read, None).await;
    assert_eq!(installation.ask("GET", &path, Some(&reader), None).await.status, 200);
    let acknowledge = format!("{path}/acknowledge");
    assert_eq!(installation.ask("POST", &acknowledge, Some(&reader), Some(&json!({}))).await.status, 403);
    for foreign in [
        installation.key(&own, Role::Admin, Some(brand.as_str())).await,
        installation.key(&other, Role::Admin, None).await,
    ] {
        let seen = installation.ask("GET", "/api/v1/alerts/issues", Some(&foreign), None).await.json();
        assert_eq!(seen["items"], json!([]));
        assert_eq!(installation.ask("GET", &path, Some(&foreign), None).await.status, 404);
        assert_eq!(installation.ask("POST", &acknowledge, Some(&foreign), Some(&json!({}))).await.status, 404);
    }
}
