//! PostgreSQL: every transaction in a task of its own, under the role that owns nothing, for one tenant and merchant.

use std::{
    panic::AssertUnwindSafe,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use connect::{Clock, Random};
use futures_util::FutureExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, Postgres, Row as _,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{
    Changed, DatabaseConfig, DbError, R, Wakes, Work, migrations, panicked, perform,
    records::Access,
    sql::{Connection, Tx, plain_postgres},
    turns::Turn,
};

/// What nodes on one database tell each other that there is something to do with.
const TOPIC: &str = "millrace";
const WORK: &str = "work";
const CONFIGURATION: &str = "configuration";

/// Set on every pooled connection. Commits must be durable whatever the server's default is (R1), and nothing may hold a
/// lock for long. No statement here runs for long enough to be worth compiling: the claim of effects, which is planned for many
/// parts, takes 3 ms, and compiling it first took 110.
const SESSION: [&str; 6] = [
    "SET ROLE millrace_app",
    "SET synchronous_commit = on",
    "SET jit = off",
    "SET lock_timeout = '20s'",
    "SET statement_timeout = '60s'",
    "SET idle_in_transaction_session_timeout = '60s'",
];

/// Writes of this process after which the planner's statistics are made anew: at each power of two between these. A first
/// import fills tables faster than autovacuum looks, and plans made for empty tables would read everything.
const LEARN: std::ops::RangeInclusive<u64> = 8..=65_536;

/// Connections that hold turns. Apart from the others, which whoever has a turn still needs; a turn beyond these waits for one.
const TURNS: u32 = 4;

/// A pool of connections, a few that hold turns, and one more that listens.
pub(super) struct Pooled {
    pool: PgPool,
    turns: PgPool,
    writes: AtomicU64,
    listener: JoinHandle<()>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Pooled {
    pub(super) async fn open(config: &DatabaseConfig, changed: watch::Sender<Changed>) -> R<Self> {
        let options = options_of(&config.url)?;
        let mut owner = match &config.owner {
            Some(url) => PgConnection::connect_with(&options_of(url)?).await?,
            None => PgConnection::connect_with(&options).await?,
        };
        migrations::run_postgres(&mut owner).await?;
        if config.owner.is_some() {
            set_apart(&mut owner, &options).await?;
        }
        owner.close().await?;
        let pool = pool_of(config.connections.max(2))
            .acquire_timeout(Duration::from_secs(10))
            .max_lifetime(Duration::from_secs(1800))
            // A broken connection is found at its first statement, before anything was done; see `begin`.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        let turns = pool_of(TURNS)
            .acquire_timeout(Duration::from_secs(20))
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(options.clone());
        let listener = tokio::spawn(listen(options, changed));
        Ok(Self {
            pool,
            turns,
            writes: AtomicU64::new(0),
            listener,
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
        })
    }

    pub(super) async fn close(&self) {
        self.listener.abort();
        self.pool.close().await;
        self.turns.close().await;
    }

    /// A lock of the server, of this name, that ends with its connection. A task of its own holds it, so that it is let go of
    /// whatever becomes of the caller.
    pub(super) async fn turn(&self, name: String) -> R<Turn> {
        let turns = self.turns.clone();
        let (taken, took) = oneshot::channel();
        let (turn, over) = oneshot::channel();
        tokio::spawn(async move {
            match lock(&turns, &name).await {
                Ok(connection) => {
                    let _ = taken.send(Ok(()));
                    let _ = over.await;
                    unlock(connection, &name).await;
                }
                Err(error) => drop(taken.send(Err(error))),
            }
        });
        took.await.unwrap_or_else(|_| Err(DbError::unavailable("the program is stopping")))?;
        Ok(Turn { _over: Some(turn) })
    }

    pub(super) async fn write<T, F>(&self, access: Access, work: F) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let (pool, clock, random) = (self.pool.clone(), Arc::clone(&self.clock), Arc::clone(&self.random));
        // A caller that goes away must not give a connection back inside an open transaction (sqlx issue 4385).
        let writing = tokio::spawn(async move {
            let mut tx = begin(&pool, access, "BEGIN", clock, random).await?;
            let result = panicked(AssertUnwindSafe(perform(&mut tx, work)).catch_unwind().await);
            match result {
                Ok(value) => {
                    if tx.wakes != Wakes::default() {
                        let about = if tx.wakes.configuration { CONFIGURATION } else { WORK };
                        if let Err(error) =
                            tx.query("SELECT pg_notify($1, $2)::text", &[TOPIC.into(), about.into()]).await
                        {
                            end(tx).await;
                            return Err(error);
                        }
                    }
                    commit(tx).await.map(|()| value)
                }
                Err(error) => {
                    end(tx).await;
                    Err(error)
                }
            }
        });
        let written = writing.await.unwrap_or_else(|_| Err(DbError::commit_unknown("the program is stopping")));
        let count = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() && LEARN.contains(&count) {
            tokio::spawn(learn(self.pool.clone()));
        }
        written
    }

    pub(super) async fn read<T, F>(&self, access: Access, work: F) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let (pool, clock, random) = (self.pool.clone(), Arc::clone(&self.clock), Arc::clone(&self.random));
        let (read, done) = oneshot::channel();
        tokio::spawn(async move {
            let begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            match begin(&pool, access, begin_reading, clock, random).await {
                Ok(mut tx) => {
                    // Whoever asked need not wait until the connection is given back; it may have gone away as well.
                    let _ = read.send(panicked(AssertUnwindSafe(work(&mut tx)).catch_unwind().await));
                    end(tx).await;
                }
                Err(error) => drop(read.send(Err(error))),
            }
        });
        done.await.unwrap_or_else(|_| Err(DbError::unavailable("the program is stopping")))
    }
}

