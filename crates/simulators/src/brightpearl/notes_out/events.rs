//! The steps of a goods-out note, up to the one that cannot be undone.

use jiff::Timestamp;
use serde_json::Value;

use super::create::cannot_be_edited;
use super::{Note, NoteEvent};
use crate::brightpearl::account::{Account, Change, next, visibility};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, UNKNOWN_CODE, field, int, text, time};
use crate::brightpearl::stock::{Batch, Movement};
use crate::brightpearl::switches::{EventOwner, EventTime, SecondShip, StaleVersion};
use crate::clock;

/// Code, and the specifier its webhook carries.
const CODES: [(&str, &str); 7] = [
    ("PRI", "printed"),
    ("PIC", "picked"),
    ("PAC", "packed"),
    ("UPR", "un-printed"),
    ("UPI", "un-picked"),
    ("UPA", "un-packed"),
    ("SHW", "shipped"),
];

/// One step to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) code: &'static str,
    pub(crate) occured: Timestamp,
    pub(crate) owner: i64,
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let note = account.note(id)?;
    if let Some(given) = &call.if_match
        && let Some(status) = stale_status(call)
    {
        let version = given.trim_matches('"').parse::<i64>();
        if version != Ok(note.version) {
            return Err(Refusal::new(status, UNKNOWN_CODE, format!("Goods out note {id} has changed")));
        }
    }
    let body = call.json()?;
    let given = field(body, "events").and_then(Value::as_array).filter(|events| !events.is_empty());
    let given = given.ok_or_else(|| Refusal::invalid("You have not supplied any events"))?;
    let steps = given.iter().map(|event| read_event(account, call, note, event)).collect::<Result<Vec<_>, _>>()?;
    if note.shipped.is_some() {
        return match call.switches.second_ship {
            SecondShip::BadRequest => Err(cannot_be_edited(400, id)),
            SecondShip::Conflict => Err(cannot_be_edited(409, id)),
            SecondShip::Ok => Ok(Reply::empty()),
        };
    }
    if steps.iter().rev().skip(1).any(|step| step.code == "SHW") {
        return Err(Refusal::invalid("Nothing can follow the event SHW"));
    }
    account.take_steps(id, &steps, call)?;
    Ok(Reply::empty())
}

fn stale_status(call: &Call<'_>) -> Option<u16> {
    match call.switches.stale_event_version {
        StaleVersion::PreconditionFailed => Some(412),
        StaleVersion::Conflict => Some(409),
        StaleVersion::BadRequest => Some(400),
        StaleVersion::Ignored => None,
    }
}

fn read_event(account: &Account, call: &Call<'_>, note: &Note, event: &Value) -> Result<Taken, Refusal> {
    let code = field(event, "eventCode").and_then(text);
    let code = CODES.iter().find(|(known, _)| code == Some(known)).map(|(known, _)| *known);
    let code = code.ok_or_else(|| Refusal::invalid("You have supplied an invalid event code"))?;
    let occured = field(event, "occured").and_then(text).and_then(time);
    let occured = occured.ok_or_else(|| Refusal::invalid("You have supplied an invalid occured date"))?;
    let owner = field(event, "eventOwnerId").and_then(int);
    let owner = owner
        .filter(|id| {
            account
                .contacts
                .get(id)
                .is_some_and(|contact| contact.staff || call.switches.event_owner == EventOwner::Contact)
        })
        .ok_or_else(|| Refusal::invalid("You have supplied an invalid event owner id"))?;
    let plausible = occured >= note.created_on && occured <= clock::now();
    if call.switches.event_time == EventTime::Plausible && !plausible {
        return Err(Refusal::invalid("The event cannot have happened then"));
    }
    Ok(Taken { code, occured, owner })
}

