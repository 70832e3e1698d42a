//! The main job with a warehouse that talks in X12: orders as 940, what left as 945, stock as 846, through a folder and
//! through a real OpenSSH server.

use std::{collections::BTreeSet, time::Duration};

use simulators::dsfx::{Acknowledging, Handling, OrderState};

use super::{
    faults::with_files_in_disorder,
    flow,
    races::{at_warehouse, becomes, cancel, dsfx, key, one_row, outcome},
    stock,
};
use crate::world::{FACILITY, Setup, Ships, Store, World, warehouse_sku};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault() {
    with_files_in_disorder(Setup { x12: true, ..Setup::default() }, 3_100).await;
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
    acknowledged_once(&mut world).await;
    let ledger = dsfx(&world).ledger();
    assert_eq!(ledger.read.len(), 12);
    let names = ledger.read.iter().map(|file| &file.name).chain(ledger.acknowledged.iter().map(|said| &said.name));
    let numbers: BTreeSet<usize> = names
        .map(|name| name.split('_').nth(2).and_then(|number| number.parse().ok()).expect("a control number"))
        .collect();
    assert_eq!(numbers, (1..=ledger.read.len() + ledger.acknowledged.len()).collect());
    assert!(ledger.rejected.is_empty(), "nothing was refused: {:?}", ledger.rejected);
}

/// Every group that the warehouse sent is acknowledged, each once, and accepted.
async fn acknowledged_once(world: &mut World) {
    world
        .until("every group is acknowledged", Duration::from_secs(60), |world| {
            let ledger = dsfx(world).ledger();
            let said: Vec<&str> = ledger.acknowledged.iter().map(|said| said.group.as_str()).collect();
            let missing: Vec<&String> = ledger.groups.keys().filter(|group| !said.contains(&group.as_str())).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} are missing in {said:?}")) }
        })
        .await;
    let ledger = dsfx(world).ledger();
    let groups: BTreeSet<&str> = ledger.acknowledged.iter().map(|said| said.group.as_str()).collect();
    assert_eq!(groups.len(), ledger.acknowledged.len(), "acknowledged twice: {:?}", ledger.acknowledged);
    assert!(ledger.acknowledged.iter().all(|said| said.result == "A"), "{:?}", ledger.acknowledged);
}

/// Open exceptions of a kind: their reasons.
fn exceptions(world: &World, kind: &str) -> Vec<String> {
    let (_, answer) = world.ask(&["exceptions", "list"]);
    let items = answer["items"].as_array().or(answer.as_array()).cloned().unwrap_or_default();
    let of_kind = items.iter().filter(|item| item["kind"] == kind);
    of_kind.filter_map(|item| item["reason"].as_str().map(str::to_owned)).collect()
}

/// Files that come again after a kill: the same says nothing new, whatever it is called, and another one under a used control
/// number is set aside and told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_is_known_by_its_control_number() {
    let mut world = World::new(Setup { x12: true, ..Setup::default() }).await;
    let orders: BTreeSet<i64> = (0..3).map(|place| one_row(&world, place, 2)).collect();
    world.start();
    world.until("every order ships", Duration::from_secs(120), |world| world.all_told(&orders)).await;
    acknowledged_once(&mut world).await;
    world.kill();
    let out = world.folder().join("wms/out");
    let mut advices: Vec<std::path::PathBuf> = std::fs::read_dir(out.join("archive"))
        .expect("the archive")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("ST*945*")))
        .collect();
    advices.sort();
    let advice = advices.first().expect("an advice");
    let text = std::fs::read_to_string(advice).expect("its text");
    std::fs::copy(advice, out.join(advice.file_name().expect("a name"))).expect("the same once more");
    std::fs::write(out.join("the_same.edi"), &text).expect("under another name");
    std::fs::write(out.join("another.edi"), text.replace("W06*F*", "W06*F*X")).expect("another one");
    world.start();
    world
        .until("the other one is told", Duration::from_secs(60), |world| {
            let told = exceptions(world, "shipment_input");
            let left = ["the_same.edi", "another.edi"].iter().filter(|name| out.join(name).exists()).count();
            match told.iter().any(|reason| reason.contains("another.edi") && reason.contains("came before"))
                && left == 0
            {
                true => Ok(()),
                false => Err(format!("{told:?}, {left} files are left")),
            }
        })
        .await;
    assert!(out.join("rejected/another.edi").exists() && out.join("archive/the_same.edi").exists());
    assert!(exceptions(&world, "unknown_key").is_empty(), "nothing of it was used");
    acknowledged_once(&mut world).await;
    let problems = world.audit(&orders).problems();
    assert!(problems.is_empty(), "{problems:?}");
}

