//! What the warehouse's own people do.

use jiff::Timestamp;

use super::{RestWarehouse, order::Made};
use crate::seeded::warehouse::Packed;

/// How often, in a thousand, an open order is changed in a round without any consequence, and how often the staff cancels one.
const TOUCHED: u64 = 60;
const CANCELLED_BY_STAFF: u64 = 30;

impl RestWarehouse {
    /// A round of the staff's. Somebody begins to work on some of what was let go: it cannot be stopped any more. And some of what
    /// is open, held or not, is changed without any consequence: a version that was read before does not fit any more.
    pub fn begins(&self, now: Timestamp) {
        let mut state = self.state();
        let open: Vec<(i64, bool)> =
            state.made().filter(|made| made.is_open()).map(|made| (made.id, !made.held && !made.started)).collect();
        for (id, waits) in open {
            if waits && self.dice.chance(250) {
                self.trace.note(&format!("{now} warehouse begins to pick {id}"));
                state.touch(now, id, |made| made.started = true);
            }
            if self.dice.chance(TOUCHED) {
                self.trace.note(&format!("{now} warehouse touches {id}"));
                state.touch(now, id, |_| {});
            }
        }
    }

    /// Now and then the staff cancels one of the orders that were let go and that nobody works on, which asks nobody. Its number.
    pub fn staff_cancels(&self, now: Timestamp) -> Option<String> {
        let mut state = self.state();
        if !self.dice.chance(CANCELLED_BY_STAFF) {
            return None;
        }
        let waits = |made: &&Made| made.is_open() && !made.held && !made.started && !made.is_part;
        let open: Vec<(i64, String)> =
            state.made().filter(waits).map(|made| (made.id, made.reference.clone())).collect();
        if open.is_empty() {
            return None;
        }
        let (id, reference) = self.dice.pick(&open).clone();
        self.trace.note(&format!("{now} warehouse cancels {id} by itself"));
        state.touch(now, id, |made| made.cancelled = true);
        state.by_staff.push((now, reference.clone()));
        Some(reference)
    }

    /// Somebody rings up and has an order cancelled of which nothing has left.
    pub fn is_called_off(&self, now: Timestamp, reference: &str) {
        let mut state = self.state();
        let found = state.made().find(|made| made.reference == reference && made.is_open()).map(|made| made.id);
        let Some(id) = found else { return };
        self.trace.note(&format!("{now} warehouse cancels {id}, as somebody asked"));
        state.touch(now, id, |made| made.cancelled = true);
        state.by_staff.push((now, reference.to_owned()));
    }

    /// Whether goods of this order may leave.
    pub fn may_ship(&self, id: i64) -> bool {
        self.state().order(id).is_some_and(|made| made.is_open() && !made.held)
    }

    /// An order, or a part of one, leaves in these boxes. What is left of it goes on as a part of its own, whose id this is.
    pub fn ships(&self, now: Timestamp, id: i64, boxes: &[Packed]) -> Option<i64> {
        let mut state = self.state();
        let whole = state.order(id)?.clone();
        let left = |line: u32| -> i64 {
            let lines = boxes.iter().flat_map(|(_, lines)| lines);
            lines.filter(|(of, _, _)| *of == line).map(|(_, _, units)| units).sum()
        };
        let mut rest = whole.clone();
        for item in &mut rest.items {
            item.quantity -= left(item.line);
        }
        rest.items.retain(|item| item.quantity > 0);
        state.touch(now, id, |made| {
            for item in &mut made.items {
                item.quantity = left(item.line);
            }
            made.items.retain(|item| item.quantity > 0);
            made.closed = Some(now);
            made.boxes = boxes.to_vec();
        });
        if rest.items.is_empty() {
            return None;
        }
        // A part has the whole's number with its own behind it.
        let (base, number) = match whole.reference.rsplit_once('-') {
            Some((base, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (base.to_owned(), number.parse::<u32>().unwrap() + 1)
            }
            _ => (whole.reference.clone(), 2),
        };
        rest.id = state.id();
        rest.reference = format!("{base}-{number}");
        for place in 0..rest.items.len() {
            rest.items[place].id = state.id();
        }
        rest.is_part = true;
        rest.version = 1;
        rest.created = now;
        rest.modified = now;
        let id = rest.id;
        state.orders.insert(id, vec![(now, rest)]);
        Some(id)
    }
}
