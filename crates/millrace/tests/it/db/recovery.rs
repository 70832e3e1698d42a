//! What is kept about a loss of the journal: freezing, the count of commitments, what is suspect, and what may be claimed meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use connect::{EffectKind, FeedCursor, RequestLine, Side};
use engine::{
    effect::EffectState,
    order::{Disposition, OrderState},
    safety::Home,
};
use futures_util::future::BoxFuture;
use millrace::db::{
    Access, Arm, AttemptRow, CANNOT_ASK, Database, DbError, EffectDecision, FrozenKind, Guard, Look, Observer,
    OrderQuery, Outside, Phase, Settlement, Verdict,
};

use super::world::{
    World, carry_out, effect, imported, lines, on_both, order, request, request_key, settlement, shipment,
};

const LEASE: Duration = Duration::from_secs(90);
const HTTP: Duration = Duration::from_secs(30);

/// Counts what it is told; refuses when told to.
#[derive(Default)]
pub struct Told {
    known: AtomicI64,
    pub refuses: AtomicI64,
}

impl Outside for Told {
    fn known(&self) -> i64 {
        self.known.load(Ordering::SeqCst)
    }

    fn committed(&self, armed: i64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if self.refuses.load(Ordering::SeqCst) != 0 {
                return Err("the disk is full".to_owned());
            }
            self.known.fetch_max(armed, Ordering::SeqCst);
            Ok(())
        })
    }
}

async fn counts(db: &Database, access: &Access) -> Vec<(String, i64)> {
    db.looks(access).await.unwrap().into_values().flatten().collect()
}

#[tokio::test]
async fn intents_are_counted_and_witnessed() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let outside = Arc::new(Told::default());
        world.db.set_guard(Guard { outside: Arc::clone(&outside) as Arc<dyn Outside>, synchronous: false });
        world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "1", "lane/1")]).await.unwrap();
        let row = world.db.claim_effects(&key, Side::Source, "node", LEASE, 1).await.unwrap().rows.remove(0);
        let arm = Arm { id: row.id.clone(), fence: row.fence, from: row.state, baseline: serde_json::json!({}) };
        assert!(world.db.arm(&key, vec![arm], HTTP).await.unwrap()[0].is_some());
        assert_eq!((outside.known(), world.db.safety().await.unwrap().kept.armed), (1, 1));
        world.db.settle(&key, vec![settlement(&row, &[EffectState::NotSent])]).await.unwrap();

        // What cannot be witnessed is not acted upon.
        outside.refuses.store(1, Ordering::SeqCst);
        let row = world.db.claim_effects(&key, Side::Source, "node", LEASE, 1).await.unwrap().rows.remove(0);
        let arm = Arm { id: row.id.clone(), fence: row.fence, from: row.state, baseline: serde_json::json!({}) };
        let refused = world.db.arm(&key, vec![arm], HTTP).await;
        assert!(matches!(refused, Err(DbError::Unavailable { .. })), "{refused:?}");
        world.db.settle(&key, vec![settlement(&row, &[EffectState::NotSent])]).await.unwrap();

        // The database went back while the program ran.
        outside.refuses.store(0, Ordering::SeqCst);
        outside.known.store(100, Ordering::SeqCst);
        let row = world.db.claim_effects(&key, Side::Source, "node", LEASE, 1).await.unwrap().rows.remove(0);
        let arm = Arm { id: row.id.clone(), fence: row.fence, from: row.state, baseline: serde_json::json!({}) };
        assert_eq!(world.db.arm(&key, vec![arm], HTTP).await.unwrap(), [None]);
        let state = world.db.safety().await.unwrap();
        assert_eq!(state.frozen.unwrap().kind, FrozenKind::Restored);
        assert_eq!(state.kept.armed, 100, "it is noticed once");
    })
    .await;
}

