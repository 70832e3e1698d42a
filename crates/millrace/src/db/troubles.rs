//! What could not be used, cannot go on, or waits for a person, counted by its reason.

use engine::order::OrderState;
use jiff::Timestamp;

use super::{
    Access, ConnectionKey, Database, DbError, R,
    lists::Conditions,
    lookup,
    sql::{Tx, Value},
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

/// Things of one connection that show the same reason; but for orders, with whatever figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Of what kind.
    pub kind: TroubleKind,
    /// Whose.
    pub key: ConnectionKey,
    /// In full, of one of them.
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

/// Reasons looked at of one kind; what is beyond is counted by a later look.
pub(super) const MOST_REASONS: i64 = 2_000;

const SAME_CONNECTION: &str = "AND t.tenant = c.tenant AND t.merchant = c.merchant AND t.connection = c.id";

/// A reason with each of its figures as `#`. Reasons that are alike then have one cause ([`engine::alert::cause_of`]), so that a
/// thousand that name a number each are a few rows. SQLite knows no `translate`.
pub(super) fn without_figures(tx: &Tx, reason: &str) -> String {
    if tx.is_postgres() {
        return format!("translate({reason}, '0123456789', '##########')");
    }
    (0..10).fold(reason.to_owned(), |masked, figure| format!("replace({masked}, '{figure}', '#')"))
}

impl TroubleKind {
    /// What is the same for things that are counted together.
    fn alike(self, tx: &Tx) -> String {
        match self {
            Self::OrderError | Self::OrderHeld => "t.stuck_by".to_owned(),
            Self::Exception => "t.alike".to_owned(),
            Self::Refused | Self::Unclear => without_figures(tx, self.why().0),
        }
    }

    /// What that is for a reason. Of orders, PostgreSQL has no reason in the index, but a hash of it.
    fn alike_of(self, tx: &Tx, reason: &str) -> String {
        match self {
            Self::OrderError | Self::OrderHeld if tx.is_postgres() => {
                format!("hashtextextended({reason}, 0)::TEXT || ' ' || hashtextextended({reason}, 1)::TEXT")
            }
            Self::OrderError | Self::OrderHeld => reason.to_owned(),
            Self::Exception | Self::Refused | Self::Unclear => without_figures(tx, reason),
        }
    }
}

/// Counts what [`by_reason`] tells. All in one statement: each one more is a round trip, and they are waited for one after the
/// other.
fn counting(tx: &Tx, access: &Access, kinds: &[TroubleKind]) -> (String, Vec<Value>) {
    // From their connections on, in an order that SQLite keeps: else it goes through all that a tenant has.
    let mut conditions = Conditions::of(access, "c");
    conditions.values.push(MOST_REASONS.into());
    let parts = kinds.iter().enumerate().map(|(place, kind)| {
        let ((table, condition), (reason, at), alike) = (kind.among(), kind.why(), kind.alike(tx));
        // Counted in an index where there is one; the reason is read of one of each.
        format!(
            "SELECT c.tenant, c.merchant, c.id, c.name, {reason}, g.times, g.first_at, g.last_at, g.one, g.other, {place}
             FROM (SELECT c.tenant, c.merchant, c.id AS connection, {alike}, count(*) AS times, min({at}) AS first_at,
                     max({at}) AS last_at, min(t.id) AS one, max(t.id) AS other
                 FROM connection AS c CROSS JOIN {table} WHERE {condition} {SAME_CONNECTION} AND {}
                 GROUP BY c.tenant, c.merchant, c.id, {alike}
                 ORDER BY 5 DESC, 8 LIMIT ${}) AS g
             CROSS JOIN {table} CROSS JOIN connection AS c
             WHERE t.tenant = g.tenant AND t.merchant = g.merchant AND t.id = g.one
                 AND c.tenant = g.tenant AND c.merchant = g.merchant AND c.id = g.connection",
            conditions.sql,
            conditions.values.len()
        )
    });
    let sql = format!("{} ORDER BY 11, 6 DESC, 9", parts.collect::<Vec<_>>().join(" UNION ALL "));
    (sql, conditions.values)
}

/// What shows one reason (but for orders, with whatever figures) with the name of its connection: kind by kind, the most of it
/// first.
pub(super) async fn by_reason(tx: &mut Tx, access: &Access, kinds: &[TroubleKind]) -> R<Vec<(Trouble, String)>> {
    let (sql, values) = counting(tx, access, kinds);
    let rows = tx.query_built(sql, &values).await?;
    rows.iter()
        .map(|row| {
            let kind = usize::try_from(row.int(10)?).ok().and_then(|place| kinds.get(place));
            let mut examples = vec![row.string(8)?, row.string(9)?];
            examples.dedup();
            let trouble = Trouble {
                kind: *kind.ok_or_else(|| DbError::Corrupt("a kind that nobody asked for".to_owned()))?,
                key: lookup::key(row)?,
                reason: row.string(4)?,
                count: row.int(5)?,
                first_at: row.time(6)?,
                last_at: row.time(7)?,
                examples,
            };
            Ok((trouble, row.string(3)?))
        })
        .collect()
}

impl Database {
    /// What needs a person, counted by connection and reason.
    pub async fn troubles(&self, access: &Access) -> R<Vec<Trouble>> {
        let access = access.clone();
        self.read(access.clone(), "troubles", move |tx| {
            Box::pin(async move {
                let found = by_reason(tx, &access, &TroubleKind::ALL).await?;
                Ok(found.into_iter().map(|(trouble, _)| trouble).collect())
            })
        })
        .await
    }

    /// Those of one connection and kind that show one of these reasons, changes with whatever figures: their ids, oldest first.
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
                let (table, condition) = kind.among();
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
                let alike: Vec<String> = places.iter().map(|place| kind.alike_of(tx, place)).collect();
                let shows = format!("{} IN ({})", kind.alike(tx), alike.join(", "));
                conditions.values.push(limit.into());
                let sql = format!(
                    "SELECT t.id FROM connection AS c JOIN {table} ON {condition} {SAME_CONNECTION}
                     WHERE {} AND {shows} ORDER BY t.id LIMIT ${}",
                    conditions.sql,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{DatabaseConfig, Scope};

    /// The steps that SQLite takes are the same however full its tables are.
    #[tokio::test]
    async fn what_needs_a_person_is_counted_connection_by_connection_in_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("plans.db").display());
        let db = Database::open(&DatabaseConfig::new(url)).await.unwrap();
        let tenant = db.create_tenant("North").await.unwrap();
        let merchant = db.create_merchant(&tenant, "Acme").await.unwrap();
        for access in [Access::Tenant(tenant.clone()), Access::Merchant(Scope { tenant, merchant })] {
            for kind in TroubleKind::ALL {
                let whose = access.clone();
                let steps: Vec<String> = db
                    .read(access.clone(), "plan", move |tx| {
                        Box::pin(async move {
                            let (sql, values) = counting(tx, &whose, &[kind]);
                            let steps = tx.query_built(format!("EXPLAIN QUERY PLAN {sql}"), &values).await?;
                            steps.iter().map(|step| step.string(3)).collect()
                        })
                    })
                    .await
                    .unwrap();
                let index = match kind {
                    TroubleKind::OrderError | TroubleKind::OrderHeld => "INDEX orders_stuck",
                    TroubleKind::Exception => "INDEX exception_alike",
                    TroubleKind::Refused | TroubleKind::Unclear => "INDEX effect_by_state",
                };
                // Whose they are comes first, then what it has: the rows of everybody else are not read.
                let whose = steps.iter().position(|step| step.starts_with("SEARCH c USING"));
                let by_index =
                    |step: &String| step.starts_with("SEARCH t USING") && step.contains(&format!("{index} ("));
                let counted = steps.iter().position(by_index);
                assert!(
                    matches!((whose, counted), (Some(whose), Some(counted)) if whose < counted),
                    "{kind:?}: {steps:?}"
                );
                assert!(counted.is_some_and(|step| steps[step].contains("connection=?")), "{kind:?}: {steps:?}");
                assert!(
                    !steps.iter().any(|step| step.starts_with("SCAN t") || step.starts_with("SCAN c")),
                    "{kind:?}: {steps:?}"
                );
            }
        }
    }
}
