//! The main job with a warehouse that talks in X12: orders as 940, what left as 945, stock as 846, through a folder and
//! through a real OpenSSH server.

use std::{collections::BTreeSet, time::Duration};

use simulators::dsfx::{Handling, OrderState};

use super::{
    flow,
    races::{at_warehouse, becomes, cancel, dsfx, key, one_row, outcome},
};
use crate::world::{Setup, Ships, Store, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_in_x12_by_sftp_on_postgres() {
    let setup = Setup { store: Store::Postgres, ships: Ships::Sftp, x12: true, ..Setup::default() };
    flow::run(setup, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_in_x12_by_folder_on_sqlite() {
    let setup = Setup {
        x12: true,
        start_mode: "goods_out_note",
        basis: "physical",
        settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
        ..Setup::default()
    };
    flow::run(setup, 60).await;
}

/// Control numbers count up without a gap, however many orders are planned at once, and each stands in one file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_numbers_have_no_gaps() {
    let mut world = World::new(Setup { x12: true, ..Setup::default() }).await;
    let orders: BTreeSet<i64> = (0..12).map(|place| one_row(&world, place, 1)).collect();
    world.start();
    world
        .until("every order ships and Brightpearl knows", Duration::from_secs(120), |world| world.all_told(&orders))
        .await;
    let numbers: BTreeSet<u32> = dsfx(&world)
        .ledger()
        .read
        .iter()
        .map(|file| file.name.split('_').nth(2).and_then(|number| number.parse().ok()).expect("a control number"))
        .collect();
    assert_eq!(numbers, (1..=12).collect());
    assert!(dsfx(&world).ledger().rejected.is_empty(), "nothing was refused");
}

/// A cancel is a document that nobody answers: what the warehouse ships, or does not, is the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_answered_by_what_the_warehouse_does() {
    let mut world = World::new(Setup { x12: true, told: true, ..Setup::default() }).await;
    let (stopped, left) = (one_row(&world, 0, 2), one_row(&world, 1, 2));
    dsfx(&world).tell(&key(left), Handling::Wait);
    world.start();
    for order in [stopped, left] {
        at_warehouse(&mut world, order, &[key(order)]).await;
    }
    cancel(&world, stopped);
    let ended = becomes(&mut world, stopped, "cancelled", "").await;
    assert_eq!(outcome(&ended), "accepted");
    let ledger = dsfx(&world).ledger();
    assert_eq!(ledger.orders[&key(stopped)][0].state, OrderState::Cancelled);
    // The other one leaves, as if nothing had been asked.
    dsfx(&world).tell(&key(left), Handling::Full);
    world.until("it ships", Duration::from_secs(90), |world| world.all_told(&BTreeSet::from([left]))).await;
    world.invariants().expect("the invariants hold");
}
