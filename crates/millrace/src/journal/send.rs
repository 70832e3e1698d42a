//! Preparing, arming and sending.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{
    Armed, Delivery, Effect, EffectKind, Effects, ErrorKind, OrderId, Prepared, Probe, RemoteRef, Sent,
    planted::{Planted, planted},
};
use engine::effect::{EffectState, Policy, after_found, after_send, later};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::{CONCURRENCY, Turn, blank, effect, from_step, give_back, handed_back, settle, void_path};
use crate::{
    db::{Arm, DbError, EffectRow, NoteInUse, Settlement, found_before_sending},
    flow::gate::{self, Verdict},
    runtime::Runtime,
};

/// One effect with what its preparation found.
struct Ready {
    row: EffectRow,
    baseline: serde_json::Value,
}

/// Takes effects of one kind from claimed to settled.
pub(super) async fn send(
    runtime: &Runtime,
    effects: &dyn Effects,
    policy: &Policy,
    kind: EffectKind,
    rows: Vec<EffectRow>,
    turn: Turn,
) -> Result<usize, DbError> {
    let (rows, mut settlements) = pass_gate(runtime, kind, rows, turn).await?;
    if rows.is_empty() {
        return settle(runtime, settlements).await;
    }
    let in_use = notes_in_use(runtime, kind, &rows).await?;
    let wanted: Vec<Effect> = rows
        .iter()
        .map(|row| {
            let notes = row.subject.order.as_ref().and_then(|order| in_use.get(order));
            let others = notes.into_iter().flatten().filter(|note| note.is_of_another(&row.id));
            Effect { others: others.map(|note| note.note.clone()).collect(), ..effect(row) }
        })
        .collect();
    let prepared = match effects.prepare(&wanted).await {
        Ok(prepared) if prepared.len() == rows.len() => prepared,
        Ok(_) => {
            let error = connect::ConnectorError::unexpected("the connector did not answer for every effect");
            return Ok(settle(runtime, settlements).await?
                + give_back(runtime, &rows, policy, "prepare", &error, turn).await?);
        }
        Err(error) => {
            return Ok(settle(runtime, settlements).await?
                + give_back(runtime, &rows, policy, "prepare", &error, turn).await?);
        }
    };
    let taken = taken_notes(runtime, kind, &prepared).await?;
    let now = turn.now(runtime);
    let mut ready = Vec::new();
    for (row, prepared) in rows.into_iter().zip(prepared) {
        let prepared = match prepared {
            // It became another's while it was looked at, or is one of another connection's.
            Prepared::Found(Probe::Equal(reference))
                if taken.iter().any(|note| note.note == reference.id && note.is_of_another(&row.id)) =>
            {
                Prepared::NotYet { why: format!("note {} of the same goods belongs to another shipment", reference.id) }
            }
            other => other,
        };
        match prepared {
            Prepared::Ready { baseline } => ready.push(Ready { row, baseline }),
            Prepared::Found(probe) => {
                let step = after_found(&turn.facts(runtime, &row), policy, &probe, now);
                let mut settlement = from_step(&row, step, "prepare", now);
                settlement.baseline = Some(found_before_sending());
                settlements.push(settlement);
            }
            Prepared::NotYet { why } => settlements.push(Settlement {
                path: stay_path(row.state),
                next_at: Some(later(now, policy.pause_while_waiting(u32::try_from(row.fence).unwrap_or(u32::MAX)))),
                note: format!("waits: {why}"),
                ..blank(&row, "prepare", "not yet", now)
            }),
            Prepared::Impossible { why } => settlements.push(Settlement {
                path: void_path(row.state),
                note: why,
                ..blank(&row, "prepare", "impossible", now)
            }),
        }
    }
    let mut ended = settle(runtime, settlements).await?;
    let mut outcomes = stream::iter(batches(ready))
        .map(|batch| send_batch(runtime, effects, policy, kind, batch, turn))
        .buffered(CONCURRENCY);
    while let Some(outcome) = outcomes.next().await {
        ended += outcome?;
    }
    Ok(ended)
}

