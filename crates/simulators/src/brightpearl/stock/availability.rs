//! What is in stock and what can be sold.

use serde_json::{Map, Value, json};

use super::Holding;
use crate::brightpearl::account::Account;
use crate::brightpearl::call::{Answer, Call, Refusal, Reply};
use crate::brightpearl::switches::{AvailabilityCap, NonStockAvailability, UnknownAvailability};

pub(crate) fn get(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let ids = ids.ok_or_else(|| {
        Refusal::bad("WHSC-020", "You must specify at least one product Id when performing an availability check")
    })?;
    let cap = match call.switches.availability_cap {
        AvailabilityCap::TwoHundred => Some(200),
        AvailabilityCap::FiveHundred => Some(500),
        AvailabilityCap::Unlimited => None,
    };
    let set = call.id_set(ids, cap)?;
    let present = set.present_in(&account.products);
    if call.switches.unknown_availability != UnknownAvailability::Absent && (present.len() as u64) < set.size() {
        let status = if call.switches.unknown_availability == UnknownAvailability::NotFound { 404 } else { 400 };
        return Err(Refusal::new(status, "CMNC-404", "A product does not exist"));
    }
    let mut out = Map::new();
    let mut untracked = 0_usize;
    for id in &present {
        if !account.products.get(id).is_some_and(|product| product.stock_tracked) {
            untracked += 1;
            continue;
        }
        if let Some(entry) = entry(account, call, *id) {
            out.insert(id.to_string(), entry);
        }
    }
    if untracked > 0 && call.switches.non_stock_availability == NonStockAvailability::Refused {
        let message = if untracked == 1 {
            "This is a non stock tracked product."
        } else {
            "These are non stock tracked products."
        };
        return Err(Refusal::bad("WHSC-097", message));
    }
    Ok(Reply::of(Value::Object(out)))
}

fn figures(in_stock: i64, allocated: i64, in_transit: i64) -> Value {
    json!({
        "inStock": in_stock, "onHand": in_stock - allocated, "allocated": allocated, "inTransit": in_transit
    })
}

/// One product; `None` where it is out of stock everywhere.
fn entry(account: &Account, call: &Call<'_>, product: i64) -> Option<Value> {
    let mut warehouses = Map::new();
    let (mut in_stock, mut allocated, mut in_transit) = (0, 0, 0);
    for (warehouse, held) in account.stock.of_product(product) {
        if held.in_stock() == 0 && held.in_quarantine() == 0 {
            continue;
        }
        in_stock += held.in_stock();
        allocated += held.allocated;
        in_transit += held.in_quarantine();
        let mut shown = figures(held.in_stock(), held.allocated, held.in_quarantine());
        if call.includes("breakDownByLocation") {
            shown["byLocation"] = by_location(held);
        }
        warehouses.insert(warehouse.to_string(), shown);
    }
    if warehouses.is_empty() {
        return None;
    }
    let mut out = json!({ "total": figures(in_stock, allocated, in_transit), "warehouses": warehouses });
    // The shapes of the following sections are an assumption.
    if call.includes("allocatedOrders") {
        out["allocatedOrders"] = allocated_orders(account, product);
    }
    if call.includes("allocatedTransfers") {
        let transfers: Vec<Value> = account
            .notes
            .values()
            .filter(|note| note.transfer && note.shipped.is_none())
            .flat_map(|note| note.transfer_rows.iter().map(move |line| (note.id, line)))
            .filter(|(_, line)| line.product_id == product)
            .map(|(note, line)| json!({ "goodsNoteId": note, "quantity": line.quantity }))
            .collect();
        out["allocatedTransfers"] = Value::from(transfers);
    }
    if call.includes("onOrder") {
        let ordered: i64 = account
            .orders
            .values()
            .filter(|order| order.is_purchase() && order.stock_status != "POA")
            .flat_map(|order| order.rows.values())
            .filter(|row| row.product_id == product)
            .map(crate::brightpearl::orders::Row::whole_quantity)
            .sum();
        out["onOrder"] = json!(ordered);
    }
    Some(out)
}

/// On-hand figures follow the locations oldest batch first; allocation is kept per warehouse.
fn by_location(held: &Holding) -> Value {
    let mut locations: Map<String, Value> = Map::new();
    let mut allocated = held.allocated;
    let mut ids: Vec<i64> = held.batches.iter().map(|batch| batch.location_id).collect();
    ids.dedup();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let in_stock = held.in_location(id);
        let taken = in_stock.min(allocated);
        allocated -= taken;
        locations.insert(id.to_string(), figures(in_stock, taken, 0));
    }
    Value::Object(locations)
}

fn allocated_orders(account: &Account, product: i64) -> Value {
    let mut orders: std::collections::BTreeMap<i64, i64> = std::collections::BTreeMap::new();
    for note in account.notes.values().filter(|note| note.shipped.is_none() && !note.transfer) {
        let on_note: i64 =
            note.rows.values().flatten().filter(|line| line.product_id == product).map(|line| line.quantity).sum();
        *orders.entry(note.order_id).or_insert(0) += on_note;
    }
    for (order, reservation) in &account.reservations {
        let reserved: i64 =
            reservation.rows.values().filter(|row| row.product_id == product).map(|row| row.quantity).sum();
        *orders.entry(*order).or_insert(0) += reserved;
    }
    let list: Vec<Value> = orders
        .into_iter()
        .filter(|(_, quantity)| *quantity > 0)
        .map(|(order, quantity)| json!({ "orderId": order, "quantity": quantity }))
        .collect();
    Value::from(list)
}

/// Complete bundles that the components on hand make, by warehouse.
pub(crate) fn bundle(account: &Account, id: i64) -> Answer {
    let product = account.products.get(&id).filter(|product| !product.components.is_empty());
    let product = product.ok_or_else(|| Refusal::not_found(format!("Cannot find bundle {id}")))?;
    let mut warehouses = Map::new();
    let mut total = 0;
    for warehouse in account.warehouses.keys() {
        let complete = product
            .components
            .iter()
            .map(|(component, count)| account.stock.on_hand(*component, *warehouse) / (*count).max(1))
            .min()
            .unwrap_or(0);
        if complete > 0 {
            total += complete;
            warehouses.insert(warehouse.to_string(), json!({ "onHand": complete }));
        }
    }
    Ok(Reply::of(json!({ id.to_string(): { "total": { "onHand": total }, "warehouses": warehouses } })))
}
