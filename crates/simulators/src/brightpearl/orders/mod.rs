//! Orders: the model, and the codes that follow from what happened to them.

pub(crate) mod create;
pub(crate) mod custom;
pub(crate) mod notes;
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod rows;
pub(crate) mod sales;
pub(crate) mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::auth::after;
use super::contacts::Address;
use super::switches::PaymentStatusIds;
use crate::clock;

/// The product id of free-text rows.
pub(crate) const FREE_TEXT: i64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderType {
    SalesOrder,
    PurchaseOrder,
    SalesCredit,
    PurchaseCredit,
}

impl OrderType {
    pub(crate) const ALL: [Self; 4] = [Self::SalesOrder, Self::PurchaseOrder, Self::SalesCredit, Self::PurchaseCredit];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::SalesOrder => "SO",
            Self::PurchaseOrder => "PO",
            Self::SalesCredit => "SC",
            Self::PurchaseCredit => "PC",
        }
    }

    pub(crate) fn id(self) -> i64 {
        match self {
            Self::SalesOrder => 1,
            Self::PurchaseOrder => 2,
            Self::SalesCredit => 3,
            Self::PurchaseCredit => 4,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SalesOrder => "SALES_ORDER",
            Self::PurchaseOrder => "PURCHASE_ORDER",
            Self::SalesCredit => "SALES_CREDIT",
            Self::PurchaseCredit => "PURCHASE_CREDIT",
        }
    }

    /// Whether the other party is a supplier rather than a customer.
    pub(crate) fn buys(self) -> bool {
        matches!(self, Self::PurchaseOrder | Self::PurchaseCredit)
    }

    pub(crate) fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Fixed lists: id, code, description.
pub(crate) const STOCK_STATUSES: [(i64, &str, &str); 13] = [
    (1, "SON", "Sales order not fulfilled"),
    (2, "SOP", "Sales order part fulfilled"),
    (3, "SOA", "Sales order fulfilled"),
    (4, "PON", "Purchase order not received"),
    (5, "POP", "Purchase order part received"),
    (6, "POA", "Purchase order received"),
    (7, "SCN", "Sales credit not received"),
    (8, "SCP", "Sales credit part received"),
    (9, "SCA", "Sales credit received"),
    (10, "PCN", "Purchase credit not fulfilled"),
    (11, "PCP", "Purchase credit part fulfilled"),
    (12, "PCA", "Purchase credit fulfilled"),
    (13, "NON", "Unset"),
];

pub(crate) const SHIPPING_STATUSES: [(i64, &str, &str); 4] = [
    (1, "NST", "No stock tracked products on order"),
    (2, "SNS", "Stock not shipped"),
    (3, "SPS", "Stock part shipped"),
    (4, "ASS", "All stock shipped"),
];

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) sequence: i64,
    pub(crate) product_id: i64,
    pub(crate) name: String,
    pub(crate) sku: Option<String>,
    pub(crate) quantity: Decimal,
    pub(crate) item_cost: Decimal,
    pub(crate) product_price: Decimal,
    pub(crate) discount: Decimal,
    pub(crate) tax_id: i64,
    pub(crate) tax_code: String,
    pub(crate) tax_rate: Decimal,
    pub(crate) net: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) nominal: String,
    pub(crate) stock_tracked: bool,
    pub(crate) bundle_parent: bool,
    pub(crate) parent_row: i64,
    pub(crate) cloned_from: i64,
    pub(crate) external_ref: Option<String>,
}

impl Row {
    /// Whether the row can be on a goods-out note.
    pub(crate) fn ships(&self) -> bool {
        self.stock_tracked && !self.bundle_parent && self.product_id != FREE_TEXT
    }

    /// The quantity of a stock-tracked row, which is always whole.
    pub(crate) fn whole_quantity(&self) -> i64 {
        i64::try_from(self.quantity.trunc()).unwrap_or(0)
    }

    /// Works the tax out from the code's rate.
    pub(crate) fn recalculate_tax(&mut self) {
        self.tax = cents(self.net * self.tax_rate / Decimal::ONE_HUNDRED);
    }
}

/// Rounds to two places, halves away from zero.
pub(crate) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Assignment {
    pub(crate) owner: i64,
    pub(crate) project: i64,
    pub(crate) channel: i64,
    pub(crate) lead_source: i64,
    pub(crate) team: i64,
}

/// A party of an order: a contact, if there is one, and an address as it was then.
#[derive(Clone, Debug, Default)]
pub(crate) struct Party {
    pub(crate) contact_id: i64,
    pub(crate) address: Address,
}

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) kind: OrderType,
    pub(crate) parent_id: i64,
    pub(crate) reference: String,
    pub(crate) version: i64,
    pub(crate) status_id: i64,
    pub(crate) placed_on: Timestamp,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Option<Timestamp>,
    pub(crate) closed_on: Option<Timestamp>,
    pub(crate) created_by: i64,
    pub(crate) price_list_id: i64,
    pub(crate) tax_inclusive: bool,
    pub(crate) delivery_date: Option<Timestamp>,
    pub(crate) shipping_method_id: i64,
    /// Reference and tax date of the invoice, once there is one.
    pub(crate) invoice: Option<(String, Timestamp)>,
    pub(crate) tax_date: Timestamp,
    pub(crate) currency: String,
    pub(crate) exchange_rate: Decimal,
    pub(crate) fixed_rate: bool,
    pub(crate) assignment: Assignment,
    /// The customer, or the supplier of purchases.
    pub(crate) other_party: Party,
    pub(crate) delivery: Address,
    pub(crate) billing: Party,
    pub(crate) rows: BTreeMap<i64, Row>,
    pub(crate) warehouse_id: i64,
    pub(crate) cost_price_list_id: i64,
    pub(crate) external_ref: Option<String>,
    pub(crate) instance_id: Option<i64>,
    pub(crate) custom_fields: BTreeMap<String, Value>,
    pub(crate) paid: Decimal,
    pub(crate) stock_status: &'static str,
    pub(crate) allocation_status: &'static str,
    pub(crate) shipping_status: &'static str,
    /// Which ids searches use for payment states.
    pub(crate) payment_ids: PaymentStatusIds,
    /// Goods-out notes that exist.
    pub(crate) notes_out: Vec<i64>,
    /// By row, on drop-ship notes: a supplier sends it.
    pub(crate) drop_shipped: BTreeMap<i64, i64>,
    /// How many goods-out notes there ever were.
    pub(crate) note_sequence: i64,
    /// Earlier states that searches still show, each until the given time; `None`: not there yet.
    lagging: Vec<(Timestamp, Option<Box<Order>>)>,
}

