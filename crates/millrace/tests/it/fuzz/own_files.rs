//! Files of the program itself, damaged on their way or on a disk: the witness beside the key, and a backup.

use std::{fs, path::Path};

use engine::safety::Witness;
use millrace::{
    db::{Outside as _, backup},
    witness::{self, Keeper},
};
use rand::RngExt as _;
use simulators::fuzz::{Form, damaged};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::{campaign, runtime};
use crate::api::Installation;

fn own(armed: i64) -> Witness {
    Witness { installation: "0123456789abcdef".to_owned(), folder: "01JEXAMPLE0123456789ABCDEF".to_owned(), armed }
}

/// Reads it, and goes on with it as a running program does.
async fn witnessed(path: &Path, input: &[u8]) -> Result<(), String> {
    fs::write(path, input).map_err(|error| error.to_string())?;
    let there = match witness::read(path) {
        Ok(None) => return Err("a file that is there was not seen".to_owned()),
        Ok(Some(witness)) => Some(witness),
        Err(error) if error.to_string().trim().is_empty() => return Err("an error without words".to_owned()),
        Err(_) => None,
    };
    if let Some(there) = &there {
        witness::write(path, there).map_err(|error| error.to_string())?;
        let again = witness::read(path).map_err(|error| format!("what was written cannot be read: {error}"))?;
        if again.as_ref() != Some(there) {
            return Err(format!("{there:?} was written and {again:?} read"));
        }
    }
    // The number only ever grows, and a file that says nothing is replaced.
    Keeper::new(path.to_owned(), own(5)).committed(7).await?;
    let known = there.filter(|there| there.installation == own(0).installation).map_or(7, |there| there.armed.max(7));
    match witness::read(path) {
        Ok(Some(kept)) if kept == own(known) => Ok(()),
        kept => Err(format!("{known} were committed, and it says {kept:?}")),
    }
}

#[test]
fn witness_files() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let path = folder.path().join("millrace.epoch");
    let files: Vec<Vec<u8>> =
        [own(3), own(i64::MAX)].iter().map(|witness| serde_json::to_vec(witness).unwrap()).collect();
    for file in &files {
        runtime.block_on(witnessed(&path, file)).unwrap();
    }
    let donors: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    campaign("witness_files").run(
        |dice| damaged(Form::Json, &files[dice.random_range(0..files.len())], &donors, dice),
        |input| runtime.block_on(witnessed(&path, input)),
    );
}

/// What a backup says of itself, each value replaced by another.
const CHANGES: [&str; 5] = [
    "UPDATE backup_manifest SET fingerprint = $1",
    "UPDATE backup_manifest SET taken_at = $1",
    "UPDATE backup_manifest SET version = $1",
    "UPDATE backup_manifest SET migration = $1",
    "UPDATE backup_manifest SET armed = $1",
];

async fn change(path: &Path, change: &'static str, value: &[u8]) -> Result<(), sqlx::Error> {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await?;
    let query = match std::str::from_utf8(value) {
        Ok(text) => sqlx::query(change).bind(text.to_owned()),
        Err(_) => sqlx::query(change).bind(value.to_vec()),
    };
    query.execute(&mut connection).await?;
    connection.close().await
}

/// Looks at a backup as whoever restores it does first. The first byte says which value of the manifest is replaced by the rest;
/// beyond them the rest is the file itself.
async fn inspected(whole: &[u8], path: &Path, input: &[u8]) -> Result<(), String> {
    let Some((which, value)) = input.split_first() else { return Ok(()) };
    match CHANGES.get(usize::from(*which)).copied() {
        Some(statement) => {
            fs::write(path, whole).map_err(|error| error.to_string())?;
            change(path, statement, value).await.map_err(|error| format!("the backup cannot be changed: {error}"))?;
        }
        None => fs::write(path, value).map_err(|error| error.to_string())?,
    }
    let before = fs::read(path).map_err(|error| error.to_string())?;
    match backup::inspect(path).await {
        Ok(manifest) if *which == 0 && manifest.fingerprint.as_bytes() != value => {
            return Err(format!("{:?} is taken for its installation", manifest.fingerprint));
        }
        Ok(_) => {}
        Err(error) if error.to_string().trim().is_empty() => return Err("an error without words".to_owned()),
        Err(_) => {}
    }
    match fs::read(path) {
        Ok(after) if after == before => Ok(()),
        _ => Err("looking at the backup has changed it".to_owned()),
    }
}

#[test]
fn backup_files() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let path = folder.path().join("damaged.backup");
    let whole = runtime.block_on(async {
        let installation = Installation::new().await;
        let (source, copy) = (installation.hub.config.database_file().unwrap(), folder.path().join("whole.backup"));
        let manifest = backup::copy(source, &copy, "2026-11-23T06:30:00Z".parse().unwrap()).await.unwrap();
        assert_eq!(backup::inspect(&copy).await.unwrap(), manifest);
        fs::read(copy).unwrap()
    });
    campaign("backup_files").run(
        |dice| {
            let which = dice.random_range(0..=CHANGES.len());
            let value = match which {
                0 | 2 => damaged(Form::Text, b"0123456789abcdef", &[], dice),
                1 => damaged(Form::Text, b"1790000000000", &[], dice),
                3 | 4 => damaged(Form::Text, b"70", &[], dice),
                _ => damaged(Form::Text, &whole, &[], dice),
            };
            let mut input = vec![u8::try_from(which).unwrap()];
            input.extend(value);
            input
        },
        |input| runtime.block_on(inspected(&whole, &path, input)),
    );
}
