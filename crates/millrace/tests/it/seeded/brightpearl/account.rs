//! What a Brightpearl account holds, and its rules: what each change does, and what is refused.
//!
//! Source of a rule where none is named: the Brightpearl API documentation of the message (order-status/put,
//! goods-out-note/post, put and delete, goods-out-note event/post, stock-correction/post, order-note/post).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

/// The one warehouse that ships.
pub const WAREHOUSE: i64 = 2;
/// The default location of every warehouse with standard inventory.
pub const LOCATION: i64 = 2;
/// The API user's contact.
pub const HUB: i64 = 4;
/// A member of staff.
pub const PERSON: i64 = 203;
/// The account's statuses.
pub const NEW: i64 = 3;
pub const CANCELLED: i64 = 5;
pub const AT_WAREHOUSE: i64 = 21;
pub const PARTLY_SHIPPED: i64 = 22;
pub const SHIPPED: i64 = 23;
pub const SET_ASIDE: i64 = 30;

/// A product whose stock is kept, in the one warehouse.
#[derive(Debug, Clone)]
pub struct Product {
    pub sku: String,
    /// When the run began.
    pub initial: i64,
    pub in_stock: i64,
    /// On reservations and unshipped notes.
    pub allocated: i64,
}

impl Product {
    fn on_hand(&self) -> i64 {
        self.in_stock - self.allocated
    }
}

/// One row of an order.
#[derive(Debug, Clone)]
pub struct OrderRow {
    /// `None`: free text.
    pub product: Option<i64>,
    pub quantity: i64,
    /// The most that was ever wanted of it.
    pub most: i64,
    /// Of it, set aside and not on a note.
    pub reserved: i64,
    /// When a person lowered the quantity.
    pub lowered: Vec<Timestamp>,
    /// Every quantity there was, and since when.
    pub was: Vec<(Timestamp, i64)>,
}

impl OrderRow {
    /// The quantity at a moment.
    pub fn at(&self, moment: Timestamp) -> i64 {
        let before = self.was.iter().rev().find(|(since, _)| *since <= moment);
        before.map_or(0, |(_, quantity)| *quantity)
    }
}

/// A sales order.
#[derive(Debug, Clone)]
pub struct SalesOrder {
    pub status: i64,
    pub rows: BTreeMap<i64, OrderRow>,
    pub method: i64,
    pub placed: Timestamp,
    pub updated: Option<Timestamp>,
    pub version: i64,
    /// When a person last set its status.
    pub person_status: Option<Timestamp>,
    /// When a person last changed its rows or made a note of it.
    pub person_edit: Option<Timestamp>,
}

/// A goods-out note.
#[derive(Debug, Clone)]
pub struct Note {
    pub order: i64,
    /// Product and quantity by row.
    pub rows: BTreeMap<i64, (i64, i64)>,
    pub created_by: i64,
    pub created: Timestamp,
    pub release: String,
    pub reference: String,
    pub method: i64,
    pub boxes: Option<i64>,
    pub weight: Option<String>,
    pub shipped: Option<(Timestamp, i64)>,
    pub version: i64,
    pub sequence: usize,
}

/// A line of a stock correction as the account keeps it.
#[derive(Debug, Clone)]
pub struct Correction {
    pub note: i64,
    pub product: i64,
    pub quantity: i64,
    pub reason: String,
    pub made: Timestamp,
}

/// A note on an order.
#[derive(Debug, Clone)]
pub struct OrderNote {
    pub id: i64,
    pub order: i64,
    pub text: String,
    pub added: Timestamp,
}

/// An answer: status and body.
pub type Answer = (u16, Value);

/// A refusal in Brightpearl's own form.
pub fn refused(status: u16, code: &str, message: &str) -> Answer {
    (status, json!({"errors": [{"code": code, "message": message}]}))
}

/// What an account holds.
#[derive(Debug, Default)]
pub struct Account {
    pub products: BTreeMap<i64, Product>,
    pub orders: BTreeMap<i64, SalesOrder>,
    pub notes: BTreeMap<i64, Note>,
    /// Notes that were deleted, and when.
    pub gone: BTreeMap<i64, (Timestamp, Note)>,
    pub corrections: Vec<Correction>,
    pub order_notes: Vec<OrderNote>,
    /// Notes ever made, by order: `sequence` counts deleted ones too.
    sequences: BTreeMap<i64, usize>,
    last_id: i64,
    /// Every change of an order's status: when, order, status.
    pub statuses: Vec<(Timestamp, i64, i64)>,
    /// Whether the lines of a correction before the refused one are kept (the documentation does not say).
    pub keeps_part_of_a_batch: bool,
    /// Whether notes beyond what was ordered are taken (assumption A3 does not hold).
    pub takes_too_much: bool,
}

