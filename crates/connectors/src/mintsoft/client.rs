//! Calls: the key, the budget, and whether anything left.

use std::{sync::Arc, time::Duration};

use connect::{
    BuildContext, Clock, ConnectorError, ErrorKind, HttpRequest, HttpResponse, Secret, Transport, TransportError,
    budget::{Budget, Limit, Priority},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    calls::{Change, Read},
    judge::{retry_after, said, shortened},
    settings::{Config, SignIn},
};
use crate::{
    passes::{Pass, Passes},
    turn::{Ended, Turn},
};

/// A key lives a day from when it was given; this long it is used without being refused.
const KEY_LIFE: Duration = Duration::from_secs(23 * 3600);

/// Who a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose(pub(super) Priority, pub(super) &'static str);

/// The service, as one of its users sees it.
pub(super) struct Client {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    share: String,
    base: Url,
    sign_in: SignIn,
    keys: Passes,
}

/// How a change ended.
pub(super) enum Changed {
    /// Certainly nothing happened there.
    NotSent(ConnectorError),
    /// An answer arrived whole.
    Answered(HttpResponse),
    /// It may have happened.
    Unknown(String),
}

impl Client {
    pub(super) fn new(config: &Config, context: &BuildContext) -> Self {
        let limit = Limit { reserve: 0, ..Limit::new(config.calls_per_minute, context.waits.throttle_window) };
        let who = match &config.sign_in {
            SignIn::User { name, .. } => name.clone(),
            SignIn::Key(key) => Sha256::digest(key.expose()).iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        };
        Self {
            transport: Arc::clone(&context.transport),
            clock: Arc::clone(&context.clock),
            budget: context.budgets.account(&format!("mintsoft:{who}"), limit),
            share: context.share.clone(),
            base: config.base.clone(),
            sign_in: config.sign_in.clone(),
            keys: Passes::default(),
        }
    }

    /// Reads. A key that has become invalid is renewed once.
    pub(super) async fn read(
        &self,
        purpose: Purpose,
        read: Read<'_>,
        config: &Config,
    ) -> Result<HttpResponse, ConnectorError> {
        let path = read.path();
        let url = self.address(&path, &read.query(config))?;
        let (key, mut response) = self.read_once(purpose, &url).await?;
        if response.status == 401 && matches!(self.sign_in, SignIn::User { .. }) {
            self.keys.forget(&key).await;
            response = self.read_once(purpose, &url).await?.1;
        }
        if response.status == 429 {
            self.budget.throttled(retry_after(&response));
        }
        self.outcome(&path, response)
    }

    /// The answer, and the key that was used.
    async fn read_once(&self, purpose: Purpose, url: &Url) -> Result<(Secret, HttpResponse), ConnectorError> {
        let key = self.key(purpose).await?;
        self.budget.acquire(purpose.0, purpose.1, &self.share).await;
        let answer = self.transport.send(signed(HttpRequest::new("GET", url.clone()), &key)).await;
        Ok((key, answer.map_err(not_reached)?))
    }

