//! Finding again what a hub that lost its memory sent and read (docs/recovery.md): orders in the files that lie in the
//! warehouse's folder and in its archive, and shipment files that were put away. Reads only.
//!
//! The name of an order file holds a time, so the same order planned again gets another name: orders are looked for by their
//! number, in every file of the window.

use std::collections::BTreeMap;

use connect::{
    Armed, ConnectorError, FeedCursor, FileEntry, FileError, FileErrorKind, FoundAgain, Probe, RemoteRef, ShipmentPage,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Dsfx,
    columns::Table,
    order_file::{OrderRows, is_file_name, rows_by_order},
    publish::Inbox,
    shipments,
};
use crate::files::{mailbox::LARGEST, outbox::Complete};

/// How much earlier than the window a file may have been written and still be looked at: it may have been waiting, and the
/// other side's clock writes the time.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// Most shipment files of one reading.
const MOST_FILES: usize = 200;

fn of_window(entry: &FileEntry, since: Timestamp) -> bool {
    let from = since.checked_sub(LOOK_BACK).unwrap_or(since);
    entry.modified.is_none_or(|modified| modified >= from)
}

/// An order as it stands in some files: its rows, and the file.
type Found = BTreeMap<String, Vec<(RemoteRef, Vec<Vec<String>>)>>;

impl Inbox {
    pub(super) async fn find_again(
        &self,
        effects: &[Armed],
        since: Timestamp,
    ) -> Result<Vec<FoundAgain>, ConnectorError> {
        let archive = format!("{}/archive", self.to.folder);
        let archived = match self.to.store.list(&archive).await {
            Ok(entries) => Some(entries),
            Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let mut found = Found::new();
        // What is taken in while this looks goes from the first to the second, and is then seen twice, never missed.
        let waiting = self.to.store.list(&self.to.folder).await?;
        self.read_orders(&self.to.folder, &waiting, since, &mut found).await?;
        if let Some(entries) = &archived {
            // Listed again: what went there between the two lists must be seen.
            let entries = self.to.store.list(&archive).await.unwrap_or_else(|_| entries.clone());
            self.read_orders(&archive, &entries, since, &mut found).await?;
        }
        effects.iter().map(|armed| self.judge(armed, &found, archived.is_some())).collect()
    }

    async fn read_orders(
        &self,
        folder: &str,
        entries: &[FileEntry],
        since: Timestamp,
        found: &mut Found,
    ) -> Result<(), ConnectorError> {
        for entry in entries.iter().filter(|entry| is_file_name(&entry.name) && of_window(entry, since)) {
            let content = match self.to.store.read(&format!("{folder}/{}", entry.name), LARGEST).await {
                Ok(content) => content,
                Err(FileError { kind: FileErrorKind::NotFound, .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for (key, rows) in rows_by_order(&content, self.encoding) {
                let there = found.entry(key).or_default();
                if !there.iter().any(|(reference, _)| reference.id == entry.name) {
                    there.push((RemoteRef::new(&entry.name), rows));
                }
            }
        }
        Ok(())
    }

    fn judge(&self, armed: &Armed, found: &Found, archived: bool) -> Result<FoundAgain, ConnectorError> {
        let order: OrderRows = serde_json::from_str(&armed.effect.body)
            .map_err(|error| ConnectorError::unexpected(format!("its rows cannot be read back: {error}")))?;
        let there = found.get(&armed.effect.key).map(Vec::as_slice).unwrap_or_default();
        Ok(match there {
            [(reference, rows)] if *rows == order.rows => FoundAgain::Seen(Probe::Equal(reference.clone())),
            [(reference, _)] => FoundAgain::Seen(Probe::Different {
                reference: reference.clone(),
                difference: "the order was sent with other rows than it would be sent with now".to_owned(),
            }),
            [] if archived => FoundAgain::Seen(Probe::Absent),
            [] => FoundAgain::CannotBeAsked {
                compare: format!(
                    "order {} is in no file in {}, and the warehouse keeps no archive of what it took in: ask it whether it has the \
                     order",
                    armed.effect.key, self.to.folder
                ),
            },
            several => FoundAgain::Seen(Probe::Many(several.iter().map(|(reference, _)| reference.clone()).collect())),
        })
    }
}

impl Dsfx {
    /// The archived shipment files of the window, by name; those that were left where they are come with the next reading
    /// by themselves.
    pub(super) async fn archived_shipments(
        &self,
        since: Timestamp,
        after: Option<&str>,
    ) -> Result<ShipmentPage, ConnectorError> {
        let folder = format!("{}/archive", self.config.out_folder);
        let entries = match self.store.list(&folder).await {
            Ok(entries) => entries,
            Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let mut names: Vec<String> = entries
            .into_iter()
            .filter(|entry| entry.name.starts_with("shp_") && entry.name.ends_with(".csv") && of_window(entry, since))
            .map(|entry| entry.name)
            .filter(|name| after.is_none_or(|after| name.as_str() > after))
            .collect();
        names.sort();
        let mut page = ShipmentPage { more: names.len() > MOST_FILES, ..ShipmentPage::default() };
        names.truncate(MOST_FILES);
        page.next = FeedCursor(names.last().cloned());
        for name in names {
            let content = match self.store.read(&format!("{folder}/{name}"), LARGEST).await {
                Ok(content) => content,
                Err(FileError { kind: FileErrorKind::NotFound, .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let file = Complete { name, modified: None, content };
            // It was read once already; one that cannot be read now is shown like any other.
            let read = Table::read(&file.content, &self.config.shipments, self.config.encoding)
                .and_then(|table| shipments::read(&table, &self.config.zone));
            match read {
                Ok(shipments) => {
                    page.shipments.extend(shipments);
                    page.taken.push(file.taken());
                }
                Err(reason) => page.rejected.push(Self::reject(file.taken(), &reason)),
            }
        }
        Ok(page)
    }
}
