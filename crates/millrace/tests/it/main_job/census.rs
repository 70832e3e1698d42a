//! The census and the doctor through the real program: trouble is planted at both ends and in the database, and each piece is
//! found; an honest run accounts for everything; a repair goes through the journal.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use simulators::{
    brightpearl::{NewLine, NewOrder},
    extensiv::Dispatch,
    faults::{Fault, FaultRule},
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

/// Brightpearl answers changes of this kind with these words, and makes none.
fn answers(world: &World, method: &str, path: &str, (status, body): (u16, &str)) -> u64 {
    let answer = Fault::Answer { status, headers: BTreeMap::new(), body: body.to_owned() };
    world.brightpearl.faults().add(FaultRule::new(answer).method(method).path_contains(path))
}

/// Waits until an order stands at this status in Brightpearl.
async fn stands_at(world: &mut World, order: i64, status: &'static str) {
    let wanted = world.status(status);
    world
        .until(&format!("order {order} is at {status}"), Duration::from_secs(60), |world| {
            let order = world.brightpearl.order(ACCOUNT, order).map_err(|error| error.to_string())?;
            if order.status_id == wanted { Ok(()) } else { Err(order.status_name) }
        })
        .await;
}

/// Waits until an order is shown in this state; what is shown then.
async fn shows(world: &mut World, order: i64, state: &'static str) -> Value {
    let mut shown = Value::Null;
    world
        .until(&format!("order {order} is {state}"), Duration::from_secs(60), |world| {
            shown = world.ask(&["orders", "show", &order.to_string()]).1;
            if shown["state"] == state { Ok(()) } else { Err(shown["state"].to_string()) }
        })
        .await;
    shown
}

/// The one note of an order.
fn only_note(world: &World, order: i64) -> i64 {
    let notes = world.brightpearl.notes(ACCOUNT, order).expect("notes");
    assert_eq!(notes.len(), 1, "{notes:?}");
    notes[0].id
}

/// An order of six units, split five times: each time all but one unit goes to a back order. The fourth and the fifth back order
/// are ready to go.
fn split_again_and_again(world: &World, number: usize) -> (i64, i64) {
    let (_, sku) = &world.skus[number];
    // What it comes from is not this connection's.
    let set_aside = NewOrder { status_id: Some(3), ..world.ready(vec![NewLine::sku(sku, 6)]) };
    let mut chain = vec![world.place(set_aside)];
    for left in (1..6).rev() {
        let parent = *chain.last().expect("an order");
        let rows = world.brightpearl.order(ACCOUNT, parent).expect("the order").rows;
        let row = *rows.iter().find(|(_, row)| row.ships).expect("a row").0;
        chain.push(world.brightpearl.split_order(ACCOUNT, parent, &BTreeMap::from([(row, left)])).expect("split"));
    }
    for order in &chain[4..] {
        world.brightpearl.allocate(ACCOUNT, *order).expect("allocated");
        world.brightpearl.set_status(ACCOUNT, *order, world.status("Ready to ship")).expect("a status");
    }
    (chain[4], chain[5])
}

