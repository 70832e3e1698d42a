//! Looking up what is not known.

use connect::{Armed, EffectKind, Effects};
use engine::effect::{EffectState, Policy, after_probe, later};

use super::{Turn, again, blank, effect, from_step, give_back, send, settle};
use crate::{
    db::{DbError, EffectRow, Settlement},
    flow::gate,
    runtime::Runtime,
};

/// Looks effects of one kind up, and sends again those whose repeat is safe (R3).
pub(super) async fn probe(
    runtime: &Runtime,
    effects: &dyn Effects,
    policy: &Policy,
    kind: EffectKind,
    rows: Vec<EffectRow>,
    turn: Turn,
) -> Result<usize, DbError> {
    let now = turn.now(runtime);
    let asked: Vec<Armed> = rows
        .iter()
        .map(|row| Armed {
            effect: effect(row),
            baseline: row.baseline.clone().unwrap_or_default(),
            attempt: row.attempt,
            armed_at: row.armed_at.unwrap_or(now),
        })
        .collect();
    let suspects = rows.iter().filter(|row| row.suspect).count();
    if suspects > 0 {
        let (suspect, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.suspect);
        let mut ended = again::look(runtime, effects, policy, suspect, turn).await?;
        if !others.is_empty() {
            ended += Box::pin(probe(runtime, effects, policy, kind, others, turn)).await?;
        }
        return Ok(ended);
    }
    let started = runtime.clock.monotonic();
    let answers = match effects.probe(&asked).await {
        Ok(answers) if answers.len() == rows.len() => answers,
        Ok(_) => {
            let error = connect::ConnectorError::unexpected("the connector did not answer for every effect");
            return give_back(runtime, &rows, policy, "probe", &error, turn).await;
        }
        Err(error) => return give_back(runtime, &rows, policy, "probe", &error, turn).await,
    };
    let took = runtime.clock.monotonic().saturating_sub(started);
    let after = turn.now(runtime);
    let mut settlements = Vec::new();
    let mut again = Vec::new();
    // What is wanted no more is looked up until it is certain that it did not happen, and never sent to find out. Where a repeat
    // is safe, that is certain enough however often its outcome was unknown: should it be wanted again, it does no harm.
    let unwanted = gate::unwanted(runtime, &rows).await?;
    let survives_second_unknown = policy.survives_second_unknown || policy.repeat_is_safe;
    let only_look = Policy { repeat_is_safe: false, survives_second_unknown, ..*policy };
    for (row, answer) in rows.into_iter().zip(answers) {
        let policy = if unwanted.contains(&row.id) { &only_look } else { policy };
        let step = after_probe(&turn.facts(runtime, &row), policy, &answer, after);
        if step.resend {
            again.push(row);
            continue;
        }
        let mut settlement = from_step(&row, step, "probe", now);
        settlement.attempt.took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        settlements.push(settlement);
    }
    let ended = settle(runtime, settlements).await?;
    if again.is_empty() {
        return Ok(ended);
    }
    if runtime.db.frozen().await? {
        // A look that ends in sending again is no mere look.
        let waits = again
            .iter()
            .map(|row| Settlement {
                path: vec![EffectState::Unknown],
                next_at: Some(later(after, policy.longest_pause.min(policy.pause * 8))),
                note: "not found; it goes again when sending is released".to_owned(),
                ..blank(row, "probe", "waits", after)
            })
            .collect();
        return Ok(ended + settle(runtime, waits).await?);
    }
    Ok(ended + Box::pin(send::send(runtime, effects, policy, kind, again, turn)).await?)
}
