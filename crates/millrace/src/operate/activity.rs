//! Who did what, what changed, and where the calls went.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, EventOut, Failure, FailureKind, Hub, PageOut, limit};
use crate::db::{self, AuditRow};

/// Which rows of the audit trail. What is a text finds whatever begins so.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Who: a person's id or e-mail address, a key's id, or what the name in the trail begins with (`person`, `command line`).
    pub actor: Option<String>,
    /// What, or what it begins with: `order.hold`, or `order.` for everything that is done with orders.
    pub action: Option<String>,
    /// On what: an id, or what it begins with (`con_` for every connection).
    pub target: Option<String>,
    /// At or after.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Before.
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// One thing somebody did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditOut {
    /// From 1, without gaps.
    pub number: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub target: String,
    /// Further facts.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
    /// Covers this row and the one before.
    pub hash: String,
}

impl From<AuditRow> for AuditOut {
    fn from(row: AuditRow) -> Self {
        let AuditRow { number, at, actor, action, target, detail, hash } = row;
        let detail = serde_json::from_str(&detail).unwrap_or(serde_json::Value::String(detail));
        Self { number, at, actor, action, target, detail, hash }
    }
}

/// One thing somebody did with what it is shown with. Without its place in the trail, which counts what is done with everything of the
/// tenant: whoever sees one brand only is not told that.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeedOut {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// Further facts.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

impl From<AuditRow> for DeedOut {
    fn from(row: AuditRow) -> Self {
        let AuditOut { at, actor, action, detail, .. } = row.into();
        Self { at, actor, action, detail }
    }
}

/// Where the calls to one remote account went.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BudgetOut {
    /// Most calls in any window.
    pub limit: u32,
    /// Calls since this process started, by purpose.
    pub calls: BTreeMap<String, u64>,
    /// Calls the remote system still allowed when it last said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// Calls that others made, as far as the answers show.
    pub foreign_calls: u64,
    /// Throttle answers received.
    pub throttled: u64,
    /// Calls waiting now.
    pub waiting: usize,
}

/// The audit trail of the caller's tenant, newest first.
///
/// # Errors
/// When the caller may not see it.
pub async fn audit(hub: &Hub, caller: &Caller, query: AuditQuery) -> Result<PageOut<AuditOut>, Failure> {
    caller.administers()?;
    let text = |text: Option<String>| text.unwrap_or_default().trim().to_owned();
    let limit = limit(query.limit);
    let asked = db::AuditQuery {
        actor: actor(hub, caller, text(query.actor)).await?,
        action: text(query.action),
        target: text(query.target),
        from: query.from,
        to: query.to,
        before: query.cursor.and_then(|cursor| cursor.parse().ok()),
        // One more tells whether there is a next page.
        limit: limit + 1,
    };
    let mut rows = hub.db.list_audit(&caller.access(), asked).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = if more { rows.last().map(|row| row.number.to_string()) } else { None };
    Ok(PageOut { items: rows.into_iter().map(AuditOut::from).collect(), next })
}

/// How the trail names whoever is meant: people and keys by their ids, whatever they were called then.
async fn actor(hub: &Hub, caller: &Caller, named: String) -> Result<String, Failure> {
    if named.starts_with("key_") {
        return Ok(format!("key {named}"));
    }
    if named.starts_with("per_") {
        return Ok(format!("person {named}"));
    }
    if !named.contains('@') {
        return Ok(named);
    }
    match hub.db.person(&caller.tenant, &named).await.map_err(Failure::from) {
        Ok(person) => Ok(format!("person {}", person.id)),
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(named),
        Err(failure) => Err(failure),
    }
}

/// What changed after a place ([`Database::event_number`](db::Database::event_number)), oldest first, and the place to go on from.
///
/// # Errors
/// When the database cannot be reached.
pub async fn events(hub: &Hub, caller: &Caller, after: i64, limit: u32) -> Result<(Vec<EventOut>, i64), Failure> {
    let events = hub.db.events_after(&caller.access(), after, limit).await?;
    let reached = events.last().map_or(after, |event| event.number);
    Ok((events.into_iter().map(EventOut::from).collect(), reached))
}

/// Where the calls of this process went, for the accounts of the caller's tenant; for who sees some of its merchants only, those of
/// their stores.
///
/// # Errors
/// When the database cannot be reached.
pub async fn budgets(hub: &Hub, caller: &Caller) -> Result<BTreeMap<String, BudgetOut>, Failure> {
    let own: BTreeSet<String> = hub.db.stores(&caller.access()).await?.into_iter().map(|store| store.account).collect();
    // An account that was tried once, perhaps mistyped, and is no store's is nobody's budget. Warehouses serve several merchants.
    let sees = |account: &str| match account.strip_prefix("brightpearl:") {
        Some(code) => own.contains(&code.to_lowercase()),
        None => caller.merchants.is_none(),
    };
    let reports = hub.workers.budgets().reports();
    Ok(reports
        .into_iter()
        .filter(|((owner, account), _)| owner == caller.tenant.as_str() && sees(account))
        .map(|((_, account), report)| {
            let calls = report.calls.into_iter().map(|(purpose, calls)| (purpose.to_owned(), calls)).collect();
            let budget = BudgetOut {
                limit: report.limit,
                calls,
                remaining: report.remaining,
                foreign_calls: report.foreign_calls,
                throttled: report.throttled,
                waiting: report.waiting,
            };
            (account, budget)
        })
        .collect())
}
