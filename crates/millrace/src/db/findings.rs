//! Runs of the census, what they found, and what people do about it.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, OrderId};
use engine::{
    effect::EffectState,
    finding::{Finding, FindingKind},
};
use jiff::Timestamp;

use super::{
    Access, ConnectionKey, Database, DbError, NewEffect, Page, R, Scope, audit,
    effects::{self, key_values},
    facts,
    lists::Conditions,
    orders,
    payload::{pack, unpack},
    queries,
    sql::{Row, Tx, Value},
};

/// How much a run looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// What is not finished, and what changed lately.
    Recent,
    /// Everything that can still matter.
    Full,
}

impl Extent {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Recent, Self::Full];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Full => "full",
        }
    }
}

/// The last run of one extent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusRun {
    /// Which.
    pub extent: Extent,
    /// Since when runs are kept of.
    pub begun_at: Timestamp,
    /// Somebody asked for a run.
    pub wanted_at: Option<Timestamp>,
    /// Start of the last run.
    pub started_at: Option<Timestamp>,
    /// End of the last run that went to its end.
    pub finished_at: Option<Timestamp>,
    /// What the last run failed of.
    pub problem: Option<String>,
    /// How many that run could not account for.
    pub unaccounted: Option<i64>,
    /// What that run showed, JSON.
    pub report: Option<Vec<u8>>,
}

/// What a run that went to its end leaves.
#[derive(Debug, Clone)]
pub struct CensusOutcome {
    /// How many could not be accounted for.
    pub unaccounted: usize,
    /// The whole of it, JSON.
    pub report: Vec<u8>,
    /// What is wrong now.
    pub findings: Vec<Finding>,
    /// The kinds that the run could look for: open findings of these that are not among `findings` are gone.
    pub checked: BTreeSet<FindingKind>,
}

/// A finding as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRow {
    /// Whose, and which connection's.
    pub key: ConnectionKey,
    /// `fnd_…`
    pub id: String,
    /// What is wrong.
    pub finding: Finding,
    /// Seen first, in the present spell.
    pub first_at: Timestamp,
    /// Seen last.
    pub last_at: Timestamp,
    /// When it was gone, or settled by a person.
    pub resolved_at: Option<Timestamp>,
    /// Who pressed the button.
    pub repair_by: Option<String>,
    /// When.
    pub repair_at: Option<Timestamp>,
    /// Why.
    pub repair_reason: Option<String>,
    /// The effect that came of it.
    pub repair_effect: Option<EffectId>,
}

/// Which findings.
#[derive(Debug, Clone, Default)]
pub struct FindingQuery {
    /// Of this connection.
    pub connection: Option<ConnectionKey>,
    /// Of these kinds; empty: all.
    pub kinds: Vec<FindingKind>,
    /// Those that are gone as well.
    pub resolved: bool,
    /// The last of the page before.
    pub after: Option<String>,
    /// Most entries.
    pub limit: u32,
}

/// What a person's button does, besides being written down.
#[derive(Debug, Clone, Default)]
pub struct RepairPlan {
    /// The change to make at a remote system.
    pub effect: Option<NewEffect>,
    /// The note that the change takes away: nothing of the hub's own may have come to hang on it meanwhile.
    pub deletes_note: Option<i64>,
    /// Shown on the order, where the hub knows it, until a person has settled it.
    pub mark: Option<String>,
    /// It is settled by the person's word.
    pub resolves: bool,
}

const COLUMNS: &str =
    "t.tenant, t.merchant, t.connection, t.id, t.kind, t.subject, t.order_id, t.what, t.first_at, t.last_at,
    t.resolved_at, t.repair_by, t.repair_at, t.repair_reason, t.repair_effect";

fn finding_row(row: &Row) -> R<FindingRow> {
    Ok(FindingRow {
        key: ConnectionKey {
            scope: Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? },
            connection: row.parsed(2)?,
        },
        id: row.string(3)?,
        finding: Finding {
            kind: row.parsed(4)?,
            subject: row.parsed(5)?,
            order_id: row.opt_int(6)?,
            what: row.string(7)?,
        },
        first_at: row.time(8)?,
        last_at: row.time(9)?,
        resolved_at: row.opt_time(10)?,
        repair_by: row.opt_string(11)?,
        repair_at: row.opt_time(12)?,
        repair_reason: row.opt_string(13)?,
        repair_effect: row.opt_parsed(14)?,
    })
}

