//! Messages: taken in once, answered once, and missed when nobody acknowledges them.

use std::{collections::BTreeMap, time::Duration};

use connect::{EffectKind, Mark, Numbering, Receipt, Reception, Side, StockAdjustment};
use engine::effect::EffectState;
use jiff::{SignedDuration, Timestamp};
use millrace::db::{ConnectionKey, Database, NewEffect};

use super::world::{carry_out, effect, on_both};

fn numbering(within: Option<u64>) -> Option<Numbering> {
    let acknowledged_within = within.map(Duration::from_millis);
    Some(Numbering { series: "us them P".to_owned(), first: 1, last: 999_999_999, acknowledged_within })
}

fn answer(key: &str, body: &str) -> NewEffect {
    let mut answer = effect(EffectKind::Acknowledge, key, &format!("letter {key}"));
    answer.draft.body = body.to_owned();
    answer.draft.numbering = numbering(None);
    answer
}

fn mark(name: &str, content: &str, instead_of: Option<&str>) -> Mark {
    let instead_of = instead_of.map(str::to_owned);
    Mark { name: name.to_owned(), content_hash: content.to_owned(), written: None, instead_of }
}

async fn hash(db: &Database, key: &ConnectionKey, name: &str) -> Option<String> {
    db.letters(key, &[name.to_owned()]).await.unwrap().remove(name).map(|known| known.content_hash)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_twice_is_answered_once() {
    on_both(|world| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let marks = [mark("5", "content", None)];
        db.keep_letters(&key, &marks, vec![answer("SW-5", "at six")], &[]).await.unwrap();
        // Read again, later and by two at once.
        let again = |words: &'static str| db.keep_letters(&key, &marks, vec![answer("SW-5", words)], &[]);
        let (one, two) = tokio::join!(again("at seven"), again("at eight"));
        one.and(two).unwrap();
        db.keep_letters(&key, &[], vec![answer("SW-6", "at nine")], &[]).await.unwrap();
        let planned = db.claim_effects(&key, Side::Warehouse, "test", Duration::from_secs(60), 100).await.unwrap().rows;
        let planned: BTreeMap<String, (Option<u32>, String)> =
            planned.into_iter().map(|row| (row.key, (row.number, row.body))).collect();
        let expected = [("SW-5", 1, "at six"), ("SW-6", 2, "at nine")];
        let expected = expected.map(|(key, number, body)| (key.to_owned(), (Some(number), body.to_owned())));
        assert_eq!(planned, expected.into());

        // A mark stays, but where what stood there was known and given up.
        db.keep_letters(&key, &[mark("5", "other", None)], Vec::new(), &[]).await.unwrap();
        assert_eq!(hash(db, &key, "5").await.as_deref(), Some("content"));
        db.keep_letters(&key, &[mark("5", "other", Some("content"))], Vec::new(), &[]).await.unwrap();
        assert_eq!(hash(db, &key, "5").await.as_deref(), Some("other"));
        assert_eq!(hash(db, &world.connection("acme").await, "5").await, None, "another connection has its own");
    })
    .await;
}

async fn open(db: &Database, key: &ConnectionKey) -> Vec<(String, String)> {
    let rows = db.exceptions(key, false, 50).await.unwrap();
    let mut open: Vec<(String, String)> = rows.into_iter().map(|row| (row.kind, row.reason)).collect();
    open.sort();
    open
}

