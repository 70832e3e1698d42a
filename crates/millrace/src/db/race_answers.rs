//! What import and people say about orders that were sent: changed, taken back, answered, to be sent again.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, EffectKind, OrderId, RequestId};
use engine::{
    change::{Difference, Follows, Sent},
    effect::{EffectState, later},
    race::{Answer, CancelStep, Outcome, What},
    settings::OnChange,
};
use jiff::Timestamp;

use super::{
    ConnectionKey, Database, DbError, R, RaceStepView, Scope, audit,
    effects::{self, key_values},
    facts::{self, Bundle, RequestRow, asked, row_units, scope_values},
    races::{self, Patience, RaceRow, Wish, WishOrigin, answer_name},
    sql::Tx,
};

/// A request that may be at the warehouse and is not over, as it is compared with the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    /// What was sent.
    pub sent: Sent,
    /// A cancel that came from the order's status is wanted: when the status moves back, it is taken back.
    pub cancelled_by_status: bool,
}

/// The history of these requests' races, oldest first.
pub(super) async fn steps<'a>(
    tx: &mut Tx,
    scope: &Scope,
    requests: impl Iterator<Item = &'a RequestId>,
) -> R<BTreeMap<RequestId, Vec<RaceStepView>>> {
    let rows = tx
        .among(
            "SELECT request, at, step, actor, words, number FROM race_step
             WHERE tenant = $1 AND merchant = $2 AND request IN (",
            ")",
            &scope_values(scope),
            requests,
        )
        .await?;
    let mut found: BTreeMap<RequestId, BTreeMap<i64, RaceStepView>> = BTreeMap::new();
    for row in &rows {
        let step =
            RaceStepView { at: row.time(1)?, step: row.string(2)?, actor: row.string(3)?, words: row.string(4)? };
        found.entry(row.parsed(0)?).or_default().insert(row.int(5)?, step);
    }
    Ok(found.into_iter().map(|(request, steps)| (request, steps.into_values().collect())).collect())
}

/// The order's own id and everything that hangs on it.
async fn order_bundle(tx: &mut Tx, key: &ConnectionKey, order_id: i64) -> R<(OrderId, Bundle)> {
    let missing = || DbError::NotFound(format!("order {order_id}"));
    let id = super::orders::ids(tx, key, &[order_id]).await?.remove(&order_id).ok_or_else(missing)?;
    let mut bundles = facts::load(tx, &key.scope, &BTreeSet::from([id.clone()])).await?;
    Ok((id.clone(), bundles.remove(&id).unwrap_or_default()))
}

/// Requests that may be at the warehouse and of which something may still change.
fn open(bundle: &Bundle) -> impl Iterator<Item = &RequestRow> {
    bundle.requests.iter().filter(|request| {
        request.live && bundle.sent(request) && !bundle.cancelled(request) && !bundle.complete(request)
    })
}

/// Takes back what can be: a cancel that has not been sent is not sent. One that is on its way or known to the warehouse may
/// still be accepted; then what is wanted goes again.
async fn withdraw(tx: &mut Tx, key: &ConnectionKey, bundle: &Bundle, request: &RequestRow, words: &str) -> R<()> {
    let cancels: Vec<EffectId> = bundle
        .effects
        .iter()
        .filter(|effect| {
            effect.kind == EffectKind::CancelRequest
                && effect.request.as_ref() == Some(&request.id)
                && matches!(effect.state, EffectState::Planned | EffectState::NotSent)
        })
        .map(|effect| effect.id.clone())
        .collect();
    effects::void_unsent(tx, key, &cancels, "the cancel was taken back").await?;
    let [tenant, merchant] = scope_values(&key.scope);
    tx.execute(
        "UPDATE race SET withdrawn = 1, resend = 1, undecided = 0 WHERE tenant = $1 AND merchant = $2 AND request = $3",
        &[tenant.clone(), merchant.clone(), (&request.id).into()],
    )
    .await?;
    tx.execute(
        "UPDATE request SET cancel_wanted = NULL, look_at = NULL WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[tenant, merchant, (&request.id).into()],
    )
    .await?;
    races::step(tx, &key.scope, &request.id, "withdrawn", "", words).await?;
    facts::flag(tx, &key.scope, &BTreeSet::from([request.id.clone()])).await
}

impl Database {
    /// What was sent of an order and is not over, as it is compared with the source.
    pub async fn sent_requests(&self, key: &ConnectionKey, order_id: i64) -> R<Vec<SentRequest>> {
        let key = key.clone();
        self.read(&key.clone(), "sent_requests", move |tx| {
            Box::pin(async move {
                let (_, bundle) = order_bundle(tx, &key, order_id).await?;
                let by_status = |race: &RaceRow| {
                    race.shown.what == What::Cancel && race.origin == WishOrigin::Status && !race.withdrawn
                };
                Ok(bundle
                    .requests
                    .iter()
                    .filter(|request| request.live && bundle.sent(request))
                    .filter_map(|request| {
                        let cancelled_by_status = bundle.races.get(&request.id).is_some_and(by_status);
                        let over = bundle.cancelled(request) || bundle.complete(request);
                        (!over || cancelled_by_status).then(|| SentRequest {
                            sent: Sent {
                                key: request.key.clone(),
                                note_id: request.note_id,
                                rows: row_units(&request.lines),
                                ship_to: request.ship_to.clone(),
                                left: bundle.shipments_of(request).next().is_some(),
                            },
                            cancelled_by_status,
                        })
                    })
                    .collect())
            })
        })
        .await
    }

    /// The order's status moved back from *cancelled*. What the warehouse had not been asked yet is not asked any more; what it
    /// has cancelled is retired. Whether nothing of the order is at the warehouse now, so that it is planned anew. A cancel that was
    /// asked for after `as_of`, when the order was read, is newer than that status and stays.
    pub async fn take_back_cancel(&self, key: &ConnectionKey, order_id: i64, as_of: Timestamp) -> R<bool> {
        let key = key.clone();
        self.write(&key.clone(), "take_back_cancel", move |tx| {
            Box::pin(async move {
                let (order, mut bundle) = order_bundle(tx, &key, order_id).await?;
                let asked: Vec<RequestRow> = bundle
                    .requests
                    .iter()
                    .filter(|request| {
                        request.live
                            && bundle.races.get(&request.id).is_some_and(|race| {
                                race.shown.what == What::Cancel
                                    && race.origin == WishOrigin::Status
                                    && !race.withdrawn
                                    && race.asked_at <= as_of
                            })
                    })
                    .cloned()
                    .collect();
                for request in &asked {
                    withdraw(tx, &key, &bundle, request, "the order was taken up again in Brightpearl").await?;
                    if bundle.cancelled(request) {
                        races::retire(tx, &key.scope, &mut bundle, &request.id, "").await?;
                    }
                }
                let there = bundle.requests.iter().any(|request| request.live && bundle.sent(request));
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await?;
                Ok(!asked.is_empty() && !there)
            })
        })
        .await
    }

    /// Keeps how what was sent of an order differs from what is wanted now. `differences` is by key and complete: what is not
    /// in it does not differ any more. Whether something new was noticed. What was asked for after `as_of`, when the order was read,
    /// is newer than that and stays as it is.
    pub async fn note_changes(
        &self,
        key: &ConnectionKey,
        order_id: i64,
        as_of: Timestamp,
        differences: BTreeMap<String, Difference>,
        policy: OnChange,
        patience: &Patience,
    ) -> R<bool> {
        let (key, patience) = (key.clone(), patience.clone());
        self.write(&key.clone(), "note_changes", move |tx| {
            Box::pin(async move {
                let (order, bundle) = order_bundle(tx, &key, order_id).await?;
                let mut new = false;
                for request in open(&bundle) {
                    let race = bundle.races.get(&request.id);
                    if race.is_some_and(|race| race.asked_at > as_of) {
                        continue;
                    }
                    match differences.get(&request.key) {
                        Some(difference) => {
                            new |= changed(tx, &key.scope, request, race, difference, policy, &patience).await?;
                        }
                        None => {
                            let changed_back =
                                |race: &RaceRow| race.shown.what == What::Change && race.origin == WishOrigin::Rows;
                            if race.is_some_and(|race| changed_back(race) && race.waits()) {
                                withdraw(tx, &key, &bundle, request, "the order is again what was sent").await?;
                            }
                        }
                    }
                }
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await?;
                Ok(new)
            })
        })
        .await
    }

    /// A person has the order cancelled at the warehouse, where it is not, and sent again as it now stands. Nothing goes before
    /// the warehouse has cancelled what it has.
    ///
    /// # Errors
    /// [`DbError::Refused`] when nothing of it is at the warehouse, or something of it has left.
    pub async fn send_again(
        &self,
        key: &ConnectionKey,
        order_id: i64,
        why: &str,
        actor: &str,
        patience: &Patience,
    ) -> R<()> {
        let (key, why, actor, patience) = (key.clone(), why.to_owned(), actor.to_owned(), patience.clone());
        self.write(&key.clone(), "send_again", move |tx| {
            Box::pin(async move { send_again(tx, &key, order_id, &why, &actor, &patience).await })
        })
        .await
    }

    /// A person brings the warehouse's answer.
    ///
    /// # Errors
    /// [`DbError::Refused`] when nothing of the order waits for one.
    pub async fn record_answer(
        &self,
        key: &ConnectionKey,
        order_id: i64,
        answer: Answer,
        why: &str,
        actor: &str,
    ) -> R<()> {
        let (key, why, actor) = (key.clone(), why.to_owned(), actor.to_owned());
        self.write(&key.clone(), "record_answer", move |tx| {
            Box::pin(async move { record_answer(tx, &key, order_id, answer, &why, &actor).await })
        })
        .await
    }

    /// Of these submits, those whose request is no longer wanted: they are not sent, however safe a repeat would be.
    pub async fn unwanted_submits(&self, key: &ConnectionKey, submits: &[EffectId]) -> R<BTreeSet<EffectId>> {
        let (key, submits) = (key.clone(), submits.to_vec());
        self.read(&key.clone(), "unwanted_submits", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT e.id FROM effect AS e
                         JOIN request AS r ON r.tenant = e.tenant AND r.merchant = e.merchant AND r.id = e.request_ref
                         WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3
                             AND (r.cancel_wanted IS NOT NULL OR r.live = 0) AND e.id IN (",
                        ")",
                        &key_values(&key),
                        &submits,
                    )
                    .await?;
                rows.iter().map(|row| row.parsed(0)).collect()
            })
        })
        .await
    }

    /// How the requests of these releases are wanted now.
    pub async fn wanted_releases(&self, key: &ConnectionKey, releases: &[EffectId]) -> R<BTreeMap<EffectId, Wanted>> {
        let (key, releases) = (key.clone(), releases.to_vec());
        self.read(&key.clone(), "wanted_releases", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT e.id, CASE WHEN r.live = 0 OR r.cancelled_by_warehouse = 1
                                 OR a.outcome = 'accepted' AND a.answer IS NULL THEN 0
                             WHEN r.cancel_wanted IS NOT NULL OR a.outcome = 'accepted'
                                 OR a.undecided = 1 AND a.withdrawn = 0 AND a.outcome IN ('pending', 'silent') THEN 1
                             ELSE 2 END
                         FROM effect AS e
                         JOIN request AS r ON r.tenant = e.tenant AND r.merchant = e.merchant AND r.id = e.request_ref
                         LEFT JOIN race AS a ON a.tenant = r.tenant AND a.merchant = r.merchant AND a.request = r.id
                         WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.id IN (",
                        ")",
                        &key_values(&key),
                        &releases,
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        let wanted = match row.int(1)? {
                            0 => Wanted::NoMore,
                            1 => Wanted::Otherwise,
                            _ => Wanted::AsItIs,
                        };
                        Ok((row.parsed(0)?, wanted))
                    })
                    .collect()
            })
        })
        .await
    }
}

