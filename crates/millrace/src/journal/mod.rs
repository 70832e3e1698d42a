//! The effect journal: the only part of the program that makes a remote system change.
//!
//! One drive claims what is due, looks up what is unknown, prepares what is to be sent, commits the intent (*arm*), sends
//! once, and writes down what came of it. Intent is committed before the first byte (R1); an effect whose outcome is not
//! known is looked up before anything is repeated (R3); there is no other retry anywhere (R7).

mod again;
mod probe;
mod send;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use connect::{ConnectorError, Effect, EffectKind, Effects, ErrorKind, Side};
use engine::{
    effect::{EffectState, Facts, Policy, Step, later},
    steady::Steady,
};
use jiff::Timestamp;
use tracing::Instrument as _;

use crate::{
    db::{AttemptRow, Claimed, DbError, EffectRow, Settlement},
    runtime::Runtime,
};

/// Most effects taken on in one drive. Reads made to prepare them are shared, so more is cheaper; the claim must outlast
/// sending them all at the pace of the call budget, so more is slower to hand over when a process dies.
const CLAIM: usize = 100;

/// Batches on their way at the same time to one remote system.
const CONCURRENCY: usize = 8;

/// What one drive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Driven {
    /// Effects claimed.
    pub claimed: usize,
    /// Effects that ended in a state nothing follows from by itself.
    pub settled: usize,
}

/// Claims and carries out what is due on one side of a connection.
///
/// # Errors
/// When the database cannot be reached. What was claimed is then taken up again when its lease ends.
pub async fn drive(runtime: &Runtime, side: Side) -> Result<Driven, DbError> {
    let lease = runtime.waits.lease;
    let asked = runtime.clock.monotonic();
    let Claimed { rows, at } = runtime.db.claim_effects(&runtime.key, side, &runtime.owner, lease, CLAIM).await?;
    let turn = Turn::begin(runtime, asked, at);
    let mut driven = Driven { claimed: rows.len(), settled: 0 };
    let mut by_kind: BTreeMap<(bool, EffectKind), Vec<EffectRow>> = BTreeMap::new();
    for row in rows {
        // Looks first: they may free a lane, and they decide whether anything is sent again.
        by_kind.entry((row.state != EffectState::Probing, row.kind)).or_default().push(row);
    }
    let effects = runtime.effects(side);
    let mut portions: Vec<(usize, bool, EffectKind, Vec<EffectRow>)> = Vec::new();
    for ((to_send, kind), rows) in by_kind {
        let of_kind = portion(rows, effects.together()).into_iter().enumerate();
        portions.extend(of_kind.map(|(round, rows)| (round, to_send, kind, rows)));
    }
    // A portion of every kind before a second one of any: no kind waits for another one to be done with.
    portions.sort_by_key(|(round, ..)| *round);
    for (round, to_send, kind, rows) in portions {
        if round > 0 && turn.lasts(runtime) + runtime.waits.http * 2 > runtime.waits.lease {
            // What could not be sent any more is not prepared either: it is taken up anew, with a whole claim before it.
            driven.settled += settle(runtime, handed_back(runtime, &rows, turn)).await?;
            continue;
        }
        let Some(policy) = policy(runtime, effects, kind) else {
            driven.settled += give_up(runtime, rows, kind, turn).await?;
            continue;
        };
        let span = tracing::info_span!(
            "effects", connection.id = %runtime.key.connection, effect.kind = %kind, effect.count = rows.len(),
            effect.sent = to_send
        );
        driven.settled += if to_send {
            send::send(runtime, effects, &policy, kind, rows, turn).instrument(span).await?
        } else {
            probe::probe(runtime, effects, &policy, kind, rows, turn).instrument(span).await?
        };
    }
    Ok(driven)
}

