//! Orders, requests and shipments, from import to told.

use connect::{
    EffectKind, FeedCursor, Inbound, LineRef, LinesEnded, NoteRow, OrderId, RejectedInput, RemoteRef, RequestState,
    Side,
};
use engine::{
    effect::EffectState::{self, Applied, Refused, Unknown},
    order::{Disposition, OrderState},
};
use millrace::db::{
    Advance, ChannelKind, ConnectionKey, EffectDecision, EffectQuery, ImportedOrder, NewEffect, NewShipment,
    OrderQuery, Recorded, RequestWork, SeenBy, ShipmentQuery, Subject, WishOrigin,
};

use super::world::{
    LEASE, World, arm_of, carry_out, decimal, effect, imported, lines, on_both, order, patience, request, request_key,
    requested, settlement, shipment,
};

async fn shown(world: &World, key: &ConnectionKey) -> Vec<(OrderState, String)> {
    let query = OrderQuery { states: OrderState::ALL.to_vec(), limit: 500, ..OrderQuery::default() };
    let page = world.db.list_orders(&key.into(), query).await.unwrap();
    page.items.into_iter().rev().map(|order| (order.state, order.reason)).collect()
}

async fn state(world: &World, key: &ConnectionKey) -> OrderState {
    shown(world, key).await.remove(0).0
}

async fn id(world: &World, key: &ConnectionKey, order_id: i64) -> OrderId {
    world.db.known_orders(key, &[order_id]).await.unwrap()[&order_id].id.clone()
}

async fn work(world: &World, key: &ConnectionKey) -> Vec<RequestWork> {
    world.db.requests_to_advance(key, 100).await.unwrap()
}

