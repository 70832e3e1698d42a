//! Tests: does the installation work, and do the remote systems let us in?

use std::{collections::BTreeMap, sync::Arc};

use connect::{
    BuildContext, ErrorKind, OrderSource, Settings, TenantId, Warehouse,
    clocks::{self, Dated},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, FailureKind, Hub, Problem, Role, connections, drafts,
    endpoints::{self, Endpoint, Side, TestEndpointIn},
    safety,
};
use crate::db::{ConnectionKey, StoreKey};

/// What the test of a store or a warehouse reached.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EndpointCheckOut {
    /// Its name.
    pub name: String,
    /// Which role it plays.
    pub side: Side,
    /// The connector's name.
    pub platform: String,
    /// It can be worked with.
    pub ok: bool,
    /// One line per thing that was reached.
    pub reached: Vec<String>,
    /// One line per thing that is not right but does not stop it.
    pub warnings: Vec<String>,
    /// What is wrong and what to do, where it cannot be worked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The credentials are refused.
    pub credentials_refused: bool,
    /// What the test learned (a host key, say). Kept only when the person agrees.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub learned: BTreeMap<String, String>,
    /// What it learned is kept now.
    pub kept: bool,
    /// Facilities of the warehouse to pick from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facilities: Vec<String>,
}

/// What the test of a connection reached.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionCheckOut {
    /// Its name.
    pub name: String,
    /// All of it can be worked with.
    pub ok: bool,
    /// The store.
    pub store: EndpointCheckOut,
    /// The warehouse.
    pub warehouse: EndpointCheckOut,
    /// What stands in its way otherwise.
    pub problems: Vec<String>,
}

/// What the test of the installation reached.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckOut {
    /// Nothing is wrong.
    pub ok: bool,
    /// Name and version of the database.
    pub database: String,
    /// Bytes it takes.
    pub bytes: i64,
    /// Nothing is sent to any remote system.
    pub frozen: bool,
    /// When a backup was taken last, as far as Millrace was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub backed_up_at: Option<jiff::Timestamp>,
    /// The wrapping key's name.
    pub key: String,
    /// The audit trail is as it was written.
    pub audit: bool,
    /// The connections.
    pub connections: Vec<ConnectionCheckOut>,
    /// Stores and warehouses that belong to no connection.
    pub unconnected: Vec<EndpointCheckOut>,
    /// What is wrong with the installation itself.
    pub problems: Vec<String>,
}

impl CheckOut {
    /// Whether a remote system refuses credentials.
    pub fn credentials_refused(&self) -> bool {
        self.connections.iter().any(|one| one.store.credentials_refused || one.warehouse.credentials_refused)
            || self.unconnected.iter().any(|one| one.credentials_refused)
    }
}

/// Whether what is learned is kept.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TrustQuery {
    /// The host key that the test shows was compared and is the right one: keep it.
    pub trust_host_key: bool,
}

/// Tests the installation and every connection of the caller's tenant, for whoever administers the installation.
///
/// # Errors
/// When the caller may not, or the database cannot be read.
pub async fn installation(hub: &Hub, caller: &Caller) -> Result<CheckOut, Failure> {
    caller.operates(
        "only the installation's administrators check it as a whole; a connection is tested by itself (`POST /connections/{connection}/test`)",
    )?;
    everything(hub, caller, None, false, |_| ()).await
}

/// Tests the installation and every connection, or one.
///
/// # Errors
/// When the database cannot be read, or there is no such connection.
pub async fn everything(
    hub: &Hub,
    caller: &Caller,
    only: Option<&str>,
    trust: bool,
    mut progress: impl FnMut(&str),
) -> Result<CheckOut, Failure> {
    progress("database");
    let database = hub.db.check().await?;
    let mut problems = Vec::new();
    let state = safety::show(hub, caller).await?;
    if database.frozen {
        problems.push(format!(
            "sending is frozen for the whole installation ({} since {}): {}. {}",
            state.kind.as_deref().unwrap_or("stopped"),
            state.since.map(|since| since.to_string()).unwrap_or_default(),
            state.reason.as_deref().unwrap_or_default(),
            state.next.as_deref().unwrap_or_default()
        ));
    }
    problems.extend(safety::problems(hub).await?);
    progress("audit trail");
    let audit = hub.db.verify_audit(&caller.access()).await?;
    if let Some(number) = audit {
        problems.push(format!("row {number} of the audit trail is not as it was written"));
    }
    let mut tested = Vec::new();
    let mut seen = Vec::new();
    for summary in hub.db.connections(&caller.access()).await? {
        if only.is_some_and(|only| only != summary.name && only != summary.id.as_str()) {
            continue;
        }
        progress(&summary.name);
        seen.extend([summary.store.to_string(), summary.warehouse.to_string()]);
        tested.push(connection(hub, caller, summary.id.as_str(), trust).await?);
    }
    if let Some(only) = only
        && tested.is_empty()
    {
        return Err(Failure::not_found(format!("connection {}", super::quoted(only))));
    }
    let mut unconnected = Vec::new();
    if only.is_none() {
        for side in [Side::Store, Side::Warehouse] {
            for endpoint in endpoints::all(hub, caller, side).await? {
                if !seen.contains(&endpoint.summary.id) {
                    progress(&endpoint.summary.name);
                    unconnected.push(one(hub, caller, side, &endpoint, trust).await?);
                }
            }
        }
    }
    let ok = problems.is_empty() && tested.iter().all(|one| one.ok) && unconnected.iter().all(|one| one.ok);
    Ok(CheckOut {
        ok,
        database: database.database,
        bytes: database.bytes,
        frozen: database.frozen,
        backed_up_at: state.backed_up_at,
        key: hub.keyring.current(),
        audit: audit.is_none(),
        connections: tested,
        unconnected,
        problems,
    })
}

