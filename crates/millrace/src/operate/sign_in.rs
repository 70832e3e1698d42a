//! Signing in, staying signed in, and signing out.
//!
//! Whatever is wrong, the answer is in the same words and takes as long: an unknown address, a wrong password and somebody who
//! may not sign in cannot be told apart. Each try is counted before it is looked at ([`crate::accounts::throttle`]).

use std::net::{IpAddr, Ipv6Addr};

use connect::{Secret, TenantId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, KeyScopes, PROOF, Problem, SignedIn,
    endpoints::SecretIn,
    keys, links,
    people::{PersonOut, PersonRole, SessionView},
    second_factor::{self, Given},
    setup,
};
use crate::{
    accounts::{
        demand::SecondFactor,
        password, session,
        throttle::{ACCOUNT, ADDRESS, BEGINNING, Rule},
    },
    db::{Access, NewSession, Person, SessionRow},
};

/// What the token of every session begins with.
const PREFIX: &str = "mrs_";

/// Who comes, as far as the network tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Network address.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
}

/// Who wants to sign in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInIn {
    /// The e-mail address.
    pub email: String,
    /// The password.
    #[schema(value_type = String)]
    pub password: SecretIn,
    /// A code of the second factor, or a recovery code, where there is one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub code: Option<SecretIn>,
    /// The tenant's name, where one address belongs to people of several; without it, the first of them is meant.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// The password once more.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofIn {
    /// The password.
    #[schema(value_type = String)]
    pub password: SecretIn,
    /// A code of the second factor, or a recovery code, where there is one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub code: Option<SecretIn>,
}

/// Another password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordIn {
    /// The present one.
    #[schema(value_type = String)]
    pub current: SecretIn,
    /// A code of the second factor, or a recovery code, where there is one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub code: Option<SecretIn>,
    /// The new one, of at least 15 characters.
    #[schema(value_type = String)]
    pub new: SecretIn,
}

/// Who is signed in, and until when.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionOut {
    /// `ses_…`.
    pub id: String,
    /// Who.
    pub person: PersonOut,
    /// The tenant they work in.
    pub tenant: String,
    /// Send it as `Millrace-Csrf` with every request that changes something.
    pub csrf: String,
    /// Until then, what needs the password does not ask for it again.
    #[schema(value_type = String, format = DateTime)]
    pub proved_until: Timestamp,
    /// The operator asks for a second factor, and there is none: until one is set up, nothing else is open.
    pub second_factor_owed: bool,
    /// Who has to have a second factor, as the operator decided where the program was started (`--second-factor`).
    pub second_factor_demand: SecondFactor,
    /// When it ends by itself, unused.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

/// A session that was begun, or has a new token.
pub struct Begun {
    /// What the browser keeps. It is not kept here.
    pub token: Secret,
    /// What may be shown.
    pub session: SessionOut,
}

/// What proves that a request was made by our own pages: known to who can read our answers, and to nobody else.
pub fn csrf(token: &str) -> String {
    keys::hash(&format!("millrace csrf\0{token}"))
}

fn refused() -> Failure {
    Failure::new(FailureKind::SignIn, "there is nobody with this e-mail address and this password")
}

/// Tries for an address in a tenant as it was named, or in none: whether somebody has it there does not show. The same address in
/// another tenant is another person, who is none of this one's business.
fn of_address(email: &str, tenant: Option<&str>) -> String {
    subject("account", &format!("{}\0{}", tenant.unwrap_or_default().trim(), email.trim().to_lowercase()))
}

/// Tries for somebody who is known already.
pub(super) fn of_person(person: &Person) -> String {
    subject("person", &format!("{}\0{}", person.tenant, person.id))
}

pub(super) fn address(visitor: &Visitor) -> String {
    subject("address", &network(&visitor.address))
}

/// Where somebody comes from, as it is counted: whoever has one IPv6 address has the 2⁶⁴ of its network.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).to_string(),
        _ => address.to_owned(),
    }
}

