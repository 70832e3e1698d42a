//! The journal's functions: planning, claiming, arming, settling, deciding.

use std::{collections::BTreeSet, time::Duration};

use connect::{EffectKind, RemoteRef, Side};
use engine::effect::EffectState::{
    AbsentConfirmed, Applied, Armed, NotSent, Parked, Planned, Probing, Refused, Unknown, Voided,
};
use jiff::Timestamp;
use millrace::db::{AttemptRow, ConnectionKey, Database, DbError, EffectDecision, EffectQuery};

use super::world::{DEADLINE, LEASE, World, arm_of, batched, carry_out, effect, on_both, settlement};

async fn claim(db: &Database, key: &ConnectionKey, limit: usize) -> Vec<millrace::db::EffectRow> {
    db.claim_effects(key, Side::Source, "test", LEASE, limit).await.unwrap().rows
}

async fn states(world: &World, key: &ConnectionKey) -> Vec<String> {
    let query = EffectQuery { limit: 500, ..EffectQuery::default() };
    let page = world.db.list_effects(&key.into(), query).await.unwrap();
    page.items.into_iter().rev().map(|effect| effect.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_planned_once() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let first = effect(EffectKind::CreateNote, "k", "lane");
        world.db.plan_effects(&key, vec![first.clone()]).await.unwrap();
        // The same again, with another id: nothing.
        world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "k", "lane")]).await.unwrap();
        assert_eq!(states(&world, &key).await, ["planned"]);
        let mut other = effect(EffectKind::CreateNote, "k", "lane");
        other.draft.body = "{}".to_owned();
        let refused = world.db.plan_effects(&key, vec![other.clone()]).await;
        assert!(matches!(refused, Err(DbError::Conflict(_))), "R9: {refused:?}");
        carry_out(&world.db, &key, Side::Source, &[Refused]).await;
        world.db.plan_effects(&key, vec![other]).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].id.clone(), rows[0].revision, rows[0].body.as_str()), (first.id, 2, "{}"));
        // A stock difference that was voided is never planned again.
        let stock = effect(EffectKind::CorrectStock, "marker", "stock");
        world.db.plan_effects(&key, vec![stock]).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        world.db.settle(&key, vec![settlement(&rows[0], &[Voided])]).await.unwrap();
        let mut again = effect(EffectKind::CorrectStock, "marker", "stock");
        again.draft.body = "{\"difference\":2}".to_owned();
        assert!(matches!(world.db.plan_effects(&key, vec![again]).await, Err(DbError::Conflict(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_go_one_at_a_time_and_batches_together() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let status = effect(EffectKind::SetStatus, "status", "order:1");
        let posted = effect(EffectKind::PostShipped, "posted", "order:2");
        let behind = effect(EffectKind::PostShipped, "behind", "order:1");
        let mut later = effect(EffectKind::CreateNote, "later", "order:3");
        later.not_before = Some(Timestamp::MAX);
        let stock: Vec<_> = (0..5)
            .map(|n| batched(effect(EffectKind::CorrectStock, &format!("s{n}"), &format!("stock:{n}")), "batch-1"))
            .collect();
        let effects = [vec![status.clone(), posted.clone(), behind.clone(), later], stock.clone()].concat();
        world.db.plan_effects(&key, effects).await.unwrap();
        // By priority, not by id; what stands behind another of its lane, or is not due, does not come.
        let first = claim(&world.db, &key, 2).await;
        assert_eq!(first.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), [posted.id, status.id.clone()]);
        assert!(first.iter().all(|row| row.state == Planned && row.fence == 1));
        // A batch comes whole, beyond the limit.
        let second = claim(&world.db, &key, 1).await;
        assert_eq!(second.len(), 5);
        assert!(second.iter().all(|row| row.batch.as_deref() == Some("batch-1")));
        assert!(claim(&world.db, &key, 10).await.is_empty(), "what is claimed is not claimed again");
        // While one of a lane is unknown, the next does not go; when it is done, it does.
        let row = first.iter().find(|row| row.id == status.id).unwrap();
        world.db.arm(&key, vec![arm_of(row)], DEADLINE).await.unwrap()[0].unwrap();
        let mut unknown = settlement(row, &[Unknown]);
        unknown.next_at = Some(Timestamp::MAX);
        world.db.settle(&key, vec![unknown]).await.unwrap();
        assert!(claim(&world.db, &key, 10).await.is_empty());
        world.db.decide(&key.scope, &status.id, EffectDecision::Void, "ada", "no").await.unwrap_err();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_never_waits_for_itself() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        // The earlier one waits for its time; the later one goes meanwhile, and its outcome is not known.
        let mut earlier = effect(EffectKind::SetStatus, "earlier", "order:1");
        earlier.not_before = Some(Timestamp::MAX);
        let later = effect(EffectKind::PostShipped, "later", "order:1");
        world.db.plan_effects(&key, vec![earlier.clone(), later.clone()]).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        assert_eq!((rows.len(), &rows[0].id), (1, &later.id));
        world.db.arm(&key, vec![arm_of(&rows[0])], DEADLINE).await.unwrap()[0].unwrap();
        let mut unknown = settlement(&rows[0], &[Unknown]);
        unknown.next_at = Some(Timestamp::UNIX_EPOCH);
        world.db.settle(&key, vec![unknown]).await.unwrap();
        // The earlier one's time comes. It waits for the look, and the look waits for nothing.
        let mut raw = world.raw().await;
        raw.run("UPDATE effect SET next_at = 0 WHERE state = 'planned'").await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        assert_eq!(rows.iter().map(|row| (row.id.clone(), row.state)).collect::<Vec<_>>(), [(later.id, Probing)]);
        world.db.settle(&key, vec![settlement(&rows[0], &[Applied])]).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        assert_eq!((rows.len(), &rows[0].id), (1, &earlier.id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_itself_lets_later_ones_pass() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        // At the warehouse: it is paused there, and what Brightpearl is told goes on.
        let submit = effect(EffectKind::SubmitRequest, "submit", "order:1");
        let posted = effect(EffectKind::PostShipped, "posted", "order:1");
        world.db.plan_effects(&key, vec![submit.clone(), posted.clone()]).await.unwrap();
        assert!(claim(&world.db, &key, 10).await.is_empty(), "the earlier one can go");
        world.db.pause(&key, Side::Warehouse, Some("wrong password")).await.unwrap();
        assert_eq!(claim(&world.db, &key, 10).await[0].id, posted.id);
        // Another connection of the merchant, which may be switched off.
        let other = world.further_connection(&key.scope.tenant, &key.scope.merchant, "acme").await;
        let theirs = effect(EffectKind::SetStatus, "theirs", "order:2");
        let ours = effect(EffectKind::PostShipped, "ours", "order:2");
        world.db.plan_effects(&other, vec![theirs.clone()]).await.unwrap();
        world.db.plan_effects(&key, vec![ours.clone()]).await.unwrap();
        assert_eq!(claim(&world.db, &key, 10).await[0].id, ours.id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_live_claim_arms_and_settles() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "k", "lane")]).await.unwrap();
        let short = world.db.claim_effects(&key, Side::Source, "slow", Duration::ZERO, 10).await.unwrap().rows;
        // The lease does not outlast a call.
        assert_eq!(world.db.arm(&key, vec![arm_of(&short[0])], DEADLINE).await.unwrap(), [None]);
        // Taken over by somebody else: the fence has moved.
        let rows = claim(&world.db, &key, 10).await;
        assert_eq!(rows[0].fence, 2);
        assert_eq!(world.db.arm(&key, vec![arm_of(&short[0])], DEADLINE).await.unwrap(), [None]);
        assert_eq!(world.db.settle(&key, vec![settlement(&short[0], &[Voided])]).await.unwrap(), [false]);
        // Not in the state it was claimed in.
        let mut wrong = arm_of(&rows[0]);
        wrong.from = NotSent;
        assert_eq!(world.db.arm(&key, vec![wrong], DEADLINE).await.unwrap(), [None]);
        let armed = world.db.arm(&key, vec![arm_of(&rows[0])], DEADLINE).await.unwrap();
        assert!(armed[0].is_some());
        assert_eq!(world.db.arm(&key, vec![arm_of(&rows[0])], DEADLINE).await.unwrap(), [None], "armed once");
        let mut done = settlement(&rows[0], &[Applied]);
        done.remote = Some(RemoteRef::new("4711").with("created_by", "5"));
        assert_eq!(world.db.settle(&key, vec![done.clone()]).await.unwrap(), [true]);
        assert_eq!(world.db.settle(&key, vec![done]).await.unwrap(), [false], "given back");
        let page =
            world.db.list_effects(&(&key).into(), EffectQuery { limit: 10, ..EffectQuery::default() }).await.unwrap();
        assert_eq!(page.items[0].remote.as_ref().unwrap().id, "4711");
        assert_eq!(page.items[0].attempt, 1);
        let attempts = world.db.attempts(&key.scope, &rows[0].id).await.unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].state.as_str(), attempts[0].outcome.as_str()), ("applied", "tested"));
    })
    .await;
}

