//! A cancel or change that comes after an order was sent, and how it ends (docs/cancels-and-changes.md).
//!
//! Between the moment somebody changes their mind and the moment the warehouse knows of it, the goods may leave. That race has
//! one visible end, worked out here from facts and never set by hand.

use std::{fmt, str::FromStr};

use connect::EffectKind;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::effect::EffectState;

/// What is wanted of a request that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// That nothing ships.
    Cancel,
    /// That something else ships in its place.
    Change,
}

impl What {
    /// The name used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Change => "change",
        }
    }
}

/// How a race stands, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No answer yet, and there is time.
    Pending,
    /// No final answer before the deadline: a person asks the warehouse. A late answer is still taken in.
    Silent,
    /// It was taken back before the warehouse could have heard of it from us.
    Withdrawn,
    /// The warehouse cancelled it, and nothing has shipped.
    Accepted,
    /// Some has shipped and the rest will not.
    Partly,
    /// It has shipped, or is being picked; the normal flow goes on.
    TooLate,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Silent, Self::Withdrawn, Self::Accepted, Self::Partly, Self::TooLate];

    /// The name used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Silent => "silent",
            Self::Withdrawn => "withdrawn",
            Self::Accepted => "accepted",
            Self::Partly => "partly",
            Self::TooLate => "too_late",
        }
    }

    /// Whether the warehouse's answer is known, from itself, from what left, or from a person who asked.
    pub fn answered(self) -> bool {
        matches!(self, Self::Accepted | Self::Partly | Self::TooLate)
    }

    /// Whether an effect of this kind that came to a standstill needs nobody any more: a cancel, once it is known what became of
    /// the request, and a release, once the warehouse has cancelled what it would have released.
    pub fn ends(self, kind: EffectKind) -> bool {
        match kind {
            EffectKind::CancelRequest => self.answered(),
            EffectKind::ReleaseRequest => self == Self::Accepted,
            _ => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names nothing of a race.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither an outcome nor a kind of cancel or change")]
pub struct NotOfARace(String);

impl FromStr for Outcome {
    type Err = NotOfARace;

    fn from_str(text: &str) -> Result<Self, NotOfARace> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text).ok_or_else(|| NotOfARace(text.to_owned()))
    }
}

impl FromStr for What {
    type Err = NotOfARace;

    fn from_str(text: &str) -> Result<Self, NotOfARace> {
        [Self::Cancel, Self::Change]
            .into_iter()
            .find(|what| what.as_str() == text)
            .ok_or_else(|| NotOfARace(text.to_owned()))
    }
}

/// An answer that a person brings from the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is stopped there; nothing will ship.
    Accepted,
    /// It ships as it was sent.
    #[serde(alias = "too-late")]
    TooLate,
    /// Some ships, the rest does not.
    Partly,
}

impl Answer {
    /// The outcome it says, which is also its name in the database.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Accepted => Outcome::Accepted,
            Self::TooLate => Outcome::TooLate,
            Self::Partly => Outcome::Partly,
        }
    }
}

impl FromStr for Answer {
    type Err = NotOfARace;

    fn from_str(text: &str) -> Result<Self, NotOfARace> {
        [Self::Accepted, Self::TooLate, Self::Partly]
            .into_iter()
            .find(|answer| answer.outcome().as_str() == text.replace('-', "_"))
            .ok_or_else(|| NotOfARace(text.to_owned()))
    }
}

/// How far our own cancel at the warehouse has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelStep {
    /// None was sent: it is not planned yet, was withdrawn in time, or the warehouse takes none.
    None,
    /// On its way, or not known.
    Open,
    /// A person is needed for it.
    Stuck,
    /// The warehouse has cancelled.
    Accepted,
    /// The warehouse says that it has left or is being picked.
    TooLate,
    /// The warehouse cancelled some of it.
    Partly,
}

/// What the outcome follows from. Quantities count the warehouse's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// When the wish was noticed.
    pub asked_at: Timestamp,
    /// Without an answer by then, a person asks.
    pub deadline: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// The wish was taken back.
    pub withdrawn: bool,
    /// Putting the request at the warehouse.
    pub submit: EffectState,
    /// Our cancel.
    pub cancel: CancelStep,
    /// The warehouse shows the request as cancelled, or not at all any more.
    pub cancelled_there: bool,
    /// The warehouse says nothing more will leave.
    pub finished: bool,
    /// Units asked for.
    pub asked: Decimal,
    /// Units that left.
    pub shipped: Decimal,
    /// What a person was told by the warehouse.
    pub answer: Option<Answer>,
    /// How it stood before.
    pub before: Outcome,
}

/// The outcome that follows from the facts, and what settled it, for people; no words when nothing new settled it.
///
/// What left the building weighs more than what anybody says of it, a person who asked more than the answer to our cancel. An
/// answer, once known, is never unknown again: facts can only turn it into another answer (the warehouse said yes, and a box
/// left all the same).
pub fn outcome(facts: &Facts) -> (Outcome, Option<&'static str>) {
    if let Some((outcome, words)) = answer(facts) {
        return (outcome, Some(words));
    }
    if facts.before == Outcome::Accepted && facts.shipped > Decimal::ZERO {
        return (Outcome::Partly, Some("the warehouse had said yes, and some has left all the same"));
    }
    if facts.before.answered() {
        return (facts.before, None);
    }
    if facts.withdrawn && facts.cancel == CancelStep::None {
        return (Outcome::Withdrawn, Some("it was taken back, and the warehouse was not asked"));
    }
    if facts.before == Outcome::Silent {
        return (Outcome::Silent, None);
    }
    if facts.now >= facts.deadline {
        return (Outcome::Silent, Some("the warehouse gave no final answer in time"));
    }
    (Outcome::Pending, None)
}

