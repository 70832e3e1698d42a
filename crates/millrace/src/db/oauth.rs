//! Access granted at Brightpearl: consents on their way, and tokens with their one refresh at a time.
//!
//! A consent is found by its state's hash within one tenant and belongs to one session. The tokens are sealed like every
//! secret; whose turn a refresh is, is decided by this row under its lock, so that all nodes together make one call.

use std::time::Duration;

use connect::{Grant, NewTokens, Refreshed, Secret, StoreId, TenantId};
use jiff::{SignedDuration, Timestamp};

use super::{
    Database, DbError, R, Scope, audit,
    config::touch_endpoint,
    facts::scope_values,
    secrets,
    sql::{Row, Tx, Value},
};
use crate::seal::Keyring;

/// A store with the scope its rows live in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreKey {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub store: StoreId,
}

impl StoreKey {
    fn values(&self) -> [Value; 3] {
        let [tenant, merchant] = scope_values(&self.scope);
        [tenant, merchant, (&self.store).into()]
    }

    /// What the tokens are kept under: not among the store's own settings, which people replace.
    fn object(&self) -> String {
        object(self.store.as_str())
    }
}

fn object(store: &str) -> String {
    format!("oauth:{store}")
}

const ACCESS: &str = "access_token";
const REFRESH: &str = "refresh_token";

/// A consent that begins.
#[derive(Debug, Clone)]
pub struct NewConsent {
    /// SHA-256 of its state, hex.
    pub hash: String,
    /// The session that begins it, `ses_…`.
    pub session: String,
    /// Where the browser comes back to, exactly.
    pub redirect_uri: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A consent that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// For which store.
    pub key: StoreKey,
    /// Where the browser was told to come back to.
    pub redirect_uri: String,
}

/// What is known of a store's grant, without its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantView {
    /// Grows with every pair of tokens.
    pub version: i64,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// Why it cannot be used any more.
    pub lost: Option<String>,
}

/// Removes what was granted to a store, with its tokens.
pub(super) async fn forget(tx: &mut Tx, scope: &Scope, store: &str) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    tx.execute(
        "DELETE FROM secret WHERE tenant = $1 AND merchant = $2 AND object = $3",
        &[tenant.clone(), merchant.clone(), object(store).into()],
    )
    .await?;
    for sql in [
        "DELETE FROM oauth_grant WHERE tenant = $1 AND merchant = $2 AND store = $3",
        "DELETE FROM oauth_flow WHERE tenant = $1 AND merchant = $2 AND store = $3",
    ] {
        tx.execute(sql, &[tenant.clone(), merchant.clone(), store.into()]).await?;
    }
    Ok(())
}

async fn seal(tx: &mut Tx, key: &StoreKey, tokens: &NewTokens, keyring: &Keyring) -> R<()> {
    secrets::put(tx, &key.scope, &key.object(), ACCESS, &tokens.access, keyring).await?;
    secrets::put(tx, &key.scope, &key.object(), REFRESH, &tokens.refresh, keyring).await
}

fn view(row: &Row) -> R<GrantView> {
    Ok(GrantView { version: row.int(0)?, granted_at: row.time(1)?, expires_at: row.time(2)?, lost: row.opt_string(3)? })
}

async fn audited(tx: &mut Tx, key: &StoreKey, actor: &str, action: &str, detail: serde_json::Value) -> R<()> {
    audit::append(tx, key.scope.tenant.as_str(), actor, action, key.store.as_str(), &detail.to_string()).await
}

