use std::collections::BTreeSet;

use connect::{Address, Allocation, GoodsOutNote, NoteState, Order, Progress};
use jiff::Timestamp;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use super::{EXAMPLES, MOST_GROUPS, REST, Tally, as_it_stood, mended, of_missing_notes, settings};
use crate::{
    cause::{Cause, CauseKind},
    settings::{ConnectionSettings, StartMode},
};

const OURS: i64 = 2;
const READY: i64 = 10;
const SENT: i64 = 11;
const DRAFT: i64 = 12;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn chosen(start_mode: StartMode) -> ConnectionSettings {
    ConnectionSettings {
        start_mode,
        import_statuses: BTreeSet::from([READY]),
        warehouse: Some(OURS),
        at_warehouse_status: Some(SENT),
        ..ConnectionSettings::default()
    }
}

fn order(status_id: i64, shipping: Progress) -> Order {
    Order {
        order_id: 5,
        parent_id: None,
        version: 1,
        reference: String::new(),
        status_id,
        warehouse_id: Some(OURS),
        channel_id: None,
        ship_method_id: None,
        placed_at: at("2026-03-01T08:00:00Z"),
        updated_at: None,
        deliver_on: None,
        notes: String::new(),
        is_sale: true,
        allocation: Allocation::None,
        fulfilment: Progress::None,
        shipping,
        deliver_to: Address::default(),
        bill_to: Address::default(),
        lines: Vec::new(),
    }
}

fn note(warehouse_id: i64, state: NoteState) -> GoodsOutNote {
    GoodsOutNote {
        note_id: 7,
        order_id: 5,
        warehouse_id,
        transfer: false,
        state,
        shipped_at: (state == NoteState::Shipped).then(|| at("2026-03-02T08:00:00Z")),
        created_by: 4,
        created_at: at("2026-03-01T09:00:00Z"),
        release_at: None,
        ship_method_id: 0,
        reference: String::new(),
        version: 1,
        rows: Vec::new(),
    }
}

#[test]
fn what_left_was_ready_once() {
    let notes = [note(OURS, NoteState::Shipped), note(3, NoteState::Shipped), note(OURS, NoteState::Unshipped)];
    let (stood, left) = as_it_stood(&order(DRAFT, Progress::All), &notes, &chosen(StartMode::Order));
    assert_eq!((stood.status_id, stood.shipping, stood.allocation), (READY, Progress::None, Allocation::All));
    // The note that came of shipping it was not there then; those of others and of people were.
    assert_eq!(left, notes[1..]);

    let (stood, left) = as_it_stood(&order(READY, Progress::Part), &notes[..1], &chosen(StartMode::GoodsOutNote));
    assert_eq!((stood.status_id, stood.shipping), (READY, Progress::None));
    assert_eq!(left, [note(OURS, NoteState::Unshipped)], "in goods-out-note mode it was the request");
}

#[test]
fn what_has_not_left_is_taken_as_it_is() {
    for mode in [StartMode::Order, StartMode::GoodsOutNote] {
        let as_it_is = (order(DRAFT, Progress::None), vec![note(OURS, NoteState::Unshipped)]);
        assert_eq!(as_it_stood(&as_it_is.0, &as_it_is.1, &chosen(mode)), as_it_is);
    }
    // At the warehouse it stands where the hub would have put it; whether it has stock is as it is.
    let (stood, _) = as_it_stood(&order(SENT, Progress::None), &[], &chosen(StartMode::Order));
    assert_eq!((stood.status_id, stood.allocation), (READY, Allocation::None));
}

#[test]
fn the_date_that_work_begins_is_no_reason() {
    let from = ConnectionSettings { placed_from: Some(at("2026-03-01T08:00:00Z")), ..chosen(StartMode::Order) };
    assert_eq!(settings(&from), chosen(StartMode::Order));
}

