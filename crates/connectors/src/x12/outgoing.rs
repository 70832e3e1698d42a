//! From shipment requests to orders in X12 (940): what is planned, and the file it becomes.

use std::time::Duration;

use connect::{Address, EffectDraft, EffectKind, Numbering, PlanError, ShipmentRequest, wanted_in};
use jiff::{Timestamp, civil};
use serde::{Deserialize, Serialize};

use super::{
    order::{NAMES, Order, OrderCarrier, OrderParty, OrderedLine, STREETS},
    profile::{LAST_CONTROL_NUMBER, Profile},
    reader::read,
    segment::Segment,
    wording::goods_out_note,
    writer::{numbered, unnumbered},
};

/// Longest order number of the format (W0502).
const LONGEST_KEY: usize = 22;

/// The frozen body of an effect: everything that is sent but its control number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    /// What it is: the first part of the name of the file. Orders, whose bodies were frozen before there was anything else,
    /// do not say it.
    #[serde(default = "order_set", skip_serializing_if = "is_order_set")]
    set: String,
    /// Us, in the name of the file.
    sender: String,
    /// The last part of the name: W0502 of an order, the acknowledged group of a 997.
    key: String,
    /// The interchange, with marks where its control number goes.
    text: String,
}

impl Outgoing {
    /// Name and content of the file.
    pub(super) fn file(&self, number: u32) -> (String, String) {
        (format!("{}_{}_{number:09}_{}.edi", self.set, self.sender, self.key), numbered(&self.text, number))
    }

    /// Its text under any number, to hold it against what was sent.
    pub(super) fn text_alone(&self) -> String {
        numbered(&self.text, 1)
    }

    /// The order, as [`orders_of`] finds it.
    pub(super) fn order(&self) -> Option<Order> {
        orders_of(self.text_alone().as_bytes()).into_iter().next()
    }
}

const ORDER: &str = "940";

fn order_set() -> String {
    ORDER.to_owned()
}

fn is_order_set(set: &str) -> bool {
    set == ORDER
}

/// The orders of a document, without their dates: the same order planned on another day is the same order. Empty when it is
/// no order document.
pub(super) fn orders_of(content: &[u8]) -> Vec<Order> {
    let interchanges = read(content).unwrap_or_default();
    let sets = interchanges.iter().flat_map(|one| one.sets()).filter(|(_, set)| set.code == "940");
    let orders = sets.filter_map(|(_, set)| Order::read(set).ok());
    orders.map(|order| Order { dates: Vec::new(), ..order }).collect()
}

/// Whether this is a name that [`Outgoing::file`] gives, and the order number in it.
pub(super) fn key_of_file(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("940_")?.strip_suffix(".edi")?;
    let (_, key) = rest.rsplit_once('_')?;
    Some(key).filter(|key| !key.is_empty())
}

/// Whether a name can be part of a file's.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
}

impl Profile {
    /// One effect for a request.
    pub(super) fn plan_order(&self, request: &ShipmentRequest, now: Timestamp) -> Result<EffectDraft, PlanError> {
        self.check_key(&request.key)?;
        if request.lines.is_empty() {
            return Err(PlanError::new("the order has no line to ship"));
        }
        let mut lines = Vec::with_capacity(request.lines.len());
        for line in &request.lines {
            let sku = line.sku.trim();
            if sku.is_empty() || self.envelope.syntax.text(sku).map_err(PlanError::new)? != sku {
                return Err(PlanError::new(format!(
                    "line {}: the SKU {sku:?} cannot be written as it is in the warehouse's documents: map it to another one",
                    line.line_number
                )));
            }
            if line.quantity <= rust_decimal::Decimal::ZERO {
                return Err(PlanError::new(format!(
                    "line {} asks for {}: there must be something to ship",
                    line.line_number, line.quantity
                )));
            }
            lines.push(OrderedLine {
                quantity: line.quantity,
                unit: self.units.ours.clone(),
                ids: vec![(self.sku_qualifier.clone(), sku.to_owned())],
                lot: None,
                // For the eye alone: what cannot be written is left out.
                description: self.envelope.syntax.text(&line.name).unwrap_or_default(),
                line_number: line.line_number.to_string(),
            });
        }
        let carrier = request.ship_method.carrier.trim();
        if carrier.is_empty() {
            return Err(PlanError::new("the carrier is missing: map the shipping method to one of the warehouse's"));
        }
        let is_scac = (2..=4).contains(&carrier.len()) && carrier.chars().all(|letter| letter.is_ascii_uppercase());
        let service = request.ship_method.service.trim();
        let routing = match (is_scac, service.is_empty()) {
            (true, _) => service.to_owned(),
            (false, true) => carrier.to_owned(),
            (false, false) => format!("{carrier} {service}"),
        };
        let at = self.local(now);
        let wanted = request.deliver_on.map(|wanted| wanted_in(wanted, &self.place.zone).date());
        let dates = [(&self.wording.ship_date, Some(at.date())), (&self.wording.delivery_date, wanted)];
        let dates = dates.into_iter().filter_map(|(kind, date)| Some((kind.clone()?, date?))).collect();
        let code = request.facility.clone().or_else(|| self.warehouse_code.clone());
        let order = Order {
            status: "N".to_owned(),
            key: request.key.clone(),
            purchase_order: self.fitting(&request.reference),
            link: String::new(),
            master_reference: self.fitting(&request.order_number),
            parties: vec![self.ship_to(&request.ship_to)?, self.depositor(), self.warehouse(code)],
            references: self.references(request),
            dates,
            notes: match request.notes.trim().is_empty() {
                true => Vec::new(),
                false => vec![(self.wording.instruction.clone(), request.notes.clone())],
            },
            carrier: Some(OrderCarrier {
                payment: self.payment.clone(),
                method: self.transport_method.clone(),
                routing,
                scac: if is_scac { carrier.to_owned() } else { String::new() },
            }),
            lines,
        };
        let count = request.lines.len();
        let title = format!(
            "Send order {} to the warehouse ({count} {})",
            request.order_number,
            if count == 1 { "line" } else { "lines" }
        );
        self.draft(EffectKind::SubmitRequest, &order, at, title)
    }