/// So many connections, each set up as [`SESSION`] says.
fn pool_of(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).after_connect(|connection, _| {
        Box::pin(async move {
            for statement in SESSION {
                sqlx::query(statement).execute(&mut *connection).await?;
            }
            Ok(())
        })
    })
}

async fn lock(turns: &PgPool, name: &str) -> R<PoolConnection<Postgres>> {
    let mut connection = turns.acquire().await?;
    let locked = sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 8))::text").bind(name);
    match locked.execute(&mut *connection).await {
        Ok(_) => Ok(connection),
        Err(error) => {
            // It may have it all the same; closed, it has it no more.
            drop(connection.detach());
            Err(error.into())
        }
    }
}

async fn unlock(mut connection: PoolConnection<Postgres>, name: &str) {
    let unlocked = sqlx::query_scalar("SELECT pg_advisory_unlock(hashtextextended($1, 8))").bind(name);
    if !matches!(unlocked.fetch_one(&mut *connection).await, Ok(true)) {
        drop(connection.detach());
    }
}

fn options_of(url: &str) -> R<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(DbError::from)?;
    Ok(options.application_name("millrace").statement_cache_capacity(400).disable_statement_logging())
}

/// Lets the login that works with the tables take the role that owns nothing, and nothing else: it must not have the owner's rights
/// itself (reliability.md §16, controls 7 and 26).
async fn set_apart(owner: &mut PgConnection, login: &PgConnectOptions) -> R<()> {
    let (owns,): (String,) = sqlx::query_as("SELECT session_user::text").fetch_one(&mut *owner).await?;
    let mut works = PgConnection::connect_with(login).await?;
    let (name, may_all): (String, bool) =
        sqlx::query_as("SELECT session_user::text, pg_has_role(session_user, $1::name, 'MEMBER')")
            .bind(&owns)
            .fetch_one(&mut works)
            .await?;
    works.close().await?;
    if may_all {
        return Err(DbError::Refused(format!(
            "the login {name} has the rights of {owns}, who owns the tables: where MILLRACE_DATABASE_OWNER is given, \
             MILLRACE_DATABASE is the address of a login that has not"
        )));
    }
    let (member, grant): (bool, String) = sqlx::query_as(
        "SELECT pg_has_role($1::name, 'millrace_app', 'MEMBER'), format('GRANT millrace_app TO %I', $1)",
    )
    .bind(&name)
    .fetch_one(&mut *owner)
    .await?;
    if !member {
        // Safe: the name is quoted by the server.
        sqlx::query(AssertSqlSafe(grant)).execute(&mut *owner).await?;
    }
    Ok(())
}

