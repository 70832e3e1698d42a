//! The contract suite: what every warehouse connector must do, whatever it talks to, with its simulator at the other end.
//!
//! [`scenarios::SCENARIOS`] says what happens, as data. [`harness::Entry`] says of one connector how its simulator is driven,
//! which classes it declares for which effect, and what its system can express; [`run`] plays every scenario over it and proves
//! each declaration. A connector that cannot what it declares fails; of what it does not declare it is proven that it refuses,
//! and that nothing comes of it.
//!
//! A new connector is one file here with its entry and one test: see docs/adding-a-warehouse.md.

mod classes;
mod disorder;
mod extensiv;
mod files;
mod harness;
mod mintsoft;
mod odoo;
mod reading;
mod run;
mod scenarios;
mod shiphero;
mod warehouse_api;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use connect::Role;

/// Every connector that ships is under the suite.
#[test]
fn every_warehouse_has_an_entry() {
    let rest = [extensiv::ENTRIES, mintsoft::ENTRIES, odoo::ENTRIES, shiphero::ENTRIES, warehouse_api::ENTRIES];
    let entries: BTreeSet<&str> =
        [files::ENTRIES].iter().chain(&rest).flat_map(|entries| entries.iter()).map(|entry| entry.platform).collect();
    let warehouses: BTreeSet<&str> = connectors::CONNECTORS
        .iter()
        .filter(|spec| matches!(spec.role, Role::Warehouse(_)))
        .map(|spec| spec.name)
        .collect();
    assert_eq!(entries, warehouses);
}

/// Where a warehouse may be named beside its folder and the one list, and why (docs/adding-a-warehouse.md).
const NAMED: [(&str, &str); 4] = [
    ("millrace/src/cli/simulate.rs", "starts simulators, each with options of its own"),
    ("millrace/src/demo/ends.rs", "plays with the simulator that needs no account"),
    ("millrace/src/bench/round.rs", "measures with the same"),
    ("millrace/src/bench/setup.rs", "sets up the same"),
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "ts" || ending == "tsx") {
            found.push(path);
        }
    }
}

/// Whether code names one: as a text, as a key of a web table, or by the path of its module or of its simulator's. `csv` by itself
/// is also a format and a crate, and is no name.
fn names(code: &str, name: &str) -> bool {
    let texts = [format!("\"{name}\""), format!("'{name}'"), format!("\n  {name}: {{")];
    let is_path = |start: &str| {
        code.match_indices(start).any(|(at, _)| {
            let path = code[at + start.len()..].split(';').next().unwrap_or_default();
            let words = |text: &str| {
                text.split(|one: char| !one.is_alphanumeric() && one != '_').map(str::to_owned).collect::<Vec<_>>()
            };
            match path.strip_prefix('{') {
                Some(list) => words(list).iter().any(|word| word == name),
                None => words(path).first().is_some_and(|word| word == name),
            }
        })
    };
    texts.iter().any(|text| code.contains(text.as_str()))
        || ["crate::", "connectors::", "simulators::"].into_iter().any(is_path)
}

#[test]
fn what_names_a_warehouse_is_seen() {
    for code in [
        r#"let platform = "x12";"#,
        "match platform { 'x12' => 1 }",
        "const MARKS = {\n  x12: { title: 1 },",
        "crate::x12::show(content)",
        "use connectors::x12;",
        "use crate::{\n    files,\n    x12::show,\n};",
        "use simulators::{brightpearl, x12};",
    ] {
        assert!(names(code, "x12"), "{code}");
    }
    for code in ["use super::x12;", "crate::x12_view::show()", "use crate::{files, x13}; let x12 = 1;", "as in X12"] {
        assert!(!names(code, "x12"), "{code}");
    }
}

/// No warehouse is named outside its own folder, the list, docs and tests, so that the next one touches nothing else.
#[test]
fn no_warehouse_is_named_elsewhere() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for part in ["connect/src", "engine/src", "connectors/src", "millrace/src", "../web/src"] {
        files(&crates.join(part), &mut found);
    }
    assert!(found.len() > 200, "the sources are there");
    let warehouses: Vec<&str> = connectors::CONNECTORS
        .iter()
        .filter(|spec| matches!(spec.role, Role::Warehouse(_)))
        .map(|spec| spec.name)
        .collect();
    let mut named = Vec::new();
    let mut needed = BTreeSet::new();
    for path in found {
        let shown = path.strip_prefix(&crates).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        // What stands below is for tests.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in &warehouses {
            let own = shown.starts_with(&format!("connectors/src/{name}/"));
            if own || !names(code, name) {
                continue;
            }
            match NAMED.iter().find(|(allowed, _)| shown == *allowed) {
                Some((allowed, _)) => drop(needed.insert(*allowed)),
                None => named.push(format!("{name} in {shown}")),
            }
        }
    }
    assert_eq!(named, Vec::<String>::new());
    let idle: Vec<&(&str, &str)> = NAMED.iter().filter(|(allowed, _)| !needed.contains(allowed)).collect();
    assert!(idle.is_empty(), "these need no leave any more: {idle:?}");
}
