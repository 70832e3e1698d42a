//! One look at a slice of orders: read the three ledgers, put each order or note in its place, and let the doctor see its
//! notes.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Choices, GoodsOutNote, NoteState, Order, Progress, Sighting};
use engine::{
    census::{self, AtSource, Known, Patience, Place, Request},
    doctor,
    finding::{Finding, FindingKind, Subject},
    key,
    settings::StartMode,
};
use jiff::Timestamp;

use super::{Places, Reconciler, beside};
use crate::{
    db::{CensusOrder, CensusRequest, HeldElsewhere},
    flow::{FlowError, recover::Made},
};

/// What the source's searches gave.
pub(super) struct Subjects {
    /// Orders that stand where the connection takes them from or puts them.
    pub(super) orders: BTreeSet<i64>,
    /// Unshipped notes of the connection's warehouses: order and note.
    pub(super) notes: BTreeSet<(i64, i64)>,
}

/// A look in progress.
pub(super) struct Look<'a> {
    reconciler: &'a Reconciler,
    subjects: &'a Subjects,
    patience: Patience,
    choices: Choices,
    stopped: Option<String>,
    /// By order: the one it was split from, `None` for none.
    parents: BTreeMap<i64, Option<i64>>,
    /// What a lost journal made.
    made: Option<Made>,
    /// The contact that the hub's own notes are kept under.
    pub(super) author: Option<i64>,
    /// Why the warehouse's own word is missing.
    pub(super) blind: Option<String>,
    /// The warehouse should have answered and did not.
    pub(super) warehouse_failed: bool,
    /// Where everything is.
    pub(super) places: Places,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
}

/// What the three ledgers hold of a slice.
struct Ledgers {
    orders: BTreeMap<i64, Order>,
    notes: BTreeMap<i64, Vec<GoodsOutNote>>,
    known: BTreeMap<i64, CensusOrder>,
    elsewhere: BTreeMap<i64, HeldElsewhere>,
    seen: Seen,
}

/// What the warehouse says.
#[derive(Default)]
pub(super) struct Seen {
    found: BTreeMap<String, Sighting>,
    /// A key that is not found is not there.
    whole: bool,
}

impl Seen {
    /// What was found; `whole`: a key that was not found is not there.
    pub(super) fn new(found: BTreeMap<String, Sighting>, whole: bool) -> Self {
        Self { found, whole }
    }

    /// `None`: nothing can be said.
    pub(super) fn of(&self, key: &str) -> Option<Option<Sighting>> {
        match self.found.get(key) {
            Some(sighting) => Some(Some(sighting.clone())),
            None => self.whole.then_some(None),
        }
    }
}

impl<'a> Look<'a> {
    pub(super) async fn begin(
        reconciler: &'a Reconciler,
        subjects: &'a Subjects,
        patience: Patience,
    ) -> Result<Self, FlowError> {
        Ok(Self {
            reconciler,
            subjects,
            patience,
            choices: reconciler.source.choices().await?,
            stopped: reconciler.db.why_stopped(&reconciler.key).await?,
            parents: BTreeMap::new(),
            made: Made::of_lost_journal(&reconciler.db, &*reconciler.source, reconciler.settings.start_mode).await?,
            author: reconciler.author.or_else(|| reconciler.source.note_author()),
            blind: None,
            warehouse_failed: false,
            places: Places::new(),
            findings: Vec::new(),
        })
    }

    /// What could not be looked for.
    pub(super) fn unchecked(&self) -> Vec<String> {
        let unknown = "notes of Millrace's own: it is not confirmed yet under which contact Brightpearl keeps them (the first \
                       note that Millrace makes confirms it)";
        self.author.is_none().then(|| unknown.to_owned()).into_iter().collect()
    }

    /// Looks at a slice of orders.
    pub(super) async fn at(&mut self, ids: &[i64]) -> Result<(), FlowError> {
        let ledgers = self.read(ids).await?;
        let now = self.reconciler.clock.now();
        self.follow_parents(&ledgers).await?;
        for id in ids {
            let (order, known) = (ledgers.orders.get(id), ledgers.known.get(id));
            let notes = ledgers.notes.get(id).map_or(&[][..], Vec::as_slice);
            self.place(*id, &ledgers, notes, now);
            self.examine(*id, order, &ledgers, notes, now);
            if let Some(known) = known {
                self.findings.extend(beside::compare(*id, known, &ledgers.seen, &self.patience, now));
            }
        }
        Ok(())
    }

