//! A warehouse that calls us: its WMS collects shipment requests from our desk over the Warehouse API, and puts down what left
//! and what it counts.
//!
//! There is no remote system to call. What other connectors send over a wire is laid on the desk ([`connect::Desk`]), once
//! under its key; what others fetch lies there already. docs/warehouse-api.md is what the warehouse reads.

mod effects;
mod settings;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, ConnectorError, ConnectorSpec, Delivery, Desk, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, FoundAgain, Inbound, PlanError, Prepared, Probe, RejectedInput, RemoteRef, Role,
    Settings, SettingsError, ShipmentPage, ShipmentRequest, StockPage, Told, Warehouse, WarehouseCheck,
    WarehouseChoices, WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;

use self::settings::Config;

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "warehouse_api",
    title: "Millrace Warehouse API",
    summary: "The warehouse's system calls Millrace: it collects shipment requests, and posts shipments and stock.",
    proven: "the example client, through the real program",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
    destination: &[],
    show: None,
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let config = Config::new(settings)?;
    Ok(Arc::new(WarehouseApi { config, desk: Arc::clone(&context.desk) }))
}

struct WarehouseApi {
    config: Config,
    desk: Arc<dyn Desk>,
}

#[async_trait]
impl Effects for WarehouseApi {
    /// A request is laid down once under its key (C2), and a cancel is asked for once however often that is done (C6); both show
    /// at once (C4).
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        let classes: &'static [Capability] = match kind {
            EffectKind::SubmitRequest => &[Capability::UniqueKey, Capability::StrongRead],
            EffectKind::CancelRequest => &[Capability::AbsoluteSet, Capability::StrongRead],
            _ => return None,
        };
        Some(Capabilities { classes, index_lag: Duration::ZERO })
    }

    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        self.prepare_all(effects).await
    }

    /// The desk is the hub's own: there is no answer to wait for, and no limit that it could miss.
    async fn send(&self, batch: &[Armed], _until: Duration) -> Delivery {
        self.send_all(batch).await
    }

    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        self.look(effects.iter().map(|armed| &armed.effect)).await
    }

    async fn find_again(&self, effects: &[Armed], _since: Timestamp) -> Result<Vec<FoundAgain>, ConnectorError> {
        self.look_after_a_loss(effects).await
    }
}

#[async_trait]
impl Warehouse for WarehouseApi {
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        Ok(WarehouseCheck {
            reached: vec!["the desk is ready: the warehouse's system calls, and nothing is called".to_owned()],
            facilities: self.config.facilities.clone(),
            carriers: self.config.carriers.clone(),
            ..WarehouseCheck::default()
        })
    }

    async fn choices(&self) -> Result<WarehouseChoices, ConnectorError> {
        Ok(WarehouseChoices { facilities: self.config.facilities.clone(), carriers: self.config.carriers.clone() })
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        &[WarehouseFeature::Cancel, WarehouseFeature::Stock, WarehouseFeature::Collects]
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], _: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        requests.iter().map(|request| effects::plan(&self.config, request)).collect()
    }

    fn plan_release(&self, _: &str, _: &RemoteRef) -> Option<EffectDraft> {
        None
    }

    fn plan_cancel(&self, key: &str, _: &RemoteRef, _: Timestamp) -> Result<EffectDraft, PlanError> {
        Ok(effects::plan_cancel(key))
    }

    fn too_late(&self, code: &str) -> bool {
        code == effects::TOO_LATE
    }

    async fn shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let after = match &cursor.0 {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                ConnectorError::unexpected(format!("{text:?} is no place on the desk to go on reading from"))
            })?,
        };
        let page = self.desk.told(after).await?;
        let mut read = ShipmentPage {
            next: FeedCursor(Some(page.reached.to_string())),
            more: page.more,
            ..ShipmentPage::default()
        };
        // The last word about a request counts.
        let mut states = BTreeMap::new();
        for told in page.told {
            match told {
                Told::Shipment(shipment) => read.shipments.push(shipment),
                Told::State(key, state) => {
                    states.insert(key, state);
                }
            }
        }
        read.states = states.into_iter().collect();
        Ok(read)
    }

    async fn stock(&self) -> Result<StockPage, ConnectorError> {
        let mut page = StockPage::default();
        for count in self.desk.counts().await? {
            let content = serde_json::to_vec(&count.feed.levels)
                .map_err(|error| ConnectorError::unexpected(format!("a count cannot be written down: {error}")))?;
            page.taken.push(Inbound { name: count.id, content_hash: count.feed.content_hash.clone(), content });
            page.feeds.push(count.feed);
        }
        Ok(page)
    }

    /// What left stays on the desk: it is read on from a place. Counts that were worked out are put away.
    async fn acknowledge(&self, taken: &[Inbound], _rejected: &[RejectedInput]) -> Result<(), ConnectorError> {
        let counts: Vec<String> = taken.iter().map(|input| input.name.clone()).collect();
        if counts.is_empty() {
            return Ok(());
        }
        self.desk.put_away(&counts).await
    }

    async fn parse_webhook(&self, _: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        Err(ConnectorError::unsupported("this warehouse calls the Warehouse API, with a key of its own"))
    }
}
