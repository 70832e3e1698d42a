//! Proves the classes that a connector declares (docs/reliability.md), and that it refuses what it does not declare.

use connect::{Armed, Capability, EffectKind, Prepared, Probe, Sent, WarehouseFeature};

use super::{
    harness::{Can, Entry, Opening},
    run::Play,
};
use crate::hub::effect;

const KEY: &str = "BPacme-O1";
const OF_WAREHOUSES: [EffectKind; 4] =
    [EffectKind::SubmitRequest, EffectKind::ReleaseRequest, EffectKind::CancelRequest, EffectKind::Acknowledge];

/// Every class of every effect, and every effect that is not declared.
pub async fn every_class(entry: &Entry) {
    assert!(entry.declares.iter().any(|(kind, _)| *kind == EffectKind::SubmitRequest), "a warehouse takes orders");
    for kind in OF_WAREHOUSES {
        let mut play = Play::new(entry, &format!("classes of {kind}"), Opening::default()).await;
        let said = play.warehouse().capabilities(kind);
        let declared = entry.declares.iter().find(|(known, _)| *known == kind).map(|(_, classes)| *classes);
        assert_eq!(
            said.map(|said| said.classes),
            declared,
            "{}: the table is not what the connector says",
            play.name()
        );
        let feature = match kind {
            EffectKind::ReleaseRequest => Some(WarehouseFeature::Release),
            EffectKind::CancelRequest => Some(WarehouseFeature::Cancel),
            _ => None,
        };
        if let Some(feature) = feature {
            assert_eq!(play.offers(feature), declared.is_some(), "{}: {feature:?}", play.name());
        }
        match declared {
            Some(classes) => {
                for class in classes {
                    let mut play = Play::new(entry, &format!("{class:?} of {kind}"), Opening::default()).await;
                    prove(&mut play, kind, *class).await;
                }
            }
            None => {
                play.put(KEY).await;
                refuses(&mut play, kind, KEY).await;
                play.once(KEY);
            }
        }
    }
    let play = Play::new(entry, "features", Opening::default()).await;
    let calls = entry.can.contains(&Can::Call) || entry.can.contains(&Can::CallAtASecretAddress);
    assert_eq!(play.offers(WarehouseFeature::Webhooks), calls, "{}", play.name());
    assert!(play.offers(WarehouseFeature::Stock), "{}", play.name());
    let seen = play.warehouse().sightings(&[KEY.to_owned()]).await.unwrap();
    assert_eq!(seen.blind.is_none(), entry.can.contains(&Can::BeAskedWhatItHas), "{}: {seen:?}", play.name());
    play.warehouse().check().await.unwrap_or_else(|error| panic!("{}: {error}", play.name()));
}

/// What is not declared is refused, and nothing comes of it.
pub async fn refuses(play: &mut Play<'_>, kind: EffectKind, key: &str) {
    let reference = connect::RemoteRef::new("1");
    match kind {
        EffectKind::ReleaseRequest => {
            assert!(play.warehouse().plan_release(key, &reference).is_none(), "{}", play.name())
        }
        EffectKind::CancelRequest => {
            let now = crate::hub::at("2026-11-23T06:30:00Z");
            let refused =
                play.warehouse().plan_cancel(key, &reference, now).expect_err("it plans what it does not declare");
            assert!(!refused.why.trim().is_empty(), "{}: refused without a word", play.name());
        }
        // Whether anything is answered is seen at each reading.
        EffectKind::Acknowledge => {}
        _ => panic!("every warehouse takes orders"),
    }
    // Even where it is asked past the plan.
    let before = play.site.orders();
    let forged = connect::Effect { kind, number: Some(9_000), ..effect(&play.plan(key)) };
    let refused = play.warehouse().prepare(std::slice::from_ref(&forged)).await;
    assert!(refused.is_err() || matches!(&refused.unwrap()[0], Prepared::Impossible { .. }), "{}", play.name());
    let armed = Armed {
        effect: forged,
        baseline: serde_json::Value::Null,
        attempt: 1,
        armed_at: crate::hub::at("2026-11-23T06:30:01Z"),
    };
    let sent = play.send(&armed).await;
    assert!(matches!(sent, Sent::NotSent { .. } | Sent::Refused { .. }), "{}: {sent:?}", play.name());
    play.site.take_in();
    assert_eq!(play.site.orders(), before, "{}: something came of it", play.name());
}