fn effect_for(work: &RequestWork, kind: EffectKind, name: &str) -> NewEffect {
    NewEffect {
        subject: Subject {
            order: Some(work.order.clone()),
            request: Some(work.id.clone()),
            shipment: work.shipments.first().map(|shipment| shipment.id.clone()),
            ..Subject::default()
        },
        ..effect(kind, name, &engine::key::order_lane("acme", work.order_id))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_all_the_way() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        assert_eq!(db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap(), [Recorded::Kept]);
        assert_eq!(state(&world, &key).await, OrderState::Queued);
        assert_eq!(db.unsent_orders(&key).await.unwrap(), [1]);
        assert!(db.open_sent_orders(&key).await.unwrap().is_empty());
        let planned = &db.planned_as(&key, &[1, 2]).await.unwrap()[&1][&request_key(1)];
        assert_eq!((planned.lines.len(), planned.ship_to.city.as_str()), (2, "London"));

        let rows = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows[0].body_sha256, planned.body_sha256);
        db.arm(&key, vec![arm_of(&rows[0])], super::world::DEADLINE).await.unwrap();
        assert!(db.known_orders(&key, &[1]).await.unwrap()[&1].sent);
        let mut accepted = settlement(&rows[0], &[Applied]);
        accepted.remote = Some(RemoteRef::new("W-1"));
        db.settle(&key, vec![accepted]).await.unwrap();
        assert_eq!(state(&world, &key).await, OrderState::Open);
        assert!(db.unsent_orders(&key).await.unwrap().is_empty());
        assert_eq!(db.open_sent_orders(&key).await.unwrap(), [1]);
        let sent = db.sent_requests(&key, 1).await.unwrap().remove(0).sent;
        assert_eq!(sent.rows.into_iter().collect::<Vec<_>>(), [(11, decimal("3")), (12, decimal("1"))]);
        assert_eq!(sent.ship_to, Some(order(1).deliver_to));

        let asked = work(&world, &key).await;
        assert_eq!((asked.len(), asked[0].effects.len()), (1, 1));
        assert!(!asked[0].order_complete);
        assert!(db.advance(&key, &asked[0].id, asked[0].version, Advance::default()).await.unwrap());
        assert!(!db.advance(&key, &asked[0].id, asked[0].version, Advance::default()).await.unwrap(), "an old version");
        assert!(work(&world, &key).await.is_empty());

        // Part of it leaves, then the rest.
        let one = order(1);
        let part = shipment(&one, "S1", &request_key(1), &[2, 0]);
        let rest = shipment(&one, "S2", &request_key(1), &[1, 1]);
        let none = FeedCursor::default();
        db.record_shipments(&key, vec![part], Vec::new(), &[], &[], &none).await.unwrap();
        assert_eq!(state(&world, &key).await, OrderState::PartlyShipped);
        db.record_shipments(&key, vec![rest], Vec::new(), &[], &[], &none).await.unwrap();
        assert_eq!(state(&world, &key).await, OrderState::Shipped);

        let asked = work(&world, &key).await.remove(0);
        assert_eq!(asked.shipments.len(), 2);
        let rows = vec![NoteRow { row_id: 11, product_id: 1001, quantity: decimal("2") }];
        let steps = Advance {
            effects: vec![effect_for(&asked, EffectKind::PostShipped, "post S1")],
            rows: vec![(asked.shipments[0].id.clone(), rows.clone())],
            ..Advance::default()
        };
        assert!(db.advance(&key, &asked.id, asked.version, steps).await.unwrap());
        carry_out(&db, &key, Side::Source, &[Applied]).await;
        let asked = work(&world, &key).await.remove(0);
        assert_eq!(asked.shipments[0].rows.as_ref(), Some(&rows));
        assert_eq!(asked.shipments[0].effects[0].state, Applied);
        let told = asked.shipments.iter().map(|shipment| shipment.id.clone()).collect();
        let steps = Advance { confirmed: told, ..Advance::default() };
        assert!(db.advance(&key, &asked.id, asked.version, steps).await.unwrap());
        assert_eq!(state(&world, &key).await, OrderState::Closed);
        // Looked at once more: now it is complete.
        let asked = work(&world, &key).await.remove(0);
        assert!(asked.order_complete && asked.shipments.iter().all(|shipment| shipment.confirmed));

        let detail = db.order(&key.scope, &id(&world, &key, 1).await).await.unwrap();
        assert_eq!(detail.order, order(1));
        assert_eq!((detail.requests.len(), detail.shipments.len(), detail.effects.len()), (1, 2, 2));
        assert_eq!(detail.attempts.len(), 2);
        let query = ShipmentQuery { text: "1zs2".to_owned(), limit: 10, ..ShipmentQuery::default() };
        assert_eq!(db.list_shipments(&(&key).into(), query).await.unwrap().items.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_is_planned_again() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1), requested(2)]).await.unwrap();
        let claimed = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        // Another quantity: the old payload is given up, and whoever has claimed it cannot arm it.
        let changed = |order_id: i64| {
            let mut order = order(order_id);
            order.lines[0].quantity = decimal("2");
            let request = request(&order, &request_key(order_id), lines(&order));
            imported(order, Disposition::Requested, vec![request])
        };
        db.record_orders(&key, "acme", vec![changed(1)]).await.unwrap();
        let armed = db.arm(&key, claimed.iter().map(arm_of).collect(), super::world::DEADLINE).await.unwrap();
        assert_eq!(armed.iter().filter(|armed| armed.is_some()).count(), 1, "order 2 only");
        let rows = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        assert_eq!((rows.len(), rows[0].revision), (1, 2));
        assert!(rows[0].body.contains("\"quantity\":\"2\""), "{}", rows[0].body);
        assert_eq!(rows[0].body_sha256, db.planned_as(&key, &[1]).await.unwrap()[&1][&request_key(1)].body_sha256);
        // Not wanted any more, then wanted again.
        db.record_orders(&key, "acme", vec![imported(order(1), Disposition::Held("no SKU".to_owned()), vec![])])
            .await
            .unwrap();
        assert_eq!(shown(&world, &key).await[0], (OrderState::Held, "no SKU".to_owned()));
        assert!(db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        let rows = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        assert_eq!((rows.len(), rows[0].revision), (1, 3));
        // Refused: the same payload is left alone, another goes again.
        db.arm(&key, vec![arm_of(&rows[0])], super::world::DEADLINE).await.unwrap();
        db.settle(&key, vec![settlement(&rows[0], &[Refused])]).await.unwrap();
        assert_eq!(shown(&world, &key).await[0].0, OrderState::Error);
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        assert!(db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
        db.record_orders(&key, "acme", vec![changed(1)]).await.unwrap();
        assert_eq!(db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows[0].revision, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_not_planned_again() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        carry_out(&db, &key, Side::Warehouse, &[Unknown]).await;
        let mut order = order(1);
        order.lines[0].quantity = decimal("2");
        let request = request(&order, &request_key(1), lines(&order));
        let again = imported(order, Disposition::Requested, vec![request]);
        assert_eq!(db.record_orders(&key, "acme", vec![again]).await.unwrap(), [Recorded::ChangedAfterSending]);
        assert_eq!(shown(&world, &key).await[0].0, OrderState::Error);
        db.mark_seen(&key, 1, "later", None).await.unwrap();
        assert_eq!(shown(&world, &key).await[0].0, OrderState::Queued);
        assert_eq!(db.known_orders(&key, &[1]).await.unwrap()[&1].seen, "later");
        // Found there after all, and to be stopped.
        carry_out_probe(&world, &key).await;
        db.want_cancel(&key, 1, "cancelled in Brightpearl", WishOrigin::Status, "", &patience()).await.unwrap();
        let asked = work(&world, &key).await.remove(0);
        assert_eq!(asked.cancel_wanted.as_deref(), Some("cancelled in Brightpearl"));
        let steps =
            Advance { effects: vec![effect_for(&asked, EffectKind::CancelRequest, "cancel")], ..Advance::default() };
        db.advance(&key, &asked.id, asked.version, steps).await.unwrap();
        carry_out(&db, &key, Side::Warehouse, &[Applied]).await;
        assert_eq!(shown(&world, &key).await[0].0, OrderState::Cancelled);
        let left = db.sent_requests(&key, 1).await.unwrap();
        assert!(left.iter().all(|request| request.cancelled_by_status), "it asks for nothing any more");
    })
    .await;
}

