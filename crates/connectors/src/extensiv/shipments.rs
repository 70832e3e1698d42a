//! What left: a poll of the orders that changed.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    ConnectorError, FeedCursor, KeysAgain, Package, PackageLine, RejectedInput, RequestState, ShipMethod, Shipment,
    ShipmentPage, budget::Priority,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    Extensiv,
    client::{Purpose, parse, rql},
    orders::base_key,
    wire::{Order, OrderItem, WirePackage, filled, page, typed},
};
use crate::{
    times::{can_go_on_from, earlier, http_date, moment, overlap},
    unusable::unusable,
};

const POLL: Purpose = Purpose(Priority::Shipments, "shipments");
/// Orders a page.
const PAGE: usize = 100;
/// Where the vendor's own clocks are.
const VENDORS_ZONE: &str = "America/Los_Angeles";
/// Keys in one filter.
const KEYS_AT_ONCE: usize = 15;

/// Where the reading stands, in the service's own times: `2026-11-23T06:30:04`, and while a reading goes on over several
/// pages, `2026-11-23T06:30:04|2` for the page from that time on.
struct Place {
    from: String,
    page: usize,
    going_on: bool,
}

/// By key, the parts of an order that are not cancelled, with when each left: `None` while it is open.
type Parts = BTreeMap<String, Vec<(i64, Option<String>)>>;
/// Searches may be of different moments, but not for so long. A new reading goes further back.
const BEHIND: SignedDuration = SignedDuration::from_mins(2);

/// Whether nothing more of an order follows what left then. One order closes once; more can follow only in a part that was
/// split off it. Said by what leaves last alone, so that what was said of the others before stays true when they are read
/// again.
fn is_last(order_id: i64, left: &str, parts: &[(i64, Option<String>)]) -> bool {
    let before = |(id, other): &(i64, Option<String>)| {
        *id == order_id || other.as_deref().is_some_and(|other| (other, *id) < (left, order_id))
    };
    parts.iter().all(before)
}

