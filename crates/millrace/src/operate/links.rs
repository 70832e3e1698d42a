//! Links that let somebody in once: made by administrators or by the start of an empty installation, used by people who have
//! no account yet, or no password any more.
//!
//! A hand-off is such a link too, whose holder stays nobody ([`super::hand_offs`]).
//!
//! A link is given to whoever asked for it; an invitation is sent by e-mail besides, where there is a mail server.

use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub, KeyScopes, PageOut, PagingQuery, Problem,
    endpoints::{self, SecretIn},
    hand_offs::{self, HandOffAboutOut},
    keys,
    people::{self, PersonRole},
    sign_in::{self, Visitor},
};
use crate::{
    accounts::password,
    db::{DbError, Link, LinkKind, NewLink, PersonRights, Redeeming},
};

/// What the token of every link begins with.
pub(super) const PREFIX: &str = "mrl_";

/// How long a link lets somebody in.
pub(super) fn life(kind: LinkKind) -> SignedDuration {
    match kind {
        // It comes anew with every start.
        LinkKind::Setup | LinkKind::Reset => SignedDuration::from_hours(24),
        LinkKind::Invitation | LinkKind::HandOff => SignedDuration::from_hours(24 * 7),
    }
}

/// A link just made: the only time it is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct LinkOut {
    /// `lnk_…`.
    pub id: String,
    /// What to open. What follows `#` never leaves the browser but to be used.
    pub link: String,
    /// The same without the address, for `POST /links/redeem` or `POST /links/hand-off`.
    pub token: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The address it was sent to, where the installation sends invitations by e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_to: Option<String>,
    /// Why it could not be sent, where it should have been.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_sent: Option<String>,
}

impl LinkOut {
    /// A link that goes nowhere by itself.
    pub(super) fn new(id: String, link: String, token: String, expires_at: Timestamp) -> Self {
        Self { id, link, token, expires_at, sent_to: None, not_sent: None }
    }
}

/// An invitation, without its token.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InvitationOut {
    /// `lnk_…`.
    pub id: String,
    /// Who is invited.
    pub email: String,
    /// Their name.
    pub name: String,
    /// What they will be able to do.
    pub role: String,
    /// Ids of the merchants they will be limited to; absent: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchants: Option<Vec<String>>,
    /// `open`, `used`, `withdrawn`, `expired`.
    pub state: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What has become of a link.
pub(super) fn state(
    used_at: Option<Timestamp>,
    withdrawn_at: Option<Timestamp>,
    expires_at: Timestamp,
    now: Timestamp,
) -> &'static str {
    match (used_at, withdrawn_at) {
        (Some(_), _) => "used",
        (None, Some(_)) => "withdrawn",
        (None, None) if now < expires_at => "open",
        (None, None) => "expired",
    }
}

impl InvitationOut {
    fn new(link: Link, now: Timestamp) -> Self {
        let state = state(link.used_at, link.withdrawn_at, link.expires_at, now);
        Self {
            id: link.id,
            email: link.email,
            name: link.name,
            role: link.rights.role,
            merchants: link.rights.merchants.map(|merchants| merchants.iter().map(ToString::to_string).collect()),
            state: state.to_owned(),
            created_by: link.created_by,
            created_at: link.created_at,
            expires_at: link.expires_at,
        }
    }
}

/// A link that somebody holds.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkIn {
    /// Its token.
    #[schema(value_type = String)]
    pub token: SecretIn,
}

/// What a link is for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LinkAboutOut {
    /// `setup`, `invitation`, `reset`, `hand_off`.
    pub kind: String,
    /// The e-mail address to sign in with; empty for set-up, where you choose it, and for a hand-off.
    pub email: String,
    /// The name: yours, or the store's.
    pub name: String,
    /// What you will be able to do; empty for a hand-off.
    pub role: String,
    /// For a hand-off: who asks you for what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hand_off: Option<HandOffAboutOut>,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A link to use.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemIn {
    /// Its token.
    #[schema(value_type = String)]
    pub token: SecretIn,
    /// The password you choose, of at least 15 characters.
    #[schema(value_type = String)]
    pub password: SecretIn,
    /// For set-up: the e-mail address you will sign in with.
    #[serde(default)]
    pub email: Option<String>,
    /// Your name; for an invitation, where it is to be corrected.
    #[serde(default)]
    pub name: Option<String>,
}