async fn carry_out_probe(world: &World, key: &ConnectionKey) {
    let rows = world.db.claim_effects(key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
    assert_eq!(rows[0].state, EffectState::Probing);
    world.db.settle(key, vec![settlement(&rows[0], &[Applied])]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_hold_archive_and_void() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1), requested(2), requested(3)]).await.unwrap();
        let first = id(&world, &key, 1).await;
        db.held_by_person(&key, &first, Some("ask the customer"), "ada").await.unwrap();
        let claimed = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        assert_eq!(claimed.len(), 2, "a held order is not sent");
        assert_eq!(shown(&world, &key).await[0], (OrderState::Held, "ask the customer".to_owned()));
        db.held_by_person(&key, &first, None, "ada").await.unwrap();
        assert_eq!(db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.len(), 1);
        // Put away: not sent, whoever has claimed it.
        db.archive_order(&key, &id(&world, &key, 2).await, true, "ada").await.unwrap();
        let armed = db.arm(&key, claimed.iter().map(arm_of).collect(), super::world::DEADLINE).await.unwrap();
        assert_eq!(armed.iter().filter(|armed| armed.is_some()).count(), 1);
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Archived);
        db.record_orders(&key, "acme", vec![requested(2)]).await.unwrap();
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Archived, "import leaves it there");
        db.archive_order(&key, &id(&world, &key, 2).await, false, "ada").await.unwrap();
        db.record_orders(&key, "acme", vec![requested(2)]).await.unwrap();
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Queued);
        // Given up by a person: import does not bring it back, a person does.
        let query = EffectQuery { limit: 500, ..EffectQuery::default() };
        let effects = db.list_effects(&(&key).into(), query).await.unwrap().items;
        let submit = effects.iter().find(|effect| effect.key == request_key(2)).unwrap().id.clone();
        db.decide(&key.scope, &submit, EffectDecision::Void, "ada", "double").await.unwrap();
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Held);
        db.record_orders(&key, "acme", vec![requested(2)]).await.unwrap();
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Held);
        db.decide(&key.scope, &submit, EffectDecision::Retry, "ada", "not double").await.unwrap();
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Queued);
        // Gone from the source.
        db.order_gone(&key, 2).await.unwrap();
        assert_eq!(shown(&world, &key).await[1].0, OrderState::Cancelled);
        let counts = db.count_orders(&(&key).into(), OrderQuery::default()).await.unwrap();
        assert_eq!(counts.values().sum::<i64>(), 3);
    })
    .await;
}

/// O4: the last look before sending gives a submit up; import takes its order up again.
#[tokio::test(flavor = "multi_thread")]
async fn a_submit_given_up_by_itself_waits_for_import() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        let rows = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        db.settle(&key, vec![settlement(&rows[0], &[EffectState::Voided])]).await.unwrap();
        assert_eq!(shown(&world, &key).await[0].0, OrderState::New);
        assert_eq!(db.unsent_orders(&key).await.unwrap(), [1]);
        let page = db.list_effects(&(&key).into(), EffectQuery { limit: 5, ..EffectQuery::default() }).await.unwrap();
        db.decide(&key.scope, &page.items[0].id, EffectDecision::Retry, "ada", "now").await.unwrap_err();
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        assert_eq!(db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows[0].revision, 2);
    })
    .await;
}

