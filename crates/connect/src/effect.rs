//! Changes to a remote system, and how they are made once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ConnectorError, EffectId, ErrorKind};

/// Which of a connection's two remote systems is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The order source.
    Source,
    /// The warehouse.
    Warehouse,
}

/// What a change does. Every change the hub can make to a remote system is one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// Warehouse: put the shipment request there.
    SubmitRequest,
    /// Warehouse: let a held request be picked.
    ReleaseRequest,
    /// Warehouse: stop a request.
    CancelRequest,
    /// Warehouse: say that a message of its own was read, and what was made of it.
    Acknowledge,
    /// Source: create the goods-out note (GON) for what left.
    CreateNote,
    /// Source: delete an unshipped goods-out note.
    DeleteNote,
    /// Source: write tracking and shipping method on the note. Must precede [`EffectKind::PostShipped`] (S3).
    UpdateShipping,
    /// Source: the shipped event. Cannot be undone.
    PostShipped,
    /// Source: set the order's status.
    SetStatus,
    /// Source: add a note to the order.
    AddOrderNote,
    /// Source: one line of a stock correction, a signed difference.
    CorrectStock,
}

impl EffectKind {
    /// Every kind, in the order of the line the goods travel.
    pub const ALL: [Self; 11] = [
        Self::SubmitRequest,
        Self::ReleaseRequest,
        Self::CancelRequest,
        Self::Acknowledge,
        Self::CreateNote,
        Self::DeleteNote,
        Self::UpdateShipping,
        Self::PostShipped,
        Self::SetStatus,
        Self::AddOrderNote,
        Self::CorrectStock,
    ];

    /// The name used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubmitRequest => "submit_request",
            Self::ReleaseRequest => "release_request",
            Self::CancelRequest => "cancel_request",
            Self::Acknowledge => "acknowledge",
            Self::CreateNote => "create_note",
            Self::DeleteNote => "delete_note",
            Self::UpdateShipping => "update_shipping",
            Self::PostShipped => "post_shipped",
            Self::SetStatus => "set_status",
            Self::AddOrderNote => "add_order_note",
            Self::CorrectStock => "correct_stock",
        }
    }

    /// Which remote system it changes.
    pub fn side(self) -> Side {
        match self {
            Self::SubmitRequest | Self::ReleaseRequest | Self::CancelRequest | Self::Acknowledge => Side::Warehouse,
            Self::CreateNote
            | Self::DeleteNote
            | Self::UpdateShipping
            | Self::PostShipped
            | Self::SetStatus
            | Self::AddOrderNote
            | Self::CorrectStock => Side::Source,
        }
    }
}

impl fmt::Display for EffectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no effect kind.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a kind of effect")]
pub struct NotAnEffectKind(String);

impl FromStr for EffectKind {
    type Err = NotAnEffectKind;

    fn from_str(text: &str) -> Result<Self, NotAnEffectKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| NotAnEffectKind(text.to_owned()))
    }
}

/// A change as it is planned: everything about it that never alters again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectDraft {
    /// What it does.
    pub kind: EffectKind,
    /// Unique per connection and kind; deterministic, so planning twice gives one effect. For stock corrections it holds the
    /// marker, drawn once.
    pub key: String,
    /// Effects with the same batch are sent with one call, in order of their place. `None`: alone.
    pub batch: Option<String>,
    /// The connector's own JSON, frozen here (R9): repeats are byte-identical. What is only known when it is sent (a version
    /// for If-Match, say) is resolved by [`Effects::prepare`].
    pub body: String,
    /// One line for people, e.g. "Create goods-out note for order 100001 (2 lines)".
    pub title: String,
    /// The series it takes a running number from, where what is sent carries one (a control number, say).
    pub numbering: Option<Numbering>,
}

/// A series of running numbers that go into changes. The number is taken in the transaction that plans the change, so that
/// the series has no gaps and a repeat has the same number; it stays with the change also when that is planned again, which
/// happens only where nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// Names the series among those of the merchant; connections that share it count together.
    pub series: String,
    /// The first number. A higher one than was reached begins there, for a receiver who has seen higher ones.
    pub first: u32,
    /// The last number; the next is 1.
    pub last: u32,
    /// Within which time the receiver says that it has read what carries the number ([`crate::Receipt`]), counted from when it
    /// was sent; divided like every other wait. `None`: it says nothing.
    pub acknowledged_within: Option<Duration>,
}