impl Database {
    /// From the first call on, the time until the first run counts, whatever stops meanwhile.
    pub async fn begin_census(&self, key: &ConnectionKey) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "begin_census", move |tx| Box::pin(async move { begin(tx, &key).await })).await
    }

    /// The last run of each extent; none before [`Database::begin_census`].
    pub async fn census_runs(&self, key: &ConnectionKey) -> R<Vec<CensusRun>> {
        let key = key.clone();
        self.read(&key.clone(), "census_runs", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT extent, begun_at, wanted_at, started_at, finished_at, problem, unaccounted, report FROM census
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 ORDER BY extent DESC",
                        &key_values(&key),
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        let name = row.text(0)?;
                        let extent = Extent::ALL.into_iter().find(|extent| extent.as_str() == name);
                        Ok(CensusRun {
                            extent: extent.ok_or_else(|| DbError::Corrupt(format!("{name:?} is no extent")))?,
                            begun_at: row.time(1)?,
                            wanted_at: row.opt_time(2)?,
                            started_at: row.opt_time(3)?,
                            finished_at: row.opt_time(4)?,
                            problem: row.opt_string(5)?,
                            unaccounted: row.opt_int(6)?,
                            report: row.opt_blob(7)?.map(unpack).transpose()?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Somebody wants a run now. When that was written down.
    pub async fn want_census(&self, key: &ConnectionKey, extent: Extent) -> R<Timestamp> {
        let key = key.clone();
        self.write(&key.clone(), "want_census", move |tx| {
            Box::pin(async move {
                begin(tx, &key).await?;
                let now = tx.now;
                change(tx, &key, extent, "wanted_at = $5", vec![now.into()]).await?;
                tx.wakes.work = true;
                // As it is read back: whole milliseconds.
                Timestamp::from_millisecond(now.as_millisecond()).map_err(DbError::corrupt)
            })
        })
        .await
    }

    /// A run begins.
    pub async fn start_census(&self, key: &ConnectionKey, extent: Extent) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "start_census", move |tx| {
            Box::pin(async move {
                begin(tx, &key).await?;
                let now = tx.now;
                change(tx, &key, extent, "started_at = $5, wanted_at = NULL, problem = NULL", vec![now.into()]).await
            })
        })
        .await
    }

    /// A run could not go to its end; what it had found so far is not kept, and nothing counts as gone.
    pub async fn fail_census(&self, key: &ConnectionKey, extent: Extent, problem: &str) -> R<()> {
        let (key, problem) = (key.clone(), problem.to_owned());
        self.write(&key.clone(), "fail_census", move |tx| {
            Box::pin(async move {
                change(tx, &key, extent, "problem = $5", vec![problem.into()]).await?;
                tx.event("census", format!("{}/{}", key.connection, extent.as_str()), "failed");
                Ok(())
            })
        })
        .await
    }

    /// A run went to its end: keeps what it showed, and tells of findings that came and of those that are gone, all in one
    /// transaction.
    pub async fn finish_census(&self, key: &ConnectionKey, extent: Extent, outcome: CensusOutcome) -> R<()> {
        let key = key.clone();
        let report = pack(&outcome.report)?;
        self.write(&key.clone(), "finish_census", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let unaccounted = i64::try_from(outcome.unaccounted).unwrap_or(i64::MAX);
                let values = vec![now.into(), unaccounted.into(), report.into()];
                let set = "finished_at = $5, problem = NULL, unaccounted = $6, report = $7";
                change(tx, &key, extent, set, values).await?;
                let subject = format!("{}/{}", key.connection, extent.as_str());
                tx.event("census", subject, format!("unaccounted {unaccounted}"));
                compare(tx, &key, outcome.findings, &outcome.checked).await
            })
        })
        .await
    }

    /// Findings, newest first.
    pub async fn list_findings(&self, access: &Access, query: FindingQuery) -> R<Page<FindingRow>> {
        let access = access.clone();
        self.read(access.clone(), "list_findings", move |tx| {
            Box::pin(async move {
                let mut conditions = Conditions::of(&access, "t");
                if let Some(key) = &query.connection {
                    conditions.and("t", "connection =", &key.connection);
                }
                if !query.resolved {
                    conditions.sql.push_str(" AND t.resolved_at IS NULL");
                }
                conditions.one_of("t", "kind", query.kinds.iter().map(|kind| kind.as_str()).collect());
                let wanted = conditions.page("t", query.after, query.limit);
                let sql = format!("SELECT {COLUMNS} FROM finding AS t WHERE {wanted}");
                let rows = tx.query_built(sql, &conditions.values).await?;
                let items = rows.iter().map(finding_row).collect::<R<Vec<_>>>()?;
                Ok(queries::page(items, query.limit, |finding| finding.id.clone()))
            })
        })
        .await
    }

    /// The finding of this id.
    pub async fn find_finding(&self, access: &Access, id: &str) -> R<FindingRow> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "find_finding", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let sql = format!(
                    "SELECT {COLUMNS} FROM finding AS t
                     WHERE t.tenant = $1 AND ($2 = '*' OR replace($2, t.merchant, '') <> $2) AND t.id = $3"
                );
                let rows = tx.query_built(sql, &[tenant.into(), merchant.into(), (&id).into()]).await?;
                rows.first().map(finding_row).transpose()?.ok_or_else(|| DbError::NotFound(format!("finding {id:?}")))
            })
        })
        .await
    }

    /// Has an order or an effect looked at again by the journal and the flows as soon as they come to it. Only times are
    /// changed: what is sent, and when it may be, stays the journal's decision.
    pub async fn look_again(&self, key: &ConnectionKey, order_id: Option<i64>, effect: Option<&str>) -> R<()> {
        let (key, effect) = (key.clone(), effect.map(str::to_owned));
        self.write(&key.clone(), "look_again", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let now = tx.now;
                tx.execute(
                    "UPDATE orders SET seen = '' WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id = $4",
                    &[tenant.clone(), merchant.clone(), connection.clone(), order_id.into()],
                )
                .await?;
                tx.execute(
                    "UPDATE request SET look_at = $5
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id = $4 AND live = 1 AND done = 0",
                    &[tenant.clone(), merchant.clone(), connection.clone(), order_id.into(), now.into()],
                )
                .await?;
                tx.execute(
                    "UPDATE effect SET next_at = $4
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state IN ('not_sent', 'unknown')
                         AND next_at > $4 AND (id = $5 OR order_ref IN (SELECT o.id FROM orders AS o
                             WHERE o.tenant = $1 AND o.merchant = $2 AND o.connection = $3 AND o.order_id = $6))",
                    &[tenant, merchant, connection, now.into(), effect.into(), order_id.into()],
                )
                .await?;
                tx.wakes.work = true;
                Ok(())
            })
        })
        .await
    }

    /// A person has pressed the button of an open finding: its effect is planned, the order marked, the finding signed and the
    /// audit trail written, in one transaction.
    ///
    /// # Errors
    /// [`DbError::Conflict`] when the finding is gone or being repaired, or when something of the same order is on its way.
    pub async fn repair(&self, key: &ConnectionKey, id: &str, plan: RepairPlan, actor: &str, reason: &str) -> R<()> {
        let (key, id, actor, reason) = (key.clone(), id.to_owned(), actor.to_owned(), reason.to_owned());
        self.write(&key.clone(), "repair", move |tx| {
            Box::pin(async move { repair(tx, &key, &id, plan, &actor, &reason).await })
        })
        .await
    }
}

