//! The flows of a connection: their switches, schedules and last runs; and who spends an account's call budget.

use std::{collections::BTreeMap, time::Duration};

use engine::{effect::later, schedule::Rule};
use jiff::Timestamp;

use super::{
    Access, Channel, ChannelKind, ChannelSchedule, ConnectionKey, Database, DbError, R,
    channel_runs::{self, Ran},
    effects::key_values,
    sql::{Row, Tx, json},
};

/// Of the table `channel`, called `h`.
pub(super) const COLUMNS: &str =
    "h.kind, h.enabled, h.every_seconds, h.cursor, h.wanted_at, h.started_at, h.succeeded_at,
    h.problem, h.summary, h.zone, h.rules, h.scheduled_at";

pub(super) fn channel_kind(name: &str) -> R<ChannelKind> {
    ChannelKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| DbError::Corrupt(format!("{name:?} is not a channel")))
}

/// A channel from a row that has [`COLUMNS`] from this one on.
pub(super) fn channel(row: &Row, first: usize) -> R<Channel> {
    let rules: Vec<Rule> = row.opt_json(first + 10)?.unwrap_or_default();
    let schedule = match (row.opt_string(first + 9)?, row.opt_time(first + 11)?) {
        (Some(zone), Some(since)) if !rules.is_empty() => Some(ChannelSchedule { zone, rules, since }),
        _ => None,
    };
    Ok(Channel {
        kind: channel_kind(row.text(first)?)?,
        enabled: row.flag(first + 1)?,
        every_seconds: row.u32(first + 2)?,
        cursor: row.opt_string(first + 3)?,
        wanted_at: row.opt_time(first + 4)?,
        started_at: row.opt_time(first + 5)?,
        succeeded_at: row.opt_time(first + 6)?,
        problem: row.opt_string(first + 7)?,
        summary: row.string(first + 8)?,
        schedule,
    })
}

pub(super) async fn load(tx: &mut Tx, key: &ConnectionKey) -> R<Vec<Channel>> {
    let sql =
        format!("SELECT {COLUMNS} FROM channel AS h WHERE h.tenant = $1 AND h.merchant = $2 AND h.connection = $3");
    let mut channels: Vec<Channel> =
        tx.query_built(sql, &key_values(key)).await?.iter().map(|row| channel(row, 0)).collect::<R<_>>()?;
    channels.sort_by_key(|channel| channel.kind);
    Ok(channels)
}

/// Changes one channel with one statement whose first four placeholders say which.
async fn change(
    tx: &mut Tx,
    key: &ConnectionKey,
    kind: ChannelKind,
    sql: &'static str,
    more: Vec<super::sql::Value>,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let mut values = vec![tenant, merchant, connection, kind.as_str().into()];
    values.extend(more);
    if tx.execute(sql, &values).await? == 0 {
        return Err(DbError::NotFound(format!("channel {} of connection {}", kind.as_str(), key.connection)));
    }
    Ok(())
}

impl Database {
    /// The channels of a connection.
    pub async fn channels(&self, key: &ConnectionKey) -> R<Vec<Channel>> {
        let key = key.clone();
        self.read(&key.clone(), "channels", move |tx| Box::pin(async move { load(tx, &key).await })).await
    }

