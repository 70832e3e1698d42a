//! The settings of an exchange of CSV files: where, what they are called, which column holds what, and how cells are written.

use connect::{Field, FieldKind, Settings, SettingsError};
use encoding_rs::{UTF_8, WINDOWS_1252};

use super::order_file::{Formulas, OrderTable, can_be_written, columns};
use crate::files::{
    exchange::{Incoming, Kind, Names},
    place::{self, Place, field},
    table::{Form, Layout, dates, shipments, stock},
};

const ORDER_COLUMNS: &str = "order_number=order_number, reference=reference, order_date=placed_at, name=name, company=company, \
    address1=address1, address2=address2, city=city, state=state, postcode=postcode, country=country, phone=phone, email=email, \
    carrier=carrier, service=service, notes=notes, facility=facility, line_number=line_number, sku=sku, quantity=quantity, \
    description=description, unit_price=unit_price";
const SHIPMENT_COLUMNS: &str = "order_number=order_number, shipment_id=shipment_id, shipped_at=shipped_at, carrier=carrier, \
    service=service, tracking_number=tracking_number, line_number=line_number, sku=sku, quantity=quantity";
const STOCK_COLUMNS: &str = "sku=sku, available=available";
/// What must be mapped of shipments.
const SHIPMENT_REQUIRED: &[&str] = &["order_number"];

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
        "order_files",
        "Names of order files",
        FieldKind::Text,
        Some("ord_*.csv"),
        "With one * where the order number and the time go.",
    ),
    field(
        "order_columns",
        "Columns of order files",
        FieldKind::LongText,
        Some(ORDER_COLUMNS),
        "In their order, one a line or separated by commas: title=field, or title=\"fixed text\". Each line of an order is a row; \
         what belongs to the order is repeated. order_number, name, address1, city, postcode, country, sku and quantity are \
         needed; docs/csv.md lists all fields. The preview shows an order written so.",
    ),
    field(
        "order_has_header",
        "Order files begin with column titles",
        FieldKind::Switch,
        Some("true"),
        "Off: only rows of orders.",
    ),
    place::ORDERS_PER_FILE,
    field("facility", "Facility", FieldKind::Text, None, "Facility of orders that name none."),
    field(
        "shipment_files",
        "Names of shipment files",
        FieldKind::Text,
        Some("shp_*.csv"),
        "With one * for what differs. Letter case does not count.",
    ),
    field(
        "shipment_columns",
        "Columns of shipment files",
        FieldKind::LongText,
        Some(SHIPMENT_COLUMNS),
        "Which column holds what: field=column title or position from 1, separated by commas. order_number is needed, sku and \
         quantity unless a row is all of its order that had not left before. The first of shipment_id, shipped_at and \
         tracking_number that is there tells shipments of an order apart; without any, each file is another shipment, so map one if \
         files repeat what earlier ones said. Without shipped_at, what left did so when the file was written. Also package_number, lot, serial (several with ;) and status. trailer=WORD: the last row begins \
         with WORD and gives the number of rows.",
    ),
    field(
        "shipment_has_header",
        "Shipment files begin with column titles",
        FieldKind::Switch,
        Some("true"),
        "Without them, columns are given by position.",
    ),
    field(
        "closed_status",
        "Status after which nothing more comes",
        FieldKind::Text,
        Some("closed, complete, completed, final, cancelled, canceled"),
        "Words of the column status, with commas. A row with one ends its order; when nothing of the order left, it is cancelled. \
         Letter case does not count.",
    ),
    field(
        "stock_files",
        "Names of stock files",
        FieldKind::Text,
        Some("inv_*.csv"),
        "With one * for what differs. Letter case does not count.",
    ),
    field(
        "stock_columns",
        "Columns of stock files",
        FieldKind::LongText,
        Some(STOCK_COLUMNS),
        "As for shipments. sku and one of available and on_hand are needed; also facility_id, lot (rows are added up), \
         counted_at and sequence.",
    ),
    field(
        "stock_has_header",
        "Stock files begin with column titles",
        FieldKind::Switch,
        Some("true"),
        "Without them, columns are given by position.",
    ),
    field(
        "full_snapshot",
        "A SKU that is missing from a stock file has none",
        FieldKind::Switch,
        Some("false"),
        "Off: a missing SKU is unchanged. On: it is zero; then every stock file must be complete, and one with a wrong row is not \
         used at all.",
    ),
    field(
        "delimiter",
        "Between cells",
        FieldKind::Choice(&[("comma", "Comma"), ("semicolon", "Semicolon"), ("tab", "Tab"), ("pipe", "Vertical bar")]),
        Some("comma"),
        "In both directions, as everything below.",
    ),
    field(
        "quote",
        "Around cells",
        FieldKind::Choice(&[("double", "Double quotes"), ("single", "Single quotes"), ("none", "Nothing")]),
        Some("double"),
        "Nothing: a delimiter inside a text becomes a space, and an order whose SKU holds one is refused. So is a fixed text or a title with one.",
    ),
    field(
        "quoting",
        "Which cells are quoted",
        FieldKind::Choice(&[("all", "All of them"), ("needed", "Those that need it")]),
        Some("all"),
        "When orders are written.",
    ),
    field(
        "line_end",
        "Ends of lines",
        FieldKind::Choice(&[("lf", "Line feed"), ("crlf", "Carriage return and line feed")]),
        Some("lf"),
        "When orders are written. Both are read.",
    ),
    field(
        "encoding",
        "Encoding",
        FieldKind::Choice(&[("utf-8", "UTF-8"), ("windows-1252", "Windows-1252 (Western European)")]),
        Some("utf-8"),
        "Of the files.",
    ),
    field(
        "decimal",
        "Decimal mark",
        FieldKind::Choice(&[("point", "Point"), ("comma", "Comma")]),
        Some("point"),
        "Marks between thousands are not read: they cannot be told from it.",
    ),
    field(
        "dates",
        "Dates and times",
        FieldKind::Text,
        None,
        "Made of YYYY or YY, MM or MMM, DD, HH, mm, ss and the marks between, such as DD/MM/YYYY HH:mm. Empty: ISO 8601, which is \
         always read.",
    ),
    field(
        "formulas",
        "Text that a spreadsheet would run",
        FieldKind::Choice(&[("apostrophe", "Gets an apostrophe before it"), ("keep", "Is written as it is")]),
        Some("keep"),
        "What begins with = or @, or with + or - and is no number. A program reads it as it is; choose the apostrophe where people \
         open the files in a spreadsheet.",
    ),
    place::AFTER_READING,
    place::TIME_ZONE,
];

