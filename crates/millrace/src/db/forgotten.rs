//! What left, or lies at the warehouse, under a key that nothing here has asked for, although it is one of the hub's own: a journal
//! that was lost had asked for it (docs/recovery.md). What is still to be sent of such an order may leave with it.

use std::collections::{BTreeMap, BTreeSet};

use connect::OrderId;
use engine::key;

use super::{
    ConnectionKey, Database, R,
    effects::key_values,
    facts::{self, scope_values},
    inbox,
    orders::hold_rest,
    safety,
    sql::Tx,
};

/// What an exception about such a key is called, while nothing of it is known to have left.
const FORGOTTEN: &str = "forgotten_request";

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
    let there = tx
        .query(
            "SELECT DISTINCT key, CAST(1 AS BIGINT) FROM shipment
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND request IS NULL AND created_at >= $4
             UNION ALL
             SELECT subject, CAST(0 AS BIGINT) FROM exception
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = $5 AND resolved_at IS NULL",
            &[tenant, merchant, connection, first.into(), FORGOTTEN.into()],
        )
        .await?;
    for row in &there {
        let gone = row.text(0)?;
        let Some(order) = asked.get(key::of_order(gone)) else { continue };
        let why = if row.flag(1)? {
            format!(
                "the warehouse has shipped {gone}, which a lost journal had asked for: see whether what is still to be sent has \
                 left with it, then release the order, or cancel it"
            )
        } else {
            format!(
                "the warehouse has {gone}, which a lost journal had asked for: see whether what is still to be sent leaves with \
                 it, or have it cancelled there; then release the order, or cancel it"
            )
        };
        hold_rest(tx, &key.scope, order, &why).await?;
        held.insert(order.clone());
    }
    Ok(held)
}

/// Nothing is forgotten any more about these keys: something here has asked for them, or what left under them is known.
pub(super) async fn known_again(tx: &mut Tx, key: &ConnectionKey, keys: &BTreeSet<String>) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    tx.among(
        "UPDATE exception SET resolved_at = $5, resolved_by = 'millrace' WHERE tenant = $1 AND merchant = $2
             AND connection = $3 AND kind = $4 AND resolved_at IS NULL AND subject IN (",
        ")",
        &[tenant, merchant, connection, FORGOTTEN.into(), now.into()],
        keys,
    )
    .await?;
    Ok(())
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

impl Database {
    /// Keeps which of the keys that the warehouse has nothing here has asked for, each as an exception, and holds back what is
    /// still to be sent of those of the `orders`, by the source's numbers, that have one. Which keys they are.
    pub async fn keep_forgotten(
        &self,
        key: &ConnectionKey,
        there: BTreeSet<String>,
        orders: BTreeSet<i64>,
    ) -> R<Vec<String>> {
        let key = key.clone();
        self.write(&key.clone(), "keep_forgotten", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let mut forgotten = there.clone();
                // Another connection of the merchant's may have asked for it.
                let asked = tx
                    .among(
                        "SELECT key FROM request WHERE tenant = $1 AND merchant = $2 AND (live = 1 OR retired = 1) AND key IN (",
                        ")",
                        &[tenant.clone(), merchant.clone()],
                        &there,
                    )
                    .await?;
                let left = tx
                    .among(
                        "SELECT key FROM shipment WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND key IN (",
                        ")",
                        &[tenant, merchant, connection],
                        &there,
                    )
                    .await?;
                for row in asked.iter().chain(&left) {
                    forgotten.remove(row.text(0)?);
                }
                for gone in &forgotten {
                    let reason = format!(
                        "the warehouse has {gone}, which this connection has not asked for: the journal that was lost had. See \
                         in the order whether it is still wanted, and have it cancelled at the warehouse if it is not; what \
                         is planned anew of the order waits until you release it"
                    );
                    inbox::raise(tx, &key, FORGOTTEN, gone, &reason, None).await?;
                }
                let held = hold_by_number(tx, &key, &orders).await?;
                facts::refresh(tx, &key.scope, &held).await?;
                Ok(forgotten.into_iter().collect())
            })
        })
        .await
    }
}
