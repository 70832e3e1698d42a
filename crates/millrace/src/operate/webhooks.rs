//! Calls from remote systems: registering for them, and taking them in. A call is a hint to look, never data.

use std::sync::Arc;

use connect::{HttpRequest, Secret, Settings, WarehouseFeature, WebhookCall as FromWarehouse};
use connectors::brightpearl::{self, webhooks as calls};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, check, connections,
    endpoints::{self, Side},
    switches,
};
use crate::db::{Access, ChannelKind, ConnectionKey, ConnectionRecord, Hook, InboxCall, Scope};

/// Field that the secret of an address is sealed under.
const SECRET: &str = "webhook_secret";

/// Whether Brightpearl calls this installation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhooksOut {
    /// `on`, or `polling_only`: it works all the same, only later.
    pub state: String,
    /// Why it polls only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the public address was last seen to reach this installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub reached_at: Option<Timestamp>,
    /// What Brightpearl calls for.
    pub events: Vec<String>,
}

/// In one word: `on`, or `polling_only`.
///
/// # Errors
/// When the database cannot be reached.
pub async fn state(hub: &Hub, record: &ConnectionRecord) -> Result<String, Failure> {
    let hook = hub.db.hook(&record.key.scope, record.store.id.as_str()).await?;
    let on = hub.config.public_url.is_some() && hook.is_some_and(|hook| hook.reached_at.is_some());
    Ok(if on { "on" } else { "polling_only" }.to_owned())
}

/// Whether Brightpearl calls this installation, as Brightpearl itself says.
///
/// # Errors
/// When the account cannot be read.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<WebhooksOut, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    let Some(public) = &hub.config.public_url else {
        return Ok(polling_only("this installation has no public address (--public-url)"));
    };
    let Some(hook) = hub.db.hook(&key.scope, record.store.id.as_str()).await? else {
        return Ok(polling_only("no webhooks were registered yet"));
    };
    let source = brightpearl_of(hub, &record)?;
    let found = source.list_webhooks(address(public, &hook)?.as_str()).await?;
    let events: Vec<String> = found.into_iter().map(|subscription| subscription.event).collect();
    let missing = calls::EVENTS.iter().filter(|event| !events.iter().any(|found| found == *event)).count();
    if missing > 0 {
        return Ok(WebhooksOut {
            events,
            reached_at: hook.reached_at,
            ..polling_only("some subscriptions are missing at Brightpearl; register again")
        });
    }
    Ok(WebhooksOut { state: "on".to_owned(), reason: None, reached_at: hook.reached_at, events })
}

fn polling_only(why: &str) -> WebhooksOut {
    WebhooksOut { state: "polling_only".to_owned(), reason: Some(why.to_owned()), reached_at: None, events: Vec::new() }
}

/// Tests that the public address reaches this installation, then makes Brightpearl's subscriptions what they should be.
///
/// # Errors
/// When there is no public address, it is not reached, or Brightpearl refuses.
pub async fn register(hub: &Hub, caller: &Caller, named: &str) -> Result<WebhooksOut, Failure> {
    caller.administers()?;
    let key = connections::find(hub, caller, named).await?;
    let record = hub.db.connection(&key, &hub.keyring).await?;
    if hub.db.frozen().await? {
        return Err(Failure::conflict(
            "sending is frozen: subscriptions of the account would be turned to what may be a copy",
        )
        .remedy("See `millrace safety`; register after sending is released. Until then it polls."));
    }
    let Some(public) = &hub.config.public_url else {
        return Err(Failure::new(FailureKind::Setup, "this installation has no public address, so nobody can call it")
            .remedy("Start Millrace with --public-url https://…, reachable from the internet. Until then it polls."));
    };
    if public.scheme() != "https" && !hub.config.allow_stand_ins {
        return Err(Failure::new(FailureKind::Setup, "the public address must begin with https://")
            .remedy("Put a server with a certificate in front of Millrace, and give its address."));
    }
    reach(hub, public).await?;
    let store = record.store.id.as_str();
    let mut random = [0_u8; 20];
    hub.seams.random.fill(&mut random);
    let hook = hub.db.ensure_hook(&key.scope, store, &hex(&random)).await?;
    let secret = match hub.db.secrets(&key.scope, &hook.id, &hub.keyring).await?.remove(SECRET) {
        Some(secret) => secret,
        None => {
            let mut random = [0_u8; 32];
            hub.seams.random.fill(&mut random);
            let secret = Secret::new(hex(&random));
            hub.db.put_secret(&key.scope, &hook.id, SECRET, &secret, &hub.keyring).await?;
            secret
        }
    };
    let source = brightpearl_of(hub, &record)?;
    let found = source.register_webhooks(address(public, &hook)?.as_str(), &secret).await?;
    hub.db.hook_reached(&key.scope, store).await?;
    let events: Vec<String> = found.into_iter().map(|subscription| subscription.event).collect();
    let detail = serde_json::json!({ "events": events });
    hub.db.audit(&caller.access(), &caller.actor, "webhooks.register", store, &detail).await?;
    let reached_at = Some(hub.seams.clock.now());
    Ok(WebhooksOut { state: "on".to_owned(), reason: None, reached_at, events })
}

