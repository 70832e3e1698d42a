//! Requests whose next step is to be decided.

use std::collections::BTreeSet;

use connect::{OrderId, RequestId};
use jiff::Timestamp;

use super::{
    Advance, ConnectionKey, Database, DbError, R, RequestWork, ShipmentFacts,
    effects::{self, key_values},
    facts::{self, Bundle, RequestRow, scope_values},
    race_answers,
    sql::{Tx, json},
};

impl Database {
    /// Requests to which something happened since they were last looked at, or whose time to be looked at has come, oldest
    /// first.
    pub async fn requests_to_advance(&self, key: &ConnectionKey, limit: usize) -> R<Vec<RequestWork>> {
        let key = key.clone();
        self.read(&key.clone(), "requests_to_advance", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let now = tx.now;
                let rows = tx
                    .query(
                        "SELECT id, order_ref FROM (
                             SELECT id, order_ref, flagged_at AS since FROM request
                             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND flagged = 1
                             UNION ALL
                             SELECT id, order_ref, look_at AS since FROM request
                             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND flagged = 0
                                 AND look_at IS NOT NULL AND look_at <= $4
                         ) AS waiting ORDER BY since, id LIMIT $5",
                        &[tenant, merchant, connection, now.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()],
                    )
                    .await?;
                let mut wanted: Vec<(RequestId, OrderId)> = Vec::with_capacity(rows.len());
                for row in &rows {
                    wanted.push((row.parsed(0)?, row.parsed(1)?));
                }
                let orders = wanted.iter().map(|(_, order)| order.clone()).collect();
                let bundles = facts::load(tx, &key.scope, &orders).await?;
                Ok(wanted
                    .iter()
                    .filter_map(|(id, order)| {
                        let bundle = bundles.get(order)?;
                        let request = bundle.requests.iter().find(|request| request.id == *id)?;
                        Some(work(bundle, request))
                    })
                    .collect())
            })
        })
        .await
    }

    /// Writes a request's next steps, if it is still at `version`: `false` when something happened meanwhile and it is to be
    /// decided anew.
    pub async fn advance(&self, key: &ConnectionKey, request: &RequestId, version: i64, steps: Advance) -> R<bool> {
        let (key, request) = (key.clone(), request.clone());
        self.write(&key.clone(), "advance", move |tx| {
            Box::pin(async move { advance(tx, &key, &request, version, steps).await })
        })
        .await
    }

    /// Has a request looked at again at this time even if nothing happens to it.
    pub async fn schedule_advance(&self, key: &ConnectionKey, request: &RequestId, at: Timestamp) -> R<()> {
        let (key, request) = (key.clone(), request.clone());
        self.write(&key.clone(), "schedule_advance", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, _] = key_values(&key);
                let done = tx
                    .execute(
                        "UPDATE request SET look_at = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                        &[tenant, merchant, (&request).into(), at.into()],
                    )
                    .await?;
                if done == 0 { Err(DbError::NotFound(format!("request {request}"))) } else { Ok(()) }
            })
        })
        .await
    }
}

fn work(bundle: &Bundle, request: &RequestRow) -> RequestWork {
    let live = || bundle.requests.iter().filter(|one| one.live);
    RequestWork {
        id: request.id.clone(),
        order: request.order.clone(),
        order_id: request.order_id,
        key: request.key.clone(),
        note_id: request.note_id,
        warehouse_id: request.warehouse_id,
        lines: request.lines.clone(),
        finished: bundle.finished(request),
        cancel_wanted: request.cancel_wanted.clone(),
        race: bundle.races.get(&request.id).map(|race| race.shown.clone()),
        race_asked_at: bundle.races.get(&request.id).map(|race| race.asked_at),
        // The order's status is one for all its requests.
        effects: bundle
            .effects
            .iter()
            .filter(|effect| {
                effect.shipment.is_none()
                    && (effect.request.as_ref() == Some(&request.id) || effect.kind == connect::EffectKind::SetStatus)
            })
            .map(facts::EffectBrief::step)
            .collect(),
        shipments: bundle
            .shipments_of(request)
            .map(|row| ShipmentFacts {
                id: row.id.clone(),
                shipment: row.shipment.clone(),
                effects: bundle
                    .effects
                    .iter()
                    .filter(|effect| effect.shipment.as_ref() == Some(&row.id))
                    .map(facts::EffectBrief::step)
                    .collect(),
                rows: row.rows.clone(),
                confirmed: row.confirmed_at.is_some(),
                problem: row.problem.clone(),
            })
            .collect(),
        order_complete: live().all(|one| bundle.complete(one)) && live().any(|one| !bundle.cancelled(one)),
        version: request.version,
    }
}

