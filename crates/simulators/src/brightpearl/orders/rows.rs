//! Rows of orders.

use rust_decimal::Decimal;
use serde_json::Value;

use super::create::amount;
use super::read::render_row;
use super::{FREE_TEXT, Row};
use crate::brightpearl::account::{Account, Change, missing_order, next};
use crate::brightpearl::call::{Answer, Call, Refusal, Reply, decimal, field, int, text};
use crate::brightpearl::products::Product;

/// The nominal code of sales.
const SALES: &str = "4000";

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>, order: i64) -> Answer {
    let mut errors = Vec::new();
    if !account.orders.contains_key(&order) {
        errors.extend(missing_order(order).errors);
    }
    let row = match read_row(account, call.json()?) {
        Ok(row) => Some(row),
        Err(refusal) => {
            errors.extend(refusal.errors);
            None
        }
    };
    let (Some(row), true) = (row, errors.is_empty()) else {
        return Err(Refusal { status: 400, errors });
    };
    refuse_invoiced(account, order)?;
    let bundle = row.bundle_parent;
    if bundle && account.order(order)?.is_purchase() {
        return Err(Refusal::invalid("A bundle cannot be on a purchase"));
    }
    let id = account.add_row(order, row, call)?;
    Ok(Reply::of(id))
}

pub(crate) fn patch(account: &mut Account, call: &mut Call<'_>, order: i64, row: i64) -> Answer {
    let steps = call.patch()?;
    let mut changed = account.order(order)?.rows.get(&row).cloned().ok_or_else(|| missing_row(row))?;
    refuse_invoiced(account, order)?;
    for step in &steps {
        if step.op != "replace" {
            return Err(step.not_allowed());
        }
        let value = decimal(&step.value);
        let number = || value.ok_or_else(|| Refusal::invalid(format!("{} is not a number", step.path)));
        match step.path.as_str() {
            "/rowValue/rowNet/value" => {
                changed.net = number()?;
                changed.recalculate_tax();
            }
            "/rowValue/rowTax/value" => changed.tax = number()?,
            "/quantity/magnitude" => {
                let quantity = number()?;
                let on_notes = account.noted_quantities(account.order(order)?).get(&row).copied().unwrap_or(0);
                if changed.ships() && (!quantity.fract().is_zero() || quantity < Decimal::from(on_notes)) {
                    return Err(Refusal::invalid("You have supplied an invalid quantity"));
                }
                changed.quantity = quantity;
            }
            "/productName" => text(&step.value).unwrap_or_default().clone_into(&mut changed.name),
            "/nominalCode" => text(&step.value).unwrap_or_default().clone_into(&mut changed.nominal),
            _ => return Err(step.unknown_path()),
        }
    }
    let out = render_row(&changed, &account.order(order)?.currency);
    account.change_order(order, Change::Content, call, |order| {
        order.rows.insert(row, changed);
    })?;
    Ok(Reply::of(out))
}

pub(crate) fn delete(account: &mut Account, call: &mut Call<'_>, order: i64, row: i64) -> Answer {
    if !account.order(order)?.rows.contains_key(&row) {
        return Err(missing_row(row));
    }
    refuse_invoiced(account, order)?;
    account.remove_row(order, row, call)?;
    Ok(Reply::empty())
}

fn missing_row(row: i64) -> Refusal {
    Refusal::invalid(format!("You have supplied an invalid order row id: {row}"))
}

fn refuse_invoiced(account: &Account, order: i64) -> Result<(), Refusal> {
    if account.order(order)?.invoice.is_some() {
        return Err(Refusal::invalid("The order has been invoiced"));
    }
    Ok(())
}

/// Reads the row of a row POST.
fn read_row(account: &Account, body: &Value) -> Result<Row, Refusal> {
    let product = match field(body, "productId").and_then(int) {
        None | Some(FREE_TEXT) => None,
        Some(id) => {
            let found = account.products.get(&id);
            Some(found.ok_or_else(|| Refusal::invalid(format!("Product {id} does not exist")))?)
        }
    };
    let name = field(body, "productName").and_then(text);
    if product.is_none() && name.is_none() {
        return Err(Refusal::bad(
            "ORDC-026",
            "You have not supplied a product name, which is required for all free text items.",
        ));
    }
    let quantity = body.pointer("/quantity/magnitude").and_then(decimal);
    let quantity = quantity.ok_or_else(|| Refusal::invalid("You have supplied an invalid quantity"))?;
    let tax_code = body.pointer("/rowValue/taxCode").and_then(text);
    let tax_code = tax_code.ok_or_else(|| Refusal::invalid("You have not supplied a tax code"))?;
    let net = amount(body.pointer("/rowValue/rowNet")).unwrap_or_default();
    let mut row = account.new_row(product, quantity, tax_code, net)?;
    if let Some(name) = name {
        name.clone_into(&mut row.name);
    }
    if let Some(tax) = amount(body.pointer("/rowValue/rowTax")) {
        row.tax = tax;
    }
    if let Some(nominal) = field(body, "nominalCode").and_then(text) {
        nominal.clone_into(&mut row.nominal);
    }
    row.external_ref = field(body, "externalRef").and_then(text).map(str::to_owned);
    Ok(row)
}

