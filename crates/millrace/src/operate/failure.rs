//! What an operation fails of, in the words of the person who asked for it.

use connect::{ConnectorError, ErrorKind, SettingsError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{accounts::hashing::HashingError, db::DbError, flow::FlowError, worker::BuildError};

/// Sorted by what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It does not exist, or not for this caller.
    NotFound,
    /// What was given cannot be used.
    Invalid,
    /// It clashes with how things stand.
    Conflict,
    /// This caller may not.
    Forbidden,
    /// Nobody signs in so.
    SignIn,
    /// The password is right, and a code of the second factor is wanted.
    SecondFactor,
    /// The password must be given once more first.
    Proof,
    /// A second factor must be set up first.
    FactorOwed,
    /// Too many tries; later again.
    TooMany,
    /// A remote system refuses the credentials.
    Credentials,
    /// A remote system does not do what was asked.
    Remote,
    /// The program's own configuration: keys, addresses, folders.
    Setup,
    /// The database is away, busy or full.
    Unavailable,
    /// A person has to look first.
    NeedsPerson,
    /// A fault of the program or damaged data.
    Internal,
}

impl FailureKind {
    /// Stable name, the `type` of problem documents.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::Forbidden => "forbidden",
            Self::SignIn => "sign_in_refused",
            Self::SecondFactor => "second_factor_needed",
            Self::Proof => "proof_needed",
            Self::FactorOwed => "second_factor_owed",
            Self::TooMany => "too_many_tries",
            Self::Credentials => "credentials_refused",
            Self::Remote => "remote_system",
            Self::Setup => "setup",
            Self::Unavailable => "unavailable",
            Self::NeedsPerson => "needs_person",
            Self::Internal => "internal",
        }
    }

    /// A short title.
    pub fn title(self) -> &'static str {
        match self {
            Self::NotFound => "It does not exist",
            Self::Invalid => "It cannot be used as given",
            Self::Conflict => "It clashes with how things stand",
            Self::Forbidden => "Not permitted",
            Self::SignIn => "Nobody signs in so",
            Self::SecondFactor => "A code is needed",
            Self::Proof => "Give your password once more",
            Self::FactorOwed => "Set up a second factor first",
            Self::TooMany => "Too many tries",
            Self::Credentials => "The credentials are refused",
            Self::Remote => "The remote system did not do it",
            Self::Setup => "The installation is not set up for it",
            Self::Unavailable => "Not available at the moment",
            Self::NeedsPerson => "A person is needed",
            Self::Internal => "A fault of the program",
        }
    }

    fn usual_remedy(self) -> &'static str {
        match self {
            Self::NotFound => "Check the id; lists show what there is.",
            Self::Invalid => "Correct what is named and try again.",
            Self::Conflict => "Look at it again, then decide anew.",
            Self::Forbidden => "Use a key with more rights, or ask an administrator.",
            Self::SignIn => {
                "Check the e-mail address and the password; an administrator can make a link to choose a new one."
            }
            Self::SecondFactor => "Give the present code of your authenticator app, or one of your recovery codes.",
            Self::Proof => "Give your password (`POST /session/proof`), then do it again.",
            Self::FactorOwed => "Set one up on the page *Account* (`POST /session/second-factor`), then go on.",
            Self::TooMany => "Wait, then try again.",
            Self::Credentials => "Correct the credentials, then test the connection again.",
            Self::Remote => "Try again later; if it stays, look at the connection's test.",
            Self::Setup => "Run `millrace check` to see what is missing.",
            Self::Unavailable => "Try again in a moment. Nothing was lost.",
            Self::NeedsPerson => "Look at what is listed.",
            Self::Internal => "Try again; if it stays, keep the log and report it.",
        }
    }
}

/// One thing that is wrong with what was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Where: a field, or a place in a file.
    pub at: String,
    /// What is wrong, and what to enter.
    pub problem: String,
}

impl Problem {
    /// At this place.
    pub fn new(at: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { at: at.into(), problem: problem.into() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.at, self.problem) }
    }
}

/// A failed operation: what happened, why, and what the person can do. Holds no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// What the caller can do about it.
    pub kind: FailureKind,
    /// What happened and why.
    pub detail: String,
    /// What to do.
    pub remedy: String,
    /// Every single thing that is wrong, where there are several.
    pub problems: Vec<Problem>,
    /// The detail is for the operator's eyes (log, command line): it holds the database's own words.
    pub inward: bool,
    /// Seconds until it is worth trying again, where that is known.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// With the usual remedy of its kind.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            remedy: kind.usual_remedy().to_owned(),
            problems: Vec::new(),
            inward: kind == FailureKind::Internal,
            retry_after: None,
        }
    }

    /// With this remedy.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// What was given cannot be used, for these reasons.
    pub fn invalid(what: impl Into<String>, problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::new(FailureKind::Invalid, what) }
    }

    /// This does not exist, or not for this caller.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(FailureKind::NotFound, format!("{what} does not exist"))
    }

    /// It clashes with how things stand.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(FailureKind::Conflict, detail)
    }
}

impl From<HashingError> for Failure {
    fn from(error: HashingError) -> Self {
        let kind = match error {
            HashingError::Busy => FailureKind::Unavailable,
            HashingError::Broken => FailureKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        let kind = match &error {
            DbError::NotFound(_) => FailureKind::NotFound,
            DbError::Conflict(_) | DbError::Fenced(_) | DbError::Refused(_) => FailureKind::Conflict,
            DbError::Unavailable { .. } | DbError::Full(_) => FailureKind::Unavailable,
            DbError::Corrupt(_) => FailureKind::Internal,
        };
        let inward = matches!(kind, FailureKind::Unavailable | FailureKind::Internal);
        Self { inward, ..Self::new(kind, error.to_string()) }
    }
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        let kind = match error.kind {
            ErrorKind::Credentials => FailureKind::Credentials,
            _ => FailureKind::Remote,
        };
        Self::new(kind, error.message)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let detail = error.to_string();
        let problems = error.problems.into_iter().map(|(at, problem)| Problem { at, problem }).collect();
        Self::invalid(detail, problems)
    }
}

impl From<FlowError> for Failure {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Connector(error) => error.into(),
            FlowError::Db(error) => error.into(),
            FlowError::Settings(why) => Self::new(FailureKind::Conflict, why),
        }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Settings(error) => error.into(),
            BuildError::Db(error) => error.into(),
            BuildError::NoConnector(name) => Self::invalid(
                format!("there is no connector {name:?} for this role; there are: {}", platforms()),
                Vec::new(),
            ),
        }
    }
}

/// The names of all connectors, for people.
pub fn platforms() -> String {
    connectors::CONNECTORS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ")
}
