//! One seeded run: a hub between a model account and a model warehouse, in one deterministic loop.
//!
//! First a time of trouble: orders come in, people change them, the warehouse works, calls and files and commits fail, the
//! process dies and another takes its place. Then a quiet time, in which everything must come to rest.

use std::{collections::BTreeMap, path::PathBuf, pin::pin, sync::Arc, task::Poll, time::Duration};

use connect::{
    BuildContext, Clock as _, ConnectionId, FeedBasis, FileStores, MerchantId, Role, Secret, Settings, ShipMethod,
    Side, StoreId, TenantId, Transport, Waits, WarehouseId, budget::Budgets,
};
use engine::{
    alert::AlertKind,
    settings::{Brakes, ConnectionSettings, FirstRun, Increases, ShortShip, StartMode, StockSettings},
};
use futures_util::future::join_all;
use millrace::{
    db::{
        Access, AlertPatience, ChannelKind, ConnectionKey, Database, DatabaseConfig, DbError, EffectDecision, Mappings,
        OrderQuery, Ran, Scope,
    },
    flow::{self, FlowError},
    journal,
    metrics::Metrics,
    runtime::{Memory, Runtime, Wake},
};
use tokio_util::sync::CancellationToken;

use super::{
    brightpearl::{
        Brightpearl,
        account::{AT_WAREHOUSE, Account, NEW, PARTLY_SHIPPED, Product, SHIPPED, WAREHOUSE},
    },
    cells::{BEHIND_API, CHANGES, Moment, OFTEN},
    checks,
    clock::ModelClock,
    faults::{DatabaseFaults, NodeDatabase, Plant, Retrying},
    files::ModelFolder,
    losses::Losses,
    node::{Node, NodeFiles, NodeTransport, Stands},
    random::Dice,
    rest::{CUSTOMER, FACILITY, RestWarehouse},
    trace::{Fate, Trace},
    warehouse::Warehouse,
    watch::Watch,
    witness::Witness,
};

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Hash of every crossing of every seam.
    pub hash: String,
    /// What is not as promised; empty: nothing.
    pub findings: Vec<String>,
    /// How much of what happened.
    pub counts: BTreeMap<String, u64>,
}

/// What the warehouse of a world is reached by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// Files in a folder.
    Folder,
    /// An API.
    Rest,
}

impl Front {
    /// That of a seed, unless `MILLRACE_WAREHOUSE` says `folder` or `rest`.
    pub fn of(seed: u64) -> Self {
        match std::env::var("MILLRACE_WAREHOUSE").as_deref() {
            Ok("folder") => Self::Folder,
            Ok("rest") => Self::Rest,
            Ok(other) => panic!("MILLRACE_WAREHOUSE is folder or rest, not {other:?}"),
            Err(_) if Dice::new(seed, "front").chance(300) => Self::Rest,
            Err(_) => Self::Folder,
        }
    }

    /// In the counts.
    pub fn told(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::Rest => "an API",
        }
    }

    /// As `MILLRACE_WAREHOUSE` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::Rest => "rest",
        }
    }
}

/// Rounds of trouble.
const ROUNDS: u64 = 50;
/// The quiet time is over at the latest after so many rounds.
const QUIET_ROUNDS: u64 = 240;
/// No step takes longer, whatever fails.
const LONGEST_STEP: Duration = Duration::from_secs(3600);
/// How often orders at the warehouse are looked at, as the worker does.
const WATCH_SENT: Duration = Duration::from_secs(600);
/// A process that stands still with a call in its hands stands at most so long: one that has gone on by then may still send
/// it. What stands longer is the hole that remains (§5), and is not what these runs prove.
const LONGEST_AT_THE_WIRE: Duration = Duration::from_secs(60);
/// How long a remote system may be at work on a call whose caller has gone (P_max), and in some worlds, where the hub is told so.
const WORKS_ON: Duration = Duration::from_secs(120);
const WORKS_ON_LONG: Duration = Duration::from_secs(600);

/// What the worker's loops do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Orders,
    Shipments,
    Stock,
    Advance,
    ToSource,
    ToWarehouse,
}

/// Everything, in the order of the line.
pub const STEPS: [Step; 6] =
    [Step::Orders, Step::Shipments, Step::Stock, Step::Advance, Step::ToSource, Step::ToWarehouse];

/// One life of the hub.
pub struct Process {
    pub runtime: Runtime,
    node: Arc<Node>,
    /// The connectors of one process share log-ins for as long as its budgets live.
    _budgets: Arc<Budgets>,
}

