//! Desks of warehouses that call us: what lies there for them, and what they have said (docs/decisions/0033).
//!
//! Whoever writes takes the desk's next number first ([`turn`]) and so has the desk to themselves until the end of the
//! transaction: what is decided on a row cannot be overtaken, and what is read by number has no holes.

mod posts;

use connect::{CancelAsked, DeskState, OnDesk, RequestState, ShipmentRequest, WarehouseId, ulid};
use engine::desk::{Act, CancelAnswer, Refusal, Standing, act};
use jiff::{SignedDuration, Timestamp};

use super::{
    ConnectionKey, Database, DbError, R, Scope,
    facts::scope_values,
    payload::{pack_json, unpack_json},
    sql::{Row, Tx, Value},
};

pub use posts::{Posted, PostedShipment};

/// The desk of one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeskKey {
    /// Whose.
    pub scope: Scope,
    /// Which warehouse's.
    pub warehouse: WarehouseId,
}

/// A request as it lies there.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskRow {
    /// Grows with each request.
    pub number: i64,
    /// What is asked for.
    pub request: ShipmentRequest,
    /// How it stands.
    pub standing: Standing,
    /// The lease of the last pull.
    pub lease: Option<String>,
    /// Until when it is kept for whoever pulled it.
    pub leased_until: Timestamp,
    /// How often it was pulled.
    pub offered: u32,
    /// What the warehouse calls it; empty until it says so.
    pub reference: String,
    /// Why the warehouse gave it up.
    pub reason: String,
    /// When it was laid there.
    pub put_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// What a warehouse does with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskStep {
    /// It has it now.
    Acknowledge {
        /// As the pull gave it.
        lease: String,
        /// What it calls the request; empty: nothing.
        reference: String,
    },
    /// It answers the cancel it was asked.
    Answer(CancelAnswer),
    /// It will not ship it.
    GiveUp {
        /// Why.
        reason: String,
    },
}

/// Which requests of a desk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeskQuery {
    /// In this state.
    pub state: Option<DeskState>,
    /// Only those with a cancel that waits for an answer.
    pub cancel_asked: bool,
    /// After this number.
    pub after: i64,
    /// Most entries.
    pub limit: u32,
}

const COLUMNS: &str =
    "number, content, state, cancel, lease, leased_until, offered, reference, reason, put_at, changed_at";

pub(super) fn desk_values(key: &DeskKey) -> [Value; 3] {
    let [tenant, merchant] = scope_values(&key.scope);
    [tenant, merchant, (&key.warehouse).into()]
}

fn desk_row(row: &Row) -> R<DeskRow> {
    Ok(DeskRow {
        number: row.int(0)?,
        request: unpack_json(row.blob(1)?)?,
        standing: Standing { state: row.parsed(2)?, cancel: row.parsed(3)? },
        lease: row.opt_string(4)?,
        leased_until: row.time(5)?,
        offered: row.u32(6)?,
        reference: row.string(7)?,
        reason: row.string(8)?,
        put_at: row.time(9)?,
        changed_at: row.time(10)?,
    })
}

fn on_desk(row: DeskRow) -> OnDesk {
    OnDesk { request: row.request, state: row.standing.state, cancel: row.standing.cancel }
}

/// A time as the database gives it back, so that a repeat is answered as the first time.
fn as_kept(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// The desk's next number, and the desk to oneself until the transaction ends.
pub(super) async fn turn(tx: &mut Tx, key: &DeskKey) -> R<i64> {
    let row = tx
        .first(
            "INSERT INTO desk AS d (tenant, merchant, warehouse, reached) VALUES ($1, $2, $3, 1)
             ON CONFLICT (tenant, merchant, warehouse) DO UPDATE SET reached = d.reached + 1 RETURNING reached",
            &desk_values(key),
        )
        .await?;
    row.ok_or_else(|| DbError::Conflict("the desk gave no number".to_owned()))?.int(0)
}

async fn find(tx: &mut Tx, key: &DeskKey, request: &str) -> R<Option<DeskRow>> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let sql = format!(
        "SELECT {COLUMNS} FROM desk_request WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND key = $4"
    );
    let rows = tx.query_built(sql, &[tenant, merchant, warehouse, request.into()]).await?;
    rows.first().map(desk_row).transpose()
}

