//! Actions on many orders: first what would happen to each, then, by the token of that preview, the doing.

use engine::{
    bulk::{Action, Facts, outcome},
    order::OrderState,
};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, Problem, Role,
    orders::{self, OrdersQuery},
    reason,
};
use crate::db::{BulkPreview, DbError, FoundOrder, OrderQuery, OrderView, PREVIEW_KEPT};

/// Most orders of one action.
pub const MOST: usize = 1_000;

/// Orders acted on side by side: their changes share commits.
const TOGETHER: usize = 16;

/// What to do with many orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// Read again and plan anew.
    Retry,
    /// Keep from being sent; needs a reason.
    Hold,
    /// Let go on.
    Release,
    /// Put away.
    Archive,
    /// Take out again.
    Unarchive,
    /// Stop; needs a reason.
    Cancel,
}

impl From<BulkAction> for Action {
    fn from(action: BulkAction) -> Self {
        match action {
            BulkAction::Retry => Self::Retry,
            BulkAction::Hold => Self::Hold,
            BulkAction::Release => Self::Release,
            BulkAction::Archive => Self::Archive,
            BulkAction::Unarchive => Self::Unarchive,
            BulkAction::Cancel => Self::Cancel,
        }
    }
}

/// Which orders, as in their list.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BulkFilterIn {
    /// In this state; several with commas. Without, all but archived ones.
    pub state: Option<String>,
    /// With words that begin so.
    pub text: Option<String>,
    /// Of this merchant (name or id).
    pub merchant: Option<String>,
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Placed at or after.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub placed_from: Option<Timestamp>,
    /// Placed before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub placed_to: Option<Timestamp>,
    /// First imported at or after.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub imported_from: Option<Timestamp>,
    /// First imported before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub imported_to: Option<Timestamp>,
}

impl From<BulkFilterIn> for OrdersQuery {
    fn from(filter: BulkFilterIn) -> Self {
        let BulkFilterIn { state, text, merchant, connection, placed_from, placed_to, imported_from, imported_to } =
            filter;
        Self {
            state,
            text,
            merchant,
            connection,
            placed_from,
            placed_to,
            imported_from,
            imported_to,
            limit: Some(500),
            cursor: None,
        }
    }
}

/// An action to be looked at.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkIn {
    /// What to do.
    pub action: BulkAction,
    /// Why; needed to hold and to cancel.
    #[serde(default)]
    pub reason: String,
    /// These orders (ids or Brightpearl numbers), at most 1,000.
    #[serde(default)]
    pub orders: Vec<String>,
    /// Or those that a filter finds, at most 1,000.
    #[serde(default)]
    pub filter: Option<BulkFilterIn>,
}

/// What would happen.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkPreviewOut {
    /// What is to be done.
    pub action: BulkAction,
    /// To how many something would happen.
    pub would: usize,
    /// How many are refused.
    pub refused: usize,
    /// Each of them.
    pub orders: Vec<BulkOrderOut>,
    /// Give it to carry this out, once.
    pub token: String,
    /// Until then.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// What would happen to one order, or what has.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkOrderOut {
    /// As it was named, or its id.
    pub order: String,
    /// Brightpearl's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The customer's or shop's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why nothing happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// To carry a preview out.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkRunIn {
    /// Of the preview.
    pub token: String,
}

/// What was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BulkOut {
    /// What was to be done.
    pub action: BulkAction,
    /// How many it was done to.
    pub done: usize,
    /// How many were refused.
    pub refused: usize,
    /// Each of them.
    pub orders: Vec<BulkOrderOut>,
}

/// An order that a preview is about.
struct Meant {
    named: String,
    view: Option<OrderView>,
}

/// What an action would do to each order. Nothing is changed.
///
/// # Errors
/// When neither or both of orders and filter are given, there are too many, or a reason is missing.
pub async fn preview(hub: &Hub, caller: &Caller, given: BulkIn) -> Result<BulkPreviewOut, Failure> {
    caller.needs(Role::Staff)?;
    let action = Action::from(given.action);
    let why = if action.needs_reason() { reason(&given.reason)?.to_owned() } else { String::new() };
    let meant = meant(hub, caller, given.orders, given.filter).await?;
    let mut kept = Vec::new();
    let mut shown = Vec::with_capacity(meant.len());
    for Meant { named, view } in meant {
        let Some(view) = view else {
            shown.push(unknown(named));
            continue;
        };
        let told = outcome(action, facts(&view));
        if told.is_ok() {
            kept.push(view.id.to_string());
        }
        shown.push(out(&view, told.map(str::to_owned).map_err(str::to_owned)));
    }
    let mut random = [0_u8; 32];
    hub.seams.random.fill(&mut random);
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let (would, refused) = (kept.len(), shown.len() - kept.len());
    let preview = BulkPreview { action: action.as_str().to_owned(), reason: why, orders: kept };
    hub.db.keep_preview(&caller.tenant, &hash(&token), &caller.actor, preview).await?;
    let until = hub.db.now().await?.checked_add(PREVIEW_KEPT).unwrap_or(Timestamp::MAX);
    Ok(BulkPreviewOut { action: given.action, would, refused, orders: shown, token, until })
}