/// Of two requests one is sent and the other is given up: what keeps that from being planned again is shown on the order.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_part_that_was_given_up_waits_for_is_shown() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let both = || {
            let (order, name) = (order(1), request_key(1));
            let lines = lines(&order);
            let parts = [("", &lines[..1]), ("-G7", &lines[1..])];
            let requests = parts.map(|(part, lines)| request(&order, &format!("{name}{part}"), lines.to_vec()));
            imported(order, Disposition::Requested, requests.to_vec())
        };
        let waiting = || imported(order(1), Disposition::Waiting("only a part is allocated".to_owned()), Vec::new());
        db.record_orders(&key, "acme", vec![both()]).await.unwrap();
        // One change of an order at a time.
        let rows = db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows.len(), 1);
        db.settle(&key, vec![settlement(&rows[0], &[EffectState::Voided])]).await.unwrap();
        carry_out(&db, &key, Side::Warehouse, &[Applied]).await;
        assert_ne!(state(&world, &key).await, OrderState::Error);
        db.record_orders(&key, "acme", vec![waiting()]).await.unwrap();
        let told = [(OrderState::Error, "a part of it was not sent: only a part is allocated".to_owned())];
        assert_eq!(shown(&world, &key).await, told);
        // Whoever compares what was sent, and finds it as it was, does not take that off.
        db.mark_compared(&key, 1, SeenBy::Passing("3/2026")).await.unwrap();
        assert_eq!(shown(&world, &key).await, told);
        // Planned again, it is on its way.
        db.record_orders(&key, "acme", vec![both()]).await.unwrap();
        assert_ne!(state(&world, &key).await, OrderState::Error);
        assert_eq!(db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipments_are_kept_once_and_wait_for_their_key() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let one = order(1);
        let left = shipment(&one, "S1", &request_key(1), &[3, 1]);
        let input = Inbound { name: "ship.csv".to_owned(), content_hash: "h1".to_owned(), content: b"a,b".to_vec() };
        let rejected = RejectedInput {
            input: Inbound { name: "bad.csv".to_owned(), content_hash: "h2".to_owned(), content: b"?".to_vec() },
            reason: "line 1: not a number".to_owned(),
            beside: false,
            key: None,
        };
        let cursor = FeedCursor(Some("page 2".to_owned()));
        let taken = [input.clone()];
        let rejects = [rejected];
        let recorded =
            db.record_shipments(&key, vec![left.clone()], Vec::new(), &taken, &rejects, &cursor).await.unwrap();
        assert_eq!((recorded.new, recorded.unknown_key), (1, 1));
        let mut unseen = input.clone();
        unseen.content_hash = "h3".to_owned();
        assert_eq!(db.inputs_seen(&key, &[input, unseen]).await.unwrap(), [true, false]);
        assert_eq!(db.input(&key, "ship.csv").await.unwrap(), b"a,b");
        let channels = db.channels(&key).await.unwrap();
        let cursor = channels.iter().find(|channel| channel.kind == ChannelKind::Shipments).unwrap().cursor.clone();
        assert_eq!(cursor.as_deref(), Some("page 2"));
        let exceptions = db.exceptions(&key, false, 10).await.unwrap();
        let mut kinds: Vec<_> = exceptions.iter().map(|exception| exception.kind.as_str()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["shipment_input", "unknown_key"]);
        // The same again brings nothing; other content under the same reference changes nothing.
        let mut other = left.clone();
        other.shipment.packages[0].lines[0].quantity = decimal("2");
        let none = FeedCursor::default();
        let recorded =
            db.record_shipments(&key, vec![left.clone(), other], Vec::new(), &[], &rejects, &none).await.unwrap();
        assert_eq!((recorded.new, recorded.known, recorded.changed), (0, 1, 1));
        assert_eq!(db.exceptions(&key, false, 10).await.unwrap().len(), 3);
        // Its request becomes known.
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        assert_eq!(state(&world, &key).await, OrderState::Shipped);
        let asked = work(&world, &key).await;
        assert_eq!(asked[0].shipments[0].shipment, left.shipment);
        let open = db.exceptions(&key, false, 10).await.unwrap();
        assert!(open.iter().all(|exception| exception.kind != "unknown_key"));
        // What could not be read comes again whole: then what left is known, and a count may be acted upon.
        assert_eq!(db.unread_shipments(&key).await.unwrap().as_deref(), Some("bad.csv"));
        let whole = Inbound { name: "bad.csv".to_owned(), content_hash: "h4".to_owned(), content: b"c,d".to_vec() };
        db.record_shipments(&key, Vec::new(), Vec::new(), &[whole], &[], &none).await.unwrap();
        assert_eq!(db.unread_shipments(&key).await.unwrap(), None);
        let open = db.exceptions(&key, false, 10).await.unwrap();
        assert_eq!(open.iter().map(|exception| exception.kind.as_str()).collect::<Vec<_>>(), ["changed_shipment"]);
        db.resolve_exception(&key.scope, &open[0].id, "ada").await.unwrap();
        assert!(db.exceptions(&key, false, 10).await.unwrap().is_empty());
        assert_eq!(db.exceptions(&key, true, 10).await.unwrap().len(), 3);
    })
    .await;
}

