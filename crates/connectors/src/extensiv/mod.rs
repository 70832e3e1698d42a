//! Extensiv 3PL Warehouse Manager (formerly 3PL Central), as one customer of one warehouse.
//!
//! Written from the vendor's published relation pages and help centre and from public clients; it has never been called
//! with real credentials. What the documentation leaves open is named where it matters.

mod check;
mod client;
mod effects;
mod orders;
mod settings;
mod shipments;
mod sightings;
mod stock;
mod webhook;
mod wire;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, Clock, ConnectorError, ConnectorSpec, Delivery, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, Inbound, KeysAgain, PlanError, Prepared, Probe, RejectedInput, RemoteRef, Role,
    Settings, SettingsError, ShipmentPage, ShipmentRequest, Sightings, StockPage, Waits, Warehouse, WarehouseCheck,
    WarehouseChoices, WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use self::{client::Client, settings::Config, webhook::KeptKey};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "extensiv",
    title: "Extensiv 3PL Warehouse Manager",
    summary: "Orders, shipments and stock over Extensiv's REST API (formerly 3PL Central).",
    proven: "simulator",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
    destination: &[],
    show: None,
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let config = Config::new(settings)?;
    Ok(Arc::new(Extensiv {
        client: Client::new(&config, context),
        clock: Arc::clone(&context.clock),
        waits: context.waits,
        items_seen: Mutex::default(),
        webhook_key: Mutex::default(),
        config,
    }))
}

struct Extensiv {
    config: Config,
    client: Client,
    clock: Arc<dyn Clock>,
    waits: Waits,
    /// SKUs known to be the customer's.
    items_seen: Mutex<BTreeSet<String>>,
    webhook_key: Mutex<KeptKey>,
}

#[async_trait]
impl Effects for Extensiv {
    /// A created order is held (C7) and found by a search whose lag is not published (C5; a minute is allowed for).
    /// Releasing and cancelling name the version they were decided on (C3).
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        let search_lag = Duration::from_secs(60) / self.waits.factor.max(1);
        match kind {
            EffectKind::SubmitRequest => {
                Some(Capabilities { classes: &[Capability::LaggingRead, Capability::Held], index_lag: search_lag })
            }
            EffectKind::ReleaseRequest | EffectKind::CancelRequest => {
                Some(Capabilities { classes: &[Capability::ConditionalWrite], index_lag: Duration::ZERO })
            }
            _ => None,
        }
    }

    fn together(&self) -> usize {
        effects::KEYS_AT_ONCE
    }

    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        self.prepare_all(effects).await
    }

    async fn send(&self, batch: &[Armed], until: Duration) -> Delivery {
        effects::send_all(self, batch, until).await
    }

    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        self.probe_all(effects).await
    }
}

#[async_trait]
impl Warehouse for Extensiv {
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        self.look_around().await
    }

    async fn choices(&self) -> Result<WarehouseChoices, ConnectorError> {
        self.lists().await
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        &[WarehouseFeature::Release, WarehouseFeature::Cancel, WarehouseFeature::Stock, WarehouseFeature::Webhooks]
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], _: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        requests.iter().map(|request| orders::plan(&self.config, request)).collect()
    }

    fn plan_release(&self, key: &str, reference: &RemoteRef) -> Option<EffectDraft> {
        effects::plan_release(key, reference)
    }

    fn plan_cancel(&self, key: &str, reference: &RemoteRef, _: Timestamp) -> Result<EffectDraft, PlanError> {
        effects::plan_cancel(key, reference)
    }

    fn too_late(&self, code: &str) -> bool {
        effects::too_late(code)
    }

    async fn shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        self.read_shipments(cursor).await
    }

    async fn keys_again(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        self.keys_since(head, since).await
    }

    async fn sightings(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        self.look_for(keys).await
    }

    async fn stock(&self) -> Result<StockPage, ConnectorError> {
        self.read_stock().await
    }

    /// Nothing lies anywhere to be put away.
    async fn acknowledge(&self, _: &[Inbound], _: &[RejectedInput]) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn parse_webhook(&self, call: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        self.verified_hints(call).await
    }
}
