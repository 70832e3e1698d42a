//! Who did what, what changed, and where the calls went.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Caller, EventOut, Failure, Hub, PageOut, PagingQuery};
use crate::db::AuditRow;

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
pub async fn audit(hub: &Hub, caller: &Caller, query: &PagingQuery) -> Result<PageOut<AuditOut>, Failure> {
    caller.administers()?;
    let before = query.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
    let limit = query.limit();
    let rows = hub.db.audit_before(&caller.access(), before, limit).await?;
    let next = match rows.last() {
        Some(row) if rows.len() == usize::try_from(limit).unwrap_or(usize::MAX) && row.number > 1 => {
            Some(row.number.to_string())
        }
        _ => None,
    };
    Ok(PageOut { items: rows.into_iter().map(AuditOut::from).collect(), next })
}

/// What changed after a number, oldest first.
///
/// # Errors
/// When the database cannot be reached.
pub async fn events(hub: &Hub, caller: &Caller, after: i64, limit: u32) -> Result<Vec<EventOut>, Failure> {
    let events = hub.db.events_after(&caller.access(), after, limit).await?;
    Ok(events.into_iter().map(EventOut::from).collect())
}

/// Where the calls of this process went, for the accounts the caller may see.
///
/// # Errors
/// When the database cannot be reached.
pub async fn budgets(hub: &Hub, caller: &Caller) -> Result<BTreeMap<String, BudgetOut>, Failure> {
    let own: BTreeSet<String> = hub.db.stores(&caller.access()).await?.into_iter().map(|store| store.account).collect();
    let reports = hub.workers.budgets().reports();
    Ok(reports
        .into_iter()
        .filter(|(account, _)| caller.installation || own.contains(account.rsplit(':').next().unwrap_or(account)))
        .map(|(account, report)| {
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
