//! The census and the doctor through the real program: trouble is planted at both ends and in the database, and each piece is
//! found; an honest run accounts for everything; a repair goes through the journal.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use simulators::{
    brightpearl::{NewLine, NewOrder},
    extensiv::Dispatch,
};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::world::{ACCOUNT, Setup, Ships, WAREHOUSE, Warehouse, World};

/// The API user's contact in the simulator; notes that the program makes are kept under it.
const API_USER: i64 = 4;
/// Somebody in the office.
const OFFICE: i64 = 203;

/// More than the grace within which something counts as on its way (300 s, divided like every wait).
const GRACE: Duration = Duration::from_secs(17);

/// One order of three units of a SKU of its own.
fn place(world: &World, number: usize) -> i64 {
    let (_, sku) = &world.skus[number];
    world.place(world.ready(vec![NewLine::sku(sku, 3)]))
}

fn census(world: &World, arguments: &[&str]) -> (i32, Value) {
    let all: Vec<&str> = ["census", "main"].into_iter().chain(arguments.iter().copied()).collect();
    let (code, answer) = world.ask(&all);
    assert!(answer.is_object(), "exit code {code}: {}", world.logs().lines().last().unwrap_or_default());
    (code, answer)
}

/// Subjects of the open findings, by kind.
fn findings(census: &Value) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in census["findings"].as_array().expect("findings") {
        let text = |name: &str| finding[name].as_str().expect(name).to_owned();
        found.entry(text("kind")).or_default().push(text("subject"));
    }
    found.values_mut().for_each(|subjects| subjects.sort());
    found
}

fn finding_id(census: &Value, kind: &str) -> String {
    let all = census["findings"].as_array().expect("findings");
    let found = all.iter().find(|finding| finding["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {all:?}"));
    found["id"].as_str().expect("an id").to_owned()
}

fn count(census: &Value, bucket: &str) -> i64 {
    let buckets = census["report"]["buckets"].as_array().expect("buckets");
    buckets.iter().find(|one| one["bucket"] == bucket).and_then(|one| one["count"].as_i64()).expect("a bucket")
}

/// The warehouse's number of an order.
fn number_at_warehouse(world: &World, order: i64) -> u64 {
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let key = format!("BP{ACCOUNT}-O{order}");
    let orders = running.handle().ledger().orders;
    orders.iter().find(|one| one.reference == key).unwrap_or_else(|| panic!("{key} is not there")).order_id
}

/// What was told of findings, oldest first.
fn told(world: &World) -> Vec<String> {
    let (mut after, mut told) = ("0".to_owned(), Vec::new());
    loop {
        let (_, events) = world.ask(&["events", "--after", &after, "--limit", "1000"]);
        let events = events.as_array().cloned().expect("events");
        let Some(last) = events.last() else { return told };
        after = last["id"].as_str().expect("an id").to_owned();
        let of_findings = events.iter().filter(|event| event["what"] == "finding");
        told.extend(of_findings.map(|event| event["change"].as_str().expect("a change").to_owned()));
    }
}

