//! Pre-flights as they are kept: one at a time, one node at a time, taken up where the node before stopped.

use std::time::Duration;

use engine::{
    cause::{Cause, CauseKind},
    preflight::Tally,
};
use millrace::db::{Access, DbError, NewPreflight, PreflightEnd, PreflightWork};

use super::world::{LEASE, World, on_both};

fn made(new: NewPreflight) -> String {
    match new {
        NewPreflight::Made(id) => id,
        NewPreflight::Running(id) => panic!("{id} runs"),
    }
}

fn work(place: i64) -> PreflightWork {
    let mut tally = Tally::default();
    tally.add(place, &[Cause::new(CauseKind::UnknownSku, "A")]);
    PreflightWork { revision: 3, total: 9, place, tally }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_works_on_one_run() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let (other, tenant) = (world.connection("other").await, Access::Tenant(key.scope.tenant.clone()));
        let id = made(db.new_preflight(&key, 30, "ada").await.unwrap());
        assert_eq!(db.new_preflight(&key, 30, "bob").await.unwrap(), NewPreflight::Running(id.clone()));
        assert!(matches!(db.preflight(&other, &id).await, Err(DbError::NotFound(_))));
        assert!(db.due_preflights(&Access::Tenant(other.scope.tenant.clone())).await.unwrap().is_empty());
        let due = db.due_preflights(&tenant).await.unwrap();
        assert_eq!((due.len(), due[0].days, due[0].wanted_by.as_str()), (1, 30, "ada"));
        assert_eq!(due[0].wanted_at.duration_since(due[0].since).as_hours(), 30 * 24);

        let taken = db.hold_preflight(&key, &id, "one", LEASE).await.unwrap().expect("it is free");
        assert_eq!((taken.owner.as_deref(), taken.place, &taken.tally), (Some("one"), 0, &Tally::default()));
        assert!(db.due_preflights(&tenant).await.unwrap().is_empty());
        let second = world.another_node().await;
        assert_eq!(second.hold_preflight(&key, &id, "two", LEASE).await.unwrap(), None);
        assert!(!second.advance_preflight(&key, &id, "two", work(7)).await.unwrap());
        second.end_preflight(&key, &id, "two", PreflightEnd::Finished, None).await.unwrap();
        assert!(db.advance_preflight(&key, &id, "one", work(7)).await.unwrap());
        // The first node lets go, or its lease ends: the second goes on where it stopped.
        db.defer_preflight(&key, &id, "one", Duration::from_secs(3_600), Some("no answer")).await.unwrap();
        assert!(second.due_preflights(&tenant).await.unwrap().is_empty(), "it rests first");
        assert_eq!(second.hold_preflight(&key, &id, "two", LEASE).await.unwrap(), None);
        let waiting = db.preflight(&key, &id).await.unwrap();
        assert_eq!((waiting.owner, waiting.problem.as_deref()), (None, Some("no answer")));
        let mut raw = world.raw().await;
        raw.run("UPDATE preflight SET lease_until = 0").await.unwrap();
        let again = second.hold_preflight(&key, &id, "two", LEASE).await.unwrap().expect("it is free again");
        assert_eq!((again.revision, again.total, again.place), (Some(3), Some(9), 7));
        assert_eq!(again.tally, work(7).tally);
        assert!(!db.advance_preflight(&key, &id, "one", work(8)).await.unwrap(), "it is another's now");
        // A person ends it: whoever works on it notices at the next step.
        let ended = db.cancel_preflight(&key, &id, "ada").await.unwrap();
        assert_eq!((ended.end, ended.tally), (Some(PreflightEnd::Cancelled), work(7).tally));
        assert_eq!(second.hold_preflight(&key, &id, "two", LEASE).await.unwrap(), None);
        assert!(!second.advance_preflight(&key, &id, "two", work(8)).await.unwrap());
        second.end_preflight(&key, &id, "two", PreflightEnd::Finished, None).await.unwrap();
        assert_eq!(db.preflight(&key, &id).await.unwrap().end, Some(PreflightEnd::Cancelled));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_kept_beside_each_other() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let mut ids = Vec::new();
        for place in 1..=3 {
            let id = made(db.new_preflight(&key, 30, "ada").await.unwrap());
            db.hold_preflight(&key, &id, "one", LEASE).await.unwrap();
            assert!(db.advance_preflight(&key, &id, "one", work(place)).await.unwrap());
            let end = if place == 2 { PreflightEnd::Failed } else { PreflightEnd::Finished };
            db.end_preflight(&key, &id, "one", end, (place == 2).then_some("refused")).await.unwrap();
            ids.push(id);
        }
        let last = db.preflight(&key, &ids[2]).await.unwrap();
        let before = db.preflight_before(&last).await.unwrap().expect("there is one");
        assert_eq!((&before.id, before.place), (&ids[0], 1), "one that failed is nothing to compare with");
        assert_eq!(db.preflight_before(&before).await.unwrap(), None);
        let first = db.preflights(&key, None, 2).await.unwrap();
        assert_eq!(first.items.iter().map(|run| &run.id).collect::<Vec<_>>(), [&ids[2], &ids[1]]);
        assert_eq!(first.items[1].problem.as_deref(), Some("refused"));
        let rest = db.preflights(&key, first.next, 2).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (1, None));
        for _ in 0..101 {
            let id = made(db.new_preflight(&key, 30, "ada").await.unwrap());
            db.cancel_preflight(&key, &id, "ada").await.unwrap();
        }
        assert!(matches!(db.preflight(&key, &ids[0]).await, Err(DbError::NotFound(_))), "the oldest give way");
        assert_eq!(db.preflights(&key, None, 500).await.unwrap().items.len(), 100);
    })
    .await;
}
