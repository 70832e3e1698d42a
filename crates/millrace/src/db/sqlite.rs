//! SQLite: one writer with grouped commits, several readers, or everything in line for seeded runs.

use std::{
    panic::AssertUnwindSafe,
    path::PathBuf,
    pin::pin,
    str::FromStr as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::Duration,
};

use connect::{Clock, Random};
use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{
    ConnectOptions as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    Changed, DatabaseConfig, DbError, R, Wakes, Work, migrations, panicked, perform,
    records::Access,
    sql::{Connection, Tx, plain_sqlite},
};

/// Most writes that share one commit.
const GROUP: usize = 512;
/// The write-ahead log is cut back to nothing when it has grown beyond this.
const LARGEST_LOG: u64 = 64 << 20;
/// Commits between two looks at the size of the log.
const LOOK_AT_LOG: u64 = 256;

/// Pages that a connection keeps to itself, in KiB below zero. There are several readers, and what they read again the operating
/// system has anyhow.
const WRITER_CACHE: &str = "-32768";
const READER_CACHE: &str = "-8192";

fn options(config: &DatabaseConfig) -> R<SqliteConnectOptions> {
    let mut options = SqliteConnectOptions::from_str(&config.url)
        .map_err(DbError::from)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(400)
        .pragma("journal_size_limit", LARGEST_LOG.to_string())
        .pragma("temp_store", "memory")
        .pragma("cache_size", WRITER_CACHE);
    if let Some(pages) = config.max_pages {
        options = options.pragma("max_page_count", pages.to_string());
    }
    Ok(options.disable_statement_logging())
}

/// Longest wait for another process that opens the file, in steps.
const OPENING: (u32, Duration) = (100, Duration::from_millis(100));

/// A file that was restored or copied is switched to its write-ahead log by whoever opens it first. SQLite does not wait for that
/// as it waits for all else: of two processes that open it at one moment, one is refused at once.
async fn connected(options: &SqliteConnectOptions) -> R<SqliteConnection> {
    for _ in 0..OPENING.0 {
        match options.connect().await {
            Err(sqlx::Error::Database(error)) if is_busy(error.code().as_deref()) => {
                tokio::time::sleep(OPENING.1).await;
            }
            opened => return Ok(opened?),
        }
    }
    Ok(options.connect().await?)
}

/// <https://www.sqlite.org/rescode.html#busy>; the lowest byte is the primary code.
fn is_busy(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<i64>().ok()).is_some_and(|code| code & 0xff == 5)
}

async fn writer_of(config: &DatabaseConfig, mut connection: SqliteConnection) -> R<Tx> {
    migrations::run_sqlite(&mut connection).await?;
    let connection = Connection::Sqlite(Box::new(connection));
    Ok(Tx::new(connection, Arc::clone(&config.clock), Arc::clone(&config.random)))
}

/// A write on its way to the writer.
trait Job: Send {
    /// Does the work inside the open transaction; `false`: it failed and is to be rolled back.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// What it failed of.
    fn failure(&self) -> Option<DbError>;
    /// Answers the caller, with what became of the commit.
    fn answer(self: Box<Self>, commit: R<()>);
}

struct Write<T, F> {
    access: Access,
    work: Option<F>,
    result: Option<R<T>>,
    reply: oneshot::Sender<R<T>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            start(tx, self.access.clone());
            let result = panicked(AssertUnwindSafe(perform(tx, work)).catch_unwind().await);
            let done = result.is_ok();
            self.result = Some(result);
            done
        })
    }

    fn failure(&self) -> Option<DbError> {
        self.result.as_ref().and_then(|result| result.as_ref().err().cloned())
    }

    fn answer(self: Box<Self>, commit: R<()>) {
        let result = match (self.result, commit) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(DbError::unavailable("the write was not begun")),
        };
        // A caller that has gone away does not want its answer.
        let _gone = self.reply.send(result);
    }
}

fn start(tx: &mut Tx, access: Access) {
    tx.access = access;
    tx.now = tx.clock.now();
    tx.events.clear();
}

async fn plain(tx: &mut Tx, sql: &'static str) -> R<()> {
    match &mut tx.connection {
        Connection::Sqlite(connection) => plain_sqlite(connection, sql).await,
        Connection::SqliteReader(connection) => plain_sqlite(connection, sql).await,
        Connection::Postgres(_) => Err(DbError::Refused("this connection is not SQLite".to_owned())),
    }
}

