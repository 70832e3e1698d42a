//! Compares the ledgers of the two ends of the line: what the warehouse did, and what Brightpearl was told.
//!
//! The hub between them is not asked. That makes this the judge of a whole run: of a test, of a bench, of the demo.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{brightpearl::Brightpearl, dsfx, extensiv, mintsoft, shiphero};

/// Units by SKU.
pub type Units = BTreeMap<String, Decimal>;

/// An order as the warehouse has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WarehouseOrder {
    /// The number or reference it was sent under.
    pub key: String,
    /// When it came in.
    pub received_at: Timestamp,
    /// Not cancelled.
    pub live: bool,
    /// Units asked for.
    pub asked: Units,
    /// What left, oldest first.
    pub shipments: Vec<WarehouseShipment>,
}

/// A shipment as the warehouse made it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WarehouseShipment {
    /// The warehouse's id of it.
    pub reference: String,
    /// When it left.
    pub shipped_at: Timestamp,
    /// Tracking numbers, in box order.
    pub tracking: Vec<String>,
    /// Boxes.
    pub boxes: usize,
    /// Units that left.
    pub units: Units,
}

/// The orders of a file-exchange warehouse.
#[must_use]
pub fn dsfx_orders(ledger: &dsfx::Ledger) -> Vec<WarehouseOrder> {
    let shipments = |order: &dsfx::LedgerOrder| {
        order
            .shipments
            .iter()
            .map(|shipment| {
                let mut units = Units::new();
                for content in shipment.packages.iter().flat_map(|package| &package.contents) {
                    *units.entry(content.sku.clone()).or_default() += content.quantity;
                }
                WarehouseShipment {
                    reference: shipment.shipment_id.clone(),
                    shipped_at: shipment.shipped_at,
                    tracking: shipment.packages.iter().map(|package| package.tracking_number.clone()).collect(),
                    boxes: shipment.packages.len(),
                    units,
                }
            })
            .collect()
    };
    ledger
        .orders
        .values()
        .flatten()
        .map(|order| {
            let mut asked = Units::new();
            for line in &order.lines {
                *asked.entry(line.sku.clone()).or_default() += line.ordered;
            }
            WarehouseOrder {
                key: order.number.clone(),
                received_at: order.received_at,
                live: order.state != dsfx::OrderState::Cancelled,
                asked,
                shipments: shipments(order),
            }
        })
        .collect()
}

/// The orders of one customer of an Extensiv warehouse. Splits are shipments of the order they were split from.
#[must_use]
pub fn extensiv_orders(ledger: &extensiv::Ledger, customer: u64) -> Vec<WarehouseOrder> {
    let mine: Vec<&extensiv::LedgerOrder> = ledger.orders.iter().filter(|order| order.customer == customer).collect();
    mine.iter()
        .filter(|order| order.split_of.is_none())
        .map(|order| {
            let mut asked = Units::new();
            for line in &order.lines {
                *asked.entry(line.sku.clone()).or_default() += line.asked;
            }
            let parts =
                mine.iter().filter(|part| part.order_id == order.order_id || descends(&mine, part, order.order_id));
            let mut shipments: Vec<WarehouseShipment> = parts.filter_map(|part| extensiv_shipment(part)).collect();
            shipments.sort_by(|a, b| (a.shipped_at, &a.reference).cmp(&(b.shipped_at, &b.reference)));
            WarehouseOrder {
                key: order.reference.clone(),
                received_at: order.created_at,
                live: order.status != extensiv::Status::Cancelled,
                asked,
                shipments,
            }
        })
        .collect()
}

fn descends(all: &[&extensiv::LedgerOrder], part: &extensiv::LedgerOrder, ancestor: u64) -> bool {
    let mut parent = part.split_of;
    // A split of a split of a split: each step goes to an older order, so this ends.
    for _ in 0..all.len() {
        match parent {
            None => return false,
            Some(id) if id == ancestor => return true,
            Some(id) => parent = all.iter().find(|order| order.order_id == id).and_then(|order| order.split_of),
        }
    }
    false
}

fn extensiv_shipment(order: &extensiv::LedgerOrder) -> Option<WarehouseShipment> {
    let shipped_at = order.closed_at?;
    let mut units = Units::new();
    for (_, sku, quantity) in &order.shipped {
        if !quantity.is_zero() {
            *units.entry(sku.clone()).or_default() += *quantity;
        }
    }
    if units.is_empty() {
        return None;
    }
    let boxed: Vec<String> = order
        .packages
        .iter()
        .map(|package| package.tracking_number.clone())
        .filter(|number| !number.is_empty())
        .collect();
    let whole = [&order.tracking, &order.bill_of_lading].into_iter().find(|number| !number.is_empty());
    Some(WarehouseShipment {
        reference: order.order_id.to_string(),
        shipped_at,
        tracking: if boxed.is_empty() { whole.cloned().into_iter().collect() } else { boxed },
        boxes: order.packages.len(),
        units,
    })
}

