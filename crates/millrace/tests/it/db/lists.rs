//! Long lists: whatever they are limited to, every page goes on where the one before ended, with nothing twice and nothing
//! left out.

use std::collections::BTreeSet;

use connect::{EffectKind, FeedCursor, Side};
use engine::{
    effect::EffectState,
    order::{Disposition, OrderState},
};
use millrace::db::{Access, Advance, ConnectionKey, Database, EffectQuery, OrderQuery, Scope, ShipmentQuery};

use super::world::{World, carry_out, effect, imported, on_both, order, request_key, requested, shipment};

/// All pages of a list of orders, two at a time.
async fn orders(db: &Database, access: &Access, query: OrderQuery) -> Vec<i64> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = db.list_orders(access, OrderQuery { after, limit: 2, ..query.clone() }).await.unwrap();
        assert!(page.items.len() <= 2);
        assert!(page.items.windows(2).all(|two| two[0].id > two[1].id), "newest first");
        found.extend(page.items.iter().map(|order| order.order_id));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

async fn effects(db: &Database, access: &Access, query: EffectQuery) -> usize {
    let (mut found, mut after) = (BTreeSet::new(), None);
    loop {
        let page = db.list_effects(access, EffectQuery { after, limit: 2, ..query.clone() }).await.unwrap();
        assert!(page.items.iter().all(|effect| found.insert(effect.id.to_string())), "one came twice");
        after = page.next;
        if after.is_none() {
            return found.len();
        }
    }
}

/// All pages of a list of shipments, two at a time: the warehouse's own ids.
async fn shipments(db: &Database, access: &Access, query: ShipmentQuery) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = db.list_shipments(access, ShipmentQuery { after, limit: 2, ..query.clone() }).await.unwrap();
        assert!(page.items.len() <= 2);
        assert!(page.items.windows(2).all(|two| two[0].id > two[1].id), "newest first");
        found.extend(page.items.into_iter().map(|one| one.shipment.reference));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// Orders of every kind of state, one after the other: `base + 1` to `base + 8`.
