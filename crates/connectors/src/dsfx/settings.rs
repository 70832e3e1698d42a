//! The settings of a file exchange.

use connect::{Field, FieldKind, FileLocation, Settings, SettingsError};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use jiff::tz::TimeZone;

use super::{
    columns::Layout,
    order_file::{OrderFormat, PhVersion},
    shipments, stock,
};
use crate::files::place::{self, Place, field};

const SHIPMENT_COLUMNS: &str = "order_number=order_number, shipment_id=shipment_id, shipped_at=shipped_at, carrier=carrier, \
    service=service, package_number=package_number, tracking_number=tracking_number, line_number=line_number, sku=sku, \
    quantity=quantity, lot=lot, serial=serial";
const STOCK_COLUMNS: &str =
    "sku=sku, available=available, on_hand=on_hand, facility_id=facility_id, counted_at=counted_at";

/// The form.
pub(super) static FIELDS: &[Field] = &[
    place::TRANSPORT,
    place::FOLDER,
    place::HOST,
    place::PORT,
    place::USER,
    place::PASSWORD,
    place::PRIVATE_KEY,
    place::HOST_KEY,
    place::ROOT,
    place::IN_FOLDER,
    place::OUT_FOLDER,
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
    place::AFTER_READING,
    place::TIME_ZONE,
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

        let Place { location, place, in_folder, out_folder, archive, zone } = Place::of(settings, FIELDS)?;
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
            archive,
            zone,
            encoding,
        })
    }
}
