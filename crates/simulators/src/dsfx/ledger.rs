//! What really happened in the warehouse: the oracle of every test.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use super::feed::{Fault, Feed};
use super::order_file::ShipTo;

/// A copy of everything the warehouse knows. Never written to a file: the hub must not see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    /// Every order accepted, by order number. More than one entry under a number is a duplicate that ships twice.
    pub orders: BTreeMap<String, Vec<LedgerOrder>>,
    /// Order numbers accepted more than once, with how often.
    pub duplicates: BTreeMap<String, usize>,
    /// Stock by SKU and facility.
    pub stock: Vec<StockRow>,
    /// Order files taken in, in order.
    pub read: Vec<FileRead>,
    /// Order files refused, in order.
    pub rejected: Vec<FileRejected>,
    /// Shipment and stock files put into `out/`, in order of writing.
    pub written: Vec<FileWritten>,
    /// Groups of X12 documents that were written, as `SW 5`, with how many sets each has; acknowledgements are none.
    pub groups: BTreeMap<String, usize>,
    /// What the depositor said of them, in order.
    pub acknowledged: Vec<Acknowledged>,
}

/// A group that the depositor has acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Acknowledged {
    /// File name.
    pub name: String,
    /// When it was taken in.
    pub at: Timestamp,
    /// The group, as in [`Ledger::groups`].
    pub group: String,
    /// `A`, `E`, `P` or `R`.
    pub result: String,
}

/// One accepted order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerOrder {
    /// Counts acceptances from 1; never the same for two orders.
    pub receipt: u64,
    /// Order number of the file.
    pub number: String,
    /// File that brought it.
    pub file: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Facility that ships it.
    pub facility: String,
    /// Customer's purchase order number.
    pub po_number: String,
    /// Customer's e-mail, empty before PH version 2.
    pub email: String,
    /// Destination.
    pub ship_to: ShipTo,
    /// Carrier and service as ordered.
    pub ship_method: String,
    /// Who pays the carrier.
    pub payment_type: String,
    /// Free text, empty before PH version 2.
    pub notes: String,
    /// How far it is.
    pub state: OrderState,
    /// Its lines.
    pub lines: Vec<LedgerLine>,
    /// What left, oldest first.
    pub shipments: Vec<LedgerShipment>,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OrderState {
    /// Nothing has left.
    Open,
    /// Some has left, the rest follows.
    PartShipped,
    /// All has left.
    Shipped,
    /// Finished with less than asked.
    ShippedShort,
    /// Given up before anything left.
    Cancelled,
}

/// One order line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerLine {
    /// Line number of the file.
    pub number: String,
    /// What to pick.
    pub sku: String,
    /// Units asked for.
    pub ordered: Decimal,
    /// Units that have left.
    pub shipped: Decimal,
    /// Unit price as ordered.
    pub unit_price: Option<Decimal>,
    /// What leaves is something else than was ordered.
    pub substituted: bool,
}

impl LedgerLine {
    pub(super) fn remaining(&self) -> Decimal {
        self.ordered - self.shipped
    }
}

/// One shipment: everything of an order that left at one time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerShipment {
    /// Unique over the life of the warehouse.
    pub shipment_id: String,
    /// When it left.
    pub shipped_at: Timestamp,
    /// Carrier reported.
    pub carrier: String,
    /// Service reported.
    pub service: String,
    /// Boxes, numbered from 1.
    pub packages: Vec<LedgerPackage>,
}

/// One box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerPackage {
    /// Number within the shipment, from 1.
    pub number: usize,
    /// Carrier's number.
    pub tracking_number: String,
    /// What is inside.
    pub contents: Vec<LedgerContent>,
}

/// Units of one line in one box.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LedgerContent {
    /// Line number of the order.
    pub line_number: String,
    /// What it is.
    pub sku: String,
    /// Units.
    pub quantity: Decimal,
    /// Lot, empty when the item has none.
    pub lot: String,
    /// Serial numbers, empty when the item has none.
    pub serials: Vec<String>,
}

/// Stock of one SKU in one facility.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StockRow {
    /// What it is.
    pub sku: String,
    /// Where it lies.
    pub facility: String,
    /// Units on the shelf; never below zero.
    pub physical: Decimal,
    /// Units promised to accepted orders that have not left.
    pub committed: Decimal,
    /// `physical − committed`; below zero when more is promised than there is.
    pub available: Decimal,
}

/// An order file that was taken in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRead {
    /// File name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Its order numbers, in order.
    pub orders: Vec<String>,
}

/// An order file that was refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileRejected {
    /// File name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A file put into `out/`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FileWritten {
    /// File name.
    pub name: String,
    /// When it became visible.
    pub at: Timestamp,
    /// Which feed.
    pub feed: Feed,
    /// What was done to it on purpose.
    pub fault: Option<Fault>,
    /// Rows of the intact content, header and trailer not counted.
    pub rows: usize,
    /// Name of the earlier file whose intact content this one repeats.
    pub repeats: Option<String>,
}
