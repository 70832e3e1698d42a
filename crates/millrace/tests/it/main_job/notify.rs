//! What is told to the outside while the main job goes on: nothing lost when the program dies, and people hear of a stuck order and of
//! its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;
use simulators::{
    brightpearl::NewLine,
    faults::{Fault, FaultRule},
};

use super::flow::place;
use crate::{
    notify::receiver::{MailServer, Receiver},
    world::{ACCOUNT, Setup, Ships, Store, WAREHOUSE, Warehouse, World, warehouse_sku},
};

/// The ids of the events of these kinds after one, and that of the last of all.
fn events(world: &World, after: &str, kinds: &[&str]) -> (BTreeSet<String>, String) {
    let id = |event: &Value| event["id"].as_str().expect("an id").to_owned();
    let mut ids = BTreeSet::new();
    let mut last = after.to_owned();
    loop {
        let (code, answer) = world.ask(&["events", "--after", &last]);
        assert_eq!(code, 0);
        let answer = answer.as_array().cloned().unwrap_or_default();
        let Some(newest) = answer.last() else { return (ids, last) };
        last = id(newest);
        let wanted = answer.iter().filter(|event| kinds.iter().any(|kind| event["what"] == *kind));
        ids.extend(wanted.map(id));
    }
}

/// Killed again and again, with a receiver that is down at times: every event arrives, each always under the same id, and the main job
/// goes on as if nobody listened.
async fn every_event_arrives(store: Store) {
    let mut world = World::new(Setup { store, ..Setup::default() }).await;
    let receiver = Receiver::start().await;
    let kinds = ["order", "effect", "shipment"];
    let create = ["webhooks", "create", "--name", "erp", "--url", &receiver.url, "--events", &kinds.join(",")];
    let (code, made) = world.ask(&create);
    assert_eq!(code, 0, "{made}");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    let (_, before) = events(&world, "0", &kinds);
    let expected = place(&world, 12, 33).expected;
    for round in 0..5 {
        world.start();
        receiver.answers(if round % 2 == 0 { 503 } else { 200 }, None);
        let seen = receiver.calls().len();
        world
            .until("something is told", Duration::from_secs(60), |_| {
                if receiver.calls().len() > seen + 3 * round { Ok(()) } else { Err(format!("{seen} calls")) }
            })
            .await;
        world.kill();
    }
    receiver.answers(200, None);
    world.start();
    world
        .until("every order ships once and Brightpearl knows", Duration::from_secs(180), |world| {
            world.all_told(&expected)
        })
        .await;
    world
        .until("every event has arrived", Duration::from_secs(120), |world| {
            let (wanted, _) = events(world, &before, &kinds);
            let told: BTreeSet<String> = receiver
                .calls()
                .iter()
                .filter_map(|call| Some(call.json()["data"]["id"].as_str()?.to_owned()))
                .collect();
            let missing: Vec<&String> = wanted.difference(&told).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{} missing: {missing:?}", missing.len())) }
        })
        .await;
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for call in receiver.calls() {
        assert!(call.is_signed_with(&secret));
        let event = call.json()["data"]["id"].as_str().expect("an id").to_owned();
        ids.entry(event).or_default().insert(call.id().to_owned());
    }
    assert!(ids.len() > 12, "{} events", ids.len());
    let several: Vec<_> = ids.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(several.is_empty(), "an event keeps its id: {several:?}");
    world.invariants().expect("the invariants hold");
    assert!(!world.logs().contains(&secret), "the secret is in the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_arrives_over_kills() {
    every_event_arrives(Store::Sqlite).await;
    every_event_arrives(Store::Postgres).await;
}

/// Orders whose SKU is not mapped: one issue counts them, one e-mail says it, and when the listing is there the orders go, the issue
/// closes by itself, and one e-mail says that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_hear_of_stuck_orders_and_of_their_end() {
    let mut world = World::new(Setup::default()).await;
    let mail = MailServer::start().await;
    world.set_environment("MILLRACE_SMTP", Some(&mail.url));
    world.set_environment("MILLRACE_MAIL_FROM", Some("Millrace <millrace@example.test>"));
    world.command(&["alerts", "channels", "create-email", "--name", "ops", "--to", "ops@example.test"]);
    let known: BTreeSet<i64> = world.skus.iter().map(|(product, _)| *product).collect();
    let products = world.brightpearl.plain_products(ACCOUNT).expect("products");
    let (product, sku) =
        products.into_iter().find(|(product, _)| !known.contains(product)).expect("one without a listing");
    world.brightpearl.change_stock(ACCOUNT, product, WAREHOUSE, 100).expect("stock");
    for _ in 0..3 {
        world.place(world.ready(vec![NewLine::sku(&sku, 1)]));
    }
    world.start();
    let issues = |world: &World| -> Vec<Value> {
        let (_, answer) = world.ask(&["alerts", "issues", "--all", "--kind", "order_held"]);
        answer["items"].as_array().cloned().unwrap_or_default()
    };
    world
        .until("one issue counts three orders", Duration::from_secs(60), |world| {
            let found = issues(world);
            let counted = found.len() == 1 && found[0]["count"] == 3 && found[0]["state"] == "open";
            if counted { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    let about = |word: &str| -> usize {
        let mails = mail.mails();
        let held = mails.iter().map(|mail| mail.replace("=\r\n", "")).filter(|mail| mail.contains("order held"));
        held.filter(|mail| mail.contains(word)).count()
    };
    world
        .until("an e-mail says so", Duration::from_secs(30), |_| {
            if about("New\r\n") == 1 { Ok(()) } else { Err(format!("{:?}", mail.mails())) }
        })
        .await;
    let listing = world.folder().join("listing.csv");
    std::fs::write(&listing, format!("{sku},{}\n", warehouse_sku(&sku))).expect("a file");
    world.command(&[
        "connections",
        "import-mappings",
        "main",
        "listings",
        "-f",
        listing.to_str().expect("a plain path"),
    ]);
    world.command(&["connections", "run", "main", "orders"]);
    world
        .until("the issue closes by itself", Duration::from_secs(120), |world| {
            let found = issues(world);
            if found.len() == 1 && found[0]["state"] == "closed" { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    world
        .until("an e-mail says that", Duration::from_secs(60), |_| {
            if about("Closed by itself") == 1 { Ok(()) } else { Err(format!("{:?}", mail.mails())) }
        })
        .await;
    assert_eq!(about("New\r\n"), 1, "{:?}", mail.mails());
}

/// J4: an order whose answer was lost, at a warehouse that cannot be asked since. Somebody hears of it within a quarter of an hour,
/// and once the warehouse answers again it is found there, once, and the issue closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_hear_of_a_change_that_stays_unknown() {
    let mut world = World::new(Setup { ships: Ships::Extensiv, ..Setup::default() }).await;
    let mail = MailServer::start().await;
    world.set_environment("MILLRACE_SMTP", Some(&mail.url));
    world.set_environment("MILLRACE_MAIL_FROM", Some("Millrace <millrace@example.test>"));
    world.command(&["alerts", "channels", "create-email", "--name", "ops", "--to", "ops@example.test"]);
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let faults = running.faults();
    let hold = Duration::from_secs(3);
    faults.add(FaultRule::new(Fault::TimeoutAfterEffect { hold }).method("POST").path_contains("/orders").nth(1));
    let order = world.place(world.ready(vec![NewLine::sku(&world.skus[0].1, 1)]));
    world.start();
    world
        .until("the order is there, and nobody knows", Duration::from_secs(60), |world| {
            if world.warehouse_orders().len() == 1 { Ok(()) } else { Err("it is not there".to_owned()) }
        })
        .await;
    faults.add(FaultRule::new(Fault::Refuse).method("GET").path_contains("/orders"));
    let unknown = |world: &World| -> Vec<Value> {
        let (_, answer) = world.ask(&["alerts", "issues", "--all", "--kind", "effect_unknown"]);
        let issues = answer["items"].as_array().cloned().unwrap_or_default();
        let says = |issue: &Value| issue["what"].as_str().is_some_and(|what| what.contains("nobody knows whether"));
        issues.into_iter().filter(says).collect()
    };
    // A quarter of an hour is 45 s in this world.
    world
        .until("an issue says so", Duration::from_secs(45), |world| {
            let found = unknown(world);
            let open = found.len() == 1 && found[0]["count"] == 1 && found[0]["state"] == "open";
            if open { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    world
        .until("an e-mail says so", Duration::from_secs(30), |_| {
            let mails: Vec<String> = mail.mails().iter().map(|mail| mail.replace("=\r\n", "")).collect();
            let told = mails.iter().any(|mail| mail.contains("nobody knows whether it happened: submit request"));
            if told { Ok(()) } else { Err(format!("{mails:?}")) }
        })
        .await;
    faults.clear();
    // What failed meanwhile waits for its pause.
    world.command(&["connections", "run", "main", "orders"]);
    world
        .until("it is found, ships once and is told", Duration::from_secs(180), |world| {
            world.all_told(&BTreeSet::from([order]))
        })
        .await;
    world
        .until("the issue closes by itself", Duration::from_secs(120), |world| {
            let found = unknown(world);
            if found.len() == 1 && found[0]["state"] == "closed" { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    assert_eq!(world.warehouse_orders().len(), 1, "once");
    world.invariants().expect("the invariants hold");
}
