//! Calls: the token, the budget, credits, and whether anything left.

use std::{sync::Arc, time::Duration};

use connect::{
    BuildContext, Clock, ConnectorError, ErrorKind, HttpRequest, HttpResponse, Secret, Transport, TransportError,
    budget::{Budget, Limit, Priority},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use url::Url;

use super::{
    documents::Document,
    judge::{Judged, judged, shortened},
    settings::{Config, SignIn},
};
use crate::{
    passes::{Pass, Passes},
    times::http_date,
    turn::{Ended, Turn},
};

/// A token is renewed this long before its end.
const EARLY: Duration = Duration::from_secs(24 * 3600);
/// A token is renewed at least this often, whatever life it was given.
const LONGEST_TOKEN: Duration = Duration::from_secs(28 * 24 * 3600);
/// Tries of one reading that waits for credits: each wait is as long as the service says.
const MOST_TRIES: usize = 8;

/// Who a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose(pub(super) Priority, pub(super) &'static str);

/// What a reading brought.
pub(super) struct Read {
    /// The fields at the top.
    pub(super) data: Value,
    /// The time at the service, where it told that.
    pub(super) at: Option<Timestamp>,
}

/// How a change ended.
pub(super) enum Changed {
    /// Certainly nothing happened there.
    NotSent(ConnectorError),
    /// An answer arrived whole.
    Answered(HttpResponse, Judged),
    /// It may have happened.
    Unknown(String),
}

/// The service, as one of its users sees it.
pub(super) struct Client {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    share: String,
    base: Url,
    sign_in: SignIn,
    /// What the sign-in gave for renewing without the password.
    renews: Mutex<Option<Secret>>,
    tokens: Passes,
}

impl Client {
    pub(super) fn new(config: &Config, context: &BuildContext) -> Self {
        let limit = Limit { reserve: 0, ..Limit::new(config.calls_per_minute, context.waits.throttle_window) };
        let digest = |secret: &Secret| -> String {
            Sha256::digest(secret.expose()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
        };
        let who = match (&config.sign_in.user, &config.sign_in.refresh) {
            (Some((name, _)), _) => name.clone(),
            (None, refresh) => refresh.as_ref().map(digest).unwrap_or_default(),
        };
        Self {
            transport: Arc::clone(&context.transport),
            clock: Arc::clone(&context.clock),
            budget: context.budgets.account(&format!("shiphero:{who}"), limit),
            share: context.share.clone(),
            base: config.base.clone(),
            renews: Mutex::new(config.sign_in.refresh.clone()),
            sign_in: config.sign_in.clone(),
            tokens: Passes::default(),
        }
    }

    /// Reads. A token that has ended is renewed once; credits that are wanting are waited for.
    pub(super) async fn read(
        &self,
        purpose: Purpose,
        document: &Document,
        variables: &Value,
    ) -> Result<Read, ConnectorError> {
        let what = document.field;
        let mut renewed = false;
        for _ in 0..MOST_TRIES {
            let token = self.token(purpose).await?;
            self.budget.acquire(purpose.0, purpose.1, &self.share).await;
            let answer = self.transport.send(self.request(document, variables, &token)?).await;
            let response = answer.map_err(not_reached)?;
            if response.status == 401 && !renewed {
                renewed = true;
                self.tokens.forget(&token).await;
                continue;
            }
            match (response.status, judged(&response)) {
                (status @ 300.., _) if response.is_page() => return Err(ConnectorError::page(what, status)),
                (401, _) => {
                    return Err(ConnectorError::credentials(format!(
                        "{what}: the service does not accept its own token: {}",
                        shortened(&String::from_utf8_lossy(&response.body))
                    )));
                }
                (403, Judged::Unclear(told)) => {
                    return Err(ConnectorError::credentials(format!(
                        "{what} is not allowed: {told}. Ask the warehouse to give the user access to orders, shipments and products"
                    )));
                }
                (_, Judged::Data(data)) => {
                    return Ok(Read { data, at: response.header("date").and_then(http_date) });
                }
                (_, Judged::Throttled(wait)) => self.budget.throttled(wait),
                (_, Judged::Errors(complaints)) => {
                    let kind = ErrorKind::Rejected { code: "errors".to_owned() };
                    return Err(ConnectorError::new(kind, format!("{what} was refused: {}", complaints.told)));
                }
                (status @ 400..500, Judged::Unclear(told)) if status != 408 => {
                    let kind = ErrorKind::Rejected { code: status.to_string() };
                    return Err(ConnectorError::new(kind, format!("{what} was refused: {told}")));
                }
                // Not the service's own word, or cut on its way: it passes.
                (_, Judged::Unclear(told)) => return Err(ConnectorError::transient(format!("{what}: {told}"))),
            }
        }
        Err(ConnectorError::new(
            ErrorKind::RateLimited { retry_after: None },
            "the credits of the account are used up, also by others: ask who else calls ShipHero for it",
        ))
    }

    /// Changes something, once. It is over at `until`, on the monotonic clock: what has not left by then does not leave, and an
    /// answer that has not come by then is none.
    pub(super) async fn change(
        &self,
        purpose: Purpose,
        document: &Document,
        variables: &Value,
        until: Duration,
    ) -> Changed {
        let turn = Turn::new(&*self.clock, until);
        let ready = async {
            let token = self.token(purpose).await?;
            self.budget.acquire(purpose.0, purpose.1, &self.share).await;
            Ok(token)
        };
        let token = match turn.ready(ready).await {
            Ok(token) => token,
            Err(error) => return Changed::NotSent(error),
        };
        let request = match self.request(document, variables, &token) {
            Ok(request) => request,
            Err(error) => return Changed::NotSent(error),
        };
        let response = match turn.send(&*self.transport, request).await {
            Ok(response) => response,
            Err(Ended::NotSent(error)) => return Changed::NotSent(error),
            Err(Ended::Unknown(why)) => return Changed::Unknown(why),
        };
        if response.status != 401 {
            self.tokens.accepted();
            let judged = judged(&response);
            if let Judged::Throttled(wait) = judged {
                self.budget.throttled(wait);
            }
            return Changed::Answered(response, judged);
        }
        // The call was not taken in. The journal arms again, with a new token.
        let new_one_too = self.tokens.refused(&token).await;
        let message = "the service did not accept the token";
        Changed::NotSent(match self.token(purpose).await {
            Ok(_) if new_one_too => ConnectorError::credentials(format!(
                "{message}, nor a new one: ask the warehouse whether the user may still write orders"
            )),
            Ok(_) => ConnectorError::transient(format!("{message}; it was renewed")),
            Err(error) => error,
        })
    }

    async fn token(&self, purpose: Purpose) -> Result<Secret, ConnectorError> {
        self.tokens.get(self.clock.monotonic(), self.sign_in(purpose)).await
    }

    /// By the refresh token, where there is one; where that is not taken any more, with e-mail and password.
    async fn sign_in(&self, purpose: Purpose) -> Result<Pass, ConnectorError> {
        let renews = self.renews.lock().await.clone();
        if let Some(refresh) = renews {
            let body = json!({ "refresh_token": refresh.expose() });
            match self.pass(purpose, "/auth/refresh", &body).await {
                Err(error) if error.kind == ErrorKind::Credentials && self.sign_in.user.is_some() => {}
                answered => return answered,
            }
        }
        match &self.sign_in.user {
            Some((name, password)) => {
                let body = json!({ "username": name, "password": password.expose() });
                self.pass(purpose, "/auth/token", &body).await
            }
            None => Err(refused("there is no refresh token")),
        }
    }

    async fn pass(&self, purpose: Purpose, path: &str, body: &Value) -> Result<Pass, ConnectorError> {
        self.budget.acquire(purpose.0, "sign_in", &self.share).await;
        let request = HttpRequest::new("POST", self.address(path)?).header("accept", "application/json");
        let asked_at = self.clock.monotonic();
        let response = self.transport.send(request.json(body.to_string())).await.map_err(not_reached)?;
        let given = given(&response)?;
        if let Some(refresh) = given.refresh {
            *self.renews.lock().await = Some(refresh);
        }
        let life = given.life.saturating_sub(EARLY).max(given.life / 2).min(LONGEST_TOKEN);
        Ok(Pass { text: given.access, until: asked_at + life })
    }

    fn request(&self, document: &Document, variables: &Value, token: &Secret) -> Result<HttpRequest, ConnectorError> {
        let body = json!({ "query": document.text, "variables": variables }).to_string();
        Ok(HttpRequest::new("POST", self.address("/graphql")?)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", token.expose()))
            .json(body))
    }

    fn address(&self, path: &str) -> Result<Url, ConnectorError> {
        self.base.join(path).map_err(|error| ConnectorError::unexpected(format!("{path}: {error}")))
    }
}

fn not_reached(error: TransportError) -> ConnectorError {
    ConnectorError::transient(format!("the warehouse was not reached: {error}"))
}

fn refused(told: &str) -> ConnectorError {
    ConnectorError::credentials(format!(
        "the warehouse refused the sign-in: {told}. Check User e-mail and Password, or the refresh token"
    ))
}

/// What a sign-in gave.
struct Given {
    access: Secret,
    refresh: Option<Secret>,
    life: Duration,
}

fn given(response: &HttpResponse) -> Result<Given, ConnectorError> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    let text = |name: &str| {
        let text = body.get(name).and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
    };
    let told = || {
        let said = ["message", "error_description", "error"].iter().find_map(|name| body.get(*name)?.as_str());
        shortened(said.unwrap_or("no reason"))
    };
    if let Judged::Throttled(wait) = judged(response) {
        let kind = ErrorKind::RateLimited { retry_after: wait };
        return Err(ConnectorError::new(kind, "the warehouse asks for fewer sign-ins"));
    }
    match response.status {
        200..300 => match (text("access_token"), body.get("expires_in").and_then(Value::as_u64)) {
            (Some(access), Some(life)) => Ok(Given {
                access: Secret::new(access),
                refresh: text("refresh_token").map(Secret::new),
                life: Duration::from_secs(life.min(LONGEST_TOKEN.as_secs())),
            }),
            _ => Err(ConnectorError::unexpected("the sign-in gave no token with its life")),
        },
        status if response.is_page() => Err(ConnectorError::page("the sign-in", status)),
        400 | 401 | 403 => Err(refused(&told())),
        status => Err(ConnectorError::transient(format!("the sign-in answered {status}: {}", told()))),
    }
}
