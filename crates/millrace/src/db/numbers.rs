//! Running numbers that go into what is sent (control numbers): taken with the plan, without gaps.

use connect::{EffectId, Numbering};

use super::{ConnectionKey, DbError, R, effects::key_values, sql::Tx};

/// Gives effects that have just been planned the next numbers of their series, in their order. In the transaction that plans
/// them: if it fails, no number was taken. Whoever plans in the same series at the same time waits here for the other.
pub(super) async fn give(tx: &mut Tx, key: &ConnectionKey, effects: Vec<(EffectId, Numbering)>) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    let mut rows = Vec::with_capacity(effects.len());
    for (effect, Numbering { series, first, last, acknowledged_within }) in effects {
        let within = acknowledged_within.map(|within| i64::try_from(within.as_millis()).unwrap_or(i64::MAX));
        let row = tx
            .first(
                "INSERT INTO number_series AS s (tenant, merchant, name, reached) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (tenant, merchant, name) DO UPDATE SET reached = CASE WHEN s.reached >= $5 THEN 1
                     WHEN s.reached + 1 < $4 THEN $4 ELSE s.reached + 1 END
                 RETURNING reached",
                &[
                    tenant.clone(),
                    merchant.clone(),
                    series.into(),
                    i64::from(first.max(1)).into(),
                    i64::from(last.max(1)).into(),
                ],
            )
            .await?
            .ok_or_else(|| DbError::Conflict("no number could be taken".to_owned()))?;
        rows.push(vec![(&effect).into(), row.int(0)?.into(), within.into()]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    tx.many(
        "UPDATE effect SET number = v.column2, acknowledged_within = v.column3 FROM (VALUES ",
        ") AS v WHERE effect.tenant = $1 AND effect.merchant = $2 AND effect.id = v.column1 AND effect.id IN ({first})
             AND effect.number IS NULL",
        &[tenant, merchant],
        rows,
    )
    .await?;
    Ok(())
}