/// An effect being looked up that cannot be repeated yet goes back to *unknown*.
pub(super) fn stay_path(state: EffectState) -> Vec<EffectState> {
    if state == EffectState::Probing { vec![EffectState::Unknown] } else { Vec::new() }
}

/// O4: what left scope or was cancelled is not sent; what somebody wants stopped or changed is not released.
async fn pass_gate(
    runtime: &Runtime,
    kind: EffectKind,
    rows: Vec<EffectRow>,
    turn: Turn,
) -> Result<(Vec<EffectRow>, Vec<Settlement>), DbError> {
    let verdicts = match kind {
        _ if planted(Planted::NoLastLook) => return Ok((rows, Vec::new())),
        EffectKind::SubmitRequest => gate::check(runtime, &rows).await?,
        EffectKind::ReleaseRequest => gate::check_releases(runtime, &rows).await?,
        _ => return Ok((rows, Vec::new())),
    };
    let now = turn.now(runtime);
    let mut pass = Vec::with_capacity(rows.len());
    let mut settlements = Vec::new();
    for (row, verdict) in rows.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Go => pass.push(row),
            Verdict::Wait { why, pause } => settlements.push(Settlement {
                path: stay_path(row.state),
                next_at: Some(later(now, pause)),
                note: format!("waits: {why}"),
                ..blank(&row, "prepare", "waits", now)
            }),
            // Known only since it was looked up: it is looked up once more, now as something that is wanted no more.
            Verdict::Void { why } if kind == EffectKind::ReleaseRequest && row.state == EffectState::Probing => {
                settlements.push(Settlement {
                    path: stay_path(row.state),
                    next_at: Some(now),
                    note: why,
                    ..blank(&row, "prepare", "left scope", now)
                });
            }
            Verdict::Void { why } => settlements.push(Settlement {
                path: void_path(row.state),
                note: why,
                ..blank(&row, "prepare", "left scope", now)
            }),
        }
    }
    Ok((pass, settlements))
}

/// By order, the notes of it that are something already; nothing for kinds that make no note.
async fn notes_in_use(
    runtime: &Runtime,
    kind: EffectKind,
    rows: &[EffectRow],
) -> Result<BTreeMap<OrderId, Vec<NoteInUse>>, DbError> {
    if kind != EffectKind::CreateNote {
        return Ok(BTreeMap::new());
    }
    let orders: BTreeSet<OrderId> = rows.iter().filter_map(|row| row.subject.order.clone()).collect();
    runtime.db.notes_in_use(&runtime.key.scope, orders).await
}

/// The notes among what was found that are somebody's already; nothing for other kinds.
async fn taken_notes(runtime: &Runtime, kind: EffectKind, prepared: &[Prepared]) -> Result<Vec<NoteInUse>, DbError> {
    if kind != EffectKind::CreateNote {
        return Ok(Vec::new());
    }
    let found: Vec<&RemoteRef> = prepared
        .iter()
        .filter_map(|prepared| match prepared {
            Prepared::Found(Probe::Equal(reference)) => Some(reference),
            _ => None,
        })
        .collect();
    gate::taken_notes(runtime, &found).await
}

fn batches(ready: Vec<Ready>) -> Vec<Vec<Ready>> {
    let mut batches: Vec<Vec<Ready>> = Vec::new();
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    for one in ready {
        match one.row.batch.clone() {
            None => batches.push(vec![one]),
            Some(name) => {
                let place = *by_name.entry(name).or_insert_with(|| {
                    batches.push(Vec::new());
                    batches.len() - 1
                });
                if let Some(batch) = batches.get_mut(place) {
                    batch.push(one);
                }
            }
        }
    }
    batches
}

