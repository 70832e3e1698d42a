//! What the warehouse manager holds: customers, facilities, items, received stock and orders.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Time zone of a facility, under the Windows name the API shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zone {
    /// US Eastern.
    Eastern,
    /// US Pacific.
    Pacific,
    /// United Kingdom.
    London,
    /// UTC.
    Utc,
}

impl Zone {
    /// The name as `timeZoneName` shows it.
    #[must_use]
    pub fn windows_name(self) -> &'static str {
        match self {
            Self::Eastern => "Eastern Standard Time",
            Self::Pacific => "Pacific Standard Time",
            Self::London => "GMT Standard Time",
            Self::Utc => "UTC",
        }
    }

    /// The zone itself, from its rule: the machine needs no time zone database.
    #[must_use]
    pub fn time_zone(self) -> TimeZone {
        let rule = match self {
            Self::Eastern => "EST5EDT,M3.2.0,M11.1.0",
            Self::Pacific => "PST8PDT,M3.2.0,M11.1.0",
            Self::London => "GMT0BST,M3.5.0/1,M10.5.0",
            Self::Utc => return TimeZone::UTC,
        };
        TimeZone::posix(rule).unwrap_or(TimeZone::UTC)
    }
}

/// A brand whose goods lie in the warehouse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// Id of `customerIdentifier`.
    pub id: u64,
    /// Company name.
    pub name: String,
}

/// A building.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facility {
    /// Id of `facilityIdentifier`.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Where it stands.
    pub zone: Zone,
}

/// How an item is tracked: 0 no, 1 allowed, 2 required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackBys {
    /// Lot numbers.
    pub lot: u8,
    /// Serial numbers.
    pub serial: u8,
    /// Expiration dates.
    pub expiration: u8,
}

/// An article of one customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Item id, unique over all customers.
    pub id: u64,
    /// Owner.
    pub customer: u64,
    /// SKU, unique within the customer.
    pub sku: String,
    /// Text.
    pub description: String,
    /// Bar code.
    pub upc: String,
    /// No longer in use.
    pub deactivated: bool,
    /// How it is tracked.
    pub track_bys: TrackBys,
}

/// Stock as it came in: what [`super::Handle::receive`] puts on the shelves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Owner.
    pub customer: u64,
    /// Where it lies.
    pub facility: u64,
    /// What it is.
    pub sku: String,
    /// Sub-identity within the SKU (grade, owner's code), usually empty.
    pub qualifier: String,
    /// Units.
    pub quantity: Decimal,
    /// Lot, empty for none.
    pub lot: String,
    /// Serial number of each unit, empty for none.
    pub serials: Vec<String>,
    /// Best before, as a date and time without an offset.
    pub expiration: Option<String>,
    /// Blocked by a person.
    pub on_hold: bool,
    /// Blocked by quality.
    pub quarantined: bool,
}

impl Received {
    /// Units without lot, serial numbers or blocks.
    #[must_use]
    pub fn plain(customer: u64, facility: u64, sku: &str, quantity: Decimal) -> Self {
        Self {
            customer,
            facility,
            sku: sku.to_owned(),
            qualifier: String::new(),
            quantity,
            lot: String::new(),
            serials: Vec::new(),
            expiration: None,
            on_hold: false,
            quarantined: false,
        }
    }
}

/// One receive item: units that came in together and lie together.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    pub id: u64,
    pub item: u64,
    pub came: Received,
    pub at: Timestamp,
    pub on_hand: Decimal,
    pub allocated: Decimal,
    pub serials: Vec<String>,
}

impl Stock {
    pub(super) fn blocked(&self) -> bool {
        self.came.on_hold || self.came.quarantined
    }

    pub(super) fn free(&self) -> Decimal {
        if self.blocked() { Decimal::ZERO } else { self.on_hand - self.allocated }
    }

    pub(super) fn held(&self) -> Decimal {
        if self.blocked() { self.on_hand - self.allocated } else { Decimal::ZERO }
    }
}

/// `status` of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// 0.
    Open,
    /// 1.
    Closed,
    /// 2.
    Cancelled,
}

impl Status {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Closed => 1,
            Self::Cancelled => 2,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub id: u64,
    pub item: u64,
    pub sku: String,
    pub qualifier: String,
    pub external_id: String,
    pub lot: String,
    pub serial: String,
    /// What the customer asked for, whatever the warehouse made of it.
    pub asked: Decimal,
    pub qty: Decimal,
    pub shown_original: Decimal,
    pub saved_elements: Value,
    /// Units set aside, by receive item.
    pub allocations: BTreeMap<u64, Decimal>,
}

impl Line {
    pub(super) fn allocated(&self) -> Decimal {
        self.allocations.values().sum()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Content {
    pub id: u64,
    pub line: u64,
    pub sku: String,
    pub stock: u64,
    pub qty: Decimal,
    pub lot: String,
    pub serials: Vec<String>,
    pub expiration: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Package {
    pub id: u64,
    pub tracking: String,
    pub number: usize,
    pub created: Timestamp,
    pub contents: Vec<Content>,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub id: u64,
    pub version: u64,
    pub customer: u64,
    pub facility: u64,
    pub reference: String,
    /// Everything else the client wrote, in camelCase, given back as it came.
    pub written: Map<String, Value>,
    pub lines: Vec<Line>,
    pub status: Status,
    pub created_deferred: bool,
    pub complete: bool,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub pick_started: bool,
    pub pick_done: Option<Timestamp>,
    pub pack_started: bool,
    pub pack_done: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    pub hold: Option<(Timestamp, String)>,
    pub packages: Vec<Package>,
    /// Number of the whole order: freight has only this, or nothing.
    pub tracking: String,
    pub bill_of_lading: String,
    /// Serial numbers that left, by SKU.
    pub outbound_serials: BTreeMap<String, Vec<String>>,
    /// What left, by line. Kept apart from the packages: freight has none.
    pub shipped: Vec<(u64, String, Decimal)>,
    pub split_of: Option<u64>,
    pub history: Vec<(Timestamp, String)>,
}

impl Order {
    pub(super) fn fully_allocated(&self) -> bool {
        self.lines.iter().all(|line| line.allocated() >= line.qty)
    }

    pub(super) fn etag(&self) -> String {
        // Opaque on purpose: a client that counts versions must fail.
        let mixed =
            self.id.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(self.version.wrapping_mul(0xC2B2_AE3D_27D4_EB4F));
        format!("\"{mixed:016x}\"")
    }

    pub(super) fn touch(&mut self, now: Timestamp, what: &str) {
        self.version += 1;
        self.modified = now;
        self.history.push((now, what.to_owned()));
    }
}