/// What the connector works with.
pub(super) struct Config {
    pub(super) place: Place,
    pub(super) orders: OrderTable,
    pub(super) incoming: Incoming,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let is = |name: &str| text(name).as_deref() == Some("true");
        let place = Place::of(settings, FIELDS)?;
        let form = form(settings, &place)?;
        let kind = |names: &str, layout: &str, header: &str, known, required| {
            let read = Layout::parse(&given(layout)?, is(header), known, required)
                .map_err(|problem| SettingsError::field(layout, problem))?;
            Ok::<Kind, SettingsError>(Kind { names: file_names(names, &given(names)?, false)?, layout: read })
        };
        let shipments =
            kind("shipment_files", "shipment_columns", "shipment_has_header", shipments::FIELDS, SHIPMENT_REQUIRED)?;
        let has = |field: &str| shipments.layout.has(field);
        if let (false, Some(alone)) = (has("sku"), shipments::OF_GOODS.iter().find(|field| has(field))) {
            let why =
                format!("{alone} is said of goods: it needs sku beside it. Without both, a row is all of its order");
            return Err(SettingsError::field("shipment_columns", why));
        }
        if has("sku") && !has("quantity") {
            return Err(SettingsError::field("shipment_columns", "sku needs quantity beside it: how many left?"));
        }
        let stock = kind("stock_files", "stock_columns", "stock_has_header", stock::FIELDS, stock::REQUIRED)?;
        if !stock.layout.has("available") && !stock.layout.has("on_hand") {
            return Err(SettingsError::field("stock_columns", "available or on_hand must be there"));
        }
        if shipments.names == stock.names {
            return Err(SettingsError::field("stock_files", "must differ from the names of shipment files"));
        }
        let order_columns =
            columns(&given("order_columns")?).map_err(|problem| SettingsError::field("order_columns", problem))?;
        can_be_written(&order_columns, is("order_has_header"), &form)
            .map_err(|problem| SettingsError::field("order_columns", problem))?;
        let closed = text("closed_status").unwrap_or_default().to_lowercase();
        Ok(Self {
            orders: OrderTable {
                columns: order_columns,
                header: is("order_has_header"),
                form: form.clone(),
                quote_all: given("quoting")? == "all",
                line_end: if given("line_end")? == "crlf" { "\r\n" } else { "\n" },
                formulas: if given("formulas")? == "keep" { Formulas::Keep } else { Formulas::Apostrophe },
                names: file_names("order_files", &given("order_files")?, true)?,
                orders_per_file: place::orders_per_file(settings, FIELDS)?,
                facility: text("facility").unwrap_or_default(),
            },
            incoming: Incoming {
                shipments,
                stock,
                form,
                full_snapshot: is("full_snapshot"),
                closed: closed.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
                by_row: true,
            },
            place,
        })
    }
}

fn form(settings: &Settings, place: &Place) -> Result<Form, SettingsError> {
    let given = |name: &str| settings.require(FIELDS, name);
    let form = Form {
        delimiter: match given("delimiter")?.as_str() {
            "semicolon" => ';',
            "tab" => '\t',
            "pipe" => '|',
            _ => ',',
        },
        quote: match given("quote")?.as_str() {
            "none" => None,
            "single" => Some('\''),
            _ => Some('"'),
        },
        decimal: if given("decimal")? == "comma" { ',' } else { '.' },
        dates: settings
            .get(FIELDS, "dates")
            .map(|text| dates(&text))
            .transpose()
            .map_err(|problem| SettingsError::field("dates", problem))?,
        zone: place.zone.clone(),
        encoding: if given("encoding")? == "windows-1252" { WINDOWS_1252 } else { UTF_8 },
    };
    if form.quote.is_none() && form.decimal == form.delimiter {
        return Err(SettingsError::field(
            "decimal",
            "a comma would part the cell: nothing is quoted, and it parts cells",
        ));
    }
    Ok(form)
}

fn file_names(name: &str, pattern: &str, exact: bool) -> Result<Names, SettingsError> {
    let plain = |part: &str| part.chars().all(|one| one.is_ascii_alphanumeric() || "-_. ".contains(one));
    match pattern.split_once('*') {
        Some((before, after))
            if plain(before) && plain(after) && !before.starts_with('.') && !after.ends_with(".part") =>
        {
            Ok(Names { before: before.to_owned(), after: after.to_owned(), exact })
        }
        Some(_) | None => Err(SettingsError::field(
            name,
            "must hold one *, and beside it letters, digits, dots, dashes and underscores, such as orders_*.csv",
        )),
    }
}
