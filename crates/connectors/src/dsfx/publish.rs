//! Putting orders into the folder the warehouse reads.
//!
//! A file is written whole under a temporary name, read back, and then renamed. The rename is the commit, and the
//! temporary file its witness ([`super::witness`]).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use connect::{
    Armed, Capture, ConnectorError, Delivery, Effect, EffectKind, ErrorKind, FileError, FileErrorKind, FileStore,
    Prepared, Probe, Random, RemoteRef, Renamed, RequestState, Sent, Sighting, Sightings,
    planted::{Planted, planted},
};
use encoding_rs::Encoding;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    order_file::{OrderRows, is_file_name, rows_by_order, write},
    outbox::sha256,
    witness::{self, Baseline, Fate},
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
    /// Makes names that nothing else has.
    pub(super) random: Arc<dyn Random>,
}

/// An order of a file.
struct Wanted {
    /// Its place among the effects.
    index: usize,
    key: String,
    order: OrderRows,
    /// What its last attempt was made with.
    tried: Option<Baseline>,
}

impl Inbox {
    pub(super) async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let mut files: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
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
                let tried = Baseline::tried(effect, &self.place);
                files.entry(order.file.clone()).or_default().push(Wanted {
                    index,
                    key: effect.key.clone(),
                    order,
                    tried,
                });
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

    /// Prepares a file of the orders given, which may be fewer than were planned for it.
    async fn prepare_file(
        &self,
        name: String,
        mut orders: Vec<Wanted>,
    ) -> Result<Vec<(usize, Prepared)>, ConnectorError> {
        orders.sort_by_key(|wanted| wanted.order.place);
        let target = format!("{}/{name}", self.folder);
        let content =
            write(orders.iter().map(|wanted| &wanted.order), self.encoding).map_err(ConnectorError::unexpected)?;
        let mut settled: Vec<(usize, Prepared)> = Vec::new();
        if let Some(tried) = same_file(&orders, &target, &content) {
            // The same file once more: whichever attempt renames it, it is published once.
            match witness::fate(&*self.store, &tried).await? {
                Fate::Waits
                    if witness::holds(&*self.store, &tried.temp, &content).await?
                        && self.lies_there(&target, &name, &content, &orders).await?.is_none() =>
                {
                    let baseline = json(&tried)?;
                    let ready = |wanted: &Wanted| (wanted.index, Prepared::Ready { baseline: baseline.clone() });
                    return Ok(orders.iter().map(ready).collect());
                }
                Fate::Published => return Ok(orders.iter().map(|wanted| (wanted.index, equal(&tried))).collect()),
                Fate::Waits | Fate::Withdrawn => {}
            }
        }
        // Another file than an earlier attempt was made with, or its name is taken: that attempt must not publish any more, or has.
        let mut earlier: BTreeMap<String, Baseline> = BTreeMap::new();
        for tried in orders.iter().filter_map(|wanted| wanted.tried.as_ref()) {
            earlier.insert(tried.temp.clone(), tried.clone());
        }
        for tried in earlier.values() {
            if witness::withdraw(&*self.store, tried).await? == Fate::Published {
                let (sent, left) = orders.into_iter().partition(|wanted| tried.keys.contains(&wanted.key));
                orders = left;
                settled.extend(sent.into_iter().map(|wanted: Wanted| (wanted.index, equal(tried))));
            }
        }
        if orders.is_empty() {
            return Ok(settled);
        }
        if !settled.is_empty() {
            let went = |wanted: &Wanted| (wanted.index, went_without(&target));
            settled.extend(orders.iter().map(went));
            return Ok(settled);
        }
        if let Some(found) = self.lies_there(&target, &name, &content, &orders).await? {
            return Ok(found);
        }
        let temp = format!("{target}.{}.part", nonce(&*self.random));
        if let Err(error) = self.write_whole(&temp, &content).await {
            // Nothing was armed with it, so nothing will ever rename it; what is left of it is only in the way.
            let _left_behind = self.store.remove(&temp).await;
            return Err(error);
        }
        let (size, sha256) = (content.len() as u64, sha256(&content));
        let keys = orders.iter().map(|wanted| wanted.key.clone()).collect();
        let baseline = Baseline { place: self.place.clone(), temp, target, sha256, size, keys };
        let baseline = json(&baseline)?;
        Ok(orders.iter().map(|wanted| (wanted.index, Prepared::Ready { baseline: baseline.clone() })).collect())
    }

    async fn write_whole(&self, temp: &str, content: &[u8]) -> Result<(), ConnectorError> {
        self.store.write(temp, content).await?;
        match witness::holds(&*self.store, temp, content).await? {
            true => Ok(()),
            false => Err(ConnectorError::transient(format!(
                "{temp} does not hold what was written to it; it is written again"
            ))),
        }
    }

