//! Outgoing webhooks: who is called of which events, and with what the calls are signed.

use connect::MerchantId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Problem, Role, endpoints, quoted};
use crate::{
    db::{Outlet, OutletKind, OutletSettings, field},
    notify::{
        address,
        message::{EVENTS, is_of_one_desk},
        signature,
    },
};

/// Webhooks and alert channels of one tenant.
const MOST: usize = 200;
/// Longest address.
const LONGEST: usize = 2000;
/// Longest time that an old secret stays valid.
const LONGEST_OVERLAP: u32 = 30 * 24;

/// A webhook. Its secret is never shown again.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookOut {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Only of this merchant's things; absent: of the whole tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// What is called.
    pub url: String,
    /// Of which kinds of events.
    pub events: Vec<String>,
    /// Switched on.
    pub enabled: bool,
    /// Why it was switched off by the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_why: Option<String>,
    /// It has taken nothing since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<Outlet> for WebhookOut {
    fn from(outlet: Outlet) -> Self {
        Self {
            id: outlet.id,
            name: outlet.name,
            merchant: outlet.merchant.map(|merchant| merchant.to_string()),
            url: outlet.address,
            events: outlet.events,
            enabled: outlet.enabled,
            disabled_why: outlet.disabled_why,
            failing_since: outlet.failing_since,
            created_at: outlet.created_at,
        }
    }
}

/// A webhook to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhookIn {
    /// Its name, unique in the tenant.
    pub name: String,
    /// What to call: https, of the public network.
    pub url: String,
    /// Kinds of events: `order`, `shipment`, `run` (of stock), `exception`, `effect`, `finding`, `safety`, `connection`, `channel`,
    /// `census`, `alert`. May be empty for one that a policy of alerts names.
    pub events: Vec<String>,
    /// Only of this merchant's things (name or id).
    #[serde(default)]
    pub merchant: Option<String>,
}

/// What a webhook is to become.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateWebhookIn {
    /// Its name.
    pub name: String,
    /// What to call.
    pub url: String,
    /// Kinds of events.
    pub events: Vec<String>,
    /// Switched on. One that is switched on anew is told what happens from then on; replay what it missed.
    pub enabled: bool,
}

/// A webhook just made: the only time its secret is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct NewWebhookOut {
    /// The webhook.
    pub webhook: WebhookOut,
    /// What its messages are signed with.
    pub secret: String,
}

/// How to change a secret.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateIn {
    /// Hours for which messages are signed with the old one too, 0 to 720; 24 where not given.
    pub hours: Option<u32>,
}

/// A secret just made: the only time it is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct RotatedOut {
    /// What messages are signed with from now on.
    pub secret: String,
    /// Until when they are signed with the old one as well.
    #[schema(value_type = String, format = DateTime)]
    pub old_valid_until: Timestamp,
}

/// The webhooks the caller may see, by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list(hub: &Hub, caller: &Caller, paging: &PagingQuery) -> Result<PageOut<WebhookOut>, Failure> {
    let page = hub.db.list_webhooks(&caller.access(), paging.cursor.as_deref(), paging.limit()).await?;
    Ok(PageOut { items: page.items.into_iter().map(WebhookOut::from).collect(), next: page.next })
}

/// All of them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all(hub: &Hub, caller: &Caller) -> Result<Vec<WebhookOut>, Failure> {
    let outlets = hub.db.outlets(&caller.access()).await?;
    Ok(outlets.into_iter().filter(|outlet| outlet.kind == OutletKind::Webhook).map(WebhookOut::from).collect())
}

/// One webhook, by name or id.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<WebhookOut, Failure> {
    Ok(find(hub, caller, named).await?.into())
}

pub(super) async fn find(hub: &Hub, caller: &Caller, named: &str) -> Result<Outlet, Failure> {
    let outlets = hub.db.outlets(&caller.access()).await?;
    outlets
        .into_iter()
        .find(|outlet| outlet.kind == OutletKind::Webhook && (outlet.id == named || outlet.name == named))
        .ok_or_else(|| Failure::not_found(format!("webhook {}", quoted(named))))
}

/// Makes a webhook.
///
/// # Errors
/// When the caller may not, what is given cannot be used, or the name is taken.
pub async fn create(hub: &Hub, caller: &Caller, given: NewWebhookIn) -> Result<NewWebhookOut, Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let merchant = owner(hub, caller, given.merchant.as_deref()).await?;
    room(hub, caller).await?;
    let settings = settings(hub, &given.name, &given.url, &given.events, true)?;
    let secret = signature::new_secret(&*hub.seams.random);
    let shown = secret.expose().to_owned();
    let made = hub
        .db
        .create_outlet(
            &caller.access(),
            merchant.as_ref(),
            OutletKind::Webhook,
            settings,
            Some((field::SIGNING, secret)),
            &hub.keyring,
            &caller.actor,
        )
        .await?;
    Ok(NewWebhookOut { webhook: made.into(), secret: shown })
}

