//! Access that an account's owner granted by OAuth: tokens that the hub keeps, and that a connector renews.
//!
//! A refresh token works once: whoever uses it must be the only one, and must have kept what came before anybody works with
//! it. So the hub keeps the tokens and says whose turn it is, over all its nodes; the connector makes the call.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{ConnectorError, Secret};

/// Tokens as kept.
#[derive(Clone)]
pub struct Grant {
    /// Grows with every pair of tokens.
    pub version: u64,
    /// Sent with each call.
    pub access: Secret,
    /// Gets the next pair.
    pub refresh: Secret,
    /// Where the access token is to be used: a bare host name, as the authorisation server told it.
    pub api_domain: String,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// Why it cannot be used any more: then only a new consent helps.
    pub lost: Option<String>,
}

/// Tokens as the authorisation server gave them.
#[derive(Clone)]
pub struct NewTokens {
    /// The access token.
    pub access: Secret,
    /// The refresh token.
    pub refresh: Secret,
    /// A bare host name; empty where none was told.
    pub api_domain: String,
    /// When the access token ends.
    pub expires_at: Timestamp,
}

/// How a refresh ended.
pub enum Refreshed {
    /// With new tokens.
    Tokens(NewTokens),
    /// Certainly nothing left, or it was refused for another reason than the refresh token.
    NotSent,
    /// No whole answer arrived: the old token may be used up.
    Unanswered,
    /// The refresh token is not taken.
    Refused,
}

/// The grant of one store.
#[async_trait]
pub trait Grants: Send + Sync {
    /// As it is kept now; `None` until there is one.
    async fn current(&self) -> Result<Option<Grant>, ConnectorError>;

    /// Takes the turn of refreshing this version, and says until when it is: by that it is known at its end. `None`: it is
    /// somebody else's, or over. [`Grants::current`] then tells more.
    async fn begin_refresh(&self, version: u64) -> Result<Option<Timestamp>, ConnectorError>;

    /// Ends the turn that was taken until then, and keeps what came.
    async fn end_refresh(&self, version: u64, until: Timestamp, came: Refreshed) -> Result<(), ConnectorError>;
}

/// Of what has no store: nothing was granted.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGrants;

#[async_trait]
impl Grants for NoGrants {
    async fn current(&self) -> Result<Option<Grant>, ConnectorError> {
        Ok(None)
    }

    async fn begin_refresh(&self, _version: u64) -> Result<Option<Timestamp>, ConnectorError> {
        Ok(None)
    }

    async fn end_refresh(&self, _version: u64, _until: Timestamp, _came: Refreshed) -> Result<(), ConnectorError> {
        Ok(())
    }
}
