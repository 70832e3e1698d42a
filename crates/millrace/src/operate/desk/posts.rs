//! What a warehouse puts down: shipments and counts, each once under an id of its own.

use std::collections::BTreeSet;

use connect::{HEAVIEST, Package, PackageLine, ShipMethod, Shipment, StockFeed, StockLevel};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    super::{Failure, FailureKind, Hub, Problem, keys::Wms, quoted, webhooks},
    refuse, text,
};
use crate::db::{ChannelKind, Posted, PostedShipment};

/// What is said to have happened later than this is a mistake of a clock, or of a time zone.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// Goods that left.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipmentIn {
    /// Your own id of the shipment: posted again with the same, it counts once.
    pub id: String,
    /// The request it is of.
    pub request: String,
    /// When it left.
    #[schema(value_type = String, format = DateTime)]
    pub shipped_at: Timestamp,
    /// Carrier, in your own codes; as asked for where not given.
    #[serde(default)]
    pub carrier: String,
    /// Its service.
    #[serde(default)]
    pub service: String,
    /// The boxes.
    #[serde(default)]
    pub packages: Vec<PackageIn>,
    /// Goods of which you do not say in which box they are.
    #[serde(default)]
    pub lines: Vec<PackedIn>,
    /// Nothing more will come for the request. When everything has left that need not be said.
    #[serde(default, rename = "final")]
    pub is_final: bool,
}

/// One box.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageIn {
    /// Tracking number.
    #[serde(default)]
    pub tracking: Option<String>,
    /// Kilograms: not below zero, and all boxes together at most 999999.99. Zero counts as not weighed.
    #[serde(default, deserialize_with = "perhaps_quantity")]
    #[schema(value_type = Option<String>)]
    pub weight: Option<Decimal>,
    /// What is inside.
    #[serde(default)]
    pub lines: Vec<PackedIn>,
}

/// Goods of one SKU.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PackedIn {
    /// Line of the request, where you know it.
    #[serde(default)]
    pub line: Option<u32>,
    /// Your SKU, as in the request.
    pub sku: String,
    /// Units: a number, or text.
    #[serde(deserialize_with = "connectors::numbers::quantity")]
    #[schema(value_type = String)]
    pub quantity: Decimal,
    /// Lot, where it is tracked.
    #[serde(default)]
    pub lot: Option<String>,
    /// Serial numbers, where they are tracked.
    #[serde(default)]
    pub serials: Vec<String>,
}

/// What was taken in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TakenInOut {
    /// Your own id of it.
    pub id: String,
    /// The request it is of.
    pub request: String,
    /// Nothing more will come for the request.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// When it was taken in.
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
    /// What is odd about it. It is kept all the same: what left is a fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// What lies on the shelves.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountIn {
    /// Your own id of the count: posted again with the same, it counts once.
    pub id: String,
    /// The moment the figures speak of.
    #[schema(value_type = String, format = DateTime)]
    pub counted_at: Timestamp,
    /// A number that grows with each count, where you have one.
    #[serde(default)]
    pub sequence: Option<i64>,
    /// Whether a SKU that is not named has none. Otherwise it is as it was.
    #[serde(default)]
    pub complete: bool,
    /// The figures.
    pub levels: Vec<ShelfIn>,
}

/// The figures of one SKU in one facility: at least one of the two.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShelfIn {
    /// Your SKU.
    pub sku: String,
    /// Your facility, where you have several.
    #[serde(default)]
    pub facility: Option<String>,
    /// Everything on the shelves.
    #[serde(default, deserialize_with = "perhaps_quantity")]
    #[schema(value_type = Option<String>)]
    pub physical: Option<Decimal>,
    /// The same less what is promised to requests that you have acknowledged.
    #[serde(default, deserialize_with = "perhaps_quantity")]
    #[schema(value_type = Option<String>)]
    pub available: Option<Decimal>,
}

/// A count that was taken in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CountOut {
    /// Your own id of it.
    pub id: String,
    /// When it was taken in.
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
}

fn perhaps_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    #[derive(Deserialize)]
    struct Quantity(#[serde(deserialize_with = "connectors::numbers::quantity")] Decimal);
    Ok(Option::<Quantity>::deserialize(deserializer)?.map(|Quantity(units)| units))
}

