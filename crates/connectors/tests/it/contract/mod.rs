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

/// Where a warehouse may be named beside its folder: the list, and what starts simulators or shows a format of documents.
const NAMED: [&str; 7] = [
    "connectors/src/lib.rs",
    "millrace/src/cli/args.rs",
    "millrace/src/cli/mod.rs",
    "millrace/src/cli/simulate.rs",
    "millrace/src/cli/x12.rs",
    "millrace/src/demo/",
    "millrace/src/bench/",
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
    for path in found {
        let shown = path.strip_prefix(&crates).unwrap().display().to_string();
        if NAMED.iter().any(|allowed| shown.starts_with(allowed)) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        // What stands below is for tests.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for name in &warehouses {
            let own = shown.starts_with(&format!("connectors/src/{name}/"));
            // `csv` by itself is also a format and a crate: a connector is named as a text, a key, or by its path.
            let marks =
                [format!("\"{name}\""), format!("'{name}'"), format!("connectors::{name}"), format!("\n  {name}: {{")];
            if !own && marks.iter().any(|mark| code.contains(mark.as_str())) {
                named.push(format!("{name} in {shown}"));
            }
        }
    }
    assert_eq!(named, Vec::<String>::new());
}
