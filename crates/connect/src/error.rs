//! What can go wrong with a read, sorted by what the hub does about it.

use std::{borrow::Cow, fmt, time::Duration};

/// Sorted once, at the edge, by what the caller does differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// Network, outage, time-out: try again later.
    Transient,
    /// The remote system asked us to slow down; try again after the wait.
    RateLimited {
        /// How long it asked us to wait, where it said so.
        retry_after: Option<Duration>,
    },
    /// The credentials are refused: the connection pauses until a person mends them.
    Credentials,
    /// The remote system understood and refused.
    Rejected {
        /// Its own code, or the HTTP status where it gave none.
        code: String,
    },
    /// What was asked for does not exist there.
    NotFound,
    /// This connector or this account cannot do it.
    Unsupported,
    /// The answer does not have the documented form.
    Unexpected,
}

/// A failed read, check or preparation.
#[derive(Debug, Clone)]
pub struct ConnectorError {
    /// What the caller should do.
    pub kind: ErrorKind,
    /// What happened, why, and what the person can do; no secrets.
    pub message: String,
}

impl ConnectorError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// A page in the place of an answer ([`crate::HttpResponse::is_page`]): it says nothing of what the service would have said.
    pub fn page(what: &str, status: u16) -> Self {
        Self::transient(format!("{what}: something on the way to the service answered {status} with a page"))
    }

    /// Try again later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transient, message)
    }

    /// The answer does not have the documented form.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unexpected, message)
    }

    /// The credentials are refused.
    pub fn credentials(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Credentials, message)
    }

    /// This connector or this account cannot do it.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Whether it says nothing about what was asked for, only about asking: waiting mends it, or a person who mends the
    /// credentials. What was asked for is asked for again then, and nothing may follow from this for it alone.
    pub fn is_of_asking(&self) -> bool {
        self.is_passing() || self.kind == ErrorKind::Credentials
    }

    /// Whether waiting alone may mend it.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, ErrorKind::Transient | ErrorKind::RateLimited { .. })
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectorError {}

/// A request that this remote system can never be asked for, found before anything is sent: a configuration or data fault
/// that a person mends.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct PlanError {
    /// What is wrong and what to do, for people.
    pub why: Cow<'static, str>,
    /// The part of the delivery address that is missing or cannot be used, where that is what is wrong.
    pub address: Option<&'static str>,
}

impl PlanError {
    /// With the text shown to people: what is wrong and what to do.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { why: message.into(), address: None }
    }

    /// The same, about this part of the delivery address.
    pub fn address(part: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { why: message.into(), address: Some(part) }
    }
}
