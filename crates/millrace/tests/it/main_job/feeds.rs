//! Stock feeds, abused: cut off, half written, doubled, out of order, all zero and stale. None of them makes Brightpearl's stock
//! wrong; the next good count makes it right.

use std::time::Duration;

use connect::{Clock, SystemClock};
use serde_json::Value;
use simulators::dsfx::{Fault, Feed};

use super::{flow::stock, races::dsfx};
use crate::world::{Setup, World};

fn runs(world: &World, state: &str) -> usize {
    let listed: Value = serde_json::from_str(&world.command(&["stock", "runs", "main", "--json", "--limit", "100"]))
        .expect("a list of runs");
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    items.iter().filter(|run| run["state"] == state).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_counts_change_nothing() {
    let mut world = World::new(Setup::default()).await;
    world.start();
    stock(&mut world).await;
    let floor = dsfx(&world);
    let (product, _) = world.skus[3].clone();
    let faults = [
        Fault::ZeroFeed,
        Fault::StaleFeed { age: Duration::from_secs(40 * 3600) },
        Fault::CutRow,
        Fault::NoFinalNewline,
        Fault::HalfWritten { pause: Duration::from_millis(400) },
        Fault::DuplicateFile,
        Fault::DuplicateRows,
        Fault::Reordered,
        Fault::WrongColumnCount,
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        let refused = runs(&world, "refused");
        let zero = fault == Fault::ZeroFeed;
        floor.inject(Feed::Stock, fault.clone()).expect("the fault fits");
        // Something to correct, so that a bad count that was believed would show.
        world.mistake(product, if round % 2 == 0 { 3 } else { -2 });
        world.count();
        if zero {
            world
                .until("a count of nothing is refused", Duration::from_secs(60), |world| {
                    if runs(world, "refused") > refused { Ok(()) } else { Err(String::new()) }
                })
                .await;
        } else {
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        // Whatever became of it, nothing else is wrong, and a good count puts right what is.
        let wrong = world.stock_differences();
        assert!(wrong.len() <= 1, "{fault:?}: {wrong:?}");
        floor.release_held(Clock::now(&SystemClock::default())).expect("what was held back comes");
        world.count();
        world
            .until(&format!("stock agrees after {fault:?}"), Duration::from_secs(90), |world| {
                let differences = world.stock_differences();
                if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
            })
            .await;
        world.invariants().expect("the invariants hold");
    }
    let set_aside = world.command(&["exceptions", "list", "--json", "--limit", "100"]);
    assert!(set_aside.contains("inv_"), "files that cannot be read are shown: {set_aside}");
}
