//! Translation tables as CSV: each is a file of its own with its own columns, and all come in and go out in the same way.
//!
//! Taking in is all or nothing: every line that cannot be used is named, and nothing is changed. Shipping methods and warehouses of
//! Brightpearl are written by id, or by name where the account is asked for it.

use std::collections::BTreeMap;

use connect::{Choices, ShipMethod};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, Problem, Role, check, connections,
    file::NameOrId,
    mappings::{self, LONGEST},
};
use crate::db::Mappings;

/// One of the translation tables, by the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum MappingTable {
    /// SKUs.
    #[serde(rename = "listings.csv")]
    Listings,
    /// Kits, a line for each part.
    #[serde(rename = "kits.csv")]
    Kits,
    /// Brightpearl's shipping methods and what they are at the warehouse.
    #[serde(rename = "ship_methods.csv")]
    ShipMethods,
    /// The warehouse's carriers and what they are in Brightpearl.
    #[serde(rename = "source_methods.csv")]
    SourceMethods,
    /// The warehouse's facilities and which Brightpearl warehouse each is.
    #[serde(rename = "locations.csv")]
    Locations,
}

impl MappingTable {
    /// Every table there is.
    pub const ALL: [Self; 5] = [Self::Listings, Self::Kits, Self::ShipMethods, Self::SourceMethods, Self::Locations];

    /// The name of its file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Listings => "listings.csv",
            Self::Kits => "kits.csv",
            Self::ShipMethods => "ship_methods.csv",
            Self::SourceMethods => "source_methods.csv",
            Self::Locations => "locations.csv",
        }
    }

    /// Its columns.
    fn columns(self) -> &'static [Column] {
        match self {
            Self::Listings => const { &[Column::needed("brightpearl_sku"), Column::needed("warehouse_sku")] },
            Self::Kits => {
                const { &[Column::needed("brightpearl_sku"), Column::needed("part_sku"), Column::needed("units")] }
            }
            Self::ShipMethods => {
                const { &[Column::needed("brightpearl_method"), Column::needed("carrier"), Column::perhaps("service")] }
            }
            Self::SourceMethods => {
                const { &[Column::needed("carrier"), Column::perhaps("service"), Column::needed("brightpearl_method")] }
            }
            Self::Locations => const { &[Column::needed("facility"), Column::needed("brightpearl_warehouse")] },
        }
    }

    /// Which column names something of the Brightpearl account.
    fn of_the_account(self) -> Option<usize> {
        match self {
            Self::Listings | Self::Kits => None,
            Self::ShipMethods => Some(0),
            Self::SourceMethods => Some(2),
            Self::Locations => Some(1),
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    /// Whether a cell may be empty.
    perhaps: bool,
}

impl Column {
    const fn needed(name: &'static str) -> Self {
        Self { name, perhaps: false }
    }

    const fn perhaps(name: &'static str) -> Self {
        Self { name, perhaps: true }
    }

    /// Whether this cell of a first line names the column: people write *SKU*, *Their SKU*, *Brightpearl method*.
    fn is_named(self, cell: &str) -> bool {
        let last = self.name.rsplit('_').next().unwrap_or(self.name);
        cell.to_lowercase().ends_with(last)
    }
}

/// A line of a file, as many cells as the table has columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    line: u64,
    cells: Vec<String>,
}

impl Row {
    fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// How a CSV is taken in.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Replace entries that exist; otherwise they are left as they are.
    pub overwrite: bool,
    /// Show what would change, and change nothing.
    pub preview: bool,
}

/// What taking a CSV in did, or would do.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ImportedOut {
    /// Nothing was changed: it was a preview.
    pub preview: bool,
    /// New entries.
    pub added: usize,
    /// Entries that mean something else than before: entry, before, after.
    #[schema(value_type = Vec<Vec<String>>)]
    pub changed: Vec<(String, String, String)>,
    /// Entries that differ and were left as they are.
    #[schema(value_type = Vec<Vec<String>>)]
    pub left: Vec<(String, String, String)>,
    /// Entries that were there already.
    pub same: usize,
}

