//! Cancels and changes that come after an order was sent: what is wanted of each request, and how it stands.
//!
//! How a race stands follows from facts ([`engine::race::outcome`]) and is worked out wherever one of them changes, in the same
//! transaction, like the state of the order it belongs to.

use std::{collections::BTreeMap, time::Duration};

use connect::{EffectKind, OrderId, RequestId};
use engine::{
    effect::{EffectState, later},
    race::{self, Answer, CancelStep, Outcome, Shown, What},
    settings::ConnectionSettings,
};
use jiff::Timestamp;

use super::{
    ChannelKind, R, Scope,
    facts::{self, Bundle, RequestRow, asked, scope_values},
    revise,
    sql::{Row, Tx, Value},
};

/// Requests that are wanted again as they were, and of which nothing was sent: what was asked about them before does not count
/// any more, or the cancel that ended them then would be carried out on what goes now. Their steps stay.
pub(super) async fn forget(tx: &mut Tx, scope: &Scope, requests: &[RequestId]) -> R<()> {
    if requests.is_empty() {
        return Ok(());
    }
    tx.among(
        "DELETE FROM race WHERE tenant = $1 AND merchant = $2 AND request IN (",
        ")",
        &scope_values(scope),
        requests,
    )
    .await?;
    tx.among(
        "UPDATE request SET cancel_wanted = NULL, look_at = NULL, racing = 0
         WHERE tenant = $1 AND merchant = $2 AND id IN (",
        ")",
        &scope_values(scope),
        requests,
    )
    .await?;
    Ok(())
}

/// Where a wish came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishOrigin {
    /// The order's status in the source: it can be taken back there.
    Status,
    /// The note that was the request is gone in the source.
    Note,
    /// The order's content in the source.
    Rows,
    /// A person, here.
    Person,
}

impl WishOrigin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Note => "note",
            Self::Rows => "rows",
            Self::Person => "person",
        }
    }
}

impl std::str::FromStr for WishOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Status, Self::Note, Self::Rows, Self::Person]
            .into_iter()
            .find(|origin| origin.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not an origin of a cancel or change"))
    }
}

/// How long a warehouse has to answer, and who asks it when it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// From now.
    pub within: Duration,
    /// A person, or "the staff of …".
    pub owner: String,
}

impl Patience {
    /// As a connection's settings say. Every wait of the installation is divided by `factor`.
    pub fn of(settings: &ConnectionSettings, connection: &str, factor: u32) -> Self {
        Self {
            within: settings.cancel_deadline() / factor.max(1),
            owner: settings.cancel_owner.clone().unwrap_or_else(|| format!("the staff of {connection}")),
        }
    }
}

/// A race as kept.
#[derive(Debug, Clone)]
pub(super) struct RaceRow {
    pub(super) request: RequestId,
    pub(super) order: OrderId,
    pub(super) origin: WishOrigin,
    pub(super) asked_at: Timestamp,
    pub(super) withdrawn: bool,
    pub(super) outcome_at: Timestamp,
    pub(super) shown: Shown,
}

impl RaceRow {
    /// A wish that stands: neither answered nor taken back.
    pub(super) fn waits(&self) -> bool {
        !self.withdrawn && !self.shown.outcome.answered()
    }
}

fn race_row(row: &Row) -> R<RaceRow> {
    Ok(RaceRow {
        request: row.parsed(0)?,
        order: row.parsed(1)?,
        origin: row.parsed(3)?,
        asked_at: row.time(5)?,
        withdrawn: row.flag(11)?,
        outcome_at: row.time(14)?,
        shown: Shown {
            what: row.parsed(2)?,
            why: row.string(4)?,
            deadline: row.time(6)?,
            owner: row.string(7)?,
            by_hand: row.opt_string(8)?,
            undecided: row.flag(9)?,
            resend: row.flag(10)?,
            answer: row.opt_parsed(12)?,
            outcome: row.parsed(13)?,
            words: row.string(15)?,
        },
    })
}