async fn begin(tx: &mut Tx, key: &ConnectionKey) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let rows = Extent::ALL
        .iter()
        .map(|extent| vec![tenant.clone(), merchant.clone(), connection.clone(), extent.as_str().into(), now.into()])
        .collect();
    tx.many(
        "INSERT INTO census (tenant, merchant, connection, extent, begun_at) VALUES ",
        " ON CONFLICT (tenant, merchant, connection, extent) DO NOTHING",
        &[],
        rows,
    )
    .await?;
    Ok(())
}

async fn change(tx: &mut Tx, key: &ConnectionKey, extent: Extent, set: &'static str, more: Vec<Value>) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let mut values = vec![tenant, merchant, connection, extent.as_str().into()];
    values.extend(more);
    let sql = format!(
        "UPDATE census SET {set} WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND extent = $4 RETURNING 1"
    );
    match tx.query_built(sql, &values).await?.is_empty() {
        true => Err(DbError::NotFound(format!("census of connection {}", key.connection))),
        false => Ok(()),
    }
}

/// What is wrong now beside what was: new ones come, old ones stay, the rest is gone.
async fn compare(tx: &mut Tx, key: &ConnectionKey, findings: Vec<Finding>, checked: &BTreeSet<FindingKind>) -> R<()> {
    let now = tx.now;
    let [tenant, merchant, connection] = key_values(key);
    let of = [tenant.clone(), merchant.clone(), connection.clone()];
    let known = tx
        .query(
            "SELECT id, kind, subject, resolved_at, repair_by FROM finding
             WHERE tenant = $1 AND merchant = $2 AND connection = $3",
            &of,
        )
        .await?;
    let mut known_by: BTreeMap<(FindingKind, String), (String, bool, bool)> = BTreeMap::new();
    for row in &known {
        let open = row.opt_time(3)?.is_none();
        known_by.insert((row.parsed(1)?, row.string(2)?), (row.string(0)?, open, row.opt_text(4)?.is_some()));
    }
    let mut seen = BTreeSet::new();
    for finding in findings {
        let subject = finding.subject.to_string();
        let place = (finding.kind, subject.clone());
        if !seen.insert(place.clone()) {
            continue;
        }
        match known_by.get(&place) {
            Some((id, true, _)) => {
                tx.execute(
                    "UPDATE finding SET last_at = $4, what = $5 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant.clone(), merchant.clone(), id.into(), now.into(), finding.what.into()],
                )
                .await?;
            }
            // What a person has settled by word, because no look can show it gone, stays settled.
            Some((_, false, true)) if stays_settled(finding.kind) => {}
            Some((id, false, _)) => {
                tx.execute(
                    "UPDATE finding SET first_at = $4, last_at = $4, what = $5, resolved_at = NULL, repair_by = NULL,
                         repair_at = NULL, repair_reason = NULL, repair_effect = NULL
                     WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant.clone(), merchant.clone(), id.into(), now.into(), finding.what.into()],
                )
                .await?;
                tx.event("finding", id.as_str(), finding.kind.as_str());
            }
            None => {
                let id = format!("fnd_{}", connect::ulid(now, &*tx.random));
                tx.execute(
                    "INSERT INTO finding (tenant, merchant, connection, id, kind, subject, order_id, what, first_at, last_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
                    &[
                        tenant.clone(),
                        merchant.clone(),
                        connection.clone(),
                        (&id).into(),
                        finding.kind.as_str().into(),
                        subject.into(),
                        finding.order_id.into(),
                        finding.what.into(),
                        now.into(),
                    ],
                )
                .await?;
                tx.event("finding", id, finding.kind.as_str());
            }
        }
    }
    for ((kind, subject), (id, open, _)) in known_by {
        // A correction that was made twice stays made, however short a time is looked at.
        let can_go = checked.contains(&kind) && kind != FindingKind::MarkerTwice;
        if open && can_go && !seen.contains(&(kind, subject)) {
            resolve(tx, key, &id).await?;
        }
    }
    Ok(())
}

