//! What people do in Brightpearl while an order is on its way: each ends in something right that everybody sees.

use simulators::{
    brightpearl::{Allocation, NewOrder},
    faults::{Fault, FaultRule},
};

use super::races::{at_warehouse, becomes, dsfx, key, look, one_row, outcome, shown};
use crate::world::{ACCOUNT, Setup, WAREHOUSE, World};
use simulators::dsfx::Handling;

const OFFICE: i64 = 203;

/// In goods-out-note mode the note is the request: deleted, shipped and replaced by hand, before and after it was sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_deleted_and_shipped_by_hand() {
    let settings = "import_warehouses = [\"Example 3PL\"]\nhold_minutes = 5".to_owned();
    let mut world = World::new(Setup { told: true, start_mode: "goods_out_note", settings, ..Setup::default() }).await;
    let orders: [i64; 5] = [0, 1, 2, 3, 4].map(|place| one_row(&world, place, 3));
    let [unsent, deleted, replaced, shipped, moved] = orders;
    let notes: Vec<i64> = orders
        .iter()
        .map(|order| world.brightpearl.create_note(ACCOUNT, *order, WAREHOUSE, OFFICE, None).expect("a note"))
        .collect();
    let keys: Vec<String> = orders.iter().zip(&notes).map(|(order, note)| format!("{}-G{note}", key(*order))).collect();
    world.start();
    // Between read and send: it is not sent.
    becomes(&mut world, unsent, "held", "leaves at").await;
    world.brightpearl.delete_note(ACCOUNT, notes[0]).expect("deleted");
    becomes(&mut world, unsent, "new", "no goods-out note").await;
    for (order, sent) in orders.iter().zip(&keys).skip(1) {
        at_warehouse(&mut world, *order, std::slice::from_ref(sent)).await;
    }
    at_warehouse(&mut world, unsent, &[]).await;

    // After it was sent: the warehouse must be told, and until it has answered nothing goes in its place.
    world.brightpearl.delete_note(ACCOUNT, notes[1]).expect("deleted");
    look(&world, deleted);
    becomes(&mut world, deleted, "error", "was deleted in Brightpearl").await;
    world.command(&["orders", "answer", &deleted.to_string(), "accepted", "--reason", "by telephone"]);
    becomes(&mut world, deleted, "new", "no goods-out note").await;
    // Deleted and made anew with fewer goods, as a person changes a note.
    world.brightpearl.delete_note(ACCOUNT, notes[2]).expect("deleted");
    let row = super::races::row_of(&world, replaced);
    let two = [(row, 2)].into_iter().collect();
    let fresh = world.brightpearl.create_note(ACCOUNT, replaced, WAREHOUSE, OFFICE, Some(two)).expect("a note");
    look(&world, replaced);
    becomes(&mut world, replaced, "error", "").await;
    at_warehouse(&mut world, replaced, &[keys[2].clone()]).await;
    look(&world, replaced);
    becomes(&mut world, replaced, "error", "was deleted in Brightpearl").await;
    world.command(&["orders", "answer", &replaced.to_string(), "accepted", "--reason", "by telephone"]);
    let anew = format!("{}-G{fresh}", key(replaced));
    at_warehouse(&mut world, replaced, &[keys[2].clone(), anew.clone()]).await;
    // Shipped by hand before the warehouse shipped it: a person decides, whatever the policy; what then leaves is not told
    // twice, and what cannot be told is shown.
    world.brightpearl.ship_note(ACCOUNT, notes[3], OFFICE).expect("shipped");
    look(&world, shipped);
    becomes(&mut world, shipped, "error", "posted as shipped in Brightpearl").await;
    world.command(&["orders", "answer", &shipped.to_string(), "too-late", "--reason", "it ships"]);
    // A status that a person sets is left alone.
    let theirs = world.status("New phone order");
    world.brightpearl.set_status(ACCOUNT, moved, theirs).expect("a status");
    look(&world, moved);

    let floor = dsfx(&world);
    for sent in [&anew, &keys[3], &keys[4]] {
        floor.tell(sent, Handling::Full);
    }
    becomes(&mut world, replaced, "closed", "").await;
    becomes(&mut world, moved, "closed", "").await;
    assert_eq!(world.brightpearl.order(ACCOUNT, moved).expect("the order").status_id, theirs);
    let parked = becomes(&mut world, shipped, "error", "").await;
    assert_eq!(outcome(&parked), "too_late");
    for (order, shipped_notes) in [(unsent, 0), (deleted, 0), (replaced, 1), (shipped, 1), (moved, 1)] {
        let there = world.brightpearl.notes(ACCOUNT, order).expect("notes");
        assert_eq!(there.iter().filter(|note| note.shipped).count(), shipped_notes, "order {order}: {there:?}");
    }
    world.invariants().expect("the invariants hold");
    assert_eq!(floor.ledger().duplicates.len(), 0, "no key is there twice");
}

