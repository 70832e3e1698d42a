//! The tenants of an installation, for whoever administers it: made with the link for their first administrator, disabled with
//! everything kept, enabled again. Who that is: docs/decisions/0024.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, PageOut, PagingQuery, endpoints, keys,
    links::{self, LinkOut},
    people::{self, PersonRole},
    setup,
};
use crate::db::{DbError, LinkKind, NewLink, TenantRecord};

/// An organisation that uses this installation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TenantOut {
    /// `ten_…`.
    pub id: String,
    /// What people call it; unique in the installation.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Since when nothing of it works and nobody of it comes in; absent: it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
    /// How many people it has. While there is nobody, a link lets the first administrator in.
    pub people: i64,
}

/// A tenant to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenantIn {
    /// What people call it: one line of at most 100 characters.
    pub name: String,
}

/// A tenant just made.
#[derive(Clone, Serialize, ToSchema)]
pub struct NewTenantOut {
    /// The tenant.
    pub tenant: TenantOut,
    /// Lets its first administrator in, once. It is shown this once: give it to them.
    pub link: LinkOut,
}

const WHOSE: &str = "only the installation's administrators see and change its tenants";

async fn out(hub: &Hub, record: TenantRecord) -> Result<TenantOut, Failure> {
    let people = hub.db.number_of_people(&record.id).await?;
    let TenantRecord { id, name, created_at, disabled_at } = record;
    Ok(TenantOut { id: id.to_string(), name, created_at, disabled_at, people })
}

async fn find(hub: &Hub, named: &str) -> Result<TenantRecord, Failure> {
    let id = setup::tenant(hub, Some(named)).await?;
    let found = hub.db.tenants().await?.into_iter().find(|tenant| tenant.id == id);
    found.ok_or_else(|| Failure::not_found(format!("tenant {}", super::quoted(named))))
}

/// The tenants of the installation, the oldest first.
///
/// # Errors
/// When the caller does not administer the installation.
pub async fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<TenantOut>, Failure> {
    caller.operates(WHOSE)?;
    let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let after = paging.cursor.as_deref().unwrap_or_default();
    let mut rest = hub.db.tenants().await?.into_iter().filter(|tenant| tenant.id.as_str() > after);
    let mut items = Vec::new();
    for record in rest.by_ref().take(limit) {
        items.push(out(hub, record).await?);
    }
    let next = if rest.next().is_some() { items.last().map(|tenant: &TenantOut| tenant.id.clone()) } else { None };
    Ok(PageOut { items, next })
}

/// Makes a tenant, and the link by which its first administrator comes in.
///
/// # Errors
/// When the caller does not administer the installation, or there is a tenant of this name.
pub async fn create(hub: &Hub, caller: &Caller, given: &NewTenantIn) -> Result<NewTenantOut, Failure> {
    caller.operates(WHOSE)?;
    caller.proves(hub)?;
    let name = endpoints::name(&given.name)?;
    let (token, expires_at) = links::draw(hub, LinkKind::Setup).await?;
    let new = NewLink {
        kind: LinkKind::Setup,
        hash: keys::hash(&token),
        person: None,
        email: String::new(),
        name: String::new(),
        rights: people::rights(PersonRole::Administrator, None, false)?,
        expires_at,
    };
    let (id, link) = hub.db.found_tenant(&name, new, &caller.actor).await?;
    tracing::info!(tenant.id = %id, "a tenant was made");
    let address = links::address(hub, hub.config.listen, LinkKind::Setup, &token);
    Ok(NewTenantOut {
        tenant: out(hub, find(hub, id.as_str()).await?).await?,
        link: LinkOut::new(link, address, token, expires_at),
    })
}

/// Makes another link for the first administrator of a tenant in which nobody is yet; the one before ends.
///
/// # Errors
/// When the caller does not administer the installation, the tenant is disabled, or somebody is there.
pub async fn set_up(hub: &Hub, caller: &Caller, named: &str) -> Result<LinkOut, Failure> {
    caller.operates(WHOSE)?;
    caller.proves(hub)?;
    let tenant = find(hub, named).await?;
    if tenant.disabled_at.is_some() {
        return Err(Failure::conflict("this tenant is disabled: no link lets anybody in").remedy("Enable it first."));
    }
    if hub.db.number_of_people(&tenant.id).await? > 0 {
        return Err(Failure::conflict("somebody has come into this tenant already")
            .remedy("Its administrators invite others and reset passwords (`millrace people`)."));
    }
    let within = Caller { tenant: tenant.id, ..caller.clone() };
    let rights = people::rights(PersonRole::Administrator, None, false)?;
    links::create(hub, &within, LinkKind::Setup, None, String::new(), String::new(), rights).await
}

/// Stops a tenant's work and lets nobody of it in, with everything kept; or lets it work again.
///
/// # Errors
/// When the caller does not administer the installation, or somebody in the tenant does.
pub async fn set_disabled(hub: &Hub, caller: &Caller, named: &str, disabled: bool) -> Result<TenantOut, Failure> {
    caller.operates(WHOSE)?;
    caller.proves(hub)?;
    let tenant = find(hub, named).await?;
    hub.db.set_tenant_disabled(&tenant.id, disabled, &caller.actor).await.map_err(|error| match error {
        DbError::Conflict(why) => Failure::conflict(why).remedy(
            "Make somebody of another tenant an administrator of the installation, and take that right from this one.",
        ),
        other => other.into(),
    })?;
    out(hub, find(hub, tenant.id.as_str()).await?).await
}
