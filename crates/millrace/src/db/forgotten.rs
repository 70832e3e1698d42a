//! What left under a key that nothing here has asked for, although it is one of the hub's own: a journal that was lost had asked
//! for it (docs/recovery.md). What is still to be sent of such an order may have left with it.

use std::collections::{BTreeMap, BTreeSet};

use connect::OrderId;
use engine::key;

use super::{ConnectionKey, R, effects::key_values, facts::scope_values, orders::hold_rest, safety, sql::Tx};

/// Holds back what is still to be sent of these orders where something of them left that was forgotten, until a person has
/// looked. Nothing where no journal was ever lost.
pub(super) async fn hold(tx: &mut Tx, key: &ConnectionKey, orders: &BTreeSet<OrderId>) -> R<BTreeSet<OrderId>> {
    let mut held = BTreeSet::new();
    if orders.is_empty() {
        return Ok(held);
    }
    let Some(lost) = safety::load(tx).await?.lost else { return Ok(held) };
    let first = lost.windows().map(|(since, _)| since).min().unwrap_or(lost.since);
    let requests = tx
        .among(
            "SELECT key, order_ref FROM request WHERE tenant = $1 AND merchant = $2 AND live = 1 AND order_ref IN (",
            ")",
            &scope_values(&key.scope),
            orders,
        )
        .await?;
    let mut asked: BTreeMap<&str, OrderId> = BTreeMap::new();
    for row in &requests {
        asked.insert(key::of_order(row.text(0)?), row.parsed(1)?);
    }
    if asked.is_empty() {
        return Ok(held);
    }
    let [tenant, merchant, connection] = key_values(key);
    let left = tx
        .query(
            "SELECT DISTINCT key FROM shipment
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND request IS NULL AND created_at >= $4",
            &[tenant, merchant, connection, first.into()],
        )
        .await?;
    for row in &left {
        let gone = row.text(0)?;
        let Some(order) = asked.get(key::of_order(gone)) else { continue };
        let why = format!(
            "the warehouse has shipped {gone}, which a lost journal had asked for: see whether what is still to be sent has \
             left with it, then release the order, or cancel it"
        );
        hold_rest(tx, &key.scope, order, &why).await?;
        held.insert(order.clone());
    }
    Ok(held)
}

/// The same for orders by the source's numbers.
pub(super) async fn hold_by_number(tx: &mut Tx, key: &ConnectionKey, numbers: &BTreeSet<i64>) -> R<BTreeSet<OrderId>> {
    let rows = tx
        .among(
            "SELECT id FROM orders WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id IN (",
            ")",
            &key_values(key),
            numbers.iter().copied(),
        )
        .await?;
    let orders = rows.iter().map(|row| row.parsed(0)).collect::<R<BTreeSet<OrderId>>>()?;
    hold(tx, key, &orders).await
}
