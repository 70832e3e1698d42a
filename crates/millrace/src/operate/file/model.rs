//! What may be chosen for a connection, as a person writes it: in a file, or over the API.

use std::{fmt, path::PathBuf};

use connect::{FeedBasis, ShipMethod};
use engine::settings::{Brakes, FirstRun, Increases, OnChange, ShortShip, StartMode, StockSettings, UnmappedSku};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, OneOfBuilder, RefOr, SchemaFormat,
        schema::{Schema, Type},
    },
};

use crate::operate::schedules::ScheduleIn;

/// The three flows of a connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelsIn {
    /// Orders to the warehouse.
    pub orders: Option<ChannelIn>,
    /// Shipments back.
    pub shipments: Option<ChannelIn>,
    /// Stock back.
    pub stock: Option<ChannelIn>,
}

/// One flow of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelIn {
    /// Switched on.
    pub enabled: bool,
    /// Seconds between runs; left as it is where not given.
    pub every_seconds: Option<u32>,
    /// Rules by which it runs instead; left as they are where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleIn>,
}

/// Something of the account's own lists: by its id, or by the name it has there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameOrId {
    /// By id.
    Id(i64),
    /// By name.
    Name(String),
}

impl PartialSchema for NameOrId {
    fn schema() -> RefOr<Schema> {
        let id =
            ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        let name = ObjectBuilder::new().schema_type(Type::String);
        let about = "Something of the account's own lists: by its id, or by the name it has there.";
        RefOr::T(Schema::OneOf(OneOfBuilder::new().item(id).item(name).description(Some(about)).build()))
    }
}

impl ToSchema for NameOrId {}

impl Serialize for NameOrId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => serializer.serialize_i64(*id),
            Self::Name(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for NameOrId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = NameOrId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name of the account's own list, or its id")
            }
            fn visit_i64<E>(self, id: i64) -> Result<NameOrId, E> {
                Ok(NameOrId::Id(id))
            }
            fn visit_u64<E: serde::de::Error>(self, id: u64) -> Result<NameOrId, E> {
                i64::try_from(id).map(NameOrId::Id).map_err(|_| E::custom("the id is too large"))
            }
            fn visit_str<E>(self, name: &str) -> Result<NameOrId, E> {
                Ok(NameOrId::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a person chooses for one connection. Names are turned into the account's ids when it is saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionSettingsIn {
    /// `order`: a sales order is the request; `goods_out_note`: an unshipped goods-out note is.
    #[schema(value_type = String)]
    pub start_mode: StartMode,
    /// Order statuses to import from. Required in order mode.
    pub import_statuses: Vec<NameOrId>,
    /// *Warehouse Name*: the one warehouse of the account this connection works with.
    pub warehouse: Option<NameOrId>,
    /// *Import orders from the selected Warehouses*; empty: those of `warehouse`, or all.
    pub import_warehouses: Vec<NameOrId>,
    /// Only orders of these channels; empty: all.
    pub channels: Vec<NameOrId>,
    /// Only orders placed at or after.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub placed_from: Option<Timestamp>,
    /// Set when the warehouse has the order.
    pub at_warehouse_status: Option<NameOrId>,
    /// Set when everything has shipped.
    pub shipped_status: Option<NameOrId>,
    /// Set when some has shipped and some has not.
    pub partly_shipped_status: Option<NameOrId>,
    /// *Inventory Update Price List*: cost of stock that is added.
    pub price_list: Option<NameOrId>,
    /// A line whose SKU has no listing: `strict` holds the order, `pass_through` sends the SKU unchanged.
    #[schema(value_type = String)]
    pub unmapped_sku: UnmappedSku,
    /// Sent for shipping methods that are not mapped; without it such orders are held.
    #[schema(value_type = Option<ShipMethodIn>)]
    pub default_ship_method: Option<ShipMethod>,
    /// Written for carriers that are not mapped back; without it such shipments are held.
    pub default_source_method: Option<NameOrId>,
    /// A goods-out note that is shipped short: `hold`, or `replace` it.
    #[schema(value_type = String)]
    pub short_ship: ShortShip,
    /// Takes the place of `BP{account}` in order keys. Fixed once the first order is sent.
    pub key_prefix: Option<String>,
    /// Minutes for second thoughts: a request is put at the warehouse held and released then, or sent then where the warehouse
    /// cannot hold.
    pub hold_minutes: u32,
    /// An order that changes after it was sent: `ask` a person, or `cancel_and_resend`.
    #[schema(value_type = String)]
    pub on_change: OnChange,
    /// Minutes the warehouse has to answer a cancel before it counts as silent; 240 when not given.
    pub cancel_deadline_minutes: Option<u32>,
    /// Who asks a silent warehouse; the connection's staff when not given.
    pub cancel_owner: Option<String>,
    /// Facility named on requests.
    pub facility: Option<String>,
    /// How stock is written.
    pub stock: StockSettingsIn,
}

/// Carrier and service in the warehouse's own codes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ShipMethodIn {
    /// Carrier code.
    pub carrier: String,
    /// Service code; may be empty.
    #[serde(default)]
    pub service: String,
}

