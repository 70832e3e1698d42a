//! The doctor of goods-out notes: looks at all notes of one order beside what the hub knows of it, and says which are stuck,
//! orphaned, double, missing or changed. Pure; it proposes and never acts.

use std::collections::{BTreeMap, BTreeSet};

use connect::{GoodsOutNote, NoteRow, NoteState};
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::{
    census::Patience,
    effect::later,
    finding::{Finding, FindingKind, Subject},
};

/// Generations of back orders after which something is splitting an order without end.
pub const MOST_GENERATIONS: usize = 4;

/// A request of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its key.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// What was asked for, by row.
    pub rows: Vec<NoteRow>,
    /// The warehouse has it.
    pub sent: bool,
    /// Something has left for it.
    pub some_left: bool,
    /// It is cancelled, or nothing more will leave.
    pub over: bool,
    /// The hub itself took its note away, to put another in its place.
    pub replaced: bool,
}

/// A shipment of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipment {
    /// The warehouse's own id.
    pub reference: String,
    /// When the hub read of it.
    pub read_at: Timestamp,
    /// Tracking numbers that the warehouse gave for it.
    pub tracking: Vec<String>,
    /// What the source keeps of them on a note, in its own form; `None` where that cannot be said.
    pub tracking_kept: Option<String>,
    /// The rows of the order that left with it; `None` where that is not decided, or the journal that knew of it was lost.
    pub rows: Option<Vec<NoteRow>>,
    /// Whole units of the order left with it: otherwise there is nothing to tell.
    pub to_be_told: bool,
    /// The note it is told on.
    pub note_id: Option<i64>,
    /// The hub takes the source to know everything of it, since then.
    pub told_at: Option<Timestamp>,
}

/// One order with its notes.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The source's order id.
    pub order_id: i64,
    /// Every note of it at the source.
    pub notes: &'a [GoodsOutNote],
    /// Units ordered, by row; `None` where the order was not read.
    pub ordered: Option<&'a BTreeMap<i64, Decimal>>,
    /// The contact that notes of the hub's own are kept under, once confirmed.
    pub author: Option<i64>,
    /// The warehouses of the connection; empty means all.
    pub warehouses: &'a BTreeSet<i64>,
    /// The hub knows the order.
    pub known: bool,
    /// Its requests.
    pub requests: &'a [Request],
    /// What has left for it.
    pub shipments: &'a [Shipment],
    /// Notes that effects of the hub made or took over.
    pub made: &'a BTreeSet<i64>,
    /// Rows of it that other connections hold: notes over these are theirs to make, to tell and to take away.
    pub rows_of_others: &'a BTreeSet<i64>,
    /// A note of it is being made or taken away, or may have been: whose a new one is cannot be said just now.
    pub busy: bool,
    /// Orders it descends from by being split.
    pub generations: usize,
}

/// Everything that is wrong with the notes of one order, at most one finding for each kind and subject.
pub fn examine(facts: &Facts<'_>, patience: &Patience, now: Timestamp) -> Vec<Finding> {
    let mut findings = BTreeMap::new();
    let mut add = |kind, subject: Subject, what: String| {
        findings.entry((kind, subject.clone())).or_insert(Finding {
            kind,
            subject,
            order_id: Some(facts.order_id),
            what,
        });
    };
    for shipment in facts.shipments.iter().filter(|shipment| shipment.to_be_told) {
        of_shipment(facts, shipment, patience, now, &mut add);
    }
    for request in facts.requests {
        of_request(facts, request, patience, now, &mut add);
    }
    if !facts.busy {
        of_unlinked(facts, patience, now, &mut add);
    }
    if facts.generations > MOST_GENERATIONS {
        let what = format!(
            "order {} is the {}th back order of one order: something splits it again and again",
            facts.order_id, facts.generations
        );
        add(FindingKind::EndlessSplit, Subject::Order(facts.order_id), what);
    }
    findings.into_values().collect()
}

/// Takes findings in.
type Add<'a> = dyn FnMut(FindingKind, Subject, String) + 'a;

