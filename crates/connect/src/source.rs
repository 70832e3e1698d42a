//! The role of the system where orders live.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{ConnectorError, EffectDraft, Effects, Money, Order, PlanError};

/// One thing a person can pick from the account's own lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The account's id.
    pub id: i64,
    /// Its name there.
    pub name: String,
    /// A word that tells alike names apart (type, code, carrier, currency).
    #[serde(default)]
    pub detail: String,
}

/// An order status of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderStatusChoice {
    /// The account's id.
    pub id: i64,
    /// Its name there.
    pub name: String,
    /// `SO` for sales orders.
    pub order_type: String,
    /// Switched off in the account.
    pub disabled: bool,
}

/// The account's own lists, for pickers and for turning names into ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// Warehouses.
    pub warehouses: Vec<Choice>,
    /// Order statuses, sales orders only.
    pub statuses: Vec<OrderStatusChoice>,
    /// Channels.
    pub channels: Vec<Choice>,
    /// Shipping methods.
    pub ship_methods: Vec<Choice>,
    /// Price lists; `detail` is type and currency.
    pub price_lists: Vec<Choice>,
    /// The account's status for cancelled orders.
    pub cancelled_status: Option<i64>,
    /// The account's default cost price list.
    pub cost_price_list: Option<i64>,
    /// The account's time zone (IANA).
    pub time_zone: String,
    /// The account's base currency.
    pub currency: String,
}

/// What a test of the credentials reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCheck {
    /// The account's code, in lower case: what the hub locks and budgets by.
    pub account: String,
    /// The hub's own staff contact id there, where it could be found.
    pub staff_id: Option<i64>,
    /// Their clock less ours, in seconds.
    pub clock_difference: i64,
    /// One line per thing tested: what was reached.
    pub reached: Vec<String>,
    /// One line per thing that is not right but does not stop the connection.
    pub warnings: Vec<String>,
}

/// Which orders are in scope. Empty sets do not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderFilter {
    /// Statuses to import from.
    pub statuses: BTreeSet<i64>,
    /// Warehouses.
    pub warehouses: BTreeSet<i64>,
    /// Channels.
    pub channels: BTreeSet<i64>,
    /// Placed at or after.
    pub placed_from: Option<Timestamp>,
}

/// An order as the scan shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderHead {
    /// Order id.
    pub order_id: i64,
    /// Status id.
    pub status_id: i64,
    /// Last change as the source writes it; compared only for equality.
    pub updated: String,
}

/// A complete scan of the orders in scope: nothing in scope is missing from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderScan {
    /// By order id.
    pub heads: Vec<OrderHead>,
}

/// What state a goods-out note is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteState {
    /// Can still be changed and deleted.
    Unshipped,
    /// Final.
    Shipped,
}

/// Goods of one order row on a note.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NoteRow {
    /// The order's row.
    pub row_id: i64,
    /// The product.
    pub product_id: i64,
    /// Summed over locations.
    pub quantity: Decimal,
}

/// A goods-out note (GON) as the source holds it: rows of one order leaving one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodsOutNote {
    /// The note's id.
    pub note_id: i64,
    /// Its order; 0 for transfers.
    pub order_id: i64,
    /// The account's warehouse.
    pub warehouse_id: i64,
    /// Whether it moves stock between warehouses.
    pub transfer: bool,
    /// Its state.
    pub state: NoteState,
    /// When it was shipped.
    pub shipped_at: Option<Timestamp>,
    /// Staff contact that made it.
    pub created_by: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Wanted to leave at.
    pub release_at: Option<Timestamp>,
    /// The account's shipping method; 0 none.
    pub ship_method_id: i64,
    /// Tracking.
    pub reference: String,
    /// Version for If-Match.
    pub version: i64,
    /// By row id.
    pub rows: Vec<NoteRow>,
}

/// A complete scan of unshipped notes of the chosen warehouses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoteScan {
    /// (order id, note id), transfers left out.
    pub notes: Vec<(i64, i64)>,
}

/// A note to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNote {
    /// The order.
    pub order_id: i64,
    /// The account's warehouse the goods left.
    pub warehouse_id: i64,
    /// When the goods left.
    pub released_at: Timestamp,
    /// The account's shipping method, where mapped.
    pub ship_method_id: Option<i64>,
    /// What left, by row id; whole units.
    pub rows: Vec<NoteRow>,
}

/// What is written on a note before it is shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingDetails {
    /// The order.
    pub order_id: i64,
    /// The note.
    pub note_id: i64,
    /// Tracking numbers in box order; how they fit one field is the connector's documented rule.
    pub tracking: Vec<String>,
    /// The account's shipping method, where mapped.
    pub ship_method_id: Option<i64>,
    /// Boxes.
    pub boxes: u32,
    /// Kilograms, where known.
    pub weight: Option<Decimal>,
}

