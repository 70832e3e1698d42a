//! Cancels and changes after an order was sent: how they are kept, and how they end.

use std::{collections::BTreeMap, time::Duration};

use connect::{EffectKind, FeedCursor, LineRef, LinesEnded, OrderId, RemoteRef, RequestState, Side};
use engine::{
    change::{Difference, Follows},
    effect::EffectState::{self, Applied, Refused, Unknown, Voided},
    order::{Disposition, OrderState},
    race::{Answer, Outcome},
    settings::OnChange,
};
use jiff::{SignedDuration, Timestamp};
use millrace::db::{
    Advance, ConnectionKey, Count, ImportedOrder, NewEffect, Patience, RaceView, Recorded, RequestView, RequestWork,
    Subject, WishOrigin,
};

use super::world::{
    LEASE, World, arm_of, carry_out, decimal, effect, imported, lines, on_both, order, patience, request, request_key,
    requested, settlement, shipment,
};

/// An order that is read now: everything that was written down before it is known.
const LATEST: Timestamp = Timestamp::MAX;

async fn id(world: &World, key: &ConnectionKey, order_id: i64) -> OrderId {
    world.db.known_orders(key, &[order_id]).await.unwrap()[&order_id].id.clone()
}

async fn requests(world: &World, key: &ConnectionKey, order_id: i64) -> Vec<RequestView> {
    let id = id(world, key, order_id).await;
    world.db.order(&key.scope, &id).await.unwrap().requests
}

async fn race(world: &World, key: &ConnectionKey, order_id: i64) -> RaceView {
    requests(world, key, order_id).await.into_iter().rev().find_map(|request| request.race).expect("a race")
}

async fn shown(world: &World, key: &ConnectionKey, order_id: i64) -> (OrderState, String) {
    let id = id(world, key, order_id).await;
    let view = world.db.order(&key.scope, &id).await.unwrap().view;
    (view.state, view.reason)
}

async fn steps(world: &World, key: &ConnectionKey, order_id: i64) -> Vec<String> {
    race(world, key, order_id).await.steps.into_iter().map(|step| step.step).collect()
}

/// An order that the warehouse has.
async fn sent(world: &World, key: &ConnectionKey, order_id: i64) {
    world.db.record_orders(key, "acme", vec![requested(order_id)]).await.unwrap();
    carry_out(&world.db, key, Side::Warehouse, &[Applied]).await;
}

async fn cancel(world: &World, key: &ConnectionKey, order_id: i64, origin: WishOrigin, patience: &Patience) {
    world.db.want_cancel(key, order_id, "cancelled in Brightpearl", origin, "", patience).await.unwrap();
}

async fn work(world: &World, key: &ConnectionKey, order_id: i64) -> RequestWork {
    let work = world.db.requests_to_advance(key, 100).await.unwrap();
    work.into_iter().find(|request| request.order_id == order_id).expect("it asks to be looked at")
}

/// Looks at the request as the next steps would.
async fn look(world: &World, key: &ConnectionKey, order_id: i64, steps: Advance) {
    let asked = work(world, key, order_id).await;
    assert!(world.db.advance(key, &asked.id, asked.version, steps).await.unwrap());
}

/// Plans the cancel of an order at the warehouse.
async fn plan_cancel(world: &World, key: &ConnectionKey, order_id: i64) {
    let asked = work(world, key, order_id).await;
    let cancel = NewEffect {
        subject: Subject { order: Some(asked.order.clone()), request: Some(asked.id.clone()), ..Subject::default() },
        ..effect(EffectKind::CancelRequest, &asked.key, &engine::key::order_lane("acme", order_id))
    };
    let steps = Advance { effects: vec![cancel], ..Advance::default() };
    assert!(world.db.advance(key, &asked.id, asked.version, steps).await.unwrap());
}

