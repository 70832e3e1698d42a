//! A folder behind SFTP.
//!
//! The server's host key is pinned: without a pin, or when the key differs, the connection ends after the key exchange
//! and before any sign-in, so that no credential reaches a stranger (ASVS 12.3.2). Renames use the plain request of the
//! protocol (SSH_FXP_RENAME), which OpenSSH refuses where the new name is taken; the `posix-rename` extension, which
//! replaces in silence, is never used.

mod connection;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{FileEntry, FileError, FileErrorKind, FileStore, Guard, Renamed, Secret, Waits};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use russh_sftp::{
    client::error::Error as SftpError,
    protocol::{FileAttributes, OpenFlags, StatusCode},
};
use tokio::sync::Mutex;

use self::connection::Connection;
use super::{MOST_FILES, deadline, is_plain_name, segments};

/// Bytes of one read or write request: the most that every server takes.
const CHUNK: usize = 32 * 1024 - 256;
/// Requests under way at once, so that a far server is not waited for once per chunk.
const AT_ONCE: usize = 16;

/// Where the server is and how to sign in.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: Option<Secret>,
    pub(super) private_key: Option<Secret>,
    pub(super) host_key: Option<String>,
    pub(super) root: String,
}

/// A folder behind SFTP, over one connection that is opened when first used and again when it broke.
pub(super) struct SftpFolder {
    server: Server,
    waits: Waits,
    guard: Guard,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// Why one exchange with the server gave nothing.
enum Failure {
    /// There is no connection: nothing was asked.
    NoConnection(FileError),
    /// The server answered no.
    No { code: StatusCode, message: String },
    /// The connection broke or stayed silent after something was asked.
    Lost(String),
    /// Found wrong on our side.
    Wrong(FileError),
}

impl From<SftpError> for Failure {
    fn from(error: SftpError) -> Self {
        match error {
            SftpError::Status(status) => Self::No { code: status.status_code, message: status.error_message },
            error => Self::Lost(error.to_string()),
        }
    }
}

impl SftpFolder {
    pub(super) fn new(server: Server, waits: Waits, guard: Guard) -> Self {
        Self { server, waits, guard, connection: Mutex::new(None) }
    }

