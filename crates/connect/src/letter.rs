//! Messages that are exchanged in both directions, as letters are: each is known by a number, and each side says that it has
//! read the other's.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{ConnectorError, EffectDraft};

/// What one reading says about messages themselves, beside what stands in them. A connector that does not exchange messages has
/// none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letters {
    /// Messages that were taken in, so that they are known when they come again.
    pub marks: Vec<Mark>,
    /// Changes that tell the warehouse that its messages were read. One whose key is planned already is left as it is: what is
    /// read twice is answered once.
    pub answers: Vec<EffectDraft>,
    /// What the warehouse says of messages of ours.
    pub receipts: Vec<Receipt>,
    /// For how long a message must be known after it was taken in: what its sender counts it by comes again afterwards. `None`:
    /// for ever.
    pub known_for: Option<SignedDuration>,
}

impl Letters {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.answers.is_empty() && self.receipts.is_empty()
    }
}

/// By what a message is known when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What its sender counts it by: who sends to whom, and the number.
    pub name: String,
    /// Hash of its content.
    pub content_hash: String,
    /// When it was written, as its sender says in it.
    pub written: Option<Timestamp>,
    /// The content that was known under the name before, where another one may take its place.
    pub instead_of: Option<String>,
}

/// A message that was taken in before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Hash of its content.
    pub content_hash: String,
    /// When it was taken in.
    pub at: Timestamp,
    /// When it was written, as its sender said; `None` where it did not, and of what was taken in before that was kept.
    pub written: Option<Timestamp>,
}

impl Known {
    /// When it was written at the latest.
    pub fn written_by(&self) -> Timestamp {
        self.written.unwrap_or(self.at)
    }
}

/// What the receiver of a message says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The running number of the message ([`crate::Effect::number`]).
    pub number: u32,
    /// How it was received.
    pub reception: Reception,
}

/// How a message was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reception {
    /// It was read.
    Read,
    /// It could not be read, and nothing of what stands in it was taken in: why, for people. Only where those very words came.
    Refused(String),
    /// Something that says neither, for people.
    Unclear(String),
}

/// The messages that a connection has taken in; kept by the hub.
#[async_trait]
pub trait Marks: Send + Sync {
    /// Those of these names that were taken in before.
    ///
    /// # Errors
    /// When the hub's memory cannot be reached.
    async fn known(&self, names: &[String]) -> Result<BTreeMap<String, Known>, ConnectorError>;

    /// Of those whose names are this series, a space and a number, the one with the highest number.
    ///
    /// # Errors
    /// When the hub's memory cannot be reached.
    async fn highest(&self, series: &str) -> Result<Option<(u64, Known)>, ConnectorError>;
}

/// A memory of nothing: for connectors that are tried or shown and are no connection's.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMarks;

#[async_trait]
impl Marks for NoMarks {
    async fn known(&self, _: &[String]) -> Result<BTreeMap<String, Known>, ConnectorError> {
        Ok(BTreeMap::new())
    }

    async fn highest(&self, _: &str) -> Result<Option<(u64, Known)>, ConnectorError> {
        Ok(None)
    }
}
