//! Signing in at an identity provider by OpenID Connect: the authorisation code flow with PKCE, state and nonce.
//!
//! The way back is an address that anybody can call, so it is worth nothing by itself: its state was drawn here, works once and
//! for a short time, and in the browser that began it only. What the provider says is believed for people who are there
//! already; it makes nobody, and gives no rights. Why so: docs/decisions/0025.

use connect::{HttpRequest, HttpResponse, Secret, TenantId, TransportError};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;
use utoipa::ToSchema;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use super::{
    Failure, FailureKind, Hub, PROOF,
    endpoints::SecretIn,
    keys,
    second_factor::{self, CodeIn, Given},
    setup,
    sign_in::{self, Begun, Proved, Visitor},
    webhooks::below,
};
use crate::{
    accounts::id_token::{self, Claims, Expected, Keys},
    config::Provider,
    db::{DbError, NewProviderFlow, Person},
};

/// What a browser holds while somebody signs in at the provider.
const PREFIX: &str = "mrf_";

/// So long a sign-in may take.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Largest answer of a provider that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Where the browser comes back to, under the public address.
pub const CALLBACK: &str = "sign-in/provider";

/// Whether people can sign in at an identity provider.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProviderOut {
    /// There is one.
    pub configured: bool,
    /// What people call it; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A sign-in at the provider to begin.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderIn {
    /// The tenant's name, where one person belongs to several; without it, the first of them is meant.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// A sign-in at the provider that was begun.
#[derive(Clone, Serialize, ToSchema)]
pub struct ProviderBegunOut {
    /// Open this in the browser that began it. The provider sends it back here.
    pub address: String,
    /// Until then it can come back.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// The same with what the browser keeps meanwhile.
pub struct BegunAtProvider {
    /// What the browser keeps. It is not kept here.
    pub token: Secret,
    /// What may be shown.
    pub begun: ProviderBegunOut,
}

/// What the provider sends a browser back with.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct BackIn {
    /// The code, where somebody signed in.
    pub code: Option<SecretIn>,
    /// As it was sent there.
    pub state: Option<SecretIn>,
    /// Why nobody signed in.
    pub error: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
}

/// What coming back came to.
pub enum Came {
    /// A session.
    In(Box<Begun>),
    /// A code of the second factor is needed: [`finish`].
    Waits,
}

/// What the provider says of itself (OpenID Connect Discovery 1.0).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The provider's addresses, each one that may be dialled.
struct Places {
    authorization: Url,
    token: Url,
    keys: Url,
    /// The client's secret is taken in the body only.
    secret_in_body: bool,
}

/// What comes for a code; the access token is of no use here.
#[derive(Deserialize)]
struct TokenAnswer {
    id_token: SecretIn,
}

/// Whether people can sign in at a provider, and what it is called.
pub fn about(hub: &Hub) -> ProviderOut {
    let name = hub.config.provider.as_ref().map(|provider| provider.name.clone());
    ProviderOut { configured: name.is_some(), name }
}

fn provider(hub: &Hub) -> Result<&Provider, Failure> {
    hub.config.provider.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Setup, "no identity provider is set up here")
            .remedy("Sign in with e-mail address and password; the operator sets a provider up with --oidc-issuer.")
    })
}

/// Where the browser comes back to: the client is registered with exactly this at the provider.
fn callback(hub: &Hub) -> Result<Url, Failure> {
    let public = hub.config.public_url.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Setup, "the identity provider must know where to send the browser back to").remedy(
            "Start Millrace with --public-url, and register the client with that address and /sign-in/provider.",
        )
    })?;
    below(public, CALLBACK)
}

/// What is drawn from what the browser holds, so that nothing of it is kept here.
fn derived(token: &str, what: &str) -> String {
    keys::hash(&format!("millrace provider {what}\0{token}"))
}

fn unanswered(what: &str, why: &str) -> Failure {
    tracing::warn!("the identity provider: {what}: {why}");
    Failure::new(FailureKind::Remote, format!("the identity provider did not answer as it must: {what}"))
        .remedy("Try again; sign in with e-mail address and password meanwhile. The log says more.")
}

