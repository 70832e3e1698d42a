//! A database as every earlier program left it is brought up to date, and what it held is read by today's functions.
//!
//! It is filled by today's program first. What a step's tables can hold of that is then put into tables that were only brought to that
//! step, and today's program opens them: whatever could be kept at that step is told as before.

use std::{fmt::Debug, sync::Arc};

use connect::{EffectKind, FeedCursor, Inbound, OrderId, RejectedInput, Secret, ShipMethod, Side, StockAdjustment};
use engine::{
    effect::EffectState::{Applied, Refused},
    finding::{Finding, FindingKind, Subject},
    order::Disposition,
    schedule::Rule,
};
use millrace::{
    db::{
        Access, CensusOutcome, ChannelKind, ConnectionKey, Database, DatabaseConfig, EffectQuery, Extent, FindingQuery,
        FrozenKind, InboxCall, Mappings, NewApiKey, NewPreflight, OrderQuery, OutletKind, OutletSettings, Ran,
        RunState, ShipmentQuery, WishOrigin,
    },
    seal::Keyring,
};
use simulators::postgres::Postgres;
use sqlx::{Connection as _, migrate::Migrator};

use super::{
    people::{come, rights, session},
    stock::{corrections, feed, run},
    upgrade::earlier,
    world::{
        Raw, World, carry_out, decimal, effect, imported, order, patience, request_key, requested, server, shipment,
        unique,
    },
};

