//! Changes of figures that warehouses give reasons for.

use connect::StockAdjustment;
use jiff::{SignedDuration, Timestamp};

use super::{ConnectionKey, Database, R, effects::key_values, sql::Tx};

/// So far back they explain a difference, by the day on which the warehouse made them; older ones are not kept. What is older is
/// in every count.
const ADJUSTMENTS_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Most that are shown together.
const MOST: i64 = 5_000;

/// Most old ones that go when new ones come.
const TAKEN_AWAY: i64 = 1_000;

impl Database {
    /// Keeps what the warehouse says of its own changes. One that is known is left as it is.
    pub async fn keep_adjustments(&self, key: &ConnectionKey, adjustments: Vec<StockAdjustment>) -> R<()> {
        if adjustments.is_empty() {
            return Ok(());
        }
        let key = key.clone();
        self.write(&key.clone(), "keep_adjustments", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let now = tx.now;
                let rows = adjustments
                    .into_iter()
                    .map(|one| {
                        vec![
                            tenant.clone(),
                            merchant.clone(),
                            connection.clone(),
                            one.reference.into(),
                            i64::from(one.line).into(),
                            one.sku.into(),
                            one.change.to_string().into(),
                            one.reason.into(),
                            one.made_on.into(),
                            now.into(),
                        ]
                    })
                    .collect();
                tx.many(
                    "INSERT INTO stock_adjustment (tenant, merchant, connection, reference, line, sku, change, reason,
                         made_on, at) VALUES ",
                    " ON CONFLICT (tenant, merchant, connection, reference, line) DO NOTHING",
                    &[],
                    rows,
                )
                .await?;
                take_away(tx, &key).await
            })
        })
        .await
    }

    /// The changes that explain something while they are kept, newest first.
    pub async fn adjustments(&self, key: &ConnectionKey) -> R<Vec<StockAdjustment>> {
        let key = key.clone();
        self.read(&key.clone(), "adjustments", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let since = explain_since(tx.now);
                let rows = tx
                    .query(
                        "SELECT reference, line, sku, change, reason, made_on FROM stock_adjustment
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND made_on >= $4
                         ORDER BY made_on DESC, reference, line LIMIT $5",
                        &[tenant, merchant, connection, since.into(), MOST.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(StockAdjustment {
                            reference: row.string(0)?,
                            line: row.u32(1)?,
                            sku: row.string(2)?,
                            change: row.parsed(3)?,
                            reason: row.string(4)?,
                            made_on: row.time(5)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }
}

fn explain_since(now: Timestamp) -> Timestamp {
    now.checked_sub(ADJUSTMENTS_KEPT).unwrap_or(Timestamp::UNIX_EPOCH)
}

async fn take_away(tx: &mut Tx, key: &ConnectionKey) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let before = explain_since(tx.now);
    tx.execute(
        "DELETE FROM stock_adjustment WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND made_on < $4
             AND reference IN (
                 SELECT a.reference FROM stock_adjustment AS a
                 WHERE a.tenant = $1 AND a.merchant = $2 AND a.connection = $3 AND a.made_on < $4
                 ORDER BY a.made_on LIMIT $5)",
        &[tenant, merchant, connection, before.into(), TAKEN_AWAY.into()],
    )
    .await?;
    Ok(())
}
