//! What became of claimed effects, and what people decide about them.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, EffectKind, OrderId, RemoteRef, RequestId};
use engine::effect::EffectState;
use jiff::Timestamp;

use super::{
    CANNOT_ASK, ConnectionKey, Database, DbError, EffectDecision, R, Scope, Settlement, audit,
    effects::key_values,
    erasure,
    facts::{self, scope_values},
    forgotten, orders,
    payload::pack_json,
    races, recovery, shipments,
    sql::{Tx, Value, json},
};

/// An effect as settling needs it; changed step by step, then written once more with everything.
struct Held {
    id: EffectId,
    kind: EffectKind,
    connection: String,
    state: EffectState,
    fence: i64,
    owned: bool,
    attempt: i64,
    unknowns: i64,
    negatives: i64,
    armed_at: Option<Timestamp>,
    baseline: Option<String>,
    remote_id: Option<String>,
    remote: Option<String>,
    note: String,
    next_at: i64,
    order: Option<OrderId>,
    request: Option<RequestId>,
    voided_by: Option<String>,
    /// A lost journal may have sent it, and it has not been looked for yet.
    suspect: bool,
    /// A lost journal sent it, or may have, and nobody knows with what content.
    unclear: bool,
}

async fn hold(tx: &mut Tx, scope: &Scope, ids: &[EffectId]) -> R<BTreeMap<EffectId, Held>> {
    // Locked in one order by everybody, so that no two wait for each other.
    let after = if tx.is_postgres() { ") ORDER BY id FOR UPDATE" } else { ")" };
    let rows = tx
        .among(
            "SELECT id, kind, connection, state, fence, owner, attempt, unknowns, negatives, armed_at, baseline, remote_id,
                 remote, note, next_at, order_ref, request_ref, voided_by, recovery
             FROM effect WHERE tenant = $1 AND merchant = $2 AND id IN (",
            after,
            &scope_values(scope),
            ids,
        )
        .await?;
    rows.iter()
        .map(|row| {
            let held = Held {
                id: row.parsed(0)?,
                kind: row.parsed(1)?,
                connection: row.string(2)?,
                state: row.parsed(3)?,
                fence: row.int(4)?,
                owned: row.opt_text(5)?.is_some(),
                attempt: row.int(6)?,
                unknowns: row.int(7)?,
                negatives: row.int(8)?,
                armed_at: row.opt_time(9)?,
                baseline: row.opt_string(10)?,
                remote_id: row.opt_string(11)?,
                remote: row.opt_string(12)?,
                note: row.string(13)?,
                next_at: row.int(14)?,
                order: row.opt_parsed(15)?,
                request: row.opt_parsed(16)?,
                voided_by: row.opt_string(17)?,
                suspect: row.opt_text(18)? == Some("open"),
                unclear: matches!(row.opt_text(18)?, Some("conflict" | "cannot_ask")),
            };
            Ok((held.id.clone(), held))
        })
        .collect()
}

impl Held {
    /// Goes along one edge.
    fn go(&mut self, to: EffectState, now: Timestamp) -> R<()> {
        if !self.state.permits(to, self.kind) {
            return Err(DbError::Refused(format!("effect {} may not go from {} to {to} (J3)", self.id, self.state)));
        }
        if to == EffectState::Armed {
            self.attempt += 1;
            self.negatives = 0;
            self.armed_at = Some(now);
        }
        if self.state == EffectState::Armed && to == EffectState::Unknown {
            self.unknowns += 1;
        }
        self.state = to;
        Ok(())
    }

    fn set_remote(&mut self, remote: Option<&RemoteRef>) -> R<()> {
        if let Some(remote) = remote {
            self.remote_id = Some(remote.id.clone());
            self.remote = Some(json(remote)?);
        }
        Ok(())
    }
}

/// Writes effects with all but the last edge of their paths, so that the trigger sees every edge.
async fn write_edges(tx: &mut Tx, scope: &Scope, edges: Vec<Vec<(EffectId, EffectState)>>) -> R<()> {
    for step in edges {
        let rows = step.iter().map(|(id, to)| vec![id.into(), to.as_str().into()]).collect();
        tx.many(
            "UPDATE effect SET state = v.column2 FROM (VALUES ",
            ") AS v WHERE effect.tenant = $1 AND effect.merchant = $2 AND effect.id = v.column1 AND effect.id IN ({first})",
            &scope_values(scope),
            rows,
        )
        .await?;
    }
    Ok(())
}

/// Writes effects as they are now and gives their claims back.
async fn write_held(tx: &mut Tx, scope: &Scope, held: &[&Held]) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    let rows = held
        .iter()
        .map(|one| {
            vec![
                (&one.id).into(),
                one.state.as_str().into(),
                one.attempt.into(),
                one.unknowns.into(),
                one.negatives.into(),
                one.armed_at.into(),
                one.baseline.clone().into(),
                one.remote_id.clone().into(),
                one.remote.clone().into(),
                (&one.note).into(),
                one.next_at.into(),
                one.fence.into(),
                one.voided_by.clone().into(),
            ]
        })
        .collect();
    tx.many(
        "UPDATE effect SET changed_at = CASE WHEN effect.state = v.column2 THEN effect.changed_at ELSE $3 END,
             state = v.column2, attempt = v.column3, unknowns = v.column4, negatives = v.column5, armed_at = v.column6,
             baseline = v.column7, remote_id = v.column8, remote = v.column9, note = v.column10, next_at = v.column11,
             fence = v.column12, voided_by = v.column13, owner = NULL, lease_until = NULL
         FROM (VALUES ",
        ") AS v WHERE effect.tenant = $1 AND effect.merchant = $2 AND effect.id = v.column1 AND effect.id IN ({first})",
        &[tenant, merchant, now.into()],
        rows,
    )
    .await?;
    Ok(())
}

/// What follows from effects that came to rest: their requests are looked at, their orders shown anew, and a submit that
/// was given up gives its request up.
async fn follow(tx: &mut Tx, scope: &Scope, ended: &[&Held]) -> R<()> {
    let mut orders = BTreeSet::new();
    let mut requests = BTreeSet::new();
    for one in ended {
        tx.event("effect", one.id.as_str(), one.state.as_str());
        orders.extend(one.order.clone());
        requests.extend(one.request.clone());
        if one.kind == EffectKind::SubmitRequest && one.state == EffectState::Voided {
            give_up_request(tx, scope, one).await?;
        }
    }
    facts::flag(tx, scope, &requests).await?;
    facts::refresh(tx, scope, &orders).await
}

/// A request that will not be sent as planned. Unless a person said so, import looks at its order again.
async fn give_up_request(tx: &mut Tx, scope: &Scope, submit: &Held) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let (Some(request), Some(order)) = (&submit.request, &submit.order) else { return Ok(()) };
    // Once it was tried, the warehouse may have had it for a while, whatever is there now.
    let now = tx.now;
    tx.execute(
        "UPDATE request SET live = 0, version = version + 1, ended_at = CASE WHEN $5 > 0 THEN $4 ELSE ended_at END
         WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[tenant.clone(), merchant.clone(), request.into(), now.into(), submit.attempt.into()],
    )
    .await?;
    let others = tx
        .first(
            "SELECT 1 FROM request WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 AND live = 1",
            &[tenant.clone(), merchant.clone(), order.into()],
        )
        .await?;
    if others.is_some() {
        if submit.voided_by.is_none() {
            // What was sent beside it says nothing of these goods: import sees whether they are still wanted.
            tx.execute(
                "UPDATE orders SET seen = '' WHERE tenant = $1 AND merchant = $2 AND id = $3",
                &[tenant, merchant, order.into()],
            )
            .await?;
        }
        return Ok(());
    }
    let by_person = tx
        .first(
            "SELECT 1 FROM race WHERE tenant = $1 AND merchant = $2 AND request = $3 AND what = 'cancel' AND origin = 'person'",
            &[tenant.clone(), merchant.clone(), request.into()],
        )
        .await?;
    let sql = if submit.voided_by.is_some() || by_person.is_some() {
        "UPDATE orders SET held_reason = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3"
    } else {
        "UPDATE orders SET disposition = 'waiting', disposition_reason = $4
         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND disposition = 'requested'"
    };
    tx.execute(sql, &[tenant, merchant, order.into(), (&submit.note).into()]).await?;
    Ok(())
}

