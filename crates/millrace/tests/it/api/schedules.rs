//! Schedules of channels over the API: what is kept, what is shown before it comes, and what is refused.

use axum::http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};
use millrace::db::{ChannelKind, Ran};
use serde_json::{Value, json};

use super::{
    Installation,
    access::{brightpearl, connected},
};

fn channel(connection: &Value, name: &str) -> Value {
    let channels = connection["channels"].as_array().unwrap();
    channels.iter().find(|channel| channel["channel"] == name).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_kept_previewed_and_checked() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let path = format!("/api/v1/connections/{connection}/channels/orders/schedule");
    let none = installation.get(&path).await.json();
    assert_eq!(none, json!({ "rules": [], "recurrence": "every 60 seconds", "next_runs": [] }));

    // Without a zone it is the account's.
    let rules = json!([
        { "kind": "daily", "at": "02:05" },
        { "kind": "flexible", "days": ["monday"], "blocks": [{ "from": 8, "to": 9 }], "minutes": 20 },
    ]);
    let set = installation.put(&path, json!({ "rules": rules })).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    let set = set.json();
    let zone = set["zone"].as_str().unwrap().to_owned();
    let zone = TimeZone::get(&zone).expect("the account's zone");
    assert_eq!(set["rules"], rules);
    assert_eq!(
        set["recurrence"],
        format!("every day at 02:05; Mon 08:00-09:00 every 20 minutes ({})", set["zone"].as_str().unwrap())
    );
    let next: Vec<Timestamp> = serde_json::from_value(set["next_runs"].clone()).unwrap();
    assert_eq!(next.len(), 5);
    for at in &next {
        let at = at.to_zoned(zone.clone());
        let monday = at.weekday() == jiff::civil::Weekday::Monday && at.hour() == 8 && at.minute() % 20 == 0;
        assert!(monday || (at.hour(), at.minute()) == (2, 5), "{at}");
    }

    // Another zone for the same rules; the zone stays when only the rules change.
    let utc = installation.put(&path, json!({ "zone": "UTC", "rules": rules })).await.json();
    assert_eq!(utc["zone"], "UTC");
    let less =
        installation.put(&path, json!({ "rules": [{ "kind": "hourly", "hours": 2, "minute": 7 }] })).await.json();
    assert_eq!(less["zone"], "UTC");
    assert_eq!(less["recurrence"], "every 2 hours at minute 07 (UTC)");

    // Switched off, it keeps them; on, the channel says when it runs next.
    let of = format!("/api/v1/connections/{connection}/channels/orders");
    installation.put(&of, json!({ "enabled": true })).await;
    installation.post(&format!("/api/v1/connections/{connection}/enable"), json!({})).await;
    let shown = installation.get(&format!("/api/v1/connections/{connection}")).await.json();
    let orders = channel(&shown, "orders");
    assert_eq!(orders["recurrence"], less["recurrence"]);
    assert_eq!(orders["next_run_at"].as_str().unwrap()[..16], less["next_runs"][0].as_str().unwrap()[..16]);
    let off = installation.put(&of, json!({ "enabled": false })).await.json();
    assert_eq!(channel(&off, "orders")["next_run_at"], Value::Null);
    assert_eq!(installation.get(&path).await.json()["rules"], less["rules"]);

    for (body, at) in [
        (json!({ "rules": [{ "kind": "minutely", "minutes": 0 }] }), "rules.0.minutes"),
        (json!({ "rules": [{ "kind": "daily", "at": "24:00" }] }), "rules.0.at"),
        (json!({ "rules": [{ "kind": "hourly", "hours": 2, "minute": 60 }] }), "rules.0.minute"),
        (json!({ "zone": "Mars/Olympus", "rules": [] }), "zone"),
        (json!({ "rules": vec![json!({ "kind": "minutely", "minutes": 5 }); 21] }), "rules"),
    ] {
        let refused = installation.put(&path, body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.problem(), "invalid");
        assert_eq!(refused.json()["problems"][0]["at"], at, "{body}: {}", refused.text);
    }
    assert_eq!(installation.get(&path).await.json()["rules"], less["rules"], "nothing of it was kept");

    installation.put(&path, json!({ "rules": [] })).await;
    assert_eq!(installation.get(&path).await.json(), none);
    let audit = installation.get("/api/v1/audit").await.json();
    let acts = audit["items"].as_array().unwrap().iter().filter(|row| row["action"] == "connection.schedule").count();
    assert_eq!(acts, 4, "each change is in the audit trail");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_with_their_progress() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (connection, _) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let of = format!("/api/v1/connections/{connection}/channels/orders");
    let path = format!("{of}/runs");
    assert_eq!(installation.get(&path).await.json(), json!({ "items": [] }));

    let asked = installation.ask("POST", &format!("{of}/run"), Some(&installation.administrator), None).await;
    assert_eq!(asked.status, StatusCode::NO_CONTENT);
    let db = &installation.hub.db;
    let key = db.connection_by_name(&installation.tenant("default").await, "main").await.unwrap();
    let run = db.start_run(&key, ChannelKind::Orders).await.unwrap();
    db.advance_run(&key, ChannelKind::Orders, &run, (200, Some(450)), [("read".to_owned(), 200)].into()).await.unwrap();
    let running = installation.get(&path).await.json()["items"][0].clone();
    assert_eq!((&running["outcome"], &running["cause"]), (&json!("running"), &json!("person")));
    assert!(!running["asked_by"].as_str().unwrap().is_empty());
    assert_eq!((&running["done"], &running["total"]), (&json!(200), &json!(450)));

    let told = Ran { words: "450 read".to_owned(), counts: [("read".to_owned(), 450)].into() };
    db.finish_run(&key, ChannelKind::Orders, &run, Ok(told)).await.unwrap();
    for _ in 0..2 {
        let run = db.start_run(&key, ChannelKind::Orders).await.unwrap();
        db.finish_run(&key, ChannelKind::Orders, &run, Err("no network".to_owned())).await.unwrap();
    }
    let page = installation.get(&format!("{path}?limit=2")).await.json();
    assert_eq!(page["items"][0]["outcome"], "failed");
    assert_eq!(page["items"][0]["summary"], "no network");
    assert_eq!(page["items"][0]["cause"], "pace");
    let next = page["next"].as_str().unwrap();
    let rest = installation.get(&format!("{path}?limit=2&cursor={next}")).await.json();
    assert_eq!(rest["items"][0]["id"], running["id"]);
    assert_eq!(rest["items"][0]["counts"], json!({ "read": 450 }));
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let missing = installation.get(&format!("/api/v1/connections/{connection}/channels/other/runs")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
