//! After a loss of the journal: reads both sides of a connection again, and finds the orders that the lost journal had sent
//! (docs/recovery.md). It writes facts and planned effects only; whether an effect was made is for the journal to look up, and
//! until a person releases it nothing is sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{
    Allocation, Armed, Effect, EffectId, EffectKind, FeedCursor, FoundAgain, GoodsOutNote, NoteRow, NoteState, Order,
    OrderFilter, OrderSource, Probe, Progress, ShipmentRequest,
};
use engine::{key, order::Disposition, plan::Plan, settings::StartMode};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{FlowError, orders, sent::ships, shipments::leave_out_others};
use crate::{
    db::{ChannelKind, Database, Lost, NewShipment},
    runtime::Runtime,
};

/// Orders looked at together.
const SLICE: usize = 200;
/// Two clocks are compared, and times may be kept to the minute.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// Most lines of a list in the report.
const MOST: usize = 500;

/// What reading a connection again has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Orders that were looked for at the warehouse.
    pub looked_for: usize,
    /// Orders that the lost journal had put there, and that are known again.
    pub found: usize,
    /// Orders that are not there and wait in the scan as they did before.
    pub waiting: usize,
    /// Orders that stand at a status which the hub sets, and that the warehouse does not have: for a person to see.
    pub not_there: Vec<String>,
    /// Orders whose warehouse keeps nothing to look at: what a person must compare.
    pub to_compare: Vec<String>,
    /// Orders that cannot be worked out as they were: why.
    pub unclear: Vec<String>,
    /// Shipments that were read again and not known.
    pub shipments: usize,
    /// Of them, those for orders that are not known.
    pub shipments_unknown: usize,
    /// Keys that the warehouse has and that nothing here had asked for when it was asked. Each is an exception until something
    /// has: most are when their orders are read.
    pub forgotten: Vec<String>,
    /// Files that were read again and could not be used.
    pub rejected: usize,
}

/// Reads everything of the window again.
///
/// # Errors
/// When a read or the database fails; it is begun again, and finds what was written.
pub async fn run(runtime: &Runtime, lost: &Lost) -> Result<Report, FlowError> {
    let mut report = Report::default();
    runtime.db.mark_lost().await?;
    let since = lost.since.checked_sub(OVERLAP).unwrap_or(lost.since);
    let found = find_orders(runtime, since, &mut report).await;
    // What was read here was decided upon as it had been; before anything is sent it is read as it is.
    runtime.forget_reads();
    found?;
    read_shipments(runtime, since, &mut report).await?;
    let found = find_by_shipments(runtime, since, &mut report).await;
    runtime.forget_reads();
    found?;
    find_forgotten(runtime, lost, since, &mut report).await?;
    for list in [&mut report.not_there, &mut report.to_compare, &mut report.unclear, &mut report.forgotten] {
        list.truncate(MOST);
    }
    Ok(report)
}

/// The statuses that the hub itself sets.
fn own_statuses(runtime: &Runtime) -> BTreeSet<i64> {
    let settings = &runtime.settings;
    [settings.at_warehouse_status, settings.partly_shipped_status, settings.shipped_status]
        .into_iter()
        .flatten()
        .collect()
}

async fn find_orders(runtime: &Runtime, since: Timestamp, report: &mut Report) -> Result<(), FlowError> {
    let mut marks: BTreeMap<i64, String> = BTreeMap::new();
    for (order_id, seen) in orders::scan(runtime).await? {
        marks.insert(order_id, seen.mark);
    }
    let own = own_statuses(runtime);
    let filter = OrderFilter {
        // Any: what was sent may have been cancelled or set aside by a person since.
        statuses: BTreeSet::new(),
        warehouses: match runtime.settings.start_mode {
            StartMode::Order => runtime.settings.warehouses_in_scope(),
            // In this mode the order's own warehouse says nothing about its notes.
            StartMode::GoodsOutNote => BTreeSet::new(),
        },
        ..runtime.settings.order_filter()
    };
    for head in runtime.source.scan_changed(&filter, since).await?.heads {
        let mark = format!("{}/{}#{}", head.status_id, head.updated, runtime.revision);
        marks.entry(head.order_id).or_insert(mark);
    }
    for order_id in runtime.db.unsent_orders(&runtime.key).await? {
        marks.entry(order_id).or_default();
    }
    let all: Vec<(i64, String)> = marks.into_iter().collect();
    for slice in all.chunks(SLICE) {
        let ids: Vec<i64> = slice.iter().map(|(order_id, _)| *order_id).collect();
        let known = runtime.db.known_orders(&runtime.key, &ids).await?;
        let unsent: Vec<(i64, String)> = slice
            .iter()
            .filter(|(order_id, _)| !known.get(order_id).is_some_and(|known| known.sent))
            .cloned()
            .collect();
        if !unsent.is_empty() {
            find_slice(runtime, &unsent, &BTreeMap::new(), &own, since, report).await?;
        }
    }
    Ok(())
}