impl Database {
    /// Writes down what became of claimed effects, and gives the claims back: states along permitted edges, the attempts'
    /// rows, and what follows for requests and orders, in one transaction. `false` for those that somebody else has taken
    /// over meanwhile; nothing of them is written.
    ///
    /// # Errors
    /// [`DbError::Refused`] when a path holds an edge that is not permitted (J3); then nothing at all is written.
    pub async fn settle(&self, key: &ConnectionKey, settlements: Vec<Settlement>) -> R<Vec<bool>> {
        let key = key.clone();
        // Compressed here and not inside the transaction, which on SQLite is everybody's.
        let captures = settlements
            .iter()
            .map(|settlement| settlement.attempt.capture.as_ref().map(pack_json).transpose())
            .collect::<R<Vec<_>>>()?;
        self.write(&key.clone(), "settle", move |tx| {
            Box::pin(async move { settle(tx, &key, settlements.into_iter().zip(captures).collect()).await })
        })
        .await
    }

    /// A person's decision about an effect, with its row in the audit trail.
    ///
    /// # Errors
    /// [`DbError::Refused`] when the effect's state does not allow it, [`DbError::NotFound`] when there is none.
    pub async fn decide(
        &self,
        scope: &Scope,
        effect: &EffectId,
        decision: EffectDecision,
        actor: &str,
        reason: &str,
    ) -> R<()> {
        let (scope, effect, actor, reason) = (scope.clone(), effect.clone(), actor.to_owned(), reason.to_owned());
        self.write(&scope.clone(), "decide", move |tx| {
            Box::pin(async move { decide(tx, &scope, &effect, decision, &actor, &reason).await })
        })
        .await
    }
}