/// An order that is not acknowledged in time is told, and settles when the acknowledgement comes; a rejection is told with its
/// reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_acknowledgement_is_told() {
    let exchange = "expect_997_minutes = 1".to_owned();
    let mut world = World::new(Setup { x12: true, exchange, ..Setup::default() }).await;
    dsfx(&world).acknowledge(Acknowledging::Later).expect("the folder");
    let first = one_row(&world, 0, 2);
    world.start();
    let limit = Duration::from_secs(90);
    world
        .until("the missing one is told", limit, |world| match exceptions(world, "unacknowledged").as_slice() {
            [reason] if reason.contains("number 1 ") && reason.contains("within 1 minutes") => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    dsfx(&world).acknowledge(Acknowledging::AtOnce).expect("the folder");
    world
        .until("it has settled", limit, |world| match exceptions(world, "unacknowledged").as_slice() {
            [] => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    dsfx(&world).acknowledge(Acknowledging::Refusing).expect("the folder");
    let second = one_row(&world, 1, 2);
    world
        .until("the rejection is told", limit, |world| match exceptions(world, "refused_message").as_slice() {
            [reason] if reason.contains("segments in error") && reason.contains(&second.to_string()) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    assert!(exceptions(&world, "shipment_input").is_empty(), "no count waits for it");
    world.until("what left is told", limit, |world| world.all_told(&BTreeSet::from([first, second]))).await;
}

/// What the warehouse could not read is not there: a person is told so, and it goes again at once, under a fresh key and number. A
/// cancel that it could not read is told by hand, and what it says then is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_read_goes_again() {
    let mut world = World::new(Setup { x12: true, told: true, ..Setup::default() }).await;
    dsfx(&world).acknowledge(Acknowledging::TurningDown).expect("the folder");
    let order = one_row(&world, 0, 2);
    world.start();
    let shown = becomes(&mut world, order, "error", "the warehouse could not read it").await;
    let actions = shown["explain"]["actions"].as_array().cloned().unwrap_or_default();
    assert!(actions.iter().any(|action| action["action"] == "resend"), "{shown:#}");
    assert!(dsfx(&world).ledger().orders.is_empty(), "it has nothing of it");
    dsfx(&world).acknowledge(Acknowledging::AtOnce).expect("the folder");
    world.command(&["orders", "resend", &order.to_string(), "--reason", "the partner profile is mended"]);
    at_warehouse(&mut world, order, &[format!("{}-R2", key(order))]).await;
    becomes(&mut world, order, "open", "the warehouse has it").await;

    dsfx(&world).acknowledge(Acknowledging::TurningDown).expect("the folder");
    cancel(&world, order);
    becomes(&mut world, order, "error", "could not read the cancel").await;
    world.command(&["orders", "answer", &order.to_string(), "accepted", "--reason", "by telephone"]);
    let ended = becomes(&mut world, order, "cancelled", "").await;
    assert_eq!(outcome(&ended), "accepted");
    let files = dsfx(&world).ledger().read.len();
    assert_eq!(files, 3, "two orders and a cancel, each once");
    world.invariants().expect("the invariants hold");
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

/// A shelf that the warehouse changed, and says why: the count holds the change, and the drift that is left names the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_warehouse_changed_is_named_in_the_drift() {
    let mut world =
        World::new(Setup { x12: true, stock: "brakes = { line = 6 }".to_owned(), ..Setup::default() }).await;
    let lost = warehouse_sku(&world.skus[0].1);
    let now = connect::Clock::now(&connect::SystemClock::default());
    assert!(dsfx(&world).adjust(&lost, FACILITY, (-9).into(), "AU", now).expect("the folder"), "there is such a shelf");
    world.start();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.count();
    let run = stock::next_run(&mut world, &serde_json::Value::Null).await;
    stock::settled(&mut world, &run).await;
    let mut report = serde_json::Value::Null;
    world
        .until("the adjustment is read", Duration::from_secs(60), |world| {
            report = stock::json(world, &["drift", "main"]);
            let (unexplained, _, notes) = stock::drift(&report, &lost);
            let named = notes.contains("the warehouse changed it by -9 on") && notes.contains("damaged");
            if unexplained == -9 && named { Ok(()) } else { Err(format!("{unexplained} {notes}")) }
        })
        .await;
    acknowledged_once(&mut world).await;
}
