//! Which product of which of the source's warehouses each figure of a feed belongs to, and what several facilities count together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{FeedBasis, StockFeed, StockLevel};
use engine::{effect::later, stock::Verdict};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::FlowError;
use crate::{
    db::{KeptLevel, LevelView, RunState, StockLine, StockRun, Stopped},
    runtime::Runtime,
};

/// What a feed says of one product in one of the source's warehouses.
#[derive(Debug, Clone, Default)]
pub(in crate::flow) struct Counted {
    /// For the feed's basis, summed over the facilities that feed the warehouse.
    pub(in crate::flow) figure: Decimal,
    /// Everything on the shelves, summed likewise; `None` where a figure of it does not say.
    pub(in crate::flow) physical: Option<Decimal>,
    pub(in crate::flow) skus: BTreeSet<String>,
    pub(in crate::flow) shared: bool,
    /// The first and the last moment of those of its figures that came with other counts than the one that is compared.
    pub(in crate::flow) span: Option<(Timestamp, Timestamp)>,
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

/// Adds the latest figures of the facilities that feed the same warehouses, as far as this count does not say them itself: a
/// product's figure is the sum over all of them, each counted within the age limit and with its own cut-off. Where one has not
/// been counted lately, or its count was not let through, the products of its warehouse wait.
pub(super) async fn add_other_facilities(
    runtime: &Runtime,
    feed: &StockFeed,
    counted: &mut Placed,
) -> Result<(), FlowError> {
    let given: BTreeSet<(&str, &str)> =
        feed.levels.iter().filter_map(|level| Some((level.facility.as_deref()?, level.sku.as_str()))).collect();
    let here: BTreeSet<String> = given.iter().map(|(facility, _)| (*facility).to_owned()).collect();
    let feeds = feeds(runtime, here.iter().cloned());
    let warehouses: BTreeSet<i64> = counted.keys().map(|(warehouse, _)| *warehouse).collect();
    let alone = |facility: &String, warehouse: &i64| {
        !here.iter().any(|other| other != facility && feeds.get(other) == Some(warehouse))
    };
    let wanted: BTreeMap<String, i64> = feeds
        .iter()
        .filter(|(facility, warehouse)| {
            // What a list of changes leaves out of one of its facilities is there as it was.
            let says_all = feed.absent_is_zero || feed.names_all || alone(facility, warehouse);
            warehouses.contains(*warehouse) && !(here.contains(*facility) && says_all)
        })
        .map(|(facility, warehouse)| (facility.clone(), *warehouse))
        .collect();
    if !wanted.is_empty() {
        let levels = runtime.db.levels_of(&runtime.key, &wanted.keys().cloned().collect()).await?;
        Latest { given, ..Latest::new(runtime, feed.cut_off) }.add(&wanted, &levels, counted);
    }
    wait_for_locations(runtime, &here, counted).await
}

/// Which of the source's warehouses each facility feeds. Without a table of locations these here all feed the one of the settings.
fn feeds(runtime: &Runtime, unmapped: impl Iterator<Item = String>) -> BTreeMap<String, i64> {
    let mapped = &runtime.mappings.locations;
    if !mapped.is_empty() {
        return mapped.iter().map(|(facility, warehouse)| (facility.clone(), *warehouse)).collect();
    }
    let Some(warehouse) = runtime.settings.default_warehouse() else { return BTreeMap::new() };
    unmapped.map(|facility| (facility, warehouse)).collect()
}

/// Without a table of locations, what one count names is summed. Where another facility is counted in counts of its own, each of
/// the two would put its own figure in the place of the other's: what both have waits.
async fn wait_for_locations(runtime: &Runtime, here: &BTreeSet<String>, counted: &mut Placed) -> Result<(), FlowError> {
    if here.is_empty() || !runtime.mappings.locations.is_empty() {
        return Ok(());
    }
    let mut others = runtime.db.facilities_counted(&runtime.key).await?;
    others.retain(|facility| !here.contains(facility));
    if others.is_empty() {
        return Ok(());
    }
    let levels = runtime.db.levels_of(&runtime.key, &others).await?;
    let has_some = |level: &LevelView| [level.physical, level.available].iter().flatten().any(|units| !units.is_zero());
    for product in counted.values_mut() {
        let there = levels.iter().find(|kept| product.skus.contains(&kept.level.sku) && has_some(&kept.level));
        if let Some(KeptLevel { level, .. }) = there {
            product.incomplete = Some(format!(
                "facility {} has some of it as well, and is counted by itself: map both facilities to their warehouses under \
                 Locations",
                level.facility
            ));
        }
    }
    Ok(())
}

/// What is known now of the products of a run's lines: the run's own figures, as far as no newer ones have come, and the latest
/// of the other facilities. A sum that was made when the run was worked out may hold figures that are not the latest any more.
pub(super) async fn as_counted_now(
    runtime: &Runtime,
    run: &StockRun,
    lines: &[StockLine],
) -> Result<Placed, FlowError> {
    let mut counted: Placed = lines
        .iter()
        .map(|line| {
            let skus = line.skus.iter().cloned().collect();
            ((line.warehouse_id, line.product_id), Counted { skus, ..Counted::nothing() })
        })
        .collect();
    let own = runtime.db.run_facilities(&runtime.key, &run.id).await?;
    let mapped = &runtime.mappings.locations;
    // Figures without a facility are kept under an empty name.
    let named: BTreeSet<String> = match mapped.is_empty() {
        true => own.iter().cloned().chain([String::new()]).collect(),
        false => mapped.keys().cloned().collect(),
    };
    let levels = runtime.db.levels_of(&runtime.key, &named).await?;
    let nameless = named.len() == 1 || levels.iter().any(|kept| kept.level.facility.is_empty() && came_with(kept, run));
    let facilities = feeds(runtime, named.into_iter().filter(|facility| nameless || !facility.is_empty()));
    let fed: BTreeSet<i64> = facilities.values().copied().collect();
    for (_, product) in counted.iter_mut().filter(|((warehouse, _), _)| !fed.contains(warehouse)) {
        product.incomplete = Some("no facility is mapped to its warehouse any more".to_owned());
    }
    let latest = Latest { own: Some(&run.id), now: runtime.clock.now(), ..Latest::new(runtime, run.cut_off) };
    latest.add(&facilities, &levels, &mut counted);
    wait_for_locations(runtime, &own, &mut counted).await?;
    Ok(counted)
}

fn came_with(kept: &KeptLevel, run: &StockRun) -> bool {
    kept.level.cut_off == run.cut_off && kept.level.feed == run.feed
}

/// What facilities counted last, to be summed.
struct Latest<'a> {
    basis: FeedBasis,
    /// Figures are fresh for so long.
    limit: Duration,
    /// Of when they are to be fresh.
    now: Timestamp,
    /// The moment of the count that is compared.
    cut_off: Timestamp,
    /// The run that is being let through: its figures count.
    own: Option<&'a str>,
    /// Facilities and SKUs of which the count that is compared says the figure itself: it is in the sum.
    given: BTreeSet<(&'a str, &'a str)>,
}

