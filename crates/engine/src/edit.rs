//! What a person wants otherwise than the source says, of an order that has not been sent.
//!
//! An edit stands beside the source's facts. It holds as long as the source says what it said when the edit was made: when the
//! source changes the same field, nobody can know which of the two is meant, and a person decides.

use connect::{Address, Order};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Where it goes.
    ShipTo,
    /// The source's shipping method.
    ShipMethod,
    /// Wanted by.
    DeliverOn,
    /// Words for the warehouse.
    Notes,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 4] = [Self::ShipTo, Self::ShipMethod, Self::DeliverOn, Self::Notes];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ShipTo => "ship_to",
            Self::ShipMethod => "ship_method",
            Self::DeliverOn => "deliver_on",
            Self::Notes => "notes",
        }
    }

    /// As people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::ShipTo => "delivery address",
            Self::ShipMethod => "shipping method",
            Self::DeliverOn => "delivery date",
            Self::Notes => "notes",
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Of [`Field::ShipTo`].
    ShipTo(Box<Address>),
    /// Of [`Field::ShipMethod`]: the source's id.
    ShipMethod(Option<i64>),
    /// Of [`Field::DeliverOn`].
    DeliverOn(Option<Timestamp>),
    /// Of [`Field::Notes`].
    Notes(String),
}

impl Content {
    /// What this order has there.
    pub fn of(order: &Order, field: Field) -> Self {
        match field {
            Field::ShipTo => Self::ShipTo(Box::new(order.deliver_to.clone())),
            Field::ShipMethod => Self::ShipMethod(order.ship_method_id),
            Field::DeliverOn => Self::DeliverOn(order.deliver_on),
            Field::Notes => Self::Notes(order.notes.clone()),
        }
    }

    /// Which field it is of.
    pub fn field(&self) -> Field {
        match self {
            Self::ShipTo(_) => Field::ShipTo,
            Self::ShipMethod(_) => Field::ShipMethod,
            Self::DeliverOn(_) => Field::DeliverOn,
            Self::Notes(_) => Field::Notes,
        }
    }

    fn put(self, order: &mut Order) {
        match self {
            Self::ShipTo(address) => order.deliver_to = *address,
            Self::ShipMethod(method) => order.ship_method_id = method,
            Self::DeliverOn(at) => order.deliver_on = at,
            Self::Notes(notes) => order.notes = notes,
        }
    }
}

/// One edited field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edit {
    /// What the person wants.
    pub value: Content,
    /// What the source said when it was edited; of the same field.
    pub base: Content,
}

/// How an edit stands to what the order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The order holds it.
    Holds,
    /// It was made since the order was last read, and holds from the next reading on.
    Next,
    /// The source has changed the field since: a person decides.
    Overtaken,
}

impl Edit {
    /// How it stands to an order as it was last planned.
    pub fn standing(&self, order: &Order) -> Standing {
        let now = Content::of(order, self.value.field());
        if now == self.value {
            Standing::Holds
        } else if now == self.base {
            Standing::Next
        } else {
            Standing::Overtaken
        }
    }

    /// What the source says of the field, as far as an order as it was last planned tells.
    pub fn source<'a>(&'a self, order: &Order) -> std::borrow::Cow<'a, Content> {
        match self.standing(order) {
            Standing::Holds | Standing::Next => std::borrow::Cow::Borrowed(&self.base),
            Standing::Overtaken => std::borrow::Cow::Owned(Content::of(order, self.value.field())),
        }
    }
}

/// Lays the edits over an order as the source holds it now. The fields whose edits the source has overtaken, which are left as
/// the source says.
pub fn lay_over(order: &mut Order, edits: &[Edit]) -> Vec<Field> {
    let mut overtaken = Vec::new();
    for edit in edits {
        if edit.standing(order) == Standing::Overtaken {
            overtaken.push(edit.value.field());
        } else {
            edit.value.clone().put(order);
        }
    }
    overtaken
}

/// Why an order whose edits were overtaken waits for a person.
pub fn overtaken_words(fields: &[Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.words()).collect();
    format!(
        "{}: was edited here, and Brightpearl has changed it since; keep the edit by making it once more, or take it back",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests;
