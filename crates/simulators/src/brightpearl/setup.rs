//! What an account is set up with: warehouses, shipping methods, statuses, channels, configuration.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::Account;
use super::call::{Answer, Call, Refusal, Reply};
use super::orders::OrderType;

#[derive(Clone, Debug)]
pub(crate) struct Warehouse {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) type_code: &'static str,
    pub(crate) type_description: &'static str,
    pub(crate) address_id: i64,
    pub(crate) default_location: i64,
    pub(crate) quarantine_location: i64,
    /// Location to its aisle, bay, shelf and bin.
    pub(crate) locations: BTreeMap<i64, [String; 4]>,
}

#[derive(Clone, Debug)]
pub(crate) struct ShippingMethod {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) carrier: String,
}

#[derive(Clone, Debug)]
pub(crate) struct OrderStatus {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) kind: OrderType,
    pub(crate) sort_order: i64,
    /// Hidden: orders cannot be put into it.
    pub(crate) disabled: bool,
    /// Visible to the customer.
    pub(crate) visible: bool,
    pub(crate) color: String,
    pub(crate) state: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) default_warehouse: Option<i64>,
    pub(crate) warehouses: Vec<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct CustomField {
    pub(crate) id: i64,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) kind: CustomFieldKind,
}

#[derive(Clone, Debug)]
pub(crate) enum CustomFieldKind {
    Text,
    Integer,
    Boolean,
    Select(BTreeMap<i64, String>),
}

impl CustomFieldKind {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Integer => "INTEGER",
            Self::Boolean => "YES_NO",
            Self::Select(_) => "SELECT",
        }
    }
}

/// Renders all of a map, or the asked ids; nothing found is 404 with `what`.
fn listed<T>(
    call: &Call<'_>,
    ids: Option<&str>,
    map: &BTreeMap<i64, T>,
    what: &str,
    render: impl Fn(&T) -> Value,
) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let wanted = |id: &i64| set.as_ref().is_none_or(|set| set.contains(*id));
    let found: Vec<Value> = map.iter().filter(|(id, _)| wanted(id)).map(|(_, item)| render(item)).collect();
    if found.is_empty() && ids.is_some() {
        return Err(Refusal::not_found(format!("No {what} found")));
    }
    Ok(Reply::of(found))
}

pub(crate) fn warehouses(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    listed(call, ids, &account.warehouses, "warehouses", |warehouse| {
        json!({
            "id": warehouse.id, "name": warehouse.name, "typeCode": warehouse.type_code,
            "typeDescription": warehouse.type_description, "address": { "addressId": warehouse.address_id },
            "clickAndCollectEnabled": false
        })
    })
}

pub(crate) fn shipping_methods(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    listed(call, ids, &account.shipping_methods, "shipping methods", |method| {
        json!({
            "id": method.id, "name": method.name, "code": method.code, "breaks": "10,100,250,1000,100000",
            "methodType": 1, "additionalInformationRequired": false, "carrier": method.carrier, "countries": "UK,US"
        })
    })
}

pub(crate) fn channels(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let price_list = account.sell_price_list();
    listed(call, ids, &account.channels, "channels", |channel| {
        let mut out = json!({
            "id": channel.id, "name": channel.name, "channelTypeId": 2, "channelBrandId": 1,
            "defaultPriceListId": price_list
        });
        if let Some(warehouse) = channel.default_warehouse {
            out["defaultWarehouseId"] = json!(warehouse);
        }
        if !channel.warehouses.is_empty() {
            out["warehouseIds"] = json!(channel.warehouses);
        }
        out
    })
}

fn warehouse(account: &Account, id: i64) -> Result<&Warehouse, Refusal> {
    account.warehouses.get(&id).ok_or_else(|| Refusal::not_found("No warehouses found"))
}

pub(crate) fn default_location(account: &Account, id: i64) -> Answer {
    Ok(Reply::of(warehouse(account, id)?.default_location))
}

pub(crate) fn quarantine_location(account: &Account, id: i64) -> Answer {
    Ok(Reply::of(warehouse(account, id)?.quarantine_location))
}

pub(crate) fn locations(account: &Account, call: &Call<'_>, id: i64, ids: Option<&str>) -> Answer {
    let warehouse = warehouse(account, id)?;
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let found: Vec<Value> = warehouse
        .locations
        .iter()
        .filter(|(location, _)| set.as_ref().is_none_or(|set| set.contains(**location)))
        .map(|(location, [aisle, bay, shelf, bin])| {
            let mut out = json!({ "id": location, "warehouseId": id, "groupingA": aisle });
            for (name, grouping) in [("groupingB", bay), ("groupingC", shelf), ("groupingD", bin)] {
                if !grouping.is_empty() {
                    out[name] = json!(grouping);
                }
            }
            out
        })
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No locations found"));
    }
    Ok(Reply::of(found))
}

/// Where products of a warehouse belong, and when to reorder them.
pub(crate) fn product_defaults(account: &Account, call: &Call<'_>, id: i64, ids: &str) -> Answer {
    let location = warehouse(account, id)?.default_location;
    let found: Vec<Value> = call
        .id_set(ids, Some(200))?
        .present_in(&account.products)
        .into_iter()
        .filter(|product| account.products.get(product).is_some_and(|product| product.stock_tracked))
        .map(|product| {
            json!({
                "productId": product, "defaultLocationId": location, "overflowLocationId": 0, "reorderLevel": 0,
                "reorderQuantity": 0
            })
        })
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No warehouse defaults found"));
    }
    Ok(Reply::of(found))
}

/// The settings of the account; every value is a text.
pub(crate) fn configuration(account: &Account) -> Answer {
    let roles = account.roles;
    let entries: [(&str, String); 19] = [
        ("baseCurrencyCode", account.currency.clone()),
        ("timeZone", account.zone_name.clone()),
        ("invoicedOrderStatusId", roles.invoiced.to_string()),
        ("newSalesOrderStatusId", roles.new_sales_order.to_string()),
        ("newPurchaseOrderStatusId", roles.new_purchase_order.to_string()),
        ("newSalesCreditStatusId", roles.new_sales_credit.to_string()),
        ("newPurchaseCreditStatusId", roles.new_purchase_credit.to_string()),
        ("cancelledOrderStatusId", roles.cancelled.to_string()),
        ("poStatusAcknowledged", "7".to_owned()),
        ("defaultCostPriceListId", account.cost_price_list().to_string()),
        ("defaultProductTypeId", "1".to_owned()),
        ("multipleWarehouseEnabled", "1".to_owned()),
        ("productWeightUnit", "GRAM".to_owned()),
        ("taxSchemeCode", "VAT".to_owned()),
        ("autoAssignOrder", "1".to_owned()),
        ("defaultTaxRateId", "3".to_owned()),
        ("orderRowSortingStrategy", "NONE".to_owned()),
        ("productSeasonsEnabled", "0".to_owned()),
        ("costOfSalesEnabled", "1".to_owned()),
    ];
    let configuration: Map<String, Value> =
        entries.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    Ok(Reply::of(json!({ "configuration": configuration })))
}