/// What is counted, without keeping what somebody typed.
pub(super) fn subject(kind: &str, what: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["millrace try", kind, what] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts a try of this subject and of the address it comes from, or refuses to look at it.
///
/// # Errors
/// When there were too many.
pub(super) async fn count(hub: &Hub, visitor: &Visitor, subject: String) -> Result<(), Failure> {
    counted(hub, visitor, vec![(subject, ACCOUNT), (address(visitor), ADDRESS)]).await
}

/// What is counted of sign-ins that begin elsewhere, where nobody is named yet.
pub(super) fn beginning(visitor: &Visitor) -> String {
    subject("beginning", &network(&visitor.address))
}

/// Counts a sign-in that begins elsewhere, or refuses to begin it. It is no try of a password, and keeps nobody from giving one.
///
/// # Errors
/// When there were too many that did not end well.
pub(super) async fn count_beginning(hub: &Hub, visitor: &Visitor) -> Result<(), Failure> {
    counted(hub, visitor, vec![(beginning(visitor), BEGINNING)]).await
}

async fn counted(hub: &Hub, visitor: &Visitor, subjects: Vec<(String, Rule)>) -> Result<(), Failure> {
    match hub.db.begin_try(subjects).await? {
        Ok(()) => Ok(()),
        Err(until) => {
            let wait = until.duration_since(hub.db.now().await?).as_secs().max(0) + 1;
            tracing::warn!(client.address = visitor.address, "a try was not looked at for {wait} s more");
            let mut failure = Failure::new(
                FailureKind::TooMany,
                format!("there were too many tries; the next one is looked at in {wait} seconds"),
            );
            failure.retry_after = u64::try_from(wait).ok();
            Err(failure)
        }
    }
}

/// Forgets the failures of this subject, which was just proved.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn forgive(hub: &Hub, visitor: &Visitor, subject: String) -> Result<(), Failure> {
    hub.db.end_try(vec![address(visitor)], Some(subject)).await?;
    if let Err(error) = hub.db.forget_tries().await {
        tracing::debug!("old tries stay a while longer: {error}");
    }
    Ok(())
}

/// Forgets the failures of a person who has a new password, however they name their tenant. That was no try: what was counted of
/// where they come from stays.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn begin_anew(hub: &Hub, tenant: &TenantId, id: &str) -> Result<(), Failure> {
    let person = hub.db.person(tenant, id).await?;
    let tenants = hub.db.tenants().await?;
    let name = tenants.iter().find(|one| one.id == *tenant).map(|one| one.name.as_str());
    let mut subjects = vec![of_person(&person), of_address(&person.email, Some(tenant.as_str()))];
    subjects.extend(name.map(|name| of_address(&person.email, Some(name))));
    let meant = hub.db.person_by_email(None, &person.email).await?;
    if meant.is_some_and(|(meant, _)| meant.tenant == *tenant) {
        subjects.push(of_address(&person.email, None));
    }
    for subject in subjects {
        hub.db.end_try(Vec::new(), Some(subject)).await?;
    }
    Ok(())
}

/// Writes a failure to the audit trail: the tenant's, or the installation's where nobody has this address.
pub(super) async fn told(
    hub: &Hub,
    visitor: &Visitor,
    email: &str,
    person: Option<&Person>,
    why: &str,
) -> Result<(), Failure> {
    let access = person.map_or(Access::System, |person| Access::Tenant(person.tenant.clone()));
    let target = person.map_or("", |person| person.id.as_str());
    let email: String = email.chars().take(254).collect();
    let detail = serde_json::json!({ "address": visitor.address, "email": email, "why": why });
    Ok(hub.db.audit(&access, "sign-in", "sign_in.failure", target, &detail).await?)
}

