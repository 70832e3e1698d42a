//! Pre-flight on history: what share of the past orders would have stood still, and why, before a connection is switched on.

use std::time::Duration;

use engine::preflight::{Group, Tally, mended};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::{Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Problem, Role, connections};
use crate::{
    db::{ConnectionKey, NewPreflight, PreflightEnd, PreflightRow},
    worker::Tried,
};

/// Days looked at where nothing else is said.
pub const USUAL_DAYS: u32 = 30;

/// Most days: older orders say little about tomorrow's, and each costs calls.
pub const MOST_DAYS: u32 = 90;

/// Which orders to look at.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PreflightIn {
    /// Orders of so many days, 1 to 90; 30 where not given.
    #[schema(minimum = 1, maximum = 90)]
    pub days: Option<u32>,
}

/// A pre-flight in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PreflightOut {
    /// `pre_…`
    pub id: String,
    /// Which connection's.
    pub connection: String,
    /// `waiting`, `running`, `finished`, `failed`, `cancelled`.
    pub state: String,
    /// How many days it looks back.
    pub days: u32,
    /// Orders that came into Brightpearl since then.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub wanted_at: Timestamp,
    /// By whom.
    pub wanted_by: String,
    /// When work on it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What it failed of, or what it waits for before it goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Orders to look at; absent until they were searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Orders looked at so far; the sum of the next three.
    pub orders: u64,
    /// Would have gone to the warehouse without anybody touching them.
    pub through: u64,
    /// Would have stood still until something was mended.
    pub stuck: u64,
    /// Would have been left out on purpose: another warehouse, cancelled, nothing to ship.
    pub left_out: u64,
    /// How many of a thousand orders that were meant to go would have stood still; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_per_mille: Option<u64>,
}

/// A pre-flight with its causes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PreflightDetailOut {
    /// As in the list.
    #[serde(flatten)]
    pub run: PreflightOut,
    /// Why orders would have stood still, the most first; then why orders would have been left out.
    pub causes: Vec<CauseOut>,
    /// The run before it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<ComparedOut>,
}

/// Orders that share a cause.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CauseOut {
    /// `unknown_sku`, `missing_sku`, `kit`, `ship_method`, `address`, `status`, `not_allocated`, `no_note`, `note`, `product`,
    /// `quantity`, `warehouse`, `channel`, `order_date`, `nothing_to_ship`, `shipped`, `cancelled`, `not_a_sale`, `other`.
    pub kind: String,
    /// What it is about: the SKU, the shipping method, the part of the address. Empty where the kind says it all.
    pub subject: String,
    /// The orders are left out on purpose; otherwise they would have stood still.
    pub left_out: bool,
    /// How many orders. One with several causes counts for each of them.
    pub orders: u64,
    /// How many in the run before; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// What to do.
    pub remedy: String,
    /// Some of the orders, by Brightpearl's order id.
    pub examples: Vec<i64>,
}

/// What the run before showed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ComparedOut {
    /// `pre_…`
    pub id: String,
    /// How many days it looked back.
    pub days: u32,
    /// Orders it looked at.
    pub orders: u64,
    /// Would have gone.
    pub through: u64,
    /// Would have stood still.
    pub stuck: u64,
    /// Of a thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck_per_mille: Option<u64>,
    /// Causes that are gone since.
    pub mended: Vec<MendedOut>,
}

/// A cause that is gone.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MendedOut {
    /// As in the causes.
    pub kind: String,
    /// As in the causes.
    pub subject: String,
    /// How many orders it kept.
    pub orders: u64,
}

/// Asks for a pre-flight. A node carries it out, whether the connection is switched on or not; nothing is sent and no order is
/// imported.
///
/// # Errors
/// When one is under way, or the days are out of bounds.
pub async fn start(hub: &Hub, caller: &Caller, named: &str, given: PreflightIn) -> Result<PreflightDetailOut, Failure> {
    match want(hub, caller, named, given).await? {
        (key, NewPreflight::Made(id)) => detail(hub, hub.db.preflight(&key, &id).await?).await,
        (_, NewPreflight::Running(id)) => {
            Err(Failure::conflict(format!("pre-flight {id} of this connection has not ended"))
                .remedy("Wait for its end, or cancel it."))
        }
    }
}

async fn want(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    given: PreflightIn,
) -> Result<(ConnectionKey, NewPreflight), Failure> {
    caller.needs(Role::Staff)?;
    let days = given.days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Failure::invalid(
            format!("a pre-flight looks back from 1 to {MOST_DAYS} days, not {days}"),
            vec![Problem::new("days", format!("give 1 to {MOST_DAYS}"))],
        ));
    }
    let key = connections::find(hub, caller, named).await?;
    let new = hub.db.new_preflight(&key, days, &caller.actor).await?;
    Ok((key, new))
}

/// The pre-flights of a connection, newest first.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn list(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    query: &PagingQuery,
) -> Result<PageOut<PreflightOut>, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let page = hub.db.preflights(&key, query.cursor.clone(), query.limit()).await?;
    let now = hub.db.now().await?;
    Ok(PageOut { items: page.items.iter().map(|run| out(run, now)).collect(), next: page.next })
}

/// As [`list`], each with its causes.
pub(super) async fn with_causes(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    query: &PagingQuery,
) -> Result<PageOut<(PreflightOut, Vec<CauseOut>)>, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let page = hub.db.preflights(&key, query.cursor.clone(), query.limit()).await?;
    let now = hub.db.now().await?;
    let items = page.items.iter().map(|run| (out(run, now), causes(&run.tally, None))).collect();
    Ok(PageOut { items, next: page.next })
}