fn said(number: u32, refused: Option<&str>) -> Receipt {
    let reception = refused.map_or(Reception::Read, |why| Reception::Refused(why.to_owned()));
    Receipt { number, reception }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_acknowledges_is_missed_and_settles_itself() {
    on_both(|world| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let order = |name: &str, within: Option<u64>| {
            let mut order = effect(EffectKind::SubmitRequest, name, &format!("lane {name}"));
            order.draft.numbering = numbering(within);
            order
        };
        // 1 to 4: two that are overdue at once, one that has a day, one of which nothing is expected.
        let hour = 3_600_000;
        let planned = [order("A", Some(hour)), order("B", Some(hour)), order("C", Some(24 * hour)), order("D", None)];
        db.plan_effects(&key, planned.into()).await.unwrap();
        let factor = 3_600_000;
        assert_eq!(db.raise_unacknowledged(&key, factor).await.unwrap(), 0, "nothing was sent yet");
        carry_out(db, &key, Side::Warehouse, &[EffectState::Applied]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        // A day is no longer than an hour where all waits are divided, but the first receipt comes in time.
        db.keep_letters(&key, &[], Vec::new(), &[said(3, None)]).await.unwrap();
        assert_eq!(db.raise_unacknowledged(&key, factor).await.unwrap(), 2);
        assert_eq!(db.raise_unacknowledged(&key, factor).await.unwrap(), 0, "each is raised once");
        let seen = open(db, &key).await;
        assert!(
            seen.iter().all(|(kind, reason)| kind == "unacknowledged" && reason.contains("within 60 minutes")),
            "{seen:?}"
        );
        assert!(seen[0].1.contains("number 1 (\"Test A\")"), "{seen:?}");

        // One comes, the other says no, and one is of something that nobody knows.
        db.keep_letters(
            &key,
            &[],
            Vec::new(),
            &[said(1, None), said(2, Some("too long")), said(77, Some("what is it"))],
        )
        .await
        .unwrap();
        let seen = open(db, &key).await;
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen.iter().all(|(kind, _)| kind == "refused_message"), "{seen:?}");
        assert!(seen.iter().any(|(_, why)| why.contains("number 2 (\"Test B\"): too long")), "{seen:?}");
        // And a no that is taken back settles, too.
        db.keep_letters(&key, &[], Vec::new(), &[said(2, None), said(2, None)]).await.unwrap();
        assert_eq!(open(db, &key).await.len(), 1);
        assert_eq!(db.raise_unacknowledged(&key, factor).await.unwrap(), 0);
        // A no after a yes is told, and the yes stays; a word that is neither is told, too.
        db.keep_letters(&key, &[], Vec::new(), &[said(1, Some("a duplicate"))]).await.unwrap();
        let neither = Receipt { number: 4, reception: Reception::Unclear("its 997 says Q".to_owned()) };
        db.keep_letters(&key, &[], Vec::new(), &[neither]).await.unwrap();
        let seen = open(db, &key).await;
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(
            seen.iter().any(|(_, why)| why.contains("has read number 1") && why.contains("a duplicate")),
            "{seen:?}"
        );
        assert!(seen.iter().any(|(_, why)| why.contains("number 4") && why.contains("says Q")), "{seen:?}");
    })
    .await;
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A partner's number stands for nothing any more once it may come again, and not before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_known_for_as_long_as_its_number_may_not_come_again() {
    on_both(|world| async move {
        let (db, key, other) = (&world.db, world.connection("acme").await, world.connection("acme").await);
        for key in [&key, &other] {
            let marks = ["new", "known", "old"].map(|name| mark(name, "content", None));
            db.keep_letters(key, &marks, Vec::new(), &[]).await.unwrap();
        }
        let mut raw = world.raw().await;
        for (name, days) in [("known", 179), ("old", 181)] {
            let age = (DAY * days).as_millis();
            raw.run(&format!("UPDATE letter SET at = at - {age} WHERE name = '{name}'")).await.unwrap();
        }
        assert_eq!(db.forget_letters(&key, DAY * 180).await.unwrap(), 1);
        assert_eq!(db.forget_letters(&key, DAY * 180).await.unwrap(), 0);
        for (name, there) in [("new", true), ("known", true), ("old", false)] {
            assert_eq!(hash(db, &key, name).await.is_some(), there, "{name}");
            assert!(hash(db, &other, name).await.is_some(), "another connection's are its own: {name}");
        }
        // Its number brings another message then.
        db.keep_letters(&key, &[mark("old", "other", None)], Vec::new(), &[]).await.unwrap();
        assert_eq!(hash(db, &key, "old").await.as_deref(), Some("other"));
    })
    .await;
}

/// What a warehouse changed itself explains a difference for two weeks, and goes with the next that comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adjustments_are_kept_for_as_long_as_they_explain() {
    on_both(|world| async move {
        let (db, key, other) = (&world.db, world.connection("acme").await, world.connection("acme").await);
        let now = db.now().await.unwrap();
        let made = |reference: &str, days: i32| StockAdjustment {
            reference: reference.to_owned(),
            line: 1,
            sku: "WH-1".to_owned(),
            change: (-2).into(),
            reason: "damaged".to_owned(),
            made_on: now - DAY * days,
        };
        for key in [&key, &other] {
            db.keep_adjustments(key, vec![made("A", 1), made("B", 13)]).await.unwrap();
        }
        let mut raw = world.raw().await;
        let of = format!("tenant = '{}'", key.scope.tenant);
        let age = (DAY * 2).as_millis();
        raw.run(&format!("UPDATE stock_adjustment SET made_on = made_on - {age} WHERE {of}")).await.unwrap();
        let known = |known: Vec<StockAdjustment>| known.into_iter().map(|one| one.reference).collect::<Vec<_>>();
        assert_eq!(known(db.adjustments(&key).await.unwrap()), ["A"], "it explains nothing any more");
        // The same file once more brings nothing old back.
        db.keep_adjustments(&key, vec![made("C", 0), made("D", 15)]).await.unwrap();
        assert_eq!(known(db.adjustments(&key).await.unwrap()), ["C", "A"]);
        let rows = raw.texts(&format!("SELECT reference FROM stock_adjustment WHERE {of} ORDER BY reference")).await;
        assert_eq!(rows, ["A", "C"]);
        assert_eq!(known(db.adjustments(&other).await.unwrap()), ["A", "B"]);
    })
    .await;
}

