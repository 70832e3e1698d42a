//! Orders cancelled and changed in every phase after they were wanted: each race has one visible end, and it is the true one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rust_decimal::Decimal;
use serde_json::Value;
use simulators::{
    brightpearl::NewLine,
    dsfx::{Dsfx, Handling, PlannedShipment},
    extensiv::{self, Dispatch},
    faults::{Fault, FaultRule},
};

use crate::world::{ACCOUNT, CUSTOMER, Setup, Ships, WAREHOUSE, Warehouse, World};

const LIMIT: Duration = Duration::from_secs(90);

/// The key under which an order is sent first.
pub fn key(order: i64) -> String {
    format!("BP{ACCOUNT}-O{order}")
}

/// An order for so many of one product.
pub fn one_row(world: &World, place: usize, units: i64) -> i64 {
    world.place(world.ready(vec![NewLine::sku(&world.skus[place].1, units)]))
}

/// The only row of an order.
pub fn row_of(world: &World, order: i64) -> i64 {
    let rows = world.brightpearl.order(ACCOUNT, order).expect("the order").rows;
    *rows.keys().next().expect("a row")
}

/// A person changes the quantity of an order with one row, and reserves the goods again.
pub fn change(world: &World, order: i64, units: i64) {
    world.brightpearl.set_quantity(ACCOUNT, order, row_of(world, order), units).expect("another quantity");
    world.brightpearl.allocate(ACCOUNT, order).expect("allocated");
    look(world, order);
}

/// A person cancels an order in Brightpearl.
pub fn cancel(world: &World, order: i64) {
    world.brightpearl.cancel_order(ACCOUNT, order).expect("cancelled");
    look(world, order);
}

/// A person takes a cancelled order up again, with this status.
pub fn take_up(world: &World, order: i64, status: &str) {
    world.brightpearl.set_status(ACCOUNT, order, world.status(status)).expect("a status");
    world.brightpearl.allocate(ACCOUNT, order).expect("allocated");
    look(world, order);
}

/// Has an order read again now instead of when the watch comes round.
pub fn look(world: &World, order: i64) {
    world.command(&["orders", "retry", &order.to_string()]);
}

/// Everything that is shown of an order.
pub fn shown(world: &World, order: i64) -> Value {
    let (ok, text) = world.try_command(&["orders", "show", &order.to_string(), "--json"]);
    if ok { serde_json::from_str(&text).expect("an order as JSON") } else { Value::Null }
}

/// The outcome of the newest cancel or change of an order.
pub fn outcome(shown: &Value) -> String {
    let requests = shown["requests"].as_array().cloned().unwrap_or_default();
    let races = requests.iter().rev().filter_map(|request| request["race"]["outcome"].as_str());
    races.map(str::to_owned).next().unwrap_or_default()
}

fn actions(shown: &Value) -> Vec<String> {
    let actions = shown["explain"]["actions"].as_array().cloned().unwrap_or_default();
    actions.iter().filter_map(|action| action["action"].as_str().map(str::to_owned)).collect()
}

/// Waits until an order is shown in this state, with this in its reason.
pub async fn becomes(world: &mut World, order: i64, state: &str, reason: &str) -> Value {
    let what = format!("order {order} is {state}: …{reason}…");
    let mut last = Value::Null;
    world
        .until(&what, LIMIT, |world| {
            last = shown(world, order);
            let (is, why) = (last["state"].as_str().unwrap_or_default(), last["reason"].as_str().unwrap_or_default());
            if is == state && why.contains(reason) { Ok(()) } else { Err(format!("it is {is}: {why}\n{last:#}")) }
        })
        .await;
    last
}

/// Waits until these keys, live and each once, are what the warehouse has of an order.
pub async fn at_warehouse(world: &mut World, order: i64, live: &[String]) {
    world
        .until(&format!("order {order} is at the warehouse as {live:?}"), LIMIT, |world| {
            let prefix = key(order);
            let there: Vec<String> = world
                .warehouse_orders()
                .into_iter()
                .filter(|one| one.live && (one.key == prefix || one.key.starts_with(&format!("{prefix}-"))))
                .map(|one| one.key)
                .collect();
            if there == live { Ok(()) } else { Err(format!("{there:?}")) }
        })
        .await;
}

