//! From what left the building to what the source is told: which rows, and which step comes next.

use std::collections::BTreeMap;

use connect::{
    EffectKind, NoteRow, PackageLine, RequestLine, Shipment,
    planted::{Planted, planted},
};
use rust_decimal::Decimal;

use crate::{effect::EffectState, settings::ShortShip};

/// Why a shipment waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Hold(pub String);

/// Units of each request line that left, over several shipments: by line number.
type Left = BTreeMap<u32, Decimal>;

/// The source's rows that the newest shipment confirms, given everything that left before it. Only whole units of a row are
/// confirmed: a kit of the hub's own counts once all its parts have left, and an odd part waits for the rest.
///
/// `earlier` holds every shipment of the request whose rows were decided before, in that order: which of two lines of one SKU
/// a shipment fills depends on what was counted before it.
pub fn rows(lines: &[RequestLine], earlier: &[&Shipment], newest: &Shipment) -> Result<Vec<NoteRow>, Hold> {
    // Held shipments were looked at by a person; what could be placed still counts.
    let mut left = counted(lines, earlier.iter().copied());
    let before = units(lines, &left);
    add(lines, &mut left, newest)?;
    let after = units(lines, &left);
    let mut rows = Vec::new();
    for (row_id, (product_id, total)) in after {
        let new = total - before.get(&row_id).map_or(Decimal::ZERO, |(_, units)| *units);
        if new.is_sign_positive() && !new.is_zero() {
            rows.push(NoteRow { row_id, product_id, quantity: new });
        }
    }
    if planted(Planted::TellsEverything) {
        let everything = lines.iter().map(|line| NoteRow {
            row_id: line.row_id,
            product_id: line.product_id,
            quantity: line.quantity,
        });
        return Ok(everything.collect());
    }
    Ok(rows)
}

/// Units of the hub's own kits of which some parts left and others did not: (warehouse SKU, odd quantity).
pub fn odd_parts(lines: &[RequestLine], shipments: &[&Shipment]) -> Vec<(String, Decimal)> {
    let left = counted(lines, shipments.iter().copied());
    let whole = units(lines, &left);
    lines
        .iter()
        .filter_map(|line| {
            let used = whole.get(&line.row_id).map_or(Decimal::ZERO, |(_, units)| *units * line.per_unit);
            let odd = left.get(&line.line_number).copied().unwrap_or_default() - used;
            (!odd.is_zero()).then(|| (line.sku.clone(), odd))
        })
        .collect()
}

/// Units of all lines that left, and units asked for.
pub fn progress(lines: &[RequestLine], shipments: &[&Shipment]) -> (Decimal, Decimal) {
    let left = counted(lines, shipments.iter().copied());
    (left.values().sum(), lines.iter().map(|line| line.quantity).sum())
}

/// What has not left of a request, given everything that has: the goods of a shipment of which its warehouse says no more than
/// that it is all of it ([`Shipment::whole`]).
pub fn rest(lines: &[RequestLine], earlier: &[Shipment]) -> Vec<PackageLine> {
    let left = counted(lines, earlier);
    let open = |line: &RequestLine| line.quantity - left.get(&line.line_number).copied().unwrap_or_default();
    let goods = lines.iter().map(|line| PackageLine {
        line_number: Some(line.line_number),
        sku: line.sku.clone(),
        quantity: open(line),
        lot: None,
        serials: Vec::new(),
    });
    goods.filter(|line| line.quantity > Decimal::ZERO).collect()
}

/// What several shipments packed, as far as it can be placed.
fn counted<'a>(lines: &[RequestLine], shipments: impl IntoIterator<Item = &'a Shipment>) -> Left {
    let mut left = Left::new();
    for shipment in shipments {
        let _ = add(lines, &mut left, shipment);
    }
    left
}