/// Looks at password and code of a try that was counted. The password's hash that was right comes back.
async fn prove(
    hub: &Hub,
    visitor: &Visitor,
    (email, counted): (&str, String),
    known: Option<(Person, Secret)>,
    given: &SecretIn,
    code: Option<&SecretIn>,
) -> Result<(Person, Secret), Failure> {
    let kept = known.as_ref().map(|(_, hash)| hash.expose().to_owned());
    let right = hub.hashing.is(&given.0, kept).await?;
    let (person, hash) = match known {
        Some((person, hash)) if right && !person.disabled => (person, hash),
        known => {
            let person = known.as_ref().map(|(person, _)| person);
            let why = match person {
                None => "unknown",
                Some(person) if right && person.disabled => "disabled",
                Some(_) => "password",
            };
            told(hub, visitor, email, person, why).await?;
            return Err(refused());
        }
    };
    if person.factor_since.is_some() {
        match second_factor::given(hub, &person, code).await? {
            Given::Right => {}
            Given::Missing => {
                // It was no wrong try; and no right one either, which would forget the wrong ones.
                hub.db.end_try(vec![counted, address(visitor)], None).await?;
                return Err(Failure::new(FailureKind::SecondFactor, "a code of your second factor is needed as well"));
            }
            Given::Wrong => {
                told(hub, visitor, email, Some(&person), "code").await?;
                return Err(Failure::new(FailureKind::SecondFactor, "this code is wrong, or was used before"));
            }
        }
    }
    forgive(hub, visitor, counted).await?;
    Ok((person, hash))
}

