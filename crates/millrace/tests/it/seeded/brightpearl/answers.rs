//! The documents and searches of the account (Brightpearl help: *JSON structure*, *ID sets*, *Resource search*).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, tz};
use serde_json::{Map, Value, json};

use super::account::{self, Account, Answer, HUB, LOCATION, PERSON, WAREHOUSE, refused};

/// How old what searches answer is, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// Of movements.
    pub movements: i64,
    /// Of orders and goods-out notes.
    pub searches: i64,
}

/// Rows of one page of a search: few, so that every run pages.
const PAGE: usize = 6;

/// As the account writes times: its own offset, which changes twice a year, and milliseconds.
fn written(time: Timestamp) -> String {
    let zone = tz::TimeZone::posix("CST6CDT,M3.2.0,M11.1.0").unwrap();
    time.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// `1-3,5`, ascending.
pub fn id_set(text: &str) -> Option<BTreeSet<i64>> {
    let mut ids = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || ids.last().is_some_and(|before| *before >= first) {
            return None;
        }
        ids.extend(first..=last);
    }
    Some(ids)
}

fn response(value: Value) -> Answer {
    (200, json!({"response": value}))
}

/// The answer to a GET.
pub fn get(account: &Account, path: &[&str], query: &BTreeMap<String, String>, now: Timestamp, age: Ages) -> Answer {
    let some = |text: &&str| id_set(text).unwrap_or_default();
    match path {
        ["integration-service", "account-configuration"] => response(json!({"configuration": {
            "baseCurrencyCode": "GBP", "timeZone": "America/Chicago", "cancelledOrderStatusId": account::CANCELLED.to_string(),
            "defaultCostPriceListId": "1"}})),
        ["warehouse-service", "warehouse"] => {
            response(json!([{"id": WAREHOUSE, "name": "Main warehouse", "typeDescription": "Warehouse"}]))
        }
        ["order-service", "order-status"] => {
            let status =
                |id: i64, name: &str| json!({"statusId": id, "name": name, "orderTypeCode": "SO", "disabled": false});
            response(json!([
                status(account::NEW, "New web order"),
                status(account::CANCELLED, "Cancelled"),
                status(account::AT_WAREHOUSE, "At warehouse"),
                status(account::PARTLY_SHIPPED, "Partly shipped"),
                status(account::SHIPPED, "Shipped"),
                status(account::SET_ASIDE, "Customer asked to wait"),
            ]))
        }
        ["product-service", "channel"] => response(json!([{"id": 1, "name": "Web shop"}])),
        ["warehouse-service", "shipping-method"] => response(json!([
            {"id": 49, "name": "UPS Ground", "code": "UPSG", "carrier": "UPS"},
            {"id": 50, "name": "Post", "code": "POST", "carrier": "Royal Mail"}])),
        ["product-service", "price-list"] => response(json!([{"id": 1, "name": {"text": "Cost"}, "code": "COST",
            "currencyCode": "GBP", "priceListTypeCode": "BUY"}])),
        ["contact-service", "contact-search"] => search(
            query,
            &["contactId", "primaryEmail", "isStaff"],
            vec![
                vec![json!(HUB), json!("hub@example.test"), json!(true)],
                vec![json!(PERSON), json!("jane@example.test"), json!(true)],
            ],
        ),
        ["order-service", "order-search"] => {
            orders_found(account, query, now - SignedDuration::from_secs(age.searches))
        }
        ["warehouse-service", "goods-note", "goods-out-search"] => {
            let then = now - SignedDuration::from_secs(age.searches);
            let rows = account.notes.iter().filter(|(_, note)| note.created <= then).map(|(id, note)| {
                let shipped = note.shipped.is_some_and(|(at, _)| at <= then);
                vec![json!(id), json!(note.order), json!(WAREHOUSE), json!(shipped)]
            });
            search(query, &["goodsOutNoteId", "orderId", "warehouseId", "shipped"], rows.collect())
        }
        ["product-service", "product-search"] => {
            let rows = account.products.iter().map(|(id, product)| vec![json!(id), json!(product.sku)]);
            search(query, &["productId", "SKU"], rows.collect())
        }
        ["warehouse-service", "goods-movement-search"] => movements(account, query, now, age.movements),
        ["order-service", "order", ids] => {
            let ids = some(ids);
            let found = account.orders.keys().filter(|id| ids.contains(id)).map(|id| order(account, *id));
            // In no order that means anything.
            response(found.rev().collect())
        }
        ["order-service", "order", id, "note"] => {
            let of_order = account.order_notes.iter().filter(|note| id.parse() == Ok(note.order));
            let note = |note: &account::OrderNote| json!({"noteId": note.id, "text": note.text, "isPublic": false, "addedOn": written(note.added), "addedBy": HUB});
            response(of_order.map(note).collect())
        }
        ["warehouse-service", "order", orders, "goods-note", "goods-out", rest @ ..] => {
            let notes = rest.first().filter(|text| !text.is_empty()).map(some);
            let orders = (*orders != "*").then(|| some(orders));
            let wanted = account.notes.iter().filter(|(id, note)| {
                notes.as_ref().is_none_or(|notes| notes.contains(id))
                    && orders.as_ref().is_none_or(|orders| orders.contains(&note.order))
            });
            let found: Map<String, Value> = wanted.map(|(id, note)| (id.to_string(), goods_out_note(note))).collect();
            response(Value::Object(found))
        }
        ["product-service", "product", ids] => {
            let ids = some(ids);
            let found = account.products.iter().filter(|(id, _)| ids.contains(id)).map(|(id, product)| {
                json!({"id": id, "identity": {"sku": product.sku}, "stock": {"stockTracked": true}, "status": "LIVE",
                       "composition": {"bundle": false}})
            });
            response(found.collect())
        }
        ["warehouse-service", "product-availability", ids] => {
            let ids = some(ids);
            let found = account.products.iter().filter(|(id, _)| ids.contains(id)).map(|(id, product)| {
                let figures = json!({"inStock": product.in_stock, "onHand": product.in_stock - product.allocated,
                                     "allocated": product.allocated, "inTransit": 0});
                (id.to_string(), json!({"total": figures, "warehouses": {WAREHOUSE.to_string(): figures}}))
            });
            response(Value::Object(found.collect()))
        }
        ["product-service", "product-price", ids] => {
            let ids = some(ids);
            let found = account.products.keys().filter(|id| ids.contains(id)).map(|id| {
                json!({"productId": id, "priceLists": [{"priceListId": 1, "currencyCode": "GBP", "quantityPrice": {"1": "2.6800"}}]})
            });
            response(found.collect())
        }
        ["warehouse-service", "warehouse", _, "location", "default"] => response(json!(LOCATION)),
        ["warehouse-service", "warehouse", _, "stock-correction", ids] => {
            let ids = some(ids);
            let found = account.corrections.iter().filter(|line| ids.contains(&line.note)).map(|line| {
                // A removal may be taken from several batches.
                let parts = if line.quantity < -1 { vec![-1, line.quantity + 1] } else { vec![line.quantity] };
                let moved: Vec<Value> =
                    parts.iter().map(|part| json!({"productId": line.product, "quantity": part})).collect();
                json!({"goodsNoteId": line.note, "warehouseId": WAREHOUSE, "reason": line.reason, "goodsMoved": moved})
            });
            response(found.collect())
        }
        _ => refused(404, "CMNC-404", &format!("Cannot find the resource {}", path.join("/"))),
    }
}