/// Asks the warehouse for whatever the lost journal asked it for, under keys that nothing here would think of: those for notes
/// that a person has taken away since, and numbers under which an order went again. What is still to be sent of such an order
/// waits for a person: its goods may leave under that key.
async fn find_forgotten(
    runtime: &Runtime,
    lost: &Lost,
    since: Timestamp,
    report: &mut Report,
) -> Result<(), FlowError> {
    let lag = runtime.warehouse.capabilities(EffectKind::SubmitRequest).map_or(Duration::ZERO, |can| can.index_lag);
    // Until then it may still carry out, or not yet show, what left last.
    let settled = lost.until.checked_add(runtime.waits.quiescence(lag)).unwrap_or(lost.until);
    let early = Duration::try_from(settled.duration_since(runtime.db.now().await?)).unwrap_or_default();
    if !early.is_zero() {
        tokio::select! {
            biased;
            () = runtime.stop.cancelled() => {
                return Err(FlowError::Settings("the connection stops; it is read again when it runs again".to_owned()));
            }
            () = runtime.clock.sleep(early) => {}
        }
    }
    let head = runtime.key_head();
    let listed = runtime.warehouse.keys_again(&head, since).await?;
    if !listed.whole {
        report.unclear.push(
            "the warehouse keeps no list of what it was asked for: before you release, look at orders of the window whose \
             goods-out notes were deleted since, and ask the warehouse for them"
                .to_owned(),
        );
    }
    let ours = |found: &String| found.starts_with(&head) && key::order_id(found).is_some();
    let there = listed.keys.into_iter().filter(ours).collect();
    report.forgotten = runtime.db.keep_forgotten(&runtime.key, there).await?;
    Ok(())
}

/// Looks once more for orders under the notes that their shipments name. The lost journal sent them for those, and the notes are
/// gone: it took them away itself, since less left than stood on them, or a person did.
async fn find_by_shipments(runtime: &Runtime, since: Timestamp, report: &mut Report) -> Result<(), FlowError> {
    let mut notes: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    let unclaimed = runtime.db.unclaimed_shipments(&runtime.key).await?;
    for key in &unclaimed {
        if let (Some(order_id), Some(note_id)) = (key::order_id(key), key::note_id(key)) {
            notes.entry(order_id).or_default().insert(note_id);
        }
    }
    let gone: BTreeMap<i64, i64> = notes
        .into_iter()
        // What stood on which of several cannot be told any more.
        .filter_map(|(order_id, notes)| Some((order_id, *notes.first().filter(|_| notes.len() == 1)?)))
        .collect();
    let orders: Vec<i64> = gone.keys().copied().collect();
    let known = runtime.db.known_orders(&runtime.key, &orders).await?;
    let unsent: Vec<(i64, String)> = orders
        .into_iter()
        .filter(|order_id| !known.get(order_id).is_some_and(|known| known.sent))
        .map(|order_id| (order_id, String::new()))
        .collect();
    let own = own_statuses(runtime);
    for slice in unsent.chunks(SLICE) {
        let mut again = Report::default();
        let found = find_slice(runtime, slice, &gone, &own, since, &mut again).await?;
        report.found += again.found;
        report.to_compare.append(&mut again.to_compare);
        report.not_there.retain(|told| !found.keys().any(|order_id| *told == of_order(*order_id)));
        report.waiting -= report.waiting.min(found.values().filter(|stands| **stands == Stands::Imported).count());
        let claimed =
            unclaimed.iter().filter(|key| key::order_id(key).is_some_and(|id| found.contains_key(&id))).count();
        report.shipments_unknown -= report.shipments_unknown.min(claimed);
    }
    Ok(())
}

/// An order in a list of the report.
fn of_order(order_id: i64) -> String {
    format!("order {order_id}")
}

