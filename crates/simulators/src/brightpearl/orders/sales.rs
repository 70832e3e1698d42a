//! Sales orders in one message: head and rows together, nothing by halves.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::create::{amount, utc_midnight};
use super::{Order, OrderType, Party, Row, cents};
use crate::brightpearl::account::Account;
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, boolean, decimal, field, int, text, time};
use crate::brightpearl::contacts::Address;
use crate::brightpearl::orders::read::LARGEST_SET;
use crate::brightpearl::switches::DuplicateSalesOrder;

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?.clone();
    let customer = body.pointer("/customer/id").or_else(|| body.get("customerId")).and_then(int);
    let customer = customer
        .filter(|id| account.contacts.get(id).is_some_and(|contact| !contact.supplier))
        .ok_or_else(|| Refusal::invalid("Customer ID Required."))?;
    let pair = field(&body, "externalRef")
        .and_then(text)
        .map(str::to_owned)
        .zip(field(&body, "installedIntegrationInstanceId").and_then(int));
    if let Some(existing) = pair.as_ref().and_then(|pair| account.external_refs.get(pair)) {
        return Ok(match call.switches.duplicate_sales_order {
            DuplicateSalesOrder::ExistingId => Reply::of(*existing),
            DuplicateSalesOrder::Empty => Reply::empty(),
        });
    }
    let mut order = account.blank_order(OrderType::SalesOrder, customer, call);
    read_head(account, &body, &mut order)?;
    let empty = Vec::new();
    let given = field(&body, "rows").and_then(Value::as_array).unwrap_or(&empty);
    let rows = given.iter().map(|row| read_row(account, row)).collect::<Result<Vec<_>, _>>()?;
    if let Some((reference, instance)) = &pair {
        order.external_ref = Some(reference.clone());
        order.instance_id = Some(*instance);
    }
    let version = order.version;
    let id = account.insert_order(order, call);
    for row in rows {
        account.add_row(id, row, call)?;
    }
    if let Some(order) = account.orders.get_mut(&id) {
        // Its rows came with it: the order is as new.
        (order.version, order.updated_on) = (version, None);
    }
    if let Some(pair) = pair {
        account.external_refs.insert(pair, id);
    }
    account.raise("sales-order", "created", None, id, call.now);
    Ok(Reply::of(id))
}

fn read_head(account: &Account, body: &Value, order: &mut Order) -> Result<(), Refusal> {
    if let Some(address) = body.pointer("/customer/address") {
        order.other_party.address = Address::read(address);
        order.delivery = order.other_party.address.clone();
    }
    if let Some(address) = body.pointer("/delivery/address") {
        order.delivery = Address::read(address);
    }
    if let Some(contact) = body.pointer("/billing/contactId").and_then(int) {
        let found =
            account.contacts.get(&contact).ok_or_else(|| Refusal::invalid("The billing contact does not exist"))?;
        order.billing = Party { contact_id: contact, address: found.address(&account.addresses) };
    }
    if let Some(reference) = field(body, "ref").and_then(text) {
        if reference.chars().count() > 64 {
            return Err(Refusal::invalid("The reference is longer than 64 characters"));
        }
        reference.clone_into(&mut order.reference);
    }
    let moment = |pointer: &str| match body.pointer(pointer).and_then(text) {
        None => Ok(None),
        Some(given) => time(given).map(Some).ok_or_else(|| Refusal::invalid(format!("{pointer} cannot be read"))),
    };
    if let Some(placed) = moment("/placedOn")? {
        order.placed_on = placed;
        order.tax_date = utc_midnight(placed);
    }
    if let Some(date) = moment("/taxDate")? {
        order.tax_date = date;
    }
    order.delivery_date = moment("/delivery/date")?;
    if let Some(status) = field(body, "statusId").and_then(int) {
        let known =
            account.statuses.get(&status).is_some_and(|known| known.kind == OrderType::SalesOrder && !known.disabled);
        if !known {
            return Err(Refusal::invalid(format!("Order status {status} does not exist for this order type")));
        }
        order.status_id = status;
    }
    if let Some(warehouse) = field(body, "warehouseId").and_then(int) {
        if !account.warehouses.contains_key(&warehouse) {
            return Err(Refusal::invalid(format!("Warehouse {warehouse} does not exist")));
        }
        order.warehouse_id = warehouse;
    }
    if let Some(method) = body.pointer("/delivery/shippingMethodId").and_then(int) {
        order.shipping_method_id = account.known_method(method)?;
    }
    if let Some(parent) = field(body, "parentId").and_then(int).filter(|id| *id != 0) {
        order.parent_id = account.order(parent)?.id;
    }
    let number = |name: &str| field(body, name).and_then(int).unwrap_or(0);
    order.assignment.channel = number("channelId");
    order.assignment.owner = number("staffOwnerId");
    order.assignment.project = number("projectId");
    order.assignment.lead_source = number("leadSourceId");
    order.assignment.team = number("teamId");
    if let Some(list) = field(body, "priceListId").and_then(int) {
        order.price_list_id = list;
    }
    order.tax_inclusive = field(body, "priceModeCode").and_then(text) == Some("INC");
    if let Some(code) = body.pointer("/currency/code").and_then(text) {
        code.clone_into(&mut order.currency);
    }
    if let Some(rate) = body.pointer("/currency/exchangeRate").and_then(decimal).filter(|rate| !rate.is_zero()) {
        order.exchange_rate = rate;
    }
    if let Some(fixed) = body.pointer("/currency/fixedExchangeRate").and_then(boolean) {
        order.fixed_rate = fixed;
    }
    Ok(())
}

