//! Stock that two people approve: whose yes counts.

use jiff::SignedDuration;
use millrace::db::{ConnectionKey, Database, RunState};

use super::{
    stock::{feed, run},
    world::{World, on_both},
};

async fn waiting(db: &Database, key: &ConnectionKey, named: &str) -> String {
    let cut_off = db.now().await.unwrap() - SignedDuration::from_mins(5);
    let wanted = run(named, cut_off, RunState::Waiting);
    db.record_run(key, wanted, Vec::new(), &feed(named, cut_off, &[("A", "5")], false)).await.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_decides() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let other = world.connection("best").await;
        let one = waiting(&db, &key, "1").await;
        assert!(!db.assent(&key, &one, &[], "per_1", "Ada").await.unwrap());
        assert!(!db.assent(&key, &one, &[], "per_1", "Ada").await.unwrap(), "however often");
        assert!(!db.assent(&key, &one, &["A", "B"], "per_2", "Bob").await.unwrap(), "that is another thing");
        assert!(!db.assent(&key, &one, &["A"], "per_1", "Ada").await.unwrap(), "and so is that");
        assert!(db.assent(&key, &one, &[], "per_2", "Bob").await.unwrap());
        assert!(db.assent(&key, &one, &["A", "B"], "per_1", "Ada").await.unwrap());
        // What nobody has is nobody's to say yes to, and another tenant's run is not there.
        assert!(db.assent(&key, "run_0", &[], "per_1", "Ada").await.is_err());
        assert!(db.assent(&other, &one, &[], "per_1", "Ada").await.is_err());
        assert!(db.assents(&other, &one).await.unwrap().is_empty());
        let all = db.assents(&key, &one).await.unwrap();
        let said: Vec<_> = all.iter().map(|one| (one.actor.as_str(), one.skus.join(" "))).collect();
        assert_eq!(said.len(), 5, "{said:?}");
        assert!(said.contains(&("Bob", "A B".to_owned())) && said.contains(&("Ada", String::new())), "{said:?}");
        assert!(all.iter().all(|one| one.counts && one.person.starts_with("per_")), "{all:?}");

        // Who may not sign in any more has not said yes.
        let two = waiting(&db, &key, "2").await;
        let (tenant, mut raw) = (&key.scope.tenant, world.raw().await);
        raw.run(&format!(
            "INSERT INTO person (tenant, id, email, name, password_hash, role, installation, disabled, created_at)
             VALUES ('{tenant}', 'per_3', 'eve@example.com', 'Eve', 'x', 'staff', 0, 1, 1)"
        ))
        .await
        .unwrap();
        assert!(!db.assent(&key, &two, &[], "per_3", "Eve").await.unwrap());
        assert!(!db.assent(&key, &two, &[], "per_1", "Ada").await.unwrap());
        let mut counts: Vec<_> =
            db.assents(&key, &two).await.unwrap().into_iter().map(|one| (one.person, one.counts)).collect();
        counts.sort();
        assert_eq!(counts, [("per_1".to_owned(), true), ("per_3".to_owned(), false)]);
        raw.run(&format!("UPDATE person SET disabled = 0 WHERE tenant = '{tenant}' AND id = 'per_3'")).await.unwrap();
        assert!(db.assent(&key, &two, &[], "per_1", "Ada").await.unwrap());
        let trail = db.audit_after(&tenant.into(), 0, 50).await.unwrap();
        assert_eq!(trail.iter().filter(|row| row.action == "stock.assent").count(), 7);
    })
    .await;
}

/// Two who press at the same moment, on two nodes: one of them is the second, and decides. Never neither, never both.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_one_decides() {
    on_both(|world: World| async move {
        let (db, node, key) = (world.db.clone(), world.another_node().await, world.connection("acme").await);
        for round in 0..30 {
            let one = waiting(&db, &key, &round.to_string()).await;
            let (ada, bob) =
                tokio::join!(db.assent(&key, &one, &[], "per_1", "Ada"), node.assent(&key, &one, &[], "per_2", "Bob"));
            let (ada, bob) = (ada.unwrap(), bob.unwrap());
            assert!(ada != bob, "round {round}: Ada {ada}, Bob {bob}");
            assert_eq!(db.assents(&key, &one).await.unwrap().len(), 2);
        }
    })
    .await;
}
