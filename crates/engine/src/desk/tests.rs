use connect::{CancelAsked, DeskState, Package, PackageLine, RequestLine, ShipMethod, Shipment};
use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;

use super::{Act, CancelAnswer, Standing, act, faults, is_complete};

fn asked(lines: &[(&str, i64)]) -> Vec<RequestLine> {
    (1_u32..)
        .zip(lines)
        .map(|(line_number, (sku, units))| RequestLine {
            line_number,
            sku: (*sku).to_owned(),
            quantity: (*units).into(),
            row_id: 900,
            product_id: 1000,
            per_unit: 1.into(),
            name: String::new(),
            unit_price: None,
        })
        .collect()
}

fn goods(line_number: Option<u32>, sku: &str, units: i64) -> PackageLine {
    PackageLine { line_number, sku: sku.to_owned(), quantity: units.into(), lot: None, serials: Vec::new() }
}

fn shipment(boxed: Vec<PackageLine>, loose: Vec<PackageLine>) -> Shipment {
    Shipment {
        reference: "S1".to_owned(),
        key: "BPacme-O1".to_owned(),
        shipped_at: "2026-11-26T10:00:00Z".parse().unwrap(),
        ship_method: ShipMethod::default(),
        packages: vec![Package { lines: boxed, ..Package::default() }],
        loose,
        is_final: false,
        ended: Vec::new(),
        whole: false,
        within_order: false,
        numbers_may_be_theirs: false,
    }
}

fn standing(state: DeskState, cancel: CancelAsked) -> Standing {
    Standing { state, cancel }
}

#[test]
fn what_each_act_makes_of_each_standing() {
    use CancelAsked::{Asked, None, TooLate};
    use DeskState::{Acknowledged, Cancelled, Closed, GivenUp, Waiting};
    let take = |lease| Act::Acknowledge { lease, last: Some("A") };
    let (yes, no) = (Act::Answer(CancelAnswer::Accepted), Act::Answer(CancelAnswer::TooLate));
    let (none_left, some_left) = (Act::GiveUp { shipped: false }, Act::GiveUp { shipped: true });
    for (before, done, after) in [
        ((Waiting, None), Act::TakeBack, Some((Cancelled, None))),
        ((Acknowledged, None), Act::TakeBack, Some((Acknowledged, Asked))),
        ((Acknowledged, TooLate), Act::TakeBack, Some((Acknowledged, TooLate))),
        ((Closed, None), Act::TakeBack, Some((Closed, None))),
        ((Waiting, None), take("A"), Some((Acknowledged, None))),
        ((Acknowledged, Asked), take("A"), Some((Acknowledged, Asked))),
        ((Waiting, None), take("B"), Option::None),
        ((Acknowledged, None), take("B"), Option::None),
        ((Cancelled, None), take("A"), Option::None),
        ((Acknowledged, Asked), yes, Some((Cancelled, Asked))),
        ((Cancelled, Asked), yes, Some((Cancelled, Asked))),
        ((Acknowledged, Asked), no, Some((Acknowledged, TooLate))),
        ((Closed, Asked), no, Some((Closed, TooLate))),
        ((Acknowledged, TooLate), yes, Option::None),
        ((Cancelled, Asked), no, Option::None),
        ((Acknowledged, None), yes, Option::None),
        ((Cancelled, None), yes, Option::None),
        ((Acknowledged, None), none_left, Some((GivenUp, None))),
        ((Acknowledged, None), some_left, Some((Closed, None))),
        ((GivenUp, None), none_left, Some((GivenUp, None))),
        ((Closed, None), some_left, Some((Closed, None))),
        ((Cancelled, None), none_left, Option::None),
    ] {
        let before = standing(before.0, before.1);
        let got = act(before, done);
        assert_eq!(got.clone().ok().map(|got| (got.state, got.cancel)), after, "{done:?} of {before:?}: {got:?}");
    }
}

#[test]
fn what_cannot_be_true_is_named_with_its_place() {
    let request = asked(&[("A", 5), ("B", 3)]);
    let before = [goods(None, "A", 2)];
    assert_eq!(faults(&request, &before, &shipment(vec![goods(Some(1), "A", 3)], vec![goods(None, "B", 3)])), []);
    let wrong = shipment(
        vec![goods(None, "C", 1), goods(Some(2), "A", 1), goods(None, "A", 3)],
        vec![goods(None, "B", 0), goods(None, "B", 4)],
    );
    let places: Vec<String> = faults(&request, &before, &wrong).into_iter().map(|fault| fault.at).collect();
    assert_eq!(
        places,
        [
            "packages[0].lines[0].sku",
            "packages[0].lines[1].line",
            "packages[0].lines[2].quantity",
            "lines[0].quantity",
            "lines[1].quantity"
        ]
    );
    let empty = faults(&request, &[], &shipment(Vec::new(), Vec::new()));
    assert_eq!(empty.first().map(|fault| fault.at.as_str()), Some("packages"));
}

#[test]
fn all_of_it_is_seen() {
    let request = asked(&[("A", 5), ("A", 1), ("B", 3)]);
    let left = [goods(None, "A", 6), goods(None, "B", 2)];
    assert!(!is_complete(&request, &left));
    assert!(is_complete(&request, left.iter().chain(&[goods(None, "B", 1)])));
}

fn any_act() -> impl Strategy<Value = Act<'static>> {
    prop_oneof![
        Just(Act::TakeBack),
        Just(Act::Acknowledge { lease: "A", last: Some("A") }),
        Just(Act::Acknowledge { lease: "A", last: Some("B") }),
        Just(Act::Answer(CancelAnswer::Accepted)),
        Just(Act::Answer(CancelAnswer::TooLate)),
        Just(Act::GiveUp { shipped: false }),
        Just(Act::GiveUp { shipped: true }),
    ]
}

proptest! {
    /// Doing the same twice is doing it once, and what has ended stays so.
    #[test]
    fn acts_repeat_and_ends_stay(acts in proptest::collection::vec(any_act(), 0..12)) {
        let mut now = Standing::NEW;
        for done in acts {
            let Ok(after) = act(now, done) else { continue };
            prop_assert_eq!(act(after, done), Ok(after));
            let ended = |state| !matches!(state, DeskState::Waiting | DeskState::Acknowledged);
            prop_assert!(!ended(now.state) || after.state == now.state, "{:?} {:?} {:?}", now, done, after);
            now = after;
        }
    }

    /// However it is split, no more than was asked for is let through.
    #[test]
    fn never_more_than_was_asked(parts in proptest::collection::vec(1_i64..6, 1..6)) {
        let request = asked(&[("A", 10)]);
        let mut before: Vec<PackageLine> = Vec::new();
        for units in parts {
            let posted = shipment(vec![goods(None, "A", units)], Vec::new());
            if faults(&request, &before, &posted).is_empty() {
                before.push(goods(None, "A", units));
            }
        }
        let left: Decimal = before.iter().map(|line| line.quantity).sum();
        prop_assert!(left <= Decimal::TEN);
        prop_assert_eq!(is_complete(&request, &before), left == Decimal::TEN);
    }
}
