//! The main job with a warehouse that talks in flat files of its own making, described by a map of their columns.

use std::{collections::BTreeSet, time::Duration};

use simulators::dsfx::{Fault, Feed};

use super::{
    faults::{drains, with_files_in_disorder},
    flow,
    races::{at_warehouse, becomes, dsfx, key, one_row},
};
use crate::world::{ACCOUNT, Setup, Ships, Store, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_in_flat_files_by_sftp_on_postgres() {
    let setup = Setup { store: Store::Postgres, ships: Ships::Sftp, flat: true, ..Setup::default() };
    flow::run(setup, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_in_flat_files_by_folder_on_sqlite() {
    let setup = Setup {
        flat: true,
        start_mode: "goods_out_note",
        basis: "physical",
        settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
        ..Setup::default()
    };
    flow::run(setup, 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault() {
    with_files_in_disorder(Setup { flat: true, ..Setup::default() }, 3_200).await;
}

/// Files that are damaged in every way: a wrong row takes its shipment along and no other, a file that is sent again brings
/// what was missing and nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_rows_are_set_aside_and_nothing_else_is_lost() {
    let mut world = World::new(Setup { flat: true, ..Setup::default() }).await;
    world.start();
    let warehouse = dsfx(&world);
    let faults = [
        Fault::HalfWritten { pause: Duration::from_millis(300) },
        Fault::CutRow,
        Fault::DuplicateFile,
        Fault::DuplicateRows,
        Fault::Reordered,
        Fault::FormulaCell,
        Fault::HugeCell,
        Fault::NulByte,
        Fault::InvalidUtf8,
        Fault::WrongColumnCount,
        Fault::OddFileName,
    ];
    let mut expected = BTreeSet::new();
    for (round, fault) in faults.into_iter().enumerate() {
        warehouse.inject(Feed::Shipments, fault).expect("the fault fits");
        expected.extend(flow::place(&world, 5, 1_900 + u64::try_from(round).expect("few rounds")).expected);
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    let looking = warehouse.clone();
    world
        .until("the damaged files are sent again", Duration::from_secs(120), |_| {
            let written = looking.ledger().written;
            let damaged = written.iter().filter(|file| file.fault.as_ref().is_some_and(Fault::damages));
            for file in damaged.filter(|file| file.repeats.is_none()) {
                if !written.iter().any(|other| other.repeats.as_deref() == Some(&*file.name)) {
                    looking
                        .resend(&file.name, connect::Clock::now(&connect::SystemClock::default()))
                        .expect("sent again");
                }
            }
            let met = written.iter().filter(|file| file.fault.is_some()).count();
            if met >= 10 { Ok(()) } else { Err(format!("{met} faults were met")) }
        })
        .await;
    drains(&mut world, &expected, Duration::from_secs(180)).await;
    world
        .until("what was set aside is shown, rows by themselves", Duration::from_secs(60), |world| {
            let listed = world.command(&["exceptions", "list", "--json", "--limit", "100"]);
            if listed.contains(".csv#") { Ok(()) } else { Err(listed) }
        })
        .await;
}

/// A warehouse that reports a row for each box of an order, and no goods.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_goods_tells_of_whole_orders() {
    let exchange = "shipment_files = \"SENT_*.csv\"\nshipment_columns = \"order_number=Order, carrier=By, tracking_number=Number\"\n";
    let mut world =
        World::new(Setup { told: true, flat: true, exchange: exchange.to_owned(), ..Setup::default() }).await;
    let orders = [one_row(&world, 0, 3), one_row(&world, 1, 2)];
    world.start();
    for order in orders {
        at_warehouse(&mut world, order, &[key(order)]).await;
    }
    let rows = format!("Order;By;Number\n{0};UPS;1Z1\n{0};UPS;1Z2\n{1};DPD;0042\n", key(orders[0]), key(orders[1]));
    std::fs::write(world.folder().join("wms/out/SENT_1.csv"), &rows).expect("the warehouse writes");
    for (order, numbers) in orders.into_iter().zip(["1Z1, 1Z2", "0042"]) {
        becomes(&mut world, order, "closed", "").await;
        let notes = world.brightpearl.notes(ACCOUNT, order).expect("notes");
        assert!(notes.len() == 1 && notes[0].shipped && notes[0].reference == numbers, "{notes:?}");
    }
    // The same again under another name says nothing new.
    std::fs::write(world.folder().join("wms/out/SENT_2.csv"), &rows).expect("the warehouse writes");
    world
        .until("it is read", Duration::from_secs(60), |world| {
            let read = !world.folder().join("wms/out/SENT_2.csv").exists();
            if read { Ok(()) } else { Err("it lies there still".to_owned()) }
        })
        .await;
    let (_, open) = world.ask(&["exceptions", "list"]);
    assert_eq!(open["items"], serde_json::json!([]), "{open:#}");
    for order in orders {
        assert_eq!(world.brightpearl.notes(ACCOUNT, order).expect("notes").len(), 1);
    }
}