/// A note that is not there any more, over all of its order that no other note holds.
fn gone_note(order: &Order, note_id: i64, read: &orders::Read, since: Timestamp) -> GoodsOutNote {
    let mut open: BTreeMap<i64, NoteRow> = BTreeMap::new();
    for line in order.lines.iter().filter(|line| ships(line, &read.products)) {
        if let Some(product_id) = line.product_id {
            open.insert(line.row_id, NoteRow { row_id: line.row_id, product_id, quantity: line.quantity });
        }
    }
    let others = read.notes.get(&order.order_id).into_iter().flatten().filter(|note| !note.transfer);
    for row in others.flat_map(|note| &note.rows) {
        if let Some(open) = open.get_mut(&row.row_id) {
            open.quantity -= row.quantity;
        }
    }
    GoodsOutNote {
        note_id,
        order_id: order.order_id,
        warehouse_id: order.warehouse_id.unwrap_or_default(),
        transfer: false,
        state: NoteState::Unshipped,
        shipped_at: None,
        created_by: 0,
        created_at: since,
        release_at: None,
        ship_method_id: 0,
        reference: String::new(),
        version: 0,
        rows: open.into_values().filter(|row| row.quantity > Decimal::ZERO).collect(),
    }
}

/// Looks for these orders, under the notes that are `gone` as well. Which were found, and where they stand now.
async fn find_slice(
    runtime: &Runtime,
    slice: &[(i64, String)],
    gone: &BTreeMap<i64, i64>,
    own: &BTreeSet<i64>,
    since: Timestamp,
    report: &mut Report,
) -> Result<BTreeMap<i64, Stands>, FlowError> {
    let ids: Vec<i64> = slice.iter().map(|(order_id, _)| *order_id).collect();
    let now = runtime.clock.now();
    let mut read = orders::read(runtime, &ids).await?;
    // Nothing is sent by this: what would have been sent is held against what is there, and where a supplier's part cannot be read
    // the two differ, which a person sees.
    read.drop_ship_unread.clear();
    let author = runtime.source.own_contact().await?;
    report.unclear.extend(read.forgotten.iter().map(|note| {
        format!(
            "order {}: goods-out note {} was made by the hub itself for goods that had left, while the journal was lost: it is \
             not sent to the warehouse; look for the shipment among the exceptions, then ship the note in Brightpearl",
            note.order_id, note.note_id
        )
    }));
    for notes in read.notes.values_mut() {
        as_they_were(notes, runtime.settings.start_mode, author, since);
    }
    for (order_id, note_id) in gone {
        let Some(order) = read.orders.get(order_id) else { continue };
        let note = gone_note(order, *note_id, &read, since);
        let notes = read.notes.entry(*order_id).or_default();
        if !notes.iter().any(|note| note.note_id == *note_id) {
            notes.push(note);
        }
    }
    let without_others = before_others_made_notes(&read.notes, runtime.settings.start_mode, since);
    let known = runtime.db.known_orders(&runtime.key, &ids).await?;
    let mut candidates: Vec<Candidate<'_>> = Vec::new();
    let mut requests: Vec<ShipmentRequest> = Vec::new();
    let mut of_request: Vec<(usize, usize)> = Vec::new();
    for (order_id, mark) in slice {
        let Some(order) = read.orders.get(order_id) else { continue };
        let stands = Stands::of(runtime, order, own, read.cancelled_status);
        let before = before_it_was_sent(runtime, order, stands);
        let plan = orders::decide(runtime, &before, &read, known.get(order_id));
        let earlier = without_others
            .get(order_id)
            .map(|notes| orders::decide_with(runtime, &before, &read, known.get(order_id), notes));
        let disposition = plan.disposition.clone();
        let plans: Vec<Plan> = [Some(plan), earlier]
            .into_iter()
            .flatten()
            .filter(|plan| plan.disposition == Disposition::Requested)
            .collect();
        match &disposition {
            _ if !plans.is_empty() => {}
            // Most of them were never meant for the warehouse.
            _ if stands == Stands::Elsewhere => continue,
            other if stands == Stands::Sent => {
                report.unclear.push(format!("order {order_id}: {}: {}", other.kind(), other.reason()));
                continue;
            }
            _ => {
                report.waiting += 1;
                continue;
            }
        }
        for (which, plan) in plans.iter().enumerate() {
            for planned in &plan.requests {
                requests.push(orders::shipment_request(runtime, order, planned));
                of_request.push((candidates.len(), which));
            }
        }
        candidates.push(Candidate { order, mark, stands, plans });
    }
    let answers = look(runtime, &requests, since, now).await?;
    let mut there: BTreeMap<(usize, usize), Vec<&FoundAgain>> = BTreeMap::new();
    for (place, answer) in of_request.iter().zip(&answers) {
        if let Some(answer) = answer {
            there.entry(*place).or_default().push(answer);
        }
    }
    report.looked_for += candidates.len();
    let mut recorded = Vec::new();
    let mut found = BTreeMap::new();
    for (place, Candidate { order, mark, stands, plans }) in candidates.into_iter().enumerate() {
        let mut ways: Vec<(Plan, Vec<&FoundAgain>)> = plans
            .into_iter()
            .enumerate()
            .map(|(which, plan)| (plan, there.remove(&(place, which)).unwrap_or_default()))
            .collect();
        let is_there = |answers: &[&FoundAgain]| {
            answers.iter().any(|answer| matches!(answer, FoundAgain::Seen(seen) if *seen != Probe::Absent))
        };
        let is_equal =
            |answers: &[&FoundAgain]| answers.iter().any(|answer| matches!(answer, FoundAgain::Seen(Probe::Equal(_))));
        let first = |is: &dyn Fn(&[&FoundAgain]) -> bool| ways.iter().position(|(_, answers)| is(answers));
        // Where nobody knows whose the notes are, they may be the hub's own, made for what had left.
        let unseen = if author.is_none() { ways.len().saturating_sub(1) } else { 0 };
        let likeliest = first(&is_equal).or_else(|| first(&is_there)).unwrap_or(unseen);
        let (plan, answers) = ways.swap_remove(likeliest);
        if answers.iter().all(|answer| matches!(answer, FoundAgain::Seen(Probe::Absent))) {
            match stands {
                Stands::Sent => report.not_there.push(of_order(order.order_id)),
                Stands::Imported => report.waiting += 1,
                Stands::Elsewhere => {}
            }
            continue;
        }
        let seen = is_there(&answers);
        for answer in answers {
            if let FoundAgain::CannotBeAsked { compare } = answer {
                report.to_compare.push(format!("order {}: {compare}", order.order_id));
            }
        }
        // Whether it was ever sent nothing says: it is told, and not taken for an order of the hub's.
        if stands == Stands::Elsewhere && !seen {
            continue;
        }
        report.found += 1;
        found.insert(order.order_id, stands);
        recorded.push((order, mark.to_owned(), plan));
    }
    orders::record(runtime, recorded, &read, &mut orders::Summary::default()).await?;
    Ok(found)
}