/// Carries out what a preview has shown, on the orders it would have happened to; each is looked at once more.
///
/// # Errors
/// When there is no such preview of this caller's, or it was carried out already.
pub async fn run(hub: &Hub, caller: &Caller, given: &BulkRunIn) -> Result<BulkOut, Failure> {
    caller.needs(Role::Staff)?;
    let taken = hub.db.take_preview(&caller.tenant, &hash(&given.token), &caller.actor).await;
    let BulkPreview { action, reason, orders } = match taken {
        Ok(preview) => preview,
        Err(DbError::NotFound(_)) => {
            return Err(Failure::not_found("a preview with this token").remedy(
                "Look at the preview again (`POST /orders/bulk/preview`): a token is good once, for half an hour, for who got it.",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let action = [
        BulkAction::Retry,
        BulkAction::Hold,
        BulkAction::Release,
        BulkAction::Archive,
        BulkAction::Unarchive,
        BulkAction::Cancel,
    ]
    .into_iter()
    .find(|known| Action::from(*known).as_str() == action)
    .ok_or_else(|| Failure::new(super::FailureKind::Internal, "the preview names no action"))?;
    let mut shown = Vec::with_capacity(orders.len());
    for together in orders.chunks(TOGETHER) {
        shown.extend(join_all(together.iter().map(|order| one(hub, caller, action.into(), order, &reason))).await);
    }
    let done = shown.iter().filter(|order| order.refused.is_none()).count();
    Ok(BulkOut { action, done, refused: shown.len() - done, orders: shown })
}

async fn one(hub: &Hub, caller: &Caller, action: Action, order: &str, reason: &str) -> BulkOrderOut {
    match act(hub, caller, action, order, reason).await {
        Ok(out) => out,
        Err(failure) => BulkOrderOut { refused: Some(failure.detail), ..unknown(order.to_owned()) },
    }
}

async fn act(hub: &Hub, caller: &Caller, action: Action, order: &str, reason: &str) -> Result<BulkOrderOut, Failure> {
    let found = hub.db.find_order(&caller.access(), order).await?;
    let before = view(hub, &found).await?;
    let told = match outcome(action, facts(&before)) {
        Ok(told) => told,
        Err(refused) => return Ok(out(&before, Err(refused.to_owned()))),
    };
    match action {
        Action::Retry => orders::retry(hub, caller, order).await?,
        Action::Hold => orders::hold(hub, caller, order, reason).await?,
        Action::Release => orders::release(hub, caller, order).await?,
        Action::Archive => orders::archive(hub, caller, order).await?,
        Action::Unarchive => orders::unarchive(hub, caller, order).await?,
        Action::Cancel => orders::cancel(hub, caller, order, reason).await?,
    };
    Ok(out(&view(hub, &found).await?, Ok(told.to_owned())))
}

async fn view(hub: &Hub, found: &FoundOrder) -> Result<OrderView, Failure> {
    Ok(hub.db.order(&found.key.scope, &found.id).await?.view)
}

/// The orders that are meant: named, or found.
async fn meant(
    hub: &Hub,
    caller: &Caller,
    named: Vec<String>,
    filter: Option<BulkFilterIn>,
) -> Result<Vec<Meant>, Failure> {
    let too_many = || {
        Failure::invalid(
            format!("more than {MOST} orders at once"),
            vec![Problem::new("filter", format!("name or find at most {MOST} orders, and do it in parts"))],
        )
    };
    match filter {
        Some(filter) if named.is_empty() => {
            let mut query = orders::asked(hub, caller, filter.into()).await?;
            let mut found = Vec::new();
            loop {
                let page = hub.db.list_orders(&caller.access(), OrderQuery { limit: 500, ..query.clone() }).await?;
                found.extend(page.items.into_iter().map(|view| Meant { named: view.id.to_string(), view: Some(view) }));
                if found.len() > MOST {
                    return Err(too_many());
                }
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => return Ok(found),
                }
            }
        }
        None if !named.is_empty() => {
            let mut names = std::collections::BTreeSet::new();
            let named: Vec<String> = named.into_iter().filter(|name| names.insert(name.clone())).collect();
            if named.len() > MOST {
                return Err(too_many());
            }
            let mut found = Vec::with_capacity(named.len());
            for named in named {
                let view = match hub.db.find_order(&caller.access(), &named).await {
                    Ok(order) => Some(view(hub, &order).await?),
                    Err(DbError::NotFound(_)) => None,
                    Err(error) => return Err(error.into()),
                };
                found.push(Meant { named, view });
            }
            Ok(found)
        }
        _ => Err(Failure::invalid(
            "either orders or a filter is needed",
            vec![Problem::new("orders", "give ids, or a filter, and not both")],
        )),
    }
}

fn facts(view: &OrderView) -> Facts {
    Facts { state: view.state, held_by_person: view.held_reason.is_some() && view.state != OrderState::Archived }
}

fn out(view: &OrderView, told: Result<String, String>) -> BulkOrderOut {
    let (outcome, refused) = match told {
        Ok(outcome) => (Some(outcome), None),
        Err(refused) => (None, Some(refused)),
    };
    BulkOrderOut {
        order: view.id.to_string(),
        number: Some(view.order_id),
        reference: Some(view.reference.clone()),
        state: Some(view.state.as_str().to_owned()),
        outcome,
        refused,
    }
}

fn unknown(named: String) -> BulkOrderOut {
    BulkOrderOut {
        order: named,
        number: None,
        reference: None,
        state: None,
        outcome: None,
        refused: Some("it does not exist".to_owned()),
    }
}

fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