async fn settle(tx: &mut Tx, key: &ConnectionKey, settlements: Vec<(Settlement, Option<Vec<u8>>)>) -> R<Vec<bool>> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    let scope = &key.scope;
    let ids: Vec<EffectId> = settlements.iter().map(|(settlement, _)| settlement.id.clone()).collect();
    let mut held = hold(tx, scope, &ids).await?;
    let now = tx.now;
    let mut done = Vec::with_capacity(settlements.len());
    let mut edges: Vec<Vec<(EffectId, EffectState)>> = Vec::new();
    let mut attempts = Vec::with_capacity(settlements.len());
    let mut written = Vec::new();
    let mut ended = Vec::new();
    let (mut looked, mut cannot_ask) = (Vec::new(), Vec::new());
    for (settlement, capture) in settlements {
        let Some(one) = held.get_mut(&settlement.id).filter(|one| one.fence == settlement.fence && one.owned) else {
            done.push(false);
            continue;
        };
        // Once: a second settlement of the same claim in one call finds it given back.
        one.owned = false;
        done.push(true);
        let before = one.state;
        walk(one, &settlement, now, &mut edges)?;
        attempts.push(attempt_row(key, one, &settlement, capture, now));
        if one.state != before && !one.state.open() {
            ended.push(settlement.id.clone());
        }
        if one.suspect {
            let list = if settlement.attempt.outcome == CANNOT_ASK { &mut cannot_ask } else { &mut looked };
            list.push(settlement.id.clone());
        }
        written.push(settlement.id);
    }
    write_edges(tx, scope, edges).await?;
    let all: Vec<&Held> = written.iter().filter_map(|id| held.get(id)).collect();
    write_held(tx, scope, &all).await?;
    recovery::answered(tx, scope, looked, cannot_ask).await?;
    insert_attempts(tx, attempts).await?;
    let ended: Vec<&Held> = ended.iter().filter_map(|id| held.get(id)).collect();
    follow(tx, scope, &ended).await?;
    Ok(done)
}

/// Takes an effect along its path and to its other new values. Edges before the last are written one by one.
fn walk(
    one: &mut Held,
    settlement: &Settlement,
    now: Timestamp,
    edges: &mut Vec<Vec<(EffectId, EffectState)>>,
) -> R<()> {
    let mut path = settlement.path.as_slice();
    if one.state == EffectState::Probing
        && let [EffectState::Probing, rest @ ..] = path
    {
        path = rest;
    }
    for (place, to) in path.iter().enumerate() {
        one.go(*to, now)?;
        if *to == EffectState::Armed
            && let Some(baseline) = &settlement.baseline
        {
            one.baseline = Some(json(baseline)?);
        }
        if place + 1 < path.len() {
            if edges.len() <= place {
                edges.push(Vec::new());
            }
            if let Some(step) = edges.get_mut(place) {
                step.push((one.id.clone(), *to));
            }
        }
    }
    one.negatives += i64::from(settlement.negative);
    if !settlement.note.is_empty() {
        one.note.clone_from(&settlement.note);
    }
    one.set_remote(settlement.remote.as_ref())?;
    one.next_at = settlement.next_at.unwrap_or(now).as_millisecond();
    Ok(())
}