/// Deletes every row of an order, as a damaged or restored database would have lost it.
async fn forget(world: &World, order: i64) {
    let url = format!("sqlite:{}", world.folder().join("millrace.db").display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.expect("the database");
    let of = format!("IN (SELECT id FROM orders WHERE order_id = {order})");
    for sql in [
        format!("DELETE FROM attempt WHERE effect IN (SELECT id FROM effect WHERE order_ref {of})"),
        format!("DELETE FROM effect WHERE order_ref {of}"),
        format!("DELETE FROM request WHERE order_ref {of}"),
        format!("DELETE FROM claim WHERE order_id = {order}"),
        format!("DELETE FROM order_word WHERE order_ref {of}"),
        format!("DELETE FROM orders WHERE order_id = {order}"),
    ] {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut raw).await.expect("rows can be deleted");
    }
    raw.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_trouble_is_found_and_repaired_with_extensiv() {
    let mut world = World::new(Setup { ships: Ships::Extensiv, works: false, ..Setup::default() }).await;
    let orders: Vec<i64> = (0..8).map(|number| place(&world, number)).collect();
    // Not ours, and not to be accounted for.
    let other = world.place(NewOrder { status_id: Some(3), ..world.ready(vec![NewLine::sku(&world.skus[20].1, 3)]) });
    let at_warehouse = world.status("At warehouse");
    world.start();
    world
        .until("every order is at the warehouse and released", Duration::from_secs(90), |world| {
            let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
            let released = running.handle().ledger().orders.iter().filter(|one| one.released_at.is_some()).count();
            let told = orders.iter().filter(|order| {
                world.brightpearl.order(ACCOUNT, **order).is_ok_and(|order| order.status_id == at_warehouse)
            });
            let told = told.count();
            if released == 8 && told == 8 { Ok(()) } else { Err(format!("{released} released, {told} told")) }
        })
        .await;
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let handle = running.handle();
    handle.ship(number_at_warehouse(&world, orders[0]), &Dispatch::full()).expect("it ships");
    let shipped = world.status("Shipped");
    let first = orders[0];
    world
        .until("one has left and is told", Duration::from_secs(60), |world| {
            let order = world.brightpearl.order(ACCOUNT, first).map_err(|error| error.to_string())?;
            if order.status_id == shipped { Ok(()) } else { Err(order.status_name) }
        })
        .await;

    // The honest run, taken by the server, which holds the account.
    let (code, honest) = census(&world, &["--now"]);
    assert_eq!((code, honest["unaccounted"].as_i64()), (0, Some(0)), "{honest:#}");
    assert_eq!(honest["report"]["counted"], 8, "{honest:#}");
    assert_eq!(count(&honest, "at_warehouse") + count(&honest, "on_its_way") + count(&honest, "shipped"), 8);
    assert_eq!(findings(&honest), BTreeMap::new(), "{honest:#}");
    assert!(honest["report"]["warehouse_not_asked"].is_null(), "the warehouse was asked");

    // Trouble. An order that the database lost:
    world.kill();
    let (lost, removed, double, untold) = (orders[1], orders[2], orders[3], orders[4]);
    forget(&world, lost).await;
    // one that somebody took out of the warehouse's system:
    assert!(handle.remove(number_at_warehouse(&world, removed)));
    let note = |order: i64, staff: i64, units: i64| {
        let rows = world.brightpearl.order(ACCOUNT, order).expect("the order").rows;
        let row = *rows.iter().find(|(_, row)| row.ships).expect("a row").0;
        let rows = Some(BTreeMap::from([(row, units)]));
        world.brightpearl.create_note(ACCOUNT, order, WAREHOUSE, staff, rows).expect("a note")
    };
    // two notes for the same goods:
    let (_, second) = (note(double, OFFICE, 1), note(double, OFFICE, 1));
    // one that the program seems to have made and shipped, and that no shipment belongs to:
    let shipped_note = note(untold, API_USER, 1);
    world.brightpearl.ship_note(ACCOUNT, shipped_note, API_USER).expect("shipped");
    // and one that it seems to have made, as a call that lands late would have, on an order that is not even its own.
    let orphan = note(other, API_USER, 2);
    tokio::time::sleep(GRACE).await;

    // Nobody holds the account: the command takes the census itself.
    let (code, found) = census(&world, &["--full"]);
    assert_eq!((code, found["unaccounted"].as_i64()), (5, Some(2)), "{found:#}");
    let expected: BTreeMap<String, Vec<String>> = [
        ("not_known", format!("order {lost}")),
        ("not_at_warehouse", format!("order {removed}")),
        ("duplicate_note", format!("goods-out note {second}")),
        ("shipped_untold", format!("goods-out note {shipped_note}")),
        ("orphan_note", format!("goods-out note {orphan}")),
    ]
    .map(|(kind, subject)| (kind.to_owned(), vec![subject]))
    .into();
    assert_eq!(findings(&found), expected, "{found:#}");
    let lost_entry = &found["report"]["lost"].as_array().expect("a list")[0];
    assert!(lost_entry["why"].as_str().is_some_and(|why| why.contains("the warehouse has it as")), "{lost_entry}");
    assert_eq!(world.brightpearl.notes(ACCOUNT, other).expect("notes").len(), 1, "a finding never acts by itself");

    // A repair that no longer holds is refused: somebody deleted the second note meanwhile.
    world.start();
    world.brightpearl.delete_note(ACCOUNT, second).expect("deleted");
    let (worked, said) =
        world.try_command(&["doctor", "repair", &finding_id(&found, "duplicate_note"), "--reason", "double"]);
    assert!(!worked && said.contains("does not hold any more"), "{said}");
    // One that holds goes through the journal.
    let id = finding_id(&found, "orphan_note");
    let (code, repaired) = world.ask(&["doctor", "repair", &id, "--reason", "seen in Brightpearl, belongs to nothing"]);
    assert_eq!(code, 0, "{repaired:#}");
    let effect = repaired["effect"].as_str().expect("an effect").to_owned();
    world
        .until("the orphan is deleted", Duration::from_secs(30), |world| {
            let notes = world.brightpearl.notes(ACCOUNT, other).map_err(|error| error.to_string())?;
            if notes.is_empty() { Ok(()) } else { Err(format!("{notes:?}")) }
        })
        .await;
    let (_, shown) = world.ask(&["effects", "show", &effect]);
    assert_eq!(shown["kind"], "delete_note", "{shown:#}");
    // What only a person can settle is shown on the order.
    let id = finding_id(&found, "not_at_warehouse");
    world.command(&["doctor", "repair", &id, "--reason", "asked the warehouse"]);
    let (_, shown) = world.ask(&["orders", "show", &removed.to_string()]);
    assert_eq!(shown["state"], "error", "{shown:#}");

    // The looks after that, by the server again, see what is gone; what is marked is with a person, and found until it is not so any
    // more, however often it is looked at.
    for look in 0..3 {
        let (code, after) = census(&world, &["--now"]);
        assert_eq!((code, after["unaccounted"].as_i64()), (5, Some(1)), "look {look}: {after:#}");
        let left: Vec<String> = findings(&after).into_keys().collect();
        assert_eq!(left, ["not_at_warehouse", "not_known", "shipped_untold"], "look {look}: {after:#}");
        assert!(count(&after, "needs_person") >= 1, "look {look}: {after:#}");
        let (_, shown) = world.ask(&["orders", "show", &removed.to_string()]);
        assert_eq!(shown["state"], "error", "look {look}: {shown:#}");
    }
    let told = told(&world);
    for (change, times) in [("orphan_note", 1), ("duplicate_note", 1), ("not_at_warehouse", 1), ("resolved", 2)] {
        assert_eq!(told.iter().filter(|told| *told == change).count(), times, "{change}: {told:?}");
    }
    assert!(world.command(&["audit"]).contains("finding.repair"));
    let listed = world.command(&["doctor", "list"]);
    assert!(listed.contains("shipped_untold") && !listed.contains("not_known"), "only notes: {listed}");
    world.invariants().expect("the invariants hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_that_were_touched_by_hand_are_found_with_a_file_exchange() {
    let setup = Setup {
        start_mode: "goods_out_note",
        settings: "import_warehouses = [\"Example 3PL\"]".to_owned(),
        ..Setup::default()
    };
    // The warehouse takes files, and ships nothing while the test lasts.
    let habits = simulators::dsfx::Habits { delay: Duration::from_secs(3_600), ..setup.habits };
    let mut world = World::new(Setup { habits, ..setup }).await;
    let orders: Vec<i64> = (0..4).map(|number| place(&world, number)).collect();
    let notes: Vec<i64> = orders
        .iter()
        .map(|order| world.brightpearl.create_note(ACCOUNT, *order, WAREHOUSE, OFFICE, None).expect("a note"))
        .collect();
    world.start();
    world
        .until("every note is at the warehouse", Duration::from_secs(60), |world| {
            let there = world.warehouse_orders().len();
            if there == 4 { Ok(()) } else { Err(format!("{there} are there")) }
        })
        .await;
    let (code, honest) = census(&world, &["--now"]);
    assert_eq!((code, honest["unaccounted"].as_i64()), (0, Some(0)), "{honest:#}");
    assert_eq!(honest["report"]["counted"], 4);
    assert_eq!(findings(&honest), BTreeMap::new(), "{honest:#}");
    let why = honest["report"]["warehouse_not_asked"].as_str().expect("it says that it could not ask");
    assert!(why.contains("cannot be asked"), "{why}");

    world.brightpearl.delete_note(ACCOUNT, notes[0]).expect("deleted");
    world.brightpearl.ship_note(ACCOUNT, notes[1], OFFICE).expect("shipped");
    tokio::time::sleep(GRACE).await;
    let (code, found) = census(&world, &["--now"]);
    assert_eq!((code, found["unaccounted"].as_i64()), (0, Some(0)), "all is accounted for: {found:#}");
    let expected: BTreeMap<String, Vec<String>> = [
        ("request_note_gone", format!("goods-out note {}", notes[0])),
        ("shipped_by_hand", format!("goods-out note {}", notes[1])),
    ]
    .map(|(kind, subject)| (kind.to_owned(), vec![subject]))
    .into();
    assert_eq!(findings(&found), expected, "{found:#}");
    let text = world.command(&["census", "main"]);
    assert!(text.starts_with("unaccounted: 0"), "{text}");
}
