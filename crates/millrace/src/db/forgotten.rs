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

/// Why something is held where a forgotten key has left.
fn has_left(gone: &str) -> String {
    format!(
        "the warehouse has shipped {gone}, which a lost journal had asked for: see whether what is still to be sent has left with \
         it, then release the order, or cancel it"
    )
}

/// Why something is held where there is a forgotten key of which nothing has left.
fn is_there(gone: &str) -> String {
    format!(
        "the warehouse has {gone}, which a lost journal had asked for: see whether what is still to be sent leaves with it, or have \
         it cancelled there; then settle the exception about {gone}, and release the order or cancel it"
    )
}

/// Holds back what is still to be sent of these orders where the warehouse has, or has shipped, something of them that was
/// forgotten, until a person has looked. Nothing where no journal was ever lost.
async fn hold(tx: &mut Tx, key: &ConnectionKey, orders: &BTreeSet<OrderId>) -> R<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let Some(lost) = safety::load(tx).await?.lost else { return Ok(()) };
    let first = lost.windows().map(|(since, _)| since).min().unwrap_or(lost.since);
    let requests = tx
        .among(
            "SELECT key, order_ref FROM request WHERE tenant = $1 AND merchant = $2 AND live = 1 AND order_ref IN (",
            ")",
            &scope_values(&key.scope),
            orders,
        )
        .await?;
    let mut asked: BTreeMap<&str, BTreeSet<OrderId>> = BTreeMap::new();
    for row in &requests {
        asked.entry(key::of_order(row.text(0)?)).or_default().insert(row.parsed(1)?);
    }
    if asked.is_empty() {
        return Ok(());
    }
    let [tenant, merchant, connection] = key_values(key);
    // An order may have been sent through another of the merchant's connections before the loss.
    let there = tx
        .query(
            "SELECT DISTINCT key, CAST(1 AS BIGINT) FROM shipment
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND request IS NULL AND created_at >= $4
             UNION ALL
             SELECT subject, CAST(0 AS BIGINT) FROM exception
             WHERE tenant = $1 AND merchant = $2 AND kind = $5 AND resolved_at IS NULL",
            &[tenant, merchant, connection, first.into(), FORGOTTEN.into()],
        )
        .await?;
    for row in &there {
        let gone = row.text(0)?;
        let why = if row.flag(1)? { has_left(gone) } else { is_there(gone) };
        for order in asked.get(key::of_order(gone)).into_iter().flatten() {
            hold_rest(tx, &key.scope, order, &why).await?;
        }
    }
    Ok(())
}

/// Whether a request is asked for, or was: one that was given up or refused before it was sent is not.
macro_rules! asked_for {
    () => {
        "(r.live = 1 OR r.retired = 1) AND NOT EXISTS (SELECT 1 FROM effect AS e WHERE e.tenant = r.tenant
             AND e.merchant = r.merchant AND e.request_ref = r.id AND e.kind = 'submit_request' AND e.state = 'refused')"
    };
}

/// The beginning of what settles exceptions about forgotten keys.
macro_rules! settles {
    () => {
        "UPDATE exception SET resolved_at = $5, resolved_by = 'millrace' WHERE tenant = $1 AND merchant = $2
             AND connection = $3 AND kind = $4 AND resolved_at IS NULL AND "
    };
}

/// Something here has asked for these keys, where it has: they are forgotten no more. The orders that were held for that.
pub(super) async fn known_again(tx: &mut Tx, key: &ConnectionKey, keys: &BTreeSet<String>) -> R<BTreeSet<OrderId>> {
    let settling = concat!(
        settles!(),
        "EXISTS (SELECT 1 FROM request AS r WHERE r.tenant = $1 AND r.merchant = $2 AND r.connection = $3
             AND r.key = exception.subject AND ",
        asked_for!(),
        ") AND subject IN ("
    );
    settle(tx, key, settling, keys).await
}

/// Something of these orders was planned, under these keys: what is there under one of them is no more forgotten, and what else
/// is there of the orders holds them. Once: what a person has released since goes. The orders that waited for the former.
pub(super) async fn planned(
    tx: &mut Tx,
    key: &ConnectionKey,
    keys: &BTreeSet<String>,
    orders: &BTreeSet<OrderId>,
) -> R<BTreeSet<OrderId>> {
    if orders.is_empty() || safety::load(tx).await?.lost.is_none() {
        return Ok(BTreeSet::new());
    }
    let freed = known_again(tx, key, keys).await?;
    hold(tx, key, orders).await?;
    Ok(freed)
}

/// Something has left under these keys, which nothing here has asked for: what is there under them is known by that from now on,
/// and what is still to be sent of their orders is held for it. Those orders.
pub(super) async fn left(tx: &mut Tx, key: &ConnectionKey, keys: &BTreeSet<String>) -> R<BTreeSet<OrderId>> {
    settle(tx, key, concat!(settles!(), "subject IN ("), keys).await?;
    hold_orders_of(tx, key, keys).await
}