/// Takes in what left: whether it is new, and what was taken in. Once this returns it is durable (W1).
///
/// # Errors
/// When it cannot be true, with the place in what was posted; or another shipment was posted under its id.
pub async fn post_shipment(hub: &Hub, wms: &Wms, given: ShipmentIn) -> Result<(bool, TakenInOut), Failure> {
    refuse("the shipment cannot be used", wrong_shipment(&given, hub.seams.clock.now()))?;
    let hash = hash(&given)?;
    let shipment = shipment(given);
    let (id, request) = (shipment.reference.clone(), shipment.key.clone());
    let told = |posted: PostedShipment| TakenInOut {
        id: id.clone(),
        request: request.clone(),
        is_final: posted.is_final,
        taken_at: posted.at,
        warning: posted.warning,
    };
    let (new, taken) = match hub.db.post_shipment(&wms.desk, shipment, &hash).await? {
        Posted::New(posted) => (true, told(posted)),
        Posted::Again(posted) => (false, told(posted)),
        Posted::Differs => return Err(differs("shipment", &id)),
        Posted::NoRequest => {
            let problem = Problem::new("request", "is not the name of a request that was handed out to you");
            return Err(Failure::invalid(format!("there is no request {}", quoted(&request)), vec![problem]));
        }
        Posted::Wrong(faults) => {
            let problems = faults.into_iter().map(|fault| Problem::new(fault.at, fault.why)).collect();
            refuse("the shipment cannot be of its request", problems)?;
            return Err(Failure::new(FailureKind::Internal, "a shipment was refused without a reason"));
        }
    };
    // Also for what was known: the one who took it in may have stopped before this.
    webhooks::wake_warehouse(hub, &wms.desk.scope, wms.desk.warehouse.as_str(), ChannelKind::Shipments).await?;
    Ok((new, taken))
}

/// Takes in a count: whether it is new, and what was taken in. Once this returns it is durable (W1).
///
/// # Errors
/// When it makes no sense, with the place in what was posted; or another count was posted under its id.
pub async fn post_count(hub: &Hub, wms: &Wms, given: CountIn) -> Result<(bool, CountOut), Failure> {
    refuse("the count cannot be used", wrong_count(&given, hub.seams.clock.now()))?;
    let hash = hash(&given)?;
    let id = given.id.trim().to_owned();
    let feed = StockFeed {
        reference: id.clone(),
        content_hash: hash,
        cut_off: given.counted_at,
        sequence: given.sequence,
        absent_is_zero: given.complete,
        names_all: given.complete,
        levels: given.levels.into_iter().map(level).collect(),
    };
    let (new, taken_at) = match hub.db.post_count(&wms.desk, feed).await? {
        Posted::New(at) => (true, at),
        Posted::Again(at) => (false, at),
        Posted::Differs | Posted::NoRequest | Posted::Wrong(_) => return Err(differs("count", &id)),
    };
    webhooks::wake_warehouse(hub, &wms.desk.scope, wms.desk.warehouse.as_str(), ChannelKind::Stock).await?;
    Ok((new, CountOut { id, taken_at }))
}

fn differs(what: &str, id: &str) -> Failure {
    Failure::conflict(format!("another {what} was posted under the id {} before", quoted(id)))
        .remedy("Nothing of this one is kept. Post it under an id of its own; what was posted stays as it is.")
}

