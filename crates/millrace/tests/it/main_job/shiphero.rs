//! ShipHero through the real program: every fault of the network, orders held until they were counted, signed calls.

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use simulators::{
    faults::{Fault, FaultRule},
    shiphero::{Dispatch, Handle, LedgerOrder, signature},
};

use super::{
    flow::place,
    races::{at_warehouse, becomes, cancel, key, one_row, outcome, status_told, take_up},
};
use crate::world::{CHILD, Setup, Ships, Store, Warehouse, World};

fn floor(world: &World) -> Handle {
    let Warehouse::ShipHero(running) = &world.warehouse else { panic!("a ShipHero warehouse") };
    running.handle()
}

fn order_of(world: &World, key: &str) -> LedgerOrder {
    let orders = floor(world).ledger().orders;
    orders.into_iter().find(|order| order.partner_id == key).expect("the order")
}

/// How often a cancel was carried out.
fn cancels(world: &World, key: &str) -> usize {
    let id = order_of(world, key).order_id;
    let all = floor(world).ledger().mutations;
    all.iter().filter(|one| one.name == "order_cancel" && one.order_id == Some(id)).count()
}

/// Preparing all that is due takes longer than a claim lasts. What was prepared is sent while the claim lasts, the rest with the
/// next one: nobody prepares everything for nothing, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_goes_out_though_every_reading_is_slow() {
    let mut world = World::new(Setup { ships: Ships::ShipHero, told: true, works: false, ..Setup::default() }).await;
    let Warehouse::ShipHero(running) = &world.warehouse else { panic!("a ShipHero warehouse") };
    let slow = Fault::SlowBody { over: Duration::from_millis(250) };
    running.faults().add(FaultRule::new(slow).body_contains("query "));
    let expected = place(&world, 60, 7).expected;
    world.start();
    world
        .until("the backlog is at the warehouse and let go", Duration::from_secs(90), |world| {
            let let_go = floor(world).ledger().orders.iter().filter(|order| !order.held).count();
            if let_go >= expected.len() { Ok(()) } else { Err(format!("{let_go} of {} are let go", expected.len())) }
        })
        .await;
}

/// One fault after the other on the changes, then a few on anything that is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault() {
    let hold = Duration::from_secs(3);
    let setup = Setup { ships: Ships::ShipHero, basis: "physical", ..Setup::default() };
    let mut world = World::new(setup).await;
    let Warehouse::ShipHero(running) = &world.warehouse else { panic!("a ShipHero warehouse") };
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
        let creation = FaultRule::new(fault.clone()).body_contains("mutation create");
        let release = FaultRule::new(fault.clone()).body_contains("mutation release");
        let rules = if fault == Fault::ExpireTokens {
            // A token that is refused right after it was given is a person's to mend, and that is another test.
            vec![faults.add(creation.first(1))]
        } else {
            let reading = FaultRule::new(fault).body_contains("query ").chance(0.05);
            vec![faults.add(creation.first(2)), faults.add(release.first(1)), faults.add(reading)]
        };
        expected.extend(place(&world, 4, 600 + u64::try_from(round).expect("few rounds")).expected);
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
    assert_eq!(floor(&world).ledger().duplicates, [], "no order is there twice");
}

/// Before anything left the warehouse stops it, once; afterwards nothing is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_before_and_after_it_left() {
    let settings = "cancel_deadline_minutes = 60".to_owned();
    let setup = Setup { ships: Ships::ShipHero, basis: "physical", told: true, settings, ..Setup::default() };
    let mut world = World::new(setup).await;
    let Warehouse::ShipHero(running) = &world.warehouse else { panic!("a ShipHero warehouse") };
    let (floor, faults) = (running.handle(), running.faults());
    let orders: [i64; 3] = [0, 1, 2].map(|place| one_row(&world, place, 3));
    let [waiting, lost, gone] = orders;
    world.start();
    for order in orders {
        at_warehouse(&mut world, order, &[key(order)]).await;
        status_told(&mut world, order).await;
    }

    // Not started: accepted, asked for once. Taken up again it goes under a fresh key.
    cancel(&world, waiting);
    let ended = becomes(&mut world, waiting, "cancelled", "accepted").await;
    assert_eq!((outcome(&ended).as_str(), cancels(&world, &key(waiting))), ("accepted", 1));
    take_up(&world, waiting, "Ready to ship");
    let again = format!("{}-R2", key(waiting));
    at_warehouse(&mut world, waiting, std::slice::from_ref(&again)).await;

    // The answer is lost, after the effect: it is looked up, and not asked for again.
    let hold = Duration::from_secs(3);
    faults.add(FaultRule::new(Fault::TimeoutAfterEffect { hold }).body_contains("mutation cancel").first(1));
    cancel(&world, lost);
    let ended = becomes(&mut world, lost, "cancelled", "accepted").await;
    assert_eq!((outcome(&ended).as_str(), cancels(&world, &key(lost))), ("accepted", 1));

    // All has left before anybody asks: nothing is sent at all.
    let of = key(gone);
    world
        .until("it is let go", Duration::from_secs(30), move |world| match order_of(world, &of).held {
            true => Err(format!("{of} is held")),
            false => Ok(()),
        })
        .await;
    floor.ship(order_of(&world, &key(gone)).order_id, &Dispatch::full()).expect("it leaves");
    becomes(&mut world, gone, "closed", "").await;
    world.command(&["orders", "cancel", &gone.to_string(), "--reason", "much too late"]);
    becomes(&mut world, gone, "closed", "everything had left").await;
    assert_eq!(cancels(&world, &key(gone)), 0);
    world.invariants().expect("the invariants hold");
    assert_eq!(floor.ledger().duplicates, []);
}

