//! API keys: random, kept as a hash only, limited to a role, a tenant and perhaps a merchant and parts of the API.

use connect::{
    Random, Settings, TenantId, WarehouseFeature,
    planted::{Planted, planted},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, KeyScopes, PageOut, PagingQuery, Problem, Role, check,
    endpoints::{self, Side},
    id,
};
use crate::db::{ApiKeyRecord, DeskKey, NewApiKey, Scope};

/// What every key begins with, so that scanners find one that was published by mistake.
const PREFIX: &str = "mr_";

/// What a key of a warehouse may do, as it is kept. No role: it is not on the way from looking to everything.
const OF_A_WAREHOUSE: &str = "warehouse";

/// A new key.
pub fn generate(random: &dyn Random) -> String {
    token(PREFIX, random)
}

/// What somebody is known by: a prefix that says what it is, and 256 random bits.
pub(super) fn token(prefix: &str, random: &dyn Random) -> String {
    let mut bytes = [0_u8; 32];
    random.fill(&mut bytes);
    format!("{prefix}{}", hex(&bytes))
}

/// The hash a key or token is kept as. A fast one is right: there is nothing to guess in 256 random bits.
pub fn hash(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who has this key; `None` when it is unknown, ended or revoked. A key of the installation's administrators acts for the
/// tenant that is named, or for the only one.
///
/// # Errors
/// When the database cannot be reached, or it has to be said which tenant is meant.
pub async fn sign_in(hub: &Hub, key: &str, tenant: Option<&str>) -> Result<Option<Caller>, Failure> {
    if !key.starts_with(PREFIX) || key.len() > 200 {
        return Ok(None);
    }
    let found = hub.db.find_api_key_and_tenants(&hash(key)).await?;
    let Some((record, tenants)) = found else { return Ok(None) };
    if !record.is_valid(hub.seams.clock.now()) {
        return Ok(None);
    }
    if record.warehouse.is_some() {
        return Err(Failure::new(
            FailureKind::Forbidden,
            "this key opens the Warehouse API of one warehouse, and nothing else",
        )
        .remedy("Use a key that was made for people or programs (`millrace keys create`)."));
    }
    let Ok(role) = record.role.parse::<Role>() else { return Ok(None) };
    let Some(scopes) = KeyScopes::kept(&record.scopes) else { return Ok(None) };
    if let Err(error) = hub.db.touch_api_key(&record).await {
        // Not worth refusing a request for.
        tracing::warn!("the last use of a key could not be written down: {error}");
    }
    let (actor, installation) = (actor(&record), record.tenant.is_none());
    let whose = match record.tenant {
        Some(own) => own,
        None => super::setup::among(tenants, tenant)?,
    };
    Ok(Some(Caller {
        actor,
        role,
        tenant: whose,
        merchants: record.merchant.map(|merchant| [merchant].into()),
        scopes,
        installation,
        signed_in: None,
    }))
}

/// How the audit trail names a key.
fn actor(record: &ApiKeyRecord) -> String {
    format!("key {} ({})", record.id, record.name)
}

/// A warehouse that calls us. It is no [`Caller`]: no other operation can be reached with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wms {
    /// As the audit trail names it.
    pub actor: String,
    /// Its desk.
    pub desk: DeskKey,
}

/// Which warehouse has this key; `None` when it is unknown, ended or revoked.
///
/// # Errors
/// When the database cannot be reached, or the key is not a warehouse's.
pub async fn warehouse(hub: &Hub, key: &str) -> Result<Option<Wms>, Failure> {
    if !key.starts_with(PREFIX) || key.len() > 200 {
        return Ok(None);
    }
    let Some(record) = hub.db.find_api_key(&hash(key)).await? else { return Ok(None) };
    if !record.is_valid(hub.seams.clock.now()) {
        return Ok(None);
    }
    let (Some(tenant), Some(merchant), Some(warehouse)) = (&record.tenant, &record.merchant, &record.warehouse) else {
        return Err(Failure::new(FailureKind::Forbidden, "this takes a key of a warehouse, and yours is not one")
            .remedy("Make one for the warehouse (`millrace keys create --warehouse`)."));
    };
    let desk =
        DeskKey { scope: Scope { tenant: tenant.clone(), merchant: merchant.clone() }, warehouse: warehouse.clone() };
    if let Err(error) = hub.db.touch_api_key(&record).await {
        tracing::warn!("the last use of a key could not be written down: {error}");
    }
    Ok(Some(Wms { actor: actor(&record), desk }))
}