/// Cuts what was claimed into portions of at most so many. Effects of one batch are sent with one call and stay together.
fn portion(rows: Vec<EffectRow>, most: usize) -> Vec<Vec<EffectRow>> {
    let mut portions: Vec<Vec<EffectRow>> = Vec::new();
    let mut by_batch: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let place = match row.batch.as_ref().and_then(|batch| by_batch.get(batch)) {
            Some(place) => *place,
            None => match portions.last() {
                Some(last) if last.len() < most => portions.len() - 1,
                _ => {
                    portions.push(Vec::new());
                    portions.len() - 1
                }
            },
        };
        if let Some(batch) = &row.batch {
            by_batch.insert(batch.clone(), place);
        }
        if let Some(portion) = portions.get_mut(place) {
            portion.push(row);
        }
    }
    portions
}

/// Gives effects back as they were claimed: the next drive takes them up.
fn handed_back<'a>(runtime: &Runtime, rows: impl IntoIterator<Item = &'a EffectRow>, turn: Turn) -> Vec<Settlement> {
    let now = turn.now(runtime);
    rows.into_iter()
        .map(|row| Settlement {
            path: send::stay_path(row.state),
            next_at: Some(now),
            note: row.note.clone(),
            ..blank(row, "prepare", "gave its turn back", now)
        })
        .collect()
}

/// The time of one drive: the database's clock as of its claim, carried on by the monotonic clock. Waits are measured on it,
/// because intents are dated by it and because nobody sets a machine's monotonic clock (docs/reliability.md, R4).
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// The database's time of the claim.
    at: Timestamp,
    /// When its answer was there, on the monotonic clock: the database's clock is never behind what is carried on from here.
    from: Duration,
    /// How long the database's clock had run evenly by then.
    steady: Duration,
}

impl Turn {
    /// The claim was asked for at `asked`, and made at `at`.
    fn begin(runtime: &Runtime, asked: Duration, at: Timestamp) -> Self {
        let from = runtime.clock.monotonic();
        let mut kept = runtime.memory.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = kept.get_or_insert_with(|| Steady::new(asked));
        if let Some(by) = steady.saw(at, asked, from, runtime.waits.clock_error) {
            tracing::warn!(
                connection.id = %runtime.key.connection, clock.set_by_ms = by,
                "the database's clock was set: what is not known is looked up for longer before anything is sent again{}",
                if by < 0 { ", and what was due waits until the clock is there again" } else { "" }
            );
        }
        Self { at, from, steady: steady.since(from) }
    }

    /// Now, on the database's clock.
    fn now(self, runtime: &Runtime) -> Timestamp {
        later(self.at, self.lasts(runtime))
    }

    /// How long it has lasted.
    fn lasts(self, runtime: &Runtime) -> Duration {
        runtime.clock.monotonic().saturating_sub(self.from)
    }

    /// What is known of a claimed effect.
    fn facts(self, runtime: &Runtime, row: &EffectRow) -> Facts {
        Facts {
            kind: row.kind,
            state: row.state,
            attempt: row.attempt,
            unknowns: row.unknowns,
            negatives: row.negatives,
            armed_at: row.armed_at,
            steady: self.steady.saturating_add(self.lasts(runtime)),
        }
    }
}

/// A connector that cannot do what is planned: a fault of the plan, shown to a person.
async fn give_up(runtime: &Runtime, rows: Vec<EffectRow>, kind: EffectKind, turn: Turn) -> Result<usize, DbError> {
    let settlements: Vec<Settlement> = rows
        .iter()
        .map(|row| Settlement {
            path: void_path(row.state),
            note: format!("this warehouse cannot do it: {kind}"),
            ..blank(row, "prepare", "unsupported", turn.now(runtime))
        })
        .collect();
    settle(runtime, settlements).await
}

/// How an effect of this kind is treated on this remote system: the contract's waits, and what the connector declares.
fn policy(runtime: &Runtime, effects: &dyn Effects, kind: EffectKind) -> Option<Policy> {
    use connect::Capability::{Held, IdempotencyKey, UniqueKey};
    let capabilities = effects.capabilities(kind)?;
    let factor = runtime.waits.factor.max(1);
    Some(Policy {
        quiescence: runtime.waits.quiescence(capabilities.index_lag),
        repeat_is_safe: capabilities.repeat_is_safe(),
        survives_second_unknown: capabilities.has(IdempotencyKey)
            || capabilities.has(UniqueKey)
            || capabilities.has(Held),
        first_probe: FIRST_PROBE / factor,
        pause: PAUSE / factor,
        longest_pause: LONGEST_PAUSE / factor,
        deadline: DEADLINE / factor,
    })
}

