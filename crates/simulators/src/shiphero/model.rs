//! What the warehouse holds: accounts, products, orders and what left.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An id as the API shows it: what it is and its number, in base64.
#[must_use]
pub fn global(kind: &str, number: u64) -> String {
    STANDARD.encode(format!("{kind}:{number}"))
}

/// The number in an id of this kind.
#[must_use]
pub fn number_of(kind: &str, id: &str) -> Option<u64> {
    let text = String::from_utf8(STANDARD.decode(id).ok()?).ok()?;
    text.strip_prefix(kind)?.strip_prefix(':')?.parse().ok()
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Not everything has left.
    Pending,
    /// Everything that will leave has left.
    Fulfilled,
    /// It will not leave.
    Canceled,
}

/// Stock of one SKU of one account.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub account: u64,
    pub sku: String,
    pub on_hand: i64,
    pub non_sellable: i64,
    pub lot: String,
    pub serials: Vec<String>,
    pub updated: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub id: u64,
    pub sku: String,
    pub partner_id: String,
    pub quantity: i64,
    pub shipped: i64,
    pub removed: i64,
    pub price: String,
    pub name: String,
    pub serials: Vec<String>,
}

impl Line {
    pub(super) fn open(&self) -> i64 {
        (self.quantity - self.removed - self.shipped).max(0)
    }
}

/// Goods of one line under one label.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub line: u64,
    pub sku: String,
    pub units: i64,
    pub label: u64,
    pub lot: String,
    pub serials: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Label {
    pub id: u64,
    pub tracking: String,
    pub voided: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Shipment {
    pub id: u64,
    pub at: Timestamp,
    pub labels: Vec<Label>,
    pub contents: Vec<Content>,
}

impl Shipment {
    pub(super) fn is_voided(&self) -> bool {
        self.labels.iter().any(|label| label.voided)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub id: u64,
    pub account: u64,
    pub number: String,
    pub partner_id: String,
    pub shop: String,
    pub address: Map<String, Value>,
    pub carrier: (String, String),
    pub lines: Vec<Line>,
    pub holds: BTreeMap<String, bool>,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub released: Option<Timestamp>,
    pub shipments: Vec<Shipment>,
    pub history: Vec<(Timestamp, String)>,
}

impl Order {
    pub(super) fn is_held(&self) -> bool {
        self.holds.values().any(|held| *held)
    }

    pub(super) fn touch(&mut self, now: Timestamp, what: &str) {
        self.updated = now;
        self.history.push((now, what.to_owned()));
    }
}
