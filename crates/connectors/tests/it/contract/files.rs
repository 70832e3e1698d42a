//! The connectors that exchange files, over one simulated warehouse that talks in three ways.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use connect::{
    Capability, Clock as _, EffectKind, FileEntry, FileError, FileErrorKind, FileLocation, FileStore, FileStores,
    Guard, Renamed, Waits, Warehouse, WebhookCall,
};
use connectors::files::Files;
use rust_decimal::Decimal;
use simulators::{
    audit::{self, WarehouseOrder},
    dsfx::{self, Dsfx, Fault, Feed, Habits, Handling, SeedStock},
};
use tempfile::TempDir;

use super::{
    harness::{Can, Does, Entry, Opened, Opening, Site, Trouble},
    run::{every_scenario, stock_scenarios},
};
use crate::{
    csv::FLAT,
    hub::{HandClock, NoNetwork, context, settings, warehouse},
};

const SUBMIT: (EffectKind, &[Capability]) = (EffectKind::SubmitRequest, &[Capability::IdempotencyKey]);
const FOREVER: std::time::Duration = std::time::Duration::from_secs(86_400 * 365);

pub static ENTRIES: &[Entry] = &[
    Entry {
        platform: "dsfx",
        declares: &[SUBMIT],
        can: &[Can::NameBoxes, Can::NameLotsAndSerials, Can::Substitute, Can::EndASignIn, Can::ListWhatItHas],
        open: |opening| open("dsfx", opening, &[]),
    },
    Entry {
        platform: "x12",
        declares: &[
            SUBMIT,
            (EffectKind::CancelRequest, &[Capability::IdempotencyKey]),
            (EffectKind::Acknowledge, &[Capability::IdempotencyKey]),
        ],
        can: &[
            Can::SayThatAnOrderIsShort,
            Can::NameBoxes,
            Can::NameLotsAndSerials,
            Can::SayThatItGaveUp,
            Can::Substitute,
            Can::EndASignIn,
            Can::ListWhatItHas,
        ],
        open: |opening| open("x12", opening, &[]),
    },
    Entry {
        platform: "csv",
        declares: &[SUBMIT],
        can: &[
            Can::SayThatAnOrderIsShort,
            Can::NameBoxes,
            Can::NameLotsAndSerials,
            Can::SayThatItGaveUp,
            Can::Substitute,
            Can::EndASignIn,
            Can::ListWhatItHas,
        ],
        open: |opening| open("csv", opening, &[]),
    },
];

/// The same where every report of stock is said to be whole.
static WHOLE: &[Entry] = &[
    Entry { open: |opening| open("dsfx", opening, SNAPSHOT), ..ENTRIES[0] },
    Entry { open: |opening| open("x12", opening, SNAPSHOT), ..ENTRIES[1] },
    Entry { open: |opening| open("csv", opening, SNAPSHOT), ..ENTRIES[2] },
];
const SNAPSHOT: Values = &[("full_snapshot", "true")];

#[tokio::test]
async fn dsfx() {
    every_scenario(&ENTRIES[0]).await;
}

#[tokio::test]
async fn x12() {
    every_scenario(&ENTRIES[1]).await;
}

#[tokio::test]
async fn csv() {
    every_scenario(&ENTRIES[2]).await;
}

#[tokio::test]
async fn whole_stock_by_dsfx_x12_and_csv() {
    for entry in WHOLE {
        stock_scenarios(entry).await;
    }
}

type Values = &'static [(&'static str, &'static str)];

fn open(platform: &'static str, opening: Opening, more: Values) -> Opened {
    Box::pin(async move { Box::new(Exchange::new(platform, opening, more)) as Box<dyn Site> })
}

struct Exchange {
    root: PathBuf,
    clock: Arc<HandClock>,
    connector: Arc<dyn Warehouse>,
    simulator: Dsfx,
    next: Next,
    /// A name and a content that it can make nothing of.
    nonsense: (&'static str, &'static str),
    /// Its reports of stock are said to be whole.
    whole: bool,
    _folder: TempDir,
}

impl Exchange {
    fn new(platform: &'static str, opening: Opening, more: Values) -> Self {
        let holder = tempfile::tempdir().unwrap();
        let root = holder.path().join("root");
        let lot = |sku: &str| match opening.tracked && sku == "SKU-LOT" {
            true => SeedStock { lot: "L1".to_owned(), serials: true, ..SeedStock::plain(sku, "1", 100.into()) },
            false => SeedStock::plain(sku, "1", 100.into()),
        };
        let simulator = Dsfx::open(dsfx::Config {
            x12: (platform == "x12").then(dsfx::Partners::default),
            flat: platform == "csv",
            stock: ["SKU-A", "SKU-B", "SKU-LOT"].map(lot).to_vec(),
            habits: Habits { delay: FOREVER, rest_delay: FOREVER, ..Habits::default() },
            ..dsfx::Config::new(&root)
        })
        .unwrap();
        let shown = root.display().to_string();
        let mut values = vec![("transport", "folder"), ("folder", shown.as_str())];
        match platform {
            "x12" => values.extend([("our_id", "BPMERCHANT"), ("their_id", "THREEPL")]),
            "csv" => values.extend(FLAT),
            _ => {}
        }
        values.extend(more);
        let whole = more.contains(&("full_snapshot", "true"));
        let clock = HandClock::new();
        let next = Next::default();
        let files: Arc<dyn FileStores> =
            Arc::new(Weather { inner: Files::new(Waits::default(), Guard::stand_ins()), next: next.clone() });
        let hub = context(Arc::clone(&clock), Arc::new(NoNetwork), Some(files));
        let connector = warehouse(platform, &settings(&values, &[]), &hub);
        let nonsense = match platform {
            "x12" => ("zz.edi", "This is no document at all.\n"),
            _ => ("shp_zz.csv", "neither;one,nor\tthe other\n\0\n"),
        };
        Self { root, clock, connector, simulator, next, nonsense, whole, _folder: holder }
    }

