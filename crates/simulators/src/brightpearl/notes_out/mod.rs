//! Goods-out notes: some rows of one order leaving one warehouse.

pub(crate) mod create;
pub(crate) mod events;
pub(crate) mod read;
pub(crate) mod reservation;
pub(crate) mod transfer;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::{Account, next, visibility};
use super::call::Call;
use super::stock::Movement;
use super::switches::UnclearedMovements;

/// Goods on a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) product_id: i64,
    pub(crate) quantity: i64,
    pub(crate) location_id: i64,
}

/// When a step was done, and by whom.
pub(crate) type Step = Option<(Timestamp, i64)>;

#[derive(Clone, Debug)]
pub(crate) struct NoteEvent {
    pub(crate) code: &'static str,
    pub(crate) occured: Timestamp,
    pub(crate) owner: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) id: i64,
    /// 0 for transfers.
    pub(crate) order_id: i64,
    pub(crate) warehouse_id: i64,
    pub(crate) transfer: bool,
    pub(crate) target_warehouse: Option<i64>,
    pub(crate) transfer_id: Option<i64>,
    pub(crate) priority: bool,
    pub(crate) reference: String,
    pub(crate) method_id: i64,
    pub(crate) boxes: Option<i64>,
    pub(crate) weight: Option<Decimal>,
    pub(crate) label_uri: Option<String>,
    pub(crate) release_date: Timestamp,
    pub(crate) created_on: Timestamp,
    pub(crate) created_by: i64,
    pub(crate) rows: BTreeMap<i64, Vec<Line>>,
    pub(crate) transfer_rows: Vec<Line>,
    pub(crate) sequence: i64,
    pub(crate) events: Vec<NoteEvent>,
    pub(crate) version: i64,
    pub(crate) printed: Step,
    pub(crate) picked: Step,
    pub(crate) packed: Step,
    pub(crate) shipped: Step,
    pub(crate) read_from: Timestamp,
    pub(crate) searched_from: Timestamp,
}

impl Note {
    /// Everything on the note, with the row it is for.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (Option<i64>, &Line)> {
        let rows = self.rows.iter().flat_map(|(row, lines)| lines.iter().map(move |line| (Some(*row), line)));
        rows.chain(self.transfer_rows.iter().map(|line| (None, line)))
    }
}

impl Account {
    /// Shows the goods of an unshipped note among the movements, not cleared, where that is assumed.
    pub(crate) fn list_uncleared(&mut self, id: i64, call: &Call<'_>) {
        let Some(note) = self.notes.get(&id) else { return };
        if call.switches.uncleared_movements == UnclearedMovements::Hidden {
            return;
        }
        let (_, searched_from) = visibility(call);
        let mut waiting = Vec::new();
        for (row, line) in note.lines() {
            waiting.push(Movement {
                id: next(&mut self.next.movement),
                product_id: line.product_id,
                sales_row: row,
                purchase_row: None,
                quantity: -line.quantity,
                location_id: line.location_id,
                warehouse_id: note.warehouse_id,
                note_id: id,
                value: Decimal::ZERO,
                currency: self.currency.clone(),
                order_id: (note.order_id != 0).then_some(note.order_id),
                cleared: false,
                quarantine: false,
                batch_id: 0,
                code: "GO",
                at: call.now,
                searched_from,
            });
        }
        self.stock.movements.extend(waiting);
    }

    /// They are cleared as movements of their own, or go with the note.
    pub(crate) fn unlist_uncleared(&mut self, id: i64) {
        self.stock.movements.retain(|moved| moved.cleared || moved.note_id != id);
    }
}

/// Stock kept for an order without a note.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) warehouse_id: i64,
    pub(crate) rows: BTreeMap<i64, Reserved>,
}

#[derive(Clone, Debug)]
pub(crate) struct Reserved {
    pub(crate) product_id: i64,
    pub(crate) quantity: i64,
}
