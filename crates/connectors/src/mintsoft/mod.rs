//! Mintsoft, as one client of one warehouse.
//!
//! Written from the vendor's help articles, its published description of the calls and public clients; it has never been
//! called with real credentials. What the documentation leaves open is named where it matters, and listed in
//! docs/mintsoft.md.

mod callback;
mod calls;
mod check;
mod client;
mod effects;
mod find;
mod goods;
mod judge;
mod orders;
mod settings;
mod shipments;
mod sightings;
mod statuses;
mod stock;
mod wire;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, Clock, ConnectorError, ConnectorSpec, Delivery, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, Inbound, KeysAgain, PlanError, Prepared, Probe, RejectedInput, RemoteRef,
    RequestState, Role, Settings, SettingsError, Shipment, ShipmentPage, ShipmentRequest, Sightings, StockPage, Waits,
    Warehouse, WarehouseCheck, WarehouseChoices, WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use self::{client::Client, settings::Config, statuses::KeptStatuses, stock::Counted};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "mintsoft",
    title: "Mintsoft",
    summary: "Orders, shipments and stock over Mintsoft's REST API.",
    proven: "simulator",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
    destination: &[],
    show: None,
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let config = Config::new(settings)?;
    Ok(Arc::new(Mintsoft {
        client: Client::new(&config, context),
        clock: Arc::clone(&context.clock),
        waits: context.waits,
        statuses: Mutex::default(),
        told: Mutex::default(),
        ended: Mutex::default(),
        counted: Mutex::default(),
        config,
    }))
}

struct Mintsoft {
    config: Config,
    client: Client,
    clock: Arc<dyn Clock>,
    waits: Waits,
    statuses: Mutex<KeptStatuses>,
    /// What left, by the order's id, with the time of its last change: an overlap is read again and again.
    told: Mutex<BTreeMap<i64, (String, Shipment)>>,
    /// How split orders ended as seen from a part, by the part's id, with the time of its last change.
    ended: Mutex<BTreeMap<i64, (String, Option<RequestState>)>>,
    counted: Mutex<Option<Counted>>,
}

#[async_trait]
impl Effects for Mintsoft {
    /// Whether a second order of one number is refused depends on the account: at a 3PL it is (C2), and the settings say
    /// whether this is one. Otherwise an order is found by a search whose lag is not published (C5; a minute is allowed
    /// for). An order is cancelled however often that is asked (C6).
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        let search_lag = Duration::from_secs(60) / self.waits.factor.max(1);
        match kind {
            EffectKind::SubmitRequest if self.config.unique_numbers => {
                Some(Capabilities { classes: &[Capability::UniqueKey, Capability::LaggingRead], index_lag: search_lag })
            }
            EffectKind::SubmitRequest => {
                Some(Capabilities { classes: &[Capability::LaggingRead], index_lag: search_lag })
            }
            EffectKind::CancelRequest => {
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
impl Warehouse for Mintsoft {
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        self.look_around().await
    }

    async fn choices(&self) -> Result<WarehouseChoices, ConnectorError> {
        self.lists().await
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        &[WarehouseFeature::Cancel, WarehouseFeature::Stock, WarehouseFeature::Webhooks]
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], _: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        requests.iter().map(|request| orders::plan(&self.config, request)).collect()
    }

    /// Its *pack and hold* is not documented, so orders are not put there held.
    fn plan_release(&self, _: &str, _: &RemoteRef) -> Option<EffectDraft> {
        None
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
        callback::hints(call)
    }
}
