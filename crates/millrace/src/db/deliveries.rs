//! Deliveries: what is told to an outlet, every try of it, and what became of it.
//!
//! A delivery is made in the transaction that moves its outlet's cursor, so that each event is told once and none is left out, whenever
//! the program dies. It is told again until it was taken, so a receiver may see it twice; its id is the same each time.

use connect::{EventId, ulid};
use jiff::{SignedDuration, Timestamp};

use super::{
    Access, Database, DbError, Event, Page, R, audit,
    lists::Conditions,
    outlets,
    outlets::{Outlet, merchant_text},
    queries,
    sql::{Row, Tx, Value},
};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It goes (again) when its time has come.
    Waiting,
    /// It was taken.
    Delivered,
    /// It was given up; a person can have it go again.
    Failed,
}

impl DeliveryState {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for DeliveryState {
    type Err = DbError;

    fn from_str(text: &str) -> R<Self> {
        [Self::Waiting, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| DbError::Refused(format!("there is no state of a delivery {text:?}")))
    }
}

/// A delivery as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `dlv_…`; also the message's id.
    pub id: String,
    /// To which outlet.
    pub outlet: String,
    /// The event it tells of.
    pub event: Option<EventId>,
    /// What it tells of.
    pub kind: String,
    /// What is sent, JSON.
    pub body: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries since it was last made to wait anew.
    pub tries: u32,
    /// When it goes (again).
    pub next_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken or given up.
    pub ended_at: Option<Timestamp>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When.
    pub at: Timestamp,
    /// Milliseconds it took.
    pub took_ms: i64,
    /// HTTP status, where an answer came.
    pub status: Option<u16>,
    /// The beginning of the answer.
    pub answer: String,
    /// What failed; `None` if it was taken.
    pub problem: Option<String>,
}

/// What is made of a delivery after a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was taken.
    Taken,
    /// It goes again then.
    Again(Timestamp),
    /// It is given up.
    GivenUp,
}

/// An event as it is to be told.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The event's number.
    pub event: i64,
    /// What it is called outside.
    pub id: EventId,
    /// Its kind.
    pub kind: String,
    /// What is sent, JSON.
    pub body: String,
}

const DELIVERY: &str = "id, outlet, event_id, kind, body, state, tries, next_at, created_at, ended_at";

fn delivery(row: &Row) -> R<Delivery> {
    Ok(Delivery {
        id: row.string(0)?,
        outlet: row.string(1)?,
        event: row.opt_parsed(2)?,
        kind: row.string(3)?,
        body: row.string(4)?,
        state: row.parsed(5)?,
        tries: row.u32(6)?,
        next_at: row.time(7)?,
        created_at: row.time(8)?,
        ended_at: row.opt_time(9)?,
    })
}

fn of(access: &Access, outlet: &Outlet) -> [Value; 3] {
    [access.setting().0.into(), merchant_text(outlet.merchant.as_ref()).into(), (&outlet.id).into()]
}

/// Makes a delivery that tells of no event.
pub(super) async fn add(tx: &mut Tx, access: &Access, outlet: &Outlet, kind: &str, body: String) -> R<String> {
    let id = format!("dlv_{}", ulid(tx.now, &*tx.random));
    let now = tx.now;
    let [tenant, merchant, outlet] = of(access, outlet);
    tx.execute(
        "INSERT INTO delivery (tenant, merchant, id, outlet, event, kind, body, state, tries, next_at, created_at)
         VALUES ($1, $2, $3, $4, NULL, $5, $6, 'waiting', 0, $7, $7)",
        &[tenant, merchant, (&id).into(), outlet, kind.into(), body.into(), now.into()],
    )
    .await?;
    tx.wakes.work = true;
    Ok(id)
}

async fn find(tx: &mut Tx, access: &Access, id: &str) -> R<Delivery> {
    let (tenant, merchant) = access.setting();
    let sql = format!(
        "SELECT {DELIVERY} FROM delivery WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND id = $3"
    );
    let rows = tx.query_built(sql, &[tenant.into(), merchant.into(), id.into()]).await?;
    rows.first().map(delivery).transpose()?.ok_or_else(|| DbError::NotFound(id.to_owned()))
}

