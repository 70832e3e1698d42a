//! The people of a tenant: who may come in, what each may do, and how that ends.

use std::{collections::BTreeSet, str::FromStr};

use connect::MerchantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Problem, Role, endpoints, id,
    links::{self, LinkOut},
    mailing,
};
use crate::db::{LinkKind, Person, PersonRights, SessionRow};

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersonRole {
    /// Everything in the tenant.
    Administrator,
    /// Decides about orders, shipments, stock and mappings, of all merchants or of some. Does not administer.
    Staff,
    /// From outside: looks at what belongs to its own merchants.
    Merchant,
}

impl PersonRole {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Staff => "staff",
            Self::Merchant => "merchant",
        }
    }

    /// The same in the terms that operations ask for.
    pub fn role(self) -> Role {
        match self {
            Self::Administrator => Role::Admin,
            Self::Staff => Role::Staff,
            Self::Merchant => Role::Read,
        }
    }
}

impl FromStr for PersonRole {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        [Self::Administrator, Self::Staff, Self::Merchant].into_iter().find(|role| role.as_str() == text).ok_or_else(
            || {
                Failure::invalid(
                    format!("{text:?} is not a role; there are: administrator, staff, merchant"),
                    Vec::new(),
                )
            },
        )
    }
}

/// Checks that role and limits go together: a merchant sees only its own, an administrator everything.
///
/// # Errors
/// Says which of them to change.
pub fn rights(
    role: PersonRole,
    merchants: Option<BTreeSet<MerchantId>>,
    installation: bool,
) -> Result<PersonRights, Failure> {
    let none = merchants.as_ref().is_none_or(BTreeSet::is_empty);
    let problem = match role {
        PersonRole::Administrator if !none => {
            Some(("merchants", "an administrator sees every merchant: leave them out, or choose staff"))
        }
        PersonRole::Merchant if none => Some(("merchants", "name at least one merchant whose data the person sees")),
        PersonRole::Staff | PersonRole::Merchant if installation => {
            Some(("installation", "only an administrator administers the installation"))
        }
        _ => None,
    };
    match problem {
        Some((at, problem)) => Err(Failure::invalid(format!("{at}: {problem}"), vec![Problem::new(at, problem)])),
        None => {
            let merchants = merchants.filter(|merchants| !merchants.is_empty());
            Ok(PersonRights { role: role.as_str().to_owned(), merchants, installation })
        }
    }
}

/// A person, without what they prove themselves with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PersonOut {
    /// `per_…`.
    pub id: String,
    /// Signs in with it.
    pub email: String,
    /// Their name.
    pub name: String,
    /// `administrator`, `staff`, `merchant`.
    pub role: String,
    /// Ids of the merchants they are limited to; absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchants: Option<Vec<String>>,
    /// They administer the whole installation.
    pub installation: bool,
    /// They may not sign in.
    pub disabled: bool,
    /// They have a second factor.
    pub second_factor: bool,
    /// They have signed in at the identity provider, and are known by who they are there.
    pub linked: bool,
    /// When they came.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Person> for PersonOut {
    fn from(person: Person) -> Self {
        let PersonRights { role, merchants, installation } = person.rights;
        Self {
            id: person.id,
            email: person.email,
            name: person.name,
            role,
            merchants: merchants.map(|merchants| merchants.iter().map(ToString::to_string).collect()),
            installation,
            disabled: person.disabled,
            second_factor: person.factor_since.is_some(),
            linked: person.linked,
            created_at: person.created_at,
        }
    }
}

/// What a person is to be able to do.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RightsIn {
    /// The role.
    pub role: PersonRole,
    /// Only these merchants (names or ids).
    #[serde(default)]
    pub merchants: Vec<String>,
    /// An administrator of the whole installation; only such a one makes another.
    #[serde(default)]
    pub installation: bool,
}

/// A person to invite.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteIn {
    /// Their e-mail address: they sign in with it.
    pub email: String,
    /// Their name; they can correct it.
    pub name: String,
    /// The role.
    pub role: PersonRole,
    /// Only these merchants (names or ids).
    #[serde(default)]
    pub merchants: Vec<String>,
    /// An administrator of the whole installation; only such a one makes another.
    #[serde(default)]
    pub installation: bool,
}

/// A session, as its person and administrators see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionView {
    /// `ses_…`.
    pub id: String,
    /// It is the one that asks.
    pub this: bool,
    /// Network address it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// When it ends by itself, unused.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

