//! A person's yes: to a run that waited, or to single lines that were held.

use std::collections::{BTreeMap, BTreeSet};

use connect::{StockFeed, ulid};
use engine::{
    settings::{Increases, StockSettings},
    stock::{RunFacts, Verdict},
};

use super::{
    FlowError,
    place::{self, Counted},
    plan::{self, Comparison, SLICE},
};
use crate::{
    db::{RunState, StockLine, StockRun},
    runtime::Runtime,
};

/// A person's approval of a run that waited: it is worked out anew from the latest figures of every facility, because the
/// difference it showed may have passed, and what is still different is corrected. A line that grew beyond what was shown waits
/// for the next run.
///
/// # Errors
/// When the run does not wait any more or its count has grown too old, or a read or the database fails.
pub async fn approve(runtime: &Runtime, run_id: &str, actor: &str) -> Result<StockRun, FlowError> {
    let run = runtime.db.run(&runtime.key, run_id).await?;
    if run.state != RunState::Waiting {
        return Err(FlowError::Settings(format!("run {run_id} does not wait for approval")));
    }
    still_believed(runtime, &run)?;
    let counts = runtime.db.counts_kept(&runtime.key).await?;
    let (lines, others): (Vec<StockLine>, Vec<StockLine>) =
        run.lines.iter().cloned().partition(|line| line.verdict == Verdict::Correct.as_str());
    let (checked, marks) = again(runtime, &run, lines, runtime.settings.stock).await?;
    let mut fresh = run;
    fresh.changed = u32::try_from(corrected(&checked).count()).unwrap_or(u32::MAX);
    fresh.lines = others.into_iter().chain(checked).filter(|line| line.verdict != Verdict::Same.as_str()).collect();
    let corrections = plan::of_run(runtime, &fresh, &marks, None, &fresh.id).await?;
    let kept = runtime.db.approve_run(&runtime.key, fresh, corrections, counts, actor).await?;
    runtime.wake.source.notify_one();
    Ok(kept)
}

/// A person's yes to single held lines of the newest run, by the warehouse's SKUs: the limit of a line, the choice about
/// increases and archived products are overruled for them. Whatever else stands in the way stands in the way still.
///
/// # Errors
/// When the run was not acted upon, is not the newest or has grown too old, when a SKU is none of its held lines, or a read or
/// the database fails.
pub async fn approve_lines(
    runtime: &Runtime,
    run_id: &str,
    skus: &BTreeSet<String>,
    actor: &str,
) -> Result<StockRun, FlowError> {
    let run = runtime.db.run(&runtime.key, run_id).await?;
    if run.state != RunState::Planned {
        return Err(FlowError::Settings(format!(
            "single lines are approved once their run is acted upon; approve run {run_id} itself first"
        )));
    }
    if runtime.db.newest_run(&runtime.key).await?.as_deref() != Some(run_id) {
        return Err(FlowError::Settings(format!(
            "there is a newer count than that of run {run_id}; approve the lines of the newest run"
        )));
    }
    still_believed(runtime, &run)?;
    let counts = runtime.db.counts_kept(&runtime.key).await?;
    let named = |line: &StockLine| {
        line.verdict == Verdict::Hold.as_str() && line.product_id > 0 && line.skus.iter().any(|sku| skus.contains(sku))
    };
    let (lines, others): (Vec<StockLine>, Vec<StockLine>) = run.lines.iter().cloned().partition(named);
    let known: BTreeSet<&String> = lines.iter().flat_map(|line| &line.skus).collect();
    if let Some(sku) = skus.iter().find(|sku| !known.contains(sku)) {
        return Err(FlowError::Settings(format!("no held line of run {run_id} is of the SKU {sku}")));
    }
    let places: BTreeSet<(i64, i64)> = lines.iter().map(|line| (line.warehouse_id, line.product_id)).collect();
    let mut overruled = StockSettings { increases: Some(Increases::Correct), ..runtime.settings.stock };
    overruled.revive_archived = true;
    overruled.brakes.line = None;
    let (checked, marks) = again(runtime, &run, lines, overruled).await?;
    let mut fresh = run;
    fresh.changed += u32::try_from(corrected(&checked).count()).unwrap_or(u32::MAX);
    fresh.lines = others.into_iter().chain(checked).filter(|line| line.verdict != Verdict::Same.as_str()).collect();
    let batch = format!("{}/{}", fresh.id, ulid(runtime.clock.now(), &*runtime.random));
    let corrections = plan::of_run(runtime, &fresh, &marks, Some(&places), &batch).await?;
    let kept = runtime.db.approve_lines(&runtime.key, fresh, corrections, counts, actor).await?;
    runtime.wake.source.notify_one();
    Ok(kept)
}

