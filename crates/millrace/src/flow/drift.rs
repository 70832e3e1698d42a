//! Explained drift: what each product's figures are on both sides, and what lies between them. Reads only; whatever it asks the
//! source for waits behind everything else that wants calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{FeedBasis, MovementKind, SourceStock, StockFeed, StockLevel, StockMovement};
use engine::{
    drift::{self, Drift, DriftFacts, MovedSince},
    stock::{Verdict, ends},
};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::{
    FlowError,
    stock::{
        place::{self, Counted},
        plan::SLICE,
    },
};
use crate::{
    db::{Count, InFlight, LevelView, OwnCorrections, StockLine},
    runtime::Runtime,
};

/// One product in one of the source's warehouses, or a SKU that cannot be placed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The source's warehouse; 0 where the SKU cannot be placed.
    pub warehouse_id: i64,
    /// The product; 0 where there is none.
    pub product_id: i64,
    /// The warehouse's SKUs that feed it.
    pub skus: Vec<String>,
    /// The warehouse's figure.
    pub figure: Decimal,
    /// The difference, split.
    pub drift: Drift,
    /// When the oldest of its figures was counted.
    pub counted_at: Option<Timestamp>,
    /// What else is to be known about it.
    pub notes: Vec<String>,
}

/// What a product's figures follow from, before they are split.
struct Looked {
    warehouse_id: i64,
    product_id: i64,
    counted: Counted,
    counted_at: Option<Timestamp>,
    facts: DriftFacts,
    notes: Vec<String>,
}

/// Every product that the warehouse reports or that is mapped to one of its SKUs; `text` limits them to SKUs with this text.
///
/// # Errors
/// When a read or the database fails.
pub async fn survey(runtime: &Runtime, text: &str) -> Result<Vec<Row>, FlowError> {
    let levels = runtime.db.latest_levels(&runtime.key).await?;
    let ages: BTreeMap<&str, Timestamp> =
        levels.iter().rev().map(|level| (level.sku.as_str(), level.cut_off)).collect();
    let feed = as_feed(&levels);
    let (placed, unplaced) = place::place(runtime, &feed).await?;
    let mut places: BTreeMap<i64, Vec<(i64, Counted)>> = BTreeMap::new();
    for ((warehouse_id, product_id), counted) in placed {
        if matches(text, counted.skus.iter()) {
            places.entry(warehouse_id).or_default().push((product_id, counted));
        }
    }
    let reported: BTreeSet<i64> = places.values().flatten().map(|(product, _)| *product).collect();
    let missing = not_reported(runtime, text, &ages, &reported).await?;
    let mut looked = Vec::new();
    for (warehouse_id, products) in &places {
        for slice in products.chunks(SLICE) {
            looked.extend(look(runtime, *warehouse_id, slice, &levels, true).await?);
        }
    }
    let warehouses: BTreeSet<i64> =
        places.keys().copied().chain(runtime.settings.default_warehouse().filter(|_| places.is_empty())).collect();
    for warehouse_id in warehouses {
        for slice in missing.chunks(SLICE) {
            looked.extend(look(runtime, warehouse_id, slice, &levels, false).await?);
        }
    }
    explain(runtime, &mut looked).await?;
    let mut rows: Vec<Row> = looked.into_iter().map(row).collect();
    // A mapped product of which neither side has any is nothing to show.
    rows.retain(|row| row.counted_at.is_some() || !row.drift.difference.is_zero());
    rows.extend(unplaced.into_iter().filter(|line| matches(text, line.skus.iter())).map(|line| unmapped(line, &ages)));
    add_adjustments(runtime, &mut rows).await?;
    add_verdicts(runtime, &mut rows).await?;
    Ok(rows)
}

fn matches<'a>(text: &str, mut skus: impl Iterator<Item = &'a String>) -> bool {
    text.is_empty() || skus.any(|sku| sku.to_lowercase().contains(&text.to_lowercase()))
}

