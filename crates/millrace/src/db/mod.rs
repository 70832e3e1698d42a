//! Everything that is kept, and all SQL of the program.
//!
//! [`Database`] is SQLite in one file or PostgreSQL for several nodes; what it does is the same, and one conformance suite
//! proves it on both. There are two ways in, `Database::write` and `Database::read`: each runs one transaction under one
//! [`Access`], and each is a place where a test can lose the change or the answer ([`Observer`]).
//!
//! - A write is durable before it returns. On SQLite many writes share one commit; on PostgreSQL each runs in a task of its
//!   own, so that a caller who goes away cannot leave a transaction open.
//! - Every query names the tenant and the merchant. PostgreSQL checks that once more with row-level security.
//! - The database's own clock decides about leases where several nodes share it.

mod adjustments;
mod alerts;
mod assents;
mod audit;
pub mod backup;
mod bulk;
mod census;
mod channel_runs;
mod channels;
mod config;
mod corrections;
mod deliveries;
mod desk;
mod drafts;
mod effect_records;
mod effects;
mod endpoints;
mod erasure;
mod error;
mod events;
mod facts;
mod findings;
mod forgotten;
mod hand_offs;
mod holds;
mod in_hand;
mod inbox;
mod keys;
mod late;
mod letters;
mod levels;
mod links;
mod lists;
mod lookup;
mod mappings;
mod migrations;
mod notes;
mod numbers;
mod oauth;
mod order_edits;
mod order_list;
mod orders;
mod outlets;
mod overview;
mod payload;
mod people;
mod postgres;
mod preflight;
mod provider;
mod queries;
mod race_answers;
mod races;
mod records;
mod recovery;
mod removal;
mod requests;
mod revise;
mod safety;
mod second_factor;
mod secrets;
mod sessions;
mod settle;
mod shipments;
mod sightings;
mod sql;
mod sqlite;
mod stock;
mod stock_owner;
mod tenants;
mod tries;
mod troubles;
mod turns;
mod views;
mod web;
mod words;

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use connect::{Clock, OsRandom, Random, SystemClock};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use sql::Tx;

pub use alerts::{AlertPolicy, DEFAULT_POLICY, IssueDecision, IssueQuery, IssueRecord, PolicySettings, QuietHours};
pub use assents::Assent;
pub use audit::{AuditChain, AuditQuery, AuditRow};
pub use bulk::{BulkPreview, PREVIEW_KEPT};
pub use census::{CensusOrder, CensusRequest, CensusShipment, UnknownEffect};
pub use channel_runs::{ChannelRun, Counts, Ran, RunCause, RunEnd};
pub use config::{ConnectionSummary, MerchantRecord};
pub use corrections::{CorrectionView, NewCorrection, Origin, OwnCorrections};
pub use deliveries::{Delivery, DeliveryAttempt, DeliveryState, Settled, Telling};
pub use desk::{DeskKey, DeskQuery, DeskRow, DeskStep, Posted, PostedShipment};
pub use drafts::{DRAFTS_KEPT, Draft, DraftOwner, DraftWork};
pub use effect_records::{
    Arm, AttemptRow, CANNOT_ASK, Claimed, EffectDecision, EffectRow, NewEffect, Settlement, Subject,
    found_before_sending,
};
pub use endpoints::{EndpointChange, EndpointSummary, NewEndpoint};
pub use erasure::Erasable;
pub use error::DbError;
pub use findings::{CensusOutcome, CensusRun, Extent, FindingQuery, FindingRow, RepairPlan};
pub use hand_offs::{HandOff, NewHandOff, Target, TargetKind};
pub use holds::{RefusedAgain, StockHold};
pub use in_hand::{CLOCKS, Count, OrderInHand};
pub use inbox::{ExceptionRow, InboxCall};
pub use keys::{ApiKeyRecord, NewApiKey};
pub use late::{FoundLate, WatchedCorrection};
pub use levels::{KeptLevel, Stopped};
pub use links::{Link, LinkKind, NewLink, Redeemed, Redeeming};
pub use lookup::{FoundEffect, FoundException, FoundOrder, FoundShipment};
pub use migrations::DatabaseCheck;
pub use notes::{NoteInUse, OwnNotes};
pub use oauth::{Consent, GrantView, NewConsent, StoreKey};
pub use order_edits::{EditView, Edition};
pub use outlets::{Outlet, OutletKind, OutletSettings, field};
pub use overview::{Figures, HourCount};
pub use people::{Person, PersonRights};
pub use preflight::{NewPreflight, PreflightEnd, PreflightRow, PreflightWork};
pub use provider::NewProviderFlow;
pub use race_answers::{SentRequest, Wanted};
pub use races::{Patience, WishOrigin};
pub use records::{
    Access, ActiveConnection, Advance, Channel, ChannelKind, ChannelSchedule, ConnectionKey, ConnectionRecord,
    Endpoint, Event, ImportedOrder, InFlight, KnownOrder, Mappings, NewRequest, NewShipment, PlannedAs, PrepareOutcome,
    Recorded, RequestWork, RunState, Scope, SeenBy, ShipmentFacts, ShipmentsRecorded, ShownState, StepState, StockLine,
    StockRun,
};
pub use recovery::{Look, LookedFor, PassView};
pub use removal::Removed;
pub use revise::HeldElsewhere;
pub use safety::{Frozen, FrozenKind, Guard, Lost, Outside, Safety, alarm};
pub use second_factor::Factor;
pub use sessions::{NewSession, SessionRow};
pub use sightings::Patience as AlertPatience;
pub use tenants::TenantRecord;
pub use troubles::{Trouble, TroubleKind};
pub use turns::Turn;
pub use views::{
    AttemptView, EffectQuery, EffectView, LevelView, OrderDetail, OrderQuery, OrderView, Page, RaceStepView, RaceView,
    RequestView, ShipmentQuery, ShipmentView,
};
pub use web::{Hook, REPEAT_SILENT, Repeat};

