//! The life of one effect: which states follow which, and what the outcome of a send or a probe leads to.
//!
//! The docs/reliability.md is the table behind [`EffectState::permits`]; the database enforces the same table with a
//! trigger (J3). Its ids (R1–R9, J1–J5) are explained in `docs/reliability.md`.

use std::{fmt, str::FromStr, time::Duration};

use connect::{
    EffectKind, ErrorKind, Probe, RemoteRef, Sent,
    planted::{Planted, planted},
};
use jiff::{SignedDuration, Timestamp};

/// Where an effect stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EffectState {
    /// Wanted, nothing done yet.
    Planned,
    /// Intent committed: it may be on its way.
    Armed,
    /// Certainly nothing left; goes again after a pause.
    NotSent,
    /// The remote system refused it: certainly no effect.
    Refused,
    /// It may or may not have happened.
    Unknown,
    /// Being looked up.
    Probing,
    /// Done.
    Applied,
    /// Something else stands in its place, or it is there more than once.
    Conflict,
    /// Somebody moved the target on; it must not be overwritten.
    Superseded,
    /// Looked up twice, the last time after everything that could still land has landed: it did not happen.
    AbsentConfirmed,
    /// Waits for a person.
    Parked,
    /// No longer wanted, and certainly not done.
    Voided,
}

impl EffectState {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Planned,
        Self::Armed,
        Self::NotSent,
        Self::Refused,
        Self::Unknown,
        Self::Probing,
        Self::Applied,
        Self::Conflict,
        Self::Superseded,
        Self::AbsentConfirmed,
        Self::Parked,
        Self::Voided,
    ];

    /// The name used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Armed => "armed",
            Self::NotSent => "not_sent",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Probing => "probing",
            Self::Applied => "applied",
            Self::Conflict => "conflict",
            Self::Superseded => "superseded",
            Self::AbsentConfirmed => "absent_confirmed",
            Self::Parked => "parked",
            Self::Voided => "voided",
        }
    }

    /// The states that may follow, for an effect of this kind. `true` for every edge of the contract's table, whatever its
    /// condition; the conditions are kept by [`after_send`], [`after_probe`] and the journal.
    pub fn permits(self, to: Self, kind: EffectKind) -> bool {
        let stock = kind == EffectKind::CorrectStock;
        match (self, to) {
            (Self::Planned, Self::Armed | Self::Voided)
            | (Self::NotSent, Self::Armed | Self::Voided)
            | (Self::Armed, Self::NotSent | Self::Applied | Self::Refused | Self::Unknown)
            | (Self::Refused, Self::Planned | Self::Voided)
            | (Self::Unknown, Self::Probing | Self::Parked)
            | (Self::Probing, Self::Unknown | Self::Applied | Self::Conflict | Self::AbsentConfirmed | Self::Parked)
            | (Self::AbsentConfirmed, Self::Voided)
            | (Self::Conflict, Self::Parked)
            | (Self::Parked, Self::Applied | Self::Voided | Self::Armed) => true,
            (Self::Probing, Self::Superseded) => kind == EffectKind::SetStatus,
            // A difference is never sent a second time, whatever the probe says (§8.3).
            (Self::Voided, Self::Planned) | (Self::Probing | Self::AbsentConfirmed, Self::Armed) => !stock,
            _ => false,
        }
    }

    /// Whether the remote system may be acting on it: at most one effect of a lane is in such a state (R6).
    pub fn in_flight(self) -> bool {
        matches!(self, Self::Armed | Self::Unknown | Self::Probing)
    }

    /// Whether the journal still has something to do with it by itself.
    pub fn open(self) -> bool {
        matches!(
            self,
            Self::Planned | Self::Armed | Self::NotSent | Self::Unknown | Self::Probing | Self::AbsentConfirmed
        )
    }

    /// Whether a person is needed.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::Refused | Self::Conflict | Self::Parked)
    }
}

impl fmt::Display for EffectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no effect state.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a state of an effect")]
pub struct NotAState(String);

impl FromStr for EffectState {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, NotAState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| NotAState(text.to_owned()))
    }
}

/// What is known of an effect when an outcome comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// What it does.
    pub kind: EffectKind,
    /// Where it stands.
    pub state: EffectState,
    /// Times it was armed.
    pub attempt: u32,
    /// Times its outcome was unknown.
    pub unknowns: u32,
    /// Probes in a row that found nothing since it was last armed.
    pub negatives: u32,
    /// When it was last armed, on the database's clock.
    pub armed_at: Option<Timestamp>,
    /// How long that clock has run evenly beside this process ([`crate::steady`]): a clock that was just set proves nothing.
    pub steady: Duration,
}

