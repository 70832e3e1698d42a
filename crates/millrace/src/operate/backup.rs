//! Taking a backup, and putting one back (docs/recovery.md).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{Caller, Failure, FailureKind, Hub};
use crate::{
    config::Config,
    db::{Database, DatabaseConfig, DbError, backup},
    seal::{KeySource, Keyring},
    witness,
    worker::Seams,
};

/// A backup that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct BackupOut {
    /// Where it is.
    pub file: String,
    /// Bytes it takes.
    pub bytes: u64,
    /// When it was taken: the time to give to `recover --since` if it is ever restored.
    pub taken_at: Timestamp,
    /// Name of the wrapping key that opens its secrets; the key itself is not in it.
    pub keys: Vec<String>,
    /// Where that key is, as far as this installation says.
    pub key_file: String,
}

/// A backup that was put back.
#[derive(Debug, Clone, Serialize)]
pub struct RestoredOut {
    /// The database.
    pub file: String,
    /// When the backup was taken.
    pub taken_at: Timestamp,
    /// Where the database that was there before is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// Intents that had been committed since the backup, as far as is known here.
    pub lost: i64,
    /// Wrapping keys that open its secrets and that this installation does not have.
    pub missing_keys: Vec<String>,
    /// What to do next.
    pub next: String,
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Setup, format!("{}: {error}", path.display()))
        .remedy("Check the folder, its rights and its room. Nothing was changed.")
}

/// Writes a consistent copy of the database, while it is used, to a file that does not exist yet. Under its name it is there whole or
/// not at all.
///
/// # Errors
/// When the file exists, the database is a server's, or there is no room.
pub async fn take(
    hub: &Hub,
    caller: &Caller,
    to: &Path,
    progress: impl Fn(u64, u64) + Send + Sync,
) -> Result<BackupOut, Failure> {
    caller.operates(WHOSE)?;
    let Some(source) = hub.config.database_file() else {
        return Err(Failure::new(
            FailureKind::Setup,
            "the database is a PostgreSQL server's, which makes its own backups",
        )
        .remedy(postgres_advice(&hub.config.database, to)));
    };
    if to.exists() {
        return Err(Failure::conflict(format!("{} exists already", to.display()))
            .remedy("Choose another name: a backup never overwrites anything."));
    }
    let staged = beside(to, "part");
    let _ = fs::remove_file(&staged);
    let whole = fs::metadata(source).map(|about| about.len()).unwrap_or(0);
    let copying = backup::copy(source, &staged, hub.seams.clock.now());
    tokio::pin!(copying);
    let copied = loop {
        tokio::select! {
            copied = &mut copying => break copied,
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {
                progress(fs::metadata(&staged).map(|about| about.len()).unwrap_or(0), whole);
            }
        }
    };
    let finished = copied.map_err(Failure::from).and_then(|manifest| {
        finish(&staged, to).map_err(|error| cannot(to, &error))?;
        Ok(manifest)
    });
    let manifest = match finished {
        Ok(manifest) => manifest,
        Err(failure) => {
            let _ = fs::remove_file(&staged);
            return Err(failure);
        }
    };
    let bytes = fs::metadata(to).map(|about| about.len()).unwrap_or(0);
    hub.db.backed_up(&caller.actor, serde_json::json!({ "file": to.display().to_string(), "bytes": bytes })).await?;
    Ok(BackupOut {
        file: to.display().to_string(),
        bytes,
        taken_at: manifest.taken_at,
        keys: manifest.keys,
        key_file: hub.config.key_file.display().to_string(),
    })
}

