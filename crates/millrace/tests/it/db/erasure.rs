//! Erasing people from what is finished: who they were goes, and what was done for them stays.

use connect::{EffectKind, Side};
use engine::effect::EffectState;
use millrace::db::{ConnectionKey, Database, DbError, DeskKey, EffectDecision, Erasable};

use super::{
    desk,
    world::{DEADLINE, LEASE, World, arm_of, carry_out, effect, on_both, requested, settlement},
};

/// Orders of these numbers, at the warehouse.
async fn sent(db: &Database, key: &ConnectionKey, account: &str, numbers: &[i64]) {
    db.record_orders(key, account, numbers.iter().map(|number| requested(*number)).collect()).await.unwrap();
    let rows = carry_out(db, key, Side::Warehouse, &[EffectState::Applied]).await;
    assert_eq!(rows.len(), numbers.len());
}

async fn archived(db: &Database, key: &ConnectionKey, number: i64) {
    let found = db.find_order(&(&key.scope.tenant).into(), &number.to_string()).await.unwrap();
    db.archive_order(key, &found.id, true, "test").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_go_and_what_was_done_stays() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        sent(db, &key, "acme", &[1, 2, 3]).await;
        let neighbour = world.connection("best").await;
        sent(db, &neighbour, "best", &[1]).await;
        archived(db, &neighbour, 1).await;
        for number in [1, 2] {
            archived(db, &key, number).await;
        }
        let mut raw = world.raw().await;
        let of = format!("tenant = '{}'", key.scope.tenant);
        let journal = format!("SELECT id || key || body_sha256 || state || fence FROM effect WHERE {of} ORDER BY id");
        let before = raw.texts(&journal).await;
        let bodies = format!("SELECT body FROM effect WHERE {of} ORDER BY order_ref");
        let third = raw.texts(&bodies).await.pop().unwrap();

        let expected = Erasable { orders: 2, in_flight: 1, inputs: 0, exceptions: 0 };
        assert_eq!(db.erasable(&key.scope).await.unwrap(), expected);
        assert_eq!(db.erase_orders(&key.scope).await.unwrap(), 2);
        assert_eq!(db.erase_orders(&key.scope).await.unwrap(), 0, "once");
        db.erase_inputs(&key.scope).await.unwrap();
        assert_eq!(db.erasable(&key.scope).await.unwrap(), Erasable { orders: 0, ..expected });

        assert_eq!(raw.texts(&journal).await, before, "what the journal knows is as it was");
        let erased = r#"{"erased":true}"#.to_owned();
        assert_eq!(raw.texts(&bodies).await, [erased.clone(), erased, third]);
        let people = raw.texts(&format!("SELECT ship_to FROM orders WHERE {of} ORDER BY order_id")).await;
        assert_eq!(people, ["[erased]", "[erased]", "Ada Lovelace, SW1Y 4JH, London, GB"]);
        let found = raw.texts(&format!("SELECT order_ref FROM order_word WHERE {of} AND word = 'lovelace'")).await;
        assert_eq!(found.len(), 1, "who was erased is not found by name");
        let found = raw.texts(&format!("SELECT order_ref FROM order_word WHERE {of} AND word LIKE 'web-%'")).await;
        assert_eq!(found.len(), 3, "and still by the order's own words");
        let other = format!("tenant = '{}'", neighbour.scope.tenant);
        let people = raw.texts(&format!("SELECT ship_to FROM orders WHERE {other}")).await;
        assert_eq!(people, ["Ada Lovelace, SW1Y 4JH, London, GB"], "another merchant's are its own");

        // Read again from the source, it is planned as before: nothing goes a second time.
        db.record_orders(&key, "acme", vec![requested(1), requested(2)]).await.unwrap();
        assert_eq!(raw.texts(&journal).await, before);
        assert!(db.claim_effects(&key, Side::Warehouse, "test", LEASE, 10).await.unwrap().rows.is_empty());
        // Nor do its people come back, unless somebody takes it out again.
        let shown = format!("SELECT ship_to FROM orders WHERE {of} AND order_id = 1");
        assert_eq!(raw.texts(&shown).await, ["[erased]"]);
        let found = format!("SELECT order_ref FROM order_word WHERE {of} AND word = 'lovelace'");
        assert_eq!(raw.texts(&found).await.len(), 1);
        let first = db.find_order(&(&key.scope.tenant).into(), "1").await.unwrap();
        let detail = db.order(&key.scope, &first.id).await.unwrap();
        assert_eq!(
            (detail.order.deliver_to.name.as_str(), detail.order.deliver_to.country.as_str()),
            ("[erased]", "GB")
        );
        db.archive_order(&key, &first.id, false, "test").await.unwrap();
        db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
        assert_eq!(raw.texts(&shown).await, ["Ada Lovelace, SW1Y 4JH, London, GB"]);
    })
    .await;
}

