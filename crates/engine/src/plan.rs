//! What becomes of an order that was read: requests for the warehouse, or the reason why not.

mod stop;

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Allocation, BundleRole, GoodsOutNote, LineStock, NoteRow, NoteState, Order, OrderLine, Product, Progress,
    RequestLine, ShipMethod,
};
use rust_decimal::Decimal;

use crate::{
    cause::{Cause, CauseKind},
    key,
    order::Disposition,
    settings::{ConnectionSettings, StartMode, UnmappedSku},
};
use stop::{Problem, Stop};

/// The tables an order is translated with.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// The source's SKU → the warehouse's SKU.
    pub listings: &'a BTreeMap<String, String>,
    /// The source's SKU → (warehouse SKU, units each).
    pub kits: &'a BTreeMap<String, Vec<(String, Decimal)>>,
    /// The source's shipping method → the warehouse's.
    pub ship_methods: &'a BTreeMap<i64, ShipMethod>,
    /// The warehouse's facility → the source's warehouse.
    pub locations: &'a BTreeMap<String, i64>,
    /// Names of the account's shipping methods, statuses and so on, for reasons that people read.
    pub ship_method_names: &'a BTreeMap<i64, String>,
}

/// Everything the decision follows from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The source account's code.
    pub account: &'a str,
    /// What the person chose.
    pub settings: &'a ConnectionSettings,
    /// The translation tables.
    pub tables: Tables<'a>,
    /// The account's status for cancelled orders.
    pub cancelled_status: Option<i64>,
    /// The order as it is now.
    pub order: &'a Order,
    /// Every goods-out note of it.
    pub notes: &'a [GoodsOutNote],
    /// Units by row that the source counts as fulfilled although they are on no goods-out note: a supplier sends them himself.
    pub drop_shipped: &'a BTreeMap<i64, Decimal>,
    /// Why that cannot be read of this order, where it cannot: what is left of it for the warehouse is then not known.
    pub drop_ship_unread: Option<&'a str>,
    /// The notes that are requests of this connection already.
    pub known_notes: &'a BTreeSet<i64>,
    /// A request of it was cancelled at the warehouse and goes again.
    pub goes_again: bool,
    /// The products on its rows.
    pub products: &'a BTreeMap<i64, Product>,
}

/// A request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRequest {
    /// Its key.
    pub key: String,
    /// The note that is the request, where one is.
    pub note_id: Option<i64>,
    /// The source's warehouse the goods leave from, where known.
    pub warehouse_id: Option<i64>,
    /// The facility named on the request.
    pub facility: Option<String>,
    /// How it goes.
    pub ship_method: ShipMethod,
    /// Its lines.
    pub lines: Vec<RequestLine>,
}

/// What becomes of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Requested, or the reason why not.
    pub disposition: Disposition,
    /// Empty unless requested.
    pub requests: Vec<PlannedRequest>,
    /// Why not, for counting; empty only where it is requested.
    pub causes: Vec<Cause>,
}

impl Plan {
    fn not(Stop { disposition, causes }: Stop) -> Self {
        Self { disposition, requests: Vec::new(), causes }
    }
}