    /// What seems unknown is looked for in the hub's ledger once more: import may have taken it in meanwhile.
    pub(super) async fn once_more(&mut self) -> Result<(), FlowError> {
        let suspects: BTreeSet<i64> = self
            .findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::NotKnown)
            .filter_map(|finding| finding.order_id)
            .collect();
        let suspects: Vec<i64> = suspects.into_iter().collect();
        for slice in suspects.chunks(super::SLICE) {
            let reconciler = self.reconciler;
            let meanwhile = reconciler.db.census_orders(&reconciler.key, slice).await?;
            for id in meanwhile.keys() {
                self.findings.retain(|finding| finding.kind != FindingKind::NotKnown || finding.order_id != Some(*id));
                for (_, place) in self.places.iter_mut().filter(|((order, _), _)| order == id) {
                    *place = Place {
                        bucket: census::Bucket::OnItsWay,
                        lost: None,
                        why: "it was imported while the census ran".to_owned(),
                    };
                }
            }
        }
        Ok(())
    }

    async fn read(&mut self, ids: &[i64]) -> Result<Ledgers, FlowError> {
        let reconciler = self.reconciler;
        let source = &reconciler.source;
        let orders: BTreeMap<i64, Order> =
            source.orders(ids).await?.into_iter().map(|order| (order.order_id, order)).collect();
        let mut notes: BTreeMap<i64, Vec<GoodsOutNote>> = BTreeMap::new();
        for note in source.notes(ids).await? {
            notes.entry(note.order_id).or_default().push(note);
        }
        // A note that was read may be the first to confirm whose the hub's own are.
        self.author = self.author.or_else(|| source.note_author());
        // After the source was read: what the hub did in between is then known to it, and not taken for somebody else's doing.
        let known = reconciler.db.census_orders(&reconciler.key, ids).await?;
        let strangers: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| !known.contains_key(id) && orders.contains_key(id) && self.is_subject(*id))
            .collect();
        let elsewhere = reconciler.db.held_elsewhere(&reconciler.key, &reconciler.account, ids).await?;
        let seen = self.ask_warehouse(&known, &strangers).await?;
        Ok(Ledgers { orders, notes, known, elsewhere, seen })
    }

    /// Whether this connection has to account for it. In order mode a note alone does not make an order its business.
    fn is_subject(&self, order_id: i64) -> bool {
        if self.reconciler.settings.start_mode == StartMode::Order {
            return self.subjects.orders.contains(&order_id);
        }
        self.subjects.notes.range((order_id, i64::MIN)..=(order_id, i64::MAX)).next().is_some()
    }

    async fn ask_warehouse(
        &mut self,
        known: &BTreeMap<i64, CensusOrder>,
        strangers: &[i64],
    ) -> Result<Seen, FlowError> {
        let reconciler = self.reconciler;
        let mut keys: Vec<String> =
            known.values().flat_map(|order| order.requests.iter().map(|request| request.key.clone())).collect();
        // What the hub has lost is at the warehouse under the key that it would have today.
        for order_id in strangers {
            keys.push(self.request_key(*order_id, None));
            let notes = self.subjects.notes.range((*order_id, i64::MIN)..=(*order_id, i64::MAX));
            keys.extend(notes.map(|(_, note)| self.request_key(*order_id, Some(*note))));
        }
        if keys.is_empty() {
            return Ok(Seen::new(BTreeMap::new(), true));
        }
        match reconciler.warehouse.sightings(&keys).await {
            Ok(sightings) => {
                let whole = sightings.blind.is_none();
                self.blind = self.blind.take().or(sightings.blind);
                Ok(Seen::new(sightings.found, whole))
            }
            Err(error) => {
                tracing::warn!(connection.id = %reconciler.key.connection, "census: the warehouse did not answer: {error}");
                self.warehouse_failed = true;
                self.blind = Some(format!("the warehouse did not answer: {error}"));
                Ok(Seen::default())
            }
        }
    }

    fn request_key(&self, order_id: i64, note_id: Option<i64>) -> String {
        let prefix = self.reconciler.settings.key_prefix.as_deref();
        key::request_key(prefix, &self.reconciler.account, order_id, note_id)
    }

    /// Reads who was split from whom, as far up as matters.
    async fn follow_parents(&mut self, ledgers: &Ledgers) -> Result<(), FlowError> {
        let mut wanted: BTreeSet<i64> = BTreeSet::new();
        for order in ledgers.orders.values() {
            self.parents.insert(order.order_id, order.parent_id);
            wanted.extend(order.parent_id);
        }
        for _ in 0..=doctor::MOST_GENERATIONS {
            let missing: Vec<i64> = wanted.iter().copied().filter(|id| !self.parents.contains_key(id)).collect();
            if missing.is_empty() {
                // Those known already may have parents that are not.
                let up: BTreeSet<i64> =
                    wanted.iter().filter_map(|id| self.parents.get(id).copied().flatten()).collect();
                if up.is_subset(&wanted) {
                    break;
                }
                wanted.extend(up);
                continue;
            }
            let read = self.reconciler.source.orders(&missing).await?;
            for id in missing {
                let parent = read.iter().find(|order| order.order_id == id).and_then(|order| order.parent_id);
                self.parents.insert(id, parent);
                wanted.extend(parent);
            }
        }
        Ok(())
    }

    fn generations(&self, order_id: i64) -> usize {
        let mut count = 0;
        let mut at = order_id;
        while let Some(parent) = self.parents.get(&at).copied().flatten() {
            count += 1;
            at = parent;
            // A ring would be a fault of the source; far enough is far enough.
            if count > doctor::MOST_GENERATIONS + 1 {
                break;
            }
        }
        count
    }

    fn place(&mut self, order_id: i64, ledgers: &Ledgers, notes: &[GoodsOutNote], now: Timestamp) {
        let order = ledgers.orders.get(&order_id);
        let known = ledgers.known.get(&order_id);
        let changed_at = order.map_or(Timestamp::MIN, |order| order.updated_at.unwrap_or(order.placed_at));
        let facts = |source: AtSource, source_changed_at: Timestamp, known: Option<Known>| census::Facts {
            source,
            source_changed_at,
            known,
            held_elsewhere: ledgers.elsewhere.get(&order_id).map(|held| held.holder.clone()),
            stopped: self.stopped.clone(),
        };
        let seen = &ledgers.seen;
        let mut found: Vec<((i64, Option<i64>), Place)> = Vec::new();
        match self.reconciler.settings.start_mode {
            StartMode::Order => {
                if !self.is_subject(order_id) && known.is_none() {
                    return;
                }
                let source = self.at_source(order_id, order, None);
                let known = known.map(|known| as_known(known, known.requests.iter().collect(), seen));
                let place = census::place(&facts(source, changed_at, known), &self.patience, now);
                found.push(((order_id, None), place));
            }
            StartMode::GoodsOutNote => {
                let open =
                    self.subjects.notes.range((order_id, i64::MIN)..=(order_id, i64::MAX)).map(|(_, note)| *note);
                let requested =
                    known.into_iter().flat_map(|known| known.requests.iter()).filter_map(|request| request.note_id);
                let ours = |note: &i64| known.is_some_and(|known| known.made_notes.contains(note));
                let ids: BTreeSet<i64> = open.chain(requested).filter(|note| !ours(note)).collect();
                let forgotten = self.forgotten(known, notes);
                for note_id in ids {
                    if forgotten.contains(&note_id) {
                        let why = "Millrace made it for goods that had left, and the journal that knew of them was lost: mark it as \
                                   shipped in Brightpearl, or delete it";
                        let place = Place { bucket: census::Bucket::NeedsPerson, lost: None, why: why.to_owned() };
                        found.push(((order_id, Some(note_id)), place));
                        continue;
                    }
                    let note = notes.iter().find(|note| note.note_id == note_id);
                    let source = self.at_source(order_id, order, Some((note_id, note)));
                    let known = known.map(|known| {
                        let requests = known.requests.iter().filter(|one| one.note_id == Some(note_id)).collect();
                        as_known(known, requests, seen)
                    });
                    let made_at = note.map_or(changed_at, |note| note.created_at);
                    let place = census::place(&facts(source, made_at, known), &self.patience, now);
                    found.push(((order_id, Some(note_id)), place));
                }
            }
        }
        for ((order_id, note_id), mut place) in found {
            if let Some(lost) = place.lost {
                let kind = FindingKind::from(lost);
                let sighting = seen.of(&self.request_key(order_id, note_id)).flatten();
                if let (FindingKind::NotKnown, Some(sighting)) = (kind, sighting) {
                    place.why = format!("{}; the warehouse has it as {}", place.why, sighting.references.join(", "));
                }
                // Of an outcome that is unknown the effect itself is the finding.
                if kind != FindingKind::EffectUnknown {
                    let subject = note_id.map_or(Subject::Order(order_id), Subject::Note);
                    let what = format!("{subject}: {}", place.why);
                    self.findings.push(Finding { kind, subject, order_id: Some(order_id), what });
                }
            }
            self.places.insert((order_id, note_id), place);
        }
    }

    /// Notes that a lost journal made for goods that had left: they are no requests, and not for the doctor to delete.
    fn forgotten(&self, known: Option<&CensusOrder>, notes: &[GoodsOutNote]) -> BTreeSet<i64> {
        let Some(made) = &self.made else { return BTreeSet::new() };
        let linked = |note: &GoodsOutNote| {
            known.is_some_and(|known| {
                known.made_notes.contains(&note.note_id)
                    || known.requests.iter().any(|request| request.note_id == Some(note.note_id))
            })
        };
        notes.iter().filter(|note| made.holds(note) && !linked(note)).map(|note| note.note_id).collect()
    }

    /// How the source holds an order, or one of its notes.
    fn at_source(&self, order_id: i64, order: Option<&Order>, note: Option<(i64, Option<&GoodsOutNote>)>) -> AtSource {
        let settings = &self.reconciler.settings;
        let Some(order) = order else { return AtSource::Gone };
        if self.choices.cancelled_status == Some(order.status_id) {
            return AtSource::Cancelled;
        }
        if !order.is_sale {
            return AtSource::OutOfScope("it is not a sales order".to_owned());
        }
        if !settings.channels.is_empty() && !order.channel_id.is_some_and(|id| settings.channels.contains(&id)) {
            return AtSource::OutOfScope("filter channels: it comes from another channel".to_owned());
        }
        if settings.placed_from.is_some_and(|from| order.placed_at < from) {
            return AtSource::OutOfScope("filter order date: it was placed before the chosen date".to_owned());
        }
        match note {
            Some((_, None)) => return AtSource::Gone,
            Some((_, Some(note))) => {
                return match note.state {
                    NoteState::Shipped => AtSource::Shipped,
                    NoteState::Unshipped => AtSource::Open,
                };
            }
            None => {}
        }
        if order.shipping == Progress::All {
            return AtSource::Shipped;
        }
        let warehouses = settings.warehouses_in_scope();
        if !warehouses.is_empty() && !order.warehouse_id.is_some_and(|id| warehouses.contains(&id)) {
            return AtSource::OutOfScope("filter warehouses: it belongs to another warehouse".to_owned());
        }
        if !self.subjects.orders.contains(&order_id) {
            return AtSource::Elsewhere("it stands at a status that this connection has nothing to do with".to_owned());
        }
        AtSource::Open
    }

    /// The doctor's part.
    fn examine(
        &mut self,
        order_id: i64,
        order: Option<&Order>,
        ledgers: &Ledgers,
        notes: &[GoodsOutNote],
        now: Timestamp,
    ) {
        let known = ledgers.known.get(&order_id);
        let none = BTreeSet::new();
        let requests: Vec<doctor::Request> =
            known.into_iter().flat_map(|known| &known.requests).filter(|one| one.live).map(as_patient).collect();
        let shipments: Vec<doctor::Shipment> = known
            .into_iter()
            .flat_map(|known| &known.shipments)
            .map(|shipment| doctor::Shipment {
                reference: shipment.reference.clone(),
                read_at: shipment.read_at,
                tracking: shipment.tracking.clone(),
                tracking_kept: self.reconciler.source.tracking_kept(&shipment.tracking),
                rows: shipment.rows.clone(),
                to_be_told: shipment.to_be_told,
                note_id: shipment.note_id,
                told_at: shipment.told_at,
            })
            .collect();
        let ordered = order.map(|order| order.lines.iter().map(|line| (line.row_id, line.quantity)).collect());
        let mut made = known.map(|known| known.made_notes.clone()).unwrap_or_default();
        made.extend(self.forgotten(known, notes));
        let found = doctor::examine(
            &doctor::Facts {
                order_id,
                notes,
                ordered: ordered.as_ref(),
                author: self.author,
                warehouses: &self.reconciler.settings.warehouses_in_scope(),
                known: known.is_some(),
                requests: &requests,
                shipments: &shipments,
                made: &made,
                rows_of_others: ledgers.elsewhere.get(&order_id).map_or(&none, |held| &held.rows),
                busy: known.is_some_and(|known| known.busy),
                generations: self.generations(order_id),
            },
            &self.patience,
            now,
        );
        self.findings.extend(found);
    }
}

