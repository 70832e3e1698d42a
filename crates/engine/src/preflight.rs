//! Pre-flight: what would have become of the orders of the past, had the connection been running then.
//!
//! An order of the past has gone on since: it was shipped, and its status with it. [`as_it_stood`] puts it back to the day it
//! was ready, [`crate::plan::decide`] decides as it does every day, and [`Tally`] counts by what has to be mended.

use connect::{Allocation, GoodsOutNote, NoteState, Order, Progress};
use serde::{Deserialize, Serialize};

use crate::{
    cause::{Cause, CauseKind},
    settings::{ConnectionSettings, StartMode},
};

/// The settings a pre-flight plans with: those of the connection, without the date that orders are imported from. That date
/// says when work begins, and the pre-flight looks at the time before.
pub fn settings(settings: &ConnectionSettings) -> ConnectionSettings {
    ConnectionSettings { placed_from: None, ..settings.clone() }
}

/// The order and its notes as they stood when it could have been imported, as far as it shows.
///
/// What left the building must have been ready once: with stock set aside, at a status that the connection imports from. Its
/// shipped notes for the connection's warehouses were unshipped then, or in order mode not there at all: they came of shipping
/// it. Notes of other warehouses stand, since what is on them is not this connection's. An order of which nothing has left is
/// taken as it is.
pub fn as_it_stood(order: &Order, notes: &[GoodsOutNote], settings: &ConnectionSettings) -> (Order, Vec<GoodsOutNote>) {
    let left = matches!(order.shipping, Progress::Part | Progress::All)
        || notes.iter().any(|note| !note.transfer && note.state == NoteState::Shipped);
    let moved_on = [settings.at_warehouse_status, settings.partly_shipped_status, settings.shipped_status]
        .contains(&Some(order.status_id));
    if !left && !moved_on {
        return (order.clone(), notes.to_vec());
    }
    let mut order = order.clone();
    if !settings.import_statuses.contains(&order.status_id)
        && let Some(status) = settings.import_statuses.first()
    {
        order.status_id = *status;
    }
    if left {
        order.shipping = Progress::None;
        order.allocation = Allocation::All;
    }
    let ours = settings.warehouses_in_scope();
    let notes = notes.iter().filter_map(|note| {
        let is_ours = !note.transfer && (ours.is_empty() || ours.contains(&note.warehouse_id));
        if !is_ours || note.state == NoteState::Unshipped {
            return Some(note.clone());
        }
        (settings.start_mode == StartMode::GoodsOutNote).then(|| GoodsOutNote {
            state: NoteState::Unshipped,
            shipped_at: None,
            ..note.clone()
        })
    });
    let notes = notes.collect();
    (order, notes)
}

/// What the missing of a goods-out note comes to, looking back. An order that was sent had one, and the hub's own have taken its
/// place; and while an order that goes through this warehouse may still get one, what belongs to another warehouse never will.
pub fn of_missing_notes(causes: Vec<Cause>, order: &Order, settings: &ConnectionSettings, sent: bool) -> Vec<Cause> {
    let ours = settings.warehouses_in_scope();
    let elsewhere = order.warehouse_id.filter(|id| !ours.is_empty() && !ours.contains(id));
    let seen = causes.into_iter().filter_map(|cause| match (cause.kind, elsewhere) {
        (CauseKind::NoNote, _) if sent => None,
        (CauseKind::NoNote, Some(warehouse)) => Some(Cause::new(CauseKind::Warehouse, warehouse.to_string())),
        _ => Some(cause),
    });
    seen.collect()
}

/// Orders named as examples of one cause.
const EXAMPLES: usize = 5;

/// Causes told apart; what comes beyond is counted by its kind alone. A mapping of more than this is not mended one by one.
const MOST_GROUPS: usize = 1_000;

/// Orders that share a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The kind of cause.
    pub kind: CauseKind,
    /// What it is about; empty where the kind says it all.
    pub subject: String,
    /// How many orders. One with several causes counts for each of them.
    pub orders: u64,
    /// Some of them, the first found, by the source's order id.
    pub examples: Vec<i64>,
}

/// What a pre-flight has counted so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Looked at; the sum of the other three.
    pub orders: u64,
    /// Would have gone to the warehouse without anybody touching them.
    pub through: u64,
    /// Would have stood still until something was mended.
    pub stuck: u64,
    /// Would have been left out on purpose.
    pub left_out: u64,
    /// By cause, in its order.
    pub groups: Vec<Group>,
}

impl Tally {
    /// Counts one order: without causes it goes through; it is left out when every cause says so.
    pub fn add(&mut self, order_id: i64, causes: &[Cause]) {
        self.orders += 1;
        if causes.is_empty() {
            self.through += 1;
        } else if causes.iter().all(|cause| cause.kind.leaves_out()) {
            self.left_out += 1;
        } else {
            self.stuck += 1;
        }
        // An order with several causes beyond the limit is one order of the rest.
        let mut causes: Vec<Cause> = causes.iter().map(|cause| self.told_apart(cause)).collect();
        causes.sort();
        causes.dedup();
        for cause in causes {
            self.count(order_id, cause);
        }
    }

    /// The cause itself while there is room for it, else the rest of its kind.
    fn told_apart(&self, cause: &Cause) -> Cause {
        let known = self.place(cause.kind, &cause.subject).is_ok();
        if known || self.groups.len() < MOST_GROUPS { cause.clone() } else { Cause::new(cause.kind, REST) }
    }

    fn count(&mut self, order_id: i64, cause: Cause) {
        let index = match self.place(cause.kind, &cause.subject) {
            Ok(index) => index,
            Err(index) => {
                let Cause { kind, subject } = cause;
                self.groups.insert(index, Group { kind, subject, orders: 0, examples: Vec::new() });
                index
            }
        };
        if let Some(group) = self.groups.get_mut(index) {
            group.orders += 1;
            if group.examples.len() < EXAMPLES {
                group.examples.push(order_id);
            }
        }
    }

    fn place(&self, kind: CauseKind, subject: &str) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| (group.kind, group.subject.as_str()).cmp(&(kind, subject)))
    }

    /// How many of a thousand orders that were not left out would have stood still; `None` where there were none.
    pub fn stuck_per_mille(&self) -> Option<u64> {
        let meant = self.through + self.stuck;
        (self.stuck * 1_000 + meant / 2).checked_div(meant)
    }

    /// Orders of a cause.
    pub fn orders_of(&self, kind: CauseKind, subject: &str) -> u64 {
        self.place(kind, subject).ok().and_then(|index| self.groups.get(index)).map_or(0, |group| group.orders)
    }
}

/// The subject of what is beyond [`MOST_GROUPS`].
const REST: &str = "others";

/// The causes of an earlier run that a later one does not have any more.
pub fn mended<'a>(earlier: &'a Tally, later: &Tally) -> Vec<&'a Group> {
    earlier
        .groups
        .iter()
        .filter(|group| !group.kind.leaves_out() && later.orders_of(group.kind, &group.subject) == 0)
        .collect()
}

#[cfg(test)]
mod tests;