fn brightpearl_of(hub: &Hub, record: &ConnectionRecord) -> Result<Arc<brightpearl::Brightpearl>, Failure> {
    if record.store.platform != brightpearl::SPEC.name {
        return Err(Failure::new(FailureKind::Setup, format!("{} does not call", record.store.platform)));
    }
    let settings = Settings { values: record.store.values.clone(), secrets: record.store_secrets.clone() };
    Ok(brightpearl::build_source(&settings, &hub.workers.context_of(record.store_key(), "webhooks"))?)
}

fn address(public: &Url, hook: &Hook) -> Result<Url, Failure> {
    below(public, &format!("hooks/brightpearl/{}", hook.path))
}

/// An address under the public one.
pub(super) fn below(public: &Url, path: &str) -> Result<Url, Failure> {
    let mut base = public.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base.join(path)
        .map_err(|error| Failure::new(FailureKind::Setup, format!("the public address cannot be used: {error}")))
}

/// Asks the public address for something that only this installation can answer.
async fn reach(hub: &Hub, public: &Url) -> Result<(), Failure> {
    let mut nonce = [0_u8; 16];
    hub.seams.random.fill(&mut nonce);
    let nonce = hex(&nonce);
    let expected = reach_answer(&hub.db.fingerprint().await?, &nonce);
    let request = HttpRequest::new("GET", below(public, &format!("hooks/reach/{nonce}"))?);
    let failed = |why: String| {
        Failure::new(FailureKind::Setup, format!("{public} does not reach this installation: {why}")).remedy(
            "Check the name, the certificate, and that the server in front passes /hooks/ on to a running `millrace serve`.",
        )
    };
    let answer = hub.seams.transport.send(request).await.map_err(|error| failed(error.to_string()))?;
    if !answer.is_success() {
        return Err(failed(format!("it answers with status {}", answer.status)));
    }
    if answer.body.as_ref() != expected.as_bytes() {
        return Err(failed("somebody else answers there".to_owned()));
    }
    Ok(())
}

/// What the installation with this fingerprint answers when it is reached.
pub fn reach_answer(fingerprint: &str, nonce: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["millrace reach", fingerprint, nonce] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is kept, or was before, or speaks of nothing that is wanted: it may be answered with success.
    Kept,
    /// It is not for us, or does not prove that it is: nothing is said about which.
    NotOurs,
}

/// Takes in a call from Brightpearl. Once this says [`Taken::Kept`] the call is durable.
///
/// # Errors
/// Own trouble: the caller must be told to come again.
pub async fn from_brightpearl(hub: &Hub, path: &str, body: &[u8]) -> Result<Taken, Failure> {
    let Some(hook) = hub.db.hook_by_path(path).await? else { return Ok(Taken::NotOurs) };
    let Ok(call) = calls::parse_call(body) else { return Ok(Taken::NotOurs) };
    let Some(secret) = hub.db.secrets(&hook.scope, &hook.id, &hub.keyring).await?.remove(SECRET) else {
        return Ok(Taken::NotOurs);
    };
    if !bool::from(call.secret.expose().as_bytes().ct_eq(secret.expose().as_bytes())) {
        return Ok(Taken::NotOurs);
    }
    let access = Access::Merchant(hook.scope.clone());
    let stores = hub.db.stores(&access).await?;
    let Some(store) = stores.into_iter().find(|store| store.id == hook.object) else { return Ok(Taken::NotOurs) };
    if store.account != call.account {
        return Ok(Taken::NotOurs);
    }
    // Subscriptions of earlier programs call for products as well. Their figures move with every order and nothing follows them:
    // kept, such calls would stand before those about orders.
    if !matches!(call.resource.as_str(), "" | "order" | "sales-order" | "goods-out-note") {
        return Ok(Taken::Kept);
    }
    let is_news = match &call.ids {
        Some(ids) => {
            let one = |id: &i64| InboxCall {
                resource: call.resource.clone(),
                resource_id: id.to_string(),
                event: call.event.clone(),
                raised_on: call.raised_on.clone(),
            };
            hub.db.insert_calls(&hook.scope, &call.account, ids.iter().map(one).collect()).await? > 0
        }
        // Whatever changed, it is found by looking at what changed last, which is wanted durably before the answer.
        None => {
            tracing::warn!("a call from Brightpearl says what changed in a way that cannot be read");
            for key in connections_of(hub, &hook).await? {
                hub.db.want_run(&key, ChannelKind::Orders, None).await?;
            }
            false
        }
    };
    if is_news {
        for key in connections_of(hub, &hook).await? {
            wake(hub, &key, ChannelKind::Orders).await;
        }
    }
    Ok(Taken::Kept)
}

