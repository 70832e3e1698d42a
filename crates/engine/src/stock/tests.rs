use connect::{FeedBasis, Money, SourceStock, StockFeed, StockLevel};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

use super::{Counted, Line, ProductFacts, RunFacts, RunVerdict, Verdict, is_said_again, line, outdated, run};
use crate::settings::{Brakes, Increases, StockSettings};

const BASES: [FeedBasis; 2] = [FeedBasis::Physical, FeedBasis::Available];

fn number(value: i64) -> Decimal {
    Decimal::from(value)
}

fn settings(basis: FeedBasis) -> StockSettings {
    StockSettings { basis, increases: Some(Increases::Correct), ..StockSettings::default() }
}

fn cost() -> Option<Money> {
    Some(Money { currency: "GBP".to_owned(), amount: Decimal::new(499, 2) })
}

/// Nothing in flight, the source has `in_stock`, the warehouse says `figure`.
fn quiet(figure: i64, in_stock: i64) -> ProductFacts {
    ProductFacts {
        figure: number(figure),
        source: SourceStock { in_stock: number(in_stock), on_hand: number(in_stock), allocated: Decimal::ZERO },
        shipped_not_posted: Decimal::ZERO,
        posted_after: Decimal::ZERO,
        accepted: Decimal::ZERO,
        unsettled: false,
        by_word: false,
        ending: None,
        posted_by_others: None,
        correcting: false,
        archived: false,
        cost: cost(),
        shared_sku: false,
        held: None,
        incomplete: None,
    }
}

/// How far some units of an order have come: placed, allocated at the source, accepted by the warehouse, shipped, posted.
type Stage = u8;
const ALLOCATED: Stage = 1;
const ACCEPTED: Stage = 2;
const SHIPPED: Stage = 3;
const POSTED: Stage = 4;

/// Units with the same history: where they stood at the feed's cut-off, and where when the source was read after it.
#[derive(Debug, Clone, Copy)]
struct Units {
    count: i64,
    at_cut_off: Stage,
    at_reading: Stage,
}

/// Both systems started with `start`; since then the warehouse found or lost `drift`, and units moved.
#[derive(Debug, Clone)]
struct World {
    start: i64,
    drift: i64,
    units: Vec<Units>,
}

impl World {
    fn count(&self, which: impl Fn(&Units) -> bool) -> i64 {
        self.units.iter().filter(|units| which(units)).map(|units| units.count).sum()
    }

    /// What each system would say, from the books of the model alone.
    fn facts(&self, basis: FeedBasis) -> ProductFacts {
        let physical = self.start + self.drift - self.count(|units| units.at_cut_off >= SHIPPED);
        let committed = self.count(|units| units.at_cut_off == ACCEPTED);
        let in_stock = self.start - self.count(|units| units.at_reading == POSTED);
        let allocated = self.count(|units| units.at_reading >= ALLOCATED && units.at_reading < POSTED);
        ProductFacts {
            figure: number(match basis {
                FeedBasis::Physical => physical,
                FeedBasis::Available => physical - committed,
            }),
            source: SourceStock {
                in_stock: number(in_stock),
                on_hand: number(in_stock - allocated),
                allocated: number(allocated),
            },
            shipped_not_posted: number(self.count(|units| units.at_cut_off >= SHIPPED && units.at_reading < POSTED)),
            posted_after: number(self.count(|units| units.at_cut_off < SHIPPED && units.at_reading == POSTED)),
            accepted: number(self.count(|units| units.at_cut_off >= ACCEPTED && units.at_reading < POSTED)),
            ..quiet(0, 0)
        }
    }

    /// Everything in flight has arrived, and both have been read again.
    fn settled(&self) -> Self {
        let units = self.units.iter().map(|units| Units { at_cut_off: POSTED, at_reading: POSTED, ..*units }).collect();
        Self { units, ..self.clone() }
    }
}

fn world() -> impl Strategy<Value = World> {
    let units = (1_i64..6, 0..=POSTED, 0..=POSTED).prop_map(|(count, one, other)| Units {
        count,
        at_cut_off: one.min(other),
        at_reading: one.max(other),
    });
    (60_i64..200, -50_i64..50, prop::collection::vec(units, 0..8)).prop_map(|(start, drift, units)| World {
        start,
        drift,
        units,
    })
}

