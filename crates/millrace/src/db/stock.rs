//! Stock runs: comparisons of a feed with the source, with the corrections that follow.

use std::collections::BTreeSet;

use connect::StockFeed;
use engine::stock::Counted;
use jiff::Timestamp;

use super::{
    ConnectionKey, Database, DbError, NewCorrection, Origin, R, RunState, StockRun, audit, corrections,
    effects::key_values,
    levels::{self, Stopped},
    payload::{pack_json, unpack_json},
    sql::{Row, Tx},
};

pub(super) const RUN_COLUMNS: &str =
    "id, feed, content_sha256, cut_off, sequence, made_at, state, reason, skus, compared, changed, lines";

fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Planned => "planned",
        RunState::Waiting => "waiting",
        RunState::Refused => "refused",
        RunState::Dropped => "dropped",
    }
}

fn parsed_state(name: &str) -> R<RunState> {
    match name {
        "planned" => Ok(RunState::Planned),
        "waiting" => Ok(RunState::Waiting),
        "refused" => Ok(RunState::Refused),
        "dropped" => Ok(RunState::Dropped),
        other => Err(DbError::Corrupt(format!("{other:?} is not a state of a stock run"))),
    }
}

pub(super) fn stock_run(row: &Row) -> R<StockRun> {
    Ok(StockRun {
        id: row.string(0)?,
        feed: row.string(1)?,
        content_hash: row.string(2)?,
        cut_off: row.time(3)?,
        sequence: row.opt_int(4)?,
        made_at: row.time(5)?,
        state: parsed_state(row.text(6)?)?,
        reason: row.string(7)?,
        skus: row.u32(8)?,
        compared: row.u32(9)?,
        changed: row.u32(10)?,
        lines: unpack_json(row.blob(11)?)?,
    })
}

/// A count that was not let through, as far as it is told whose figures came with it.
pub(super) struct StoppedCount {
    pub(super) feed: String,
    pub(super) cut_off: Timestamp,
    facilities: String,
    pub(super) run: Stopped,
}

impl StoppedCount {
    /// Whether a figure of this facility can have come with it. A figure of none is not among those named.
    pub(super) fn counts(&self, facility: &str) -> bool {
        facility.is_empty() || self.facilities.is_empty() || self.facilities.split('\n').any(|one| one == facility)
    }
}

/// The counts of these moments that wait or were dropped.
pub(super) async fn stopped_at(tx: &mut Tx, key: &ConnectionKey, times: BTreeSet<Timestamp>) -> R<Vec<StoppedCount>> {
    let rows = tx
        .among(
            "SELECT id, state, feed, cut_off, facilities FROM stock_run
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state IN ('waiting', 'dropped') AND cut_off IN (",
            ")",
            &key_values(key),
            times,
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StoppedCount {
                run: Stopped { run: row.string(0)?, state: parsed_state(row.text(1)?)? },
                feed: row.string(2)?,
                cut_off: row.time(3)?,
                facilities: row.string(4)?,
            })
        })
        .collect()
}

/// The facilities that a feed speaks of, as kept with its run; empty where it names none.
fn facilities(feed: &StockFeed) -> String {
    let named: BTreeSet<&str> = feed.levels.iter().filter_map(|level| level.facility.as_deref()).collect();
    named.into_iter().collect::<Vec<_>>().join("\n")
}

impl Database {
    /// Why this count is not acted upon, whatever it says: [`engine::stock::outdated`] of what is kept.
    pub async fn outdated(&self, key: &ConnectionKey, feed: &StockFeed) -> R<Option<String>> {
        let (key, feed) = (key.clone(), feed.clone());
        self.read(&key.clone(), "outdated_count", move |tx| Box::pin(async move { outdated(tx, &key, &feed).await }))
            .await
    }

