//! Second factors: their sealed secrets, the last code used, and recovery codes.

use connect::{Secret, TenantId};
use jiff::Timestamp;

use super::{
    Database, DbError, R, audit, secrets,
    sql::{Tx, Value},
};
use crate::seal::{Keyring, Place};

/// What the secret is sealed as.
const FIELD: &str = "second_factor";

/// A person's second factor, opened.
pub struct Factor {
    /// The shared secret, base 32.
    pub secret: Secret,
    /// Since when it is asked for; `None` until its first code was given.
    pub since: Option<Timestamp>,
    /// The last step whose code was used.
    pub step: Option<i64>,
}

async fn load(tx: &mut Tx, tenant: &TenantId, person: &str, keyring: &Keyring) -> R<Option<Factor>> {
    let row = tx
        .first(
            "SELECT factor_sealed, factor_key_version, factor_version, factor_since, factor_step FROM person
             WHERE tenant = $1 AND id = $2",
            &[tenant.into(), person.into()],
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("person {person:?}")))?;
    let (Some(sealed), Some(key_version)) = (row.opt_blob(0)?.map(<[u8]>::to_vec), row.opt_int(1)?) else {
        return Ok(None);
    };
    let key = secrets::data_key(tx, tenant.as_str(), key_version, keyring).await?;
    let place = Place { tenant: tenant.as_str(), object: person, field: FIELD, version: row.int(2)? };
    Ok(Some(Factor { secret: key.open(&place, &sealed)?, since: row.opt_time(3)?, step: row.opt_int(4)? }))
}

async fn put(tx: &mut Tx, tenant: &TenantId, person: &str, secret: &Secret, keyring: &Keyring) -> R<()> {
    let random = std::sync::Arc::clone(&tx.random);
    let (key_version, key) = secrets::current_data_key(tx, tenant.as_str(), keyring).await?;
    let row = tx
        .first(
            "UPDATE person SET factor_version = factor_version + 1 WHERE tenant = $1 AND id = $2
             RETURNING factor_version",
            &[tenant.into(), person.into()],
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("person {person:?}")))?;
    let place = Place { tenant: tenant.as_str(), object: person, field: FIELD, version: row.int(0)? };
    let sealed = key.seal(&place, secret, &*random)?;
    tx.execute(
        "UPDATE person SET factor_sealed = $3, factor_key_version = $4 WHERE tenant = $1 AND id = $2",
        &[tenant.into(), person.into(), sealed.into(), key_version.into()],
    )
    .await?;
    Ok(())
}

/// Seals every second factor of a tenant with its newest data key. How many.
pub(super) async fn reseal(tx: &mut Tx, tenant: &TenantId, keyring: &Keyring) -> R<usize> {
    let rows =
        tx.query("SELECT id FROM person WHERE tenant = $1 AND factor_sealed IS NOT NULL", &[tenant.into()]).await?;
    for row in &rows {
        let person = row.text(0)?;
        if let Some(factor) = load(tx, tenant, person, keyring).await? {
            put(tx, tenant, person, &factor.secret, keyring).await?;
        }
    }
    Ok(rows.len())
}

/// Takes the second factor and its recovery codes away.
pub(super) async fn clear(tx: &mut Tx, tenant: &TenantId, person: &str, actor: &str) -> R<()> {
    let done = tx
        .execute(
            "UPDATE person SET factor_sealed = NULL, factor_key_version = NULL, factor_since = NULL, factor_step = NULL
             WHERE tenant = $1 AND id = $2 AND factor_sealed IS NOT NULL",
            &[tenant.into(), person.into()],
        )
        .await?;
    if done == 0 {
        return Err(DbError::NotFound("a second factor".to_owned()));
    }
    tx.execute("DELETE FROM recovery_code WHERE tenant = $1 AND person = $2", &[tenant.into(), person.into()]).await?;
    audit::append(tx, tenant.as_str(), actor, "second_factor.remove", person, "{}").await
}

