//! Translation tables of a connection: SKUs, kits, shipping methods, locations.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Choices, ShipMethod};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Caller, Failure, Hub, Problem, Role, check, connections,
    file::{self, KitIn, LocationRow, MappingsIn, NameOrId, Names, ShipMethodRow},
};
use crate::db::{ConnectionKey, Mappings};

/// Longest SKU that is taken in.
const LONGEST: usize = 200;

/// The tables of a connection, by the account's ids.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn show(hub: &Hub, caller: &Caller, named: &str) -> Result<MappingsIn, Failure> {
    let key = connections::find(hub, caller, named).await?;
    Ok(written(&hub.db.mappings(&key).await?, &Choices::default()))
}

/// Replaces the tables that are given; the others stay.
///
/// # Errors
/// When an entry cannot be used; every problem is listed.
pub async fn put(hub: &Hub, caller: &Caller, named: &str, given: MappingsIn) -> Result<MappingsIn, Failure> {
    caller.needs(Role::Staff)?;
    if given.listings_csv.is_some() {
        return Err(Failure::invalid(
            "listings_csv: files are named in configuration files only",
            vec![Problem::new("listings_csv", "send the listings themselves")],
        ));
    }
    let key = connections::find(hub, caller, named).await?;
    let before = hub.db.mappings(&key).await?;
    let choices =
        if needs_names(&given) { check::source_of(hub, &key).await?.choices().await? } else { Choices::default() };
    let mappings = resolve(&given, &before, needs_names(&given).then_some(&choices), "").map_err(|problems| {
        let detail = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ");
        Failure::invalid(detail, problems)
    })?;
    write(hub, caller, &key, &before, &mappings).await?;
    Ok(written(&mappings, &Choices::default()))
}

/// Whether turning these into ids takes the account's lists.
pub(super) fn needs_names(given: &MappingsIn) -> bool {
    let named = |one: &NameOrId| matches!(one, NameOrId::Name(_));
    given.ship_methods.iter().flatten().any(|row| named(&row.source))
        || given.source_methods.iter().flatten().any(|row| named(&row.source))
        || given.locations.iter().flatten().any(|row| named(&row.warehouse))
}

/// Writes tables down where they differ, with a row in the audit trail.
pub(super) async fn write(
    hub: &Hub,
    caller: &Caller,
    key: &ConnectionKey,
    before: &Mappings,
    mappings: &Mappings,
) -> Result<(), Failure> {
    if before == mappings {
        return Ok(());
    }
    hub.db.replace_mappings(key, mappings).await?;
    let detail = serde_json::json!({
        "listings": mappings.listings.len(), "kits": mappings.kits.len(), "ship_methods": mappings.ship_methods.len(),
        "source_methods": mappings.source_methods.len(), "locations": mappings.locations.len(),
    });
    let target = key.connection.as_str();
    hub.db.audit(&caller.access(), &caller.actor, "connection.mappings", target, &detail).await?;
    Ok(())
}

/// The tables after a change: those given replaced, the others as before. Without the account's lists, ids are believed.
///
/// # Errors
/// Every single thing that is wrong.
pub(super) fn resolve(
    given: &MappingsIn,
    before: &Mappings,
    choices: Option<&Choices>,
    prefix: &str,
) -> Result<Mappings, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut mappings = before.clone();
    if let Some(listings) = &given.listings {
        mappings.listings = pairs(listings, &format!("{prefix}listings"), &mut problems);
    }
    if let Some(kits) = &given.kits {
        mappings.kits = self::kits(kits, &format!("{prefix}kits"), &mut problems);
    }
    let mut method = |one: &NameOrId, at: &str| -> Option<i64> {
        let found = match (one, choices) {
            (NameOrId::Id(id), None) => Ok(*id),
            (one, Some(choices)) => file::ship_method(one, choices),
            (NameOrId::Name(_), None) => Err("give its id".to_owned()),
        };
        found.map_err(|problem| problems.push(Problem::new(at, problem))).ok()
    };
    if let Some(rows) = &given.ship_methods {
        mappings.ship_methods = rows
            .iter()
            .filter_map(|row| Some((method(&row.source, &format!("{prefix}ship_methods"))?, carrier(row))))
            .collect();
    }
    if let Some(rows) = &given.source_methods {
        mappings.source_methods = rows
            .iter()
            .filter_map(|row| Some((carrier(row), method(&row.source, &format!("{prefix}source_methods"))?)))
            .collect();
    }
    if let Some(rows) = &given.locations {
        mappings.locations.clear();
        for row in rows {
            let found = match (&row.warehouse, choices) {
                (NameOrId::Id(id), None) => Ok(*id),
                (one, Some(choices)) => file::warehouse(one, choices),
                (NameOrId::Name(_), None) => Err("give its id".to_owned()),
            };
            match found {
                Ok(id) => {
                    mappings.locations.insert(row.facility.trim().to_owned(), id);
                }
                Err(problem) => problems.push(Problem::new(format!("{prefix}locations"), problem)),
            }
        }
    }
    if problems.is_empty() { Ok(mappings) } else { Err(problems) }
}

