use connect::{Choice, Choices, ShipMethod};
use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

use super::{ImportQuery, MappingTable, compare, entries, listings, rows, written};
use crate::db::Mappings;

/// Text as tables hold it: printable, without blanks around it, and without the apostrophe that guards a formula.
fn text() -> impl Strategy<Value = String> {
    "[!-&(-~]([ -~]{0,10}[!-~])?"
}

fn tables() -> impl Strategy<Value = Mappings> {
    let parts = || prop::collection::btree_map(text(), 1_u32..10_000, 1..4);
    let method = || (text(), "([!-&(-~]{1,6})?").prop_map(|(carrier, service)| ShipMethod { carrier, service });
    (
        prop::collection::btree_map(text(), text(), 0..6),
        prop::collection::btree_map(text(), parts(), 0..4),
        prop::collection::btree_map(1_i64..1000, method(), 0..6),
        prop::collection::btree_map(method(), 1_i64..1000, 0..6),
        prop::collection::btree_map(text(), 1_i64..1000, 0..6),
    )
        .prop_map(|(listings, kits, ship_methods, source_methods, locations)| {
            let decimal = |units: u32| Decimal::new(i64::from(units), 1).normalize();
            let parts = |parts: std::collections::BTreeMap<String, u32>| {
                parts.into_iter().map(|(sku, units)| (sku, decimal(units))).collect()
            };
            let kits = kits.into_iter().map(|(kit, given)| (kit, parts(given))).collect();
            Mappings { listings, kits, ship_methods, source_methods, locations }
        })
}

/// What a file of a table says, or everything that is wrong with it.
fn read(table: MappingTable, csv: &str) -> Result<Mappings, Vec<String>> {
    read_with(table, csv, None)
}

fn read_with(table: MappingTable, csv: &str, choices: Option<&Choices>) -> Result<Mappings, Vec<String>> {
    let (rows, mut problems) = rows(table, csv);
    let given = entries(table, &rows, choices, &mut problems);
    if problems.is_empty() { Ok(given) } else { Err(problems.iter().map(ToString::to_string).collect()) }
}

proptest! {
    /// What is written out is read back, of every table, whatever a spreadsheet would make of it.
    #[test]
    fn csv_goes_round(mappings in tables()) {
        let mut back = Mappings::default();
        for table in MappingTable::ALL {
            let csv = written(table, &mappings);
            for line in csv.lines() {
                prop_assert!(!line.starts_with(['=', '+', '-', '@']), "a formula: {}", line);
            }
            let given = read(table, &csv).unwrap();
            back.listings.extend(given.listings);
            back.kits.extend(given.kits);
            back.ship_methods.extend(given.ship_methods);
            back.source_methods.extend(given.source_methods);
            back.locations.extend(given.locations);
        }
        prop_assert_eq!(back, mappings);
    }

    /// Taking in what is there changes nothing; into empty tables it adds everything.
    #[test]
    fn the_same_again_changes_nothing(mappings in tables()) {
        let overwrite = ImportQuery { overwrite: true, preview: false };
        let count = mappings.listings.len() + mappings.kits.len() + mappings.ship_methods.len()
            + mappings.source_methods.len() + mappings.locations.len();
        let (told, changes) = compare(&mappings, mappings.clone(), overwrite);
        prop_assert_eq!(changes, Mappings::default());
        prop_assert_eq!((told.added, told.changed.len(), told.left.len(), told.same), (0, 0, 0, count));
        let (told, changes) = compare(&Mappings::default(), mappings.clone(), overwrite);
        prop_assert_eq!(told.added, count);
        prop_assert_eq!(changes, mappings);
    }
}

