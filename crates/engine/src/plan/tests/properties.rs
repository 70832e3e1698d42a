use std::collections::{BTreeMap, BTreeSet};

use connect::{Allocation, BundleRole, GoodsOutNote, LineStock, OrderLine, RequestLine};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

use super::{OTHERS, OURS, World, note, number, product, row, shipped};
use crate::{
    cause::CauseKind,
    order::Disposition,
    plan::{Plan, note_rows},
    settings::{StartMode, UnmappedSku},
};

fn any_line() -> impl Strategy<Value = (i64, LineStock, BundleRole)> {
    let quantity = prop_oneof![12 => 1_i64..9, 1 => -1_i64..1];
    let stock = prop_oneof![
        8 => Just(LineStock::Stocked), 1 => Just(LineStock::NotStocked), 1 => Just(LineStock::Unknown)
    ];
    let bundle = prop_oneof![
        8 => Just(BundleRole::None), 1 => Just(BundleRole::Parent), 2 => Just(BundleRole::Child(1))
    ];
    (quantity, stock, bundle)
}

/// A note of our warehouse or another, shipped or not, a transfer or not, with rows that may be none of the order's.
fn any_note() -> impl Strategy<Value = GoodsOutNote> {
    let rows = prop::collection::vec((1_i64..6, 0_i64..4), 1..3);
    (prop::bool::weighted(0.7), prop::bool::weighted(0.3), prop::bool::weighted(0.1), rows).prop_map(
        |(ours, is_shipped, transfer, rows)| {
            let note = note(0, if ours { OURS } else { OTHERS }, &rows);
            GoodsOutNote { transfer, ..if is_shipped { shipped(note) } else { note } }
        },
    )
}

/// Orders of some rows, a kit among them, with up to three notes.
fn world() -> impl Strategy<Value = World> {
    let lines = prop::collection::vec(any_line(), 3..8);
    let notes = prop::collection::vec(any_note(), 0..4);
    (lines, notes, any::<bool>(), prop::bool::weighted(0.9), any::<bool>()).prop_map(
        |(rows, notes, note_mode, allocated, pass)| {
            let lines = (1..).zip(rows).map(|(row_id, (quantity, stock, bundle))| {
                // Rows 3 and 4 carry the same SKU; that of row 7 is not listed.
                let sku = match row_id {
                    4 => "S3".to_owned(),
                    7 => "new".to_owned(),
                    _ => format!("S{row_id}"),
                };
                OrderLine { sku, stock, bundle, ..row(row_id, quantity) }
            });
            let mut world = World::new(lines.collect());
            world.kits.insert("S2".to_owned(), vec![("P".to_owned(), number(2)), ("W1".to_owned(), number(1))]);
            world.products = (101..108).map(|id| (id, product(id, "", id % 2 == 0, &[]))).collect();
            world.notes = (77..).zip(notes).map(|(note_id, note)| GoodsOutNote { note_id, ..note }).collect();
            world.order.allocation = if allocated { Allocation::All } else { Allocation::Part };
            if pass {
                world.settings.unmapped_sku = UnmappedSku::PassThrough;
            }
            if note_mode { world.note_mode() } else { world }
        },
    )
}

/// Units per row that a plan asks for.
fn asked(plan: &Plan) -> BTreeMap<i64, Decimal> {
    let mut asked: BTreeMap<i64, Decimal> = BTreeMap::new();
    for row in plan.requests.iter().flat_map(|request| note_rows(&request.lines)) {
        *asked.entry(row.row_id).or_default() += row.quantity;
    }
    asked
}

fn is_mapped(world: &World, line: &RequestLine) -> bool {
    world.listings.values().any(|listed| *listed == line.sku)
        || world.kits.values().flatten().any(|(part, _)| *part == line.sku)
}

