//! What the people in the warehouse do: pick, edit, split, pack, close.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::floor::Floor;
use super::model::{Content, Order, Package, Status};
use super::switches::{OriginalQuantity, ShortToNothing};

/// How an order leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispatch {
    /// What leaves.
    pub quantities: Quantities,
    /// What becomes of the rest.
    pub rest: Rest,
    /// In which form.
    pub load: Load,
}

impl Dispatch {
    /// Everything that is set aside, in one box; what is missing goes into a split order.
    #[must_use]
    pub fn full() -> Self {
        Self { quantities: Quantities::Allocated, rest: Rest::Split, load: Load::Boxes(1) }
    }
}

/// What leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Quantities {
    /// Everything that is set aside for the order.
    Allocated,
    /// Units by SKU, no more than what is set aside.
    Only(BTreeMap<String, Decimal>),
}

/// What becomes of what does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// It moves to a new order whose reference has a number behind it.
    Split,
    /// The lines are edited to what leaves: nobody will send the rest.
    Short,
}

/// In which form an order leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Load {
    /// Up to this many boxes, each with its contents.
    Boxes(usize),
    /// Up to this many boxes that do not say what is inside.
    BoxesWithoutContents(usize),
    /// No boxes: a tracking number for the whole.
    Freight,
    /// No boxes and no tracking number, only a bill of lading.
    BillOfLading,
}

/// How the automatic worker works. Shares are percent of orders; what they leave is shipped in full in one box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// Share of which a part leaves first and the rest as a split order.
    pub split_percent: u8,
    /// Share closed with less than asked.
    pub short_percent: u8,
    /// Share in several boxes.
    pub boxes_percent: u8,
    /// Share that goes as freight, without boxes.
    pub freight_percent: u8,
    /// Share the warehouse cancels by itself instead of picking it.
    pub cancel_percent: u8,
}

impl Default for Habits {
    fn default() -> Self {
        Self { split_percent: 15, short_percent: 5, boxes_percent: 15, freight_percent: 5, cancel_percent: 0 }
    }
}

/// Why the warehouse cannot do what a test asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotShip {
    /// No order has this id.
    #[error("there is no such order")]
    NoSuchOrder,
    /// It is closed or cancelled.
    #[error("the order is closed or cancelled")]
    NotOpen,
    /// It was never completed: the warehouse does not see it.
    #[error("the order is deferred: complete it first")]
    Deferred,
    /// It is on hold.
    #[error("the order is on hold")]
    OnHold,
    /// There is nothing in stock for it.
    #[error("no stock is set aside for the order")]
    NothingAllocated,
}

impl Floor {
    /// Ships an order at once, from whatever stage it is in. Returns the id of the split order, if there is one.
    pub(super) fn ship(&mut self, id: u64, how: &Dispatch, now: Timestamp) -> Result<Option<u64>, CannotShip> {
        let order = self.orders.get(&id).ok_or(CannotShip::NoSuchOrder)?;
        if order.status != Status::Open {
            return Err(CannotShip::NotOpen);
        }
        if !order.complete {
            return Err(CannotShip::Deferred);
        }
        if order.hold.is_some() {
            return Err(CannotShip::OnHold);
        }
        self.allocate(id);
        let order = self.orders.get(&id).ok_or(CannotShip::NoSuchOrder)?;
        let leaving = leaving(order, &how.quantities);
        if leaving.values().all(Decimal::is_zero) {
            return Err(CannotShip::NothingAllocated);
        }
        let split = self.set_rest_apart(id, &leaving, how.rest, now);
        self.close(id, how.load, now);
        Ok(split)
    }

    /// One stage forward for every order that is in the warehouse's hands. Returns how many moved.
    pub(super) fn work(&mut self, habits: Habits, seed: u64, now: Timestamp) -> usize {
        self.allocate_waiting();
        let ids: Vec<u64> = self
            .orders
            .values()
            .filter(|order| order.status == Status::Open && order.complete && order.hold.is_none())
            .map(|order| order.id)
            .collect();
        ids.into_iter().filter(|id| self.stage(*id, habits, seed, now)).count()
    }

    fn stage(&mut self, id: u64, habits: Habits, seed: u64, now: Timestamp) -> bool {
        let Some(order) = self.orders.get_mut(&id) else {
            return false;
        };
        let fate = fate(order, habits, seed);
        if !order.pick_started {
            if fate == Fate::Cancel {
                self.cancel_anyway(id, "cancelled by the warehouse", now);
                return true;
            }
            if order.lines.iter().all(|line| line.allocated().is_zero()) {
                return false;
            }
            order.pick_started = true;
            order.touch(now, "picking started");
            self.tell(id, "OrderUpdate", "", now);
        } else if order.pick_done.is_none() {
            let quantities = match fate {
                Fate::Split | Fate::Short => half(order),
                Fate::Cancel | Fate::Ship(_) => leaving(order, &Quantities::Allocated),
            };
            let rest = if fate == Fate::Short { Rest::Short } else { Rest::Split };
            self.set_rest_apart(id, &quantities, rest, now);
            if let Some(order) = self.orders.get_mut(&id) {
                order.pick_done = Some(now);
                order.touch(now, "picked");
            }
            self.tell(id, "OrderUpdate", "", now);
        } else if order.pack_done.is_none() {
            order.pack_started = true;
            order.pack_done = Some(now);
            order.touch(now, "packed");
            self.tell(id, "OrderUpdate", "", now);
        } else {
            let load = match fate {
                Fate::Ship(load) => load,
                Fate::Split | Fate::Short | Fate::Cancel => Load::Boxes(1),
            };
            self.close(id, load, now);
        }
        true
    }

