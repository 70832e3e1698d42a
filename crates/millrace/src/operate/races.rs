//! Cancels and changes that come after an order was sent: how they stand, and what people do about them.

use connect::WarehouseFeature;
use engine::race::Answer;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, Role,
    orders::{OrderOut, after},
    reason, switches,
};
use crate::db::{ChannelKind, ConnectionKey, Patience, RaceView};

/// A cancel or change that came after a request was sent.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RaceOut {
    /// `cancel` or `change`.
    pub what: String,
    /// What was noticed.
    pub why: String,
    /// `pending`; `accepted` (nothing will ship), `too_late` (it has left or is being picked), `partly` (some left, the rest will
    /// not), `silent` (no answer before the deadline), `withdrawn` (taken back in time).
    pub outcome: String,
    /// The same in a sentence.
    pub told: String,
    /// Whether a person is needed.
    pub needs_person: bool,
    /// When it was noticed.
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    /// Without an answer by then the warehouse counts as silent.
    #[schema(value_type = String, format = DateTime)]
    pub deadline: Timestamp,
    /// When the outcome last changed.
    #[schema(value_type = String, format = DateTime)]
    pub outcome_at: Timestamp,
    /// Who asks a silent warehouse.
    pub owner: String,
    /// The warehouse takes no cancel from Millrace: what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<String>,
    /// What a person was told by the warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What became of it, oldest first.
    pub steps: Vec<RaceStepOut>,
}

/// One line of the history of a cancel or change.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RaceStepOut {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `asked`, `by_hand`, `withdrawn`, `answered`, `decided`, `again`, or an outcome.
    pub step: String,
    /// Who; empty for Millrace itself.
    pub actor: String,
    /// For people.
    pub words: String,
}

impl From<RaceView> for RaceOut {
    fn from(view: RaceView) -> Self {
        let RaceView { shown, asked_at, outcome_at, withdrawn: _, steps } = view;
        Self {
            what: shown.what.as_str().to_owned(),
            outcome: shown.outcome.as_str().to_owned(),
            told: shown.told(),
            needs_person: shown.needs_person(),
            asked_at,
            deadline: shown.deadline,
            outcome_at,
            answer: shown.answer.map(|answer| answer.outcome().as_str().to_owned()),
            why: shown.why,
            owner: shown.owner,
            by_hand: shown.by_hand,
            steps: steps
                .into_iter()
                .map(|step| RaceStepOut { at: step.at, step: step.step, actor: step.actor, words: step.words })
                .collect(),
        }
    }
}

/// The warehouse's answer, as a person was told it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerIn {
    /// `accepted`: it is stopped there and nothing will ship. `too_late`: it ships as it was sent. `partly`: some ships, the rest
    /// does not.
    #[schema(value_type = String)]
    pub answer: Answer,
    /// Who said so, and how.
    pub reason: String,
}

/// Records the warehouse's answer to a cancel or change.
///
/// # Errors
/// When there is no such order for this caller, none of its cancels or changes waits for an answer, or the warehouse can be
/// read: then its own state decides whether it has cancelled.
pub async fn answer(hub: &Hub, caller: &Caller, named: &str, given: &AnswerIn) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    let why = reason(&given.reason)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    if given.answer == Answer::Accepted {
        let connection = hub.workers.build(&found.key).await.map_err(|error| Failure::conflict(error.to_string()))?;
        let features = connection.warehouse.features();
        // Two orders of the same goods could be alive there if the word were wrong.
        if features.contains(&WarehouseFeature::Cancel) && !features.contains(&WarehouseFeature::CancelUnanswered) {
            return Err(Failure::conflict("this warehouse can be read, and does not show the order as cancelled").remedy(
                "Have it cancelled there: Millrace takes that in by itself. If it ships after all, record that it is too late.",
            ));
        }
    }
    hub.db.record_answer(&found.key, found.order_id, given.answer, why, &caller.actor).await?;
    wake(hub, &found.key);
    after(hub, &found).await
}

/// Cancels an order at the warehouse and sends it again as it now stands, once the warehouse has cancelled what it has.
///
/// # Errors
/// When there is no such order for this caller, nothing of it is at the warehouse, or something of it has left.
pub async fn resend(hub: &Hub, caller: &Caller, named: &str, why: &str) -> Result<OrderOut, Failure> {
    caller.needs(Role::Staff)?;
    caller.proves(hub)?;
    let why = reason(why)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    let patience = patience(hub, &found.key).await?;
    hub.db.send_again(&found.key, found.order_id, why, &caller.actor, &patience).await?;
    switches::want(hub, &found.key, ChannelKind::Orders, None).await?;
    wake(hub, &found.key);
    after(hub, &found).await
}

/// How long the warehouse of a connection has to answer, and who asks it then.
pub(super) async fn patience(hub: &Hub, key: &ConnectionKey) -> Result<Patience, Failure> {
    let connection = hub.db.connection(key, &hub.keyring).await?;
    let factor = hub.config.waits.factor.max(1);
    Ok(Patience::of(&connection.settings, &connection.name, factor))
}

pub(super) fn wake(hub: &Hub, key: &ConnectionKey) {
    if let Some(runtime) = hub.workers.runtime(key) {
        runtime.wake.advance.notify_one();
    }
}