/// What the journal may do with an effect of this kind on this remote system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// After this long a late first copy can no longer land (Tq).
    pub quiescence: Duration,
    /// C1, C2, C3, C6: a repeat after one read is safe (R3).
    pub repeat_is_safe: bool,
    /// C1, C2, C7: a second unknown outcome need not be parked.
    pub survives_second_unknown: bool,
    /// Pause before the first look after an unknown outcome.
    pub first_probe: Duration,
    /// First pause after *not sent*; doubles each time.
    pub pause: Duration,
    /// Longest pause, and the most a remote system can make us wait by telling us to.
    pub longest_pause: Duration,
    /// Unknown for longer than this is shown to a person.
    pub deadline: Duration,
}

impl Policy {
    /// Pause before attempt `attempt + 1`.
    pub fn pause_after(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(16);
        self.pause.saturating_mul(1 << doublings).min(self.longest_pause)
    }

    /// The pause before something that cannot go yet is looked at again, after so many looks: soon at first and ever more seldom,
    /// a small part of what it has waited already.
    pub fn pause_while_waiting(&self, looks: u32) -> Duration {
        self.pause.saturating_mul(looks / 4 + 2).min(self.longest_pause)
    }
}

/// What an outcome leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The states passed through, in order; the last is where the effect stands afterwards.
    pub path: Vec<EffectState>,
    /// When the journal looks at it again; `None` when it has nothing to do by itself.
    pub next_at: Option<Timestamp>,
    /// What settled it, or why it is where it is, for people.
    pub note: String,
    /// What came to be at the remote system.
    pub remote: Option<RemoteRef>,
    /// The probe found nothing.
    pub negative: bool,
    /// The probe found nothing and a repeat is safe: prepare, arm and send again at once.
    pub resend: bool,
    /// The remote system refuses our credentials: pause everything that goes there.
    pub credentials_refused: bool,
}

impl Step {
    fn to(path: &[EffectState], note: impl Into<String>) -> Self {
        Self {
            path: path.to_vec(),
            next_at: None,
            note: note.into(),
            remote: None,
            negative: false,
            resend: false,
            credentials_refused: false,
        }
    }

    fn at(mut self, next_at: Timestamp) -> Self {
        self.next_at = Some(next_at);
        self
    }

    fn with(mut self, remote: Option<RemoteRef>) -> Self {
        self.remote = remote;
        self
    }

    /// Where the effect stands afterwards.
    pub fn state(&self) -> Option<EffectState> {
        self.path.last().copied()
    }
}

/// What the outcome of a send leads to. The effect is armed.
pub fn after_send(facts: &Facts, policy: &Policy, outcome: &Sent, now: Timestamp) -> Step {
    match outcome {
        Sent::Accepted { reference } => {
            Step::to(&[EffectState::Applied], "accepted by the remote system").with(reference.clone())
        }
        Sent::Refused { code, message } => {
            Step::to(&[EffectState::Refused], format!("refused by the remote system: {message} ({code})"))
        }
        Sent::Throttled { wait } => {
            let pause = wait.unwrap_or_else(|| policy.pause_after(facts.attempt)).min(policy.longest_pause);
            not_done(facts, policy, "the remote system asked to slow down; nothing was done").at(later(now, pause))
        }
        Sent::NotSent { cause } => {
            let mut step =
                not_done(facts, policy, format!("not sent: {cause}")).at(later(now, policy.pause_after(facts.attempt)));
            step.credentials_refused = cause.kind == ErrorKind::Credentials;
            step
        }
        Sent::Unknown { .. } if planted(Planted::TimeoutIsDone) => Step::to(&[EffectState::Applied], "no answer"),
        Sent::Unknown { why } => {
            Step::to(&[EffectState::Unknown], format!("outcome unknown: {why}")).at(later(now, policy.first_probe))
        }
    }
}

/// This attempt did nothing. Where a repeat is safe it may have been made while an earlier one could still arrive (R3), so that
/// whether the change is there is as unknown as before: stock is not worked out on it, and it is not taken for unsent.
fn not_done(facts: &Facts, policy: &Policy, note: impl Into<String>) -> Step {
    let note = note.into();
    if policy.repeat_is_safe && facts.unknowns > 0 {
        return Step::to(&[EffectState::Unknown], format!("{note}; an earlier try may still arrive"));
    }
    Step::to(&[EffectState::NotSent], note)
}

/// What a look leads to. The effect is unknown or already probing.
pub fn after_probe(facts: &Facts, policy: &Policy, probe: &Probe, now: Timestamp) -> Step {
    let mut step = match probe {
        Probe::Equal(reference) => {
            Step::to(&[EffectState::Applied], format!("found at the remote system as {}", reference.id))
                .with(Some(reference.clone()))
        }
        Probe::Different { reference, difference } => Step::to(
            &[EffectState::Conflict, EffectState::Parked],
            format!("{} stands in its place and is different: {difference}", reference.id),
        )
        .with(Some(reference.clone())),
        Probe::Many(references) => Step::to(
            &[EffectState::Conflict, EffectState::Parked],
            format!(
                "duplicate: it is there {} times, as {}",
                references.len(),
                references.iter().map(|reference| reference.id.as_str()).collect::<Vec<_>>().join(", ")
            ),
        ),
        Probe::MovedOn { state } if facts.kind == EffectKind::SetStatus => {
            Step::to(&[EffectState::Superseded], format!("somebody else moved it on: {state}"))
        }
        Probe::MovedOn { state } => {
            Step::to(&[EffectState::Conflict, EffectState::Parked], format!("it moved on meanwhile: {state}"))
        }
        Probe::Absent => absent(facts, policy, now),
        Probe::Unaccounted { why } => unaccounted(facts, policy, why, now),
    };
    if facts.state != EffectState::Probing {
        step.path.insert(0, EffectState::Probing);
    }
    step
}

