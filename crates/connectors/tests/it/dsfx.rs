//! File exchange: orders into a folder exactly once, shipments and stock out of another.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    Armed, Capability, Effect, EffectKind, ErrorKind, FeedCursor, FileEntry, FileError, FileErrorKind, FileLocation,
    FileStore, FileStores, Guard, Prepared, Probe, RemoteRef, Renamed, Sent, ShipmentPage, StockPage, Waits, Warehouse,
};
use connectors::files::Files;
use simulators::{
    dsfx::{Config, Dsfx, Fault, Feed, PhVersion, SeedStock},
    openssh::OpenSsh,
};
use tempfile::TempDir;

use crate::hub::{HandClock, NoNetwork, arm, at, context, effects, folder, request, settings, warehouse};

/// A warehouse folder with a connector on it.
struct Exchange {
    root: PathBuf,
    clock: Arc<HandClock>,
    connector: Arc<dyn Warehouse>,
    _folder: TempDir,
}

impl Exchange {
    fn new(more: &[(&str, &str)]) -> Self {
        Self::with_files(more, None)
    }

    fn with_files(more: &[(&str, &str)], files: Option<Arc<dyn FileStores>>) -> Self {
        let holder = tempfile::tempdir().unwrap();
        let root = holder.path().join("root");
        for name in ["in", "out"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let clock = HandClock::new();
        let connector = connector(&root, more, &clock, files);
        Self { root, clock, connector, _folder: holder }
    }

    fn inbox(&self) -> PathBuf {
        self.root.join("in")
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root.join("out").join(name), content).unwrap();
    }

    async fn shipments(&self) -> ShipmentPage {
        self.connector.shipments(&FeedCursor::default()).await.unwrap()
    }

    /// Two looks.
    async fn settled_shipments(&self) -> ShipmentPage {
        self.shipments().await;
        self.clock.pass(Duration::from_secs(60));
        self.shipments().await
    }

    async fn settled_stock(&self) -> StockPage {
        self.connector.stock().await.unwrap();
        self.clock.pass(Duration::from_secs(60));
        self.connector.stock().await.unwrap()
    }
}

fn connector(
    root: &Path,
    more: &[(&str, &str)],
    clock: &Arc<HandClock>,
    files: Option<Arc<dyn FileStores>>,
) -> Arc<dyn Warehouse> {
    let root = root.display().to_string();
    let mut values = vec![("transport", "folder"), ("folder", root.as_str())];
    values.extend_from_slice(more);
    warehouse("dsfx", &settings(&values, &[]), &context(Arc::clone(clock), Arc::new(NoNetwork), files))
}

fn drafts(connector: &dyn Warehouse, keys: &[&str]) -> Vec<connect::EffectDraft> {
    let requests: Vec<_> = keys.iter().map(|key| request(key)).collect();
    connector.plan_submit(&requests, at("2026-11-23T06:30:00Z")).into_iter().map(Result::unwrap).collect()
}

const V1: &str = r#""PH","BPacme-O1","PO4500","Jane Doe","1 High St","Flat 2","Leeds","","LS1 1AA","GB","","01130000000","Doe Ltd","1 High St","Flat 2","Leeds","","LS1 1AA","GB","UPS Ground","P","","2026-11-22T10:11:12Z","",""
"PD","BPacme-O1","1","SKU-A","5","10.00"
"PD","BPacme-O1","2","SKU-LOT","3","4.50"
"#;
const V2: &str = r#""PH","BPacme-O1","PO4500","jane@example.test","Jane Doe","1 High St","Flat 2","Leeds","","LS1 1AA","GB","","01130000000","Doe Ltd","1 High St","Flat 2","Leeds","","LS1 1AA","GB","UPS Ground","P","","2026-11-22T10:11:12Z","","","Leave with neighbour"
"PD","BPacme-O1","1","SKU-A","5","10.00"
"PD","BPacme-O1","2","SKU-LOT","3","4.50"
"#;
const V3: &str = r#""PH","BPacme-O1","PO4500","jane@example.test","Jane Doe","1 High St","Flat 2","Leeds","","LS1 1AA","GB","","01130000000","Doe Ltd","1 High St","Flat 2","Leeds","","LS1 1AA","GB","UPS Ground","P","","2026-11-22T10:11:12Z","","","Leave with neighbour","F7"
"PD","BPacme-O1","1","SKU-A","5","10.00"
"PD","BPacme-O1","2","SKU-LOT","3","4.50"
"#;

#[tokio::test]
async fn orders_are_written_in_each_version() {
    for (version, golden) in [("1", V1), ("2", V2), ("3", V3)] {
        let exchange = Exchange::new(&[("ph_version", version), ("facility", "F7")]);
        let effects = effects(&drafts(exchange.connector.as_ref(), &["BPacme-O1"]));
        exchange.connector.prepare(&effects).await.unwrap();
        let files = folder(&exchange.inbox());
        assert_eq!(files.values().collect::<Vec<_>>(), [golden], "version {version}");
        let name = files.keys().next().unwrap();
        assert!(name.starts_with("ord_BPacme-O1_261123063000.csv.") && name.ends_with(".part"), "{name}");
    }
}

#[tokio::test]
async fn orders_share_files_up_to_the_limit() {
    let exchange = Exchange::new(&[("orders_per_file", "2")]);
    let drafts = drafts(exchange.connector.as_ref(), &["A", "B", "C"]);
    let batches: Vec<_> = drafts.iter().map(|draft| draft.batch.as_deref().unwrap()).collect();
    assert_eq!(batches, ["ord_A_261123063000.csv", "ord_A_261123063000.csv", "ord_C_261123063000.csv"]);
    assert_eq!(drafts[1].key, "B");
    assert_eq!(drafts[1].title, "Send order 100001 to the warehouse (2 lines)");

    let effects = effects(&drafts);
    let armed = arm(&effects, &exchange.connector.prepare(&effects).await.unwrap());
    for batch in [&armed[..2], &armed[2..]] {
        let delivery = exchange.connector.send(batch, Duration::from_secs(1_000_000)).await;
        assert_eq!(delivery.outcomes.len(), batch.len());
        assert!(delivery.outcomes.iter().all(|sent| matches!(sent, Sent::Accepted { .. })), "{delivery:?}");
    }
    let files = folder(&exchange.inbox());
    assert_eq!(files.len(), 2);
    assert_eq!(files["ord_A_261123063000.csv"].matches("\"PH\"").count(), 2);
    assert_eq!(files["ord_A_261123063000.csv"].lines().filter(|line| line.contains("\"B\"")).count(), 3);
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_before_anything_is_sent() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let plan =
        |request: connect::ShipmentRequest| connector.plan_submit(&[request], at("2026-11-23T06:30:00Z")).remove(0);
    for bad in ["", "A B", "A~B", "A.csv", "../A", "\u{c4}", &"x".repeat(65)] {
        assert!(plan(request(bad)).unwrap_err().to_string().contains("letters, digits"), "{bad:?}");
    }
    let changed = |change: fn(&mut connect::ShipmentRequest)| {
        let mut request = request("A");
        change(&mut request);
        plan(request).unwrap_err().to_string()
    };
    assert!(changed(|request| request.ship_to.line1.clear()).contains("street"));
    assert!(changed(|request| request.ship_to.name.clear()).contains("name"));
    assert!(changed(|request| request.ship_to.country = "England".into()).contains("two-letter"));
    assert!(changed(|request| request.ship_to.country = "US".into()).contains("state"));
    assert!(changed(|request| request.ship_method.carrier.clear()).contains("shipping method"));
    assert!(changed(|request| request.lines.clear()).contains("no line"));
    assert!(changed(|request| request.lines[0].quantity = 0.into()).contains("line 1"));
    assert!(changed(|request| request.lines[1].sku = " ".into()).contains("line 2"));

    let twice = connector.plan_submit(&[request("A"), request("A")], at("2026-11-23T06:30:00Z"));
    assert!(twice[0].is_ok() && twice[1].is_err());
    assert!(connector.plan_release("A", &RemoteRef::new("f")).is_none());
    assert!(connector.plan_cancel("A", &RemoteRef::new("f"), at("2026-11-23T06:30:00Z")).is_err());
    let capabilities = connector.capabilities(EffectKind::SubmitRequest).unwrap();
    assert!(capabilities.repeat_is_safe() && capabilities.has(Capability::IdempotencyKey));
    assert!(connector.capabilities(EffectKind::CancelRequest).is_none());

    let narrow = Exchange::new(&[("encoding", "windows-1252")]);
    let mut odd = request("A");
    odd.ship_to.name = "\u{5c71}\u{7530}".into();
    assert!(narrow.connector.plan_submit(&[odd], at("2026-11-23T06:30:00Z"))[0].is_err());
}

