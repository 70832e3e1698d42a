//! The configuration of one tenant as a TOML file: what may be written in it, and reading it.
//!
//! Reading touches neither the network nor the database. Every unknown key is an error that names its line.

mod apply;
mod compare;
mod export;
mod resolve;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use connect::{FeedBasis, Secret, ShipMethod, TenantId};
use engine::settings::{Brakes, FirstRun, Increases, ShortShip, StartMode, StockSettings, UnmappedSku};
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
};
use toml::Spanned;
use utoipa::ToSchema;

use super::{Failure, Hub, Problem};
use crate::db::DbError;

pub use apply::apply;
pub use compare::{Action, Change, Difference, Plan, plan};
pub use export::export;
pub use resolve::{Names, settings as resolve_settings, ship_method, warehouse};

/// A configuration file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Which tenant it is for; the caller's own where it is not given.
    pub tenant: Option<TenantIn>,
    /// Brands.
    #[serde(default, rename = "merchant")]
    pub merchants: Vec<MerchantIn>,
    /// Order sources.
    #[serde(default, rename = "store")]
    pub stores: Vec<EndpointIn>,
    /// Systems that ship.
    #[serde(default, rename = "warehouse")]
    pub warehouses: Vec<EndpointIn>,
    /// What is connected with what.
    #[serde(default, rename = "connection")]
    pub connections: Vec<ConnectionIn>,
}

/// The tenant of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantIn {
    /// Its name.
    pub name: Spanned<String>,
}

/// A merchant of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantIn {
    /// Its name, unique in the tenant.
    pub name: Spanned<String>,
}

/// A store or a warehouse of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointIn {
    /// Its name, unique in the tenant.
    pub name: Spanned<String>,
    /// Whose it is.
    pub merchant: Spanned<String>,
    /// The connector's name.
    pub platform: Spanned<String>,
    /// Plain settings.
    #[serde(default)]
    pub settings: BTreeMap<Spanned<String>, Scalar>,
    /// Where its secrets are.
    #[serde(default)]
    pub secrets: BTreeMap<Spanned<String>, SecretRef>,
}

/// A connection of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionIn {
    /// Its name, unique in the tenant.
    pub name: Spanned<String>,
    /// Whose it is.
    pub merchant: Spanned<String>,
    /// Name of the store.
    pub store: Spanned<String>,
    /// Name of the warehouse.
    pub warehouse: Spanned<String>,
    /// Switched on. Left as it is where not given; a new connection starts switched off.
    pub enabled: Option<bool>,
    /// What the person chooses.
    #[serde(default)]
    pub settings: ConnectionSettingsIn,
    /// Its flows; those not given are left as they are.
    #[serde(default)]
    pub channels: ChannelsIn,
    /// Its translation tables; those not given are left as they are.
    #[serde(default)]
    pub mappings: MappingsIn,
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelIn {
    /// Switched on.
    pub enabled: bool,
    /// Seconds between runs; left as it is where not given.
    pub every_seconds: Option<u32>,
}

/// Something of the account's own lists: by its id, or by the name it has there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameOrId {
    /// By id.
    Id(i64),
    /// By name.
    Name(String),
}

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
    #[schema(value_type = Vec<String>)]
    pub import_statuses: Vec<NameOrId>,
    /// *Warehouse Name*: the one warehouse of the account this connection works with.
    #[schema(value_type = Option<String>)]
    pub warehouse: Option<NameOrId>,
    /// *Import orders from the selected Warehouses*; empty: those of `warehouse`, or all.
    #[schema(value_type = Vec<String>)]
    pub import_warehouses: Vec<NameOrId>,
    /// Only orders of these channels; empty: all.
    #[schema(value_type = Vec<String>)]
    pub channels: Vec<NameOrId>,
    /// Only orders placed at or after.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub placed_from: Option<Timestamp>,
    /// Set when the warehouse has the order.
    #[schema(value_type = Option<String>)]
    pub at_warehouse_status: Option<NameOrId>,
    /// Set when everything has shipped.
    #[schema(value_type = Option<String>)]
    pub shipped_status: Option<NameOrId>,
    /// Set when some has shipped and some has not.
    #[schema(value_type = Option<String>)]
    pub partly_shipped_status: Option<NameOrId>,
    /// *Inventory Update Price List*: cost of stock that is added.
    #[schema(value_type = Option<String>)]
    pub price_list: Option<NameOrId>,
    /// A line whose SKU has no listing: `strict` holds the order, `pass_through` sends the SKU unchanged.
    #[schema(value_type = String)]
    pub unmapped_sku: UnmappedSku,
    /// Sent for shipping methods that are not mapped; without it such orders are held.
    #[schema(value_type = Option<ShipMethodIn>)]
    pub default_ship_method: Option<ShipMethod>,
    /// Written for carriers that are not mapped back; without it such shipments are held.
    #[schema(value_type = Option<String>)]
    pub default_source_method: Option<NameOrId>,
    /// A goods-out note that is shipped short: `hold`, or `replace` it.
    #[schema(value_type = String)]
    pub short_ship: ShortShip,
    /// Takes the place of `BP{account}` in order keys. Fixed once the first order is sent.
    pub key_prefix: Option<String>,
    /// Minutes between putting a request at the warehouse held and releasing it, where the warehouse can hold.
    pub hold_minutes: u32,
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
        let StockSettings { basis, increases, first_run, batch, revive_archived, settle_seconds, brakes } = *settings;
        let Brakes { line, share_percent, zero_percent, feed_age_minutes } = brakes;
        let brakes = BrakesIn { line, share_percent, zero_percent, feed_age_minutes };
        Self { basis, increases, first_run, batch, revive_archived, settle_seconds, brakes }
    }
}

