//! Which product of which of the source's warehouses each figure of a feed belongs to.

use std::collections::{BTreeMap, BTreeSet};

use connect::{FeedBasis, StockFeed, StockLevel};
use engine::{effect::later, stock::Verdict};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::FlowError;
use crate::{db::StockLine, runtime::Runtime};

/// What a feed says of one product in one of the source's warehouses.
#[derive(Debug, Clone, Default)]
pub(in crate::flow) struct Counted {
    /// For the feed's basis, summed over the facilities that feed the warehouse.
    pub(in crate::flow) figure: Decimal,
    /// Everything on the shelves, summed likewise; `None` where a figure of it does not say.
    pub(in crate::flow) physical: Option<Decimal>,
    pub(in crate::flow) skus: BTreeSet<String>,
    pub(in crate::flow) shared: bool,
    /// The oldest of its figures, where that is older than the feed.
    pub(in crate::flow) oldest: Option<Timestamp>,
    /// Why its figure is not complete.
    pub(in crate::flow) incomplete: Option<String>,
}

/// By the source's warehouse and product.
pub(in crate::flow) type Placed = BTreeMap<(i64, i64), Counted>;

/// Sums the feed by the source's warehouse and product. What cannot be placed is returned as held lines.
pub(in crate::flow) async fn place(runtime: &Runtime, feed: &StockFeed) -> Result<(Placed, Vec<StockLine>), FlowError> {
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
    let mut counted = Placed::new();
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
                    let entry = counted.entry((warehouse, product)).or_insert_with(Counted::nothing);
                    entry.add(level, figure);
                    entry.shared |= shared;
                }
            }
            _ => unplaced.push(StockLine {
                warehouse_id: warehouse.unwrap_or_default(),
                product_id: matches.first().copied().unwrap_or_default(),
                skus: vec![level.sku.clone()],
                figure: figure.unwrap_or_default(),
                oldest: None,
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
                        ..Counted::nothing()
                    });
                }
            }
        }
    }
    Ok((counted, unplaced))
}

impl Counted {
    fn nothing() -> Self {
        Self { physical: Some(Decimal::ZERO), ..Self::default() }
    }

    fn add(&mut self, level: &StockLevel, figure: Decimal) {
        self.figure += figure;
        self.physical = self.physical.zip(level.physical).map(|(sum, one)| sum + one);
        self.skus.insert(level.sku.clone());
    }
}

/// Adds the latest figures of the other facilities that feed the same warehouses: a product's figure is the sum over all of
/// them, each counted within the age limit and with its own cut-off. Where one has not been counted lately, the products of its
/// warehouse wait.
pub(super) async fn add_other_facilities(
    runtime: &Runtime,
    feed: &StockFeed,
    counted: &mut Placed,
) -> Result<(), FlowError> {
    let here: BTreeSet<&str> = feed.levels.iter().filter_map(|level| level.facility.as_deref()).collect();
    let warehouses: BTreeSet<i64> = counted.keys().map(|(warehouse, _)| *warehouse).collect();
    let others: BTreeMap<&str, i64> = runtime
        .mappings
        .locations
        .iter()
        .filter(|(facility, warehouse)| warehouses.contains(*warehouse) && !here.contains(facility.as_str()))
        .map(|(facility, warehouse)| (facility.as_str(), *warehouse))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let named: BTreeSet<String> = others.keys().map(|facility| (*facility).to_owned()).collect();
    let levels = runtime.db.latest_levels(&runtime.key, Some(&named)).await?;
    let limit = u64::from(runtime.settings.stock.brakes.feed_age_minutes) * 60;
    let basis = runtime.settings.stock.basis;
    for (facility, warehouse) in others {
        let of_facility: BTreeMap<&str, _> =
            levels.iter().filter(|level| level.facility == facility).map(|level| (level.sku.as_str(), level)).collect();
        let newest = of_facility.values().map(|level| level.cut_off).max();
        let fresh = newest.is_some_and(|newest| later(newest, std::time::Duration::from_secs(limit)) >= feed.cut_off);
        for (_, product) in counted.iter_mut().filter(|((of, _), _)| *of == warehouse) {
            if !fresh {
                product.incomplete =
                    Some(format!("facility {facility} feeds the same warehouse and has not been counted lately"));
                continue;
            }
            for sku in product.skus.clone() {
                let Some(level) = of_facility.get(sku.as_str()) else { continue };
                let figure = match basis {
                    FeedBasis::Physical => level.physical,
                    FeedBasis::Available => level.available,
                };
                let Some(figure) = figure else {
                    product.incomplete =
                        Some(format!("facility {facility} does not give the figure of the feed basis"));
                    continue;
                };
                product.figure += figure;
                product.physical = product.physical.zip(level.physical).map(|(sum, one)| sum + one);
                product.oldest = Some(product.oldest.map_or(level.cut_off, |oldest| oldest.min(level.cut_off)));
            }
        }
    }
    Ok(())
}
