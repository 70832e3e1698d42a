//! The folder warehouse.

#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;
use simulators::dsfx::{
    AfterReading, Config, Dsfx, Fault, Feed, Habits, Handling, OrderState, PhVersion, PlannedShipment, SeedStock,
    StateRule,
};

const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn later(seconds: u64) -> Timestamp {
    now().checked_add(Duration::from_secs(seconds)).unwrap()
}

/// A PH row by version: e-mail, notes and facility where they belong.
fn header(version: PhVersion, number: &str, country: &str, state: &str) -> String {
    let mut row = vec!["PH", number, "PO1"];
    if version != PhVersion::One {
        row.push("jane@example.test");
    }
    row.extend(["Jane Doe", "1 High St", "", "Leeds", state, "LS1 1AA", country, "", "0113"]);
    row.extend(["Bill", "", "", "", "", "", ""]);
    row.extend(["UPS_GROUND", "P", "", "", "", ""]);
    match version {
        PhVersion::One => {}
        PhVersion::Two => row.push("leave with neighbour"),
        PhVersion::Three => row.extend(["leave with neighbour", "2"]),
    }
    row.join(",")
}

fn order(number: &str, lines: &[(&str, &str)]) -> String {
    let mut text = header(PhVersion::Two, number, "GB", "") + "\n";
    for (at, (sku, quantity)) in lines.iter().enumerate() {
        text += &format!("PD,{number},{},{sku},{quantity},9.99\n", at + 1);
    }
    text
}

fn drop_file(root: &Path, name: &str, text: &str) {
    fs::write(root.join("in").join(name), text).unwrap();
}

fn config(root: &Path) -> Config {
    let mut config = Config::new(root);
    config.habits = Habits {
        delay: Duration::ZERO,
        rest_delay: Duration::from_secs(10),
        part_then_rest_percent: 0,
        short_percent: 0,
        boxes_percent: 0,
    };
    config.stock = vec![
        SeedStock::plain("SKU-A", "1", 100.into()),
        SeedStock::plain("SKU-B", "1", 5.into()),
        SeedStock::plain("SKU-A", "2", 7.into()),
    ];
    config
}

fn out(root: &Path, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names
}

fn content(root: &Path, name: &str) -> String {
    String::from_utf8(fs::read(root.join("out").join(name)).unwrap()).unwrap()
}

fn rows(text: &str) -> Vec<Vec<String>> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn an_order_is_archived_shipped_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    drop_file(dir.path(), "ord_100_261123120000.csv", &order("O100", &[("SKU-A", "2"), ("SKU-B", "1")]));
    let tick = warehouse.tick(now()).unwrap();
    assert_eq!((tick.read, tick.rejected, tick.shipped), (1, 0, 1));
    assert!(dir.path().join("in/archive/ord_100_261123120000.csv").exists());

    let names = out(dir.path(), "shp_");
    let rows = rows(&content(dir.path(), &names[0]));
    let header = "order_number,shipment_id,shipped_at,carrier,service,package_number,tracking_number,line_number,sku,quantity,lot,serial";
    assert_eq!(rows[0].join(","), header);
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1][0], "O100");
    assert_eq!(rows[1][2], NOW);
    assert_eq!((rows[1][3].as_str(), rows[1][4].as_str(), rows[1][5].as_str()), ("UPS", "GROUND", "1"));
    assert_eq!(rows[1][7..10], ["1", "SKU-A", "2"]);
    assert_eq!(rows[2][7..10], ["2", "SKU-B", "1"]);

    let ledger = warehouse.ledger();
    let orders = &ledger.orders["O100"];
    assert_eq!(orders[0].state, OrderState::Shipped);
    assert_eq!(orders[0].email, "jane@example.test");
    assert_eq!(orders[0].notes, "leave with neighbour");
    assert_eq!(orders[0].ship_to.country, "GB");
    assert_eq!(orders[0].shipments[0].shipment_id, rows[1][1]);
    assert_eq!(orders[0].shipments[0].packages[0].tracking_number, rows[1][6]);
    assert!(ledger.duplicates.is_empty());
    assert!(warehouse.is_settled());
}

