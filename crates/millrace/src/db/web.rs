//! What the web role keeps: the addresses that remote systems call, and the answers to requests that may be repeated.

use connect::{TenantId, ulid};
use jiff::{SignedDuration, Timestamp};

use super::{
    Access, Database, DbError, R, Scope,
    sql::{Row, Tx},
};

/// An address that a remote system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Whose.
    pub scope: Scope,
    /// `hok_…`; the secret that calls carry is sealed under it.
    pub id: String,
    /// Id of the store or warehouse.
    pub object: String,
    /// Last part of the address.
    pub path: String,
    /// When the address was seen to be reachable from outside.
    pub reached_at: Option<Timestamp>,
}

/// What is known of a request that carries an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing: it was taken down, and is to be carried out now.
    New,
    /// It is being carried out.
    Running,
    /// It was begun, and has shown nothing for longer than [`REPEAT_SILENT`]: whoever carried it out stopped, or could not write
    /// down its end. It may have been done.
    CutOff,
    /// It was answered so.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        answer: String,
    },
    /// The key was used for another request.
    Other,
}

/// How long answers are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// A request that has not shown for so long that it is being carried out is so no more.
pub const REPEAT_SILENT: SignedDuration = SignedDuration::from_secs(90);

impl Database {
    /// The address of a store or warehouse, if it has one.
    pub async fn hook(&self, scope: &Scope, object: &str) -> R<Option<Hook>> {
        let (scope, object) = (scope.clone(), object.to_owned());
        self.read(&scope.clone(), "hook", move |tx| Box::pin(async move { find(tx, &scope, &object).await })).await
    }

    /// Gives a store or warehouse an address: `path` where it has none yet.
    pub async fn ensure_hook(&self, scope: &Scope, object: &str, path: &str) -> R<Hook> {
        let (scope, object, path) = (scope.clone(), object.to_owned(), path.to_owned());
        self.write(&scope.clone(), "ensure_hook", move |tx| {
            Box::pin(async move {
                let id = format!("hok_{}", ulid(tx.now, &*tx.random));
                tx.execute(
                    "INSERT INTO hook (tenant, merchant, id, object, path, created_at) VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (tenant, merchant, object) DO NOTHING",
                    &[
                        (&scope.tenant).into(),
                        (&scope.merchant).into(),
                        id.into(),
                        (&object).into(),
                        path.into(),
                        tx.now.into(),
                    ],
                )
                .await?;
                find(tx, &scope, &object).await?.ok_or_else(|| DbError::NotFound(format!("the address of {object}")))
            })
        })
        .await
    }

