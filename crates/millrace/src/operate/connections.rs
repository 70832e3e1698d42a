//! Connections: what is switched on, what it may do, and what stands in its way.

use std::collections::BTreeMap;

use connect::{Choices, Settings, Side};
use engine::settings::ConnectionSettings;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, PageOut, Problem, check, endpoints,
    file::{ConnectionSettingsIn, Names, resolve_settings},
    id, limit, quoted, schedules, switches, webhooks,
};
use crate::db::{Channel, ChannelKind, ConnectionKey, ConnectionRecord, ConnectionSummary, Mappings, Scope};

/// A connection in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionOut {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub merchant: String,
    /// Id of its store.
    pub store: String,
    /// Name of its store.
    pub store_name: String,
    /// Id of its warehouse.
    pub warehouse: String,
    /// Name of its warehouse.
    pub warehouse_name: String,
    /// Switched on.
    pub enabled: bool,
    /// `off`, `on`, `paused`: something must be mended before it goes on, or `archived`: it was put away.
    pub state: String,
    /// Its flows.
    pub channels: Vec<ChannelOut>,
    /// Why a side is paused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paused: BTreeMap<String, String>,
}

/// A connection with everything about it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectionDetailOut {
    /// As in the list.
    #[serde(flatten)]
    pub connection: ConnectionOut,
    /// The account's code at Brightpearl.
    pub account: String,
    /// What was chosen, by the account's ids.
    pub settings: ConnectionSettingsIn,
    /// Whether Brightpearl calls this installation (`on`), or it polls only (`polling_only`).
    pub webhooks: String,
    /// What keeps it from being switched on, or from working as it should.
    pub problems: Vec<String>,
    /// What is worth knowing.
    pub warnings: Vec<String>,
}

/// One flow of a connection.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelOut {
    /// `orders`, `shipments` or `stock`.
    pub channel: String,
    /// Switched on.
    pub enabled: bool,
    /// Seconds between runs, where no schedule says otherwise.
    pub every_seconds: u32,
    /// When it runs, in words.
    pub recurrence: String,
    /// When it runs next if nobody and nothing asks for it; absent while it or the connection is switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
    /// A run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub wanted_at: Option<Timestamp>,
    /// Start of the last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// End of the last run that went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub succeeded_at: Option<Timestamp>,
    /// What the last run failed of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the last run did.
    pub summary: String,
}

impl ChannelOut {
    /// Of a connection that is switched on (`runs`) or off.
    pub(super) fn of(hub: &Hub, channel: &Channel, runs: bool) -> Self {
        let due = || match channel.wanted_at {
            Some(wanted_at) => wanted_at,
            None => channel.due(hub.config.waits.factor),
        };
        let next_run_at = (runs && channel.enabled).then(|| due().max(hub.seams.clock.now()));
        Self {
            channel: channel.kind.as_str().to_owned(),
            enabled: channel.enabled,
            every_seconds: channel.every_seconds,
            recurrence: schedules::recurrence(channel),
            next_run_at,
            wanted_at: channel.wanted_at,
            started_at: channel.started_at,
            succeeded_at: channel.succeeded_at,
            problem: channel.problem.clone(),
            summary: channel.summary.clone(),
        }
    }
}

/// A connection to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnectionIn {
    /// Its name, unique in the tenant.
    pub name: String,
    /// Its store (name or id).
    pub store: String,
    /// Its warehouse (name or id).
    pub warehouse: String,
    /// What is chosen for it.
    #[serde(default)]
    pub settings: ConnectionSettingsIn,
}

/// One entry of an account's list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChoiceOut {
    /// The account's id.
    pub id: i64,
    /// Its name there.
    pub name: String,
    /// What tells alike names apart.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// The account's own lists.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChoicesOut {
    /// Warehouses.
    pub warehouses: Vec<ChoiceOut>,
    /// Statuses of sales orders that are in use.
    pub statuses: Vec<ChoiceOut>,
    /// Channels.
    pub channels: Vec<ChoiceOut>,
    /// Shipping methods.
    pub ship_methods: Vec<ChoiceOut>,
    /// Price lists.
    pub price_lists: Vec<ChoiceOut>,
    /// Time zone.
    pub time_zone: String,
    /// Base currency.
    pub currency: String,
}

