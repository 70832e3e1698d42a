//! Signing in: a staff user's log-in gives a token that is kept in memory and renewed when it ends; an app's token is
//! sent as it is; what was granted by OAuth is kept by the hub and renewed in turns.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use connect::{BuildContext, ConnectorError, Grant, Grants, HttpRequest, HttpResponse, Secret, budget::Priority};
use jiff::SignedDuration;
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    client::{Failure, Gateway},
    envelope,
    oauth::{self, Turned},
    settings::{Account, OAuthApp, SignIn},
};

/// What a call proves itself with.
pub(super) struct Token {
    /// Header names and values.
    headers: Vec<(&'static str, Secret)>,
    /// The host it is to be used at, where that is not the settings' own.
    host: Option<String>,
    /// Counts log-ins, or pairs of tokens: a refusal speaks only of the token that was sent.
    pub(super) generation: u64,
}

impl Token {
    /// Adds the headers to a request, and sends it where the token holds.
    pub(super) fn apply(&self, mut request: HttpRequest) -> HttpRequest {
        if let Some(host) = &self.host
            && request.url.set_host(Some(host)).is_err()
        {
            // `oauth::host` lets only names through.
            tracing::debug!(http.host = host, "the told host is none");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        request
    }
}

/// The log-in of one user or app at one account, shared by every connector of a hub that uses it.
pub(super) struct Session {
    sign_in: SignIn,
    log_in_address: String,
    token_address: String,
    /// Tokens go to Brightpearl's own hosts only, or to the stand-in.
    stand_in: bool,
    grants: Arc<dyn Grants>,
    state: tokio::sync::Mutex<State>,
    /// The token whose refusal of a change was last seen, until a change is answered otherwise.
    refused_change: Mutex<Option<u64>>,
}

#[derive(Default)]
struct State {
    token: Option<Secret>,
    generation: u64,
    /// The log-in was refused: until then nobody tries again, since repeated failures may lock the user out.
    refused: Option<(Duration, ConnectorError)>,
    /// The tokens granted by OAuth, as last read.
    grant: Option<Grant>,
    /// Versions of them up to this one were refused.
    refused_version: u64,
}

/// Sessions in use. Logging in may end a user's earlier tokens (Brightpearl does not say), so two connectors of one hub
/// that logged in for themselves could go on ending each other's.
static SESSIONS: Mutex<BTreeMap<SessionKey, Weak<Session>>> = Mutex::new(BTreeMap::new());

/// The hub (by its call budgets, which live as long as its connectors do), the address, the user, the password's hash.
type SessionKey = (usize, String, String, [u8; 32]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogIn<'a> {
    api_account_credentials: ApiAccountCredentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiAccountCredentials<'a> {
    email_address: &'a str,
    password: &'a str,
}

impl Session {
    /// The session of these settings; an existing one where the same hub already has it.
    pub(super) fn open(account: &Account, context: &BuildContext) -> Arc<Self> {
        let fresh = || {
            Arc::new(Self {
                sign_in: account.sign_in.clone(),
                log_in_address: account.log_in_address(),
                token_address: account.token_address(),
                stand_in: account.is_stand_in(),
                grants: Arc::clone(&context.grants),
                state: tokio::sync::Mutex::default(),
                refused_change: Mutex::new(None),
            })
        };
        let SignIn::StaffLogin { email, password } = &account.sign_in else { return fresh() };
        let hub = context.budgets.identity();
        let key = (hub, account.log_in_address(), email.clone(), Sha256::digest(password.expose()).into());
        let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.strong_count() > 0);
        if let Some(session) = sessions.get(&key).and_then(Weak::upgrade) {
            return session;
        }
        let session = fresh();
        sessions.insert(key, Arc::downgrade(&session));
        session
    }

    /// Whether a refused token can be replaced by a new one.
    pub(super) fn can_renew(&self) -> bool {
        matches!(self.sign_in, SignIn::StaffLogin { .. } | SignIn::OAuth(_))
    }

