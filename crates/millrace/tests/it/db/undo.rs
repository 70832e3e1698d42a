//! Corrections: planned only on what is still true, taken back once, held since, and looked for after they were given up.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use connect::Side;
use engine::effect::EffectState::{self, AbsentConfirmed, Applied, Refused, Unknown, Voided};
use jiff::{SignedDuration, Timestamp};
use millrace::db::{
    AuditQuery, ConnectionKey, CorrectionView, Database, DbError, FoundLate, NewCorrection, RunState, Scope, StockRun,
};

use super::{
    stock::{corrections, feed, line, run},
    world::{LEASE, World, carry_out, decimal, on_both, settlement},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn noon() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// A run whose corrections are done.
async fn corrected(db: &Database, key: &ConnectionKey, wanted: &[(i64, &str)]) -> StockRun {
    let planned = planned(db, key, "inv", wanted).await;
    carry_out(db, key, Side::Source, &[Applied]).await;
    planned
}

async fn planned(db: &Database, key: &ConnectionKey, name: &str, wanted: &[(i64, &str)]) -> StockRun {
    // Each is newer than the one before.
    static COUNTS: AtomicI64 = AtomicI64::new(0);
    let counted = noon() + SignedDuration::from_secs(COUNTS.fetch_add(1, Ordering::Relaxed));
    let mut run = run(name, counted, RunState::Planned);
    run.lines = wanted.iter().map(|(product, difference)| line(*product, difference)).collect();
    let corrections = corrections(db, key, &run.id, wanted).await;
    db.record_run(key, run, corrections, &feed(name, counted, &[("A", "1")], false)).await.unwrap()
}

/// What takes these corrections back.
async fn inverse(db: &Database, key: &ConnectionKey, views: &[CorrectionView]) -> Vec<NewCorrection> {
    let mut inverse = Vec::new();
    for view in views {
        let back = (-view.difference).to_string();
        let mut one =
            corrections(db, key, &format!("undo-{}", view.effect), &[(view.product_id, &back)]).await.remove(0);
        one.undoes = Some(view.effect.clone());
        inverse.push(one);
    }
    inverse
}

fn skus() -> BTreeMap<(i64, i64), String> {
    (1..=3).map(|product| ((2, product), format!("W-{product}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_undone_once() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let run = corrected(&db, &key, &[(1, "-3"), (2, "4")]).await;
        let views = db.corrections_of_run(&key, &run.id).await.unwrap();
        assert_eq!(views.iter().map(|view| view.difference).collect::<Vec<_>>(), [decimal("-3"), decimal("4")]);
        assert!(views.iter().all(|view| view.state == Applied && view.undone_by.is_none() && !view.touched_later));

        // Two people at once, on two nodes: one of them does it.
        let other = world.another_node().await;
        let (first, second) = (inverse(&db, &key, &views).await, inverse(&db, &key, &views).await);
        let (first, second) = tokio::join!(
            db.undo_run(&key, &run.id, first, skus(), "ada", "miscounted"),
            other.undo_run(&key, &run.id, second, skus(), "bob", "miscounted"),
        );
        let outcomes = [first, second];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(
            outcomes
                .iter()
                .any(|outcome| matches!(outcome, Err(DbError::Refused(why)) if why.contains("undone already")))
        );
        let undone = carry_out(&db, &key, Side::Source, &[Applied]).await;
        assert_eq!(undone.len(), 2, "each line once");
        // And later it is still done once, also where the figures are read anew.
        let again = inverse(&db, &key, &views).await;
        let refused = db.undo_run(&key, &run.id, again, skus(), "ada", "again").await;
        assert!(matches!(refused, Err(DbError::Refused(_))), "{refused:?}");
        let views = db.corrections_of_run(&key, &run.id).await.unwrap();
        assert!(views.iter().all(|view| matches!(view.undone_by, Some((_, Applied))) && !view.touched_later));

        // The unique index holds whatever a program does.
        let mut raw = world.raw().await;
        let twice = format!("UPDATE correction SET undoes = '{}' WHERE undoes IS NOT NULL", views[0].effect);
        assert!(raw.run(&twice).await.is_err());

        // Its products are held until a person lets them go, and the audit trail says who did what.
        let holds = db.stock_holds(&key).await.unwrap();
        assert_eq!(holds.iter().map(|hold| hold.sku.as_str()).collect::<Vec<_>>(), ["W-1", "W-2"]);
        assert!(holds[0].reason.starts_with("undone by ") && holds[0].reason.ends_with(": miscounted"));
        let next = planned(&db, &key, "next", &[(1, "-3"), (3, "1")]).await;
        assert_eq!(next.lines[0].verdict, "skip");
        assert_eq!(next.lines[0].reason, holds[0].reason);
        assert_eq!(
            (next.lines[1].verdict.as_str(), next.changed),
            ("correct", 0),
            "counted down from the one that was given"
        );
        assert_eq!(carry_out(&db, &key, Side::Source, &[Applied]).await.len(), 1);
        assert_eq!(db.release_holds(&key, &[(2, 1), (2, 9)], "ada").await.unwrap(), 1);
        assert!(matches!(db.release_holds(&key, &[(2, 1)], "ada").await, Err(DbError::NotFound(_))));
        planned(&db, &key, "last", &[(1, "-3")]).await;
        assert_eq!(carry_out(&db, &key, Side::Source, &[Applied]).await.len(), 1, "released");
        let audit = db
            .list_audit(&(&key.scope.tenant).into(), AuditQuery { limit: 10, ..AuditQuery::default() })
            .await
            .unwrap();
        let actions: Vec<&str> = audit.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(actions, ["stock.release", "stock.undo"]);
        // A later correction has touched the first line now.
        let views = db.corrections_of_run(&key, &run.id).await.unwrap();
        assert_eq!(views.iter().map(|view| view.touched_later).collect::<Vec<_>>(), [true, false]);
    })
    .await;
}

/// A batch that failed, then the line alone: the product waits for a person instead of being refused with every count.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_refused_again_holds_its_product() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        planned(&db, &key, "batch", &[(1, "-3"), (2, "1")]).await;
        carry_out(&db, &key, Side::Source, &[Unknown, EffectState::Probing, AbsentConfirmed, Voided]).await;
        assert!(db.refused_again(&key).await.unwrap().is_empty(), "it was not refused alone yet");
        for name in ["alone", "after the release"] {
            planned(&db, &key, name, &[(1, "-3")]).await;
            assert!(db.refused_again(&key).await.unwrap().is_empty(), "on its way");
            carry_out(&db, &key, Side::Source, &[Refused]).await;
            let refused = db.refused_again(&key).await.unwrap();
            assert_eq!(refused.iter().map(|one| one.product_id).collect::<Vec<_>>(), [1], "{name}");
            let one = refused.into_iter().next().unwrap();
            db.hold_refused(&key, one.clone(), "W-1").await.unwrap();
            assert!(db.refused_again(&key).await.unwrap().is_empty());
            let holds = db.stock_holds(&key).await.unwrap();
            assert_eq!((holds.len(), holds[0].sku.as_str()), (1, "W-1"));
            assert!(holds[0].reason.contains("for the second time"), "{}", holds[0].reason);
            assert_eq!(db.release_holds(&key, &[(2, 1)], "ada").await.unwrap(), 1);
            // Seen by two nodes at once, it holds once: after the release the same correction holds nothing any more.
            db.hold_refused(&key, one, "W-1").await.unwrap();
            assert!(db.stock_holds(&key).await.unwrap().is_empty());
        }
        // One refusal by itself is tried once more, and one that went through in between starts anew.
        planned(&db, &key, "two", &[(2, "1")]).await;
        carry_out(&db, &key, Side::Source, &[Applied]).await;
        planned(&db, &key, "two again", &[(2, "1")]).await;
        carry_out(&db, &key, Side::Source, &[Refused]).await;
        assert!(db.refused_again(&key).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_done_is_undone_and_an_undo_that_failed_may_be_tried_again() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let run = planned(&db, &key, "inv", &[(1, "-3")]).await;
        let views = db.corrections_of_run(&key, &run.id).await.unwrap();
        let early = db.undo_run(&key, &run.id, inverse(&db, &key, &views).await, skus(), "ada", "why").await;
        assert!(matches!(early, Err(DbError::Refused(why)) if why.contains("it is planned")));
        assert!(db.stock_holds(&key).await.unwrap().is_empty(), "nothing is written");
        carry_out(&db, &key, Side::Source, &[Applied]).await;
        // Worked out before something else touched the product: left out.
        let stale = inverse(&db, &key, &views).await;
        let between = corrected(&db, &key, &[(1, "1")]).await;
        let late = db.undo_run(&key, &run.id, stale, skus(), "ada", "why").await;
        assert!(matches!(late, Err(DbError::Refused(why)) if why.contains("came in between")));
        // It is not a correction of that run, or not its inverse.
        let strange = inverse(&db, &key, &db.corrections_of_run(&key, &between.id).await.unwrap()).await;
        assert!(db.undo_run(&key, &run.id, strange, skus(), "ada", "why").await.is_err());
        let mut wrong = inverse(&db, &key, &views).await;
        wrong[0].difference = decimal("2");
        assert!(db.undo_run(&key, &run.id, wrong, skus(), "ada", "why").await.is_err());

        for ends in [&[Refused][..], &[Applied][..]] {
            let views = db.corrections_of_run(&key, &run.id).await.unwrap();
            assert!(views[0].undone_by.is_none());
            let left_out = db.undo_run(&key, &run.id, inverse(&db, &key, &views).await, skus(), "ada", "why").await;
            assert!(left_out.unwrap().is_empty());
            let open = db.corrections_of_run(&key, &run.id).await.unwrap();
            assert!(open[0].undone_by.is_some(), "under way");
            assert_eq!(carry_out(&db, &key, Side::Source, ends).await.len(), 1);
        }
        let own = db.own_corrections(&key, 2, &[1], Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(
            (own[&1].undone, own[&1].under_way),
            (decimal("3"), decimal("0")),
            "what was refused counts for nothing"
        );
        planned(&db, &key, "open", &[(3, "7")]).await;
        let own = db.own_corrections(&key, 2, &[1, 3], Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((own[&3].undone, own[&3].under_way), (decimal("0"), decimal("7")));
    })
    .await;
}

/// A figure that was read before somebody else's correction does not lead to another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_overtaken_line_is_left_out() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let stale = corrections(&db, &key, "b", &[(1, "-3"), (2, "1")]).await;
        corrected(&db, &key, &[(1, "-3")]).await;
        let later = noon() + SignedDuration::from_hours(1);
        let mut late = run("late", later, RunState::Planned);
        late.lines = vec![line(1, "-3"), line(2, "1")];
        late.changed = 2;
        let kept = db.record_run(&key, late, stale, &feed("late", later, &[("A", "1")], false)).await.unwrap();
        assert_eq!((kept.lines[0].verdict.as_str(), kept.lines[1].verdict.as_str()), ("skip", "correct"));
        assert!(kept.lines[0].reason.contains("came in between"));
        assert_eq!(kept.changed, 1);
        assert_eq!(db.run(&key, &kept.id).await.unwrap(), kept);
        assert_eq!(db.corrections_of_run(&key, &kept.id).await.unwrap().len(), 1);
        // Lines of a run that was acted upon may be approved; those of one that was not may not.
        let more = corrections(&db, &key, "more", &[(3, "5")]).await;
        let mut with_more = kept.clone();
        with_more.lines.push(line(3, "5"));
        let seen = db.counts_kept(&key).await.unwrap();
        let overtaken = db.approve_lines(&key, with_more.clone(), more.clone(), seen - 1, "ada").await;
        assert!(matches!(overtaken, Err(DbError::Fenced(_))), "another count came while they were worked out");
        assert_eq!(db.approve_lines(&key, with_more, more, seen, "ada").await.unwrap().lines.len(), 3);
        let waiting = run("waits", later, RunState::Waiting);
        db.record_run(&key, waiting.clone(), Vec::new(), &feed("waits", later, &[], false)).await.unwrap();
        let seen = db.counts_kept(&key).await.unwrap();
        assert!(matches!(db.approve_lines(&key, waiting, Vec::new(), seen, "ada").await, Err(DbError::Fenced(_))));
    })
    .await;
}

