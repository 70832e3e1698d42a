//! Stock files: one row for each SKU and facility, or for each lot of one.

use std::collections::{BTreeMap, BTreeSet};

use connect::{StockFeed, StockLevel};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::read::{Row, SetAside, Table};

/// What can be mapped.
pub(crate) const FIELDS: &[&str] = &["sku", "available", "on_hand", "facility_id", "lot", "counted_at", "sequence"];
/// What must be mapped, beside one of `available` and `on_hand`.
pub(crate) const REQUIRED: &[&str] = &["sku"];

/// Where a file comes from.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) content_hash: String,
    pub(crate) modified: Option<Timestamp>,
    /// Whether a SKU that is missing has none.
    pub(crate) full_snapshot: bool,
}

/// What a file of stock says.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) feed: StockFeed,
    /// What cannot be used, SKU by SKU.
    pub(crate) bad: Vec<SetAside>,
    /// Rows of other kinds.
    pub(crate) others: Vec<SetAside>,
}

/// Names a figure: its SKU and facility.
type Place<'a> = (&'a str, Option<&'a str>);

/// Figures while they are read.
#[derive(Default)]
struct Counting<'a> {
    levels: BTreeMap<Place<'a>, StockLevel>,
    /// Line of each row that was used, by place and lot.
    seen: BTreeMap<(Place<'a>, &'a str), u64>,
    rows: BTreeMap<&'a str, Vec<Row<'a>>>,
    /// What is wrong with a SKU.
    wrong: BTreeMap<&'a str, String>,
    cut_off: Option<Timestamp>,
    sequence: Option<i64>,
}

