//! What a warehouse that calls us can do: collect its shipment requests, say what became of them, and put down what left and
//! what it counts (docs/warehouse-api.md).
//!
//! Who asks is a [`Wms`], known by a key of its own, never a [`super::Caller`]: it reaches its own desk and nothing else.

mod posts;
mod words;

use connect::{CancelAsked, DeskState};
use engine::{
    desk::{CancelAnswer, Refusal},
    race::Answer,
};
use jiff::SignedDuration;

use super::{Failure, FailureKind, Hub, PageOut, Problem, keys::Wms, limit, quoted, races, webhooks};
use crate::db::{ChannelKind, DbError, DeskQuery, DeskRow, DeskStep};

pub use posts::{CountIn, CountOut, PackageIn, PackedIn, ShelfIn, ShipmentIn, TakenInOut, post_count, post_shipment};
pub use words::{
    AcknowledgeRequestIn, AskedLineOut, CancelAnswerIn, DeskRequestOut, DeskRequestsQuery, GiveUpIn, PriceOut, PullIn,
    PulledOut,
};

/// How long a pulled request is kept for whoever pulled it, in seconds, where nothing else is asked for; and the bounds.
const LEASE: u32 = 300;
const SHORTEST_LEASE: u32 = 10;
const LONGEST_LEASE: u32 = 3600;
/// Requests of one pull, where nothing else is asked for, and at most.
const PULL: u32 = 20;
const LARGEST_PULL: u32 = 100;

/// Hands out requests that wait, oldest first, under one lease.
///
/// # Errors
/// While sending is frozen: then nothing goes to any warehouse, however it gets there.
pub async fn pull(hub: &Hub, wms: &Wms, given: &PullIn) -> Result<PulledOut, Failure> {
    let count = given.limit.unwrap_or(PULL);
    let seconds = given.seconds.unwrap_or(LEASE);
    let mut problems = Vec::new();
    if !(1..=LARGEST_PULL).contains(&count) {
        problems.push(Problem::new("limit", format!("give a number from 1 to {LARGEST_PULL}")));
    }
    if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&seconds) {
        problems.push(Problem::new("seconds", format!("give a number from {SHORTEST_LEASE} to {LONGEST_LEASE}")));
    }
    refuse("this cannot be asked for", problems)?;
    if hub.db.frozen().await? {
        return Err(Failure::new(
            FailureKind::Unavailable,
            "sending is frozen at this installation: nothing is handed out",
        )
        .remedy("Ask again later; what waits is kept. Its operator knows why."));
    }
    let time = SignedDuration::from_secs(i64::from(seconds));
    let (lease, until, rows) = hub.db.pull_from_desk(&wms.desk, count, time).await?;
    Ok(PulledOut { lease, until, items: rows.into_iter().map(DeskRequestOut::from).collect() })
}

/// The requests on the desk, oldest first. Looking takes no lease.
///
/// # Errors
/// When the filter or the cursor makes no sense.
pub async fn list(hub: &Hub, wms: &Wms, asked: &DeskRequestsQuery) -> Result<PageOut<DeskRequestOut>, Failure> {
    let unreadable = |at: &str, what: String| Failure::invalid(format!("{at}: {what}"), vec![Problem::new(at, what)]);
    let (state, cancel_asked) = match asked.state.as_deref() {
        None | Some("") => (None, false),
        Some("cancel_asked") => (None, true),
        Some(text) => match text.parse::<DeskState>() {
            Ok(state) => (Some(state), false),
            Err(_) => {
                let states = DeskState::ALL.map(DeskState::as_str).join(", ");
                return Err(unreadable("state", format!("must be one of {states}, cancel_asked")));
            }
        },
    };
    let after = match &asked.cursor {
        None => 0,
        Some(text) => {
            text.parse().map_err(|_| unreadable("cursor", "give the `next` of the page before".to_owned()))?
        }
    };
    let count = limit(asked.limit);
    let query = DeskQuery { state, cancel_asked, after, limit: count.saturating_add(1) };
    let mut rows = hub.db.desk_requests(&wms.desk, &query).await?;
    let more = u32::try_from(rows.len()).unwrap_or(u32::MAX) > count;
    rows.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row| row.number.to_string());
    Ok(PageOut { items: rows.into_iter().map(DeskRequestOut::from).collect(), next })
}

