//! What a warehouse that calls us may do with a request on its desk, and what it may say of it (docs/warehouse-api.md).
//!
//! Whatever is asked for twice is done once and answered the same. What cannot be true is refused at once, with the place in
//! what was said, so that the warehouse can mend it; nothing is ever kept half.

use std::collections::BTreeMap;

use connect::{CancelAsked, DeskState, PackageLine, RequestLine, Shipment};
use rust_decimal::Decimal;

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: DeskState,
    /// How a cancel of it stands.
    pub cancel: CancelAsked,
}

impl Standing {
    /// As it is laid down.
    pub const NEW: Self = Self { state: DeskState::Waiting, cancel: CancelAsked::None };

    const fn of(state: DeskState, cancel: CancelAsked) -> Self {
        Self { state, cancel }
    }
}

/// What the warehouse may not do now: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// What stands in the way.
    pub why: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Refusal {
    fn new(why: impl Into<String>, remedy: &'static str) -> Self {
        Self { why: why.into(), remedy }
    }

    fn ended(state: DeskState) -> Self {
        let why = match state {
            DeskState::Cancelled => "the request is cancelled",
            DeskState::GivenUp => "the request was given up",
            DeskState::Closed => "everything of the request that will leave has left",
            DeskState::Waiting => "nobody has acknowledged the request",
            DeskState::Acknowledged => "the request is acknowledged already",
        };
        Self::new(why, "Ship nothing of it that has not left; look at the request to see how it stands.")
    }
}

/// The warehouse's answer to a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAnswer {
    /// It is stopped; nothing more ships.
    Accepted,
    /// It is being picked or has left, and ships.
    TooLate,
}

/// What the warehouse or the hub does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<'a> {
    /// The hub takes it back.
    TakeBack,
    /// Whoever pulled it under this lease has it now.
    Acknowledge {
        /// As it was given with the request.
        lease: &'a str,
        /// The lease of the last pull.
        last: Option<&'a str>,
    },
    /// The warehouse answers the cancel it was asked.
    Answer(CancelAnswer),
    /// The warehouse will not ship it, or nothing more of it.
    GiveUp {
        /// Whether some has left.
        shipped: bool,
    },
}

/// How a request stands after this; the same where it changes nothing.
///
/// A lease that ended still serves as long as nobody pulled the request again: then two may hold it, and the one of the last
/// pull has it.
///
/// # Errors
/// When it cannot be done.
pub fn act(now: Standing, act: Act<'_>) -> Result<Standing, Refusal> {
    use CancelAsked::{Asked, TooLate};
    use DeskState::{Acknowledged, Cancelled, Closed, GivenUp, Waiting};
    let Standing { state, cancel } = now;
    match act {
        Act::TakeBack => Ok(match (state, cancel) {
            (Waiting, _) => Standing::of(Cancelled, cancel),
            (Acknowledged, CancelAsked::None) => Standing::of(Acknowledged, Asked),
            _ => now,
        }),
        Act::Acknowledge { lease, last } => {
            if last != Some(lease) {
                return Err(Refusal::new(
                    "this is not the lease of the last pull: somebody has pulled the request after it",
                    "Do not work on it under this lease; whoever pulled it last has it.",
                ));
            }
            match state {
                Waiting => Ok(Standing::of(Acknowledged, cancel)),
                Acknowledged => Ok(now),
                Cancelled | Closed | GivenUp => Err(Refusal::ended(state)),
            }
        }
        Act::Answer(answer) => match (answer, state, cancel) {
            (CancelAnswer::Accepted, Acknowledged, Asked) => Ok(Standing::of(Cancelled, Asked)),
            (CancelAnswer::Accepted, Cancelled, Asked) => Ok(now),
            (CancelAnswer::TooLate, Acknowledged | Closed, Asked | TooLate) => Ok(Standing::of(state, TooLate)),
            (_, _, CancelAsked::None) => Err(Refusal::new(
                "nobody has asked for a cancel of this request",
                "Answer only what `cancel` of the request says is asked; to stop one by yourself, give it up.",
            )),
            (_, Acknowledged, _) => Err(Refusal::new(
                "the cancel was answered with too late",
                "An answer stays. Ship the request, or give it up.",
            )),
            _ => Err(Refusal::ended(state)),
        },
        Act::GiveUp { shipped } => match state {
            Waiting | Acknowledged => Ok(Standing::of(if shipped { Closed } else { GivenUp }, cancel)),
            GivenUp => Ok(now),
            Closed if shipped => Ok(now),
            Closed | Cancelled => Err(Refusal::ended(state)),
        },
    }
}