/// Tests a connection.
///
/// # Errors
/// When there is none for this caller. What the test finds wrong is in its answer.
pub async fn connection(hub: &Hub, caller: &Caller, named: &str, trust: bool) -> Result<ConnectionCheckOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = connections::find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    let store = endpoint(hub, caller, Side::Store, record.store.id.as_str(), trust).await?;
    let warehouse = endpoint(hub, caller, Side::Warehouse, record.warehouse.id.as_str(), trust).await?;
    let problems = connections::problems(hub, &record, &hub.db.mappings(&key).await?);
    let ok = store.ok && warehouse.ok && problems.is_empty();
    Ok(ConnectionCheckOut { name: record.name, ok, store, warehouse, problems })
}

/// Tests a store or a warehouse.
///
/// # Errors
/// When there is none for this caller. What the test finds wrong is in its answer.
pub async fn endpoint(
    hub: &Hub,
    caller: &Caller,
    side: Side,
    named: &str,
    trust: bool,
) -> Result<EndpointCheckOut, Failure> {
    caller.needs(Role::Staff)?;
    if trust {
        caller.administers()?;
        // From then on the credentials go there.
        caller.proves(hub)?;
    }
    let found = endpoints::find(hub, caller, side, named).await?;
    one(hub, caller, side, &found, trust).await
}

async fn one(
    hub: &Hub,
    caller: &Caller,
    side: Side,
    found: &Endpoint,
    trust: bool,
) -> Result<EndpointCheckOut, Failure> {
    // Both as they are at one moment: a secret goes only where the settings beside it lead.
    let mut settings = hub.db.endpoint_settings(&found.scope, side.into(), &found.summary.id, &hub.keyring).await?;
    let store = found.store_key();
    let tenant = &found.scope.tenant;
    let (name, platform) = (found.summary.name.as_str(), found.summary.platform.as_str());
    let mut told = test(hub, tenant, side, (name, platform), &settings, store.as_ref()).await;
    if trust && !told.learned.is_empty() {
        let spec = endpoints::platform(side, &found.summary.platform)?;
        let mut values = settings.values.clone();
        values.extend(told.learned.clone());
        let learned = Settings { values, secrets: BTreeMap::new() };
        let kept = endpoints::Keep {
            side,
            scope: &found.scope,
            known: Some((&found.summary.id, &settings.values)),
            name,
            renamed: false,
            spec,
            settings: learned.clone(),
        };
        endpoints::keep(hub, caller, kept).await?;
        // Now that the server is known, sign in to it as well.
        settings = Settings { values: learned.values, secrets: settings.secrets };
        let learned = told.learned;
        told = test(hub, tenant, side, (name, platform), &settings, store.as_ref()).await;
        told.learned = learned;
        told.kept = true;
    }
    if side == Side::Warehouse {
        warn_of_shared_place(hub, caller, Some(&found.summary.id), &found.summary.platform, &settings, &mut told)
            .await?;
    }
    Ok(told)
}

