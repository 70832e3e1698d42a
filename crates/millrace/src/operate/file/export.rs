//! The configuration written as a file.

use std::collections::BTreeMap;

use connect::Choices;
use serde::Serialize;

use super::{ChannelIn, ChannelsIn, ConnectionSettingsIn, MappingsIn, Names};
use crate::{
    db::{ChannelKind, ConnectionKey, Scope},
    operate::{
        Caller, Failure, FailureKind, Hub, check,
        endpoints::{self, Side},
        mappings,
        schedules::{RuleIn, ScheduleIn},
    },
};

#[derive(Serialize)]
struct FileOut {
    tenant: TenantOut,
    #[serde(rename = "merchant")]
    merchants: Vec<TenantOut>,
    #[serde(rename = "store")]
    stores: Vec<EndpointOut>,
    #[serde(rename = "warehouse")]
    warehouses: Vec<EndpointOut>,
    #[serde(rename = "connection")]
    connections: Vec<ConnectionOut>,
}

#[derive(Serialize)]
struct TenantOut {
    name: String,
}

#[derive(Serialize)]
struct EndpointOut {
    name: String,
    merchant: String,
    platform: String,
    settings: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, SecretOut>,
}

/// Where the secret is to be found when the file is applied; the secret itself is not written.
#[derive(Serialize)]
struct SecretOut {
    env: String,
}

#[derive(Serialize)]
struct ConnectionOut {
    name: String,
    merchant: String,
    store: String,
    warehouse: String,
    enabled: bool,
    settings: ConnectionSettingsIn,
    channels: ChannelsIn,
    mappings: MappingsIn,
}

/// The configuration of the caller's tenant as TOML: names where the account's lists can be read, ids where not; secrets as
/// references to environment variables.
///
/// # Errors
/// When the caller may not see it, or the database cannot be reached.
pub async fn export(hub: &Hub, caller: &Caller) -> Result<String, Failure> {
    caller.administers()?;
    let tenants = hub.db.tenants().await?;
    let tenant =
        tenants.into_iter().find(|tenant| tenant.id == caller.tenant).map(|tenant| tenant.name).unwrap_or_default();
    let merchants = endpoints::merchants(hub, caller).await?;
    let named: BTreeMap<&str, &str> =
        merchants.iter().map(|merchant| (merchant.id.as_str(), merchant.name.as_str())).collect();
    let merchant_name = |id: &str| named.get(id).copied().unwrap_or_default().to_owned();
    let mut sides = [Vec::new(), Vec::new()];
    for (side, written) in [Side::Store, Side::Warehouse].into_iter().zip(&mut sides) {
        for endpoint in endpoints::all_shown(hub, caller, side).await? {
            let secrets = endpoint
                .secrets
                .iter()
                .map(|field| (field.clone(), SecretOut { env: variable(&endpoint.name, field) }))
                .collect();
            written.push(EndpointOut {
                merchant: merchant_name(&endpoint.merchant),
                name: endpoint.name,
                platform: endpoint.platform,
                settings: endpoint.settings,
                secrets,
            });
        }
    }
    let [stores, warehouses] = sides;
    let mut lists: BTreeMap<String, Choices> = BTreeMap::new();
    let mut notes = Vec::new();
    let mut connections = Vec::new();
    for summary in hub.db.connections(&caller.access()).await? {
        if summary.archived {
            continue;
        }
        let scope = Scope { tenant: caller.tenant.clone(), merchant: summary.merchant.clone() };
        let key = ConnectionKey { scope, connection: summary.id };
        let record = hub.db.connection(&key, &hub.keyring).await?;
        let store = record.store.id.to_string();
        if !lists.contains_key(&store) {
            let read = match check::source_of(hub, &key).await {
                Ok(source) => source.choices().await.map_err(Failure::from),
                Err(failure) => Err(failure),
            };
            lists.insert(
                store.clone(),
                read.unwrap_or_else(|failure| {
                    notes.push(format!("ids instead of names for {:?}: {}", record.store.name, failure.detail));
                    Choices::default()
                }),
            );
        }
        let nothing = Choices::default();
        let choices = lists.get(&store).unwrap_or(&nothing);
        let channel = |kind| {
            let channel = record.channels.iter().find(|channel| channel.kind == kind)?;
            let schedule = channel.schedule.as_ref().map(|schedule| ScheduleIn {
                zone: Some(schedule.zone.clone()),
                rules: schedule.rules.iter().map(RuleIn::from).collect(),
            });
            Some(ChannelIn { enabled: channel.enabled, every_seconds: Some(channel.every_seconds), schedule })
        };
        connections.push(ConnectionOut {
            name: record.name.clone(),
            merchant: merchant_name(summary.merchant.as_str()),
            store: record.store.name.clone(),
            warehouse: record.warehouse.name.clone(),
            enabled: record.enabled,
            settings: Names::of(choices).settings(&record.settings),
            channels: ChannelsIn {
                orders: channel(ChannelKind::Orders),
                shipments: channel(ChannelKind::Shipments),
                stock: channel(ChannelKind::Stock),
            },
            mappings: mappings::written(&hub.db.mappings(&key).await?, choices),
        });
    }
    let merchants = merchants.iter().map(|merchant| TenantOut { name: merchant.name.clone() }).collect();
    let file = FileOut { tenant: TenantOut { name: tenant }, merchants, stores, warehouses, connections };
    let text = toml::to_string_pretty(&file).map_err(|error| {
        Failure::new(FailureKind::Internal, format!("the configuration cannot be written: {error}"))
    })?;
    let mut head = String::from("# Millrace configuration. Secrets are not in it: set the variables that it names.\n");
    for note in notes {
        head.push_str(&format!("# {}\n", note.replace('\n', " ")));
    }
    Ok(format!("{head}\n{text}"))
}

/// `MILLRACE_ACME_UK_PASSWORD` for the password of *Acme UK*.
fn variable(name: &str, field: &str) -> String {
    let upper: String = format!("millrace_{name}_{field}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    upper
}
