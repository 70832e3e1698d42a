//! What an order looks like on its way out, and comparing it with what is there.

use std::collections::BTreeMap;

use connect::{Address, EffectDraft, EffectKind, PlanError, Probe, RemoteRef, ShipmentRequest};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    find::Found,
    settings::Config,
    wire::{Contact, Order},
};

/// Longest key. Odoo's texts have no limit; names of records that are longer are no use to people.
const LONGEST_KEY: usize = 64;
/// Under this name records of other programs are kept apart from those of Odoo's own modules.
const OURS: &str = "__millrace";

/// One order: the frozen body of its effect. Ids of Odoo's are not in it; they are found when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) key: String,
    pub(super) order_number: String,
    /// Short name of the warehouse; Odoo chooses where there is none.
    pub(super) warehouse: Option<String>,
    /// Name of the delivery method; none where the order names none.
    pub(super) carrier: Option<String>,
    pub(super) deliver_on: Option<Timestamp>,
    pub(super) notes: String,
    pub(super) ship_to: Address,
    pub(super) lines: Vec<WantedLine>,
}

/// One line of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WantedLine {
    pub(super) number: u32,
    pub(super) sku: String,
    pub(super) quantity: Decimal,
    pub(super) name: String,
}

/// Odoo's ids of what an order is made of: found before it is sent, and kept with the attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ids {
    /// By SKU.
    pub(super) products: BTreeMap<String, i64>,
    pub(super) country: Option<i64>,
    pub(super) state: Option<i64>,
    pub(super) warehouse: Option<i64>,
    pub(super) carrier: Option<i64>,
}

