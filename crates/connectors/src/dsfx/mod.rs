//! File exchange in the style of DSFX: CSV files in two folders, on this machine or behind SFTP.
//!
//! Orders go into the one folder (`ord_*.csv`), shipments (`shp_*.csv`) and stock (`inv_*.csv`) come out of the other.
//! The order rows follow DropStream's public description as far as it goes; the columns of shipments and stock are not
//! published and are column maps with a documented default.

mod again;
mod check;
mod columns;
mod order_file;
mod publish;
mod settings;
mod shipments;
mod stock;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, ConnectorError, ConnectorSpec, Delivery, Effect, EffectDraft,
    EffectKind, Effects, FeedCursor, FileStore, FoundAgain, Inbound, PlanError, Prepared, Probe, Random, RejectedInput,
    RemoteRef, Role, Settings, SettingsError, ShipmentPage, ShipmentRequest, Sightings, StockPage, Warehouse,
    WarehouseCheck, WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;

use self::{columns::Table, publish::Inbox, settings::Config};
use crate::files::{mailbox::Mailbox, outbox::Outbox};

/// What the hub knows of this connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "dsfx",
    title: "File exchange (DSFX)",
    summary: "Orders, shipments and stock as CSV files, in a folder or over SFTP.",
    proven: "a real OpenSSH server; the file layouts against the simulator only",
    role: Role::Warehouse(build),
    fields: settings::FIELDS,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn Warehouse>, SettingsError> {
    let config = Config::new(settings)?;
    let store = context.files.open(config.location.clone());
    Ok(Arc::new(Dsfx {
        inbox: Inbox {
            to: Mailbox {
                store: Arc::clone(&store),
                place: config.place.clone(),
                folder: config.in_folder.clone(),
                random: Arc::clone(&context.random),
            },
            encoding: config.encoding,
        },
        outbox: Outbox::new(
            Arc::clone(&store),
            Arc::clone(&context.clock),
            &config.out_folder,
            config.archive,
            last_line_is_ended,
            context.waits,
        ),
        random: Arc::clone(&context.random),
        store,
        config,
    }))
}

/// Names are matched by prefix and suffix only: the time in them is documented inconsistently and never read.
fn is_named(name: &str, prefix: &str) -> bool {
    name.starts_with(prefix) && name.ends_with(".csv")
}

fn last_line_is_ended(content: &[u8]) -> Result<(), String> {
    if content.last() == Some(&b'\n') {
        return Ok(());
    }
    let lines = content.iter().filter(|byte| **byte == b'\n').count() + 1;
    Err(format!("its last line ({lines}) is not ended"))
}

struct Dsfx {
    config: Config,
    store: Arc<dyn FileStore>,
    random: Arc<dyn Random>,
    inbox: Inbox,
    outbox: Outbox,
}

impl Dsfx {
    fn reject(input: Inbound, reason: &str) -> RejectedInput {
        RejectedInput { reason: format!("{}: {reason}. Nothing of the file was used", input.name), input }
    }
}

#[async_trait]
impl Effects for Dsfx {
    /// A submitted request is C1: a given temporary file can be renamed only once, whoever tries and however often, so
    /// the temporary name works as an idempotency key. It lives until somebody removes the file.
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        (kind == EffectKind::SubmitRequest)
            .then_some(Capabilities { classes: &[Capability::IdempotencyKey], index_lag: Duration::ZERO })
    }

    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        self.inbox.prepare(effects).await
    }

    // A rename that comes late is known by its witness, so that no clock decides about it.
    async fn send(&self, batch: &[Armed], _until: Duration) -> Delivery {
        self.inbox.to.send(batch).await
    }

    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        self.inbox.to.probe(effects).await
    }

    async fn find_again(&self, effects: &[Armed], since: Timestamp) -> Result<Vec<FoundAgain>, ConnectorError> {
        self.inbox.find_again(effects, since).await
    }
}

#[async_trait]
impl Warehouse for Dsfx {
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        check::check(&self.config, self.store.as_ref(), self.random.as_ref()).await
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        &[WarehouseFeature::Stock]
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], now: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        self.config.orders.plan(requests, now)
    }

    fn plan_release(&self, _: &str, _: &RemoteRef) -> Option<EffectDraft> {
        None
    }

    fn plan_cancel(&self, _: &str, _: &RemoteRef, _: Timestamp) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(
            "the file exchange has no message that stops an order: tell the warehouse by telephone or e-mail",
        ))
    }

    /// The cursor is the name of the last file while one reading is spread over several pages; which files are new is for
    /// the folder to say.
    async fn shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let reading = self.outbox.read(|name| is_named(name, "shp_"), cursor.0.as_deref()).await?;
        let mut page = ShipmentPage {
            more: reading.more_after.is_some() || reading.incomplete,
            next: FeedCursor(reading.more_after),
            rejected: reading.rejected,
            ..ShipmentPage::default()
        };
        for file in reading.files {
            let read = Table::read(&file.content, &self.config.shipments, self.config.encoding)
                .and_then(|table| shipments::read(&table, &self.config.zone));
            match read {
                Ok(shipments) => {
                    page.shipments.extend(shipments);
                    page.taken.push(file.taken());
                }
                Err(reason) => page.rejected.push(Self::reject(file.taken(), &reason)),
            }
        }
        Ok(page)
    }

    async fn shipments_again(&self, since: Timestamp, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        self.archived_shipments(since, cursor.0.as_deref()).await
    }

    /// A folder can be looked into, and the warehouse behind it cannot be asked: order files that still lie there are seen;
    /// one that has been taken says nothing more, and not finding it proves nothing.
    async fn sightings(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        self.inbox.untaken(keys).await
    }

    async fn stock(&self) -> Result<StockPage, ConnectorError> {
        let reading = self.outbox.read(|name| is_named(name, "inv_"), None).await?;
        let mut page = StockPage { rejected: reading.rejected, ..StockPage::default() };
        for file in reading.files {
            let taken = file.taken();
            let source = stock::Source {
                name: &file.name,
                content_hash: taken.content_hash.clone(),
                modified: file.modified,
                full_snapshot: self.config.full_snapshot,
            };
            let read = Table::read(&file.content, &self.config.stock, self.config.encoding)
                .and_then(|table| stock::read(&table, &source, &self.config.zone));
            match read {
                Ok(feed) => {
                    page.feeds.push(feed);
                    page.taken.push(taken);
                }
                Err(reason) => page.rejected.push(Self::reject(taken, &reason)),
            }
        }
        page.feeds.sort_by(|a, b| (a.cut_off, &a.reference).cmp(&(b.cut_off, &b.reference)));
        Ok(page)
    }

    async fn acknowledge(&self, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), ConnectorError> {
        self.outbox.put_away(taken, rejected).await
    }

    async fn parse_webhook(&self, _: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        Err(ConnectorError::unsupported("the file exchange does not call"))
    }
}
