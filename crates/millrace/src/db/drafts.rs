//! Drafts: what somebody has entered in a wizard so far, for that somebody only.

use std::collections::BTreeMap;

use connect::{Secret, TenantId, ulid};
use jiff::{SignedDuration, Timestamp};

use super::{
    Database, DbError, R, queries, secrets,
    sql::{Row, Tx, Value},
    views::Page,
};
use crate::seal::{Keyring, Place};

/// A draft that nobody has changed for so long is gone.
pub const DRAFTS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Whose drafts: of one person or key in one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftOwner {
    /// The organisation.
    pub tenant: TenantId,
    /// The person's id, or how the audit trail names a key.
    pub owner: String,
}

/// What is to be kept.
pub struct DraftWork {
    /// What people call it.
    pub name: String,
    /// A JSON object, as text.
    pub content: String,
    /// Secrets by field: set anew, or removed where empty. The others stay.
    pub secrets: BTreeMap<String, Secret>,
}

/// A draft as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// `dft_…`
    pub id: String,
    /// What people call it.
    pub name: String,
    /// A JSON object, as text.
    pub content: String,
    /// Which secrets are set.
    pub secrets: Vec<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

fn oldest(tx: &Tx) -> Timestamp {
    tx.now.checked_sub(DRAFTS_KEPT).unwrap_or(Timestamp::MIN)
}

async fn with_secrets(tx: &mut Tx, owner: &DraftOwner, row: &Row) -> R<Draft> {
    let id = row.string(0)?;
    let fields = tx
        .query(
            "SELECT field FROM draft_secret WHERE tenant = $1 AND draft = $2 ORDER BY field",
            &[(&owner.tenant).into(), (&id).into()],
        )
        .await?;
    Ok(Draft {
        id,
        name: row.string(1)?,
        content: row.string(2)?,
        secrets: fields.iter().map(|row| row.string(0)).collect::<R<_>>()?,
        created_at: row.time(3)?,
        changed_at: row.time(4)?,
    })
}

async fn load(tx: &mut Tx, owner: &DraftOwner, id: &str) -> R<Draft> {
    let oldest = oldest(tx);
    let row = tx
        .first(
            "SELECT id, name, content, created_at, changed_at FROM draft
             WHERE tenant = $1 AND owner = $2 AND id = $3 AND changed_at >= $4",
            &[(&owner.tenant).into(), (&owner.owner).into(), id.into(), oldest.into()],
        )
        .await?
        .ok_or_else(|| DbError::NotFound(format!("draft {id}")))?;
    with_secrets(tx, owner, &row).await
}

/// Seals what is given, and removes what is given empty.
async fn put_secrets(
    tx: &mut Tx,
    tenant: &TenantId,
    id: &str,
    given: &BTreeMap<String, Secret>,
    keyring: &Keyring,
) -> R<()> {
    let tenant = tenant.as_str();
    for (field, secret) in given {
        let at: [Value; 3] = [tenant.into(), id.into(), field.into()];
        if secret.is_empty() {
            tx.execute("DELETE FROM draft_secret WHERE tenant = $1 AND draft = $2 AND field = $3", &at).await?;
            continue;
        }
        let random = std::sync::Arc::clone(&tx.random);
        let (key_version, key) = secrets::current_data_key(tx, tenant, keyring).await?;
        let before =
            tx.first("SELECT version FROM draft_secret WHERE tenant = $1 AND draft = $2 AND field = $3", &at).await?;
        let version = before.map_or(Ok(0), |row| row.int(0))? + 1;
        let sealed = key.seal(&Place { tenant, object: id, field, version }, secret, &*random)?;
        let [tenant, draft, field] = at;
        tx.execute(
            "INSERT INTO draft_secret (tenant, draft, field, version, key_version, sealed)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant, draft, field) DO UPDATE SET version = excluded.version,
                 key_version = excluded.key_version, sealed = excluded.sealed",
            &[tenant, draft, field, version.into(), key_version.into(), sealed.into()],
        )
        .await?;
    }
    Ok(())
}