/// The orders of one client of a Mintsoft warehouse. Parts are shipments of the order they were split from.
#[must_use]
pub fn mintsoft_orders(ledger: &mintsoft::Ledger, client: u64) -> Vec<WarehouseOrder> {
    let mine: Vec<&mintsoft::LedgerOrder> = ledger.orders.iter().filter(|order| order.client == client).collect();
    let whole = mine.iter().filter(|order| order.split_of.is_none());
    whole
        .map(|order| {
            let parts: Vec<&mintsoft::LedgerOrder> = mine
                .iter()
                .copied()
                .filter(|part| part.order_id == order.order_id || part.split_of == Some(order.order_id))
                .collect();
            let mut asked = Units::new();
            for (_, sku, units, _) in parts.iter().flat_map(|part| &part.lines) {
                *asked.entry(sku.clone()).or_default() += Decimal::from(*units);
            }
            let mut shipments: Vec<WarehouseShipment> =
                parts.iter().filter_map(|part| mintsoft_shipment(part)).collect();
            shipments.sort_by(|a, b| (a.shipped_at, &a.reference).cmp(&(b.shipped_at, &b.reference)));
            WarehouseOrder {
                key: order.number.clone(),
                received_at: order.created_at,
                live: parts.iter().any(|part| part.status != mintsoft::Status::Cancelled),
                asked,
                shipments,
            }
        })
        .collect()
}

fn mintsoft_shipment(order: &mintsoft::LedgerOrder) -> Option<WarehouseShipment> {
    let mut units = Units::new();
    for (_, sku, quantity) in &order.shipped {
        *units.entry(sku.clone()).or_default() += Decimal::from(*quantity);
    }
    Some(WarehouseShipment {
        reference: order.order_id.to_string(),
        shipped_at: order.despatched_at?,
        tracking: order.parcels.clone(),
        boxes: order.parcels.len(),
        units,
    })
}

/// The orders of one account of a ShipHero warehouse.
#[must_use]
pub fn shiphero_orders(ledger: &shiphero::Ledger, account: u64) -> Vec<WarehouseOrder> {
    let units = |counted: &BTreeMap<String, i64>| -> Units {
        counted.iter().map(|(sku, units)| (sku.clone(), Decimal::from(*units))).collect()
    };
    let shipment = |shipment: &shiphero::LedgerShipment| WarehouseShipment {
        reference: shipment.id.clone(),
        shipped_at: shipment.at,
        tracking: shipment.tracking.clone(),
        boxes: shipment.tracking.len(),
        units: units(&shipment.units),
    };
    let mine = ledger.orders.iter().filter(|order| order.account == account);
    mine.map(|order| WarehouseOrder {
        key: order.partner_id.clone(),
        received_at: order.created_at,
        live: order.status != shiphero::Status::Canceled,
        asked: units(&order.asked),
        shipments: order.shipments.iter().map(shipment).collect(),
    })
    .collect()
}

/// What is compared.
pub struct Terms<'a> {
    /// The Brightpearl account.
    pub account: &'a str,
    /// The orders that must be at the warehouse.
    pub expected: &'a BTreeSet<i64>,
    /// The Brightpearl order that a warehouse key belongs to.
    pub order_of: &'a dyn Fn(&str) -> Option<i64>,
    /// Units of Brightpearl's SKUs that units of the warehouse's SKUs amount to.
    pub translate: &'a dyn Fn(&Units) -> Units,
}

/// What the comparison found. Every list should be empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Audit {
    /// Orders at the warehouse, each counted once.
    pub orders: usize,
    /// Shipments the warehouse made.
    pub shipments: usize,
    /// Shipments that Brightpearl has exactly once, with the right rows and tracking.
    pub told: usize,
    /// Expected orders that are not at the warehouse.
    pub missing: Vec<i64>,
    /// Keys that are at the warehouse more than once.
    pub duplicates: Vec<String>,
    /// Orders at the warehouse that nobody expected there.
    pub unexpected: Vec<String>,
    /// Shipments that Brightpearl does not show as shipped.
    pub untold: Vec<String>,
    /// Shipped notes in Brightpearl that no shipment stands behind.
    pub invented: Vec<String>,
    /// Shipments whose note carries another reference than their tracking.
    pub wrong_tracking: Vec<String>,
    /// Unshipped notes left over on orders whose goods have all left.
    pub left_over: Vec<String>,
}

