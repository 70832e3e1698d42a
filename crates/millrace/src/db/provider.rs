//! People who sign in at an identity provider: sign-ins on their way there and back, and who is whom there.

use connect::{Secret, TenantId};
use jiff::Timestamp;

use super::{
    Access, Database, DbError, Person, R, audit, people,
    records::INSTALLATION,
    sql::{Row, Tx},
    tenants,
};

/// A sign-in that begins.
#[derive(Debug, Clone)]
pub struct NewProviderFlow {
    /// SHA-256 of its state, hex.
    pub hash: String,
    /// SHA-256 of what the browser holds, hex.
    pub browser: String,
    /// The tenant that was named.
    pub wanted: Option<TenantId>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

fn whose(row: &Row) -> R<(TenantId, String)> {
    Ok((row.parsed(0)?, row.string(1)?))
}

/// The person with the password's hash; nobody who has none yet, or whose tenant is disabled.
async fn signs_in(tx: &mut Tx, tenant: &TenantId, person: &str) -> R<Option<(Person, Secret)>> {
    if tenants::is_disabled(tx, tenant).await? {
        return Ok(None);
    }
    let found = people::find(tx, tenant, person).await?;
    Ok(people::password_hash(tx, tenant, person).await?.map(|hash| (found, hash)))
}

impl Database {
    /// Keeps a sign-in that begins. Those that are over go.
    pub async fn begin_provider_flow(&self, new: NewProviderFlow) -> R<()> {
        self.write(Access::System, "begin_provider_flow", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                tx.execute(
                    "DELETE FROM provider_flow WHERE tenant = $1 AND expires_at < $2",
                    &[INSTALLATION.into(), now.into()],
                )
                .await?;
                tx.execute(
                    "INSERT INTO provider_flow (tenant, hash, browser, wanted, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6)",
                    &[
                        INSTALLATION.into(),
                        new.hash.into(),
                        new.browser.into(),
                        new.wanted.as_ref().into(),
                        now.into(),
                        new.expires_at.into(),
                    ],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Takes a sign-in that comes back, once, for the browser that began it: the tenant that was named. `None`: there is none,
    /// it was taken, it is over, or it is another browser's, which may still take it.
    pub async fn take_provider_flow(&self, hash: &str, browser: &str) -> R<Option<Option<TenantId>>> {
        let (hash, browser) = (hash.to_owned(), browser.to_owned());
        self.write(Access::System, "take_provider_flow", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let row = tx
                    .first(
                        "UPDATE provider_flow SET used_at = $4
                         WHERE tenant = $1 AND hash = $2 AND browser = $3 AND used_at IS NULL AND expires_at > $4
                         RETURNING wanted",
                        &[INSTALLATION.into(), hash.into(), browser.into(), now.into()],
                    )
                    .await?;
                row.map(|row| row.opt_parsed(0)).transpose()
            })
        })
        .await
    }