/// The creation of one order.
pub(super) fn plan(config: &Config, request: &ShipmentRequest) -> Result<EffectDraft, PlanError> {
    check_key(&request.key)?;
    if request.lines.is_empty() {
        return Err(PlanError::new("the order has no line to ship"));
    }
    check_address(&request.ship_to)?;
    let mut lines = Vec::with_capacity(request.lines.len());
    for line in &request.lines {
        let quantity = line.quantity.normalize();
        if line.sku.trim().is_empty() {
            return Err(PlanError::new(format!("line {} has no SKU", line.line_number)));
        }
        if quantity <= Decimal::ZERO {
            return Err(PlanError::new(format!(
                "line {} asks for {quantity}; it must be above zero",
                line.line_number
            )));
        }
        let (sku, name) = (line.sku.trim().to_owned(), line.name.clone());
        lines.push(WantedLine { number: line.line_number, sku, quantity, name });
    }
    // Odoo knows delivery methods by one name.
    let method = &request.ship_method;
    let carrier = format!("{} {}", method.carrier.trim(), method.service.trim()).trim().to_owned();
    let wanted = Wanted {
        key: request.key.clone(),
        order_number: request.order_number.clone(),
        warehouse: request.facility.clone().or_else(|| config.warehouse.clone()),
        carrier: Some(carrier).filter(|name| !name.is_empty()),
        deliver_on: request.deliver_on,
        notes: request.notes.clone(),
        ship_to: request.ship_to.clone(),
        lines,
    };
    let count = wanted.lines.len();
    Ok(EffectDraft {
        kind: EffectKind::SubmitRequest,
        key: request.key.clone(),
        batch: None,
        body: json!(wanted).to_string(),
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

fn check_address(to: &Address) -> Result<(), PlanError> {
    for (text, what) in [(recipient(to), "name"), (&to.line1, "street"), (&to.country, "country")] {
        if text.trim().is_empty() {
            return Err(PlanError::address(
                what,
                format!(
                    "the {what} of the delivery address is missing, and this warehouse needs one: complete the order"
                ),
            ));
        }
    }
    Ok(())
}

fn recipient(to: &Address) -> &str {
    if to.name.trim().is_empty() { to.company.trim() } else { to.name.trim() }
}

/// The external id of an order. That of a line begins differently, so no key can be mistaken for another's line.
pub(super) fn order_id(key: &str) -> String {
    format!("{OURS}.order-{key}")
}

fn contact_id(key: &str) -> String {
    format!("{OURS}.address-{key}")
}

/// The hub's line number in the external id of a line, where it is one of ours.
pub(super) fn line_number(xmlid: &str) -> Option<u32> {
    xmlid.strip_prefix(OURS)?.strip_prefix(".line-")?.split('-').next()?.parse().ok()
}

/// What *load* is given for the contact that the goods go to. One to an order, so that no edit of one order moves another's goods.
pub(super) fn contact_rows(wanted: &Wanted, ids: &Ids) -> Value {
    let to = &wanted.ship_to;
    let number = |id: Option<i64>| id.map_or_else(String::new, |id| id.to_string());
    let fields = [
        ("id", contact_id(&wanted.key)),
        ("name", recipient(to).to_owned()),
        ("company_name", to.company.trim().to_owned()),
        ("street", to.line1.trim().to_owned()),
        ("street2", to.line2.trim().to_owned()),
        ("city", city(wanted, ids)),
        ("zip", to.postcode.trim().to_owned()),
        ("country_id/.id", number(ids.country)),
        ("state_id/.id", number(ids.state)),
        ("phone", to.phone.trim().to_owned()),
        ("email", to.email.trim().to_owned()),
        ("ref", wanted.key.clone()),
    ];
    let (names, values): (Vec<&str>, Vec<String>) = fields.into_iter().unzip();
    json!({ "fields": names, "data": [values] })
}

/// A county that Odoo does not list stands behind the town, so that it is not lost.
fn city(wanted: &Wanted, ids: &Ids) -> String {
    let (city, state) = (wanted.ship_to.city.trim(), wanted.ship_to.state.trim());
    match (ids.state, state.is_empty(), city.is_empty()) {
        (None, false, false) => format!("{city}, {state}"),
        (None, false, true) => state.to_owned(),
        _ => city.to_owned(),
    }
}

/// What *load* is given for the order: one row a line, the order's own fields in the first. Every line has an external id of its
/// own; without one, each repeat would append the lines once more.
pub(super) fn order_rows(wanted: &Wanted, ids: &Ids) -> Value {
    let contact = contact_id(&wanted.key);
    let mut own = vec![
        ("id", order_id(&wanted.key)),
        ("partner_id/id", contact.clone()),
        ("partner_shipping_id/id", contact),
        ("client_order_ref", wanted.key.clone()),
        ("origin", wanted.order_number.clone()),
        ("note", as_html(&wanted.notes)),
    ];
    if let Some(warehouse) = ids.warehouse {
        own.push(("warehouse_id/.id", warehouse.to_string()));
    }
    if let Some(carrier) = ids.carrier {
        own.push(("carrier_id/.id", carrier.to_string()));
    }
    if let Some(wanted) = wanted.deliver_on {
        let wanted = wanted.to_zoned(TimeZone::UTC);
        // Odoo shows its times in each user's zone. A day without a time of day is midnight UTC here, and the day before west of
        // Greenwich: its middle is the same day nearly everywhere.
        let wanted = match wanted.time() == jiff::civil::Time::midnight() {
            true => wanted.date().at(12, 0, 0, 0),
            false => wanted.datetime(),
        };
        own.push(("commitment_date", wanted.strftime("%Y-%m-%d %H:%M:%S").to_string()));
    }
    let (mut names, first): (Vec<&str>, Vec<String>) = own.into_iter().unzip();
    names.extend([
        "order_line/id",
        "order_line/sequence",
        "order_line/product_id/.id",
        "order_line/product_uom_qty",
        "order_line/name",
    ]);
    let rows: Vec<Vec<String>> = wanted
        .lines
        .iter()
        .enumerate()
        .map(|(place, line)| {
            let mut row = if place == 0 { first.clone() } else { vec![String::new(); first.len()] };
            let product = ids.products.get(&line.sku).map_or_else(String::new, i64::to_string);
            row.extend([
                format!("{OURS}.line-{}-{}", line.number, wanted.key),
                line.number.to_string(),
                product,
                line.quantity.normalize().to_string(),
                if line.name.trim().is_empty() { line.sku.clone() } else { line.name.trim().to_owned() },
            ]);
            row
        })
        .collect();
    json!({ "fields": names, "data": rows })
}

/// Notes are pages in Odoo.
fn as_html(text: &str) -> String {
    let text = text.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace("\r\n", "\n").replace('\n', "<br>")
}

/// Quantities by SKU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines(BTreeMap<String, Decimal>);

impl Lines {
    /// As they were asked for.
    pub(super) fn wanted(wanted: &Wanted) -> Self {
        wanted.lines.iter().map(|line| (line.sku.as_str(), line.quantity)).collect()
    }

    pub(super) fn digest(&self) -> String {
        let text: String = self.0.iter().map(|(sku, units)| format!("{sku}\t{units}\n")).collect();
        Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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

impl<'a> FromIterator<(&'a str, Decimal)> for Lines {
    fn from_iter<T: IntoIterator<Item = (&'a str, Decimal)>>(lines: T) -> Self {
        let mut sums = BTreeMap::<String, Decimal>::new();
        for (sku, quantity) in lines {
            let sum = sums.entry(sku.to_owned()).or_default();
            *sum = (*sum + quantity).normalize();
        }
        Self(sums)
    }
}

/// What there is under a key, judged against what was or would be sent (R5). A cancelled order counts where no other is there:
/// it is ours, and *load* would leave it cancelled.
pub(super) fn verdict(wanted: &Wanted, found: &[Found]) -> Probe {
    let live: Vec<&Found> = found.iter().filter(|one| !one.order.is_cancelled()).collect();
    if live.len() > 1 {
        return Probe::Many(live.into_iter().map(|one| reference(&one.order)).collect());
    }
    let Some(there) = live.first().copied().or_else(|| found.iter().max_by_key(|one| one.order.id)) else {
        return Probe::Absent;
    };
    let difference = (there.xmlid != order_id(&wanted.key))
        .then(|| "somebody else has written an order with this customer reference".to_owned())
        .or_else(|| Lines::wanted(wanted).difference(&there.lines))
        .or_else(|| there.contact.as_ref().and_then(|contact| address_difference(wanted, contact)));
    let reference = reference(&there.order).with("lines", there.lines.digest());
    match difference {
        Some(difference) => Probe::Different { reference, difference },
        None => Probe::Equal(reference),
    }
}

/// Odoo's id, with whether it is cancelled there.
pub(super) fn reference(order: &Order) -> RemoteRef {
    let reference = RemoteRef::new(order.id.to_string());
    if order.is_cancelled() { reference.with("state", "cancelled") } else { reference }
}

fn address_difference(wanted: &Wanted, there: &Contact) -> Option<String> {
    let to = &wanted.ship_to;
    let is = |wanted: &str, there: &str| wanted.split_whitespace().eq(there.split_whitespace());
    let parts = [
        ("name", is(recipient(to), &there.name)),
        ("street", is(&to.line1, &there.street)),
        ("second street line", is(&to.line2, &there.street2)),
        // With a county behind it that Odoo does not list.
        ("town", there.city.starts_with(to.city.trim())),
        ("postcode", is(&to.postcode, &there.zip)),
    ];
    let differing = parts.into_iter().find(|(_, equal)| !equal);
    differing.map(|(part, _)| format!("its delivery address differs ({part})"))
}

impl Order {
    pub(super) fn is_cancelled(&self) -> bool {
        self.state == "cancel"
    }

    /// Whether it was let go.
    pub(super) fn is_confirmed(&self) -> bool {
        // Up to Odoo 16 a locked order is `done`.
        matches!(self.state.as_str(), "sale" | "done")
    }
}

#[cfg(test)]
mod tests {
    use connect::{Address, Probe};
    use rust_decimal::Decimal;

    use super::{Contact, Found, Ids, Lines, Order, Wanted, WantedLine, line_number, order_id, order_rows, verdict};

    fn wanted() -> Wanted {
        let line = |number: u32, sku: &str, units: i64| WantedLine {
            number,
            sku: sku.to_owned(),
            quantity: Decimal::from(units),
            name: String::new(),
        };
        Wanted {
            key: "BPacme-O1".to_owned(),
            order_number: "1".to_owned(),
            warehouse: None,
            carrier: None,
            deliver_on: None,
            notes: "<b>\nleave".to_owned(),
            ship_to: Address {
                name: "Jane  Doe".to_owned(),
                line1: "1 High St".to_owned(),
                city: "Leeds".to_owned(),
                state: "West Yorkshire".to_owned(),
                ..Address::default()
            },
            lines: vec![line(1, "A", 5), line(2, "B", 3), line(12, "A", 1)],
        }
    }

    fn found(id: i64, state: &str) -> Found {
        let order = Order {
            id,
            state: state.to_owned(),
            client_order_ref: "BPacme-O1".to_owned(),
            partner_shipping_id: None,
            write_date: String::new(),
        };
        let contact = Contact {
            id: 1,
            name: "Jane Doe".to_owned(),
            street: "1 High St".to_owned(),
            street2: String::new(),
            city: "Leeds, West Yorkshire".to_owned(),
            zip: String::new(),
        };
        Found {
            order,
            xmlid: order_id("BPacme-O1"),
            lines: Lines::wanted(&wanted()),
            is_delivered: false,
            contact: Some(contact),
        }
    }

    #[test]
    fn every_line_has_an_external_id_of_its_own() {
        let rows = order_rows(&wanted(), &Ids { state: None, ..Ids::default() });
        let place = rows["fields"].as_array().unwrap().iter().position(|name| name == "order_line/id").unwrap();
        let ids: Vec<&str> = rows["data"].as_array().unwrap().iter().map(|row| row[place].as_str().unwrap()).collect();
        assert_eq!(ids, ["__millrace.line-1-BPacme-O1", "__millrace.line-2-BPacme-O1", "__millrace.line-12-BPacme-O1"]);
        assert_eq!(ids.iter().map(|id| line_number(id)).collect::<Vec<_>>(), [Some(1), Some(2), Some(12)]);
        assert_eq!(line_number("sale.line-1-BPacme-O1"), None);
        assert_eq!(line_number(&order_id("line-1-x")), None);
        assert_eq!(rows["data"][0][0], "__millrace.order-BPacme-O1");
        assert_eq!(rows["data"][1][0], "", "the order stands in the first row alone");
        assert!(rows["data"][0].as_array().unwrap().contains(&"&lt;b&gt;<br>leave".into()), "{rows}");
    }

    #[test]
    fn what_is_there_is_judged() {
        let wanted = wanted();
        assert_eq!(verdict(&wanted, &[]), Probe::Absent);
        assert!(matches!(verdict(&wanted, &[found(7, "draft")]), Probe::Equal(_)));
        let Probe::Equal(cancelled) = verdict(&wanted, &[found(7, "cancel")]) else { panic!("it is ours") };
        assert_eq!(cancelled.facts.get("state").map(String::as_str), Some("cancelled"));
        let Probe::Equal(live) = verdict(&wanted, &[found(7, "sale"), found(8, "cancel")]) else { panic!("one lives") };
        assert_eq!(live.id, "7");
        assert!(
            matches!(verdict(&wanted, &[found(7, "sale"), found(8, "draft")]), Probe::Many(both) if both.len() == 2)
        );
        let theirs = Found { xmlid: String::new(), ..found(7, "sale") };
        let fewer = Found { lines: [("A", Decimal::ONE)].into_iter().collect(), ..found(7, "sale") };
        let mut moved = found(7, "sale");
        moved.contact.as_mut().unwrap().street = "2 High St".to_owned();
        for other in [theirs, fewer, moved] {
            assert!(matches!(verdict(&wanted, &[other]), Probe::Different { .. }));
        }
    }
}