#[tokio::test]
async fn a_crash_at_any_point_neither_loses_nor_doubles_an_order() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A", "B"]));
    let prepared = connector.prepare(&effects).await.unwrap();
    // Crash after preparing: nothing is visible, and a file that was not armed is never renamed.
    let prepared_again = connector.prepare(&effects).await.unwrap();
    assert!(prepared_again.iter().all(|one| matches!(one, Prepared::Ready { .. })) && prepared_again != prepared);
    let armed = arm(&effects, &prepared);

    // Crash between arming and renaming: the temporary file says so.
    assert_eq!(connector.probe(&armed).await.unwrap(), [Probe::Absent, Probe::Absent]);
    let sent = connector.send(&armed, Duration::from_secs(1_000_000)).await;
    assert!(matches!(&sent.outcomes[..], [Sent::Accepted { .. }, Sent::Accepted { .. }]), "{sent:?}");

    // Crash after renaming, before the outcome was kept.
    let there = Probe::Equal(RemoteRef::new("ord_A_261123063000.csv"));
    assert_eq!(connector.probe(&armed).await.unwrap(), [there.clone(), there.clone()]);
    // A second send of the same does nothing, and says that it does not know.
    assert!(matches!(
        connector.send(&again(&armed), Duration::from_secs(1_000_000)).await.outcomes[0],
        Sent::Unknown { .. }
    ));
    assert_eq!(published(&exchange), ["ord_A_261123063000.csv"]);
    // A restored backup that has forgotten the sending finds the file.
    assert_eq!(connector.prepare(&effects).await.unwrap()[0], Prepared::Found(there.clone()));

    // The warehouse takes the file away.
    fs::create_dir(exchange.inbox().join("archive")).unwrap();
    let file = "ord_A_261123063000.csv";
    fs::rename(exchange.inbox().join(file), exchange.inbox().join("archive").join(file)).unwrap();
    assert_eq!(connector.probe(&armed).await.unwrap(), [there.clone(), there.clone()]);
    assert_eq!(connector.prepare(&effects).await.unwrap()[1], Prepared::Found(there));
}

/// The same, tried once more.
fn again(armed: &[Armed]) -> Vec<Armed> {
    armed.iter().map(|armed| Armed { attempt: armed.attempt + 1, ..armed.clone() }).collect()
}

#[tokio::test]
async fn a_temporary_file_that_others_removed_is_written_again() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A"]));
    let armed = arm(&effects, &connector.prepare(&effects).await.unwrap());
    fs::remove_file(part_of(&exchange, &armed[0])).unwrap();
    let sent = connector.send(&armed, Duration::from_secs(1_000_000)).await;
    assert!(matches!(&sent.outcomes[0], Sent::NotSent { cause } if cause.kind == ErrorKind::Transient), "{sent:?}");
    let tried = tried(&effects, &armed);
    let armed = again(&arm(&tried, &connector.prepare(&tried).await.unwrap()));
    assert!(matches!(connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[0], Sent::Accepted { .. }));
}

/// The effects as they are prepared once more after this attempt.
fn tried(effects: &[Effect], armed: &[Armed]) -> Vec<Effect> {
    let baseline =
        |effect: &Effect| armed.iter().find(|armed| armed.effect.id == effect.id).map(|armed| armed.baseline.clone());
    effects.iter().map(|effect| Effect { tried: baseline(effect), ..effect.clone() }).collect()
}

fn part_of(exchange: &Exchange, armed: &Armed) -> std::path::PathBuf {
    exchange.root.join(armed.baseline["temp"].as_str().unwrap())
}

/// What the warehouse would take.
fn published(exchange: &Exchange) -> Vec<String> {
    folder(&exchange.inbox()).into_keys().filter(|name| name.ends_with(".csv")).collect()
}

/// An attempt whose answer was lost, and that the server carries out when nobody expects it any more.
#[tokio::test]
async fn a_rename_that_comes_late_publishes_once() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A", "B"]));
    let target = exchange.inbox().join("ord_A_261123063000.csv");
    let alone = [effects[0].clone()];
    let first = arm(&alone, &connector.prepare(&alone).await.unwrap());
    // B is planned for the same file, and does not touch what A's attempt may still rename.
    let other = arm(&effects[1..], &connector.prepare(&effects[1..]).await.unwrap());
    assert_ne!(part_of(&exchange, &first[0]), part_of(&exchange, &other[0]));
    // The same file is tried once more, and comes late before that is sent: the warehouse takes it at once.
    let once_more = tried(&alone, &first);
    let second = arm(&once_more, &connector.prepare(&once_more).await.unwrap());
    assert_eq!(second[0].baseline, first[0].baseline);
    fs::rename(part_of(&exchange, &first[0]), &target).unwrap();
    fs::remove_file(&target).unwrap();
    let there = Prepared::Found(Probe::Equal(RemoteRef::new("ord_A_261123063000.csv")));
    assert_eq!(connector.prepare(&once_more).await.unwrap(), [there]);
    assert!(matches!(connector.probe(&second).await.unwrap()[..], [Probe::Equal(_)]));

    // Tried again in other company, the earlier file cannot be published any more; had it been, it would have been found.
    let both = tried(&effects, &other);
    let together = arm(&both, &connector.prepare(&both).await.unwrap());
    assert!(!part_of(&exchange, &other[0]).exists(), "withdrawn");
    assert!(matches!(connector.probe(&other).await.unwrap()[..], [Probe::Absent]));
    let sent = connector.send(&together, Duration::from_secs(1_000_000)).await;
    assert!(matches!(sent.outcomes[..], [Sent::Accepted { .. }, Sent::Accepted { .. }]), "{sent:?}");
    assert_eq!(published(&exchange), ["ord_A_261123063000.csv"]);
}