/// A change as a connector gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The hub's id.
    pub id: EffectId,
    /// What it does.
    pub kind: EffectKind,
    /// As planned.
    pub key: String,
    /// As planned.
    pub batch: Option<String>,
    /// As planned.
    pub body: String,
    /// What [`EffectDraft::numbering`] gave it.
    pub number: Option<u32>,
    /// The [`Armed::baseline`] of its last attempt, where there was one: whatever was made of its outcome, that attempt may
    /// still take effect.
    pub tried: Option<Value>,
    /// Ids at the remote system that are known to be something else of the hub's: for a goods-out note, the notes of the same
    /// order that are requests or were made for other shipments. None of them is taken for this change's, however alike, and
    /// none is a stranger's. Filled where a note is to be made, empty for everything else.
    pub others: BTreeSet<String>,
}

/// A change whose intent is committed: the only form in which it may be sent or probed.
#[derive(Debug, Clone, PartialEq)]
pub struct Armed {
    /// The change.
    pub effect: Effect,
    /// What [`Effects::prepare`] found: the situation before sending, and the ids and versions to send with.
    pub baseline: Value,
    /// From 1.
    pub attempt: u32,
    /// Committed before the first byte (R1).
    pub armed_at: Timestamp,
}

/// What [`Effects::prepare`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Prepared {
    /// Nothing in the way. Kept with the effect and handed to `send` and `probe`.
    Ready {
        /// What is there now, and what to send with.
        baseline: Value,
    },
    /// It is there already, or something in its place: what a probe would say. Nothing will be sent.
    Found(Probe),
    /// A condition does not hold yet; ask again later.
    NotYet {
        /// For people.
        why: String,
    },
    /// A condition cannot come to hold any more, e.g. the order is gone; a person decides.
    Impossible {
        /// For people.
        why: String,
    },
}

/// The outcome of one change (docs/reliability.md).
#[derive(Debug, Clone)]
pub enum Sent {
    /// Certainly nothing left: no connection, own limiter refused, credentials refused before the call was taken in.
    NotSent {
        /// Why.
        cause: ConnectorError,
    },
    /// The documented throttle answer: certainly no effect.
    Throttled {
        /// As told.
        wait: Option<Duration>,
    },
    /// Done.
    Accepted {
        /// What came to be, where the answer names it.
        reference: Option<RemoteRef>,
    },
    /// Refused in the remote system's own error form: certainly no effect.
    Refused {
        /// Its code, or the HTTP status.
        code: String,
        /// Its words.
        message: String,
    },
    /// Everything else.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Sent {
    /// Not sent, for this reason.
    pub fn not_sent(kind: ErrorKind, why: impl Into<String>) -> Self {
        Self::NotSent { cause: ConnectorError::new(kind, why) }
    }

    /// Unknown, for this reason.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }
}

/// One request and its answer as kept for people, secrets removed, texts cut to a readable length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// E.g. `POST https://…/goods-note/goods-out`, or `rename a to b`.
    pub request: String,
    /// What was sent.
    pub request_body: String,
    /// Status of the answer; 0 where there was none.
    pub status: u16,
    /// What came back.
    pub response_body: String,
}

/// What [`Effects::send`] returns: one outcome for each effect of the batch, in their order.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// As many as effects were given.
    pub outcomes: Vec<Sent>,
    /// The exchange, for the attempt's row.
    pub capture: Option<Capture>,
}

impl Delivery {
    /// The same outcome for each of `count` effects.
    pub fn all(count: usize, outcome: &Sent, capture: Option<Capture>) -> Self {
        Self { outcomes: vec![outcome.clone(); count], capture }
    }
}

/// What something is called at the remote system: its id there, and words the hub wants to keep with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteRef {
    /// The remote system's id.
    pub id: String,
    /// Further facts, e.g. `created_by`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl RemoteRef {
    /// With no further facts.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), facts: BTreeMap::new() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// What a probe found (R5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Nothing.
    Absent,
    /// Exactly one, and equal.
    Equal(RemoteRef),
    /// One, and different, or not ours.
    Different {
        /// What is there.
        reference: RemoteRef,
        /// How it differs, for people.
        difference: String,
    },
    /// Two and more: a duplicate.
    Many(Vec<RemoteRef>),
    /// Nothing that carries our mark, but what is there does not add up without it: it may be there and not show yet (stock
    /// corrections, whose search lags behind the figures).
    Unaccounted {
        /// What does not add up, for people.
        why: String,
    },
    /// Somebody else moved the target on; it must not be overwritten (status updates).
    MovedOn {
        /// Where it stands.
        state: String,
    },
}

