//! Stock: runs, the warehouse's latest figures, and who writes a warehouse's stock.

use std::collections::BTreeMap;

use connect::StockFeed;

use super::{
    ConnectionKey, Database, DbError, NewEffect, R, RunState, StockRun, audit,
    effects::{self, key_values},
    payload::{pack_json, unpack_json},
    sql::{Row, Tx, Value},
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

pub(super) fn stock_run(row: &Row) -> R<StockRun> {
    Ok(StockRun {
        id: row.string(0)?,
        feed: row.string(1)?,
        content_hash: row.string(2)?,
        cut_off: row.time(3)?,
        sequence: row.opt_int(4)?,
        made_at: row.time(5)?,
        state: match row.text(6)? {
            "planned" => RunState::Planned,
            "waiting" => RunState::Waiting,
            "refused" => RunState::Refused,
            "dropped" => RunState::Dropped,
            other => return Err(DbError::Corrupt(format!("{other:?} is not a state of a stock run"))),
        },
        reason: row.string(7)?,
        skus: row.u32(8)?,
        compared: row.u32(9)?,
        changed: row.u32(10)?,
        lines: unpack_json(row.blob(11)?)?,
    })
}

impl Database {
    /// The run of the newest feed, by cut-off and name; refused ones do not count.
    pub async fn last_run(&self, key: &ConnectionKey) -> R<Option<StockRun>> {
        let key = key.clone();
        self.read(&key.clone(), "last_run", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {RUN_COLUMNS} FROM stock_run
                     WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state <> 'refused'
                     ORDER BY cut_off DESC, feed DESC, id DESC LIMIT 1"
                );
                tx.query_built(sql, &key_values(&key)).await?.first().map(stock_run).transpose()
            })
        })
        .await
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

    /// Keeps a run with the corrections that follow from it and the feed's figures, in one transaction. An older run that
    /// still waits for a person is dropped.
    pub async fn record_run(
        &self,
        key: &ConnectionKey,
        run: StockRun,
        effects: Vec<NewEffect>,
        feed: &StockFeed,
    ) -> R<()> {
        let (key, feed) = (key.clone(), feed.clone());
        self.write(&key.clone(), "record_run", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let now = tx.now;
                if run.state != RunState::Refused {
                    tx.execute(
                        "UPDATE stock_run SET state = 'dropped', reason = 'a newer count took its place', decided_at = $4
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND state = 'waiting'",
                        &[tenant.clone(), merchant.clone(), connection.clone(), now.into()],
                    )
                    .await?;
                    keep_levels(tx, &key, &feed).await?;
                }
                tx.execute(
                    "INSERT INTO stock_run (tenant, merchant, connection, id, feed, content_sha256, cut_off, sequence, made_at,
                         state, reason, skus, compared, changed, lines)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                    &[
                        tenant,
                        merchant,
                        connection,
                        (&run.id).into(),
                        run.feed.into(),
                        run.content_hash.into(),
                        run.cut_off.into(),
                        run.sequence.into(),
                        run.made_at.into(),
                        state_name(run.state).into(),
                        run.reason.into(),
                        run.skus.into(),
                        run.compared.into(),
                        run.changed.into(),
                        pack_json(&run.lines)?.into(),
                    ],
                )
                .await?;
                tx.event("run", run.id, state_name(run.state));
                effects::plan(tx, &key, effects).await
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

    /// A person approves a run that waits: its corrections are planned.
    ///
    /// # Errors
    /// [`DbError::Fenced`] when it does not wait any more.
    pub async fn approve_run(&self, key: &ConnectionKey, id: &str, effects: Vec<NewEffect>, actor: &str) -> R<()> {
        let (key, id, actor) = (key.clone(), id.to_owned(), actor.to_owned());
        self.write(&key.clone(), "approve_run", move |tx| {
            Box::pin(async move {
                decide_run(tx, &key, &id, RunState::Planned, &actor).await?;
                effects::plan(tx, &key, effects).await
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

    /// Takes the right to write the stock of these warehouses of the source: all of them, or none and the reason for people.
    /// A holder is named only inside the same tenant.
    pub async fn own_stock(&self, key: &ConnectionKey, account: &str, warehouses: &[i64]) -> R<Result<(), String>> {
        let (key, account, warehouses) = (key.clone(), account.to_owned(), warehouses.to_vec());
        let outcome = self
            .write(&key.clone(), "own_stock", move |tx| {
                Box::pin(async move {
                    for warehouse_id in warehouses {
                        own(tx, &key, &account, warehouse_id).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match outcome {
            Ok(()) => Ok(Ok(())),
            // The transaction is rolled back, with what it had taken.
            Err(DbError::Conflict(holder)) => Ok(Err(holder)),
            Err(error) => Err(error),
        }
    }

    /// Gives the right to write stock back.
    pub async fn release_stock(&self, key: &ConnectionKey) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "release_stock", move |tx| {
            Box::pin(async move {
                tx.execute(
                    "DELETE FROM stock_owner WHERE tenant = $1 AND merchant = $2 AND connection = $3",
                    &key_values(&key),
                )
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn own(tx: &mut Tx, key: &ConnectionKey, account: &str, warehouse_id: i64) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    tx.execute(
        "INSERT INTO stock_owner (account, warehouse_id, tenant, merchant, connection, at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (account, warehouse_id) DO NOTHING",
        &[account.into(), warehouse_id.into(), tenant, merchant, connection, now.into()],
    )
    .await?;
    let sql = if tx.is_postgres() {
        "SELECT tenant, connection, name FROM stock_holder($1, $2)"
    } else {
        "SELECT o.tenant, o.connection, c.name FROM stock_owner AS o
         JOIN connection AS c ON c.tenant = o.tenant AND c.merchant = o.merchant AND c.id = o.connection
         WHERE o.account = $1 AND o.warehouse_id = $2"
    };
    let row = tx
        .first(sql, &[account.into(), warehouse_id.into()])
        .await?
        .ok_or_else(|| DbError::unavailable("the owner of this stock is just changing"))?;
    if row.text(1)? == key.connection.as_str() {
        return Ok(());
    }
    let holder = if row.text(0)? == key.scope.tenant.as_str() {
        format!("connection {}", row.text(2)?)
    } else {
        "another connection of this installation".to_owned()
    };
    Err(DbError::Conflict(format!("the stock of warehouse {warehouse_id} of {account} is written by {holder}")))
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

/// The latest figures, unless a later feed has been seen already.
async fn keep_levels(tx: &mut Tx, key: &ConnectionKey, feed: &StockFeed) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let mut levels: BTreeMap<(&str, &str), Vec<Value>> = BTreeMap::new();
    for level in &feed.levels {
        let facility = level.facility.as_deref().unwrap_or_default();
        levels.insert(
            (&level.sku, facility),
            vec![
                tenant.clone(),
                merchant.clone(),
                connection.clone(),
                (&level.sku).into(),
                facility.into(),
                level.available.into(),
                level.physical.into(),
                feed.cut_off.into(),
                (&feed.reference).into(),
            ],
        );
    }
    if feed.absent_is_zero && !feed.levels.is_empty() {
        tx.execute(
            "DELETE FROM stock_level WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND cut_off <= $4",
            &[tenant, merchant, connection, feed.cut_off.into()],
        )
        .await?;
    }
    tx.many(
        "INSERT INTO stock_level (tenant, merchant, connection, sku, facility, available, physical, cut_off, feed) VALUES ",
        " ON CONFLICT (tenant, merchant, connection, sku, facility) DO UPDATE SET available = excluded.available,
             physical = excluded.physical, cut_off = excluded.cut_off, feed = excluded.feed
         WHERE stock_level.cut_off <= excluded.cut_off",
        &[],
        levels.into_values().collect(),
    )
    .await?;
    Ok(())
}