    /// Somebody replaces the goods of a line of this SKU in an open order by those of another; the line stays the line that it was.
    pub(super) fn substitute(&mut self, id: u64, sku: &str, with: &str, now: Timestamp) -> bool {
        let Some(order) = self.orders.get(&id).filter(|order| order.status == Status::Open) else { return false };
        let Some(place) = order.lines.iter().position(|line| line.sku == sku) else { return false };
        let fits = |item: &&super::model::Item| item.customer == order.customer && item.sku.eq_ignore_ascii_case(with);
        let Some(item) = self.items.values().find(fits).map(|item| item.id) else { return false };
        self.deallocate(id);
        let Some(order) = self.orders.get_mut(&id) else { return false };
        if let Some(line) = order.lines.get_mut(place) {
            (line.item, line.sku) = (item, with.to_owned());
        }
        order.touch(now, "goods replaced");
        self.allocate(id);
        self.tell(id, "OrderUpdate", "", now);
        true
    }

    /// Edits the lines down to what leaves, and moves the difference to a split order if it is to follow.
    fn set_rest_apart(&mut self, id: u64, leaving: &BTreeMap<u64, Decimal>, rest: Rest, now: Timestamp) -> Option<u64> {
        let order = self.orders.get(&id)?;
        let stays = |line: u64| leaving.get(&line).copied().unwrap_or_default();
        if order.lines.iter().all(|line| line.qty <= stays(line.id)) {
            return None;
        }
        let mut other = order.clone();
        let root = order.split_of.unwrap_or(id);
        let (customer, root_reference) = match self.orders.get(&root) {
            Some(root) => (root.customer, root.reference.clone()),
            None => (order.customer, order.reference.clone()),
        };
        self.deallocate(id);
        let keep_zero = rest == Rest::Short && self.switches.short_to_nothing == ShortToNothing::LineZero;
        let keep_original = rest == Rest::Short && self.switches.original_quantity == OriginalQuantity::Kept;
        let order = self.orders.get_mut(&id)?;
        for line in &mut order.lines {
            line.qty = stays(line.id);
            if !keep_original {
                line.shown_original = line.qty;
            }
            if rest == Rest::Split {
                line.asked = line.qty;
            }
        }
        order.lines.retain(|line| keep_zero || line.qty > Decimal::ZERO);
        order.touch(
            now,
            match rest {
                Rest::Split => "split",
                Rest::Short => "edited short",
            },
        );
        self.allocate(id);
        if rest == Rest::Short {
            self.allocate_waiting();
            return None;
        }
        let splits = self.orders.values().filter(|order| order.split_of == Some(root)).count();
        other.id = self.next_id();
        other.version = 1;
        other.reference = format!("{root_reference}-{}", splits + 2);
        other.split_of = Some(root);
        other.created = now;
        other.modified = now;
        other.pick_started = false;
        other.pick_done = None;
        other.pack_started = false;
        other.pack_done = None;
        other.history = vec![(now, format!("split from {id}"))];
        other.lines.retain_mut(|line| {
            line.qty -= stays(line.id);
            line.asked = line.qty;
            line.shown_original = line.qty;
            line.allocations.clear();
            line.qty > Decimal::ZERO
        });
        for line in &mut other.lines {
            line.id = self.next_id();
        }
        let split = other.id;
        self.index(customer, &other.reference, split);
        self.orders.insert(split, other);
        self.allocate(split);
        self.tell(split, "OrderCreate", "", now);
        Some(split)
    }

    /// Takes the goods off the shelves and closes the order.
    fn close(&mut self, id: u64, load: Load, now: Timestamp) {
        let Some(mut order) = self.orders.remove(&id) else {
            return;
        };
        let boxes = match load {
            Load::Boxes(boxes) | Load::BoxesWithoutContents(boxes) => boxes.max(1),
            Load::Freight | Load::BillOfLading => 1,
        };
        let contents = self.take_out(&mut order, boxes);
        match load {
            Load::Boxes(_) | Load::BoxesWithoutContents(_) => {
                for contents in contents {
                    let package = self.next_id();
                    order.packages.push(Package {
                        id: package,
                        tracking: format!("1Z999AA1{package:010}"),
                        number: order.packages.len() + 1,
                        created: now,
                        contents: if matches!(load, Load::Boxes(_)) { contents } else { Vec::new() },
                    });
                }
                if let Some(first) = order.packages.first() {
                    order.tracking.clone_from(&first.tracking);
                }
            }
            Load::Freight => {
                order.tracking = format!("PRO{:09}", self.next_id());
                order.bill_of_lading = format!("BOL{:09}", self.next_id());
            }
            Load::BillOfLading => order.bill_of_lading = format!("BOL{:09}", self.next_id()),
        }
        order.pick_started = true;
        order.pick_done.get_or_insert(now);
        order.status = Status::Closed;
        order.closed = Some(now);
        order.touch(now, "closed");
        self.orders.insert(id, order);
        self.tell(id, "OrderConfirm", "Shipped", now);
    }