    /// Switches a channel and sets how often it runs.
    pub async fn set_channel(
        &self,
        key: &ConnectionKey,
        kind: ChannelKind,
        enabled: bool,
        every_seconds: u32,
    ) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "set_channel", move |tx| {
            Box::pin(async move {
                let sql = "UPDATE channel SET enabled = $5, every_seconds = $6
                    WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                change(tx, &key, kind, sql, vec![enabled.into(), every_seconds.max(1).into()]).await?;
                tx.event("channel", format!("{}/{}", key.connection, kind.as_str()), "changed");
                tx.wakes.configuration = true;
                Ok(())
            })
        })
        .await
    }

    /// Sets the rules of a channel; none: it keeps its own pace from now on.
    pub async fn set_schedule(&self, key: &ConnectionKey, kind: ChannelKind, zone: &str, rules: Vec<Rule>) -> R<()> {
        let (key, zone) = (key.clone(), zone.to_owned());
        self.write(&key.clone(), "set_schedule", move |tx| {
            Box::pin(async move {
                let sql = "UPDATE channel SET zone = $5, rules = $6, scheduled_at = $7
                    WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                let now = tx.now;
                let values = if rules.is_empty() {
                    vec![None::<String>.into(), None::<String>.into(), None::<i64>.into()]
                } else {
                    vec![zone.into(), json(&rules)?.into(), now.into()]
                };
                change(tx, &key, kind, sql, values).await?;
                tx.event("channel", format!("{}/{}", key.connection, kind.as_str()), "changed");
                tx.wakes.work = true;
                Ok(())
            })
        })
        .await
    }

    /// A run begins: who asked for it is written down with it. Its id.
    pub async fn start_run(&self, key: &ConnectionKey, kind: ChannelKind) -> R<String> {
        let key = key.clone();
        self.write(&key.clone(), "start_run", move |tx| {
            Box::pin(async move {
                let run = channel_runs::begin(tx, &key, kind).await?;
                let sql = "UPDATE channel SET started_at = $5, wanted_at = NULL, wanted_by = NULL
                    WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                let now = tx.now;
                change(tx, &key, kind, sql, vec![now.into()]).await?;
                Ok(run)
            })
        })
        .await
    }

    /// A run ended: with what it did, or with what it failed of.
    pub async fn finish_run(
        &self,
        key: &ConnectionKey,
        kind: ChannelKind,
        run: &str,
        outcome: Result<Ran, String>,
    ) -> R<()> {
        let (key, run) = (key.clone(), run.to_owned());
        self.write(&key.clone(), "finish_run", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let subject = format!("{}/{}", key.connection, kind.as_str());
                channel_runs::end(tx, &key, kind, &run, &outcome).await?;
                match outcome {
                    Ok(ran) => {
                        let sql = "UPDATE channel SET succeeded_at = $5, summary = $6, problem = NULL
                            WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                        change(tx, &key, kind, sql, vec![now.into(), ran.words.into()]).await?;
                        tx.event("channel", subject, "ran");
                    }
                    Err(problem) => {
                        let sql = "UPDATE channel SET problem = $5
                            WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                        change(tx, &key, kind, sql, vec![problem.into()]).await?;
                        tx.event("channel", subject, "failed");
                    }
                }
                Ok(())
            })
        })
        .await
    }

    /// A run is wanted now: by this person, or because something happened. A run that is under way does not count: what it was
    /// wanted for may have come after.
    pub async fn want_run(&self, key: &ConnectionKey, kind: ChannelKind, person: Option<&str>) -> R<()> {
        let (key, person) = (key.clone(), person.map(str::to_owned));
        self.write(&key.clone(), "want_run", move |tx| {
            Box::pin(async move {
                // A call that comes after does not hide that a person asked.
                let sql = "UPDATE channel SET wanted_at = $5, wanted_by = COALESCE(CAST($6 AS TEXT), wanted_by)
                    WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                let now = tx.now;
                tx.wakes.work = true;
                change(tx, &key, kind, sql, vec![now.into(), person.into()]).await
            })
        })
        .await
    }

    /// Takes or keeps the right to spend a remote account's call budget, for as long as `lease`. `false` while another node
    /// has it.
    pub async fn hold_account(&self, account: &str, owner: &str, lease: Duration) -> R<bool> {
        let (account, owner) = (account.to_owned(), owner.to_owned());
        self.write(Access::System, "hold_account", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                let held = tx
                    .execute(
                        "INSERT INTO account_lease (account, owner, lease_until) VALUES ($1, $2, $3)
                         ON CONFLICT (account) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
                         WHERE account_lease.owner = excluded.owner OR account_lease.lease_until <= $4",
                        &[account.into(), owner.into(), later(now, lease).into(), now.into()],
                    )
                    .await?;
                Ok(held > 0)
            })
        })
        .await
    }

    /// Which accounts are held just now, by which node, and until when.
    pub async fn account_holders(&self) -> R<BTreeMap<String, (String, Timestamp)>> {
        self.read(Access::System, "account_holders", |tx| {
            Box::pin(async move {
                let sql = "SELECT account, owner, lease_until FROM account_lease WHERE lease_until > $1";
                let now = tx.now;
                let rows = tx.query(sql, &[now.into()]).await?;
                rows.iter().map(|row| Ok((row.string(0)?, (row.string(1)?, row.time(2)?)))).collect()
            })
        })
        .await
    }

    /// Gives the right back before its time is over.
    pub async fn release_account(&self, account: &str, owner: &str) -> R<()> {
        let (account, owner) = (account.to_owned(), owner.to_owned());
        self.write(Access::System, "release_account", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                let sql =
                    "UPDATE account_lease SET lease_until = $3 WHERE account = $1 AND owner = $2 AND lease_until > $3";
                tx.execute(sql, &[account.into(), owner.into(), now.into()]).await?;
                Ok(())
            })
        })
        .await
    }
}