proptest! {
    /// What is not requested says why in a way that can be counted, and what is requested has nothing to say.
    #[test]
    fn causes_go_with_what_is_not_requested(world in world()) {
        let plan = world.plan();
        prop_assert_eq!(plan.causes.is_empty(), plan.disposition == Disposition::Requested, "{:?}", plan);
        let left_out = plan.causes.iter().all(|cause| cause.kind.leaves_out());
        match plan.disposition {
            Disposition::Waiting(_) => prop_assert!(!left_out),
            Disposition::Skipped(_) | Disposition::Cancelled(_) => {
                prop_assert!(left_out || plan.causes[0].kind == CauseKind::Status);
            }
            Disposition::Held(_) | Disposition::Requested => {}
        }
    }

    /// S2, and O2 for what the plan leaves: never more than ordered, and in order mode nothing that may be asked for is left out.
    #[test]
    fn asks_for_what_is_ordered_and_not_noted_elsewhere(world in world()) {
        let plan = world.plan();
        prop_assert_eq!(plan.requests.is_empty(), plan.disposition != Disposition::Requested);
        prop_assert_eq!(plan.disposition.reason().is_empty(), plan.disposition == Disposition::Requested);
        if plan.requests.is_empty() {
            return Ok(());
        }
        let asked = asked(&plan);
        let used: BTreeSet<i64> = plan.requests.iter().filter_map(|request| request.note_id).collect();
        for line in &world.order.lines {
            let elsewhere: Decimal = world
                .notes
                .iter()
                .filter(|note| !note.transfer && !used.contains(&note.note_id))
                .flat_map(|note| &note.rows)
                .filter(|row| row.row_id == line.row_id)
                .map(|row| row.quantity)
                .sum();
            let asked = asked.get(&line.row_id).copied().unwrap_or_default();
            if !asked.is_zero() {
                prop_assert!(asked + elsewhere <= line.quantity, "row {}: {asked} + {elsewhere}", line.row_id);
                prop_assert!(line.bundle != BundleRole::Parent && line.stock != LineStock::NotStocked);
            }
            let goods = line.stock == LineStock::Stocked && line.bundle != BundleRole::Parent;
            if goods && world.settings.start_mode == StartMode::Order {
                prop_assert_eq!(asked, (line.quantity - elsewhere).max(Decimal::ZERO), "row {}", line.row_id);
            }
        }
        for request in &plan.requests {
            prop_assert!(request.lines.iter().all(|line| line.quantity > Decimal::ZERO));
            let numbers: Vec<u32> = request.lines.iter().map(|line| line.line_number).collect();
            prop_assert_eq!(numbers, (1..).take(request.lines.len()).collect::<Vec<u32>>());
            if world.settings.unmapped_sku == UnmappedSku::Strict {
                prop_assert!(request.lines.iter().all(|line| is_mapped(&world, line)));
            }
        }
        let keys: BTreeSet<&str> = plan.requests.iter().map(|request| request.key.as_str()).collect();
        prop_assert_eq!(keys.len(), plan.requests.len());
    }

    /// The same facts in another order give the same plan: what was planned before a crash is found again.
    #[test]
    fn is_deterministic(
        (world, lines, notes) in world().prop_flat_map(|world| {
            let (lines, notes) = (world.order.lines.clone(), world.notes.clone());
            (Just(world), Just(lines).prop_shuffle(), Just(notes).prop_shuffle())
        }),
    ) {
        let mut shuffled = world.clone();
        shuffled.order.lines = lines;
        shuffled.notes = notes;
        for note in &mut shuffled.notes {
            note.rows.reverse();
        }
        prop_assert_eq!(world.plan(), shuffled.plan());
    }

    /// The rows of a request are the units it was made of, whatever kits lie between.
    #[test]
    fn note_rows_undo_the_translation(quantities in prop::collection::vec(1_i64..1_000, 1..6), per_unit in 1_i64..50) {
        let mut world = World::new((1..).zip(&quantities).map(|(row_id, quantity)| row(row_id, *quantity)).collect());
        let parts = vec![("P".to_owned(), number(per_unit)), ("Q".to_owned(), Decimal::new(per_unit, 1))];
        world.kits.insert("S1".to_owned(), parts.clone());
        world.kits.insert("S3".to_owned(), parts);
        let rows: Vec<i64> =
            note_rows(&world.requests()[0].lines).into_iter().map(|row| row.quantity.try_into().unwrap()).collect();
        prop_assert_eq!(rows, quantities);
    }
}