/// A carrier that a warehouse lists.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CarrierChoiceOut {
    /// Its code, as the warehouse is sent it.
    pub carrier: String,
    /// Codes of its services, where the warehouse lists them.
    pub services: Vec<String>,
}

/// A warehouse's own lists.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WarehouseChoicesOut {
    /// Codes of its facilities.
    pub facilities: Vec<String>,
    /// Its carriers.
    pub carriers: Vec<CarrierChoiceOut>,
}

impl From<&Choices> for ChoicesOut {
    fn from(choices: &Choices) -> Self {
        let list = |entries: &[connect::Choice]| {
            entries
                .iter()
                .map(|choice| ChoiceOut { id: choice.id, name: choice.name.clone(), detail: choice.detail.clone() })
                .collect()
        };
        Self {
            warehouses: list(&choices.warehouses),
            statuses: choices
                .statuses
                .iter()
                .filter(|status| !status.disabled)
                .map(|status| ChoiceOut { id: status.id, name: status.name.clone(), detail: String::new() })
                .collect(),
            channels: list(&choices.channels),
            ship_methods: list(&choices.ship_methods),
            price_lists: list(&choices.price_lists),
            time_zone: choices.time_zone.clone(),
            currency: choices.currency.clone(),
        }
    }
}

/// The connection of this name or id.
///
/// # Errors
/// When there is none for this caller.
pub async fn find(hub: &Hub, caller: &Caller, named: &str) -> Result<ConnectionKey, Failure> {
    let found = hub.db.find_connection(&caller.access(), named).await?;
    found.ok_or_else(|| Failure::not_found(format!("connection {}", quoted(named))))
}

fn key(caller: &Caller, summary: &ConnectionSummary) -> ConnectionKey {
    ConnectionKey {
        scope: Scope { tenant: caller.tenant.clone(), merchant: summary.merchant.clone() },
        connection: summary.id.clone(),
    }
}

/// The flow of this name.
///
/// # Errors
/// When there is none.
pub fn channel_kind(named: &str) -> Result<ChannelKind, Failure> {
    ChannelKind::ALL.into_iter().find(|kind| kind.as_str() == named).ok_or_else(|| {
        Failure::not_found(format!("channel {}", quoted(named))).remedy("There are: orders, shipments, stock.")
    })
}

/// Which connections.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ConnectionsQuery {
    /// Also those that were put away.
    pub archived: bool,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// The connections the caller may see, by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list(hub: &Hub, caller: &Caller, query: &ConnectionsQuery) -> Result<PageOut<ConnectionOut>, Failure> {
    let (after, limit) = (query.cursor.as_deref(), limit(query.limit));
    let page = hub.db.list_connections(&caller.access(), query.archived, after, limit).await?;
    Ok(PageOut { items: shown(hub, caller, page.items).await?, next: page.next })
}

/// All of them, also those that were put away.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all(hub: &Hub, caller: &Caller) -> Result<Vec<ConnectionOut>, Failure> {
    shown(hub, caller, hub.db.connections(&caller.access()).await?).await
}

async fn shown(hub: &Hub, caller: &Caller, found: Vec<ConnectionSummary>) -> Result<Vec<ConnectionOut>, Failure> {
    let mut shown = Vec::with_capacity(found.len());
    for summary in found {
        let record = hub.db.connection(&key(caller, &summary), &hub.keyring).await?;
        shown.push(out(hub, &record));
    }
    Ok(shown)
}

fn out(hub: &Hub, record: &ConnectionRecord) -> ConnectionOut {
    let paused: BTreeMap<String, String> = record
        .paused
        .iter()
        .map(|(side, why)| {
            let side = match side {
                Side::Source => "store",
                Side::Warehouse => "warehouse",
            };
            (side.to_owned(), why.clone())
        })
        .collect();
    let state = match (record.enabled, paused.is_empty()) {
        _ if record.archived_at.is_some() => "archived",
        (false, _) => "off",
        (true, true) => "on",
        (true, false) => "paused",
    };
    ConnectionOut {
        id: record.key.connection.to_string(),
        name: record.name.clone(),
        merchant: record.key.scope.merchant.to_string(),
        store: record.store.id.to_string(),
        store_name: record.store.name.clone(),
        warehouse: record.warehouse.id.to_string(),
        warehouse_name: record.warehouse.name.clone(),
        enabled: record.enabled,
        state: state.to_owned(),
        channels: record.channels.iter().map(|channel| ChannelOut::of(hub, channel, record.enabled)).collect(),
        paused,
    }
}

