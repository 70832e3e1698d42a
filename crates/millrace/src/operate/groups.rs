//! What needs a person, grouped by its cause: mended once, retried together.

use std::{cmp::Reverse, collections::BTreeMap};

use engine::alert::cause_of;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, PageOut, Role, connections,
    effects::{self, DecisionIn, DecisionName},
    entries, orders, paging, quoted,
};
use crate::db::{ConnectionKey, Trouble, TroubleKind};

/// Most that one retry takes on; the rest is left for the next.
const MOST: u32 = 1_000;

/// Retried side by side: their changes share commits.
const TOGETHER: usize = 16;

/// Examples named.
const EXAMPLES: usize = 5;

/// Which groups.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct GroupsQuery {
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// Everything that shows one cause.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupOut {
    /// The same as long as the cause is: `grp_…`.
    pub id: String,
    /// `order_error`, `order_held`, `exception`, `change_refused`, `change_unclear`.
    pub kind: String,
    /// Whose.
    pub merchant: String,
    /// Which connection's.
    pub connection: String,
    /// What they have in common: numbers are `#`, quoted names `…`.
    pub cause: String,
    /// One of them in full.
    pub example: String,
    /// How many.
    pub count: i64,
    /// Since when the oldest.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// Since when the newest.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// Ids of some: orders, exceptions or effects.
    pub examples: Vec<String>,
    /// What to do.
    pub remedy: String,
    /// All of it can be retried at once.
    pub can_retry: bool,
}

/// What a retry of a group did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupRetriedOut {
    /// Retried.
    pub retried: usize,
    /// Those that could not be, and why.
    pub failed: Vec<GroupFailureOut>,
    /// Left for the next time: one retry takes 1,000 on.
    pub left: i64,
}

/// One that could not be retried.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GroupFailureOut {
    /// Its id.
    pub id: String,
    /// Why.
    pub why: String,
}

/// A group with the reasons that belong to it, word for word.
struct Group {
    kind: TroubleKind,
    key: ConnectionKey,
    cause: String,
    troubles: Vec<Trouble>,
}

impl Group {
    fn id(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.kind.as_str(), self.key.scope.merchant.as_str(), self.key.connection.as_str(), &self.cause] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let hex: String = hash.finalize().iter().take(13).map(|byte| format!("{byte:02x}")).collect();
        format!("grp_{hex}")
    }

    fn count(&self) -> i64 {
        self.troubles.iter().map(|trouble| trouble.count).sum()
    }

    fn out(&self) -> GroupOut {
        GroupOut {
            id: self.id(),
            kind: self.kind.as_str().to_owned(),
            merchant: self.key.scope.merchant.to_string(),
            connection: self.key.connection.to_string(),
            cause: self.cause.clone(),
            example: self.troubles.first().map(|trouble| trouble.reason.clone()).unwrap_or_default(),
            count: self.count(),
            first_at: self.troubles.iter().map(|trouble| trouble.first_at).min().unwrap_or(Timestamp::UNIX_EPOCH),
            last_at: self.troubles.iter().map(|trouble| trouble.last_at).max().unwrap_or(Timestamp::UNIX_EPOCH),
            examples: self
                .troubles
                .iter()
                .flat_map(|trouble| trouble.examples.iter().cloned())
                .take(EXAMPLES)
                .collect(),
            remedy: remedy(self.kind).to_owned(),
            can_retry: can_retry(self.kind),
        }
    }
}

fn can_retry(kind: TroubleKind) -> bool {
    matches!(kind, TroubleKind::OrderError | TroubleKind::OrderHeld | TroubleKind::Refused)
}

fn remedy(kind: TroubleKind) -> &'static str {
    match kind {
        TroubleKind::OrderError => {
            "Open one of the orders: it says what failed and what to press. Mend the cause, then retry all."
        }
        TroubleKind::OrderHeld => {
            "Mend what the orders lack (a mapping, a setting, the order in Brightpearl), then retry all."
        }
        TroubleKind::Exception => {
            "Look at one; where a file or page was wrong, have the warehouse send it again. What is dealt with is resolved."
        }
        TroubleKind::Refused => "The other system says why it refused. Mend that there, then retry all.",
        TroubleKind::Unclear => {
            "Look in the other system whether it is there, one by one, and say so: nothing of it is repeated on a guess."
        }
    }
}