#[tokio::test]
async fn what_was_read_is_put_away_once_it_is_counted_and_witnessed() {
    on_both(|world: World| async move {
        world.connection("acme").await;
        let outside = Arc::new(Told::default());
        world.db.set_guard(Guard { outside: Arc::clone(&outside) as Arc<dyn Outside>, synchronous: false });
        assert!(world.db.may_put_away().await.unwrap());
        assert_eq!((outside.known(), world.db.safety().await.unwrap().kept.armed), (1, 1));

        // What cannot be witnessed stays where it is.
        outside.refuses.store(1, Ordering::SeqCst);
        let refused = world.db.may_put_away().await;
        assert!(matches!(refused, Err(DbError::Unavailable { .. })), "{refused:?}");

        // The database went back while the program ran: the file is left to whoever knows of it.
        outside.refuses.store(0, Ordering::SeqCst);
        outside.known.store(100, Ordering::SeqCst);
        assert!(!world.db.may_put_away().await.unwrap());
        let state = world.db.safety().await.unwrap();
        assert_eq!((state.frozen.unwrap().kind, state.kept.armed), (FrozenKind::Restored, 100));
        assert!(!world.db.may_put_away().await.unwrap(), "nor while sending is frozen");
        assert_eq!((outside.known(), world.db.safety().await.unwrap().kept.armed), (100, 100));
        world.db.release("ann", "all is well").await.unwrap();
        assert!(world.db.may_put_away().await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn frozen_looks_and_sends_nothing() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        world
            .db
            .plan_effects(
                &key,
                vec![effect(EffectKind::CreateNote, "1", "lane/1"), effect(EffectKind::PostShipped, "2", "lane/2")],
            )
            .await
            .unwrap();
        let first = world.db.claim_effects(&key, Side::Source, "node", LEASE, 1).await.unwrap().rows.remove(0);
        let arm = Arm { id: first.id.clone(), fence: first.fence, from: first.state, baseline: serde_json::json!({}) };
        world.db.arm(&key, vec![arm], HTTP).await.unwrap();
        world.db.settle(&key, vec![settlement(&first, &[EffectState::Unknown])]).await.unwrap();
        assert!(world.db.freeze(FrozenKind::Person, "a stocktake", "ann").await.unwrap());
        assert!(!world.db.freeze(FrozenKind::Person, "again", "ann").await.unwrap());
        assert!(world.db.next_effect_due(&key, Side::Source).await.unwrap().is_some());
        let looks = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        assert_eq!(
            looks.iter().map(|row| (&row.id, row.state)).collect::<Vec<_>>(),
            [(&first.id, EffectState::Probing)]
        );
        world.db.settle(&key, vec![settlement(&looks[0], &[EffectState::Applied])]).await.unwrap();
        assert!(world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows.is_empty());
        assert_eq!(world.db.next_effect_due(&key, Side::Source).await.unwrap(), None);
        // A loss noticed meanwhile takes the place of the person's reason.
        let alarm = Some((FrozenKind::Cloned, "it ran elsewhere".to_owned()));
        assert!(world.db.settle_home(Home::default(), 0, alarm).await.unwrap());
        assert_eq!(world.db.safety().await.unwrap().frozen.unwrap().kind, FrozenKind::Cloned);
        world.db.release("ann", "all is well").await.unwrap();
        assert_eq!(world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn everything_of_the_window_is_looked_for_before_it_is_sent() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let access = Access::from(&key.scope.tenant);
        // Two of one lane, one alone, one that was being sent, and a difference of stock.
        let planned = vec![
            effect(EffectKind::CreateNote, "1", "lane/1"),
            effect(EffectKind::SetStatus, "2", "lane/1"),
            effect(EffectKind::AddOrderNote, "3", "lane/3"),
            effect(EffectKind::CorrectStock, "4", "lane/4"),
        ];
        world.db.plan_effects(&key, planned).await.unwrap();
        let since = world.db.now().await.unwrap();
        assert!(matches!(world.db.begin_recovery(since, "ann").await, Err(DbError::Refused(_))), "not frozen");
        world.db.freeze(FrozenKind::Restored, "a backup", "millrace").await.unwrap();
        assert!(world.db.import_waits(&key).await.unwrap().is_some());
        assert_eq!(world.db.begin_recovery(since, "ann").await.unwrap(), 4);
        let lost = world.db.pass_wanted(&key).await.unwrap().expect("it is to be read again");
        assert!(lost.until >= lost.since);
        assert!(world.db.stock_waits(&key).await.unwrap().is_some());

        // One of each lane at a time, all of them as looks.
        let rows = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        let mut keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["1", "3", "4"]);
        assert!(rows.iter().all(|row| row.suspect && row.state == EffectState::Probing));
        assert!(rows.iter().all(|row| row.armed_at == Some(lost.until) && row.unknowns == 0));
        let settlements = rows
            .iter()
            .map(|row| match row.key.as_str() {
                "1" => settlement(row, &[EffectState::Applied]),
                "3" => Settlement {
                    attempt: AttemptRow { outcome: CANNOT_ASK.to_owned(), ..settlement(row, &[]).attempt },
                    ..settlement(row, &[EffectState::Parked])
                },
                _ => settlement(row, &[EffectState::AbsentConfirmed, EffectState::Voided]),
            })
            .collect();
        world.db.settle(&key, settlements).await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["2"], "then the next of the lane");
        world.db.settle(&key, vec![settlement(&rows[0], &[EffectState::AbsentConfirmed])]).await.unwrap();
        let expected: Vec<(String, i64)> =
            [("absent", 2), ("cannot_ask", 1), ("confirmed", 1)].map(|(look, count)| (look.to_owned(), count)).into();
        assert_eq!(counts(&world.db, &access).await, expected);
        assert_eq!(world.db.looked_for(&access, Look::CannotAsk, 10).await.unwrap()[0].key, "3");

        // What is planned meanwhile is suspect as well; what was found absent waits for the release.
        world.db.plan_effects(&key, vec![effect(EffectKind::PostShipped, "5", "lane/5")]).await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| (row.key.as_str(), row.suspect)).collect::<Vec<_>>(), [("5", true)]);
        world.db.settle(&key, vec![settlement(&rows[0], &[EffectState::AbsentConfirmed])]).await.unwrap();

        world.db.keep_pass(&key, &lost, &serde_json::json!({ "found": 0 }), true).await.unwrap();
        assert_eq!(world.db.pass_wanted(&key).await.unwrap(), None);
        assert_eq!(world.db.import_waits(&key).await.unwrap(), None);
        assert!(world.db.passes(&access).await.unwrap()[0].done_at.is_some());
        world.db.release("ann", "looked at").await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        let mut keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["2", "5"], "it goes on with what had not been done");
        assert!(rows.iter().all(|row| !row.suspect));
        assert!(world.db.stock_waits(&key).await.unwrap().is_some(), "the first comparison is a person's");
        // Later work that has nothing to do with the window is like any other.
        world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "6", "lane/6")]).await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| (row.key.as_str(), row.suspect)).collect::<Vec<_>>(), [("6", false)]);
        assert!(world.db.verify_audit(&Access::System).await.unwrap().is_none());
    })
    .await;
}

