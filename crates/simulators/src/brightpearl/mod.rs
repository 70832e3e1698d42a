//! A stateful stand-in for Brightpearl's HTTP API.
//!
//! [`start`] runs it; the [`Brightpearl`] handle it gives is both the control desk (orders, edits by other people, faults)
//! and the window on what clients did (ledger, notes, stock, requests). The same desk is reachable over HTTP below
//! `/_sim/`, for a simulator that runs in a process of its own.
//!
//! Behaviour follows the published documentation (`https://api-docs.brightpearl.com/`, `https://help.brightpearl.com/`)
//! and recorded answers. Where both are silent, [`Switches`] hold the assumption and its alternatives.
//!
//! ```no_run
//! # async fn example() -> Result<(), simulators::brightpearl::StartError> {
//! use simulators::brightpearl::{self, Config, NewLine, NewOrder};
//!
//! let running = brightpearl::start(Config::one_account("exampleeu")).await?;
//! let order = running.create_order("exampleeu", NewOrder::of([NewLine::sku("SKU-01007", 2)]));
//! println!("{} has order {order:?}", running.base_url());
//! # Ok(()) }
//! ```

mod account;
mod auth;
mod call;
mod contacts;
mod control;
mod data;
mod delivery;
mod envelope;
mod goods_in;
mod idset;
mod ledger;
mod multi_message;
mod notes_out;
mod orders;
mod payments;
mod products;
mod routes;
mod search;
mod searches;
mod server;
mod setup;
mod sign_in;
mod stock;
pub mod switches;
mod throttle;
mod webhooks;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use auth::{App, AppKind, StaffUser, sign};
pub use contacts::Address;
pub use control::{
    Allocation, Command, ControlError, CorrectionSnapshot, Item, NewLine, NewOrder, NoteSnapshot, NoteText,
    OrderSnapshot, Outcome, RowSnapshot, StockSnapshot,
};
pub use data::DataConfig;
pub use delivery::{WebhookCall, WebhookFaults};
pub use ledger::{LedgerEntry, RequestRecord};
pub use stock::StockFigures;
pub use switches::Switches;

use account::Account;
use call::Pace;
use delivery::{Outgoing, SharedDelivery, Terms};
use ledger::Ledger;

use crate::faults::{self, FaultPlan};

/// How to run a simulator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The accounts, fully separate from one another.
    pub accounts: Vec<AccountConfig>,
    /// Answers to open questions.
    pub switches: Switches,
    /// Divides every wait: throttle window, token life, webhook retries, lag.
    pub time_factor: u32,
    /// Decides everything random.
    pub seed: u64,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Requests per throttle window and pool; `None` switches throttling off.
    pub requests_per_window: Option<u32>,
    /// How many requests the log keeps.
    pub keep_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            switches: Switches::default(),
            time_factor: 1,
            seed: 1,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            requests_per_window: Some(200),
            keep_requests: 100_000,
        }
    }
}

impl Config {
    /// One account with the usual people and data: see [`AccountConfig::new`].
    #[must_use]
    pub fn one_account(code: &str) -> Self {
        Self { accounts: vec![AccountConfig::new(code)], ..Self::default() }
    }
}

/// One account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Account code: lower-case letters and digits.
    pub code: String,
    /// IANA name of the zone all times are shown in.
    pub zone: String,
    /// ISO code of the base currency.
    pub currency: String,
    /// Who can log in.
    pub staff: Vec<StaffUser>,
    /// Installed apps.
    pub apps: Vec<App>,
    /// What the account holds at the start.
    pub data: DataConfig,
}

