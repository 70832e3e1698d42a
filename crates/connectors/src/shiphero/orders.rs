//! What an order looks like on its way out, and comparing it with what is there.

use std::collections::BTreeMap;

use connect::{Address, ConnectorError, EffectDraft, EffectKind, PlanError, Probe, RemoteRef, ShipmentRequest};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    find::MOST_LINES,
    settings::Config,
    wire::{Head, Line, Order},
};

/// Longest key. The service publishes no limit for its order number.
const LONGEST_KEY: usize = 50;

/// The creation of one order.
pub(super) fn plan(config: &Config, request: &ShipmentRequest) -> Result<EffectDraft, PlanError> {
    check_key(&request.key)?;
    let count = request.lines.len();
    if count == 0 {
        return Err(PlanError::new("the order has no line to ship"));
    }
    if count > MOST_LINES {
        return Err(PlanError::new(format!(
            "the order has {count} lines, and this warehouse takes {MOST_LINES} in one order: split it"
        )));
    }
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    if let Some(customer) = &config.customer {
        put("customer_account_id", json!(customer));
    }
    put("order_number", json!(request.key));
    put("partner_order_id", json!(request.key));
    put("shop_name", json!(config.shop));
    put("fulfillment_status", json!("pending"));
    put("order_date", json!(time(request.placed_at)));
    if let Some(wanted) = request.deliver_on {
        put("required_ship_date", json!(time(wanted)));
    }
    if config.create_held {
        put("holds", json!({ "client_hold": true }));
    }
    let method = &request.ship_method;
    let title = format!("{} {}", method.carrier.trim(), method.service.trim());
    if !title.trim().is_empty() {
        put(
            "shipping_lines",
            json!({
                "title": title.trim(), "price": "0.00", "carrier": method.carrier.trim(), "method": method.service.trim(),
            }),
        );
    }
    put("shipping_address", address(&request.ship_to)?);
    put("line_items", Value::Array(items(request, request.facility.as_ref().unwrap_or(&config.warehouse))?));
    if !request.notes.trim().is_empty() {
        put("packing_note", json!(request.notes));
    }
    put("tags", json!(["millrace"]));
    put("skip_address_validation", json!(config.skip_address_validation));
    Ok(EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: request.key.clone(),
        batch: None,
        body: Value::Object(body).to_string(),
        numbering: None,
        title: format!(
            "Create order {} at the warehouse{} ({count} {})",
            request.order_number,
            if config.create_held { ", held" } else { "" },
            if count == 1 { "line" } else { "lines" }
        ),
    })
}

fn time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn check_key(key: &str) -> Result<(), PlanError> {
    let plain = key.chars().all(|character| character.is_ascii_alphanumeric() || character == '-' || character == '_');
    if key.is_empty() || key.len() > LONGEST_KEY || !plain {
        return Err(PlanError::new(format!(
            "order number {key:?} may hold letters, digits, dash and underscore only, and at most {LONGEST_KEY} of them: \
             shorten the order key prefix of the connection"
        )));
    }
    Ok(())
}

/// Names of lines must not be used twice in the shop, so they begin with the key.
fn items(request: &ShipmentRequest, warehouse: &str) -> Result<Vec<Value>, PlanError> {
    let mut items = Vec::with_capacity(request.lines.len());
    for line in &request.lines {
        if line.sku.trim().is_empty() {
            return Err(PlanError::new(format!("line {} has no SKU", line.line_number)));
        }
        let units = line.quantity.normalize();
        let whole = Some(units).filter(|units| units.is_integer()).and_then(|units| i32::try_from(units).ok());
        let Some(quantity) = whole.filter(|units| *units > 0) else {
            return Err(PlanError::new(format!(
                "line {} asks for {units}; this warehouse counts whole units above zero",
                line.line_number
            )));
        };
        // The price is that of the row's unit; a part of a kit has none of its own. The service wants one, as a text.
        let price = line.unit_price.as_ref().filter(|_| line.per_unit == Decimal::ONE);
        items.push(json!({
            "sku": line.sku,
            "partner_line_item_id": format!("{}_{}", request.key, line.line_number),
            "quantity": quantity,
            "price": price.map_or_else(|| "0.00".to_owned(), |price| price.amount.to_string()),
            "product_name": line.name,
            "warehouse_id": warehouse,
        }));
    }
    Ok(items)
}