fn read_row(account: &Account, body: &Value) -> Result<Row, Refusal> {
    let product = match field(body, "productId").and_then(int) {
        None | Some(super::FREE_TEXT) => None,
        Some(id) => {
            let found = account.products.get(&id);
            Some(found.ok_or_else(|| Refusal::invalid(format!("Product {id} does not exist")))?)
        }
    };
    let name = field(body, "name").and_then(text);
    if product.is_none() && name.is_none() {
        return Err(Refusal::bad(
            "ORDC-026",
            "You have not supplied a product name, which is required for all free text items.",
        ));
    }
    let quantity = field(body, "quantity").and_then(decimal);
    let quantity = quantity.ok_or_else(|| Refusal::invalid("You have supplied an invalid quantity"))?;
    let tax_code = field(body, "taxCode").and_then(text);
    let tax_code = tax_code.ok_or_else(|| Refusal::invalid("You have not supplied a tax code"))?;
    let net = amount(body.get("net")).unwrap_or_default();
    let mut row = account.new_row(product, quantity, tax_code, net)?;
    if let Some(name) = name {
        name.clone_into(&mut row.name);
    }
    if let Some(tax) = amount(body.get("tax")) {
        row.tax = tax;
    }
    if let Some(nominal) = field(body, "nominalCode").and_then(text) {
        nominal.clone_into(&mut row.nominal);
    }
    row.external_ref = field(body, "externalRef").and_then(text).map(str::to_owned);
    Ok(row)
}

pub(crate) fn get(account: &Account, call: &Call<'_>, ids: &str) -> Answer {
    let found: Vec<Value> = call
        .id_set(ids, Some(LARGEST_SET))?
        .present_in(&account.orders)
        .iter()
        .filter_map(|id| account.orders.get(id))
        .filter(|order| order.kind == OrderType::SalesOrder)
        .map(|order| render(account, order))
        .collect();
    Ok(Reply::of(found))
}

fn render(account: &Account, order: &Order) -> Value {
    let rows: Vec<Value> = order.rows.iter().map(|(id, row)| render_row(*id, row)).collect();
    let (net, tax) = (cents(order.net()), cents(order.tax()));
    let base = |value: Decimal| format!("{:.2}", cents(value / order.exchange_rate));
    let mut out = json!({
        "id": order.id,
        "customer": { "id": order.other_party.contact_id, "address": order.other_party.address.in_order() },
        "customerId": order.other_party.contact_id,
        "billing": { "contactId": order.billing.contact_id, "address": order.billing.address.in_order() },
        "ref": order.reference,
        "placedOn": account.time(order.placed_on), "taxDate": account.time(order.tax_date),
        "statusId": order.status_id, "warehouseId": order.warehouse_id, "channelId": order.assignment.channel,
        "priceListId": order.price_list_id, "priceModeCode": if order.tax_inclusive { "INC" } else { "EXC" },
        "currency": {
            "code": order.currency, "fixedExchangeRate": order.fixed_rate,
            "exchangeRate": format!("{:.6}", order.exchange_rate)
        },
        "delivery": { "shippingMethodId": order.shipping_method_id, "address": order.delivery.in_order() },
        "rows": rows,
        "total": {
            "net": format!("{net:.2}"), "tax": format!("{tax:.2}"), "gross": format!("{:.2}", net + tax),
            "baseNet": base(net), "baseTax": base(tax), "baseGross": base(net + tax)
        },
        "isCanceled": order.status_id == account.roles.cancelled,
        "orderPaymentStatus": order.payment_status().name(),
        "allocationStatusCode": order.allocation_status, "stockStatusCode": order.stock_status,
        "shippingStatusCode": order.shipping_status,
        "createdOn": account.time(order.created_on), "createdBy": order.created_by
    });
    if let Some(date) = order.delivery_date {
        out["delivery"]["date"] = account.time(date);
    }
    if let Some(at) = order.updated_on {
        out["updatedOn"] = account.time(at);
    }
    if let Some(reference) = &order.external_ref {
        out["externalRef"] = json!(reference);
    }
    if let Some(instance) = order.instance_id {
        out["installedIntegrationInstanceId"] = json!(instance);
    }
    if order.parent_id != 0 {
        out["parentId"] = json!(order.parent_id);
    }
    out
}

fn render_row(id: i64, row: &Row) -> Value {
    let mut out = json!({
        "id": id, "productId": row.product_id, "name": row.name, "quantity": row.quantity.normalize().to_string(),
        "taxCode": row.tax_code, "net": format!("{:.2}", row.net), "tax": format!("{:.2}", row.tax),
        "nominalCode": row.nominal, "productPrice": format!("{:.2}", row.product_price),
        "discountPercentage": format!("{:.2}", row.discount), "sequence": row.sequence,
        "bundleChild": row.parent_row != 0, "bundleParent": row.bundle_parent,
        "parentRowId": (row.parent_row != 0).then_some(row.parent_row)
    });
    if let Some(sku) = &row.sku {
        out["sku"] = json!(sku);
    }
    if let Some(reference) = &row.external_ref {
        out["externalRef"] = json!(reference);
    }
    out
}