/// Waits until Brightpearl has the status that follows. A person's own change right before would be one that nobody can tell
/// from the order as it was.
pub async fn status_told(world: &mut World, order: i64) {
    world
        .until(&format!("order {order} has the status of one at the warehouse"), LIMIT, |world| {
            let status = world.brightpearl.order(ACCOUNT, order).map_err(|error| error.to_string())?.status_id;
            if status == world.status("Ready to ship") { Err("it is still ready to ship".to_owned()) } else { Ok(()) }
        })
        .await;
}

fn asked(world: &World, key: &str) -> Decimal {
    let orders = world.warehouse_orders();
    orders.iter().find(|order| order.key == key).map(|order| order.asked.values().sum()).unwrap_or_default()
}

fn extensiv_order(world: &World, key: &str) -> extensiv::LedgerOrder {
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let orders = running.handle().ledger().orders;
    orders.into_iter().find(|order| order.customer == CUSTOMER && order.reference == key).expect("the order")
}

pub fn dsfx(world: &World) -> Dsfx {
    let Warehouse::Dsfx { dsfx, .. } = &world.warehouse else { panic!("a folder warehouse") };
    dsfx.clone()
}

/// Nothing shipped twice, nothing shipped that was not told, nothing left over.
fn ledgers_agree(world: &World, orders: &[i64]) {
    let expected: BTreeSet<i64> = orders.iter().copied().collect();
    let problems = world.audit(&expected).problems();
    assert!(problems.is_empty(), "{problems:?}");
    world.invariants().expect("the invariants hold");
}

/// Extensiv holds orders and takes cancels until they are released: in each phase the outcome is the warehouse's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_and_changed_at_a_warehouse_that_answers() {
    let settings = "hold_minutes = 10\ncancel_deadline_minutes = 60".to_owned();
    let mut world = World::new(Setup { ships: Ships::Extensiv, told: true, settings, ..Setup::default() }).await;
    let [held, changed, moved, late, picking, grown] = [0, 1, 2, 3, 4, 5].map(|place| one_row(&world, place, 3));
    world.start();
    for order in [held, changed, moved, late, picking, grown] {
        at_warehouse(&mut world, order, &[key(order)]).await;
        status_told(&mut world, order).await;
    }
    let waiting = becomes(&mut world, late, "open", "held back until").await;
    assert!(waiting["requests"][0]["leaves_at"].is_string(), "{waiting:#}");

    // Held there: a cancel is accepted, and costs the warehouse nothing.
    cancel(&world, held);
    let ended = becomes(&mut world, held, "cancelled", "accepted").await;
    assert_eq!(outcome(&ended), "accepted");
    assert_eq!(extensiv_order(&world, &key(held)).released_at, None, "nobody saw it there");
    // Taken up again: under a fresh key, the first one stays dead.
    take_up(&world, held, "Ready to ship");
    at_warehouse(&mut world, held, &[format!("{}-R2", key(held))]).await;

    // A change asks; on the button it is cancelled there, and goes again as it now stands.
    change(&world, changed, 2);
    let asks = becomes(&mut world, changed, "error", "3 sent, 2 wanted now").await;
    assert_eq!(actions(&asks)[..2], ["resend", "answer_too_late"], "both buttons");
    world.command(&["orders", "resend", &changed.to_string(), "--reason", "the customer wants two"]);
    let again = format!("{}-R2", key(changed));
    at_warehouse(&mut world, changed, std::slice::from_ref(&again)).await;
    assert_eq!(asked(&world, &again), Decimal::TWO);
    // So does an address.
    world.brightpearl.set_postcode(ACCOUNT, moved, "ZZ1 1ZZ").expect("another address");
    look(&world, moved);
    becomes(&mut world, moved, "error", "postcode changed").await;
    world.command(&["orders", "resend", &moved.to_string(), "--reason", "the customer moved"]);
    at_warehouse(&mut world, moved, &[format!("{}-R2", key(moved))]).await;

    // Released: from here on this warehouse refuses.
    world
        .until("the orders are released", LIMIT, |world| {
            let anew = [held, moved].map(|order| format!("{}-R2", key(order)));
            let keys = [key(late), key(picking), key(grown), again.clone()].into_iter().chain(anew).collect::<Vec<_>>();
            match keys.iter().find(|key| extensiv_order(world, key).released_at.is_none()) {
                None => Ok(()),
                Some(key) => Err(format!("{key} is not released")),
            }
        })
        .await;
    cancel(&world, late);
    let refused = becomes(&mut world, late, "open", "came too late").await;
    assert_eq!(outcome(&refused), "too_late");
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let floor = running.handle();
    assert!(floor.work() > 0, "picking starts");
    world.command(&["orders", "cancel", &picking.to_string(), "--reason", "the customer telephoned"]);
    becomes(&mut world, picking, "open", "came too late").await;
    change(&world, grown, 4);
    becomes(&mut world, grown, "error", "3 sent, 4 wanted now").await;
    world.command(&["orders", "resend", &grown.to_string(), "--reason", "one more"]);
    let lost = becomes(&mut world, grown, "open", "came too late").await;
    assert_eq!(outcome(&lost), "too_late");
    at_warehouse(&mut world, grown, &[key(grown)]).await;

    // Too late means that the normal flow goes on; Brightpearl takes no note for an order that is cancelled there.
    take_up(&world, late, "At warehouse");
    for order in floor.ledger().orders.iter().filter(|order| order.status == extensiv::Status::Open) {
        floor.ship(order.order_id, &Dispatch::full()).expect("it ships");
    }
    for order in [held, changed, moved] {
        becomes(&mut world, order, "closed", "").await;
    }
    for order in [late, picking, grown] {
        let ended = becomes(&mut world, order, "closed", "came too late").await;
        assert_eq!(outcome(&ended), "too_late");
    }
    // Shipped and told: a cancel finds nothing to stop.
    world.command(&["orders", "cancel", &held.to_string(), "--reason", "much too late"]);
    becomes(&mut world, held, "closed", "everything had left").await;
    ledgers_agree(&world, &[held, changed, moved, late, picking, grown]);
}

