//! Bad days: no room, a server that goes away, callers that go away, answers that are lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use connect::{EffectKind, Side};
use millrace::db::{ConnectionKey, Database, DatabaseConfig, DbError, EffectQuery, Observer, Phase, Verdict};
use simulators::postgres::Postgres;

use super::world::{LEASE, World, arm_of, effect, on_both, requested, unique};

async fn connection(db: &Database) -> ConnectionKey {
    let folder = tempfile::tempdir().unwrap();
    let world = World { db: db.clone(), url: String::new(), folder, postgres: None };
    world.connection("acme").await
}

async fn planned(db: &Database, key: &ConnectionKey) -> usize {
    let query = EffectQuery { limit: 500, ..EffectQuery::default() };
    db.list_effects(&key.into(), query).await.unwrap().items.len()
}

/// No room on SQLite: the error says so, nothing half-written stays, and with room it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("full.db").display());
    let config = DatabaseConfig { max_pages: Some(400), ..DatabaseConfig::new(&url) };
    let db = Database::open(&config).await.unwrap();
    let key = connection(&db).await;
    let mut kept = 0;
    let full = loop {
        let mut large = effect(EffectKind::CreateNote, &format!("k{kept}"), &format!("lane{kept}"));
        large.draft.body = "x".repeat(20_000);
        // Alone and in company.
        let small = effect(EffectKind::CreateNote, &format!("s{kept}"), &format!("small{kept}"));
        let (first, second) = tokio::join!(db.plan_effects(&key, vec![large]), db.plan_effects(&key, vec![small]));
        match (first, second) {
            (Ok(()), Ok(())) => kept += 2,
            (Err(error), second) => {
                kept += usize::from(second.is_ok());
                break error;
            }
            (Ok(()), Err(error)) => {
                kept += 1;
                break error;
            }
        }
        assert!(kept < 1000, "it never fills");
    };
    assert!(matches!(full, DbError::Full(_)), "{full:?}");
    assert!(full.to_string().contains("Free space"), "{full}");
    assert_eq!(planned(&db, &key).await, kept, "what was answered is kept, and nothing else");
    db.close().await;
    let db = Database::open(&DatabaseConfig { max_pages: Some(100_000), ..config }).await.unwrap();
    assert_eq!(planned(&db, &key).await, kept);
    db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "room", "room")]).await.unwrap();
}

/// The server goes away: calls fail as *unavailable*, what was answered is kept, and afterwards everything goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_found_again() {
    let mut server = Postgres::start().unwrap();
    let db = Database::open(&DatabaseConfig::new(server.url("millrace"))).await.unwrap();
    let key = connection(&db).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (db, key, stop) = (db.clone(), key.clone(), Arc::clone(&stop));
        writers.spawn(async move {
            let (mut sure, mut unsure) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let one = effect(EffectKind::CreateNote, &format!("k{}", unique()), &format!("l{}", unique()));
                match db.plan_effects(&key, vec![one]).await {
                    Ok(()) => sure += 1,
                    Err(DbError::Unavailable { commit_unknown, .. }) => {
                        unsure += usize::from(commit_unknown);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            (sure, unsure)
        });
    }
    let server = tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(300));
            server.kill().unwrap();
            std::thread::sleep(Duration::from_millis(200));
            server.restart().unwrap();
        }
        server
    })
    .await
    .unwrap();
    // Found again without anybody's help.
    let mut tries = 0;
    while db.frozen().await.is_err() {
        tries += 1;
        assert!(tries < 200, "the server is back and not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let (mut sure, mut unsure) = (0, 0);
    while let Some(counts) = writers.join_next().await {
        let (s, u) = counts.unwrap();
        sure += s;
        unsure += u;
    }
    let kept: usize = server.sql("millrace", "SELECT count(*) FROM effect").unwrap().parse().unwrap();
    assert!(sure > 0 && kept >= sure && kept <= sure + unsure, "{sure} answered, {unsure} unsure, {kept} kept");
}

/// Callers that go away in the middle leave no connection inside a transaction, and lose nothing that was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropped_callers_leave_nothing_open() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        for round in 0..200_u64 {
            let (db, key) = (world.db.clone(), key.clone());
            let call = async move {
                let one = effect(EffectKind::CreateNote, &format!("k{round}"), &format!("l{round}"));
                let _lost = db.plan_effects(&key, vec![one]).await;
                let _lost = db.claim_effects(&key, Side::Source, "t", LEASE, 1).await;
                let _lost = db.next_effect_due(&key, Side::Source).await;
            };
            let _late = tokio::time::timeout(Duration::from_micros(round * 20), call).await;
        }
        // Everybody who was under way has ended.
        for _ in 0..20 {
            world.db.frozen().await.unwrap();
        }
        let mut raw = world.raw().await;
        if world.db.is_postgres() {
            let open = "SELECT state::text FROM pg_stat_activity
                WHERE application_name = 'millrace' AND datname = current_database() AND state LIKE 'idle in transaction%'";
            let mut still = raw.texts(open).await;
            for _ in 0..100 {
                if still.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
                still = raw.texts(open).await;
            }
            assert!(still.is_empty(), "{still:?}");
        } else {
            raw.run("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE; ROLLBACK").await.unwrap();
        }
        world.db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
    })
    .await;
}

