//! A program that is started again goes on at once, whatever ended it.

use std::time::{Duration, Instant};

use crate::world::{Setup, Store, World};

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
