//! The folder the warehouse writes into: which files are complete, reading them, putting them away.
//!
//! A file may be read while it is still written. It counts as complete when its size and time are the same in two looks,
//! some time apart, and it ends as its format does; whether all of it can be read is seen afterwards. What the name says
//! beside the kind of file is never read.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use connect::{
    Clock, ConnectorError, FileEntry, FileError, FileErrorKind, FileStore, Inbound, RejectedInput, Renamed, Waits,
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Largest file read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// Most files of one reading.
const MOST_FILES: usize = 200;
/// Most of a file that is kept with what was taken in, for people.
const KEPT: usize = 1024 * 1024;
/// A file that is unchanged for this long and lacks nothing but its end is taken as it is.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same where what lacks may be the end of a figure or a number, and no rule of CSV tells. A transfer that stood still for this
/// long has ended: none that goes on is silent for minutes, and one that broke off is begun again or leaves a row without all its
/// cells. Half of what a file gets that will never be whole, so that nobody is told of one that is only written in this way.
const PATIENCE_IN_DOUBT: Duration = Duration::from_secs(300);

/// A complete file.
pub(crate) struct Complete {
    pub(crate) name: String,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) content: Vec<u8>,
}

impl Complete {
    pub(crate) fn taken(&self) -> Inbound {
        inbound(&self.name, &self.content)
    }
}

/// What one reading gave.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) files: Vec<Complete>,
    pub(crate) rejected: Vec<RejectedInput>,
    /// Where the next reading goes on, when this one was full.
    pub(crate) more_after: Option<String>,
    /// Files are there that are not complete yet, or not known to be: what they hold is not in this reading.
    pub(crate) incomplete: bool,
}

/// How a file looked.
struct Look {
    size: u64,
    modified: Option<Timestamp>,
    /// When it first looked so, on the clock that never goes back.
    since: Duration,
    /// The hub has it: it is not read again unless it changes.
    done: bool,
}

/// Whether the file of this name ends as its format does.
pub(crate) type Whole = Box<dyn Fn(&str, &[u8]) -> Result<(), Unended> + Send + Sync>;

/// A file that does not end as its format does.
pub(crate) struct Unended {
    /// What is wrong with its end.
    pub(crate) why: String,
    /// All that stands there can be read: there are programs that never write the end (RFC 4180 leaves it to them).
    pub(crate) readable: bool,
}

/// Whether of a file of this name that lacks its end, and is readable, the last cell may be cut short.
pub(crate) type Doubt = Box<dyn Fn(&str, &[u8]) -> bool + Send + Sync>;

/// The folder the warehouse writes into.
pub(crate) struct Outbox {
    store: Arc<dyn FileStore>,
    clock: Arc<dyn Clock>,
    folder: String,
    archive: bool,
    whole: Whole,
    doubt: Option<Doubt>,
    /// Least time between the two looks: files that grow are written to at least this often.
    settle: Duration,
    /// See [`PATIENCE`].
    patience: Duration,
    /// See [`PATIENCE_IN_DOUBT`].
    patience_in_doubt: Duration,
    /// A file that is unchanged for this long and still not whole will never be.
    give_up: Duration,
    looks: Mutex<BTreeMap<String, Look>>,
}

impl Outbox {
    pub(crate) fn new(
        store: Arc<dyn FileStore>,
        clock: Arc<dyn Clock>,
        folder: &str,
        archive: bool,
        whole: Whole,
        waits: Waits,
    ) -> Self {
        let factor = waits.factor.max(1);
        Self {
            store,
            clock,
            folder: folder.to_owned(),
            archive,
            whole,
            doubt: None,
            settle: Duration::from_secs(1) / factor,
            patience: PATIENCE / factor,
            patience_in_doubt: PATIENCE_IN_DOUBT / factor,
            give_up: Duration::from_secs(600) / factor,
            looks: Mutex::default(),
        }
    }

    /// Waits longer for the end of files of which the last cell may be cut short.
    pub(crate) fn doubting(self, doubt: Doubt) -> Self {
        Self { doubt: Some(doubt), ..self }
    }

    /// How long a file that can be read is waited for to end.
    fn patience_with(&self, name: &str, content: &[u8]) -> Duration {
        let in_doubt = self.doubt.as_ref().is_some_and(|doubt| doubt(name, content));
        if in_doubt { self.patience_in_doubt } else { self.patience }
    }