impl Extensiv {
    /// The orders that changed since the cursor, oldest change first. A new reading goes ten minutes back, and further
    /// where clocks may have been put back: the times carry no zone.
    pub(super) async fn read_shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        let Some(place) = self.place(cursor).await? else {
            return Ok(ShipmentPage::default());
        };
        let customer = self.config.customer;
        let query = [
            ("detail", "All".to_owned()),
            ("itemdetail", "All".to_owned()),
            ("sort", "readOnly.lastModifiedDate".to_owned()),
            ("pgsiz", PAGE.to_string()),
            ("pgnum", place.page.to_string()),
            (
                "rql",
                format!("readOnly.customerIdentifier.id=={customer};readOnly.lastModifiedDate=ge={}", rql(&place.from)),
            ),
        ];
        let response = self.client.get(POLL, "/orders", &query).await?;
        let (total, list) = page("orders", &parse("orders", &response)?)?;
        // The service's own clock: ours may be wrong.
        let now = response.header("date").and_then(http_date);
        let mut read = ShipmentPage::default();
        let mut newest = String::new();
        let mut orders = Vec::new();
        for value in list {
            let changed = value
                .pointer("/readOnly/lastModifiedDate")
                .and_then(Value::as_str)
                .ok_or_else(|| ConnectorError::unexpected("an order came without the time of its last change"))?;
            can_go_on_from(changed, now)?;
            newest = newest.max(changed.to_owned());
            match typed::<Order>("an order", value.clone()) {
                Ok(order) => orders.push((value, order)),
                Err(error) => read.rejected.push(rejected(&value, &error.message)),
            }
        }
        let (parts, open) = self.parts_of(&orders).await?;
        for (value, order) in &orders {
            // Closed by the first search and open by the second, which is older: by that one nothing was split off yet, and what
            // left would pass for the last of the order. The next reading comes by it again.
            if order.is_closed() && open.contains(&order.read_only.order_id) && self.is_recent(value, now) {
                continue;
            }
            match self.shipment_of(order, &parts).await {
                Ok(Some(shipment)) => read.shipments.push(shipment),
                Ok(None) => read.states.extend(state_of(order)),
                Err(error) if error.is_of_asking() => return Err(error),
                Err(error) => read.rejected.push(rejected(value, &error.message)),
            }
        }
        read.more = total > place.page * PAGE;
        read.next = FeedCursor(Some(match (read.more, newest > place.from) {
            (true, true) => format!("{newest}|1"),
            // A whole page of one and the same time.
            (true, false) => format!("{}|{}", place.from, place.page + 1),
            (false, true) => newest,
            (false, false) if place.going_on => place.from,
            (false, false) => cursor.0.clone().unwrap_or(place.from),
        }));
        Ok(read)
    }

    /// Keys of the customer's orders that begin like this, are not cancelled and changed since a time. Whether times are the
    /// warehouse's or the vendor's own is not published: the earlier of the two is gone from.
    pub(super) async fn keys_since(&self, head: &str, since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        let own = TimeZone::get(VENDORS_ZONE).ok();
        let local = |zone| since.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let from = [Some(self.config.zone.clone()), own].into_iter().flatten().map(local).min().unwrap_or_default();
        let filter = format!("referenceNum=={}*;readOnly.lastModifiedDate=ge={}", rql(head), rql(&from));
        // As they came: one that makes no sense otherwise is there all the same.
        let orders = self.listed(POLL, &filter).await?;
        let is_cancelled = |order: &Value| order.pointer("/readOnly/status").and_then(Value::as_i64) == Some(2);
        let key = |order: &Value| Some(base_key(order.get("referenceNum")?.as_str()?).to_owned());
        let keys = orders.iter().filter(|order| !is_cancelled(order)).filter_map(key).collect();
        Ok(KeysAgain { keys, whole: true })
    }

    /// Where to read from; `None` when the customer has no order at all.
    async fn place(&self, cursor: &FeedCursor) -> Result<Option<Place>, ConnectorError> {
        let start = match cursor.0.as_deref() {
            Some(text) => match text.split_once('|') {
                Some((from, page)) => {
                    let page =
                        page.parse().map_err(|_| ConnectorError::unexpected(format!("{text:?} is not a cursor")))?;
                    return Ok(Some(Place { from: from.to_owned(), page, going_on: true }));
                }
                // The warehouse's zone, or the vendor's own.
                None => {
                    let zones = [Some(self.config.zone.clone()), TimeZone::get(VENDORS_ZONE).ok()];
                    earlier(text, overlap(text, &zones.into_iter().flatten().collect::<Vec<_>>()))
                }
            },
            None => match self.newest_change().await? {
                // The first reading of a connection: its own orders are not older than this.
                Some(newest) => earlier(&newest, 7.days()),
                None => return Ok(None),
            },
        };
        let from = start.ok_or_else(|| ConnectorError::unexpected("the time of the last change is not a time"))?;
        Ok(Some(Place { from, page: 1, going_on: false }))
    }

    async fn newest_change(&self) -> Result<Option<String>, ConnectorError> {
        let query = [
            ("sort", "-readOnly.lastModifiedDate".to_owned()),
            ("pgsiz", "1".to_owned()),
            ("pgnum", "1".to_owned()),
            ("rql", format!("readOnly.customerIdentifier.id=={}", self.config.customer)),
        ];
        let (_, list) = page("orders", &self.client.get_json(POLL, "/orders", &query).await?)?;
        Ok(list.first().and_then(|order| order.pointer("/readOnly/lastModifiedDate")?.as_str()).map(str::to_owned))
    }

    /// What closed orders were split into. Asked of the service, since a part may have been split off and never touched again.
    /// With them, the ids of those that are open by that.
    async fn parts_of(&self, orders: &[(Value, Order)]) -> Result<(Parts, BTreeSet<i64>), ConnectorError> {
        let keys: BTreeSet<&str> = orders
            .iter()
            .filter(|(_, order)| order.is_closed())
            .map(|(_, order)| base_key(&order.reference_num))
            .collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let (mut parts, mut open) = (Parts::new(), BTreeSet::new());
        for some in keys.chunks(KEYS_AT_ONCE) {
            for order in self.search(POLL, some, "").await?.into_iter().filter(|order| !order.is_cancelled()) {
                let left = if order.is_closed() { left_at(&order).map(str::to_owned) } else { None };
                if !order.is_closed() {
                    open.insert(order.read_only.order_id);
                }
                let key = base_key(&order.reference_num).to_owned();
                parts.entry(key).or_default().push((order.read_only.order_id, left));
            }
        }
        Ok((parts, open))
    }

    /// Whether an order changed so short a time ago that a search may not know of it yet.
    fn is_recent(&self, order: &Value, now: Option<Timestamp>) -> bool {
        let changed = order.pointer("/readOnly/lastModifiedDate").and_then(Value::as_str);
        let changed = changed.and_then(|text| moment(text, &self.config.zone).ok());
        now.zip(changed).is_some_and(|(now, changed)| now.duration_since(changed) < BEHIND)
    }

    async fn shipment_of(&self, order: &Order, parts: &Parts) -> Result<Option<Shipment>, ConnectorError> {
        if !order.is_closed() {
            return Ok(None);
        }
        let facts = &order.read_only;
        let left =
            left_at(order).ok_or_else(|| ConnectorError::unexpected("the order is closed and does not say when"))?;
        let routing = order.routing_info.clone().unwrap_or_default();
        let key = base_key(&order.reference_num).to_owned();
        let parts = parts.get(&key).map(Vec::as_slice).unwrap_or_default();
        let (packages, loose) = self.goods(order).await?;
        Ok(Some(Shipment {
            reference: facts.order_id.to_string(),
            shipped_at: moment(left, &self.config.zone)?,
            ship_method: ShipMethod {
                carrier: filled(routing.carrier.as_deref()).unwrap_or_default().to_owned(),
                service: filled(routing.mode.as_deref()).unwrap_or_default().to_owned(),
            },
            packages,
            loose,
            is_final: is_last(facts.order_id, left, parts),
            ended: Vec::new(),
            whole: false,
            within_order: false,
            numbers_may_be_theirs: false,
            key,
        }))
    }

    /// The boxes with their contents, and the goods that are in no known box.
    async fn goods(&self, order: &Order) -> Result<(Vec<Package>, Vec<PackageLine>), ConnectorError> {
        let items = order.items()?;
        let mut boxes = Vec::new();
        if self.config.package_details {
            boxes = order.read_only.packages.clone().unwrap_or_default();
            if boxes.is_empty() {
                boxes = self.packages_below(order.read_only.order_id).await?;
            }
        }
        let by_id: BTreeMap<i64, &OrderItem> = items.iter().map(|item| (item.read_only.order_item_id, item)).collect();
        let mut packages = Vec::with_capacity(boxes.len());
        for package in &boxes {
            let mut lines = Vec::new();
            for content in package.contents()? {
                let item = by_id.get(&content.order_item_id).ok_or_else(|| {
                    ConnectorError::unexpected(format!(
                        "a package holds goods of line {}, which the order does not have",
                        content.order_item_id
                    ))
                })?;
                let serials =
                    content.serial_numbers.iter().flatten().map(String::as_str).chain(content.serial_number.as_deref());
                lines.extend(line(item, content.qty, content.lot_number.as_deref(), serials));
            }
            packages.push(Package {
                tracking: filled(package.tracking_number.as_deref()).map(str::to_owned),
                // The service does not say in which unit it weighs.
                weight: None,
                lines,
            });
        }
        let loose = if packages.iter().all(|package| package.lines.is_empty()) {
            loose_goods(order, &items)
        } else {
            Vec::new()
        };
        if packages.iter().all(|package| package.tracking.is_none()) {
            let numbers = tracking_numbers(order);
            if numbers.len() == packages.len() {
                packages.iter_mut().zip(numbers).for_each(|(package, number)| package.tracking = Some(number));
            } else {
                packages
                    .extend(numbers.into_iter().map(|number| Package { tracking: Some(number), ..Package::default() }));
            }
        }
        Ok((packages, loose))
    }

    /// Some warehouses give packages only here; freight has none at all.
    async fn packages_below(&self, id: i64) -> Result<Vec<WirePackage>, ConnectorError> {
        let what = format!("/orders/{id}/packages");
        match self.client.get_json(POLL, &what, &[]).await {
            Ok(answer) => {
                let packages = answer
                    .get("_embedded")
                    .and_then(Value::as_object)
                    .and_then(|lists| {
                        lists.iter().find(|(rel, _)| rel.to_ascii_lowercase().ends_with("orders/package"))
                    })
                    .map(|(_, packages)| packages.clone());
                packages.map_or(Ok(Vec::new()), |packages| typed(&what, packages))
            }
            Err(error) if error.kind == connect::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// What stands on the lines of a closed order is what left: shorts are edited before it is closed.
fn loose_goods(order: &Order, items: &[OrderItem]) -> Vec<PackageLine> {
    let outbound = order.read_only.outbound_serial_numbers.as_deref().unwrap_or_default();
    let mut loose = Vec::new();
    for item in items {
        let sku = &item.item_identifier.sku;
        let only_line = items.iter().filter(|other| other.item_identifier.sku == *sku).count() == 1;
        // The list goes by item; with two lines of one item nobody can tell whose they are.
        let listed = outbound.iter().filter(|serials| only_line && serials.item_identifier.sku == *sku);
        let serials = listed.flat_map(|serials| serials.serial_numbers.iter().map(String::as_str));
        loose.extend(line(item, item.qty, item.lot_number.as_deref(), serials.chain(item.serial_number.as_deref())));
    }
    loose
}

/// Goods of one line; `None` when it is nothing.
fn line<'a>(
    item: &OrderItem,
    quantity: Decimal,
    lot: Option<&str>,
    serials: impl Iterator<Item = &'a str>,
) -> Option<PackageLine> {
    let mut known: Vec<String> = Vec::new();
    for serial in serials.map(str::trim).filter(|serial| !serial.is_empty()) {
        if !known.iter().any(|other| other == serial) {
            known.push(serial.to_owned());
        }
    }
    (quantity > Decimal::ZERO).then(|| PackageLine {
        line_number: filled(item.external_id.as_deref()).and_then(|number| number.parse().ok()),
        sku: item.item_identifier.sku.clone(),
        quantity,
        lot: filled(lot).map(str::to_owned),
        serials: known,
    })
}

/// Tracking numbers of an order of which no box with a number is told, best source first: the packages themselves, where what is in
/// them is not wanted; freight has a bill of lading at most.
fn tracking_numbers(order: &Order) -> Vec<String> {
    let on_packages =
        order.read_only.packages.iter().flatten().filter_map(|package| package.tracking_number.as_deref());
    let of_parcels = order.parcel_response.iter().filter_map(|parcels| parcels.tracking_numbers.as_ref()).flatten();
    let of_routing = order.routing_info.iter().filter_map(|routing| {
        filled(routing.tracking_number.as_deref()).or_else(|| filled(routing.bill_of_lading.as_deref()))
    });
    let mut numbers = each_once(on_packages);
    if numbers.is_empty() {
        numbers = each_once(of_parcels.map(String::as_str));
    }
    if numbers.is_empty() {
        numbers = each_once(of_routing);
    }
    numbers
}

fn each_once<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    for number in texts.map(str::trim).filter(|number| !number.is_empty()) {
        if !numbers.iter().any(|known| known == number) {
            numbers.push(number.to_owned());
        }
    }
    numbers
}

