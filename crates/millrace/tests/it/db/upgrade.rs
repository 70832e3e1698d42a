//! A database that was filled by an earlier program is brought up to date.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("millrace.db");
    let mut old = sqlx::SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", file.display())).await.unwrap();
    let steps = Migrator::new(earlier("sqlite", 9, folder.path())).await.unwrap();
    steps.run_direct(None, &mut old, false).await.unwrap();
    let mut raw = Raw::Sqlite(Box::new(old));
    raw.run(&FILLED.replace("BYTES", "x''")).await.unwrap();
    let db = Database::open(&DatabaseConfig::new(format!("sqlite:{}", file.display()))).await.unwrap();
    assert_eq!(found(&mut raw, all).await, words, "on SQLite");
    assert_eq!(found(&mut raw, of_shipment).await, of_shipments, "on SQLite");
    db.close().await;

    let folder = tempfile::tempdir().unwrap();
    let server: std::sync::Arc<Postgres> = server();
    let name = format!("upgrade_{}_{}", std::process::id(), unique());
    server.create_database(&name).unwrap();
    let url = server.url(&name);
    // As the program does it: by the owner of the tables, whom their policies hold off as well.
    let mut owner = sqlx::PgConnection::connect(&url).await.unwrap();
    let steps = Migrator::new(earlier("postgres", 9, folder.path())).await.unwrap();
    steps.run_direct(None, &mut owner, false).await.unwrap();
    owner.close().await.unwrap();
    let administrator = sqlx::PgConnection::connect(&server.administrator_url(&name)).await.unwrap();
    let mut raw = Raw::Postgres(Box::new(administrator));
    raw.run(&FILLED.replace("BYTES", "''::bytea")).await.unwrap();
    let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
    assert_eq!(found(&mut raw, all).await, words, "on PostgreSQL");
    assert_eq!(found(&mut raw, of_shipment).await, of_shipments, "on PostgreSQL");
    let unforced =
        "SELECT relname::text FROM pg_class WHERE relname IN ('orders', 'shipment', 'order_word', 'shipment_word')
        AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert!(raw.texts(unforced).await.is_empty(), "row-level security is forced again");
    db.close().await;
}
