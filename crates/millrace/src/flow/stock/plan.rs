//! Comparing figures with the source's, and making corrections of what differs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{FeedBasis, Money, NoteState, PlanError, StockCorrection, StockFeed, ulid};
use engine::{
    key,
    settings::StockSettings,
    stock::{self, ProductFacts, RunFacts, Verdict},
};
use jiff::Timestamp;
use rust_decimal::{Decimal, prelude::ToPrimitive as _};

use super::{FlowError, place::Counted};
use crate::{
    db::{CLOCKS, Count, InFlight, NewCorrection, NewEffect, StockLine, StockRun, Subject},
    runtime::Runtime,
};

/// Products whose stock is read with one call.
pub(in crate::flow) const SLICE: usize = 200;

/// What products were compared with, and what came of it.
pub(super) struct Comparison<'a> {
    pub(super) feed: &'a StockFeed,
    pub(super) settings: StockSettings,
    /// Why products are held, by warehouse and product.
    pub(super) held: BTreeMap<(i64, i64), String>,
    pub(super) facts: RunFacts,
    pub(super) lines: Vec<StockLine>,
    /// [`InFlight::corrections`] as it was around the reading, by warehouse and product.
    pub(super) marks: BTreeMap<(i64, i64), i64>,
}

impl<'a> Comparison<'a> {
    /// Nothing compared yet.
    pub(super) async fn new(runtime: &Runtime, feed: &'a StockFeed, facts: RunFacts) -> Result<Self, FlowError> {
        hold_refused(runtime).await?;
        let held = runtime.db.stock_holds(&runtime.key).await?;
        Ok(Self {
            feed,
            settings: runtime.settings.stock,
            held: held.into_iter().map(|hold| ((hold.warehouse_id, hold.product_id), hold.reason)).collect(),
            facts,
            lines: Vec::new(),
            marks: BTreeMap::new(),
        })
    }