impl Database {
    /// Keeps a new draft; its id. Those of the tenant whose time is over go. `None` when the owner has `most` already.
    pub async fn new_draft(
        &self,
        owner: &DraftOwner,
        work: DraftWork,
        most: i64,
        keyring: &Keyring,
    ) -> R<Option<String>> {
        let (owner, keyring) = (owner.clone(), keyring.clone());
        self.write(&owner.tenant.clone(), "new_draft", move |tx| {
            Box::pin(async move {
                let (tenant, over) = (Value::from(&owner.tenant), Value::from(oldest(tx)));
                for sql in [
                    "DELETE FROM draft_secret WHERE tenant = $1 AND draft IN
                         (SELECT d.id FROM draft AS d WHERE d.tenant = $1 AND d.changed_at < $2)",
                    "DELETE FROM draft WHERE tenant = $1 AND changed_at < $2",
                ] {
                    tx.execute(sql, &[tenant.clone(), over.clone()]).await?;
                }
                let row = tx
                    .first(
                        "SELECT count(*) FROM draft WHERE tenant = $1 AND owner = $2",
                        &[tenant.clone(), (&owner.owner).into()],
                    )
                    .await?;
                if row.map_or(Ok(0), |row| row.int(0))? >= most {
                    return Ok(None);
                }
                let id = format!("dft_{}", ulid(tx.now, &*tx.random));
                let now = tx.now;
                tx.execute(
                    "INSERT INTO draft (tenant, id, owner, name, content, created_at, changed_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $6)",
                    &[tenant, (&id).into(), (&owner.owner).into(), work.name.into(), work.content.into(), now.into()],
                )
                .await?;
                put_secrets(tx, &owner.tenant, &id, &work.secrets, &keyring).await?;
                Ok(Some(id))
            })
        })
        .await
    }

    /// Writes a draft anew; of its secrets, those given.
    pub async fn update_draft(&self, owner: &DraftOwner, id: &str, work: DraftWork, keyring: &Keyring) -> R<Draft> {
        let (owner, id, keyring) = (owner.clone(), id.to_owned(), keyring.clone());
        self.write(&owner.tenant.clone(), "update_draft", move |tx| {
            Box::pin(async move {
                load(tx, &owner, &id).await?;
                let now = tx.now;
                tx.execute(
                    "UPDATE draft SET name = $3, content = $4, changed_at = $5 WHERE tenant = $1 AND id = $2",
                    &[(&owner.tenant).into(), (&id).into(), work.name.into(), work.content.into(), now.into()],
                )
                .await?;
                put_secrets(tx, &owner.tenant, &id, &work.secrets, &keyring).await?;
                load(tx, &owner, &id).await
            })
        })
        .await
    }

    /// Forgets a draft.
    pub async fn delete_draft(&self, owner: &DraftOwner, id: &str) -> R<()> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.write(&owner.tenant.clone(), "delete_draft", move |tx| {
            Box::pin(async move {
                load(tx, &owner, &id).await?;
                for sql in [
                    "DELETE FROM draft_secret WHERE tenant = $1 AND draft = $2",
                    "DELETE FROM draft WHERE tenant = $1 AND id = $2",
                ] {
                    tx.execute(sql, &[(&owner.tenant).into(), (&id).into()]).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// One draft of this owner.
    pub async fn draft(&self, owner: &DraftOwner, id: &str) -> R<Draft> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.read(&owner.tenant.clone(), "draft", move |tx| Box::pin(async move { load(tx, &owner, &id).await })).await
    }

    /// The drafts of this owner, the one begun last first.
    pub async fn drafts(&self, owner: &DraftOwner, after: Option<String>, limit: u32) -> R<Page<Draft>> {
        let owner = owner.clone();
        self.read(&owner.tenant.clone(), "drafts", move |tx| {
            Box::pin(async move {
                let oldest = oldest(tx);
                let rows = tx
                    .query(
                        "SELECT id, name, content, created_at, changed_at FROM draft
                         WHERE tenant = $1 AND owner = $2 AND changed_at >= $3 AND ($4 = '' OR id < $4)
                         ORDER BY id DESC LIMIT $5",
                        &[
                            (&owner.tenant).into(),
                            (&owner.owner).into(),
                            oldest.into(),
                            after.unwrap_or_default().into(),
                            (i64::from(limit.clamp(1, 500)) + 1).into(),
                        ],
                    )
                    .await?;
                let mut items = Vec::with_capacity(rows.len());
                for row in &rows {
                    items.push(with_secrets(tx, &owner, row).await?);
                }
                Ok(queries::page(items, limit, |draft| draft.id.clone()))
            })
        })
        .await
    }

    /// The secrets of a draft, opened: to be used, for its owner.
    pub async fn draft_secrets(&self, owner: &DraftOwner, id: &str, keyring: &Keyring) -> R<BTreeMap<String, Secret>> {
        let (owner, id, keyring) = (owner.clone(), id.to_owned(), keyring.clone());
        self.read(&owner.tenant.clone(), "draft_secrets", move |tx| {
            Box::pin(async move {
                load(tx, &owner, &id).await?;
                let rows = tx
                    .query(
                        "SELECT field, version, key_version, sealed FROM draft_secret WHERE tenant = $1 AND draft = $2",
                        &[(&owner.tenant).into(), (&id).into()],
                    )
                    .await?;
                let tenant = owner.tenant.as_str();
                let mut opened = BTreeMap::new();
                for row in &rows {
                    let key = secrets::data_key(tx, tenant, row.int(2)?, &keyring).await?;
                    let place = Place { tenant, object: &id, field: row.text(0)?, version: row.int(1)? };
                    opened.insert(row.string(0)?, key.open(&place, row.blob(3)?)?);
                }
                Ok(opened)
            })
        })
        .await
    }
}
