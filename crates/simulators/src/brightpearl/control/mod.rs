//! The control desk: orders, edits by other people and apps, and everything a test wants to read back.

mod edit;
pub(crate) mod http;
mod inspect;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::call::Refusal;
use super::contacts::Address;
use super::stock::StockFigures;

/// Why the control desk could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(String),
    /// The account has no such thing.
    #[error("there is no {0}")]
    Missing(String),
    /// The rules of the system forbid it.
    #[error("refused with status {status}: {message}")]
    Refused {
        /// The status a client would have got.
        status: u16,
        /// The text a client would have got.
        message: String,
    },
}

impl From<Refusal> for ControlError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.errors.into_iter().map(|(_, message)| message).collect::<Vec<_>>().join("; ");
        Self::Refused { status: refusal.status, message }
    }
}

/// What a new row is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The live product with this SKU that has the smallest id.
    Sku(String),
    /// A product by id.
    Product(i64),
    /// A row without a product.
    FreeText(String),
}

/// A row of a new order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// What is sold.
    pub item: Item,
    /// How many.
    pub quantity: i64,
    /// Net value of the row; by default what the price list says.
    #[serde(default)]
    pub net: Option<Decimal>,
}

impl NewLine {
    /// A row for a product by SKU.
    #[must_use]
    pub fn sku(sku: &str, quantity: i64) -> Self {
        Self { item: Item::Sku(sku.to_owned()), quantity, net: None }
    }

    /// A row for a product by id.
    #[must_use]
    pub fn product(id: i64, quantity: i64) -> Self {
        Self { item: Item::Product(id), quantity, net: None }
    }
}

/// How much of a new order is reserved at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    /// Everything, if there is enough stock.
    #[default]
    Full,
    /// About half.
    Part,
    /// Nothing.
    None,
}

/// A new order. What is not set is what the account prescribes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewOrder {
    /// The rows; a bundle brings its components.
    pub lines: Vec<NewLine>,
    /// A purchase order rather than a sales order.
    pub purchase: bool,
    /// Status.
    pub status_id: Option<i64>,
    /// Warehouse.
    pub warehouse_id: Option<i64>,
    /// Channel.
    pub channel_id: Option<i64>,
    /// Shipping method.
    pub shipping_method_id: Option<i64>,
    /// What is reserved.
    pub allocation: Allocation,
    /// Where it goes; by default the address of the customer.
    pub address: Option<Address>,
    /// Reference of the customer.
    pub reference: Option<String>,
    /// Customer or supplier.
    pub contact_id: Option<i64>,
    /// The order it was split from.
    pub parent_id: Option<i64>,
    /// When it was placed.
    pub placed_on: Option<Timestamp>,
    /// When it should arrive.
    pub delivery_date: Option<Timestamp>,
    /// Already invoiced.
    pub invoiced: bool,
    /// Already paid, in the order's currency.
    pub paid: Option<Decimal>,
}

impl NewOrder {
    /// A sales order with these rows.
    #[must_use]
    pub fn of(lines: impl IntoIterator<Item = NewLine>) -> Self {
        Self { lines: lines.into_iter().collect(), ..Self::default() }
    }
}

