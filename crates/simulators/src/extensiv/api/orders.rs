//! Orders: found, created, changed.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::call::{Call, Done, Pages, Query, Wrap, get_call, list, path_id};
use crate::extensiv::Handle;
use crate::extensiv::floor::Floor;
use crate::extensiv::model::Order;
use crate::extensiv::refusal::Refusal;
use crate::extensiv::wire::{Detail, ORDER, ORDER_ITEM, OrderRow, PACKAGE, local};

fn detail_of(query: &Query) -> Result<Detail, Refusal> {
    let text = |name: &str| query.get(name).map_or("", String::as_str);
    Detail::parse(text("detail"), text("itemdetail"))
        .map_err(|parameter| Refusal::query(parameter, "NotParsable", "unknown word"))
}

fn order_page(
    floor: &Floor,
    query: &Query,
    now: Timestamp,
    lag: Duration,
    path: &str,
    wrap: Wrap,
    document: impl Fn(&Order) -> Value,
) -> Result<Done, Refusal> {
    let visible = |order: &&Order| order.created.checked_add(lag).is_ok_and(|visible_at| visible_at <= now);
    let rows = floor.orders.values().filter(visible).map(|order| OrderRow { floor, order }).collect();
    let pages = Pages { default: 100, most: 1000 };
    list(path, query, pages, wrap, rows, |row| document(row.order))
}

pub(super) async fn find_orders(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let lag = handle.shared.config.search_lag;
    let call = get_call("/orders", "OrderView", &headers, query);
    handle.read(&call, |floor, query, now| {
        let detail = detail_of(query)?;
        let wrap = Wrap::Embedded(ORDER);
        order_page(floor, query, now, lag, "/orders", wrap, |order| floor.order_document(order, &detail))
    })
}

pub(super) async fn order_summaries(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let lag = handle.shared.config.search_lag;
    let call = get_call("/orders/summaries", "OrderView", &headers, query);
    handle.read(&call, |floor, query, now| {
        let wrap = Wrap::Embedded("item");
        order_page(floor, query, now, lag, "/orders/summaries", wrap, |order| {
            json!({
                "orderId": order.id,
                "referenceNum": order.reference,
                "poNum": order.written.get("poNum"),
                "fullyAllocated": order.fully_allocated(),
                "customerIdentifier": floor.customer_identifier(order.customer),
                "facilityIdentifier": floor.facility_identifier(order.facility),
                "creationDate": local(order.created, &floor.zone(order.facility)),
                "isClosed": floor.shows_closed(order),
            })
        })
    })
}

pub(super) async fn create_order(State(handle): State<Handle>, headers: HeaderMap, body: Bytes) -> Response {
    let call = Call {
        method: "POST",
        path: "/orders".to_owned(),
        role: "OrderWrite",
        order: None,
        headers: &headers,
        query: None,
    };
    handle.change(&call, &body, |floor, body, now| {
        let id = floor.create(body, now)?;
        let mut done = order_answer(floor, id, &everything())?;
        done.status = StatusCode::CREATED;
        Ok((done, Some(id)))
    })
}

pub(super) async fn get_order(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let call = get_call(&format!("/orders/{id}"), "OrderView", &headers, query);
    handle.read(&call, |floor, query, _| order_answer(floor, path_id(&id)?, &detail_of(query)?))
}

pub(super) async fn order_items(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let call = get_call(&format!("/orders/{id}/items"), "OrderView", &headers, query);
    handle.read(&call, |floor, query, _| {
        let order = floor.orders.get(&path_id(&id)?).ok_or(Refusal::NotFound)?;
        let lines = floor.line_documents(order, &detail_of(query)?);
        let mut done = Done::document(json!({"totalResults": lines.len(), "_embedded": {ORDER_ITEM: lines}}));
        done.etag = Some(order.etag());
        Ok(done)
    })
}

