//! Taking a run back: what is done is undone by corrections of its own, and its products are held until a person releases them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{EffectId, ulid};
use engine::{
    effect::EffectState,
    undo::{Undo, UndoFacts},
};
use rust_decimal::Decimal;

use super::{
    FlowError,
    plan::{self, SLICE, Wanted},
};
use crate::{
    db::{CorrectionView, Count, NewCorrection, StockRun},
    runtime::Runtime,
};

/// What becomes of one line of a run that is taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct UndoLine {
    /// The correction.
    pub correction: CorrectionView,
    /// The warehouse's SKUs of its product.
    pub skus: Vec<String>,
    /// The source's free stock when it was looked at.
    pub on_hand: Decimal,
    /// What takes it back, or why it stays.
    pub verdict: Undo,
    /// The correction that takes it back, once it is planned.
    pub by: Option<EffectId>,
}

/// What became of a run that was taken back, or would.
#[derive(Debug, Clone, PartialEq)]
pub struct Undone {
    /// The run.
    pub run: StockRun,
    /// Its corrections, or those that were named.
    pub lines: Vec<UndoLine>,
}

/// Takes corrections of a run back: all of them, or those of these SKUs of the warehouse. With `told` nothing is planned.
///
/// # Errors
/// When the run made no corrections, a SKU is none of its own, nothing of it can be undone, or a read or the database fails.
pub async fn undo(
    runtime: &Runtime,
    run_id: &str,
    named: &BTreeSet<String>,
    told: Option<(&str, &str)>,
) -> Result<Undone, FlowError> {
    let run = runtime.db.run(&runtime.key, run_id).await?;
    let corrections = runtime.db.corrections_of_run(&runtime.key, run_id).await?;
    let mut skus: BTreeMap<(i64, i64), Vec<String>> =
        run.lines.iter().map(|line| ((line.warehouse_id, line.product_id), line.skus.clone())).collect();
    let place = |correction: &CorrectionView| (correction.warehouse_id, correction.product_id);
    let known: BTreeSet<&String> = corrections.iter().filter_map(|one| skus.get(&place(one))).flatten().collect();
    if corrections.is_empty() {
        return Err(FlowError::Settings(format!("stock run {run_id} made no corrections: there is nothing to undo")));
    }
    if let Some(sku) = named.iter().find(|sku| !known.contains(sku)) {
        return Err(FlowError::Settings(format!("stock run {run_id} did not correct the SKU {sku}")));
    }
    let chosen: Vec<CorrectionView> = corrections
        .into_iter()
        .filter(|one| {
            named.is_empty() || skus.get(&place(one)).is_some_and(|skus| skus.iter().any(|sku| named.contains(sku)))
        })
        .collect();
    let mut looked = Look { lines: Vec::new(), wanted: Vec::new() };
    let mut by_warehouse: BTreeMap<i64, Vec<CorrectionView>> = BTreeMap::new();
    for one in chosen {
        by_warehouse.entry(one.warehouse_id).or_default().push(one);
    }
    for (warehouse_id, corrections) in by_warehouse {
        for slice in corrections.chunks(SLICE) {
            looked.at(runtime, warehouse_id, slice, !named.is_empty()).await?;
        }
    }
    for line in &mut looked.lines {
        line.skus = skus.remove(&place(&line.correction)).unwrap_or_default();
    }
    let mut undone = Undone { run, lines: looked.lines };
    if let Some((actor, reason)) = told {
        write(runtime, &mut undone, looked.wanted, actor, reason).await?;
    }
    Ok(undone)
}

/// What was found about the lines.
struct Look {
    lines: Vec<UndoLine>,
    wanted: Vec<Wanted>,
}

