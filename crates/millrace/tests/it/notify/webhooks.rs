//! Outgoing webhooks (security control 21).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Telling, receiver::Receiver};
use crate::{
    api::access::{brightpearl, connected},
    db::world::unique,
};

/// The events that were told, by their ids.
fn told(receiver: &Receiver) -> Vec<String> {
    receiver.calls().iter().map(|call| call.json()["data"]["id"].as_str().unwrap().to_owned()).collect()
}

/// A connection to change; its id, and what must live as long as it.
async fn connection(telling: &Telling) -> (String, (simulators::brightpearl::Running, tempfile::TempDir)) {
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    let (id, _) = connected(&telling.installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    (id, (source, folder))
}

async fn signed_in_order_and_by_two_secrets(telling: &Telling) {
    let receiver = Receiver::start().await;
    let (webhook, first) = telling.webhook(&receiver.url, &["connection", "channel"]).await;
    let (id, _ends) = connection(telling).await;
    for _ in 0..5 {
        telling.change_connection(&id).await;
    }
    telling.turn().await;
    let calls = receiver.calls();
    assert!(calls.len() >= 6, "made, and five changes: {} calls", calls.len());
    let exported = telling.installation.get("/api/v1/exports/events").await.text;
    let mut in_order: Vec<&str> = exported.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let told = told(&receiver);
    in_order.retain(|id| told.iter().any(|told| told == id));
    assert_eq!(told, in_order, "in order while all goes well");
    for call in &calls {
        assert!(call.is_signed_with(&first));
        assert_eq!(call.header("content-type"), "application/json");
        let tampered = super::receiver::Call { body: call.body.replace("con_", "con-"), ..call.clone() };
        assert!(!tampered.is_signed_with(&first), "a changed body is noticed");
        assert!(call.body.len() < 20_000);
        let body = call.json();
        assert!(body["type"].as_str().unwrap().contains('.'), "{body}");
        body["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }
    // The log says how each went, and nowhere what it was signed with.
    let log = telling.deliveries(&webhook).await;
    assert_eq!(log.len(), calls.len());
    assert!(log.iter().all(|delivery| delivery["state"] == "delivered" && delivery["tries"] == 1), "{log:?}");
    let exported = telling.installation.get("/api/v1/exports/deliveries").await.text;
    assert_eq!(exported.lines().count(), 1 + log.len(), "{exported}");
    assert!(exported.contains(calls[0].id()) && exported.contains(",delivered,1,"), "{exported}");
    let one = telling.installation.get(&format!("/api/v1/deliveries/{}", calls[0].id())).await;
    assert_eq!(one.json()["attempts"][0]["status"], 200, "{}", one.text);
    assert_eq!(one.json()["attempts"][0]["answer"], "an answer");
    assert_eq!(one.json()["body"], calls[0].json());
    let shown = telling.installation.get(&format!("/api/v1/webhooks/{webhook}")).await;
    assert!(!one.text.contains(&first) && !shown.text.contains("whsec_"), "{}", shown.text);

    // While the secret changes, both prove it; afterwards only the new one.
    let path = format!("/api/v1/webhooks/{webhook}/secret");
    let second = telling.installation.post(&path, json!({ "hours": 1 })).await.json();
    let second = second["secret"].as_str().unwrap().to_owned();
    telling.change_connection(&id).await;
    telling.turn().await;
    let call = receiver.calls().pop().unwrap();
    assert!(call.is_signed_with(&first) && call.is_signed_with(&second) && first != second);
    let third = telling.installation.post(&path, json!({ "hours": 0 })).await.json();
    let third = third["secret"].as_str().unwrap().to_owned();
    telling.change_connection(&id).await;
    telling.turn().await;
    let call = receiver.calls().pop().unwrap();
    assert!(call.is_signed_with(&third) && !call.is_signed_with(&second) && !call.is_signed_with(&first));
    let mut seen: Vec<String> = receiver.calls().iter().map(|call| call.id().to_owned()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), receiver.calls().len(), "each event once");

    // A new data key seals what is kept here anew as well.
    let hub = &telling.installation.hub;
    let tenant = telling.installation.tenant("default").await;
    assert!(hub.db.renew_data_key(&tenant, &hub.keyring).await.unwrap() >= 2);
    telling.change_connection(&id).await;
    telling.turn().await;
    assert!(receiver.calls().pop().unwrap().is_signed_with(&third));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_signed_and_in_order() {
    signed_in_order_and_by_two_secrets(&Telling::new().await).await;
    let (telling, _server) = Telling::on_postgres(1).await;
    signed_in_order_and_by_two_secrets(&telling).await;
}

async fn again_after_it_was_down(telling: &Telling) {
    let receiver = Receiver::start().await;
    let (webhook, secret) = telling.webhook(&receiver.url, &["connection"]).await;
    receiver.answers(503, None);
    let (id, _ends) = connection(telling).await;
    telling.turn().await;
    let tried = receiver.calls().len();
    assert!(tried >= 1);
    let waiting = telling.deliveries(&webhook).await;
    assert!(waiting.iter().all(|delivery| delivery["state"] == "waiting" && delivery["tries"] == 1), "{waiting:?}");
    receiver.answers(204, None);
    // On PostgreSQL the waits are short instead of the clock fast.
    telling.clock.by(SignedDuration::from_secs(30));
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    telling.turn().await;
    let calls = receiver.calls();
    assert_eq!(calls.len(), 2 * tried);
    let ids = |calls: &[super::receiver::Call]| {
        let mut ids: Vec<String> = calls.iter().map(|call| call.id().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&calls[..tried]), ids(&calls[tried..]), "a repeat carries the same id");
    assert!(calls.iter().all(|call| call.is_signed_with(&secret)));
    let detail = telling.installation.get(&format!("/api/v1/deliveries/{}", calls[0].id())).await.json();
    let statuses: Vec<&Value> = detail["attempts"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [503, 204]);
    assert_eq!(detail["attempts"][0]["problem"], "it answered 503");
    let shown = telling.installation.get(&format!("/api/v1/webhooks/{webhook}")).await.json();
    assert!(shown["failing_since"].is_null(), "{shown}");

    // One again by hand, then all of a time; others that were never told come with it.
    let one = telling.installation.post(&format!("/api/v1/deliveries/{}/replay", calls[0].id()), json!({})).await;
    assert_eq!(one.status, 202, "{}", one.text);
    telling.turn().await;
    assert_eq!(receiver.calls().last().unwrap().id(), calls[0].id());
    let enable = |on: bool| json!({ "name": "off", "url": receiver.url, "events": ["connection"], "enabled": on });
    let switched = telling.installation.put(&format!("/api/v1/webhooks/{webhook}"), enable(false)).await;
    assert_eq!(switched.status, 200, "{}", switched.text);
    let settings = json!({ "import_statuses": ["Ready to ship"], "warehouse": "Example 3PL", "hold_minutes": 3 });
    let changed = telling.installation.put(&format!("/api/v1/connections/{id}/settings"), settings).await;
    assert!(changed.status.is_success(), "{}", changed.text);
    let before = receiver.calls().len();
    telling.turn().await;
    telling.installation.put(&format!("/api/v1/webhooks/{webhook}"), enable(true)).await;
    telling.turn().await;
    assert_eq!(receiver.calls().len(), before, "what happened while it was off is not told by itself");
    let path = format!("/api/v1/webhooks/{webhook}/replay");
    let replayed = telling.installation.post(&path, json!({ "from": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(replayed.status, 202, "{}", replayed.text);
    let count = usize::try_from(replayed.json()["events"].as_u64().unwrap()).unwrap();
    assert!(count > tried, "{count} events");
    telling.turn().await;
    assert_eq!(receiver.calls().len(), before + count);
    let nothing =
        telling.installation.post(&path, json!({ "from": "2020-01-02T00:00:00Z", "until": "2020-01-01T00:00:00Z" }));
    assert_eq!(nothing.await.problem(), "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_taken_goes_again_and_can_be_replayed() {
    again_after_it_was_down(&Telling::new().await).await;
    let (telling, _server) = Telling::on_postgres(100).await;
    again_after_it_was_down(&telling).await;
}

/// The schedule of the scheme, on a clock that is put forward: over days, then given up; and the receiver is switched off.
#[tokio::test(flavor = "multi_thread")]
async fn after_days_it_is_given_up_and_switched_off() {
    let telling = Telling::new().await;
    let receiver = Receiver::start().await;
    receiver.answers(500, None);
    let (webhook, _) = telling.webhook(&receiver.url, &[]).await;
    let test = telling.installation.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({})).await;
    assert_eq!(test.status, 202, "{}", test.text);
    let delivery = format!("/api/v1/deliveries/{}", test.json()["id"].as_str().unwrap());
    loop {
        telling.turn().await;
        let shown = telling.installation.get(&delivery).await.json();
        let Some(next) = shown["delivery"]["next_at"].as_str() else { break };
        telling.clock.to(next.parse().unwrap());
    }
    let shown = telling.installation.get(&delivery).await.json();
    assert_eq!(shown["delivery"]["state"], "failed");
    let tries: Vec<Timestamp> = shown["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["at"].as_str().unwrap().parse().unwrap())
        .collect();
    let waits: Vec<i64> = tries.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
    assert_eq!(waits.len(), engine::delivery::SCHEDULE.len());
    for (wait, usual) in waits.iter().zip(engine::delivery::SCHEDULE) {
        let usual = i64::try_from(usual.as_secs()).unwrap();
        assert!((usual * 4 / 5..=usual * 6 / 5 + 3).contains(wait), "{wait} s instead of about {usual} s");
    }
    // Still not a whole five days; a person has it go again, and then it is, however the waits were drawn.
    let webhook_now = telling.installation.get(&format!("/api/v1/webhooks/{webhook}")).await.json();
    assert_eq!(webhook_now["enabled"], true, "{webhook_now}");
    telling.clock.by(SignedDuration::from_hours(72));
    telling.installation.post(&format!("{delivery}/replay"), json!({})).await;
    telling.turn().await;
    let webhook_now = telling.installation.get(&format!("/api/v1/webhooks/{webhook}")).await.json();
    assert_eq!(webhook_now["enabled"], false, "{webhook_now}");
    assert!(webhook_now["disabled_why"].as_str().unwrap().contains("five days"), "{webhook_now}");
    let calls = receiver.calls().len();
    telling.clock.by(SignedDuration::from_hours(1));
    telling.turn().await;
    assert_eq!(receiver.calls().len(), calls, "it is left alone");
    let issues = telling.installation.get("/api/v1/alerts/issues?kind=delivery_failing").await.json();
    assert_eq!(issues["items"].as_array().unwrap().len(), 1, "{issues}");
    let tested = telling.installation.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({})).await;
    assert_eq!(tested.problem(), "conflict");
}

/// 410 ends it at once, a wish for a pause is heard, and a redirect is not followed.
#[tokio::test(flavor = "multi_thread")]
async fn gone_slowed_and_redirected() {
    let telling = Telling::new().await;
    let (gone, slow, moved, target) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await);
    gone.answers(410, None);
    slow.answers(429, Some(("retry-after", "3600")));
    moved.answers(307, Some(("location", &target.url)));
    let mut ids = Vec::new();
    for receiver in [&gone, &slow, &moved] {
        let (webhook, _) = telling.webhook(&receiver.url, &[]).await;
        let test = telling.installation.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({})).await.json();
        ids.push((webhook, test["id"].as_str().unwrap().to_owned()));
    }
    telling.turn().await;
    let shown = telling.installation.get(&format!("/api/v1/webhooks/{}", ids[0].0)).await.json();
    assert_eq!((&shown["enabled"], &shown["disabled_why"]), (&json!(false), &json!("it answered 410 Gone")));
    let slowed = telling.installation.get(&format!("/api/v1/deliveries/{}", ids[1].1)).await.json();
    let next: Timestamp = slowed["delivery"]["next_at"].as_str().unwrap().parse().unwrap();
    let wait = next.duration_since(slowed["attempts"][0]["at"].as_str().unwrap().parse().unwrap()).as_secs();
    assert!((3600..3700).contains(&wait), "{wait} s");
    let redirected = telling.installation.get(&format!("/api/v1/deliveries/{}", ids[2].1)).await.json();
    assert_eq!(redirected["delivery"]["state"], "waiting");
    assert!(
        redirected["attempts"][0]["problem"].as_str().unwrap().contains("redirects are not followed"),
        "{redirected}"
    );
    assert_eq!((moved.calls().len(), target.calls().len()), (1, 0));
}

/// Where the operator permits no stand-ins, this machine and private networks are not called: not when an address is given, and not
/// when one was given before.
#[tokio::test(flavor = "multi_thread")]
async fn this_network_is_not_called() {
    let strict = Telling::with(|config| config.allow_stand_ins = false).await;
    let receiver = Receiver::start().await;
    for url in [
        receiver.url.as_str(),
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "nonsense",
    ] {
        let given = json!({ "name": "x", "url": url, "events": ["order"] });
        let refused = strict.installation.post("/api/v1/webhooks", given).await;
        assert_eq!(refused.problem(), "invalid", "{url}: {}", refused.text);
        let chat = json!({ "name": "x", "kind": "chat", "url": url });
        let refused = strict.installation.post("/api/v1/alerts/channels", chat).await;
        assert_eq!(refused.problem(), "invalid", "{url}: {}", refused.text);
    }
    // Permitted once, then not any more.
    let lenient = Telling::new().await;
    let (webhook, _) = lenient.webhook(&receiver.url, &[]).await;
    let test = lenient.installation.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({})).await.json();
    let config = millrace::config::Config { allow_stand_ins: false, ..lenient.installation.hub.config.clone() };
    let hub = millrace::operate::Hub::open(config, lenient.installation.hub.seams.clone()).await.unwrap();
    millrace::notify::Notifier::new(hub).unwrap().deliver_due().await.unwrap();
    let shown = lenient.installation.get(&format!("/api/v1/deliveries/{}", test["id"].as_str().unwrap())).await.json();
    assert!(shown["attempts"][0]["problem"].as_str().unwrap().contains("may not be called"), "{shown}");
    assert_eq!(receiver.calls().len(), 0);
    let wrong = json!({ "name": "x", "url": receiver.url, "events": ["orders"] });
    let refused = lenient.installation.post("/api/v1/webhooks", wrong).await;
    assert!(refused.text.contains("is not a kind of event"), "{}", refused.text);
}

/// A merchant's webhook is told of its own merchant's things only, and nobody else sees it.
#[tokio::test(flavor = "multi_thread")]
async fn brands_and_tenants_are_kept_apart() {
    use millrace::operate::Role;
    for postgres in [false, true] {
        let (telling, _server) = match postgres {
            true => {
                let (telling, server) = Telling::on_postgres(1).await;
                (telling, Some(server))
            }
            false => (Telling::new().await, None),
        };
        let installation = &telling.installation;
        let own = installation.tenant("default").await;
        let brand = installation.hub.db.create_merchant(&own, "Brand").await.unwrap();
        let (all, theirs) = (Receiver::start().await, Receiver::start().await);
        let (webhook, _) = telling.webhook(&all.url, &["connection"]).await;
        let key = installation.key(&own, Role::Admin, Some(brand.as_str())).await;
        let given = json!({ "name": "theirs", "url": theirs.url, "events": ["connection"] });
        let made = installation.ask("POST", "/api/v1/webhooks", Some(&key), Some(&given)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json()["webhook"]["merchant"], brand.as_str());
        let (_, _ends) = connection(&telling).await;
        telling.turn().await;
        assert!(!all.calls().is_empty());
        assert_eq!(theirs.calls().len(), 0, "Acme's connection is not Brand's");
        let seen = installation.ask("GET", "/api/v1/webhooks", Some(&key), None).await.json();
        assert_eq!(seen["items"].as_array().unwrap().len(), 1, "{seen}");
        let log = all.calls()[0].id().to_owned();
        let other = installation.hub.db.create_tenant(&format!("other {}", unique())).await.unwrap();
        for foreign in [key, installation.key(&other, Role::Admin, None).await] {
            for path in [format!("/api/v1/deliveries/{log}"), format!("/api/v1/webhooks/{webhook}")] {
                assert_eq!(installation.ask("GET", &path, Some(&foreign), None).await.status, 404, "{path}");
            }
        }
    }
}