/// The kept figures as one feed.
fn as_feed(levels: &[LevelView]) -> StockFeed {
    StockFeed {
        reference: String::new(),
        content_hash: String::new(),
        cut_off: levels.iter().map(|level| level.cut_off).max().unwrap_or(Timestamp::UNIX_EPOCH),
        sequence: None,
        absent_is_zero: false,
        names_all: true,
        levels: levels
            .iter()
            .map(|level| StockLevel {
                sku: level.sku.clone(),
                facility: (!level.facility.is_empty()).then(|| level.facility.clone()),
                available: level.available,
                physical: level.physical,
            })
            .collect(),
    }
}

/// Products that are mapped to a SKU which the warehouse has not reported.
async fn not_reported(
    runtime: &Runtime,
    text: &str,
    ages: &BTreeMap<&str, Timestamp>,
    reported: &BTreeSet<i64>,
) -> Result<Vec<(i64, Counted)>, FlowError> {
    let wanted: BTreeMap<&String, &String> = runtime
        .mappings
        .listings
        .iter()
        .filter(|(_, theirs)| !ages.contains_key(theirs.as_str()) && matches(text, std::iter::once(*theirs)))
        .collect();
    let found = runtime.skus(&wanted.keys().map(|ours| (*ours).clone()).collect()).await?;
    let ids: BTreeSet<i64> = found.values().flatten().copied().collect();
    let products = runtime.products(&ids).await?;
    let mut missing: BTreeMap<i64, Counted> = BTreeMap::new();
    for (ours, ids) in &found {
        for id in ids.iter().filter(|id| !reported.contains(id)) {
            if products.get(id).is_some_and(|product| product.stock_tracked) {
                let counted = missing.entry(*id).or_default();
                counted.skus.extend(wanted.get(ours).map(|theirs| (*theirs).clone()));
            }
        }
    }
    Ok(missing.into_iter().collect())
}

/// Reads both sides of some products of one warehouse.
async fn look(
    runtime: &Runtime,
    warehouse_id: i64,
    slice: &[(i64, Counted)],
    levels: &[LevelView],
    counted: bool,
) -> Result<Vec<Looked>, FlowError> {
    let ids: Vec<i64> = slice.iter().map(|(product, _)| *product).collect();
    let source = runtime.source.survey_stock(warehouse_id, &ids).await?;
    let mut ages: BTreeMap<&str, (Timestamp, Timestamp)> = BTreeMap::new();
    for level in levels {
        let age = ages.entry(level.sku.as_str()).or_insert((level.cut_off, level.cut_off));
        *age = (age.0.min(level.cut_off), age.1.max(level.cut_off));
    }
    let mut by_age: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
    let mut looked = Vec::with_capacity(slice.len());
    for (index, (product_id, of_product)) in slice.iter().enumerate() {
        let known = || of_product.skus.iter().filter_map(|sku| ages.get(sku.as_str()));
        let oldest = known().map(|(oldest, _)| *oldest).min();
        let newest = known().map(|(_, newest)| *newest).max();
        let mut notes = Vec::new();
        if oldest != newest {
            notes.push("its figures were counted at different times; the oldest counts here".to_owned());
        }
        if let Some(why) = source.unread.get(product_id) {
            notes.push(format!("Brightpearl does not tell its stock, which counts as none here: {why}"));
        }
        by_age.entry(oldest.unwrap_or_else(|| runtime.clock.now())).or_default().push(index);
        looked.push(Looked {
            warehouse_id,
            product_id: *product_id,
            counted: of_product.clone(),
            counted_at: oldest.filter(|_| counted),
            facts: facts(runtime, of_product, source.of(*product_id), counted),
            notes,
        });
    }
    for (cut_off, indexes) in by_age {
        add_in_hand(runtime, warehouse_id, cut_off, &indexes, &mut looked).await?;
    }
    Ok(looked)
}

