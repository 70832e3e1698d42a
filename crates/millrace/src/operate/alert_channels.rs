//! Alert channels: where people are told what needs them. E-mail and chats; webhooks can be named in a policy as well.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, PageOut, PagingQuery, Problem, Role,
    endpoints::{self, SecretIn},
    outlets::{callable, owner, remove, room},
    quoted,
};
use crate::{
    db::{Outlet, OutletKind, OutletSettings, field},
    notify::mail::is_address,
};

/// Receivers of one channel.
const MOST: usize = 20;

/// What kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKindIn {
    /// E-mail, through the operator's mail server.
    Email,
    /// A chat's incoming webhook: Slack, Teams, Mattermost and what takes the same body.
    Chat,
}

/// An alert channel. A chat's address is never shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertChannelOut {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `email` or `chat`.
    pub kind: String,
    /// Only this merchant's issues; absent: all of the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// Receivers of e-mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// A chat's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Switched on.
    pub enabled: bool,
    /// Why nothing is told there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// It has taken nothing since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// When something was last told there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_message_at: Option<Timestamp>,
}

/// An alert channel to make.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlertChannelIn {
    /// Its name, unique among webhooks and alert channels.
    pub name: String,
    /// What kind.
    pub kind: ChannelKindIn,
    /// Receivers, for e-mail.
    #[serde(default)]
    pub to: Vec<String>,
    /// The address that the chat gave, for a chat. It is kept sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub url: Option<SecretIn>,
    /// Only this merchant's issues (name or id).
    #[serde(default)]
    pub merchant: Option<String>,
}

/// What an alert channel is to become.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAlertChannelIn {
    /// Its name.
    pub name: String,
    /// Receivers, for e-mail.
    #[serde(default)]
    pub to: Vec<String>,
    /// A new address, for a chat; without it the one before stays.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub url: Option<SecretIn>,
    /// Switched on.
    pub enabled: bool,
}

fn out(hub: &Hub, outlet: Outlet) -> AlertChannelOut {
    let email = outlet.kind == OutletKind::Email;
    let unconfigured = (email && hub.config.mail.is_none())
        .then(|| "no mail server is configured here: the server needs --smtp and --mail-from".to_owned());
    AlertChannelOut {
        id: outlet.id,
        name: outlet.name,
        kind: outlet.kind.as_str().to_owned(),
        merchant: outlet.merchant.map(|merchant| merchant.to_string()),
        to: if email { outlet.address.split(',').map(|one| one.trim().to_owned()).collect() } else { Vec::new() },
        host: if email { None } else { Some(outlet.address) },
        enabled: outlet.enabled,
        problem: outlet.disabled_why.or(unconfigured),
        failing_since: outlet.failing_since,
        last_message_at: outlet.spoke_at,
    }
}

/// The alert channels the caller may see, by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<AlertChannelOut>, Failure> {
    let page = hub.db.list_alert_channels(&caller.access(), paging.cursor.as_deref(), paging.limit()).await?;
    Ok(PageOut { items: page.items.into_iter().map(|one| out(hub, one)).collect(), next: page.next })
}

/// All of them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all(hub: &Hub, caller: &Caller) -> Result<Vec<AlertChannelOut>, Failure> {
    let outlets = hub.db.outlets(&caller.access()).await?;
    Ok(outlets.into_iter().filter(|outlet| outlet.kind != OutletKind::Webhook).map(|one| out(hub, one)).collect())
}

/// One alert channel, by name or id.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<AlertChannelOut, Failure> {
    Ok(out(hub, find(hub, caller, named).await?))
}

pub(super) async fn find(hub: &Hub, caller: &Caller, named: &str) -> Result<Outlet, Failure> {
    let outlets = hub.db.outlets(&caller.access()).await?;
    outlets
        .into_iter()
        .find(|outlet| outlet.kind != OutletKind::Webhook && (outlet.id == named || outlet.name == named))
        .ok_or_else(|| Failure::not_found(format!("alert channel {}", quoted(named))))
}

/// Makes an alert channel.
///
/// # Errors
/// When the caller may not, what is given cannot be used, or the name is taken.
pub async fn create(hub: &Hub, caller: &Caller, given: NewAlertChannelIn) -> Result<AlertChannelOut, Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let merchant = owner(hub, caller, given.merchant.as_deref()).await?;
    room(hub, caller).await?;
    let name = endpoints::name(&given.name)?;
    let (kind, address, secret) = match given.kind {
        ChannelKindIn::Email => (OutletKind::Email, receivers(&given.to, given.url.as_ref())?, None),
        ChannelKindIn::Chat => {
            let url = given.url.as_ref().ok_or_else(needs_url)?;
            let (address, host) = callable(hub, "url", url.secret().expose())?;
            (OutletKind::Chat, host, Some((field::ADDRESS, connect::Secret::new(address))))
        }
    };
    let settings = OutletSettings { name, address, events: Vec::new(), enabled: true };
    let access = caller.access();
    let made =
        hub.db.create_outlet(&access, merchant.as_ref(), kind, settings, secret, &hub.keyring, &caller.actor).await?;
    Ok(out(hub, made))
}

/// Changes an alert channel as a whole.
///
/// # Errors
/// As [`create`].
pub async fn update(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    given: UpdateAlertChannelIn,
) -> Result<AlertChannelOut, Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let found = find(hub, caller, named).await?;
    let name = endpoints::name(&given.name)?;
    let (address, secret) = match (found.kind, &given.url) {
        (OutletKind::Email, url) => (receivers(&given.to, url.as_ref())?, None),
        (_, Some(url)) => {
            let (address, host) = callable(hub, "url", url.secret().expose())?;
            (host, Some((field::ADDRESS, connect::Secret::new(address))))
        }
        (_, None) => (found.address.clone(), None),
    };
    let settings = OutletSettings { name, address, events: Vec::new(), enabled: given.enabled };
    let access = caller.access();
    let updated = hub.db.update_outlet(&access, &found.id, settings, secret, &hub.keyring, &caller.actor).await?;
    Ok(out(hub, updated))
}

/// Removes an alert channel.
///
/// # Errors
/// When the caller may not, there is none, or a policy names it.
pub async fn delete(hub: &Hub, caller: &Caller, named: &str) -> Result<(), Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let found = find(hub, caller, named).await?;
    remove(hub, caller, &found).await
}

fn needs_url() -> Failure {
    Failure::invalid(
        "a chat needs the address of its incoming webhook",
        vec![Problem::new("url", "give the address that the chat shows for it")],
    )
}

/// Receivers of e-mail, as they are kept.
fn receivers(given: &[String], url: Option<&SecretIn>) -> Result<String, Failure> {
    let wrong = |problem: String| Failure::invalid(format!("to: {problem}"), vec![Problem::new("to", problem)]);
    if url.is_some() {
        return Err(Failure::invalid("e-mail takes no url", vec![Problem::new("url", "leave it out")]));
    }
    if given.is_empty() || given.len() > MOST {
        return Err(wrong(format!("give 1 to {MOST} receivers")));
    }
    for one in given {
        if one.contains(',') || !is_address(one) {
            return Err(wrong(format!("{} is not an e-mail address", quoted(one))));
        }
    }
    Ok(given.iter().map(|one| one.trim()).collect::<Vec<_>>().join(", "))
}
