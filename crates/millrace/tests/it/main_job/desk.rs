//! A warehouse that calls the program: the whole job, cancels in every phase, and the example client of the documentation.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use simulators::brightpearl::NewLine;

use super::{
    faults::one_after_the_other,
    flow::run,
    races::{at_warehouse, becomes, cancel, key, one_row, outcome, status_told},
};
use crate::{
    wms::Wms,
    world::{ACCOUNT, Setup, Ships, Store, Warehouse, World, warehouse_sku},
};

fn wms(world: &World) -> Wms {
    let Warehouse::Desk(wms) = &world.warehouse else { panic!("a warehouse that calls") };
    wms.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_by_desk_on_sqlite() {
    run(Setup { ships: Ships::Desk, basis: "physical", ..Setup::default() }, 80).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_by_desk_on_postgres() {
    run(
        Setup {
            store: Store::Postgres,
            ships: Ships::Desk,
            basis: "physical",
            start_mode: "goods_out_note",
            settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
            ..Setup::default()
        },
        80,
    )
    .await;
}

/// Beside what happens at Brightpearl's end, a fifth of the warehouse's calls is lost, half of them with their effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault() {
    let setup = Setup { ships: Ships::Desk, basis: "physical", ..Setup::default() };
    let beside = |world: &World, round: usize| wms(world).lose(u64::try_from(round).expect("few rounds"));
    // What the program said no to would never settle.
    let meanwhile = |world: &World| assert_eq!(wms(world).problems(), Vec::<String>::new());
    one_after_the_other(setup, 3_300, beside, meanwhile).await;
}

/// In each phase the outcome is the warehouse's own word, told in seconds and not at the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_at_the_desk_in_every_phase() {
    let settings = "cancel_deadline_minutes = 60".to_owned();
    let setup = Setup { ships: Ships::Desk, basis: "physical", told: true, settings, ..Setup::default() };
    let mut world = World::new(setup).await;
    let wms = wms(&world);
    let orders: [i64; 4] = [0, 1, 2, 3].map(|place| one_row(&world, place, 3));
    let [stopped, refused, part, gone] = orders;
    world.start();
    for order in orders {
        at_warehouse(&mut world, order, &[key(order)]).await;
        status_told(&mut world, order).await;
    }

    // The warehouse has it, and says yes.
    cancel(&world, stopped);
    let ended = becomes(&mut world, stopped, "cancelled", "accepted").await;
    assert_eq!(outcome(&ended), "accepted");

    // It says that it is too late, and ships.
    wms.refuse_cancel_of(&key(refused));
    cancel(&world, refused);
    let ended = becomes(&mut world, refused, "open", "came too late").await;
    assert_eq!(outcome(&ended), "too_late");

    // Some has left and nothing follows.
    let one = BTreeMap::from([(warehouse_sku(&world.skus[2].1), 1.into())]);
    wms.ship(&key(part), Some(&one), true);
    // All has left before anybody asks.
    wms.ship(&key(gone), None, false);
    becomes(&mut world, gone, "closed", "").await;
    world.command(&["orders", "cancel", &gone.to_string(), "--reason", "much too late"]);
    becomes(&mut world, gone, "closed", "everything had left").await;
    world
        .until("the part is told", Duration::from_secs(60), |world| {
            let note = world.brightpearl.order(ACCOUNT, part).map_err(|error| error.to_string())?;
            if note.shipping_status == "SPS" { Ok(()) } else { Err(note.shipping_status.to_owned()) }
        })
        .await;
    world.invariants().expect("the invariants hold");
}

/// Ends the client with the test.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The client that the documentation shows, as it is: started once, killed in the middle, and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_client_ships_everything() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/warehouse_api.py");
    let setup = Setup { ships: Ships::Desk, basis: "physical", works: false, ..Setup::default() };
    let mut world = World::new(setup).await;
    let wms = wms(&world);
    let state = world.folder().join("client.db");
    let start = || {
        let child = Command::new("python3")
            .arg(&script)
            .env("MILLRACE_URL", wms.base().trim_end_matches("/api/v1/desk"))
            .env("MILLRACE_KEY", wms.key())
            .env("WMS_DATABASE", &state)
            .env("WMS_SECONDS", "0.2")
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Client(child.expect("python3 runs the example"))
    };
    let orders: BTreeSet<i64> = (0..6)
        .map(|place| {
            let lines = (0..=place % 2).map(|line| NewLine::sku(&world.skus[10 + 2 * place + line].1, 2)).collect();
            world.place(world.ready(lines))
        })
        .collect();
    world.start();
    let client = start();
    let shipped = |world: &World, least: usize| {
        let told = orders.iter().filter(|id| {
            let order = world.brightpearl.order(ACCOUNT, **id).expect("the order");
            order.shipping_status == "ASS" && order.status_id == world.status("Shipped")
        });
        let told = told.count();
        if told >= least { Ok(()) } else { Err(format!("{told} of {} are told", orders.len())) }
    };
    world.until("the first is told", Duration::from_secs(90), |world| shipped(world, 1)).await;
    drop(client);
    let _client = start();
    world.until("all of them are told", Duration::from_secs(90), |world| shipped(world, orders.len())).await;
    let notes = world.brightpearl.all_notes(ACCOUNT).expect("notes");
    for order in &orders {
        let own: Vec<_> = notes.iter().filter(|note| note.order_id == *order).collect();
        assert_eq!(own.len(), 1, "order {order} has one note: {own:?}");
        assert!(own[0].reference.contains("TRACK-"), "with tracking: {own:?}");
    }
    world.invariants().expect("the invariants hold");
}