async fn commit(tx: &mut Tx) -> R<()> {
    match plain(tx, "COMMIT").await {
        Ok(()) => Ok(()),
        Err(error) => {
            // Full and busy leave the transaction open; anything else may have been written before it failed.
            let known = matches!(error, DbError::Full(_) | DbError::Refused(_) | DbError::Conflict(_));
            let rolled_back = plain(tx, "ROLLBACK").await;
            if known || rolled_back.is_ok() { Err(error) } else { Err(DbError::commit_unknown(error.to_string())) }
        }
    }
}

/// One file, one writer task that groups commits, and a pool of readers.
pub(super) struct Grouped {
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    readers: SqlitePool,
    writer: Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Grouped {
    pub(super) async fn open(config: &DatabaseConfig, changed: watch::Sender<Changed>) -> R<Self> {
        let tx = writer_of(config, connected(&options(config)?).await?).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(config.connections.max(1))
            .acquire_timeout(Duration::from_secs(10))
            .test_before_acquire(false)
            .connect_lazy_with(
                options(config)?.read_only(true).create_if_missing(false).pragma("cache_size", READER_CACHE),
            );
        let mut log = options(config)?.get_filename().as_os_str().to_owned();
        log.push("-wal");
        let (jobs, waiting) = mpsc::channel(2 * GROUP);
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer { tx, log: PathBuf::from(log), commits: Arc::clone(&commits), changed };
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            readers,
            writer: Mutex::new(Some(tokio::spawn(writer.run(waiting)))),
            commits,
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
        })
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(super) async fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // The task ends by itself when the last write is done; that it was stopped from outside changes nothing.
            let _ended = writer.await;
        }
        self.readers.close().await;
    }

    pub(super) async fn write<T, F>(&self, access: Access, work: F) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let closed = || DbError::unavailable("it is closed");
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Write { access, work: Some(work), result: None, reply });
        jobs.send(job).await.map_err(|_| closed())?;
        drop(jobs);
        answer.await.unwrap_or_else(|_| Err(DbError::commit_unknown("its writer stopped")))
    }

    pub(super) async fn read<T, F>(&self, access: Access, work: F) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let readers = self.readers.clone();
        let (clock, random) = (Arc::clone(&self.clock), Arc::clone(&self.random));
        let (read, done) = oneshot::channel();
        // In a task of its own: a caller that goes away must not leave a reader inside an old transaction.
        tokio::spawn(async move {
            let connection = match readers.acquire().await {
                Ok(connection) => connection,
                Err(error) => return drop(read.send(Err(error.into()))),
            };
            let mut tx = Tx::new(Connection::SqliteReader(connection), clock, random);
            start(&mut tx, access);
            if let Err(error) = plain(&mut tx, "BEGIN").await {
                return drop(read.send(Err(error)));
            }
            // Whoever asked need not wait until the reader is given back; it may have gone away as well.
            let _ = read.send(panicked(AssertUnwindSafe(work(&mut tx)).catch_unwind().await));
            if plain(&mut tx, "ROLLBACK").await.is_err()
                && let Connection::SqliteReader(connection) = tx.connection
            {
                drop(connection.detach());
            }
        });
        done.await.unwrap_or_else(|_| Err(DbError::unavailable("the program is stopping")))
    }
}

