//! What a person chooses for one connection. Ids are the account's own; names are turned into ids when settings are saved.

use std::{collections::BTreeSet, time::Duration};

use connect::{FeedBasis, OrderFilter, ShipMethod};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What makes a shipment request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartMode {
    /// A sales order with a chosen status, fully allocated and not shipped. The hub creates the goods-out note for what
    /// really left.
    #[default]
    Order,
    /// An unshipped goods-out note for a chosen warehouse *is* the request.
    GoodsOutNote,
}

/// What happens to a line whose SKU has no listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnmappedSku {
    /// The order is held until the SKU is mapped.
    #[default]
    Strict,
    /// The SKU goes to the warehouse unchanged.
    PassThrough,
}

/// What happens, in goods-out-note mode, when the warehouse shipped less than the note asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortShip {
    /// A person decides.
    #[default]
    Hold,
    /// The note is deleted and one with the shipped rows takes its place.
    Replace,
}

/// What happens when an order changes after it was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnChange {
    /// A person decides.
    #[default]
    Ask,
    /// It is cancelled at the warehouse, and goes again under a new key once the warehouse has accepted that.
    CancelAndResend,
}

/// What happens when the warehouse counts more than the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Increases {
    /// They wait for a person.
    #[default]
    Hold,
    /// The warehouse is master: they are corrected in. Purchase orders must then not also be received in the source.
    Correct,
}

/// What happens to the first run after stock was switched on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstRun {
    /// It is shown, and waits for a person.
    #[default]
    Ask,
    /// The person who wrote the settings approves it in advance.
    Approve,
}

/// Limits beyond which a stock run asks a person (docs/reliability.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brakes {
    /// Largest difference of one line, in units; `None`: no limit. A larger one is held.
    pub line: Option<Decimal>,
    /// Most units that one run moves unattended, the differences of its lines summed without their signs; from the second
    /// run. `None`: no limit.
    pub run: Option<Decimal>,
    /// Largest share of SKUs changed by one run, in percent; from the second run.
    pub share_percent: u32,
    /// Largest share of SKUs a feed may report as zero, in percent, when the source has stock of them.
    pub zero_percent: u32,
    /// Largest share of the SKUs of the last feed that may be missing from the next, in percent. 100 where the warehouse
    /// sends only what changed.
    pub missing_percent: u32,
    /// Oldest feed acted upon, in minutes.
    pub feed_age_minutes: u32,
}

impl Default for Brakes {
    fn default() -> Self {
        Self {
            // Until a limit is taken from the merchant's own history: a difference of a thousand units of one product is a
            // container or a mistake of units (cases for pieces), and either is worth a look.
            line: Some(Decimal::ONE_THOUSAND),
            // The share of SKUs bounds how many lines change and the limit of a line how far; this bounds both together.
            // Ten lines at their limit are no quiet day's work.
            run: Some(Decimal::from(10_000)),
            share_percent: 20,
            zero_percent: 50,
            missing_percent: 50,
            feed_age_minutes: 24 * 60,
        }
    }
}

/// How stock is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StockSettings {
    /// What the warehouse's figures mean.
    pub basis: FeedBasis,
    /// What to do with increases; `None` until the person has chosen (then they are held).
    pub increases: Option<Increases>,
    /// What happens to the first run.
    pub first_run: FirstRun,
    /// Lines of one correction.
    pub batch: u32,
    /// Whether stock may be added to archived products, which brings them back to life.
    pub revive_archived: bool,
    /// Work accepted or shipped within so many seconds before the feed's cut-off makes its products wait for the next feed:
    /// the warehouse's count may or may not know of it.
    pub settle_seconds: u32,
    /// What waits for approval is approved by two people, who both signed in.
    pub two_people: bool,
    /// Brakes.
    pub brakes: Brakes,
}

impl Default for StockSettings {
    fn default() -> Self {
        Self {
            basis: FeedBasis::Available,
            increases: None,
            first_run: FirstRun::Ask,
            batch: 100,
            revive_archived: false,
            settle_seconds: 30,
            two_people: false,
            brakes: Brakes::default(),
        }
    }
}

/// How long a warehouse has to answer a cancel when nothing else is set: half a working day. Long enough for a warehouse that
/// looks into its inbox a few times a day, short enough to stop a parcel before the carrier's evening collection.
pub const CANCEL_DEADLINE_MINUTES: u32 = 240;

