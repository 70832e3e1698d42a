//! What really happened: the oracle of every test.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::floor::Floor;
use super::model::{Order, Status};

/// A copy of everything the warehouse knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every order ever created, by id.
    pub orders: Vec<LedgerOrder>,
    /// Order numbers that more than one order of an account carries, cancelled ones not counted.
    pub duplicates: Vec<(u64, String)>,
    /// Every mutation, in order.
    pub mutations: Vec<Mutation>,
    /// Units on hand by account and SKU.
    pub stock: Vec<(u64, String, i64)>,
    /// Requests that the judge refused, and answers that are not of the schema: none, unless client or simulator is wrong.
    pub off_schema: Vec<String>,
    /// Requests refused for want of credits.
    pub refused_for_credits: u64,
    /// Every webhook delivery tried.
    pub deliveries: Vec<Delivery>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerOrder {
    /// Its number there.
    pub order_id: u64,
    /// Its id as the API shows it.
    pub id: String,
    /// The account it is in.
    pub account: u64,
    /// `order_number`.
    pub number: String,
    /// `partner_order_id`.
    pub partner_id: String,
    /// Where it stands.
    pub status: Status,
    /// When it came in.
    pub created_at: Timestamp,
    /// When nothing held it any more.
    pub released_at: Option<Timestamp>,
    /// Whether something holds it.
    pub held: bool,
    /// Units asked for, by SKU.
    pub asked: BTreeMap<String, i64>,
    /// What left, oldest first.
    pub shipments: Vec<LedgerShipment>,
    /// Every step with its time.
    pub history: Vec<(Timestamp, String)>,
}

/// One shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerShipment {
    /// Its id as the API shows it.
    pub id: String,
    /// When it left.
    pub at: Timestamp,
    /// Tracking numbers, in order.
    pub tracking: Vec<String>,
    /// Units by SKU.
    pub units: BTreeMap<String, i64>,
}

/// One mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// When it was worked on.
    pub at: Timestamp,
    /// Its name.
    pub name: String,
    /// The order it made or was about.
    pub order_id: Option<u64>,
    /// The words of a refusal.
    pub refusal: Option<String>,
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it was made.
    pub at: Timestamp,
    /// `webhook_type`.
    pub kind: String,
    /// Message id, the same in every attempt.
    pub message: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Status of the answer, `None` when there was none.
    pub status: Option<u16>,
}

impl Ledger {
    pub(super) fn of(floor: &Floor) -> Self {
        let mut counts: BTreeMap<(u64, String), usize> = BTreeMap::new();
        for order in floor.orders.values().filter(|order| order.status != Status::Canceled) {
            *counts.entry((order.account, order.number.clone())).or_default() += 1;
        }
        Self {
            orders: floor.orders.values().map(ledger_order).collect(),
            duplicates: counts.into_iter().filter(|(_, count)| *count > 1).map(|(number, _)| number).collect(),
            mutations: floor.mutations.clone(),
            stock: floor.products.iter().map(|one| (one.account, one.sku.clone(), one.on_hand)).collect(),
            off_schema: Vec::new(),
            refused_for_credits: 0,
            deliveries: Vec::new(),
        }
    }
}

fn ledger_order(order: &Order) -> LedgerOrder {
    let mut asked = BTreeMap::new();
    for line in &order.lines {
        *asked.entry(line.sku.clone()).or_insert(0) += line.quantity;
    }
    let shipments = order.shipments.iter().map(|shipment| {
        let mut units = BTreeMap::new();
        for content in &shipment.contents {
            *units.entry(content.sku.clone()).or_insert(0) += content.units;
        }
        LedgerShipment {
            id: super::model::global("Shipment", shipment.id),
            at: shipment.at,
            tracking: shipment.labels.iter().map(|label| label.tracking.clone()).collect(),
            units,
        }
    });
    LedgerOrder {
        order_id: order.id,
        id: super::model::global("Order", order.id),
        account: order.account,
        number: order.number.clone(),
        partner_id: order.partner_id.clone(),
        status: order.status,
        created_at: order.created,
        released_at: order.released,
        held: order.is_held(),
        asked,
        shipments: shipments.collect(),
        history: order.history.clone(),
    }
}
