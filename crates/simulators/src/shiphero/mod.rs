//! ShipHero, as far as an order hub uses it.
//!
//! Written from the public developer site and schema reference. Every request is parsed and judged against `schema.graphql`,
//! and so is every answer; what does not fit is in [`Ledger::off_schema`]. The account is a 3PL's: a parent with child accounts,
//! and a call that names none is about the parent's own.

mod answers;
mod api;
mod floor;
mod hooks;
mod judge;
mod ledger;
mod model;
mod schema;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::faults::{self, FaultPlan};

pub use floor::{CannotShip, Dispatch, Habits};
pub use hooks::{WebhookRules, signature};
pub use ledger::{Delivery, Ledger, LedgerOrder, LedgerShipment, Mutation};
pub use model::{Status, global, number_of};

use floor::Floor;
use hooks::Subscription;
use model::Product;
use schema::Schema;

/// Until when an order can be cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelUntil {
    /// Until it has a label.
    #[default]
    Labelled,
    /// Until everything has left.
    Fulfilled,
}

/// Answers to the questions that the documentation leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Whether an order for a SKU nobody knows is refused.
    pub unknown_sku_refused: bool,
    /// How *cancelled* is spelt.
    pub cancelled_word: &'static str,
    /// What an account calls an order that has not left.
    pub pending_word: &'static str,
    /// See [`CancelUntil`].
    pub cancel_until: CancelUntil,
    /// Whether voiding a label moves its order's time of change.
    pub voids_move_orders: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            unknown_sku_refused: true,
            cancelled_word: "canceled",
            pending_word: "pending",
            cancel_until: CancelUntil::default(),
            voids_move_orders: true,
        }
    }
}

impl Switches {
    /// Every other answer, one at a time, with its name.
    #[must_use]
    pub fn alternatives() -> Vec<(&'static str, Self)> {
        let usual = Self::default();
        vec![
            ("unknown SKUs are taken", Self { unknown_sku_refused: false, ..usual }),
            ("cancelled is spelt with two l", Self { cancelled_word: "cancelled", ..usual }),
            ("statuses of the account's own", Self { pending_word: "Ready to pick", ..usual }),
            ("cancelled until fulfilled", Self { cancel_until: CancelUntil::Fulfilled, ..usual }),
            ("voids do not move orders", Self { voids_move_orders: false, ..usual }),
        ]
    }
}

/// What calls are paid with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    /// Credits in a full bucket.
    pub bucket: u32,
    /// What comes back in a second.
    pub per_second: u32,
}

impl Default for Credits {
    fn default() -> Self {
        Self { bucket: 4004, per_second: 60 }
    }
}

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
    /// Its refresh token.
    pub refresh_token: String,
    /// How long access tokens live.
    pub token_life: Duration,
    /// The account the user belongs to.
    pub parent: u64,
    /// Its child accounts; none: no 3PL.
    pub children: Vec<(u64, String)>,
    /// What calls are paid with.
    pub credits: Credits,
    /// How long a new order stays out of `orders`, though `order` shows it.
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
    /// A 3PL, 1, with two children, 123 and 124; a worker that waits to be told.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            switches: Switches::default(),
            username: "hub@example.test".to_owned(),
            password: "secret".to_owned(),
            refresh_token: "refresh".to_owned(),
            token_life: Duration::from_secs(2_419_200),
            parent: 1,
            children: vec![(123, "acme".to_owned()), (124, "bolt".to_owned())],
            credits: Credits::default(),
            search_lag: Duration::ZERO,
            habits: Habits::default(),
            work_every: None,
            webhooks: WebhookRules::default(),
            seed: 1,
        }
    }
}

/// The simulator.
pub struct ShipHero;

