//! The contract suite: what every warehouse connector must do, whatever it talks to, with its simulator at the other end.
//!
//! [`scenarios::SCENARIOS`] says what happens, as data. [`harness::Entry`] says of one connector how its simulator is driven,
//! which classes it declares for which effect, and what its system can express; [`run`] plays every scenario over it and proves
//! each declaration. A connector that cannot what it declares fails; of what it does not declare it is proven that it refuses,
//! and that nothing comes of it.
//!
//! A new connector is one file here with its entry and one test: see docs/adding-a-warehouse.md.

mod classes;
mod extensiv;
mod files;
mod harness;
mod run;
mod scenarios;

use std::collections::BTreeSet;

use connect::Role;

/// Every connector that ships is under the suite.
#[test]
fn every_warehouse_has_an_entry() {
    let entries: BTreeSet<&str> = files::ENTRIES.iter().chain(extensiv::ENTRIES).map(|entry| entry.platform).collect();
    let warehouses: BTreeSet<&str> = connectors::CONNECTORS
        .iter()
        .filter(|spec| matches!(spec.role, Role::Warehouse(_)))
        .map(|spec| spec.name)
        .collect();
    assert_eq!(entries, warehouses);
}
