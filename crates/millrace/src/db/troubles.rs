//! What could not be used, cannot go on, or waits for a person, counted by its reason.

use engine::order::OrderState;
use jiff::Timestamp;

use super::{
    Access, ConnectionKey, Database, R, Scope,
    lists::Conditions,
    sql::{Row, Tx},
};

/// Of what kind something is that needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// Orders in the state *error*.
    OrderError,
    /// Orders that are held by what they lack, and by no person.
    OrderHeld,
    /// Inputs that could not be used, shipments of unknown orders.
    Exception,
    /// Changes that a remote system has refused.
    Refused,
    /// Changes whose outcome nobody knows, or that clash with what is there.
    Unclear,
}

impl TroubleKind {
    /// Every kind, the most pressing first.
    pub const ALL: [Self; 5] = [Self::OrderError, Self::OrderHeld, Self::Exception, Self::Refused, Self::Unclear];

    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderError => "order_error",
            Self::OrderHeld => "order_held",
            Self::Exception => "exception",
            Self::Refused => "change_refused",
            Self::Unclear => "change_unclear",
        }
    }

    /// Where they are, and which of what is there.
    fn among(self) -> (&'static str, &'static str) {
        match self {
            Self::OrderError => ("orders AS t", ORDER_ERROR),
            Self::OrderHeld => ("orders AS t", ORDER_HELD),
            Self::Exception => ("exception AS t", "t.resolved_at IS NULL"),
            Self::Refused => ("effect AS t", "t.state = 'refused'"),
            Self::Unclear => ("effect AS t", "t.state IN ('parked', 'conflict')"),
        }
    }

    /// The reason, and the time of it.
    fn why(self) -> (&'static str, &'static str) {
        match self {
            Self::OrderError | Self::OrderHeld => ("t.state_reason", "t.changed_at"),
            Self::Exception => ("t.kind || ': ' || t.reason", "t.at"),
            Self::Refused => ("t.kind || ': ' || t.note", "t.changed_at"),
            Self::Unclear => ("t.kind || ' ' || t.state || ': ' || t.note", "t.changed_at"),
        }
    }
}

/// Things of one connection that show the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Of what kind.
    pub kind: TroubleKind,
    /// Whose.
    pub key: ConnectionKey,
    /// In full.
    pub reason: String,
    /// How many.
    pub count: i64,
    /// Since when the oldest of them.
    pub first_at: Timestamp,
    /// Since when the newest.
    pub last_at: Timestamp,
    /// Ids of two of them at most.
    pub examples: Vec<String>,
}

/// Orders that failed, as `t`. The column `stuck_by` says of each order whether it needs a person, and stands for its reason.
const ORDER_ERROR: &str = "t.state = 'error' AND t.stuck_by IS NOT NULL";

/// Orders that are held by what they lack, as `t`.
const ORDER_HELD: &str = "t.state = 'held' AND t.stuck_by IS NOT NULL";

/// Reasons looked at of one kind.
const MOST_REASONS: i64 = 2_000;

const SAME_CONNECTION: &str = "AND t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id";

/// Orders that are stuck by one of these reasons, in the words of the index. PostgreSQL has no reason there, but a hash of it.
fn stuck_by(tx: &Tx, places: &[String]) -> String {
    let kept = |place: &String| match tx.is_postgres() {
        true => format!("hashtextextended({place}, 0)::TEXT || ' ' || hashtextextended({place}, 1)::TEXT"),
        false => place.clone(),
    };
    format!("AND t.stuck_by IN ({})", places.iter().map(kept).collect::<Vec<_>>().join(", "))
}

fn key(row: &Row) -> R<ConnectionKey> {
    Ok(ConnectionKey { scope: Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? }, connection: row.parsed(2)? })
}

/// What shows one reason, the most of it first: whose it is (three columns), the connection's name, the reason, how many, the times
/// of the first and the last, and the ids of one and another.
pub(super) async fn by_reason(tx: &mut Tx, access: &Access, kind: TroubleKind, most: i64) -> R<Vec<Row>> {
    let ((table, condition), (reason, at)) = (kind.among(), kind.why());
    let (sql, conditions) = if kind.order_state().is_some() {
        let mut conditions = Conditions::of(access, "t");
        conditions.values.push(most.into());
        // Counted in the index alone; the reason is read of one order of each.
        let sql = format!(
            "SELECT c.tenant, c.merchant, c.id, c.name, o.state_reason, g.times, g.first_at, g.last_at, g.one, g.other
             FROM (SELECT t.tenant, t.merchant, t.connection, t.stuck_by, count(*) AS times, min({at}) AS first_at,
                     max({at}) AS last_at, min(t.id) AS one, max(t.id) AS other
                 FROM {table} WHERE {condition} AND {} GROUP BY t.tenant, t.merchant, t.connection, t.stuck_by
                 ORDER BY 5 DESC, 8 LIMIT ${}) AS g
             CROSS JOIN orders AS o CROSS JOIN connection AS c
             WHERE o.tenant = g.tenant AND o.merchant = g.merchant AND o.id = g.one
                 AND c.tenant = g.tenant AND c.merchant = g.merchant AND c.id = g.connection
             ORDER BY g.times DESC, g.one",
            conditions.sql,
            conditions.values.len()
        );
        (sql, conditions)
    } else {
        let mut conditions = Conditions::of(access, "c");
        conditions.values.push(most.into());
        let sql = format!(
            "SELECT c.tenant, c.merchant, c.id, c.name, {reason}, count(*), min({at}), max({at}), min(t.id), max(t.id)
             FROM connection AS c JOIN {table} ON {condition} {SAME_CONNECTION}
             WHERE {} GROUP BY c.tenant, c.merchant, c.id, c.name, {reason} ORDER BY 6 DESC, 9 LIMIT ${}",
            conditions.sql,
            conditions.values.len()
        );
        (sql, conditions)
    };
    tx.query_built(sql, &conditions.values).await
}