/// The first step at which something could be kept whole, what it is, and what today's functions say of it.
type Told = Vec<(u32, &'static str, String)>;

/// What was put into it, by what it is asked for.
struct Filled {
    key: ConnectionKey,
    keyring: Keyring,
    orders: Vec<OrderId>,
    run: String,
}

fn last_step() -> u32 {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    u32::try_from(std::fs::read_dir(folder).unwrap().count()).unwrap()
}

async fn fill(world: &World) -> Filled {
    let (db, key) = (&world.db, world.connection("acme").await);
    let (scope, access) = (key.scope.clone(), Access::from(&key.scope.tenant));
    let keyring = Keyring::parse("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff").unwrap();
    let store = db.connection(&key, &keyring).await.unwrap().store.id;
    db.put_secret(&scope, store.as_str(), "password", &Secret::new("example-password"), &keyring).await.unwrap();
    let express = ShipMethod { carrier: "UPS".to_owned(), service: "Express".to_owned() };
    let mappings = Mappings {
        listings: [("A".to_owned(), "W-A".to_owned())].into(),
        kits: [("SET".to_owned(), vec![("W-B".to_owned(), decimal("2"))])].into(),
        ship_methods: [(7, express.clone())].into(),
        source_methods: [(express, 7)].into(),
        locations: [("1".to_owned(), 2)].into(),
    };
    db.put_mappings(&key, &mappings).await.unwrap();
    db.enable_connection(&key, true).await.unwrap();
    for kind in ChannelKind::ALL {
        db.set_channel(&key, kind, true, 90).await.unwrap();
    }
    let well = db.start_run(&key, ChannelKind::Orders).await.unwrap();
    db.finish_run(&key, ChannelKind::Orders, &well, Ok(Ran { words: "3 orders".to_owned(), ..Ran::default() }))
        .await
        .unwrap();
    let failed = db.start_run(&key, ChannelKind::Stock).await.unwrap();
    db.finish_run(&key, ChannelKind::Stock, &failed, Err("no answer".to_owned())).await.unwrap();
    let hourly = vec![Rule::Hourly { hours: 2, minute: 15 }];
    db.set_schedule(&key, ChannelKind::Shipments, "Europe/London", hourly).await.unwrap();

    // One order that has left, one that is held, one that waits, and one that was stopped after it was sent.
    let held = imported(order(2), Disposition::Held("there is no listing".to_owned()), Vec::new());
    db.record_orders(&key, "acme", vec![requested(1), held, requested(4)]).await.unwrap();
    carry_out(db, &key, Side::Warehouse, &[Applied]).await;
    let left = shipment(&order(1), "S1", &request_key(1), &[2, 1]);
    db.record_shipments(&key, vec![left], Vec::new(), &[], &[], &FeedCursor(Some("7".to_owned()))).await.unwrap();
    db.want_cancel(&key, 4, "cancelled in Brightpearl", WishOrigin::Status, "", &patience()).await.unwrap();
    db.record_orders(&key, "acme", vec![requested(3)]).await.unwrap();
    let known = db.known_orders(&key, &[1, 2, 3, 4]).await.unwrap();
    db.plan_effects(&key, vec![effect(EffectKind::SetStatus, "status", "order:acme:1")]).await.unwrap();
    carry_out(db, &key, Side::Source, &[Refused]).await;

    let input = |name: &str| Inbound {
        name: name.to_owned(),
        content_hash: format!("hash of {name}"),
        content: b"order,quantity".to_vec(),
    };
    let rejected =
        RejectedInput { input: input("shp_2.csv"), reason: "a column is missing".to_owned(), beside: false, key: None };
    db.record_inputs(&key, &[input("shp_1.csv")], &[rejected]).await.unwrap();
    let call = InboxCall {
        resource: "order".to_owned(),
        resource_id: "1".to_owned(),
        event: "modified".to_owned(),
        raised_on: "2026-05-01".to_owned(),
    };
    db.insert_calls(&scope, "acme", vec![call]).await.unwrap();
    db.own_stock(&key, "acme", &[2]).await.unwrap().unwrap();
    let planned = run("inv_1", db.now().await.unwrap(), RunState::Planned);
    let wanted = corrections(db, &key, "batch", &[(1001, "2")]).await;
    let counted = feed("inv_1", planned.cut_off, &[("W-SKU-1001", "5")], false);
    db.record_run(&key, planned.clone(), wanted, &counted).await.unwrap();
    let adjustment = StockAdjustment {
        reference: "ADJ-1".to_owned(),
        line: 1,
        sku: "W-SKU-1001".to_owned(),
        change: decimal("-2"),
        reason: "damaged".to_owned(),
        made_on: db.now().await.unwrap(),
    };
    db.keep_adjustments(&key, vec![adjustment]).await.unwrap();

    let limited = [scope.merchant.clone()].into();
    let ada = come(db, &scope, "ada@example.com", rights("administrator", None)).await;
    come(db, &scope, "joe@example.com", rights("staff", Some(limited))).await;
    db.begin_session(&ada, &Secret::new("password 1"), session("hash of a session"), "ada").await.unwrap().unwrap();
    let shop = NewApiKey {
        tenant: Some(scope.tenant.clone()),
        name: "shop".to_owned(),
        hash: "hash of a key".to_owned(),
        role: "staff".to_owned(),
        scopes: "orders:read".to_owned(),
        merchant: Some(scope.merchant.clone()),
        warehouse: None,
        expires_at: None,
    };
    db.create_api_key(shop, "ada").await.unwrap();
    db.ensure_hook(&scope, store.as_str(), "drawn-once").await.unwrap();
    db.begin_census(&key).await.unwrap();
    let finding = Finding {
        kind: FindingKind::OrphanNote,
        subject: Subject::Note(7),
        order_id: Some(1),
        what: "note 7".to_owned(),
    };
    let report = CensusOutcome {
        unaccounted: 1,
        report: b"{}".to_vec(),
        findings: vec![finding],
        checked: FindingKind::ALL.into(),
    };
    db.finish_census(&key, Extent::Recent, report).await.unwrap();
    let settings = OutletSettings {
        name: "receiver".to_owned(),
        address: "https://receiver.example.test".to_owned(),
        events: vec!["order".to_owned()],
        enabled: true,
    };
    let signing = Some((millrace::db::field::SIGNING, Secret::new("signed with this")));
    let outlet =
        db.create_outlet(&access, None, OutletKind::Webhook, settings, signing, &keyring, "ada").await.unwrap();
    db.add_delivery(&access, &outlet.id, "test", "{}".to_owned()).await.unwrap();
    let NewPreflight::Made(look) = db.new_preflight(&key, 30, "ada").await.unwrap() else { panic!("one runs") };
    db.cancel_preflight(&key, &look, "ada").await.unwrap();
    let closed = db.create_tenant("Closed").await.unwrap();
    db.set_tenant_disabled(&closed, true, "ada").await.unwrap();
    db.backed_up("ada", serde_json::json!({})).await.unwrap();
    db.freeze(FrozenKind::Person, "moving house", "ada").await.unwrap();
    db.pause(&key, Side::Source, Some("wrong password")).await.unwrap();
    Filled { key, keyring, orders: known.into_values().map(|known| known.id).collect(), run: planned.id }
}

fn words(of: impl Debug) -> String {
    format!("{of:?}")
}

/// What today's functions say of what was put into it.
async fn told(db: &Database, filled: &Filled) -> Told {
    let Filled { key, keyring, orders, run } = filled;
    let (scope, tenant) = (&key.scope, &key.scope.tenant);
    let access = Access::from(tenant);
    let mut told: Told = Vec::new();
    let tenants = db.tenants().await.unwrap();
    told.push((1, "tenants", words(tenants.iter().map(|one| (&one.id, &one.name)).collect::<Vec<_>>())));
    told.push((14, "disabled tenants", words(&tenants)));
    told.push((1, "merchants", words(db.merchants(tenant).await.unwrap())));
    told.push((1, "connections", words(db.connections(&access).await.unwrap())));
    let record = db.connection(key, keyring).await.unwrap();
    let open: Vec<(&String, &str)> = record.store_secrets.iter().map(|(name, it)| (name, it.expose())).collect();
    let own = (&record.name, record.enabled, record.revision, &record.store, &record.account, &record.warehouse);
    told.push((1, "connection", words((own, open, &record.settings, &record.paused))));
    told.push((1, "mappings", words(db.mappings(key).await.unwrap())));
    let channels = &record.channels;
    let runs = |channel: &millrace::db::Channel| {
        let times = (channel.wanted_at, channel.started_at, channel.succeeded_at);
        let said = (channel.problem.clone(), channel.summary.clone(), channel.cursor.clone());
        (channel.kind, channel.enabled, channel.every_seconds, times, said)
    };
    told.push((1, "channels", words(channels.iter().map(runs).collect::<Vec<_>>())));
    told.push((12, "schedules", words(channels)));
    let listed = OrderQuery { limit: 100, ..OrderQuery::default() };
    told.push((1, "orders", words(db.list_orders(&access, listed.clone()).await.unwrap())));
    let found = db.list_orders(&access, OrderQuery { text: "lovelace".to_owned(), ..listed.clone() }).await.unwrap();
    told.push((1, "orders by a word", words(found.items.iter().map(|one| one.order_id).collect::<Vec<_>>())));
    let found = db.list_orders(&access, OrderQuery { text: "1zs1".to_owned(), ..listed }).await.unwrap();
    told.push((1, "orders by tracking", words(found.items.iter().map(|one| one.order_id).collect::<Vec<_>>())));
    for (place, id) in orders.iter().enumerate() {
        // The last one was stopped after it was sent.
        let since = if place == 3 { 6 } else { 1 };
        let order = db.order(scope, id).await.unwrap();
        told.push((since, "an order", words(order)));
    }
    let shipments = ShipmentQuery { limit: 100, ..ShipmentQuery::default() };
    told.push((1, "shipments", words(db.list_shipments(&access, shipments).await.unwrap())));
    let effects = db.list_effects(&access, EffectQuery { limit: 100, ..EffectQuery::default() }).await.unwrap();
    told.push((1, "effects", words(&effects)));
    let refused = effects.items.iter().find(|effect| effect.state == "refused").expect("one was refused");
    told.push((1, "attempts", words(db.attempts(scope, &refused.id).await.unwrap())));
    told.push((1, "exceptions", words(db.exceptions(key, false, 10).await.unwrap())));
    told.push((1, "input", words(db.input(key, "shp_1.csv").await.unwrap())));
    told.push((1, "stock runs", words(db.runs(key, None, 10).await.unwrap())));
    told.push((1, "levels", words(db.levels(key, "", None, 10).await.unwrap())));
    // Their ids are of step 31, which makes them.
    let events = db.events_after(&access, 0, 500).await.unwrap();
    let events: Vec<_> =
        events.into_iter().map(|one| (one.number, one.at, one.what, one.subject, one.change, one.merchant)).collect();
    told.push((1, "events", words(events)));
    told.push((1, "audit", words(db.audit_after(&access, 0, 500).await.unwrap())));
    assert_eq!(db.verify_audit(&access).await.unwrap(), None, "the chain of the trail holds");
    told.push((1, "people", words(db.people(tenant, "", 10).await.unwrap())));
    let known = db.find_api_key("hash of a key").await.unwrap().expect("the key is known");
    told.push((1, "key", words((&known.id, &known.name, &known.role, &known.merchant, known.created_at))));
    told.push((24, "parts of the API", words(&known)));
    told.push((2, "hook", words(db.hook_by_path("drawn-once").await.unwrap())));
    told.push((3, "census", words(db.census_runs(key).await.unwrap())));
    let findings = FindingQuery { limit: 10, ..FindingQuery::default() };
    told.push((3, "findings", words(db.list_findings(&access, findings).await.unwrap())));
    told.push((4, "corrections", words(db.corrections_of_run(key, run).await.unwrap())));
    let safety = db.safety().await.unwrap();
    told.push((5, "safety", words((&safety.frozen, safety.backed_up_at))));
    told.push((7, "session", words(db.find_session("hash of a session").await.unwrap())));
    let outlets = db.outlets(&access).await.unwrap();
    for outlet in &outlets {
        let secrets = db.outlet_secrets(&access, outlet, keyring).await.unwrap();
        let open: Vec<(&String, &str)> = secrets.iter().map(|(name, it)| (name, it.expose())).collect();
        told.push((8, "signing", words(open)));
        let deliveries = db.list_deliveries(&access, &outlet.id, None, None, 10).await.unwrap();
        told.push((8, "deliveries", words(deliveries)));
    }
    told.push((8, "outlets", words(&outlets)));
    told.push((11, "preflights", words(db.preflights(key, None, 10).await.unwrap())));
    told.push((12, "runs", words(db.channel_runs(key, ChannelKind::Stock, None, 10).await.unwrap())));
    told.push((20, "adjustments", words(db.adjustments(key).await.unwrap())));
    told
}

/// What was put into a database of this step is there, and it goes on from there.
async fn is_whole(db: &Database, filled: &Filled, today: &Told, step: u32, raw: &mut Raw, rows: &[(String, String)]) {
    assert_eq!(db.check().await.unwrap().migration, i64::from(last_step()));
    for (table, count) in rows.iter() {
        let now = raw.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}")).await;
        assert_eq!(now, [count.as_str()], "{table}, from step {step}");
    }
    let mut then = told(db, filled).await.into_iter().peekable();
    for (since, what, said) in today {
        // What there was no table for is not told of at all.
        let Some((_, _, now)) = then.next_if(|(_, name, _)| name == what) else {
            assert!(step < *since, "{what}, from step {step}");
            continue;
        };
        if step >= *since {
            assert_eq!(&now, said, "{what}, from step {step}");
        }
    }
    assert!(then.next().is_none());
    let events = db.last_event().await.unwrap();
    // Work goes on, through the guards of the journal too.
    db.release("ada", "the move is over").await.unwrap();
    db.record_orders(&filled.key, "acme", vec![requested(9)]).await.unwrap();
    carry_out(db, &filled.key, Side::Warehouse, &[Applied]).await;
    assert!(db.last_event().await.unwrap() > events, "numbers of events go on");
}

