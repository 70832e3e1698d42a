//! Odoo, from version 14 on: sales orders out, transfers and stock in.
//!
//! Written from what Odoo 19.0 itself does. What was proven against it, and what not yet, stands in docs/odoo.md.

mod answer;
mod check;
mod client;
mod effects;
mod find;
mod orders;
mod settings;
mod shipments;
mod sightings;
mod stock;
mod transfers;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, Clock, ConnectorError, ConnectorSpec, Delivery, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, Inbound, KeysAgain, PlanError, Prepared, Probe, RejectedInput, RemoteRef, Role,
    Settings, SettingsError, ShipmentPage, ShipmentRequest, Sightings, StockPage, Waits, Warehouse, WarehouseCheck,
    WarehouseChoices, WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;

use self::{
    client::{Client, Purpose},
    settings::{Config, Interface},
};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "odoo",
    title: "Odoo",
    summary: "Orders, shipments and stock over Odoo's own interfaces, JSON-2 from version 19 on and JSON-RPC before.",
    proven: "a real Odoo 19.0; 14 to 18 by its documentation only",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
    destination: &["base_url"],
    show: None,
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let config = Config::new(settings)?;
    Ok(Arc::new(Odoo {
        client: Client::new(&config, context),
        clock: Arc::clone(&context.clock),
        waits: context.waits,
        config,
    }))
}

struct Odoo {
    config: Config,
    client: Client,
    clock: Arc<dyn Clock>,
    waits: Waits,
}

impl Odoo {
    /// The server's main version, as far as it matters: the newer interface has the newer names.
    async fn version(&self, purpose: Purpose) -> Result<u32, ConnectorError> {
        match self.config.interface {
            Interface::Json2 => Ok(19),
            Interface::JsonRpc => self.client.version(purpose).await,
        }
    }
}

#[async_trait]
impl Effects for Odoo {
    /// The same rows loaded once more under the same external ids change nothing (C6), and what was written is read at once (C4).
    /// An order is a quotation until it is confirmed (C7). Confirming and cancelling set a state (C6).
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        let classes: &'static [Capability] = match kind {
            EffectKind::SubmitRequest if self.config.confirm => {
                &[Capability::AbsoluteSet, Capability::StrongRead, Capability::Held]
            }
            EffectKind::SubmitRequest => &[Capability::AbsoluteSet, Capability::StrongRead],
            EffectKind::ReleaseRequest if self.config.confirm => &[Capability::AbsoluteSet, Capability::StrongRead],
            EffectKind::CancelRequest => &[Capability::AbsoluteSet, Capability::StrongRead],
            _ => return None,
        };
        Some(Capabilities { classes, index_lag: Duration::ZERO })
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
impl Warehouse for Odoo {
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        self.look_around().await
    }

    async fn choices(&self) -> Result<WarehouseChoices, ConnectorError> {
        self.lists().await
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        if self.config.confirm {
            &[WarehouseFeature::Release, WarehouseFeature::Cancel, WarehouseFeature::Stock]
        } else {
            &[WarehouseFeature::Cancel, WarehouseFeature::Stock]
        }
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], _: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        requests.iter().map(|request| orders::plan(&self.config, request)).collect()
    }

    fn plan_release(&self, key: &str, reference: &RemoteRef) -> Option<EffectDraft> {
        if self.config.confirm { effects::plan_release(key, reference) } else { None }
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

    async fn shipments_again(&self, since: Timestamp, _: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        self.read_again(since).await
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

    /// Odoo's calls are not signed and are sent once; polling is the truth, and nothing is taken from them.
    async fn parse_webhook(&self, _: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        Err(ConnectorError::unsupported("this warehouse does not call"))
    }
}
