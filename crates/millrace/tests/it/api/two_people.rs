//! Stock that two people approve (security control 27): two who signed in, and neither of them twice.

use axum::http::StatusCode;
use connect::ConnectionId;
use jiff::SignedDuration;
use millrace::db::{ConnectionKey, RunState, Scope};
use serde_json::{Value, json};

use super::{
    Installation,
    access::{brightpearl, connected},
    browser::{Browser, administrator, invited},
};
use crate::db::stock::{feed, run};

/// A run that waits: its id.
async fn waiting(installation: &Installation, key: &ConnectionKey, named: &str) -> String {
    let db = &installation.hub.db;
    let cut_off = db.now().await.unwrap() - SignedDuration::from_mins(5);
    let wanted = run(named, cut_off, RunState::Waiting);
    let kept = db.record_run(key, wanted, Vec::new(), &feed(named, cut_off, &[("A", "5")], false)).await.unwrap();
    kept.id
}

async fn approve(browser: &mut Browser<'_>, run: &str) -> Value {
    let answer = browser.post(&format!("/api/v1/stock/runs/{run}/approve"), json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn stands(shown: &Value) -> (&str, Vec<&str>) {
    let by = shown["assents"].as_array().unwrap().iter().map(|one| one["by"].as_str().unwrap());
    (shown["state"].as_str().unwrap(), by.map(|by| by.split_once(' ').unwrap().1).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_goes_on_when_a_second_person_says_yes() {
    let installation = Installation::new().await;
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let mut ada = administrator(&installation).await;
    let (connection, merchant) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    let mut joe = invited(&mut ada, "joe@example.com", json!({ "role": "staff" })).await;
    let key = ConnectionKey {
        scope: Scope { tenant: installation.tenant("default").await, merchant: merchant.parse().unwrap() },
        connection: connection.parse::<ConnectionId>().unwrap(),
    };
    let switched = async |ada: &mut Browser<'_>, on: bool| {
        let path = format!("/api/v1/connections/{connection}/settings");
        let mut settings = ada.get(&path).await.json();
        settings["stock"]["two_people"] = json!(on);
        let answer = ada.put(&path, settings).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    };

    // Usually one is enough.
    let first = waiting(&installation, &key, "1").await;
    let alone = approve(&mut bob, &first).await;
    assert_eq!((stands(&alone), &alone["two_people"]), (("planned", vec![]), &json!(false)));

    switched(&mut ada, true).await;
    let second = waiting(&installation, &key, "2").await;
    let path = format!("/api/v1/stock/runs/{second}");
    // Keys are nobody: one person may hold several.
    let by_key = installation.post(&format!("{path}/approve"), json!({})).await;
    assert_eq!((by_key.status, by_key.problem().as_str()), (StatusCode::FORBIDDEN, "forbidden"), "{}", by_key.text);
    for _ in 0..2 {
        let shown = approve(&mut bob, &second).await;
        let (state, by) = stands(&shown);
        assert_eq!((state, by.len()), ("waiting", 1), "however often one says it: {shown}");
        assert!(by[0].contains("bob@example.com"), "{shown}");
        assert_eq!((&shown["two_people"], &shown["assents"][0]["counts"]), (&json!(true), &json!(true)), "{shown}");
        assert!(shown["assents"][0]["person"].as_str().unwrap().starts_with("per_"), "{shown}");
    }
    // Somebody who may not sign in any more has not said yes.
    assert_eq!(ada.post("/api/v1/people/bob@example.com/disable", json!({})).await.status, StatusCode::OK);
    assert_eq!(stands(&approve(&mut joe, &second).await).0, "waiting");
    let open = ada.get(&path).await.json();
    assert_eq!((&open["state"], &open["assents"][0]["counts"]), (&json!("waiting"), &json!(false)), "{open}");
    let shown = approve(&mut ada, &second).await;
    assert_eq!((stands(&shown).0, stands(&shown).1.len()), ("planned", 3), "{shown}");
    let trail = ada.get("/api/v1/audit?limit=500").await.text;
    assert_eq!(trail.matches("\"stock.assent\"").count(), 3, "{trail}");
    assert_eq!(trail.matches("\"stock.approve\"").count(), 2, "{trail}");
    // It is decided, and so are the lines of it: what is not there is said as before.
    let again = joe.post(&format!("{path}/approve"), json!({})).await;
    assert!(again.status.is_client_error() && again.text.contains("does not wait"), "{}", again.text);
    // One yes to lines is one, too, and none to others.
    let lines = |skus: Value| json!({ "skus": skus });
    let one = joe.post(&format!("{path}/approve"), lines(json!(["A"]))).await;
    assert_eq!(one.status, StatusCode::OK, "{}", one.text);
    assert_eq!(one.json()["assents"].as_array().unwrap().last().unwrap()["skus"], json!(["A"]));
    let other = ada.post(&format!("{path}/approve"), lines(json!(["B"]))).await;
    assert_eq!(other.status, StatusCode::OK, "{}", other.text);
    let agreed = ada.post(&format!("{path}/approve"), lines(json!(["A"]))).await;
    assert!(agreed.text.contains("no held line"), "two agreed, and then it is looked at: {}", agreed.text);

    switched(&mut ada, false).await;
    let third = waiting(&installation, &key, "3").await;
    assert_eq!(stands(&approve(&mut joe, &third).await).0, "planned");
}

/// Two people press at the same moment: both are written down, and the run is approved once.
async fn pressed_at_once(installation: Installation) {
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let mut ada = administrator(&installation).await;
    let (connection, merchant) = connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let mut bob = invited(&mut ada, "bob@example.com", json!({ "role": "staff" })).await;
    let mut joe = invited(&mut ada, "joe@example.com", json!({ "role": "staff" })).await;
    let path = format!("/api/v1/connections/{connection}/settings");
    let mut settings = ada.get(&path).await.json();
    settings["stock"]["two_people"] = json!(true);
    assert_eq!(ada.put(&path, settings).await.status, StatusCode::OK);
    let key = ConnectionKey {
        scope: Scope { tenant: installation.tenant("default").await, merchant: merchant.parse().unwrap() },
        connection: connection.parse::<ConnectionId>().unwrap(),
    };
    for round in 1..=3 {
        let run = waiting(&installation, &key, &round.to_string()).await;
        tokio::join!(approve(&mut bob, &run), approve(&mut joe, &run));
        let shown = ada.get(&format!("/api/v1/stock/runs/{run}")).await.json();
        assert_eq!((stands(&shown).0, stands(&shown).1.len()), ("planned", 2), "{shown}");
    }
    let trail = ada.get("/api/v1/audit?limit=500").await.text;
    assert_eq!(trail.matches("\"stock.assent\"").count(), 6, "{trail}");
    assert_eq!(trail.matches("\"stock.approve\"").count(), 3, "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_press_at_once_are_two() {
    pressed_at_once(Installation::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_press_at_once_are_two_on_postgresql() {
    pressed_at_once(Installation::on_postgres().await).await;
}