/// Warns where another warehouse of this caller takes what the warehouse writes from the same place: whichever reads first puts
/// it away, and the other never sees it.
async fn warn_of_shared_place(
    hub: &Hub,
    caller: &Caller,
    own: Option<&str>,
    platform: &str,
    settings: &Settings,
    told: &mut EndpointCheckOut,
) -> Result<(), Failure> {
    let place = |platform: &str, settings: &Settings| ships(hub, &caller.tenant, platform, settings).ok()?.takes_from();
    let Some(here) = place(platform, settings) else { return Ok(()) };
    for other in endpoints::all(hub, caller, Side::Warehouse).await? {
        if own == Some(other.summary.id.as_str()) {
            continue;
        }
        // Where it is does not depend on its secrets, so those at hand stand for them: nothing is dialled with them.
        let theirs = Settings { values: other.summary.values, secrets: settings.secrets.clone() };
        if place(&other.summary.platform, &theirs).as_ref() == Some(&here) {
            told.warnings.push(format!(
                "The warehouse {} reads the same folder ({here}): whichever reads first puts a file away, and the other never \
                 sees it. Have the warehouse write to a folder for each.",
                super::quoted(&other.summary.name)
            ));
        }
    }
    Ok(())
}

/// Tests settings that are not kept, and keeps nothing.
///
/// # Errors
/// When the caller may not, or the settings make no sense in themselves. What the test finds wrong is in its answer.
pub async fn unsaved(
    hub: &Hub,
    caller: &Caller,
    side: Side,
    given: TestEndpointIn,
) -> Result<EndpointCheckOut, Failure> {
    caller.administers()?;
    let spec = endpoints::platform(side, &given.platform)?;
    let mut values = endpoints::kept(given.settings);
    let mut secrets = endpoints::opened(given.secrets);
    let (mut before, mut own) = (None, None);
    if let Some(draft) = &given.draft {
        // As with those of one that is kept: they go where the given settings say.
        caller.proves(hub)?;
        for (field, secret) in drafts::secrets(hub, caller, draft, side).await? {
            secrets.entry(field).or_insert(secret);
        }
    }
    if let Some(named) = &given.of {
        // Its secrets are used with the given settings, so this is as good as changing it.
        caller.proves(hub)?;
        let found = endpoints::find(hub, caller, side, named).await?;
        if found.summary.platform != spec.name {
            return Err(Failure::invalid(
                format!("{} is on another platform", super::quoted(named)),
                vec![Problem::new("of", "name one on the same platform, or none")],
            ));
        }
        let kept = hub.db.endpoint_settings(&found.scope, side.into(), &found.summary.id, &hub.keyring).await?;
        endpoints::learned(spec, &kept.values, &mut values);
        let not_given = kept.secrets.keys().filter(|field| !secrets.contains_key(*field));
        spec.secrets_stay(&kept.values, &values, not_given)?;
        for (field, secret) in kept.secrets {
            secrets.entry(field).or_insert(secret);
        }
        before = Some(kept.values);
        own = Some(found.summary.id);
    }
    let settings = Settings { values, secrets };
    endpoints::validate(hub, &caller.tenant, spec, &settings, before.as_ref())?;
    let mut told = test(hub, &caller.tenant, side, (given.name.trim(), spec.name), &settings, None).await;
    if side == Side::Warehouse {
        warn_of_shared_place(hub, caller, own.as_deref(), spec.name, &settings, &mut told).await?;
    }
    Ok(told)
}

/// Tests settings of a store or warehouse of this name and platform, kept or not. `kept` is the store they are of, where it is one
/// that is kept: it may have been granted access.
pub async fn test(
    hub: &Hub,
    tenant: &TenantId,
    side: Side,
    (name, platform): (&str, &str),
    settings: &Settings,
    kept: Option<&StoreKey>,
) -> EndpointCheckOut {
    let mut told = EndpointCheckOut {
        name: name.to_owned(),
        side,
        platform: platform.to_owned(),
        ok: false,
        reached: Vec::new(),
        warnings: Vec::new(),
        problem: None,
        credentials_refused: false,
        learned: BTreeMap::new(),
        kept: false,
        facilities: Vec::new(),
    };
    let outcome = match side {
        Side::Store => store(hub, tenant, platform, settings, kept, &mut told).await,
        Side::Warehouse => warehouse(hub, tenant, platform, settings, &mut told).await,
    };
    match outcome {
        Ok(()) if !told.learned.is_empty() => {
            told.problem = Some(
                "what the test learned waits for you: compare it, then test again and keep it (--trust-host-key, or \
                 trust_host_key=true)"
                    .to_owned(),
            );
        }
        Ok(()) => told.ok = true,
        Err(failure) => {
            told.credentials_refused = failure.kind == FailureKind::Credentials;
            told.problem = Some(failure.detail);
        }
    }
    told
}

async fn store(
    hub: &Hub,
    tenant: &TenantId,
    platform: &str,
    settings: &Settings,
    kept: Option<&StoreKey>,
    told: &mut EndpointCheckOut,
) -> Result<(), Failure> {
    let found = source(hub, tenant, platform, settings, kept)?.check().await?;
    told.reached = found.reached;
    told.warnings = found.warnings;
    Ok(())
}