#[test]
fn runs_are_compared() {
    let sku = |sku: &str| Cause::new(CauseKind::UnknownSku, sku);
    let (mut earlier, mut later) = (Tally::default(), Tally::default());
    assert_eq!(earlier.stuck_per_mille(), None);
    earlier.add(1, &[sku("A"), sku("B")]);
    earlier.add(2, &[sku("A")]);
    earlier.add(3, &[]);
    earlier.add(4, &[CauseKind::Cancelled.into()]);
    later.add(1, &[sku("B")]);
    later.add(2, &[]);
    later.add(3, &[]);
    assert_eq!((earlier.orders, earlier.through, earlier.stuck, earlier.left_out), (4, 1, 2, 1));
    assert_eq!((earlier.stuck_per_mille(), later.stuck_per_mille()), (Some(667), Some(333)));
    let gone = mended(&earlier, &later);
    assert_eq!(gone.len(), 1, "what was left out on purpose is not mended: {gone:?}");
    assert_eq!((gone[0].subject.as_str(), gone[0].orders, gone[0].examples.as_slice()), ("A", 2, [1, 2].as_slice()));
}

#[test]
fn causes_without_end_are_counted_by_their_kind() {
    let mut tally = Tally::default();
    for order_id in 1..=1_100 {
        tally.add(order_id, &[Cause::new(CauseKind::UnknownSku, format!("S{order_id:05}"))]);
    }
    let two = [Cause::new(CauseKind::UnknownSku, "X"), Cause::new(CauseKind::UnknownSku, "Y")];
    tally.add(2_000, &two);
    assert_eq!(tally.groups.len(), MOST_GROUPS + 1);
    assert_eq!(tally.orders_of(CauseKind::UnknownSku, REST), 101, "an order of the rest is one order");
    let kept: Tally = serde_json::from_str(&serde_json::to_string(&tally).unwrap()).unwrap();
    assert_eq!(kept, tally);
}

fn any_cause() -> impl Strategy<Value = Cause> {
    (prop::sample::select(CauseKind::ALL.to_vec()), 0_u8..4)
        .prop_map(|(kind, subject)| Cause::new(kind, subject.to_string()))
}

proptest! {
    /// Every order is counted once, and once for each of its causes; a run that is cut off and gone on with counts the same.
    #[test]
    fn every_order_is_counted(orders in prop::collection::vec(prop::collection::vec(any_cause(), 0..4), 0..60), cut in any::<prop::sample::Index>()) {
        let mut tally = Tally::default();
        for (order_id, causes) in (1..).zip(&orders) {
            tally.add(order_id, causes);
        }
        prop_assert_eq!(tally.orders, tally.through + tally.stuck + tally.left_out);
        prop_assert_eq!(tally.orders, orders.len() as u64);
        let named: u64 = orders.iter().map(|causes| causes.iter().collect::<BTreeSet<_>>().len() as u64).sum();
        prop_assert_eq!(tally.groups.iter().map(|group| group.orders).sum::<u64>(), named);
        for group in &tally.groups {
            prop_assert!(group.examples.len() as u64 == group.orders.min(EXAMPLES as u64));
        }
        let cut = if orders.is_empty() { 0 } else { cut.index(orders.len()) };
        let mut first = Tally::default();
        for (order_id, causes) in (1..).zip(&orders[..cut]) {
            first.add(order_id, causes);
        }
        let mut again: Tally = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        for (order_id, causes) in (1..).zip(&orders).skip(cut) {
            again.add(order_id, causes);
        }
        prop_assert_eq!(again, tally);
    }
}

#[test]
fn kinds_have_names_of_their_own() {
    for kind in CauseKind::ALL {
        assert_eq!(kind.as_str().parse::<CauseKind>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.as_str()));
        assert!(!kind.remedy().is_empty());
    }
    assert!("nonsense".parse::<CauseKind>().is_err());
}

#[test]
fn a_missing_note_stops_only_what_goes_through_this_warehouse_and_was_not_sent() {
    let missing = || vec![Cause::from(CauseKind::NoNote), Cause::new(CauseKind::UnknownSku, "A")];
    let at_ours = order(READY, Progress::None);
    let elsewhere = Order { warehouse_id: Some(OURS + 1), ..at_ours.clone() };
    let seen = |order: &Order, sent| of_missing_notes(missing(), order, &chosen(StartMode::GoodsOutNote), sent);
    assert_eq!(seen(&at_ours, false), missing());
    assert_eq!(seen(&at_ours, true), missing()[1..]);
    assert_eq!(seen(&elsewhere, false)[0], Cause::new(CauseKind::Warehouse, (OURS + 1).to_string()));
    let all = ConnectionSettings { warehouse: None, ..chosen(StartMode::GoodsOutNote) };
    assert_eq!(of_missing_notes(missing(), &elsewhere, &all, false), missing(), "every warehouse is in scope");
}
