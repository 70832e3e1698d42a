//! Who uses the installation, and what they have connected.

use std::collections::BTreeMap;

use connect::{ConnectionId, MerchantId, StoreId, TenantId, WarehouseId};
use engine::settings::ConnectionSettings;
use serde::Serialize;

use super::{
    Access, ActiveConnection, ChannelKind, ConnectionKey, ConnectionRecord, Database, DbError, Endpoint, R, Scope,
    channels,
    effects::key_values,
    endpoints::taken,
    facts::scope_values,
    queries::{self, Stretch},
    secrets,
    sql::{Row, Tx, json},
    views::Page,
};
use crate::seal::Keyring;

/// A brand of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MerchantRecord {
    /// Its id.
    pub id: MerchantId,
    /// What people call it.
    pub name: String,
}

/// A connection in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionSummary {
    /// Its id.
    pub id: ConnectionId,
    /// Whose.
    pub merchant: MerchantId,
    /// What people call it.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// Its store.
    pub store: StoreId,
    /// What people call its store.
    pub store_name: String,
    /// Its warehouse.
    pub warehouse: WarehouseId,
    /// What people call its warehouse.
    pub warehouse_name: String,
    /// Grows with every change of its configuration.
    pub revision: i64,
    /// It was put away.
    pub archived: bool,
}

/// How often channels run unless set otherwise, in seconds.
fn every_seconds(kind: ChannelKind) -> i64 {
    match kind {
        ChannelKind::Orders | ChannelKind::Shipments => 60,
        ChannelKind::Stock => 300,
    }
}

