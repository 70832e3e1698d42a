//! Orders: source → shipment requests.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{
    EffectDraft, ErrorKind, GoodsOutNote, Order, OrderLine, PlanError, Product, Progress, ShipmentRequest,
    WarehouseFeature,
    planted::{Planted, planted},
};
use connectors::brightpearl::webhooks::expand_ids;
use engine::{
    cause::CauseKind,
    edit,
    effect::later,
    key,
    order::Disposition,
    plan::{self, Facts, Plan, PlannedRequest, Tables},
    settings::StartMode,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    FlowError, counts, recover,
    sent::{Compared, compare_sent, mark_of, ships},
};
use crate::{
    db::{ChannelKind, Counts, ImportedOrder, KnownOrder, NewRequest, Ran, Recorded, SeenBy},
    runtime::Runtime,
};

/// Orders read, decided and written together: one set of the source's largest read.
pub(super) const SLICE: usize = 200;

/// What one run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// In scope at the source.
    pub seen: usize,
    /// Read whole.
    pub read: usize,
    /// Became requests, or already were and were planned again.
    pub requested: usize,
    /// Need a person.
    pub held: usize,
    /// Not ready yet.
    pub waiting: usize,
    /// Left out.
    pub skipped: usize,
    /// Changed at the source after they were sent.
    pub changed: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} in scope, {} read: {} sent on, {} held, {} waiting, {} skipped, {} changed after sending",
            self.seen, self.read, self.requested, self.held, self.waiting, self.skipped, self.changed
        )
    }
}

impl Summary {
    /// For the history of runs.
    pub fn ran(&self) -> Ran {
        Ran { words: self.to_string(), counts: self.counts() }
    }

    fn counts(&self) -> Counts {
        counts([
            ("in_scope", self.seen),
            ("read", self.read),
            ("sent_on", self.requested),
            ("held", self.held),
            ("waiting", self.waiting),
            ("skipped", self.skipped),
            ("changed_after_sending", self.changed),
        ])
    }
}

/// One complete run: a full scan of what is in scope, and a read of what is new, changed or not decided yet.
///
/// # Errors
/// When a read or the database fails; what was decided so far is kept.
pub async fn run(runtime: &Runtime) -> Result<Summary, FlowError> {
    let problems = runtime.settings.problems();
    if !problems.is_empty() {
        return Err(FlowError::Settings(problems.join("; ")));
    }
    if let Some(why) = runtime.db.import_waits(&runtime.key).await? {
        return Err(FlowError::Settings(why));
    }
    let scanned = scan(runtime).await?;
    let mut summary = Summary { seen: scanned.len(), ..Summary::default() };
    let ids: Vec<i64> = scanned.keys().copied().collect();
    let mut known = BTreeMap::new();
    for slice in ids.chunks(5_000) {
        known.extend(runtime.db.known_orders(&runtime.key, slice).await?);
    }
    let mut wanted: BTreeMap<i64, String> = scanned
        .iter()
        .filter(|(order_id, seen)| must_read(runtime, **order_id, known.get(order_id), seen))
        .map(|(order_id, seen)| (*order_id, seen.mark.clone()))
        .collect();
    // What left the scan before it was sent may be cancelled, shipped by others or moved to another status.
    // Not while nothing is sent: an order that a lost journal sent has left the scan by its status, and its look decides.
    let unsent = if runtime.db.frozen().await? { Vec::new() } else { runtime.db.unsent_orders(&runtime.key).await? };
    for order_id in unsent {
        if !scanned.contains_key(&order_id) {
            wanted.entry(order_id).or_default();
        }
    }
    // A person asked for it, or what the warehouse had of it was cancelled: the scan may not show it.
    for order_id in runtime.db.unseen_orders(&runtime.key).await? {
        wanted.entry(order_id).or_default();
    }
    // Orders that Brightpearl called about are read whatever the scan says: one that was cancelled has left it, and one that is new
    // may not show in it yet.
    let announced = announced(runtime).await?;
    for order_id in announced.known {
        wanted.entry(order_id).or_default();
    }
    for order_id in fresh(runtime, announced.unknown, &scanned).await? {
        wanted.entry(order_id).or_default();
    }
    let wanted: Vec<(i64, String)> = wanted.into_iter().collect();
    let total = wanted.len();
    for slice in wanted.chunks(SLICE) {
        import(runtime, slice, &mut summary).await?;
        runtime.tell_progress(ChannelKind::Orders, summary.read, Some(total), summary.counts()).await;
    }
    runtime.metrics.orders("requested", summary.requested);
    Ok(summary)
}