/// Everything of a run.
pub struct Run {
    pub clock: Arc<ModelClock>,
    pub trace: Arc<Trace>,
    pub witness: Arc<Witness>,
    pub watch: Arc<Watch>,
    pub account: Arc<Brightpearl>,
    pub folder: Arc<ModelFolder>,
    pub rest: Arc<RestWarehouse>,
    pub front: Front,
    pub warehouse: Warehouse,
    pub settings: ConnectionSettings,
    pub counts: BTreeMap<String, u64>,
    pub dice: Dice,
    /// Deaths at changes that few worlds have; apart, so that worlds without such changes are played as if there were none.
    rare_deaths: Dice,
    /// The hub's clock is set now and then, by minutes; otherwise it is off by what the contract allows for.
    pub sets_clock: bool,
    /// What is still at work on a call whose caller has gone is at work at most so long (P_max).
    pub works_on: Duration,
    /// Counts that speak of nothing under way, at the end.
    counts_at_rest: u32,
    hub_random: Arc<Dice>,
    database_faults: Arc<DatabaseFaults>,
    pub database: PathBuf,
    /// The database loses something in this world.
    pub losses: Option<Losses>,
    key: ConnectionKey,
    watched: Duration,
    plant: Plant,
}

/// Plays one seed in a world with such a warehouse.
pub fn run(front: Front, seed: u64, plant: Plant) -> Outcome {
    play(front, seed, plant, false, async |run: &mut Run| run.trouble().await).0
}

