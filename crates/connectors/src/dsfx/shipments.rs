//! Shipment files: one row for each line in each box.
//!
//! The public description of the format gives no columns for them; the default layout is this project's own.

use std::collections::BTreeMap;

use connect::{Package, PackageLine, ShipMethod, Shipment};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::columns::{Row, Table};

/// What can be mapped.
pub(super) const FIELDS: &[&str] = &[
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
/// What must be mapped: without a shipment id of the warehouse's own, a repeat could not be told from a second shipment.
pub(super) const REQUIRED: &[&str] = &["order_number", "shipment_id", "shipped_at", "sku", "quantity"];

/// A shipment while its rows are read.
struct Growing<'a> {
    first: Row<'a>,
    shipment: Shipment,
    /// Number of each package, in the order of `shipment.packages`.
    numbers: Vec<&'a str>,
}

/// The shipments of a file, in order of first appearance. Rows are grouped by order number and shipment id; boxes by
/// package number, else by tracking number. Serial numbers in one cell are separated by `;`. A row of quantity 0 says that
/// nothing of a line left, and adds nothing.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub(super) fn read(table: &Table, zone: &TimeZone) -> Result<Vec<Shipment>, String> {
    let mut growing: Vec<Growing<'_>> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut seen: BTreeMap<[&str; 8], u64> = BTreeMap::new();
    for row in table.rows() {
        let (order, id) = (row.require("order_number")?, row.require("shipment_id")?);
        let identity = ["package_number", "tracking_number", "line_number", "sku", "lot", "serial"]
            .map(|field| row.text(field).unwrap_or_default());
        let [package, tracking, line, sku, lot, serial] = identity;
        if let Some(earlier) = seen.insert([order, id, package, tracking, line, sku, lot, serial], row.line) {
            return Err(row.wrong("sku", &format!("the same goods in the same box stand in line {earlier} already")));
        }
        let place = match places.get(&(order, id)) {
            Some(place) => *place,
            None => {
                places.insert((order, id), growing.len());
                growing.push(begin(row, order, id, zone)?);
                growing.len() - 1
            }
        };
        if let Some(shipment) = growing.get_mut(place) {
            shipment.add(row)?;
        }
    }
    Ok(growing
        .into_iter()
        .map(|growing| growing.shipment)
        .filter(|shipment| shipment.lines().next().is_some())
        .collect())
}

fn begin<'a>(row: Row<'a>, order: &str, id: &str, zone: &TimeZone) -> Result<Growing<'a>, String> {
    row.require("shipped_at")?;
    let shipped_at = row.moment("shipped_at", zone)?.ok_or_else(|| row.wrong("shipped_at", "it is empty"))?;
    let method = |field| row.text(field).unwrap_or_default().to_owned();
    let shipment = Shipment {
        reference: id.to_owned(),
        key: order.to_owned(),
        shipped_at,
        ship_method: ShipMethod { carrier: method("carrier"), service: method("service") },
        packages: Vec::new(),
        loose: Vec::new(),
        // The file says what left, not whether more will follow.
        is_final: false,
    };
    Ok(Growing { first: row, shipment, numbers: Vec::new() })
}

impl<'a> Growing<'a> {
    fn add(&mut self, row: Row<'a>) -> Result<(), String> {
        for field in ["shipped_at", "carrier", "service"] {
            if row.text(field) != self.first.text(field) {
                return Err(row.wrong(field, &format!("it differs from line {} of the same shipment", self.first.line)));
            }
        }
        row.require("quantity")?;
        let quantity = row.number("quantity")?.unwrap_or_default();
        if quantity < Decimal::ZERO {
            return Err(row.wrong("quantity", "less than nothing cannot leave"));
        }
        let line_number = match row.text("line_number") {
            Some(cell) => Some(cell.parse::<u32>().map_err(|_| row.wrong("line_number", "it is not a line number"))?),
            None => None,
        };
        let sku = row.require("sku")?.to_owned();
        if quantity.is_zero() {
            return Ok(());
        }
        let serials =
            row.text("serial").unwrap_or_default().split(';').map(str::trim).filter(|serial| !serial.is_empty());
        let line = PackageLine {
            line_number,
            sku,
            quantity,
            lot: row.text("lot").map(str::to_owned),
            serials: serials.map(str::to_owned).collect(),
        };
        self.lines(row)?.push(line);
        Ok(())
    }

    /// Where the row's goods go: its box, or the goods without one.
    fn lines(&mut self, row: Row<'a>) -> Result<&mut Vec<PackageLine>, String> {
        let tracking = row.text("tracking_number");
        let Some(number) = row.text("package_number").or(tracking) else {
            return Ok(&mut self.shipment.loose);
        };
        let place = self.numbers.iter().position(|known| *known == number).unwrap_or_else(|| {
            self.numbers.push(number);
            self.shipment.packages.push(Package { tracking: tracking.map(str::to_owned), ..Package::default() });
            self.numbers.len() - 1
        });
        let package =
            self.shipment.packages.get_mut(place).ok_or_else(|| row.wrong("package_number", "it is unknown"))?;
        if package.tracking.as_deref() != tracking {
            return Err(row.wrong("tracking_number", "it differs from another line of the same box"));
        }
        Ok(&mut package.lines)
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{UTF_8, WINDOWS_1252};
    use jiff::tz::TimeZone;
    use proptest::prelude::{Strategy, any, prop_assert, proptest};

    use super::{FIELDS, REQUIRED, read};
    use crate::dsfx::{
        columns::{Layout, Table},
        stock,
    };

    /// Bytes at random, and files that are nearly right.
    fn content() -> impl Strategy<Value = Vec<u8>> {
        let cell = proptest::sample::select(vec![
            "A",
            "S1",
            "2026-11-23T06:00:00Z",
            "2026-11-23",
            "5",
            "-1",
            "0.5",
            "1e3",
            "",
            "\"",
            "\"x\"",
            ",",
            "\u{e9}",
            "\0",
            "TRAILER",
        ]);
        let row = proptest::collection::vec(cell, 0..7).prop_map(|cells| cells.join(","));
        let rows = proptest::collection::vec(row, 0..6).prop_map(|rows| (rows.join("\n") + "\n").into_bytes());
        proptest::prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), rows]
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_it_is_read_or_refused(content in content(), trailer in any::<bool>(), narrow in any::<bool>()) {
            let encoding = if narrow { WINDOWS_1252 } else { UTF_8 };
            let more = if trailer { ", trailer=TRAILER" } else { "" };
            let map = format!("order_number=1, shipment_id=2, shipped_at=3, sku=4, quantity=5{more}");
            let layout = Layout::parse(&map, false, FIELDS, REQUIRED);
            prop_assert!(layout.is_ok());
            if let Ok(table) = layout.and_then(|layout| Table::read(&content, &layout, encoding))
                && let Ok(shipments) = read(&table, &TimeZone::UTC)
            {
                prop_assert!(shipments.iter().all(|shipment| shipment.lines().all(|line| line.quantity > 0.into())));
            }
            let layout = Layout::parse(&format!("sku=1, available=2{more}, sequence=3"), false, stock::FIELDS, stock::REQUIRED);
            prop_assert!(layout.is_ok());
            let source = stock::Source { name: "inv_1.csv", content_hash: String::new(), modified: None, full_snapshot: true };
            if let Ok(table) = layout.and_then(|layout| Table::read(&content, &layout, encoding)) {
                // Without a time of count and without a time of the file there is no cut-off.
                prop_assert!(stock::read(&table, &source, &TimeZone::UTC).is_err());
            }
        }
    }
}
