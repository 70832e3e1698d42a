use std::collections::BTreeMap;

use connect::{EffectKind, NoteRow, Package, PackageLine, RequestLine, ShipMethod, Shipment};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

use super::{Done, Hold, NextStep, ShipmentSteps, next, odd_parts, progress, rest, rows};
use crate::{effect::EffectState, plan::note_rows, settings::ShortShip};

fn number(value: i64) -> Decimal {
    Decimal::from(value)
}

fn line(line_number: u32, sku: &str, row_id: i64, units: i64, per_unit: i64) -> RequestLine {
    RequestLine {
        line_number,
        sku: sku.to_owned(),
        quantity: number(units * per_unit),
        row_id,
        product_id: 100 + row_id,
        per_unit: number(per_unit),
        name: sku.to_owned(),
        unit_price: None,
    }
}

fn packed(line_number: Option<u32>, sku: &str, quantity: i64) -> PackageLine {
    PackageLine { line_number, sku: sku.to_owned(), quantity: number(quantity), lot: None, serials: Vec::new() }
}

fn shipment(boxes: Vec<Vec<PackageLine>>, loose: Vec<PackageLine>) -> Shipment {
    Shipment {
        reference: "s".to_owned(),
        key: "k".to_owned(),
        shipped_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        ship_method: ShipMethod::default(),
        packages: boxes.into_iter().map(|lines| Package { lines, ..Package::default() }).collect(),
        loose,
        is_final: false,
        ended: Vec::new(),
        whole: false,
        within_order: false,
        numbers_may_be_theirs: false,
    }
}

/// A shipment in one box: (line number, SKU, quantity).
fn left(lines: &[(Option<u32>, &str, i64)]) -> Shipment {
    let lines = lines.iter().map(|(number, sku, quantity)| packed(*number, sku, *quantity)).collect();
    shipment(vec![lines], Vec::new())
}

fn told(rows: Result<Vec<NoteRow>, Hold>) -> Vec<(i64, i64)> {
    rows.unwrap().into_iter().map(|row| (row.row_id, row.quantity.try_into().unwrap())).collect()
}

/// Two rows of A, one of B, and a kit of two P and one Q.
fn asked() -> Vec<RequestLine> {
    vec![
        line(1, "A", 1, 2, 1),
        line(2, "A", 2, 3, 1),
        line(3, "B", 3, 1, 1),
        line(4, "P", 4, 2, 2),
        line(5, "Q", 4, 2, 1),
    ]
}

#[test]
fn full_shipment_confirms_the_request() {
    let everything = left(&[(None, "A", 5), (None, "B", 1), (None, "P", 4), (None, "Q", 2)]);
    assert_eq!(rows(&asked(), &[], &everything).unwrap(), note_rows(&asked()));
    assert_eq!(progress(&asked(), &[&everything]), (number(12), number(12)));
    assert!(odd_parts(&asked(), &[&everything]).is_empty());
}

#[test]
fn rows_follow_what_left() {
    type Case<'a> = (&'a str, Shipment, &'a [(i64, i64)]);
    let cases: [Case<'_>; 9] = [
        ("goods without a line number fill the lines in order", left(&[(None, "A", 3)]), &[(1, 2), (2, 1)]),
        ("a line number goes before the order", left(&[(Some(2), "A", 3)]), &[(2, 3)]),
        ("what a named line has no room for is the next one's", left(&[(Some(2), "A", 4)]), &[(1, 1), (2, 3)]),
        ("a line number of another SKU says nothing", left(&[(Some(3), "A", 1)]), &[(1, 1)]),
        ("a line number that was never given says nothing", left(&[(Some(99), "B", 1)]), &[(3, 1)]),
        ("a line that did not ship is no mistake", left(&[(None, "B", 1), (None, "X", 0)]), &[(3, 1)]),
        (
            "boxes and loose goods add up",
            shipment(vec![vec![packed(None, "A", 1)], vec![packed(None, "A", 1)]], vec![packed(None, "A", 1)]),
            &[(1, 2), (2, 1)],
        ),
        ("a kit needs all its parts", left(&[(None, "P", 4), (None, "Q", 1)]), &[(4, 1)]),
        ("parts alone are no kit", left(&[(None, "P", 4)]), &[]),
    ];
    for (what, newest, expected) in cases {
        assert_eq!(told(rows(&asked(), &[], &newest)), expected, "{what}");
    }
}