/// The races of these orders, by request.
pub(super) async fn load<'a>(tx: &mut Tx, scope: &Scope, orders: impl Iterator<Item = &'a OrderId>) -> R<Vec<RaceRow>> {
    let rows = tx
        .among(
            "SELECT request, order_ref, what, origin, why, asked_at, deadline, owner, by_hand, undecided, resend, withdrawn,
                 answer, outcome, outcome_at, words
             FROM race WHERE tenant = $1 AND merchant = $2 AND order_ref IN (",
            ")",
            &scope_values(scope),
            orders,
        )
        .await?;
    rows.iter().map(race_row).collect()
}

impl Bundle {
    /// How far the hub's own cancel of a request has come.
    pub(super) fn cancel_step(&self, request: &RequestRow) -> CancelStep {
        let of_request = |kind| {
            self.effects.iter().find(move |effect| effect.kind == kind && effect.request.as_ref() == Some(&request.id))
        };
        let Some(effect) = of_request(EffectKind::CancelRequest) else { return CancelStep::None };
        // A connector whose cancels can end otherwise than in a yes says so in the fact `outcome`.
        let said = effect.remote.as_ref().and_then(|remote| remote.facts.get("outcome")).map(String::as_str);
        match (effect.state, said) {
            (EffectState::Applied | EffectState::Voided, Some("too_late")) => CancelStep::TooLate,
            (EffectState::Applied, Some("partly")) => CancelStep::Partly,
            (EffectState::Applied, None | Some("accepted")) => CancelStep::Accepted,
            // It was not told after all.
            (EffectState::Applied, Some("asked")) if effect.turned_down.is_some() => {
                match self.races.get(&request.id).is_some_and(|race| race.withdrawn) {
                    true => CancelStep::None,
                    false => CancelStep::Stuck,
                }
            }
            // Told, and not answered: what the warehouse does is the answer.
            (EffectState::Applied, Some("asked")) => CancelStep::Open,
            (EffectState::Planned | EffectState::NotSent | EffectState::Voided, _) => CancelStep::None,
            (EffectState::Armed | EffectState::Unknown | EffectState::Probing | EffectState::AbsentConfirmed, _) => {
                CancelStep::Open
            }
            (
                EffectState::Applied
                | EffectState::Refused
                | EffectState::Conflict
                | EffectState::Superseded
                | EffectState::Parked,
                _,
            ) => CancelStep::Stuck,
        }
    }

    fn race_facts(&self, request: &RequestRow, race: &RaceRow, now: Timestamp) -> race::Facts {
        race::Facts {
            asked_at: race.asked_at,
            // Nobody has asked the warehouse yet, so it cannot be silent.
            deadline: if race.shown.undecided { Timestamp::MAX } else { race.shown.deadline },
            now,
            withdrawn: race.withdrawn,
            submit: match self.submit(request) {
                // A wish of before that was known stays what it was: it may have been the answer to it.
                Some(submit) if submit.turned_down.is_some_and(|at| at <= race.asked_at) => EffectState::Refused,
                Some(submit) => submit.state,
                None => EffectState::Planned,
            },
            cancel: self.cancel_step(request),
            cancelled_there: request.cancelled_by_warehouse,
            finished: request.finished,
            asked: asked(&request.lines),
            shipped: self.shipped(request),
            answer: race.shown.answer,
            before: race.shown.outcome,
        }
    }
}

/// Works out anew how the races of these orders stand, keeps what changed, and does what follows: a request that is to go
/// again and was cancelled is retired, so that import plans it under a fresh key.
pub(super) async fn settle(tx: &mut Tx, scope: &Scope, bundles: &mut BTreeMap<OrderId, Bundle>) -> R<()> {
    let now = tx.now;
    for bundle in bundles.values_mut() {
        let mut changed = Vec::new();
        for request in &bundle.requests {
            let Some(race) = bundle.races.get(&request.id) else { continue };
            let (outcome, words) = race::outcome(&bundle.race_facts(request, race, now));
            let words = words.unwrap_or(&race.shown.words).to_owned();
            if outcome != race.shown.outcome {
                changed.push((request.id.clone(), outcome, words));
            }
        }
        for (id, outcome, words) in changed {
            keep_outcome(tx, scope, bundle, &id, outcome, words).await?;
        }
    }
    Ok(())
}

async fn keep_outcome(
    tx: &mut Tx,
    scope: &Scope,
    bundle: &mut Bundle,
    id: &RequestId,
    outcome: Outcome,
    words: String,
) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    let Some(race) = bundle.races.get_mut(id) else { return Ok(()) };
    let done = tx
        .execute(
            "UPDATE race SET outcome = $4, outcome_at = $5, words = $6
             WHERE tenant = $1 AND merchant = $2 AND request = $3 AND outcome = $7",
            &[
                tenant.clone(),
                merchant.clone(),
                id.into(),
                outcome.as_str().into(),
                now.into(),
                (&words).into(),
                race.shown.outcome.as_str().into(),
            ],
        )
        .await?;
    if done == 0 {
        // Somebody else has just worked it out from newer facts.
        return Ok(());
    }
    race.shown.outcome = outcome;
    race.shown.words.clone_from(&words);
    race.outcome_at = now;
    let (order, what, resend) = (race.order.clone(), race.shown.what, race.shown.resend);
    let by_word = race.shown.answer.is_some();
    step(tx, scope, id, outcome.as_str(), "", &words).await?;
    tx.event("order", order.as_str(), format!("{}_{outcome}", what.as_str()));
    let never_had = outcome == Outcome::Accepted
        && bundle.requests.iter().any(|request| request.id == *id && bundle.turned_down(request));
    let Some(request) = bundle.requests.iter_mut().find(|request| request.id == *id) else { return Ok(()) };
    if outcome.answered() {
        let ends = matches!(outcome, Outcome::Accepted | Outcome::Partly);
        tx.execute(
            "UPDATE request SET look_at = NULL, ended_at = CASE WHEN $5 = 1 THEN $4 ELSE ended_at END,
                 freed_at = CASE WHEN $5 = 1 THEN COALESCE(freed_at, $4) ELSE freed_at END
             WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant.clone(), merchant.clone(), id.into(), now.into(), i64::from(ends).into()],
        )
        .await?;
        request.look_at = None;
    }
    if (matches!(outcome, Outcome::TooLate | Outcome::Partly) || never_had) && request.cancel_wanted.is_some() {
        // The normal flow goes on, or the warehouse never had it.
        tx.execute(
            "UPDATE request SET cancel_wanted = NULL WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant.clone(), merchant.clone(), id.into()],
        )
        .await?;
        request.cancel_wanted = None;
    }
    let live = request.live;
    if outcome == Outcome::Accepted && !by_word {
        // Refused for good, and now by what it was about. A person's word for it may still be put right.
        tx.execute(
            "UPDATE effect SET state = 'voided', fence = fence + 1, note = $4, changed_at = $5
             WHERE tenant = $1 AND merchant = $2 AND request_ref = $3 AND kind = $6 AND state = 'refused'",
            &[
                tenant,
                merchant,
                id.into(),
                "the warehouse has cancelled the order".into(),
                now.into(),
                EffectKind::ReleaseRequest.as_str().into(),
            ],
        )
        .await?;
    }
    if outcome == Outcome::Accepted && live {
        if resend {
            retire(tx, scope, bundle, id, "").await?;
        }
        revise::renew_claims(tx, scope, bundle, id).await?;
    }
    facts::flag(tx, scope, &[id.clone()].into()).await
}

