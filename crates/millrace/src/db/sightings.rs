//! What is wrong now, of everything that needs a person: the facts that issues are made of. Reads only, and counts in the database
//! where it can, so that a thousand failures are a few rows.

use std::time::Duration;

use engine::{
    alert::{AlertKind, CauseKey, Sighting, cause_of},
    effect::later,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Access, Channel, Database, R, channels, safety,
    sql::{Row, Tx},
    troubles::{self, MOST_REASONS, TroubleKind},
};

/// From when on something is taken to be wrong. Divided like all waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// What the waits are divided by.
    pub factor: u32,
    /// This tenant is the one that is told of backups: the installation's first.
    pub backups: bool,
}

/// A channel is late when it has not begun a run for three times its pace, and for at least this time; one with a schedule, this
/// time after a rule of it should have made it run.
const LATE: Duration = Duration::from_secs(15 * 60);
/// A warehouse is silent when it has had orders for so long, and nothing of it has left in that time.
const SILENT: SignedDuration = SignedDuration::from_hours(48);
/// An order that a warehouse has had for so long is told: nobody else knows of one that a warehouse lost after it took it in, where it
/// cannot be asked.
const OVERDUE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Nothing may go unseen for longer than three censuses of the recent part.
const CENSUS_LATE: SignedDuration = SignedDuration::from_mins(45);
/// A change may be unknown so long before it is told. Nothing is unknown for a quarter of an hour without an alarm (J4), and a
/// message may wait five minutes for the one before it.
const UNKNOWN: SignedDuration = SignedDuration::from_mins(9);
/// A webhook or channel that takes nothing for so long needs a look.
const FAILING: SignedDuration = SignedDuration::from_hours(1);
/// A backup is overdue after this.
const BACKUP: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A connection's things that show one reason.
struct ByReason {
    kind: AlertKind,
    title: &'static str,
    /// Where they are, as `t`.
    table: &'static str,
    /// Which of what is there.
    condition: &'static str,
    reason: &'static str,
}

/// What is counted as the list of causes counts it, and what its issues begin with.
const TROUBLES: [(TroubleKind, AlertKind, &str); 3] = [
    (TroubleKind::OrderError, AlertKind::OrderError, "order in error: "),
    (TroubleKind::OrderHeld, AlertKind::OrderHeld, "order held: "),
    (TroubleKind::Exception, AlertKind::Exception, "exception: "),
];

const BY_REASON: [ByReason; 2] = [
    ByReason {
        kind: AlertKind::Effect,
        title: "change that waits for a person: ",
        table: "effect",
        condition: "t.state IN ('parked', 'refused', 'conflict')",
        reason: "t.kind || ' ' || t.state || ': ' || t.note",
    },
    ByReason {
        kind: AlertKind::Finding,
        title: "finding: ",
        table: "finding",
        condition: "t.resolved_at IS NULL AND t.kind <> 'effect_unknown'",
        reason: "t.kind",
    },
];

fn key(kind: AlertKind, row: &Row, cause: impl Into<String>) -> R<CauseKey> {
    Ok(CauseKey { kind, merchant: row.string(0)?, connection: row.string(1)?, cause: cause.into() })
}

/// A reason for people: the names of kinds and states before it are words; a file name or a SKU in it stays what it is.
fn said(reason: &str) -> String {
    match reason.split_once(": ") {
        Some((names, why)) => format!("{}: {why}", names.replace('_', " ")),
        None => reason.replace('_', " "),
    }
}

/// Ids of the first and the last thing of a row by reason.
fn first_and_last(row: &Row) -> R<Vec<String>> {
    let mut ids = vec![row.string(5)?, row.string(6)?];
    ids.dedup();
    Ok(ids)
}