impl ShipHero {
    /// Starts to listen. The server ends with the returned value.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: Config) -> io::Result<Running> {
        let schema = Schema::read().map_err(io::Error::other)?;
        let listener = tokio::net::TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        let plan = FaultPlan::new(config.seed);
        let shutdown = CancellationToken::new();
        let handle = Handle::new(config, schema);
        let router = api::routes(handle.clone()).merge(faults::routes(plan.clone()));
        let mut tasks = vec![
            faults::serve(listener, router, plan.clone(), Arc::new(handle.clone()), shutdown.clone()),
            tokio::spawn(hooks::deliver(handle.clone(), shutdown.clone())),
        ];
        if let Some(every) = handle.shared.config.work_every {
            let (handle, shutdown) = (handle.clone(), shutdown.clone());
            tasks.push(tokio::spawn(async move {
                loop {
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = tokio::time::sleep(every) => { handle.work(); }
                    }
                }
            }));
        }
        Ok(Running { handle, address, plan, shutdown, tasks })
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
    /// Address clients use in place of `https://public-api.shiphero.com`, without a slash at the end.
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
    schema: Schema,
    world: Mutex<World>,
    /// Wakes the webhooks.
    events: Notify,
}

struct World {
    floor: Floor,
    tokens: BTreeMap<String, Timestamp>,
    /// Credits left, and when that was so.
    credits: (f64, Timestamp),
    subscriptions: Vec<Subscription>,
    webhooks_on: bool,
    deliveries: Vec<Delivery>,
    off_schema: Vec<String>,
    refused_for_credits: u64,
    /// Changes that are carried out, and answered with errors beside the data.
    complaints: u64,
    /// Mutations that are refused, each with its words.
    refusals: BTreeMap<String, String>,
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
    fn new(config: Config, schema: Schema) -> Self {
        let world = World {
            floor: Floor::new(config.switches, config.parent, config.children.clone()),
            tokens: BTreeMap::new(),
            credits: (f64::from(config.credits.bucket), Timestamp::UNIX_EPOCH),
            subscriptions: Vec::new(),
            webhooks_on: true,
            deliveries: Vec::new(),
            off_schema: Vec::new(),
            refused_for_credits: 0,
            complaints: 0,
            refusals: BTreeMap::new(),
            rng: StdRng::seed_from_u64(config.seed),
            ahead: Duration::ZERO,
        };
        let shared = Shared { config, schema, world: Mutex::new(world), events: Notify::new() };
        Self { shared: Arc::new(shared) }
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

    /// Puts units of a SKU of an account on the shelf, and makes the product when it is new.
    pub fn receive(&self, account: u64, sku: &str, units: i64) {
        self.receive_lot(account, sku, units, "", &[]);
    }

    /// The same, of one lot, each unit with a serial number of its own.
    pub fn receive_lot(&self, account: u64, sku: &str, units: i64, lot: &str, serials: &[&str]) {
        self.with(|world, now| {
            let products = &mut world.floor.products;
            let serials = serials.iter().map(|one| (*one).to_owned());
            match products.iter_mut().find(|one| one.account == account && one.sku == sku) {
                Some(product) => {
                    product.on_hand += units;
                    product.updated = now;
                    product.serials.extend(serials);
                }
                None => products.push(Product {
                    account,
                    sku: sku.to_owned(),
                    on_hand: units,
                    non_sellable: 0,
                    lot: lot.to_owned(),
                    serials: serials.collect(),
                    updated: now,
                }),
            }
        });
    }

    /// Units that lie there and cannot be sold.
    pub fn set_non_sellable(&self, account: u64, sku: &str, units: i64) {
        self.with(|world, now| {
            for product in world.floor.products.iter_mut().filter(|one| one.account == account && one.sku == sku) {
                product.non_sellable = units;
                product.updated = now;
            }
        });
    }

    /// Everything open leaves. Returns how many orders moved.
    pub fn work(&self) -> usize {
        let (habits, seed) = (self.shared.config.habits, self.shared.config.seed);
        self.with(|world, now| world.floor.work(habits, seed, now))
    }

    /// One shipment of an order. Returns its id.
    ///
    /// # Errors
    /// When the warehouse could not ship it: see [`CannotShip`].
    pub fn ship(&self, order_id: u64, how: &Dispatch) -> Result<u64, CannotShip> {
        self.with(|world, now| world.floor.ship(order_id, how, now))
    }

    /// The warehouse cancels a pending order by itself; `false` when it is not pending.
    pub fn cancel(&self, order_id: u64) -> bool {
        self.with(|world, now| {
            let is_open = world.floor.orders.get(&order_id).is_some_and(|order| order.status == Status::Pending);
            if is_open {
                world.floor.cancel_anyway(order_id, "cancelled by the warehouse", now);
            }
            is_open
        })
    }

    /// Puts a hold on an order, or takes it off; `false` when there is no such order.
    pub fn hold(&self, order_id: u64, name: &str, held: bool) -> bool {
        self.with(|world, now| match world.floor.orders.get_mut(&order_id) {
            Some(order) => {
                order.holds.insert(name.to_owned(), held);
                order.touch(now, "held or let go by a person");
                true
            }
            None => false,
        })
    }

    /// Somebody replaces the goods of one SKU in a pending order by those of another; `false` when it is not pending, or there
    /// are no such goods.
    pub fn substitute(&self, order_id: u64, sku: &str, with: &str) -> bool {
        self.with(|world, now| world.floor.substitute(order_id, sku, with, now))
    }

    /// Somebody takes an order out of the system for good; `false` when there is none.
    pub fn remove(&self, order_id: u64) -> bool {
        self.with(|world, _| world.floor.orders.remove(&order_id).is_some())
    }

    /// Every label of a shipment is voided, and its goods go back to their shelves; `false` when there is no such shipment.
    pub fn void(&self, shipment_id: u64) -> bool {
        self.with(|world, now| world.floor.void(shipment_id, now))
    }

    /// The next changes are carried out, and answered with errors beside the data.
    pub fn complain_beside(&self, changes: u64) {
        self.with(|world, _| world.complaints = changes);
    }

    /// From now on a mutation is refused with these words, whatever it asks for; with `None` it is taken again.
    pub fn refuse(&self, mutation: &str, words: Option<&str>) {
        self.with(|world, _| match words {
            Some(words) => world.refusals.insert(mutation.to_owned(), words.to_owned()),
            None => world.refusals.remove(mutation),
        });
    }

    /// Every access token given out so far stops working.
    pub fn expire_tokens(&self) {
        self.with(|world, _| world.tokens.clear());
    }

    /// Leaves so many credits in the bucket.
    pub fn set_credits(&self, credits: u32) {
        self.with(|world, now| world.credits = (f64::from(credits), now));
    }

    /// Moves the simulator's clock forward, as if time had passed.
    pub fn advance(&self, time: Duration) {
        self.with(|world, _| world.ahead += time);
    }

    /// Registers for a type of webhook as a person would; the secret, which is shown this once.
    pub fn subscribe(&self, account: u64, kind: &str, url: &str) -> String {
        self.with(|world, _| {
            let secret = format!("{:032x}", world.rng.random::<u128>());
            let (kind, shop, url) = (kind.to_owned(), "millrace".to_owned(), url.to_owned());
            world.subscriptions.push(Subscription { kind, shop, account, url, secret: secret.clone() });
            secret
        })
    }

    /// Switches webhooks off, and on again. What happens while they are off is never told.
    pub fn set_webhooks(&self, on: bool) {
        self.with(|world, _| world.webhooks_on = on);
    }

    /// What there is of each SKU of an account: available, on hand.
    #[must_use]
    pub fn figures(&self, account: u64) -> BTreeMap<String, (i64, i64)> {
        self.with(|world, _| {
            let products = world.floor.products.iter().filter(|product| product.account == account);
            let figures = products.map(|product| {
                let allocated = world.floor.allocated(account, &product.sku).min(product.on_hand);
                (product.sku.clone(), (product.on_hand - allocated, product.on_hand))
            });
            figures.collect()
        })
    }

    /// Everything that really happened.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.with(|world, _| Ledger {
            off_schema: world.off_schema.clone(),
            refused_for_credits: world.refused_for_credits,
            deliveries: world.deliveries.clone(),
            ..Ledger::of(&world.floor)
        })
    }
}
