//! The journal's table: planning, claiming and arming effects.

use std::{collections::BTreeMap, time::Duration};

use connect::{
    EffectId, EffectKind, Side, TenantId,
    planted::{Planted, planted},
};
use engine::effect::{EffectState, later};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    Arm, Claimed, ConnectionKey, Database, DbError, EffectRow, Guard, NewEffect, R, Subject, numbers, recovery,
    safety::{self, Counted},
    sql::{Row, Tx, Value, json},
};

/// The columns of an [`EffectRow`], in the order [`effect_row`] reads them.
pub(super) const COLUMNS: &str =
    "e.id, e.kind, e.key, e.revision, e.batch, e.lane, e.body, e.body_sha256, e.title, e.state,
    e.attempt, e.unknowns, e.negatives, e.fence, e.armed_at, e.baseline, e.remote, e.note, e.order_ref, e.request_ref,
    e.shipment_ref, e.product_id, e.warehouse_id, e.recovery, e.number";

/// What can be claimed: in a state the journal acts upon, due, held by nobody, and free to go. `$5` is now. The lists of
/// states are those of the partial indexes, word for word. `LIMIT 1 OFFSET 0` keeps PostgreSQL from turning a look into an
/// index into a join over everything, which it does while it has no statistics of a table that has just been filled.
const DUE: &str = "e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.side = $4
    AND e.state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')
    AND e.state NOT IN ('armed', 'probing')
    AND e.next_at <= $5 AND (e.lease_until IS NULL OR e.lease_until <= $5)
    AND (e.state = 'unknown' OR e.recovery IS NULL OR e.recovery <> 'open')";
/// While sending is frozen: looking changes nothing.
const LOOKS: &str = "e.state = 'unknown'";
/// Of the order of an effect a lost journal sent something, or may have, and nobody knows which of its goods. `effect_unclear`
/// holds nearly nothing, ever: however little a database knows of its tables, this costs nothing.
macro_rules! unclear {
    ($of:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM effect AS u WHERE u.tenant = ",
            $of,
            ".tenant AND u.order_ref = ",
            $of,
            ".order_ref AND u.id <> ",
            $of,
            ".id AND u.kind = 'submit_request' AND u.recovery IN ('open', 'conflict', 'cannot_ask')
                AND (u.recovery = 'open' AND u.state NOT IN ('applied', 'refused', 'voided')
                    OR u.recovery <> 'open' AND u.state IN ('conflict', 'parked'))
                AND EXISTS (SELECT 1 FROM request AS r WHERE r.tenant = u.tenant AND r.merchant = u.merchant
                    AND r.id = u.request_ref AND r.live = 1 AND r.cancelled_by_warehouse = 0 LIMIT 1 OFFSET 0)
                LIMIT 1 OFFSET 0)"
        )
    };
}