/// The first look after an unknown outcome: most of the time the change is there, and the order can go on.
const FIRST_PROBE: Duration = Duration::from_secs(2);
/// First pause after *not sent*.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// An outcome that cannot be looked up for so long is handed to a person.
const DEADLINE: Duration = Duration::from_secs(6 * 3600);

fn effect(row: &EffectRow) -> Effect {
    Effect {
        id: row.id.clone(),
        kind: row.kind,
        key: row.key.clone(),
        batch: row.batch.clone(),
        body: row.body.clone(),
        number: row.number,
        tried: row.baseline.clone().filter(|_| row.attempt > 0),
        others: BTreeSet::new(),
    }
}

/// A settlement that leaves the effect where it is.
fn blank(row: &EffectRow, what: &'static str, outcome: &str, now: Timestamp) -> Settlement {
    Settlement {
        id: row.id.clone(),
        fence: row.fence,
        path: Vec::new(),
        next_at: None,
        note: String::new(),
        remote: None,
        negative: false,
        baseline: None,
        attempt: AttemptRow { what, outcome: outcome.to_owned(), started_at: Some(now), took_ms: 0, capture: None },
    }
}

fn from_step(row: &EffectRow, step: Step, what: &'static str, now: Timestamp) -> Settlement {
    let outcome = step.state().map_or("waits", EffectState::as_str);
    Settlement {
        path: step.path.clone(),
        next_at: step.next_at,
        note: step.note.clone(),
        remote: step.remote.clone(),
        negative: step.negative,
        ..blank(row, what, outcome, now)
    }
}

/// How an effect that was not sent is given up.
fn void_path(state: EffectState) -> Vec<EffectState> {
    match state {
        EffectState::Probing | EffectState::Unknown => vec![EffectState::Parked],
        _ => vec![EffectState::Voided],
    }
}

/// Gives claimed effects back after a failed read, and pauses the side when its credentials are refused.
async fn give_back(
    runtime: &Runtime,
    rows: &[EffectRow],
    policy: &Policy,
    what: &'static str,
    error: &ConnectorError,
    turn: Turn,
) -> Result<usize, DbError> {
    let now = turn.now(runtime);
    let side = rows.first().map_or(Side::Source, |row| row.kind.side());
    if error.kind == ErrorKind::Credentials {
        runtime.pause(side, &error.message).await?;
    }
    let settlements = rows
        .iter()
        .map(|row| {
            if row.state == EffectState::Probing {
                return from_step(
                    row,
                    engine::effect::after_failed_probe(&turn.facts(runtime, row), policy, &error.message, now),
                    what,
                    now,
                );
            }
            let pause = match &error.kind {
                ErrorKind::RateLimited { retry_after: Some(wait) } => (*wait).min(policy.longest_pause),
                _ => policy.pause_after(row.attempt.max(2)),
            };
            Settlement {
                next_at: Some(later(now, pause)),
                note: format!("waits: {}", error.message),
                ..blank(row, what, "failed", now)
            }
        })
        .collect();
    settle(runtime, settlements).await
}

/// Writes settlements down. How many ended in a state nothing follows from by itself.
async fn settle(runtime: &Runtime, settlements: Vec<Settlement>) -> Result<usize, DbError> {
    let ended =
        settlements.iter().filter(|settlement| settlement.path.last().is_some_and(|state| !state.open())).count();
    for settlement in &settlements {
        if let Some(state) = settlement.path.last()
            && state.needs_person()
        {
            tracing::warn!(
                effect.id = %settlement.id, effect.state = %state, connection.id = %runtime.key.connection,
                "effect needs a person: {}", settlement.note
            );
        }
    }
    runtime.db.settle(&runtime.key, settlements).await?;
    if ended > 0 {
        runtime.wake.advance.notify_one();
    }
    Ok(ended)
}
