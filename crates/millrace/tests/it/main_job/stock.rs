//! Stock through the real program: drift is explained by its causes, feeds that are not to be believed are refused, and a bad
//! run is undone, held, released and comes right.

use std::{collections::BTreeMap, time::Duration};

use connect::Clock as _;
use rust_decimal::Decimal;
use serde_json::Value;
use simulators::{
    brightpearl::{NewLine, NewOrder},
    dsfx::{Dsfx, Fault, Feed, Habits, Handling, SeedStock},
    faults::{self, FaultRule},
};

use crate::world::{ACCOUNT, FACILITY, Setup, WAREHOUSE, Warehouse, World, warehouse_sku};

const LIMIT: Duration = Duration::from_secs(60);

pub fn json(world: &World, arguments: &[&str]) -> Value {
    let output = world.command(&[arguments, &["--json"]].concat());
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn dsfx(world: &World) -> &Dsfx {
    match &world.warehouse {
        Warehouse::Dsfx { dsfx, .. } => dsfx,
        Warehouse::Extensiv(_)
        | Warehouse::Mintsoft(_)
        | Warehouse::ShipHero(_)
        | Warehouse::Odoo(..)
        | Warehouse::Desk(_) => {
            panic!("this world has a folder")
        }
    }
}

/// What lies on a shelf changes by so many units, as the warehouse counts it.
pub fn shelf(world: &World, sku: &str, units: i64) {
    let there = world.physical()[sku];
    assert!(dsfx(world).set_physical(&warehouse_sku(sku), FACILITY, there + Decimal::from(units)));
}

fn on_hand(world: &World, product: i64) -> i64 {
    world.brightpearl.stock(ACCOUNT, product, WAREHOUSE).expect("stock").on_hand
}

/// The newest run.
fn newest(world: &World) -> Value {
    json(world, &["stock", "runs", "main", "--limit", "1"])["items"][0].clone()
}

/// Counts, and waits for the run that comes of it.
async fn counted(world: &mut World) -> Value {
    let before = newest(world)["id"].clone();
    world.count();
    next_run(world, &before).await
}

pub async fn next_run(world: &mut World, before: &Value) -> Value {
    world
        .until("a count is worked out", LIMIT, |world| {
            let run = newest(world);
            if run["id"].is_string() && run["id"] != *before { Ok(()) } else { Err(format!("the newest run is {run}")) }
        })
        .await;
    newest(world)
}

/// Waits until every correction of a run is done.
pub async fn settled(world: &mut World, run: &Value) -> Value {
    let id = run["id"].as_str().expect("a run").to_owned();
    world
        .until("the corrections are done", LIMIT, |world| {
            let shown = json(world, &["stock", "show", &id]);
            let open = shown["lines"]
                .as_array()
                .expect("lines")
                .iter()
                .find(|line| line["verdict"] == "correct" && line["effect_state"] != "applied");
            open.map_or(Ok(()), |line| Err(line.to_string()))
        })
        .await;
    json(world, &["stock", "show", &id])
}

/// The drift of one SKU: unexplained units, and its parts, as far as they were read.
pub fn drift(report: &Value, sku: &str) -> (i64, BTreeMap<String, i64>, String) {
    let units = |value: &Value| -> i64 {
        let text = value.as_str().expect("a quantity");
        text.parse::<Decimal>().expect("a quantity").normalize().to_string().parse().expect("whole units")
    };
    let line = report["lines"]
        .as_array()
        .expect("lines")
        .iter()
        .find(|line| line["skus"][0] == sku)
        .unwrap_or_else(|| panic!("{sku} is not in {report:#}"));
    let all = line["parts"].as_object().expect("parts");
    let parts: BTreeMap<String, i64> =
        all.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), units(value))).collect();
    assert_eq!(parts.values().sum::<i64>() + units(&line["unexplained"]), units(&line["difference"]), "{line:#}");
    (units(&line["unexplained"]), parts, line["notes"].to_string())
}

