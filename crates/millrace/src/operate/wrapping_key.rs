//! The installation's wrapping key: which one it is, what it wraps, and putting a new one in its place.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{Caller, Failure, FailureKind, Hub};
use crate::{
    db::{Access, AuditQuery},
    seal::{Keyring, VARIABLE},
};

/// What the audit trail calls a rotation.
const ROTATED: &str = "keys.rotate";
const WHOSE: &str = "only the installation's administrators have to do with its wrapping key";

/// The wrapping key, by its name only.
#[derive(Debug, Serialize, ToSchema)]
pub struct WrappingKeyOut {
    /// The name of the key that wraps; it tells nothing about the key.
    pub key: String,
    /// The file that holds it, as the program knows it; absent when the environment holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// Data keys that this key wraps: one for each organisation that has secrets.
    pub wraps: usize,
    /// Data keys that an older key still wraps. They open for as long as that key's line is kept.
    pub left: usize,
    /// When the key was last replaced; absent if it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub rotated_at: Option<Timestamp>,
}

/// What a rotation did.
#[derive(Debug, Serialize, ToSchema)]
pub struct RotatedKeyOut {
    /// Data keys that are now wrapped with the new key.
    pub wrapped: usize,
    /// The new key's name; it tells nothing about the key.
    pub key: String,
    /// The file that holds it.
    pub key_file: String,
    /// What is left to do.
    pub next: String,
}

/// Which key wraps, and what.
///
/// # Errors
/// When the caller does not administer the installation.
pub async fn show(hub: &Hub, caller: &Caller) -> Result<WrappingKeyOut, Failure> {
    caller.operates(WHOSE)?;
    // It may have been replaced since, here or by another process.
    hub.keyring.read_again();
    let wrapped_by = hub.db.wrapping_keys().await?;
    let key = hub.keyring.current();
    let wraps = wrapped_by.get(&key).copied().unwrap_or(0);
    let query = AuditQuery { action: ROTATED.to_owned(), limit: 1, ..AuditQuery::default() };
    let last = hub.db.list_audit(&Access::System, query).await?;
    Ok(WrappingKeyOut {
        key,
        key_file: (!in_environment()).then(|| hub.config.key_file.display().to_string()),
        wraps,
        left: wrapped_by.values().sum::<usize>() - wraps,
        rotated_at: last.first().map(|row| row.at),
    })
}

/// Makes a new wrapping key and wraps every data key with it. The new key is on disk before the old one in the key file first,
/// so that whatever happens in between, a power cut included, the file opens everything. It goes on to its end even if the
/// answer is not waited for.
///
/// # Errors
/// When the caller does not administer the installation or gave the password too long ago, the key is in the environment,
/// another rotation is under way, the file does not open everything that there is, or the file or the database cannot be
/// written.
pub async fn rotate(hub: &Hub, caller: &Caller) -> Result<RotatedKeyOut, Failure> {
    caller.operates(WHOSE)?;
    caller.proves(hub)?;
    if in_environment() {
        return Err(Failure::new(
            FailureKind::Setup,
            format!("the wrapping key is in the environment variable {VARIABLE}"),
        )
        .remedy(format!(
            "Put a new key as the first line of {VARIABLE}, leave the old one as the second, and run this again with \
                 the variable unset and both lines in the key file."
        )));
    }
    let named = &hub.config.key_file;
    // Behind a link there is the file that counts: a link that was replaced would hide the new key from whoever makes it anew.
    let path = &fs::canonicalize(named).map_err(|error| cannot(named, &error))?;
    let _turn = turn(path)?;
    let old = Zeroizing::new(fs::read_to_string(path).map_err(|error| cannot(path, &error))?);
    let new = Keyring::generate(&*hub.seams.random);
    let both = Zeroizing::new(format!("{}\n{}", *new, *old));
    let keyring = Keyring::parse(&both).map_err(|error| Failure::new(FailureKind::Setup, error.to_string()))?;
    if let Some(unknown) = hub.db.wrapping_keys().await?.into_keys().find(|name| !keyring.has(name)) {
        return Err(Failure::conflict(format!("some secrets are locked with the key {unknown}, which {} does not hold", path.display()))
            .remedy("Another node has a key file of its own, or the environment holds the key: bring their lines together first."));
    }
    replace(path, both.trim_end().as_bytes()).map_err(|error| cannot(path, &error))?;
    let key = keyring.current();
    // Before anything is wrapped with it: what comes after may fail half way.
    hub.db.audit(&Access::System, &caller.actor, ROTATED, &key, &serde_json::json!({})).await?;
    let wrapped = hub.db.rotate_keys(&keyring).await?;
    hub.keyring.read_again();
    hub.db.audit(&Access::System, &caller.actor, "keys.wrap", &key, &serde_json::json!({ "wrapped": wrapped })).await?;
    Ok(RotatedKeyOut {
        wrapped,
        key,
        key_file: path.display().to_string(),
        next: "Running servers read this key file again by themselves; give the new line to nodes that have a key file of their \
               own. Keep the old line for as long as you keep backups from before: they open with it alone."
            .to_owned(),
    })
}

fn in_environment() -> bool {
    std::env::var(VARIABLE).is_ok_and(|text| !text.is_empty())
}

/// The turn of one rotation: of two at once, the second would take the key of the first out of the file while data keys are
/// wrapped with it. It is the lock of the folder, so that nothing is left there that belongs to whoever rotated; it ends with the
/// value, or with the process.
fn turn(key_file: &Path) -> Result<fs::File, Failure> {
    let folder = folder(key_file);
    let file = fs::File::open(&folder).map_err(|error| cannot(&folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Failure::conflict("the wrapping key is being replaced already")
            .remedy("Wait for that to end, then look which key wraps.")),
        Err(fs::TryLockError::Error(error)) => Err(cannot(&folder, &error)),
    }
}

fn folder(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Puts a file in the place of another, with its owner and rights, so that after a power cut one of the two is there, whole.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let staged = path.with_extension("new");
    // Left behind by a rotation that was cut off before its rename.
    if let Err(error) = fs::remove_file(&staged)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    write_new(&staged, content)?;
    let kept = fs::metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let ours = fs::metadata(&staged)?;
        if (ours.uid(), ours.gid()) != (kept.uid(), kept.gid()) {
            // A service that may not read its key does not start again.
            chown(&staged, Some(kept.uid()), Some(kept.gid()))?;
        }
    }
    fs::set_permissions(&staged, kept.permissions())?;
    fs::File::open(&staged)?.sync_all()?;
    fs::rename(&staged, path)?;
    fs::File::open(folder(path))?.sync_all()
}

/// Writes a file that only its owner may read, and that did not exist.
pub(super) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

pub(super) fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Setup, format!("{} cannot be made: {error}", path.display()))
        .remedy("Check the folder's rights and its room, or choose another with --data.")
}
