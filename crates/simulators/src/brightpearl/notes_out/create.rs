//! Making, changing and deleting goods-out notes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{Line, Note, NoteEvent};
use crate::brightpearl::account::{Account, Change, next, visibility};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, UNKNOWN_CODE, boolean, decimal, field, int, text, time};
use crate::brightpearl::switches::{
    ChangeOfShipped, DeleteOfProgressed, NoteDeleteAnswer, NotePostAnswer, NoteUpdate, OverFulfilment, ReservationUse,
    ShortStock,
};

/// What one note is asked to hold.
pub(crate) struct Wanted {
    pub(crate) warehouse: i64,
    pub(crate) release: Timestamp,
    /// Row to product and quantity.
    pub(crate) rows: BTreeMap<i64, (i64, i64)>,
}

/// What the entries checked so far will take.
#[derive(Default)]
struct Claims {
    free: BTreeMap<(i64, i64), i64>,
    reserved: BTreeMap<i64, i64>,
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    account.order(order)?;
    let body = call.json()?;
    let entries = field(body, "warehouses").and_then(Value::as_array).filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| Refusal::invalid("You have not supplied any warehouses"))?;
    let wanted = entries.iter().map(|entry| read_entry(entry, call.now)).collect::<Result<Vec<_>, _>>()?;
    let method = field(body, "shippingMethodId").and_then(int);
    let priority = field(body, "priority").map(|value| boolean(value).ok_or(())).transpose();
    let priority = priority.map_err(|()| Refusal::invalid("priority is not true or false"))?.unwrap_or(false);
    let label = field(body, "labelUri").and_then(text).filter(|label| !label.is_empty()).map(str::to_owned);
    check_label(label.as_deref())?;
    if let Some(method) = method {
        account.known_method(method)?;
    }
    let ids = account.make_notes(order, wanted, call)?;
    for id in &ids {
        if let Some(note) = account.notes.get_mut(id) {
            note.priority = priority;
            note.label_uri.clone_from(&label);
            note.method_id = method.unwrap_or(note.method_id);
        }
    }
    Ok(match (call.switches.note_post_answer, ids.first()) {
        (NotePostAnswer::Number, Some(first)) => Reply::of(*first),
        _ => Reply::of(ids),
    })
}

fn read_entry(entry: &Value, now: Timestamp) -> Result<Wanted, Refusal> {
    if field(entry, "transfer").and_then(boolean).unwrap_or(false) {
        return Err(Refusal::invalid("Transfers are made with an external transfer"));
    }
    let warehouse = field(entry, "warehouseId").and_then(int);
    let warehouse = warehouse.ok_or_else(|| Refusal::invalid("You have not supplied a warehouse id"))?;
    let release = match field(entry, "releaseDate") {
        None => now,
        Some(date) => {
            let read = text(date).and_then(time);
            read.ok_or_else(|| Refusal::invalid("releaseDate cannot be read"))?
        }
    };
    let products = field(entry, "products").and_then(Value::as_array).filter(|list| !list.is_empty());
    let products = products.ok_or_else(|| Refusal::invalid("You have not supplied any products"))?;
    let mut rows = BTreeMap::new();
    for product in products {
        let (row, quantity) = add_wanted(&mut rows, product)?;
        if quantity <= 0 {
            return Err(Refusal::invalid(format!("You have supplied an invalid quantity for row {row}")));
        }
    }
    Ok(Wanted { warehouse, release, rows })
}

/// Reads a product of a note or reservation; the same row twice adds up.
pub(crate) fn add_wanted(rows: &mut BTreeMap<i64, (i64, i64)>, product: &Value) -> Result<(i64, i64), Refusal> {
    let id = field(product, "productId").and_then(int).filter(|id| *id > 0);
    let id = id.ok_or_else(|| Refusal::bad("WHSC-014", "Product ID must be set and greater than 0"))?;
    let row = field(product, "salesOrderRowId").and_then(int);
    let row = row.ok_or_else(|| Refusal::invalid("You have not supplied a sales order row id"))?;
    let quantity = field(product, "quantity").and_then(int);
    let quantity = quantity.ok_or_else(|| Refusal::invalid("You have supplied an invalid quantity"))?;
    rows.entry(row).or_insert((id, 0)).1 += quantity;
    Ok((row, quantity))
}

