//! Outlets: where something is told to the outside. Webhooks, chats and e-mail receivers, with their secrets.

use std::{collections::BTreeMap, str::FromStr};

use connect::{MerchantId, Secret, TenantId, ulid};
use jiff::Timestamp;

use super::{
    Access, Database, DbError, R, audit,
    queries::{self, Stretch},
    secrets::{current_data_key, data_key},
    sql::{Row, Tx, json},
    views::Page,
};
use crate::seal::{Keyring, Place};

/// What kind of place something is told at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutletKind {
    /// A program that takes signed calls.
    Webhook,
    /// A chat's incoming webhook.
    Chat,
    /// People, by e-mail.
    Email,
}

impl OutletKind {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Chat => "chat",
            Self::Email => "email",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Webhook => "whk",
            Self::Chat | Self::Email => "alc",
        }
    }
}

impl FromStr for OutletKind {
    type Err = DbError;

    fn from_str(text: &str) -> R<Self> {
        [Self::Webhook, Self::Chat, Self::Email]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| DbError::Refused(format!("there is no kind of outlet {text:?}")))
    }
}

/// The names of an outlet's secrets.
pub mod field {
    /// What messages are signed with.
    pub const SIGNING: &str = "signing";
    /// What they were signed with before, while it is still valid.
    pub const SIGNING_BEFORE: &str = "signing_before";
    /// A chat's whole address.
    pub const ADDRESS: &str = "address";
}

/// An outlet as kept, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// `whk_…` or `alc_…`.
    pub id: String,
    /// Whose; `None`: the whole tenant's.
    pub merchant: Option<MerchantId>,
    /// What kind.
    pub kind: OutletKind,
    /// Its name.
    pub name: String,
    /// A webhook's address, a chat's host, an e-mail's receivers with commas between.
    pub address: String,
    /// Kinds of events it wants.
    pub events: Vec<String>,
    /// Switched on.
    pub enabled: bool,
    /// Why the program switched it off.
    pub disabled_why: Option<String>,
    /// Nothing was taken since then.
    pub failing_since: Option<Timestamp>,
    /// Number of the last event it was given.
    pub cursor: i64,
    /// When alerts were last told here.
    pub spoke_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an outlet is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutletSettings {
    /// Its name, unique in the tenant.
    pub name: String,
    /// See [`Outlet::address`].
    pub address: String,
    /// Kinds of events it wants.
    pub events: Vec<String>,
    /// Switched on.
    pub enabled: bool,
}

const OUTLET: &str =
    "id, merchant, kind, name, address, events, enabled, disabled_why, failing_since, cursor, spoke_at, created_at";

fn outlet(row: &Row) -> R<Outlet> {
    Ok(Outlet {
        id: row.string(0)?,
        merchant: merchant(row.text(1)?)?,
        kind: row.parsed(2)?,
        name: row.string(3)?,
        address: row.string(4)?,
        events: row.json(5)?,
        enabled: row.flag(6)?,
        disabled_why: row.opt_string(7)?,
        failing_since: row.opt_time(8)?,
        cursor: row.int(9)?,
        spoke_at: row.opt_time(10)?,
        created_at: row.time(11)?,
    })
}

/// A merchant's column that may be empty.
pub(super) fn merchant(text: &str) -> R<Option<MerchantId>> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(DbError::corrupt) }
}

/// The text of a merchant's column that may be empty.
pub(super) fn merchant_text(merchant: Option<&MerchantId>) -> &str {
    merchant.map_or("", MerchantId::as_str)
}

pub(super) async fn load(tx: &mut Tx, access: &Access, id: &str) -> R<Outlet> {
    let (tenant, merchant) = access.setting();
    let sql = format!(
        "SELECT {OUTLET} FROM outlet WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND id = $3"
    );
    let rows = tx.query_built(sql, &[tenant.into(), merchant.into(), id.into()]).await?;
    rows.first().map(outlet).transpose()?.ok_or_else(|| DbError::NotFound(id.to_owned()))
}