/// Takes in a call from a warehouse. Once this says [`Taken::Kept`] the call is durable.
///
/// # Errors
/// Own trouble: the caller must be told to come again.
pub async fn from_warehouse(hub: &Hub, path: &str, call: &FromWarehouse) -> Result<Taken, Failure> {
    let Some(hook) = hub.db.hook_by_path(path).await? else { return Ok(Taken::NotOurs) };
    let access = Access::Merchant(hook.scope.clone());
    let warehouses = hub.db.warehouses(&access).await?;
    let Some(found) = warehouses.into_iter().find(|warehouse| warehouse.id == hook.object) else {
        return Ok(Taken::NotOurs);
    };
    let secrets = hub.db.secrets(&hook.scope, &found.id, &hub.keyring).await?;
    let settings = Settings { values: found.values, secrets };
    let warehouse = check::ships(hub, &hook.scope.tenant, &found.platform, &settings)?;
    let hints = match warehouse.parse_webhook(call).await {
        Ok(hints) => hints,
        // It may be genuine, and could only not be proven now.
        Err(error) if error.is_passing() => return Err(error.into()),
        Err(_) => return Ok(Taken::NotOurs),
    };
    let rows: Vec<InboxCall> = hints
        .into_iter()
        .map(|hint| InboxCall {
            resource: "warehouse".to_owned(),
            resource_id: hint.subject,
            event: hint.event,
            raised_on: hint.event_id,
        })
        .collect();
    if hub.db.insert_calls(&hook.scope, &found.id, rows).await? > 0 {
        for key in connections_of(hub, &hook).await? {
            wake(hub, &key, ChannelKind::Shipments).await;
            wake(hub, &key, ChannelKind::Stock).await;
        }
    }
    Ok(Taken::Kept)
}

/// Where a warehouse may call this installation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallAddressOut {
    /// To be entered at the warehouse.
    pub address: String,
}

/// The address that a warehouse may call, made where there is none yet.
///
/// # Errors
/// When there is no such warehouse for this caller, it does not call, or this installation has no public address.
pub async fn warehouse_address(hub: &Hub, caller: &Caller, named: &str) -> Result<CallAddressOut, Failure> {
    caller.administers()?;
    // Whoever knows the address may call it.
    caller.proves(hub)?;
    let found = endpoints::find(hub, caller, Side::Warehouse, named).await?;
    let secrets = hub.db.secrets(&found.scope, &found.summary.id, &hub.keyring).await?;
    let settings = Settings { values: found.summary.values.clone(), secrets };
    let warehouse = check::ships(hub, &found.scope.tenant, &found.summary.platform, &settings)?;
    if !warehouse.features().contains(&WarehouseFeature::Webhooks) {
        return Err(Failure::conflict(format!("{} does not call", found.summary.platform))
            .remedy("It is asked regularly instead; set the pace of the channels."));
    }
    let Some(public) = &hub.config.public_url else {
        return Err(Failure::new(FailureKind::Setup, "this installation has no public address, so nobody can call it")
            .remedy("Start Millrace with --public-url https://…, reachable from the internet. Until then it polls."));
    };
    let mut random = [0_u8; 20];
    hub.seams.random.fill(&mut random);
    let hook = hub.db.ensure_hook(&found.scope, &found.summary.id, &hex(&random)).await?;
    Ok(CallAddressOut { address: below(public, &format!("hooks/warehouse/{}", hook.path))?.to_string() })
}

async fn connections_of(hub: &Hub, hook: &Hook) -> Result<Vec<ConnectionKey>, Failure> {
    let access = Access::Merchant(hook.scope.clone());
    Ok(hub
        .db
        .connections(&access)
        .await?
        .into_iter()
        .filter(|summary| summary.store.as_str() == hook.object || summary.warehouse.as_str() == hook.object)
        .map(|summary| ConnectionKey { scope: hook.scope.clone(), connection: summary.id })
        .collect())
}

/// A warehouse has told something: whoever is connected with it looks at once.
pub(super) async fn wake_warehouse(
    hub: &Hub,
    scope: &Scope,
    warehouse: &str,
    kind: ChannelKind,
) -> Result<(), Failure> {
    for summary in hub.db.connections(&Access::Merchant(scope.clone())).await? {
        if summary.warehouse.as_str() == warehouse {
            wake(hub, &ConnectionKey { scope: scope.clone(), connection: summary.id }, kind).await;
        }
    }
    Ok(())
}

/// A wake saves waiting and may fail: polling stays the truth.
async fn wake(hub: &Hub, key: &ConnectionKey, kind: ChannelKind) {
    if let Err(failure) = switches::want(hub, key, kind, None).await {
        tracing::warn!(connection.id = %key.connection, "a call could not wake the channel: {}", failure.detail);
    }
}