fn attempt_row(
    key: &ConnectionKey,
    one: &Held,
    settlement: &Settlement,
    capture: Option<Vec<u8>>,
    now: Timestamp,
) -> Vec<Value> {
    let [tenant, merchant, connection] = key_values(key);
    let attempt = &settlement.attempt;
    vec![
        tenant,
        merchant,
        (&one.id).into(),
        settlement.fence.into(),
        connection,
        attempt.what.into(),
        (&attempt.outcome).into(),
        one.state.as_str().into(),
        (&one.note).into(),
        attempt.started_at.into(),
        attempt.took_ms.into(),
        now.into(),
        capture.into(),
    ]
}

async fn insert_attempts(tx: &mut Tx, rows: Vec<Vec<Value>>) -> R<()> {
    tx.many(
        "INSERT INTO attempt (tenant, merchant, effect, fence, connection, what, outcome, state, note, started_at, took_ms,
             recorded_at, capture) VALUES ",
        "",
        &[],
        rows,
    )
    .await?;
    Ok(())
}

async fn decide(
    tx: &mut Tx,
    scope: &Scope,
    effect: &EffectId,
    decision: EffectDecision,
    actor: &str,
    reason: &str,
) -> R<()> {
    let mut held = hold(tx, scope, std::slice::from_ref(effect)).await?;
    let one = held.get_mut(effect).ok_or_else(|| DbError::NotFound(format!("effect {effect}")))?;
    let now = tx.now;
    let before = one.state;
    let (path, action): (&[EffectState], _) = match (&decision, before) {
        (EffectDecision::Retry, EffectState::Refused | EffectState::Voided) => (&[EffectState::Planned], "retry"),
        (EffectDecision::Retry, EffectState::Parked) => (&[EffectState::Voided, EffectState::Planned], "retry"),
        (EffectDecision::Applied(_), _) => (&[EffectState::Applied], "applied"),
        (EffectDecision::Void, _) => (&[EffectState::Voided], "void"),
        (EffectDecision::Retry, _) => return Err(not_now(one, "retried")),
    };
    if matches!(decision, EffectDecision::Applied(_)) && before != EffectState::Parked {
        return Err(not_now(one, "declared done"));
    }
    if let (EffectDecision::Applied(remote), EffectKind::CreateNote) = (&decision, one.kind)
        && let Some(owner) = whose_note(tx, scope, one, &remote.id).await?
    {
        return Err(DbError::Refused(format!("goods-out note {} is {owner}: one note cannot tell of both", remote.id)));
    }
    let again = path.last() == Some(&EffectState::Planned);
    if again && one.kind == EffectKind::CorrectStock {
        return Err(DbError::Refused(
            "a stock difference is never sent a second time; the next run works out a new one".to_owned(),
        ));
    }
    let mut edges = Vec::new();
    for (place, to) in path.iter().enumerate() {
        one.go(*to, now)?;
        if place + 1 < path.len() {
            edges.push(vec![(one.id.clone(), *to)]);
        }
    }
    one.fence += 1;
    one.note = format!("decided by {actor}: {reason}");
    one.next_at = now.as_millisecond();
    if let EffectDecision::Applied(remote) = &decision {
        one.set_remote(Some(remote))?;
    }
    let was_voided_by_person = one.voided_by.take().is_some();
    if one.state == EffectState::Voided && one.kind != EffectKind::CorrectStock {
        one.voided_by = Some(actor.to_owned());
    }
    write_edges(tx, scope, edges).await?;
    let [tenant, merchant] = scope_values(scope);
    if again {
        // A person's yes counts as a new revision, whether or not the payload is another one (R9).
        let before_planned = if before == EffectState::Parked { EffectState::Voided } else { before };
        let planned = tx
            .execute(
                "UPDATE effect SET state = 'planned', revision = revision + 1, changed_at = $5
                 WHERE tenant = $1 AND merchant = $2 AND id = $3 AND state = $4 AND body <> $6",
                &[
                    tenant.clone(),
                    merchant.clone(),
                    effect.into(),
                    before_planned.as_str().into(),
                    now.into(),
                    erasure::BODY.into(),
                ],
            )
            .await?;
        if planned == 0 {
            return Err(DbError::Refused(
                "who it was for has been erased, so there is nothing that could go again; an order that is read again from the \
                 source is planned anew"
                    .to_owned(),
            ));
        }
        if let (EffectKind::SubmitRequest, Some(request), Some(order)) = (one.kind, &one.request, &one.order) {
            let wanted = tx
                .first(
                    "SELECT 1 FROM orders WHERE tenant = $1 AND merchant = $2 AND id = $3 AND disposition = 'requested'",
                    &[tenant.clone(), merchant.clone(), order.into()],
                )
                .await?;
            if wanted.is_none() {
                return Err(DbError::Refused(
                    "its order is not wanted at the warehouse as things stand; import plans it again when it is"
                        .to_owned(),
                ));
            }
            let taken_up = tx
                .first(
                    "UPDATE request SET live = 1 WHERE tenant = $1 AND merchant = $2 AND id = $3 RETURNING connection, key",
                    &[tenant.clone(), merchant.clone(), request.into()],
                )
                .await?;
            if let Some(row) = taken_up {
                let connection = ConnectionKey { scope: scope.clone(), connection: row.parsed(0)? };
                let keys = BTreeSet::from([row.string(1)?]);
                shipments::match_keys(tx, &connection, &keys).await?;
                let freed = forgotten::known_again(tx, &connection, &keys).await?;
                facts::refresh(tx, scope, &freed).await?;
            }
            races::forget(tx, scope, std::slice::from_ref(request)).await?;
            if was_voided_by_person {
                tx.execute(
                    "UPDATE orders SET held_reason = NULL WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant.clone(), merchant.clone(), order.into()],
                )
                .await?;
            }
        }
        tx.wakes.work = true;
    }
    if again {
        recovery::suspect_again(tx, scope, effect).await?;
    }
    // Before the rest is looked at: what was just decided is no part of it.
    write_held(tx, scope, &[one]).await?;
    if let (EffectDecision::Applied(_), EffectKind::SubmitRequest, Some(order), true) =
        (&decision, one.kind, &one.order, one.unclear)
    {
        // What is there may hold the goods of the order's other requests, too.
        let why = "a lost journal had sent something of this order: see whether what is still to be sent has left with it, \
                   then release the order, or cancel it";
        orders::hold_rest(tx, scope, order, why).await?;
    }
    let attempt = vec![
        tenant,
        merchant,
        effect.into(),
        one.fence.into(),
        (&one.connection).into(),
        "decision".into(),
        action.into(),
        one.state.as_str().into(),
        (&one.note).into(),
        now.into(),
        0_i64.into(),
        now.into(),
        Value::Blob(None),
    ];
    insert_attempts(tx, vec![attempt]).await?;
    follow(tx, scope, &[one]).await?;
    let detail = serde_json::json!({ "decision": action, "from": before.as_str(), "reason": reason }).to_string();
    audit::append(tx, scope.tenant.as_str(), actor, "effect.decide", effect.as_str(), &detail).await
}