async fn name_is_free(tx: &mut Tx, tenant: &str, name: &str, but: &str) -> R<()> {
    let sql = "SELECT id FROM outlet WHERE tenant = $1 AND name = $2 AND id <> $3";
    match tx.first(sql, &[tenant.into(), name.into(), but.into()]).await? {
        Some(_) => Err(DbError::Conflict(format!("there is a webhook or alert channel {name:?} already"))),
        None => Ok(()),
    }
}

impl Database {
    /// Makes an outlet with its first secret. It is given events from now on.
    #[expect(clippy::too_many_arguments, reason = "an outlet and its secret are made in one transaction")]
    pub async fn create_outlet(
        &self,
        access: &Access,
        merchant: Option<&MerchantId>,
        kind: OutletKind,
        settings: OutletSettings,
        secret: Option<(&'static str, Secret)>,
        keyring: &Keyring,
        actor: &str,
    ) -> R<Outlet> {
        let (access, merchant, keyring, actor) = (access.clone(), merchant.cloned(), keyring.clone(), actor.to_owned());
        self.write(access.clone(), "create_outlet", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                let id = format!("{}_{}", kind.prefix(), ulid(tx.now, &*tx.random));
                name_is_free(tx, &tenant, &settings.name, "").await?;
                let now = tx.now;
                tx.execute(
                    "INSERT INTO outlet (tenant, merchant, id, kind, name, address, events, enabled, cursor, created_at)
                     SELECT $1, $2, $3, $4, $5, $6, $7, $8, i.events, $9 FROM installation AS i WHERE i.one = 1",
                    &[
                        (&tenant).into(),
                        merchant_text(merchant.as_ref()).into(),
                        (&id).into(),
                        kind.as_str().into(),
                        (&settings.name).into(),
                        (&settings.address).into(),
                        json(&settings.events)?.into(),
                        settings.enabled.into(),
                        now.into(),
                    ],
                )
                .await?;
                if let Some((field, secret)) = secret {
                    put(tx, &tenant, merchant_text(merchant.as_ref()), &id, field, &secret, None, &keyring).await?;
                }
                let detail = serde_json::json!({ "name": settings.name, "kind": kind.as_str() }).to_string();
                audit::append(tx, &tenant, &actor, "outlet.create", &id, &detail).await?;
                tx.wakes.work = true;
                load(tx, &access, &id).await
            })
        })
        .await
    }

    /// The outlets of a tenant or merchant, by name.
    pub async fn outlets(&self, access: &Access) -> R<Vec<Outlet>> {
        self.outlets_in(access, "1 = 1", Stretch::whole()).await
    }

    /// A page of those that are webhooks.
    pub async fn list_webhooks(&self, access: &Access, after: Option<&str>, limit: u32) -> R<Page<Outlet>> {
        let found = self.outlets_in(access, "kind = 'webhook'", Stretch::page(after, limit)).await?;
        Ok(queries::page(found, limit, |outlet| outlet.name.clone()))
    }

    /// A page of those that are alert channels.
    pub async fn list_alert_channels(&self, access: &Access, after: Option<&str>, limit: u32) -> R<Page<Outlet>> {
        let found = self.outlets_in(access, "kind <> 'webhook'", Stretch::page(after, limit)).await?;
        Ok(queries::page(found, limit, |outlet| outlet.name.clone()))
    }

    async fn outlets_in(&self, access: &Access, kinds: &'static str, stretch: Stretch) -> R<Vec<Outlet>> {
        let access = access.clone();
        self.read(access.clone(), "outlets", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let sql = format!(
                    "SELECT {OUTLET} FROM outlet
                     WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND name > $3 AND {kinds}
                     ORDER BY name LIMIT $4"
                );
                let values = [tenant.into(), merchant.into(), stretch.after.into(), stretch.rows.into()];
                tx.query_built(sql, &values).await?.iter().map(outlet).collect()
            })
        })
        .await
    }

    /// One outlet.
    pub async fn outlet(&self, access: &Access, id: &str) -> R<Outlet> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "outlet", move |tx| Box::pin(async move { load(tx, &access, &id).await })).await
    }

    /// Changes an outlet as a whole. One that is switched on anew starts with a clean slate: it is given events from now on.
    pub async fn update_outlet(
        &self,
        access: &Access,
        id: &str,
        settings: OutletSettings,
        secret: Option<(&'static str, Secret)>,
        keyring: &Keyring,
        actor: &str,
    ) -> R<Outlet> {
        let (access, id, keyring, actor) = (access.clone(), id.to_owned(), keyring.clone(), actor.to_owned());
        self.write(access.clone(), "update_outlet", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                let before = load(tx, &access, &id).await?;
                let merchant = merchant_text(before.merchant.as_ref()).to_owned();
                name_is_free(tx, &tenant, &settings.name, &id).await?;
                tx.execute(
                    "UPDATE outlet SET name = $4, address = $5, events = $6, enabled = $7
                     WHERE tenant = $1 AND merchant = $2 AND id = $3",
                    &[
                        (&tenant).into(),
                        (&merchant).into(),
                        (&id).into(),
                        (&settings.name).into(),
                        (&settings.address).into(),
                        json(&settings.events)?.into(),
                        settings.enabled.into(),
                    ],
                )
                .await?;
                if settings.enabled && !before.enabled {
                    tx.execute(
                        "UPDATE outlet SET disabled_why = NULL, failing_since = NULL,
                             cursor = (SELECT events FROM installation WHERE one = 1)
                         WHERE tenant = $1 AND merchant = $2 AND id = $3",
                        &[(&tenant).into(), (&merchant).into(), (&id).into()],
                    )
                    .await?;
                }
                if let Some((field, secret)) = secret {
                    put(tx, &tenant, &merchant, &id, field, &secret, None, &keyring).await?;
                }
                let detail = serde_json::json!({
                    "name": settings.name, "events": settings.events, "enabled": settings.enabled,
                });
                audit::append(tx, &tenant, &actor, "outlet.update", &id, &detail.to_string()).await?;
                tx.wakes.work = true;
                load(tx, &access, &id).await
            })
        })
        .await
    }

    /// Removes an outlet with its deliveries.
    pub async fn delete_outlet(&self, access: &Access, id: &str, actor: &str) -> R<()> {
        let (access, id, actor) = (access.clone(), id.to_owned(), actor.to_owned());
        self.write(access.clone(), "delete_outlet", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                let before = load(tx, &access, &id).await?;
                let of = [(&tenant).into(), merchant_text(before.merchant.as_ref()).into(), (&id).into()];
                for sql in [
                    "DELETE FROM delivery_attempt WHERE tenant = $1 AND merchant = $2 AND delivery IN
                         (SELECT id FROM delivery WHERE tenant = $1 AND merchant = $2 AND outlet = $3)",
                    "DELETE FROM delivery WHERE tenant = $1 AND merchant = $2 AND outlet = $3",
                    "DELETE FROM outlet_secret WHERE tenant = $1 AND merchant = $2 AND outlet = $3",
                    "DELETE FROM outlet WHERE tenant = $1 AND merchant = $2 AND id = $3",
                ] {
                    tx.execute(sql, &of).await?;
                }
                let said = "DELETE FROM alert_said WHERE tenant = $1 AND outlet = $2";
                tx.execute(said, &[(&tenant).into(), (&id).into()]).await?;
                let detail = serde_json::json!({ "name": before.name }).to_string();
                audit::append(tx, &tenant, &actor, "outlet.delete", &id, &detail).await
            })
        })
        .await
    }

    /// Gives a webhook a new signing secret. Messages are signed with the one before as well until `until`.
    pub async fn rotate_signing(
        &self,
        access: &Access,
        id: &str,
        secret: Secret,
        until: Timestamp,
        keyring: &Keyring,
        actor: &str,
    ) -> R<()> {
        let (access, id, keyring, actor) = (access.clone(), id.to_owned(), keyring.clone(), actor.to_owned());
        self.write(access.clone(), "rotate_signing", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                let outlet = load(tx, &access, &id).await?;
                let merchant = merchant_text(outlet.merchant.as_ref()).to_owned();
                if let Some(old) = open(tx, &tenant, &merchant, &id, &keyring).await?.remove(field::SIGNING) {
                    put(tx, &tenant, &merchant, &id, field::SIGNING_BEFORE, &old, Some(until), &keyring).await?;
                }
                put(tx, &tenant, &merchant, &id, field::SIGNING, &secret, None, &keyring).await?;
                let detail = serde_json::json!({ "old_valid_until": until }).to_string();
                audit::append(tx, &tenant, &actor, "outlet.rotate_secret", &id, &detail).await
            })
        })
        .await
    }

    /// The secrets of an outlet that are valid now, opened: for sending.
    pub async fn outlet_secrets(
        &self,
        access: &Access,
        outlet: &Outlet,
        keyring: &Keyring,
    ) -> R<BTreeMap<String, Secret>> {
        let (access, outlet, keyring) = (access.clone(), outlet.clone(), keyring.clone());
        self.read(access.clone(), "outlet_secrets", move |tx| {
            Box::pin(async move {
                let merchant = merchant_text(outlet.merchant.as_ref());
                open(tx, access.setting().0, merchant, &outlet.id, &keyring).await
            })
        })
        .await
    }
}