fn check_label(label: Option<&str>) -> Result<(), Refusal> {
    if label.is_some_and(|label| label.chars().count() > 512) {
        return Err(Refusal::invalid("labelUri is longer than 512 characters"));
    }
    Ok(())
}

impl Account {
    /// A warehouse that exists.
    pub(crate) fn known_warehouse(&self, id: i64) -> Result<i64, Refusal> {
        if self.warehouses.contains_key(&id) {
            Ok(id)
        } else {
            Err(Refusal::invalid(format!("Warehouse {id} does not exist")))
        }
    }

    /// Checks that rows of an order can be on a note: they exist, are of the product, and are stock tracked.
    pub(crate) fn check_rows(&self, order: i64, rows: &BTreeMap<i64, (i64, i64)>) -> Result<(), Refusal> {
        let order = self.order(order)?;
        for (row, (product, _)) in rows {
            let found = order.rows.get(row).filter(|found| found.product_id == *product);
            let found = found.ok_or_else(|| {
                Refusal::invalid(format!("Row {row} with product {product} is not on order {}", order.id))
            })?;
            if !found.ships() {
                return Err(Refusal::invalid(format!("Product {product} is not stock tracked")));
            }
        }
        Ok(())
    }

    /// Makes one note per entry, all or none.
    pub(crate) fn make_notes(
        &mut self,
        order: i64,
        mut wanted: Vec<Wanted>,
        call: &mut Call<'_>,
    ) -> Result<Vec<i64>, Refusal> {
        let found = self.order(order)?;
        if found.kind != crate::brightpearl::orders::OrderType::SalesOrder {
            return Err(Refusal::invalid(format!("Order {order} is not a sales order")));
        }
        if found.status_id == self.roles.cancelled {
            return Err(Refusal::invalid(format!("Order {order} is cancelled")));
        }
        let mut noted = self.noted_quantities(found);
        let mut claims = Claims::default();
        for entry in &mut wanted {
            self.known_warehouse(entry.warehouse)?;
            self.check_rows(order, &entry.rows)?;
            self.check_quantities(order, entry, &mut noted, call)?;
            self.check_stock(order, entry, &mut claims, call)?;
        }
        let ids = wanted.into_iter().map(|entry| self.make_note(order, &entry, call)).collect();
        self.change_order(order, Change::Fulfilment, call, |_| {})?;
        Ok(ids)
    }

    fn check_quantities(
        &self,
        order: i64,
        entry: &Wanted,
        noted: &mut BTreeMap<i64, i64>,
        call: &Call<'_>,
    ) -> Result<(), Refusal> {
        let found = self.order(order)?;
        for (row, (_, quantity)) in &entry.rows {
            let ordered = found.rows.get(row).map_or(0, crate::brightpearl::orders::Row::whole_quantity);
            let sum = noted.entry(*row).or_insert(0);
            *sum += quantity;
            if *sum > ordered && call.switches.over_fulfilment == OverFulfilment::Refused {
                return Err(Refusal::invalid(format!("Row {row} has less than {quantity} left to fulfil")));
            }
        }
        Ok(())
    }