fn of_shipment(facts: &Facts<'_>, shipment: &Shipment, patience: &Patience, now: Timestamp, add: &mut Add<'_>) {
    let (order, reference) = (facts.order_id, &shipment.reference);
    let subject = || Subject::Shipment(reference.clone());
    let note = shipment.note_id.and_then(|id| facts.notes.iter().find(|note| note.note_id == id));
    let Some(told_at) = shipment.told_at else {
        if now > later(shipment.read_at, patience.telling) {
            match note.filter(|note| note.state == NoteState::Unshipped) {
                Some(note) => add(
                    FindingKind::StuckNote,
                    Subject::Note(note.note_id),
                    format!(
                        "shipment {reference} of order {order} left, and its goods-out note {} is not shipped",
                        note.note_id
                    ),
                ),
                None => add(
                    FindingKind::StuckShipment,
                    subject(),
                    format!("shipment {reference} of order {order} left, and Brightpearl has not been told"),
                ),
            }
        }
        return;
    };
    // What was told a moment ago may not show in a read yet.
    if now <= later(told_at, patience.grace) {
        return;
    }
    match (shipment.note_id, note) {
        (Some(id), None) => add(
            FindingKind::NoteMissing,
            subject(),
            format!(
                "shipment {reference} of order {order} was told on goods-out note {id}, which does not exist any more"
            ),
        ),
        (None, _) => add(
            FindingKind::NoteMissing,
            subject(),
            format!("shipment {reference} of order {order} counts as told, and belongs to no goods-out note"),
        ),
        (Some(id), Some(note)) if note.state == NoteState::Unshipped => add(
            FindingKind::NoteNotShipped,
            subject(),
            format!("shipment {reference} of order {order} was told on goods-out note {id}, which is not shipped"),
        ),
        (Some(_), Some(note)) => of_told(facts, shipment, note, add),
    }
}

/// The shipped note of a shipment beside the shipment (S1): its tracking and its rows.
fn of_told(facts: &Facts<'_>, shipment: &Shipment, note: &GoodsOutNote, add: &mut Add<'_>) {
    let (order, reference, id) = (facts.order_id, &shipment.reference, note.note_id);
    let subject = || Subject::Shipment(reference.clone());
    let written = note.reference.trim();
    let kept = shipment.tracking_kept.as_deref().map(str::trim).filter(|kept| !kept.is_empty());
    if !shipment.tracking.is_empty() && written.is_empty() {
        add(
            FindingKind::TrackingMissing,
            subject(),
            format!(
                "goods-out note {id} of shipment {reference} (order {order}) is shipped without its tracking ({})",
                shipment.tracking.join(", ")
            ),
        );
    } else if kept.is_some_and(|kept| kept != written) {
        add(
            FindingKind::TrackingDiffers,
            subject(),
            format!(
                "goods-out note {id} of shipment {reference} (order {order}) is shipped with the tracking {written:?}, and the \
                 warehouse gave {}",
                shipment.tracking.join(", ")
            ),
        );
    }
    if let Some(rows) = shipment.rows.as_deref().filter(|rows| differ(&note.rows, rows)) {
        add(
            FindingKind::GoodsDiffer,
            subject(),
            format!(
                "goods-out note {id} of shipment {reference} (order {order}) is shipped with {}, and what left is {}",
                words(&note.rows),
                words(rows)
            ),
        );
    }
}

fn of_request(facts: &Facts<'_>, request: &Request, patience: &Patience, now: Timestamp, add: &mut Add<'_>) {
    let Some(note_id) = request.note_id.filter(|_| request.sent && !request.replaced) else { return };
    let note = facts.notes.iter().find(|note| note.note_id == note_id);
    let subject = Subject::Note(note_id);
    let order = facts.order_id;
    match note {
        None if !request.over && !facts.busy => add(
            FindingKind::RequestNoteGone,
            subject,
            format!("goods-out note {note_id} of order {order} was deleted after the warehouse was asked to ship it"),
        ),
        Some(note) if note.state == NoteState::Unshipped && !request.over && differ(&note.rows, &request.rows) => add(
            FindingKind::NoteChanged,
            subject,
            format!(
                "goods-out note {note_id} of order {order} was changed after the warehouse was asked to ship it: asked for \
                 {}, it says {} now",
                words(&request.rows),
                words(&note.rows)
            ),
        ),
        Some(note)
            if note.state == NoteState::Shipped
                && !request.some_left
                && note.shipped_at.is_none_or(|at| now > later(at, patience.grace)) =>
        {
            add(
                FindingKind::ShippedByHand,
                subject,
                format!(
                    "goods-out note {note_id} of order {order} was shipped in Brightpearl, and the warehouse has reported no \
                     shipment for it"
                ),
            );
        }
        _ => {}
    }
}

fn differ(one: &[NoteRow], other: &[NoteRow]) -> bool {
    quantities(one) != quantities(other)
}