fn ago(now: Timestamp, time: SignedDuration, factor: u32) -> Timestamp {
    let factor = i32::try_from(factor.max(1)).unwrap_or(i32::MAX);
    now.checked_sub(time / factor).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Database {
    /// What is wrong now for a tenant, not grouped yet.
    pub async fn sightings(&self, access: &Access, patience: Patience) -> R<Vec<Sighting>> {
        let access = access.clone();
        self.read(access.clone(), "sightings", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                let mut seen = Vec::new();
                of_troubles(tx, &access, &mut seen).await?;
                for things in BY_REASON {
                    by_reason(tx, &tenant, &things, &mut seen).await?;
                }
                of_unknown(tx, &tenant, patience, &mut seen).await?;
                of_connections(tx, &tenant, patience, &mut seen).await?;
                of_warehouses(tx, &tenant, patience, &mut seen).await?;
                of_outlets(tx, &tenant, patience, &mut seen).await?;
                of_installation(tx, patience, &mut seen).await?;
                Ok(seen)
            })
        })
        .await
    }
}

async fn of_troubles(tx: &mut Tx, access: &Access, seen: &mut Vec<Sighting>) -> R<()> {
    let kinds = TROUBLES.map(|(kind, ..)| kind);
    for (trouble, connection) in troubles::by_reason(tx, access, &kinds).await? {
        let Some((_, kind, title)) = TROUBLES.into_iter().find(|(kind, ..)| *kind == trouble.kind) else { continue };
        let why = if kind == AlertKind::Exception { said(&trouble.reason) } else { trouble.reason.clone() };
        seen.push(Sighting {
            key: CauseKey {
                kind,
                merchant: trouble.key.scope.merchant.to_string(),
                connection: trouble.key.connection.to_string(),
                cause: cause_of(&trouble.reason),
            },
            what: format!("{connection}: {title}{why}"),
            count: u64::try_from(trouble.count).unwrap_or(0),
            subjects: trouble.examples,
        });
    }
    Ok(())
}

async fn by_reason(tx: &mut Tx, tenant: &str, things: &ByReason, seen: &mut Vec<Sighting>) -> R<()> {
    let ByReason { kind, title, table, condition, reason } = *things;
    let sql = format!(
        "SELECT c.merchant, c.id, c.name, min({reason}), count(*), min(t.id), max(t.id) FROM connection AS c
         JOIN {table} AS t ON t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id AND {condition}
         WHERE c.tenant = $1 GROUP BY c.merchant, c.id, c.name, {} ORDER BY 5 DESC, 6 LIMIT {MOST_REASONS}",
        troubles::without_figures(tx, reason)
    );
    for row in tx.query_built(sql, &[tenant.into()]).await? {
        let reason = row.text(3)?;
        seen.push(Sighting {
            key: key(kind, &row, cause_of(reason))?,
            what: format!("{}: {title}{}", row.text(2)?, said(reason)),
            count: u64::try_from(row.int(4)?).unwrap_or(0),
            subjects: first_and_last(&row)?,
        });
    }
    Ok(())
}

/// Changes of which nobody knows whether they happened, by kind; also those that may be sent again and were, many times. They
/// are asked for here and not of the census, which may come later, and not at all while the other system is away. The census's
/// finding about them says the same, and is left out above.
async fn of_unknown(tx: &mut Tx, tenant: &str, patience: Patience, seen: &mut Vec<Sighting>) -> R<()> {
    let since = ago(tx.now, UNKNOWN, patience.factor);
    let rows = tx
        .query(
            "SELECT c.merchant, c.id, c.name, t.kind, count(*), min(t.id), max(t.id), min(t.armed_at) FROM connection AS c
             JOIN effect AS t ON t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id
                 AND t.state IN ('armed', 'unknown', 'probing')
                 AND (t.armed_at < $2 OR t.attempt > 5 AND t.created_at < $2)
             WHERE c.tenant = $1 GROUP BY c.merchant, c.id, c.name, t.kind",
            &[tenant.into(), since.into()],
        )
        .await?;
    for row in &rows {
        let kind = row.text(3)?;
        let at = row.time(7)?;
        seen.push(Sighting {
            key: key(AlertKind::EffectUnknown, row, kind)?,
            what: format!(
                "{}: nobody knows whether it happened: {} (since {}, looked up again and again)",
                row.text(2)?,
                kind.replace('_', " "),
                at.strftime("%Y-%m-%d %H:%M UTC")
            ),
            count: u64::try_from(row.int(4)?).unwrap_or(0),
            subjects: first_and_last(row)?,
        });
    }
    Ok(())
}