/// Nobody noticed: no call from Brightpearl, and the watch has not come round. What is cancelled while it is held is not released
/// all the same, and neither is what could not go for another reason when the hold was over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_in_the_last_moment_before_the_release() {
    let settings = "hold_minutes = 5".to_owned();
    let mut world = World::new(Setup { ships: Ships::Extensiv, told: true, settings, ..Setup::default() }).await;
    let [unseen, frozen, wanted] = [0, 1, 2].map(|place| one_row(&world, place, 3));
    world.start();
    for order in [unseen, frozen, wanted] {
        at_warehouse(&mut world, order, &[key(order)]).await;
        status_told(&mut world, order).await;
    }
    world.brightpearl.cancel_order(ACCOUNT, unseen).expect("cancelled");
    world.command(&["freeze-sending", "--reason", "the hold ends meanwhile"]);
    world
        .until("the releases are planned", LIMIT, |world| {
            let planned = world.command(&["effects", "list", "--json"]).matches("release_request").count();
            if planned >= 3 { Ok(()) } else { Err(format!("{planned} releases")) }
        })
        .await;
    cancel(&world, frozen);
    becomes(&mut world, frozen, "open", "").await;
    world.command(&["release-sending", "--reason", "over"]);
    for order in [unseen, frozen] {
        let ended = becomes(&mut world, order, "cancelled", "accepted").await;
        assert_eq!(outcome(&ended), "accepted");
        assert_eq!(extensiv_order(&world, &key(order)).released_at, None, "nobody saw it there");
    }
    world
        .until("what nobody stopped is released", LIMIT, |world| {
            match extensiv_order(world, &key(wanted)).released_at {
                Some(_) => Ok(()),
                None => Err("it is held".to_owned()),
            }
        })
        .await;
    assert_eq!(extensiv_order(&world, &key(unseen)).released_at, None);
}

fn newest_release(world: &World) -> Value {
    let effects: Value = serde_json::from_str(&world.command(&["effects", "list", "--json"])).expect("effects as JSON");
    let all = effects.as_array().or_else(|| effects["items"].as_array()).expect("a list");
    all.iter().find(|effect| effect["kind"] == "release_request").cloned().unwrap_or_default()
}

fn release_is(world: &World, states: &[&str]) -> Result<(), String> {
    let release = newest_release(world);
    let newest = release["state"].as_str().unwrap_or_default();
    if states.contains(&newest) { Ok(()) } else { Err(format!("the newest release is {newest:?}")) }
}

