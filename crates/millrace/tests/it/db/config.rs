//! Tenants, connections, channels, mappings, events, leases, calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{Secret, ShipMethod, Side};
use engine::{schedule::Rule, settings::ConnectionSettings};
use jiff::{SignedDuration, Timestamp};
use millrace::{
    db::{
        Access, ChannelKind, ChannelRun, DbError, EndpointChange, InboxCall, Mappings, NewEndpoint, Ran, RunCause,
        RunEnd, TargetKind,
    },
    seal::Keyring,
};

use super::world::{World, decimal, effect, on_both, requested};

fn keyring() -> Keyring {
    Keyring::parse("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_set_up_and_taken_down() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let tenant = db.create_tenant("Acme Group").await.unwrap();
        assert!(matches!(db.create_tenant("Acme Group").await, Err(DbError::Conflict(_))));
        let merchant = db.create_merchant(&tenant, "Acme").await.unwrap();
        assert_eq!(db.tenant_by_name("Acme Group").await.unwrap(), tenant);
        assert_eq!(db.merchant_by_name(&tenant, "Acme").await.unwrap(), merchant);
        let key = world.further_connection(&tenant, &merchant, "ACME").await;
        let list = db.connections(&(&tenant).into()).await.unwrap();
        assert_eq!(list.len(), 1);
        assert!(!list[0].enabled);
        let name = list[0].name.clone();
        assert_eq!(db.connection_by_name(&tenant, &name).await.unwrap(), key);
        assert!(matches!(db.connection_by_name(&tenant, "other").await, Err(DbError::NotFound(_))));
        assert!(db.active_connections().await.unwrap().is_empty());

        let record = db.connection(&key, &keyring()).await.unwrap();
        assert_eq!((record.account.as_str(), record.revision, record.channels.len()), ("acme", 1, 3));
        assert!(record.channels.iter().all(|channel| !channel.enabled));
        db.pause(&key, Side::Source, Some("password refused")).await.unwrap();
        let paused = db.connection(&key, &keyring()).await.unwrap().paused;
        assert_eq!(paused, BTreeMap::from([(Side::Source, "password refused".to_owned())]));

        let mut changes = db.changes();
        let settings = ConnectionSettings { hold_minutes: 5, ..ConnectionSettings::default() };
        let waiting = tokio::spawn(async move { changes.configuration().await });
        db.enable_connection(&key, true).await.unwrap();
        // The mend takes the pause away.
        db.update_connection(&key, "Renamed", &settings).await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("woken").unwrap();
        let record = db.connection(&key, &keyring()).await.unwrap();
        assert_eq!((record.name.as_str(), record.revision, record.enabled), ("Renamed", 3, true));
        assert_eq!(record.settings, settings);
        assert!(record.paused.is_empty());
        let active = db.active_connections().await.unwrap();
        assert_eq!((active[0].key.clone(), active[0].revision, active[0].account.as_str()), (key.clone(), 3, "acme"));

        let (scope, store) = db.store_by_name(&tenant, &list[0].store_name).await.unwrap();
        assert_eq!(scope, key.scope);
        let values = BTreeMap::from([("account_id".to_owned(), "acme2".to_owned())]);
        let new = NewEndpoint { name: "Shop".to_owned(), platform: String::new(), values, account: "Acme2".to_owned() };
        db.put_secret(&scope, store.as_str(), "password", &Secret::new("pw"), &keyring()).await.unwrap();
        let change = |kind, id: String, before| EndpointChange {
            kind,
            known: Some((id, before)),
            new: new.clone(),
            secrets: BTreeMap::new(),
            moves: false,
        };
        let told = || ("somebody", "endpoint.update", serde_json::json!({}));
        let before = db.stores(&(&tenant).into()).await.unwrap()[0].values.clone();
        let stale =
            change(TargetKind::Store, store.to_string(), BTreeMap::from([("other".to_owned(), "x".to_owned())]));
        let stale = db.keep_endpoint(&scope, stale, &keyring(), told()).await;
        assert!(matches!(stale, Err(DbError::Conflict(_))), "decided on other settings: {stale:?}");
        let changed = change(TargetKind::Store, store.to_string(), before);
        let elsewhere = EndpointChange { moves: true, ..changed.clone() };
        let elsewhere = db.keep_endpoint(&scope, elsewhere, &keyring(), told()).await;
        assert!(matches!(elsewhere, Err(DbError::Conflict(_))), "a secret would go elsewhere: {elsewhere:?}");
        db.keep_endpoint(&scope, changed, &keyring(), told()).await.unwrap();
        let record = db.connection(&key, &keyring()).await.unwrap();
        assert_eq!((record.revision, record.account.as_str(), record.store.name.as_str()), (5, "acme2", "Shop"));
        assert_eq!(record.store_secrets["password"].expose(), "pw");
        let (_, warehouse) = db.warehouse_by_name(&tenant, &list[0].warehouse_name).await.unwrap();
        let before = db.warehouses(&(&scope).into()).await.unwrap()[0].values.clone();
        let changed = change(TargetKind::Warehouse, warehouse.to_string(), before);
        db.keep_endpoint(&scope, changed, &keyring(), told()).await.unwrap();
        assert_eq!(db.stores(&(&tenant).into()).await.unwrap().len(), 1);
        assert_eq!(db.warehouses(&(&scope).into()).await.unwrap()[0].name, "Shop");

        assert!(matches!(db.delete_store(&scope, &store).await, Err(DbError::Refused(_))), "in use");
        db.record_orders(&key, "acme2", vec![requested(1)]).await.unwrap();
        assert!(matches!(db.delete_connection(&key).await, Err(DbError::Refused(_))), "it has orders");
        let empty = world.further_connection(&tenant, &merchant, "acme").await;
        db.delete_connection(&empty).await.unwrap();
        assert_eq!(db.connections(&(&tenant).into()).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_run_when_due_or_wanted() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let orders = || async { db.channels(&key).await.unwrap().remove(0) };
        assert!(!orders().await.enabled, "switched off");
        db.set_channel(&key, ChannelKind::Orders, true, 3600).await.unwrap();
        assert_eq!(orders().await.due(1), Timestamp::UNIX_EPOCH, "at once, the first time");
        let run = db.start_run(&key, ChannelKind::Orders).await.unwrap();
        let now = db.now().await.unwrap();
        assert!(orders().await.due(1) > now && orders().await.due(7200) < now + SignedDuration::from_secs(1));
        db.want_run(&key, ChannelKind::Orders, None).await.unwrap();
        db.finish_run(&key, ChannelKind::Orders, &run, Err("no network".to_owned())).await.unwrap();
        let channel = orders().await;
        assert_eq!(channel.problem.as_deref(), Some("no network"));
        assert!(channel.wanted_at.is_some(), "wanted while it ran");
        let run = db.start_run(&key, ChannelKind::Orders).await.unwrap();
        db.finish_run(&key, ChannelKind::Orders, &run, Ok(ran("3 orders"))).await.unwrap();
        let channel = orders().await;
        assert_eq!((channel.problem, channel.summary.as_str()), (None, "3 orders"));
        assert!(channel.wanted_at.is_none() && channel.succeeded_at.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mappings_are_replaced_and_amended() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let ups = ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() };
        let mappings = Mappings {
            listings: BTreeMap::from([("A".to_owned(), "W-A".to_owned()), ("B".to_owned(), "W-B".to_owned())]),
            kits: BTreeMap::from([(
                "K".to_owned(),
                vec![("W-A".to_owned(), decimal("2")), ("W-B".to_owned(), decimal("0.5"))],
            )]),
            ship_methods: BTreeMap::from([(7, ups.clone())]),
            source_methods: BTreeMap::from([(ups.clone(), 7)]),
            locations: BTreeMap::from([("1".to_owned(), 2)]),
        };
        db.replace_mappings(&key, &mappings).await.unwrap();
        assert_eq!(db.mappings(&key).await.unwrap(), mappings);
        let amended = Mappings {
            listings: BTreeMap::from([("B".to_owned(), "W-B2".to_owned())]),
            kits: BTreeMap::from([("K".to_owned(), vec![("W-C".to_owned(), decimal("1"))])]),
            ..Mappings::default()
        };
        db.put_mappings(&key, &amended).await.unwrap();
        let now = db.mappings(&key).await.unwrap();
        assert_eq!((now.listings["A"].as_str(), now.listings["B"].as_str()), ("W-A", "W-B2"));
        assert_eq!(now.kits["K"], [("W-C".to_owned(), decimal("1"))]);
        db.delete_mappings(&key, &mappings).await.unwrap();
        assert_eq!(db.mappings(&key).await.unwrap(), Mappings::default());
        assert_eq!(db.connection(&key, &keyring()).await.unwrap().revision, 4);
    })
    .await;
}

