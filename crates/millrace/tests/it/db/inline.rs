//! The in-line mode: a seeded run on a paused clock is the same every time.

use std::time::Duration;

use connect::{EffectKind, Side};
use millrace::db::{Database, DatabaseConfig, DbError};

use super::world::{LEASE, World, arm_of, effect, settlement};

/// Two hundred operations take no time at all on the runtime's clock: nothing in them waits for the runtime.
#[tokio::test(start_paused = true)]
async fn takes_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("inline.db").display());
    let config = DatabaseConfig { inline: true, ..DatabaseConfig::new(&url) };
    let db = Database::open(&config).await.unwrap();
    let world = World { db: db.clone(), url, folder, postgres: None };
    let key = world.connection("acme").await;
    let began = tokio::time::Instant::now();
    // A task that would run whenever the runtime had nothing else to do, and push the clock on.
    let ticker = tokio::spawn(async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    for number in 0..50 {
        db.plan_effects(&key, vec![effect(EffectKind::CreateNote, &format!("k{number}"), "lane")]).await.unwrap();
        let rows = db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows;
        db.arm(&key, vec![arm_of(&rows[0])], Duration::ZERO).await.unwrap();
        let applied = settlement(&rows[0], &[engine::effect::EffectState::Applied]);
        db.settle(&key, vec![applied]).await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    ticker.abort();
    // A failed change leaves nothing behind, and the next one finds the connection free.
    let mut other = effect(EffectKind::CreateNote, "k1", "lane");
    other.draft.body = "other".to_owned();
    let pair = vec![effect(EffectKind::CreateNote, "new", "lane"), other];
    assert!(matches!(db.plan_effects(&key, pair).await, Err(DbError::Conflict(_))));
    assert!(db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows.is_empty());
    assert!(db.commits().unwrap() >= 200);
}