    fn looks(&self) -> MutexGuard<'_, BTreeMap<String, Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The complete files that are ours by name, of those whose names come after `after`, by name.
    pub(crate) async fn read(
        &self,
        ours: impl Fn(&str) -> bool,
        after: Option<&str>,
    ) -> Result<Reading, ConnectorError> {
        let entries = self.store.list(&self.folder).await?;
        let (candidates, incomplete) = self.look(ours, entries);
        let mut reading = Reading { incomplete, ..Reading::default() };
        let (mut files, mut bytes) = (0, 0);
        let mut last: Option<String> = None;
        for (entry, age) in candidates {
            if after.is_some_and(|after| entry.name.as_str() <= after) {
                continue;
            }
            if files >= MOST_FILES || bytes > LARGEST {
                // Files come by name: what is not read now comes after what was.
                reading.more_after = last;
                break;
            }
            files += 1;
            bytes += entry.size.min(LARGEST);
            match self.take(&entry, age).await? {
                Some(Ok(file)) => reading.files.push(file),
                Some(Err(rejected)) => reading.rejected.push(rejected),
                None => reading.incomplete = true,
            }
            last = Some(entry.name);
        }
        Ok(reading)
    }

    /// Remembers how the files look now. Gives those that looked the same at an earlier call, with the time since then, and
    /// whether there are others that the hub does not have.
    fn look(&self, ours: impl Fn(&str) -> bool, entries: Vec<FileEntry>) -> (Vec<(FileEntry, Duration)>, bool) {
        let now = self.clock.monotonic();
        let mut looks = self.looks();
        looks.retain(|name, _| !ours(name) || entries.iter().any(|entry| entry.name == *name));
        let mut settled = Vec::new();
        let mut incomplete = false;
        for entry in entries.into_iter().filter(|entry| ours(&entry.name)) {
            match looks.get(&entry.name) {
                Some(look) if look.size == entry.size && look.modified == entry.modified => {
                    let age = now.saturating_sub(look.since);
                    match look.done {
                        true => {}
                        false if age >= self.settle => settled.push((entry, age)),
                        false => incomplete = true,
                    }
                }
                _ => {
                    incomplete = true;
                    let look = Look { size: entry.size, modified: entry.modified, since: now, done: false };
                    looks.insert(entry.name, look);
                }
            }
        }
        (settled, incomplete)
    }

    /// Reads a settled file; `None` when it is to be looked at again later.
    async fn take(
        &self,
        entry: &FileEntry,
        age: Duration,
    ) -> Result<Option<Result<Complete, RejectedInput>>, ConnectorError> {
        let unread = |reason: String| {
            let stand_in = format!("{}:{}", entry.size, entry.modified.unwrap_or_default());
            Some(Err(RejectedInput {
                input: inbound(&entry.name, stand_in.as_bytes()),
                reason,
                beside: false,
                key: None,
            }))
        };
        if entry.size > LARGEST {
            return Ok(unread(format!(
                "it has {} bytes and was not read: files may have {LARGEST}. Ask the warehouse for smaller ones",
                entry.size
            )));
        }
        let content = match self.store.read(&self.path(&entry.name), LARGEST).await {
            Ok(content) => content,
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => return Ok(None),
            // One file that may not be read must not stop the others.
            Err(FileError { kind: FileErrorKind::Refused, message }) => return Ok(unread(message)),
            Err(error) => return Err(error.into()),
        };
        if content.len() as u64 != entry.size {
            self.looks().remove(&entry.name);
            return Ok(None);
        }
        let wrong = match (self.whole)(&entry.name, &content) {
            Err(unended) if !unended.readable || age < self.patience_with(&entry.name, &content) => unended.why,
            Ok(()) | Err(_) => {
                return Ok(Some(Ok(Complete { name: entry.name.clone(), modified: entry.modified, content })));
            }
        };
        if age < self.give_up {
            return Ok(None);
        }
        Ok(Some(Err(RejectedInput {
            input: inbound(&entry.name, &content),
            reason: format!("{wrong}: the file was cut off. Ask the warehouse to send it again"),
            beside: false,
            key: None,
        })))
    }

