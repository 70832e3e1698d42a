//! Looking for what somebody did.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use millrace::db::{Access, AuditQuery};

use super::world::{World, on_both};

fn at(second: i64) -> Option<Timestamp> {
    Some(Timestamp::from_second(second).unwrap())
}

async fn numbers(world: &World, access: &Access, query: AuditQuery) -> Vec<i64> {
    let rows = world.db.list_audit(access, AuditQuery { limit: 100, ..query }).await.unwrap();
    rows.into_iter().map(|row| row.number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_found_by_who_what_on_what_and_when() {
    on_both(|world: World| async move {
        let access = Access::Tenant(world.db.create_tenant("Acme").await.unwrap());
        let other = Access::Tenant(world.db.create_tenant("Bolt").await.unwrap());
        for (number, (actor, action, target)) in [
            ("person per_1 (ada@acme.test)", "order.hold", "ord_1"),
            ("person per_12 (bo@acme.test)", "order.hold", "ord_2"),
            ("key key_1 (acme)", "orders.export", "ord_1"),
            ("person per_1 (lovelace@acme.test)", "order.release", "con_1/orders"),
            ("command line", "connection.enable", "con_1"),
        ]
        .into_iter()
        .enumerate()
        {
            world.db.audit(&access, actor, action, target, &serde_json::json!({ "n": number })).await.unwrap();
            world.db.audit(&other, actor, action, target, &serde_json::json!({})).await.unwrap();
        }
        let actor = |actor: &str| AuditQuery { actor: actor.to_owned(), ..AuditQuery::default() };
        let action = |action: &str| AuditQuery { action: action.to_owned(), ..AuditQuery::default() };
        let target = |target: &str| AuditQuery { target: target.to_owned(), ..AuditQuery::default() };
        for (query, found) in [
            (AuditQuery::default(), vec![5, 4, 3, 2, 1]),
            (AuditQuery { before: Some(3), ..AuditQuery::default() }, vec![2, 1]),
            (actor("person per_1 "), vec![4, 1]),
            (actor("person"), vec![4, 2, 1]),
            (actor("command line"), vec![5]),
            (actor("Person"), vec![]),
            (actor("%"), vec![]),
            (action("order.hold"), vec![2, 1]),
            (action("order."), vec![4, 2, 1]),
            (action("order"), vec![4, 3, 2, 1]),
            (target("ord_1"), vec![3, 1]),
            (target("con_1"), vec![5, 4]),
            (AuditQuery { action: "order.".to_owned(), before: Some(4), ..actor("person per_1 ") }, vec![1]),
            (AuditQuery { from: at(0), to: at(1), ..AuditQuery::default() }, vec![]),
            (AuditQuery { from: at(0), ..target("ord_2") }, vec![2]),
        ] {
            assert_eq!(numbers(&world, &access, query.clone()).await, found, "{query:?}");
        }
        let page = world.db.list_audit(&access, AuditQuery { limit: 2, ..action("order.") }).await.unwrap();
        assert_eq!(page.iter().map(|row| row.number).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(world.db.verify_audit(&access).await.unwrap(), None);
    })
    .await;
}

/// Rows written.
const ROWS: usize = 100_000;
/// As for orders ([`super::many`]): what reads every row takes longer in an unoptimised build.
const LIMIT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_are_searched_quickly() {
    on_both(|world: World| async move {
        let tenant = world.db.create_tenant("Acme").await.unwrap();
        let mut raw = world.raw().await;
        raw.run(&format!(
            "INSERT INTO audit (tenant, number, at, actor, action, target, detail, hash)
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             SELECT '{tenant}', n.i, n.i * 1000,
                 CASE WHEN n.i % 20000 = 7 THEN 'person per_1 (ada)' ELSE 'person per_2 (bo)' END,
                 CASE WHEN n.i % 30000 = 8 THEN 'order.hold' ELSE 'sign_in.success' END,
                 'ord_' || n.i, '{{}}', 'x'
             FROM n"
        ))
        .await
        .unwrap();
        if world.db.is_postgres() {
            raw.run("ANALYZE").await.unwrap();
        }
        let access = Access::Tenant(tenant);
        let actor = |actor: &str| AuditQuery { actor: actor.to_owned(), ..AuditQuery::default() };
        for (what, query, found) in [
            ("all", AuditQuery::default(), 50),
            ("somebody who does little", actor("person per_1 "), 5),
            ("somebody who does nearly everything", actor("person per_2 "), 50),
            ("nobody", actor("person per_3"), 0),
            ("what is seldom done", AuditQuery { action: "order.".to_owned(), ..AuditQuery::default() }, 4),
            ("one target", AuditQuery { target: "ord_54321".to_owned(), ..AuditQuery::default() }, 1),
            ("long ago", AuditQuery { from: at(10), to: at(20), ..AuditQuery::default() }, 10),
            ("before long ago", AuditQuery { to: at(1_000), ..AuditQuery::default() }, 50),
            ("a deep page", AuditQuery { before: Some(60_000), ..actor("person per_2 ") }, 50),
            ("who and what", AuditQuery { action: "order.".to_owned(), ..actor("person per_2 ") }, 4),
        ] {
            let query = AuditQuery { limit: 50, ..query };
            let mut took = Vec::new();
            for _ in 0..7 {
                let begun = Instant::now();
                let rows = world.db.list_audit(&access, query.clone()).await.unwrap();
                took.push(begun.elapsed());
                assert_eq!(rows.len(), found, "{what}");
                assert!(rows.is_sorted_by(|a, b| a.number > b.number), "{what}");
            }
            took.sort_unstable();
            eprintln!("{what}: {:?}, at most {:?}", took[3], took[6]);
            assert!(took[3] < LIMIT, "{what}: {took:?}");
        }
    })
    .await;
}