#[test]
fn each_version_of_the_header_row_is_read() {
    for (version, email, notes, facility) in [
        (PhVersion::One, "", "", "1"),
        (PhVersion::Two, "jane@example.test", "leave with neighbour", "1"),
        (PhVersion::Three, "jane@example.test", "leave with neighbour", "2"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let warehouse = Dsfx::open(Config { ph_version: version, ..config(dir.path()) }).unwrap();
        let text = header(version, "O1", "GB", "") + "\nPD,O1,1,SKU-A,1,\n";
        drop_file(dir.path(), "ord_O1.csv", &text);
        warehouse.tick(now()).unwrap();
        let ledger = warehouse.ledger();
        assert!(ledger.rejected.is_empty(), "{version:?}: {:?}", ledger.rejected);
        let order = &ledger.orders["O1"][0];
        assert_eq!((order.email.as_str(), order.notes.as_str(), order.facility.as_str()), (email, notes, facility));
        assert_eq!((order.ship_to.name.as_str(), order.ship_method.as_str()), ("Jane Doe", "UPS_GROUND"));
        assert_eq!((order.po_number.as_str(), order.payment_type.as_str()), ("PO1", "P"));
    }
}

#[test]
fn malformed_files_are_set_aside_with_the_reason() {
    let head = header(PhVersion::Two, "O1", "GB", "");
    let cases = [
        (String::new(), "no order"),
        ("PD,O1,1,SKU-A,1,\n".to_owned(), "without a PH"),
        (format!("{head}\n"), "has no PD row"),
        (format!("XX,1\n{head}\n"), "unknown record type"),
        ("PH,O1,PO\n".to_owned(), "fields, expected"),
        (header(PhVersion::Two, "O 1", "GB", ""), "letters, digits"),
        (header(PhVersion::Two, "O~1", "GB", ""), "letters, digits"),
        (header(PhVersion::Two, "O1", "GBR", ""), "two-letter"),
        (header(PhVersion::Two, "O1", "US", ""), "state is empty"),
        (format!("{head}\nPD,O2,1,SKU-A,1,\n"), "names order"),
        (format!("{head}\nPD,O1,1,SKU-A,0,\n"), "above zero"),
        (format!("{head}\nPD,O1,1,SKU-A,two,\n"), "above zero"),
        (format!("{head}\nPD,O1,1,SKU-A\n"), "PD has 4 fields"),
        (format!("{head}\nPD,O1,1,SKU-A,1,x\n"), "unit price"),
        (format!("{head}\nPD,O1,1,SKU-A,1,\nPD,O1,1,SKU-B,1,\n"), "used twice"),
        (format!("{head}\nPD,O1,1,NOBODY,1,\n"), "not known"),
        (format!("{head}\nPD,O1,1,SKU-A,1,\n{}", header(PhVersion::Two, "O2", "GB", "")), "O2 has no PD row"),
    ];
    for (text, reason) in cases {
        let dir = tempfile::tempdir().unwrap();
        let warehouse = Dsfx::open(config(dir.path())).unwrap();
        drop_file(dir.path(), "ord_1.csv", &text);
        let tick = warehouse.tick(now()).unwrap();
        assert_eq!((tick.read, tick.rejected), (0, 1), "{text:?}");
        let ledger = warehouse.ledger();
        assert!(ledger.rejected[0].reason.contains(reason), "{text:?}: {}", ledger.rejected[0].reason);
        assert!(ledger.orders.is_empty(), "a refused file is refused whole");
        assert!(dir.path().join("in/rejected/ord_1.csv").exists());
        let beside = fs::read_to_string(dir.path().join("in/rejected/ord_1.csv.reason.txt")).unwrap();
        assert!(beside.contains(reason));
    }
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    fs::write(dir.path().join("in/ord_1.csv"), b"PH,\xff\xfe\n").unwrap();
    assert_eq!(warehouse.tick(now()).unwrap().rejected, 1);
}

#[test]
fn a_state_may_be_asked_for_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(Config { state_rule: StateRule::Always, ..config(dir.path()) }).unwrap();
    drop_file(dir.path(), "ord_1.csv", &order("O1", &[("SKU-A", "1")]));
    assert_eq!(warehouse.tick(now()).unwrap().rejected, 1);
}

#[test]
fn unfinished_names_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    let names = [".ord_1.csv", "ord_1.csv.tmp", "tmp_ord_1.csv", "ORD_1.csv", "ord_1.CSV"];
    for name in names {
        drop_file(dir.path(), name, &order("O1", &[("SKU-A", "1")]));
    }
    fs::create_dir(dir.path().join("in/ord_folder.csv")).unwrap();
    assert_eq!(warehouse.tick(now()).unwrap().read, 0);
    for name in names {
        assert!(dir.path().join("in").join(name).exists(), "{name}");
    }
}