    /// Changes something, once. It is over at `until`, on the monotonic clock: what has not left by then does not leave, and an
    /// answer that has not come by then is none.
    pub(super) async fn change(
        &self,
        purpose: Purpose,
        change: Change,
        body: Option<String>,
        until: Duration,
    ) -> Changed {
        let url = match self.address(&change.path(), &[]) {
            Ok(url) => url,
            Err(error) => return Changed::NotSent(error),
        };
        let turn = Turn::new(&*self.clock, until);
        let ready = async {
            let key = self.key(purpose).await?;
            self.budget.acquire(purpose.0, purpose.1, &self.share).await;
            Ok(key)
        };
        let key = match turn.ready(ready).await {
            Ok(key) => key,
            Err(error) => return Changed::NotSent(error),
        };
        let mut request = signed(HttpRequest::new(change.verb(), url), &key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = match turn.send(&*self.transport, request).await {
            Ok(response) => response,
            Err(Ended::NotSent(error)) => return Changed::NotSent(error),
            Err(Ended::Unknown(why)) => return Changed::Unknown(why),
        };
        if response.status == 429 {
            self.budget.throttled(retry_after(&response));
        }
        if response.status != 401 {
            self.keys.accepted();
            return Changed::Answered(response);
        }
        Changed::NotSent(self.key_refused(purpose, &key).await)
    }

    /// The call was not taken in. The journal arms again, with a new key.
    async fn key_refused(&self, purpose: Purpose, key: &Secret) -> ConnectorError {
        let new_one_too = self.keys.refused(key).await;
        match (&self.sign_in, self.key(purpose).await) {
            (SignIn::Key(_), _) => refused_for_good(),
            (SignIn::User { .. }, Ok(_)) if new_one_too => ConnectorError::credentials(
                "the service accepted neither the key nor a new one: ask the warehouse whether the user may still write orders",
            ),
            (SignIn::User { .. }, Ok(_)) => {
                ConnectorError::transient("the service did not accept the key; it was renewed")
            }
            (SignIn::User { .. }, Err(error)) => error,
        }
    }

    async fn key(&self, purpose: Purpose) -> Result<Secret, ConnectorError> {
        let (name, password) = match &self.sign_in {
            SignIn::Key(key) => return Ok(key.clone()),
            SignIn::User { name, password } => (name, password),
        };
        let sign_in = async {
            self.budget.acquire(purpose.0, "sign_in", &self.share).await;
            let body = json!({ "Username": name, "Password": password.expose() }).to_string();
            let request =
                HttpRequest::new("POST", self.address("/api/Auth", &[])?).header("accept", "application/json");
            let asked_at = self.clock.monotonic();
            let response = self.transport.send(request.json(body)).await.map_err(not_reached)?;
            Ok(Pass { text: given_key(&response)?, until: asked_at + KEY_LIFE })
        };
        self.keys.get(self.clock.monotonic(), sign_in).await
    }

    fn outcome(&self, what: &str, response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
        let told = || said(&response.body).unwrap_or_else(|| shortened(&String::from_utf8_lossy(&response.body)));
        match response.status {
            200..300 => Ok(response),
            status if response.is_page() => Err(ConnectorError::page(what, status)),
            401 => Err(match &self.sign_in {
                SignIn::Key(_) => refused_for_good(),
                SignIn::User { .. } => {
                    ConnectorError::credentials(format!("{what}: the service does not accept its own key: {}", told()))
                }
            }),
            403 => Err(ConnectorError::credentials(format!(
                "{what} is not allowed: {}. Ask the warehouse to give the user access to orders, products and stock",
                told()
            ))),
            404 => Err(ConnectorError::new(ErrorKind::NotFound, format!("{what} does not exist there"))),
            429 => Err(ConnectorError::new(
                ErrorKind::RateLimited { retry_after: retry_after(&response) },
                "the warehouse asks for fewer calls",
            )),
            status @ 400..500 => Err(ConnectorError::new(
                ErrorKind::Rejected { code: status.to_string() },
                format!("{what} was refused: {}", told()),
            )),
            status => Err(ConnectorError::transient(format!("{what}: the service answered {status}: {}", told()))),
        }
    }

    fn address(&self, path: &str, query: &[(&str, String)]) -> Result<Url, ConnectorError> {
        let mut url = self.base.join(path).map_err(|error| ConnectorError::unexpected(format!("{path}: {error}")))?;
        if !query.is_empty() {
            let parts: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            url.set_query(Some(&parts.join("&")));
        }
        Ok(url)
    }
}

fn signed(request: HttpRequest, key: &Secret) -> HttpRequest {
    request.header("accept", "application/json").header("ms-apikey", key.expose())
}

fn encoded(text: &str) -> String {
    const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, IN_QUERY).to_string()
}

fn not_reached(error: TransportError) -> ConnectorError {
    ConnectorError::transient(format!("the warehouse was not reached: {error}"))
}

fn refused_for_good() -> ConnectorError {
    ConnectorError::credentials("the warehouse refused the API key: ask it for a new one, and enter that")
}

/// The key is a JSON text by itself.
fn given_key(response: &HttpResponse) -> Result<Secret, ConnectorError> {
    let told = || said(&response.body).unwrap_or_else(|| "no reason".to_owned());
    match response.status {
        200..300 => match serde_json::from_slice(&response.body) {
            Ok(Value::String(key))
                if !key.trim().is_empty() && key.trim().bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Ok(Secret::new(key.trim()))
            }
            Ok(Value::Null) => Err(wrong_password("it gave no key")),
            _ => Err(ConnectorError::unexpected("the sign-in gave no key")),
        },
        status if response.is_page() => Err(ConnectorError::page("the sign-in", status)),
        400 | 401 | 403 => Err(wrong_password(&told())),
        429 => Err(ConnectorError::new(
            ErrorKind::RateLimited { retry_after: retry_after(response) },
            "the warehouse asks for fewer sign-ins",
        )),
        status => Err(ConnectorError::transient(format!("the sign-in answered {status}: {}", told()))),
    }
}

fn wrong_password(told: &str) -> ConnectorError {
    ConnectorError::credentials(format!("the warehouse refused the sign-in: {told}. Check User name and Password"))
}
