//! Stores and warehouses: remote accounts with their plain settings.

use std::collections::BTreeMap;

use connect::{MerchantId, StoreId, TenantId, WarehouseId};
use serde::Serialize;

use super::{
    Access, Database, DbError, R, Scope,
    config::touch_endpoint,
    desk,
    facts::scope_values,
    oauth,
    queries::{self, Stretch},
    sql::{Tx, json},
    views::Page,
};

/// A store or warehouse account to keep. Secrets are put beside it with [`Database::put_secret`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEndpoint {
    /// What people call it; unique in the tenant.
    pub name: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings by field name.
    pub values: BTreeMap<String, String>,
    /// The remote account's code; for stores only.
    pub account: String,
}

/// A store or warehouse account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointSummary {
    /// Its id.
    pub id: String,
    /// Whose.
    pub merchant: MerchantId,
    /// What people call it.
    pub name: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings by field name.
    pub values: BTreeMap<String, String>,
    /// The remote account's code; empty for warehouses.
    pub account: String,
}

const STORES: &str = "SELECT id, merchant, name, platform, settings, account FROM store
    WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND name > $3 ORDER BY name LIMIT $4";

const WAREHOUSES: &str = "SELECT id, merchant, name, platform, settings, '' FROM warehouse
    WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND name > $3 ORDER BY name LIMIT $4";

pub(super) fn taken(what: &str, name: &str) -> impl Fn(DbError) -> DbError {
    let text = format!("there is a {what} called {name:?} already, or that name is used elsewhere in this tenant");
    move |error| if matches!(error, DbError::Conflict(_)) { DbError::Conflict(text.clone()) } else { error }
}

/// What refers to a row keeps it from being removed.
pub(super) fn in_use(what: &str) -> impl Fn(DbError) -> DbError {
    let text = format!("{what} is in use: what refers to it must go first, and what has orders is kept");
    move |error| if matches!(error, DbError::Refused(_)) { DbError::Refused(text.clone()) } else { error }
}

/// Writes a new store down.
pub(super) async fn insert_store(tx: &mut Tx, scope: &Scope, new: NewEndpoint) -> R<StoreId> {
    let [tenant, merchant] = scope_values(scope);
    let id = StoreId::generate(tx.now, &*tx.random);
    let now = tx.now;
    tx.execute(
        "INSERT INTO store (tenant, merchant, id, name, platform, account, settings, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            tenant,
            merchant,
            (&id).into(),
            (&new.name).into(),
            new.platform.into(),
            new.account.to_lowercase().into(),
            json(&new.values)?.into(),
            now.into(),
        ],
    )
    .await
    .map_err(taken("store", &new.name))?;
    Ok(id)
}

/// Writes a store's name, account and plain settings anew.
pub(super) async fn rewrite_store(tx: &mut Tx, scope: &Scope, id: &StoreId, new: NewEndpoint) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let account = new.account.to_lowercase();
    let done = tx
        .execute(
            "UPDATE store SET name = $4, account = $5, settings = $6 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant, merchant, id.into(), (&new.name).into(), account.into(), json(&new.values)?.into()],
        )
        .await
        .map_err(taken("store", &new.name))?;
    if done == 0 {
        return Err(DbError::NotFound(format!("store {id}")));
    }
    touch_endpoint(tx, scope, id.as_str()).await
}

/// Writes a new warehouse down.
pub(super) async fn insert_warehouse(tx: &mut Tx, scope: &Scope, new: NewEndpoint) -> R<WarehouseId> {
    let [tenant, merchant] = scope_values(scope);
    let id = WarehouseId::generate(tx.now, &*tx.random);
    let now = tx.now;
    tx.execute(
        "INSERT INTO warehouse (tenant, merchant, id, name, platform, settings, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            tenant,
            merchant,
            (&id).into(),
            (&new.name).into(),
            new.platform.into(),
            json(&new.values)?.into(),
            now.into(),
        ],
    )
    .await
    .map_err(taken("warehouse", &new.name))?;
    Ok(id)
}

/// Writes a warehouse's name and plain settings anew.
pub(super) async fn rewrite_warehouse(tx: &mut Tx, scope: &Scope, id: &WarehouseId, new: NewEndpoint) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let done = tx
        .execute(
            "UPDATE warehouse SET name = $4, settings = $5 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant, merchant, id.into(), (&new.name).into(), json(&new.values)?.into()],
        )
        .await
        .map_err(taken("warehouse", &new.name))?;
    if done == 0 {
        return Err(DbError::NotFound(format!("warehouse {id}")));
    }
    touch_endpoint(tx, scope, id.as_str()).await
}

impl Database {
    /// Makes a store.
    pub async fn create_store(&self, scope: &Scope, new: NewEndpoint) -> R<StoreId> {
        let scope = scope.clone();
        self.write(&scope.clone(), "create_store", move |tx| {
            Box::pin(async move { insert_store(tx, &scope, new).await })
        })
        .await
    }

    /// Makes a warehouse.
    pub async fn create_warehouse(&self, scope: &Scope, new: NewEndpoint) -> R<WarehouseId> {
        let scope = scope.clone();
        self.write(&scope.clone(), "create_warehouse", move |tx| {
            Box::pin(async move { insert_warehouse(tx, &scope, new).await })
        })
        .await
    }