/// From when on a channel that last began to run at `started` is late.
fn late_from(channel: &Channel, started: Timestamp, factor: u32) -> Timestamp {
    if channel.schedule.is_some() {
        return later(channel.due(factor), LATE / factor.max(1));
    }
    later(started, LATE.max(channel.rest() * 3) / factor.max(1))
}

/// Paused sides, channels that fail or do not run, orders the census cannot account for, stock runs that wait.
async fn of_connections(tx: &mut Tx, tenant: &str, patience: Patience, seen: &mut Vec<Sighting>) -> R<()> {
    let paused = tx
        .query(
            "SELECT c.merchant, c.id, c.name, p.side, p.reason FROM connection AS c
             JOIN pause AS p ON p.tenant = c.tenant AND p.merchant = c.merchant AND p.connection = c.id
             WHERE c.tenant = $1 AND c.enabled = 1",
            &[tenant.into()],
        )
        .await?;
    for row in &paused {
        let side = row.text(3)?;
        seen.push(Sighting {
            key: key(AlertKind::ConnectionPaused, row, side)?,
            what: format!("{}: the {side} side is paused: {}", row.text(2)?, row.text(4)?),
            count: 1,
            subjects: vec![row.string(1)?],
        });
    }
    let sql = format!(
        "SELECT c.merchant, c.id, c.name, {} FROM connection AS c
         JOIN channel AS h ON h.tenant = c.tenant AND h.merchant = c.merchant AND h.connection = c.id
         WHERE c.tenant = $1 AND c.enabled = 1 AND h.enabled = 1",
        channels::COLUMNS
    );
    for row in &tx.query_built(sql, &[tenant.into()]).await? {
        let (name, known) = (row.text(2)?, channels::channel(row, 3)?);
        let channel = known.kind.as_str();
        if let Some(problem) = &known.problem {
            seen.push(Sighting {
                key: key(AlertKind::ChannelFailing, row, channel)?,
                what: format!("{name}: the channel {channel} fails: {problem}"),
                count: 1,
                subjects: vec![row.string(1)?],
            });
        }
        if let Some(started) = known.started_at
            && late_from(&known, started, patience.factor) < tx.now
        {
            seen.push(Sighting {
                key: key(AlertKind::ChannelLate, row, channel)?,
                what: format!("{name}: the channel {channel} has not run since {started}"),
                count: 1,
                subjects: vec![row.string(1)?],
            });
        }
    }
    // Every census looks at what an earlier one found and at all that is open: the newest says how it stands.
    let lost = tx
        .query(
            "SELECT c.merchant, c.id, c.name, max(t.unaccounted) FROM connection AS c
             JOIN census AS t ON t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id
             WHERE c.tenant = $1 AND c.enabled = 1 AND t.unaccounted > 0
                 AND NOT EXISTS (SELECT 1 FROM census AS n WHERE n.tenant = t.tenant AND n.merchant = t.merchant
                     AND n.connection = t.connection AND n.finished_at > t.finished_at)
             GROUP BY c.merchant, c.id, c.name",
            &[tenant.into()],
        )
        .await?;
    for row in &lost {
        let count = row.int(3)?;
        seen.push(Sighting {
            key: key(AlertKind::Unaccounted, row, "")?,
            what: format!("{}: the census cannot account for {count} orders", row.text(2)?),
            count: u64::try_from(count).unwrap_or(0),
            subjects: vec![row.string(1)?],
        });
    }
    let since = ago(tx.now, CENSUS_LATE, patience.factor);
    let unfinished = tx
        .query(
            "SELECT c.merchant, c.id, c.name, max(t.problem) FROM connection AS c
             JOIN census AS t ON t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id
             WHERE c.tenant = $1 AND c.enabled = 1 AND t.extent = 'recent' AND coalesce(t.finished_at, t.begun_at) < $2
                 AND (t.problem IS NOT NULL OR t.started_at > coalesce(t.finished_at, t.begun_at) AND t.started_at < $2)
             GROUP BY c.merchant, c.id, c.name",
            &[tenant.into(), since.into()],
        )
        .await?;
    for row in &unfinished {
        let why = row.opt_text(3)?.map(|why| format!(": {why}")).unwrap_or_default();
        seen.push(Sighting {
            key: key(AlertKind::Unaccounted, row, "late")?,
            what: format!("{}: no census has ended for more than {} minutes{why}", row.text(2)?, CENSUS_LATE.as_mins()),
            count: 1,
            subjects: vec![row.string(1)?],
        });
    }
    let held = tx
        .query(
            "SELECT c.merchant, c.id, c.name, count(*), max(t.id) FROM connection AS c
             JOIN stock_run AS t ON t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id
                 AND t.state = 'waiting'
             WHERE c.tenant = $1 AND c.enabled = 1 GROUP BY c.merchant, c.id, c.name",
            &[tenant.into()],
        )
        .await?;
    for row in &held {
        seen.push(Sighting {
            key: key(AlertKind::StockRun, row, "")?,
            what: format!("{}: a stock run waits for a decision", row.text(2)?),
            count: u64::try_from(row.int(3)?).unwrap_or(0),
            subjects: vec![row.string(4)?],
        });
    }
    Ok(())
}