/// A warehouse that says no more than that all of an order left: what that is depends on what had left before.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_an_order_is_what_had_not_left_before() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let none = FeedCursor::default();
        let record = async |shipments: Vec<millrace::db::NewShipment>| {
            db.record_shipments(&key, shipments, Vec::new(), &[], &[], &none).await.unwrap()
        };
        let all_of = |number: i64, reference: &str| {
            let mut whole = shipment(&order(number), reference, &request_key(number), &[0, 0]);
            whole.shipment.packages.iter_mut().for_each(|package| package.lines.clear());
            whole.shipment.whole = true;
            whole
        };
        let left = async |number: i64| {
            let found = db.order(&key.scope, &id(&world, &key, number).await).await.unwrap().shipments;
            let mut goods: Vec<Vec<String>> = Vec::new();
            for one in &found {
                assert!(!one.shipment.whole, "it is worked out");
                goods.push(
                    one.shipment
                        .lines()
                        .filter(|line| !line.quantity.is_zero())
                        .map(|line| format!("{} {}", line.sku, line.quantity))
                        .collect(),
                );
            }
            goods
        };
        db.record_orders(&key, "acme", vec![requested(1), requested(2)]).await.unwrap();
        // A part in the same reading, then all of it; the same file once more is known.
        let part = shipment(&order(1), "S1", &request_key(1), &[2, 0]);
        let recorded = record(vec![part, all_of(1, "S2"), all_of(2, "S9")]).await;
        assert_eq!((recorded.new, recorded.known), (3, 0));
        let skus: Vec<String> =
            shipment(&order(1), "x", &request_key(1), &[1, 1]).shipment.lines().map(|line| line.sku.clone()).collect();
        let of = |units: [&str; 2]| -> Vec<String> {
            skus.iter()
                .zip(units)
                .filter(|(_, units)| *units != "0")
                .map(|(sku, units)| format!("{sku} {units}"))
                .collect()
        };
        assert_eq!(left(1).await, [of(["2", "0"]), of(["1", "1"])]);
        assert_eq!(left(2).await, [of(["3", "1"])]);
        let recorded = record(vec![all_of(1, "S2"), all_of(2, "S9")]).await;
        assert_eq!((recorded.new, recorded.known, recorded.changed), (0, 2, 0));
        assert!(db.exceptions(&key, false, 10).await.unwrap().is_empty());
        // Another one, when nothing is left: a person is told, and nothing leaves twice.
        record(vec![all_of(2, "S10")]).await;
        let open = db.exceptions(&key, false, 10).await.unwrap();
        assert_eq!(open.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["nothing_left"]);
        assert_eq!(left(2).await, [of(["3", "1"])], "it is no shipment");
        // Of an order that is not known yet it is worked out when it is, after what came before it.
        record(vec![shipment(&order(3), "S11", &request_key(3), &[1, 0])]).await;
        record(vec![all_of(3, "S12"), all_of(3, "S13")]).await;
        db.record_orders(&key, "acme", vec![requested(3)]).await.unwrap();
        assert_eq!(left(3).await, [of(["1", "0"]), of(["2", "1"])]);
        let open = db.exceptions(&key, false, 10).await.unwrap();
        let about_s13 = |one: &&millrace::db::ExceptionRow| one.reason.contains("shipment S13");
        assert!(open.iter().filter(about_s13).any(|one| one.kind == "nothing_left"), "{open:?}");
        assert!(open.iter().all(|one| one.kind == "nothing_left"), "its key is known: {open:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_move_without_shipping() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1), requested(2)]).await.unwrap();
        carry_out(&db, &key, Side::Warehouse, &[Applied]).await;
        let states = vec![
            (request_key(1), RequestState::Finished),
            (request_key(2), RequestState::Cancelled),
            ("nobody's".to_owned(), RequestState::Finished),
        ];
        db.record_shipments(&key, Vec::new(), states, &[], &[], &FeedCursor::default()).await.unwrap();
        let shown = shown(&world, &key).await;
        assert_eq!((shown[0].0, shown[1].0), (OrderState::Closed, OrderState::Error));
        let asked = work(&world, &key).await;
        assert!(asked.iter().any(|request| request.finished && request.order_complete));
        // Looked at again when its time has come, and not before.
        for request in &asked {
            db.advance(&key, &request.id, request.version, Advance::default()).await.unwrap();
        }
        let now = db.now().await.unwrap();
        db.schedule_advance(&key, &asked[0].id, now + jiff::SignedDuration::from_hours(1)).await.unwrap();
        assert!(work(&world, &key).await.is_empty());
        db.schedule_advance(&key, &asked[0].id, now - jiff::SignedDuration::from_secs(1)).await.unwrap();
        let asked = work(&world, &key).await;
        assert_eq!(asked.len(), 1);
        db.advance(&key, &asked[0].id, asked[0].version, Advance::default()).await.unwrap();
        assert!(work(&world, &key).await.is_empty());
    })
    .await;
}