/// A product as far as stock and mapping need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Product id.
    pub product_id: i64,
    /// SKU; may be empty, may be shared by several products.
    pub sku: String,
    /// Whether stock is kept.
    pub stock_tracked: bool,
    /// Put away: adding stock would bring it back to life.
    pub archived: bool,
    /// Components (product, units each); empty unless it is a bundle.
    pub components: Vec<(i64, Decimal)>,
}

/// Stock as the source holds it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceStock {
    /// Physically there as the source counts, goods on unshipped notes included.
    pub in_stock: Decimal,
    /// `in_stock` less `allocated`: what can still be sold.
    pub on_hand: Decimal,
    /// Set aside for orders.
    pub allocated: Decimal,
}

/// Stock of some products in one warehouse, as far as the source tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceLevels {
    /// By product. Absent here and from what was not read means none there (the caller has made sure that the product exists and
    /// is stock-tracked).
    pub levels: BTreeMap<i64, SourceStock>,
    /// Products whose stock the source would not tell, and its words. It is not known, which is not none.
    pub unread: BTreeMap<i64, String>,
}

impl SourceLevels {
    /// The stock of a product that was read.
    pub fn of(&self, product_id: i64) -> SourceStock {
        self.levels.get(&product_id).copied().unwrap_or_default()
    }
}

/// What kind of goods note moved stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MovementKind {
    /// A stock correction.
    Correction,
    /// Goods that left with a goods-out note.
    GoodsOut,
    /// Goods that came in.
    GoodsIn,
    /// Anything else the source knows.
    Other,
}

/// A movement of stock as the source holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockMovement {
    /// The product.
    pub product_id: i64,
    /// Signed.
    pub quantity: Decimal,
    /// What moved it.
    pub kind: MovementKind,
    /// The goods note it belongs to.
    pub note_id: i64,
    /// The order of that note, where there is one.
    pub order_id: Option<i64>,
    /// The words of a stock correction, in which the hub's own carry their marker; empty for everything else.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// One line of a stock correction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockCorrection {
    /// The account's warehouse.
    pub warehouse_id: i64,
    /// The warehouse's default location.
    pub location_id: i64,
    /// The product.
    pub product_id: i64,
    /// Signed difference in whole units, not zero.
    pub difference: i64,
    /// 26 characters, drawn once, never again for a repeat (docs/reliability.md).
    pub marker: String,
    /// Words for people in front of the marker.
    pub reason: String,
    /// Cost of one, for additions only.
    pub cost: Option<Money>,
}

/// The cost of one unit of a product, from a price list.
pub type Cost = Money;

/// The system where orders live. Reading twice is harmless.
#[async_trait]
pub trait OrderSource: Effects {
    /// Settings learned while working, which the hub keeps and gives back when it builds the connector again.
    fn learned(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }

    /// Signs in and looks around: says which account this is, or plainly what is wrong.
    async fn check(&self) -> Result<AccountCheck, ConnectorError>;

    /// The account's own lists.
    async fn choices(&self) -> Result<Choices, ConnectorError>;

    /// A complete scan of the orders in scope.
    async fn scan_orders(&self, filter: &OrderFilter) -> Result<OrderScan, ConnectorError>;

    /// A complete scan of the orders that stand at the filter's statuses and changed since a time, shipped ones included: for a
    /// hub that has lost what it knew of them.
    async fn scan_changed(&self, _filter: &OrderFilter, _since: Timestamp) -> Result<OrderScan, ConnectorError> {
        Err(ConnectorError::unsupported("orders cannot be searched by their last change"))
    }

    /// Every sales order made at the source since a time, whatever has become of it, by id; for a report: it waits behind
    /// everything else that wants calls.
    async fn scan_history(&self, _since: Timestamp) -> Result<Vec<i64>, ConnectorError> {
        Err(ConnectorError::unsupported("the orders of the past cannot be searched"))
    }

    /// A complete scan of the unshipped notes of these warehouses.
    async fn scan_notes(&self, warehouses: &BTreeSet<i64>) -> Result<NoteScan, ConnectorError>;

    /// The orders as they are now; those that do not exist are left out.
    async fn orders(&self, ids: &[i64]) -> Result<Vec<Order>, ConnectorError>;

    /// Every goods-out note of these orders, whoever made it, in every warehouse.
    async fn notes(&self, order_ids: &[i64]) -> Result<Vec<GoodsOutNote>, ConnectorError>;

    /// How many units of each row of an order the source counts as fulfilled: by goods-out notes, and by a supplier who sends
    /// the goods himself.
    async fn fulfilled(&self, order_id: i64) -> Result<BTreeMap<i64, Decimal>, ConnectorError>;