impl Account {
    fn id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// A sale comes in. Its goods are set aside as far as there are some, where `allocate` says so.
    pub fn place(&mut self, now: Timestamp, method: i64, lines: &[(Option<i64>, i64)], allocate: bool) -> i64 {
        let order_id = 100_000 + self.id();
        let rows = lines
            .iter()
            .map(|(product, quantity)| {
                (
                    self.id() + 5_000,
                    OrderRow {
                        product: *product,
                        quantity: *quantity,
                        most: *quantity,
                        reserved: 0,
                        lowered: Vec::new(),
                        was: vec![(now, *quantity)],
                    },
                )
            })
            .collect();
        let order = SalesOrder {
            status: NEW,
            rows,
            method,
            placed: now,
            updated: None,
            version: 0,
            person_status: None,
            person_edit: None,
        };
        self.orders.insert(order_id, order);
        if allocate {
            self.allocate(order_id);
        }
        order_id
    }

    /// Units of a row on notes, shipped ones included.
    pub fn on_notes(&self, order_id: i64, row_id: i64) -> i64 {
        let of_order = self.notes.values().filter(|note| note.order == order_id);
        of_order.filter_map(|note| note.rows.get(&row_id)).map(|(_, quantity)| quantity).sum()
    }

    /// Units of a row on shipped notes.
    pub fn shipped(&self, order_id: i64, row_id: i64) -> i64 {
        let shipped = self.notes.values().filter(|note| note.order == order_id && note.shipped.is_some());
        shipped.filter_map(|note| note.rows.get(&row_id)).map(|(_, quantity)| quantity).sum()
    }

    /// Sets goods aside for what is not on a note.
    pub fn allocate(&mut self, order_id: i64) {
        let row_ids: Vec<i64> = self.orders[&order_id].rows.keys().copied().collect();
        for row_id in row_ids {
            let noted = self.on_notes(order_id, row_id);
            let row = self.orders.get_mut(&order_id).unwrap().rows.get_mut(&row_id).unwrap();
            let Some(product) = row.product.and_then(|id| self.products.get_mut(&id)) else { continue };
            let more = (row.quantity - noted - row.reserved).clamp(0, product.on_hand().max(0));
            row.reserved += more;
            product.allocated += more;
        }
    }

    fn release(&mut self, order_id: i64) {
        for row in self.orders.get_mut(&order_id).unwrap().rows.values_mut() {
            if let Some(product) = row.product.and_then(|id| self.products.get_mut(&id)) {
                product.allocated -= row.reserved;
            }
            row.reserved = 0;
        }
    }

    fn touch(&mut self, order_id: i64, now: Timestamp) {
        let order = self.orders.get_mut(&order_id).unwrap();
        order.updated = Some(now);
        order.version += 1;
    }

    /// A person changes how much of a row is wanted; never below what is on notes.
    pub fn person_orders(&mut self, now: Timestamp, order_id: i64, row_id: i64, quantity: i64) {
        let noted = self.on_notes(order_id, row_id);
        let order = self.orders.get_mut(&order_id).unwrap();
        order.person_edit = Some(now);
        let row = order.rows.get_mut(&row_id).unwrap();
        let quantity = quantity.max(noted).max(1);
        if quantity < row.quantity {
            row.lowered.push(now);
        }
        row.quantity = quantity;
        row.was.push((now, quantity));
        row.most = row.most.max(quantity);
        let over = (row.reserved + noted - row.quantity).max(0);
        row.reserved -= over;
        if let Some(product) = row.product.and_then(|id| self.products.get_mut(&id)) {
            product.allocated -= over;
        }
        self.allocate(order_id);
        self.touch(order_id, now);
    }

    /// A person sets the order's status.
    pub fn person_sets(&mut self, now: Timestamp, order_id: i64, status: i64) -> bool {
        let done = self.set_status(now, order_id, status, "Status changed").0 == 200;
        if done {
            self.orders.get_mut(&order_id).unwrap().person_status = Some(now);
        }
        done
    }