/// Puts a request that the warehouse has cancelled out of the way of a fresh one, and has its order looked at.
pub(super) async fn retire(tx: &mut Tx, scope: &Scope, bundle: &mut Bundle, id: &RequestId, actor: &str) -> R<()> {
    let Some(request) = bundle.requests.iter_mut().find(|request| request.id == *id) else { return Ok(()) };
    request.live = false;
    request.retired = true;
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    tx.execute(
        "UPDATE request SET live = 0, retired = 1, flagged = 0, look_at = NULL, version = version + 1, ended_at = $4,
             freed_at = COALESCE(freed_at, $4)
         WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[tenant.clone(), merchant.clone(), id.into(), now.into()],
    )
    .await?;
    // Import takes the order up whatever the scan says of it.
    tx.execute(
        "UPDATE orders SET seen = '' WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[tenant.clone(), merchant.clone(), (&request.order).into()],
    )
    .await?;
    tx.execute(
        "UPDATE channel SET wanted_at = $4 WHERE tenant = $1 AND merchant = $2 AND kind = $5 AND connection =
             (SELECT r.connection FROM request AS r WHERE r.tenant = $1 AND r.merchant = $2 AND r.id = $3)",
        &[tenant, merchant, id.into(), now.into(), ChannelKind::Orders.as_str().into()],
    )
    .await?;
    tx.wakes.work = true;
    step(tx, scope, id, "again", actor, "it is asked for again under a fresh key").await
}