/// How a request that is to be released for picking is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// As it was sent.
    AsItIs,
    /// Somebody wants it stopped or changed, and what becomes of that is not known, or only by a person's word, which may be put
    /// right.
    Otherwise,
    /// The warehouse has cancelled it, or something else goes in its place.
    NoMore,
}

/// One request differs from what is wanted now. Whether that is new.
async fn changed(
    tx: &mut Tx,
    scope: &Scope,
    request: &RequestRow,
    race: Option<&RaceRow>,
    difference: &Difference,
    policy: OnChange,
    patience: &Patience,
) -> R<bool> {
    let why = difference.words.join("; ");
    let wish = match difference.follows {
        // What is still wanted of the order, without the note, is planned anew once the warehouse has cancelled this.
        Follows::Cancel => {
            Wish { what: What::Cancel, origin: WishOrigin::Note, why: &why, undecided: false, resend: true, actor: "" }
        }
        Follows::Ask | Follows::Policy => {
            let by_itself = difference.follows == Follows::Policy && policy == OnChange::CancelAndResend;
            Wish {
                what: What::Change,
                origin: WishOrigin::Rows,
                why: &why,
                undecided: !by_itself,
                resend: by_itself,
                actor: "",
            }
        }
    };
    match race {
        // A cancel is more than a change, whatever else is noticed.
        Some(race) if race.shown.what == What::Cancel && !race.withdrawn => Ok(false),
        // Noticed before, whether or not it was answered meanwhile.
        Some(race) if race.shown.what == wish.what && race.shown.why == why && !race.withdrawn => Ok(false),
        // Under way already: what goes again is what will be wanted then.
        Some(race) if race.shown.what == wish.what && race.waits() && !race.shown.undecided => {
            let [tenant, merchant] = scope_values(scope);
            tx.execute(
                "UPDATE race SET why = $4 WHERE tenant = $1 AND merchant = $2 AND request = $3",
                &[tenant, merchant, (&request.id).into(), (&why).into()],
            )
            .await?;
            races::step(tx, scope, &request.id, "asked", "", &why).await?;
            Ok(true)
        }
        _ => {
            races::ask(tx, scope, request, &wish, patience).await?;
            Ok(true)
        }
    }
}

