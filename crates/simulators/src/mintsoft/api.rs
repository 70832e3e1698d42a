//! The vendor's HTTP interface.
//!
//! As in the original, some GETs change things. Nothing but their names says so.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::floor::{Floor, calls_of};
use super::hands::Dispatch;
use super::ledger::Mutation;
use super::model::{Order, Status};
use super::switches::{ListOrder, Nothing};
use super::wire::{local, moment, scan_document};
use super::{Handle, keys};
use crate::faults::Vendor;

/// Rows of a list, at most.
const LIMIT: usize = 100;

pub(super) fn routes(handle: Handle) -> Router {
    Router::new()
        .route("/api/Auth", post(keys::give))
        .route("/api/Client", get(|state, headers| lists(state, headers, "clients")))
        .route("/api/Warehouse", get(|state, headers| lists(state, headers, "warehouses")))
        .route("/api/Courier/Services", get(|state, headers| lists(state, headers, "couriers")))
        .route("/api/RefData/Countries", get(|state, headers| lists(state, headers, "countries")))
        .route("/api/Order/Statuses", get(|state, headers| lists(state, headers, "statuses")))
        .route("/api/Order/Channels", get(|state, headers| lists(state, headers, "channels")))
        .route("/api/Order", put(create))
        .route("/api/Order/Search", get(search))
        .route("/api/Order/List", get(list))
        .route("/api/Order/{id}", get(|state, path, headers| one(state, path, headers, "order")))
        .route("/api/Order/{id}/Items", get(|state, path, headers| one(state, path, headers, "items")))
        .route("/api/Order/{id}/Shipments", get(|state, path, headers| one(state, path, headers, "shipments")))
        .route("/api/Order/{id}/Splits", get(|state, path, headers| one(state, path, headers, "splits")))
        .route(
            "/api/Order/{id}/BarcodeVerifiedOrderItems",
            get(|state, path, headers| one(state, path, headers, "scans")),
        )
        .route("/api/Order/{id}/Cancel", get(cancel))
        .route("/api/Order/{id}/MarkDespatched", get(mark_despatched))
        .route("/api/Order/{id}/ConnectActions", put(connect_action))
        .route("/api/Product/StockLevels", get(|state, headers, query| stock(state, headers, query, None)))
        .route(
            "/api/Product/StockLevels/UpdatedSince",
            get(|state, headers, query| stock(state, headers, query, Some("fromdate"))),
        )
        .route(
            "/api/Product/StockLevelsByWarehouse",
            get(|state, headers, query| stock(state, headers, query, Some("lastupdatedsince"))),
        )
        .with_state(handle)
}

impl Vendor for Handle {
    /// The form of errors of the framework underneath.
    fn failed(&self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"Message": "An error has occurred."}))).into_response()
    }

    fn expire_tokens(&self, _path: &str) {
        Handle::expire_keys(self);
    }
}

type Query = BTreeMap<String, String>;

/// Names in lower case.
fn read_query(query: Option<&str>) -> Query {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
        .collect()
}

fn message(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({"Message": text}))).into_response()
}

impl Handle {
    fn reading(&self, headers: &HeaderMap, work: impl FnOnce(&Floor) -> Response) -> Response {
        if !self.is_signed_in(headers) {
            return keys::denied();
        }
        self.with(|world, _| work(&world.floor))
    }

    /// Runs a change of one order and notes what came of it.
    fn changing(
        &self,
        headers: &HeaderMap,
        method: &str,
        id: u64,
        what: &str,
        work: impl FnOnce(&mut Floor, Timestamp) -> Result<bool, String>,
    ) -> Response {
        if !self.is_signed_in(headers) {
            return keys::denied();
        }
        let (result, status) = self.with(|world, now| {
            let is_there = world.floor.orders.get(&id).is_some_and(|order| self.sees(order.client));
            let result = if is_there { work(&mut world.floor, now) } else { Err("Order not found".to_owned()) };
            world.floor.mutations.push(Mutation {
                at: now,
                method: method.to_owned(),
                path: format!("/api/Order/{id}/{what}"),
                order_id: Some(id),
                took_effect: result.as_ref().is_ok_and(|changed| *changed),
                refusal: result.as_ref().err().cloned(),
            });
            (result, world.floor.switches.refusal_status)
        });
        let told = |success: bool, text: &str| json!({"ID": id, "Success": success, "Message": text, "WarningMessage": "", "AllocatedFromReplen": false});
        match result {
            Ok(_) => Json(told(true, "")).into_response(),
            Err(why) => {
                (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), Json(told(false, &why))).into_response()
            }
        }
    }

    /// An administrator sees every client; others their own.
    fn sees(&self, client: u64) -> bool {
        self.shared.config.user_client.is_none_or(|own| own == client)
    }
}

