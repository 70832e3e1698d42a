//! What a warehouse counts.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What the warehouse's figure means, which decides the stock equation (docs/reliability.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedBasis {
    /// Everything on the shelves.
    Physical,
    /// Physical less what is committed to orders the warehouse has accepted.
    Available,
}

/// The warehouse's figure for one SKU in one facility.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The warehouse's SKU.
    pub sku: String,
    /// The facility, where the warehouse has several.
    pub facility: Option<String>,
    /// Available figure, where reported.
    pub available: Option<Decimal>,
    /// Physical figure, where reported.
    pub physical: Option<Decimal>,
}

impl StockLevel {
    /// The figure for this basis, where reported.
    pub fn figure(&self, basis: FeedBasis) -> Option<Decimal> {
        match basis {
            FeedBasis::Physical => self.physical,
            FeedBasis::Available => self.available,
        }
    }
}

/// A change of a figure that the warehouse made and gives a reason for. The next count has it in it already: it explains, and
/// no figure is made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockAdjustment {
    /// What the warehouse calls it; the same once more is the same adjustment.
    pub reference: String,
    /// Its line, from 1.
    pub line: u32,
    /// The warehouse's SKU.
    pub sku: String,
    /// By how much, signed.
    pub change: Decimal,
    /// Why, for people.
    pub reason: String,
    /// The day of it, as the warehouse says.
    pub made_on: Timestamp,
}

/// A stock snapshot from a warehouse, complete as far as the connector can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockFeed {
    /// Where it came from: a file name, or the call.
    pub reference: String,
    /// Hash of the content, so that the same content is not acted upon twice.
    pub content_hash: String,
    /// The moment the figures speak of.
    pub cut_off: Timestamp,
    /// Running number, where the warehouse gives one.
    pub sequence: Option<i64>,
    /// Whether a SKU that is absent has none. Otherwise it is unchanged.
    pub absent_is_zero: bool,
    /// Whether it names everything that the facilities which it names have: a SKU that is absent from one of them, and named in
    /// another, is not there any more. Otherwise it is there as it was.
    #[serde(default)]
    pub names_all: bool,
    /// By SKU, then facility.
    pub levels: Vec<StockLevel>,
}
