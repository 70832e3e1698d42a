//! People who sign in, and what each may do.

use std::collections::{BTreeMap, BTreeSet};

use connect::{MerchantId, Secret, TenantId, ulid};
use jiff::Timestamp;

use super::{
    Access, Database, DbError, R, audit, links, sessions,
    sql::{Row, Tx},
    tenants,
};

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Whose.
    pub tenant: TenantId,
    /// `per_…`.
    pub id: String,
    /// Signs in with it; lower case.
    pub email: String,
    /// For people.
    pub name: String,
    /// What they may do.
    pub rights: PersonRights,
    /// May not sign in.
    pub disabled: bool,
    /// Since when a second factor is asked for.
    pub factor_since: Option<Timestamp>,
    /// When they came.
    pub created_at: Timestamp,
    /// Known at an identity provider.
    pub linked: bool,
}

/// What a person may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRights {
    /// The role's name.
    pub role: String,
    /// Limited to these brands; `None`: all of the tenant's.
    pub merchants: Option<BTreeSet<MerchantId>>,
    /// Administers the whole installation.
    pub installation: bool,
}

/// How a person's limits are kept: no row in `person_merchant` means all brands, so a limit to none is refused.
fn limited(rights: &PersonRights) -> R<Vec<MerchantId>> {
    match &rights.merchants {
        Some(merchants) if merchants.is_empty() => {
            Err(DbError::Refused("a person is limited to no merchant at all".to_owned()))
        }
        Some(merchants) => Ok(merchants.iter().cloned().collect()),
        None => Ok(Vec::new()),
    }
}

const COLUMNS: &str = "tenant, id, email, name, role, installation, disabled, factor_since, created_at,
    CAST(CASE WHEN EXISTS (SELECT 1 FROM person_identity AS i WHERE i.tenant = person.tenant AND i.person = person.id)
        THEN 1 ELSE 0 END AS BIGINT)";

fn person(row: &Row) -> R<Person> {
    Ok(Person {
        tenant: row.parsed(0)?,
        id: row.string(1)?,
        email: row.string(2)?,
        name: row.string(3)?,
        rights: PersonRights { role: row.string(4)?, merchants: None, installation: row.flag(5)? },
        disabled: row.flag(6)?,
        factor_since: row.opt_time(7)?,
        created_at: row.time(8)?,
        linked: row.flag(9)?,
    })
}

/// The people that a condition on `$1` (the tenant) and `$2` chooses, with their limits.
async fn people(tx: &mut Tx, tenant: &TenantId, condition: &'static str, value: &str, limit: u32) -> R<Vec<Person>> {
    let sql = format!("SELECT {COLUMNS} FROM person WHERE tenant = $1 AND {condition} ORDER BY id LIMIT $3");
    let rows = tx.query_built(sql, &[tenant.into(), value.into(), limit.into()]).await?;
    let mut found = rows.iter().map(person).collect::<R<Vec<_>>>()?;
    let limits = tx
        .among(
            "SELECT person, merchant FROM person_merchant WHERE tenant = $1 AND person IN (",
            ")",
            &[tenant.into()],
            found.iter().map(|person| person.id.as_str()),
        )
        .await?;
    let mut merchants: BTreeMap<String, BTreeSet<MerchantId>> = BTreeMap::new();
    for row in &limits {
        merchants.entry(row.string(0)?).or_default().insert(row.parsed(1)?);
    }
    for person in &mut found {
        person.rights.merchants = merchants.remove(&person.id);
    }
    Ok(found)
}

/// The person of this id in the transaction's tenant.
pub(super) async fn find(tx: &mut Tx, tenant: &TenantId, id: &str) -> R<Person> {
    let found = people(tx, tenant, "id = $2", id, 1).await?;
    found.into_iter().next().ok_or_else(|| DbError::NotFound(format!("person {id:?}")))
}

/// Keeps a new person. Their id.
pub(super) async fn insert(
    tx: &mut Tx,
    tenant: &TenantId,
    email: &str,
    name: &str,
    rights: &PersonRights,
    password_hash: &Secret,
    actor: &str,
) -> R<String> {
    let id = format!("per_{}", ulid(tx.now, &*tx.random));
    let now = tx.now;
    let taken =
        tx.first("SELECT id FROM person WHERE tenant = $1 AND email = $2", &[tenant.into(), email.into()]).await?;
    if taken.is_some() {
        return Err(DbError::Conflict(format!("there is a person with the e-mail address {email} already")));
    }
    tx.execute(
        "INSERT INTO person (tenant, id, email, name, password_hash, role, installation, disabled, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)",
        &[
            tenant.into(),
            (&id).into(),
            email.into(),
            name.into(),
            password_hash.expose().into(),
            (&rights.role).into(),
            rights.installation.into(),
            now.into(),
        ],
    )
    .await?;
    limit_to(tx, tenant, &id, rights).await?;
    audit::append(tx, tenant.as_str(), actor, "person.create", &id, &told(email, rights)).await?;
    Ok(id)
}

