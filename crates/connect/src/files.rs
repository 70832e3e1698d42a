//! Files as connectors see them: a folder on this machine, or one behind SFTP.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{ConnectorError, ErrorKind, Secret};

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Name without folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Last written, as the store says.
    pub modified: Option<Timestamp>,
}

/// How a rename ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renamed {
    /// The file has its new name.
    Done,
    /// There is a file of that name already; nothing was changed.
    TargetExists,
    /// There is no file of the old name; nothing was changed.
    SourceGone,
}

/// What a file operation failed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileErrorKind {
    /// Nothing was asked of the store: no connection.
    NotReached,
    /// The sign-in was refused, or the server's host key is not the pinned one.
    Credentials,
    /// The store said no: no such folder, no right, no space.
    Refused,
    /// The file does not exist.
    NotFound,
    /// It is not known whether the operation took effect.
    Unknown,
}

/// A failed file operation.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct FileError {
    /// What it failed of.
    pub kind: FileErrorKind,
    /// What happened, why, and what the person can do.
    pub message: String,
}

impl FileError {
    /// An error of this kind.
    pub fn new(kind: FileErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<FileError> for ConnectorError {
    fn from(error: FileError) -> Self {
        let kind = match error.kind {
            FileErrorKind::NotReached | FileErrorKind::Unknown => ErrorKind::Transient,
            FileErrorKind::Credentials => ErrorKind::Credentials,
            FileErrorKind::Refused => ErrorKind::Rejected { code: "file".to_owned() },
            FileErrorKind::NotFound => ErrorKind::NotFound,
        };
        Self::new(kind, error.message)
    }
}

/// One place for files. Paths are relative to its root, with `/`, made by the hub; names that come from the other side are
/// used only to read, move and remove the very file they were listed under.
#[async_trait]
pub trait FileStore: Send + Sync {
    /// The plain files of a folder, by name.
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError>;

    /// A file of at most `largest` bytes, whole.
    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError>;

    /// The file, `None` if it does not exist.
    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError>;

    /// Writes a file whole and makes it durable as far as the store can, replacing one of that name.
    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError>;

    /// Gives a file its new name in one step, never replacing another.
    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError>;

    /// Gives several files their new names, with one outcome each, in order: where the store can make many renames durable
    /// at once it does.
    async fn rename_all(&self, names: &[(String, String)]) -> Vec<Result<Renamed, FileError>> {
        let mut outcomes = Vec::with_capacity(names.len());
        for (from, to) in names {
            outcomes.push(self.rename(from, to).await);
        }
        outcomes
    }

    /// Removes a file; no error if there is none.
    async fn remove(&self, path: &str) -> Result<(), FileError>;

    /// Makes a folder; no error if it is there.
    async fn create_folder(&self, path: &str) -> Result<(), FileError>;

    /// The fingerprint of the server's host key as seen now, for the person who sets it up; `None` for a local folder.
    async fn host_key(&self) -> Result<Option<String>, FileError>;
}

/// Where files are.
#[derive(Clone)]
pub enum FileLocation {
    /// A folder on this machine.
    Folder(std::path::PathBuf),
    /// A folder behind SFTP.
    Sftp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Login name.
        user: String,
        /// Password, where one is used.
        password: Option<Secret>,
        /// Private key in OpenSSH or PEM form, where one is used.
        private_key: Option<Secret>,
        /// The pinned host key (`SHA256:…`). Without it only [`FileStore::host_key`] works.
        host_key: Option<String>,
        /// Folder that paths are relative to.
        root: String,
    },
}

/// Opens file stores; the seam that tests replace.
pub trait FileStores: Send + Sync {
    /// Opens nothing yet; connects when first used.
    fn open(&self, location: FileLocation) -> Arc<dyn FileStore>;
}