async fn lists(State(handle): State<Handle>, headers: HeaderMap, which: &'static str) -> Response {
    let config = &handle.shared.config;
    let named = |names: Vec<(u64, String)>| -> Value {
        names.into_iter().map(|(id, name)| json!({"ID": id, "Name": name})).collect()
    };
    let numbered = |names: &[String]| named((1..).zip(names.iter().cloned()).collect());
    handle.reading(&headers, |floor| {
        let own = floor.switches.own_status_numbers;
        let document = match which {
            "clients" => {
                let seen = floor.clients.iter().filter(|client| handle.sees(client.id));
                let row = |client: &super::Client| json!({"ID": client.id, "Name": client.name, "ShortName": client.name});
                seen.map(row).collect()
            }
            "warehouses" => named(floor.buildings.iter().map(|one| (one.id, one.name.clone())).collect()),
            "couriers" => {
                let row = |(id, name): (u64, &String)| json!({"ID": id, "Name": name, "ActiveB": true, "TrackingURL": ""});
                (1..).zip(&floor.couriers).map(row).chain([json!({"ID": 99, "Name": "Old Post", "ActiveB": false})]).collect()
            }
            "countries" => json!([{"ID": 1, "Name": "United Kingdom", "Code": "GB", "Code3": "GBR"}]),
            "channels" => numbered(&config.channels),
            _ => {
                let row = |status: &Status| json!({"ID": status.number(own), "Name": status.name(), "ExternalName": status.name()});
                Status::ALL.iter().map(row).collect()
            }
        };
        Json(document).into_response()
    })
}

async fn create(State(handle): State<Handle>, headers: HeaderMap, body: Bytes) -> Response {
    if !handle.is_signed_in(&headers) {
        return keys::denied();
    }
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&body) else {
        return message(StatusCode::BAD_REQUEST, "The request is invalid.");
    };
    let number = body.get("OrderNumber").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (result, status) = handle.with(|world, now| {
        let result =
            handle.client_of(&body).and_then(|client| match world.floor.clients.iter().any(|one| one.id == client) {
                true => world.floor.create(client, &body, now),
                false => Err(format!("Client {client} not found")),
            });
        world.floor.mutations.push(Mutation {
            at: now,
            method: "PUT".to_owned(),
            path: "/api/Order".to_owned(),
            order_id: result.as_ref().ok().and_then(|ids| ids.first().copied()),
            took_effect: result.is_ok(),
            refusal: result.as_ref().err().cloned(),
        });
        let floor = &world.floor;
        let rows = result.map(|ids| -> Value {
            ids.iter().filter_map(|id| floor.orders.get(id)).map(|order| created_document(order, floor)).collect()
        });
        (rows, floor.switches.refusal_status)
    });
    match result {
        Ok(rows) => Json(rows).into_response(),
        Err(why) => {
            let row = json!([{"OrderId": 0, "DropShipOrderId": null, "OrderNumber": number, "Success": false,
                "OrderStatusId": 0, "OrderStatus": null, "Message": why, "OrderItems": null}]);
            (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), Json(row)).into_response()
        }
    }
}

impl Handle {
    fn client_of(&self, body: &Map<String, Value>) -> Result<u64, String> {
        match (self.shared.config.user_client, body.get("ClientId").and_then(Value::as_u64)) {
            (Some(own), None) => Ok(own),
            (Some(own), Some(named)) if own != named => Err("Client not found".to_owned()),
            (_, Some(named)) => Ok(named),
            (None, None) => Err("ClientId is required".to_owned()),
        }
    }
}

fn created_document(order: &Order, floor: &Floor) -> Value {
    let items: Vec<Value> = order.lines.iter().map(|line| json!({"SKU": line.sku, "ID": line.id})).collect();
    json!({
        "OrderId": order.id, "DropShipOrderId": null, "OrderNumber": order.number, "Success": true,
        "OrderStatusId": order.status.number(floor.switches.own_status_numbers), "OrderStatus": order.status.name(),
        "Message": "", "OrderItems": items,
    })
}

async fn search(State(handle): State<Handle>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = read_query(query.as_deref());
    let lag = handle.shared.config.search_lag;
    if !handle.is_signed_in(&headers) {
        return keys::denied();
    }
    handle.with(|world, now| {
        let floor = &world.floor;
        let wanted = query.get("ordernumber").cloned().unwrap_or_default();
        let fits = |order: &&Order| {
            let whole = if floor.switches.search_by_beginning {
                order.number.starts_with(&wanted)
            } else {
                order.number.eq_ignore_ascii_case(&wanted)
            };
            let part =
                floor.switches.search_finds_parts && order.split_of.is_some() && order.number.starts_with(&wanted);
            let shows = order.created.checked_add(lag).is_ok_and(|visible| visible <= now);
            let hidden = order.split_of.is_some() && !floor.switches.search_finds_parts;
            shows && !hidden && (whole || part) && is_wanted(&handle, &query, order)
        };
        let found: Vec<Value> = floor
            .orders
            .values()
            .filter(fits)
            .map(|order| floor.order_document(order, floor.switches.search_has_items))
            .collect();
        match (found.is_empty(), floor.switches.nothing) {
            (true, Nothing::NotFound) => message(StatusCode::NOT_FOUND, "No orders found"),
            _ => Json(found).into_response(),
        }
    })
}

