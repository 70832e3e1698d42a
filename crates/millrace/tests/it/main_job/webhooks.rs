//! Calls from Brightpearl, abused: doubled, late, lost, replayed, forged, and with the database away. Orders go on as if every
//! call had come once (§9), and own trouble never makes Brightpearl give a call up (W1).

use std::{collections::BTreeSet, net::TcpListener, time::Duration};

use connect::Clock as _;
use connectors::brightpearl::webhooks::{expand_ids, parse_call};
use simulators::brightpearl::{NewLine, NewOrder, Switches, WebhookFaults, switches::OrderSearchLag};

use super::{flow::place, races::key};
use crate::world::{ACCOUNT, Setup, Store, World};

/// Posts a body as Brightpearl would; the status of the answer.
async fn post(uri: &str, body: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    client.post(uri).body(body.to_owned()).send().await.expect("an answer").status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_late_lost_replayed_forged_and_with_the_database_away() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let mut world = World::new(Setup { store: Store::Postgres, webhooks: Some(port), ..Setup::default() }).await;
    world.start();
    world
        .until("the program calls itself and is registered", Duration::from_secs(60), |world| {
            let (ok, text) = world.try_command(&["connections", "webhooks", "main", "--register"]);
            if ok { Ok(()) } else { Err(text) }
        })
        .await;
    // What may be a copy takes nobody's calls over.
    let (stopped, text) = world.try_command(&["freeze-sending", "--reason", "a look"]);
    assert!(stopped, "{text}");
    let (registered, text) = world.try_command(&["connections", "webhooks", "main", "--register"]);
    assert!(!registered && text.contains("sending is frozen"), "{text}");
    let (released, text) = world.try_command(&["release-sending", "--reason", "looked"]);
    assert!(released, "{text}");
    world.brightpearl.set_webhook_faults(WebhookFaults { lose: 0.3, duplicate: 1.0, delay_up_to_millis: 700 });
    let mut expected = place(&world, 25, 71).expected;
    let good = |world: &World| {
        let calls = world.brightpearl.webhook_calls();
        calls.into_iter().find(|call| call.status == Some(200) && call.body.contains("order"))
    };
    world
        .until("a call is taken in", Duration::from_secs(60), |world| good(world).map(|_| ()).ok_or_else(String::new))
        .await;
    let call = good(&world).expect("a call");
    for _ in 0..10 {
        assert_eq!(post(&call.uri, &call.body).await, 200, "a replay is kept or known");
    }
    // What does not carry the secret learns nothing, whatever else is right about it.
    let mut forged: serde_json::Value = serde_json::from_str(&call.body).expect("a JSON body");
    assert_eq!(forged["secret"].as_str().map(str::len), Some(64), "where the hub's own template puts it");
    forged["secret"] = "0".repeat(64).into();
    assert_eq!(post(&call.uri, &forged.to_string()).await, 404);
    assert_eq!(post(&call.uri, "not even JSON").await, 404);
    assert_eq!(post(&format!("{}x", call.uri), &call.body).await, 404);

    // The database goes away while calls come in: they are answered so that Brightpearl comes again.
    let before = world.brightpearl.webhook_calls().len();
    world.postgres.as_mut().expect("PostgreSQL").stop().expect("it stops");
    assert!((500..600).contains(&post(&call.uri, &call.body).await), "own trouble");
    expected.extend(place(&world, 15, 72).expected);
    world
        .until("calls come in while the database is away", Duration::from_secs(60), |world| {
            let calls = world.brightpearl.webhook_calls();
            // Its patience here is a twentieth of the real one, so the answer may come too late for it: it comes again as well.
            if calls[before..].iter().any(|call| call.status.is_none_or(|status| status >= 500)) {
                Ok(())
            } else {
                Err(format!("{} calls", calls.len() - before))
            }
        })
        .await;
    world.postgres.as_mut().expect("PostgreSQL").restart().expect("it comes back");
    world
        .until("every order ships once and Brightpearl knows", Duration::from_secs(180), |world| {
            world.all_told(&expected)
        })
        .await;
    world.invariants().expect("the invariants hold");
    let calls = world.brightpearl.webhook_calls();
    let given_up: Vec<_> =
        calls.iter().filter(|call| call.status.is_some_and(|status| (400..500).contains(&status))).collect();
    assert!(given_up.is_empty(), "a 4xx makes Brightpearl give the call up: {given_up:?}");
    assert!(calls.iter().any(|call| call.account == ACCOUNT && call.attempt > 1), "it came again");
    // Whatever was answered with success was kept (W1): polling would hide an inbox that drops what it is told.
    let rows = world.postgres().sql("millrace", "SELECT resource_id, event, raised_on FROM inbox").expect("the inbox");
    let kept: BTreeSet<&str> = rows.lines().collect();
    let mut taken_in = 0;
    for call in calls.iter().filter(|call| call.status.is_some_and(|status| (200..300).contains(&status))) {
        let told = parse_call(call.body.as_bytes()).expect("a call of the simulator's");
        for id in told.ids.expect("ids") {
            taken_in += 1;
            let row = format!("{id}|{}|{}", told.event, told.raised_on);
            assert!(kept.contains(row.as_str()), "{row} was answered with success, and is not in the inbox: {kept:?}");
        }
    }
    assert!(taken_in > 40, "{taken_in} calls were taken in");
}

