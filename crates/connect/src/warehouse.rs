//! The role of the system that ships.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ConnectorError, EffectDraft, Effects, Letters, LineRef, PlanError, RemoteRef, Shipment, ShipmentRequest,
    StockAdjustment, StockFeed,
};

/// What a test of the warehouse's settings reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarehouseCheck {
    /// One line per thing tested: what was reached.
    pub reached: Vec<String>,
    /// One line per thing that is not right but does not stop the connection.
    pub warnings: Vec<String>,
    /// Settings learned by the test, which the hub keeps once the person agrees (a host key, say).
    pub learned: BTreeMap<String, String>,
    /// Facilities to pick from, where the warehouse has them.
    pub facilities: Vec<String>,
    /// Carriers to map, where the warehouse lists them.
    pub carriers: Vec<CarrierChoice>,
}

/// The warehouse's own lists, from which settings and mappings are filled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarehouseChoices {
    /// Facilities, by the codes that stand in what it is sent and says.
    pub facilities: Vec<String>,
    /// Carriers.
    pub carriers: Vec<CarrierChoice>,
}

/// A carrier of the warehouse with its services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierChoice {
    /// Code used in requests.
    pub carrier: String,
    /// Service codes.
    pub services: Vec<String>,
}

/// What the warehouse says of a request that is not a shipment. A status it does not explain is `Working`, never success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// It is there, not started.
    Waiting,
    /// It is held there.
    Held,
    /// Picking, packing, or something unknown.
    Working,
    /// Nothing more of some of its lines will leave. Of the others nothing is said.
    LinesEnded(LinesEnded),
    /// Everything that will leave has left.
    Finished,
    /// It was cancelled there.
    Cancelled,
    /// It was there and is not any more.
    Gone,
}

/// What a warehouse says of lines of which nothing has left.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinesEnded {
    /// Nothing of these will leave.
    pub ended: Vec<LineRef>,
    /// Nothing of these has left, and the warehouse does not say that it is their end: where they were to be stopped, that is the
    /// yes (x12.md §8.2).
    pub none_left: Vec<LineRef>,
    /// What it says of those cannot be, unless they were to be stopped: why, for a person.
    pub odd: Option<String>,
    /// As [`Shipment::numbers_may_be_theirs`].
    #[serde(skip)]
    pub numbers_may_be_theirs: bool,
}

impl RequestState {
    /// How far it has come: of several orders under one key, the one that has come furthest says where the request stands.
    pub fn progress(&self) -> u8 {
        match self {
            Self::Gone | Self::Cancelled => 0,
            Self::Held => 1,
            Self::Waiting => 2,
            Self::Working | Self::LinesEnded(_) => 3,
            Self::Finished => 4,
        }
    }
}

/// How a cancel ended (docs/reliability.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelOutcome {
    /// Nothing will be shipped.
    Accepted,
    /// It had left, or is being picked; the normal flow goes on.
    TooLate,
    /// Some lines.
    Partly,
    /// No answer before the deadline; a person asks.
    Silent,
}

/// A file or page that was taken in, so that it is not acted upon twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// File name, or what names the page.
    pub name: String,
    /// Hash of the content.
    pub content_hash: String,
    /// As it came, for people; may be cut.
    pub content: Vec<u8>,
}

/// Something that came in and could not be used. Nothing of it was acted upon; it is kept for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedInput {
    /// What it was.
    pub input: Inbound,
    /// What is wrong, where (line, column), and what to do.
    pub reason: String,
    /// It is shown, and nothing waits for it: it is of a kind that says nothing of goods, so far as is known here. Otherwise stock
    /// counts wait until it is settled, since it may say what left.
    pub beside: bool,
    /// The key of the order it is of, as far as it says. A warehouse that others use as well lists their orders too, and what is
    /// wrong with those concerns nobody here. `None`: nothing says whose it is, so it is shown.
    pub key: Option<String>,
}

/// Where to go on reading. Opaque; taken from the remote system's own answers, never from our clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeedCursor(pub Option<String>);

/// What a warehouse was asked for, by keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeysAgain {
    /// The keys.
    pub keys: BTreeSet<String>,
    /// There are no others. Otherwise more may be there that it does not show.
    pub whole: bool,
}

/// One reading of shipments.
#[derive(Debug, Clone, Default)]
pub struct ShipmentPage {
    /// What left. May repeat what was read before.
    pub shipments: Vec<Shipment>,
    /// What left, where the warehouse does not give the request's key back but the order's reference: it stands in
    /// [`Shipment::key`]. It belongs to the one open request of that reference, if there is exactly one.
    pub by_reference: Vec<Shipment>,
    /// Requests that moved without shipping, by key.
    pub states: Vec<(String, RequestState)>,
    /// What was taken in; handed to [`Warehouse::acknowledge`] once the hub has committed it.
    pub taken: Vec<Inbound>,
    /// What could not be used.
    pub rejected: Vec<RejectedInput>,
    /// What is to be said of messages themselves.
    pub letters: Letters,
    /// Where to go on; kept in the same transaction as the shipments.
    pub next: FeedCursor,
    /// Whether there is more to read at once.
    pub more: bool,
}

/// One reading of stock.
#[derive(Debug, Clone, Default)]
pub struct StockPage {
    /// Complete feeds, oldest first.
    pub feeds: Vec<StockFeed>,
    /// Why figures were changed there.
    pub adjustments: Vec<StockAdjustment>,
    /// What was taken in.
    pub taken: Vec<Inbound>,
    /// What could not be used.
    pub rejected: Vec<RejectedInput>,
    /// What is to be said of messages themselves.
    pub letters: Letters,
}

