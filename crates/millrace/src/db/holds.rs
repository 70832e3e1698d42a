//! Products whose stock is not written until a person releases them.

use std::collections::{BTreeMap, BTreeSet};

use connect::EffectId;
use jiff::Timestamp;

use super::{ConnectionKey, Database, DbError, R, audit, effects::key_values, sql::Tx};

/// Who holds a product that nobody held.
const ITSELF: &str = "millrace";

/// A product whose stock is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockHold {
    /// The source's warehouse.
    pub warehouse_id: i64,
    /// The product.
    pub product_id: i64,
    /// As people know it.
    pub sku: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    pub at: Timestamp,
}

/// Why each of these products is held; those that are not are left out.
pub(super) async fn of_products(
    tx: &mut Tx,
    key: &ConnectionKey,
    warehouse_id: i64,
    products: &BTreeSet<i64>,
) -> R<BTreeMap<i64, String>> {
    let [tenant, merchant, connection] = key_values(key);
    let rows = tx
        .among(
            "SELECT product_id, reason FROM stock_hold
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND warehouse_id = $4 AND product_id IN (",
            ")",
            &[tenant, merchant, connection, warehouse_id.into()],
            products.iter().copied(),
        )
        .await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.string(1)?))).collect()
}

/// Holds a product; one that is held stays held as it is.
pub(super) async fn hold(
    tx: &mut Tx,
    key: &ConnectionKey,
    (warehouse_id, product_id): (i64, i64),
    sku: &str,
    reason: &str,
    actor: &str,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    tx.execute(
        "INSERT INTO stock_hold (tenant, merchant, connection, warehouse_id, product_id, sku, reason, actor, at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant, merchant, connection, warehouse_id, product_id) DO NOTHING",
        &[
            tenant,
            merchant,
            connection,
            warehouse_id.into(),
            product_id.into(),
            sku.into(),
            reason.into(),
            actor.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// A product whose last two corrections were refused, the latest of them alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAgain {
    /// The latest refused correction.
    pub effect: EffectId,
    /// The source's warehouse.
    pub warehouse_id: i64,
    /// The product.
    pub product_id: i64,
    /// What was said.
    pub note: String,
}

impl Database {
    /// The products whose correction was refused, and the one sent before it failed as well: another one would only be refused
    /// once more.
    pub async fn refused_again(&self, key: &ConnectionKey) -> R<Vec<RefusedAgain>> {
        let key = key.clone();
        self.read(&key.clone(), "refused_again", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT id, warehouse_id, product_id, note FROM effect AS e
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state = 'refused'
                             AND kind = 'correct_stock' AND product_id IS NOT NULL
                             AND EXISTS (SELECT 1 FROM correction AS c WHERE c.tenant = e.tenant
                                 AND c.merchant = e.merchant AND c.effect = e.id AND c.origin = 'run')
                             AND NOT EXISTS (SELECT 1 FROM effect AS l WHERE l.tenant = e.tenant AND l.merchant = e.merchant
                                 AND l.connection = e.connection AND l.warehouse_id = e.warehouse_id
                                 AND l.product_id = e.product_id AND l.product_id IS NOT NULL AND l.id > e.id)
                             AND (SELECT b.state FROM effect AS b WHERE b.tenant = e.tenant AND b.merchant = e.merchant
                                 AND b.connection = e.connection AND b.warehouse_id = e.warehouse_id
                                 AND b.product_id = e.product_id AND b.product_id IS NOT NULL AND b.id < e.id
                                 AND b.attempt > 0 ORDER BY b.id DESC LIMIT 1) IN ('refused', 'voided')",
                        &key_values(&key),
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(RefusedAgain {
                            effect: row.parsed(0)?,
                            warehouse_id: row.int(1)?,
                            product_id: row.int(2)?,
                            note: row.string(3)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Holds a product whose correction was refused again, `sku` being its name for people. The correction is given up: once a
    /// person releases the product, the next count works out a new one.
    pub async fn hold_refused(&self, key: &ConnectionKey, refused: RefusedAgain, sku: &str) -> R<()> {
        let (key, sku) = (key.clone(), sku.to_owned());
        self.write(&key.clone(), "hold_refused", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let now = tx.now;
                let given_up = tx
                    .execute(
                        "UPDATE effect SET state = 'voided', changed_at = $4, fence = fence + 1, owner = NULL,
                             lease_until = NULL, voided_by = $5
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND state = 'refused'",
                        &[tenant, merchant, (&refused.effect).into(), now.into(), ITSELF.into()],
                    )
                    .await?;
                if given_up > 0 {
                    let reason = format!("its correction was {}, for the second time", refused.note);
                    let place = (refused.warehouse_id, refused.product_id);
                    hold(tx, &key, place, &sku, &reason, ITSELF).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The products of a connection that are held, by SKU.
    pub async fn stock_holds(&self, key: &ConnectionKey) -> R<Vec<StockHold>> {
        let key = key.clone();
        self.read(&key.clone(), "stock_holds", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT warehouse_id, product_id, sku, reason, actor, at FROM stock_hold
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                        &key_values(&key),
                    )
                    .await?;
                let mut holds = rows
                    .iter()
                    .map(|row| {
                        Ok(StockHold {
                            warehouse_id: row.int(0)?,
                            product_id: row.int(1)?,
                            sku: row.string(2)?,
                            reason: row.string(3)?,
                            actor: row.string(4)?,
                            at: row.time(5)?,
                        })
                    })
                    .collect::<R<Vec<_>>>()?;
                holds.sort_by(|a, b| (&a.sku, a.warehouse_id).cmp(&(&b.sku, b.warehouse_id)));
                Ok(holds)
            })
        })
        .await
    }

    /// A person lets products go again, by warehouse and product. How many were held.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when none of them was held.
    pub async fn release_holds(&self, key: &ConnectionKey, places: &[(i64, i64)], actor: &str) -> R<u64> {
        let (key, places, actor) = (key.clone(), places.to_vec(), actor.to_owned());
        self.write(&key.clone(), "release_holds", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let mut released = 0;
                for (warehouse_id, product_id) in &places {
                    released += tx
                        .execute(
                            "DELETE FROM stock_hold WHERE tenant = $1 AND merchant = $2 AND connection = $3
                                 AND warehouse_id = $4 AND product_id = $5",
                            &[
                                tenant.clone(),
                                merchant.clone(),
                                connection.clone(),
                                (*warehouse_id).into(),
                                (*product_id).into(),
                            ],
                        )
                        .await?;
                }
                if released == 0 {
                    return Err(DbError::NotFound("a held product of this name".to_owned()));
                }
                let products: Vec<i64> = places.iter().map(|(_, product)| *product).collect();
                let detail = serde_json::json!({ "products": products }).to_string();
                let connection = key.connection.as_str();
                audit::append(tx, key.scope.tenant.as_str(), &actor, "stock.release", connection, &detail).await?;
                Ok(released)
            })
        })
        .await
    }
}
