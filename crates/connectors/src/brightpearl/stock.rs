//! Reading products, prices and stock.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Cost, Product, SourceStock};
use serde_json::Value;

use super::{
    client::{Client, Failure, Missing, Purpose},
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
/// Rows of one page of a search.
const ROWS_PER_PAGE: i64 = 500;

/// Products by id, those that do not exist left out.
pub(super) async fn products(client: &Client, ids: &[i64]) -> Result<Vec<Product>, Failure> {
    let answers: Vec<Vec<wire::Product>> = client
        .get_set(Purpose::stock("product_read"), idset::chunks(ids, PRODUCTS_PER_CALL), Missing::All, |ids| {
            format!("product-service/product/{}", idset::compact(ids))
        })
        .await?;
    let mut products: Vec<Product> = answers.into_iter().flatten().map(map::to_product).collect();
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
/// Brightpearl refuses a whole set for one of the latter two, the set is halved until the others are read.
pub(super) async fn levels(
    client: &Client,
    warehouse_id: i64,
    product_ids: &[i64],
) -> Result<BTreeMap<i64, SourceStock>, Failure> {
    let answers: Vec<IdMap<wire::ProductAvailability>> = client
        .get_set(Purpose::stock("stock_read"), idset::chunks(product_ids, PRODUCTS_PER_CALL), Missing::One, |ids| {
            format!("warehouse-service/product-availability/{}", idset::compact(ids))
        })
        .await?;
    let products = answers.into_iter().flat_map(|products| products.0);
    Ok(products
        .filter_map(|(id, product)| product.warehouses.0.get(&warehouse_id).map(|stock| (id, map::to_stock(stock))))
        .collect())
}

/// The cost of one of each product on a price list.
pub(super) async fn costs(
    client: &Client,
    price_list: i64,
    product_ids: &[i64],
) -> Result<BTreeMap<i64, Cost>, Failure> {
    let answers: Vec<Vec<wire::ProductPrice>> = client
        .get_set(Purpose::stock("price_read"), idset::chunks(product_ids, PRODUCTS_PER_CALL), Missing::All, |ids| {
            format!("product-service/product-price/{}", idset::compact(ids))
        })
        .await?;
    let prices = answers.into_iter().flatten();
    Ok(prices.filter_map(|price| map::to_cost(&price, price_list).map(|cost| (price.product_id.0, cost))).collect())
}

/// The location that stock is put in when nothing else is said: a bare number.
pub(super) async fn default_location(client: &Client, warehouse_id: i64) -> Result<i64, Failure> {
    let path = format!("warehouse-service/warehouse/{warehouse_id}/location/default");
    let location: Value = client.get(Purpose::stock("lists"), &path).await?;
    let id = whole(&location).or_else(|| location.get("id").and_then(whole)).filter(|id| *id > 0);
    id.ok_or_else(|| Failure::Unreadable(format!("the default location of warehouse {warehouse_id} is not an id")))
}

/// A stock correction as the account keeps it: its note, its words, and what moved.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    pub(super) note_id: i64,
    pub(super) reason: String,
    /// Product and signed quantity.
    pub(super) moved: Vec<(i64, rust_decimal::Decimal)>,
}

/// Stock corrections of these products (of all, where none is named) in one warehouse since a time: movements give the
/// notes, notes give the words.
pub(super) async fn corrections_since(
    client: &Client,
    purpose: Purpose,
    warehouse_id: i64,
    product_ids: BTreeSet<i64>,
    since: jiff::Timestamp,
) -> Result<Vec<Correction>, Failure> {
    let mut filters = vec![
        ("warehouseId", Filter::Any(BTreeSet::from([warehouse_id]))),
        ("goodsNoteTypeCode", Filter::text("SC")),
        ("updatedOn", Filter::text(format!("{}/", super::lenient::time_text(since)))),
    ];
    if !product_ids.is_empty() {
        filters.push(("productId", Filter::Any(product_ids)));
    }
    let query = Query {
        path: "warehouse-service/goods-movement-search",
        columns: &["goodsMovementId", "goodsNoteId", "goodsNoteTypeCode"],
        filters,
    };
    let rows = search::all(client, purpose, &query).await?;
    let is_correction = |row: &&search::Row| row.get(2).and_then(Value::as_str) == Some("SC");
    let notes: Vec<i64> = rows.iter().filter(is_correction).filter_map(|row| row.get(1).and_then(whole)).collect();
    let answers: Vec<Vec<wire::StockCorrectionNote>> = client
        .get_set(purpose, idset::chunks(&notes, PRODUCTS_PER_CALL), Missing::All, |ids| {
            format!("warehouse-service/warehouse/{warehouse_id}/stock-correction/{}", idset::compact(ids))
        })
        .await?;
    Ok(answers
        .into_iter()
        .flatten()
        .map(|note| Correction {
            note_id: note.goods_note_id.0,
            reason: note.reason.0,
            moved: note.goods_moved.iter().map(|moved| (moved.product_id.0, moved.quantity.or_zero())).collect(),
        })
        .collect())
}

/// How often the change of each of the hub's markers was made in a warehouse since a time.
pub(super) async fn markers(
    client: &Client,
    warehouse_id: i64,
    since: jiff::Timestamp,
) -> Result<BTreeMap<String, u32>, Failure> {
    let corrections =
        corrections_since(client, Purpose::sweeps("stock_read"), warehouse_id, BTreeSet::new(), since).await?;
    Ok(times_made(&corrections))
}

/// How often each marked change was made. One removal may come as several movements, each with a note of its own: only notes
/// that move the very same count as repeats.
fn times_made(corrections: &[Correction]) -> BTreeMap<String, u32> {
    type Moved = BTreeMap<i64, rust_decimal::Decimal>;
    let mut made: BTreeMap<&str, BTreeMap<Moved, BTreeSet<i64>>> = BTreeMap::new();
    for correction in corrections {
        let Some(marker) = marker(&correction.reason) else { continue };
        let mut moved = Moved::new();
        for (product_id, quantity) in &correction.moved {
            *moved.entry(*product_id).or_default() += *quantity;
        }
        made.entry(marker).or_default().entry(moved).or_default().insert(correction.note_id);
    }
    let most = |changes: &BTreeMap<Moved, BTreeSet<i64>>| changes.values().map(BTreeSet::len).max().unwrap_or(0);
    made.iter()
        .map(|(marker, changes)| ((*marker).to_owned(), u32::try_from(most(changes)).unwrap_or(u32::MAX)))
        .collect()
}

/// The hub's marker in the words of a correction, whatever became of the brackets around it.
fn marker(reason: &str) -> Option<&str> {
    const LENGTH: usize = 26;
    let (_, rest) = reason.split_once("hub:")?;
    let marker = rest.get(..LENGTH)?;
    marker.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).then_some(marker)
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::{Correction, times_made};

    #[test]
    fn a_marker_counts_twice_only_where_the_same_change_was_made_twice() {
        let note = |note_id, marker: &str, moved: i64| Correction {
            note_id,
            reason: format!("Count &#91;hub:{marker}&#93;"),
            moved: vec![(7, Decimal::from(moved))],
        };
        let (once, twice, parts) =
            ("01JEXAMPLE0123456789ABCDEF", "01JEXAMPLE0123456789ABCDEG", "01JEXAMPLE0123456789ABCDEH");
        let unmarked = Correction { note_id: 9, reason: "Counted [hub:short]".to_owned(), moved: Vec::new() };
        let times = times_made(&[
            note(1, once, -3),
            note(1, once, -3),
            note(2, twice, 4),
            note(3, twice, 4),
            note(4, parts, -1),
            note(5, parts, -2),
            unmarked,
        ]);
        let expected = [(once, 1), (twice, 2), (parts, 1)].map(|(marker, times)| (marker.to_owned(), times));
        assert_eq!(times, expected.into());
    }
}