/// Decides. Pure: the same facts give the same plan.
pub fn decide(facts: &Facts<'_>) -> Plan {
    let began = Began { goes_again: facts.goes_again, known_notes: facts.known_notes };
    if let Some(stop) = out_of_scope(facts.order, facts.settings, facts.cancelled_status, began) {
        return Plan::not(stop);
    }
    let rows = match shippable(facts) {
        Ok(rows) => rows,
        Err(stop) => return Plan::not(stop),
    };
    let ours = facts.settings.warehouses_in_scope();
    let is_open = |note: &GoodsOutNote| !note.transfer && note.state == NoteState::Unshipped;
    let is_ours = |note: &GoodsOutNote| !note.transfer && (ours.is_empty() || ours.contains(&note.warehouse_id));
    // A note that somebody made before we forwarded anything is the request, in either mode: creating a second one for the
    // same goods would allocate them twice.
    let mut notes: Vec<&GoodsOutNote> =
        facts.notes.iter().filter(|note| is_ours(note) && note.state == NoteState::Unshipped).collect();
    notes.sort_by_key(|note| note.note_id);

    let mut wanted: Vec<(Option<&GoodsOutNote>, BTreeMap<i64, Decimal>)> = notes
        .iter()
        .map(|note| {
            let mut quantities: BTreeMap<i64, Decimal> = BTreeMap::new();
            for row in &note.rows {
                *quantities.entry(row.row_id).or_default() += row.quantity;
            }
            (Some(*note), quantities)
        })
        .collect();
    match facts.settings.start_mode {
        StartMode::GoodsOutNote if wanted.is_empty() => {
            return Plan::not(if facts.notes.iter().any(is_ours) {
                Stop::skipped(CauseKind::Shipped, "its goods-out notes for this warehouse are shipped already")
            } else {
                Stop::waiting(CauseKind::NoNote, "it has no goods-out note for this warehouse yet")
            });
        }
        StartMode::GoodsOutNote => {}
        StartMode::Order => match rest_of_order(facts, &rows) {
            // Such a note may be deleted again, and the order need not show that it was (brightpearl-api.md §23, row 46).
            Ok(rest) if rest.is_empty() && wanted.is_empty() && facts.notes.iter().any(is_open) => {
                return Plan::not(Stop::waiting(
                    CauseKind::NoNote,
                    "every row is on a goods-out note of another warehouse, or shipped already",
                ));
            }
            Ok(rest) if rest.is_empty() && wanted.is_empty() => {
                return Plan::not(Stop::skipped(
                    CauseKind::Shipped,
                    "every row has left already, or a supplier sends it",
                ));
            }
            Ok(rest) if rest.is_empty() => {}
            Ok(rest) => wanted.push((None, rest)),
            // A noted part waits with it: an order that was sent is not planned again, so the rest would be forgotten (O2).
            Err(stop) => return Plan::not(stop),
        },
    }
    let mut problems = Vec::new();
    let mut requests = Vec::new();
    for (note, quantities) in wanted {
        match request(facts, &rows, note, &quantities) {
            Ok(request) => requests.push(request),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Plan { disposition: Disposition::Requested, requests, causes: Vec::new() }
    } else {
        Plan::not(Stop::held(problems))
    }
}

/// Whether an order that nothing is known of yet is one to import, by what stands on its head. It need not be ready.
pub fn is_in_scope(order: &Order, settings: &ConnectionSettings, cancelled_status: Option<i64>) -> bool {
    let nothing = Began { goes_again: false, known_notes: &BTreeSet::new() };
    out_of_scope(order, settings, cancelled_status, nothing).is_none()
}

/// What was done with an order already.
#[derive(Clone, Copy)]
struct Began<'a> {
    goes_again: bool,
    known_notes: &'a BTreeSet<i64>,
}

fn out_of_scope(
    order: &Order,
    settings: &ConnectionSettings,
    cancelled_status: Option<i64>,
    began: Began<'_>,
) -> Option<Stop> {
    if !order.is_sale {
        return Some(Stop::skipped(CauseKind::NotASale, "it is not a sales order"));
    }
    if cancelled_status == Some(order.status_id) {
        let disposition = Disposition::Cancelled(if began.goes_again {
            "cancelled in Brightpearl, and at the warehouse before".to_owned()
        } else {
            "cancelled in Brightpearl before it was sent".to_owned()
        });
        return Some(Stop { disposition, causes: vec![CauseKind::Cancelled.into()] });
    }
    // The status that the hub itself set for one request of the order does not put the others out of scope, nor one that takes
    // the place of a request cancelled at the warehouse.
    let set_by_hub = (began.goes_again || !began.known_notes.is_empty())
        && [settings.at_warehouse_status, settings.partly_shipped_status].contains(&Some(order.status_id));
    if settings.start_mode == StartMode::Order && !settings.import_statuses.contains(&order.status_id) && !set_by_hub {
        return Some(Stop::skipped(
            Cause::new(CauseKind::Status, order.status_id.to_string()),
            format!("filter statuses: its status {} is not one of those imported from", order.status_id),
        ));
    }
    if settings.start_mode == StartMode::Order {
        let warehouses = settings.warehouses_in_scope();
        if !warehouses.is_empty() && !order.warehouse_id.is_some_and(|warehouse| warehouses.contains(&warehouse)) {
            let theirs = order.warehouse_id.map(|id| id.to_string()).unwrap_or_default();
            return Some(Stop::skipped(
                Cause::new(CauseKind::Warehouse, theirs),
                "filter warehouses: it belongs to another warehouse",
            ));
        }
    }
    if !settings.channels.is_empty() && !order.channel_id.is_some_and(|channel| settings.channels.contains(&channel)) {
        let theirs = order.channel_id.map(|id| id.to_string()).unwrap_or_default();
        return Some(Stop::skipped(
            Cause::new(CauseKind::Channel, theirs),
            "filter channels: it comes from another channel",
        ));
    }
    if settings.placed_from.is_some_and(|from| order.placed_at < from) {
        return Some(Stop::skipped(CauseKind::OrderDate, "filter order date: it was placed before the chosen date"));
    }
    if order.shipping == Progress::All {
        return Some(Stop::skipped(CauseKind::Shipped, "it is shipped already"));
    }
    None
}