/// Tells what was posted from something else: of the values, not of how they were written.
fn hash<T: Serialize>(posted: &T) -> Result<String, Failure> {
    let bytes = serde_json::to_vec(posted).map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn shipment(given: ShipmentIn) -> Shipment {
    let packages = given
        .packages
        .into_iter()
        .map(|package| Package {
            tracking: filled(package.tracking),
            weight: package.weight,
            lines: package.lines.into_iter().map(packed).collect(),
        })
        .collect();
    Shipment {
        reference: given.id.trim().to_owned(),
        key: given.request.trim().to_owned(),
        shipped_at: given.shipped_at,
        ship_method: ShipMethod { carrier: given.carrier.trim().to_owned(), service: given.service.trim().to_owned() },
        packages,
        loose: given.lines.into_iter().map(packed).collect(),
        is_final: given.is_final,
        ended: Vec::new(),
        whole: false,
        within_order: false,
        numbers_may_be_theirs: false,
    }
}

fn packed(line: PackedIn) -> PackageLine {
    let PackedIn { line, sku, quantity, lot, serials } = line;
    PackageLine { line_number: line, sku, quantity, lot: filled(lot), serials }
}

fn level(shelf: ShelfIn) -> StockLevel {
    let ShelfIn { sku, facility, physical, available } = shelf;
    StockLevel { sku, facility: filled(facility), available, physical }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// What is wrong with a shipment by itself, whatever its request.
fn wrong_shipment(given: &ShipmentIn, now: Timestamp) -> Vec<Problem> {
    let mut problems = text("id", given.id.trim(), 1, 100);
    problems.extend(text("request", given.request.trim(), 1, 200));
    problems.extend(text("carrier", &given.carrier, 0, 100));
    problems.extend(text("service", &given.service, 0, 100));
    problems.extend(ahead("shipped_at", given.shipped_at, now));
    for (place, package) in given.packages.iter().enumerate() {
        problems.extend(text(
            &format!("packages[{place}].tracking"),
            package.tracking.as_deref().unwrap_or_default(),
            0,
            200,
        ));
        if package.weight.is_some_and(|weight| weight < Decimal::ZERO || weight > HEAVIEST) {
            let words = format!(
                "must be between 0 and {HEAVIEST} kilograms; leave it out, or give 0, where the box was not weighed"
            );
            problems.push(Problem::new(format!("packages[{place}].weight"), words));
        }
        for (line, goods) in package.lines.iter().enumerate() {
            problems.extend(wrong_goods(&format!("packages[{place}].lines[{line}]"), goods));
        }
    }
    // Of what is wrong by itself the sum says nothing.
    if problems.is_empty() && given.packages.iter().filter_map(|package| package.weight).sum::<Decimal>() > HEAVIEST {
        let words = format!("weigh more than {HEAVIEST} kilograms together: are their weights in kilograms?");
        problems.push(Problem::new("packages", words));
    }
    for (line, goods) in given.lines.iter().enumerate() {
        problems.extend(wrong_goods(&format!("lines[{line}]"), goods));
    }
    problems
}

fn wrong_goods(at: &str, goods: &PackedIn) -> Vec<Problem> {
    let mut problems = text(&format!("{at}.sku"), &goods.sku, 1, 200);
    problems.extend(text(&format!("{at}.lot"), goods.lot.as_deref().unwrap_or_default(), 0, 200));
    for (place, serial) in goods.serials.iter().enumerate() {
        problems.extend(text(&format!("{at}.serials[{place}]"), serial, 1, 200));
    }
    problems
}

/// What is wrong with a count.
fn wrong_count(given: &CountIn, now: Timestamp) -> Vec<Problem> {
    let mut problems = text("id", given.id.trim(), 1, 100);
    problems.extend(ahead("counted_at", given.counted_at, now));
    if given.levels.is_empty() {
        problems.push(Problem::new("levels", "name at least one SKU"));
    }
    let mut seen = BTreeSet::new();
    for (place, shelf) in given.levels.iter().enumerate() {
        let at = format!("levels[{place}]");
        let facility = shelf.facility.as_deref().unwrap_or_default().trim();
        problems.extend(text(&format!("{at}.sku"), &shelf.sku, 1, 200));
        problems.extend(text(&format!("{at}.facility"), facility, 0, 100));
        if shelf.physical.is_none() && shelf.available.is_none() {
            problems.push(Problem::new(at.clone(), "give physical, available, or both"));
        }
        if shelf.physical.is_some_and(|units| units < Decimal::ZERO) {
            problems.push(Problem::new(format!("{at}.physical"), "must not be below zero"));
        }
        if !seen.insert((shelf.sku.as_str(), facility)) {
            problems.push(Problem::new(at, format!("{} stands there twice for one facility", quoted(&shelf.sku))));
        }
    }
    problems
}

fn ahead(at: &str, time: Timestamp, now: Timestamp) -> Option<Problem> {
    let ahead = time.duration_since(now) > AHEAD;
    ahead.then(|| Problem::new(at, format!("lies in the future; it is {now} now: check clock and time zone")))
}
