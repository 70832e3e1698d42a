//! Orders as rows of files: which orders share one, putting it into the folder the warehouse reads, and what became of one
//! that was tried before.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Armed, ConnectorError, Effect, EffectDraft, EffectKind, FileError, FileErrorKind, FoundAgain, KeysAgain, PlanError,
    Prepared, Probe, RemoteRef, RequestState, ShipmentRequest, Sighting, Sightings,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    again,
    mailbox::{LARGEST, Mailbox, equal, json},
    outbox::sha256,
    witness::{self, Baseline, Fate},
};

/// Longest order number. Files of rows name no limit; this keeps file names well below those of file systems.
const LONGEST_KEY: usize = 64;

/// Files prepared at once.
const AT_ONCE: usize = 4;
/// Most untaken files that are looked into at once.
const MOST_FILES: usize = 500;

/// How orders are written, and read back.
pub(crate) trait OrderFiles: Send + Sync {
    /// The rows of an order.
    ///
    /// # Errors
    /// Why the order can never be written so, and what to do.
    fn rows(&self, request: &ShipmentRequest) -> Result<Vec<Vec<String>>, PlanError>;

    /// The name of a file, by the key of its first order.
    fn name(&self, first_key: &str, now: Timestamp) -> String;

    /// Whether this is a name that [`OrderFiles::name`] gives.
    fn is_name(&self, name: &str) -> bool;

    /// Most orders in one file.
    fn most(&self) -> usize;

    /// The bytes of a file.
    ///
    /// # Errors
    /// When a row cannot be written.
    fn write(&self, orders: &[&OrderRows]) -> Result<Vec<u8>, String>;

    /// The rows of a file by order number; empty when it is not one.
    fn by_order(&self, content: &[u8]) -> BTreeMap<String, Vec<Vec<String>>>;
}

/// One order of a file: the frozen body of its effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderRows {
    /// Name of the file it belongs to.
    pub(crate) file: String,
    /// Its place in the file, from 0.
    pub(crate) place: usize,
    /// As they are written.
    pub(crate) rows: Vec<Vec<String>>,
}

/// One effect for each request, in order; as many as fit share a file.
pub(crate) fn plan(
    files: &impl OrderFiles,
    requests: &[ShipmentRequest],
    now: Timestamp,
) -> Vec<Result<EffectDraft, PlanError>> {
    let mut seen = BTreeSet::new();
    let mut file: Option<(String, usize)> = None;
    let mut plan = Vec::with_capacity(requests.len());
    for request in requests {
        let rows = if seen.insert(request.key.as_str()) {
            check_key(&request.key).and_then(|()| files.rows(request))
        } else {
            Err(PlanError::new(format!("order number {} is given twice", request.key)))
        };
        plan.push(rows.map(|rows| {
            let (name, place) = file
                .take()
                .filter(|(_, used)| *used < files.most())
                .unwrap_or_else(|| (files.name(&request.key, now), 0));
            file = Some((name.clone(), place + 1));
            draft(request, OrderRows { file: name, place, rows })
        }));
    }
    plan
}

fn draft(request: &ShipmentRequest, order: OrderRows) -> EffectDraft {
    let lines = request.lines.len();
    EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: request.key.clone(),
        batch: Some(order.file.clone()),
        body: serde_json::json!(order).to_string(),
        numbering: None,
        title: format!(
            "Send order {} to the warehouse ({lines} {})",
            request.order_number,
            if lines == 1 { "line" } else { "lines" }
        ),
    }
}

/// Whether a character may stand in an order number.
pub(crate) fn is_key_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '-' || character == '_'
}

fn check_key(key: &str) -> Result<(), PlanError> {
    if key.is_empty() || key.len() > LONGEST_KEY || !key.chars().all(is_key_character) {
        return Err(PlanError::new(format!(
            "order number {key:?} may hold letters, digits, dash and underscore only, and at most {LONGEST_KEY} of them: \
             shorten the order key prefix of the connection"
        )));
    }
    Ok(())
}

