//! Products, prices, brands and tax codes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::account::{Account, next};
use super::call::{Answer, Call, Refusal, Reply, decimal, field, int, number, text};
use super::orders::read::LARGEST_SET;
use super::switches::SellListCode;

#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) brand_id: i64,
    pub(crate) barcode: String,
    pub(crate) ean: Option<String>,
    pub(crate) stock_tracked: bool,
    pub(crate) archived: bool,
    pub(crate) tax_code: i64,
    pub(crate) weight: Decimal,
    pub(crate) category: String,
    /// Product group and the option that tells its members apart.
    pub(crate) variation: Option<(i64, String)>,
    /// Component and count; not empty for bundles.
    pub(crate) components: Vec<(i64, i64)>,
    /// Price list to break quantity to price.
    pub(crate) prices: BTreeMap<i64, BTreeMap<i64, Decimal>>,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Timestamp,
}

impl Product {
    /// The price for one.
    pub(crate) fn price(&self, list: i64) -> Option<Decimal> {
        self.prices.get(&list)?.values().next().copied()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct PriceList {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) buys: bool,
    pub(crate) gross: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct TaxCode {
    pub(crate) id: i64,
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) rate: Option<Decimal>,
}

#[derive(Clone, Debug)]
pub(crate) struct Brand {
    pub(crate) id: i64,
    pub(crate) name: String,
}

impl Account {
    /// The default cost price list.
    pub(crate) fn cost_price_list(&self) -> i64 {
        self.price_lists.values().find(|list| list.buys).map_or(0, |list| list.id)
    }

    /// The first price list for selling.
    pub(crate) fn sell_price_list(&self) -> i64 {
        self.price_lists.values().find(|list| !list.buys).map_or(0, |list| list.id)
    }
}

pub(crate) fn get(account: &Account, call: &Call<'_>, ids: &str) -> Answer {
    let found: Vec<Value> = call
        .id_set(ids, Some(LARGEST_SET))?
        .present_in(&account.products)
        .iter()
        .filter_map(|id| account.products.get(id))
        .map(|product| render(account, product))
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No Products Found"));
    }
    Ok(Reply::of(found))
}

fn render(account: &Account, product: &Product) -> Value {
    let mut identity = json!({ "sku": product.sku, "barcode": product.barcode });
    if let Some(ean) = &product.ean {
        identity["ean"] = json!(ean);
    }
    let tax = account.tax_codes.get(&product.tax_code).map_or("", |tax| tax.code.as_str());
    let html = json!({ "languageCode": "en", "text": "", "format": "HTML_FRAGMENT" });
    let warehouses: Map<String, Value> = account
        .warehouses
        .keys()
        .map(|id| {
            let defaults =
                json!({ "defaultLocationId": 0, "overflowLocationId": 0, "reorderLevel": 0, "reorderQuantity": 0 });
            (id.to_string(), defaults)
        })
        .collect();
    let zero = number(Decimal::new(0, 1));
    let mut out = json!({
        "id": product.id, "brandId": product.brand_id, "productTypeId": 1, "identity": identity, "featured": false,
        "stock": {
            "stockTracked": product.stock_tracked, "weight": { "magnitude": number(product.weight) },
            "dimensions": { "length": zero, "height": zero, "width": zero, "volume": zero }
        },
        "financialDetails": { "taxable": true, "taxCode": { "id": product.tax_code, "code": tax } },
        "salesChannels": [{
            "salesChannelName": "Brightpearl", "productName": product.name, "productCondition": "new",
            "categories": [{ "categoryCode": product.category }], "description": html, "shortDescription": html
        }],
        "composition": composition(account, product, 0),
        "createdOn": account.time(product.created_on), "updatedOn": account.time(product.updated_on),
        "warehouses": warehouses,
        "nominalCodeStock": "1001", "nominalCodePurchases": "5000", "nominalCodeSales": "4000",
        "seasonIds": [], "reporting": {}, "status": if product.archived { "ARCHIVED" } else { "LIVE" },
        "salesPopupMessage": "", "warehousePopupMessage": "", "version": product.updated_on.as_millisecond()
    });
    if let Some((group, value)) = &product.variation {
        out["productGroupId"] = json!(group);
        out["variations"] =
            json!([{ "optionId": 1, "optionName": "Color", "optionValueId": product.id, "optionValue": value }]);
    }
    out
}