impl Audit {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems().is_empty()
    }

    /// What is wrong, one line each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |what: &str, which: Vec<String>| {
            if !which.is_empty() {
                let shown: Vec<String> = which.iter().take(5).cloned().collect();
                problems.push(format!("{} {what}: {}", which.len(), shown.join(", ")));
            }
        };
        say("orders not at the warehouse", self.missing.iter().map(i64::to_string).collect());
        say("orders at the warehouse more than once", self.duplicates.clone());
        say("orders at the warehouse that nobody expected", self.unexpected.clone());
        say("shipments Brightpearl was not told of", self.untold.clone());
        say("shipped notes without a shipment", self.invented.clone());
        say("notes with the wrong tracking", self.wrong_tracking.clone());
        say("unshipped notes left over", self.left_over.clone());
        problems
    }
}

/// Compares orders and shipments.
#[must_use]
pub fn compare(brightpearl: &Brightpearl, warehouse: &[WarehouseOrder], terms: &Terms<'_>) -> Audit {
    let mut audit = Audit::default();
    let mut by_key: BTreeMap<&str, usize> = BTreeMap::new();
    for order in warehouse.iter().filter(|order| order.live) {
        *by_key.entry(&order.key).or_default() += 1;
    }
    audit.orders = by_key.len();
    audit.duplicates = by_key.iter().filter(|(_, count)| **count > 1).map(|(key, _)| (*key).to_owned()).collect();
    let mut by_order: BTreeMap<i64, Vec<&WarehouseOrder>> = BTreeMap::new();
    for order in warehouse {
        match (terms.order_of)(&order.key) {
            Some(id) if terms.expected.contains(&id) => by_order.entry(id).or_default().push(order),
            _ if order.live => audit.unexpected.push(order.key.clone()),
            _ => {}
        }
    }
    for id in terms.expected {
        match by_order.get(id) {
            Some(orders) if orders.iter().any(|order| order.live) => {
                order_told(brightpearl, *id, orders, terms, &mut audit)
            }
            _ => audit.missing.push(*id),
        }
    }
    audit
}

/// One shipment or note in the form they are compared in.
type Told = Vec<(Units, usize)>;

fn order_told(brightpearl: &Brightpearl, id: i64, orders: &[&WarehouseOrder], terms: &Terms<'_>, audit: &mut Audit) {
    let (Ok(order), Ok(notes)) = (brightpearl.order(terms.account, id), brightpearl.notes(terms.account, id)) else {
        audit.missing.push(id);
        return;
    };
    let sku_of =
        |row: i64| order.rows.get(&row).and_then(|row| row.sku.clone()).unwrap_or_else(|| format!("row {row}"));
    let mut left: Told = Vec::new();
    let shipped: Vec<_> = notes.iter().filter(|note| note.shipped).collect();
    for (place, note) in shipped.iter().enumerate() {
        let mut units = Units::new();
        for (row, quantity) in &note.rows {
            *units.entry(sku_of(*row)).or_default() += Decimal::from(*quantity);
        }
        left.push((units, place));
    }
    for shipment in orders.iter().flat_map(|order| &order.shipments) {
        audit.shipments += 1;
        let units = (terms.translate)(&shipment.units);
        let name = format!("{id}/{}", shipment.reference);
        let first = shipment.tracking.iter().find(|number| !number.is_empty());
        let tells = |place: usize| {
            first.is_none_or(|number| {
                let number: String = number.chars().take(64).collect();
                shipped.get(place).is_some_and(|note| note.reference.contains(&number))
            })
        };
        // Two shipments may hold the same units: the one with our tracking is ours.
        let found = left
            .iter()
            .position(|(rows, place)| *rows == units && tells(*place))
            .or_else(|| left.iter().position(|(rows, _)| *rows == units));
        match found {
            None => audit.untold.push(name),
            Some(found) => {
                let (_, place) = left.remove(found);
                if tells(place) { audit.told += 1 } else { audit.wrong_tracking.push(name) }
            }
        }
    }
    audit.invented.extend(left.iter().map(|(units, _)| format!("{id}: {units:?}")));
    if order.shipping_status == "ASS" {
        audit.left_over.extend(
            notes.iter().filter(|note| !note.shipped && !note.transfer).map(|note| format!("{id}: note {}", note.id)),
        );
    }
}

/// Where the two ends differ in what is on the shelf, for the given SKUs of one warehouse: (SKU, warehouse, Brightpearl).
/// Meaningful once everything that left is told.
#[must_use]
pub fn stock_differences(
    brightpearl: &Brightpearl,
    account: &str,
    warehouse_id: i64,
    physical: &BTreeMap<String, Decimal>,
) -> Vec<(String, Decimal, Decimal)> {
    physical
        .iter()
        .filter_map(|(sku, counted)| {
            let product = brightpearl.product_id(account, sku).ok()?;
            let held = brightpearl
                .stock(account, product, warehouse_id)
                .map_or(Decimal::ZERO, |stock| Decimal::from(stock.in_stock));
            (held != *counted).then(|| (sku.clone(), *counted, held))
        })
        .collect()
}