async fn fill(db: &Database, key: &ConnectionKey, base: i64) {
    for number in 1..=8 {
        let one = match number % 4 {
            0 => imported(order(base + number), Disposition::Held("mapping".to_owned()), Vec::new()),
            1 => imported(order(base + number), Disposition::Waiting("stock".to_owned()), Vec::new()),
            2 => imported(order(base + number), Disposition::Skipped("filter".to_owned()), Vec::new()),
            _ => requested(base + number),
        };
        db.record_orders(key, &format!("account-{base}"), vec![one]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_where_the_one_before_ended() {
    on_both(|world: World| async move {
        let db = &world.db;
        let first = world.connection("one").await;
        let (tenant, own) = (&first.scope.tenant, &first.scope.merchant);
        let second = world.further_connection(tenant, own, "two").await;
        let brand = db.create_merchant(tenant, "Brand").await.unwrap();
        let third = world.further_connection(tenant, &brand, "three").await;
        let empty = db.create_merchant(tenant, "Empty").await.unwrap();
        let stranger = world.connection("four").await;
        for (key, base) in [(&first, 100), (&second, 200), (&third, 300), (&stranger, 400)] {
            fill(db, key, base).await;
        }
        let known = db.known_orders(&first, &[104]).await.unwrap();
        db.archive_order(&first, &known[&104].id, true, "ada").await.unwrap();

        // Newest first: what was recorded last.
        let newest = |bases: &[i64]| -> Vec<i64> {
            let all = bases.iter().flat_map(|base| (1..=8).rev().map(move |number| base + number));
            all.filter(|number| *number != 104).collect()
        };
        let whole = Access::Tenant(tenant.clone());
        let of = |merchant| Access::Merchant(Scope { tenant: tenant.clone(), merchant });
        let both = Access::Merchants(tenant.clone(), [own.clone(), brand.clone()].into());
        let everything = OrderQuery::default();
        assert_eq!(orders(db, &whole, everything.clone()).await, newest(&[300, 200, 100]));
        assert_eq!(orders(db, &of(own.clone()), everything.clone()).await, newest(&[200, 100]));
        assert_eq!(orders(db, &of(brand.clone()), everything.clone()).await, newest(&[300]));
        assert_eq!(orders(db, &of(empty), everything.clone()).await, [0; 0]);
        assert_eq!(orders(db, &both, everything.clone()).await, newest(&[300, 200, 100]));
        let connection = |key: &ConnectionKey| Some(key.connection.clone());
        let of_second = OrderQuery { connection: connection(&second), ..OrderQuery::default() };
        assert_eq!(orders(db, &whole, of_second.clone()).await, newest(&[200]));
        assert_eq!(orders(db, &of(brand.clone()), of_second.clone()).await, [0; 0], "it is another merchant's");
        let of_stranger = OrderQuery { connection: connection(&stranger), ..OrderQuery::default() };
        assert_eq!(orders(db, &whole, of_stranger).await, [0; 0], "it is another tenant's");
        for (states, wanted) in [
            (vec![OrderState::Held], vec![208, 204]),
            (vec![OrderState::Held, OrderState::Skipped], vec![208, 206, 204, 202]),
            (vec![OrderState::Error], vec![]),
        ] {
            let query = OrderQuery { states, ..of_second.clone() };
            assert_eq!(orders(db, &whole, query.clone()).await, wanted, "{query:?}");
        }
        let archived = OrderQuery { states: vec![OrderState::Archived], ..OrderQuery::default() };
        assert_eq!(orders(db, &whole, archived).await, [104]);
        // By text, with and without a state.
        let text = OrderQuery { text: "Lovelace".to_owned(), ..OrderQuery::default() };
        assert_eq!(orders(db, &whole, text.clone()).await, newest(&[300, 200, 100]));
        let held = OrderQuery { states: vec![OrderState::Held], ..text.clone() };
        assert_eq!(orders(db, &of(own.clone()), held).await, [208, 204, 108]);
        assert_eq!(orders(db, &whole, OrderQuery { text: "208".to_owned(), ..text }).await, [208]);

        // Effects: two of each connection.
        assert_eq!(effects(db, &whole, EffectQuery::default()).await, 6);
        assert_eq!(effects(db, &of(own.clone()), EffectQuery::default()).await, 4);
        let of_first = EffectQuery { connection: connection(&first), ..EffectQuery::default() };
        assert_eq!(effects(db, &whole, of_first.clone()).await, 2);
        let planned = EffectQuery { states: vec![EffectState::Planned, EffectState::Unknown], ..of_first };
        assert_eq!(effects(db, &whole, planned).await, 2);
        let unknown = EffectQuery { states: vec![EffectState::Unknown], ..EffectQuery::default() };
        assert_eq!(effects(db, &whole, unknown).await, 0);
        let none = ShipmentQuery { connection: connection(&first), limit: 10, ..ShipmentQuery::default() };
        assert!(db.list_shipments(&whole, none).await.unwrap().items.is_empty());
    })
    .await;
}

/// A tenant with more connections than one statement has parts: it is read another way, and shows the same.
#[tokio::test(flavor = "multi_thread")]
async fn many_connections_are_listed_as_well() {
    on_both(|world: World| async move {
        let first = world.connection("many").await;
        let (tenant, own) = (&first.scope.tenant, &first.scope.merchant);
        let mut keys = vec![first.clone()];
        for _ in 0..7 {
            keys.push(world.further_connection(tenant, own, "many").await);
        }
        for (key, number) in keys.iter().zip(1..) {
            let one = imported(order(number), Disposition::Waiting("stock".to_owned()), Vec::new());
            world.db.record_orders(key, "many", vec![one]).await.unwrap();
        }
        let access = Access::Merchant(first.scope.clone());
        assert_eq!(orders(&world.db, &access, OrderQuery::default()).await, [8, 7, 6, 5, 4, 3, 2, 1]);
    })
    .await;
}

/// What left for these orders, from `S{order}` in a box of its own each.
async fn leave(db: &Database, key: &ConnectionKey, orders: &[i64]) {
    let left = orders.iter().map(|id| shipment(&order(*id), &format!("S{id}"), &request_key(*id), &[3, 1])).collect();
    db.record_shipments(key, left, Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
}

/// The source knows of the shipments of these orders, and a person is needed for those; some may be both.
async fn tell(db: &Database, key: &ConnectionKey, told: &[i64], stopped: &[i64]) {
    for one in db.requests_to_advance(key, 100).await.unwrap() {
        let shipments = || one.shipments.iter().map(|shipment| shipment.id.clone());
        let mut steps = Advance::default();
        if told.contains(&one.order_id) {
            steps.confirmed = shipments().collect();
        }
        if stopped.contains(&one.order_id) {
            steps.shipment_problems = shipments().map(|id| (id, Some("look at it".to_owned()))).collect();
        }
        assert!(db.advance(key, &one.id, one.version, steps).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_of_shipments_gives_its_rows() {
    on_both(|world: World| async move {
        let db = &world.db;
        let first = world.connection("one").await;
        let tenant = &first.scope.tenant;
        let brand = db.create_merchant(tenant, "Brand").await.unwrap();
        let second = world.further_connection(tenant, &brand, "two").await;
        let stranger = world.connection("three").await;
        for (key, ids) in [(&first, 101..=106), (&second, 201..=203), (&stranger, 301..=302)] {
            let account = format!("account-{}", key.connection);
            db.record_orders(key, &account, ids.clone().map(requested).collect()).await.unwrap();
            leave(db, key, &ids.collect::<Vec<i64>>()).await;
        }
        // Nobody knows its order.
        leave(db, &first, &[999]).await;
        tell(db, &first, &[101, 102, 103], &[103, 104]).await;
        tell(db, &second, &[201], &[]).await;

        let whole = Access::Tenant(tenant.clone());
        let of = |scope: &Scope| Access::Merchant(scope.clone());
        let both = Access::Merchants(tenant.clone(), [first.scope.merchant.clone(), brand.clone()].into());
        let at = |key: &ConnectionKey| Some(key.connection.clone());
        let asked = |connection, confirmed, needs_person, text: &str| ShipmentQuery {
            connection,
            confirmed,
            needs_person,
            text: text.to_owned(),
            ..ShipmentQuery::default()
        };
        for (access, query, wanted) in [
            (&whole, asked(None, None, None, ""), "S999 S203 S202 S201 S106 S105 S104 S103 S102 S101"),
            (&both, asked(None, None, None, ""), "S999 S203 S202 S201 S106 S105 S104 S103 S102 S101"),
            (&of(&second.scope), asked(None, None, None, ""), "S203 S202 S201"),
            (&of(&stranger.scope), asked(None, None, None, ""), "S302 S301"),
            (&whole, asked(at(&first), None, None, ""), "S999 S106 S105 S104 S103 S102 S101"),
            (&whole, asked(at(&stranger), None, None, ""), ""),
            (&of(&second.scope), asked(at(&first), None, None, ""), ""),
            (&whole, asked(None, Some(true), None, ""), "S201 S103 S102 S101"),
            (&whole, asked(None, Some(false), None, ""), "S999 S203 S202 S106 S105 S104"),
            (&whole, asked(None, None, Some(true), ""), "S104 S103"),
            (&whole, asked(None, None, Some(false), ""), "S999 S203 S202 S201 S106 S105 S102 S101"),
            (&whole, asked(None, Some(true), Some(true), ""), "S103"),
            (&whole, asked(None, Some(false), Some(true), ""), "S104"),
            (&whole, asked(at(&first), Some(true), Some(false), ""), "S102 S101"),
            (&whole, asked(at(&second), Some(false), None, ""), "S203 S202"),
            // By the beginnings of words: of its id, its key, the order's number, its tracking number.
            (&whole, asked(None, None, None, "s10"), "S106 S105 S104 S103 S102 S101"),
            (&whole, asked(None, None, None, "1ZS20"), "S203 S202 S201"),
            (&whole, asked(None, None, None, "bpacme-o999"), "S999"),
            (&whole, asked(None, None, None, "999"), "S999"),
            (&whole, asked(None, None, None, "202"), "S202"),
            (&whole, asked(None, None, None, "bpacme 1zs104"), "S104"),
            (&whole, asked(None, None, None, "zs104"), ""),
            (&whole, asked(None, None, None, " , "), ""),
            (&whole, asked(at(&first), Some(true), None, "bpacme"), "S103 S102 S101"),
            (&whole, asked(at(&second), None, None, "s10"), ""),
            (&of(&second.scope), asked(None, None, None, "bpacme"), "S203 S202 S201"),
            (&of(&second.scope), asked(None, None, None, "s10"), ""),
            (&whole, asked(None, None, None, "s301"), ""),
        ] {
            assert_eq!(shipments(db, access, query.clone()).await.join(" "), wanted, "{query:?}");
        }
        // Its order comes to be known: it is found as before.
        db.record_orders(&first, "account-late", vec![requested(999)]).await.unwrap();
        assert_eq!(shipments(db, &whole, asked(None, None, None, "999")).await, ["S999"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_of_orders_and_effects_gives_its_rows() {
    on_both(|world: World| async move {
        let db = &world.db;
        let first = world.connection("one").await;
        let (tenant, own) = (&first.scope.tenant, &first.scope.merchant);
        let second = world.further_connection(tenant, own, "two").await;
        let brand = db.create_merchant(tenant, "Brand").await.unwrap();
        let third = world.further_connection(tenant, &brand, "three").await;
        let empty = db.create_merchant(tenant, "Empty").await.unwrap();
        let stranger = world.connection("four").await;
        for (key, base) in [(&first, 100), (&second, 200), (&third, 300), (&stranger, 400)] {
            fill(db, key, base).await;
        }
        let whole = Access::Tenant(tenant.clone());
        let of_brand = Access::Merchant(third.scope.clone());
        let at = |time: &str| Some(time.parse().unwrap());
        let merchant = |merchant| OrderQuery { merchant: Some(merchant), ..OrderQuery::default() };
        let held = |query| OrderQuery { states: vec![OrderState::Held], ..query };
        let all = |bases: &[i64]| -> Vec<i64> {
            bases.iter().flat_map(|base| (1..=8).rev().map(move |number| base + number)).collect()
        };
        let (past, future) = (at("2001-01-01T00:00:00Z"), at("2199-01-01T00:00:00Z"));
        for (access, query, wanted) in [
            (&whole, merchant(own.clone()), all(&[200, 100])),
            (&whole, merchant(brand.clone()), all(&[300])),
            (&whole, merchant(empty.clone()), vec![]),
            (&of_brand, merchant(own.clone()), vec![]),
            (&whole, held(merchant(own.clone())), vec![208, 204, 108, 104]),
            (&whole, OrderQuery { text: "lovelace".to_owned(), ..held(merchant(brand.clone())) }, vec![308, 304]),
            (&whole, OrderQuery { connection: Some(third.connection.clone()), ..merchant(own.clone()) }, vec![]),
            (&whole, OrderQuery { imported_from: past, imported_to: future, ..merchant(brand.clone()) }, all(&[300])),
            (&whole, OrderQuery { imported_from: future, ..OrderQuery::default() }, vec![]),
            (&whole, OrderQuery { imported_to: past, ..OrderQuery::default() }, vec![]),
            (&whole, OrderQuery { placed_from: at("2026-05-01T10:00:00Z"), ..merchant(brand.clone()) }, all(&[300])),
            (&whole, OrderQuery { placed_to: at("2026-05-01T10:00:00Z"), ..OrderQuery::default() }, vec![]),
        ] {
            assert_eq!(orders(db, access, query.clone()).await, wanted, "{query:?}");
        }

        // Two requests of each connection; one of each is sent, and one note is to be made.
        carry_out(db, &first, Side::Warehouse, &[EffectState::Applied]).await;
        for (key, lane) in [(&first, "note 1"), (&third, "note 3")] {
            db.plan_effects(key, vec![effect(EffectKind::CreateNote, lane, lane)]).await.unwrap();
        }
        let kind = |kind| EffectQuery { kind: Some(kind), ..EffectQuery::default() };
        let there = |key: &ConnectionKey, query| EffectQuery { connection: Some(key.connection.clone()), ..query };
        let state = |state, query| EffectQuery { states: vec![state], ..query };
        let (submit, note) = (|| kind(EffectKind::SubmitRequest), || kind(EffectKind::CreateNote));
        let both = Access::Merchants(tenant.clone(), [own.clone(), brand.clone()].into());
        for (access, query, wanted) in [
            (&whole, EffectQuery::default(), 8),
            (&whole, submit(), 6),
            (&both, submit(), 6),
            (&of_brand, submit(), 2),
            (&whole, note(), 2),
            (&of_brand, note(), 1),
            (&whole, kind(EffectKind::SetStatus), 0),
            (&whole, there(&first, submit()), 2),
            (&whole, there(&second, note()), 0),
            (&whole, there(&stranger, submit()), 0),
            (&of_brand, there(&first, submit()), 0),
            (&of_brand, there(&third, note()), 1),
            (&whole, state(EffectState::Applied, submit()), 2),
            (&whole, state(EffectState::Planned, submit()), 4),
            (&whole, state(EffectState::Applied, note()), 0),
            (&whole, state(EffectState::Planned, there(&second, submit())), 2),
            (&whole, state(EffectState::Applied, there(&second, submit())), 0),
        ] {
            assert_eq!(effects(db, access, query.clone()).await, wanted, "{query:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_of_exceptions_gives_its_rows() {
    on_both(|world: World| async move {
        let db = &world.db;
        let first = world.connection("one").await;
        let brand = db.create_merchant(&first.scope.tenant, "Brand").await.unwrap();
        let second = world.further_connection(&first.scope.tenant, &brand, "two").await;
        leave(db, &first, &[1, 2]).await;
        leave(db, &second, &[3]).await;
        let whole = Access::Tenant(first.scope.tenant.clone());
        let found = async |access: &Access, connection: Option<&ConnectionKey>, resolved: bool| -> usize {
            let page = db.list_exceptions(access, connection, resolved, None, 2).await.unwrap();
            let Some(next) = page.next else { return page.items.len() };
            let rest = db.list_exceptions(access, connection, resolved, Some(&next), 2).await.unwrap();
            assert!(rest.items.iter().all(|one| one.row.id < next) && rest.next.is_none());
            page.items.len() + rest.items.len()
        };
        let page = db.list_exceptions(&whole, Some(&first), false, None, 10).await.unwrap();
        db.resolve_exception(&first.scope, &page.items[0].row.id, "ada").await.unwrap();
        for (access, connection, resolved, wanted) in [
            (&whole, None, false, 2),
            (&whole, None, true, 3),
            (&whole, Some(&first), false, 1),
            (&whole, Some(&first), true, 2),
            (&Access::Merchant(second.scope.clone()), None, true, 1),
            (&Access::Merchant(second.scope.clone()), Some(&first), true, 0),
        ] {
            assert_eq!(found(access, connection, resolved).await, wanted, "{access:?} {connection:?} {resolved}");
        }
    })
    .await;
}