impl SessionView {
    /// The sessions that still let somebody in at this time.
    pub(super) fn open(rows: Vec<SessionRow>, own: Option<&str>, now: Timestamp) -> Vec<Self> {
        rows.into_iter()
            .map(|row| Self {
                this: own == Some(row.id.as_str()),
                ends_at: crate::accounts::session::ends_at(row.started_at, row.seen_at),
                id: row.id,
                address: row.address,
                agent: row.agent,
                started_at: row.started_at,
                seen_at: row.seen_at,
            })
            .filter(|session| now < session.ends_at)
            .collect()
    }
}

/// How many sessions were ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionsEndedOut {
    /// That many.
    pub ended: u64,
}

/// An e-mail address as it is kept.
///
/// # Errors
/// When it is none.
pub(super) fn email(given: &str) -> Result<String, Failure> {
    let email = given.trim().to_lowercase();
    let fits = email.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
    });
    if !fits || email.len() > 254 || email.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(Failure::invalid(
            format!("{} is not an e-mail address", super::quoted(given)),
            vec![Problem::new("email", "give one like ada@example.com")],
        ));
    }
    Ok(email)
}

async fn given_rights(
    hub: &Hub,
    caller: &Caller,
    role: PersonRole,
    merchants: &[String],
    installation: bool,
) -> Result<PersonRights, Failure> {
    if installation && !caller.installation {
        return Err(Failure::new(
            FailureKind::Forbidden,
            "only the installation's administrators make others of their kind",
        ));
    }
    let mut ids = BTreeSet::new();
    for named in merchants {
        ids.insert(id(&endpoints::merchant(hub, caller, named).await?.id)?);
    }
    rights(role, Some(ids), installation)
}

/// Who may change people, and that it is they.
fn administers(hub: &Hub, caller: &Caller) -> Result<(), Failure> {
    caller.administers()?;
    caller.proves(hub)
}

/// One person, for somebody who may change them: an administrator of the installation is changed by such a one only.
async fn find(hub: &Hub, caller: &Caller, named: &str) -> Result<Person, Failure> {
    let person = hub.db.person(&caller.tenant, named).await?;
    if person.rights.installation && !caller.installation {
        return Err(Failure::new(
            FailureKind::Forbidden,
            "this person administers the installation, and is changed by its administrators only",
        ));
    }
    Ok(person)
}

/// The people of the caller's tenant, in the order they came.
///
/// # Errors
/// When the caller may not see them.
pub async fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<PersonOut>, Failure> {
    caller.administers()?;
    let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let after = paging.cursor.as_deref().unwrap_or_default();
    let mut found = hub.db.people(&caller.tenant, after, paging.limit() + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|person| person.id.clone()) } else { None };
    Ok(PageOut { items: found.into_iter().map(PersonOut::from).collect(), next })
}

/// One person, by id or e-mail address.
///
/// # Errors
/// When the caller may not see them, or there is none.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<PersonOut, Failure> {
    caller.administers()?;
    Ok(hub.db.person(&caller.tenant, named).await?.into())
}

/// Makes a link by which somebody comes in once, and sends it to them where it can. An open invitation to the same address ends.
///
/// # Errors
/// When the caller may not, or there is such a person already.
pub async fn invite(hub: &Hub, caller: &Caller, given: &InviteIn) -> Result<LinkOut, Failure> {
    administers(hub, caller)?;
    let rights = given_rights(hub, caller, given.role, &given.merchants, given.installation).await?;
    let name = endpoints::name(&given.name)?;
    let to = email(&given.email)?;
    let link = links::create(hub, caller, LinkKind::Invitation, None, to.clone(), name.clone(), rights).await?;
    mailing::send(hub, caller, link, &to, &name).await
}

/// Gives a person another role or other limits, from their next request on.
///
/// # Errors
/// When the caller may not, or nobody would be left to administer.
pub async fn change(hub: &Hub, caller: &Caller, named: &str, given: &RightsIn) -> Result<PersonOut, Failure> {
    administers(hub, caller)?;
    let person = find(hub, caller, named).await?;
    let rights = given_rights(hub, caller, given.role, &given.merchants, given.installation).await?;
    let last = PersonRole::Administrator.as_str();
    hub.db.change_rights(&person.tenant, &person.id, rights, last, &caller.actor).await?;
    end_links_elsewhere(hub, &person).await?;
    show(hub, caller, &person.id).await
}

