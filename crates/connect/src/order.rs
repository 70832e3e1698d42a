//! The sale, as the source holds it.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// An amount in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// ISO 4217.
    pub currency: String,
    /// Exact.
    pub amount: Decimal,
}

/// A postal address with the people behind it. Empty text means not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The person.
    pub name: String,
    /// The company.
    pub company: String,
    /// First street line.
    pub line1: String,
    /// Second street line.
    pub line2: String,
    /// Town or city.
    pub city: String,
    /// State, province or county.
    pub state: String,
    /// Postal code.
    pub postcode: String,
    /// ISO 3166 alpha-2; empty where the source has no country.
    pub country: String,
    /// Telephone, mobile where there is no other.
    pub phone: String,
    /// E-mail.
    pub email: String,
}

/// How much of an order's stocked goods has stock set aside for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allocation {
    /// Nothing to set aside.
    NotRequired,
    /// Nothing is set aside yet.
    None,
    /// Some is.
    Part,
    /// All is.
    All,
}

/// How far fulfilment or shipping of an order has come, as the source counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The order has nothing of the kind.
    NotApplicable,
    /// Nothing yet.
    None,
    /// Some.
    Part,
    /// All.
    All,
}

/// Whether a line's goods are kept in stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineStock {
    /// A product whose stock the source keeps.
    Stocked,
    /// A product without stock (a service, a fee).
    NotStocked,
    /// Words only, no product.
    FreeText,
    /// The source's order document does not say; the product must be read.
    Unknown,
}

/// A line's part in a bundle of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "role", content = "parent_row")]
pub enum BundleRole {
    /// No bundle.
    None,
    /// The bundle itself: never shipped, its children are.
    Parent,
    /// A component; the row of its bundle.
    Child(i64),
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// The source's row id.
    pub row_id: i64,
    /// The source's product id; `None` for free text.
    pub product_id: Option<i64>,
    /// SKU as it was when the line was added; may be empty.
    pub sku: String,
    /// Name as it was when the line was added.
    pub name: String,
    /// Ordered quantity.
    pub quantity: Decimal,
    /// Price of one.
    pub unit_price: Option<Money>,
    /// Whether it is kept in stock.
    pub stock: LineStock,
    /// Its part in a bundle.
    pub bundle: BundleRole,
    /// Where it stands on the order.
    pub sequence: i64,
}

/// A sales order as the source holds it at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The source's order id.
    pub order_id: i64,
    /// The order this one was split from.
    pub parent_id: Option<i64>,
    /// Counts changes.
    pub version: i64,
    /// The customer's or shop's reference.
    pub reference: String,
    /// The account's status id.
    pub status_id: i64,
    /// The account's warehouse id.
    pub warehouse_id: Option<i64>,
    /// The account's channel id.
    pub channel_id: Option<i64>,
    /// The account's shipping method id.
    pub ship_method_id: Option<i64>,
    /// When the customer placed it.
    pub placed_at: Timestamp,
    /// Last change, `None` before the first.
    pub updated_at: Option<Timestamp>,
    /// Wanted by, where given. A day without a time is kept as midnight UTC of that day, whatever zone the source shows it in:
    /// it is read with [`wanted_in`](crate::wanted_in), which does not move it.
    pub deliver_on: Option<Timestamp>,
    /// Words for the warehouse; empty where there are none.
    #[serde(default)]
    pub notes: String,
    /// Whether it is a sales order at all.
    pub is_sale: bool,
    /// Stock set aside.
    pub allocation: Allocation,
    /// Goods-out notes made.
    pub fulfilment: Progress,
    /// Goods shipped.
    pub shipping: Progress,
    /// Where it goes.
    pub deliver_to: Address,
    /// Who pays.
    pub bill_to: Address,
    /// Its lines, by sequence then row id.
    pub lines: Vec<OrderLine>,
}