async fn of_warehouses(tx: &mut Tx, tenant: &str, patience: Patience, seen: &mut Vec<Sighting>) -> R<()> {
    let unanswered = tx
        .query(
            "SELECT c.merchant, c.id, c.name, count(*), min(r.order_ref) FROM connection AS c
             JOIN request AS q ON q.tenant = c.tenant AND q.merchant = c.merchant AND q.connection = c.id
                 AND q.racing = 1 AND q.live = 1 AND q.done = 0
             JOIN race AS r ON r.tenant = q.tenant AND r.merchant = q.merchant AND r.request = q.id
             WHERE c.tenant = $1 AND r.outcome = 'silent' GROUP BY c.merchant, c.id, c.name",
            &[tenant.into()],
        )
        .await?;
    for row in &unanswered {
        seen.push(Sighting {
            key: key(AlertKind::WarehouseSilent, row, "answers")?,
            what: format!("{}: the warehouse has not answered to a cancel or change", row.text(2)?),
            count: u64::try_from(row.int(3)?).unwrap_or(0),
            subjects: vec![row.string(4)?],
        });
    }
    let since = ago(tx.now, SILENT, patience.factor);
    let silent = tx
        .query(
            "SELECT c.merchant, c.id, c.name, count(*), min(q.order_ref) FROM connection AS c
             JOIN request AS q ON q.tenant = c.tenant AND q.merchant = c.merchant AND q.connection = c.id
                 AND q.live = 1 AND q.done = 0 AND q.finished = 0 AND q.problem IS NULL AND q.created_at < $2
             WHERE c.tenant = $1 AND c.enabled = 1 AND NOT EXISTS (
                 SELECT 1 FROM shipment AS s WHERE s.tenant = c.tenant AND s.merchant = c.merchant AND s.connection = c.id
                     AND s.shipped_at >= $2)
             GROUP BY c.merchant, c.id, c.name",
            &[tenant.into(), since.into()],
        )
        .await?;
    for row in &silent {
        seen.push(Sighting {
            key: key(AlertKind::WarehouseSilent, row, "shipments")?,
            what: format!("{}: nothing has left the warehouse for two days, and it has orders as old", row.text(2)?),
            count: u64::try_from(row.int(3)?).unwrap_or(0),
            subjects: vec![row.string(4)?],
        });
    }
    let since = ago(tx.now, OVERDUE, patience.factor);
    let overdue = tx
        .query(
            "SELECT c.merchant, c.id, c.name, 'orders', count(*), min(q.order_ref), max(q.order_ref) FROM connection AS c
             JOIN request AS q ON q.tenant = c.tenant AND q.merchant = c.merchant AND q.connection = c.id
                 AND q.live = 1 AND q.done = 0 AND q.finished = 0 AND q.problem IS NULL AND q.created_at < $2
             JOIN orders AS o ON o.tenant = q.tenant AND o.merchant = q.merchant AND o.id = q.order_ref
                 AND o.state IN ('open', 'partly_shipped')
             WHERE c.tenant = $1 AND c.enabled = 1 GROUP BY c.merchant, c.id, c.name",
            &[tenant.into(), since.into()],
        )
        .await?;
    for row in &overdue {
        seen.push(Sighting {
            key: key(AlertKind::WarehouseSilent, row, row.text(3)?)?,
            what: format!(
                "{}: orders have been at the warehouse for more than seven days, and something of each has not left: ask it whether \
                 it still has them",
                row.text(2)?
            ),
            count: u64::try_from(row.int(4)?).unwrap_or(0),
            subjects: first_and_last(row)?,
        });
    }
    Ok(())
}