/// Takes a table in from CSV. Entries that are not in the file stay. Nothing is changed when a line is wrong.
///
/// # Errors
/// When a line cannot be used; every one is listed.
pub async fn import(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    table: MappingTable,
    csv: &str,
    query: ImportQuery,
) -> Result<ImportedOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = connections::find(hub, caller, named).await?;
    let (rows, mut problems) = rows(table, csv);
    let named = |row: &Row| table.of_the_account().is_some_and(|column| row.cell(column).parse::<i64>().is_err());
    // The account is asked only for what the file is right about so far.
    let choices = if problems.is_empty() && rows.iter().any(named) {
        Some(check::source_of(hub, &key).await?.choices().await?)
    } else {
        None
    };
    let given =
        if problems.is_empty() { entries(table, &rows, choices.as_ref(), &mut problems) } else { Mappings::default() };
    if !problems.is_empty() {
        return Err(unusable(table, problems));
    }
    let before = hub.db.mappings(&key).await?;
    let (told, changes) = compare(&before, given, query);
    if !query.preview && changes != Mappings::default() {
        // Only what the file changes is written: what somebody else maps at the same time stays.
        hub.db.put_mappings(&key, &changes).await?;
        mappings::note(hub, caller, &key, &hub.db.mappings(&key).await?).await?;
    }
    Ok(told)
}

/// A table as CSV, Brightpearl's shipping methods and warehouses by id. A cell that a spreadsheet would take for a formula gets an
/// apostrophe in front, which taking in takes away.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn export(hub: &Hub, caller: &Caller, named: &str, table: MappingTable) -> Result<String, Failure> {
    let key = connections::find(hub, caller, named).await?;
    Ok(written(table, &hub.db.mappings(&key).await?))
}

/// A table as the text of its file.
pub(super) fn written(table: MappingTable, mappings: &Mappings) -> String {
    let mut text = table.columns().iter().map(|column| column.name).collect::<Vec<_>>().join(",");
    text.push_str("\r\n");
    for cells in lines(table, mappings) {
        text.push_str(&cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    text
}

/// What the table says, a cell for each of its columns.
pub(super) fn lines(table: MappingTable, mappings: &Mappings) -> Vec<Vec<String>> {
    match table {
        MappingTable::Listings => {
            mappings.listings.iter().map(|(ours, theirs)| vec![ours.clone(), theirs.clone()]).collect()
        }
        MappingTable::Kits => mappings
            .kits
            .iter()
            .flat_map(|(kit, parts)| {
                parts.iter().map(move |(part, units)| vec![kit.clone(), part.clone(), units.normalize().to_string()])
            })
            .collect(),
        MappingTable::ShipMethods => mappings
            .ship_methods
            .iter()
            .map(|(id, method)| vec![id.to_string(), method.carrier.clone(), method.service.clone()])
            .collect(),
        MappingTable::SourceMethods => mappings
            .source_methods
            .iter()
            .map(|(method, id)| vec![method.carrier.clone(), method.service.clone(), id.to_string()])
            .collect(),
        MappingTable::Locations => {
            mappings.locations.iter().map(|(facility, id)| vec![facility.clone(), id.to_string()]).collect()
        }
    }
}

/// Listings of a file beside a configuration file: Brightpearl's SKU, the warehouse's SKU.
///
/// # Errors
/// When a line cannot be read; every one is listed.
pub(super) fn listings(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let (rows, problems) = rows(MappingTable::Listings, text);
    if !problems.is_empty() {
        return Err(unusable(MappingTable::Listings, problems));
    }
    Ok(rows.iter().map(|row| (row.cell(0).to_owned(), row.cell(1).to_owned())).collect())
}

fn unusable(table: MappingTable, problems: Vec<Problem>) -> Failure {
    /// More would hide the message; all of them are listed beside it.
    const SHOWN: usize = 5;
    let columns = table.columns().iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let shown = problems.iter().take(SHOWN).map(Problem::to_string).collect::<Vec<_>>().join("; ");
    let more = problems.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Failure::invalid(format!("the CSV cannot be used: {shown}{more}"), problems)
        .remedy(format!("Correct these lines; the columns are {columns}. Nothing was changed."))
}

/// The lines that hold something, and what is wrong with the others. A first line that names the columns is skipped.
fn rows(table: MappingTable, text: &str) -> (Vec<Row>, Vec<Problem>) {
    let columns = table.columns();
    let least = columns.iter().rposition(|column| !column.perhaps).map_or(0, |last| last + 1);
    let text = text.trim_start_matches('\u{feff}');
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    for (place, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                problems.push(Problem::new(format!("line {line}"), error.to_string()));
                continue;
            }
        };
        let line = record.position().map_or(0, |position| line_of(text, position));
        let given: Vec<String> = record.iter().map(|cell| bare(cell).trim().to_owned()).collect();
        let named = given.len() >= least && columns.iter().zip(&given).all(|(column, cell)| column.is_named(cell));
        if given.iter().all(String::is_empty) || (place == 0 && named) {
            continue;
        }
        match wrong(columns, least, &given) {
            Some(problem) => problems.push(Problem::new(format!("line {line}"), problem)),
            None => rows.push(Row { line, cells: given }),
        }
    }
    (rows, problems)
}

