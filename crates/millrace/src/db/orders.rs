//! Orders as import knows them, and what people do with them.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, EffectKind, Order, OrderId};
use engine::{effect::EffectState, race::What};

use super::{
    ConnectionKey, Database, DbError, ImportedOrder, KnownOrder, PlannedAs, R, Recorded, Scope, SeenBy, audit,
    effects::{self, key_values},
    facts::{self, Bundle, disposition, scope_values},
    payload::{pack_json, unpack_json},
    races::{self, Patience, RaceRow, Wish, WishOrigin},
    revise,
    sql::Tx,
};

/// Whether one of its submits may have reached the warehouse. For `LIMIT 1 OFFSET 0` see the claim of effects.
const SENT: &str = "EXISTS (SELECT 1 FROM effect AS s
    WHERE s.tenant = o.tenant AND s.merchant = o.merchant AND s.order_ref = o.id AND s.kind = 'submit_request'
        AND s.state NOT IN ('planned', 'not_sent', 'refused', 'voided')
        AND EXISTS (SELECT 1 FROM request AS r
            WHERE r.tenant = s.tenant AND r.merchant = s.merchant AND r.id = s.request_ref AND r.live = 1 LIMIT 1 OFFSET 0)
    LIMIT 1 OFFSET 0)";

/// What is shown on an order of which a part was sent and another, given up, cannot be planned again, begins so.
pub(super) const PART_NOT_SENT: &str = "a part of it was not sent: ";

/// Those of these orders of which a request was given up before it was sent, and which nobody cancelled or put away.
async fn given_up(tx: &mut Tx, scope: &Scope, orders: impl IntoIterator<Item = &OrderId>) -> R<BTreeSet<OrderId>> {
    let rows = tx
        .among(
            "SELECT o.id FROM orders AS o
             WHERE o.tenant = $1 AND o.merchant = $2 AND o.archived = 0
                 AND EXISTS (SELECT 1 FROM request AS r
                     WHERE r.tenant = o.tenant AND r.merchant = o.merchant AND r.order_ref = o.id AND r.live = 0
                         AND r.retired = 0 LIMIT 1 OFFSET 0)
                 AND NOT EXISTS (SELECT 1 FROM race AS c
                     WHERE c.tenant = o.tenant AND c.merchant = o.merchant AND c.order_ref = o.id AND c.what = 'cancel'
                         AND c.origin IN ('status', 'person') AND c.withdrawn = 0
                         AND EXISTS (SELECT 1 FROM request AS q
                             WHERE q.tenant = c.tenant AND q.merchant = c.merchant AND q.id = c.request AND q.retired = 0
                             LIMIT 1 OFFSET 0)
                     LIMIT 1 OFFSET 0)
                 AND o.id IN (",
            ")",
            &scope_values(scope),
            orders,
        )
        .await?;
    rows.iter().map(|row| row.parsed(0)).collect()
}

/// The hub's ids of the source's orders, those that are known.
pub(super) async fn ids(tx: &mut Tx, key: &ConnectionKey, order_ids: &[i64]) -> R<BTreeMap<i64, OrderId>> {
    let rows = tx
        .among(
            "SELECT order_id, id FROM orders WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id IN (",
            ")",
            &key_values(key),
            order_ids.iter().copied(),
        )
        .await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.parsed(1)?))).collect()
}

async fn id(tx: &mut Tx, key: &ConnectionKey, order_id: i64) -> R<OrderId> {
    ids(tx, key, &[order_id]).await?.remove(&order_id).ok_or_else(|| DbError::NotFound(format!("order {order_id}")))
}

async fn bundle(tx: &mut Tx, scope: &Scope, order: &OrderId) -> R<Bundle> {
    let mut bundles = facts::load(tx, scope, &BTreeSet::from([order.clone()])).await?;
    Ok(bundles.remove(order).unwrap_or_default())
}

/// Gives up what was not sent of an order, and its claims when nothing was. Whether something was.
async fn give_up(tx: &mut Tx, key: &ConnectionKey, order_id: i64, bundle: &Bundle, why: &str) -> R<bool> {
    let (sent, unsent): (Vec<_>, Vec<_>) =
        bundle.requests.iter().filter(|request| request.live).partition(|request| bundle.sent(request));
    let submits: Vec<EffectId> =
        unsent.iter().filter_map(|request| bundle.submit(request)).map(|submit| submit.id.clone()).collect();
    effects::void_unsent(tx, key, &submits, why).await?;
    revise::end_requests(tx, &key.scope, unsent.iter().map(|request| &request.id)).await?;
    if sent.is_empty() {
        let [tenant, merchant, connection] = key_values(key);
        tx.execute(
            "DELETE FROM claim WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id = $4",
            &[tenant, merchant, connection, order_id.into()],
        )
        .await?;
    }
    Ok(!sent.is_empty())
}