/// The number of a line that was named as [`plan`] names them.
pub(super) fn line_number(name: &str) -> Option<u32> {
    name.rsplit_once('_')?.1.parse().ok()
}

/// What the address holds when it goes out, and what of it is compared.
const ADDRESS: [&str; 9] =
    ["first_name", "last_name", "company", "address1", "address2", "city", "state", "zip", "country_code"];

fn address(to: &Address) -> Result<Value, PlanError> {
    let name = to.name.trim();
    let name = if name.is_empty() { to.company.trim() } else { name };
    let (first, last) = name.rsplit_once(char::is_whitespace).map_or((name, ""), |(first, last)| (first.trim(), last));
    for (text, what) in [(first, "name"), (&to.line1, "street"), (&to.country, "country")] {
        if text.trim().is_empty() {
            return Err(PlanError::address(
                what,
                format!(
                    "the {what} of the delivery address is missing, and this warehouse needs one: complete the order"
                ),
            ));
        }
    }
    Ok(json!({
        "first_name": first, "last_name": last, "company": to.company, "address1": to.line1, "address2": to.line2,
        "city": to.city, "state": to.state, "zip": to.postcode, "country": to.country, "country_code": to.country,
        "email": to.email, "phone": to.phone,
    }))
}

/// Units by SKU, and what the whole of them hashes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines(BTreeMap<String, Decimal>);

impl Lines {
    /// Of a body as it was planned.
    pub(super) fn planned(body: &Value) -> Self {
        let mut lines = Self::default();
        for item in body.get("line_items").and_then(Value::as_array).into_iter().flatten() {
            let sku = item.get("sku").and_then(Value::as_str).unwrap_or_default();
            lines.add(sku, item.get("quantity").and_then(Value::as_i64).unwrap_or_default().into());
        }
        lines
    }

    /// Of an order that is there.
    pub(super) fn there(order: &Order) -> Result<Self, ConnectorError> {
        let mut lines = Self::default();
        for Line { sku, quantity, .. } in order.lines()? {
            lines.add(&sku, quantity);
        }
        Ok(lines)
    }

    fn add(&mut self, sku: &str, quantity: Decimal) {
        let sum = self.0.entry(sku.trim().to_owned()).or_default();
        *sum = (*sum + quantity).normalize();
    }

    /// Short enough to be kept with the order's reference.
    pub(super) fn digest(&self) -> String {
        let text: Vec<String> = self.0.iter().map(|(sku, quantity)| format!("{sku:?}={quantity}")).collect();
        Sha256::digest(text.join(";")).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    fn difference(&self, there: &Self) -> Option<String> {
        let none = Decimal::ZERO;
        self.0
            .keys()
            .chain(there.0.keys())
            .map(|sku| (sku, self.0.get(sku).unwrap_or(&none), there.0.get(sku).unwrap_or(&none)))
            .find(|(_, wanted, there)| wanted != there)
            .map(|(sku, wanted, there)| format!("it has {there} of {sku} where {wanted} were asked for"))
    }
}

/// One order that is there, judged against what was or would be sent (R5).
pub(super) fn verdict(body: &Value, order: &Order) -> Result<Probe, ConnectorError> {
    let planned = Lines::planned(body);
    let difference = planned.difference(&Lines::there(order)?).or_else(|| address_difference(body, order));
    let reference = reference(&order.head).with("lines", planned.digest());
    Ok(match difference {
        Some(difference) => Probe::Different { reference, difference },
        None => Probe::Equal(reference),
    })
}

/// The service's id, with whether it is cancelled there.
pub(super) fn reference(order: &Head) -> RemoteRef {
    let reference = RemoteRef::new(order.id.clone());
    if order.is_cancelled() { reference.with("state", "cancelled") } else { reference }
}

/// Compares what the answer carries of the address; the service may leave empty parts out.
fn address_difference(body: &Value, order: &Order) -> Option<String> {
    let there = order.address.as_ref()?;
    ADDRESS
        .into_iter()
        .find(|part| {
            let wanted = body.pointer(&format!("/shipping_address/{part}")).and_then(Value::as_str).unwrap_or_default();
            there.get(*part).and_then(Value::as_str).is_some_and(|there| there.trim() != wanted.trim())
        })
        .map(|part| format!("its delivery address differs ({part})"))
}
