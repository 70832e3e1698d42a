//! Reading orders.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{Order, Row, SHIPPING_STATUSES, STOCK_STATUSES, cents};
use crate::brightpearl::account::Account;
use crate::brightpearl::call::{Answer, Call, Refusal, Reply};
use crate::brightpearl::idset::{IdSet, fold};

/// The largest id set of one read.
pub(crate) const LARGEST_SET: u64 = 200;

pub(crate) fn get(account: &Account, call: &Call<'_>, ids: &str, rng: &mut StdRng) -> Answer {
    let mut found: Vec<&Order> = call
        .id_set(ids, Some(LARGEST_SET))?
        .present_in(&account.orders)
        .iter()
        .filter_map(|id| account.orders.get(id))
        .collect();
    // The real answer does not keep the order of the request.
    found.shuffle(rng);
    let orders: Vec<Value> = found.into_iter().map(|order| render_for(account, call, order)).collect();
    Ok(Reply::of(orders))
}

fn render_for(account: &Account, call: &Call<'_>, order: &Order) -> Value {
    let mut out = render(account, order);
    if call.includes("customFields") {
        out["customFields"] = json!(order.custom_fields);
    }
    if call.includes("nullCustomFields") {
        let unset: Vec<&str> = account
            .custom_fields
            .values()
            .map(|field| field.code.as_str())
            .filter(|code| !order.custom_fields.contains_key(*code))
            .collect();
        out["nullCustomFields"] = json!(unset);
    }
    out
}

/// The fewest paths that read the asked ids, missing ids left out.
pub(crate) fn options<T>(
    call: &Call<'_>,
    path: &str,
    ids: Option<&str>,
    map: &std::collections::BTreeMap<i64, T>,
) -> Answer {
    let set = ids.map_or(Ok(IdSet::All), |ids| call.id_set(ids, None))?;
    let present = set.present_in(map);
    let chunk = usize::try_from(LARGEST_SET).unwrap_or(usize::MAX);
    let uris: Vec<String> = present.chunks(chunk).map(|ids| format!("{path}/{}", fold(ids))).collect();
    Ok(Reply::of(json!({ "getUris": uris })))
}

fn money(value: Decimal, places: usize) -> String {
    format!("{value:.places$}")
}

/// A row as orders show it.
pub(crate) fn render_row(row: &Row, currency: &str) -> Value {
    let amount = |value: Decimal, places: usize| json!({ "currencyCode": currency, "value": money(value, places) });
    let mut out = json!({
        "orderRowSequence": row.sequence.to_string(),
        "productId": row.product_id,
        "productName": row.name,
        "quantity": { "magnitude": money(row.quantity, 4) },
        "itemCost": amount(row.item_cost, 4),
        "productPrice": amount(row.product_price, 4),
        "discountPercentage": money(row.discount, 2),
        "rowValue": {
            "taxRate": money(row.tax_rate, 4), "taxCode": row.tax_code, "taxCalculator": "brightpearl",
            "rowNet": amount(row.net, 4), "rowTax": amount(row.tax, 2), "taxClassId": row.tax_id
        },
        "nominalCode": row.nominal,
        "composition": {
            "bundleParent": row.bundle_parent, "bundleChild": row.parent_row != 0, "parentOrderRowId": row.parent_row
        },
        "clonedFromId": row.cloned_from
    });
    if let Some(sku) = &row.sku {
        out["productSku"] = json!(sku);
    }
    out
}