/// What it refuses for good is not repeated: the order says why in its words, and goes when a person says that the cause is mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_refuses_for_good_waits_for_a_person() {
    let mut world = World::new(Setup { ships: Ships::ShipHero, basis: "physical", ..Setup::default() }).await;
    let floor = floor(&world);
    let tries = |name: &str| floor.ledger().mutations.iter().filter(|one| one.name == name).count();
    floor.refuse("order_create", Some("Shipping address is invalid"));
    floor.refuse("order_update_holds", Some("Holds of this order cannot be changed"));
    let order = one_row(&world, 0, 3);
    world.start();
    for (mutation, words) in [
        ("order_create", "Shipping address is invalid"),
        ("order_update_holds", "Holds of this order cannot be changed"),
    ] {
        let stands = becomes(&mut world, order, "error", words).await;
        let effects = stands["effects"].as_array().expect("its changes").clone();
        let refused = effects.iter().find(|effect| effect["state"] == "refused").expect("the refused one");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(tries(mutation), 1, "nobody has mended anything");
        floor.refuse(mutation, None);
        world.command(&["effects", "retry", refused["id"].as_str().expect("its id"), "--reason", "mended there"]);
    }
    // Let go at last, it is shipped.
    becomes(&mut world, order, "closed", "").await;
    assert_eq!(floor.ledger().duplicates, []);
    world.invariants().expect("the invariants hold");
}

/// ShipHero calls when something leaves; whoever has not the secret learns nothing, a repeat is known by its number, and the
/// secret is in no log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_make_the_hub_look_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let setup = Setup {
        ships: Ships::ShipHero,
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
    world.kill();
    let kinds = ["Shipment Update", "Order Canceled"];
    let secrets: Vec<String> = kinds.iter().map(|kind| floor(&world).subscribe(CHILD, kind, &address)).collect();
    world.trust_webhooks(&secrets);
    world.apply();
    world.start();
    let expected = place(&world, 8, 55).expected;
    world
        .until("every order ships once and Brightpearl knows", Duration::from_secs(120), |world| {
            world.all_told(&expected)
        })
        .await;
    let calls = floor(&world).ledger().deliveries;
    assert!(calls.iter().filter(|call| call.status == Some(200)).count() >= expected.len(), "{calls:?}");
    // What everybody can post: unsigned, signed by somebody else, and nonsense that is signed.
    let body = "{\"webhook_type\":\"Shipment Update\",\"fulfillment\":{\"order_number\":\"BPacme-O1\"}}";
    for (signed, body) in [(None, body), (Some(signature("guessed", body.as_bytes())), body)] {
        let mut request = client.post(&address).body(body.to_owned());
        if let Some(signed) = signed {
            request = request.header("x-shiphero-hmac-sha256", signed);
        }
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{}", answer.status());
    }
    // And twice the same, which the warehouse does when it does not hear in time.
    let signed = signature(&secrets[0], body.as_bytes());
    for _ in 0..2 {
        let request = client.post(&address).header("x-shiphero-hmac-sha256", &signed);
        let answer = request.header("X-Shiphero-Message-ID", "m-1").body(body).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
    }
    for secret in &secrets {
        assert!(!world.logs().contains(secret), "the secret is in no log");
    }
    world.invariants().expect("the invariants hold");
}