/// A search that lags behind holds nothing up: an order that Brightpearl calls about is asked for itself, although nothing is known
/// of it yet. One that is not for this connection leaves no trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_order_is_read_before_the_search_shows_it() {
    // So slow that what the search shows late is told from what a busy machine does late.
    const SLOW: u32 = 3;
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let switches = Switches { order_search_lag: OrderSearchLag::SixtySeconds, ..Switches::default() };
    let mut world = World::new(Setup { switches, webhooks: Some(port), factor: SLOW, ..Setup::default() }).await;
    world.start();
    world
        .until("the program calls itself and is registered", Duration::from_secs(60), |world| {
            let (ok, text) = world.try_command(&["connections", "webhooks", "main", "--register"]);
            if ok { Ok(()) } else { Err(text) }
        })
        .await;
    let line = |place: usize| vec![NewLine::sku(&world.skus[place].1, 1)];
    let unready = |place: usize| NewOrder { status_id: Some(world.status("On hold")), ..world.ready(line(place)) };
    let (order, elsewhere) = (world.place(unready(0)), world.place(NewOrder { warehouse_id: Some(2), ..unready(1) }));
    let ready = world.status("Ready to ship");
    let shown_from = connect::SystemClock::default().now() + Duration::from_secs(60) / SLOW;
    for order in [order, elsewhere] {
        world.brightpearl.set_status(ACCOUNT, order, ready).expect("a status");
    }
    let asked_for = |world: &World, order: i64| {
        let names = |url: &str| {
            let ids = url.split_once("/order-service/order/").and_then(|(_, ids)| expand_ids(ids).ok());
            ids.is_some_and(|ids| ids.contains(&order))
        };
        world.brightpearl.requests().into_iter().find(|one| one.method == "GET" && names(&one.url)).map(|one| one.at)
    };
    for order in [order, elsewhere] {
        world
            .until("it is asked for", Duration::from_secs(60), |world| {
                asked_for(world, order).map(|_| ()).ok_or_else(String::new)
            })
            .await;
    }
    let at = asked_for(&world, order).expect("a call");
    assert!(at < shown_from, "it was asked for at {at}, and the search shows it from {shown_from} on");
    world
        .until("it is at the warehouse", Duration::from_secs(60), |world| {
            let there = world.warehouse_orders().into_iter().any(|one| one.key == key(order));
            if there { Ok(()) } else { Err(String::new()) }
        })
        .await;
    let (_, listed) = world.try_command(&["orders", "list", "--limit", "20"]);
    assert!(listed.contains(&order.to_string()) && !listed.contains(&elsewhere.to_string()), "{listed}");
    world.invariants().expect("the invariants hold");
}