async fn of_kind(tx: &mut Tx, access: &Access, kind: TroubleKind) -> R<Vec<Trouble>> {
    let rows = by_reason(tx, access, kind, MOST_REASONS).await?;
    rows.iter()
        .map(|row| {
            Ok(Trouble {
                kind,
                key: key(row)?,
                reason: row.string(4)?,
                count: row.int(5)?,
                first_at: row.time(6)?,
                last_at: row.time(7)?,
                examples: one_and_another(row)?,
            })
        })
        .collect()
}

/// Ids of the first and the last thing of a row by reason.
pub(super) fn one_and_another(row: &Row) -> R<Vec<String>> {
    let mut ids = vec![row.string(8)?, row.string(9)?];
    ids.dedup();
    Ok(ids)
}

impl Database {
    /// What needs a person, counted by connection and reason.
    pub async fn troubles(&self, access: &Access) -> R<Vec<Trouble>> {
        let access = access.clone();
        self.read(access.clone(), "troubles", move |tx| {
            Box::pin(async move {
                let mut found = Vec::new();
                for kind in TroubleKind::ALL {
                    found.extend(of_kind(tx, &access, kind).await?);
                }
                Ok(found)
            })
        })
        .await
    }

    /// Those of one connection and kind that show one of these reasons: their ids, oldest first.
    pub async fn troubled(
        &self,
        key: &ConnectionKey,
        kind: TroubleKind,
        reasons: Vec<String>,
        limit: u32,
    ) -> R<Vec<String>> {
        let key = key.clone();
        self.read(&key.clone(), "troubled", move |tx| {
            Box::pin(async move {
                let ((table, condition), (reason, _)) = (kind.among(), kind.why());
                let mut conditions = Conditions::of(&Access::from(&key), "c");
                conditions.and("c", "id =", &key.connection);
                let mut places = Vec::with_capacity(reasons.len());
                for one in reasons {
                    conditions.values.push(one.into());
                    places.push(format!("${}", conditions.values.len()));
                }
                if places.is_empty() {
                    return Ok(Vec::new());
                }
                let stuck_by = match kind.order_state() {
                    Some(_) => stuck_by(tx, &places),
                    None => String::new(),
                };
                conditions.values.push(limit.into());
                let sql = format!(
                    "SELECT t.id FROM connection AS c JOIN {table} ON {condition} {SAME_CONNECTION}
                     WHERE {} AND {reason} IN ({}) {stuck_by} ORDER BY t.id LIMIT ${}",
                    conditions.sql,
                    places.join(", "),
                    conditions.values.len()
                );
                tx.query_built(sql, &conditions.values).await?.iter().map(|row| row.string(0)).collect()
            })
        })
        .await
    }

    /// How many things need a person, by kind; orders are counted by their state.
    pub async fn count_troubles(&self, access: &Access) -> R<Vec<(TroubleKind, i64)>> {
        let access = access.clone();
        self.read(access.clone(), "count_troubles", move |tx| {
            Box::pin(async move {
                let mut counted = Vec::new();
                for kind in [TroubleKind::Exception, TroubleKind::Refused, TroubleKind::Unclear] {
                    let (table, condition) = kind.among();
                    // By their state and no more: with their connections, SQLite would count through all that there are.
                    let conditions = Conditions::of(&access, "t");
                    let sql = format!("SELECT count(*) FROM {table} WHERE {condition} AND {}", conditions.sql);
                    let rows = tx.query_built(sql, &conditions.values).await?;
                    counted.push((kind, rows.first().map_or(Ok(0), |row| row.int(0))?));
                }
                Ok(counted)
            })
        })
        .await
    }
}

impl TroubleKind {
    /// The state of its orders, where it is about orders.
    pub fn order_state(self) -> Option<OrderState> {
        match self {
            Self::OrderError => Some(OrderState::Error),
            Self::OrderHeld => Some(OrderState::Held),
            Self::Exception | Self::Refused | Self::Unclear => None,
        }
    }
}