/// A warehouse that reports one order in several parts says of the lines of each that they are over, not of the order.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_over_when_each_of_its_lines_is() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1), requested(2), requested(3)]).await.unwrap();
        carry_out(&db, &key, Side::Warehouse, &[Applied]).await;
        let line = |line_number: u32| LineRef { line_number: Some(line_number), sku: String::new() };
        let with_ended = |order_id: i64, reference: &str, units: &[i64], ended: Vec<LineRef>| {
            let mut new = shipment(&order(order_id), reference, &request_key(order_id), units);
            new.shipment.ended = ended;
            new
        };
        let record = async |shipments: Vec<NewShipment>, states: Vec<(String, RequestState)>| {
            db.record_shipments(&key, shipments, states, &[], &[], &FeedCursor::default()).await.unwrap()
        };
        let ended = |order_id: i64, lines: &[u32]| {
            let said =
                LinesEnded { ended: lines.iter().map(|number| line(*number)).collect(), ..LinesEnded::default() };
            (request_key(order_id), RequestState::LinesEnded(said))
        };
        let states = async || shown(&world, &key).await.into_iter().map(|(state, _)| state).collect::<Vec<_>>();
        // One zone sends part of the first line, whose rest is cancelled; nothing is said of the second, until its zone does.
        record(vec![with_ended(1, "S1", &[2, 0], vec![line(1)])], Vec::new()).await;
        // Two zones that have none of it: only both of them cancel it.
        record(Vec::new(), vec![ended(2, &[1])]).await;
        // The second line left first, the first is cancelled later.
        record(vec![with_ended(3, "S3", &[0, 1], Vec::new())], Vec::new()).await;
        assert_eq!(states().await, [OrderState::PartlyShipped, OrderState::Open, OrderState::PartlyShipped]);
        record(vec![with_ended(1, "S1-2", &[0, 1], Vec::new())], vec![ended(2, &[2]), ended(3, &[1])]).await;
        assert_eq!(states().await, [OrderState::Shipped, OrderState::Error, OrderState::Shipped]);
        let asked = work(&world, &key).await;
        assert!(asked.iter().filter(|request| request.order_id != 2).all(|request| request.finished), "{asked:?}");
        // What is said again changes nothing, and what left of a request that was not known counts once it is.
        record(vec![with_ended(4, "S4", &[2, 1], vec![line(1)])], Vec::new()).await;
        db.record_orders(&key, "acme", vec![requested(4)]).await.unwrap();
        assert!(work(&world, &key).await.iter().any(|request| request.order_id == 4 && request.finished));
    })
    .await;
}