/// Whose key it is, valid or not, and how the audit trail names it; no tenant: the installation's. `None`: nobody has it.
///
/// # Errors
/// When the database cannot be reached.
pub async fn whose(hub: &Hub, key: &str) -> Result<Option<(Option<TenantId>, String)>, Failure> {
    if !key.starts_with(PREFIX) || key.len() > 200 {
        return Ok(None);
    }
    let found = hub.db.find_api_key(&hash(key)).await?;
    Ok(found.map(|record| {
        let actor = actor(&record);
        (record.tenant, actor)
    }))
}

/// An API key, without the key itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyOut {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do: `admin`, `staff`, `read`; or `warehouse`, the Warehouse API of one warehouse.
    pub role: String,
    /// Limited to these parts of the API, `AREA:read` or `AREA:write`; none: all that the role may.
    pub scopes: Vec<String>,
    /// Limited to this merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// The warehouse whose key it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// It belongs to the installation's administrators.
    pub installation: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl From<ApiKeyRecord> for KeyOut {
    fn from(record: ApiKeyRecord) -> Self {
        Self {
            id: record.id,
            name: record.name,
            role: record.role,
            scopes: record.scopes.split_whitespace().map(str::to_owned).collect(),
            merchant: record.merchant.map(|merchant| merchant.to_string()),
            warehouse: record.warehouse.map(|warehouse| warehouse.to_string()),
            installation: record.tenant.is_none(),
            created_at: record.created_at,
            expires_at: record.expires_at,
            last_used_at: record.last_used_at,
            revoked_at: record.revoked_at,
        }
    }
}

/// An API key to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeyIn {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Only these parts of the API: `AREA:read` to look, `AREA:write` to change as well, where an area is a tag of the routes
    /// in this document (`orders:read`, `stock:write`). None: all that the role may.
    #[serde(default)]
    #[schema(max_items = 36)]
    pub scopes: Vec<String>,
    /// Only this merchant (name or id).
    #[serde(default)]
    pub merchant: Option<String>,
    /// Days until it ends, 1 to 3650; without, it does not end by itself.
    #[serde(default)]
    pub days: Option<u32>,
}

/// An API key just made: the only time it is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct NewKeyOut {
    /// Its id.
    pub id: String,
    /// The key itself. It is not kept.
    pub key: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// The keys of the caller's tenant, and of the installation where the caller administers it, newest first.
///
/// # Errors
/// When the caller may not see keys.
pub async fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<KeyOut>, Failure> {
    if !planted(Planted::OpenRoute) {
        caller.administers()?;
    }
    let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let (before, rows) = (paging.cursor.as_deref(), paging.limit() + 1);
    let mut found = hub.db.api_keys(Some(&caller.tenant), before, rows).await?;
    if caller.installation {
        // No transaction sees both, so a page is read of each, and the newest of the two are the page.
        found.extend(hub.db.api_keys(None, before, rows).await?);
        found.sort_by(|one, other| other.id.cmp(&one.id));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|key| key.id.clone()) } else { None };
    Ok(PageOut { items: found.into_iter().map(KeyOut::from).collect(), next })
}

/// Makes a key for the caller's tenant.
///
/// # Errors
/// When the caller may not, or what is asked for makes no sense.
pub async fn create(hub: &Hub, caller: &Caller, given: NewKeyIn) -> Result<NewKeyOut, Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let name = name(&given.name)?;
    let expires_at = end(hub, given.days)?;
    let scopes = scopes(caller, &given)?;
    let merchant = match &given.merchant {
        Some(name) => Some(endpoints::merchant(hub, caller, name).await?.id),
        None => None,
    };
    let key = generate(&*hub.seams.random);
    let new = NewApiKey {
        tenant: Some(caller.tenant.clone()),
        name,
        hash: hash(&key),
        role: given.role.as_str().to_owned(),
        scopes: scopes.to_string(),
        merchant: merchant.as_deref().map(id).transpose()?,
        warehouse: None,
        expires_at,
    };
    let id = hub.db.create_api_key(new, &caller.actor).await?;
    Ok(NewKeyOut { id, key, expires_at })
}

fn name(given: &str) -> Result<String, Failure> {
    let name = given.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Failure::invalid(
            "the key needs a name of at most 100 characters",
            vec![Problem::new("name", "say what the key is for")],
        ));
    }
    Ok(name)
}

