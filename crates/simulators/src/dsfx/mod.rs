//! A warehouse that lives in a folder and talks in files (DSFX: the CSV exchange between hub and warehouse).
//!
//! `in/` receives orders: files whose name begins with `ord_` and ends with `.csv`, with one PH row per order and its PD
//! rows. A file is taken in at the first look, whole or not at all: it then lies in `in/archive/`, or in `in/rejected/`
//! with the reason in `<name>.reason.txt` beside it. This warehouse has no duplicate check: an order number that comes
//! twice ships twice, and the [`Ledger`] says so. That is how a test sees that an order was sent twice.
//!
//! `out/` receives what left and what is there, each file by temporary name and rename, under a name never used before.
//! The public description of the format gives no columns for these; the layout here is this project's own:
//!
//! - `shp_*.csv`: `order_number,shipment_id,shipped_at,carrier,service,package_number,tracking_number,line_number,sku,quantity,lot,serial`,
//!   one row per package and line; serial numbers of several units are separated by `;`
//! - `inv_*.csv`: `sku,available,on_hand,facility_id,counted_at`, one row per SKU and facility, where
//!   *available* = on the shelf − promised to accepted orders that have not left; optionally a last row
//!   `TRAILER,<row count>,<sequence>`
//!
//! Both begin with the column names. Times are ISO 8601 in UTC, to the second.
//!
//! With [`Config::x12`] the same warehouse talks in X12: it takes `940_*.edi` and `997_*.edi`, and writes 945, 846 and 997. With
//! [`Config::flat`] it talks in flat files of its own making ([`flat`]).
//!
//! ```no_run
//! use simulators::dsfx::{Config, Dsfx, SeedStock};
//!
//! # fn main() -> Result<(), simulators::dsfx::DsfxError> {
//! let mut config = Config::new("/tmp/warehouse");
//! config.stock = vec![SeedStock::plain("SKU-A", "1", 100.into())];
//! let warehouse = Dsfx::open(config)?;
//! warehouse.tick(jiff::Timestamp::now())?;
//! println!("{} order numbers", warehouse.ledger().orders.len());
//! # Ok(())
//! # }
//! ```

/// The platform of a warehouse that it is the other end of, as it talks where nothing else is asked for.
pub const PLATFORM: &str = "dsfx";

mod feed;
pub mod flat;
mod folder;
mod ledger;
mod order_file;
mod warehouse;
mod x12;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_util::sync::CancellationToken;

pub use feed::{Fault, Feed};
pub use folder::AfterReading;
pub use ledger::{
    Acknowledged, FileRead, FileRejected, FileWritten, Ledger, LedgerContent, LedgerLine, LedgerOrder, LedgerPackage,
    LedgerShipment, OrderState, StockRow,
};
pub use order_file::{PhVersion, ShipTo, StateRule};
pub use warehouse::{Habits, Handling, PlannedShipment, SeedStock};
pub use x12::Partners;

use feed::Table;
use folder::Folder;
use warehouse::Warehouse;

/// When and how a warehouse that talks in X12 says that it has read orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledging {
    /// As soon as it has.
    AtOnce,
    /// Not before it is told to do so at once.
    Later,
    /// At once, and its word is that it could not take the order in; it works on it all the same.
    Refusing,
    /// At once, and its word is that it could not read the document: it has nothing of what stands in it.
    TurningDown,
}

/// How the warehouse is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder that holds `in/` and `out/`; created when absent.
    pub root: PathBuf,
    /// Part of every file name written.
    pub label: String,
    /// Layout of the PH row.
    pub ph_version: PhVersion,
    /// Whether it talks in X12 documents instead of CSV, and to whom.
    pub x12: Option<Partners>,
    /// Whether it talks in flat files of its own making instead.
    pub flat: bool,
    /// Whether a ship-to state is required.
    pub state_rule: StateRule,
    /// Facility of orders that name none.
    pub default_facility: String,
    /// What lies on the shelves at the start. An order for a SKU that is not among it is refused.
    pub stock: Vec<SeedStock>,
    /// How orders are worked on when nobody tells.
    pub habits: Habits,
    /// From one stock file to the next; `None` writes them only on [`Dsfx::count`].
    pub count_every: Option<Duration>,
    /// Whether stock files end with `TRAILER,<row count>,<sequence>`.
    pub trailer: bool,
    /// What becomes of order files that were taken in.
    pub after_reading: AfterReading,
    /// Whether [`Dsfx::run`] looks for order files all the time rather than once per interval, so that a file is gone
    /// nearly at the moment it gets its final name.
    pub reads_instantly: bool,
    /// When a shipment file that was damaged by a [`Fault`] is sent again intact, under a new name. `None`: only on
    /// [`Dsfx::resend`].
    pub repair_after: Option<Duration>,
    /// Decides every random choice.
    pub seed: u64,
}

