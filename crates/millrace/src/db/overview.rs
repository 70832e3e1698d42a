//! Figures for one look at everything: short walks along indexes, so that it may be asked for often.

use connect::ulid;
use jiff::{SignedDuration, Timestamp};

use super::{Access, Database, R, queries::Conditions, sql::Tx};

/// Samples taken of each hop: the newest.
const SAMPLES: i64 = 2_000;

/// Ids are made a little before what they stand for is kept.
const BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// Counts of one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HourCount {
    /// Hours since 1970.
    pub hour: i64,
    /// How many.
    pub count: i64,
}

/// The figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Orders first imported, by hour; hours without any are left out.
    pub orders: Vec<HourCount>,
    /// Shipments read, by hour.
    pub shipments: Vec<HourCount>,
    /// Milliseconds from placed to imported, of the newest orders.
    pub placed_to_imported: Vec<i64>,
    /// Milliseconds from imported to accepted by the warehouse.
    pub imported_to_accepted: Vec<i64>,
    /// Milliseconds from a shipment read to Brightpearl knowing all of it.
    pub shipped_to_told: Vec<i64>,
    /// Comparisons of stock that wait for a decision.
    pub stock_runs_waiting: i64,
    /// Open issues.
    pub issues_open: i64,
    /// Findings of the census that are open.
    pub findings_open: i64,
    /// Of each connection's newest finished census: unaccounted, and when it ended.
    pub census: Vec<(i64, Timestamp)>,
}

/// The first id of a kind that can have been made since then.
fn first_id(tx: &Tx, prefix: &str, since: Timestamp) -> String {
    let from = since.checked_sub(BEFORE).unwrap_or(Timestamp::UNIX_EPOCH);
    let text = ulid(from, &*tx.random);
    // Ten characters of time; what follows is drawn.
    format!("{prefix}_{}", text.get(..10).unwrap_or_default())
}

impl Database {
    /// The figures since a time.
    pub async fn figures(&self, access: &Access, since: Timestamp) -> R<Figures> {
        let access = access.clone();
        self.read(access.clone(), "figures", move |tx| {
            Box::pin(async move {
                let (orders, shipments) = (first_id(tx, "ord", since), first_id(tx, "shp", since));
                let effects = first_id(tx, "eff", since);
                Ok(Figures {
                    orders: by_hour(tx, &access, "orders", "imported_at", &orders, since).await?,
                    shipments: by_hour(tx, &access, "shipment", "created_at", &shipments, since).await?,
                    placed_to_imported: {
                        let sql = "SELECT t.imported_at - t.placed_at FROM orders AS t";
                        samples(tx, Conditions::of(&access, "t"), sql, &orders).await?
                    },
                    imported_to_accepted: {
                        let sql = "SELECT t.changed_at - t.created_at FROM connection AS c
                             JOIN effect AS t ON t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id
                                 AND t.state = 'applied' AND t.kind = 'submit_request'";
                        samples(tx, Conditions::of(&access, "c"), sql, &effects).await?
                    },
                    shipped_to_told: {
                        let sql = "SELECT t.confirmed_at - t.created_at FROM shipment AS t";
                        let mut conditions = Conditions::of(&access, "t");
                        conditions.sql.push_str(" AND t.confirmed_at IS NOT NULL");
                        samples(tx, conditions, sql, &shipments).await?
                    },
                    stock_runs_waiting: {
                        let from =
                            "connection AS c JOIN stock_run AS t ON t.tenant = c.tenant AND t.merchant = c.merchant
                             AND t.connection = c.id AND t.state = 'waiting'";
                        count(tx, Conditions::of(&access, "c"), from).await?
                    },
                    issues_open: {
                        let mut conditions = Conditions::of(&access, "t");
                        conditions.sql.push_str(" AND t.closed_at IS NULL");
                        count(tx, conditions, "alert_issue AS t").await?
                    },
                    findings_open: {
                        let mut conditions = Conditions::of(&access, "t");
                        conditions.sql.push_str(" AND t.resolved_at IS NULL");
                        count(tx, conditions, "finding AS t").await?
                    },
                    census: census(tx, &access).await?,
                })
            })
        })
        .await
    }
}

async fn by_hour(
    tx: &mut Tx,
    access: &Access,
    table: &'static str,
    at: &'static str,
    first: &str,
    since: Timestamp,
) -> R<Vec<HourCount>> {
    let mut conditions = Conditions::of(access, "t");
    conditions.and("t", "id >=", first);
    conditions.values.push(since.into());
    let sql = format!(
        "SELECT t.{at} / 3600000, count(*) FROM {table} AS t WHERE {} AND t.{at} >= ${} GROUP BY 1 ORDER BY 1",
        conditions.sql,
        conditions.values.len()
    );
    let rows = tx.query_built(sql, &conditions.values).await?;
    rows.iter().map(|row| Ok(HourCount { hour: row.int(0)?, count: row.int(1)? })).collect()
}

async fn samples(tx: &mut Tx, mut conditions: Conditions, sql: &'static str, first: &str) -> R<Vec<i64>> {
    conditions.and("t", "id >=", first);
    conditions.values.push(SAMPLES.into());
    let sql = format!("{sql} WHERE {} ORDER BY t.id DESC LIMIT ${}", conditions.sql, conditions.values.len());
    tx.query_built(sql, &conditions.values).await?.iter().map(|row| row.int(0)).collect()
}

async fn count(tx: &mut Tx, conditions: Conditions, from: &'static str) -> R<i64> {
    let sql = format!("SELECT count(*) FROM {from} WHERE {}", conditions.sql);
    let rows = tx.query_built(sql, &conditions.values).await?;
    rows.first().map_or(Ok(0), |row| row.int(0))
}

async fn census(tx: &mut Tx, access: &Access) -> R<Vec<(i64, Timestamp)>> {
    let conditions = Conditions::of(access, "t");
    let sql = format!(
        "SELECT t.connection, t.unaccounted, t.finished_at FROM census AS t
         WHERE {} AND t.unaccounted IS NOT NULL AND t.finished_at IS NOT NULL ORDER BY t.connection, t.finished_at",
        conditions.sql
    );
    let rows = tx.query_built(sql, &conditions.values).await?;
    // The newest of each connection is the last of its rows.
    let mut newest = std::collections::BTreeMap::new();
    for row in &rows {
        newest.insert(row.string(0)?, (row.int(1)?, row.time(2)?));
    }
    Ok(newest.into_values().collect())
}
