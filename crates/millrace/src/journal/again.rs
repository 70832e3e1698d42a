//! Looking for what a journal that was lost may have sent (docs/recovery.md). It only looks: nothing is sent from here, however
//! safe a repeat would be, because what was there before is not known.

use std::collections::BTreeSet;

use connect::{Armed, EffectKind, Effects, FoundAgain, Probe, RemoteRef};
use engine::effect::{EffectState, Policy, after_probe};

use super::{blank, effect, facts, from_step, give_back, settle};
use crate::{
    db::{CANNOT_ASK, DbError, EffectRow, Settlement},
    flow::gate,
    runtime::Runtime,
};

/// Looks up effects of one kind that a lost journal may have sent. Two looks in vain, the later one after everything that
/// journal sent has landed, are its certain absence (R4): the effect is armed as of the last moment it can have been alive.
pub(super) async fn look(
    runtime: &Runtime,
    effects: &dyn Effects,
    policy: &Policy,
    rows: Vec<EffectRow>,
) -> Result<usize, DbError> {
    let now = runtime.clock.now();
    let Some(lost) = runtime.db.safety().await?.lost else { return Ok(0) };
    // No repeat is safe that nobody has looked for; and waiting for an answer has no end but a person's.
    let policy =
        &Policy { repeat_is_safe: false, survives_second_unknown: true, deadline: std::time::Duration::MAX, ..*policy };
    let asked: Vec<Armed> = rows
        .iter()
        .map(|row| Armed {
            effect: effect(row),
            baseline: row.baseline.clone().unwrap_or_default(),
            attempt: row.attempt,
            armed_at: row.armed_at.unwrap_or(now),
        })
        .collect();
    let answers = match effects.find_again(&asked, lost.since).await {
        Ok(answers) if answers.len() == rows.len() => answers,
        Ok(_) => {
            let error = connect::ConnectorError::unexpected("the connector did not answer for every effect");
            return give_back(runtime, &rows, policy, "find again", &error).await;
        }
        Err(error) => return give_back(runtime, &rows, policy, "find again", &error).await,
    };
    let candidates: Vec<&RemoteRef> = answers
        .iter()
        .flat_map(|answer| match answer {
            FoundAgain::AnyOf(references) => references.as_slice(),
            _ => &[],
        })
        .collect();
    let notes = rows.first().is_some_and(|row| row.kind == EffectKind::CreateNote);
    let mut taken = if notes { gate::taken_notes(runtime, &candidates).await? } else { BTreeSet::new() };
    let after = runtime.clock.now();
    let mut settlements = Vec::with_capacity(rows.len());
    for (row, answer) in rows.iter().zip(answers) {
        let probe = match answer {
            FoundAgain::Seen(probe) => probe,
            FoundAgain::AnyOf(references) => match references.into_iter().find(|one| !taken.contains(&one.id)) {
                Some(reference) => {
                    taken.insert(reference.id.clone());
                    Probe::Equal(reference)
                }
                None => Probe::Absent,
            },
            FoundAgain::CannotBeAsked { compare } => {
                settlements.push(Settlement {
                    path: vec![EffectState::Parked],
                    note: format!("whether the lost journal sent it cannot be asked: {compare}"),
                    ..blank(row, "find again", CANNOT_ASK, after)
                });
                continue;
            }
        };
        let step = after_probe(&facts(row), policy, &probe, after);
        settlements.push(from_step(row, step, "find again", now));
    }
    settle(runtime, settlements).await
}
