//! Telling the outside: events to webhooks, and to people what needs them.
//!
//! One node at a time does it, under a lease. Three things go on beside each other and beside the main job, which never waits for them:
//! events become deliveries, what is wrong becomes issues and messages about them, and deliveries go out, each outlet's in their order
//! while all goes well. Everything is in the database before it is tried, so nothing is lost when the program dies; what was on its way
//! then goes again, with the same id.

pub mod address;
mod give;
pub mod mail;
pub mod message;
mod send;
pub mod signature;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connect::Transport;
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use give::tellings;
pub(crate) use watch::{default_policy, quiet, with_default};

use crate::{
    db::{Access, DbError, Outlet},
    operate::{Failure, FailureKind, Hub},
};

/// The name of the lease; no account can have it.
const LEASE: &str = "millrace:notify";
/// How often due deliveries are looked for even if nothing wakes it.
const LOOK: Duration = Duration::from_secs(5);
/// Rest between two looks, however much happens.
const BREATH: Duration = Duration::from_millis(500);
/// The least of it, whatever waits are divided by: looking must not become the load.
const SHORTEST_BREATH: Duration = Duration::from_millis(200);
/// How often it is looked for what is wrong.
const WATCH: Duration = Duration::from_secs(30);
/// A cause must be gone for so long before its issue closes.
const REST: Duration = Duration::from_secs(600);
/// A channel is given at most one message in this time.
const PACE: Duration = Duration::from_secs(300);
/// How often old deliveries, events and calls are removed, and how old they are then.
const TRIM: Duration = Duration::from_secs(3600);
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Outlets that are told something at one time.
const MOST: usize = 16;

/// Tells the outside. One for each process with the role *workers*.
pub struct Notifier {
    hub: Arc<Hub>,
    transport: Arc<dyn Transport>,
    mailer: Option<mail::Mailer>,
    /// Up to which event everybody was told.
    given: Mutex<Option<i64>>,
    /// Events an outlet did not want, since its cursor was last written.
    passed: Mutex<BTreeMap<String, i64>>,
    /// Channels that were late at the look before.
    late: Mutex<BTreeSet<engine::alert::CauseKey>>,
}

impl Notifier {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When the mail server's settings cannot be used, or HTTP cannot be set up.
    pub fn new(hub: Arc<Hub>) -> Result<Self, Failure> {
        let unusable = |why: String| Failure::new(FailureKind::Setup, why);
        let mailer = match &hub.config.mail {
            Some(settings) => Some(mail::Mailer::new(settings, hub.config.allow_stand_ins).map_err(unusable)?),
            None => None,
        };
        let transport = address::transport(&hub.config).map_err(unusable)?;
        Ok(Self { hub, transport, mailer, given: Mutex::default(), passed: Mutex::default(), late: Mutex::default() })
    }

    /// A wait of production, divided like all waits.
    fn scaled(&self, wait: Duration) -> Duration {
        wait / self.hub.config.waits.factor.max(1)
    }

    /// Works until it is told to stop. What is on its way then is waited for.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let clock = Arc::clone(&self.hub.seams.clock);
        let mut changes = self.hub.db.changes();
        let mut busy: BTreeSet<String> = BTreeSet::new();
        let mut sending: JoinSet<String> = JoinSet::new();
        let (mut watched, mut trimmed) = (None::<Duration>, clock.monotonic());
        // When the lease was asked for, and whether it was given.
        let mut asked: Option<(Duration, bool)> = None;
        while !stop.is_cancelled() {
            let now = clock.monotonic();
            let lease = self.hub.config.waits.lease;
            let again = |held: bool| if held { lease / 3 } else { self.scaled(LOOK) };
            if asked.is_none_or(|(at, held)| now.saturating_sub(at) >= again(held)) {
                let held = match self.hub.db.hold_account(LEASE, &self.hub.config.node, lease).await {
                    Ok(held) => held,
                    Err(error) => {
                        tracing::warn!("the lease for notifications cannot be asked for: {error}");
                        false
                    }
                };
                asked = Some((now, held));
            }
            if asked.is_some_and(|(_, held)| held) {
                failed("events are not passed on", self.give().await);
                if watched.is_none_or(|at| now.saturating_sub(at) >= self.scaled(WATCH)) {
                    watched = Some(now);
                    failed("what is wrong cannot be looked for", self.watch().await);
                }
                if now.saturating_sub(trimmed) >= self.scaled(TRIM) {
                    trimmed = now;
                    failed("old deliveries, events and calls are not removed", self.trim().await);
                }
                failed("deliveries cannot be read", self.begin(&mut busy, &mut sending).await);
            }
            let look = self.scaled(LOOK);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(done) = sending.join_next(), if !sending.is_empty() => {
                    // A task that panicked gives no id; all are looked at anew then.
                    match done {
                        Ok(id) => { busy.remove(&id); }
                        Err(_) => busy.clear(),
                    }
                }
                () = changes.any() => clock.sleep(self.scaled(BREATH).max(SHORTEST_BREATH)).await,
                () = clock.sleep(look) => {}
            }
        }
        while sending.join_next().await.is_some() {}
        if let Err(error) = self.hub.db.release_account(LEASE, &self.hub.config.node).await {
            tracing::debug!("the lease for notifications was not given back: {error}");
        }
    }

    /// Starts telling every outlet that has something due and is not being told already.
    async fn begin(
        self: &Arc<Self>,
        busy: &mut BTreeSet<String>,
        sending: &mut JoinSet<String>,
    ) -> Result<(), DbError> {
        for (access, outlet) in self.due().await? {
            if busy.len() >= MOST || !busy.insert(outlet.id.clone()) {
                continue;
            }
            let notifier = Arc::clone(self);
            sending.spawn(async move {
                failed("a delivery cannot be kept", notifier.tell(&access, &outlet).await);
                outlet.id
            });
        }
        Ok(())
    }

    /// The outlets that have something due.
    async fn due(&self) -> Result<Vec<(Access, Outlet)>, DbError> {
        let frozen = self.hub.db.frozen().await?;
        let mut found = Vec::new();
        for tenant in self.hub.db.tenants().await?.into_iter().filter(|tenant| tenant.disabled_at.is_none()) {
            let access = Access::Tenant(tenant.id);
            let due = self.hub.db.due_outlets(&access, frozen).await?;
            if due.is_empty() {
                continue;
            }
            let outlets = self.hub.db.outlets(&access).await?;
            found
                .extend(outlets.into_iter().filter(|outlet| due.contains(&outlet.id)).map(|one| (access.clone(), one)));
        }
        Ok(found)
    }

    /// Tells every outlet what is due, once, one after the other.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn deliver_due(&self) -> Result<(), DbError> {
        for (access, outlet) in self.due().await? {
            self.tell(&access, &outlet).await?;
        }
        Ok(())
    }

    async fn trim(&self) -> Result<(), DbError> {
        for tenant in self.hub.db.tenants().await? {
            let access = Access::Tenant(tenant.id);
            self.hub.db.trim_deliveries(&access, KEPT).await?;
            self.hub.db.trim_events(&access, KEPT).await?;
            self.hub.db.trim_calls(&access, KEPT).await?;
        }
        self.hub.db.trim_events(&Access::System, KEPT).await?;
        Ok(())
    }
}

fn failed(what: &str, ended: Result<(), DbError>) {
    if let Err(error) = ended {
        tracing::warn!("{what}: {error}");
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
