//! What an action on many orders would do to each of them.

use serde::{Deserialize, Serialize};

use crate::order::OrderState;

/// What can be done to many orders at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Read again and plan anew.
    Retry,
    /// Keep from being sent.
    Hold,
    /// Let go on.
    Release,
    /// Put away.
    Archive,
    /// Take out again.
    Unarchive,
    /// Stop.
    Cancel,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] = [Self::Retry, Self::Hold, Self::Release, Self::Archive, Self::Unarchive, Self::Cancel];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Archive => "archive",
            Self::Unarchive => "unarchive",
            Self::Cancel => "cancel",
        }
    }

    /// Whether somebody has to say why.
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Hold | Self::Cancel)
    }
}

/// What it follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Where the order stands.
    pub state: OrderState,
    /// A person holds it.
    pub held_by_person: bool,
}

/// What would happen to one order, or why nothing would.
///
/// # Errors
/// Why it is refused, for people.
pub fn outcome(action: Action, facts: Facts) -> Result<&'static str, &'static str> {
    use OrderState::{Archived, Cancelled, Closed, Error, Held, New, Open, PartlyShipped, Queued, Shipped, Skipped};
    match (action, facts.state) {
        (Action::Unarchive, Archived) => Ok("is taken out again; import looks at it"),
        (Action::Unarchive, _) => Err("it is not archived"),
        (_, Archived) => Err("it is archived: take it out first"),
        (Action::Release, _) if facts.held_by_person => Ok("goes on"),
        (Action::Release, Held) => Err("no person holds it: mend what it waits for, then retry it"),
        (Action::Release, _) => Err("it is not held"),
        (Action::Hold, _) if facts.held_by_person => Err("a person holds it already"),
        (Action::Hold, New | Held | Queued | Error) => Ok("is kept from being sent until it is released"),
        (Action::Hold, Open | PartlyShipped | Shipped | Closed) => Err("the warehouse has it already"),
        (Action::Hold | Action::Cancel, Skipped) => Err("it is skipped, and nothing of it would be sent"),
        (Action::Hold | Action::Cancel, Cancelled) => Err("it is cancelled already"),
        (Action::Retry, Closed) => Err("it is closed, with nothing left to do"),
        (Action::Retry, _) => Ok("is read again and planned anew; what the warehouse has is not sent again"),
        (Action::Archive, Open | PartlyShipped | Shipped) => {
            Ok("is put away; the warehouse goes on with what it has, and its shipments are still told")
        }
        (Action::Archive, _) => Ok("is put away; what was not sent of it is given up"),
        (Action::Cancel, Shipped | Closed) => Err("all of it has shipped"),
        (Action::Cancel, Open | PartlyShipped) => Ok("the warehouse is asked to cancel what has not left"),
        // Of an order that is held, some may have been sent.
        (Action::Cancel, Queued | Error | Held) => {
            Ok("what was not sent is given up, and what may be at the warehouse is asked back")
        }
        (Action::Cancel, New) => Ok("is cancelled; nothing of it was sent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [bool; 2] = [false, true];

    #[test]
    fn what_is_archived_is_only_taken_out() {
        for action in Action::ALL {
            for held_by_person in EVERY {
                let facts = Facts { state: OrderState::Archived, held_by_person };
                assert_eq!(outcome(action, facts).is_ok(), action == Action::Unarchive, "{action:?}");
            }
        }
    }

    #[test]
    fn release_is_for_what_a_person_holds() {
        for state in OrderState::ALL.into_iter().filter(|state| *state != OrderState::Archived) {
            assert!(outcome(Action::Release, Facts { state, held_by_person: true }).is_ok());
            assert!(outcome(Action::Release, Facts { state, held_by_person: false }).is_err());
            assert!(outcome(Action::Hold, Facts { state, held_by_person: true }).is_err());
        }
    }

    #[test]
    fn what_the_warehouse_has_is_not_held_and_what_has_shipped_is_not_cancelled() {
        for state in [OrderState::Open, OrderState::PartlyShipped] {
            let facts = Facts { state, held_by_person: false };
            assert!(outcome(Action::Hold, facts).is_err());
            assert!(outcome(Action::Cancel, facts).is_ok());
        }
        for state in [OrderState::Shipped, OrderState::Closed, OrderState::Cancelled, OrderState::Skipped] {
            let facts = Facts { state, held_by_person: false };
            assert!(outcome(Action::Hold, facts).is_err(), "{state}");
            assert!(outcome(Action::Cancel, facts).is_err(), "{state}");
        }
    }
}