async fn groups(hub: &Hub, caller: &Caller) -> Result<Vec<Group>, Failure> {
    let mut groups: BTreeMap<(TroubleKind, ConnectionKey, String), Vec<Trouble>> = BTreeMap::new();
    for trouble in hub.db.troubles(&caller.access()).await? {
        let cause = cause_of(&trouble.reason);
        groups.entry((trouble.kind, trouble.key.clone(), cause)).or_default().push(trouble);
    }
    Ok(groups.into_iter().map(|((kind, key, cause), troubles)| Group { kind, key, cause, troubles }).collect())
}

/// The groups the caller may see, the largest first. One that grows past the cursor between two pages is on neither.
///
/// # Errors
/// When the filter names what does not exist, or the cursor is none of this list.
pub async fn list(hub: &Hub, caller: &Caller, query: GroupsQuery) -> Result<PageOut<GroupOut>, Failure> {
    let all = all(hub, caller, query.connection.as_deref()).await?;
    paging::page(all, (entries(query.limit), query.cursor.as_deref()), |group| (Reverse(group.count), group.id.clone()))
}

/// All of them.
///
/// # Errors
/// When the connection is none of the caller's.
pub async fn all(hub: &Hub, caller: &Caller, connection: Option<&str>) -> Result<Vec<GroupOut>, Failure> {
    let connection = match connection {
        Some(named) => Some(connections::find(hub, caller, named).await?),
        None => None,
    };
    let mut groups = groups(hub, caller).await?;
    groups.retain(|group| connection.as_ref().is_none_or(|connection| group.key == *connection));
    groups.sort_by_key(|group| Reverse(group.count()));
    Ok(groups.iter().map(Group::out).collect())
}

/// Retries all of a group.
///
/// # Errors
/// When there is none for this caller any more, or what is in it has to be looked at one by one.
pub async fn retry(hub: &Hub, caller: &Caller, named: &str) -> Result<GroupRetriedOut, Failure> {
    caller.needs(Role::Staff)?;
    let group = groups(hub, caller)
        .await?
        .into_iter()
        .find(|group| group.id() == named)
        .ok_or_else(|| Failure::not_found(format!("a group {} that needs a person", quoted(named))))?;
    if !can_retry(group.kind) {
        return Err(Failure::conflict("what is in this group cannot be retried together").remedy(remedy(group.kind)));
    }
    if group.kind.order_state().is_none() {
        // As each of them would ask.
        caller.proves(hub)?;
    }
    let reasons = group.troubles.iter().map(|trouble| trouble.reason.clone()).collect();
    let ids = hub.db.troubled(&group.key, group.kind, reasons, MOST).await?;
    let mut told = GroupRetriedOut {
        retried: 0,
        failed: Vec::new(),
        left: (group.count() - i64::try_from(ids.len()).unwrap_or(i64::MAX)).max(0),
    };
    for together in ids.chunks(TOGETHER) {
        let done = join_all(together.iter().map(|id| one(hub, caller, group.kind, id))).await;
        for (id, done) in together.iter().zip(done) {
            match done {
                Ok(()) => told.retried += 1,
                Err(failure) => told.failed.push(GroupFailureOut { id: id.clone(), why: failure.detail }),
            }
        }
    }
    Ok(told)
}

async fn one(hub: &Hub, caller: &Caller, kind: TroubleKind, id: &str) -> Result<(), Failure> {
    if kind.order_state().is_some() {
        return orders::retry(hub, caller, id).await.map(drop);
    }
    let given = DecisionIn {
        decision: DecisionName::Retry,
        reference: None,
        reason: "retried with all of its cause".to_owned(),
    };
    effects::decide(hub, caller, id, given).await.map(drop)
}
