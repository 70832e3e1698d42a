//! Sending a change, once.

use std::time::Duration;

use connect::{
    Armed, Capture, Delivery, EffectKind, ErrorKind, NewNote, RemoteRef, Sent,
    planted::{Planted, planted},
};
use serde::Serialize;

use super::{
    bodies::{self, Correction, Deletion, Details, OrderNote, Shipped, Status},
    classify::{Sort, Verdict, classify},
    prepare::{DetailsBefore, OrderNoteBefore, ShippedBefore, baseline},
};
use crate::brightpearl::{
    Brightpearl,
    client::{Change, Changed},
    lenient::{json_number, time_text},
    wire,
};

/// A change ready to be sent, and what it is known by if it succeeds without an id of its own.
struct Ready {
    change: Change,
    reference: Option<RemoteRef>,
}

const NOT_A_WAREHOUSE: &str = "Brightpearl is an order source, not a warehouse";

/// Makes the change of one batch. Only lines of stock corrections travel together; every other change has its own call
/// (R8).
pub(in crate::brightpearl) async fn send(connector: &Brightpearl, batch: &[Armed], until: Duration) -> Delivery {
    let ready = match ready(batch) {
        Ok(ready) => ready,
        Err(why) => {
            let refused = Sent::not_sent(ErrorKind::Unexpected, why);
            return Delivery::all(batch.len(), &refused, None);
        }
    };
    let kind = batch.first().map_or(EffectKind::CorrectStock, |armed| armed.effect.kind);
    let Some(purpose) = super::purpose(kind) else {
        return Delivery::all(batch.len(), &Sent::not_sent(ErrorKind::Unsupported, NOT_A_WAREHOUSE), None);
    };
    let (outcome, capture) = match connector.client.change(purpose, ready.change, until).await {
        Changed::NotSent(cause) => (Sent::NotSent { cause }, None),
        Changed::NoAnswer(why, capture) if planted(Planted::TimeoutIsNotSent) => {
            (Sent::not_sent(ErrorKind::Transient, why), Some(capture))
        }
        Changed::NoAnswer(why, capture) => (Sent::unknown(format!("no whole answer came: {why}")), Some(capture)),
        Changed::Answer { answer, generation, capture } => {
            let sort = Sort {
                kind,
                lines: batch.len(),
                legacy: connector.account.is_legacy(),
                throttled_is_not_sent: connector.account.throttle_text_is_not_sent,
            };
            let verdict = classify(sort, &answer);
            // The budget hears of every throttle answer, also of one that is not trusted to have had no effect.
            connector.client.gateway.throttled(&answer);
            if verdict != Verdict::TokenRefused {
                connector.client.token_was_accepted();
            }
            (outcome(connector, kind, verdict, generation, ready.reference).await, Some(capture))
        }
    };
    Delivery::all(batch.len(), &outcome, capture.map(readable))
}

async fn outcome(
    connector: &Brightpearl,
    kind: EffectKind,
    verdict: Verdict,
    generation: u64,
    reference: Option<RemoteRef>,
) -> Sent {
    match verdict {
        Verdict::Accepted(ids) => {
            if let (EffectKind::CreateNote, [note_id]) = (kind, ids.as_slice()) {
                connector.made_note(*note_id);
            }
            // Which of several ids belongs to which line is not documented.
            let named = match ids.as_slice() {
                [only] => Some(RemoteRef::new(only.to_string())),
                _ => None,
            };
            Sent::Accepted { reference: reference.or(named) }
        }
        Verdict::Refused(refusal) => Sent::Refused { code: refusal.code, message: refusal.message },
        Verdict::Throttled(wait) => Sent::Throttled { wait },
        Verdict::TokenRefused => Sent::NotSent { cause: connector.client.token_was_refused(generation).await },
        Verdict::Unknown(why) => Sent::Unknown { why },
    }
}

fn readable(mut capture: Capture) -> Capture {
    const LONGEST_BODY: usize = 16_000;
    capture.request_body = crate::brightpearl::envelope::cut(&capture.request_body, LONGEST_BODY);
    capture
}