impl Database {
    /// Makes a brand of an organisation.
    pub async fn create_merchant(&self, tenant: &TenantId, name: &str) -> R<MerchantId> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.write(&tenant.clone(), "create_merchant", move |tx| {
            Box::pin(async move {
                let id = MerchantId::generate(tx.now, &*tx.random);
                let now = tx.now;
                tx.execute(
                    "INSERT INTO merchant (tenant, merchant, name, created_at) VALUES ($1, $2, $3, $4)",
                    &[(&tenant).into(), (&id).into(), (&name).into(), now.into()],
                )
                .await
                .map_err(taken("merchant", &name))?;
                Ok(id)
            })
        })
        .await
    }

    /// The brands of an organisation, by name.
    pub async fn merchants(&self, tenant: &TenantId) -> R<Vec<MerchantRecord>> {
        self.merchants_in(&tenant.into(), Stretch::whole()).await
    }

    /// A page of the brands that may be seen, by name.
    pub async fn list_merchants(&self, access: &Access, after: Option<&str>, limit: u32) -> R<Page<MerchantRecord>> {
        let found = self.merchants_in(access, Stretch::page(after, limit)).await?;
        Ok(queries::page(found, limit, |merchant| merchant.name.clone()))
    }

    async fn merchants_in(&self, access: &Access, stretch: Stretch) -> R<Vec<MerchantRecord>> {
        let access = access.clone();
        self.read(access.clone(), "merchants", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT merchant, name FROM merchant
                         WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND name > $3
                         ORDER BY name LIMIT $4",
                        &[tenant.into(), merchant.into(), stretch.after.into(), stretch.rows.into()],
                    )
                    .await?;
                rows.iter().map(|row| Ok(MerchantRecord { id: row.parsed(0)?, name: row.string(1)? })).collect()
            })
        })
        .await
    }

    /// Connects a store with a warehouse: switched off, with every channel switched off.
    pub async fn create_connection(
        &self,
        scope: &Scope,
        name: &str,
        store: &StoreId,
        warehouse: &WarehouseId,
        settings: &ConnectionSettings,
    ) -> R<ConnectionId> {
        let (scope, name, store, warehouse, settings) =
            (scope.clone(), name.to_owned(), store.clone(), warehouse.clone(), settings.clone());
        self.write(&scope.clone(), "create_connection", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let id = ConnectionId::generate(tx.now, &*tx.random);
                let now = tx.now;
                tx.execute(
                    "INSERT INTO connection (tenant, merchant, id, name, store, warehouse, enabled, revision, settings,
                         created_at)
                     VALUES ($1, $2, $3, $4, $5, $6, 0, 1, $7, $8)",
                    &[
                        tenant.clone(),
                        merchant.clone(),
                        (&id).into(),
                        (&name).into(),
                        (&store).into(),
                        (&warehouse).into(),
                        json(&settings)?.into(),
                        now.into(),
                    ],
                )
                .await
                .map_err(taken("connection", &name))?;
                let channels = ChannelKind::ALL
                    .into_iter()
                    .map(|kind| {
                        vec![
                            tenant.clone(),
                            merchant.clone(),
                            (&id).into(),
                            kind.as_str().into(),
                            false.into(),
                            every_seconds(kind).into(),
                            "".into(),
                        ]
                    })
                    .collect();
                tx.many(
                    "INSERT INTO channel (tenant, merchant, connection, kind, enabled, every_seconds, summary) VALUES ",
                    "",
                    &[],
                    channels,
                )
                .await?;
                tx.event("connection", id.as_str(), "created");
                Ok(id)
            })
        })
        .await
    }

    /// Changes what a connection is called and what was chosen for it.
    pub async fn update_connection(&self, key: &ConnectionKey, name: &str, settings: &ConnectionSettings) -> R<()> {
        let (key, name, settings) = (key.clone(), name.to_owned(), settings.clone());
        self.write(&key.clone(), "update_connection", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, id] = key_values(&key);
                tx.execute(
                    "UPDATE connection SET name = $4, settings = $5 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, id, (&name).into(), json(&settings)?.into()],
                )
                .await
                .map_err(taken("connection", &name))?;
                touch(tx, &key).await
            })
        })
        .await
    }

    /// Switches a connection on or off.
    pub async fn enable_connection(&self, key: &ConnectionKey, enabled: bool) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "enable_connection", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, id] = key_values(&key);
                let done = tx
                    .execute(
                        "UPDATE connection SET enabled = $4
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND ($4 = 0 OR archived_at IS NULL)",
                        &[tenant, merchant, id, enabled.into()],
                    )
                    .await?;
                if done == 0 && enabled {
                    return Err(DbError::Refused("it was put away, and cannot be switched on again".to_owned()));
                }
                touch(tx, &key).await
            })
        })
        .await
    }

    /// The connections of an organisation, or of one of its brands, by name.
    pub async fn connections(&self, access: &Access) -> R<Vec<ConnectionSummary>> {
        self.connections_in(access, true, Stretch::whole()).await
    }

    /// The connection of this name or id: every list that is asked of one begins here.
    pub async fn find_connection(&self, access: &Access, named: &str) -> R<Option<ConnectionKey>> {
        let (access, named) = (access.clone(), named.to_owned());
        self.read(access.clone(), "find_connection", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let row = tx
                    .first(
                        "SELECT c.tenant, c.merchant, c.id FROM connection AS c
                         WHERE c.tenant = $1 AND ($2 = '*' OR replace($2, c.merchant, '') <> $2)
                             AND (c.id = $3 OR c.name = $3)
                         ORDER BY c.name LIMIT 1",
                        &[tenant.into(), merchant.into(), named.into()],
                    )
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let scope = Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? };
                Ok(Some(ConnectionKey { scope, connection: row.parsed(2)? }))
            })
        })
        .await
    }

    /// A page of them; those that were put away only where they are asked for.
    pub async fn list_connections(
        &self,
        access: &Access,
        archived: bool,
        after: Option<&str>,
        limit: u32,
    ) -> R<Page<ConnectionSummary>> {
        let found = self.connections_in(access, archived, Stretch::page(after, limit)).await?;
        Ok(queries::page(found, limit, |connection| connection.name.clone()))
    }

    async fn connections_in(&self, access: &Access, archived: bool, stretch: Stretch) -> R<Vec<ConnectionSummary>> {
        let access = access.clone();
        self.read(access.clone(), "connections", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT c.id, c.merchant, c.name, c.enabled, c.store, s.name, c.warehouse, w.name, c.revision,
                             CASE WHEN c.archived_at IS NULL THEN 0 ELSE 1 END
                         FROM connection AS c
                         JOIN store AS s ON s.tenant = c.tenant AND s.merchant = c.merchant AND s.id = c.store
                         JOIN warehouse AS w ON w.tenant = c.tenant AND w.merchant = c.merchant AND w.id = c.warehouse
                         WHERE c.tenant = $1 AND ($2 = '*' OR replace($2, c.merchant, '') <> $2) AND c.name > $3
                             AND ($5 = 1 OR c.archived_at IS NULL)
                         ORDER BY c.name LIMIT $4",
                        &[tenant.into(), merchant.into(), stretch.after.into(), stretch.rows.into(), archived.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(ConnectionSummary {
                            id: row.parsed(0)?,
                            merchant: row.parsed(1)?,
                            name: row.string(2)?,
                            enabled: row.flag(3)?,
                            store: row.parsed(4)?,
                            store_name: row.string(5)?,
                            warehouse: row.parsed(6)?,
                            warehouse_name: row.string(7)?,
                            revision: row.int(8)?,
                            archived: row.flag(9)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Every enabled connection of the installation, but those of disabled organisations.
    pub async fn active_connections(&self) -> R<Vec<ActiveConnection>> {
        self.read(Access::System, "active_connections", |tx| {
            Box::pin(async move {
                let sql = if tx.is_postgres() {
                    "SELECT tenant, merchant, id, revision, account FROM connections_to_run()"
                } else {
                    "SELECT c.tenant, c.merchant, c.id, c.revision, s.account FROM connection AS c
                     JOIN store AS s ON s.tenant = c.tenant AND s.merchant = c.merchant AND s.id = c.store
                     JOIN tenant AS t ON t.tenant = c.tenant AND t.disabled_at IS NULL
                     WHERE c.enabled = 1 ORDER BY c.tenant, c.merchant, c.id"
                };
                tx.query(sql, &[])
                    .await?
                    .iter()
                    .map(|row| {
                        let scope = Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? };
                        Ok(ActiveConnection {
                            key: ConnectionKey { scope, connection: row.parsed(2)? },
                            revision: row.int(3)?,
                            account: row.string(4)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// A connection with everything a worker needs to run it, its secrets opened.
    pub async fn connection(&self, key: &ConnectionKey, keyring: &Keyring) -> R<ConnectionRecord> {
        let (key, keyring) = (key.clone(), keyring.clone());
        self.read(&key.clone(), "connection", move |tx| {
            Box::pin(async move { load_connection(tx, &key, &keyring).await })
        })
        .await
    }

    /// The connection of this name.
    pub async fn connection_by_name(&self, tenant: &TenantId, name: &str) -> R<ConnectionKey> {
        let sql = "SELECT merchant, id FROM connection WHERE tenant = $1 AND name = $2";
        let (scope, connection) = self.by_name(tenant, "connection", name, sql).await?;
        Ok(ConnectionKey { scope, connection })
    }

    /// The brand of this name.
    pub async fn merchant_by_name(&self, tenant: &TenantId, name: &str) -> R<MerchantId> {
        let merchants = self.merchants(tenant).await?;
        let found = merchants.into_iter().find(|merchant| merchant.name == name);
        found.map(|merchant| merchant.id).ok_or_else(|| DbError::NotFound(format!("merchant {name:?}")))
    }

    pub(super) async fn by_name<K: connect::IdKind + 'static>(
        &self,
        tenant: &TenantId,
        what: &'static str,
        name: &str,
        sql: &'static str,
    ) -> R<(Scope, connect::Id<K>)> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.read(&tenant.clone(), "by_name", move |tx| {
            Box::pin(async move {
                let row = tx.first(sql, &[(&tenant).into(), (&name).into()]).await?;
                let row = row.ok_or_else(|| DbError::NotFound(format!("{what} {name:?}")))?;
                Ok((Scope { tenant, merchant: row.parsed(0)? }, row.parsed(1)?))
            })
        })
        .await
    }
}

/// A connection's configuration changed: it is built anew, and what paused it may be mended.
pub(super) async fn touch(tx: &mut Tx, key: &ConnectionKey) -> R<()> {
    let values = key_values(key);
    let done = tx
        .execute(
            "UPDATE connection SET revision = revision + 1 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &values,
        )
        .await?;
    if done == 0 {
        return Err(DbError::NotFound(format!("connection {}", key.connection)));
    }
    tx.execute("DELETE FROM pause WHERE tenant = $1 AND merchant = $2 AND connection = $3", &values).await?;
    tx.wakes.configuration = true;
    tx.event("connection", key.connection.as_str(), "changed");
    Ok(())
}

/// A store or warehouse changed, and with it its connections.
pub(super) async fn touch_endpoint(tx: &mut Tx, scope: &Scope, id: &str) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let rows = tx
        .query(
            "SELECT id FROM connection WHERE tenant = $1 AND merchant = $2 AND (store = $3 OR warehouse = $3)",
            &[tenant, merchant, id.into()],
        )
        .await?;
    for row in &rows {
        let key = ConnectionKey { scope: scope.clone(), connection: row.parsed(0)? };
        touch(tx, &key).await?;
    }
    Ok(())
}

fn endpoint<K: connect::IdKind>(row: &Row, from: usize) -> R<Endpoint<connect::Id<K>>> {
    Ok(Endpoint {
        id: row.parsed(from)?,
        name: row.string(from + 1)?,
        platform: row.string(from + 2)?,
        values: row.json(from + 3)?,
    })
}

async fn load_connection(tx: &mut Tx, key: &ConnectionKey, keyring: &Keyring) -> R<ConnectionRecord> {
    let row = tx
        .first(
            "SELECT c.name, c.enabled, c.revision, c.settings, s.account, s.id, s.name, s.platform, s.settings,
                 w.id, w.name, w.platform, w.settings, c.archived_at
             FROM connection AS c
             JOIN store AS s ON s.tenant = c.tenant AND s.merchant = c.merchant AND s.id = c.store
             JOIN warehouse AS w ON w.tenant = c.tenant AND w.merchant = c.merchant AND w.id = c.warehouse
             WHERE c.tenant = $1 AND c.merchant = $2 AND c.id = $3",
            &key_values(key),
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("connection {}", key.connection)))?;
    let store: Endpoint<StoreId> = endpoint(&row, 5)?;
    let warehouse: Endpoint<WarehouseId> = endpoint(&row, 9)?;
    let store_secrets = secrets::open(tx, &key.scope, store.id.as_str(), keyring).await?;
    let warehouse_secrets = secrets::open(tx, &key.scope, warehouse.id.as_str(), keyring).await?;
    let pauses = tx
        .query(
            "SELECT side, reason FROM pause WHERE tenant = $1 AND merchant = $2 AND connection = $3",
            &key_values(key),
        )
        .await?;
    let mut paused = BTreeMap::new();
    for pause in &pauses {
        let side = if pause.text(0)? == "source" { connect::Side::Source } else { connect::Side::Warehouse };
        paused.insert(side, pause.string(1)?);
    }
    Ok(ConnectionRecord {
        key: key.clone(),
        name: row.string(0)?,
        enabled: row.flag(1)?,
        archived_at: row.opt_time(13)?,
        revision: row.int(2)?,
        settings: row.json(3)?,
        account: row.string(4)?,
        store,
        store_secrets,
        warehouse,
        warehouse_secrets,
        channels: channels::load(tx, key).await?,
        paused,
    })
}