pub fn parts(parts: &[(&str, i64)]) -> BTreeMap<String, i64> {
    parts.iter().map(|(name, units)| ((*name).to_owned(), *units)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_is_explained_and_a_bad_run_undone() {
    let mut world = World::new(Setup {
        stock: "brakes = { line = 6 }".to_owned(),
        exchange: "full_snapshot = true".to_owned(),
        ..Setup::default()
    })
    .await;
    let skus = world.skus.clone();
    let [lost, corrected, sold, noted, sent, counted_wrong @ ..] = &skus[..9] else { panic!("SKUs") };

    // A shelf is short by more than one line may change: it is held, and nothing explains it.
    shelf(&world, &lost.1, -9);
    dsfx(&world).seed_stock(&SeedStock::plain("W-STRANGER", FACILITY, Decimal::from(12)));
    world.start();
    // What made the world's stock lies in an earlier second than the count: Brightpearl writes times to the second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.count();
    let first = next_run(&mut world, &Value::Null).await;
    settled(&mut world, &first).await;

    // From here on Brightpearl goes its own way: corrected by hand, sold elsewhere, on somebody's note; and one order is sent.
    world.mistake(corrected.0, 4);
    let elsewhere = |sku: &str| NewOrder { status_id: Some(3), ..world.ready(vec![NewLine::sku(sku, 2)]) };
    world.place(elsewhere(&sold.1));
    let order = world.place(elsewhere(&noted.1));
    world.brightpearl.create_note(ACCOUNT, order, WAREHOUSE, 203, None).expect("a note");
    let order = world.place(world.ready(vec![NewLine::sku(&sent.1, 3)]));
    dsfx(&world).tell(&format!("BP{ACCOUNT}-O{order}"), Handling::Wait);
    world
        .until("the order is at the warehouse", LIMIT, |world| {
            let (_, shown) = world.try_command(&["orders", "show", &order.to_string(), "--json"]);
            if shown.contains("\"state\": \"open\"") { Ok(()) } else { Err(shown) }
        })
        .await;
    let before = world.brightpearl.requests().len();
    let report = json(&world, &["drift", "main"]);
    let corrections = world.brightpearl.requests()[before..]
        .iter()
        .filter(|request| request.method == "POST" && request.url.contains("stock-correction"))
        .count();
    assert_eq!(corrections, 0, "a report changes nothing");
    let w = |of: &(i64, String)| warehouse_sku(&of.1);
    let (unexplained, named, notes) = drift(&report, &w(lost));
    assert_eq!((unexplained, named), (-9, parts(&[])));
    assert!(notes.contains("limit for one line"), "{notes}");
    // What is not read is not shown as a nil that somebody measured.
    let line = report["lines"].as_array().expect("lines").iter().find(|line| line["skus"][0] == w(lost));
    let receipts = line.and_then(|line| line["parts"].get("unposted_receipts"));
    assert_eq!(receipts, Some(&Value::Null), "{line:?}");
    assert!(world.command(&["drift", "main", "--sku", &w(lost)]).contains("unposted_receipts not read"));
    assert_eq!(drift(&report, &w(corrected)).0, 0);
    assert_eq!(drift(&report, &w(corrected)).1, parts(&[("corrected_since_count", -4)]));
    assert_eq!(drift(&report, &w(sold)).1, parts(&[("allocated_elsewhere", 2)]));
    assert_eq!(drift(&report, &w(noted)).1, parts(&[("on_others_notes", 2)]));
    assert_eq!(drift(&report, &w(sent)).1, parts(&[("orders_not_counted", 3)]));
    assert_eq!(drift(&report, "W-STRANGER").1, parts(&[("mapping", 12)]));
    let headline = report["headline"].as_str().expect("a headline");
    assert!(headline.starts_with("6 SKUs differ, 9 unexplained units"), "{headline}");
    assert_eq!(report["lines"][0]["skus"][0], w(lost), "the unexplained first");
    assert!(world.command(&["drift", "main", "--sku", &w(lost)]).contains("-9"));

    // A person believes the shelf: the one line is approved by name.
    let id = first["id"].as_str().expect("a run");
    let (ok, told) = world.try_command(&["stock", "approve", id, "--sku", &w(sold)]);
    assert!(!ok && told.contains("no held line"), "{told}");
    let had = on_hand(&world, lost.0);
    world.command(&["stock", "approve", id, "--sku", &w(lost)]);
    settled(&mut world, &first).await;
    assert_eq!(on_hand(&world, lost.0), had - 9);

    // The warehouse counts four products wrong, and the run goes through.
    let units: BTreeMap<i64, i64> = counted_wrong.iter().map(|(product, _)| *product).zip([-3, 5, -2, 4]).collect();
    let true_figures: BTreeMap<i64, i64> = units.keys().map(|product| (*product, on_hand(&world, *product))).collect();
    for (product, sku) in counted_wrong {
        shelf(&world, sku, units[product]);
    }
    let bad = counted(&mut world).await;
    settled(&mut world, &bad).await;
    for (product, units) in &units {
        assert_eq!(on_hand(&world, *product), true_figures[product] + units);
    }
    // It is taken back: shown first, then done, once.
    let bad = bad["id"].as_str().expect("a run").to_owned();
    let chosen: Vec<String> = counted_wrong.iter().map(w).collect();
    let named: Vec<&str> = chosen.iter().flat_map(|sku| ["--sku", sku.as_str()]).collect();
    let dry = json(&world, &[&["stock", "undo", &bad, "--dry-run"], &named[..]].concat());
    assert_eq!((&dry["undone"], &dry["dry_run"]), (&Value::from(4), &Value::from(true)), "{dry:#}");
    assert!(world.command(&["stock", "holds", "main", "--json"]).trim() == "[]", "nothing was written");
    let (ok, told) = world.try_command(&["stock", "undo", &bad]);
    assert!(!ok && told.contains("--reason"), "{told}");
    let done = json(&world, &[&["stock", "undo", &bad, "--reason", "miscounted"], &named[..]].concat());
    assert_eq!(done["undone"], 4, "{done:#}");
    assert!(done["told"].as_str().is_some_and(|told| told.contains("until you release it")), "{done:#}");
    world
        .until("the run is undone", LIMIT, |world| {
            let wrong: Vec<_> =
                true_figures.iter().filter(|(product, units)| on_hand(world, **product) != **units).collect();
            if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?}")) }
        })
        .await;
    let (ok, told) = world.try_command(&[&["stock", "undo", &bad, "--reason", "again"], &named[..]].concat());
    assert!(!ok && told.contains("undone already"), "{told}");
    let report = json(&world, &["drift", "main"]);
    let (unexplained, named, notes) = drift(&report, &chosen[0]);
    assert_eq!((unexplained, named), (0, parts(&[("undone", -3)])));
    assert!(notes.contains("undone by command line"), "{notes}");

    // Counted again, just as wrong: held products stay as they are.
    let again = counted(&mut world).await;
    let shown = settled(&mut world, &again).await;
    let held = shown["lines"].as_array().expect("lines").iter().filter(|line| line["verdict"] == "hold");
    assert_eq!(held.filter(|line| line["reason"].to_string().contains("miscounted")).count(), 4, "{shown:#}");
    for (product, units) in &true_figures {
        assert_eq!(on_hand(&world, *product), *units);
    }
    // Counted right but for one, and released: that one comes right.
    for (product, sku) in &counted_wrong[1..] {
        shelf(&world, sku, -units[product]);
    }
    let (ok, told) = world.try_command(&["stock", "release", "main", "--sku", &w(lost)]);
    assert!(!ok && told.contains("is not held"), "{told}");
    world.command(&["stock", "release", "main", "--sku", &chosen[0]]);
    world.command(&["stock", "release", "main", "--all"]);
    dsfx(&world).tell(&format!("BP{ACCOUNT}-O{order}"), Handling::Full);
    let expected = [order].into();
    world.until("the order ships", LIMIT, |world| world.all_told(&expected)).await;
    world.count();
    world
        .until("both sides agree", LIMIT, |world| {
            let differ = world.stock_differences();
            if differ.is_empty() { Ok(()) } else { Err(format!("{differ:?}")) }
        })
        .await;
    let report = json(&world, &["drift", "main"]);
    assert!(report["headline"].as_str().is_some_and(|text| text.contains(" 0 unexplained units")), "{report:#}");

    refused(&mut world).await;
    world.invariants().expect("the invariants hold");
}

/// An all-zero feed and a truncated one say why they are refused and what to do, and change nothing.
async fn refused(world: &mut World) {
    let before: Vec<i64> = world.skus.iter().map(|(product, _)| on_hand(world, *product)).collect();
    let corrections = world.brightpearl.corrections(ACCOUNT).expect("corrections").len();
    dsfx(world).inject(Feed::Stock, Fault::ZeroFeed).expect("it fits");
    let zero = counted(world).await;
    assert_eq!(zero["state"], "refused", "{zero:#}");
    let reason = zero["reason"].as_str().expect("a reason");
    assert!(reason.contains("says zero for") && reason.contains("brakes.zero_percent"), "{reason}");

    // A complete file of 20 rows where there were 300.
    let now = connect::SystemClock::default().now();
    let mut text = "sku,available,on_hand,facility_id,counted_at\n".to_owned();
    for row in dsfx(world).stock().iter().take(20) {
        text.push_str(&format!("{},{},{},{FACILITY},{now}\n", row.sku, row.physical, row.physical));
    }
    let out = world.folder().join("wms").join("out");
    std::fs::write(out.join(".part"), text).expect("a file");
    std::fs::rename(out.join(".part"), out.join("inv_99999999_truncated.csv")).expect("the file is put in place");
    let cut = next_run(world, &zero["id"]).await;
    assert_eq!(cut["state"], "refused", "{cut:#}");
    let reason = cut["reason"].as_str().expect("a reason");
    assert!(reason.contains("holds 20 SKUs") && reason.contains("brakes.missing_percent"), "{reason}");
    assert_eq!(world.brightpearl.corrections(ACCOUNT).expect("corrections").len(), corrections);
    let after: Vec<i64> = world.skus.iter().map(|(product, _)| on_hand(world, *product)).collect();
    assert_eq!(before, after);
}

/// A stock file of two products, by hand, as one facility would send it.
fn facility_counts(world: &World, facility: &str, figures: &[(&str, i64)]) {
    let figures: Vec<(&str, &str, i64)> = figures.iter().map(|(sku, units)| (facility, *sku, *units)).collect();
    one_file(world, facility, &figures);
}

/// A file of this name that says so many units of each facility and SKU.
fn one_file(world: &World, name: &str, figures: &[(&str, &str, i64)]) {
    let now = connect::SystemClock::default().now();
    let mut text = "sku,available,on_hand,facility_id,counted_at\n".to_owned();
    for (facility, sku, units) in figures {
        text.push_str(&format!("{},{units},{units},{facility},{now}\n", warehouse_sku(sku)));
    }
    let out = world.folder().join("wms").join("out");
    std::fs::write(out.join(".part"), text).expect("a file");
    let name = format!("inv_{}_{name}.csv", now.strftime("%Y%m%d%H%M%S"));
    std::fs::rename(out.join(".part"), out.join(name)).expect("the file is put in place");
}

/// Two facilities feed one warehouse, and the one that was counted earlier has sent something off since. What a person approves is
/// worked out anew, and then it has come out that the figures do not go together any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_between_the_counts_of_two_facilities_is_not_approved() {
    let mut stock = "brakes = { run = 5 }\n".to_owned();
    for facility in [FACILITY, "2"] {
        stock.push_str(&format!(
            "[[connection.mappings.locations]]\nfacility = \"{facility}\"\nwarehouse = \"Example 3PL\"\n"
        ));
    }
    let mut world = World::new(Setup { stock, basis: "physical", told: true, ..Setup::default() }).await;
    let [sold, quiet] = [world.skus[0].clone(), world.skus[1].clone()];
    let units = |world: &World, sku: &str| i64::try_from(world.physical()[sku].trunc().mantissa()).expect("units");
    let (of_sold, of_quiet) = (units(&world, &sold.1), units(&world, &quiet.1));
    world.start();
    // What made the world's stock lies in an earlier second than the counts: Brightpearl writes times to the second.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    facility_counts(&world, FACILITY, &[(&sold.1, of_sold - 4), (&quiet.1, of_quiet - 4)]);
    let first = next_run(&mut world, &Value::Null).await;
    let shown = json(&world, &["stock", "show", first["id"].as_str().expect("a run")]);
    assert!(shown.to_string().contains("facility 2 feeds the same warehouse and has not been counted"), "{shown:#}");

    // It leaves after that count, and the news of it comes late.
    let order = world.place(world.ready(vec![NewLine::sku(&sold.1, 3)]));
    world
        .until("the order is at the warehouse", LIMIT, |world| {
            if world.warehouse_orders().is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
        })
        .await;
    world.stop();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    dsfx(&world).tell(&format!("BP{ACCOUNT}-O{order}"), Handling::Full);
    let out = world.folder().join("wms").join("out");
    let news = || {
        let files = std::fs::read_dir(&out).expect("the folder").map(|file| file.expect("a file").file_name());
        files.map(|name| name.into_string().expect("a name")).find(|name| name.starts_with("shp"))
    };
    world.until("it has left", LIMIT, |_| news().map(|_| ()).ok_or_else(|| "nothing yet".to_owned())).await;
    let (name, late) = (news().expect("it is there"), world.folder().join("late.csv"));
    std::fs::rename(out.join(&name), &late).expect("it is taken away");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.start();
    world.mistake(sold.0, 10);
    world.mistake(quiet.0, 10);
    facility_counts(&world, "2", &[(&sold.1, 4), (&quiet.1, 4)]);
    let run = next_run(&mut world, &first["id"]).await;
    let id = run["id"].as_str().expect("a run").to_owned();
    assert_eq!(run["state"], "waiting", "{run:#}");
    std::fs::rename(&late, out.join(&name)).expect("the news comes");
    let expected = [order].into();
    world.until("the order is told", LIMIT, |world| world.all_told(&expected)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;

    world.command(&["stock", "approve", &id]);
    let shown = settled(&mut world, &run).await;
    let line = |product: i64| {
        let lines = shown["lines"].as_array().expect("lines");
        lines.iter().find(|line| line["product"] == product).unwrap_or_else(|| panic!("{shown:#}")).clone()
    };
    assert_eq!(
        (line(sold.0)["verdict"].as_str(), on_hand(&world, sold.0)),
        (Some("skip"), of_sold + 10 - 3),
        "{shown:#}"
    );
    assert_eq!((line(quiet.0)["verdict"].as_str(), on_hand(&world, quiet.0)), (Some("correct"), of_quiet), "{shown:#}");
    world.invariants().expect("the invariants hold");
}

/// Two facilities feed one warehouse. What one of them counted is no part of any sum while a person has yet to look at it, nor
/// once it was turned down; and what is approved is summed anew with what the other one has counted since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_waits_or_was_dropped_is_not_acted_upon_through_the_other_facility() {
    let mut stock = "brakes = { run = 5 }\n".to_owned();
    for facility in [FACILITY, "2"] {
        stock.push_str(&format!(
            "[[connection.mappings.locations]]\nfacility = \"{facility}\"\nwarehouse = \"Example 3PL\"\n"
        ));
    }
    let mut world = World::new(Setup { stock, basis: "physical", ..Setup::default() }).await;
    let [one, other] = [world.skus[0].clone(), world.skus[1].clone()];
    let (had_one, had_other) = (on_hand(&world, one.0), on_hand(&world, other.0));
    let before = world.brightpearl.corrections(ACCOUNT).expect("corrections").len();
    world.start();
    let mut last = Value::Null;
    // Each in a second of its own: a file's name has the second in it, and Brightpearl writes times to the second.
    let mut count = async |world: &mut World, facility: &str, figures: &[(&str, i64)]| {
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        facility_counts(world, facility, figures);
        let run = next_run(world, &last).await;
        last = run["id"].clone();
        run
    };
    let line = |world: &World, run: &Value, product: i64| {
        let shown = json(world, &["stock", "show", run["id"].as_str().expect("a run")]);
        let lines = shown["lines"].as_array().expect("lines");
        let line = lines.iter().find(|line| line["product"] == product).unwrap_or_else(|| panic!("{shown:#}"));
        (line["verdict"].as_str().expect("a verdict").to_owned(), line["reason"].to_string())
    };
    count(&mut world, FACILITY, &[(&one.1, had_one - 4), (&other.1, had_other - 4)]).await;
    let agreed = count(&mut world, "2", &[(&one.1, 4), (&other.1, 4)]).await;
    assert_eq!((agreed["state"].as_str(), agreed["changed"].as_i64()), (Some("planned"), Some(0)), "{agreed:#}");

    // It moves more than goes unattended. The other facility's count of one of the products would not.
    let waits = count(&mut world, "2", &[(&one.1, 7), (&other.1, 7)]).await;
    assert_eq!(waits["state"], "waiting", "{waits:#}");
    let beside = count(&mut world, FACILITY, &[(&other.1, had_other - 4)]).await;
    assert_eq!(beside["state"], "planned", "{beside:#}");
    let (verdict, reason) = line(&world, &beside, other.0);
    assert!(verdict == "skip" && reason.contains("waits for a person"), "{verdict}: {reason}");
    let id = waits["id"].as_str().expect("a run").to_owned();
    assert!(reason.contains(&id), "{reason}");

    world.command(&["stock", "drop", &id]);
    let beside = count(&mut world, FACILITY, &[(&other.1, had_other - 4)]).await;
    let (verdict, reason) = line(&world, &beside, other.0);
    assert!(verdict == "skip" && reason.contains("was not let through"), "{verdict}: {reason}");
    assert_eq!((on_hand(&world, one.0), on_hand(&world, other.0)), (had_one, had_other));
    assert_eq!(world.brightpearl.corrections(ACCOUNT).expect("corrections").len(), before);

    // Counted again, it waits again; before it is approved, the first facility has one unit less of one product.
    let waits = count(&mut world, "2", &[(&one.1, 7), (&other.1, 7)]).await;
    assert_eq!(waits["state"], "waiting", "{waits:#}");
    let beside = count(&mut world, FACILITY, &[(&other.1, had_other - 5)]).await;
    assert_eq!(line(&world, &beside, other.0).0, "skip");
    world.command(&["stock", "approve", waits["id"].as_str().expect("a run")]);
    let shown = settled(&mut world, &waits).await;
    assert_eq!(
        (on_hand(&world, one.0), on_hand(&world, other.0)),
        (had_one + 3, had_other + 2),
        "the sum of what both count now: {shown:#}"
    );
    // Let through, it is part of sums again.
    let beside = count(&mut world, FACILITY, &[(&other.1, had_other - 6)]).await;
    settled(&mut world, &beside).await;
    assert_eq!(on_hand(&world, other.0), had_other + 1);

    // One file speaks of both, of another product in each: where it says nothing of a product, that is as it was.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    one_file(&world, "both", &[(FACILITY, &one.1, had_one - 5), ("2", &other.1, 8)]);
    let both = next_run(&mut world, &beside["id"]).await;
    settled(&mut world, &both).await;
    assert_eq!((on_hand(&world, one.0), on_hand(&world, other.0)), (had_one + 2, had_other + 2));
    world.invariants().expect("the invariants hold");
}