/// The filters that lists share.
fn is_wanted(handle: &Handle, query: &Query, order: &Order) -> bool {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
    handle.sees(order.client)
        && number("clientid").is_none_or(|client| client == order.client)
        && number("warehouseid").is_none_or(|warehouse| warehouse == order.warehouse)
}

async fn list(State(handle): State<Handle>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = read_query(query.as_deref());
    handle.reading(&headers, |floor| {
        let since = match query.get("sincelastupdated").map(|text| moment(text)) {
            Some(None) => return message(StatusCode::BAD_REQUEST, "SinceLastUpdated is not a date"),
            since => since.flatten(),
        };
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let status = number("orderstatusid").and_then(|status| u64::try_from(status).ok());
        let with_items = query.get("includeorderitems").is_some_and(|text| text == "true");
        let mut found: Vec<&Order> = floor
            .orders
            .values()
            .filter(|order| is_wanted(&handle, &query, order))
            .filter(|order| since.is_none_or(|since| order.changed >= since))
            .filter(|order| status.is_none_or(|s| s == order.status.number(floor.switches.own_status_numbers)))
            .collect();
        match floor.switches.list_order {
            ListOrder::ByChange => found.sort_by_key(|order| (order.changed, order.id)),
            ListOrder::NewestFirst => found.sort_by_key(|order| std::cmp::Reverse((order.changed, order.id))),
            ListOrder::ById => {}
        }
        let limit = number("limit").unwrap_or(LIMIT).clamp(1, LIMIT);
        let page = if floor.switches.pages { number("pageno").unwrap_or(1).max(1) } else { 1 };
        let shown = found.into_iter().skip((page - 1) * limit).take(limit);
        Json(shown.map(|order| floor.order_document(order, with_items)).collect::<Vec<_>>()).into_response()
    })
}

async fn one(State(handle): State<Handle>, Path(id): Path<u64>, headers: HeaderMap, what: &'static str) -> Response {
    handle.reading(&headers, |floor| {
        let Some(order) = floor.orders.get(&id).filter(|order| handle.sees(order.client)) else {
            return message(StatusCode::NOT_FOUND, "Order not found");
        };
        let document = match what {
            "order" => floor.order_document(order, true),
            "items" => floor.item_documents(order),
            "shipments" => floor.shipment_documents(order),
            "splits" => floor.split_documents(order),
            _ => order.scans.iter().map(|scan| scan_document(order, scan)).collect(),
        };
        Json(document).into_response()
    })
}

async fn cancel(State(handle): State<Handle>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    handle.changing(&headers, "GET", id, "Cancel", |floor, now| floor.cancel(id, now))
}

async fn mark_despatched(State(handle): State<Handle>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    handle.changing(&headers, "GET", id, "MarkDespatched", |floor, now| {
        floor.ship(id, &Dispatch::full(), now).map(|_| true).map_err(|why| why.to_string())
    })
}

async fn connect_action(
    State(handle): State<Handle>,
    Path(id): Path<u64>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let action: Value = serde_json::from_slice(&body).unwrap_or_default();
    handle.changing(&headers, "PUT", id, "ConnectActions", |floor, _| match floor.orders.get_mut(&id) {
        Some(order) => {
            order.calls = calls_of(&action);
            Ok(true)
        }
        None => Err("Order not found".to_owned()),
    })
}

async fn stock(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    since_name: Option<&'static str>,
) -> Response {
    let query = read_query(query.as_deref());
    handle.reading(&headers, |floor| {
        let since = match since_name.and_then(|name| query.get(name)).map(|text| moment(text)) {
            Some(None) => return message(StatusCode::BAD_REQUEST, "The date is invalid"),
            since => since.flatten().map(local),
        };
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
        let breakdown = query.get("breakdown").is_some_and(|text| text == "true");
        let mut rows = Vec::new();
        let products = floor.products.values().filter(|product| {
            handle.sees(product.client) && number("clientid").is_none_or(|client| client == product.client)
        });
        for product in products {
            // 0: all buildings together; none: one by one.
            let buildings: Vec<u64> = match number("warehouseid") {
                Some(one) => vec![one],
                None => floor.buildings.iter().map(|building| building.id).collect(),
            };
            for building in buildings {
                let row = floor.stock_document(product, building, breakdown);
                let changed = row.get("LastUpdated").and_then(Value::as_str).unwrap_or_default();
                if since.as_ref().is_none_or(|since| changed >= since.as_str()) {
                    rows.push(row);
                }
            }
        }
        Json(rows).into_response()
    })
}