/// One thing that is wrong with what was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where in it, e.g. `packages[0].lines[1].sku`.
    pub at: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// What is wrong with a shipment of a request, of which `before` has left already. Nothing: it can be true.
///
/// Goods that left are a fact, whatever was agreed: only what cannot be of this request is refused.
pub fn faults(asked: &[RequestLine], before: &[PackageLine], shipment: &Shipment) -> Vec<Fault> {
    let mut found = Vec::new();
    let mut open: BTreeMap<&str, Decimal> = BTreeMap::new();
    for line in asked {
        *open.entry(line.sku.as_str()).or_default() += line.quantity;
    }
    for line in before {
        *open.entry(line.sku.as_str()).or_default() -= line.quantity;
    }
    let mut lines = 0_usize;
    for (place, line) in places(shipment) {
        lines += 1;
        let Some(left) = open.get_mut(line.sku.as_str()) else {
            let skus = asked.iter().map(|line| line.sku.as_str()).collect::<Vec<_>>().join(", ");
            let why = format!("{:?} is not in the request; there are: {skus}", line.sku);
            found.push(Fault { at: format!("{place}.sku"), why });
            continue;
        };
        if let Some(number) = line.line_number
            && !asked.iter().any(|asked| asked.line_number == number && asked.sku == line.sku)
        {
            let why = format!("the request has no line {number} of {}; the line may also be left out", line.sku);
            found.push(Fault { at: format!("{place}.line"), why });
        }
        if line.quantity <= Decimal::ZERO {
            found.push(Fault { at: format!("{place}.quantity"), why: "must be more than zero".to_owned() });
            continue;
        }
        if line.quantity > *left {
            let (quantity, left) = (line.quantity.normalize(), (*left).max(Decimal::ZERO).normalize());
            let why = format!("{quantity} of {} left, and only {left} can still be of this request", line.sku);
            found.push(Fault { at: format!("{place}.quantity"), why });
        }
        *left -= line.quantity;
    }
    if lines == 0 {
        let why = "say what left: goods in `packages[].lines`, or in `lines` where the box is not known".to_owned();
        found.push(Fault { at: "packages".to_owned(), why });
    }
    found
}

/// Every line with its place.
fn places(shipment: &Shipment) -> impl Iterator<Item = (String, &PackageLine)> {
    let boxed = shipment.packages.iter().enumerate().flat_map(|(package, goods)| {
        goods.lines.iter().enumerate().map(move |(line, goods)| (format!("packages[{package}].lines[{line}]"), goods))
    });
    boxed.chain(shipment.loose.iter().enumerate().map(|(line, goods)| (format!("lines[{line}]"), goods)))
}

/// Whether everything of a request has left with these lines.
pub fn is_complete<'a>(asked: &[RequestLine], left: impl IntoIterator<Item = &'a PackageLine>) -> bool {
    let mut open: BTreeMap<&str, Decimal> = BTreeMap::new();
    for line in asked {
        *open.entry(line.sku.as_str()).or_default() += line.quantity;
    }
    for line in left {
        if let Some(units) = open.get_mut(line.sku.as_str()) {
            *units -= line.quantity;
        }
    }
    open.values().all(|units| *units <= Decimal::ZERO)
}

#[cfg(test)]
mod tests;