#[test]
fn an_order_number_that_comes_twice_ships_twice() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(Config { after_reading: AfterReading::Delete, ..config(dir.path()) }).unwrap();
    for name in ["ord_1.csv", "ord_2.csv"] {
        drop_file(dir.path(), name, &order("O1", &[("SKU-A", "2")]));
    }
    warehouse.tick(now()).unwrap();
    let ledger = warehouse.ledger();
    assert_eq!(ledger.duplicates["O1"], 2);
    assert_eq!(ledger.orders["O1"].len(), 2);
    let shipments: Vec<&str> =
        ledger.orders["O1"].iter().map(|order| order.shipments[0].shipment_id.as_str()).collect();
    assert_ne!(shipments[0], shipments[1]);
    assert_eq!(ledger.stock[0].physical, 96.into());
    assert!(!dir.path().join("in/archive/ord_1.csv").exists());
}

#[test]
fn part_then_rest_short_and_boxes() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    warehouse.tell("PART", Handling::PartThenRest);
    warehouse.tell("SHORT", Handling::Short);
    warehouse.tell("BOXES", Handling::Boxes(3));
    warehouse.tell("WAIT", Handling::Wait);
    let exact = PlannedShipment { boxes: vec![vec![("1".to_owned(), 1.into())], vec![("1".to_owned(), 9.into())]] };
    warehouse.tell("EXACT", Handling::Exactly(vec![exact]));
    for number in ["PART", "SHORT", "BOXES", "WAIT", "EXACT"] {
        drop_file(dir.path(), &format!("ord_{number}.csv"), &order(number, &[("SKU-A", "4")]));
    }
    warehouse.tick(now()).unwrap();
    let state = |number: &str| warehouse.ledger().orders[number][0].state;
    assert_eq!(state("PART"), OrderState::PartShipped);
    assert_eq!(state("SHORT"), OrderState::ShippedShort);
    assert_eq!(state("BOXES"), OrderState::Shipped);
    assert_eq!(state("WAIT"), OrderState::Open);
    assert_eq!(state("EXACT"), OrderState::Shipped);
    warehouse.tick(later(5)).unwrap();
    assert_eq!(state("PART"), OrderState::PartShipped, "the rest is not due yet");
    warehouse.tick(later(10)).unwrap();
    assert_eq!(state("PART"), OrderState::Shipped);

    let ledger = warehouse.ledger();
    let units =
        |number: &str| ledger.orders[number][0].shipments.iter().map(|one| one.packages.len()).collect::<Vec<_>>();
    assert_eq!(units("PART"), [1, 1]);
    assert_eq!(units("BOXES"), [3]);
    assert_eq!(units("EXACT"), [2]);
    assert_eq!(ledger.orders["SHORT"][0].lines[0].shipped, 2.into());
    assert_eq!(ledger.orders["EXACT"][0].lines[0].shipped, 4.into(), "never more than was ordered");
    assert_eq!(warehouse.open_orders(), 1);
    warehouse.tell("WAIT", Handling::Full);
    warehouse.tick(later(11)).unwrap();
    assert_eq!(state("WAIT"), OrderState::Shipped);
}

#[test]
fn what_is_not_on_the_shelf_follows_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    drop_file(dir.path(), "ord_1.csv", &order("O1", &[("SKU-B", "8")]));
    warehouse.tick(now()).unwrap();
    let row = warehouse.stock().into_iter().find(|row| row.sku == "SKU-B").unwrap();
    assert_eq!((row.physical, row.committed, row.available), (0.into(), 3.into(), (-3).into()));
    warehouse.tick(later(10)).unwrap();
    assert_eq!(warehouse.ledger().orders["O1"][0].shipments.len(), 1);
    assert!(warehouse.set_physical("SKU-B", "1", 10.into()));
    warehouse.tick(later(20)).unwrap();
    assert_eq!(warehouse.ledger().orders["O1"][0].state, OrderState::Shipped);
    assert!(!warehouse.set_physical("SKU-B", "9", 10.into()));
}

