//! What comes in: calls from the order source, files and pages from warehouses, and what could not be used of them.

use connect::{Inbound, RejectedInput, ulid};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    Access, ConnectionKey, Database, R, Scope, audit,
    effects::{key_values, sha256},
    events::TRIMMED,
    facts::scope_values,
    payload::{pack, unpack},
    sql::{Tx, Value},
};

/// A call from the order source: a hint that something changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxCall {
    /// What kind of thing, e.g. `order`.
    pub resource: String,
    /// Which, as it came: an id or a set of ids.
    pub resource_id: String,
    /// What happened to it.
    pub event: String,
    /// When, as the source writes it.
    pub raised_on: String,
}

/// Something a person should look at and that belongs to no order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExceptionRow {
    /// Its id.
    pub id: String,
    /// `input`, `shipment_input`, `unknown_key`, `forgotten_request`, `changed_shipment`, `changed_adjustment`, `shipped_after_cancel`,
    /// `nothing_left`, `unacknowledged`, `refused_message`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What is wrong, and what to do.
    pub reason: String,
    /// As it came, where it was kept.
    #[serde(skip)]
    pub content: Option<Vec<u8>>,
    /// When.
    pub at: Timestamp,
    /// When a person dealt with it, or it dealt with itself.
    pub resolved_at: Option<Timestamp>,
    /// Who.
    pub resolved_by: Option<String>,
}

/// Raises an exception; one that was raised before is left as it is.
pub(super) async fn raise(
    tx: &mut Tx,
    key: &ConnectionKey,
    kind: &'static str,
    subject: &str,
    reason: &str,
    content: Option<&[u8]>,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let id = format!("exc_{}", ulid(tx.now, &*tx.random));
    let now = tx.now;
    let raised = tx
        .execute(
            "INSERT INTO exception (tenant, merchant, connection, id, kind, subject, reason, content, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (tenant, merchant, connection, kind, subject) DO NOTHING",
            &[
                tenant,
                merchant,
                connection,
                (&id).into(),
                kind.into(),
                subject.into(),
                reason.into(),
                content.map(pack).transpose()?.into(),
                now.into(),
            ],
        )
        .await?;
    if raised > 0 {
        tx.event("exception", id, kind);
    }
    Ok(())
}

/// What an exception about an input that says what left is called: until it is settled, nobody knows what is in it.
pub(super) const SHIPMENT_INPUT: &str = "shipment_input";
/// What an exception about any other input is called.
const INPUT: &str = "input";

/// Keeps what was taken in, and raises what could not be used as exceptions of this kind. One that comes again whole, under
/// its name, is settled by that.
pub(super) async fn keep_inputs(
    tx: &mut Tx,
    key: &ConnectionKey,
    taken: &[Inbound],
    rejected: &[RejectedInput],
    kind: &'static str,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let mut rows = Vec::with_capacity(taken.len());
    for input in taken {
        rows.push(vec![
            tenant.clone(),
            merchant.clone(),
            connection.clone(),
            (&input.name).into(),
            (&input.content_hash).into(),
            pack(&input.content)?.into(),
            now.into(),
        ]);
    }
    tx.many(
        "INSERT INTO input (tenant, merchant, connection, name, content_sha256, content, at) VALUES ",
        " ON CONFLICT (tenant, merchant, connection, name, content_sha256) DO NOTHING",
        &[],
        rows,
    )
    .await?;
    for RejectedInput { input, reason, beside, key: _ } in rejected {
        let kind = if *beside { INPUT } else { kind };
        let hash = if input.content_hash.is_empty() { sha256(&input.content) } else { input.content_hash.clone() };
        let subject = format!("{}/{hash}", input.name);
        raise(tx, key, kind, &subject, reason, Some(&input.content)).await?;
    }
    for input in taken {
        tx.execute(
            "UPDATE exception SET resolved_at = $6, resolved_by = 'millrace' WHERE tenant = $1 AND merchant = $2
                 AND connection = $3 AND kind = $4 AND resolved_at IS NULL
                 AND substr(subject, 1, length(CAST($5 AS TEXT)) + 1) = CAST($5 AS TEXT) || '/'",
            &[tenant.clone(), merchant.clone(), connection.clone(), kind.into(), (&input.name).into(), now.into()],
        )
        .await?;
    }
    Ok(())
}