    /// Writes down that an address was reached from outside.
    pub async fn hook_reached(&self, scope: &Scope, object: &str) -> R<()> {
        let (scope, object) = (scope.clone(), object.to_owned());
        self.write(&scope.clone(), "hook_reached", move |tx| {
            Box::pin(async move {
                tx.execute(
                    "UPDATE hook SET reached_at = $4 WHERE tenant = $1 AND merchant = $2 AND object = $3",
                    &[(&scope.tenant).into(), (&scope.merchant).into(), object.into(), tx.now.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Whose address this is; nobody's where the organisation is disabled.
    pub async fn hook_by_path(&self, path: &str) -> R<Option<Hook>> {
        let path = path.to_owned();
        self.read(Access::System, "hook_by_path", move |tx| {
            Box::pin(async move {
                let sql = if tx.is_postgres() {
                    // Row-level security hides it from a caller who is nobody's; this function is the narrow way in.
                    "SELECT tenant, merchant, id, object FROM hook_by_path($1)"
                } else {
                    "SELECT tenant, merchant, id, object FROM hook WHERE path = $1
                         AND tenant NOT IN (SELECT tenant FROM tenant WHERE disabled_at IS NOT NULL)"
                };
                let Some(row) = tx.first(sql, &[(&path).into()]).await? else { return Ok(None) };
                Ok(Some(Hook {
                    scope: Scope { tenant: row.parsed(0)?, merchant: row.parsed(1)? },
                    id: row.string(2)?,
                    object: row.string(3)?,
                    path,
                    reached_at: None,
                }))
            })
        })
        .await
    }

    /// Takes down that a request with an idempotency key begins, or says what is known of it.
    pub async fn begin_repeatable(&self, tenant: &TenantId, actor: &str, key: &str, request_sha256: &str) -> R<Repeat> {
        let (tenant, actor, key, hash) = (tenant.clone(), actor.to_owned(), key.to_owned(), request_sha256.to_owned());
        self.write(&tenant.clone(), "begin_repeatable", move |tx| {
            Box::pin(async move {
                let old = tx.now.checked_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
                tx.execute("DELETE FROM repeatable WHERE tenant = $1 AND at < $2", &[(&tenant).into(), old.into()]).await?;
                let begun = tx
                    .execute(
                        "INSERT INTO repeatable (tenant, actor, key, request_sha256, at) VALUES ($1, $2, $3, $4, $5)
                         ON CONFLICT (tenant, actor, key) DO NOTHING",
                        &[(&tenant).into(), (&actor).into(), (&key).into(), (&hash).into(), tx.now.into()],
                    )
                    .await?;
                if begun > 0 {
                    return Ok(Repeat::New);
                }
                let row = tx
                    .first(
                        "SELECT request_sha256, status, answer, at FROM repeatable WHERE tenant = $1 AND actor = $2 AND key = $3",
                        &[(&tenant).into(), (&actor).into(), (&key).into()],
                    )
                    .await?
                    .ok_or_else(|| DbError::Fenced("the request".to_owned()))?;
                if row.text(0)? != hash {
                    return Ok(Repeat::Other);
                }
                match row.opt_int(1)? {
                    None if tx.now.duration_since(row.time(3)?) > REPEAT_SILENT => Ok(Repeat::CutOff),
                    None => Ok(Repeat::Running),
                    Some(status) => Ok(Repeat::Answered {
                        status: u16::try_from(status).map_err(DbError::corrupt)?,
                        answer: row.opt_string(2)?.unwrap_or_default(),
                    }),
                }
            })
        })
        .await
    }

    /// Shows that a request with an idempotency key is still being carried out.
    pub async fn show_repeatable(&self, tenant: &TenantId, actor: &str, key: &str) -> R<()> {
        let (tenant, actor, key) = (tenant.clone(), actor.to_owned(), key.to_owned());
        self.write(&tenant.clone(), "show_repeatable", move |tx| {
            Box::pin(async move {
                tx.execute(
                    "UPDATE repeatable SET at = $4 WHERE tenant = $1 AND actor = $2 AND key = $3 AND status IS NULL",
                    &[(&tenant).into(), actor.into(), key.into(), tx.now.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Keeps the answer of a request with an idempotency key. Without one the key is free again: the request changed nothing.
    pub async fn end_repeatable(
        &self,
        tenant: &TenantId,
        actor: &str,
        key: &str,
        answer: Option<(u16, String)>,
    ) -> R<()> {
        let (tenant, actor, key) = (tenant.clone(), actor.to_owned(), key.to_owned());
        self.write(&tenant.clone(), "end_repeatable", move |tx| {
            Box::pin(async move {
                match answer {
                    Some((status, answer)) => {
                        tx.execute(
                            "UPDATE repeatable SET status = $4, answer = $5 WHERE tenant = $1 AND actor = $2 AND key = $3",
                            &[
                                (&tenant).into(),
                                actor.into(),
                                key.into(),
                                i64::from(status).into(),
                                answer.into(),
                            ],
                        )
                        .await?;
                    }
                    None => {
                        tx.execute(
                            "DELETE FROM repeatable WHERE tenant = $1 AND actor = $2 AND key = $3",
                            &[(&tenant).into(), actor.into(), key.into()],
                        )
                        .await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }
}

async fn find(tx: &mut Tx, scope: &Scope, object: &str) -> R<Option<Hook>> {
    let row = tx
        .first(
            "SELECT id, path, reached_at FROM hook WHERE tenant = $1 AND merchant = $2 AND object = $3",
            &[(&scope.tenant).into(), (&scope.merchant).into(), object.into()],
        )
        .await?;
    row.map(|row: Row| {
        Ok(Hook {
            scope: scope.clone(),
            id: row.string(0)?,
            object: object.to_owned(),
            path: row.string(1)?,
            reached_at: row.opt_time(2)?,
        })
    })
    .transpose()
}
