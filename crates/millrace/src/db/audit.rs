//! The audit trail: who did what, each row sealed to the one before (AU1).

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    Access, Database, DbError, R,
    lists::Conditions,
    sql::{Row, Tx, Value},
    words::end_of,
};

/// One thing somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// From 1, without gaps, in each tenant.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a person, an API key, the command line.
    pub actor: String,
    /// What, e.g. `effect.decide`.
    pub action: String,
    /// On what.
    pub target: String,
    /// Further facts, JSON.
    pub detail: String,
    /// SHA-256 over the previous row's hash and this row, hex.
    pub hash: String,
}

/// Which rows. Texts are beginnings, and find whatever begins so; empty: whatever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// On what.
    pub target: String,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Before this row.
    pub before: Option<i64>,
    /// Most rows.
    pub limit: u32,
}

/// What one audit trail looks like, read from its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditChain {
    /// Rows read: all, or up to the altered one.
    pub rows: i64,
    /// Number of the first row that is not as it was written or not where it was.
    pub altered: Option<i64>,
    /// Hash of the last row that is as it was written. Whoever notes it elsewhere can tell later whether rows were cut off
    /// at the end, which no chain shows by itself.
    pub head: String,
}

fn audit_row(row: &Row) -> R<AuditRow> {
    Ok(AuditRow {
        number: row.int(0)?,
        at: row.time(1)?,
        actor: row.string(2)?,
        action: row.string(3)?,
        target: row.string(4)?,
        detail: row.string(5)?,
        hash: row.string(6)?,
    })
}

impl AuditRow {
    /// The parts are written with their lengths, so that no two rows read the same.
    fn chained(&self, tenant: &str, before: &str) -> String {
        let mut hash = Sha256::new();
        let number = self.number.to_string();
        let at = self.at.as_millisecond().to_string();
        for part in [before, tenant, &number, &at, &self.actor, &self.action, &self.target, &self.detail] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Appends a row within the transaction that does what it says.
pub(super) async fn append(tx: &mut Tx, tenant: &str, actor: &str, action: &str, target: &str, detail: &str) -> R<()> {
    if tx.is_postgres() {
        // One writer per chain at a time.
        tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 2))::text", &[tenant.into()]).await?;
    }
    let last = tx
        .first("SELECT number, hash FROM audit WHERE tenant = $1 ORDER BY number DESC LIMIT 1", &[tenant.into()])
        .await?;
    let (number, before) = match &last {
        Some(row) => (row.int(0)? + 1, row.string(1)?),
        None => (1, String::new()),
    };
    // As it is read back: whole milliseconds.
    let at = Timestamp::from_millisecond(tx.now.as_millisecond()).map_err(DbError::corrupt)?;
    let mut row = AuditRow {
        number,
        at,
        actor: actor.to_owned(),
        action: action.to_owned(),
        target: target.to_owned(),
        detail: detail.to_owned(),
        hash: String::new(),
    };
    row.hash = row.chained(tenant, &before);
    tx.execute(
        "INSERT INTO audit (tenant, number, at, actor, action, target, detail, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            tenant.into(),
            number.into(),
            at.into(),
            row.actor.into(),
            row.action.into(),
            row.target.into(),
            row.detail.into(),
            row.hash.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Of what a filter finds there are no more rows than this: they are looked up. What is more common is walked for, newest first,
/// until a page is full, which is soon.
const RARE: i64 = 5_000;

/// One filter: a column and what it lies between.
struct Filter {
    column: &'static str,
    from: Option<Value>,
    to: Option<Value>,
}

impl Filter {
    /// Adds it. Only where it `leads` is it written so that its index is found: the databases do not know by themselves what is rare.
    fn ask(&self, conditions: &mut Conditions, leads: bool) {
        let place = match (leads, self.column) {
            (true, column) => format!("a.{column}"),
            (false, "at") => "a.at + 0".to_owned(),
            (false, column) => format!("a.{column} || ''"),
        };
        for (sign, bound) in [(">=", &self.from), ("<", &self.to)] {
            if let Some(bound) = bound {
                conditions.compare(&place, sign, bound.clone());
            }
        }
    }
}

/// The filters that are given.
fn filters(query: &AuditQuery) -> Vec<Filter> {
    let texts = [("target", &query.target), ("actor", &query.actor), ("action", &query.action)];
    let mut filters: Vec<Filter> = texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(column, text)| Filter { column, from: Some(text.as_str().into()), to: Some(end_of(text).into()) })
        .collect();
    if query.from.is_some() || query.to.is_some() {
        filters.push(Filter { column: "at", from: query.from.map(Value::from), to: query.to.map(Value::from) });
    }
    filters
}

/// The column of the first filter that finds few rows.
async fn rarest(tx: &mut Tx, tenant: &str, query: &AuditQuery) -> R<Option<&'static str>> {
    for filter in filters(query) {
        let mut conditions = Conditions::new("a.tenant = $1", tenant);
        filter.ask(&mut conditions, true);
        conditions.values.push((RARE + 1).into());
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 AS one FROM audit AS a WHERE {} LIMIT ${}) AS few",
            conditions.sql,
            conditions.values.len()
        );
        let rows = tx.query_built(sql, &conditions.values).await?;
        if rows.first().map(|row| row.int(0)).transpose()?.is_some_and(|count| count <= RARE) {
            return Ok(Some(filter.column));
        }
    }
    Ok(None)
}

