//! The warehouse itself: what may be ordered, what becomes of orders, what lies where.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ledger::Mutation;
use super::model::{Content, Label, Line, Order, Product, Shipment, Status, global, number_of};
use super::{CancelUntil, Switches};

/// The holds there are.
const HOLDS: [&str; 5] = ["payment_hold", "operator_hold", "fraud_hold", "address_hold", "client_hold"];

/// How an order leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispatch {
    /// Units by SKU; `None`: everything there is.
    pub only: Option<BTreeMap<String, i64>>,
    /// Whether the rest will never be sent.
    pub short: bool,
    /// Labels.
    pub boxes: usize,
}

impl Dispatch {
    /// Everything under one label; what is missing waits for another shipment.
    #[must_use]
    pub fn full() -> Self {
        Self { only: None, short: false, boxes: 1 }
    }
}

/// How the automatic worker works. Shares are percent of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habits {
    /// Share of which a part leaves first.
    pub split_percent: u8,
    /// Share of which a part never leaves.
    pub short_percent: u8,
    /// Share under several labels.
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
    /// It is fulfilled or cancelled.
    #[error("the order is fulfilled or cancelled")]
    NotOpen,
    /// It is on hold.
    #[error("the order is on hold")]
    OnHold,
    /// There is nothing in stock for it.
    #[error("there is nothing in stock for the order")]
    NothingThere,
}

/// Something that subscribers hear of: its webhook type, and the order and shipment, or the SKU.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub kind: &'static str,
    pub account: u64,
    pub order: u64,
    pub shipment: u64,
    pub sku: String,
}

pub(super) struct Floor {
    pub switches: Switches,
    pub parent: u64,
    pub children: Vec<(u64, String)>,
    pub products: Vec<Product>,
    pub orders: BTreeMap<u64, Order>,
    pub mutations: Vec<Mutation>,
    pub events: Vec<Event>,
    next: u64,
}

impl Floor {
    pub(super) fn new(switches: Switches, parent: u64, children: Vec<(u64, String)>) -> Self {
        let (products, orders, mutations, events) = (Vec::new(), BTreeMap::new(), Vec::new(), Vec::new());
        Self { switches, parent, children, products, orders, mutations, events, next: 500 }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The account a call is about: the one it names, else the caller's own.
    pub(super) fn account(&self, arguments: &Map<String, Value>) -> Result<u64, String> {
        match arguments.get("customer_account_id").and_then(Value::as_str) {
            None => Ok(self.parent),
            Some(id) => number_of("CustomerAccount", id)
                .filter(|id| *id == self.parent || self.children.iter().any(|(child, _)| child == id))
                .ok_or_else(|| format!("customer_account_id {id} is not one of your accounts")),
        }
    }

    pub(super) fn create(&mut self, data: &Map<String, Value>, now: Timestamp) -> Result<u64, String> {
        let account = self.account(data)?;
        let text = |fields: &Map<String, Value>, name: &str| {
            fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let object = |name: &str| data.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let address = object("shipping_address");
        let items = data.get("line_items").and_then(Value::as_array).cloned().unwrap_or_default();
        let items: Vec<Map<String, Value>> = items.iter().filter_map(|item| item.as_object().cloned()).collect();
        if items.is_empty() {
            return Err("line_items must not be empty".to_owned());
        }
        let mut lines: Vec<Line> = Vec::new();
        for item in &items {
            let (sku, partner_id) = (text(item, "sku"), text(item, "partner_line_item_id"));
            let quantity = item.get("quantity").and_then(Value::as_i64).unwrap_or_default();
            if quantity < 1 {
                return Err(format!("quantity of {sku} must be above zero"));
            }
            if lines.iter().any(|line| line.partner_id == partner_id) {
                return Err(format!("partner_line_item_id {partner_id} is used twice"));
            }
            let is_known = self.products.iter().any(|product| product.account == account && product.sku == sku);
            if !is_known && self.switches.unknown_sku_refused {
                return Err(format!("Product with sku {sku} not found"));
            }
            let (price, name) = (text(item, "price"), text(item, "product_name"));
            let id = self.next_id();
            lines.push(Line {
                id,
                sku,
                partner_id,
                quantity,
                shipped: 0,
                removed: 0,
                price,
                name,
                serials: Vec::new(),
            });
        }
        let given = object("holds");
        let mut holds: BTreeMap<String, bool> = HOLDS
            .iter()
            .map(|name| ((*name).to_owned(), given.get(*name).and_then(Value::as_bool).unwrap_or(false)))
            .collect();
        // Addresses in the United States are looked up unless the client says not to.
        let skips = data.get("skip_address_validation").and_then(Value::as_bool) == Some(true);
        if text(&address, "country_code") == "US" && !skips && text(&address, "zip").len() < 5 {
            holds.insert("address_hold".to_owned(), true);
        }
        let shipping = object("shipping_lines");
        let id = self.next_id();
        let order = Order {
            id,
            account,
            number: text(data, "order_number"),
            partner_id: text(data, "partner_order_id"),
            shop: text(data, "shop_name"),
            address,
            carrier: (text(&shipping, "carrier"), text(&shipping, "method")),
            lines,
            status: Status::Pending,
            released: (!holds.values().any(|held| *held)).then_some(now),
            holds,
            created: now,
            updated: now,
            shipments: Vec::new(),
            history: vec![(now, "created".to_owned())],
        };
        self.orders.insert(id, order);
        Ok(id)
    }

    /// An order of an account by its id.
    pub(super) fn order_of(&self, data: &Map<String, Value>, name: &str) -> Result<u64, String> {
        let id = data.get(name).and_then(Value::as_str).unwrap_or_default();
        number_of("Order", id).filter(|id| self.orders.contains_key(id)).ok_or_else(|| format!("Order {id} not found"))
    }

    pub(super) fn set_holds(&mut self, data: &Map<String, Value>, now: Timestamp) -> Result<u64, String> {
        let id = self.order_of(data, "order_id")?;
        let Some(order) = self.orders.get_mut(&id) else { return Err("Order not found".to_owned()) };
        for name in HOLDS {
            if let Some(held) = data.get(name).and_then(Value::as_bool) {
                order.holds.insert(name.to_owned(), held);
            }
        }
        if !order.is_held() {
            order.released.get_or_insert(now);
        }
        order.touch(now, "holds changed");
        Ok(id)
    }

    pub(super) fn cancel(&mut self, data: &Map<String, Value>, now: Timestamp) -> Result<u64, String> {
        let id = self.order_of(data, "order_id")?;
        let force = data.get("force").and_then(Value::as_bool) == Some(true);
        let until = self.switches.cancel_until;
        let Some(order) = self.orders.get_mut(&id) else { return Err("Order not found".to_owned()) };
        let has_left = !order.shipments.is_empty();
        match order.status {
            Status::Canceled => return Ok(id),
            Status::Fulfilled => return Err("Order is already fulfilled".to_owned()),
            Status::Pending if has_left && !force && until == CancelUntil::Labelled => {
                return Err("Order has shipping labels".to_owned());
            }
            Status::Pending => {}
        }
        self.cancel_anyway(id, "cancelled by the client", now);
        Ok(id)
    }

    pub(super) fn cancel_anyway(&mut self, id: u64, why: &str, now: Timestamp) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.status = Status::Canceled;
            order.touch(now, why);
            let account = order.account;
            self.events.push(Event { kind: "Order Canceled", account, order: id, shipment: 0, sku: String::new() });
        }
    }

