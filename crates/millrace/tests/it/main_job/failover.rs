//! PostgreSQL fails over while orders flow: the server is killed, its synchronous replica promoted, and the address moved to it.
//! Two nodes run on it, and one of them is killed and started again in between.
//!
//! `MILLRACE_FAILOVERS` says how many fail-overs are made; one where it is not set.

use std::{
    collections::BTreeSet,
    process::Child,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use simulators::faults::{Fault, FaultRule};
use tokio::net::{TcpListener, TcpStream};

use super::flow::place;
use crate::world::{Setup, Store, World};

/// The address that stays while the server behind it changes.
struct Forwarder {
    port: u16,
    to: Arc<AtomicU16>,
    task: tokio::task::JoinHandle<()>,
}

impl Forwarder {
    async fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let to = Arc::new(AtomicU16::new(to));
        let target = Arc::clone(&to);
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let port = target.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await {
                        // A connection that breaks on one side ends on both.
                        let _ended = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { port, to, task }
    }

    fn point_at(&self, port: u16) {
        self.to.store(port, Ordering::SeqCst);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends with the test, however that ends.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

const DECLARED: &str = "MILLRACE_SYNCHRONOUS_REPLICATION";

/// The server is lost with everything it started, and its follower takes its place.
async fn fail_over(world: &mut World, follower: simulators::postgres::Postgres, forwarder: &Forwarder) {
    world.postgres().kill_hard().expect("the server is killed");
    tokio::time::sleep(Duration::from_millis(500)).await;
    follower.promote().expect("the follower is promoted");
    forwarder.point_at(follower.port());
    // The lost server's folder goes with it: nobody may come back to it.
    drop(std::mem::replace(world.postgres(), follower));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_takes_over_under_load() {
    let failovers: u64 = std::env::var("MILLRACE_FAILOVERS").ok().and_then(|count| count.parse().ok()).unwrap_or(1);
    let mut dice = StdRng::seed_from_u64(81);
    let mut world = World::new(Setup { store: Store::Postgres, seed: 81, ..Setup::default() }).await;
    let mut follower = world.postgres().replica(true).expect("a synchronous replica");
    let forwarder = Forwarder::start(world.postgres().port()).await;
    let address = world
        .postgres()
        .url("millrace")
        .replace(&format!(":{}/", world.postgres().port()), &format!(":{}/", forwarder.port));
    world.reach_database_at(&address);
    world.set_environment(DECLARED, Some("true"));
    for fault in [
        Fault::TimeoutAfterEffect { hold: Duration::from_secs(3) },
        Fault::ErrorAfterEffect { html: false },
        Fault::ResetMidBody,
    ] {
        world.brightpearl.faults().add(FaultRule::new(fault).method("PUT").chance(0.01));
    }
    world.start();
    let mut second = Node(world.second_node());
    let mut expected: BTreeSet<i64> = place(&world, 20, 8100).expected;
    for round in 0..failovers {
        expected.extend(place(&world, 15, 8101 + round).expected);
        tokio::time::sleep(Duration::from_millis(dice.random_range(1_500..5_000))).await;
        // One of the two nodes is lost in the same moment.
        if round % 2 == 0 {
            world.kill();
        } else {
            drop(second);
            second = Node(world.second_node());
        }
        fail_over(&mut world, follower, &forwarder).await;
        if round % 2 == 0 {
            world.start();
        }
        follower = world.postgres().replica(true).expect("a new synchronous replica");
        world.invariants().expect("the invariants hold after a fail-over");
    }
    expected.extend(place(&world, 5, 8099).expected);
    let mut decided = 0;
    world
        .until("every order ships once and Brightpearl knows, fail-over or not", Duration::from_secs(240), |world| {
            let told = world.all_told(&expected);
            if told.is_err() {
                decided += world.decide_parked();
            }
            told
        })
        .await;
    assert!(decided <= 2 + usize::try_from(failovers).expect("few"), "{decided} effects had to be decided by a person");
    world.invariants().expect("the invariants hold");
    assert!(!world.logs().contains("SENDING IS FROZEN"), "replication was synchronous, and declared to be");

    // Without the declaration nobody vouches for the replica: the same fail-over stops sending.
    world.set_environment(DECLARED, None);
    drop(second);
    world.kill();
    let starts = |world: &World| world.logs().matches("workers run").count();
    let before = starts(&world);
    world.start();
    world
        .until("it runs again", Duration::from_secs(30), |world| {
            if starts(world) > before { Ok(()) } else { Err("it has not started".to_owned()) }
        })
        .await;
    fail_over(&mut world, follower, &forwarder).await;
    let late = place(&world, 3, 8098).expected;
    world
        .until("it stops", Duration::from_secs(60), |world| {
            let (_, text) = world.try_command(&["safety"]);
            if text.contains("failed_over") { Ok(()) } else { Err(text) }
        })
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent = world.warehouse_orders();
    for order in &late {
        assert!(!sent.iter().any(|one| one.key.contains(&format!("-O{order}"))), "order {order} was sent all the same");
    }
}