/// What the warehouse has under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Its numbers there of what is neither cancelled nor a part of another: more than one is a duplicate (O1). Of what is
    /// cancelled altogether, those.
    pub references: Vec<String>,
    /// Where it stands; of several, that of the one that has come furthest.
    pub state: RequestState,
    /// What has left of it, as [`Shipment::reference`] names it, as far as the warehouse lists that.
    pub left: Vec<String>,
    /// Since when it stands so, as far as the warehouse says: when the last of it left, or when it was last changed there.
    pub since: Option<Timestamp>,
}

/// What the warehouse answers when it is asked what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sightings {
    /// By key, whatever state it is in, cancelled included.
    pub found: BTreeMap<String, Sighting>,
    /// `None`: a key that is not in `found` is not there. Otherwise why not finding a key says nothing.
    pub blind: Option<String>,
}

impl Sightings {
    /// It cannot be asked, for this reason.
    pub fn blind(why: impl Into<String>) -> Self {
        Self { found: BTreeMap::new(), blind: Some(why.into()) }
    }
}

/// What a warehouse connector can do beside the main line. What is not named is [`ConnectorError::unsupported`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarehouseFeature {
    /// Requests are put there held, then released.
    Release,
    /// Requests can be cancelled.
    Cancel,
    /// It does not answer a cancel: what it does, or what a person is told there, is the answer.
    CancelUnanswered,
    /// Stock can be read.
    Stock,
    /// The warehouse calls us.
    Webhooks,
    /// The warehouse collects its requests from our desk, and has keys of its own for it.
    Collects,
}

/// A call from the warehouse, as it came.
#[derive(Debug, Clone)]
pub struct WebhookCall {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Raw body.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
}

/// What a verified call hints at. A hint, not data: the truth is read afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookHint {
    /// Tells repeats apart.
    pub event_id: String,
    /// Its name for the event.
    pub event: String,
    /// What it is about.
    pub subject: String,
}

/// The system that ships.
#[async_trait]
pub trait Warehouse: Effects {
    /// Signs in and looks around with the calls that real work uses, or says plainly what is wrong.
    async fn check(&self) -> Result<WarehouseCheck, ConnectorError>;

    /// The warehouse's own lists. Reads only; a warehouse that lists nothing, as one that is driven by files, has nothing to read.
    async fn choices(&self) -> Result<WarehouseChoices, ConnectorError> {
        Ok(WarehouseChoices::default())
    }

    /// The place from which it takes what the warehouse writes, where that goes away by being taken: of two that take from one
    /// place each gets what the other should have had.
    fn takes_from(&self) -> Option<String> {
        None
    }

    /// What it can do beside the main line.
    fn features(&self) -> &'static [WarehouseFeature];

    /// Puts requests there: one effect each (or the reason why it cannot be), in order. Requests given together may share a
    /// batch. `now` is written into what is sent where the format wants a time; it never enters the key. Pure.
    fn plan_submit(&self, requests: &[ShipmentRequest], now: Timestamp) -> Vec<Result<EffectDraft, PlanError>>;

    /// Lets a held request be picked; `None` where requests are not held. Pure.
    fn plan_release(&self, key: &str, reference: &RemoteRef) -> Option<EffectDraft>;

    /// Stops a request. A cancel that ends otherwise than in the warehouse's yes says so in the fact `outcome` of its
    /// reference: `too_late` or `partly`; `asked` where the warehouse has been told and answers by what it does, as a message
    /// that nobody answers is: then a reported [`RequestState::Cancelled`], or [`RequestState::LinesEnded`] of all its lines, is the
    /// yes, and the deadline holds. `now` as in
    /// [`Warehouse::plan_submit`]. Pure.
    fn plan_cancel(&self, key: &str, reference: &RemoteRef, now: Timestamp) -> Result<EffectDraft, PlanError>;

    /// Whether a cancel refused with this code ([`crate::Sent::Refused`]) came too late: what it was for has left or is being
    /// worked on. Any other refusal is a person's matter. Pure.
    fn too_late(&self, _code: &str) -> bool {
        false
    }

    /// What left since the cursor.
    async fn shipments(&self, cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError>;

    /// Reads again what left since a time and was put away since, for a hub that has lost what it knew of it. Reads only;
    /// nothing of it is acknowledged. A warehouse whose readings go by the cursor alone has nothing to add.
    async fn shipments_again(&self, _since: Timestamp, _cursor: &FeedCursor) -> Result<ShipmentPage, ConnectorError> {
        Ok(ShipmentPage::default())
    }

    /// Keys with this beginning under which the warehouse was asked for something since a time, and which it has not cancelled,
    /// for a hub that has lost what it asked for. More than those is allowed, and where each of them stands is not said. Reads
    /// only. A warehouse that shows only what is asked for by its whole key, or forgets with the hub, has nothing to say.
    async fn keys_again(&self, _head: &str, _since: Timestamp) -> Result<KeysAgain, ConnectorError> {
        Ok(KeysAgain::default())
    }

    /// What the warehouse has under these keys, asked of the warehouse itself and of nobody else. Reads only. One that
    /// cannot be asked says so, and is then never held to what it did not say.
    ///
    /// # Errors
    /// When it can be asked and did not answer.
    async fn sightings(&self, _keys: &[String]) -> Result<Sightings, ConnectorError> {
        Ok(Sightings::blind("this warehouse cannot be asked what it has"))
    }

    /// What the warehouse counts.
    async fn stock(&self) -> Result<StockPage, ConnectorError>;

    /// Puts away what the hub has committed, and sets aside what it could not use, so that folders stay small. Called again
    /// after a crash; losing the call is harmless.
    async fn acknowledge(&self, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), ConnectorError>;

    /// Verifies a call from the warehouse and says what it hints at.
    async fn parse_webhook(&self, call: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError>;
}