impl Config {
    /// PH version 2, one facility `1`, nothing on the shelves, no stock files by themselves.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            label: "w1".to_owned(),
            ph_version: PhVersion::Two,
            x12: None,
            flat: false,
            state_rule: StateRule::WhereUsed,
            default_facility: "1".to_owned(),
            stock: Vec::new(),
            habits: Habits::default(),
            count_every: None,
            trailer: false,
            after_reading: AfterReading::Archive,
            reads_instantly: false,
            repair_after: None,
            seed: 1,
        }
    }
}

/// Why the warehouse could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DsfxError {
    /// The folder cannot be read or written.
    #[error("cannot work in the warehouse folder {root}: check that it exists and may be written")]
    Folder {
        /// The folder.
        root: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The fault has no meaning for this kind of file.
    #[error("{fault:?} cannot happen to a file of the feed {feed:?}")]
    FaultDoesNotFit {
        /// The feed asked for.
        feed: Feed,
        /// The fault asked for.
        fault: Fault,
    },
}

/// What one tick did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Order files taken in.
    pub read: usize,
    /// Order files refused.
    pub rejected: usize,
    /// Shipments that left.
    pub shipped: usize,
    /// Names of the files that appeared in `out/`.
    pub written: Vec<String>,
}

/// A running warehouse. Clones are handles to the same one. It remembers nothing once the last handle is gone.
#[derive(Clone)]
pub struct Dsfx {
    state: Arc<Mutex<State>>,
}

struct State {
    config: Config,
    folder: Folder,
    warehouse: Warehouse,
    read: Vec<FileRead>,
    rejected: Vec<FileRejected>,
    written: Vec<FileWritten>,
    /// What was written in X12 groups, and what the depositor said of it.
    groups: BTreeMap<String, usize>,
    acknowledged: Vec<Acknowledged>,
    acknowledging: Acknowledging,
    /// Acknowledgements that are held back: name and content.
    unsaid: Vec<(String, Vec<u8>)>,
    stock_sequence: u64,
    /// The last control number, of a warehouse that talks in X12.
    control: u64,
    next_count: Option<Timestamp>,
}

impl Dsfx {
    /// Creates the folders and fills the shelves.
    ///
    /// # Errors
    /// When the folders cannot be created.
    pub fn open(config: Config) -> Result<Self, DsfxError> {
        let orders = match (&config.x12, config.flat) {
            (Some(_), _) => (&["940_", "997_"][..], ".edi"),
            (None, true) => (&["ORDERS_"][..], ".csv"),
            (None, false) => (&["ord_"][..], ".csv"),
        };
        let folder =
            Folder::open(&config.root, &config.label, config.after_reading, config.repair_after, config.seed, orders)
                .map_err(|source| DsfxError::Folder { root: config.root.clone(), source })?;
        let warehouse = Warehouse::new(config.habits, config.seed, &config.stock);
        Ok(Self {
            state: Arc::new(Mutex::new(State {
                config,
                folder,
                warehouse,
                read: Vec::new(),
                rejected: Vec::new(),
                written: Vec::new(),
                groups: BTreeMap::new(),
                acknowledged: Vec::new(),
                acknowledging: Acknowledging::AtOnce,
                unsaid: Vec::new(),
                stock_sequence: 0,
                control: 0,
                next_count: None,
            })),
        })
    }

    /// One round of work at `now`: takes in order files, ships what is due, writes the files that follow from it.
    ///
    /// # Errors
    /// When the folder cannot be read or written. Work done before the error stays done.
    pub fn tick(&self, now: Timestamp) -> Result<Tick, DsfxError> {
        self.with_folder(|state| {
            let mut tick = Tick::default();
            let entries = state.folder.catch_up(now)?;
            state.note(entries, &mut tick);
            state.read_orders(now, &mut tick)?;
            let shipped = state.warehouse.ship_due(now);
            tick.shipped = shipped.len();
            if !shipped.is_empty() {
                let table = state.shipments(&shipped, now);
                let entries = state.folder.deliver(&table, now)?;
                state.note(entries, &mut tick);
            }
            if let Some(every) = state.config.count_every
                && state.next_count.is_none_or(|due| due <= now)
            {
                state.next_count = Some(now.checked_add(every).unwrap_or(Timestamp::MAX));
                state.count(now, &mut tick)?;
            }
            Ok(tick)
        })
    }

