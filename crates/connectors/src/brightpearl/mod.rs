//! Brightpearl: the order source. Written from Brightpearl's published API documentation and from recorded answers.
//!
//! | Module | Holds |
//! |---|---|
//! | `settings`, `auth`, `oauth` | the four credentials or an app's tokens, the log-in, access that is granted |
//! | `client`, `envelope`, `search`, `idset` | one call, and what all calls have in common |
//! | `wire`, `lenient`, `map` | their documents, and what they are in the hub's words |
//! | `orders`, `notes`, `stock`, `lists` | what is read |
//! | `effects` | what is changed: planned, prepared, sent once, looked for |
//! | [`webhooks`] | what Brightpearl calls the hub for |

mod auth;
mod client;
mod effects;
mod envelope;
mod idset;
mod lenient;
mod lists;
mod map;
mod movements;
mod notes;
mod oauth;
mod orders;
mod search;
mod settings;
mod stock;
pub mod webhooks;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    AccountCheck, Armed, BuildContext, Capabilities, Choices, ConnectorError, ConnectorSpec, Cost, Delivery, Effect,
    EffectDraft, EffectKind, Effects, FoundAgain, GoodsOutNote, MovementKind, NewNote, NoteRow, NoteScan, Order,
    OrderFilter, OrderScan, OrderSource, PlanError, Prepared, Probe, Product, Role, Settings, SettingsError,
    ShippingDetails, SourceLevels, StockCorrection, StockMovement, Transport,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

pub use oauth::Exchanged;

use client::{Client, Failure, Purpose};
use map::NoteDetail;
use settings::Account;

/// The Brightpearl connector.
pub static SPEC: ConnectorSpec = ConnectorSpec {
    name: "brightpearl",
    title: "Brightpearl",
    summary: "Sales orders, goods-out notes and stock of a Brightpearl account, over its HTTP API.",
    proven: "Recorded answers of real accounts for the calls that have been recorded; a stand-in written from the published \
             documentation for all calls, under every answer that the documentation leaves open.",
    role: Role::OrderSource(build),
    fields: settings::FIELDS,
    destination: &[],
    show: None,
    documents: None,
};

fn build(settings: &Settings, context: &BuildContext) -> Result<Arc<dyn OrderSource>, SettingsError> {
    build_source(settings, context).map(|source| source as Arc<dyn OrderSource>)
}

/// Builds the connector itself, for what only Brightpearl has: [`webhooks`]. Opens nothing.
///
/// # Errors
/// When settings are missing or wrong; every problem is listed.
pub fn build_source(settings: &Settings, context: &BuildContext) -> Result<Arc<Brightpearl>, SettingsError> {
    let account = Account::from_settings(settings)?;
    Ok(Arc::new(Brightpearl {
        client: Client::new(&account, context),
        staff_id: tokio::sync::Mutex::new(account.staff_id),
        note_author: AtomicI64::new(account.note_author.unwrap_or(0)),
        made_notes: Mutex::default(),
        transport: Arc::clone(&context.transport),
        account,
    }))
}

/// One Brightpearl account.
pub struct Brightpearl {
    account: Account,
    client: Client,
    /// For what is no call of the API: consent.
    transport: Arc<dyn Transport>,
    /// The staff contact that shipped events are posted as, once known.
    staff_id: tokio::sync::Mutex<Option<i64>>,
    /// The contact that notes made by the hub are kept under; 0 until one of them has been read.
    note_author: AtomicI64,
    /// Notes whose making was answered with their id, and when (monotonic).
    made_notes: Mutex<BTreeMap<i64, Duration>>,
}

/// Reading for reports.
const SURVEY: Purpose = Purpose::sweeps("survey");
/// How many notes made lately are remembered.
const NOTES_REMEMBERED: usize = 10_000;

impl Brightpearl {
    /// The account's code, in lower case.
    pub fn account_code(&self) -> &str {
        &self.account.code
    }

    /// The contact that Brightpearl keeps as the creator of goods-out notes that the hub makes: from the settings
    /// (`note_author`), or learned from the first such note that was read. Until it is known, a note that may be the
    /// hub's own is taken for it only where it holds the time the hub wrote and the API user's own contact made it.
    pub fn note_author(&self) -> Option<i64> {
        let author = self.note_author.load(Ordering::Relaxed);
        (author > 0).then_some(author)
    }

    /// The staff contact that shipped events are posted as: from the settings, else found by the API user's e-mail.
    ///
    /// # Errors
    /// When the contacts cannot be read.
    pub async fn staff_id(&self) -> Result<Option<i64>, ConnectorError> {
        let mut known = self.staff_id.lock().await;
        if known.is_none()
            && let Some(email) = &self.account.email
        {
            *known = lists::find_staff(&self.client, Purpose::shipments("lists"), email).await?;
        }
        Ok(*known)
    }

