//! What the test of the settings proves of a place for files: everything real work does, on files of its own.

use connect::{
    Clock, ConnectorError, Field, FileEntry, FileError, FileErrorKind, FileStore, Random, Renamed, WarehouseCheck,
    clocks,
};

/// Shows the host key of a server that is not known yet.
pub(crate) async fn host_key(store: &dyn FileStore, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
    if let Some(seen) = store.host_key().await? {
        check.reached.push(format!("The server answers. Its host key is {seen}."));
        check.warnings.push(
            "Nothing was signed in to yet. Compare the fingerprint with the one the server's owner gives you; if it is the \
             same, keep it and test again."
                .to_owned(),
        );
        check.learned.insert("host_key".to_owned(), seen);
    }
    Ok(())
}

/// What lies in a folder. Where there is none it says which setting names it.
pub(crate) async fn list(
    store: &dyn FileStore,
    folder: &str,
    setting: &Field,
) -> Result<Vec<FileEntry>, ConnectorError> {
    Ok(store.list(folder).await.map_err(|error| match error.kind {
        FileErrorKind::NotFound => FileError::new(
            error.kind,
            format!(
                "{}: make it there, or correct the place, or the setting {} ({folder})",
                error.message, setting.title
            ),
        ),
        _ => error,
    })?)
}

/// Proves, on two files of its own, that what is written is what lies there and that a rename never replaces a file: a file
/// that is sent could otherwise be lost. Their dates show the clock of the place, which is asked for where that is not this machine.
pub(crate) async fn prove(
    store: &dyn FileStore,
    (random, clock): (&dyn Random, Option<&dyn Clock>),
    folder: &str,
    check: &mut WarehouseCheck,
) -> Result<(), ConnectorError> {
    let mut bytes = [0_u8; 8];
    random.fill(&mut bytes);
    let unique: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let first = format!("{folder}/millrace-test-{unique}.a.part");
    let second = format!("{folder}/millrace-test-{unique}.b.part");
    let mut dated = None;
    let proven = rename(store, &first, &second, (clock, &mut dated)).await;
    // Removed whatever was found, and a failure to remove is worth less than what was found.
    let removed = [store.remove(&first).await, store.remove(&second).await];
    check.reached.push(proven?);
    match dated.map(|difference| clocks::beside_ours("The file server's", difference)) {
        Some(Ok(words)) => check.reached.push(words),
        Some(Err(words)) => check.warnings.push(words),
        None => {}
    }
    for failed in removed.into_iter().filter_map(Result::err) {
        check.warnings.push(format!("A test file could not be removed: {failed}"));
    }
    Ok(())
}

async fn rename(
    store: &dyn FileStore,
    first: &str,
    second: &str,
    (clock, dated): (Option<&dyn Clock>, &mut Option<i64>),
) -> Result<String, ConnectorError> {
    let text = b"This file is a test and may be removed.\n";
    store.write(first, text).await?;
    if let Some(written) = clock.map(Clock::now) {
        *dated = store.stat(first).await?.and_then(|entry| entry.modified).map(|theirs| clocks::less(theirs, written));
    }
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