/// Holds back what is still to be sent of the orders that these keys name, through whichever of the merchant's connections. Those
/// orders.
async fn hold_orders_of(tx: &mut Tx, key: &ConnectionKey, keys: &BTreeSet<String>) -> R<BTreeSet<OrderId>> {
    let numbers: BTreeSet<i64> = keys.iter().filter_map(|one| key::order_id(one)).collect();
    let rows = tx
        .among(
            "SELECT id FROM orders WHERE tenant = $1 AND merchant = $2 AND order_id IN (",
            ")",
            &scope_values(&key.scope),
            numbers,
        )
        .await?;
    let orders = rows.iter().map(|row| row.parsed(0)).collect::<R<BTreeSet<OrderId>>>()?;
    hold(tx, key, &orders).await?;
    Ok(orders)
}

/// Settles exceptions about these keys, and takes back what was held for them alone.
async fn settle(
    tx: &mut Tx,
    key: &ConnectionKey,
    settling: &'static str,
    keys: &BTreeSet<String>,
) -> R<BTreeSet<OrderId>> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let settled = tx
        .among(
            settling,
            ") RETURNING id, subject",
            &[tenant.clone(), merchant.clone(), connection, FORGOTTEN.into(), now.into()],
            keys,
        )
        .await?;
    let mut freed = BTreeSet::new();
    for row in &settled {
        tx.event("exception", row.text(0)?, "resolved");
        let why = is_there(row.text(1)?);
        let orders = tx
            .query(
                "UPDATE orders SET held_reason = CASE WHEN held_reason = $3 THEN NULL
                     ELSE replace(replace(held_reason, '; ' || $3, ''), $3 || '; ', '') END
                 WHERE tenant = $1 AND merchant = $2 AND replace(held_reason, $3, '') <> held_reason RETURNING id",
                &[tenant.clone(), merchant.clone(), why.into()],
            )
            .await?;
        for row in &orders {
            freed.insert(row.parsed(0)?);
        }
    }
    Ok(freed)
}

impl Database {
    /// The first of the keys that the warehouse has and that a lost journal had asked for, while nobody has settled it.
    pub async fn forgotten(&self, key: &ConnectionKey) -> R<Option<String>> {
        let key = key.clone();
        self.read(&key.clone(), "forgotten", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT subject FROM exception WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND kind = $4 AND resolved_at IS NULL ORDER BY subject LIMIT 1",
                        &[tenant, merchant, connection, FORGOTTEN.into()],
                    )
                    .await?;
                row.map(|row| row.string(0)).transpose()
            })
        })
        .await
    }

    /// Keeps which of the keys that the warehouse has nothing here has asked for, each as an exception, and holds back what is
    /// still to be sent of their orders. Which keys they are.
    pub async fn keep_forgotten(&self, key: &ConnectionKey, there: BTreeSet<String>) -> R<Vec<String>> {
        let key = key.clone();
        self.write(&key.clone(), "keep_forgotten", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let own = [tenant.clone(), merchant.clone(), connection.clone()];
                let mut forgotten = there.clone();
                // Another connection to the same warehouse may have asked for it.
                let asked = tx
                    .among(
                        concat!(
                            "SELECT r.key FROM request AS r WHERE r.tenant = $1 AND r.merchant = $2 AND r.connection IN (
                                 SELECT c.id FROM connection AS c JOIN connection AS own ON own.tenant = c.tenant
                                     AND own.merchant = c.merchant AND own.warehouse = c.warehouse
                                 WHERE c.tenant = $1 AND c.merchant = $2 AND own.id = $3) AND ",
                            asked_for!(),
                            " AND r.key IN ("
                        ),
                        ")",
                        &own,
                        &there,
                    )
                    .await?;
                let left = tx
                    .among(
                        "SELECT key FROM shipment WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND key IN (",
                        ")",
                        &own,
                        &there,
                    )
                    .await?;
                for row in asked.iter().chain(&left) {
                    forgotten.remove(row.text(0)?);
                }
                for gone in &forgotten {
                    let reason = format!(
                        "the warehouse has {gone}, which nothing here has asked for: a journal that was lost had. See in the \
                         order whether it is still wanted, have it cancelled at the warehouse if it is not, then settle this. \
                         What is still to be sent of the order is held until you release it, and counts of what is \
                         available wait until this is settled"
                    );
                    inbox::raise(tx, &key, FORGOTTEN, gone, &reason, None).await?;
                }
                // What settled itself before and is forgotten once more, by another loss.
                tx.among(
                    "UPDATE exception SET resolved_at = NULL, resolved_by = NULL WHERE tenant = $1 AND merchant = $2
                         AND connection = $3 AND kind = $4 AND resolved_by = 'millrace' AND subject IN (",
                    ")",
                    &[tenant, merchant, connection, FORGOTTEN.into()],
                    &forgotten,
                )
                .await?;
                let orders = hold_orders_of(tx, &key, &forgotten).await?;
                facts::refresh(tx, &key.scope, &orders).await?;
                Ok(forgotten.into_iter().collect())
            })
        })
        .await
    }
}
