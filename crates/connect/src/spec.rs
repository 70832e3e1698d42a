//! How a connector is set up: its settings (which are its form and its help), and how it is built from them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    Clock, Desk, FileStores, Grants, Marks, OrderSource, Random, Secret, Show, ShowDocument, Transport, Warehouse,
    budget::Budgets,
};

/// How a connector is built. Building validates; it opens nothing and starts nothing.
pub type Build<R> = fn(&Settings, &BuildContext) -> Result<Arc<R>, SettingsError>;

/// Which role a connector plays, with how it is built.
pub enum Role {
    /// It holds orders.
    OrderSource(Build<dyn OrderSource>),
    /// It ships.
    Warehouse(Build<dyn Warehouse>),
}

/// One connector.
pub struct ConnectorSpec {
    /// Lowercase noun of the service, e.g. `brightpearl`; the `platform` of stores and warehouses.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// One sentence: what it connects to and how.
    pub summary: &'static str,
    /// What it was proven against, in words for people.
    pub proven: &'static str,
    /// Role and builder.
    pub role: Role,
    /// Its settings.
    pub fields: &'static [Field],
    /// The names of those that say to which server secrets are sent, where they are for a tenant to choose. A secret goes only
    /// where whoever gave it meant it to go: who changes one of these gives the secrets anew.
    pub destination: &'static [&'static str],
    /// How a sample file is shown, where the settings describe the layout of files.
    pub show: Option<Show>,
    /// How a document is shown, where its format is none that people can read as it is.
    pub documents: Option<ShowDocument>,
}

impl ConnectorSpec {
    /// Whether these settings lead to another server than those before.
    pub fn moves(&self, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> bool {
        let of = |values: &BTreeMap<String, String>| {
            let settings = Settings { values: values.clone(), secrets: BTreeMap::new() };
            self.destination.iter().map(|name| settings.get(self.fields, name)).collect::<Vec<_>>()
        };
        of(before) != of(after)
    }

    /// Whether secrets that are `kept`, and not given anew, would go to the server that they were given for.
    ///
    /// # Errors
    /// When the settings name another one: each of these secrets.
    pub fn secrets_stay<'a>(
        &self,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
        kept: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), SettingsError> {
        if !self.moves(before, after) {
            return Ok(());
        }
        let why = "give it once more: it was given for another server, and is not sent to this one";
        let problems: Vec<(String, String)> = kept.into_iter().map(|name| (name.clone(), why.to_owned())).collect();
        if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
    }
}

/// How a setting is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "choices")]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// Several lines.
    LongText,
    /// Sealed, write-only.
    Secret,
    /// Several lines, sealed, write-only.
    LongSecret,
    /// A whole number.
    Integer,
    /// Yes or no (`true`, `false`).
    Switch,
    /// One of (value, title).
    Choice(&'static [(&'static str, &'static str)]),
    /// Set by the operator of the installation only, not by tenants (addresses for stand-ins, say).
    Operator,
    /// Learned by the test of the settings, and changed only by testing again.
    Learned,
}

/// One setting: also one field of the form, with its help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Key in files and API.
    pub name: &'static str,
    /// Label.
    pub title: &'static str,
    /// Where to find it and what it does.
    pub help: &'static str,
    /// How it is entered.
    pub kind: FieldKind,
    /// Whether it must be given.
    pub required: bool,
    /// Used when it is not given.
    pub default: Option<&'static str>,
}

impl Field {
    /// Whether its value is sealed and never shown again.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, FieldKind::Secret | FieldKind::LongSecret)
    }
}

/// What is wrong with settings: field by field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.problems.iter().map(|(field, problem)| format!("{field}: {problem}")).collect::<Vec<_>>().join("; "))]
pub struct SettingsError {
    /// (field, what is wrong and what to enter).
    pub problems: Vec<(String, String)>,
}

impl SettingsError {
    /// One field is wrong.
    pub fn field(field: &str, problem: impl Into<String>) -> Self {
        Self { problems: vec![(field.to_owned(), problem.into())] }
    }
}

/// The settings of one store or warehouse: plain values, and secrets just unsealed.
#[derive(Clone, Default)]
pub struct Settings {
    /// Plain values by field name.
    pub values: BTreeMap<String, String>,
    /// Secrets by field name.
    pub secrets: BTreeMap<String, Secret>,
}

