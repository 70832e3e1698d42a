//! A folder on this machine.
//!
//! Every path is walked from an open handle of the root, one folder at a time, without following links: a link put into
//! the tree, even between a look and an operation, cannot lead outside (ASVS 5.3.2).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::PathBuf,
    time::Duration,
};

use async_trait::async_trait;
use connect::{FileEntry, FileError, FileErrorKind, FileStore, Renamed, Waits};
use jiff::Timestamp;
use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat},
    io::Errno,
};

use super::{MOST_FILES, is_plain_name, segments};

/// A folder on this machine.
pub(super) struct LocalFolder {
    root: PathBuf,
    deadline: Duration,
}

impl LocalFolder {
    pub(super) fn new(root: PathBuf, waits: Waits) -> Self {
        Self { root, deadline: waits.http }
    }

    /// Runs blocking work off the executor. A folder may be a network mount that never answers: the wait is bounded, and
    /// what the abandoned thread still does is not known.
    async fn blocking<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce(&Root) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let root = Root { path: self.root.clone() };
        let deadline = super::deadline(self.deadline, bytes);
        match tokio::time::timeout(deadline, tokio::task::spawn_blocking(move || work(&root))).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                Err(FileError::new(FileErrorKind::Unknown, format!("the file operation broke off: {error}")))
            }
            Err(_) => Err(FileError::new(
                FileErrorKind::Unknown,
                format!("the folder {} did not answer within {} s", self.root.display(), deadline.as_secs_f32()),
            )),
        }
    }
}