/// Where an order stands that has not left. A part that was split off says nothing of the whole.
fn state_of(order: &Order) -> Option<(String, RequestState)> {
    let key = base_key(&order.reference_num);
    if key != order.reference_num {
        return None;
    }
    Some((key.to_owned(), standing(order)))
}

/// Where an order stands that has not left.
pub(super) fn standing(order: &Order) -> RequestState {
    if order.is_cancelled() {
        RequestState::Cancelled
    } else if filled(order.read_only.on_hold_date.as_deref()).is_some() {
        RequestState::Held
    } else if order.is_started() || order.read_only.status != 0 {
        RequestState::Working
    } else {
        RequestState::Waiting
    }
}

/// When a closed order left, as far as the service says.
pub(super) fn left_at(order: &Order) -> Option<&str> {
    let facts = &order.read_only;
    filled(facts.process_date.as_deref())
        .or_else(|| filled(facts.ship_date.as_deref()))
        .or_else(|| filled(facts.last_modified_date.as_deref()))
}

fn rejected(order: &Value, reason: &str) -> RejectedInput {
    let id = order.pointer("/readOnly/orderId").map_or_else(|| "without a number".to_owned(), Value::to_string);
    let key = filled(order.get("referenceNum").and_then(Value::as_str)).map(|key| base_key(key).to_owned());
    unusable(format!("order {id}"), order.to_string(), reason, key)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_part_ends_the_order_and_the_others_never_will() {
        let left = |id, at: &str| (id, Some(at.to_owned()));
        let (early, late) = ("2026-11-23T06:30:00", "2026-11-23T07:30:00");
        assert!(super::is_last(1, early, &[]) && super::is_last(1, early, &[left(1, early)]));
        assert!(!super::is_last(1, early, &[left(1, early), (2, None)]), "a part is still open");
        // Read again once that has left, it is what it was.
        assert!(!super::is_last(1, early, &[left(1, early), left(2, late)]));
        assert!(super::is_last(2, late, &[left(1, early), left(2, late)]));
        // The part that was split off first may leave last, and two may leave in one second.
        assert!(super::is_last(2, late, &[left(3, early), left(2, late)]));
        assert!(super::is_last(3, early, &[left(2, early), left(3, early)]));
        assert!(!super::is_last(2, early, &[left(2, early), left(3, early)]));
    }

    #[test]
    fn what_cannot_be_used_says_whose_it_is() {
        let key = |order: serde_json::Value| super::rejected(&order, "no").key;
        assert_eq!(key(serde_json::json!({ "referenceNum": "PO4711" })).as_deref(), Some("PO4711"));
        assert_eq!(key(serde_json::json!({ "referenceNum": "BPacme-O1-2" })).as_deref(), Some("BPacme-O1"), "a part");
        assert_eq!(key(serde_json::json!({ "referenceNum": " " })), None);
        assert_eq!(key(serde_json::json!([])), None);
    }
}