fn composition(account: &Account, product: &Product, depth: u32) -> Value {
    if product.components.is_empty() {
        return json!({ "bundle": false });
    }
    let components: Vec<Value> = product
        .components
        .iter()
        .map(|(id, count)| {
            let mut out = json!({ "productId": id, "productQuantity": count });
            let nested = account.products.get(id).filter(|nested| !nested.components.is_empty() && depth < 5);
            if let Some(nested) = nested {
                out["composition"] = composition(account, nested, depth + 1);
            }
            out
        })
        .collect();
    json!({ "bundle": true, "bundleComponents": components })
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let brand = field(body, "brandId").and_then(int).filter(|id| account.brands.contains_key(id));
    let brand_id = brand.ok_or_else(|| Refusal::bad("PRDC-014", "You must supply a brand ID."))?;
    let take = |pointer: &str| body.pointer(pointer).and_then(text).unwrap_or_default().to_owned();
    let category = body.pointer("/salesChannels/0/categories/0/categoryCode");
    let category = category.map(|code| text(code).map_or_else(|| code.to_string(), str::to_owned));
    let id = next(&mut account.next.product);
    let product = Product {
        id,
        sku: take("/identity/sku"),
        name: take("/salesChannels/0/productName"),
        brand_id,
        barcode: take("/identity/barcode"),
        ean: body.pointer("/identity/ean").and_then(text).map(str::to_owned),
        stock_tracked: body.pointer("/stock/stockTracked").and_then(Value::as_bool).unwrap_or(false),
        archived: false,
        tax_code: body.pointer("/financialDetails/taxCode/id").and_then(int).unwrap_or(1),
        weight: body.pointer("/stock/weight/magnitude").and_then(decimal).unwrap_or_default(),
        category: category.unwrap_or_default(),
        variation: None,
        components: Vec::new(),
        prices: BTreeMap::new(),
        created_on: call.now,
        updated_on: call.now,
    };
    account.products.insert(id, product);
    call.trace.took_effect = true;
    account.raise("product", "created", None, id, call.now);
    Ok(Reply::of(id))
}

/// Changes the sections that are given.
pub(crate) fn put(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let body = call.json()?;
    let mut product = account.products.get(&id).cloned().ok_or_else(|| Refusal::not_found("No Products Found"))?;
    let given = |pointer: &str| body.pointer(pointer).and_then(text).map(str::to_owned);
    if let Some(name) = given("/salesChannels/0/productName") {
        product.name = name;
    }
    if let Some(sku) = given("/identity/sku") {
        product.sku = sku;
    }
    if let Some(barcode) = given("/identity/barcode") {
        product.barcode = barcode;
    }
    if let Some(status) = given("/status") {
        product.archived = status == "ARCHIVED";
    }
    product.updated_on = call.now;
    account.products.insert(id, product);
    call.trace.took_effect = true;
    account.raise("product", "modified", None, id, call.now);
    Ok(Reply::empty())
}

fn prices(account: &Account, product: &Product) -> Value {
    let lists: Vec<Value> = account
        .price_lists
        .keys()
        .map(|list| {
            let breaks: Map<String, Value> = product
                .prices
                .get(list)
                .into_iter()
                .flatten()
                .map(|(quantity, price)| (quantity.to_string(), json!(format!("{price:.4}"))))
                .collect();
            json!({
                "priceListId": list, "currencyCode": account.currency, "currencyId": 1, "quantityPrice": breaks
            })
        })
        .collect();
    json!({ "productId": product.id, "priceLists": lists })
}