/// A wish as it is written down.
pub(super) struct Wish<'a> {
    pub(super) what: What,
    pub(super) origin: WishOrigin,
    pub(super) why: &'a str,
    pub(super) undecided: bool,
    pub(super) resend: bool,
    pub(super) actor: &'a str,
}

/// Writes a wish about one request down: a new race, or a new one in the place of one that was withdrawn or is of another kind.
pub(super) async fn ask(
    tx: &mut Tx,
    scope: &Scope,
    request: &RequestRow,
    wish: &Wish<'_>,
    patience: &Patience,
) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    let deadline = later(now, patience.within);
    tx.execute(
        "INSERT INTO race (tenant, merchant, request, order_ref, what, origin, why, asked_at, deadline, owner, by_hand,
             undecided, resend, withdrawn, answer, outcome, outcome_at, words)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, $11, $12, 0, NULL, 'pending', $8, '')
         ON CONFLICT (tenant, merchant, request) DO UPDATE SET what = excluded.what, origin = excluded.origin,
             why = excluded.why, asked_at = excluded.asked_at, deadline = excluded.deadline, owner = excluded.owner,
             by_hand = NULL, undecided = excluded.undecided, resend = excluded.resend, withdrawn = 0, answer = NULL,
             outcome = 'pending', outcome_at = excluded.outcome_at, words = ''",
        &[
            tenant.clone(),
            merchant.clone(),
            (&request.id).into(),
            (&request.order).into(),
            wish.what.as_str().into(),
            wish.origin.as_str().into(),
            wish.why.into(),
            now.into(),
            deadline.into(),
            (&patience.owner).into(),
            wish.undecided.into(),
            wish.resend.into(),
        ],
    )
    .await?;
    let (cancel_wanted, look_at) =
        if wish.undecided { (Value::Text(None), Value::Int(None)) } else { (wish.why.into(), deadline.into()) };
    tx.execute(
        "UPDATE request SET racing = 1, cancel_wanted = $4, look_at = $5
         WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[tenant, merchant, (&request.id).into(), cancel_wanted, look_at],
    )
    .await?;
    step(tx, scope, &request.id, "asked", wish.actor, wish.why).await?;
    facts::flag(tx, scope, &[request.id.clone()].into()).await
}

/// One line of a race's history. `actor` is empty for the program itself.
pub(super) async fn step(
    tx: &mut Tx,
    scope: &Scope,
    request: &RequestId,
    step: &str,
    actor: &str,
    words: &str,
) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    tx.execute(
        "INSERT INTO race_step (tenant, merchant, request, number, at, step, actor, words)
         SELECT $1, $2, $3, count(*) + 1, $4, $5, $6, $7 FROM race_step
         WHERE tenant = $1 AND merchant = $2 AND request = $3",
        &[tenant, merchant, request.into(), now.into(), step.into(), actor.into(), words.into()],
    )
    .await?;
    Ok(())
}

/// What a person was told, as kept.
pub(super) fn answer_name(answer: Answer) -> &'static str {
    answer.outcome().as_str()
}