/// The same adjustment once more says nothing new; another one under its number is told, and the first stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adjustment_that_comes_again_otherwise_is_told() {
    on_both(|world| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let now = db.now().await.unwrap();
        let line = |reference: &str, line: u32, change: i64| StockAdjustment {
            reference: reference.to_owned(),
            line,
            sku: format!("WH-{line}"),
            change: change.into(),
            reason: "physical count (AA)".to_owned(),
            made_on: now,
        };
        let first = || vec![line("ADJ1", 1, -2), line("ADJ1", 2, 5), line("ADJ2", 1, 1)];
        db.keep_adjustments(&key, first()).await.unwrap();
        db.keep_adjustments(&key, first()).await.unwrap();
        // On another day it is the same: where a document names no day, it has that of its message.
        let later = first().into_iter().map(|one| StockAdjustment { made_on: now + DAY, ..one }).collect();
        db.keep_adjustments(&key, later).await.unwrap();
        assert!(open(db, &key).await.is_empty());
        for (other, told) in [
            (vec![line("ADJ1", 1, -3), line("ADJ1", 2, 5)], 1),
            (vec![line("ADJ1", 1, -3), line("ADJ1", 2, 5)], 1),
            (vec![line("ADJ1", 1, -2)], 2),
            (vec![line("ADJ1", 1, -2), line("ADJ1", 2, 5), line("ADJ1", 3, 1)], 3),
            // Two of one number in one reading: the second is another one.
            (vec![line("ADJ3", 1, 1), line("ADJ3", 1, 2)], 4),
        ] {
            db.keep_adjustments(&key, other).await.unwrap();
            let seen = open(db, &key).await;
            assert_eq!(seen.len(), told, "{seen:?}");
            assert!(
                seen.iter().all(|(kind, why)| kind == "changed_adjustment" && why.contains("stock adjustment ADJ")),
                "{seen:?}"
            );
        }
        let mut kept: Vec<String> = db
            .adjustments(&key)
            .await
            .unwrap()
            .iter()
            .map(|one| format!("{} {} {}", one.reference, one.line, one.change))
            .collect();
        kept.sort();
        assert_eq!(kept, ["ADJ1 1 -2", "ADJ1 2 5", "ADJ2 1 1", "ADJ3 1 1"]);
        let exceptions = db.exceptions(&key, false, 10).await.unwrap();
        let third = exceptions.iter().find(|one| one.subject.starts_with("ADJ3/")).expect("ADJ3 is told");
        let content = db.exception_content(&key, &third.id).await.unwrap().expect("what came is kept");
        assert!(String::from_utf8(content).unwrap().contains("ADJ3"));
    })
    .await;
}

/// Which number of a series is the highest, and when what came under a number was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_highest_number_of_a_series_is_known() {
    on_both(|world| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        // Times are kept to the millisecond.
        let now = Timestamp::from_millisecond(db.now().await.unwrap().as_millisecond()).unwrap();
        let written = |name: &str, days: Option<i32>, instead_of: Option<&str>| Mark {
            written: days.map(|days| now - DAY * days),
            ..mark(name, &format!("content {days:?}"), instead_of)
        };
        assert_eq!(db.highest_letter(&key, "A:1 B:2 P").await.unwrap(), None);
        let marks = [
            written("A:1 B:2 P 7", Some(9), None),
            written("A:1 B:2 P 10", Some(8), None),
            written("A:1 B:2 P 9", None, None),
            written("A:1 B:2 P ABC", Some(7), None),
            written("A:1 B:2 T 99", Some(7), None),
            written("A:1 B:22 P 98", Some(7), None),
        ];
        db.keep_letters(&key, &marks, Vec::new(), &[]).await.unwrap();
        let highest = async |series: &str| {
            let found = db.highest_letter(&key, series).await.unwrap();
            found.map(|(number, known)| (number, known.written))
        };
        assert_eq!(highest("A:1 B:2 P").await, Some((10, Some(now - DAY * 8))));
        assert_eq!(highest("A:1 B:2 T").await, Some((99, Some(now - DAY * 7))));
        let other = world.connection("acme").await;
        assert_eq!(db.highest_letter(&other, "A:1 B:2 P").await.unwrap(), None, "another connection's are its own");
        // What was taken in before it was kept when it was written has only the time at which it came.
        let known = db.letters(&key, &["A:1 B:2 P 9".to_owned()]).await.unwrap();
        let nine = &known["A:1 B:2 P 9"];
        assert_eq!((nine.written, nine.written_by()), (None, nine.at));
        // What takes its place is of another time.
        let again = written("A:1 B:2 P 7", Some(1), Some("content Some(9)"));
        db.keep_letters(&key, &[again], Vec::new(), &[]).await.unwrap();
        let known = db.letters(&key, &["A:1 B:2 P 7".to_owned()]).await.unwrap();
        assert_eq!(known["A:1 B:2 P 7"].written, Some(now - DAY));
    })
    .await;
}
