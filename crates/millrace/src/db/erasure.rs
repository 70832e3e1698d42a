//! Erasing people from what is finished. What says that something was done stays (keys, hashes, quantities, references, times), so that
//! nothing is done twice; what says for whom goes.

use connect::{Order, OrderId, ShipmentRequest};
use engine::erasure::{self, ERASED};

use super::{
    Database, R, Scope,
    facts::scope_values,
    payload::{pack, pack_json, unpack_json},
    sql::{Tx, Value, json},
    words,
};

/// Orders in one transaction.
const BATCH: usize = 100;

/// A kept payload that was erased; the guard over frozen payloads knows it, so it is never another.
pub(super) const BODY: &str = r#"{"erased":true}"#;

/// A kept file or page that was erased.
const CONTENT: &[u8] = b"[erased]\n";

/// Finished, with nothing that could be sent or collected again, and with people in it. Read again from the source, an order has them again.
const ERASABLE: &str = "o.tenant = $1 AND o.merchant = $2 AND o.ship_to <> $3
    AND o.state IN ('closed', 'skipped', 'cancelled', 'archived')
    AND NOT EXISTS (SELECT 1 FROM effect AS e WHERE e.tenant = o.tenant AND e.merchant = o.merchant AND e.order_ref = o.id
        AND e.state NOT IN ('applied', 'superseded', 'refused', 'voided'))
    AND NOT EXISTS (SELECT 1 FROM request AS r
        JOIN connection AS c ON c.tenant = r.tenant AND c.merchant = r.merchant AND c.id = r.connection
        JOIN desk_request AS d ON d.tenant = r.tenant AND d.merchant = r.merchant AND d.warehouse = c.warehouse AND d.key = r.key
        WHERE r.tenant = o.tenant AND r.merchant = o.merchant AND r.order_ref = o.id AND d.state IN ('waiting', 'acknowledged'))";

/// How much of a merchant's data has people in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erasable {
    /// Finished orders.
    pub orders: i64,
    /// Orders that are not finished, or of which something may still be sent: they keep their people.
    pub in_flight: i64,
    /// Files and pages of warehouses, kept as they came.
    pub inputs: i64,
    /// Inputs that could not be used and that somebody has dealt with.
    pub exceptions: i64,
}

impl Database {
    /// How much erasing would erase now.
    pub async fn erasable(&self, scope: &Scope) -> R<Erasable> {
        let scope = scope.clone();
        self.read(&scope.clone(), "erasable", move |tx| Box::pin(async move { count(tx, &scope).await })).await
    }

    /// Erases people from some of the finished orders. How many; none when there are no more.
    pub async fn erase_orders(&self, scope: &Scope) -> R<usize> {
        let scope = scope.clone();
        self.write(&scope.clone(), "erase_orders", move |tx| {
            Box::pin(async move {
                let orders = take(tx, &scope).await?;
                for (id, order) in &orders {
                    put(tx, &scope, id, order).await?;
                }
                let found_by: Vec<(OrderId, String)> =
                    orders.iter().map(|(id, order)| (id.clone(), words::line_of(order, ""))).collect();
                words::keep(tx, &scope, "order", true, &found_by).await?;
                Ok(orders.len())
            })
        })
        .await
    }