/// An order of the hub's ledger as the census takes it, with these of its requests. A request that was given up counts for
/// nothing, except that an accepted cancel says what became of the order.
fn as_known(known: &CensusOrder, requests: Vec<&CensusRequest>, seen: &Seen) -> Known {
    Known {
        archived: known.archived,
        held_by_person: known.held_reason.clone(),
        disposition: known.disposition.clone(),
        problem: known.problem.clone(),
        marked: known.marked.clone(),
        changed_at: known.changed_at,
        requests: requests
            .into_iter()
            .filter(|request| request.live)
            .map(|request| Request {
                submit: request.submit,
                changed_at: request.submit_changed_at,
                planned_at: request.planned_at,
                problem: request.problem.clone(),
                cancel_accepted: request.cancel_accepted,
                cancelled_by_warehouse: request.cancelled_by_warehouse,
                all_left: request.all_left,
                seen: seen.of(&request.key),
            })
            .collect(),
    }
}

fn as_patient(request: &CensusRequest) -> doctor::Request {
    doctor::Request {
        key: request.key.clone(),
        note_id: request.note_id,
        rows: request.rows.clone(),
        sent: request.sent,
        some_left: request.some_left,
        over: request.cancel_accepted || request.cancelled_by_warehouse || request.all_left,
        replaced: request.replaced,
    }
}
