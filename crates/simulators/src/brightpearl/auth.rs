//! Who is calling: staff log-ins, private and public apps, OAuth tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use uuid::Builder;

use super::call::Pace;
use super::switches::{EarlierTokens, LegacyTokenLife, OldRefreshToken, RefreshTokenLife, Switches};

/// The text of a 401 without a usable token.
pub(crate) const NOT_AUTHENTICATED: &str = "Not authenticated. You must provide a valid authentication token.";
/// The text of a 401 with a token whose time is over.
pub(crate) const TOKEN_EXPIRED: &str = "Authorization token expired";

/// A member of staff who can log in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffUser {
    /// The log-in.
    pub email: String,
    /// The password.
    pub password: String,
    /// The contact this user is: the owner of everything the user makes.
    pub contact_id: i64,
    /// Whether the API column of the staff page is ticked.
    pub api: bool,
}

/// An app installed on the account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The app reference, `{account}_{name}` for private apps.
    pub reference: String,
    /// The contact that owns what the app makes.
    pub contact_id: i64,
    /// Id of the installation.
    pub instance_id: i64,
    /// How it proves who it is.
    pub kind: AppKind,
}

/// The ways an app proves who it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AppKind {
    /// A private app of the account, with a token that is sent as it is.
    System {
        /// The account token.
        account_token: String,
    },
    /// A private app whose users log in one by one.
    Staff {
        /// A staff token that exists from the start.
        staff_token: Option<String>,
    },
    /// A public app that signs the account token.
    Public {
        /// The developer reference.
        developer: String,
        /// The secret it signs with.
        secret: String,
        /// The unsigned account token.
        account_token: String,
    },
    /// A public app with OAuth 2.
    OAuth {
        /// The developer reference.
        developer: String,
        /// The client secret.
        client_secret: String,
        /// Where the user is sent back to.
        redirect_uri: String,
        /// An access token that exists from the start.
        access_token: Option<String>,
        /// Requests per window, if more than usual were granted.
        requests_per_window: Option<u32>,
    },
}

/// Who made a call.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// For the ledger: `staff {email}`, `app {reference}`.
    pub(crate) label: String,
    pub(crate) contact_id: i64,
    pub(crate) instance: Option<i64>,
}

struct Token {
    caller: Caller,
    ends: Option<Timestamp>,
}

struct Code {
    app: String,
    ends: Timestamp,
}

/// Everything an account knows about who may call.
pub(crate) struct Access {
    pub(crate) staff: Vec<StaffUser>,
    pub(crate) apps: Vec<App>,
    legacy: BTreeMap<String, Token>,
    staff_tokens: BTreeMap<(String, String), Caller>,
    bearer: BTreeMap<String, Token>,
    refresh: BTreeMap<String, (String, Option<Timestamp>)>,
    codes: BTreeMap<String, Code>,
    revoked: bool,
}

/// What the token end-point answers.
pub(crate) enum Grant {
    /// New tokens. The instance id is only told at the first exchange.
    Tokens {
        access: String,
        refresh: String,
        instance: Option<i64>,
        expires_in: i64,
    },
    InvalidClient,
    UnknownCode,
    OtherRedirect,
}

/// The documented life of an access token.
const ACCESS_TOKEN_SECONDS: i64 = 604_800;
/// How long the old refresh token works on where a grace time is assumed.
const REFRESH_GRACE: Duration = Duration::from_secs(60);
/// How long an authorisation code works (*assumption*).
const CODE_LIFE: Duration = Duration::from_secs(600);

impl Access {
    pub(crate) fn new(staff: Vec<StaffUser>, apps: Vec<App>) -> Self {
        let mut bearer = BTreeMap::new();
        let mut staff_tokens = BTreeMap::new();
        for app in &apps {
            match &app.kind {
                AppKind::OAuth { access_token: Some(token), .. } => {
                    bearer.insert(token.clone(), Token { caller: app_caller(app), ends: None });
                }
                AppKind::Staff { staff_token: Some(token) } => {
                    staff_tokens.insert((app.reference.clone(), token.clone()), app_caller(app));
                }
                _ => {}
            }
        }
        Self {
            staff,
            apps,
            legacy: BTreeMap::new(),
            staff_tokens,
            bearer,
            refresh: BTreeMap::new(),
            codes: BTreeMap::new(),
            revoked: false,
        }
    }