/// Holds back what of an order is still to be sent, or may come to be sent (what is looked for may not be there, and what waits
/// for a person may be let go again), for a person to look first; nothing where all of it was sent. Where it is held for another
/// reason already, this one is told beside it.
pub(super) async fn hold_rest(tx: &mut Tx, scope: &Scope, order: &OrderId, why: &str) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let held = tx
        .execute(
            "UPDATE orders SET held_reason = CASE WHEN held_reason IS NULL THEN $4 ELSE held_reason || '; ' || $4 END
             WHERE tenant = $1 AND merchant = $2 AND id = $3 AND (held_reason IS NULL OR replace(held_reason, $4, '') = held_reason)
                 AND (seen = '' OR EXISTS (SELECT 1 FROM effect AS e
                     JOIN request AS q ON q.tenant = e.tenant AND q.merchant = e.merchant AND q.id = e.request_ref
                     WHERE e.tenant = $1 AND e.merchant = $2 AND e.order_ref = $3 AND e.kind = 'submit_request'
                         AND e.state NOT IN ('applied', 'voided') AND q.live = 1))",
            &[tenant, merchant, order.into(), why.into()],
        )
        .await?;
    if held > 0 { let_nobody_arm(tx, scope, order).await } else { Ok(()) }
}

/// Whoever has just claimed a submit of this order cannot arm it any more.
async fn let_nobody_arm(tx: &mut Tx, scope: &Scope, order: &OrderId) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    tx.execute(
        "UPDATE effect SET fence = fence + 1, owner = NULL, lease_until = NULL
         WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 AND kind = 'submit_request'
             AND state IN ('planned', 'not_sent')",
        &[tenant, merchant, order.into()],
    )
    .await?;
    Ok(())
}