/// The warehouse ships under a key of the order's that nothing here has asked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_left_under_a_forgotten_key_holds_the_rest_of_its_order() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let (access, none) = (Access::from(&key.scope.tenant), FeedCursor(None));
        let of_note = |order_id: i64, note: i64| {
            let order = order(order_id);
            let asked = request(&order, &format!("{}-G{note}", request_key(order_id)), lines(&order));
            imported(order, Disposition::Requested, vec![asked])
        };
        let left = |order_id: i64, note: i64| {
            let gone = format!("{}-G{note}", request_key(order_id));
            shipment(&order(order_id), &format!("S{order_id}-{note}"), &gone, &[1])
        };
        let waits = || async {
            let query = OrderQuery { limit: 10, ..OrderQuery::default() };
            let orders = db.list_orders(&access, query).await.unwrap().items;
            let mut held: Vec<(i64, String)> = orders
                .into_iter()
                .filter(|order| order.state == OrderState::Held)
                .map(|order| (order.order_id, order.reason))
                .collect();
            held.sort();
            held
        };
        // Nothing was lost: a key that nobody knows says nothing about what is asked for.
        db.record_orders(&key, "acme", vec![of_note(1, 7)]).await.unwrap();
        db.record_shipments(&key, vec![left(1, 6)], Vec::new(), &[], &[], &none).await.unwrap();
        assert_eq!(waits().await, []);

        let since = db.now().await.unwrap();
        db.freeze(FrozenKind::Restored, "a backup", "millrace").await.unwrap();
        db.begin_recovery(since, "ann").await.unwrap();
        // It left before the order was known again, and after.
        let before = vec![left(2, 6), shipment(&order(3), "S3", "WEB-3-G6", &[1])];
        db.record_shipments(&key, before, Vec::new(), &[], &[], &none).await.unwrap();
        db.record_orders(&key, "acme", vec![of_note(2, 7), of_note(3, 7), of_note(4, 7)]).await.unwrap();
        db.record_shipments(&key, vec![left(4, 6)], Vec::new(), &[], &[], &none).await.unwrap();
        let held = waits().await;
        assert_eq!(held.iter().map(|(order_id, _)| *order_id).collect::<Vec<_>>(), [2, 4]);
        assert!(held[0].1.contains("BPacme-O2-G6"), "{held:?}");
        // Held or not, what a lost journal may have sent is looked for: the recovery could not end otherwise.
        let rows = db.claim_effects(&key, Side::Warehouse, "node", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.suspect && row.state == EffectState::Probing), "{rows:?}");
        // What comes under the key that was asked for is its own.
        db.record_shipments(&key, vec![left(3, 7)], Vec::new(), &[], &[], &none).await.unwrap();
        assert_eq!(waits().await.len(), 2);

        // Once a person has looked, it goes on, however often it is read.
        let second = db.known_orders(&key, &[2]).await.unwrap()[&2].id.clone();
        db.held_by_person(&key, &second, None, "ann").await.unwrap();
        db.record_orders(&key, "acme", vec![of_note(2, 7)]).await.unwrap();
        assert_eq!(waits().await.iter().map(|(order_id, _)| *order_id).collect::<Vec<_>>(), [4]);

        // So does what waited for a person when it was heard of: that it was not there does not say that its goods are.
        let first = rows.iter().find(|row| row.key == "BPacme-O1-G7").expect("it was looked for");
        db.settle(&key, vec![settlement(first, &[EffectState::Parked])]).await.unwrap();
        db.record_shipments(&key, vec![left(1, 5)], Vec::new(), &[], &[], &none).await.unwrap();
        db.decide(&key.scope, &first.id, EffectDecision::Retry, "ann", "it is not there").await.unwrap();
        let held = waits().await;
        assert_eq!(held.iter().map(|(order_id, _)| *order_id).collect::<Vec<_>>(), [1, 4]);
        assert!(held[0].1.contains("BPacme-O1-G5"), "{held:?}");
    })
    .await;
}

