//! J3: the database permits the edges of the contract and no others.

use std::collections::{BTreeMap, VecDeque};

use connect::EffectKind;
use engine::effect::EffectState;

use super::world::{Raw, World, effect, on_both, unique};

/// The states on the way from *planned* to each state that can be reached.
fn ways(kind: EffectKind) -> BTreeMap<EffectState, Vec<EffectState>> {
    let mut ways = BTreeMap::from([(EffectState::Planned, Vec::new())]);
    let mut next = VecDeque::from([EffectState::Planned]);
    while let Some(from) = next.pop_front() {
        for to in EffectState::ALL {
            if from.permits(to, kind) && !ways.contains_key(&to) {
                let mut way = ways[&from].clone();
                way.push(to);
                ways.insert(to, way);
                next.push_back(to);
            }
        }
    }
    ways
}

async fn try_go(raw: &mut Raw, id: &str, to: EffectState) -> bool {
    raw.run(&format!("UPDATE effect SET state = '{to}' WHERE id = '{id}'")).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn permits_what_the_engine_permits() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        for kind in EffectKind::ALL {
            let planned = effect(kind, &format!("edges-{}", unique()), &format!("lane-{}", unique()));
            let id = planned.id.to_string();
            world.db.plan_effects(&key, vec![planned]).await.unwrap();
            let mut raw = world.raw().await;
            for (from, way) in ways(kind) {
                for to in EffectState::ALL {
                    if from == to {
                        continue;
                    }
                    raw.run("BEGIN").await.unwrap();
                    for step in &way {
                        assert!(try_go(&mut raw, &id, *step).await, "{kind}: on the way to {from}");
                    }
                    assert_eq!(try_go(&mut raw, &id, to).await, from.permits(to, kind), "{kind}: {from} to {to}");
                    raw.run("ROLLBACK").await.unwrap();
                }
            }
        }
    })
    .await;
}

/// R9 and J5: a payload changes only together with its revision, from a state in which nothing exists under the key.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_frozen() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let planned = effect(EffectKind::CreateNote, "frozen", "lane");
        let id = planned.id.to_string();
        world.db.plan_effects(&key, vec![planned]).await.unwrap();
        let mut raw = world.raw().await;
        for change in
            ["body = 'other'", "key = 'other'", "kind = 'set_status'", "revision = 2", "body_sha256 = 'other'"]
        {
            assert!(raw.run(&format!("UPDATE effect SET {change} WHERE id = '{id}'")).await.is_err(), "{change}");
        }
        assert!(try_go(&mut raw, &id, EffectState::Voided).await);
        let again = "state = 'planned', body = 'other', body_sha256 = 'other'";
        assert!(raw.run(&format!("UPDATE effect SET {again}, revision = 3 WHERE id = '{id}'")).await.is_err());
        raw.run(&format!("UPDATE effect SET {again}, revision = 2 WHERE id = '{id}'")).await.unwrap();
        let born = "INSERT INTO effect SELECT * FROM effect";
        assert!(raw.run(born).await.is_err());
    })
    .await;
}
