//! Desks of warehouses that call us.

use std::sync::{Arc, atomic::Ordering};

use connect::{
    Address, CancelAsked, DeskState, OsRandom, PackageLine, RequestId, RequestLine, RequestState, ShipMethod, Shipment,
    ShipmentRequest, StockFeed, StockLevel, Told,
};
use engine::desk::CancelAnswer;
use jiff::SignedDuration;
use millrace::db::{
    ChannelKind, ConnectionKey, DbError, DeskKey, DeskQuery, DeskStep, Guard, NewEndpoint, Outside as _, Posted, Ran,
};

use super::{
    recovery::Told as Witness,
    world::{World, on_both, request_key, requested, unique},
};

/// A request for 5 WH-1 and 3 WH-2.
pub fn request(key: &str) -> ShipmentRequest {
    let at = "2026-11-26T08:00:00Z".parse().unwrap();
    let line = |line_number: u32, sku: &str, units: i64| RequestLine {
        line_number,
        sku: sku.to_owned(),
        quantity: units.into(),
        row_id: 900 + i64::from(line_number),
        product_id: 1000,
        per_unit: 1.into(),
        name: "Goods".to_owned(),
        unit_price: None,
    };
    ShipmentRequest {
        id: RequestId::generate(at, &OsRandom),
        key: key.to_owned(),
        order_number: "1".to_owned(),
        reference: "PO1".to_owned(),
        placed_at: at,
        deliver_on: None,
        ship_to: Address { name: "Jane Doe".to_owned(), ..Address::default() },
        bill_to: Address::default(),
        ship_method: ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() },
        facility: None,
        notes: String::new(),
        lines: vec![line(1, "WH-1", 5), line(2, "WH-2", 3)],
    }
}

fn shipment(id: &str, key: &str, goods: &[(&str, i64)], is_final: bool) -> Shipment {
    let line = |(sku, units): &(&str, i64)| PackageLine {
        line_number: None,
        sku: (*sku).to_owned(),
        quantity: (*units).into(),
        lot: None,
        serials: Vec::new(),
    };
    Shipment {
        reference: id.to_owned(),
        key: key.to_owned(),
        shipped_at: "2026-11-26T10:00:00Z".parse().unwrap(),
        ship_method: ShipMethod::default(),
        packages: Vec::new(),
        loose: goods.iter().map(line).collect(),
        is_final,
        ended: Vec::new(),
        whole: false,
        within_order: false,
        numbers_may_be_theirs: false,
    }
}

fn count(id: &str, hash: &str) -> StockFeed {
    StockFeed {
        reference: id.to_owned(),
        content_hash: hash.to_owned(),
        cut_off: "2026-11-26T10:00:00Z".parse().unwrap(),
        sequence: None,
        absent_is_zero: false,
        names_all: false,
        levels: vec![StockLevel { sku: "WH-1".to_owned(), facility: None, available: None, physical: Some(5.into()) }],
    }
}