/// The warehouse has something under a key of the order's that nothing here has asked for, and nothing of it has left.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_under_a_forgotten_key_holds_what_is_planned_anew() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let (access, none) = (Access::from(&key.scope.tenant), FeedCursor(None));
        let of_note = |order_id: i64, note: i64| {
            let order = order(order_id);
            let asked = request(&order, &format!("{}-G{note}", request_key(order_id)), lines(&order));
            imported(order, Disposition::Requested, vec![asked])
        };
        let shown = || async {
            let exceptions = db.exceptions(&key, false, 10).await.unwrap();
            let mut open: Vec<String> = exceptions.iter().map(|one| format!("{} {}", one.kind, one.subject)).collect();
            open.sort();
            let query = OrderQuery { limit: 10, ..OrderQuery::default() };
            let orders = db.list_orders(&access, query).await.unwrap().items;
            let held = orders.into_iter().filter(|order| order.state == OrderState::Held);
            let mut held: Vec<(i64, String)> = held.map(|order| (order.order_id, order.reason)).collect();
            held.sort();
            (open, held)
        };
        let numbers = |held: &[(i64, String)]| held.iter().map(|(order_id, _)| *order_id).collect::<Vec<_>>();
        let exceptions = |orders: &[i64]| {
            orders.iter().map(|order_id| format!("forgotten_request BPacme-O{order_id}-G6")).collect::<Vec<_>>()
        };
        let since = db.now().await.unwrap();
        db.record_orders(&key, "acme", vec![of_note(4, 7)]).await.unwrap();
        db.freeze(FrozenKind::Restored, "a backup", "millrace").await.unwrap();
        db.begin_recovery(since, "ann").await.unwrap();
        // Order 3 was found by the recovery itself; that of order 2 is known once the order is read.
        let of_lines =
            |note: i64, lines: &[RequestLine]| request(&order(3), &format!("BPacme-O3-G{note}"), lines.to_vec());
        let (first, second) = (lines(&order(3))[..1].to_vec(), lines(&order(3))[1..].to_vec());
        let found = imported(order(3), Disposition::Requested, vec![of_lines(7, &first)]);
        db.record_orders(&key, "acme", vec![found]).await.unwrap();
        let there = [1, 2, 3, 4, 5].map(|order_id| format!("BPacme-O{order_id}-G6"));
        let keep = || {
            let known = ["BPacme-O4-G7".to_owned()];
            db.keep_forgotten(&key, there.iter().cloned().chain(known).collect())
        };
        assert_eq!(keep().await.unwrap(), there);
        let (open, held) = shown().await;
        assert_eq!(open, exceptions(&[1, 2, 3, 4, 5]));
        assert_eq!(numbers(&held), [3, 4], "what was planned before the loss, and what was found after it");
        assert!(held[0].1.contains("the warehouse has BPacme-O3-G6"), "{held:?}");

        // What is planned anew of such an order waits, unless it is what is there: then nothing of the order waits for that.
        db.record_orders(&key, "acme", vec![of_note(1, 8), of_note(2, 6)]).await.unwrap();
        let (open, held) = shown().await;
        assert_eq!(numbers(&held), [1, 3, 4]);
        assert_eq!(open, exceptions(&[1, 3, 4, 5]));
        let both = vec![of_lines(7, &first), of_lines(6, &second)];
        db.record_orders(&key, "acme", vec![imported(order(3), Disposition::Requested, both)]).await.unwrap();
        let (open, held) = shown().await;
        assert_eq!((numbers(&held), open), (vec![1, 4], exceptions(&[1, 4, 5])));

        // A person's own reason does not hide it.
        let fifth =
            imported(order(6), Disposition::Requested, vec![request(&order(6), "BPacme-O6-G7", lines(&order(6)))]);
        db.record_orders(&key, "acme", vec![fifth]).await.unwrap();
        let sixth = db.known_orders(&key, &[6]).await.unwrap()[&6].id.clone();
        db.held_by_person(&key, &sixth, Some("the customer rings back"), "ann").await.unwrap();
        db.keep_forgotten(&key, ["BPacme-O6-G6".to_owned()].into()).await.unwrap();
        let (_, held) = shown().await;
        let (_, why) = held.iter().find(|(order_id, _)| *order_id == 6).unwrap();
        assert!(why.starts_with("the customer rings back; the warehouse has BPacme-O6-G6"), "{why}");

        // Once it leaves, that is what is told.
        let left = shipment(&order(4), "S4", "BPacme-O4-G6", &[1]);
        db.record_shipments(&key, vec![left], Vec::new(), &[], &[], &none).await.unwrap();
        let (open, held) = shown().await;
        assert_eq!(numbers(&held), [1, 4, 6]);
        assert!(held[1].1.starts_with("the warehouse has shipped BPacme-O4-G6"), "{held:?}");
        assert_eq!(open[..3], exceptions(&[1, 5, 6]));
        assert_eq!(open[3..], ["unknown_key S4"]);

        // Looked for once more it is not raised again; and what a person has settled holds nothing back.
        assert_eq!(keep().await.unwrap(), [1, 5].map(|order_id| format!("BPacme-O{order_id}-G6")));
        for one in db.exceptions(&key, false, 10).await.unwrap() {
            db.resolve_exception(&key.scope, &one.id, "ann").await.unwrap();
        }
        db.record_orders(&key, "acme", vec![of_note(5, 7)]).await.unwrap();
        assert_eq!(numbers(&shown().await.1), [1, 4, 6]);
    })
    .await;
}