/// Its name is another file's now: it is planned for another, and the earlier attempt must not come late once the name is free.
#[tokio::test]
async fn a_taken_name_takes_the_earlier_attempt_out_of_reach() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A", "B"]));
    let first = arm(&effects[..1], &connector.prepare(&effects[..1]).await.unwrap());
    let other = arm(&effects[1..], &connector.prepare(&effects[1..]).await.unwrap());
    assert!(matches!(connector.send(&other, Duration::from_secs(1_000_000)).await.outcomes[0], Sent::Accepted { .. }));
    let prepared = connector.prepare(&tried(&effects[..1], &first)).await.unwrap();
    assert!(matches!(&prepared[0], Prepared::Impossible { why } if why.contains("went without")), "{prepared:?}");
    assert!(!part_of(&exchange, &first[0]).exists());
    assert!(matches!(connector.probe(&first).await.unwrap()[..], [Probe::Absent]));
}

/// What the journal committed to is what is published, to the name.
#[tokio::test]
async fn planned_again_for_another_file_it_goes_in_that_file() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let planned = effects(&drafts(connector, &["A"]));
    let first = arm(&planned, &connector.prepare(&planned).await.unwrap());
    let mut again = tried(&planned, &first);
    again[0].body = again[0].body.replace("261123063000", "261123064500");
    let second = arm(&again, &connector.prepare(&again).await.unwrap());
    assert!(!part_of(&exchange, &first[0]).exists(), "the earlier attempt is out of reach");
    assert!(matches!(connector.send(&second, Duration::from_secs(1_000_000)).await.outcomes[0], Sent::Accepted { .. }));
    assert_eq!(published(&exchange), ["ord_A_261123064500.csv"]);
}

#[tokio::test]
async fn what_went_late_is_not_sent_in_other_company() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A", "B"]));
    let alone = [effects[0].clone()];
    let first = arm(&alone, &connector.prepare(&alone).await.unwrap());
    let target = exchange.inbox().join("ord_A_261123063000.csv");
    fs::rename(part_of(&exchange, &first[0]), &target).unwrap();
    fs::remove_file(&target).unwrap();
    let both = tried(&effects, &first);
    let prepared = connector.prepare(&both).await.unwrap();
    assert!(matches!(&prepared[0], Prepared::Found(Probe::Equal(_))), "{prepared:?}");
    assert!(matches!(&prepared[1], Prepared::Impossible { why } if why.contains("went without")), "{prepared:?}");
}

#[tokio::test]
async fn a_file_holds_exactly_the_orders_that_are_sent() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A", "B", "C"]));
    let all = arm(&effects, &connector.prepare(&effects).await.unwrap());
    // B is voided after the file was prepared: the file must not go.
    let rest = [all[0].clone(), all[2].clone()];
    assert!(matches!(connector.send(&rest, Duration::from_secs(1_000_000)).await.outcomes[1], Sent::NotSent { .. }));
    let rest: Vec<_> = [0, 2].map(|index| effects[index].clone()).into();
    let armed = arm(&rest, &connector.prepare(&rest).await.unwrap());
    assert!(matches!(
        connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[..],
        [Sent::Accepted { .. }, Sent::Accepted { .. }]
    ));
    let files = folder(&exchange.inbox());
    assert_eq!(published(&exchange), ["ord_A_261123063000.csv"]);
    let content = &files["ord_A_261123063000.csv"];
    assert!(content.contains("\"PD\",\"C\"") && !content.contains("\"B\""), "{content}");
}

#[tokio::test]
async fn another_file_under_the_name_is_never_replaced() {
    let exchange = Exchange::new(&[]);
    let connector = exchange.connector.as_ref();
    let effects = effects(&drafts(connector, &["A"]));
    let target = exchange.inbox().join("ord_A_261123063000.csv");
    let armed = arm(&effects, &connector.prepare(&effects).await.unwrap());
    let part = part_of(&exchange, &armed[0]);
    fs::write(&target, "theirs").unwrap();
    let Sent::Refused { code, .. } = &connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[0] else {
        panic!("it was not refused")
    };
    assert_eq!(code, "exists");
    assert_eq!(connector.probe(&armed).await.unwrap(), [Probe::Absent]);
    assert!(matches!(&connector.prepare(&effects).await.unwrap()[0], Prepared::Found(Probe::Different { .. })));
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");

    // A server that makes a second name and was stopped before it removed the first.
    fs::remove_file(&target).unwrap();
    fs::hard_link(&part, &target).unwrap();
    assert!(matches!(&connector.probe(&armed).await.unwrap()[0], Probe::Equal(_)));
    assert!(matches!(&connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[0], Sent::Accepted { .. }));
}

#[tokio::test]
async fn a_missing_temporary_file_says_nothing_where_it_was_never_written() {
    let exchange = Exchange::new(&[]);
    let effects = effects(&drafts(exchange.connector.as_ref(), &["A"]));
    let armed = arm(&effects, &exchange.connector.prepare(&effects).await.unwrap());

    let elsewhere = Exchange::new(&[]);
    assert!(elsewhere.connector.probe(&armed).await.is_err());
    assert!(matches!(
        elsewhere.connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[0],
        Sent::NotSent { .. }
    ));

    // A folder that is not mounted.
    fs::rename(&exchange.root, exchange.root.with_file_name("away")).unwrap();
    assert!(exchange.connector.probe(&armed).await.is_err());
}

/// A folder whose renames end as told.
struct Failing {
    inner: Arc<dyn FileStore>,
    rename: Mutex<Option<Result<Renamed, FileErrorKind>>>,
}

struct FailingStores(Arc<Mutex<Option<Arc<Failing>>>>);

impl FileStores for FailingStores {
    fn open(&self, location: FileLocation) -> Arc<dyn FileStore> {
        let inner = Files::new(Waits::default(), Guard::stand_ins()).open(location);
        let store = Arc::new(Failing { inner, rename: Mutex::new(None) });
        *self.0.lock().unwrap() = Some(Arc::clone(&store));
        store
    }
}

