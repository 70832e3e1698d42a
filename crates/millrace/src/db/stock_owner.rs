//! Which connection writes the stock of a warehouse of the source.

use super::{ConnectionKey, Database, DbError, R, effects::key_values, sql::Tx};

impl Database {
    /// Takes the right to write the stock of these warehouses of the source: all of them, or none and the reason for people.
    /// A holder is named only inside the same tenant.
    pub async fn own_stock(&self, key: &ConnectionKey, account: &str, warehouses: &[i64]) -> R<Result<(), String>> {
        let (key, account, warehouses) = (key.clone(), account.to_owned(), warehouses.to_vec());
        let outcome = self
            .write(&key.clone(), "own_stock", move |tx| {
                Box::pin(async move {
                    for warehouse_id in warehouses {
                        own(tx, &key, &account, warehouse_id).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match outcome {
            Ok(()) => Ok(Ok(())),
            // The transaction is rolled back, with what it had taken.
            Err(DbError::Conflict(holder)) => Ok(Err(holder)),
            Err(error) => Err(error),
        }
    }

    /// Gives the right to write stock back.
    pub async fn release_stock(&self, key: &ConnectionKey) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "release_stock", move |tx| {
            Box::pin(async move {
                tx.execute(
                    "DELETE FROM stock_owner WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    &key_values(&key),
                )
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn own(tx: &mut Tx, key: &ConnectionKey, account: &str, warehouse_id: i64) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    tx.execute(
        "INSERT INTO stock_owner (account, warehouse_id, tenant, merchant, connection, at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (account, warehouse_id) DO NOTHING",
        &[account.into(), warehouse_id.into(), tenant, merchant, connection, now.into()],
    )
    .await?;
    let sql = if tx.is_postgres() {
        "SELECT tenant, connection, name FROM stock_holder($1, $2)"
    } else {
        "SELECT o.tenant, o.connection, c.name FROM stock_owner AS o
         JOIN connection AS c ON c.tenant = o.tenant AND c.merchant = o.merchant AND c.id = o.connection
         WHERE o.account = $1 AND o.warehouse_id = $2"
    };
    let row = tx
        .first(sql, &[account.into(), warehouse_id.into()])
        .await?
        .ok_or_else(|| DbError::unavailable("the owner of this stock is just changing"))?;
    if row.text(1)? == key.connection.as_str() {
        return Ok(());
    }
    let holder = if row.text(0)? == key.scope.tenant.as_str() {
        format!("connection {}", row.text(2)?)
    } else {
        "another connection of this installation".to_owned()
    };
    Err(DbError::Conflict(format!("the stock of warehouse {warehouse_id} of {account} is written by {holder}")))
}