async fn settle_claimed(db: &Database, key: &ConnectionKey, path: &[EffectState]) -> usize {
    let rows = db.claim_effects(key, Side::Source, "test", LEASE, 100).await.unwrap().rows;
    db.settle(key, rows.iter().map(|row| settlement(row, path)).collect()).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_looked_for_and_taken_back_once() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let run = planned(&db, &key, "inv", &[(1, "-3")]).await;
        assert!(db.watched_corrections(&key, DAY).await.unwrap().is_empty(), "it is not given up");
        carry_out(&db, &key, Side::Source, &[Unknown]).await;
        assert_eq!(settle_claimed(&db, &key, &[AbsentConfirmed, Voided]).await, 1);
        let watched = db.watched_corrections(&key, DAY).await.unwrap();
        assert_eq!(watched.len(), 1);
        assert_eq!((watched[0].product_id, watched[0].difference, watched[0].attempt), (1, decimal("-3"), 1));
        assert!(watched[0].later.is_empty());
        assert!(db.watched_corrections(&key, Duration::ZERO).await.unwrap().is_empty(), "a day later");
        let other = world.connection("acme").await;
        assert!(db.watched_corrections(&other, DAY).await.unwrap().is_empty(), "somebody else's");

        // It shows. Its inverse is worked out, but another correction is quicker: the next look decides.
        let view = db.corrections_of_run(&key, &run.id).await.unwrap().remove(0);
        let late =
            |inverse| FoundLate { effect: view.effect.clone(), note: "it shows as note 8001".to_owned(), inverse };
        let stale = inverse(&db, &key, std::slice::from_ref(&view)).await.pop();
        corrected(&db, &key, &[(1, "1")]).await;
        assert!(!db.found_late(&key, late(stale)).await.unwrap());
        assert_eq!(db.watched_corrections(&key, DAY).await.unwrap()[0].later.len(), 1);
        let fresh = inverse(&db, &key, std::slice::from_ref(&view)).await.pop();
        assert!(db.found_late(&key, late(fresh)).await.unwrap());
        assert_eq!(carry_out(&db, &key, Side::Source, &[Applied]).await.len(), 1);
        assert!(db.watched_corrections(&key, DAY).await.unwrap().is_empty());
        let again = inverse(&db, &key, std::slice::from_ref(&view)).await.pop();
        assert!(db.found_late(&key, late(again)).await.is_err(), "once");
        assert!(db.claim_effects(&key, Side::Source, "test", LEASE, 10).await.unwrap().rows.is_empty());
        let raised = db.list_exceptions(&(&key.scope).into(), Some(&key), false, None, 10).await.unwrap();
        assert_eq!(raised.items[0].row.kind, "late_correction");
        assert!(raised.items[0].row.reason.contains("note 8001"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_scope_sees_no_corrections_and_releases_nothing() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let stranger = world.connection("acme").await;
        let run = corrected(&db, &key, &[(1, "-3")]).await;
        let views = db.corrections_of_run(&key, &run.id).await.unwrap();
        db.undo_run(&key, &run.id, inverse(&db, &key, &views).await, skus(), "ada", "why").await.unwrap();
        let brand = db.create_merchant(&key.scope.tenant, "Other brand").await.unwrap();
        for scope in [stranger.scope.clone(), Scope { tenant: key.scope.tenant.clone(), merchant: brand }] {
            let foreign = ConnectionKey { scope, connection: key.connection.clone() };
            assert!(db.corrections_of_run(&foreign, &run.id).await.unwrap().is_empty());
            assert!(db.stock_holds(&foreign).await.unwrap().is_empty());
            assert!(db.own_corrections(&foreign, 2, &[1], Timestamp::UNIX_EPOCH).await.unwrap().is_empty());
            assert!(db.release_holds(&foreign, &[(2, 1)], "eve").await.is_err());
            let taken = inverse(&db, &key, &views).await;
            assert!(db.undo_run(&foreign, &run.id, taken, skus(), "eve", "why").await.is_err());
        }
        assert_eq!(db.stock_holds(&key).await.unwrap().len(), 1);
    })
    .await;
}