/// One call to the provider, and its answer as JSON.
async fn ask<T: for<'d> Deserialize<'d>>(hub: &Hub, what: &str, request: HttpRequest) -> Result<T, Failure> {
    let answer = hub.seams.transport.send(request.header("accept", "application/json")).await;
    let HttpResponse { status, body, .. } = answer.map_err(|error| match error {
        TransportError::NotSent(why) | TransportError::Unknown(why) => unanswered(what, &why),
    })?;
    if status != 200 {
        return Err(unanswered(what, &format!("it answered {status}")));
    }
    if body.len() > LARGEST {
        return Err(unanswered(what, "its answer is too large"));
    }
    // What it says may hold a token: only where it goes wrong is told.
    serde_json::from_slice(&body)
        .map_err(|error| unanswered(what, &format!("line {}, column {}", error.line(), error.column())))
}

async fn discover(hub: &Hub, provider: &Provider) -> Result<Places, Failure> {
    let what = "its description";
    let address = format!("{}/.well-known/openid-configuration", provider.issuer.trim_end_matches('/'));
    let url = Url::parse(&address).map_err(|error| unanswered("its address", &error.to_string()))?;
    let found: Discovery = ask(hub, what, HttpRequest::new("GET", url)).await?;
    if found.issuer != provider.issuer {
        return Err(unanswered(what, &format!("it calls itself {}", super::quoted(&found.issuer))));
    }
    // Our browsers are sent there, and our secret: nowhere that we would not go ourselves.
    let guard = hub.config.guard();
    let place = |text: &str| {
        let url = Url::parse(text).map_err(|error| unanswered(what, &error.to_string()))?;
        guard.permits_url(&url).map_err(|refused| unanswered(what, &refused.to_string()))?;
        Ok::<_, Failure>(url)
    };
    // Said in the head unless only the body is offered (OpenID Connect Core §9).
    let methods = found.token_endpoint_auth_methods_supported.unwrap_or_default();
    let offers = |name: &str| methods.iter().any(|one| one == name);
    Ok(Places {
        authorization: place(&found.authorization_endpoint)?,
        token: place(&found.token_endpoint)?,
        keys: place(&found.jwks_uri)?,
        secret_in_body: offers("client_secret_post") && !offers("client_secret_basic"),
    })
}

/// Begins a sign-in at the provider. It belongs to the browser that is given the token.
///
/// # Errors
/// When there is no provider, it does not answer, or there were too many tries.
pub async fn begin(hub: &Hub, visitor: &Visitor, given: &ProviderIn) -> Result<BegunAtProvider, Failure> {
    let provider = provider(hub)?;
    let redirect_uri = callback(hub)?;
    // Counted against the network address until it ends well: it costs a call, and a row.
    sign_in::count_beginning(hub, visitor).await?;
    let wanted = match given.tenant.as_deref() {
        Some(named) => Some(match setup::tenant(hub, Some(named)).await {
            Ok(tenant) => tenant,
            // Whether there is such a tenant is nobody's business: the way is the same, and in this one there is nobody.
            Err(failure) if failure.kind == FailureKind::NotFound => {
                TenantId::generate(hub.seams.clock.now(), &*hub.seams.random)
            }
            Err(failure) => return Err(failure),
        }),
        None => None,
    };
    let places = discover(hub, provider).await?;
    let (token, state) = (keys::token(PREFIX, &*hub.seams.random), keys::token("", &*hub.seams.random));
    let expires_at = hub.db.now().await?.saturating_add(LIFE).map_err(|error| {
        Failure::new(FailureKind::Internal, format!("the end of a sign-in cannot be told: {error}"))
    })?;
    let flow = NewProviderFlow { hash: keys::hash(&state), browser: keys::hash(&token), wanted, expires_at };
    hub.db.begin_provider_flow(flow).await?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(derived(&token, "verifier").as_bytes()));
    let nonce = derived(&token, "nonce");
    let mut address = places.authorization;
    address.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("scope", "openid email"),
        ("client_id", provider.client_id.as_str()),
        ("redirect_uri", redirect_uri.as_str()),
        ("state", state.as_str()),
        ("nonce", nonce.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ]);
    Ok(BegunAtProvider { token: Secret::new(token), begun: ProviderBegunOut { address: address.into(), expires_at } })
}

