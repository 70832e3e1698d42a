//! OAuth: where an account's owner gives consent, the exchange of a code for tokens, and their renewal (API reference: the
//! account's own token address, forms in, JSON out; no throttle headers, and no call of the budget).
//!
//! A refresh token works once and its answer brings the next one. Nothing is repeated here that may have happened: a refresh
//! without an answer is written down as such, and the old token is offered once more by whoever has the next turn.

use std::{sync::Arc, time::Duration};

use connect::{
    Clock, ConnectorError, ErrorKind, Grant, Grants, HttpRequest, HttpResponse, NewTokens, Refreshed, Secret,
    Transport, TransportError, Waits,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use url::Url;

use super::{
    Brightpearl,
    client::Place,
    lenient::{Text, Whole},
    settings::{OAuthApp, SignIn},
};

/// Brightpearl's own domains: tokens go nowhere else, whatever an answer says.
const DOMAINS: [&str; 3] = [".brightpearl.com", ".brightpearlconnect.com", ".brightpearlapp.com"];

/// The longest life of an access token that is believed; the recorded ones are a week.
const LONGEST_LIFE: i64 = 366 * 86_400;

/// What a code was exchanged for.
pub struct Exchanged {
    /// The first tokens.
    pub tokens: NewTokens,
    /// Id of the app's installation at the account; empty where none was told.
    pub instance: String,
}

/// The host that an answer's `api_domain` names, if it is one of Brightpearl's.
pub(super) fn host(api_domain: &str) -> Option<String> {
    let host = api_domain.trim().to_ascii_lowercase();
    let plain = host.len() <= 253 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let name = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain))?;
    (plain && !name.is_empty() && !name.starts_with('.')).then_some(host)
}

/// Nothing was granted yet.
pub(super) fn not_granted() -> ConnectorError {
    ConnectorError::credentials(
        "access to the Brightpearl account has not been granted yet. Begin it at the store (Connect at Brightpearl), and sign \
         in there as somebody who may install apps.",
    )
}

/// What was granted is gone.
pub(super) fn lost(place: &Place, why: &str) -> ConnectorError {
    ConnectorError::credentials(format!(
        "access to the {place} is gone: {why}. Connect the store at Brightpearl once more, as somebody who may install apps."
    ))
}

#[derive(Deserialize)]
struct TokensAnswer {
    access_token: String,
    refresh_token: String,
    #[serde(default)]
    api_domain: Text,
    #[serde(default)]
    installation_instance_id: Text,
    expires_in: Whole,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

/// What the token address answered.
enum Answered {
    Tokens(Exchanged),
    /// Nothing left.
    NotSent(String),
    /// No whole answer, or none of the documented form: what was sent may be used up.
    Unanswered(String),
    /// The app's reference or secret is not taken.
    Client,
    /// The code or the refresh token is not taken, or another address was named.
    Grant,
}

/// Asks for tokens, once.
async fn ask(transport: &dyn Transport, address: &str, form: &[(&str, &str)], now: Timestamp) -> Answered {
    let Ok(address) = Url::parse(address) else {
        return Answered::NotSent("the address of the tokens cannot be used".to_owned());
    };
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request = HttpRequest::new("POST", address)
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded");
    request.body = Some(body.into());
    match transport.send(request).await {
        Err(TransportError::NotSent(text)) => Answered::NotSent(text),
        Err(TransportError::Unknown(text)) => Answered::Unanswered(text),
        Ok(answer) => read(&answer, now),
    }
}

/// `now` is when it was asked: a token lives no longer than from then on.
fn read(answer: &HttpResponse, now: Timestamp) -> Answered {
    if answer.is_success() {
        let tokens = serde_json::from_slice::<TokensAnswer>(&answer.body).ok().filter(|answer| {
            let sendable = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            sendable(&answer.access_token) && sendable(&answer.refresh_token) && answer.expires_in.0 > 0
        });
        let Some(tokens) = tokens else {
            return Answered::Unanswered("the answer does not have the documented form".to_owned());
        };
        let life = SignedDuration::from_secs(tokens.expires_in.0.min(LONGEST_LIFE));
        return Answered::Tokens(Exchanged {
            instance: tokens.installation_instance_id.0,
            tokens: NewTokens {
                access: Secret::new(tokens.access_token),
                refresh: Secret::new(tokens.refresh_token),
                api_domain: tokens.api_domain.0,
                expires_at: now.saturating_add(life).unwrap_or(now),
            },
        });
    }
    let error = serde_json::from_slice::<ErrorAnswer>(&answer.body).map(|answer| answer.error).unwrap_or_default();
    match (answer.status, error.as_str()) {
        (400 | 401, "invalid_client" | "unauthorized_client") => Answered::Client,
        (400, "invalid_grant") => Answered::Grant,
        (status, _) => Answered::Unanswered(format!("HTTP {status}")),
    }
}

fn unknown_app(place: &Place) -> ConnectorError {
    ConnectorError::credentials(format!(
        "the {place} does not know the OAuth app. Check its App reference and Client secret."
    ))
}

impl Brightpearl {
    fn oauth_app(&self) -> Result<&OAuthApp, ConnectorError> {
        match &self.account.sign_in {
            SignIn::OAuth(app) => Ok(app),
            _ => Err(ConnectorError::unsupported(
                "this store does not sign in by OAuth. Choose \"OAuth app\" under \"Sign in with\" and save it first.",
            )),
        }
    }