/// Whether what a person has settled stays settled though it still shows: what was made twice cannot be unmade, and a note that
/// is shipped takes no other tracking any more.
fn stays_settled(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::MarkerTwice | FindingKind::TrackingMissing | FindingKind::TrackingDiffers)
}

async fn resolve(tx: &mut Tx, key: &ConnectionKey, id: &str) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let row = tx
        .first(
            "UPDATE finding SET resolved_at = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3 AND resolved_at IS NULL
             RETURNING order_id",
            &[tenant.clone(), merchant.clone(), id.into(), now.into()],
        )
        .await?;
    tx.event("finding", id, "resolved");
    let Some(order_id) = row.map(|row| row.opt_int(0)).transpose()?.flatten() else { return Ok(()) };
    // What was shown on the order goes with the last of its findings that somebody took in hand.
    let rows = tx
        .query(
            "UPDATE orders SET marked = NULL
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id = $4 AND marked IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM finding AS f WHERE f.tenant = $1 AND f.merchant = $2 AND f.connection = $3
                     AND f.order_id = $4 AND f.resolved_at IS NULL AND f.repair_by IS NOT NULL)
             RETURNING id",
            &[tenant, merchant, connection, order_id.into()],
        )
        .await?;
    let unmarked = rows.iter().map(|row| row.parsed(0)).collect::<R<BTreeSet<OrderId>>>()?;
    facts::refresh(tx, &key.scope, &unmarked).await
}