    /// Makes sure there is stock, or cuts the entry down where part success is assumed.
    fn check_stock(&self, order: i64, entry: &mut Wanted, claims: &mut Claims, call: &Call<'_>) -> Result<(), Refusal> {
        let reservation = self.reservations.get(&order).filter(|held| held.warehouse_id == entry.warehouse);
        for (row, (product, quantity)) in &mut entry.rows {
            let reserved = reservation.and_then(|held| held.rows.get(row)).map_or(0, |held| held.quantity);
            let claimed = claims.reserved.entry(*row).or_insert(0);
            let reserved = (reserved - *claimed).max(0);
            if reserved > 0 && call.switches.reservation_use == ReservationUse::MustBeRemoved {
                return Err(Refusal::invalid(format!("Row {row} has a reservation")));
            }
            *claimed += reserved.min(*quantity);
            let used = claims.free.entry((*product, entry.warehouse)).or_insert(0);
            let free = (self.stock.on_hand(*product, entry.warehouse) - *used).max(0);
            let need = (*quantity - reserved).max(0);
            if need > free {
                let status = match call.switches.short_stock_on_note {
                    ShortStock::BadRequest => 400,
                    ShortStock::Conflict => 409,
                    ShortStock::ServerError => 500,
                    ShortStock::Partial => {
                        *quantity = reserved.min(*quantity) + free;
                        *used += free;
                        continue;
                    }
                };
                return Err(Refusal::new(status, UNKNOWN_CODE, "insufficient stock"));
            }
            *used += need;
        }
        entry.rows.retain(|_, (_, quantity)| *quantity > 0);
        if entry.rows.is_empty() {
            return Err(Refusal::new(400, UNKNOWN_CODE, "insufficient stock"));
        }
        Ok(())
    }

    fn make_note(&mut self, order: i64, entry: &Wanted, call: &mut Call<'_>) -> i64 {
        let id = next(&mut self.next.goods_note);
        let mut rows = BTreeMap::new();
        for (row, (product, quantity)) in &entry.rows {
            self.absorb_reservation(order, *row, entry.warehouse, *quantity);
            let holding = self.stock.holding(*product, entry.warehouse);
            let lines: Vec<Line> = holding
                .locations_for(*quantity)
                .into_iter()
                .map(|(location_id, quantity)| Line { product_id: *product, quantity, location_id })
                .collect();
            self.stock.allocate(*product, entry.warehouse, *quantity);
            rows.insert(*row, lines);
        }
        let (read_from, searched_from) = visibility(call);
        let mut note = Note {
            id,
            order_id: order,
            warehouse_id: entry.warehouse,
            transfer: false,
            target_warehouse: None,
            transfer_id: None,
            priority: false,
            reference: String::new(),
            method_id: 0,
            boxes: None,
            weight: None,
            label_uri: None,
            release_date: entry.release,
            created_on: call.now,
            created_by: call.caller.contact_id,
            rows,
            transfer_rows: Vec::new(),
            sequence: 1,
            events: vec![NoteEvent { code: "PLA", occured: call.now, owner: call.caller.contact_id }],
            version: next(&mut self.next.event_version),
            printed: None,
            picked: None,
            packed: None,
            shipped: None,
            read_from,
            searched_from,
        };
        if let Some(order) = self.orders.get_mut(&order) {
            order.note_sequence += 1;
            note.sequence = order.note_sequence;
            note.method_id = order.shipping_method_id;
            order.notes_out.push(id);
        }
        self.notes.insert(id, note);
        self.list_uncleared(id, call);
        call.trace.changed_note(order, id);
        self.raise("goods-out-note", "created", None, id, call.now);
        id
    }

    /// A note by id, whatever its order.
    pub(crate) fn note(&self, id: i64) -> Result<&Note, Refusal> {
        self.notes.get(&id).ok_or_else(|| Refusal::not_found(format!("Cannot find goods out note: {id}")))
    }