/// Notes that belong to no request and no shipment.
fn of_unlinked(facts: &Facts<'_>, patience: &Patience, now: Timestamp, add: &mut Add<'_>) {
    let linked: BTreeSet<i64> = facts
        .requests
        .iter()
        .filter_map(|request| request.note_id)
        .chain(facts.shipments.iter().filter_map(|shipment| shipment.note_id))
        .chain(facts.made.iter().copied())
        .collect();
    let order = facts.order_id;
    let ours = |note: &GoodsOutNote| facts.warehouses.is_empty() || facts.warehouses.contains(&note.warehouse_id);
    let notes = || facts.notes.iter().filter(|note| !note.transfer);
    let loose: Vec<&GoodsOutNote> = notes()
        .filter(|note| ours(note) && !linked.contains(&note.note_id) && now > later(note.created_at, patience.grace))
        .filter(|note| !note.rows.iter().any(|row| facts.rows_of_others.contains(&row.row_id)))
        .collect();
    let forwarded = facts.requests.iter().any(|request| request.sent);
    let mut flagged = BTreeSet::new();
    for note in &loose {
        let id = note.note_id;
        let own = facts.author == Some(note.created_by);
        let twin = notes().find(|other| {
            other.note_id != id
                && other.warehouse_id == note.warehouse_id
                && quantities(&other.rows) == quantities(&note.rows)
                && (linked.contains(&other.note_id) || other.note_id < id)
        });
        match (note.state, own, twin) {
            (NoteState::Unshipped, true, twin) => {
                flagged.insert(id);
                let beside = twin
                    .map(|twin| format!("; goods-out note {} has the same goods", twin.note_id))
                    .unwrap_or_default();
                add(
                    FindingKind::OrphanNote,
                    Subject::Note(id),
                    format!(
                        "goods-out note {id} of order {order} ({}) was made by Millrace and belongs to no shipment{beside}",
                        words(&note.rows)
                    ),
                );
            }
            (NoteState::Unshipped, false, Some(twin)) if forwarded => {
                flagged.insert(id);
                add(
                    FindingKind::DuplicateNote,
                    Subject::Note(id),
                    format!(
                        "goods-out note {id} of order {order}, made by contact {}, has the same goods as goods-out note {} \
                         ({})",
                        note.created_by,
                        twin.note_id,
                        words(&note.rows)
                    ),
                );
            }
            (NoteState::Shipped, true, _) if facts.known => add(
                FindingKind::ShippedUntold,
                Subject::Note(id),
                format!(
                    "goods-out note {id} of order {order} ({}) was made and shipped by Millrace, and no shipment of the \
                     warehouse belongs to it",
                    words(&note.rows)
                ),
            ),
            _ => {}
        }
    }
    over_noted(facts, &loose, &flagged, add);
}

/// More on notes than was ordered (S2).
fn over_noted(facts: &Facts<'_>, loose: &[&GoodsOutNote], flagged: &BTreeSet<i64>, add: &mut Add<'_>) {
    let Some(ordered) = facts.ordered.filter(|_| facts.known) else { return };
    let mut noted: BTreeMap<i64, Decimal> = BTreeMap::new();
    for note in facts.notes.iter().filter(|note| !note.transfer) {
        for (row, units) in quantities(&note.rows) {
            *noted.entry(row).or_default() += units;
        }
    }
    let over: Vec<(i64, Decimal, Decimal)> = noted
        .into_iter()
        .map(|(row, units)| (row, units, ordered.get(&row).copied().unwrap_or_default()))
        .filter(|(_, units, ordered)| units > ordered)
        .collect();
    let Some((row, units, wanted)) = over.first() else { return };
    let rows: BTreeSet<i64> = over.iter().map(|(row, ..)| *row).collect();
    let takes_part = |note: &&&GoodsOutNote| note.rows.iter().any(|one| rows.contains(&one.row_id));
    if loose.iter().filter(takes_part).any(|note| flagged.contains(&note.note_id)) {
        return;
    }
    let what = format!(
        "row {row} of order {} has {} units on goods-out notes, and {} are ordered",
        facts.order_id,
        units.normalize(),
        wanted.normalize()
    );
    let extra =
        loose.iter().filter(takes_part).filter(|note| note.state == NoteState::Unshipped).max_by_key(|n| n.note_id);
    match extra {
        Some(note) => add(FindingKind::DuplicateNote, Subject::Note(note.note_id), what),
        None => add(FindingKind::TooManyNotes, Subject::Order(facts.order_id), what),
    }
}

fn quantities(rows: &[NoteRow]) -> BTreeMap<i64, Decimal> {
    let mut by_row: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in rows {
        let units = by_row.entry(row.row_id).or_default();
        *units = (*units + row.quantity).normalize();
    }
    by_row.retain(|_, units| !units.is_zero());
    by_row
}

/// Rows for people: `2 of row 17, 1 of row 18`.
fn words(rows: &[NoteRow]) -> String {
    let parts: Vec<String> = quantities(rows).into_iter().map(|(row, units)| format!("{units} of row {row}")).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests;
