//! What the hub's own ledger says of orders, for whoever compares it with the two others. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use connect::{EffectId, EffectKind, NoteRow, OrderId, RequestId};
use engine::{effect::EffectState, order::Disposition, plan};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    ConnectionKey, Database, R,
    effects::{self, key_values},
    facts::{self, Bundle, RequestRow, ShipmentRow, asked, disposition, may_be_there, scope_values},
    revise::{self, HeldElsewhere},
    sql::Tx,
};

/// An order in the hub's ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct CensusOrder {
    /// The hub's id.
    pub id: OrderId,
    /// Put away by a person.
    pub archived: bool,
    /// Held by a person: why.
    pub held_reason: Option<String>,
    /// What import made of it.
    pub disposition: Disposition,
    /// What a person is needed for on the order itself.
    pub problem: Option<String>,
    /// What somebody had shown on it.
    pub marked: Option<String>,
    /// When its shown state last changed.
    pub changed_at: Timestamp,
    /// Every request of it, given up or not.
    pub requests: Vec<CensusRequest>,
    /// What has left for it.
    pub shipments: Vec<CensusShipment>,
    /// Notes that effects made or took over.
    pub made_notes: BTreeSet<i64>,
    /// A note is being made or taken away, or may have been.
    pub busy: bool,
}

/// A request in the hub's ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct CensusRequest {
    /// Its key.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// What was asked for, by the source's rows.
    pub rows: Vec<NoteRow>,
    /// Not given up.
    pub live: bool,
    /// Putting it at the warehouse.
    pub submit: EffectState,
    /// When that last changed, or when its time for second thoughts ends, where that is later.
    pub submit_changed_at: Timestamp,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// The warehouse may have it.
    pub sent: bool,
    /// A cancel of it is on its way or may have been made.
    pub cancelling: bool,
    /// The warehouse accepted the hub's cancel.
    pub cancel_accepted: bool,
    /// The warehouse cancelled it, and said so.
    pub cancelled_by_warehouse: bool,
    /// Something has left for it.
    pub some_left: bool,
    /// All has left, or nothing more will.
    pub all_left: bool,
    /// What a person is needed for.
    pub problem: Option<String>,
    /// The hub took its note away, to put another in its place.
    pub replaced: bool,
}

/// A shipment in the hub's ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct CensusShipment {
    /// The warehouse's own id.
    pub reference: String,
    /// The request it belongs to.
    pub request: Option<RequestId>,
    /// When the hub read of it.
    pub read_at: Timestamp,
    /// Tracking numbers, in box order.
    pub tracking: Vec<String>,
    /// The source's rows that left with it, once decided.
    pub rows: Option<Vec<NoteRow>>,
    /// Whole units of the order left with it.
    pub to_be_told: bool,
    /// The note it is told on, as far as that is decided.
    pub note_id: Option<i64>,
    /// When the source knew everything of it.
    pub told_at: Option<Timestamp>,
}

/// An effect of which nobody knows whether it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEffect {
    /// Its id.
    pub id: EffectId,
    /// What it does, for people.
    pub title: String,
    /// When its intent was committed.
    pub armed_at: Timestamp,
    /// Its order at the source, where it has one.
    pub order_id: Option<i64>,
}