/// The feed of a file. Its cut-off is the earliest time of count of its rows, since nothing later is true of all of them;
/// without such a column, the time the file was written. Available figures may be negative (back orders), figures on the
/// shelf may not. Lots are added up where they are mapped.
///
/// A SKU with a row that is wrong is left out with all its rows, since a part of them would pass for all.
///
/// # Errors
/// What is wrong, with line and column, where it makes every figure uncertain: a missing SKU would count as none, or a row
/// may be of any SKU.
pub(crate) fn read(table: &Table<'_>, source: &Source<'_>) -> Result<Counted, String> {
    let mut counting = Counting { sequence: table.sequence, ..Counting::default() };
    let mut loose: Vec<(Row<'_>, String)> = Vec::new();
    for row in table.rows() {
        match row.require("sku") {
            Ok(sku) => {
                counting.rows.entry(sku).or_default().push(row);
                match counting.add(sku, row) {
                    Ok(()) => {}
                    Err(Problem::Row(why)) => {
                        counting.wrong.entry(sku).or_insert(why);
                    }
                    Err(Problem::File(why)) => return Err(why),
                }
            }
            Err(why) => loose.push((row, why)),
        }
    }
    let mut bad = Vec::new();
    for (row, why) in table.bad().map(|(row, why)| (row, why.to_owned())).chain(loose) {
        match row.text("sku").and_then(|sku| counting.rows.get_key_value(sku)).map(|(sku, _)| *sku) {
            Some(sku) => {
                counting.rows.entry(sku).or_default().push(row);
                counting.wrong.entry(sku).or_insert(why);
            }
            None if table.has("facility_id") || table.has("lot") => {
                return Err(format!("{why}. It may be of any SKU, and the figures of one are added up over its rows"));
            }
            None => bad.push(table.set_aside(&format!("line {}", row.line()), &why, &[row])),
        }
    }
    for (sku, why) in &counting.wrong {
        bad.push(table.set_aside(sku, why, counting.rows.get(sku).map(Vec::as_slice).unwrap_or_default()));
    }
    let wrong: BTreeSet<&str> = counting.wrong.keys().copied().collect();
    counting.levels.retain(|(sku, _), _| !wrong.contains(sku));
    match bad.first() {
        Some(first) if source.full_snapshot || counting.levels.is_empty() => return Err(first.why.clone()),
        None if counting.levels.is_empty() => {
            return Err("it holds no row: an empty stock file says nothing, and must not mean that all stock is gone"
                .to_owned());
        }
        Some(_) | None => {}
    }
    let cut_off = counting
        .cut_off
        .or(source.modified)
        .ok_or_else(|| "neither the rows nor the file tell when it was counted: map counted_at".to_owned())?;
    let feed = StockFeed {
        reference: source.name.to_owned(),
        content_hash: source.content_hash.clone(),
        cut_off,
        sequence: counting.sequence,
        absent_is_zero: source.full_snapshot,
        names_all: source.full_snapshot,
        levels: counting.levels.into_values().collect(),
    };
    Ok(Counted { feed, bad, others: table.others() })
}

/// How far something wrong reaches.
enum Problem {
    Row(String),
    File(String),
}

impl<'a> Counting<'a> {
    fn add(&mut self, sku: &'a str, row: Row<'a>) -> Result<(), Problem> {
        let facility = row.text("facility_id");
        let number = |field| row.number(field).map_err(Problem::Row);
        let (available, physical) = (number("available")?, number("on_hand")?);
        if available.is_none() && physical.is_none() {
            return Err(Problem::Row(row.wrong("sku", "there is no quantity for this SKU")));
        }
        if physical.is_some_and(|physical| physical < Decimal::ZERO) {
            return Err(Problem::Row(row.wrong("on_hand", "less than nothing cannot lie on a shelf")));
        }
        if let Some(counted) = row.moment("counted_at").map_err(Problem::Row)? {
            // The whole count is placed among the others by it.
            row.was_once("counted_at").map_err(Problem::File)?;
            self.cut_off = Some(self.cut_off.map_or(counted, |earlier| earlier.min(counted)));
        }
        if let Some(cell) = row.text("sequence") {
            let not_whole = |_| Problem::File(row.wrong("sequence", "it is not a whole number"));
            let number = cell.parse::<i64>().map_err(not_whole)?;
            if self.sequence.is_some_and(|known| known != number) {
                return Err(Problem::File(row.wrong("sequence", "it differs from the rows before")));
            }
            self.sequence = Some(number);
        }
        let lot = row.text("lot").unwrap_or_default();
        if let Some(earlier) = self.seen.insert(((sku, facility), lot), row.line()) {
            let again = format!("this SKU and facility stand in line {earlier} already");
            return Err(Problem::Row(row.wrong("sku", &again)));
        }
        let level = self.levels.entry((sku, facility)).or_insert_with(|| StockLevel {
            sku: sku.to_owned(),
            facility: facility.map(str::to_owned),
            available: None,
            physical: None,
        });
        level.available = sum(level.available, available);
        level.physical = sum(level.physical, physical);
        Ok(())
    }
}

fn sum(known: Option<Decimal>, more: Option<Decimal>) -> Option<Decimal> {
    match (known, more) {
        (Some(known), Some(more)) => Some(known + more),
        (known, more) => known.or(more),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Counted, FIELDS, REQUIRED, Source, read};
    use crate::files::table::{Form, Layout, Table};

    fn counted(map: &str, content: &str, full_snapshot: bool) -> Result<Counted, String> {
        let (layout, form) = (Layout::parse(map, false, FIELDS, REQUIRED).unwrap(), Form::plain());
        let modified = Some(Timestamp::UNIX_EPOCH);
        let source = Source { name: "inv.csv", content_hash: "h".to_owned(), modified, full_snapshot };
        read(&Table::read(content.as_bytes(), &layout, &form)?, &source)
    }

    fn figures(counted: &Counted) -> Vec<(&str, String)> {
        let figure = |level: &connect::StockLevel| level.available.map(|units| units.to_string()).unwrap_or_default();
        counted.feed.levels.iter().map(|level| (level.sku.as_str(), figure(level))).collect()
    }

    #[test]
    fn lots_are_added_up_where_they_are_mapped() {
        let content = "A,5,L1\nA,2,L2\nB,1,\n";
        let read = counted("sku=1, available=2, lot=3", content, true).unwrap();
        assert_eq!(figures(&read), [("A", "7".to_owned()), ("B", "1".to_owned())]);
        let problem = counted("sku=1, available=2, lot=3", "A,5,L1\nA,2,L1\n", false).unwrap_err();
        assert!(problem.contains("line 1 already"), "{problem}");
        assert!(counted("sku=1, available=2", content, true).is_err());
    }

    #[test]
    fn a_wrong_row_takes_its_sku_along_and_no_other() {
        let map = "sku=1, available=2";
        let read = counted(map, "A,5\nB,x\nC,1\n?\nD,2\nD,3\n,9\nE,4\n", false).unwrap();
        assert_eq!(figures(&read), [("A", "5".to_owned()), ("C", "1".to_owned()), ("E", "4".to_owned())]);
        let bad: Vec<(&str, &[u64])> = read.bad.iter().map(|bad| (bad.what.as_str(), bad.lines.as_slice())).collect();
        assert_eq!(bad, [("line 4", &[4_u64][..]), ("line 7", &[7]), ("B", &[2]), ("D", &[5, 6])]);
        // A SKU that is left out would be counted as none.
        assert!(counted(map, "A,5\nB,x\n", true).unwrap_err().contains("line 2, column 2"));
        // And a facility that is left out would be missing from the sum.
        let map = "sku=1, facility_id=2, available=3";
        assert!(counted(map, "A,1,5\nA,2\n", false).unwrap_err().contains("line 2 has 2 columns"));
        let read = counted(map, "A,1,5\nA,2,x\nB,1,3\n", false).unwrap();
        assert_eq!(figures(&read), [("B", "3".to_owned())]);
        let unknown = counted(map, "A,1,5\n?\nB,1,3\n", false).unwrap_err();
        assert!(unknown.contains("any SKU"), "{unknown}");
    }
}
