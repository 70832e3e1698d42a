//! What goes into the database and comes out of it, in the hub's own types.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{
    ConnectionId, EffectDraft, EffectKind, EventId, MerchantId, Order, OrderId, Prepared, RemoteRef, RequestId,
    RequestLine, Secret, ShipMethod, Shipment, ShipmentId, Side, StoreId, TenantId, WarehouseId,
};
use engine::{
    effect::{EffectState, later},
    order::{Disposition, OrderState},
    schedule::{self, Rule},
    settings::ConnectionSettings,
};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{NewEffect, StoreKey};

/// Whose rows a query may touch. There is no way into a table of merchants' data without one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The organisation.
    pub tenant: TenantId,
    /// One of its brands.
    pub merchant: MerchantId,
}

/// Whose rows a transaction may touch, as the database's own wall sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The installation's own rows, and nobody's data.
    System,
    /// Everything of one organisation.
    Tenant(TenantId),
    /// One of its brands.
    Merchant(Scope),
    /// Some of its brands: what a person limited to them may look at. Nothing of a brand is written with it.
    Merchants(TenantId, BTreeSet<MerchantId>),
}

impl Access {
    /// What queries and PostgreSQL's row-level policies compare with: tenant and merchant, `*` for all of the tenant's.
    ///
    /// Several merchants are separated by commas. Queries that both databases understand look for a row's merchant in that
    /// text (`replace($2, merchant, '') <> $2`), which is exact: ids have one length, and no id holds a comma.
    pub(super) fn setting(&self) -> (&str, Cow<'_, str>) {
        match self {
            Self::System => (INSTALLATION, "".into()),
            Self::Tenant(tenant) => (tenant.as_str(), "*".into()),
            Self::Merchant(scope) => (scope.tenant.as_str(), scope.merchant.as_str().into()),
            Self::Merchants(tenant, merchants) => {
                let ids: Vec<&str> = merchants.iter().map(MerchantId::as_str).collect();
                (tenant.as_str(), ids.join(",").into())
            }
        }
    }
}

/// Stands in the tenant's column of rows that belong to no tenant: administrators' keys, and what they did.
pub(super) const INSTALLATION: &str = "installation";

impl From<&Scope> for Access {
    fn from(scope: &Scope) -> Self {
        Self::Merchant(scope.clone())
    }
}

impl From<&ConnectionKey> for Access {
    fn from(key: &ConnectionKey) -> Self {
        Self::Merchant(key.scope.clone())
    }
}

impl From<&TenantId> for Access {
    fn from(tenant: &TenantId) -> Self {
        Self::Tenant(tenant.clone())
    }
}

/// A connection with the scope its rows live in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub connection: ConnectionId,
}

/// A flow of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Orders to the warehouse.
    Orders,
    /// Shipments back.
    Shipments,
    /// Stock back.
    Stock,
}

impl ChannelKind {
    /// Every channel.
    pub const ALL: [Self; 3] = [Self::Orders, Self::Shipments, Self::Stock];

    /// The name used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Shipments => "shipments",
            Self::Stock => "stock",
        }
    }
}

/// A channel as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Which flow.
    pub kind: ChannelKind,
    /// Switched on.
    pub enabled: bool,
    /// Seconds between runs, where no schedule says otherwise.
    pub every_seconds: u32,
    /// Where to go on reading.
    pub cursor: Option<String>,
    /// Somebody asked for a run now (a person, a webhook).
    pub wanted_at: Option<Timestamp>,
    /// Start of the last run.
    pub started_at: Option<Timestamp>,
    /// End of the last run that went well.
    pub succeeded_at: Option<Timestamp>,
    /// What the last run failed of; `None` if it went well.
    pub problem: Option<String>,
    /// What the last run did, for people.
    pub summary: String,
    /// When it runs, where a person gave it rules; `None`: every so many seconds.
    pub schedule: Option<ChannelSchedule>,
}

/// The rules of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSchedule {
    /// The zone in which they are read, by its IANA name.
    pub zone: String,
    /// At least one; whichever fires, runs.
    pub rules: Vec<Rule>,
    /// When they were set: what would have fired before is not made up for.
    pub since: Timestamp,
}

impl Channel {
    /// When it runs next if nobody asks for it; a time in the past means now. Waits are divided by `factor`.
    ///
    /// A schedule whose zone this machine does not know holds nothing up: the channel keeps its own pace.
    pub fn due(&self, factor: u32) -> Timestamp {
        if let Some(schedule) = &self.schedule
            && let Ok(zone) = TimeZone::get(&schedule.zone)
            && let Some(due) = schedule::due(&schedule.rules, &zone, self.counted_from(schedule), factor)
        {
            return due;
        }
        let every = Duration::from_secs(u64::from(self.every_seconds.max(1))) / factor.max(1);
        self.started_at.map_or(Timestamp::UNIX_EPOCH, |started| later(started, every))
    }