    /// Where the account's owner gives consent; the browser comes back to `redirect` with a code and this `state`.
    ///
    /// # Errors
    /// When the store does not sign in by OAuth.
    pub fn consent_address(&self, redirect: &str, state: &str) -> Result<Url, ConnectorError> {
        let app = self.oauth_app()?;
        let mut address = Url::parse(&self.account.consent_address())
            .map_err(|error| ConnectorError::unexpected(format!("the address of consent cannot be used: {error}")))?;
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &app.app_ref)
            .append_pair("redirect_uri", redirect)
            .append_pair("state", state);
        Ok(address)
    }

    /// Exchanges a code for the first tokens. A code works once: whatever goes wrong, consent is begun again.
    ///
    /// # Errors
    /// When it gives no tokens; what to do is said.
    pub async fn exchange(&self, code: &Secret, redirect: &str) -> Result<Exchanged, ConnectorError> {
        let app = self.oauth_app()?;
        let place = &self.client.gateway.place;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("client_id", app.app_ref.as_str()),
            ("client_secret", app.client_secret.expose()),
            ("redirect_uri", redirect),
        ];
        let now = self.client.gateway.clock.now();
        match ask(&*self.transport, &self.account.token_address(), &form, now).await {
            Answered::Tokens(exchanged) => Ok(exchanged),
            Answered::Client => Err(unknown_app(place)),
            Answered::Grant => Err(ConnectorError::new(
                ErrorKind::Rejected { code: "invalid_grant".to_owned() },
                format!(
                    "the {place} does not take the code: it was used, has ended, or the app is registered with another \
                     address than {redirect}. Check the app's address there, and begin again."
                ),
            )),
            Answered::NotSent(text) | Answered::Unanswered(text) => Err(ConnectorError::transient(format!(
                "the {place} did not answer with tokens ({text}). A code works once: begin again."
            ))),
        }
    }
}

/// How a turn ended.
pub(super) enum Turned {
    /// New tokens are kept.
    Renewed,
    /// It is another's turn, or it is over already.
    Anothers,
    /// Without new tokens.
    Failed(ConnectorError),
}

/// What a turn of renewing needs, apart from whoever waits for it.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) grants: Arc<dyn Grants>,
    pub(super) waits: Waits,
    pub(super) address: String,
    pub(super) app_ref: String,
    pub(super) place: Place,
}

impl Turn {
    /// Takes the turn and renews. It goes on in a task of its own to its end: whoever waits may give up, and a refresh that is
    /// cut off in the middle would lose the tokens it brought.
    pub(super) async fn take(self, grant: Grant) -> Turned {
        match tokio::spawn(async move { self.renew(&grant).await }).await {
            Ok(turned) => turned,
            Err(_) => Turned::Failed(ConnectorError::transient("the renewal of the store's tokens was cut off")),
        }
    }

    async fn renew(&self, grant: &Grant) -> Turned {
        let until = match self.grants.begin_refresh(grant.version).await {
            Ok(Some(until)) => until,
            Ok(None) => return Turned::Anothers,
            Err(error) => return Turned::Failed(error),
        };
        // No client secret: none was sent in the recorded refresh.
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", grant.refresh.expose()),
            ("client_id", self.app_ref.as_str()),
        ];
        let place = &self.place;
        let (came, failed) = match ask(&*self.transport, &self.address, &form, self.clock.now()).await {
            Answered::Tokens(exchanged) => return self.keep(grant.version, until, exchanged.tokens).await,
            Answered::NotSent(text) => (
                Refreshed::NotSent,
                ConnectorError::transient(format!(
                    "the {place}'s tokens cannot be renewed: {text}. It is tried again."
                )),
            ),
            Answered::Unanswered(text) => (
                Refreshed::Unanswered,
                ConnectorError::transient(format!(
                    "the renewal of the {place}'s tokens was not answered ({text}). The present ones are tried once more."
                )),
            ),
            Answered::Client => (Refreshed::NotSent, unknown_app(place)),
            Answered::Grant => (
                Refreshed::Refused,
                lost(place, "Brightpearl does not take the token it gave, so it was withdrawn or has ended"),
            ),
        };
        if let Err(error) = self.grants.end_refresh(grant.version, until, came).await {
            // The turn ends by itself.
            tracing::warn!("the end of a renewal could not be written down: {error}");
        }
        Turned::Failed(failed)
    }

    /// Keeps new tokens before anybody uses them. The old ones are gone, so this is not given up lightly.
    async fn keep(&self, version: u64, turn: Timestamp, tokens: NewTokens) -> Turned {
        let until = self.clock.monotonic() + self.waits.lease * 10;
        let mut wait: Duration = self.waits.http / 60;
        loop {
            let error = match self.grants.end_refresh(version, turn, Refreshed::Tokens(tokens.clone())).await {
                Ok(()) => return Turned::Renewed,
                Err(error) => error,
            };
            if self.clock.monotonic() >= until {
                return Turned::Failed(error);
            }
            tracing::warn!("new tokens could not be kept yet: {error}");
            self.clock.sleep(wait).await;
            wait = (wait * 2).min(self.waits.http);
        }
    }
}