#[async_trait]
impl FileStore for Failing {
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
        let told = *self.rename.lock().unwrap();
        match told {
            None => self.inner.rename(from, to).await,
            // A server that replaces: what plain renames of POSIX do.
            Some(Ok(Renamed::Done)) => {
                let content = self.inner.read(from, 1 << 20).await?;
                self.inner.write(to, &content).await?;
                self.inner.remove(from).await?;
                Ok(Renamed::Done)
            }
            Some(Ok(other)) => Ok(other),
            Some(Err(kind)) => Err(FileError::new(kind, "as told")),
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

#[tokio::test]
async fn each_end_of_a_rename_has_its_outcome() {
    let slot = Arc::new(Mutex::new(None));
    let exchange = Exchange::with_files(&[], Some(Arc::new(FailingStores(Arc::clone(&slot)))));
    let store = slot.lock().unwrap().clone().unwrap();
    let effects = effects(&drafts(exchange.connector.as_ref(), &["A"]));
    let armed = arm(&effects, &exchange.connector.prepare(&effects).await.unwrap());
    let told = [
        (Err(FileErrorKind::NotReached), "not sent"),
        (Err(FileErrorKind::Credentials), "credentials"),
        (Err(FileErrorKind::Refused), "refused"),
        (Err(FileErrorKind::NotFound), "refused"),
        (Err(FileErrorKind::Unknown), "unknown"),
        (Ok(Renamed::SourceGone), "not sent"),
        (Ok(Renamed::TargetExists), "refused"),
    ];
    for (end, expected) in told {
        *store.rename.lock().unwrap() = Some(end);
        let delivery = exchange.connector.send(&armed, Duration::from_secs(1_000_000)).await;
        let got = match &delivery.outcomes[0] {
            Sent::NotSent { cause } if cause.kind == ErrorKind::Credentials => "credentials",
            Sent::NotSent { .. } => "not sent",
            Sent::Refused { .. } => "refused",
            Sent::Unknown { .. } => "unknown",
            Sent::Throttled { .. } | Sent::Accepted { .. } => "other",
        };
        assert_eq!(got, expected, "{end:?}");
        assert_eq!(exchange.connector.probe(&armed).await.unwrap(), [Probe::Absent], "{end:?}");
        assert!(delivery.capture.unwrap().request.starts_with("rename in/ord_A"));
    }

    // A server whose renames replace is not used.
    *store.rename.lock().unwrap() = Some(Ok(Renamed::Done));
    let refused = exchange.connector.check().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unsupported, "{refused}");
    assert!(refused.message.contains("replaces"), "{refused}");
}

const SHIPMENT_HEADER: &str = "order_number,shipment_id,shipped_at,carrier,service,package_number,tracking_number,line_number,sku,quantity,lot,serial\n";

#[tokio::test]
async fn a_file_is_read_when_it_looked_the_same_twice() {
    let exchange = Exchange::new(&[]);
    let row = "BPacme-O1,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,1,SKU-A,5,,\n";
    exchange.put("shp_1.csv", format!("{SHIPMENT_HEADER}{row}"));
    exchange.put("shp_2.txt", "other");
    exchange.put("inv_1.csv", "other");
    assert!(exchange.shipments().await.taken.is_empty(), "the first look only looks");
    assert!(exchange.shipments().await.taken.is_empty(), "a second look at the same moment says nothing");
    exchange.clock.pass(Duration::from_secs(2));
    // It has grown meanwhile.
    exchange.put(
        "shp_1.csv",
        format!("{SHIPMENT_HEADER}{row}BPacme-O1,S1,2026-11-23T06:00:00Z,UPS,Ground,2,1Z2,2,SKU-L,1.5,L1,N1;N2\n"),
    );
    assert!(exchange.shipments().await.taken.is_empty());
    exchange.clock.pass(Duration::from_secs(2));
    let page = exchange.shipments().await;
    assert_eq!((page.shipments.len(), page.taken.len(), page.rejected.len()), (1, 1, 0), "{page:?}");
    let shipment = &page.shipments[0];
    assert_eq!((shipment.key.as_str(), shipment.reference.as_str()), ("BPacme-O1", "S1"));
    assert_eq!(shipment.shipped_at, at("2026-11-23T06:00:00Z"));
    assert!(!shipment.is_final);
    assert_eq!(shipment.tracking_numbers(), ["1Z1", "1Z2"]);
    let line = &shipment.packages[1].lines[0];
    assert_eq!(
        (line.line_number, line.quantity.to_string(), line.lot.as_deref()),
        (Some(2), "1.5".to_owned(), Some("L1"))
    );
    assert_eq!(line.serials, ["N1", "N2"]);

    // Until the hub has it, it comes again; then it is put away, and a repeat of that is harmless.
    assert_eq!(exchange.shipments().await.taken, page.taken);
    for _ in 0..2 {
        exchange.connector.acknowledge(&page.taken, &[]).await.unwrap();
    }
    assert!(exchange.shipments().await.taken.is_empty());
    assert!(exchange.root.join("out/archive/shp_1.csv").exists());

    // The same name again, with other content: both are kept.
    exchange.put("shp_1.csv", format!("{SHIPMENT_HEADER}{}", row.replace("S1", "S2")));
    let page = exchange.settled_shipments().await;
    assert_eq!(page.shipments[0].reference, "S2");
    // It changes between the reading and the acknowledgement: then it is left.
    exchange.put("shp_1.csv", format!("{SHIPMENT_HEADER}{}", row.replace("S1", "S3")));
    exchange.connector.acknowledge(&page.taken, &[]).await.unwrap();
    let page = exchange.settled_shipments().await;
    assert_eq!(page.shipments[0].reference, "S3");
    exchange.connector.acknowledge(&page.taken, &[]).await.unwrap();
    assert_eq!(folder(&exchange.root.join("out/archive")).len(), 2);
}

#[tokio::test]
async fn files_may_stay_where_they_are() {
    let exchange = Exchange::new(&[("after_reading", "keep")]);
    exchange.put("shp_1.csv", format!("{SHIPMENT_HEADER}A,S1,2026-11-23T06:00:00Z,,,,,,SKU-A,5,,\n"));
    exchange.put("shp_2.csv", "nonsense\n");
    let page = exchange.settled_shipments().await;
    assert_eq!((page.taken.len(), page.rejected.len()), (1, 1));
    assert_eq!(page.shipments[0].loose.len(), 1, "goods without a box");
    exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    let page = exchange.shipments().await;
    assert_eq!((page.taken.len(), page.rejected.len()), (0, 0));
    assert_eq!(folder(&exchange.root.join("out")).len(), 2);
    exchange.put("shp_2.csv", format!("{SHIPMENT_HEADER}A,S2,2026-11-23T06:00:00Z,,,,,,SKU-A,5,,\n"));
    assert_eq!(exchange.settled_shipments().await.shipments.len(), 1, "changed content is new");
}

#[tokio::test]
async fn nothing_of_a_wrong_shipment_file_is_used() {
    let good = "A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,1,SKU-A,5,,";
    for (wrong, told) in [
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,1,SKU-A,5", "line 3 has 10 columns"),
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,2,SKU-B,five,,", "line 3, column 10 (quantity)"),
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,2,SKU-B,-1,,", "line 3, column 10 (quantity)"),
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,2,SKU-B,1e3,,", "plain number"),
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,2,SKU-B,,,", "it is empty"),
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,x,SKU-B,1,,", "line number"),
        ("A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z9,2,SKU-B,1,,", "differs from another line of the same box"),
        ("A,S1,2026-11-24T06:00:00Z,UPS,Ground,1,1Z1,2,SKU-B,1,,", "differs from line 2"),
        ("A,S2,yesterday,UPS,Ground,1,1Z1,2,SKU-B,1,,", "ISO 8601"),
        ("A,,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,2,SKU-B,1,,", "column 2 (shipment_id)"),
        (good, "line 2 already"),
    ] {
        let exchange = Exchange::new(&[]);
        exchange.put("shp_1.csv", format!("{SHIPMENT_HEADER}{good}\n{wrong}\n"));
        let page = exchange.settled_shipments().await;
        assert!(page.shipments.is_empty() && page.taken.is_empty(), "{wrong}");
        let reason = &page.rejected[0].reason;
        assert!(reason.contains(told) && reason.starts_with("shp_1.csv: "), "{wrong}: {reason}");
        exchange.connector.acknowledge(&[], &page.rejected).await.unwrap();
        assert!(exchange.root.join("out/rejected/shp_1.csv").exists());
        assert!(exchange.shipments().await.rejected.is_empty());
    }
}

/// What is read of a shipment file whose map nobody has made.
async fn left(content: &str) -> Vec<(String, String, Option<String>, i64)> {
    let exchange = Exchange::new(&[]);
    exchange.put("shp_1.csv", content);
    let page = exchange.settled_shipments().await;
    assert!(page.rejected.is_empty(), "{content}: {:?}", page.rejected);
    let line = |shipment: &connect::Shipment, line: &connect::PackageLine| {
        let units = line.quantity.to_string().parse().unwrap();
        (shipment.key.clone(), line.sku.clone(), line.lot.clone(), units)
    };
    page.shipments
        .iter()
        .flat_map(|shipment| shipment.lines().map(|one| line(shipment, one)).collect::<Vec<_>>())
        .collect()
}

#[tokio::test]
async fn without_a_map_records_and_names_are_read() {
    let record = "\"SH\",\"A\",\"S1\",\"2026-11-23T06:00:00Z\",\"UPS\",\"Ground\",\"1Z1\",\"1\",\"SKU-A\",\"5\",\"L1\",\"\",\"1\"\n";
    let read = [("A".to_owned(), "SKU-A".to_owned(), Some("L1".to_owned()), 5)];
    assert_eq!(left(record).await, read, "rows that say what they are");
    let names = "record,Order Number,Shipment Id,Ship Date,Carrier,Service,Tracking,Line,SKU,Quantity,Lot,Serial,Box\n";
    assert_eq!(left(&format!("{names}{record}")).await, read, "below names");
    let sku_first =
        "SKU,Quantity,Order Number,Shipment Id,Ship Date,Tracking,Lot\nSKU-A,5,A,S1,2026-11-23T06:00:00Z,1Z1,L1\n";
    assert_eq!(left(sku_first).await, read, "names in any order, and only what is needed");

    let exchange = Exchange::new(&[]);
    exchange.put("inv_1.csv", "IN,SKU-A,,3,4,2026-11-23T06:00:00Z,L1\nIN,SKU-A,,2,2,2026-11-23T06:00:00Z,L2\n");
    let page = exchange.settled_stock().await;
    let level = &page.feeds[0].levels[0];
    assert_eq!((level.available, level.physical), (Some(5.into()), Some(6.into())), "lots are added up: {page:?}");
    assert_eq!(page.feeds[0].cut_off, at("2026-11-23T06:00:00Z"));
    exchange.connector.acknowledge(&page.taken, &[]).await.unwrap();
    exchange.put("inv_2.csv", "sku,available\nSKU-A,7\n");
    let page = exchange.settled_stock().await;
    assert_eq!(page.feeds[0].levels[0].available, Some(7.into()), "no time of count, no facility: {page:?}");

    for (wrong, told) in [
        (format!("{record}\"XX\"{}", &record[4..]), "\"XX\" is not a kind of row"),
        ("Order Number,Shipment Id,Ship Date,SKU\nA,S1,2026-11-23T06:00:00Z,SKU-A\n".to_owned(), "\"quantity\""),
        // Columns that cannot be told by their names are not told by their places either.
        (format!("a,b,c,d,e,f,g,h,i,j,k,l,m\n{record}"), "no column"),
        (
            "SKU,Quantity,Order Number,Shipment Id,Ship Date,Carrier,Tracking No\nSKU-A,5,A,S1,2026-11-23T06:00:00Z,UPS,1Z1\n".to_owned(),
            "\"tracking_number\"",
        ),
    ] {
        let exchange = Exchange::new(&[]);
        exchange.put("shp_1.csv", &wrong);
        let page = exchange.settled_shipments().await;
        assert!(page.rejected[0].reason.contains(told), "{wrong}: {page:?}");
    }
    // Where somebody has made a map, it is the map that counts.
    let exchange = Exchange::new(&[("stock_columns", "sku=sku, available=available, facility_id=where")]);
    exchange.put("inv_1.csv", "sku,available\nSKU-A,7\n");
    assert!(exchange.settled_stock().await.rejected[0].reason.contains("no column \"where\""));
}

/// Nobody has said how these files look, so a row of names may be there and may be called in several ways (x12.md §12.1).
#[tokio::test]
async fn names_of_columns_change_nothing_of_what_is_read() {
    let rows = "IN,SKU-A,1,3,4,2026-11-23T06:00:00Z,L1\nIN,SKU-A,1,2,2,2026-11-23T06:00:00Z,L2\n\
                IN,SKU-B,1,7,7,2026-11-23T06:10:00Z,\n";
    for names in [
        "",
        "record,SKU,facility,available,on hand,as-of,lot\n",
        "IN,SKU,Facility,Available,On hand,As-of (ISO),Lot\n",
        "record,SKU,facility,available,on hand,as of,lot\n",
    ] {
        let exchange = Exchange::new(&[]);
        exchange.put("inv_1.csv", format!("{names}{rows}"));
        let page = exchange.settled_stock().await;
        assert_eq!(page.rejected, [], "{names}");
        let [feed] = page.feeds.as_slice() else { panic!("{names}: {page:?}") };
        assert_eq!(feed.cut_off, at("2026-11-23T06:00:00Z"), "{names}");
        let figures: Vec<_> = feed
            .levels
            .iter()
            .map(|level| (level.sku.as_str(), level.facility.as_deref(), level.available, level.physical))
            .collect();
        let expected = [
            ("SKU-A", Some("1"), Some(5.into()), Some(6.into())),
            ("SKU-B", Some("1"), Some(7.into()), Some(7.into())),
        ];
        assert_eq!(figures, expected, "{names}");
    }
    // Without a column of lots, two rows of one SKU and facility are what they were: nobody knows which of them is meant.
    let exchange = Exchange::new(&[]);
    exchange.put("inv_1.csv", "record,SKU,facility,available\nIN,SKU-A,1,3\nIN,SKU-A,1,2\n");
    assert!(exchange.settled_stock().await.rejected[0].reason.contains("line 2 already"));

    let row = "SH,A,S1,2026-11-23T06:00:00Z,UPS,Ground,1Z1,1,SKU-A,5,L1,,1\n";
    let read = [("A".to_owned(), "SKU-A".to_owned(), Some("L1".to_owned()), 5)];
    for first in ["record", "SH"] {
        let rest = "Order Number,Shipment Id,Ship Date (ISO),Carrier,Service,Tracking,Line,SKU,Quantity,Lot,Serial,Box";
        assert_eq!(left(&format!("{first},{rest}\n{row}")).await, read, "{first}");
    }
}

#[tokio::test]
async fn a_file_that_stays_cut_off_is_told() {
    let exchange = Exchange::new(&[]);
    exchange.put("shp_1.csv", format!("{SHIPMENT_HEADER}A,S1,2026-11-23T06:00:00Z,UPS,Ground,1,1Z1,1,SKU-A,5"));
    exchange.put("shp_2.csv", "");
    let page = exchange.settled_shipments().await;
    assert!(page.taken.is_empty() && page.rejected.is_empty(), "it may still be written");
    exchange.clock.pass(Duration::from_secs(600));
    let page = exchange.shipments().await;
    assert_eq!(page.rejected.len(), 2, "{page:?}");
    assert!(page.rejected.iter().all(|rejected| rejected.reason.contains("cut off")));
}

#[tokio::test]
async fn hostile_files_hold_nobody_up() {
    let exchange = Exchange::new(&[]);
    fs::File::create(exchange.root.join("out/shp_0.csv")).unwrap().set_len(80 << 20).unwrap();
    exchange.put(
        "shp_1.csv",
        format!("{SHIPMENT_HEADER}A,S1,2026-11-23T06:00:00Z,{},,,,,SKU-A,5,,\n", "x".repeat(1 << 20)),
    );
    exchange.put("shp_2.csv", ",".repeat(1 << 20) + "\n");
    exchange.put("shp_3.csv", "\n".repeat(1 << 20));
    exchange.put("shp_4.csv", b"\0\0\0\n");
    exchange.put("shp_5.csv", format!("{SHIPMENT_HEADER}{}", "A,S,2026-11-23T06:00:00Z,,,,,,S,1,,\n".repeat(250_000)));
    exchange.put("shp_odd \"%2e%2e' \u{e9}.csv", format!("{SHIPMENT_HEADER}A,S1,2026-11-23T06:00:00Z,,,,,,S,1,,\n"));
    std::os::unix::fs::symlink("/etc/passwd", exchange.root.join("out/shp_6.csv")).unwrap();
    fs::create_dir(exchange.root.join("out/shp_7.csv")).unwrap();
    let mut page = exchange.settled_shipments().await;
    // The large file filled the page; the rest comes with the next.
    let (mut taken, mut rejected, mut pages) = (page.taken.clone(), page.rejected.clone(), 1);
    while page.more && pages < 10 {
        page = exchange.connector.shipments(&page.next).await.unwrap();
        taken.extend(page.taken.clone());
        rejected.extend(page.rejected.clone());
        pages += 1;
    }
    assert_eq!(taken.len(), 1, "{:?}", taken.iter().map(|input| &input.name).collect::<Vec<_>>());
    assert_eq!(rejected.len(), 6);
    assert!(rejected[0].reason.contains("was not read"), "{}", rejected[0].reason);
    exchange.connector.acknowledge(&taken, &rejected).await.unwrap();
    assert_eq!(folder(&exchange.root.join("out/rejected")).len(), 6);
    assert_eq!(folder(&exchange.root.join("out/archive")).len(), 1);
}

#[tokio::test]
async fn many_files_come_in_pages() {
    let exchange = Exchange::new(&[]);
    for number in 0..450 {
        exchange.put(
            &format!("shp_{number:03}.csv"),
            format!("{SHIPMENT_HEADER}A,S{number},2026-11-23T06:00:00Z,,,,,,S,1,,\n"),
        );
    }
    let mut page = exchange.settled_shipments().await;
    let mut references: Vec<_> = page.shipments.iter().map(|shipment| shipment.reference.clone()).collect();
    let mut pages = 1;
    while page.more {
        page = exchange.connector.shipments(&page.next).await.unwrap();
        references.extend(page.shipments.iter().map(|shipment| shipment.reference.clone()));
        pages += 1;
        assert!(pages < 10);
    }
    assert_eq!(page.next, FeedCursor::default());
    assert_eq!(references.len(), 450, "{pages} pages");
}

#[tokio::test]
async fn stock_is_read_oldest_first() {
    let exchange = Exchange::new(&[("full_snapshot", "true")]);
    let header = "sku,available,on_hand,facility_id,counted_at\n";
    exchange
        .put("inv_a.csv", format!("{header}SKU-B,-2,0,1,2026-11-23T06:10:00Z\nSKU-A,95,100,1,2026-11-23T06:05:00Z\n"));
    exchange
        .put("inv_b.csv", format!("{header}SKU-A,90,95,1,2026-11-23T05:00:00Z\nSKU-A,1,1,2,2026-11-23T05:00:00Z\n"));
    let page = exchange.settled_stock().await;
    assert_eq!(page.rejected, []);
    let order: Vec<_> = page.feeds.iter().map(|feed| (feed.reference.as_str(), feed.cut_off)).collect();
    assert_eq!(order, [("inv_b.csv", at("2026-11-23T05:00:00Z")), ("inv_a.csv", at("2026-11-23T06:05:00Z"))]);
    let feed = &page.feeds[1];
    assert!(feed.absent_is_zero);
    assert_eq!(feed.levels.iter().map(|level| level.sku.as_str()).collect::<Vec<_>>(), ["SKU-A", "SKU-B"]);
    assert_eq!(feed.levels[1].available, Some((-2).into()), "back orders");
    assert_eq!(feed.levels[0].physical, Some(100.into()));
    assert_eq!(feed.content_hash, page.taken[0].content_hash);
    exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    assert!(exchange.settled_stock().await.feeds.is_empty());
}

#[tokio::test]
async fn nothing_of_a_wrong_stock_file_is_used() {
    for (content, told) in [
        ("sku,available,on_hand,facility_id,counted_at\n", "no row"),
        ("sku,available,on_hand,facility_id,counted_at\nA,1,1,1,\nA,2,2,1,\n", "line 2 already"),
        ("sku,available,on_hand,facility_id,counted_at\nA,1,-1,1,\n", "column 3 (on_hand)"),
        ("sku,available,on_hand,facility_id,counted_at\nA,,,1,\n", "no quantity"),
        ("sku,available,on_hand,facility_id,counted_at\n,1,1,1,\n", "column 1 (sku)"),
        ("sku,available,on_hand,facility_id,counted_at\nTRAILER,1,9\n", "3 columns"),
        ("sku,counted_at\nA,\n", "no quantity"),
    ] {
        let exchange = Exchange::new(&[]);
        exchange.put("inv_1.csv", content);
        let page = exchange.settled_stock().await;
        assert!(page.feeds.is_empty() && page.taken.is_empty(), "{content}");
        assert!(page.rejected[0].reason.contains(told), "{content}: {}", page.rejected[0].reason);
    }
    // Without a time of count, the time of the file is the cut-off; with a trailer, it is enforced.
    let columns = "sku=1, available=2, trailer=END, sequence=3";
    let exchange = Exchange::new(&[("stock_columns", columns), ("stock_has_header", "false")]);
    exchange.put("inv_1.csv", "A,5\nEND,1,17\n");
    let page = exchange.settled_stock().await;
    let modified: jiff::Timestamp =
        fs::metadata(exchange.root.join("out/inv_1.csv")).unwrap().modified().unwrap().try_into().unwrap();
    assert_eq!((page.feeds[0].sequence, page.feeds[0].cut_off), (Some(17), modified));
    exchange.put("inv_1.csv", "A,5\n");
    assert!(exchange.settled_stock().await.rejected[0].reason.contains("not complete"));
}

#[tokio::test]
async fn a_report_of_a_time_that_came_twice_is_not_guessed() {
    let header = "sku,available,on_hand,facility_id,counted_at\n";
    for (counted, told) in [("2026-10-25T01:30:00", "came twice"), ("2026-03-29T01:30:00", "never was")] {
        let exchange = Exchange::new(&[("time_zone", "Europe/London")]);
        exchange.put("inv_1.csv", format!("{header}A,1,1,1,{counted}\n"));
        let page = exchange.settled_stock().await;
        let [rejected] = page.rejected.as_slice() else { panic!("{page:?}") };
        assert!(page.feeds.is_empty() && rejected.reason.contains(told), "{}", rejected.reason);
        // With its offset it is a time like any other.
        exchange.put("inv_2.csv", format!("{header}A,1,1,1,{counted}Z\n"));
        let page = exchange.settled_stock().await;
        let read: Vec<String> = page.feeds.iter().map(|feed| feed.cut_off.to_string()).collect();
        assert_eq!(read, [format!("{counted}Z")]);
    }
}

#[tokio::test]
async fn the_test_of_the_settings_does_what_work_does() {
    let exchange = Exchange::new(&[]);
    exchange.put("SHP_1.CSV", "");
    let check = exchange.connector.check().await.unwrap();
    assert!(check.reached.iter().any(|line| line.contains("renaming onto a file is refused")), "{check:?}");
    assert!(check.warnings.iter().any(|line| line.contains("letter case")), "{check:?}");
    assert!(folder(&exchange.inbox()).is_empty(), "nothing is left behind");
    fs::remove_dir(exchange.inbox()).unwrap();
    assert_eq!(exchange.connector.check().await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn settings_are_checked_before_anything_is_opened() {
    let build = |values: &[(&str, &str)], secrets: &[(&str, &str)]| {
        let connect::Role::Warehouse(build) = connectors::dsfx::SPEC.role else { panic!("it is a warehouse") };
        let context = context(HandClock::new(), Arc::new(NoNetwork), None);
        build(&settings(values, secrets), &context).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(build(&[("transport", "folder")], &[]).contains("folder: must be given"));
    assert!(build(&[("transport", "folder"), ("folder", "relative")], &[]).contains("whole path"));
    assert!(build(&[("host", "h"), ("user", "u")], &[]).contains("private key or a password"));
    assert_eq!(build(&[("host", "h"), ("user", "u")], &[("password", "p")]), "");
    for (name, value, told) in [
        ("in_folder", "../x", "below the root"),
        ("in_folder", "out", "differ"),
        ("port", "70000", "65535"),
        ("orders_per_file", "0", "1 to 1000"),
        ("time_zone", "Mars", "time zone"),
        ("shipment_columns", "sku=sku", "must be there"),
        ("stock_columns", "sku=sku", "available or on_hand"),
        ("ph_version", "4", "one of"),
        ("colour", "red", "not a setting"),
    ] {
        let problem = build(&[("host", "h"), ("user", "u"), (name, value)], &[("password", "p")]);
        assert!(problem.contains(told), "{name}: {problem}");
    }
}

#[tokio::test]
async fn over_sftp_the_host_key_comes_first_and_then_everything_works() {
    let holder = tempfile::tempdir().unwrap();
    let root = holder.path().join("root");
    for name in ["in", "out"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let server = OpenSsh::start(&root).expect("sshd runs; if it is missing: apt-get install openssh-server");
    let (port, shown) = (server.port().to_string(), root.canonicalize().unwrap().display().to_string());
    let clock = HandClock::new();
    let build = |host_key: Option<&str>| {
        let mut values = vec![("host", "127.0.0.1"), ("port", &port), ("user", server.user()), ("root", &shown)];
        values.extend(host_key.map(|key| ("host_key", key)));
        let context = context(Arc::clone(&clock), Arc::new(NoNetwork), None);
        warehouse("dsfx", &settings(&values, &[("private_key", server.private_key())]), &context)
    };
    let check = build(None).check().await.unwrap();
    assert_eq!(check.learned.get("host_key").map(String::as_str), Some(server.host_key()));
    assert!(check.warnings[0].contains("Compare"), "{check:?}");
    assert!(!server.log().contains("userauth-request"));

    let connector = build(Some(server.host_key()));
    let check = connector.check().await.unwrap();
    assert!(check.learned.is_empty() && check.warnings.len() == 1, "{check:?}");
    assert!(check.warnings[0].contains("The file server's clock is"), "the test's own clock stands still: {check:?}");
    let effects = effects(&drafts(connector.as_ref(), &["BPacme-O1"]));
    let armed = arm(&effects, &connector.prepare(&effects).await.unwrap());
    assert_eq!(connector.probe(&armed).await.unwrap(), [Probe::Absent]);
    assert!(matches!(connector.send(&armed, Duration::from_secs(1_000_000)).await.outcomes[0], Sent::Accepted { .. }));
    assert!(matches!(
        connector.send(&again(&armed), Duration::from_secs(1_000_000)).await.outcomes[0],
        Sent::Unknown { .. }
    ));
    assert!(matches!(connector.probe(&armed).await.unwrap()[0], Probe::Equal(_)));
    assert_eq!(folder(&root.join("in"))["ord_BPacme-O1_261123063000.csv"], V2);
    fs::write(root.join("out/shp_1.csv"), format!("{SHIPMENT_HEADER}BPacme-O1,S1,2026-11-23T06:00:00Z,,,,,,S,1,,\n"))
        .unwrap();
    connector.shipments(&FeedCursor::default()).await.unwrap();
    clock.pass(Duration::from_secs(5));
    let page = connector.shipments(&FeedCursor::default()).await.unwrap();
    assert_eq!(page.shipments.len(), 1);
    connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
    assert!(root.join("out/archive/shp_1.csv").exists());
}

/// The simulated warehouse on the connector's folder.
fn simulator(exchange: &Exchange, version: PhVersion) -> Dsfx {
    let mut config = Config::new(&exchange.root);
    config.ph_version = version;
    config.stock = vec![SeedStock::plain("SKU-A", "1", 100.into()), SeedStock::plain("SKU-LOT", "1", 100.into())];
    Dsfx::open(config).unwrap()
}

#[tokio::test]
async fn the_simulated_warehouse_understands_every_version() {
    for (version, read_as) in [("1", PhVersion::One), ("2", PhVersion::Two), ("3", PhVersion::Three)] {
        let exchange = Exchange::new(&[("ph_version", version), ("facility", "1")]);
        let simulator = simulator(&exchange, read_as);
        let connector = exchange.connector.as_ref();
        let effects = effects(&drafts(connector, &["BPacme-O1", "BPacme-O2"]));
        let armed = arm(&effects, &connector.prepare(&effects).await.unwrap());
        connector.send(&armed, Duration::from_secs(1_000_000)).await;
        let mut now = at("2026-11-23T06:31:00Z");
        for _ in 0..200 {
            simulator.tick(now).unwrap();
            now += Duration::from_secs(3600);
            if simulator.is_settled() {
                break;
            }
        }
        let ledger = simulator.ledger();
        assert!(ledger.rejected.is_empty() && ledger.duplicates.is_empty(), "version {version}");
        assert_eq!(ledger.orders.len(), 2);
        simulator.count(now).unwrap();
        let page = exchange.settled_shipments().await;
        assert_eq!(page.rejected, []);
        let mut keys: Vec<_> = page.shipments.iter().map(|shipment| shipment.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys, ["BPacme-O1", "BPacme-O2"]);
        let stock = exchange.settled_stock().await;
        assert_eq!((stock.feeds.len(), stock.rejected.len()), (1, 0), "{stock:?}");
        assert_eq!(stock.feeds[0].levels.len(), 2);
    }
}

#[tokio::test]
async fn whatever_the_simulated_warehouse_does_to_a_file_it_is_read_whole_or_not_at_all() {
    let faults = [
        Fault::NoFinalNewline,
        Fault::CutRow,
        Fault::DuplicateRows,
        Fault::HugeCell,
        Fault::NulByte,
        Fault::InvalidUtf8,
        Fault::WrongColumnCount,
    ];
    for fault in faults {
        let exchange = Exchange::new(&[]);
        let simulator = simulator(&exchange, PhVersion::Two);
        simulator.inject(Feed::Stock, fault.clone()).unwrap();
        simulator.count(at("2026-11-23T06:31:00Z")).unwrap();
        exchange.settled_stock().await;
        exchange.clock.pass(Duration::from_secs(700));
        let page = exchange.connector.stock().await.unwrap();
        assert!(page.feeds.is_empty() && page.rejected.len() == 1, "{fault:?}: {page:?}");
        simulator.count(at("2026-11-23T06:32:00Z")).unwrap();
        exchange.connector.acknowledge(&page.taken, &page.rejected).await.unwrap();
        assert_eq!(exchange.settled_stock().await.feeds.len(), 1, "{fault:?}: the next file is read");
    }
    for fault in [Fault::DuplicateFile, Fault::OddFileName, Fault::ZeroFeed, Fault::UnknownSku] {
        let exchange = Exchange::new(&[]);
        let simulator = simulator(&exchange, PhVersion::Two);
        simulator.inject(Feed::Stock, fault.clone()).unwrap();
        simulator.count(at("2026-11-23T06:31:00Z")).unwrap();
        let page = exchange.settled_stock().await;
        assert!(!page.feeds.is_empty() && page.rejected.is_empty(), "{fault:?}: {page:?}");
    }
}

/// The hub has lost its memory: the same order planned again would get a file of another name, and is found by its number.
#[tokio::test]
async fn orders_are_found_again_by_their_number() {
    use connect::FoundAgain;
    let exchange = Exchange::new(&[("orders_per_file", "2")]);
    let connector = exchange.connector.as_ref();
    let first = effects(&drafts(connector, &["A", "B"]));
    let armed = arm(&first, &connector.prepare(&first).await.unwrap());
    connector.send(&armed, Duration::from_secs(1_000_000)).await;

    let requests: Vec<_> = ["A", "B", "C"].iter().map(|key| request(key)).collect();
    let again: Vec<_> =
        connector.plan_submit(&requests, at("2026-11-24T09:00:00Z")).into_iter().map(Result::unwrap).collect();
    assert_ne!(again[0].batch.as_deref(), Some("ord_A_261123063000.csv"));
    let asked: Vec<Armed> = effects(&again)
        .into_iter()
        .map(|effect| Armed {
            effect,
            baseline: serde_json::Value::Null,
            attempt: 0,
            armed_at: at("2026-11-24T09:00:00Z"),
        })
        .collect();
    let since = at("2020-01-01T00:00:00Z");
    let file = || FoundAgain::Seen(Probe::Equal(RemoteRef::new("ord_A_261123063000.csv")));

    // Not taken in yet, and the warehouse has never archived anything: what is not there may have been taken away.
    let found = connector.find_again(&asked, since).await.unwrap();
    assert_eq!(found[..2], [file(), file()]);
    assert!(matches!(&found[2], FoundAgain::CannotBeAsked { compare } if compare.contains("order C")), "{found:?}");

    // Taken in: it lies in the archive, under this name or another.
    let archive = exchange.inbox().join("archive");
    fs::create_dir(&archive).unwrap();
    fs::rename(exchange.inbox().join("ord_A_261123063000.csv"), archive.join("ord_A_261123063000.csv")).unwrap();
    let found = connector.find_again(&asked, since).await.unwrap();
    assert_eq!(found, [file(), file(), FoundAgain::Seen(Probe::Absent)]);
    assert_eq!(folder(&exchange.inbox()).len(), 0, "looking puts nothing in place");

    // Sent twice, and sent with something else.
    let content = fs::read_to_string(archive.join("ord_A_261123063000.csv")).unwrap();
    fs::write(archive.join("ord_A_261123070000.csv"), content.replace("\"5\"", "\"6\"")).unwrap();
    let found = connector.find_again(&asked[..1], since).await.unwrap();
    assert!(matches!(&found[0], FoundAgain::Seen(Probe::Many(both)) if both.len() == 2), "{found:?}");
    fs::remove_file(archive.join("ord_A_261123063000.csv")).unwrap();
    let found = connector.find_again(&asked[..1], since).await.unwrap();
    assert!(matches!(&found[0], FoundAgain::Seen(Probe::Different { .. })), "{found:?}");
    // Written long before the window.
    let found = connector.find_again(&asked[..1], at("2099-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(found, [FoundAgain::Seen(Probe::Absent)]);
}

#[tokio::test]
async fn shipment_files_that_were_put_away_are_read_again() {
    let exchange = Exchange::new(&[]);
    exchange.put(
        "shp_1.csv",
        "order_number,shipment_id,shipped_at,carrier,service,package_number,tracking_number,line_number,sku,quantity,lot,serial\n\
         A,S1,2026-11-23T10:00:00Z,UPS,Ground,1,1Z1,1,SKU-A,5,,\n",
    );
    let page = exchange.settled_shipments().await;
    assert_eq!(page.shipments.len(), 1, "{:?}", page.rejected);
    exchange.connector.acknowledge(&page.taken, &[]).await.unwrap();
    assert!(exchange.settled_shipments().await.shipments.is_empty());

    let since = at("2020-01-01T00:00:00Z");
    let again = exchange.connector.shipments_again(since, &FeedCursor::default()).await.unwrap();
    assert_eq!((&again.shipments, &again.taken, again.more), (&page.shipments, &page.taken, false));
    let after = exchange.connector.shipments_again(since, &again.next).await.unwrap();
    assert!(after.shipments.is_empty());
    let later = exchange.connector.shipments_again(at("2099-01-01T00:00:00Z"), &FeedCursor::default()).await.unwrap();
    assert!(later.shipments.is_empty());
}

#[tokio::test]
async fn only_order_files_that_were_not_taken_are_seen() {
    let exchange = Exchange::new(&[("orders_per_file", "1")]);
    let keys = ["BPacme-O1", "BPacme-O2"];
    let effects = effects(&drafts(exchange.connector.as_ref(), &keys));
    let armed = arm(&effects, &exchange.connector.prepare(&effects).await.unwrap());
    for one in &armed {
        exchange.connector.send(std::slice::from_ref(one), Duration::from_secs(1_000_000)).await;
    }
    let keys = keys.map(str::to_owned);
    let seen = exchange.connector.sightings(&keys).await.unwrap();
    assert!(seen.blind.unwrap().contains("cannot be asked"), "not finding an order says nothing");
    assert_eq!(seen.found.keys().collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    // The warehouse takes the first file.
    let taken = &seen.found["BPacme-O1"].references[0];
    fs::remove_file(exchange.inbox().join(taken)).unwrap();
    let seen = exchange.connector.sightings(&keys).await.unwrap();
    assert_eq!(seen.found.keys().collect::<Vec<_>>(), ["BPacme-O2"]);
    assert!(seen.blind.is_some());
}