/// The tables that are copied: all but the migrations' own and what they fill for good.
const NOT_COPIED: &str = "'_sqlx_migrations', 'effect_edge'";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_every_step_is_brought_up_to_date() {
    let world = World::sqlite().await;
    let filled = fill(&world).await;
    let today = told(&world.db, &filled).await;
    world.db.close().await;
    for step in 1..=last_step() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("millrace.db").display());
        let mut old = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
        let steps = Migrator::new(earlier("sqlite", step, folder.path())).await.unwrap();
        steps.run_direct(None, &mut old, false).await.unwrap();
        let mut raw = Raw::Sqlite(Box::new(old));
        let file = world.folder.path().join("millrace.db");
        raw.run(&format!("PRAGMA foreign_keys = OFF; ATTACH DATABASE '{}' AS today", file.display())).await.unwrap();
        // It refuses what does not begin at its beginning; here everything is in its middle.
        let born = raw.texts("SELECT sql FROM main.sqlite_master WHERE name = 'effect_born'").await.remove(0);
        raw.run("DROP TRIGGER effect_born").await.unwrap();
        let tables = format!(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT IN ({NOT_COPIED})
                 AND name NOT LIKE 'sqlite%'"
        );
        let mut rows = Vec::new();
        for table in raw.texts(&tables).await {
            let common = format!(
                "SELECT group_concat(name) FROM pragma_table_info('{table}', 'main')
                 WHERE name IN (SELECT name FROM pragma_table_info('{table}', 'today'))"
            );
            let columns = raw.texts(&common).await.remove(0);
            let copy = format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}"
            );
            raw.run(&copy).await.unwrap_or_else(|error| panic!("{table}, at step {step}: {error}"));
            let count = raw.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM main.{table}")).await.remove(0);
            rows.push((table, count));
        }
        raw.run(&born).await.unwrap();
        let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
        let astray = raw.texts("SELECT \"table\" FROM pragma_foreign_key_check").await;
        assert!(astray.is_empty(), "at step {step}: {astray:?}");
        is_whole(&db, &filled, &today, step, &mut raw, &rows).await;
        db.close().await;
    }
}

