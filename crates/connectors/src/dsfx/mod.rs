//! File exchange in the style of DSFX: CSV files in two folders, on this machine or behind SFTP.
//!
//! Orders go into the one folder (`ord_*.csv`), shipments (`shp_*.csv`) and stock (`inv_*.csv`) come out of the other.
//! The order rows follow DropStream's public description as far as it goes; the columns of shipments and stock are not
//! published and are column maps with a documented default. A file is taken whole or not at all.

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
    name: "dsfx",
    title: "File exchange (DSFX)",
    summary: "Orders, shipments and stock as CSV files, in a folder or over SFTP.",
    proven: "a real OpenSSH server; the file layouts against the simulator only",
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