#[test]
fn stock_is_reported_less_what_is_promised() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.trailer = true;
    config.count_every = Some(Duration::from_secs(60));
    config.habits.delay = Duration::from_secs(1000);
    let warehouse = Dsfx::open(config).unwrap();
    drop_file(dir.path(), "ord_1.csv", &order("O1", &[("SKU-A", "40")]));
    warehouse.tick(now()).unwrap();
    warehouse.tick(later(30)).unwrap();
    warehouse.tick(later(60)).unwrap();
    let names = out(dir.path(), "inv_");
    assert_eq!(names.len(), 2);
    let first = rows(&content(dir.path(), &names[0]));
    assert_eq!(first[0].join(","), "sku,available,on_hand,facility_id,counted_at");
    assert_eq!(first[1].join(","), format!("SKU-A,60,100,1,{NOW}"));
    assert_eq!(first[2].join(","), format!("SKU-A,7,7,2,{NOW}"));
    assert_eq!(first[4].join(","), "TRAILER,3,1");
    assert_eq!(rows(&content(dir.path(), &names[1]))[4].join(","), "TRAILER,3,2");
}

#[test]
fn lots_and_serial_numbers_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    warehouse.seed_stock(&SeedStock {
        lot: "LOT1".to_owned(),
        serials: true,
        ..SeedStock::plain("SKU-S", "1", 10.into())
    });
    drop_file(dir.path(), "ord_1.csv", &order("O1", &[("SKU-S", "2")]));
    warehouse.tick(now()).unwrap();
    let row = &rows(&content(dir.path(), &out(dir.path(), "shp_")[0]))[1];
    assert_eq!(row[10..], ["LOT1", "SN00000001;SN00000002"]);
}

/// A warehouse with one order shipped while `fault` waits for its file.
fn shipped_with(root: &Path, fault: Fault) -> Dsfx {
    let warehouse = Dsfx::open(config(root)).unwrap();
    warehouse.inject(Feed::Shipments, fault).unwrap();
    drop_file(root, "ord_1.csv", &order("O1", &[("SKU-A", "2"), ("SKU-B", "1")]));
    warehouse.tick(now()).unwrap();
    warehouse
}

/// Whether the bytes of a file show the fault.
type Holds = fn(&[u8]) -> bool;

#[test]
fn each_content_fault_does_what_it_says() {
    let check: [(Fault, Holds); 9] = [
        (Fault::NoFinalNewline, |bytes| !bytes.ends_with(b"\n")),
        (Fault::CutRow, |bytes| bytes.ends_with(b"SKU-B,")),
        (Fault::DuplicateRows, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count() == 5),
        (Fault::FormulaCell, |bytes| bytes.windows(2).any(|pair| pair == b"=H")),
        (Fault::HugeCell, |bytes| bytes.len() > 1024 * 1024),
        (Fault::NulByte, |bytes| bytes.contains(&0)),
        (Fault::InvalidUtf8, |bytes| std::str::from_utf8(bytes).is_err()),
        (Fault::UnknownOrder, |bytes| String::from_utf8_lossy(bytes).contains("NO-SUCH-ORDER,DS")),
        (Fault::WrongQuantity, |bytes| String::from_utf8_lossy(bytes).contains("SKU-A,102,")),
    ];
    for (fault, holds) in check {
        let dir = tempfile::tempdir().unwrap();
        let warehouse = shipped_with(dir.path(), fault.clone());
        let name = &out(dir.path(), "shp_")[0];
        assert!(holds(&fs::read(dir.path().join("out").join(name)).unwrap()), "{fault:?}");
        // The intact content comes on demand, under a name of its own.
        let again = warehouse.resend(name, later(1)).unwrap().unwrap();
        assert_ne!(again, *name);
        let rows = rows(&content(dir.path(), &again));
        assert_eq!(rows[1][7..10], ["1", "SKU-A", "2"]);
        let ledger = warehouse.ledger();
        assert_eq!(ledger.written[0].fault, Some(fault));
        assert_eq!(ledger.written[1].repeats.as_ref(), Some(name));
    }
}

#[test]
fn wrong_columns_and_unknown_skus() {
    let dir = tempfile::tempdir().unwrap();
    shipped_with(dir.path(), Fault::WrongColumnCount);
    let lengths: Vec<usize> = rows(&content(dir.path(), &out(dir.path(), "shp_")[0])).iter().map(Vec::len).collect();
    assert_eq!(lengths, [12, 10, 12]);
    let dir = tempfile::tempdir().unwrap();
    shipped_with(dir.path(), Fault::UnknownSku);
    assert_eq!(rows(&content(dir.path(), &out(dir.path(), "shp_")[0]))[1][8], "NO-SUCH-SKU");
}

