//! Corrections that show after they were given up (docs/reliability.md): each is looked for until a day has passed. One that
//! shows is taken back by its inverse, unless the product was worked out anew since: then its difference is in that figure.

use std::time::Duration;

use connect::{Armed, Probe, RemoteRef};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::{
    FlowError,
    plan::{self, Wanted},
};
use crate::{
    db::{Count, DbError, FoundLate, WatchedCorrection},
    runtime::Runtime,
};

/// How long a correction that was given up is looked for.
const WATCH: Duration = Duration::from_secs(24 * 3600);
/// A later correction planned so shortly before it showed may have been worked out without it or with it: the next count tells.
const MARGIN: SignedDuration = SignedDuration::from_secs(120);

/// Looks for corrections that were given up.
pub(super) async fn look(runtime: &Runtime) -> Result<(), FlowError> {
    let safety = runtime.db.safety().await?;
    if safety.frozen.is_some() {
        // Whether it was taken back already may be what was lost.
        return Ok(());
    }
    let lost_until = safety.lost.map(|lost| lost.until);
    let watched = runtime.db.watched_corrections(&runtime.key, runtime.scaled(WATCH)).await?;
    if watched.is_empty() {
        return Ok(());
    }
    // Without a baseline: only the marker is looked for.
    let asked: Vec<Armed> = watched
        .iter()
        .map(|one| Armed {
            effect: one.effect.clone(),
            baseline: serde_json::Value::Null,
            attempt: one.attempt,
            armed_at: one.armed_at,
        })
        .collect();
    let probes = runtime.source.probe(&asked).await?;
    for (one, probe) in watched.iter().zip(probes) {
        let found = match probe {
            Probe::Absent | Probe::Unaccounted { .. } => continue,
            Probe::Equal(reference) if lost_until.is_some_and(|until| one.armed_at <= until) => told(
                one,
                format!(
                    "it shows as {}; it is from before the journal was lost, so the next count works the product out anew",
                    reference.id
                ),
            ),
            Probe::Equal(reference) => showed(runtime, one, &reference).await?,
            Probe::Different { reference, difference } => told(
                one,
                format!("it shows as {}: {difference}; the next count works the product out anew", reference.id),
            ),
            Probe::Many(references) => {
                told(one, format!("it shows {} times; the next count works the product out anew", references.len()))
            }
            Probe::MovedOn { state } => told(one, format!("it shows as {state}")),
        };
        tracing::warn!(effect.id = %found.effect, connection.id = %runtime.key.connection, "late correction: {}", found.note);
        match runtime.db.found_late(&runtime.key, found).await {
            // Written down by another look, or corrected meanwhile: the next look finds it so.
            Ok(_) | Err(DbError::Fenced(_)) => {}
            Err(error) => return Err(error.into()),
        }
        runtime.wake.source.notify_one();
    }
    Ok(())
}

fn told(one: &WatchedCorrection, what: String) -> FoundLate {
    let WatchedCorrection { effect, product_id, difference, .. } = one;
    let note = format!("the correction of product {product_id} by {difference:+} was given up, and now {what}");
    FoundLate { effect: effect.id.clone(), note, inverse: None }
}

/// What is done about one that shows as it was sent.
async fn showed(runtime: &Runtime, one: &WatchedCorrection, reference: &RemoteRef) -> Result<FoundLate, FlowError> {
    let made_at: Option<Timestamp> = reference.facts.get("made_at").and_then(|at| at.parse().ok());
    // Where it does not say when it was made, anything later may have been worked out with it.
    let from = made_at.and_then(|at| at.checked_sub(MARGIN).ok()).unwrap_or(Timestamp::MIN);
    if one.later.iter().any(|planned| *planned >= from) {
        return Ok(told(one, format!("it shows as {}; the product was worked out anew since", reference.id)));
    }
    let products = [one.product_id];
    let settle = runtime.scaled(Duration::from_secs(u64::from(runtime.settings.stock.settle_seconds)));
    let in_hand = runtime
        .db
        .in_flight(
            &runtime.key,
            one.warehouse_id,
            Count { cut_off: runtime.clock.now(), settle, holds: false },
            &products,
        )
        .await?;
    let flight = in_hand.get(&one.product_id).copied().unwrap_or_default();
    let back = -one.difference;
    let stock = runtime.source.stock(one.warehouse_id, &products).await?;
    let on_hand = stock.of(one.product_id).on_hand;
    let cost =
        if back.is_sign_positive() { plan::costs(runtime, &products).await?.remove(&one.product_id) } else { None };
    let impossible = if let Some(why) = stock.unread.get(&one.product_id) {
        Some(format!("its stock cannot be read: {why}"))
    } else if back.is_sign_negative() && -back > on_hand {
        Some(format!("only {} of it are not allocated", on_hand.normalize()))
    } else if back > Decimal::ZERO && cost.is_none() {
        Some("no price list gives its cost".to_owned())
    } else {
        None
    };
    if let Some(why) = impossible {
        return Ok(told(
            one,
            format!(
                "it shows as {}; it cannot be taken back ({why}), the next count works the product out anew",
                reference.id
            ),
        ));
    }
    let wanted = Wanted {
        warehouse_id: one.warehouse_id,
        product_id: one.product_id,
        difference: back,
        cost,
        mark: flight.corrections,
        undoes: Some(one.effect.id.clone()),
    };
    let batch = format!("late/{}", one.effect.id);
    let inverse = plan::corrections(runtime, &batch, "Takes back a late correction", vec![wanted]).await?.pop();
    let mut found = told(one, format!("it shows as {}; its inverse {back:+} is on its way", reference.id));
    found.inverse = inverse;
    Ok(found)
}