fn facts(runtime: &Runtime, counted: &Counted, source: SourceStock, reported: bool) -> DriftFacts {
    DriftFacts {
        basis: runtime.settings.stock.basis,
        counted: reported,
        figure: counted.figure,
        physical: counted.physical.filter(|_| reported),
        source,
        not_told: Decimal::ZERO,
        on_own_notes: Decimal::ZERO,
        posted_after: Decimal::ZERO,
        posted_unseen: Decimal::ZERO,
        accepted: Decimal::ZERO,
        not_accepted: Decimal::ZERO,
        on_others_notes: Decimal::ZERO,
        kits_committed: Decimal::ZERO,
        kits_shipped: Decimal::ZERO,
        correcting: Decimal::ZERO,
        undone: Decimal::ZERO,
        moved: MovedSince::default(),
        // No connector reads the receipts of its warehouse: what came in there and is not in the source is not known.
        unposted_receipts: None,
        mapping: counted.shared,
    }
}

/// What the hub has in hand of products counted at the same time.
async fn add_in_hand(
    runtime: &Runtime,
    warehouse_id: i64,
    cut_off: Timestamp,
    indexes: &[usize],
    looked: &mut [Looked],
) -> Result<(), FlowError> {
    let of = |index: &usize| looked.get(*index).map(|one| (one.product_id, one.counted.skus.clone()));
    let of: Vec<(i64, BTreeSet<String>)> = indexes.iter().filter_map(of).collect();
    let ids: Vec<i64> = of.iter().map(|(product, _)| *product).collect();
    let kit_parts: BTreeSet<&str> = runtime.mappings.kits.values().flatten().map(|(sku, _)| sku.as_str()).collect();
    let parts: BTreeMap<String, i64> = of
        .iter()
        .flat_map(|(product, skus)| skus.iter().map(|sku| (sku.clone(), *product)))
        .filter(|(sku, _)| kit_parts.contains(sku.as_str()))
        .collect();
    let settle = runtime.scaled(Duration::from_secs(u64::from(runtime.settings.stock.settle_seconds)));
    let count = Count { cut_off, settle, holds: runtime.holds() };
    let flights = runtime.db.in_flight_with_kits(&runtime.key, warehouse_id, count, &ids, &parts).await?;
    let since = cut_off.checked_sub(LOOK_BACK).unwrap_or(cut_off);
    let own = runtime.db.own_corrections(&runtime.key, warehouse_id, &ids, since).await?;
    for index in indexes {
        let Some(one) = looked.get_mut(*index) else { continue };
        let flight = flights.get(&one.product_id).copied().unwrap_or_default();
        one.add(&flight, own.get(&one.product_id));
    }
    Ok(())
}

/// The hub's own corrections are looked at from so long before the count: one may show in the source later than it was settled.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);

impl Looked {
    fn add(&mut self, flight: &InFlight, own: Option<&OwnCorrections>) {
        let facts = &mut self.facts;
        facts.not_told = flight.shipped_not_posted - flight.on_own_notes;
        facts.on_own_notes = flight.on_own_notes;
        facts.posted_after = flight.posted_after;
        facts.posted_unseen = flight.posted_unseen;
        facts.accepted = flight.accepted;
        facts.not_accepted = flight.not_accepted;
        facts.kits_committed = flight.kits_committed;
        facts.kits_shipped = flight.kits_shipped;
        if let Some(own) = own {
            facts.correcting = own.under_way;
            facts.undone = own.undone;
        }
        if flight.by_word {
            self.notes.push("a lost journal had sent an open order of it, perhaps for other units".to_owned());
        }
        if let Some(order) = flight.ending.filter(|_| facts.basis == FeedBasis::Available) {
            self.notes.push(ends(order));
        }
        if flight.unsettled {
            self.notes.push("an order or shipment of it is between the two systems just now".to_owned());
        }
    }
}