impl From<&StockSettingsIn> for StockSettings {
    fn from(settings: &StockSettingsIn) -> Self {
        let BrakesIn { line, share_percent, zero_percent, feed_age_minutes } = settings.brakes;
        Self {
            basis: settings.basis,
            increases: settings.increases,
            first_run: settings.first_run,
            batch: settings.batch,
            revive_archived: settings.revive_archived,
            settle_seconds: settings.settle_seconds,
            brakes: Brakes { line, share_percent, zero_percent, feed_age_minutes },
        }
    }
}

/// Limits beyond which a stock run asks a person.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BrakesIn {
    /// Largest difference of one line, in units.
    #[schema(value_type = Option<String>)]
    pub line: Option<Decimal>,
    /// Largest share of SKUs changed by one run, in percent; from the second run.
    pub share_percent: u32,
    /// Largest share of SKUs a feed may report as zero, in percent, when Brightpearl has stock of them.
    pub zero_percent: u32,
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
    #[schema(value_type = String)]
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
    #[schema(value_type = String)]
    pub warehouse: NameOrId,
}

/// A plain setting: text, whole number or switch, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;
        impl Visitor<'_> for Plain {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true or false")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Plain)
    }
}

/// Where a secret is. A secret itself is never written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file; a line end behind it is not part of it.
    File(PathBuf),
}

impl SecretRef {
    /// The secret.
    ///
    /// # Errors
    /// When it is not there: what to provide. Never the secret itself.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set (or not text)"))?
            }
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?,
        };
        // Only the line end that editors add: a password may end with a space.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Secret::new(text))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            env: Option<String>,
            file: Option<PathBuf>,
        }
        struct Reference;
        impl<'de> Visitor<'de> for Reference {
            type Value = SecretRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where the secret is: { env = \"NAME\" } or { file = \"/path\" }")
            }
            // Said here, because the usual words for a wrong type would quote the secret.
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom("a secret is not written in the file; give { env = \"NAME\" } or { file = \"/path\" }"))
            }
            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<SecretRef, E> {
                self.visit_str("")
            }
            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<SecretRef, E> {
                self.visit_str("")
            }
            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<SecretRef, E> {
                self.visit_str("")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretRef, A::Error> {
                let table = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                match (table.env, table.file) {
                    (Some(env), None) => Ok(SecretRef::Env(env)),
                    (None, Some(file)) => Ok(SecretRef::File(file)),
                    _ => Err(A::Error::custom("give either env or file")),
                }
            }
        }
        deserializer.deserialize_any(Reference)
    }
}

/// Where a configuration came from, which decides what it may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file on this machine, given by its operator; paths in it are relative to this folder.
    Folder(PathBuf),
    /// Over the network: it may not name files or variables of this machine. Its secrets stay as they are.
    Remote,
}

/// A file with where its lines begin.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub file: File,
    /// Where it came from.
    pub origin: Origin,
    lines: Vec<usize>,
    name: String,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is not a configuration; the line is named.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::invalid(format!("{} cannot be read: {error}", path.display()), Vec::new())
                .remedy("Check the path and that the file may be read.")
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        Self::parse(&text, &path.display().to_string(), Origin::Folder(folder))
    }

    /// Reads a text; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn parse(text: &str, name: &str, origin: Origin) -> Result<Self, Failure> {
        let lines: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect();
        match toml::from_str::<File>(text) {
            Ok(file) => Ok(Self { file, origin, lines, name: name.to_owned() }),
            Err(error) => {
                // The parser's own rendering shows the line, which may hold what should not be shown.
                let at = error.span().map_or_else(|| name.to_owned(), |span| place(&lines, name, span.start));
                Err(Failure::invalid(
                    format!("{at}: {}", error.message()),
                    vec![Problem::new(at, error.message().to_owned())],
                )
                .remedy("Correct the file; docs/configuration.md lists every key."))
            }
        }
    }

    /// `file:line` of a spanned value.
    pub fn at<T>(&self, value: &Spanned<T>) -> String {
        place(&self.lines, &self.name, value.span().start)
    }
}

/// The tenant a file is for. With `create` it is made where it is missing; without, a missing one is as good as empty.
///
/// # Errors
/// When the database cannot be reached.
pub async fn tenant(hub: &Hub, named: &str, create: bool) -> Result<TenantId, Failure> {
    match hub.db.tenant_by_name(named).await {
        Err(DbError::NotFound(_)) if create => Ok(hub.db.create_tenant(named).await?),
        Err(DbError::NotFound(_)) => Ok(TenantId::generate(hub.seams.clock.now(), &*hub.seams.random)),
        found => Ok(found?),
    }
}

fn place(lines: &[usize], name: &str, offset: usize) -> String {
    let line = lines.partition_point(|start| *start <= offset);
    format!("{name}:{}", line.max(1))
}

