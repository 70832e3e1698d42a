//! What was told to webhooks and alert channels, how each try went, and having it told again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, Hub, PageOut, Problem, Role, alert_channels, limit, outlets, quoted};
use crate::{
    db::{Access, Delivery, DeliveryAttempt, DeliveryState, Outlet, Scope},
    notify,
};

/// Which deliveries.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// `waiting`, `delivered` or `failed`.
    pub state: Option<String>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// One message to a webhook or alert channel.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryOut {
    /// Its id; the receiver sees it as `webhook-id`, the same with each try.
    pub id: String,
    /// To which webhook or alert channel.
    pub to: String,
    /// Id of the event it tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What it tells of: a kind of event, `alert` or `test`.
    pub kind: String,
    /// `waiting`, `delivered`, `failed`.
    pub state: String,
    /// Tries since it was last made to go.
    pub tries: u32,
    /// When it goes (again).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was taken or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// One try.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryAttemptOut {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Milliseconds it took.
    pub took_ms: i64,
    /// HTTP status, where an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The beginning of the answer.
    pub answer: String,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A delivery with what is sent and every try.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryDetailOut {
    /// The delivery.
    pub delivery: DeliveryOut,
    /// What is sent.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// Every try, oldest first.
    pub attempts: Vec<DeliveryAttemptOut>,
}

/// Which events to tell again.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayIn {
    /// From this moment.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until this one; until now where not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// What goes again.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplayedOut {
    /// How many events.
    pub events: usize,
}

impl From<Delivery> for DeliveryOut {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            to: delivery.outlet,
            event: delivery.event.map(|event| event.to_string()),
            kind: delivery.kind,
            state: delivery.state.as_str().to_owned(),
            tries: delivery.tries,
            next_at: (delivery.state == DeliveryState::Waiting).then_some(delivery.next_at),
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

impl From<DeliveryAttempt> for DeliveryAttemptOut {
    fn from(attempt: DeliveryAttempt) -> Self {
        let DeliveryAttempt { at, took_ms, status, answer, problem } = attempt;
        Self { at, took_ms, status, answer, problem }
    }
}

/// The deliveries of a webhook, newest first.
///
/// # Errors
/// When there is none for this caller, or the state is not one.
pub async fn of_webhook(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    query: &DeliveriesQuery,
) -> Result<PageOut<DeliveryOut>, Failure> {
    list(hub, caller, &outlets::find(hub, caller, named).await?, query).await
}

/// The deliveries of an alert channel, newest first.
///
/// # Errors
/// As [`of_webhook`].
pub async fn of_channel(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    query: &DeliveriesQuery,
) -> Result<PageOut<DeliveryOut>, Failure> {
    list(hub, caller, &alert_channels::find(hub, caller, named).await?, query).await
}

async fn list(
    hub: &Hub,
    caller: &Caller,
    outlet: &Outlet,
    query: &DeliveriesQuery,
) -> Result<PageOut<DeliveryOut>, Failure> {
    let state = match query.state.as_deref() {
        None => None,
        Some(text) => Some(text.parse::<DeliveryState>().map_err(|_| {
            Failure::invalid(
                format!("{} is not a state of a delivery; there are: waiting, delivered, failed", quoted(text)),
                Vec::new(),
            )
        })?),
    };
    let limit = limit(query.limit);
    let page = hub.db.list_deliveries(&caller.access(), &outlet.id, state, query.cursor.as_deref(), limit).await?;
    Ok(PageOut { items: page.items.into_iter().map(DeliveryOut::from).collect(), next: page.next })
}

/// One delivery with what is sent and every try.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, id: &str) -> Result<DeliveryDetailOut, Failure> {
    let (delivery, attempts) = hub.db.delivery(&caller.access(), id).await?;
    let body = serde_json::from_str(&delivery.body).unwrap_or_default();
    let attempts = attempts.into_iter().map(DeliveryAttemptOut::from).collect();
    Ok(DeliveryDetailOut { delivery: delivery.into(), body, attempts })
}

/// Has one delivery go again, now.
///
/// # Errors
/// When the caller may not, or there is none.
pub async fn replay(hub: &Hub, caller: &Caller, id: &str) -> Result<DeliveryOut, Failure> {
    caller.needs(Role::Staff)?;
    Ok(hub.db.replay_delivery(&caller.access(), id, &caller.actor).await?.into())
}

/// Has a webhook told again of everything it wants of a time, whether it was told before or not.
///
/// # Errors
/// When the caller may not, there is none, or the time makes no sense.
pub async fn replay_range(hub: &Hub, caller: &Caller, named: &str, given: &ReplayIn) -> Result<ReplayedOut, Failure> {
    /// Events read at one time.
    const SLICE: u32 = 500;
    caller.needs(Role::Staff)?;
    let webhook = outlets::find(hub, caller, named).await?;
    let until = match given.until {
        Some(until) => until,
        None => hub.db.now().await?,
    };
    if given.from >= until {
        return Err(Failure::invalid(
            "the time to replay ends before it begins",
            vec![Problem::new("from", "give a moment before `until`")],
        ));
    }
    let own = match &webhook.merchant {
        Some(merchant) => Access::Merchant(Scope { tenant: caller.tenant.clone(), merchant: merchant.clone() }),
        None => Access::Tenant(caller.tenant.clone()),
    };
    let (mut after, mut count) = (0, 0);
    loop {
        let events = hub.db.events_between(&own, given.from, until, after, SLICE).await?;
        let Some(last) = events.last().map(|event| event.number) else { break };
        after = last;
        let tellings = notify::tellings(&webhook, events);
        if !tellings.is_empty() {
            count += hub.db.replay_events(&caller.access(), &webhook.id, tellings, &caller.actor).await?;
        }
    }
    Ok(ReplayedOut { events: count })
}

/// Has a test sent to a webhook.
///
/// # Errors
/// When the caller may not, or there is none.
pub async fn test_webhook(hub: &Hub, caller: &Caller, named: &str) -> Result<DeliveryOut, Failure> {
    caller.needs(Role::Staff)?;
    test(hub, caller, &outlets::find(hub, caller, named).await?).await
}

/// Has a test sent to an alert channel.
///
/// # Errors
/// When the caller may not, or there is none.
pub async fn test_channel(hub: &Hub, caller: &Caller, named: &str) -> Result<DeliveryOut, Failure> {
    caller.needs(Role::Staff)?;
    test(hub, caller, &alert_channels::find(hub, caller, named).await?).await
}

async fn test(hub: &Hub, caller: &Caller, outlet: &Outlet) -> Result<DeliveryOut, Failure> {
    if !outlet.enabled {
        return Err(Failure::conflict(format!("{} is switched off", outlet.name)).remedy("Switch it on, then test it."));
    }
    let body = notify::message::of_test(hub.db.now().await?);
    Ok(hub.db.add_delivery(&caller.access(), &outlet.id, "test", body).await?.into())
}