#[test]
fn a_first_line_may_name_the_columns() {
    for (table, heading, line) in [
        (MappingTable::Listings, "SKU,Their SKU", "A,B"),
        (MappingTable::Kits, "Brightpearl SKU,Part SKU,Units", "A,B,2"),
        (MappingTable::ShipMethods, "Brightpearl method,Carrier,Service", "3,DHL,EXP"),
        (MappingTable::ShipMethods, "brightpearl_method,carrier", "3,DHL"),
        (MappingTable::SourceMethods, "carrier,service,brightpearl_method", "DHL,,3"),
        (MappingTable::Locations, "\u{feff}Facility,Brightpearl warehouse", "EAST,2"),
    ] {
        let with = read(table, &format!("{heading}\n\n{line}\n")).unwrap();
        assert_eq!(with, read(table, line).unwrap(), "{heading}");
        assert_ne!(with, Mappings::default(), "{heading}");
        // Further down it is a line like any other, and of the tables with numbers one that cannot be used.
        let below = read(table, &format!("{line}\n{}\n", heading.trim_start_matches('\u{feff}')));
        assert!(below.is_err() || table == MappingTable::Listings, "{heading}: {below:?}");
    }
}

#[test]
fn every_wrong_line_is_named_by_its_number() {
    let problems = |table, csv: &str| read(table, csv).unwrap_err();
    assert_eq!(
        problems(MappingTable::Listings, "A,B\n\nC,D,E\n,F\n"),
        ["line 3: has 3 columns instead of 2", "line 4: brightpearl_sku is empty"]
    );
    assert_eq!(
        problems(MappingTable::Listings, "A,B\nA,C\nA,B\n"),
        ["line 2: says something else of the same entry as line 1"]
    );
    assert_eq!(
        problems(MappingTable::Kits, "K,A,0\nK,B,-1\nK,C,some\nK,D,2\nK,D,1\n"),
        [
            "line 1: units must be more than zero",
            "line 2: units must be more than zero",
            "line 3: units must be a number such as 2, not \"some\"",
            "line 5: D is a part of K twice; add its units up"
        ]
    );
    let long = "x".repeat(201);
    assert_eq!(
        problems(MappingTable::Locations, &format!("\"two\nlines\",1\n{long},2\n")),
        ["line 3: facility is longer than 200 characters"]
    );
    let failure = listings("A,B\nC,D,E\n").unwrap_err();
    assert!(failure.detail.contains("line 2") && failure.remedy.contains("warehouse_sku"), "{failure:?}");
}

#[test]
fn what_the_account_has_may_be_named() {
    let choice = |id, name: &str| Choice { id, name: name.to_owned(), detail: String::new() };
    let choices =
        Choices { ship_methods: vec![choice(3, "Express")], warehouses: vec![choice(2, "Main")], ..Choices::default() };
    let methods = read_with(MappingTable::ShipMethods, "express,DHL,EXP\n3,DHL,EXP\n", Some(&choices)).unwrap();
    assert_eq!(methods.ship_methods.keys().collect::<Vec<_>>(), [&3]);
    let wrong = read_with(MappingTable::Locations, "EAST,Main\nWEST,Nowhere\n", Some(&choices)).unwrap_err();
    assert!(wrong[0].starts_with("line 2: the account has no warehouse \"Nowhere\""), "{wrong:?}");
    assert_eq!(wrong.len(), 1);
}

#[test]
fn what_is_there_is_left_or_replaced_as_asked() {
    let before = read(MappingTable::Kits, "K,A,2\nL,B,1\n").unwrap();
    let given = || read(MappingTable::Kits, "K,A,3\nK,C,1\nL,B,1\nM,D,1\n").unwrap();
    let (told, changes) = compare(&before, given(), ImportQuery::default());
    assert_eq!(told.left, [("K".to_owned(), "2 x A".to_owned(), "3 x A, 1 x C".to_owned())]);
    assert_eq!((told.added, told.same, changes.kits.len()), (1, 1, 1));
    let (told, changes) = compare(&before, given(), ImportQuery { overwrite: true, preview: true });
    assert_eq!((told.changed.len(), told.left.len(), changes.kits.len()), (1, 0, 2));
}