#[async_trait]
impl FileStore for LocalFolder {
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        let folder = folder.to_owned();
        self.blocking(0, move |root| root.list(&folder)).await
    }

    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        let path = path.to_owned();
        self.blocking(largest, move |root| root.read(&path, largest)).await
    }

    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        let path = path.to_owned();
        self.blocking(0, move |root| root.stat(&path)).await
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        let (path, content) = (path.to_owned(), content.to_vec());
        self.blocking(content.len() as u64, move |root| root.write(&path, &content)).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError> {
        let names = [(from.to_owned(), to.to_owned())];
        self.rename_all(&names)
            .await
            .pop()
            .unwrap_or_else(|| Err(FileError::new(FileErrorKind::Unknown, "the rename gave no outcome".to_owned())))
    }

    async fn rename_all(&self, names: &[(String, String)]) -> Vec<Result<Renamed, FileError>> {
        let owned = names.to_vec();
        match self.blocking(0, move |root| Ok(root.rename_all(&owned))).await {
            Ok(outcomes) => outcomes,
            Err(error) => vec![Err(error); names.len()],
        }
    }

    async fn remove(&self, path: &str) -> Result<(), FileError> {
        let path = path.to_owned();
        self.blocking(0, move |root| root.remove(&path)).await
    }

    async fn create_folder(&self, path: &str) -> Result<(), FileError> {
        let path = path.to_owned();
        self.blocking(0, move |root| root.create_folder(&path)).await
    }

    async fn host_key(&self) -> Result<Option<String>, FileError> {
        Ok(None)
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The root, opened anew for each operation, so that a folder that is moved or mounted later is the one used.
struct Root {
    path: PathBuf,
}

impl Root {
    /// Opens a folder below the root. The root itself may be a link: the operator named it.
    fn folder(&self, segments: &[&str]) -> Result<OwnedFd, FileError> {
        let mut folder = fs::open(&self.path, FOLDER, Mode::empty()).map_err(|error| self.error(error, &[]))?;
        for (depth, segment) in segments.iter().enumerate() {
            folder = fs::openat(&folder, *segment, FOLDER | OFlags::NOFOLLOW, Mode::empty())
                .map_err(|error| self.error(error, segments.get(..=depth).unwrap_or(segments)))?;
        }
        Ok(folder)
    }

    /// The folder of a path, opened, and the name in it.
    fn place<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str, Vec<&'a str>), FileError> {
        let segments = segments(path)?;
        let Some((name, folder)) = segments.split_last() else {
            return Err(FileError::new(FileErrorKind::Refused, "a file name is missing"));
        };
        Ok((self.folder(folder)?, name, segments.clone()))
    }

    fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        let segments = segments(folder)?;
        let handle = self.folder(&segments)?;
        let wrong = |error| self.error(error, &segments);
        let mut files = Vec::new();
        for entry in Dir::read_from(&handle).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let Ok(name) = entry.file_name().to_str() else {
                tracing::warn!(folder.path = %self.path.display(), "a file whose name is not UTF-8 is left alone");
                continue;
            };
            if !is_plain_name(name) {
                continue;
            }
            match fs::statat(&handle, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if is_file(&stat) => files.push(entry_of(name, &stat)),
                // Folders, links, pipes; and what was taken away since it was listed.
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(wrong(error)),
            }
            if files.len() > MOST_FILES {
                return Err(FileError::new(
                    FileErrorKind::Refused,
                    format!("{} holds more than {MOST_FILES} files: move old ones away", self.shown(&segments)),
                ));
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        let (folder, name, segments) = self.place(path)?;
        // Without NONBLOCK the opening of a pipe would wait for a writer for ever.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&folder, name, flags, Mode::empty()).map_err(|error| self.error(error, &segments))?;
        self.must_be_file(&fs::fstat(&file).map_err(|error| self.error(error, &segments))?, &segments)?;
        let mut content = Vec::new();
        File::from(file)
            .take(largest.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|error| self.failed(&error, &segments))?;
        if content.len() as u64 > largest {
            return Err(FileError::new(
                FileErrorKind::Refused,
                format!("{} is larger than {largest} bytes and was not read", self.shown(&segments)),
            ));
        }
        Ok(content)
    }

    fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        let (folder, name, segments) = self.place(path)?;
        match fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                self.must_be_file(&stat, &segments)?;
                Ok(Some(entry_of(name, &stat)))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.error(error, &segments)),
        }
    }

    fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        let (folder, name, segments) = self.place(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
        let file = fs::openat(&folder, name, flags, mode).map_err(|error| self.error(error, &segments))?;
        self.must_be_file(&fs::fstat(&file).map_err(|error| self.error(error, &segments))?, &segments)?;
        let mut file = File::from(file);
        file.write_all(content).map_err(|error| self.failed(&error, &segments))?;
        file.sync_all().map_err(|error| self.failed(&error, &segments))?;
        // The name is part of what must survive a power cut.
        fs::fsync(&folder).map_err(|error| self.error(error, &segments))
    }

    /// Renames without replacing, then makes each folder concerned durable once.
    fn rename_all(&self, names: &[(String, String)]) -> Vec<Result<Renamed, FileError>> {
        let mut changed: BTreeMap<String, (OwnedFd, Vec<usize>)> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(names.len());
        for (index, (from, to)) in names.iter().enumerate() {
            let outcome = self.rename(from, to).map(|(renamed, folders)| {
                if renamed == Renamed::Done {
                    for (path, folder) in folders {
                        changed.entry(path).or_insert_with(|| (folder, Vec::new())).1.push(index);
                    }
                }
                renamed
            });
            outcomes.push(outcome);
        }
        for (folder, indices) in changed.into_values() {
            if let Err(error) = fs::fsync(&folder) {
                for index in indices {
                    if let Some(outcome) = outcomes.get_mut(index) {
                        *outcome = Err(FileError::new(
                            FileErrorKind::Unknown,
                            format!("renamed, but the folder could not be made durable: {}", io::Error::from(error)),
                        ));
                    }
                }
            }
        }
        outcomes
    }

    /// Also gives the folders touched, each with its path, for the one fsync of the caller.
    fn rename(&self, from: &str, to: &str) -> Result<(Renamed, [(String, OwnedFd); 2]), FileError> {
        let (old_folder, old_name, old) = self.place(from)?;
        let (new_folder, new_name, new) = self.place(to)?;
        let renamed = match fs::renameat_with(&old_folder, old_name, &new_folder, new_name, RenameFlags::NOREPLACE) {
            Ok(()) => Renamed::Done,
            Err(Errno::EXIST) => Renamed::TargetExists,
            Err(Errno::NOENT) => Renamed::SourceGone,
            // Some network file systems cannot rename without replacing. A second name can be made only where there is
            // none, everywhere; a crash between the two steps leaves both names, which a probe tells from the content.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                match fs::linkat(&old_folder, old_name, &new_folder, new_name, AtFlags::empty()) {
                    Ok(()) => {
                        fs::unlinkat(&old_folder, old_name, AtFlags::empty())
                            .map_err(|error| self.error(error, &old))?;
                        Renamed::Done
                    }
                    Err(Errno::EXIST) => Renamed::TargetExists,
                    Err(Errno::NOENT) => Renamed::SourceGone,
                    Err(error) => return Err(self.error(error, &new)),
                }
            }
            Err(error) => return Err(self.error(error, &new)),
        };
        let parent = |segments: &[&str]| segments.split_last().map(|(_, folder)| folder.join("/")).unwrap_or_default();
        Ok((renamed, [(parent(&old), old_folder), (parent(&new), new_folder)]))
    }

    fn remove(&self, path: &str) -> Result<(), FileError> {
        let (folder, name, segments) = self.place(path)?;
        match fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) => fs::fsync(&folder).map_err(|error| self.error(error, &segments)),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.error(error, &segments)),
        }
    }

    fn create_folder(&self, path: &str) -> Result<(), FileError> {
        let segments = segments(path)?;
        for depth in 0..segments.len() {
            let (parent, made) = (segments.get(..depth).unwrap_or(&[]), segments.get(..=depth).unwrap_or(&segments));
            let folder = self.folder(parent)?;
            let mode = Mode::RWXU | Mode::RWXG | Mode::ROTH | Mode::XOTH;
            match fs::mkdirat(&folder, made.last().copied().unwrap_or_default(), mode) {
                Ok(()) => fs::fsync(&folder).map_err(|error| self.error(error, made))?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(self.error(error, made)),
            }
        }
        // A file or a link of that name would have passed so far.
        self.folder(&segments).map(drop)
    }

    fn must_be_file(&self, stat: &Stat, segments: &[&str]) -> Result<(), FileError> {
        if is_file(stat) {
            return Ok(());
        }
        Err(FileError::new(FileErrorKind::Refused, format!("{} is not a plain file", self.shown(segments))))
    }

    fn shown(&self, segments: &[&str]) -> String {
        self.path.join(segments.join("/")).display().to_string()
    }

    fn failed(&self, error: &io::Error, segments: &[&str]) -> FileError {
        let errno = Errno::from_io_error(error);
        errno.map_or_else(
            || FileError::new(FileErrorKind::Refused, format!("{}: {error}", self.shown(segments))),
            |errno| self.error(errno, segments),
        )
    }

    fn error(&self, error: Errno, segments: &[&str]) -> FileError {
        let shown = self.shown(segments);
        match error {
            Errno::NOENT => FileError::new(FileErrorKind::NotFound, format!("{shown} does not exist")),
            Errno::LOOP | Errno::NOTDIR => FileError::new(
                FileErrorKind::Refused,
                format!(
                    "{shown} is a link or not a folder; links inside the folder are not followed: use the real folder"
                ),
            ),
            Errno::ACCESS | Errno::PERM => FileError::new(
                FileErrorKind::Refused,
                format!(
                    "the user that Millrace runs as may not use {shown}: give it the right to read and write there"
                ),
            ),
            Errno::IO | Errno::STALE => {
                FileError::new(FileErrorKind::Unknown, format!("{shown}: {}", io::Error::from(error)))
            }
            error => FileError::new(FileErrorKind::Refused, format!("{shown}: {}", io::Error::from(error))),
        }
    }
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn entry_of(name: &str, stat: &Stat) -> FileEntry {
    let nanoseconds = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    FileEntry {
        name: name.to_owned(),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: Timestamp::new(stat.st_mtime, nanoseconds).ok(),
    }
}