    /// What lies under the final name, or in the archive under it; `None` when nothing does.
    async fn lies_there(
        &self,
        target: &str,
        name: &str,
        content: &[u8],
        orders: &[Wanted],
    ) -> Result<Option<Vec<(usize, Prepared)>>, ConnectorError> {
        for there in [target.to_owned(), format!("{}/archive/{name}", self.folder)] {
            if let Some(found) = self.compare(&there, content, orders).await? {
                return Ok(Some(orders.iter().map(|wanted| wanted.index).zip(found).collect()));
            }
        }
        Ok(None)
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
                    left: Vec::new(),
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
        orders: &[Wanted],
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
        let one = |wanted: &Wanted| match others.get(&wanted.key) {
            Some(rows) if *rows == wanted.order.rows => equal(),
            // Orders planned for one file need not go together: one may have been held, or waited for its turn. Nothing of
            // this one was sent, and a file of this name is never written again.
            None if !others.is_empty() => went_without(path),
            Some(_) | None => Prepared::Found(Probe::Different {
                reference: reference.clone(),
                difference: format!("{path} is there already and is not what would be written"),
            }),
        };
        Ok(Some(orders.iter().map(one).collect()))
    }

    pub(super) async fn send(&self, batch: &[Armed]) -> Delivery {
        let not_sent = |why: &str| Delivery::all(batch.len(), &Sent::not_sent(ErrorKind::Transient, why), None);
        let Some(baseline) = batch.first().and_then(|armed| Baseline::of(&armed.baseline)) else {
            return not_sent("there is no prepared file for it; it is prepared again");
        };
        let sent_keys: Vec<&str> = batch.iter().map(|armed| armed.effect.key.as_str()).collect();
        let all_in = baseline.keys.len() == sent_keys.len()
            && sent_keys.iter().all(|key| baseline.keys.iter().any(|known| known == key));
        if !all_in || batch.iter().any(|armed| Baseline::of(&armed.baseline).as_ref() != Some(&baseline)) {
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
            Ok(Renamed::SourceGone) if batch.iter().all(|armed| armed.attempt == 1) => self.removed(&baseline).await,
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

    async fn removed(&self, baseline: &Baseline) -> (Sent, String) {
        let why =
            format!("{} was removed by somebody before it got its final name; it is written again", baseline.temp);
        match self.is_published(baseline).await {
            Ok(true) => {
                return (Sent::Accepted { reference: Some(baseline.file()) }, "it lies there already".to_owned());
            }
            Ok(false) => {}
            Err(error) => return (Sent::unknown(error.message.clone()), error.message),
        }
        match witness::mark_removed(&*self.store, baseline).await {
            Ok(()) => (Sent::not_sent(ErrorKind::Transient, why.clone()), why),
            Err(error) => (Sent::unknown(format!("{why}; {}", error.message)), why),
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
            let baseline = Baseline::of(&armed.baseline)
                .ok_or_else(|| ConnectorError::unexpected("what was prepared for this order cannot be read back"))?;
            if baseline.place != self.place {
                return Err(ConnectorError::unexpected(format!(
                    "the order was being sent to {}, and the settings now name {}: whether it arrived must be seen there",
                    baseline.place, self.place
                )));
            }
            if !known.contains_key(&baseline.temp) {
                let answer = match witness::fate(&*self.store, &baseline).await? {
                    _ if planted(Planted::GoneIsNotSent) => Probe::Absent,
                    // Both names at once: the server was stopped half-way through a rename that makes a second name first.
                    Fate::Waits if self.is_published(&baseline).await? => Probe::Equal(baseline.file()),
                    Fate::Waits | Fate::Withdrawn => Probe::Absent,
                    Fate::Published => Probe::Equal(baseline.file()),
                };
                known.insert(baseline.temp.clone(), answer);
            }
            answers.extend(known.get(&baseline.temp).cloned());
        }
        Ok(answers)
    }
}

/// The one file that every order was tried with, if it has this name and holds these orders and nothing else.
fn same_file(orders: &[Wanted], target: &str, content: &[u8]) -> Option<Baseline> {
    let first = orders.first()?.tried.as_ref()?;
    let all = orders.iter().all(|wanted| {
        wanted.tried.as_ref().is_some_and(|tried| tried.temp == first.temp) && first.keys.contains(&wanted.key)
    });
    let same = first.target == target && first.keys.len() == orders.len() && first.sha256 == sha256(content);
    (all && same).then(|| first.clone())
}

fn equal(tried: &Baseline) -> Prepared {
    Prepared::Found(Probe::Equal(tried.file()))
}

fn went_without(path: &str) -> Prepared {
    Prepared::Impossible { why: format!("{path} went without this order, which is planned again for another file") }
}

fn nonce(random: &dyn Random) -> String {
    let mut bytes = [0_u8; 5];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json(baseline: &Baseline) -> Result<serde_json::Value, ConnectorError> {
    serde_json::to_value(baseline).map_err(|error| ConnectorError::unexpected(error.to_string()))
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