fn order(account: &Account, order_id: i64) -> Value {
    let order = &account.orders[&order_id];
    let stocked = || order.rows.iter().filter(|(_, row)| row.product.is_some());
    let wanted: i64 = stocked().map(|(_, row)| row.quantity).sum();
    let noted: i64 = stocked().map(|(row_id, _)| account.on_notes(order_id, *row_id)).sum();
    let reserved: i64 = stocked().map(|(_, row)| row.reserved).sum();
    let code = |part: i64, none: &'static str, some: &'static str, all: &'static str| match part {
        0 => none,
        part if part < wanted => some,
        _ => all,
    };
    let address = json!({"addressFullName": "Pat Example", "companyName": "", "addressLine1": "1 Example Street",
        "addressLine3": "Exampletown", "postalCode": "EX1 1EX", "countryIsoCode": "GB", "telephone": "01632 960001",
        "email": "pat@example.test"});
    let rows: Map<String, Value> = order
        .rows
        .iter()
        .enumerate()
        .map(|(place, (row_id, row))| {
            let sku = row.product.map_or(Value::Null, |id| json!(account.products[&id].sku));
            let row = json!({"orderRowSequence": (10 * (place + 1)).to_string(), "productId": row.product.unwrap_or(1000),
                "productName": "Goods", "productSku": sku, "quantity": {"magnitude": format!("{}.0000", row.quantity)},
                "composition": {"bundleParent": false, "bundleChild": false, "parentOrderRowId": 0}});
            (row_id.to_string(), row)
        })
        .collect();
    let mut document = json!({
        "id": order_id, "parentOrderId": 0, "orderTypeCode": "SO", "reference": format!("WEB-{order_id}"),
        "version": order.version, "orderStatus": {"orderStatusId": order.status, "name": "as in the list"},
        "stockStatusCode": if wanted == 0 { "NON" } else { code(noted, "SON", "SOP", "SOA") },
        "allocationStatusCode": if wanted == 0 { "ANR" } else { code(noted + reserved, "ANA", "APA", "AAA") },
        "shippingStatusCode": shipping_code(account, order_id).1,
        "placedOn": written(order.placed), "createdOn": written(order.placed),
        "delivery": {"shippingMethodId": order.method}, "assignment": {"current": {"channelId": 1}},
        "parties": {"customer": address, "delivery": address, "billing": address},
        "orderRows": rows, "warehouseId": WAREHOUSE
    });
    if let Some(updated) = order.updated {
        document["updatedOn"] = json!(written(updated));
    }
    document
}

