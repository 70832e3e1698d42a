//! API keys.

use connect::{MerchantId, TenantId, WarehouseId, ulid};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Access, Database, DbError, R, audit,
    records::INSTALLATION,
    sql::Row,
    tenants::{self, TenantRecord},
};

/// An API key as kept; the key itself is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKeyRecord {
    /// Its id.
    pub id: String,
    /// Whose; `None` for an administrator of the installation.
    pub tenant: Option<TenantId>,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// The parts of the API it is limited to, with spaces between; empty: to none.
    pub scopes: String,
    /// Limited to one brand.
    pub merchant: Option<MerchantId>,
    /// Of one warehouse: it opens the Warehouse API and nothing else.
    pub warehouse: Option<WarehouseId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKeyRecord {
    /// Whether it may be used at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    fn access(&self) -> Access {
        self.tenant.clone().map_or(Access::System, Access::Tenant)
    }
}

/// An API key to keep.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Whose; `None` for an administrator of the installation.
    pub tenant: Option<TenantId>,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the key, hex.
    pub hash: String,
    /// What it may do.
    pub role: String,
    /// The parts of the API it is limited to, with spaces between; empty: to none.
    pub scopes: String,
    /// Limited to one brand.
    pub merchant: Option<MerchantId>,
    /// Of one warehouse of that brand.
    pub warehouse: Option<WarehouseId>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

fn api_key(row: &Row) -> R<ApiKeyRecord> {
    Ok(ApiKeyRecord {
        tenant: if row.text(0)? == INSTALLATION { None } else { Some(row.parsed(0)?) },
        id: row.string(1)?,
        name: row.string(2)?,
        role: row.string(3)?,
        merchant: row.opt_parsed(4)?,
        created_at: row.time(5)?,
        expires_at: row.opt_time(6)?,
        last_used_at: row.opt_time(7)?,
        revoked_at: row.opt_time(8)?,
        warehouse: row.opt_parsed(9)?,
        scopes: row.string(10)?,
    })
}

const COLUMNS: &str =
    "tenant, id, name, role, merchant, created_at, expires_at, last_used_at, revoked_at, warehouse, scopes";

fn owner(tenant: Option<&TenantId>) -> (Access, String) {
    match tenant {
        Some(tenant) => (tenant.into(), tenant.as_str().to_owned()),
        None => (Access::System, INSTALLATION.to_owned()),
    }
}

impl Database {
    /// Keeps an API key by its hash. Its id.
    pub async fn create_api_key(&self, key: NewApiKey, actor: &str) -> R<String> {
        let (access, tenant) = owner(key.tenant.as_ref());
        let actor = actor.to_owned();
        self.write(access, "create_api_key", move |tx| {
            Box::pin(async move {
                let id = format!("key_{}", ulid(tx.now, &*tx.random));
                let now = tx.now;
                tx.execute(
                    "INSERT INTO api_key (tenant, id, name, hash, role, merchant, created_at, expires_at, warehouse, scopes)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    &[
                        (&tenant).into(),
                        (&id).into(),
                        (&key.name).into(),
                        key.hash.into(),
                        (&key.role).into(),
                        key.merchant.as_ref().into(),
                        now.into(),
                        key.expires_at.into(),
                        key.warehouse.as_ref().into(),
                        (&key.scopes).into(),
                    ],
                )
                .await?;
                let detail =
                    serde_json::json!({ "name": key.name, "role": key.role, "scopes": key.scopes, "warehouse": key.warehouse })
                        .to_string();
                audit::append(tx, &tenant, &actor, "api_key.create", &id, &detail).await?;
                Ok(id)
            })
        })
        .await
    }

    /// The key with this hash, whosever it is, but of a disabled organisation; whether it may still be used is for the
    /// caller to ask.
    pub async fn find_api_key(&self, hash: &str) -> R<Option<ApiKeyRecord>> {
        Ok(self.find_api_key_and_tenants(hash).await?.map(|(key, _)| key))
    }

    /// The same, and with a key of the installation every organisation that it may work in: every request of a program begins
    /// here, so it is one transaction.
    pub async fn find_api_key_and_tenants(&self, hash: &str) -> R<Option<(ApiKeyRecord, Vec<TenantRecord>)>> {
        let hash = hash.to_owned();
        self.read(Access::System, "find_api_key", move |tx| {
            Box::pin(async move {
                let from = if tx.is_postgres() {
                    "api_key_by_hash($1)"
                } else {
                    "api_key WHERE hash = $1 AND tenant NOT IN (SELECT tenant FROM tenant WHERE disabled_at IS NOT NULL)"
                };
                let rows = tx.query_built(format!("SELECT {COLUMNS} FROM {from}"), &[hash.into()]).await?;
                let Some(key) = rows.first().map(api_key).transpose()? else { return Ok(None) };
                let tenants = if key.tenant.is_none() { tenants::all(tx).await? } else { Vec::new() };
                Ok(Some((key, tenants)))
            })
        })
        .await
    }

    /// The keys of a tenant, or of the installation's administrators, newest first: those made before `before`, where it is given.
    pub async fn api_keys(&self, tenant: Option<&TenantId>, before: Option<&str>, limit: u32) -> R<Vec<ApiKeyRecord>> {
        let (access, tenant) = owner(tenant);
        let before = before.unwrap_or_default().to_owned();
        self.read(access, "api_keys", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM api_key WHERE tenant = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3"
                );
                tx.query_built(sql, &[tenant.into(), before.into(), limit.into()]).await?.iter().map(api_key).collect()
            })
        })
        .await
    }

    /// Notes that a key was used, at most once a minute.
    pub async fn touch_api_key(&self, key: &ApiKeyRecord) -> R<()> {
        let now = self.inner.clock.now();
        if key.last_used_at.is_some_and(|used| now.duration_since(used).as_secs() < 60) {
            return Ok(());
        }
        let (tenant, id) = (key.access().setting().0.to_owned(), key.id.clone());
        self.write(key.access(), "touch_api_key", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                tx.execute(
                    "UPDATE api_key SET last_used_at = $3 WHERE tenant = $1 AND id = $2",
                    &[tenant.into(), id.into(), now.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Ends a key at once.
    pub async fn revoke_api_key(&self, tenant: Option<&TenantId>, id: &str, actor: &str) -> R<()> {
        let (access, tenant) = owner(tenant);
        let (id, actor) = (id.to_owned(), actor.to_owned());
        self.write(access, "revoke_api_key", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE api_key SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
                        &[(&tenant).into(), (&id).into(), now.into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("valid API key {id}")));
                }
                audit::append(tx, &tenant, &actor, "api_key.revoke", &id, "{}").await
            })
        })
        .await
    }
}
