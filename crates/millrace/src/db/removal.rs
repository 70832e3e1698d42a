//! Giving merchants and connections other names, and taking them away: whole where nothing happened with them, put away where
//! something did.

use connect::{MerchantId, TenantId};

use super::{
    ConnectionKey, Database, DbError, R, Scope,
    config::touch,
    effects::key_values,
    endpoints::{in_use, taken},
    facts::scope_values,
    sql::Tx,
};

/// What became of a connection that was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Nothing of it is left.
    Deleted,
    /// It is put away, with everything that happened.
    Archived,
}

/// What keeps a merchant, and how people call it.
const OF_A_MERCHANT: [(&str, &str); 6] = [
    ("stores", "SELECT count(*) FROM store WHERE tenant = $1 AND merchant = $2"),
    ("warehouses", "SELECT count(*) FROM warehouse WHERE tenant = $1 AND merchant = $2"),
    ("people who are limited to it", "SELECT count(*) FROM person_merchant WHERE tenant = $1 AND merchant = $2"),
    (
        "API keys that are limited to it",
        "SELECT count(*) FROM api_key WHERE tenant = $1 AND merchant = $2 AND revoked_at IS NULL",
    ),
    ("webhooks and alert channels", "SELECT count(*) FROM outlet WHERE tenant = $1 AND merchant = $2"),
    ("alert policies", "SELECT count(*) FROM alert_policy WHERE tenant = $1 AND merchant = $2"),
];

/// What a connection has beside its history.
const OF_A_CONNECTION: [&str; 10] = [
    "DELETE FROM preflight WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM channel_run WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM channel WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM pause WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM listing WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM kit WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM ship_method WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM source_method WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM location WHERE tenant = $1 AND merchant = $2 AND connection = $3",
    "DELETE FROM stock_owner WHERE tenant = $1 AND merchant = $2 AND connection = $3",
];

impl Database {
    /// Calls a brand something else.
    pub async fn rename_merchant(&self, tenant: &TenantId, merchant: &MerchantId, name: &str) -> R<()> {
        let (tenant, merchant, name) = (tenant.clone(), merchant.clone(), name.to_owned());
        self.write(&tenant.clone(), "rename_merchant", move |tx| {
            Box::pin(async move {
                let done = tx
                    .execute(
                        "UPDATE merchant SET name = $3 WHERE tenant = $1 AND merchant = $2",
                        &[(&tenant).into(), (&merchant).into(), (&name).into()],
                    )
                    .await
                    .map_err(taken("merchant", &name))?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("merchant {merchant}")));
                }
                tx.event_about(&merchant, "changed");
                Ok(())
            })
        })
        .await
    }

    /// Calls a connection something else.
    pub async fn rename_connection(&self, key: &ConnectionKey, name: &str) -> R<()> {
        let (key, name) = (key.clone(), name.to_owned());
        self.write(&key.clone(), "rename_connection", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, id] = key_values(&key);
                tx.execute(
                    "UPDATE connection SET name = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, id, (&name).into()],
                )
                .await
                .map_err(taken("connection", &name))?;
                touch(tx, &key).await
            })
        })
        .await
    }

    /// Removes a brand that nothing belongs to any more; [`DbError::Refused`] says what still does.
    pub async fn delete_merchant(&self, tenant: &TenantId, merchant: &MerchantId) -> R<()> {
        let scope = Scope { tenant: tenant.clone(), merchant: merchant.clone() };
        self.write(tenant, "delete_merchant", move |tx| {
            Box::pin(async move {
                let values = scope_values(&scope);
                let mut kept = Vec::new();
                for (what, sql) in OF_A_MERCHANT {
                    let count = tx.first(sql, &values).await?.map_or(Ok(0), |row| row.int(0))?;
                    if count > 0 {
                        kept.push(format!("{what}: {count}"));
                    }
                }
                if !kept.is_empty() {
                    return Err(DbError::Refused(format!("the merchant is in use ({})", kept.join(", "))));
                }
                forget_hand_offs(tx, &scope).await?;
                for sql in [
                    "DELETE FROM inbox WHERE tenant = $1 AND merchant = $2",
                    "DELETE FROM hook WHERE tenant = $1 AND merchant = $2",
                ] {
                    tx.execute(sql, &values).await?;
                }
                let done = tx
                    .execute("DELETE FROM merchant WHERE tenant = $1 AND merchant = $2", &values)
                    .await
                    .map_err(in_use("the merchant"))?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("merchant {}", scope.merchant)));
                }
                tx.event_about(&scope.merchant, "deleted");
                Ok(())
            })
        })
        .await
    }

    /// Removes a connection with which nothing happened, with its channels and mappings.
    pub async fn delete_connection(&self, key: &ConnectionKey) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "delete_connection", move |tx| {
            Box::pin(async move {
                let values = key_values(&key);
                for sql in OF_A_CONNECTION {
                    tx.execute(sql, &values).await?;
                }
                let done = tx
                    .execute("DELETE FROM connection WHERE tenant = $1 AND merchant = $2 AND id = $3", &values)
                    .await
                    .map_err(in_use("this connection"))?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("connection {}", key.connection)));
                }
                tx.wakes.configuration = true;
                tx.event("connection", key.connection.as_str(), "deleted");
                Ok(())
            })
        })
        .await
    }

    /// Puts a connection away that is switched off: its channels are off, its stock is nobody's, and its name is free for
    /// another. What happened with it stays.
    pub async fn archive_connection(&self, key: &ConnectionKey, name: &str) -> R<()> {
        let (key, name) = (key.clone(), name.to_owned());
        self.write(&key.clone(), "archive_connection", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, id] = key_values(&key);
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE connection SET archived_at = $4, name = $5
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND enabled = 0 AND archived_at IS NULL",
                        &[tenant.clone(), merchant.clone(), id.clone(), now.into(), (&name).into()],
                    )
                    .await
                    .map_err(taken("connection", &name))?;
                if done == 0 {
                    return Err(DbError::Refused("it is switched on, or was put away already".to_owned()));
                }
                for sql in [
                    "UPDATE channel SET enabled = 0 WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    "DELETE FROM stock_owner WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                ] {
                    tx.execute(sql, &[tenant.clone(), merchant.clone(), id.clone()]).await?;
                }
                touch(tx, &key).await?;
                tx.event("connection", key.connection.as_str(), "archived");
                Ok(())
            })
        })
        .await
    }

    /// How many changes at remote systems of a connection are neither done nor given up.
    pub async fn effects_under_way(&self, key: &ConnectionKey) -> R<i64> {
        let key = key.clone();
        self.read(&key.clone(), "effects_under_way", move |tx| {
            Box::pin(async move {
                let row = tx
                    .first(
                        "SELECT count(*) FROM effect WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND state NOT IN ('applied', 'superseded', 'voided', 'absent_confirmed')",
                        &key_values(&key),
                    )
                    .await?;
                row.map_or(Ok(0), |row| row.int(0))
            })
        })
        .await
    }
}

/// Links through which credentials of this brand's stores were asked for, used or not.
async fn forget_hand_offs(tx: &mut Tx, scope: &Scope) -> R<()> {
    let values = scope_values(scope);
    let links = tx.query("SELECT id FROM hand_off WHERE tenant = $1 AND merchant = $2", &values).await?;
    tx.execute("DELETE FROM hand_off WHERE tenant = $1 AND merchant = $2", &values).await?;
    let [tenant, _] = values;
    for link in &links {
        let sql = "DELETE FROM person_link WHERE tenant = $1 AND id = $2";
        tx.execute(sql, &[tenant.clone(), link.string(0)?.into()]).await?;
    }
    Ok(())
}