async fn send_again(
    tx: &mut Tx,
    key: &ConnectionKey,
    order_id: i64,
    why: &str,
    actor: &str,
    patience: &Patience,
) -> R<()> {
    let (order, mut bundle) = order_bundle(tx, key, order_id).await?;
    let now = tx.now;
    let [tenant, merchant] = scope_values(&key.scope);
    let mut done = false;
    let mut live: Vec<RequestRow> =
        bundle.requests.iter().filter(|request| request.live && bundle.sent(request)).cloned().collect();
    if live.iter().any(|request| bundle.not_there(request)) {
        // What the warehouse has and works on stays.
        live.retain(|request| bundle.not_there(request));
    }
    for request in &live {
        if !bundle.shipped(request).is_zero() {
            continue;
        }
        done = true;
        if bundle.not_there(request) {
            races::retire(tx, &key.scope, &mut bundle, &request.id, actor).await?;
            continue;
        }
        let waits = bundle.races.get(&request.id).filter(|race| race.waits());
        let Some(race) = waits else {
            let wish =
                Wish { what: What::Change, origin: WishOrigin::Person, why, undecided: false, resend: true, actor };
            races::ask(tx, &key.scope, request, &wish, patience).await?;
            continue;
        };
        let deadline = later(now, patience.within);
        tx.execute(
            "UPDATE race SET undecided = 0, resend = 1, deadline = $4
             WHERE tenant = $1 AND merchant = $2 AND request = $3",
            &[tenant.clone(), merchant.clone(), (&request.id).into(), deadline.into()],
        )
        .await?;
        tx.execute(
            "UPDATE request SET cancel_wanted = $4, look_at = $5 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant.clone(), merchant.clone(), (&request.id).into(), (&race.shown.why).into(), deadline.into()],
        )
        .await?;
        races::step(tx, &key.scope, &request.id, "decided", actor, why).await?;
        facts::flag(tx, &key.scope, &BTreeSet::from([request.id.clone()])).await?;
    }
    if !done {
        return Err(DbError::Refused(if live.is_empty() {
            "nothing of it is at the warehouse: import sends it when it is wanted".to_owned()
        } else {
            "something of it has left, so it cannot go again as a whole".to_owned()
        }));
    }
    let detail = serde_json::json!({ "reason": why }).to_string();
    audit::append(tx, key.scope.tenant.as_str(), actor, "order.resend", order.as_str(), &detail).await?;
    facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
}