fn absent(facts: &Facts, policy: &Policy, now: Timestamp) -> Step {
    let armed_at = facts.armed_at.unwrap_or(now);
    let quiet_from = later(armed_at, policy.quiescence);
    let stock = facts.kind == EffectKind::CorrectStock;
    if policy.repeat_is_safe && !stock {
        let mut step = Step::to(&[], "not found; a repeat is safe");
        step.negative = true;
        step.resend = true;
        return step;
    }
    // R4: at least two negative probes, the last after quiescence.
    let confirmed =
        (facts.negatives >= 1 || planted(Planted::OneLook)) && now > quiet_from && facts.steady >= policy.quiescence;
    let mut step = if !confirmed {
        let again = if now > quiet_from { later(now, policy.first_probe) } else { quiet_from };
        let again = again.max(later(now, policy.quiescence.saturating_sub(facts.steady)));
        Step::to(&[EffectState::Unknown], "not found; it may still be on its way").at(later(again, MILLISECOND))
    } else if stock && !planted(Planted::OldDifference) {
        Step::to(
            &[EffectState::AbsentConfirmed, EffectState::Voided],
            "not found twice; it did not happen, and a new difference will be worked out",
        )
    } else if facts.unknowns >= 2 && !policy.survives_second_unknown {
        Step::to(&[EffectState::Parked], "not found twice, and its outcome was unknown twice: a person decides")
    } else {
        Step::to(&[EffectState::AbsentConfirmed], "not found twice; it did not happen and goes again").at(now)
    };
    step.negative = true;
    step
}

/// Not found, and yet the figures speak for it (§8.3). Others' changes that do not show yet look the same for a while, so it
/// is looked at again until they must show; then a person decides.
fn unaccounted(facts: &Facts, policy: &Policy, why: &str, now: Timestamp) -> Step {
    let armed_at = facts.armed_at.unwrap_or(now);
    let quiet_from = later(armed_at, policy.quiescence);
    let give_up = later(armed_at, policy.quiescence.saturating_mul(UNACCOUNTED_WAITS));
    let mut step = if facts.negatives >= 1 && now > give_up {
        Step::to(
            &[EffectState::Parked],
            format!("not found, but {why}: it may be there all the same; a person decides"),
        )
    } else {
        let again = if now > quiet_from { later(now, policy.quiescence / 4) } else { quiet_from };
        Step::to(&[EffectState::Unknown], format!("not found, but {why}; looked at again"))
            .at(later(again, MILLISECOND))
    };
    step.negative = true;
    step
}

/// How many quiescences after arming it is given to a person that figures speak for an effect which is not found: four, which
/// is just under the quarter of an hour in which nothing may stay unknown without an alarm (J4).
const UNACCOUNTED_WAITS: u32 = 4;

const MILLISECOND: Duration = Duration::from_millis(1);

/// What it leads to that [`connect::Effects::prepare`] found something before anything was sent: the effect is armed and
/// settled in one transaction without a byte leaving, so that it takes only permitted edges.
pub fn after_found(facts: &Facts, policy: &Policy, probe: &Probe, now: Timestamp) -> Step {
    let armed = Facts { state: EffectState::Unknown, ..*facts };
    let mut step = after_probe(&armed, policy, probe, now);
    if facts.state == EffectState::Probing {
        step.path.remove(0);
    } else {
        step.path.splice(0..0, [EffectState::Armed, EffectState::Unknown]);
    }
    step.note = format!("before sending: {}", step.note);
    step
}

/// What a failed look leads to: it stays unknown and is looked up again, until the deadline hands it to a person.
pub fn after_failed_probe(facts: &Facts, policy: &Policy, why: &str, now: Timestamp) -> Step {
    let overdue = facts.armed_at.is_some_and(|armed_at| now > later(armed_at, policy.deadline));
    let mut step = if overdue {
        Step::to(&[EffectState::Parked], format!("its outcome could not be looked up in time: {why}"))
    } else {
        Step::to(&[EffectState::Unknown], format!("the look-up failed: {why}"))
            .at(later(now, policy.pause_after(facts.attempt.max(3))))
    };
    if facts.state != EffectState::Probing {
        step.path.insert(0, EffectState::Probing);
    }
    step
}

/// `time` later, at most the end of time.
pub fn later(at: Timestamp, time: Duration) -> Timestamp {
    SignedDuration::try_from(time).ok().and_then(|time| at.checked_add(time).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
