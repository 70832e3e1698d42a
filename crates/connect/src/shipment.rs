//! What the hub asks a warehouse to ship, and what left the building.

use jiff::{Timestamp, Zoned, civil::Time, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Address, Money, RequestId};

/// Carrier and service in the warehouse's own codes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShipMethod {
    /// Carrier code, e.g. `UPS`.
    pub carrier: String,
    /// Service code, e.g. `Ground`; may be empty.
    #[serde(default)]
    pub service: String,
}

/// One line of a shipment request, in the warehouse's SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestLine {
    /// From 1, fixed for the life of the request; the warehouse may report by it.
    pub line_number: u32,
    /// The warehouse's SKU.
    pub sku: String,
    /// Whole or fractional units asked for.
    pub quantity: Decimal,
    /// The source's row this line ships.
    pub row_id: i64,
    /// The source's product on that row.
    pub product_id: i64,
    /// How many of this SKU make one unit of the row: 1, except in kits of the hub's own.
    pub per_unit: Decimal,
    /// What it is called.
    pub name: String,
    /// Price of one unit of the row, for customs papers.
    pub unit_price: Option<Money>,
}

/// What the hub asks one warehouse to ship for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentRequest {
    /// The hub's own id.
    pub id: RequestId,
    /// The key the warehouse stores and is searched by: `BP{account}-O{orderId}`, with `-G{noteId}` behind it where a goods-out note is the request.
    /// Deterministic, never a time or a random value (docs/reliability.md).
    pub key: String,
    /// The source's order id, as people know the order.
    pub order_number: String,
    /// The customer's or shop's reference.
    pub reference: String,
    /// When the customer placed the order.
    pub placed_at: Timestamp,
    /// Wanted by, where given. A day without a time is kept as midnight UTC of that day, and is read with [`wanted_in`].
    pub deliver_on: Option<Timestamp>,
    /// Where it goes.
    pub ship_to: Address,
    /// Who pays.
    pub bill_to: Address,
    /// How it goes.
    pub ship_method: ShipMethod,
    /// The warehouse's facility, where it has several.
    pub facility: Option<String>,
    /// Words for the packer.
    pub notes: String,
    /// At least one.
    pub lines: Vec<RequestLine>,
}

/// When an order is wanted, by the clock of this zone. Midnight UTC is a day without a time, and that day begins at the zone's own
/// midnight: turned into the zone like a moment, it would be the day before everywhere west of Greenwich. It stays a moment in
/// the field itself because people may give a time of day with it.
pub fn wanted_in(wanted: Timestamp, zone: &TimeZone) -> Zoned {
    let utc = wanted.to_zoned(TimeZone::UTC).datetime();
    let day = (utc.time() == Time::midnight()).then(|| utc.date().to_zoned(zone.clone()).ok()).flatten();
    day.unwrap_or_else(|| wanted.to_zoned(zone.clone()))
}

/// Goods of one line in one box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageLine {
    /// The request's line number, where the warehouse reports it.
    pub line_number: Option<u32>,
    /// The warehouse's SKU.
    pub sku: String,
    /// What left.
    pub quantity: Decimal,
    /// Lot, where it is tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot: Option<String>,
    /// Serial numbers, where they are tracked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<String>,
}

/// One box.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Tracking number, where there is one.
    pub tracking: Option<String>,
    /// Weight in kilograms, where the warehouse says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Decimal>,
    /// What is inside; empty where the warehouse does not say (then [`Shipment::loose`] holds the goods).
    pub lines: Vec<PackageLine>,
}

/// What left the building, in the warehouse's words: the warehouse's report that all or part of a request left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The warehouse's own shipment id: its identity. Never the tracking number, which is corrected, shared or missing.
    pub reference: String,
    /// The key of the request it belongs to, as the warehouse gives it back.
    pub key: String,
    /// When it left.
    pub shipped_at: Timestamp,
    /// How it went.
    pub ship_method: ShipMethod,
    /// The boxes.
    pub packages: Vec<Package>,
    /// Goods the warehouse reports without saying in which box.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loose: Vec<PackageLine>,
    /// The warehouse says that nothing more will come for this request.
    pub is_final: bool,
    /// Lines of which the warehouse says that nothing more will come. A request is over when that, or that all has left, is so
    /// of every line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<LineRef>,
    /// All of the request that had not left before is in it, and the warehouse does not say what that is: a file with one row for
    /// each order, say. Which goods those are is worked out when it is taken in, and this is then no longer set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
    /// The warehouse gives its shipment ids order by order: [`Shipment::reference`] is the identity together with the key (x12.md
    /// §8.5). Said by a connector while it reads, and not kept.
    #[serde(skip)]
    pub within_order: bool,
    /// The line numbers in it may be the warehouse's own count (LX in X12): they are ours where each names a line of its article,
    /// and otherwise none of them is (x12.md §8.3). Said by a connector, which does not know the lines, and not kept.
    #[serde(skip)]
    pub numbers_may_be_theirs: bool,
}

/// A line of a request, as a warehouse names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineRef {
    /// The number of ours that it gives back.
    pub line_number: Option<u32>,
    /// Its article; the first open line of it where there is no number.
    pub sku: String,
}

/// No shipment weighs more, in kilograms: what is said to is a mistake of units or of typing. Brightpearl takes no more of a
/// goods-out note.
pub const HEAVIEST: Decimal = Decimal::from_parts(99_999_999, 0, 0, false, 2);

/// What was said to weigh something, if it can be true: more than nothing, and no more than [`HEAVIEST`]. Zero is what is written
/// where nobody weighed.
pub fn plausible_weight(kilograms: Decimal) -> Option<Decimal> {
    (kilograms > Decimal::ZERO && kilograms <= HEAVIEST).then_some(kilograms)
}

impl Shipment {
    /// What its boxes weigh together, in kilograms, as far as they were weighed. A weight that cannot be true tells nothing.
    pub fn weight(&self) -> Option<Decimal> {
        let weighed = self.packages.iter().filter_map(|package| plausible_weight(package.weight?));
        plausible_weight(weighed.sum())
    }

    /// Every line that left, in box order.
    pub fn lines(&self) -> impl Iterator<Item = &PackageLine> {
        self.packages.iter().flat_map(|package| package.lines.iter()).chain(self.loose.iter())
    }

    /// The tracking numbers in box order, each once.
    pub fn tracking_numbers(&self) -> Vec<&str> {
        let mut numbers: Vec<&str> = Vec::new();
        for number in self.packages.iter().filter_map(|package| package.tracking.as_deref()) {
            if !number.is_empty() && !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::wanted_in;

    #[test]
    fn a_day_is_the_same_day_everywhere_and_a_time_is_a_moment() {
        let read = |wanted: &str, zone: &str| {
            let wanted: Timestamp = wanted.parse().unwrap();
            wanted_in(wanted, &TimeZone::get(zone).unwrap()).datetime().to_string()
        };
        for zone in ["America/Chicago", "UTC", "Europe/London", "Pacific/Auckland"] {
            assert_eq!(read("2022-07-20T00:00:00Z", zone), "2022-07-20T00:00:00", "{zone}");
        }
        assert_eq!(read("2022-01-21T02:00:00Z", "America/Chicago"), "2022-01-20T20:00:00");
        assert_eq!(read("2022-07-19T23:00:00Z", "Europe/London"), "2022-07-20T00:00:00");
    }
}
