//! Deliberate faults, planted to see that the tests notice them.
//!
//! Each is one mistake that a hub like this could make. The feature `planted` compiles them in; without it [`planted`] is a
//! constant *no* and nothing of this is left in the program. A fault is planted for the current thread only, so that several
//! seeded runs can go on beside each other.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planted {
    /// Sends without having committed the intent (R1).
    NoArm,
    /// The shipped event goes without the version it was decided on (If-Match).
    NoVersion,
    /// The shipped event goes before tracking is written (S3).
    EventBeforeDetails,
    /// A stock difference that did not arrive is sent again instead of worked out anew (§8.3).
    OldDifference,
    /// Compares what can be sold with what the warehouse counts on its shelves.
    OnHandForInStock,
    /// Counts one look that finds nothing as proof (R4).
    OneLook,
    /// The key of an order is made from the time.
    KeyFromTime,
    /// Takes any new note of the order for its own, whatever is on it.
    AnyNoteIsOurs,
    /// Does not look at the order once more before it is sent (O4).
    NoLastLook,
    /// Takes a time-out for *not sent*.
    TimeoutIsNotSent,
    /// Takes a server's failure for a refusal.
    FailureIsRefusal,
    /// Takes a time-out for success.
    TimeoutIsDone,
    /// Arms with a claim that is over or somebody else's (§5).
    LeaseIgnored,
    /// What a process that died had armed counts as not sent (R2).
    ForgetsArmed,
    /// Puts files away before what they say is committed.
    PutAwayFirst,
    /// Tells every shipment as if the whole request had left.
    TellsEverything,
    /// A file that is gone counts as not sent, though the warehouse has taken it.
    GoneIsNotSent,
    /// An order file counts as sent before it has its final name (O2).
    SentUnpublished,
    /// Sets an order's status wherever it stands now (S4).
    OverwritesStatus,
    /// Works out a product's stock while a correction of it is open.
    CorrectsTwice,
    /// Forgets what has left and is not posted when it compares stock.
    ForgetsShipped,
    /// Acts upon a count that is older than the last one (K4).
    OldCount,
    /// Compares a count before the search knows of what is missing from it.
    ComparesAtOnce,
    /// Takes units that may have been kept for an order when the warehouse counted for kept, or for free.
    ForgetsEnding,
    /// Keeps the first tracking number of several.
    FirstBoxOnly,
    /// Lists orders of every tenant (T1).
    EveryTenant,
    /// Answers a call that could not be kept as if the caller were at fault: it never comes again (§9).
    CallerAtFault,
    /// Answers a call before it is kept (W1).
    AnswersFirst,
    /// A route does not ask whether its caller may (control 6).
    OpenRoute,
}

impl Planted {
    /// Every fault.
    pub const ALL: [Self; 29] = [
        Self::NoArm,
        Self::NoVersion,
        Self::EventBeforeDetails,
        Self::OldDifference,
        Self::OnHandForInStock,
        Self::OneLook,
        Self::KeyFromTime,
        Self::AnyNoteIsOurs,
        Self::NoLastLook,
        Self::TimeoutIsNotSent,
        Self::FailureIsRefusal,
        Self::TimeoutIsDone,
        Self::LeaseIgnored,
        Self::ForgetsArmed,
        Self::PutAwayFirst,
        Self::TellsEverything,
        Self::GoneIsNotSent,
        Self::SentUnpublished,
        Self::OverwritesStatus,
        Self::CorrectsTwice,
        Self::ForgetsShipped,
        Self::OldCount,
        Self::ComparesAtOnce,
        Self::ForgetsEnding,
        Self::FirstBoxOnly,
        Self::EveryTenant,
        Self::CallerAtFault,
        Self::AnswersFirst,
        Self::OpenRoute,
    ];
}

#[cfg(feature = "planted")]
mod active {
    use std::cell::Cell;

    use super::Planted;

    thread_local! {
        static ACTIVE: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Plants a fault in everything that this thread does from now on, or takes it out.
    pub fn plant(fault: Option<Planted>) {
        ACTIVE.set(fault);
    }

    /// Whether this fault is planted here.
    pub fn planted(fault: Planted) -> bool {
        ACTIVE.get() == Some(fault)
    }
}

#[cfg(feature = "planted")]
pub use active::{plant, planted};

/// Whether this fault is planted here: never, in a program that is meant to work.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn planted(_: Planted) -> bool {
    false
}
