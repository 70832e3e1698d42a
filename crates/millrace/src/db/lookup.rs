//! Finding one thing by its id, within what the asker may see.

use connect::{EffectId, OrderId, RequestId, ShipmentId};

use super::{
    Access, ConnectionKey, Database, DbError, EffectView, ExceptionRow, Page, R, Scope, ShipmentView,
    lists::Conditions,
    queries::{self, EFFECT, SHIPMENT},
    sql::{Row, Tx, Value},
};

/// An order, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOrder {
    /// Whose, and which connection's.
    pub key: ConnectionKey,
    /// The hub's id.
    pub id: OrderId,
    /// The source's order id.
    pub order_id: i64,
}

/// A shipment, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundShipment {
    /// Whose, and which connection's.
    pub key: ConnectionKey,
    /// As in lists.
    pub view: ShipmentView,
    /// The request it belongs to, once known.
    pub request: Option<RequestId>,
    /// Its effects, oldest first.
    pub effects: Vec<EffectView>,
}

/// An effect, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEffect {
    /// Whose, and which connection's.
    pub key: ConnectionKey,
    /// As in lists.
    pub view: EffectView,
    /// The connector's own JSON, frozen.
    pub body: String,
}

/// An exception with the connection it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundException {
    /// Whose, and which connection's.
    pub key: ConnectionKey,
    /// What it says.
    pub row: ExceptionRow,
}

/// Limits a query to what may be seen: `$1` is the tenant, `$2` the merchants or `*`; see [`Access::setting`].
const SEEN: &str = "t.tenant = $1 AND ($2 = '*' OR replace($2, t.merchant, '') <> $2)";

fn seen(access: &Access) -> [Value; 2] {
    let (tenant, merchant) = access.setting();
    [tenant.into(), merchant.into()]
}

pub(super) fn key(row: &Row) -> R<ConnectionKey> {
    Ok(ConnectionKey { scope: Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? }, connection: row.parsed(2)? })
}

async fn key_of(tx: &mut Tx, access: &Access, table: &'static str, id: &str) -> R<Option<ConnectionKey>> {
    let [tenant, merchant] = seen(access);
    let sql = format!("SELECT t.tenant, t.merchant, t.connection FROM {table} AS t WHERE {SEEN} AND t.id = $3");
    tx.query_built(sql, &[tenant, merchant, id.into()]).await?.first().map(key).transpose()
}