#[test]
fn kits_are_confirmed_with_the_shipment_that_completes_them() {
    let first = left(&[(None, "P", 3)]);
    let second = left(&[(None, "Q", 2)]);
    let third = left(&[(None, "P", 1)]);
    assert_eq!(told(rows(&asked(), &[], &first)), []);
    assert_eq!(odd_parts(&asked(), &[&first]), [("P".to_owned(), number(3))]);
    assert_eq!(told(rows(&asked(), &[&first], &second)), [(4, 1)]);
    assert_eq!(odd_parts(&asked(), &[&first, &second]), [("P".to_owned(), number(1)), ("Q".to_owned(), number(1))]);
    assert_eq!(told(rows(&asked(), &[&first, &second], &third)), [(4, 1)]);
    assert!(odd_parts(&asked(), &[&first, &second, &third]).is_empty());
}

#[test]
fn what_was_not_asked_for_is_held() {
    for (newest, words) in [
        (left(&[(None, "A", 6)]), "1 more of A than was asked for"),
        (left(&[(Some(1), "A", 9)]), "4 more of A"),
        (left(&[(None, "X", 1)]), "shipped X, which was not asked for"),
        (left(&[(Some(1), "a", 1)]), "shipped a, which was not asked for"),
        (left(&[(None, "B", -1)]), "reports -1 of B"),
        (left(&[(None, "X", 1), (None, "B", 2)]), "1 more of B"),
    ] {
        let Hold(why) = rows(&asked(), &[], &newest).unwrap_err();
        assert!(why.contains(words), "{why:?} does not say {words:?}");
    }
    let first = left(&[(None, "B", 1)]);
    assert!(rows(&asked(), &[&first], &left(&[(None, "B", 1)])).is_err(), "it left before");
}

#[test]
fn a_held_shipment_counts_for_those_after_it() {
    let held = left(&[(None, "X", 1), (None, "A", -1), (None, "B", 1)]);
    assert!(rows(&asked(), &[], &held).is_err());
    assert!(rows(&asked(), &[&held], &left(&[(None, "B", 1)])).is_err(), "the only B asked for has left already");
    assert_eq!(told(rows(&asked(), &[&held], &left(&[(None, "A", 1)]))), [(1, 1)]);
}

/// The lines of a request with rows of few SKUs, so that lines share them, and kits of two parts.
fn request() -> impl Strategy<Value = Vec<RequestLine>> {
    let row = (prop::sample::select(vec!["A", "B", "C"]), 1_i64..5, prop::option::weighted(0.4, (1_i64..4, 1_i64..3)));
    prop::collection::vec(row, 1..5).prop_map(|rows| {
        let mut lines = Vec::new();
        for (row_id, (sku, units, kit)) in (1..).zip(rows) {
            let parts = match kit {
                None => vec![(sku, 1)],
                Some((first, second)) => vec![(sku, first), ("K", second)],
            };
            for (sku, per_unit) in parts {
                lines.push(line(u32::try_from(lines.len() + 1).unwrap(), sku, row_id, units, per_unit));
            }
        }
        lines
    })
}

/// How one unit leaves: with which shipment (3: never), whether the warehouse names its line, whether it says the box.
type Fate = (usize, bool, bool);

/// A request and the shipments by which its units leave, in any split.
fn journey(most: usize) -> impl Strategy<Value = (Vec<RequestLine>, Vec<Shipment>)> {
    request().prop_flat_map(move |lines| {
        let units: Vec<usize> =
            lines.iter().enumerate().flat_map(|(at, line)| vec![at; line.quantity.try_into().unwrap()]).collect();
        let fates = prop::collection::vec((0..most, any::<bool>(), any::<bool>()), units.len());
        (Just(lines), Just(units), fates).prop_map(
            |(lines, units, fates): (Vec<RequestLine>, Vec<usize>, Vec<Fate>)| {
                let mut shipments = vec![shipment(vec![Vec::new()], Vec::new()); 3];
                for (at, (with, named, boxed)) in units.into_iter().zip(fates) {
                    if let Some(shipment) = shipments.get_mut(with) {
                        let goods = packed(named.then_some(lines[at].line_number), &lines[at].sku, 1);
                        if boxed { shipment.packages[0].lines.push(goods) } else { shipment.loose.push(goods) }
                    }
                }
                (lines, shipments)
            },
        )
    })
}

