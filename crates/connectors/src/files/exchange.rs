//! A warehouse that is driven with tables in files: orders go into one folder, shipments and stock come out of another.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Capabilities, Capability, Clock, ConnectorError, Delivery, Effect, EffectDraft, EffectKind,
    Effects, FeedCursor, FileStore, FoundAgain, Inbound, KeysAgain, PlanError, Prepared, Probe, Random, RejectedInput,
    RemoteRef, RequestState, ShipmentPage, ShipmentRequest, Sightings, StockPage, Warehouse, WarehouseCheck,
    WarehouseFeature, WebhookCall, WebhookHint,
};
use jiff::Timestamp;

use super::{
    again,
    mailbox::Mailbox,
    orders::{self, Inbox, OrderFiles},
    outbox::{Complete, Outbox, Unended, name_before, sha256},
    place::{IN_FOLDER, OUT_FOLDER, Place},
    proof,
    table::{Form, Layout, SetAside, Table, shipments, stock},
};

/// Names of files: what they begin and end with. What stands between is never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) before: String,
    pub(crate) after: String,
    /// Whether letter case counts.
    pub(crate) exact: bool,
}

impl Names {
    /// Whether a name is one of them.
    pub(crate) fn fit(&self, name: &str) -> bool {
        if self.exact {
            return name.len() >= self.before.len() + self.after.len()
                && name.starts_with(&self.before)
                && name.ends_with(&self.after);
        }
        let lower = |text: &str| text.to_ascii_lowercase();
        Self { before: lower(&self.before), after: lower(&self.after), exact: true }.fit(&lower(name))
            && !is_unfinished(name)
    }

    fn shown(&self) -> String {
        format!("{}*{}", self.before, self.after)
    }
}

/// Hidden and unfinished files are somebody's own business.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let unfinished = [".tmp", ".filepart", ".part", ".writing", ".done"];
    name.starts_with('.') || unfinished.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

/// Files of one kind: their names, and which column of them holds what.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub(crate) names: Names,
    pub(crate) layout: Layout,
}

/// What the warehouse writes, and how it is read.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) shipments: Kind,
    pub(crate) stock: Kind,
    pub(crate) form: Form,
    /// A SKU that is missing from a stock file has none.
    pub(crate) full_snapshot: bool,
    /// Words of status, in lower case, after which nothing more of an order comes.
    pub(crate) closed: Vec<String>,
    /// What is wrong with a row costs the others nothing. Otherwise a file is taken whole or not at all.
    pub(crate) by_row: bool,
}

impl Incoming {
    pub(crate) fn is_shipments(&self, name: &str) -> bool {
        self.shipments.names.fit(name)
    }

    pub(crate) fn is_stock(&self, name: &str) -> bool {
        self.stock.names.fit(name) && !self.is_shipments(name)
    }

    /// What a file of shipments says.
    ///
    /// # Errors
    /// What is wrong, where nothing of it may be used.
    pub(crate) fn shipped(&self, file: &Complete) -> Result<shipments::Shipped, String> {
        let table = Table::read(&file.content, &self.shipments.layout, &self.form)?;
        let source =
            shipments::Source { name: &file.name, content_hash: sha256(&file.content), written_at: file.modified };
        let read = shipments::read(&table, &self.closed, &source);
        let nothing = read.shipments.is_empty() && read.cancelled.is_empty();
        match read.bad.first() {
            Some(first) if !self.by_row || nothing => Err(first.why.clone()),
            Some(_) | None => Ok(read),
        }
    }

    /// What a file of stock says.
    ///
    /// # Errors
    /// What is wrong, where nothing of it may be used.
    pub(crate) fn counted(&self, file: &Complete) -> Result<stock::Counted, String> {
        let source = stock::Source {
            name: &file.name,
            content_hash: sha256(&file.content),
            modified: file.modified,
            full_snapshot: self.full_snapshot,
        };
        let read = stock::read(&Table::read(&file.content, &self.stock.layout, &self.form)?, &source)?;
        match read.bad.first() {
            Some(first) if !self.by_row => Err(first.why.clone()),
            Some(_) | None => Ok(read),
        }
    }