/// Whether anything waits that nobody holds.
async fn waits(tx: &mut Tx, key: &DeskKey) -> R<bool> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let now = tx.now;
    let row = tx
        .first(
            "SELECT 1 FROM desk_request WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND state = 'waiting'
                 AND leased_until <= $4 LIMIT 1",
            &[tenant, merchant, warehouse, now.into()],
        )
        .await?;
    Ok(row.is_some())
}

/// Writes down how a request stands.
async fn keep(tx: &mut Tx, key: &DeskKey, row: &DeskRow) -> R<()> {
    let [tenant, merchant, warehouse] = desk_values(key);
    let now = tx.now;
    tx.execute(
        "UPDATE desk_request SET state = $5, cancel = $6, reference = $7, reason = $8, changed_at = $9
         WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND key = $4",
        &[
            tenant,
            merchant,
            warehouse,
            (&row.request.key).into(),
            row.standing.state.as_str().into(),
            row.standing.cancel.as_str().into(),
            (&row.reference).into(),
            (&row.reason).into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Clears the desk of a warehouse that goes, with the keys to it. One that requests were laid on stays, and so does its
/// warehouse.
pub(super) async fn clear(tx: &mut Tx, scope: &Scope, warehouse: &str) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    tx.execute(
        "UPDATE api_key SET revoked_at = $4 WHERE tenant = $1 AND merchant = $2 AND warehouse = $3
             AND revoked_at IS NULL",
        &[tenant.clone(), merchant.clone(), warehouse.into(), now.into()],
    )
    .await?;
    for sql in [
        "DELETE FROM desk_post WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND NOT EXISTS
             (SELECT 1 FROM desk_request AS r WHERE r.tenant = $1 AND r.merchant = $2 AND r.warehouse = $3)",
        "DELETE FROM desk WHERE tenant = $1 AND merchant = $2 AND warehouse = $3",
    ] {
        tx.execute(sql, &[tenant.clone(), merchant.clone(), warehouse.into()]).await?;
    }
    Ok(())
}

impl Database {
    /// Lays a request on a desk. `Some`: there is one under its key, which stays as it is.
    pub async fn lay_on_desk(&self, key: &DeskKey, request: &ShipmentRequest) -> R<Option<OnDesk>> {
        let (key, request) = (key.clone(), request.clone());
        self.write(&key.scope.clone(), "lay_on_desk", move |tx| {
            Box::pin(async move {
                let number = turn(tx, &key).await?;
                if let Some(there) = find(tx, &key, &request.key).await? {
                    return Ok(Some(on_desk(there)));
                }
                let [tenant, merchant, warehouse] = desk_values(&key);
                let now = tx.now;
                tx.execute(
                    "INSERT INTO desk_request (tenant, merchant, warehouse, key, number, content, state, cancel, leased_until,
                         offered, reference, reason, put_at, changed_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, '', '', $9, $9)",
                    &[
                        tenant,
                        merchant,
                        warehouse,
                        (&request.key).into(),
                        number.into(),
                        pack_json(&request)?.into(),
                        Standing::NEW.state.as_str().into(),
                        Standing::NEW.cancel.as_str().into(),
                        now.into(),
                    ],
                )
                .await?;
                tx.event("desk", key.warehouse.as_str(), "waiting");
                Ok(None)
            })
        })
        .await
    }

    /// What lies on a desk under these keys.
    pub async fn look_at_desk(&self, key: &DeskKey, requests: &[String]) -> R<Vec<OnDesk>> {
        let (key, requests) = (key.clone(), requests.to_vec());
        self.read(&key.scope.clone(), "look_at_desk", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT number, content, state, cancel, lease, leased_until, offered, reference, reason, put_at,
                             changed_at FROM desk_request
                         WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND key IN (",
                        ")",
                        &desk_values(&key),
                        &requests,
                    )
                    .await?;
                rows.iter().map(|row| desk_row(row).map(on_desk)).collect()
            })
        })
        .await
    }

    /// Takes a request back: how it stands then. `None` where there is none.
    pub async fn take_back_from_desk(&self, key: &DeskKey, request: &str) -> R<Option<OnDesk>> {
        let (key, request) = (key.clone(), request.to_owned());
        self.write(&key.scope.clone(), "take_back_from_desk", move |tx| {
            Box::pin(async move {
                turn(tx, &key).await?;
                let Some(mut row) = find(tx, &key, &request).await? else { return Ok(None) };
                let after = act(row.standing, Act::TakeBack).unwrap_or(row.standing);
                if after != row.standing {
                    row.standing = after;
                    keep(tx, &key, &row).await?;
                    if after.cancel == CancelAsked::Asked {
                        tx.event("desk", key.warehouse.as_str(), "cancel_asked");
                    }
                }
                Ok(Some(on_desk(row)))
            })
        })
        .await
    }

    /// Gives out requests that wait, oldest first, under one lease: until it ends nobody else gets them, unless they are
    /// acknowledged by then.
    pub async fn pull_from_desk(
        &self,
        key: &DeskKey,
        limit: u32,
        time: SignedDuration,
    ) -> R<(String, Timestamp, Vec<DeskRow>)> {
        let key = key.clone();
        self.write(&key.scope.clone(), "pull_from_desk", move |tx| {
            Box::pin(async move {
                // Whoever asks often and finds nothing writes nothing.
                if !waits(tx, &key).await? {
                    let lease = format!("lea_{}", ulid(tx.now, &*tx.random));
                    return Ok((lease, tx.now, Vec::new()));
                }
                turn(tx, &key).await?;
                // The wait for the turn does not count against the lease.
                let now = tx.fresh_now().await?;
                let until = now.checked_add(time).map_err(|error| DbError::Refused(error.to_string()))?;
                let lease = format!("lea_{}", ulid(now, &*tx.random));
                let [tenant, merchant, warehouse] = desk_values(&key);
                let sql = format!(
                    "UPDATE desk_request SET lease = $4, leased_until = $5, offered = offered + 1, changed_at = $6
                     WHERE tenant = $1 AND merchant = $2 AND warehouse = $3 AND number IN (
                         SELECT r.number FROM desk_request AS r WHERE r.tenant = $1 AND r.merchant = $2
                             AND r.warehouse = $3 AND r.state = 'waiting' AND r.leased_until <= $6
                         ORDER BY r.number LIMIT $7)
                     RETURNING {COLUMNS}"
                );
                let values = [tenant, merchant, warehouse, (&lease).into(), until.into(), now.into(), limit.into()];
                let mut rows = tx.query_built(sql, &values).await?.iter().map(desk_row).collect::<R<Vec<DeskRow>>>()?;
                rows.sort_by_key(|row| row.number);
                Ok((lease, until, rows))
            })
        })
        .await
    }

    /// Requests of a desk, oldest first.
    pub async fn desk_requests(&self, key: &DeskKey, query: &DeskQuery) -> R<Vec<DeskRow>> {
        let (key, query) = (key.clone(), query.clone());
        self.read(&key.scope.clone(), "desk_requests", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, warehouse] = desk_values(&key);
                let sql = format!(
                    "SELECT {COLUMNS} FROM desk_request WHERE tenant = $1 AND merchant = $2 AND warehouse = $3
                         AND number > $4 AND ($5 = '' OR state = $5)
                         AND ($6 = 0 OR (state = 'acknowledged' AND cancel = 'asked'))
                     ORDER BY number LIMIT $7"
                );
                let state = query.state.map_or("", DeskState::as_str);
                let values = [
                    tenant,
                    merchant,
                    warehouse,
                    query.after.into(),
                    state.into(),
                    query.cancel_asked.into(),
                    query.limit.into(),
                ];
                tx.query_built(sql, &values).await?.iter().map(desk_row).collect()
            })
        })
        .await
    }

    /// One request of a desk.
    pub async fn desk_request(&self, key: &DeskKey, request: &str) -> R<Option<DeskRow>> {
        let (key, request) = (key.clone(), request.to_owned());
        self.read(&key.scope.clone(), "desk_request", move |tx| Box::pin(async move { find(tx, &key, &request).await }))
            .await
    }

    /// The warehouse does something with a request: how it stands then, or why that cannot be done. `None` where there is
    /// none. What is done already is done once.
    pub async fn step_at_desk(
        &self,
        key: &DeskKey,
        request: &str,
        step: DeskStep,
    ) -> R<Option<Result<DeskRow, Refusal>>> {
        let (key, request) = (key.clone(), request.to_owned());
        self.write_witnessed(
            &key.scope.clone(),
            "step_at_desk",
            |done| matches!(done, Some(Ok(_))),
            move |tx| {
                Box::pin(async move {
                    let number = turn(tx, &key).await?;
                    let Some(mut row) = find(tx, &key, &request).await? else { return Ok(None) };
                    let shipped = matches!(step, DeskStep::GiveUp { .. })
                        && !posts::shipments(tx, &key, &request).await?.is_empty();
                    let done = match &step {
                        DeskStep::Acknowledge { lease, .. } => Act::Acknowledge { lease, last: row.lease.as_deref() },
                        DeskStep::Answer(answer) => Act::Answer(*answer),
                        DeskStep::GiveUp { .. } => Act::GiveUp { shipped },
                    };
                    let after = match act(row.standing, done) {
                        Ok(after) => after,
                        Err(refusal) => return Ok(Some(Err(refusal))),
                    };
                    let before = row.standing;
                    let mut named = row.reference.clone();
                    match step {
                        DeskStep::Acknowledge { reference, .. } if !reference.is_empty() => named = reference,
                        DeskStep::GiveUp { reason } if after != before => row.reason = reason,
                        DeskStep::Acknowledge { .. } | DeskStep::GiveUp { .. } | DeskStep::Answer(_) => {}
                    }
                    if after != before || named != row.reference {
                        row.standing = after;
                        row.reference = named;
                        row.changed_at = as_kept(tx.now);
                        keep(tx, &key, &row).await?;
                    }
                    if let Some(state) = said(before, after) {
                        posts::say(tx, &key, number, &request, state).await?;
                    }
                    Ok(Some(Ok(row)))
                })
            },
        )
        .await
    }

    /// The connection whose request this is, and its order.
    pub async fn connection_of_request(&self, desk: &DeskKey, request: &str) -> R<Option<(ConnectionKey, i64)>> {
        let (scope, warehouse, request) = (desk.scope.clone(), desk.warehouse.clone(), request.to_owned());
        self.read(&scope.clone(), "connection_of_request", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                // An order that went to another warehouse first has the same key there.
                let row = tx
                    .first(
                        "SELECT r.connection, r.order_id FROM request AS r
                             JOIN connection AS c ON c.tenant = r.tenant AND c.merchant = r.merchant AND c.id = r.connection
                         WHERE r.tenant = $1 AND r.merchant = $2 AND r.key = $3 AND c.warehouse = $4 ORDER BY r.id LIMIT 1",
                        &[tenant, merchant, request.into(), (&warehouse).into()],
                    )
                    .await?;
                row.map(|row| Ok((ConnectionKey { scope, connection: row.parsed(0)? }, row.int(1)?))).transpose()
            })
        })
        .await
    }
}

/// What the hub has to hear of a step; what it did itself it knows.
fn said(before: Standing, after: Standing) -> Option<RequestState> {
    if before.state == after.state {
        return None;
    }
    match after.state {
        DeskState::GivenUp => Some(RequestState::Cancelled),
        DeskState::Cancelled if after.cancel == CancelAsked::Asked => Some(RequestState::Cancelled),
        DeskState::Closed => Some(RequestState::Finished),
        DeskState::Acknowledged | DeskState::Waiting | DeskState::Cancelled => None,
    }
}