    /// order-status/put.
    pub fn set_status(&mut self, now: Timestamp, order_id: i64, status: i64, text: &str) -> Answer {
        if !self.orders.contains_key(&order_id) {
            return refused(404, "CMNC-404", "No order found");
        }
        if ![NEW, CANCELLED, AT_WAREHOUSE, PARTLY_SHIPPED, SHIPPED, SET_ASIDE].contains(&status) {
            return refused(400, "ORDC-017", "You have supplied an invalid order status id");
        }
        if status == CANCELLED {
            if self.notes.values().any(|note| note.order == order_id) {
                return refused(400, "ORDC-018", "An order with goods-out notes can not be cancelled");
            }
            self.release(order_id);
        }
        self.orders.get_mut(&order_id).unwrap().status = status;
        self.statuses.push((now, order_id, status));
        self.touch(order_id, now);
        let id = self.id();
        self.order_notes.push(OrderNote { id, order: order_id, text: text.to_owned(), added: now });
        (200, json!({}))
    }

    /// order-note/post.
    pub fn add_note(&mut self, now: Timestamp, order_id: i64, text: &str) -> Answer {
        if !self.orders.contains_key(&order_id) {
            return refused(404, "CMNC-404", "No order found");
        }
        let id = self.id();
        self.order_notes.push(OrderNote { id, order: order_id, text: text.to_owned(), added: now });
        (200, json!({"response": id}))
    }

    /// goods-out-note/post, for one warehouse.
    pub fn make_note(
        &mut self,
        now: Timestamp,
        by: i64,
        order_id: i64,
        rows: &BTreeMap<i64, (i64, i64)>,
        method: i64,
        release: &str,
    ) -> Answer {
        let Some(order) = self.orders.get(&order_id) else { return refused(404, "CMNC-404", "No order found") };
        let mut needs: BTreeMap<i64, i64> = BTreeMap::new();
        for (row_id, (product, quantity)) in rows {
            let Some(row) = order.rows.get(row_id).filter(|row| row.product == Some(*product)) else {
                return refused(400, "WHSC-030", "The row is not one of the order");
            };
            let too_much = self.on_notes(order_id, *row_id) + quantity > row.quantity && !self.takes_too_much;
            if *quantity < 1 || too_much {
                return refused(400, "WHSC-031", "More is fulfilled than was ordered");
            }
            *needs.entry(*product).or_default() += (quantity - row.reserved).max(0);
        }
        for (product, more) in &needs {
            if self.products[product].on_hand() < *more {
                return refused(400, "WHSC-032", "There is insufficient stock");
            }
        }
        for (row_id, (product, quantity)) in rows {
            let row = self.orders.get_mut(&order_id).unwrap().rows.get_mut(row_id).unwrap();
            let taken = row.reserved.min(*quantity);
            row.reserved -= taken;
            self.products.get_mut(product).unwrap().allocated += quantity - taken;
        }
        let note_id = 12_000_000 + self.id();
        let version = self.id() + 3_000_000;
        let sequence = self.sequences.entry(order_id).or_default();
        *sequence += 1;
        let note = Note {
            order: order_id,
            rows: rows.clone(),
            created_by: by,
            created: now,
            release: release.to_owned(),
            reference: String::new(),
            method,
            boxes: None,
            weight: None,
            shipped: None,
            version,
            sequence: *sequence,
        };
        self.notes.insert(note_id, note);
        (200, json!({"response": [note_id]}))
    }

    fn open_note(&mut self, note_id: i64) -> Result<&mut Note, Answer> {
        match self.notes.get_mut(&note_id) {
            None => Err(refused(404, "CMNC-404", "No goods out note found")),
            Some(note) if note.shipped.is_some() => {
                Err(refused(409, "WHSC-040", "The goods-out note is shipped and cannot be edited"))
            }
            Some(note) => Ok(note),
        }
    }

    /// goods-out-note/put.
    pub fn update_note(&mut self, note_id: i64, shipping: &Value) -> Answer {
        let reference = shipping["reference"].as_str().unwrap_or_default();
        if reference.chars().count() > 64 {
            return refused(400, "WHSC-041", "The reference is longer than 64 characters");
        }
        let note = match self.open_note(note_id) {
            Ok(note) => note,
            Err(answer) => return answer,
        };
        note.reference = reference.to_owned();
        note.method = shipping["shippingMethodId"].as_i64().unwrap_or(0);
        note.boxes = shipping["boxes"].as_i64();
        note.weight = shipping["weight"].as_str().map(str::to_owned);
        (200, json!({}))
    }

