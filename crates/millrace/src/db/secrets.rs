//! Sealed settings of stores and warehouses, and the data keys they are sealed with.

use std::collections::BTreeMap;

use connect::{Secret, TenantId};

use super::{Database, DbError, R, Scope, config, facts::scope_values, outlets, second_factor, sql::Tx};
use crate::seal::{DataKey, Keyring, Place, SealError, WrappedKey};

impl From<SealError> for DbError {
    fn from(error: SealError) -> Self {
        Self::Refused(error.to_string())
    }
}

pub(super) async fn data_key(tx: &mut Tx, tenant: &str, version: i64, keyring: &Keyring) -> R<DataKey> {
    let row = tx
        .first(
            "SELECT wrapped_by, wrapped FROM data_key WHERE tenant = $1 AND version = $2",
            &[tenant.into(), version.into()],
        )
        .await?
        .ok_or_else(|| DbError::Corrupt(format!("the data key {version} of {tenant} is missing")))?;
    let wrapped = WrappedKey { wrapped_by: row.string(0)?, bytes: row.blob(1)?.to_vec() };
    Ok(keyring.unwrap(tenant, version, &wrapped)?)
}

async fn insert_data_key(tx: &mut Tx, tenant: &str, version: i64, keyring: &Keyring) -> R<DataKey> {
    let random = std::sync::Arc::clone(&tx.random);
    let (key, wrapped) = keyring.new_data_key(tenant, version, &*random)?;
    let now = tx.now;
    tx.execute(
        "INSERT INTO data_key (tenant, version, wrapped_by, wrapped, created_at) VALUES ($1, $2, $3, $4, $5)",
        &[tenant.into(), version.into(), wrapped.wrapped_by.into(), wrapped.bytes.into(), now.into()],
    )
    .await?;
    Ok(key)
}

/// The newest data key of a tenant, made where there is none.
pub(super) async fn current_data_key(tx: &mut Tx, tenant: &str, keyring: &Keyring) -> R<(i64, DataKey)> {
    if tx.is_postgres() {
        tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 3))::text", &[tenant.into()]).await?;
    }
    let row = tx.first("SELECT max(version) FROM data_key WHERE tenant = $1", &[tenant.into()]).await?;
    match row.map_or(Ok(None), |row| row.opt_int(0))? {
        Some(version) => Ok((version, data_key(tx, tenant, version, keyring).await?)),
        None => Ok((1, insert_data_key(tx, tenant, 1, keyring).await?)),
    }
}

/// The secrets of a store or warehouse, opened.
pub(super) async fn open(tx: &mut Tx, scope: &Scope, object: &str, keyring: &Keyring) -> R<BTreeMap<String, Secret>> {
    let [tenant, merchant] = scope_values(scope);
    let rows = tx
        .query(
            "SELECT field, version, key_version, sealed FROM secret
             WHERE tenant = $1 AND merchant = $2 AND object = $3 ORDER BY field",
            &[tenant, merchant, object.into()],
        )
        .await?;
    let tenant = scope.tenant.as_str();
    let mut keys: BTreeMap<i64, DataKey> = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    for row in &rows {
        let key_version = row.int(2)?;
        let key = match keys.remove(&key_version) {
            Some(key) => key,
            None => data_key(tx, tenant, key_version, keyring).await?,
        };
        let place = Place { tenant, object, field: row.text(0)?, version: row.int(1)? };
        secrets.insert(row.string(0)?, key.open(&place, row.blob(3)?)?);
        keys.insert(key_version, key);
    }
    Ok(secrets)
}

/// Which secrets of a store or warehouse are set.
pub(super) async fn fields(tx: &mut Tx, scope: &Scope, object: &str) -> R<Vec<String>> {
    let [tenant, merchant] = scope_values(scope);
    let rows = tx
        .query(
            "SELECT field FROM secret WHERE tenant = $1 AND merchant = $2 AND object = $3 ORDER BY field",
            &[tenant, merchant, object.into()],
        )
        .await?;
    rows.iter().map(|row| row.string(0)).collect()
}

/// Removes a secret.
pub(super) async fn remove(tx: &mut Tx, scope: &Scope, object: &str, field: &str) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    tx.execute(
        "DELETE FROM secret WHERE tenant = $1 AND merchant = $2 AND object = $3 AND field = $4",
        &[tenant, merchant, object.into(), field.into()],
    )
    .await?;
    Ok(())
}

/// Seals a secret, in the place of the one before.
pub(super) async fn put(
    tx: &mut Tx,
    scope: &Scope,
    object: &str,
    field: &str,
    secret: &Secret,
    keyring: &Keyring,
) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let random = std::sync::Arc::clone(&tx.random);
    let (key_version, key) = current_data_key(tx, scope.tenant.as_str(), keyring).await?;
    let row = tx
        .first(
            "SELECT version FROM secret WHERE tenant = $1 AND merchant = $2 AND object = $3 AND field = $4",
            &[tenant.clone(), merchant.clone(), object.into(), field.into()],
        )
        .await?;
    let version = row.map_or(Ok(0), |row| row.int(0))? + 1;
    let place = Place { tenant: scope.tenant.as_str(), object, field, version };
    let sealed = key.seal(&place, secret, &*random)?;
    let now = tx.now;
    tx.execute(
        "INSERT INTO secret (tenant, merchant, object, field, version, key_version, sealed, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant, merchant, object, field) DO UPDATE SET version = excluded.version,
             key_version = excluded.key_version, sealed = excluded.sealed, changed_at = excluded.changed_at",
        &[tenant, merchant, object.into(), field.into(), version.into(), key_version.into(), sealed.into(), now.into()],
    )
    .await?;
    Ok(())
}