    /// The longest that it is meant to rest now: from one run to the next.
    pub fn rest(&self) -> Duration {
        let every = Duration::from_secs(u64::from(self.every_seconds.max(1)));
        let Some(schedule) = &self.schedule else { return every };
        let rests = self.due(1).duration_since(self.counted_from(schedule));
        Duration::try_from(rests).unwrap_or(every)
    }

    fn counted_from(&self, schedule: &ChannelSchedule) -> Timestamp {
        self.started_at.map_or(schedule.since, |started| started.max(schedule.since))
    }
}

/// A store or warehouse account. Plain settings only; secrets are unsealed where they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint<I> {
    /// Its id.
    pub id: I,
    /// What people call it.
    pub name: String,
    /// The connector's name.
    pub platform: String,
    /// Plain settings by field name.
    pub values: BTreeMap<String, String>,
}

/// A connection with everything a worker needs to run it.
pub struct ConnectionRecord {
    /// Scope and id.
    pub key: ConnectionKey,
    /// What people call it.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// When it was put away.
    pub archived_at: Option<Timestamp>,
    /// Grows with every change of the connection, its store, its warehouse or its mappings.
    pub revision: i64,
    /// The order source.
    pub store: Endpoint<StoreId>,
    /// Its secrets.
    pub store_secrets: BTreeMap<String, Secret>,
    /// The source account's code, lower case.
    pub account: String,
    /// The warehouse.
    pub warehouse: Endpoint<WarehouseId>,
    /// Its secrets.
    pub warehouse_secrets: BTreeMap<String, Secret>,
    /// What the person chose.
    pub settings: ConnectionSettings,
    /// Its channels.
    pub channels: Vec<Channel>,
    /// Why a side is paused (refused credentials, say), by side.
    pub paused: BTreeMap<Side, String>,
}

impl ConnectionRecord {
    /// Its store, with the scope it lives in.
    pub fn store_key(&self) -> StoreKey {
        StoreKey { scope: self.key.scope.clone(), store: self.store.id.clone() }
    }
}

/// The translation tables of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mappings {
    /// The source's SKU → the warehouse's SKU.
    pub listings: BTreeMap<String, String>,
    /// The source's SKU → (warehouse SKU, units each): kits that the hub takes apart.
    pub kits: BTreeMap<String, Vec<(String, Decimal)>>,
    /// The source's shipping method → the warehouse's.
    pub ship_methods: BTreeMap<i64, ShipMethod>,
    /// The warehouse's method → the source's shipping method. An empty service stands for every service of the carrier.
    pub source_methods: BTreeMap<ShipMethod, i64>,
    /// The warehouse's facility → the source's warehouse.
    pub locations: BTreeMap<String, i64>,
}

/// What import already knows of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOrder {
    /// The hub's id.
    pub id: OrderId,
    /// The source's mark of its last change when it was read.
    pub seen: String,
    /// What import made of it.
    pub disposition: Disposition,
    /// Whether any of its requests may already be at the warehouse (its submit is past `planned` and `not_sent`).
    pub sent: bool,
    /// Whether a request of it was given up before it was sent and takes part in nothing now: import has to see whether those
    /// goods are still wanted, also of an order of which something was sent. Not where the order was cancelled or put away.
    pub given_up: bool,
    /// The goods-out notes that are requests already.
    pub note_ids: BTreeSet<i64>,
    /// Keys that were cancelled at the warehouse and are not used again.
    pub dead_keys: BTreeSet<String>,
}

/// The source's mark of an order, and who has seen it.
#[derive(Debug, Clone, Copy)]
pub enum SeenBy<'a> {
    /// Import, which plans what is missing.
    Import {
        /// The mark.
        mark: &'a str,
        /// It knew that a request was given up, and plans it again in the same step.
        knew_given_up: bool,
    },
    /// Somebody who only compares.
    Passing(&'a str),
}

impl<'a> SeenBy<'a> {
    pub(super) fn mark(self) -> &'a str {
        match self {
            Self::Import { mark, .. } | Self::Passing(mark) => mark,
        }
    }
}

/// A request as it was planned, to be compared with what would be planned now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedAs {
    /// What is asked for.
    pub lines: Vec<RequestLine>,
    /// Where it goes.
    pub ship_to: connect::Address,
    /// SHA-256 of the payload, hex.
    pub body_sha256: String,
}

/// An enabled connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveConnection {
    /// Scope and id.
    pub key: ConnectionKey,
    /// Grows with every change of its configuration.
    pub revision: i64,
    /// The source account's code, lower case.
    pub account: String,
}