impl Latest<'_> {
    fn new(runtime: &Runtime, cut_off: Timestamp) -> Self {
        let stock = &runtime.settings.stock;
        let limit = Duration::from_secs(u64::from(stock.brakes.feed_age_minutes) * 60);
        Self { basis: stock.basis, limit, now: cut_off, cut_off, own: None, given: BTreeSet::new() }
    }

    /// Adds what these facilities counted last to the products of the warehouses that they feed. Only figures of counts that
    /// were let through are summed: what a person has yet to look at, or has turned down, is not acted upon through the count
    /// of another facility.
    fn add(&self, facilities: &BTreeMap<String, i64>, levels: &[KeptLevel], counted: &mut Placed) {
        for (facility, warehouse) in facilities {
            let kept: BTreeMap<&str, &KeptLevel> = levels
                .iter()
                .filter(|kept| kept.level.facility == *facility)
                .map(|kept| (kept.level.sku.as_str(), kept))
                .collect();
            let missing = self.missing(facility, &kept);
            for (_, product) in counted.iter_mut().filter(|((of, _), _)| of == warehouse) {
                match &missing {
                    Some(why) => product.incomplete = Some(why.clone()),
                    None => self.add_to(product, facility, &kept),
                }
            }
        }
    }

    fn add_to(&self, product: &mut Counted, facility: &str, kept: &BTreeMap<&str, &KeptLevel>) {
        for sku in product.skus.clone() {
            if self.given.contains(&(facility, sku.as_str())) {
                continue;
            }
            let Some(one) = kept.get(sku.as_str()) else { continue };
            if let Some(stopped) = self.stopped(one) {
                product.incomplete = Some(not_let_through(facility, stopped));
                continue;
            }
            let level = &one.level;
            let figure = match self.basis {
                FeedBasis::Physical => level.physical,
                FeedBasis::Available => level.available,
            };
            let Some(figure) = figure else {
                product.incomplete = Some(format!("facility {facility} does not give the figure of the feed basis"));
                continue;
            };
            product.figure += figure;
            product.physical = product.physical.zip(level.physical).map(|(sum, one)| sum + one);
            if level.cut_off != self.cut_off {
                let (first, last) = product.span.unwrap_or((level.cut_off, level.cut_off));
                product.span = Some((first.min(level.cut_off), last.max(level.cut_off)));
            }
        }
    }

    /// Why nothing at all can be said of a facility.
    fn missing(&self, facility: &str, kept: &BTreeMap<&str, &KeptLevel>) -> Option<String> {
        if self.given.iter().any(|(counted, _)| *counted == facility) {
            return None;
        }
        let is_fresh = |one: &&&KeptLevel| later(one.level.cut_off, self.limit) >= self.now;
        let mut fresh = kept.values().filter(is_fresh);
        if fresh.clone().any(|one| self.stopped(one).is_none()) {
            return None;
        }
        Some(match fresh.find_map(|one| self.stopped(one)) {
            Some(stopped) => not_let_through(facility, stopped),
            None => format!("facility {facility} feeds the same warehouse and has not been counted lately"),
        })
    }

    fn stopped<'b>(&self, kept: &'b KeptLevel) -> Option<&'b Stopped> {
        kept.stopped.as_ref().filter(|stopped| self.own != Some(stopped.run.as_str()))
    }
}

