//! What became of each run of a channel, and who asked for it.

use std::collections::BTreeMap;

use connect::ulid;
use jiff::{SignedDuration, Timestamp};

use super::{
    ChannelKind, ConnectionKey, Database, DbError, R,
    effects::key_values,
    queries,
    sql::{Row, Tx, Value, json},
    views::Page,
};

/// Runs are kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Most old runs that one new run takes away: the oldest hundred are looked at, whatever there is.
const TAKEN_AWAY: i64 = 100;

/// What was counted, by name.
pub type Counts = BTreeMap<String, u64>;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// In words.
    pub words: String,
    /// In numbers.
    pub counts: Counts,
}

/// Why a run was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunCause {
    /// The channel's own pace.
    Pace,
    /// A rule of its schedule.
    Schedule,
    /// Something happened: a call came in, or an order was to be read again.
    Event,
    /// This person asked, as the audit trail names it.
    Person(String),
}

impl RunCause {
    /// The name used in the database and the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pace => "pace",
            Self::Schedule => "schedule",
            Self::Event => "event",
            Self::Person(_) => "person",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It did what it was for.
    Done,
    /// It failed of something; the words say of what.
    Failed,
    /// The program ended in the middle of it. What it had written stays.
    CutOff,
}

impl RunEnd {
    const ALL: [Self; 3] = [Self::Done, Self::Failed, Self::CutOff];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::CutOff => "cut_off",
        }
    }
}

/// One run of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRun {
    /// `chr_…`
    pub id: String,
    /// Why it was begun.
    pub cause: RunCause,
    /// When.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<RunEnd>,
    /// What it did, or what it failed of.
    pub words: String,
    /// What it counted, so far or in the end.
    pub counts: Counts,
    /// How much of what there is to do it has done.
    pub done: u64,
    /// How much there is to do, once known.
    pub total: Option<u64>,
}

const COLUMNS: &str = "id, cause, asked_by, started_at, ended_at, outcome, told, counts, done, total";

fn run_row(row: &Row) -> R<ChannelRun> {
    let cause = match row.text(1)? {
        "pace" => RunCause::Pace,
        "schedule" => RunCause::Schedule,
        "event" => RunCause::Event,
        "person" => RunCause::Person(row.opt_string(2)?.unwrap_or_default()),
        other => return Err(DbError::Corrupt(format!("{other:?} is no cause of a run"))),
    };
    let end = row.opt_text(5)?.map(|name| {
        let end = RunEnd::ALL.into_iter().find(|end| end.as_str() == name);
        end.ok_or_else(|| DbError::Corrupt(format!("{name:?} is no end of a run")))
    });
    Ok(ChannelRun {
        id: row.string(0)?,
        cause,
        started_at: row.time(3)?,
        ended_at: row.opt_time(4)?,
        end: end.transpose()?,
        words: row.string(6)?,
        counts: row.json(7)?,
        done: u64::try_from(row.int(8)?).map_err(DbError::corrupt)?,
        total: row.opt_int(9)?.map(|total| u64::try_from(total).map_err(DbError::corrupt)).transpose()?,
    })
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn run_values(key: &ConnectionKey, kind: ChannelKind) -> [Value; 4] {
    let [tenant, merchant, connection] = key_values(key);
    [tenant, merchant, connection, kind.as_str().into()]
}

/// Writes a run down that begins now; its id. One that never ended was cut off.
pub(super) async fn begin(tx: &mut Tx, key: &ConnectionKey, kind: ChannelKind) -> R<String> {
    let channel = tx
        .first(
            "SELECT wanted_at, wanted_by, rules FROM channel
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4",
            &run_values(key, kind),
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("channel {} of connection {}", kind.as_str(), key.connection)))?;
    let person = channel.opt_string(1)?;
    let cause = match (channel.opt_time(0)?, person, channel.opt_text(2)?) {
        (Some(_), Some(person), _) => RunCause::Person(person),
        (Some(_), None, _) => RunCause::Event,
        (None, _, Some(_)) => RunCause::Schedule,
        (None, _, None) => RunCause::Pace,
    };
    let [tenant, merchant, connection, channel] = run_values(key, kind);
    let now = tx.now;
    tx.execute(
        "UPDATE channel_run SET ended_at = $5, outcome = 'cut_off', told = 'the program ended in the middle of it'
         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND ended_at IS NULL",
        &[tenant.clone(), merchant.clone(), connection.clone(), channel.clone(), now.into()],
    )
    .await?;
    tx.execute(
        "DELETE FROM channel_run
         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND started_at < $5 AND id IN (
             SELECT r.id FROM channel_run AS r
             WHERE r.tenant = $1 AND r.merchant = $2 AND r.connection = $3 AND r.kind = $4 ORDER BY r.id LIMIT $6)",
        &[
            tenant.clone(),
            merchant.clone(),
            connection.clone(),
            channel.clone(),
            now.checked_sub(KEPT).unwrap_or(Timestamp::MIN).into(),
            TAKEN_AWAY.into(),
        ],
    )
    .await?;
    let (name, person) = match &cause {
        RunCause::Person(person) => {
            tx.event("channel", format!("{}/{}", key.connection, kind.as_str()), "started");
            (cause.as_str(), Some(person.clone()))
        }
        _ => (cause.as_str(), None),
    };
    let id = format!("chr_{}", ulid(now, &*tx.random));
    tx.execute(
        "INSERT INTO channel_run (tenant, merchant, connection, kind, id, cause, asked_by, started_at, told, counts, done)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '{}', 0)",
        &[tenant, merchant, connection, channel, (&id).into(), name.into(), person.into(), now.into()],
    )
    .await?;
    Ok(id)
}

