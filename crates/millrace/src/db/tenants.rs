//! The organisations of an installation.
//!
//! A disabled one keeps its data. Nothing that lets somebody in, and nothing that is work, is found of it: the looks across
//! tenants leave it out, which is the one place where that is decided.

use connect::{TenantId, ulid};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Access, Database, DbError, NewLink, R, audit,
    endpoints::taken,
    links, people,
    sql::{Row, Tx},
};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantRecord {
    /// Its id.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing of it works.
    pub disabled_at: Option<Timestamp>,
}

async fn insert(tx: &mut Tx, id: &TenantId, name: &str) -> R<()> {
    let now = tx.now;
    tx.execute(
        "INSERT INTO tenant (tenant, name, created_at) VALUES ($1, $2, $3)",
        &[id.into(), name.into(), now.into()],
    )
    .await
    .map_err(taken("tenant", name))?;
    Ok(())
}

/// Within a transaction of the tenant.
pub(super) async fn is_disabled(tx: &mut Tx, tenant: &TenantId) -> R<bool> {
    let row =
        tx.first("SELECT tenant FROM tenant WHERE tenant = $1 AND disabled_at IS NOT NULL", &[tenant.into()]).await?;
    Ok(row.is_some())
}

impl Database {
    /// Makes an organisation.
    pub async fn create_tenant(&self, name: &str) -> R<TenantId> {
        let name = name.to_owned();
        let tenant = TenantId::generate(self.inner.clock.now(), &*self.inner.random);
        let id = tenant.clone();
        self.write(&tenant, "create_tenant", move |tx| {
            Box::pin(async move {
                insert(tx, &id, &name).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Makes an organisation together with the link by which its first administrator comes in: there is none without the
    /// other. The ids of both.
    pub async fn found_tenant(&self, name: &str, link: NewLink, actor: &str) -> R<(TenantId, String)> {
        let (name, actor) = (name.to_owned(), actor.to_owned());
        let tenant = TenantId::generate(self.inner.clock.now(), &*self.inner.random);
        let id = tenant.clone();
        self.write(&tenant, "found_tenant", move |tx| {
            Box::pin(async move {
                insert(tx, &id, &name).await?;
                let detail = serde_json::json!({ "name": name }).to_string();
                audit::append(tx, id.as_str(), &actor, "tenant.create", id.as_str(), &detail).await?;
                let link_id = format!("lnk_{}", ulid(tx.now, &*tx.random));
                let told = people::told(&link.email, &link.rights);
                let action = format!("link.{}", link.kind.as_str());
                links::insert(tx, &id, &link_id, link, &actor).await?;
                audit::append(tx, id.as_str(), &actor, &action, &link_id, &told).await?;
                Ok((id, link_id))
            })
        })
        .await
    }

    /// Every organisation of the installation, disabled ones too, the oldest first.
    pub async fn tenants(&self) -> R<Vec<TenantRecord>> {
        self.read(Access::System, "tenants", |tx| Box::pin(all(tx))).await
    }

    /// The organisation of this name.
    pub async fn tenant_by_name(&self, name: &str) -> R<TenantId> {
        let tenants = self.tenants().await?;
        let found = tenants.into_iter().find(|tenant| tenant.name == name);
        found.map(|tenant| tenant.id).ok_or_else(|| DbError::NotFound(format!("tenant {name:?}")))
    }

    /// Stops an organisation's work and ends every session of its people, or lets it work again. Disabling is refused where
    /// somebody in it administers the installation, who would be locked out with it.
    pub async fn set_tenant_disabled(&self, tenant: &TenantId, disabled: bool, actor: &str) -> R<()> {
        let (tenant, actor) = (tenant.clone(), actor.to_owned());
        self.write(&tenant.clone(), "set_tenant_disabled", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                if is_disabled(tx, &tenant).await? == disabled {
                    return Ok(());
                }
                if disabled {
                    let operators = tx
                        .first(
                            "SELECT email FROM person WHERE tenant = $1 AND installation = 1 AND disabled = 0 LIMIT 1",
                            &[(&tenant).into()],
                        )
                        .await?;
                    if let Some(row) = operators {
                        return Err(DbError::Conflict(format!(
                            "{} of this tenant administers the installation and could not sign in any more",
                            row.text(0)?
                        )));
                    }
                    tx.execute(
                        "UPDATE session SET ended_at = $2 WHERE tenant = $1 AND ended_at IS NULL",
                        &[(&tenant).into(), now.into()],
                    )
                    .await?;
                }
                let since = disabled.then_some(now);
                tx.execute("UPDATE tenant SET disabled_at = $2 WHERE tenant = $1", &[(&tenant).into(), since.into()])
                    .await?;
                tx.wakes.configuration = true;
                let action = if disabled { "tenant.disable" } else { "tenant.enable" };
                audit::append(tx, tenant.as_str(), &actor, action, tenant.as_str(), "{}").await
            })
        })
        .await
    }
}

/// Every organisation, the oldest first.
pub(super) async fn all(tx: &mut Tx) -> R<Vec<TenantRecord>> {
    let sql = if tx.is_postgres() {
        "SELECT tenant, name, created_at, disabled_at FROM all_tenants()"
    } else {
        "SELECT tenant, name, created_at, disabled_at FROM tenant ORDER BY tenant"
    };
    let tenant = |row: &Row| {
        Ok(TenantRecord {
            id: row.parsed(0)?,
            name: row.string(1)?,
            created_at: row.time(2)?,
            disabled_at: row.opt_time(3)?,
        })
    };
    tx.query(sql, &[]).await?.iter().map(tenant).collect()
}
