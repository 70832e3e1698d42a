//! The state of an order that people are shown, derived from facts in one place.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{effect::EffectState, race::Shown};

/// Where an order stands, in people's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Seen, not ready yet (its stock is not allocated, say).
    New,
    /// Waiting for a person or for a time.
    Held,
    /// On its way to the warehouse.
    Queued,
    /// The warehouse has it.
    Open,
    /// Some has left.
    PartlyShipped,
    /// All has left; the source is being told.
    Shipped,
    /// The source was told; nothing left to do.
    Closed,
    /// A filter left it out.
    Skipped,
    /// Cancelled, and nothing will ship.
    Cancelled,
    /// Something needs a person.
    Error,
    /// Put away by a person.
    Archived,
}

impl OrderState {
    /// Every state, in the order people expect them.
    pub const ALL: [Self; 11] = [
        Self::New,
        Self::Held,
        Self::Queued,
        Self::Open,
        Self::PartlyShipped,
        Self::Shipped,
        Self::Closed,
        Self::Skipped,
        Self::Cancelled,
        Self::Error,
        Self::Archived,
    ];

    /// The name used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Open => "open",
            Self::PartlyShipped => "partly_shipped",
            Self::Shipped => "shipped",
            Self::Closed => "closed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
            Self::Archived => "archived",
        }
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no order state.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a state of an order")]
pub struct NotAnOrderState(String);

impl FromStr for OrderState {
    type Err = NotAnOrderState;

    fn from_str(text: &str) -> Result<Self, NotAnOrderState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| NotAnOrderState(text.to_owned()))
    }
}

/// What import made of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "reason")]
pub enum Disposition {
    /// Not ready: read again later by itself.
    Waiting(String),
    /// A person or a mapping is needed.
    Held(String),
    /// Left out, and why.
    Skipped(String),
    /// Cancelled at the source before anything was sent.
    Cancelled(String),
    /// It became one or more shipment requests.
    Requested,
}

impl Disposition {
    /// The name of its kind, as kept in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Held(_) => "held",
            Self::Skipped(_) => "skipped",
            Self::Cancelled(_) => "cancelled",
            Self::Requested => "requested",
        }
    }

    /// Why.
    pub fn reason(&self) -> &str {
        match self {
            Self::Waiting(reason) | Self::Held(reason) | Self::Skipped(reason) | Self::Cancelled(reason) => reason,
            Self::Requested => "",
        }
    }
}

/// How far one shipment request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFacts {
    /// Putting it at the warehouse.
    pub submit: EffectState,
    /// A person is needed for one of its effects or shipments: what for.
    pub problem: Option<String>,
    /// The warehouse accepted our cancel: nothing will ship.
    pub cancel_accepted: bool,
    /// The warehouse cancelled it and we had not asked.
    pub cancelled_by_warehouse: bool,
    /// Units asked for.
    pub asked: Decimal,
    /// Units that left.
    pub shipped: Decimal,
    /// The warehouse says nothing more will leave.
    pub finished: bool,
    /// Effects at the source that are still to be done for what has left.
    pub source_work_open: bool,
    /// The time for second thoughts runs: it is not sent, or not released at the warehouse, before then.
    pub leaves_at: Option<Timestamp>,
    /// A cancel or change that came after it was sent.
    pub race: Option<Shown>,
}

impl RequestFacts {
    /// Certainly not at the warehouse.
    fn unsent(&self) -> bool {
        let unsent = matches!(
            self.submit,
            EffectState::Planned | EffectState::NotSent | EffectState::Refused | EffectState::Voided
        );
        unsent && self.shipped.is_zero()
    }

    /// Neither sent nor given up: what a hold keeps back.
    fn kept_back(&self) -> bool {
        self.unsent() && matches!(self.submit, EffectState::Planned | EffectState::NotSent)
            || self.submit == EffectState::AbsentConfirmed && self.shipped.is_zero()
    }

    /// What a person is needed for.
    fn needs(&self) -> Option<String> {
        // A race says what to do; what else is wrong often follows from it.
        let race = self.race.as_ref().filter(|race| race.needs_person());
        race.map(Shown::told).or_else(|| self.problem.clone())
    }

    /// No longer wanted before it was sent.
    fn taken_back(&self) -> bool {
        self.submit == EffectState::Voided && self.shipped.is_zero()
    }
}

/// Everything an order's state follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFacts {
    /// Put away by a person.
    pub archived: bool,
    /// Held by a person: why.
    pub held_by_person: Option<String>,
    /// What import made of it.
    pub disposition: Disposition,
    /// What is wrong with the order itself rather than with one of its requests, for a person.
    pub problem: Option<String>,
    /// Its requests.
    pub requests: Vec<RequestFacts>,
}