    /// goods-out-note event/post, the shipped event.
    pub fn ship_note(&mut self, now: Timestamp, note_id: i64, by: i64, if_match: Option<i64>) -> Answer {
        let version = self.id() + 3_000_000;
        let note = match self.open_note(note_id) {
            Ok(note) => note,
            Err(answer) => return answer,
        };
        if if_match.is_some_and(|version| version != note.version) {
            return refused(412, "WHSC-042", "The goods-out note has changed since this version");
        }
        note.shipped = Some((now, by));
        note.version = version;
        for (product, quantity) in note.rows.clone().into_values() {
            let product = self.products.get_mut(&product).unwrap();
            product.in_stock -= quantity;
            product.allocated -= quantity;
        }
        (200, json!({}))
    }

    /// Any other event on an open note; it changes the version.
    pub fn touch_note(&mut self, note_id: i64) {
        let version = self.id() + 3_000_000;
        if let Ok(note) = self.open_note(note_id) {
            note.version = version;
        }
    }

    /// goods-out-note/delete. Its goods stay set aside for the order (assumption A13).
    pub fn delete_note(&mut self, now: Timestamp, order_id: i64, note_id: i64) -> Answer {
        match self.open_note(note_id) {
            Ok(note) if note.order == order_id => {}
            Ok(_) => return refused(404, "CMNC-404", "No goods out note found"),
            Err(answer) => return answer,
        }
        let note = self.notes.remove(&note_id).unwrap();
        self.gone.insert(note_id, (now, note.clone()));
        for (row_id, (product, quantity)) in note.rows {
            match self.orders.get_mut(&order_id).unwrap().rows.get_mut(&row_id) {
                Some(row) => row.reserved += quantity,
                None => self.products.get_mut(&product).unwrap().allocated -= quantity,
            }
        }
        (200, json!({"response": note_id}))
    }

    /// stock-correction/post.
    pub fn correct(&mut self, now: Timestamp, lines: &[Value]) -> Answer {
        let mut after: BTreeMap<i64, i64> = BTreeMap::new();
        let mut good = Vec::new();
        let mut refusal = None;
        for line in lines {
            let (product_id, quantity) =
                (line["productId"].as_i64().unwrap_or(0), line["quantity"].as_i64().unwrap_or(0));
            let Some(product) = self.products.get(&product_id) else {
                refusal = Some(refused(400, "WHSC-050", "The product is not stock tracked"));
                break;
            };
            let on_hand = after.entry(product_id).or_insert_with(|| product.on_hand());
            let reason = line["reason"].as_str().unwrap_or_default();
            if quantity == 0
                || reason.is_empty()
                || line["locationId"] != LOCATION
                || (quantity > 0) != line["cost"].is_object()
            {
                refusal = Some(refused(400, "WHSC-051", "The correction is not complete"));
                break;
            }
            if *on_hand + quantity < 0 {
                refusal = Some(refused(400, "WHSC-032", "There is insufficient stock"));
                break;
            }
            *on_hand += quantity;
            good.push((product_id, quantity, reason.to_owned()));
        }
        if refusal.is_some() && !self.keeps_part_of_a_batch {
            good.clear();
        }
        let mut ids = Vec::new();
        for (product, quantity, reason) in good {
            let note = self.id() + 8_000;
            self.products.get_mut(&product).unwrap().in_stock += quantity;
            self.corrections.push(Correction { note, product, quantity, reason, made: now });
            ids.push(note);
        }
        refusal.unwrap_or_else(|| (200, json!({"response": ids})))
    }

    /// K1: the figures are what came in and went out.
    pub fn balances(&self) -> Result<(), String> {
        for (id, product) in &self.products {
            let corrected: i64 =
                self.corrections.iter().filter(|line| line.product == *id).map(|line| line.quantity).sum();
            let rows = |shipped: bool| -> i64 {
                let notes = self.notes.values().filter(move |note| note.shipped.is_some() == shipped);
                notes
                    .flat_map(|note| note.rows.values())
                    .filter(|(product, _)| product == id)
                    .map(|(_, units)| units)
                    .sum()
            };
            let reserved: i64 = self
                .orders
                .values()
                .flat_map(|order| order.rows.values())
                .filter(|row| row.product == Some(*id))
                .map(|row| row.reserved)
                .sum();
            if product.in_stock != product.initial + corrected - rows(true) {
                return Err(format!("K1: product {id} has {} in stock", product.in_stock));
            }
            if product.allocated != reserved + rows(false) || product.on_hand() < 0 {
                return Err(format!("K1: product {id} has {} allocated", product.allocated));
            }
        }
        Ok(())
    }
}