    /// SKUs of the newest feed of the same facilities that was acted upon.
    pub async fn last_skus(&self, key: &ConnectionKey, feed: &StockFeed) -> R<Option<u32>> {
        let (key, facilities) = (key.clone(), facilities(feed));
        self.read(&key.clone(), "last_skus", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT skus FROM stock_run
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state = 'planned' AND facilities = $4
                         ORDER BY cut_off DESC, feed DESC, id DESC LIMIT 1",
                        &[tenant, merchant, connection, facilities.into()],
                    )
                    .await?;
                row.map(|row| row.u32(0)).transpose()
            })
        })
        .await
    }

    /// The newest run of all, whatever became of it; refused ones do not count.
    pub async fn newest_run(&self, key: &ConnectionKey) -> R<Option<String>> {
        let key = key.clone();
        self.read(&key.clone(), "newest_run", move |tx| Box::pin(async move { newest_run(tx, &key).await })).await
    }

    /// Whether a feed with this content was worked out before.
    pub async fn feed_seen(&self, key: &ConnectionKey, content_hash: &str) -> R<bool> {
        let (key, content_hash) = (key.clone(), content_hash.to_owned());
        self.read(&key.clone(), "feed_seen", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT 1 FROM stock_run
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND content_sha256 = $4 LIMIT 1",
                        &[tenant, merchant, connection, content_hash.into()],
                    )
                    .await?;
                Ok(row.is_some())
            })
        })
        .await
    }

    /// Whether corrections of any run were ever planned.
    pub async fn runs_planned_before(&self, key: &ConnectionKey) -> R<bool> {
        let key = key.clone();
        self.read(&key.clone(), "runs_planned_before", move |tx| {
            Box::pin(async move {
                let row = tx
                    .first(
                        "SELECT 1 FROM stock_run
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state = 'planned' LIMIT 1",
                        &key_values(&key),
                    )
                    .await?;
                Ok(row.is_some())
            })
        })
        .await
    }

    /// How many of the latest batches of corrections failed as a whole, one after the other.
    pub async fn refused_batches(&self, key: &ConnectionKey) -> R<u32> {
        let key = key.clone();
        self.read(&key.clone(), "refused_batches", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT sum(CASE WHEN state = 'applied' THEN 1 ELSE 0 END),
                             sum(CASE WHEN state IN ('refused', 'voided') AND attempt > 0 THEN 1 ELSE 0 END)
                         FROM effect
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND product_id IS NOT NULL
                             AND kind = 'correct_stock' AND batch IS NOT NULL
                         GROUP BY batch ORDER BY max(id) DESC LIMIT 20",
                        &key_values(&key),
                    )
                    .await?;
                let mut failed = 0;
                for row in &rows {
                    match (row.int(0)?, row.int(1)?) {
                        (0, 0) => {}
                        (0, _) => failed += 1,
                        _ => break,
                    }
                }
                Ok(failed)
            })
        })
        .await
    }

    /// Keeps a run with the corrections that follow from it and the feed's figures, in one transaction, and returns it as kept:
    /// refused where a newer count was kept while this one was worked out, and else a line whose product was corrected or held
    /// meanwhile is skipped. An older run of the same facilities that still waits for a person is dropped once newer counts have
    /// said all of it again.
    pub async fn record_run(
        &self,
        key: &ConnectionKey,
        run: StockRun,
        corrections: Vec<NewCorrection>,
        feed: &StockFeed,
    ) -> R<StockRun> {
        let (key, feed) = (key.clone(), feed.clone());
        self.write(&key.clone(), "record_run", move |tx| {
            Box::pin(async move { record(tx, &key, run, corrections, &feed).await })
        })
        .await
    }

    /// As [`Self::record_run`], of figures that were summed with those of other counts. `counts` is [`Database::counts_kept`] from
    /// before those were read.
    ///
    /// # Errors
    /// [`DbError::Fenced`] when another count brought figures meanwhile.
    pub async fn record_summed_run(
        &self,
        key: &ConnectionKey,
        run: StockRun,
        corrections: Vec<NewCorrection>,
        feed: &StockFeed,
        counts: i64,
    ) -> R<StockRun> {
        let (key, feed) = (key.clone(), feed.clone());
        self.write(&key.clone(), "record_run", move |tx| {
            Box::pin(async move {
                corrections::lock(tx, &key).await?;
                still_the_latest(tx, &key, counts).await?;
                record(tx, &key, run, corrections, &feed).await
            })
        })
        .await
    }

    /// One run.
    pub async fn run(&self, key: &ConnectionKey, id: &str) -> R<StockRun> {
        let (key, id) = (key.clone(), id.to_owned());
        self.read(&key.clone(), "run", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let sql = format!(
                    "SELECT {RUN_COLUMNS} FROM stock_run
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4"
                );
                let rows = tx.query_built(sql, &[tenant, merchant, connection, (&id).into()]).await?;
                rows.first().map_or_else(|| Err(DbError::NotFound(format!("stock run {id}"))), stock_run)
            })
        })
        .await
    }

    /// The facilities that a run's count names; empty where it names none.
    pub async fn run_facilities(&self, key: &ConnectionKey, id: &str) -> R<BTreeSet<String>> {
        let (key, id) = (key.clone(), id.to_owned());
        self.read(&key.clone(), "run_facilities", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT facilities FROM stock_run
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4",
                        &[tenant, merchant, connection, (&id).into()],
                    )
                    .await?;
                let named = row.ok_or_else(|| DbError::NotFound(format!("stock run {id}")))?.string(0)?;
                Ok(named.split('\n').filter(|facility| !facility.is_empty()).map(str::to_owned).collect())
            })
        })
        .await
    }

    /// How many counts brought figures. What was worked out from the figures of now is fenced by it.
    pub async fn counts_kept(&self, key: &ConnectionKey) -> R<i64> {
        let key = key.clone();
        self.read(&key.clone(), "counts_kept", move |tx| Box::pin(async move { counts_kept(tx, &key).await })).await
    }

    /// A person approves a run that waits: its corrections are planned, and its lines kept as they were worked out anew. As
    /// kept: a line whose product was corrected or held meanwhile is skipped. `counts` is [`Database::counts_kept`] from before
    /// the figures were read.
    ///
    /// # Errors
    /// [`DbError::Fenced`] when it does not wait any more, or another count brought figures meanwhile.
    pub async fn approve_run(
        &self,
        key: &ConnectionKey,
        run: StockRun,
        corrections: Vec<NewCorrection>,
        counts: i64,
        actor: &str,
    ) -> R<StockRun> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(&key.clone(), "approve_run", move |tx| {
            Box::pin(async move {
                corrections::lock(tx, &key).await?;
                still_the_latest(tx, &key, counts).await?;
                decide_run(tx, &key, &run.id, RunState::Planned, &actor).await?;
                let mut run = run;
                run.state = RunState::Planned;
                plan_lines(tx, &key, &mut run, corrections).await?;
                keep_lines(tx, &key, &run).await?;
                Ok(run)
            })
        })
        .await
    }

    /// A person approves single lines of a run that was acted upon: what they were held for is overruled. `counts` as for
    /// [`Database::approve_run`].
    ///
    /// # Errors
    /// [`DbError::Fenced`] when the run was not acted upon, or another one was kept meanwhile.
    pub async fn approve_lines(
        &self,
        key: &ConnectionKey,
        run: StockRun,
        corrections: Vec<NewCorrection>,
        counts: i64,
        actor: &str,
    ) -> R<StockRun> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(&key.clone(), "approve_lines", move |tx| {
            Box::pin(async move {
                corrections::lock(tx, &key).await?;
                let [tenant, merchant, connection] = key_values(&key);
                let planned = tx
                    .first(
                        "SELECT 1 FROM stock_run
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND state = 'planned'",
                        &[tenant, merchant, connection, (&run.id).into()],
                    )
                    .await?;
                if planned.is_none() || newest_run(tx, &key).await?.as_ref() != Some(&run.id) {
                    return Err(DbError::Fenced(format!("stock run {}", run.id)));
                }
                still_the_latest(tx, &key, counts).await?;
                let mut run = run;
                let products: Vec<i64> =
                    corrections.iter().filter_map(|correction| correction.effect.subject.product_id).collect();
                plan_lines(tx, &key, &mut run, corrections).await?;
                keep_lines(tx, &key, &run).await?;
                tx.event("run", &run.id, "planned");
                let detail = serde_json::json!({ "products": products }).to_string();
                audit::append(tx, key.scope.tenant.as_str(), &actor, "stock.approve_lines", &run.id, &detail).await?;
                Ok(run)
            })
        })
        .await
    }

    /// A person turns a run down.
    ///
    /// # Errors
    /// [`DbError::Fenced`] when it does not wait any more.
    pub async fn drop_run(&self, key: &ConnectionKey, id: &str, actor: &str) -> R<()> {
        let (key, id, actor) = (key.clone(), id.to_owned(), actor.to_owned());
        self.write(&key.clone(), "drop_run", move |tx| {
            Box::pin(async move { decide_run(tx, &key, &id, RunState::Dropped, &actor).await })
        })
        .await
    }
}

