//! Hand-offs: links by which somebody who is nobody here enters the credentials of one store or warehouse, and what became of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use connect::{MerchantId, ulid};
use jiff::Timestamp;

use super::{
    Access, Database, DbError, EndpointChange, LinkKind, NewLink, PersonRights, R, Scope, audit, endpoints,
    facts::scope_values,
    links,
    sql::{Row, Tx, json},
};
use crate::seal::Keyring;

/// What credentials are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A store.
    Store,
    /// A warehouse.
    Warehouse,
}

impl TargetKind {
    /// The word for people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Warehouse => "warehouse",
        }
    }

    fn parse(text: &str) -> R<Self> {
        [Self::Store, Self::Warehouse]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| DbError::Corrupt(format!("credentials are of a store or a warehouse, not of a {text:?}")))
    }
}

/// Which store or warehouse credentials are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which of the two it is.
    pub kind: TargetKind,
    /// Its id; `None` until saving makes it.
    pub endpoint: Option<String>,
    /// What people call it.
    pub name: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings that are settled, where it is not there yet.
    pub settings: BTreeMap<String, String>,
}

/// A hand-off to keep.
#[derive(Debug, Clone)]
pub struct NewHandOff {
    /// SHA-256 of its link's token, hex.
    pub hash: String,
    /// What they are for.
    pub target: Target,
    /// Names of the fields that are asked for.
    pub fields: BTreeSet<String>,
    /// Who asks, as the holder is told.
    pub asked_by: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A hand-off as kept; its token is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOff {
    /// Whose.
    pub scope: Scope,
    /// `lnk_…`: its link's id.
    pub id: String,
    /// What they are for.
    pub target: Target,
    /// Names of the fields that are asked for.
    pub fields: BTreeSet<String>,
    /// Who asks, as the holder is told.
    pub asked_by: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When the credentials were saved.
    pub used_at: Option<Timestamp>,
    /// When it was taken back, or replaced by a newer one.
    pub withdrawn_at: Option<Timestamp>,
    /// When it was opened first.
    pub opened_at: Option<Timestamp>,
    /// How often credentials were tested.
    pub tests: u32,
    /// When they were tested last.
    pub tested_at: Option<Timestamp>,
    /// Whether the last test reached the account.
    pub worked: Option<bool>,
}

const SELECT: &str = "SELECT h.tenant, h.merchant, h.id, h.endpoint, h.name, h.platform, h.settings, h.fields, h.asked_by,
        l.created_by, l.created_at, l.expires_at, l.used_at, l.withdrawn_at, h.opened_at, h.tests, h.tested_at, h.worked,
        h.side
    FROM hand_off AS h JOIN person_link AS l ON l.tenant = h.tenant AND l.id = h.id";

fn hand_off(row: &Row) -> R<HandOff> {
    Ok(HandOff {
        scope: Scope { tenant: row.parsed(0)?, merchant: row.parsed::<MerchantId>(1)? },
        id: row.string(2)?,
        target: Target {
            kind: TargetKind::parse(row.text(18)?)?,
            endpoint: row.opt_string(3)?,
            name: row.string(4)?,
            platform: row.string(5)?,
            settings: row.json(6)?,
        },
        fields: row.json(7)?,
        asked_by: row.string(8)?,
        created_by: row.string(9)?,
        created_at: row.time(10)?,
        expires_at: row.time(11)?,
        used_at: row.opt_time(12)?,
        withdrawn_at: row.opt_time(13)?,
        opened_at: row.opt_time(14)?,
        tests: row.u32(15)?,
        tested_at: row.opt_time(16)?,
        worked: row.opt_int(17)?.map(|worked| worked != 0),
    })
}

async fn told(tx: &mut Tx, scope: &Scope, actor: &str, action: &str, id: &str, detail: serde_json::Value) -> R<()> {
    audit::append(tx, scope.tenant.as_str(), actor, action, id, &detail.to_string()).await
}

impl Database {
    /// Keeps a hand-off; an open one for the same store or warehouse ends. Its id.
    pub async fn create_hand_off(&self, scope: &Scope, new: NewHandOff, actor: &str) -> R<String> {
        let (scope, actor) = (scope.clone(), actor.to_owned());
        self.write(&scope.clone(), "create_hand_off", move |tx| {
            Box::pin(async move {
                let NewHandOff { hash, target, fields, asked_by, expires_at } = new;
                let [tenant, merchant] = scope_values(&scope);
                let id = format!("lnk_{}", ulid(tx.now, &*tx.random));
                let now = tx.now;
                tx.execute(
                    "UPDATE person_link SET withdrawn_at = $4
                     WHERE tenant = $1 AND used_at IS NULL AND withdrawn_at IS NULL AND id IN (
                         SELECT id FROM hand_off WHERE tenant = $1 AND merchant = $2 AND side = $5
                             AND (name = $3 OR endpoint = $6))",
                    &[
                        tenant.clone(),
                        merchant.clone(),
                        (&target.name).into(),
                        now.into(),
                        target.kind.as_str().into(),
                        target.endpoint.as_deref().into(),
                    ],
                )
                .await?;
                let link = NewLink {
                    kind: LinkKind::HandOff,
                    hash,
                    person: None,
                    email: String::new(),
                    name: target.name.clone(),
                    rights: PersonRights { role: String::new(), merchants: None, installation: false },
                    expires_at,
                };
                links::insert(tx, &scope.tenant, &id, link, &actor).await?;
                tx.execute(
                    "INSERT INTO hand_off (tenant, merchant, id, endpoint, name, platform, settings, fields, asked_by,
                         tests, side)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)",
                    &[
                        tenant,
                        merchant,
                        (&id).into(),
                        target.endpoint.as_deref().into(),
                        (&target.name).into(),
                        target.platform.into(),
                        json(&target.settings)?.into(),
                        json(&fields)?.into(),
                        asked_by.into(),
                        target.kind.as_str().into(),
                    ],
                )
                .await?;
                let detail = serde_json::json!({ target.kind.as_str(): target.name, "fields": fields, "expires_at": expires_at });
                told(tx, &scope, &actor, "hand_off.create", &id, detail).await?;
                Ok(id)
            })
        })
        .await
    }

    /// The hand-offs that may be seen, before an id, newest first; ended ones as well.
    pub async fn hand_offs(&self, access: &Access, before: Option<&str>, limit: u32) -> R<Vec<HandOff>> {
        let (access, before) = (access.clone(), before.unwrap_or_default().to_owned());
        self.read(access.clone(), "hand_offs", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let sql = format!(
                    "{SELECT} WHERE h.tenant = $1 AND ($2 = '*' OR replace($2, h.merchant, '') <> $2)
                         AND ($3 = '' OR h.id < $3) ORDER BY h.id DESC LIMIT $4"
                );
                let values = [tenant.into(), merchant.into(), before.into(), limit.into()];
                tx.query_built(sql, &values).await?.iter().map(hand_off).collect()
            })
        })
        .await
    }

    /// One hand-off that may be seen.
    pub async fn hand_off(&self, access: &Access, id: &str) -> R<HandOff> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "hand_off", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let sql = format!(
                    "{SELECT} WHERE h.tenant = $1 AND ($2 = '*' OR replace($2, h.merchant, '') <> $2) AND h.id = $3"
                );
                let rows = tx.query_built(sql, &[tenant.into(), merchant.into(), (&id).into()]).await?;
                let row = rows.first().ok_or_else(|| DbError::NotFound(format!("hand-off {id:?}")))?;
                hand_off(row)
            })
        })
        .await
    }

    /// Takes note that a link was opened, the first time.
    pub async fn open_hand_off(&self, scope: &Scope, id: &str, address: &str) -> R<()> {
        let (scope, id, address) = (scope.clone(), id.to_owned(), address.to_owned());
        self.write(&scope.clone(), "open_hand_off", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let now = tx.now;
                let first = tx
                    .execute(
                        "UPDATE hand_off SET opened_at = $4
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND opened_at IS NULL",
                        &[tenant, merchant, (&id).into(), now.into()],
                    )
                    .await?;
                if first == 0 {
                    return Ok(());
                }
                let detail = serde_json::json!({ "address": address });
                told(tx, &scope, &format!("link {id}"), "hand_off.open", &id, detail).await
            })
        })
        .await
    }

    /// Counts a test before it is made. `false`: there were `most` already.
    pub async fn begin_hand_off_test(&self, scope: &Scope, id: &str, most: u32) -> R<bool> {
        let (scope, id) = (scope.clone(), id.to_owned());
        self.write(&scope.clone(), "begin_hand_off_test", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                let now = tx.now;
                let counted = tx
                    .execute(
                        "UPDATE hand_off SET tests = tests + 1, tested_at = $4
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND tests < $5",
                        &[tenant, merchant, id.into(), now.into(), most.into()],
                    )
                    .await?;
                Ok(counted > 0)
            })
        })
        .await
    }

    /// Writes down how a test ended.
    pub async fn end_hand_off_test(&self, scope: &Scope, id: &str, worked: bool, address: &str) -> R<()> {
        let (scope, id, address) = (scope.clone(), id.to_owned(), address.to_owned());
        self.write(&scope.clone(), "end_hand_off_test", move |tx| {
            Box::pin(async move {
                let [tenant, merchant] = scope_values(&scope);
                tx.execute(
                    "UPDATE hand_off SET worked = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, (&id).into(), worked.into()],
                )
                .await?;
                let detail = serde_json::json!({ "worked": worked, "address": address });
                told(tx, &scope, &format!("link {id}"), "hand_off.test", &id, detail).await
            })
        })
        .await
    }

    /// Uses the link and keeps what was entered, both or neither: the store or warehouse is made, or changed where
    /// `found` names one.
    /// `None`: the link was used, taken back or has ended meanwhile.
    pub async fn save_hand_off(
        &self,
        found: &HandOff,
        hash: &str,
        change: EndpointChange,
        keyring: &Keyring,
    ) -> R<Option<String>> {
        let (found, hash, keyring) = (found.clone(), hash.to_owned(), keyring.clone());
        self.write(&found.scope.clone(), "save_hand_off", move |tx| {
            Box::pin(async move {
                let HandOff { scope, id, target, .. } = found;
                if !links::use_up(tx, &scope.tenant, &id, &hash).await? {
                    return Ok(None);
                }
                let fields: BTreeSet<String> = change.secrets.keys().cloned().collect();
                let endpoint = endpoints::keep(tx, &scope, change, &keyring).await?;
                let [tenant, merchant] = scope_values(&scope);
                tx.execute(
                    "UPDATE hand_off SET endpoint = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[tenant, merchant, (&id).into(), (&endpoint).into()],
                )
                .await?;
                let detail = serde_json::json!({
                    target.kind.as_str(): endpoint, "name": target.name, "secrets_changed": fields,
                });
                told(tx, &scope, &format!("link {id}"), "hand_off.save", &id, detail).await?;
                Ok(Some(endpoint))
            })
        })
        .await
    }
}