impl Database {
    /// Has other connections of the same account read these orders again, where they know them.
    pub async fn look_elsewhere(&self, key: &ConnectionKey, account: &str, order_ids: &[i64]) -> R<()> {
        if order_ids.is_empty() {
            return Ok(());
        }
        let (key, account, order_ids) = (key.clone(), account.to_owned(), order_ids.to_vec());
        self.write(&key.clone(), "look_elsewhere", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let marked = tx
                    .among(
                        "UPDATE orders SET seen = '' WHERE tenant = $1 AND merchant = $2 AND connection <> $3 AND account = $4
                             AND order_id IN (",
                        ") RETURNING order_id",
                        &[tenant, merchant, connection, account.into()],
                        order_ids,
                    )
                    .await?;
                tx.wakes.work |= !marked.is_empty();
                Ok(())
            })
        })
        .await
    }

    /// What import already knows of these orders, by the source's order id.
    pub async fn known_orders(&self, key: &ConnectionKey, order_ids: &[i64]) -> R<BTreeMap<i64, KnownOrder>> {
        let (key, order_ids) = (key.clone(), order_ids.to_vec());
        self.read(&key.clone(), "known_orders", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT o.order_id, o.id, o.seen, o.disposition, o.disposition_reason,
                             CASE WHEN EXISTS (SELECT 1 FROM effect AS s
                                 WHERE s.tenant = o.tenant AND s.merchant = o.merchant AND s.order_ref = o.id
                                     AND s.kind = 'submit_request'
                                     AND s.state NOT IN ('planned', 'not_sent', 'refused', 'voided')
                                     AND EXISTS (SELECT 1 FROM request AS r
                                         WHERE r.tenant = s.tenant AND r.merchant = s.merchant AND r.id = s.request_ref
                                             AND r.live = 1 LIMIT 1 OFFSET 0)
                                 LIMIT 1 OFFSET 0) THEN 1 ELSE 0 END
                         FROM orders AS o
                         WHERE o.tenant = $1 AND o.merchant = $2 AND o.connection = $3 AND o.order_id IN (",
                        ")",
                        &key_values(&key),
                        order_ids,
                    )
                    .await?;
                let mut known = BTreeMap::new();
                let mut by_id: BTreeMap<OrderId, i64> = BTreeMap::new();
                for row in &rows {
                    let order = KnownOrder {
                        id: row.parsed(1)?,
                        seen: row.string(2)?,
                        disposition: disposition(row.text(3)?, row.text(4)?)?,
                        sent: row.flag(5)?,
                        given_up: false,
                        note_ids: BTreeSet::new(),
                        dead_keys: BTreeSet::new(),
                    };
                    by_id.insert(order.id.clone(), row.int(0)?);
                    known.insert(row.int(0)?, order);
                }
                for order in given_up(tx, &key.scope, by_id.keys()).await? {
                    if let Some(order) = by_id.get(&order).and_then(|order_id| known.get_mut(order_id)) {
                        order.given_up = true;
                    }
                }
                let notes = tx
                    .among(
                        "SELECT order_ref, note_id, retired, key FROM request
                         WHERE tenant = $1 AND merchant = $2 AND (live = 1 AND note_id IS NOT NULL OR retired = 1)
                             AND order_ref IN (",
                        ")",
                        &scope_values(&key.scope),
                        by_id.keys(),
                    )
                    .await?;
                for row in &notes {
                    if let Some(order) = by_id.get(&row.parsed(0)?).and_then(|order_id| known.get_mut(order_id)) {
                        if row.flag(2)? {
                            order.dead_keys.insert(row.string(3)?);
                        } else {
                            order.note_ids.extend(row.opt_int(1)?);
                        }
                    }
                }
                Ok(known)
            })
        })
        .await
    }

    /// Orders that may still become a request or whose request has certainly not been sent, by the source's order id.
    pub async fn unsent_orders(&self, key: &ConnectionKey) -> R<Vec<i64>> {
        let wanted = format!(
            "o.state IN ('new', 'held', 'queued', 'error')
                 AND (o.disposition IN ('waiting', 'held') OR (o.disposition = 'requested' AND NOT {SENT}))"
        );
        self.order_ids(key, "unsent_orders", wanted).await
    }

    /// Orders that may be at the warehouse and are not finished, by the source's order id.
    pub async fn open_sent_orders(&self, key: &ConnectionKey) -> R<Vec<i64>> {
        let wanted = format!(
            "o.state IN ('new', 'held', 'queued', 'open', 'partly_shipped', 'shipped', 'error', 'skipped') AND {SENT}"
        );
        self.order_ids(key, "open_sent_orders", wanted).await
    }

    /// Orders that somebody wants read again whatever the scan says of them, by the source's order id.
    pub async fn unseen_orders(&self, key: &ConnectionKey) -> R<Vec<i64>> {
        self.order_ids(key, "unseen_orders", "o.seen = ''".to_owned()).await
    }

    async fn order_ids(&self, key: &ConnectionKey, name: &'static str, wanted: String) -> R<Vec<i64>> {
        let key = key.clone();
        self.read(&key.clone(), name, move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT o.order_id FROM orders AS o
                     WHERE o.tenant = $1 AND o.merchant = $2 AND o.connection = $3 AND {wanted} ORDER BY o.order_id"
                );
                tx.query_built(sql, &key_values(&key)).await?.iter().map(|row| row.int(0)).collect()
            })
        })
        .await
    }

    /// Keeps a slice of imported orders with what was made of them: the orders, the claims on their rows, their requests and
    /// the effects that put those at the warehouse, in one transaction. What was sent is never planned again.
    pub async fn record_orders(
        &self,
        key: &ConnectionKey,
        account: &str,
        orders: Vec<ImportedOrder>,
    ) -> R<Vec<Recorded>> {
        let (key, account) = (key.clone(), account.to_owned());
        // Compressed here and not inside the transaction, which on SQLite is everybody's.
        let documents = orders.iter().map(|one| pack_json(&one.order)).collect::<R<Vec<_>>>()?;
        self.write(&key.clone(), "record_orders", move |tx| {
            Box::pin(async move { revise::record(tx, &key, &account, orders, documents).await })
        })
        .await
    }

    /// Notes the source's mark of a known order, and what a person is needed for on it (`None` clears it). No other field of
    /// the order changes.
    pub async fn mark_seen(&self, key: &ConnectionKey, order_id: i64, seen: &str, problem: Option<&str>) -> R<()> {
        let (key, seen, problem) = (key.clone(), seen.to_owned(), problem.map(str::to_owned));
        self.write(&key.clone(), "mark_seen", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let order = id(tx, &key, order_id).await?;
                tx.execute(
                    "UPDATE orders SET seen = $4, problem = $5 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, (&order).into(), seen.into(), problem.into()],
                )
                .await?;
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
            })
        })
        .await
    }

    /// The same for somebody who has compared what was sent of the order and plans nothing: import still looks at it whatever the
    /// scan says where that was so before, or where a request was given up meanwhile that whoever compared does not know of. What such
    /// a request waits for stays on the order for as long as there is one: only who plans it again can say that it is gone.
    pub async fn mark_compared(&self, key: &ConnectionKey, order_id: i64, seen: SeenBy<'_>) -> R<()> {
        let (key, mark) = (key.clone(), seen.mark().to_owned());
        let (by_import, knew) = match seen {
            SeenBy::Import { knew_given_up, .. } => (true, knew_given_up),
            SeenBy::Passing(_) => (false, false),
        };
        self.write(&key.clone(), "mark_seen", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let order = id(tx, &key, order_id).await?;
                let still = !given_up(tx, &key.scope, [&order]).await?.is_empty();
                let looks_again = by_import && !knew && still;
                tx.execute(
                    "UPDATE orders SET problem = CASE WHEN $7 = 1 AND problem LIKE $8 THEN problem END,
                         seen = CASE WHEN $5 = 1 OR ($6 = 0 AND seen = '') THEN '' ELSE $4 END
                     WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[
                        tenant,
                        merchant,
                        (&order).into(),
                        mark.into(),
                        looks_again.into(),
                        by_import.into(),
                        still.into(),
                        format!("{PART_NOT_SENT}%").into(),
                    ],
                )
                .await?;
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
            })
        })
        .await
    }

    /// Has an order looked at again as if nothing had been seen of it, and takes off what a person had shown on it.
    pub async fn look_afresh(&self, key: &ConnectionKey, order_id: i64) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "look_afresh", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let order = id(tx, &key, order_id).await?;
                tx.execute(
                    "UPDATE orders SET seen = '', problem = NULL, marked = NULL
                     WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, (&order).into()],
                )
                .await?;
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
            })
        })
        .await
    }

    /// How these orders' requests were planned, by the source's order id and the request's key; only those still wanted.
    pub async fn planned_as(
        &self,
        key: &ConnectionKey,
        order_ids: &[i64],
    ) -> R<BTreeMap<i64, BTreeMap<String, PlannedAs>>> {
        let (key, order_ids) = (key.clone(), order_ids.to_vec());
        self.read(&key.clone(), "planned_as", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT o.order_id, r.key, r.lines, o.document, e.body_sha256
                         FROM orders AS o
                         JOIN request AS r ON r.tenant = o.tenant AND r.merchant = o.merchant AND r.order_ref = o.id
                         JOIN effect AS e ON e.tenant = r.tenant AND e.merchant = r.merchant AND e.order_ref = o.id
                             AND e.request_ref = r.id AND e.kind = 'submit_request'
                         WHERE o.tenant = $1 AND o.merchant = $2 AND o.connection = $3 AND r.live = 1
                             AND o.order_id IN (",
                        ")",
                        &key_values(&key),
                        order_ids,
                    )
                    .await?;
                let mut planned: BTreeMap<i64, BTreeMap<String, PlannedAs>> = BTreeMap::new();
                for row in &rows {
                    let order: Order = unpack_json(row.blob(3)?)?;
                    let one = PlannedAs { lines: row.json(2)?, ship_to: order.deliver_to, body_sha256: row.string(4)? };
                    planned.entry(row.int(0)?).or_default().insert(row.string(1)?, one);
                }
                Ok(planned)
            })
        })
        .await
    }

    /// The source does not know the order any more: what was not sent of it is given up.
    pub async fn order_gone(&self, key: &ConnectionKey, order_id: i64) -> R<()> {
        let key = key.clone();
        self.write(&key.clone(), "order_gone", move |tx| {
            Box::pin(async move { cancel(tx, &key, order_id, "it does not exist at the source any more", None).await })
        })
        .await
    }

    /// An order is to be stopped: what was not sent is given up, and what was asks its warehouse for a cancel. Asked again, it
    /// changes nothing.
    pub async fn want_cancel(
        &self,
        key: &ConnectionKey,
        order_id: i64,
        why: &str,
        origin: WishOrigin,
        actor: &str,
        patience: &Patience,
    ) -> R<()> {
        let (key, why, actor, patience) = (key.clone(), why.to_owned(), actor.to_owned(), patience.clone());
        self.write(&key.clone(), "want_cancel", move |tx| {
            Box::pin(async move { cancel(tx, &key, order_id, &why, Some((origin, &actor, &patience))).await })
        })
        .await
    }

    /// Holds an order back, or (`None`) lets it go on. What is at the warehouse already is not touched.
    pub async fn held_by_person(
        &self,
        key: &ConnectionKey,
        order: &OrderId,
        reason: Option<&str>,
        actor: &str,
    ) -> R<()> {
        let (key, order, reason, actor) = (key.clone(), order.clone(), reason.map(str::to_owned), actor.to_owned());
        self.write(&key.clone(), "held_by_person", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let done = tx
                    .execute(
                        "UPDATE orders SET held_reason = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                        &[tenant, merchant, (&order).into(), reason.clone().into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("order {order}")));
                }
                let_nobody_arm(tx, &key.scope, &order).await?;
                tx.wakes.work = true;
                let action = if reason.is_some() { "order.hold" } else { "order.release" };
                let detail = serde_json::json!({ "reason": reason }).to_string();
                audit::append(tx, key.scope.tenant.as_str(), &actor, action, order.as_str(), &detail).await?;
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
            })
        })
        .await
    }

    /// Puts an order away, or takes it out again. What was not sent of it is given up; taken out again, import looks at it.
    pub async fn archive_order(&self, key: &ConnectionKey, order: &OrderId, archived: bool, actor: &str) -> R<()> {
        let (key, order, actor) = (key.clone(), order.clone(), actor.to_owned());
        self.write(&key.clone(), "archive_order", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let row = tx
                    .first(
                        "UPDATE orders SET archived = $4, seen = '' WHERE tenant = $1 AND merchant = $2 AND id = $3
                         RETURNING order_id",
                        &[tenant.clone(), merchant.clone(), (&order).into(), archived.into()],
                    )
                    .await?
                    .ok_or_else(|| DbError::NotFound(format!("order {order}")))?;
                if archived {
                    let bundle = bundle(tx, &key.scope, &order).await?;
                    let sent = give_up(tx, &key, row.int(0)?, &bundle, "its order was put away").await?;
                    if !sent {
                        tx.execute(
                            "UPDATE orders SET disposition = 'waiting', disposition_reason = 'put away by a person'
                             WHERE tenant = $1 AND merchant = $2 AND id = $3 AND disposition = 'requested'",
                            &[tenant, merchant, (&order).into()],
                        )
                        .await?;
                    }
                }
                let action = if archived { "order.archive" } else { "order.unarchive" };
                audit::append(tx, key.scope.tenant.as_str(), &actor, action, order.as_str(), "{}").await?;
                facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
            })
        })
        .await
    }
}