struct Writer {
    tx: Tx,
    log: PathBuf,
    commits: Arc<AtomicU64>,
    changed: watch::Sender<Changed>,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut waiting = Vec::with_capacity(GROUP);
        while jobs.recv_many(&mut waiting, GROUP).await > 0 {
            while !waiting.is_empty() {
                waiting = self.group(waiting).await;
            }
            self.cut_log().await;
        }
    }

    /// Runs writes in one transaction and answers them after its commit. Returns those that were not begun, because one
    /// before them took the whole transaction down.
    async fn group(&mut self, jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        self.tx.wakes = Wakes::default();
        if let Err(error) = plain(&mut self.tx, "BEGIN IMMEDIATE").await {
            for job in jobs {
                job.answer(Err(error.clone()));
            }
            return Vec::new();
        }
        let alone = jobs.len() == 1;
        let mut begun = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter();
        let mut outcome = Ok(());
        for mut job in jobs.by_ref() {
            // With company each write gets its own savepoint, so that a failed one takes nobody along.
            outcome = if alone { Ok(()) } else { plain(&mut self.tx, "SAVEPOINT one").await };
            let woke = self.tx.wakes;
            let done = outcome.is_ok() && job.run(&mut self.tx).await;
            if outcome.is_ok() && !done {
                self.tx.wakes = woke;
                outcome = plain(&mut self.tx, if alone { "ROLLBACK" } else { "ROLLBACK TO one" }).await;
            }
            if outcome.is_ok() && !alone {
                outcome = plain(&mut self.tx, "RELEASE one").await;
            }
            begun.push((job, done));
            // SQLite rolls the whole transaction back by itself when, say, the disk is full: the savepoint is gone then.
            if outcome.is_err() {
                break;
            }
        }
        let rest = jobs.collect();
        if let Err(error) = outcome {
            // It may be rolled back already.
            let _already = plain(&mut self.tx, "ROLLBACK").await;
            // Those before it are lost for the reason it failed of; nothing of any of them is kept.
            let lost = match begun.last().and_then(|(job, _)| job.failure()) {
                Some(full @ DbError::Full(_)) => full,
                _ => DbError::unavailable(format!("a write that shared this commit took it down: {error}")),
            };
            for (job, _) in begun {
                job.answer(Err(lost.clone()));
            }
            return rest;
        }
        let committed = if alone && begun.iter().all(|(_, done)| !done) {
            Ok(())
        } else {
            self.commits.fetch_add(1, Ordering::Relaxed);
            commit(&mut self.tx).await
        };
        for (job, _) in begun {
            job.answer(committed.clone());
        }
        if committed.is_ok() {
            self.tx.wakes.announce(&self.changed);
        }
        rest
    }

    async fn cut_log(&mut self) {
        if !self.commits.load(Ordering::Relaxed).is_multiple_of(LOOK_AT_LOG) {
            return;
        }
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LARGEST_LOG) {
            // A reader may be in the way; then it is cut at the next look.
            if let Err(error) = plain(&mut self.tx, "PRAGMA wal_checkpoint(TRUNCATE)").await {
                tracing::debug!("the write-ahead log was not cut back: {error}");
            }
        }
    }
}

/// One connection, used to its end inside each call: no task, no pool, no waiting on the runtime.
pub(super) struct Inline {
    tx: Mutex<Tx>,
    commits: AtomicU64,
}

impl Inline {
    pub(super) fn open(config: &DatabaseConfig) -> R<Self> {
        // Nobody else has this file, so there is nobody to wait for.
        let tx = block_on(async { writer_of(config, options(config)?.connect().await?).await })?;
        Ok(Self { tx: Mutex::new(tx), commits: AtomicU64::new(0) })
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The result, and whom it wakes.
    pub(super) fn write<T, F>(&self, access: Access, work: F) -> (R<T>, Wakes)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    {
        let mut tx = self.tx.lock().unwrap_or_else(PoisonError::into_inner);
        start(&mut tx, access);
        tx.wakes = Wakes::default();
        let done = block_on(async {
            plain(&mut tx, "BEGIN IMMEDIATE").await?;
            match perform(&mut tx, work).await {
                Ok(value) => commit(&mut tx).await.map(|()| value),
                Err(error) => {
                    // It may be rolled back already, when the disk is full.
                    let _already = plain(&mut tx, "ROLLBACK").await;
                    Err(error)
                }
            }
        });
        self.commits.fetch_add(u64::from(done.is_ok()), Ordering::Relaxed);
        let wakes = if done.is_ok() { tx.wakes } else { Wakes::default() };
        (done, wakes)
    }

    pub(super) fn read<T, F>(&self, access: Access, work: F) -> R<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T>,
    {
        let mut tx = self.tx.lock().unwrap_or_else(PoisonError::into_inner);
        start(&mut tx, access);
        block_on(async {
            plain(&mut tx, "BEGIN").await?;
            let result = work(&mut tx).await;
            plain(&mut tx, "ROLLBACK").await?;
            result
        })
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread. SQLite works on a thread of its own and needs no runtime, and the caller's
/// runtime, standing still meanwhile, cannot let time pass.
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
