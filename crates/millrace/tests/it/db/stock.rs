//! Stock: what is in hand, runs, and who writes a warehouse's stock.

use std::time::Duration;

use connect::{EffectKind, FeedCursor, Side, StockFeed, StockLevel};
use engine::effect::EffectState::{self, Applied, Armed, Probing, Refused, Unknown};
use jiff::{SignedDuration, Timestamp};
use millrace::db::{
    Advance, ConnectionKey, Count, Database, DbError, InFlight, NewCorrection, NewEffect, RunState, StockLine,
    StockRun, Subject, found_before_sending,
};

use super::world::{
    LEASE, World, batched, carry_out, decimal, effect, on_both, order, request_key, requested, settlement, shipment,
    unique,
};

const SETTLE: Duration = Duration::from_secs(30);

fn counted(cut_off: Timestamp) -> Count {
    Count { cut_off, settle: SETTLE, holds: false }
}

pub fn correction(product_id: i64, batch: &str) -> NewEffect {
    NewEffect {
        subject: Subject { product_id: Some(product_id), warehouse_id: Some(2), ..Subject::default() },
        ..batched(
            effect(EffectKind::CorrectStock, &format!("marker-{}", unique()), &format!("stock:acme:2:{product_id}")),
            batch,
        )
    }
}

/// Corrections of a run, as they are planned after the figures were read.
pub async fn corrections(
    db: &Database,
    key: &ConnectionKey,
    batch: &str,
    wanted: &[(i64, &str)],
) -> Vec<NewCorrection> {
    let products: Vec<i64> = wanted.iter().map(|(product, _)| *product).collect();
    let seen = db.in_flight(key, 2, counted(db.now().await.unwrap()), &products).await.unwrap();
    wanted
        .iter()
        .map(|(product, difference)| NewCorrection {
            effect: correction(*product, batch),
            difference: decimal(difference),
            mark: seen.get(product).map_or(0, |flight| flight.corrections),
            undoes: None,
        })
        .collect()
}

pub fn line(product_id: i64, difference: &str) -> StockLine {
    StockLine {
        warehouse_id: 2,
        product_id,
        skus: vec![format!("W-{product_id}")],
        figure: decimal("5"),
        source_figure: decimal("5") - decimal(difference),
        parts: std::collections::BTreeMap::new(),
        difference: decimal(difference),
        verdict: "correct".to_owned(),
        reason: String::new(),
    }
}

pub fn run(feed: &str, cut_off: Timestamp, state: RunState) -> StockRun {
    StockRun {
        id: format!("run_{:026}", unique()),
        feed: feed.to_owned(),
        content_hash: format!("hash of {feed}"),
        cut_off,
        sequence: None,
        made_at: cut_off,
        state,
        reason: String::new(),
        skus: 1,
        compared: 1,
        changed: 1,
        lines: Vec::new(),
    }
}

