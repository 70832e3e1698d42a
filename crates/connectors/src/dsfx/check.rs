//! The test of the settings: everything real work does, on files of its own.

use connect::{ConnectorError, FileStore, Random, WarehouseCheck};

use super::settings::Config;
use crate::files::proof::{host_key, prove};

/// Looks into both folders and proves, on two files of its own, that what is written is what lies there and that a rename
/// never replaces a file: an order file could otherwise be lost.
pub(super) async fn check(
    config: &Config,
    store: &dyn FileStore,
    random: &dyn Random,
) -> Result<WarehouseCheck, ConnectorError> {
    let mut check = WarehouseCheck::default();
    if config.host_key_missing {
        host_key(store, &mut check).await?;
        return Ok(check);
    }
    let orders = store.list(&config.in_folder).await?;
    check.reached.push(format!("The folder for orders ({}) holds {} files.", config.in_folder, orders.len()));
    let parts = orders.iter().filter(|entry| entry.name.starts_with("ord_") && entry.name.ends_with(".part")).count();
    if parts > 0 {
        check.reached.push(format!("{parts} order files wait under temporary names; nobody else may remove them."));
    }
    let results = store.list(&config.out_folder).await?;
    let count = |prefix: &str| {
        results.iter().filter(|entry| entry.name.starts_with(prefix) && entry.name.ends_with(".csv")).count()
    };
    check.reached.push(format!(
        "The folder for results ({}) holds {} shipment files and {} stock files.",
        config.out_folder,
        count("shp_"),
        count("inv_")
    ));
    let others = results.len() - count("shp_") - count("inv_");
    if others > 0 {
        check.warnings.push(format!(
            "{others} files in {} are neither shp_*.csv nor inv_*.csv and will be left alone; letter case counts.",
            config.out_folder
        ));
    }

    prove(store, random, &config.in_folder, &mut check).await?;
    if config.archive {
        for folder in ["archive", "rejected"] {
            store.create_folder(&format!("{}/{folder}", config.out_folder)).await?;
        }
        check.reached.push(format!("Files that were read go to {0}/archive and {0}/rejected.", config.out_folder));
    }
    Ok(check)
}