impl Database {
    /// Seals a secret of a store or warehouse. It can be replaced, and is opened only to be used.
    pub async fn put_secret(
        &self,
        scope: &Scope,
        object: &str,
        field: &str,
        secret: &Secret,
        keyring: &Keyring,
    ) -> R<()> {
        let (scope, object, field) = (scope.clone(), object.to_owned(), field.to_owned());
        let (secret, keyring) = (secret.clone(), keyring.clone());
        self.write(&scope.clone(), "put_secret", move |tx| {
            Box::pin(async move {
                put(tx, &scope, &object, &field, &secret, &keyring).await?;
                config::touch_endpoint(tx, &scope, &object).await
            })
        })
        .await
    }

    /// Which secrets of a store or warehouse are set.
    pub async fn secret_fields(&self, scope: &Scope, object: &str) -> R<Vec<String>> {
        let (scope, object) = (scope.clone(), object.to_owned());
        self.read(&scope.clone(), "secret_fields", move |tx| Box::pin(async move { fields(tx, &scope, &object).await }))
            .await
    }

    /// The secrets of a store or warehouse, opened: for testing its settings before a connection exists.
    pub async fn secrets(&self, scope: &Scope, object: &str, keyring: &Keyring) -> R<BTreeMap<String, Secret>> {
        let (scope, object, keyring) = (scope.clone(), object.to_owned(), keyring.clone());
        self.read(&scope.clone(), "secrets", move |tx| {
            Box::pin(async move { open(tx, &scope, &object, &keyring).await })
        })
        .await
    }

    /// Wraps every data key of the installation with the keyring's current key, while everything goes on. How many were
    /// wrapped anew; afterwards the keys that wrapped them before can be taken off the keyring.
    pub async fn rotate_keys(&self, keyring: &Keyring) -> R<usize> {
        let mut count = 0;
        for tenant in self.tenants().await? {
            let (id, keyring) = (tenant.id.clone(), keyring.clone());
            count += self
                .write(&tenant.id, "rotate_keys", move |tx| Box::pin(async move { rewrap(tx, &id, &keyring).await }))
                .await?;
        }
        Ok(count)
    }

    /// How many data keys of the installation each wrapping key wraps, by its name.
    pub async fn wrapping_keys(&self) -> R<BTreeMap<String, usize>> {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for tenant in self.tenants().await? {
            let id = tenant.id.clone();
            let wrapped_by = self
                .read(&tenant.id, "wrapping_keys", move |tx| {
                    Box::pin(async move {
                        let rows =
                            tx.query("SELECT wrapped_by FROM data_key WHERE tenant = $1", &[(&id).into()]).await?;
                        rows.iter().map(|row| row.string(0)).collect::<R<Vec<String>>>()
                    })
                })
                .await?;
            for name in wrapped_by {
                *count.entry(name).or_default() += 1;
            }
        }
        Ok(count)
    }

    /// Gives a tenant a new data key and seals all its secrets with it, while everything goes on. How many secrets.
    pub async fn renew_data_key(&self, tenant: &TenantId, keyring: &Keyring) -> R<usize> {
        let (tenant, keyring) = (tenant.clone(), keyring.clone());
        self.write(&tenant.clone(), "renew_data_key", move |tx| {
            Box::pin(async move { reseal(tx, &tenant, &keyring).await })
        })
        .await
    }
}

async fn rewrap(tx: &mut Tx, tenant: &TenantId, keyring: &Keyring) -> R<usize> {
    let random = std::sync::Arc::clone(&tx.random);
    let rows = tx
        .query(
            "SELECT version FROM data_key WHERE tenant = $1 AND wrapped_by <> $2",
            &[tenant.into(), keyring.current().into()],
        )
        .await?;
    for row in &rows {
        let version = row.int(0)?;
        let key = data_key(tx, tenant.as_str(), version, keyring).await?;
        let wrapped = keyring.wrap(tenant.as_str(), version, &key, &*random)?;
        tx.execute(
            "UPDATE data_key SET wrapped_by = $3, wrapped = $4 WHERE tenant = $1 AND version = $2",
            &[tenant.into(), version.into(), wrapped.wrapped_by.into(), wrapped.bytes.into()],
        )
        .await?;
    }
    Ok(rows.len())
}

async fn reseal(tx: &mut Tx, tenant: &TenantId, keyring: &Keyring) -> R<usize> {
    let (newest, _) = current_data_key(tx, tenant.as_str(), keyring).await?;
    insert_data_key(tx, tenant.as_str(), newest + 1, keyring).await?;
    let rows = tx.query("SELECT DISTINCT merchant, object FROM secret WHERE tenant = $1", &[tenant.into()]).await?;
    let mut count = 0;
    for row in &rows {
        let scope = Scope { tenant: tenant.clone(), merchant: row.parsed(0)? };
        let object = row.text(1)?;
        for (field, secret) in open(tx, &scope, object, keyring).await? {
            put(tx, &scope, object, &field, &secret, keyring).await?;
            count += 1;
        }
    }
    count += second_factor::reseal(tx, tenant, keyring).await?;
    count += outlets::reseal(tx, tenant, keyring).await?;
    tx.execute("DELETE FROM data_key WHERE tenant = $1 AND version <= $2", &[tenant.into(), newest.into()]).await?;
    Ok(count)
}