/// One pre-flight with its causes, beside the one before it.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str, run: &str) -> Result<PreflightDetailOut, Failure> {
    let key = connections::find(hub, caller, named).await?;
    detail(hub, hub.db.preflight(&key, run).await?).await
}

/// Ends a pre-flight. What it has counted so far stays; one that has ended stays as it is.
///
/// # Errors
/// When there is none for this caller.
pub async fn cancel(hub: &Hub, caller: &Caller, named: &str, run: &str) -> Result<PreflightDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = connections::find(hub, caller, named).await?;
    let row = hub.db.cancel_preflight(&key, run, &caller.actor).await?;
    detail(hub, row).await
}

/// Carries out a pre-flight and waits for its end: by the node that holds the account, or here when no node does. One
/// that has not ended, of a process that was killed say, is gone on with. When `stop` comes it is ended.
///
/// # Errors
/// When it cannot be carried out, or is ended by somebody.
pub async fn take(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    given: PreflightIn,
    stop: &CancellationToken,
    mut progress: impl FnMut(&PreflightOut),
) -> Result<PreflightDetailOut, Failure> {
    let (key, NewPreflight::Made(id) | NewPreflight::Running(id)) = want(hub, caller, named, given).await?;
    let pause = Duration::from_millis(500);
    let watch = async {
        loop {
            let row = hub.db.preflight(&key, &id).await?;
            progress(&out(&row, hub.db.now().await?));
            if row.end.is_some() {
                return Ok::<PreflightRow, Failure>(row);
            }
            hub.seams.clock.sleep(pause).await;
        }
    };
    let work = async {
        loop {
            let row = hub.db.preflight(&key, &id).await?;
            if row.end.is_none() {
                let tried = hub.workers.try_preflight(&row, stop).await?;
                if tried == Tried::Done {
                    release(hub, &key).await?;
                }
            }
            hub.seams.clock.sleep(pause).await;
        }
    };
    let ended: Result<PreflightRow, Failure> = tokio::select! {
        ended = watch => ended,
        () = stop.cancelled() => {
            hub.db.cancel_preflight(&key, &id, &caller.actor).await?;
            release(hub, &key).await?;
            return Err(Failure::conflict(format!("pre-flight {id} was ended before it had looked at everything")));
        }
        failed = work => failed,
    };
    let row = ended?;
    // The end may be seen before the account is let go.
    release(hub, &key).await?;
    match row.end {
        Some(PreflightEnd::Failed) => Err(Failure::new(
            FailureKind::Remote,
            format!("the pre-flight could not be carried out: {}", row.problem.unwrap_or_default()),
        )),
        Some(PreflightEnd::Cancelled) => Err(Failure::conflict(format!("pre-flight {id} was ended by somebody"))),
        Some(PreflightEnd::Finished) | None => detail(hub, row).await,
    }
}

/// Gives the account back, where this process took it and not a server of the same name.
async fn release(hub: &Hub, key: &ConnectionKey) -> Result<(), Failure> {
    let account = hub.db.connection(key, &hub.keyring).await?.account;
    hub.db.release_account(&account, &hub.config.node).await?;
    Ok(())
}

async fn detail(hub: &Hub, row: PreflightRow) -> Result<PreflightDetailOut, Failure> {
    let before = hub.db.preflight_before(&row).await?;
    let now = hub.db.now().await?;
    Ok(PreflightDetailOut {
        run: out(&row, now),
        causes: causes(&row.tally, before.as_ref().map(|before| &before.tally)),
        before: before.map(|before| compared(&before, &row.tally)),
    })
}

fn out(row: &PreflightRow, now: Timestamp) -> PreflightOut {
    let state = match row.end {
        Some(end) => end.as_str(),
        None if row.owner.is_some() && row.leased_until > now => "running",
        None => "waiting",
    };
    PreflightOut {
        id: row.id.clone(),
        connection: row.key.connection.to_string(),
        state: state.to_owned(),
        days: row.days,
        since: row.since,
        wanted_at: row.wanted_at,
        wanted_by: row.wanted_by.clone(),
        started_at: row.started_at,
        ended_at: row.ended_at,
        problem: row.problem.clone(),
        total: row.total,
        orders: row.tally.orders,
        through: row.tally.through,
        stuck: row.tally.stuck,
        left_out: row.tally.left_out,
        stuck_per_mille: row.tally.stuck_per_mille(),
    }
}

fn causes(tally: &Tally, before: Option<&Tally>) -> Vec<CauseOut> {
    let mut groups: Vec<&Group> = tally.groups.iter().collect();
    groups.sort_by_key(|group| (group.kind.leaves_out(), std::cmp::Reverse(group.orders)));
    let cause = |group: &Group| CauseOut {
        kind: group.kind.as_str().to_owned(),
        subject: group.subject.clone(),
        left_out: group.kind.leaves_out(),
        orders: group.orders,
        before: before.map(|before| before.orders_of(group.kind, &group.subject)),
        remedy: group.kind.remedy().to_owned(),
        examples: group.examples.clone(),
    };
    groups.into_iter().map(cause).collect()
}

fn compared(before: &PreflightRow, now: &Tally) -> ComparedOut {
    let gone = mended(&before.tally, now).into_iter().map(|group| MendedOut {
        kind: group.kind.as_str().to_owned(),
        subject: group.subject.clone(),
        orders: group.orders,
    });
    ComparedOut {
        id: before.id.clone(),
        days: before.days,
        orders: before.tally.orders,
        through: before.tally.through,
        stuck: before.tally.stuck,
        stuck_per_mille: before.tally.stuck_per_mille(),
        mended: gone.collect(),
    }
}