fn carrier(row: &ShipMethodRow) -> ShipMethod {
    ShipMethod { carrier: row.carrier.trim().to_owned(), service: row.service.trim().to_owned() }
}

/// SKUs are compared as they are; only what no system keeps, blanks around them, is taken away.
fn pairs(rows: &[(String, String)], at: &str, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut listings = BTreeMap::new();
    for (place, (ours, theirs)) in rows.iter().enumerate() {
        let (ours, theirs) = (ours.trim(), theirs.trim());
        let place = format!("{at} row {}", place + 1);
        if ours.is_empty() || theirs.is_empty() || ours.len() > LONGEST || theirs.len() > LONGEST {
            problems.push(Problem::new(place, format!("both SKUs must be given, of at most {LONGEST} characters")));
        } else if listings.insert(ours.to_owned(), theirs.to_owned()).is_some_and(|before| before != theirs) {
            problems.push(Problem::new(place, format!("{ours} is mapped twice, to different SKUs")));
        }
    }
    listings
}

fn kits(rows: &[KitIn], at: &str, problems: &mut Vec<Problem>) -> BTreeMap<String, Vec<(String, Decimal)>> {
    let mut kits = BTreeMap::new();
    for kit in rows {
        let place = format!("{at} {}", kit.sku);
        let parts: Vec<(String, Decimal)> =
            kit.parts.iter().map(|(sku, units)| (sku.trim().to_owned(), *units)).collect();
        let names: BTreeSet<&str> = parts.iter().map(|(sku, _)| sku.as_str()).collect();
        if kit.sku.trim().is_empty() || parts.is_empty() || names.contains("") {
            problems.push(Problem::new(place, "a kit has a SKU and at least one part with a SKU"));
        } else if parts.iter().any(|(_, units)| units.is_sign_negative() || units.is_zero()) {
            problems.push(Problem::new(place, "the units of each part must be more than zero"));
        } else if names.len() != parts.len() {
            problems.push(Problem::new(place, "a part is named twice; add its units up"));
        } else {
            kits.insert(kit.sku.trim().to_owned(), parts);
        }
    }
    kits
}

/// Tables as a person writes them.
pub(super) fn written(mappings: &Mappings, choices: &Choices) -> MappingsIn {
    let names = Names::of(choices);
    MappingsIn {
        listings: Some(mappings.listings.iter().map(|(ours, theirs)| (ours.clone(), theirs.clone())).collect()),
        listings_csv: None,
        kits: Some(mappings.kits.iter().map(|(sku, parts)| KitIn { sku: sku.clone(), parts: parts.clone() }).collect()),
        ship_methods: Some(
            mappings
                .ship_methods
                .iter()
                .map(|(id, method)| ShipMethodRow {
                    source: names.ship_method(*id),
                    carrier: method.carrier.clone(),
                    service: method.service.clone(),
                })
                .collect(),
        ),
        source_methods: Some(
            mappings
                .source_methods
                .iter()
                .map(|(method, id)| ShipMethodRow {
                    source: names.ship_method(*id),
                    carrier: method.carrier.clone(),
                    service: method.service.clone(),
                })
                .collect(),
        ),
        locations: Some(
            mappings
                .locations
                .iter()
                .map(|(facility, id)| LocationRow { facility: facility.clone(), warehouse: names.warehouse(*id) })
                .collect(),
        ),
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
    /// Entries with another SKU than before: SKU, before, after.
    #[schema(value_type = Vec<Vec<String>>)]
    pub changed: Vec<(String, String, String)>,
    /// Entries that differ and were left as they are.
    #[schema(value_type = Vec<Vec<String>>)]
    pub left: Vec<(String, String, String)>,
    /// Entries that were there already.
    pub same: usize,
}

/// Takes listings in from CSV with two columns. Nothing is changed when a line is wrong.
///
/// # Errors
/// When a line cannot be used; every one is listed.
pub async fn import_csv(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    csv: &str,
    query: ImportQuery,
) -> Result<ImportedOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = connections::find(hub, caller, named).await?;
    let rows = read_csv(csv)?;
    let mut problems = Vec::new();
    let listings = pairs(&rows, "CSV", &mut problems);
    if !problems.is_empty() {
        let example = problems.first().map(Problem::to_string).unwrap_or_default();
        return Err(Failure::invalid(
            format!("{} lines of the CSV cannot be used, e.g. {example}; nothing was changed", problems.len()),
            problems,
        ));
    }
    let before = hub.db.mappings(&key).await?;
    let mut after = before.clone();
    let mut told = ImportedOut { preview: query.preview, ..ImportedOut::default() };
    for (ours, theirs) in listings {
        match before.listings.get(&ours) {
            None => {
                told.added += 1;
                after.listings.insert(ours, theirs);
            }
            Some(known) if *known == theirs => told.same += 1,
            Some(known) if query.overwrite => {
                told.changed.push((ours.clone(), known.clone(), theirs.clone()));
                after.listings.insert(ours, theirs);
            }
            Some(known) => told.left.push((ours, known.clone(), theirs)),
        }
    }
    if !query.preview {
        write(hub, caller, &key, &before, &after).await?;
    }
    Ok(told)
}