/// Looks for requests at the warehouse by their keys: one answer each, `None` for one that cannot be planned.
async fn look(
    runtime: &Runtime,
    requests: &[ShipmentRequest],
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Option<FoundAgain>>, FlowError> {
    let drafts = orders::plan_submits(runtime, requests, now);
    let mut places = Vec::new();
    let mut asked = Vec::new();
    for (place, draft) in drafts.into_iter().enumerate() {
        let Ok(draft) = draft else { continue };
        places.push(place);
        asked.push(Armed {
            effect: Effect {
                id: EffectId::generate(now, &*runtime.random),
                kind: draft.kind,
                key: draft.key,
                batch: draft.batch,
                body: draft.body,
                number: None,
                tried: None,
                others: BTreeSet::new(),
            },
            baseline: serde_json::Value::Null,
            attempt: 0,
            armed_at: now,
        });
    }
    let mut answers: Vec<Option<FoundAgain>> = vec![None; requests.len()];
    if asked.is_empty() {
        return Ok(answers);
    }
    let found = runtime.warehouse.find_again(&asked, since).await?;
    for (place, answer) in places.into_iter().zip(found) {
        if let Some(slot) = answers.get_mut(place) {
            *slot = Some(answer);
        }
    }
    Ok(answers)
}

/// An order that may have been sent, and what may have been asked for.
struct Candidate<'a> {
    order: &'a Order,
    mark: &'a str,
    stands: Stands,
    /// By the notes as they are; and, where somebody made notes of it in the window, as if they had been made afterwards.
    plans: Vec<Plan>,
}