impl AccountConfig {
    /// An account in London with two members of staff, a private system app, a private staff app and an OAuth app.
    ///
    /// Staff contact 4 logs in with `api.user@example.test` and `example-password`; contact 5, `office@example.test`
    /// with `office-password`, may not use the API. The system app is `{code}_hub` with `EXAMPLE-ACCOUNT-TOKEN`.
    #[must_use]
    pub fn new(code: &str) -> Self {
        let staff = |email: &str, password: &str, contact_id, api| StaffUser {
            email: email.to_owned(),
            password: password.to_owned(),
            contact_id,
            api,
        };
        let app = |name: &str, contact_id, instance_id, kind| App {
            reference: format!("{code}_{name}"),
            contact_id,
            instance_id,
            kind,
        };
        let oauth = AppKind::OAuth {
            developer: "example-dev".to_owned(),
            client_secret: "example-client-secret".to_owned(),
            redirect_uri: "https://client.example.test/brightpearl_oauth_redirect".to_owned(),
            access_token: Some("EXAMPLE-ACCESS-TOKEN".to_owned()),
            requests_per_window: None,
        };
        Self {
            code: code.to_owned(),
            zone: "Europe/London".to_owned(),
            currency: "GBP".to_owned(),
            staff: vec![
                staff("api.user@example.test", "example-password", 4, true),
                staff("office@example.test", "office-password", 5, false),
            ],
            apps: vec![
                app("hub", 4, 11, AppKind::System { account_token: "EXAMPLE-ACCOUNT-TOKEN".to_owned() }),
                app("desk", 4, 12, AppKind::Staff { staff_token: None }),
                App { reference: "example-app".to_owned(), ..app("oauth", 203, 13, oauth) },
            ],
            data: DataConfig::default(),
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A zone is not in the database.
    #[error("account {account}: there is no time zone {zone}: {source}")]
    Zone {
        /// Account code.
        account: String,
        /// The name given.
        zone: String,
        /// What the database said.
        source: jiff::Error,
    },
    /// The client for webhooks cannot be built.
    #[error("cannot build the client for webhooks: {0}")]
    Webhooks(#[source] reqwest::Error),
}

pub(crate) struct World {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) ledger: Ledger,
    pub(crate) rng: StdRng,
}

struct Shared {
    // Never held across an await: every use is within one synchronous function.
    world: Mutex<World>,
    switches: Switches,
    pace: Pace,
    queue: UnboundedSender<Outgoing>,
    delivery: SharedDelivery,
    faults: FaultPlan,
}

/// The control desk of a running simulator and the window on what happened in it. Cheap to clone.
#[derive(Clone)]
pub struct Brightpearl {
    shared: Arc<Shared>,
}

impl Brightpearl {
    /// The faults it plays.
    #[must_use]
    pub fn faults(&self) -> &FaultPlan {
        &self.shared.faults
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A panic in another thread fails its own request; the state it left is as good as the real system's.
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A simulator that listens. Ends with [`Running::shutdown`] or when dropped.
pub struct Running {
    handle: Brightpearl,
    address: SocketAddr,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where it listens: `http://127.0.0.1:port`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The control desk, to keep.
    #[must_use]
    pub fn handle(&self) -> Brightpearl {
        self.handle.clone()
    }

    /// Stops listening, breaks what is open, and waits until everything has ended.
    pub async fn shutdown(mut self) {
        self.shutdown.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has ended as well.
            let _ = task.await;
        }
    }
}

impl Deref for Running {
    type Target = Brightpearl;

    fn deref(&self) -> &Brightpearl {
        &self.handle
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Starts a simulator.
///
/// # Errors
///
/// [`StartError`] if the address is taken or a time zone is unknown.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let pace = Pace(config.time_factor);
    let mut rng = StdRng::seed_from_u64(config.seed);
    let mut accounts = BTreeMap::new();
    for account in &config.accounts {
        let zone = jiff::tz::TimeZone::get(&account.zone).map_err(|source| StartError::Zone {
            account: account.code.clone(),
            zone: account.zone.clone(),
            source,
        })?;
        let built = data::build(account, zone, &config, &mut rng);
        accounts.insert(account.code.clone(), built);
    }
    let client = delivery::client(&config.switches, pace).map_err(StartError::Webhooks)?;
    let listen = |source| StartError::Listen { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let (queue, outgoing) = mpsc::unbounded_channel();
    let delivery = SharedDelivery::default();
    let shutdown = CancellationToken::new();
    let terms = Terms { client, switches: config.switches.clone(), pace, state: Arc::clone(&delivery) };
    let plan = FaultPlan::new(config.seed);
    let world = World { accounts, ledger: Ledger::new(config.keep_requests), rng };
    let shared =
        Shared { world: Mutex::new(world), switches: config.switches, pace, queue, delivery, faults: plan.clone() };
    let handle = Brightpearl { shared: Arc::new(shared) };
    let router = server::router(handle.clone()).merge(faults::routes(plan.clone()));
    let tasks = vec![
        tokio::spawn(delivery::run(outgoing, terms, config.seed, shutdown.clone())),
        faults::serve(listener, router, plan, Arc::new(handle.clone()), shutdown.clone()),
    ];
    Ok(Running { handle, address, shutdown, tasks })
}