fn corrected(lines: &[StockLine]) -> impl Iterator<Item = &StockLine> {
    lines.iter().filter(|line| line.verdict == Verdict::Correct.as_str())
}

/// K4: figures that have grown too old while they waited are acted upon no more than those that came too old.
fn still_believed(runtime: &Runtime, run: &StockRun) -> Result<(), FlowError> {
    let age = runtime.clock.now().duration_since(run.cut_off).as_mins();
    let most = runtime.settings.stock.brakes.feed_age_minutes;
    if age > i64::from(most) {
        return Err(FlowError::Settings(format!(
            "the count of run {} is {age} minutes old; at most {most} are acted upon. The next count takes its place",
            run.id
        )));
    }
    Ok(())
}

/// Lines worked out anew from the latest figures of every facility and the source's figures of now. One that grew, or turned
/// round, waits for the next run.
async fn again(
    runtime: &Runtime,
    run: &StockRun,
    lines: Vec<StockLine>,
    settings: StockSettings,
) -> Result<(Vec<StockLine>, BTreeMap<(i64, i64), i64>), FlowError> {
    let feed = StockFeed {
        reference: run.feed.clone(),
        content_hash: run.content_hash.clone(),
        cut_off: run.cut_off,
        sequence: run.sequence,
        absent_is_zero: false,
        names_all: false,
        levels: Vec::new(),
    };
    let now = place::as_counted_now(runtime, run, &lines).await?;
    let mut comparison = Comparison::new(runtime, &feed, RunFacts::default()).await?;
    comparison.settings = settings;
    let mut by_warehouse: BTreeMap<i64, Vec<StockLine>> = BTreeMap::new();
    for line in lines {
        by_warehouse.entry(line.warehouse_id).or_default().push(line);
    }
    let mut products: BTreeMap<(i64, String), BTreeSet<i64>> = BTreeMap::new();
    for line in by_warehouse.values().flatten() {
        for sku in &line.skus {
            products.entry((line.warehouse_id, sku.clone())).or_default().insert(line.product_id);
        }
    }
    let shared = |line: &StockLine| {
        line.skus.iter().any(|sku| products.get(&(line.warehouse_id, sku.clone())).is_some_and(|all| all.len() > 1))
    };
    let mut checked = Vec::new();
    for (warehouse_id, lines) in by_warehouse {
        for slice in lines.chunks(SLICE) {
            let counted: Vec<(i64, Counted)> = slice
                .iter()
                .map(|line| {
                    let known = now.get(&(warehouse_id, line.product_id)).cloned().unwrap_or_default();
                    (line.product_id, Counted { shared: shared(line), ..known })
                })
                .collect();
            comparison.products(runtime, warehouse_id, &counted).await?;
            for (mut line, shown) in comparison.lines.drain(..).zip(slice) {
                let other = line.difference.abs() > shown.difference.abs()
                    || line.difference.is_sign_negative() != shown.difference.is_sign_negative();
                if line.verdict == Verdict::Correct.as_str() && other {
                    line.verdict = Verdict::Skip.as_str().to_owned();
                    line.reason =
                        "it differs by more than was approved, or the other way; the next run shows it".to_owned();
                }
                checked.push(line);
            }
        }
    }
    Ok((checked, comparison.marks))
}