/// Asks the source what moved since the count and which notes are open, as far as something is left to be explained.
async fn explain(runtime: &Runtime, looked: &mut [Looked]) -> Result<(), FlowError> {
    let mut open: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (index, one) in looked.iter().enumerate() {
        let found = drift::split(&one.facts);
        if one.facts.counted && found.parts.iter().any(|(part, _)| *part == drift::Part::AllocatedElsewhere)
            || !found.unexplained.is_zero()
        {
            open.entry(one.warehouse_id).or_default().push(index);
        }
    }
    for (warehouse_id, indexes) in open {
        if runtime.settings.stock.basis == FeedBasis::Available {
            add_open_notes(runtime, warehouse_id, &indexes, looked).await?;
        }
        for slice in indexes.chunks(SLICE) {
            add_movements(runtime, warehouse_id, slice, looked).await?;
        }
    }
    Ok(())
}

/// Units on unshipped notes that are neither requests of ours nor tell of our shipments.
async fn add_open_notes(
    runtime: &Runtime,
    warehouse_id: i64,
    indexes: &[usize],
    looked: &mut [Looked],
) -> Result<(), FlowError> {
    let notes = runtime.source.open_notes(warehouse_id).await?;
    let orders: BTreeSet<i64> = notes.iter().map(|note| note.order_id).collect();
    let own = runtime.db.own_notes(&runtime.key, &orders.into_iter().collect::<Vec<_>>()).await?;
    let mut units: BTreeMap<i64, Decimal> = BTreeMap::new();
    for note in notes.iter().filter(|note| !own.notes.contains(&note.note_id) && !own.requested.contains(&note.note_id))
    {
        for row in &note.rows {
            *units.entry(row.product_id).or_default() += row.quantity;
        }
    }
    for index in indexes {
        if let Some(one) = looked.get_mut(*index) {
            one.facts.on_others_notes = units.get(&one.product_id).copied().unwrap_or_default();
        }
    }
    Ok(())
}

async fn add_movements(
    runtime: &Runtime,
    warehouse_id: i64,
    indexes: &[usize],
    looked: &mut [Looked],
) -> Result<(), FlowError> {
    let of: Vec<(i64, Timestamp)> = indexes
        .iter()
        .filter_map(|index| looked.get(*index))
        .filter_map(|one| Some((one.product_id, whole_second(one.counted_at?))))
        .collect();
    let Some(since) = of.iter().map(|(_, counted_at)| *counted_at).min() else { return Ok(()) };
    let ids: Vec<i64> = of.iter().map(|(product, _)| *product).collect();
    let moved = runtime.source.movements(warehouse_id, &ids, since).await?;
    let orders: BTreeSet<i64> = moved.iter().filter_map(|moved| moved.order_id).collect();
    let own_notes = runtime.db.own_notes(&runtime.key, &orders.into_iter().collect::<Vec<_>>()).await?;
    let look_back = since.checked_sub(LOOK_BACK).unwrap_or(since);
    let own = runtime.db.own_corrections(&runtime.key, warehouse_id, &ids, look_back).await?;
    let is_own = |moved: &StockMovement| match moved.kind {
        MovementKind::Correction => {
            own.get(&moved.product_id).is_some_and(|own| own.markers.iter().any(|marker| moved.reason.contains(marker)))
        }
        MovementKind::GoodsOut => {
            own_notes.notes.contains(&moved.note_id) || own_notes.requested.contains(&moved.note_id)
        }
        MovementKind::GoodsIn | MovementKind::Other => false,
    };
    let mut by_product: BTreeMap<i64, Vec<&StockMovement>> = BTreeMap::new();
    for one in moved.iter().filter(|moved| !is_own(moved)) {
        by_product.entry(one.product_id).or_default().push(one);
    }
    for index in indexes {
        let Some(one) = looked.get_mut(*index) else { continue };
        let Some(counted_at) = one.counted_at.map(whole_second) else { continue };
        for moved in by_product.get(&one.product_id).into_iter().flatten().filter(|moved| moved.at >= counted_at) {
            let since = &mut one.facts.moved;
            *match moved.kind {
                MovementKind::Correction => &mut since.corrected,
                MovementKind::GoodsOut => &mut since.goods_out,
                MovementKind::GoodsIn => &mut since.received,
                MovementKind::Other => &mut since.other,
            } += moved.quantity;
        }
    }
    Ok(())
}