/// The rows that can leave a warehouse, by row id: products with stock, and of a bundle its components.
fn shippable<'a>(facts: &Facts<'a>) -> Result<BTreeMap<i64, (&'a OrderLine, i64)>, Stop> {
    let mut rows = BTreeMap::new();
    let mut unknown = Vec::new();
    for line in &facts.order.lines {
        let Some(product_id) = line.product_id else { continue };
        if line.bundle == BundleRole::Parent || !line.quantity.is_sign_positive() || line.quantity.is_zero() {
            continue;
        }
        let stocked = match line.stock {
            LineStock::Stocked => true,
            LineStock::NotStocked | LineStock::FreeText => false,
            LineStock::Unknown => match facts.products.get(&product_id) {
                Some(product) if !product.components.is_empty() => {
                    // Its components stand on rows of their own; without them nothing says which goods are meant.
                    let has_children =
                        facts.order.lines.iter().any(|child| child.bundle == BundleRole::Child(line.row_id));
                    if !has_children {
                        unknown.push(Problem::new(
                            Cause::new(CauseKind::Product, format!("bundle {} without component rows", line.sku)),
                            format!(
                                "row {} is a bundle ({}) without component rows; add it to the order again",
                                line.row_id, line.sku
                            ),
                        ));
                    }
                    false
                }
                Some(product) => product.stock_tracked,
                None => {
                    unknown.push(Problem::new(
                        Cause::new(CauseKind::Product, format!("product {product_id} ({})", line.sku)),
                        format!("product {product_id} on row {} does not exist any more", line.row_id),
                    ));
                    false
                }
            },
        };
        if stocked {
            rows.insert(line.row_id, (line, product_id));
        }
    }
    if !unknown.is_empty() {
        Err(Stop::held(unknown))
    } else if rows.is_empty() {
        Err(Stop::skipped(CauseKind::NothingToShip, "nothing on it is kept in stock"))
    } else {
        Ok(rows)
    }
}

/// What of each row is on no goods-out note and not sent by a supplier, and may therefore be asked for.
fn rest_of_order(facts: &Facts<'_>, rows: &BTreeMap<i64, (&OrderLine, i64)>) -> Result<BTreeMap<i64, Decimal>, Stop> {
    let mut rest = BTreeMap::new();
    for (row_id, (line, _)) in rows {
        let elsewhere = facts.drop_shipped.get(row_id).copied().unwrap_or_default();
        let left = line.quantity - noted(facts, *row_id) - elsewhere;
        if left.is_sign_positive() && !left.is_zero() {
            rest.insert(*row_id, left);
        }
    }
    if let Some(why) = facts.drop_ship_unread
        && !rest.is_empty()
    {
        return Err(Stop::waiting(
            CauseKind::Other,
            &format!(
                "a part of it is fulfilled, and how much of that a supplier sends cannot be read ({why}); give the API user the \
                 right to read the fulfilment of orders in Brightpearl, or make goods-out notes for what the warehouse sends"
            ),
        ));
    }
    match facts.order.allocation {
        Allocation::All => Ok(rest),
        _ if rest.is_empty() => Ok(rest),
        Allocation::Part => Err(Stop::waiting(CauseKind::NotAllocated, "its stock is only partly allocated")),
        Allocation::None => Err(Stop::waiting(CauseKind::NotAllocated, "its stock is not allocated")),
        Allocation::NotRequired => Err(Stop::waiting(
            CauseKind::NotAllocated,
            "Brightpearl has not worked out the allocation of its stock yet",
        )),
    }
}