/// Nobody has said which facility feeds which warehouse, and two of them are counted, each by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_facilities_have_waits_until_they_are_mapped() {
    let mut world = World::new(Setup { basis: "physical", ..Setup::default() }).await;
    let [both, only] = [world.skus[0].clone(), world.skus[1].clone()];
    let had = (on_hand(&world, both.0), on_hand(&world, only.0));
    world.start();
    facility_counts(&world, FACILITY, &[(&both.1, had.0), (&only.1, had.1)]);
    let first = next_run(&mut world, &Value::Null).await;
    assert_eq!((first["state"].as_str(), first["changed"].as_i64()), (Some("planned"), Some(0)), "{first:#}");

    tokio::time::sleep(Duration::from_millis(1_100)).await;
    facility_counts(&world, "2", &[(&both.1, 3)]);
    let second = next_run(&mut world, &first["id"]).await;
    let shown = json(&world, &["stock", "show", second["id"].as_str().expect("a run")]);
    let line = shown["lines"].as_array().expect("lines").iter().find(|line| line["product"] == both.0).expect("a line");
    assert_eq!(line["verdict"], "skip", "{shown:#}");
    assert!(
        line["reason"]
            .as_str()
            .is_some_and(|why| why.contains(&format!("facility {FACILITY} ")) && why.contains("Locations")),
        "{line:#}"
    );

    // What one of them alone has goes on.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    facility_counts(&world, FACILITY, &[(&both.1, had.0), (&only.1, had.1 + 1)]);
    let third = next_run(&mut world, &second["id"]).await;
    settled(&mut world, &third).await;
    assert_eq!((on_hand(&world, both.0), on_hand(&world, only.0)), (had.0, had.1 + 1));

    // A list of changes that names both places is one count: what it leaves out of one of them is there as it was.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    one_file(&world, "both", &[(FACILITY, &both.1, had.0 - 1), ("2", &only.1, 0)]);
    let fourth = next_run(&mut world, &third["id"]).await;
    settled(&mut world, &fourth).await;
    assert_eq!((on_hand(&world, both.0), on_hand(&world, only.0)), (had.0 + 2, had.1 + 1));
    world.invariants().expect("the invariants hold");
}