fn not_let_through(facility: &str, stopped: &Stopped) -> String {
    let run = &stopped.run;
    match stopped.state {
        RunState::Waiting => format!(
            "facility {facility} feeds the same warehouse, and its latest count waits for a person (run {run}): approve or drop \
             it, and the next count decides"
        ),
        RunState::Planned | RunState::Refused | RunState::Dropped => format!(
            "facility {facility} feeds the same warehouse, and its latest count of it was not let through (run {run}): it waits \
             until that facility counts it again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use connect::FeedBasis;
    use jiff::{SignedDuration, Timestamp};
    use rust_decimal::Decimal;

    use super::{Counted, Latest, Placed};
    use crate::db::{KeptLevel, LevelView, RunState, Stopped};

    fn at(minute: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
    }

    fn kept(facility: &str, sku: &str, units: i64, minute: i64, stopped: Option<RunState>) -> KeptLevel {
        KeptLevel {
            level: LevelView {
                sku: sku.to_owned(),
                facility: facility.to_owned(),
                available: None,
                physical: Some(Decimal::from(units)),
                cut_off: at(minute),
                feed: format!("{facility}_{minute}"),
            },
            stopped: stopped.map(|state| Stopped { run: format!("run_of_{facility}"), state }),
        }
    }

    /// The product 7 of the warehouse 2, counted as `X` in `north` and `south`.
    fn summed(levels: &[KeptLevel], own: Option<&str>) -> Counted {
        beside(levels, own, &[])
    }

    /// Beside what the count itself says.
    fn beside(levels: &[KeptLevel], own: Option<&str>, given: &[(&str, &str)]) -> Counted {
        let latest = Latest {
            given: given.iter().copied().collect(),
            basis: FeedBasis::Physical,
            limit: Duration::from_secs(60 * 60),
            now: at(100),
            cut_off: at(100),
            own,
        };
        let facilities: BTreeMap<String, i64> = ["north", "south"].map(|facility| (facility.to_owned(), 2)).into();
        let mut counted: Placed =
            [((2, 7), Counted { skus: ["X".to_owned()].into(), ..Counted::nothing() })].into_iter().collect();
        latest.add(&facilities, levels, &mut counted);
        counted.remove(&(2, 7)).unwrap()
    }

    #[test]
    fn a_sum_is_of_counts_that_were_let_through() {
        let north = kept("north", "X", 5, 100, None);
        let whole = summed(&[north.clone(), kept("south", "X", 2, 90, None)], None);
        assert_eq!((whole.figure, whole.incomplete), (Decimal::from(7), None));
        assert_eq!(whole.span, Some((at(90), at(90))), "what is of the count's own moment spans nothing");

        let beside = summed(&[north.clone(), kept("south", "Y", 2, 90, None)], None);
        assert_eq!((beside.figure, beside.incomplete), (Decimal::from(5), None), "it has none of it");

        for (state, words) in [(RunState::Waiting, "waits for a person"), (RunState::Dropped, "was not let through")] {
            let stopped = kept("south", "X", 2, 90, Some(state));
            for others in [vec![stopped.clone()], vec![stopped.clone(), kept("south", "Y", 1, 80, None)]] {
                let levels: Vec<KeptLevel> = [north.clone()].into_iter().chain(others).collect();
                let why = summed(&levels, None).incomplete.unwrap();
                assert!(why.contains("facility south") && why.contains(words) && why.contains("run_of_south"), "{why}");
            }
        }
        // A figure of another SKU that was let through says that the place was counted, and a stopped one of another does not matter.
        let levels =
            [north.clone(), kept("south", "X", 2, 90, None), kept("south", "Y", 1, 95, Some(RunState::Waiting))];
        assert_eq!(summed(&levels, None).incomplete, None);

        let levels = [north.clone(), kept("south", "X", 2, 90, Some(RunState::Waiting))];
        let approved = summed(&levels, Some("run_of_south"));
        assert_eq!((approved.figure, approved.incomplete), (Decimal::from(7), None), "it is being let through");

        let old = summed(&[north.clone(), kept("south", "X", 2, 39, None)], None).incomplete.unwrap();
        assert!(old.contains("has not been counted lately"), "{old}");
        assert!(summed(&[north], None).incomplete.unwrap().contains("has not been counted lately"));
    }

    #[test]
    fn what_a_count_of_several_places_says_of_one_of_them_leaves_the_others_as_they_were() {
        // It says something of X in the north, and of Y in the south.
        let given = [("north", "X"), ("south", "Y")];
        let levels = [kept("north", "X", 5, 30, None), kept("south", "X", 2, 30, None)];
        let sum = beside(&levels, None, &given);
        assert_eq!((sum.figure, sum.incomplete), (Decimal::from(2), None), "beside what it says of X in the north");

        let stopped = [kept("south", "X", 2, 90, Some(RunState::Waiting))];
        assert!(beside(&stopped, None, &given).incomplete.unwrap().contains("waits for a person"));
        assert_eq!(beside(&[], None, &given).incomplete, None, "it was never there");
    }

    #[test]
    fn a_sum_says_between_which_moments_it_was_counted() {
        let sum = summed(&[kept("north", "X", 5, 120, None), kept("south", "X", 2, 90, None)], None);
        assert_eq!(sum.span, Some((at(90), at(120))));
    }
}