    /// Takes in the order files that lie there, and nothing else.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn read_orders(&self, now: Timestamp) -> Result<Tick, DsfxError> {
        self.with_folder(|state| {
            let mut tick = Tick::default();
            state.read_orders(now, &mut tick)?;
            Ok(tick)
        })
    }

    /// From now on it acknowledges orders like this; what was held back is said when it is *at once*.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn acknowledge(&self, how: Acknowledging) -> Result<(), DsfxError> {
        self.with_folder(|state| {
            state.acknowledging = how;
            if how == Acknowledging::AtOnce {
                for (name, bytes) in std::mem::take(&mut state.unsaid) {
                    state.folder.tell(&name, &bytes)?;
                }
            }
            Ok(())
        })
    }

    /// Writes a stock file.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn count(&self, now: Timestamp) -> Result<Tick, DsfxError> {
        self.with_folder(|state| {
            let mut tick = Tick::default();
            state.count(now, &mut tick)?;
            Ok(tick)
        })
    }

    /// Works every `interval` until `shutdown` is cancelled. Trouble with the folder is logged and tried again.
    #[expect(clippy::disallowed_methods, reason = "a simulated warehouse has a clock of its own")]
    pub async fn run(&self, interval: Duration, shutdown: CancellationToken) {
        let pause = if self.with(|state| state.config.reads_instantly) {
            interval.min(Duration::from_millis(2))
        } else {
            interval
        };
        let mut next_tick = tokio::time::Instant::now();
        while !shutdown.is_cancelled() {
            let whole = tokio::time::Instant::now() >= next_tick;
            if whole {
                next_tick = tokio::time::Instant::now() + interval;
            }
            let warehouse = self.clone();
            let worked = tokio::task::spawn_blocking(move || {
                let now = Timestamp::now();
                if whole { warehouse.tick(now) } else { warehouse.read_orders(now) }
            })
            .await;
            match worked {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the folder warehouse could not work"),
                Err(error) => tracing::warn!(%error, "the folder warehouse stopped in its work"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Says what becomes of an order number, whether it is here already or still to come.
    pub fn tell(&self, order_number: &str, handling: Handling) {
        self.with(|state| state.warehouse.tell(order_number, handling));
    }

    /// Takes another SKU for a line of an order, as people do when a shelf is empty. `false` when there is no such line.
    pub fn substitute(&self, order_number: &str, line: &str, sku: &str) -> bool {
        self.with(|state| state.warehouse.substitute(order_number, line, sku))
    }

    /// Gives up the orders of a number of which nothing has left, as the people there would, and says so where its files can.
    /// How many there were.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn give_up(&self, order_number: &str, now: Timestamp) -> Result<usize, DsfxError> {
        self.with_folder(|state| state.give_up(order_number, now))
    }

    /// Makes the next file of a feed wrong. Faults of one feed queue up, one per file.
    ///
    /// # Errors
    /// When the fault has no meaning for the feed.
    pub fn inject(&self, feed: Feed, fault: Fault) -> Result<(), DsfxError> {
        if !fault.fits(feed) {
            return Err(DsfxError::FaultDoesNotFit { feed, fault });
        }
        self.with(|state| state.folder.queue_fault(feed, fault));
        Ok(())
    }

    /// Makes `percent` of all files wrong, each in one of these ways that fits it, drawn from the seed.
    pub fn inject_at_random(&self, percent: u8, faults: Vec<Fault>) {
        self.with(|state| state.folder.set_random_faults(percent, faults));
    }

    /// Sends the intact content of an earlier shipment file again. Returns the new name, or `None` when no shipment
    /// file had that name.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn resend(&self, name: &str, now: Timestamp) -> Result<Option<String>, DsfxError> {
        self.with_folder(|state| {
            let mut tick = Tick::default();
            let entry = state.folder.resend(name, now)?;
            let name = entry.as_ref().map(|entry| entry.name.clone());
            state.note(entry, &mut tick);
            Ok(name)
        })
    }

    /// Writes out the files that [`Fault::Reordered`] holds back.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn release_held(&self, now: Timestamp) -> Result<Tick, DsfxError> {
        self.with_folder(|state| {
            let mut tick = Tick::default();
            for feed in [Feed::Shipments, Feed::Stock] {
                let entries = state.folder.release(feed, now)?;
                state.note(entries, &mut tick);
            }
            Ok(tick)
        })
    }

    /// Adds or replaces a shelf.
    pub fn seed_stock(&self, stock: &SeedStock) {
        self.with(|state| state.warehouse.seed_stock(stock));
    }

    /// Sets what lies on a shelf, as goods received or a stock-take would. `false` when there is no such shelf.
    pub fn set_physical(&self, sku: &str, facility: &str, physical: Decimal) -> bool {
        self.with(|state| state.warehouse.set_physical(sku, facility, physical))
    }

    /// Changes what lies on a shelf and, where it talks in X12, says so with this reason (W1901). `false` when there is no such
    /// shelf.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn adjust(
        &self,
        sku: &str,
        facility: &str,
        change: Decimal,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, DsfxError> {
        self.with_folder(|state| {
            let rows = state.warehouse.stock();
            let Some(row) = rows.iter().find(|row| row.sku == sku && row.facility == facility) else {
                return Ok(false);
            };
            state.warehouse.set_physical(sku, facility, row.physical + change);
            if let Some(partners) = state.config.x12.clone() {
                let control = state.next_control();
                state.groups.insert(format!("AW {control}"), 1);
                let bytes = x12::adjustment(&partners, control, sku, change, reason, now);
                state.folder.tell(&format!("947_{control:09}.edi"), &bytes)?;
            }
            Ok(true)
        })
    }

    /// Stock as it really is.
    #[must_use]
    pub fn stock(&self) -> Vec<StockRow> {
        self.with(|state| state.warehouse.stock())
    }

    /// Orders that still have something to do.
    #[must_use]
    pub fn open_orders(&self) -> usize {
        self.with(|state| state.warehouse.open())
    }

    /// Whether every order is finished and no file is still to be finished, released or repeated.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.with(|state| state.warehouse.open() == 0 && state.folder.is_settled())
    }

    /// Everything that really happened.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.with(|state| Ledger {
            orders: state.warehouse.orders(),
            duplicates: state.warehouse.duplicates(),
            stock: state.warehouse.stock(),
            read: state.read.clone(),
            rejected: state.rejected.clone(),
            written: state.written.clone(),
            groups: state.groups.clone(),
            acknowledged: state.acknowledged.clone(),
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_folder<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> Result<T, DsfxError> {
        self.with(|state| work(state).map_err(|source| DsfxError::Folder { root: state.config.root.clone(), source }))
    }
}