proptest! {
    /// K2: whatever is between the two systems, the difference is the drift and nothing else, on either basis; and once it
    /// is corrected and everything has arrived, the systems agree.
    #[test]
    fn finds_the_drift_and_nothing_else(mut world in world()) {
        // A shipment that left after the count and is posted already makes the product wait: see below.
        for units in &mut world.units {
            if units.at_cut_off < SHIPPED {
                units.at_reading = units.at_reading.min(SHIPPED);
            }
        }
        for basis in BASES {
            let facts = world.facts(basis);
            let found = line(&facts, &settings(basis));
            prop_assert_eq!(found.difference, number(world.drift));
            let possible = number(world.drift) >= -facts.source.on_hand;
            prop_assert_eq!(found.verdict, match (world.drift, possible) {
                (0, _) => Verdict::Same,
                (_, true) => Verdict::Correct,
                (_, false) => Verdict::Hold,
            });
            if found.verdict == Verdict::Correct {
                let mut later = world.settled().facts(basis);
                later.source.in_stock += found.difference;
                later.source.on_hand += found.difference;
                prop_assert_eq!(line(&later, &settings(basis)).verdict, Verdict::Same);
            }
        }
    }

    /// Units that left after the count and are posted already make the product wait for the next count. Correcting with them
    /// would be wrong: on the physical basis always, on the available one where their order came after the count.
    #[test]
    fn waits_where_the_count_is_overtaken(world in world()) {
        for basis in BASES {
            let facts = world.facts(basis);
            let found = line(&facts, &settings(basis));
            if facts.posted_after.is_zero() {
                prop_assert_eq!(found.difference, number(world.drift));
            } else {
                prop_assert_eq!(found.verdict, Verdict::Skip);
            }
            let after = line(&world.settled().facts(basis), &settings(basis));
            prop_assert_eq!(after.difference, number(world.drift), "the count after it is right again");
        }
    }

    /// What is corrected is a whole number, leaves allocated stock alone, keeps to the brake, and is never work of an
    /// unsettled, shared or overtaken product; an addition has a cost and the person's word.
    #[test]
    fn corrects_only_what_it_may(
        (figure, in_stock, allocated) in (-50_i64..200, 0_i64..100, 0_i64..100),
        (shipped, after, accepted) in (0_i64..5, 0_i64..2, 0_i64..20),
        (unsettled, correcting, archived, shared) in
            (prop::bool::weighted(0.1), prop::bool::weighted(0.1), any::<bool>(), prop::bool::weighted(0.1)),
        (held, incomplete) in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        (by_word, ending) in (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        has_cost in any::<bool>(),
        increases in prop::sample::select(vec![None, Some(Increases::Hold), Some(Increases::Correct)]),
        revive_archived in any::<bool>(),
        most in prop::option::of(1_i64..60),
        half in prop::bool::weighted(0.1),
        by_others in prop::bool::weighted(0.1),
        physical in any::<bool>(),
    ) {
        let basis = if physical { FeedBasis::Physical } else { FeedBasis::Available };
        let settings = StockSettings {
            increases,
            revive_archived,
            brakes: Brakes { line: most.map(number), ..Brakes::default() },
            ..settings(basis)
        };
        let facts = ProductFacts {
            figure: number(figure) + if half { Decimal::new(5, 1) } else { Decimal::ZERO },
            source: SourceStock {
                in_stock: number(in_stock),
                on_hand: number(in_stock - allocated),
                allocated: number(allocated),
            },
            shipped_not_posted: number(shipped),
            posted_after: number(after),
            accepted: number(accepted),
            unsettled,
            by_word,
            ending: ending.then_some(7),
            posted_by_others: by_others.then(|| "goods-out note 7 of order 3".to_owned()),
            correcting,
            archived,
            cost: if has_cost { cost() } else { None },
            shared_sku: shared,
            held: held.then(|| "undone by ada".to_owned()),
            incomplete: incomplete.then(|| "not counted".to_owned()),
        };
        let found: Line = line(&facts, &settings);
        prop_assert_eq!(found.reason.is_empty(), matches!(found.verdict, Verdict::Correct | Verdict::Same));
        if found.verdict != Verdict::Correct {
            return Ok(());
        }
        prop_assert!(!found.difference.is_zero() && found.difference.fract().is_zero());
        prop_assert!(!unsettled && !correcting && !shared && !held && !incomplete && !by_others && after == 0);
        prop_assert!(most.is_none_or(|most| found.difference.abs() <= number(most)));
        prop_assert!(facts.source.on_hand + found.difference >= facts.source.on_hand.min(Decimal::ZERO));
        if found.difference > Decimal::ZERO {
            prop_assert!(increases == Some(Increases::Correct) && has_cost && (!archived || revive_archived));
        } else {
            prop_assert!(facts.source.on_hand + found.difference >= Decimal::ZERO);
        }
        if !physical {
            prop_assert!(!by_word && !ending);
            prop_assert!(accepted <= allocated, "a commitment without an allocation breaks the equation");
        }
    }
}

#[test]
fn says_why_not() {
    type Change = fn(&mut ProductFacts, &mut StockSettings);
    let cases: [(i64, i64, Verdict, &str, Change); 19] = [
        (5, 5, Verdict::Same, "", |_, _| {}),
        (3, 5, Verdict::Correct, "", |_, _| {}),
        (7, 5, Verdict::Correct, "", |_, _| {}),
        (3, 5, Verdict::Hold, "two products share", |facts, _| facts.shared_sku = true),
        (5, 5, Verdict::Hold, "two products share", |facts, _| facts.shared_sku = true),
        (3, 5, Verdict::Hold, "undone by ada", |facts, _| facts.held = Some("undone by ada".to_owned())),
        (5, 5, Verdict::Hold, "undone by ada", |facts, _| facts.held = Some("undone by ada".to_owned())),
        (3, 5, Verdict::Skip, "not counted", |facts, _| facts.incomplete = Some("not counted".to_owned())),
        (3, 5, Verdict::Skip, "earlier correction", |facts, _| facts.correcting = true),
        (3, 5, Verdict::Skip, "between the two systems", |facts, _| facts.unsettled = true),
        (7, 5, Verdict::Skip, "goods-out note 7 of order 3 was posted as shipped", |facts, _| {
            facts.posted_by_others = Some("goods-out note 7 of order 3".to_owned());
        }),
        (3, 5, Verdict::Skip, "after the count", |facts, _| facts.posted_after = number(1)),
        (3, 5, Verdict::Hold, "whole number", |facts, _| facts.figure = Decimal::new(35, 1)),
        (1, 5, Verdict::Hold, "limit for one line", |_, settings| settings.brakes.line = Some(number(3))),
        (7, 5, Verdict::Hold, "wait until a person", |_, settings| settings.increases = None),
        (7, 5, Verdict::Hold, "wait until a person", |_, settings| settings.increases = Some(Increases::Hold)),
        (7, 5, Verdict::Hold, "archived", |facts, _| facts.archived = true),
        (7, 5, Verdict::Hold, "its cost", |facts, _| facts.cost = None),
        (3, 5, Verdict::Correct, "", |facts, _| {
            facts.archived = true;
            facts.cost = None;
        }),
    ];
    for basis in BASES {
        for (figure, in_stock, verdict, words, change) in cases {
            let (mut facts, mut settings) = (quiet(figure, in_stock), settings(basis));
            change(&mut facts, &mut settings);
            let found = line(&facts, &settings);
            assert_eq!(found.verdict, verdict, "{figure} against {in_stock}: {}", found.reason);
            assert!(found.reason.contains(words), "{:?} does not say {words:?}", found.reason);
        }
    }
}

#[test]
fn allocated_stock_is_not_corrected_away() {
    let mut facts = quiet(1, 5);
    facts.source = SourceStock { in_stock: number(5), on_hand: number(3), allocated: number(2) };
    assert_eq!(line(&facts, &settings(FeedBasis::Physical)).verdict, Verdict::Hold);
    facts.figure = number(2);
    assert_eq!(line(&facts, &settings(FeedBasis::Physical)).difference, number(-3));
    assert_eq!(line(&facts, &settings(FeedBasis::Physical)).verdict, Verdict::Correct);
}

#[test]
fn commitment_without_allocation_waits() {
    let mut facts = quiet(3, 5);
    facts.accepted = number(2);
    let found = line(&facts, &settings(FeedBasis::Available));
    assert_eq!(found.verdict, Verdict::Skip);
    assert!(found.reason.contains("than Brightpearl has allocated"), "{}", found.reason);
}

#[test]
fn what_only_a_persons_word_says_the_warehouse_keeps_waits() {
    let mut facts = quiet(3, 5);
    facts.by_word = true;
    let found = line(&facts, &settings(FeedBasis::Available));
    assert_eq!(found.verdict, Verdict::Skip);
    assert!(found.reason.contains("until that order is over"), "{}", found.reason);
    // A physical count knows nothing of orders.
    assert_eq!(line(&facts, &settings(FeedBasis::Physical)).verdict, Verdict::Correct);
}

#[test]
fn what_ends_at_the_warehouse_meanwhile_waits() {
    let mut facts = quiet(3, 5);
    facts.ending = Some(100_001);
    let found = line(&facts, &settings(FeedBasis::Available));
    assert_eq!(found.verdict, Verdict::Skip);
    assert!(found.reason.contains("order 100001 was held, ended"), "{}", found.reason);
    assert_eq!(line(&facts, &settings(FeedBasis::Physical)).verdict, Verdict::Correct);
}

#[test]
fn the_parts_add_up() {
    let facts = World {
        start: 100,
        drift: -4,
        units: vec![
            Units { count: 3, at_cut_off: ALLOCATED, at_reading: ALLOCATED },
            Units { count: 5, at_cut_off: ACCEPTED, at_reading: SHIPPED },
            Units { count: 7, at_cut_off: SHIPPED, at_reading: SHIPPED },
            Units { count: 11, at_cut_off: SHIPPED, at_reading: POSTED },
        ],
    };
    let parts = |basis| line(&facts.facts(basis), &settings(basis)).parts.into_iter().collect::<Vec<_>>();
    assert_eq!(
        parts(FeedBasis::Physical),
        [("brightpearl_in_stock", number(89)), ("shipped_not_posted", number(7)), ("warehouse_physical", number(78)),]
    );
    assert_eq!(
        parts(FeedBasis::Available),
        [
            ("allocated_not_accepted", number(3)),
            ("brightpearl_on_hand", number(74)),
            ("warehouse_available", number(73)),
        ]
    );
}

proptest! {
    /// The guard is monotone: a run that is worse in any way, or tighter limits, never gets further than before.
    #[test]
    fn the_guard_is_monotone(
        (compared, changed, zero, stocked) in (0_u32..300, 0_u32..300, 0_u32..300, 0_u32..300),
        (skus, last, units, age) in (0_u32..300, prop::option::of(0_u32..300), 0_i64..20_000, 0_i64..3_000),
        (worse_changed, worse_zero, worse_skus, worse_units, worse_age) in
            (0_u32..50, 0_u32..50, 0_u32..50, 0_i64..5_000, 0_i64..500),
        (tighter_share, tighter_zero, tighter_missing, tighter_run) in (0_u32..20, 0_u32..50, 0_u32..50, 0_i64..10_000),
        (snapshot, first, approved) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let rank = |verdict: RunVerdict| match verdict {
            RunVerdict::Go => 0,
            RunVerdict::Ask(_) => 1,
            RunVerdict::Refuse(_) => 2,
        };
        // What is zero was compared and stocked, and what changes was compared.
        let facts = RunFacts {
            compared,
            changed: changed.min(compared),
            units: number(units),
            newly_zero: zero.min(stocked),
            stocked,
            skus,
            last_skus: last,
            absent_is_zero: snapshot,
            first,
            age_minutes: age,
        };
        let worse = RunFacts {
            changed: (facts.changed + worse_changed).min(facts.compared),
            units: facts.units + number(worse_units),
            newly_zero: (facts.newly_zero + worse_zero).min(facts.stocked),
            skus: facts.skus.saturating_sub(worse_skus),
            age_minutes: facts.age_minutes + worse_age,
            ..facts
        };
        let usual = Brakes::default();
        let tighter = Brakes {
            share_percent: usual.share_percent - tighter_share,
            zero_percent: usual.zero_percent - tighter_zero,
            missing_percent: usual.missing_percent - tighter_missing,
            run: usual.run.map(|most| most - number(tighter_run)),
            ..usual
        };
        let before = rank(run(&facts, &usual, approved));
        prop_assert!(rank(run(&worse, &usual, approved)) >= before, "{facts:?} against {worse:?}");
        prop_assert!(rank(run(&facts, &tighter, approved)) >= before, "{facts:?} under {tighter:?}");
        prop_assert!(rank(run(&facts, &usual, false)) >= rank(run(&facts, &usual, true)));
    }
}

proptest! {
    /// Of fewer than ten products that had stock, several at zero ask from the share on that is refused of more; one never does.
    #[test]
    fn several_of_a_handful_at_zero_ask(
        stocked in 1_u32..10,
        zero in 0_u32..10,
        percent in 0_u32..=100,
        (first, approved) in (any::<bool>(), any::<bool>()),
    ) {
        let zero = zero.min(stocked);
        let facts = RunFacts {
            compared: stocked,
            changed: zero,
            units: number(i64::from(zero)),
            newly_zero: zero,
            stocked,
            skus: stocked,
            first,
            ..RunFacts::default()
        };
        let brakes = Brakes { zero_percent: percent, ..Brakes::default() };
        let many = zero >= 2 && (zero == stocked || zero * 100 > stocked * percent);
        let found = run(&facts, &brakes, approved);
        let asks = matches!(&found, RunVerdict::Ask(why) if why.contains("says zero for"));
        prop_assert_eq!(asks, many, "{:?}", found);
        if !many {
            prop_assert_eq!(found == RunVerdict::Go, !first || approved);
        }
        prop_assert!(!matches!(run(&facts, &brakes, approved), RunVerdict::Refuse(_)));
    }
}

#[test]
fn a_run_is_braked() {
    enum Ends {
        Go,
        Ask,
        Refuse,
    }
    let usual = RunFacts {
        compared: 100,
        changed: 20,
        units: number(200),
        newly_zero: 0,
        stocked: 100,
        skus: 100,
        last_skus: Some(100),
        absent_is_zero: false,
        first: false,
        age_minutes: 5,
    };
    let snapshot = RunFacts { absent_is_zero: true, ..usual };
    let cases = [
        (usual, false, Ends::Go, "20 percent is allowed"),
        (RunFacts { changed: 21, ..usual }, false, Ends::Ask, "21 is more than 20 percent"),
        (RunFacts { compared: 1_000, changed: 209, stocked: 900, ..usual }, false, Ends::Ask, "20.9 is more than 20"),
        (RunFacts { compared: 9, changed: 9, stocked: 9, ..usual }, false, Ends::Go, "a handful has no share"),
        (RunFacts { changed: 100, first: true, ..usual }, true, Ends::Go, "the share counts from the second run"),
        (RunFacts { first: true, ..usual }, false, Ends::Ask, "the first run is shown"),
        (RunFacts { age_minutes: 24 * 60, ..usual }, false, Ends::Go, "just within age"),
        (RunFacts { age_minutes: 24 * 60 + 1, ..usual }, true, Ends::Refuse, "too old"),
        (RunFacts { age_minutes: -1, ..usual }, true, Ends::Refuse, "from the future"),
        (RunFacts { newly_zero: 50, ..usual }, false, Ends::Go, "half of it zero is allowed"),
        (RunFacts { newly_zero: 51, ..usual }, false, Ends::Refuse, "more than half zero"),
        (RunFacts { newly_zero: 509, stocked: 1_000, ..usual }, false, Ends::Refuse, "50.9 is more than 50"),
        (RunFacts { newly_zero: 100, first: true, ..usual }, true, Ends::Refuse, "all zero, even the first time"),
        (RunFacts { compared: 3, changed: 3, newly_zero: 3, stocked: 3, ..usual }, false, Ends::Ask, "all three zero"),
        (RunFacts { compared: 1, changed: 1, newly_zero: 1, stocked: 1, ..usual }, false, Ends::Go, "one sells out"),
        (
            RunFacts { compared: 3, changed: 2, newly_zero: 2, stocked: 3, ..usual },
            false,
            Ends::Ask,
            "two of three zero",
        ),
        (RunFacts { compared: 3, changed: 2, newly_zero: 2, stocked: 3, ..usual }, true, Ends::Ask, "approved or not"),
        (
            RunFacts { compared: 9, changed: 5, newly_zero: 5, stocked: 9, ..usual },
            false,
            Ends::Ask,
            "five of nine zero",
        ),
        (
            RunFacts { compared: 8, changed: 4, newly_zero: 4, stocked: 8, ..usual },
            false,
            Ends::Go,
            "half of a handful",
        ),
        (
            RunFacts { compared: 9, newly_zero: 5, stocked: 9, changed: 0, ..usual },
            false,
            Ends::Go,
            "nothing is written",
        ),
        (RunFacts::default(), false, Ends::Go, "nothing to do"),
        (RunFacts { units: number(10_000), ..usual }, false, Ends::Go, "as many units as may go"),
        (RunFacts { units: number(10_001), ..usual }, false, Ends::Ask, "one unit more"),
        (RunFacts { units: number(90_000), first: true, ..usual }, true, Ends::Go, "units count from the second run"),
        (RunFacts { skus: 50, ..usual }, false, Ends::Go, "half of the SKUs may be missing"),
        (RunFacts { skus: 49, ..usual }, false, Ends::Ask, "more than half is missing, and unchanged"),
        (RunFacts { skus: 50, ..snapshot }, false, Ends::Go, "half of a snapshot may be missing"),
        (RunFacts { skus: 49, ..snapshot }, true, Ends::Refuse, "a truncated snapshot says zero of what it lacks"),
        (RunFacts { skus: 1, last_skus: Some(9), ..snapshot }, false, Ends::Go, "a handful may shrink"),
        (RunFacts { skus: 400, ..snapshot }, false, Ends::Go, "more SKUs than before"),
        (RunFacts { skus: 1, last_skus: None, ..snapshot }, false, Ends::Go, "the first of its facilities"),
    ];
    for (facts, approved, ends, what) in cases {
        let verdict = run(&facts, &Brakes::default(), approved);
        let right = match &verdict {
            RunVerdict::Go => matches!(ends, Ends::Go),
            RunVerdict::Ask(why) => matches!(ends, Ends::Ask) && !why.is_empty(),
            RunVerdict::Refuse(why) => matches!(ends, Ends::Refuse) && !why.is_empty(),
        };
        assert!(right, "{what}: {verdict:?}");
    }
}

#[test]
fn only_the_newest_count_is_acted_upon() {
    let at = |minute: i64| jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minute);
    let count = |minute, reference, sequence| Counted { cut_off: at(minute), reference, sequence };
    let first = count(5, "b", Some(7));
    for (this, newer) in [
        (count(6, "a", Some(8)), true),
        (count(5, "c", Some(8)), true),
        (count(5, "b", Some(8)), false),
        (count(5, "a", Some(8)), false),
        (count(4, "z", Some(8)), false),
        // The warehouse's own number is believed above its clock.
        (count(6, "c", Some(7)), false),
        (count(6, "c", None), true),
    ] {
        assert_eq!(outdated(this, Some(first), None).is_none(), newer, "{this:?}");
    }
    assert_eq!(outdated(first, None, None), None);
    assert_eq!(outdated(first, None, Some(at(5))), None, "figures of the same moment");
    assert!(outdated(first, None, Some(at(6))).is_some(), "figures of a later moment");
}