async fn limit_to(tx: &mut Tx, tenant: &TenantId, id: &str, rights: &PersonRights) -> R<()> {
    tx.execute("DELETE FROM person_merchant WHERE tenant = $1 AND person = $2", &[tenant.into(), id.into()]).await?;
    let rows = limited(rights)?.iter().map(|merchant| vec![tenant.into(), id.into(), merchant.into()]).collect();
    tx.many("INSERT INTO person_merchant (tenant, person, merchant) VALUES ", "", &[], rows).await?;
    Ok(())
}

/// What the audit trail keeps of somebody's rights.
pub(super) fn told(email: &str, rights: &PersonRights) -> String {
    serde_json::json!({
        "email": email, "role": rights.role, "merchants": rights.merchants, "installation": rights.installation,
    })
    .to_string()
}

/// Sets a password and ends every session: whoever had the old one is out.
pub(super) async fn set_password(tx: &mut Tx, tenant: &TenantId, id: &str, password_hash: &Secret) -> R<()> {
    tx.execute(
        "UPDATE person SET password_hash = $3 WHERE tenant = $1 AND id = $2",
        &[tenant.into(), id.into(), password_hash.expose().into()],
    )
    .await?;
    links::withdraw_resets(tx, tenant, id).await?;
    sessions::end_all(tx, tenant, id).await?;
    Ok(())
}

/// Refuses where this one, who could let others in, was the last who can. On PostgreSQL such changes wait for each other.
async fn keep_an_administrator(tx: &mut Tx, tenant: &TenantId, role: &str, before: &Person) -> R<()> {
    if before.rights.role != role || before.disabled {
        return Ok(());
    }
    let row = tx
        .first(
            "SELECT count(*) FROM person WHERE tenant = $1 AND role = $2 AND disabled = 0",
            &[tenant.into(), role.into()],
        )
        .await?;
    if row.map_or(Ok(0), |row| row.int(0))? == 0 {
        return Err(DbError::Conflict("this is the last administrator; make another one first".to_owned()));
    }
    Ok(())
}

async fn one_at_a_time(tx: &mut Tx, tenant: &TenantId) -> R<()> {
    if tx.is_postgres() {
        tx.query("SELECT pg_advisory_xact_lock(hashtextextended($1, 7))::text", &[tenant.into()]).await?;
    }
    Ok(())
}

impl Database {
    /// How many people a tenant has, those who may not sign in included.
    pub async fn number_of_people(&self, tenant: &TenantId) -> R<i64> {
        let tenant = tenant.clone();
        self.read(&tenant.clone(), "number_of_people", move |tx| {
            Box::pin(async move { number_of_people(tx, &tenant).await })
        })
        .await
    }

    /// The people of a tenant after an id, in the order they came.
    pub async fn people(&self, tenant: &TenantId, after: &str, limit: u32) -> R<Vec<Person>> {
        let (tenant, after) = (tenant.clone(), after.to_owned());
        self.read(&tenant.clone(), "people", move |tx| {
            Box::pin(async move { people(tx, &tenant, "id > $2", &after, limit).await })
        })
        .await
    }

    /// One person, by id or e-mail address.
    pub async fn person(&self, tenant: &TenantId, named: &str) -> R<Person> {
        let (tenant, named) = (tenant.clone(), named.to_owned());
        self.read(&tenant.clone(), "person", move |tx| {
            Box::pin(async move {
                let condition = if named.contains('@') { "email = $2" } else { "id = $2" };
                let value = if named.contains('@') { named.to_lowercase() } else { named.clone() };
                let found = people(tx, &tenant, condition, &value, 1).await?;
                found.into_iter().next().ok_or_else(|| DbError::NotFound(format!("person {named:?}")))
            })
        })
        .await
    }

    /// Who signs in with this e-mail address: in one tenant, or else the first who ever had it; nobody of a tenant that is
    /// disabled. The password's hash comes with them; nobody who has none yet.
    pub async fn person_by_email(&self, tenant: Option<&TenantId>, email: &str) -> R<Option<(Person, Secret)>> {
        let email = email.to_lowercase();
        let found = match tenant {
            Some(tenant) => Some((tenant.clone(), email.clone())),
            None => {
                let wanted = email.clone();
                self.read(Access::System, "person_by_email", move |tx| {
                    Box::pin(async move {
                        let sql = if tx.is_postgres() {
                            // Row-level security hides it from a caller who is nobody yet; this is the narrow way in.
                            "SELECT tenant, id FROM person_by_email($1)"
                        } else {
                            "SELECT tenant, id FROM person WHERE email = $1
                                 AND tenant NOT IN (SELECT tenant FROM tenant WHERE disabled_at IS NOT NULL)
                             ORDER BY created_at, id LIMIT 1"
                        };
                        let row = tx.first(sql, &[wanted.into()]).await?;
                        row.map(|row| Ok((row.parsed::<TenantId>(0)?, row.string(1)?))).transpose()
                    })
                })
                .await?
                .map(|(tenant, _)| (tenant, email.clone()))
            }
        };
        let Some((tenant, email)) = found else { return Ok(None) };
        self.read(&tenant.clone(), "person_to_sign_in", move |tx| {
            Box::pin(async move {
                if tenants::is_disabled(tx, &tenant).await? {
                    return Ok(None);
                }
                let Some(person) = people(tx, &tenant, "email = $2", &email, 1).await?.into_iter().next() else {
                    return Ok(None);
                };
                Ok(password_hash(tx, &tenant, &person.id).await?.map(|hash| (person, hash)))
            })
        })
        .await
    }