/// Orders of which somebody has made notes in the window, with their notes before that. Whether the lost journal sent the order
/// before such a note was made or after, and so under which key, only the warehouse can say.
fn before_others_made_notes(
    notes: &BTreeMap<i64, Vec<GoodsOutNote>>,
    mode: StartMode,
    since: Timestamp,
) -> BTreeMap<i64, Vec<GoodsOutNote>> {
    // Where notes are what is imported, there is nothing to ask for without them.
    if mode == StartMode::GoodsOutNote {
        return BTreeMap::new();
    }
    let is_new = |note: &&GoodsOutNote| !note.transfer && note.created_at >= since;
    notes
        .iter()
        .filter(|(_, notes)| notes.iter().any(|note| is_new(&note)))
        .map(|(order_id, notes)| (*order_id, notes.iter().filter(|note| !is_new(note)).cloned().collect()))
        .collect()
}

/// The notes that lost journals made in goods-out-note mode: for goods that had left, in the place of a request's note that did
/// not fit them. To whoever has forgotten that they look like requests.
pub(crate) struct Made {
    own: i64,
    windows: Vec<(Timestamp, Timestamp)>,
}

impl Made {
    /// `None` where no journal was lost, where the hub's notes are no requests anyway, or where nothing says whose they are.
    pub(crate) async fn of_lost_journal(
        db: &Database,
        source: &dyn OrderSource,
        mode: StartMode,
    ) -> Result<Option<Self>, FlowError> {
        if mode != StartMode::GoodsOutNote {
            return Ok(None);
        }
        let Some(lost) = db.safety().await?.lost else { return Ok(None) };
        let Some(own) = source.own_contact().await? else { return Ok(None) };
        let around = |(since, until): (Timestamp, Timestamp)| {
            let from = since.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
            (from, until.checked_add(OVERLAP).unwrap_or(Timestamp::MAX))
        };
        Ok(Some(Self { own, windows: lost.windows().map(around).collect() }))
    }

    pub(crate) fn holds(&self, note: &GoodsOutNote) -> bool {
        let made_in = |(from, until): &(Timestamp, Timestamp)| (*from..=*until).contains(&note.created_at);
        !note.transfer && note.created_by == self.own && self.windows.iter().any(made_in)
    }
}

/// Notes as they were when the lost journal decided: without those that it has made since, which in goods-out-note mode reading
/// has left out already ([`Made`]), and with those that were its requests not yet shipped. Where nothing says whose they are, they
/// stay: what there was without them is looked for as well ([`before_others_made_notes`]). Taken wrongly, nothing comes of it but a
/// look: before anything is sent the order is decided upon as it is.
fn as_they_were(notes: &mut Vec<GoodsOutNote>, mode: StartMode, author: Option<i64>, since: Timestamp) {
    match mode {
        StartMode::Order => {
            let of_others = |note: &GoodsOutNote| author != Some(note.created_by);
            notes.retain(|note| note.transfer || note.created_at < since || of_others(note));
        }
        StartMode::GoodsOutNote => {
            for note in notes.iter_mut().filter(|note| !note.transfer) {
                note.state = NoteState::Unshipped;
            }
        }
    }
}

/// Where an order stands now, for whoever does not know whether it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// At a status from which orders are imported.
    Imported,
    /// At one that the hub sets.
    Sent,
    /// A person cancelled it or put it elsewhere, or it never was the hub's.
    Elsewhere,
}

impl Stands {
    fn of(runtime: &Runtime, order: &Order, own: &BTreeSet<i64>, cancelled: Option<i64>) -> Self {
        let from = &runtime.settings.import_statuses;
        // None are named where notes are imported whatever the order's status.
        let imported = from.contains(&order.status_id) || from.is_empty() && cancelled != Some(order.status_id);
        if own.contains(&order.status_id) {
            Self::Sent
        } else if imported {
            Self::Imported
        } else {
            Self::Elsewhere
        }
    }
}

/// The order as the lost journal saw it before it set a status and shipped it, and before a person moved it.
fn before_it_was_sent(runtime: &Runtime, order: &Order, stands: Stands) -> Order {
    let mut order = order.clone();
    if stands != Stands::Imported {
        if let Some(status) = runtime.settings.import_statuses.first() {
            order.status_id = *status;
        }
        order.allocation = Allocation::All;
    }
    if order.shipping != Progress::None {
        order.shipping = Progress::None;
        order.allocation = Allocation::All;
    }
    order
}