#[test]
fn a_half_written_file_is_finished_later() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = shipped_with(dir.path(), Fault::HalfWritten { pause: Duration::from_secs(5) });
    let name = out(dir.path(), "shp_")[0].clone();
    let half = content(dir.path(), &name);
    warehouse.tick(later(1)).unwrap();
    assert_eq!(content(dir.path(), &name), half);
    assert!(!warehouse.is_settled());
    warehouse.tick(later(5)).unwrap();
    let whole = content(dir.path(), &name);
    assert!(whole.starts_with(&half) && whole.len() > half.len() && whole.ends_with('\n'));
    assert_eq!(rows(&whole).len(), 3);
}

#[test]
fn half_a_file_that_was_taken_away_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = shipped_with(dir.path(), Fault::HalfWritten { pause: Duration::ZERO });
    let name = out(dir.path(), "shp_")[0].clone();
    fs::remove_file(dir.path().join("out").join(&name)).unwrap();
    warehouse.tick(later(1)).unwrap();
    assert!(out(dir.path(), "shp_").is_empty());
}

#[test]
fn a_file_may_come_twice_late_or_with_an_odd_name() {
    let dir = tempfile::tempdir().unwrap();
    shipped_with(dir.path(), Fault::DuplicateFile);
    let names = out(dir.path(), "shp_");
    assert_eq!(names.len(), 2);
    assert_eq!(content(dir.path(), &names[0]), content(dir.path(), &names[1]));

    let dir = tempfile::tempdir().unwrap();
    let warehouse = shipped_with(dir.path(), Fault::Reordered);
    assert!(out(dir.path(), "shp_").is_empty());
    drop_file(dir.path(), "ord_2.csv", &order("O2", &[("SKU-A", "1")]));
    let tick = warehouse.tick(later(1)).unwrap();
    assert_eq!(tick.written.len(), 2);
    assert!(content(dir.path(), &tick.written[0]).contains("O2,"), "the later shipment is delivered first");
    assert!(content(dir.path(), &tick.written[1]).contains("O1,"));

    let dir = tempfile::tempdir().unwrap();
    shipped_with(dir.path(), Fault::OddFileName);
    let name = &out(dir.path(), "shp_")[0];
    assert!(name.contains('ö') && name.contains('\'') && name.contains("%2e") && name.ends_with(".csv"));
}

#[test]
fn stock_faults() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(config(dir.path())).unwrap();
    warehouse.inject(Feed::Stock, Fault::ZeroFeed).unwrap();
    warehouse.inject(Feed::Stock, Fault::StaleFeed { age: Duration::from_secs(86_400) }).unwrap();
    let zero = warehouse.count(now()).unwrap().written.remove(0);
    assert!(rows(&content(dir.path(), &zero))[1..].iter().all(|row| row[1] == "0" && row[2] == "0"));
    let stale = warehouse.count(now()).unwrap().written.remove(0);
    assert!(rows(&content(dir.path(), &stale))[1..].iter().all(|row| row[4] == "2026-11-22T12:00:00Z"));
    let intact = warehouse.count(now()).unwrap().written.remove(0);
    assert_eq!(rows(&content(dir.path(), &intact))[1].join(","), format!("SKU-A,100,100,1,{NOW}"));
    assert!(warehouse.inject(Feed::Stock, Fault::UnknownOrder).is_err());
    assert!(warehouse.inject(Feed::Shipments, Fault::ZeroFeed).is_err());
}

#[test]
fn damaged_files_are_sent_again_when_the_warehouse_does_so() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(Config { repair_after: Some(Duration::from_secs(3)), ..config(dir.path()) }).unwrap();
    warehouse.inject_at_random(100, vec![Fault::CutRow, Fault::ZeroFeed]);
    drop_file(dir.path(), "ord_1.csv", &order("O1", &[("SKU-A", "1")]));
    warehouse.tick(now()).unwrap();
    assert_eq!(warehouse.ledger().written[0].fault, Some(Fault::CutRow));
    assert!(!warehouse.is_settled());
    let tick = warehouse.tick(later(3)).unwrap();
    assert!(content(dir.path(), &tick.written[0]).ends_with('\n'));
    assert!(warehouse.is_settled());
}

#[tokio::test]
async fn a_quick_reader_takes_a_file_between_two_ticks() {
    let dir = tempfile::tempdir().unwrap();
    let warehouse = Dsfx::open(Config { reads_instantly: true, ..config(dir.path()) }).unwrap();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn({
        let (warehouse, shutdown) = (warehouse.clone(), shutdown.clone());
        // An interval far beyond the test: only the instant reader can take the second file.
        async move { warehouse.run(Duration::from_secs(3600), shutdown).await }
    });
    for number in ["O1", "O2"] {
        drop_file(dir.path(), &format!("tmp_{number}"), &order(number, &[("SKU-A", "1")]));
        let target = dir.path().join(format!("in/ord_{number}.csv"));
        fs::rename(dir.path().join(format!("in/tmp_{number}")), &target).unwrap();
        for _ in 0..2000 {
            if !target.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!target.exists());
    }
    shutdown.cancel();
    task.await.unwrap();
    assert_eq!(warehouse.ledger().orders.len(), 2);
}