/// Nobody waits for this: without it everything works, only slower until autovacuum comes by.
async fn learn(pool: PgPool) {
    if let Err(error) = sqlx::query("SELECT learn_statistics()").execute(&pool).await {
        tracing::debug!("statistics were not made: {error}");
    }
}

/// An open transaction, with whose rows it may see, and the server's time; in one round trip, since every request pays it. A
/// connection that turns out to be broken is thrown away and the next one tried: nothing was done on it.
async fn begin(
    pool: &PgPool,
    access: Access,
    statement: &'static str,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> R<Tx> {
    let (tenant, merchants) = access.setting();
    let opening = format!(
        "{statement}; SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
         FROM (SELECT set_config('millrace.tenant', {}, true), set_config('millrace.merchant', {}, true)) AS settings",
        literal(tenant)?,
        literal(&merchants)?,
    );
    let mut tries = pool.options().get_max_connections();
    let (connection, now) = loop {
        let mut connection = pool.acquire().await?;
        match opened(&mut connection, &opening).await {
            Ok(now) => break (connection, now),
            Err(DbError::Unavailable { .. }) if tries > 0 => {
                tries -= 1;
                // Closing politely is for connections that work.
                drop(connection.detach());
            }
            Err(error) => {
                drop(connection.detach());
                return Err(error);
            }
        }
    };
    let mut tx = Tx::new(Connection::Postgres(connection), clock, random);
    tx.access = access;
    tx.now = now;
    Ok(tx)
}

/// Several statements at once take no bound values, so whose rows are seen stands in the text itself: nothing but the letters
/// of ids (and `*`, and the comma between them) gets there.
fn literal(setting: &str) -> R<String> {
    if setting.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b',' | b'*')) {
        Ok(format!("'{setting}'"))
    } else {
        Err(DbError::Refused(format!("{setting:?} is no id of a tenant or merchant")))
    }
}

async fn opened(connection: &mut PgConnection, opening: &str) -> R<jiff::Timestamp> {
    // To the end: the connection must not be left within an answer.
    let answers = sqlx::raw_sql(AssertSqlSafe(opening)).fetch_all(connection).await?;
    let now: i64 = match &answers[..] {
        [answer] => answer.try_get(0)?,
        _ => return Err(DbError::unavailable("the database did not say what time it is")),
    };
    jiff::Timestamp::from_millisecond(now).map_err(DbError::corrupt)
}

async fn commit(mut tx: Tx) -> R<()> {
    let Connection::Postgres(connection) = &mut tx.connection else {
        return Err(DbError::Refused("this connection is not PostgreSQL".to_owned()));
    };
    match sqlx::query("COMMIT").execute(&mut **connection).await {
        Ok(_) => Ok(()),
        // The server answered: it did not commit.
        Err(sqlx::Error::Database(error)) => {
            end(tx).await;
            Err(DbError::from(sqlx::Error::Database(error)))
        }
        Err(error) => {
            end(tx).await;
            Err(DbError::commit_unknown(error.to_string()))
        }
    }
}

/// Rolls back; a connection that cannot is thrown away.
async fn end(tx: Tx) {
    if let Connection::Postgres(mut connection) = tx.connection
        && plain_postgres(&mut connection, "ROLLBACK").await.is_err()
    {
        drop(connection.detach());
    }
}

/// Passes on what other nodes announce, for as long as the database is open.
async fn listen(options: PgConnectOptions, changed: watch::Sender<Changed>) {
    loop {
        match PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await {
            Ok(pool) => {
                if let Err(error) = pass_on(&pool, &changed).await {
                    tracing::debug!("listening stopped, polling goes on: {error}");
                }
            }
            Err(error) => tracing::debug!("listening failed, polling goes on: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn pass_on(pool: &PgPool, changed: &watch::Sender<Changed>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(TOPIC).await?;
    // Whatever was announced while nobody listened.
    let everything = Wakes { work: true, configuration: true };
    everything.announce(changed);
    loop {
        // `None` is a connection that was lost and made again.
        let wakes = listener.try_recv().await?.map_or(everything, |notification| Wakes {
            work: true,
            configuration: notification.payload() == CONFIGURATION,
        });
        wakes.announce(changed);
    }
}
