//! ShipHero over its GraphQL interface, as one account, or one customer of a 3PL.
//!
//! Written from the vendor's public developer site and schema reference and from public clients; it has never been called with
//! real credentials. What the documentation leaves open is named where it matters, and listed in docs/shiphero.md.

mod check;
mod client;
mod documents;
mod effects;
mod find;
mod goods;
mod judge;
mod orders;
mod settings;
mod shipments;
mod sightings;
mod stock;
mod webhook;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, Clock, ConnectorError, ConnectorSpec, Delivery, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, Inbound, KeysAgain, PlanError, Prepared, Probe, RejectedInput, RemoteRef, Role,
    Settings, SettingsError, ShipmentPage, ShipmentRequest, Sightings, StockPage, Waits, Warehouse, WarehouseCheck,
    WarehouseChoices, WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use self::{client::Client, settings::Config, shipments::Told};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "shiphero",
    title: "ShipHero",
    summary: "Orders, shipments and stock over ShipHero's GraphQL API, also as a customer of a 3PL.",
    proven: "simulator",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
    destination: &[],
    show: None,
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let config = Config::new(settings)?;
    Ok(Arc::new(ShipHero {
        client: Client::new(&config, context),
        clock: Arc::clone(&context.clock),
        waits: context.waits,
        is_3pl: Mutex::default(),
        skus: Mutex::default(),
        told: Mutex::default(),
        swept: Mutex::default(),
        config,
    }))
}

struct ShipHero {
    config: Config,
    client: Client,
    clock: Arc<dyn Clock>,
    waits: Waits,
    /// Whether the account is a 3PL's, once it was asked.
    is_3pl: Mutex<Option<bool>>,
    /// SKUs known to be the account's.
    skus: Mutex<BTreeSet<String>>,
    /// What was told of orders, by their ids: an overlap is read again and again.
    told: Mutex<BTreeMap<String, Told>>,
    /// When voided shipments were asked for last, on the monotonic clock.
    swept: Mutex<Option<Duration>>,
}

#[async_trait]
impl Effects for ShipHero {
    /// A created order is found by a search whose lag is not published (C5; a minute is allowed for), and is held unless the
    /// settings say otherwise (C7). A hold is set to off, and an order cancelled, however often that is asked (C6).
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        let search_lag = Duration::from_secs(60) / self.waits.factor.max(1);
        match kind {
            EffectKind::SubmitRequest if self.config.create_held => {
                Some(Capabilities { classes: &[Capability::LaggingRead, Capability::Held], index_lag: search_lag })
            }
            EffectKind::SubmitRequest => {
                Some(Capabilities { classes: &[Capability::LaggingRead], index_lag: search_lag })
            }
            EffectKind::ReleaseRequest if !self.config.create_held => None,
            EffectKind::ReleaseRequest | EffectKind::CancelRequest => {
                Some(Capabilities { classes: &[Capability::AbsoluteSet], index_lag: Duration::ZERO })
            }
            _ => None,
        }
    }

    fn together(&self) -> usize {
        effects::TOGETHER
    }

    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        self.prepare_all(effects).await
    }

    async fn send(&self, batch: &[Armed], until: Duration) -> Delivery {
        self.send_all(batch, until).await
    }

    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        self.probe_all(effects).await
    }
}

#[async_trait]
impl Warehouse for ShipHero {
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        self.look_around().await
    }

    async fn choices(&self) -> Result<WarehouseChoices, ConnectorError> {
        self.lists().await
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        match self.config.create_held {
            true => &[
                WarehouseFeature::Release,
                WarehouseFeature::Cancel,
                WarehouseFeature::Stock,
                WarehouseFeature::Webhooks,
            ],
            false => &[WarehouseFeature::Cancel, WarehouseFeature::Stock, WarehouseFeature::Webhooks],
        }
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], _: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        requests.iter().map(|request| orders::plan(&self.config, request)).collect()
    }

    fn plan_release(&self, key: &str, reference: &RemoteRef) -> Option<EffectDraft> {
        if self.config.create_held { effects::plan_release(key, reference) } else { None }
    }

    fn plan_cancel(&self, key: &str, reference: &RemoteRef, _: Timestamp) -> Result<EffectDraft, PlanError> {
        effects::plan_cancel(key, reference)
    }

    fn too_late(&self, code: &str) -> bool {
        code == effects::TOO_LATE
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
        webhook::hints(&self.config.webhook_secrets, call)
    }
}