    /// A file whose last line is not ended may still be written.
    fn is_ended(&self, name: &str, content: &[u8]) -> Result<(), Unended> {
        if matches!(content.last(), Some(b'\n' | b'\r')) {
            return Ok(());
        }
        // What left is told late rather than never: nobody sends it a second time by himself. A count comes again, and a figure of it
        // that was cut short would be acted upon. And what is missing from a count that names everything would be gone.
        // A delivery that is called by its tracking number or its file would be another one when the whole file comes.
        let is_named = ["shipment_id", "shipped_at"].iter().any(|field| self.shipments.layout.has(field));
        let readable = Table::read(content, self.layout(name), &self.form).is_ok_and(|table| {
            // Cut short, these would speak of another delivery, another order or other goods.
            let names = || table.last_cell_is_of(&["shipment_id", "shipped_at", "order_number", "sku"]);
            let may_be_used = match self.is_shipments(name) {
                true => !self.may_be_cut_short(name, content) || is_named && !names(),
                false => !self.full_snapshot && !self.may_be_cut_short(name, content),
            };
            may_be_used && table.last_row_is_read()
        });
        let lines = content.iter().filter(|byte| **byte == b'\n').count() + 1;
        Err(Unended { why: format!("its last line ({lines}) is not ended"), readable })
    }

    /// A cell that was cut off may pass for a shorter one, unless it is quoted, or empty, or rows are counted.
    fn may_be_cut_short(&self, name: &str, content: &[u8]) -> bool {
        let last = self.form.decode(content).chars().last();
        let ends = last.is_some_and(|last| Some(last) == self.form.quote || last == self.form.delimiter);
        !ends && self.layout(name).trailer.is_none()
    }

    fn layout(&self, name: &str) -> &Layout {
        if self.is_shipments(name) { &self.shipments.layout } else { &self.stock.layout }
    }

    fn take_shipments(&self, file: &Complete, page: &mut ShipmentPage) {
        match self.shipped(file) {
            Ok(read) => {
                page.shipments.extend(read.shipments);
                page.states.extend(read.cancelled.into_iter().map(|key| (key, RequestState::Cancelled)));
                page.rejected.extend(read.bad.iter().map(|bad| part(file, bad)));
                page.rejected.extend(read.others.iter().map(|other| beside(file, other)));
                page.taken.push(file.taken());
            }
            Err(reason) => page.rejected.push(reject(file.taken(), &reason)),
        }
    }

    fn take_stock(&self, file: &Complete, page: &mut StockPage) {
        match self.counted(file) {
            Ok(read) => {
                page.feeds.push(read.feed);
                page.rejected.extend(read.bad.iter().map(|bad| part(file, bad)));
                page.rejected.extend(read.others.iter().map(|other| beside(file, other)));
                page.taken.push(file.taken());
            }
            Err(reason) => page.rejected.push(reject(file.taken(), &reason)),
        }
    }
}

fn reject(input: Inbound, reason: &str) -> RejectedInput {
    RejectedInput {
        reason: format!("{}: {reason}. Nothing of the file was used", input.name),
        input,
        beside: false,
        key: None,
    }
}

/// Rows of a file that are held for a person, while the others are used.
fn part(file: &Complete, bad: &SetAside) -> RejectedInput {
    let name = format!("{}#{}", file.name, bad.what);
    let content = bad.text.clone().into_bytes();
    let lines: Vec<String> = bad.lines.iter().map(u64::to_string).collect();
    let reason = format!(
        "{name}: {}. Nothing of this was used ({} {}); the other rows of the file were",
        bad.why,
        if lines.len() == 1 { "line" } else { "lines" },
        lines.join(", ")
    );
    RejectedInput { input: Inbound { name, content_hash: sha256(&content), content }, reason, beside: false, key: None }
}

/// Rows of a kind that is not known here: they are shown, and the file is used.
fn beside(file: &Complete, other: &SetAside) -> RejectedInput {
    RejectedInput { beside: true, ..part(file, other) }
}

/// A warehouse that is driven with tables in files.
pub(crate) struct Exchange<F> {
    place: Place,
    store: Arc<dyn FileStore>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    inbox: Inbox<F>,
    outbox: Outbox,
    incoming: Arc<Incoming>,
}

impl<F: OrderFiles> Exchange<F> {
    pub(crate) fn new(place: Place, files: F, incoming: Incoming, context: &BuildContext) -> Self {
        let store = context.files.open(place.location.clone());
        let incoming = Arc::new(incoming);
        let (ends, doubts) = (Arc::clone(&incoming), Arc::clone(&incoming));
        Self {
            inbox: Inbox {
                to: Mailbox {
                    store: Arc::clone(&store),
                    place: place.place.clone(),
                    folder: place.in_folder.clone(),
                    random: Arc::clone(&context.random),
                },
                files,
            },
            outbox: Outbox::new(
                Arc::clone(&store),
                Arc::clone(&context.clock),
                &place.out_folder,
                place.archive,
                Box::new(move |name, content| ends.is_ended(name, content)),
                context.waits,
            )
            .doubting(Box::new(move |name, content| doubts.may_be_cut_short(name, content))),
            random: Arc::clone(&context.random),
            clock: Arc::clone(&context.clock),
            store,
            place,
            incoming,
        }
    }
}