/// Everything the control desk can do, as one message for the HTTP form of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the methods of the same names")]
pub enum Command {
    /// [`Brightpearl::create_order`](super::Brightpearl::create_order).
    CreateOrder { order: Box<NewOrder> },
    /// [`Brightpearl::set_status`](super::Brightpearl::set_status).
    SetStatus { order: i64, status: i64 },
    /// [`Brightpearl::cancel_order`](super::Brightpearl::cancel_order).
    CancelOrder { order: i64 },
    /// [`Brightpearl::add_row`](super::Brightpearl::add_row).
    AddRow { order: i64, line: NewLine },
    /// [`Brightpearl::remove_row`](super::Brightpearl::remove_row).
    RemoveRow { order: i64, row: i64 },
    /// [`Brightpearl::set_quantity`](super::Brightpearl::set_quantity).
    SetQuantity { order: i64, row: i64, quantity: i64 },
    /// [`Brightpearl::drop_ship`](super::Brightpearl::drop_ship).
    DropShip { order: i64, row: i64, quantity: i64 },
    /// [`Brightpearl::split_order`](super::Brightpearl::split_order).
    SplitOrder { order: i64, rows: BTreeMap<i64, i64> },
    /// [`Brightpearl::allocate`](super::Brightpearl::allocate).
    Allocate { order: i64 },
    /// [`Brightpearl::create_note`](super::Brightpearl::create_note).
    CreateNote { order: i64, warehouse: i64, staff: i64, rows: Option<BTreeMap<i64, i64>> },
    /// [`Brightpearl::ship_note`](super::Brightpearl::ship_note).
    ShipNote { note: i64, staff: i64 },
    /// [`Brightpearl::write_reference`](super::Brightpearl::write_reference).
    WriteReference { note: i64, staff: i64, reference: String },
    /// [`Brightpearl::delete_note`](super::Brightpearl::delete_note).
    DeleteNote { note: i64 },
    /// [`Brightpearl::create_transfer`](super::Brightpearl::create_transfer).
    CreateTransfer { from: i64, to: i64, product: i64, quantity: i64 },
    /// [`Brightpearl::release_quarantine`](super::Brightpearl::release_quarantine).
    ReleaseQuarantine { warehouse: i64 },
    /// [`Brightpearl::change_stock`](super::Brightpearl::change_stock).
    ChangeStock { product: i64, warehouse: i64, quantity: i64 },
    /// [`Brightpearl::change_sku`](super::Brightpearl::change_sku).
    ChangeSku { product: i64, sku: String },
    /// [`Brightpearl::expire_tokens`](super::Brightpearl::expire_tokens).
    ExpireTokens,
    /// [`Brightpearl::revoke_tokens`](super::Brightpearl::revoke_tokens).
    RevokeTokens,
    /// [`Brightpearl::change_password`](super::Brightpearl::change_password).
    ChangePassword { email: String, password: String },
}

/// What a [`Command`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The id of a new order, row, note.
    Created(i64),
    /// Nothing new, but done.
    Done,
}

/// A goods-out note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as the API names them")]
pub struct NoteSnapshot {
    pub id: i64,
    pub order_id: i64,
    pub warehouse_id: i64,
    pub transfer: bool,
    /// Row to quantity.
    pub rows: BTreeMap<i64, i64>,
    pub reference: String,
    pub shipping_method_id: i64,
    pub boxes: Option<i64>,
    pub weight: Option<Decimal>,
    pub created_by: i64,
    pub created_on: Timestamp,
    pub shipped: bool,
    pub shipped_on: Option<Timestamp>,
    pub shipped_by: Option<i64>,
    pub last_event_version: i64,
}

/// A row of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as the API names them")]
pub struct RowSnapshot {
    pub product_id: i64,
    pub sku: Option<String>,
    pub quantity: Decimal,
    /// On goods-out notes, shipped or not.
    pub fulfilled: i64,
    pub shipped: i64,
    /// Whether it can be on a note at all.
    pub ships: bool,
}

/// A note in the sense of a text on an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as the API names them")]
pub struct NoteText {
    pub id: i64,
    pub text: String,
    pub is_public: bool,
    pub added_by: i64,
    pub status_id: i64,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as the API names them")]
pub struct OrderSnapshot {
    pub id: i64,
    pub parent_id: i64,
    pub type_code: &'static str,
    pub reference: String,
    pub status_id: i64,
    pub status_name: String,
    pub warehouse_id: i64,
    pub channel_id: i64,
    pub shipping_method_id: i64,
    pub stock_status: &'static str,
    pub allocation_status: &'static str,
    pub shipping_status: &'static str,
    pub version: i64,
    pub updated_on: Option<Timestamp>,
    pub rows: BTreeMap<i64, RowSnapshot>,
    pub texts: Vec<NoteText>,
}

/// Stock of one product in one warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as the API names them")]
pub struct StockSnapshot {
    pub product_id: i64,
    pub warehouse_id: i64,
    pub in_stock: i64,
    pub on_hand: i64,
    pub allocated: i64,
    pub in_quarantine: i64,
    /// How it came to be.
    pub figures: StockFigures,
}

/// A line of a stock correction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "named as the API names them")]
pub struct CorrectionSnapshot {
    pub note_id: i64,
    pub warehouse_id: i64,
    pub product_id: i64,
    /// Signed.
    pub quantity: i64,
    pub reason: String,
    pub created_by: i64,
}
