//! The settings of a file exchange.

use connect::{Field, FieldKind, Settings, SettingsError};
use encoding_rs::{UTF_8, WINDOWS_1252};

use super::order_file::{OrderFormat, PhVersion};
use crate::files::{
    exchange::{Incoming, Kind, Names},
    place::{self, Place, field},
    table::{Form, Layout, stock},
};

/// What can be mapped of shipments: the files say what left, not whether more will follow.
const SHIPMENT_FIELDS: &[&str] = &[
    "order_number",
    "shipment_id",
    "shipped_at",
    "carrier",
    "service",
    "package_number",
    "tracking_number",
    "line_number",
    "sku",
    "quantity",
    "lot",
    "serial",
];
/// What must be mapped of shipments: without a shipment id of the warehouse's own, a repeat could not be told from a second
/// shipment.
const SHIPMENT_REQUIRED: &[&str] = &["order_number", "shipment_id", "shipped_at", "sku", "quantity"];

const SHIPMENT_COLUMNS: &str = "order_number=order_number|order number, shipment_id=shipment_id|shipment id, \
    shipped_at=shipped_at|ship date|ship date (ISO), carrier=carrier, service=service, package_number=package_number|box, \
    tracking_number=tracking_number|tracking, line_number=line_number|line, sku=sku, quantity=quantity, lot=lot, serial=serial";
const STOCK_COLUMNS: &str = "sku=sku, available=available, on_hand=on_hand|on hand, facility_id=facility_id|facility, \
    counted_at=counted_at|as-of|as of|as-of (ISO), lot=lot";

/// What stands behind `SH` and `IN` in files without a map of their own: Millrace's own order of columns, since DropStream's is not
/// public.
const SHIPMENT_RECORD: Recorded = (
    "SH",
    &[
        "order_number",
        "shipment_id",
        "shipped_at",
        "carrier",
        "service",
        "tracking_number",
        "line_number",
        "sku",
        "quantity",
        "lot",
        "serial",
        "package_number",
    ],
);
const STOCK_RECORD: Recorded = ("IN", &["sku", "facility_id", "available", "on_hand", "counted_at", "lot"]);

/// The word that rows begin with, and the fields behind it.
type Recorded = (&'static str, &'static [&'static str]);

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
    place::ORDERS_PER_FILE,
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
        "Which column holds what: field=column name or position from 1, separated by commas; a|b: either name. order_number, \
         shipment_id, shipped_at, sku and quantity are needed. trailer=WORD: the last row begins with WORD and gives the number \
         of rows. As it stands here, files of SH rows are read too, with or without column names: SH, order number, shipment id, \
         ship date, carrier, service, tracking, line, SKU, quantity, lot, serial, box.",
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
        "As for shipments. sku and one of available and on_hand are needed; rows of several lots are added up. trailer=WORD as above; sequence=…: a running \
         number, in a column or, with a trailer, at that position of the trailer row. As it stands here, files of IN rows are \
         read too: IN, SKU, facility, available, on hand, as-of, lot.",
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
    pub(super) place: Place,
    pub(super) orders: OrderFormat,
    pub(super) incoming: Incoming,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let is = |name: &str| text(name).as_deref() == Some("true");
        let kind = |name: &str, header: &str, before: &str, (known, required), (usual, record): (&str, Recorded)| {
            let map = given(name)?;
            let layout = Layout::parse(&map, is(header), known, required)
                .map_err(|problem| SettingsError::field(name, problem))?;
            let layout = if map == usual && is(header) { layout.or_records(record.0, record.1) } else { layout };
            // The time in names is documented inconsistently and never read.
            let names = Names { before: before.to_owned(), after: ".csv".to_owned(), exact: true };
            Ok::<Kind, SettingsError>(Kind { names, layout })
        };
        let place = Place::of(settings, FIELDS)?;
        let encoding = if given("encoding")? == "windows-1252" { WINDOWS_1252 } else { UTF_8 };
        let form = Form { zone: place.zone.clone(), encoding, ..Form::plain() };
        let columns = (stock::FIELDS, stock::REQUIRED);
        let stock = kind("stock_columns", "stock_has_header", "inv_", columns, (STOCK_COLUMNS, STOCK_RECORD))?;
        if !stock.layout.has("available") && !stock.layout.has("on_hand") {
            return Err(SettingsError::field("stock_columns", "available or on_hand must be there"));
        }
        Ok(Self {
            orders: OrderFormat {
                version: match given("ph_version")?.as_str() {
                    "1" => PhVersion::One,
                    "3" => PhVersion::Three,
                    _ => PhVersion::Two,
                },
                orders_per_file: place::orders_per_file(settings, FIELDS)?,
                facility: text("facility").unwrap_or_default(),
                payment_type: text("ship_payment_type").unwrap_or_default(),
                form: form.clone(),
            },
            incoming: Incoming {
                shipments: kind(
                    "shipment_columns",
                    "shipment_has_header",
                    "shp_",
                    (SHIPMENT_FIELDS, SHIPMENT_REQUIRED),
                    (SHIPMENT_COLUMNS, SHIPMENT_RECORD),
                )?,
                stock,
                form,
                full_snapshot: is("full_snapshot"),
                closed: Vec::new(),
                by_row: false,
            },
            place,
        })
    }
}
