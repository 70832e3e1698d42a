//! Running numbers of what is sent: none is lost, none is given twice.

use std::{collections::BTreeMap, time::Duration};

use connect::{EffectKind, Numbering, Side};
use millrace::db::{ConnectionKey, Database, NewEffect};

use super::world::{effect, on_both};

fn numbered(name: &str, series: &str, first: u32, last: u32) -> NewEffect {
    let mut one = effect(EffectKind::SubmitRequest, name, &format!("lane {name}"));
    one.draft.numbering = Some(Numbering { series: series.to_owned(), first, last, acknowledged_within: None });
    one
}

fn next(name: &str) -> NewEffect {
    numbered(name, "us them P", 1, 999_999_999)
}

/// The numbers by key.
async fn numbers(db: &Database, key: &ConnectionKey) -> BTreeMap<String, Option<u32>> {
    let rows = db.claim_effects(key, Side::Warehouse, "test", Duration::from_secs(60), 100).await.unwrap();
    rows.rows.into_iter().map(|row| (row.key, row.number)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_taken_with_the_plan() {
    on_both(|world| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        db.plan_effects(&key, vec![next("A"), next("B")]).await.unwrap();
        // Planned again it keeps its number, and takes none from the next.
        db.plan_effects(&key, vec![next("A"), next("C")]).await.unwrap();
        // A plan that fails takes none.
        let mut other = next("A");
        other.draft.body = "{}".to_owned();
        db.plan_effects(&key, vec![next("F"), other]).await.unwrap_err();
        // Two at once, and one that carries no number.
        let plain = effect(EffectKind::SubmitRequest, "P", "lane P");
        let (one, two) =
            tokio::join!(db.plan_effects(&key, vec![next("D")]), db.plan_effects(&key, vec![next("E"), plain]));
        one.and(two).unwrap();
        // Another series counts for itself, another merchant's of the same name as well.
        db.plan_effects(&key, vec![numbered("T", "us them T", 1, 999_999_999)]).await.unwrap();
        let others = world.connection("acme").await;
        db.plan_effects(&others, vec![next("A")]).await.unwrap();
        // A first number that is higher than what was reached; the last, after which it begins again.
        db.plan_effects(&key, vec![numbered("H", "us them P", 100, 999_999_999), next("I")]).await.unwrap();
        db.plan_effects(&key, vec![numbered("J", "us them P", 1, 101)]).await.unwrap();

        let mut given = numbers(db, &key).await;
        let mut both = [given.remove("D").unwrap(), given.remove("E").unwrap()];
        both.sort_unstable();
        assert_eq!(both, [Some(4), Some(5)]);
        let expected = [
            ("A", Some(1)),
            ("B", Some(2)),
            ("C", Some(3)),
            ("H", Some(100)),
            ("I", Some(101)),
            ("J", Some(1)),
            ("P", None),
            ("T", Some(1)),
        ];
        assert_eq!(given, expected.map(|(name, number)| (name.to_owned(), number)).into());
        assert_eq!(numbers(db, &others).await, [("A".to_owned(), Some(1))].into());
    })
    .await;
}
