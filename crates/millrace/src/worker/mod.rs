//! Keeps every enabled connection running, on one node at a time.
//!
//! A node runs a connection while it holds the lease on its source account: the account's call budget is one bucket, and one
//! bucket has one owner. Other nodes take over when the lease ends, or at once from a process that stopped or is known to have
//! ended. Correctness does not rest on this lease: the journal's own
//! claims are what keep an effect from being sent twice.

mod preflight;
mod tasks;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connect::{
    BuildContext, Clock, FileStores, NoDesk, NoGrants, NoMarks, OrderSource, Random, Role, Settings, SettingsError,
    Side, TenantId, Transport, Waits, Warehouse, budget::Budgets,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    db::{ConnectionKey, ConnectionRecord, Database, DbError, DeskKey, StoreKey},
    desk::WarehouseDesk,
    grants::StoreGrants,
    letters::ConnectionMarks,
    metrics::Metrics,
    reconcile::Reconciler,
    runtime::{Memory, Runtime, Wake},
    seal::Keyring,
};

pub use preflight::Tried;

/// How often the list of connections is looked at, changes or not.
const LOOK: Duration = Duration::from_secs(2);

/// The seams a process works through.
#[derive(Clone)]
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// HTTP.
    pub transport: Arc<dyn Transport>,
    /// Files.
    pub files: Arc<dyn FileStores>,
}

/// Builds and runs connections.
pub struct Workers {
    db: Database,
    keyring: Keyring,
    seams: Seams,
    budgets: Arc<Budgets>,
    waits: Waits,
    node: String,
    running: Mutex<BTreeMap<ConnectionKey, Arc<Runtime>>>,
}

/// Why a connection cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A platform this program does not know, or one in the wrong role.
    #[error("there is no connector {0:?} for this role")]
    NoConnector(String),
}

impl Workers {
    /// Runs nothing yet.
    pub fn new(db: Database, keyring: Keyring, seams: Seams, waits: Waits, node: String) -> Self {
        let budgets = Arc::new(Budgets::new(Arc::clone(&seams.clock)));
        Self { db, keyring, seams, budgets, waits, node, running: Mutex::default() }
    }

    /// The same, over another handle on the database.
    #[must_use]
    pub fn on(&self, db: Database) -> Self {
        Self {
            db,
            keyring: self.keyring.clone(),
            seams: self.seams.clone(),
            budgets: Arc::clone(&self.budgets),
            waits: self.waits,
            node: self.node.clone(),
            running: Mutex::default(),
        }
    }

    /// The call budgets of this process.
    pub fn budgets(&self) -> &Arc<Budgets> {
        &self.budgets
    }

    /// The connection as it runs in this process, `None` if it does not.
    pub fn runtime(&self, key: &ConnectionKey) -> Option<Arc<Runtime>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// What a connector of this tenant is built with that needs no grant.
    pub fn context(&self, tenant: &TenantId, share: &str) -> BuildContext {
        BuildContext {
            transport: Arc::clone(&self.seams.transport),
            files: Arc::clone(&self.seams.files),
            clock: Arc::clone(&self.seams.clock),
            random: Arc::clone(&self.seams.random),
            budgets: Arc::new(self.budgets.for_owner(tenant.as_str())),
            waits: self.waits,
            grants: Arc::new(NoGrants),
            desk: Arc::new(NoDesk),
            marks: Arc::new(NoMarks),
            share: share.to_owned(),
        }
    }

    /// What the connector of a store is built with.
    pub fn context_of(&self, store: StoreKey, share: &str) -> BuildContext {
        let tenant = store.scope.tenant.clone();
        let grants = StoreGrants::shared(self.db.clone(), self.keyring.clone(), store, self.waits.lease);
        BuildContext { grants, ..self.context(&tenant, share) }
    }

    /// What the connectors of a connection are built with.
    fn context_for(&self, record: &ConnectionRecord, share: &str) -> BuildContext {
        let key = DeskKey { scope: record.key.scope.clone(), warehouse: record.warehouse.id.clone() };
        let desk = WarehouseDesk::shared(self.db.clone(), key);
        let marks = ConnectionMarks::shared(self.db.clone(), record.key.clone());
        BuildContext { desk, marks, ..self.context_of(record.store_key(), share) }
    }

    /// Makes a connection ready to run, without starting anything.
    ///
    /// # Errors
    /// When its settings cannot be used or the database cannot be reached.
    pub async fn build(&self, key: &ConnectionKey) -> Result<Runtime, BuildError> {
        self.build_with(key, None).await
    }