/// Reads shipments again that the lost journal had put away; those of orders that were found above find their request.
async fn read_shipments(runtime: &Runtime, since: Timestamp, report: &mut Report) -> Result<(), FlowError> {
    let mut cursor = FeedCursor::default();
    loop {
        let mut page = runtime.warehouse.shipments_again(since, &cursor).await?;
        leave_out_others(&runtime.key_head(), &mut page);
        let seen = runtime.db.inputs_seen(&runtime.key, &page.taken).await?;
        let all_seen = !page.taken.is_empty() && seen.iter().all(|seen| *seen);
        report.rejected += page.rejected.len();
        if !all_seen && !page.shipments.is_empty() {
            // The channel goes on from where it is.
            let channels = runtime.db.channels(&runtime.key).await?;
            let kept = channels.into_iter().find(|channel| channel.kind == ChannelKind::Shipments);
            let kept = FeedCursor(kept.and_then(|channel| channel.cursor));
            let shipments = page
                .shipments
                .into_iter()
                .map(|shipment| NewShipment { id: runtime.shipment_id(), shipment })
                .collect();
            let recorded =
                runtime.db.record_shipments(&runtime.key, shipments, page.states, &page.taken, &[], &kept).await?;
            report.shipments += recorded.new;
            report.shipments_unknown += recorded.unknown_key;
        }
        if !page.more || page.next == cursor {
            break;
        }
        cursor = page.next;
    }
    runtime.wake.advance.notify_one();
    Ok(())
}

#[cfg(test)]
mod tests {
    use connect::{GoodsOutNote, NoteState};
    use engine::settings::StartMode;

    use super::{Made, as_they_were};

    fn note(note_id: i64, created_by: i64, created_at: &str) -> GoodsOutNote {
        GoodsOutNote {
            note_id,
            order_id: 1,
            warehouse_id: 2,
            transfer: false,
            state: NoteState::Shipped,
            shipped_at: None,
            created_by,
            created_at: created_at.parse().unwrap(),
            release_at: None,
            ship_method_id: 0,
            reference: String::new(),
            version: 1,
            rows: Vec::new(),
        }
    }

    #[test]
    fn notes_that_the_lost_journal_made_do_not_count() {
        let since = "2026-01-02T10:00:00Z".parse().unwrap();
        let all = [
            note(1, 4, "2026-01-02T09:00:00Z"),
            note(2, 4, "2026-01-02T11:00:00Z"),
            note(3, 203, "2026-01-02T11:00:00Z"),
        ];
        let ids = |notes: &[GoodsOutNote]| notes.iter().map(|note| note.note_id).collect::<Vec<_>>();
        let mut own_known = all.to_vec();
        as_they_were(&mut own_known, StartMode::Order, Some(4), since);
        assert_eq!(ids(&own_known), [1, 3]);
        // Under which contact the hub's own are kept may not be known: then all count, and the order is looked for without them too.
        let mut unknown = all.to_vec();
        as_they_were(&mut unknown, StartMode::Order, None, since);
        assert_eq!(ids(&unknown), [1, 2, 3]);
        let mut requests = all.to_vec();
        as_they_were(&mut requests, StartMode::GoodsOutNote, None, since);
        assert_eq!(ids(&requests), [1, 2, 3]);
        assert!(requests.iter().all(|note| note.state == NoteState::Unshipped));
    }

    #[test]
    fn notes_of_the_lost_window_under_the_own_contact_are_no_requests() {
        let window = |day: u32| [10, 12].map(|hour| format!("2026-01-{day:02}T{hour}:00:00Z").parse().unwrap()).into();
        let made = Made { own: 4, windows: vec![window(2), window(5)] };
        assert!(made.holds(&note(1, 4, "2026-01-02T11:00:00Z")));
        assert!(!made.holds(&note(2, 203, "2026-01-02T11:00:00Z")));
        assert!(!made.holds(&note(3, 4, "2026-01-02T09:59:59Z")));
        assert!(!made.holds(&note(4, 4, "2026-01-02T12:00:01Z")));
        assert!(!made.holds(&note(6, 4, "2026-01-04T11:00:00Z")), "between two losses the journal knew what it made");
        assert!(made.holds(&note(7, 4, "2026-01-05T11:00:00Z")));
        assert!(!made.holds(&GoodsOutNote { transfer: true, ..note(5, 4, "2026-01-02T11:00:00Z") }));
    }
}
