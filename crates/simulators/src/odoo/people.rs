//! The people in the warehouse, who work in Odoo.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Odoo, id, word};

/// What becomes of what does not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// It follows, in a back-order.
    Follows,
    /// Nothing follows.
    Nothing,
}

/// How an order is shipped.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// Units by SKU; everything that is open where it is not said.
    pub only: Option<BTreeMap<String, i64>>,
    /// What becomes of the rest.
    pub rest: Rest,
    /// Boxes.
    pub boxes: usize,
}

impl Dispatch {
    /// Everything, in one box.
    #[must_use]
    pub fn full() -> Self {
        Self { only: None, rest: Rest::Follows, boxes: 1 }
    }
}

/// How they work when nobody tells them.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// Of orders that leave in two parts.
    pub part_percent: u32,
    /// Of shipments in two boxes.
    pub boxes_percent: u32,
}

impl Odoo {
    /// Makes products; `tracking` is `none`, `lot` or `serial`.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn add_products(&self, skus: &[&str], tracking: &str) -> Result<(), String> {
        let products: Vec<Value> = skus
            .iter()
            .map(|sku| {
                json!({ "name": format!("Goods {sku}"), "default_code": sku, "type": "consu", "is_storable": true,
                        "tracking": tracking })
            })
            .collect();
        self.call("product.product", "create", &json!({ "vals_list": products })).map(drop)
    }

    /// Sets what lies on the shelves of the first building.
    ///
    /// # Errors
    /// As [`Odoo::call`], and for a SKU that is not there.
    pub fn shelve(&self, units: &BTreeMap<String, i64>) -> Result<(), String> {
        let rows: Vec<(&str, i64, Option<i64>)> =
            units.iter().map(|(sku, units)| (sku.as_str(), *units, None)).collect();
        self.put_on_shelves(&rows)
    }

    /// Puts goods on the shelves that have a lot, or a serial number each.
    ///
    /// # Errors
    /// As [`Odoo::shelve`].
    pub fn shelve_lots(&self, sku: &str, lots: &[(&str, i64)]) -> Result<(), String> {
        let product = self.product(sku)?;
        let mut rows = Vec::new();
        for (lot, units) in lots {
            let made =
                self.call("stock.lot", "create", &json!({ "vals_list": [{ "name": lot, "product_id": product }] }))?;
            rows.push((sku, *units, made.get(0).and_then(Value::as_i64)));
        }
        self.put_on_shelves(&rows)
    }

    fn product(&self, sku: &str) -> Result<i64, String> {
        let skus = self.skus()?;
        let found = skus.iter().find(|(_, known)| *known == sku).map(|(id, _)| *id);
        found.ok_or_else(|| format!("there is no product {sku}"))
    }

    fn put_on_shelves(&self, rows: &[(&str, i64, Option<i64>)]) -> Result<(), String> {
        let buildings = self.search("stock.warehouse", json!([]), &["lot_stock_id"])?;
        let shelf = buildings.first().map(|building| id(building, "lot_stock_id")).unwrap_or_default();
        let by_sku: BTreeMap<String, i64> = self.skus()?.into_iter().map(|(id, sku)| (sku, id)).collect();
        let mut quants = Vec::new();
        for (sku, units, lot) in rows {
            let product = by_sku.get(*sku).ok_or_else(|| format!("there is no product {sku}"))?;
            quants.push(
                json!({ "product_id": product, "location_id": shelf, "inventory_quantity": units, "lot_id": lot }),
            );
        }
        let made =
            self.call("stock.quant", "create", &json!({ "vals_list": quants, "context": { "inventory_mode": true } }))?;
        self.call("stock.quant", "action_apply_inventory", &json!({ "ids": made })).map(drop)
    }

    /// Puts everything out of sight: orders are ended and lose their keys, products lose their SKUs. As good as new to whoever
    /// looks by those.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn clear(&self) -> Result<(), String> {
        let all = |rows: &[Value]| rows.iter().map(|row| id(row, "id")).collect::<Vec<i64>>();
        let orders = self.search("sale.order", json!([["client_order_ref", "!=", false]]), &["state"])?;
        let open: Vec<Value> = orders.iter().filter(|order| word(order, "state") != "cancel").cloned().collect();
        let context = json!({ "disable_cancel_warning": true });
        self.call("sale.order", "action_cancel", &json!({ "ids": all(&open), "context": context }))?;
        let values = json!({ "client_order_ref": false });
        self.call("sale.order", "write", &json!({ "ids": all(&orders), "vals": values }))?;
        let names = self.search("ir.model.data", json!([["module", "=", "__millrace"]]), &["name"])?;
        self.call("ir.model.data", "unlink", &json!({ "ids": all(&names) }))?;
        let products: Vec<i64> = self.skus()?.into_keys().collect();
        self.call("product.product", "write", &json!({ "ids": products, "vals": { "default_code": false } })).map(drop)
    }

    /// The transfers of an order that something can leave with.
    fn open_transfers(&self, key: &str) -> Result<Vec<i64>, String> {
        let domain = json!([
            ["sale_id.client_order_ref", "=", key],
            ["picking_type_code", "=", "outgoing"],
            ["state", "in", ["confirmed", "waiting", "assigned"]]
        ]);
        Ok(self.search("stock.picking", domain, &["name"])?.iter().map(|row| id(row, "id")).collect())
    }

    /// Ships what is open of an order, and says which numbers it went under.
    ///
    /// # Errors
    /// As [`Odoo::call`], and when nothing is open.
    pub fn ship(&self, key: &str, how: &Dispatch) -> Result<(), String> {
        let transfer = *self.open_transfers(key)?.first().ok_or_else(|| format!("nothing of {key} is open"))?;
        self.call("stock.picking", "action_assign", &json!({ "ids": [transfer] }))?;
        let skus = self.skus()?;
        let moves = self.search("stock.move", json!([["picking_id", "=", transfer]]), &["product_id"])?;
        let mut going = BTreeSet::new();
        for one in &moves {
            let (number, sku) = (id(one, "id"), skus.get(&id(one, "product_id")).cloned().unwrap_or_default());
            let units = how.only.as_ref().map(|only| only.get(&sku).copied().unwrap_or_default());
            let values = match units {
                None => json!({ "picked": true }),
                Some(0) => json!({ "quantity": 0, "picked": false }),
                Some(units) => json!({ "quantity": units, "picked": true }),
            };
            self.call("stock.move", "write", &json!({ "ids": [number], "vals": values }))?;
            if units != Some(0) {
                going.insert(number);
            }
        }
        let lines = self.search("stock.move.line", json!([["picking_id", "=", transfer]]), &["move_id"])?;
        let lines: Vec<i64> =
            lines.iter().filter(|line| going.contains(&id(line, "move_id"))).map(|line| id(line, "id")).collect();
        let boxes = how.boxes.clamp(1, lines.len().max(1));
        let numbers: Vec<String> = (1..=boxes).map(|place| format!("1Z{transfer:06}{place}")).collect();
        let names: Vec<Value> = numbers.iter().map(|number| json!({ "name": format!("BOX-{number}") })).collect();
        let packages = self.call("stock.package", "create", &json!({ "vals_list": names }))?;
        for (place, line) in lines.iter().enumerate() {
            let package = packages.get(place % boxes);
            self.call("stock.move.line", "write", &json!({ "ids": [line], "vals": { "result_package_id": package } }))?;
        }
        let tracking = numbers.join(",");
        let values = json!({ "carrier_tracking_ref": tracking });
        self.call("stock.picking", "write", &json!({ "ids": [transfer], "vals": values }))?;
        let mut context = json!({ "skip_backorder": true, "skip_sms": true });
        if let (Rest::Nothing, Some(context)) = (how.rest, context.as_object_mut()) {
            context.insert("picking_ids_not_to_backorder".to_owned(), json!([transfer]));
        }
        let done = self.call("stock.picking", "button_validate", &json!({ "ids": [transfer], "context": context }))?;
        match done {
            Value::Bool(true) => Ok(()),
            dialog => Err(format!("{key} was not shipped: {}", word(&dialog, "res_model"))),
        }
    }

    /// Ships something else in place of a product of an order.
    ///
    /// # Errors
    /// As [`Odoo::ship`].
    pub fn substitute(&self, key: &str, sku: &str, with: &str) -> Result<(), String> {
        let transfer = *self.open_transfers(key)?.first().ok_or_else(|| format!("nothing of {key} is open"))?;
        let (product, other) = (self.product(sku)?, self.product(with)?);
        let domain = json!([["picking_id", "=", transfer], ["product_id", "=", product]]);
        let fields = ["product_uom_qty", "location_id", "location_dest_id"];
        let replaced = self.search("stock.move", domain, &fields)?;
        for one in &replaced {
            let made = json!({
                "picking_id": transfer, "product_id": other, "product_uom_qty": one.get("product_uom_qty"),
                "location_id": id(one, "location_id"), "location_dest_id": id(one, "location_dest_id"),
            });
            self.call("stock.move", "create", &json!({ "vals_list": [made] }))?;
        }
        self.call("stock.picking", "action_confirm", &json!({ "ids": [transfer] }))?;
        let mut only: BTreeMap<String, i64> = BTreeMap::new();
        let skus = self.skus()?;
        let domain = json!([["picking_id", "=", transfer]]);
        for one in self.search("stock.move", domain, &["product_id", "product_uom_qty"])? {
            let units = one.get("product_uom_qty").and_then(Value::as_f64).map_or(0, |units| units as i64);
            let goes = if id(&one, "product_id") == product { 0 } else { units };
            only.insert(skus.get(&id(&one, "product_id")).cloned().unwrap_or_default(), goes);
        }
        self.ship(key, &Dispatch { only: Some(only), rest: Rest::Nothing, boxes: 1 })
    }

    /// Gives an order up.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn give_up(&self, key: &str) -> Result<(), String> {
        let orders = self.search("sale.order", json!([["client_order_ref", "=", key]]), &["name"])?;
        let ids: Vec<i64> = orders.iter().map(|order| id(order, "id")).collect();
        let context = json!({ "disable_cancel_warning": true });
        self.call("sale.order", "action_cancel", &json!({ "ids": ids, "context": context })).map(drop)
    }

    /// Writes something on an order that nobody ships by.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn touch(&self, key: &str) -> Result<(), String> {
        let orders = self.search("sale.order", json!([["client_order_ref", "=", key]]), &["name"])?;
        let ids: Vec<i64> = orders.iter().map(|order| id(order, "id")).collect();
        self.call("sale.order", "write", &json!({ "ids": ids, "vals": { "note": "seen" } })).map(drop)
    }

    /// Opens Odoo's own list of what lies where. With that Odoo sets right what it counts as reserved, as its nightly task does:
    /// where several reserve at once, units can stay reserved for nothing until then.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn look_at_the_shelves(&self) -> Result<(), String> {
        self.call("stock.quant", "action_view_inventory", &json!({})).map(drop)
    }

    /// Keys of orders of which something is open.
    fn open_orders(&self) -> Result<Vec<(String, bool)>, String> {
        let domain = json!([
            ["sale_id.client_order_ref", "!=", false],
            ["picking_type_code", "=", "outgoing"],
            ["state", "in", ["confirmed", "waiting", "assigned"]]
        ]);
        let transfers = self.search("stock.picking", domain, &["sale_id", "backorder_id"])?;
        let sales: Vec<i64> = transfers.iter().map(|transfer| id(transfer, "sale_id")).collect();
        let orders = self.search("sale.order", json!([["id", "in", sales]]), &["client_order_ref"])?;
        let key = |sale: i64| Some(word(orders.iter().find(|order| id(order, "id") == sale)?, "client_order_ref"));
        let open = |transfer: &Value| {
            let key = key(id(transfer, "sale_id"))?;
            Some((key.to_owned(), id(transfer, "backorder_id") == 0))
        };
        Ok(transfers.iter().filter_map(open).collect())
    }

    /// Ships everything that may leave, each as the dice say. How many left.
    ///
    /// # Errors
    /// As [`Odoo::call`]; what could not be shipped now is shipped the next time.
    pub fn work_off(&self, habits: Habits, dice: &mut StdRng) -> Result<usize, String> {
        let mut left = 0;
        for (key, is_first) in self.open_orders()? {
            let part = is_first && dice.random_range(0..100) < habits.part_percent;
            let boxes = if dice.random_range(0..100) < habits.boxes_percent { 2 } else { 1 };
            let only = if part { self.first_unit(&key)? } else { None };
            if self.ship(&key, &Dispatch { only, rest: Rest::Follows, boxes }).is_ok() {
                left += 1;
            }
        }
        Ok(left)
    }

    /// One unit of the first product of an order that has more than that to ship.
    fn first_unit(&self, key: &str) -> Result<Option<BTreeMap<String, i64>>, String> {
        let orders = self.orders()?;
        let asked = orders.into_iter().find(|order| order.key == key).map(|order| order.asked).unwrap_or_default();
        let more_than_one = asked.values().copied().sum::<Decimal>() > Decimal::ONE;
        Ok(asked.into_keys().next().filter(|_| more_than_one).map(|sku| BTreeMap::from([(sku, 1)])))
    }
}

/// People who work by themselves until this is dropped.
#[derive(Debug)]
pub struct Shift {
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Shift {
    /// They begin.
    #[must_use]
    pub fn start(odoo: Arc<Odoo>, habits: Habits, seed: u64, every: Duration) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut dice = StdRng::seed_from_u64(seed);
            while !over.load(Ordering::Relaxed) {
                // Two who write at once are told so by Odoo, and one of them tries again.
                let done = odoo.work_off(habits, &mut dice).and_then(|left| match left {
                    0 => odoo.look_at_the_shelves(),
                    _ => Ok(()),
                });
                if let Err(error) = done {
                    tracing::debug!("{error}");
                }
                std::thread::sleep(every);
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends with what it is doing.
            let _ = thread.join();
        }
    }
}
