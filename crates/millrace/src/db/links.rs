//! Links that let somebody in once: to set the installation up, to accept an invitation, to choose a new password; and, kept by
//! `hand_offs`, to enter a store's credentials.

use std::collections::BTreeSet;

use connect::{MerchantId, Secret, TenantId, ulid};
use jiff::Timestamp;

use super::{
    Access, Database, DbError, PersonRights, R, audit, people, second_factor,
    sql::{Row, Tx, json},
};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// The first administrator of a tenant; of the first tenant, of the installation.
    Setup,
    /// A person who is asked to come.
    Invitation,
    /// A person who lost the password.
    Reset,
    /// Somebody who enters the credentials of a store or warehouse, and is nobody here.
    HandOff,
}

impl LinkKind {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::HandOff => "hand_off",
        }
    }

    fn parse(text: &str) -> R<Self> {
        [Self::Setup, Self::Invitation, Self::Reset, Self::HandOff]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| DbError::Corrupt(format!("{text:?} is no kind of link")))
    }
}

/// A link to keep.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// What it is for.
    pub kind: LinkKind,
    /// SHA-256 of its token, hex.
    pub hash: String,
    /// Whose password it sets.
    pub person: Option<String>,
    /// E-mail address of the person, lower case; empty for set-up.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they will be able to do.
    pub rights: PersonRights,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A link as kept; its token is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whose.
    pub tenant: TenantId,
    /// `lnk_…`.
    pub id: String,
    /// What it is for.
    pub kind: LinkKind,
    /// Whose password it sets.
    pub person: Option<String>,
    /// E-mail address of the person; empty for set-up.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they will be able to do.
    pub rights: PersonRights,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// When it was taken back, or replaced by a newer one.
    pub withdrawn_at: Option<Timestamp>,
}

impl Link {
    /// Whether it still lets somebody in.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && self.withdrawn_at.is_none() && now < self.expires_at
    }
}

/// What somebody with a link gives.
pub struct Redeeming {
    /// SHA-256 of the token, hex.
    pub hash: String,
    /// For set-up: the person's e-mail address, lower case.
    pub email: String,
    /// Their name.
    pub name: String,
    /// The password chosen, as it is kept.
    pub password_hash: Secret,
}

/// What a link came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// Whose.
    pub tenant: TenantId,
    /// The person it made, or whose password it set.
    pub person: String,
    /// What it was for.
    pub kind: LinkKind,
}

