//! The desk: where a warehouse that calls us collects its shipment requests, and leaves what it has to say.
//!
//! Such a warehouse cannot be sent anything. The hub lays each request on a desk, once under its key; the warehouse takes it
//! from there when it asks, and puts down shipments and counts. The hub keeps the desk, and a connector works with it through
//! this seam, so that a connector needs no database.

use std::{fmt, str::FromStr};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ConnectorError, RequestState, Shipment, ShipmentRequest, StockFeed};

/// How a request on a desk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeskState {
    /// Nobody has said yet that they work on it.
    Waiting,
    /// The warehouse has it.
    Acknowledged,
    /// Everything that will leave has left.
    Closed,
    /// It is stopped: before anybody had it, or by the warehouse's yes.
    Cancelled,
    /// The warehouse will not ship it, by its own will.
    GivenUp,
}

impl DeskState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Acknowledged, Self::Closed, Self::Cancelled, Self::GivenUp];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
            Self::GivenUp => "given_up",
        }
    }
}

/// How a cancel of a request that the warehouse has stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAsked {
    /// Nobody asked for one.
    None,
    /// The warehouse is asked, and has not answered with no. Its yes is [`DeskState::Cancelled`].
    Asked,
    /// The warehouse said that it is too late.
    TooLate,
}

impl CancelAsked {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::None, Self::Asked, Self::TooLate];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asked => "asked",
            Self::TooLate => "too_late",
        }
    }
}

impl fmt::Display for DeskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for CancelAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names neither.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not how a request on a desk can stand")]
pub struct NotOfADesk(String);

impl FromStr for DeskState {
    type Err = NotOfADesk;

    fn from_str(text: &str) -> Result<Self, NotOfADesk> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| NotOfADesk(text.to_owned()))
    }
}

impl FromStr for CancelAsked {
    type Err = NotOfADesk;

    fn from_str(text: &str) -> Result<Self, NotOfADesk> {
        Self::ALL.into_iter().find(|cancel| cancel.as_str() == text).ok_or_else(|| NotOfADesk(text.to_owned()))
    }
}

/// A request that lies on a desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDesk {
    /// As it was laid there.
    pub request: ShipmentRequest,
    /// How it stands.
    pub state: DeskState,
    /// How a cancel of it stands.
    pub cancel: CancelAsked,
}

/// Something the warehouse has said about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// This left.
    Shipment(Shipment),
    /// The request of this key moved without shipping.
    State(String, RequestState),
}

/// Some of what the warehouse has said, in the order in which it was taken in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldPage {
    /// It.
    pub told: Vec<Told>,
    /// The number to go on after.
    pub reached: i64,
    /// Whether there is more.
    pub more: bool,
}

/// A count that the warehouse has left and nobody has dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedCount {
    /// The warehouse's id of it.
    pub id: String,
    /// The figures.
    pub feed: StockFeed,
}

/// The desk of one warehouse. A change is kept when it returns; when it fails, it may have been kept all the same.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Lays a request there. `Some`: there was one under its key, which stays as it is.
    async fn lay(&self, request: &ShipmentRequest) -> Result<Option<OnDesk>, ConnectorError>;

    /// What lies there under these keys.
    async fn look(&self, keys: &[String]) -> Result<Vec<OnDesk>, ConnectorError>;

    /// Takes back the request under a key: at once while nobody has it, otherwise by asking the warehouse. How it stands then;
    /// `None` where there is none. A repeat changes nothing.
    async fn take_back(&self, key: &str) -> Result<Option<OnDesk>, ConnectorError>;

    /// What the warehouse has said after this number, oldest first.
    async fn told(&self, after: i64) -> Result<ToldPage, ConnectorError>;

    /// Counts that were not dealt with, in the order in which they were taken in.
    async fn counts(&self) -> Result<Vec<PostedCount>, ConnectorError>;

    /// These counts were dealt with.
    async fn put_away(&self, counts: &[String]) -> Result<(), ConnectorError>;
}

/// Of what has no desk: a connector that is built to look at its settings, or in a test.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDesk;

fn none<T>() -> Result<T, ConnectorError> {
    Err(ConnectorError::unsupported("there is no desk here: nothing can be laid down or collected"))
}

#[async_trait]
impl Desk for NoDesk {
    async fn lay(&self, _request: &ShipmentRequest) -> Result<Option<OnDesk>, ConnectorError> {
        none()
    }

    async fn look(&self, _keys: &[String]) -> Result<Vec<OnDesk>, ConnectorError> {
        none()
    }

    async fn take_back(&self, _key: &str) -> Result<Option<OnDesk>, ConnectorError> {
        none()
    }

    async fn told(&self, _after: i64) -> Result<ToldPage, ConnectorError> {
        none()
    }

    async fn counts(&self) -> Result<Vec<PostedCount>, ConnectorError> {
        none()
    }

    async fn put_away(&self, _counts: &[String]) -> Result<(), ConnectorError> {
        none()
    }
}
