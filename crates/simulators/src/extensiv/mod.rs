//! Extensiv 3PL Warehouse Manager (formerly 3PL Central), as far as an order hub uses it.
//!
//! Written from the vendor's public REL pages and help centre. What those leave open is a switch in [`Switches`]; nothing
//! here has been compared with the real system. One server, several customers: as in the original, a credential sees
//! the data of every customer, and only the filter of a call keeps them apart.
//!
//! An order is created *deferred* (`deferNotification`), is *completed* by the client, and from then on is the
//! warehouse's: stock is set aside, it is picked, perhaps split or edited short, packed, and closed. Who plays the
//! warehouse: [`Handle::work`] moves everything one stage on, [`Config::work_every`] does so by itself, and
//! [`Handle::ship`] sends one order out in a way of the caller's choice.
//!
//! [`Handle::ledger`] tells what really happened, whatever the client was told. The same is at `/_sim/ledger`.
//!
//! ```no_run
//! use simulators::extensiv::{Config, Dispatch, Extensiv, Received};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let warehouse = Extensiv::start(Config::default()).await?;
//! let handle = warehouse.handle();
//! handle.add_item(143, "SKU-A");
//! handle.receive(&Received::plain(143, 10, "SKU-A", 100.into()));
//! println!("{}", warehouse.base_url());
//! // … a client creates and completes an order …
//! for order in handle.ledger().orders {
//!     handle.ship(order.order_id, &Dispatch::full())?;
//! }
//! # Ok(())
//! # }
//! ```

mod api;
mod catalogue;
mod control;
mod floor;
mod hands;
mod ledger;
mod model;
mod refusal;
mod rql;
mod switches;
mod token;
mod webhook;
mod wire;

use std::collections::BTreeSet;
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

pub use hands::{CannotShip, Dispatch, Habits, Load, Quantities, Rest};
pub use ledger::{Delivery, DuplicateReference, Ledger, LedgerLine, LedgerOrder, LedgerPackage, LedgerStock, Mutation};
pub use model::{Customer, Facility, Item, Received, Status, TrackBys, Zone};
pub use rql::{Field, Filter, Row, RqlError, sort_rows};
pub use switches::{
    Allocation, CancelUntil, CancelledIsClosed, CompleteShows, Duplicates, LocalTimes, OnHand, OrderQueue,
    OriginalQuantity, PackagesAt, PoNumSearch, PutLines, ShortToNothing, StatusFilter, Switches, TokenRefusal,
    WebhookKey,
};
pub use webhook::{NotHttps, WebhookRules};

use floor::Floor;
use token::Tokens;
use webhook::Webhooks;

/// How the warehouse manager is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Answers to the questions the documentation leaves open.
    pub switches: Switches,
    /// Client id of the credential.
    pub client_id: String,
    /// Client secret of the credential.
    pub client_secret: String,
    /// Login the token call must name as `user_login`.
    pub user_login: String,
    /// The same as a number, for `user_login_id`.
    pub user_login_id: u64,
    /// Warehouse key the token call must name as `tpl`; `None` for static credentials, which need none.
    pub tpl: Option<String>,
    /// Roles of the credential.
    pub roles: BTreeSet<String>,
    /// Shortest and longest life of a token. Each one's life is drawn between them.
    pub token_life: (Duration, Duration),
    /// Brands.
    pub customers: Vec<Customer>,
    /// Buildings.
    pub facilities: Vec<Facility>,
    /// How long a new order stays out of list calls, though `GET /orders/{id}` shows it.
    pub search_lag: Duration,
    /// How the worker works.
    pub habits: Habits,
    /// How often the worker comes by; `None`: only on [`Handle::work`].
    pub work_every: Option<Duration>,
    /// How webhooks are delivered.
    pub webhooks: WebhookRules,
    /// Decides every random choice.
    pub seed: u64,
}

impl Default for Config {
    /// One customer, 143, in one facility, 10, in Eastern time; a worker that waits to be told.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            switches: Switches::default(),
            client_id: "client".to_owned(),
            client_secret: "secret".to_owned(),
            user_login: "millrace".to_owned(),
            user_login_id: 7,
            tpl: None,
            roles: token::ROLES.iter().map(|&role| role.to_owned()).collect(),
            token_life: (Duration::from_secs(1800), Duration::from_secs(3600)),
            customers: vec![Customer { id: 143, name: "Acme".to_owned() }],
            facilities: vec![Facility { id: 10, name: "NEWARK-1".to_owned(), zone: Zone::Eastern }],
            search_lag: Duration::ZERO,
            habits: Habits::default(),
            work_every: None,
            webhooks: WebhookRules::default(),
            seed: 1,
        }
    }
}

/// The simulator.
pub struct Extensiv;

impl Extensiv {
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
            tokio::spawn(webhook::deliver_events(handle.clone(), shutdown.clone())),
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
    /// Address clients use in place of `https://secure-wms.com`, without a slash at the end.
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
    /// Wakes the delivery of webhooks.
    events: Notify,
}