    /// The kept connection, or a new one.
    async fn connected(&self) -> Result<Arc<Connection>, FileError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = kept.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let opened = Arc::new(Connection::open(&self.server, &self.waits, &self.guard).await?);
        *kept = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Forgets a connection that broke, unless another caller has replaced it already.
    async fn forget(&self, broken: &Arc<Connection>) {
        let mut kept = self.connection.lock().await;
        if kept.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, broken)) {
            *kept = None;
        }
    }

    /// One exchange, once, within its deadline.
    async fn once<T, W: Future<Output = Result<T, Failure>>>(
        &self,
        bytes: u64,
        work: impl FnOnce(Arc<Connection>) -> W,
    ) -> Result<T, Failure> {
        let connection = self.connected().await.map_err(Failure::NoConnection)?;
        let limit = deadline(self.waits.http, bytes);
        let outcome = tokio::time::timeout(limit, work(Arc::clone(&connection)))
            .await
            .unwrap_or_else(|_| Err(Failure::Lost(format!("no answer within {} s", limit.as_secs_f32()))));
        if matches!(outcome, Err(Failure::Lost(_))) {
            self.forget(&connection).await;
        }
        outcome
    }

    /// One exchange that only looks, or whose repeat leaves the same: tried again on a fresh connection when the kept one
    /// turns out to be dead, as it is after the server's idle limit.
    async fn repeatable<T, W: Future<Output = Result<T, Failure>>>(
        &self,
        bytes: u64,
        work: impl Fn(Arc<Connection>) -> W,
    ) -> Result<T, Failure> {
        match self.once(bytes, &work).await {
            Err(Failure::Lost(_)) => self.once(bytes, &work).await,
            outcome => outcome,
        }
    }

    /// Whether there is a file or folder of this whole path, without following links.
    async fn look(&self, whole: &str) -> Result<Option<FileAttributes>, Failure> {
        let looked =
            self.repeatable(0, |connection| async move { Ok(connection.sftp().lstat(whole).await?.attrs) }).await;
        match looked {
            Ok(attributes) => Ok(Some(attributes)),
            Err(Failure::No { code: StatusCode::NoSuchFile, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The path as the server knows it.
    fn whole(&self, path: &str) -> Result<String, FileError> {
        segments(path)?;
        let root = self.server.root.trim_end_matches('/');
        Ok(match (root.is_empty(), path.is_empty()) {
            (true, true) if self.server.root.is_empty() => ".".to_owned(),
            (true, true) => "/".to_owned(),
            (true, false) if self.server.root.is_empty() => path.to_owned(),
            (_, true) => root.to_owned(),
            (_, false) => format!("{root}/{path}"),
        })
    }

    /// The path of a file as the server knows it.
    fn whole_file(&self, path: &str) -> Result<String, FileError> {
        if path.is_empty() {
            return Err(FileError::new(FileErrorKind::Refused, "a file name is missing"));
        }
        self.whole(path)
    }

    /// A failure in the words and kinds of the store.
    fn error(&self, path: &str, failure: Failure) -> FileError {
        let shown = format!("{path:?} on {}", self.server.host);
        match failure {
            Failure::NoConnection(error) | Failure::Wrong(error) => error,
            Failure::No { code: StatusCode::NoSuchFile, .. } => {
                FileError::new(FileErrorKind::NotFound, format!("{shown} does not exist"))
            }
            Failure::No { code: StatusCode::PermissionDenied, .. } => FileError::new(
                FileErrorKind::Refused,
                format!(
                    "the user {} may not do this with {shown}: ask the server's owner for the right",
                    self.server.user
                ),
            ),
            Failure::No { code, message } => FileError::new(
                FileErrorKind::Refused,
                format!("the server refused an operation on {shown}: {}", told(code, &message)),
            ),
            Failure::Lost(why) => FileError::new(
                FileErrorKind::Unknown,
                format!("the connection was lost during an operation on {shown}: {}", told_text(&why)),
            ),
        }
    }
}

#[async_trait]
impl FileStore for SftpFolder {
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        let whole = &self.whole(folder)?;
        self.repeatable(0, |connection| async move { list(&connection, whole).await })
            .await
            .map_err(|failure| self.error(folder, failure))
    }

    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        let whole = &self.whole_file(path)?;
        self.repeatable(largest, |connection| async move { read(&connection, whole, largest).await })
            .await
            .map_err(|failure| self.error(path, failure))
    }

    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        let whole = self.whole_file(path)?;
        let failed = |failure| self.error(path, failure);
        if let Some(attributes) = self.look(&whole).await.map_err(failed)? {
            let name = path.rsplit('/').next().unwrap_or(path);
            return if attributes.permissions.is_none() || attributes.file_type().is_file() {
                Ok(Some(entry_of(name, &attributes)))
            } else {
                Err(not_a_file(path))
            };
        }
        // The protocol has one answer for a missing file and for a missing folder, and only the first says anything
        // about the file.
        let folder = whole.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        match self.look(folder).await.map_err(failed)? {
            Some(_) => Ok(None),
            None => Err(FileError::new(
                FileErrorKind::NotFound,
                format!("the folder {folder:?} does not exist on {}", self.server.host),
            )),
        }
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        let whole = &self.whole_file(path)?;
        // Writing the same bytes to the same place again leaves what one writing would have left.
        self.repeatable(content.len() as u64, |connection| async move { write(&connection, whole, content).await })
            .await
            .map_err(|failure| self.error(path, failure))
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError> {
        let (old, new) = (self.whole_file(from)?, self.whole_file(to)?);
        // The look also finds out whether the kept connection still lives: a rename written to a dead one would have an
        // unknown outcome.
        if self.look(&old).await.map_err(|failure| self.error(from, failure))?.is_none() {
            return Ok(Renamed::SourceGone);
        }
        let (old, new) = (&old, &new);
        let renamed = self
            .once(0, |connection| async move { Ok(connection.sftp().rename(old.as_str(), new.as_str()).await?) })
            .await;
        match renamed {
            Ok(_) => Ok(Renamed::Done),
            // The protocol has no code of its own for a name that is taken.
            Err(Failure::No { code, message }) => {
                if matches!(self.look(new).await, Ok(Some(_))) {
                    return Ok(Renamed::TargetExists);
                }
                if matches!(self.look(old).await, Ok(None)) {
                    return Ok(Renamed::SourceGone);
                }
                let code = if code == StatusCode::NoSuchFile { StatusCode::Failure } else { code };
                Err(self.error(to, Failure::No { code, message }))
            }
            Err(failure) => Err(self.error(to, failure)),
        }
    }

    async fn remove(&self, path: &str) -> Result<(), FileError> {
        let whole = &self.whole_file(path)?;
        let removed =
            self.repeatable(0, |connection| async move { Ok(connection.sftp().remove(whole.as_str()).await?) }).await;
        match removed {
            Ok(_) | Err(Failure::No { code: StatusCode::NoSuchFile, .. }) => Ok(()),
            Err(failure) => Err(self.error(path, failure)),
        }
    }

    async fn create_folder(&self, path: &str) -> Result<(), FileError> {
        let parts = segments(path)?;
        for depth in 1..=parts.len() {
            let part = parts.get(..depth).unwrap_or(&parts).join("/");
            let whole = &self.whole(&part)?;
            let failed = |failure| self.error(&part, failure);
            if let Some(found) = self.look(whole).await.map_err(failed)? {
                if found.permissions.is_some() && !found.is_dir() {
                    return Err(FileError::new(
                        FileErrorKind::Refused,
                        format!("{part:?} is there and is not a folder"),
                    ));
                }
                continue;
            }
            let made = self
                .repeatable(0, |connection| async move {
                    Ok(connection.sftp().mkdir(whole.as_str(), FileAttributes::empty()).await?)
                })
                .await;
            // Somebody else, or a first try whose answer was lost, may have made it.
            if let Err(failure) = made
                && !matches!(self.look(whole).await, Ok(Some(_)))
            {
                return Err(self.error(&part, failure));
            }
        }
        Ok(())
    }

    async fn host_key(&self) -> Result<Option<String>, FileError> {
        connection::see_host_key(&self.server, &self.waits, &self.guard).await.map(Some)
    }
}

async fn list(connection: &Connection, whole: &str) -> Result<Vec<FileEntry>, Failure> {
    let sftp = connection.sftp();
    let handle = sftp.opendir(whole).await?.handle;
    let mut files = Vec::new();
    loop {
        let page = match sftp.readdir(handle.as_str()).await {
            Ok(page) => page.files,
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => return Err(error.into()),
        };
        for file in page {
            if !is_plain_name(&file.filename) {
                continue;
            }
            let plain = match file.attrs.permissions {
                Some(_) => file.attrs.file_type().is_file(),
                None => !file.longname.starts_with(['d', 'l']),
            };
            if plain {
                files.push(entry_of(&file.filename, &file.attrs));
            }
        }
        if files.len() > MOST_FILES {
            return Err(Failure::Wrong(FileError::new(
                FileErrorKind::Refused,
                format!("{whole:?} holds more than {MOST_FILES} files: move old ones away"),
            )));
        }
    }
    sftp.close(handle.as_str()).await?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

async fn read(connection: &Connection, whole: &str, largest: u64) -> Result<Vec<u8>, Failure> {
    let sftp = connection.sftp();
    let found = sftp.lstat(whole).await?.attrs;
    if found.permissions.is_some() && !found.file_type().is_file() {
        return Err(Failure::Wrong(not_a_file(whole)));
    }
    let too_large = || {
        Failure::Wrong(FileError::new(
            FileErrorKind::Refused,
            format!("{whole:?} is larger than {largest} bytes and was not read"),
        ))
    };
    let size = found.size.unwrap_or(0);
    if size > largest {
        return Err(too_large());
    }
    let handle = &sftp.open(whole, OpenFlags::READ, FileAttributes::empty()).await?.handle;
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let mut parts = stream::iter((0..size).step_by(CHUNK))
        .map(|start| read_part(connection, handle, start, CHUNK.min(usize::try_from(size - start).unwrap_or(CHUNK))))
        .buffered(AT_ONCE);
    while let Some(part) = parts.next().await {
        content.extend_from_slice(&part?);
    }
    drop(parts);
    // What was added since it was looked at, and files of servers that tell no size.
    loop {
        let part = read_part(connection, handle, content.len() as u64, CHUNK).await?;
        if part.is_empty() {
            break;
        }
        content.extend_from_slice(&part);
        if content.len() as u64 > largest {
            return Err(too_large());
        }
    }
    sftp.close(handle.as_str()).await?;
    Ok(content)
}

/// The bytes from `start`, as many as wanted unless the file ends: a server may give fewer than asked for.
async fn read_part(connection: &Connection, handle: &str, start: u64, wanted: usize) -> Result<Vec<u8>, Failure> {
    let mut part: Vec<u8> = Vec::with_capacity(wanted);
    while part.len() < wanted {
        let length = u32::try_from(wanted - part.len()).unwrap_or(u32::MAX);
        match connection.sftp().read(handle, start + part.len() as u64, length).await {
            Ok(data) if data.data.is_empty() => break,
            Ok(data) if data.data.len() > wanted - part.len() => {
                return Err(Failure::Lost("the server sent more than was asked for".to_owned()));
            }
            Ok(data) => part.extend_from_slice(&data.data),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(part)
}

async fn write(connection: &Connection, whole: &str, content: &[u8]) -> Result<(), Failure> {
    let sftp = connection.sftp();
    let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let handle = &sftp.open(whole, flags, FileAttributes::empty()).await?.handle;
    stream::iter((0..content.len()).step_by(CHUNK))
        .map(|start| write_part(connection, handle, content, start))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    if connection.offers_fsync() {
        sftp.fsync(handle.as_str()).await?;
    }
    sftp.close(handle.as_str()).await?;
    Ok(())
}

async fn write_part(connection: &Connection, handle: &str, content: &[u8], start: usize) -> Result<(), Failure> {
    let end = (start + CHUNK).min(content.len());
    let part = content.get(start..end).unwrap_or_default().to_vec();
    connection.sftp().write(handle, start as u64, part).await?;
    Ok(())
}

fn entry_of(name: &str, attributes: &FileAttributes) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        size: attributes.size.unwrap_or(0),
        modified: attributes.mtime.and_then(|seconds| Timestamp::from_second(i64::from(seconds)).ok()),
    }
}

fn not_a_file(path: &str) -> FileError {
    FileError::new(FileErrorKind::Refused, format!("{path:?} is not a plain file"))
}

fn told(code: StatusCode, message: &str) -> String {
    if message.is_empty() { code.to_string() } else { format!("{code} ({})", told_text(message)) }
}

/// The server's own words, short and without control characters: they are shown to people.
fn told_text(message: &str) -> String {
    message.chars().filter(|character| !character.is_control()).take(200).collect()
}

/// The request limit of the protocol library counts whole seconds; ours is the one that acts.
fn library_limit(waits: &Waits) -> u64 {
    waits.http.max(Duration::from_secs(1)).as_secs().saturating_mul(2).saturating_add(1)
}