fn shipping_code(account: &Account, order_id: i64) -> (i64, &'static str) {
    let rows = account.orders[&order_id].rows.iter().filter(|(_, row)| row.product.is_some());
    let (mut wanted, mut left) = (0, 0);
    for (row_id, row) in rows {
        wanted += row.quantity;
        left += account.shipped(order_id, *row_id);
    }
    match left {
        _ if wanted == 0 => (1, "NST"),
        0 => (2, "SNS"),
        left if left < wanted => (3, "SPS"),
        _ => (4, "ASS"),
    }
}

fn goods_out_note(note: &account::Note) -> Value {
    let rows: Map<String, Value> = note
        .rows
        .iter()
        .map(|(row_id, (product, quantity))| {
            (row_id.to_string(), json!([{"productId": product, "quantity": quantity, "locationId": LOCATION}]))
        })
        .collect();
    let mut document = json!({
        "orderId": note.order, "warehouseId": WAREHOUSE, "transfer": false, "priority": false,
        "status": {"shipped": note.shipped.is_some()}, "shipping": {"reference": note.reference, "shippingMethodId": note.method},
        "releaseDate": note.release, "createdOn": written(note.created), "createdBy": note.created_by, "orderRows": rows,
        "sequence": note.sequence, "lastEventVersion": note.version
    });
    if let Some((at, by)) = note.shipped {
        document["status"]["shippedOn"] = json!(written(at));
        document["status"]["shippedById"] = json!(by);
    }
    if let Some(boxes) = note.boxes {
        document["shipping"]["boxes"] = json!(boxes);
    }
    if let Some(weight) = &note.weight {
        document["shipping"]["weight"] = json!(weight);
    }
    document
}

/// The orders as the search's index knew them `then`: its documents are a while old (A6).
fn orders_found(account: &Account, query: &BTreeMap<String, String>, then: Timestamp) -> Answer {
    let rows = account.orders.iter().filter(|(_, order)| order.placed <= then).map(|(id, order)| {
        let known = account.statuses.iter().rev().find(|(at, of, _)| of == id && *at <= then);
        let status = known.map_or(account::NEW, |(_, _, status)| *status);
        // Where it changed since, the index still has a time before; which one is not kept here, so the earliest.
        let updated = order.updated.map(|at| if at <= then { at } else { order.placed });
        let updated = updated.map_or(Value::Null, |at| json!(written(at)));
        vec![json!(id), json!(1), json!(status), json!(shipping_code(account, *id).0), json!(WAREHOUSE), updated]
    });
    let columns = ["orderId", "orderTypeId", "orderStatusId", "orderShippingStatusId", "warehouseId", "updatedOn"];
    search(query, &columns, rows.collect())
}