/// Carries the cancel out: the states it passes, and what the connector says came of it.
async fn carry_cancel(world: &World, key: &ConnectionKey, path: &[EffectState], said: Option<&str>) {
    let rows = world.db.claim_effects(key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
    assert_eq!((rows.len(), rows[0].kind), (1, EffectKind::CancelRequest));
    world.db.arm(key, vec![arm_of(&rows[0])], super::world::DEADLINE).await.unwrap();
    let mut settlement = settlement(&rows[0], path);
    settlement.remote = said.map(|said| RemoteRef::new("7").with("outcome", said));
    world.db.settle(key, vec![settlement]).await.unwrap();
}

async fn ship(world: &World, key: &ConnectionKey, order_id: i64, reference: &str, quantities: &[i64]) {
    let left = shipment(&order(order_id), reference, &request_key(order_id), quantities);
    world.db.record_shipments(key, vec![left], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
}

async fn claims(world: &World, order_id: i64) -> Vec<String> {
    let sql = format!("SELECT row_id || '=' || quantity FROM claim WHERE order_id = {order_id} ORDER BY row_id");
    world.raw().await.texts(&sql).await
}

/// The order with another quantity on its first row, under this key.
fn changed(order_id: i64, quantity: &str, key: &str) -> ImportedOrder {
    let mut order = order(order_id);
    order.lines[0].quantity = decimal(quantity);
    let request = request(&order, key, lines(&order));
    imported(order, Disposition::Requested, vec![request])
}

fn difference(order_id: i64, words: &str) -> BTreeMap<String, Difference> {
    let one = Difference { words: vec![words.to_owned()], follows: Follows::Policy };
    BTreeMap::from([(request_key(order_id), one)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_as_the_warehouse_says() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let status = WishOrigin::Status;
        // The warehouse's yes.
        sent(&world, &key, 1).await;
        cancel(&world, &key, 1, status, &patience()).await;
        cancel(&world, &key, 1, status, &patience()).await;
        assert_eq!(steps(&world, &key, 1).await, ["asked"], "asked again, it changes nothing");
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Open);
        plan_cancel(&world, &key, 1).await;
        carry_cancel(&world, &key, &[Applied], None).await;
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Cancelled);
        assert_eq!(steps(&world, &key, 1).await, ["asked", "accepted"]);
        assert!(claims(&world, 1).await.is_empty(), "what it held is free");
        // Its no, which is nobody's matter: the order goes on.
        sent(&world, &key, 2).await;
        cancel(&world, &key, 2, status, &patience()).await;
        plan_cancel(&world, &key, 2).await;
        carry_cancel(&world, &key, &[Refused, Voided], Some("too_late")).await;
        let (state, reason) = shown(&world, &key, 2).await;
        assert_eq!(state, OrderState::Open, "{reason}");
        assert!(reason.contains("too late"), "{reason}");
        assert_eq!(work(&world, &key, 2).await.cancel_wanted, None, "the normal flow goes on");
        ship(&world, &key, 2, "S2", &[3, 1]).await;
        assert_eq!(shown(&world, &key, 2).await.0, OrderState::Shipped);
        // Any other refusal is a person's matter.
        sent(&world, &key, 3).await;
        cancel(&world, &key, 3, status, &patience()).await;
        plan_cancel(&world, &key, 3).await;
        carry_cancel(&world, &key, &[Refused], None).await;
        assert_eq!(shown(&world, &key, 3).await.0, OrderState::Error);
        assert_eq!(race(&world, &key, 3).await.shown.outcome, Outcome::Pending);
        // Until what left tells.
        ship(&world, &key, 3, "S3", &[3, 1]).await;
        assert_eq!(race(&world, &key, 3).await.shown.outcome, Outcome::TooLate);
        assert_eq!(shown(&world, &key, 3).await.0, OrderState::Shipped);
        // Part of it leaves and the rest is cancelled there.
        sent(&world, &key, 4).await;
        cancel(&world, &key, 4, status, &patience()).await;
        ship(&world, &key, 4, "S4", &[1, 0]).await;
        assert_eq!(race(&world, &key, 4).await.shown.outcome, Outcome::Pending);
        let states = vec![(request_key(4), RequestState::Cancelled)];
        world.db.record_shipments(&key, Vec::new(), states, &[], &[], &FeedCursor::default()).await.unwrap();
        assert_eq!(race(&world, &key, 4).await.shown.outcome, Outcome::Partly);
        assert_eq!(shown(&world, &key, 4).await.0, OrderState::Error, "a person sees to it");
        world.db.record_answer(&key, 4, Answer::Partly, "seen", "ada").await.unwrap();
        assert_eq!(shown(&world, &key, 4).await.0, OrderState::Shipped, "what left is told, nothing more will leave");
        // Where it was to be stopped, a report with nothing in it is the yes, whatever it calls the lines; from each of its zones.
        sent(&world, &key, 7).await;
        let line = |line_number: u32| LineRef { line_number: Some(line_number), sku: String::new() };
        let nothing_of = async |line_number: u32| {
            let said = LinesEnded {
                none_left: vec![line(line_number)],
                odd: Some("complete".to_owned()),
                ..LinesEnded::default()
            };
            let states = vec![(request_key(7), RequestState::LinesEnded(said))];
            world.db.record_shipments(&key, Vec::new(), states, &[], &[], &FeedCursor::default()).await.unwrap();
        };
        let odd = async || {
            let found = world.db.exceptions(&key, false, 10).await.unwrap();
            found.iter().filter(|one| one.kind == "nothing_left").count()
        };
        nothing_of(1).await;
        assert_eq!((shown(&world, &key, 7).await.0, odd().await), (OrderState::Open, 1), "for a person: it cannot be");
        cancel(&world, &key, 7, status, &patience()).await;
        nothing_of(1).await;
        assert_eq!(race(&world, &key, 7).await.shown.outcome, Outcome::Pending, "of the other line nothing was said");
        nothing_of(2).await;
        assert_eq!((race(&world, &key, 7).await.shown.outcome, odd().await), (Outcome::Accepted, 1));
        // It never got there.
        world.db.record_orders(&key, "acme", vec![requested(5)]).await.unwrap();
        carry_out(&world.db, &key, Side::Warehouse, &[Unknown]).await;
        cancel(&world, &key, 5, status, &patience()).await;
        let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        let submits: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        assert_eq!(world.db.unwanted_submits(&key, &submits).await.unwrap().len(), 1, "it is not sent to find out");
        let gone = settlement(&rows[0], &[EffectState::AbsentConfirmed, Voided]);
        world.db.settle(&key, vec![gone]).await.unwrap();
        assert_eq!(race(&world, &key, 5).await.shown.outcome, Outcome::Accepted);
        // Wanted again: it goes under its own key, and the cancel of that time does not go with it.
        world.db.record_orders(&key, "acme", vec![requested(5)]).await.unwrap();
        let rows = carry_out(&world.db, &key, Side::Warehouse, &[Applied]).await;
        assert_eq!((rows.len(), rows[0].id == submits[0]), (1, true));
        assert_eq!(work(&world, &key, 5).await.cancel_wanted, None);
        assert_eq!(shown(&world, &key, 5).await.0, OrderState::Open);
        // One that did not leave after all, and was cancelled while it might have.
        world.db.record_orders(&key, "acme", vec![requested(6)]).await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        world.db.arm(&key, vec![arm_of(&rows[0])], super::world::DEADLINE).await.unwrap();
        cancel(&world, &key, 6, WishOrigin::Person, &patience()).await;
        let mut back = settlement(&rows[0], &[EffectState::NotSent]);
        back.next_at = Some(jiff::Timestamp::UNIX_EPOCH);
        world.db.settle(&key, vec![back]).await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows[0].state, EffectState::NotSent);
        let asked = [rows[0].id.clone()];
        assert_eq!(world.db.unwanted_submits(&key, &asked).await.unwrap().len(), 1, "O4: nobody wants it any more");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_of_before_the_end_may_have_kept_units() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let products = [1001, 1002];
        let settle = Duration::from_secs(30);
        let hand = async |at: Timestamp| {
            let seen = world.db.in_flight(&key, 2, Count { cut_off: at, settle, holds: false }, &products).await.unwrap();
            products.map(|product| {
                let flight = seen.get(&product).copied().unwrap_or_default();
                (flight.accepted, flight.ending.is_some())
            })
        };
        let hours = |hours: i64| SignedDuration::from_hours(hours);
        let say = async |order_id: i64, said: RequestState| {
            let states = vec![(request_key(order_id), said)];
            world.db.record_shipments(&key, Vec::new(), states, &[], &[], &FeedCursor::default()).await.unwrap();
        };
        let (three, one, none) = (decimal("3"), decimal("1"), decimal("0"));
        let now = world.db.now().await.unwrap();
        let (before, after) = (now - hours(1), now + hours(1));
        // One of its lines ended.
        sent(&world, &key, 1).await;
        assert_eq!(hand(after).await, [(three, false), (one, false)]);
        let line = LineRef { line_number: Some(2), sku: String::new() };
        let ends = || RequestState::LinesEnded(LinesEnded { ended: vec![line.clone()], ..LinesEnded::default() });
        say(1, ends()).await;
        assert_eq!(hand(after).await, [(three, false), (none, false)], "kept for nobody any more");
        assert_eq!(hand(before).await, [(none, false), (none, true)], "a count of before may have kept it");
        // Cancelled there, of itself.
        say(1, RequestState::Cancelled).await;
        assert_eq!(hand(after).await, [(none, false), (none, false)]);
        assert_eq!(hand(before).await, [(none, true), (none, true)]);
        let at = world.raw().await.texts("SELECT CAST(ended_at AS TEXT) FROM request").await;
        tokio::time::sleep(Duration::from_millis(3)).await;
        say(1, RequestState::Cancelled).await;
        say(1, ends()).await;
        let again = world.raw().await.texts("SELECT CAST(ended_at AS TEXT) FROM request").await;
        assert_eq!(at, again, "said again, it is no later");
        // Part of another leaves, and that was all.
        sent(&world, &key, 2).await;
        ship(&world, &key, 2, "S2", &[3, 0]).await;
        say(2, RequestState::Finished).await;
        let seen = hand(world.db.now().await.unwrap() - hours(1)).await;
        assert_eq!(seen.map(|(_, ending)| ending), [true, true], "of the first still by the order before");
        world.raw().await.run("UPDATE request SET ended_at = NULL WHERE order_id = 1").await.unwrap();
        let seen = hand(before).await;
        assert_eq!(seen.map(|(_, ending)| ending), [false, true], "all of the first has left");
        world.raw().await.run("UPDATE request SET ended_at = NULL WHERE order_id = 2").await.unwrap();
        // Asked to be cancelled, as long as nobody knows what came of it.
        sent(&world, &key, 3).await;
        assert!(!hand(after).await[0].1);
        cancel(&world, &key, 3, WishOrigin::Status, &patience()).await;
        assert!(!hand(after).await[0].1, "nobody has asked the warehouse yet");
        plan_cancel(&world, &key, 3).await;
        assert!(!hand(after).await[0].1);
        carry_cancel(&world, &key, &[Unknown], None).await;
        let six = decimal("6");
        assert_eq!(hand(after).await[0], (six, true), "with what left of the second order and is not posted");
        let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        let mut found = settlement(&rows[0], &[Applied]);
        found.remote = Some(RemoteRef::new("7").with("outcome", "accepted"));
        world.db.settle(&key, vec![found]).await.unwrap();
        assert_eq!(race(&world, &key, 3).await.shown.outcome, Outcome::Accepted);
        assert_eq!(hand(after).await, [(three, false), (none, false)]);
        assert_eq!(hand(before).await, [(none, true), (none, true)]);
        world.raw().await.run("UPDATE request SET ended_at = NULL WHERE order_id = 3").await.unwrap();
        // By telephone.
        sent(&world, &key, 4).await;
        cancel(&world, &key, 4, WishOrigin::Status, &patience()).await;
        let by_hand = Some("tell them by telephone".to_owned());
        look(&world, &key, 4, Advance { by_hand, ..Advance::default() }).await;
        assert_eq!(hand(after).await[0], (six, true));
        world.db.record_answer(&key, 4, Answer::TooLate, "picked already", "ada").await.unwrap();
        assert_eq!(hand(after).await[0], (six, false));
        // Taken back, when they may have been told already.
        world.raw().await.run("UPDATE race SET outcome = 'withdrawn', withdrawn = 1, answer = NULL WHERE order_ref = (SELECT id FROM orders WHERE order_id = 4)").await.unwrap();
        assert_eq!(hand(after).await[0], (six, true));
        world.raw().await.run("UPDATE race SET by_hand = NULL").await.unwrap();
        assert_eq!(hand(after).await[0], (six, false));
        // Nobody asked in time, and somebody does now.
        sent(&world, &key, 5).await;
        let hasty = Patience { within: Duration::ZERO, owner: "Ada".to_owned() };
        cancel(&world, &key, 5, WishOrigin::Status, &hasty).await;
        look(&world, &key, 5, Advance::default()).await;
        assert_eq!(race(&world, &key, 5).await.shown.outcome, Outcome::Silent);
        assert!(hand(after).await[0].1);
        // It leaves all the same after it was ended.
        say(5, RequestState::Cancelled).await;
        assert!(!hand(after).await[0].1);
        assert_eq!(race(&world, &key, 5).await.shown.outcome, Outcome::Accepted);
        tokio::time::sleep(Duration::from_millis(3)).await;
        let mut late = shipment(&order(5), "S5", &request_key(5), &[3, 1]);
        late.shipment.shipped_at = world.db.now().await.unwrap();
        late.shipment.is_final = true;
        world.db.record_shipments(&key, vec![late], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
        assert_eq!(race(&world, &key, 5).await.shown.outcome, Outcome::TooLate);
        assert!(hand(before).await[0].1, "at a count in between they were kept for nobody");
        assert!(!hand(after).await[0].1);
        // Given up after it was tried: it may have been there for a while.
        world.raw().await.run("UPDATE request SET ended_at = NULL").await.unwrap();
        world.db.record_orders(&key, "acme", vec![requested(6)]).await.unwrap();
        carry_out(&world.db, &key, Side::Warehouse, &[Unknown]).await;
        let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        world.db.settle(&key, vec![settlement(&rows[0], &[EffectState::AbsentConfirmed, Voided])]).await.unwrap();
        assert!(hand(before).await[0].1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_somebodys_and_a_late_answer_counts() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let hasty = Patience { within: Duration::ZERO, owner: "Ada".to_owned() };
        for order_id in 1..=3 {
            sent(&world, &key, order_id).await;
            cancel(&world, &key, order_id, WishOrigin::Status, &hasty).await;
            let by_hand = Some("tell them by telephone".to_owned());
            look(&world, &key, order_id, Advance { by_hand, ..Advance::default() }).await;
            let told = race(&world, &key, order_id).await.shown;
            assert_eq!((told.outcome, told.owner.as_str()), (Outcome::Silent, "Ada"));
            let (state, reason) = shown(&world, &key, order_id).await;
            assert_eq!(state, OrderState::Error);
            assert!(reason.contains("silent") && reason.contains("Ada"), "{reason}");
        }
        ship(&world, &key, 1, "S1", &[3, 1]).await;
        assert_eq!(race(&world, &key, 1).await.shown.outcome, Outcome::TooLate);
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Shipped);
        world.db.record_answer(&key, 2, Answer::Accepted, "Bob on the telephone", "ada").await.unwrap();
        assert_eq!(shown(&world, &key, 2).await.0, OrderState::Cancelled);
        let told = race(&world, &key, 2).await;
        let names: Vec<&str> = told.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["asked", "silent", "by_hand", "answered", "accepted"]);
        assert_eq!(told.steps[3].actor, "ada");
        // Yes, they said, and a box left all the same: what left counts, and is told.
        ship(&world, &key, 2, "S2", &[3, 1]).await;
        assert_eq!(race(&world, &key, 2).await.shown.outcome, Outcome::TooLate);
        assert_eq!(shown(&world, &key, 2).await.0, OrderState::Shipped);
        let refused = world.db.record_answer(&key, 2, Answer::Accepted, "no", "ada").await.unwrap_err();
        assert!(refused.to_string().contains("no cancel or change"), "{refused}");
        world.db.record_answer(&key, 3, Answer::TooLate, "packed already", "ada").await.unwrap();
        assert_eq!(shown(&world, &key, 3).await.0, OrderState::Open);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_taken_back() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        // In time: it is not sent, and sent when it is wanted once more.
        sent(&world, &key, 1).await;
        cancel(&world, &key, 1, WishOrigin::Status, &patience()).await;
        plan_cancel(&world, &key, 1).await;
        // Not by who had read the order before it was cancelled.
        assert!(!world.db.take_back_cancel(&key, 1, Timestamp::UNIX_EPOCH).await.unwrap());
        assert_eq!(race(&world, &key, 1).await.shown.outcome, Outcome::Pending);
        assert!(!world.db.take_back_cancel(&key, 1, LATEST).await.unwrap());
        assert!(world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
        assert_eq!(race(&world, &key, 1).await.shown.outcome, Outcome::Withdrawn);
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Open);
        cancel(&world, &key, 1, WishOrigin::Status, &patience()).await;
        plan_cancel(&world, &key, 1).await;
        carry_cancel(&world, &key, &[Applied], None).await;
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Cancelled);
        // After the yes: it goes again, under a fresh key, and only then.
        let again =
            imported(order(1), Disposition::Requested, vec![request(&order(1), "BPacme-O1-R2", lines(&order(1)))]);
        assert!(world.db.take_back_cancel(&key, 1, LATEST).await.unwrap());
        let known = world.db.known_orders(&key, &[1]).await.unwrap().remove(&1).unwrap();
        assert!(!known.sent && known.dead_keys.contains(&request_key(1)), "{known:?}");
        assert!(world.db.unseen_orders(&key).await.unwrap().contains(&1));
        world.db.record_orders(&key, "acme", vec![again]).await.unwrap();
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Queued);
        assert_eq!(claims(&world, 1).await, ["11=3", "12=1"]);
        // Too late to take back: on its way already. Accepted, it goes again as well.
        sent(&world, &key, 2).await;
        carry_out(&world.db, &key, Side::Warehouse, &[Applied]).await;
        cancel(&world, &key, 2, WishOrigin::Status, &patience()).await;
        plan_cancel(&world, &key, 2).await;
        let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        world.db.arm(&key, vec![arm_of(&rows[0])], super::world::DEADLINE).await.unwrap();
        assert!(!world.db.take_back_cancel(&key, 2, LATEST).await.unwrap());
        assert_eq!(race(&world, &key, 2).await.shown.outcome, Outcome::Pending);
        world.db.settle(&key, vec![settlement(&rows[0], &[Applied])]).await.unwrap();
        let known = world.db.known_orders(&key, &[2]).await.unwrap().remove(&2).unwrap();
        assert!(!known.sent && known.dead_keys.len() == 1, "{known:?}");
        // A person's cancel is not undone by what Brightpearl shows.
        sent(&world, &key, 3).await;
        carry_out(&world.db, &key, Side::Warehouse, &[Applied]).await;
        cancel(&world, &key, 3, WishOrigin::Person, &patience()).await;
        assert!(!world.db.take_back_cancel(&key, 3, LATEST).await.unwrap());
        assert!(work(&world, &key, 3).await.cancel_wanted.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_again_once_the_old_one_is_cancelled() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let words = "row 11: 3 sent, 2 wanted now";
        sent(&world, &key, 1).await;
        let ask = OnChange::Ask;
        assert!(world.db.note_changes(&key, 1, LATEST, difference(1, words), ask, &patience()).await.unwrap());
        assert!(!world.db.note_changes(&key, 1, LATEST, difference(1, words), ask, &patience()).await.unwrap());
        let (state, reason) = shown(&world, &key, 1).await;
        assert_eq!(state, OrderState::Error);
        assert!(reason.contains(words), "{reason}");
        // Changed back: nothing is left of it, once it was read since. Changed once more.
        world.db.note_changes(&key, 1, Timestamp::UNIX_EPOCH, BTreeMap::new(), ask, &patience()).await.unwrap();
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Error);
        world.db.note_changes(&key, 1, LATEST, BTreeMap::new(), ask, &patience()).await.unwrap();
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Open);
        world.db.note_changes(&key, 1, LATEST, difference(1, words), ask, &patience()).await.unwrap();
        // While the old one lives, nothing of the new one is planned.
        let early = world.db.record_orders(&key, "acme", vec![changed(1, "2", "BPacme-O1-R2")]).await.unwrap();
        assert!(matches!(early[0], Recorded::ClaimedElsewhere(_)), "{early:?}");
        assert!(world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
        world.db.send_again(&key, 1, "the customer wants two", "ada", &patience()).await.unwrap();
        plan_cancel(&world, &key, 1).await;
        carry_cancel(&world, &key, &[Applied], None).await;
        assert_eq!(steps(&world, &key, 1).await.iter().filter(|step| *step == "again").count(), 1);
        world.db.record_orders(&key, "acme", vec![changed(1, "2", "BPacme-O1-R2")]).await.unwrap();
        assert_eq!(claims(&world, 1).await, ["11=2", "12=1"], "claims follow");
        let all = requests(&world, &key, 1).await;
        let live: Vec<&str> = all.iter().filter(|request| request.live).map(|request| request.key.as_str()).collect();
        assert_eq!(live, ["BPacme-O1-R2"], "never two live keys");
        // The warehouse ships the cancelled one all the same: nobody is told, everybody sees it.
        ship(&world, &key, 1, "S1", &[3, 1]).await;
        let exceptions = world.db.exceptions(&key, false, 10).await.unwrap();
        assert!(exceptions.iter().any(|exception| exception.kind == "shipped_after_cancel"), "{exceptions:?}");
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Error);
        // The same with nothing live in its place yet.
        sent(&world, &key, 9).await;
        world.db.note_changes(&key, 9, LATEST, difference(9, words), ask, &patience()).await.unwrap();
        world.db.send_again(&key, 9, "the customer wants two", "ada", &patience()).await.unwrap();
        plan_cancel(&world, &key, 9).await;
        carry_cancel(&world, &key, &[Applied], None).await;
        assert!(requests(&world, &key, 9).await.iter().all(|request| !request.live));
        ship(&world, &key, 9, "S9", &[3, 1]).await;
        let (state, reason) = shown(&world, &key, 9).await;
        assert_eq!(state, OrderState::Error);
        assert!(reason.contains("shipped it all the same"), "{reason}");
        // By the connection's policy it asks nobody, and loses the race without a word to anybody.
        sent(&world, &key, 2).await;
        carry_out(&world.db, &key, Side::Warehouse, &[Applied]).await;
        let by_itself = OnChange::CancelAndResend;
        world.db.note_changes(&key, 2, LATEST, difference(2, "row 21"), by_itself, &patience()).await.unwrap();
        assert_eq!(shown(&world, &key, 2).await.0, OrderState::Open);
        plan_cancel(&world, &key, 2).await;
        carry_cancel(&world, &key, &[Refused, Voided], Some("too_late")).await;
        assert_eq!(race(&world, &key, 2).await.shown.outcome, Outcome::TooLate);
        assert!(
            !world.db.note_changes(&key, 2, LATEST, difference(2, "row 21"), by_itself, &patience()).await.unwrap()
        );
        // Left as it was sent.
        sent(&world, &key, 3).await;
        world.db.note_changes(&key, 3, LATEST, difference(3, "row 31"), ask, &patience()).await.unwrap();
        world.db.record_answer(&key, 3, Answer::TooLate, "let it go", "ada").await.unwrap();
        assert_eq!(shown(&world, &key, 3).await.0, OrderState::Open);
        assert!(!world.db.note_changes(&key, 3, LATEST, difference(3, "row 31"), ask, &patience()).await.unwrap());
        assert!(world.db.note_changes(&key, 3, LATEST, difference(3, "row 32"), ask, &patience()).await.unwrap());
        // Something left: it cannot go again as a whole.
        ship(&world, &key, 3, "S3", &[1, 0]).await;
        world.db.send_again(&key, 3, "again", "ada", &patience()).await.unwrap_err();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_for_second_thoughts_costs_nothing() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let leaves = world.db.now().await.unwrap() + SignedDuration::from_mins(10);
        let hold = |mut one: ImportedOrder| {
            one.requests[0].not_before = Some(leaves);
            one
        };
        let key2 = request_key(2);
        world.db.record_orders(&key, "acme", vec![hold(requested(1)), hold(requested(2))]).await.unwrap();
        let (state, reason) = shown(&world, &key, 1).await;
        assert_eq!(state, OrderState::Held);
        assert!(reason.contains("leaves at"), "{reason}");
        assert_eq!(requests(&world, &key, 1).await[0].leaves_at.map(|at| at.as_second()), Some(leaves.as_second()));
        cancel(&world, &key, 1, WishOrigin::Status, &patience()).await;
        assert_eq!(shown(&world, &key, 1).await.0, OrderState::Cancelled);
        assert!(requests(&world, &key, 1).await[0].race.is_none(), "the warehouse has nothing to do with it");
        // A change takes the old one's place and its time.
        world.db.record_orders(&key, "acme", vec![changed(2, "2", &key2)]).await.unwrap();
        assert_eq!(shown(&world, &key, 2).await.0, OrderState::Held);
        assert_eq!(requests(&world, &key, 2).await[0].leaves_at.map(|at| at.as_second()), Some(leaves.as_second()));
        assert!(world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
    })
    .await;
}