/// What using a link came to. It signs nobody in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RedeemedOut {
    /// `per_…`.
    pub person: String,
    /// Sign in with it.
    pub email: String,
    /// And in this tenant (`tenant` of signing in): another one may know somebody else under the same address.
    pub tenant: String,
}

/// Makes a link.
///
/// # Errors
/// When the database cannot be reached, or there is such a person already.
pub(super) async fn create(
    hub: &Hub,
    caller: &Caller,
    kind: LinkKind,
    person: Option<String>,
    email: String,
    name: String,
    rights: PersonRights,
) -> Result<LinkOut, Failure> {
    let (token, expires_at) = draw(hub, kind).await?;
    let new = NewLink { kind, hash: keys::hash(&token), person, email, name, rights, expires_at };
    let id = hub.db.create_link(&caller.tenant, new, &caller.actor).await?;
    Ok(LinkOut::new(id, address(hub, hub.config.listen, kind, &token), token, expires_at))
}

/// The token of a new link, and when it ends by itself.
///
/// # Errors
/// When the database, whose time it is, cannot be reached.
pub(super) async fn draw(hub: &Hub, kind: LinkKind) -> Result<(String, Timestamp), Failure> {
    let token = keys::token(PREFIX, &*hub.seams.random);
    let expires_at =
        hub.db.now().await?.saturating_add(life(kind)).map_err(|error| {
            Failure::new(FailureKind::Internal, format!("the end of a link cannot be told: {error}"))
        })?;
    Ok((token, expires_at))
}

/// What to open. The token stands behind `#`, which browsers do not send: it gets into no log on the way.
pub(super) fn address(hub: &Hub, listening: SocketAddr, kind: LinkKind, token: &str) -> String {
    let scheme = if hub.config.tls.is_some() { "https" } else { "http" };
    let base = match &hub.config.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None if listening.ip().is_unspecified() => format!("{scheme}://localhost:{}", listening.port()),
        None => format!("{scheme}://{listening}"),
    };
    format!("{base}/{}#{token}", kind.as_str().replace('_', "-"))
}

/// The link by which the first administrator comes in, to a server that listens there: a new one at each call, and none once
/// there is anybody in the first tenant.
///
/// # Errors
/// When the database cannot be reached.
pub async fn set_up(hub: &Hub, listening: SocketAddr) -> Result<Option<LinkOut>, Failure> {
    // The first tenant: `init` made it.
    let Some(tenant) = hub.db.tenants().await?.into_iter().next() else { return Ok(None) };
    if hub.db.number_of_people(&tenant.id).await? > 0 {
        return Ok(None);
    }
    let caller = Caller {
        actor: "start".to_owned(),
        role: super::Role::Admin,
        tenant: tenant.id,
        merchants: None,
        installation: true,
        scopes: KeyScopes::default(),
        signed_in: None,
    };
    let rights = people::rights(PersonRole::Administrator, None, true)?;
    let made = create(hub, &caller, LinkKind::Setup, None, String::new(), String::new(), rights).await?;
    Ok(Some(LinkOut { link: address(hub, listening, LinkKind::Setup, &made.token), ..made }))
}