/// Confirms shipments one after the other: units told to the source by row, and whether any was held.
fn confirm_all(lines: &[RequestLine], shipments: &[Shipment]) -> (BTreeMap<i64, Decimal>, bool) {
    let mut confirmed: BTreeMap<i64, Decimal> = BTreeMap::new();
    let mut held = false;
    let mut earlier: Vec<&Shipment> = Vec::new();
    for newest in shipments {
        match rows(lines, &earlier, newest) {
            Ok(rows) => {
                for row in rows {
                    *confirmed.entry(row.row_id).or_default() += row.quantity;
                }
            }
            Err(_) => held = true,
        }
        earlier.push(newest);
    }
    (confirmed, held)
}

fn requested(lines: &[RequestLine]) -> BTreeMap<i64, Decimal> {
    note_rows(lines).into_iter().map(|row| (row.row_id, row.quantity)).collect()
}

proptest! {
    /// S1: when everything has left, the source was told exactly what was asked for, in whichever split it left.
    #[test]
    fn everything_that_left_is_told((lines, shipments) in journey(3)) {
        let (confirmed, held) = confirm_all(&lines, &shipments);
        prop_assert!(!held);
        prop_assert_eq!(confirmed, requested(&lines));
        let all: Vec<&Shipment> = shipments.iter().collect();
        prop_assert!(odd_parts(&lines, &all).is_empty());
        let (gone, asked) = progress(&lines, &all);
        prop_assert_eq!(gone, asked);
    }

    /// What its warehouse calls all of it completes a request, whatever left before, and adds nothing to one that is complete.
    #[test]
    fn all_of_it_is_what_had_not_left((lines, mut shipments) in journey(4)) {
        let remaining = rest(&lines, &shipments);
        prop_assert!(remaining.iter().all(|goods| goods.quantity > Decimal::ZERO));
        shipments.push(shipment(Vec::new(), remaining));
        let (confirmed, held) = confirm_all(&lines, &shipments);
        prop_assert!(!held);
        prop_assert_eq!(confirmed, requested(&lines));
        prop_assert!(rest(&lines, &shipments).is_empty());
    }

    /// S2: a short shipment is told to the whole unit, and units and odd parts together are all the goods that left.
    #[test]
    fn never_more_than_left((lines, shipments) in journey(4)) {
        let (confirmed, held) = confirm_all(&lines, &shipments);
        prop_assert!(!held);
        let requested = requested(&lines);
        let mut goods: BTreeMap<String, Decimal> = BTreeMap::new();
        for line in &lines {
            let units = confirmed.get(&line.row_id).copied().unwrap_or_default();
            prop_assert!(units <= requested[&line.row_id] && units.fract().is_zero());
            *goods.entry(line.sku.clone()).or_default() += units * line.per_unit;
        }
        let all: Vec<&Shipment> = shipments.iter().collect();
        for (sku, odd) in odd_parts(&lines, &all) {
            prop_assert!(odd > Decimal::ZERO);
            *goods.entry(sku).or_default() += odd;
        }
        let mut out: BTreeMap<String, Decimal> = lines.iter().map(|line| (line.sku.clone(), Decimal::ZERO)).collect();
        for goods in shipments.iter().flat_map(Shipment::lines) {
            *out.entry(goods.sku.clone()).or_default() += goods.quantity;
        }
        prop_assert_eq!(goods, out);
    }

    /// S2 against a warehouse that reports anything: what cannot be is held, and never told beyond what was asked for.
    #[test]
    fn nonsense_never_confirms_too_much(
        lines in request(),
        reports in prop::collection::vec(
            prop::collection::vec(
                (prop::option::of(1_u32..9), prop::sample::select(vec!["A", "B", "C", "K", "X"]), -2_i64..7),
                0..5,
            ),
            0..5,
        ),
    ) {
        let shipments: Vec<Shipment> = reports.iter().map(|report| left(report)).collect();
        let (confirmed, held) = confirm_all(&lines, &shipments);
        let requested = requested(&lines);
        for (row_id, units) in &confirmed {
            prop_assert!(units <= &requested[row_id]);
        }
        let goods = || shipments.iter().flat_map(Shipment::lines);
        let strange = goods().any(|goods| goods.quantity < Decimal::ZERO)
            || goods().any(|goods| !goods.quantity.is_zero() && lines.iter().all(|line| line.sku != goods.sku))
            || lines.iter().any(|line| {
                let asked: Decimal = lines.iter().filter(|other| other.sku == line.sku).map(|other| other.quantity).sum();
                goods().filter(|goods| goods.sku == line.sku).map(|goods| goods.quantity).sum::<Decimal>() > asked
            });
        if strange {
            prop_assert!(held);
        }
    }
}

