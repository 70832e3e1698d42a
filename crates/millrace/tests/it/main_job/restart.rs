//! A program that is started again goes on at once, whatever ended it.

use std::time::{Duration, Instant};

use simulators::faults::{Fault, FaultRule};

use super::races::{becomes, one_row};
use crate::world::{Setup, Ships, Store, Warehouse, World};

/// Until its connection has run so many times.
async fn runs(world: &mut World, times: usize) {
    world
        .until("the connection runs", Duration::from_secs(30), |world| {
            let logs = world.logs();
            if logs.matches("connection runs").count() >= times { Ok(()) } else { Err(logs) }
        })
        .await;
}

async fn goes_on(store: Store) {
    // The lease on the account lasts 90 s at this speed.
    let mut world = World::new(Setup { store, factor: 1, ..Setup::default() }).await;
    world.start_unnamed();
    runs(&mut world, 1).await;
    world.stop();
    let begun = Instant::now();
    world.start_unnamed();
    runs(&mut world, 2).await;
    let logs = world.logs();
    assert!(!logs.contains("taken over"), "the lease was given back: {logs}");
    world.kill();
    world.start_unnamed();
    runs(&mut world, 3).await;
    assert!(world.logs().contains("taken over"), "it was killed");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(80), "no lease was waited for: {took:?}");
    world.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_goes_on_at_once_on_sqlite() {
    goes_on(Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_process_goes_on_at_once_on_postgres() {
    goes_on(Store::Postgres).await;
}

/// A change whose answer is awaited when the process is killed is looked up by the next one at once, and not sent again.
async fn what_was_under_way_goes_on(store: Store, named: bool) {
    let hold = Duration::from_secs(300);
    let mut world = World::new(Setup { store, factor: 1, ships: Ships::Extensiv, ..Setup::default() }).await;
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let faults = running.faults();
    let creation = FaultRule::new(Fault::TimeoutAfterEffect { hold }).method("POST").path_contains("/orders");
    let creation = faults.add(creation.first(1));
    let order = one_row(&world, 0, 3);
    let start = |world: &mut World| if named { world.start() } else { world.start_unnamed() };
    start(&mut world);
    world
        .until("it is sent", Duration::from_secs(60), |_| match faults.fired_count(creation) {
            0 => Err("nothing was sent".to_owned()),
            _ => Ok(()),
        })
        .await;
    world.kill();
    let begun = Instant::now();
    start(&mut world);
    becomes(&mut world, order, "open", "").await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(80), "no claim was waited for: {took:?}");
    assert!(world.logs().contains("claims taken over"), "{}", world.logs());
    assert_eq!(world.warehouse_orders().len(), 1, "it was not sent again");
    world.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_goes_on_at_once_on_sqlite() {
    what_was_under_way_goes_on(Store::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_goes_on_at_once_under_the_same_name_on_postgres() {
    what_was_under_way_goes_on(Store::Postgres, true).await;
}