/// How often an order that was left out is decided upon once more while the scan shows it.
const ONCE_MORE: Duration = Duration::from_secs(600);

/// Most calls from the source taken out of the inbox in one run; the rest waits for the next.
const MOST_CALLS: u32 = 1_000;

/// Most orders not known here that are asked for in one run because the source called about them: one read.
const MOST_FRESH: usize = SLICE;

/// The orders that the inbox speaks of.
struct Announced {
    /// Of this connection.
    known: Vec<i64>,
    /// Not imported here, nor perhaps meant to be.
    unknown: Vec<i64>,
}

/// The orders that the inbox speaks of. A hint: what is lost here is found by the scan or the watch.
async fn announced(runtime: &Runtime) -> Result<Announced, FlowError> {
    let calls = runtime.db.take_calls(&runtime.key.scope, &runtime.account, MOST_CALLS).await?;
    let mut ids = BTreeSet::new();
    let (db, key) = (&runtime.db, &runtime.key);
    for call in calls.iter().filter(|call| call.resource.ends_with("order")) {
        match expand_ids(&call.resource_id) {
            Ok(found) => ids.extend(found),
            Err(error) => {
                tracing::warn!(connection.id = %runtime.key.connection, "a call from Brightpearl is not understood: {error}")
            }
        }
    }
    let ids: Vec<i64> = ids.into_iter().collect();
    // A call comes once for all connections of the account.
    db.look_elsewhere(key, &runtime.account, &ids).await?;
    let known = db.known_orders(key, &ids).await?;
    let unknown = ids.into_iter().filter(|id| !known.contains_key(id)).collect();
    Ok(Announced { known: known.into_keys().collect(), unknown })
}

