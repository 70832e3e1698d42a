//! Files of a warehouse that are damaged, and a folder that fails at any moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    Armed, BuildContext, Clock as _, FeedCursor, FileEntry, FileError, FileErrorKind, FileLocation, FileStore,
    FileStores, Prepared, Probe, Renamed, Sent, Waits, Warehouse,
};
use rand::RngExt as _;
use simulators::fuzz::{Form, damaged};

use super::{
    campaign,
    replay::{Dial, Replay, SEND_BY, context},
    runtime, said,
};
use crate::hub::{at, effects, request, settings, warehouse};

/// A folder in memory. What it does wrong is decided by a tape, one byte for each thing asked; at the end of the tape it
/// works.
#[derive(Clone, Default)]
pub struct Shelf {
    state: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    files: BTreeMap<String, Vec<u8>>,
    tape: Vec<u8>,
}

impl Shelf {
    fn with(tape: &[u8]) -> Self {
        let tape = tape.iter().rev().copied().collect();
        Self { state: Arc::new(Mutex::new(Inside { tape, ..Inside::default() })) }
    }

    pub fn put(&self, path: &str, content: &[u8]) {
        self.state.lock().unwrap().files.insert(path.to_owned(), content.to_vec());
    }

    /// Everything that lies in it, by path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.lock().unwrap().files.clone()
    }

    fn has(&self, path: &str) -> bool {
        self.state.lock().unwrap().files.contains_key(path)
    }

    /// What happens to the next thing asked: whether it is done, and what is said instead of the truth.
    fn next(&self) -> (bool, Option<FileError>) {
        let byte = self.state.lock().unwrap().tape.pop().unwrap_or_default();
        let error = |kind| Some(FileError::new(kind, "the folder is having a bad day"));
        match byte {
            0..176 => (true, None),
            176..192 => (false, error(FileErrorKind::NotReached)),
            192..208 => (false, error(FileErrorKind::Refused)),
            208..216 => (false, error(FileErrorKind::Credentials)),
            216..236 => (false, error(FileErrorKind::Unknown)),
            // Done, and the answer is lost.
            _ => (true, error(FileErrorKind::Unknown)),
        }
    }

    /// Does it, or not, and says so, or not.
    fn act<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let (does, error) = self.next();
        let done = does.then(|| work(&mut self.state.lock().unwrap().files));
        match (error, done) {
            (None, Some(done)) => done,
            (error, _) => Err(error.unwrap()),
        }
    }
}

impl FileStores for Shelf {
    fn open(&self, _: FileLocation) -> Arc<dyn FileStore> {
        Arc::new(self.clone())
    }
}

fn entry(path: &str, content: &[u8]) -> FileEntry {
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    FileEntry { name, size: content.len() as u64, modified: Some(at("2026-11-23T06:00:00Z")) }
}

fn missing(path: &str) -> FileError {
    FileError::new(FileErrorKind::NotFound, format!("{path} is not there"))
}

#[async_trait]
impl FileStore for Shelf {
    async fn list(&self, folder: &str) -> Result<Vec<FileEntry>, FileError> {
        let inside = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.rfind('/') == Some(0));
        self.act(|files| {
            Ok(files.iter().filter(|(path, _)| inside(path)).map(|(path, content)| entry(path, content)).collect())
        })
    }

    async fn read(&self, path: &str, largest: u64) -> Result<Vec<u8>, FileError> {
        self.act(|files| match files.get(path) {
            Some(content) if content.len() as u64 > largest => {
                Err(FileError::new(FileErrorKind::Refused, format!("{path} is too large")))
            }
            Some(content) => Ok(content.clone()),
            None => Err(missing(path)),
        })
    }

    async fn stat(&self, path: &str) -> Result<Option<FileEntry>, FileError> {
        self.act(|files| Ok(files.get(path).map(|content| entry(path, content))))
    }

    async fn write(&self, path: &str, content: &[u8]) -> Result<(), FileError> {
        self.act(|files| {
            files.insert(path.to_owned(), content.to_vec());
            Ok(())
        })
    }

    async fn rename(&self, from: &str, to: &str) -> Result<Renamed, FileError> {
        self.act(|files| {
            if files.contains_key(to) {
                return Ok(Renamed::TargetExists);
            }
            match files.remove(from) {
                Some(content) => {
                    files.insert(to.to_owned(), content);
                    Ok(Renamed::Done)
                }
                None => Ok(Renamed::SourceGone),
            }
        })
    }

    async fn remove(&self, path: &str) -> Result<(), FileError> {
        self.act(|files| {
            files.remove(path);
            Ok(())
        })
    }

    async fn create_folder(&self, _: &str) -> Result<(), FileError> {
        self.act(|_| Ok(()))
    }

    async fn host_key(&self) -> Result<Option<String>, FileError> {
        Ok(None)
    }
}