/// Free to go: in its lane nothing earlier is open and nothing else is in flight (R6), and its order is not held by a person.
/// What is in flight itself waits for nothing, not even for a person who holds its order: everything else in the lane waits for
/// it to be looked up. An earlier one that
/// was never sent, or of which it is certain that it did nothing and nothing of it is on its way, lets later ones pass while it
/// cannot go itself: its time has not come, its order is held or unclear, its side is paused, or it is another connection's,
/// which may be switched off. Otherwise one that waits for a later one (a note that takes its place in the order) would wait
/// for ever: so does a release that certainly did nothing and waits for the cancel of its order. Nothing of an unclear order goes to
/// the warehouse before a person has decided about it.
const FREE: &str = concat!(
    "(e.state = 'unknown' OR NOT EXISTS (SELECT 1 FROM effect AS p
        WHERE p.tenant = e.tenant AND p.lane = e.lane AND p.id < e.id
        AND p.state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')
        AND NOT ((p.state IN ('planned', 'absent_confirmed') OR p.kind = 'release_request' AND p.state = 'not_sent')
            AND (p.lease_until IS NULL OR p.lease_until <= $5)
            AND (p.next_at > $5 OR p.connection <> e.connection
                OR EXISTS (SELECT 1 FROM pause AS s WHERE s.tenant = p.tenant AND s.merchant = p.merchant
                    AND s.connection = p.connection AND s.side = p.side)
                OR p.kind = 'submit_request' AND EXISTS (SELECT 1 FROM orders AS o
                    WHERE o.tenant = p.tenant AND o.merchant = p.merchant AND o.id = p.order_ref
                    AND o.held_reason IS NOT NULL)
                OR p.kind = 'submit_request' AND ",
    unclear!("p"),
    "))
        LIMIT 1 OFFSET 0))
    AND NOT EXISTS (SELECT 1 FROM effect AS p WHERE p.tenant = e.tenant AND p.lane = e.lane AND p.id > e.id
        AND p.state IN ('armed', 'unknown', 'probing') LIMIT 1 OFFSET 0)
    AND NOT (e.kind = 'submit_request' AND e.state <> 'unknown' AND EXISTS (SELECT 1 FROM orders AS o
        WHERE o.tenant = e.tenant AND o.merchant = e.merchant AND o.id = e.order_ref AND o.held_reason IS NOT NULL
        LIMIT 1 OFFSET 0))
    AND NOT (e.kind = 'submit_request' AND e.state <> 'unknown' AND ",
    unclear!("e"),
    ")"
);

/// The hash that tells whether two payloads are the same, hex.
pub(super) fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Warehouse => "warehouse",
    }
}

/// Smaller goes first: what a customer waits for before what only keeps figures straight.
fn priority(kind: EffectKind) -> i64 {
    match kind {
        EffectKind::PostShipped | EffectKind::CancelRequest => 0,
        EffectKind::UpdateShipping => 1,
        EffectKind::CreateNote | EffectKind::DeleteNote | EffectKind::ReleaseRequest => 2,
        EffectKind::SubmitRequest => 3,
        EffectKind::SetStatus => 4,
        EffectKind::AddOrderNote | EffectKind::Acknowledge => 5,
        EffectKind::CorrectStock => 6,
    }
}

pub(super) fn effect_row(row: &Row) -> R<EffectRow> {
    Ok(EffectRow {
        id: row.parsed(0)?,
        kind: row.parsed(1)?,
        key: row.string(2)?,
        revision: row.u32(3)?,
        batch: row.opt_string(4)?,
        lane: row.string(5)?,
        body: row.string(6)?,
        body_sha256: row.string(7)?,
        title: row.string(8)?,
        state: row.parsed(9)?,
        attempt: row.u32(10)?,
        unknowns: row.u32(11)?,
        negatives: row.u32(12)?,
        fence: row.int(13)?,
        armed_at: row.opt_time(14)?,
        baseline: row.opt_json(15)?,
        remote: row.opt_json(16)?,
        note: row.string(17)?,
        subject: Subject {
            order: row.opt_parsed(18)?,
            request: row.opt_parsed(19)?,
            shipment: row.opt_parsed(20)?,
            product_id: row.opt_int(21)?,
            warehouse_id: row.opt_int(22)?,
        },
        suspect: row.opt_text(23)? == Some("open"),
        number: row.opt_int(24)?.and_then(|number| u32::try_from(number).ok()),
    })
}

pub(super) fn key_values(key: &ConnectionKey) -> [Value; 3] {
    [(&key.scope.tenant).into(), (&key.scope.merchant).into(), (&key.connection).into()]
}

pub(super) async fn is_frozen(tx: &mut Tx) -> R<bool> {
    let row = tx.first("SELECT frozen FROM installation WHERE one = 1", &[]).await?;
    // Without its own row nothing is known of this installation, and nothing may be sent.
    row.map_or(Ok(true), |row| row.flag(0))
}