async fn of_outlets(tx: &mut Tx, tenant: &str, patience: Patience, seen: &mut Vec<Sighting>) -> R<()> {
    let since = ago(tx.now, FAILING, patience.factor);
    let rows = tx
        .query(
            "SELECT merchant, '' AS none, id, name, kind, disabled_why, failing_since FROM outlet
             WHERE tenant = $1 AND (disabled_why IS NOT NULL OR (enabled = 1 AND failing_since < $2))",
            &[tenant.into(), since.into()],
        )
        .await?;
    for row in &rows {
        let (name, kind) = (row.text(3)?, row.text(4)?);
        let what = match row.opt_text(5)? {
            Some(why) => format!("{kind} {name:?} was switched off: {why}"),
            None => format!("{kind} {name:?} takes nothing since {}", row.time(6)?),
        };
        let key = key(AlertKind::DeliveryFailing, row, row.text(2)?)?;
        seen.push(Sighting { key, what, count: 1, subjects: vec![row.string(2)?] });
    }
    Ok(())
}

async fn of_installation(tx: &mut Tx, patience: Patience, seen: &mut Vec<Sighting>) -> R<()> {
    let all = |kind| CauseKey { kind, merchant: String::new(), connection: String::new(), cause: String::new() };
    let state = safety::load(tx).await?;
    if let Some(frozen) = &state.frozen {
        seen.push(Sighting {
            key: all(AlertKind::SendingFrozen),
            what: format!("nothing is sent since {}: {}", frozen.since, frozen.reason),
            count: 1,
            subjects: Vec::new(),
        });
    }
    if patience.backups {
        let born = tx.first("SELECT created_at FROM installation WHERE one = 1", &[]).await?;
        let born = born.map_or(Ok(tx.now), |row| row.time(0))?;
        let last = state.backed_up_at.unwrap_or(born);
        if last < ago(tx.now, BACKUP, patience.factor) {
            let what = match state.backed_up_at {
                Some(at) => format!("the last backup was taken {at}"),
                None => "no backup was ever taken, or recorded".to_owned(),
            };
            seen.push(Sighting { key: all(AlertKind::BackupOverdue), what, count: 1, subjects: Vec::new() });
        }
    }
    Ok(())
}
