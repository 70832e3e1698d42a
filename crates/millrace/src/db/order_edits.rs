//! What people want otherwise than the source says, of orders that have not been sent ([`engine::edit`]).

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, Order, OrderId};
use engine::{
    edit::{Content, Edit, Field},
    order::OrderState,
};
use jiff::Timestamp;

use super::{
    ConnectionKey, Database, DbError, R, Scope, audit,
    effects::{self, key_values},
    facts::{self, scope_values},
    payload::unpack_json,
    revise,
    sql::{Row, Tx, json},
};

/// All edits of one order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edition {
    /// Grows with every edit.
    pub number: i64,
    /// One for each edited field.
    pub edits: Vec<Edit>,
}

/// An edit for showing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EditView {
    /// What is wanted, and what the source said then.
    pub edit: Edit,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

fn edit(row: &Row, value: usize) -> R<Edit> {
    Ok(Edit { value: row.json(value)?, base: row.json(value + 1)? })
}

/// The edits of one order, in the order of their fields' names.
pub(super) async fn views(tx: &mut Tx, scope: &Scope, order: &OrderId) -> R<Vec<EditView>> {
    let [tenant, merchant] = scope_values(scope);
    let rows = tx
        .query(
            "SELECT value, base, actor, at FROM order_edit
             WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 ORDER BY field",
            &[tenant, merchant, order.into()],
        )
        .await?;
    rows.iter().map(|row| Ok(EditView { edit: edit(row, 0)?, actor: row.string(2)?, at: row.time(3)? })).collect()
}

impl Database {
    /// The edits of these orders, by the source's order id, and the database's time of this; those that were never edited are left
    /// out.
    pub async fn editions(&self, key: &ConnectionKey, order_ids: &[i64]) -> R<(BTreeMap<i64, Edition>, Timestamp)> {
        let (key, order_ids) = (key.clone(), order_ids.to_vec());
        self.read(&key.clone(), "editions", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT order_id, id, edition FROM orders
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND edition > 0 AND order_id IN (",
                        ")",
                        &key_values(&key),
                        order_ids,
                    )
                    .await?;
                let mut editions = BTreeMap::new();
                let mut orders: BTreeMap<String, i64> = BTreeMap::new();
                for row in &rows {
                    editions.insert(row.int(0)?, Edition { number: row.int(2)?, edits: Vec::new() });
                    orders.insert(row.string(1)?, row.int(0)?);
                }
                let rows = tx
                    .among(
                        "SELECT order_ref, value, base FROM order_edit
                         WHERE tenant = $1 AND merchant = $2 AND order_ref IN (",
                        ")",
                        &scope_values(&key.scope),
                        orders.keys(),
                    )
                    .await?;
                for row in &rows {
                    if let Some(edition) = orders.get(row.text(0)?).and_then(|order| editions.get_mut(order)) {
                        edition.edits.push(edit(row, 1)?);
                    }
                }
                Ok((editions, tx.now))
            })
        })
        .await
    }

    /// Edits an order that has not been sent: each field is set, or (`None`) again as the source says. What was planned of it is
    /// given up, and import plans it anew.
    ///
    /// # Errors
    /// [`DbError::Conflict`] once it may be at the warehouse, or when it is not the edition `seen` any more.
    pub async fn edit_order(
        &self,
        key: &ConnectionKey,
        order: &OrderId,
        changes: Vec<(Field, Option<Content>)>,
        seen: Option<i64>,
        actor: &str,
    ) -> R<()> {
        let (key, order, actor) = (key.clone(), order.clone(), actor.to_owned());
        self.write(&key.clone(), "edit_order", move |tx| {
            Box::pin(async move { edit_order(tx, &key, &order, changes, seen, &actor).await })
        })
        .await
    }
}

