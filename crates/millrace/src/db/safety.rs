//! Whether anything may be sent, why not, and the number of commitments: what tells a journal from an older copy of it
//! (docs/recovery.md).

use std::{fmt, str::FromStr, sync::Arc};

use engine::safety::{Home, Kept, Server, Verdict};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Access, Database, DbError, R, Work, audit,
    effects::is_frozen,
    records::INSTALLATION,
    sql::{Tx, json},
};

/// Who freezes by itself, in the audit trail.
const ITSELF: &str = "millrace";

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrozenKind {
    /// The database is older than what ran here last, or came out of a backup.
    Restored,
    /// It is a copy, or runs somewhere else.
    Cloned,
    /// Another database server answers.
    FailedOver,
    /// A person stopped it.
    Person,
}

impl FrozenKind {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Cloned => "cloned",
            Self::FailedOver => "failed_over",
            Self::Person => "person",
        }
    }

    /// Whether the journal may have forgotten something.
    pub fn lost(self) -> bool {
        self != Self::Person
    }
}

impl fmt::Display for FrozenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FrozenKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Restored, Self::Cloned, Self::FailedOver, Self::Person]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a reason to send nothing"))
    }
}

/// Why nothing is sent, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frozen {
    /// What happened.
    pub kind: FrozenKind,
    /// In words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The window that the journal has forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// What the database knew last was before this.
    pub since: Timestamp,
    /// The lost journal can have sent nothing after this.
    pub until: Timestamp,
    /// The windows that were lost before this one, each from and until when. What was made in one of them may still be there,
    /// and be unknown here.
    pub before: Vec<(Timestamp, Timestamp)>,
    /// When a person named the window.
    pub recovered_at: Timestamp,
    /// Who.
    pub recovered_by: String,
    /// When a person let sending go on; `None` while the recovery is open.
    pub released_at: Option<Timestamp>,
}

/// The state of sending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Safety {
    /// Why nothing is sent; `None`: sending is allowed.
    pub frozen: Option<Frozen>,
    /// The window that was lost last, if ever.
    pub lost: Option<Lost>,
    /// What the database says for comparing.
    pub kept: Kept,
    /// When a backup was taken last, as far as this program was told.
    pub backed_up_at: Option<Timestamp>,
    /// The moment of the backup that this database came out of.
    pub backup_at: Option<Timestamp>,
}

/// What a process keeps outside the database: told of every commitment once it is committed, before anything comes of it. A
/// commitment is an intent to send, an input that is about to be put away, or what a warehouse posted and is about to be
/// answered: what the world around the database relies on it to know.
pub trait Outside: Send + Sync {
    /// The most commitments that this process has seen committed.
    fn known(&self) -> i64;

    /// Writes it down durably.
    fn committed(&self, armed: i64) -> BoxFuture<'_, Result<(), String>>;
}

/// How this process guards against a journal that went back while it ran.
#[derive(Clone)]
pub struct Guard {
    /// Outside the database.
    pub outside: Arc<dyn Outside>,
    /// The operator declares that replicas have every commit before it is reported.
    pub synchronous: bool,
}

const COLUMNS: &str =
    "i.frozen, s.frozen_kind, s.frozen_reason, s.frozen_at, s.lost_since, s.lost_until, s.recovered_at,
    s.recovered_by, s.released_at, i.fingerprint, c.armed, s.home, s.backed_up_at, s.backup_at, s.lost_before";

pub(super) async fn load(tx: &mut Tx) -> R<Safety> {
    let sql = format!(
        "SELECT {COLUMNS} FROM installation AS i, safety AS s, journal_clock AS c WHERE i.one = 1 AND s.one = 1 AND c.one = 1"
    );
    let rows = tx.query_built(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| DbError::Corrupt("the installation's own row is missing".to_owned()))?;
    let frozen = if row.flag(0)? {
        Some(Frozen {
            kind: row.opt_parsed(1)?.unwrap_or(FrozenKind::Person),
            reason: row.opt_string(2)?.unwrap_or_else(|| "sending was stopped".to_owned()),
            // A backup is frozen from birth; what it has lost ends when it is first looked at.
            since: row.opt_time(3)?.unwrap_or(tx.now),
        })
    } else {
        None
    };
    let lost = match (row.opt_time(4)?, row.opt_time(5)?, row.opt_time(6)?) {
        (Some(since), Some(until), Some(recovered_at)) => Some(Lost {
            since,
            until,
            before: lost_before(row.text(14)?)?,
            recovered_at,
            recovered_by: row.opt_string(7)?.unwrap_or_default(),
            released_at: row.opt_time(8)?,
        }),
        _ => None,
    };
    Ok(Safety {
        frozen,
        lost,
        kept: Kept { installation: row.string(9)?, armed: row.int(10)?, home: row.opt_json(11)? },
        backed_up_at: row.opt_time(12)?,
        backup_at: row.opt_time(13)?,
    })
}