    /// Logs a member of staff in. `None` if the password is wrong or the user may not use the API.
    ///
    /// With the reference of a private staff app the token belongs to that app, else it is a log-in token.
    pub(crate) fn log_in(
        &mut self,
        email: &str,
        password: &str,
        app: Option<&str>,
        at: Timestamp,
        terms: (&Switches, Pace),
        rng: &mut StdRng,
    ) -> Option<String> {
        let user = self.staff.iter().find(|user| user.email == email && user.password == password && user.api)?;
        let caller = Caller { label: format!("staff {email}"), contact_id: user.contact_id, instance: None };
        if let Some(reference) = app {
            let app = self.apps.iter().find(|app| app.reference == reference)?;
            let token = random_token(rng);
            let caller = Caller { instance: Some(app.instance_id), ..caller };
            self.staff_tokens.insert((reference.to_owned(), token.clone()), caller);
            return Some(token);
        }
        let (switches, pace) = terms;
        if switches.earlier_legacy_tokens == EarlierTokens::End {
            self.legacy.retain(|_, token| token.caller.label != caller.label);
        }
        let life = match switches.legacy_token_life {
            LegacyTokenLife::Day => Duration::from_secs(24 * 3600),
            LegacyTokenLife::HalfHour => Duration::from_secs(1800),
        };
        let token = Builder::from_random_bytes(rng.random()).into_uuid().to_string();
        self.legacy.insert(token.clone(), Token { caller, ends: Some(after(at, pace.wait(life))) });
        Some(token)
    }