    /// Compares some products of one of the source's warehouses.
    pub(super) async fn products(
        &mut self,
        runtime: &Runtime,
        warehouse_id: i64,
        slice: &[(i64, Counted)],
    ) -> Result<(), FlowError> {
        let ids: Vec<i64> = slice.iter().map(|(product, _)| *product).collect();
        let settle = runtime.scaled(Duration::from_secs(u64::from(self.settings.settle_seconds)));
        let cut_off = self.feed.cut_off;
        let count = Count { cut_off, settle, holds: runtime.holds() };
        let begun = runtime.db.now().await?;
        // Looked at before and after the source is read: a product whose shipped event lands in between is in the source's
        // figure or not, and nobody can say which.
        let before = runtime.db.in_flight(&runtime.key, warehouse_id, count, &ids).await?;
        let source = runtime.source.stock(warehouse_id, &ids).await?;
        let in_flight: BTreeMap<i64, InFlight> = runtime.db.in_flight(&runtime.key, warehouse_id, count, &ids).await?;
        // Figures of different age agree only while nothing came in between.
        let mut elsewhere: BTreeMap<(Timestamp, i64), InFlight> = BTreeMap::new();
        for (at, of) in ends(slice) {
            let flights = runtime.db.in_flight(&runtime.key, warehouse_id, Count { cut_off: at, ..count }, &of).await?;
            elsewhere.extend(flights.into_iter().map(|(product, flight)| ((at, product), flight)));
        }
        let products = runtime.products(&ids.iter().copied().collect()).await?;
        let rising: Vec<i64> = slice
            .iter()
            .filter(|(product, counted)| {
                let now = source.of(*product);
                match self.settings.basis {
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
        let flight_of =
            |flights: &BTreeMap<i64, InFlight>, product: &i64| flights.get(product).copied().unwrap_or_default();
        let mut found: Vec<(i64, &Counted, ProductFacts)> = Vec::with_capacity(slice.len());
        for (product_id, counted) in slice {
            // Set against nothing, the whole of the warehouse's figure would be added.
            let unread = source.unread.get(product_id);
            let incomplete = unread.map(|why| format!("its stock cannot be read: {why}"));
            let incomplete = incomplete.or_else(|| counted.incomplete.clone());
            let now = source.of(*product_id);
            let flight = flight_of(&in_flight, product_id);
            let other = |at: Timestamp| elsewhere.get(&(at, *product_id)).copied().unwrap_or_default();
            let moved = !flight_of(&before, product_id).same_equation(&flight)
                || counted.span.is_some_and(|(first, last)| {
                    !other(first).same_equation(&flight) || !other(last).same_equation(&flight)
                });
            let ending = flight.ending.or(flight_of(&before, product_id).ending);
            let ending = ending.or_else(|| {
                let (first, last) = counted.span?;
                other(first).ending.or(other(last).ending)
            });
            self.marks.insert((warehouse_id, *product_id), flight.corrections);
            let product = ProductFacts {
                figure: counted.figure,
                source: now,
                shipped_not_posted: flight.shipped_not_posted,
                posted_after: flight.posted_after,
                accepted: flight.accepted,
                unsettled: flight.unsettled || moved,
                by_word: flight.by_word,
                ending,
                posted_by_others: None,
                correcting: flight.correcting,
                archived: products.get(product_id).is_some_and(|product| product.archived),
                cost: costs.get(product_id).cloned(),
                shared_sku: counted.shared,
                held: self.held.get(&(warehouse_id, *product_id)).cloned(),
                incomplete,
            };
            found.push((*product_id, counted, product));
        }
        // Only where something would be written: it costs calls.
        let differing: BTreeSet<i64> = found
            .iter()
            .filter(|(_, _, product)| stock::line(product, &self.settings).verdict == Verdict::Correct)
            .map(|(product_id, ..)| *product_id)
            .collect();
        let mut by_others = posted_by_others(runtime, warehouse_id, &differing, begun).await?;
        for (product_id, counted, mut product) in found {
            product.posted_by_others = by_others.remove(&product_id);
            self.add(warehouse_id, product_id, counted, &product);
        }
        Ok(())
    }

    fn add(&mut self, warehouse_id: i64, product_id: i64, counted: &Counted, product: &ProductFacts) {
        let line = stock::line(product, &self.settings);
        let facts = &mut self.facts;
        facts.compared += 1;
        if line.verdict == Verdict::Correct {
            facts.changed += 1;
            facts.units += line.difference.abs();
        }
        // A sum that is not complete says nothing of what is gone.
        if product.incomplete.is_none() {
            facts.stocked += u32::from(!product.source.in_stock.is_zero());
            facts.newly_zero += u32::from(counted.figure.is_zero() && !product.source.on_hand.is_zero());
        }
        self.lines.push(StockLine {
            warehouse_id,
            product_id,
            skus: counted.skus.iter().cloned().collect(),
            figure: counted.figure,
            source_figure: line.source_figure,
            parts: line.parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            difference: line.difference,
            verdict: line.verdict.as_str().to_owned(),
            reason: line.reason,
        });
    }
}

/// The moments at which figures from other counts were taken, and the products that they are part of: each is compared at the two
/// ends of its own span, and not at those of products that were counted longer ago.
fn ends(slice: &[(i64, Counted)]) -> BTreeMap<Timestamp, Vec<i64>> {
    let mut ends: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for (product, counted) in slice {
        for at in counted.span.into_iter().flat_map(|(first, last)| BTreeSet::from([first, last])) {
            ends.entry(at).or_default().push(*product);
        }
    }
    ends
}

/// Of these products, those with an open order of which somebody else has posted a goods-out note as shipped since it was planned,
/// and the words for it. The source's figure must have been read before: what is posted later is in neither. What is
/// in hand was first looked at when this `begun`.
async fn posted_by_others(
    runtime: &Runtime,
    warehouse_id: i64,
    products: &BTreeSet<i64>,
    begun: Timestamp,
) -> Result<BTreeMap<i64, String>, FlowError> {
    let mut found = BTreeMap::new();
    if products.is_empty() {
        return Ok(found);
    }
    let orders = runtime.db.orders_in_hand(&runtime.key, warehouse_id, products).await?;
    let since: BTreeMap<i64, Timestamp> = orders
        .into_iter()
        .map(|order| (order.order_id, order.since.checked_sub(CLOCKS).unwrap_or(Timestamp::MIN)))
        .collect();
    let ids: Vec<i64> = since.keys().copied().collect();
    if ids.is_empty() {
        return Ok(found);
    }
    let notes = runtime.source.notes(&ids).await?;
    // Asked after the notes were read: what the hub posts meanwhile is then known to be its own.
    let told = runtime.db.notes_told(&runtime.key, &ids, begun).await?;
    let by_others = notes.iter().filter(|note| {
        note.state == NoteState::Shipped
            && !note.transfer
            && note.warehouse_id == warehouse_id
            && !told.contains(&note.note_id)
            && since.get(&note.order_id).is_some_and(|since| note.shipped_at.is_none_or(|at| at >= *since))
    });
    for note in by_others {
        let words = format!("goods-out note {} of order {}", note.note_id, note.order_id);
        for row in note.rows.iter().filter(|row| products.contains(&row.product_id)) {
            found.entry(row.product_id).or_insert_with(|| words.clone());
        }
    }
    Ok(found)
}

/// Holds the products whose single line was refused again (docs/stock.md).
async fn hold_refused(runtime: &Runtime) -> Result<(), FlowError> {
    let refused = runtime.db.refused_again(&runtime.key).await?;
    if refused.is_empty() {
        return Ok(());
    }
    let products = runtime.products(&refused.iter().map(|one| one.product_id).collect()).await?;
    for one in refused {
        let sku = match products.get(&one.product_id) {
            Some(product) => product.sku.clone(),
            None => format!("product {}", one.product_id),
        };
        runtime.db.hold_refused(&runtime.key, one, &sku).await?;
    }
    Ok(())
}

/// The cost of one of each product: from the list that was chosen, and where that has none, from the account's own list of costs.
pub(super) async fn costs(runtime: &Runtime, products: &[i64]) -> Result<BTreeMap<i64, Money>, FlowError> {
    if products.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut found = match runtime.settings.price_list {
        Some(price_list) => runtime.source.costs(price_list, products).await?,
        None => BTreeMap::new(),
    };
    let without: Vec<i64> = products.iter().copied().filter(|product| !found.contains_key(product)).collect();
    if without.is_empty() {
        return Ok(found);
    }
    if let Some(price_list) = runtime.choices().await?.cost_price_list {
        found.extend(runtime.source.costs(price_list, &without).await?);
    }
    Ok(found)
}

/// One correction to plan.
pub(super) struct Wanted {
    pub(super) warehouse_id: i64,
    pub(super) product_id: i64,
    pub(super) difference: Decimal,
    pub(super) cost: Option<Money>,
    pub(super) mark: i64,
    pub(super) undoes: Option<connect::EffectId>,
}

/// Corrections in batches, each line with a marker of its own, drawn here and kept with the effect. `batch` tells these batches
/// from all others; `words` stand before the marker.
pub(super) async fn corrections(
    runtime: &Runtime,
    batch: &str,
    words: &str,
    wanted: Vec<Wanted>,
) -> Result<Vec<NewCorrection>, FlowError> {
    let mut by_warehouse: BTreeMap<i64, Vec<Wanted>> = BTreeMap::new();
    for one in wanted {
        by_warehouse.entry(one.warehouse_id).or_default().push(one);
    }
    if by_warehouse.is_empty() {
        return Ok(Vec::new());
    }
    let size = batch_size(runtime).await?;
    let mut planned = Vec::new();
    for (warehouse_id, lines) in by_warehouse {
        let location_id = runtime.source.default_location(warehouse_id).await?;
        for (place, line) in lines.into_iter().enumerate() {
            let Some(difference) = line.difference.to_i64().filter(|difference| *difference != 0) else { continue };
            let correction = StockCorrection {
                warehouse_id,
                location_id,
                product_id: line.product_id,
                difference,
                marker: ulid(runtime.clock.now(), &*runtime.random),
                reason: words.to_owned(),
                cost: line.cost.filter(|_| difference > 0),
            };
            let draft = runtime
                .source
                .plan_correction(&format!("{batch}/{warehouse_id}/{}", place / size), &correction)
                .map_err(|PlanError { why, .. }| FlowError::Settings(why.into_owned()))?;
            let effect = NewEffect {
                id: runtime.effect_id(),
                draft,
                lane: key::stock_lane(&runtime.account, warehouse_id, line.product_id),
                subject: Subject {
                    product_id: Some(line.product_id),
                    warehouse_id: Some(warehouse_id),
                    ..Subject::default()
                },
                not_before: None,
            };
            planned.push(NewCorrection {
                effect,
                difference: Decimal::from(difference),
                mark: line.mark,
                undoes: line.undoes,
            });
        }
    }
    Ok(planned)
}

/// What a run's lines ask for.
pub(super) async fn of_run(
    runtime: &Runtime,
    run: &StockRun,
    marks: &BTreeMap<(i64, i64), i64>,
    only: Option<&BTreeSet<(i64, i64)>>,
    batch: &str,
) -> Result<Vec<NewCorrection>, FlowError> {
    let lines: Vec<&StockLine> = run
        .lines
        .iter()
        .filter(|line| line.verdict == Verdict::Correct.as_str())
        .filter(|line| only.is_none_or(|only| only.contains(&(line.warehouse_id, line.product_id))))
        .collect();
    let rising: Vec<i64> =
        lines.iter().filter(|line| line.difference.is_sign_positive()).map(|line| line.product_id).collect();
    let costs = costs(runtime, &rising).await?;
    let wanted = lines.into_iter().map(|line| Wanted {
        warehouse_id: line.warehouse_id,
        product_id: line.product_id,
        difference: line.difference,
        cost: costs.get(&line.product_id).cloned(),
        mark: marks.get(&(line.warehouse_id, line.product_id)).copied().unwrap_or_default(),
        undoes: None,
    });
    corrections(runtime, batch, "Warehouse count", wanted.collect()).await
}

/// Lines of one correction: the setting, halved for each of the latest batches that was refused.
async fn batch_size(runtime: &Runtime) -> Result<usize, FlowError> {
    let halvings = runtime.db.refused_batches(&runtime.key).await?;
    let size = runtime.settings.stock.batch >> halvings.min(10);
    Ok(usize::try_from(size.max(1)).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::{Counted, Timestamp, ends};

    #[test]
    fn products_are_compared_at_the_ends_of_their_own_spans() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let spanning = |first: i64, last: i64| Counted { span: Some((at(first), at(last))), ..Counted::default() };
        let slice = [(1, spanning(10, 90)), (2, spanning(90, 90)), (3, Counted::default())];
        let found: Vec<_> = ends(&slice).into_iter().collect();
        assert_eq!(found, [(at(10), vec![1]), (at(90), vec![1, 2])]);
    }
}