/// In order mode: allocation, rows and status move between the read and the send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_edited_between_read_and_send() {
    let settings = "hold_minutes = 5\non_change = \"cancel_and_resend\"".to_owned();
    let mut world = World::new(Setup { told: true, settings, ..Setup::default() }).await;
    let [parked, grown, noted, shipped] = [0, 1, 2, 3].map(|place| one_row(&world, place, 3));
    let unready = world.place(NewOrder {
        allocation: Allocation::None,
        ..world.ready(vec![simulators::brightpearl::NewLine::sku(&world.skus[5].1, 1)])
    });
    world.start();
    for order in [parked, grown, noted, shipped] {
        becomes(&mut world, order, "held", "leaves at").await;
    }
    becomes(&mut world, unready, "new", "not allocated").await;
    // Nobody has it read again here: the last look before the send finds it.
    world.brightpearl.set_status(ACCOUNT, parked, world.status("New phone order")).expect("a status");
    let row = super::races::row_of(&world, grown);
    world.brightpearl.set_quantity(ACCOUNT, grown, row, 5).expect("another quantity");
    world.brightpearl.allocate(ACCOUNT, grown).expect("allocated");
    let note = world.brightpearl.create_note(ACCOUNT, noted, WAREHOUSE, OFFICE, None).expect("a note");
    becomes(&mut world, parked, "skipped", "filter statuses").await;
    at_warehouse(&mut world, grown, &[key(grown)]).await;
    at_warehouse(&mut world, noted, &[format!("{}-G{note}", key(noted))]).await;
    at_warehouse(&mut world, shipped, &[key(shipped)]).await;
    at_warehouse(&mut world, parked, &[]).await;
    let asked = world.warehouse_orders().into_iter().find(|order| order.key == key(grown)).expect("it is there").asked;
    assert_eq!(asked.values().sum::<rust_decimal::Decimal>(), rust_decimal::Decimal::from(5));

    // A note over the same goods, shipped by hand: asked about even where changes go by themselves.
    let theirs = world.brightpearl.create_note(ACCOUNT, shipped, WAREHOUSE, OFFICE, None).expect("a note");
    world.brightpearl.ship_note(ACCOUNT, theirs, OFFICE).expect("shipped");
    look(&world, shipped);
    becomes(&mut world, shipped, "error", "posted as shipped in Brightpearl").await;
    at_warehouse(&mut world, shipped, &[key(shipped)]).await;
    let floor = dsfx(&world);
    for sent in [key(grown), format!("{}-G{note}", key(noted))] {
        floor.tell(&sent, Handling::Full);
    }
    for order in [grown, noted] {
        becomes(&mut world, order, "closed", "").await;
        assert_eq!(world.brightpearl.notes(ACCOUNT, order).expect("notes").len(), 1);
    }
    world.invariants().expect("the invariants hold");
}

/// In order mode an order is two requests, a note of somebody's and the rest. The rest grows between the read and the send: what
/// stands on the note goes as it is, and the rest is planned again, although something of the order was sent by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_an_order_that_grows_before_it_is_sent_goes_as_well() {
    let settings = "hold_minutes = 5".to_owned();
    let mut world = World::new(Setup { told: true, settings, ..Setup::default() }).await;
    let lines = [0, 1].map(|place| simulators::brightpearl::NewLine::sku(&world.skus[place].1, 2));
    let order = world.place(world.ready(lines.to_vec()));
    let rows: Vec<i64> = world.brightpearl.order(ACCOUNT, order).expect("the order").rows.into_keys().collect();
    let first = [(rows[0], 2)].into_iter().collect();
    let note = world.brightpearl.create_note(ACCOUNT, order, WAREHOUSE, OFFICE, Some(first)).expect("a note");
    world.start();
    becomes(&mut world, order, "held", "leaves at").await;
    // Nobody has it read again here: the last look before the send finds it.
    world.brightpearl.set_quantity(ACCOUNT, order, rows[1], 5).expect("another quantity");
    world.brightpearl.allocate(ACCOUNT, order).expect("allocated");
    let keys = [key(order), format!("{}-G{note}", key(order))];
    at_warehouse(&mut world, order, &keys).await;
    for (sent, units) in keys.iter().zip([5, 2]) {
        let asked = world.warehouse_orders().into_iter().find(|one| one.key == *sent).expect("it is there").asked;
        assert_eq!(asked.values().sum::<rust_decimal::Decimal>(), rust_decimal::Decimal::from(units), "{sent}");
        dsfx(&world).tell(sent, Handling::Full);
    }
    becomes(&mut world, order, "closed", "").await;
    let notes = world.brightpearl.notes(ACCOUNT, order).expect("notes");
    assert!(notes.len() == 2 && notes.iter().all(|note| note.shipped), "{notes:?}");
    world.invariants().expect("the invariants hold");
}

