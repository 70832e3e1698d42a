//! Transfers between warehouses: goods-out notes without an order.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Line, Note, NoteEvent};
use crate::brightpearl::account::{Account, next, visibility};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, UNKNOWN_CODE, field, int, text, time};
use crate::brightpearl::stock::{Batch, Movement};
use crate::brightpearl::switches::MovementCodes;

pub(crate) fn post_head(account: &mut Account, call: &mut Call<'_>, source: i64) -> Answer {
    account.known_warehouse(source)?;
    let body = call.json()?;
    let target = field(body, "targetWarehouseId").and_then(int).unwrap_or(0);
    account.known_warehouse(target)?;
    let reference = field(body, "reference").and_then(text).unwrap_or_default().to_owned();
    if !reference.is_empty() && account.transfers.values().any(|known| *known == reference) {
        return Err(Refusal::invalid(format!("The reference {reference} is in use")));
    }
    let id = next(&mut account.next.other);
    account.transfers.insert(id, reference);
    call.trace.took_effect = true;
    Ok(Reply::of(id))
}

pub(crate) fn post_external(account: &mut Account, call: &mut Call<'_>, source: i64) -> Answer {
    account.known_warehouse(source)?;
    let body = call.json()?;
    let target = field(body, "targetWarehouseId").and_then(int).unwrap_or(0);
    account.known_warehouse(target)?;
    let transfer = field(body, "stockTransferId").and_then(int).filter(|id| account.transfers.contains_key(id));
    let transfer = transfer.ok_or_else(|| Refusal::invalid("The stock transfer does not exist"))?;
    let method = account.known_method(field(body, "shippingMethodId").and_then(int).unwrap_or(0))?;
    let release = field(body, "releaseDate").and_then(text).and_then(time).unwrap_or(call.now);
    let list = field(body, "transferredProducts").and_then(Value::as_array).filter(|list| !list.is_empty());
    let list = list.ok_or_else(|| Refusal::invalid("You have not supplied any products"))?;
    let mut wanted: BTreeMap<i64, i64> = BTreeMap::new();
    for product in list {
        let id = field(product, "productId").and_then(int).unwrap_or(0);
        let quantity = field(product, "quantity").and_then(int).filter(|quantity| *quantity > 0);
        let quantity = quantity.ok_or_else(|| Refusal::invalid("You have supplied an invalid quantity"))?;
        *wanted.entry(id).or_insert(0) += quantity;
    }
    if wanted.iter().any(|(product, quantity)| account.stock.on_hand(*product, source) < *quantity) {
        return Err(Refusal::new(400, UNKNOWN_CODE, "insufficient stock"));
    }
    let id = next(&mut account.next.goods_note);
    let mut lines = Vec::new();
    for (product, quantity) in wanted {
        for (location_id, quantity) in account.stock.holding(product, source).locations_for(quantity) {
            lines.push(Line { product_id: product, quantity, location_id });
        }
        account.stock.allocate(product, source, quantity);
    }
    let (read_from, searched_from) = visibility(call);
    let note = Note {
        id,
        order_id: 0,
        warehouse_id: source,
        transfer: true,
        target_warehouse: Some(target),
        transfer_id: Some(transfer),
        priority: false,
        reference: String::new(),
        method_id: method,
        boxes: None,
        weight: None,
        label_uri: None,
        release_date: release,
        created_on: call.now,
        created_by: call.caller.contact_id,
        rows: BTreeMap::new(),
        transfer_rows: lines,
        sequence: 1,
        events: vec![NoteEvent { code: "PLA", occured: call.now, owner: call.caller.contact_id }],
        version: next(&mut account.next.event_version),
        printed: None,
        picked: None,
        packed: None,
        shipped: None,
        read_from,
        searched_from,
    };
    account.notes.insert(id, note);
    account.list_uncleared(id, call);
    call.trace.notes.push(id);
    call.trace.took_effect = true;
    account.raise("goods-out-note", "created", None, id, call.now);
    Ok(Reply::of(vec![id]))
}

impl Account {
    /// Moves everything that waits in the quarantine of a warehouse to its default location.
    pub(crate) fn release_quarantine(&mut self, warehouse: i64, call: &mut Call<'_>) -> Result<(), Refusal> {
        self.known_warehouse(warehouse)?;
        let location = self.warehouses.get(&warehouse).map_or(0, |known| known.default_location);
        let (_, searched_from) = visibility(call);
        let places: Vec<i64> = self
            .stock
            .holdings
            .iter()
            .filter(|((_, place), held)| *place == warehouse && !held.quarantine.is_empty())
            .map(|((product, _), _)| *product)
            .collect();
        for product in places {
            let holding = self.stock.holding(product, warehouse);
            let released = std::mem::take(&mut holding.quarantine);
            for batch in &released {
                holding.figures.received += batch.quantity;
                holding.batches.push(Batch { location_id: location, ..batch.clone() });
            }
            for batch in released {
                let movement = Movement {
                    id: next(&mut self.next.movement),
                    product_id: product,
                    sales_row: None,
                    purchase_row: None,
                    quantity: batch.quantity,
                    location_id: location,
                    warehouse_id: warehouse,
                    note_id: batch.note_id,
                    value: batch.cost,
                    currency: self.currency.clone(),
                    order_id: None,
                    cleared: true,
                    quarantine: false,
                    batch_id: batch.note_id,
                    // How the system names this movement is not known.
                    code: match call.switches.movement_codes {
                        MovementCodes::Basic => "GI",
                        MovementCodes::Extended => "QR",
                    },
                    at: call.now,
                    searched_from,
                };
                self.stock.movements.push(movement);
            }
            call.trace.took_effect = true;
            self.raise("product", "modified", Some("on-hand-modified"), product, call.now);
        }
        Ok(())
    }
}
