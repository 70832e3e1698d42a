//! Effects as they go into the journal's table and come out of it.

use connect::{EffectDraft, EffectId, EffectKind, OrderId, RemoteRef, RequestId, ShipmentId};
use engine::effect::EffectState;
use jiff::Timestamp;

/// What an effect is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Order.
    pub order: Option<OrderId>,
    /// Request.
    pub request: Option<RequestId>,
    /// Shipment.
    pub shipment: Option<ShipmentId>,
    /// Product, for stock.
    pub product_id: Option<i64>,
    /// The source's warehouse, for stock.
    pub warehouse_id: Option<i64>,
}

/// An effect to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEffect {
    /// The hub's id (made by the caller).
    pub id: EffectId,
    /// What the connector planned.
    pub draft: EffectDraft,
    /// Effects of one lane go one at a time, in order of their ids.
    pub lane: String,
    /// What it is about.
    pub subject: Subject,
    /// Not before.
    pub not_before: Option<Timestamp>,
}

/// Effects taken on.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// What is due.
    pub rows: Vec<EffectRow>,
    /// When, on the database's clock.
    pub at: Timestamp,
}

/// An effect as the journal holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectRow {
    /// Its id.
    pub id: EffectId,
    /// What it does.
    pub kind: EffectKind,
    /// Unique per connection and kind.
    pub key: String,
    /// Grows when a person or a mapping gives it a new payload.
    pub revision: u32,
    /// Sent together.
    pub batch: Option<String>,
    /// One at a time.
    pub lane: String,
    /// Frozen payload.
    pub body: String,
    /// SHA-256 of the payload, hex.
    pub body_sha256: String,
    /// For people.
    pub title: String,
    /// Where it stands.
    pub state: EffectState,
    /// Times armed.
    pub attempt: u32,
    /// Times unknown.
    pub unknowns: u32,
    /// Negative probes since last armed.
    pub negatives: u32,
    /// Grows with every claim; a write with an older one does nothing.
    pub fence: i64,
    /// When it was last armed.
    pub armed_at: Option<Timestamp>,
    /// What was there before sending.
    pub baseline: Option<serde_json::Value>,
    /// What came to be.
    pub remote: Option<RemoteRef>,
    /// What settled it, or why it is where it is.
    pub note: String,
    /// Its running number, where what is sent carries one.
    pub number: Option<u32>,
    /// What it is about.
    pub subject: Subject,
    /// A journal that was lost may have sent it: nothing of it goes out before it was looked for.
    pub suspect: bool,
}

/// One effect to arm.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Which.
    pub id: EffectId,
    /// As claimed.
    pub fence: i64,
    /// As claimed.
    pub from: EffectState,
    /// As prepared.
    pub baseline: serde_json::Value,
}

/// The row that one attempt leaves.
#[derive(Debug, Clone, Default)]
pub struct AttemptRow {
    /// `send`, `probe`, `prepare`, `decision`.
    pub what: &'static str,
    /// The outcome in one word.
    pub outcome: String,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub took_ms: i64,
    /// Request and answer, secrets removed.
    pub capture: Option<connect::Capture>,
}

/// The outcome of an attempt that found nothing to look at: see [`super::Look::CannotAsk`].
pub const CANNOT_ASK: &str = "cannot be asked";

/// The baseline of an effect that was there before anything was sent.
pub fn found_before_sending() -> serde_json::Value {
    serde_json::json!({ FOUND: true })
}

/// Whether this is [`found_before_sending`]: what is there may be somebody else's doing.
pub fn was_found(baseline: &serde_json::Value) -> bool {
    baseline[FOUND] == true
}

const FOUND: &str = "found_before_sending";

/// What became of one claimed effect.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which.
    pub id: EffectId,
    /// As claimed.
    pub fence: i64,
    /// States passed through, in order, each a permitted edge; empty: stays where it is, the claim is given back.
    pub path: Vec<EffectState>,
    /// When the journal looks again.
    pub next_at: Option<Timestamp>,
    /// What settled it.
    pub note: String,
    /// What came to be.
    pub remote: Option<RemoteRef>,
    /// Count a negative probe.
    pub negative: bool,
    /// Kept with the row when the path begins by arming (found before sending).
    pub baseline: Option<serde_json::Value>,
    /// What was done.
    pub attempt: AttemptRow,
}

/// A person's decision on an effect (docs/reliability.md, last rows).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectDecision {
    /// Refused, voided or parked: it goes again. From *parked* the person says that it is not there.
    Retry,
    /// Parked: it is there.
    Applied(RemoteRef),
    /// Not wanted any more. From *parked* the person says that it is not there.
    Void,
}