    /// The same, for looking only: every call that it makes is counted for `purpose` and lets all others go first.
    ///
    /// # Errors
    /// As [`Workers::build`].
    pub async fn build_for(&self, key: &ConnectionKey, purpose: &'static str) -> Result<Runtime, BuildError> {
        self.build_with(key, Some(purpose)).await
    }

    async fn build_with(&self, key: &ConnectionKey, sweep: Option<&'static str>) -> Result<Runtime, BuildError> {
        let mut record = self.db.connection(key, &self.keyring).await?;
        let mappings = self.db.mappings(key).await?;
        let mut context = self.context_for(&record, key.connection.as_str());
        if let Some(purpose) = sweep {
            context.budgets = Arc::new(context.budgets.for_sweep(purpose));
        }
        let (source, ships) = both_connectors(&mut record, &context)?;
        let ConnectionRecord { name, revision, account, settings, .. } = record;
        Ok(Runtime {
            key: key.clone(),
            account,
            name,
            revision,
            settings,
            mappings,
            source,
            warehouse: ships,
            db: self.db.clone(),
            clock: Arc::clone(&self.seams.clock),
            random: Arc::clone(&self.seams.random),
            waits: self.waits,
            owner: self.node.clone(),
            wake: Wake::default(),
            metrics: Metrics::new(key.connection.as_str()),
            memory: Memory::default(),
            stop: CancellationToken::new(),
        })
    }

    /// What looks at a connection from outside, with connectors of its own that let every other call go first. Starts nothing.
    ///
    /// # Errors
    /// As [`Workers::build`].
    pub async fn reconciler(&self, key: &ConnectionKey) -> Result<Reconciler, BuildError> {
        let mut record = self.db.connection(key, &self.keyring).await?;
        let mappings = self.db.mappings(key).await?;
        let mut context = self.context_for(&record, key.connection.as_str());
        context.budgets = Arc::new(context.budgets.for_sweep("census"));
        let both = both_connectors(&mut record, &context)?;
        let ConnectionRecord { account, settings, .. } = record;
        let (db, clock) = (self.db.clone(), Arc::clone(&self.seams.clock));
        let mut reconciler = Reconciler::new(key.clone(), account, settings, mappings, db, clock, self.waits, both);
        if let Some(runtime) = self.runtime(key) {
            reconciler.author = runtime.source.note_author().or(reconciler.author);
        }
        Ok(reconciler)
    }

