//! Translation tables of a connection: SKUs, kits, shipping methods, locations.

use std::collections::{BTreeMap, BTreeSet};

use connect::{Choices, ShipMethod};
use rust_decimal::Decimal;

use super::{
    Caller, Failure, Hub, Problem, Role, check, connections,
    file::{self, KitIn, LocationRow, MappingsIn, NameOrId, Names, ShipMethodRow},
};
use crate::db::{ConnectionKey, Mappings};

/// Longest SKU or code that is taken in.
pub(super) const LONGEST: usize = 200;

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
    note(hub, caller, key, mappings).await
}

/// A row in the audit trail: how large the tables are now.
pub(super) async fn note(hub: &Hub, caller: &Caller, key: &ConnectionKey, mappings: &Mappings) -> Result<(), Failure> {
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
        self::method(one, choices).map_err(|problem| problems.push(Problem::new(at, problem))).ok()
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
            match warehouse(&row.warehouse, choices) {
                Ok(id) => {
                    mappings.locations.insert(row.facility.trim().to_owned(), id);
                }
                Err(problem) => problems.push(Problem::new(format!("{prefix}locations"), problem)),
            }
        }
    }
    if problems.is_empty() { Ok(mappings) } else { Err(problems) }
}

/// The id of one of the account's shipping methods. Without the account's lists an id is believed.
///
/// # Errors
/// What is wrong with it.
pub(super) fn method(one: &NameOrId, choices: Option<&Choices>) -> Result<i64, String> {
    match (one, choices) {
        (NameOrId::Id(id), None) => Ok(*id),
        (one, Some(choices)) => file::ship_method(one, choices),
        (NameOrId::Name(_), None) => Err("give its id".to_owned()),
    }
}

/// The id of one of the account's warehouses, likewise.
///
/// # Errors
/// What is wrong with it.
pub(super) fn warehouse(one: &NameOrId, choices: Option<&Choices>) -> Result<i64, String> {
    match (one, choices) {
        (NameOrId::Id(id), None) => Ok(*id),
        (one, Some(choices)) => file::warehouse(one, choices),
        (NameOrId::Name(_), None) => Err("give its id".to_owned()),
    }
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
