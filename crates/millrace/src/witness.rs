//! The witness of the journal outside the database: a small file beside the key with the number of commitments, written after
//! each commit and before anything comes of it. A database that has fewer is an older copy (docs/recovery.md).
//!
//! Several processes may share the file; it only ever grows.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicI64, Ordering},
};

use connect::{Random, ulid};
use engine::safety::{Folder, Witness};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::db::Outside;

/// Largest file read, in bytes; it holds three short values.
const LARGEST: u64 = 64 * 1024;

/// Reads the file; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or is no such file.
pub fn read(path: &Path) -> io::Result<Option<Witness>> {
    match fs::metadata(path) {
        Ok(about) if about.len() > LARGEST => return Err(io::Error::other("it is no witness file")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let text = fs::read_to_string(path)?;
    serde_json::from_str(&text).map(Some).map_err(|error| io::Error::other(format!("it is no witness file: {error}")))
}

/// Replaces the file, durably: after this returns, a power loss leaves it as it is now.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, witness: &Witness) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let staged = PathBuf::from(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&staged)?;
    let text = serde_json::to_string(witness).map_err(io::Error::other)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    sync_folder(path)
}

/// Holds what looks at the file and then writes it, against other processes that do the same; until it is dropped.
fn hold(path: &Path) -> io::Result<fs::File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(PathBuf::from(name))?;
    file.lock()?;
    Ok(file)
}

/// Makes the names in a file's folder durable.
///
/// # Errors
/// When the folder cannot be opened.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// A new id for a witness file.
pub fn new_folder_id(now: Timestamp, random: &dyn Random) -> String {
    ulid(now, random)
}

/// What can be told of the folder that holds a witness file, and of the database that belongs to it.
pub fn folder(id: &str, witness: &Path, database: Option<&Path>) -> Folder {
    let folder = witness.parent().map(Path::to_owned).unwrap_or_default();
    let path = fs::canonicalize(&folder).unwrap_or(folder);
    let born = database.map_or(0, born);
    Folder { id: id.to_owned(), machine: machine(), inode: inode(&path), path: path.display().to_string(), born }
}

/// When a file was made, in microseconds since 1970; 0 where the file system does not say.
fn born(path: &Path) -> i64 {
    let made = fs::metadata(path).and_then(|about| about.created());
    made.ok().and_then(|at| Timestamp::try_from(at).ok()).map_or(0, Timestamp::as_microsecond)
}

#[cfg(unix)]
fn inode(path: &Path) -> u64 {
    fs::metadata(path).map(|about| std::os::unix::fs::MetadataExt::ino(&about)).unwrap_or(0)
}

#[cfg(not(unix))]
fn inode(_: &Path) -> u64 {
    0
}

/// The machine's own id, as Linux keeps it; empty elsewhere and in containers that have none.
fn machine() -> String {
    fs::read_to_string("/etc/machine-id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Keeps the file up to date while the program runs.
pub struct Keeper {
    path: PathBuf,
    installation: String,
    folder: String,
    known: AtomicI64,
    /// What is surely in the file.
    written: Mutex<i64>,
}

impl Keeper {
    /// For a file that says this already.
    pub fn new(path: PathBuf, witness: Witness) -> Self {
        let Witness { installation, folder, armed } = witness;
        Self { path, installation, folder, known: AtomicI64::new(armed), written: Mutex::new(armed) }
    }
}

impl Outside for Keeper {
    fn known(&self) -> i64 {
        self.known.load(Ordering::SeqCst)
    }

    fn committed(&self, armed: i64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            self.known.fetch_max(armed, Ordering::SeqCst);
            // Whoever waits here finds, as a rule, that the one before has written its number as well.
            let mut written = self.written.lock().await;
            if *written >= armed {
                return Ok(());
            }
            let up_to = self.known();
            let (path, installation, folder) = (self.path.clone(), self.installation.clone(), self.folder.clone());
            let writing = tokio::task::spawn_blocking(move || {
                // Another process may share the file, and be further: nobody writes between this look and this writing.
                let _held = hold(&path)?;
                let there = read(&path).ok().flatten().filter(|there| there.installation == installation);
                let armed = there.map_or(up_to, |there| there.armed.max(up_to));
                write(&path, &Witness { installation, folder, armed })
            });
            match writing.await {
                Ok(Ok(())) => {
                    *written = up_to;
                    Ok(())
                }
                Ok(Err(error)) => Err(format!("the witness file {} cannot be written: {error}", self.path.display())),
                Err(error) => Err(format!("writing the witness file broke off: {error}")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::safety::Witness;

    use super::{Keeper, read};
    use crate::db::Outside as _;

    fn start(armed: i64) -> Witness {
        Witness { installation: "one".to_owned(), folder: "f".to_owned(), armed }
    }

    #[tokio::test]
    async fn it_grows_and_never_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.epoch");
        assert_eq!(read(&path).unwrap(), None);
        let first = Keeper::new(path.clone(), start(0));
        first.committed(7).await.unwrap();
        assert_eq!(read(&path).unwrap(), Some(start(7)));
        // Another process on the same file that has seen less.
        let second = Keeper::new(path.clone(), start(0));
        second.committed(5).await.unwrap();
        assert_eq!(read(&path).unwrap(), Some(start(7)));
        assert_eq!((first.known(), second.known()), (7, 5));
    }

    #[tokio::test]
    async fn many_at_once_are_all_witnessed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.epoch");
        let keeper = std::sync::Arc::new(Keeper::new(path.clone(), start(0)));
        let writing = (1..=50).map(|armed| {
            let (keeper, path) = (std::sync::Arc::clone(&keeper), path.clone());
            tokio::spawn(async move {
                keeper.committed(armed).await.unwrap();
                assert!(read(&path).unwrap().unwrap().armed >= armed);
            })
        });
        for one in writing.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        assert_eq!(read(&path).unwrap(), Some(start(50)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_two_that_write_at_once_none_takes_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("millrace.epoch");
        let keepers = [0, 1].map(|_| std::sync::Arc::new(Keeper::new(path.clone(), start(0))));
        let writing = (1..=200).map(|armed| {
            let keeper = std::sync::Arc::clone(&keepers[armed as usize % 2]);
            let path = path.clone();
            tokio::spawn(async move {
                keeper.committed(armed).await.unwrap();
                assert!(read(&path).unwrap().unwrap().armed >= armed, "{armed} was committed");
            })
        });
        for one in writing.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        assert_eq!(read(&path).unwrap(), Some(start(200)));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::new(folder.path().join("none/millrace.epoch"), start(0));
        assert!(keeper.committed(1).await.unwrap_err().contains("cannot be written"));
        assert!(read(folder.path()).is_err(), "a folder is no witness");
    }
}