/// What a database function returns.
pub type R<T> = Result<T, DbError>;

/// The work of one transaction.
type Work<'t, T> = BoxFuture<'t, R<T>>;

/// Where the database is and how it is used.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `sqlite:/path/to/file.db` or `postgres://user:password@host/name`.
    pub url: String,
    /// PostgreSQL only: the address of the tables' owner, who brings them up to date. Then `url` is of a login without his rights.
    pub owner: Option<String>,
    /// Connections: readers beside the one writer on SQLite, those that read and write on PostgreSQL. There one more listens, and
    /// up to four hold turns.
    pub connections: u32,
    /// SQLite only: every call runs to its end inside the caller's poll, so that a seeded run is the same every time.
    pub inline: bool,
    /// SQLite only: largest size of the file in pages of 4 KiB.
    pub max_pages: Option<u32>,
    /// Time, where the database has none of its own (SQLite).
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and keys.
    pub random: Arc<dyn Random>,
}

impl DatabaseConfig {
    /// With the machine's clock and randomness.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            owner: None,
            connections: 8,
            inline: false,
            max_pages: None,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(OsRandom),
        }
    }
}

/// Where a call stands when an [`Observer`] is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has been done.
    Before,
    /// It is kept; the caller does not know yet.
    AfterCommit,
}

/// What an [`Observer`] lets happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// The change is lost before it is kept.
    Fail,
    /// The change is kept, and the caller gets an error that leaves this open.
    LoseReply,
}

/// Looks on at every crossing into the database; the seam for faults and traces.
#[async_trait]
pub trait Observer: Send + Sync {
    /// Called around every write and read, with its name. It may take its time: a process can stand still here.
    async fn crossing(&self, operation: &'static str, phase: Phase) -> Verdict;
}

/// The database. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    observer: RwLock<Option<Arc<dyn Observer>>>,
    guard: RwLock<Option<Guard>>,
    changed: watch::Sender<Changed>,
}

enum Engine {
    Sqlite(sqlite::Grouped),
    Inline(sqlite::Inline),
    Postgres(postgres::Pooled),
}

impl Database {
    /// Opens the database, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it cannot be reached, [`DbError::Refused`] when the address makes no sense, the role
    /// lacks rights, or a newer version of the program has been there.
    pub async fn open(config: &DatabaseConfig) -> R<Self> {
        let (changed, _) = watch::channel(Changed::default());
        let engine = if config.url.starts_with("sqlite:") {
            if config.inline {
                Engine::Inline(sqlite::Inline::open(config)?)
            } else {
                Engine::Sqlite(sqlite::Grouped::open(config, changed.clone()).await?)
            }
        } else if config.url.starts_with("postgres:") || config.url.starts_with("postgresql:") {
            Engine::Postgres(postgres::Pooled::open(config, changed.clone()).await?)
        } else {
            return Err(DbError::Refused(
                "the database address must begin with sqlite: (a file) or postgres: (a server)".to_owned(),
            ));
        };
        let inner = Inner {
            engine,
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
            observer: RwLock::default(),
            guard: RwLock::default(),
            changed,
        };
        let database = Self { inner: Arc::new(inner) };
        database.ensure_installation().await?;
        Ok(database)
    }