impl Database {
    /// The orders that a census of this connection looks at from the hub's side: those that are not finished, and those whose
    /// state changed since. The source's order ids.
    pub async fn census_ids(&self, key: &ConnectionKey, since: Timestamp) -> R<BTreeSet<i64>> {
        let key = key.clone();
        self.read(&key.clone(), "census_ids", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let rows = tx
                    .query(
                        "SELECT order_id FROM orders WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND state IN ('new', 'held', 'queued', 'open', 'partly_shipped', 'shipped', 'error')
                         UNION
                         SELECT order_id FROM orders WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND changed_at >= $4
                         UNION
                         SELECT order_id FROM finding WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND resolved_at IS NULL AND order_id IS NOT NULL",
                        &[tenant, merchant, connection, since.into()],
                    )
                    .await?;
                rows.iter().map(|row| row.int(0)).collect()
            })
        })
        .await
    }

    /// What the hub holds of these orders, by the source's order id; those it does not know are left out.
    pub async fn census_orders(&self, key: &ConnectionKey, order_ids: &[i64]) -> R<BTreeMap<i64, CensusOrder>> {
        let (key, order_ids) = (key.clone(), order_ids.to_vec());
        self.read(&key.clone(), "census_orders", move |tx| Box::pin(async move { load(tx, &key, &order_ids).await }))
            .await
    }

    /// Which of these orders other connections of the installation hold, in whole or in part.
    pub async fn held_elsewhere(
        &self,
        key: &ConnectionKey,
        account: &str,
        order_ids: &[i64],
    ) -> R<BTreeMap<i64, HeldElsewhere>> {
        let (key, account, order_ids) = (key.clone(), account.to_owned(), order_ids.to_vec());
        // A write only because the look beyond the tenant takes the orders' locks on PostgreSQL.
        self.write(&key.clone(), "held_elsewhere", move |tx| {
            Box::pin(async move { revise::holders(tx, &key, &account, &order_ids).await })
        })
        .await
    }

    /// Effects whose intent was committed before this time and of which nobody knows whether they happened (J4).
    pub async fn unknown_effects(&self, key: &ConnectionKey, before: Timestamp) -> R<Vec<UnknownEffect>> {
        let key = key.clone();
        self.read(&key.clone(), "unknown_effects", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let rows = tx
                    .query(
                        "SELECT e.id, e.title, e.armed_at, o.order_id FROM effect AS e
                         LEFT JOIN orders AS o ON o.tenant = e.tenant AND o.merchant = e.merchant AND o.id = e.order_ref
                         WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3
                             AND e.state IN ('unknown', 'probing') AND e.armed_at IS NOT NULL AND e.armed_at < $4
                         ORDER BY e.id LIMIT 1000",
                        &[tenant, merchant, connection, before.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(UnknownEffect {
                            id: row.parsed(0)?,
                            title: row.string(1)?,
                            armed_at: row.time(2)?,
                            order_id: row.opt_int(3)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Why nothing is imported or sent for this connection at the moment; `None` when it works.
    pub async fn why_stopped(&self, key: &ConnectionKey) -> R<Option<String>> {
        let key = key.clone();
        self.read(&key.clone(), "why_stopped", move |tx| {
            Box::pin(async move {
                if effects::is_frozen(tx).await? {
                    return Ok(Some("sending is frozen for the whole installation".to_owned()));
                }
                let [tenant, merchant, connection] = key_values(&key);
                let of = [tenant, merchant, connection];
                let on = tx
                    .first("SELECT enabled FROM connection WHERE tenant = $1 AND merchant = $2 AND id = $3", &of)
                    .await?;
                if on.map_or(Ok(false), |row| row.flag(0))? {
                    let paused = tx
                        .first(
                            "SELECT reason FROM pause WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             ORDER BY side LIMIT 1",
                            &of,
                        )
                        .await?;
                    if let Some(row) = paused {
                        return Ok(Some(format!("the connection is paused: {}", row.text(0)?)));
                    }
                    let imports = tx
                        .first(
                            "SELECT enabled FROM channel
                             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND kind = 'orders'",
                            &of,
                        )
                        .await?;
                    let imports = imports.map_or(Ok(false), |row| row.flag(0))?;
                    return Ok((!imports).then(|| "the orders channel is switched off".to_owned()));
                }
                Ok(Some("the connection is switched off".to_owned()))
            })
        })
        .await
    }
}

async fn load(tx: &mut Tx, key: &ConnectionKey, order_ids: &[i64]) -> R<BTreeMap<i64, CensusOrder>> {
    let rows = tx
        .among(
            "SELECT order_id, id, archived, held_reason, disposition, disposition_reason, problem, changed_at,
                 marked
             FROM orders WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND order_id IN (",
            ")",
            &key_values(key),
            order_ids.iter().copied(),
        )
        .await?;
    let mut ids = BTreeSet::new();
    for row in &rows {
        ids.insert(row.parsed(1)?);
    }
    let bundles = facts::load(tx, &key.scope, &ids).await?;
    let requests = "SELECT id, created_at FROM request WHERE tenant = $1 AND merchant = $2 AND order_ref IN (";
    let planned = times(tx, key, requests, &ids).await?;
    let shipments = "SELECT id, created_at FROM shipment WHERE tenant = $1 AND merchant = $2 AND order_ref IN (";
    let read = times(tx, key, shipments, &ids).await?;
    let mut orders = BTreeMap::new();
    for row in &rows {
        let id: OrderId = row.parsed(1)?;
        let none = Bundle::default();
        let bundle = bundles.get(&id).unwrap_or(&none);
        let changed_at = row.time(7)?;
        orders.insert(
            row.int(0)?,
            CensusOrder {
                archived: row.flag(2)?,
                held_reason: row.opt_string(3)?,
                disposition: disposition(row.text(4)?, row.text(5)?)?,
                problem: row.opt_string(6)?,
                marked: row.opt_string(8)?,
                changed_at,
                requests: bundle
                    .requests
                    .iter()
                    .map(|request| census_request(bundle, request, planned.get(request.id.as_str()), changed_at))
                    .collect(),
                shipments: bundle
                    .shipments
                    .iter()
                    .map(|row| census_shipment(bundle, row, read.get(row.id.as_str()), changed_at))
                    .collect(),
                made_notes: bundle
                    .effects
                    .iter()
                    .filter(|effect| effect.kind == EffectKind::CreateNote)
                    .filter_map(|effect| effect.remote.as_ref()?.id.parse().ok())
                    .collect(),
                busy: bundle.effects.iter().any(|effect| {
                    matches!(effect.kind, EffectKind::CreateNote | EffectKind::DeleteNote)
                        && (effect.state.open() || matches!(effect.state, EffectState::Parked | EffectState::Conflict))
                }),
                id,
            },
        );
    }
    Ok(orders)
}

/// When rows of these orders were made, by their ids.
async fn times(
    tx: &mut Tx,
    key: &ConnectionKey,
    select: &'static str,
    orders: &BTreeSet<OrderId>,
) -> R<BTreeMap<String, Timestamp>> {
    let rows = tx.among(select, ")", &scope_values(&key.scope), orders).await?;
    rows.iter().map(|row| Ok((row.string(0)?, row.time(1)?))).collect()
}

fn census_request(
    bundle: &Bundle,
    request: &RequestRow,
    planned_at: Option<&Timestamp>,
    changed_at: Timestamp,
) -> CensusRequest {
    let submit = bundle.submit(request);
    let planned_at = planned_at.copied().unwrap_or(changed_at);
    let shipped = bundle.shipped(request);
    let of_request = || bundle.effects.iter().filter(|effect| effect.request.as_ref() == Some(&request.id));
    CensusRequest {
        key: request.key.clone(),
        note_id: request.note_id,
        rows: plan::note_rows(&request.lines),
        live: request.live,
        submit: submit.map_or(EffectState::Planned, |submit| submit.state),
        submit_changed_at: submit
            .map_or(planned_at, |submit| submit.changed_at)
            .max(bundle.leaves_at(request).unwrap_or(Timestamp::MIN)),
        planned_at,
        sent: bundle.sent(request),
        cancelling: request.cancel_wanted.is_some()
            || of_request().any(|effect| effect.kind == EffectKind::CancelRequest && may_be_there(effect.state)),
        cancel_accepted: bundle.cancelled(request),
        cancelled_by_warehouse: request.cancelled_by_warehouse,
        some_left: !shipped.is_zero(),
        all_left: !shipped.is_zero() && (request.finished || shipped >= asked(&request.lines)),
        problem: bundle.problem(request),
        replaced: of_request().any(|effect| {
            effect.kind == EffectKind::DeleteNote && !matches!(effect.state, EffectState::Voided | EffectState::Refused)
        }),
    }
}

fn census_shipment(
    bundle: &Bundle,
    row: &ShipmentRow,
    read_at: Option<&Timestamp>,
    changed_at: Timestamp,
) -> CensusShipment {
    let of_shipment = || bundle.effects.iter().filter(|effect| effect.shipment.as_ref() == Some(&row.id));
    let created = of_shipment().find(|effect| effect.kind == EffectKind::CreateNote);
    let note_id = match created {
        Some(created) => created.remote.as_ref().and_then(|remote| remote.id.parse().ok()),
        // Told on the note that was the request.
        None => of_shipment()
            .any(|effect| matches!(effect.kind, EffectKind::UpdateShipping | EffectKind::PostShipped))
            .then(|| bundle.requests.iter().find(|request| row.request.as_ref() == Some(&request.id)))
            .flatten()
            .and_then(|request| request.note_id),
    };
    let units: Decimal = row.shipment.lines().map(|line| line.quantity).sum();
    CensusShipment {
        reference: row.reference.clone(),
        request: row.request.clone(),
        read_at: read_at.copied().unwrap_or(changed_at),
        tracking: row.shipment.tracking_numbers().into_iter().map(str::to_owned).collect(),
        rows: row.rows.clone(),
        to_be_told: match &row.rows {
            Some(rows) => !rows.is_empty(),
            None => !units.is_zero(),
        },
        note_id,
        told_at: row.confirmed_at,
    }
}
