//! What really happened: the oracle of every test.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::floor::Floor;
use super::model::{Order, Status};

/// A copy of everything the warehouse knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Every order ever created, parts included, by id.
    pub orders: Vec<LedgerOrder>,
    /// Numbers under which a client has more than one whole order, cancelled ones not counted.
    pub duplicates: Vec<Duplicate>,
    /// Every change asked for over the API, whatever its verb, in order.
    pub mutations: Vec<Mutation>,
    /// Stock by client, SKU and warehouse; bundles are not in it.
    pub stock: Vec<LedgerStock>,
    /// Every call-back tried.
    pub calls: Vec<Call>,
}

/// One order, or one part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerOrder {
    /// `ID`.
    pub order_id: u64,
    /// The whole order it was split from.
    pub split_of: Option<u64>,
    /// Owner.
    pub client: u64,
    /// Building.
    pub warehouse: u64,
    /// `OrderNumber`.
    pub number: String,
    /// `ExternalOrderReference`.
    pub reference: String,
    /// Where it stands.
    pub status: Status,
    /// The courier service it goes by.
    pub courier: String,
    /// When it came in.
    pub created_at: Timestamp,
    /// When it left.
    pub despatched_at: Option<Timestamp>,
    /// Its lines as they stand: id, SKU, units asked for, units.
    pub lines: Vec<(u64, String, i64, i64)>,
    /// The carrier's number of each parcel.
    pub parcels: Vec<String>,
    /// Units that left, by line id and SKU.
    pub shipped: Vec<(u64, String, i64)>,
    /// Every step with its time.
    pub history: Vec<(Timestamp, String)>,
}

/// A number that lives more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Owner.
    pub client: u64,
    /// `OrderNumber`.
    pub number: String,
    /// The orders that carry it.
    pub order_ids: Vec<u64>,
}

/// One request to change something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// When it was worked on.
    pub at: Timestamp,
    /// HTTP method: some are GET.
    pub method: String,
    /// Path.
    pub path: String,
    /// The order it made or was about.
    pub order_id: Option<u64>,
    /// Whether anything changed.
    pub took_effect: bool,
    /// The words of a refusal.
    pub refusal: Option<String>,
}

/// Stock of one SKU of one client in one building.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerStock {
    /// Owner.
    pub client: u64,
    /// Building.
    pub warehouse: u64,
    /// SKU.
    pub sku: String,
    /// Units on the shelves.
    pub units: i64,
}

/// One call-back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// When it was made.
    pub at: Timestamp,
    /// The order it is about.
    pub order_id: u64,
    /// The code of its address.
    pub code: String,
    /// Where to.
    pub url: String,
    /// Whether it was lost before it left.
    pub lost: bool,
    /// Status of the answer, `None` when there was none.
    pub status: Option<u16>,
}

impl Ledger {
    pub(super) fn of(floor: &Floor, calls: Vec<Call>) -> Self {
        let mut by_number: BTreeMap<(u64, &str), Vec<u64>> = BTreeMap::new();
        let live = floor.orders.values().filter(|order| order.status != Status::Cancelled && order.split_of.is_none());
        for order in live {
            by_number.entry((order.client, &order.number)).or_default().push(order.id);
        }
        let duplicates = by_number.into_iter().filter(|(_, ids)| ids.len() > 1);
        Self {
            orders: floor.orders.values().map(ledger_order).collect(),
            duplicates: duplicates
                .map(|((client, number), order_ids)| Duplicate { client, number: number.to_owned(), order_ids })
                .collect(),
            mutations: floor.mutations.clone(),
            stock: stock(floor),
            calls,
        }
    }
}

pub(super) fn stock(floor: &Floor) -> Vec<LedgerStock> {
    let mut stock = Vec::new();
    for product in floor.products.values().filter(|product| product.parts.is_empty()) {
        for building in &floor.buildings {
            let is_here = floor.shelves.iter().any(|s| s.product == product.id && s.warehouse == building.id);
            if is_here {
                stock.push(LedgerStock {
                    client: product.client,
                    warehouse: building.id,
                    sku: product.sku.clone(),
                    units: floor.level(product, building.id),
                });
            }
        }
    }
    stock
}

fn ledger_order(order: &Order) -> LedgerOrder {
    LedgerOrder {
        order_id: order.id,
        split_of: order.split_of,
        client: order.client,
        warehouse: order.warehouse,
        number: order.number.clone(),
        reference: order.reference.clone(),
        status: order.status,
        courier: order.courier.clone(),
        created_at: order.created,
        despatched_at: order.despatched,
        lines: order.lines.iter().map(|line| (line.id, line.sku.clone(), line.asked, line.quantity)).collect(),
        parcels: order.parcels.clone(),
        shipped: order.shipped.clone(),
        history: order.history.clone(),
    }
}