/// Plays a world of this seed: what happens first is told, and then everything must come to rest.
pub fn play<T>(
    front: Front,
    seed: u64,
    plant: Plant,
    calm: bool,
    first: impl AsyncFnOnce(&mut Run) -> T,
) -> (Outcome, T) {
    #[cfg(feature = "planted")]
    connect::planted::plant(match plant {
        Plant::Inside(fault) => Some(fault),
        _ => None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // Nothing here asks what a lost disk keeps, so memory is as good a place as any, and much faster.
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    runtime.block_on(async {
        let mut run = Run::new(front, seed, plant, calm, folder.path().join("hub.db"));
        let told = first(&mut run).await;
        run.quiet().await;
        let findings = run.watch.findings();
        (Outcome { hash: run.trace.hash(), findings, counts: run.counts }, told)
    })
}

/// A product's SKU at the warehouse.
pub fn warehouse_sku(product: i64) -> String {
    format!("W-{product}")
}

impl Run {
    fn new(front: Front, seed: u64, plant: Plant, calm: bool, database: PathBuf) -> Self {
        let dice = Dice::new(seed, "world");
        let clock = Arc::new(ModelClock::new(&dice));
        let trace = Arc::new(Trace::new());
        let hub_random = Arc::new(Dice::new(seed, "hub"));
        let now = clock.now();
        let key = ConnectionKey {
            scope: Scope {
                tenant: TenantId::generate(now, &*hub_random),
                merchant: MerchantId::generate(now, &*hub_random),
            },
            connection: ConnectionId::generate(now, &*hub_random),
        };
        let mut account = Account::default();
        account.keeps_part_of_a_batch = dice.chance(500);
        account.takes_too_much = dice.chance(400);
        let mut stock = BTreeMap::new();
        for product in 1001..=1006_i64 {
            let there = dice.between(120, 160);
            let one = Product { sku: format!("SKU-{product}"), initial: there, in_stock: there, allocated: 0 };
            account.products.insert(product, one);
            stock.insert(warehouse_sku(product), there);
        }
        let database_faults = Arc::new(DatabaseFaults::new(seed, Arc::clone(&trace), Arc::clone(&clock)));
        // The tables are made by opening once, before anything is traced.
        drop(to_the_end(Database::open(&config(&database, &clock, &hub_random))).unwrap());
        let witness = Arc::new(Witness::new(&database));
        configure(&witness, front, &key, now, &hub_random);
        let sets_clock = !calm && Dice::new(seed, "clock").chance(150);
        let watch = Arc::new(Watch::new(Arc::clone(&witness), sets_clock));
        let works_long = !calm && Dice::new(seed, "works on").chance(150);
        let works_on = if works_long { WORKS_ON_LONG } else { WORKS_ON };
        let (time, told) = (Arc::clone(&clock), Arc::clone(&trace));
        let account = Brightpearl::new(seed, time, told, account, Arc::clone(&watch) as _, works_on);
        let (time, told) = (Arc::clone(&clock), Arc::clone(&trace));
        let folder = Arc::new(ModelFolder::new(seed, time, told, Arc::clone(&watch) as _, works_on));
        let (time, told) = (Arc::clone(&clock), Arc::clone(&trace));
        let rest = Arc::new(RestWarehouse::new(seed, time, told, Arc::clone(&watch), works_on));
        let behind = (front == Front::Rest).then(|| Arc::clone(&rest));
        let warehouse = Warehouse::new(seed, Arc::clone(&folder), behind, Arc::clone(&trace), stock);
        let mut settings = settings(&dice);
        if front == Front::Rest && !calm && Dice::new(seed, "hold").chance(300) {
            settings.hold_minutes = 2;
        }
        if calm {
            account.state().strength = 0;
            // The small world is over before an old index would know of it.
            account.state().search_lag = 0;
            folder.held().strength = 0;
            rest.state().strength = 0;
            rest.state().lag = 0;
            database_faults.stop();
        }
        Self {
            clock,
            trace,
            witness,
            watch,
            account: Arc::new(account),
            folder,
            rest,
            front,
            warehouse,
            settings,
            counts: BTreeMap::new(),
            dice,
            rare_deaths: Dice::new(seed, "rare deaths"),
            sets_clock,
            works_on,
            counts_at_rest: if calm { 1 } else { 3 },
            hub_random,
            database_faults,
            database,
            losses: (!calm && Dice::new(seed, "losses").chance(120)).then(Losses::default),
            key,
            watched: Duration::ZERO,
            plant,
        }
    }

    /// Counts something, for the sum at the end.
    pub fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn waits(&self) -> Waits {
        let waits = Waits { vendor_work: self.works_on, ..Waits::default() };
        match self.plant {
            Plant::ShortWait => Waits { vendor_work: Duration::ZERO, ..waits },
            _ => waits,
        }
    }

    /// A process: the database opened anew, the connectors built anew, nothing remembered.
    pub fn start(&self) -> Process {
        self.start_as("node")
    }

    fn start_as(&self, owner: &str) -> Process {
        let node = Arc::new(Node::default());
        let db = to_the_end(Database::open(&config(&self.database, &self.clock, &self.hub_random))).unwrap();
        if let Some(losses) = &self.losses {
            losses.guard(&db);
        }
        let faults = Arc::clone(&self.database_faults);
        db.set_observer(Arc::new(NodeDatabase { node: Arc::clone(&node), faults }));
        let clock = Arc::clone(&self.clock) as Arc<dyn connect::Clock>;
        let budgets = Arc::new(Budgets::new(Arc::clone(&clock)));
        let transport: Arc<dyn Transport> = Arc::new(NodeTransport {
            node: Arc::clone(&node),
            account: Arc::clone(&self.account),
            rest: Arc::clone(&self.rest),
        });
        let context = BuildContext {
            transport: match self.plant {
                Plant::Retry => Arc::new(Retrying(transport)) as Arc<dyn Transport>,
                _ => transport,
            },
            files: Arc::new(NodeFiles { node: Arc::clone(&node), folder: Arc::clone(&self.folder) })
                as Arc<dyn FileStores>,
            clock: Arc::clone(&clock),
            random: Arc::clone(&self.hub_random) as _,
            budgets: Arc::clone(&budgets),
            waits: self.waits(),
            grants: Arc::new(connect::NoGrants),
            desk: Arc::new(connect::NoDesk),
            marks: Arc::new(connect::NoMarks),
            share: self.key.connection.to_string(),
        };
        let values = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let mut account = values(&[("datacenter_code", "eu1"), ("account_id", "acme"), ("email", "hub@example.test")]);
        // What an earlier process learned.
        let kept = self.witness.rows("SELECT settings FROM store").concat().concat();
        account.extend(serde_json::from_str::<BTreeMap<String, String>>(&kept).unwrap());
        let store =
            Settings { values: account, secrets: BTreeMap::from([("password".to_owned(), Secret::new("a password"))]) };
        let (platform, exchange) = match self.front {
            Front::Folder => (
                "dsfx",
                Settings {
                    values: values(&[("transport", "folder"), ("folder", "/exchange")]),
                    secrets: BTreeMap::new(),
                },
            ),
            Front::Rest => (
                "extensiv",
                Settings {
                    values: values(&[
                        ("client_id", "a client"),
                        ("user_login_id", "hub"),
                        ("customer_id", &CUSTOMER.to_string()),
                        ("facility_id", &FACILITY.to_string()),
                    ]),
                    secrets: BTreeMap::from([("client_secret".to_owned(), Secret::new("a secret"))]),
                },
            ),
        };
        let source = match connectors::find("brightpearl").unwrap().role {
            Role::OrderSource(build) => build(&store, &context).unwrap(),
            Role::Warehouse(_) => panic!("Brightpearl is an order source"),
        };
        let warehouse = match connectors::find(platform).unwrap().role {
            Role::Warehouse(build) => build(&exchange, &context).unwrap(),
            Role::OrderSource(_) => panic!("{platform} is a warehouse"),
        };
        let listing = |product: i64| (format!("SKU-{product}"), warehouse_sku(product));
        let ups = ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() };
        let mappings = Mappings {
            listings: (1001..=1006).map(listing).collect(),
            ship_methods: BTreeMap::from([(49, ups.clone())]),
            source_methods: BTreeMap::from([(ups, 49)]),
            locations: match self.front {
                Front::Folder => BTreeMap::new(),
                Front::Rest => BTreeMap::from([(FACILITY.to_string(), WAREHOUSE)]),
            },
            ..Mappings::default()
        };
        let runtime = Runtime {
            key: self.key.clone(),
            account: "acme".to_owned(),
            name: "seeded".to_owned(),
            revision: 1,
            settings: self.settings.clone(),
            mappings,
            source,
            warehouse,
            db,
            clock,
            random: Arc::clone(&self.hub_random) as _,
            waits: self.waits(),
            owner: owner.to_owned(),
            wake: Wake::default(),
            metrics: Metrics::new("seeded"),
            memory: Memory::default(),
            stop: CancellationToken::new(),
        };
        Process { runtime, node, _budgets: budgets }
    }

    async fn trouble(&mut self) {
        let mut process = self.start();
        for round in 0..ROUNDS {
            self.trace.note(&format!("{} round {round}", self.clock.true_time()));
            self.world(round);
            self.alarms();
            self.somebody_resumes(&process).await;
            self.somebody_approves(&process.runtime).await;
            process = self.may_lose(round, process).await;
            let mut steps = STEPS.to_vec();
            self.dice.shuffle(&mut steps);
            steps.truncate(usize::try_from(self.dice.between(2, 6)).unwrap());
            let at_once = self.dice.chance(500);
            if self.dice.chance(30) {
                process = self.stands_still(process, &steps, at_once).await;
                continue;
            }
            self.prepare_death();
            if !self.steps(&process.runtime, &steps, at_once).await {
                self.count("processes that died");
                drop(process);
                process = self.another_takes_its_place(self.dice.between(0, 150_000).unsigned_abs()).await;
            }
            tokio::time::sleep(Duration::from_millis(self.dice.between(200, 25_000).unsigned_abs())).await;
        }
    }

    /// Sometimes the process will die: after some crossings, or at a chosen moment of a chosen change.
    fn prepare_death(&self) {
        const MOMENTS: [Moment; 5] =
            [Moment::BeforeSend, Moment::OnItsWay, Moment::AfterEffect, Moment::BeforeCommit, Moment::AfterCommit];
        if self.dice.chance(50) {
            let fate = *self.dice.pick(&[Fate::DiesBefore, Fate::DiesMeanwhile, Fate::DiesAfter]);
            self.trace.die_in(self.dice.below(80), fate);
        } else if self.dice.chance(40) {
            let change = usize::try_from(self.dice.below(OFTEN as u64)).unwrap();
            // Behind an API no file is published.
            let change = if change == 0 && self.front == Front::Rest { BEHIND_API } else { change };
            self.trace.die_at(change, *self.dice.pick(&MOMENTS));
        } else if self.rare_deaths.chance(150) {
            let kinds = if self.front == Front::Rest { CHANGES.len() } else { BEHIND_API };
            let change = self.rare_deaths.between(OFTEN as i64, kinds as i64 - 1);
            self.trace.die_at(usize::try_from(change).unwrap(), *self.rare_deaths.pick(&MOMENTS));
        }
    }

    /// J4: of everything that is unknown for a quarter of an hour people are told. Asked the way the hub's own watch asks, apart
    /// from the processes, so that asking changes nothing of what they do.
    fn alarms(&mut self) {
        let limit = self.clock.now().as_millisecond() - 15 * 60 * 1000;
        let overdue = self.witness.count(&format!(
            "SELECT count(*) FROM effect WHERE state IN ('armed', 'unknown', 'probing') AND armed_at <= {limit}"
        ));
        if overdue == 0 {
            return;
        }
        self.count("rounds with changes unknown for a quarter of an hour");
        let apart = Arc::new(Dice::new(0, "alarms"));
        let db = to_the_end(Database::open(&config(&self.database, &self.clock, &apart))).unwrap();
        let patience = AlertPatience { factor: 1, backups: false };
        let seen = to_the_end(db.sightings(&Access::Tenant(self.key.scope.tenant.clone()), patience)).unwrap();
        let told: u64 = seen.iter().filter(|one| one.key.kind == AlertKind::EffectUnknown).map(|one| one.count).sum();
        if told < u64::try_from(overdue).unwrap_or(0) {
            self.watch
                .finding(format!("J4: {overdue} changes are unknown for a quarter of an hour, and {told} are told"));
        }
    }

    /// A dead process is followed by another one, some milliseconds later.
    pub async fn another_takes_its_place(&self, after: u64) -> Process {
        self.trace.note("another process takes its place");
        tokio::time::sleep(Duration::from_millis(after)).await;
        self.trace.revive();
        self.start()
    }

    /// Somebody who sees that a side is paused mends what it says, and lets it go on.
    async fn somebody_resumes(&self, process: &Process) {
        if self.dice.chance(300) && self.witness.count("SELECT count(*) FROM pause") > 0 {
            for side in [Side::Source, Side::Warehouse] {
                // Where the database fails just now, somebody tries again later.
                let _later = process.runtime.db.pause(&self.key, side, None).await;
            }
        }
    }

    /// The process stands still in the middle of its work, longer than its claims last or not so long; another one works
    /// meanwhile; then the first goes on where it stood. Which of the two is there afterwards.
    async fn stands_still(&mut self, process: Process, steps: &[Step], at_once: bool) -> Process {
        self.trace.spare();
        let watch_sent = self.is_time_to_watch(steps);
        process.node.stop_in(Some(self.dice.below(60)));
        let node = Arc::clone(&process.node);
        let mut work = Box::pin(work(&process.runtime, steps, at_once, watch_sent));
        let done = tokio::time::timeout(LONGEST_STEP, while_it_moves(&node, work.as_mut())).await;
        let Ok(None) = done else {
            drop(work);
            match done {
                Ok(Some(taken)) => self.judge(steps, taken),
                _ => self.watch.finding(format!("{steps:?} does not end")),
            }
            node.go_on();
            return process;
        };
        self.count("processes that stood still");
        let stands = Duration::from_secs(*self.dice.pick(&[5, 40, 100, 200, 400, 700]));
        let stands = if node.stands() == Some(Stands::AtTheWire) { stands.min(LONGEST_AT_THE_WIRE) } else { stands };
        self.trace.note(&format!("the process stands still for {stands:?}"));
        let other = self.start_as("another");
        let until = self.clock.monotonic() + stands;
        while self.clock.monotonic() < until {
            let rest = until.saturating_sub(self.clock.monotonic());
            let pause = Duration::from_millis(self.dice.between(2_000, 30_000).unsigned_abs()).min(rest);
            // The other one works within that time: nobody waits for whoever stands still.
            let turn = tokio::time::timeout(rest, self.steps(&other.runtime, &STEPS, false));
            if turn.await.is_err() {
                self.trace.note("the other process is still at work");
            }
            tokio::time::sleep(pause.min(until.saturating_sub(self.clock.monotonic()))).await;
        }
        self.trace.note("the process goes on");
        node.go_on();
        let taken = tokio::time::timeout(LONGEST_STEP, work.as_mut()).await;
        drop(work);
        match taken {
            Ok(taken) => self.judge(steps, taken),
            Err(_) => self.watch.finding(format!("{steps:?} does not end")),
        }
        if self.dice.chance(500) { process } else { other }
    }

    async fn quiet(&mut self) {
        self.trace.note("quiet");
        self.trace.spare();
        self.clock.skew(0);
        self.account.state().strength = 0;
        self.account.state().locked_until = None;
        self.folder.held().strength = 0;
        self.rest.state().strength = 0;
        self.database_faults.stop();
        let process = self.start();
        for side in [Side::Source, Side::Warehouse] {
            if process.runtime.db.pause(&self.key, side, None).await.is_err() {
                self.watch.finding("a side cannot be resumed".to_owned());
            }
        }
        let process = self.recover_whole(process).await;
        self.warehouse.finish_files(self.clock.true_time());
        let began = self.clock.monotonic();
        let waited = self.come_to_rest(&process.runtime, true).await;
        *self.counts.entry("seconds until at rest".to_owned()).or_default() += (waited - began).as_secs();
        let said = self.somebody_says_it_is_there(&process.runtime).await;
        if self.somebody_settles_what_was_forgotten(&process.runtime).await || said {
            self.come_to_rest(&process.runtime, true).await;
        }
        for _ in 0..self.counts_at_rest {
            tokio::time::sleep(Duration::from_secs(45)).await;
            self.warehouse.count(self.clock.true_time());
            self.come_to_rest(&process.runtime, false).await;
        }
        let nobody = TenantId::generate(self.clock.now(), &*self.hub_random);
        let query = OrderQuery { limit: 10, ..OrderQuery::default() };
        match process.runtime.db.list_orders(&Access::Tenant(nobody), query).await {
            Ok(page) if page.items.is_empty() => {}
            other => self.watch.finding(format!("T1: a tenant without orders is shown {other:?}")),
        }
        checks::at_rest(self);
        if let Some(file) = std::env::var_os("MILLRACE_KEEP") {
            self.witness.copy_to(std::path::Path::new(&file));
        }
    }

    /// Of orders that a lost journal had sent with other content than is known now, somebody who has looked says that they are
    /// there. Whether there was one.
    async fn somebody_says_it_is_there(&mut self, process: &Runtime) -> bool {
        let parked = self.witness.rows(
            "SELECT id, remote FROM effect
             WHERE kind = 'submit_request' AND state = 'parked' AND recovery = 'conflict' AND remote IS NOT NULL",
        );
        for row in &parked {
            let remote = serde_json::from_str(&row[1]).unwrap();
            let (id, applied) = (row[0].parse().unwrap(), EffectDecision::Applied(remote));
            if let Err(error) = process.db.decide(&self.key.scope, &id, applied, "a person", "it is there").await {
                self.watch.finding(format!("{} cannot be decided: {error}", row[0]));
            }
            self.count("orders that somebody said are there");
        }
        !parked.is_empty()
    }

    /// What the warehouse has for a lost journal, and nothing here asked for, somebody has cancelled there, and says so. Whether
    /// there was something.
    async fn somebody_settles_what_was_forgotten(&mut self, process: &Runtime) -> bool {
        let forgotten = self
            .witness
            .rows("SELECT id, subject FROM exception WHERE kind = 'forgotten_request' AND resolved_at IS NULL");
        for row in &forgotten {
            self.rest.is_called_off(self.clock.true_time(), &row[1]);
            if let Err(error) = process.db.resolve_exception(&self.key.scope, &row[0], "a person").await {
                self.watch.finding(format!("{} cannot be settled: {error}", row[1]));
            }
            self.count("orders that were forgotten, and called off");
        }
        !forgotten.is_empty()
    }

    /// Works on until nothing is left to do. When that was.
    async fn come_to_rest(&mut self, process: &Runtime, ship: bool) -> Duration {
        let mut calm_rounds = 0;
        let began = self.clock.monotonic();
        for round in 0..QUIET_ROUNDS + self.works_longer().as_secs() / 2 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let now = self.clock.true_time();
            self.warehouse.pull(now);
            if ship {
                self.warehouse.work(now, true);
                self.warehouse.report(now);
            }
            self.alarms();
            self.somebody_approves(process).await;
            // Behind an API a count waits for the search, and here everything else would wait behind it, each time.
            let counts = self.front == Front::Folder || round % 6 == 0 || calm_rounds == 2;
            let steps: Vec<Step> = STEPS.into_iter().filter(|step| counts || *step != Step::Stock).collect();
            if !self.steps(process, &steps, false).await {
                self.watch.finding("the process died in the quiet time".to_owned());
            }
            // What waits for a person is at rest: one who says what of its order a lost journal had sent, or lets it go on.
            let open = self.witness.count(
                "SELECT (SELECT count(*) FROM effect AS e
                     WHERE e.state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')
                         AND NOT (e.kind = 'release_request' AND e.state IN ('planned', 'not_sent', 'absent_confirmed') AND EXISTS (
                             SELECT 1 FROM orders AS o WHERE o.id = e.order_ref AND o.state = 'error'))
                         AND NOT (e.kind = 'submit_request' AND e.state IN ('planned', 'absent_confirmed') AND (EXISTS (
                             SELECT 1 FROM effect AS p WHERE p.order_ref = e.order_ref AND p.kind = 'submit_request'
                                 AND p.state = 'parked' AND p.recovery IN ('conflict', 'cannot_ask')) OR EXISTS (
                             SELECT 1 FROM orders AS o WHERE o.id = e.order_ref AND o.held_reason IS NOT NULL))))
                     + (SELECT count(*) FROM request WHERE flagged = 1 AND live = 1)",
            );
            let held = self.folder.held();
            let files = held.names("out").len() + held.names("in").iter().filter(|name| name.ends_with(".csv")).count();
            drop(held);
            calm_rounds = if open == 0 && files == 0 { calm_rounds + 1 } else { 0 };
            // Nothing is at rest before the searches know of it.
            if calm_rounds >= 3 && (self.clock.monotonic() - began).as_secs() >= self.search_lag() {
                return self.clock.monotonic();
            }
        }
        let open = self.witness.rows(
            "SELECT kind, key, state, note FROM effect
             WHERE state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')",
        );
        self.watch.finding(format!("L1: it does not come to rest: {open:?}, {:?}", self.folder.held().names("out")));
        self.clock.monotonic()
    }

    /// By how much longer than elsewhere what is late may be late here.
    pub fn works_longer(&self) -> Duration {
        self.works_on.saturating_sub(WORKS_ON)
    }

    fn search_lag(&self) -> u64 {
        let lag = self.account.state().search_lag.max(self.rest.state().lag);
        lag.unsigned_abs()
    }

    fn is_time_to_watch(&mut self, steps: &[Step]) -> bool {
        let is_time = self.clock.monotonic().saturating_sub(self.watched) >= WATCH_SENT;
        if is_time && steps.contains(&Step::Orders) {
            self.watched = self.clock.monotonic();
        }
        is_time
    }

    /// Takes steps, one after the other or all at once. `false`: the process died.
    pub async fn steps(&mut self, process: &Runtime, steps: &[Step], at_once: bool) -> bool {
        let watch_sent = self.is_time_to_watch(steps);
        let taken = work(process, steps, at_once, watch_sent);
        let outcome = tokio::time::timeout(LONGEST_STEP, while_alive(&self.trace, taken)).await;
        match outcome {
            Ok(Some(taken)) => self.judge(steps, taken),
            Ok(None) => return false,
            Err(_) => self.watch.finding(format!("{steps:?} does not end")),
        }
        true
    }

    fn judge(&mut self, steps: &[Step], taken: Vec<Result<(), FlowError>>) {
        for (step, outcome) in steps.iter().zip(taken) {
            let Err(error) = outcome else { continue };
            self.trace.note(&format!("{step:?} ended early: {error}"));
            match &error {
                FlowError::Connector(_) => self.count("steps that a remote system stopped"),
                FlowError::Db(error) if error.is_passing() => self.count("steps that the database stopped"),
                FlowError::Db(DbError::Fenced(_)) => self.count("steps that were overtaken"),
                FlowError::Settings(_) if self.is_frozen() => self.count("steps that waited for a recovery"),
                FlowError::Db(_) | FlowError::Settings(_) => self.watch.finding(format!("{step:?}: {error}")),
            }
        }
    }
}