/// The state of an order, and why it is where it is.
pub fn state(facts: &OrderFacts) -> (OrderState, String) {
    let (state, reason) = without_races(facts);
    // Where it stands anyway, a cancel or change that ended or waits is told beside it.
    let goes_on = matches!(
        state,
        OrderState::Queued
            | OrderState::Open
            | OrderState::PartlyShipped
            | OrderState::Shipped
            | OrderState::Closed
            | OrderState::Cancelled
    );
    if !goes_on {
        return (state, reason);
    }
    let told = facts.requests.iter().filter_map(|request| request.race.as_ref()).map(Shown::told);
    let mut parts: Vec<String> = if reason.is_empty() { Vec::new() } else { vec![reason] };
    for told in told {
        if !parts.contains(&told) {
            parts.push(told);
        }
    }
    (state, parts.join("; "))
}

fn without_races(facts: &OrderFacts) -> (OrderState, String) {
    if facts.archived {
        return (OrderState::Archived, "put away by a person".to_owned());
    }
    // An order that the warehouse may have is where its requests are, whatever a filter would make of it today. What import
    // holds (a further note that cannot be sent, say) is shown all the same.
    let sent = facts.requests.iter().any(|request| !request.unsent());
    let problem = || facts.requests.iter().find_map(RequestFacts::needs).or_else(|| facts.problem.clone());
    let by_import = match facts.disposition {
        Disposition::Requested => false,
        Disposition::Held(_) => true,
        Disposition::Waiting(_) | Disposition::Skipped(_) | Disposition::Cancelled(_) => !sent,
    };
    if facts.requests.is_empty() || by_import {
        if let Some(problem) = problem() {
            return (OrderState::Error, problem);
        }
        if let (Some(why), Disposition::Waiting(_) | Disposition::Requested) =
            (&facts.held_by_person, &facts.disposition)
        {
            return (OrderState::Held, why.clone());
        }
        let state = match &facts.disposition {
            Disposition::Waiting(_) => OrderState::New,
            Disposition::Held(_) => OrderState::Held,
            Disposition::Skipped(_) => OrderState::Skipped,
            Disposition::Cancelled(_) => OrderState::Cancelled,
            Disposition::Requested => OrderState::New,
        };
        return (state, facts.disposition.reason().to_owned());
    }
    if let Some(problem) = problem() {
        return (OrderState::Error, problem);
    }
    if facts.requests.iter().any(|request| request.cancelled_by_warehouse && request.shipped < request.asked) {
        return (OrderState::Error, "the warehouse cancelled it; send it again or cancel the order".to_owned());
    }
    // A request that was taken back before it was sent keeps nothing open.
    let live: Vec<&RequestFacts> =
        facts.requests.iter().filter(|request| !request.cancel_accepted && !request.taken_back()).collect();
    if live.is_empty() {
        return if facts.requests.iter().any(|request| request.cancel_accepted) {
            (OrderState::Cancelled, "cancelled at the warehouse".to_owned())
        } else {
            (
                OrderState::Held,
                "it was taken back before it was sent; it is planned again if it is still wanted".to_owned(),
            )
        };
    }
    let shipped: Decimal = live.iter().map(|request| request.shipped).sum();
    let all_left = live.iter().all(|request| request.shipped >= request.asked || request.finished);
    if !shipped.is_zero() || all_left {
        // The rest is not to be expected while somebody has to let it go.
        if let Some(why) = &facts.held_by_person
            && live.iter().any(|request| request.kept_back())
        {
            return (OrderState::Held, why.clone());
        }
        return if !all_left {
            (OrderState::PartlyShipped, "some has left, the rest is expected".to_owned())
        } else if live.iter().any(|request| request.source_work_open) {
            (OrderState::Shipped, "all has left; the source is being told".to_owned())
        } else {
            (OrderState::Closed, String::new())
        };
    }
    if let Some(why) = &facts.held_by_person
        && (live.iter().all(|request| request.submit != EffectState::Applied)
            || live.iter().any(|request| request.unsent() || request.kept_back()))
    {
        return (OrderState::Held, why.clone());
    }
    let leaves_at = live.iter().filter_map(|request| request.leaves_at).max();
    let until = leaves_at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    if live.iter().all(|request| request.submit == EffectState::Applied) {
        let reason = match until {
            Some(until) => format!("the warehouse has it, held back until {until}"),
            None => "the warehouse has it".to_owned(),
        };
        (OrderState::Open, reason)
    } else if let (Some(until), true) = (until, live.iter().all(|request| request.submit == EffectState::Planned)) {
        (OrderState::Held, format!("leaves at {until}; until then a cancel or change costs nothing at the warehouse"))
    } else {
        (OrderState::Queued, "on its way to the warehouse".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use rust_decimal::Decimal;

    use super::{Disposition, OrderFacts, OrderState, RequestFacts, state};
    use crate::{
        effect::EffectState,
        race::{Outcome, Shown, What},
    };

    fn race(outcome: Outcome) -> Shown {
        Shown {
            what: What::Cancel,
            why: "cancelled in Brightpearl".to_owned(),
            outcome,
            words: String::new(),
            deadline: Timestamp::UNIX_EPOCH,
            owner: "Ada".to_owned(),
            by_hand: None,
            undecided: false,
            resend: false,
            answer: None,
        }
    }

    fn request() -> impl Strategy<Value = RequestFacts> {
        (
            prop::sample::select(EffectState::ALL.to_vec()),
            prop::option::of(Just("look at this".to_owned())),
            any::<bool>(),
            any::<bool>(),
            1_i64..5,
            0_i64..6,
            (any::<bool>(), any::<bool>()),
            prop::option::of(prop::sample::select(Outcome::ALL.to_vec())),
            any::<bool>(),
        )
            .prop_map(
                |(
                    submit,
                    problem,
                    accepted,
                    cancelled_by_warehouse,
                    asked,
                    shipped,
                    (finished, open),
                    outcome,
                    holds,
                )| {
                    let cancel_accepted = accepted || outcome == Some(Outcome::Accepted);
                    RequestFacts {
                        submit,
                        problem,
                        cancel_accepted,
                        cancelled_by_warehouse,
                        asked: Decimal::from(asked),
                        shipped: Decimal::from(shipped),
                        finished,
                        source_work_open: open,
                        leaves_at: holds.then_some(Timestamp::UNIX_EPOCH),
                        race: outcome.map(race),
                    }
                },
            )
    }

    fn facts() -> impl Strategy<Value = OrderFacts> {
        let disposition = prop_oneof![
            Just(Disposition::Waiting("w".to_owned())),
            Just(Disposition::Held("h".to_owned())),
            Just(Disposition::Skipped("s".to_owned())),
            Just(Disposition::Requested),
        ];
        let words = || prop::option::of(Just("p".to_owned()));
        (any::<bool>(), words(), disposition, words(), prop::collection::vec(request(), 0..3)).prop_map(
            |(archived, held_by_person, disposition, problem, requests)| OrderFacts {
                archived,
                held_by_person,
                disposition,
                problem,
                requests,
            },
        )
    }

    fn at_warehouse() -> RequestFacts {
        RequestFacts {
            submit: EffectState::Applied,
            problem: None,
            cancel_accepted: false,
            cancelled_by_warehouse: false,
            asked: Decimal::from(2),
            shipped: Decimal::ZERO,
            finished: false,
            source_work_open: false,
            leaves_at: None,
            race: None,
        }
    }

    #[test]
    fn follows_its_requests() {
        let open = at_warehouse();
        let planned = RequestFacts { submit: EffectState::Planned, ..open.clone() };
        let some = RequestFacts { shipped: Decimal::ONE, ..open.clone() };
        let short = RequestFacts { finished: true, ..some.clone() };
        let telling = RequestFacts { shipped: Decimal::from(2), source_work_open: true, ..open.clone() };
        let told = RequestFacts { source_work_open: false, ..telling.clone() };
        let cancelled = RequestFacts { cancel_accepted: true, ..open.clone() };
        let stopped = RequestFacts { cancelled_by_warehouse: true, ..open.clone() };
        let voided = RequestFacts { submit: EffectState::Voided, ..open.clone() };
        let racing = |outcome, request: &RequestFacts| RequestFacts { race: Some(race(outcome)), ..request.clone() };
        let waiting = RequestFacts { leaves_at: Some(Timestamp::UNIX_EPOCH), ..planned.clone() };
        let skipped = Disposition::Skipped("its notes are shipped".to_owned());
        let held = Disposition::Held("a SKU is not mapped".to_owned());
        let cases = [
            // The race is told beside where the order stands, and is a person's where nobody answers.
            (Disposition::Requested, vec![racing(Outcome::Pending, &open)], OrderState::Open),
            (Disposition::Requested, vec![racing(Outcome::Silent, &open)], OrderState::Error),
            (Disposition::Requested, vec![racing(Outcome::Partly, &some)], OrderState::Error),
            (Disposition::Requested, vec![racing(Outcome::TooLate, &told)], OrderState::Closed),
            (Disposition::Requested, vec![racing(Outcome::Accepted, &cancelled)], OrderState::Cancelled),
            (Disposition::Requested, vec![waiting], OrderState::Held),
            (Disposition::Requested, vec![planned.clone()], OrderState::Queued),
            (Disposition::Requested, vec![open.clone()], OrderState::Open),
            (Disposition::Requested, vec![open.clone(), planned.clone()], OrderState::Queued),
            (Disposition::Requested, vec![some], OrderState::PartlyShipped),
            (Disposition::Requested, vec![told.clone(), open.clone()], OrderState::PartlyShipped),
            (Disposition::Requested, vec![telling], OrderState::Shipped),
            (Disposition::Requested, vec![told.clone(), short], OrderState::Closed),
            (Disposition::Requested, vec![cancelled.clone()], OrderState::Cancelled),
            (Disposition::Requested, vec![cancelled, told.clone()], OrderState::Closed),
            (Disposition::Requested, vec![stopped], OrderState::Error),
            // Taken back before it was sent: nothing is open for it.
            (Disposition::Requested, vec![voided.clone(), told.clone()], OrderState::Closed),
            (Disposition::Requested, vec![voided.clone(), open.clone()], OrderState::Open),
            (Disposition::Requested, vec![voided.clone()], OrderState::Held),
            // A filter cannot call back what the warehouse has; what is held is shown beside it.
            (skipped.clone(), vec![planned], OrderState::Skipped),
            (skipped.clone(), vec![voided], OrderState::Skipped),
            (skipped.clone(), vec![open.clone()], OrderState::Open),
            (skipped, vec![told], OrderState::Closed),
            (held, vec![open], OrderState::Held),
        ];
        for (disposition, requests, expected) in cases {
            let facts = OrderFacts { archived: false, held_by_person: None, disposition, problem: None, requests };
            assert_eq!(state(&facts).0, expected, "{facts:?}");
        }
    }

    #[test]
    fn what_a_hold_keeps_back_is_shown() {
        let some = RequestFacts { shipped: Decimal::ONE, ..at_warehouse() };
        let shown = |submit| {
            let requests = vec![some.clone(), RequestFacts { submit, ..at_warehouse() }];
            let held_by_person = Some("see what has left".to_owned());
            let facts = OrderFacts {
                archived: false,
                held_by_person,
                disposition: Disposition::Requested,
                problem: None,
                requests,
            };
            state(&facts)
        };
        for submit in [EffectState::Planned, EffectState::NotSent, EffectState::AbsentConfirmed] {
            assert_eq!(shown(submit), (OrderState::Held, "see what has left".to_owned()), "{submit}");
        }
        // Nothing has left yet, and one of two is at the warehouse.
        let at_rest = |submit| {
            let requests = vec![at_warehouse(), RequestFacts { submit, ..at_warehouse() }];
            let held_by_person = Some("look first".to_owned());
            state(&OrderFacts {
                archived: false,
                held_by_person,
                disposition: Disposition::Requested,
                problem: None,
                requests,
            })
            .0
        };
        assert_eq!(at_rest(EffectState::AbsentConfirmed), OrderState::Held);
        assert_eq!(at_rest(EffectState::Planned), OrderState::Held);
        assert_eq!(at_rest(EffectState::Applied), OrderState::Open);
        // It came too late, or there is nothing left to keep back.
        for submit in [EffectState::Applied, EffectState::Unknown, EffectState::Voided] {
            assert_eq!(shown(submit).0, OrderState::PartlyShipped, "{submit}");
        }
    }

    proptest! {
        /// A problem is never hidden, nothing is closed while work is open, and *closed* means that all has left.
        #[test]
        fn tells_the_truth(facts in facts()) {
            let (shown, reason) = state(&facts);
            if facts.archived {
                prop_assert_eq!(shown, OrderState::Archived);
                return Ok(());
            }
            let needed = |race: &Shown| race.needs_person();
            let of_request =
                |request: &RequestFacts| request.problem.is_some() || request.race.as_ref().is_some_and(needed);
            if facts.problem.is_some() || facts.requests.iter().any(of_request) {
                prop_assert_eq!(shown, OrderState::Error);
                prop_assert!(!reason.is_empty());
            }
            if shown == OrderState::Closed {
                let live = |request: &&RequestFacts| !request.cancel_accepted && !request.taken_back();
                for request in facts.requests.iter().filter(live) {
                    prop_assert!(!request.source_work_open);
                    prop_assert!(request.finished || request.shipped >= request.asked);
                }
            }
            let held_back = facts.held_by_person.is_some()
                && facts.requests.iter().any(|request| !request.cancel_accepted && request.kept_back());
            prop_assert!(!held_back || !matches!(shown, OrderState::Queued | OrderState::PartlyShipped | OrderState::Open));
            let maybe_there = facts.requests.iter().any(|request| {
                !request.cancel_accepted && matches!(request.submit, EffectState::Applied | EffectState::Unknown)
            });
            if maybe_there {
                prop_assert!(!matches!(shown, OrderState::New | OrderState::Skipped | OrderState::Cancelled));
            }
            if matches!(shown, OrderState::Held | OrderState::Skipped | OrderState::Error) {
                prop_assert!(!reason.is_empty());
            }
        }
    }
}
