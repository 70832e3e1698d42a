//! Reservations: stock kept for an order before there is a note. One per order, so one warehouse.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::create::add_wanted;
use super::{Reservation, Reserved};
use crate::brightpearl::account::{Account, Change};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, UNKNOWN_CODE, field};
use crate::brightpearl::switches::{NothingToReserve, ReservationRemoval, SecondReservation};

fn read_products(call: &Call<'_>) -> Result<BTreeMap<i64, (i64, i64)>, Refusal> {
    let products = field(call.json()?, "products").and_then(Value::as_array).filter(|list| !list.is_empty());
    let products = products.ok_or_else(|| Refusal::invalid("You have not supplied any products"))?;
    let mut rows = BTreeMap::new();
    for product in products {
        let (row, quantity) = add_wanted(&mut rows, product)?;
        if quantity < 0 {
            return Err(Refusal::invalid(format!("You have supplied an invalid quantity for row {row}")));
        }
    }
    Ok(rows)
}

fn none(order: i64) -> Refusal {
    Refusal::not_found(format!("No reservation exists for order {order}"))
}

pub(crate) fn get(account: &Account, order: i64) -> Answer {
    account.order(order)?;
    let held = account.reservations.get(&order).ok_or_else(|| none(order))?;
    let rows: Map<String, Value> = held
        .rows
        .iter()
        .map(|(row, held)| (row.to_string(), json!({ "productId": held.product_id, "quantity": held.quantity })))
        .collect();
    Ok(Reply::of(json!([{ "orderId": order, "warehouseId": held.warehouse_id, "orderRows": rows }])))
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, order: i64, warehouse: i64) -> Answer {
    account.known_warehouse(warehouse)?;
    let mut rows = read_products(call)?;
    if let Some(held) = account.reservations.get(&order) {
        match call.switches.second_reservation {
            SecondReservation::Refused => {
                return Err(Refusal::invalid(format!("Order {order} already has a reservation")));
            }
            SecondReservation::Adds => {
                for (row, held) in &held.rows {
                    rows.entry(*row).or_insert((held.product_id, 0)).1 += held.quantity;
                }
            }
            SecondReservation::Replaces => {}
        }
    }
    account.reserve(order, warehouse, &rows, call)?;
    Ok(Reply::empty())
}

pub(crate) fn put(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    let rows = read_products(call)?;
    let warehouse = account.reservations.get(&order).map(|held| held.warehouse_id).ok_or_else(|| none(order))?;
    account.reserve(order, warehouse, &rows, call)?;
    Ok(Reply::empty())
}

pub(crate) fn delete(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    if call.switches.reservation_removal == ReservationRemoval::None {
        return Err(Refusal::not_found("Cannot find the resource"));
    }
    if !account.reservations.contains_key(&order) {
        return Err(none(order));
    }
    account.release_reservation(order);
    account.change_order(order, Change::Fulfilment, call, |_| {})?;
    Ok(Reply::empty())
}

impl Account {
    /// Sets the reservation of an order: as much of what is asked as there is, at least something.
    pub(crate) fn reserve(
        &mut self,
        order: i64,
        warehouse: i64,
        rows: &BTreeMap<i64, (i64, i64)>,
        call: &mut Call<'_>,
    ) -> Result<(), Refusal> {
        self.check_rows(order, rows)?;
        let found = self.order(order)?;
        let noted = self.noted_quantities(found);
        for (row, (_, quantity)) in rows {
            let ordered = found.rows.get(row).map_or(0, crate::brightpearl::orders::Row::whole_quantity);
            if quantity + noted.get(row).copied().unwrap_or(0) > ordered {
                return Err(Refusal::invalid(format!("Row {row} has less than {quantity} left to reserve")));
            }
        }
        let before = self.reservations.get(&order).cloned();
        self.release_reservation(order);
        let mut held = BTreeMap::new();
        for (row, (product, quantity)) in rows {
            let quantity = (*quantity).min(self.stock.on_hand(*product, warehouse));
            if quantity > 0 {
                self.stock.allocate(*product, warehouse, quantity);
                held.insert(*row, Reserved { product_id: *product, quantity });
            }
        }
        let asked: i64 = rows.values().map(|(_, quantity)| quantity).sum();
        if held.is_empty() && asked > 0 {
            if let Some(before) = before {
                for row in before.rows.values() {
                    self.stock.allocate(row.product_id, before.warehouse_id, row.quantity);
                }
                self.reservations.insert(order, before);
            }
            let status = match call.switches.nothing_to_reserve {
                NothingToReserve::BadRequest => 400,
                NothingToReserve::Conflict => 409,
            };
            return Err(Refusal::new(status, UNKNOWN_CODE, "insufficient stock"));
        }
        if !held.is_empty() {
            self.reservations.insert(order, Reservation { warehouse_id: warehouse, rows: held });
        }
        self.change_order(order, Change::Fulfilment, call, |_| {})
    }

    /// Frees what is reserved for an order.
    pub(crate) fn release_reservation(&mut self, order: i64) {
        let Some(held) = self.reservations.remove(&order) else { return };
        for row in held.rows.values() {
            self.stock.release(row.product_id, held.warehouse_id, row.quantity);
        }
    }

    /// Frees what is reserved for some rows of an order.
    pub(crate) fn unreserve_rows(&mut self, order: i64, rows: &[i64]) {
        let Some(held) = self.reservations.get_mut(&order) else { return };
        for row in rows {
            if let Some(reserved) = held.rows.remove(row) {
                self.stock.release(reserved.product_id, held.warehouse_id, reserved.quantity);
            }
        }
        if held.rows.is_empty() {
            self.reservations.remove(&order);
        }
    }

    /// Gives reserved stock of a row free for the note that takes it over.
    pub(crate) fn absorb_reservation(&mut self, order: i64, row: i64, warehouse: i64, quantity: i64) {
        let Some(held) = self.reservations.get_mut(&order).filter(|held| held.warehouse_id == warehouse) else {
            return;
        };
        if let Some(reserved) = held.rows.get_mut(&row) {
            let used = reserved.quantity.min(quantity);
            reserved.quantity -= used;
            self.stock.release(reserved.product_id, warehouse, used);
        }
        held.rows.retain(|_, reserved| reserved.quantity > 0);
        if held.rows.is_empty() {
            self.reservations.remove(&order);
        }
    }
}
