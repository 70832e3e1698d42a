//! Backups kept beside the database, for whoever administers the installation and sits elsewhere: taken, listed, fetched, removed.
//! What a backup is, and how one is put back: [`super::backup`] and docs/recovery.md.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{Stream, stream};
use jiff::Timestamp;
use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use utoipa::ToSchema;

use super::{Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, backup, quoted};
use crate::db::Access;

/// The folder beside the database.
const FOLDER: &str = "backups";

/// What the id of every backup begins with; the moment it was taken, in milliseconds, follows.
const PREFIX: &str = "bak_";

/// Digits of the moment: until the year 2286, so that names sort by time.
const DIGITS: usize = 13;

/// Bytes of a backup that are read at a time.
const PIECE: usize = 64 * 1024;

/// A backup that is kept beside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptBackupOut {
    /// `bak_…`.
    pub id: String,
    /// Its file on the machine of the database.
    pub file: String,
    /// Bytes it takes.
    pub bytes: u64,
    /// When it was taken: the time to give to `recover --since` if it is ever restored.
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
}

/// The moment that an id names. Nothing else is an id, so nothing else is ever part of a path.
fn moment(id: &str) -> Option<Timestamp> {
    let digits = id.strip_prefix(PREFIX)?;
    if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Timestamp::from_millisecond(digits.parse().ok()?).ok()
}

fn folder(hub: &Hub) -> Option<PathBuf> {
    Some(hub.config.database_file()?.parent()?.join(FOLDER))
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Setup, format!("{}: {error}", path.display()))
        .remedy("Check the folder, its rights and its room.")
}

fn out(id: &str, path: &Path) -> Option<KeptBackupOut> {
    let bytes = fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len();
    Some(KeptBackupOut { id: id.to_owned(), file: path.display().to_string(), bytes, taken_at: moment(id)? })
}

/// The path of a kept backup.
fn find(hub: &Hub, id: &str) -> Result<(KeptBackupOut, PathBuf), Failure> {
    let unknown = || Failure::not_found(format!("a backup {}", quoted(id)));
    moment(id).ok_or_else(unknown)?;
    let path = folder(hub).ok_or_else(unknown)?.join(format!("{id}.backup"));
    Ok((out(id, &path).ok_or_else(unknown)?, path))
}

/// Takes a backup, while the database is used. It goes on to its end even if whoever asked goes away.
///
/// # Errors
/// When the caller does not administer the installation, another one is being taken, the database is a server's, or there is no
/// room.
pub async fn take(hub: &Arc<Hub>, caller: &Caller) -> Result<KeptBackupOut, Failure> {
    caller.operates(backup::WHOSE)?;
    let (hub, caller) = (Arc::clone(hub), caller.clone());
    let task = tokio::spawn(async move {
        let Ok(_alone) = hub.backing_up.try_lock() else {
            return Err(Failure::conflict("a backup is being taken").remedy("Wait for it: it will be in the list."));
        };
        let id = format!("{PREFIX}{:0DIGITS$}", hub.seams.clock.now().as_millisecond());
        let folder = folder(&hub).unwrap_or_else(|| PathBuf::from(FOLDER));
        if hub.config.database_file().is_some() {
            private(&folder).map_err(|error| cannot(&folder, &error))?;
        }
        let path = folder.join(format!("{id}.backup"));
        backup::take(&hub, &caller, &path, |_, _| {}).await?;
        Ok(find(&hub, &id)?.0)
    });
    task.await.map_err(|_| Failure::new(FailureKind::Internal, "the backup stopped by a fault of the program"))?
}

/// A folder that only its owner may look into.
fn private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The backups kept beside the database, newest first. There are none of a server's database.
///
/// # Errors
/// When the caller does not administer the installation, or the folder cannot be read.
pub fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<KeptBackupOut>, Failure> {
    caller.operates(backup::WHOSE)?;
    let Some(folder) = folder(hub) else { return Ok(PageOut { items: Vec::new(), next: None }) };
    let mut found = Vec::new();
    match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot(&folder, &error)),
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(|error| cannot(&folder, &error))?.path();
                let named =
                    path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".backup"));
                // Other people's files in it are left alone.
                found.extend(named.and_then(|id| out(id, &path)));
            }
        }
    }
    found.sort_by(|one, other| other.id.cmp(&one.id));
    found.retain(|one| paging.cursor.as_ref().is_none_or(|cursor| one.id < *cursor));
    let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|one| one.id.clone()) } else { None };
    Ok(PageOut { items: found, next })
}

/// A backup that is fetched.
pub struct Fetched<S> {
    /// What is known of it.
    pub about: KeptBackupOut,
    /// Its bytes, in pieces.
    pub content: S,
}

/// The bytes of a kept backup. It holds every tenant's data in readable form, so it needs a fresh proof, and is audited.
///
/// # Errors
/// When the caller does not administer the installation or gave the password too long ago, or there is no such backup.
pub async fn fetch(
    hub: &Hub,
    caller: &Caller,
    id: &str,
) -> Result<Fetched<impl Stream<Item = io::Result<Vec<u8>>> + Send + use<>>, Failure> {
    caller.operates(backup::WHOSE)?;
    caller.proves(hub)?;
    let (about, path) = find(hub, id)?;
    let file = tokio::fs::File::open(&path).await.map_err(|error| cannot(&path, &error))?;
    hub.db
        .audit(&Access::System, &caller.actor, "backup.fetch", id, &serde_json::json!({ "bytes": about.bytes }))
        .await?;
    let content = stream::try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(PIECE);
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).await?;
        Ok((read > 0).then_some((piece, file)))
    });
    Ok(Fetched { about, content })
}

/// Removes a kept backup.
///
/// # Errors
/// When the caller does not administer the installation or gave the password too long ago, or there is no such backup.
pub async fn remove(hub: &Hub, caller: &Caller, id: &str) -> Result<(), Failure> {
    caller.operates(backup::WHOSE)?;
    caller.proves(hub)?;
    let (about, path) = find(hub, id)?;
    fs::remove_file(&path).map_err(|error| cannot(&path, &error))?;
    hub.db
        .audit(&Access::System, &caller.actor, "backup.remove", id, &serde_json::json!({ "bytes": about.bytes }))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn only_a_moment_is_an_id() {
        assert_eq!(moment("bak_1800000000123").unwrap().as_millisecond(), 1_800_000_000_123);
        for wrong in
            ["", "bak_", "bak_1", "bak_18000000001234", "bak_180000000012x", "bak_../../../../x", "1800000000123"]
        {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }
}
