//! Any flat CSV, as a map of its columns describes it: orders out, shipments and stock in.
//!
//! One row for each line of an order, with what belongs to the order repeated on each. What is read is read row by row: what
//! is wrong with one is told and costs the others nothing.

mod order_file;
mod settings;

use std::sync::Arc;

use connect::{BuildContext, ConnectorSpec, Role, Sample, Settings, SettingsError, Shown, Warehouse};

use self::settings::Config;
use crate::files::{
    exchange::Exchange,
    place::{DESTINATION, anywhere},
    sample,
};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "csv",
    title: "CSV files",
    summary: "Orders, shipments and stock as CSV files of any flat layout, in a folder or over SFTP.",
    proven: "a real OpenSSH server; layouts against the simulator only",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
    destination: DESTINATION,
    show: Some(show),
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let Config { place, orders, incoming } = Config::new(settings)?;
    Ok(Arc::new(Exchange::new(place, orders, incoming, context)))
}

/// How a sample file is read with these settings, and what an order looks like.
fn show(settings: &Settings, file: &Sample<'_>) -> Result<Shown, SettingsError> {
    let Config { orders, incoming, .. } = Config::new(&anywhere(settings))?;
    Ok(sample::show(file, &incoming, &orders))
}