#[async_trait]
impl<F: OrderFiles> Effects for Exchange<F> {
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
impl<F: OrderFiles> Warehouse for Exchange<F> {
    fn takes_from(&self) -> Option<String> {
        Some(self.place.takes_from())
    }

    async fn check(&self) -> Result<WarehouseCheck, ConnectorError> {
        let mut check = WarehouseCheck::default();
        if self.place.host_key_missing() {
            proof::host_key(&*self.store, &mut check).await?;
            return Ok(check);
        }
        let (orders, results) = (&self.place.in_folder, &self.place.out_folder);
        let entries = proof::list(&*self.store, orders, &IN_FOLDER).await?;
        check.reached.push(format!("The folder for orders ({orders}) holds {} files.", entries.len()));
        let parts = entries.iter().filter(|entry| entry.name.ends_with(".part")).count();
        if parts > 0 {
            check.reached.push(format!("{parts} order files wait under temporary names; nobody else may remove them."));
        }
        let entries = proof::list(&*self.store, results, &OUT_FOLDER).await?;
        let shipments = entries.iter().filter(|entry| self.incoming.is_shipments(&entry.name)).count();
        let stock = entries.iter().filter(|entry| self.incoming.is_stock(&entry.name)).count();
        check.reached.push(format!(
            "The folder for results ({results}) holds {shipments} shipment files and {stock} stock files."
        ));
        let others = entries.len() - shipments - stock;
        if others > 0 {
            check.warnings.push(format!(
                "{others} files in {results} are neither {} nor {} and will be left alone{}.",
                self.incoming.shipments.names.shown(),
                self.incoming.stock.names.shown(),
                if self.incoming.shipments.names.exact { "; letter case counts" } else { "" }
            ));
        }
        proof::prove(&*self.store, (&*self.random, self.place.their_clock(&*self.clock)), orders, &mut check).await?;
        if self.place.archive {
            for folder in ["archive", "rejected"] {
                self.store.create_folder(&format!("{results}/{folder}")).await?;
            }
            check.reached.push(format!("Files that were read go to {results}/archive and {results}/rejected."));
        }
        Ok(check)
    }

    fn features(&self) -> &'static [WarehouseFeature] {
        &[WarehouseFeature::Stock]
    }

    fn plan_submit(&self, requests: &[ShipmentRequest], now: Timestamp) -> Vec<Result<EffectDraft, PlanError>> {
        orders::plan(&self.inbox.files, requests, now)
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
        let reading = self.outbox.read(|name| self.incoming.is_shipments(name), cursor.0.as_deref()).await?;
        let mut page = ShipmentPage {
            more: reading.more_after.is_some() || reading.incomplete,
            next: FeedCursor(reading.more_after),
            rejected: reading.rejected,
            ..ShipmentPage::default()
        };
        for file in &reading.files {
            self.incoming.take_shipments(file, &mut page);
        }
        Ok(page)
    }

    async fn keys_again(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        self.inbox.keys_again(head, since).await
    }

    async fn shipments_again(&self, since: Timestamp, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let ours = |name: &str| self.incoming.is_shipments(name);
        let found = again::put_away(&*self.store, &self.place.out_folder, since, cursor.0.as_deref(), ours).await?;
        let mut page = ShipmentPage { more: found.more, next: FeedCursor(found.last), ..ShipmentPage::default() };
        // They were read once already; one that cannot be read now is shown like any other.
        for mut file in found.files {
            file.name = name_before(&file.name, &file.content);
            self.incoming.take_shipments(&file, &mut page);
        }
        Ok(page)
    }

    /// A folder can be looked into, and the warehouse behind it cannot be asked: order files that still lie there are seen;
    /// one that has been taken says nothing more, and not finding it proves nothing.
    async fn sightings(&self, keys: &[String]) -> Result<Sightings, ConnectorError> {
        self.inbox.untaken(keys).await
    }

    async fn stock(&self) -> Result<StockPage, ConnectorError> {
        let reading = self.outbox.read(|name| self.incoming.is_stock(name), None).await?;
        let mut page = StockPage { rejected: reading.rejected, ..StockPage::default() };
        for file in &reading.files {
            self.incoming.take_stock(file, &mut page);
        }
        page.feeds.sort_by(|a, b| (a.cut_off, &a.reference).cmp(&(b.cut_off, &b.reference)));
        Ok(page)
    }

    async fn acknowledge(&self, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), ConnectorError> {
        self.outbox.put_away(taken, rejected).await
    }

    async fn parse_webhook(&self, _: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        Err(ConnectorError::unsupported("a file exchange does not call"))
    }
}