/// A second loss does not make the first one undone: what was made in it is still there, and forgotten.
#[tokio::test]
async fn every_window_that_was_lost_is_remembered() {
    on_both(|world: World| async move {
        let db = &world.db;
        world.connection("acme").await;
        let mut named = Vec::new();
        for again in 0..3 {
            db.freeze(FrozenKind::Restored, "a backup", "millrace").await.unwrap();
            assert!(db.safety().await.unwrap().lost.is_none(), "which window, a person says");
            let since = db.now().await.unwrap();
            db.begin_recovery(since, "ann").await.unwrap();
            db.release("ann", "looked at").await.unwrap();
            let lost = db.safety().await.unwrap().lost.expect("it is named");
            named.push((lost.since, lost.until));
            assert_eq!(lost.windows().collect::<Vec<_>>(), named, "after loss {again}");
        }
    })
    .await;
}

/// A person may have sent again in the lost window what the backup shows as refused: it is looked for before it goes once more.
#[tokio::test]
async fn what_is_sent_again_by_hand_is_looked_for_once() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let claim = async || db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
        db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "1", "lane/1")]).await.unwrap();
        let refused = carry_out(&db, &key, Side::Source, &[EffectState::Refused]).await.remove(0);
        let since = db.now().await.unwrap();
        db.freeze(FrozenKind::Restored, "a backup", "millrace").await.unwrap();
        db.begin_recovery(since, "ann").await.unwrap();
        db.release("ann", "looked at").await.unwrap();
        assert!(claim().await.is_empty(), "nothing of it goes by itself");
        let again = async || db.decide(&key.scope, &refused.id, EffectDecision::Retry, "ann", "mended").await.unwrap();
        again().await;
        let rows = claim().await;
        assert_eq!(rows.iter().map(|row| (row.suspect, row.state)).collect::<Vec<_>>(), [(true, EffectState::Probing)]);
        db.settle(&key, vec![settlement(&rows[0], &[EffectState::AbsentConfirmed])]).await.unwrap();
        let rows = claim().await;
        assert_eq!(rows.iter().map(|row| row.suspect).collect::<Vec<_>>(), [false], "it was looked for, and goes");
    })
    .await;
}

