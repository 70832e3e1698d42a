//! What makes, lets go and cancels an order.

use connect::HttpRequest;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    CUSTOMER, FACILITY, RestWarehouse,
    answers::{Answer, blank, forbidden, invalid},
    order::{Item, Made, State, tag, version_in},
    reads::Detail,
};
use crate::seeded::{brightpearl::Change, wire::header};

/// The change that a request asks for; `None` for a read and for the sign-in.
pub(super) fn change(request: &HttpRequest, now: Timestamp) -> Option<Change> {
    let path: Vec<&str> = request.url.path().trim_matches('/').split('/').collect();
    let (kind, id) = match (request.method, path.as_slice()) {
        ("POST", ["orders"]) => ("warehouse order/post", None),
        ("POST", ["orders", id, "completer"]) => ("warehouse order completer/post", Some(id)),
        ("POST", ["orders", id, "canceler"]) => ("warehouse order canceler/post", Some(id)),
        _ => return None,
    };
    let target: Vec<i64> = id.into_iter().map(|id| id.parse().unwrap_or(0)).collect();
    let if_match = header(request, "if-match").map(|text| version_in(text, target.first().copied().unwrap_or(0)));
    Some(Change::new(request, kind, target, if_match, now))
}

impl RestWarehouse {
    pub(super) fn carry_out(&self, state: &mut State, place: usize, now: Timestamp) -> Answer {
        let change = state.changes[place].clone();
        let answer = self.apply(state, &change, now);
        self.trace
            .note(&format!("{now} warehouse does {} {:?}: {} {}", change.kind, change.target, answer.0, answer.2));
        if (200..300).contains(&answer.0) {
            let order = change.target.first().and_then(|id| state.order(*id));
            self.watch.warehouse_does(&change, order.map_or("", |made| &made.reference), now);
        }
        state.changes[place].done = Some((now, (answer.0, answer.2.clone())));
        answer
    }

    pub(super) fn apply(&self, state: &mut State, change: &Change, now: Timestamp) -> Answer {
        if change.kind == "warehouse order/post" {
            return self.make(state, &change.body, now);
        }
        let id = change.target[0];
        let Some(made) = state.order(id).cloned() else { return blank(404) };
        if made.customer != CUSTOMER {
            self.watch.finding(format!("T1: at {now} {} of {id}, which is another customer's", change.kind));
        }
        match change.if_match {
            None => return blank(428),
            Some(version) if version != made.version => return blank(412),
            Some(_) => {}
        }
        let completes = change.kind == "warehouse order completer/post";
        let action = if completes { "OrderComplete" } else { "OrderCancel" };
        if !completes && change.body["reason"].as_str().unwrap_or_default().is_empty() {
            return invalid("Reason", "", "Required");
        }
        if made.cancelled {
            return forbidden(action, "OrderCanceled");
        }
        if made.closed.is_some() {
            return forbidden(action, "OrderConfirmed");
        }
        if completes {
            if !made.held {
                return forbidden(action, "AlreadyCompleted");
            }
            state.touch(now, id, |made| made.held = false);
        } else {
            if made.started {
                return forbidden(action, "InUse");
            }
            if !made.held && !self.stops_late {
                return forbidden(action, "AlreadyCompleted");
            }
            state.touch(now, id, |made| made.cancelled = true);
        }
        blank(204)
    }

    fn make(&self, state: &mut State, body: &Value, now: Timestamp) -> Answer {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reference = text(&body["referenceNum"]);
        if reference.is_empty() {
            return invalid("ReferenceNum", "", "Required");
        }
        for (property, there, wanted) in [
            ("CustomerIdentifier", &body["customerIdentifier"]["id"], CUSTOMER),
            ("FacilityIdentifier", &body["facilityIdentifier"]["id"], FACILITY),
        ] {
            if *there != wanted {
                return invalid(
                    property,
                    &there.to_string(),
                    if there.is_null() { "Required" } else { "DoesNotExist" },
                );
            }
        }
        if !body["shipTo"].is_object() {
            return invalid("ShipTo", "", "Required");
        }
        let routing = &body["routingInfo"];
        if !(text(&routing["carrier"]) + &text(&routing["mode"])).is_empty() && text(&body["billingCode"]).is_empty() {
            return invalid("BillingCode", "", "Required");
        }
        if self.refuses_repeats && state.made().any(|made| made.reference == reference && !made.cancelled) {
            return invalid("ReferenceNum", &reference, "Duplicate");
        }
        let id = state.id();
        let mut items = Vec::new();
        for item in body["orderItems"].as_array().into_iter().flatten() {
            let (sku, quantity) = (text(&item["itemIdentifier"]["sku"]), item["qty"].as_f64().unwrap_or(0.0) as i64);
            if !state.stock.contains_key(&sku) {
                return invalid("ItemIdentifier", &sku, "DoesNotExist");
            }
            if quantity < 1 {
                return invalid("Qty", &item["qty"].to_string(), "Required");
            }
            let line = item["externalId"].as_str().and_then(|line| line.parse().ok()).unwrap_or(0);
            items.push(Item { id: state.id(), line, sku, quantity });
        }
        if items.is_empty() {
            return invalid("OrderItems", "", "Required");
        }
        let deferred = body["deferNotification"] == true;
        let made = Made {
            id,
            customer: CUSTOMER,
            reference,
            is_part: false,
            items,
            asked: body.clone(),
            deferred,
            held: deferred,
            started: false,
            cancelled: false,
            closed: None,
            boxes: Vec::new(),
            version: 1,
            created: now,
            modified: now,
        };
        let answer = (201, Some(tag(id, 1)), self.document(&made, Detail::ALL));
        state.orders.insert(id, vec![(now, made)]);
        answer
    }
}