    /// The token to send, logging in where there is none. Callers that arrive meanwhile wait for the same log-in.
    pub(super) async fn token(&self, gateway: &Gateway, priority: Priority) -> Result<Token, Failure> {
        let app = |app_ref: &String, name: &'static str, token: &Secret| Token {
            headers: vec![("brightpearl-app-ref", Secret::new(app_ref)), (name, token.clone())],
            host: None,
            generation: 0,
        };
        let (email, password) = match &self.sign_in {
            SignIn::AccountToken { app_ref, token } => return Ok(app(app_ref, "brightpearl-account-token", token)),
            SignIn::StaffToken { app_ref, token } => return Ok(app(app_ref, "brightpearl-staff-token", token)),
            SignIn::OAuth(app) => return self.granted(gateway, app).await,
            SignIn::StaffLogin { email, password } => (email, password),
        };
        let mut state = self.state.lock().await;
        if let Some((until, refusal)) = &state.refused
            && gateway.clock.monotonic() < *until
        {
            return Err(Failure::LogIn(refusal.clone()));
        }
        let token = match &state.token {
            Some(token) => token.clone(),
            None => match self.log_in(gateway, priority, email, password).await {
                Ok(token) => {
                    state.generation += 1;
                    state.refused = None;
                    state.token = Some(token.clone());
                    token
                }
                Err(failure) => {
                    if let Failure::LogIn(refusal) = &failure {
                        state.refused = Some((gateway.clock.monotonic() + gateway.waits.http, refusal.clone()));
                    }
                    return Err(failure);
                }
            },
        };
        Ok(Token { headers: vec![("brightpearl-auth", token)], host: None, generation: state.generation })
    }

    /// The token that was granted, renewed shortly before it ends or once it was refused. Callers that arrive meanwhile wait;
    /// connectors elsewhere, on this node or another, leave the turn to one of them and read what came.
    async fn granted(&self, gateway: &Gateway, app: &OAuthApp) -> Result<Token, Failure> {
        let mut state = self.state.lock().await;
        let waits = gateway.waits;
        // A call may take this long, and the token must hold until its end.
        let margin = SignedDuration::try_from(waits.http * 2).unwrap_or(SignedDuration::ZERO);
        let patience = gateway.clock.monotonic() + waits.lease + waits.http;
        let mut grant = match state.grant.take() {
            Some(grant) => grant,
            None => self.current().await?,
        };
        let mut renewed = false;
        loop {
            if grant.lost.is_some() || grant.version <= state.refused_version {
                // Another node may have renewed it, or a person granted it anew.
                grant = self.current().await?;
            }
            if let Some(why) = &grant.lost {
                return Err(Failure::LogIn(oauth::lost(&gateway.place, why)));
            }
            let left = grant.expires_at.duration_since(gateway.clock.now());
            let holds = grant.version > state.refused_version && left.is_positive();
            if holds && (renewed || left > margin) {
                let token = self.bearer(app, &grant);
                state.grant = Some(grant);
                return Ok(token);
            }
            if renewed {
                return Err(Failure::Unreadable("the tokens just given are no longer good".to_owned()));
            }
            let turn = oauth::Turn {
                transport: Arc::<connect::clocks::Dated>::clone(&gateway.transport),
                clock: Arc::clone(&gateway.clock),
                grants: Arc::clone(&self.grants),
                waits,
                address: self.token_address.clone(),
                app_ref: app.app_ref.clone(),
                place: gateway.place.clone(),
            };
            match turn.take(grant.clone()).await {
                Turned::Renewed => {
                    renewed = true;
                    grant = self.current().await?;
                }
                // The token at hand is good for this call.
                Turned::Anothers | Turned::Failed(_) if holds => return Ok(self.bearer(app, &grant)),
                Turned::Anothers if gateway.clock.monotonic() < patience => {
                    gateway.clock.sleep(waits.http / 60).await;
                    grant = self.current().await?;
                }
                Turned::Anothers => {
                    return Err(Failure::LogIn(ConnectorError::transient(
                        "another node has been renewing the store's tokens for long; it is tried again",
                    )));
                }
                Turned::Failed(error) => return Err(Failure::LogIn(error)),
            }
        }
    }

    async fn current(&self) -> Result<Grant, Failure> {
        let kept = self.grants.current().await.map_err(Failure::LogIn)?;
        kept.ok_or_else(|| Failure::LogIn(oauth::not_granted()))
    }

