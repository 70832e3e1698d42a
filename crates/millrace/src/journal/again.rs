//! Looking for what a journal that was lost may have sent (docs/recovery.md). It only looks: nothing is sent from here, however
//! safe a repeat would be, because what was there before is not known.

use std::collections::BTreeSet;

use connect::{Armed, EffectKind, Effects, FoundAgain, OrderId, Probe, RemoteRef};
use engine::effect::{EffectState, Policy, after_probe};

use super::{Turn, blank, effect, from_step, give_back, settle};
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
    turn: Turn,
) -> Result<usize, DbError> {
    let now = turn.now(runtime);
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
            return give_back(runtime, &rows, policy, "find again", &error, turn).await;
        }
        Err(error) => return give_back(runtime, &rows, policy, "find again", &error, turn).await,
    };
    let candidates: Vec<&RemoteRef> = answers
        .iter()
        .flat_map(|answer| match answer {
            FoundAgain::AnyOf(references) => references.as_slice(),
            _ => &[],
        })
        .collect();
    let notes = rows.first().is_some_and(|row| row.kind == EffectKind::CreateNote);
    let orders: Vec<OrderId> = if notes && !candidates.is_empty() {
        rows.iter().filter_map(|row| row.subject.order.clone()).collect()
    } else {
        Vec::new()
    };
    let trackings = runtime.db.trackings(&runtime.key, &orders).await?;
    let taken = if notes { gate::taken_notes(runtime, &candidates).await? } else { Vec::new() };
    let mut taken: BTreeSet<String> = taken.into_iter().map(|note| note.note).collect();
    let after = turn.now(runtime);
    let mut settlements = Vec::with_capacity(rows.len());
    for (row, answer) in rows.iter().zip(answers) {
        let probe = match answer {
            FoundAgain::Seen(probe) => probe,
            FoundAgain::AnyOf(mut references) => {
                references.retain(|one| !taken.contains(&one.id));
                let own =
                    row.subject.shipment.as_ref().and_then(|id| trackings.get(id)).map_or("", |(_, numbers)| numbers);
                let others: Vec<&str> = trackings
                    .iter()
                    .filter(|(id, (order, _))| {
                        Some(*id) != row.subject.shipment.as_ref() && Some(order) == row.subject.order.as_ref()
                    })
                    .map(|(_, (_, numbers))| numbers.as_str())
                    .collect();
                let probe = choose(references, own, &others);
                if let Probe::Equal(reference) = &probe {
                    taken.insert(reference.id.clone());
                }
                probe
            }
            FoundAgain::CannotBeAsked { compare } => {
                settlements.push(Settlement {
                    path: vec![EffectState::Parked],
                    note: format!("whether the lost journal sent it cannot be asked: {compare}"),
                    ..blank(row, "find again", CANNOT_ASK, after)
                });
                continue;
            }
        };
        let step = after_probe(&turn.facts(runtime, row), policy, &probe, after);
        settlements.push(from_step(row, step, "find again", now));
    }
    settle(runtime, settlements).await
}

/// Which of several notes that hold the same goods and left in the same moment is a shipment's: the one with its tracking, else one
/// that has none yet. One with the tracking of another shipment of the order is that one's; one with a tracking that nobody
/// knows is for a person to see.
fn choose(notes: Vec<RemoteRef>, own: &str, others: &[&str]) -> Probe {
    let written = |note: &RemoteRef| note.facts.get("reference").cloned().unwrap_or_default();
    let first = |numbers: &str| numbers.split(' ').next().unwrap_or_default().to_owned();
    let speaks_of = |note: &RemoteRef, numbers: &str| {
        let number = first(numbers);
        !number.is_empty() && written(note).contains(&number)
    };
    let bare = |note: &&RemoteRef| written(note).is_empty();
    if let Some(note) = notes.iter().find(|note| speaks_of(note, own)).or_else(|| notes.iter().find(bare)) {
        return Probe::Equal(note.clone());
    }
    match notes.into_iter().find(|note| !others.iter().any(|numbers| speaks_of(note, numbers))) {
        None => Probe::Absent,
        Some(note) if own.is_empty() => Probe::Equal(note),
        Some(note) => Probe::Different {
            difference: format!(
                "it carries the tracking {:?}, which belongs to no shipment of the order",
                written(&note)
            ),
            reference: note,
        },
    }
}

#[cfg(test)]
mod tests {
    use connect::{Probe, RemoteRef};

    use super::choose;

    fn note(id: &str, reference: &str) -> RemoteRef {
        RemoteRef::new(id).with("reference", reference)
    }

    fn chosen(notes: &[RemoteRef], own: &str, others: &[&str]) -> Option<String> {
        match choose(notes.to_vec(), own, others) {
            Probe::Equal(reference) => Some(reference.id),
            Probe::Absent => None,
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn alike_notes_are_told_by_their_tracking() {
        let notes = [note("1", "1Z2"), note("2", "1Z1, 1Z9"), note("3", "")];
        assert_eq!(chosen(&notes, "1Z1 1Z9", &["1Z2"]).as_deref(), Some("2"));
        assert_eq!(chosen(&notes, "1Z2", &["1Z1"]).as_deref(), Some("1"));
        assert_eq!(chosen(&notes, "1Z7", &["1Z1", "1Z2"]).as_deref(), Some("3"), "its tracking was not written yet");
        assert_eq!(chosen(&notes[..2], "1Z7", &["1Z1", "1Z2"]), None, "both are other shipments'");
        assert_eq!(chosen(&notes[..1], "", &["1Z1"]).as_deref(), Some("1"), "a shipment without tracking");
        assert!(chosen(&notes[..1], "1Z7", &[]).unwrap().contains("belongs to no shipment"));
        assert_eq!(chosen(&[], "1Z7", &[]), None);
    }
}