impl Database {
    /// Appends a row to a tenant's audit trail, or to the installation's.
    pub async fn audit(
        &self,
        access: &Access,
        actor: &str,
        action: &str,
        target: &str,
        detail: &serde_json::Value,
    ) -> R<()> {
        let tenant = access.setting().0.to_owned();
        let (actor, action, target) = (actor.to_owned(), action.to_owned(), target.to_owned());
        let detail = detail.to_string();
        self.write(access.clone(), "audit", move |tx| {
            Box::pin(async move { append(tx, &tenant, &actor, &action, &target, &detail).await })
        })
        .await
    }

    /// The audit trail after a row, oldest first.
    pub async fn audit_after(&self, access: &Access, number: i64, limit: u32) -> R<Vec<AuditRow>> {
        let tenant = access.setting().0.to_owned();
        self.read(access.clone(), "audit_after", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .query(
                        "SELECT number, at, actor, action, target, detail, hash FROM audit
                         WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3",
                        &[tenant.into(), number.into(), limit.into()],
                    )
                    .await?;
                rows.iter().map(audit_row).collect()
            })
        })
        .await
    }

    /// Rows of the audit trail, newest first.
    pub async fn list_audit(&self, access: &Access, query: AuditQuery) -> R<Vec<AuditRow>> {
        let access = access.clone();
        self.read(access.clone(), "list_audit", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0;
                let rare = rarest(tx, tenant, &query).await?;
                let mut conditions = Conditions::new("a.tenant = $1", tenant);
                for filter in filters(&query) {
                    filter.ask(&mut conditions, rare == Some(filter.column));
                }
                // What is not led by an index of its own is walked, newest first, until the page is full.
                let number = if rare.is_some() { "a.number + 0" } else { "a.number" };
                conditions.compare(number, "<", query.before.unwrap_or(i64::MAX));
                conditions.values.push(query.limit.into());
                let sql = format!(
                    "SELECT a.number, a.at, a.actor, a.action, a.target, a.detail, a.hash FROM audit AS a WHERE {}
                     ORDER BY {number} DESC LIMIT ${}",
                    conditions.sql,
                    conditions.values.len()
                );
                tx.query_built(sql, &conditions.values).await?.iter().map(audit_row).collect()
            })
        })
        .await
    }

    /// Whether the whole audit trail is as it was written: the number of the first row that is not, `None` if all are.
    pub async fn verify_audit(&self, access: &Access) -> R<Option<i64>> {
        Ok(self.audit_chain(access).await?.altered)
    }

    /// Reads a tenant's whole audit trail, or the installation's, and works its chain out anew.
    pub async fn audit_chain(&self, access: &Access) -> R<AuditChain> {
        let tenant = access.setting().0.to_owned();
        let mut chain = AuditChain::default();
        loop {
            let rows = self.audit_after(access, chain.rows, 1000).await?;
            if rows.is_empty() {
                return Ok(chain);
            }
            for row in rows {
                chain.rows += 1;
                if row.number != chain.rows || row.hash != row.chained(&tenant, &chain.head) {
                    return Ok(AuditChain { altered: Some(chain.rows), ..chain });
                }
                chain.head = row.hash;
            }
        }
    }
}
