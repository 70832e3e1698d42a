//! Editing an order that has not been sent: beside what Brightpearl says, never over it.

use connect::{Address, Order};
use engine::edit::{Content, Field, Standing};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, Problem, Role,
    orders::{self, OrderDetailOut},
    switches,
};
use crate::db::{ChannelKind, EditView};

/// Longest note for the warehouse, in characters.
const LONGEST_NOTES: usize = 500;

/// Longest part of an address, in characters.
const LONGEST_PART: usize = 100;

/// A field that was edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditField {
    /// Where it goes.
    ShipTo,
    /// The shipping method.
    ShipMethod,
    /// Wanted by.
    DeliverOn,
    /// Words for the warehouse.
    Notes,
}

impl From<EditField> for Field {
    fn from(field: EditField) -> Self {
        match field {
            EditField::ShipTo => Self::ShipTo,
            EditField::ShipMethod => Self::ShipMethod,
            EditField::DeliverOn => Self::DeliverOn,
            EditField::Notes => Self::Notes,
        }
    }
}

impl From<Field> for EditField {
    fn from(field: Field) -> Self {
        match field {
            Field::ShipTo => Self::ShipTo,
            Field::ShipMethod => Self::ShipMethod,
            Field::DeliverOn => Self::DeliverOn,
            Field::Notes => Self::Notes,
        }
    }
}

/// What is to be otherwise than Brightpearl says. What is not given stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderEditIn {
    /// Where it goes, all of it.
    #[serde(default)]
    pub ship_to: Option<AddressIn>,
    /// The account's id of the shipping method.
    #[serde(default)]
    pub ship_method: Option<i64>,
    /// Wanted by. A day without a time is midnight UTC of that day.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deliver_on: Option<Timestamp>,
    /// Words for the warehouse, at most 500 characters.
    #[serde(default)]
    pub notes: Option<String>,
    /// Fields that are again as Brightpearl says.
    #[serde(default)]
    pub take_back: Vec<EditField>,
    /// The order's `edition` as it was seen: where somebody else has edited it since, nothing is changed.
    #[serde(default)]
    pub edition: Option<i64>,
}

/// A postal address.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AddressIn {
    /// The person.
    pub name: String,
    /// The company.
    pub company: String,
    /// First street line.
    pub line1: String,
    /// Second street line.
    pub line2: String,
    /// Town or city.
    pub city: String,
    /// State, province or county.
    pub state: String,
    /// Postal code.
    pub postcode: String,
    /// ISO 3166 alpha-2.
    pub country: String,
    /// Telephone.
    pub phone: String,
    /// E-mail.
    pub email: String,
}

/// One edited field of an order.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrderEditOut {
    /// Which.
    pub field: EditField,
    /// `holds`; `next`: from the next reading of the order on; `overtaken`: Brightpearl has changed it since, and the order waits
    /// until somebody makes the edit once more or takes it back.
    pub standing: String,
    /// Part by part.
    pub differences: Vec<DifferenceOut>,
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DifferenceOut {
    /// Which part: of an address its parts, else the field.
    pub part: String,
    /// What Brightpearl says.
    pub source: String,
    /// What is wanted.
    pub wanted: String,
}

/// For showing, beside the order as it was last planned.
pub(super) fn out(view: &EditView, order: &Order) -> OrderEditOut {
    let standing = match view.edit.standing(order) {
        Standing::Holds => "holds",
        Standing::Next => "next",
        Standing::Overtaken => "overtaken",
    };
    OrderEditOut {
        field: view.edit.value.field().into(),
        standing: standing.to_owned(),
        differences: differences(&view.edit.source(order), &view.edit.value),
        by: view.actor.clone(),
        at: view.at,
    }
}

fn differences(source: &Content, wanted: &Content) -> Vec<DifferenceOut> {
    parts(source)
        .into_iter()
        .zip(parts(wanted))
        .filter(|((_, source), (_, wanted))| source != wanted)
        .map(|((part, source), (_, wanted))| DifferenceOut { part: part.to_owned(), source, wanted })
        .collect()
}

