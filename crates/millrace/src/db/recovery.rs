//! Looking for what a lost journal may have sent: which effects, what the look said, and which connections were read again
//! (docs/recovery.md).

use std::collections::BTreeMap;

use connect::{EffectId, EffectKind, OrderId, ShipmentId, Side, TenantId};
use engine::effect::EffectState;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Access, ConnectionKey, Database, DbError, Lost, R, Scope, audit,
    effects::{key_values, side_name},
    facts::scope_values,
    records::INSTALLATION,
    safety,
    sql::{Tx, json},
};

/// What an effect's look after a loss said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Not looked for yet: nothing of it goes out before.
    Open,
    /// The lost journal had made it.
    Confirmed,
    /// It had not; it goes on as planned.
    Absent,
    /// Something different is there, or more than one: a person decides.
    Conflict,
    /// The remote system keeps nothing to look at: a person compares.
    CannotAsk,
}

impl Look {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Open, Self::Confirmed, Self::Absent, Self::Conflict, Self::CannotAsk];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Absent => "absent",
            Self::Conflict => "conflict",
            Self::CannotAsk => "cannot_ask",
        }
    }
}

/// One effect that was looked for, or is to be.
#[derive(Debug, Clone)]
pub struct LookedFor {
    /// Its id.
    pub id: EffectId,
    /// Whose.
    pub connection: String,
    /// What it does.
    pub kind: EffectKind,
    /// Its key.
    pub key: String,
    /// Where it stands.
    pub state: EffectState,
    /// For people.
    pub title: String,
    /// What the look said.
    pub note: String,
    /// What it means for the recovery.
    pub look: &'static str,
}

/// A connection's part of a recovery.
#[derive(Debug, Clone, Serialize)]
pub struct PassView {
    /// Whose.
    pub connection: String,
    /// Its name.
    pub name: String,
    /// It is switched on: the recovery waits for it.
    pub enabled: bool,
    /// When its two sides had been read again.
    pub done_at: Option<Timestamp>,
    /// What that found, for people.
    pub report: Option<serde_json::Value>,
}

/// The states in which an effect may still go out by itself. The list is that of the partial indexes.
const STILL_OPEN: &str = "('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')";

/// The open recovery, if there is one: the window is named, and sending is not released.
pub(super) async fn open(tx: &mut Tx) -> R<Option<Lost>> {
    Ok(safety::load(tx).await?.lost.filter(|lost| lost.released_at.is_none()))
}

/// Not looked for since the loss whose window ends at `$3`, and no person has said what became of it.
macro_rules! unanswered {
    () => {
        "NOT (recovery IS NOT NULL AND recovery IN ('absent', 'cannot_ask', 'conflict')
             AND armed_at IS NOT NULL AND armed_at = $3)"
    };
}

/// Marks effects that have just been planned and that a lost journal may have sent as well: while the recovery is open all that
/// have a key of their own; later those that could be made twice, of orders that were there before the loss. One that was looked for
/// since this loss (its time of arming is the end of the lost window) and is not there, or about which a person has said so, is
/// planned anew under that answer: it is of its key, and would else be asked for without end.
pub(super) async fn suspect(tx: &mut Tx, key: &ConnectionKey, ids: Vec<EffectId>) -> R<()> {
    let Some(lost) = safety::load(tx).await?.lost else { return Ok(()) };
    let [tenant, merchant, _] = key_values(key);
    if lost.released_at.is_none() {
        tx.among(
            concat!(
                "UPDATE effect SET recovery = 'open' WHERE tenant = $1 AND merchant = $2 AND kind <> 'correct_stock' AND ",
                unanswered!(),
                " AND id IN ("
            ),
            ")",
            &[tenant, merchant, lost.until.into()],
            &ids,
        )
        .await?;
    } else {
        tx.among(
            concat!(
                "UPDATE effect SET recovery = 'open' WHERE tenant = $1 AND merchant = $2 AND (armed_at IS NULL OR armed_at <= $3)
                     AND kind IN ('submit_request', 'create_note', 'add_order_note')
                     AND EXISTS (SELECT 1 FROM orders AS o WHERE o.tenant = effect.tenant AND o.merchant = effect.merchant
                         AND o.id = effect.order_ref AND o.placed_at <= $3)
                     AND ",
                unanswered!(),
                " AND id IN ("
            ),
            ")",
            &[tenant, merchant, lost.until.into()],
            &ids,
        )
        .await?;
    }
    Ok(())
}