#[cfg(test)]
mod tests {
    use connect::HttpResponse;
    use jiff::{SignedDuration, Timestamp};

    use super::{Answered, host, read};

    fn answer(status: u16, body: &str) -> Answered {
        let answer = HttpResponse { status, headers: Vec::new(), body: body.to_owned().into() };
        read(&answer, Timestamp::UNIX_EPOCH)
    }

    /// The recorded bodies.
    #[test]
    fn recorded_answers_are_read() {
        let first = r#"{"access_token":"EXAMPLE-ACCESS-TOKEN-1","refresh_token":"EXAMPLE-REFRESH-TOKEN-1",
            "installation_instance_id":"13","api_domain":"ws-use.brightpearl.com","token_type":"Bearer","expires_in":604800}"#;
        let Answered::Tokens(first) = answer(200, first) else { panic!("no tokens") };
        assert_eq!(first.instance, "13");
        assert_eq!(first.tokens.refresh.expose(), "EXAMPLE-REFRESH-TOKEN-1");
        assert_eq!(first.tokens.expires_at, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 7));
        let next = r#"{"access_token":"EXAMPLE-ACCESS-TOKEN-2","refresh_token":"EXAMPLE-REFRESH-TOKEN-2",
            "api_domain":"ws-use.brightpearl.com","token_type":"Bearer","expires_in":537227}"#;
        let Answered::Tokens(next) = answer(200, next) else { panic!("no tokens") };
        assert_eq!(next.instance, "");
        assert!(matches!(answer(400, r#"{"error":"invalid_client"}"#), Answered::Client));
        for text in [
            "The auth token has either expired or does not exist",
            "Redirect uri does not match that used to request auth token",
        ] {
            let body = format!(r#"{{"error_description":"{text}","error":"invalid_grant"}}"#);
            assert!(matches!(answer(400, &body), Answered::Grant));
        }
    }

    /// What is not documented may have used the token up.
    #[test]
    fn anything_else_is_no_answer() {
        let life = |seconds: &str| {
            format!(r#"{{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":{seconds}}}"#)
        };
        for (status, body) in [
            (200, String::new()),
            (200, "<html></html>".to_owned()),
            (200, r#"{"access_token":"a","expires_in":1}"#.to_owned()),
            (200, r#"{"access_token":"a b","refresh_token":"r","expires_in":1}"#.to_owned()),
            (200, life("0")),
            (400, "bad request".to_owned()),
            (400, r#"{"error":"temporarily_unavailable"}"#.to_owned()),
            (429, String::new()),
            (500, r#"{"error":"invalid_grant"}"#.to_owned()),
            (503, String::new()),
        ] {
            assert!(matches!(answer(status, &body), Answered::Unanswered(_)), "{status} {body}");
        }
        let Answered::Tokens(long) = answer(200, &life("9223372036854775807")) else { panic!("no tokens") };
        assert_eq!(long.tokens.expires_at, Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 366));
    }

    #[test]
    fn tokens_go_to_brightpearl_only() {
        assert_eq!(host("ws-use.brightpearl.com").as_deref(), Some("ws-use.brightpearl.com"));
        assert_eq!(host("EUW1.brightpearlconnect.com").as_deref(), Some("euw1.brightpearlconnect.com"));
        for other in [
            "",
            "brightpearl.com",
            ".brightpearl.com",
            "evil.example",
            "ws-use.brightpearl.com.evil.example",
            "evilbrightpearl.com",
            "https://ws-use.brightpearl.com",
            "ws-use.brightpearl.com:8443",
            "user@ws-use.brightpearl.com",
            "ws-use.brightpearl.com/path",
            "evil.example/.brightpearl.com",
        ] {
            assert_eq!(host(other), None, "{other}");
        }
    }
}