    fn bearer(&self, app: &OAuthApp, grant: &Grant) -> Token {
        let headers = vec![
            ("authorization", Secret::new(format!("Bearer {}", grant.access.expose()))),
            ("brightpearl-app-ref", Secret::new(&app.app_ref)),
            ("brightpearl-dev-ref", Secret::new(&app.dev_ref)),
        ];
        let host = if self.stand_in { None } else { oauth::host(&grant.api_domain) };
        Token { headers, host, generation: grant.version }
    }

    /// Drops a token that was refused, unless it has been replaced since: however many calls are refused at once, one
    /// log-in follows.
    pub(super) async fn forget(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if matches!(self.sign_in, SignIn::OAuth(_)) {
            state.refused_version = state.refused_version.max(generation);
        } else if state.generation == generation {
            state.token = None;
        }
    }

    /// Takes note that a change was refused for its token. `true` when the change before it, with another token, was
    /// refused as well: then a new token does not help.
    pub(super) fn change_was_refused(&self, generation: u64) -> bool {
        let mut refused = self.refused_change.lock().unwrap_or_else(PoisonError::into_inner);
        let again = refused.is_some_and(|earlier| earlier < generation);
        *refused = Some(generation);
        again || !self.can_renew()
    }

    /// Takes note that a change was answered by something other than a refusal of its token.
    pub(super) fn change_was_answered(&self) {
        *self.refused_change.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn log_in(
        &self,
        gateway: &Gateway,
        priority: Priority,
        email: &str,
        password: &Secret,
    ) -> Result<Secret, Failure> {
        let address = Url::parse(&self.log_in_address)
            .map_err(|error| Failure::Unreadable(format!("the log-in address cannot be used: {error}")))?;
        let body = LogIn {
            api_account_credentials: ApiAccountCredentials { email_address: email, password: password.expose() },
        };
        let body = serde_json::to_vec(&body)
            .map_err(|error| Failure::Unreadable(format!("the log-in cannot be written: {error}")))?;
        gateway.budget.acquire(priority, "sign_in", &gateway.share).await;
        let request = HttpRequest::new("POST", address).header("accept", "application/json").json(body);
        let answer = gateway.once(request).await?;
        let token = envelope::response::<String>(&answer.body).ok().filter(|token| !token.trim().is_empty());
        match (answer.is_success(), token) {
            (true, Some(token)) => Ok(Secret::new(token)),
            _ => Err(refused_log_in(gateway, email, &answer)),
        }
    }
}

/// What a log-in without a token means. Brightpearl documents no answer to a wrong password, so each refusal names
/// everything it can be about. A page is the word of something in front of it, which knows nothing of passwords: taken for a
/// refusal, it would pause the store until a person looks.
fn refused_log_in(gateway: &Gateway, email: &str, answer: &HttpResponse) -> Failure {
    if let Some(failure) = gateway.throttled(answer) {
        return failure;
    }
    let place = &gateway.place;
    let refusal = envelope::refusal(answer.status, &answer.body);
    let words = match refusal {
        Some(refusal) => format!("{} {}", refusal.code, refusal.message),
        None => format!("HTTP {}", answer.status),
    };
    let remedy = match answer.status {
        status @ 400..=499 if answer.is_page() => {
            return Failure::Outage(format!(
                "{place} answered the log-in with HTTP {status} and a page, as a server in front of Brightpearl does. \
                 If it stays so, check the Account ID and the Datacenter Code"
            ));
        }
        404 | 410 => format!(
            "{place} does not know the account ({words}). Check the Account ID and the Datacenter Code: an account is found \
             only at its own datacentre."
        ),
        400..=499 if answer.status != 408 => format!(
            "{place} refused the log-in of {email} ({words}). Brightpearl does not say which of these it is: the e-mail or \
             the password is wrong, the API column of that user is not ticked under Setup > Staff, or the Account ID or the \
             Datacenter Code is another account's."
        ),
        200..=299 if envelope::refusal(answer.status, &answer.body).is_some() => format!(
            "{place} refused the log-in of {email} ({words}). Check the API user's e-mail and password, and that the API \
             column of that user is ticked under Setup > Staff."
        ),
        200..=299 => return Failure::Unreadable(format!("{place} answered the log-in without a token")),
        status => return Failure::Outage(format!("{place} answered the log-in with HTTP {status}")),
    };
    Failure::LogIn(ConnectorError::credentials(remedy))
}