async fn repair(tx: &mut Tx, key: &ConnectionKey, id: &str, plan: RepairPlan, actor: &str, reason: &str) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let row = tx
        .first(
            "SELECT f.kind, f.order_id, f.resolved_at, e.state FROM finding AS f
             LEFT JOIN effect AS e ON e.tenant = f.tenant AND e.merchant = f.merchant AND e.id = f.repair_effect
             WHERE f.tenant = $1 AND f.merchant = $2 AND f.connection = $3 AND f.id = $4",
            &[tenant.clone(), merchant.clone(), connection.clone(), id.into()],
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("finding {id:?}")))?;
    let kind: FindingKind = row.parsed(0)?;
    let order_id = row.opt_int(1)?;
    if row.opt_time(2)?.is_some() {
        return Err(DbError::Conflict("the finding is gone already; nothing was done".to_owned()));
    }
    if let Some(state) = row.opt_parsed::<EffectState>(3)?
        && state.open()
    {
        return Err(DbError::Conflict(format!("its repair is on its way already ({state})")));
    }
    let mut effect_id: Option<EffectId> = None;
    if let Some(effect) = plan.effect {
        let (kind, effect_key) = (effect.draft.kind, effect.draft.key.clone());
        nothing_under_way(tx, key, &effect.lane, plan.deletes_note).await?;
        effects::plan(tx, key, vec![effect]).await?;
        // Under its key there may be one from an earlier press.
        let row = tx
            .first(
                "SELECT id, state FROM effect
                 WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $4 AND key = $5",
                &[
                    tenant.clone(),
                    merchant.clone(),
                    connection.clone(),
                    kind.as_str().into(),
                    effect_key.as_str().into(),
                ],
            )
            .await?
            .ok_or_else(|| DbError::Fenced(format!("the effect {effect_key}")))?;
        let (planned, state): (EffectId, EffectState) = (row.parsed(0)?, row.parsed(1)?);
        if !state.open() {
            return Err(DbError::Conflict(format!(
                "this repair was tried before and is {state}: decide about effect {planned}"
            )));
        }
        effect_id = Some(planned);
    }
    if let (Some(mark), Some(order_id)) = (plan.mark, order_id)
        && let Some(order) = orders::ids(tx, key, &[order_id]).await?.remove(&order_id)
    {
        tx.execute(
            "UPDATE orders SET marked = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant.clone(), merchant.clone(), (&order).into(), mark.into()],
        )
        .await?;
        facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await?;
    }
    let now = tx.now;
    tx.execute(
        "UPDATE finding SET repair_by = $4, repair_at = $5, repair_reason = $6, repair_effect = $7
         WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[tenant, merchant, id.into(), actor.into(), now.into(), reason.into(), effect_id.as_ref().into()],
    )
    .await?;
    if plan.resolves {
        resolve(tx, key, id).await?;
    }
    let detail = serde_json::json!({
        "kind": kind.as_str(), "order": order_id, "reason": reason, "effect": effect_id.map(|id| id.to_string()),
    });
    audit::append(tx, key.scope.tenant.as_str(), actor, "finding.repair", id, &detail.to_string()).await
}

/// A note is taken away only while nothing of its order is on its way and nothing of the hub's own hangs on it: what is planned
/// from now on waits behind the deletion in the order's lane.
async fn nothing_under_way(tx: &mut Tx, key: &ConnectionKey, lane: &str, note: Option<i64>) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    let open = tx
        .first(
            "SELECT title FROM effect WHERE tenant = $1 AND lane = $2
                 AND state IN ('planned', 'armed', 'not_sent', 'unknown', 'probing', 'absent_confirmed') LIMIT 1",
            &[tenant.clone(), lane.into()],
        )
        .await?;
    if let Some(open) = open {
        return Err(DbError::Conflict(format!(
            "something of the same order is on its way ({}); try again when it has ended",
            open.text(0)?
        )));
    }
    let Some(note) = note else { return Ok(()) };
    let taken = tx
        .first(
            "SELECT 1 FROM request WHERE tenant = $1 AND merchant = $2 AND live = 1 AND note_id = $3
             UNION ALL
             SELECT 1 FROM effect WHERE tenant = $1 AND merchant = $2 AND kind = 'create_note' AND remote_id = $4",
            &[tenant, merchant, note.into(), note.to_string().into()],
        )
        .await?;
    if taken.is_some() {
        return Err(DbError::Conflict(format!(
            "goods-out note {note} belongs to a request or shipment of Millrace now; it is not deleted"
        )));
    }
    Ok(())
}