impl Settings {
    /// A value, or the field's default; `None` when neither is there or it is blank.
    pub fn get(&self, fields: &[Field], name: &str) -> Option<String> {
        self.values
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .or_else(|| fields.iter().find(|field| field.name == name)?.default.map(str::to_owned))
    }

    /// A value or default that must be there.
    pub fn require(&self, fields: &[Field], name: &str) -> Result<String, SettingsError> {
        self.get(fields, name).ok_or_else(|| SettingsError::field(name, "must be given"))
    }

    /// A secret; `None` when it is absent or empty.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.secrets.get(name).filter(|secret| !secret.is_empty()).cloned()
    }

    /// Checks against the fields: unknown names, missing values, values that are not of their kind. Every problem is listed.
    pub fn validate(&self, fields: &[Field]) -> Result<(), SettingsError> {
        let mut problems = Vec::new();
        for name in self.values.keys().chain(self.secrets.keys()) {
            if !fields.iter().any(|field| field.name == name) {
                let known = fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
                problems.push((name.clone(), format!("is not a setting here; there are: {known}")));
            }
        }
        for field in fields {
            if field.is_secret() {
                if self.values.contains_key(field.name) {
                    problems.push((field.name.to_owned(), "is a secret and must be given as one".to_owned()));
                }
                if field.required && self.secret(field.name).is_none() {
                    problems.push((field.name.to_owned(), "must be given".to_owned()));
                }
                continue;
            }
            let Some(value) = self.get(fields, field.name) else {
                if field.required {
                    problems.push((field.name.to_owned(), "must be given".to_owned()));
                }
                continue;
            };
            let problem = match field.kind {
                FieldKind::Integer if value.parse::<i64>().is_err() => Some("must be a whole number".to_owned()),
                FieldKind::Switch if value != "true" && value != "false" => Some("must be true or false".to_owned()),
                FieldKind::Choice(choices) if !choices.iter().any(|(choice, _)| *choice == value) => Some(format!(
                    "must be one of: {}",
                    choices.iter().map(|(choice, _)| *choice).collect::<Vec<_>>().join(", ")
                )),
                _ => None,
            };
            if let Some(problem) = problem {
                problems.push((field.name.to_owned(), problem));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(SettingsError { problems }) }
    }
}

/// The waits of docs/reliability.md, all of them settings; a test profile divides them by one factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Until a connection is up.
    pub connect: Duration,
    /// Whole-call limit (D_http).
    pub http: Duration,
    /// The vendor may still be working after we gave up (P_max).
    pub vendor_work: Duration,
    /// Clock error allowed for (ε_clock).
    pub clock_error: Duration,
    /// How long a claim on work holds; at least twice D_http.
    pub lease: Duration,
    /// The vendor's throttle window.
    pub throttle_window: Duration,
    /// What everything above was divided by; 1 in production.
    pub factor: u32,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            http: Duration::from_secs(30),
            vendor_work: Duration::from_secs(120),
            clock_error: Duration::from_secs(5),
            lease: Duration::from_secs(90),
            throttle_window: Duration::from_secs(60),
            factor: 1,
        }
    }
}

impl Waits {
    /// All waits divided by `factor` (at least 1).
    #[must_use]
    pub fn divided(self, factor: u32) -> Self {
        let factor = factor.max(1);
        Self {
            connect: self.connect / factor,
            http: self.http / factor,
            vendor_work: self.vendor_work / factor,
            clock_error: self.clock_error / factor,
            lease: self.lease / factor,
            throttle_window: self.throttle_window / factor,
            factor: self.factor.saturating_mul(factor),
        }
    }

    /// Tq: the wait after which a late first copy of a request can no longer land.
    pub fn quiescence(&self, index_lag: Duration) -> Duration {
        self.http + self.vendor_work + self.clock_error + index_lag
    }
}

/// What a connector is built with.
#[derive(Clone)]
pub struct BuildContext {
    /// HTTP.
    pub transport: Arc<dyn Transport>,
    /// Files.
    pub files: Arc<dyn FileStores>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Call budgets, one per remote account however many connections use it.
    pub budgets: Arc<Budgets>,
    /// Waits.
    pub waits: Waits,
    /// What an account's owner granted by OAuth.
    pub grants: Arc<dyn Grants>,
    /// Where a warehouse that calls us collects its requests.
    pub desk: Arc<dyn Desk>,
    /// The messages that the connection has taken in.
    pub marks: Arc<dyn Marks>,
    /// Which connection calls are counted for, so that one cannot starve the others of its account.
    pub share: String,
}
