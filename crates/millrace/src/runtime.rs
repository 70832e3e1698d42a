//! One connection, ready to run: its two remote systems, its settings, and the seams it works through.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connect::{
    Capability, Choices, Clock, ConnectorError, EffectId, EffectKind, Effects, OrderId, OrderSource, Product, Random,
    RequestId, ShipmentId, Side, Waits, Warehouse,
};
use engine::{settings::ConnectionSettings, steady::Steady};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    db::{ChannelKind, ConnectionKey, Counts, Database, DbError, Mappings},
    metrics::Metrics,
};

/// Wakes the parts of one connection. A wake saves waiting; nothing depends on it arriving.
#[derive(Debug, Default)]
pub struct Wake {
    /// Effects at the source may be due.
    pub source: Notify,
    /// Effects at the warehouse may be due.
    pub warehouse: Notify,
    /// Requests may have a next step.
    pub advance: Notify,
    /// The orders channel should run.
    pub orders: Notify,
    /// The shipments channel should run.
    pub shipments: Notify,
    /// The stock channel should run.
    pub stock: Notify,
    /// A census is wanted.
    pub census: Notify,
}

/// How far a run has come is kept this often at most.
const TOLD: Duration = Duration::from_secs(1);

/// How long lists and products of the account are believed.
const REMEMBERED: Duration = Duration::from_secs(900);

/// One connection, ready to run.
pub struct Runtime {
    /// Whose, and which.
    pub key: ConnectionKey,
    /// The source account's code.
    pub account: String,
    /// What people call the connection.
    pub name: String,
    /// Grows with every change of its configuration.
    pub revision: i64,
    /// What the person chose.
    pub settings: ConnectionSettings,
    /// Its translation tables.
    pub mappings: Mappings,
    /// Where orders live.
    pub source: Arc<dyn OrderSource>,
    /// Who ships.
    pub warehouse: Arc<dyn Warehouse>,
    /// What is kept.
    pub db: Database,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The contract's waits.
    pub waits: Waits,
    /// Which node and connection holds a claim.
    pub owner: String,
    /// Wakes its parts.
    pub wake: Wake,
    /// What is counted.
    pub metrics: Metrics,
    /// Cached reads.
    pub memory: Memory,
    /// Cancelled when it is to stop: a long wait then ends early.
    pub stop: CancellationToken,
}

/// What one process remembers of a connection. Reads worth keeping for a while: nothing in them decides anything that the
/// journal does not check again.
#[derive(Default)]
pub struct Memory {
    /// How the database's clock has run beside this process.
    pub(crate) steady: Mutex<Option<Steady>>,
    choices: Mutex<Option<(Duration, Arc<Choices>)>>,
    products: Mutex<BTreeMap<i64, (Duration, Product)>>,
    skus: Mutex<BTreeMap<String, (Duration, Vec<i64>)>>,
    /// The run of each channel, and when it last told how far it has come.
    runs: Mutex<BTreeMap<ChannelKind, (String, Duration)>>,
    /// When each order was last read whole, and found worth sending as planned.
    read: Mutex<BTreeMap<i64, Duration>>,
    /// Held while shipments are read, so that nobody goes on from the middle of somebody else's reading. Whether the last reading
    /// got to its end.
    pub(crate) reading: tokio::sync::Mutex<bool>,
    /// When each order was last decided upon, whatever came of it.
    decided: Mutex<BTreeMap<i64, Duration>>,
}

impl Runtime {
    /// The connector on one side, as the journal sees it.
    pub fn effects(&self, side: Side) -> &dyn Effects {
        match side {
            Side::Source => &*self.source,
            Side::Warehouse => &*self.warehouse,
        }
    }

    /// Whether the warehouse holds what it takes in until it is let go.
    pub fn holds(&self) -> bool {
        let can = self.warehouse.capabilities(EffectKind::SubmitRequest);
        can.is_some_and(|can| can.classes.contains(&Capability::Held))
    }

    /// Stops everything that goes to one side until a person mends it.
    pub async fn pause(&self, side: Side, why: &str) -> Result<(), DbError> {
        tracing::warn!(connection.id = %self.key.connection, connection.side = ?side, "connection paused: {why}");
        self.db.pause(&self.key, side, Some(why)).await
    }

    /// A new order id.
    pub fn order_id(&self) -> OrderId {
        OrderId::generate(self.clock.now(), &*self.random)
    }

    /// A new request id.
    pub fn request_id(&self) -> RequestId {
        RequestId::generate(self.clock.now(), &*self.random)
    }

    /// A new shipment id.
    pub fn shipment_id(&self) -> ShipmentId {
        ShipmentId::generate(self.clock.now(), &*self.random)
    }

    /// A new effect id.
    pub fn effect_id(&self) -> EffectId {
        EffectId::generate(self.clock.now(), &*self.random)
    }

    /// What every key of this connection's requests begins with.
    pub fn key_head(&self) -> String {
        engine::key::head(self.settings.key_prefix.as_deref(), &self.account)
    }

    /// A wait of production divided like all other waits.
    pub fn scaled(&self, wait: Duration) -> Duration {
        wait / self.waits.factor.max(1)
    }

