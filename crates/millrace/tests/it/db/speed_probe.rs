use super::world::*;
use connect::Side;
use engine::effect::EffectState::Applied;
use std::time::Instant;
#[tokio::test(flavor = "multi_thread")]
async fn probe() {
    for pg in [false, true] {
        let world = if pg { World::postgres().await } else { World::sqlite().await };
        let key = world.connection("acme").await;
        let (mut rec, mut cl, mut ar, mut se, mut adv) = (0, 0, 0, 0, 0);
        for round in 0..25_i64 {
            let slice: Vec<_> = (0..200).map(|n| requested(round * 200 + n + 1)).collect();
            let t = Instant::now();
            world.db.record_orders(&key, "acme", slice).await.unwrap();
            rec += t.elapsed().as_millis();
            if round == 0 || round == 24 { eprintln!("pg={pg} round {round}: record {}ms", t.elapsed().as_millis()); }
        }
        loop {
            let t = Instant::now();
            let rows = world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 200).await.unwrap();
            cl += t.elapsed().as_millis();
            if rows.is_empty() { break; }
            let t = Instant::now();
            world.db.arm(&key, rows.iter().map(arm_of).collect(), DEADLINE).await.unwrap();
            ar += t.elapsed().as_millis();
            let t = Instant::now();
            world.db.settle(&key, rows.iter().map(|r| settlement(r, &[Applied])).collect()).await.unwrap();
            se += t.elapsed().as_millis();
        }
        let t = Instant::now();
        let work = world.db.requests_to_advance(&key, 200).await.unwrap();
        adv += t.elapsed().as_millis();
        let t = Instant::now();
        for w in &work { world.db.advance(&key, &w.id, w.version, Default::default()).await.unwrap(); }
        eprintln!("pg={pg} 5000 orders: record {rec} claim {cl} arm {ar} settle {se} ms; to_advance(200) {adv}; 200 advances {}ms", t.elapsed().as_millis());
        let t = Instant::now();
        world.db.unsent_orders(&key).await.unwrap();
        eprintln!("unsent {}us", t.elapsed().as_micros());
        let t = Instant::now();
        world.db.open_sent_orders(&key).await.unwrap();
        eprintln!("open_sent {}us", t.elapsed().as_micros());
        let t = Instant::now();
        world.db.next_effect_due(&key, Side::Warehouse).await.unwrap();
        eprintln!("next_due {}us", t.elapsed().as_micros());
        let now = world.db.now().await.unwrap();
        let t = Instant::now();
        world.db.in_flight(&key, 2, now, std::time::Duration::from_secs(1), &[1001]).await.unwrap();
        eprintln!("in_flight {}ms", t.elapsed().as_millis());
    }
}
