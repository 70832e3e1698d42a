//! Drafts of the wizard that connects a store with a warehouse: what was entered so far, kept for whoever entered it.
//!
//! What a draft says is the wizard's own affair. Only its secrets are known here: they are sealed when they come in, never shown
//! again, and used when a store or warehouse is tested or made *of the draft*.

use std::collections::BTreeMap;

use connect::Secret;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, PageOut, PagingQuery, Problem,
    endpoints::{SecretIn, Side, name, opened},
};
use crate::db::{DRAFTS_KEPT, DbError, Draft, DraftOwner, DraftWork};

/// Most drafts of one person or key.
const MOST: i64 = 20;
/// Longest content, in bytes of JSON.
const LARGEST: usize = 64 * 1024;
/// Most secrets of one draft.
const MOST_SECRETS: usize = 40;
/// Longest secret, in bytes: private keys fit.
const LONGEST_SECRET: usize = 16 * 1024;

/// A draft to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DraftIn {
    /// What it is called in lists.
    pub name: String,
    /// Whatever was entered, but no secrets; at most 64 KiB.
    #[schema(value_type = Object)]
    pub content: Map<String, Value>,
    /// Secrets by side and field: `store.password`. Those that are not given stay; an empty one is removed.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    pub secrets: BTreeMap<String, SecretIn>,
}

/// A draft. Its secrets are never shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DraftOut {
    /// `dft_…`
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What was entered.
    #[schema(value_type = Object)]
    pub content: Map<String, Value>,
    /// Which secrets are set.
    pub secrets: Vec<String>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// When it goes unless it is changed before: 30 days after it was.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl DraftOut {
    fn of(draft: Draft) -> Result<Self, Failure> {
        let Draft { id, name, content, secrets, created_at, changed_at } = draft;
        let content = serde_json::from_str(&content).map_err(|error| DbError::Corrupt(error.to_string()))?;
        let expires_at = changed_at.checked_add(DRAFTS_KEPT).unwrap_or(Timestamp::MAX);
        Ok(Self { id, name, content, secrets, created_at, changed_at, expires_at })
    }
}

/// Whose drafts the caller has: the person's own, or the key's.
fn owner(caller: &Caller) -> Result<DraftOwner, Failure> {
    caller.administers()?;
    let owner = caller.signed_in.as_ref().map_or(&caller.actor, |signed_in| &signed_in.person);
    Ok(DraftOwner { tenant: caller.tenant.clone(), owner: owner.clone() })
}

fn work(given: DraftIn) -> Result<DraftWork, Failure> {
    let name = name(&given.name)?;
    let content = Value::Object(given.content).to_string();
    let secrets = opened(given.secrets);
    let mut problems = Vec::new();
    if content.len() > LARGEST {
        problems.push(Problem::new("content", "keep it below 64 KiB"));
    }
    if secrets.len() > MOST_SECRETS {
        problems.push(Problem::new("secrets", format!("give at most {MOST_SECRETS}")));
    }
    for (field, secret) in &secrets {
        let known = [Side::Store, Side::Warehouse].iter().any(|side| {
            field
                .strip_prefix(side.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|rest| !rest.is_empty())
        });
        if !known || field.len() > 100 {
            problems.push(Problem::new("secrets", "name each by side and field: store.password"));
        }
        if secret.expose().len() > LONGEST_SECRET {
            problems.push(Problem::new(format!("secrets.{field}"), "keep it below 16 KiB"));
        }
    }
    if problems.is_empty() {
        return Ok(DraftWork { name, content, secrets });
    }
    Err(Failure::invalid("the draft cannot be kept as given", problems))
}

/// The caller's own drafts, the one begun last first.
///
/// # Errors
/// When the caller may not connect anything.
pub async fn list(hub: &Hub, caller: &Caller, query: &PagingQuery) -> Result<PageOut<DraftOut>, Failure> {
    let page = hub.db.drafts(&owner(caller)?, query.cursor.clone(), query.limit()).await?;
    let items = page.items.into_iter().map(DraftOut::of).collect::<Result<_, _>>()?;
    Ok(PageOut { items, next: page.next })
}

/// One of the caller's own drafts.
///
/// # Errors
/// When there is none, or its time is over.
pub async fn show(hub: &Hub, caller: &Caller, id: &str) -> Result<DraftOut, Failure> {
    DraftOut::of(hub.db.draft(&owner(caller)?, id).await?)
}

/// Keeps a new draft.
///
/// # Errors
/// When it is too large, or the caller has too many.
pub async fn create(hub: &Hub, caller: &Caller, given: DraftIn) -> Result<DraftOut, Failure> {
    let owner = owner(caller)?;
    match hub.db.new_draft(&owner, work(given)?, MOST, &hub.keyring).await? {
        Some(id) => DraftOut::of(hub.db.draft(&owner, &id).await?),
        None => {
            Err(Failure::conflict(format!("there are {MOST} drafts already"))
                .remedy("Finish or delete one of them first."))
        }
    }
}

/// Writes a draft anew; of its secrets, those given.
///
/// # Errors
/// When there is none, its time is over, or it is too large.
pub async fn update(hub: &Hub, caller: &Caller, id: &str, given: DraftIn) -> Result<DraftOut, Failure> {
    let owner = owner(caller)?;
    DraftOut::of(hub.db.update_draft(&owner, id, work(given)?, &hub.keyring).await?)
}

/// Forgets a draft, with its secrets.
///
/// # Errors
/// When there is none.
pub async fn delete(hub: &Hub, caller: &Caller, id: &str) -> Result<(), Failure> {
    Ok(hub.db.delete_draft(&owner(caller)?, id).await?)
}

/// The secrets that a draft holds for one side, by field.
///
/// # Errors
/// When the caller has no such draft.
pub(super) async fn secrets(
    hub: &Hub,
    caller: &Caller,
    id: &str,
    side: Side,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let all = hub.db.draft_secrets(&owner(caller)?, id, &hub.keyring).await?;
    let prefix = format!("{}.", side.as_str());
    Ok(all
        .into_iter()
        .filter_map(|(field, secret)| field.strip_prefix(&prefix).map(|field| (field.to_owned(), secret)))
        .collect())
}