    /// Runs what is enabled until it is told to stop, then ends what was started.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut running: BTreeMap<ConnectionKey, Started> = BTreeMap::new();
        let mut accounts = Accounts::default();
        let mut changes = self.db.changes();
        loop {
            match self.wanted(&mut accounts).await {
                Ok(wanted) => self.converge(&mut running, wanted).await,
                // What runs goes on: its own calls to the database fail and are tried again.
                Err(error) => tracing::error!("the list of connections cannot be read: {error}"),
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = changes.configuration() => {}
                () = self.seams.clock.sleep(LOOK / self.waits.factor.max(1)) => {}
            }
        }
        running.values().for_each(Started::tell_to_stop);
        for (key, started) in running {
            self.stop(&key, started).await;
        }
        // Whoever comes next need not wait until the lease is over.
        for account in accounts.held {
            if let Err(error) = self.db.release_account(&account, &self.node).await {
                tracing::warn!(account.code = account, "the account is held until its lease ends: {error}");
            }
        }
    }

    /// The enabled connections whose account this node holds, with their revisions.
    async fn wanted(&self, accounts: &mut Accounts) -> Result<BTreeMap<ConnectionKey, i64>, DbError> {
        let mut held: BTreeMap<String, bool> = BTreeMap::new();
        let mut wanted = BTreeMap::new();
        for active in self.db.active_connections().await? {
            let holds = match held.get(&active.account) {
                Some(holds) => *holds,
                None => {
                    let holds = self.db.hold_account(&active.account, &self.node, self.waits.lease).await?;
                    held.insert(active.account.clone(), holds);
                    holds
                }
            };
            if holds {
                wanted.insert(active.key, active.revision);
            }
        }
        let denied = held.iter().filter(|(_, holds)| !**holds).map(|(account, _)| account.clone()).collect();
        if accounts.denied != denied {
            let holders = if denied.is_empty() { BTreeMap::new() } else { self.db.account_holders().await? };
            for account in denied.difference(&accounts.denied) {
                if let Some((owner, until)) = holders.get(account) {
                    tracing::info!(
                        account.code = account,
                        "its connections wait: node {owner} holds it until {until}, if it is not renewed"
                    );
                }
            }
            accounts.denied = denied;
        }
        accounts.held.extend(held.into_iter().filter(|(_, holds)| *holds).map(|(account, _)| account));
        Ok(wanted)
    }

    async fn converge(&self, running: &mut BTreeMap<ConnectionKey, Started>, wanted: BTreeMap<ConnectionKey, i64>) {
        let outdated: Vec<ConnectionKey> = running
            .iter()
            .filter(|(key, started)| wanted.get(*key) != Some(&started.revision))
            .map(|(key, _)| key.clone())
            .collect();
        // All at once: what one still has to finish, the others finish meanwhile.
        outdated.iter().filter_map(|key| running.get(key)).for_each(Started::tell_to_stop);
        for key in outdated {
            if let Some(started) = running.remove(&key) {
                self.stop(&key, started).await;
            }
        }
        for (key, revision) in wanted {
            if running.contains_key(&key) {
                continue;
            }
            let built = match self.build(&key).await {
                Ok(runtime) => self.reconciler(&key).await.map(|reconciler| (runtime, reconciler)),
                Err(error) => Err(error),
            };
            match built {
                Ok((runtime, reconciler)) => {
                    tracing::info!(connection.id = %key.connection, connection.name = %runtime.name, "connection runs");
                    let runtime = Arc::new(runtime);
                    let started = Started::new(Arc::clone(&runtime), reconciler, revision);
                    self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), runtime);
                    running.insert(key, started);
                }
                Err(BuildError::Db(error)) => {
                    tracing::error!(connection.id = %key.connection, "connection cannot be read: {error}");
                }
                Err(error) => {
                    // Said once per revision: the pause is shown on the connection until its settings change.
                    tracing::warn!(connection.id = %key.connection, "connection cannot run: {error}");
                    for side in [Side::Source, Side::Warehouse] {
                        if let Err(error) = self.db.pause(&key, side, Some(&error.to_string())).await {
                            tracing::error!(connection.id = %key.connection, "and the pause cannot be kept: {error}");
                        }
                    }
                }
            }
        }
    }

    async fn stop(&self, key: &ConnectionKey, mut started: Started) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        started.tell_to_stop();
        // Effects on their way are waited for: cutting one off would leave its outcome unknown.
        while started.tasks.join_next().await.is_some() {}
        tracing::info!(connection.id = %key.connection, "connection stopped");
    }
}

/// The connectors of the two ends.
type Both = (Arc<dyn OrderSource>, Arc<dyn Warehouse>);

/// Both connectors of a connection. Takes the secrets out of the record.
fn both_connectors(record: &mut ConnectionRecord, context: &BuildContext) -> Result<Both, BuildError> {
    let (store, warehouse) = (&record.store, &record.warehouse);
    let source = match connectors::find(&store.platform).map(|spec| (&spec.role, spec.fields)) {
        Some((Role::OrderSource(build), fields)) => {
            let secrets = std::mem::take(&mut record.store_secrets);
            let given = Settings { values: store.values.clone(), secrets };
            given.validate(fields)?;
            build(&given, context)?
        }
        _ => return Err(BuildError::NoConnector(store.platform.clone())),
    };
    let ships = match connectors::find(&warehouse.platform).map(|spec| (&spec.role, spec.fields)) {
        Some((Role::Warehouse(build), fields)) => {
            let secrets = std::mem::take(&mut record.warehouse_secrets);
            let given = Settings { values: warehouse.values.clone(), secrets };
            given.validate(fields)?;
            build(&given, context)?
        }
        _ => return Err(BuildError::NoConnector(warehouse.platform.clone())),
    };
    Ok((source, ships))
}

/// What a node knows of the leases on accounts.
#[derive(Default)]
struct Accounts {
    /// Held at some time since the start.
    held: BTreeSet<String>,
    /// Held by another node at the last look.
    denied: BTreeSet<String>,
}

struct Started {
    revision: i64,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Started {
    fn new(runtime: Arc<Runtime>, reconciler: Reconciler, revision: i64) -> Self {
        let stop = runtime.stop.clone();
        let mut tasks = JoinSet::new();
        tasks::spawn(&mut tasks, &runtime, &stop);
        tasks.spawn(tasks::census(runtime, reconciler, stop.clone()));
        Self { revision, stop, tasks }
    }

    fn tell_to_stop(&self) {
        self.stop.cancel();
    }
}