impl Account {
    /// Takes steps of an unshipped note, as one batch of events.
    pub(crate) fn take_steps(&mut self, id: i64, steps: &[Taken], call: &mut Call<'_>) -> Result<(), Refusal> {
        let version = next(&mut self.next.event_version);
        let note = self.notes.get_mut(&id).ok_or_else(|| Refusal::not_found("Cannot find goods out note"))?;
        note.version = version;
        for step in steps {
            take_step(note, *step);
        }
        let (order, shipped) = (note.order_id, note.shipped.is_some());
        call.trace.changed_note(order, id);
        for step in steps {
            let specifier = CODES.iter().find(|(code, _)| *code == step.code).map(|(_, specifier)| *specifier);
            self.raise("goods-out-note", "modified", specifier, id, call.now);
        }
        if shipped {
            self.deplete(id, call);
        }
        if order != 0 && shipped {
            self.change_order(order, Change::Fulfilment, call, |_| {})?;
            if self.orders.get(&order).is_some_and(|order| order.shipping_status == "ASS") {
                self.raise("order", "modified", Some("fully-shipped"), order, call.now);
            }
        }
        Ok(())
    }

    /// The goods leave: allocation and stock go down together, transfers arrive in quarantine.
    fn deplete(&mut self, id: i64, call: &Call<'_>) {
        let Some(note) = self.notes.get(&id).cloned() else { return };
        let (_, searched_from) = visibility(call);
        self.unlist_uncleared(id);
        for (row, line) in note.lines() {
            let holding = self.stock.holding(line.product_id, note.warehouse_id);
            holding.allocated -= line.quantity;
            let pieces = holding.take(line.quantity, |batch| batch.location_id == line.location_id);
            if note.transfer {
                holding.figures.transferred += line.quantity;
            } else {
                holding.figures.shipped += line.quantity;
            }
            for piece in pieces {
                let movement = Movement {
                    id: next(&mut self.next.movement),
                    product_id: line.product_id,
                    sales_row: row,
                    purchase_row: None,
                    quantity: -piece.quantity,
                    location_id: piece.location_id,
                    warehouse_id: note.warehouse_id,
                    note_id: id,
                    value: piece.cost,
                    currency: self.currency.clone(),
                    order_id: (note.order_id != 0).then_some(note.order_id),
                    cleared: true,
                    quarantine: false,
                    batch_id: piece.note_id,
                    code: "GO",
                    at: call.now,
                    searched_from,
                };
                self.stock.movements.push(movement);
                if let Some(target) = note.target_warehouse {
                    self.arrive_in_quarantine(id, target, line.product_id, &piece, call);
                }
            }
            self.raise("product", "modified", Some("on-hand-modified"), line.product_id, call.now);
        }
    }

    fn arrive_in_quarantine(&mut self, note: i64, warehouse: i64, product: i64, piece: &Batch, call: &Call<'_>) {
        let location = self.warehouses.get(&warehouse).map_or(0, |known| known.quarantine_location);
        let batch = Batch { note_id: note, location_id: location, ..piece.clone() };
        let movement = Movement {
            id: next(&mut self.next.movement),
            product_id: product,
            sales_row: None,
            purchase_row: None,
            quantity: batch.quantity,
            location_id: location,
            warehouse_id: warehouse,
            note_id: note,
            value: batch.cost,
            currency: self.currency.clone(),
            order_id: None,
            cleared: true,
            quarantine: true,
            batch_id: note,
            code: "GO",
            at: call.now,
            searched_from: visibility(call).1,
        };
        self.stock.movements.push(movement);
        self.stock.holding(product, warehouse).quarantine.push(batch);
    }
}

fn take_step(note: &mut Note, step: Taken) {
    let done = Some((step.occured, step.owner));
    note.events.push(NoteEvent { code: step.code, occured: step.occured, owner: step.owner });
    match step.code {
        "PRI" => note.printed = done,
        "PIC" => note.picked = done,
        "PAC" => note.packed = done,
        "UPR" => note.printed = None,
        "UPI" => note.picked = None,
        "UPA" => note.packed = None,
        _ => {
            note.shipped = done;
            // Shipping takes the steps before it along.
            for (code, skipped) in [("PRI", &mut note.printed), ("PIC", &mut note.picked), ("PAC", &mut note.packed)] {
                if skipped.is_none() {
                    *skipped = done;
                    note.events.push(NoteEvent { code, occured: step.occured, owner: step.owner });
                }
            }
        }
    }
}