    /// Changes a store's name, account and plain settings. Its connections are built anew.
    pub async fn update_store(&self, scope: &Scope, id: &StoreId, new: NewEndpoint) -> R<()> {
        let (scope, id) = (scope.clone(), id.clone());
        self.write(&scope.clone(), "update_store", move |tx| {
            Box::pin(async move { rewrite_store(tx, &scope, &id, new).await })
        })
        .await
    }

    /// Changes a warehouse's name and plain settings. Its connections are built anew.
    pub async fn update_warehouse(&self, scope: &Scope, id: &WarehouseId, new: NewEndpoint) -> R<()> {
        let (scope, id) = (scope.clone(), id.clone());
        self.write(&scope.clone(), "update_warehouse", move |tx| {
            Box::pin(async move { rewrite_warehouse(tx, &scope, &id, new).await })
        })
        .await
    }

    /// The stores of an organisation, or of one of its brands, by name.
    pub async fn stores(&self, access: &Access) -> R<Vec<EndpointSummary>> {
        self.endpoints_in(access, STORES, Stretch::whole()).await
    }

    /// A page of them.
    pub async fn list_stores(&self, access: &Access, after: Option<&str>, limit: u32) -> R<Page<EndpointSummary>> {
        let found = self.endpoints_in(access, STORES, Stretch::page(after, limit)).await?;
        Ok(queries::page(found, limit, |store| store.name.clone()))
    }

    /// The warehouses of an organisation, or of one of its brands, by name.
    pub async fn warehouses(&self, access: &Access) -> R<Vec<EndpointSummary>> {
        self.endpoints_in(access, WAREHOUSES, Stretch::whole()).await
    }

    /// A page of them.
    pub async fn list_warehouses(&self, access: &Access, after: Option<&str>, limit: u32) -> R<Page<EndpointSummary>> {
        let found = self.endpoints_in(access, WAREHOUSES, Stretch::page(after, limit)).await?;
        Ok(queries::page(found, limit, |warehouse| warehouse.name.clone()))
    }

    async fn endpoints_in(&self, access: &Access, sql: &'static str, stretch: Stretch) -> R<Vec<EndpointSummary>> {
        let access = access.clone();
        self.read(access.clone(), "endpoints", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                tx.query(sql, &[tenant.into(), merchant.into(), stretch.after.into(), stretch.rows.into()])
                    .await?
                    .iter()
                    .map(|row| {
                        Ok(EndpointSummary {
                            id: row.string(0)?,
                            merchant: row.parsed(1)?,
                            name: row.string(2)?,
                            platform: row.string(3)?,
                            values: row.json(4)?,
                            account: row.string(5)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Removes a store that no connection uses, with its secrets.
    pub async fn delete_store(&self, scope: &Scope, id: &StoreId) -> R<()> {
        let sql = "DELETE FROM store WHERE tenant = $1 AND merchant = $2 AND id = $3";
        self.delete_endpoint(scope, id.as_str(), "store", sql).await
    }

    /// Removes a warehouse that no connection uses, with its secrets.
    pub async fn delete_warehouse(&self, scope: &Scope, id: &WarehouseId) -> R<()> {
        let sql = "DELETE FROM warehouse WHERE tenant = $1 AND merchant = $2 AND id = $3";
        self.delete_endpoint(scope, id.as_str(), "warehouse", sql).await
    }

    async fn delete_endpoint(&self, scope: &Scope, id: &str, what: &'static str, sql: &'static str) -> R<()> {
        let (scope, id) = (scope.clone(), id.to_owned());
        self.write(&scope.clone(), "delete_endpoint", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                tx.execute(
                    "DELETE FROM secret WHERE tenant = $1 AND merchant = $2 AND object = $3",
                    &[tenant.clone(), merchant.clone(), (&id).into()],
                )
                .await?;
                oauth::forget(tx, &scope, &id).await?;
                // The address that its remote system calls, and the secret that those calls carry.
                tx.execute(
                    "DELETE FROM secret WHERE tenant = $1 AND merchant = $2 AND object IN
                         (SELECT h.id FROM hook AS h WHERE h.tenant = $1 AND h.merchant = $2 AND h.object = $3)",
                    &[tenant.clone(), merchant.clone(), (&id).into()],
                )
                .await?;
                tx.execute(
                    "DELETE FROM hook WHERE tenant = $1 AND merchant = $2 AND object = $3",
                    &[tenant.clone(), merchant.clone(), (&id).into()],
                )
                .await?;
                desk::clear(tx, &scope, &id).await.map_err(in_use(&format!("this {what}")))?;
                let done = tx
                    .execute(sql, &[tenant, merchant, (&id).into()])
                    .await
                    .map_err(in_use(&format!("this {what}")))?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("{what} ({id})")));
                }
                tx.event(what, id, "deleted");
                Ok(())
            })
        })
        .await
    }

    /// The store of this name.
    pub async fn store_by_name(&self, tenant: &TenantId, name: &str) -> R<(Scope, StoreId)> {
        self.by_name(tenant, "store", name, "SELECT merchant, id FROM store WHERE tenant = $1 AND name = $2").await
    }

    /// The warehouse of this name.
    pub async fn warehouse_by_name(&self, tenant: &TenantId, name: &str) -> R<(Scope, WarehouseId)> {
        self.by_name(tenant, "warehouse", name, "SELECT merchant, id FROM warehouse WHERE tenant = $1 AND name = $2")
            .await
    }
}