async fn work(process: &Runtime, steps: &[Step], at_once: bool, watch_sent: bool) -> Vec<Result<(), FlowError>> {
    if at_once {
        return join_all(steps.iter().map(|step| take(process, *step, watch_sent))).await;
    }
    let mut taken = Vec::new();
    for step in steps {
        taken.push(take(process, *step, watch_sent).await);
    }
    taken
}

/// One turn of one of the worker's loops.
async fn take(process: &Runtime, step: Step, watch_sent: bool) -> Result<(), FlowError> {
    const MOST: usize = 40;
    match step {
        Step::Orders => {
            channel(process, ChannelKind::Orders, async {
                // The watch has a loop of its own: it may come in the middle of an import, and whatever became of that.
                let watch = async {
                    if watch_sent {
                        flow::sent::watch_sent(process).await?;
                    }
                    Ok::<_, FlowError>(())
                };
                let (summary, watched) = tokio::join!(flow::orders::run(process), watch);
                watched?;
                Ok(summary?.to_string())
            })
            .await
        }
        Step::Shipments => {
            let run = async { flow::shipments::run(process).await.map(|summary| summary.to_string()) };
            channel(process, ChannelKind::Shipments, run).await
        }
        Step::Stock => {
            let run = async { flow::stock::run(process).await.map(|summary| summary.to_string()) };
            channel(process, ChannelKind::Stock, run).await
        }
        Step::Advance => {
            for _ in 0..MOST {
                if flow::advance::run(process).await? == 0 {
                    break;
                }
            }
            Ok(())
        }
        Step::ToSource | Step::ToWarehouse => {
            let side = if step == Step::ToSource { Side::Source } else { Side::Warehouse };
            for _ in 0..MOST {
                if journal::drive(process, side).await?.claimed == 0 {
                    break;
                }
            }
            let learned = process.source.learned();
            if side == Side::Source && !learned.is_empty() {
                process.db.keep_learned(&process.key, learned).await?;
            }
            Ok(())
        }
    }
}

