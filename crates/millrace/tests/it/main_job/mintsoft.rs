//! Mintsoft through the real program: every fault of the network, cancels by a GET, calls at an address that is a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    time::Duration,
};

use simulators::{
    faults::{Fault, FaultRule},
    mintsoft::{Dispatch, Handle, LedgerOrder, Rest, Status},
};

use super::{
    flow::place,
    races::{at_warehouse, becomes, cancel, key, one_row, outcome, status_told, take_up},
};
use crate::world::{Setup, Ships, Store, Warehouse, World};

fn floor(world: &World) -> Handle {
    let Warehouse::Mintsoft(running) = &world.warehouse else { panic!("a Mintsoft warehouse") };
    running.handle()
}

fn order_of(world: &World, key: &str) -> LedgerOrder {
    let orders = floor(world).ledger().orders;
    orders.into_iter().find(|order| order.number == key && order.split_of.is_none()).expect("the order")
}

/// How often a cancellation was asked for, and how often it changed something.
fn cancels(world: &World, key: &str) -> (usize, usize) {
    let path = format!("/api/Order/{}/Cancel", order_of(world, key).order_id);
    let asked: Vec<bool> =
        floor(world).ledger().mutations.iter().filter(|one| one.path == path).map(|one| one.took_effect).collect();
    (asked.len(), asked.iter().filter(|took_effect| **took_effect).count())
}

