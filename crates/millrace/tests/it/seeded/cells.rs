//! Which faults struck which change at which moment. A cell that nothing ever hit proves nothing, so the gate counts them.

use std::collections::BTreeMap;

/// The kinds of change that are counted; each has its own cells.
pub const CHANGES: [&str; OFTEN + 5] = [
    "order to the warehouse",
    "goods-out note",
    "shipping details",
    "shipped event",
    "order status",
    "stock correction",
    "goods-out note deleted",
    "order note",
    "order made behind an API",
    "order let go",
    "order cancelled at the warehouse",
];

/// The first of them happen in most worlds. The others are made only for a short shipment of a given note, for more tracking
/// numbers than a note holds, and by a warehouse behind an API.
pub const OFTEN: usize = 6;
/// From here on, those of a warehouse behind an API; before, those of every other world.
pub const BEHIND_API: usize = OFTEN + 2;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Refused,
    TimedOut,
    Reset,
    ServerError,
    Throttled,
    SlowBody,
    Truncated,
    Garbage,
    Redirected,
    Doubled,
    Late,
    Crash,
}

/// When it struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// Before anything left.
    BeforeSend,
    /// On its way, before it did anything.
    OnItsWay,
    /// It was done, and the answer was not there.
    AfterEffect,
    /// The answer was there, and nothing was written down.
    BeforeCommit,
    /// It was written down, and nobody knew.
    AfterCommit,
}

const KINDS: [Kind; 12] = [
    Kind::Refused,
    Kind::TimedOut,
    Kind::Reset,
    Kind::ServerError,
    Kind::Throttled,
    Kind::SlowBody,
    Kind::Truncated,
    Kind::Garbage,
    Kind::Redirected,
    Kind::Doubled,
    Kind::Late,
    Kind::Crash,
];
const MOMENTS: [Moment; 5] =
    [Moment::BeforeSend, Moment::OnItsWay, Moment::AfterEffect, Moment::BeforeCommit, Moment::AfterCommit];

/// The place in [`CHANGES`] of a message or of a published file.
pub fn change(message: &str) -> Option<usize> {
    match message {
        "order file" => Some(0),
        "goods-out-note/post" => Some(1),
        "goods-out-note/put" => Some(2),
        "goods-out-note event/post" => Some(3),
        "order-status/put" => Some(4),
        "stock-correction/post" => Some(5),
        "goods-out-note/delete" => Some(6),
        "order-note/post" => Some(7),
        "warehouse order/post" => Some(8),
        "warehouse order completer/post" => Some(9),
        "warehouse order canceler/post" => Some(10),
        _ => None,
    }
}

/// Why a cell cannot be hit; `None`: it can.
fn impossible(change: usize, kind: Kind, moment: Moment) -> Option<&'static str> {
    let file = change == 0;
    match (kind, moment) {
        (Kind::Crash, _) => None,
        (_, Moment::BeforeCommit | Moment::AfterCommit) => Some("the network has no part in it any more"),
        (Kind::Refused, Moment::BeforeSend) => None,
        (Kind::Refused, _) => Some("a refused connection carries nothing"),
        (_, Moment::BeforeSend) => Some("nothing has left, so nothing can happen to it"),
        (Kind::ServerError | Kind::Throttled | Kind::Redirected | Kind::Garbage | Kind::SlowBody, _) if file => {
            Some("a rename has no answer with a body or a status")
        }
        (Kind::Truncated, Moment::AfterEffect) if file => Some("a rename has no answer with a body"),
        (Kind::Throttled, Moment::AfterEffect) => Some("documented to have no effect (A7)"),
        (Kind::Redirected, Moment::AfterEffect) => Some("a redirect is an answer instead of the effect"),
        (Kind::SlowBody, Moment::OnItsWay) => Some("a slow answer follows the effect"),
        (Kind::Truncated, Moment::AfterEffect) if [9, 10].contains(&change) => {
            Some("the answer has no body that could be cut off")
        }
        (Kind::Late, Moment::AfterEffect) => Some("a late effect comes after the caller has gone"),
        (Kind::Doubled, Moment::OnItsWay) => Some("the second copy follows the first"),
        (Kind::Doubled, Moment::AfterEffect) if file => Some("the second rename finds nothing to rename"),
        (Kind::Doubled, Moment::AfterEffect) if [1, 5, 7, 8].contains(&change) => {
            Some("no client can undo what somebody else sends twice; the census finds it")
        }
        _ => None,
    }
}

/// The name of a cell in the counts of a run.
pub fn name(change: usize, kind: Kind, moment: Moment) -> String {
    format!("cell {} / {kind:?} / {moment:?}", CHANGES[change])
}

/// Every cell of the first so many changes that is hit fewer times than it must be, and how many cells there are of either sort.
pub fn missing(counts: &BTreeMap<String, u64>, changes: usize, least: u64) -> (Vec<String>, usize, usize) {
    let (mut missing, mut possible, mut excluded) = (Vec::new(), 0, 0);
    for change in 0..changes {
        for kind in KINDS {
            for moment in MOMENTS {
                if impossible(change, kind, moment).is_some() {
                    excluded += 1;
                    continue;
                }
                possible += 1;
                let name = name(change, kind, moment);
                let hits = counts.get(&name).copied().unwrap_or(0);
                if hits < least {
                    missing.push(format!("{name}: {hits}"));
                }
            }
        }
    }
    (missing, possible, excluded)
}
