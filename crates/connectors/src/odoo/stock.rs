//! What lies on the shelves of every warehouse, by SKU.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorError, StockFeed, StockLevel, StockPage, budget::Priority};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Odoo,
    client::{Call, Purpose},
    wire::{Product, Quant, product, rows},
};

const STOCK: Purpose = Purpose(Priority::Stock, "stock");

impl Odoo {
    /// One feed of all warehouses: what is in the building and what of it is promised. A product that was never stocked has no row
    /// of its own in Odoo, so products are read as well, and told as none.
    pub(super) async fn read_stock(&self) -> Result<StockPage, ConnectorError> {
        let field = self.config.sku_field.as_str();
        // Before Odoo 18 a product says by its kind that stock is kept of it.
        let is_stocked = match self.version(STOCK).await? {
            ..18 => json!(["type", "=", "product"]),
            _ => json!(["is_storable", "=", true]),
        };
        let buildings = self.buildings(STOCK).await?;
        let before = self.clock.now();
        let call = Call::search("product.product", json!([is_stocked, [field, "!=", false]]), &product(field));
        let (answer, read_at) = self.client.read_at(STOCK, call).await?;
        // The figures are not older than the answer before them, by Odoo's own clock.
        let cut_off = read_at.unwrap_or(before);
        let listed: Vec<Value> = rows("products", answer)?;
        let products = listed.iter().map(|row| Product::new(row, field)).collect::<Result<Vec<Product>, _>>()?;
        let (skus, doubtful) = by_id(&products);
        if !doubtful.is_empty() {
            tracing::warn!(stock.skus = ?doubtful, "two products in Odoo have one SKU; their stock is left out");
        }
        let mut levels = Vec::new();
        for building in &buildings {
            // Everything inside the building, also what was picked and waits at the door.
            let Some(root) = &building.view_location_id else { continue };
            let domain = json!([["location_id", "child_of", root.id], ["location_id.usage", "=", "internal"]]);
            let call = Call::search("stock.quant", domain, &["product_id", "quantity", "reserved_quantity"]);
            let quants: Vec<Quant> = rows("stock", self.client.read(STOCK, call).await?)?;
            levels.extend(summed(&building.code, &skus, &quants));
        }
        let content_hash = Sha256::digest(serde_json::to_vec(&levels).unwrap_or_default());
        let feed = StockFeed {
            reference: format!("stock at {cut_off}"),
            // Equal figures at another time are another feed.
            content_hash: format!(
                "{cut_off}:{}",
                content_hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            ),
            cut_off,
            sequence: None,
            absent_is_zero: false,
            names_all: true,
            levels,
        };
        Ok(StockPage { feeds: vec![feed], ..StockPage::default() })
    }
}

/// SKUs by product, and those that stand for two products, which are left out.
fn by_id(products: &[Product]) -> (BTreeMap<i64, String>, BTreeSet<String>) {
    let mut by_sku: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for product in products.iter().filter(|product| !product.sku.is_empty()) {
        by_sku.entry(&product.sku).or_default().push(product.id);
    }
    let mut skus = BTreeMap::new();
    let mut doubtful = BTreeSet::new();
    for (sku, ids) in by_sku {
        match ids.as_slice() {
            [only] => drop(skus.insert(*only, sku.to_owned())),
            _ => drop(doubtful.insert(sku.to_owned())),
        }
    }
    (skus, doubtful)
}

/// The figures of one building: of every product, none where nothing lies there.
fn summed(building: &str, skus: &BTreeMap<i64, String>, quants: &[Quant]) -> Vec<StockLevel> {
    let mut sums: BTreeMap<i64, (Decimal, Decimal)> = skus.keys().map(|id| (*id, Default::default())).collect();
    for quant in quants {
        if let Some(sum) = quant.product_id.as_ref().and_then(|product| sums.get_mut(&product.id)) {
            sum.0 += quant.quantity;
            sum.1 += quant.quantity - quant.reserved_quantity;
        }
    }
    let mut levels: Vec<StockLevel> = sums
        .into_iter()
        .filter_map(|(id, (physical, available))| {
            Some(StockLevel {
                sku: skus.get(&id)?.clone(),
                facility: Some(building.to_owned()),
                available: Some(available.normalize()),
                physical: Some(physical.normalize()),
            })
        })
        .collect();
    levels.sort_by(|a, b| a.sku.cmp(&b.sku));
    levels
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde_json::json;

    use super::{Product, Quant, by_id, rows, summed};

    #[test]
    fn every_product_is_counted_once() {
        let product =
            |id: i64, sku: &str| Product { id, sku: sku.to_owned(), kind: "consu".to_owned(), has_serials: false };
        let products = [product(1, "A"), product(2, "B"), product(3, "TWICE"), product(4, "TWICE"), product(5, "")];
        let (skus, doubtful) = by_id(&products);
        assert_eq!(doubtful.into_iter().collect::<Vec<_>>(), ["TWICE"]);
        let quant = |product: i64, units: f64, reserved: f64| json!({"product_id": [product, "x"], "quantity": units, "reserved_quantity": reserved});
        let quants: Vec<Quant> =
            rows("quants", json!([quant(1, 90.0, 5.0), quant(1, 10.5, 0.0), quant(3, 7.0, 0.0), quant(99, 1.0, 0.0)]))
                .unwrap();
        let levels = summed("WH", &skus, &quants);
        let told: Vec<(&str, Option<Decimal>, Option<Decimal>)> =
            levels.iter().map(|level| (level.sku.as_str(), level.physical, level.available)).collect();
        assert_eq!(
            told,
            [
                ("A", Some("100.5".parse().unwrap()), Some("95.5".parse().unwrap())),
                ("B", Some(Decimal::ZERO), Some(Decimal::ZERO)),
            ]
        );
    }
}