    /// Units set aside for orders that have not left.
    pub(super) fn allocated(&self, account: u64, sku: &str) -> i64 {
        let open = self.orders.values().filter(|order| order.account == account && order.status == Status::Pending);
        open.flat_map(|order| &order.lines).filter(|line| line.sku == sku).map(Line::open).sum()
    }

    /// Everything open leaves, some of it in two shipments or never. Returns how many orders moved.
    pub(super) fn work(&mut self, habits: Habits, seed: u64, now: Timestamp) -> usize {
        let open = self.orders.values().filter(|order| order.status == Status::Pending && !order.is_held());
        let ids: Vec<u64> = open.map(|order| order.id).collect();
        ids.into_iter().filter(|id| self.ship(*id, &self.fate(*id, habits, seed), now).is_ok()).count()
    }

    fn fate(&self, id: u64, habits: Habits, seed: u64) -> Dispatch {
        let mut dice = StdRng::seed_from_u64(seed ^ id.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let drawn = dice.random_range(0..100_u8);
        let boxes = if dice.random_range(0..100_u8) < habits.boxes_percent { dice.random_range(2..=3) } else { 1 };
        let whole = Dispatch { boxes, ..Dispatch::full() };
        let Some(order) = self.orders.get(&id) else { return whole };
        let (split, short) = (habits.split_percent, habits.short_percent);
        if !order.shipments.is_empty() || drawn >= split.saturating_add(short) {
            return whole;
        }
        let mut half = BTreeMap::new();
        for line in &order.lines {
            *half.entry(line.sku.clone()).or_insert(0) += line.quantity;
        }
        half.values_mut().for_each(|units| *units /= 2);
        match half.values().all(|units| *units == 0) {
            true => whole,
            false => Dispatch { only: Some(half), short: drawn >= split, boxes },
        }
    }

    /// Somebody replaces the goods of a line of this SKU in a pending order by those of another: the line goes, and another one
    /// comes, which has no number of the client's.
    pub(super) fn substitute(&mut self, id: u64, sku: &str, with: &str, now: Timestamp) -> bool {
        let new = self.next_id();
        let Some(order) = self.orders.get_mut(&id).filter(|order| order.status == Status::Pending) else {
            return false;
        };
        let is_known = self.products.iter().any(|product| product.account == order.account && product.sku == with);
        let Some(place) = order.lines.iter().position(|line| is_known && line.sku == sku) else { return false };
        let gone = order.lines.remove(place);
        order.lines.push(Line { id: new, sku: with.to_owned(), partner_id: String::new(), ..gone });
        order.touch(now, "goods replaced");
        true
    }

    /// One shipment of an order. Returns its id.
    pub(super) fn ship(&mut self, id: u64, how: &Dispatch, now: Timestamp) -> Result<u64, CannotShip> {
        let order = self.orders.get(&id).ok_or(CannotShip::NoSuchOrder)?;
        if order.status != Status::Pending {
            return Err(CannotShip::NotOpen);
        }
        if order.is_held() {
            return Err(CannotShip::OnHold);
        }
        let mut order = order.clone();
        let mut only = how.only.clone();
        let labels: Vec<Label> = (0..how.boxes.max(1))
            .map(|_| {
                let id = self.next_id();
                Label { id, tracking: format!("1Z999AA1{id:010}"), voided: false }
            })
            .collect();
        let mut contents: Vec<Content> = Vec::new();
        for (place, line) in order.lines.iter_mut().enumerate() {
            let wanted = match &mut only {
                None => line.open(),
                Some(only) => {
                    let left = only.entry(line.sku.clone()).or_insert(0);
                    let units = (*left).min(line.open());
                    *left -= units;
                    units
                }
            };
            let product = self.products.iter_mut().find(|one| one.account == order.account && one.sku == line.sku);
            let Some(product) = product else { continue };
            let units = wanted.min(product.on_hand).max(0);
            if units == 0 {
                continue;
            }
            product.on_hand -= units;
            product.updated = now;
            let count = usize::try_from(units).unwrap_or(0).min(product.serials.len());
            let serials: Vec<String> = product.serials.drain(..count).collect();
            line.shipped += units;
            line.serials.extend(serials.iter().cloned());
            let label = labels.get(place % labels.len()).map_or(0, |label| label.id);
            let (lot, sku) = (product.lot.clone(), line.sku.clone());
            contents.push(Content { line: line.id, sku, units, label, lot, serials });
        }
        if contents.is_empty() {
            return Err(CannotShip::NothingThere);
        }
        if how.short {
            order.lines.iter_mut().for_each(|line| line.removed += line.open());
        }
        let used = |label: &Label| contents.iter().any(|content| content.label == label.id);
        let labels: Vec<Label> = labels.into_iter().filter(|label| used(label)).collect();
        let shipment = self.next_id();
        let skus: Vec<String> = contents.iter().map(|content| content.sku.clone()).collect();
        order.shipments.push(Shipment { id: shipment, at: now, labels, contents });
        if order.lines.iter().all(|line| line.open() == 0) {
            order.status = Status::Fulfilled;
        }
        order.touch(now, "shipped");
        let account = order.account;
        self.orders.insert(id, order);
        self.events.push(Event { kind: "Shipment Update", account, order: id, shipment, sku: String::new() });
        for sku in skus {
            self.events.push(Event { kind: "Inventory Update", account, order: 0, shipment: 0, sku });
        }
        Ok(shipment)
    }

    /// Every label of a shipment is voided, and its goods go back.
    pub(super) fn void(&mut self, shipment_id: u64, now: Timestamp) -> bool {
        let of = |order: &&mut Order| order.shipments.iter().any(|shipment| shipment.id == shipment_id);
        let moves = self.switches.voids_move_orders;
        let Some(order) = self.orders.values_mut().find(of) else { return false };
        match moves {
            true => order.touch(now, "voided"),
            false => order.history.push((now, "voided".to_owned())),
        }
        order.status = Status::Pending;
        let account = order.account;
        let Some(shipment) = order.shipments.iter_mut().find(|shipment| shipment.id == shipment_id) else {
            return false;
        };
        shipment.labels.iter_mut().for_each(|label| label.voided = true);
        for content in &shipment.contents {
            if let Some(line) = order.lines.iter_mut().find(|line| line.id == content.line) {
                line.shipped -= content.units;
            }
            if let Some(product) = self.products.iter_mut().find(|one| one.account == account && one.sku == content.sku)
            {
                product.on_hand += content.units;
                product.updated = now;
            }
        }
        true
    }
}

/// An account's id.
pub(super) fn account_id(account: u64) -> String {
    global("CustomerAccount", account)
}