/// As if an order's shipments had been read an hour earlier.
async fn left_an_hour_ago(world: &World, order: i64) {
    let url = format!("sqlite:{}", world.folder().join("millrace.db").display());
    let mut raw = sqlx::SqliteConnection::connect(&url).await.expect("the database");
    let sql = format!(
        "UPDATE shipment SET created_at = created_at - 3600000
         WHERE order_ref IN (SELECT id FROM orders WHERE order_id = {order})"
    );
    let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut raw).await.expect("it can be aged");
    assert_eq!(done.rows_affected(), 1, "one shipment");
    raw.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_brightpearl_does_not_say_of_shipments_is_found_with_extensiv() {
    let mut world = World::new(Setup { ships: Ships::Extensiv, works: false, ..Setup::default() }).await;
    let orders: Vec<i64> = (0..6).map(|number| place(&world, number)).collect();
    let [bare, unshipped, gone, other, stuck, well] = orders[..] else { panic!("six orders") };
    let (fourth, fifth) = split_again_and_again(&world, 6);
    world.start();
    for order in orders.iter().chain([&fourth, &fifth]) {
        stands_at(&mut world, *order, "At warehouse").await;
    }
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let handle = running.handle();
    let ship = |world: &World, order: i64| {
        handle.ship(number_at_warehouse(world, order), &Dispatch::full()).expect("it ships");
    };
    let note = |order: i64| format!("goods-out note {order}");

    // Brightpearl says that it has written the tracking, and has not.
    let lies = (200, "{}");
    let rule = answers(&world, "PUT", "/goods-note/goods-out/", lies);
    ship(&world, bare);
    stands_at(&mut world, bare, "Shipped").await;
    assert!(world.brightpearl.faults().remove(rule));
    // It says that it has posted the shipped event, and has not; and one such note is deleted by hand.
    let rule = answers(&world, "POST", "/event", lies);
    ship(&world, unshipped);
    ship(&world, gone);
    stands_at(&mut world, unshipped, "Shipped").await;
    stands_at(&mut world, gone, "Shipped").await;
    assert!(world.brightpearl.faults().remove(rule));
    world.brightpearl.delete_note(ACCOUNT, only_note(&world, gone)).expect("deleted");
    // It refuses the event, and meanwhile somebody writes another number on one of the notes.
    let words = r#"{"errors":[{"code":"WHSC-999","message":"The note is being looked at"}]}"#;
    let rule = answers(&world, "POST", "/event", (400, words));
    ship(&world, other);
    ship(&world, stuck);
    let shown = shows(&mut world, other, "error").await;
    shows(&mut world, stuck, "error").await;
    assert!(world.brightpearl.faults().remove(rule));
    world.brightpearl.write_reference(ACCOUNT, only_note(&world, other), OFFICE, "1ZOFFICE").expect("written");
    let effects = shown["effects"].as_array().expect("its changes");
    let refused = effects.iter().find(|effect| effect["state"] == "refused").expect("the refused one");
    let refused = refused["id"].as_str().expect("its id").to_owned();
    world.command(&["effects", "retry", &refused, "--reason", "Brightpearl takes it again"]);
    stands_at(&mut world, other, "Shipped").await;
    // All goes well with one.
    ship(&world, well);
    stands_at(&mut world, well, "Shipped").await;

    world.kill();
    left_an_hour_ago(&world, stuck).await;
    tokio::time::sleep(GRACE).await;
    let (code, found) = census(&world, &["--full"]);
    assert_eq!((code, found["unaccounted"].as_i64()), (0, Some(0)), "all is accounted for: {found:#}");
    let all = found["findings"].as_array().expect("findings");
    let kinds: BTreeMap<&str, i64> = all
        .iter()
        .map(|finding| (finding["kind"].as_str().expect("a kind"), finding["order"].as_i64().expect("an order")))
        .collect();
    let expected: BTreeMap<&str, i64> = [
        ("tracking_missing", bare),
        ("note_not_shipped", unshipped),
        ("note_missing", gone),
        ("tracking_differs", other),
        ("stuck_note", stuck),
        ("endless_split", fifth),
    ]
    .into();
    assert_eq!((kinds, all.len()), (expected, 6), "{found:#}");
    let subjects = findings(&found);
    assert_eq!(subjects["stuck_note"], [note(only_note(&world, stuck))]);
    assert_eq!(subjects["endless_split"], [format!("order {fifth}")], "the fourth back order is not one too many");
    let differs = all.iter().find(|finding| finding["kind"] == "tracking_differs").expect("it is found");
    assert!(differs["what"].as_str().is_some_and(|what| what.contains("1ZOFFICE")), "{differs}");

    // The button writes the tracking where Brightpearl still takes it: as a note on the order, once.
    world.start();
    let numbers = |world: &World, order: i64| -> usize {
        let texts = world.brightpearl.order(ACCOUNT, order).expect("the order").texts;
        texts.iter().filter(|one| one.text.contains("Tracking of shipment")).count()
    };
    for (kind, order) in [("tracking_missing", bare), ("tracking_differs", other)] {
        assert_eq!(numbers(&world, order), 0);
        let id = finding_id(&found, kind);
        let (code, repaired) = world.ask(&["doctor", "repair", &id, "--reason", "the customer asks for it"]);
        assert_eq!(code, 0, "{repaired:#}");
        world
            .until("the tracking is on the order", Duration::from_secs(30), |world| match numbers(world, order) {
                1 => Ok(()),
                count => Err(format!("{count} notes")),
            })
            .await;
    }
    // What a person has settled stays settled, though the notes say what they said; the rest is found until it is mended.
    let (_, after) = census(&world, &["--now"]);
    let left: Vec<String> = findings(&after).into_keys().collect();
    assert_eq!(left, ["endless_split", "note_missing", "note_not_shipped", "stuck_note"], "{after:#}");
    assert_eq!((numbers(&world, bare), numbers(&world, other)), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_is_taken_by_itself_and_its_calls_are_counted() {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let mut world = World::new(Setup { webhooks: Some(port), ..Setup::default() }).await;
    let (code, made) = world.ask(&["keys", "create", "--name", "test", "--role", "admin"]);
    assert_eq!(code, 0, "{made}");
    let api_key = made["key"].as_str().expect("a key").to_owned();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let budget = async || -> Option<Value> {
        let url = format!("http://127.0.0.1:{port}/api/v1/budgets");
        let answer = client.get(&url).bearer_auth(&api_key).send().await.ok()?;
        let text = answer.text().await.ok()?;
        let budgets: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Some(budgets[format!("brightpearl:{ACCOUNT}")].clone())
    };
    let orders: Vec<i64> = (0..3).map(|number| place(&world, number)).collect();
    world.start();
    for order in &orders {
        stands_at(&mut world, *order, "Shipped").await;
    }
    let before = budget().await.expect("it answers");
    assert!(before["calls"].as_object().is_some_and(|calls| !calls.is_empty()), "{before:#}");
    assert!(before["calls"].get("census").is_none(), "the first run comes one period after the connection first ran");

    // A period is fifteen minutes, divided like every wait. Nobody asks.
    let mut shown = Value::Null;
    world
        .until("a census is taken", Duration::from_secs(120), |world| {
            shown = world.ask(&["census", "main"]).1;
            let runs = shown["runs"].as_array().cloned().unwrap_or_default();
            let done = |run: &Value| run["extent"] == "recent" && run["finished_at"].is_string();
            if runs.iter().any(done) { Ok(()) } else { Err(shown["runs"].to_string()) }
        })
        .await;
    assert!(shown["runs"].as_array().expect("runs").iter().all(|run| run["wanted_at"].is_null()), "{shown:#}");
    assert_eq!((shown["unaccounted"].as_i64(), &shown["findings"]), (Some(0), &Value::Array(Vec::new())), "{shown:#}");
    assert_eq!(count(&shown, "shipped"), 3, "{shown:#}");
    // It reads at least the statuses' orders, the open notes, the orders and their notes, each with a call of its own.
    let after = budget().await.expect("it answers");
    assert!(after["calls"]["census"].as_u64().is_some_and(|calls| calls >= 4), "{after:#}");
    assert_eq!(after["throttled"], 0, "{after:#}");
    world.invariants().expect("the invariants hold");
}