pub fn feed(name: &str, cut_off: Timestamp, levels: &[(&str, &str)], absent_is_zero: bool) -> StockFeed {
    StockFeed {
        reference: name.to_owned(),
        content_hash: format!("hash of {name}"),
        cut_off,
        sequence: None,
        absent_is_zero,
        names_all: absent_is_zero,
        levels: levels
            .iter()
            .map(|(sku, available)| StockLevel {
                sku: (*sku).to_owned(),
                facility: None,
                available: Some(decimal(available)),
                physical: None,
            })
            .collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn knows_what_is_in_hand() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let products = [1001, 1002, 9];
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        let now = db.now().await.unwrap();
        let later = now + SignedDuration::from_hours(1);
        let flight = |at: Timestamp| {
            let (db, key) = (db.clone(), key.clone());
            async move { db.in_flight(&key, 2, counted(at), &products).await.unwrap() }
        };
        // Not sent yet: the warehouse knows nothing of it.
        let seen = flight(later).await[&1001];
        assert!(seen.same_equation(&InFlight::default()));
        assert_eq!(seen.not_accepted, decimal("3"), "queued");
        carry_out(&db, &key, Side::Warehouse, &[Applied]).await;
        let seen = flight(later).await;
        assert_eq!((seen[&1001].accepted, seen[&1002].accepted), (decimal("3"), decimal("1")));
        assert!(!seen[&1001].unsettled && !seen.contains_key(&9));
        assert!(seen[&1001].not_accepted.is_zero());
        assert_eq!(seen[&1001].ending, None);
        let held = db.in_flight(&key, 2, Count { holds: true, ..counted(later) }, &products).await.unwrap();
        assert_eq!(held[&1001].ending, Some(1), "it was not let go: whether units are kept for it nobody knows");
        // Its SKU is also part of kits of another product: what these requests ask of it is the kit's, not its own.
        let parts = [("W-SKU-1002".to_owned(), 9)].into();
        let in_kits = db.in_flight_with_kits(&key, 2, counted(later), &[9], &parts).await.unwrap();
        assert_eq!((in_kits[&9].kits_committed, in_kits[&9].kits_shipped), (decimal("1"), decimal("0")));
        assert!(db.in_flight(&key, 5, counted(later), &products).await.unwrap().is_empty(), "another warehouse");
        let in_hand = |warehouse: i64, product: i64| {
            let (db, key) = (db.clone(), key.clone());
            async move { db.orders_in_hand(&key, warehouse, &[product].into()).await.unwrap() }
        };
        let hand = in_hand(2, 1001).await;
        assert!(hand.len() == 1 && hand[0].order_id == 1 && hand[0].since <= now, "{hand:?}");
        assert!(in_hand(5, 1001).await.is_empty() && in_hand(2, 9).await.is_empty());
        // Just accepted: a count of that moment may or may not know of it.
        assert!(flight(now).await[&1001].unsettled);
        // Two of three leave; the source is not told.
        let mut left = shipment(&order(1), "S1", &request_key(1), &[2, 0]);
        left.shipment.shipped_at = later;
        db.record_shipments(&key, vec![left], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
        let after = later + SignedDuration::from_hours(1);
        let seen = flight(after).await[&1001];
        assert_eq!(
            (seen.shipped_not_posted, seen.posted_after, seen.accepted),
            (decimal("2"), decimal("0"), decimal("3"))
        );
        assert!(seen.on_own_notes.is_zero(), "no note tells of it yet");
        assert!(flight(later).await[&1001].unsettled, "it left at that very moment");
        // Told: for a count before it left, it was posted after.
        let asked = db.requests_to_advance(&key, 10).await.unwrap().remove(0);
        let mut post = NewEffect {
            subject: Subject {
                order: Some(asked.order.clone()),
                request: Some(asked.id.clone()),
                shipment: Some(asked.shipments[0].id.clone()),
                ..Subject::default()
            },
            ..effect(EffectKind::PostShipped, "post", "lane")
        };
        post.draft.body = serde_json::json!({ "order_id": 1, "note_id": 77 }).to_string();
        let steps = Advance { effects: vec![post], ..Advance::default() };
        db.advance(&key, &asked.id, asked.version, steps).await.unwrap();
        let begun = db.now().await.unwrap();
        assert!(db.notes_told(&key, &[1], begun).await.unwrap().is_empty(), "not yet");
        carry_out(&db, &key, Side::Source, &[Applied]).await;
        assert_eq!(db.notes_told(&key, &[1], begun).await.unwrap(), [77].into());
        assert!(db.notes_told(&key, &[2], begun).await.unwrap().is_empty());
        // Somebody else had posted one before the hub could: it is not the hub's own.
        let mut theirs = effect(EffectKind::PostShipped, "theirs", "lane");
        theirs.subject.order = Some(asked.order.clone());
        theirs.draft.body = serde_json::json!({ "order_id": 1, "note_id": 78 }).to_string();
        db.plan_effects(&key, vec![theirs]).await.unwrap();
        let rows = db.claim_effects(&key, Side::Source, "test", LEASE, 10).await.unwrap().rows;
        let mut found = settlement(&rows[0], &[Armed, Unknown, Probing, Applied]);
        found.baseline = Some(found_before_sending());
        assert_eq!(db.settle(&key, vec![found]).await.unwrap(), [true]);
        assert_eq!(db.notes_told(&key, &[1], begun).await.unwrap(), [77].into());
        // What is worked out later knows of it.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let later = db.now().await.unwrap();
        assert_eq!(db.notes_told(&key, &[1], later).await.unwrap(), [77, 78].into());
        let seen = flight(after).await[&1001];
        assert_eq!((seen.shipped_not_posted, seen.accepted), (decimal("0"), decimal("1")));
        let seen = flight(later - SignedDuration::from_mins(10)).await[&1001];
        assert_eq!(seen.posted_after, decimal("2"));
        // A correction on its way.
        db.plan_effects(&key, vec![correction(1002, "b")]).await.unwrap();
        assert!(flight(after).await[&1002].correcting && !flight(after).await[&1001].correcting);
        carry_out(&db, &key, Side::Source, &[Applied]).await;
        assert!(!flight(after).await[&1002].correcting);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_that_is_not_known_unsettles() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        carry_out(&db, &key, Side::Warehouse, &[Unknown]).await;
        let later = db.now().await.unwrap() + SignedDuration::from_hours(1);
        let seen = db.in_flight(&key, 2, counted(later), &[1001]).await.unwrap();
        assert!(seen[&1001].unsettled && seen[&1001].accepted.is_zero());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_kept_with_their_corrections() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let at = |hour: i64| "2026-05-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour);
        let any = feed("", at(0), &[], false);
        assert_eq!(db.outdated(&key, &any).await.unwrap(), None, "nothing was counted before");
        assert!(!db.runs_planned_before(&key).await.unwrap());
        let first = feed("inv_1", at(1), &[("A", "5"), ("B", "2")], false);
        let waiting = run("inv_1", at(1), RunState::Waiting);
        db.record_run(&key, waiting.clone(), Vec::new(), &first).await.unwrap();
        assert!(db.feed_seen(&key, "hash of inv_1").await.unwrap());
        assert!(!db.feed_seen(&key, "hash of inv_2").await.unwrap());
        // A newer one that says all of it takes its place; a refused one does not, and does not count as the last.
        db.record_run(
            &key,
            run("odd", at(9), RunState::Refused),
            Vec::new(),
            &feed("odd", at(9), &[("A", "0")], false),
        )
        .await
        .unwrap();
        assert_eq!(db.run(&key, &waiting.id).await.unwrap(), waiting);
        let second = run("inv_2", at(2), RunState::Waiting);
        db.record_run(&key, second.clone(), Vec::new(), &feed("inv_2", at(2), &[("A", "4")], false)).await.unwrap();
        assert_eq!(db.run(&key, &waiting.id).await.unwrap(), waiting, "what it says of B nobody has said again");
        let words = db.outdated(&key, &first).await.unwrap().unwrap();
        assert_eq!(words, "it is not newer than the last count acted upon");
        let newer = feed("inv_3", at(3), &[("A", "1")], false);
        assert_eq!(db.outdated(&key, &newer).await.unwrap(), None, "the one that was refused does not count");
        assert_eq!(db.last_skus(&key, &any).await.unwrap(), None, "none was acted upon");
        let seen = db.counts_kept(&key).await.unwrap();
        // As it is worked out anew when it is approved.
        let anew = StockRun { lines: vec![line(1, "-1"), line(2, "2")], changed: 2, ..second.clone() };
        let planned = corrections(&db, &key, "b1", &[(1, "-1"), (2, "2")]).await;
        let overtaken = db.approve_run(&key, anew.clone(), planned.clone(), seen - 1, "ada").await;
        assert!(matches!(overtaken, Err(DbError::Fenced(_))), "another count came while it was worked out");
        assert_eq!(db.run(&key, &second.id).await.unwrap(), second);
        let kept = db.approve_run(&key, anew.clone(), planned, seen, "ada").await.unwrap();
        assert_eq!((kept.state, &kept.lines), (RunState::Planned, &anew.lines));
        assert_eq!(db.run(&key, &second.id).await.unwrap(), kept);
        assert_eq!(db.last_skus(&key, &any).await.unwrap(), Some(1));
        assert!(db.runs_planned_before(&key).await.unwrap());
        assert_eq!(carry_out(&db, &key, Side::Source, &[Applied]).await.len(), 2);
        let levels = db.levels(&key, "", None, 10).await.unwrap();
        let figures: Vec<_> = levels.iter().map(|level| (level.sku.as_str(), level.available.unwrap())).collect();
        assert_eq!(figures, [("A", decimal("4")), ("B", decimal("2"))]);
        // What a whole snapshot leaves out is gone; an older feed changes no figure.
        let third = run("inv_3", at(3), RunState::Planned);
        db.record_run(&key, third.clone(), Vec::new(), &feed("inv_3", at(3), &[("A", "1")], true)).await.unwrap();
        assert_eq!(db.levels(&key, "", None, 10).await.unwrap().len(), 1);
        assert_eq!(
            db.run(&key, &waiting.id).await.unwrap().state,
            RunState::Dropped,
            "a newer count has taken its place"
        );
        let seen = db.counts_kept(&key).await.unwrap();
        let late = db.approve_run(&key, waiting.clone(), Vec::new(), seen, "ada").await;
        assert!(matches!(late, Err(DbError::Fenced(_))));
        let other = run("other", at(4), RunState::Planned);
        let overtaken =
            db.record_summed_run(&key, other, Vec::new(), &feed("other", at(4), &[("A", "3")], false), seen - 1).await;
        assert!(matches!(overtaken, Err(DbError::Fenced(_))), "it was summed with a figure that is not the latest");
        assert_eq!(db.levels(&key, "", None, 10).await.unwrap()[0].available, Some(decimal("1")));
        // It was worked out while the newer one was kept: nothing of it happens.
        let late = corrections(&db, &key, "b2", &[(1, "8")]).await;
        let old = StockRun { lines: vec![line(1, "8")], ..run("old", at(0), RunState::Planned) };
        let old = db.record_run(&key, old, late, &feed("old", at(0), &[("A", "9")], false)).await.unwrap();
        assert_eq!((old.state, old.changed, old.lines.len()), (RunState::Refused, 0, 0), "{}", old.reason);
        assert_eq!(db.corrections_of_run(&key, &old.id).await.unwrap(), Vec::new());
        assert_eq!(db.levels(&key, "", None, 10).await.unwrap()[0].available, Some(decimal("1")));
        let lines = db.approve_lines(&key, second.clone(), Vec::new(), seen, "ada").await;
        assert!(matches!(lines, Err(DbError::Fenced(_))), "its lines are not those of the newest count any more");
        let page = db.runs(&key, None, 2).await.unwrap();
        assert_eq!(page.items.len(), 2);
        assert_eq!(db.runs(&key, page.next.as_deref(), 10).await.unwrap().items.len(), 3);
        let fourth = run("inv_4", at(4), RunState::Waiting);
        db.record_run(&key, fourth.clone(), Vec::new(), &feed("inv_4", at(4), &[], false)).await.unwrap();
        db.drop_run(&key, &fourth.id, "ada").await.unwrap();
        assert_eq!(db.run(&key, &fourth.id).await.unwrap().state, RunState::Dropped);
        assert!(matches!(db.run(&key, "run_none").await, Err(DbError::NotFound(_))));
    })
    .await;
}