/// The source writes times to the second: what moved in the second of the count is taken for later than the count.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn row(looked: Looked) -> Row {
    Row {
        warehouse_id: looked.warehouse_id,
        product_id: looked.product_id,
        skus: looked.counted.skus.into_iter().collect(),
        figure: looked.counted.figure,
        drift: drift::split(&looked.facts),
        counted_at: looked.counted_at,
        notes: looked.notes,
    }
}

/// A SKU that cannot be placed: all of it is a matter of the mapping.
fn unmapped(line: StockLine, ages: &BTreeMap<&str, Timestamp>) -> Row {
    let parts = if line.figure.is_zero() { Vec::new() } else { vec![(drift::Part::Mapping, line.figure)] };
    Row {
        warehouse_id: line.warehouse_id,
        product_id: line.product_id,
        counted_at: line.skus.iter().filter_map(|sku| ages.get(sku.as_str())).min().copied(),
        skus: line.skus,
        figure: line.figure,
        drift: Drift {
            difference: line.figure,
            source_figure: Decimal::ZERO,
            parts,
            not_read: Vec::new(),
            unexplained: Decimal::ZERO,
        },
        notes: vec![line.reason],
    }
}

/// Most of the warehouse's own changes that are named of one product. They are in its figure, so they are no part of the sum: one
/// explains a rest that nothing else does.
const ADJUSTMENTS: usize = 5;

/// Which changes the warehouse reported of products whose difference is not all explained.
async fn add_adjustments(runtime: &Runtime, rows: &mut [Row]) -> Result<(), FlowError> {
    if rows.iter().all(|row| row.drift.unexplained.is_zero()) {
        return Ok(());
    }
    let known = runtime.db.adjustments(&runtime.key).await?;
    for row in rows.iter_mut().filter(|row| !row.drift.unexplained.is_zero()) {
        let of_row = known.iter().filter(|one| row.skus.contains(&one.sku)).take(ADJUSTMENTS);
        row.notes.extend(of_row.map(|one| {
            let sign = if one.change.is_sign_positive() { "+" } else { "" };
            format!(
                "the warehouse changed it by {sign}{} on {}: {}, its number {}",
                one.change.normalize(),
                one.made_on.strftime("%Y-%m-%d"),
                one.reason,
                one.reference
            )
        }));
    }
    Ok(())
}

/// Why the newest run did not correct a product, and who keeps it out of stock.
async fn add_verdicts(runtime: &Runtime, rows: &mut [Row]) -> Result<(), FlowError> {
    let holds = runtime.db.stock_holds(&runtime.key).await?;
    let held: BTreeMap<(i64, i64), String> =
        holds.into_iter().map(|hold| ((hold.warehouse_id, hold.product_id), hold.reason)).collect();
    let mut lines: BTreeMap<(i64, i64), (String, String)> = BTreeMap::new();
    if let Some(id) = runtime.db.newest_run(&runtime.key).await? {
        let run = runtime.db.run(&runtime.key, &id).await?;
        for line in run.lines.into_iter().filter(|line| line.verdict != Verdict::Correct.as_str()) {
            lines.insert((line.warehouse_id, line.product_id), (line.verdict, line.reason));
        }
    }
    for row in rows.iter_mut().filter(|row| row.product_id > 0) {
        let place = (row.warehouse_id, row.product_id);
        if let Some(why) = held.get(&place) {
            row.notes.push(format!("held: {why}"));
        } else if let Some((verdict, reason)) = lines.get(&place)
            && !row.drift.difference.is_zero()
            && !row.notes.contains(reason)
        {
            row.notes.push(format!("{verdict} in the last run: {reason}"));
        }
    }
    Ok(())
}