    /// The effect that tells the warehouse not to ship an order.
    pub(super) fn plan_cancelling(&self, key: &str, now: Timestamp) -> Result<EffectDraft, PlanError> {
        let Some(status) = &self.cancel else {
            return Err(PlanError::new(
                "this warehouse takes no message that stops an order: tell it by telephone or e-mail",
            ));
        };
        self.check_key(key)?;
        let order = Order {
            status: status.clone(),
            key: key.to_owned(),
            parties: vec![self.depositor(), self.warehouse(self.warehouse_code.clone())],
            notes: vec![(self.wording.instruction.clone(), "CANCELLED - DO NOT SHIP".to_owned())],
            ..Order::default()
        };
        self.draft(EffectKind::CancelRequest, &order, self.local(now), format!("Tell the warehouse not to ship {key}"))
    }

    fn draft(
        &self,
        kind: EffectKind,
        order: &Order,
        at: civil::DateTime,
        title: String,
    ) -> Result<EffectDraft, PlanError> {
        let syntax = &self.envelope.syntax;
        let written: Result<Vec<Segment>, String> =
            order.segments(syntax).and_then(|segments| syntax.set("940", &segments));
        let segments = written.map_err(|problem| {
            PlanError::new(format!(
                "the order does not fit into the warehouse's document: {problem}. Change it on the order"
            ))
        })?;
        let body = self.body(ORDER, "OW", &order.key, at, segments)?;
        let numbering = Some(self.numbering(self.expects_within));
        Ok(EffectDraft { kind, key: order.key.clone(), batch: None, body, title, numbering })
    }

    /// The frozen body of a document with one set.
    pub(super) fn body(
        &self,
        set: &str,
        group: &str,
        key: &str,
        at: civil::DateTime,
        segments: Vec<Segment>,
    ) -> Result<String, PlanError> {
        let body = Outgoing {
            set: set.to_owned(),
            sender: self.envelope.sender.id.chars().filter(char::is_ascii_alphanumeric).collect(),
            key: key.to_owned(),
            text: unnumbered(&self.envelope, at, group, &[(set.to_owned(), segments)]),
        };
        serde_json::to_string(&body).map_err(|error| PlanError::new(error.to_string()))
    }

    /// The series of our control numbers, for what is acknowledged within this time.
    pub(super) fn numbering(&self, acknowledged_within: Option<Duration>) -> Numbering {
        Numbering {
            series: self.series(),
            first: self.first_control_number,
            last: LAST_CONTROL_NUMBER,
            acknowledged_within,
        }
    }

    fn check_key(&self, key: &str) -> Result<(), PlanError> {
        if !is_plain(key) || key.len() > LONGEST_KEY {
            return Err(PlanError::new(format!(
                "the order number {key} does not fit: at most {LONGEST_KEY} letters, digits and hyphens. Set a shorter order key \
                 prefix for the connection"
            )));
        }
        if self.envelope.syntax.upper_case && key.chars().any(|letter| letter.is_ascii_lowercase()) {
            return Err(PlanError::new(format!(
                "the order number {key} has small letters, and the warehouse takes capitals only: set the order key prefix of \
                 the connection in capitals"
            )));
        }
        Ok(())
    }