fn note_row(row_id: i64, quantity: i64) -> NoteRow {
    NoteRow { row_id, product_id: 100 + row_id, quantity: number(quantity) }
}

fn done(kind: EffectKind, state: EffectState) -> Done {
    let made = kind == EffectKind::CreateNote && state == EffectState::Applied;
    Done { kind, state, note_id: made.then_some(NEW_NOTE), note: String::new() }
}

const GIVEN_NOTE: i64 = 77;
const NEW_NOTE: i64 = 91;

fn planned(step: &NextStep) -> Option<EffectKind> {
    match step {
        NextStep::DeleteNote { .. } => Some(EffectKind::DeleteNote),
        NextStep::CreateNote => Some(EffectKind::CreateNote),
        NextStep::UpdateShipping { .. } => Some(EffectKind::UpdateShipping),
        NextStep::PostShipped { .. } => Some(EffectKind::PostShipped),
        NextStep::Wait | NextStep::Hold(_) | NextStep::Confirmed => None,
    }
}

/// Drives a shipment: every planned step waits once, then ends as `ends` says (applied when it says nothing more).
fn drive(
    rows: &[NoteRow],
    given: Option<(i64, &[NoteRow])>,
    short_ship: ShortShip,
    ends: &[EffectState],
) -> (Vec<NextStep>, NextStep) {
    let mut ends = ends.iter();
    let mut effects: Vec<Done> = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..10 {
        let step = next(&ShipmentSteps { rows, given_note: given, short_ship, done: &effects });
        let Some(kind) = planned(&step) else { return (steps, step) };
        steps.push(step);
        for state in EffectState::ALL.into_iter().filter(|state| state.open()) {
            let mut waiting = effects.clone();
            waiting.push(done(kind, state));
            let step = next(&ShipmentSteps { rows, given_note: given, short_ship, done: &waiting });
            assert_eq!(step, NextStep::Wait, "{kind} is {state}");
        }
        effects.push(done(kind, ends.next().copied().unwrap_or(EffectState::Applied)));
    }
    panic!("it never ends: {steps:?}");
}

#[test]
fn steps_follow_each_other() {
    let all = [note_row(1, 2), note_row(2, 1)];
    let apart = [note_row(2, 1), note_row(1, 1), note_row(1, 1)];
    let some = [note_row(1, 1)];
    let to = |note_id| [NextStep::UpdateShipping { note_id }, NextStep::PostShipped { note_id }];
    let made = [vec![NextStep::CreateNote], to(NEW_NOTE).to_vec()].concat();
    let replaced = [vec![NextStep::DeleteNote { note_id: GIVEN_NOTE }], made.clone()].concat();
    for short_ship in [ShortShip::Hold, ShortShip::Replace] {
        assert_eq!(drive(&all, None, short_ship, &[]), (made.clone(), NextStep::Confirmed));
        assert_eq!(drive(&some, None, short_ship, &[]), (made.clone(), NextStep::Confirmed));
        assert_eq!(
            drive(&all, Some((GIVEN_NOTE, &all)), short_ship, &[]),
            (to(GIVEN_NOTE).to_vec(), NextStep::Confirmed)
        );
        assert_eq!(drive(&all, Some((GIVEN_NOTE, &apart)), short_ship, &[]).0, to(GIVEN_NOTE), "rows are summed");
        assert_eq!(drive(&[], Some((GIVEN_NOTE, &all)), short_ship, &[]), (Vec::new(), NextStep::Confirmed));
    }
    assert_eq!(drive(&some, Some((GIVEN_NOTE, &all)), ShortShip::Replace, &[]), (replaced, NextStep::Confirmed));
    let (steps, end) = drive(&some, Some((GIVEN_NOTE, &all)), ShortShip::Hold, &[]);
    assert!(steps.is_empty());
    assert!(matches!(end, NextStep::Hold(why) if why.contains("less left than goods-out note 77")));
}

