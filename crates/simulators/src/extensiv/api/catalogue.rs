//! Stock, customers, items and properties.

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use super::call::{Done, Pages, Wrap, get_call, listed, path_id, rql_refusal};
use crate::extensiv::Handle;
use crate::extensiv::catalogue::{billing_codes, carriers};
use crate::extensiv::refusal::Refusal;
use crate::extensiv::rql::Filter;
use crate::extensiv::wire::{CARRIER, CUSTOMER, FACILITY, ITEM};

pub(super) async fn inventory(State(handle): State<Handle>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let call = get_call("/inventory", "InventoryDetailView", &headers, query);
    let pages = Pages { default: 100, most: 1000 };
    handle.read(&call, |floor, query, _| {
        let rows = floor.stock_details(true);
        listed("/inventory", query, pages, Wrap::Embedded("item"), rows)
    })
}

pub(super) async fn stock_summaries(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let path = "/inventory/stocksummaries";
    let call = get_call(path, "InventoryDetailView", &headers, query);
    let pages = Pages { default: 100, most: 500 };
    handle.read(&call, |floor, query, _| {
        if query.contains_key("sort") {
            return Err(Refusal::query("sort", "DoesNotExist", "not offered here"));
        }
        listed(path, query, pages, Wrap::Summaries, floor.stock_summaries())
    })
}

pub(super) async fn stock_details(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let path = "/inventory/stockdetails";
    let call = get_call(path, "InventoryDetailView", &headers, query);
    let pages = Pages { default: 100, most: 500 };
    handle.read(&call, |floor, query, _| {
        let required = |name: &'static str| {
            query
                .get(name)
                .ok_or_else(|| Refusal::query(name, "Required", ""))?
                .parse::<u64>()
                .map_err(|_| Refusal::query(name, "NotParsable", "must be a number"))
        };
        let (customer, facility) = (required("customerid")?, required("facilityid")?);
        let fence = format!("customerIdentifier.id=={customer};facilityIdentifier.id=={facility}");
        let fence = Filter::parse(&fence).map_err(rql_refusal("rql"))?;
        let rows = floor.stock_details(false).into_iter().filter(|row| fence.matches(row) == Ok(true)).collect();
        listed(path, query, pages, Wrap::Embedded("item"), rows)
    })
}

pub(super) async fn customers(State(handle): State<Handle>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let call = get_call("/customers", "CustomerView", &headers, query);
    let pages = Pages { default: 20, most: 100 };
    handle.read(&call, |floor, query, _| {
        let rows = floor.customer_list();
        listed("/customers", query, pages, Wrap::Embedded(CUSTOMER), rows)
    })
}

pub(super) async fn customer(State(handle): State<Handle>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let call = get_call(&format!("/customers/{id}"), "CustomerView", &headers, None);
    handle.read(&call, |floor, _, _| {
        let id = path_id(&id)?;
        let wanted = json!(id);
        let found = floor
            .customer_list()
            .into_iter()
            .find(|row| row.document.pointer("/readOnly/customerId") == Some(&wanted))
            .ok_or(Refusal::NotFound)?;
        let mut done = Done::document(found.document);
        done.etag = Some(format!("\"c{id}\""));
        Ok(done)
    })
}

pub(super) async fn items(
    State(handle): State<Handle>,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let path = format!("/customers/{id}/items");
    let call = get_call(&path, "ItemView", &headers, query);
    let pages = Pages { default: 10, most: 100 };
    handle.read(&call, |floor, query, _| {
        let id = path_id(&id)?;
        if !floor.customers.contains_key(&id) {
            return Err(Refusal::NotFound);
        }
        listed(&path, query, pages, Wrap::Embedded(ITEM), floor.item_list(id))
    })
}

pub(super) async fn item(
    State(handle): State<Handle>,
    Path((customer, item)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let path = format!("/customers/{customer}/items/{item}");
    let call = get_call(&path, "ItemView", &headers, None);
    handle.read(&call, |floor, _, _| {
        let (customer, id) = (path_id(&customer)?, path_id(&item)?);
        let item = floor.items.get(&id).filter(|item| item.customer == customer).ok_or(Refusal::NotFound)?;
        let mut done = Done::document(floor.item_document(item));
        done.etag = Some(format!("\"i{id}\""));
        Ok(done)
    })
}

pub(super) async fn facilities(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let path = "/properties/facilities";
    let call = get_call(path, "FacilityView", &headers, query);
    let pages = Pages { default: 100, most: 100 };
    handle.read(&call, |floor, query, _| {
        let rows = floor.facility_list();
        listed(path, query, pages, Wrap::Embedded(FACILITY), rows)
    })
}

pub(super) async fn carrier_list(State(handle): State<Handle>, headers: HeaderMap) -> Response {
    let path = "/properties/carriers";
    let call = get_call(path, "ReadPropertiesThirdParty", &headers, None);
    handle.read(&call, |_, _, _| {
        let carriers = carriers();
        Ok(Done::document(json!({
            "totalResults": carriers.len(),
            "defaultBillingCodes": billing_codes(),
            "defaultShipmentServices": [],
            "_embedded": {CARRIER: carriers},
        })))
    })
}