/// The number of the line that a record begins in. It is read from behind the record before it, so that empty lines come first.
fn line_of(text: &str, position: &csv::Position) -> u64 {
    let from = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let empty = text.bytes().skip(from).take_while(|byte| [b'\r', b'\n'].contains(byte));
    position.line() + empty.filter(|byte| *byte == b'\n').map(|_| 1).sum::<u64>()
}

/// What is wrong with the cells of a line, whatever they mean.
fn wrong(columns: &[Column], least: usize, given: &[String]) -> Option<String> {
    if given.len() < least || given.len() > columns.len() {
        return Some(format!("has {} columns instead of {}", given.len(), columns.len()));
    }
    columns.iter().zip(given).find_map(|(column, cell)| {
        if cell.is_empty() && !column.perhaps {
            return Some(format!("{} is empty", column.name));
        }
        if cell.contains('\0') {
            return Some(format!("{} holds a NUL character", column.name));
        }
        (cell.len() > LONGEST).then(|| format!("{} is longer than {LONGEST} characters", column.name))
    })
}

/// What the lines say; what is wrong with one is added to `problems` with its number.
fn entries(table: MappingTable, rows: &[Row], choices: Option<&Choices>, problems: &mut Vec<Problem>) -> Mappings {
    let mut given = Mappings::default();
    let mut refuse = |row: &Row, problem: String| problems.push(Problem::new(format!("line {}", row.line), problem));
    let service =
        |carrier: &str, service: &str| ShipMethod { carrier: carrier.to_owned(), service: service.to_owned() };
    match table {
        MappingTable::Listings => {
            given.listings = once(rows, &mut refuse, |row| Ok((row.cell(0).to_owned(), row.cell(1).to_owned())));
        }
        MappingTable::Kits => given.kits = kits(rows, &mut refuse),
        MappingTable::ShipMethods => {
            given.ship_methods = once(rows, &mut refuse, |row| {
                Ok((mappings::method(&name_or_id(row.cell(0)), choices)?, service(row.cell(1), row.cell(2))))
            });
        }
        MappingTable::SourceMethods => {
            given.source_methods = once(rows, &mut refuse, |row| {
                Ok((service(row.cell(0), row.cell(1)), mappings::method(&name_or_id(row.cell(2)), choices)?))
            });
        }
        MappingTable::Locations => {
            given.locations = once(rows, &mut refuse, |row| {
                Ok((row.cell(0).to_owned(), mappings::warehouse(&name_or_id(row.cell(1)), choices)?))
            });
        }
    }
    given
}