/// The settings of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionSettings {
    /// What makes a shipment request.
    pub start_mode: StartMode,
    /// Orders are imported while they have one of these statuses. Required in order mode.
    pub import_statuses: BTreeSet<i64>,
    /// *Warehouse Name*: the one warehouse of the account this connection works with.
    pub warehouse: Option<i64>,
    /// *Import orders from the selected Warehouses*; empty: those of `warehouse`, or of every warehouse if that is not set.
    pub import_warehouses: BTreeSet<i64>,
    /// Only orders of these channels; empty: all.
    pub channels: BTreeSet<i64>,
    /// Only orders placed at or after.
    pub placed_from: Option<Timestamp>,
    /// Set when the warehouse has the order.
    pub at_warehouse_status: Option<i64>,
    /// Set when everything has shipped.
    pub shipped_status: Option<i64>,
    /// Set when some has shipped and some has not.
    pub partly_shipped_status: Option<i64>,
    /// *Inventory Update Price List*: cost of stock that is added.
    pub price_list: Option<i64>,
    /// What happens to a line whose SKU has no listing.
    pub unmapped_sku: UnmappedSku,
    /// Sent for shipping methods that are not mapped; without it such orders are held.
    pub default_ship_method: Option<ShipMethod>,
    /// Written for carriers that are not mapped back; without it such shipments are held.
    pub default_source_method: Option<i64>,
    /// What to do when a note is shipped short.
    pub short_ship: ShortShip,
    /// Takes the place of `BP{account}` in order keys. Fixed once the first order is sent.
    pub key_prefix: Option<String>,
    /// Minutes for second thoughts: between putting a request at the warehouse held and releasing it, or before it is sent at
    /// all where the warehouse cannot hold.
    pub hold_minutes: u32,
    /// What happens when an order changes after it was sent.
    pub on_change: OnChange,
    /// Minutes the warehouse has to answer a cancel before it counts as silent; [`CANCEL_DEADLINE_MINUTES`] when not set.
    pub cancel_deadline_minutes: Option<u32>,
    /// Who asks a silent warehouse; the connection's staff when not set.
    pub cancel_owner: Option<String>,
    /// Facility named on requests.
    pub facility: Option<String>,
    /// How stock is written.
    pub stock: StockSettings,
}

impl ConnectionSettings {
    /// The source's warehouses whose orders and notes are in scope; empty means all.
    pub fn warehouses_in_scope(&self) -> BTreeSet<i64> {
        if self.import_warehouses.is_empty() {
            self.warehouse.into_iter().collect()
        } else {
            self.import_warehouses.clone()
        }
    }

    /// The warehouse that stock is written to and notes are made for where the locations table does not say:
    /// Warehouse Name, else the only selected warehouse.
    pub fn default_warehouse(&self) -> Option<i64> {
        self.warehouse.or_else(|| match self.import_warehouses.iter().collect::<Vec<_>>().as_slice() {
            [only] => Some(**only),
            _ => None,
        })
    }

    /// How long the warehouse has to answer a cancel.
    pub fn cancel_deadline(&self) -> Duration {
        let minutes = self.cancel_deadline_minutes.unwrap_or(CANCEL_DEADLINE_MINUTES);
        Duration::from_secs(u64::from(minutes) * 60)
    }

    /// The time for second thoughts before an order leaves.
    pub fn hold(&self) -> Duration {
        Duration::from_secs(u64::from(self.hold_minutes) * 60)
    }

    /// The filter of the order scan.
    pub fn order_filter(&self) -> OrderFilter {
        OrderFilter {
            statuses: self.import_statuses.clone(),
            warehouses: self.warehouses_in_scope(),
            channels: self.channels.clone(),
            placed_from: self.placed_from,
        }
    }

    /// What is wrong with these settings, for people; empty when they can be used.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.start_mode == StartMode::Order && self.import_statuses.is_empty() {
            problems.push("import_statuses: choose at least one order status to import from".to_owned());
        }
        if self.start_mode == StartMode::GoodsOutNote && self.warehouses_in_scope().is_empty() {
            problems.push(
                "import_warehouses: goods-out-note mode needs the warehouse whose notes are the requests".to_owned(),
            );
        }
        if let Some(warehouse) = self.warehouse
            && !self.import_warehouses.is_empty()
            && !self.import_warehouses.contains(&warehouse)
        {
            problems.push("import_warehouses: must contain Warehouse Name when both are given".to_owned());
        }
        for (name, status) in
            [("at_warehouse_status", self.at_warehouse_status), ("shipped_status", self.shipped_status)]
        {
            if status.is_some_and(|status| self.import_statuses.contains(&status)) {
                problems.push(format!("{name}: must not be one of the statuses that orders are imported from"));
            }
        }
        if self.cancel_deadline_minutes.is_some_and(|minutes| minutes == 0 || minutes > 7 * 24 * 60) {
            problems.push("cancel_deadline_minutes: must be between 1 and 10080 (a week)".to_owned());
        }
        if self.stock.batch == 0 || self.stock.batch > 500 {
            problems.push("stock.batch: must be between 1 and 500".to_owned());
        }
        let brakes = &self.stock.brakes;
        for (name, percent) in [
            ("share_percent", brakes.share_percent),
            ("zero_percent", brakes.zero_percent),
            ("missing_percent", brakes.missing_percent),
        ] {
            if percent > 100 {
                problems.push(format!("stock.brakes.{name}: must be between 0 and 100"));
            }
        }
        for (name, most) in [("line", brakes.line), ("run", brakes.run)] {
            if most.is_some_and(|most| most.is_sign_negative()) {
                problems.push(format!("stock.brakes.{name}: must not be negative; 0 stands for no limit"));
            }
        }
        problems
    }
}