async fn desk(world: &World, key: &ConnectionKey) -> DeskKey {
    let new = NewEndpoint {
        name: format!("Desk {}", unique()),
        platform: "warehouse_api".to_owned(),
        ..NewEndpoint::default()
    };
    DeskKey { scope: key.scope.clone(), warehouse: world.db.create_warehouse(&key.scope, new).await.unwrap() }
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_laid_down_is_handed_out_once_while_its_lease_lasts() {
    on_both(|world: World| async move {
        let (db, connection) = (world.db.clone(), world.connection("acme").await);
        let (own, other) = (desk(&world, &connection).await, desk(&world, &connection).await);
        let first = request("A-1");
        assert_eq!(db.lay_on_desk(&own, &first).await.unwrap(), None);
        let there = db.lay_on_desk(&own, &request("A-1")).await.unwrap().expect("what lies there stays");
        assert_eq!((there.request, there.state), (first, DeskState::Waiting));
        assert_eq!(db.lay_on_desk(&own, &request("A-2")).await.unwrap(), None);
        assert_eq!(db.lay_on_desk(&other, &request("A-1")).await.unwrap(), None, "another desk, another request");
        let (lease, until, pulled) = db.pull_from_desk(&own, 1, MINUTE).await.unwrap();
        assert!(until > db.now().await.unwrap());
        assert_eq!(pulled.iter().map(|row| row.request.key.as_str()).collect::<Vec<_>>(), ["A-1"], "the oldest");
        let (_, _, pulled) = db.pull_from_desk(&own, 10, SignedDuration::ZERO).await.unwrap();
        assert_eq!(pulled.iter().map(|row| row.request.key.as_str()).collect::<Vec<_>>(), ["A-2"]);
        // That lease was over at once.
        let (second, _, pulled) = db.pull_from_desk(&own, 10, MINUTE).await.unwrap();
        assert_eq!(pulled.iter().map(|row| (row.request.key.as_str(), row.offered)).collect::<Vec<_>>(), [("A-2", 2)]);
        let take = |lease: &str, reference: &str| DeskStep::Acknowledge {
            lease: lease.to_owned(),
            reference: reference.to_owned(),
        };
        assert!(db.step_at_desk(&own, "A-2", take("another", "")).await.unwrap().unwrap().is_err());
        assert!(db.step_at_desk(&own, "A-3", take(&lease, "")).await.unwrap().is_none());
        for _ in 0..2 {
            let row = db.step_at_desk(&own, "A-1", take(&lease, "W-77")).await.unwrap().unwrap().unwrap();
            assert_eq!((row.standing.state, row.reference.as_str()), (DeskState::Acknowledged, "W-77"));
        }
        let row = db.step_at_desk(&own, "A-2", take(&second, "")).await.unwrap().unwrap().unwrap();
        assert_eq!(row.standing.state, DeskState::Acknowledged);
        assert_eq!(db.pull_from_desk(&own, 10, MINUTE).await.unwrap().2, []);
        let all = DeskQuery { limit: 10, ..DeskQuery::default() };
        let listed = db.desk_requests(&own, &all).await.unwrap();
        assert_eq!(listed.len(), 2);
        let rest = db.desk_requests(&own, &DeskQuery { after: listed[0].number, ..all.clone() }).await.unwrap();
        assert_eq!(rest, listed[1..]);
        let waiting = DeskQuery { state: Some(DeskState::Waiting), ..all };
        assert_eq!(db.desk_requests(&own, &waiting).await.unwrap(), []);
        assert_eq!(db.desk_requests(&other, &waiting).await.unwrap().len(), 1);
    })
    .await;
}

/// Many that ask at once never hold the same request.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_pull_at_once_get_different_requests() {
    on_both(|world: World| async move {
        let connection = world.connection("acme").await;
        let own = desk(&world, &connection).await;
        for number in 0..40 {
            world.db.lay_on_desk(&own, &request(&format!("A-{number}"))).await.unwrap();
        }
        let mut pulling = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (db, own) = (world.another_node().await, own.clone());
            pulling.spawn(async move {
                let mut keys = Vec::new();
                loop {
                    let (_, _, pulled) = db.pull_from_desk(&own, 3, MINUTE).await.unwrap();
                    if pulled.is_empty() {
                        return keys;
                    }
                    keys.extend(pulled.into_iter().map(|row| row.request.key));
                }
            });
        }
        let mut keys: Vec<String> = pulling.join_all().await.into_iter().flatten().collect();
        keys.sort();
        let pulled = keys.len();
        keys.dedup();
        assert_eq!((keys.len(), pulled), (40, 40));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_is_stopped_or_asked_for() {
    on_both(|world: World| async move {
        let (db, connection) = (world.db.clone(), world.connection("acme").await);
        let own = desk(&world, &connection).await;
        for key in ["A-1", "A-2", "A-3"] {
            db.lay_on_desk(&own, &request(key)).await.unwrap();
        }
        assert_eq!(db.take_back_from_desk(&own, "A-9").await.unwrap(), None);
        let (lease, _, _) = db.pull_from_desk(&own, 10, MINUTE).await.unwrap();
        // Nobody has said that they have it, so it is stopped at once, and cannot be acknowledged any more.
        assert_eq!(db.take_back_from_desk(&own, "A-1").await.unwrap().unwrap().state, DeskState::Cancelled);
        let take = DeskStep::Acknowledge { lease, reference: String::new() };
        let refused = db.step_at_desk(&own, "A-1", take.clone()).await.unwrap().unwrap().unwrap_err();
        assert!(refused.why.contains("cancelled"), "{refused:?}");
        for key in ["A-2", "A-3"] {
            db.step_at_desk(&own, key, take.clone()).await.unwrap().unwrap().unwrap();
            for _ in 0..2 {
                let there = db.take_back_from_desk(&own, key).await.unwrap().unwrap();
                assert_eq!((there.state, there.cancel), (DeskState::Acknowledged, CancelAsked::Asked));
            }
        }
        let asked = DeskQuery { cancel_asked: true, limit: 10, ..DeskQuery::default() };
        assert_eq!(db.desk_requests(&own, &asked).await.unwrap().len(), 2);
        for _ in 0..2 {
            let yes = DeskStep::Answer(CancelAnswer::Accepted);
            let row = db.step_at_desk(&own, "A-2", yes).await.unwrap().unwrap().unwrap();
            assert_eq!(row.standing.state, DeskState::Cancelled);
        }
        let no = DeskStep::Answer(CancelAnswer::TooLate);
        let row = db.step_at_desk(&own, "A-3", no.clone()).await.unwrap().unwrap().unwrap();
        assert_eq!((row.standing.state, row.standing.cancel), (DeskState::Acknowledged, CancelAsked::TooLate));
        assert!(db.step_at_desk(&own, "A-2", no).await.unwrap().unwrap().is_err(), "an answer stays");
        assert_eq!(db.desk_requests(&own, &asked).await.unwrap(), []);
        // The hub hears of the yes, once; of what it did itself it need not hear.
        let told = db.told_at_desk(&own, 0, 10).await.unwrap();
        assert_eq!(told.told, [Told::State("A-2".to_owned(), RequestState::Cancelled)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_counts_once_and_is_read_in_order() {
    on_both(|world: World| async move {
        let (db, connection) = (world.db.clone(), world.connection("acme").await);
        let own = desk(&world, &connection).await;
        for key in ["A-1", "A-2"] {
            db.lay_on_desk(&own, &request(key)).await.unwrap();
        }
        let part = shipment("S1", "A-1", &[("WH-1", 2)], false);
        let Posted::New(first) = db.post_shipment(&own, part.clone(), "h1").await.unwrap() else { panic!("new") };
        assert!(!first.is_final && first.warning.is_none());
        assert_eq!(db.post_shipment(&own, part.clone(), "h1").await.unwrap(), Posted::Again(first));
        assert_eq!(db.post_shipment(&own, part, "h2").await.unwrap(), Posted::Differs);
        let nobodys = shipment("S2", "A-9", &[("WH-1", 1)], false);
        assert_eq!(db.post_shipment(&own, nobodys, "h").await.unwrap(), Posted::NoRequest);
        let too_much = shipment("S2", "A-1", &[("WH-1", 4)], false);
        let Posted::Wrong(faults) = db.post_shipment(&own, too_much, "h").await.unwrap() else { panic!("too much") };
        assert_eq!(faults[0].at, "lines[0].quantity");
        // Nothing of what was refused is kept: its id is free.
        let rest = shipment("S2", "A-1", &[("WH-1", 3), ("WH-2", 3)], false);
        let Posted::New(last) = db.post_shipment(&own, rest, "h").await.unwrap() else { panic!("new") };
        assert!(last.is_final, "everything has left");
        let row = db.desk_request(&own, "A-1").await.unwrap().unwrap();
        assert_eq!(row.standing.state, DeskState::Closed);
        // Goods that left are a fact, also of what was stopped; and then it says nothing more of it.
        db.take_back_from_desk(&own, "A-2").await.unwrap();
        let late = shipment("S3", "A-2", &[("WH-2", 3)], false);
        let Posted::New(odd) = db.post_shipment(&own, late, "h").await.unwrap() else { panic!("new") };
        assert!(odd.warning.unwrap().contains("cancelled"));
        assert_eq!(
            db.post_count(&own, count("C1", "h1")).await.map(|posted| matches!(posted, Posted::New(_))),
            Ok(true)
        );
        assert!(matches!(db.post_count(&own, count("C1", "h1")).await.unwrap(), Posted::Again(_)));
        assert_eq!(db.post_count(&own, count("C1", "h2")).await.unwrap(), Posted::Differs);
        assert!(matches!(db.post_count(&own, count("S1", "h3")).await.unwrap(), Posted::New(_)), "ids are of a kind");
        let give_up = DeskStep::GiveUp { reason: "lost".to_owned() };
        assert!(db.step_at_desk(&own, "A-1", give_up.clone()).await.unwrap().unwrap().is_ok(), "it is at its end");
        let mut read = Vec::new();
        let mut after = 0;
        loop {
            let page = db.told_at_desk(&own, after, 2).await.unwrap();
            after = page.reached;
            read.extend(page.told);
            if !page.more {
                break;
            }
        }
        let references: Vec<&str> = read
            .iter()
            .map(|told| match told {
                Told::Shipment(shipment) => shipment.reference.as_str(),
                Told::State(key, _) => key.as_str(),
            })
            .collect();
        assert_eq!(references, ["S1", "S2", "S3"]);
        assert_eq!(db.told_at_desk(&own, after, 2).await.unwrap().reached, after);
        let counts = db.counts_at_desk(&own, 10).await.unwrap();
        assert_eq!(counts.iter().map(|count| count.id.as_str()).collect::<Vec<_>>(), ["C1", "S1"]);
        db.put_counts_away(&own, &["C1".to_owned()]).await.unwrap();
        assert_eq!(db.counts_at_desk(&own, 10).await.unwrap().len(), 1);
    })
    .await;
}

/// A warehouse goes with its desk as long as nothing was asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_goes_with_its_warehouse() {
    on_both(|world: World| async move {
        let (db, connection) = (world.db.clone(), world.connection("acme").await);
        let (used, unused) = (desk(&world, &connection).await, desk(&world, &connection).await);
        db.lay_on_desk(&used, &request("A-1")).await.unwrap();
        db.post_count(&unused, count("C1", "h")).await.unwrap();
        let kept = db.delete_warehouse(&used.scope, &used.warehouse).await;
        assert!(matches!(kept, Err(DbError::Refused(_))), "{kept:?}");
        assert!(db.desk_request(&used, "A-1").await.unwrap().is_some());
        db.delete_warehouse(&unused.scope, &unused.warehouse).await.unwrap();
        assert_eq!(db.counts_at_desk(&unused, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_for_is_counted_and_witnessed() {
    on_both(|world: World| async move {
        let (db, connection) = (world.db.clone(), world.connection("acme").await);
        let own = desk(&world, &connection).await;
        let outside = Arc::new(Witness::default());
        db.set_guard(Guard { outside: Arc::clone(&outside) as _, synchronous: false });
        db.lay_on_desk(&own, &request("A-1")).await.unwrap();
        let all = shipment("S1", "A-1", &[("WH-1", 5), ("WH-2", 3)], false);
        assert!(matches!(db.post_shipment(&own, all.clone(), "h1").await.unwrap(), Posted::New(_)));
        assert_eq!((outside.known(), db.safety().await.unwrap().kept.armed), (1, 1));
        // Kept, and not answered for: the warehouse posts it again.
        outside.refuses.store(1, Ordering::SeqCst);
        let refused = db.post_count(&own, count("C1", "h1")).await;
        assert!(matches!(refused, Err(DbError::Unavailable { .. })), "{refused:?}");
        outside.refuses.store(0, Ordering::SeqCst);
        assert!(matches!(db.post_count(&own, count("C1", "h1")).await.unwrap(), Posted::Again(_)));
        assert_eq!((outside.known(), db.safety().await.unwrap().kept.armed), (3, 3));
    })
    .await;
}

/// What was said is known for as long as it may be said again or nobody has read it; old posts go with the next new one.
#[tokio::test(flavor = "multi_thread")]
async fn posts_are_known_for_as_long_as_they_are_needed() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let mut raw = world.raw().await;
        let of = format!("tenant = '{}'", key.scope.tenant);
        let warehouse = raw.texts(&format!("SELECT warehouse FROM connection WHERE {of}")).await.pop().unwrap();
        let own = DeskKey { scope: key.scope.clone(), warehouse: warehouse.parse().unwrap() };
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        let ours = request_key(1);
        let whole = [("WH-1", 5), ("WH-2", 3)];
        for (id, request_of, goods) in
            [("OURS", ours.as_str(), &whole[..]), ("NOBODYS", "X-2", &whole[..]), ("OPEN", "X-3", &whole[..1])]
        {
            db.lay_on_desk(&own, &request(request_of)).await.unwrap();
            let left = shipment(id, request_of, goods, false);
            assert!(matches!(db.post_shipment(&own, left, "h").await.unwrap(), Posted::New(_)));
        }
        for id in ["DONE", "WAITS"] {
            db.post_count(&own, count(id, "h")).await.unwrap();
        }
        db.put_counts_away(&own, &["DONE".to_owned()]).await.unwrap();
        let posts = format!("SELECT id FROM desk_post WHERE {of} AND id NOT LIKE 'NEW%' ORDER BY number");
        let mut news = 0;
        for (days, kept) in [
            (29, &["OURS", "NOBODYS", "OPEN", "DONE", "WAITS"][..]),
            // The count was dealt with long ago; nobody has looked at the other.
            (2, &["OURS", "NOBODYS", "OPEN", "WAITS"]),
            (148, &["OURS", "NOBODYS", "OPEN", "WAITS"]),
            // Nobody is to be told of the one; of the other the connection has not read yet.
            (2, &["OURS", "OPEN", "WAITS"]),
        ] {
            let age = (SignedDuration::from_hours(24) * days).as_millis();
            for sql in [
                format!("UPDATE desk_post SET at = at - {age}, put_away_at = put_away_at - {age} WHERE {of}"),
                format!("UPDATE desk_request SET changed_at = changed_at - {age} WHERE {of}"),
            ] {
                raw.run(&sql).await.unwrap();
            }
            news += 1;
            db.post_count(&own, count(&format!("NEW{news}"), "h")).await.unwrap();
            assert_eq!(raw.texts(&posts).await, kept, "after {days} more days");
        }
        assert!(matches!(db.post_count(&own, count("WAITS", "h")).await.unwrap(), Posted::Again(_)));
        assert_eq!(db.post_count(&own, count("WAITS", "other")).await.unwrap(), Posted::Differs);

        let run = db.start_run(&key, ChannelKind::Shipments).await.unwrap();
        db.finish_run(&key, ChannelKind::Shipments, &run, Ok(Ran::default())).await.unwrap();
        db.post_count(&own, count("NEW", "h")).await.unwrap();
        assert_eq!(raw.texts(&posts).await, ["OPEN", "WAITS"]);
        assert_eq!(db.desk_request(&own, &ours).await.unwrap().unwrap().standing.state, DeskState::Closed);
        assert_eq!(db.told_at_desk(&own, 0, 10).await.unwrap().told.len(), 1);
    })
    .await;
}
