//! What the people in the warehouse do: pick, pack, despatch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::floor::{Event, Floor};
use super::model::{Scan, Status};
use super::switches::Scanned;

/// How an order leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Units by SKU; `None`: everything there is.
    pub only: Option<BTreeMap<String, i64>>,
    /// What becomes of the rest.
    pub rest: Rest,
    /// Boxes.
    pub boxes: usize,
}

impl Dispatch {
    /// Everything, in one box; what is missing goes into a part of its own.
    #[must_use]
    pub fn full() -> Self {
        Self { only: None, rest: Rest::Split, boxes: 1 }
    }
}

/// What becomes of what does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// It moves to a part of its own.
    Split,
    /// It moves to a part of its own, which is cancelled: nobody will send it.
    Cancel,
}

/// How the automatic worker works. Shares are percent of orders; what they leave is despatched in full in one box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// Share of which a part leaves first.
    pub split_percent: u8,
    /// Share of which a part never leaves.
    pub short_percent: u8,
    /// Share in several boxes.
    pub boxes_percent: u8,
}

impl Default for Habits {
    fn default() -> Self {
        Self { split_percent: 15, short_percent: 5, boxes_percent: 15 }
    }
}

/// Why the warehouse cannot do what a test asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotShip {
    /// No order has this id.
    #[error("there is no such order")]
    NoSuchOrder,
    /// It is despatched or cancelled.
    #[error("the order is despatched or cancelled")]
    NotOpen,
    /// A person has a question about it.
    #[error("the order is on hold")]
    OnHold,
    /// There is nothing in stock for it.
    #[error("there is nothing in stock for the order")]
    NothingThere,
}

impl Floor {
    /// One stage forward for every open order. Returns how many moved.
    pub(super) fn work(&mut self, habits: Habits, seed: u64, now: Timestamp) -> usize {
        let open = self.orders.values().filter(|order| order.status.is_open() && order.status != Status::QueryRaised);
        let ids: Vec<u64> = open.map(|order| order.id).collect();
        ids.into_iter().filter(|id| self.stage(*id, habits, seed, now)).count()
    }

    fn stage(&mut self, id: u64, habits: Habits, seed: u64, now: Timestamp) -> bool {
        let Some(order) = self.orders.get_mut(&id) else { return false };
        let next = match order.status {
            Status::New => Status::AwaitingPicking,
            Status::AwaitingPicking => Status::Picked,
            _ => return self.ship(id, &self.fate(id, habits, seed), now).is_ok(),
        };
        order.status = next;
        order.touch(now, next.name());
        true
    }

