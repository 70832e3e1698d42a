//! Mintsoft, as far as an order hub uses it.
//!
//! Written from the vendor's help articles and its published description of the calls. What those leave open is a switch in
//! [`Switches`]; nothing here has been compared with the real system. One server, several clients: an administrator's key sees
//! the data of all of them.
//!
//! An order is the warehouse's from the moment it was made: it is picked, perhaps split into parts, packed and despatched.
//! Some GETs change things (`…/Cancel`, `…/MarkDespatched`): the ledger lists them with the other changes, so that a client
//! that follows one by mistake is seen.
//!
//! Who plays the warehouse: [`Handle::work`] moves everything one stage on, [`Config::work_every`] does so by itself, and
//! [`Handle::ship`] despatches one order in a way of the caller's choice.
//!
//! ```no_run
//! use simulators::mintsoft::{Config, Dispatch, Mintsoft, Received};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let warehouse = Mintsoft::start(Config::default()).await?;
//! let handle = warehouse.handle();
//! handle.add_product(12, "SKU-A");
//! handle.receive(&Received::plain(12, 3, "SKU-A", 100));
//! // … a client creates an order …
//! for order in handle.ledger().orders {
//!     handle.ship(order.order_id, &Dispatch::full())?;
//! }
//! # Ok(())
//! # }
//! ```

mod api;
mod callback;
mod control;
mod floor;
mod hands;
mod keys;
mod ledger;
mod model;
mod switches;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::faults::{self, FaultPlan};

pub use callback::CallRules;
pub use hands::{CannotShip, Dispatch, Habits, Rest};
pub use ledger::{Call, Duplicate, Ledger, LedgerOrder, LedgerStock, Mutation};
pub use model::{Building, Client, Received, Status};
pub use switches::{CancelUntil, ListOrder, Nothing, PartNumbers, Scanned, Switches, TrackingAt, Uniqueness};

use floor::Floor;
use keys::Keys;

/// How the warehouse is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Answers to the questions the documentation leaves open.
    pub switches: Switches,
    /// The only user.
    pub username: String,
    /// Its password.
    pub password: String,
    /// The client the user belongs to; `None`: an administrator, who sees all.
    pub user_client: Option<u64>,
    /// A key that does not expire.
    pub lasting_key: Option<String>,
    /// How long other keys live.
    pub key_life: Duration,
    /// Merchants.
    pub clients: Vec<Client>,
    /// Buildings.
    pub buildings: Vec<Building>,
    /// Courier services.
    pub couriers: Vec<String>,
    /// Channels.
    pub channels: Vec<String>,
    /// How long a new order stays out of the search, though `GET /api/Order/{id}` shows it.
    pub search_lag: Duration,
    /// How the worker works.
    pub habits: Habits,
    /// How often the worker comes by; `None`: only on [`Handle::work`].
    pub work_every: Option<Duration>,
    /// How call-backs are made.
    pub calls: CallRules,
    /// Decides every random choice.
    pub seed: u64,
}

impl Default for Config {
    /// Two clients, 12 and 13, in one building, 3; an administrator's user; a worker that waits to be told.
    fn default() -> Self {
        let client = |id, name: &str| Client { id, name: name.to_owned() };
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            switches: Switches::default(),
            username: "hub".to_owned(),
            password: "secret".to_owned(),
            user_client: None,
            lasting_key: None,
            key_life: Duration::from_secs(24 * 3600),
            clients: vec![client(12, "Acme"), client(13, "Other")],
            buildings: vec![Building { id: 3, name: "Leeds".to_owned() }],
            couriers: ["UPS Ground", "Royal Mail 24", "DPD Next Day"].map(str::to_owned).to_vec(),
            channels: vec!["Brightpearl".to_owned(), "Web".to_owned()],
            search_lag: Duration::ZERO,
            habits: Habits::default(),
            work_every: None,
            calls: CallRules::default(),
            seed: 1,
        }
    }
}

/// The simulator.
pub struct Mintsoft;

impl Mintsoft {
    /// Starts to listen. The server ends with the returned value.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: Config) -> io::Result<Running> {
        let listener = tokio::net::TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let plan = FaultPlan::new(config.seed);
        let shutdown = CancellationToken::new();
        let handle = Handle::new(config);
        let router =
            api::routes(handle.clone()).merge(control::routes(handle.clone())).merge(faults::routes(plan.clone()));
        let mut tasks = vec![
            faults::serve(listener, router, plan.clone(), Arc::new(handle.clone()), shutdown.clone()),
            tokio::spawn(callback::deliver(handle.clone(), shutdown.clone())),
        ];
        if let Some(every) = handle.shared.config.work_every {
            tasks.push(tokio::spawn(work_every(handle.clone(), every, shutdown.clone())));
        }
        Ok(Running { handle, address, plan, shutdown, tasks })
    }
}

async fn work_every(handle: Handle, every: Duration, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(every) => { handle.work(); }
        }
    }
}

/// A listening simulator; dropping it stops it.
pub struct Running {
    handle: Handle,
    address: SocketAddr,
    plan: FaultPlan,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Address clients use in place of `https://api.mintsoft.co.uk`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Control from inside the process.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Faults on demand.
    #[must_use]
    pub fn faults(&self) -> FaultPlan {
        self.plan.clone()
    }