/// An entry for each line. The same thing may be said twice, but not two things of one.
fn once<K: Ord, V: PartialEq>(
    rows: &[Row],
    refuse: &mut impl FnMut(&Row, String),
    read: impl Fn(&Row) -> Result<(K, V), String>,
) -> BTreeMap<K, V> {
    let mut read_from: BTreeMap<K, (u64, V)> = BTreeMap::new();
    for row in rows {
        match read(row) {
            Err(problem) => refuse(row, problem),
            Ok((key, value)) => match read_from.get(&key) {
                Some((line, known)) if *known != value => {
                    refuse(row, format!("says something else of the same entry as line {line}"));
                }
                Some(_) => {}
                None => {
                    read_from.insert(key, (row.line, value));
                }
            },
        }
    }
    read_from.into_iter().map(|(key, (_, value))| (key, value)).collect()
}

/// A kit is all of its lines in the file, its parts in their order.
fn kits(rows: &[Row], refuse: &mut impl FnMut(&Row, String)) -> BTreeMap<String, Vec<(String, Decimal)>> {
    let mut kits: BTreeMap<String, Vec<(String, Decimal)>> = BTreeMap::new();
    for row in rows {
        let (kit, part) = (row.cell(0), row.cell(1));
        match row.cell(2).parse::<Decimal>() {
            Ok(units) if units.is_sign_positive() && !units.is_zero() => {
                let parts = kits.entry(kit.to_owned()).or_default();
                if parts.iter().any(|(known, _)| known == part) {
                    refuse(row, format!("{part} is a part of {kit} twice; add its units up"));
                } else {
                    parts.push((part.to_owned(), units));
                }
            }
            Ok(_) => refuse(row, "units must be more than zero".to_owned()),
            Err(_) => refuse(row, format!("units must be a number such as 2, not {:?}", row.cell(2))),
        }
    }
    kits
}

fn name_or_id(cell: &str) -> NameOrId {
    cell.parse().map_or_else(|_| NameOrId::Name(cell.to_owned()), NameOrId::Id)
}

/// What taking these entries in does, and the entries that it writes.
fn compare(before: &Mappings, given: Mappings, query: ImportQuery) -> (ImportedOut, Mappings) {
    let mut told = ImportedOut { preview: query.preview, ..ImportedOut::default() };
    let sku = |theirs: &String| theirs.clone();
    let code = |method: &ShipMethod| match method.service.as_str() {
        "" => method.carrier.clone(),
        service => format!("{} {service}", method.carrier),
    };
    let parts = |parts: &Vec<(String, Decimal)>| {
        parts.iter().map(|(sku, units)| format!("{} x {sku}", units.normalize())).collect::<Vec<_>>().join(", ")
    };
    let changes = Mappings {
        listings: differing(&before.listings, given.listings, query, &mut told, sku, sku),
        kits: differing(&before.kits, given.kits, query, &mut told, sku, parts),
        ship_methods: differing(&before.ship_methods, given.ship_methods, query, &mut told, i64::to_string, code),
        source_methods: differing(&before.source_methods, given.source_methods, query, &mut told, code, i64::to_string),
        locations: differing(&before.locations, given.locations, query, &mut told, sku, i64::to_string),
    };
    (told, changes)
}

/// The entries of one table that are new, or other than before where those are to be replaced.
fn differing<K: Ord, V: PartialEq>(
    before: &BTreeMap<K, V>,
    given: BTreeMap<K, V>,
    query: ImportQuery,
    told: &mut ImportedOut,
    key_text: impl Fn(&K) -> String,
    value_text: impl Fn(&V) -> String,
) -> BTreeMap<K, V> {
    let mut changes = BTreeMap::new();
    for (key, value) in given {
        match before.get(&key) {
            Some(known) if *known == value => told.same += 1,
            Some(known) => {
                let change = (key_text(&key), value_text(known), value_text(&value));
                if query.overwrite {
                    told.changed.push(change);
                    changes.insert(key, value);
                } else {
                    told.left.push(change);
                }
            }
            None => {
                told.added += 1;
                changes.insert(key, value);
            }
        }
    }
    changes
}

/// What makes a spreadsheet take a cell for a formula, or look past its first character for one.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0'];

/// A cell of a CSV file.
pub(super) fn cell(text: &str) -> String {
    let guarded = if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn bare(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests;