/// The run of the newest feed of the same facilities, by cut-off and name; refused ones do not count.
async fn last_run(tx: &mut Tx, key: &ConnectionKey, feed: &StockFeed) -> R<Option<StockRun>> {
    let [tenant, merchant, connection] = key_values(key);
    let sql = format!(
        "SELECT {RUN_COLUMNS} FROM stock_run
         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state <> 'refused'
             AND (facilities = $4 OR facilities = '')
         ORDER BY cut_off DESC, feed DESC, id DESC LIMIT 1"
    );
    let rows = tx.query_built(sql, &[tenant, merchant, connection, facilities(feed).into()]).await?;
    rows.first().map(stock_run).transpose()
}

async fn outdated(tx: &mut Tx, key: &ConnectionKey, feed: &StockFeed) -> R<Option<String>> {
    let last = last_run(tx, key, feed).await?;
    let newest_figure = levels::newest(tx, key, feed).await?;
    let this = Counted { cut_off: feed.cut_off, reference: &feed.reference, sequence: feed.sequence };
    let last = last.as_ref().map(|run| Counted { cut_off: run.cut_off, reference: &run.feed, sequence: run.sequence });
    Ok(engine::stock::outdated(this, last, newest_figure))
}

async fn counts_kept(tx: &mut Tx, key: &ConnectionKey) -> R<i64> {
    let row = tx
        .first(
            "SELECT count(*) FROM stock_run
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state <> 'refused'",
            &key_values(key),
        )
        .await?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// K4: a sum of figures is not acted upon once one of them may have been replaced. Within [`corrections::lock`].
async fn still_the_latest(tx: &mut Tx, key: &ConnectionKey, counts: i64) -> R<()> {
    if counts_kept(tx, key).await? == counts {
        return Ok(());
    }
    Err(DbError::Fenced("the count of a facility".to_owned()))
}

async fn newest_run(tx: &mut Tx, key: &ConnectionKey) -> R<Option<String>> {
    let row = tx
        .first(
            "SELECT id FROM stock_run
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state <> 'refused'
             ORDER BY cut_off DESC, feed DESC, id DESC LIMIT 1",
            &key_values(key),
        )
        .await?;
    row.map(|row| row.string(0)).transpose()
}

async fn record(
    tx: &mut Tx,
    key: &ConnectionKey,
    mut run: StockRun,
    mut corrections: Vec<NewCorrection>,
    feed: &StockFeed,
) -> R<StockRun> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let facilities = facilities(feed);
    if run.state != RunState::Refused {
        corrections::lock(tx, key).await?;
        if let Some(why) = outdated(tx, key, feed).await? {
            run = StockRun { state: RunState::Refused, reason: why, compared: 0, changed: 0, lines: Vec::new(), ..run };
            corrections.clear();
        }
    }
    if run.state != RunState::Refused {
        levels::keep_levels(tx, key, feed, run.state == RunState::Planned).await?;
        // What a list of changes does not name again is still to be decided: no later list may ever name it.
        tx.execute(
            "UPDATE stock_run SET state = 'dropped', reason = 'a newer count took its place', decided_at = $4
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state = 'waiting'
                 AND (facilities = $5 OR facilities = '')
                 AND NOT EXISTS (SELECT 1 FROM stock_level AS l
                     WHERE l.tenant = $1 AND l.merchant = $2 AND l.connection = $3
                         AND l.cut_off = stock_run.cut_off AND l.feed = stock_run.feed)",
            &[tenant.clone(), merchant.clone(), connection.clone(), now.into(), (&facilities).into()],
        )
        .await?;
    }
    plan_lines(tx, key, &mut run, corrections).await?;
    tx.execute(
        "INSERT INTO stock_run (tenant, merchant, connection, id, feed, content_sha256, cut_off, sequence, made_at,
             state, reason, skus, compared, changed, lines, facilities)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &[
            tenant,
            merchant,
            connection,
            (&run.id).into(),
            (&run.feed).into(),
            (&run.content_hash).into(),
            run.cut_off.into(),
            run.sequence.into(),
            run.made_at.into(),
            state_name(run.state).into(),
            (&run.reason).into(),
            run.skus.into(),
            run.compared.into(),
            run.changed.into(),
            pack_json(&run.lines)?.into(),
            facilities.into(),
        ],
    )
    .await?;
    tx.event("run", &run.id, state_name(run.state));
    Ok(run)
}

