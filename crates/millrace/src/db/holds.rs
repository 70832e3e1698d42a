//! Products whose stock is not written until a person releases them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{ConnectionKey, Database, DbError, R, audit, effects::key_values, sql::Tx};

/// A product that a person keeps out of stock.
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

impl Database {
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
