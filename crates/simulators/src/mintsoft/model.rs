//! What the warehouse holds: products, shelves and orders.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A merchant whose goods lie in the warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// `ClientId`.
    pub id: u64,
    /// Name.
    pub name: String,
}

/// A building.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Building {
    /// `WarehouseId`.
    pub id: u64,
    /// Name.
    pub name: String,
}

/// Goods as they came in: what [`super::Handle::receive`] puts on a shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Owner.
    pub client: u64,
    /// Where it lies.
    pub warehouse: u64,
    /// What it is.
    pub sku: String,
    /// Units.
    pub units: i64,
    /// Batch, empty for none.
    pub batch: String,
    /// Serial number of each unit, empty for none.
    pub serials: Vec<String>,
    /// Best before.
    pub best_before: Option<jiff::civil::Date>,
}

impl Received {
    /// Units without batch or serial numbers.
    #[must_use]
    pub fn plain(client: u64, warehouse: u64, sku: &str, units: i64) -> Self {
        let (sku, batch, serials) = (sku.to_owned(), String::new(), Vec::new());
        Self { client, warehouse, sku, units, batch, serials, best_before: None }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Product {
    pub id: u64,
    pub client: u64,
    pub sku: String,
    /// SKUs and units that one is made of; empty for a product that lies on shelves.
    pub parts: Vec<(String, i64)>,
}

/// Units of one product that lie together.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub product: u64,
    pub warehouse: u64,
    pub units: i64,
    pub batch: String,
    pub serials: Vec<String>,
    pub best_before: Option<jiff::civil::Date>,
    pub changed: Timestamp,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Just come in.
    New,
    /// To be picked.
    AwaitingPicking,
    /// A person has a question.
    QueryRaised,
    /// Picked.
    Picked,
    /// It has left.
    Despatched,
    /// It will not leave.
    Cancelled,
}

impl Status {
    pub(super) const ALL: [Self; 6] =
        [Self::New, Self::AwaitingPicking, Self::QueryRaised, Self::Picked, Self::Despatched, Self::Cancelled];

    /// As the account lists it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::AwaitingPicking => "AWAITINGPICKING",
            Self::QueryRaised => "QUERYRAISED",
            Self::Picked => "PICKED",
            Self::Despatched => "DESPATCHED",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub(super) fn number(self, own: bool) -> u64 {
        let usual = match self {
            Self::New => 1,
            Self::Despatched => 4,
            Self::Cancelled => 6,
            Self::QueryRaised => 13,
            Self::AwaitingPicking => 15,
            Self::Picked => 17,
        };
        if own { 1000 - usual } else { usual }
    }

    pub(super) fn is_open(self) -> bool {
        !matches!(self, Self::Despatched | Self::Cancelled)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub id: u64,
    pub product: u64,
    pub sku: String,
    /// What the client asked for, whatever the warehouse made of it.
    pub asked: i64,
    pub quantity: i64,
    /// Everything else the client wrote.
    pub written: Map<String, Value>,
}

/// Something scanned when it was packed.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub line: u64,
    pub units: i64,
    pub batch: String,
    pub serial: String,
    pub best_before: Option<jiff::civil::Date>,
    pub box_number: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub id: u64,
    pub client: u64,
    pub warehouse: u64,
    pub number: String,
    pub reference: String,
    /// Everything else the client wrote, given back as it came.
    pub written: Map<String, Value>,
    pub lines: Vec<Line>,
    pub status: Status,
    pub courier: String,
    pub part: u64,
    pub parts: u64,
    pub split_of: Option<u64>,
    pub created: Timestamp,
    pub changed: Timestamp,
    pub despatched: Option<Timestamp>,
    pub parcels: Vec<String>,
    pub scans: Vec<Scan>,
    /// What left, by line and SKU; of a bundle, the bundle.
    pub shipped: Vec<(u64, String, i64)>,
    /// Addresses to call, by code.
    pub calls: BTreeMap<String, String>,
    pub history: Vec<(Timestamp, String)>,
}

impl Order {
    pub(super) fn touch(&mut self, now: Timestamp, what: &str) {
        self.changed = now;
        self.history.push((now, what.to_owned()));
    }
}
