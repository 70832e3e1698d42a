use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Address, Allocation, BundleRole, GoodsOutNote, LineStock, NoteRow, NoteState, Order, OrderLine, Progress,
};
use jiff::Timestamp;
use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

use super::{Difference, Follows, Now, Sent, compare};

const OURS: i64 = 2;

fn order(rows: &[(i64, i64)]) -> Order {
    let line = |(row_id, quantity): &(i64, i64)| OrderLine {
        row_id: *row_id,
        product_id: Some(100 + row_id),
        sku: format!("S{row_id}"),
        name: String::new(),
        quantity: Decimal::from(*quantity),
        unit_price: None,
        stock: LineStock::Stocked,
        bundle: BundleRole::None,
        sequence: *row_id,
    };
    Order {
        order_id: 5,
        parent_id: None,
        version: 1,
        reference: String::new(),
        status_id: 10,
        warehouse_id: Some(OURS),
        channel_id: None,
        ship_method_id: None,
        placed_at: Timestamp::UNIX_EPOCH,
        updated_at: None,
        deliver_on: None,
        notes: String::new(),
        is_sale: true,
        allocation: Allocation::All,
        fulfilment: Progress::None,
        shipping: Progress::None,
        deliver_to: Address { city: "Leeds".to_owned(), ..Address::default() },
        bill_to: Address::default(),
        lines: rows.iter().map(line).collect(),
    }
}

fn note(note_id: i64, state: NoteState, rows: &[(i64, i64)]) -> GoodsOutNote {
    GoodsOutNote {
        note_id,
        order_id: 5,
        warehouse_id: OURS,
        transfer: false,
        state,
        shipped_at: None,
        created_by: 9,
        created_at: Timestamp::UNIX_EPOCH,
        release_at: None,
        ship_method_id: 0,
        reference: String::new(),
        version: 1,
        rows: rows
            .iter()
            .map(|(row_id, quantity)| NoteRow {
                row_id: *row_id,
                product_id: 100 + row_id,
                quantity: Decimal::from(*quantity),
            })
            .collect(),
    }
}

fn sent(note_id: Option<i64>, rows: &[(i64, i64)]) -> Sent {
    Sent {
        key: note_id.map_or_else(|| "K".to_owned(), |note_id| format!("K-G{note_id}")),
        note_id,
        rows: rows.iter().map(|(row, units)| (*row, Decimal::from(*units))).collect(),
        ship_to: Some(Address { city: "Leeds".to_owned(), ..Address::default() }),
        left: false,
    }
}

fn differences(sent: &[Sent], order: &Order, notes: &[GoodsOutNote]) -> BTreeMap<String, Difference> {
    let warehouses = BTreeSet::from([OURS]);
    let ships = |line: &OrderLine| line.stock == LineStock::Stocked;
    compare(sent, &Now { order, notes, drop_shipped: &BTreeMap::new(), warehouses: &warehouses, ships: &ships })
}

#[test]
fn what_a_supplier_sends_is_no_change() {
    let order = order(&[(1, 3), (2, 1)]);
    let drop_shipped = BTreeMap::from([(2, Decimal::ONE)]);
    let warehouses = BTreeSet::from([OURS]);
    let now = Now { order: &order, notes: &[], drop_shipped: &drop_shipped, warehouses: &warehouses, ships: &|_| true };
    assert!(compare(&[sent(None, &[(1, 3)])], &now).is_empty());
    let found = compare(&[sent(None, &[(1, 3), (2, 1)])], &now);
    let (_, words) = only(&found);
    assert!(words.contains("row 2: 1 sent, 0 wanted now"), "{words}");
}

fn only(found: &BTreeMap<String, Difference>) -> (Follows, String) {
    assert_eq!(found.len(), 1, "{found:?}");
    let difference = found.values().next().unwrap();
    (difference.follows, difference.words.join("; "))
}

