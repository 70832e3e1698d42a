//! The last look before an order is sent, or released for picking: is it still wanted, exactly as planned (O4)?

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{EffectId, EffectKind, RemoteRef};
use engine::{key, order::Disposition};

use super::{FlowError, orders, sent};
use crate::{
    db::{DbError, EffectRow, NoteInUse, Wanted},
    runtime::Runtime,
};

/// What to do with one submit or release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Send it.
    Go,
    /// Not now.
    Wait {
        /// For people.
        why: String,
        /// Ask again after so long.
        pause: Duration,
    },
    /// It must not be sent as planned; import plans again what is wanted instead.
    Void {
        /// For people.
        why: String,
    },
}

/// Reads orders again that were not read just now, and decides about each as import would.
///
/// # Errors
/// When the database cannot be reached. A source that cannot be read makes the submits wait.
pub async fn check(runtime: &Runtime, rows: &[EffectRow]) -> Result<Vec<Verdict>, DbError> {
    let mut verdicts = by_order(runtime, rows).await?;
    // However lately its order was read: a submit whose outcome was not known may be wanted no more by now.
    let unwanted = unwanted(runtime, rows).await?;
    for (row, verdict) in rows.iter().zip(&mut verdicts) {
        if unwanted.contains(&row.id) {
            *verdict = Verdict::Void { why: "it was cancelled or changed while its outcome was not known".to_owned() };
        }
    }
    Ok(verdicts)
}

/// Of these submits and releases, those that may have been sent before and are not wanted any more, or not as they are.
///
/// # Errors
/// When the database cannot be reached.
pub async fn unwanted(runtime: &Runtime, rows: &[EffectRow]) -> Result<BTreeSet<EffectId>, DbError> {
    let of = |kind| {
        let rows = rows.iter().filter(move |row| row.kind == kind);
        rows.map(|row| row.id.clone()).collect::<Vec<EffectId>>()
    };
    // Whatever its state: one that did not leave after all was given up while it might have.
    let (submits, releases) = (of(EffectKind::SubmitRequest), of(EffectKind::ReleaseRequest));
    let mut unwanted = BTreeSet::new();
    if !submits.is_empty() {
        unwanted.extend(runtime.db.unwanted_submits(&runtime.key, &submits).await?);
    }
    if !releases.is_empty() {
        let wanted = runtime.db.wanted_releases(&runtime.key, &releases).await?;
        unwanted.extend(releases.into_iter().filter(|id| wanted.get(id) != Some(&Wanted::AsItIs)));
    }
    Ok(unwanted)
}

/// Reads orders again that were not read just now, and lets go only what nobody wants stopped or changed: once it is released,
/// the warehouse picks it. A cancel that came in the hold window costs nothing that way, however late anybody noticed it.
///
/// # Errors
/// When the database cannot be reached. A source that cannot be read makes the releases wait.
pub async fn check_releases(runtime: &Runtime, rows: &[EffectRow]) -> Result<Vec<Verdict>, DbError> {
    let ids: Vec<EffectId> = rows.iter().map(|row| row.id.clone()).collect();
    let mut wanted = runtime.db.wanted_releases(&runtime.key, &ids).await?;
    // What is known to be wanted otherwise already is not read again.
    let mut stale: Vec<i64> = rows
        .iter()
        .filter(|row| wanted.get(&row.id) == Some(&Wanted::AsItIs))
        .filter_map(|row| key::order_of_lane(&row.lane))
        .filter(|order_id| !runtime.read_lately(*order_id))
        .collect();
    stale.sort_unstable();
    stale.dedup();
    let mut unread = None;
    let compared = match sent::look(runtime, &stale).await {
        Ok(compared) => compared,
        Err(FlowError::Db(error)) => return Err(error),
        Err(error) => {
            unread = Some(error.to_string());
            BTreeSet::new()
        }
    };
    if !stale.is_empty() {
        wanted = runtime.db.wanted_releases(&runtime.key, &ids).await?;
    }
    let verdict = |row: &EffectRow| {
        let order_id = key::order_of_lane(&row.lane);
        match wanted.get(&row.id) {
            Some(Wanted::AsItIs)
                if order_id.is_some_and(|id| stale.binary_search(&id).is_ok() && !compared.contains(&id)) =>
            {
                let (why, pause) = match &unread {
                    Some(why) => (why.as_str(), RETRY),
                    None => (
                        "it is not there, a note of it is being made, or what a supplier sends of it cannot be read",
                        SETTLES,
                    ),
                };
                Verdict::Wait {
                    why: format!("the order cannot be compared before it is released: {why}"),
                    pause: runtime.scaled(pause),
                }
            }
            Some(Wanted::AsItIs) => Verdict::Go,
            Some(Wanted::Otherwise) => Verdict::Wait {
                why: "somebody wants the order stopped or changed, and it is not known yet what becomes of that"
                    .to_owned(),
                pause: runtime.scaled(SETTLES),
            },
            Some(Wanted::NoMore) | None => {
                Verdict::Void { why: "the order was cancelled before it was released".to_owned() }
            }
        }
    };
    Ok(rows.iter().map(verdict).collect())
}

