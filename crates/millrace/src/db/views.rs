//! What lists ask for and give, and one order whole.

use connect::{
    Capture, ConnectionId, EffectId, EffectKind, MerchantId, NoteRow, Order, OrderId, RemoteRef, RequestLine,
};
use engine::{effect::EffectState, order::OrderState};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use super::EditView;

/// Some rows, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Pass it as `after` for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Which orders.
#[derive(Debug, Clone, Default)]
pub struct OrderQuery {
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Of this brand.
    pub merchant: Option<MerchantId>,
    /// In one of these states; empty: all but archived ones.
    pub states: Vec<OrderState>,
    /// Beginnings of words in number, reference, names, address, e-mail, SKUs or tracking numbers; all of them.
    pub text: String,
    /// Placed at or after.
    pub placed_from: Option<Timestamp>,
    /// Placed before.
    pub placed_to: Option<Timestamp>,
    /// First imported at or after.
    pub imported_from: Option<Timestamp>,
    /// First imported before.
    pub imported_to: Option<Timestamp>,
    /// Go on after this id.
    pub after: Option<String>,
    /// Rows at most; 1 to 500.
    pub limit: u32,
}

/// Which shipments.
#[derive(Debug, Clone, Default)]
pub struct ShipmentQuery {
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// Told to the source, or not.
    pub confirmed: Option<bool>,
    /// With something for a person, or without.
    pub needs_person: Option<bool>,
    /// Beginnings of words in the warehouse's own id, key, order number or tracking numbers; all of them.
    pub text: String,
    /// Go on after this id.
    pub after: Option<String>,
    /// Rows at most; 1 to 500.
    pub limit: u32,
}

/// Which effects.
#[derive(Debug, Clone, Default)]
pub struct EffectQuery {
    /// Of this connection.
    pub connection: Option<ConnectionId>,
    /// In one of these states; empty: any.
    pub states: Vec<EffectState>,
    /// Of this kind.
    pub kind: Option<EffectKind>,
    /// Go on after this id.
    pub after: Option<String>,
    /// Rows at most; 1 to 500.
    pub limit: u32,
}

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// The hub's id.
    pub id: OrderId,
    /// Whose.
    pub merchant: MerchantId,
    /// Which connection imported it.
    pub connection: ConnectionId,
    /// The source's order id.
    pub order_id: i64,
    /// The customer's or shop's reference.
    pub reference: String,
    /// Name and place, one line.
    pub ship_to: String,
    /// When the customer placed it.
    pub placed_at: Timestamp,
    /// When it was first imported.
    pub imported_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// Where it stands.
    pub state: OrderState,
    /// Why.
    pub reason: String,
    /// Held by a person: why.
    pub held_reason: Option<String>,
}

/// A request of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestView {
    /// The hub's id.
    pub id: String,
    /// Its key at the warehouse.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// What is asked for.
    pub lines: Vec<RequestLine>,
    /// Still wanted.
    pub live: bool,
    /// The warehouse may have it.
    pub sent: bool,
    /// The warehouse says nothing more will leave.
    pub finished: bool,
    /// The warehouse shows it as cancelled.
    pub cancelled_there: bool,
    /// The warehouse says that it could not read it.
    pub turned_down: bool,
    /// A cancel is wanted: why.
    pub cancel_wanted: Option<String>,
    /// What a person is needed for.
    pub problem: Option<String>,
    /// The time for second thoughts runs until then.
    pub leaves_at: Option<Timestamp>,
    /// A cancel or change that came after it was sent.
    pub race: Option<RaceView>,
}

/// A cancel or change that came after a request was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RaceView {
    /// What is wanted, and how it stands.
    pub shown: engine::race::Shown,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// When the outcome last changed.
    pub outcome_at: Timestamp,
    /// It was taken back.
    pub withdrawn: bool,
    /// What became of it, oldest first.
    pub steps: Vec<RaceStepView>,
}

/// One line of a race's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RaceStepView {
    /// When.
    pub at: Timestamp,
    /// `asked`, `by_hand`, `withdrawn`, `answered`, `decided`, `again`, or an outcome.
    pub step: String,
    /// Who; empty for the program.
    pub actor: String,
    /// For people.
    pub words: String,
}

/// A shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShipmentView {
    /// The hub's id.
    pub id: String,
    /// Which connection read it.
    pub connection: ConnectionId,
    /// The hub's order, once known.
    pub order: Option<OrderId>,
    /// As the warehouse reported it.
    pub shipment: connect::Shipment,
    /// When everything about it was told to the source.
    pub confirmed_at: Option<Timestamp>,
    /// What a person is needed for.
    pub problem: Option<String>,
    /// What of the order's rows left with it; empty until that is worked out.
    pub rows: Vec<NoteRow>,
}

/// An effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectView {
    /// Its id.
    pub id: EffectId,
    /// Which connection's.
    pub connection: ConnectionId,
    /// What it does.
    pub kind: EffectKind,
    /// Its key.
    pub key: String,
    /// For people.
    pub title: String,
    /// Where it stands.
    pub state: String,
    /// Why.
    pub note: String,
    /// Times armed.
    pub attempt: i64,
    /// The hub's order.
    pub order: Option<OrderId>,
    /// What came to be.
    pub remote: Option<RemoteRef>,
    /// When the journal looks again.
    pub next_at: Timestamp,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// What was done once for an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptView {
    /// The effect.
    pub effect: EffectId,
    /// `send`, `probe`, `prepare`, `decision`.
    pub what: String,
    /// The outcome in one word.
    pub outcome: String,
    /// Where the effect stood afterwards.
    pub state: String,
    /// Why.
    pub note: String,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// Milliseconds.
    pub took_ms: i64,
    /// When it was written down.
    pub recorded_at: Timestamp,
    /// Request and answer, secrets removed.
    pub capture: Option<Capture>,
}

/// One order with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderDetail {
    /// As in the list.
    pub view: OrderView,
    /// As the source held it when it was last planned.
    pub order: Order,
    /// Its requests.
    pub requests: Vec<RequestView>,
    /// What has left, oldest first.
    pub shipments: Vec<ShipmentView>,
    /// Its effects, oldest first.
    pub effects: Vec<EffectView>,
    /// What was done for them, oldest first.
    pub attempts: Vec<AttemptView>,
    /// What people want otherwise than the source says.
    pub edits: Vec<EditView>,
    /// Grows with every edit.
    pub edition: i64,
}

/// A stock figure of the warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LevelView {
    /// The warehouse's SKU.
    pub sku: String,
    /// The facility; empty where there is one only.
    pub facility: String,
    /// Available figure.
    pub available: Option<Decimal>,
    /// Physical figure.
    pub physical: Option<Decimal>,
    /// The moment it speaks of.
    pub cut_off: Timestamp,
    /// The feed it came with.
    pub feed: String,
}