/// Changes a webhook as a whole.
///
/// # Errors
/// As [`create`].
pub async fn update(hub: &Hub, caller: &Caller, named: &str, given: UpdateWebhookIn) -> Result<WebhookOut, Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let found = find(hub, caller, named).await?;
    let settings = settings(hub, &given.name, &given.url, &given.events, given.enabled)?;
    let updated =
        hub.db.update_outlet(&caller.access(), &found.id, settings, None, &hub.keyring, &caller.actor).await?;
    Ok(updated.into())
}

/// Removes a webhook with the log of its deliveries.
///
/// # Errors
/// When the caller may not, there is none, or a policy of alerts names it.
pub async fn delete(hub: &Hub, caller: &Caller, named: &str) -> Result<(), Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let found = find(hub, caller, named).await?;
    remove(hub, caller, &found).await
}

/// Removes an outlet that no policy names.
pub(super) async fn remove(hub: &Hub, caller: &Caller, found: &Outlet) -> Result<(), Failure> {
    // Of the whole tenant: a policy that names what is gone would tell nobody, and say nothing of it.
    let policies = hub.db.alert_policies(&(&caller.tenant).into()).await?;
    if let Some(policy) = policies.iter().find(|policy| policy.settings.channels.contains(&found.id)) {
        return Err(Failure::conflict(format!("the policy {:?} tells its issues there", policy.name))
            .remedy("Take it out of the policy, or delete the policy, then delete it."));
    }
    Ok(hub.db.delete_outlet(&caller.access(), &found.id, &caller.actor).await?)
}

/// Gives a webhook a new secret; the old one stays valid for a while, so that its receiver can follow.
///
/// # Errors
/// When the caller may not, there is none, or the hours are out of bounds.
pub async fn rotate(hub: &Hub, caller: &Caller, named: &str, given: &RotateIn) -> Result<RotatedOut, Failure> {
    caller.needs(Role::Admin)?;
    caller.proves(hub)?;
    let found = find(hub, caller, named).await?;
    let hours = given.hours.unwrap_or(24);
    if hours > LONGEST_OVERLAP {
        return Err(Failure::invalid(
            "an old secret stays valid for at most 720 hours",
            vec![Problem::new("hours", "give 0 to 720")],
        ));
    }
    let until = hub.db.now().await?.checked_add(SignedDuration::from_hours(i64::from(hours)));
    let until = until.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
    let secret = signature::new_secret(&*hub.seams.random);
    let shown = secret.expose().to_owned();
    hub.db.rotate_signing(&caller.access(), &found.id, secret, until, &hub.keyring, &caller.actor).await?;
    Ok(RotatedOut { secret: shown, old_valid_until: until })
}

/// Whose an outlet is to be: a caller limited to merchants makes its own only.
pub(super) async fn owner(hub: &Hub, caller: &Caller, named: Option<&str>) -> Result<Option<MerchantId>, Failure> {
    match named {
        None => match &caller.merchants {
            None => Ok(None),
            Some(own) if own.len() == 1 => Ok(own.first().cloned()),
            Some(_) => Err(Failure::invalid(
                "it must belong to one of your merchants",
                vec![Problem::new("merchant", "name one of them")],
            )),
        },
        Some(named) => {
            let merchant = endpoints::merchant(hub, caller, named).await?;
            super::id::<connect::kind::Merchant>(&merchant.id).map(Some)
        }
    }
}

/// Refuses when there are too many already.
pub(super) async fn room(hub: &Hub, caller: &Caller) -> Result<(), Failure> {
    if hub.db.outlets(&caller.access()).await?.len() >= MOST {
        return Err(Failure::conflict(format!("there are {MOST} webhooks and alert channels already"))
            .remedy("Delete one that is not used any more."));
    }
    Ok(())
}

/// An address that may be called, with its host.
pub(super) fn callable(hub: &Hub, at: &str, given: &str) -> Result<(String, String), Failure> {
    let refused =
        |why: String| Failure::invalid(format!("the address cannot be called: {why}"), vec![Problem::new(at, why)]);
    if given.len() > LONGEST {
        return Err(refused(format!("it is longer than {LONGEST} characters")));
    }
    let url = address::allowed(given, &hub.config.guard()).map_err(refused)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    Ok((url.to_string(), host))
}

fn settings(hub: &Hub, name: &str, url: &str, events: &[String], enabled: bool) -> Result<OutletSettings, Failure> {
    let name = endpoints::name(name)?;
    let (address, _) = callable(hub, "url", url)?;
    let mut wanted = Vec::new();
    for event in events {
        if !EVENTS.contains(&event.as_str()) && !is_of_one_desk(event) {
            return Err(Failure::invalid(
                format!(
                    "{} is not a kind of event; there are: {}, and desk/WAREHOUSE with the id of one (whs_…)",
                    quoted(event),
                    EVENTS.join(", ")
                ),
                vec![Problem::new("events", format!("{} is not one", quoted(event)))],
            ));
        }
        if !wanted.contains(event) {
            wanted.push(event.clone());
        }
    }
    Ok(OutletSettings { name, address, events: wanted, enabled })
}
