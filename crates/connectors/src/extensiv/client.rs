//! Calls: sign-in, budget, and what an answer means.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{
    BuildContext, Clock, ConnectorError, ErrorKind, HttpRequest, HttpResponse, Secret, Sent, Transport, TransportError,
    budget::{Budget, Limit, Priority},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use super::settings::Config;
use crate::{
    passes::{Pass, Passes},
    turn::{Ended, Turn},
};

/// The media type decides the shape of answers; this is the documented one with links and camelCase names.
const HAL: &str = "application/hal+json";
/// A token is renewed at least this often, whatever life it was given.
const LONGEST_TOKEN: Duration = Duration::from_secs(30 * 60);
/// A token is renewed this long before its end.
const EARLY: Duration = Duration::from_secs(5 * 60);

/// Who a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose(pub(super) Priority, pub(super) &'static str);

/// The service, as one customer of one warehouse sees it.
pub(super) struct Client {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    share: String,
    base: Url,
    client_id: String,
    client_secret: Secret,
    tpl_key: Option<String>,
    user_login: String,
    tokens: Passes,
}

/// How a changing call ended.
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
        Self {
            transport: Arc::clone(&context.transport),
            clock: Arc::clone(&context.clock),
            budget: context.budgets.account(&format!("extensiv:{}", config.client_id), limit),
            share: context.share.clone(),
            base: config.base.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            tpl_key: config.tpl_key.clone(),
            user_login: config.user_login.clone(),
            tokens: Passes::default(),
        }
    }

    /// Reads. A token that has become invalid is renewed once.
    pub(super) async fn get(
        &self,
        purpose: Purpose,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<HttpResponse, ConnectorError> {
        let url = self.address(path, query)?;
        let (token, mut response) = self.read_once(purpose, &url).await?;
        if response.status == 401 {
            self.tokens.forget(&token).await;
            response = self.read_once(purpose, &url).await?.1;
        }
        if response.status == 429 {
            self.budget.throttled(retry_after(&response));
        }
        read_outcome(path, response)
    }

    /// Reads and parses.
    pub(super) async fn get_json(
        &self,
        purpose: Purpose,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Value, ConnectorError> {
        parse(path, &self.get(purpose, path, query).await?)
    }

    /// The answer, and the token that was used.
    async fn read_once(&self, purpose: Purpose, url: &Url) -> Result<(Secret, HttpResponse), ConnectorError> {
        let token = self.token(purpose).await?;
        self.budget.acquire(purpose.0, purpose.1, &self.share).await;
        let request = HttpRequest::new("GET", url.clone())
            .header("accept", HAL)
            .header("authorization", format!("Bearer {}", token.expose()));
        Ok((token, self.transport.send(request).await.map_err(not_reached)?))
    }

    /// Reads without signing in.
    pub(super) async fn get_openly(&self, purpose: Purpose, path: &str) -> Result<HttpResponse, ConnectorError> {
        self.budget.acquire(purpose.0, purpose.1, &self.share).await;
        let request = HttpRequest::new("GET", self.address(path, &[])?).header("accept", "application/json");
        self.transport.send(request).await.map_err(not_reached)
    }

    /// Changes something, once. It is over at `until`, on the monotonic clock: what has not left by then does not leave, and an
    /// answer that has not come by then is none.
    pub(super) async fn post(
        &self,
        purpose: Purpose,
        path: &str,
        if_match: Option<&str>,
        body: String,
        until: Duration,
    ) -> Changed {
        let url = match self.address(path, &[]) {
            Ok(url) => url,
            Err(error) => return Changed::NotSent(error),
        };
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
        let mut request = HttpRequest::new("POST", url)
            .header("accept", HAL)
            .header("authorization", format!("Bearer {}", token.expose()))
            .header("content-type", HAL);
        if let Some(version) = if_match {
            request = request.header("if-match", version);
        }
        request.body = Some(body.into());
        let response = match turn.send(&*self.transport, request).await {
            Ok(response) => response,
            Err(Ended::NotSent(error)) => return Changed::NotSent(error),
            Err(Ended::Unknown(why)) => return Changed::Unknown(why),
        };
        if response.status == 429 {
            self.budget.throttled(retry_after(&response));
        }
        if response.status != 401 {
            self.tokens.accepted();
            return Changed::Answered(response);
        }
        // The call was not taken in. The journal arms again, with a new token.
        let new_one_too = self.tokens.refused(&token).await;
        let message = "the service did not accept the token";
        Changed::NotSent(match self.token(purpose).await {
            Ok(_) if new_one_too => ConnectorError::credentials(format!(
                "{message}, nor a new one: ask the warehouse whether the credentials may still write orders"
            )),
            Ok(_) => ConnectorError::transient(format!("{message}; it was renewed")),
            Err(error) => error,
        })
    }

    async fn token(&self, purpose: Purpose) -> Result<Secret, ConnectorError> {
        let sign_in = async {
            self.budget.acquire(purpose.0, "sign_in", &self.share).await;
            let mut body = json!({ "grant_type": "client_credentials" });
            let user =
                if self.user_login.bytes().all(|byte| byte.is_ascii_digit()) { "user_login_id" } else { "user_login" };
            if let Some(fields) = body.as_object_mut() {
                fields.insert(user.to_owned(), json!(self.user_login));
                if let Some(tpl) = &self.tpl_key {
                    fields.insert("tpl".to_owned(), json!(tpl));
                }
            }
            let basic = STANDARD.encode(format!("{}:{}", self.client_id, self.client_secret.expose()));
            let mut request = HttpRequest::new("POST", self.address("/AuthServer/api/Token", &[])?)
                .header("accept", "application/json")
                .header("authorization", format!("Basic {basic}"))
                .header("content-type", "application/json; charset=utf-8");
            request.body = Some(body.to_string().into());
            let asked_at = self.clock.monotonic();
            let response = self.transport.send(request).await.map_err(not_reached)?;
            let (text, life) = token_outcome(&response)?;
            let life = life.saturating_sub(EARLY).max(life / 2).min(LONGEST_TOKEN);
            Ok(Pass { text, until: asked_at + life })
        };
        self.tokens.get(self.clock.monotonic(), sign_in).await
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

const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, IN_QUERY).to_string()
}

/// A value inside an RQL filter. The server decodes twice, so what has a meaning in a filter is escaped here, and the
/// whole filter once more on its way (Extensiv: "RQL", escaping). Colons of times stay.
pub(super) fn rql(value: &str) -> String {
    const IN_FILTER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':');
    utf8_percent_encode(value, IN_FILTER).to_string()
}

