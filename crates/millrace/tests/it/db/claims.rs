//! One row of an order is sent by one connection: claims across connections and tenants.

use std::collections::{BTreeMap, BTreeSet};

use connect::Side;
use engine::order::Disposition;
use millrace::db::{ImportedOrder, Recorded};
use rust_decimal::Decimal;

use super::world::{LEASE, World, decimal, imported, lines, on_both, order, request, request_key, requested};

/// An order of which one connection wants so many units of the first row.
fn wants(order_id: i64, units: i64) -> ImportedOrder {
    let order = order(order_id);
    let mut wanted = lines(&order);
    wanted.truncate(1);
    wanted[0].quantity = Decimal::from(units);
    let request = request(&order, &request_key(order_id), wanted);
    imported(order, Disposition::Requested, vec![request])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_claim_wins() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let first = world.connection("acme").await;
        let beside = world.further_connection(&first.scope.tenant, &first.scope.merchant, "acme").await;
        let stranger = world.connection("acme").await;
        let elsewhere = world.connection("other").await;
        assert_eq!(db.record_orders(&first, "acme", vec![wants(1, 2)]).await.unwrap(), [Recorded::Kept]);
        // One of three units is left.
        let refused = db.record_orders(&beside, "acme", vec![wants(1, 2)]).await.unwrap();
        let names = db.connections(&(&first.scope.tenant).into()).await.unwrap();
        let name = &names.iter().find(|one| one.id == first.connection).unwrap().name;
        assert_eq!(refused, [Recorded::ClaimedElsewhere(format!("claimed by connection {name}"))]);
        let known = &db.known_orders(&beside, &[1]).await.unwrap()[&1];
        assert_eq!(known.disposition, Disposition::Skipped(format!("claimed by connection {name}")));
        assert!(db.claim_effects(&beside, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
        // Another tenant does not learn who it is.
        let refused = db.record_orders(&stranger, "acme", vec![wants(1, 2)]).await.unwrap();
        let reason = "held by another connection of this installation".to_owned();
        assert_eq!(refused, [Recorded::ClaimedElsewhere(reason)]);
        assert_eq!(db.record_orders(&stranger, "acme", vec![wants(1, 1)]).await.unwrap(), [Recorded::Kept]);
        // The same number in another account is another order.
        assert_eq!(db.record_orders(&elsewhere, "other", vec![wants(1, 3)]).await.unwrap(), [Recorded::Kept]);
        // Given up, it is free for others; a further claim replaces the former.
        assert_eq!(db.record_orders(&first, "acme", vec![wants(1, 2)]).await.unwrap(), [Recorded::Kept]);
        let not_now = imported(order(1), Disposition::Waiting("not allocated".to_owned()), Vec::new());
        db.record_orders(&first, "acme", vec![not_now]).await.unwrap();
        assert_eq!(db.record_orders(&beside, "acme", vec![wants(1, 2)]).await.unwrap(), [Recorded::Kept]);
        assert!(matches!(
            db.record_orders(&first, "acme", vec![wants(1, 2)]).await.unwrap()[0],
            Recorded::ClaimedElsewhere(_)
        ));
        // Nobody sends more than is ordered, alone or not.
        assert!(matches!(
            db.record_orders(&elsewhere, "other", vec![wants(2, 4)]).await.unwrap()[0],
            Recorded::ClaimedElsewhere(_)
        ));
    })
    .await;
}

/// Whatever comes at the same moment, from several nodes: what is claimed of a row never exceeds what is ordered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claims_never_exceed_what_is_ordered() {
    on_both(|world: World| async move {
        let mut connections = Vec::new();
        for _ in 0..4 {
            connections.push(world.connection("acme").await);
        }
        let nodes = [world.db.clone(), world.another_node().await];
        let mut tasks = tokio::task::JoinSet::new();
        for (number, key) in connections.iter().cloned().enumerate() {
            let db = nodes[number % 2].clone();
            tasks.spawn(async move {
                for round in 0..12_usize {
                    // Slices overlap, and come in different orders.
                    let mut ids: Vec<i64> = (1..=6).collect();
                    ids.rotate_left((round + number) % 6);
                    let slice = ids
                        .into_iter()
                        .map(|order_id| {
                            let units = i64::try_from((round + number) % 4).unwrap();
                            if units == 0 {
                                imported(order(order_id), Disposition::Waiting("later".to_owned()), Vec::new())
                            } else {
                                wants(order_id, units)
                            }
                        })
                        .collect();
                    db.record_orders(&key, "acme", slice).await.unwrap();
                }
            });
        }
        let mut raw = world.raw().await;
        let mut looks = 0;
        // All the while, not only when it is over: each look sees one moment.
        loop {
            let over = tasks.is_empty();
            let claims = raw.texts("SELECT order_id || '/' || row_id || '=' || quantity FROM claim").await;
            let mut claimed: BTreeMap<&str, Decimal> = BTreeMap::new();
            for claim in &claims {
                let (row, units) = claim.split_once('=').unwrap();
                *claimed.entry(row).or_default() += decimal(units);
            }
            for (row, claimed) in &claimed {
                assert!(*claimed <= decimal("3"), "{row}: {claimed} of 3");
            }
            looks += usize::from(!claimed.is_empty());
            if over {
                break;
            }
            while let Some(done) = tasks.try_join_next() {
                done.unwrap();
            }
            tokio::task::yield_now().await;
        }
        assert!(looks > 1, "something was claimed while it ran");
    })
    .await;
}

/// A goods-out note is the request of one connection at most.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_one_request() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let first = world.connection("acme").await;
        let beside = world.further_connection(&first.scope.tenant, &first.scope.merchant, "acme").await;
        let with_note = |order_id: i64, units: i64| {
            let mut one = wants(order_id, units);
            one.requests[0].note_id = Some(77);
            one
        };
        db.record_orders(&first, "acme", vec![with_note(1, 1)]).await.unwrap();
        assert_eq!(db.known_orders(&first, &[1]).await.unwrap()[&1].note_ids, BTreeSet::from([77]));
        // Rows are left, and still the note is taken: a fault that the database stops.
        db.record_orders(&beside, "acme", vec![with_note(1, 1)]).await.unwrap_err();
        db.record_orders(&beside, "acme", vec![requested(2)]).await.unwrap();
    })
    .await;
}
