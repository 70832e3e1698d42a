//! Putting orders into the folder the warehouse reads.
//!
//! A file is written whole under a temporary name, read back, and then renamed. The rename is the commit, and the
//! temporary file its witness (docs/reliability.md): while it is there the rename has not happened, and once it is
//! gone the rename has, even if the warehouse has taken the file away since. Nobody else may remove temporary files.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use connect::{
    Armed, Capture, ConnectorError, Delivery, Effect, EffectKind, ErrorKind, FileError, FileErrorKind, FileStore,
    Prepared, Probe, RemoteRef, Renamed, RequestState, Sent, Sighting, Sightings,
    planted::{Planted, planted},
};
use encoding_rs::Encoding;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{
    order_file::{OrderRows, is_file_name, rows_by_order, write},
    outbox::sha256,
};

/// Files prepared at once.
const AT_ONCE: usize = 4;
/// Largest file compared with what would be written, in bytes; order files are far smaller.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// Most untaken files that are looked into at once.
const MOST_FILES: usize = 500;

/// The folder the warehouse reads.
pub(super) struct Inbox {
    pub(super) store: Arc<dyn FileStore>,
    /// Names the place; see [`Baseline::place`].
    pub(super) place: String,
    pub(super) folder: String,
    pub(super) encoding: &'static Encoding,
}

/// What a file's effects keep between preparing, sending and probing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Baseline {
    /// Where the temporary file was written. In another place its absence would say nothing.
    place: String,
    temp: String,
    #[serde(rename = "final")]
    target: String,
    sha256: String,
    size: u64,
    /// The orders in it. An order that is not sent with the others must not travel along.
    keys: Vec<String>,
}

impl Baseline {
    fn file(&self) -> RemoteRef {
        RemoteRef::new(self.target.rsplit('/').next().unwrap_or(&self.target))
    }

    fn of(armed: &Armed) -> Option<Self> {
        serde_json::from_value(armed.baseline.clone()).ok()
    }
}

impl Inbox {
    pub(super) async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let mut files: BTreeMap<String, Vec<(usize, String, OrderRows)>> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(effects.len());
        for (index, effect) in effects.iter().enumerate() {
            if effect.kind != EffectKind::SubmitRequest {
                return Err(ConnectorError::unsupported("the file exchange has no message for this"));
            }
            let why = "its rows cannot be read back; plan it again".to_owned();
            outcomes.push(Prepared::Impossible { why });
            if let Ok(order) = serde_json::from_str::<OrderRows>(&effect.body)
                && is_file_name(&order.file)
            {
                files.entry(order.file.clone()).or_default().push((index, effect.key.clone(), order));
            }
        }
        let prepared: Vec<Vec<(usize, Prepared)>> = stream::iter(files)
            .map(|(name, orders)| self.prepare_file(name, orders))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (index, outcome) in prepared.into_iter().flatten() {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        Ok(outcomes)
    }

    /// Writes a file of the orders given, which may be fewer than were planned for it.
    async fn prepare_file(
        &self,
        name: String,
        mut orders: Vec<(usize, String, OrderRows)>,
    ) -> Result<Vec<(usize, Prepared)>, ConnectorError> {
        orders.sort_by_key(|(_, _, order)| order.place);
        let indices: Vec<usize> = orders.iter().map(|(index, ..)| *index).collect();
        let content =
            write(orders.iter().map(|(_, _, order)| order), self.encoding).map_err(ConnectorError::unexpected)?;
        let target = format!("{}/{name}", self.folder);
        for there in [target.clone(), format!("{}/archive/{name}", self.folder)] {
            if let Some(found) = self.compare(&there, &content, &orders).await? {
                return Ok(indices.into_iter().zip(found).collect());
            }
        }
        let temp = format!("{target}.part");
        let size = content.len() as u64;
        // One that lies there whole is left alone: a rename that the server is still to carry out, after its caller has given
        // up, must never find it half written.
        if !self.holds(&temp, &content).await? {
            self.store.write(&temp, &content).await?;
            if !self.holds(&temp, &content).await? {
                return Err(ConnectorError::transient(format!(
                    "{temp} does not hold what was written to it; it is written again"
                )));
            }
        }
        let keys = orders.into_iter().map(|(_, key, _)| key).collect();
        let baseline = Baseline { place: self.place.clone(), temp, target, sha256: sha256(&content), size, keys };
        let baseline = serde_json::to_value(baseline).map_err(|error| ConnectorError::unexpected(error.to_string()))?;
        Ok(indices.into_iter().map(|index| (index, Prepared::Ready { baseline: baseline.clone() })).collect())
    }