fn not_reached(error: TransportError) -> ConnectorError {
    ConnectorError::transient(format!("the warehouse was not reached: {error}"))
}

fn retry_after(response: &HttpResponse) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// The body of a success. One that is no JSON is not the service's own word, or was cut on its way: it passes, and says
/// nothing about what was asked for.
pub(super) fn parse(what: &str, response: &HttpResponse) -> Result<Value, ConnectorError> {
    serde_json::from_slice(&response.body)
        .map_err(|error| ConnectorError::transient(format!("{what}: the answer is not JSON: {error}")))
}

/// An error in the service's own form: `ErrorCode`, with what it is about. Names are in PascalCase whatever the media
/// type (Extensiv: "Errors").
pub(super) fn own_error(body: &[u8]) -> Option<(String, String)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let code = body.get("ErrorCode")?.as_str()?.to_owned();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let about: Vec<String> = ["Properties", "Parameters"]
        .iter()
        .filter_map(|name| body.get(*name)?.as_array())
        .flatten()
        .map(|part| {
            let said = |name: &str| {
                part.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            };
            format!("{} {}", said("Name").unwrap_or_default(), said("Value").unwrap_or_default()).trim().to_owned()
        })
        .collect();
    let parts = [code.clone(), about.join(", "), text("ActionName"), text("Hint")];
    let message = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ");
    Some((code, shortened(&message)))
}