/// Plans a run's corrections. Lines that are left out say why.
async fn plan_lines(tx: &mut Tx, key: &ConnectionKey, run: &mut StockRun, corrections: Vec<NewCorrection>) -> R<()> {
    let left_out = corrections::plan(tx, key, Some(&run.id), Origin::Run, corrections).await?;
    for line in &mut run.lines {
        if let Some(why) = left_out.get(&(line.warehouse_id, line.product_id)) {
            line.verdict = "skip".to_owned();
            line.reason.clone_from(why);
            run.changed = run.changed.saturating_sub(1);
        }
    }
    Ok(())
}

async fn keep_lines(tx: &mut Tx, key: &ConnectionKey, run: &StockRun) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    tx.execute(
        "UPDATE stock_run SET lines = $5, changed = $6 WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4",
        &[tenant, merchant, connection, (&run.id).into(), pack_json(&run.lines)?.into(), run.changed.into()],
    )
    .await?;
    Ok(())
}

async fn decide_run(tx: &mut Tx, key: &ConnectionKey, id: &str, to: RunState, actor: &str) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let done = tx
        .execute(
            "UPDATE stock_run SET state = $5, decided_by = $6, decided_at = $7
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4 AND state = 'waiting'",
            &[tenant, merchant, connection, id.into(), state_name(to).into(), actor.into(), now.into()],
        )
        .await?;
    if done == 0 {
        return Err(DbError::Fenced(format!("stock run {id}")));
    }
    tx.event("run", id, state_name(to));
    let action = if to == RunState::Planned { "stock.approve" } else { "stock.drop" };
    audit::append(tx, key.scope.tenant.as_str(), actor, action, id, "{}").await
}
