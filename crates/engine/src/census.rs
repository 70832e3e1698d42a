//! The census: where every eligible order or goods-out note is, in exactly one place.
//!
//! What is known of it comes from three ledgers that do not ask each other: the source's, the hub's and the warehouse's. Where
//! none of them gives an account of it, it is *unaccounted*, and that is an alarm: there must be none.

use std::{fmt, time::Duration};

use connect::{RequestState, Sighting};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    effect::{EffectState, later},
    order::Disposition,
};

/// How long things may take before somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// What changed within this time is on its way, not lost: the scan, the journal and the other side's search need a
    /// moment.
    pub grace: Duration,
    /// What is new at the source waits so long for an import, which may keep to a schedule.
    pub import: Duration,
    /// What the warehouse did waits so long to be read, which may keep to a schedule as well.
    pub reading: Duration,
    /// A request may wait so long in the queue.
    pub queue: Duration,
    /// An effect may be unknown so long (J4).
    pub unknown: Duration,
    /// The source may be told so long after the goods left.
    pub telling: Duration,
}

impl Patience {
    /// The product's own figures, all divided by the factor that other waits are divided by. `orders` and `shipments` are the longest
    /// that these channels are meant to rest now. Nothing but what waits for such a channel waits with it: what was sent and is not
    /// there is lost at night as well.
    pub fn new(orders: Duration, shipments: Duration, factor: u32) -> Self {
        let factor = factor.max(1);
        Self {
            grace: Duration::from_secs(300) / factor,
            import: Duration::from_secs(300).max(orders * 3) / factor,
            reading: Duration::from_secs(300).max(shipments * 3) / factor,
            queue: Duration::from_secs(3_600) / factor,
            unknown: Duration::from_secs(900) / factor,
            telling: Duration::from_secs(3_600) / factor,
        }
    }
}

/// The places there are. Every eligible order or note is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// The warehouse has it, by its own word or, where it cannot be asked, by the journal's.
    AtWarehouse,
    /// It has left.
    Shipped,
    /// In the queue, or not ready at the source, within its time.
    Waiting,
    /// It changed a moment ago.
    OnItsWay,
    /// Waits for a person or a mapping, and says for what.
    Held,
    /// Something went wrong and a person is needed.
    NeedsPerson,
    /// A rule of the connection left it out when it was imported, or a person put it away.
    Excluded,
    /// It is outside what this connection is for.
    Filtered,
    /// Cancelled.
    Cancelled,
    /// Nobody can say where it is.
    Unaccounted,
}

impl Bucket {
    /// Every place, in the order people read them.
    pub const ALL: [Self; 10] = [
        Self::AtWarehouse,
        Self::Shipped,
        Self::Waiting,
        Self::OnItsWay,
        Self::Held,
        Self::NeedsPerson,
        Self::Excluded,
        Self::Filtered,
        Self::Cancelled,
        Self::Unaccounted,
    ];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtWarehouse => "at_warehouse",
            Self::Shipped => "shipped",
            Self::Waiting => "waiting",
            Self::OnItsWay => "on_its_way",
            Self::Held => "held",
            Self::NeedsPerson => "needs_person",
            Self::Excluded => "excluded",
            Self::Filtered => "filtered",
            Self::Cancelled => "cancelled",
            Self::Unaccounted => "unaccounted",
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How something is unaccounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lost {
    /// The source has it ready, and the hub has no record of it.
    NotKnown,
    /// The hub takes it to be at the warehouse, and the warehouse does not have it.
    NotAtWarehouse,
    /// The hub knows that it is wanted, and nothing of it is planned.
    NothingPlanned,
    /// It has been in the queue for too long.
    QueuedTooLong,
    /// Whether it reached the warehouse has been unknown for too long.
    OutcomeUnknown,
}

/// How the source holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtSource {
    /// Wanted: it stands where this connection takes orders from, or where it puts them when they are at the warehouse.
    Open,
    /// It exists and stands somewhere else.
    Elsewhere(String),
    /// Outside the connection's filter, and how.
    OutOfScope(String),
    /// All of it has left.
    Shipped,
    /// Cancelled.
    Cancelled,
    /// It does not exist there any more.
    Gone,
}

/// A request, as the hub holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Putting it at the warehouse.
    pub submit: EffectState,
    /// When that last changed.
    pub changed_at: Timestamp,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// A person is needed: what for.
    pub problem: Option<String>,
    /// The warehouse accepted the hub's cancel.
    pub cancel_accepted: bool,
    /// The warehouse cancelled it by itself, and said so.
    pub cancelled_by_warehouse: bool,
    /// Everything asked for has left, or nothing more will.
    pub all_left: bool,
    /// What the warehouse says when it is asked now: `None` where it was not asked or cannot be.
    pub seen: Option<Option<Sighting>>,
}