fn ready(batch: &[Armed]) -> Result<Ready, String> {
    let Some(first) = batch.first() else { return Err("an empty batch".to_owned()) };
    let kind = first.effect.kind;
    if batch.iter().any(|armed| armed.effect.kind != kind) || (batch.len() > 1 && kind != EffectKind::CorrectStock) {
        return Err(format!("{kind} travels alone"));
    }
    match kind {
        EffectKind::CreateNote => create_note(&bodies::read(&first.effect.body)?),
        EffectKind::DeleteNote => Ok(delete_note(&bodies::read(&first.effect.body)?)),
        EffectKind::UpdateShipping => update_shipping(&bodies::read(&first.effect.body)?, &baseline(&first.baseline)?),
        EffectKind::PostShipped => post_shipped(&bodies::read(&first.effect.body)?, baseline(&first.baseline)?),
        EffectKind::SetStatus => set_status(bodies::read(&first.effect.body)?),
        EffectKind::AddOrderNote => add_order_note(bodies::read(&first.effect.body)?, baseline(&first.baseline)?),
        EffectKind::CorrectStock => {
            let lines = batch.iter().map(|armed| bodies::read(&armed.effect.body)).collect::<Result<Vec<_>, _>>()?;
            correct_stock(lines)
        }
        EffectKind::SubmitRequest
        | EffectKind::ReleaseRequest
        | EffectKind::CancelRequest
        | EffectKind::Acknowledge => Err(NOT_A_WAREHOUSE.to_owned()),
    }
}

fn json<T: Serialize>(body: &T) -> Result<Option<String>, String> {
    serde_json::to_string(body).map(Some).map_err(|error| format!("the change cannot be written: {error}"))
}

fn create_note(note: &NewNote) -> Result<Ready, String> {
    let products = note.rows.iter().map(|row| wire::NewGoodsOutNoteRow {
        product_id: row.product_id,
        sales_order_row_id: row.row_id,
        quantity: json_number(row.quantity),
    });
    let body = wire::NewGoodsOutNotes {
        warehouses: [wire::NewGoodsOutNote {
            release_date: time_text(note.released_at),
            warehouse_id: note.warehouse_id,
            transfer: false,
            products: products.collect(),
        }],
        priority: false,
        shipping_method_id: note.ship_method_id.filter(|id| *id > 0),
    };
    Ok(Ready {
        change: Change {
            method: "POST",
            path: format!("warehouse-service/order/{}/goods-note/goods-out", note.order_id),
            body: json(&body)?,
            if_match: None,
        },
        reference: None,
    })
}

fn delete_note(deletion: &Deletion) -> Ready {
    Ready {
        change: Change {
            method: "DELETE",
            path: format!("warehouse-service/order/{}/goods-note/goods-out/{}", deletion.order_id, deletion.note_id),
            body: None,
            if_match: None,
        },
        reference: Some(RemoteRef::new(deletion.note_id.to_string())),
    }
}

fn update_shipping(details: &Details, before: &DetailsBefore) -> Result<Ready, String> {
    let kept_method = Some(before.ship_method_id).filter(|id| *id > 0);
    let body = wire::GoodsOutNoteUpdate {
        priority: before.priority,
        shipping: wire::ShippingUpdate {
            shipping_method_id: details.ship_method_id.or(kept_method),
            // Without a number, what stands there stays.
            reference: match details.reference.is_empty() {
                true => before.reference.clone(),
                false => details.reference.clone(),
            },
            boxes: details.boxes,
            // The change is absolute: what is not said again may be cleared.
            weight: details.weight.or(before.weight).map(|weight| format!("{weight:.2}")),
        },
        label_uri: before.label_uri.clone(),
    };
    Ok(Ready {
        change: Change {
            method: "PUT",
            path: format!("warehouse-service/goods-note/goods-out/{}", details.note_id),
            body: json(&body)?,
            if_match: None,
        },
        reference: Some(RemoteRef::new(details.note_id.to_string())),
    })
}

fn post_shipped(shipped: &Shipped, before: ShippedBefore) -> Result<Ready, String> {
    let event =
        wire::GoodsOutNoteEvent { event_code: "SHW", occured: before.occurred, event_owner_id: before.owner_id };
    Ok(Ready {
        change: Change {
            method: "POST",
            path: format!("warehouse-service/goods-note/goods-out/{}/event", shipped.note_id),
            body: json(&wire::GoodsOutNoteEvents { events: [event] })?,
            if_match: (!planted(Planted::NoVersion)).then_some(before.version),
        },
        reference: Some(RemoteRef::new(shipped.note_id.to_string())),
    })
}

