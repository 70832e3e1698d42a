//! What needs a person: each fact is seen as long as it is there, and not when it is gone.

use std::{collections::BTreeSet, time::Duration};

use connect::{EffectKind, FeedCursor, Inbound, RejectedInput, Side};
use engine::{
    alert::{AlertKind, cause_of},
    effect::EffectState::{Applied, Parked, Probing, Refused, Unknown},
    finding::{Finding, FindingKind, Subject},
    order::{Disposition, OrderState},
    race::Answer,
};
use millrace::{
    db::{
        Access, AlertPatience, CensusOutcome, ChannelKind, ConnectionKey, Database, DeliveryAttempt, EffectDecision,
        EffectQuery, Extent, FrozenKind, OrderDetail, Outlet, OutletKind, OutletSettings, Patience, Ran, RunState,
        Settled, TroubleKind, WishOrigin,
    },
    seal::Keyring,
};

use super::{
    stock::{feed, run},
    world::{LEASE, World, carry_out, effect, imported, on_both, order, request_key, requested, settlement, shipment},
};

/// Kind and cause of what is wrong.
type Seen = BTreeSet<(AlertKind, String)>;

/// What is wrong for a tenant; the first of the installation is told of backups, too.
async fn seen(db: &Database, access: &Access, backups: bool) -> Seen {
    let found = db.sightings(access, AlertPatience { factor: 1, backups }).await.unwrap();
    let causes: Seen = found.iter().map(|one| (one.key.kind, one.key.cause.clone())).collect();
    assert_eq!(causes.len(), found.len(), "each cause is one sighting: {found:?}");
    causes
}

fn causes(of: &[(AlertKind, &str)]) -> Seen {
    of.iter().map(|(kind, cause)| (*kind, (*cause).to_owned())).collect()
}

/// What the census leaves: orders that are nowhere, and notes that belong to nothing.
fn census(unaccounted: usize, findings: Vec<Finding>) -> CensusOutcome {
    CensusOutcome { unaccounted, report: b"{}".to_vec(), findings, checked: FindingKind::ALL.into() }
}

fn finding(kind: FindingKind, subject: Subject) -> Finding {
    Finding { kind, subject, order_id: None, what: "as the test says".to_owned() }
}

/// A place where something is told, to which nothing was told yet.
async fn outlet(db: &Database, access: &Access, name: &str) -> Outlet {
    let settings = OutletSettings {
        name: name.to_owned(),
        address: "https://receiver.example.test".to_owned(),
        events: Vec::new(),
        enabled: true,
    };
    let keyring = Keyring::parse("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff").unwrap();
    db.create_outlet(access, None, OutletKind::Webhook, settings, None, &keyring, "test").await.unwrap()
}

/// Tells it something that it takes, or does not; or that makes the program switch it off.
async fn tell(db: &Database, access: &Access, outlet: &Outlet, problem: Option<&str>, off: Option<&str>) {
    let delivery = db.add_delivery(access, &outlet.id, "test", "{}".to_owned()).await.unwrap();
    let attempt = DeliveryAttempt {
        at: db.now().await.unwrap(),
        took_ms: 5,
        status: None,
        answer: String::new(),
        problem: problem.map(str::to_owned),
    };
    let settled = if problem.is_none() { Settled::Taken } else { Settled::GivenUp };
    db.settle_delivery(access, outlet, &delivery.id, attempt, settled, off.map(str::to_owned)).await.unwrap();
}

async fn shown(db: &Database, key: &ConnectionKey, order_id: i64) -> OrderDetail {
    let id = db.known_orders(key, &[order_id]).await.unwrap()[&order_id].id.clone();
    db.order(&key.scope, &id).await.unwrap()
}