fn connector(shelf: &Shelf, dial: &Arc<Dial>, more: &[(&str, &str)]) -> Arc<dyn Warehouse> {
    let mut values = vec![("transport", "folder"), ("folder", "/srv/exchange")];
    values.extend_from_slice(more);
    let context =
        BuildContext { files: Arc::new(shelf.clone()), ..context(Replay::new(&[]), dial.clone(), Waits::default()) };
    warehouse("dsfx", &settings(&values, &[]), &context)
}

const SHIPMENTS: &str = "order_number,shipment_id,shipped_at,carrier,service,package_number,tracking_number,line_number,sku,quantity,lot,serial\n\
    BPacme-O1,S1,2026-11-22T10:11:12Z,UPS,Ground,1,1Z999AA1,1,SKU-A,2,L1,\n\
    BPacme-O1,S1,2026-11-22T10:11:12Z,UPS,Ground,2,1Z999AA2,2,SKU-B,1.5,,A1;A2\n\
    BPacme-O2,S2,2026-11-22T11:00:00+01:00,DHL,,,,,\"SKU, \"\"odd\"\"\",3,,\n";
const STOCK: &str = "sku,available,on_hand,facility_id,counted_at\n\
    SKU-A,5,7,1,2026-11-23T06:00:00Z\n\
    SKU-B,0,0,1,2026-11-23T06:00:00Z\n\
    \"SKU, C\",12.5,13,2,2026-11-23T06:00:00Z\n";
const BARE_SHIPMENTS: &str = "\"BPacme-O1\";\"S1\"\n\"BPacme-O1\",\"S1\",\"2026-11-22\",\"SKU-A\",\"2\"\nTRAILER,1\n";
const BARE_STOCK: &str = "SKU-A,5,4\nSKU-B,-1,4\nTRAILER,2,4\n";