/// Two facilities' feeds are newer or older each for itself.
#[tokio::test(flavor = "multi_thread")]
async fn figures_are_found_by_a_text_of_the_sku() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let at = "2026-05-01T00:00:00Z".parse::<Timestamp>().unwrap();
        let skus = ["AB-1", "ab_2", "A%3", "b!4", "GRÖSSE-5", "größe-6"];
        let counted: Vec<_> = skus.iter().map(|sku| (*sku, "1")).collect();
        db.record_run(&key, run("inv", at, RunState::Planned), Vec::new(), &feed("inv", at, &counted, true))
            .await
            .unwrap();
        for (text, expected) in [
            ("", vec!["A%3", "AB-1", "GRÖSSE-5", "ab_2", "b!4", "größe-6"]),
            ("ab", vec!["AB-1", "ab_2"]),
            ("b_", vec!["ab_2"]),
            ("%3", vec!["A%3"]),
            ("!", vec!["b!4"]),
            // Of letters beyond ASCII more than match: whoever asks looks at those.
            ("ö", vec!["A%3", "AB-1", "GRÖSSE-5", "ab_2", "b!4", "größe-6"]),
            ("grö", vec!["GRÖSSE-5", "größe-6"]),
            ("ö%", vec!["A%3"]),
            ("none", vec![]),
        ] {
            let levels = db.levels(&key, text, None, 10).await.unwrap();
            let mut found: Vec<_> = levels.iter().map(|level| level.sku.as_str()).collect();
            // The two databases sort letters each in its own way.
            found.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facilities_are_kept_apart() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let at = |hour: i64| "2026-05-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour);
        let of = |name: &str, hour: i64, facility: &str, figure: &str| {
            let mut feed = feed(name, at(hour), &[("A", figure)], false);
            feed.levels[0].facility = Some(facility.to_owned());
            feed
        };
        let (north, south) = (of("n1", 9, "north", "5"), of("s1", 1, "south", "2"));
        let first = run("n1", at(9), RunState::Waiting);
        db.record_run(&key, first.clone(), Vec::new(), &north).await.unwrap();
        assert_eq!(db.outdated(&key, &south).await.unwrap(), None, "nothing of the south yet");
        db.record_run(&key, run("s1", at(1), RunState::Planned), Vec::new(), &south).await.unwrap();
        assert_eq!(db.run(&key, &first.id).await.unwrap().state, RunState::Waiting, "the south replaces nothing here");
        let earlier = of("n0", 8, "north", "5");
        assert!(db.outdated(&key, &earlier).await.unwrap().is_some(), "older than the north's");
        assert_eq!(db.newest_run(&key).await.unwrap().as_ref(), Some(&first.id));
        assert_eq!(
            (db.last_skus(&key, &north).await.unwrap(), db.last_skus(&key, &south).await.unwrap()),
            (None, Some(1))
        );
        let named = ["south".to_owned()].into();
        let levels = db.levels_of(&key, &named).await.unwrap();
        assert_eq!((levels.len(), levels[0].level.available), (1, Some(decimal("2"))));
        assert_eq!(db.latest_levels(&key).await.unwrap().len(), 2);
        // A count of everything in one of them says nothing of the other.
        let mut whole = feed("n2", at(10), &[("B", "7")], true);
        whole.levels[0].facility = Some("north".to_owned());
        db.record_run(&key, run("n2", at(10), RunState::Planned), Vec::new(), &whole).await.unwrap();
        let levels = db.latest_levels(&key).await.unwrap();
        let mut left: Vec<(&str, &str)> =
            levels.iter().map(|level| (level.sku.as_str(), level.facility.as_str())).collect();
        left.sort_unstable();
        assert_eq!(left, [("A", "south"), ("B", "north")]);
    })
    .await;
}