    /// What only helps people find the order, where it fits (at most 22 characters); else nothing.
    fn fitting(&self, text: &str) -> String {
        self.envelope.syntax.text(text).ok().filter(|text| text.chars().count() <= LONGEST_KEY).unwrap_or_default()
    }

    pub(super) fn local(&self, at: Timestamp) -> civil::DateTime {
        at.to_zoned(self.place.zone.clone()).datetime()
    }

    /// Numbers beside the key by which the warehouse's people may know the order (N9).
    fn references(&self, request: &ShipmentRequest) -> Vec<(String, String, String)> {
        let one = |kind: Option<&String>, number: Option<&str>, what: &str| {
            Some((kind?.clone(), number?.to_owned(), what.to_owned()))
        };
        let order = one(self.wording.order.as_ref(), Some(&request.order_number), "ORDER");
        let note = one(self.wording.goods_out.as_ref(), goods_out_note(&request.key), "GOODS-OUT NOTE");
        order.into_iter().chain(note).collect()
    }

    fn depositor(&self) -> OrderParty {
        OrderParty { id: self.wording.depositor.clone(), ..party("DE", &self.depositor_name) }
    }

    fn warehouse(&self, code: Option<String>) -> OrderParty {
        match code {
            // An id has two characters at least: a shorter one is all the name there is.
            Some(code) if code.chars().count() < 2 => party("WH", &code),
            code => {
                let id = code.map(|code| (self.wording.warehouse_qualifier.clone(), code));
                OrderParty { id, ..party("WH", &self.warehouse_name) }
            }
        }
    }

    fn ship_to(&self, to: &Address) -> Result<OrderParty, PlanError> {
        let syntax = &self.envelope.syntax;
        let clean =
            |part: &'static str, text: &str| syntax.text(text).map_err(|problem| PlanError::address(part, problem));
        let needed = |part: &'static str, text: &str| {
            let text = clean(part, text)?;
            if text.is_empty() {
                return Err(PlanError::address(
                    part,
                    format!("the {part} of the delivery address is missing: complete the order"),
                ));
            }
            Ok(text)
        };
        let (name, company) = (clean("name", &to.name)?, clean("name", &to.company)?);
        let (name, more) = match (name.is_empty(), company.is_empty()) {
            (true, _) => (needed("name", &company)?, Vec::new()),
            (false, true) => (name, Vec::new()),
            (false, false) => (name, vec![company]),
        };
        let country = needed("country", &to.country)?;
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(PlanError::address("country", format!("the country {country:?} is not a two-letter code")));
        }
        let state = clean("state", &to.state)?;
        let mut streets = vec![needed("street", &to.line1)?, clean("street", &to.line2)?];
        let short = state.chars().count() == 2;
        let behind_street = !short && !state.is_empty() && self.state_behind_street;
        if behind_street {
            streets.push(state.clone());
        }
        let numbers = [("TE", clean("phone", &to.phone)?), ("EM", clean("e-mail", &to.email)?)];
        let numbers = numbers.into_iter().filter(|(_, number)| !number.is_empty());
        let party = OrderParty {
            role: "ST".to_owned(),
            more_names: more,
            streets: streets.into_iter().filter(|street| !street.is_empty()).collect(),
            city: needed("town", &to.city)?,
            state: if short { state } else { String::new() },
            postcode: clean("postcode", &to.postcode)?,
            country,
            contact: Some((name.clone(), numbers.map(|(kind, number)| (kind.to_owned(), number)).collect())),
            name,
            id: self.wording.ship_to.clone(),
        };
        let streets = party.street_pieces(syntax).map_err(PlanError::new)?.len();
        if streets > STREETS {
            let (also, or) = match behind_street {
                true => (" with the county behind it", ", or have the county left out (setting long_state)"),
                false => ("", ""),
            };
            return Err(PlanError::address(
                "street",
                format!(
                    "the street of the delivery address{also} needs {streets} pieces of at most 55 characters, and the \
                     warehouse's document has room for {STREETS}: shorten it on the order{or}"
                ),
            ));
        }
        let names = party.name_pieces(syntax).map_err(PlanError::new)?.len();
        if names > NAMES {
            return Err(PlanError::address(
                "name",
                format!(
                    "the name and the company of the delivery address need {names} pieces of at most 60 characters, and the \
                     warehouse's document has room for {NAMES}: shorten the name or the company on the order"
                ),
            ));
        }
        Ok(party)
    }
}

fn party(role: &str, name: &str) -> OrderParty {
    OrderParty { role: role.to_owned(), name: name.to_owned(), ..OrderParty::default() }
}