    /// From now on `observer` is asked at every crossing.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        *self.inner.observer.write().unwrap_or_else(PoisonError::into_inner) = Some(observer);
    }

    /// Tells when something was written that somebody may be waiting for, here or on another node. A hint: polling stays the
    /// truth.
    pub fn changes(&self) -> Changes {
        Changes { receiver: self.inner.changed.subscribe() }
    }

    /// The clock that leases are measured on.
    pub async fn now(&self) -> R<Timestamp> {
        match &self.inner.engine {
            Engine::Sqlite(_) | Engine::Inline(_) => Ok(self.inner.clock.now()),
            Engine::Postgres(_) => self.read(Access::System, "now", |tx| Box::pin(tx.fresh_now())).await,
        }
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.inner.engine, Engine::Postgres(_))
    }

    /// How many commits SQLite made since it was opened; many writes share one. `None` on PostgreSQL.
    pub fn commits(&self) -> Option<u64> {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => Some(sqlite.commits()),
            Engine::Inline(sqlite) => Some(sqlite.commits()),
            Engine::Postgres(_) => None,
        }
    }

    /// Finishes what was begun and lets the files or connections go.
    pub async fn close(&self) {
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Inline(_) => {}
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }

    async fn ask(&self, operation: &'static str, phase: Phase) -> Verdict {
        let observer = self.inner.observer.read().unwrap_or_else(PoisonError::into_inner).clone();
        match observer {
            Some(observer) => observer.crossing(operation, phase).await,
            None => Verdict::Continue,
        }
    }

    /// Runs one transaction that may write. What it wrote is durable when this returns, and nothing of it is kept when this
    /// fails, unless the error says that it is not known.
    async fn write<T, F>(&self, access: impl Into<Access>, name: &'static str, work: F) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let before = self.ask(name, Phase::Before).await;
        if before == Verdict::Fail {
            return Err(DbError::unavailable("the connection was lost before the change was kept"));
        }
        let access = access.into();
        let done = match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.write(access, work).await,
            Engine::Inline(sqlite) => {
                let (done, wakes) = sqlite.write(access, work);
                wakes.announce(&self.inner.changed);
                done
            }
            Engine::Postgres(postgres) => postgres.write(access, work).await,
        };
        let kept = done.is_ok();
        if kept && (before != Verdict::Continue || self.ask(name, Phase::AfterCommit).await != Verdict::Continue) {
            return Err(DbError::commit_unknown("the connection was lost while committing"));
        }
        done
    }

    /// Runs one transaction that only reads, all of it at one moment.
    async fn read<T, F>(&self, access: impl Into<Access>, name: &'static str, work: F) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        if self.ask(name, Phase::Before).await != Verdict::Continue {
            return Err(DbError::unavailable("the connection was lost"));
        }
        let access = access.into();
        match &self.inner.engine {
            Engine::Sqlite(sqlite) => sqlite.read(access, work).await,
            Engine::Inline(sqlite) => sqlite.read(access, work),
            Engine::Postgres(postgres) => postgres.read(access, work).await,
        }
    }
}

/// Counts writes that somebody may be waiting for.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    work: u64,
    configuration: u64,
}

/// Whom a transaction wakes when it is committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wakes {
    work: bool,
    configuration: bool,
}

impl Wakes {
    fn announce(self, changed: &watch::Sender<Changed>) {
        if self != Self::default() {
            changed.send_modify(|count| {
                count.work += u64::from(self.work);
                count.configuration += u64::from(self.configuration);
            });
        }
    }
}

/// Waits for writes, here or on another node.
#[derive(Debug)]
pub struct Changes {
    receiver: watch::Receiver<Changed>,
}

impl Changes {
    /// Until anything changes; for ever once the database is closed.
    pub async fn any(&mut self) {
        if self.receiver.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Until a connection, its settings or its mappings change.
    pub async fn configuration(&mut self) {
        let before = self.receiver.borrow_and_update().configuration;
        while self.receiver.borrow_and_update().configuration == before {
            self.any().await;
        }
    }
}

/// Does the work of a write, and appends its events last, so that their counter is locked for as short as can be.
async fn perform<T, F>(tx: &mut Tx, work: F) -> R<T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
{
    let result = work(tx).await?;
    events::flush(tx).await?;
    Ok(result)
}

/// A panic inside a transaction is a fault of the program: the transaction is rolled back and the caller is told.
fn panicked<T>(caught: Result<R<T>, Box<dyn std::any::Any + Send>>) -> R<T> {
    caught.unwrap_or_else(|_| Err(DbError::Refused("a fault of the program stopped this change".to_owned())))
}