    /// Remembers a note that was made here just now.
    fn made_note(&self, note_id: i64) {
        let mut made = self.made_notes.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(note_id, self.client.gateway.clock.monotonic());
        while made.len() > NOTES_REMEMBERED {
            made.pop_first();
        }
    }

    /// Whether a note was made here so short a time ago that a read may not show it yet.
    fn made_lately(&self, note_id: i64) -> bool {
        let made = self.made_notes.lock().unwrap_or_else(PoisonError::into_inner);
        let age = made.get(&note_id).map(|at| self.client.gateway.clock.monotonic().saturating_sub(*at));
        age.is_some_and(|age| age < self.client.gateway.waits.vendor_work)
    }

    /// Notes as read; the first that was made here says under which contact such notes are kept.
    fn learn_author(&self, notes: BTreeMap<i64, NoteDetail>) -> BTreeMap<i64, NoteDetail> {
        let made = self.made_notes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = notes.iter().filter(|(note_id, _)| made.contains_key(note_id));
        if let Some((_, own)) = own.next_back()
            && own.note.created_by > 0
        {
            self.keep_author(own.note.created_by);
        }
        drop(made);
        notes
    }

    fn keep_author(&self, contact: i64) {
        self.note_author.store(contact, Ordering::Relaxed);
    }

    /// Every note of these orders.
    async fn notes_of_orders(&self, purpose: Purpose, ids: &[i64]) -> Result<BTreeMap<i64, NoteDetail>, Failure> {
        notes::of_orders(&self.client, purpose, ids).await.map(|notes| self.learn_author(notes))
    }

    /// These notes.
    async fn notes_by_id(&self, purpose: Purpose, ids: &[i64]) -> Result<BTreeMap<i64, NoteDetail>, Failure> {
        notes::by_id(&self.client, purpose, ids).await.map(|notes| self.learn_author(notes))
    }
}

#[async_trait]
impl Effects for Brightpearl {
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities> {
        effects::capabilities(kind, self.client.gateway.waits)
    }

    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        effects::prepare(self, effects).await
    }

    async fn reserve(&self, kind: EffectKind) {
        if let Some(purpose) = effects::purpose(kind) {
            self.client.reserve(purpose).await;
        }
    }

    async fn send(&self, batch: &[Armed], until: Duration) -> Delivery {
        effects::send(self, batch, until).await
    }

    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        effects::probe(self, effects).await
    }

    async fn find_again(&self, effects: &[Armed], since: Timestamp) -> Result<Vec<FoundAgain>, ConnectorError> {
        effects::find_again(self, effects, since).await
    }
}

