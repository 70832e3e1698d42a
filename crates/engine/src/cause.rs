//! Why an order does not go through, as a thing that can be counted and mended.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What kind of reason it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A SKU that is not mapped to one of the warehouse.
    UnknownSku,
    /// A row without any SKU.
    MissingSku,
    /// A kit without complete components.
    Kit,
    /// A shipping method that is not mapped, or none.
    ShipMethod,
    /// The delivery address lacks what the warehouse needs.
    Address,
    /// Its status is not one of those imported from.
    Status,
    /// Its stock is not set aside, whole or in part.
    NotAllocated,
    /// It has no goods-out note for the connection's warehouse.
    NoNote,
    /// Its goods-out notes do not fit its rows.
    Note,
    /// A product that does not exist any more, or a bundle without its rows.
    Product,
    /// A quantity that cannot be shipped.
    Quantity,
    /// Another Brightpearl warehouse.
    Warehouse,
    /// Another channel.
    Channel,
    /// Placed before the chosen date.
    OrderDate,
    /// Nothing on it can leave a warehouse.
    NothingToShip,
    /// It left already.
    Shipped,
    /// Cancelled.
    Cancelled,
    /// No sales order.
    NotASale,
    /// Another reason of the warehouse's connector.
    Other,
}

impl CauseKind {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::UnknownSku,
        Self::MissingSku,
        Self::Kit,
        Self::ShipMethod,
        Self::Address,
        Self::Status,
        Self::NotAllocated,
        Self::NoNote,
        Self::Note,
        Self::Product,
        Self::Quantity,
        Self::Warehouse,
        Self::Channel,
        Self::OrderDate,
        Self::NothingToShip,
        Self::Shipped,
        Self::Cancelled,
        Self::NotASale,
        Self::Other,
    ];

    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSku => "unknown_sku",
            Self::MissingSku => "missing_sku",
            Self::Kit => "kit",
            Self::ShipMethod => "ship_method",
            Self::Address => "address",
            Self::Status => "status",
            Self::NotAllocated => "not_allocated",
            Self::NoNote => "no_note",
            Self::Note => "note",
            Self::Product => "product",
            Self::Quantity => "quantity",
            Self::Warehouse => "warehouse",
            Self::Channel => "channel",
            Self::OrderDate => "order_date",
            Self::NothingToShip => "nothing_to_ship",
            Self::Shipped => "shipped",
            Self::Cancelled => "cancelled",
            Self::NotASale => "not_a_sale",
            Self::Other => "other",
        }
    }

    /// Whether the order is left out on purpose. All else would have stood still until it was mended, by a person or by time.
    pub fn leaves_out(self) -> bool {
        matches!(
            self,
            Self::Warehouse
                | Self::Channel
                | Self::OrderDate
                | Self::NothingToShip
                | Self::Shipped
                | Self::Cancelled
                | Self::NotASale
        )
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::UnknownSku => {
                "Map the SKU to the warehouse's under Mappings, or let unmapped SKUs pass through as they are."
            }
            Self::MissingSku => "Give the product a SKU in Brightpearl.",
            Self::Kit => "Complete the kit's components under Mappings.",
            Self::ShipMethod => {
                "Map the shipping method to a carrier of the warehouse, or set a default for the connection."
            }
            Self::Address => {
                "Complete the delivery address on the order; ask for these fields where orders are placed."
            }
            Self::Status => {
                "Add the status to those imported from, or let Brightpearl move such orders to one of them."
            }
            Self::NotAllocated => {
                "Nothing to mend here: it goes when Brightpearl has set stock aside for it. Book stock in, or allocate it."
            }
            Self::NoNote => {
                "Make the goods-out note in Brightpearl, by hand or by Automation, or start from orders instead."
            }
            Self::Note => "Correct the goods-out note in Brightpearl.",
            Self::Product => "Bring the product back in Brightpearl, or add the bundle to the order again.",
            Self::Quantity => "Correct the quantity in Brightpearl: whole units only.",
            Self::Warehouse => {
                "Nothing to mend if another warehouse ships it; otherwise choose its Brightpearl warehouse in the settings."
            }
            Self::Channel => "Nothing to mend if it shall stay out; otherwise choose its channel in the settings.",
            Self::OrderDate => {
                "Nothing to mend if it shall stay out; otherwise choose an earlier date in the settings."
            }
            Self::NothingToShip => "Nothing to mend: services, fees and the like never leave a warehouse.",
            Self::Shipped => "Nothing to mend: it left already.",
            Self::Cancelled => "Nothing to mend: it was cancelled.",
            Self::NotASale => "Nothing to mend: only sales orders are shipped.",
            Self::Other => "The reason says what to do.",
        }
    }
}

impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no kind of cause.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a cause")]
pub struct NotACause(String);

impl FromStr for CauseKind {
    type Err = NotACause;

    fn from_str(text: &str) -> Result<Self, NotACause> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| NotACause(text.to_owned()))
    }
}

/// One reason: orders that share it are mended together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// Its kind.
    pub kind: CauseKind,
    /// What it is about: a SKU, a shipping method, the missing part of an address. Empty where the kind says it all.
    pub subject: String,
}

impl Cause {
    /// Of this kind, about this.
    pub fn new(kind: CauseKind, subject: impl Into<String>) -> Self {
        Self { kind, subject: subject.into() }
    }
}

impl From<CauseKind> for Cause {
    fn from(kind: CauseKind) -> Self {
        Self::new(kind, "")
    }
}
