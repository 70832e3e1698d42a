//! Goods-in notes: receipts of purchase orders.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::account::{Account, Change, next, visibility};
use super::call::{Answer, Call, Refusal, Reply, decimal, field, int, text, time};
use super::idset::IdSet;
use super::stock::{Batch, Movement};

#[derive(Clone, Debug)]
pub(crate) struct GoodsIn {
    pub(crate) id: i64,
    pub(crate) order_id: i64,
    pub(crate) warehouse_id: i64,
    pub(crate) batch_reference: Option<String>,
    pub(crate) received_on: Timestamp,
    pub(crate) created_on: Timestamp,
    pub(crate) created_by: i64,
    pub(crate) lines: Vec<Received>,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) product_id: i64,
    pub(crate) row_id: i64,
    pub(crate) quantity: i64,
    pub(crate) location_id: i64,
    pub(crate) value: Decimal,
}

impl GoodsIn {
    pub(crate) fn quantity(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    let body = call.json()?;
    let found = account.order(order)?;
    if !found.is_purchase() {
        return Err(Refusal::invalid(format!("Order {order} is not a purchase order")));
    }
    let warehouse = account.known_warehouse(field(body, "warehouseId").and_then(int).unwrap_or(0))?;
    let reference = field(body, "userBatchReference").and_then(text).map(str::to_owned);
    if reference.is_some() && account.goods_in.values().any(|note| note.batch_reference == reference) {
        return Err(Refusal::invalid("The user batch reference is in use"));
    }
    let received_on = field(body, "receivedOn").and_then(text).and_then(time).unwrap_or(call.now);
    let moved = field(body, "goodsMoved").and_then(Value::as_array).filter(|moved| !moved.is_empty());
    let moved = moved.ok_or_else(|| Refusal::invalid("You have not supplied any goods"))?;
    let known = account.warehouses.get(&warehouse);
    let mut sums: BTreeMap<i64, i64> = BTreeMap::new();
    for note in account.goods_in.values().filter(|note| note.order_id == order) {
        for line in &note.lines {
            *sums.entry(line.row_id).or_insert(0) += line.quantity;
        }
    }
    let mut lines = Vec::new();
    for line in moved {
        let number = |name: &str| field(line, name).and_then(int).unwrap_or(0);
        let (product_id, row_id, quantity) = (number("productId"), number("purchaseOrderRowId"), number("quantity"));
        let location_id = number("destinationLocationId");
        let row = found.rows.get(&row_id).filter(|row| row.product_id == product_id && row.ships());
        let row = row.ok_or_else(|| Refusal::invalid(format!("Row {row_id} cannot be received")))?;
        let sum = sums.entry(row_id).or_insert(0);
        *sum += quantity;
        if quantity <= 0 || *sum > row.whole_quantity() {
            return Err(Refusal::invalid(format!("You have supplied an invalid quantity for row {row_id}")));
        }
        if !known.is_some_and(|known| known.locations.contains_key(&location_id)) {
            return Err(Refusal::invalid(format!("Location {location_id} does not exist")));
        }
        let value = line.pointer("/productValue/value").and_then(decimal).unwrap_or_default();
        lines.push(Received { product_id, row_id, quantity, location_id, value });
    }
    let id = account.receive(order, warehouse, reference, received_on, lines, call)?;
    Ok(Reply::of(id))
}

impl Account {
    fn receive(
        &mut self,
        order: i64,
        warehouse: i64,
        batch_reference: Option<String>,
        received_on: Timestamp,
        lines: Vec<Received>,
        call: &mut Call<'_>,
    ) -> Result<i64, Refusal> {
        let id = next(&mut self.next.goods_note);
        let (_, searched_from) = visibility(call);
        for line in &lines {
            let holding = self.stock.holding(line.product_id, warehouse);
            holding.figures.received += line.quantity;
            holding.batches.push(Batch {
                note_id: id,
                location_id: line.location_id,
                quantity: line.quantity,
                cost: line.value,
            });
            let movement = Movement {
                id: next(&mut self.next.movement),
                product_id: line.product_id,
                sales_row: None,
                purchase_row: Some(line.row_id),
                quantity: line.quantity,
                location_id: line.location_id,
                warehouse_id: warehouse,
                note_id: id,
                value: line.value,
                currency: self.currency.clone(),
                order_id: Some(order),
                cleared: true,
                quarantine: false,
                batch_id: id,
                code: "GI",
                at: call.now,
                searched_from,
            };
            self.stock.movements.push(movement);
            self.raise("product", "modified", Some("on-hand-modified"), line.product_id, call.now);
        }
        let note = GoodsIn {
            id,
            order_id: order,
            warehouse_id: warehouse,
            batch_reference,
            received_on,
            created_on: call.now,
            created_by: call.caller.contact_id,
            lines,
        };
        self.goods_in.insert(id, note);
        call.trace.notes.push(id);
        self.raise("goods-in-note", "created", None, id, call.now);
        self.change_order(order, Change::Fulfilment, call, |_| {})?;
        Ok(id)
    }
}

pub(crate) fn get(account: &Account, call: &Call<'_>, orders: &str, notes: Option<&str>) -> Answer {
    let orders = call.id_set(orders, Some(200))?;
    let notes = notes.map(|notes| call.id_set(notes, Some(200))).transpose()?;
    if orders == IdSet::All && notes.as_ref().is_none_or(|notes| *notes == IdSet::All) {
        return Err(Refusal::invalid("You must supply order IDs or goods in note IDs"));
    }
    let found: Map<String, Value> = account
        .goods_in
        .values()
        .filter(|note| orders.contains(note.order_id) && notes.as_ref().is_none_or(|ids| ids.contains(note.id)))
        .map(|note| (note.id.to_string(), render(account, note)))
        .collect();
    if found.is_empty() {
        let message = "No goods in notes found within range of order IDs and goods in note IDs";
        return Err(Refusal::not_found(message));
    }
    Ok(Reply::of(Value::Object(found)))
}

fn render(account: &Account, note: &GoodsIn) -> Value {
    let moved: Vec<Value> = note
        .lines
        .iter()
        .map(|line| {
            json!({
                "productId": line.product_id, "purchaseOrderRowId": line.row_id, "quantity": line.quantity,
                "warehouseId": note.warehouse_id, "destinationLocationId": line.location_id,
                "goodsNoteId": note.id, "batchGoodsNoteId": note.id,
                "productValue": { "currency": account.currency, "value": format!("{:.4}", line.value) }
            })
        })
        .collect();
    let mut out = json!({
        "goodsNoteId": note.id, "orderId": note.order_id, "transfer": false, "goodsNoteStatus": "OPEN",
        "receivedOn": account.time(note.received_on), "createdBy": note.created_by, "goodsMoved": moved
    });
    if let Some(reference) = &note.batch_reference {
        out["userBatchReference"] = json!(reference);
    }
    out
}