async fn by_order(runtime: &Runtime, rows: &[EffectRow]) -> Result<Vec<Verdict>, DbError> {
    let order_ids: Vec<Option<i64>> = rows.iter().map(|row| key::order_of_lane(&row.lane)).collect();
    let mut stale: Vec<i64> =
        order_ids.iter().flatten().copied().filter(|order_id| !runtime.read_lately(*order_id)).collect();
    stale.sort_unstable();
    stale.dedup();
    if stale.is_empty() {
        return Ok(vec![Verdict::Go; rows.len()]);
    }
    let decided = match decide(runtime, &stale).await {
        Ok(decided) => decided,
        Err(FlowError::Db(error)) => return Err(error),
        Err(error) => {
            let pause = runtime.scaled(RETRY);
            let wait = Verdict::Wait { why: format!("the order cannot be read again before sending: {error}"), pause };
            return Ok(order_ids
                .iter()
                .map(|order_id| match order_id {
                    Some(order_id) if stale.binary_search(order_id).is_ok() => wait.clone(),
                    _ => Verdict::Go,
                })
                .collect());
        }
    };
    let verdicts: Vec<Verdict> = rows
        .iter()
        .zip(&order_ids)
        .map(|(row, order_id)| match order_id {
            Some(order_id) if stale.binary_search(order_id).is_ok() => match decided.get(order_id) {
                Some(submits) => match submits {
                    Ok(submits) if submits.get(&row.key) == Some(&row.body_sha256) => Verdict::Go,
                    Ok(_) => {
                        Verdict::Void { why: "the order changed before it was sent; it is planned again".to_owned() }
                    }
                    Err(why) => Verdict::Void { why: why.clone() },
                },
                None => Verdict::Void { why: "the order does not exist in Brightpearl any more".to_owned() },
            },
            _ => Verdict::Go,
        })
        .collect();
    for (verdict, order_id) in verdicts.iter().zip(order_ids) {
        if let (Verdict::Void { .. }, Some(order_id)) = (verdict, order_id) {
            // Import takes it up again whatever the scan says of its last change.
            runtime.db.mark_seen(&runtime.key, order_id, "", None).await?;
            runtime.wake.orders.notify_one();
        }
    }
    Ok(verdicts)
}

/// Of notes found before one was made: those that belong to another shipment or request already. The journal waits for them
/// to be shipped instead of taking them for the one it was about to make.
///
/// # Errors
/// When the database cannot be reached.
pub async fn taken_notes(runtime: &Runtime, found: &[&RemoteRef]) -> Result<Vec<NoteInUse>, DbError> {
    let notes: Vec<i64> = found.iter().filter_map(|reference| reference.id.parse().ok()).collect();
    if notes.is_empty() {
        return Ok(Vec::new());
    }
    runtime.db.taken_notes(&runtime.key, &runtime.account, &notes).await
}

/// How long a release waits while somebody wants its order stopped or changed, or while something stands in the way of comparing it:
/// the warehouse or a person answers.
const SETTLES: Duration = Duration::from_secs(120);

/// How long a submit or a release waits when its order cannot be read.
const RETRY: Duration = Duration::from_secs(15);

/// By order: the content hash of each request it would now become, by key; or why it becomes none.
type Decided = BTreeMap<i64, Result<BTreeMap<String, String>, String>>;

async fn decide(runtime: &Runtime, order_ids: &[i64]) -> Result<Decided, FlowError> {
    let known = runtime.db.known_orders(&runtime.key, order_ids).await?;
    let read = orders::read(runtime, order_ids).await?;
    let planned = runtime.db.planned_as(&runtime.key, order_ids).await?;
    let none = BTreeMap::new();
    let mut decided = Decided::new();
    for order in read.orders.values() {
        let plan = orders::decide(runtime, order, &read, known.get(&order.order_id));
        let outcome = match plan.disposition {
            Disposition::Requested => Ok(planned
                .get(&order.order_id)
                .unwrap_or(&none)
                .iter()
                .filter(|(key, planned)| {
                    plan.requests.iter().any(|request| {
                        request.key == **key && request.lines == planned.lines && order.deliver_to == planned.ship_to
                    })
                })
                .map(|(key, planned)| (key.clone(), planned.body_sha256.clone()))
                .collect()),
            other => Err(format!("{}: {}", other.kind(), other.reason())),
        };
        decided.insert(order.order_id, outcome);
    }
    Ok(decided)
}