/// Settings, and a shipment and a stock file that fit them.
pub type Layout = (Vec<(&'static str, &'static str)>, [&'static str; 2]);

/// How a warehouse may write its files.
pub fn layouts() -> Vec<Layout> {
    let bare_shipments = "order_number=1, shipment_id=2, shipped_at=3, sku=4, quantity=5, trailer=TRAILER";
    let bare = vec![
        ("shipment_columns", bare_shipments),
        ("shipment_has_header", "false"),
        ("stock_columns", "sku=1, available=2, trailer=TRAILER, sequence=3"),
        ("stock_has_header", "false"),
        ("full_snapshot", "true"),
    ];
    vec![
        (Vec::new(), [SHIPMENTS, STOCK]),
        (vec![("encoding", "windows-1252"), ("after_reading", "keep")], [SHIPMENTS, STOCK]),
        (bare, [BARE_SHIPMENTS, BARE_STOCK]),
    ]
}

/// One file, looked at until it must have been taken in or set aside.
async fn read(layout: u8, is_stock: bool, content: &[u8]) -> Result<(), String> {
    let (shelf, dial) = (Shelf::default(), Dial::at(at("2026-11-23T06:30:00Z")));
    let layouts = layouts();
    let (values, _) = &layouts[usize::from(layout) % layouts.len()];
    let connector = connector(&shelf, &dial, values);
    shelf.put(if is_stock { "out/inv_1.csv" } else { "out/shp_1.csv" }, content);
    let mut seen = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (taken, rejected) = if is_stock {
            let page = said(connector.stock().await)?.ok_or("the folder works, and reading it failed")?;
            if page.feeds.len() != page.taken.len() {
                return Err("a file that was not taken in gave figures".to_owned());
            }
            if page.feeds.iter().flat_map(|feed| &feed.levels).any(|level| level.sku.is_empty()) {
                return Err("figures of no SKU".to_owned());
            }
            (page.taken, page.rejected)
        } else {
            let page = said(connector.shipments(&FeedCursor::default()).await)?.ok_or("reading the folder failed")?;
            if page.taken.is_empty() && !page.shipments.is_empty() {
                return Err("a file that was not taken in gave shipments".to_owned());
            }
            // Quotes are doubled inside quotes, so they are left out of the comparison.
            let bare = |text: &str| text.replace('"', "");
            let text = bare(&String::from_utf8_lossy(content));
            for shipment in &page.shipments {
                // Nothing is made up: what is read stands in the file.
                let told =
                    [&shipment.key, &shipment.reference].into_iter().chain(shipment.lines().map(|line| &line.sku));
                if layout % 3 != 1
                    && let Some(word) = told.into_iter().find(|word| word.is_empty() || !text.contains(&bare(word)))
                {
                    return Err(format!("{word:?} does not stand in the file"));
                }
                if shipment.lines().any(|line| line.quantity <= 0.into()) {
                    return Err(format!("less than nothing left: {shipment:?}"));
                }
            }
            (page.taken, page.rejected)
        };
        if rejected.iter().any(|rejected| rejected.reason.trim().is_empty()) {
            return Err("a file was set aside without a reason".to_owned());
        }
        said(connector.acknowledge(&taken, &rejected).await)?;
        seen.0.extend(taken);
        seen.1.extend(rejected);
        // Longer than a file may stay without its last line end.
        dial.sleep(Duration::from_secs(550)).await;
    }
    match (seen.0.len(), seen.1.len()) {
        (1, 0) | (0, 1) => Ok(()),
        (taken, rejected) => Err(format!("one file was taken in {taken} times and set aside {rejected} times")),
    }
}

#[test]
fn dsfx_files() {
    let (layouts, runtime) = (layouts(), runtime());
    let whole = [(0, false, SHIPMENTS), (0, true, STOCK), (2, true, BARE_STOCK)];
    for (layout, is_stock, content) in whole {
        runtime.block_on(read(layout, is_stock, content.as_bytes())).unwrap();
    }
    campaign("dsfx_files").run(
        |dice| {
            let (layout, which) = (dice.random_range(0..layouts.len()), dice.random_range(0..2_usize));
            let mut input = vec![u8::try_from(layout).unwrap(), u8::try_from(which).unwrap()];
            input.extend(damaged(Form::Csv, layouts[layout].1[which].as_bytes(), &[SHIPMENTS.as_bytes()], dice));
            input
        },
        |input| match input {
            [layout, which, content @ ..] => runtime.block_on(read(*layout, *which == 1, content)),
            _ => Err("the input is too short".to_owned()),
        },
    );
}

/// Orders go out through a folder that fails as the tape says: whatever is said of them is true of the folder.
async fn publish(tape: &[u8]) -> Result<(), String> {
    let (shelf, dial) = (Shelf::with(tape), Dial::at(at("2026-11-23T06:30:00Z")));
    let connector = connector(&shelf, &dial, &[]);
    let drafts = connector.plan_submit(&[request("A"), request("B")], at("2026-11-23T06:30:00Z"));
    let drafts: Vec<_> = drafts.into_iter().map(Result::unwrap).collect();
    let file = format!("in/{}", drafts[0].batch.clone().unwrap());
    let effects = effects(&drafts);
    let Some(prepared) = said(connector.prepare(&effects).await)? else { return Ok(()) };
    if shelf.has(&file) {
        return Err("preparing has put the file in its place".to_owned());
    }
    let mut armed = Vec::new();
    for (effect, prepared) in effects.iter().zip(&prepared) {
        match prepared {
            Prepared::Ready { baseline } => armed.push(Armed {
                effect: effect.clone(),
                baseline: baseline.clone(),
                attempt: 1,
                armed_at: at("2026-11-23T06:30:01Z"),
            }),
            Prepared::NotYet { .. } => return Ok(()),
            other => return Err(format!("nothing is there, and it is {other:?}")),
        }
    }
    for outcome in connector.send(&armed, SEND_BY).await.outcomes {
        let there = shelf.has(&file);
        let fits = match &outcome {
            Sent::Accepted { .. } => there,
            Sent::NotSent { .. } | Sent::Throttled { .. } | Sent::Refused { .. } => !there,
            Sent::Unknown { .. } => true,
        };
        if !fits {
            return Err(format!("{outcome:?}, and the file is {}there", if there { "" } else { "not " }));
        }
    }
    let Some(probes) = said(connector.probe(&armed).await)? else { return Ok(()) };
    for probe in probes {
        let there = shelf.has(&file);
        if !matches!((&probe, there), (Probe::Absent, false) | (Probe::Equal(_), true)) {
            return Err(format!("{probe:?}, and the file is {}there", if there { "" } else { "not " }));
        }
    }
    Ok(())
}

#[test]
fn dsfx_folder() {
    let runtime = runtime();
    runtime.block_on(publish(&[])).unwrap();
    campaign("dsfx_folder").run(
        |dice| (0..dice.random_range(1..24)).map(|_| dice.random()).collect(),
        |input| runtime.block_on(publish(input)),
    );
}