/// A list of changes never says again what has not changed since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_not_dropped_by_a_list_that_does_not_say_it_again() {
    let stock = "brakes = { run = 5 }\n".to_owned();
    let mut world = World::new(Setup { stock, basis: "physical", ..Setup::default() }).await;
    let [moved, quiet] = [world.skus[0].clone(), world.skus[1].clone()];
    let had = (on_hand(&world, moved.0), on_hand(&world, quiet.0));
    world.start();
    // The first count of all moves what it will.
    facility_counts(&world, FACILITY, &[(&moved.1, had.0), (&quiet.1, had.1)]);
    let agreed = next_run(&mut world, &Value::Null).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    facility_counts(&world, FACILITY, &[(&moved.1, had.0 - 9)]);
    let waits = next_run(&mut world, &agreed["id"]).await;
    assert_eq!(waits["state"], "waiting", "{waits:#}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    facility_counts(&world, FACILITY, &[(&quiet.1, had.1 - 1)]);
    let beside = next_run(&mut world, &waits["id"]).await;
    settled(&mut world, &beside).await;
    assert_eq!((on_hand(&world, moved.0), on_hand(&world, quiet.0)), (had.0, had.1 - 1));

    let id = waits["id"].as_str().expect("a run");
    assert_eq!(json(&world, &["stock", "show", id])["state"], "waiting", "nobody has decided it");
    world.command(&["stock", "approve", id]);
    settled(&mut world, &waits).await;
    assert_eq!((on_hand(&world, moved.0), on_hand(&world, quiet.0)), (had.0 - 9, had.1 - 1));
    world.invariants().expect("the invariants hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_and_is_not_posted_and_what_was_never_counted_explain_their_differences() {
    let setup = Setup { basis: "physical", ..Setup::default() };
    let habits = Habits { part_then_rest_percent: 0, ..setup.habits };
    let mut world = World::new(Setup { habits, ..setup }).await;
    let (product, sku) = world.skus[0].clone();
    // One product is mapped that the warehouse does not have.
    let (never, never_sku) = world.brightpearl.plain_products(ACCOUNT).expect("products")[world.skus.len()].clone();
    world.mistake(never, 5);
    world.skus.push((never, never_sku.clone()));
    world.apply();
    world.start();
    // Brightpearl refuses the shipped event: the goods are gone, and its figure still has them.
    let refusal = faults::Fault::Answer {
        status: 400,
        headers: BTreeMap::new(),
        body: r#"{"errors":[{"code":"WHSC-999","message":"The note is being looked at"}]}"#.to_owned(),
    };
    let event = FaultRule::new(refusal).method("POST").path_contains("/event");
    let rule = world.brightpearl.faults().add(event);
    let in_stock =
        |world: &World, product: i64| world.brightpearl.stock(ACCOUNT, product, WAREHOUSE).expect("stock").in_stock;
    let had = in_stock(&world, product);
    let order = world.place(world.ready(vec![NewLine::sku(&sku, 3)]));
    let becomes = |state: &'static str| {
        move |world: &World| {
            let (_, shown) = world.ask(&["orders", "show", &order.to_string()]);
            if shown["state"] == state { Ok(()) } else { Err(shown["state"].to_string()) }
        }
    };
    world.until("the event is refused", LIMIT, becomes("error")).await;
    let run = counted(&mut world).await;
    settled(&mut world, &run).await;
    assert_eq!(in_stock(&world, product), had, "what left is no reason to correct");
    let report = json(&world, &["drift", "main"]);
    let (unexplained, named, _) = drift(&report, &warehouse_sku(&sku));
    assert_eq!((unexplained, named), (0, parts(&[("on_open_notes", -3)])), "{report:#}");
    let (unexplained, named, _) = drift(&report, &warehouse_sku(&never_sku));
    assert_eq!((unexplained, named), (0, parts(&[("not_counted", -in_stock(&world, never))])), "{report:#}");

    // Posted, it is no difference any more.
    assert!(world.brightpearl.faults().remove(rule));
    let (_, shown) = world.ask(&["orders", "show", &order.to_string()]);
    let effects = shown["effects"].as_array().expect("its changes");
    let refused = effects.iter().find(|effect| effect["state"] == "refused").expect("the refused one");
    let refused = refused["id"].as_str().expect("its id");
    world.command(&["effects", "retry", refused, "--reason", "Brightpearl takes it again"]);
    world.until("the order is told", LIMIT, becomes("closed")).await;
    assert_eq!(in_stock(&world, product), had - 3);
    let report = json(&world, &["drift", "main", "--all", "--sku", &warehouse_sku(&sku)]);
    let (unexplained, named, _) = drift(&report, &warehouse_sku(&sku));
    assert_eq!((unexplained, named), (0, parts(&[])), "{report:#}");
    world.invariants().expect("the invariants hold");
}

