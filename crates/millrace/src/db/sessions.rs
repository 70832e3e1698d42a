//! Who is signed in. A session's token is known to its browser only; its hash is kept.

use connect::{Secret, TenantId, ulid};
use jiff::{SignedDuration, Timestamp};

use super::{
    Access, Database, DbError, Person, R, audit, people,
    sql::{Row, Tx},
};

/// Ended sessions are kept so long for the list.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A session to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// SHA-256 of its token, hex.
    pub hash: String,
    /// Network address it is begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// How the person proved who they are, for the audit trail.
    pub by: &'static str,
    /// When they last did; `None`: just now.
    pub proved_at: Option<Timestamp>,
    /// Whether an identity provider said that it asked for several factors.
    pub several_factors: bool,
    /// Who asked for a second factor, for the audit trail: `here`, `provider`; `None`: nobody did.
    pub factor: Option<&'static str>,
}

/// A session as kept; its token is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// `ses_…`.
    pub id: String,
    /// Whose.
    pub person: String,
    /// Network address it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When the person last proved who they are.
    pub proved_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// Whether an identity provider said that it asked for several factors.
    pub several_factors: bool,
}

const COLUMNS: &str = "id, person, address, agent, started_at, proved_at, seen_at, ended_at, several_factors";

fn session(row: &Row) -> R<SessionRow> {
    Ok(SessionRow {
        id: row.string(0)?,
        person: row.string(1)?,
        address: row.string(2)?,
        agent: row.string(3)?,
        started_at: row.time(4)?,
        proved_at: row.time(5)?,
        seen_at: row.time(6)?,
        ended_at: row.opt_time(7)?,
        several_factors: row.flag(8)?,
    })
}

/// Ends every session of a person. How many.
pub(super) async fn end_all(tx: &mut Tx, tenant: &TenantId, person: &str) -> R<u64> {
    let now = tx.now;
    tx.execute(
        "UPDATE session SET ended_at = $3 WHERE tenant = $1 AND person = $2 AND ended_at IS NULL",
        &[tenant.into(), person.into(), now.into()],
    )
    .await
}