/// Numbers that may be the warehouse's own count are ours where each names a line of its article (x12.md §8.3); a copy is known
/// whichever they are.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_a_warehouse_counted_are_ours_where_they_fit() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1), requested(2)]).await.unwrap();
        let of = |order_id: i64, numbers: [u32; 2]| {
            let mut new = shipment(&order(order_id), "BOL-1", &request_key(order_id), &[1, 1]);
            (new.shipment.within_order, new.shipment.numbers_may_be_theirs) = (true, true);
            for (line, number) in new.shipment.packages[0].lines.iter_mut().zip(numbers) {
                line.line_number = Some(number);
            }
            new
        };
        let record = async |shipments: Vec<NewShipment>| {
            let recorded =
                db.record_shipments(&key, shipments, Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
            (recorded.new, recorded.known, recorded.changed)
        };
        assert_eq!(record(vec![of(1, [1, 2]), of(2, [2, 1])]).await, (2, 0, 0));
        assert_eq!(record(vec![of(1, [1, 2]), of(2, [1, 2])]).await, (0, 2, 0));
        let kept = work(&world, &key).await;
        let numbers = |order_id: i64| {
            let request = kept.iter().find(|request| request.order_id == order_id).unwrap();
            let lines = request.shipments.iter().flat_map(|one| one.shipment.lines());
            lines.map(|line| line.line_number).collect::<Vec<_>>()
        };
        assert_eq!((numbers(1), numbers(2)), (vec![Some(1), Some(2)], vec![None, None]));
        // Boxes that were counted end no line by their number: the second line has its end, and the first has left.
        db.record_orders(&key, "acme", vec![requested(3)]).await.unwrap();
        let asked = lines(&order(3));
        record(vec![shipment(&order(3), "BOL-3", &request_key(3), &[asked[0].quantity.try_into().unwrap(), 0])]).await;
        let said = LinesEnded {
            ended: vec![LineRef { line_number: Some(1), sku: asked[1].sku.clone() }],
            numbers_may_be_theirs: true,
            ..LinesEnded::default()
        };
        let states = vec![(request_key(3), RequestState::LinesEnded(said))];
        db.record_shipments(&key, Vec::new(), states, &[], &[], &FeedCursor::default()).await.unwrap();
        assert!(work(&world, &key).await.iter().any(|request| request.order_id == 3 && request.finished));
    })
    .await;
}

/// Ids that count within their order (x12.md §8.5): two orders may have the same one, and a later copy has a later time.
#[tokio::test(flavor = "multi_thread")]
async fn one_id_of_two_orders_is_two_shipments() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1), requested(2)]).await.unwrap();
        let of = |order_id: i64, units: i64| {
            let mut new = shipment(&order(order_id), "BOL-1", &request_key(order_id), &[units, 0]);
            new.shipment.within_order = true;
            new
        };
        let record = async |shipments: Vec<NewShipment>| {
            let recorded =
                db.record_shipments(&key, shipments, Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
            (recorded.new, recorded.known, recorded.changed)
        };
        assert_eq!(record(vec![of(1, 1), of(2, 1)]).await, (2, 0, 0));
        let mut later = of(2, 1);
        later.shipment.shipped_at = "2026-05-03T10:00:00Z".parse().unwrap();
        assert_eq!(record(vec![later, of(1, 1)]).await, (0, 2, 0));
        assert_eq!(record(vec![of(2, 2)]).await, (0, 0, 1), "what left is another matter");
        let shipments: usize = work(&world, &key).await.iter().map(|request| request.shipments.len()).sum();
        assert_eq!(shipments, 2);
        // Where an id is of the whole warehouse, another order under it is a change that a person sees.
        let elsewhere = |order_id: i64| shipment(&order(order_id), "T-1", &request_key(order_id), &[1, 0]);
        assert_eq!(record(vec![elsewhere(1)]).await, (1, 0, 0));
        assert_eq!(record(vec![elsewhere(2)]).await, (0, 0, 1));
    })
    .await;
}