    fn tick(&self) {
        self.simulator.tick(self.clock.now()).unwrap();
    }
}

#[async_trait]
impl Site for Exchange {
    fn warehouse(&self) -> &Arc<dyn Warehouse> {
        &self.connector
    }

    fn clock(&self) -> &Arc<HandClock> {
        &self.clock
    }

    fn take_in(&self) {
        self.simulator.read_orders(self.clock.now()).unwrap();
        assert_eq!(self.simulator.ledger().rejected, [], "the warehouse refuses what was sent");
    }

    fn work(&self, key: &str, does: Does) {
        match does {
            Does::All | Does::Rest => self.simulator.tell(key, Handling::Full),
            Does::TwoBoxes => self.simulator.tell(key, Handling::Boxes(2)),
            Does::Part => self.simulator.tell(key, Handling::PartThenRest),
            Does::Short => self.simulator.tell(key, Handling::Short),
            Does::Substitute => {
                assert!(self.simulator.substitute(key, "1", "SKU-B"));
                self.simulator.tell(key, Handling::Full);
            }
            Does::GiveUp => assert_eq!(self.simulator.give_up(key, self.clock.now()).unwrap(), 1),
        }
        self.tick();
    }

    fn work_off(&self) {
        self.tick();
    }

    fn touch(&self, _: &str) {}

    fn orders(&self) -> Vec<WarehouseOrder> {
        audit::dsfx_orders(&self.simulator.ledger())
    }

    fn acknowledged(&self) -> usize {
        self.simulator.ledger().acknowledged.len()
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        assert!(self.simulator.set_physical(sku, "1", units));
    }

    fn count(&self) {
        self.simulator.count(self.clock.now()).unwrap();
    }

    fn reports_are_whole(&self) -> bool {
        self.whole
    }

    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        self.simulator.stock().into_iter().map(|row| (row.sku, (row.available, row.physical))).collect()
    }

    fn trouble(&self, trouble: Trouble, _: EffectKind) {
        *self.next.lock().unwrap() = Some(trouble);
    }

    fn spoil(&self) {
        let (name, content) = self.nonsense;
        fs::write(self.root.join("out").join(name), content).unwrap();
    }

    fn disorder(&self) {
        for fault in [Fault::DuplicateFile, Fault::Reordered, Fault::DuplicateFile] {
            self.simulator.inject(Feed::Shipments, fault).unwrap();
        }
    }

    async fn calls(&self) -> Vec<WebhookCall> {
        Vec::new()
    }
}

/// What happens to the next file that is published.
type Next = Arc<Mutex<Option<Trouble>>>;

struct Weather {
    inner: Files,
    next: Next,
}

impl FileStores for Weather {
    fn open(&self, location: FileLocation) -> Arc<dyn FileStore> {
        Arc::new(Troubled { inner: self.inner.open(location), next: Arc::clone(&self.next) })
    }
}

struct Troubled {
    inner: Arc<dyn FileStore>,
    next: Next,
}

#[async_trait]
impl FileStore for Troubled {
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        self.inner.list(folder).await
    }

    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        self.inner.read(path, largest).await
    }

    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        self.inner.stat(path).await
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        self.inner.write(path, content).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError> {
        let publishes = from.ends_with(".part") && !to.ends_with(".part");
        let trouble = if publishes { self.next.lock().unwrap().take() } else { None };
        let error = |kind| Err(FileError::new(kind, "the line went dead"));
        match trouble {
            None => self.inner.rename(from, to).await,
            Some(Trouble::LostAfter) => {
                self.inner.rename(from, to).await?;
                error(FileErrorKind::Unknown)
            }
            Some(Trouble::LostBefore) => error(FileErrorKind::Unknown),
            Some(Trouble::SignInEnded) => error(FileErrorKind::Credentials),
            Some(other) => panic!("a folder knows no {other:?}"),
        }
    }

    async fn remove(&self, path: &str) -> Result<(), FileError> {
        self.inner.remove(path).await
    }

    async fn create_folder(&self, path: &str) -> Result<(), FileError> {
        self.inner.create_folder(path).await
    }

    async fn host_key(&self) -> Result<Option<String>, FileError> {
        self.inner.host_key().await
    }
}