/// Brightpearl refuses to tell the stock of products. Set against nothing, the whole of what lies in the warehouse would be added.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_that_cannot_be_read_is_left_alone_and_the_line_says_so() {
    let mut world = World::new(Setup::default()).await;
    let (product, sku) = world.skus[0].clone();
    world.start();
    let run = counted(&mut world).await;
    settled(&mut world, &run).await;
    let right = on_hand(&world, product);
    world.mistake(product, 5);
    let refusal = faults::Fault::Answer {
        status: 400,
        headers: BTreeMap::new(),
        body: r#"{"errors":[{"code":"WHSC-070","message":"The product is locked"}]}"#.to_owned(),
    };
    let rule = world.brightpearl.faults().add(FaultRule::new(refusal).path_contains("/product-availability/"));
    let run = counted(&mut world).await;
    let shown = json(&world, &["stock", "show", run["id"].as_str().expect("a run")]);
    let lines = shown["lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line["skus"].to_string().contains(&warehouse_sku(&sku))), "{shown:#}");
    for line in lines {
        let reason = line["reason"].as_str().unwrap_or_default();
        assert_eq!(line["verdict"], "skip", "{line:#}");
        assert!(reason.contains("cannot be read") && reason.contains("The product is locked"), "{line:#}");
    }
    assert_eq!(on_hand(&world, product), right + 5);
    assert!(world.brightpearl.faults().remove(rule));
    let run = counted(&mut world).await;
    settled(&mut world, &run).await;
    assert_eq!(on_hand(&world, product), right);
    world.invariants().expect("the invariants hold");
}