/// A warehouse that gives only the customer's number back: it names a request as long as exactly one open one has it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reference_names_the_one_open_request_that_has_it() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let of = |order_id: i64, reference: &str| {
            let mut one = requested(order_id);
            one.order.reference = reference.to_owned();
            one
        };
        let orders = vec![of(1, "PO-1"), of(2, "PO-2"), of(3, "PO-2"), of(4, "")];
        db.record_orders(&key, "acme", orders).await.unwrap();
        let named = async || {
            let asked = ["PO-1", "PO-2", "PO-3", ""].map(str::to_owned);
            db.keys_by_reference(&key, asked.into()).await.unwrap().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(named().await, [("PO-1".to_owned(), request_key(1))]);
        // Once one of the two is not wanted any more, the other is meant.
        let mut gone = of(3, "PO-2");
        (gone.disposition, gone.requests) = (Disposition::Skipped("not for us".to_owned()), Vec::new());
        db.record_orders(&key, "acme", vec![gone]).await.unwrap();
        let both = [(1, "PO-1"), (2, "PO-2")].map(|(id, reference)| (reference.to_owned(), request_key(id)));
        assert_eq!(named().await, both);
    })
    .await;
}

/// Brightpearl calls once for all connections of an account; whichever takes the call has the others look.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_for_every_connection_of_the_account() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let other = world.further_connection(&key.scope.tenant, &key.scope.merchant, "acme").await;
        let elsewhere = world.further_connection(&key.scope.tenant, &key.scope.merchant, "acme2").await;
        let mark = |mut one: ImportedOrder| {
            one.seen = "a scan".to_owned();
            one
        };
        db.record_orders(&key, "acme", vec![mark(requested(1))]).await.unwrap();
        db.record_orders(&other, "acme", vec![mark(requested(2)), mark(requested(3))]).await.unwrap();
        db.record_orders(&elsewhere, "acme2", vec![mark(requested(2))]).await.unwrap();
        db.look_elsewhere(&key, "acme", &[1, 2]).await.unwrap();
        assert_eq!(db.unseen_orders(&other).await.unwrap(), [2]);
        assert_eq!(db.unseen_orders(&key).await.unwrap(), [0_i64; 0], "its own it reads itself");
        assert_eq!(db.unseen_orders(&elsewhere).await.unwrap(), [0_i64; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_filters_and_pages() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let orders: Vec<_> = (1..=25).map(requested).collect();
        db.record_orders(&key, "acme", orders).await.unwrap();
        let access = (&key.scope.tenant).into();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let query = OrderQuery { after: after.take(), limit: 10, ..OrderQuery::default() };
            let page = db.list_orders(&access, query).await.unwrap();
            seen.extend(page.items.iter().map(|order| order.order_id));
            // What comes in meanwhile neither repeats nor hides others.
            db.record_orders(&key, "acme", vec![requested(100 + i64::try_from(seen.len()).unwrap())]).await.unwrap();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
        let find = |text: &str| {
            let (db, access, text) = (db.clone(), millrace::db::Access::from(&key), text.to_owned());
            async move {
                let query = OrderQuery { text, limit: 500, ..OrderQuery::default() };
                db.list_orders(&access, query).await.unwrap().items.len()
            }
        };
        assert_eq!(find("web-7").await, 1);
        assert_eq!(find("WEB-1").await, 1 + 10 + 3, "1, 10 to 19, and the three that came in");
        assert_eq!(find("sw1y").await, 28);
        assert_eq!(find("100%").await, 0);
        assert_eq!(find("_eb-7").await, 0, "no wildcards");
        let states = vec![OrderState::Open, OrderState::Closed];
        let query = OrderQuery { states, limit: 5, ..OrderQuery::default() };
        assert!(db.list_orders(&access, query).await.unwrap().items.is_empty());
        let from = Some("2026-06-01T00:00:00Z".parse().unwrap());
        let query = OrderQuery { placed_from: from, limit: 5, ..OrderQuery::default() };
        assert!(db.list_orders(&access, query).await.unwrap().items.is_empty());
    })
    .await;
}

/// The stock channel reads shipments too, at the same time as their own channel.
#[tokio::test(flavor = "multi_thread")]
async fn shipments_read_twice_at_once_are_kept_once() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let one = order(1);
        for round in 0..10 {
            let left: Vec<_> =
                (0..20).map(|number| shipment(&one, &format!("S{round}-{number}"), &request_key(1), &[1, 0])).collect();
            let none = FeedCursor::default();
            let record = || db.record_shipments(&key, left.clone(), Vec::new(), &[], &[], &none);
            let (first, second) = tokio::join!(record(), record());
            let (first, second) = (first.unwrap(), second.unwrap());
            assert_eq!((first.new + second.new, first.known + second.known), (20, 20), "round {round}");
        }
    })
    .await;
}
