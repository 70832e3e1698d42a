//! A schedule says when a channel looks, on the clock of the account; what happens and what people ask for goes on at once.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::Value;
use simulators::brightpearl::NewLine;

use crate::world::{Setup, World};

fn order(world: &World) -> BTreeSet<i64> {
    BTreeSet::from([world.place(world.ready(vec![NewLine::sku(&world.skus[0].1, 1)]))])
}

fn runs(world: &World) -> Vec<Value> {
    let (code, runs) = world.ask(&["channels", "runs", "main", "orders", "--limit", "500"]);
    assert_eq!(code, 0, "{runs}");
    runs["items"].as_array().expect("a list").clone()
}

fn of_cause(world: &World, cause: &str) -> usize {
    runs(world).iter().filter(|run| run["cause"] == cause && run["outcome"] == "done").count()
}

async fn arrive(world: &mut World, orders: &BTreeSet<i64>) {
    world.until("the order is shipped and told", Duration::from_secs(60), |world| world.all_told(orders)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_runs_when_a_rule_fires_and_when_somebody_asks() {
    let mut world = World::new(Setup::default()).await;
    world.start();
    let mut expected = order(&world);
    arrive(&mut world, &expected).await;
    assert!(of_cause(&world, "pace") > 0, "without rules it keeps its own pace");

    // Once a day, most of a day from now: with all waits divided by 20 still the better part of an hour.
    let far = (connect::Clock::now(&connect::SystemClock::default()) - jiff::SignedDuration::from_hours(2))
        .strftime("%H:%M")
        .to_string();
    let (code, shown) = world.ask(&["channels", "schedule", "main", "orders", "--daily", &far, "--zone", "UTC"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(shown["next_runs"].as_array().map(Vec::len), Some(5));
    world
        .until("no run is under way any more", Duration::from_secs(30), |world| {
            let runs = runs(world);
            if runs.iter().all(|run| run["outcome"] != "running") { Ok(()) } else { Err("it runs".to_owned()) }
        })
        .await;
    let before = runs(&world).len();
    let late = order(&world);
    // By its own pace it would have run a dozen times meanwhile.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(6) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(runs(&world).len(), before, "no rule has fired: {:#?}", runs(&world));
    assert!(world.warehouse_orders().len() == expected.len(), "the order waits for a run");

    // A person asks: at once, and the history says who.
    world.command(&["connections", "run", "main", "orders"]);
    expected.extend(late);
    arrive(&mut world, &expected).await;
    let asked = runs(&world).into_iter().find(|run| run["cause"] == "person").expect("the run that was asked for");
    assert!(asked["asked_by"].as_str().is_some_and(|who| !who.is_empty()), "{asked}");
    assert!(asked["counts"]["read"].as_u64().is_some_and(|read| read > 0), "{asked}");
    assert_eq!(of_cause(&world, "person"), 1);

    // Every minute: with all waits divided, every three seconds. Two rules stand beside each other.
    let (_, shown) =
        world.ask(&["channels", "schedule", "main", "orders", "--minutely", "1", "--daily", &far, "--zone", "UTC"]);
    assert_eq!(shown["rules"].as_array().map(Vec::len), Some(2), "{shown}");
    expected.extend(order(&world));
    arrive(&mut world, &expected).await;
    assert!(of_cause(&world, "schedule") > 0, "{:#?}", runs(&world));

    // Its own pace again.
    let paced = of_cause(&world, "pace");
    world.command(&["channels", "schedule", "main", "orders", "--none"]);
    world
        .until("it runs by its own pace", Duration::from_secs(30), |world| {
            if of_cause(world, "pace") > paced { Ok(()) } else { Err(format!("{paced} runs")) }
        })
        .await;
    world.invariants().expect("the invariants hold");
}