impl Database {
    /// Keeps what was taken in, and raises what could not be used.
    pub async fn record_inputs(&self, key: &ConnectionKey, taken: &[Inbound], rejected: &[RejectedInput]) -> R<()> {
        let (key, taken, rejected) = (key.clone(), taken.to_vec(), rejected.to_vec());
        self.write(&key.clone(), "record_inputs", move |tx| {
            Box::pin(async move { keep_inputs(tx, &key, &taken, &rejected, INPUT).await })
        })
        .await
    }

    /// The oldest input that says what left and could not be used, while nobody has settled it.
    pub async fn unread_shipments(&self, key: &ConnectionKey) -> R<Option<String>> {
        let key = key.clone();
        self.read(&key.clone(), "unread_shipments", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT subject FROM exception WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND kind = $4 AND resolved_at IS NULL ORDER BY at, id LIMIT 1",
                        &[tenant, merchant, connection, SHIPMENT_INPUT.into()],
                    )
                    .await?;
                let subject = row.map(|row| row.string(0)).transpose()?;
                Ok(subject.map(|subject| subject.rsplit_once('/').map_or(subject.clone(), |(name, _)| name.to_owned())))
            })
        })
        .await
    }

    /// Keeps calls from an account of the order source; repeats are dropped. How many are new. Once this returns they may be
    /// answered (W1).
    pub async fn insert_calls(&self, scope: &Scope, account: &str, calls: Vec<InboxCall>) -> R<usize> {
        let (scope, account) = (scope.clone(), account.to_owned());
        self.write(&scope.clone(), "insert_calls", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let now = tx.now;
                let rows = calls
                    .into_iter()
                    .map(|call| {
                        vec![
                            tenant.clone(),
                            merchant.clone(),
                            Value::from(&account),
                            call.resource.into(),
                            call.resource_id.into(),
                            call.event.into(),
                            call.raised_on.into(),
                            now.into(),
                        ]
                    })
                    .collect();
                let inserted = tx
                    .many(
                        "INSERT INTO inbox (tenant, merchant, account, resource, resource_id, event, raised_on, received_at)
                         VALUES ",
                        " ON CONFLICT (tenant, merchant, account, resource, resource_id, event, raised_on) DO NOTHING
                         RETURNING 1",
                        &[],
                        rows,
                    )
                    .await?;
                tx.wakes.work |= !inserted.is_empty();
                Ok(inserted.len())
            })
        })
        .await
    }

    /// Takes calls out, oldest first. They stay kept, so that a repeat is recognised.
    pub async fn take_calls(&self, scope: &Scope, account: &str, limit: u32) -> R<Vec<InboxCall>> {
        let (scope, account) = (scope.clone(), account.to_owned());
        self.write(&scope.clone(), "take_calls", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let now = tx.now;
                let rows = tx
                    .query(
                        "SELECT resource, resource_id, event, raised_on FROM inbox
                         WHERE tenant = $1 AND merchant = $2 AND account = $3 AND taken_at IS NULL
                         ORDER BY received_at, resource, resource_id, event, raised_on LIMIT $4",
                        &[tenant.clone(), merchant.clone(), (&account).into(), limit.into()],
                    )
                    .await?;
                let mut calls = Vec::with_capacity(rows.len());
                for row in &rows {
                    calls.push(InboxCall {
                        resource: row.string(0)?,
                        resource_id: row.string(1)?,
                        event: row.string(2)?,
                        raised_on: row.string(3)?,
                    });
                }
                let taken = calls
                    .iter()
                    .map(|call| {
                        let InboxCall { resource, resource_id, event, raised_on } = call;
                        vec![resource.into(), resource_id.into(), event.into(), raised_on.into()]
                    })
                    .collect();
                tx.many(
                    "UPDATE inbox SET taken_at = $4 FROM (VALUES ",
                    ") AS v WHERE inbox.tenant = $1 AND inbox.merchant = $2 AND inbox.account = $3
                         AND inbox.resource = v.column1 AND inbox.resource_id = v.column2 AND inbox.event = v.column3
                         AND inbox.raised_on = v.column4",
                    &[tenant, merchant, account.into(), now.into()],
                    taken,
                )
                .await?;
                Ok(calls)
            })
        })
        .await
    }

    /// Removes calls that came so long ago, whatever became of them: a hint that nobody took by then says nothing any more, and no
    /// repeat comes so late. How many.
    pub async fn trim_calls(&self, access: &Access, age: SignedDuration) -> R<u64> {
        let mut trimmed = 0;
        loop {
            let whose = access.clone();
            let gone = self
                .write(access.clone(), "trim_calls", move |tx| {
                    Box::pin(async move {
                        let before = tx.now.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
                        let of = [whose.setting().0.into(), before.into(), TRIMMED.into()];
                        tx.execute(
                            "DELETE FROM inbox WHERE tenant = $1
                                 AND (merchant, account, resource, resource_id, event, raised_on) IN
                                 (SELECT merchant, account, resource, resource_id, event, raised_on FROM inbox
                                  WHERE tenant = $1 AND received_at < $2 LIMIT $3)",
                            &of,
                        )
                        .await
                    })
                })
                .await?;
            trimmed += gone;
            if gone < TRIMMED.unsigned_abs() {
                return Ok(trimmed);
            }
        }
    }

    /// What a person should look at, newest first; with what is dealt with, if asked for.
    pub async fn exceptions(&self, key: &ConnectionKey, resolved: bool, limit: u32) -> R<Vec<ExceptionRow>> {
        let key = key.clone();
        self.read(&key.clone(), "exceptions", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let rows = tx
                    .query(
                        "SELECT id, kind, subject, reason, content, at, resolved_at, resolved_by FROM exception
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND ($4 = 1 OR resolved_at IS NULL)
                         ORDER BY id DESC LIMIT $5",
                        &[tenant, merchant, connection, resolved.into(), limit.into()],
                    )
                    .await?;
                rows.iter()
                    .map(|row| {
                        Ok(ExceptionRow {
                            id: row.string(0)?,
                            kind: row.string(1)?,
                            subject: row.string(2)?,
                            reason: row.string(3)?,
                            content: row.opt_blob(4)?.map(unpack).transpose()?,
                            at: row.time(5)?,
                            resolved_at: row.opt_time(6)?,
                            resolved_by: row.opt_string(7)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }

    /// What an exception keeps, as it came.
    pub async fn exception_content(&self, key: &ConnectionKey, id: &str) -> R<Option<Vec<u8>>> {
        let (key, id) = (key.clone(), id.to_owned());
        self.read(&key.clone(), "exception_content", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let row = tx
                    .first(
                        "SELECT content FROM exception
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND id = $4",
                        &[tenant, merchant, connection, id.into()],
                    )
                    .await?;
                match row {
                    Some(row) => row.opt_blob(0)?.map(unpack).transpose(),
                    None => Ok(None),
                }
            })
        })
        .await
    }

    /// A person has dealt with an exception.
    pub async fn resolve_exception(&self, scope: &Scope, id: &str, actor: &str) -> R<()> {
        let (scope, id, actor) = (scope.clone(), id.to_owned(), actor.to_owned());
        self.write(&scope.clone(), "resolve_exception", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE exception SET resolved_at = $4, resolved_by = $5
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND resolved_at IS NULL",
                        &[tenant, merchant, (&id).into(), now.into(), (&actor).into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(super::DbError::NotFound(format!("open exception {id}")));
                }
                tx.event("exception", id.as_str(), "resolved");
                audit::append(tx, scope.tenant.as_str(), &actor, "exception.resolve", &id, "{}").await
            })
        })
        .await
    }
}