/// Inserts effects. One whose key exists is left alone when its payload is the same, planned again as a new revision when
/// nothing exists under its key (refused, voided), and otherwise a fault (R9).
pub(super) async fn plan(tx: &mut Tx, key: &ConnectionKey, effects: Vec<NewEffect>) -> R<()> {
    if effects.is_empty() {
        return Ok(());
    }
    let now = tx.now;
    let ids: Vec<EffectId> = effects.iter().map(|effect| effect.id.clone()).collect();
    let mut by_key: BTreeMap<(EffectKind, String), (NewEffect, String)> = BTreeMap::new();
    let mut rows = Vec::with_capacity(effects.len());
    for effect in effects {
        let hash = sha256(effect.draft.body.as_bytes());
        rows.push(insert_row(key, &effect, &hash, now));
        by_key.insert((effect.draft.kind, effect.draft.key.clone()), (effect, hash));
    }
    let inserted = tx
        .many(
            "INSERT INTO effect (tenant, merchant, connection, id, side, kind, key, revision, batch, lane, body, body_sha256,
                 title, state, attempt, unknowns, negatives, fence, note, order_ref, request_ref, shipment_ref, product_id,
                 warehouse_id, priority, next_at, created_at, changed_at) VALUES ",
            " ON CONFLICT (tenant, merchant, connection, kind, key) DO NOTHING RETURNING kind, key",
            &[],
            rows,
        )
        .await?;
    let mut numbered = Vec::new();
    for row in &inserted {
        if let Some((effect, _)) = by_key.remove(&(row.parsed(0)?, row.string(1)?))
            && let Some(numbering) = effect.draft.numbering
        {
            numbered.push((effect.id, numbering));
        }
    }
    // Ids are drawn in the order of planning, and what was planned first has the smaller number.
    numbered.sort_by(|(a, _), (b, _)| a.cmp(b));
    numbers::give(tx, key, numbered).await?;
    tx.wakes.work = true;
    recovery::suspect(tx, key, ids).await?;
    for (effect, hash) in by_key.into_values() {
        // What was read twice is answered once, in the words and under the number of the first time.
        if effect.draft.kind == EffectKind::Acknowledge {
            continue;
        }
        revise_known(tx, key, effect, hash).await?;
    }
    Ok(())
}

fn insert_row(key: &ConnectionKey, effect: &NewEffect, hash: &str, now: Timestamp) -> Vec<Value> {
    let [tenant, merchant, connection] = key_values(key);
    let NewEffect { id, draft, lane, subject, not_before } = effect;
    vec![
        tenant,
        merchant,
        connection,
        id.into(),
        side_name(draft.kind.side()).into(),
        draft.kind.as_str().into(),
        (&draft.key).into(),
        1_i64.into(),
        draft.batch.clone().into(),
        lane.into(),
        (&draft.body).into(),
        hash.into(),
        (&draft.title).into(),
        EffectState::Planned.as_str().into(),
        0_i64.into(),
        0_i64.into(),
        0_i64.into(),
        0_i64.into(),
        "".into(),
        subject.order.as_ref().into(),
        subject.request.as_ref().into(),
        subject.shipment.as_ref().into(),
        subject.product_id.into(),
        subject.warehouse_id.into(),
        priority(draft.kind).into(),
        not_before.unwrap_or(now).into(),
        now.into(),
        now.into(),
    ]
}

async fn revise_known(tx: &mut Tx, key: &ConnectionKey, effect: NewEffect, hash: String) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let draft = effect.draft;
    let row = tx
        .first(
            "SELECT id, state, body_sha256 FROM effect
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND key = $5",
            &[tenant, merchant, connection, draft.kind.as_str().into(), (&draft.key).into()],
        )
        .await?
        .ok_or_else(|| DbError::Fenced(format!("the effect {}", draft.key)))?;
    let state: EffectState = row.parsed(1)?;
    // A cancel has no content of its own: one that was withdrawn and is wanted again is the same words once more.
    let wanted_again = draft.kind == EffectKind::CancelRequest && state == EffectState::Voided;
    if row.text(2)? == hash && !wanted_again {
        return Ok(());
    }
    let nothing_there = match state {
        EffectState::Refused => true,
        EffectState::Voided => draft.kind != EffectKind::CorrectStock,
        _ => false,
    };
    if !nothing_there {
        return Err(DbError::Conflict(format!(
            "{} {} is {state} and was planned again with another payload (R9)",
            draft.kind, draft.key
        )));
    }
    let id: EffectId = row.parsed(0)?;
    replan(tx, key, vec![Replan { id, batch: draft.batch, body: draft.body, title: draft.title }]).await
}

