//! Every connector, one folder each. A new one is a folder here, one line in [`CONNECTORS`], and the contract suite.
//!
//! Wire types never leave their folder.

use connect::ConnectorSpec;

pub mod brightpearl;
pub mod csv;
pub mod documents;
pub mod dsfx;
pub mod extensiv;
pub mod files;
pub mod mintsoft;
pub mod numbers;
pub mod odoo;
mod passes;
pub mod shiphero;
mod times;
mod turn;
mod unusable;
pub mod warehouse_api;
pub mod x12;

/// Every connector there is.
pub static CONNECTORS: &[&ConnectorSpec] = &[
    &brightpearl::SPEC,
    &csv::SPEC,
    &dsfx::SPEC,
    &extensiv::SPEC,
    &mintsoft::SPEC,
    &odoo::SPEC,
    &shiphero::SPEC,
    &warehouse_api::SPEC,
    &x12::SPEC,
];

/// The connector of this name.
pub fn find(name: &str) -> Option<&'static ConnectorSpec> {
    CONNECTORS.iter().copied().find(|spec| spec.name == name)
}