/// What the hub knows of an order or note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Put away by a person.
    pub archived: bool,
    /// Held by a person: why.
    pub held_by_person: Option<String>,
    /// What import made of it.
    pub disposition: Disposition,
    /// A person is needed for the order itself: what for.
    pub problem: Option<String>,
    /// Somebody had a finding shown on it, and has it in hand.
    pub marked: Option<String>,
    /// When the hub's record of it last changed.
    pub changed_at: Timestamp,
    /// Its requests that were not given up.
    pub requests: Vec<Request>,
}

/// Everything the place follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The source's ledger.
    pub source: AtSource,
    /// When it last changed at the source.
    pub source_changed_at: Timestamp,
    /// The hub's.
    pub known: Option<Known>,
    /// Another connection of this installation holds it: which, as far as it may be told.
    pub held_elsewhere: Option<String>,
    /// Nothing is imported or sent at the moment, by somebody's decision or for refused credentials: why.
    pub stopped: Option<String>,
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: Bucket,
    /// How it is unaccounted, where it is: also of what somebody has in hand, which is found until it is not so any more.
    pub lost: Option<Lost>,
    /// Why it is there, for people.
    pub why: String,
}

impl Place {
    fn at(bucket: Bucket, why: impl Into<String>) -> Self {
        Self { bucket, lost: None, why: why.into() }
    }

    fn lost(lost: Lost, why: impl Into<String>) -> Self {
        Self { bucket: Bucket::Unaccounted, lost: Some(lost), why: why.into() }
    }
}

/// Puts something in its place. Total: every set of facts has exactly one.
pub fn place(facts: &Facts, patience: &Patience, now: Timestamp) -> Place {
    match &facts.known {
        None => unknown(facts, patience, now),
        Some(known) => in_hand(of_known(facts, known, patience, now), known),
    }
}

/// What somebody has marked is with a person, and as lost as it was.
fn in_hand(place: Place, known: &Known) -> Place {
    match (&known.marked, place.lost) {
        (Some(_), Some(_)) => Place { bucket: Bucket::NeedsPerson, ..place },
        (Some(mark), None) if !known.archived => Place::at(Bucket::NeedsPerson, mark.clone()),
        _ => place,
    }
}

fn unknown(facts: &Facts, patience: &Patience, now: Timestamp) -> Place {
    match &facts.source {
        AtSource::OutOfScope(why) | AtSource::Elsewhere(why) => return Place::at(Bucket::Filtered, why.clone()),
        AtSource::Shipped => return Place::at(Bucket::Shipped, "it is shipped in Brightpearl"),
        AtSource::Cancelled => return Place::at(Bucket::Cancelled, "it is cancelled in Brightpearl"),
        AtSource::Gone => return Place::at(Bucket::Filtered, "it does not exist in Brightpearl any more"),
        AtSource::Open => {}
    }
    if let Some(holder) = &facts.held_elsewhere {
        return Place::at(Bucket::Filtered, holder.clone());
    }
    if let Some(why) = &facts.stopped {
        return Place::at(Bucket::Waiting, why.clone());
    }
    if now <= later(facts.source_changed_at, patience.import) {
        return Place::at(Bucket::OnItsWay, "it changed in Brightpearl a moment ago");
    }
    Place::lost(Lost::NotKnown, "it is ready in Brightpearl, and Millrace has no record of it")
}

fn of_known(facts: &Facts, known: &Known, patience: &Patience, now: Timestamp) -> Place {
    if known.archived {
        return Place::at(Bucket::Excluded, "put away by a person");
    }
    let problem = known.problem.as_ref().or_else(|| known.requests.iter().find_map(|request| request.problem.as_ref()));
    if let Some(problem) = problem {
        return Place::at(Bucket::NeedsPerson, problem.clone());
    }
    if let Disposition::Held(why) = &known.disposition {
        return Place::at(Bucket::Held, why.clone());
    }
    let live: Vec<&Request> =
        known.requests.iter().filter(|one| one.submit != EffectState::Voided && !one.cancel_accepted).collect();
    // The one that is worst off says where the whole is.
    let worst =
        live.iter().map(|one| of_request(facts, known, one, patience, now)).max_by_key(|place| rank(place.bucket));
    match worst {
        Some(place) => place,
        None => without_request(facts, known, patience, now),
    }
}

/// How far a place is from being finished well.
fn rank(bucket: Bucket) -> u8 {
    match bucket {
        Bucket::Shipped => 0,
        Bucket::Cancelled => 1,
        Bucket::Filtered => 2,
        Bucket::Excluded => 3,
        Bucket::AtWarehouse => 4,
        Bucket::Waiting => 5,
        Bucket::OnItsWay => 6,
        Bucket::Held => 7,
        Bucket::NeedsPerson => 8,
        Bucket::Unaccounted => 9,
    }
}