impl State {
    fn read_orders(&mut self, now: Timestamp, tick: &mut Tick) -> io::Result<()> {
        for name in self.folder.order_files()? {
            let Some(bytes) = self.folder.order_file(&name)? else {
                continue;
            };
            if let Some(partners) = self.config.x12.clone().filter(|_| name.starts_with("997_")) {
                self.read_acknowledgement(name, &bytes, &partners, now, tick)?;
                continue;
            }
            let asked = match &self.config.x12 {
                Some(partners) => x12::parse(&bytes, partners).map(|mut asked| {
                    for order in asked.orders.iter_mut().filter(|order| order.facility == partners.warehouse) {
                        order.facility.clear();
                    }
                    (std::mem::take(&mut asked.orders), Some(asked))
                }),
                None if self.config.flat => flat::parse(&bytes).map(|orders| (orders, None)),
                None => order_file::parse(&bytes, self.config.ph_version, self.config.state_rule)
                    .map(|orders| (orders, None)),
            };
            let parsed = asked.and_then(|(orders, document)| {
                orders
                    .iter()
                    .find_map(|order| self.warehouse.refusal(order, self.facility_of(&order.facility)))
                    .map_or(Ok(()), Err)?;
                Ok((orders, document))
            });
            match parsed {
                Ok((orders, document)) => {
                    if !self.folder.consume(&name)? {
                        continue;
                    }
                    tick.read += 1;
                    self.read.push(FileRead {
                        name: name.clone(),
                        at: now,
                        orders: orders.iter().map(|order| order.number.clone()).collect(),
                    });
                    let turned_down = document.is_some() && self.acknowledging == Acknowledging::TurningDown;
                    for order in orders.into_iter().filter(|_| !turned_down) {
                        let facility = self.facility_of(&order.facility).to_owned();
                        self.warehouse.accept(order, &name, &facility, now);
                    }
                    if let Some(asked) = document {
                        self.answer(&asked, now)?;
                    }
                }
                Err(reason) => {
                    if !self.folder.reject(&name, &reason)? {
                        continue;
                    }
                    tick.rejected += 1;
                    self.rejected.push(FileRejected { name, at: now, reason });
                }
            }
        }
        Ok(())
    }