#[derive(Clone, Debug)]
pub(crate) struct OrderNote {
    pub(crate) id: i64,
    pub(crate) order_id: i64,
    pub(crate) contact_id: i64,
    pub(crate) text: String,
    pub(crate) public: bool,
    pub(crate) added_on: Timestamp,
    pub(crate) added_by: i64,
    pub(crate) status_id: i64,
    pub(crate) file_id: Option<i64>,
}

impl Order {
    pub(crate) fn is_purchase(&self) -> bool {
        self.kind.buys()
    }

    pub(crate) fn net(&self) -> Decimal {
        self.rows.values().filter(|row| row.parent_row == 0).map(|row| row.net).sum()
    }

    pub(crate) fn tax(&self) -> Decimal {
        self.rows.values().filter(|row| row.parent_row == 0).map(|row| row.tax).sum()
    }

    pub(crate) fn payment_status(&self) -> PaymentStatus {
        let total = cents(self.net()) + cents(self.tax());
        if total.is_zero() && self.paid.is_zero() {
            PaymentStatus::NotApplicable
        } else if self.paid.is_zero() {
            PaymentStatus::Unpaid
        } else if self.paid < total {
            PaymentStatus::PartiallyPaid
        } else {
            PaymentStatus::Paid
        }
    }

    /// Sets the codes that follow from quantities.
    pub(super) fn set_codes(&mut self, ordered: i64, fulfilled: i64, allocated: i64, shipped: i64) {
        let place = |done: i64| usize::from(done > 0) + usize::from(done >= ordered && done > 0);
        if ordered == 0 {
            (self.stock_status, self.allocation_status, self.shipping_status) = ("NON", "ANR", "NST");
            return;
        }
        let stock = match self.kind {
            OrderType::SalesOrder => ["SON", "SOP", "SOA"],
            OrderType::PurchaseOrder => ["PON", "POP", "POA"],
            OrderType::SalesCredit => ["SCN", "SCP", "SCA"],
            OrderType::PurchaseCredit => ["PCN", "PCP", "PCA"],
        };
        self.stock_status = stock.get(place(fulfilled)).copied().unwrap_or("NON");
        self.allocation_status = match self.kind {
            OrderType::SalesOrder | OrderType::PurchaseCredit => {
                ["ANA", "APA", "AAA"].get(place(allocated)).copied().unwrap_or("ANR")
            }
            OrderType::PurchaseOrder | OrderType::SalesCredit => "ANR",
        };
        self.shipping_status = ["SNS", "SPS", "ASS"].get(place(shipped)).copied().unwrap_or("NST");
    }

    /// Keeps the present state for searches that lag behind.
    pub(super) fn keep_for_search(&mut self, now: Timestamp, lag: Option<Duration>) {
        let exact = clock::now();
        self.lagging.retain(|(until, _)| *until > exact);
        if let Some(lag) = lag {
            let mut kept = self.clone();
            kept.lagging = Vec::new();
            self.lagging.push((after(now.max(exact), lag), Some(Box::new(kept))));
        }
    }

    /// Hides a new order from searches that lag behind.
    pub(super) fn hide_from_search(&mut self, lag: Option<Duration>) {
        if let Some(lag) = lag {
            self.lagging.push((after(clock::now(), lag), None));
        }
    }

    /// The state a search sees.
    pub(super) fn as_searched(&self, exact: Timestamp) -> Option<&Self> {
        match self.lagging.iter().find(|(until, _)| *until > exact) {
            None => Some(self),
            Some((_, earlier)) => earlier.as_deref(),
        }
    }

    pub(crate) fn status_id_of(list: &[(i64, &str, &str)], code: &str) -> i64 {
        list.iter().find(|(_, known, _)| *known == code).map_or(0, |(id, _, _)| *id)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PaymentStatus {
    Paid,
    PartiallyPaid,
    Unpaid,
    NotApplicable,
}

impl PaymentStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Paid => "PAID",
            Self::PartiallyPaid => "PARTIALLY_PAID",
            Self::Unpaid => "UNPAID",
            Self::NotApplicable => "NOT_APPLICABLE",
        }
    }

    pub(crate) const ALL: [Self; 4] = [Self::Paid, Self::PartiallyPaid, Self::Unpaid, Self::NotApplicable];

    /// The id in searches; only that of `NOT_APPLICABLE` is known.
    pub(crate) fn id(self, ids: PaymentStatusIds) -> i64 {
        let (unpaid, paid) = match ids {
            PaymentStatusIds::Ascending => (2, 4),
            PaymentStatusIds::Descending => (4, 2),
        };
        match self {
            Self::Paid => paid,
            Self::PartiallyPaid => 3,
            Self::Unpaid => unpaid,
            Self::NotApplicable => 5,
        }
    }
}
