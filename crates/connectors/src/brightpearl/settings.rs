//! The settings of a Brightpearl store: the four credentials of a staff log-in, or an app's tokens.

use connect::{Field, FieldKind, Secret, Settings, SettingsError};
use url::Url;

/// The settings, in the order of the form.
pub(super) static FIELDS: &[Field] = &[
    Field {
        name: "datacenter_code",
        title: "Datacenter Code",
        help: "Where the account lives, named by its time zones: EST / CST or PST / MST in America, GMT / CET or EU Secure \
               in Europe. It stands in the address of your account once you are signed in (use, usw, eu1, eu2).",
        kind: FieldKind::Choice(&[
            ("use", "EST / CST (use)"),
            ("usw", "PST / MST (usw)"),
            ("eu1", "GMT / CET (eu1)"),
            ("eu2", "EU Secure (eu2)"),
        ]),
        required: true,
        default: None,
    },
    Field {
        name: "account_id",
        title: "Account ID",
        help: "The account code: the word before .login in the address you log in at, e.g. acme in acme.login.",
        kind: FieldKind::Text,
        required: true,
        default: None,
    },
    Field {
        name: "sign_in",
        title: "Sign in with",
        help: "API user: the e-mail and password of a staff user whose API column is ticked under Setup > Staff (best a user \
               of its own). Account token or staff token: those of a private app. OAuth app: access that is granted by signing \
               in at Brightpearl, once the store is saved.",
        kind: FieldKind::Choice(&[
            ("staff_login", "API user (e-mail and password)"),
            ("account_token", "Private app, account token"),
            ("staff_token", "Private app, staff token"),
            ("oauth", "OAuth app, granted at Brightpearl"),
        ]),
        required: false,
        default: Some("staff_login"),
    },
    Field {
        name: "email",
        title: "API User Email",
        help: "The e-mail of a staff user who may use the API: Setup > Staff lists users with their e-mail; tick the API column of \
               one. With an app's token it only serves to find the staff contact.",
        kind: FieldKind::Text,
        required: false,
        default: None,
    },
    Field {
        name: "password",
        title: "API User Password",
        help: "The password of that staff user in Brightpearl. Setup > Staff lists users with their e-mail; the API column of this one must \
               be ticked there. Kept sealed and never shown again.",
        kind: FieldKind::Secret,
        required: false,
        default: None,
    },
    Field {
        name: "app_ref",
        title: "App reference",
        help: "For an app's token: the reference that Brightpearl gives a private app when the owner of the account makes one: the account \
               code, _, and 4 to 16 letters, digits or dashes, e.g. acme_hub (Brightpearl's API help, article 211124966). For \
               OAuth: the reference of the OAuth app.",
        kind: FieldKind::Text,
        required: false,
        default: None,
    },
    Field {
        name: "account_token",
        title: "Account token",
        help: "The owner of the account receives it from Brightpearl when the private system app is made there. Kept sealed and never \
               shown again.",
        kind: FieldKind::Secret,
        required: false,
        default: None,
    },
    Field {
        name: "staff_token",
        title: "Staff token",
        help: "Brightpearl gives it for the private staff app and one staff user (its API help, article 4414311366545). Kept sealed and \
               never shown again.",
        kind: FieldKind::Secret,
        required: false,
        default: None,
    },
    Field {
        name: "dev_ref",
        title: "Developer reference",
        help: "For OAuth: the reference that Brightpearl gave whoever registered the app as a developer there (its API help, article \
               360032240811).",
        kind: FieldKind::Text,
        required: false,
        default: None,
    },
    Field {
        name: "client_secret",
        title: "Client secret",
        help: "For OAuth: the secret that came with the app's reference. Kept sealed and never shown again.",
        kind: FieldKind::Secret,
        required: false,
        default: None,
    },
    Field {
        name: "staff_id",
        title: "Staff contact id",
        help: "The contact id of the staff user that shipped events are posted as. Needed with an app's token; with an API \
               user it is found by e-mail. The test of the settings proves that it is a staff contact.",
        kind: FieldKind::Integer,
        required: false,
        default: None,
    },
    Field {
        name: "calls_per_minute",
        title: "Calls per minute",
        help: "How many of the account's calls the hub may use. Brightpearl allows 200 a minute for all apps of an account \
               together; leave some to the others.",
        kind: FieldKind::Integer,
        required: false,
        default: Some("150"),
    },
    Field {
        name: "throttle_text_is_not_sent",
        title: "A throttled change was not made",
        help: "On: the answer \"too many requests\" to a change means that it was not made. Off: it is looked up before \
               anything is repeated.",
        kind: FieldKind::Switch,
        required: false,
        default: Some("true"),
    },
    Field {
        name: "note_author",
        title: "Author of the hub's goods-out notes",
        help: "The contact id that Brightpearl writes as the creator of notes that the hub makes; learned from the first one.",
        kind: FieldKind::Learned,
        required: false,
        default: None,
    },
    Field {
        name: "base_url",
        title: "Base address",
        help: "Address of a stand-in for Brightpearl; log-in and calls both go there.",
        kind: FieldKind::Operator,
        required: false,
        default: None,
    },
];