/// What a warehouse may still collect keeps its address; what it has done with stays on the desk without people.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_keeps_people_only_until_it_is_over() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        sent(db, &key, "acme", &[1]).await;
        archived(db, &key, 1).await;
        let mut raw = world.raw().await;
        let of = format!("tenant = '{}'", key.scope.tenant);
        let warehouse = raw.texts(&format!("SELECT warehouse FROM connection WHERE {of}")).await.pop().unwrap();
        let request = raw.texts(&format!("SELECT key FROM request WHERE {of}")).await.pop().unwrap();
        let desk = DeskKey { scope: key.scope.clone(), warehouse: warehouse.parse().unwrap() };
        db.lay_on_desk(&desk, &desk::request(&request)).await.unwrap();
        let in_flight = Erasable { orders: 0, in_flight: 1, inputs: 0, exceptions: 0 };
        assert_eq!(db.erasable(&key.scope).await.unwrap(), in_flight, "somebody may still collect it");
        assert_eq!(db.erase_orders(&key.scope).await.unwrap(), 0);
        db.take_back_from_desk(&desk, &request).await.unwrap();
        assert_eq!(db.erase_orders(&key.scope).await.unwrap(), 1);
        let there = db.desk_request(&desk, &request).await.unwrap().unwrap().request;
        assert_eq!(there.ship_to.name, "[erased]");
        assert_eq!(there.lines, desk::request(&request).lines);
    })
    .await;
}

/// What may still be sent is frozen as ever: only what is over may be emptied, and only of all of it.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_stay_frozen() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let set = |body: &str, kind: &str| format!("UPDATE effect SET body = '{body}' WHERE key = '{kind}'");
        let erased = r#"{"erased":true}"#;
        let mut raw = world.raw().await;
        world.db.plan_effects(&key, vec![effect(EffectKind::SetStatus, "over", "one")]).await.unwrap();
        carry_out(&world.db, &key, Side::Source, &[EffectState::Applied]).await;
        world.db.plan_effects(&key, vec![effect(EffectKind::SetStatus, "planned", "two")]).await.unwrap();
        assert!(raw.run(&set(erased, "planned")).await.is_err(), "it is still to be sent");
        assert!(raw.run(&set("{}", "over")).await.is_err(), "another payload than was sent");
        raw.run(&set(erased, "over")).await.unwrap();
        assert!(raw.run(&set(r#"{"key":"over"}"#, "over")).await.is_err(), "gone is gone");

        // Nor does a person have it go again, and no statement does.
        let refused = effect(EffectKind::SetStatus, "refused", "three");
        world.db.plan_effects(&key, vec![refused.clone()]).await.unwrap();
        let rows = world.db.claim_effects(&key, Side::Source, "test", LEASE, 10).await.unwrap().rows;
        let row = rows.iter().find(|row| row.id == refused.id).unwrap();
        assert_eq!(world.db.arm(&key, vec![arm_of(row)], DEADLINE).await.unwrap().len(), 1);
        world.db.settle(&key, vec![settlement(row, &[EffectState::Refused])]).await.unwrap();
        raw.run(&set(erased, "refused")).await.unwrap();
        let retry = world.db.decide(&key.scope, &refused.id, EffectDecision::Retry, "test", "again").await;
        assert!(matches!(&retry, Err(DbError::Refused(why)) if why.contains("erased")), "{retry:?}");
        let again = "UPDATE effect SET state = 'planned', revision = revision + 1 WHERE key = 'refused'";
        assert!(raw.run(again).await.is_err());
    })
    .await;
}