async fn record_answer(
    tx: &mut Tx,
    key: &ConnectionKey,
    order_id: i64,
    answer: Answer,
    why: &str,
    actor: &str,
) -> R<()> {
    let (order, bundle) = order_bundle(tx, key, order_id).await?;
    let [tenant, merchant] = scope_values(&key.scope);
    let mut done = false;
    for request in bundle.requests.iter().filter(|request| request.live) {
        let Some(race) = bundle.races.get(&request.id) else { continue };
        // What left, and what the warehouse itself shows as cancelled, is not a matter of words any more.
        let by_facts = bundle.shipped(request) >= asked(&request.lines)
            || request.cancelled_by_warehouse
            || bundle.cancel_step(request) == CancelStep::Accepted;
        let taken_back = race.shown.outcome == Outcome::Withdrawn && race.shown.by_hand.is_none();
        if (by_facts && race.shown.outcome != Outcome::Partly) || taken_back {
            continue;
        }
        done = true;
        // A change that was accepted was accepted in order to go again.
        let resend = race.shown.resend || (race.shown.what == What::Change && answer == Answer::Accepted);
        tx.execute(
            "UPDATE race SET answer = $4, undecided = 0, resend = $5
             WHERE tenant = $1 AND merchant = $2 AND request = $3",
            &[tenant.clone(), merchant.clone(), (&request.id).into(), answer_name(answer).into(), resend.into()],
        )
        .await?;
        races::step(tx, &key.scope, &request.id, "answered", actor, &format!("{}: {why}", answer_name(answer))).await?;
        facts::flag(tx, &key.scope, &BTreeSet::from([request.id.clone()])).await?;
    }
    if !done {
        return Err(DbError::Refused("no cancel or change of it waits for the warehouse's answer".to_owned()));
    }
    let detail = serde_json::json!({ "answer": answer_name(answer), "reason": why }).to_string();
    audit::append(tx, key.scope.tenant.as_str(), actor, "order.answer", order.as_str(), &detail).await?;
    facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
}

/// The warehouse takes no cancel of this request from the hub. Said once.
pub(super) async fn by_hand(tx: &mut Tx, scope: &Scope, request: &RequestId, how: &str) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let done = tx
        .execute(
            "UPDATE race SET by_hand = $4 WHERE tenant = $1 AND merchant = $2 AND request = $3 AND by_hand IS NULL",
            &[tenant, merchant, request.into(), how.into()],
        )
        .await?;
    if done > 0 { races::step(tx, scope, request, "by_hand", "", how).await } else { Ok(()) }
}