    /// Notes who came back and still has to give a code, and when the provider asked them who they are.
    pub async fn provider_flow_waits(&self, browser: &str, person: &Person, asked_at: Timestamp) -> R<()> {
        let (browser, tenant, id) = (browser.to_owned(), person.tenant.clone(), person.id.clone());
        self.write(Access::System, "provider_flow_waits", move |tx| {
            Box::pin(async move {
                tx.execute(
                    "UPDATE provider_flow SET person_tenant = $3, person = $4, asked_at = $5
                     WHERE tenant = $1 AND browser = $2",
                    &[INSTALLATION.into(), browser.into(), (&tenant).into(), id.into(), asked_at.into()],
                )
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Who came back with this browser and still has to give a code, and when the provider asked them.
    pub async fn waiting_provider_flow(&self, browser: &str) -> R<Option<(Person, Secret, Timestamp)>> {
        let browser = browser.to_owned();
        let found = self
            .read(Access::System, "waiting_provider_flow", move |tx| {
                Box::pin(async move {
                    let now = tx.now;
                    let row = tx
                        .first(
                            "SELECT person_tenant, person, asked_at FROM provider_flow
                             WHERE tenant = $1 AND browser = $2 AND person IS NOT NULL AND expires_at > $3",
                            &[INSTALLATION.into(), browser.into(), now.into()],
                        )
                        .await?;
                    row.map(|row| Ok((whose(&row)?, row.time(2)?))).transpose()
                })
            })
            .await?;
        let Some(((tenant, person), asked_at)) = found else { return Ok(None) };
        let known = self
            .read(&tenant.clone(), "person_to_sign_in", move |tx| {
                Box::pin(async move { signs_in(tx, &tenant, &person).await })
            })
            .await?;
        // Whoever took the link away meanwhile took this with it.
        Ok(known.filter(|(person, _)| person.linked).map(|(person, hash)| (person, hash, asked_at)))
    }

    /// A sign-in has ended. `false`: it had before, so it lets nobody in a second time.
    pub async fn end_provider_flow(&self, browser: &str) -> R<bool> {
        let browser = browser.to_owned();
        self.write(Access::System, "end_provider_flow", move |tx| {
            Box::pin(async move {
                let done = tx
                    .execute(
                        "DELETE FROM provider_flow WHERE tenant = $1 AND browser = $2",
                        &[INSTALLATION.into(), browser.into()],
                    )
                    .await?;
                Ok(done > 0)
            })
        })
        .await
    }

    /// Who is known by this name at the provider: in one tenant, or else in the first where somebody was linked with it.
    pub async fn person_by_identity(
        &self,
        tenant: Option<&TenantId>,
        issuer: &str,
        subject: &str,
    ) -> R<Option<(Person, Secret)>> {
        let (tenant, issuer, subject) = (tenant.cloned(), issuer.to_owned(), subject.to_owned());
        let access = tenant.clone().map_or(Access::System, Access::Tenant);
        let found = self
            .read(access, "person_by_identity", move |tx| {
                Box::pin(async move {
                    let row = match &tenant {
                        Some(tenant) => {
                            tx.first(
                                "SELECT tenant, person FROM person_identity
                                 WHERE tenant = $1 AND issuer = $2 AND subject = $3",
                                &[tenant.into(), issuer.into(), subject.into()],
                            )
                            .await?
                        }
                        None => {
                            let sql = if tx.is_postgres() {
                                // Row-level security hides it from a caller who is nobody yet; this is the narrow way in.
                                "SELECT tenant, id FROM person_by_identity($1, $2)"
                            } else {
                                "SELECT tenant, person FROM person_identity WHERE issuer = $1 AND subject = $2
                                     AND tenant NOT IN (SELECT tenant FROM tenant WHERE disabled_at IS NOT NULL)
                                 ORDER BY linked_at, person LIMIT 1"
                            };
                            tx.first(sql, &[issuer.into(), subject.into()]).await?
                        }
                    };
                    row.as_ref().map(whose).transpose()
                })
            })
            .await?;
        let Some((tenant, person)) = found else { return Ok(None) };
        self.read(&tenant.clone(), "person_to_sign_in", move |tx| {
            Box::pin(async move { signs_in(tx, &tenant, &person).await })
        })
        .await
    }

    /// Links a person with who they are at the provider. Refused where they are somebody else there already: an address that
    /// passed on to another employee must not let that one in.
    pub async fn link_identity(&self, person: &Person, issuer: &str, subject: &str, actor: &str) -> R<()> {
        let (tenant, person) = (person.tenant.clone(), person.id.clone());
        let (issuer, subject, actor) = (issuer.to_owned(), subject.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "link_identity", move |tx| {
            Box::pin(async move {
                let now = tx.now;
                let linked = tx
                    .execute(
                        "INSERT INTO person_identity (tenant, issuer, subject, person, linked_at)
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                        &[(&tenant).into(), (&issuer).into(), (&subject).into(), (&person).into(), now.into()],
                    )
                    .await?;
                if linked == 0 {
                    let same = tx
                        .first(
                            "SELECT person FROM person_identity
                             WHERE tenant = $1 AND issuer = $2 AND subject = $3 AND person = $4",
                            &[(&tenant).into(), (&issuer).into(), (&subject).into(), (&person).into()],
                        )
                        .await?;
                    if same.is_some() {
                        // Another of their windows was first.
                        return Ok(());
                    }
                    return Err(DbError::Conflict("this person is somebody else at the provider already".to_owned()));
                }
                let detail = serde_json::json!({ "issuer": issuer, "subject": subject }).to_string();
                audit::append(tx, tenant.as_str(), &actor, "person.link", &person, &detail).await
            })
        })
        .await
    }

    /// Forgets who a person is at providers.
    pub async fn unlink_identity(&self, tenant: &TenantId, person: &str, actor: &str) -> R<()> {
        let (tenant, person, actor) = (tenant.clone(), person.to_owned(), actor.to_owned());
        self.write(&tenant.clone(), "unlink_identity", move |tx| {
            Box::pin(async move {
                let done = tx
                    .execute(
                        "DELETE FROM person_identity WHERE tenant = $1 AND person = $2",
                        &[(&tenant).into(), (&person).into()],
                    )
                    .await?;
                if done == 0 {
                    return Err(DbError::NotFound("a link with somebody at the identity provider".to_owned()));
                }
                audit::append(tx, tenant.as_str(), &actor, "person.unlink", &person, "{}").await
            })
        })
        .await
    }
}