    /// Puts away what the hub has committed. What has changed since, or is gone, is left alone.
    pub(crate) async fn put_away(&self, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), ConnectorError> {
        self.move_all("archive", taken.iter()).await?;
        self.move_all("rejected", rejected.iter().map(|rejected| &rejected.input)).await
    }

    async fn move_all(&self, to: &str, inputs: impl Iterator<Item = &Inbound>) -> Result<(), ConnectorError> {
        let target = format!("{}/{to}", self.folder);
        let mut folder_made = false;
        for input in inputs {
            if !self.is_same(input).await? {
                continue;
            }
            if let Some(look) = self.looks().get_mut(&input.name) {
                look.done = true;
            }
            if !self.archive {
                continue;
            }
            if !folder_made {
                self.store.create_folder(&target).await?;
                folder_made = true;
            }
            self.move_one(input, &target).await?;
        }
        Ok(())
    }

    /// Whether the file that lies there is the one that was taken in.
    async fn is_same(&self, input: &Inbound) -> Result<bool, ConnectorError> {
        let path = self.path(&input.name);
        let entry = match self.store.stat(&path).await {
            Ok(Some(entry)) => entry,
            Ok(None) | Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let stand_in = format!("{}:{}", entry.size, entry.modified.unwrap_or_default());
        if entry.size > LARGEST {
            return Ok(sha256(stand_in.as_bytes()) == input.content_hash);
        }
        match self.store.read(&path, LARGEST).await {
            Ok(content) => Ok(sha256(&content) == input.content_hash),
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => Ok(false),
            Err(FileError { kind: FileErrorKind::Refused, .. }) => {
                Ok(sha256(stand_in.as_bytes()) == input.content_hash)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn move_one(&self, input: &Inbound, target: &str) -> Result<(), ConnectorError> {
        let (stem, ending) = input.name.rsplit_once('.').unwrap_or((&input.name, "txt"));
        let hash = input.content_hash.get(..8).unwrap_or_default();
        let names = [input.name.clone(), format!("{stem}-{hash}.{ending}")];
        let more = (2..100).map(|number| format!("{stem}-{hash}-{number}.{ending}"));
        for name in names.into_iter().chain(more) {
            match self.store.rename(&self.path(&input.name), &format!("{target}/{name}")).await? {
                Renamed::Done | Renamed::SourceGone => return Ok(()),
                Renamed::TargetExists => {}
            }
        }
        Err(ConnectorError::unexpected(format!(
            "{target} holds a hundred files named like {}: clear it out",
            input.name
        )))
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}

fn inbound(name: &str, content: &[u8]) -> Inbound {
    Inbound {
        name: name.to_owned(),
        content_hash: sha256(content),
        content: content.get(..KEPT.min(content.len())).unwrap_or_default().to_vec(),
    }
}

/// The name a file came under, of one that lies in the archive, where one of that name may have been before it.
pub(crate) fn name_before(archived: &str, content: &[u8]) -> String {
    let hash = sha256(content);
    let hash = hash.get(..8).unwrap_or_default();
    let (stem, ending) = archived.rsplit_once('.').unwrap_or((archived, ""));
    let is_count = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = match stem.rsplit_once('-') {
        Some((before, count)) if is_count(count) && before.ends_with(hash) => before,
        _ => stem,
    };
    match stem.strip_suffix(hash).and_then(|stem| stem.strip_suffix('-')) {
        Some(stem) => format!("{stem}.{ending}"),
        None => archived.to_owned(),
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{name_before, sha256};

    #[test]
    fn the_name_of_an_archived_file_is_the_one_it_came_under() {
        let hash = sha256(b"x").get(..8).unwrap().to_owned();
        for (archived, came) in [
            ("shp_1.csv".to_owned(), "shp_1.csv"),
            ("shp-20261123.csv".to_owned(), "shp-20261123.csv"),
            (format!("shp_1-{hash}.csv"), "shp_1.csv"),
            (format!("shp-2-{hash}-17.csv"), "shp-2.csv"),
        ] {
            assert_eq!(name_before(&archived, b"x"), came);
        }
        let of_another = format!("shp_1-{hash}.csv");
        assert_eq!(name_before(&of_another, b"y"), of_another);
    }
}
