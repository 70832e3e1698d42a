//! The settings of a file exchange.

use std::path::{Path, PathBuf};

use connect::{Field, FieldKind, FileLocation, Settings, SettingsError};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use jiff::tz::TimeZone;

use super::{
    columns::Layout,
    order_file::{OrderFormat, PhVersion},
    shipments, stock,
};

const fn field(
    name: &'static str,
    title: &'static str,
    kind: FieldKind,
    default: Option<&'static str>,
    help: &'static str,
) -> Field {
    Field { name, title, help, kind, required: false, default }
}

const SHIPMENT_COLUMNS: &str = "order_number=order_number, shipment_id=shipment_id, shipped_at=shipped_at, carrier=carrier, \
    service=service, package_number=package_number, tracking_number=tracking_number, line_number=line_number, sku=sku, \
    quantity=quantity, lot=lot, serial=serial";
const STOCK_COLUMNS: &str =
    "sku=sku, available=available, on_hand=on_hand, facility_id=facility_id, counted_at=counted_at";

/// The form.
pub(super) static FIELDS: &[Field] = &[
    field(
        "transport",
        "Transport",
        FieldKind::Choice(&[("folder", "Folder on this machine"), ("sftp", "SFTP server")]),
        Some("sftp"),
        "How files get to the warehouse and back.",
    ),
    field(
        "folder",
        "Folder",
        // A folder of the hub's own machine: a tenant who could choose it could read what others keep there.
        FieldKind::Operator,
        None,
        "Folder on this machine that holds the two folders below. Set by the operator.",
    ),
    field("host", "SFTP host", FieldKind::Text, None, "Name or address of the SFTP server."),
    field("port", "SFTP port", FieldKind::Integer, Some("22"), "Port of the SFTP server."),
    field("user", "SFTP user", FieldKind::Text, None, "Login name. Each merchant needs one of its own."),
    field("password", "SFTP password", FieldKind::Secret, None, "Not needed with a private key."),
    field(
        "private_key",
        "SFTP private key",
        FieldKind::LongSecret,
        None,
        "The whole text of a private key in OpenSSH or PEM form, without a passphrase. Better than a password.",
    ),
    field(
        "host_key",
        "SFTP host key",
        FieldKind::Learned,
        None,
        "Fingerprint of the server's key (SHA256:…). The test of the settings shows it; compare it with what the server's \
         owner tells you. When the key changes later, the exchange stops.",
    ),
    field(
        "root",
        "SFTP root",
        FieldKind::Text,
        None,
        "Folder on the server that holds the two folders below; empty: the login folder.",
    ),
    field(
        "in_folder",
        "Folder for orders",
        FieldKind::Text,
        Some("in"),
        "Where the warehouse reads, seen from the root. Letter case counts.",
    ),
    field(
        "out_folder",
        "Folder for shipments and stock",
        FieldKind::Text,
        Some("out"),
        "Where the warehouse writes, seen from the root.",
    ),
    field(
        "ph_version",
        "Layout of orders",
        FieldKind::Choice(&[
            ("1", "PH version 1: base"),
            ("2", "PH version 2: with e-mail and notes"),
            ("3", "PH version 3: with e-mail, notes and facility"),
        ]),
        Some("2"),
        "Version of the pick header row the warehouse expects. The public description gives versions 2 and 3 in part: notes \
         as the last field, and the facility behind them, are an assumption. Version 1 carries no notes.",
    ),
    field("orders_per_file", "Orders per file", FieldKind::Integer, Some("50"), "Most orders in one file, 1 to 1000."),
    field("facility", "Facility", FieldKind::Text, None, "Facility of orders that name none (version 3 only)."),
    field(
        "ship_payment_type",
        "Ship payment type",
        FieldKind::Text,
        Some("P"),
        "Who pays the carrier: P prepaid, C collect.",
    ),
    field(
        "shipment_columns",
        "Columns of shipment files",
        FieldKind::LongText,
        Some(SHIPMENT_COLUMNS),
        "Which column holds what: field=column name or position from 1, separated by commas. order_number, shipment_id, \
         shipped_at, sku and quantity are needed. trailer=WORD: the last row begins with WORD and gives the number of rows.",
    ),
    field(
        "shipment_has_header",
        "Shipment files begin with column names",
        FieldKind::Switch,
        Some("true"),
        "Without them, columns are given by position.",
    ),
    field(
        "stock_columns",
        "Columns of stock files",
        FieldKind::LongText,
        Some(STOCK_COLUMNS),
        "As for shipments. sku and one of available and on_hand are needed. trailer=WORD as above; sequence=…: a running \
         number, in a column or, with a trailer, at that position of the trailer row.",
    ),
    field(
        "stock_has_header",
        "Stock files begin with column names",
        FieldKind::Switch,
        Some("true"),
        "Without them, columns are given by position.",
    ),
    field(
        "full_snapshot",
        "A SKU that is missing from a stock file has none",
        FieldKind::Switch,
        Some("false"),
        "Off: a missing SKU is unchanged. On: it is zero; then every stock file must be complete.",
    ),
    field(
        "after_reading",
        "After reading",
        FieldKind::Choice(&[("archive", "Move to archive/ and rejected/"), ("keep", "Leave where they are")]),
        Some("archive"),
        "What becomes of files that were taken in.",
    ),
    field("time_zone", "Time zone", FieldKind::Text, Some("UTC"), "Zone of times that name none, e.g. Europe/London."),
    field(
        "encoding",
        "Encoding",
        FieldKind::Choice(&[("utf-8", "UTF-8"), ("windows-1252", "Windows-1252 (Western European)")]),
        Some("utf-8"),
        "Of the files in both directions.",
    ),
];

