//! Pre-flights: asked for, worked on by one node at a time, kept.

use std::time::Duration;

use connect::ulid;
use engine::{effect::later, preflight::Tally};
use jiff::{SignedDuration, Timestamp};

use super::{
    Access, ConnectionKey, Database, DbError, Page, R, Scope, audit,
    effects::key_values,
    payload::{pack_json, unpack_json},
    queries,
    sql::{Row, Tx, Value},
};

/// Ended runs kept of a connection.
const KEPT: i64 = 100;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreflightEnd {
    /// Everything was looked at.
    Finished,
    /// It cannot be carried out; the problem says why.
    Failed,
    /// A person ended it.
    Cancelled,
}

impl PreflightEnd {
    const ALL: [Self; 3] = [Self::Finished, Self::Failed, Self::Cancelled];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A run as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreflightRow {
    /// Whose, and which connection's.
    pub key: ConnectionKey,
    /// `pre_…`
    pub id: String,
    /// How far it looks back.
    pub days: u32,
    /// Orders created at the source since then.
    pub since: Timestamp,
    /// When it was asked for.
    pub wanted_at: Timestamp,
    /// By whom.
    pub wanted_by: String,
    /// The revision of the configuration it plans with.
    pub revision: Option<i64>,
    /// When work on it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<PreflightEnd>,
    /// What it failed of, or what it waits for.
    pub problem: Option<String>,
    /// Orders to look at, once known.
    pub total: Option<i64>,
    /// The last order that was looked at, by the source's id; they are taken in this order.
    pub place: i64,
    /// What was counted so far.
    pub tally: Tally,
    /// The node that works on it.
    pub owner: Option<String>,
    /// Until when that node has it; without a node, when the next may go on with it.
    pub leased_until: Timestamp,
}

/// What came of asking for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewPreflight {
    /// It will be carried out.
    Made(String),
    /// One of this connection has not ended yet.
    Running(String),
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreflightWork {
    /// The revision of the configuration it plans with.
    pub revision: i64,
    /// Orders to look at.
    pub total: i64,
    /// The last order that was looked at.
    pub place: i64,
    /// What was counted so far.
    pub tally: Tally,
}

const COLUMNS: &str = "p.tenant, p.merchant, p.connection, p.id, p.days, p.since, p.wanted_at, p.wanted_by, p.revision,
    p.started_at, p.ended_at, p.outcome, p.problem, p.total, p.place, p.tally, p.owner, p.lease_until";

fn preflight_row(row: &Row) -> R<PreflightRow> {
    let end = row.opt_text(11)?.map(|name| {
        let end = PreflightEnd::ALL.into_iter().find(|end| end.as_str() == name);
        end.ok_or_else(|| DbError::Corrupt(format!("{name:?} is no end of a pre-flight")))
    });
    Ok(PreflightRow {
        key: ConnectionKey {
            scope: Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? },
            connection: row.parsed(2)?,
        },
        id: row.string(3)?,
        days: row.u32(4)?,
        since: row.time(5)?,
        wanted_at: row.time(6)?,
        wanted_by: row.string(7)?,
        revision: row.opt_int(8)?,
        started_at: row.opt_time(9)?,
        ended_at: row.opt_time(10)?,
        end: end.transpose()?,
        problem: row.opt_string(12)?,
        total: row.opt_int(13)?,
        place: row.int(14)?,
        tally: row.opt_blob(15)?.map(unpack_json).transpose()?.unwrap_or_default(),
        owner: row.opt_string(16)?,
        leased_until: row.time(17)?,
    })
}

fn run_values(key: &ConnectionKey, id: &str) -> [Value; 4] {
    let [tenant, merchant, connection] = key_values(key);
    [tenant, merchant, connection, id.into()]
}