/// R2: an armed effect whose sender went away is unknown, is looked up, and the old sender can write nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_ended_lease_makes_it_unknown() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        world.db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "k", "lane")]).await.unwrap();
        let gone = world.db.claim_effects(&key, Side::Source, "gone", LEASE, 10).await.unwrap().rows;
        assert!(world.db.arm(&key, vec![arm_of(&gone[0])], DEADLINE).await.unwrap()[0].is_some());
        assert!(claim(&world.db, &key, 10).await.is_empty(), "while the lease lasts nobody touches it");
        world.raw().await.run("UPDATE effect SET lease_until = 1").await.unwrap();
        let taken = claim(&world.db, &key, 10).await;
        assert_eq!((taken[0].state, taken[0].unknowns, taken[0].attempt), (Probing, 1, 1));
        assert!(taken[0].armed_at.is_some() && taken[0].baseline.is_some());
        assert_eq!(world.db.settle(&key, vec![settlement(&gone[0], &[Applied])]).await.unwrap(), [false]);
        // Two looks that find nothing, then it goes again.
        let mut nothing = settlement(&taken[0], &[Unknown]);
        nothing.negative = true;
        world.db.settle(&key, vec![nothing]).await.unwrap();
        let taken = claim(&world.db, &key, 10).await;
        assert_eq!((taken[0].state, taken[0].negatives), (Probing, 1));
        let mut nothing = settlement(&taken[0], &[AbsentConfirmed]);
        nothing.negative = true;
        world.db.settle(&key, vec![nothing]).await.unwrap();
        let taken = claim(&world.db, &key, 10).await;
        assert_eq!(taken[0].state, AbsentConfirmed);
        assert!(world.db.arm(&key, vec![arm_of(&taken[0])], DEADLINE).await.unwrap()[0].is_some());
        world.db.settle(&key, vec![settlement(&taken[0], &[Applied])]).await.unwrap();
        assert_eq!(states(&world, &key).await, ["applied"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_goes_edge_by_edge_or_not_at_all() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let pair = vec![effect(EffectKind::CreateNote, "a", "lane a"), effect(EffectKind::CreateNote, "b", "lane b")];
        world.db.plan_effects(&key, pair).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        // One wrong edge: nothing of the whole call is written.
        let wrong = vec![settlement(&rows[0], &[Voided]), settlement(&rows[1], &[Applied])];
        assert!(matches!(world.db.settle(&key, wrong).await, Err(DbError::Refused(_))));
        assert_eq!(states(&world, &key).await, ["planned", "planned"]);
        // Found before anything was sent: through every state between.
        let mut found = settlement(&rows[0], &[Armed, Unknown, Probing, Applied]);
        found.baseline = Some(serde_json::json!({ "found": true }));
        found.attempt = AttemptRow { what: "prepare", outcome: "found".to_owned(), ..AttemptRow::default() };
        let stays = settlement(&rows[1], &[]);
        assert_eq!(world.db.settle(&key, vec![found, stays]).await.unwrap(), [true, true]);
        assert_eq!(states(&world, &key).await, ["applied", "planned"]);
        // What stayed can be claimed again at once.
        assert_eq!(claim(&world.db, &key, 10).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_it_is_stopped() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let pair =
            vec![effect(EffectKind::CreateNote, "a", "lane a"), effect(EffectKind::SubmitRequest, "b", "lane b")];
        world.db.plan_effects(&key, pair).await.unwrap();
        assert!(world.db.next_effect_due(&key, Side::Source).await.unwrap().is_some());
        world.db.pause(&key, Side::Source, Some("password refused")).await.unwrap();
        assert!(claim(&world.db, &key, 10).await.is_empty());
        assert_eq!(world.db.next_effect_due(&key, Side::Source).await.unwrap(), None);
        assert!(world.db.next_effect_due(&key, Side::Warehouse).await.unwrap().is_some());
        world.db.pause(&key, Side::Source, None).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        assert_eq!(rows.len(), 1);
        assert!(!world.db.frozen().await.unwrap());
        world.db.set_frozen(true).await.unwrap();
        assert!(world.db.frozen().await.unwrap());
        assert_eq!(world.db.arm(&key, vec![arm_of(&rows[0])], DEADLINE).await.unwrap(), [None]);
        assert!(world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.is_empty());
        world.db.set_frozen(false).await.unwrap();
        assert_eq!(world.db.claim_effects(&key, Side::Warehouse, "t", LEASE, 10).await.unwrap().rows.len(), 1);
    })
    .await;
}

