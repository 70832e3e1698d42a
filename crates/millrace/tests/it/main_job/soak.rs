//! The real program for hours at twice the load of the contract, with faults on one request and one connection in a hundred:
//! it must keep up, lose nothing, double nothing, and not grow.
//!
//! The load is twice 100,000 orders a day (reliability.md §15), all through one connection, which waits a twentieth of what it
//! would and therefore may call twenty times as often. `./dev release soak` plays it for `MILLRACE_SOAK_HOURS`.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use simulators::{
    faults::{Fault, FaultRule},
    proxy::Weather,
};

use super::{
    faults::drains,
    flow::{place, stock},
};
use crate::world::{Setup, Store, World};

/// Twice 100,000 orders a day.
const ORDERS_A_SECOND: f64 = 200_000.0 / 86_400.0;
/// Orders placed at once.
const AT_ONCE: usize = 10;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes hours; ./dev release soak"]
async fn twice_the_load_for_hours() {
    let hours: f64 = std::env::var("MILLRACE_SOAK_HOURS").map_or(72.0, |text| text.parse().expect("a number of hours"));
    let time = Duration::from_secs_f64(hours * 3_600.0);
    let units = 5_000_000;
    let mut world =
        World::new(Setup { store: Store::Postgres, lines: true, units, seed: 72, ..Setup::default() }).await;
    for fault in [
        Fault::TimeoutAfterEffect { hold: Duration::from_secs(3) },
        Fault::ErrorAfterEffect { html: false },
        Fault::Refuse,
        Fault::Outage,
        Fault::HtmlBody,
    ] {
        world.brightpearl.faults().add(FaultRule::new(fault).chance(0.002));
    }
    for line in world.lines() {
        line.weather(Some(Weather { chance: 0.01, within: 64 * 1024, hold: Duration::from_secs(2) }));
    }
    world.start();
    let (start, mut looked) = (Instant::now(), Instant::now());
    let mut expected = BTreeSet::new();
    let mut memory = vec![world.memory()];
    let mut round = 0;
    while start.elapsed() < time {
        assert!(world.runs(), "the program has ended by itself");
        expected.extend(place(&world, AT_ONCE, 72_000_000 + round).expected);
        round += 1;
        let due = Duration::from_secs_f64(expected.len() as f64 / ORDERS_A_SECOND);
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
        if looked.elapsed() > LOOK {
            looked = Instant::now();
            memory.push(world.memory());
            #[expect(clippy::print_stdout, reason = "hours pass")]
            {
                println!(
                    "{} s: {} orders, {} KiB",
                    start.elapsed().as_secs(),
                    expected.len(),
                    memory.last().copied().unwrap_or_default()
                );
            }
            world.invariants().expect("the invariants hold");
        }
    }
    memory.push(world.memory());
    world.brightpearl.faults().clear();
    for line in world.lines() {
        line.weather(None);
    }
    let decided = drains(&mut world, &expected, Duration::from_secs(600)).await;
    stock(&mut world).await;
    // Caches fill and pools grow in the first hour or so: what counts is what comes after a tenth of the time.
    let settled = memory.get(memory.len() / 10).copied().unwrap_or_default().max(1);
    let last = memory.last().copied().unwrap_or_default();
    let growth = (last as f64 / settled as f64 - 1.0) * 100.0;
    let totals = serde_json::json!({
        "orders": expected.len(), "minutes": time.as_secs() / 60, "decided": decided, "KiB after a tenth": settled, "KiB at the end": last,
    });
    #[expect(clippy::print_stdout, reason = "the figures of a release")]
    {
        println!("{totals}\nmemory grew by {growth:.1} %");
    }
    if let Some(file) = std::env::var_os("MILLRACE_TOTALS") {
        std::fs::write(file, totals.to_string()).expect("the totals are written");
    }
    // A short one shows only that it starts.
    assert!(hours < 24.0 || growth < 5.0, "memory grew by {growth:.1} % in {hours} hours");
}