/// Gives the finished copy its name: durable, readable for its owner only, and never over another file.
fn finish(staged: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(staged, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    fs::File::open(staged)?.sync_all()?;
    // A second name is made only where there is none; a rename would replace a file made meanwhile.
    fs::hard_link(staged, to)?;
    fs::remove_file(staged)?;
    witness::sync_folder(to)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Notes that a backup was taken by other means.
///
/// # Errors
/// When the caller may not.
pub async fn record(hub: &Hub, caller: &Caller) -> Result<(), Failure> {
    caller.operates(WHOSE)?;
    hub.db.backed_up(&caller.actor, serde_json::json!({ "by": "other means" })).await?;
    Ok(())
}

/// Who makes and fetches backups.
pub(super) const WHOSE: &str = "a backup holds every tenant's data: the installation's administrators only";

/// The line to type for a server's database. Row-level security is forced on every table, so the dump is the
/// administrator's.
fn postgres_advice(address: &str, to: &Path) -> String {
    let url = url::Url::parse(address).ok();
    let part = |pick: fn(&url::Url) -> Option<String>, other: &str| {
        url.as_ref().and_then(pick).unwrap_or_else(|| other.to_owned())
    };
    let host = part(|url| url.host_str().map(str::to_owned), "HOST");
    let port = part(|url| url.port().map(|port| port.to_string()), "5432");
    let name = part(|url| Some(url.path().trim_start_matches('/').to_owned()).filter(|name| !name.is_empty()), "NAME");
    format!(
        "Type: pg_dump --host {host} --port {port} --username postgres --format custom --file {} {name} (as an administrator: \
         row-level security is forced for every other role). Then `millrace backup --record` notes that it was taken. For \
         recovery to the second use pg_basebackup with WAL archiving.",
        to.display()
    )
}

/// Puts a backup in the place of the database. What is there is set aside, never deleted; the restored database sends nothing
/// until a person has recovered what was lost and released it.
///
/// # Errors
/// When the backup is damaged or of a newer program, the database is in use, or one is there and `replace` is not given.
pub async fn restore(
    config: &Config,
    seams: &Seams,
    from: &Path,
    replace: bool,
    actor: &str,
    progress: impl Fn(&str),
) -> Result<RestoredOut, Failure> {
    let Some(target) = config.database_file().map(Path::to_owned) else {
        return Err(Failure::new(FailureKind::Setup, "the database is a PostgreSQL server's, which restores its own backups")
            .remedy(
                "Stop every node, restore with pg_restore or by recovering a base backup, and start one node: it notices that the \
                 database is another and sends nothing. Then `millrace recover --since TIME`.",
            ));
    };
    progress("looking at the backup");
    let manifest = backup::inspect(from).await.map_err(|error| {
        Failure { kind: FailureKind::Invalid, ..Failure::from(error) }
            .remedy(format!("{} cannot be restored. Nothing was changed.", from.display()))
    })?;
    progress("looking at the database");
    let mut known = witness::read(&config.witness_file())
        .ok()
        .flatten()
        .filter(|witness| witness.installation == manifest.fingerprint)
        .map_or(manifest.armed, |witness| witness.armed);
    let there = if target.exists() { Some(backup::take(&target).await) } else { None };
    match &there {
        Some(Err(error @ DbError::Conflict(_))) => {
            return Err(Failure::conflict(format!("{}: {error}", target.display()))
                .remedy("Stop `millrace serve` and every other command first. Nothing was changed."));
        }
        Some(found) if !replace => {
            let what = match found {
                Ok(there) if there.fingerprint != manifest.fingerprint => "is another installation's".to_owned(),
                Ok(there) if there.armed > manifest.armed => {
                    format!(
                        "is newer: it counts {} intents and inputs that the backup lacks",
                        there.armed - manifest.armed
                    )
                }
                Ok(_) => "is as far as the backup".to_owned(),
                Err(error) => format!("cannot be read ({error})"),
            };
            return Err(Failure::conflict(format!("{} is there and {what}", target.display())).remedy(
                "Give --replace to put the backup in its place; it is then set aside under another name. Nothing was changed.",
            ));
        }
        Some(Ok(there)) if there.fingerprint == manifest.fingerprint => known = known.max(there.armed),
        _ => {}
    }
    progress("copying");
    let staged = beside(&target, "restoring");
    let made = stage(config, seams, from, &staged, &manifest, known, actor).await;
    if let Err(failure) = made {
        remove_with_side_files(&staged);
        return Err(failure);
    }
    progress("putting it in place");
    let set_aside = put_in_place(&staged, &target, seams.clock.now()).map_err(|error| cannot(&target, &error))?;
    let keyring = Keyring::load(&KeySource::EnvironmentOr(config.key_file.clone())).ok();
    let missing_keys =
        manifest.keys.into_iter().filter(|key| !keyring.as_ref().is_some_and(|keyring| keyring.has(key))).collect();
    Ok(RestoredOut {
        file: target.display().to_string(),
        taken_at: manifest.taken_at,
        set_aside: set_aside.map(|path| path.display().to_string()),
        lost: known - manifest.armed,
        missing_keys,
        next: format!(
            "Start `millrace serve`: it reads, and sends nothing. Then `millrace recover --since {}`, `millrace safety` to see what was \
             found, and `millrace release-sending --reason WHY`.",
            manifest.taken_at
        ),
    })
}

/// The copy, brought to this program's tables, frozen, with its row in the audit trail.
async fn stage(
    config: &Config,
    seams: &Seams,
    from: &Path,
    staged: &Path,
    manifest: &backup::Manifest,
    known: i64,
    actor: &str,
) -> Result<(), Failure> {
    remove_with_side_files(staged);
    fs::copy(from, staged).map_err(|error| cannot(staged, &error))?;
    backup::unstamp(staged).await?;
    let database = DatabaseConfig {
        clock: std::sync::Arc::clone(&seams.clock),
        random: std::sync::Arc::clone(&seams.random),
        ..DatabaseConfig::new(format!("sqlite:{}", staged.display()))
    };
    let db = Database::open(&database).await?;
    let reason = format!("restored from {}, a backup taken at {}", from.display(), manifest.taken_at);
    let kept = db.restored(&reason, known, manifest.taken_at, actor).await;
    db.close().await;
    kept?;
    backup::settle(staged).await?;
    #[cfg(unix)]
    fs::set_permissions(staged, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(|error| cannot(&config.key_file, &error))?;
    fs::File::open(staged).and_then(|file| file.sync_all()).map_err(|error| cannot(staged, &error))
}

fn put_in_place(staged: &Path, target: &Path, now: Timestamp) -> io::Result<Option<PathBuf>> {
    let mut set_aside = None;
    if target.exists() {
        let aside = beside(target, &format!("replaced-{}", now.strftime("%Y%m%dT%H%M%SZ")));
        if aside.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} exists already", aside.display())));
        }
        fs::rename(target, &aside)?;
        // What a damaged database left beside itself belongs to it, and must not be taken for the new one's.
        for ending in ["-wal", "-shm"] {
            let (from, to) = (with_ending(target, ending), with_ending(&aside, ending));
            match fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        set_aside = Some(aside);
    }
    fs::rename(staged, target)?;
    witness::sync_folder(target)?;
    Ok(set_aside)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn remove_with_side_files(path: &Path) {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(with_ending(path, ending));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::postgres_advice;

    #[test]
    fn the_line_to_type_names_the_server_and_no_password() {
        let advice = postgres_advice("postgres://millrace:geheim@db.example.test:5433/hub", Path::new("hub.dump"));
        assert!(advice.contains("--host db.example.test --port 5433") && advice.contains("--file hub.dump hub"));
        assert!(!advice.contains("geheim"));
    }
}