/// The folder the warehouse reads.
pub(crate) struct Inbox<F> {
    pub(crate) to: Mailbox,
    pub(crate) files: F,
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

impl<F: OrderFiles> Inbox<F> {
    pub(crate) async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        let mut files: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
        let mut outcomes = Vec::with_capacity(effects.len());
        for (index, effect) in effects.iter().enumerate() {
            if effect.kind != EffectKind::SubmitRequest {
                return Err(ConnectorError::unsupported("the file exchange has no message for this"));
            }
            let why = "its rows cannot be read back; plan it again".to_owned();
            outcomes.push(Prepared::Impossible { why });
            if let Ok(order) = serde_json::from_str::<OrderRows>(&effect.body)
                && self.files.is_name(&order.file)
            {
                let tried = Baseline::tried(effect, &self.to.place);
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
        let target = format!("{}/{name}", self.to.folder);
        let rows: Vec<&OrderRows> = orders.iter().map(|wanted| &wanted.order).collect();
        let content = self.files.write(&rows).map_err(ConnectorError::unexpected)?;
        let mut settled: Vec<(usize, Prepared)> = Vec::new();
        if let Some(tried) = same_file(&orders, &target, &content) {
            // The same file once more: whichever attempt renames it, it is published once.
            match witness::fate(&*self.to.store, &tried).await? {
                Fate::Waits
                    if witness::holds(&*self.to.store, &tried.temp, &content).await?
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
            if witness::withdraw(&*self.to.store, tried).await? == Fate::Published {
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
        let keys = orders.iter().map(|wanted| wanted.key.clone()).collect();
        let baseline = json(&self.to.put(target, &content, keys).await?)?;
        Ok(orders.iter().map(|wanted| (wanted.index, Prepared::Ready { baseline: baseline.clone() })).collect())
    }

    /// What lies under the final name, or in the archive under it; `None` when nothing does.
    async fn lies_there(
        &self,
        target: &str,
        name: &str,
        content: &[u8],
        orders: &[Wanted],
    ) -> Result<Option<Vec<(usize, Prepared)>>, ConnectorError> {
        for there in [target.to_owned(), format!("{}/archive/{name}", self.to.folder)] {
            if let Some(found) = self.compare(&there, content, orders).await? {
                return Ok(Some(orders.iter().map(|wanted| wanted.index).zip(found).collect()));
            }
        }
        Ok(None)
    }

    /// The orders of files that the warehouse has not taken out of its folder yet.
    pub(crate) async fn untaken(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        let mut sightings = Sightings::blind(
            "a file exchange cannot be asked: only order files that were not taken yet can be seen in the folder",
        );
        let wanted: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let files = self.to.store.list(&self.to.folder).await?;
        for file in files.iter().filter(|file| self.files.is_name(&file.name)).take(MOST_FILES) {
            let content = match self.to.store.read(&format!("{}/{}", self.to.folder, file.name), LARGEST).await {
                Ok(content) => content,
                // Taken, or not for us to read: it says nothing.
                Err(FileError { kind: FileErrorKind::NotFound | FileErrorKind::Refused, .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            for key in self.files.by_order(&content).into_keys().filter(|key| wanted.contains(key.as_str())) {
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

    /// Finds orders again by their number, in every file of the window: planned again, the same order gets a file of another
    /// name.
    pub(crate) async fn find_again(
        &self,
        effects: &[Armed],
        since: Timestamp,
    ) -> Result<Vec<FoundAgain>, ConnectorError> {
        let is_name = |name: &str| self.files.is_name(name);
        let memory = again::orders(&self.to, since, is_name, |content| self.files.by_order(content)).await?;
        let one = |armed: &Armed| {
            let order: OrderRows = serde_json::from_str(&armed.effect.body)
                .map_err(|error| ConnectorError::unexpected(format!("its rows cannot be read back: {error}")))?;
            Ok(memory.of(&armed.effect.key, &order.rows, |_| true))
        };
        effects.iter().map(one).collect()
    }

    /// The keys of the orders in every file of the window.
    pub(crate) async fn keys_again(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        let is_name = |name: &str| self.files.is_name(name);
        let memory = again::orders(&self.to, since, is_name, |content| self.files.by_order(content)).await?;
        Ok(memory.keys(head))
    }

    /// What lies under a name, compared with what would be written: one answer for each order; `None` when nothing does.
    async fn compare(
        &self,
        path: &str,
        content: &[u8],
        orders: &[Wanted],
    ) -> Result<Option<Vec<Prepared>>, ConnectorError> {
        let reference = RemoteRef::new(path.rsplit('/').next().unwrap_or(path));
        let there = match self.to.store.read(path, LARGEST).await {
            Ok(there) => there,
            Err(FileError { kind: FileErrorKind::NotFound, .. }) => return Ok(None),
            // Too large, or not to be read by us: whether anything is there at all is asked once more.
            Err(FileError { kind: FileErrorKind::Refused, .. }) => match self.to.store.stat(path).await? {
                Some(_) => Vec::new(),
                None => return Ok(None),
            },
            Err(error) => return Err(error.into()),
        };
        let equal = || Prepared::Found(Probe::Equal(reference.clone()));
        if there == content {
            return Ok(Some(orders.iter().map(|_| equal()).collect()));
        }
        let others = self.files.by_order(&there);
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

fn went_without(path: &str) -> Prepared {
    Prepared::Impossible { why: format!("{path} went without this order, which is planned again for another file") }
}