fn lost_before(kept: &str) -> R<Vec<(Timestamp, Timestamp)>> {
    let windows: Vec<(i64, i64)> =
        serde_json::from_str(kept).map_err(|error| DbError::Corrupt(format!("the windows lost before: {error}")))?;
    let time = |at| {
        Timestamp::from_millisecond(at).map_err(|error| DbError::Corrupt(format!("a window lost before: {error}")))
    };
    windows.into_iter().map(|(since, until)| Ok((time(since)?, time(until)?))).collect()
}

/// How many commitments there are with those of a transaction; or why the database is not the one it was.
pub(super) type Counted = Result<i64, (FrozenKind, String)>;

/// Counts commitments of this transaction. Once it is committed, and before anything comes of it: [`Database::witnessed`].
pub(super) async fn count(tx: &mut Tx, commitments: usize, guard: Option<&Guard>) -> R<Counted> {
    if let (Some(guard), true) = (guard, tx.is_postgres()) {
        let row = tx
            .first("SELECT s.home, i.system, i.timeline, i.database FROM safety AS s, server_identity() AS i", &[])
            .await?
            .ok_or_else(|| DbError::Corrupt("the installation's own row is missing".to_owned()))?;
        let home: Option<Home> = row.opt_json(0)?;
        let now = Server { system: row.string(1)?, timeline: row.string(2)?, database: row.string(3)? };
        if let Some(mut home) = home
            && let Some(before) = &home.server
        {
            match engine::safety::server(before, &now, guard.synchronous) {
                Verdict::Same => {}
                Verdict::Promoted => {
                    home.server = Some(now);
                    keep_home(tx, &home).await?;
                }
                other => {
                    if let Some(found) = alarm(other) {
                        return Ok(Err(found));
                    }
                }
            }
        }
    }
    let row = tx
        .first(
            "UPDATE journal_clock SET armed = armed + $1 WHERE one = 1 RETURNING armed",
            &[i64::try_from(commitments).unwrap_or(0).into()],
        )
        .await?
        .ok_or_else(|| DbError::Corrupt("the count of commitments is missing".to_owned()))?;
    let armed = row.int(0)?;
    let before = armed - i64::try_from(commitments).unwrap_or(0);
    let known = guard.map_or(0, |guard| guard.outside.known());
    if before < known {
        return Ok(Err((
            FrozenKind::Restored,
            format!(
                "the database counts {before} intents and inputs, and this process has seen {known}: it went back while the \
                 program ran"
            ),
        )));
    }
    Ok(Ok(armed))
}

/// What a verdict stops sending for.
pub fn alarm(verdict: Verdict) -> Option<(FrozenKind, String)> {
    match verdict {
        Verdict::Same | Verdict::Promoted => None,
        Verdict::Restored(why) => Some((FrozenKind::Restored, why)),
        Verdict::Cloned(why) => Some((FrozenKind::Cloned, why)),
        Verdict::FailedOver(why) => Some((FrozenKind::FailedOver, why)),
    }
}

async fn keep_home(tx: &mut Tx, home: &Home) -> R<()> {
    tx.execute("UPDATE safety SET home = $1 WHERE one = 1", &[json(home)?.into()]).await?;
    Ok(())
}

async fn freeze(tx: &mut Tx, kind: FrozenKind, reason: &str, actor: &str) -> R<bool> {
    let now = tx.now;
    let done = tx.execute("UPDATE installation SET frozen = 1 WHERE one = 1 AND frozen = 0", &[]).await?;
    // Whatever stopped it before does not hide that the journal was lost now.
    let took_over = tx
        .execute(
            "UPDATE safety SET frozen_kind = $1, frozen_reason = $2, frozen_at = $3
             WHERE one = 1 AND $4 = 1",
            &[kind.as_str().into(), reason.into(), now.into(), (done > 0 || kind.lost()).into()],
        )
        .await?;
    if took_over == 0 {
        return Ok(false);
    }
    if kind.lost() {
        // Whatever window was named before, this is another loss.
        if let Some(lost) = load(tx).await?.lost {
            let mut windows = lost.before;
            windows.push((lost.since, lost.until));
            let windows: Vec<(i64, i64)> =
                windows.iter().map(|(since, until)| (since.as_millisecond(), until.as_millisecond())).collect();
            tx.execute("UPDATE safety SET lost_before = $1 WHERE one = 1", &[json(&windows)?.into()]).await?;
        }
        tx.execute(
            "UPDATE safety SET lost_since = NULL, lost_until = NULL, recovered_at = NULL, recovered_by = NULL,
                 released_at = NULL, released_by = NULL WHERE one = 1",
            &[],
        )
        .await?;
    }
    let detail = serde_json::json!({ "kind": kind.as_str(), "reason": reason }).to_string();
    audit::append(tx, INSTALLATION, actor, "sending.freeze", "installation", &detail).await?;
    tx.event("safety", "installation", "frozen");
    tx.wakes.work = true;
    Ok(true)
}