/// What goods-out notes ask for of a row, whoever made them and whichever warehouse they are for.
fn noted(facts: &Facts<'_>, row_id: i64) -> Decimal {
    facts
        .notes
        .iter()
        .filter(|note| !note.transfer)
        .flat_map(|note| &note.rows)
        .filter(|row| row.row_id == row_id)
        .map(|row| row.quantity)
        .sum()
}

fn request(
    facts: &Facts<'_>,
    rows: &BTreeMap<i64, (&OrderLine, i64)>,
    note: Option<&GoodsOutNote>,
    quantities: &BTreeMap<i64, Decimal>,
) -> Result<PlannedRequest, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut lines: Vec<RequestLine> = Vec::new();
    let mut ordered: Vec<(&i64, &Decimal)> = quantities.iter().collect();
    ordered.sort_by_key(|(row_id, _)| (rows.get(row_id).map_or(i64::MAX, |(line, _)| line.sequence), **row_id));
    for (row_id, quantity) in ordered {
        let Some((line, product_id)) = rows.get(row_id) else {
            problems.push(Problem::new(
                Cause::new(CauseKind::Note, "names a row that the order does not have"),
                format!(
                    "goods-out note {} names row {row_id}, which is not a row of the order with goods kept in stock",
                    note.map_or(0, |note| note.note_id)
                ),
            ));
            continue;
        };
        if quantity.is_zero() {
            continue;
        }
        if quantity.is_sign_negative() || !quantity.fract().is_zero() {
            problems.push(Problem::new(
                Cause::new(CauseKind::Quantity, &line.sku),
                format!("row {row_id} ({}): {quantity} is not a whole number of units", line.sku),
            ));
            continue;
        }
        let noted = noted(facts, *row_id);
        if note.is_some() && noted > line.quantity {
            problems.push(Problem::new(
                Cause::new(CauseKind::Note, "asks for more than is ordered"),
                format!(
                    "row {row_id} ({}): its goods-out notes ask for {}, but {} are ordered; correct them in Brightpearl",
                    line.sku,
                    noted.normalize(),
                    line.quantity.normalize()
                ),
            ));
            continue;
        }
        match translate(facts, line) {
            Ok(parts) => {
                for (sku, per_unit) in parts {
                    lines.push(RequestLine {
                        line_number: u32::try_from(lines.len() + 1).unwrap_or(u32::MAX),
                        sku,
                        quantity: (*quantity * per_unit).normalize(),
                        row_id: *row_id,
                        product_id: *product_id,
                        per_unit,
                        name: line.name.clone(),
                        unit_price: line.unit_price.clone(),
                    });
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    let method_id = note.map(|note| note.ship_method_id).filter(|id| *id != 0).or(facts.order.ship_method_id);
    let ship_method = match ship_method(facts, method_id) {
        Ok(method) => method,
        Err(problem) => {
            problems.push(problem);
            ShipMethod::default()
        }
    };
    if lines.is_empty() && problems.is_empty() {
        problems.push(Problem::new(CauseKind::NothingToShip, "nothing on it can be shipped".to_owned()));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let note_id = note.map(|note| note.note_id);
    let locations = facts.tables.locations;
    let chosen = facts.settings.facility.as_ref().filter(|facility| !facility.is_empty());
    // The locations table says which warehouse the goods leave from; Warehouse Name only where the table does not.
    let warehouse_id = note
        .map(|note| note.warehouse_id)
        .or_else(|| chosen.and_then(|facility| locations.get(facility)).copied())
        .or_else(|| facts.order.warehouse_id.filter(|id| locations.values().any(|warehouse| warehouse == id)))
        .or_else(|| facts.settings.default_warehouse())
        .or(facts.order.warehouse_id);
    let facility = chosen.cloned().or_else(|| {
        let mut mapped =
            locations.iter().filter(|(_, warehouse)| Some(**warehouse) == warehouse_id).map(|(name, _)| name);
        // With several facilities feeding one warehouse the choice is the warehouse's.
        match (mapped.next(), mapped.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    });
    Ok(PlannedRequest {
        key: key::request_key(facts.settings.key_prefix.as_deref(), facts.account, facts.order.order_id, note_id),
        note_id,
        warehouse_id,
        facility: facility.filter(|facility| !facility.is_empty()),
        ship_method,
        lines,
    })
}

fn translate(facts: &Facts<'_>, line: &OrderLine) -> Result<Vec<(String, Decimal)>, Problem> {
    // The row's SKU is a snapshot of the day the row was added; where it is blank the product's own SKU stands in.
    let sku = if line.sku.trim().is_empty() {
        line.product_id.and_then(|id| facts.products.get(&id)).map(|product| product.sku.as_str()).unwrap_or_default()
    } else {
        line.sku.as_str()
    };
    if sku.trim().is_empty() {
        return Err(Problem::new(
            Cause::new(CauseKind::MissingSku, &line.name),
            format!("row {} ({}) has no SKU; give the product one in Brightpearl", line.row_id, line.name),
        ));
    }
    if let Some(parts) = facts.tables.kits.get(sku) {
        let complete = !parts.is_empty()
            && parts.iter().all(|(part, per_unit)| !part.trim().is_empty() && *per_unit > Decimal::ZERO);
        return if complete {
            Ok(parts.clone())
        } else {
            Err(Problem::new(
                Cause::new(CauseKind::Kit, sku),
                format!("kit {sku} needs components, each with a SKU and a quantity; complete it under Mappings"),
            ))
        };
    }
    match (facts.tables.listings.get(sku), facts.settings.unmapped_sku) {
        (Some(listed), _) if !listed.trim().is_empty() => Ok(vec![(listed.clone(), Decimal::ONE)]),
        (_, UnmappedSku::PassThrough) => Ok(vec![(sku.to_owned(), Decimal::ONE)]),
        (_, UnmappedSku::Strict) => Err(Problem::new(
            Cause::new(CauseKind::UnknownSku, sku),
            format!("SKU {sku} is not mapped to a SKU of the warehouse; map it, or choose pass-through"),
        )),
    }
}

fn ship_method(facts: &Facts<'_>, method_id: Option<i64>) -> Result<ShipMethod, Problem> {
    let method_id = method_id.filter(|id| *id != 0);
    if let Some(mapped) = method_id.and_then(|id| facts.tables.ship_methods.get(&id)) {
        return Ok(mapped.clone());
    }
    if let Some(default) = &facts.settings.default_ship_method {
        return Ok(default.clone());
    }
    Err(match method_id {
        None => Problem::new(
            Cause::new(CauseKind::ShipMethod, "none"),
            "it has no shipping method; choose one in Brightpearl, or set a default for the connection".to_owned(),
        ),
        Some(id) => {
            let name = facts.tables.ship_method_names.get(&id).cloned().unwrap_or_else(|| id.to_string());
            let words =
                format!("shipping method {name} is not mapped to a carrier of the warehouse; map it, or set a default");
            Problem::new(Cause::new(CauseKind::ShipMethod, name), words)
        }
    })
}

/// The rows of a request as the source counts them: per row, whole units.
pub fn note_rows(lines: &[RequestLine]) -> Vec<NoteRow> {
    let mut rows: BTreeMap<i64, NoteRow> = BTreeMap::new();
    for line in lines {
        if line.per_unit.is_zero() {
            continue;
        }
        let units = (line.quantity / line.per_unit).normalize();
        // Every component line of a kit says the same number of units.
        rows.insert(line.row_id, NoteRow { row_id: line.row_id, product_id: line.product_id, quantity: units });
    }
    rows.into_values().collect()
}

#[cfg(test)]
mod tests;