/// A supplier sends one row of an order himself. The warehouse is asked for the other, and what the supplier sends is no change of
/// what it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_supplier_sends_stays_with_him() {
    let settings = "on_change = \"cancel_and_resend\"".to_owned();
    let mut world = World::new(Setup { told: true, settings, ..Setup::default() }).await;
    let lines = [0, 1].map(|place| simulators::brightpearl::NewLine::sku(&world.skus[place].1, 2));
    let order = world.place(world.ready(lines.to_vec()));
    let rows: Vec<i64> = world.brightpearl.order(ACCOUNT, order).expect("the order").rows.into_keys().collect();
    world.brightpearl.drop_ship(ACCOUNT, order, rows[1], 2).expect("a supplier sends it");
    world.brightpearl.allocate(ACCOUNT, order).expect("allocated");
    // While nobody says how much of it the supplier sends, nothing is sent; other orders go on.
    let page = Fault::Answer { status: 403, headers: [].into(), body: "<html>Forbidden</html>".to_owned() };
    let rule = world.brightpearl.faults().add(FaultRule::new(page).path_contains("/fulfilment-status"));
    let other = one_row(&world, 2, 1);
    world.start();
    becomes(&mut world, order, "new", "how much of that a supplier sends cannot be read").await;
    at_warehouse(&mut world, other, &[key(other)]).await;
    at_warehouse(&mut world, order, &[]).await;
    assert!(world.brightpearl.faults().remove(rule));
    at_warehouse(&mut world, order, &[key(order)]).await;
    let asked = world.warehouse_orders().into_iter().find(|one| one.key == key(order)).expect("it is there").asked;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked.contains_key(&crate::world::warehouse_sku(&world.skus[0].1)), "{asked:?}");
    // Nor is what is not known of the supplier's part taken for a change of what was sent.
    let page = Fault::Answer { status: 403, headers: [].into(), body: "<html>Forbidden</html>".to_owned() };
    let rule = world.brightpearl.faults().add(FaultRule::new(page).path_contains("/fulfilment-status"));
    look(&world, order);
    world
        .until("it is looked at twice", std::time::Duration::from_secs(60), |world| {
            let looks = world.brightpearl.faults().fired_count(rule);
            if looks >= 2 { Ok(()) } else { Err(format!("{looks} looks")) }
        })
        .await;
    at_warehouse(&mut world, order, &[key(order)]).await;
    let requests = shown(&world, order)["requests"].clone();
    assert_eq!(requests[0]["race"], serde_json::Value::Null, "{requests:#}");
    assert!(world.brightpearl.faults().remove(rule));
    look(&world, order);
    dsfx(&world).tell(&key(order), Handling::Full);
    becomes(&mut world, order, "closed", "").await;
    let notes = world.brightpearl.notes(ACCOUNT, order).expect("notes");
    assert!(notes.len() == 1 && notes[0].shipped, "{notes:?}");
    at_warehouse(&mut world, order, &[key(order)]).await;
    world.invariants().expect("the invariants hold");
}

/// An order in two notes: the first leaves in two parts while the second, over as many units as a part or over others, is still
/// open. The parts have notes of their own, and the second note stays what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_leave_beside_another_note_of_the_order() {
    let settings = "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned();
    let mut world = World::new(Setup { told: true, start_mode: "goods_out_note", settings, ..Setup::default() }).await;
    let orders: Vec<(i64, i64, i64)> = [2, 3]
        .into_iter()
        .enumerate()
        .map(|(place, beside)| {
            let order = one_row(&world, place, 4 + beside);
            let row = super::races::row_of(&world, order);
            let note = |units| {
                let rows = [(row, units)].into_iter().collect();
                world.brightpearl.create_note(ACCOUNT, order, WAREHOUSE, OFFICE, Some(rows)).expect("a note")
            };
            (order, note(4), note(beside))
        })
        .collect();
    world.start();
    let sent = |order: i64, note: i64| format!("{}-G{note}", key(order));
    for (order, first, second) in &orders {
        at_warehouse(&mut world, *order, &[sent(*order, *first), sent(*order, *second)]).await;
        dsfx(&world).tell(&sent(*order, *first), Handling::PartThenRest);
    }
    for (order, first, second) in &orders {
        world
            .until("the parts are told", std::time::Duration::from_secs(60), |world| {
                let notes = world.brightpearl.notes(ACCOUNT, *order).map_err(|error| format!("{error:?}"))?;
                let shipped = notes.iter().filter(|note| note.shipped).count();
                if shipped == 2 { Ok(()) } else { Err(format!("{notes:?}")) }
            })
            .await;
        let notes = world.brightpearl.notes(ACCOUNT, *order).expect("notes");
        assert!(notes.iter().all(|note| note.shipped == (note.id != *second)), "{notes:?}");
        assert!(notes.iter().all(|note| note.id != *first), "the note of the whole is gone: {notes:?}");
        becomes(&mut world, *order, "partly_shipped", "").await;
        dsfx(&world).tell(&sent(*order, *second), Handling::Full);
        becomes(&mut world, *order, "closed", "").await;
        let notes = world.brightpearl.notes(ACCOUNT, *order).expect("notes");
        assert!(notes.len() == 3 && notes.iter().all(|note| note.shipped), "{notes:?}");
    }
    world.invariants().expect("the invariants hold");
}