/// An order as the API shows it.
pub(crate) fn render(account: &Account, order: &Order) -> Value {
    let rows: Map<String, Value> =
        order.rows.iter().map(|(id, row)| (id.to_string(), render_row(row, &order.currency))).collect();
    let (net, tax) = (cents(order.net()), cents(order.tax()));
    let base = |value: Decimal| money(cents(value / order.exchange_rate), 2);
    let mut delivery = json!({ "shippingMethodId": order.shipping_method_id });
    if let Some(date) = order.delivery_date {
        delivery["deliveryDate"] = account.time(date);
    }
    let invoice = match &order.invoice {
        None => json!({ "invoiceReference": "" }),
        Some((reference, date)) => {
            json!({ "invoiceReference": reference, "taxDate": account.time(*date), "dueDate": account.time(*date) })
        }
    };
    let status_name = account.statuses.get(&order.status_id).map_or("", |status| status.name.as_str());
    let mut out = json!({
        "id": order.id, "parentOrderId": order.parent_id, "orderTypeCode": order.kind.code(),
        "reference": order.reference, "version": order.version,
        "state": { "tax": if order.invoice.is_some() { "INVOICED" } else { "READY" } },
        "orderStatus": { "orderStatusId": order.status_id, "name": status_name },
        "tax": { "errors": [] },
        "orderPaymentStatus": order.payment_status().name(),
        "stockStatusCode": order.stock_status, "allocationStatusCode": order.allocation_status,
        "shippingStatusCode": order.shipping_status,
        "placedOn": account.time(order.placed_on), "createdOn": account.time(order.created_on),
        "createdById": order.created_by, "priceListId": order.price_list_id,
        "priceModeCode": if order.tax_inclusive { "INC" } else { "EXC" },
        "delivery": delivery,
        "invoices": [invoice],
        "currency": {
            "accountingCurrencyCode": account.currency, "orderCurrencyCode": order.currency,
            "exchangeRate": money(order.exchange_rate, 6), "fixedExchangeRate": order.fixed_rate
        },
        "totalValue": {
            "net": money(net, 2), "taxAmount": money(tax, 2), "baseNet": base(net), "baseTaxAmount": base(tax),
            "baseTotal": base(net + tax), "total": money(net + tax, 2)
        },
        "assignment": { "current": {
            "staffOwnerContactId": order.assignment.owner, "projectId": order.assignment.project,
            "channelId": order.assignment.channel, "leadSourceId": order.assignment.lead_source,
            "teamId": order.assignment.team
        } },
        "parties": parties(order),
        "orderRows": rows,
        "warehouseId": order.warehouse_id, "acknowledged": 0, "costPriceListId": order.cost_price_list_id,
        "historicalOrder": false, "orderWeighting": 100
    });
    if order.invoice.is_none() {
        // When the real system leaves it out is not known (assumption: once invoiced, as recorded).
        out["isDropship"] = json!(false);
    }
    if let Some(at) = order.updated_on {
        out["updatedOn"] = account.time(at);
    }
    if let Some(at) = order.closed_on {
        out["closedOn"] = account.time(at);
    }
    if let Some((_, date)) = &order.invoice {
        out["originalInvoiceDate"] = account.time(*date);
    }
    out
}

fn parties(order: &Order) -> Value {
    let with_contact = |contact: i64, mut address: Value| {
        address["contactId"] = json!(contact);
        address
    };
    let other = with_contact(order.other_party.contact_id, order.other_party.address.in_order());
    let billing = with_contact(order.billing.contact_id, order.billing.address.in_order());
    let mut out = json!({ "delivery": order.delivery.in_order(), "billing": billing });
    out[if order.is_purchase() { "supplier" } else { "customer" }] = other;
    out
}

/// `GET /order-stock-status` and its siblings: fixed lists.
pub(crate) fn stock_statuses() -> Answer {
    Ok(Reply::of(code_list(&STOCK_STATUSES)))
}

pub(crate) fn shipping_statuses() -> Answer {
    Ok(Reply::of(code_list(&SHIPPING_STATUSES)))
}

pub(crate) fn types() -> Answer {
    let list: Vec<Value> = super::OrderType::ALL
        .iter()
        .map(|kind| json!({ "id": kind.id(), "code": kind.code(), "name": kind.name() }))
        .collect();
    Ok(Reply::of(list))
}

fn code_list(list: &[(i64, &str, &str)]) -> Vec<Value> {
    list.iter().map(|(id, code, text)| json!({ "id": id, "code": code, "description": text })).collect()
}

/// Refuses a read without an id set (*assumption*: the set is needed).
pub(crate) fn set_needed() -> Answer {
    Err(Refusal::invalid("You must supply an ID set"))
}