/// Two columns; a first line that names them is skipped.
pub(super) fn read_csv(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut problems = Vec::new();
    for (place, record) in reader.records().enumerate() {
        let at = format!("line {}", place + 1);
        match record {
            Ok(record) if record.iter().all(str::is_empty) => {}
            Ok(record) if record.len() == 2 => {
                let cell = |column| record.get(column).map(bare).unwrap_or_default();
                let row = (cell(0), cell(1));
                if place > 0 || !is_heading(&row) {
                    rows.push(row);
                }
            }
            Ok(record) => problems.push(Problem::new(at, format!("has {} columns instead of two", record.len()))),
            Err(error) => problems.push(Problem::new(at, error.to_string())),
        }
    }
    if problems.is_empty() {
        return Ok(rows);
    }
    let detail = format!(
        "the CSV cannot be read: {}",
        problems.iter().take(5).map(Problem::to_string).collect::<Vec<_>>().join("; ")
    );
    Err(Failure::invalid(detail, problems).remedy("Two columns: Brightpearl SKU, warehouse SKU. Nothing was changed."))
}

fn is_heading((ours, theirs): &(String, String)) -> bool {
    ours.to_lowercase().ends_with("sku") && theirs.to_lowercase().ends_with("sku")
}

/// Listings as CSV. A cell that a spreadsheet would take for a formula gets an apostrophe in front, which reading takes away.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn export_csv(hub: &Hub, caller: &Caller, named: &str) -> Result<String, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let mut text = String::from("brightpearl_sku,warehouse_sku\r\n");
    for (ours, theirs) in &hub.db.mappings(&key).await?.listings {
        text.push_str(&format!("{},{}\r\n", cell(ours), cell(theirs)));
    }
    Ok(text)
}

/// What makes a spreadsheet take a cell for a formula, or look past its first character for one.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0'];

pub(super) fn cell(text: &str) -> String {
    let guarded = if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn bare(cell: &str) -> String {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest.to_owned(),
        _ => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{cell, read_csv};

    proptest! {
        /// What is written out is read back, whatever a spreadsheet would make of it.
        #[test]
        fn csv_goes_round(rows in prop::collection::vec(("[!-~]([ -~]{0,10}[!-~])?", "[!-~]{1,12}"), 0..8)) {
            let rows: Vec<(String, String)> = rows.into_iter().filter(|(ours, _)| !ours.starts_with('\'')).collect();
            let rows: Vec<(String, String)> = rows.into_iter().filter(|(_, theirs)| !theirs.starts_with('\'')).collect();
            let mut text = String::from("brightpearl_sku,warehouse_sku\r\n");
            for (ours, theirs) in &rows {
                text.push_str(&format!("{},{}\r\n", cell(ours), cell(theirs)));
            }
            prop_assert_eq!(read_csv(&text).unwrap(), rows);
        }
    }

    #[test]
    fn a_line_with_too_many_columns_is_named() {
        let failure = read_csv("A,B\nC,D,E\n").unwrap_err();
        assert!(failure.detail.contains("line 2"), "{}", failure.detail);
    }
}
