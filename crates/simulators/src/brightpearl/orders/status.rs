//! The status of an order, and the statuses an account has.

use serde_json::{Value, json};

use super::{OrderNote, OrderType};
use crate::brightpearl::account::{Account, Change, next};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, boolean, field, int, text};
use crate::brightpearl::setup::OrderStatus;
use crate::brightpearl::switches::SameStatus;

/// The note a status update leaves behind.
struct NewNote {
    text: String,
    public: bool,
    file_id: Option<i64>,
}

pub(crate) fn put(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let body = call.json()?;
    let status = field(body, "orderStatusId")
        .and_then(int)
        .ok_or_else(|| Refusal::invalid("You have not supplied an order status id"))?;
    let note = field(body, "orderNote").map(|note| NewNote {
        text: field(note, "text").and_then(text).unwrap_or_default().to_owned(),
        public: field(note, "isPublic").and_then(boolean).unwrap_or(false),
        file_id: field(note, "fileId").and_then(int),
    });
    account.set_status(id, status, note, call)?;
    Ok(Reply::empty())
}

impl Account {
    /// Sets a status by hand, with the generated note.
    pub(crate) fn set_status_by_hand(&mut self, id: i64, status: i64, call: &mut Call<'_>) -> Result<(), Refusal> {
        self.set_status(id, status, None, call)
    }

    fn set_status(&mut self, id: i64, status: i64, note: Option<NewNote>, call: &mut Call<'_>) -> Result<(), Refusal> {
        let order = self.order(id)?;
        let known = self.statuses.get(&status).filter(|known| known.kind == order.kind && !known.disabled);
        let name = known
            .map(|known| known.name.clone())
            .ok_or_else(|| Refusal::invalid(format!("Order status {status} cannot be used for order {id}")))?;
        let same = order.status_id == status;
        match call.switches.same_status {
            SameStatus::Refused if same => {
                return Err(Refusal::invalid(format!("Order {id} already has status {status}")));
            }
            SameStatus::Silent if same => return Ok(()),
            _ => {}
        }
        let cancels = status == self.roles.cancelled;
        if cancels {
            self.refuse_cancellation(id)?;
            self.release_reservation(id);
        }
        let (was, contact) = (order_name(self, id), self.order(id)?.other_party.contact_id);
        self.change_order(id, Change::Status, call, |order| order.status_id = status)?;
        let text = format!("Order status changed from {was} to {name}");
        let note = note.unwrap_or(NewNote { text, public: false, file_id: None });
        let note_id = next(&mut self.next.order_note);
        let note = OrderNote {
            id: note_id,
            order_id: id,
            contact_id: contact,
            text: note.text,
            public: note.public,
            added_on: call.now,
            added_by: call.caller.contact_id,
            status_id: status,
            file_id: note.file_id,
        };
        self.order_notes.insert(note_id, note);
        self.refresh_codes(id, call.switches);
        Ok(())
    }

    /// The documented conditions of a cancellation.
    fn refuse_cancellation(&self, id: i64) -> Result<(), Refusal> {
        let order = self.order(id)?;
        if !order.notes_out.is_empty() {
            return Err(Refusal::invalid(format!("Order {id} has goods-out notes and cannot be cancelled")));
        }
        if order.status_id == self.roles.invoiced || order.invoice.is_some() {
            return Err(Refusal::invalid(format!("Order {id} is invoiced and cannot be cancelled")));
        }
        if !order.paid.is_zero() {
            return Err(Refusal::invalid(format!("Order {id} has payments and cannot be cancelled")));
        }
        Ok(())
    }
}

fn order_name(account: &Account, id: i64) -> String {
    let status = account.orders.get(&id).and_then(|order| account.statuses.get(&order.status_id));
    status.map_or_else(String::new, |status| status.name.clone())
}

/// All statuses grouped by order type and sorted, or those of an id set.
pub(crate) fn list(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let wanted = |status: &&OrderStatus| set.as_ref().is_none_or(|set| set.contains(status.id));
    let mut found: Vec<&OrderStatus> = account.statuses.values().filter(wanted).collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No order statuses found"));
    }
    found.sort_by_key(|status| (status.kind.id(), status.sort_order, status.id));
    let found: Vec<Value> = found.into_iter().map(render).collect();
    Ok(Reply::of(found))
}

fn render(status: &OrderStatus) -> Value {
    json!({
        "statusId": status.id, "name": status.name, "orderTypeCode": status.kind.code(),
        "sortOrder": status.sort_order, "disabled": status.disabled, "visible": status.visible,
        "color": status.color, "remindAfterDays": 10, "alertEmails": [], "emailContent": "",
        "batchProcess": false, "state": status.state
    })
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let name = field(body, "name").and_then(text).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::invalid("You have not supplied a name"))?.to_owned();
    let kind = field(body, "orderTypeCode").and_then(text);
    let kind = kind.ok_or_else(|| Refusal::bad("ORDC-005", "You have not supplied an order type code"))?;
    let kind = OrderType::from_code(kind)
        .ok_or_else(|| Refusal::bad("ORDC-006", "You have supplied an invalid order type code"))?;
    let color = field(body, "color").and_then(text).unwrap_or("#FFFFFF").to_owned();
    let id = account.statuses.keys().next_back().map_or(1, |last| last + 1);
    let sort_order = account.statuses.len().try_into().unwrap_or(0);
    let status =
        OrderStatus { id, name, kind, sort_order, disabled: false, visible: true, color, state: "normal".to_owned() };
    account.statuses.insert(id, status);
    call.trace.took_effect = true;
    Ok(Reply::of(id))
}