async fn prove(play: &mut Play<'_>, kind: EffectKind, class: Capability) {
    match class {
        Capability::IdempotencyKey | Capability::UniqueKey | Capability::AbsoluteSet => repeats(play, kind).await,
        Capability::ConditionalWrite => conditional(play, kind).await,
        Capability::StrongRead | Capability::LaggingRead => readable(play, kind).await,
        Capability::Held => held(play).await,
        Capability::WriteOnly => written(play, kind).await,
    }
}

/// C1, C2, C6: the same change once more makes nothing new.
async fn repeats(play: &mut Play<'_>, kind: EffectKind) {
    play.put(KEY).await;
    let mut key = KEY.to_owned();
    if kind != EffectKind::SubmitRequest {
        let draft = play.draft_of(kind, KEY).await;
        key.clone_from(&draft.key);
        play.done(&draft).await;
        play.site.take_in();
    }
    let before = (play.site.orders(), play.site.acknowledged());
    for attempt in 2..5 {
        play.send(&Armed { attempt, ..play.last(kind, &key) }).await;
        play.site.take_in();
        let after = (play.site.orders(), play.site.acknowledged());
        assert_eq!(after, before, "{}: a repeat is not harmless", play.name());
    }
    assert!(matches!(play.probe(&play.last(kind, &key)).await, Probe::Equal(_)), "{}", play.name());
}

/// C3: what was decided on an order that has moved since has no effect.
async fn conditional(play: &mut Play<'_>, kind: EffectKind) {
    play.put(KEY).await;
    let draft = play.plan_of(kind, KEY);
    let effect = play.effect(&draft);
    let armed = play.ready(&effect).await;
    play.site.touch(KEY);
    let before = play.site.orders();
    let sent = play.send(&armed).await;
    assert!(matches!(sent, Sent::NotSent { .. } | Sent::Refused { .. }), "{}: {sent:?}", play.name());
    assert_eq!(play.site.orders(), before, "{}: an old version was overwritten", play.name());
    assert_eq!(play.probe(&armed).await, Probe::Absent, "{}", play.name());
    // Decided again on what is there now, it is done.
    let armed = play.ready(&effect).await;
    let sent = play.send(&armed).await;
    assert!(matches!(sent, Sent::Accepted { .. }), "{}: {sent:?}", play.name());
}

/// C4, C5: what was made is found by our key, at once or within the lag that is declared.
async fn readable(play: &mut Play<'_>, kind: EffectKind) {
    if kind != EffectKind::SubmitRequest {
        play.put(KEY).await;
    }
    let draft = play.plan_of(kind, KEY);
    let effect = play.effect(&draft);
    let armed = play.ready(&effect).await;
    assert_eq!(play.probe(&armed).await, Probe::Absent, "{}: nothing was sent", play.name());
    let sent = play.send(&armed).await;
    assert!(matches!(sent, Sent::Accepted { .. }), "{}: {sent:?}", play.name());
    let lag = play.warehouse().capabilities(kind).map(|can| can.index_lag).unwrap_or_default();
    play.site.clock().pass(lag);
    let found = play.probe(&armed).await;
    assert!(matches!(found, Probe::Equal(_)), "{}: {found:?}", play.name());
}

/// C7: nothing of an order leaves before it is let go.
async fn held(play: &mut Play<'_>) {
    play.put(KEY).await;
    assert!(!play.leaves(KEY), "{}: it left without having been released", play.name());
    let draft = play.plan_of(EffectKind::ReleaseRequest, KEY);
    play.done(&draft).await;
    play.ship(KEY);
    assert!(play.leaves(KEY), "{}: it was released, and does not leave", play.name());
}

/// C8: it cannot be looked at, so nothing is ever said to be absent.
async fn written(play: &mut Play<'_>, kind: EffectKind) {
    let draft = play.plan_of(kind, KEY);
    let effect = play.effect(&draft);
    let armed = play.ready(&effect).await;
    play.send(&armed).await;
    assert_ne!(play.probe(&armed).await, Probe::Absent, "{}: it cannot know", play.name());
}