#[test]
fn a_replacement_that_began_is_finished_whatever_the_setting_says_then() {
    let deleted = [done(EffectKind::DeleteNote, EffectState::Applied)];
    let all = [note_row(1, 2)];
    for rows in [[note_row(1, 1)], all.clone()] {
        let facts = ShipmentSteps {
            rows: &rows,
            given_note: Some((GIVEN_NOTE, &all)),
            short_ship: ShortShip::Hold,
            done: &deleted,
        };
        assert_eq!(next(&facts), NextStep::CreateNote);
    }
}

#[test]
fn a_note_without_a_number_is_held() {
    let made = [Done { kind: EffectKind::CreateNote, state: EffectState::Applied, note_id: None, note: String::new() }];
    let rows = [note_row(1, 1)];
    let facts = ShipmentSteps { rows: &rows, given_note: None, short_ship: ShortShip::Hold, done: &made };
    assert!(matches!(next(&facts), NextStep::Hold(_)));
}

proptest! {
    /// However its effects end, a shipment comes to rest; no kind is planned twice; tracking is written before the shipped
    /// event (S3); and what is not applied stops everything behind it.
    #[test]
    fn always_comes_to_rest(
        rows in prop::collection::vec((1_i64..4, 1_i64..4), 0..3),
        given in prop::option::of(prop::collection::vec((1_i64..4, 1_i64..4), 1..3)),
        same in any::<bool>(),
        replace in any::<bool>(),
        ends in prop::collection::vec(
            prop_oneof![
                4 => Just(EffectState::Applied),
                1 => prop::sample::select(
                    EffectState::ALL.into_iter().filter(|state| !state.open()).collect::<Vec<_>>()
                ),
            ],
            0..5,
        ),
    ) {
        let rows: Vec<NoteRow> = rows.into_iter().map(|(row, quantity)| note_row(row, quantity)).collect();
        let given: Option<Vec<NoteRow>> = given.map(|given| {
            if same { rows.clone() } else { given.into_iter().map(|(row, quantity)| note_row(row, quantity)).collect() }
        });
        let short_ship = if replace { ShortShip::Replace } else { ShortShip::Hold };
        let (steps, end) = drive(&rows, given.as_deref().map(|given| (GIVEN_NOTE, given)), short_ship, &ends);
        let kinds: Vec<EffectKind> = steps.iter().filter_map(planned).collect();
        for (at, kind) in kinds.iter().enumerate() {
            prop_assert!(!kinds[at + 1..].contains(kind), "{kind} is planned twice: {kinds:?}");
        }
        let place = |kind| kinds.iter().position(|planned| *planned == kind);
        if let Some(posted) = place(EffectKind::PostShipped) {
            prop_assert!(place(EffectKind::UpdateShipping).is_some_and(|written| written < posted));
        }
        if let Some(created) = place(EffectKind::CreateNote) {
            prop_assert!(place(EffectKind::DeleteNote).is_none_or(|deleted| deleted < created));
        }
        let made = place(EffectKind::CreateNote).is_some();
        for step in &steps {
            if let NextStep::UpdateShipping { note_id } | NextStep::PostShipped { note_id } = step {
                prop_assert_eq!(*note_id, if made { NEW_NOTE } else { GIVEN_NOTE });
            }
        }
        let failed = ends.iter().take(kinds.len()).position(|state| *state != EffectState::Applied);
        if let Some(failed) = failed {
            prop_assert_eq!(failed + 1, kinds.len(), "nothing is planned behind what failed");
            prop_assert!(matches!(end, NextStep::Hold(_)));
        } else if end == NextStep::Confirmed {
            prop_assert!(rows.is_empty() || kinds.last() == Some(&EffectKind::PostShipped));
        } else {
            prop_assert!(matches!(end, NextStep::Hold(_)) && kinds.is_empty() && !replace);
        }
    }
}