impl Database {
    /// Keeps a consent that begins; those of the same store that have not come back, or are over, go.
    pub async fn begin_consent(&self, key: &StoreKey, new: NewConsent, actor: &str) -> R<()> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(&key.scope.clone(), "begin_consent", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, store] = key.values();
                let now = tx.now;
                tx.execute(
                    "DELETE FROM oauth_flow WHERE tenant = $1 AND merchant = $2 AND store = $3",
                    &[tenant.clone(), merchant.clone(), store.clone()],
                )
                .await?;
                tx.execute(
                    "INSERT INTO oauth_flow (tenant, merchant, hash, store, session, redirect_uri, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    &[
                        tenant,
                        merchant,
                        new.hash.into(),
                        store,
                        new.session.into(),
                        new.redirect_uri.into(),
                        now.into(),
                        new.expires_at.into(),
                    ],
                )
                .await?;
                audited(tx, &key, &actor, "oauth.begin", serde_json::json!({})).await
            })
        })
        .await
    }

    /// Takes a consent, once, for the session that began it. `None`: there is none, it was taken, it is over, or it is another
    /// session's, which may still take it.
    pub async fn take_consent(&self, tenant: &TenantId, hash: &str, session: &str) -> R<Option<Consent>> {
        let (tenant, hash, session) = (tenant.clone(), hash.to_owned(), session.to_owned());
        self.write(&tenant.clone(), "take_consent", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let row = tx
                    .first(
                        "UPDATE oauth_flow SET used_at = $4
                         WHERE tenant = $1 AND hash = $2 AND session = $3 AND used_at IS NULL AND expires_at > $4
                         RETURNING merchant, store, redirect_uri",
                        &[(&tenant).into(), hash.into(), session.into(), now.into()],
                    )
                    .await?;
                row.map(|row| {
                    let scope = Scope { tenant, merchant: row.parsed(0)? };
                    Ok(Consent { key: StoreKey { scope, store: row.parsed(1)? }, redirect_uri: row.string(2)? })
                })
                .transpose()
            })
        })
        .await
    }

    /// Keeps what was granted, in the place of what was before. The store's connections are built anew.
    pub async fn keep_grant(
        &self,
        key: &StoreKey,
        tokens: NewTokens,
        instance: &str,
        keyring: &Keyring,
        actor: &str,
    ) -> R<()> {
        let (key, keyring) = (key.clone(), keyring.clone());
        let (instance, actor) = (instance.to_owned(), actor.to_owned());
        self.write(&key.scope.clone(), "keep_grant", move |tx| {
            Box::pin(async move {
                seal(tx, &key, &tokens, &keyring).await?;
                let [tenant, merchant, store] = key.values();
                let now = tx.now;
                tx.execute(
                    "INSERT INTO oauth_grant (tenant, merchant, store, version, api_domain, instance, granted_at, expires_at,
                         unanswered)
                     VALUES ($1, $2, $3, 1, $4, $5, $6, $7, 0)
                     ON CONFLICT (tenant, merchant, store) DO UPDATE SET version = oauth_grant.version + 1,
                         api_domain = excluded.api_domain, instance = excluded.instance, granted_at = excluded.granted_at,
                         expires_at = excluded.expires_at, unanswered = 0, turn_until = NULL, lost = NULL",
                    &[
                        tenant,
                        merchant,
                        store,
                        tokens.api_domain.into(),
                        (&instance).into(),
                        now.into(),
                        tokens.expires_at.into(),
                    ],
                )
                .await?;
                audited(tx, &key, &actor, "oauth.grant", serde_json::json!({ "instance": instance })).await?;
                touch_endpoint(tx, &key.scope, key.store.as_str()).await
            })
        })
        .await
    }

    /// Forgets what a store was granted, and consents on their way. The store's connections are built anew, without it.
    pub async fn forget_grant(&self, key: &StoreKey, actor: &str) -> R<()> {
        let (key, actor) = (key.clone(), actor.to_owned());
        self.write(&key.scope.clone(), "forget_grant", move |tx| {
            Box::pin(async move {
                let known = tx
                    .first(
                        "SELECT version FROM oauth_grant WHERE tenant = $1 AND merchant = $2 AND store = $3",
                        &key.values(),
                    )
                    .await?;
                if known.is_none() {
                    return Err(DbError::NotFound("access that was granted to this store".to_owned()));
                }
                forget(tx, &key.scope, key.store.as_str()).await?;
                audited(tx, &key, &actor, "oauth.disconnect", serde_json::json!({})).await?;
                touch_endpoint(tx, &key.scope, key.store.as_str()).await
            })
        })
        .await
    }

    /// What a store was granted, without its tokens.
    pub async fn grant_view(&self, key: &StoreKey) -> R<Option<GrantView>> {
        let key = key.clone();
        self.read(&key.scope.clone(), "grant_view", move |tx| {
            Box::pin(async move {
                let row = tx
                    .first(
                        "SELECT version, granted_at, expires_at, lost FROM oauth_grant
                         WHERE tenant = $1 AND merchant = $2 AND store = $3",
                        &key.values(),
                    )
                    .await?;
                row.as_ref().map(view).transpose()
            })
        })
        .await
    }

    /// What a store was granted, its tokens opened.
    pub async fn grant(&self, key: &StoreKey, keyring: &Keyring) -> R<Option<Grant>> {
        let (key, keyring) = (key.clone(), keyring.clone());
        self.read(&key.scope.clone(), "grant", move |tx| {
            Box::pin(async move {
                let row = tx
                    .first(
                        "SELECT version, api_domain, expires_at, lost FROM oauth_grant
                         WHERE tenant = $1 AND merchant = $2 AND store = $3",
                        &key.values(),
                    )
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let mut tokens = secrets::open(tx, &key.scope, &key.object(), &keyring).await?;
                let mut token = |field: &str| -> R<Secret> {
                    tokens
                        .remove(field)
                        .ok_or_else(|| DbError::Corrupt(format!("the {field} of {} is missing", key.store)))
                };
                Ok(Some(Grant {
                    version: u64::try_from(row.int(0)?).map_err(DbError::corrupt)?,
                    access: token(ACCESS)?,
                    refresh: token(REFRESH)?,
                    api_domain: row.string(1)?,
                    expires_at: row.time(2)?,
                    lost: row.opt_string(3)?,
                }))
            })
        })
        .await
    }

    /// Takes the turn of refreshing this version, for so long; its end. `None`: it is somebody else's, it was refreshed, or it
    /// is lost. A turn that ended by itself was somebody's who went away in the middle of it: what came of it is not known.
    pub async fn begin_refresh(&self, key: &StoreKey, version: u64, turn: Duration) -> R<Option<Timestamp>> {
        let key = key.clone();
        self.write(&key.scope.clone(), "begin_refresh", move |tx| {
            Box::pin(async move {
                let now = tx.fresh_now().await?;
                let turn = SignedDuration::try_from(turn).unwrap_or(SignedDuration::MAX);
                let until = now.saturating_add(turn).map_err(DbError::corrupt)?;
                let version = i64::try_from(version).map_err(DbError::corrupt)?;
                let [tenant, merchant, store] = key.values();
                let taken = tx
                    .execute(
                        "UPDATE oauth_grant SET turn_until = $5,
                             unanswered = unanswered + CASE WHEN turn_until IS NULL THEN 0 ELSE 1 END
                         WHERE tenant = $1 AND merchant = $2 AND store = $3 AND version = $4 AND lost IS NULL
                             AND (turn_until IS NULL OR turn_until <= $6)",
                        &[tenant, merchant, store, version.into(), until.into(), now.into()],
                    )
                    .await?;
                Ok((taken > 0).then_some(until))
            })
        })
        .await
    }

    /// Ends the turn that was taken until then. New tokens are kept even where the turn has ended by itself, as long as no
    /// newer ones are; nothing else of a turn that is over touches the one after it.
    pub async fn end_refresh(
        &self,
        key: &StoreKey,
        version: u64,
        until: Timestamp,
        came: Refreshed,
        keyring: &Keyring,
    ) -> R<()> {
        let (key, keyring) = (key.clone(), keyring.clone());
        self.write(&key.scope.clone(), "end_refresh", move |tx| {
            Box::pin(async move {
                let version = i64::try_from(version).map_err(DbError::corrupt)?;
                let [tenant, merchant, store] = key.values();
                let row = [tenant, merchant, store, version.into()];
                match came {
                    Refreshed::Tokens(tokens) => {
                        let [tenant, merchant, store, version] = row;
                        let domain = tokens.api_domain.clone();
                        let kept = tx
                            .execute(
                                "UPDATE oauth_grant SET version = version + 1, expires_at = $5, turn_until = NULL,
                                     unanswered = 0, lost = NULL,
                                     api_domain = CASE WHEN $6 = '' THEN api_domain ELSE $6 END
                                 WHERE tenant = $1 AND merchant = $2 AND store = $3 AND version = $4",
                                &[tenant, merchant, store, version, tokens.expires_at.into(), domain.into()],
                            )
                            .await?;
                        if kept > 0 { seal(tx, &key, &tokens, &keyring).await } else { Ok(()) }
                    }
                    Refreshed::NotSent | Refreshed::Unanswered => {
                        let unanswered = i64::from(matches!(came, Refreshed::Unanswered));
                        let [tenant, merchant, store, version] = row;
                        tx.execute(
                            "UPDATE oauth_grant SET turn_until = NULL, unanswered = unanswered + $6
                             WHERE tenant = $1 AND merchant = $2 AND store = $3 AND version = $4 AND turn_until = $5",
                            &[tenant, merchant, store, version, until.into(), unanswered.into()],
                        )
                        .await?;
                        Ok(())
                    }
                    Refreshed::Refused => lose(tx, &key, &row).await,
                }
            })
        })
        .await
    }
}

/// Brightpearl does not take the refresh token: nothing but a new consent helps.
async fn lose(tx: &mut Tx, key: &StoreKey, row: &[Value; 4]) -> R<()> {
    let [tenant, merchant, store, version] = row.clone();
    let known = tx
        .first(
            "SELECT unanswered FROM oauth_grant
             WHERE tenant = $1 AND merchant = $2 AND store = $3 AND version = $4 AND lost IS NULL",
            row,
        )
        .await?;
    let Some(known) = known else { return Ok(()) };
    let why = if known.int(0)? > 0 {
        "the answer to an earlier renewal was lost, and the new tokens with it"
    } else {
        "it was withdrawn at Brightpearl, or has ended"
    };
    tx.execute(
        "UPDATE oauth_grant SET lost = $5, turn_until = NULL
         WHERE tenant = $1 AND merchant = $2 AND store = $3 AND version = $4",
        &[tenant, merchant, store, version, why.into()],
    )
    .await?;
    audited(tx, key, "hub", "oauth.lost", serde_json::json!({ "why": why })).await
}