/// Writes down how a run ended, unless another node that has taken the channel over has closed it as cut off.
pub(super) async fn end(
    tx: &mut Tx,
    key: &ConnectionKey,
    kind: ChannelKind,
    run: &str,
    outcome: &Result<Ran, String>,
) -> R<()> {
    let [tenant, merchant, connection, channel] = run_values(key, kind);
    let now = tx.now;
    match outcome {
        Ok(ran) => {
            tx.execute(
                "UPDATE channel_run SET ended_at = $6, outcome = 'done', told = $7, counts = $8,
                     done = COALESCE(total, done)
                 WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND id = $5 AND ended_at IS NULL",
                &[
                    tenant,
                    merchant,
                    connection,
                    channel,
                    run.into(),
                    now.into(),
                    (&ran.words).into(),
                    json(&ran.counts)?.into(),
                ],
            )
            .await?;
        }
        Err(problem) => {
            tx.execute(
                "UPDATE channel_run SET ended_at = $6, outcome = 'failed', told = $7
                 WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND id = $5 AND ended_at IS NULL",
                &[tenant, merchant, connection, channel, run.into(), now.into(), problem.into()],
            )
            .await?;
        }
    }
    Ok(())
}

impl Database {
    /// Keeps how far a run that is under way has come.
    pub async fn advance_run(
        &self,
        key: &ConnectionKey,
        kind: ChannelKind,
        run: &str,
        (done, total): (u64, Option<u64>),
        counts: Counts,
    ) -> R<()> {
        let (key, run) = (key.clone(), run.to_owned());
        self.write(&key.clone(), "advance_run", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection, channel] = run_values(&key, kind);
                tx.execute(
                    "UPDATE channel_run SET done = $6, total = $7, counts = $8
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND id = $5
                         AND ended_at IS NULL",
                    &[
                        tenant,
                        merchant,
                        connection,
                        channel,
                        run.into(),
                        number(done).into(),
                        total.map(number).into(),
                        json(&counts)?.into(),
                    ],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The runs of a channel, newest first.
    pub async fn channel_runs(
        &self,
        key: &ConnectionKey,
        kind: ChannelKind,
        after: Option<String>,
        limit: u32,
    ) -> R<Page<ChannelRun>> {
        let key = key.clone();
        self.read(&key.clone(), "channel_runs", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection, channel] = run_values(&key, kind);
                let after = after.unwrap_or_default();
                let most = i64::from(limit.clamp(1, 500) + 1);
                let sql = format!(
                    "SELECT {COLUMNS} FROM channel_run
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND ($5 = '' OR id < $5)
                     ORDER BY id DESC LIMIT $6"
                );
                let values = [tenant, merchant, connection, channel, after.into(), most.into()];
                let items = tx.query_built(sql, &values).await?.iter().map(run_row).collect::<R<Vec<_>>>()?;
                Ok(queries::page(items, limit, |run| run.id.clone()))
            })
        })
        .await
    }
}
