//! Long lists: whatever they are limited to, every page goes on where the one before ended, with nothing twice and nothing
//! left out.

use std::collections::BTreeSet;

use engine::{
    effect::EffectState,
    order::{Disposition, OrderState},
};
use millrace::db::{Access, ConnectionKey, Database, EffectQuery, OrderQuery, Scope, ShipmentQuery};

use super::world::{World, imported, on_both, order, requested};

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