    /// Finds the caller of a request; the error is the text of the 401.
    pub(crate) fn caller(&self, headers: &HeaderMap, at: Timestamp) -> Result<Caller, String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let reference = header("brightpearl-app-ref");
        if let Some(token) = header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
            let known = self.bearer.get(token).ok_or_else(|| format!("Invalid instance token: {token}"))?;
            let own = reference.is_some_and(|reference| known.caller.label == format!("app {reference}"));
            if !own {
                return Err(format!("Invalid instance token: {token}"));
            }
            return known.valid(at);
        }
        if let Some(token) = header("brightpearl-auth") {
            return self.legacy.get(token).ok_or_else(|| NOT_AUTHENTICATED.to_owned())?.valid(at);
        }
        if self.revoked {
            return Err(NOT_AUTHENTICATED.to_owned());
        }
        let reference = reference.ok_or_else(|| NOT_AUTHENTICATED.to_owned())?;
        if let Some(token) = header("brightpearl-staff-token") {
            let key = (reference.to_owned(), token.to_owned());
            return self.staff_tokens.get(&key).cloned().ok_or_else(|| NOT_AUTHENTICATED.to_owned());
        }
        let app = self.apps.iter().find(|app| app.reference == reference);
        let token = header("brightpearl-account-token");
        let known = match (app.map(|app| &app.kind), token) {
            (Some(AppKind::System { account_token }), Some(token)) => account_token == token,
            (Some(AppKind::Public { developer, secret, account_token }), Some(token)) => {
                header("brightpearl-dev-ref") == Some(developer) && sign(account_token, secret) == token
            }
            _ => false,
        };
        match app {
            Some(app) if known => Ok(app_caller(app)),
            _ => Err(NOT_AUTHENTICATED.to_owned()),
        }
    }

    /// The requests an OAuth developer was granted, if other than usual.
    pub(crate) fn granted_requests(&self, developer: &str) -> Option<u32> {
        self.apps.iter().find_map(|app| match &app.kind {
            AppKind::OAuth { developer: own, requests_per_window, .. } if own == developer => *requests_per_window,
            _ => None,
        })
    }

    /// The consent of the account owner: a code for the app, if the redirect is the one it was registered with.
    pub(crate) fn consent(
        &mut self,
        reference: &str,
        redirect: &str,
        at: Timestamp,
        pace: Pace,
        rng: &mut StdRng,
    ) -> Option<String> {
        self.apps.iter().find(|app| {
            app.reference == reference
                && matches!(&app.kind, AppKind::OAuth { redirect_uri, .. } if redirect_uri == redirect)
        })?;
        let code = random_token(rng);
        let ends = after(at, pace.wait(CODE_LIFE));
        self.codes.insert(code.clone(), Code { app: reference.to_owned(), ends });
        Some(code)
    }

    /// The first exchange. A code works once (*assumption*).
    pub(crate) fn exchange(
        &mut self,
        form: &BTreeMap<String, String>,
        at: Timestamp,
        terms: (&Switches, Pace),
        rng: &mut StdRng,
    ) -> Grant {
        let given = |name: &str| form.get(name).map_or("", String::as_str);
        let found = self.apps.iter().find(|app| app.reference == given("client_id")).cloned();
        let Some(App { kind: AppKind::OAuth { client_secret, redirect_uri, .. }, .. }) = found.as_ref() else {
            return Grant::InvalidClient;
        };
        let Some(app) = found.clone() else { return Grant::InvalidClient };
        match given("grant_type") {
            "authorization_code" => {
                if client_secret != given("client_secret") {
                    return Grant::InvalidClient;
                }
                let usable =
                    self.codes.get(given("code")).is_some_and(|code| code.app == app.reference && code.ends > at);
                if !usable {
                    return Grant::UnknownCode;
                }
                if redirect_uri != given("redirect_uri") {
                    return Grant::OtherRedirect;
                }
                self.codes.remove(given("code"));
                self.tokens(&app, at, terms, ACCESS_TOKEN_SECONDS, Some(app.instance_id), rng)
            }
            "refresh_token" => {
                let old = given("refresh_token").to_owned();
                let usable = self
                    .refresh
                    .get(&old)
                    .is_some_and(|(owner, ends)| *owner == app.reference && ends.is_none_or(|ends| ends > at));
                if !usable {
                    return Grant::UnknownCode;
                }
                match terms.0.old_refresh_token {
                    OldRefreshToken::Invalid => {
                        self.refresh.remove(&old);
                    }
                    OldRefreshToken::Grace => {
                        let ends = after(at, terms.1.wait(REFRESH_GRACE));
                        self.refresh.insert(old, (app.reference.clone(), Some(ends)));
                    }
                }
                // The recorded life after a refresh was shorter than after the first exchange.
                let seconds = rng.random_range(500_000..ACCESS_TOKEN_SECONDS);
                self.tokens(&app, at, terms, seconds, None, rng)
            }
            _ => Grant::InvalidClient,
        }
    }

    fn tokens(
        &mut self,
        app: &App,
        at: Timestamp,
        (switches, pace): (&Switches, Pace),
        seconds: i64,
        instance: Option<i64>,
        rng: &mut StdRng,
    ) -> Grant {
        let (access, refresh) = (random_token(rng), random_token(rng));
        let life = pace.wait(Duration::from_secs(seconds.unsigned_abs()));
        self.bearer.insert(access.clone(), Token { caller: app_caller(app), ends: Some(after(at, life)) });
        let refresh_ends = match switches.refresh_token_life {
            RefreshTokenLife::Unlimited => None,
            RefreshTokenLife::ThirtyDays => Some(after(at, pace.wait(Duration::from_secs(30 * 86_400)))),
        };
        self.refresh.insert(refresh.clone(), (app.reference.clone(), refresh_ends));
        let expires_in = i64::try_from(life.as_secs()).unwrap_or(seconds).max(1);
        Grant::Tokens { access, refresh, instance, expires_in }
    }

    /// Ends the life of every log-in and OAuth token; a new log-in or refresh works.
    pub(crate) fn expire(&mut self, at: Timestamp) {
        for token in self.legacy.values_mut().chain(self.bearer.values_mut()) {
            token.ends = Some(at);
        }
        self.staff_tokens.clear();
    }

    /// Withdraws every token and every app for good.
    pub(crate) fn revoke(&mut self) {
        self.legacy.clear();
        self.bearer.clear();
        self.refresh.clear();
        self.staff_tokens.clear();
        self.revoked = true;
    }

    /// Changes a password; `false` if there is no such user. Tokens of the user end.
    pub(crate) fn change_password(&mut self, email: &str, password: &str) -> bool {
        let Some(user) = self.staff.iter_mut().find(|user| user.email == email) else { return false };
        password.clone_into(&mut user.password);
        let label = format!("staff {email}");
        self.legacy.retain(|_, token| token.caller.label != label);
        true
    }
}

impl Token {
    fn valid(&self, at: Timestamp) -> Result<Caller, String> {
        match self.ends {
            Some(ends) if ends <= at => Err(TOKEN_EXPIRED.to_owned()),
            _ => Ok(self.caller.clone()),
        }
    }
}

fn app_caller(app: &App) -> Caller {
    Caller { label: format!("app {}", app.reference), contact_id: app.contact_id, instance: Some(app.instance_id) }
}

fn random_token(rng: &mut StdRng) -> String {
    let bytes: [u8; 32] = rng.random();
    STANDARD.encode(bytes)
}

pub(crate) fn after(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// The signature of a token: base64 of HMAC-SHA256 over the bytes of the strings as they are.
#[must_use]
pub fn sign(token: &str, secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, token.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::sign;

    /// The example of the documentation page on signing.
    #[test]
    fn published_signature() {
        let signed =
            sign("MlcTe8zimMPgYf/batW+ckJEAj467bbapA0cQBx6WwM=", "irhkVURWuLDYZwziDKhCsSGYrczWtfL7Pz5oX2GRDXo=");
        assert_eq!(signed, "llWnSJurpSUUTLNOtVd8Ik/ox6+4OVY/TdLSvE1+VWg=");
    }
}