async fn channel(
    process: &Runtime,
    kind: ChannelKind,
    run: impl Future<Output = Result<String, FlowError>>,
) -> Result<(), FlowError> {
    let started = process.start_run(kind).await?;
    let outcome = run.await;
    let told = match &outcome {
        Ok(summary) => Ok(Ran { words: summary.clone(), ..Ran::default() }),
        Err(error) => Err(error.to_string()),
    };
    process.db.finish_run(&process.key, kind, &started, told).await?;
    outcome.map(|_| ())
}

/// The work, until it ends or the process dies under it.
pub async fn while_alive<F: Future>(trace: &Trace, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        if trace.is_dead() { Poll::Ready(None) } else { polled.map(Some) }
    })
    .await
}

/// The work, until it ends or its process stands still.
async fn while_it_moves<F: Future>(node: &Node, mut work: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if node.stands().is_some() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Work that waits for nothing outside.
pub fn to_the_end<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the database in line waited"),
    }
}

fn config(database: &std::path::Path, clock: &Arc<ModelClock>, random: &Arc<Dice>) -> DatabaseConfig {
    DatabaseConfig {
        inline: true,
        clock: Arc::clone(clock) as _,
        random: Arc::clone(random) as _,
        ..DatabaseConfig::new(format!("sqlite:{}", database.display()))
    }
}