    /// Stops and waits for the server's tasks.
    pub async fn stop(mut self) {
        self.shutdown.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of the warehouse simulator failed");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Control over a running simulator, and its ledger. Clones steer the same one.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    world: Mutex<World>,
    /// Wakes the call-backs.
    events: Notify,
}

struct World {
    floor: Floor,
    keys: Keys,
    calls: Vec<Call>,
    rng: StdRng,
    /// How far this world's clock is ahead.
    ahead: Duration,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a simulated vendor has a clock of its own")]
    fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.ahead).unwrap_or(Timestamp::MAX)
    }
}

impl Handle {
    fn new(config: Config) -> Self {
        let floor =
            Floor::new(config.switches, config.clients.clone(), config.buildings.clone(), config.couriers.clone());
        let rng = StdRng::seed_from_u64(config.seed);
        let world = World { floor, keys: Keys::default(), calls: Vec::new(), rng, ahead: Duration::ZERO };
        Self { shared: Arc::new(Shared { config, world: Mutex::new(world), events: Notify::new() }) }
    }

    /// Runs `work` on the world and sends off the events it caused.
    fn with<T>(&self, work: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let (result, has_events) = {
            let mut world = self.shared.world.lock().unwrap_or_else(PoisonError::into_inner);
            let now = world.now();
            let result = work(&mut world, now);
            (result, !world.floor.events.is_empty())
        };
        if has_events {
            self.shared.events.notify_one();
        }
        result
    }

    /// Adds a product and returns its id. A known SKU keeps its id.
    pub fn add_product(&self, client: u64, sku: &str) -> u64 {
        self.with(|world, _| world.floor.add_product(client, sku, Vec::new()))
    }

    /// Adds a bundle: one of it is made of so many of each of these.
    pub fn add_bundle(&self, client: u64, sku: &str, parts: &[(&str, i64)]) -> u64 {
        let parts = parts.iter().map(|(sku, units)| ((*sku).to_owned(), *units)).collect();
        self.with(|world, _| world.floor.add_product(client, sku, parts))
    }

    /// Puts units on the shelves; `false` when the client has no such product, or it is a bundle.
    pub fn receive(&self, came: &Received) -> bool {
        self.with(|world, now| world.floor.receive(came, now))
    }

    /// One stage on for every open order: to be picked, picked, despatched. Returns how many moved.
    pub fn work(&self) -> usize {
        let (habits, seed) = (self.shared.config.habits, self.shared.config.seed);
        self.with(|world, now| world.floor.work(habits, seed, now))
    }

    /// Despatches one order at once. Returns the id of the part with the rest, if there is one.
    ///
    /// # Errors
    /// When the warehouse could not despatch it: see [`CannotShip`].
    pub fn ship(&self, order_id: u64, how: &Dispatch) -> Result<Option<u64>, CannotShip> {
        self.with(|world, now| world.floor.ship(order_id, how, now))
    }

    /// The warehouse moves what is not named to a part of its own, in units by SKU; its id, `None` where nothing is left to move.
    pub fn split(&self, order_id: u64, stays: &BTreeMap<String, i64>) -> Option<u64> {
        self.with(|world, now| {
            let order = world.floor.orders.get(&order_id)?;
            let units = |line: &model::Line| (line.id, stays.get(&line.sku).copied().unwrap_or_default());
            let stays = order.lines.iter().map(units).collect();
            world.floor.split(order_id, &stays, now)
        })
    }

    /// The warehouse cancels an open order by itself; `false` when it is not open.
    pub fn cancel(&self, order_id: u64) -> bool {
        self.with(|world, now| {
            let open = world.floor.orders.get(&order_id).is_some_and(|order| order.status.is_open());
            if open {
                world.floor.cancel_anyway(order_id, "cancelled by the warehouse", now);
            }
            open
        })
    }

    /// Puts an order into this state as a person in the warehouse would; `false` when it is not open.
    pub fn set_status(&self, order_id: u64, status: Status) -> bool {
        self.with(|world, now| match world.floor.orders.get_mut(&order_id) {
            Some(order) if order.status.is_open() => {
                order.status = status;
                order.touch(now, "set by a person");
                true
            }
            Some(_) | None => false,
        })
    }

    /// Somebody replaces the goods of one SKU in an open order by those of another; `false` when it is not open, or there are no
    /// such goods.
    pub fn substitute(&self, order_id: u64, sku: &str, with: &str) -> bool {
        self.with(|world, now| world.floor.substitute(order_id, sku, with, now))
    }

    /// Somebody takes an order out of the system for good; `false` when there is none.
    pub fn remove(&self, order_id: u64) -> bool {
        self.with(|world, _| world.floor.orders.remove(&order_id).is_some())
    }

    /// Every key given out so far stops working, but for a lasting one.
    pub fn expire_keys(&self) {
        self.with(|world, _| world.keys.clear());
    }

    /// Moves the simulator's clock forward, as if time had passed.
    pub fn advance(&self, time: Duration) {
        self.with(|world, _| world.ahead += time);
    }

    /// Everything that really happened.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.with(|world, _| Ledger::of(&world.floor, world.calls.clone()))
    }
}