/// Of orders that were announced and are not known here, those to import: a search may show them only after a while
/// (brightpearl-api.md §23, row 46), so they are asked for themselves. The account calls about every order there is, and what is
/// none of this connection's leaves no trace. In goods-out-note mode an order is imported for its notes, which the scan shows.
async fn fresh(
    runtime: &Runtime,
    mut announced: Vec<i64>,
    scanned: &BTreeMap<i64, Seen>,
) -> Result<Vec<i64>, FlowError> {
    announced.retain(|id| !scanned.contains_key(id));
    // The newest ids: the others are of orders that were there before, which the scan has shown if they are meant.
    let announced = announced.split_off(announced.len().saturating_sub(MOST_FRESH));
    if announced.is_empty() || runtime.settings.start_mode != StartMode::Order {
        return Ok(Vec::new());
    }
    let cancelled_status = runtime.choices().await?.cancelled_status;
    let orders = match runtime.source.orders(&announced).await {
        Ok(orders) => orders,
        // Orders of all kinds are among them, and what cannot be read of one that is not ours stands in nobody's way.
        Err(error) if !error.is_of_asking() => {
            tracing::warn!(connection.id = %runtime.key.connection, "orders that Brightpearl called about cannot be read: {error}");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    // As the scan, only those that have something to ship.
    let ours = orders
        .into_iter()
        .filter(|order| matches!(order.shipping, Progress::None | Progress::Part))
        .filter(|order| plan::is_in_scope(order, &runtime.settings, cancelled_status));
    Ok(ours.map(|order| order.order_id).collect())
}

/// An order as the scan shows it.
pub(super) struct Seen {
    /// Changes when the order or the connection's configuration changes.
    pub(super) mark: String,
    /// Its unshipped notes, in goods-out-note mode.
    notes: BTreeSet<i64>,
}

pub(super) async fn scan(runtime: &Runtime) -> Result<BTreeMap<i64, Seen>, FlowError> {
    let revision = runtime.revision;
    Ok(match runtime.settings.start_mode {
        StartMode::Order => runtime
            .source
            .scan_orders(&runtime.settings.order_filter())
            .await?
            .heads
            .into_iter()
            .map(|head| {
                let mark = format!("{}/{}#{revision}", head.status_id, head.updated);
                (head.order_id, Seen { mark, notes: BTreeSet::new() })
            })
            .collect(),
        StartMode::GoodsOutNote => {
            let mut seen: BTreeMap<i64, Seen> = BTreeMap::new();
            let scan = runtime.source.scan_notes(&runtime.settings.warehouses_in_scope()).await?;
            for (order_id, note_id) in scan.notes {
                let entry =
                    seen.entry(order_id).or_insert_with(|| Seen { mark: String::new(), notes: BTreeSet::new() });
                entry.notes.insert(note_id);
            }
            for one in seen.values_mut() {
                let notes: Vec<String> = one.notes.iter().map(i64::to_string).collect();
                one.mark = format!("{}#{revision}", notes.join(","));
            }
            seen
        }
    })
}

fn must_read(runtime: &Runtime, order_id: i64, known: Option<&KnownOrder>, seen: &Seen) -> bool {
    let Some(known) = known else { return true };
    match known.disposition {
        Disposition::Waiting(_) | Disposition::Held(_) => true,
        _ if known.sent => match runtime.settings.start_mode {
            // A configuration change does not touch what is at the warehouse already. What keeps a part that was given up from being
            // planned again need not show in the scan (a SKU, an allocation).
            StartMode::Order => known.given_up || change_part(&known.seen) != change_part(&seen.mark),
            StartMode::GoodsOutNote => !seen.notes.is_subset(&known.note_ids),
        },
        // The scan shows neither channel nor status of a note's order, nor what other connections and notes hold of it.
        Disposition::Skipped(_) | Disposition::Cancelled(_) if !runtime.decided_within(order_id, ONCE_MORE) => true,
        _ => known.seen != seen.mark,
    }
}

fn change_part(mark: &str) -> &str {
    mark.rsplit_once('#').map_or(mark, |(change, _)| change)
}

/// Reads a slice of orders, decides about each, and writes it down with the effects that follow.
pub(super) async fn import(runtime: &Runtime, slice: &[(i64, String)], summary: &mut Summary) -> Result<(), FlowError> {
    let ids: Vec<i64> = slice.iter().map(|(order_id, _)| *order_id).collect();
    let known = runtime.db.known_orders(&runtime.key, &ids).await?;
    let read = read(runtime, &ids).await?;
    summary.read += ids.len();
    let mut decided = Vec::new();
    for (order_id, mark) in slice {
        let mut known = known.get(order_id);
        let Some(order) = read.orders.get(order_id) else {
            if let Some(known) = known
                && !known.sent
            {
                runtime.db.order_gone(&runtime.key, *order_id).await?;
            }
            if let Some(known) = known
                && mark.is_empty()
            {
                let lost =
                    "Brightpearl does not show the order any more; ask there, and cancel it here if it is not wanted";
                runtime.db.mark_seen(&runtime.key, *order_id, "gone", known.sent.then_some(lost)).await?;
            }
            continue;
        };
        let own_mark;
        let mark = if mark.is_empty() {
            own_mark = mark_of(runtime, order);
            &own_mark
        } else {
            mark
        };
        if known.is_some_and(|known| known.sent) && read.busy.contains(order_id) {
            // Which of its notes are requests is known again once the effect has ended; it stays in the scan until then.
            continue;
        }
        // In goods-out-note mode an order that was sent may have further notes, each a request of its own. One that is sent whole
        // has nothing more, unless a part of it changed before it was sent: that part is in nothing that was sent (O2).
        let cancelled = read.cancelled_status == Some(order.status_id);
        let given_up = known.is_some_and(|known| known.given_up);
        let nothing_more = cancelled || runtime.settings.start_mode == StartMode::Order && !given_up;
        let again;
        if known.is_some_and(|known| known.sent) {
            match compare_sent(runtime, order, SeenBy::Import { mark, knew_given_up: given_up }, &read).await? {
                Compared::Same | Compared::NotKnown if nothing_more => continue,
                Compared::Same | Compared::NotKnown => {}
                Compared::Changed => {
                    summary.changed += 1;
                    if nothing_more {
                        continue;
                    }
                }
                Compared::NothingThere => {
                    again = runtime.db.known_orders(&runtime.key, &[*order_id]).await?;
                    known = again.get(order_id);
                }
            }
        }
        decided.push((order, mark.clone(), decide(runtime, order, &read, known)));
    }
    runtime.remember_decided(decided.iter().map(|(order, ..)| order.order_id), ONCE_MORE);
    for order_id in record(runtime, decided, &read, summary).await? {
        runtime.remember_read(order_id, read.began);
    }
    Ok(())
}

/// What a slice of orders was decided from.
pub(super) struct Read {
    /// When reading began, on the monotonic clock: nothing that it holds is older.
    began: Duration,
    /// The same on the database's clock: what was written down later is newer than what was read.
    pub(super) as_of: Timestamp,
    pub(super) orders: BTreeMap<i64, Order>,
    /// Every note of them that the hub did not make itself.
    pub(super) notes: BTreeMap<i64, Vec<GoodsOutNote>>,
    /// Units by row that are fulfilled and on no goods-out note.
    pub(super) drop_shipped: BTreeMap<i64, Decimal>,
    /// Orders of which the source would not tell that, and its words.
    pub(super) drop_ship_unread: BTreeMap<i64, String>,
    /// Notes that a lost journal had made, which are no requests: the goods had left already.
    pub(super) forgotten: Vec<GoodsOutNote>,
    /// Orders of which the hub is making a note or taking one away.
    pub(super) busy: BTreeSet<i64>,
    pub(super) products: BTreeMap<i64, Product>,
    pub(super) cancelled_status: Option<i64>,
    /// Of orders that a person has edited: which edition, and the edits that the source has overtaken.
    edited: BTreeMap<i64, Edited>,
    ship_method_names: BTreeMap<i64, String>,
}

/// What a person's edits made of an order that was read.
#[derive(Debug, Clone, Default)]
struct Edited {
    edition: i64,
    overtaken: Vec<edit::Field>,
}

/// Reads orders as the source holds them, with people's edits laid over.
pub(super) async fn read(runtime: &Runtime, ids: &[i64]) -> Result<Read, FlowError> {
    let began = runtime.clock.monotonic();
    let choices = runtime.choices().await?;
    // Asked before the orders are read: an edit made meanwhile is a newer edition than this, and nothing decided here is kept.
    let (editions, as_of) = runtime.db.editions(&runtime.key, ids).await?;
    let mut orders: BTreeMap<i64, Order> =
        runtime.source.orders(ids).await?.into_iter().map(|order| (order.order_id, order)).collect();
    let mut edited = BTreeMap::new();
    for (order_id, edition) in editions {
        if let Some(order) = orders.get_mut(&order_id) {
            let overtaken = edit::lay_over(order, &edition.edits);
            edited.insert(order_id, Edited { edition: edition.number, overtaken });
        }
    }
    let found: Vec<i64> = orders.keys().copied().collect();
    let products: BTreeSet<i64> =
        orders.values().flat_map(|order| order.lines.iter()).filter_map(|line| line.product_id).collect();
    let products = runtime.products(&products).await?;
    let mut read_notes = runtime.source.notes(&found).await?;
    let dropped = drop_shipped(runtime, &orders, &products, &mut read_notes).await?;
    // Asked after the notes were read: a note made meanwhile is then known to be the hub's own.
    let own = runtime.db.own_notes(&runtime.key, &found).await?;
    let made = recover::Made::of_lost_journal(&runtime.db, &*runtime.source, runtime.settings.start_mode).await?;
    let (forgotten, others): (Vec<_>, Vec<_>) = read_notes
        .into_iter()
        .filter(|note| !own.notes.contains(&note.note_id))
        .partition(|note| made.as_ref().is_some_and(|made| made.holds(note)));
    let mut notes: BTreeMap<i64, Vec<GoodsOutNote>> = BTreeMap::new();
    for note in others {
        notes.entry(note.order_id).or_default().push(note);
    }
    Ok(Read {
        began,
        as_of,
        orders,
        notes,
        drop_shipped: dropped.units,
        drop_ship_unread: dropped.unread,
        forgotten,
        busy: own.busy,
        products,
        cancelled_status: choices.cancelled_status,
        edited,
        ship_method_names: choices.ship_methods.iter().map(|choice| (choice.id, choice.name.clone())).collect(),
    })
}

/// What suppliers send themselves.
#[derive(Default)]
struct DropShipped {
    /// Units by row.
    units: BTreeMap<i64, Decimal>,
    /// Orders of which it cannot be read, and why.
    unread: BTreeMap<i64, String>,
}

/// Units of each row that a supplier sends himself. Asked only where the source counts something of an order as fulfilled and its
/// goods-out notes leave a row with goods open; the notes of such orders are then read again, since one that is made meanwhile
/// counts as fulfilled as well.
async fn drop_shipped(
    runtime: &Runtime,
    orders: &BTreeMap<i64, Order>,
    products: &BTreeMap<i64, Product>,
    notes: &mut Vec<GoodsOutNote>,
) -> Result<DropShipped, FlowError> {
    let noted = |notes: &[GoodsOutNote]| {
        let mut noted: BTreeMap<i64, Decimal> = BTreeMap::new();
        for row in notes.iter().filter(|note| !note.transfer).flat_map(|note| &note.rows) {
            *noted.entry(row.row_id).or_default() += row.quantity;
        }
        noted
    };
    let on_notes = noted(notes);
    let is_open = |line: &OrderLine| {
        ships(line, products) && on_notes.get(&line.row_id).copied().unwrap_or_default() < line.quantity
    };
    let in_part: Vec<i64> = orders
        .values()
        .filter(|order| matches!(order.fulfilment, Progress::Part | Progress::All) && order.lines.iter().any(is_open))
        .map(|order| order.order_id)
        .collect();
    if in_part.is_empty() || runtime.settings.start_mode != StartMode::Order {
        return Ok(DropShipped::default());
    }
    let (mut elsewhere, mut unread) = (BTreeMap::new(), BTreeMap::new());
    for order_id in &in_part {
        match runtime.source.fulfilled(*order_id).await {
            Ok(units) => elsewhere.extend(units),
            // Refused, perhaps for this order alone or for want of a right: it waits, and the others go on.
            Err(error) if matches!(error.kind, ErrorKind::Rejected { .. } | ErrorKind::NotFound) => {
                unread.insert(*order_id, error.message);
            }
            Err(error) => return Err(error.into()),
        }
    }
    notes.retain(|note| !in_part.contains(&note.order_id));
    notes.extend(runtime.source.notes(&in_part).await?);
    let on_notes = noted(notes);
    for (row_id, units) in &mut elsewhere {
        *units -= on_notes.get(row_id).copied().unwrap_or_default();
    }
    elsewhere.retain(|_, units| *units > Decimal::ZERO);
    Ok(DropShipped { units: elsewhere, unread })
}

/// What becomes of one order, as things stand now.
pub(super) fn decide(runtime: &Runtime, order: &Order, read: &Read, known: Option<&KnownOrder>) -> Plan {
    decide_with(runtime, order, read, known, read.notes.get(&order.order_id).map_or(&[], Vec::as_slice))
}

/// The same, as if these were its notes.
pub(super) fn decide_with(
    runtime: &Runtime,
    order: &Order,
    read: &Read,
    known: Option<&KnownOrder>,
    notes: &[GoodsOutNote],
) -> Plan {
    let overtaken = read.edited.get(&order.order_id).map_or(&[][..], |edited| &edited.overtaken);
    if !overtaken.is_empty() && !known.is_some_and(|known| known.sent) {
        let disposition = Disposition::Held(edit::overtaken_words(overtaken));
        return Plan { disposition, requests: Vec::new(), causes: vec![CauseKind::Other.into()] };
    }
    let (no_notes, no_keys) = (BTreeSet::new(), BTreeSet::new());
    let dead_keys = known.map_or(&no_keys, |known| &known.dead_keys);
    let mut plan = plan::decide(&Facts {
        account: &runtime.account,
        settings: &runtime.settings,
        tables: tables(runtime, read),
        cancelled_status: read.cancelled_status,
        order,
        notes,
        drop_shipped: &read.drop_shipped,
        drop_ship_unread: read.drop_ship_unread.get(&order.order_id).map(String::as_str),
        known_notes: known.map_or(&no_notes, |known| &known.note_ids),
        goes_again: !dead_keys.is_empty() || known.is_some_and(|known| known.sent && known.given_up),
        products: &read.products,
    });
    for request in &mut plan.requests {
        request.key = key::fresh_key(std::mem::take(&mut request.key), dead_keys);
    }
    plan
}

/// What orders are translated with.
pub(super) fn tables<'a>(runtime: &'a Runtime, read: &'a Read) -> Tables<'a> {
    Tables {
        listings: &runtime.mappings.listings,
        kits: &runtime.mappings.kits,
        ship_methods: &runtime.mappings.ship_methods,
        locations: &runtime.mappings.locations,
        ship_method_names: &read.ship_method_names,
    }
}

/// Plans submits, in order. Those of one order go one at a time (R6), so they are never planned to go together.
pub(super) fn plan_submits(
    runtime: &Runtime,
    requests: &[ShipmentRequest],
    now: Timestamp,
) -> Vec<Result<EffectDraft, PlanError>> {
    let mut rounds: Vec<Vec<(usize, ShipmentRequest)>> = Vec::new();
    let mut of_order: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, request) in requests.iter().enumerate() {
        let round = of_order.entry(&request.order_number).or_default();
        if rounds.len() <= *round {
            rounds.push(Vec::new());
        }
        if let Some(members) = rounds.get_mut(*round) {
            members.push((place, request.clone()));
        }
        *round += 1;
    }
    let mut drafts = BTreeMap::new();
    for members in rounds {
        let (places, members): (Vec<usize>, Vec<ShipmentRequest>) = members.into_iter().unzip();
        drafts.extend(places.into_iter().zip(runtime.warehouse.plan_submit(&members, now)));
    }
    let missing = || Err(PlanError::new("the warehouse connector did not plan it"));
    (0..requests.len()).map(|place| drafts.remove(&place).unwrap_or_else(missing)).collect()
}

/// What the warehouse is asked for one planned request of an order.
pub(super) fn shipment_request(runtime: &Runtime, order: &Order, planned: &PlannedRequest) -> ShipmentRequest {
    ShipmentRequest {
        id: runtime.request_id(),
        key: request_key(planned.key.clone(), runtime.clock.now()),
        order_number: order.order_id.to_string(),
        reference: order.reference.clone(),
        placed_at: order.placed_at,
        deliver_on: order.deliver_on,
        ship_to: order.deliver_to.clone(),
        bill_to: order.bill_to.clone(),
        ship_method: planned.ship_method.clone(),
        facility: planned.facility.clone(),
        notes: order.notes.clone(),
        lines: planned.lines.clone(),
    }
}

/// Writes decisions down: orders, claims, requests and the effects that put them at the warehouse, in one transaction.
/// Returns the orders whose requests are now what was decided.
pub(super) async fn record(
    runtime: &Runtime,
    decided: Vec<(&Order, String, Plan)>,
    read: &Read,
    summary: &mut Summary,
) -> Result<Vec<i64>, FlowError> {
    let now = runtime.clock.now();
    // Planned together, so that a warehouse that takes several requests at once gets them so.
    let mut requests: Vec<ShipmentRequest> = Vec::new();
    for (order, _, plan) in &decided {
        for planned in &plan.requests {
            requests.push(shipment_request(runtime, order, planned));
        }
    }
    // Where the warehouse can hold, the time for second thoughts runs there, between submit and release.
    let holds_there = runtime.warehouse.features().contains(&WarehouseFeature::Release);
    let hold = runtime.scaled(runtime.settings.hold());
    let not_before = (!holds_there && !hold.is_zero()).then(|| later(now, hold));
    let mut drafts = plan_submits(runtime, &requests, now).into_iter();
    let mut requests = requests.into_iter();
    let mut imported = Vec::with_capacity(decided.len());
    for (order, seen, plan) in decided {
        let mut disposition = plan.disposition;
        let mut new = Vec::new();
        for planned in plan.requests {
            let (Some(request), Some(draft)) = (requests.next(), drafts.next()) else {
                disposition = Disposition::Held("the warehouse connector did not plan it".to_owned());
                break;
            };
            match draft {
                Ok(submit) => new.push(NewRequest {
                    id: request.id,
                    key: request_key(planned.key, now),
                    note_id: planned.note_id,
                    warehouse_id: planned.warehouse_id,
                    lines: planned.lines,
                    submit,
                    not_before,
                }),
                Err(problem) => disposition = Disposition::Held(problem.to_string()),
            }
        }
        if disposition != Disposition::Requested {
            new.clear();
        }
        let ordered = order.lines.iter().map(|line| (line.row_id, line.quantity)).collect();
        imported.push(ImportedOrder {
            id: runtime.order_id(),
            order: order.clone(),
            seen,
            disposition,
            requests: new,
            ordered,
            edition: read.edited.get(&order.order_id).map_or(0, |edited| edited.edition),
        });
    }
    if imported.is_empty() {
        return Ok(Vec::new());
    }
    let dispositions: Vec<(i64, Disposition)> =
        imported.iter().map(|order| (order.order.order_id, order.disposition.clone())).collect();
    debug_assert!(imported.iter().all(|order| read.orders.contains_key(&order.order.order_id)));
    let recorded = runtime.db.record_orders(&runtime.key, &runtime.account, imported).await?;
    let mut kept = Vec::new();
    for (recorded, (order_id, disposition)) in recorded.iter().zip(dispositions) {
        if *recorded == Recorded::Kept {
            kept.push(order_id);
        }
        match (recorded, disposition) {
            (Recorded::EditedMeanwhile, _) => {}
            (Recorded::ClaimedElsewhere(_), _) => summary.skipped += 1,
            (Recorded::ChangedAfterSending, _) => summary.changed += 1,
            (Recorded::Kept, Disposition::Requested) => summary.requested += 1,
            (Recorded::Kept, Disposition::Held(_)) => summary.held += 1,
            (Recorded::Kept, Disposition::Waiting(_)) => summary.waiting += 1,
            (Recorded::Kept, Disposition::Skipped(_) | Disposition::Cancelled(_)) => summary.skipped += 1,
        }
    }
    runtime.wake.warehouse.notify_one();
    Ok(kept)
}

fn request_key(key: String, now: Timestamp) -> String {
    if planted(Planted::KeyFromTime) { format!("{key}-T{}", now.as_millisecond()) } else { key }
}

/// The lane of an order's effects.
pub(super) fn lane(runtime: &Runtime, order_id: i64) -> String {
    key::order_lane(&runtime.account, order_id)
}