/// One connection with everything about it.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<ConnectionDetailOut, Failure> {
    detail(hub, caller, &find(hub, caller, named).await?).await
}

/// What was chosen for a connection, by the account's ids.
///
/// # Errors
/// When there is none for this caller.
pub async fn settings(hub: &Hub, caller: &Caller, named: &str) -> Result<ConnectionSettingsIn, Failure> {
    let record = hub.db.connection(&find(hub, caller, named).await?, &hub.keyring).await?;
    Ok(Names::of(&Choices::default()).settings(&record.settings))
}

pub(super) async fn detail(hub: &Hub, caller: &Caller, key: &ConnectionKey) -> Result<ConnectionDetailOut, Failure> {
    let record = hub.db.connection(key, &hub.keyring).await?;
    let mut warnings = Vec::new();
    if !record.channels.iter().any(|channel| channel.enabled) {
        warnings.push("none of its channels is switched on".to_owned());
    }
    for other in hub.db.connections(&caller.access()).await? {
        if other.id != key.connection && other.enabled {
            let other = hub.db.connection(&self::key(caller, &other), &hub.keyring).await?;
            if other.account == record.account && overlap(&other.settings, &record.settings) {
                warnings.push(format!(
                    "\"{}\" imports orders of the same account with overlapping filters: the first claim of an order wins",
                    other.name
                ));
            }
        }
    }
    let webhooks = webhooks::state(hub, &record).await?;
    Ok(ConnectionDetailOut {
        account: record.account.clone(),
        settings: Names::of(&Choices::default()).settings(&record.settings),
        webhooks,
        problems: problems(hub, &record, &hub.db.mappings(key).await?),
        warnings,
        connection: out(hub, &record),
    })
}

fn overlap(one: &ConnectionSettings, two: &ConnectionSettings) -> bool {
    let (a, b) = (one.warehouses_in_scope(), two.warehouses_in_scope());
    let warehouses = a.is_empty() || b.is_empty() || !a.is_disjoint(&b);
    let channels = one.channels.is_empty() || two.channels.is_empty() || !one.channels.is_disjoint(&two.channels);
    let statuses = one.import_statuses.is_empty()
        || two.import_statuses.is_empty()
        || !one.import_statuses.is_disjoint(&two.import_statuses);
    warehouses && channels && statuses
}

/// What keeps a connection from being switched on, or from working as it should.
pub fn problems(hub: &Hub, record: &ConnectionRecord, mappings: &Mappings) -> Vec<String> {
    let mut problems = record.settings.problems();
    for (side, platform, values, secrets) in [
        (endpoints::Side::Store, &record.store.platform, &record.store.values, &record.store_secrets),
        (endpoints::Side::Warehouse, &record.warehouse.platform, &record.warehouse.values, &record.warehouse_secrets),
    ] {
        let settings = Settings { values: values.clone(), secrets: secrets.clone() };
        let built = match side {
            endpoints::Side::Store => {
                check::source(hub, &record.key.scope.tenant, platform, &settings, None).map(|_| ())
            }
            endpoints::Side::Warehouse => check::ships(hub, &record.key.scope.tenant, platform, &settings).map(|_| ()),
        };
        if let Err(failure) = built {
            problems.push(format!("{}: {}", side.as_str(), failure.detail));
        }
    }
    if record.channels.iter().any(|channel| channel.kind == ChannelKind::Stock && channel.enabled) {
        problems.extend(switches::stock_problems(&record.settings, mappings));
    }
    problems
}