/// An effect to plan again: from refused or voided, with the next revision.
pub(super) struct Replan {
    pub(super) id: EffectId,
    pub(super) batch: Option<String>,
    pub(super) body: String,
    pub(super) title: String,
}

pub(super) async fn replan(tx: &mut Tx, key: &ConnectionKey, effects: Vec<Replan>) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    let now = tx.now;
    let ids: Vec<EffectId> = effects.iter().map(|one| one.id.clone()).collect();
    let rows = effects
        .into_iter()
        .map(|one| {
            let hash = sha256(one.body.as_bytes());
            vec![(&one.id).into(), one.batch.into(), one.body.into(), hash.into(), one.title.into()]
        })
        .collect();
    tx.many(
        "UPDATE effect SET state = 'planned', revision = revision + 1, batch = v.column2, body = v.column3,
             body_sha256 = v.column4, title = v.column5, fence = fence + 1, owner = NULL, lease_until = NULL, note = '',
             receipt = NULL, receipt_at = NULL, voided_by = NULL, next_at = CASE WHEN next_at > $3 THEN next_at ELSE $3 END, changed_at = $3
         FROM (VALUES ",
        ") AS v WHERE effect.tenant = $1 AND effect.merchant = $2 AND effect.id = v.column1 AND effect.id IN ({first})
             AND effect.state IN ('refused', 'voided')",
        &[tenant, merchant, now.into()],
        rows,
    )
    .await?;
    tx.wakes.work = true;
    recovery::suspect(tx, key, ids).await
}

/// Gives up effects that were not sent. The fence moves, so that whoever has claimed one cannot arm it any more.
pub(super) async fn void_unsent(tx: &mut Tx, key: &ConnectionKey, effects: &[EffectId], why: &str) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    let now = tx.now;
    tx.among(
        "UPDATE effect SET state = 'voided', fence = fence + 1, owner = NULL, lease_until = NULL, note = $4, changed_at = $3
         WHERE tenant = $1 AND merchant = $2 AND state IN ('planned', 'not_sent') AND id IN (",
        ")",
        &[tenant, merchant, now.into(), why.into()],
        effects,
    )
    .await?;
    Ok(())
}