    /// Whether a file is there with exactly this content.
    async fn holds(&self, path: &str, content: &[u8]) -> Result<bool, FileError> {
        let size = content.len() as u64;
        if self.store.stat(path).await?.map(|entry| entry.size) != Some(size) {
            return Ok(false);
        }
        match self.store.read(path, size).await {
            Ok(there) => Ok(there == content),
            Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The orders of files that the warehouse has not taken out of its folder yet.
    pub(super) async fn untaken(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let mut sightings = Sightings::blind(
            "a file exchange cannot be asked: only order files that were not taken yet can be seen in the folder",
        );
        let wanted: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let files = self.store.list(&self.folder).await?;
        for file in files.iter().filter(|file| is_file_name(&file.name)).take(MOST_FILES) {
            let content = match self.store.read(&format!("{}/{}", self.folder, file.name), LARGEST).await {
                Ok(content) => content,
                // Taken, or not for us to read: it says nothing.
                Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for key in rows_by_order(&content, self.encoding).into_keys().filter(|key| wanted.contains(key.as_str())) {
                let there = sightings.found.entry(key).or_insert_with(|| Sighting {
                    references: Vec::new(),
                    state: RequestState::Waiting,
                    since: None,
                });
                there.references.push(file.name.clone());
            }
        }
        Ok(sightings)
    }

    /// What lies under a name, compared with what would be written: one answer for each order; `None` when nothing does.
    async fn compare(
        &self,
        path: &str,
        content: &[u8],
        orders: &[(usize, String, OrderRows)],
    ) -> Result<Option<Vec<Prepared>>, ConnectorError> {
        let reference = RemoteRef::new(path.rsplit('/').next().unwrap_or(path));
        let there = match self.store.read(path, LARGEST).await {
            Ok(there) => there,
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => return Ok(None),
            // Too large, or not to be read by us: whether anything is there at all is asked once more.
            Err(FileError { kind: FileErrorKind::Refused, .. }) => match self.store.stat(path).await? {
                Some(_) => Vec::new(),
                None => return Ok(None),
            },
            Err(error) => return Err(error.into()),
        };
        let equal = || Prepared::Found(Probe::Equal(reference.clone()));
        if there == content {
            return Ok(Some(orders.iter().map(|_| equal()).collect()));
        }
        let others = rows_by_order(&there, self.encoding);
        let one = |(_, key, order): &(usize, String, OrderRows)| match others.get(key) {
            Some(rows) if *rows == order.rows => equal(),
            // Orders planned for one file need not go together: one may have been held, or waited for its turn. Nothing of
            // this one was sent, and a file of this name is never written again.
            None if !others.is_empty() => Prepared::Impossible {
                why: format!("{path} went without this order, which is planned again for another file"),
            },
            Some(_) | None => Prepared::Found(Probe::Different {
                reference: reference.clone(),
                difference: format!("{path} is there already and is not what would be written"),
            }),
        };
        Ok(Some(orders.iter().map(one).collect()))
    }

    pub(super) async fn send(&self, batch: &[Armed]) -> Delivery {
        let not_sent = |why: &str| Delivery::all(batch.len(), &Sent::not_sent(ErrorKind::Transient, why), None);
        let Some(baseline) = batch.first().and_then(Baseline::of) else {
            return not_sent("there is no prepared file for it; it is prepared again");
        };
        let sent_keys: Vec<&str> = batch.iter().map(|armed| armed.effect.key.as_str()).collect();
        let all_in = baseline.keys.len() == sent_keys.len()
            && sent_keys.iter().all(|key| baseline.keys.iter().any(|known| known == key));
        if !all_in || batch.iter().any(|armed| Baseline::of(armed).as_ref() != Some(&baseline)) {
            return not_sent("the prepared file does not hold exactly these orders; it is prepared again");
        }
        if baseline.place != self.place {
            return not_sent("the file was prepared for another place; it is prepared again");
        }
        let renamed = self.store.rename(&baseline.temp, &baseline.target).await;
        let (outcome, told) = match renamed {
            Ok(Renamed::Done) => (Sent::Accepted { reference: Some(baseline.file()) }, "renamed".to_owned()),
            Ok(Renamed::TargetExists) => self.taken_name(&baseline).await,
            // Nobody has renamed it before, so somebody has removed it: nothing was published, and it is written anew.
            Ok(Renamed::SourceGone) if batch.iter().all(|armed| armed.attempt == 1) => {
                let why = format!(
                    "{} was removed by somebody before it got its final name; it is written again",
                    baseline.temp
                );
                (Sent::not_sent(ErrorKind::Transient, why.clone()), why)
            }
            // An earlier try may have renamed it; that is for the probe to say.
            Ok(Renamed::SourceGone) => {
                let why = format!("{} is not there any more", baseline.temp);
                (Sent::unknown(why.clone()), why)
            }
            Err(error) => (outcome_of(&error), error.message),
        };
        let capture = Capture {
            request: format!("rename {} to {}", baseline.temp, baseline.target),
            request_body: format!(
                "{} orders, {} bytes, SHA-256 {}",
                baseline.keys.len(),
                baseline.size,
                baseline.sha256
            ),
            status: 0,
            response_body: told,
        };
        Delivery::all(batch.len(), &outcome, Some(capture))
    }

    /// The final name is taken. A server that renames by a second name may have been stopped between its two steps: then
    /// the file there is ours, and the order has been sent.
    async fn taken_name(&self, baseline: &Baseline) -> (Sent, String) {
        match self.is_published(baseline).await {
            Ok(true) => (Sent::Accepted { reference: Some(baseline.file()) }, "it lies there already".to_owned()),
            Ok(false) => {
                let message = format!("{} exists already and is another file", baseline.target);
                (Sent::Refused { code: "exists".to_owned(), message: message.clone() }, message)
            }
            Err(error) => (Sent::unknown(error.message.clone()), error.message),
        }
    }

    async fn is_published(&self, baseline: &Baseline) -> Result<bool, FileError> {
        match self.store.read(&baseline.target, baseline.size).await {
            Ok(content) => Ok(sha256(&content) == baseline.sha256),
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => Ok(false),
            // A file of another size is not ours. One of the same size that may not be read may be.
            Err(refused) if refused.kind == FileErrorKind::Refused => match self.store.stat(&baseline.target).await? {
                Some(there) if there.size == baseline.size => Err(refused),
                Some(_) | None => Ok(false),
            },
            Err(error) => Err(error),
        }
    }

    pub(super) async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        let mut known: BTreeMap<String, Probe> = BTreeMap::new();
        let mut answers = Vec::with_capacity(effects.len());
        for armed in effects {
            let baseline = Baseline::of(armed)
                .ok_or_else(|| ConnectorError::unexpected("what was prepared for this order cannot be read back"))?;
            if baseline.place != self.place {
                return Err(ConnectorError::unexpected(format!(
                    "the order was being sent to {}, and the settings now name {}: whether it arrived must be seen there",
                    baseline.place, self.place
                )));
            }
            if !known.contains_key(&baseline.temp) {
                let waiting = self.store.stat(&baseline.temp).await?.is_some();
                // Both names at once: the server was stopped half-way through a rename that makes a second name first.
                let forgets = planted(Planted::GoneIsNotSent);
                let answer = if forgets || waiting && !self.is_published(&baseline).await? {
                    Probe::Absent
                } else {
                    Probe::Equal(baseline.file())
                };
                known.insert(baseline.temp.clone(), answer);
            }
            answers.extend(known.get(&baseline.temp).cloned());
        }
        Ok(answers)
    }
}

fn outcome_of(error: &FileError) -> Sent {
    let message = error.message.clone();
    match error.kind {
        FileErrorKind::NotReached => Sent::not_sent(ErrorKind::Transient, message),
        FileErrorKind::Credentials => Sent::not_sent(ErrorKind::Credentials, message),
        FileErrorKind::Refused | FileErrorKind::NotFound => Sent::Refused { code: "file".to_owned(), message },
        FileErrorKind::Unknown => Sent::Unknown { why: message },
    }
}