/// A release that failed, or of which nobody knows, stands in the way of no cancel, and is not tried again before that is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_while_the_release_fails() {
    let mut world = World::new(Setup { ships: Ships::Extensiv, told: true, ..Setup::default() }).await;
    let Warehouse::Extensiv(running) = &world.warehouse else { panic!("an Extensiv warehouse") };
    let faults = running.faults();
    let on_release = |fault| FaultRule::new(fault).path_contains("/completer");
    let rule = faults.add(on_release(Fault::Throttled));
    let failed = one_row(&world, 0, 3);
    world.start();
    at_warehouse(&mut world, failed, &[key(failed)]).await;
    world.until("the release was not sent", LIMIT, |world| release_is(world, &["not_sent"])).await;
    cancel(&world, failed);
    let ended = becomes(&mut world, failed, "cancelled", "accepted").await;
    assert_eq!((outcome(&ended).as_str(), extensiv_order(&world, &key(failed)).released_at), ("accepted", None));

    assert!(faults.remove(rule));
    let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    let body = r#"{"ErrorCode":"InUse","Hint":"somebody has it open"}"#.to_owned();
    let rule = faults.add(on_release(Fault::Answer { status: 403, headers, body }));
    let refused = one_row(&world, 1, 3);
    at_warehouse(&mut world, refused, &[key(refused)]).await;
    becomes(&mut world, refused, "error", "InUse").await;
    cancel(&world, refused);
    becomes(&mut world, refused, "cancelled", "accepted").await;
    assert_eq!(newest_release(&world)["state"], "voided", "nobody has to look at it any more");

    assert!(faults.remove(rule));
    faults.add(on_release(Fault::TimeoutBeforeEffect { hold: Duration::from_secs(3) }));
    // However often nobody could tell what became of it: a repeat is safe, so that no person is needed.
    for (place, tries) in [(2, 1), (3, 3)] {
        let doubtful = one_row(&world, place, 3);
        at_warehouse(&mut world, doubtful, &[key(doubtful)]).await;
        world
            .until("the release is unknown", LIMIT, |world| {
                release_is(world, &["unknown", "probing"])?;
                let tried = newest_release(world)["attempt"].as_i64().unwrap_or_default();
                if tried >= tries { Ok(()) } else { Err(format!("tried {tried} times")) }
            })
            .await;
        cancel(&world, doubtful);
        let ended = becomes(&mut world, doubtful, "cancelled", "accepted").await;
        assert_eq!((outcome(&ended).as_str(), extensiv_order(&world, &key(doubtful)).released_at), ("accepted", None));
        assert_eq!(newest_release(&world)["needs_person"], false);
    }
}

/// The watch for cancels keeps its own time, whatever the orders channel is told to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_is_seen_though_the_orders_channel_runs_once_a_day() {
    let mut world = World::new(Setup { ships: Ships::Extensiv, told: true, ..Setup::default() }).await;
    let order = one_row(&world, 0, 3);
    world.start();
    at_warehouse(&mut world, order, &[key(order)]).await;
    status_told(&mut world, order).await;
    let far = (connect::Clock::now(&connect::SystemClock::default()) - jiff::SignedDuration::from_hours(2))
        .strftime("%H:%M")
        .to_string();
    world.command(&["channels", "schedule", "main", "orders", "--daily", &far, "--zone", "UTC"]);
    world.brightpearl.cancel_order(ACCOUNT, order).expect("cancelled");
    let seen = becomes(&mut world, order, "open", "came too late").await;
    assert_eq!(outcome(&seen), "too_late", "this warehouse had it released already");
}