impl Database {
    /// Asks for a run over the orders of so many days. The oldest ended runs of the connection give way.
    pub async fn new_preflight(&self, key: &ConnectionKey, days: u32, by: &str) -> R<NewPreflight> {
        let (key, by) = (key.clone(), by.to_owned());
        self.write(&key.clone(), "new_preflight", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let id = format!("pre_{}", ulid(tx.now, &*tx.random));
                let (now, back) = (tx.now, SignedDuration::from_hours(i64::from(days) * 24));
                let made = tx
                    .execute(
                        "INSERT INTO preflight (tenant, merchant, connection, id, days, since, wanted_at, wanted_by, place,
                             lease_until)
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)
                         ON CONFLICT (tenant, merchant, connection) WHERE ended_at IS NULL DO NOTHING",
                        &[
                            tenant.clone(),
                            merchant.clone(),
                            connection.clone(),
                            (&id).into(),
                            days.into(),
                            now.checked_sub(back).unwrap_or(Timestamp::MIN).into(),
                            now.into(),
                            (&by).into(),
                        ],
                    )
                    .await?;
                if made == 0 {
                    let row = tx
                        .first(
                            "SELECT id FROM preflight
                             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND ended_at IS NULL",
                            &[tenant, merchant, connection],
                        )
                        .await?;
                    let running = row.ok_or_else(|| DbError::Fenced("the pre-flight that ran".to_owned()))?;
                    return Ok(NewPreflight::Running(running.string(0)?));
                }
                tx.execute(
                    "DELETE FROM preflight
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND ended_at IS NOT NULL AND id NOT IN (
                         SELECT id FROM preflight WHERE tenant = $1 AND merchant = $2 AND connection = $3
                         ORDER BY id DESC LIMIT $4)",
                    &[tenant, merchant, connection, KEPT.into()],
                )
                .await?;
                let detail = format!("{{\"days\":{days}}}");
                audit::append(tx, key.scope.tenant.as_str(), &by, "preflight.start", &id, &detail).await?;
                tx.event("preflight", id.as_str(), "wanted");
                Ok(NewPreflight::Made(id))
            })
        })
        .await
    }

    /// The runs of a connection, newest first.
    pub async fn preflights(&self, key: &ConnectionKey, after: Option<String>, limit: u32) -> R<Page<PreflightRow>> {
        let key = key.clone();
        self.read(&key.clone(), "preflights", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let after = after.unwrap_or_default();
                let most = i64::from(limit.clamp(1, 500) + 1);
                let sql = format!(
                    "SELECT {COLUMNS} FROM preflight AS p
                     WHERE p.tenant = $1 AND p.merchant = $2 AND p.connection = $3 AND ($4 = '' OR p.id < $4)
                     ORDER BY p.id DESC LIMIT $5"
                );
                let rows = tx.query_built(sql, &[tenant, merchant, connection, after.into(), most.into()]).await?;
                let items = rows.iter().map(preflight_row).collect::<R<Vec<_>>>()?;
                Ok(queries::page(items, limit, |run| run.id.clone()))
            })
        })
        .await
    }

    /// One run of a connection.
    pub async fn preflight(&self, key: &ConnectionKey, id: &str) -> R<PreflightRow> {
        let (key, id) = (key.clone(), id.to_owned());
        self.read(&key.clone(), "preflight", move |tx| Box::pin(async move { load(tx, &key, &id).await })).await
    }

    /// The newest run that looked at everything before this one was asked for.
    pub async fn preflight_before(&self, run: &PreflightRow) -> R<Option<PreflightRow>> {
        let (key, id) = (run.key.clone(), run.id.clone());
        self.read(&key.clone(), "preflight_before", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM preflight AS p
                     WHERE p.tenant = $1 AND p.merchant = $2 AND p.connection = $3 AND p.id < $4
                         AND p.outcome = 'finished'
                     ORDER BY p.id DESC LIMIT 1"
                );
                let rows = tx.query_built(sql, &run_values(&key, &id)).await?;
                rows.first().map(preflight_row).transpose()
            })
        })
        .await
    }

    /// The runs of a tenant that nobody works on and that may go on now.
    pub async fn due_preflights(&self, access: &Access) -> R<Vec<PreflightRow>> {
        let access = access.clone();
        self.read(access.clone(), "due_preflights", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                let (tenant, merchant) = access.setting();
                let sql = format!(
                    "SELECT {COLUMNS} FROM preflight AS p
                     WHERE p.tenant = $1 AND ($2 = '*' OR replace($2, p.merchant, '') <> $2)
                         AND p.ended_at IS NULL AND p.lease_until <= $3
                     ORDER BY p.id"
                );
                let rows = tx.query_built(sql, &[tenant.into(), merchant.into(), now.into()]).await?;
                rows.iter().map(preflight_row).collect()
            })
        })
        .await
    }

    /// Takes a run for as long as `lease`, or keeps it. `None` once it has ended or another node has it.
    pub async fn hold_preflight(
        &self,
        key: &ConnectionKey,
        id: &str,
        owner: &str,
        lease: Duration,
    ) -> R<Option<PreflightRow>> {
        let (key, id, owner) = (key.clone(), id.to_owned(), owner.to_owned());
        self.write(&key.clone(), "hold_preflight", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                let [tenant, merchant, connection, run] = run_values(&key, &id);
                let held = tx
                    .execute(
                        "UPDATE preflight SET owner = $5, lease_until = $6, started_at = COALESCE(started_at, $7)
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND ended_at IS NULL
                             AND (owner = $5 OR lease_until <= $7)",
                        &[tenant, merchant, connection, run, owner.into(), later(now, lease).into(), now.into()],
                    )
                    .await?;
                if held == 0 { Ok(None) } else { load(tx, &key, &id).await.map(Some) }
            })
        })
        .await
    }

    /// Keeps how far a run has come. `false` once it has ended or another node has it: then nothing is kept.
    pub async fn advance_preflight(&self, key: &ConnectionKey, id: &str, owner: &str, work: PreflightWork) -> R<bool> {
        let (key, id, owner) = (key.clone(), id.to_owned(), owner.to_owned());
        self.write(&key.clone(), "advance_preflight", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection, run] = run_values(&key, &id);
                let kept = tx
                    .execute(
                        "UPDATE preflight SET revision = $6, total = $7, place = $8, tally = $9, problem = NULL
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND owner = $5
                             AND ended_at IS NULL",
                        &[
                            tenant,
                            merchant,
                            connection,
                            run,
                            owner.into(),
                            work.revision.into(),
                            work.total.into(),
                            work.place.into(),
                            pack_json(&work.tally)?.into(),
                        ],
                    )
                    .await?;
                if kept > 0 {
                    tx.event("preflight", id, "progress");
                }
                Ok(kept > 0)
            })
        })
        .await
    }

    /// Lets a run go: the next node goes on with it after `wait`. `problem` says why it waits.
    pub async fn defer_preflight(
        &self,
        key: &ConnectionKey,
        id: &str,
        owner: &str,
        wait: Duration,
        problem: Option<&str>,
    ) -> R<()> {
        let (key, id, owner, problem) = (key.clone(), id.to_owned(), owner.to_owned(), problem.map(str::to_owned));
        self.write(&key.clone(), "defer_preflight", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                let [tenant, merchant, connection, run] = run_values(&key, &id);
                tx.execute(
                    "UPDATE preflight SET owner = NULL, lease_until = $6, problem = $7
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND owner = $5
                         AND ended_at IS NULL",
                    &[tenant, merchant, connection, run, owner.into(), later(now, wait).into(), problem.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Ends a run by the node that works on it.
    pub async fn end_preflight(
        &self,
        key: &ConnectionKey,
        id: &str,
        owner: &str,
        end: PreflightEnd,
        problem: Option<&str>,
    ) -> R<()> {
        let (key, id, owner, problem) = (key.clone(), id.to_owned(), owner.to_owned(), problem.map(str::to_owned));
        self.write(&key.clone(), "end_preflight", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let [tenant, merchant, connection, run] = run_values(&key, &id);
                let ended = tx
                    .execute(
                        "UPDATE preflight SET ended_at = $6, outcome = $7, problem = $8, owner = NULL
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND owner = $5
                             AND ended_at IS NULL",
                        &[
                            tenant,
                            merchant,
                            connection,
                            run,
                            owner.into(),
                            now.into(),
                            end.as_str().into(),
                            problem.into(),
                        ],
                    )
                    .await?;
                if ended > 0 {
                    tx.event("preflight", id, end.as_str());
                }
                Ok(())
            })
        })
        .await
    }

    /// Ends a run by a person's word, whoever works on it.
    pub async fn cancel_preflight(&self, key: &ConnectionKey, id: &str, by: &str) -> R<PreflightRow> {
        let (key, id, by) = (key.clone(), id.to_owned(), by.to_owned());
        self.write(&key.clone(), "cancel_preflight", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let [tenant, merchant, connection, run] = run_values(&key, &id);
                let ended = tx
                    .execute(
                        "UPDATE preflight SET ended_at = $5, outcome = 'cancelled', owner = NULL
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND ended_at IS NULL",
                        &[tenant, merchant, connection, run, now.into()],
                    )
                    .await?;
                let row = load(tx, &key, &id).await?;
                if ended > 0 {
                    audit::append(tx, key.scope.tenant.as_str(), &by, "preflight.cancel", &id, "{}").await?;
                    tx.event("preflight", id, PreflightEnd::Cancelled.as_str());
                }
                Ok(row)
            })
        })
        .await
    }
}

async fn load(tx: &mut Tx, key: &ConnectionKey, id: &str) -> R<PreflightRow> {
    let sql = format!(
        "SELECT {COLUMNS} FROM preflight AS p
         WHERE p.tenant = $1 AND p.merchant = $2 AND p.connection = $3 AND p.id = $4"
    );
    let rows = tx.query_built(sql, &run_values(key, id)).await?;
    rows.first().map(preflight_row).transpose()?.ok_or_else(|| DbError::NotFound(format!("pre-flight {id:?}")))
}