impl Database {
    /// Begins a session for a person who proved to be it, and writes that to the audit trail. `password_hash` is the one that
    /// was compared: where the password was changed meanwhile, or the person may not sign in, nothing is begun.
    pub async fn begin_session(
        &self,
        person: &Person,
        password_hash: &Secret,
        new: NewSession,
        actor: &str,
    ) -> R<Option<SessionRow>> {
        let (tenant, person, hash) = (person.tenant.clone(), person.id.clone(), password_hash.clone());
        let actor = actor.to_owned();
        self.write(&tenant.clone(), "begin_session", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                // The row is locked until the commit, so that a change of the password at the same time ends this one too.
                let allowed = tx
                    .execute(
                        "UPDATE person SET disabled = disabled
                         WHERE tenant = $1 AND id = $2 AND disabled = 0 AND password_hash = $3",
                        &[(&tenant).into(), (&person).into(), hash.expose().into()],
                    )
                    .await?;
                if allowed == 0 {
                    return Ok(None);
                }
                let old = now.checked_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH);
                tx.execute(
                    "DELETE FROM session WHERE tenant = $1 AND person = $2 AND seen_at < $3",
                    &[(&tenant).into(), (&person).into(), old.into()],
                )
                .await?;
                let id = format!("ses_{}", ulid(now, &*tx.random));
                tx.execute(
                    "INSERT INTO session (tenant, id, person, hash, address, agent, started_at, proved_at, seen_at,
                         several_factors)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9)",
                    &[
                        (&tenant).into(),
                        (&id).into(),
                        (&person).into(),
                        new.hash.into(),
                        (&new.address).into(),
                        new.agent.into(),
                        now.into(),
                        new.proved_at.map_or(now, |at| at.min(now)).into(),
                        new.several_factors.into(),
                    ],
                )
                .await?;
                let detail = serde_json::json!({
                    "address": new.address, "session": id, "by": new.by, "factor": new.factor,
                })
                .to_string();
                audit::append(tx, tenant.as_str(), &actor, "sign_in.success", &person, &detail).await?;
                one(tx, &tenant, &id).await
            })
        })
        .await
    }

    /// The session with this hash and its person, whosever it is, but of a disabled organisation; whether it may still be
    /// used is for the caller to ask.
    pub async fn find_session(&self, hash: &str) -> R<Option<(SessionRow, Person)>> {
        let hash = hash.to_owned();
        let found = self
            .read(Access::System, "find_session", move |tx| {
                Box::pin(async move {
                    let sql = if tx.is_postgres() {
                        "SELECT tenant, id FROM session_by_hash($1)"
                    } else {
                        "SELECT tenant, id FROM session WHERE hash = $1
                             AND tenant NOT IN (SELECT tenant FROM tenant WHERE disabled_at IS NOT NULL)"
                    };
                    let row = tx.first(sql, &[hash.into()]).await?;
                    row.map(|row| Ok((row.parsed::<TenantId>(0)?, row.string(1)?))).transpose()
                })
            })
            .await?;
        let Some((tenant, id)) = found else { return Ok(None) };
        self.read(&tenant.clone(), "session", move |tx| {
            Box::pin(async move {
                let Some(session) = one(tx, &tenant, &id).await? else { return Ok(None) };
                let person = people::find(tx, &tenant, &session.person).await?;
                Ok(Some((session, person)))
            })
        })
        .await
    }

    /// Notes that a session was used, at most once a minute.
    pub async fn touch_session(&self, tenant: &TenantId, session: &SessionRow) -> R<()> {
        if self.inner.clock.now().duration_since(session.seen_at).as_secs() < 60 {
            return Ok(());
        }
        let (tenant, id) = (tenant.clone(), session.id.clone());
        self.write(&tenant.clone(), "touch_session", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                tx.execute(
                    "UPDATE session SET seen_at = $3 WHERE tenant = $1 AND id = $2",
                    &[(&tenant).into(), id.into(), now.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The password was given again: from now on the session has another token.
    pub async fn prove_session(&self, tenant: &TenantId, id: &str, hash: &str, actor: &str) -> R<SessionRow> {
        let (tenant, id, hash, actor) = (tenant.clone(), id.to_owned(), hash.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "prove_session", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let gone = || DbError::NotFound(format!("session {id:?}"));
                let done = tx
                    .execute(
                        "UPDATE session SET proved_at = $3, seen_at = $3, hash = $4
                         WHERE tenant = $1 AND id = $2 AND ended_at IS NULL",
                        &[(&tenant).into(), (&id).into(), now.into(), hash.into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(gone());
                }
                audit::append(tx, tenant.as_str(), &actor, "sign_in.proof", &id, "{}").await?;
                one(tx, &tenant, &id).await?.ok_or_else(gone)
            })
        })
        .await
    }

    /// A person's sessions that were not ended, newest first.
    pub async fn sessions(&self, tenant: &TenantId, person: &str) -> R<Vec<SessionRow>> {
        let (tenant, person) = (tenant.clone(), person.to_owned());
        self.read(&tenant.clone(), "sessions", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM session WHERE tenant = $1 AND person = $2 AND ended_at IS NULL
                     ORDER BY id DESC LIMIT 500"
                );
                tx.query_built(sql, &[(&tenant).into(), person.into()]).await?.iter().map(session).collect()
            })
        })
        .await
    }

    /// Ends one session of a person.
    pub async fn end_session(&self, tenant: &TenantId, person: &str, id: &str, actor: &str) -> R<()> {
        let (tenant, person, id, actor) = (tenant.clone(), person.to_owned(), id.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "end_session", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE session SET ended_at = $4
                         WHERE tenant = $1 AND person = $2 AND id = $3 AND ended_at IS NULL",
                        &[(&tenant).into(), person.into(), (&id).into(), now.into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("session {id:?}")));
                }
                audit::append(tx, tenant.as_str(), &actor, "session.end", &id, "{}").await
            })
        })
        .await
    }

    /// Ends every session of a person. How many.
    pub async fn end_sessions(&self, tenant: &TenantId, person: &str, actor: &str) -> R<u64> {
        let (tenant, person, actor) = (tenant.clone(), person.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "end_sessions", move |tx| {
            Box::pin(async move {
                let ended = end_all(tx, &tenant, &person).await?;
                let detail = serde_json::json!({ "ended": ended }).to_string();
                audit::append(tx, tenant.as_str(), &actor, "session.end_all", &person, &detail).await?;
                Ok(ended)
            })
        })
        .await
    }
}

async fn one(tx: &mut Tx, tenant: &TenantId, id: &str) -> R<Option<SessionRow>> {
    let sql = format!("SELECT {COLUMNS} FROM session WHERE tenant = $1 AND id = $2");
    tx.query_built(sql, &[tenant.into(), id.into()]).await?.first().map(session).transpose()
}
