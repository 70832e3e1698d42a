//! Connecting a store by OAuth: a person begins it, gives consent at Brightpearl, and comes back with a code.
//!
//! The way back is an address that anybody can call, so it is worth nothing by itself: its `state` was drawn here, is known by
//! its hash, belongs to the session that began it, works once and for a short time, and the code is exchanged with exactly the
//! address that was named at the start. Tokens are sealed, and never shown.

use connect::{ConnectorError, Secret, Settings, TenantId};
use connectors::brightpearl::{self, Brightpearl};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::{
    Caller, Failure, FailureKind, Hub,
    endpoints::{self, Endpoint, SecretIn, Side},
    keys,
    webhooks::below,
};
use crate::db::{Access, GrantView, NewConsent, StoreKey};

/// What every state begins with; the tenant's id and a dot stand between it and the random part.
const PREFIX: &str = "mro_";

/// So long a consent may take.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Where the browser comes back to, under the public address.
pub const CALLBACK: &str = "oauth/brightpearl";

/// A consent to be given.
#[derive(Clone, Serialize, ToSchema)]
pub struct ConsentOut {
    /// Open this in the browser that is signed in here.
    pub address: String,
    /// Where Brightpearl sends the browser back to: the app must be registered with exactly this.
    pub redirect_uri: String,
    /// Until then it can be given.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What access a store was granted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GrantOut {
    /// `none`, `granted`, `lost`.
    pub state: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub granted_at: Option<Timestamp>,
    /// When the present access token ends; it is renewed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// Why it is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<Option<GrantView>> for GrantOut {
    fn from(kept: Option<GrantView>) -> Self {
        let state = match &kept {
            None => "none",
            Some(kept) if kept.lost.is_some() => "lost",
            Some(_) => "granted",
        };
        let next =
            (state != "granted").then(|| "Connect the store at Brightpearl (POST /stores/{store}/oauth).".to_owned());
        Self {
            state: state.to_owned(),
            granted_at: kept.as_ref().map(|kept| kept.granted_at),
            expires_at: kept.as_ref().map(|kept| kept.expires_at),
            problem: kept.and_then(|kept| kept.lost),
            next,
        }
    }
}

/// What Brightpearl sends a browser back with.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct BackIn {
    /// The code, where consent was given.
    pub code: Option<SecretIn>,
    /// As it was sent there.
    pub state: Option<SecretIn>,
    /// Why consent was not given.
    pub error: Option<String>,
}

async fn store(hub: &Hub, caller: &Caller, named: &str) -> Result<(Endpoint, StoreKey), Failure> {
    let found = endpoints::find(hub, caller, Side::Store, named).await?;
    let key = found.store_key().ok_or_else(|| Failure::not_found("this store"))?;
    Ok((found, key))
}

/// The store's connector, built for one look.
async fn connector(hub: &Hub, found: &Endpoint, key: &StoreKey) -> Result<std::sync::Arc<Brightpearl>, Failure> {
    if found.summary.platform != brightpearl::SPEC.name {
        return Err(Failure::conflict(format!("{} grants no access by OAuth", found.summary.platform))
            .remedy("Enter its credentials."));
    }
    let secrets = hub.db.secrets(&found.scope, &found.summary.id, &hub.keyring).await?;
    let settings = Settings { values: found.summary.values.clone(), secrets };
    Ok(brightpearl::build_source(&settings, &hub.workers.context_of(key.clone(), "oauth"))?)
}

/// Where the browser comes back to.
fn callback(hub: &Hub) -> Result<Url, Failure> {
    let public = hub.config.public_url.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Setup, "Brightpearl must know where to send the browser back to")
            .remedy("Start Millrace with --public-url, and register the app with that address and /oauth/brightpearl.")
    })?;
    below(public, CALLBACK)
}

/// Begins a consent. It belongs to the caller's session: only there it can be ended.
///
/// # Errors
/// When the caller may not or is nobody who signed in, there is no such store, or it does not sign in by OAuth.
pub async fn begin(hub: &Hub, caller: &Caller, named: &str) -> Result<ConsentOut, Failure> {
    caller.administers()?;
    let (found, key) = store(hub, caller, named).await?;
    let person = caller.person()?;
    caller.proves(hub)?;
    let connector = connector(hub, &found, &key).await?;
    let state = keys::token(&format!("{PREFIX}{}.", caller.tenant), &*hub.seams.random);
    // Before the public address: whoever has another sign-in needs none.
    connector.consent_address("", "").map_err(other_sign_in)?;
    let redirect_uri = String::from(callback(hub)?);
    let address = connector.consent_address(&redirect_uri, &state).map_err(other_sign_in)?;
    let expires_at = hub.db.now().await?.saturating_add(LIFE).map_err(|error| {
        Failure::new(FailureKind::Internal, format!("the end of a consent cannot be told: {error}"))
    })?;
    let new = NewConsent {
        hash: keys::hash(&state),
        session: person.session.clone(),
        redirect_uri: redirect_uri.clone(),
        expires_at,
    };
    hub.db.begin_consent(&key, new, &caller.actor).await?;
    Ok(ConsentOut { address: address.into(), redirect_uri, expires_at })
}