/// Whose a goods-out note is already, if it is somebody else's than this effect's: another shipment's, or another request.
async fn whose_note(tx: &mut Tx, scope: &Scope, one: &Held, note: &str) -> R<Option<String>> {
    let [tenant, merchant] = scope_values(scope);
    let made_for = tx
        .first(
            "SELECT key FROM effect WHERE tenant = $1 AND merchant = $2 AND kind = 'create_note' AND remote_id = $3 AND id <> $4",
            &[tenant.clone(), merchant.clone(), note.into(), (&one.id).into()],
        )
        .await?;
    if let Some(row) = made_for {
        return Ok(Some(format!("that of {}", row.text(0)?)));
    }
    let Ok(number) = note.parse::<i64>() else { return Ok(None) };
    let own = one.request.as_ref().map_or("", |request| request.as_str());
    let asked_by = tx
        .first(
            "SELECT key FROM request WHERE tenant = $1 AND merchant = $2 AND live = 1 AND note_id = $3 AND id <> $4",
            &[tenant, merchant, number.into(), own.into()],
        )
        .await?;
    asked_by.map(|row| Ok(format!("the request {}", row.text(0)?))).transpose()
}

fn not_now(one: &Held, what: &str) -> DbError {
    DbError::Refused(format!("effect {} is {}: it cannot be {what} now", one.id, one.state))
}