impl Database {
    /// Makes deliveries of events, and moves the outlet's cursor. What another node has made already is left alone.
    pub async fn give_events(&self, access: &Access, outlet: &Outlet, up_to: i64, tellings: Vec<Telling>) -> R<()> {
        let (access, outlet) = (access.clone(), outlet.clone());
        self.write(access.clone(), "give_events", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, id] = of(&access, &outlet);
                // Under a lock on its row from here on: nodes do not give the same events twice.
                let moved = tx
                    .execute(
                        "UPDATE outlet SET cursor = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3 AND enabled = 1
                             AND cursor = $5",
                        &[tenant.clone(), merchant.clone(), id.clone(), up_to.into(), outlet.cursor.into()],
                    )
                    .await?;
                if moved == 0 {
                    return Ok(());
                }
                insert(tx, &[tenant, merchant, id], tellings).await
            })
        })
        .await
    }

    /// Has events told once more, and such that were not told at all. How many.
    pub async fn replay_events(&self, access: &Access, id: &str, tellings: Vec<Telling>, actor: &str) -> R<usize> {
        let (access, id, actor) = (access.clone(), id.to_owned(), actor.to_owned());
        self.write(access.clone(), "replay_events", move |tx| {
            Box::pin(async move {
                let outlet = outlets::load(tx, &access, &id).await?;
                let count = tellings.len();
                let numbers: Vec<i64> = tellings.iter().map(|telling| telling.event).collect();
                let [tenant, merchant, outlet] = of(&access, &outlet);
                let now = tx.now;
                tx.among(
                    "UPDATE delivery SET state = 'waiting', tries = 0, next_at = $4, ended_at = NULL
                     WHERE tenant = $1 AND merchant = $2 AND outlet = $3 AND event IN (",
                    ") RETURNING id",
                    &[tenant.clone(), merchant.clone(), outlet.clone(), now.into()],
                    numbers,
                )
                .await?;
                insert(tx, &[tenant, merchant, outlet], tellings).await?;
                let detail = serde_json::json!({ "events": count }).to_string();
                audit::append(tx, access.setting().0, &actor, "outlet.replay", &id, &detail).await?;
                tx.wakes.work = true;
                Ok(count)
            })
        })
        .await
    }

    /// The events of a tenant or merchant between two times, oldest first, after a number.
    pub async fn events_between(
        &self,
        access: &Access,
        from: Timestamp,
        until: Timestamp,
        after: i64,
        limit: u32,
    ) -> R<Vec<Event>> {
        let mut events = self.events_after(access, after, limit).await?;
        // Numbers follow time: what is older than the beginning is passed over, what is younger than the end comes after it.
        while !events.is_empty() && events.iter().all(|event| event.at < from) {
            let last = events.last().map_or(after, |event| event.number);
            events = self.events_after(access, last, limit).await?;
        }
        events.retain(|event| event.at >= from && event.at < until);
        Ok(events)
    }

    /// Has one delivery go again now.
    pub async fn replay_delivery(&self, access: &Access, id: &str, actor: &str) -> R<Delivery> {
        let (access, id, actor) = (access.clone(), id.to_owned(), actor.to_owned());
        self.write(access.clone(), "replay_delivery", move |tx| {
            Box::pin(async move {
                let before = find(tx, &access, &id).await?;
                let (tenant, merchant) = access.setting();
                let now = tx.now;
                tx.execute(
                    "UPDATE delivery SET state = 'waiting', tries = 0, next_at = $4, ended_at = NULL
                     WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND id = $3",
                    &[tenant.into(), merchant.into(), (&id).into(), now.into()],
                )
                .await?;
                let detail = serde_json::json!({ "outlet": before.outlet }).to_string();
                audit::append(tx, tenant, &actor, "delivery.replay", &id, &detail).await?;
                tx.wakes.work = true;
                find(tx, &access, &id).await
            })
        })
        .await
    }

    /// Makes a delivery that tells of no event: a test. Its id.
    pub async fn add_delivery(&self, access: &Access, id: &str, kind: &str, body: String) -> R<Delivery> {
        let (access, id, kind) = (access.clone(), id.to_owned(), kind.to_owned());
        self.write(access.clone(), "add_delivery", move |tx| {
            Box::pin(async move {
                let outlet = outlets::load(tx, &access, &id).await?;
                let made = add(tx, &access, &outlet, &kind, body).await?;
                find(tx, &access, &made).await
            })
        })
        .await
    }

    /// The deliveries of one outlet that are due, oldest first. While sending is frozen only what speaks of that, and tests: a database
    /// that was restored or copied may have told the rest already.
    pub async fn due_deliveries(&self, access: &Access, outlet: &Outlet, limit: u32, frozen: bool) -> R<Vec<Delivery>> {
        let (access, outlet) = (access.clone(), outlet.clone());
        self.read(access.clone(), "due_deliveries", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let [tenant, merchant, outlet] = of(&access, &outlet);
                let sql = format!(
                    "SELECT {DELIVERY} FROM delivery WHERE tenant = $1 AND merchant = $2 AND outlet = $3
                         AND state = 'waiting' AND next_at <= $4 AND ($6 = 0 OR kind IN ('alert', 'safety', 'test'))
                     ORDER BY next_at, coalesce(event, 0), id LIMIT $5"
                );
                let values = [tenant, merchant, outlet, now.into(), limit.into(), frozen.into()];
                tx.query_built(sql, &values).await?.iter().map(delivery).collect()
            })
        })
        .await
    }

    /// The enabled outlets of a tenant that have something due; see [`Database::due_deliveries`].
    pub async fn due_outlets(&self, access: &Access, frozen: bool) -> R<Vec<String>> {
        let access = access.clone();
        self.read(access.clone(), "due_outlets", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let rows = tx
                    .query(
                        "SELECT DISTINCT d.outlet FROM delivery AS d
                         JOIN outlet AS o ON o.tenant = d.tenant AND o.merchant = d.merchant AND o.id = d.outlet
                         WHERE d.tenant = $1 AND d.state = 'waiting' AND d.next_at <= $2 AND o.enabled = 1
                             AND ($3 = 0 OR d.kind IN ('alert', 'safety', 'test'))",
                        &[access.setting().0.into(), now.into(), frozen.into()],
                    )
                    .await?;
                rows.iter().map(|row| row.string(0)).collect()
            })
        })
        .await
    }

    /// Keeps a try and what became of it; with `switch_off`, the outlet is switched off for that reason.
    pub async fn settle_delivery(
        &self,
        access: &Access,
        outlet: &Outlet,
        id: &str,
        attempt: DeliveryAttempt,
        settled: Settled,
        switch_off: Option<String>,
    ) -> R<()> {
        let (access, outlet, id) = (access.clone(), outlet.clone(), id.to_owned());
        self.write(access.clone(), "settle_delivery", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, outlet_id] = of(&access, &outlet);
                let number = tx
                    .first(
                        "SELECT coalesce(max(number), 0) FROM delivery_attempt
                         WHERE tenant = $1 AND merchant = $2 AND delivery = $3",
                        &[tenant.clone(), merchant.clone(), (&id).into()],
                    )
                    .await?
                    .map_or(Ok(0), |row| row.int(0))?
                    + 1;
                let (state, next_at, ended) = match settled {
                    Settled::Taken => (DeliveryState::Delivered, tx.now, Some(tx.now)),
                    Settled::Again(at) => (DeliveryState::Waiting, at, None),
                    Settled::GivenUp => (DeliveryState::Failed, tx.now, Some(tx.now)),
                };
                let known = tx
                    .execute(
                        "UPDATE delivery SET state = $4, next_at = $5, ended_at = $6, tries = tries + 1
                         WHERE tenant = $1 AND merchant = $2 AND id = $3",
                        &[
                            tenant.clone(),
                            merchant.clone(),
                            (&id).into(),
                            state.as_str().into(),
                            next_at.into(),
                            ended.into(),
                        ],
                    )
                    .await?;
                if known == 0 {
                    // Its outlet was deleted meanwhile.
                    return Ok(());
                }
                tx.execute(
                    "INSERT INTO delivery_attempt (tenant, merchant, delivery, number, at, took_ms, status, answer, problem)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    &[
                        tenant.clone(),
                        merchant.clone(),
                        (&id).into(),
                        number.into(),
                        attempt.at.into(),
                        attempt.took_ms.into(),
                        attempt.status.map(i64::from).into(),
                        attempt.answer.into(),
                        attempt.problem.clone().into(),
                    ],
                )
                .await?;
                let since = if attempt.problem.is_none() { None } else { Some(attempt.at) };
                tx.execute(
                    "UPDATE outlet SET failing_since = CASE WHEN $4 IS NULL THEN NULL ELSE coalesce(failing_since, $4) END
                     WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant.clone(), merchant.clone(), outlet_id.clone(), since.into()],
                )
                .await?;
                if let Some(why) = switch_off {
                    tx.execute(
                        "UPDATE outlet SET enabled = 0, disabled_why = $4
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND enabled = 1",
                        &[tenant, merchant, outlet_id, (&why).into()],
                    )
                    .await?;
                    let detail = serde_json::json!({ "why": why }).to_string();
                    audit::append(tx, access.setting().0, "millrace", "outlet.disable", &outlet.id, &detail).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The deliveries of an outlet, newest first.
    pub async fn list_deliveries(
        &self,
        access: &Access,
        outlet: &str,
        state: Option<DeliveryState>,
        after: Option<&str>,
        limit: u32,
    ) -> R<Page<Delivery>> {
        let (access, outlet, after) = (access.clone(), outlet.to_owned(), after.map(str::to_owned));
        self.read(access.clone(), "list_deliveries", move |tx| {
            Box::pin(async move {
                let outlet = outlets::load(tx, &access, &outlet).await?;
                let [tenant, merchant, outlet] = of(&access, &outlet);
                let mut conditions = Conditions::new("d.tenant = $1", tenant);
                conditions.and("d", "merchant =", merchant);
                conditions.and("d", "outlet =", outlet);
                if let Some(state) = state {
                    conditions.and("d", "state =", state.as_str());
                }
                let wanted = conditions.page("d", after, limit);
                let sql = format!("SELECT {DELIVERY} FROM delivery AS d WHERE {wanted}");
                let items =
                    tx.query_built(sql, &conditions.values).await?.iter().map(delivery).collect::<R<Vec<_>>>()?;
                Ok(queries::page(items, limit, |delivery| delivery.id.clone()))
            })
        })
        .await
    }

    /// One delivery with its tries, oldest first.
    pub async fn delivery(&self, access: &Access, id: &str) -> R<(Delivery, Vec<DeliveryAttempt>)> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "delivery", move |tx| {
            Box::pin(async move {
                let found = find(tx, &access, &id).await?;
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT at, took_ms, status, answer, problem FROM delivery_attempt
                         WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND delivery = $3 ORDER BY number",
                        &[tenant.into(), merchant.into(), id.into()],
                    )
                    .await?;
                let attempts = rows
                    .iter()
                    .map(|row| {
                        Ok(DeliveryAttempt {
                            at: row.time(0)?,
                            took_ms: row.int(1)?,
                            status: row.opt_int(2)?.and_then(|status| u16::try_from(status).ok()),
                            answer: row.string(3)?,
                            problem: row.opt_string(4)?,
                        })
                    })
                    .collect::<R<Vec<_>>>()?;
                Ok((found, attempts))
            })
        })
        .await
    }

    /// Removes deliveries that ended so long ago. How many.
    pub async fn trim_deliveries(&self, access: &Access, age: SignedDuration) -> R<u64> {
        let access = access.clone();
        self.write(access.clone(), "trim_deliveries", move |tx| {
            Box::pin(async move {
                let before = tx.now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
                let of = [access.setting().0.into(), before.into()];
                tx.execute(
                    "DELETE FROM delivery_attempt WHERE tenant = $1 AND delivery IN
                         (SELECT id FROM delivery WHERE tenant = $1 AND state <> 'waiting' AND ended_at < $2)",
                    &of,
                )
                .await?;
                tx.execute("DELETE FROM delivery WHERE tenant = $1 AND state <> 'waiting' AND ended_at < $2", &of).await
            })
        })
        .await
    }
}

async fn insert(tx: &mut Tx, of: &[Value; 3], tellings: Vec<Telling>) -> R<()> {
    let now = tx.now;
    let rows = tellings
        .into_iter()
        .map(|telling| {
            let id = format!("dlv_{}", ulid(now, &*tx.random));
            vec![id.into(), telling.event.into(), (&telling.id).into(), telling.kind.into(), telling.body.into()]
        })
        .collect();
    let [tenant, merchant, outlet] = of.clone();
    tx.many(
        "INSERT INTO delivery (tenant, merchant, outlet, next_at, created_at, state, tries, id, event, event_id, kind, body)
         SELECT $1, $2, $3, $4, $4, 'waiting', 0, v.column1, v.column2, v.column3, v.column4, v.column5 FROM (VALUES ",
        ") AS v WHERE 1 = 1 ON CONFLICT (tenant, merchant, outlet, event) DO NOTHING",
        &[tenant, merchant, outlet, now.into()],
        rows,
    )
    .await?;
    Ok(())
}
