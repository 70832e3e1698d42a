//! Lists and searches stay quick however many orders there are.

use std::time::{Duration, Instant};

use connect::FeedCursor;
use engine::order::OrderState;
use millrace::db::{Access, OrderQuery, ShipmentQuery};

use super::world::{World, on_both, order, request_key, requested, shipment};

/// Orders stored.
const ORDERS: usize = 100_000;

/// A request that reads the whole table takes longer in an unoptimised build, and one that uses its index much less, whatever else
/// the machine does. What requests really take is measured by `./dev bench api`.
const LIMIT: Duration = Duration::from_millis(500);

/// Written straight into the tables: an order in a hundred is in error, a few are held, the rest is closed. Of each something has left,
/// and the source knows of it; only of what left for the first, which is the oldest, it does not.
async fn fill(world: &World) -> Access {
    let key = world.connection("acme").await;
    world.db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
    let (tenant, merchant, connection) = (&key.scope.tenant, &key.scope.merchant, &key.connection);
    let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {ORDERS})");
    let id = "'ord_00000000000000000000' || (100000 + n.i)";
    let orders = format!(
        "INSERT INTO orders (tenant, merchant, id, connection, account, order_id, reference, ship_to, search, placed_at,
             imported_at, changed_at, seen, disposition, disposition_reason, document, archived, state, state_reason)
         {numbers} SELECT '{tenant}', '{merchant}', {id}, '{connection}', 'acme', n.i, 'web-' || n.i, 'Ada', '', n.i * 1000,
             n.i * 1000, 0, 'x', 'requested', '',
             (SELECT document FROM orders WHERE order_id = 1), 0,
             CASE WHEN n.i % 100 = 0 THEN 'error' WHEN n.i % 100 < 4 THEN 'held' ELSE 'closed' END, ''
         FROM n"
    );
    let words = format!(
        "INSERT INTO order_word (tenant, merchant, order_ref, word, origin)
         {numbers} SELECT '{tenant}', '{merchant}', {id}, w.head || CASE WHEN w.every = 0 THEN '' ELSE '' || (n.i % w.every) END,
             'order'
         FROM n JOIN (SELECT 'ada' AS head, 0 AS every UNION ALL SELECT 'web-', 1000000 UNION ALL SELECT 'customer', 5000
             UNION ALL SELECT 'sku-', 300) AS w ON 1 = 1"
    );
    let left = shipment(&order(1), "S1", &request_key(1), &[3, 1]);
    world.db.record_shipments(&key, vec![left], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
    let left = "'shp_01ZZZZZZZZZZZZZZZZZZ' || (100000 + n.i)";
    let shipments = format!(
        "INSERT INTO shipment (tenant, merchant, id, connection, order_ref, reference, key, content_sha256, document, tracking,
             search, shipped_at, confirmed_at, created_at)
         {numbers} SELECT '{tenant}', '{merchant}', {left}, '{connection}', {id}, 'S' || n.i, 'BPacme-O' || n.i, '',
             (SELECT document FROM shipment WHERE reference = 'S1'), '', '', 1, 1, 1
         FROM n"
    );
    let shipment_words = format!(
        "INSERT INTO shipment_word (tenant, merchant, shipment, word)
         {numbers} SELECT '{tenant}', '{merchant}', {left}, w.head || n.i
         FROM n JOIN (SELECT 'bpacme-o' AS head UNION ALL SELECT '1z') AS w ON 1 = 1"
    );
    let mut raw = world.raw().await;
    for statement in [orders, words, shipments, shipment_words] {
        raw.run(&statement).await.unwrap();
        if world.db.is_postgres() {
            // As its autovacuum does by itself in time: with the figures of an empty table, every foreign key that is looked up
            // reads an index from one end to the other.
            raw.run("ANALYZE").await.unwrap();
        }
    }
    Access::Tenant(key.scope.tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_orders_are_listed_and_found_quickly() {
    on_both(|world: World| async move {
        let access = fill(&world).await;
        let text = |text: &str| OrderQuery { text: text.to_owned(), ..OrderQuery::default() };
        let states = |states: &[OrderState]| OrderQuery { states: states.to_vec(), ..OrderQuery::default() };
        let middle = Some("ord_00000000000000000000150000".to_owned());
        for (what, query, found) in [
            ("all", OrderQuery::default(), 50),
            ("a page in the middle", OrderQuery { after: middle, ..OrderQuery::default() }, 50),
            ("a state with few", states(&[OrderState::Error]), 50),
            ("a state with none", states(&[OrderState::Skipped]), 0),
            ("several states", states(&[OrderState::Error, OrderState::Closed, OrderState::Held]), 50),
            ("one order", text("web-54321"), 1),
            ("one customer", text("customer1234"), 20),
            ("a product", text("sku-7"), 50),
            ("a word of every order", text("ada"), 50),
            ("a common and a rare word", text("ada web-54321"), 1),
            ("a word of none", text("nobody"), 0),
            ("a word in a state", OrderQuery { states: vec![OrderState::Error], ..text("ada") }, 50),
            ("long ago", OrderQuery { placed_to: jiff::Timestamp::from_second(60).ok(), ..OrderQuery::default() }, 50),
        ] {
            let query = OrderQuery { limit: 50, ..query };
            let mut took = Vec::new();
            for _ in 0..7 {
                let begun = Instant::now();
                let page = world.db.list_orders(&access, query.clone()).await.unwrap();
                took.push(begun.elapsed());
                assert_eq!(page.items.len(), found, "{what}");
            }
            took.sort_unstable();
            eprintln!("{what}: {:?}, at most {:?}", took[3], took[6]);
            assert!(took[3] < LIMIT, "{what}: {took:?}");
        }
        let shipments = |text: &str, confirmed: Option<bool>, needs_person: Option<bool>| ShipmentQuery {
            confirmed,
            needs_person,
            text: text.to_owned(),
            limit: 50,
            ..ShipmentQuery::default()
        };
        for (what, query, found) in [
            ("all shipments", shipments("", None, None), 50),
            ("those told", shipments("", Some(true), None), 50),
            ("those not told", shipments("", Some(false), None), 1),
            ("those for a person", shipments("", None, Some(true)), 0),
            ("one shipment", shipments("1z54321", None, None), 1),
            ("a word of every shipment", shipments("bpacme", None, None), 50),
            ("a word of every shipment, not told", shipments("bpacme", Some(false), None), 1),
            ("a word of no shipment", shipments("nobody", None, None), 0),
        ] {
            let mut took = Vec::new();
            for _ in 0..7 {
                let begun = Instant::now();
                let page = world.db.list_shipments(&access, query.clone()).await.unwrap();
                took.push(begun.elapsed());
                assert_eq!(page.items.len(), found, "{what}");
            }
            took.sort_unstable();
            eprintln!("{what}: {:?}, at most {:?}", took[3], took[6]);
            assert!(took[3] < LIMIT, "{what}: {took:?}");
        }
        let counted = world.db.count_orders(&access, OrderQuery::default()).await.unwrap();
        assert_eq!(counted[&OrderState::Error], 1_000);
        assert_eq!(counted.values().sum::<i64>(), i64::try_from(ORDERS).unwrap());
    })
    .await;
}