async fn open(
    tx: &mut Tx,
    tenant: &str,
    merchant: &str,
    outlet: &str,
    keyring: &Keyring,
) -> R<BTreeMap<String, Secret>> {
    let now = tx.now;
    let rows = tx
        .query(
            "SELECT field, version, key_version, sealed FROM outlet_secret
             WHERE tenant = $1 AND merchant = $2 AND outlet = $3 AND (valid_until IS NULL OR valid_until > $4)",
            &[tenant.into(), merchant.into(), outlet.into(), now.into()],
        )
        .await?;
    let mut secrets = BTreeMap::new();
    for row in &rows {
        let key = data_key(tx, tenant, row.int(2)?, keyring).await?;
        let place = Place { tenant, object: outlet, field: row.text(0)?, version: row.int(1)? };
        secrets.insert(row.string(0)?, key.open(&place, row.blob(3)?)?);
    }
    Ok(secrets)
}

#[expect(clippy::too_many_arguments, reason = "the whole place of a secret, which its seal is bound to")]
async fn put(
    tx: &mut Tx,
    tenant: &str,
    merchant: &str,
    outlet: &str,
    field: &str,
    secret: &Secret,
    until: Option<Timestamp>,
    keyring: &Keyring,
) -> R<()> {
    let random = std::sync::Arc::clone(&tx.random);
    let (key_version, key) = current_data_key(tx, tenant, keyring).await?;
    let row = tx
        .first(
            "SELECT version FROM outlet_secret WHERE tenant = $1 AND merchant = $2 AND outlet = $3 AND field = $4",
            &[tenant.into(), merchant.into(), outlet.into(), field.into()],
        )
        .await?;
    let version = row.map_or(Ok(0), |row| row.int(0))? + 1;
    let sealed = key.seal(&Place { tenant, object: outlet, field, version }, secret, &*random)?;
    tx.execute(
        "INSERT INTO outlet_secret (tenant, merchant, outlet, field, version, key_version, sealed, valid_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant, merchant, outlet, field) DO UPDATE SET version = excluded.version,
             key_version = excluded.key_version, sealed = excluded.sealed, valid_until = excluded.valid_until",
        &[
            tenant.into(),
            merchant.into(),
            outlet.into(),
            field.into(),
            version.into(),
            key_version.into(),
            sealed.into(),
            until.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Seals the secrets of a tenant's outlets with its newest data key; those that are no longer valid are dropped. How many.
pub(super) async fn reseal(tx: &mut Tx, tenant: &TenantId, keyring: &Keyring) -> R<usize> {
    let now = tx.now;
    tx.execute("DELETE FROM outlet_secret WHERE tenant = $1 AND valid_until <= $2", &[tenant.into(), now.into()])
        .await?;
    let sql = "SELECT merchant, outlet, field, valid_until FROM outlet_secret WHERE tenant = $1";
    let rows = tx.query(sql, &[tenant.into()]).await?;
    for row in &rows {
        let (merchant, outlet, field) = (row.text(0)?, row.text(1)?, row.text(2)?);
        if let Some(secret) = open(tx, tenant.as_str(), merchant, outlet, keyring).await?.remove(field) {
            put(tx, tenant.as_str(), merchant, outlet, field, &secret, row.opt_time(3)?, keyring).await?;
        }
    }
    Ok(rows.len())
}