/// Where accounts live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datacenter {
    Use,
    Usw,
    Eu1,
    Eu2,
}

impl Datacenter {
    fn from_code(code: &str) -> Option<Self> {
        match code {
            "use" => Some(Self::Use),
            "usw" => Some(Self::Usw),
            "eu1" => Some(Self::Eu1),
            "eu2" => Some(Self::Eu2),
            _ => None,
        }
    }

    /// As the settings write it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Usw => "usw",
            Self::Eu1 => "eu1",
            Self::Eu2 => "eu2",
        }
    }

    /// The host of staff log-ins; it serves the current paths too.
    fn legacy_host(self) -> &'static str {
        match self {
            Self::Use => "ws-use.brightpearl.com",
            Self::Usw => "ws-usw.brightpearl.com",
            Self::Eu1 => "ws-eu1.brightpearl.com",
            Self::Eu2 => "ws-eu2.brightpearl.com",
        }
    }

    /// The host of apps; Brightpearl has published none for `usw` and `eu2`.
    fn current_host(self) -> &'static str {
        match self {
            Self::Use => "use1.brightpearlconnect.com",
            Self::Eu1 => "euw1.brightpearlconnect.com",
            Self::Usw | Self::Eu2 => self.legacy_host(),
        }
    }
}

/// How calls prove who makes them.
#[derive(Clone)]
pub(super) enum SignIn {
    /// A staff user's log-in gives a token that is renewed when it ends.
    StaffLogin { email: String, password: Secret },
    /// A private system app's token, sent as it is.
    AccountToken { app_ref: String, token: Secret },
    /// A private staff app's token, sent as it is.
    StaffToken { app_ref: String, token: Secret },
    /// Tokens that the account's owner granted; the hub keeps them.
    OAuth(OAuthApp),
}

/// An app that accounts are connected with by OAuth.
#[derive(Clone)]
pub(super) struct OAuthApp {
    /// The app's reference, which is its client id.
    pub(super) app_ref: String,
    pub(super) dev_ref: String,
    pub(super) client_secret: Secret,
}

/// Where consent is given and tokens are handed out.
const OAUTH_HOST: &str = "https://oauth.brightpearl.com";

/// Checked settings.
#[derive(Clone)]
pub(super) struct Account {
    /// Account code, lower case.
    pub(super) code: String,
    pub(super) datacenter: Datacenter,
    pub(super) sign_in: SignIn,
    /// The API user's e-mail, where given.
    pub(super) email: Option<String>,
    pub(super) staff_id: Option<i64>,
    pub(super) note_author: Option<i64>,
    pub(super) calls_per_minute: u32,
    pub(super) throttle_text_is_not_sent: bool,
    base: Option<String>,
}

impl Account {
    /// Checks the settings; every problem is listed.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let mut problems = Vec::new();
        let mut wrong = |field: &str, problem: &str| problems.push((field.to_owned(), problem.to_owned()));
        let get = |name: &str| settings.get(FIELDS, name);