/// Two nodes, many tasks: every effect is claimed by exactly one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn claimers_never_share() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let effects: Vec<_> = (0..300)
            .map(|n| {
                let one = effect(EffectKind::CorrectStock, &format!("m{n}"), &format!("stock:{n}"));
                if n % 3 == 0 { batched(one, &format!("b{}", n / 30)) } else { one }
            })
            .collect();
        world.db.plan_effects(&key, effects).await.unwrap();
        let nodes = [world.db.clone(), world.another_node().await];
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..8 {
            let (db, key) = (nodes[worker % 2].clone(), key.clone());
            tasks.spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let rows =
                        db.claim_effects(&key, Side::Source, &format!("w{worker}"), LEASE, 7).await.unwrap().rows;
                    if rows.is_empty() {
                        return mine;
                    }
                    let armed = db.arm(&key, rows.iter().map(arm_of).collect(), DEADLINE).await.unwrap();
                    assert!(armed.iter().all(Option::is_some));
                    mine.extend(rows.iter().map(|row| row.id.clone()));
                    db.settle(&key, rows.iter().map(|row| settlement(row, &[Applied])).collect()).await.unwrap();
                }
            });
        }
        let mut all = Vec::new();
        while let Some(mine) = tasks.join_next().await {
            all.extend(mine.unwrap());
        }
        assert_eq!(all.len(), 300);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 300);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_along_permitted_edges() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let note = effect(EffectKind::CreateNote, "note", "lane");
        let stock = effect(EffectKind::CorrectStock, "stock", "stock");
        world.db.plan_effects(&key, vec![note.clone(), stock.clone()]).await.unwrap();
        let rows = claim(&world.db, &key, 10).await;
        world.db.arm(&key, rows.iter().map(arm_of).collect(), DEADLINE).await.unwrap();
        let parked = [Unknown, Parked];
        world.db.settle(&key, rows.iter().map(|row| settlement(row, &parked)).collect()).await.unwrap();
        let decide = |id: &connect::EffectId, decision| {
            let (db, scope, id) = (world.db.clone(), key.scope.clone(), id.clone());
            async move { db.decide(&scope, &id, decision, "ada", "looked there").await }
        };
        let never = decide(&stock.id, EffectDecision::Retry).await;
        assert!(matches!(never, Err(DbError::Refused(_))), "an old difference is never sent again");
        decide(&stock.id, EffectDecision::Void).await.unwrap();
        decide(&note.id, EffectDecision::Retry).await.unwrap();
        assert_eq!(states(&world, &key).await, ["planned", "voided"]);
        let rows = carry_out(&world.db, &key, Side::Source, parked.as_slice()).await;
        assert_eq!(rows[0].revision, 2);
        decide(&note.id, EffectDecision::Applied(RemoteRef::new("99"))).await.unwrap();
        assert_eq!(states(&world, &key).await, ["applied", "voided"]);
        // One note is one shipment's.
        let other = effect(EffectKind::CreateNote, "other", "other lane");
        world.db.plan_effects(&key, vec![other.clone()]).await.unwrap();
        carry_out(&world.db, &key, Side::Source, parked.as_slice()).await;
        let taken = decide(&other.id, EffectDecision::Applied(RemoteRef::new("99"))).await;
        assert!(matches!(&taken, Err(DbError::Refused(why)) if why.contains("that of note")), "{taken:?}");
        decide(&other.id, EffectDecision::Applied(RemoteRef::new("98"))).await.unwrap();
        assert!(matches!(decide(&note.id, EffectDecision::Void).await, Err(DbError::Refused(_))));
        let attempts = world.db.attempts(&key.scope, &note.id).await.unwrap();
        assert_eq!(attempts.iter().filter(|attempt| attempt.what == "decision").count(), 2);
        let access = (&key.scope.tenant).into();
        let audit = world.db.audit_after(&access, 0, 100).await.unwrap();
        assert_eq!(audit.len(), 4);
        assert!(audit.iter().all(|row| row.actor == "ada" && row.action == "effect.decide"));
        assert_eq!(world.db.verify_audit(&access).await.unwrap(), None);
    })
    .await;
}