async fn advance(tx: &mut Tx, key: &ConnectionKey, request: &RequestId, version: i64, steps: Advance) -> R<bool> {
    let [tenant, merchant, _] = key_values(key);
    let now = tx.now;
    let row = tx
        .first(
            "UPDATE request SET flagged = 0, version = version + 1,
                 look_at = CASE WHEN look_at <= $5 THEN NULL ELSE look_at END
             WHERE tenant = $1 AND merchant = $2 AND id = $3 AND version = $4 RETURNING order_ref",
            &[tenant.clone(), merchant.clone(), request.into(), version.into(), now.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(false) };
    let order: OrderId = row.parsed(0)?;
    if let Some(problem) = steps.request_problem {
        tx.execute(
            "UPDATE request SET problem = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
            &[tenant.clone(), merchant.clone(), request.into(), problem.into()],
        )
        .await?;
    }
    if let Some(how) = steps.by_hand {
        race_answers::by_hand(tx, &key.scope, request, &how).await?;
    }
    let mut rows = Vec::with_capacity(steps.rows.len());
    for (shipment, note_rows) in &steps.rows {
        rows.push(vec![shipment.into(), json(note_rows)?.into()]);
    }
    tx.many(
        "UPDATE shipment SET note_rows = v.column2 FROM (VALUES ",
        ") AS v WHERE shipment.tenant = $1 AND shipment.merchant = $2 AND shipment.id = v.column1 AND shipment.id IN ({first})
             AND shipment.note_rows IS NULL",
        &scope_values(&key.scope),
        rows,
    )
    .await?;
    let problems = steps
        .shipment_problems
        .into_iter()
        .map(|(shipment, problem)| vec![(&shipment).into(), problem.into()])
        .collect();
    tx.many(
        "UPDATE shipment SET problem = v.column2 FROM (VALUES ",
        ") AS v WHERE shipment.tenant = $1 AND shipment.merchant = $2 AND shipment.id = v.column1 AND shipment.id IN ({first})",
        &scope_values(&key.scope),
        problems,
    )
    .await?;
    tx.among(
        "UPDATE shipment SET confirmed_at = $3 WHERE tenant = $1 AND merchant = $2 AND confirmed_at IS NULL AND id IN (",
        ")",
        &[tenant, merchant, now.into()],
        steps.confirmed.iter(),
    )
    .await?;
    for shipment in &steps.confirmed {
        tx.event("shipment", shipment.as_str(), "confirmed");
    }
    effects::plan(tx, key, steps.effects).await?;
    if !steps.confirmed.is_empty() {
        // It may have been the last one of the order: whichever of its requests sets the status must see that.
        let bundles = facts::load(tx, &key.scope, &BTreeSet::from([order.clone()])).await?;
        let requests = bundles
            .values()
            .flat_map(|bundle| &bundle.requests)
            .filter(|request| request.live)
            .map(|request| request.id.clone())
            .collect();
        facts::flag(tx, &key.scope, &requests).await?;
    }
    facts::refresh(tx, &key.scope, &BTreeSet::from([order])).await?;
    Ok(true)
}