    /// Erases the content of kept files and pages, and of inputs that somebody has dealt with. What they were called, when they came
    /// and their hashes stay, so that they are known when they come again.
    pub async fn erase_inputs(&self, scope: &Scope) -> R<()> {
        let scope = scope.clone();
        self.write(&scope.clone(), "erase_inputs", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                tx.execute(
                    "UPDATE input SET content = $3 WHERE tenant = $1 AND merchant = $2 AND content <> $3",
                    &[tenant.clone(), merchant.clone(), pack(CONTENT)?.into()],
                )
                .await?;
                tx.execute(
                    "UPDATE exception SET content = NULL
                     WHERE tenant = $1 AND merchant = $2 AND content IS NOT NULL AND resolved_at IS NOT NULL",
                    &[tenant, merchant],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn count(tx: &mut Tx, scope: &Scope) -> R<Erasable> {
    let [tenant, merchant] = scope_values(scope);
    let of = [tenant.clone(), merchant.clone(), ERASED.into()];
    let number = |rows: Vec<super::sql::Row>| rows.first().map_or(Ok(0), |row| row.int(0));
    let orders = number(tx.query_built(format!("SELECT count(*) FROM orders AS o WHERE {ERASABLE}"), &of).await?)?;
    let all = "SELECT count(*) FROM orders AS o WHERE o.tenant = $1 AND o.merchant = $2 AND o.ship_to <> $3";
    let all = number(tx.query(all, &of).await?)?;
    let inputs = "SELECT count(*) FROM input WHERE tenant = $1 AND merchant = $2 AND content <> $3";
    let inputs = number(tx.query(inputs, &[tenant.clone(), merchant.clone(), pack(CONTENT)?.into()]).await?)?;
    let exceptions = "SELECT count(*) FROM exception
        WHERE tenant = $1 AND merchant = $2 AND content IS NOT NULL AND resolved_at IS NOT NULL";
    let exceptions = number(tx.query(exceptions, &[tenant, merchant]).await?)?;
    Ok(Erasable { orders, in_flight: all - orders, inputs, exceptions })
}

/// Some of the erasable orders, as they will be.
async fn take(tx: &mut Tx, scope: &Scope) -> R<Vec<(OrderId, Order)>> {
    let [tenant, merchant] = scope_values(scope);
    // What import writes at the same time is not overwritten with what was read before. SQLite has one writer.
    let lock = if tx.is_postgres() { "FOR UPDATE OF o" } else { "" };
    let sql = format!("SELECT o.id, o.document FROM orders AS o WHERE {ERASABLE} ORDER BY o.id LIMIT {BATCH} {lock}");
    let rows = tx.query_built(sql, &[tenant, merchant, ERASED.into()]).await?;
    rows.iter().map(|row| Ok((row.parsed(0)?, erasure::order(unpack_json(row.blob(1)?)?)))).collect()
}

async fn put(tx: &mut Tx, scope: &Scope, id: &OrderId, order: &Order) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let of: [Value; 3] = [tenant, merchant, id.into()];
    let with = |value: Value| [of.as_slice(), &[value]].concat();
    tx.execute(
        "UPDATE orders SET ship_to = $4, search = $5, document = $6 WHERE tenant = $1 AND merchant = $2 AND id = $3",
        &[of.as_slice(), &[ERASED.into(), words::line_of(order, "").into(), pack_json(order)?.into()]].concat(),
    )
    .await?;
    tx.execute(
        "UPDATE request SET ship_to = $4 WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 AND ship_to IS NOT NULL",
        &with(json(&order.deliver_to)?.into()),
    )
    .await?;
    tx.execute(
        "DELETE FROM order_edit WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 AND field IN ('ship_to', 'notes')",
        &of,
    )
    .await?;
    tx.execute(
        "UPDATE attempt SET capture = NULL WHERE tenant = $1 AND merchant = $2 AND capture IS NOT NULL
             AND effect IN (SELECT id FROM effect WHERE tenant = $1 AND merchant = $2 AND order_ref = $3)",
        &of,
    )
    .await?;
    // Of what the source is told nothing is about people; a warehouse is told where the goods go.
    tx.execute(
        "UPDATE effect SET body = $4 WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 AND side = 'warehouse'",
        &with(BODY.into()),
    )
    .await?;
    off_the_desk(tx, &of).await
}

/// What lay on the desk of a warehouse that calls stays there, without people.
async fn off_the_desk(tx: &mut Tx, of: &[Value; 3]) -> R<()> {
    let there = tx
        .query(
            "SELECT d.warehouse, d.key, d.content FROM request AS r
             JOIN connection AS c ON c.tenant = r.tenant AND c.merchant = r.merchant AND c.id = r.connection
             JOIN desk_request AS d ON d.tenant = r.tenant AND d.merchant = r.merchant AND d.warehouse = c.warehouse
                 AND d.key = r.key
             WHERE r.tenant = $1 AND r.merchant = $2 AND r.order_ref = $3",
            of,
        )
        .await?;
    for row in &there {
        let [tenant, merchant, _] = of.clone();
        let content = pack_json(&erasure::request(unpack_json::<ShipmentRequest>(row.blob(2)?)?))?;
        tx.execute(
            "UPDATE desk_request SET content = $5 WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND key = $4",
            &[tenant, merchant, row.text(0)?.into(), row.text(1)?.into(), content.into()],
        )
        .await?;
    }
    Ok(())
}