fn movements(account: &Account, query: &BTreeMap<String, String>, now: Timestamp, lag: i64) -> Answer {
    let seen = |made: Timestamp| now.duration_since(made).as_secs() >= lag;
    let row = |id: i64, product: i64, quantity: i64, note: i64, code: &str, order: Value, at: Timestamp| {
        let (warehouse, at) = (json!(WAREHOUSE), json!(at.to_string()));
        let id = json!(id);
        vec![
            id,
            json!(product),
            json!(quantity),
            warehouse,
            json!(note),
            json!(code),
            order,
            json!(true),
            json!(false),
            at,
        ]
    };
    let corrections = account
        .corrections
        .iter()
        .filter(|line| seen(line.made))
        .map(|line| row(line.note + 500_000, line.product, line.quantity, line.note, "SC", Value::Null, line.made));
    let shipped =
        account.notes.iter().filter_map(|(id, note)| Some((id, note, note.shipped?.0))).flat_map(|(id, note, at)| {
            // One movement for each row of the order.
            note.rows.iter().map(move |(row_id, (product, units))| {
                row(*id * 1_000_000 + *row_id, *product, -units, *id, "GO", json!(note.order), at)
            })
        });
    let columns = [
        "goodsMovementId",
        "productId",
        "quantity",
        "warehouseId",
        "goodsNoteId",
        "goodsNoteTypeCode",
        "orderId",
        "isCleared",
        "isQuarantine",
        "updatedOn",
    ];
    search(query, &columns, corrections.chain(shipped).collect())
}

fn matches(value: &Value, filter: &str) -> Option<bool> {
    Some(match value {
        Value::Bool(flag) => filter == flag.to_string(),
        Value::Number(number) => id_set(filter)?.contains(&number.as_i64()?),
        Value::String(text) => match (text.parse::<Timestamp>(), filter.split_once('/')) {
            (Ok(at), Some((from, to))) => {
                let bound = |text: &str| text.parse::<Timestamp>().ok();
                (from.is_empty() || bound(from)? <= at) && (to.is_empty() || at <= bound(to)?)
            }
            _ => text == filter,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    })
}

/// A page of the rows that match, by the first column.
fn search(query: &BTreeMap<String, String>, columns: &[&str], rows: Vec<Vec<Value>>) -> Answer {
    let mut found = rows;
    for (name, filter) in
        query.iter().filter(|(name, _)| !["columns", "sort", "pageSize", "firstResult"].contains(&name.as_str()))
    {
        let Some(place) = columns.iter().position(|column| column == name) else {
            return refused(400, "CMNC-017", &format!("There is no filter {name}"));
        };
        if found.iter().any(|row| row[place].is_number()) && id_set(filter).is_none() {
            return refused(500, "CMNC-018", &format!("The filter {name}={filter} cannot be parsed as: IDSET"));
        }
        found.retain(|row| matches(&row[place], filter).unwrap_or(false));
    }
    found.sort_by_key(|row| row[0].as_i64());
    let shown: Vec<&str> = query.get("columns").map_or_else(|| columns.to_vec(), |text| text.split(',').collect());
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
    let first = number("firstResult").unwrap_or(1).max(1);
    let size = number("pageSize").unwrap_or(PAGE).min(PAGE);
    let page: Vec<Value> = found
        .iter()
        .skip(first - 1)
        .take(size)
        .map(|row| {
            let cell = |name: &&str| {
                columns.iter().position(|column| column == name).map_or(Value::Null, |place| row[place].clone())
            };
            shown.iter().map(cell).collect()
        })
        .collect();
    let more = first - 1 + page.len() < found.len();
    let columns: Vec<Value> = shown.iter().map(|name| json!({"name": name})).collect();
    (
        200,
        json!({"response": {"results": page, "metaData": {"morePagesAvailable": more, "resultsAvailable": found.len(),
        "resultsReturned": page.len(), "columns": columns, "sorting": []}}, "reference": {}}),
    )
}