    /// A run of a channel begins; its id.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn start_run(&self, kind: ChannelKind) -> Result<String, DbError> {
        let run = self.db.start_run(&self.key, kind).await?;
        let told = (run.clone(), self.clock.monotonic());
        self.memory.runs.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, told);
        Ok(run)
    }

    /// Keeps how far the run of a channel has come, for people who watch: when it takes longer than a second, and at most once
    /// a second. A run does not fail because this cannot be kept.
    pub async fn tell_progress(&self, kind: ChannelKind, done: usize, total: Option<usize>, counts: Counts) {
        let now = self.clock.monotonic();
        let run = {
            let mut runs = self.memory.runs.lock().unwrap_or_else(PoisonError::into_inner);
            match runs.get_mut(&kind) {
                Some((run, told)) if now.saturating_sub(*told) >= TOLD => {
                    *told = now;
                    run.clone()
                }
                _ => return,
            }
        };
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let come = (number(done), total.map(number));
        if let Err(error) = self.db.advance_run(&self.key, kind, &run, come, counts).await {
            tracing::debug!(connection.id = %self.key.connection, channel.kind = kind.as_str(), "progress is not kept: {error}");
        }
    }

    /// The account's own lists, at most a quarter of an hour old.
    pub async fn choices(&self) -> Result<Arc<Choices>, ConnectorError> {
        let now = self.clock.monotonic();
        let kept = self.memory.choices.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((read_at, choices)) = kept
            && now.saturating_sub(read_at) < REMEMBERED
        {
            return Ok(choices);
        }
        let choices = Arc::new(self.source.choices().await?);
        *self.memory.choices.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(&choices)));
        Ok(choices)
    }

    /// What the account calls a status, where its choices have been read lately; nothing is read for it.
    pub fn status_name(&self, status_id: i64) -> Option<String> {
        let kept = self.memory.choices.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, choices) = kept.as_ref()?;
        choices.statuses.iter().find(|status| status.id == status_id).map(|status| status.name.clone())
    }

    /// Products by id, at most a quarter of an hour old; those that do not exist are left out.
    pub async fn products(&self, ids: &BTreeSet<i64>) -> Result<BTreeMap<i64, Product>, ConnectorError> {
        let now = self.clock.monotonic();
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        {
            let kept = self.memory.products.lock().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match kept.get(id) {
                    Some((read_at, product)) if now.saturating_sub(*read_at) < REMEMBERED => {
                        found.insert(*id, product.clone());
                    }
                    _ => missing.push(*id),
                }
            }
        }
        if !missing.is_empty() {
            let read = self.source.products(&missing).await?;
            let mut kept = self.memory.products.lock().unwrap_or_else(PoisonError::into_inner);
            for product in read {
                kept.insert(product.product_id, (now, product.clone()));
                found.insert(product.product_id, product);
            }
        }
        Ok(found)
    }

    /// Which products carry each SKU, at most a quarter of an hour old.
    pub async fn skus(&self, skus: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<i64>>, ConnectorError> {
        let now = self.clock.monotonic();
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        {
            let kept = self.memory.skus.lock().unwrap_or_else(PoisonError::into_inner);
            for sku in skus {
                match kept.get(sku) {
                    Some((read_at, ids)) if now.saturating_sub(*read_at) < REMEMBERED => {
                        found.insert(sku.clone(), ids.clone());
                    }
                    _ => missing.push(sku.clone()),
                }
            }
        }
        if !missing.is_empty() {
            let read = self.source.find_skus(&missing).await?;
            let mut kept = self.memory.skus.lock().unwrap_or_else(PoisonError::into_inner);
            for sku in missing {
                let ids = read.get(&sku).cloned().unwrap_or_default();
                kept.insert(sku.clone(), (now, ids.clone()));
                found.insert(sku, ids);
            }
        }
        Ok(found)
    }

    /// Remembers that an order was read at this moment of the monotonic clock, and that what was decided of it is kept.
    /// Not before that: the last look before sending goes by it (O4).
    pub fn remember_read(&self, order_id: i64, began: Duration) {
        let now = self.clock.monotonic();
        let mut read = self.memory.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() > 20_000 {
            let fresh = self.scaled(FRESH);
            read.retain(|_, at| now.saturating_sub(*at) < fresh);
        }
        read.insert(order_id, began);
    }

    /// From now on every order is read again before it is sent.
    pub fn forget_reads(&self) {
        self.memory.read.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Remembers that these orders were decided upon just now; for so long.
    pub fn remember_decided(&self, orders: impl Iterator<Item = i64>, long: Duration) {
        let (now, long) = (self.clock.monotonic(), self.scaled(long));
        let mut decided = self.memory.decided.lock().unwrap_or_else(PoisonError::into_inner);
        decided.retain(|_, at| now.saturating_sub(*at) < long);
        decided.extend(orders.map(|order_id| (order_id, now)));
    }

    /// Whether this process has decided about an order within so long.
    pub fn decided_within(&self, order_id: i64, long: Duration) -> bool {
        let now = self.clock.monotonic();
        let decided = self.memory.decided.lock().unwrap_or_else(PoisonError::into_inner);
        decided.get(&order_id).is_some_and(|at| now.saturating_sub(*at) < self.scaled(long))
    }

    /// Whether an order was read so lately that reading it again before sending would say nothing new.
    pub fn read_lately(&self, order_id: i64) -> bool {
        let now = self.clock.monotonic();
        let read = self.memory.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.get(&order_id).is_some_and(|at| now.saturating_sub(*at) < self.scaled(FRESH))
    }
}

/// An order read within this time is sent without reading it once more.
const FRESH: Duration = Duration::from_secs(10);