/// Makes a connection, switched off.
///
/// # Errors
/// When the caller may not, the account cannot be read, or the settings cannot be used.
pub async fn create(hub: &Hub, caller: &Caller, given: NewConnectionIn) -> Result<ConnectionDetailOut, Failure> {
    caller.administers()?;
    let name = endpoints::name(&given.name)?;
    let store = endpoints::find(hub, caller, endpoints::Side::Store, &given.store).await?;
    let warehouse = endpoints::find(hub, caller, endpoints::Side::Warehouse, &given.warehouse).await?;
    if store.scope != warehouse.scope {
        return Err(Failure::invalid(
            "the store and the warehouse belong to different merchants",
            vec![Problem::new("warehouse", "choose a warehouse of the store's merchant")],
        ));
    }
    let secrets = hub.db.secrets(&store.scope, &store.summary.id, &hub.keyring).await?;
    let values = Settings { values: store.summary.values.clone(), secrets };
    let kept = store.store_key();
    let source = check::source(hub, &store.scope.tenant, &store.summary.platform, &values, kept.as_ref())?;
    let choices = source.choices().await?;
    let settings = resolved(&given.settings, &choices)?;
    let made = hub
        .db
        .create_connection(&store.scope, &name, &id(&store.summary.id)?, &id(&warehouse.summary.id)?, &settings)
        .await?;
    let detail = serde_json::json!({ "name": name });
    hub.db.audit(&caller.access(), &caller.actor, "connection.create", made.as_str(), &detail).await?;
    self::detail(hub, caller, &ConnectionKey { scope: store.scope, connection: made }).await
}

fn resolved(given: &ConnectionSettingsIn, choices: &Choices) -> Result<ConnectionSettings, Failure> {
    resolve_settings(given, choices, "").map_err(|problems| {
        let detail = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
        Failure::invalid(detail, problems)
    })
}

/// Replaces what was chosen for a connection.
///
/// # Errors
/// As [`create`].
pub async fn update_settings(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    given: &ConnectionSettingsIn,
) -> Result<ConnectionDetailOut, Failure> {
    caller.administers()?;
    let key = find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    let choices = check::source_of(hub, &key).await?.choices().await?;
    let settings = resolved(given, &choices)?;
    if settings.stock != record.settings.stock {
        // These brakes, and whether two people approve, stand between a wrong count and what is sold.
        caller.proves(hub)?;
    }
    write_settings(hub, caller, &record, &record.name, &settings).await?;
    detail(hub, caller, &key).await
}

/// Writes settings down, with their row in the audit trail.
pub(super) async fn write_settings(
    hub: &Hub,
    caller: &Caller,
    record: &ConnectionRecord,
    name: &str,
    settings: &ConnectionSettings,
) -> Result<(), Failure> {
    if record.settings.key_prefix != settings.key_prefix {
        let any =
            crate::db::OrderQuery { connection: Some(record.key.connection.clone()), limit: 1, ..Default::default() };
        if !hub.db.list_orders(&caller.access(), any).await?.items.is_empty() {
            return Err(Failure::invalid(
                "key_prefix: is fixed once the connection has orders: with another one they would be sent again",
                vec![Problem::new("key_prefix", "put the former one back")],
            ));
        }
    }
    hub.db.update_connection(&record.key, name, settings).await?;
    let before = serde_json::to_value(&record.settings).unwrap_or_default();
    let after = serde_json::to_value(settings).unwrap_or_default();
    let detail = serde_json::json!({ "before": before, "after": after });
    hub.db
        .audit(&caller.access(), &caller.actor, "connection.settings", record.key.connection.as_str(), &detail)
        .await?;
    Ok(())
}

/// The account's own lists, read now.
///
/// # Errors
/// When the account cannot be read.
pub async fn choices(hub: &Hub, caller: &Caller, named: &str) -> Result<ChoicesOut, Failure> {
    let key = find(hub, caller, named).await?;
    let choices = check::source_of(hub, &key).await?.choices().await?;
    Ok(ChoicesOut::from(&choices))
}

/// The same for a store, from which a connection is still to be made: what it shall do is picked from these lists.
///
/// # Errors
/// When there is no such store for this caller, or the account cannot be read.
pub async fn store_choices(hub: &Hub, caller: &Caller, named: &str) -> Result<ChoicesOut, Failure> {
    let choices = check::source_of_store(hub, caller, named).await?.choices().await?;
    Ok(ChoicesOut::from(&choices))
}

/// What a warehouse lists, read now; nothing of a warehouse that lists nothing.
///
/// # Errors
/// When there is no such warehouse for this caller, or it cannot be read.
pub async fn warehouse_choices(hub: &Hub, caller: &Caller, named: &str) -> Result<WarehouseChoicesOut, Failure> {
    let choices = check::warehouse_of(hub, caller, named).await?.choices().await?;
    let carriers = choices.carriers.into_iter();
    Ok(WarehouseChoicesOut {
        facilities: choices.facilities,
        carriers: carriers.map(|one| CarrierChoiceOut { carrier: one.carrier, services: one.services }).collect(),
    })
}