/// What the connector works with.
pub(super) struct Config {
    pub(super) location: FileLocation,
    /// Names the place in what is kept, so that work begun in one place is not judged by another.
    pub(super) place: String,
    /// Whether a host key is needed and not agreed yet.
    pub(super) host_key_missing: bool,
    pub(super) in_folder: String,
    pub(super) out_folder: String,
    pub(super) orders: OrderFormat,
    pub(super) shipments: Layout,
    pub(super) stock: Layout,
    pub(super) full_snapshot: bool,
    pub(super) archive: bool,
    pub(super) zone: TimeZone,
    pub(super) encoding: &'static Encoding,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let is = |name: &str| text(name).as_deref() == Some("true");
        let layout = |name: &str, header, known, required| {
            Layout::parse(&given(name)?, header, known, required).map_err(|problem| SettingsError::field(name, problem))
        };
        let number = |name: &str, least: i64, most: i64| {
            given(name)?
                .parse::<i64>()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| SettingsError::field(name, format!("must be a whole number from {least} to {most}")))
        };

        let (location, place) = match given("transport")?.as_str() {
            "folder" => {
                let folder = given("folder")?;
                if !Path::new(&folder).is_absolute() {
                    return Err(SettingsError::field("folder", "must be a whole path, beginning with /"));
                }
                (FileLocation::Folder(PathBuf::from(&folder)), folder)
            }
            _ => {
                let (host, user) = (given("host")?, given("user")?);
                let port = u16::try_from(number("port", 1, i64::from(u16::MAX))?).unwrap_or(22);
                let root = text("root").unwrap_or_default();
                let (password, private_key) = (settings.secret("password"), settings.secret("private_key"));
                if password.is_none() && private_key.is_none() {
                    return Err(SettingsError::field("private_key", "give a private key or a password"));
                }
                let place = format!("sftp://{user}@{host}:{port}/{root}");
                let host_key = text("host_key");
                (FileLocation::Sftp { host, port, user, password, private_key, host_key, root }, place)
            }
        };
        let folder = |name: &str| {
            let folder = given(name)?.trim_matches('/').to_owned();
            let inside = folder.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
            if inside && !folder.contains(['\\', '\0']) {
                Ok(folder)
            } else {
                Err(SettingsError::field(name, "must be a folder below the root, without .."))
            }
        };
        let (in_folder, out_folder) = (folder("in_folder")?, folder("out_folder")?);
        if in_folder == out_folder {
            return Err(SettingsError::field("out_folder", "must differ from the folder for orders"));
        }
        let encoding = if given("encoding")? == "windows-1252" { WINDOWS_1252 } else { UTF_8 };
        let stock = layout("stock_columns", is("stock_has_header"), stock::FIELDS, stock::REQUIRED)?;
        if !stock.has("available") && !stock.has("on_hand") {
            return Err(SettingsError::field("stock_columns", "available or on_hand must be there"));
        }
        Ok(Self {
            host_key_missing: matches!(&location, FileLocation::Sftp { host_key: None, .. }),
            location,
            place,
            in_folder,
            out_folder,
            orders: OrderFormat {
                version: match given("ph_version")?.as_str() {
                    "1" => PhVersion::One,
                    "3" => PhVersion::Three,
                    _ => PhVersion::Two,
                },
                orders_per_file: usize::try_from(number("orders_per_file", 1, 1000)?).unwrap_or(1),
                facility: text("facility").unwrap_or_default(),
                payment_type: text("ship_payment_type").unwrap_or_default(),
                encoding,
            },
            shipments: layout("shipment_columns", is("shipment_has_header"), shipments::FIELDS, shipments::REQUIRED)?,
            stock,
            full_snapshot: is("full_snapshot"),
            archive: given("after_reading")? == "archive",
            zone: TimeZone::get(&given("time_zone")?).map_err(|_| {
                SettingsError::field(
                    "time_zone",
                    "is not a time zone; give a name such as Europe/London or America/New_York",
                )
            })?,
            encoding,
        })
    }
}