#[test]
fn one_seed_is_one_story() {
    let story = || {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.habits = Habits {
            delay: Duration::ZERO,
            rest_delay: Duration::from_secs(5),
            part_then_rest_percent: 30,
            short_percent: 20,
            boxes_percent: 30,
        };
        let warehouse = Dsfx::open(config).unwrap();
        for number in 0..30 {
            drop_file(dir.path(), &format!("ord_{number:02}.csv"), &order(&format!("O{number}"), &[("SKU-A", "3")]));
        }
        for second in 0..5 {
            warehouse.tick(later(second * 10)).unwrap();
        }
        serde_json::to_string(&warehouse.ledger()).unwrap()
    };
    let told = story();
    assert_eq!(told, story());
    assert!(told.contains("ShippedShort") && told.contains("\"number\":2,"), "short orders and second boxes occur");
}

#[derive(Clone, Debug)]
enum Act {
    Order(Vec<(usize, u32)>, Handling),
    Count(usize, u32),
    Tick,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    use proptest::prelude::{Just, prop, prop_oneof};
    let handling = prop_oneof![
        Just(Handling::Full),
        Just(Handling::Boxes(3)),
        Just(Handling::PartThenRest),
        Just(Handling::Short)
    ];
    let line = (0..2_usize, 1..40_u32);
    let act = prop_oneof![
        3 => (prop::collection::vec(line, 1..3), handling).prop_map(|(lines, handling)| Act::Order(lines, handling)),
        1 => (0..2_usize, 0..60_u32).prop_map(|(sku, units)| Act::Count(sku, units)),
        3 => Just(Act::Tick),
    ];
    prop::collection::vec(act, 1..20)
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    /// Whatever happens, no shelf goes below zero, nothing ships beyond its order, and each unit that left a shelf is in
    /// exactly one box.
    #[test]
    fn stock_is_never_below_zero(acts in acts()) {
        let skus = ["SKU-A", "SKU-B"];
        let dir = tempfile::tempdir().unwrap();
        let warehouse = Dsfx::open(config(dir.path())).unwrap();
        let mut put_in = [Decimal::from(100), Decimal::from(5)];
        let mut clock = 0;
        for (number, act) in acts.into_iter().enumerate() {
            match act {
                Act::Order(lines, handling) => {
                    let number = format!("O{number}");
                    let lines: Vec<(&str, String)> = lines.iter().map(|(sku, units)| (skus[*sku], units.to_string())).collect();
                    let lines: Vec<(&str, &str)> = lines.iter().map(|(sku, units)| (*sku, units.as_str())).collect();
                    warehouse.tell(&number, handling);
                    drop_file(dir.path(), &format!("ord_{number}.csv"), &order(&number, &lines));
                }
                Act::Count(sku, units) => {
                    let row = warehouse.stock().into_iter().find(|row| row.sku == skus[sku] && row.facility == "1").unwrap();
                    put_in[sku] += Decimal::from(units) - row.physical;
                    warehouse.set_physical(skus[sku], "1", units.into());
                }
                Act::Tick => {
                    clock += 10;
                    warehouse.tick(later(clock)).unwrap();
                }
            }
            let ledger = warehouse.ledger();
            for row in &ledger.stock {
                prop_assert!(row.physical >= Decimal::ZERO);
                prop_assert_eq!(row.available, row.physical - row.committed);
            }
            for (at, sku) in skus.iter().enumerate() {
                let boxed: Decimal = ledger
                    .orders
                    .values()
                    .flatten()
                    .flat_map(|order| &order.shipments)
                    .flat_map(|shipment| &shipment.packages)
                    .flat_map(|package| &package.contents)
                    .filter(|content| content.sku == *sku)
                    .map(|content| content.quantity)
                    .sum();
                let physical = ledger.stock.iter().find(|row| row.sku == *sku && row.facility == "1").unwrap().physical;
                prop_assert_eq!(physical + boxed, put_in[at]);
            }
            for line in ledger.orders.values().flatten().flat_map(|order| &order.lines) {
                prop_assert!(line.shipped <= line.ordered);
            }
        }
    }
}