/// A shipment request as import plans it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// The hub's id (made by the caller; ignored where a request of this key exists).
    pub id: RequestId,
    /// Unique per connection.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// The source's warehouse the goods leave from, where known.
    pub warehouse_id: Option<i64>,
    /// What is asked for.
    pub lines: Vec<RequestLine>,
    /// How it is put at the warehouse.
    pub submit: EffectDraft,
    /// Not sent before: the time for second thoughts.
    pub not_before: Option<Timestamp>,
}

/// An order as import saw it, with what it made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedOrder {
    /// The hub's id (made by the caller; ignored where the order is known).
    pub id: OrderId,
    /// As the source holds it.
    pub order: Order,
    /// The source's mark of its last change.
    pub seen: String,
    /// What import made of it.
    pub disposition: Disposition,
    /// Empty unless the disposition is *requested*.
    pub requests: Vec<NewRequest>,
    /// Ordered quantity by row: the most that may be claimed of it by all connections together.
    pub ordered: BTreeMap<i64, Decimal>,
    /// The edition of people's edits that it was decided from; 0 where there are none.
    pub edition: i64,
}

/// What became of an imported order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Kept as planned.
    Kept,
    /// A person edited the order while it was being decided: nothing was kept, and it is read again.
    EditedMeanwhile,
    /// Another connection has claimed rows of it: kept as *skipped*, with this reason.
    ClaimedElsewhere(String),
    /// It was at the warehouse (or may have been) and has changed at the source: nothing was re-planned, the order shows it.
    ChangedAfterSending,
}

/// A request whose next step is to be decided.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestWork {
    /// Its id.
    pub id: RequestId,
    /// Its order.
    pub order: OrderId,
    /// The source's order id.
    pub order_id: i64,
    /// Its key.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// The source's warehouse the goods leave from, where known.
    pub warehouse_id: Option<i64>,
    /// What is asked for.
    pub lines: Vec<RequestLine>,
    /// The warehouse says nothing more will leave.
    pub finished: bool,
    /// A cancel is wanted: why.
    pub cancel_wanted: Option<String>,
    /// A cancel or change that came after it was sent.
    pub race: Option<engine::race::Shown>,
    /// When that was last asked.
    pub race_asked_at: Option<Timestamp>,
    /// Its own effects (submit, release, cancel, status) with what came to be.
    pub effects: Vec<StepState>,
    /// What has left for it, oldest first.
    pub shipments: Vec<ShipmentFacts>,
    /// Every request of the order has shipped in full (or is finished) and each shipment is confirmed, this one included.
    pub order_complete: bool,
    /// Grows with every change; handed back when the step is written.
    pub version: i64,
}

/// One effect's standing, as deciding the next step needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepState {
    /// What it does.
    pub kind: EffectKind,
    /// Which one.
    pub key: String,
    /// Where it stands.
    pub state: EffectState,
    /// What came to be.
    pub remote: Option<RemoteRef>,
    /// Why it stands there, in words; empty where there is nothing to say.
    pub note: String,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// A shipment as the next step needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShipmentFacts {
    /// Its id.
    pub id: ShipmentId,
    /// As the warehouse reported it.
    pub shipment: Shipment,
    /// Its effects at the source.
    pub effects: Vec<StepState>,
    /// The source's rows it was confirmed with, once decided.
    pub rows: Option<Vec<connect::NoteRow>>,
    /// Everything about it is told to the source.
    pub confirmed: bool,
    /// A person is needed: what for.
    pub problem: Option<String>,
}

/// What deciding a request's next steps led to; written in one transaction, only if the request is still at `version`.
#[derive(Debug, Clone, Default)]
pub struct Advance {
    /// New effects.
    pub effects: Vec<NewEffect>,
    /// By shipment: the rows it confirms, decided once.
    pub rows: Vec<(ShipmentId, Vec<connect::NoteRow>)>,
    /// Shipments now fully told.
    pub confirmed: Vec<ShipmentId>,
    /// By shipment: what a person is needed for (`None` clears it).
    pub shipment_problems: Vec<(ShipmentId, Option<String>)>,
    /// What a person is needed for on the request itself (`Some(None)` clears it).
    pub request_problem: Option<Option<String>>,
    /// A cancel is wanted and the warehouse takes none from the hub: why not, and what to do.
    pub by_hand: Option<String>,
}

/// A shipment read from the warehouse, to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewShipment {
    /// The hub's id (made by the caller; ignored where the reference is known).
    pub id: ShipmentId,
    /// As reported.
    pub shipment: Shipment,
}

/// Counts of what one reading of shipments brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShipmentsRecorded {
    /// New ones.
    pub new: usize,
    /// Read before, same content.
    pub known: usize,
    /// Same reference with other content: kept as an exception.
    pub changed: usize,
    /// For keys the hub does not know: kept as exceptions.
    pub unknown_key: usize,
}