/// How stock is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StockSettingsIn {
    /// What the warehouse's figures mean: `physical` or `available`.
    #[schema(value_type = String)]
    pub basis: FeedBasis,
    /// What to do when the warehouse counts more: `hold` or `correct`. Must be chosen before stock can be switched on.
    #[schema(value_type = Option<String>)]
    pub increases: Option<Increases>,
    /// The first run: `ask` shows it and waits, `approve` lets it go ahead.
    #[schema(value_type = String)]
    pub first_run: FirstRun,
    /// Lines of one correction.
    pub batch: u32,
    /// Whether stock may be added to archived products, which brings them back to life.
    pub revive_archived: bool,
    /// Work within so many seconds of the feed's cut-off makes its products wait for the next feed.
    pub settle_seconds: u32,
    /// What waits for approval is approved by two people, who both signed in.
    pub two_people: bool,
    /// Limits beyond which a run asks a person.
    pub brakes: BrakesIn,
}

impl Default for StockSettingsIn {
    fn default() -> Self {
        Self::from(&StockSettings::default())
    }
}

impl From<&StockSettings> for StockSettingsIn {
    fn from(settings: &StockSettings) -> Self {
        let StockSettings { basis, increases, first_run, batch, revive_archived, settle_seconds, two_people, brakes } =
            *settings;
        let Brakes { line, run, share_percent, zero_percent, missing_percent, feed_age_minutes } = brakes;
        // Zero is how "no limit" is written, because a file cannot say that a value is none.
        let written = |limit: Option<Decimal>| Some(limit.unwrap_or_default());
        let (line, run) = (written(line), written(run));
        let brakes = BrakesIn { line, run, share_percent, zero_percent, missing_percent, feed_age_minutes };
        Self { basis, increases, first_run, batch, revive_archived, settle_seconds, two_people, brakes }
    }
}

impl From<&StockSettingsIn> for StockSettings {
    fn from(settings: &StockSettingsIn) -> Self {
        let BrakesIn { line, run, share_percent, zero_percent, missing_percent, feed_age_minutes } = settings.brakes;
        let meant = |limit: Option<Decimal>| limit.filter(|limit| !limit.is_zero());
        Self {
            basis: settings.basis,
            increases: settings.increases,
            first_run: settings.first_run,
            batch: settings.batch,
            revive_archived: settings.revive_archived,
            settle_seconds: settings.settle_seconds,
            two_people: settings.two_people,
            brakes: Brakes {
                line: meant(line),
                run: meant(run),
                share_percent,
                zero_percent,
                missing_percent,
                feed_age_minutes,
            },
        }
    }
}

/// Limits beyond which a stock run asks a person.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BrakesIn {
    /// Largest difference of one line, in units; a larger one is held. 0: no limit.
    #[schema(value_type = Option<String>)]
    pub line: Option<Decimal>,
    /// Most units that one run moves, its differences summed without their signs; from the second run. 0: no limit.
    #[schema(value_type = Option<String>)]
    pub run: Option<Decimal>,
    /// Largest share of SKUs changed by one run, in percent; from the second run.
    pub share_percent: u32,
    /// Largest share of SKUs a feed may report as zero, in percent, when Brightpearl has stock of them.
    pub zero_percent: u32,
    /// Largest share of the last feed's SKUs that may be missing from the next, in percent. 100 where the warehouse sends only
    /// what changed.
    pub missing_percent: u32,
    /// Oldest feed acted upon, in minutes.
    pub feed_age_minutes: u32,
}

impl Default for BrakesIn {
    fn default() -> Self {
        StockSettingsIn::default().brakes
    }
}

/// Translation tables. A table that is not given is left as it is; an empty one is emptied.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MappingsIn {
    /// Brightpearl's SKU → the warehouse's SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Vec<String>>>)]
    pub listings: Option<Vec<(String, String)>>,
    /// The same, as a CSV file with two columns beside the configuration file. In files only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub listings_csv: Option<PathBuf>,
    /// Kits that Millrace takes apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kits: Option<Vec<KitIn>>,
    /// Brightpearl's shipping methods and what they are at the warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_methods: Option<Vec<ShipMethodRow>>,
    /// The warehouse's carriers and what they are in Brightpearl, where that is not the same table read backwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_methods: Option<Vec<ShipMethodRow>>,
    /// The warehouse's facilities and which Brightpearl warehouse each is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<LocationRow>>,
}

/// A kit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KitIn {
    /// Brightpearl's SKU.
    pub sku: String,
    /// Warehouse SKU and units of each part.
    #[schema(value_type = Vec<Vec<String>>)]
    pub parts: Vec<(String, Decimal)>,
}

/// One line of the shipping method tables.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipMethodRow {
    /// Brightpearl's shipping method.
    pub source: NameOrId,
    /// The warehouse's carrier code.
    pub carrier: String,
    /// The warehouse's service code; empty: every service of the carrier.
    #[serde(default)]
    pub service: String,
}

/// One line of the locations table.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocationRow {
    /// The warehouse's facility.
    pub facility: String,
    /// Brightpearl's warehouse.
    pub warehouse: NameOrId,
}