/// Counts what a shipment packed towards the lines it was asked for by, and says what is wrong with it. What can be placed
/// is counted even then: later shipments are measured against everything that left.
fn add(lines: &[RequestLine], left: &mut Left, shipment: &Shipment) -> Result<(), Hold> {
    let mut wrong = Vec::new();
    for packed in shipment.lines() {
        let mut rest = packed.quantity;
        if rest.is_zero() {
            continue;
        }
        if rest.is_sign_negative() {
            wrong.push(format!("the warehouse reports {} of {}", rest.normalize(), packed.sku));
            continue;
        }
        let same: Vec<&RequestLine> = lines.iter().filter(|line| line.sku == packed.sku).collect();
        if same.is_empty() {
            wrong.push(format!(
                "the warehouse shipped {}, which was not asked for: a substitution, or a mistake there",
                packed.sku
            ));
            continue;
        }
        // The line the warehouse names comes first. The goods of all lines of a SKU are the same, so what that line has no
        // room for, and what names no line, fills the others in order.
        let (named, others): (Vec<&RequestLine>, Vec<&RequestLine>) =
            same.into_iter().partition(|line| Some(line.line_number) == packed.line_number);
        for line in named.into_iter().chain(others) {
            let gone = left.entry(line.line_number).or_default();
            let taken = rest.min((line.quantity - *gone).max(Decimal::ZERO));
            *gone += taken;
            rest -= taken;
        }
        if !rest.is_zero() {
            wrong.push(format!(
                "the warehouse shipped {} more of {} than was asked for; correct it there or in Brightpearl",
                rest.normalize(),
                packed.sku
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Hold(wrong.join("; "))) }
}

/// Whole units of each row that its lines amount to.
fn units(lines: &[RequestLine], left: &Left) -> BTreeMap<i64, (i64, Decimal)> {
    let mut units: BTreeMap<i64, (i64, Decimal)> = BTreeMap::new();
    for line in lines {
        let gone = left.get(&line.line_number).copied().unwrap_or_default();
        let whole = if line.per_unit.is_zero() { Decimal::ZERO } else { (gone / line.per_unit).floor() };
        units
            .entry(line.row_id)
            .and_modify(|(_, units)| *units = (*units).min(whole))
            .or_insert((line.product_id, whole));
    }
    units
}

/// One effect of a shipment, as far as the next step depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What it does.
    pub kind: EffectKind,
    /// Where it stands.
    pub state: EffectState,
    /// The note it made, for [`EffectKind::CreateNote`].
    pub note_id: Option<i64>,
    /// Why it stands there, in words; empty where there is nothing to say.
    pub note: String,
}

/// What the next step of one shipment follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentSteps<'a> {
    /// The rows it confirms.
    pub rows: &'a [NoteRow],
    /// The note that was the request, with its rows, where one was and no earlier shipment has used it.
    pub given_note: Option<(i64, &'a [NoteRow])>,
    /// What to do when it left short.
    pub short_ship: ShortShip,
    /// Its effects so far.
    pub done: &'a [Done],
}

/// The next step towards telling the source of one shipment. Each step is planned when the one before is applied; preparing
/// it verifies the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Take away the given note, which asks for more than left.
    DeleteNote {
        /// The note.
        note_id: i64,
    },
    /// Make the note for what left.
    CreateNote,
    /// Write tracking and method on the note. Before the shipped event: it freezes them (S3).
    UpdateShipping {
        /// The note.
        note_id: i64,
    },
    /// Post the shipped event.
    PostShipped {
        /// The note.
        note_id: i64,
    },
    /// An effect is on its way.
    Wait,
    /// A person is needed.
    Hold(String),
    /// The source knows everything.
    Confirmed,
}

/// Decides the next step.
pub fn next(facts: &ShipmentSteps<'_>) -> NextStep {
    let find = |kind| facts.done.iter().find(|done| done.kind == kind);
    for done in facts.done {
        if done.state.open() {
            return NextStep::Wait;
        }
    }
    // Whatever ended and is not applied needs a person: nothing may be built on it.
    let stopped = facts.done.iter().find(|done| done.state != EffectState::Applied);
    if let Some(stopped) = stopped {
        return NextStep::Hold(self::stopped(stopped.kind, stopped.state, &stopped.note));
    }
    if facts.rows.is_empty() {
        // Only odd parts of kits left with it: their units are confirmed with the shipment that completes them.
        return NextStep::Confirmed;
    }
    let applied = |kind| find(kind).is_some_and(|done| done.state == EffectState::Applied);
    let note_id = if let Some(created) = find(EffectKind::CreateNote) {
        match created.note_id {
            Some(note_id) => note_id,
            None => return NextStep::Hold("the goods-out note was made, but its number is not known".to_owned()),
        }
    } else {
        match facts.given_note {
            Some(_) if applied(EffectKind::DeleteNote) => return NextStep::CreateNote,
            Some((note_id, rows)) if same_rows(rows, facts.rows) => note_id,
            Some((note_id, _)) => {
                return match facts.short_ship {
                    ShortShip::Replace => NextStep::DeleteNote { note_id },
                    ShortShip::Hold => NextStep::Hold(format!(
                        "less left than goods-out note {note_id} asks for; choose that notes shipped short are replaced, or settle it in Brightpearl"
                    )),
                };
            }
            None => return NextStep::CreateNote,
        }
    };
    if planted(Planted::EventBeforeDetails) && !applied(EffectKind::PostShipped) {
        return NextStep::PostShipped { note_id };
    }
    if !applied(EffectKind::UpdateShipping) {
        NextStep::UpdateShipping { note_id }
    } else if !applied(EffectKind::PostShipped) {
        NextStep::PostShipped { note_id }
    } else {
        NextStep::Confirmed
    }
}

fn same_rows(a: &[NoteRow], b: &[NoteRow]) -> bool {
    let sum = |rows: &[NoteRow]| {
        let mut by_row: BTreeMap<i64, Decimal> = BTreeMap::new();
        for row in rows {
            *by_row.entry(row.row_id).or_default() += row.quantity;
        }
        by_row
    };
    sum(a) == sum(b)
}

/// What is said of an effect that ended and was not applied, in people's words; `note` is why, where that is known.
pub fn stopped(kind: EffectKind, state: EffectState, note: &str) -> String {
    let stands = format!("{} is {}", words(kind), state.as_str().replace('_', " "));
    if note.is_empty() { stands } else { format!("{stands}: {note}") }
}

/// What an effect does, in people's words.
pub fn words(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::SubmitRequest => "sending the order to the warehouse",
        EffectKind::ReleaseRequest => "releasing the order at the warehouse",
        EffectKind::CancelRequest => "cancelling the order at the warehouse",
        EffectKind::Acknowledge => "telling the warehouse that its message was read",
        EffectKind::CreateNote => "creating the goods-out note",
        EffectKind::DeleteNote => "deleting the goods-out note",
        EffectKind::UpdateShipping => "writing tracking on the goods-out note",
        EffectKind::PostShipped => "posting the shipped event",
        EffectKind::SetStatus => "setting the order status",
        EffectKind::AddOrderNote => "adding the order note",
        EffectKind::CorrectStock => "correcting stock",
    }
}

#[cfg(test)]
mod tests;
