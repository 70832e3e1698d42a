//! Reading goods-out notes.

use serde_json::{Map, Value, json};

use super::{Line, Note, Step};
use crate::brightpearl::account::Account;
use crate::brightpearl::call::{Answer, Call, Refusal, Reply};
use crate::brightpearl::idset::IdSet;
use crate::brightpearl::switches::MissingNote;
use crate::clock;

/// The largest set of order ids or note ids.
const LARGEST_SET: u64 = 500;

pub(crate) fn get(account: &Account, call: &Call<'_>, orders: &str, notes: Option<&str>) -> Answer {
    let orders = call.id_set(orders, Some(LARGEST_SET))?;
    let notes = notes.map(|notes| call.id_set(notes, Some(LARGEST_SET))).transpose()?;
    if orders == IdSet::All && notes.is_none() {
        return Err(Refusal::invalid("You must supply order IDs or goods out note IDs"));
    }
    let now = clock::now();
    let ids = match (&orders, &notes) {
        (_, Some(notes)) => notes.present_in(&account.notes),
        (IdSet::Ranges(_), None) => orders
            .present_in(&account.orders)
            .iter()
            .filter_map(|id| account.orders.get(id))
            .flat_map(|order| order.notes_out.iter().copied())
            .collect(),
        (IdSet::All, None) => Vec::new(),
    };
    let found: Map<String, Value> = ids
        .iter()
        .filter_map(|id| account.notes.get(id))
        .filter(|note| orders.contains(note.order_id) && note.read_from <= now)
        .map(|note| (note.id.to_string(), render(account, note)))
        .collect();
    if found.is_empty() && call.switches.missing_note == MissingNote::NotFound {
        return Err(Refusal::not_found("No goods out notes found"));
    }
    Ok(Reply::of(Value::Object(found)))
}

fn render_line(line: &Line) -> Value {
    json!({ "productId": line.product_id, "quantity": line.quantity, "locationId": line.location_id })
}

/// A note as the API shows it.
pub(crate) fn render(account: &Account, note: &Note) -> Value {
    let mut status = Map::new();
    let mut step = |name: &str, step: Step| {
        status.insert(name.to_owned(), json!(step.is_some()));
        if let Some((at, by)) = step {
            status.insert(format!("{name}On"), account.time(at));
            status.insert(format!("{name}ById"), json!(by));
        }
    };
    step("printed", note.printed);
    step("picked", note.picked);
    step("packed", note.packed);
    step("shipped", note.shipped);
    let mut shipping = json!({ "reference": note.reference, "shippingMethodId": note.method_id });
    if let Some(boxes) = note.boxes {
        shipping["boxes"] = json!(boxes);
    }
    if let Some(weight) = note.weight {
        shipping["weight"] = json!(format!("{weight:.2}"));
    }
    let events: Vec<Value> = note
        .events
        .iter()
        .map(|event| {
            json!({ "occured": account.time(event.occured), "eventOwnerId": event.owner, "eventCode": event.code })
        })
        .collect();
    let mut out = json!({
        "orderId": note.order_id, "warehouseId": note.warehouse_id, "transfer": note.transfer,
        "priority": note.priority, "status": status, "shipping": shipping,
        "releaseDate": account.time(note.release_date), "createdOn": account.time(note.created_on),
        "createdBy": note.created_by, "sequence": note.sequence, "events": events,
        "lastEventVersion": note.version
    });
    if note.transfer {
        out["transferRows"] = note.transfer_rows.iter().map(render_line).collect();
        out["targetWarehouseId"] = json!(note.target_warehouse);
        out["stockTransferId"] = json!(note.transfer_id);
    } else {
        let rows: Map<String, Value> =
            note.rows.iter().map(|(row, lines)| (row.to_string(), lines.iter().map(render_line).collect())).collect();
        out["orderRows"] = Value::Object(rows);
    }
    if let Some(label) = &note.label_uri {
        out["labelUri"] = json!(label);
    }
    out
}

/// Ordered, fulfilled and shipped quantity of every row.
pub(crate) fn fulfilment_status(account: &Account, order: i64) -> Answer {
    let order = account.order(order)?;
    let mut out = Map::new();
    for (id, row) in &order.rows {
        let (mut fulfilled, mut shipped) = (order.drop_shipped.get(id).copied().unwrap_or(0), 0);
        let mut places: Map<String, Value> = Map::new();
        for note in order.notes_out.iter().filter_map(|note| account.notes.get(note)) {
            for line in note.rows.get(id).into_iter().flatten() {
                fulfilled += line.quantity;
                shipped += if note.shipped.is_some() { line.quantity } else { 0 };
                let place = places.entry(line.location_id.to_string()).or_insert_with(|| json!(0));
                *place = json!(place.as_i64().unwrap_or(0) + line.quantity);
            }
        }
        let mut shown = json!({ "quantity": row.whole_quantity(), "fulfilled": fulfilled, "shipped": shipped });
        if !places.is_empty() {
            shown["fulfilmentLocations"] = Value::Object(places);
        }
        out.insert(id.to_string(), shown);
    }
    Ok(Reply::of(Value::Object(out)))
}