/// What a process held that has certainly ended is free at once, and what it had sent is unknown; others keep theirs.
#[tokio::test(flavor = "multi_thread")]
async fn claims_of_a_process_that_has_ended_end() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let claim = |owner: &'static str, limit: usize| db.claim_effects(&key, Side::Source, owner, LEASE, limit);
        let new = ["a", "b", "c"].map(|name| effect(EffectKind::CreateNote, name, &format!("lane {name}")));
        db.plan_effects(&key, new.to_vec()).await.unwrap();
        let gone = claim("gone", 2).await.unwrap().rows;
        assert_eq!(claim("runs", 2).await.unwrap().rows.len(), 1);
        assert!(db.arm(&key, vec![arm_of(&gone[0])], DEADLINE).await.unwrap()[0].is_some());
        let tenant = &key.scope.tenant;
        let mut holders = db.claim_holders(tenant).await.unwrap();
        holders.sort();
        assert_eq!(holders, ["gone", "runs"]);
        let stranger = world.connection("acme").await.scope.tenant;
        assert_eq!(
            (db.end_claims(&stranger, "gone").await.unwrap(), db.end_claims(tenant, "gone").await.unwrap()),
            (0, 2)
        );
        assert_eq!(db.claim_holders(tenant).await.unwrap(), ["runs"]);
        let again = claim("next", 10).await.unwrap().rows;
        let mut stood: Vec<_> = again.iter().map(|row| (row.key.as_str(), row.state)).collect();
        stood.sort_by_key(|(key, _)| *key);
        assert_eq!(stood, [("a", Probing), ("b", Planned)]);
        // Should it have stood still after all: its fences are of the past.
        assert!(again.iter().all(|row| gone.iter().any(|old| old.id == row.id && old.fence < row.fence)));
        assert_eq!(db.arm(&key, vec![arm_of(&gone[1])], DEADLINE).await.unwrap(), [None]);
    })
    .await;
}