fn without_request(facts: &Facts, known: &Known, patience: &Patience, now: Timestamp) -> Place {
    match &known.disposition {
        Disposition::Held(why) => return Place::at(Bucket::Held, why.clone()),
        Disposition::Skipped(why) => return Place::at(Bucket::Excluded, why.clone()),
        Disposition::Cancelled(why) => return Place::at(Bucket::Cancelled, why.clone()),
        Disposition::Waiting(why) => {
            let held = known.held_by_person.as_ref();
            return held
                .map_or_else(|| Place::at(Bucket::Waiting, why.clone()), |why| Place::at(Bucket::Held, why.clone()));
        }
        Disposition::Requested => {}
    }
    if known.requests.iter().any(|request| request.cancel_accepted) {
        return Place::at(Bucket::Cancelled, "cancelled at the warehouse");
    }
    match &facts.source {
        AtSource::Shipped => Place::at(Bucket::Shipped, "it is shipped in Brightpearl"),
        AtSource::Cancelled => Place::at(Bucket::Cancelled, "it is cancelled in Brightpearl"),
        AtSource::Gone => Place::at(Bucket::Cancelled, "it does not exist in Brightpearl any more"),
        AtSource::OutOfScope(why) | AtSource::Elsewhere(why) => Place::at(Bucket::Filtered, why.clone()),
        AtSource::Open => match (&known.held_by_person, &facts.stopped) {
            (Some(why), _) => Place::at(Bucket::Held, why.clone()),
            (None, Some(why)) => Place::at(Bucket::Waiting, why.clone()),
            _ if now <= later(known.changed_at.max(facts.source_changed_at), patience.import) => {
                Place::at(Bucket::OnItsWay, "it changed a moment ago and is planned if it is still wanted")
            }
            _ => Place::lost(Lost::NothingPlanned, "it is wanted, and nothing of it is planned or at the warehouse"),
        },
    }
}

fn of_request(facts: &Facts, known: &Known, request: &Request, patience: &Patience, now: Timestamp) -> Place {
    if request.all_left {
        return Place::at(Bucket::Shipped, "it has left the warehouse");
    }
    match request.submit {
        EffectState::Applied | EffectState::Superseded => sent(facts, request, patience, now),
        EffectState::Refused | EffectState::Conflict | EffectState::Parked => {
            Place::at(Bucket::NeedsPerson, format!("sending it to the warehouse is {}", request.submit))
        }
        EffectState::Unknown | EffectState::Probing => match &request.seen {
            Some(Some(sighting)) if sighting.state != RequestState::Cancelled => {
                Place::at(Bucket::AtWarehouse, "the warehouse says that it has it")
            }
            _ if now <= later(request.changed_at, patience.unknown) => {
                Place::at(Bucket::Waiting, "whether it reached the warehouse is being looked up")
            }
            _ => Place::lost(Lost::OutcomeUnknown, "whether it reached the warehouse has been unknown for too long"),
        },
        EffectState::Planned | EffectState::NotSent | EffectState::Armed | EffectState::AbsentConfirmed => {
            let since = if request.submit == EffectState::Planned { request.changed_at } else { request.planned_at };
            if let Some(why) = &known.held_by_person {
                Place::at(Bucket::Held, why.clone())
            } else if let Some(why) = &facts.stopped {
                Place::at(Bucket::Waiting, why.clone())
            } else if now <= later(since, patience.queue) {
                Place::at(Bucket::Waiting, "in the queue for the warehouse")
            } else {
                Place::lost(Lost::QueuedTooLong, "it should have been sent to the warehouse long ago")
            }
        }
        EffectState::Voided => Place::at(Bucket::Cancelled, "it was taken back before it was sent"),
    }
}

/// The journal says that the warehouse has it.
fn sent(facts: &Facts, request: &Request, patience: &Patience, now: Timestamp) -> Place {
    if request.cancelled_by_warehouse {
        return Place::at(Bucket::NeedsPerson, "the warehouse cancelled it");
    }
    let fresh = now <= later(request.changed_at, patience.grace);
    match &request.seen {
        None => Place::at(Bucket::AtWarehouse, "it was sent to the warehouse, which cannot be asked"),
        Some(Some(sighting)) => match sighting.state {
            RequestState::Cancelled | RequestState::Gone if fresh => {
                Place::at(Bucket::OnItsWay, "the warehouse cancelled it a moment ago")
            }
            RequestState::Cancelled | RequestState::Gone => {
                Place::at(Bucket::NeedsPerson, "the warehouse says that it is cancelled there")
            }
            RequestState::Finished => Place::at(Bucket::Shipped, "the warehouse says that it has left"),
            RequestState::Waiting | RequestState::Held | RequestState::Working | RequestState::LinesEnded(_) => {
                Place::at(Bucket::AtWarehouse, "the warehouse says that it has it")
            }
        },
        Some(None) if fresh => Place::at(Bucket::OnItsWay, "it was sent a moment ago and does not show there yet"),
        Some(None) if facts.source == AtSource::Cancelled => {
            Place::at(Bucket::Cancelled, "it is cancelled in Brightpearl and not at the warehouse")
        }
        Some(None) => {
            Place::lost(Lost::NotAtWarehouse, "Millrace sent it to the warehouse, and the warehouse does not have it")
        }
    }
}

#[cfg(test)]
mod tests;
