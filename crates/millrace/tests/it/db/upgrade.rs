//! A database that was filled by an earlier program is brought up to date.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use connect::EventId;
use millrace::db::{Database, DatabaseConfig};
use simulators::postgres::Postgres;
use sqlx::{Connection as _, migrate::Migrator};

use super::world::{Raw, server, unique};

/// The migrations up to this one, in a folder of their own.
pub fn earlier(kind: &str, last: u32, folder: &Path) -> PathBuf {
    let to = folder.join("earlier");
    fs::create_dir(&to).unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(kind);
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.split_once('_').unwrap().0.parse::<u32>().unwrap() <= last {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
    to
}

/// A database that was brought up to this step, filled, and opened by the program of today.
async fn on_sqlite(last: u32, filled: &str) -> (Raw, Database, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("millrace.db");
    let mut old = sqlx::SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.unwrap();
    let steps = Migrator::new(earlier("sqlite", last, folder.path())).await.unwrap();
    steps.run_direct(None, &mut old, false).await.unwrap();
    let mut raw = Raw::Sqlite(Box::new(old));
    raw.run(filled).await.unwrap();
    let db = Database::open(&DatabaseConfig::new(format!("sqlite:{}", file.display()))).await.unwrap();
    (raw, db, folder)
}

/// The same on PostgreSQL.
async fn on_postgres(last: u32, filled: &str) -> (Raw, Database, Arc<Postgres>) {
    let folder = tempfile::tempdir().unwrap();
    let server: Arc<Postgres> = server();
    let name = format!("upgrade_{}_{}", std::process::id(), unique());
    server.create_database(&name).unwrap();
    let url = server.url(&name);
    // As the program does it: by the owner of the tables, whom their policies hold off as well.
    let mut owner = sqlx::PgConnection::connect(&url).await.unwrap();
    let steps = Migrator::new(earlier("postgres", last, folder.path())).await.unwrap();
    steps.run_direct(None, &mut owner, false).await.unwrap();
    owner.close().await.unwrap();
    let administrator = sqlx::PgConnection::connect(&server.administrator_url(&name)).await.unwrap();
    let mut raw = Raw::Postgres(Box::new(administrator));
    raw.run(filled).await.unwrap();
    let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
    (raw, db, server)
}

/// Those of these tables on which row-level security is not forced again.
async fn unforced(raw: &mut Raw, tables: &str) -> Vec<String> {
    let without = "AND NOT (relrowsecurity AND relforcerowsecurity)";
    raw.texts(&format!("SELECT relname::text FROM pg_class WHERE relname IN ({tables}) {without}")).await
}

/// Two brands of two tenants, with an order each and a shipment that is theirs or nobody's.
const FILLED: &str = "
    INSERT INTO tenant (tenant, name, created_at) VALUES ('ten_1', 'North', 1), ('ten_2', 'South', 1);
    INSERT INTO merchant (tenant, merchant, name, created_at)
        VALUES ('ten_1', 'mer_1', 'Acme', 1), ('ten_2', 'mer_2', 'Best', 1);
    INSERT INTO store (tenant, merchant, id, name, platform, account, settings, created_at)
        VALUES ('ten_1', 'mer_1', 'sto_1', 'BP', 'brightpearl', 'acme', '{}', 1),
               ('ten_2', 'mer_2', 'sto_2', 'BP', 'brightpearl', 'best', '{}', 1);
    INSERT INTO warehouse (tenant, merchant, id, name, platform, settings, created_at)
        VALUES ('ten_1', 'mer_1', 'whs_1', 'WMS', 'dsfx', '{}', 1), ('ten_2', 'mer_2', 'whs_2', 'WMS', 'dsfx', '{}', 1);
    INSERT INTO connection (tenant, merchant, id, name, store, warehouse, enabled, revision, settings, created_at)
        VALUES ('ten_1', 'mer_1', 'con_1', 'C', 'sto_1', 'whs_1', 0, 1, '{}', 1),
               ('ten_2', 'mer_2', 'con_2', 'C', 'sto_2', 'whs_2', 0, 1, '{}', 1);
    INSERT INTO orders (tenant, merchant, id, connection, account, order_id, reference, ship_to, search, placed_at,
            imported_at, changed_at, seen, disposition, disposition_reason, document, archived, state, state_reason)
        VALUES ('ten_1', 'mer_1', 'ord_1', 'con_1', 'acme', 7, 'R-7', '{}', '7 r-7  ada lovelace, 12 mill lane ada', 1, 1, 1, '',
                'new', '', BYTES, 0, 'new', ''),
               ('ten_2', 'mer_2', 'ord_2', 'con_2', 'best', 8, 'R-8', '{}', 'zo\u{eb}', 1, 1, 1, '', 'new', '', BYTES, 0, 'new', ''),
               ('ten_2', 'mer_2', 'ord_3', 'con_2', 'best', 9, 'R-9', '{}', '', 1, 1, 1, '', 'new', '', BYTES, 0, 'new', '');
    INSERT INTO shipment (tenant, merchant, id, connection, order_ref, reference, key, content_sha256, document, tracking,
            search, shipped_at, created_at)
        VALUES ('ten_1', 'mer_1', 'shp_1', 'con_1', 'ord_1', 's1', 'k1', '', '{}', '', 's1 bpacme-o7-g12 1z999', 1, 1),
               ('ten_2', 'mer_2', 'shp_2', 'con_2', NULL, 's2', 'k2', '', '{}', '', 'nobodys', 1, 1);
";

/// Step 10 makes the words that orders are found by, from what is there, and step 30 those of shipments.
#[tokio::test(flavor = "multi_thread")]
async fn orders_and_shipments_that_were_there_are_found_by_their_words() {
    let words = [
        "ten_1 mer_1 ord_1 12 order",
        "ten_1 mer_1 ord_1 1z999 shipment",
        "ten_1 mer_1 ord_1 7 order",
        "ten_1 mer_1 ord_1 ada order",
        "ten_1 mer_1 ord_1 bpacme-o7-g12 shipment",
        "ten_1 mer_1 ord_1 lane order",
        "ten_1 mer_1 ord_1 lovelace order",
        "ten_1 mer_1 ord_1 mill order",
        "ten_1 mer_1 ord_1 r-7 order",
        "ten_1 mer_1 ord_1 s1 shipment",
        "ten_2 mer_2 ord_2 zo\u{eb} order",
    ];
    let all = "SELECT tenant || ' ' || merchant || ' ' || order_ref || ' ' || word || ' ' || origin FROM order_word";
    let of_shipments =
        ["shp_1 1z999", "shp_1 7", "shp_1 bpacme-o7-g12", "shp_1 g12", "shp_1 o7-g12", "shp_1 s1", "shp_2 nobodys"];
    let of_shipment = "SELECT shipment || ' ' || word FROM shipment_word";
    let found = async |raw: &mut Raw, all: &str| {
        let mut found = raw.texts(all).await;
        found.sort();
        found
    };

    let (mut raw, db, _folder) = on_sqlite(9, &FILLED.replace("BYTES", "x''")).await;
    assert_eq!(found(&mut raw, all).await, words, "on SQLite");
    assert_eq!(found(&mut raw, of_shipment).await, of_shipments, "on SQLite");
    db.close().await;

    let (mut raw, db, _server) = on_postgres(9, &FILLED.replace("BYTES", "''::bytea")).await;
    assert_eq!(found(&mut raw, all).await, words, "on PostgreSQL");
    assert_eq!(found(&mut raw, of_shipment).await, of_shipments, "on PostgreSQL");
    assert!(unforced(&mut raw, "'orders', 'shipment', 'order_word', 'shipment_word'").await.is_empty());
    db.close().await;
}

/// Events of two tenants and of the installation, and what a webhook was told of them.
const TOLD: &str = r#"
    INSERT INTO tenant (tenant, name, created_at) VALUES ('ten_1', 'North', 1), ('ten_2', 'South', 1);
    INSERT INTO merchant (tenant, merchant, name, created_at) VALUES ('ten_1', 'mer_1', 'Acme', 1);
    INSERT INTO event (tenant, number, merchant, at, what, subject, change)
        VALUES ('ten_1', 1, 'mer_1', 1764400000000, 'order', 'ord_1', 'new'),
               ('ten_2', 2, '', 1764400000000, 'order', 'ord_2', 'new'),
               ('installation', 3, '', 1764400000001, 'safety', 'installation', 'frozen'),
               ('ten_1', 4, '', 1764400000002, 'merchant', 'mer_1', 'changed');
    INSERT INTO outlet (tenant, merchant, id, kind, name, address, events, enabled, cursor, created_at)
        VALUES ('ten_1', '', 'whk_1', 'webhook', 'erp', 'https://erp.example.com', '["order","safety"]', 1, 4, 1);
    INSERT INTO delivery (tenant, merchant, id, outlet, event, kind, body, state, tries, next_at, created_at)
        VALUES ('ten_1', '', 'dlv_1', 'whk_1', 1, 'order', '{"data":{"change":"new","number":1,"subject":"ord_1"}}', 'waiting', 0, 1, 1),
               ('ten_1', '', 'dlv_2', 'whk_1', 3, 'safety', '{"data":{"number":3,"what":"safety"}}', 'failed', 9, 1, 1),
               ('ten_1', '', 'dlv_3', 'whk_1', NULL, 'test', '{"data":{"subject":"a test"}}', 'waiting', 0, 1, 1);
"#;

/// Step 31 gives every event an id of its own that begins with its time, and what tells of it says that id.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_there_have_ids() {
    let look = async |raw: &mut Raw| {
        let ids = raw.texts("SELECT id FROM event ORDER BY number").await;
        let parsed: Vec<EventId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let other: BTreeSet<&EventId> = parsed.iter().collect();
        assert_eq!(other.len(), 4, "each its own: {ids:?}");
        // As `connect::ulid` writes these times.
        let times: Vec<&str> = ids.iter().filter_map(|id| id.get(4..14)).collect();
        assert_eq!(times, ["01KB76YV00", "01KB76YV00", "01KB76YV01", "01KB76YV02"]);
        let whose = raw.texts("SELECT merchant FROM event ORDER BY number").await;
        assert_eq!(whose, ["mer_1", "", "", "mer_1"], "what was done to a brand is told of that one");
        let told =
            raw.texts("SELECT id || ' ' || coalesce(event_id, '-') || ' ' || body FROM delivery ORDER BY id").await;
        let (first, third) = (&ids[0], &ids[2]);
        let expected = [
            format!(r#"dlv_1 {first} {{"data":{{"change":"new","id":"{first}","subject":"ord_1"}}}}"#),
            format!(r#"dlv_2 {third} {{"data":{{"id":"{third}","what":"safety"}}}}"#),
            r#"dlv_3 - {"data":{"subject":"a test"}}"#.to_owned(),
        ];
        assert_eq!(told, expected);
    };
    let (mut raw, db, _folder) = on_sqlite(30, TOLD).await;
    look(&mut raw).await;
    db.close().await;
    let (mut raw, db, _server) = on_postgres(30, TOLD).await;
    look(&mut raw).await;
    assert!(unforced(&mut raw, "'event', 'delivery'").await.is_empty());
    db.close().await;
}
