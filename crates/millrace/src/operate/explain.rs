//! Why something is where it is, and what a person can do about it. Pure.

use std::fmt;

use connect::EffectKind;
use engine::{
    confirm,
    effect::EffectState,
    order::OrderState,
    race::{Answer, Outcome, Shown, What},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Why something is where it is, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainOut {
    /// Where it is.
    pub state: String,
    /// Why.
    pub why: String,
    /// What it waits for; empty when for nothing.
    pub waits_for: String,
    /// What a person can do, the most useful first.
    pub actions: Vec<ActionOut>,
}

/// What a person can do, as the routes and commands that do it are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionName {
    /// An order is read again and planned anew; a change goes again.
    Retry,
    /// An order is held back.
    Hold,
    /// A held order goes on; one that was put away is taken out again.
    Release,
    /// An order is not sent, or asked back.
    Cancel,
    /// An order is put away.
    Archive,
    /// Address, shipping method, date or notes of an order that was not sent are edited.
    Edit,
    /// An order goes again under a fresh key.
    Resend,
    /// The warehouse's answer to a cancel or change is recorded: it is stopped there.
    AnswerAccepted,
    /// The same: it ships as it was sent.
    AnswerTooLate,
    /// The same: some of it ships.
    AnswerPartly,
    /// A change is there already.
    Applied,
    /// A change is given up.
    Void,
    /// The connection is switched on.
    Enable,
    /// The connection goes on.
    Resume,
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Cancel => "cancel",
            Self::Archive => "archive",
            Self::Edit => "edit",
            Self::Resend => "resend",
            Self::AnswerAccepted => "answer accepted",
            Self::AnswerTooLate => "answer too late",
            Self::AnswerPartly => "answer partly",
            Self::Applied => "applied",
            Self::Void => "void",
            Self::Enable => "enable",
            Self::Resume => "resume",
        })
    }
}

/// Something a person can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActionOut {
    /// Its name.
    pub action: ActionName,
    /// The change it is about; nothing where it is about the order or its connection.
    pub effect: Option<String>,
    /// What it does.
    pub does: String,
    /// The same as a command.
    pub command: String,
}

fn action(action: ActionName, does: &str, command: String) -> ActionOut {
    ActionOut { action, effect: None, does: does.to_owned(), command }
}

/// One effect, as far as its explanation needs it.
#[derive(Debug, Clone)]
pub struct EffectFacts<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it does.
    pub kind: EffectKind,
    /// Where it stands.
    pub state: EffectState,
    /// What settled it, or why it is where it is.
    pub note: &'a str,
    /// When the journal looks again.
    pub next_at: Option<Timestamp>,
}