fn parts(content: &Content) -> Vec<(&'static str, String)> {
    match content {
        Content::ShipTo(address) => {
            let Address { name, company, line1, line2, city, state, postcode, country, phone, email } = &**address;
            [
                ("name", name),
                ("company", company),
                ("line1", line1),
                ("line2", line2),
                ("city", city),
                ("state", state),
                ("postcode", postcode),
                ("country", country),
                ("phone", phone),
                ("email", email),
            ]
            .map(|(part, text)| (part, text.clone()))
            .into()
        }
        Content::ShipMethod(method) => vec![("ship_method", method.map(|id| id.to_string()).unwrap_or_default())],
        Content::DeliverOn(at) => vec![("deliver_on", at.map(|at| at.to_string()).unwrap_or_default())],
        Content::Notes(notes) => vec![("notes", notes.clone())],
    }
}

/// Edits an order that has not been sent.
///
/// # Errors
/// When there is none for this caller, what is given cannot be used, or the warehouse has it already.
pub async fn edit(hub: &Hub, caller: &Caller, named: &str, given: OrderEditIn) -> Result<OrderDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let seen = given.edition;
    let changes = changes(given)?;
    let found = hub.db.find_order(&caller.access(), named).await?;
    hub.db.edit_order(&found.key, &found.id, changes, seen, &caller.actor).await?;
    switches::want(hub, &found.key, ChannelKind::Orders, None).await?;
    orders::show(hub, caller, found.id.as_str()).await
}

fn changes(given: OrderEditIn) -> Result<Vec<(Field, Option<Content>)>, Failure> {
    let mut problems = Vec::new();
    let mut changes: Vec<(Field, Option<Content>)> = Vec::new();
    if let Some(address) = given.ship_to {
        let (address, wrong) = address_of(address);
        problems.extend(wrong);
        changes.push((Field::ShipTo, Some(Content::ShipTo(Box::new(address)))));
    }
    if let Some(method) = given.ship_method {
        if method <= 0 {
            problems
                .push(Problem::new("ship_method", "give an id of the account's shipping methods (`GET …/choices`)"));
        }
        changes.push((Field::ShipMethod, Some(Content::ShipMethod(Some(method)))));
    }
    if let Some(at) = given.deliver_on {
        changes.push((Field::DeliverOn, Some(Content::DeliverOn(Some(at)))));
    }
    if let Some(notes) = given.notes {
        let notes = notes.trim().to_owned();
        if notes.chars().count() > LONGEST_NOTES || notes.chars().any(|c| c.is_control() && c != '\n') {
            problems.push(Problem::new("notes", format!("give plain text of at most {LONGEST_NOTES} characters")));
        }
        changes.push((Field::Notes, Some(Content::Notes(notes))));
    }
    for field in given.take_back {
        if changes.iter().any(|(other, _)| *other == Field::from(field)) {
            problems.push(Problem::new("take_back", format!("{} is given as well", Field::from(field).as_str())));
        }
        changes.push((field.into(), None));
    }
    if changes.is_empty() {
        problems.push(Problem::new("", "give at least one field to change or to take back"));
    }
    if problems.is_empty() {
        return Ok(changes);
    }
    Err(Failure::invalid(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "), problems))
}

fn address_of(given: AddressIn) -> (Address, Vec<Problem>) {
    let AddressIn { name, company, line1, line2, city, state, postcode, country, phone, email } = given;
    let mut problems = Vec::new();
    let mut part = |at: &str, text: String| {
        let text = text.trim().to_owned();
        if text.chars().count() > LONGEST_PART || text.chars().any(char::is_control) {
            problems.push(Problem::new(
                format!("ship_to.{at}"),
                format!("give one line of at most {LONGEST_PART} characters"),
            ));
        }
        text
    };
    let address = Address {
        name: part("name", name),
        company: part("company", company),
        line1: part("line1", line1),
        line2: part("line2", line2),
        city: part("city", city),
        state: part("state", state),
        postcode: part("postcode", postcode),
        country: part("country", country).to_uppercase(),
        phone: part("phone", phone),
        email: part("email", email),
    };
    if address.name.is_empty() && address.company.is_empty() {
        problems.push(Problem::new("ship_to.name", "give a name or a company"));
    }
    for (at, text) in [("line1", &address.line1), ("city", &address.city)] {
        if text.is_empty() {
            problems.push(Problem::new(format!("ship_to.{at}"), "is needed"));
        }
    }
    if address.country.len() != 2 || !address.country.chars().all(|c| c.is_ascii_uppercase()) {
        problems.push(Problem::new("ship_to.country", "give two letters, e.g. GB"));
    }
    (address, problems)
}