fn set_status(status: Status) -> Result<Ready, String> {
    let body = wire::OrderStatusUpdate {
        order_status_id: status.to,
        order_note: wire::NoteOfStatusUpdate { text: status.text, is_public: false },
    };
    Ok(Ready {
        change: Change {
            method: "PUT",
            path: format!("order-service/order/{}/status", status.order_id),
            body: json(&body)?,
            if_match: None,
        },
        reference: Some(RemoteRef::new(status.order_id.to_string()).with("status", status.to.to_string())),
    })
}

fn add_order_note(note: OrderNote, before: OrderNoteBefore) -> Result<Ready, String> {
    let body = wire::NewOrderNote { text: note.text, is_public: false, added_on: before.added_on };
    Ok(Ready {
        change: Change {
            method: "POST",
            path: format!("order-service/order/{}/note", note.order_id),
            body: json(&body)?,
            if_match: None,
        },
        reference: None,
    })
}

fn correct_stock(lines: Vec<Correction>) -> Result<Ready, String> {
    let warehouse_id = lines.first().map_or(0, |line| line.warehouse_id);
    if lines.iter().any(|line| line.warehouse_id != warehouse_id) {
        return Err("the lines of a stock correction are of one warehouse".to_owned());
    }
    let line = |line: Correction| wire::StockCorrectionLine {
        quantity: line.difference,
        product_id: line.product_id,
        reason: line.reason,
        location_id: line.location_id,
        cost: line.cost.map(|cost| wire::CorrectionCost { currency: cost.currency, value: json_number(cost.amount) }),
    };
    let body = wire::StockCorrections { corrections: lines.into_iter().map(line).collect() };
    Ok(Ready {
        change: Change {
            method: "POST",
            path: format!("warehouse-service/warehouse/{warehouse_id}/stock-correction"),
            body: json(&body)?,
            if_match: None,
        },
        reference: None,
    })
}

#[cfg(test)]
mod tests {
    use connect::Money;

    use super::{Correction, Details, DetailsBefore, correct_stock, update_shipping};

    #[test]
    fn the_documented_bodies() {
        let line = |difference, cost: Option<&str>| Correction {
            warehouse_id: 2,
            location_id: 2,
            product_id: 1010,
            difference,
            reason: "Stock [hub:01J]".to_owned(),
            marker: "01J".to_owned(),
            cost: cost.map(|amount| Money { currency: "GBP".to_owned(), amount: amount.parse().unwrap() }),
        };
        let ready = correct_stock(vec![line(5, Some("2.6800")), line(-3, None)]).unwrap();
        assert_eq!(ready.change.path, "warehouse-service/warehouse/2/stock-correction");
        assert_eq!(
            ready.change.body.unwrap(),
            r#"{"corrections":[{"quantity":5,"productId":1010,"reason":"Stock [hub:01J]","locationId":2,"cost":{"currency":"GBP","value":2.68}},{"quantity":-3,"productId":1010,"reason":"Stock [hub:01J]","locationId":2}]}"#
        );
        let mixed = Correction { warehouse_id: 3, ..line(1, Some("1")) };
        assert!(correct_stock(vec![line(1, Some("1")), mixed]).is_err());
    }

    #[test]
    fn what_is_not_ours_on_a_note_is_left_as_it_is() {
        let details = Details {
            order_id: 1,
            note_id: 5,
            reference: "1Z999EXAMPLE0001".to_owned(),
            ship_method_id: None,
            boxes: 2,
            weight: Some("3.4".parse().unwrap()),
        };
        let before = DetailsBefore {
            reference: String::new(),
            priority: true,
            label_uri: "https://labels.example.test/5.png".to_owned(),
            ship_method_id: 49,
            weight: Some("7.25".parse().unwrap()),
        };
        for (weighed, told) in [(details.weight, "3.40"), (None, "7.25")] {
            let details = Details { weight: weighed, ..details.clone() };
            let body = format!(
                r#"{{"priority":true,"shipping":{{"shippingMethodId":49,"reference":"1Z999EXAMPLE0001","boxes":2,"weight":"{told}"}},"labelUri":"https://labels.example.test/5.png"}}"#
            );
            assert_eq!(update_shipping(&details, &before).unwrap().change.body.unwrap(), body);
        }
    }
}