    fn read_acknowledgement(
        &mut self,
        name: String,
        bytes: &[u8],
        partners: &Partners,
        now: Timestamp,
        tick: &mut Tick,
    ) -> io::Result<()> {
        match x12::acknowledged(bytes, partners, &self.groups) {
            Ok(said) => {
                if self.folder.consume(&name)? {
                    let of = |said: x12::Said| Acknowledged {
                        name: name.clone(),
                        at: now,
                        group: said.group,
                        result: said.result,
                    };
                    self.acknowledged.extend(said.into_iter().map(of));
                }
            }
            Err(reason) => {
                if self.folder.reject(&name, &reason)? {
                    tick.rejected += 1;
                    self.rejected.push(FileRejected { name, at: now, reason });
                }
            }
        }
        Ok(())
    }

    fn next_control(&mut self) -> u64 {
        self.control += 1;
        self.control
    }

    fn shipments(&mut self, shipped: &[(usize, usize)], now: Timestamp) -> Table {
        match self.config.x12.clone() {
            Some(partners) => {
                let control = self.next_control();
                self.groups.insert(format!("SW {control}"), shipped.len());
                let bytes = x12::shipments(&partners, control, self.warehouse.shipped(shipped), now);
                Table::document(Feed::Shipments, bytes, shipped.len())
            }
            None if self.config.flat => flat::shipments(self.warehouse.shipped(shipped)),
            None => Table::shipments(self.warehouse.shipped(shipped)),
        }
    }

    /// Says that a document was taken in, and of which orders in it nothing will leave. One of which something has left says
    /// so by its shipping advice alone.
    fn answer(&mut self, asked: &x12::Asked, now: Timestamp) -> io::Result<()> {
        let Some(partners) = self.config.x12.clone() else { return Ok(()) };
        let mut asked = asked.clone();
        let taken = self.read.last().map_or(0, |read| read.orders.len());
        let control = self.next_control();
        let sets = taken + asked.cancels.len();
        let takes = !matches!(self.acknowledging, Acknowledging::Refusing | Acknowledging::TurningDown);
        let bytes = x12::acknowledgement(&partners, control, &asked.group, sets, takes, now);
        let name = format!("997_{control:09}.edi");
        match self.acknowledging {
            Acknowledging::Later => self.unsaid.push((name, bytes)),
            Acknowledging::AtOnce | Acknowledging::Refusing => self.folder.tell(&name, &bytes)?,
            Acknowledging::TurningDown => {
                self.folder.tell(&name, &bytes)?;
                asked.cancels.clear();
            }
        }
        for number in std::mem::take(&mut asked.cancels) {
            self.give_up(&number, now)?;
        }
        Ok(())
    }

    /// Gives up the orders of a number of which nothing has left, and says so where its files can.
    fn give_up(&mut self, number: &str, now: Timestamp) -> io::Result<usize> {
        let orders = self.warehouse.cancel(number);
        for order in &orders {
            let control = self.next_control();
            match &self.config.x12 {
                Some(partners) => {
                    self.groups.insert(format!("SW {control}"), 1);
                    let bytes = x12::cancelled(partners, control, order, now);
                    self.folder.tell(&format!("945_{control:09}_cancelled.edi"), &bytes)?;
                }
                None if self.config.flat => {
                    self.folder.tell(&format!("shp_cancelled_{control:06}.csv"), &flat::cancelled(order, now))?;
                }
                None => {}
            }
        }
        Ok(orders.len())
    }

    fn facility_of<'a>(&'a self, named: &'a str) -> &'a str {
        if named.is_empty() { &self.config.default_facility } else { named }
    }

    fn count(&mut self, now: Timestamp, tick: &mut Tick) -> io::Result<()> {
        self.stock_sequence += 1;
        let sequence = self.config.trailer.then_some(self.stock_sequence);
        let table = match self.config.x12.clone() {
            Some(partners) => {
                let rows = self.warehouse.stock();
                let control = self.next_control();
                self.groups.insert(format!("IB {control}"), 1);
                let bytes = x12::stock(&partners, control, &rows, now);
                Table::document(Feed::Stock, bytes, rows.len())
            }
            None if self.config.flat => flat::stock(&self.warehouse.stock(), now),
            None => Table::stock(&self.warehouse.stock(), now, sequence),
        };
        let entries = self.folder.deliver(&table, now)?;
        self.note(entries, tick);
        Ok(())
    }

    fn note(&mut self, entries: impl IntoIterator<Item = FileWritten>, tick: &mut Tick) {
        for entry in entries {
            tick.written.push(entry.name.clone());
            self.written.push(entry);
        }
    }
}
