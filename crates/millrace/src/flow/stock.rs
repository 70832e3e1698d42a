//! Stock: what the warehouse counts → corrections at the source.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{
    ConnectorError, FeedBasis, Inbound, PlanError, RejectedInput, SourceStock, StockCorrection, StockFeed,
    planted::{Planted, planted},
    ulid,
};
use engine::{
    key,
    stock::{self, ProductFacts, RunFacts, RunVerdict, Verdict},
};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::{FlowError, shipments};
use crate::{
    db::{InFlight, NewEffect, RunState, StockLine, StockRun, Subject},
    runtime::Runtime,
};

/// Products whose stock is read with one call.
const SLICE: usize = 200;

/// What one run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Feeds worked out.
    pub feeds: usize,
    /// Products compared.
    pub compared: u32,
    /// Corrections planned.
    pub corrected: u32,
    /// Runs that wait for a person, or were refused: why.
    pub stopped: Vec<String>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} feeds, {} products compared, {} corrected", self.feeds, self.compared, self.corrected)?;
        for reason in &self.stopped {
            write!(f, "; stopped: {reason}")?;
        }
        Ok(())
    }
}

/// Reads what the warehouse counts, and works out the newest feed.
///
/// # Errors
/// When a read or the database fails; a feed that was not finished is worked out again.
pub async fn run(runtime: &Runtime) -> Result<Summary, FlowError> {
    let mut summary = Summary::default();
    let page = runtime.warehouse.stock().await?;
    let mut fresh: Vec<StockFeed> = Vec::new();
    for feed in page.feeds {
        if !runtime.db.feed_seen(&runtime.key, &feed.content_hash).await? {
            fresh.push(feed);
        }
    }
    // Only the newest count is acted upon: an older one says nothing that it does not say better.
    fresh.sort_by(|a, b| (a.cut_off, &a.reference).cmp(&(b.cut_off, &b.reference)));
    let newest = fresh.pop();
    for older in fresh {
        refuse(runtime, &older, "a newer count came with it").await?;
    }
    if let Some(feed) = newest {
        match work_out(runtime, &feed).await {
            Ok(run) => {
                summary.feeds += 1;
                summary.compared += run.compared;
                match run.state {
                    RunState::Planned => summary.corrected += run.changed,
                    _ => summary.stopped.push(run.reason),
                }
                runtime.wake.source.notify_one();
            }
            Err(Unfinished::Later(why)) => {
                // Not put away: the next run takes it up again.
                summary.stopped.push(why);
                return Ok(summary);
            }
            Err(Unfinished::Failed(error)) => return Err(error),
        }
    }
    keep_rejected(runtime, &page.taken, &page.rejected).await?;
    shipments::put_away(runtime, &page.taken, &page.rejected).await;
    Ok(summary)
}

async fn keep_rejected(runtime: &Runtime, taken: &[Inbound], rejected: &[RejectedInput]) -> Result<(), FlowError> {
    if !taken.is_empty() || !rejected.is_empty() {
        runtime.db.record_inputs(&runtime.key, taken, rejected).await?;
    }
    Ok(())
}

enum Unfinished {
    /// It cannot be worked out yet.
    Later(String),
    /// Something failed.
    Failed(FlowError),
}