/// Many writers, few commits, and each is answered with its own outcome.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_share_commits() {
    let world = World::sqlite().await;
    let key = world.connection("acme").await;
    world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "taken", "lane")]).await.unwrap();
    let before = world.db.commits().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let (db, key) = (world.db.clone(), key.clone());
        tasks.spawn(async move {
            let mut one = effect(EffectKind::CreateNote, &format!("k{number}"), &format!("l{number}"));
            if number % 10 == 0 {
                // A fault of its own, which must not touch the company it travels in.
                one.draft.key = "taken".to_owned();
                one.draft.body = format!("{number}");
            }
            (number, db.plan_effects(&key, vec![one]).await)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (number, outcome) = done.unwrap();
        assert_eq!(outcome.is_err(), number % 10 == 0, "{number}: {outcome:?}");
    }
    let commits = world.db.commits().unwrap() - before;
    assert!(commits < 300, "{commits} commits for 1000 writes");
    let mut raw = world.raw().await;
    assert_eq!(raw.texts("SELECT CAST(count(*) AS TEXT) FROM effect").await, ["901"]);
}

/// A test's hand on every crossing.
#[derive(Default)]
struct Hand {
    crossings: AtomicUsize,
    fail: AtomicBool,
    lose: AtomicBool,
}

#[async_trait::async_trait]
impl Observer for Hand {
    async fn crossing(&self, operation: &'static str, phase: Phase) -> Verdict {
        self.crossings.fetch_add(1, Ordering::Relaxed);
        match phase {
            Phase::Before if operation == "arm" && self.fail.load(Ordering::Relaxed) => Verdict::Fail,
            Phase::AfterCommit if operation == "arm" && self.lose.load(Ordering::Relaxed) => Verdict::LoseReply,
            _ => Verdict::Continue,
        }
    }
}

/// R1: when the outcome of arming is not known the error says so, and what was kept shows in the next look.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_are_told_apart() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "k", "lane")]).await.unwrap();
        let rows = db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows;
        let hand = Arc::new(Hand::default());
        db.set_observer(Arc::clone(&hand) as Arc<dyn Observer>);
        hand.fail.store(true, Ordering::Relaxed);
        let lost = db.arm(&key, vec![arm_of(&rows[0])], Duration::ZERO).await;
        assert!(matches!(lost, Err(DbError::Unavailable { commit_unknown: false, .. })), "{lost:?}");
        let state = async || {
            let query = EffectQuery { limit: 1, ..EffectQuery::default() };
            db.list_effects(&(&key).into(), query).await.unwrap().items[0].state.clone()
        };
        assert_eq!(state().await, "planned");
        hand.fail.store(false, Ordering::Relaxed);
        hand.lose.store(true, Ordering::Relaxed);
        let lost = db.arm(&key, vec![arm_of(&rows[0])], Duration::ZERO).await;
        assert!(matches!(lost, Err(DbError::Unavailable { commit_unknown: true, .. })), "{lost:?}");
        assert_eq!(state().await, "armed");
        assert!(hand.crossings.load(Ordering::Relaxed) >= 5);
    })
    .await;
}