/// What a key to make is limited to: nothing that its role may not, or that its maker may not.
fn scopes(caller: &Caller, given: &NewKeyIn) -> Result<KeyScopes, Failure> {
    let scopes = KeyScopes::given(&given.scopes)?;
    if given.role == Role::Read && scopes.write() {
        return Err(Failure::invalid(
            "a key that may only look cannot change anything",
            vec![Problem::new("scopes", "give AREA:read with the role read, or another role")],
        ));
    }
    if caller.scopes.cover(&scopes) { Ok(scopes) } else { Err(too_wide(caller)) }
}

fn too_wide(caller: &Caller) -> Failure {
    Failure::new(FailureKind::Forbidden, "a key makes no key that may more than itself")
        .remedy(format!("Give scopes among those of this key: {}.", caller.scopes))
}

/// When a key that lives for so many days ends.
fn end(hub: &Hub, days: Option<u32>) -> Result<Option<Timestamp>, Failure> {
    match days {
        None => Ok(None),
        Some(days) if (1..=3650).contains(&days) => {
            let life = SignedDuration::from_hours(i64::from(days) * 24);
            let end = hub.seams.clock.now().checked_add(life);
            end.map(Some).map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))
        }
        Some(_) => Err(Failure::invalid(
            "a key lives for 1 to 3650 days",
            vec![Problem::new("days", "give a number from 1 to 3650")],
        )),
    }
}

/// A key of a warehouse to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWarehouseKeyIn {
    /// What it is for.
    pub name: String,
    /// Days until it ends, 1 to 3650; without, it does not end by itself.
    #[serde(default)]
    pub days: Option<u32>,
}

/// Makes a key that opens the Warehouse API for one warehouse, and nothing else.
///
/// # Errors
/// When the caller may not, there is no such warehouse, or it is one that does not collect its requests from here.
pub async fn create_for_warehouse(
    hub: &Hub,
    caller: &Caller,
    warehouse: &str,
    given: NewWarehouseKeyIn,
) -> Result<NewKeyOut, Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    // A desk is no area, so no scope covers it.
    if caller.scopes.limit() {
        return Err(too_wide(caller));
    }
    let found = endpoints::find(hub, caller, Side::Warehouse, warehouse).await?;
    let secrets = hub.db.secrets(&found.scope, &found.summary.id, &hub.keyring).await?;
    let settings = Settings { values: found.summary.values.clone(), secrets };
    let connector = check::ships(hub, &found.scope.tenant, &found.summary.platform, &settings)?;
    if !connector.features().contains(&WarehouseFeature::Collects) {
        return Err(Failure::conflict(format!("{} does not collect its requests from here", found.summary.platform))
            .remedy("Keys are for warehouses of the kind *Millrace Warehouse API*; this one is called by Millrace."));
    }
    let (name, expires_at) = (name(&given.name)?, end(hub, given.days)?);
    let key = generate(&*hub.seams.random);
    let new = NewApiKey {
        tenant: Some(found.scope.tenant.clone()),
        name,
        hash: hash(&key),
        role: OF_A_WAREHOUSE.to_owned(),
        scopes: String::new(),
        merchant: Some(found.scope.merchant.clone()),
        warehouse: Some(id(&found.summary.id)?),
        expires_at,
    };
    let id = hub.db.create_api_key(new, &caller.actor).await?;
    Ok(NewKeyOut { id, key, expires_at })
}

/// Ends a key at once.
///
/// # Errors
/// When there is no valid key of this id for the caller.
pub async fn revoke(hub: &Hub, caller: &Caller, key: &str) -> Result<(), Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    let own = hub.db.revoke_api_key(Some(&caller.tenant), key, &caller.actor).await;
    match own {
        Err(crate::db::DbError::NotFound(_)) if caller.installation => {
            Ok(hub.db.revoke_api_key(None, key, &caller.actor).await?)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use connect::OsRandom;

    use super::{generate, hash};

    #[test]
    fn keys_are_long_and_their_hash_does_not_show_them() {
        let (one, two) = (generate(&OsRandom), generate(&OsRandom));
        assert_ne!(one, two);
        assert_eq!(one.len(), 3 + 64);
        assert_eq!(hash(&one).len(), 64);
        assert!(!hash(&one).contains(&one[3..20]));
    }
}
