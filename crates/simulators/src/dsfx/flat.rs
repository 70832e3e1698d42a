//! The same warehouse for partners with files of its own making: one row for each line, its own titles, semicolons, decimal
//! commas, and times as its clock on the wall in Berlin shows them.
//!
//! - orders `ORDERS_*.csv`: [`ORDER_TITLES`], what belongs to the order repeated on each of its rows, which stand together
//! - shipments `shp_*.csv`: [`SHIPMENT_TITLES`], status COMPLETE when nothing more of the order will come, CANCELLED when
//!   nothing will leave at all
//! - stock `inv_*.csv`: [`STOCK_TITLES`]

use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;

use super::{
    feed::{Feed, Places, Table, cells},
    ledger::{LedgerOrder, LedgerShipment, OrderState, StockRow},
    order_file::{ReceivedLine, ReceivedOrder, ShipTo},
};

/// Columns of order files.
pub const ORDER_TITLES: [&str; 17] = [
    "Order", "Ref", "Name", "Company", "Street", "Street 2", "Town", "County", "Postcode", "Country", "Phone",
    "E-mail", "Ship by", "Notes", "Line", "Item", "Qty",
];
/// Columns of shipment files.
pub const SHIPMENT_TITLES: [&str; 13] = [
    "Despatch No",
    "Order",
    "Despatched",
    "Carrier",
    "Service",
    "Parcel",
    "Tracking",
    "Line",
    "Item",
    "Qty",
    "Lot",
    "Serials",
    "Status",
];
/// Columns of stock files.
pub const STOCK_TITLES: [&str; 5] = ["Item", "Site", "Free", "Physical", "Counted"];

/// Reads a whole file, or says in one sentence why it is refused. A file is taken whole or not at all.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<ReceivedOrder>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(bytes);
    let titles = reader.headers().map_err(|error| format!("it is not readable: {error}"))?;
    if titles.iter().ne(ORDER_TITLES) {
        return Err(format!("its titles are {titles:?}"));
    }
    let mut orders: Vec<ReceivedOrder> = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let place = index + 2;
        let row = row.map_err(|error| format!("row {place} is not readable: {error}"))?;
        let (order, line) = one(&row).map_err(|why| format!("row {place}: {why}"))?;
        match orders.iter_mut().find(|known| known.number == order.number) {
            None => orders.push(ReceivedOrder { lines: vec![line], ..order }),
            Some(known) if known.ship_to != order.ship_to || known.ship_method != order.ship_method => {
                return Err(format!("row {place}: order {} goes to two places", order.number));
            }
            Some(known) if known.lines.iter().any(|other| other.number == line.number) => {
                return Err(format!("row {place}: line {} stands there twice", line.number));
            }
            Some(known) => known.lines.push(line),
        }
    }
    if orders.is_empty() { Err("the file holds no order".to_owned()) } else { Ok(orders) }
}

fn one(row: &csv::StringRecord) -> Result<(ReceivedOrder, ReceivedLine), String> {
    let cell = |title: &str| {
        let place = ORDER_TITLES.iter().position(|known| *known == title);
        place.and_then(|place| row.get(place)).unwrap_or_default().to_owned()
    };
    let needed = |title: &str| match cell(title) {
        text if text.trim().is_empty() => Err(format!("{title} is empty")),
        text => Ok(text),
    };
    if let Some(formula) = row.iter().find(|cell| cell.starts_with(['=', '@'])) {
        return Err(format!("{formula:?} would be run by the program that the orders are opened with"));
    }
    let quantity = needed("Qty")?.replace(',', ".").parse::<Decimal>().ok().filter(|units| *units > Decimal::ZERO);
    let order = ReceivedOrder {
        number: needed("Order")?,
        po_number: cell("Ref"),
        email: cell("E-mail"),
        ship_to: ShipTo {
            name: needed("Name")?,
            address1: needed("Street")?,
            address2: cell("Street 2"),
            city: needed("Town")?,
            state: cell("County"),
            postcode: needed("Postcode")?,
            country: needed("Country")?,
            attention: cell("Company"),
            telephone: cell("Phone"),
        },
        ship_method: needed("Ship by")?,
        payment_type: String::new(),
        notes: cell("Notes"),
        facility: String::new(),
        lines: Vec::new(),
    };
    let line = ReceivedLine {
        number: needed("Line")?,
        sku: needed("Item")?,
        quantity: quantity.ok_or_else(|| format!("quantity {:?} is not a number above zero", cell("Qty")))?,
        unit_price: None,
    };
    Ok((order, line))
}

/// As the clock on the wall shows it.
fn wall(at: Timestamp) -> String {
    let zone = TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%d.%m.%Y %H:%M:%S").to_string()
}

fn number(units: Decimal) -> String {
    units.normalize().to_string().replace('.', ",")
}

/// One row per (package, line), in the order given.
pub(super) fn shipments<'a>(shipped: impl Iterator<Item = (&'a LedgerOrder, &'a LedgerShipment)>) -> Table {
    let mut rows = Vec::new();
    for (order, shipment) in shipped {
        let finished = matches!(order.state, OrderState::Shipped | OrderState::ShippedShort);
        let is_last = order.shipments.last().is_some_and(|last| last.shipment_id == shipment.shipment_id);
        for package in &shipment.packages {
            for content in &package.contents {
                rows.push(cells([
                    shipment.shipment_id.clone(),
                    order.number.clone(),
                    wall(shipment.shipped_at),
                    shipment.carrier.clone(),
                    shipment.service.clone(),
                    package.number.to_string(),
                    package.tracking_number.clone(),
                    content.line_number.clone(),
                    content.sku.clone(),
                    number(content.quantity),
                    content.lot.clone(),
                    content.serials.join(";"),
                    if finished && is_last { "COMPLETE" } else { "PART" }.to_owned(),
                ]));
            }
        }
    }
    Table::of(Feed::Shipments, SHIPMENT_TITLES.to_vec(), rows, SHIPMENT_PLACES).parted_by(b';')
}

const SHIPMENT_PLACES: Places = Places { order: 1, sku: 8, quantities: &[9], text: 4, time: 2 };
const STOCK_PLACES: Places = Places { order: 0, sku: 0, quantities: &[2, 3], text: 1, time: 4 };

/// The rows of an order of which nothing will leave.
pub(super) fn cancelled(order: &LedgerOrder, now: Timestamp) -> Vec<u8> {
    let rows = order
        .lines
        .iter()
        .map(|line| {
            let none = String::new;
            cells([
                format!("X{}", order.receipt),
                order.number.clone(),
                wall(now),
                none(),
                none(),
                none(),
                none(),
                line.number.clone(),
                line.sku.clone(),
                "0".to_owned(),
                none(),
                none(),
                "CANCELLED".to_owned(),
            ])
        })
        .collect();
    Table::of(Feed::Shipments, SHIPMENT_TITLES.to_vec(), rows, SHIPMENT_PLACES).parted_by(b';').render(None, now)
}

/// One row per SKU and facility.
pub(super) fn stock(rows: &[StockRow], counted_at: Timestamp) -> Table {
    let rows = rows
        .iter()
        .map(|row| {
            cells([
                row.sku.clone(),
                row.facility.clone(),
                number(row.available),
                number(row.physical),
                wall(counted_at),
            ])
        })
        .collect();
    Table::of(Feed::Stock, STOCK_TITLES.to_vec(), rows, STOCK_PLACES).parted_by(b';')
}
