//! The test of the settings: everything real work does, on files of its own.

use connect::{ConnectorError, FileStore, Random, Renamed, WarehouseCheck};

use super::settings::Config;

/// Looks into both folders and proves, on two files of its own, that what is written is what lies there and that a rename
/// never replaces a file: an order file could otherwise be lost.
pub(super) async fn check(
    config: &Config,
    store: &dyn FileStore,
    random: &dyn Random,
) -> Result<WarehouseCheck, ConnectorError> {
    let mut check = WarehouseCheck::default();
    if config.host_key_missing {
        if let Some(seen) = store.host_key().await? {
            check.reached.push(format!("The server answers. Its host key is {seen}."));
            check.warnings.push(
                "Nothing was signed in to yet. Compare the fingerprint with the one the server's owner gives you; if it is \
                 the same, keep it and test again."
                    .to_owned(),
            );
            check.learned.insert("host_key".to_owned(), seen);
        }
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

    let mut bytes = [0_u8; 8];
    random.fill(&mut bytes);
    let unique: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let first = format!("{}/millrace-test-{unique}.a.part", config.in_folder);
    let second = format!("{}/millrace-test-{unique}.b.part", config.in_folder);
    let proven = prove(store, &first, &second).await;
    // Removed whatever was found, and a failure to remove is worth less than what was found.
    let removed = [store.remove(&first).await, store.remove(&second).await];
    check.reached.push(proven?);
    for failed in removed.into_iter().filter_map(Result::err) {
        check.warnings.push(format!("A test file could not be removed: {failed}"));
    }
    if config.archive {
        for folder in ["archive", "rejected"] {
            store.create_folder(&format!("{}/{folder}", config.out_folder)).await?;
        }
        check.reached.push(format!("Files that were read go to {0}/archive and {0}/rejected.", config.out_folder));
    }
    Ok(check)
}

async fn prove(store: &dyn FileStore, first: &str, second: &str) -> Result<String, ConnectorError> {
    let text = b"This file is a test and may be removed.\n";
    store.write(first, text).await?;
    if store.read(first, 1024).await? != text {
        return Err(ConnectorError::unexpected(format!("{first} does not hold what was written to it")));
    }
    if store.rename(first, second).await? != Renamed::Done {
        return Err(ConnectorError::unexpected(format!("{first} could not be renamed although its new name was free")));
    }
    store.write(first, b"second\n").await?;
    let renamed = store.rename(first, second).await?;
    if renamed != Renamed::TargetExists || store.read(second, 1024).await? != text {
        return Err(ConnectorError::unsupported(
            "the server replaces a file when another is renamed to its name. Orders could be lost that way, so it is not \
             used; ask its owner to turn that off, or use another server",
        ));
    }
    if store.stat(first).await?.is_none() {
        return Err(ConnectorError::unexpected(format!("{first} vanished although its rename was refused")));
    }
    Ok("A file was written, read back and renamed; renaming onto a file is refused, as it must be.".to_owned())
}