fn settings(dice: &Dice) -> ConnectionSettings {
    let ups = ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() };
    ConnectionSettings {
        start_mode: if dice.chance(300) { StartMode::GoodsOutNote } else { StartMode::Order },
        import_statuses: [NEW].into(),
        warehouse: Some(WAREHOUSE),
        at_warehouse_status: Some(AT_WAREHOUSE),
        partly_shipped_status: dice.chance(700).then_some(PARTLY_SHIPPED),
        shipped_status: Some(SHIPPED),
        price_list: Some(1),
        default_ship_method: Some(ups),
        default_source_method: Some(49),
        short_ship: if dice.chance(700) { ShortShip::Replace } else { ShortShip::Hold },
        stock: StockSettings {
            basis: if dice.chance(500) { FeedBasis::Physical } else { FeedBasis::Available },
            increases: Some(Increases::Correct),
            first_run: FirstRun::Approve,
            batch: *dice.pick(&[1, 2, 100]),
            brakes: Brakes { share_percent: 100, zero_percent: 100, ..Brakes::default() },
            ..StockSettings::default()
        },
        ..ConnectionSettings::default()
    }
}

/// Writes down the one connection, as setting it up would.
fn configure(witness: &Witness, front: Front, key: &ConnectionKey, now: jiff::Timestamp, random: &Dice) {
    let (tenant, merchant, connection) = (&key.scope.tenant, &key.scope.merchant, &key.connection);
    let (store, warehouse) = (StoreId::generate(now, random), WarehouseId::generate(now, random));
    witness.write(&format!("INSERT INTO tenant (tenant, name, created_at) VALUES ('{tenant}', 'Tenant', 0)"));
    witness.write(&format!("INSERT INTO merchant VALUES ('{tenant}', '{merchant}', 'Merchant', 0)"));
    witness.write(&format!(
        "INSERT INTO store VALUES ('{tenant}', '{merchant}', '{store}', 'Store', 'brightpearl', 'acme', '{{}}', 0)"
    ));
    let platform = if front == Front::Rest { "extensiv" } else { "dsfx" };
    witness.write(&format!(
        "INSERT INTO warehouse VALUES ('{tenant}', '{merchant}', '{warehouse}', 'Warehouse', '{platform}', '{{}}', 0)"
    ));
    witness.write(&format!(
        "INSERT INTO connection (tenant, merchant, id, name, store, warehouse, enabled, revision, settings, created_at)
             VALUES ('{tenant}', '{merchant}', '{connection}', 'Seeded', '{store}', '{warehouse}', 1, 1, '{{}}', 0)"
    ));
    for kind in ChannelKind::ALL {
        witness.write(&format!(
            "INSERT INTO channel (tenant, merchant, connection, kind, enabled, every_seconds, summary)
                 VALUES ('{tenant}', '{merchant}', '{connection}', '{}', 1, 60, '')",
            kind.as_str()
        ));
    }
}