/// A stock correction as one run plans it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StockLine {
    /// The source's warehouse.
    pub warehouse_id: i64,
    /// The product.
    pub product_id: i64,
    /// The warehouse's SKUs that feed it.
    pub skus: Vec<String>,
    /// The warehouse's figure.
    pub figure: Decimal,
    /// The source's figure it was compared with (`in_stock` or `on_hand`).
    pub source_figure: Decimal,
    /// Named parts of the equation, for people (`shipped_not_posted`, `not_accepted`, …).
    pub parts: BTreeMap<String, Decimal>,
    /// Signed difference; zero: nothing to do.
    pub difference: Decimal,
    /// `correct`, `same`, `skip`, `hold`.
    pub verdict: String,
    /// Why, for people.
    pub reason: String,
}

/// Where a stock run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its corrections are planned.
    Planned,
    /// It waits for a person.
    Waiting,
    /// A brake refused it.
    Refused,
    /// A person turned it down, or a later feed took its place.
    Dropped,
}

/// One comparison of a feed with the source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StockRun {
    /// `run_…`
    pub id: String,
    /// The feed.
    pub feed: String,
    /// Its content.
    pub content_hash: String,
    /// The moment it speaks of.
    pub cut_off: Timestamp,
    /// Its running number.
    pub sequence: Option<i64>,
    /// When it was worked out.
    pub made_at: Timestamp,
    /// Where it stands.
    pub state: RunState,
    /// Why it waits or was refused.
    pub reason: String,
    /// SKUs in the feed.
    pub skus: u32,
    /// Products compared.
    pub compared: u32,
    /// Products that differ and may be corrected.
    pub changed: u32,
    /// Lines that differ, are skipped or held (equal ones are counted only).
    pub lines: Vec<StockLine>,
}

/// Units of a product that the hub has in hand between the two systems, for the stock equation and for explaining drift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Shipped at the warehouse by the cut-off, shipped event not applied at the source.
    pub shipped_not_posted: Decimal,
    /// Of those: on a goods-out note of the hub, or the note that is the request.
    pub on_own_notes: Decimal,
    /// Shipped after the cut-off with the shipped event already applied.
    pub posted_after: Decimal,
    /// Of those: of requests that the warehouse had not accepted by the cut-off.
    pub posted_unseen: Decimal,
    /// Of requests the warehouse had accepted by the cut-off (less the settle time): units asked for whose shipped event is
    /// not applied at the source.
    pub accepted: Decimal,
    /// The same of requests that it had not accepted by then: queued, or accepted later.
    pub not_accepted: Decimal,
    /// Where the product's SKU is also part of kits: units that requests for kits, accepted by the cut-off, hold there.
    pub kits_committed: Decimal,
    /// And units that left in kits by the cut-off, the kits' shipped event not applied.
    pub kits_shipped: Decimal,
    /// A request or shipment of it is unsettled: submit unknown or accepted within the settle time before or after the
    /// cut-off, or an effect on its note is unknown or parked.
    pub unsettled: bool,
    /// An open request of it is at the warehouse by a person's word only: a lost journal sent it, perhaps for other units.
    pub by_word: bool,
    /// Whether the warehouse kept units of it for a request when it counted is not known: it held the request, or some of it ended without
    /// leaving near the cut-off or after it, or it is asked to be cancelled and that is not answered. The id of the order at the source.
    /// Matters to what is available only.
    pub ending: Option<i64>,
    /// A stock correction of it is open, unknown or parked.
    pub correcting: bool,
    /// Grows with every stock correction of it that is planned, claimed or decided.
    pub corrections: i64,
}

impl InFlight {
    /// Whether the stock equation sees the same in both, but for what is ending.
    pub fn same_equation(&self, other: &Self) -> bool {
        let seen = |flight: &Self| {
            (
                (flight.shipped_not_posted, flight.posted_after, flight.accepted),
                (flight.unsettled, flight.by_word, flight.correcting, flight.corrections),
            )
        };
        seen(self) == seen(other)
    }
}

/// The outcome of preparing, kept for people when it stops an effect.
pub type PrepareOutcome = Prepared;

/// The state shown for an order, with its reason.
pub type ShownState = (OrderState, String);

/// A thing that changed, for live pages and webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is called outside.
    pub id: EventId,
    /// Its place among all events of the installation. It stays inside: whoever sees it sees how much the others do.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// `order`, `shipment`, `effect`, `channel`, `run`, `connection`.
    pub what: String,
    /// Its id.
    pub subject: String,
    /// What happened, in one word or state.
    pub change: String,
    /// Whose.
    pub merchant: Option<MerchantId>,
}
