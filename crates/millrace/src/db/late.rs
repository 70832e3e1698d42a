//! Corrections that were given up, and what is done when one shows after all.

use std::{collections::BTreeSet, time::Duration};

use connect::{Effect, EffectId};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::{
    ConnectionKey, Database, DbError, NewCorrection, Origin, R, corrections, effects::key_values, inbox, sql::Tx,
};

/// A correction that was given up after it may have been sent, and whose marker is still looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedCorrection {
    /// As the connector knows it.
    pub effect: Effect,
    /// Times it was sent.
    pub attempt: u32,
    /// When it was last sent.
    pub armed_at: Timestamp,
    /// The source's warehouse.
    pub warehouse_id: i64,
    /// The product.
    pub product_id: i64,
    /// What it moves, signed.
    pub difference: Decimal,
    /// When later corrections of the product were planned: each was worked out from the source's figure of that time.
    pub later: Vec<Timestamp>,
}

/// What to do about a marker that showed late.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundLate {
    /// The correction that was given up.
    pub effect: EffectId,
    /// What was found, and what is done about it, for people.
    pub note: String,
    /// What takes it back, where something should.
    pub inverse: Option<NewCorrection>,
}

impl Database {
    /// Corrections that were given up within the last `span` after they may have been sent, and whose marker has not shown.
    pub async fn watched_corrections(&self, key: &ConnectionKey, span: Duration) -> R<Vec<WatchedCorrection>> {
        let key = key.clone();
        self.read(&key.clone(), "watched_corrections", move |tx| Box::pin(async move { watched(tx, &key, span).await }))
            .await
    }

    /// Writes down that a marker showed after its correction was given up, with what takes it back, and raises it as an
    /// exception. `false` when the product was corrected meanwhile: nothing is written, and the next look decides.
    ///
    /// # Errors
    /// [`DbError::Fenced`] when it was written down before.
    pub async fn found_late(&self, key: &ConnectionKey, found: FoundLate) -> R<bool> {
        let key = key.clone();
        self.write(&key.clone(), "found_late", move |tx| Box::pin(async move { late(tx, &key, found).await })).await
    }
}

async fn watched(tx: &mut Tx, key: &ConnectionKey, span: Duration) -> R<Vec<WatchedCorrection>> {
    let [tenant, merchant, connection] = key_values(key);
    let from = SignedDuration::try_from(span).ok().and_then(|span| tx.now.checked_sub(span).ok());
    let rows = tx
        .query(
            "SELECT e.id, e.kind, e.key, e.batch, e.body, e.attempt, e.armed_at, c.warehouse_id, c.product_id, c.difference
             FROM effect AS e
             JOIN correction AS c ON c.tenant = e.tenant AND c.merchant = e.merchant AND c.effect = e.id
             WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.changed_at > $4
                 AND e.kind = 'correct_stock' AND e.state = 'voided' AND e.attempt > 0 AND e.armed_at IS NOT NULL
                 AND c.found_at IS NULL",
            &[tenant.clone(), merchant.clone(), connection.clone(), from.unwrap_or(Timestamp::MIN).into()],
        )
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let effect = Effect {
            id: row.parsed(0)?,
            kind: row.parsed(1)?,
            key: row.string(2)?,
            batch: row.opt_string(3)?,
            body: row.string(4)?,
            number: None,
            tried: None,
            others: BTreeSet::new(),
        };
        let (warehouse_id, product_id) = (row.int(7)?, row.int(8)?);
        let later = tx
            .query(
                "SELECT created_at FROM effect
                 WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND warehouse_id = $4 AND product_id = $5
                     AND product_id IS NOT NULL AND kind = 'correct_stock' AND id > $6",
                &[
                    tenant.clone(),
                    merchant.clone(),
                    connection.clone(),
                    warehouse_id.into(),
                    product_id.into(),
                    (&effect.id).into(),
                ],
            )
            .await?;
        found.push(WatchedCorrection {
            attempt: row.u32(5)?,
            armed_at: row.time(6)?,
            warehouse_id,
            product_id,
            difference: row.parsed(9)?,
            later: later.iter().map(|row| row.time(0)).collect::<R<_>>()?,
            effect,
        });
    }
    found.sort_by(|a, b| a.effect.id.cmp(&b.effect.id));
    Ok(found)
}

async fn late(tx: &mut Tx, key: &ConnectionKey, found: FoundLate) -> R<bool> {
    let [tenant, merchant, _] = key_values(key);
    let now = tx.now;
    if let Some(inverse) = found.inverse {
        let planned = corrections::plan(tx, key, None, Origin::Late, vec![inverse]).await?;
        if !planned.is_empty() {
            return Ok(false);
        }
    }
    let done = tx
        .execute(
            "UPDATE correction SET found_at = $4, found_note = $5
             WHERE tenant = $1 AND merchant = $2 AND effect = $3 AND found_at IS NULL",
            &[tenant, merchant, (&found.effect).into(), now.into(), (&found.note).into()],
        )
        .await?;
    if done == 0 {
        // Somebody else has written it down; what was planned above goes with this transaction.
        return Err(DbError::Fenced(format!("the correction {}", found.effect)));
    }
    inbox::raise(tx, key, "late_correction", found.effect.as_str(), &found.note, None).await?;
    Ok(true)
}