/// Which tables have row-level security, and whether it holds for their owner too.
const WALLS: &str =
    "SELECT relname::text || ' ' || relrowsecurity::text::char || ' ' || relforcerowsecurity::text::char FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_s_tables_of_every_step_are_brought_up_to_date() {
    let world = World::postgres().await;
    let filled = fill(&world).await;
    let today = told(&world.db, &filled).await;
    world.db.close().await;
    let mut source = world.raw().await;
    let walls = source.texts(WALLS).await;
    assert!(walls.iter().any(|wall| wall == "orders t t"), "{walls:?}");
    let server: Arc<Postgres> = server();
    for step in 1..=last_step() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("step_{}_{}", std::process::id(), unique());
        server.create_database(&name).unwrap();
        let url = server.url(&name);
        // As the program does it: by the owner of the tables, whom their policies hold off as well.
        let mut owner = sqlx::PgConnection::connect(&url).await.unwrap();
        let steps = Migrator::new(earlier("postgres", step, folder.path())).await.unwrap();
        steps.run_direct(None, &mut owner, false).await.unwrap();
        owner.close().await.unwrap();
        let administrator = sqlx::PgConnection::connect(&server.administrator_url(&name)).await.unwrap();
        let mut raw = Raw::Postgres(Box::new(administrator));
        // Without guards and foreign keys: everything is in its middle, and comes in any order.
        raw.run("SET session_replication_role = replica").await.unwrap();
        let tables = format!(
            "SELECT tablename::text FROM pg_tables
             WHERE schemaname = current_schema() AND tablename NOT IN ({NOT_COPIED})"
        );
        let mut rows = Vec::new();
        for table in raw.texts(&tables).await {
            let all = format!("SELECT coalesce(json_agg(t), '[]')::text FROM {table} AS t");
            let content = source.texts(&all).await.remove(0);
            // What the database works out by itself is given by nobody.
            let given = format!(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name = '{table}' AND is_generated = 'NEVER'"
            );
            let columns = raw.texts(&given).await.remove(0);
            let copy = format!(
                "DELETE FROM {table};
                 INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, $rows${content}$rows$)"
            );
            raw.run(&copy).await.unwrap_or_else(|error| panic!("{table}, at step {step}: {error}"));
            let count = raw.texts(&format!("SELECT count(*)::text FROM {table}")).await.remove(0);
            rows.push((table, count));
        }
        let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
        is_whole(&db, &filled, &today, step, &mut raw, &rows).await;
        assert_eq!(raw.texts(WALLS).await, walls, "row-level security, from step {step}");
        db.close().await;
    }
}