/// Prices of products, on all lists or on those of a second id set.
pub(crate) fn get_prices(account: &Account, call: &Call<'_>, ids: &str, lists: Option<&str>) -> Answer {
    let lists = lists.map(|lists| call.id_set(lists, Some(200))).transpose()?;
    let found: Vec<Value> = call
        .id_set(ids, Some(LARGEST_SET))?
        .present_in(&account.products)
        .iter()
        .filter_map(|id| account.products.get(id))
        .map(|product| {
            let mut out = prices(account, product);
            if let (Some(lists), Some(shown)) = (&lists, out["priceLists"].as_array_mut()) {
                shown.retain(|list| int(&list["priceListId"]).is_some_and(|id| lists.contains(id)));
            }
            out
        })
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No Product Prices Found"));
    }
    Ok(Reply::of(found))
}

/// Sets the prices of a product on the given lists.
pub(crate) fn put_prices(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let body = call.json()?;
    let lists = field(body, "priceLists").and_then(Value::as_array);
    let lists = lists.ok_or_else(|| Refusal::invalid("You have not supplied any price lists"))?;
    let mut changed = BTreeMap::new();
    for list in lists {
        let list_id = field(list, "priceListId").and_then(int).filter(|id| account.price_lists.contains_key(id));
        let list_id = list_id.ok_or_else(|| Refusal::invalid("The price list does not exist"))?;
        let mut breaks = BTreeMap::new();
        for (quantity, price) in field(list, "quantityPrice").and_then(Value::as_object).into_iter().flatten() {
            let read = quantity.parse::<i64>().ok().zip(decimal(price));
            let (quantity, price) = read.ok_or_else(|| Refusal::invalid("A price cannot be read"))?;
            breaks.insert(quantity, price);
        }
        changed.insert(list_id, breaks);
    }
    let product = account.products.get_mut(&id).ok_or_else(|| Refusal::not_found("No Product Prices Found"))?;
    product.prices.extend(changed);
    call.trace.took_effect = true;
    Ok(Reply::empty())
}

pub(crate) fn price_lists(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let sell = match call.switches.sell_list_code {
        SellListCode::Sell => "SELL",
        SellListCode::Sale => "SALE",
    };
    let found: Vec<Value> = account
        .price_lists
        .values()
        .filter(|list| set.as_ref().is_none_or(|set| set.contains(list.id)))
        .map(|list| {
            json!({
                "id": list.id, "name": { "languageCode": "en", "text": list.name, "format": "PLAINTEXT" },
                "code": list.code, "currencyCode": account.currency, "currencySymbol": "$", "currencyId": 1,
                "priceListTypeCode": if list.buys { "BUY" } else { sell }, "gross": list.gross
            })
        })
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No Price Lists Found"));
    }
    Ok(Reply::of(found))
}

pub(crate) fn tax_codes(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let found: Vec<Value> = account
        .tax_codes
        .values()
        .filter(|tax| set.as_ref().is_none_or(|set| set.contains(tax.id)))
        .map(|tax| {
            let mut out = json!({ "id": tax.id, "code": tax.code, "description": tax.description });
            if let Some(rate) = tax.rate {
                out["rate"] = number(rate);
            }
            out
        })
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No Tax Codes Found"));
    }
    Ok(Reply::of(found))
}

pub(crate) fn brands(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let found: Vec<Value> = account
        .brands
        .values()
        .filter(|brand| set.as_ref().is_none_or(|set| set.contains(brand.id)))
        .map(|brand| json!({ "id": brand.id, "name": brand.name, "description": "" }))
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No Brands Found"));
    }
    Ok(Reply::of(found))
}

pub(crate) fn post_brand(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let name = field(call.json()?, "name").and_then(text).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::bad("PRDC-024", "Brand name is required"))?.to_owned();
    let id = account.brands.keys().next_back().map_or(1, |last| last + 1);
    account.brands.insert(id, Brand { id, name });
    call.trace.took_effect = true;
    Ok(Reply::of(id))
}