/// How the audit trail names a person.
pub(super) fn actor(person: &Person) -> String {
    format!("person {} ({})", person.id, person.email)
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proved {
    /// By the password, just now; in the place of a session to which a provider had let them in with several factors, or not.
    Password { several_factors: bool },
    /// By the word of an identity provider, which asked them then; for several factors, or one.
    Provider { asked_at: Timestamp, several_factors: bool },
    /// By the link of `millrace demo`, just now.
    Demo,
}

pub(super) async fn begin(
    hub: &Hub,
    visitor: &Visitor,
    person: Person,
    hash: &Secret,
    proved: Proved,
) -> Result<Begun, Failure> {
    let (by, proved_at, several_factors) = match proved {
        Proved::Password { several_factors } => ("password", None, several_factors),
        Proved::Provider { asked_at, several_factors } => ("provider", Some(asked_at), several_factors),
        Proved::Demo => ("demo", None, false),
    };
    // Whoever has one gave a code of it, unless the provider had asked for one itself.
    let factor = match proved {
        Proved::Provider { several_factors: true, .. } => Some("provider"),
        _ if person.factor_since.is_some() => Some("here"),
        Proved::Password { several_factors: true } => Some("provider"),
        Proved::Password { .. } | Proved::Provider { .. } | Proved::Demo => None,
    };
    let token = keys::token(PREFIX, &*hub.seams.random);
    let new = NewSession {
        hash: keys::hash(&token),
        address: visitor.address.clone(),
        agent: visitor.agent.chars().filter(|letter| !letter.is_control()).take(200).collect(),
        by,
        proved_at,
        several_factors,
        factor,
    };
    // Disabled, or another password, since it was compared.
    let row = hub.db.begin_session(&person, hash, new, &actor(&person)).await?.ok_or_else(refused)?;
    let tenant = person.tenant.clone();
    Ok(Begun { session: out(hub, &row, person, &tenant, &token), token: Secret::new(token) })
}

/// Whether the operator asks such people for a second factor, and this session came with none.
fn owes_factor(hub: &Hub, row: &SessionRow, person: &Person) -> bool {
    let administers = person.rights.installation || person.rights.role == PersonRole::Administrator.as_str();
    hub.config.second_factor.asks(administers) && person.factor_since.is_none() && !row.several_factors
}

fn out(hub: &Hub, row: &SessionRow, person: Person, tenant: &TenantId, token: &str) -> SessionOut {
    SessionOut {
        second_factor_owed: owes_factor(hub, row, &person),
        second_factor_demand: hub.config.second_factor,
        id: row.id.clone(),
        person: person.into(),
        tenant: tenant.to_string(),
        csrf: csrf(token),
        proved_until: row.proved_at.saturating_add(PROOF).unwrap_or(row.proved_at),
        ends_at: session::ends_at(row.started_at, row.seen_at),
    }
}

/// Begins a session.
///
/// # Errors
/// When nobody signs in so, a code is needed, or there were too many tries.
pub async fn sign_in(hub: &Hub, visitor: &Visitor, given: SignInIn) -> Result<Begun, Failure> {
    let longest = 4 * password::LONGEST;
    if given.email.len() > 254 || given.password.0.expose().len() > longest {
        return Err(Failure::invalid(
            "the e-mail address or the password is longer than any",
            vec![Problem::new("password", format!("give at most {} characters", password::LONGEST))],
        ));
    }
    let email = given.email.trim().to_lowercase();
    let counted = of_address(&email, given.tenant.as_deref());
    count(hub, visitor, counted.clone()).await?;
    let tenant = match given.tenant.as_deref() {
        Some(named) => match setup::tenant(hub, Some(named)).await {
            Ok(tenant) => Some(Some(tenant)),
            Err(failure) if failure.kind == FailureKind::NotFound => None,
            Err(failure) => return Err(failure),
        },
        None => Some(None),
    };
    let known = match tenant {
        Some(tenant) => hub.db.person_by_email(tenant.as_ref(), &email).await?,
        None => None,
    };
    let (person, hash) = prove(hub, visitor, (&email, counted), known, &given.password, given.code.as_ref()).await?;
    begin(hub, visitor, person, &hash, Proved::Password { several_factors: false }).await
}

/// Who has this session; `None` when it is unknown or ended. An administrator of the installation works in the tenant that
/// is named, or in the own one.
///
/// # Errors
/// When the database cannot be reached, or there is no such tenant.
pub async fn session(hub: &Hub, token: &str, tenant: Option<&str>) -> Result<Option<Caller>, Failure> {
    let Some((caller, row)) = look_up(hub, token, tenant).await? else { return Ok(None) };
    let own = caller.person()?;
    if let Err(error) = hub.db.touch_session(&own.tenant, &row).await {
        // Not worth refusing a request for.
        tracing::warn!("the last use of a session could not be written down: {error}");
    }
    Ok(Some(caller))
}

/// The same for what goes on by itself, like an open stream: it is no use of the session, and does not keep it alive.
///
/// # Errors
/// As [`session()`].
pub async fn still(hub: &Hub, token: &str, tenant: Option<&str>) -> Result<Option<Caller>, Failure> {
    Ok(look_up(hub, token, tenant).await?.map(|(caller, _)| caller))
}

async fn look_up(hub: &Hub, token: &str, tenant: Option<&str>) -> Result<Option<(Caller, SessionRow)>, Failure> {
    if !token.starts_with(PREFIX) || token.len() > 200 {
        return Ok(None);
    }
    let Some((row, person)) = hub.db.find_session(&keys::hash(token)).await? else { return Ok(None) };
    let ends_at = session::ends_at(row.started_at, row.seen_at);
    if row.ended_at.is_some() || person.disabled || hub.seams.clock.now() >= ends_at {
        return Ok(None);
    }
    let Ok(role) = person.rights.role.parse::<PersonRole>() else { return Ok(None) };
    let works_in = match tenant.filter(|_| person.rights.installation) {
        Some(named) => setup::tenant(hub, Some(named)).await?,
        None => person.tenant.clone(),
    };
    let merchants = match role {
        // Without limits it would see everything: then it sees nothing.
        PersonRole::Merchant => Some(person.rights.merchants.clone().unwrap_or_default()),
        PersonRole::Administrator | PersonRole::Staff => person.rights.merchants.clone(),
    };
    let caller = Caller {
        actor: actor(&person),
        role: role.role(),
        tenant: works_in,
        merchants,
        scopes: KeyScopes::default(),
        installation: person.rights.installation,
        signed_in: Some(SignedIn {
            several_factors: row.several_factors,
            owes_factor: owes_factor(hub, &row, &person),
            tenant: person.tenant,
            person: person.id,
            session: row.id.clone(),
            proved_at: row.proved_at,
        }),
    };
    Ok(Some((caller, row)))
}

/// The session of the caller, as shown.
///
/// # Errors
/// When the caller is nobody who signed in.
pub async fn show(hub: &Hub, caller: &Caller, token: &str) -> Result<SessionOut, Failure> {
    caller.person()?;
    let found = hub.db.find_session(&keys::hash(token)).await?;
    let (row, person) = found.ok_or_else(|| Failure::not_found("this session"))?;
    Ok(out(hub, &row, person, &caller.tenant, token))
}

/// Ends the caller's session.
///
/// # Errors
/// When the caller is nobody who signed in.
pub async fn sign_out(hub: &Hub, caller: &Caller) -> Result<(), Failure> {
    let own = caller.person()?;
    Ok(hub.db.end_session(&own.tenant, &own.person, &own.session, &caller.actor).await?)
}

/// Ends the session that a browser came with, now that it has another one. Where that does not work it ends by its own limits,
/// which is not worth refusing the new one for.
pub async fn end_earlier(hub: &Hub, token: Option<&str>) {
    let Some(token) = token.filter(|token| token.starts_with(PREFIX) && token.len() <= 200) else { return };
    let ended = match hub.db.find_session(&keys::hash(token)).await {
        Ok(Some((row, person))) if row.ended_at.is_none() => {
            hub.db.end_session(&person.tenant, &person.id, &row.id, &actor(&person)).await
        }
        found => found.map(|_| ()),
    };
    if let Err(error) = ended {
        tracing::warn!("the earlier session of a browser that signed in again could not be ended: {error}");
    }
}

/// The caller's own password and code, looked at like any other try.
async fn prove_oneself(
    hub: &Hub,
    caller: &Caller,
    visitor: &Visitor,
    given: &SecretIn,
    code: Option<&SecretIn>,
) -> Result<(Person, Secret), Failure> {
    let own = caller.person()?;
    let person = hub.db.person(&own.tenant, &own.person).await?;
    let email = person.email.clone();
    let counted = of_person(&person);
    count(hub, visitor, counted.clone()).await?;
    let known = hub.db.password_hash(&own.tenant, &own.person).await?.map(|hash| (person, hash));
    prove(hub, visitor, (&email, counted), known, given, code).await
}

/// Takes the password once more. The session gets another token.
///
/// # Errors
/// When it is wrong, or the caller is nobody who signed in.
pub async fn proof(hub: &Hub, caller: &Caller, visitor: &Visitor, given: ProofIn) -> Result<Begun, Failure> {
    let own = caller.person()?;
    let (person, _) = prove_oneself(hub, caller, visitor, &given.password, given.code.as_ref()).await?;
    let token = keys::token(PREFIX, &*hub.seams.random);
    let row = hub.db.prove_session(&own.tenant, &own.session, &keys::hash(&token), &caller.actor).await?;
    Ok(Begun { session: out(hub, &row, person, &caller.tenant, &token), token: Secret::new(token) })
}

/// Changes the caller's password. Every session ends, and this one begins anew.
///
/// # Errors
/// When the present one is wrong, or the new one is not taken.
pub async fn change_password(
    hub: &Hub,
    caller: &Caller,
    visitor: &Visitor,
    given: PasswordIn,
) -> Result<Begun, Failure> {
    let own = caller.person()?;
    let person = hub.db.person(&own.tenant, &own.person).await?;
    links::acceptable(&given.new, &[&person.email, &person.name])?;
    let (person, _) = prove_oneself(hub, caller, visitor, &given.current, given.code.as_ref()).await?;
    let hash = Secret::new(hub.hashing.hash(&given.new.0).await?);
    hub.db.change_password(&own.tenant, &own.person, hash.clone(), &caller.actor).await?;
    begin(hub, visitor, person, &hash, Proved::Password { several_factors: own.several_factors }).await
}

/// The caller's own open sessions, newest first.
///
/// # Errors
/// When the caller is nobody who signed in.
pub async fn sessions(hub: &Hub, caller: &Caller) -> Result<Vec<SessionView>, Failure> {
    let own = caller.person()?;
    let rows = hub.db.sessions(&own.tenant, &own.person).await?;
    Ok(SessionView::open(rows, Some(&own.session), hub.seams.clock.now()))
}

/// Ends one of the caller's own sessions.
///
/// # Errors
/// When it is none of them.
pub async fn end_session(hub: &Hub, caller: &Caller, session: &str) -> Result<(), Failure> {
    let own = caller.person()?;
    Ok(hub.db.end_session(&own.tenant, &own.person, session, &caller.actor).await?)
}