async fn edit_order(
    tx: &mut Tx,
    key: &ConnectionKey,
    order: &OrderId,
    changes: Vec<(Field, Option<Content>)>,
    seen: Option<i64>,
    actor: &str,
) -> R<()> {
    let [tenant, merchant, _] = key_values(key);
    let of_order = [tenant, merchant, order.into()];
    // First of all, so that import, which looks at the edition, comes before or after.
    let row = tx
        .first(
            "UPDATE orders SET edition = edition + 1, seen = '' WHERE tenant = $1 AND merchant = $2 AND id = $3
             RETURNING edition, document, state, disposition",
            &of_order,
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("order {order}")))?;
    if seen.is_some_and(|seen| seen + 1 != row.int(0).unwrap_or_default()) {
        return Err(DbError::Conflict(format!("order {order} was edited by somebody else meanwhile")));
    }
    let mut bundles = facts::load(tx, &key.scope, &BTreeSet::from([order.clone()])).await?;
    let bundle = bundles.remove(order).unwrap_or_default();
    let (state, requested) = (facts::state(row.text(2)?)?, row.text(3)? == "requested");
    let live: Vec<_> = bundle.requests.iter().filter(|request| request.live).collect();
    if live.iter().any(|request| bundle.may_have_left(request)) {
        return Err(DbError::Conflict(
            "the warehouse has it, or it is on its way there: it is changed in Brightpearl now, and becomes a change after \
             sending"
                .to_owned(),
        ));
    }
    if matches!(state, OrderState::Archived | OrderState::Cancelled | OrderState::Closed) {
        return Err(DbError::Conflict(format!("it is {state}, and nothing of it will be sent")));
    }
    let document: Order = unpack_json(row.blob(1)?)?;
    let before = views(tx, &key.scope, order).await?;
    let mut detail = serde_json::Map::new();
    for (field, wanted) in changes {
        let kept = before.iter().map(|view| &view.edit).find(|edit| edit.value.field() == field);
        let base = kept.map_or_else(|| Content::of(&document, field), |edit| edit.source(&document).into_owned());
        let was = kept.map_or(&base, |edit| &edit.value);
        let now = wanted.as_ref().unwrap_or(&base);
        detail.insert(field.as_str().to_owned(), serde_json::json!({ "before": was, "after": now, "source": base }));
        let [tenant, merchant, order_ref] = of_order.clone();
        match wanted.filter(|wanted| *wanted != base) {
            Some(value) => {
                let now = tx.now;
                tx.execute(
                    "INSERT INTO order_edit (tenant, merchant, order_ref, field, value, base, actor, at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                     ON CONFLICT (tenant, merchant, order_ref, field) DO UPDATE SET value = excluded.value,
                         base = excluded.base, actor = excluded.actor, at = excluded.at",
                    &[
                        tenant,
                        merchant,
                        order_ref,
                        field.as_str().into(),
                        json(&value)?.into(),
                        json(&base)?.into(),
                        actor.into(),
                        now.into(),
                    ],
                )
                .await?;
            }
            None => {
                tx.execute(
                    "DELETE FROM order_edit WHERE tenant = $1 AND merchant = $2 AND order_ref = $3 AND field = $4",
                    &[tenant, merchant, order_ref, field.as_str().into()],
                )
                .await?;
            }
        }
    }
    // Its claims stay: it will want the same goods.
    let submits: Vec<EffectId> =
        live.iter().filter_map(|request| bundle.submit(request)).map(|submit| submit.id.clone()).collect();
    effects::void_unsent(tx, key, &submits, "its order was edited before it was sent; it is planned again").await?;
    revise::end_requests(tx, &key.scope, live.iter().map(|request| &request.id)).await?;
    if requested {
        let [tenant, merchant, order_ref] = of_order;
        tx.execute(
            "UPDATE orders SET disposition = 'waiting', disposition_reason = 'edited by a person; it is planned again'
             WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant, merchant, order_ref],
        )
        .await?;
    }
    tx.event("order", order.as_str(), "edited");
    tx.wakes.work = true;
    let detail = serde_json::Value::Object(detail).to_string();
    audit::append(tx, key.scope.tenant.as_str(), actor, "order.edit", order.as_str(), &detail).await?;
    facts::refresh(tx, &key.scope, &BTreeSet::from([order.clone()])).await
}
