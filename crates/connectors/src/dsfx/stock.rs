//! Stock files: one row for each SKU and facility.
//!
//! The public description of the format gives no columns for them, only that quantities are *available*; the default
//! layout is this project's own.

use std::collections::BTreeMap;

use connect::{StockFeed, StockLevel};
use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;

use super::columns::Table;

/// What can be mapped.
pub(super) const FIELDS: &[&str] = &["sku", "available", "on_hand", "facility_id", "counted_at", "sequence"];
/// What must be mapped, beside one of `available` and `on_hand`.
pub(super) const REQUIRED: &[&str] = &["sku"];

/// Where a file comes from.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) content_hash: String,
    pub(super) modified: Option<Timestamp>,
    /// Whether a SKU that is missing has none.
    pub(super) full_snapshot: bool,
}

/// The feed of a file. Its cut-off is the earliest time of count of its rows, since nothing later is true of all of them;
/// without such a column, the time the file was written. Available figures may be negative (back orders), figures on the
/// shelf may not.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub(super) fn read(table: &Table, source: &Source<'_>, zone: &TimeZone) -> Result<StockFeed, String> {
    let mut levels: BTreeMap<(String, Option<String>), (u64, StockLevel)> = BTreeMap::new();
    let mut cut_off: Option<Timestamp> = None;
    let mut sequence = table.sequence;
    for row in table.rows() {
        let sku = row.require("sku")?;
        let facility = row.text("facility_id").map(str::to_owned);
        let (available, physical) = (row.number("available")?, row.number("on_hand")?);
        if available.is_none() && physical.is_none() {
            return Err(row.wrong("sku", "there is no quantity for this SKU"));
        }
        if physical.is_some_and(|physical| physical < Decimal::ZERO) {
            return Err(row.wrong("on_hand", "less than nothing cannot lie on a shelf"));
        }
        if let Some(counted) = row.moment("counted_at", zone)? {
            cut_off = Some(cut_off.map_or(counted, |earlier| earlier.min(counted)));
        }
        if let Some(cell) = row.text("sequence") {
            let number = cell.parse::<i64>().map_err(|_| row.wrong("sequence", "it is not a whole number"))?;
            if sequence.is_some_and(|known| known != number) {
                return Err(row.wrong("sequence", "it differs from the rows before"));
            }
            sequence = Some(number);
        }
        let level = StockLevel { sku: sku.to_owned(), facility: facility.clone(), available, physical };
        if let Some((earlier, _)) = levels.insert((sku.to_owned(), facility), (row.line, level)) {
            return Err(row.wrong("sku", &format!("this SKU and facility stand in line {earlier} already")));
        }
    }
    if levels.is_empty() {
        return Err(
            "it holds no row: an empty stock file says nothing, and must not mean that all stock is gone".to_owned()
        );
    }
    let cut_off = cut_off
        .or(source.modified)
        .ok_or_else(|| "neither the rows nor the file tell when it was counted: map counted_at".to_owned())?;
    Ok(StockFeed {
        reference: source.name.to_owned(),
        content_hash: source.content_hash.clone(),
        cut_off,
        sequence,
        absent_is_zero: source.full_snapshot,
        levels: levels.into_values().map(|(_, level)| level).collect(),
    })
}