/// Takes back the open links that set this person's password: what they rest on is not so any more.
pub(super) async fn withdraw_resets(tx: &mut Tx, tenant: &TenantId, person: &str) -> R<()> {
    let now = tx.now;
    tx.execute(
        "UPDATE person_link SET withdrawn_at = $3
         WHERE tenant = $1 AND person = $2 AND used_at IS NULL AND withdrawn_at IS NULL",
        &[tenant.into(), person.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Takes back the open links that this person has made.
pub(super) async fn withdraw_made_by(tx: &mut Tx, tenant: &TenantId, person: &str) -> R<()> {
    let (now, name) = (tx.now, format!("person {person} ("));
    tx.execute(
        "UPDATE person_link SET withdrawn_at = $3
         WHERE tenant = $1 AND substr(created_by, 1, length($2)) = $2 AND used_at IS NULL AND withdrawn_at IS NULL",
        &[tenant.into(), name.into(), now.into()],
    )
    .await?;
    Ok(())
}

const COLUMNS: &str = "tenant, id, kind, person, email, name, role, merchants, installation, created_by, created_at,
    expires_at, used_at, withdrawn_at";

fn link(row: &Row) -> R<Link> {
    Ok(Link {
        tenant: row.parsed(0)?,
        id: row.string(1)?,
        kind: LinkKind::parse(row.text(2)?)?,
        person: row.opt_string(3)?,
        email: row.string(4)?,
        name: row.string(5)?,
        rights: PersonRights {
            role: row.string(6)?,
            merchants: row.opt_json::<BTreeSet<MerchantId>>(7)?,
            installation: row.flag(8)?,
        },
        created_by: row.string(9)?,
        created_at: row.time(10)?,
        expires_at: row.time(11)?,
        used_at: row.opt_time(12)?,
        withdrawn_at: row.opt_time(13)?,
    })
}

async fn by_id(tx: &mut Tx, tenant: &TenantId, id: &str) -> R<Option<Link>> {
    let sql = format!("SELECT {COLUMNS} FROM person_link WHERE tenant = $1 AND id = $2");
    tx.query_built(sql, &[tenant.into(), id.into()]).await?.first().map(link).transpose()
}

/// Writes a link down.
pub(super) async fn insert(tx: &mut Tx, tenant: &TenantId, id: &str, new: NewLink, actor: &str) -> R<()> {
    let NewLink { kind, hash, person, email, name, rights, expires_at } = new;
    let now = tx.now;
    tx.execute(
        "INSERT INTO person_link (tenant, id, kind, hash, person, email, name, role, merchants, installation,
             created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        &[
            tenant.into(),
            id.into(),
            kind.as_str().into(),
            hash.into(),
            person.into(),
            email.into(),
            name.into(),
            rights.role.into(),
            rights.merchants.as_ref().map(json).transpose()?.into(),
            rights.installation.into(),
            actor.into(),
            now.into(),
            expires_at.into(),
        ],
    )
    .await?;
    Ok(())
}

/// Uses a link, once: `false` when it was used, has ended, or is another one.
pub(super) async fn use_up(tx: &mut Tx, tenant: &TenantId, id: &str, hash: &str) -> R<bool> {
    let now = tx.now;
    let used = tx
        .execute(
            "UPDATE person_link SET used_at = $4 WHERE tenant = $1 AND id = $2 AND hash = $3
                 AND used_at IS NULL AND withdrawn_at IS NULL AND expires_at > $4",
            &[tenant.into(), id.into(), hash.into(), now.into()],
        )
        .await?;
    Ok(used > 0)
}

impl Database {
    /// Keeps a link; an open one for the same purpose ends. Its id.
    pub async fn create_link(&self, tenant: &TenantId, new: NewLink, actor: &str) -> R<String> {
        let (tenant, actor) = (tenant.clone(), actor.to_owned());
        self.write(&tenant.clone(), "create_link", move |tx| {
            Box::pin(async move {
                let NewLink { kind, hash, person, email, name, rights, expires_at } = new;
                let id = format!("lnk_{}", ulid(tx.now, &*tx.random));
                let now = tx.now;
                if kind == LinkKind::Invitation {
                    let taken = tx
                        .first(
                            "SELECT id FROM person WHERE tenant = $1 AND email = $2",
                            &[(&tenant).into(), (&email).into()],
                        )
                        .await?;
                    if taken.is_some() {
                        return Err(DbError::Conflict(format!(
                            "there is a person with the e-mail address {email} already"
                        )));
                    }
                }
                tx.execute(
                    "UPDATE person_link SET withdrawn_at = $4
                     WHERE tenant = $1 AND kind = $2 AND email = $3 AND used_at IS NULL AND withdrawn_at IS NULL",
                    &[(&tenant).into(), kind.as_str().into(), (&email).into(), now.into()],
                )
                .await?;
                let told = people::told(&email, &rights);
                let new = NewLink { kind, hash, person, email, name, rights, expires_at };
                insert(tx, &tenant, &id, new, &actor).await?;
                let action = format!("link.{}", kind.as_str());
                audit::append(tx, tenant.as_str(), &actor, &action, &id, &told).await?;
                Ok(id)
            })
        })
        .await
    }

    /// The link with this hash, whosever it is, but of a disabled organisation; whether it is still open is for the caller
    /// to ask.
    pub async fn find_link(&self, hash: &str) -> R<Option<Link>> {
        let hash = hash.to_owned();
        let found = self
            .read(Access::System, "find_link", move |tx| {
                Box::pin(async move {
                    let sql = if tx.is_postgres() {
                        "SELECT tenant, id FROM link_by_hash($1)"
                    } else {
                        "SELECT tenant, id FROM person_link WHERE hash = $1
                             AND tenant NOT IN (SELECT tenant FROM tenant WHERE disabled_at IS NOT NULL)"
                    };
                    let row = tx.first(sql, &[hash.into()]).await?;
                    row.map(|row| Ok((row.parsed::<TenantId>(0)?, row.string(1)?))).transpose()
                })
            })
            .await?;
        let Some((tenant, id)) = found else { return Ok(None) };
        self.read(&tenant.clone(), "link", move |tx| Box::pin(async move { by_id(tx, &tenant, &id).await })).await
    }

    /// The invitations of a tenant before an id, newest first, used and ended ones included.
    pub async fn invitations(&self, tenant: &TenantId, before: Option<&str>, limit: u32) -> R<Vec<Link>> {
        let (tenant, before) = (tenant.clone(), before.unwrap_or_default().to_owned());
        self.read(&tenant.clone(), "invitations", move |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {COLUMNS} FROM person_link
                     WHERE tenant = $1 AND kind = 'invitation' AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3"
                );
                tx.query_built(sql, &[(&tenant).into(), before.into(), limit.into()]).await?.iter().map(link).collect()
            })
        })
        .await
    }

    /// Takes an open link back.
    pub async fn withdraw_link(&self, tenant: &TenantId, id: &str, actor: &str) -> R<()> {
        let (tenant, id, actor) = (tenant.clone(), id.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "withdraw_link", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let done = tx
                    .execute(
                        "UPDATE person_link SET withdrawn_at = $3
                         WHERE tenant = $1 AND id = $2 AND used_at IS NULL AND withdrawn_at IS NULL",
                        &[(&tenant).into(), (&id).into(), now.into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(DbError::NotFound(format!("open link {id:?}")));
                }
                audit::append(tx, tenant.as_str(), &actor, "link.withdraw", &id, "{}").await
            })
        })
        .await
    }

    /// Uses a link: makes the person it is for, or sets their password. It works once; of two at the same time one is told
    /// that there is no such link.
    pub async fn redeem_link(&self, link: &Link, given: Redeeming) -> R<Redeemed> {
        let (tenant, id) = (link.tenant.clone(), link.id.clone());
        self.write(&tenant.clone(), "redeem_link", move |tx| {
            Box::pin(async move {
                let gone = || DbError::NotFound("this link".to_owned());
                if !use_up(tx, &tenant, &id, &given.hash).await? {
                    return Err(gone());
                }
                let link = by_id(tx, &tenant, &id).await?.ok_or_else(gone)?;
                let actor = format!("link {id}");
                let hash = &given.password_hash;
                let person = match link.kind {
                    LinkKind::Setup => {
                        if people::number_of_people(tx, &tenant).await? > 0 {
                            return Err(gone());
                        }
                        people::insert(tx, &tenant, &given.email, &given.name, &link.rights, hash, &actor).await?
                    }
                    LinkKind::Invitation => {
                        people::insert(tx, &tenant, &link.email, &given.name, &link.rights, hash, &actor).await?
                    }
                    LinkKind::Reset => {
                        let person = link.person.ok_or_else(gone)?;
                        people::set_password(tx, &tenant, &person, hash).await?;
                        audit::append(tx, tenant.as_str(), &actor, "person.password", &person, "{}").await?;
                        person
                    }
                    // It makes nobody: the transaction is rolled back.
                    LinkKind::HandOff => return Err(gone()),
                };
                Ok(Redeemed { tenant, person, kind: link.kind })
            })
        })
        .await
    }

    /// Takes back the open links that this person, who administers the installation, has made in a tenant.
    pub async fn withdraw_made_by(&self, tenant: &TenantId, person: &str) -> R<()> {
        let (tenant, person) = (tenant.clone(), person.to_owned());
        self.write(&tenant.clone(), "withdraw_made_by", move |tx| {
            Box::pin(async move { withdraw_made_by(tx, &tenant, &person).await })
        })
        .await
    }

    /// Takes a person's second factor away, so that they can get in without it: an administrator does that for them.
    pub async fn clear_factor(&self, tenant: &TenantId, person: &str, actor: &str) -> R<()> {
        let (tenant, person, actor) = (tenant.clone(), person.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "clear_factor", move |tx| {
            Box::pin(async move { second_factor::clear(tx, &tenant, &person, &actor).await })
        })
        .await
    }
}
