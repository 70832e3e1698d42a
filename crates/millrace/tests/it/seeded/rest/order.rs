//! Orders as they stand and as they stood, and what a run knows of the warehouse.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CUSTOMER, STRANGER};
use crate::seeded::{
    brightpearl::Change,
    random::Dice,
    run::warehouse_sku,
    warehouse::{Line, Packed},
    wire::Late,
};

/// A search knows what happened within so many seconds.
const LONGEST_LAG: i64 = 50;
/// What orders are told apart by in their tags.
const MARK: i64 = 0x5bd1_e995;

/// One line of an order.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: i64,
    pub(super) line: u32,
    pub(super) sku: String,
    pub(super) quantity: i64,
}

/// An order as it stands.
#[derive(Debug, Clone)]
pub struct Made {
    pub id: i64,
    pub(super) customer: i64,
    pub reference: String,
    /// It was split off another one.
    pub is_part: bool,
    pub(super) items: Vec<Item>,
    /// As it was asked for.
    pub(super) asked: Value,
    /// It was made held.
    pub(super) deferred: bool,
    /// Nobody works on it yet.
    pub held: bool,
    pub(super) started: bool,
    pub cancelled: bool,
    pub(super) closed: Option<Timestamp>,
    /// Tracking number, and line and units of what is in it.
    pub(super) boxes: Vec<Packed>,
    pub(super) version: i64,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
}

impl Made {
    /// Number, SKU and units of its lines.
    pub fn lines(&self) -> Vec<Line> {
        let line = |item: &Item| Line { number: item.line, sku: item.sku.clone(), asked: item.quantity, shipped: 0 };
        self.items.iter().map(line).collect()
    }

    pub(super) fn is_open(&self) -> bool {
        !self.cancelled && self.closed.is_none()
    }
}

/// What a run knows of it.
pub struct State {
    /// What happened to each order: it as it stood from then on, by its id.
    pub(super) orders: BTreeMap<i64, Vec<(Timestamp, Made)>>,
    /// Every change that arrived, in order.
    pub changes: Vec<Change>,
    /// Searches for orders that were answered in full: when, and their filter.
    pub looks: Vec<(Timestamp, String)>,
    /// What the warehouse's own staff cancelled: when, and its number.
    pub by_staff: Vec<(Timestamp, String)>,
    pub calls: u64,
    /// Times each fault happened.
    pub faults: BTreeMap<String, u64>,
    /// How often things go wrong; 0: never.
    pub strength: u64,
    /// Seconds until what happened shows in a search, at most: each search is behind by some of them.
    pub lag: i64,
    /// Physically there, by SKU.
    pub stock: BTreeMap<String, i64>,
    /// Stock is set aside for what is held, too, and not only for what was let go.
    pub sets_aside_held: bool,
    pub(super) signed_in: u64,
    /// Tokens, with the time at which each ends.
    pub(super) tokens: BTreeMap<String, Timestamp>,
    pub(super) late: Late,
    last_id: i64,
}

impl State {
    /// As it is in the beginning.
    pub(super) fn new(dice: &Dice, now: Timestamp, works_on: Duration) -> Self {
        Self {
            orders: orders_of_stranger(dice, now),
            changes: Vec::new(),
            looks: Vec::new(),
            by_staff: Vec::new(),
            calls: 0,
            faults: BTreeMap::new(),
            strength: *dice.pick(&[0, 1, 1, 2, 4]),
            lag: if dice.chance(500) { dice.between(1, LONGEST_LAG) } else { 0 },
            stock: BTreeMap::new(),
            sets_aside_held: dice.chance(500),
            signed_in: 0,
            tokens: BTreeMap::new(),
            late: Late::new(works_on),
            last_id: 206_000,
        }
    }

    pub(super) fn id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Every order of ours as it stands.
    pub fn made(&self) -> impl Iterator<Item = &Made> {
        let last = self.orders.values().filter_map(|history| history.last());
        last.map(|(_, made)| made).filter(|made| made.customer == CUSTOMER)
    }

    /// Units that open orders ask for and that stock is set aside for, as far as it reaches.
    pub(super) fn asked(&self, sku: &str) -> i64 {
        let open = self.made().filter(|made| made.is_open() && (self.sets_aside_held || !made.held));
        open.flat_map(|made| &made.items).filter(|item| item.sku == sku).map(|item| item.quantity).sum()
    }

    /// Units that are set aside for open orders: what is there and not among these is available.
    pub fn committed(&self, sku: &str) -> i64 {
        let there = self.stock.get(sku).copied().unwrap_or(0);
        self.asked(sku).min(there).max(0)
    }

    pub(super) fn order(&self, id: i64) -> Option<&Made> {
        Some(&self.orders.get(&id)?.last()?.1)
    }

    /// Every order as it stood then, those of other customers included.
    pub(super) fn known(&self, then: Timestamp) -> impl Iterator<Item = &Made> {
        self.orders
            .values()
            .filter_map(move |history| history.iter().rev().find(|(at, _)| *at <= then).map(|(_, made)| made))
    }

    /// Changes an order.
    pub(super) fn touch(&mut self, now: Timestamp, id: i64, change: impl FnOnce(&mut Made)) {
        let Some(mut made) = self.order(id).cloned() else { return };
        change(&mut made);
        made.version += 1;
        made.modified = now;
        self.orders.entry(id).or_default().push((now, made));
    }
}

/// The tag of an order at a version.
pub(super) fn tag(id: i64, version: i64) -> String {
    format!("\"{:x}-{version}\"", id ^ MARK)
}

/// The version of an order that a tag names; -1: none of its own. The weak form is as good.
pub(super) fn version_in(text: &str, id: i64) -> i64 {
    let bare = text.strip_prefix("W/").unwrap_or(text);
    let version = bare.strip_suffix('"').and_then(|bare| bare.rsplit_once('-')?.1.parse::<i64>().ok());
    version.filter(|version| tag(id, *version) == bare).unwrap_or(-1)
}

/// Orders of another customer, some open, some shipped, some cancelled. Numbers are each customer's own: some are those that ours
/// have, too.
fn orders_of_stranger(dice: &Dice, now: Timestamp) -> BTreeMap<i64, Vec<(Timestamp, Made)>> {
    let mut orders = BTreeMap::new();
    for place in 0..dice.between(3, 10) {
        let id = 150_000 + place * 10;
        let at = now - SignedDuration::from_mins(dice.between(60, 3 * 24 * 60));
        let reference =
            if place % 2 == 0 { format!("BPacme-O{}", 100_001 + place / 2) } else { format!("OTHER-X{place}") };
        let sku = warehouse_sku(1001);
        let packed: Packed = (format!("1Z999ZZ9{place:08}"), vec![(1, sku.clone(), 3)]);
        let is_closed = place % 3 == 0;
        let made = Made {
            id,
            customer: STRANGER,
            reference,
            is_part: false,
            items: vec![Item { id: id + 1, line: 1, sku, quantity: 3 }],
            asked: json!({"shipTo": {"name": "SOMEBODY ELSE", "city": "Leeds", "country": "GB"}}),
            deferred: true,
            held: false,
            started: is_closed,
            cancelled: place % 3 == 1,
            closed: is_closed.then_some(at),
            boxes: if is_closed { vec![packed] } else { Vec::new() },
            version: 3,
            created: at,
            modified: at,
        };
        orders.insert(id, vec![(at, made)]);
    }
    orders
}