#[test]
fn what_changes_is_named() {
    let plain = [sent(None, &[(1, 3), (2, 1)])];
    let same = order(&[(1, 3), (2, 1)]);
    assert!(differences(&plain, &same, &[]).is_empty());
    for (rows, words) in [
        (vec![(1, 2), (2, 1)], "row 1: 3 sent, 2 wanted now"),
        (vec![(1, 3)], "row 2: 1 sent, 0 wanted now"),
        (vec![(1, 3), (2, 1), (3, 4)], "row 3: 0 sent, 4 wanted now"),
        (vec![(1, 5), (2, 1)], "row 1: 3 sent, 5 wanted now"),
    ] {
        assert_eq!(only(&differences(&plain, &order(&rows), &[])), (Follows::Policy, words.to_owned()));
    }
    // What cannot be shipped does not count when it is added.
    let mut wrapped = order(&[(1, 3), (2, 1), (3, 1)]);
    wrapped.lines[2].stock = LineStock::FreeText;
    assert!(differences(&plain, &wrapped, &[]).is_empty());
    // An address is a change; its words do not hold it.
    let mut moved = same.clone();
    moved.deliver_to.city = "York".to_owned();
    moved.deliver_to.postcode = "YO1".to_owned();
    let found = only(&differences(&plain, &moved, &[]));
    assert_eq!(found, (Follows::Policy, "delivery address: city, postcode changed".to_owned()));
    let unknown = [Sent { ship_to: None, ..plain[0].clone() }];
    assert!(differences(&unknown, &moved, &[]).is_empty());
}

#[test]
fn notes_of_others_in_order_mode() {
    let plain = [sent(None, &[(1, 3), (2, 1)])];
    let wanted = order(&[(1, 3), (2, 1)]);
    // The same goods: it is used instead of making one.
    assert!(differences(&plain, &wanted, &[note(7, NoteState::Unshipped, &[(1, 3), (2, 1)])]).is_empty());
    let shipped = only(&differences(&plain, &wanted, &[note(7, NoteState::Shipped, &[(1, 3), (2, 1)])]));
    assert_eq!(shipped.0, Follows::Ask, "{}", shipped.1);
    // Part of them: less is wanted from us.
    let part = only(&differences(&plain, &wanted, &[note(7, NoteState::Unshipped, &[(1, 1)])]));
    assert_eq!(part, (Follows::Policy, "row 1: 3 sent, 2 wanted now".to_owned()));
    let mut transfer = note(7, NoteState::Unshipped, &[(1, 1)]);
    transfer.transfer = true;
    assert!(differences(&plain, &wanted, &[transfer]).is_empty());
}

#[test]
fn notes_that_are_the_request() {
    let noted = [sent(Some(7), &[(1, 3)])];
    let wanted = order(&[(1, 5)]);
    assert!(differences(&noted, &wanted, &[note(7, NoteState::Unshipped, &[(1, 3)])]).is_empty(), "the rest has none");
    assert_eq!(only(&differences(&noted, &wanted, &[])).0, Follows::Cancel);
    assert_eq!(only(&differences(&noted, &wanted, &[note(7, NoteState::Shipped, &[(1, 3)])])).0, Follows::Ask);
    assert_eq!(only(&differences(&noted, &wanted, &[note(7, NoteState::Unshipped, &[(1, 2)])])).0, Follows::Policy);
    // Once something has left, the note is ours to ship, replace or delete.
    let left = [Sent { left: true, ..noted[0].clone() }];
    assert!(differences(&left, &wanted, &[]).is_empty());
    assert!(differences(&left, &wanted, &[note(7, NoteState::Shipped, &[(1, 3)])]).is_empty());
}

proptest! {
    /// Nothing differs exactly when every row asks for what is wanted.
    #[test]
    fn same_is_same(before in prop::collection::btree_map(1_i64..6, 1_i64..5, 1..5),
        after in prop::collection::btree_map(1_i64..6, 1_i64..5, 0..5)) {
        let rows = |map: &BTreeMap<i64, i64>| map.iter().map(|(row, units)| (*row, *units)).collect::<Vec<_>>();
        let found = differences(&[sent(None, &rows(&before))], &order(&rows(&after)), &[]);
        prop_assert_eq!(found.is_empty(), before == after);
        prop_assert!(found.values().all(|difference| difference.follows == Follows::Policy && !difference.words.is_empty()));
    }
}