#[async_trait]
impl OrderSource for Brightpearl {
    fn learned(&self) -> BTreeMap<&'static str, String> {
        self.note_author().map(|author| ("note_author", author.to_string())).into_iter().collect()
    }

    async fn check(&self) -> Result<AccountCheck, ConnectorError> {
        lists::check(self).await
    }

    async fn choices(&self) -> Result<Choices, ConnectorError> {
        Ok(lists::choices(&self.client).await?)
    }

    /// Channels and `placed_from` cannot be searched for: the caller applies them after reading the orders.
    async fn scan_orders(&self, filter: &OrderFilter) -> Result<OrderScan, ConnectorError> {
        Ok(orders::scan(&self.client, filter).await?)
    }

    async fn scan_changed(&self, filter: &OrderFilter, since: Timestamp) -> Result<OrderScan, ConnectorError> {
        Ok(orders::scan_changed(&self.client, filter, since).await?)
    }

    async fn scan_history(&self, since: Timestamp) -> Result<Vec<i64>, ConnectorError> {
        Ok(orders::scan_history(&self.client, SURVEY, since).await?)
    }

    async fn scan_notes(&self, warehouses: &BTreeSet<i64>) -> Result<NoteScan, ConnectorError> {
        Ok(notes::scan(&self.client, Purpose::orders("note_search"), warehouses).await?)
    }

    async fn orders(&self, ids: &[i64]) -> Result<Vec<Order>, ConnectorError> {
        let orders = orders::read(&self.client, Purpose::orders("order_read"), ids).await?;
        Ok(orders.into_values().collect())
    }

    async fn notes(&self, order_ids: &[i64]) -> Result<Vec<GoodsOutNote>, ConnectorError> {
        let notes = self.notes_of_orders(Purpose::shipments("note_read"), order_ids).await?;
        Ok(notes.into_values().map(|note| note.note).collect())
    }

    async fn fulfilled(&self, order_id: i64) -> Result<BTreeMap<i64, Decimal>, ConnectorError> {
        Ok(notes::fulfilled(&self.client, Purpose::shipments("note_read"), order_id).await?)
    }

    async fn products(&self, ids: &[i64]) -> Result<Vec<Product>, ConnectorError> {
        Ok(stock::products(&self.client, ids).await?)
    }

    async fn find_skus(&self, skus: &[String]) -> Result<BTreeMap<String, Vec<i64>>, ConnectorError> {
        Ok(stock::find_skus(&self.client, skus).await?)
    }

    async fn stock(&self, warehouse_id: i64, ids: &[i64]) -> Result<SourceLevels, ConnectorError> {
        Ok(stock::levels(&self.client, Purpose::stock("stock_read"), warehouse_id, ids).await?)
    }

    async fn survey_stock(&self, warehouse_id: i64, ids: &[i64]) -> Result<SourceLevels, ConnectorError> {
        Ok(stock::levels(&self.client, SURVEY, warehouse_id, ids).await?)
    }

    async fn movements(
        &self,
        warehouse_id: i64,
        ids: &[i64],
        since: Timestamp,
    ) -> Result<Vec<StockMovement>, ConnectorError> {
        let products = ids.iter().copied().collect();
        let mut moved = movements::since(&self.client, SURVEY, warehouse_id, &products, since).await?;
        let notes = moved.iter().filter(|moved| moved.kind == MovementKind::Correction).map(|moved| moved.note_id);
        let corrections = movements::corrections(&self.client, SURVEY, warehouse_id, &notes.collect()).await?;
        let words: BTreeMap<i64, String> =
            corrections.into_iter().map(|correction| (correction.note_id, correction.reason)).collect();
        for moved in moved.iter_mut().filter(|moved| moved.kind == MovementKind::Correction) {
            moved.reason = words.get(&moved.note_id).cloned().unwrap_or_default();
        }
        Ok(moved)
    }

    async fn open_notes(&self, warehouse_id: i64) -> Result<Vec<GoodsOutNote>, ConnectorError> {
        let found = notes::scan(&self.client, SURVEY, &BTreeSet::from([warehouse_id])).await?;
        let ids: Vec<i64> = found.notes.into_iter().map(|(_, note_id)| note_id).collect();
        let notes = self.notes_by_id(SURVEY, &ids).await?;
        Ok(notes.into_values().map(|note| note.note).collect())
    }

    async fn costs(&self, price_list: i64, ids: &[i64]) -> Result<BTreeMap<i64, Cost>, ConnectorError> {
        Ok(stock::costs(&self.client, price_list, ids).await?)
    }

    fn note_author(&self) -> Option<i64> {
        Brightpearl::note_author(self)
    }

    fn tracking_kept(&self, numbers: &[String]) -> Option<String> {
        Some(effects::tracking_kept(numbers))
    }

    async fn own_contact(&self) -> Result<Option<i64>, ConnectorError> {
        match Brightpearl::note_author(self) {
            None => self.staff_id().await,
            known => Ok(known),
        }
    }

    async fn correction_markers(
        &self,
        warehouse_id: i64,
        since: Timestamp,
    ) -> Result<BTreeMap<String, u32>, ConnectorError> {
        Ok(movements::markers(&self.client, warehouse_id, since).await?)
    }

    async fn default_location(&self, warehouse_id: i64) -> Result<i64, ConnectorError> {
        Ok(stock::default_location(&self.client, warehouse_id).await?)
    }

    fn plan_note(&self, key: &str, note: &NewNote) -> Result<EffectDraft, PlanError> {
        effects::bodies::note(key, note)
    }

    fn plan_note_deletion(&self, key: &str, order_id: i64, note_id: i64) -> Result<EffectDraft, PlanError> {
        effects::bodies::note_deletion(key, order_id, note_id)
    }

    fn plan_shipping(&self, key: &str, details: &ShippingDetails) -> Result<Vec<EffectDraft>, PlanError> {
        effects::bodies::shipping(key, details)
    }

    fn plan_shipped(
        &self,
        key: &str,
        order_id: i64,
        note_id: i64,
        rows: &[NoteRow],
        at: Timestamp,
    ) -> Result<EffectDraft, PlanError> {
        effects::bodies::shipped(key, order_id, note_id, rows, at)
    }

    fn plan_status(
        &self,
        key: &str,
        order_id: i64,
        from: &BTreeSet<i64>,
        to: i64,
        name: Option<&str>,
    ) -> Result<EffectDraft, PlanError> {
        effects::bodies::status(key, order_id, from, to, name)
    }

    fn plan_order_note(&self, key: &str, order_id: i64, text: &str) -> Result<EffectDraft, PlanError> {
        effects::bodies::order_note(key, order_id, text)
    }

    fn plan_correction(&self, batch: &str, correction: &StockCorrection) -> Result<EffectDraft, PlanError> {
        effects::bodies::correction(batch, correction)
    }
}
