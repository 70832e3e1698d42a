//! Folders on this machine, and folders behind SFTP.
//!
//! Both keep the promises of [`FileStore`]: a rename never replaces a file, what was written is durable before the call
//! returns (as far as an SFTP server can say so), links inside the root are never followed, and every operation ends
//! within a deadline.
//!
//! What every exchange of files does with them is here too: publishing one exactly once, collecting what is complete, finding
//! again what was sent and read, tables (CSV), and the warehouse that is driven with them.

pub(crate) mod again;
pub(crate) mod exchange;
mod local;
pub(crate) mod mailbox;
pub(crate) mod orders;
pub(crate) mod outbox;
pub(crate) mod place;
pub(crate) mod proof;
pub(crate) mod sample;
mod sftp;
pub(crate) mod table;
pub(crate) mod witness;

use std::{sync::Arc, time::Duration};

use connect::{FileError, FileErrorKind, FileLocation, FileStore, FileStores, Guard, Waits};

/// Most files of one folder that are listed. A folder with more is an accident or an attack, and a listing without bound
/// would fill the memory.
const MOST_FILES: usize = 100_000;

/// Opens folders on this machine and behind SFTP.
#[derive(Clone)]
pub struct Files {
    waits: Waits,
    guard: Guard,
}

impl Files {
    /// Every operation of a store ends within `waits.http`, and longer by the same time for each 8 MiB it moves; a
    /// connection is up within `waits.connect`. Servers are dialled where the guard permits it.
    pub fn new(waits: Waits, guard: Guard) -> Self {
        Self { waits, guard }
    }
}

impl FileStores for Files {
    fn open(&self, location: FileLocation) -> Arc<dyn FileStore> {
        match location {
            FileLocation::Folder(root) => Arc::new(local::LocalFolder::new(root, self.waits)),
            FileLocation::Sftp { host, port, user, password, private_key, host_key, root } => {
                Arc::new(sftp::SftpFolder::new(
                    sftp::Server { host, port, user, password, private_key, host_key, root },
                    self.waits,
                    self.guard.clone(),
                ))
            }
        }
    }
}

/// How long an operation that moves so many bytes may take.
fn deadline(each: Duration, bytes: u64) -> Duration {
    const PER_WAIT: u64 = 8 * 1024 * 1024;
    each.saturating_mul(u32::try_from(bytes / PER_WAIT).unwrap_or(u32::MAX).saturating_add(1))
}

/// The segments of a relative path, refused unless each is a plain name: no `..`, no absolute path, no NUL
/// (ASVS 5.3.2). The empty path is the root itself.
fn segments(path: &str) -> Result<Vec<&str>, FileError> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<&str> = path.split('/').collect();
    if segments.iter().all(|segment| is_plain_name(segment)) {
        Ok(segments)
    } else {
        Err(FileError::new(
            FileErrorKind::Refused,
            format!(
                "{path:?} is not a path inside the folder: it must be relative, without \"..\", empty parts or NUL"
            ),
        ))
    }
}

/// Whether this names a file inside its folder and nothing else. A backslash separates folders on some servers.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn only_paths_inside_the_root_are_taken() {
        assert!(segments("").unwrap().is_empty());
        assert_eq!(segments("in/ord_1.csv").unwrap(), ["in", "ord_1.csv"]);
        assert_eq!(segments("out/a b%20'\u{e9}.csv").unwrap(), ["out", "a b%20'\u{e9}.csv"]);
        for bad in ["/etc/passwd", "..", "in/../../x", "in//x", "in/", "./x", "in/\0", "in\\..\\x", "/"] {
            assert!(segments(bad).is_err(), "{bad:?}");
        }
    }
}