/// One request.
///
/// # Errors
/// When there is none of this key on the desk.
pub async fn show(hub: &Hub, wms: &Wms, request: &str) -> Result<DeskRequestOut, Failure> {
    let row = hub.db.desk_request(&wms.desk, request).await?;
    row.map(DeskRequestOut::from).ok_or_else(|| missing(request))
}

/// The warehouse has a request: it is not handed out again.
///
/// # Errors
/// When somebody pulled it later, or it is cancelled or at its end.
pub async fn acknowledge(
    hub: &Hub,
    wms: &Wms,
    request: &str,
    given: AcknowledgeRequestIn,
) -> Result<DeskRequestOut, Failure> {
    let reference = given.reference.unwrap_or_default().trim().to_owned();
    refuse("this cannot be kept", text("reference", &reference, 0, 100))?;
    let step = DeskStep::Acknowledge { lease: given.lease, reference };
    step_of(hub, wms, request, step).await.map(DeskRequestOut::from)
}

/// The warehouse will not ship a request, or nothing more of it.
///
/// # Errors
/// When it is cancelled or at its end, or no reason is given.
pub async fn give_up(hub: &Hub, wms: &Wms, request: &str, given: GiveUpIn) -> Result<DeskRequestOut, Failure> {
    let reason = given.reason.trim().to_owned();
    refuse("a reason is needed", text("reason", &reason, 1, 500))?;
    let row = step_of(hub, wms, request, DeskStep::GiveUp { reason }).await?;
    webhooks::wake_warehouse(hub, &wms.desk.scope, wms.desk.warehouse.as_str(), ChannelKind::Shipments).await?;
    Ok(row.into())
}

/// The warehouse answers a cancel that it was asked.
///
/// # Errors
/// When nobody asked, or it was answered otherwise.
pub async fn answer_cancel(
    hub: &Hub,
    wms: &Wms,
    request: &str,
    given: &CancelAnswerIn,
) -> Result<DeskRequestOut, Failure> {
    let answer = match given.answer.as_str() {
        "accepted" => CancelAnswer::Accepted,
        "too_late" => CancelAnswer::TooLate,
        _ => {
            let why = "must be accepted or too_late";
            return Err(Failure::invalid(format!("answer: {why}"), vec![Problem::new("answer", why)]));
        }
    };
    let row = step_of(hub, wms, request, DeskStep::Answer(answer)).await?;
    if row.standing.cancel == CancelAsked::TooLate {
        tell_too_late(hub, wms, request).await?;
    }
    webhooks::wake_warehouse(hub, &wms.desk.scope, wms.desk.warehouse.as_str(), ChannelKind::Shipments).await?;
    Ok(row.into())
}

/// That it is too late is told where a person's word of it would be. Told again after a crash, it is known already.
async fn tell_too_late(hub: &Hub, wms: &Wms, request: &str) -> Result<(), Failure> {
    let Some((connection, order)) = hub.db.connection_of_request(&wms.desk, request).await? else {
        return Ok(());
    };
    let why = "the warehouse's own system said so";
    match hub.db.record_answer(&connection, order, Answer::TooLate, why, &wms.actor).await {
        // Nothing of the order waits for an answer any more.
        Ok(()) | Err(DbError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    races::wake(hub, &connection);
    Ok(())
}

async fn step_of(hub: &Hub, wms: &Wms, request: &str, step: DeskStep) -> Result<DeskRow, Failure> {
    match hub.db.step_at_desk(&wms.desk, request, step).await? {
        None => Err(missing(request)),
        Some(Ok(row)) => Ok(row),
        Some(Err(Refusal { why, remedy })) => Err(Failure::conflict(why).remedy(remedy)),
    }
}

fn missing(request: &str) -> Failure {
    Failure::not_found(format!("request {}", quoted(request)))
        .remedy("Give the `request` of one that was handed out; the list shows what there is.")
}

/// What is wrong with one line of text that has at least and at most so many characters.
fn text(at: &str, given: &str, least: usize, most: usize) -> Vec<Problem> {
    let count = given.chars().count();
    if (least..=most).contains(&count) && !given.chars().any(char::is_control) {
        return Vec::new();
    }
    let needed = if least > 0 { "must be given, as" } else { "must be" };
    vec![Problem::new(at, format!("{needed} one line of at most {most} characters"))]
}

/// Most problems that are listed.
const LISTED: usize = 50;

fn refuse(what: &str, mut problems: Vec<Problem>) -> Result<(), Failure> {
    problems.truncate(LISTED);
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(Failure::invalid(format!("{what}: {first}"), problems)),
    }
}
