//! The flows of a connection: their switches, schedules and last runs; and who spends an account's call budget.

use std::time::Duration;

use engine::effect::later;
use jiff::Timestamp;

use super::{
    Access, Channel, ChannelKind, ConnectionKey, Database, DbError, R,
    effects::key_values,
    sql::{Row, Tx},
};

pub(super) const COLUMNS: &str =
    "kind, enabled, every_seconds, cursor, wanted_at, started_at, succeeded_at, problem, summary";

pub(super) fn channel_kind(name: &str) -> R<ChannelKind> {
    ChannelKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| DbError::Corrupt(format!("{name:?} is not a channel")))
}

fn channel(row: &Row) -> R<Channel> {
    Ok(Channel {
        kind: channel_kind(row.text(0)?)?,
        enabled: row.flag(1)?,
        every_seconds: row.u32(2)?,
        cursor: row.opt_string(3)?,
        wanted_at: row.opt_time(4)?,
        started_at: row.opt_time(5)?,
        succeeded_at: row.opt_time(6)?,
        problem: row.opt_string(7)?,
        summary: row.string(8)?,
    })
}

pub(super) async fn load(tx: &mut Tx, key: &ConnectionKey) -> R<Vec<Channel>> {
    let sql = format!("SELECT {COLUMNS} FROM channel WHERE tenant = $1 AND merchant = $2 AND connection = $3");
    let mut channels: Vec<Channel> =
        tx.query_built(sql, &key_values(key)).await?.iter().map(channel).collect::<R<_>>()?;
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

    /// A run begins.
    pub async fn start_run(&self, key: &ConnectionKey, kind: ChannelKind) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "start_run", move |tx| {
            Box::pin(async move {
                let sql = "UPDATE channel SET started_at = $5, wanted_at = NULL
                    WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                let now = tx.now;
                change(tx, &key, kind, sql, vec![now.into()]).await
            })
        })
        .await
    }

    /// A run ended: with what it did, or with what it failed of.
    pub async fn finish_run(&self, key: &ConnectionKey, kind: ChannelKind, outcome: Result<String, String>) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "finish_run", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let subject = format!("{}/{}", key.connection, kind.as_str());
                match outcome {
                    Ok(summary) => {
                        let sql = "UPDATE channel SET succeeded_at = $5, summary = $6, problem = NULL
                            WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                        change(tx, &key, kind, sql, vec![now.into(), summary.into()]).await?;
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

    /// Somebody wants a run now. A run that is under way does not count: what it was wanted for may have come after.
    pub async fn want_run(&self, key: &ConnectionKey, kind: ChannelKind) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "want_run", move |tx| {
            Box::pin(async move {
                let sql = "UPDATE channel SET wanted_at = $5
                    WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4";
                let now = tx.now;
                tx.wakes.work = true;
                change(tx, &key, kind, sql, vec![now.into()]).await
            })
        })
        .await
    }

    /// When each enabled channel is to run next; a time in the past means now.
    pub async fn due(&self, key: &ConnectionKey) -> R<Vec<(ChannelKind, Timestamp)>> {
        let channels = self.channels(key).await?;
        Ok(channels
            .into_iter()
            .filter(|channel| channel.enabled)
            .map(|channel| {
                let every = Duration::from_secs(u64::from(channel.every_seconds));
                let by_schedule = channel.started_at.map_or(Timestamp::UNIX_EPOCH, |started| later(started, every));
                (channel.kind, channel.wanted_at.map_or(by_schedule, |wanted| wanted.min(by_schedule)))
            })
            .collect())
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

    /// Gives the right back before its time is over.
    pub async fn release_account(&self, account: &str, owner: &str) -> R<()> {
        let (account, owner) = (account.to_owned(), owner.to_owned());
        self.write(Access::System, "release_account", move |tx| {
            Box::pin(async move {
                let sql = "DELETE FROM account_lease WHERE account = $1 AND owner = $2";
                tx.execute(sql, &[account.into(), owner.into()]).await?;
                Ok(())
            })
        })
        .await
    }
}