/// Marks an effect that is from before the end of the lost window and that a person sends again: the lost journal may have sent it
/// again as well. Once: what was looked for and is not there goes.
pub(super) async fn suspect_again(tx: &mut Tx, scope: &Scope, effect: &EffectId) -> R<()> {
    let Some(lost) = safety::load(tx).await?.lost else { return Ok(()) };
    let [tenant, merchant] = scope_values(scope);
    tx.execute(
        "UPDATE effect SET recovery = 'open' WHERE tenant = $1 AND merchant = $2 AND id = $3 AND recovery IS NULL
             AND kind <> 'correct_stock' AND created_at <= $4",
        &[tenant, merchant, effect.into(), lost.until.into()],
    )
    .await?;
    Ok(())
}

/// Of each lane, takes the first effect that a lost journal may have sent to *unknown*, along the permitted edges: as if it had
/// been armed at the last moment in which that journal can have been alive. Nothing leaves by this; it is looked up next.
pub(super) async fn take_to_unknown(tx: &mut Tx, key: &ConnectionKey, side: Side) -> R<()> {
    let Some(lost) = safety::load(tx).await?.lost else { return Ok(()) };
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let armed = tx
        .query(
            "UPDATE effect SET state = 'armed'
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND side = $4 AND recovery = 'open'
                 AND state IN ('planned', 'not_sent', 'absent_confirmed')
                 AND (state <> 'absent_confirmed' OR kind <> 'correct_stock')
                 AND (lease_until IS NULL OR lease_until <= $5)
                 AND NOT EXISTS (SELECT 1 FROM effect AS p WHERE p.tenant = effect.tenant AND p.lane = effect.lane
                     AND p.state IN ('armed', 'unknown', 'probing') LIMIT 1 OFFSET 0)
                 AND NOT EXISTS (SELECT 1 FROM effect AS p WHERE p.tenant = effect.tenant AND p.lane = effect.lane
                     AND p.id < effect.id AND p.recovery = 'open' AND p.state IN ('planned', 'not_sent', 'absent_confirmed')
                     LIMIT 1 OFFSET 0)
             RETURNING id",
            &[tenant.clone(), merchant.clone(), connection, side_name(side).into(), now.into()],
        )
        .await?;
    let ids: Vec<EffectId> = armed.iter().map(|row| row.parsed(0)).collect::<R<_>>()?;
    tx.among(
        "UPDATE effect SET state = 'unknown', armed_at = $3, negatives = 0, next_at = $4, fence = fence + 1, owner = NULL,
             lease_until = NULL, changed_at = $4, note = 'the journal was lost, and it may have been sent; it is looked for'
         WHERE tenant = $1 AND merchant = $2 AND state = 'armed' AND id IN (",
        ")",
        &[tenant, merchant, lost.until.into(), now.into()],
        &ids,
    )
    .await?;
    Ok(())
}

/// Writes down what a look meant, once it has settled where the effect stands.
pub(super) async fn answered(tx: &mut Tx, scope: &Scope, ids: Vec<EffectId>, cannot_ask: Vec<EffectId>) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    for (ids, parked) in [(ids, "conflict"), (cannot_ask, "cannot_ask")] {
        tx.among(
            "UPDATE effect SET recovery = CASE WHEN state IN ('applied', 'superseded') THEN 'confirmed'
                 WHEN state IN ('parked', 'conflict') THEN $3 ELSE 'absent' END
             WHERE tenant = $1 AND merchant = $2 AND recovery = 'open'
                 AND state NOT IN ('planned', 'armed', 'not_sent', 'unknown', 'probing') AND id IN (",
            ")",
            &[tenant.clone(), merchant.clone(), parked.into()],
            &ids,
        )
        .await?;
    }
    Ok(())
}

impl Database {
    /// Names the window that was lost, and marks in every tenant what the lost journal may have sent. What is not yet sent is
    /// taken to *unknown* and looked up, lane by lane; new effects are treated so as well until a person releases. How many
    /// effects were marked.
    ///
    /// # Errors
    /// [`DbError::Refused`] while sending is not frozen. After any other error the window may be named already; what is not marked
    /// then, the first connection that is read again marks, or the release.
    pub async fn begin_recovery(&self, since: Timestamp, actor: &str) -> R<u64> {
        let by = actor.to_owned();
        self.write(Access::System, "begin_recovery", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let state = safety::load(tx).await?;
                let Some(frozen) = state.frozen else {
                    return Err(DbError::Refused(
                        "sending must be frozen before a window is looked at again".to_owned(),
                    ));
                };
                // Said a second time with an earlier start it widens the window; the end stays.
                let since = state.lost.as_ref().map_or(since, |lost| lost.since.min(since));
                let until = state.lost.map_or(frozen.since, |lost| lost.until).max(since);
                tx.execute(
                    "UPDATE safety SET lost_since = $1, lost_until = $2, recovered_at = $3, recovered_by = $4,
                         released_at = NULL, released_by = NULL, unmarked = 1 WHERE one = 1",
                    &[since.into(), until.into(), now.into(), (&by).into()],
                )
                .await?;
                let detail = serde_json::json!({ "since": since, "until": until }).to_string();
                audit::append(tx, INSTALLATION, &by, "recovery.begin", "installation", &detail).await?;
                tx.event("safety", "installation", "recovering");
                tx.wakes.work = true;
                Ok(())
            })
        })
        .await?;
        self.mark_lost().await
    }

    /// Marks in every tenant what the lost journal may have sent, unless that is done for the window that is named. How many
    /// effects were marked. Each tenant is a transaction of its own (its rows are behind its own wall), so whoever named the
    /// window may have been cut off before the last.
    pub async fn mark_lost(&self) -> R<u64> {
        let named = self
            .read(Access::System, "unmarked", |tx| {
                Box::pin(async move {
                    let row = tx
                        .first("SELECT recovered_at FROM safety WHERE unmarked = 1 AND recovered_at IS NOT NULL", &[])
                        .await?;
                    row.map(|row| row.time(0)).transpose()
                })
            })
            .await?;
        let Some(named) = named else { return Ok(0) };
        let mut marked = 0;
        for tenant in self.tenants().await? {
            marked += self.suspect_all(&tenant.id).await?;
        }
        self.write(Access::System, "mark_lost", move |tx| {
            Box::pin(async move {
                tx.execute("UPDATE safety SET unmarked = 0 WHERE one = 1 AND recovered_at = $1", &[named.into()])
                    .await?;
                Ok(())
            })
        })
        .await?;
        Ok(marked)
    }

    async fn suspect_all(&self, tenant: &TenantId) -> R<u64> {
        let tenant = tenant.clone();
        self.write(&tenant.clone(), "suspect_all", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                // A difference that is known not to have been made is never sent again (§8.3): it needs no look.
                tx.execute(
                    "UPDATE effect SET state = 'voided', recovery = 'absent', changed_at = $2, fence = fence + 1, owner = NULL,
                         lease_until = NULL, note = 'the journal was lost; a new difference is worked out'
                     WHERE tenant = $1 AND kind = 'correct_stock' AND state = 'absent_confirmed'",
                    &[(&tenant).into(), now.into()],
                )
                .await?;
                let sql = format!(
                    "UPDATE effect SET recovery = 'open', fence = fence + 1, owner = NULL, lease_until = NULL, next_at = $2
                     WHERE tenant = $1 AND state IN {STILL_OPEN} AND (recovery IS NULL OR recovery <> 'open') RETURNING id"
                );
                tx.wakes.work = true;
                let rows = tx.query_built(sql, &[(&tenant).into(), now.into()]).await?;
                Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
            })
        })
        .await
    }

    /// The window whose loss is being recovered from, if this connection has still to be read again for it.
    pub async fn pass_wanted(&self, key: &ConnectionKey) -> R<Option<Lost>> {
        let key = key.clone();
        self.read(&key.clone(), "pass_wanted", move |tx| {
            Box::pin(async move {
                let Some(lost) = open(tx).await? else { return Ok(None) };
                let [tenant, merchant, connection] = key_values(&key);
                let done = tx
                    .first(
                        "SELECT 1 FROM recovery_pass WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND recovery = $4 AND done_at IS NOT NULL",
                        &[tenant, merchant, connection, lost.recovered_at.into()],
                    )
                    .await?;
                Ok(done.is_none().then_some(lost))
            })
        })
        .await
    }

    /// Why orders must not be decided upon just now: the journal was lost, and what it had sent is not known yet.
    pub async fn import_waits(&self, key: &ConnectionKey) -> R<Option<String>> {
        let state = self.safety().await?;
        let Some(frozen) = state.frozen.filter(|frozen| frozen.kind.lost()) else { return Ok(None) };
        if state.lost.is_none() {
            return Ok(Some(format!(
                "waits for a person: the journal may have been lost ({}); run `millrace recover --since TIME`",
                frozen.kind
            )));
        }
        Ok(self.pass_wanted(key).await?.map(|_| "waits until the window that was lost has been read again".to_owned()))
    }

    /// Keeps what reading a connection again has found. `done`: nothing is left to read.
    pub async fn keep_pass<T: Serialize + Sync>(
        &self,
        key: &ConnectionKey,
        lost: &Lost,
        report: &T,
        done: bool,
    ) -> R<()> {
        let (key, recovery, report) = (key.clone(), lost.recovered_at, json(report)?);
        self.write(&key.clone(), "keep_pass", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let done_at = done.then_some(tx.now);
                tx.execute(
                    "INSERT INTO recovery_pass (tenant, merchant, connection, recovery, done_at, report)
                     VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (tenant, merchant, connection) DO UPDATE SET recovery = excluded.recovery,
                         done_at = excluded.done_at, report = excluded.report",
                    &[tenant, merchant, connection, recovery.into(), done_at.into(), report.into()],
                )
                .await?;
                tx.event("safety", key.connection.as_str(), "read again");
                Ok(())
            })
        })
        .await
    }

    /// The connections' parts of the recovery, within an access.
    pub async fn passes(&self, access: &Access) -> R<Vec<PassView>> {
        let connections = self.connections(access).await?;
        let access = access.clone();
        self.read(access.clone(), "passes", move |tx| {
            Box::pin(async move {
                let recovery = safety::load(tx).await?.lost.map(|lost| lost.recovered_at);
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT connection, done_at, report FROM recovery_pass
                         WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND recovery = $3",
                        &[tenant.into(), merchant.into(), recovery.into()],
                    )
                    .await?;
                let mut found = BTreeMap::new();
                for row in &rows {
                    found.insert(row.string(0)?, (row.opt_time(1)?, row.json(2)?));
                }
                Ok(connections
                    .into_iter()
                    .map(|connection| {
                        let (done_at, report) = match found.remove(connection.id.as_str()) {
                            Some((done_at, report)) => (done_at, Some(report)),
                            None => (None, None),
                        };
                        PassView {
                            connection: connection.id.to_string(),
                            name: connection.name,
                            enabled: connection.enabled,
                            done_at,
                            report,
                        }
                    })
                    .collect())
            })
        })
        .await
    }

    /// How many effects have which outcome of their look, by connection.
    pub async fn looks(&self, access: &Access) -> R<BTreeMap<String, BTreeMap<String, i64>>> {
        let access = access.clone();
        self.read(access.clone(), "looks", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT connection, CASE WHEN recovery = 'open' AND state IN ('refused', 'voided') THEN 'absent'
                             ELSE recovery END AS look, count(*) FROM effect
                         WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND recovery IS NOT NULL
                         GROUP BY connection, look",
                        &[tenant.into(), merchant.into()],
                    )
                    .await?;
                let mut counts: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
                for row in &rows {
                    counts.entry(row.string(0)?).or_default().insert(row.string(1)?, row.int(2)?);
                }
                Ok(counts)
            })
        })
        .await
    }

    /// The effects whose look had this outcome, oldest first.
    pub async fn looked_for(&self, access: &Access, look: Look, limit: u32) -> R<Vec<LookedFor>> {
        let access = access.clone();
        self.read(access.clone(), "looked_for", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT id, connection, kind, key, state, title, note FROM effect
                         WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND recovery = $3
                             AND NOT (recovery = 'open' AND state IN ('refused', 'voided')) ORDER BY id LIMIT $4",
                        &[tenant.into(), merchant.into(), look.as_str().into(), limit.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(LookedFor {
                            id: row.parsed(0)?,
                            connection: row.string(1)?,
                            kind: row.parsed(2)?,
                            key: row.string(3)?,
                            state: row.parsed(4)?,
                            title: row.string(5)?,
                            note: row.string(6)?,
                            look: look.as_str(),
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// The tracking numbers, joined by spaces, of every shipment of these orders.
    pub async fn trackings(
        &self,
        key: &ConnectionKey,
        orders: &[OrderId],
    ) -> R<BTreeMap<ShipmentId, (OrderId, String)>> {
        let (key, orders) = (key.clone(), orders.to_vec());
        self.read(&key.clone(), "trackings", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT id, order_ref, tracking FROM shipment
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_ref IN (",
                        ")",
                        &key_values(&key),
                        &orders,
                    )
                    .await?;
                rows.iter().map(|row| Ok((row.parsed(0)?, (row.parsed(1)?, row.string(2)?)))).collect()
            })
        })
        .await
    }

    /// Why a comparison of stock must be seen by a person: nothing is sent just now, or none was approved since the journal was
    /// lost.
    pub async fn stock_waits(&self, key: &ConnectionKey) -> R<Option<String>> {
        let key = key.clone();
        self.read(&key.clone(), "stock_waits", move |tx| {
            Box::pin(async move {
                let state = safety::load(tx).await?;
                if let Some(frozen) = state.frozen {
                    return Ok(Some(format!("sending is frozen ({}): nothing is corrected", frozen.kind)));
                }
                let [tenant, merchant, connection] = key_values(&key);
                // K3: whatever made one twice may make the next one twice.
                let twice = tx
                    .first(
                        "SELECT what FROM finding WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND kind = 'marker_twice' AND resolved_at IS NULL LIMIT 1",
                        &[tenant.clone(), merchant.clone(), connection.clone()],
                    )
                    .await?;
                if let Some(row) = twice {
                    let what = row.text(0)?;
                    return Ok(Some(format!("{what}: see the findings of the census before anything more is corrected")));
                }
                let Some(lost) = state.lost else { return Ok(None) };
                let approved = tx
                    .first(
                        "SELECT 1 FROM stock_run WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND state = 'planned' AND decided_at >= $4 LIMIT 1",
                        &[tenant, merchant, connection, lost.released_at.unwrap_or(lost.recovered_at).into()],
                    )
                    .await?;
                Ok(approved.is_none().then(|| {
                    "it is the first comparison since the journal was lost: which corrections of that time were made is not \
                     known; look at it and approve it"
                        .to_owned()
                }))
            })
        })
        .await
    }
}