fn other_sign_in(error: ConnectorError) -> Failure {
    Failure::conflict(error.message)
}

/// What access a store was granted.
///
/// # Errors
/// When there is no such store for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<GrantOut, Failure> {
    let (_, key) = store(hub, caller, named).await?;
    Ok(hub.db.grant_view(&key).await?.into())
}

/// Forgets the access that a store was granted: its tokens are gone here. At Brightpearl the app stays installed until somebody
/// removes it there.
///
/// # Errors
/// When the caller may not, there is no such store, or it was granted nothing.
pub async fn disconnect(hub: &Hub, caller: &Caller, named: &str) -> Result<GrantOut, Failure> {
    caller.administers()?;
    let (_, key) = store(hub, caller, named).await?;
    caller.proves(hub)?;
    hub.db.forget_grant(&key, &caller.actor).await?;
    Ok(hub.db.grant_view(&key).await?.into())
}

/// Unknown, used, ended and other people's consents answer alike.
fn unknown() -> Failure {
    Failure::not_found("a connection of this kind that was begun in this browser and not ended")
        .remedy("Begin again at the store, in the browser in which you are signed in, and end it within ten minutes.")
}

/// The tenant that a state names.
fn tenant_of(state: &str) -> Option<TenantId> {
    if state.len() > 200 {
        return None;
    }
    state.strip_prefix(PREFIX)?.split_once('.')?.0.parse().ok()
}

/// Ends a consent: takes the state, exchanges the code, and keeps the tokens. What it came to, in words.
///
/// # Errors
/// When the state is none of this session's, consent was not given, or the code gives no tokens.
pub async fn end(hub: &Hub, caller: &Caller, given: BackIn) -> Result<String, Failure> {
    let person = caller.person()?;
    let state = given.state.as_ref().map(|state| state.secret().expose()).unwrap_or_default();
    let tenant = tenant_of(state).ok_or_else(unknown)?;
    // An administrator of the installation may have begun it for another tenant.
    if tenant != caller.tenant && !caller.installation {
        return Err(unknown());
    }
    let caller = Caller { tenant: tenant.clone(), ..caller.clone() };
    let consent = hub.db.take_consent(&tenant, &keys::hash(state), &person.session).await?.ok_or_else(unknown)?;
    // Rights may have gone since it was begun.
    caller.administers()?;
    let (found, key) = store(hub, &caller, consent.key.store.as_str()).await?;
    let ended = match (&given.code, &given.error) {
        (Some(code), None) => exchange(hub, &caller, &found, &key, code.secret(), &consent.redirect_uri).await,
        _ => Err(Failure::new(
            FailureKind::Credentials,
            "Brightpearl did not grant access: somebody said no, or may not",
        )
        .remedy("Begin again at the store, and sign in at Brightpearl as somebody who may install apps.")),
    };
    if let Err(failure) = &ended {
        let detail = serde_json::json!({ "why": failure.detail });
        hub.db.audit(&Access::Tenant(tenant), &caller.actor, "oauth.refused", key.store.as_str(), &detail).await?;
    }
    ended.map(|()| {
        format!(
            "The store {} is connected with its Brightpearl account. Close this page, go back to Millrace and test the store.",
            super::quoted(&found.summary.name)
        )
    })
}

async fn exchange(
    hub: &Hub,
    caller: &Caller,
    found: &Endpoint,
    key: &StoreKey,
    code: &Secret,
    redirect_uri: &str,
) -> Result<(), Failure> {
    let connector = connector(hub, found, key).await?;
    let exchanged = connector.exchange(code, redirect_uri).await?;
    // Once more with other words would need another consent: the database is given a few tries.
    let mut tries = 0;
    loop {
        let tokens = exchanged.tokens.clone();
        match hub.db.keep_grant(key, tokens, &exchanged.instance, &hub.keyring, &caller.actor).await {
            Ok(()) => return Ok(()),
            Err(error) if tries >= 3 => return Err(error.into()),
            Err(error) => tracing::warn!("granted tokens could not be kept yet: {error}"),
        }
        tries += 1;
        hub.seams.clock.sleep(hub.config.waits.http / 60).await;
    }
}

#[cfg(test)]
mod tests {
    use connect::{OsRandom, TenantId};

    use super::{PREFIX, keys, tenant_of};

    #[test]
    fn a_state_names_its_tenant_and_nothing_else() {
        let tenant = TenantId::generate(jiff::Timestamp::UNIX_EPOCH, &OsRandom);
        let state = keys::token(&format!("{PREFIX}{tenant}."), &OsRandom);
        assert_eq!(tenant_of(&state), Some(tenant.clone()));
        for forged in ["", "mro_", "mro_.", "mro_x.y", "x", &format!("{tenant}.x"), &"mro_".repeat(100)] {
            assert_eq!(tenant_of(forged), None, "{forged}");
        }
    }
}
