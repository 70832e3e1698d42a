//! Finding again what a hub that lost its memory sent and read (docs/recovery.md): orders in the files that lie in the
//! warehouse's folder and in its archive, and files of the warehouse that were put away. Reads only.

use std::collections::BTreeMap;

use connect::{
    ConnectorError, FileEntry, FileError, FileErrorKind, FileStore, FoundAgain, KeysAgain, Probe, RemoteRef,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    mailbox::{LARGEST, Mailbox},
    outbox::Complete,
};

/// How much earlier than the window a file may have been written and still be looked at: it may have been waiting, and the
/// other side's clock writes the time.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// Most files of one reading.
const MOST_FILES: usize = 200;

fn of_window(entry: &FileEntry, since: Timestamp) -> bool {
    let from = since.checked_sub(LOOK_BACK).unwrap_or(since);
    entry.modified.is_none_or(|modified| modified >= from)
}

/// The orders that files of the window hold.
pub(crate) struct Memory<T> {
    folder: String,
    /// By key: each file that holds it, with what it says.
    found: BTreeMap<String, Vec<(RemoteRef, T)>>,
    /// The warehouse keeps what it took in, so that what is not there never was: its archive holds order files. One that holds
    /// none may have been made by anybody.
    archived: bool,
}

/// Reads the order files that lie in the mailbox and in its archive. `orders` gives what a file holds, by key.
pub(crate) async fn orders<T, I: IntoIterator<Item = (String, T)>>(
    mailbox: &Mailbox,
    since: Timestamp,
    is_order: impl Fn(&str) -> bool,
    orders: impl Fn(&[u8]) -> I,
) -> Result<Memory<T>, ConnectorError> {
    let mut memory = Memory { folder: mailbox.folder.clone(), found: BTreeMap::new(), archived: false };
    let archive = format!("{}/archive", mailbox.folder);
    // What is taken in while this looks goes from the first to the second, and is then seen twice, never missed.
    let waiting = mailbox.store.list(&mailbox.folder).await?;
    memory.add(mailbox, &mailbox.folder, &waiting, since, &is_order, &orders).await?;
    match mailbox.store.list(&archive).await {
        Ok(entries) => {
            memory.archived = entries.iter().any(|entry| is_order(&entry.name));
            memory.add(mailbox, &archive, &entries, since, &is_order, &orders).await?;
        }
        Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(memory)
}

impl<T> Memory<T> {
    async fn add<I: IntoIterator<Item = (String, T)>>(
        &mut self,
        mailbox: &Mailbox,
        folder: &str,
        entries: &[FileEntry],
        since: Timestamp,
        is_order: &impl Fn(&str) -> bool,
        orders: &impl Fn(&[u8]) -> I,
    ) -> Result<(), ConnectorError> {
        for entry in entries.iter().filter(|entry| is_order(&entry.name) && of_window(entry, since)) {
            let content = match mailbox.store.read(&format!("{folder}/{}", entry.name), LARGEST).await {
                Ok(content) => content,
                Err(FileError { kind: FileErrorKind::NotFound, .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let mut here: Vec<(String, T)> = orders(&content).into_iter().collect();
            // The same file seen in both places is one file.
            here.retain(|(key, _)| {
                !self.found.get(key).into_iter().flatten().any(|(reference, _)| reference.id == entry.name)
            });
            for (key, order) in here {
                self.found.entry(key).or_default().push((RemoteRef::new(&entry.name), order));
            }
        }
        Ok(())
    }

    /// What was asked for under a key with this beginning.
    pub(crate) fn keys(self, head: &str) -> KeysAgain {
        let keys = self.found.into_keys().filter(|key| key.starts_with(head)).collect();
        KeysAgain { keys, whole: self.archived }
    }
}

impl<T: PartialEq> Memory<T> {
    /// What became of an order. `same` leaves out what is under its key and is something else (a cancel, say).
    pub(crate) fn of(&self, key: &str, wanted: &T, same: impl Fn(&T) -> bool) -> FoundAgain {
        let there: Vec<&(RemoteRef, T)> =
            self.found.get(key).into_iter().flatten().filter(|(_, order)| same(order)).collect();
        match there.as_slice() {
            [(reference, order)] if order == wanted => FoundAgain::Seen(Probe::Equal(reference.clone())),
            [(reference, _)] => FoundAgain::Seen(Probe::Different {
                reference: reference.clone(),
                difference: "the order was sent with other content than it would be sent with now".to_owned(),
            }),
            [] if self.archived => FoundAgain::Seen(Probe::Absent),
            [] => FoundAgain::CannotBeAsked {
                compare: format!(
                    "order {key} is in no file in {}, and the warehouse keeps no archive of what it took in: ask it whether it has \
                     the order",
                    self.folder
                ),
            },
            several => FoundAgain::Seen(Probe::Many(several.iter().map(|(reference, _)| reference.clone()).collect())),
        }
    }
}

/// Files of the warehouse that were read and put away.
pub(crate) struct PutAway {
    pub(crate) files: Vec<Complete>,
    /// Name of the last one.
    pub(crate) last: Option<String>,
    /// There are more behind it.
    pub(crate) more: bool,
}

/// The archived files of the window, by name, of those whose names come after `after`. Those that were left where they are
/// come with the next reading by themselves.
pub(crate) async fn put_away(
    store: &dyn FileStore,
    out_folder: &str,
    since: Timestamp,
    after: Option<&str>,
    ours: impl Fn(&str) -> bool,
) -> Result<PutAway, ConnectorError> {
    let folder = format!("{out_folder}/archive");
    let entries = match store.list(&folder).await {
        Ok(entries) => entries,
        Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut entries: Vec<FileEntry> = entries
        .into_iter()
        .filter(|entry| ours(&entry.name) && of_window(entry, since))
        .filter(|entry| after.is_none_or(|after| entry.name.as_str() > after))
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let more = entries.len() > MOST_FILES;
    entries.truncate(MOST_FILES);
    let mut found = PutAway { files: Vec::new(), last: entries.last().map(|entry| entry.name.clone()), more };
    for FileEntry { name, modified, .. } in entries {
        match store.read(&format!("{folder}/{name}"), LARGEST).await {
            // Putting it away has left its time as it was.
            Ok(content) => found.files.push(Complete { name, modified, content }),
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}