/// Gives up what was not sent, and asks for a cancel of what was, where somebody is told how long to wait for it.
async fn cancel(
    tx: &mut Tx,
    key: &ConnectionKey,
    order_id: i64,
    why: &str,
    ask: Option<(WishOrigin, &str, &Patience)>,
) -> R<()> {
    let order = id(tx, key, order_id).await?;
    let bundle = bundle(tx, &key.scope, &order).await?;
    let sent = give_up(tx, key, order_id, &bundle, why).await?;
    if let Some((origin, actor, patience)) = ask {
        let wish = Wish { what: What::Cancel, origin, why, undecided: false, resend: false, actor };
        for request in bundle.requests.iter().filter(|request| request.live && bundle.sent(request)) {
            // A person who cancels an order deletes its notes first: what was noticed then is the same wish.
            let same = |race: &RaceRow| {
                let first_half = race.origin == WishOrigin::Note && origin == WishOrigin::Status && race.waits();
                race.shown.what == What::Cancel && !race.withdrawn && !first_half
            };
            if !bundle.races.get(&request.id).is_some_and(same) {
                races::ask(tx, &key.scope, request, &wish, patience).await?;
            }
        }
    }
    if !sent {
        let [tenant, merchant, _] = key_values(key);
        tx.execute(
            "UPDATE orders SET disposition = 'cancelled', disposition_reason = $4
             WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant, merchant, (&order).into(), why.into()],
        )
        .await?;
    }
    facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await
}

/// Whether a person gave the submit up: then only a person brings it back.
pub(super) fn given_up_by_person(bundle: &Bundle, key: &str) -> bool {
    bundle.effects.iter().any(|effect| {
        effect.kind == EffectKind::SubmitRequest
            && effect.key == key
            && effect.state == EffectState::Voided
            && effect.voided_by.is_some()
    })
}
