//! What is in Odoo's own books.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil, tz::TimeZone};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Odoo, id, word};
use crate::audit::{Units, WarehouseOrder, WarehouseShipment};

impl Odoo {
    /// Every sales order there ever was, with what left of it.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn orders(&self) -> Result<Vec<WarehouseOrder>, String> {
        let skus = self.skus()?;
        let fields = ["client_order_ref", "state", "create_date"];
        let orders = self.search("sale.order", json!([["client_order_ref", "!=", false]]), &fields)?;
        let lines = self.search("sale.order.line", json!([]), &["order_id", "product_id", "product_uom_qty"])?;
        let domain = json!([["picking_type_code", "=", "outgoing"], ["state", "=", "done"]]);
        let transfers = self.search("stock.picking", domain, &["sale_id", "date_done", "carrier_tracking_ref"])?;
        let domain = json!([["picking_id.picking_type_code", "=", "outgoing"], ["state", "=", "done"]]);
        let moved =
            self.search("stock.move.line", domain, &["picking_id", "product_id", "quantity", "result_package_id"])?;
        let units = |rows: &[&Value], quantity: &str| {
            let mut units = Units::new();
            for row in rows {
                let sku = skus.get(&id(row, "product_id")).cloned().unwrap_or_default();
                *units.entry(sku).or_default() += number(row, quantity);
            }
            units.retain(|_, count| !count.is_zero());
            units
        };
        let of = |rows: &'_ [Value], link: &str, owner: i64| -> Vec<Value> {
            rows.iter().filter(|row| id(row, link) == owner).cloned().collect()
        };
        Ok(orders
            .iter()
            .map(|order| {
                let mine = of(&transfers, "sale_id", id(order, "id"));
                let mut shipments: Vec<WarehouseShipment> = mine
                    .iter()
                    .map(|transfer| {
                        let goods = of(&moved, "picking_id", id(transfer, "id"));
                        let mut boxes: Vec<i64> = goods.iter().map(|row| id(row, "result_package_id")).collect();
                        boxes.sort_unstable();
                        boxes.dedup();
                        let tracking = word(transfer, "carrier_tracking_ref").split(',').map(str::trim);
                        WarehouseShipment {
                            reference: id(transfer, "id").to_string(),
                            shipped_at: moment(word(transfer, "date_done")),
                            tracking: tracking.filter(|one| !one.is_empty()).map(str::to_owned).collect(),
                            boxes: boxes.into_iter().filter(|package| *package > 0).count(),
                            units: units(&goods.iter().collect::<Vec<_>>(), "quantity"),
                        }
                    })
                    .collect();
                shipments.sort_by(|a, b| (a.shipped_at, &a.reference).cmp(&(b.shipped_at, &b.reference)));
                let asked = of(&lines, "order_id", id(order, "id"));
                WarehouseOrder {
                    key: word(order, "client_order_ref").to_owned(),
                    received_at: moment(word(order, "create_date")),
                    live: word(order, "state") != "cancel",
                    asked: units(&asked.iter().collect::<Vec<_>>(), "product_uom_qty"),
                    shipments,
                }
            })
            .collect())
    }

    /// What there is by SKU in all buildings: available, on the shelf.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn figures(&self) -> Result<BTreeMap<String, (Decimal, Decimal)>, String> {
        let skus = self.skus()?;
        let mut figures: BTreeMap<String, (Decimal, Decimal)> =
            skus.values().map(|sku| (sku.clone(), (Decimal::ZERO, Decimal::ZERO))).collect();
        let domain = json!([["location_id.usage", "=", "internal"]]);
        for row in self.search("stock.quant", domain, &["product_id", "quantity", "reserved_quantity"])? {
            if let Some(sum) = skus.get(&id(&row, "product_id")).and_then(|sku| figures.get_mut(sku)) {
                sum.0 += number(&row, "quantity") - number(&row, "reserved_quantity");
                sum.1 += number(&row, "quantity");
            }
        }
        Ok(figures.into_iter().map(|(sku, sum)| (sku, (sum.0.normalize(), sum.1.normalize()))).collect())
    }

    /// SKUs of what stock is kept of, by product.
    pub(super) fn skus(&self) -> Result<BTreeMap<i64, String>, String> {
        let domain = json!([["is_storable", "=", true], ["default_code", "!=", false]]);
        let products = self.search("product.product", domain, &["default_code"])?;
        Ok(products.iter().map(|row| (id(row, "id"), word(row, "default_code").to_owned())).collect())
    }
}

fn number(row: &Value, name: &str) -> Decimal {
    let text = row.get(name).map(Value::to_string).unwrap_or_default();
    text.parse::<Decimal>().map(|number| number.normalize()).unwrap_or_default()
}

/// A time of Odoo's, which is in UTC and says nothing of it.
fn moment(text: &str) -> Timestamp {
    let time = text.parse::<civil::DateTime>().ok().and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    time.map(|zoned| zoned.timestamp()).unwrap_or_default()
}
