//! What an order looks like on its way out, and comparing it with what is there.

use std::collections::BTreeMap;

use connect::{ConnectorError, EffectDraft, EffectKind, PlanError, Probe, RemoteRef, ShipmentRequest};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{settings::Config, wire::Order};

/// Longest key. The service publishes no limit for its reference number.
const LONGEST_KEY: usize = 64;
/// The lines of the delivery address that are compared.
const ADDRESS: [&str; 8] = ["companyName", "name", "address1", "address2", "city", "state", "zip", "country"];

/// The creation of one order: held (`deferNotification`), to be completed when it has been verified.
pub(super) fn plan(config: &Config, request: &ShipmentRequest) -> Result<EffectDraft, PlanError> {
    check_key(&request.key)?;
    if request.lines.is_empty() {
        return Err(PlanError::new("the order has no line to ship"));
    }
    let facility = match &request.facility {
        Some(facility) => facility.parse::<i64>().map_err(|_| {
            PlanError::new(format!("the facility {facility:?} is not a number: pick one that the warehouse lists"))
        })?,
        None => config.facility,
    };
    let mut items = Vec::with_capacity(request.lines.len());
    for line in &request.lines {
        if line.sku.trim().is_empty() {
            return Err(PlanError::new(format!("line {} has no SKU", line.line_number)));
        }
        items.push(json!({
            "itemIdentifier": { "sku": line.sku },
            "qty": quantity(line.quantity, line.line_number)?,
            "externalId": line.line_number.to_string(),
        }));
    }
    let to = &request.ship_to;
    for (text, what) in [
        (if to.name.is_empty() { &to.company } else { &to.name }, "name"),
        (&to.line1, "street"),
        (&to.city, "town"),
        (&to.country, "country"),
    ] {
        if text.trim().is_empty() {
            return Err(PlanError::address(
                what,
                format!("the {what} of the delivery address is missing: complete the order"),
            ));
        }
    }
    let mut ship_to = json!({
        "companyName": to.company, "name": to.name, "address1": to.line1, "address2": to.line2, "city": to.city,
        "state": to.state, "zip": to.postcode, "country": to.country, "phoneNumber": to.phone, "emailAddress": to.email,
    });
    let mut routing = json!({
        "carrier": request.ship_method.carrier, "mode": request.ship_method.service, "account": account(config, request),
    });
    // Where these two stand is not in the published part of the model; they are sent only when they are set.
    if let (Some(retailer), Some(fields)) = (config.retailer, ship_to.as_object_mut()) {
        fields.insert("retailerInfo".to_owned(), json!({ "id": retailer }));
    }
    if let (false, Some(fields)) = (config.billing_postcode.is_empty(), routing.as_object_mut()) {
        fields.insert("shipPointZip".to_owned(), json!(config.billing_postcode));
    }
    let body = json!({
        "customerIdentifier": { "id": config.customer },
        "facilityIdentifier": { "id": facility },
        "referenceNum": request.key,
        "externalId": request.id,
        "poNum": request.reference,
        "deferNotification": true,
        "billingCode": config.billing_code,
        "notes": request.notes,
        "routingInfo": routing,
        "shipTo": ship_to,
        "savedElements": [{ "name": "OrderNumber", "value": request.order_number }],
        "orderItems": items,
    });
    let count = request.lines.len();
    Ok(EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: request.key.clone(),
        batch: None,
        body: body.to_string(),
        numbering: None,
        title: format!(
            "Create order {} at the warehouse, held ({count} {})",
            request.order_number,
            if count == 1 { "line" } else { "lines" }
        ),
    })
}

fn check_key(key: &str) -> Result<(), PlanError> {
    let plain = key.chars().all(|character| character.is_ascii_alphanumeric() || character == '-' || character == '_');
    if key.is_empty() || key.len() > LONGEST_KEY || !plain {
        return Err(PlanError::new(format!(
            "order number {key:?} may hold letters, digits, dash and underscore only, and at most {LONGEST_KEY} of them: \
             shorten the order key prefix of the connection"
        )));
    }
    if base_key(key) != key {
        return Err(PlanError::new(format!(
            "order number {key:?} ends in a dash and digits, which this warehouse reads as a split order"
        )));
    }
    Ok(())
}

/// The key without the suffix `-n` that a split order carries. Keys of the hub never end so themselves.
pub(super) fn base_key(reference: &str) -> &str {
    match reference.rsplit_once('-') {
        Some((base, suffix)) if !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()) => base,
        _ => reference,
    }
}

fn account<'a>(config: &'a Config, request: &ShipmentRequest) -> &'a str {
    let carrier = request.ship_method.carrier.to_ascii_lowercase();
    if carrier.contains("fedex") {
        &config.fedex_account
    } else if carrier.contains("ups") && !carrier.contains("usps") {
        &config.ups_account
    } else {
        ""
    }
}