    /// Moves what is set aside for an order from the shelves into boxes.
    fn take_out(&mut self, order: &mut Order, boxes: usize) -> Vec<Vec<Content>> {
        let mut filled = vec![Vec::new(); boxes];
        for line in &mut order.lines {
            let mut shipped = Decimal::ZERO;
            for (stock_id, units) in std::mem::take(&mut line.allocations) {
                for (at, part) in spread(units, boxes).into_iter().enumerate() {
                    let id = self.next_id();
                    let Some(stock) = self.stock.get_mut(&stock_id) else {
                        continue;
                    };
                    stock.on_hand -= part;
                    stock.allocated -= part;
                    shipped += part;
                    let serials = take_serials(&mut stock.serials, &line.serial, part);
                    order.outbound_serials.entry(line.sku.clone()).or_default().extend(serials.iter().cloned());
                    if let Some(contents) = filled.get_mut(at) {
                        contents.push(Content {
                            id,
                            line: line.id,
                            sku: line.sku.clone(),
                            stock: stock_id,
                            qty: part,
                            lot: stock.came.lot.clone(),
                            serials,
                            expiration: stock.came.expiration.clone(),
                        });
                    }
                }
            }
            if shipped > Decimal::ZERO {
                order.shipped.push((line.id, line.sku.clone(), shipped));
            }
        }
        order.outbound_serials.retain(|_, serials| !serials.is_empty());
        filled.retain(|contents| !contents.is_empty());
        filled
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Ship(Load),
    Split,
    Short,
    Cancel,
}

/// What the worker makes of an order: drawn from its id, so that it does not depend on when the worker comes by.
fn fate(order: &Order, habits: Habits, seed: u64) -> Fate {
    // The rest of an order that was split is sent whole, else it would be split for ever.
    if order.split_of.is_some() {
        return Fate::Ship(Load::Boxes(1));
    }
    let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9).wrapping_add(order.id));
    let mut drawn = rng.random_range(0..100_u16);
    let boxes = rng.random_range(2..=4);
    let shares = [
        (habits.split_percent, Fate::Split),
        (habits.short_percent, Fate::Short),
        (habits.boxes_percent, Fate::Ship(Load::Boxes(boxes))),
        (habits.freight_percent, Fate::Ship(Load::Freight)),
        (habits.cancel_percent, Fate::Cancel),
    ];
    for (share, fate) in shares {
        match drawn.checked_sub(u16::from(share)) {
            Some(left) => drawn = left,
            None => return fate,
        }
    }
    Fate::Ship(Load::Boxes(1))
}

/// Units that leave, by line.
fn leaving(order: &Order, quantities: &Quantities) -> BTreeMap<u64, Decimal> {
    let mut wanted = match quantities {
        Quantities::Allocated => BTreeMap::new(),
        Quantities::Only(units) => units.clone(),
    };
    order
        .lines
        .iter()
        .map(|line| {
            let aside = line.allocated();
            let units = match quantities {
                Quantities::Allocated => aside,
                Quantities::Only(_) => match wanted.get_mut(&line.sku) {
                    Some(wanted) => {
                        let units = aside.min(*wanted).max(Decimal::ZERO);
                        *wanted -= units;
                        units
                    }
                    None => Decimal::ZERO,
                },
            };
            (line.id, units)
        })
        .collect()
}

/// About half of what is set aside, and never nothing.
fn half(order: &Order) -> BTreeMap<u64, Decimal> {
    let halves: BTreeMap<u64, Decimal> =
        order.lines.iter().map(|line| (line.id, (line.allocated() / Decimal::TWO).floor())).collect();
    if halves.values().all(Decimal::is_zero) {
        return leaving(order, &Quantities::Allocated);
    }
    halves
}

/// Deals whole units out to boxes; a fraction goes into the first. Boxes that get nothing are at the end.
fn spread(units: Decimal, boxes: usize) -> Vec<Decimal> {
    let count = Decimal::from(boxes.max(1));
    let share = (units / count).floor();
    let mut left = units - share * count;
    (0..boxes.max(1))
        .map(|_| {
            let extra = left.min(Decimal::ONE);
            left -= extra;
            share + extra
        })
        .filter(|part| *part > Decimal::ZERO)
        .collect()
}

/// Takes one serial number per unit off the shelf, the one asked for first.
fn take_serials(shelf: &mut Vec<String>, asked: &str, units: Decimal) -> Vec<String> {
    let mut taken = Vec::new();
    let mut unit = Decimal::ONE;
    while unit <= units && !shelf.is_empty() {
        let at = shelf.iter().position(|serial| serial == asked).unwrap_or(0);
        taken.push(shelf.remove(at));
        unit += Decimal::ONE;
    }
    taken
}