        let code = get("account_id").unwrap_or_default().to_lowercase();
        if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            wrong("account_id", "must be the account code, which has letters and digits only");
        }
        let datacenter =
            get("datacenter_code").and_then(|code| Datacenter::from_code(&code)).unwrap_or(Datacenter::Eu1);
        let email = get("email");
        if email.as_deref().is_some_and(|email| !email.contains('@') || email.chars().any(char::is_whitespace)) {
            wrong("email", "must be an e-mail address");
        }

        let app_ref = get("app_ref").unwrap_or_default();
        let nothing = || Secret::new("");
        let secret = |name: &str| settings.secret(name).unwrap_or_else(nothing);
        let sign_in = match get("sign_in").as_deref() {
            Some("account_token") => SignIn::AccountToken { app_ref: app_ref.clone(), token: secret("account_token") },
            Some("staff_token") => SignIn::StaffToken { app_ref: app_ref.clone(), token: secret("staff_token") },
            Some("oauth") => SignIn::OAuth(OAuthApp {
                app_ref: app_ref.clone(),
                dev_ref: get("dev_ref").unwrap_or_default(),
                client_secret: secret("client_secret"),
            }),
            _ => SignIn::StaffLogin { email: email.clone().unwrap_or_default(), password: secret("password") },
        };
        match &sign_in {
            SignIn::StaffLogin { password, .. } => {
                if email.is_none() {
                    wrong("email", "must be given: the API user's e-mail");
                }
                if password.is_empty() {
                    wrong("password", "must be given: the API user's password");
                }
            }
            SignIn::OAuth(app) => {
                if !is_header_text(&app.app_ref) {
                    wrong("app_ref", "must be given: the reference of the OAuth app");
                }
                if !is_header_text(&app.dev_ref) {
                    wrong("dev_ref", "must be given: the reference of the app's developer");
                }
                if app.client_secret.is_empty() {
                    wrong("client_secret", "must be given: the secret of the OAuth app");
                }
            }
            SignIn::AccountToken { token, .. } | SignIn::StaffToken { token, .. } => {
                let field =
                    if matches!(sign_in, SignIn::AccountToken { .. }) { "account_token" } else { "staff_token" };
                if !is_header_text(&app_ref) {
                    wrong("app_ref", "must be given: the private app's reference, e.g. acme_hub");
                }
                if !is_header_text(token.expose()) {
                    wrong(field, "must be given: the token as Brightpearl shows it, without spaces");
                }
            }
        }

        let positive = |name: &str| get(name).and_then(|text| text.parse::<i64>().ok());
        let staff_id = positive("staff_id");
        if staff_id.is_some_and(|id| id < 1) {
            wrong("staff_id", "must be a contact id");
        }
        let calls_per_minute = positive("calls_per_minute").and_then(|calls| u32::try_from(calls).ok()).unwrap_or(0);
        if calls_per_minute < 10 {
            wrong("calls_per_minute", "must be at least 10");
        }
        let base = match get("base_url").map(|text| base_address(&text)) {
            None => None,
            Some(Some(base)) => Some(base),
            Some(None) => {
                wrong("base_url", "must be an address such as http://127.0.0.1:8080");
                None
            }
        };
        if !problems.is_empty() {
            return Err(SettingsError { problems });
        }
        Ok(Self {
            code,
            datacenter,
            sign_in,
            email,
            staff_id,
            note_author: positive("note_author").filter(|id| *id > 0),
            calls_per_minute,
            throttle_text_is_not_sent: get("throttle_text_is_not_sent").as_deref() != Some("false"),
            base,
        })
    }

    /// Whether calls go the legacy way: versioned path, no `Message-Type` in answers.
    pub(super) fn is_legacy(&self) -> bool {
        matches!(self.sign_in, SignIn::StaffLogin { .. })
    }

    /// Scheme and host of every call.
    pub(super) fn origin(&self) -> String {
        match &self.base {
            Some(base) => base.clone(),
            None if self.is_legacy() => format!("https://{}", self.datacenter.legacy_host()),
            None => format!("https://{}", self.datacenter.current_host()),
        }
    }

    /// What every call's address begins with.
    pub(super) fn root(&self) -> String {
        let generation = if self.is_legacy() { "2.0.0" } else { "public-api" };
        format!("{}/{generation}/{}", self.origin(), self.code)
    }

    /// Whether a stand-in is spoken to.
    pub(super) fn is_stand_in(&self) -> bool {
        self.base.is_some()
    }

    /// Where the account's owner gives consent.
    pub(super) fn consent_address(&self) -> String {
        format!("{}/authorize/{}", self.base.as_deref().unwrap_or(OAUTH_HOST), self.code)
    }

    /// Where tokens are handed out.
    pub(super) fn token_address(&self) -> String {
        format!("{}/token/{}", self.base.as_deref().unwrap_or(OAUTH_HOST), self.code)
    }

    /// The address of staff log-ins.
    pub(super) fn log_in_address(&self) -> String {
        format!("{}/{}/authorise", self.origin(), self.code)
    }
}

fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn base_address(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use connect::{Secret, Settings};

    use super::Account;

    fn settings(values: &[(&str, &str)], secrets: &[(&str, &str)]) -> Settings {
        Settings {
            values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            secrets: secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
        }
    }

    #[test]
    fn four_credentials_are_enough() {
        let values = [("datacenter_code", "use"), ("account_id", "ExampleUS"), ("email", "api@example.test")];
        let account = Account::from_settings(&settings(&values, &[("password", "x")])).unwrap();
        assert_eq!(account.root(), "https://ws-use.brightpearl.com/2.0.0/exampleus");
        assert_eq!(account.log_in_address(), "https://ws-use.brightpearl.com/exampleus/authorise");
        assert_eq!(account.calls_per_minute, 150);
        assert!(account.throttle_text_is_not_sent);
    }

    #[test]
    fn tokens_use_the_current_hosts_where_published() {
        for (code, root) in [
            ("use", "https://use1.brightpearlconnect.com/public-api/a1"),
            ("eu1", "https://euw1.brightpearlconnect.com/public-api/a1"),
            ("usw", "https://ws-usw.brightpearl.com/public-api/a1"),
            ("eu2", "https://ws-eu2.brightpearl.com/public-api/a1"),
        ] {
            let values =
                [("datacenter_code", code), ("account_id", "a1"), ("sign_in", "account_token"), ("app_ref", "a1_hub")];
            let account = Account::from_settings(&settings(&values, &[("account_token", "t")])).unwrap();
            assert_eq!(account.root(), root);
        }
    }

    #[test]
    fn oauth_needs_its_app() {
        let values = [("datacenter_code", "use"), ("account_id", "a1"), ("sign_in", "oauth")];
        let error = Account::from_settings(&settings(&values, &[])).err().unwrap();
        let fields: Vec<&str> = error.problems.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["app_ref", "dev_ref", "client_secret"]);
        let all = [values.as_slice(), &[("app_ref", "hub"), ("dev_ref", "maker")]].concat();
        let account = Account::from_settings(&settings(&all, &[("client_secret", "s")])).unwrap();
        assert_eq!(account.consent_address(), "https://oauth.brightpearl.com/authorize/a1");
        assert_eq!(account.token_address(), "https://oauth.brightpearl.com/token/a1");
        assert_eq!(account.root(), "https://use1.brightpearlconnect.com/public-api/a1");
    }

    #[test]
    fn every_problem_is_listed() {
        let error = Account::from_settings(&settings(
            &[("datacenter_code", "eu1"), ("account_id", "a/b"), ("calls_per_minute", "1"), ("base_url", "ftp://x")],
            &[],
        ))
        .err()
        .unwrap();
        let fields: Vec<&str> = error.problems.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["account_id", "email", "password", "calls_per_minute", "base_url"]);
    }
}
