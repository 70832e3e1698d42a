//! What an order looks like on its way out, and comparing it with what is there.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Address, EffectDraft, EffectKind, PlanError, Probe, RemoteRef, ShipmentRequest, wanted_in};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{
    settings::Config,
    statuses::{Standing, Statuses},
    wire::{Item, LINE, Order},
};

/// Longest key. The service publishes no limit for its order number.
const LONGEST_KEY: usize = 50;

/// The creation of one order. What is frozen carries no secret: the call-back address goes in when it is sent.
pub(super) fn plan(config: &Config, request: &ShipmentRequest) -> Result<EffectDraft, PlanError> {
    check_key(&request.key)?;
    if request.lines.is_empty() {
        return Err(PlanError::new("the order has no line to ship"));
    }
    let warehouse = match &request.facility {
        Some(facility) => facility.parse::<i64>().map_err(|_| {
            PlanError::new(format!("the facility {facility:?} is not a number: pick one that the warehouse lists"))
        })?,
        None => config.warehouse,
    };
    // The warehouse knows courier services by one name.
    let method = &request.ship_method;
    let named = format!("{} {}", method.carrier.trim(), method.service.trim());
    let service = Some(named.trim()).filter(|name| !name.is_empty()).unwrap_or(&config.courier_service);
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    put("OrderNumber", json!(request.key));
    put("ExternalOrderReference", json!(request.key));
    put("WarehouseId", json!(warehouse));
    put("CourierService", json!(service));
    put("DeliveryNotes", json!(request.notes));
    put("OrderItems", Value::Array(items(request)?));
    put(
        "OrderNameValues",
        json!([
            { "Name": "OrderNumber", "Value": request.order_number },
            { "Name": "Reference", "Value": request.reference },
        ]),
    );
    if let Some(client) = config.client {
        put("ClientId", json!(client));
    }
    if let Some(channel) = &config.channel {
        put("Channel", json!(channel));
    }
    if let Some(wanted) = request.deliver_on {
        put("RequiredDeliveryDate", json!(wanted_in(wanted, &config.zone).strftime("%Y-%m-%dT%H:%M:%S").to_string()));
    }
    let currency = request.lines.iter().find_map(|line| line.unit_price.as_ref()).map(|price| price.currency.as_str());
    if let Some(currency) = currency {
        put("Currency", json!(currency));
    }
    body.extend(address(&request.ship_to)?);
    let count = request.lines.len();
    Ok(EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: request.key.clone(),
        batch: None,
        body: Value::Object(body).to_string(),
        numbering: None,
        title: format!(
            "Create order {} at the warehouse ({count} {})",
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
    Ok(())
}

fn items(request: &ShipmentRequest) -> Result<Vec<Value>, PlanError> {
    let mut items = Vec::with_capacity(request.lines.len());
    for line in &request.lines {
        if line.sku.trim().is_empty() {
            return Err(PlanError::new(format!("line {} has no SKU", line.line_number)));
        }
        let units = line.quantity.normalize();
        let whole = Some(units).filter(|units| units.is_integer()).and_then(|units| i64::try_from(units).ok());
        let Some(quantity) = whole.filter(|units| *units > 0) else {
            return Err(PlanError::new(format!(
                "line {} asks for {units}; this warehouse counts whole units above zero",
                line.line_number
            )));
        };
        let mut item = json!({
            "SKU": line.sku,
            "Quantity": quantity,
            "Details": line.name,
            "OrderItemNameValues": [{ "Name": LINE, "Value": line.line_number.to_string() }],
        });
        // The price is that of the row's unit; a part of a kit has none of its own.
        let price = line.unit_price.as_ref().filter(|_| line.per_unit == Decimal::ONE);
        if let (Some(price), Some(fields)) = (price.and_then(|price| exact(price.amount)), item.as_object_mut()) {
            fields.insert("UnitPrice".to_owned(), price);
        }
        items.push(item);
    }
    Ok(items)
}

/// The service takes prices as JSON numbers; one that would not come back as it went is left out.
fn exact(amount: Decimal) -> Option<Value> {
    let number: serde_json::Number = serde_json::from_str(&amount.normalize().to_string()).ok()?;
    number.to_string().parse::<Decimal>().is_ok_and(|back| back == amount).then_some(Value::Number(number))
}

/// Names are in two parts, and the first is required, as street, postcode and country are.
fn address(to: &Address) -> Result<Map<String, Value>, PlanError> {
    let name = to.name.trim();
    let name = if name.is_empty() { to.company.trim() } else { name };
    let (first, last) = name.rsplit_once(char::is_whitespace).map_or((name, ""), |(first, last)| (first.trim(), last));
    for (text, what) in [(first, "name"), (&to.line1, "street"), (&to.postcode, "postcode"), (&to.country, "country")] {
        if text.trim().is_empty() {
            return Err(PlanError::address(
                what,
                format!(
                    "the {what} of the delivery address is missing, and this warehouse needs one: complete the order"
                ),
            ));
        }
    }
    let fields = json!({
        "FirstName": first, "LastName": last, "CompanyName": to.company, "Address1": to.line1, "Address2": to.line2,
        "Town": to.city, "County": to.state, "PostCode": to.postcode, "Country": to.country, "Email": to.email,
        "Phone": to.phone,
    });
    Ok(fields.as_object().cloned().unwrap_or_default())
}

/// Quantities by SKU.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines(BTreeMap<String, Decimal>);

impl Lines {
    /// Of a body as it was planned.
    fn planned(body: &Value) -> Self {
        let mut lines = Self::default();
        for item in body.get("OrderItems").and_then(Value::as_array).into_iter().flatten() {
            let sku = item.get("SKU").and_then(Value::as_str).unwrap_or_default();
            lines.add(sku, item.get("Quantity").and_then(Value::as_i64).unwrap_or_default().into());
        }
        lines
    }

    /// Of an order and its other parts.
    fn there(orders: &[&Order]) -> Self {
        let mut lines = Self::default();
        for Item { sku, quantity, .. } in orders.iter().flat_map(|order| order.order_items.iter().flatten()) {
            lines.add(sku, *quantity);
        }
        lines
    }

    fn add(&mut self, sku: &str, quantity: Decimal) {
        let sum = self.0.entry(sku.trim().to_owned()).or_default();
        *sum = (*sum + quantity).normalize();
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

/// What there is under a key, judged against what was or would be sent (R5). Parts of one order are one; two that claim to
/// be the same part are two orders. A cancelled order counts where no other is there: it is ours, and it is never made again
/// behind the warehouse's back.
pub(super) fn verdict(body: &Value, found: &[Order], statuses: &Statuses) -> Probe {
    let is_cancelled = |order: &Order| statuses.of(order.order_status_id) == Standing::Cancelled;
    let live: Vec<&Order> = found.iter().filter(|order| !is_cancelled(order)).collect();
    if is_doubled(&live) {
        return Probe::Many(live.into_iter().map(|order| reference(order, statuses)).collect());
    }
    // A part that was cancelled is what was short of the rest.
    let considered: Vec<&Order> = if live.is_empty() {
        let newest = found.iter().filter(|order| !order.is_part()).max_by_key(|order| order.id);
        newest.map_or_else(|| found.iter().collect(), |whole| vec![whole])
    } else {
        found.iter().filter(|order| !is_cancelled(order) || order.is_part()).collect()
    };
    let Some(order) = considered.iter().min_by_key(|order| order.id).copied() else { return Probe::Absent };
    let difference = Lines::planned(body)
        .difference(&Lines::there(&considered))
        .or_else(|| warehouse_difference(body, order))
        .or_else(|| address_difference(body, order));
    let reference = reference(order, statuses);
    match difference {
        Some(difference) => Probe::Different { reference, difference },
        None => Probe::Equal(reference),
    }
}

/// Whether two of these claim to be the same part, or the whole.
pub(super) fn is_doubled(live: &[&Order]) -> bool {
    let parts: BTreeSet<i64> = live.iter().map(|order| part(order)).collect();
    parts.len() < live.len()
}

fn part(order: &Order) -> i64 {
    if order.is_part() { order.part.unwrap_or_default() } else { 0 }
}

/// The service's id, with whether it is cancelled there.
pub(super) fn reference(order: &Order, statuses: &Statuses) -> RemoteRef {
    let reference = RemoteRef::new(order.id.to_string());
    match statuses.of(order.order_status_id) {
        Standing::Cancelled => reference.with("state", "cancelled"),
        _ => reference,
    }
}

fn warehouse_difference(body: &Value, order: &Order) -> Option<String> {
    let wanted = body.get("WarehouseId")?.as_i64()?;
    let there = order.warehouse_id?;
    (wanted != there).then(|| format!("it is in warehouse {there} where {wanted} was asked for"))
}

/// Compares what the answer carries of the address; the service may leave parts out, and takes personal data away in time.
fn address_difference(body: &Value, order: &Order) -> Option<String> {
    let parts = [
        ("FirstName", &order.first_name),
        ("LastName", &order.last_name),
        ("CompanyName", &order.company_name),
        ("Address1", &order.address1),
        ("Address2", &order.address2),
        ("Town", &order.town),
        ("County", &order.county),
        ("PostCode", &order.post_code),
    ];
    parts
        .into_iter()
        .find(|(name, there)| {
            let wanted = body.get(*name).and_then(Value::as_str).unwrap_or_default();
            there.as_deref().is_some_and(|there| there.trim() != wanted.trim())
        })
        .map(|(name, _)| format!("its delivery address differs ({name})"))
}