/// The service takes quantities as JSON numbers. One that would not come back as it went is refused here.
fn quantity(quantity: Decimal, line: u32) -> Result<Value, PlanError> {
    let text = quantity.normalize().to_string();
    let number: Option<serde_json::Number> = serde_json::from_str(&text).ok();
    number
        .filter(|number| {
            quantity > Decimal::ZERO && number.to_string().parse::<Decimal>().is_ok_and(|back| back == quantity)
        })
        .map(Value::Number)
        .ok_or_else(|| PlanError::new(format!("line {line} asks for {text}, which the warehouse cannot be asked for")))
}

/// Quantities by SKU, and what the whole of them hashes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines(BTreeMap<String, Decimal>);

impl Lines {
    /// Of a body as it was planned.
    pub(super) fn planned(body: &Value) -> Self {
        let mut lines = Self(BTreeMap::new());
        for item in body.get("orderItems").and_then(Value::as_array).into_iter().flatten() {
            let sku = item.pointer("/itemIdentifier/sku").and_then(Value::as_str).unwrap_or_default();
            let quantity = item.get("qty").and_then(|quantity| quantity.to_string().parse().ok()).unwrap_or_default();
            lines.add(sku, quantity);
        }
        lines
    }

    /// Of an order and what was split off it.
    pub(super) fn there<'a>(orders: impl IntoIterator<Item = &'a Order>) -> Result<Self, ConnectorError> {
        let mut lines = Self(BTreeMap::new());
        for order in orders {
            for item in order.items()? {
                lines.add(&item.item_identifier.sku, item.qty);
            }
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
        let skus = self.0.keys().chain(there.0.keys());
        let none = Decimal::ZERO;
        skus.map(|sku| (sku, self.0.get(sku).unwrap_or(&none), there.0.get(sku).unwrap_or(&none)))
            .find(|(_, wanted, there)| wanted != there)
            .map(|(sku, wanted, there)| format!("it has {there} of {sku} where {wanted} were asked for"))
    }
}

/// What there is under a key, judged against what was or would be sent (R5). A cancelled order counts
/// where no other is there: it is ours, and it is never made again behind the warehouse's back.
pub(super) fn verdict(key: &str, body: &Value, found: &[Order]) -> Result<Probe, ConnectorError> {
    let (whole, splits): (Vec<&Order>, Vec<&Order>) = found.iter().partition(|order| order.reference_num == key);
    let live: Vec<&Order> = whole.iter().copied().filter(|order| !order.is_cancelled()).collect();
    if live.len() > 1 {
        return Ok(Probe::Many(live.into_iter().map(reference).collect()));
    }
    let newest_cancelled = || whole.iter().copied().max_by_key(|order| order.read_only.order_id);
    let Some(order) = live.first().copied().or_else(newest_cancelled) else {
        return Ok(match splits.first() {
            Some(split) => Probe::Different {
                reference: reference(split),
                difference: format!("only {}, split off an order that is not there, was found", split.reference_num),
            },
            None => Probe::Absent,
        });
    };
    let planned = Lines::planned(body);
    let parts = splits.into_iter().filter(|split| !split.is_cancelled()).chain([order]);
    let difference = planned
        .difference(&Lines::there(parts)?)
        .or_else(|| facility_difference(body, order))
        .or_else(|| address_difference(body, order));
    let reference = reference(order).with("lines", planned.digest());
    Ok(match difference {
        Some(difference) => Probe::Different { reference, difference },
        None => Probe::Equal(reference),
    })
}

/// The service's id, with whether it is cancelled there.
pub(super) fn reference(order: &Order) -> RemoteRef {
    let reference = RemoteRef::new(order.read_only.order_id.to_string());
    if order.is_cancelled() { reference.with("state", "cancelled") } else { reference }
}

fn facility_difference(body: &Value, order: &Order) -> Option<String> {
    let wanted = body.pointer("/facilityIdentifier/id")?.as_i64()?;
    let there = order.read_only.facility_identifier.as_ref()?.id;
    (wanted != there).then(|| format!("it is in facility {there} where {wanted} was asked for"))
}

/// Compares what the answer carries of the address; the service may leave empty parts out.
fn address_difference(body: &Value, order: &Order) -> Option<String> {
    let there = order.ship_to.as_ref()?;
    ADDRESS
        .into_iter()
        .find(|part| {
            let wanted = body.pointer(&format!("/shipTo/{part}")).and_then(Value::as_str).unwrap_or_default();
            there.get(*part).and_then(Value::as_str).is_some_and(|there| there.trim() != wanted.trim())
        })
        .map(|part| format!("its delivery address differs ({part})"))
}