/// Numbers have no gaps, and whoever follows them misses nothing, however many write at once. Outside, each is a place by its id alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_are_numbered_without_gaps() {
    on_both(|world: World| async move {
        let key = world.connection("acme").await;
        let nodes = [world.db.clone(), world.another_node().await];
        let from = world.db.last_event().await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..6_usize {
            let (db, key) = (nodes[writer % 2].clone(), key.clone());
            tasks.spawn(async move {
                for turn in 0..15 {
                    db.pause(&key, Side::Source, Some(&format!("{writer}/{turn}"))).await.unwrap();
                }
            });
        }
        let access = Access::from(&key);
        let (mut seen, mut ids) = (Vec::new(), Vec::new());
        loop {
            let done = tasks.is_empty();
            let after = seen.last().copied().unwrap_or(from);
            let events = world.db.events_after(&access, after, 20).await.unwrap();
            seen.extend(events.iter().map(|event| event.number));
            ids.extend(events.iter().map(|event| event.id.to_string()));
            if done && events.is_empty() {
                break;
            }
            while let Some(finished) = tasks.try_join_next() {
                finished.unwrap();
            }
        }
        assert_eq!(seen, (from + 1..=from + 90).collect::<Vec<_>>());
        assert_eq!(world.db.last_event().await.unwrap(), from + 90);
        let stranger = Access::from(&world.connection("best").await);
        for (id, number) in ids.iter().zip(&seen) {
            assert_eq!(world.db.event_number(&access, id).await.unwrap(), *number);
            assert_eq!(world.db.event_number(&stranger, id).await.unwrap(), 0, "nothing of another's");
        }
        assert_eq!(world.db.event_number(&access, &seen[7].to_string()).await.unwrap(), 0, "a number is no place");
        let tenant = Access::Tenant(key.scope.tenant.clone());
        assert_eq!(world.db.trim_events(&tenant, SignedDuration::from_hours(1)).await.unwrap(), 0);
        assert_eq!(world.db.events_after(&access, from, 100).await.unwrap().len(), 90);
        assert!(world.db.trim_events(&tenant, SignedDuration::from_secs(-60)).await.unwrap() >= 90);
        assert_eq!(world.db.events_after(&access, 0, 100).await.unwrap(), []);
        assert!(world.db.last_event().await.unwrap() >= from + 90, "numbers go on");
        assert_eq!(world.db.event_number(&access, &ids[7]).await.unwrap(), 0, "what is gone is before everything");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_holds_an_account() {
    on_both(|world: World| async move {
        let (one, two) = (world.db.clone(), world.another_node().await);
        let hour = Duration::from_secs(3600);
        assert!(one.hold_account("acme", "one", hour).await.unwrap());
        assert!(!two.hold_account("acme", "two", hour).await.unwrap());
        assert!(one.hold_account("acme", "one", Duration::ZERO).await.unwrap(), "kept, for no time");
        assert!(two.hold_account("acme", "two", hour).await.unwrap());
        assert!(!one.hold_account("acme", "one", hour).await.unwrap());
        assert!(one.hold_account("other", "one", hour).await.unwrap());
        two.release_account("other", "two").await.unwrap();
        let holders = one.account_holders().await.unwrap();
        let owners: Vec<(&str, &str)> =
            holders.iter().map(|(account, (owner, _))| (account.as_str(), owner.as_str())).collect();
        assert_eq!(owners, [("acme", "two"), ("other", "one")], "nobody gives back what another holds");
        two.release_account("acme", "two").await.unwrap();
        assert!(!one.account_holders().await.unwrap().contains_key("acme"));
        assert!(one.hold_account("acme", "one", hour).await.unwrap(), "given back before its time");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_kept_once_and_taken_once() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let call = |id: &str| InboxCall {
            resource: "order".to_owned(),
            resource_id: id.to_owned(),
            event: "modified".to_owned(),
            raised_on: "2026-05-01T10:00:00.000Z".to_owned(),
        };
        let calls = vec![call("1"), call("2"), call("1")];
        assert_eq!(db.insert_calls(&key.scope, "acme", calls).await.unwrap(), 2);
        assert_eq!(db.insert_calls(&key.scope, "acme", vec![call("2"), call("3")]).await.unwrap(), 1);
        let first = db.take_calls(&key.scope, "acme", 2).await.unwrap();
        let second = db.take_calls(&key.scope, "acme", 10).await.unwrap();
        let taken: BTreeSet<_> = first.iter().chain(&second).cloned().collect();
        assert_eq!((first.len(), second.len(), taken.len()), (2, 1, 3));
        assert!(db.take_calls(&key.scope, "acme", 10).await.unwrap().is_empty());
        assert_eq!(db.insert_calls(&key.scope, "acme", vec![call("1")]).await.unwrap(), 0, "a repeat is recognised");

        // They end by themselves, those that nobody takes as well, and nobody else's.
        let other = world.connection("best").await;
        let of_warehouse = InboxCall { resource: "warehouse".to_owned(), ..call("7") };
        db.insert_calls(&key.scope, "whs_1", vec![of_warehouse]).await.unwrap();
        db.insert_calls(&other.scope, "best", vec![call("1")]).await.unwrap();
        let tenant = Access::Tenant(key.scope.tenant.clone());
        assert_eq!(db.trim_calls(&tenant, SignedDuration::from_hours(1)).await.unwrap(), 0);
        assert_eq!(db.trim_calls(&tenant, SignedDuration::from_secs(-60)).await.unwrap(), 4);
        assert_eq!(db.insert_calls(&key.scope, "acme", vec![call("1")]).await.unwrap(), 1);
        assert_eq!(db.take_calls(&other.scope, "best", 10).await.unwrap(), [call("1")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_at_itself() {
    on_both(|world: World| async move {
        let check = world.db.check().await.unwrap();
        assert!(check.database.starts_with(if world.db.is_postgres() { "PostgreSQL " } else { "SQLite " }));
        assert!(check.bytes > 0 && check.migration >= 1 && !check.frozen);
        assert_eq!(check.fingerprint, world.db.fingerprint().await.unwrap());
        // Opened again, it is the same installation, with everything in it.
        let key = world.connection("acme").await;
        world.db.plan_effects(&key, vec![effect(connect::EffectKind::CreateNote, "k", "lane")]).await.unwrap();
        world.db.close().await;
        assert!(matches!(world.db.frozen().await, Err(DbError::Unavailable { .. })), "closed");
        let again = millrace::db::Database::open(&millrace::db::DatabaseConfig::new(&world.url)).await.unwrap();
        assert_eq!(again.fingerprint().await.unwrap(), check.fingerprint);
        assert!(again.next_effect_due(&key, Side::Source).await.unwrap().is_some());
    })
    .await;
}

fn ran(words: &str) -> Ran {
    Ran { words: words.to_owned(), counts: BTreeMap::from([("read".to_owned(), 3)]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_stays_and_every_run_says_why() {
    on_both(|world: World| async move {
        let (db, key) = (world.db.clone(), world.connection("acme").await);
        let kind = ChannelKind::Stock;
        let stock = || async { db.channels(&key).await.unwrap().remove(2) };
        let rules = vec![Rule::Hourly { hours: 1, minute: 30 }, Rule::Minutely { minutes: 720 }];
        db.set_schedule(&key, kind, "Europe/London", rules.clone()).await.unwrap();
        db.set_channel(&key, kind, true, 60).await.unwrap();
        db.set_channel(&key, kind, false, 60).await.unwrap();
        let kept = stock().await.schedule.expect("switching it off keeps it");
        assert_eq!((kept.zone.as_str(), &kept.rules), ("Europe/London", &rules));
        let due = stock().await.due(1);
        assert!(due > kept.since && due <= kept.since + SignedDuration::from_hours(1), "{due}");

        // By a rule; because something happened; because a person asked, whatever happened besides; by its own pace.
        for wanted in [None, Some(None), Some(Some("ann")), None] {
            if wanted.is_none() && stock().await.started_at.is_some() {
                db.set_schedule(&key, kind, "", Vec::new()).await.unwrap();
                assert_eq!(stock().await.schedule, None);
            }
            if let Some(person) = wanted {
                db.want_run(&key, kind, person).await.unwrap();
                db.want_run(&key, kind, None).await.unwrap();
            }
            db.start_run(&key, kind).await.unwrap();
            // Runs are listed by when they began, to the millisecond.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let last = db.start_run(&key, kind).await.unwrap();
        let counts = BTreeMap::from([("compared".to_owned(), 40)]);
        db.advance_run(&key, kind, &last, (2, Some(5)), counts.clone()).await.unwrap();
        let page = db.channel_runs(&key, kind, None, 3).await.unwrap();
        assert_eq!(page.items.len(), 3);
        let now = &page.items[0];
        assert_eq!((&now.id, now.done, now.total, now.end, &now.counts), (&last, 2, Some(5), None, &counts));
        let rest = db.channel_runs(&key, kind, page.next.clone(), 3).await.unwrap();
        assert_eq!(rest.next, None);
        let all: Vec<ChannelRun> = page.items.iter().chain(&rest.items).cloned().collect();
        let causes: Vec<RunCause> = all.iter().map(|run| run.cause.clone()).collect();
        let ann = RunCause::Person("ann".to_owned());
        assert_eq!(causes, [RunCause::Pace, RunCause::Pace, ann, RunCause::Event, RunCause::Schedule]);
        assert!(all[1..].iter().all(|run| run.end == Some(RunEnd::CutOff)), "the next one says that it was cut off");

        // A node that lost the channel meanwhile does not end the run of the one that has it.
        db.finish_run(&key, kind, &all[1].id, Ok(ran("late"))).await.unwrap();
        db.finish_run(&key, kind, &last, Ok(ran("done"))).await.unwrap();
        let ended = db.channel_runs(&key, kind, None, 2).await.unwrap().items;
        assert_eq!((ended[0].words.as_str(), ended[0].end, ended[0].done), ("done", Some(RunEnd::Done), 5));
        assert_eq!(ended[1].end, Some(RunEnd::CutOff));
        assert!(
            db.channel_runs(&key, ChannelKind::Orders, None, 2).await.unwrap().items.is_empty(),
            "of this channel only"
        );

        // Those of more than a week ago go.
        world
            .raw()
            .await
            .run("UPDATE channel_run SET started_at = started_at - 700000000 WHERE cause <> 'pace'")
            .await
            .unwrap();
        db.start_run(&key, kind).await.unwrap();
        assert_eq!(db.channel_runs(&key, kind, None, 10).await.unwrap().items.len(), 3);
    })
    .await;
}