impl Database {
    /// Plans effects, in one transaction.
    ///
    /// # Errors
    /// [`DbError::Conflict`] when one of the keys exists with another payload and may have been sent (R9).
    pub async fn plan_effects(&self, key: &ConnectionKey, effects: Vec<NewEffect>) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "plan_effects", move |tx| Box::pin(async move { plan(tx, &key, effects).await })).await
    }

    /// Takes on what is due on one side of a connection, for as long as `lease`. First every effect whose sender went away
    /// becomes unknown (R2). Effects of one batch come together, beyond `limit` if need be; those to be looked up come as
    /// *probing*, all others in the state they wait in.
    pub async fn claim_effects(
        &self,
        key: &ConnectionKey,
        side: Side,
        owner: &str,
        lease: Duration,
        limit: usize,
    ) -> R<Claimed> {
        let (key, owner) = (key.clone(), owner.to_owned());
        self.write(&key.clone(), "claim_effects", move |tx| {
            Box::pin(async move {
                let rows = claim(tx, &key, side, &owner, lease, limit).await?;
                Ok(Claimed { rows, at: tx.now })
            })
        })
        .await
    }

    /// Who holds claims on effects of a tenant at the moment.
    pub async fn claim_holders(&self, tenant: &TenantId) -> R<Vec<String>> {
        let tenant = tenant.clone();
        self.read(&tenant.clone(), "claim_holders", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let rows = tx
                    .query(
                        "SELECT DISTINCT owner FROM effect WHERE tenant = $1 AND owner IS NOT NULL AND lease_until > $2
                             AND state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')",
                        &[(&tenant).into(), now.into()],
                    )
                    .await?;
                rows.iter().map(|row| row.string(0)).collect()
            })
        })
        .await
    }

    /// Ends the claims of an owner that has certainly ended: what it had armed is unknown from now on (R2). How many.
    pub async fn end_claims(&self, tenant: &TenantId, owner: &str) -> R<u64> {
        let (tenant, owner) = (tenant.clone(), owner.to_owned());
        self.write(&tenant.clone(), "end_claims", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                tx.execute(
                    "UPDATE effect SET lease_until = $3 WHERE tenant = $1 AND owner = $2 AND lease_until > $3
                         AND state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')",
                    &[(&tenant).into(), owner.into(), now.into()],
                )
                .await
            })
        })
        .await
    }

    /// Commits the intent to send (R1): each effect that is still claimed with this fence, in this state, for longer than a
    /// call may take, becomes *armed*, and its time of arming is returned. `None` for every other: it must not be sent.
    ///
    /// # Errors
    /// After an error with `commit_unknown` nothing may be sent either; the lease decides.
    pub async fn arm(&self, key: &ConnectionKey, arms: Vec<Arm>, http_deadline: Duration) -> R<Vec<Option<Timestamp>>> {
        let one_key = key.clone();
        let all = arms.clone();
        let guard = self.guard();
        let together = self
            .write(key, "arm", move |tx| {
                Box::pin(async move { arm(tx, &one_key, &all, http_deadline, guard.as_ref()).await })
            })
            .await;
        let together = match together {
            Ok((armed, counted)) => {
                // Before the first byte: a copy of the database that lacks this intent is known by it. An intent that cannot be
                // witnessed is not acted upon; its lease decides.
                if counted.is_err() || armed.iter().any(Option::is_some) {
                    self.witnessed(counted).await?;
                }
                Ok(armed)
            }
            Err(error) => Err(error),
        };
        match together {
            // Another node has armed something of one of these lanes in this very moment: find out which.
            Err(DbError::Conflict(_)) if arms.len() > 1 => {
                let mut armed = Vec::with_capacity(arms.len());
                for one in arms {
                    armed.extend(Box::pin(self.arm(key, vec![one], http_deadline)).await?);
                }
                Ok(armed)
            }
            Err(DbError::Conflict(_)) => Ok(vec![None; arms.len()]),
            other => other,
        }
    }

    /// When something is next due on one side of a connection; `None` when nothing is waiting.
    pub async fn next_effect_due(&self, key: &ConnectionKey, side: Side) -> R<Option<Timestamp>> {
        let key = key.clone();
        self.read(&key.clone(), "next_effect_due", move |tx| {
            Box::pin(async move {
                if is_paused(tx, &key, side).await? {
                    return Ok(None);
                }
                let looks = if is_frozen(tx).await? { LOOKS } else { "1 = 1" };
                let [tenant, merchant, connection] = key_values(&key);
                let now = tx.now;
                let sql = format!(
                    "SELECT min(CASE WHEN e.lease_until IS NOT NULL AND e.lease_until > e.next_at THEN e.lease_until
                         ELSE e.next_at END)
                     FROM effect AS e WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.side = $4
                         AND e.state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed')
                         AND {FREE} AND {looks}"
                );
                let rows =
                    tx.query_built(sql, &[tenant, merchant, connection, side_name(side).into(), now.into()]).await?;
                rows.first().map_or(Ok(None), |row| row.opt_time(0))
            })
        })
        .await
    }

    /// Stops one side of a connection with a reason, or lets it go on.
    pub async fn pause(&self, key: &ConnectionKey, side: Side, reason: Option<&str>) -> R<()> {
        let (key, reason) = (key.clone(), reason.map(str::to_owned));
        self.write(&key.clone(), "pause", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let now = tx.now;
                let side = side_name(side);
                let Some(reason) = reason else {
                    tx.execute(
                        "DELETE FROM pause WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND side = $4",
                        &[tenant, merchant, connection, side.into()],
                    )
                    .await?;
                    tx.event("connection", key.connection.as_str(), "resumed");
                    return Ok(());
                };
                let known = tx
                    .execute(
                        "INSERT INTO pause (tenant, merchant, connection, side, reason, at) VALUES ($1, $2, $3, $4, $5, $6)
                         ON CONFLICT (tenant, merchant, connection, side) DO UPDATE SET reason = excluded.reason
                         WHERE pause.reason <> excluded.reason",
                        &[tenant, merchant, connection, side.into(), reason.into(), now.into()],
                    )
                    .await?;
                if known > 0 {
                    tx.event("connection", key.connection.as_str(), "paused");
                }
                Ok(())
            })
        })
        .await
    }
}