/// Loses the answer to the naming of a window.
struct CutOff;

#[async_trait]
impl Observer for CutOff {
    async fn crossing(&self, operation: &'static str, phase: Phase) -> Verdict {
        match phase {
            Phase::AfterCommit if operation == "begin_recovery" => Verdict::LoseReply,
            _ => Verdict::Continue,
        }
    }
}

/// Whoever named the window was cut off before anything was marked: the first connection that is read again marks it, and where
/// there is none, the release.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_off_command_has_not_marked_is_marked_later() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let access = Access::from(&key.scope.tenant);
        world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "1", "lane/1")]).await.unwrap();
        world.db.freeze(FrozenKind::Restored, "a backup", "millrace").await.unwrap();
        world.db.set_observer(Arc::new(CutOff));
        for end in [false, true] {
            let since = world.db.now().await.unwrap();
            let cut_off = world.db.begin_recovery(since, "ann").await;
            assert!(matches!(cut_off, Err(DbError::Unavailable { commit_unknown: true, .. })), "{cut_off:?}");
            let open = async || world.db.looked_for(&access, Look::Open, 10).await.unwrap().len();
            assert_eq!(open().await, 0);
            match end {
                false => assert_eq!(world.db.mark_lost().await.unwrap(), 1),
                true => world.db.release("ann", "looked at").await.unwrap(),
            }
            assert_eq!(open().await, 1);
            assert_eq!(world.db.mark_lost().await.unwrap(), 0, "once");
            let rows = world.db.claim_effects(&key, Side::Source, "node", LEASE, 10).await.unwrap().rows;
            assert!(rows.iter().all(|row| row.suspect && row.state == EffectState::Probing));
            world.db.settle(&key, vec![settlement(&rows[0], &[EffectState::AbsentConfirmed])]).await.unwrap();
        }
    })
    .await;
}