impl From<FlowError> for Unfinished {
    fn from(error: FlowError) -> Self {
        Self::Failed(error)
    }
}
impl From<ConnectorError> for Unfinished {
    fn from(error: ConnectorError) -> Self {
        Self::Failed(error.into())
    }
}
impl From<crate::db::DbError> for Unfinished {
    fn from(error: crate::db::DbError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a feed says of one product in one of the source's warehouses.
#[derive(Debug, Clone, Default)]
struct Counted {
    figure: Decimal,
    skus: BTreeSet<String>,
    shared: bool,
}

async fn work_out(runtime: &Runtime, feed: &StockFeed) -> Result<StockRun, Unfinished> {
    if let Some(last) = runtime.db.last_run(&runtime.key).await? {
        let older = (feed.cut_off, &feed.reference) <= (last.cut_off, &last.feed);
        let out_of_turn = matches!((feed.sequence, last.sequence), (Some(this), Some(before)) if this <= before);
        if (older || out_of_turn) && !planted(Planted::OldCount) {
            return Ok(refuse(runtime, feed, "it is not newer than the last count acted upon").await?);
        }
    }
    // Everything that left by the cut-off must be known before the source's figure is read: a unit that left the shelves
    // unnoticed would be taken out of the source twice, by this correction and by its shipped event.
    let known = shipments::run(runtime).await?;
    if !known.exhausted {
        return Err(Unfinished::Later("shipments are still being read; the count waits for them".to_owned()));
    }
    if let Some(unread) = runtime.db.unread_shipments(&runtime.key).await? {
        return Err(Unfinished::Later(format!(
            "{unread} says what left and could not be read; the count waits until it comes again whole, or its exception is \
             settled"
        )));
    }
    let (counted, unplaced) = place(runtime, feed).await?;
    let warehouses: Vec<i64> =
        counted.keys().map(|(warehouse_id, _)| *warehouse_id).collect::<BTreeSet<_>>().into_iter().collect();
    if warehouses.is_empty() {
        let reason = match unplaced.first() {
            Some(line) => format!("no SKU of it could be placed, e.g. {}: {}", line.skus.join(", "), line.reason),
            None => "it holds no SKU".to_owned(),
        };
        return Ok(refuse(runtime, feed, &reason).await?);
    }
    if let Err(holder) = runtime.db.own_stock(&runtime.key, &runtime.account, &warehouses).await? {
        return Ok(refuse(runtime, feed, &holder).await?);
    }
    let mut lines = unplaced;
    let mut facts = RunFacts {
        first: !runtime.db.runs_planned_before(&runtime.key).await?,
        age_minutes: runtime.clock.now().duration_since(feed.cut_off).as_mins(),
        ..RunFacts::default()
    };
    for warehouse_id in warehouses {
        let products: Vec<(i64, Counted)> = counted
            .iter()
            .filter(|((warehouse, _), _)| *warehouse == warehouse_id)
            .map(|((_, product), counted)| (*product, counted.clone()))
            .collect();
        for slice in products.chunks(SLICE) {
            compare(runtime, feed, warehouse_id, slice, &mut facts, &mut lines).await?;
        }
    }
    let settings = &runtime.settings.stock;
    let approved = settings.first_run == engine::settings::FirstRun::Approve;
    let (state, reason) = match stock::run(&facts, &settings.brakes, approved) {
        RunVerdict::Go => (RunState::Planned, String::new()),
        RunVerdict::Ask(why) => (RunState::Waiting, why),
        RunVerdict::Refuse(why) => (RunState::Refused, why),
    };
    let (state, reason) = match (state, runtime.db.stock_waits(&runtime.key).await?) {
        (RunState::Planned, Some(why)) => (RunState::Waiting, why),
        judged => (judged.0, reason),
    };
    let run = StockRun {
        id: format!("run_{}", ulid(runtime.clock.now(), &*runtime.random)),
        feed: feed.reference.clone(),
        content_hash: feed.content_hash.clone(),
        cut_off: feed.cut_off,
        sequence: feed.sequence,
        made_at: runtime.clock.now(),
        state,
        reason,
        skus: u32::try_from(feed.levels.len()).unwrap_or(u32::MAX),
        compared: facts.compared,
        changed: facts.changed,
        lines: lines.into_iter().filter(|line| line.verdict != Verdict::Same.as_str()).collect(),
    };
    let effects = if state == RunState::Planned { corrections(runtime, &run).await? } else { Vec::new() };
    runtime.db.record_run(&runtime.key, run.clone(), effects, feed).await?;
    Ok(run)
}

async fn refuse(runtime: &Runtime, feed: &StockFeed, why: &str) -> Result<StockRun, FlowError> {
    let run = StockRun {
        id: format!("run_{}", ulid(runtime.clock.now(), &*runtime.random)),
        feed: feed.reference.clone(),
        content_hash: feed.content_hash.clone(),
        cut_off: feed.cut_off,
        sequence: feed.sequence,
        made_at: runtime.clock.now(),
        state: RunState::Refused,
        reason: why.to_owned(),
        skus: u32::try_from(feed.levels.len()).unwrap_or(u32::MAX),
        compared: 0,
        changed: 0,
        lines: Vec::new(),
    };
    runtime.db.record_run(&runtime.key, run.clone(), Vec::new(), feed).await?;
    Ok(run)
}

/// Sums the feed by the source's warehouse and product. What cannot be placed is returned as held lines.
async fn place(
    runtime: &Runtime,
    feed: &StockFeed,
) -> Result<(BTreeMap<(i64, i64), Counted>, Vec<StockLine>), FlowError> {
    let mut back: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (ours, theirs) in &runtime.mappings.listings {
        back.entry(theirs).or_default().insert(ours);
    }
    let pass = runtime.settings.unmapped_sku == engine::settings::UnmappedSku::PassThrough;
    let kit_parts: BTreeSet<&str> = runtime.mappings.kits.values().flatten().map(|(sku, _)| sku.as_str()).collect();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut by_sku: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for level in &feed.levels {
        let ours: Vec<String> = match back.get(level.sku.as_str()) {
            Some(ours) => ours.iter().map(|sku| (*sku).to_owned()).collect(),
            None if pass => vec![level.sku.clone()],
            None => Vec::new(),
        };
        wanted.extend(ours.iter().cloned());
        by_sku.insert(level.sku.clone(), ours);
    }
    let found = runtime.skus(&wanted).await?;
    let candidates: BTreeSet<i64> = found.values().flatten().copied().collect();
    let products = runtime.products(&candidates).await?;
    let mut counted: BTreeMap<(i64, i64), Counted> = BTreeMap::new();
    let mut unplaced = Vec::new();
    for level in &feed.levels {
        let ours = by_sku.get(&level.sku).map(Vec::as_slice).unwrap_or_default();
        let matches: BTreeSet<i64> = ours
            .iter()
            .flat_map(|sku| found.get(sku).map(Vec::as_slice).unwrap_or_default())
            .copied()
            .filter(|id| products.get(id).is_some_and(|product| product.stock_tracked))
            .collect();
        let warehouse =
            level.facility.as_ref().and_then(|facility| runtime.mappings.locations.get(facility)).copied().or_else(
                || {
                    // Without a locations table every facility feeds the one warehouse of the settings.
                    runtime.mappings.locations.is_empty().then(|| runtime.settings.default_warehouse()).flatten()
                },
            );
        let figure = level.figure(runtime.settings.stock.basis);
        let problem = if ours.is_empty() && kit_parts.contains(level.sku.as_str()) {
            Some("it is only part of kits, which the source does not count")
        } else if ours.is_empty() {
            Some("its SKU is not mapped to a SKU of Brightpearl")
        } else if matches.is_empty() {
            Some("no stock-tracked product of Brightpearl has its SKU")
        } else if warehouse.is_none() {
            Some("its facility is not mapped to a warehouse of Brightpearl under Locations")
        } else if figure.is_none() {
            Some("the feed does not give the figure that the feed basis asks for")
        } else {
            None
        };
        match (warehouse, figure, problem) {
            (Some(warehouse), Some(figure), None) => {
                let shared = matches.len() > 1;
                for product in matches {
                    let entry = counted.entry((warehouse, product)).or_default();
                    entry.figure += figure;
                    entry.skus.insert(level.sku.clone());
                    entry.shared |= shared;
                }
            }
            _ => unplaced.push(StockLine {
                warehouse_id: warehouse.unwrap_or_default(),
                product_id: matches.first().copied().unwrap_or_default(),
                skus: vec![level.sku.clone()],
                figure: figure.unwrap_or_default(),
                source_figure: Decimal::ZERO,
                parts: BTreeMap::new(),
                difference: Decimal::ZERO,
                verdict: Verdict::Hold.as_str().to_owned(),
                reason: problem.unwrap_or_default().to_owned(),
            }),
        }
    }
    if feed.absent_is_zero {
        let mapped: BTreeSet<String> = runtime.mappings.listings.keys().cloned().collect();
        let known = runtime.skus(&mapped).await?;
        let warehouses: BTreeSet<i64> = counted.keys().map(|(warehouse, _)| *warehouse).collect();
        for (sku, ids) in known {
            if let [product] = ids.as_slice() {
                for warehouse in &warehouses {
                    counted.entry((*warehouse, *product)).or_insert_with(|| Counted {
                        skus: runtime.mappings.listings.get(&sku).cloned().into_iter().collect(),
                        ..Counted::default()
                    });
                }
            }
        }
    }
    Ok((counted, unplaced))
}

async fn compare(
    runtime: &Runtime,
    feed: &StockFeed,
    warehouse_id: i64,
    slice: &[(i64, Counted)],
    facts: &mut RunFacts,
    lines: &mut Vec<StockLine>,
) -> Result<(), FlowError> {
    let settings = &runtime.settings.stock;
    let ids: Vec<i64> = slice.iter().map(|(product, _)| *product).collect();
    let settle = runtime.scaled(Duration::from_secs(u64::from(settings.settle_seconds)));
    // Looked at before and after the source is read: a product whose shipped event lands in between is in the source's
    // figure or not, and nobody can say which.
    let before = runtime.db.in_flight(&runtime.key, warehouse_id, feed.cut_off, settle, &ids).await?;
    let source = runtime.source.stock(warehouse_id, &ids).await?;
    let in_flight: BTreeMap<i64, InFlight> =
        runtime.db.in_flight(&runtime.key, warehouse_id, feed.cut_off, settle, &ids).await?;
    let products = runtime.products(&ids.iter().copied().collect()).await?;
    let rising: Vec<i64> = slice
        .iter()
        .filter(|(product, counted)| {
            let now = source.get(product).copied().unwrap_or_default();
            match settings.basis {
                FeedBasis::Physical => {
                    let left = in_flight.get(product).map(|flight| flight.shipped_not_posted).unwrap_or_default();
                    counted.figure + left > now.in_stock
                }
                FeedBasis::Available => counted.figure > now.on_hand,
            }
        })
        .map(|(product, _)| *product)
        .collect();
    let costs = costs(runtime, &rising).await?;
    for (product_id, counted) in slice {
        let now: SourceStock = source.get(product_id).copied().unwrap_or_default();
        let flight = in_flight.get(product_id).copied().unwrap_or_default();
        let product = ProductFacts {
            figure: counted.figure,
            source: now,
            shipped_not_posted: flight.shipped_not_posted,
            posted_after: flight.posted_after,
            accepted: flight.accepted,
            unsettled: flight.unsettled || before.get(product_id).copied().unwrap_or_default() != flight,
            correcting: flight.correcting,
            archived: products.get(product_id).is_some_and(|product| product.archived),
            cost: costs.get(product_id).cloned(),
            shared_sku: counted.shared,
        };
        let line = stock::line(&product, settings);
        facts.compared += 1;
        facts.changed += u32::from(line.verdict == Verdict::Correct);
        facts.stocked += u32::from(!now.in_stock.is_zero());
        facts.newly_zero += u32::from(counted.figure.is_zero() && !now.on_hand.is_zero());
        lines.push(StockLine {
            warehouse_id,
            product_id: *product_id,
            skus: counted.skus.iter().cloned().collect(),
            figure: counted.figure,
            source_figure: line.source_figure,
            parts: line.parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            difference: line.difference,
            verdict: line.verdict.as_str().to_owned(),
            reason: line.reason,
        });
    }
    Ok(())
}

async fn costs(runtime: &Runtime, products: &[i64]) -> Result<BTreeMap<i64, connect::Money>, FlowError> {
    if products.is_empty() {
        return Ok(BTreeMap::new());
    }
    let price_list = match runtime.settings.price_list {
        Some(price_list) => Some(price_list),
        None => runtime.choices().await?.cost_price_list,
    };
    match price_list {
        Some(price_list) => Ok(runtime.source.costs(price_list, products).await?),
        None => Ok(BTreeMap::new()),
    }
}

/// The effects of a run: its corrections in batches, each line with a marker of its own, drawn here and kept with the effect.
async fn corrections(runtime: &Runtime, run: &StockRun) -> Result<Vec<NewEffect>, FlowError> {
    let wanted: Vec<&StockLine> = run.lines.iter().filter(|line| line.verdict == Verdict::Correct.as_str()).collect();
    let rising: Vec<i64> =
        wanted.iter().filter(|line| line.difference.is_sign_positive()).map(|line| line.product_id).collect();
    let costs = costs(runtime, &rising).await?;
    let mut by_warehouse: BTreeMap<i64, Vec<&StockLine>> = BTreeMap::new();
    for line in wanted {
        by_warehouse.entry(line.warehouse_id).or_default().push(line);
    }
    let size = batch_size(runtime).await?;
    let mut effects = Vec::new();
    for (warehouse_id, lines) in by_warehouse {
        let location_id = runtime.source.default_location(warehouse_id).await?;
        for (number, slice) in lines.chunks(size).enumerate() {
            let batch = format!("{}/{warehouse_id}/{number}", run.id);
            for line in slice {
                let Some(difference) = line.difference.to_i64().filter(|difference| *difference != 0) else { continue };
                let correction = StockCorrection {
                    warehouse_id,
                    location_id,
                    product_id: line.product_id,
                    difference,
                    marker: ulid(runtime.clock.now(), &*runtime.random),
                    reason: "Warehouse count".to_owned(),
                    cost: if difference > 0 { costs.get(&line.product_id).cloned() } else { None },
                };
                let draft = runtime
                    .source
                    .plan_correction(&batch, &correction)
                    .map_err(|PlanError(why)| FlowError::Settings(why.into_owned()))?;
                effects.push(NewEffect {
                    id: runtime.effect_id(),
                    draft,
                    lane: key::stock_lane(&runtime.account, warehouse_id, line.product_id),
                    subject: Subject {
                        product_id: Some(line.product_id),
                        warehouse_id: Some(warehouse_id),
                        ..Subject::default()
                    },
                    not_before: None,
                });
            }
        }
    }
    Ok(effects)
}

/// Lines of one correction: the setting, halved for each of the latest batches that was refused.
async fn batch_size(runtime: &Runtime) -> Result<usize, FlowError> {
    let halvings = runtime.db.refused_batches(&runtime.key).await?;
    let size = runtime.settings.stock.batch >> halvings.min(10);
    Ok(usize::try_from(size.max(1)).unwrap_or(1))
}

/// A person's approval of a run that waited: it is worked out anew, because the difference it showed may have passed, and
/// what is still different is corrected. A line that grew beyond what was shown waits for the next run.
///
/// # Errors
/// When the run does not wait any more, or a read or the database fails.
pub async fn approve(runtime: &Runtime, run_id: &str, actor: &str) -> Result<StockRun, FlowError> {
    let run = runtime.db.run(&runtime.key, run_id).await?;
    if run.state != RunState::Waiting {
        return Err(FlowError::Settings(format!("run {run_id} does not wait for approval")));
    }
    let mut fresh = run.clone();
    let mut checked = Vec::with_capacity(run.lines.len());
    let mut by_warehouse: BTreeMap<i64, Vec<StockLine>> = BTreeMap::new();
    for line in run.lines {
        if line.verdict == Verdict::Correct.as_str() {
            by_warehouse.entry(line.warehouse_id).or_default().push(line);
        } else {
            checked.push(line);
        }
    }
    let feed = StockFeed {
        reference: run.feed.clone(),
        content_hash: run.content_hash.clone(),
        cut_off: run.cut_off,
        sequence: run.sequence,
        absent_is_zero: false,
        levels: Vec::new(),
    };
    let mut facts = RunFacts::default();
    for (warehouse_id, lines) in by_warehouse {
        for slice in lines.chunks(SLICE) {
            let counted: Vec<(i64, Counted)> = slice
                .iter()
                .map(|line| {
                    let counted =
                        Counted { figure: line.figure, skus: line.skus.iter().cloned().collect(), shared: false };
                    (line.product_id, counted)
                })
                .collect();
            let mut now = Vec::new();
            compare(runtime, &feed, warehouse_id, &counted, &mut facts, &mut now).await?;
            for (mut line, shown) in now.into_iter().zip(slice) {
                if line.verdict == Verdict::Correct.as_str() && line.difference.abs() > shown.difference.abs() {
                    line.verdict = Verdict::Skip.as_str().to_owned();
                    line.reason = "it differs by more than was approved; the next run shows it".to_owned();
                }
                checked.push(line);
            }
        }
    }
    fresh.lines = checked.into_iter().filter(|line| line.verdict != Verdict::Same.as_str()).collect();
    let effects = corrections(runtime, &fresh).await?;
    runtime.db.approve_run(&runtime.key, run_id, effects, actor).await?;
    runtime.wake.source.notify_one();
    Ok(runtime.db.run(&runtime.key, run_id).await?)
}
