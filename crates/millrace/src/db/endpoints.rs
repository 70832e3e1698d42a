//! Stores and warehouses: remote accounts with their plain settings.

use std::collections::BTreeMap;

use connect::{MerchantId, Secret, Settings, StoreId, TenantId, WarehouseId};
use serde::Serialize;

use super::{
    Access, Database, DbError, R, Scope, TargetKind, audit,
    config::touch_endpoint,
    desk,
    facts::scope_values,
    oauth,
    queries::{self, Stretch},
    secrets,
    sql::{Tx, json},
    views::Page,
};
use crate::seal::Keyring;

/// A change of a store or warehouse, or a new one.
#[derive(Clone)]
pub struct EndpointChange {
    /// Which of the two.
    pub kind: TargetKind,
    /// Its id, and the plain settings that the change was decided on; `None`: it is made.
    pub known: Option<(String, BTreeMap<String, String>)>,
    /// What it becomes. Without a name, the one that is there stays.
    pub new: NewEndpoint,
    /// Secrets to replace; an empty one is removed.
    pub secrets: BTreeMap<String, Secret>,
    /// The settings lead to another server, so no secret may stay that is not given anew.
    pub moves: bool,
}

/// A store or warehouse account to keep.
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

/// Writes settings, account and name anew, where the settings are still those that this was decided on.
async fn rewrite(
    tx: &mut Tx,
    scope: &Scope,
    kind: TargetKind,
    id: &str,
    before: &BTreeMap<String, String>,
    new: &NewEndpoint,
) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let what = kind.as_str();
    let mut values =
        vec![tenant, merchant, id.into(), (&new.name).into(), json(&new.values)?.into(), json(before)?.into()];
    let sql = match kind {
        TargetKind::Store => {
            values.push(new.account.to_lowercase().into());
            "UPDATE store SET name = CASE WHEN $4 = '' THEN name ELSE $4 END, settings = $5, account = $7
             WHERE tenant = $1 AND merchant = $2 AND id = $3 AND settings = $6"
        }
        TargetKind::Warehouse => {
            "UPDATE warehouse SET name = CASE WHEN $4 = '' THEN name ELSE $4 END, settings = $5
             WHERE tenant = $1 AND merchant = $2 AND id = $3 AND settings = $6"
        }
    };
    if tx.execute(sql, &values).await.map_err(taken(what, &new.name))? > 0 {
        return Ok(());
    }
    let sql = match kind {
        TargetKind::Store => "SELECT 1 FROM store WHERE tenant = $1 AND merchant = $2 AND id = $3",
        TargetKind::Warehouse => "SELECT 1 FROM warehouse WHERE tenant = $1 AND merchant = $2 AND id = $3",
    };
    values.truncate(3);
    match tx.first(sql, &values).await? {
        Some(_) => Err(changed_meanwhile(what)),
        None => Err(DbError::NotFound(format!("{what} {id}"))),
    }
}

fn changed_meanwhile(what: &str) -> DbError {
    DbError::Conflict(format!("the {what} was changed meanwhile: look at it, and try again"))
}

/// Makes a store or warehouse, or changes it, with its secrets. Its id. Its connections are built anew.
pub(super) async fn keep(tx: &mut Tx, scope: &Scope, change: EndpointChange, keyring: &Keyring) -> R<String> {
    let EndpointChange { kind, known, new, secrets, moves } = change;
    let id = match (known, kind) {
        (None, TargetKind::Store) => insert_store(tx, scope, new).await?.to_string(),
        (None, TargetKind::Warehouse) => insert_warehouse(tx, scope, new).await?.to_string(),
        (Some((id, before)), kind) => {
            rewrite(tx, scope, kind, &id, &before, &new).await?;
            let kept = secrets::fields(tx, scope, &id).await?;
            if moves && kept.iter().any(|field| !secrets.contains_key(field)) {
                return Err(changed_meanwhile(kind.as_str()));
            }
            id
        }
    };
    for (field, secret) in &secrets {
        if secret.is_empty() {
            secrets::remove(tx, scope, &id, field).await?;
        } else {
            secrets::put(tx, scope, &id, field, secret, keyring).await?;
        }
    }
    touch_endpoint(tx, scope, &id).await?;
    Ok(id)
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

    /// Makes a store or warehouse, or changes it, with its secrets and its row of the audit trail: all of it or nothing. Its id.
    pub async fn keep_endpoint(
        &self,
        scope: &Scope,
        change: EndpointChange,
        keyring: &Keyring,
        (actor, action, detail): (&str, &'static str, serde_json::Value),
    ) -> R<String> {
        let (scope, keyring, actor) = (scope.clone(), keyring.clone(), actor.to_owned());
        self.write(&scope.clone(), "keep_endpoint", move |tx| {
            Box::pin(async move {
                let id = keep(tx, &scope, change, &keyring).await?;
                audit::append(tx, scope.tenant.as_str(), &actor, action, &id, &detail.to_string()).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Gives a store or warehouse another name.
    pub async fn rename_endpoint(&self, scope: &Scope, kind: TargetKind, id: &str, name: &str) -> R<()> {
        let (scope, id, name) = (scope.clone(), id.to_owned(), name.to_owned());
        self.write(&scope.clone(), "rename_endpoint", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let sql = match kind {
                    TargetKind::Store => "UPDATE store SET name = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    TargetKind::Warehouse => {
                        "UPDATE warehouse SET name = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3"
                    }
                };
                let values = [tenant, merchant, (&id).into(), (&name).into()];
                let done = tx.execute(sql, &values).await.map_err(taken(kind.as_str(), &name))?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("{} {id}", kind.as_str())));
                }
                touch_endpoint(tx, &scope, &id).await
            })
        })
        .await
    }

    /// The settings of a store or warehouse with its secrets, opened, as they are together at one moment.
    pub async fn endpoint_settings(&self, scope: &Scope, kind: TargetKind, id: &str, keyring: &Keyring) -> R<Settings> {
        let (scope, id, keyring) = (scope.clone(), id.to_owned(), keyring.clone());
        self.read(&scope.clone(), "endpoint_settings", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let sql = match kind {
                    TargetKind::Store => "SELECT settings FROM store WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    TargetKind::Warehouse => {
                        "SELECT settings FROM warehouse WHERE tenant = $1 AND merchant = $2 AND id = $3"
                    }
                };
                let row = tx.first(sql, &[tenant, merchant, (&id).into()]).await?;
                let row = row.ok_or_else(|| DbError::NotFound(format!("{} {id}", kind.as_str())))?;
                let values = row.json(0)?;
                Ok(Settings { values, secrets: secrets::open(tx, &scope, &id, &keyring).await? })
            })
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
