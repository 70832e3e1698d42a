//! What a connector author reads: the hub's own words, the roles a remote system can play, and what the hub asks of each.
//!
//! Goods travel one line: source → hub → warehouse → hub → source. A *connector* is the code for one remote system. It
//! plays a role ([`OrderSource`] or [`Warehouse`]) and, whichever it plays, carries out [`Effects`]: the changes the hub
//! makes to the remote system.
//!
//! Reads and changes have different shapes on purpose. A read returns a value or a [`ConnectorError`] and may be repeated
//! freely. A change goes through three calls, and only the hub's journal decides when each is made:
//!
//! 1. [`Effects::prepare`] looks at what is there and makes ready; it leaves nothing behind that anybody would act upon.
//! 2. [`Effects::send`] makes the change, once. There is no retry, no redirect, no second try on another connection.
//! 3. [`Effects::probe`] looks, reading only, for what an earlier `send` would have made when its outcome is not known.
//!
//! Nothing in this crate, and nothing in a connector, sees the hub's database or its web pages. Time, randomness, network
//! and files come in through [`Clock`], [`Random`], [`Transport`] and [`FileStore`], so a whole hub can run under one seed.

pub mod budget;
pub mod clocks;
mod desk;
mod document;
mod effect;
mod error;
mod files;
mod grant;
mod guard;
mod http;
mod id;
mod letter;
mod order;
pub mod planted;
mod sample;
mod seams;
mod secret;
mod shipment;
mod source;
mod spec;
mod stock;
mod warehouse;

pub use desk::{CancelAsked, Desk, DeskState, NoDesk, OnDesk, PostedCount, Told, ToldPage};
pub use document::{ShowDocument, ShownElement, ShownSegment};
pub use effect::{
    Armed, Capabilities, Capability, Capture, Delivery, Effect, EffectDraft, EffectKind, Effects, FoundAgain,
    Numbering, Prepared, Probe, RemoteRef, Sent, Side,
};
pub use error::{ConnectorError, ErrorKind, PlanError};
pub use files::{FileEntry, FileError, FileErrorKind, FileLocation, FileStore, FileStores, Renamed};
pub use grant::{Grant, Grants, NewTokens, NoGrants, Refreshed};
pub use guard::{Guard, Network, Refused, Resolver, SystemResolver, is_public};
pub use http::{HttpRequest, HttpResponse, HttpTransport, HttpWaits, Transport, TransportError};
pub use id::{
    ConnectionId, EffectId, EventId, Id, IdKind, MerchantId, OrderId, RequestId, ShipmentId, StoreId, TenantId,
    WarehouseId, kind, ulid,
};
pub use letter::{Known, Letters, Mark, Marks, NoMarks, Receipt, Reception};
pub use order::{Address, Allocation, BundleRole, LineStock, Money, Order, OrderLine, Progress};
pub use sample::{Sample, SampleKind, Show, Shown, ShownRow};
pub use seams::{Clock, OsRandom, Random, SystemClock};
pub use secret::Secret;
pub use shipment::{
    HEAVIEST, LineRef, Package, PackageLine, RequestLine, ShipMethod, Shipment, ShipmentRequest, plausible_weight,
    wanted_in,
};
pub use source::{
    AccountCheck, Choice, Choices, Cost, GoodsOutNote, MovementKind, NewNote, NoteRow, NoteScan, NoteState,
    OrderFilter, OrderHead, OrderScan, OrderSource, OrderStatusChoice, Product, ShippingDetails, SourceLevels,
    SourceStock, StockCorrection, StockMovement,
};
pub use spec::{Build, BuildContext, ConnectorSpec, Field, FieldKind, Role, Settings, SettingsError, Waits};
pub use stock::{FeedBasis, StockAdjustment, StockFeed, StockLevel};
pub use warehouse::{
    CancelOutcome, CarrierChoice, FeedCursor, Inbound, KeysAgain, LinesEnded, RejectedInput, RequestState,
    ShipmentPage, Sighting, Sightings, StockPage, Warehouse, WarehouseCheck, WarehouseChoices, WarehouseFeature,
    WebhookCall, WebhookHint,
};