impl Database {
    /// A person's second factor, if one was begun.
    pub async fn factor(&self, tenant: &TenantId, person: &str, keyring: &Keyring) -> R<Option<Factor>> {
        let (tenant, person, keyring) = (tenant.clone(), person.to_owned(), keyring.clone());
        self.read(&tenant.clone(), "factor", move |tx| {
            Box::pin(async move { load(tx, &tenant, &person, &keyring).await })
        })
        .await
    }

    /// Keeps the secret of a second factor that is not asked for yet. One that is in use stays.
    pub async fn begin_factor(&self, tenant: &TenantId, person: &str, secret: Secret, keyring: &Keyring) -> R<()> {
        let (tenant, person, keyring) = (tenant.clone(), person.to_owned(), keyring.clone());
        self.write(&tenant.clone(), "begin_factor", move |tx| {
            Box::pin(async move {
                // Takes the row, so that of two at the same time the later one sees the earlier one's.
                let row = tx
                    .first(
                        "UPDATE person SET factor_step = factor_step WHERE tenant = $1 AND id = $2 RETURNING factor_since",
                        &[(&tenant).into(), (&person).into()],
                    )
                    .await?;
                if row.map_or(Ok(None), |row| row.opt_time(0))?.is_some() {
                    return Err(DbError::Conflict("there is a second factor already; remove it first".to_owned()));
                }
                put(tx, &tenant, &person, &secret, &keyring).await
            })
        })
        .await
    }

    /// The first code was given: from now on it is asked for. `codes` are the hashes of its recovery codes.
    pub async fn confirm_factor(
        &self,
        tenant: &TenantId,
        person: &str,
        step: i64,
        codes: Vec<String>,
        actor: &str,
    ) -> R<()> {
        let (tenant, person, actor) = (tenant.clone(), person.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "confirm_factor", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE person SET factor_since = $3, factor_step = $4
                         WHERE tenant = $1 AND id = $2 AND factor_sealed IS NOT NULL AND factor_since IS NULL",
                        &[(&tenant).into(), (&person).into(), now.into(), step.into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(DbError::NotFound("a second factor that waits for its first code".to_owned()));
                }
                let rows: Vec<Vec<Value>> =
                    codes.into_iter().map(|code| vec![(&tenant).into(), (&person).into(), code.into()]).collect();
                tx.many("INSERT INTO recovery_code (tenant, person, hash) VALUES ", "", &[], rows).await?;
                audit::append(tx, tenant.as_str(), &actor, "second_factor.add", &person, "{}").await
            })
        })
        .await
    }

    /// Uses the code of a step. `false`: it, or a later one, was used already.
    pub async fn use_factor_step(&self, tenant: &TenantId, person: &str, step: i64) -> R<bool> {
        let (tenant, person) = (tenant.clone(), person.to_owned());
        self.write(&tenant.clone(), "use_factor_step", move |tx| {
            Box::pin(async move {
                let done = tx
                    .execute(
                        "UPDATE person SET factor_step = $3
                         WHERE tenant = $1 AND id = $2 AND (factor_step IS NULL OR factor_step < $3)",
                        &[(&tenant).into(), person.into(), step.into()],
                    )
                    .await?;
                Ok(done > 0)
            })
        })
        .await
    }

    /// Uses a recovery code by its hash. `false`: there is none, or it was used.
    pub async fn use_recovery_code(&self, tenant: &TenantId, person: &str, hash: &str, actor: &str) -> R<bool> {
        let (tenant, person, hash, actor) = (tenant.clone(), person.to_owned(), hash.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "use_recovery_code", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE recovery_code SET used_at = $4
                         WHERE tenant = $1 AND person = $2 AND hash = $3 AND used_at IS NULL",
                        &[(&tenant).into(), (&person).into(), hash.into(), now.into()],
                    )
                    .await?;
                if done == 0 {
                    return Ok(false);
                }
                audit::append(tx, tenant.as_str(), &actor, "second_factor.recovery_code", &person, "{}").await?;
                Ok(true)
            })
        })
        .await
    }
}