async fn is_paused(tx: &mut Tx, key: &ConnectionKey, side: Side) -> R<bool> {
    let [tenant, merchant, connection] = key_values(key);
    let paused = tx
        .first(
            "SELECT 1 FROM pause WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND side = $4",
            &[tenant, merchant, connection, side_name(side).into()],
        )
        .await?;
    Ok(paused.is_some())
}

async fn claim(
    tx: &mut Tx,
    key: &ConnectionKey,
    side: Side,
    owner: &str,
    lease: Duration,
    limit: usize,
) -> R<Vec<EffectRow>> {
    let [tenant, merchant, connection] = key_values(key);
    let on_side = [tenant.clone(), merchant.clone(), connection, side_name(side).into()];
    if tx.is_postgres() {
        // Two claims on one side of a connection at once would tear batches apart.
        let lock = format!("{}/{}", key.connection, side_name(side));
        tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))::text", &[lock.into()]).await?;
        tx.fresh_now().await?;
    }
    let now = tx.now;
    let mut due = on_side.to_vec();
    due.push(now.into());
    tx.execute(
        if planted(Planted::ForgetsArmed) {
            "UPDATE effect SET state = 'not_sent', next_at = $5, owner = NULL, lease_until = NULL, fence = fence + 1
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND side = $4 AND state = 'armed'
                 AND (lease_until IS NULL OR lease_until <= $5)"
        } else {
            "UPDATE effect SET state = 'unknown', unknowns = unknowns + 1, next_at = $5, owner = NULL, lease_until = NULL,
             fence = fence + 1, changed_at = $5, note = 'outcome unknown: whoever sent it went away before saying'
         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND side = $4 AND state = 'armed'
             AND (lease_until IS NULL OR lease_until <= $5)"
        },
        &due,
    )
    .await?;
    tx.execute(
        "UPDATE effect SET state = 'unknown', next_at = $5, owner = NULL, lease_until = NULL, fence = fence + 1,
             changed_at = $5
         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND side = $4 AND state = 'probing'
             AND (lease_until IS NULL OR lease_until <= $5)",
        &due,
    )
    .await?;
    if is_paused(tx, key, side).await? {
        return Ok(Vec::new());
    }
    recovery::take_to_unknown(tx, key, side).await?;
    let looks = if is_frozen(tx).await? { LOOKS } else { "1 = 1" };
    let lock = if tx.is_postgres() { " FOR UPDATE OF e SKIP LOCKED" } else { "" };
    let mut with_limit = due.clone();
    with_limit.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT {COLUMNS} FROM effect AS e WHERE {DUE} AND {looks} AND {FREE} ORDER BY e.priority, e.id LIMIT $6{lock}"
    );
    let rows = tx.query_built(sql, &with_limit).await?;
    let mut claimed: Vec<EffectRow> = rows.iter().map(effect_row).collect::<R<_>>()?;
    let mut batches: Vec<&str> = claimed.iter().filter_map(|effect| effect.batch.as_deref()).collect();
    batches.sort_unstable();
    batches.dedup();
    let mut members = Vec::new();
    for batch in batches {
        let mut of_batch = due.clone();
        of_batch.push(batch.into());
        let sql =
            format!("SELECT {COLUMNS} FROM effect AS e WHERE {DUE} AND {looks} AND {FREE} AND e.batch = $6{lock}");
        let rows = tx.query_built(sql, &of_batch).await?;
        members.extend(rows.iter().map(effect_row).collect::<R<Vec<_>>>()?);
    }
    let known: std::collections::BTreeSet<EffectId> = claimed.iter().map(|effect| effect.id.clone()).collect();
    members.retain(|effect: &EffectRow| !known.contains(&effect.id));
    // Not sorted by the database: the primary key would offer itself for that, and be read from end to end.
    members.sort_by(|a, b| a.id.cmp(&b.id));
    claimed.extend(members);
    tx.among(
        "UPDATE effect SET owner = $3, lease_until = $4, fence = fence + 1,
             state = CASE WHEN state = 'unknown' THEN 'probing' ELSE state END
         WHERE tenant = $1 AND merchant = $2 AND id IN (",
        ")",
        &[tenant, merchant, owner.into(), later(now, lease).into()],
        claimed.iter().map(|effect| &effect.id),
    )
    .await?;
    for effect in &mut claimed {
        effect.fence += 1;
        if effect.state == EffectState::Unknown {
            effect.state = EffectState::Probing;
        }
    }
    Ok(claimed)
}