impl Look {
    async fn at(
        &mut self,
        runtime: &Runtime,
        warehouse_id: i64,
        slice: &[CorrectionView],
        named: bool,
    ) -> Result<(), FlowError> {
        let ids: Vec<i64> = slice.iter().map(|one| one.product_id).collect();
        let settle = runtime.scaled(Duration::from_secs(u64::from(runtime.settings.stock.settle_seconds)));
        // First, so that a correction made while the source is read is noticed when this is written down.
        let in_hand = runtime
            .db
            .in_flight(&runtime.key, warehouse_id, Count { cut_off: runtime.clock.now(), settle, holds: false }, &ids)
            .await?;
        let source = runtime.source.stock(warehouse_id, &ids).await?;
        let products = runtime.products(&ids.iter().copied().collect()).await?;
        let rising: Vec<i64> =
            slice.iter().filter(|one| one.difference.is_sign_negative()).map(|one| one.product_id).collect();
        let costs = plan::costs(runtime, &rising).await?;
        for one in slice {
            let flight = in_hand.get(&one.product_id).copied().unwrap_or_default();
            let on_hand = source.of(one.product_id).on_hand;
            let cost = costs.get(&one.product_id).cloned();
            let verdict = engine::undo::undo(&UndoFacts {
                difference: one.difference,
                applied: one.state == EffectState::Applied,
                standing: one.state.to_string(),
                undone: one.undone_by.is_some(),
                correcting: flight.correcting,
                touched_later: one.touched_later,
                named,
                on_hand,
                cost: cost.clone(),
                archived: products.get(&one.product_id).is_some_and(|product| product.archived),
                revive_archived: runtime.settings.stock.revive_archived,
            });
            let verdict = match (verdict, source.unread.get(&one.product_id)) {
                (Undo::By(_), Some(why)) => Undo::Stays(format!("its stock cannot be read: {why}")),
                (verdict, _) => verdict,
            };
            if let Undo::By(difference) = &verdict {
                self.wanted.push(Wanted {
                    warehouse_id,
                    product_id: one.product_id,
                    difference: *difference,
                    cost,
                    mark: flight.corrections,
                    undoes: Some(one.effect.clone()),
                });
            }
            self.lines.push(UndoLine { correction: one.clone(), skus: Vec::new(), on_hand, verdict, by: None });
        }
        Ok(())
    }
}

async fn write(
    runtime: &Runtime,
    undone: &mut Undone,
    wanted: Vec<Wanted>,
    actor: &str,
    reason: &str,
) -> Result<(), FlowError> {
    let run = undone.run.id.clone();
    if wanted.is_empty() {
        let why = undone.lines.iter().find_map(|line| match &line.verdict {
            Undo::Stays(why) => Some(why.clone()),
            Undo::By(_) => None,
        });
        return Err(FlowError::Settings(format!(
            "nothing of stock run {run} can be undone: {}",
            why.unwrap_or_else(|| "no line was named".to_owned())
        )));
    }
    let batch = format!("{run}/{}", ulid(runtime.clock.now(), &*runtime.random));
    let corrections: Vec<NewCorrection> =
        plan::corrections(runtime, &batch, "Undo of a warehouse count", wanted).await?;
    let by: BTreeMap<EffectId, EffectId> =
        corrections.iter().filter_map(|one| Some((one.undoes.clone()?, one.effect.id.clone()))).collect();
    let skus = undone
        .lines
        .iter()
        .map(|line| ((line.correction.warehouse_id, line.correction.product_id), line.skus.join(", ")))
        .collect();
    let left_out = runtime.db.undo_run(&runtime.key, &run, corrections, skus, actor, reason).await?;
    for line in &mut undone.lines {
        if !matches!(line.verdict, Undo::By(_)) {
            continue;
        }
        match left_out.get(&(line.correction.warehouse_id, line.correction.product_id)) {
            Some(why) => line.verdict = Undo::Stays(why.clone()),
            None => line.by = by.get(&line.correction.effect).cloned(),
        }
    }
    runtime.wake.source.notify_one();
    Ok(())
}
