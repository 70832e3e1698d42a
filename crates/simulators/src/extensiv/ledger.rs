//! What really happened: the oracle of every test.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::floor::{Floor, text};
use super::model::{Order, Status};

/// A copy of everything the warehouse knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every order ever created, splits included, by id.
    pub orders: Vec<LedgerOrder>,
    /// References that more than one order of a customer carries, cancelled ones not counted.
    pub duplicates: Vec<DuplicateReference>,
    /// Every change asked for over the API, in order.
    pub mutations: Vec<Mutation>,
    /// Stock by customer, SKU and facility.
    pub stock: Vec<LedgerStock>,
    /// Every webhook delivery tried.
    pub deliveries: Vec<Delivery>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerOrder {
    /// `readOnly.orderId`.
    pub order_id: u64,
    /// The order it was split from.
    pub split_of: Option<u64>,
    /// Owner.
    pub customer: u64,
    /// Building.
    pub facility: u64,
    /// `referenceNum`.
    pub reference: String,
    /// `externalId`, empty for none.
    pub external_id: String,
    /// Open, closed or cancelled.
    pub status: Status,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was released to be picked (completed).
    pub released_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Whether it is on hold now.
    pub held: bool,
    /// Its lines as they stand.
    pub lines: Vec<LedgerLine>,
    /// Every step with its time.
    pub history: Vec<(Timestamp, String)>,
    /// Boxes; none for freight and for orders that have not left.
    pub packages: Vec<LedgerPackage>,
    /// Tracking number of the whole order, empty for none.
    pub tracking: String,
    /// Bill of lading, empty for none.
    pub bill_of_lading: String,
    /// Units that left, by line id and SKU.
    pub shipped: Vec<(u64, String, Decimal)>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// `readOnly.orderItemId`.
    pub order_item_id: u64,
    /// SKU.
    pub sku: String,
    /// `externalId`, empty for none.
    pub external_id: String,
    /// Units the client asked for; on a split, units that moved over.
    pub asked: Decimal,
    /// Units the line shows.
    pub quantity: Decimal,
    /// Units set aside.
    pub allocated: Decimal,
}

/// One box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerPackage {
    /// `packageId`.
    pub package_id: u64,
    /// Carrier's number.
    pub tracking_number: String,
    /// Line id, SKU and units of what is inside.
    pub contents: Vec<(u64, String, Decimal)>,
}

/// A reference that lives more than once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuplicateReference {
    /// Owner.
    pub customer: u64,
    /// `referenceNum`.
    pub reference: String,
    /// The orders that carry it.
    pub order_ids: Vec<u64>,
}

/// One POST or PUT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mutation {
    /// When it was worked on.
    pub at: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path.
    pub path: String,
    /// The order it made or was about.
    pub order_id: Option<u64>,
    /// Whether anything changed.
    pub took_effect: bool,
    /// Status it was answered with; a fault may have kept the answer from the client.
    pub status: u16,
    /// `ErrorCode` of a refusal.
    pub code: Option<String>,
}

/// Stock of one SKU of one customer in one facility.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerStock {
    /// Owner.
    pub customer: u64,
    /// Building.
    pub facility: u64,
    /// SKU.
    pub sku: String,
    /// Units in the building; never below zero.
    pub physical: Decimal,
    /// Units set aside for orders.
    pub allocated: Decimal,
    /// Units on hold or in quarantine.
    pub held: Decimal,
    /// Units that can be set aside.
    pub available: Decimal,
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was sent.
    pub at: Timestamp,
    /// `wmsEventId`.
    pub event_id: u64,
    /// `eventType`.
    pub event_type: String,
    /// The order it is about.
    pub order_id: u64,
    /// Where to.
    pub url: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Status of the answer, `None` when none came in time.
    pub status: Option<u16>,
}

impl Ledger {
    pub(super) fn of(floor: &Floor, deliveries: Vec<Delivery>) -> Self {
        let duplicates = floor
            .by_reference
            .iter()
            .filter_map(|((customer, _), ids)| {
                let live: Vec<&Order> = ids
                    .iter()
                    .filter_map(|id| floor.orders.get(id))
                    .filter(|order| order.status != Status::Cancelled)
                    .collect();
                let first = live.first()?;
                (live.len() > 1).then(|| DuplicateReference {
                    customer: *customer,
                    reference: first.reference.clone(),
                    order_ids: live.iter().map(|order| order.id).collect(),
                })
            })
            .collect();
        Self {
            orders: floor.orders.values().map(ledger_order).collect(),
            duplicates,
            mutations: floor.mutations.clone(),
            stock: floor.ledger_stock(),
            deliveries,
        }
    }
}

fn ledger_order(order: &Order) -> LedgerOrder {
    LedgerOrder {
        order_id: order.id,
        split_of: order.split_of,
        customer: order.customer,
        facility: order.facility,
        reference: order.reference.clone(),
        external_id: text(&order.written, "externalId"),
        status: order.status,
        created_at: order.created,
        released_at: order.history.iter().find(|(_, what)| what == "completed").map(|(at, _)| *at),
        closed_at: order.closed,
        held: order.hold.is_some(),
        lines: order
            .lines
            .iter()
            .map(|line| LedgerLine {
                order_item_id: line.id,
                sku: line.sku.clone(),
                external_id: line.external_id.clone(),
                asked: line.asked,
                quantity: line.qty,
                allocated: line.allocated(),
            })
            .collect(),
        history: order.history.clone(),
        packages: order
            .packages
            .iter()
            .map(|package| LedgerPackage {
                package_id: package.id,
                tracking_number: package.tracking.clone(),
                contents: package
                    .contents
                    .iter()
                    .map(|content| (content.line, content.sku.clone(), content.qty))
                    .collect(),
            })
            .collect(),
        tracking: order.tracking.clone(),
        bill_of_lading: order.bill_of_lading.clone(),
        shipped: order.shipped.clone(),
    }
}