/// Everything is made as the program makes it, and only time is made to pass by hand.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_is_seen_while_it_lasts_and_not_after() {
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let neighbour = Access::Tenant(world.connection("acme").await.scope.tenant);
        let access = Access::Tenant(key.scope.tenant.clone());
        let now = async || seen(db, &access, true).await;
        let passes = async |sql: &str| world.raw().await.run(sql).await.unwrap();
        db.enable_connection(&key, true).await.unwrap();
        for kind in ChannelKind::ALL {
            db.set_channel(&key, kind, true, 60).await.unwrap();
        }
        assert_eq!(now().await, Seen::new(), "nothing is wrong at first");

        // Changes: refused, parked, and one of which nobody knows.
        for (name, path) in [("refused", &[Refused][..]), ("parked", &[Unknown, Parked]), ("unknown", &[Unknown])] {
            db.plan_effects(&key, vec![effect(EffectKind::SetStatus, name, name)]).await.unwrap();
            carry_out(db, &key, Side::Source, path).await;
        }
        let two = [
            (AlertKind::Effect, "set_status refused: as the test says"),
            (AlertKind::Effect, "set_status parked: as the test says"),
        ];
        assert_eq!(now().await, causes(&two), "what is not known yet has a little time");
        passes("UPDATE effect SET armed_at = armed_at - 3600000 WHERE state = 'unknown'").await;

        // Orders: in error, held by import, held by a person (which is no news), stopped while the warehouse says nothing, and one
        // that the warehouse has had for days.
        let waiting = |id: i64| imported(order(id), Disposition::Waiting("not allocated".to_owned()), Vec::new());
        let held = |id: i64| imported(order(id), Disposition::Held("there is no listing".to_owned()), Vec::new());
        let orders = vec![requested(1), held(2), requested(3), requested(4), requested(5)];
        db.record_orders(&key, "acme", orders).await.unwrap();
        db.held_by_person(&key, &shown(db, &key, 3).await.view.id, Some("ask first"), "ada").await.unwrap();
        carry_out(db, &key, Side::Warehouse, &[Applied]).await;
        db.mark_seen(&key, 1, "4/2026", Some("it has no address")).await.unwrap();
        let hasty = Patience { within: Duration::ZERO, owner: "Ada".to_owned() };
        db.want_cancel(&key, 4, "cancelled in Brightpearl", WishOrigin::Status, "", &hasty).await.unwrap();
        let stopped = shown(db, &key, 4).await.view;
        assert_eq!(stopped.state, OrderState::Error);
        let stopped = cause_of(&stopped.reason);
        passes("UPDATE request SET created_at = 1 WHERE order_id = 5").await;

        // What cannot be read.
        let rejected = RejectedInput {
            input: Inbound { name: "inv_1.csv".to_owned(), content_hash: "0".repeat(64), content: b"a,b".to_vec() },
            reason: "a column is missing".to_owned(),
            beside: false,
            key: None,
        };
        db.record_inputs(&key, &[], &[rejected]).await.unwrap();

        // The census: what it found, what it could not account for, and that it has not come to an end since. That a change is not
        // known is told by the change itself.
        let orphan = || finding(FindingKind::OrphanNote, Subject::Note(7));
        let unknown = || finding(FindingKind::EffectUnknown, Subject::Effect("eff_1".to_owned()));
        db.begin_census(&key).await.unwrap();
        db.start_census(&key, Extent::Recent).await.unwrap();
        db.finish_census(&key, Extent::Recent, census(2, vec![orphan(), unknown()])).await.unwrap();
        passes("UPDATE census SET begun_at = 1, finished_at = 1 WHERE extent = 'recent'").await;
        db.start_census(&key, Extent::Recent).await.unwrap();
        db.fail_census(&key, Extent::Recent, "no answer").await.unwrap();

        // Stock that waits for a yes.
        let run = run("inv_1", db.now().await.unwrap(), RunState::Waiting);
        db.record_run(&key, run.clone(), Vec::new(), &feed("inv_1", run.cut_off, &[("A", "5")], false)).await.unwrap();

        // Places where people are told: one takes nothing, one was switched off for that.
        let (silent, off) = (outlet(db, &access, "silent").await, outlet(db, &access, "off").await);
        tell(db, &access, &silent, Some("no answer"), None).await;
        tell(db, &access, &off, Some("gone"), Some("it answers 410")).await;
        passes("UPDATE outlet SET failing_since = failing_since - 7200000").await;

        // Channels: one fails, one does not run.
        let failing = db.start_run(&key, ChannelKind::Orders).await.unwrap();
        db.finish_run(&key, ChannelKind::Orders, &failing, Err("no answer".to_owned())).await.unwrap();
        db.start_run(&key, ChannelKind::Shipments).await.unwrap();
        passes("UPDATE channel SET started_at = started_at - 3600000 WHERE kind = 'shipments'").await;

        // The installation: it was never backed up, and sends nothing. A side is paused last: nothing goes there from here on.
        passes("UPDATE installation SET created_at = 1").await;
        db.freeze(FrozenKind::Person, "drill", "ada").await.unwrap();
        db.pause(&key, Side::Source, Some("wrong password")).await.unwrap();

        let mut all = causes(&[
            (AlertKind::SendingFrozen, ""),
            (AlertKind::ConnectionPaused, "source"),
            (AlertKind::ChannelFailing, "orders"),
            (AlertKind::ChannelLate, "shipments"),
            (AlertKind::OrderError, "it has no address"),
            (AlertKind::OrderError, &stopped),
            (AlertKind::OrderHeld, "there is no listing"),
            (AlertKind::Exception, "input: a column is missing"),
            two[0],
            two[1],
            (AlertKind::EffectUnknown, "set_status"),
            (AlertKind::Unaccounted, ""),
            (AlertKind::Unaccounted, "late"),
            (AlertKind::Finding, "orphan_note"),
            (AlertKind::WarehouseSilent, "answers"),
            (AlertKind::WarehouseSilent, "orders"),
            (AlertKind::WarehouseSilent, "shipments"),
            (AlertKind::DeliveryFailing, &silent.id),
            (AlertKind::DeliveryFailing, &off.id),
            (AlertKind::StockRun, ""),
            (AlertKind::BackupOverdue, ""),
        ]);
        assert_eq!(now().await, all);
        let kinds: BTreeSet<AlertKind> = all.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, AlertKind::ALL.into(), "every kind is made here");
        let frozen = causes(&[(AlertKind::SendingFrozen, "")]);
        assert_eq!(seen(db, &neighbour, false).await, frozen, "others hear of the installation alone");

        // One after the other goes, each with nothing else.
        let mut gone = async |of: &[(AlertKind, &str)]| {
            for cause in causes(of) {
                assert!(all.remove(&cause), "{cause:?} was there");
            }
            assert_eq!(now().await, all, "after {of:?}");
        };
        db.pause(&key, Side::Source, None).await.unwrap();
        gone(&[(AlertKind::ConnectionPaused, "source")]).await;
        db.release("ada", "over").await.unwrap();
        gone(&[(AlertKind::SendingFrozen, "")]).await;
        db.backed_up("ada", serde_json::json!({})).await.unwrap();
        gone(&[(AlertKind::BackupOverdue, "")]).await;
        let well = db.start_run(&key, ChannelKind::Orders).await.unwrap();
        db.finish_run(&key, ChannelKind::Orders, &well, Ok(Ran::default())).await.unwrap();
        gone(&[(AlertKind::ChannelFailing, "orders")]).await;
        db.start_run(&key, ChannelKind::Shipments).await.unwrap();
        gone(&[(AlertKind::ChannelLate, "shipments")]).await;
        tell(db, &access, &silent, None, None).await;
        gone(&[(AlertKind::DeliveryFailing, &silent.id)]).await;
        db.delete_outlet(&access, &off.id, "ada").await.unwrap();
        gone(&[(AlertKind::DeliveryFailing, &off.id)]).await;
        db.drop_run(&key, &run.id, "ada").await.unwrap();
        gone(&[(AlertKind::StockRun, "")]).await;
        db.finish_census(&key, Extent::Recent, census(2, vec![orphan(), unknown()])).await.unwrap();
        gone(&[(AlertKind::Unaccounted, "late")]).await;
        // What the census of the whole found, one of the recent part has looked at since.
        db.finish_census(&key, Extent::Full, census(1, vec![orphan(), unknown()])).await.unwrap();
        passes("UPDATE census SET finished_at = finished_at - 1 WHERE extent = 'full'").await;
        db.finish_census(&key, Extent::Recent, census(0, vec![orphan(), unknown()])).await.unwrap();
        gone(&[(AlertKind::Unaccounted, "")]).await;
        db.finish_census(&key, Extent::Recent, census(0, Vec::new())).await.unwrap();
        gone(&[(AlertKind::Finding, "orphan_note")]).await;
        let exception = db.exceptions(&key, false, 10).await.unwrap().remove(0);
        db.resolve_exception(&key.scope, &exception.id, "ada").await.unwrap();
        gone(&[(AlertKind::Exception, "input: a column is missing")]).await;
        db.record_answer(&key, 4, Answer::TooLate, "packed already", "ada").await.unwrap();
        gone(&[(AlertKind::WarehouseSilent, "answers"), (AlertKind::OrderError, &stopped)]).await;
        let mut left = shipment(&order(5), "S5", &request_key(5), &[3, 1]);
        left.shipment.shipped_at = db.now().await.unwrap();
        db.record_shipments(&key, vec![left], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
        gone(&[(AlertKind::WarehouseSilent, "shipments"), (AlertKind::WarehouseSilent, "orders")]).await;
        db.record_orders(&key, "acme", vec![waiting(2)]).await.unwrap();
        gone(&[(AlertKind::OrderHeld, "there is no listing")]).await;
        db.mark_seen(&key, 1, "5/2026", None).await.unwrap();
        gone(&[(AlertKind::OrderError, "it has no address")]).await;
        let rows = db.claim_effects(&key, Side::Source, "test", LEASE, 10).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [Probing]);
        db.settle(&key, vec![settlement(&rows[0], &[Applied])]).await.unwrap();
        gone(&[(AlertKind::EffectUnknown, "set_status")]).await;
        let problems = db.list_effects(&access, EffectQuery { limit: 10, ..EffectQuery::default() }).await;
        for row in problems.unwrap().items.into_iter().filter(|row| row.state == "refused" || row.state == "parked") {
            db.decide(&key.scope, &row.id, EffectDecision::Void, "ada", "not wanted").await.unwrap();
        }
        gone(&two).await;
        assert_eq!(now().await, Seen::new());
    })
    .await;
}