impl Database {
    /// The order of this id, or the newest imported one with this number at the source.
    pub async fn find_order(&self, access: &Access, named: &str) -> R<FoundOrder> {
        let (access, named) = (access.clone(), named.to_owned());
        self.read(access.clone(), "find_order", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = seen(&access);
                let by_id = named.parse::<OrderId>().is_ok();
                let number = named.parse::<i64>().ok();
                let (condition, value): (&str, Value) = match (by_id, number) {
                    (true, _) => ("t.id = $3", (&named).into()),
                    (false, Some(number)) => ("t.order_id = $3", number.into()),
                    (false, None) => return Err(DbError::NotFound(format!("order {named:?}"))),
                };
                let sql = format!(
                    "SELECT t.tenant, t.merchant, t.connection, t.id, t.order_id FROM orders AS t
                     WHERE {SEEN} AND {condition} ORDER BY t.id DESC LIMIT 1"
                );
                let rows = tx.query_built(sql, &[tenant, merchant, value]).await?;
                let row = rows.first().ok_or_else(|| DbError::NotFound(format!("order {named:?}")))?;
                Ok(FoundOrder { key: key(row)?, id: row.parsed(3)?, order_id: row.int(4)? })
            })
        })
        .await
    }

    /// The shipment of this id, with its effects.
    pub async fn find_shipment(&self, access: &Access, id: &ShipmentId) -> R<FoundShipment> {
        let (access, id) = (access.clone(), id.clone());
        self.read(access.clone(), "find_shipment", move |tx| {
            Box::pin(async move {
                let missing = || DbError::NotFound(format!("shipment {id}"));
                let key = key_of(tx, &access, "shipment", id.as_str()).await?.ok_or_else(missing)?;
                let of = [(&key.scope.tenant).into(), (&key.scope.merchant).into(), (&id).into()];
                let sql = format!(
                    "SELECT {SHIPMENT}, s.request FROM shipment AS s WHERE s.tenant = $1 AND s.merchant = $2 AND s.id = $3"
                );
                let rows = tx.query_built(sql, &of).await?;
                let row = rows.first().ok_or_else(missing)?;
                let (view, request) = (queries::shipment_view(row)?, row.opt_parsed(7)?);
                let sql = format!(
                    "SELECT {EFFECT} FROM effect AS e
                     WHERE e.tenant = $1 AND e.merchant = $2 AND e.shipment_ref = $3 ORDER BY e.id"
                );
                let effects = tx.query_built(sql, &of).await?.iter().map(queries::effect_view).collect::<R<_>>()?;
                Ok(FoundShipment { key, view, request, effects })
            })
        })
        .await
    }

    /// The effect of this id.
    pub async fn find_effect(&self, access: &Access, id: &EffectId) -> R<FoundEffect> {
        let (access, id) = (access.clone(), id.clone());
        self.read(access.clone(), "find_effect", move |tx| {
            Box::pin(async move {
                let missing = || DbError::NotFound(format!("effect {id}"));
                let key = key_of(tx, &access, "effect", id.as_str()).await?.ok_or_else(missing)?;
                let of = [(&key.scope.tenant).into(), (&key.scope.merchant).into(), (&id).into()];
                let sql = format!(
                    "SELECT {EFFECT}, e.body FROM effect AS e WHERE e.tenant = $1 AND e.merchant = $2 AND e.id = $3"
                );
                let rows = tx.query_built(sql, &of).await?;
                let row = rows.first().ok_or_else(missing)?;
                Ok(FoundEffect { key, view: queries::effect_view(row)?, body: row.string(13)? })
            })
        })
        .await
    }

    /// Which connection's the stock run of this id is.
    pub async fn find_run(&self, access: &Access, id: &str) -> R<ConnectionKey> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "find_run", move |tx| {
            Box::pin(async move {
                let found = key_of(tx, &access, "stock_run", &id).await?;
                found.ok_or_else(|| DbError::NotFound(format!("stock run {id:?}")))
            })
        })
        .await
    }

    /// Which connection's the exception of this id is.
    pub async fn find_exception(&self, access: &Access, id: &str) -> R<ConnectionKey> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "find_exception", move |tx| {
            Box::pin(async move {
                let found = key_of(tx, &access, "exception", &id).await?;
                found.ok_or_else(|| DbError::NotFound(format!("exception {id:?}")))
            })
        })
        .await
    }

    /// Exceptions of all connections or of one, newest first.
    pub async fn list_exceptions(
        &self,
        access: &Access,
        connection: Option<&ConnectionKey>,
        resolved: bool,
        after: Option<&str>,
        limit: u32,
    ) -> R<Page<FoundException>> {
        let (access, connection, after) = (access.clone(), connection.cloned(), after.map(str::to_owned));
        self.read(access.clone(), "list_exceptions", move |tx| {
            Box::pin(async move {
                let mut conditions = Conditions::of(&access, "t");
                if let Some(key) = &connection {
                    conditions.and("t", "connection =", &key.connection);
                }
                if !resolved {
                    conditions.sql.push_str(" AND t.resolved_at IS NULL");
                }
                let wanted = conditions.page("t", after, limit);
                let sql = format!(
                    "SELECT t.tenant, t.merchant, t.connection, t.id, t.kind, t.subject, t.reason, t.at, t.resolved_at,
                         t.resolved_by
                     FROM exception AS t WHERE {wanted}"
                );
                let rows = tx.query_built(sql, &conditions.values).await?;
                let mut items = Vec::with_capacity(rows.len());
                for row in &rows {
                    items.push(FoundException {
                        key: key(row)?,
                        row: ExceptionRow {
                            id: row.string(3)?,
                            kind: row.string(4)?,
                            subject: row.string(5)?,
                            reason: row.string(6)?,
                            content: None,
                            at: row.time(7)?,
                            resolved_at: row.opt_time(8)?,
                            resolved_by: row.opt_string(9)?,
                        },
                    });
                }
                Ok(queries::page(items, limit, |exception| exception.row.id.clone()))
            })
        })
        .await
    }
}