struct World {
    floor: Floor,
    tokens: Tokens,
    webhooks: Webhooks,
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
        let world = World {
            floor: Floor::new(config.switches, &config.customers, &config.facilities),
            tokens: Tokens::default(),
            webhooks: Webhooks::default(),
            rng: StdRng::seed_from_u64(config.seed),
            ahead: Duration::ZERO,
        };
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

    /// Adds an item without tracking and returns its id. A known SKU keeps its id.
    pub fn add_item(&self, customer: u64, sku: &str) -> u64 {
        self.put_item(Item {
            id: 0,
            customer,
            sku: sku.to_owned(),
            description: sku.to_owned(),
            upc: String::new(),
            deactivated: false,
            track_bys: TrackBys::default(),
        })
    }

    /// Adds an item, or replaces the one with the same customer and SKU. Id 0 asks for a free one. Returns the id.
    pub fn put_item(&self, item: Item) -> u64 {
        self.with(|world, _| world.floor.add_item(item))
    }

    /// Puts units on the shelves; orders that wait for them get them. Returns the receive item's id, or `None` when the
    /// customer has no such item, the facility is unknown, or the quantity is below zero.
    pub fn receive(&self, came: &Received) -> Option<u64> {
        self.with(|world, now| world.floor.receive(came, now))
    }

    /// One stage on for every order in the warehouse's hands: picking, picked (split or edited short here), packed,
    /// closed. Returns how many moved.
    pub fn work(&self) -> usize {
        let (habits, seed) = (self.shared.config.habits, self.shared.config.seed);
        self.with(|world, now| world.floor.work(habits, seed, now))
    }

    /// Works until nothing moves any more, at most `rounds` times. Returns whether it came to rest.
    pub fn work_until_quiet(&self, rounds: usize) -> bool {
        (0..rounds).any(|_| self.work() == 0)
    }

    /// Ships one order at once. Returns the id of the split order that carries the rest, if there is one.
    ///
    /// # Errors
    /// When the warehouse could not ship it: see [`CannotShip`].
    pub fn ship(&self, order_id: u64, how: &Dispatch) -> Result<Option<u64>, CannotShip> {
        self.with(|world, now| world.floor.ship(order_id, how, now))
    }

    /// The warehouse cancels an open order by itself; `false` when it is not open.
    pub fn cancel(&self, order_id: u64, reason: &str) -> bool {
        self.with(|world, now| {
            let open = world.floor.orders.get(&order_id).is_some_and(|order| order.status == Status::Open);
            if open {
                world.floor.cancel_anyway(order_id, &format!("cancelled by the warehouse: {reason}"), now);
            }
            open
        })
    }

    /// Somebody replaces the goods of one SKU in an open order by those of another; `false` when it is not open, or there are no
    /// such goods.
    pub fn substitute(&self, order_id: u64, sku: &str, with: &str) -> bool {
        self.with(|world, now| world.floor.substitute(order_id, sku, with, now))
    }

    /// Somebody takes an order out of the system for good, so that no search finds it any more; `false` when there is none.
    pub fn remove(&self, order_id: u64) -> bool {
        self.cancel(order_id, "taken out of the system");
        self.with(|world, _| world.floor.remove(order_id))
    }

    /// Puts an open order on hold, or releases it when `reason` is `None`; `false` when that cannot be.
    pub fn hold(&self, order_id: u64, reason: Option<&str>) -> bool {
        self.with(|world, now| world.floor.hold(order_id, reason, now).is_ok())
    }

    /// Every token given out so far stops working.
    pub fn expire_tokens(&self) {
        self.with(|world, _| world.tokens.clear());
    }

    /// Moves the simulator's clock forward, as if time had passed.
    pub fn advance(&self, time: Duration) {
        self.with(|world, _| world.ahead += time);
    }

    /// Sends every event to this address from now on.
    ///
    /// # Errors
    /// When the address is not https. Loopback addresses are let through when
    /// [`WebhookRules::allow_http_to_loopback`] is set.
    pub fn subscribe(&self, url: &str, include_body: bool) -> Result<(), NotHttps> {
        let relaxed = self.shared.config.webhooks.allow_http_to_loopback;
        self.with(|world, _| world.webhooks.subscribe(url, include_body, relaxed))
    }

    /// Signs webhooks with a new key from now on.
    pub fn rotate_webhook_key(&self) {
        self.with(|world, now| world.webhooks.rotate(now));
    }

    /// Everything that really happened.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.with(|world, _| Ledger::of(&world.floor, world.webhooks.deliveries()))
    }

    /// Stock by customer, SKU and facility.
    #[must_use]
    pub fn stock(&self) -> Vec<LedgerStock> {
        self.with(|world, _| world.floor.ledger_stock())
    }
}