impl Lost {
    /// Every window that was lost, the last one among them.
    pub fn windows(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.before.iter().copied().chain([(self.since, self.until)])
    }
}

impl Database {
    /// From now on every commitment is told to `guard` before anything comes of it.
    pub fn set_guard(&self, guard: Guard) {
        *self.inner.guard.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(guard);
    }

    pub(super) fn guard(&self) -> Option<Guard> {
        self.inner.guard.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Tells the guard of commitments that were counted and are committed now. `false`: the database is not the one it was, and
    /// sending is frozen from here on.
    ///
    /// # Errors
    /// When it cannot be kept outside: nothing must come of the commitments then.
    pub(super) async fn witnessed(&self, counted: Counted) -> R<bool> {
        match counted {
            Ok(count) => {
                if let Some(guard) = self.guard() {
                    guard.outside.committed(count).await.map_err(DbError::unavailable)?;
                }
                Ok(true)
            }
            Err((kind, reason)) => {
                self.freeze_itself(kind, &reason).await?;
                Ok(false)
            }
        }
    }

    /// Runs a transaction whose outcome somebody outside may rely upon once this returns: where it `is_relied_upon`, it is counted
    /// and witnessed as an intent is. What it wrote is kept whether or not the database turns out to be an older one.
    ///
    /// # Errors
    /// As [`Database::write`], and when it cannot be witnessed: it must not be answered for then, and may be done again.
    pub(super) async fn write_witnessed<T, F>(
        &self,
        access: impl Into<Access>,
        name: &'static str,
        is_relied_upon: fn(&T) -> bool,
        work: F,
    ) -> R<T>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> Work<'t, T> + Send + 'static,
    {
        let guard = self.guard();
        let (done, counted) = self
            .write(access, name, move |tx| {
                Box::pin(async move {
                    let done = work(tx).await?;
                    let counted = match is_relied_upon(&done) {
                        true => Some(count(tx, 1, guard.as_ref()).await?),
                        false => None,
                    };
                    Ok((done, counted))
                })
            })
            .await?;
        if let Some(counted) = counted {
            self.witnessed(counted).await?;
        }
        Ok(done)
    }

    /// Counts that an input which was read is about to be put away: a database that does not know of it any more is an older
    /// one, and the input must be read again from where it was put. `false`: nothing may be put away, sending is frozen.
    ///
    /// # Errors
    /// When the database fails or it cannot be witnessed: nothing may be put away then.
    pub async fn may_put_away(&self) -> R<bool> {
        let guard = self.guard();
        let counted = self
            .write(Access::System, "may_put_away", move |tx| {
                Box::pin(async move {
                    if is_frozen(tx).await? {
                        return Ok(None);
                    }
                    count(tx, 1, guard.as_ref()).await.map(Some)
                })
            })
            .await?;
        match counted {
            Some(counted) => self.witnessed(counted).await,
            None => Ok(false),
        }
    }

    /// The state of sending.
    pub async fn safety(&self) -> R<Safety> {
        self.read(Access::System, "safety", |tx| Box::pin(load(tx))).await
    }

    /// Which server and database this is; `None` where the database is a file.
    pub async fn server_identity(&self) -> R<Option<Server>> {
        if !self.is_postgres() {
            return Ok(None);
        }
        self.read(Access::System, "server_identity", |tx| {
            Box::pin(async move {
                let row = tx.first("SELECT system, timeline, database FROM server_identity()", &[]).await?;
                row.map(|row| Ok(Server { system: row.string(0)?, timeline: row.string(1)?, database: row.string(2)? }))
                    .transpose()
            })
        })
        .await
    }

    /// Whether the server has a synchronous replica configured; `None` where the database is a file.
    pub async fn replicates_synchronously(&self) -> R<Option<bool>> {
        if !self.is_postgres() {
            return Ok(None);
        }
        self.read(Access::System, "replicates_synchronously", |tx| {
            Box::pin(async move {
                let row = tx.first("SELECT current_setting('synchronous_standby_names')", &[]).await?;
                Ok(Some(row.map_or(Ok(String::new()), |row| row.string(0))?.trim() != ""))
            })
        })
        .await
    }

    /// Keeps where the installation runs, the count of commitments being at least `armed`, and, with an alarm, stops sending: in one
    /// transaction, so that a start that is cut off either knows everything or finds it again. Whether sending was stopped
    /// by this.
    pub async fn settle_home(&self, home: Home, armed: i64, alarm: Option<(FrozenKind, String)>) -> R<bool> {
        self.write(Access::System, "settle_home", move |tx| {
            Box::pin(async move {
                keep_home(tx, &home).await?;
                // An older copy goes on counting from where the lost journal was: it is noticed once, not for ever.
                tx.execute("UPDATE journal_clock SET armed = $1 WHERE one = 1 AND armed < $1", &[armed.into()]).await?;
                let now = tx.now;
                tx.execute(
                    "UPDATE safety SET frozen_at = $1 WHERE one = 1 AND frozen_kind IS NOT NULL AND frozen_at IS NULL",
                    &[now.into()],
                )
                .await?;
                match alarm {
                    Some((kind, reason)) => freeze(tx, kind, &reason, ITSELF).await,
                    None => Ok(false),
                }
            })
        })
        .await
    }

    /// Stops sending. `false`: it was stopped already.
    pub async fn freeze(&self, kind: FrozenKind, reason: &str, actor: &str) -> R<bool> {
        let (reason, actor) = (reason.to_owned(), actor.to_owned());
        self.write(Access::System, "freeze", move |tx| Box::pin(async move { freeze(tx, kind, &reason, &actor).await }))
            .await
    }

    /// Stops sending because the database went back or moved while this process ran.
    pub(super) async fn freeze_itself(&self, kind: FrozenKind, reason: &str) -> R<()> {
        let reason = reason.to_owned();
        let known = self.guard().map_or(0, |guard| guard.outside.known());
        let server = self.server_identity().await?;
        let stopped = self
            .write(Access::System, "freeze_itself", move |tx| {
                Box::pin(async move {
                    let mut home = load(tx).await?.kept.home.unwrap_or_default();
                    if server.is_some() {
                        home.server = server;
                    }
                    keep_home(tx, &home).await?;
                    tx.execute("UPDATE journal_clock SET armed = $1 WHERE one = 1 AND armed < $1", &[known.into()])
                        .await?;
                    let stopped = freeze(tx, kind, &reason, ITSELF).await?;
                    Ok(stopped.then_some(reason))
                })
            })
            .await?;
        if let Some(reason) = stopped {
            tracing::error!("SENDING IS FROZEN ({kind}): {reason}. See `millrace safety`");
        }
        Ok(())
    }

    /// Lets sending go on. What was being looked for is looked for at once.
    pub async fn release(&self, actor: &str, reason: &str) -> R<()> {
        self.mark_lost().await?;
        let (actor, reason) = (actor.to_owned(), reason.to_owned());
        self.write(Access::System, "release", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let before = load(tx).await?;
                tx.execute("UPDATE installation SET frozen = 0 WHERE one = 1", &[]).await?;
                tx.execute(
                    "UPDATE safety SET frozen_kind = NULL, frozen_reason = NULL, frozen_at = NULL, released_at = $1,
                         released_by = $2 WHERE one = 1",
                    &[now.into(), (&actor).into()],
                )
                .await?;
                let was = before.frozen.map(|frozen| frozen.kind.as_str());
                let detail = serde_json::json!({ "reason": reason, "was": was }).to_string();
                audit::append(tx, INSTALLATION, &actor, "sending.release", "installation", &detail).await?;
                tx.event("safety", "installation", "released");
                tx.wakes.work = true;
                Ok(())
            })
        })
        .await
    }

    /// Notes, in a database that has just come out of a backup, that it did: it sends nothing, and goes on counting from `armed`.
    pub async fn restored(&self, reason: &str, armed: i64, backup_at: Timestamp, actor: &str) -> R<()> {
        let (reason, actor) = (reason.to_owned(), actor.to_owned());
        self.write(Access::System, "restored", move |tx| {
            Box::pin(async move {
                tx.execute("UPDATE journal_clock SET armed = $1 WHERE one = 1 AND armed < $1", &[armed.into()]).await?;
                freeze(tx, FrozenKind::Restored, &reason, &actor).await?;
                // Where it ran is another question, and asked anew: it is frozen whatever the answer.
                tx.execute("UPDATE safety SET backup_at = $1, home = NULL WHERE one = 1", &[backup_at.into()]).await?;
                Ok(())
            })
        })
        .await
    }

    /// Notes that a backup was taken.
    pub async fn backed_up(&self, actor: &str, detail: serde_json::Value) -> R<()> {
        let (actor, detail) = (actor.to_owned(), detail.to_string());
        self.write(Access::System, "backed_up", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                tx.execute("UPDATE safety SET backed_up_at = $1 WHERE one = 1", &[now.into()]).await?;
                audit::append(tx, INSTALLATION, &actor, "backup", "installation", &detail).await
            })
        })
        .await
    }
}