    /// Deletes an unshipped note: its stock becomes free.
    pub(crate) fn delete_note(&mut self, id: i64, call: &mut Call<'_>) -> Result<(), Refusal> {
        let note = self.note(id)?;
        if note.shipped.is_some() {
            return Err(cannot_be_edited(400, id));
        }
        let progressed = note.printed.is_some() || note.picked.is_some() || note.packed.is_some();
        if progressed && call.switches.delete_of_progressed_note == DeleteOfProgressed::Refused {
            return Err(Refusal::invalid(format!("Goods out note {id} is printed, picked or packed")));
        }
        let Some(note) = self.notes.remove(&id) else { return Ok(()) };
        self.unlist_uncleared(id);
        for (_, line) in note.lines() {
            self.stock.release(line.product_id, note.warehouse_id, line.quantity);
        }
        call.trace.changed_note(note.order_id, id);
        self.raise("goods-out-note", "destroyed", None, id, call.now);
        if note.order_id != 0 {
            self.change_order(note.order_id, Change::Fulfilment, call, |order| {
                order.notes_out.retain(|other| *other != id);
            })?;
        }
        Ok(())
    }
}

pub(crate) fn cannot_be_edited(status: u16, id: i64) -> Refusal {
    Refusal::new(status, UNKNOWN_CODE, format!("Goods out note {id} has been shipped and cannot be edited"))
}

pub(crate) fn delete(account: &mut Account, call: &mut Call<'_>, order: i64, id: i64) -> Answer {
    if account.note(id)?.order_id != order {
        return Err(Refusal::not_found(format!("Cannot find goods out note: {id}")));
    }
    account.delete_note(id, call)?;
    Ok(match call.switches.note_delete_answer {
        NoteDeleteAnswer::Id => Reply::of(id),
        NoteDeleteAnswer::Empty => Reply::empty(),
    })
}

/// The largest weight of a note.
fn heaviest() -> Decimal {
    Decimal::new(99_999_999, 2)
}

/// Tracking, method, boxes, weight, priority, label. Whether what is not given stays is an assumption.
pub(crate) fn put(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let mut note = account.note(id)?.clone();
    let body = call.json()?;
    if note.shipped.is_some() {
        let status = match call.switches.change_of_shipped_note {
            ChangeOfShipped::BadRequest => 400,
            ChangeOfShipped::Conflict => 409,
        };
        return Err(cannot_be_edited(status, id));
    }
    if call.switches.note_update == NoteUpdate::Replaces {
        note = Note {
            priority: false,
            reference: String::new(),
            method_id: 0,
            boxes: None,
            weight: None,
            label_uri: None,
            ..note
        };
    }
    if let Some(priority) = field(body, "priority") {
        note.priority = boolean(priority).ok_or_else(|| Refusal::invalid("priority is not true or false"))?;
    }
    if let Some(label) = field(body, "labelUri").and_then(text) {
        check_label(Some(label))?;
        note.label_uri = Some(label.to_owned()).filter(|label| !label.is_empty());
    }
    if let Some(shipping) = field(body, "shipping") {
        if let Some(reference) = field(shipping, "reference") {
            let reference = text(reference).ok_or_else(|| Refusal::invalid("reference is not a text"))?;
            if reference.chars().count() > 64 {
                return Err(Refusal::invalid("The reference is longer than 64 characters"));
            }
            reference.clone_into(&mut note.reference);
        }
        if let Some(method) = field(shipping, "shippingMethodId") {
            let method = int(method).ok_or_else(|| Refusal::invalid("shippingMethodId is not an id"))?;
            note.method_id = account.known_method(method)?;
        }
        if let Some(boxes) = field(shipping, "boxes") {
            let boxes = int(boxes).filter(|boxes| *boxes >= 0);
            note.boxes = Some(boxes.ok_or_else(|| Refusal::invalid("boxes is not a number of boxes"))?);
        }
        if let Some(weight) = field(shipping, "weight") {
            let weight = decimal(weight).filter(|weight| !weight.is_sign_negative() && *weight <= heaviest());
            note.weight = Some(weight.ok_or_else(|| Refusal::invalid("The weight cannot be used"))?);
        }
    }
    call.trace.changed_note(note.order_id, id);
    account.notes.insert(id, note);
    account.raise("goods-out-note", "modified", None, id, call.now);
    Ok(Reply::empty())
}
