//! Reading products, prices and stock.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorError, Cost, Product, SourceLevels};
use serde_json::Value;

use super::{
    client::{Answers, Client, Failure, Purpose},
    idset,
    lenient::{IdMap, whole},
    map,
    search::{self, Filter, Query},
    wire,
};

/// The most ids of one product or price GET (Brightpearl API docs: product-service/product/get). For availability no
/// number is documented; this one is taken by every account seen.
const PRODUCTS_PER_CALL: usize = 200;
/// Up to so many SKUs are looked for one by one; beyond, going through the whole catalogue may take fewer calls.
const SKUS_ONE_BY_ONE: usize = 4;
/// The refusal of products that are not stock-tracked.
const NOT_TRACKED: &str = "WHSC-097";
/// The API's "there is none", under whichever status.
const UNKNOWN: &str = "CMNC-404";
/// Rows of one page of a search.
const ROWS_PER_PAGE: i64 = 500;

/// Products by id, those that do not exist left out.
pub(super) async fn products(client: &Client, ids: &[i64]) -> Result<Vec<Product>, Failure> {
    let answers: Vec<Vec<wire::Product>> = client
        .get_set(Purpose::stock("product_read"), idset::chunks(ids, PRODUCTS_PER_CALL), |ids| {
            format!("product-service/product/{}", idset::compact(ids))
        })
        .await?;
    let mut products: Vec<Product> = answers.into_iter().flatten().map(map::to_product).collect();
    // What nobody asked for is not believed, here and below.
    let asked: BTreeSet<i64> = ids.iter().copied().collect();
    products.retain(|product| asked.contains(&product.product_id));
    products.sort_by_key(|product| product.product_id);
    Ok(products)
}

/// The products that carry each SKU exactly: the filter may match more loosely, and SKUs need not be unique.
pub(super) async fn find_skus(client: &Client, skus: &[String]) -> Result<BTreeMap<String, Vec<i64>>, Failure> {
    let purpose = Purpose::stock("product_read");
    let mut found: BTreeMap<String, Vec<i64>> =
        skus.iter().filter(|sku| !sku.is_empty()).map(|sku| (sku.clone(), Vec::new())).collect();
    let catalogue =
        Query { path: "product-service/product-search", columns: &["productId", "SKU"], filters: Vec::new() };
    let by_sku = |sku: &str| Query { filters: vec![("SKU", Filter::text(sku))], ..catalogue.clone() };

    let mut one_by_one = found.len() <= SKUS_ONE_BY_ONE;
    if !one_by_one {
        let products = search::count(client, purpose, &catalogue).await?;
        one_by_one = i64::try_from(found.len()).unwrap_or(i64::MAX) <= products / ROWS_PER_PAGE;
    }
    let mut rows = Vec::new();
    if one_by_one {
        for sku in found.keys() {
            rows.extend(search::all(client, purpose, &by_sku(sku)).await?);
        }
    } else {
        rows = search::all(client, purpose, &catalogue).await?;
    }
    for row in rows {
        if let [product_id, Value::String(sku)] = row.as_slice()
            && let Some(products) = found.get_mut(sku)
            && let Some(product_id) = whole(product_id)
        {
            products.push(product_id);
        }
    }
    for products in found.values_mut() {
        products.sort_unstable();
        products.dedup();
    }
    Ok(found)
}

/// Stock in one warehouse. A product without stock there, without stock tracking, or unknown is absent; where
/// Brightpearl refuses a whole set for one of the latter two, the set is halved until the others are read. What it refuses for
/// anything else is told as not read: nothing is known of its stock, least of all that there is none.
pub(super) async fn levels(
    client: &Client,
    purpose: Purpose,
    warehouse_id: i64,
    product_ids: &[i64],
) -> Result<SourceLevels, Failure> {
    let answers: Answers<IdMap<wire::ProductAvailability>> = client
        .get_each(purpose, idset::chunks(product_ids, PRODUCTS_PER_CALL), |ids| {
            format!("warehouse-service/product-availability/{}", idset::compact(ids))
        })
        .await?;
    let asked: BTreeSet<i64> = product_ids.iter().copied().collect();
    let products = answers.found.into_iter().flat_map(|products| products.0);
    let levels = products
        .filter(|(id, _)| asked.contains(id))
        .filter_map(|(id, product)| product.warehouses.0.get(&warehouse_id).map(|stock| (id, map::to_stock(stock))))
        .collect();
    let unread = answers.refused.into_iter().filter(|(_, failure)| !has_no_stock(failure));
    let unread = unread.map(|(id, failure)| (id, ConnectorError::from(failure).message)).collect();
    Ok(SourceLevels { levels, unread })
}

/// Whether a product whose availability is refused has none for sure: it is not stock-tracked, or does not exist.
fn has_no_stock(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused { code, .. } if code == NOT_TRACKED || code == UNKNOWN)
}

/// The cost of one of each product on a price list.
pub(super) async fn costs(
    client: &Client,
    price_list: i64,
    product_ids: &[i64],
) -> Result<BTreeMap<i64, Cost>, Failure> {
    let answers: Vec<Vec<wire::ProductPrice>> = client
        .get_set(Purpose::stock("price_read"), idset::chunks(product_ids, PRODUCTS_PER_CALL), |ids| {
            format!("product-service/product-price/{}", idset::compact(ids))
        })
        .await?;
    let asked: BTreeSet<i64> = product_ids.iter().copied().collect();
    let prices = answers.into_iter().flatten().filter(|price| asked.contains(&price.product_id.0));
    Ok(prices.filter_map(|price| map::to_cost(&price, price_list).map(|cost| (price.product_id.0, cost))).collect())
}

/// The location that stock is put in when nothing else is said: a bare number.
pub(super) async fn default_location(client: &Client, warehouse_id: i64) -> Result<i64, Failure> {
    let path = format!("warehouse-service/warehouse/{warehouse_id}/location/default");
    let location: Value = client.get(Purpose::stock("lists"), &path).await?;
    let id = whole(&location).or_else(|| location.get("id").and_then(whole)).filter(|id| *id > 0);
    id.ok_or_else(|| Failure::Unreadable(format!("the default location of warehouse {warehouse_id} is not an id")))
}
