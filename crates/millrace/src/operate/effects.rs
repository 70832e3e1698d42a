//! Effects: changes at remote systems, how they went, and what a person decides about them.

use connect::{EffectKind, RemoteRef, Side};
use engine::effect::EffectState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, PageOut, Problem, Role, connections,
    explain::{self, ExplainOut},
    id, limit, reason,
};
use crate::db::{AttemptView, EffectDecision, EffectQuery, EffectView};

/// Which effects.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct EffectsQuery {
    /// In this state; several with commas.
    pub state: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this connection (name or id).
    pub connection: Option<String>,
    /// Only those that need a person.
    pub needs_person: bool,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// An effect in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectOut {
    /// Its id.
    pub id: String,
    /// Which connection's.
    pub connection: String,
    /// What it does.
    pub kind: String,
    /// For people.
    pub title: String,
    /// Where it stands.
    pub state: String,
    /// Why.
    pub note: String,
    /// A person is needed.
    pub needs_person: bool,
    /// Times it was tried.
    pub attempt: i64,
    /// Its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// What it is called at the remote system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When the journal looks again, while it has something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// When it was planned.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
}

impl From<EffectView> for EffectOut {
    fn from(view: EffectView) -> Self {
        let state = state(&view.state);
        Self {
            id: view.id.to_string(),
            connection: view.connection.to_string(),
            kind: view.kind.as_str().to_owned(),
            title: view.title,
            needs_person: state.is_some_and(EffectState::needs_person),
            next_at: state.is_some_and(EffectState::open).then_some(view.next_at),
            state: view.state,
            note: view.note,
            attempt: view.attempt,
            order: view.order.map(|order| order.to_string()),
            reference: view.remote.map(|remote| remote.id),
            created_at: view.created_at,
            changed_at: view.changed_at,
        }
    }
}

/// What was done once for an effect.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptOut {
    /// The effect.
    pub effect: String,
    /// `prepare`, `send`, `probe`, `decision`.
    pub what: String,
    /// The outcome in one word.
    pub outcome: String,
    /// Where the effect stood afterwards.
    pub state: String,
    /// Why.
    pub note: String,
    /// When it was written down.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// What was sent and what came back, secrets removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeOut>,
}

/// One request and its answer, secrets removed, cut to a readable length.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExchangeOut {
    /// Method and address, or what was done with a file.
    pub request: String,
    /// What was sent.
    pub request_body: String,
    /// Status of the answer; 0 where there was none.
    pub status: u16,
    /// What came back.
    pub response_body: String,
}

impl From<AttemptView> for AttemptOut {
    fn from(view: AttemptView) -> Self {
        Self {
            effect: view.effect.to_string(),
            what: view.what,
            outcome: view.outcome,
            state: view.state,
            note: view.note,
            at: view.started_at.unwrap_or(view.recorded_at),
            took_ms: view.took_ms,
            exchange: view.capture.map(|capture| ExchangeOut {
                request: capture.request,
                request_body: capture.request_body,
                status: capture.status,
                response_body: capture.response_body,
            }),
        }
    }
}

/// An effect with everything about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EffectDetailOut {
    /// As in the list.
    #[serde(flatten)]
    pub effect: EffectOut,
    /// `source` (Brightpearl) or `warehouse`.
    pub side: String,
    /// Its key: the same for every repeat.
    pub key: String,
    /// What is sent, as planned; it never alters.
    pub body: String,
    /// What was done for it, oldest first.
    pub attempts: Vec<AttemptOut>,
    /// Why it is where it is.
    pub explain: ExplainOut,
}

/// What a person says of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionName {
    /// It goes again. From *parked* the person says that it is not there.
    Retry,
    /// It is there.
    Applied,
    /// It is not wanted any more. From *parked* the person says that it is not there.
    Void,
}

/// A decision.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionIn {
    /// What is so.
    pub decision: DecisionName,
    /// For `applied`: what it is called at the remote system.
    #[serde(default)]
    pub reference: Option<String>,
    /// Why; kept in the audit trail.
    pub reason: String,
}

fn state(name: &str) -> Option<EffectState> {
    EffectState::ALL.into_iter().find(|state| state.as_str() == name)
}

/// An effect as its explanation needs it.
pub(super) fn facts<'a>(id: &'a str, view: &'a EffectView) -> Option<explain::EffectFacts<'a>> {
    let state = state(&view.state)?;
    Some(explain::EffectFacts {
        id,
        kind: view.kind,
        state,
        note: &view.note,
        next_at: state.open().then_some(view.next_at),
    })
}