/// A file of two thousand lines that cannot be read, each with its number, is one cause, and none of it goes uncounted.
#[tokio::test(flavor = "multi_thread")]
async fn reasons_that_differ_by_figures_are_counted_together() {
    const LINES: usize = 2_100;
    on_both(|world: World| async move {
        let (db, key) = (&world.db, world.connection("acme").await);
        let access = Access::Tenant(key.scope.tenant.clone());
        let unread = |line: usize| RejectedInput {
            input: Inbound { name: format!("{line}.csv"), content_hash: line.to_string(), content: Vec::new() },
            reason: format!("line {line} has no SKU"),
            beside: false,
            key: None,
        };
        db.record_inputs(&key, &[], &(1..=LINES).map(unread).collect::<Vec<_>>()).await.unwrap();
        for (name, note) in [("a", "status 7 is not known"), ("b", "status 8 is not known"), ("c", "no such order")] {
            db.plan_effects(&key, vec![effect(EffectKind::SetStatus, name, name)]).await.unwrap();
            carry_out(db, &key, Side::Source, &[Refused]).await;
            let noted = format!("UPDATE effect SET note = '{note}' WHERE key = '{name}'");
            world.raw().await.run(&noted).await.unwrap();
        }

        let troubles = db.troubles(&access).await.unwrap();
        let of = |kind: TroubleKind| troubles.iter().filter(move |trouble| trouble.kind == kind);
        let causes: BTreeSet<String> = of(TroubleKind::Exception).map(|trouble| cause_of(&trouble.reason)).collect();
        assert_eq!(causes.len(), 1, "{causes:?}");
        assert_eq!(of(TroubleKind::Exception).map(|trouble| trouble.count).sum::<i64>(), 2_100);
        assert!(of(TroubleKind::Exception).count() < 10, "as many rows as numbers have lengths");
        let seen = db.sightings(&access, AlertPatience { factor: 1, backups: false }).await.unwrap();
        let exceptions = seen.iter().filter(|one| one.key.kind == AlertKind::Exception);
        assert_eq!(exceptions.map(|one| one.count).sum::<u64>(), 2_100);

        let two = of(TroubleKind::Refused).find(|trouble| trouble.count == 2).expect("two of one cause");
        let ids = db.troubled(&key, TroubleKind::Refused, vec![two.reason.clone()], 9).await.unwrap();
        assert_eq!(ids.len(), 2, "both, whatever figure it was asked for by, and not the third");
        assert_eq!(BTreeSet::from_iter(ids), BTreeSet::from_iter(two.examples.clone()));
    })
    .await;
}
