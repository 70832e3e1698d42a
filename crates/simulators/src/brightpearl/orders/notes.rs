//! Notes on orders.

use serde_json::{Value, json};

use super::OrderNote;
use crate::brightpearl::account::{Account, Change, next};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, boolean, field, int, text, time};

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    let body = call.json()?;
    let text_given = field(body, "text").and_then(text).map(str::to_owned);
    let text = text_given.ok_or_else(|| Refusal::invalid("You have not supplied a note text"))?;
    let found = account.order(order)?;
    let added_on = match field(body, "addedOn") {
        None => call.now,
        Some(given) => {
            let read = given.as_str().and_then(time);
            read.ok_or_else(|| Refusal::invalid("addedOn cannot be read"))?
        }
    };
    let note = OrderNote {
        id: 0,
        order_id: order,
        contact_id: field(body, "contactId").and_then(int).unwrap_or(found.other_party.contact_id),
        text,
        public: field(body, "isPublic").and_then(boolean).unwrap_or(false),
        added_on,
        added_by: field(body, "addedBy").and_then(int).unwrap_or(call.caller.contact_id),
        status_id: found.status_id,
        file_id: field(body, "fileId").and_then(int),
    };
    let id = next(&mut account.next.order_note);
    account.order_notes.insert(id, OrderNote { id, ..note });
    account.change_order(order, Change::OrderNote, call, |_| {})?;
    Ok(Reply::of(id))
}

pub(crate) fn get(account: &Account, call: &Call<'_>, order: i64, ids: Option<&str>) -> Answer {
    account.order(order)?;
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let notes: Vec<Value> = account
        .order_notes
        .values()
        .filter(|note| note.order_id == order && set.as_ref().is_none_or(|set| set.contains(note.id)))
        .map(|note| render(account, note))
        .collect();
    Ok(Reply::of(notes))
}

fn render(account: &Account, note: &OrderNote) -> Value {
    let mut out = json!({
        "noteId": note.id, "contactId": note.contact_id, "text": note.text, "isPublic": note.public,
        "addedOn": account.time(note.added_on), "addedBy": note.added_by, "orderStatusId": note.status_id
    });
    if let Some(file) = note.file_id {
        out["fileId"] = json!(file);
    }
    out
}