/// The invitations of the caller's tenant, newest first.
///
/// # Errors
/// When the caller may not see them.
pub async fn invitations(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<InvitationOut>, Failure> {
    caller.administers()?;
    let now = hub.db.now().await?;
    let limit = usize::try_from(paging.limit()).unwrap_or(usize::MAX);
    let mut found = hub.db.invitations(&caller.tenant, paging.cursor.as_deref(), paging.limit() + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().map(|link| link.id.clone()) } else { None };
    Ok(PageOut { items: found.into_iter().map(|link| InvitationOut::new(link, now)).collect(), next })
}

/// Takes an open invitation back.
///
/// # Errors
/// When the caller may not, or it is not open.
pub async fn withdraw(hub: &Hub, caller: &Caller, invitation: &str) -> Result<(), Failure> {
    caller.administers()?;
    caller.proves(hub)?;
    Ok(hub.db.withdraw_link(&caller.tenant, invitation, &caller.actor).await?)
}

/// Unknown, used and ended links answer alike.
pub(super) fn gone() -> Failure {
    Failure::new(FailureKind::NotFound, "this link does not exist, was used, or has ended")
        .remedy("Ask for a new one; while nobody has signed up, `millrace serve` prints one at its start.")
}

/// The link of a token, if it still is one.
pub(super) async fn open(hub: &Hub, token: &SecretIn) -> Result<Link, Failure> {
    let token = token.0.expose();
    if !token.starts_with(PREFIX) || token.len() > 200 {
        return Err(gone());
    }
    let link = hub.db.find_link(&keys::hash(token)).await?.ok_or_else(gone)?;
    if link.is_open(hub.db.now().await?) { Ok(link) } else { Err(gone()) }
}

/// What a link is for, without using it.
///
/// # Errors
/// When it does not let anybody in.
pub async fn about(hub: &Hub, visitor: &Visitor, given: &LinkIn) -> Result<LinkAboutOut, Failure> {
    let link = open(hub, &given.token).await?;
    let hand_off = match link.kind {
        LinkKind::HandOff => Some(hand_offs::about(hub, visitor, &link).await?),
        LinkKind::Setup | LinkKind::Invitation | LinkKind::Reset => None,
    };
    let Link { kind, email, name, rights, expires_at, .. } = link;
    Ok(LinkAboutOut { kind: kind.as_str().to_owned(), email, name, role: rights.role, hand_off, expires_at })
}

/// Uses a link: makes the person it is for, or sets their password and ends their sessions.
///
/// # Errors
/// When it does not let anybody in, or the password is not taken; then it can be used again.
pub async fn redeem(hub: &Hub, visitor: &Visitor, given: RedeemIn) -> Result<RedeemedOut, Failure> {
    let link = open(hub, &given.token).await?;
    if link.kind == LinkKind::HandOff {
        // It makes nobody.
        return Err(gone());
    }
    let email = match (link.kind, &given.email) {
        (LinkKind::Setup, Some(email)) => people::email(email)?,
        (LinkKind::Setup, None) => {
            return Err(Failure::invalid(
                "an e-mail address is needed",
                vec![Problem::new("email", "give the one you will sign in with")],
            ));
        }
        _ => link.email.clone(),
    };
    let name = match &given.name {
        Some(name) => endpoints::name(name)?,
        None if link.kind == LinkKind::Setup => {
            return Err(Failure::invalid("a name is needed", vec![Problem::new("name", "give yours")]));
        }
        None => link.name.clone(),
    };
    acceptable(&given.password, &[&email, &name])?;
    // Hashing is work that a stranger could ask for; whoever holds a link is none, and it is used once.
    let password_hash = connect::Secret::new(hub.hashing.hash(&given.password.0).await?);
    let redeeming = Redeeming { hash: keys::hash(given.token.0.expose()), email: email.clone(), name, password_hash };
    let redeemed = hub.db.redeem_link(&link, redeeming).await.map_err(|error| match error {
        DbError::NotFound(_) => gone(),
        other => other.into(),
    })?;
    tracing::info!(
        person.id = redeemed.person,
        client.address = visitor.address,
        "a {} link was used",
        link.kind.as_str()
    );
    sign_in::begin_anew(hub, &redeemed.tenant, &redeemed.person).await?;
    Ok(RedeemedOut { person: redeemed.person, email, tenant: redeemed.tenant.to_string() })
}

/// Whether a password may be chosen.
///
/// # Errors
/// Says why not.
pub(super) fn acceptable(password: &SecretIn, about: &[&str]) -> Result<(), Failure> {
    match password::refused(password.0.expose(), about) {
        Some(why) => {
            Err(Failure::invalid(format!("this password cannot be used: {why}"), vec![Problem::new("password", why)]))
        }
        None => Ok(()),
    }
}