fn read_outcome(what: &str, response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let told = || {
        own_error(&response.body)
            .map_or_else(|| shortened(&String::from_utf8_lossy(&response.body)), |(_, message)| message)
    };
    match response.status {
        200..300 => Ok(response),
        status if response.is_page() => Err(ConnectorError::page(what, status)),
        401 => {
            Err(ConnectorError::credentials(format!("{what}: the service does not accept its own token: {}", told())))
        }
        403 => Err(ConnectorError::credentials(format!(
            "{what} is not allowed: {}. Ask the warehouse to give the credentials the roles CustomerView, FacilityView, \
             InventoryDetailView, ItemView, OrderEdit, OrderView, OrderWrite, ReadPropertiesThirdParty and ReceiverView",
            told()
        ))),
        404 => Err(ConnectorError::new(ErrorKind::NotFound, format!("{what} does not exist there"))),
        429 => Err(ConnectorError::new(
            ErrorKind::RateLimited { retry_after: retry_after(&response) },
            "the warehouse asks for fewer calls",
        )),
        400..500 => Err(ConnectorError::new(
            ErrorKind::Rejected {
                code: own_error(&response.body).map_or_else(|| response.status.to_string(), |(code, _)| code),
            },
            format!("{what} was refused: {}", told()),
        )),
        status => Err(ConnectorError::transient(format!("{what}: the service answered {status}: {}", told()))),
    }
}

fn token_outcome(response: &HttpResponse) -> Result<(Secret, Duration), ConnectorError> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    let said = ["Message", "error_description", "error"]
        .iter()
        .find_map(|name| body.get(*name)?.as_str())
        .unwrap_or("no reason");
    match response.status {
        200..300 => {
            let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
            let life = body.get("expires_in").and_then(Value::as_u64);
            match (token, life) {
                (Some(token), Some(life)) => Ok((Secret::new(token), Duration::from_secs(life.min(86_400)))),
                _ => Err(ConnectorError::unexpected("the sign-in gave no token with its life")),
            }
        }
        status if response.is_page() => Err(ConnectorError::page("the sign-in", status)),
        400 | 401 | 403 => Err(ConnectorError::credentials(format!(
            "the warehouse refused the sign-in: {}. Check Client ID, Client Secret, User Login ID and TPL Key",
            shortened(said)
        ))),
        429 => Err(ConnectorError::new(
            ErrorKind::RateLimited { retry_after: retry_after(response) },
            "the warehouse asks for fewer sign-ins",
        )),
        status => Err(ConnectorError::transient(format!("the sign-in answered {status}: {}", shortened(said)))),
    }
}

/// A text of the service, short enough to show and without control characters.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// What an answer to a changing call means when nothing special is known of its code (docs/reliability.md).
/// `None` for a success, whose body the caller reads.
pub(super) fn change_outcome(response: &HttpResponse) -> Option<Sent> {
    let status = response.status;
    match (status, own_error(&response.body)) {
        (200..300, _) => None,
        (429, _) => Some(Sent::Throttled { wait: retry_after(response) }),
        // The version that was sent is not the newest any more, so nothing was done; it is read again and sent anew.
        (412 | 428, _) => Some(Sent::not_sent(ErrorKind::Transient, "the order changed meanwhile; it is read again")),
        (400..500, Some((code, message))) if status != 408 => Some(Sent::Refused { code, message }),
        // The only refusal that is documented without a body. With one that is not the service's own, something on the way
        // has answered.
        (404, None) if response.body.iter().all(u8::is_ascii_whitespace) => {
            Some(Sent::Refused { code: "404".to_owned(), message: "it does not exist there".to_owned() })
        }
        _ => Some(Sent::unknown(format!(
            "the service answered {status}: {}",
            shortened(&String::from_utf8_lossy(&response.body))
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{encoded, own_error, rql};

    #[test]
    fn filter_values_are_escaped_twice() {
        assert_eq!(rql("BPacme-O1"), "BPacme-O1");
        assert_eq!(rql("50%!(*)=a,b;c d"), "50%25%21%28%2A%29%3Da%2Cb%3Bc%20d");
        assert_eq!(encoded(&format!("sku=={}", rql("A*"))), "sku%3D%3DA%252A");
        assert_eq!(rql("2026-11-23T06:30:00"), "2026-11-23T06:30:00");
    }

    #[test]
    fn own_errors_name_what_they_are_about() {
        let body =
            br#"{"$type":"x","Properties":[{"Name":"ReferenceNum","Value":"K"}],"ErrorCode":"Duplicate","Hint":"h"}"#;
        assert_eq!(own_error(body), Some(("Duplicate".into(), "Duplicate: ReferenceNum K: h".into())));
        assert_eq!(own_error(b"An error has occurred."), None);
        assert_eq!(own_error(b"{\"Message\":\"no\"}"), None);
    }
}