pub(super) async fn order_packages(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let path = format!("/orders/{id}/packages");
    let call = get_call(&path, "OrderView", &headers, query);
    handle.read(&call, |floor, _, _| {
        let order = floor.orders.get(&path_id(&id)?).ok_or(Refusal::NotFound)?;
        let packages = floor.package_documents(order);
        Ok(Done::document(json!({"totalResults": packages.len(), "_embedded": {PACKAGE: packages}})))
    })
}

pub(super) async fn put_order(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_order(&handle, "PUT", &id, "", &headers, &body, |floor, id, body, now| {
        floor.replace(id, body, now)?;
        order_answer(floor, id, &everything())
    })
}

pub(super) async fn complete_order(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_order(&handle, "POST", &id, "/completer", &headers, &body, |floor, id, _, now| {
        floor.complete(id, now)?;
        Ok(Done::nothing())
    })
}

pub(super) async fn cancel_order(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_order(&handle, "POST", &id, "/canceler", &headers, &body, |floor, id, body, now| {
        floor.cancel(id, body, now)?;
        Ok(Done::nothing())
    })
}

/// A change of one order under `If-Match`.
fn change_order(
    handle: &Handle,
    method: &'static str,
    id: &str,
    operator: &str,
    headers: &HeaderMap,
    body: &Bytes,
    work: impl FnOnce(&mut Floor, u64, &Value, Timestamp) -> Result<Done, Refusal>,
) -> Response {
    let call = Call {
        method,
        path: format!("/orders/{id}{operator}"),
        role: "OrderEdit",
        order: id.parse().ok(),
        headers,
        query: None,
    };
    handle.change(&call, body, |floor, body, now| {
        let id = path_id(id)?;
        let order = floor.orders.get(&id).ok_or(Refusal::NotFound)?;
        call.check_match(order)?;
        work(floor, id, body, now).map(|done| (done, Some(id)))
    })
}

pub(super) async fn hold_orders(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let call = Call {
        method: "PUT",
        path: "/orders/orderholder".to_owned(),
        role: "OrderEdit",
        order: None,
        headers: &headers,
        query,
    };
    let query = call.query();
    handle.change(&call, &body, |floor, body, now| {
        let release = query.get("release").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let reason = query.get("holdreason").filter(|text| !text.is_empty());
        let reason = match (release, reason) {
            (true, _) => None,
            (false, Some(reason)) => Some(reason.as_str()),
            (false, None) => {
                return Err(Refusal::query("holdReason", "Required", "a hold needs a reason"));
            }
        };
        let ids = body
            .get("orderIdentifiers")
            .and_then(Value::as_array)
            .ok_or_else(|| Refusal::required("OrderIdentifiers"))?;
        let mut held = Vec::new();
        let mut exceptions = Map::new();
        for id in ids {
            let id = id.get("id").and_then(Value::as_u64).unwrap_or_default();
            match floor.hold(id, reason, now) {
                Ok(()) => held.push(id),
                Err(why) => {
                    exceptions.insert(id.to_string(), json!(why));
                }
            }
        }
        let only = held.first().copied().filter(|_| held.len() == 1);
        let nobody_held = held.is_empty();
        let document = json!({"heldOrderIds": held, "exceptions": exceptions});
        let mut done = Done::document(document);
        done.effect = !nobody_held;
        Ok((done, only))
    })
}

fn order_answer(floor: &Floor, id: u64, detail: &Detail) -> Result<Done, Refusal> {
    let order = floor.orders.get(&id).ok_or(Refusal::NotFound)?;
    Ok(Done {
        status: StatusCode::OK,
        etag: Some(order.etag()),
        document: Some(floor.order_document(order, detail)),
        effect: true,
    })
}

/// What creating and changing an order answer with.
fn everything() -> Detail {
    Detail {
        items: true,
        packages: true,
        saved_elements: true,
        outbound_serials: true,
        small_parcel: true,
        allocations: true,
        item_saved_elements: true,
    }
}