impl Account {
    /// A row that is not on an order yet. SKU and name are a snapshot of the product.
    pub(crate) fn new_row(
        &self,
        product: Option<&Product>,
        quantity: Decimal,
        tax_code: &str,
        net: Decimal,
    ) -> Result<Row, Refusal> {
        let tax = self.tax_codes.values().find(|tax| tax.code == tax_code);
        let tax = tax.ok_or_else(|| Refusal::invalid(format!("Tax code {tax_code} does not exist")))?;
        let whole_only = product.is_some_and(|product| product.stock_tracked || !product.components.is_empty());
        if whole_only && !quantity.fract().is_zero() {
            return Err(Refusal::invalid("You have supplied an invalid quantity"));
        }
        let cost = product.and_then(|product| product.price(self.cost_price_list())).unwrap_or_default();
        let mut row = Row {
            sequence: 0,
            product_id: product.map_or(FREE_TEXT, |product| product.id),
            name: product.map(|product| product.name.clone()).unwrap_or_default(),
            sku: product.map(|product| product.sku.clone()),
            quantity,
            item_cost: cost,
            product_price: Decimal::ZERO,
            discount: Decimal::ZERO,
            tax_id: tax.id,
            tax_code: tax.code.clone(),
            tax_rate: tax.rate.unwrap_or_default(),
            net,
            tax: Decimal::ZERO,
            nominal: SALES.to_owned(),
            stock_tracked: product.is_some_and(|product| product.stock_tracked),
            bundle_parent: product.is_some_and(|product| !product.components.is_empty()),
            parent_row: 0,
            cloned_from: 0,
            external_ref: None,
        };
        if product.is_some() && !quantity.is_zero() {
            row.product_price = (net / quantity).round_dp(4);
        }
        row.recalculate_tax();
        Ok(row)
    }

    /// Adds a row, and one per component if it is a bundle; the id is the row's own.
    pub(crate) fn add_row(&mut self, order: i64, row: Row, call: &mut Call<'_>) -> Result<i64, Refusal> {
        let mut rows = Vec::new();
        let id = next(&mut self.next.row);
        let (product, quantity, parent) = (row.product_id, row.quantity, row.bundle_parent);
        rows.push((id, row));
        if parent {
            self.component_rows(product, quantity, id, &mut rows, 0)?;
        }
        self.change_order(order, Change::Content, call, |order| {
            for (id, mut row) in rows {
                row.sequence = order.rows.values().map(|row| row.sequence).max().unwrap_or(0) + 10;
                order.rows.insert(id, row);
            }
        })?;
        Ok(id)
    }

    fn component_rows(
        &mut self,
        bundle: i64,
        quantity: Decimal,
        parent: i64,
        rows: &mut Vec<(i64, Row)>,
        depth: u32,
    ) -> Result<(), Refusal> {
        let components = self.products.get(&bundle).map(|product| product.components.clone()).unwrap_or_default();
        for (component, count) in components {
            let product = self.products.get(&component).cloned();
            let tax = self.tax_codes.values().next().map(|tax| tax.code.clone()).unwrap_or_default();
            let mut row = self.new_row(product.as_ref(), quantity * Decimal::from(count), &tax, Decimal::ZERO)?;
            row.parent_row = parent;
            let (nested, quantity) = (row.bundle_parent, row.quantity);
            let id = next(&mut self.next.row);
            rows.push((id, row));
            // A bundle inside a bundle; no account nests deeper than a few levels.
            if nested && depth < 5 {
                self.component_rows(component, quantity, id, rows, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Takes a row off an order, with its components. Refused while it is on a goods-out note (*assumption*).
    pub(crate) fn remove_row(&mut self, order: i64, row: i64, call: &mut Call<'_>) -> Result<(), Refusal> {
        let found = self.order(order)?;
        let family: Vec<i64> =
            found.rows.iter().filter(|(id, line)| **id == row || line.parent_row == row).map(|(id, _)| *id).collect();
        let on_notes = self.noted_quantities(found);
        if family.iter().any(|id| on_notes.get(id).is_some_and(|quantity| *quantity > 0)) {
            return Err(Refusal::invalid("The row is on a goods-out note"));
        }
        self.unreserve_rows(order, &family);
        self.change_order(order, Change::Content, call, |order| order.rows.retain(|id, _| !family.contains(id)))
    }
}