    /// Products by id; those that do not exist are left out.
    async fn products(&self, ids: &[i64]) -> Result<Vec<Product>, ConnectorError>;

    /// The products that carry each of these SKUs exactly; a SKU may have none or several.
    async fn find_skus(&self, skus: &[String]) -> Result<BTreeMap<String, Vec<i64>>, ConnectorError>;

    /// Stock in one warehouse, read fresh.
    async fn stock(&self, warehouse_id: i64, product_ids: &[i64]) -> Result<SourceLevels, ConnectorError>;

    /// The cost of each product on a price list; those without a price are left out.
    async fn costs(&self, price_list: i64, product_ids: &[i64]) -> Result<BTreeMap<i64, Cost>, ConnectorError>;

    /// A warehouse's default location.
    async fn default_location(&self, warehouse_id: i64) -> Result<i64, ConnectorError>;

    /// As [`OrderSource::stock`], for a report: it waits behind everything else that wants calls.
    async fn survey_stock(&self, _warehouse_id: i64, _product_ids: &[i64]) -> Result<SourceLevels, ConnectorError> {
        Err(ConnectorError::unsupported("this order source cannot be surveyed"))
    }

    /// What moved of these products in one warehouse since a time, for a report: it waits behind everything else that wants
    /// calls. A movement of the last minute may be missing.
    async fn movements(
        &self,
        _warehouse_id: i64,
        _product_ids: &[i64],
        _since: Timestamp,
    ) -> Result<Vec<StockMovement>, ConnectorError> {
        Err(ConnectorError::unsupported("this order source cannot be surveyed"))
    }

    /// Every unshipped goods-out note of a warehouse, transfers left out, for a report: it waits behind everything else that
    /// wants calls.
    async fn open_notes(&self, _warehouse_id: i64) -> Result<Vec<GoodsOutNote>, ConnectorError> {
        Err(ConnectorError::unsupported("this order source cannot be surveyed"))
    }

    /// The contact that the source keeps as the maker of notes that the hub makes, once that is confirmed: nobody else's note
    /// may be taken for the hub's own.
    fn note_author(&self) -> Option<i64> {
        None
    }

    /// What a note of this source keeps as its reference once these tracking numbers are written on it; `None` where that
    /// cannot be said.
    fn tracking_kept(&self, _numbers: &[String]) -> Option<String> {
        None
    }

    /// The same as [`OrderSource::note_author`]; until it is confirmed, the API user's own contact, where that can be found.
    ///
    /// # Errors
    /// When the source cannot be asked.
    async fn own_contact(&self) -> Result<Option<i64>, ConnectorError> {
        Ok(self.note_author())
    }

    /// How often each stock correction of the hub's own was made in a warehouse since a time: by marker. More than once is a
    /// duplicate (K3).
    ///
    /// # Errors
    /// [`ConnectorError::unsupported`] where it cannot be read.
    async fn correction_markers(
        &self,
        _warehouse_id: i64,
        _since: Timestamp,
    ) -> Result<BTreeMap<String, u32>, ConnectorError> {
        Err(ConnectorError::unsupported("this order source does not show the corrections it has"))
    }

    /// The note for what left. `key` tells repeats of the same shipment apart from others. Pure: same input, same bytes.
    fn plan_note(&self, key: &str, note: &NewNote) -> Result<EffectDraft, PlanError>;

    /// The deletion of an unshipped note. Pure.
    fn plan_note_deletion(&self, key: &str, order_id: i64, note_id: i64) -> Result<EffectDraft, PlanError>;

    /// Tracking and method on the note; a second draft follows where the tracking numbers do not fit the note's one field:
    /// an order note with the full list. Pure.
    fn plan_shipping(&self, key: &str, details: &ShippingDetails) -> Result<Vec<EffectDraft>, PlanError>;

    /// The shipped event, for a note that holds exactly these rows: it cannot be taken back, so it is not posted for another. Pure.
    fn plan_shipped(
        &self,
        key: &str,
        order_id: i64,
        note_id: i64,
        rows: &[NoteRow],
        shipped_at: Timestamp,
    ) -> Result<EffectDraft, PlanError>;

    /// The order's status, to be set only while it stands at one of `from`. `name` is what people call `to`, where it is known. Pure.
    fn plan_status(
        &self,
        key: &str,
        order_id: i64,
        from: &BTreeSet<i64>,
        to: i64,
        name: Option<&str>,
    ) -> Result<EffectDraft, PlanError>;

    /// A note on the order, for people. Pure.
    fn plan_order_note(&self, key: &str, order_id: i64, text: &str) -> Result<EffectDraft, PlanError>;

    /// One line of a stock correction; lines of one batch travel together. Pure.
    fn plan_correction(&self, batch: &str, correction: &StockCorrection) -> Result<EffectDraft, PlanError>;
}