async fn arm(
    tx: &mut Tx,
    key: &ConnectionKey,
    arms: &[Arm],
    http_deadline: Duration,
    guard: Option<&Guard>,
) -> R<(Vec<Option<Timestamp>>, Counted)> {
    let none = vec![None; arms.len()];
    if arms.is_empty() {
        return Ok((none, Ok(0)));
    }
    let [tenant, merchant, _] = key_values(key);
    if tx.is_postgres() {
        // The rows first, then the time: a wait for a lock must not make an ended lease look alive.
        tx.among(
            "SELECT id FROM effect WHERE tenant = $1 AND merchant = $2 AND id IN (",
            ") ORDER BY id FOR UPDATE",
            &[tenant.clone(), merchant.clone()],
            arms.iter().map(|arm| &arm.id),
        )
        .await?;
    }
    // Not before: somebody may freeze sending while this waits for a lock.
    if is_frozen(tx).await? {
        return Ok((none, Ok(0)));
    }
    let counted = safety::count(tx, arms.len(), guard).await?;
    if counted.is_err() {
        return Ok((none, counted));
    }
    // After every wait for a lock.
    let now = tx.fresh_now().await?;
    let mut rows = Vec::with_capacity(arms.len());
    for arm in arms {
        // A claimed unknown is probing in the table.
        let from = if arm.from == EffectState::Unknown { EffectState::Probing } else { arm.from };
        rows.push(vec![(&arm.id).into(), arm.fence.into(), from.as_str().into(), json(&arm.baseline)?.into()]);
    }
    let armed = tx
        .many(
            "UPDATE effect SET state = 'armed', attempt = attempt + 1, negatives = 0, armed_at = $3, baseline = v.column4,
                 changed_at = $3
             FROM (VALUES ",
            ") AS v WHERE effect.tenant = $1 AND effect.merchant = $2 AND effect.id = v.column1 AND effect.id IN ({first})
                 AND effect.fence = v.column2 AND effect.state = v.column3 AND effect.owner IS NOT NULL
                 AND effect.lease_until > $4
                 AND NOT EXISTS (SELECT 1 FROM effect AS p WHERE p.tenant = effect.tenant AND p.lane = effect.lane
                     AND p.id <> effect.id AND p.state IN ('armed', 'unknown', 'probing') LIMIT 1 OFFSET 0)
             RETURNING effect.id",
            &[tenant, merchant, now.into(), later(now, http_deadline).into()],
            rows,
        )
        .await?;
    let mut at: BTreeMap<EffectId, Timestamp> = BTreeMap::new();
    for row in &armed {
        at.insert(row.parsed(0)?, now);
    }
    Ok((arms.iter().map(|arm| at.get(&arm.id).copied()).collect(), counted))
}