/// One fault after the other on the creation of orders, then a few on anything that is read.
async fn every_fault(store: Store, unique_numbers: bool) {
    let hold = Duration::from_secs(3);
    let setup = Setup { store, unique_numbers, ships: Ships::Mintsoft, basis: "physical", ..Setup::default() };
    let mut world = World::new(setup).await;
    let Warehouse::Mintsoft(running) = &world.warehouse else { panic!("a Mintsoft warehouse") };
    let faults = running.faults();
    world.start();
    let mut expected = BTreeSet::new();
    for (round, fault) in [
        Fault::Refuse,
        Fault::TimeoutBeforeEffect { hold },
        Fault::TimeoutAfterEffect { hold },
        Fault::ErrorBeforeEffect { html: true },
        Fault::ErrorAfterEffect { html: false },
        Fault::Throttled,
        Fault::Outage,
        Fault::ResetMidBody,
        Fault::TruncatedBody,
        Fault::HtmlBody,
        Fault::SlowBody { over: Duration::from_millis(300) },
        Fault::LateEffect { delay: Duration::from_millis(700) },
        Fault::ExpireTokens,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{fault:?}");
        let creation = FaultRule::new(fault.clone()).method("PUT").path_contains("/api/Order");
        let rules = if fault == Fault::ExpireTokens {
            // A key that is refused right after it was given is a person's to mend, and that is another test.
            vec![faults.add(creation.first(1))]
        } else {
            vec![faults.add(creation.first(2)), faults.add(FaultRule::new(fault).method("GET").chance(0.05))]
        };
        expected.extend(place(&world, 4, 400 + u64::try_from(round).expect("few rounds")).expected);
        // Until it was met: how soon the program comes to a creation depends on what the round before left it to wait for.
        let creations = rules[0];
        let what = format!("{name} is played on a creation");
        let rule = faults.clone();
        world
            .until(&what, Duration::from_secs(60), move |_| match rule.fired_count(creations) {
                0 => Err("no creation met it".to_owned()),
                _ => Ok(()),
            })
            .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        for rule in rules {
            faults.remove(rule);
        }
        let expected = expected.clone();
        let what = format!("everything settles after {name}");
        world
            .until(&what, Duration::from_secs(120), move |world| {
                world.decide_parked();
                world.all_told(&expected)
            })
            .await;
        world.invariants().expect("the invariants hold");
    }
    let ledger = floor(&world).ledger();
    assert_eq!(ledger.duplicates, [], "no order is there twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_where_numbers_are_unique() {
    every_fault(Store::Sqlite, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_where_numbers_are_not_unique() {
    every_fault(Store::Postgres, false).await;
}

/// In each phase the outcome is the warehouse's own, and the GET that cancels is made no more often than it must.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_in_every_phase() {
    let settings = "cancel_deadline_minutes = 60".to_owned();
    let setup = Setup { ships: Ships::Mintsoft, basis: "physical", told: true, settings, ..Setup::default() };
    let mut world = World::new(setup).await;
    let Warehouse::Mintsoft(running) = &world.warehouse else { panic!("a Mintsoft warehouse") };
    let (floor, faults) = (running.handle(), running.faults());
    let orders: [i64; 5] = [0, 1, 2, 3, 4].map(|place| one_row(&world, place, 3));
    let [waiting, lost, picked, gone, part] = orders;
    world.start();
    for order in orders {
        at_warehouse(&mut world, order, &[key(order)]).await;
        status_told(&mut world, order).await;
    }

    // Not started: accepted, asked for once. Taken up again it goes under a fresh key.
    cancel(&world, waiting);
    let ended = becomes(&mut world, waiting, "cancelled", "accepted").await;
    assert_eq!((outcome(&ended).as_str(), cancels(&world, &key(waiting))), ("accepted", (1, 1)));
    take_up(&world, waiting, "Ready to ship");
    at_warehouse(&mut world, waiting, &[format!("{}-R2", key(waiting))]).await;

    // The answer is lost, after the effect: it is looked up, and not asked for again.
    let hold = Duration::from_secs(3);
    faults.add(FaultRule::new(Fault::TimeoutAfterEffect { hold }).path_contains("/Cancel").first(1));
    cancel(&world, lost);
    let ended = becomes(&mut world, lost, "cancelled", "accepted").await;
    assert_eq!((outcome(&ended).as_str(), cancels(&world, &key(lost))), ("accepted", (1, 1)));

    // Picked: the warehouse says no, and the normal flow goes on.
    assert!(floor.set_status(order_of(&world, &key(picked)).order_id, Status::Picked));
    cancel(&world, picked);
    let refused = becomes(&mut world, picked, "open", "came too late").await;
    assert_eq!((outcome(&refused).as_str(), cancels(&world, &key(picked))), ("too_late", (1, 0)));

    // A part has left and nothing follows.
    let only = BTreeMap::from([(crate::world::warehouse_sku(&world.skus[4].1), 1)]);
    let how = Dispatch { only: Some(only), rest: Rest::Cancel, boxes: 1 };
    floor.ship(order_of(&world, &key(part)).order_id, &how).expect("a part leaves");

    // All has left before anybody asks: nothing is sent at all.
    floor.ship(order_of(&world, &key(gone)).order_id, &Dispatch::full()).expect("it leaves");
    becomes(&mut world, gone, "closed", "").await;
    world.command(&["orders", "cancel", &gone.to_string(), "--reason", "much too late"]);
    becomes(&mut world, gone, "closed", "everything had left").await;
    assert_eq!(cancels(&world, &key(gone)), (0, 0));

    take_up(&world, picked, "At warehouse");
    for key in [key(picked), format!("{}-R2", key(waiting))] {
        floor.ship(order_of(&world, &key).order_id, &Dispatch::full()).expect("it leaves");
    }
    for order in [picked, waiting] {
        becomes(&mut world, order, "closed", "").await;
    }
    let expected: BTreeSet<i64> = [waiting, picked, gone].into();
    world
        .until("what left is told", Duration::from_secs(60), |world| {
            let audit = world.audit(&expected);
            if audit.told >= 3 && audit.untold.is_empty() { Ok(()) } else { Err(audit.problems().join("\n")) }
        })
        .await;
    world.invariants().expect("the invariants hold");
    assert_eq!(floor.ledger().duplicates, []);
}

/// Mintsoft calls when an order is despatched; whoever does not know the address learns nothing, and the address is in no log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_make_the_hub_look_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let setup = Setup {
        ships: Ships::Mintsoft,
        basis: "physical",
        store: Store::Postgres,
        webhooks: Some(port),
        ..Setup::default()
    };
    let mut world = World::new(setup).await;
    let (code, made) = world.ask(&["keys", "create", "--name", "test", "--role", "admin"]);
    assert_eq!(code, 0, "{made}");
    let api_key = made["key"].as_str().expect("a key").to_owned();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    world.start();
    let url = format!("http://127.0.0.1:{port}/api/v1/warehouses/Acme%20warehouse/address");
    let mut address = None;
    for _ in 0..100 {
        let answer = client.post(&url).bearer_auth(&api_key).send().await;
        if let Ok(answer) = answer {
            let text = answer.text().await.expect("a body");
            let body: serde_json::Value = serde_json::from_str(&text).expect("an answer");
            address = Some(body["address"].as_str().unwrap_or_else(|| panic!("an address: {text}")).to_owned());
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let address = address.expect("the program answers");
    let secret = address.rsplit('/').next().expect("a path").to_owned();
    world.kill();
    world.call_back_at(&address);
    world.apply();
    world.start();
    let expected = place(&world, 8, 55).expected;
    world
        .until("every order ships once and Brightpearl knows", Duration::from_secs(120), |world| {
            world.all_told(&expected)
        })
        .await;
    let calls = floor(&world).ledger().calls;
    assert!(calls.iter().filter(|call| call.status == Some(200)).count() >= expected.len(), "{calls:?}");
    assert!(calls.iter().all(|call| call.status == Some(200)), "every call was kept: {calls:?}");
    // What everybody can post: the right form at another address, and nonsense at the right one.
    let order = serde_json::json!({"ID": 1, "OrderNumber": "BPacme-O1", "OrderStatusId": 4}).to_string();
    for (uri, body) in [(format!("{address}x"), order.as_str()), (address.clone(), "nonsense"), (address.clone(), "{}")]
    {
        let answer = client.post(&uri).body(body.to_owned()).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 404, "{uri} {body}");
    }
    assert!(!world.logs().contains(&secret), "the address is in no log");
    let effects = world.command(&["effects", "list", "--json"]);
    assert!(!effects.contains(&secret), "nor is it in what is shown");
    let url = format!("http://127.0.0.1:{port}/api/v1/warehouses/Acme%20warehouse");
    let shown = client.get(&url).bearer_auth(&api_key).send().await.expect("an answer");
    assert_eq!(shown.status().as_u16(), 200);
    let shown = shown.text().await.expect("a body");
    assert!(shown.contains("callback_address") && !shown.contains(&secret), "a setting that is a secret: {shown}");
}