/// The warehouse's answer, as far as the facts hold one.
fn answer(facts: &Facts) -> Option<(Outcome, &'static str)> {
    let stopped = facts.cancelled_there || facts.cancel == CancelStep::Accepted;
    if facts.shipped > Decimal::ZERO {
        if facts.shipped >= facts.asked {
            return Some((Outcome::TooLate, "everything had left"));
        }
        if stopped {
            return Some((Outcome::Partly, "some had left, the rest is cancelled"));
        }
        if facts.finished {
            return Some((Outcome::Partly, "some has left, and the warehouse says nothing more will"));
        }
        return match (facts.answer, facts.cancel) {
            (Some(Answer::TooLate), _) => Some((Outcome::TooLate, "the warehouse said so to a person")),
            (Some(Answer::Accepted | Answer::Partly), _) => {
                Some((Outcome::Partly, "some had left; a person was told that the rest is stopped"))
            }
            (None, CancelStep::TooLate) => Some((Outcome::TooLate, "some had left, and the rest is being picked")),
            (None, CancelStep::Partly) => Some((Outcome::Partly, "some had left, the rest is cancelled")),
            // Some left, and what becomes of the rest is not known yet.
            (None, CancelStep::None | CancelStep::Open | CancelStep::Stuck | CancelStep::Accepted) => None,
        };
    }
    if stopped {
        return Some((Outcome::Accepted, "the warehouse cancelled it and nothing has left"));
    }
    if facts.submit == EffectState::Voided {
        return Some((Outcome::Accepted, "it never reached the warehouse"));
    }
    if facts.finished {
        return Some((Outcome::Accepted, "the warehouse closed it with nothing shipped"));
    }
    match (facts.answer, facts.cancel) {
        (Some(answer), _) => Some((answer.outcome(), "the warehouse said so to a person")),
        (None, CancelStep::TooLate) => Some((Outcome::TooLate, "it has left, or is being picked")),
        (None, CancelStep::Partly) => Some((Outcome::Partly, "the warehouse cancelled some of it")),
        (None, _) if facts.submit == EffectState::Refused => {
            Some((Outcome::Accepted, "the warehouse does not have it: it could not read it"))
        }
        (None, CancelStep::None | CancelStep::Open | CancelStep::Stuck | CancelStep::Accepted) => None,
    }
}

/// A race as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What is wanted.
    pub what: What,
    /// Why: what was noticed, e.g. "cancelled in Brightpearl".
    pub why: String,
    /// How it stands.
    pub outcome: Outcome,
    /// What settled it.
    pub words: String,
    /// Without an answer by then, a person asks.
    pub deadline: Timestamp,
    /// Who asks.
    pub owner: String,
    /// The warehouse takes no cancel from us: why not, and what to do. A person has to tell it.
    pub by_hand: Option<String>,
    /// A change about which a person has not decided yet.
    pub undecided: bool,
    /// It goes again under a new key once the warehouse has cancelled it.
    pub resend: bool,
    /// What a person was told by the warehouse.
    pub answer: Option<Answer>,
}

impl Shown {
    /// Whether a person is needed.
    pub fn needs_person(&self) -> bool {
        match self.outcome {
            Outcome::Pending => self.by_hand.is_some() || self.undecided,
            Outcome::Silent => true,
            // Whoever has recorded it has seen it.
            Outcome::Partly => self.answer.is_none(),
            // The warehouse may have been told by telephone before the wish was taken back.
            Outcome::Withdrawn => self.by_hand.is_some() && self.answer.is_none(),
            // The order is still wanted, and a person has not said that it shall go again.
            Outcome::Accepted => self.what == What::Change && !self.resend,
            Outcome::TooLate => false,
        }
    }

    /// One sentence for people.
    pub fn told(&self) -> String {
        let what = self.what.as_str();
        let why = &self.why;
        let because = if self.words.is_empty() { String::new() } else { format!(": {}", self.words) };
        let until = self.deadline.strftime("%Y-%m-%d %H:%M:%S UTC");
        match self.outcome {
            Outcome::Pending if self.undecided => {
                format!("{why}; decide whether it is cancelled there and sent again, or ships as it was sent")
            }
            Outcome::Pending => match &self.by_hand {
                Some(how) => format!("{why}, and the warehouse must be told by hand: {how}; then record its answer"),
                None => format!("{why}; the warehouse is asked to cancel it, and has until {until} to answer"),
            },
            Outcome::Silent => format!(
                "{why}, and the warehouse is silent{because} ({until}); {} asks it and records the answer",
                self.owner
            ),
            Outcome::Withdrawn => match &self.by_hand {
                Some(_) if self.answer.is_none() => format!(
                    "the {what} was taken back; if the warehouse was told to stop, tell it to go on and record *too late*"
                ),
                _ => format!("the {what} was taken back{because}"),
            },
            Outcome::Accepted if self.resend => {
                format!("the {what} was accepted{because}; what is still wanted is planned anew under a fresh key")
            }
            Outcome::Accepted => format!("the {what} was accepted{because}"),
            Outcome::Partly => format!("the {what} was accepted in part ({why}){because}"),
            Outcome::TooLate => format!("the {what} came too late ({why}){because}"),
        }
    }
}

#[cfg(test)]
mod tests;