    fn fate(&self, id: u64, habits: Habits, seed: u64) -> Dispatch {
        let mut dice = StdRng::seed_from_u64(seed ^ id.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (split, short) = (habits.split_percent, habits.short_percent);
        let drawn = dice.random_range(0..100_u8);
        let boxes = if dice.random_range(0..100_u8) < habits.boxes_percent { dice.random_range(2..=3) } else { 1 };
        let Some(order) = self.orders.get(&id) else { return Dispatch::full() };
        // A part leaves whole, so that splitting ends.
        if order.parts > 1 || drawn >= split.saturating_add(short) {
            return Dispatch { boxes, ..Dispatch::full() };
        }
        let mut half = BTreeMap::new();
        for line in &order.lines {
            *half.entry(line.sku.clone()).or_insert(0) += line.quantity;
        }
        half.values_mut().for_each(|units| *units /= 2);
        match half.values().all(|units| *units == 0) {
            true => Dispatch { boxes, ..Dispatch::full() },
            false => Dispatch { only: Some(half), rest: if drawn < split { Rest::Split } else { Rest::Cancel }, boxes },
        }
    }

    /// Despatches an order at once, from whatever stage it is in. Returns the id of the part with the rest, if there is one.
    pub(super) fn ship(&mut self, id: u64, how: &Dispatch, now: Timestamp) -> Result<Option<u64>, CannotShip> {
        let order = self.orders.get(&id).ok_or(CannotShip::NoSuchOrder)?;
        match order.status {
            Status::QueryRaised => return Err(CannotShip::OnHold),
            status if !status.is_open() => return Err(CannotShip::NotOpen),
            _ => {}
        }
        let (warehouse, client) = (order.warehouse, order.client);
        let mut wanted = how.only.clone();
        let mut leaving = BTreeMap::new();
        let mut taken: BTreeMap<u64, i64> = BTreeMap::new();
        for line in order.lines.clone() {
            let allowed = match &mut wanted {
                None => line.quantity,
                Some(only) => {
                    let left = only.get_mut(&line.sku);
                    let units = left.as_ref().map_or(0, |left| (**left).min(line.quantity));
                    if let Some(left) = left {
                        *left -= units;
                    }
                    units
                }
            };
            let Some(product) = self.products.get(&line.product) else { continue };
            let there = self.level(product, warehouse) - taken.get(&line.product).copied().unwrap_or(0);
            let units = allowed.min(there).max(0);
            *taken.entry(line.product).or_default() += units;
            leaving.insert(line.id, units);
        }
        if leaving.values().all(|units| *units == 0) {
            return Err(CannotShip::NothingThere);
        }
        let is_short = self.orders.get(&id).is_some_and(|order| {
            order.lines.iter().any(|line| leaving.get(&line.id).copied().unwrap_or(0) < line.quantity)
        });
        let rest = if is_short { self.split(id, &leaving, now) } else { None };
        if let (Some(rest), Rest::Cancel) = (rest, how.rest) {
            self.cancel_anyway(rest, "the rest will not be sent", now);
        }
        self.pack(id, client, warehouse, how.boxes.max(1), now);
        Ok(rest)
    }

    /// Somebody replaces the goods of a line of this SKU in an open order by those of another. The line stays the line that it was,
    /// which is assumed: nothing is documented of it.
    pub(super) fn substitute(&mut self, id: u64, sku: &str, with: &str, now: Timestamp) -> bool {
        let Some(order) = self.orders.get(&id).filter(|order| order.status.is_open()) else { return false };
        let Some(product) = self.product(order.client, with).map(|product| product.id) else { return false };
        let Some(order) = self.orders.get_mut(&id) else { return false };
        let Some(line) = order.lines.iter_mut().find(|line| line.sku == sku) else { return false };
        (line.product, line.sku) = (product, with.to_owned());
        order.touch(now, "goods replaced");
        true
    }

    /// Takes the goods off the shelves and closes the order.
    fn pack(&mut self, id: u64, client: u64, warehouse: u64, boxes: usize, now: Timestamp) {
        let Some(mut order) = self.orders.remove(&id) else { return };
        let most = match self.switches.scanned {
            Scanned::Everything => usize::MAX,
            Scanned::Some => 1,
            Scanned::Nothing => 0,
        };
        let mut used = 1;
        for (place, line) in order.lines.iter().enumerate() {
            let Some(product) = self.products.get(&line.product) else { continue };
            let parts = product.parts.clone();
            let mut scans: Vec<Scan> = Vec::new();
            if parts.is_empty() {
                let mut left = line.quantity;
                for shelf in self.shelves.iter_mut() {
                    if shelf.product != line.product || shelf.warehouse != warehouse || left == 0 || shelf.units == 0 {
                        continue;
                    }
                    let units = shelf.units.min(left);
                    shelf.units -= units;
                    shelf.changed = now;
                    left -= units;
                    let scan = |units: i64, serial: String| Scan {
                        line: line.id,
                        units,
                        batch: shelf.batch.clone(),
                        serial,
                        best_before: shelf.best_before,
                        box_number: 1,
                    };
                    let count = usize::try_from(units).unwrap_or(0).min(shelf.serials.len());
                    let serials: Vec<String> = shelf.serials.drain(..count).collect();
                    let plain = units - i64::try_from(serials.len()).unwrap_or(0);
                    scans.extend(serials.into_iter().map(|serial| scan(1, serial)).collect::<Vec<_>>());
                    if plain > 0 {
                        scans.push(scan(plain, String::new()));
                    }
                }
            } else {
                for (sku, units) in parts {
                    self.take(client, &sku, warehouse, units * line.quantity, now);
                }
                let (batch, serial) = (String::new(), String::new());
                scans.push(Scan {
                    line: line.id,
                    units: line.quantity,
                    batch,
                    serial,
                    best_before: None,
                    box_number: 1,
                });
            }
            for mut scan in scans {
                scan.box_number = place % boxes + 1;
                used = used.max(scan.box_number);
                if place < most {
                    order.scans.push(scan);
                }
            }
            order.shipped.push((line.id, line.sku.clone(), line.quantity));
        }
        // No empty box leaves.
        order.parcels = (0..used).map(|_| format!("JD{:012}GB", self.next_id())).collect();
        order.status = Status::Despatched;
        order.despatched = Some(now);
        order.touch(now, "despatched");
        self.orders.insert(id, order);
        self.events.push(Event { order: id, code: "1" });
    }

    fn take(&mut self, client: u64, sku: &str, warehouse: u64, units: i64, now: Timestamp) {
        let Some(product) = self.product(client, sku).map(|product| product.id) else { return };
        let mut left = units;
        for shelf in self.shelves.iter_mut().filter(|shelf| shelf.product == product && shelf.warehouse == warehouse) {
            let taken = shelf.units.min(left);
            shelf.units -= taken;
            left -= taken;
            if taken > 0 {
                shelf.changed = now;
            }
        }
    }
}