    /// A person's password as it is kept.
    pub async fn password_hash(&self, tenant: &TenantId, id: &str) -> R<Option<Secret>> {
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.read(&tenant.clone(), "password_hash", move |tx| {
            Box::pin(async move { password_hash(tx, &tenant, &id).await })
        })
        .await
    }

    /// Sets a person's password and ends all their sessions.
    pub async fn change_password(&self, tenant: &TenantId, id: &str, hash: Secret, actor: &str) -> R<()> {
        let (tenant, id, actor) = (tenant.clone(), id.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "change_password", move |tx| {
            Box::pin(async move {
                set_password(tx, &tenant, &id, &hash).await?;
                audit::append(tx, tenant.as_str(), &actor, "person.password", &id, "{}").await
            })
        })
        .await
    }

    /// Gives a person another role or other limits. Their sessions go on with the new rights. `administrators` is the name of
    /// the role of which one must be left.
    pub async fn change_rights(
        &self,
        tenant: &TenantId,
        id: &str,
        rights: PersonRights,
        administrators: &'static str,
        actor: &str,
    ) -> R<()> {
        let (tenant, id, actor) = (tenant.clone(), id.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "change_rights", move |tx| {
            Box::pin(async move {
                one_at_a_time(tx, &tenant).await?;
                let person = find(tx, &tenant, &id).await?;
                tx.execute(
                    "UPDATE person SET role = $3, installation = $4 WHERE tenant = $1 AND id = $2",
                    &[(&tenant).into(), (&id).into(), (&rights.role).into(), rights.installation.into()],
                )
                .await?;
                limit_to(tx, &tenant, &id, &rights).await?;
                // Whoever might make one for the person as they were may not for what they are now; nor may they make what they made.
                links::withdraw_resets(tx, &tenant, &id).await?;
                links::withdraw_made_by(tx, &tenant, &id).await?;
                keep_an_administrator(tx, &tenant, administrators, &person).await?;
                audit::append(tx, tenant.as_str(), &actor, "person.rights", &id, &told(&person.email, &rights)).await
            })
        })
        .await
    }

    /// Lets a person sign in no more, or again. All their sessions end.
    pub async fn set_disabled(
        &self,
        tenant: &TenantId,
        id: &str,
        disabled: bool,
        administrators: &'static str,
        actor: &str,
    ) -> R<()> {
        let (tenant, id, actor) = (tenant.clone(), id.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "set_disabled", move |tx| {
            Box::pin(async move {
                one_at_a_time(tx, &tenant).await?;
                let person = find(tx, &tenant, &id).await?;
                tx.execute(
                    "UPDATE person SET disabled = $3 WHERE tenant = $1 AND id = $2",
                    &[(&tenant).into(), (&id).into(), disabled.into()],
                )
                .await?;
                sessions::end_all(tx, &tenant, &id).await?;
                if disabled {
                    links::withdraw_resets(tx, &tenant, &id).await?;
                    links::withdraw_made_by(tx, &tenant, &id).await?;
                }
                keep_an_administrator(tx, &tenant, administrators, &person).await?;
                let action = if disabled { "person.disable" } else { "person.enable" };
                audit::append(tx, tenant.as_str(), &actor, action, &id, "{}").await
            })
        })
        .await
    }
}

/// Within a transaction of the tenant.
pub(super) async fn number_of_people(tx: &mut Tx, tenant: &TenantId) -> R<i64> {
    let row = tx.first("SELECT count(*) FROM person WHERE tenant = $1", &[tenant.into()]).await?;
    row.map_or(Ok(0), |row| row.int(0))
}

pub(super) async fn password_hash(tx: &mut Tx, tenant: &TenantId, id: &str) -> R<Option<Secret>> {
    let row =
        tx.first("SELECT password_hash FROM person WHERE tenant = $1 AND id = $2", &[tenant.into(), id.into()]).await?;
    Ok(row.map_or(Ok(None), |row| row.opt_string(0))?.map(Secret::new))
}