/// What a look without a memory of what was there before found: for effects that a journal which has been lost may have sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundAgain {
    /// As a probe says it. *Absent* means that it would be seen if it were there.
    Seen(Probe),
    /// Several that could each be it, equal in everything that the effect says, by age. What belongs to other effects is for
    /// the caller to tell, who also knows the tracking (the fact `reference` of each, empty where none is written).
    AnyOf(Vec<RemoteRef>),
    /// The remote system keeps nothing that could be looked at.
    CannotBeAsked {
        /// What a person must compare, and with what.
        compare: String,
    },
}

/// How a remote system can be driven for one kind of effect (docs/reliability.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Capability {
    /// C1: an idempotency key.
    IdempotencyKey,
    /// C2: a unique natural key; a second create is refused.
    UniqueKey,
    /// C3: a conditional write.
    ConditionalWrite,
    /// C4: strongly readable by our key.
    StrongRead,
    /// C5: readable by our key with a lag.
    LaggingRead,
    /// C6: sets an absolute value.
    AbsoluteSet,
    /// C7: can be created held.
    Held,
    /// C8: write-only.
    WriteOnly,
}

/// What a connector can promise for one kind of effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Its classes.
    pub classes: &'static [Capability],
    /// How long a change may stay invisible to the probe (L_index), divided like every other wait. That of a warehouse's
    /// [`SubmitRequest`](EffectKind::SubmitRequest) is also how long what left may be missing from what is read of shipments.
    pub index_lag: Duration,
}

impl Capabilities {
    /// Whether a repeat is safe after one read: C1, C2, C3 and C6 targets (R3).
    pub fn repeat_is_safe(&self) -> bool {
        self.classes.iter().any(|class| {
            matches!(
                class,
                Capability::IdempotencyKey
                    | Capability::UniqueKey
                    | Capability::ConditionalWrite
                    | Capability::AbsoluteSet
            )
        })
    }

    /// Whether it belongs to this class.
    pub fn has(&self, class: Capability) -> bool {
        self.classes.contains(&class)
    }
}

/// Carrying out changes. Called by the journal alone.
#[async_trait]
pub trait Effects: Send + Sync {
    /// What this connector can promise for one kind of effect; `None` where it cannot do it at all.
    fn capabilities(&self, kind: EffectKind) -> Option<Capabilities>;

    /// How many effects are worth preparing or looking up in one call of [`Effects::prepare`] or [`Effects::probe`]. Where each of
    /// them needs calls of its own, few: what is claimed must be prepared and sent before the claim ends, at the pace of the target's
    /// call budget.
    fn together(&self) -> usize {
        100
    }

    /// Looks at what is there, for several effects of one kind with as few calls as possible: one answer each, in order.
    /// May put inert things in place (an upload under a temporary name), nothing that anybody acts upon. May be repeated.
    async fn prepare(&self, effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError>;

    /// Waits until one change of this kind may be made, where calls are scarce. Called before the intent is committed, so
    /// that nothing waits for a turn while it counts as on its way; [`Effects::send`] does not wait again.
    async fn reserve(&self, _kind: EffectKind) {}

    /// Makes the change of one batch, once: one outcome each, in order. No retry, no redirect. `until`, on the monotonic
    /// clock, is the whole-call limit counted from the commit of the intent (D_http): nothing leaves later, and an answer that
    /// has not come by then leaves the outcome unknown.
    async fn send(&self, batch: &[Armed], until: Duration) -> Delivery;

    /// Looks for what `send` would have made, for several effects of one kind: one answer each, in order. Reads only.
    async fn probe(&self, effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError>;

    /// Looks for what a journal that has been lost may have made of these effects of one kind since a time: one answer each,
    /// in order. Their baseline is null unless they had been sent before it was lost. Reads only, and puts nothing in place.
    ///
    /// As it is here it serves targets whose [`Effects::prepare`] looks for the change itself and leaves nothing behind.
    async fn find_again(&self, effects: &[Armed], _since: Timestamp) -> Result<Vec<FoundAgain>, ConnectorError> {
        let wanted: Vec<Effect> = effects.iter().map(|armed| armed.effect.clone()).collect();
        let prepared = self.prepare(&wanted).await?;
        Ok(prepared
            .into_iter()
            .map(|prepared| match prepared {
                Prepared::Found(probe) => FoundAgain::Seen(probe),
                Prepared::Ready { .. } | Prepared::NotYet { .. } | Prepared::Impossible { .. } => {
                    FoundAgain::Seen(Probe::Absent)
                }
            })
            .collect())
    }
}