/// K4: whose figures may be acted upon through the count of another facility is told by what became of the counts they came with.
#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_count_that_waits_or_was_dropped_are_told_apart() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let at = |hour: i64| "2026-05-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour);
        let of = |name: &str, hour: i64, facility: &str, figures: &[(&str, &str)], whole: bool| {
            let mut feed = feed(name, at(hour), figures, whole);
            feed.levels.iter_mut().for_each(|level| level.facility = Some(facility.to_owned()));
            feed
        };
        let both = ["north".to_owned(), "south".to_owned()].into();
        let told = async || {
            let mut levels = db.levels_of(&key, &both).await.unwrap();
            levels.sort_by(|a, b| (&a.level.facility, &a.level.sku).cmp(&(&b.level.facility, &b.level.sku)));
            levels
                .into_iter()
                .map(|kept| {
                    let place = format!("{} {}", kept.level.facility, kept.level.sku);
                    (place, kept.level.available.unwrap().to_string(), kept.stopped.map(|one| (one.run, one.state)))
                })
                .collect::<Vec<_>>()
        };
        let figure = |place: &str, units: &str, stopped: Option<(&StockRun, RunState)>| {
            (place.to_owned(), units.to_owned(), stopped.map(|(run, state)| (run.id.clone(), state)))
        };
        // A count that was let through, and one of another facility, of the same name and moment, that waits.
        let north = of("one", 1, "north", &[("A", "5"), ("B", "2")], false);
        db.record_run(&key, run("one", at(1), RunState::Planned), Vec::new(), &north).await.unwrap();
        let south = run("one", at(1), RunState::Waiting);
        db.record_run(&key, south.clone(), Vec::new(), &of("one", 1, "south", &[("A", "9")], false)).await.unwrap();
        let waits = Some((&south, RunState::Waiting));
        assert_eq!(
            told().await,
            [figure("north A", "5", None), figure("north B", "2", None), figure("south A", "9", waits)]
        );
        assert_eq!(db.run_facilities(&key, &south.id).await.unwrap(), ["south".to_owned()].into());
        assert!(matches!(db.run_facilities(&key, "run_none").await, Err(DbError::NotFound(_))));
        let seen = db.counts_kept(&key).await.unwrap();
        db.approve_run(&key, south.clone(), Vec::new(), seen, "ada").await.unwrap();
        assert_eq!(told().await[2], figure("south A", "9", None), "a person let it through");

        // What a whole count that waits leaves out is nil by that count, and not simply gone.
        let whole = run("two", at(2), RunState::Waiting);
        db.record_run(&key, whole.clone(), Vec::new(), &of("two", 2, "north", &[("A", "4")], true)).await.unwrap();
        let waits = Some((&whole, RunState::Waiting));
        let expected = [figure("north A", "4", waits), figure("north B", "0", waits), figure("south A", "9", None)];
        assert_eq!(told().await, expected);
        db.drop_run(&key, &whole.id, "ada").await.unwrap();
        let dropped = Some((&whole, RunState::Dropped));
        let expected = [figure("north A", "4", dropped), figure("north B", "0", dropped), figure("south A", "9", None)];
        assert_eq!(told().await, expected);
        // A count of some SKUs lets through what it says and no more; one of everything, everything.
        let some = of("three", 3, "north", &[("A", "4")], false);
        db.record_run(&key, run("three", at(3), RunState::Planned), Vec::new(), &some).await.unwrap();
        let expected = [figure("north A", "4", None), figure("north B", "0", dropped), figure("south A", "9", None)];
        assert_eq!(told().await, expected);
        let all = of("four", 4, "north", &[("A", "4")], true);
        db.record_run(&key, run("four", at(4), RunState::Planned), Vec::new(), &all).await.unwrap();
        assert_eq!(told().await, [figure("north A", "4", None), figure("south A", "9", None)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_batches_that_failed() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        assert_eq!(db.refused_batches(&key).await.unwrap(), 0);
        let outcomes: [&[EffectState]; 4] = [&[Refused], &[Applied], &[Refused], &[Refused]];
        for (number, outcome) in outcomes.into_iter().enumerate() {
            let batch = format!("b{number}");
            db.plan_effects(&key, vec![correction(1, &batch), correction(2, &batch)]).await.unwrap();
            carry_out(&db, &key, Side::Source, outcome).await;
        }
        assert_eq!(db.refused_batches(&key).await.unwrap(), 2);
        // One that is still on its way says nothing.
        db.plan_effects(&key, vec![correction(3, "b9")]).await.unwrap();
        assert_eq!(db.refused_batches(&key).await.unwrap(), 2);
        carry_out(&db, &key, Side::Source, &[Applied]).await;
        assert_eq!(db.refused_batches(&key).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_has_one_writer() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let first = world.connection("acme").await;
        let beside = world.further_connection(&first.scope.tenant, &first.scope.merchant, "acme").await;
        let stranger = world.connection("acme").await;
        assert_eq!(db.own_stock(&first, "acme", &[2, 3]).await.unwrap(), Ok(()));
        assert_eq!(db.own_stock(&first, "acme", &[2]).await.unwrap(), Ok(()), "asked twice");
        let holder = db.own_stock(&beside, "acme", &[4, 3]).await.unwrap().unwrap_err();
        assert!(holder.contains("connection Connection"), "{holder}");
        let holder = db.own_stock(&stranger, "acme", &[3]).await.unwrap().unwrap_err();
        assert!(holder.contains("another connection of this installation"), "{holder}");
        assert_eq!(db.own_stock(&stranger, "acme", &[4]).await.unwrap(), Ok(()), "all or none: 4 was not taken");
        assert_eq!(db.own_stock(&stranger, "other", &[2]).await.unwrap(), Ok(()));
        db.release_stock(&first).await.unwrap();
        assert_eq!(db.own_stock(&beside, "acme", &[2, 3]).await.unwrap(), Ok(()));
    })
    .await;
}
