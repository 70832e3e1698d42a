//! Changes of figures that warehouses give reasons for.

use connect::StockAdjustment;
use jiff::Timestamp;

use super::{ConnectionKey, Database, R, effects::key_values};

/// Most that are shown together.
const MOST: i64 = 5_000;

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
                Ok(())
            })
        })
        .await
    }

    /// The changes of a time and later, newest first.
    pub async fn adjustments(&self, key: &ConnectionKey, since: Timestamp) -> R<Vec<StockAdjustment>> {
        let key = key.clone();
        self.read(&key.clone(), "adjustments", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
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