/// Arms one batch, sends it with one call, and writes down what came of it.
async fn send_batch(
    runtime: &Runtime,
    effects: &dyn Effects,
    policy: &Policy,
    kind: EffectKind,
    batch: Vec<Ready>,
    turn: Turn,
) -> Result<usize, DbError> {
    effects.reserve(kind).await;
    let limit = runtime.waits.http;
    let over = turn.lasts(runtime) + limit > runtime.waits.lease;
    if over && !planted(Planted::LeaseIgnored) {
        // The claim no longer outlasts a call: somebody else takes it, or we do in the next drive.
        return settle(runtime, handed_back(runtime, batch.iter().map(|one| &one.row), turn)).await;
    }
    let armed_from = runtime.clock.monotonic();
    let arms = batch
        .iter()
        .map(|one| Arm {
            id: one.row.id.clone(),
            fence: one.row.fence,
            from: one.row.state,
            baseline: one.baseline.clone(),
        })
        .collect();
    // R1: if this commit's own outcome is not known the error leaves through here, nothing is sent, and the lease decides.
    let armed_at = if planted(Planted::NoArm) {
        vec![Some(turn.now(runtime)); batch.len()]
    } else {
        runtime.db.arm(&runtime.key, arms, limit).await?
    };
    let armed: Vec<(Ready, Timestamp)> =
        batch.into_iter().zip(armed_at).filter_map(|(one, at)| at.map(|at| (one, at))).collect();
    if armed.is_empty() {
        return Ok(0);
    }
    let now = turn.now(runtime);
    let stood_still = runtime.clock.monotonic().saturating_sub(armed_from) > limit;
    let delivery = if stood_still && !planted(Planted::LeaseIgnored) {
        // This process stood still since it armed; whoever holds the lease now may be acting on it.
        let late = Sent::not_sent(ErrorKind::Transient, "the process stood still after committing the intent");
        Delivery::all(armed.len(), &late, None)
    } else {
        let batch: Vec<Armed> = armed
            .iter()
            .map(|(one, armed_at)| Armed {
                effect: effect(&one.row),
                baseline: one.baseline.clone(),
                attempt: one.row.attempt + 1,
                armed_at: *armed_at,
            })
            .collect();
        let until = if planted(Planted::LeaseIgnored) { armed_from + limit * 1_000 } else { armed_from + limit };
        effects.send(&batch, until).await
    };
    let took = runtime.clock.monotonic().saturating_sub(armed_from);
    let settlements = record(runtime, policy, armed, delivery, (now, took), turn).await?;
    settle(runtime, settlements).await
}

async fn record(
    runtime: &Runtime,
    policy: &Policy,
    armed: Vec<(Ready, Timestamp)>,
    delivery: Delivery,
    (started_at, took): (Timestamp, Duration),
    turn: Turn,
) -> Result<Vec<Settlement>, DbError> {
    let now = turn.now(runtime);
    let mut settlements = Vec::with_capacity(armed.len());
    for (index, (one, armed_at)) in armed.iter().enumerate() {
        // A connector that says nothing about an effect leaves it unknown, never assumed.
        let unsaid = Sent::unknown("the connector did not say what became of it");
        let outcome = delivery.outcomes.get(index).unwrap_or(&unsaid);
        let mut facts = turn.facts(runtime, &one.row);
        facts.state = EffectState::Armed;
        facts.attempt += 1;
        facts.negatives = 0;
        facts.armed_at = Some(*armed_at);
        if matches!(outcome, Sent::Unknown { .. }) {
            facts.unknowns += 1;
        }
        let mut step = after_send(&facts, policy, outcome, now);
        if let (EffectKind::CancelRequest, Sent::Refused { code, .. }) = (one.row.kind, outcome)
            && runtime.warehouse.too_late(code)
        {
            // An answer, not a fault: the race is lost, and nobody needs to look at this refusal.
            step.path.push(EffectState::Voided);
            step.note = format!("too late: {}", step.note);
            step.remote = Some(RemoteRef::new(code.clone()).with("outcome", "too_late"));
        }
        if step.credentials_refused {
            runtime.pause(one.row.kind.side(), &step.note).await?;
        }
        let mut settlement = from_step(&one.row, step, "send", started_at);
        settlement.attempt.took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        settlement.attempt.capture = delivery.capture.clone();
        runtime.metrics.sent(one.row.kind, outcome, took);
        settlements.push(settlement);
    }
    Ok(settlements)
}