fn states(query: &EffectsQuery) -> Result<Vec<EffectState>, Failure> {
    let mut states = Vec::new();
    for name in query.state.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
        states.push(state(name).ok_or_else(|| {
            let all = EffectState::ALL.map(EffectState::as_str).join(", ");
            Failure::invalid(
                format!("{} is not a state; there are: {all}", super::quoted(name)),
                vec![Problem::new("state", format!("choose among: {all}"))],
            )
        })?);
    }
    if query.needs_person && states.is_empty() {
        states.extend(EffectState::ALL.into_iter().filter(|state| state.needs_person()));
    }
    Ok(states)
}

/// The effects the caller may see, newest first.
///
/// # Errors
/// When the filter names what does not exist.
pub async fn list(hub: &Hub, caller: &Caller, query: EffectsQuery) -> Result<PageOut<EffectOut>, Failure> {
    let connection = match &query.connection {
        Some(named) => Some(connections::find(hub, caller, named).await?.connection),
        None => None,
    };
    let kind = match &query.kind {
        None => None,
        Some(name) => Some(name.parse::<EffectKind>().map_err(|error| {
            let all = EffectKind::ALL.map(EffectKind::as_str).join(", ");
            Failure::invalid(
                format!("{error}; there are: {all}"),
                vec![Problem::new("kind", format!("choose among: {all}"))],
            )
        })?),
    };
    let states = states(&query)?;
    let page = hub
        .db
        .list_effects(
            &caller.access(),
            EffectQuery { connection, states, kind, after: query.cursor, limit: limit(query.limit) },
        )
        .await?;
    Ok(PageOut { items: page.items.into_iter().map(EffectOut::from).collect(), next: page.next })
}

/// One effect with everything about it.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<EffectDetailOut, Failure> {
    let wanted = id::<connect::kind::Effect>(named)?;
    let found = hub.db.find_effect(&caller.access(), &wanted).await?;
    let attempts = hub.db.attempts(&found.key.scope, &wanted).await?;
    let explain = facts(wanted.as_str(), &found.view).map(|facts| explain::effect(&facts)).ok_or_else(|| {
        Failure::new(super::FailureKind::Internal, format!("effect {wanted} is in a state that is not known"))
    })?;
    let side = match found.view.kind.side() {
        Side::Source => "source",
        Side::Warehouse => "warehouse",
    };
    Ok(EffectDetailOut {
        side: side.to_owned(),
        key: found.view.key.clone(),
        body: found.body,
        attempts: attempts.into_iter().map(AttemptOut::from).collect(),
        explain,
        effect: EffectOut::from(found.view),
    })
}

/// A person decides about an effect.
///
/// # Errors
/// When its state does not allow it, or there is none for this caller.
pub async fn decide(hub: &Hub, caller: &Caller, named: &str, given: DecisionIn) -> Result<EffectDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    if matches!(given.decision, DecisionName::Retry) {
        // Something goes out once more (reliability.md, control 27).
        caller.proves(hub)?;
    }
    let why = reason(&given.reason)?;
    let wanted = id::<connect::kind::Effect>(named)?;
    let found = hub.db.find_effect(&caller.access(), &wanted).await?;
    let decision = match given.decision {
        DecisionName::Retry if found.view.kind == EffectKind::CorrectStock => {
            return Err(Failure::conflict("a difference of stock is never sent a second time")
                .remedy("Void it: the next count works out what is still different."));
        }
        DecisionName::Retry => EffectDecision::Retry,
        DecisionName::Void => EffectDecision::Void,
        DecisionName::Applied => {
            let reference = given.reference.as_deref().map(str::trim).unwrap_or_default();
            // What follows uses the number: a goods-out note's, for example.
            let numbered = found.view.kind.side() == Side::Source;
            if reference.is_empty() || (numbered && reference.parse::<i64>().is_err()) {
                return Err(Failure::invalid(
                    "what is there must be named by its number at the remote system",
                    vec![Problem::new("reference", "give its number, e.g. that of the goods-out note")],
                ));
            }
            EffectDecision::Applied(RemoteRef::new(reference).with("decided_by", caller.actor.as_str()))
        }
    };
    hub.db.decide(&found.key.scope, &wanted, decision, &caller.actor, why).await?;
    if let Some(runtime) = hub.workers.runtime(&found.key) {
        match found.view.kind.side() {
            Side::Source => runtime.wake.source.notify_one(),
            Side::Warehouse => runtime.wake.warehouse.notify_one(),
        }
        runtime.wake.advance.notify_one();
    }
    show(hub, caller, named).await
}