async fn warehouse(
    hub: &Hub,
    tenant: &TenantId,
    platform: &str,
    settings: &Settings,
    told: &mut EndpointCheckOut,
) -> Result<(), Failure> {
    let mut context = hub.workers.context(tenant, "check");
    let dated = Arc::new(Dated::around(Arc::clone(&context.transport), Arc::clone(&context.clock)));
    context.transport = Arc::<Dated>::clone(&dated);
    let found = ships_in(&context, platform, settings)?.check().await.map_err(|error| match error.kind {
        ErrorKind::NotFound => Failure::new(FailureKind::Remote, error.message),
        _ => error.into(),
    })?;
    told.reached = found.reached;
    told.warnings = found.warnings;
    match dated.difference().map(|difference| clocks::beside_ours("The warehouse's", difference)) {
        Some(Ok(words)) => told.reached.push(words),
        Some(Err(words)) => told.warnings.push(words),
        None => {}
    }
    told.learned = found.learned;
    told.facilities = found.facilities;
    Ok(())
}

/// An order source built for one look; `kept` as for [`test()`].
///
/// # Errors
/// When its settings cannot be used.
pub fn source(
    hub: &Hub,
    tenant: &TenantId,
    platform: &str,
    settings: &Settings,
    kept: Option<&StoreKey>,
) -> Result<Arc<dyn OrderSource>, Failure> {
    let spec = endpoints::platform(Side::Store, platform)?;
    settings.validate(spec.fields)?;
    match spec.role {
        connect::Role::OrderSource(build) => {
            let context = match kept {
                Some(key) => hub.workers.context_of(key.clone(), "check"),
                None => hub.workers.context(tenant, "check"),
            };
            Ok(build(settings, &context)?)
        }
        connect::Role::Warehouse(_) => Err(Failure::new(FailureKind::Internal, "a warehouse in the place of a store")),
    }
}

/// A warehouse built for one look.
///
/// # Errors
/// When its settings cannot be used.
pub fn ships(hub: &Hub, tenant: &TenantId, platform: &str, settings: &Settings) -> Result<Arc<dyn Warehouse>, Failure> {
    ships_in(&hub.workers.context(tenant, "check"), platform, settings)
}

fn ships_in(context: &BuildContext, platform: &str, settings: &Settings) -> Result<Arc<dyn Warehouse>, Failure> {
    let spec = endpoints::platform(Side::Warehouse, platform)?;
    settings.validate(spec.fields)?;
    match spec.role {
        connect::Role::Warehouse(build) => Ok(build(settings, context)?),
        connect::Role::OrderSource(_) => {
            Err(Failure::new(FailureKind::Internal, "a store in the place of a warehouse"))
        }
    }
}

/// The order source of a connection, built for one look.
///
/// # Errors
/// When it cannot be read or its settings cannot be used.
pub async fn source_of(hub: &Hub, key: &ConnectionKey) -> Result<Arc<dyn OrderSource>, Failure> {
    let record = hub.db.connection(key, &hub.keyring).await?;
    let store = record.store_key();
    let settings = Settings { values: record.store.values, secrets: record.store_secrets };
    source(hub, &key.scope.tenant, &record.store.platform, &settings, Some(&store))
}

/// The same of a store that nothing may be connected with yet.
///
/// # Errors
/// When there is none for this caller, or its settings cannot be used.
pub async fn source_of_store(hub: &Hub, caller: &Caller, named: &str) -> Result<Arc<dyn OrderSource>, Failure> {
    let found = endpoints::find(hub, caller, Side::Store, named).await?;
    let kept = found.store_key();
    let secrets = hub.db.secrets(&found.scope, &found.summary.id, &hub.keyring).await?;
    let settings = Settings { values: found.summary.values, secrets };
    source(hub, &found.scope.tenant, &found.summary.platform, &settings, kept.as_ref())
}

/// A warehouse that is kept, built for one look.
///
/// # Errors
/// When there is none for this caller, or its settings cannot be used.
pub async fn warehouse_of(hub: &Hub, caller: &Caller, named: &str) -> Result<Arc<dyn Warehouse>, Failure> {
    let found = endpoints::find(hub, caller, Side::Warehouse, named).await?;
    let kept = Side::Warehouse.into();
    let settings = hub.db.endpoint_settings(&found.scope, kept, &found.summary.id, &hub.keyring).await?;
    ships(hub, &found.scope.tenant, &found.summary.platform, &settings)
}