/// Unknown, used, ended and other browsers' sign-ins answer alike.
fn unknown() -> Failure {
    Failure::not_found("a sign-in at the identity provider that was begun in this browser and not ended")
        .remedy("Begin again on the sign-in page, and end it within ten minutes.")
}

/// The hash of what the browser holds.
fn browser(token: Option<&str>) -> Result<(&str, String), Failure> {
    let token = token.filter(|token| token.starts_with(PREFIX) && token.len() < 200).ok_or_else(unknown)?;
    Ok((token, keys::hash(token)))
}

/// Ends what was begun: takes the state, exchanges the code, checks who it is, and begins a session, or waits for a code.
///
/// # Errors
/// When the state is none of this browser's, the provider says no or nothing, or it names nobody who is known here.
pub async fn come_back(hub: &Hub, visitor: &Visitor, token: Option<&str>, given: BackIn) -> Result<Came, Failure> {
    let provider = provider(hub)?;
    let (token, browser) = browser(token)?;
    let state = given.state.as_ref().map(|state| state.secret().expose()).unwrap_or_default();
    if state.len() > 200 {
        return Err(unknown());
    }
    let wanted = hub.db.take_provider_flow(&keys::hash(state), &browser).await?.ok_or_else(unknown)?;
    if given.iss.as_ref().is_some_and(|issuer| *issuer != provider.issuer) {
        return Err(unanswered("the way back", "another provider answers"));
    }
    let (Some(code), None) = (&given.code, &given.error) else {
        return Err(Failure::new(FailureKind::Credentials, "nobody signed in at the identity provider")
            .remedy("Begin again on the sign-in page."));
    };
    let claims = match exchange(hub, provider, token, code.secret()).await {
        Ok(claims) => claims,
        Err(failure) => {
            sign_in::told(hub, visitor, "", None, &format!("provider: {}", failure.detail)).await?;
            return Err(failure);
        }
    };
    let (person, hash) = who(hub, visitor, provider, wanted.as_ref(), &claims).await?;
    let asked_at = asked_at(&claims, hub.seams.clock.now());
    // So far all was right; the codes of a second factor are counted on their own.
    hub.db.end_try(vec![sign_in::beginning(visitor)], None).await?;
    if person.factor_since.is_some() && !claims.several_factors {
        hub.db.provider_flow_waits(&browser, &person, asked_at).await?;
        return Ok(Came::Waits);
    }
    hub.db.end_provider_flow(&browser).await?;
    let proved = Proved::Provider { asked_at, several_factors: claims.several_factors };
    Ok(Came::In(Box::new(sign_in::begin(hub, visitor, person, &hash, proved).await?)))
}

/// When the person last proved who they are. A provider that knows the browser asks nobody anything, so unless it tells when it
/// did, that is no proof for what needs a fresh one.
fn asked_at(claims: &Claims, now: Timestamp) -> Timestamp {
    let long_ago = now.checked_sub(PROOF).unwrap_or(Timestamp::UNIX_EPOCH);
    claims.asked_at.map_or(long_ago, |asked_at| asked_at.clamp(long_ago, now.max(long_ago)))
}

/// Gives the code of the second factor, for somebody who came back from the provider.
///
/// # Errors
/// When nobody waits in this browser, the code is wrong, or there were too many tries.
pub async fn finish(hub: &Hub, visitor: &Visitor, token: Option<&str>, given: &CodeIn) -> Result<Begun, Failure> {
    let (_, browser) = browser(token)?;
    let (person, hash, asked_at) = hub.db.waiting_provider_flow(&browser).await?.ok_or_else(unknown)?;
    sign_in::count(hub, visitor, sign_in::of_person(&person)).await?;
    match second_factor::given(hub, &person, Some(&given.code)).await? {
        Given::Right => {}
        Given::Missing | Given::Wrong => {
            sign_in::told(hub, visitor, &person.email, Some(&person), "code").await?;
            return Err(Failure::new(FailureKind::SecondFactor, "this code is wrong, or was used before"));
        }
    }
    if !hub.db.end_provider_flow(&browser).await? {
        return Err(unknown());
    }
    sign_in::forgive(hub, visitor, sign_in::of_person(&person)).await?;
    sign_in::begin(hub, visitor, person, &hash, Proved::Provider { asked_at, several_factors: false }).await
}