/// Why an effect is where it is.
pub fn effect(facts: &EffectFacts<'_>) -> ExplainOut {
    let EffectFacts { id, kind, state, note, next_at } = facts;
    let what = confirm::words(*kind);
    let next = next_at.map(|at| format!("{}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    let of_it = |name, does: &str, command| ActionOut { effect: Some((*id).to_owned()), ..action(name, does, command) };
    let retry = |does: &str| of_it(ActionName::Retry, does, format!("millrace effects retry {id} --reason TEXT"));
    let void = |does: &str| of_it(ActionName::Void, does, format!("millrace effects void {id} --reason TEXT"));
    let applied = of_it(
        ActionName::Applied,
        "You have looked, and it is there: nothing is sent, the order goes on.",
        format!("millrace effects applied {id} --reference NUMBER --reason TEXT"),
    );
    let (why, waits_for, actions) = match state {
        EffectState::Planned => (
            format!("{what} is planned and has not been tried yet"),
            format!("its turn: one change of an order at a time, and the call budget{}", after(&next)),
            Vec::new(),
        ),
        EffectState::NotSent => (
            format!("{what} was tried, and certainly nothing left"),
            format!("the next try{}", after(&next)),
            Vec::new(),
        ),
        EffectState::Armed => (
            format!("{what} is on its way: its intent is written down, and the answer is awaited"),
            "the answer; without one it is looked up before anything is repeated".to_owned(),
            Vec::new(),
        ),
        EffectState::Unknown | EffectState::Probing => (
            format!("it is not known whether {what} took effect"),
            format!("a look at the remote system{}; nothing is repeated before", after(&next)),
            Vec::new(),
        ),
        EffectState::AbsentConfirmed => {
            (format!("{what} certainly did not take effect"), "the next try".to_owned(), Vec::new())
        }
        EffectState::Refused => (
            format!("the remote system refused {what}; certainly nothing was changed"),
            "a person".to_owned(),
            vec![retry("Once you have mended the cause, it goes again."), void("It is not wanted any more.")],
        ),
        EffectState::Conflict => (
            format!("something else stands where {what} would go"),
            "a person".to_owned(),
            vec![applied, void("You have looked, and it is not ours or not there: it is given up.")],
        ),
        EffectState::Parked => (
            format!("it cannot be found out whether {what} took effect"),
            "a person who looks at the remote system".to_owned(),
            vec![
                applied,
                retry("You have looked, and it is not there: it goes again."),
                void("You have looked, and it is not there, and it is not wanted any more."),
            ],
        ),
        EffectState::Voided if *kind == EffectKind::CorrectStock => {
            (format!("{what} was given up; the next count works out the difference anew"), String::new(), Vec::new())
        }
        EffectState::Voided => {
            (format!("{what} was given up"), String::new(), vec![retry("It is wanted after all, and goes again.")])
        }
        EffectState::Applied => (format!("{what} is done"), String::new(), Vec::new()),
        EffectState::Superseded => {
            (format!("{what} is not needed: somebody has moved it on"), String::new(), Vec::new())
        }
    };
    let mut actions = actions;
    if *kind == EffectKind::CorrectStock {
        // An old difference is never sent again: the next count works out a new one.
        actions.retain(|action| action.action != ActionName::Retry);
    }
    let why = if note.is_empty() { why } else { format!("{why}: {note}") };
    ExplainOut { state: state.as_str().to_owned(), why, waits_for, actions }
}

fn after(next: &str) -> String {
    if next.is_empty() { String::new() } else { format!(", at {next}") }
}

/// An order, as far as its explanation needs it.
#[derive(Debug, Clone)]
pub struct OrderFacts<'a> {
    /// Its id.
    pub id: &'a str,
    /// The state shown.
    pub state: OrderState,
    /// Its reason.
    pub reason: &'a str,
    /// A person holds it back.
    pub held_by_person: bool,
    /// Name of its connection.
    pub connection: &'a str,
    /// The connection is switched on.
    pub enabled: bool,
    /// Why a side of the connection is paused.
    pub paused: Option<&'a str>,
    /// Cancels and changes that came after it was sent.
    pub races: Vec<&'a Shown>,
    /// It is held back for second thoughts until a time.
    pub leaves: bool,
    /// The warehouse does not have it, though nobody had it stopped there.
    pub not_there: bool,
    /// The warehouse may have it.
    pub sent: bool,
    /// Its effects, oldest first.
    pub effects: Vec<EffectFacts<'a>>,
}

/// Why an order is where it is.
pub fn order(facts: &OrderFacts<'_>) -> ExplainOut {
    let OrderFacts { id, state, reason, connection, .. } = facts;
    let command = |name: &str| format!("millrace orders {name} {id}");
    let reasoned = |name: &str| format!("millrace orders {name} {id} --reason TEXT");
    let retry = || action(ActionName::Retry, "It is read again from Brightpearl and planned anew.", command("retry"));
    let hold = || action(ActionName::Hold, "It is held back until you release it.", reasoned("hold"));
    let cancel = || action(ActionName::Cancel, "It is not sent, or asked back from the warehouse.", reasoned("cancel"));
    let archive = || action(ActionName::Archive, "It is put away.", command("archive"));
    let ended = |kind| !facts.races.is_empty() && facts.races.iter().all(|race| race.outcome.ends(kind));
    let stuck = facts.effects.iter().find(|effect| effect.state.needs_person() && !ended(effect.kind));
    let open = facts.effects.iter().find(|effect| effect.state.open());

    let mut why = if reason.is_empty() { shown(*state).to_owned() } else { (*reason).to_owned() };
    let mut waits_for = String::new();
    let mut actions = Vec::new();
    match state {
        OrderState::New => {
            waits_for = "Brightpearl: it is read again with every run of the orders channel".to_owned();
            actions.extend([retry(), hold(), archive()]);
        }
        OrderState::Held if facts.held_by_person => {
            waits_for = "a person".to_owned();
            actions.push(action(ActionName::Release, "It goes on.", command("release")));
            actions.extend([cancel(), archive()]);
        }
        OrderState::Held if facts.leaves => {
            waits_for = "its time".to_owned();
            actions.extend([hold(), cancel()]);
        }
        OrderState::Held => {
            waits_for = "that to be mended; it is looked at again with every run of the orders channel".to_owned();
            actions.extend([retry(), cancel(), archive()]);
        }
        OrderState::Queued | OrderState::Shipped => {
            if let Some(open) = open {
                let explained = effect(open);
                why = format!("{why}. {}", sentence(&explained.why));
                waits_for = explained.waits_for;
            } else {
                waits_for = "its next step, which is decided in a moment".to_owned();
            }
            actions.push(if *state == OrderState::Queued { hold() } else { retry() });
            if *state == OrderState::Queued {
                actions.push(cancel());
            }
        }
        OrderState::Open => {
            waits_for = "the warehouse's shipment".to_owned();
            actions.push(cancel());
        }
        OrderState::PartlyShipped => waits_for = "the rest of the shipment".to_owned(),
        OrderState::Error => {
            waits_for = "a person".to_owned();
            if let Some(stuck) = stuck {
                let explained = effect(stuck);
                why = format!("{why}. {}", sentence(&explained.why));
                actions.extend(explained.actions);
            }
            if facts.not_there {
                actions.push(action(ActionName::Resend, "It is sent again under a fresh key.", reasoned("resend")));
            }
            actions.extend([retry(), cancel(), archive()]);
        }
        OrderState::Skipped => actions.extend([retry(), archive()]),
        OrderState::Closed | OrderState::Cancelled => actions.push(archive()),
        OrderState::Archived => {
            actions.push(action(ActionName::Release, "It is taken out again and looked at anew.", command("release")));
        }
    }
    if !facts.sent && matches!(state, OrderState::New | OrderState::Held | OrderState::Queued | OrderState::Error) {
        let does = "It goes to the warehouse as you say here; in Brightpearl nothing is changed.";
        // After what takes it on.
        actions.insert(actions.len().min(1), action(ActionName::Edit, does, format!("millrace orders edit {id} FILE")));
    }
    let mut of_races: Vec<ActionOut> = facts.races.iter().flat_map(|race| race_actions(id, race)).collect();
    of_races.dedup();
    if !of_races.is_empty() {
        actions.retain(|action| !of_races.iter().any(|other| other.action == action.action));
        actions.splice(0..0, of_races);
    }
    if !waits_for.is_empty() {
        if !facts.enabled {
            why = format!("{why}. The connection {connection} is switched off");
            actions.insert(
                0,
                action(
                    ActionName::Enable,
                    "The connection goes on.",
                    format!("millrace connections enable \"{connection}\""),
                ),
            );
        } else if let Some(paused) = facts.paused {
            why = format!("{why}. The connection {connection} is paused: {paused}");
            actions.insert(
                0,
                action(
                    ActionName::Resume,
                    "Once you have mended the cause, the connection goes on.",
                    format!("millrace connections resume \"{connection}\""),
                ),
            );
        }
    }
    ExplainOut { state: state.as_str().to_owned(), why, waits_for, actions }
}

/// What a person can do about a cancel or change.
fn race_actions(id: &str, race: &Shown) -> Vec<ActionOut> {
    let answer = |answer, does: &str| {
        let (name, typed) = match answer {
            Answer::Accepted => (ActionName::AnswerAccepted, "accepted"),
            Answer::TooLate => (ActionName::AnswerTooLate, "too-late"),
            Answer::Partly => (ActionName::AnswerPartly, "partly"),
        };
        action(name, does, format!("millrace orders answer {id} {typed} --reason TEXT"))
    };
    let resend = || {
        action(
            ActionName::Resend,
            "It is cancelled at the warehouse, and sent again as it now stands once the warehouse has accepted that.",
            format!("millrace orders resend {id} --reason TEXT"),
        )
    };
    let keep = || answer(Answer::TooLate, "It ships as it was sent.");
    let answers = || {
        vec![
            answer(Answer::Accepted, "The warehouse has stopped it: nothing will ship."),
            answer(Answer::TooLate, "The warehouse ships it as it was sent."),
            answer(Answer::Partly, "The warehouse ships some of it, and not the rest."),
        ]
    };
    match race.outcome {
        Outcome::Pending if race.undecided => vec![resend(), keep()],
        Outcome::Pending if race.by_hand.is_some() => answers(),
        Outcome::Silent => answers(),
        Outcome::Partly if race.answer.is_none() => {
            vec![answer(Answer::Partly, "You have seen it, and Brightpearl is put right by hand where it must be.")]
        }
        Outcome::Withdrawn if race.needs_person() => vec![keep()],
        Outcome::Accepted if race.what == What::Change && !race.resend => vec![resend()],
        Outcome::Pending | Outcome::Partly | Outcome::Withdrawn | Outcome::Accepted | Outcome::TooLate => Vec::new(),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn shown(state: OrderState) -> &'static str {
    match state {
        OrderState::New => "seen, not ready yet",
        OrderState::Held => "held back",
        OrderState::Queued => "on its way to the warehouse",
        OrderState::Open => "the warehouse has it",
        OrderState::PartlyShipped => "some has left",
        OrderState::Shipped => "all has left; Brightpearl is being told",
        OrderState::Closed => "Brightpearl was told; nothing is left to do",
        OrderState::Skipped => "a filter left it out",
        OrderState::Cancelled => "cancelled; nothing will ship",
        OrderState::Error => "something needs a person",
        OrderState::Archived => "put away by a person",
    }
}

#[cfg(test)]
mod tests {
    use connect::EffectKind;
    use engine::{
        effect::EffectState,
        order::OrderState,
        race::{Outcome, Shown, What},
    };

    use super::{ActionName, EffectFacts, OrderFacts, effect, order, race_actions};

    fn facts(kind: EffectKind, state: EffectState) -> EffectFacts<'static> {
        EffectFacts { id: "eff_1", kind, state, note: "", next_at: None }
    }

    #[test]
    fn whatever_needs_a_person_says_what_to_do() {
        for state in EffectState::ALL {
            for kind in EffectKind::ALL {
                let told = effect(&facts(kind, state));
                assert_eq!(
                    state.needs_person(),
                    !told.actions.is_empty() && state != EffectState::Voided,
                    "{state} {kind}"
                );
                assert!(!told.why.is_empty());
            }
        }
    }

    #[test]
    fn a_difference_of_stock_is_never_offered_again() {
        for state in EffectState::ALL {
            let told = effect(&facts(EffectKind::CorrectStock, state));
            assert!(told.actions.iter().all(|action| action.action != ActionName::Retry), "{state}");
        }
    }

    #[test]
    fn whoever_is_needed_for_a_race_is_told_what_to_press() {
        let race = Shown {
            what: What::Change,
            why: "row 1: 3 sent, 2 wanted now".to_owned(),
            outcome: Outcome::Pending,
            words: String::new(),
            deadline: jiff::Timestamp::UNIX_EPOCH,
            owner: "Ada".to_owned(),
            by_hand: None,
            undecided: true,
            resend: false,
            answer: None,
        };
        for by_hand in [None, Some("telephone".to_owned())] {
            for undecided in [false, true] {
                for what in [What::Cancel, What::Change] {
                    for outcome in Outcome::ALL {
                        let race = Shown { what, by_hand: by_hand.clone(), undecided, outcome, ..race.clone() };
                        assert_eq!(race.needs_person(), !race_actions("ord_1", &race).is_empty(), "{race:?}");
                    }
                }
            }
        }
        let told = order(&OrderFacts {
            id: "ord_1",
            state: OrderState::Error,
            reason: "it changed",
            held_by_person: false,
            connection: "Main",
            enabled: true,
            paused: None,
            races: vec![&race],
            leaves: false,
            not_there: false,
            sent: true,
            effects: Vec::new(),
        });
        let names: Vec<ActionName> = told.actions.iter().map(|action| action.action).collect();
        assert_eq!(names[..2], [ActionName::Resend, ActionName::AnswerTooLate]);
        assert!(names.contains(&ActionName::Cancel));
        assert!(!names.contains(&ActionName::Edit), "what the warehouse may have is not edited");
    }

    #[test]
    fn a_paused_connection_is_named_before_anything_else() {
        let told = order(&OrderFacts {
            id: "ord_1",
            state: OrderState::Queued,
            reason: "on its way to the warehouse",
            held_by_person: false,
            connection: "Main",
            enabled: true,
            paused: Some("the password is refused"),
            races: Vec::new(),
            leaves: false,
            not_there: false,
            sent: false,
            effects: vec![facts(EffectKind::SubmitRequest, EffectState::Planned)],
        });
        assert_eq!(told.actions.first().map(|first| first.action), Some(ActionName::Resume));
        assert!(told.actions.iter().any(|action| action.action == ActionName::Edit), "nothing of it was sent");
        assert!(told.why.contains("the password is refused"), "{}", told.why);
    }
}