/// The file exchange has no cancel: a person is told at once what to do, and brings the answer; what left says more than words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_and_changed_at_a_warehouse_that_cannot_be_asked() {
    let settings = "hold_minutes = 5\ncancel_deadline_minutes = 5\ncancel_owner = \"Ada\"".to_owned();
    let mut world = World::new(Setup { told: true, settings, ..Setup::default() }).await;
    let orders: [i64; 8] = [0, 1, 2, 3, 4, 5, 6, 7].map(|place| one_row(&world, place, 3));
    let [unsent, revised, stopped, silent, part, changed, kept, used] = orders;
    world.start();
    // Before it is sent: held back, shown until when, and a cancel or change costs nothing.
    for order in [unsent, revised] {
        let waiting = becomes(&mut world, order, "held", "leaves at").await;
        assert!(waiting["requests"][0]["leaves_at"].is_string(), "{waiting:#}");
    }
    cancel(&world, unsent);
    let ended = becomes(&mut world, unsent, "cancelled", "before it was sent").await;
    assert_eq!(outcome(&ended), "", "no race with anybody");
    change(&world, revised, 2);
    for order in orders.into_iter().filter(|order| *order != unsent) {
        at_warehouse(&mut world, order, &[key(order)]).await;
        status_told(&mut world, order).await;
    }
    assert_eq!(asked(&world, &key(revised)), Decimal::TWO, "sent once, as it was wanted in the end");
    at_warehouse(&mut world, unsent, &[]).await;

    let floor = dsfx(&world);
    let answer = |world: &World, order: i64, answer: &str| {
        world.command(&["orders", "answer", &order.to_string(), answer, "--reason", "Bob on the telephone"]);
    };
    // A cancel: the person is told at once, and brings a yes.
    cancel(&world, stopped);
    let told = becomes(&mut world, stopped, "error", "must be told by hand").await;
    assert!(actions(&told).contains(&"answer_accepted".to_owned()), "{told:#}");
    answer(&world, stopped, "accepted");
    assert_eq!(outcome(&becomes(&mut world, stopped, "cancelled", "accepted").await), "accepted");
    // Two that nobody answers in time. One ships after all: a late answer counts.
    for order in [silent, part] {
        world.command(&["orders", "cancel", &order.to_string(), "--reason", "the customer telephoned"]);
    }
    // A change, with a yes: it goes again under a fresh key and not before.
    change(&world, changed, 4);
    becomes(&mut world, changed, "error", "3 sent, 4 wanted now").await;
    world.command(&["orders", "resend", &changed.to_string(), "--reason", "one more"]);
    becomes(&mut world, changed, "error", "must be told by hand").await;
    at_warehouse(&mut world, changed, &[key(changed)]).await;
    answer(&world, changed, "accepted");
    let again = format!("{}-R2", key(changed));
    at_warehouse(&mut world, changed, &[key(changed), again.clone()]).await;
    assert_eq!(asked(&world, &again), Decimal::from(4));
    // A change that is left as it was sent, and taken back.
    change(&world, kept, 4);
    becomes(&mut world, kept, "error", "3 sent, 4 wanted now").await;
    answer(&world, kept, "too-late");
    becomes(&mut world, kept, "open", "came too late").await;
    change(&world, kept, 3);
    // Somebody else's note over the same goods is used instead of making one; a status that a person set stays.
    world.brightpearl.create_note(ACCOUNT, used, WAREHOUSE, 203, None).expect("a note");
    world.brightpearl.set_status(ACCOUNT, used, 3).expect("a status");
    look(&world, used);

    for order in [silent, part] {
        let asks = becomes(&mut world, order, "error", "Ada asks it").await;
        assert_eq!(outcome(&asks), "silent");
    }
    let box_of_two = PlannedShipment { boxes: vec![vec![("1".to_owned(), Decimal::TWO)]] };
    floor.tell(&key(part), Handling::Exactly(vec![box_of_two]));
    for sent in [key(revised), key(silent), again, key(kept), key(used)] {
        floor.tell(&sent, Handling::Full);
    }
    for order in [revised, changed] {
        becomes(&mut world, order, "closed", "").await;
    }
    for order in [silent, kept] {
        let ended = becomes(&mut world, order, "closed", "came too late").await;
        assert_eq!(outcome(&ended), "too_late");
    }
    becomes(&mut world, used, "closed", "").await;
    assert_eq!(world.brightpearl.notes(ACCOUNT, used).expect("notes").len(), 1, "no second note");
    assert_eq!(world.brightpearl.order(ACCOUNT, used).expect("the order").status_id, 3, "a person's status stays");
    // Some left, and a person hears that the rest does not.
    world
        .until("part of it left", LIMIT, |world| {
            if shown(world, part)["shipments"][0]["confirmed_at"].is_string() { Ok(()) } else { Err(String::new()) }
        })
        .await;
    answer(&world, part, "partly");
    assert_eq!(outcome(&becomes(&mut world, part, "closed", "in part").await), "partly");
    ledgers_agree(&world, &[revised, stopped, silent, part, changed, kept, used]);
}