/// The call that exchanges a code.
fn token_request(
    provider: &Provider,
    secret_in_body: bool,
    at: Url,
    redirect_uri: &Url,
    verifier: &str,
    code: &Secret,
) -> HttpRequest {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", verifier),
    ]);
    let mut request = HttpRequest::new("POST", at).header("content-type", "application/x-www-form-urlencoded");
    if secret_in_body {
        form.extend_pairs([
            ("client_id", provider.client_id.as_str()),
            ("client_secret", provider.client_secret.expose()),
        ]);
    } else {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let both = format!("{}:{}", encoded(&provider.client_id), encoded(provider.client_secret.expose()));
        request = request.header("authorization", format!("Basic {}", STANDARD.encode(both)));
    }
    request.body = Some(form.finish().into_bytes().into());
    request
}

/// Exchanges a code for what the provider says of the person.
async fn exchange(hub: &Hub, provider: &Provider, token: &str, code: &Secret) -> Result<Claims, Failure> {
    let Places { token: at, keys, secret_in_body, .. } = discover(hub, provider).await?;
    let verifier = derived(token, "verifier");
    let request = token_request(provider, secret_in_body, at, &callback(hub)?, &verifier, code);
    let answer: TokenAnswer = ask(hub, "the exchange of the code", request).await?;
    let published: Keys = ask(hub, "its keys", HttpRequest::new("GET", keys)).await?;
    let nonce = derived(token, "nonce");
    let expected = Expected { issuer: &provider.issuer, client: &provider.client_id, nonce: &nonce };
    id_token::check(answer.id_token.secret().expose(), &published, expected, hub.seams.clock.now())
        .map_err(|why| unanswered("its ID token", &why))
}

/// Nobody who could come in: in the same words whatever the reason, which the audit trail has.
fn nobody() -> Failure {
    Failure::new(FailureKind::SignIn, "the identity provider names nobody who may sign in here")
        .remedy("Use the address you were invited with, as the provider has verified it, or ask an administrator.")
}

/// Nobody comes in; the audit trail says why.
async fn refuse(hub: &Hub, visitor: &Visitor, email: &str, person: Option<&Person>, why: &str) -> Failure {
    match sign_in::told(hub, visitor, email, person, &format!("provider: {why}")).await {
        Ok(()) => nobody(),
        Err(failure) => failure,
    }
}

/// Whom the provider means: the person who is linked, or the one with the verified address, who is linked by that.
async fn who(
    hub: &Hub,
    visitor: &Visitor,
    provider: &Provider,
    wanted: Option<&connect::TenantId>,
    claims: &Claims,
) -> Result<(Person, Secret), Failure> {
    let (issuer, subject) = (provider.issuer.as_str(), claims.subject.as_str());
    let email = claims.verified_email.as_deref().unwrap_or_default();
    let linked = hub.db.person_by_identity(wanted, issuer, subject).await?;
    let by_address = linked.is_none();
    let found = match linked {
        Some(found) => Some(found),
        None if email.is_empty() => return Err(refuse(hub, visitor, email, None, "no verified address").await),
        None => hub.db.person_by_email(wanted, email).await?,
    };
    let Some((person, hash)) = found else {
        return Err(refuse(hub, visitor, email, None, "unknown").await);
    };
    if person.disabled {
        return Err(refuse(hub, visitor, email, Some(&person), "disabled").await);
    }
    if by_address {
        match hub.db.link_identity(&person, issuer, subject, &sign_in::actor(&person)).await {
            Ok(()) => {}
            Err(DbError::Conflict(why)) => return Err(refuse(hub, visitor, email, Some(&person), &why).await),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((person, hash))
}