#[test]
fn a_count_is_passed_over_only_where_all_of_it_is_said_again() {
    let count = |minute: i64, absent_is_zero: bool, skus: &[(&str, Option<&str>)]| StockFeed {
        reference: minute.to_string(),
        content_hash: minute.to_string(),
        cut_off: jiff::Timestamp::from_second(minute * 60).unwrap(),
        sequence: None,
        absent_is_zero,
        names_all: absent_is_zero,
        levels: skus
            .iter()
            .map(|(sku, facility)| StockLevel {
                sku: (*sku).to_owned(),
                facility: facility.map(str::to_owned),
                available: None,
                physical: Some(Decimal::ONE),
            })
            .collect(),
    };
    let (x, y) = (("X", None), ("Y", None));
    let some = count(1, false, &[x, y]);
    assert!(!is_said_again(&some, &[]));
    assert!(!is_said_again(&some, &[count(2, false, &[x])]), "Y is said by nobody else");
    assert!(is_said_again(&some, &[count(2, false, &[x]), count(3, false, &[y])]), "by two together");
    assert!(is_said_again(&some, &[count(2, true, &[("Z", None)])]), "a whole count says everything");
    assert!(!is_said_again(&some, &[count(2, true, &[("X", Some("WH2"))])]), "but not of another place");
    assert!(!is_said_again(&some, &[count(0, true, &[x, y])]), "an older moment says nothing of a later one");
    assert!(
        !is_said_again(&count(1, true, &[x]), &[count(2, false, &[x])]),
        "nor some SKUs of the rest of a whole count"
    );
}