/// Lets a person sign in no more, and ends their sessions; or lets them sign in again.
///
/// # Errors
/// When the caller may not, or nobody would be left to administer.
pub async fn set_disabled(hub: &Hub, caller: &Caller, named: &str, disabled: bool) -> Result<PersonOut, Failure> {
    administers(hub, caller)?;
    let person = find(hub, caller, named).await?;
    let last = PersonRole::Administrator.as_str();
    hub.db.set_disabled(&person.tenant, &person.id, disabled, last, &caller.actor).await?;
    end_links_elsewhere(hub, &person).await?;
    show(hub, caller, &person.id).await
}

/// Links that somebody has made in other tenants than their own, which administrators of the installation can.
async fn end_links_elsewhere(hub: &Hub, person: &Person) -> Result<(), Failure> {
    if person.rights.installation {
        for tenant in hub.db.tenants().await?.into_iter().filter(|tenant| tenant.id != person.tenant) {
            hub.db.withdraw_made_by(&tenant.id, &person.id).await?;
        }
    }
    Ok(())
}

/// Makes a link by which a person chooses a new password once. The present one stays until then.
///
/// # Errors
/// When the caller may not, or the person may not sign in.
pub async fn reset(hub: &Hub, caller: &Caller, named: &str) -> Result<LinkOut, Failure> {
    administers(hub, caller)?;
    let person = find(hub, caller, named).await?;
    if person.disabled {
        return Err(Failure::conflict("this person may not sign in").remedy("Let them sign in again first."));
    }
    let Person { id, email, name, rights, .. } = person;
    links::create(hub, caller, LinkKind::Reset, Some(id), email, name, rights).await
}

/// Takes a person's second factor away: they lost it, and their recovery codes.
///
/// # Errors
/// When the caller may not, or there is none.
pub async fn remove_factor(hub: &Hub, caller: &Caller, named: &str) -> Result<PersonOut, Failure> {
    administers(hub, caller)?;
    let person = find(hub, caller, named).await?;
    hub.db.clear_factor(&person.tenant, &person.id, &caller.actor).await?;
    show(hub, caller, &person.id).await
}

/// Forgets who a person is at the identity provider: their verified address links them anew.
///
/// # Errors
/// When the caller may not, or they are not linked.
pub async fn unlink(hub: &Hub, caller: &Caller, named: &str) -> Result<PersonOut, Failure> {
    administers(hub, caller)?;
    let person = find(hub, caller, named).await?;
    hub.db.unlink_identity(&person.tenant, &person.id, &caller.actor).await?;
    show(hub, caller, &person.id).await
}

/// The open sessions of a person, newest first.
///
/// # Errors
/// When the caller may not see them.
pub async fn sessions(hub: &Hub, caller: &Caller, named: &str) -> Result<Vec<SessionView>, Failure> {
    caller.administers()?;
    let person = hub.db.person(&caller.tenant, named).await?;
    let rows = hub.db.sessions(&person.tenant, &person.id).await?;
    let own = caller.signed_in.as_ref().map(|own| own.session.as_str());
    Ok(SessionView::open(rows, own, hub.seams.clock.now()))
}

/// Ends every session of a person.
///
/// # Errors
/// When the caller may not.
pub async fn end_sessions(hub: &Hub, caller: &Caller, named: &str) -> Result<SessionsEndedOut, Failure> {
    administers(hub, caller)?;
    let person = find(hub, caller, named).await?;
    let ended = hub.db.end_sessions(&person.tenant, &person.id, &caller.actor).await?;
    Ok(SessionsEndedOut { ended })
}

#[cfg(test)]
mod tests {
    use super::{PersonRole, email, rights};

    #[test]
    fn role_and_limits_go_together() {
        let one = || Some(["mer_00000000000000000000000001".parse().unwrap()].into());
        assert!(rights(PersonRole::Administrator, None, true).is_ok());
        assert!(rights(PersonRole::Administrator, one(), false).is_err());
        assert!(rights(PersonRole::Staff, None, false).is_ok());
        assert!(rights(PersonRole::Staff, one(), false).is_ok());
        assert!(rights(PersonRole::Staff, None, true).is_err());
        assert!(rights(PersonRole::Merchant, None, false).is_err());
        assert!(rights(PersonRole::Merchant, Some([].into()), false).is_err());
        assert!(rights(PersonRole::Merchant, one(), false).is_ok());
    }

    #[test]
    fn addresses_are_kept_in_one_form() {
        assert_eq!(email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for wrong in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "a\r\n@example.com", "a@.com"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }
}
