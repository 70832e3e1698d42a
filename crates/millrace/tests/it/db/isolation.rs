//! One merchant's rows are out of another's reach: by scope on both databases, by row-level security on PostgreSQL, and by
//! keys that hold tenant and merchant.

use std::time::{Duration, Instant};

use connect::{EffectKind, Side};
use millrace::db::{
    Access, ConnectionKey, Database, DatabaseConfig, DbError, EffectQuery, OrderQuery, Scope, ShipmentQuery,
};
use sqlx::Connection as _;

use super::world::{LEASE, World, effect, on_both, requested, unique};

/// Tables that belong to no tenant: the installation's own row, nodes' leases, and constants.
const OF_NOBODY: [&str; 6] =
    ["installation", "journal_clock", "safety", "account_lease", "effect_edge", "_sqlx_migrations"];

/// A connection's id under somebody else's scope opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_scope_sees_nothing() {
    on_both(|world: World| async move {
        let db = world.db.clone();
        let (ours, theirs) = (world.connection("acme").await, world.connection("acme").await);
        db.record_orders(&ours, "acme", vec![requested(1)]).await.unwrap();
        db.plan_effects(&ours, vec![effect(EffectKind::CreateNote, "k", "lane")]).await.unwrap();
        let brand = db.create_merchant(&ours.scope.tenant, "Other brand").await.unwrap();
        let foreign = [
            theirs.scope.clone(),
            Scope { tenant: ours.scope.tenant.clone(), merchant: brand },
            Scope { tenant: theirs.scope.tenant.clone(), merchant: ours.scope.merchant.clone() },
        ];
        let order = db.known_orders(&ours, &[1]).await.unwrap()[&1].id.clone();
        for scope in foreign {
            let key = ConnectionKey { scope: scope.clone(), connection: ours.connection.clone() };
            let access = (&scope).into();
            assert!(db.known_orders(&key, &[1]).await.unwrap().is_empty());
            assert!(db.unsent_orders(&key).await.unwrap().is_empty());
            assert!(db.claim_effects(&key, Side::Source, "t", LEASE, 10).await.unwrap().rows.is_empty());
            assert!(db.channels(&key).await.unwrap().is_empty());
            let orders = OrderQuery { limit: 10, ..OrderQuery::default() };
            assert!(db.list_orders(&access, orders).await.unwrap().items.is_empty());
            let effects = EffectQuery { limit: 10, ..EffectQuery::default() };
            assert!(db.list_effects(&access, effects).await.unwrap().items.is_empty());
            let shipments = ShipmentQuery { limit: 10, ..ShipmentQuery::default() };
            assert!(db.list_shipments(&access, shipments).await.unwrap().items.is_empty());
            assert!(matches!(db.order(&scope, &order).await, Err(DbError::NotFound(_))));
            assert!(matches!(db.archive_order(&key, &order, true, "eve").await, Err(DbError::NotFound(_))));
            assert!(db.record_orders(&key, "acme", vec![requested(9)]).await.is_err(), "no such connection there");
            assert!(db.plan_effects(&key, vec![effect(EffectKind::CreateNote, "x", "lane")]).await.is_err());
        }
        let tenant = (&ours.scope.tenant).into();
        let orders = OrderQuery { limit: 10, ..OrderQuery::default() };
        assert_eq!(db.list_orders(&tenant, orders).await.unwrap().items.len(), 1, "the tenant sees all its brands");
    })
    .await;
}

/// Every table that belongs to a tenant says so in its primary key, and its foreign keys stay inside the tenant.
#[tokio::test(flavor = "multi_thread")]
async fn keys_hold_the_tenant() {
    let world = World::sqlite().await;
    let mut raw = world.raw().await;
    let tables = raw.texts("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").await;
    assert!(tables.len() > 30, "{tables:?}");
    for table in tables.iter().filter(|table| !OF_NOBODY.contains(&table.as_str())) {
        let primary = raw.texts(&format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0")).await;
        let columns = raw.texts(&format!("SELECT name FROM pragma_table_info('{table}')")).await;
        if table == "stock_owner" {
            // One writer across all tenants: that is what its key says.
            assert_eq!(primary, ["account", "warehouse_id"]);
        } else {
            assert!(primary.contains(&"tenant".to_owned()), "{table}: {primary:?}");
        }
        assert!(columns.contains(&"tenant".to_owned()), "{table}");
        let references = format!("SELECT \"to\" || ' of ' || \"table\" FROM pragma_foreign_key_list('{table}')");
        let foreign = raw.texts(&references).await;
        for target in foreign.iter().filter_map(|target| target.split_once(" of ").map(|(_, target)| target)) {
            assert!(foreign.contains(&format!("tenant of {target}")), "{table} refers to {target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_do_not_cross_tenants() {
    on_both(|world: World| async move {
        let (ours, theirs) = (world.connection("acme").await, world.connection("acme").await);
        world.db.record_orders(&ours, "acme", vec![requested(1)]).await.unwrap();
        let order = world.db.known_orders(&ours, &[1]).await.unwrap()[&1].id.clone();
        let mut raw = world.raw().await;
        if !world.db.is_postgres() {
            raw.run("PRAGMA foreign_keys = ON").await.unwrap();
        }
        let request = |key: &ConnectionKey, name: &str| {
            let ConnectionKey { scope: Scope { tenant, merchant }, connection } = key;
            format!(
                "INSERT INTO request (tenant, merchant, id, connection, account, order_ref, order_id, key, lines, live, finished,
                     cancelled_by_warehouse, done, flagged, flagged_at, version, created_at)
                 VALUES ('{tenant}', '{merchant}', '{name}', '{connection}', 'acme', '{order}', 1, '{name}', '[]', 1, 0, 0, 0,
                     0, 0, 1, 0)"
            )
        };
        assert!(raw.run(&request(&theirs, "shr_theirs")).await.is_err(), "an order of another tenant");
        let mixed = ConnectionKey { scope: ours.scope.clone(), connection: theirs.connection.clone() };
        assert!(raw.run(&request(&mixed, "shr_mixed")).await.is_err(), "a connection of another tenant");
        raw.run(&request(&ours, "shr_ours")).await.unwrap();
    })
    .await;
}

/// The login that works with the tables is not their owner's, where the owner has an address of his own (controls 7 and 26).
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_and_whoever_works_with_the_tables_are_apart() {
    let world = World::postgres().await;
    let key = world.connection("acme").await;
    let login = format!("login_{}_{}", std::process::id(), unique());
    world.raw().await.run(&format!("CREATE ROLE {login} LOGIN PASSWORD 'apart'")).await.unwrap();
    let (_, place) = world.url.split_once('@').unwrap();
    let url = format!("postgres://{login}:apart@{place}");
    let apart = DatabaseConfig { owner: Some(world.url.clone()), ..DatabaseConfig::new(&url) };
    let db = Database::open(&apart).await.unwrap();
    db.record_orders(&key, "acme", vec![requested(1)]).await.unwrap();
    let query = OrderQuery { limit: 10, ..OrderQuery::default() };
    assert_eq!(db.list_orders(&(&key).into(), query).await.unwrap().items.len(), 1);
    // Whatever gets out of the role it takes finds nothing more there.
    let mut works = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("SET ROLE millrace_app; RESET ROLE").execute(&mut works).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut works).await.unwrap();
    assert_eq!(rows, 0, "without a tenant");
    for statement in [
        "ALTER TABLE orders ADD COLUMN mine TEXT",
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine (one TEXT)",
        "DROP TABLE audit",
        "SET ROLE millrace_system",
        "SELECT * FROM _sqlx_migrations",
    ] {
        assert!(sqlx::raw_sql(statement).execute(&mut works).await.is_err(), "{statement}");
    }
    // The owner is no such login, under whichever address; and nobody else brings the tables up to date.
    let same = DatabaseConfig { owner: Some(world.url.clone()), ..DatabaseConfig::new(&world.url) };
    assert!(
        matches!(Database::open(&same).await, Err(DbError::Refused(why)) if why.contains("MILLRACE_DATABASE_OWNER"))
    );
    assert!(Database::open(&DatabaseConfig::new(&url)).await.is_err());
    db.close().await;
    world.raw().await.run(&format!("REVOKE millrace_app FROM {login}; DROP ROLE {login}")).await.unwrap();
}

/// T4 and the catalogue: row-level security is on and forced everywhere, and without a tenant nothing is seen.
#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_holds() {
    let world = World::postgres().await;
    let (ours, theirs) = (world.connection("acme").await, world.connection("acme").await);
    for key in [&ours, &theirs] {
        world.db.record_orders(key, "acme", vec![requested(if key == &ours { 1 } else { 2 })]).await.unwrap();
    }
    // Another brand of our tenant: as far away as another tenant.
    let brand = world.db.create_merchant(&ours.scope.tenant, "Other brand").await.unwrap();
    let brand = world.further_connection(&ours.scope.tenant, &brand, "acme").await;
    world.db.record_orders(&brand, "acme", vec![requested(3), requested(4)]).await.unwrap();
    let mut raw = world.raw().await;
    let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let unforced = raw.texts(&format!("{tables} AND NOT (relrowsecurity AND relforcerowsecurity)")).await;
    assert_eq!(unforced, ["_sqlx_migrations"]);
    let bare = raw.texts(&format!("{tables} AND relname NOT IN (SELECT tablename FROM pg_policies)")).await;
    assert_eq!(bare, ["_sqlx_migrations"]);
    // Whose table has a tenant, its policy asks for the tenant; and a table without would be seen here.
    let unasked = "SELECT DISTINCT tablename::text FROM pg_policies AS p WHERE 'millrace_app' = ANY (roles)
        AND EXISTS (SELECT 1 FROM information_schema.columns AS c WHERE c.table_schema = 'public'
            AND c.table_name = p.tablename AND c.column_name = 'tenant')
        AND COALESCE(qual, '') || COALESCE(with_check, '') NOT LIKE '%millrace.tenant%'";
    let before = raw.texts(unasked).await;
    raw.run(
        "CREATE TABLE planted (tenant TEXT NOT NULL); ALTER TABLE planted ENABLE ROW LEVEL SECURITY;
         ALTER TABLE planted FORCE ROW LEVEL SECURITY; CREATE POLICY own ON planted TO millrace_app USING (true)",
    )
    .await
    .unwrap();
    let planted = raw.texts(unasked).await;
    assert_eq!((before, planted), (Vec::<String>::new(), vec!["planted".to_owned()]));
    raw.run("DROP TABLE planted").await.unwrap();
    let owned = raw.texts("SELECT tablename::text FROM pg_tables WHERE tableowner = 'millrace_app'").await;
    assert!(owned.is_empty(), "the program's role owns nothing");
    let rights = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'millrace%' AND (rolsuper OR rolbypassrls)";
    assert!(raw.texts(rights).await.is_empty());
    let open = "SELECT proname::text FROM pg_proc
        WHERE prosecdef AND (proacl IS NULL OR has_function_privilege('public', oid, 'EXECUTE'))";
    assert!(raw.texts(open).await.is_empty(), "no function with the rights of its owner is open to everybody");

    // As the program's role, reached by the owner of the database.
    let names = raw.texts(tables).await;
    let mut app = sqlx::PgConnection::connect(&world.url).await.unwrap();
    sqlx::raw_sql("SET ROLE millrace_app").execute(&mut app).await.unwrap();
    let count = async |app: &mut sqlx::PgConnection, table: &str| -> i64 {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(app).await.unwrap_or(0)
    };
    for table in &names {
        assert_eq!(count(&mut app, table).await, 0, "{table} without a tenant");
    }
    let set = |scope: &Scope| {
        let sql = format!(
            "BEGIN; SELECT set_config('millrace.tenant', '{}', true); SELECT set_config('millrace.merchant', '{}', true)",
            scope.tenant, scope.merchant
        );
        sqlx::AssertSqlSafe(sql)
    };
    sqlx::raw_sql(set(&ours.scope)).execute(&mut app).await.unwrap();
    assert_eq!(count(&mut app, "orders").await, 1);
    let foreign = format!("UPDATE orders SET reference = 'x' WHERE tenant = '{}'", theirs.scope.tenant);
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(foreign)).execute(&mut app).await.unwrap();
    assert_eq!(done.rows_affected(), 0);
    let smuggled = format!("UPDATE orders SET tenant = '{}'", theirs.scope.tenant);
    assert!(sqlx::raw_sql(sqlx::AssertSqlSafe(smuggled)).execute(&mut app).await.is_err());
    let other_brand = format!("UPDATE orders SET merchant = '{}'", brand.scope.merchant);
    sqlx::raw_sql("ROLLBACK").execute(&mut app).await.unwrap();
    // Tenant and merchant both decide, on every table of merchants' data.
    let mixed = Scope { tenant: theirs.scope.tenant.clone(), merchant: ours.scope.merchant.clone() };
    let all = Access::from(&ours.scope.tenant);
    for (scope, expected) in [(&ours.scope, 1), (&brand.scope, 2), (&theirs.scope, 1), (&mixed, 0)] {
        sqlx::raw_sql(set(scope)).execute(&mut app).await.unwrap();
        for table in ["orders", "request", "effect"] {
            assert_eq!(count(&mut app, table).await, expected, "{table} of {scope:?}");
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut app).await.unwrap();
    }
    let query = OrderQuery { limit: 10, ..OrderQuery::default() };
    assert_eq!(world.db.list_orders(&all, query).await.unwrap().items.len(), 3, "the tenant sees all its brands");
    sqlx::raw_sql(set(&ours.scope)).execute(&mut app).await.unwrap();
    assert!(
        sqlx::raw_sql(sqlx::AssertSqlSafe(other_brand)).execute(&mut app).await.is_err(),
        "pushed to another brand"
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut app).await.unwrap();
    let whole = "SELECT tablename::text FROM pg_policies WHERE policyname = 'own' AND qual LIKE '%millrace.merchant%'
        AND tablename NOT IN (SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE a.attname = 'merchant')";
    assert!(raw.texts(whole).await.is_empty());
    let unguarded = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'merchant' AND NOT EXISTS (
            SELECT 1 FROM pg_policies p WHERE p.tablename = c.relname AND p.policyname = 'own'
                AND p.qual LIKE '%millrace.tenant%' AND p.qual LIKE '%millrace.merchant%')";
    // A key of the tenant may be limited to a brand, and is no brand's data.
    assert_eq!(raw.texts(unguarded).await, ["api_key"]);
    // A transaction's setting ends with it.
    for table in &names {
        assert_eq!(count(&mut app, table).await, 0, "{table} after a transaction with a tenant");
    }
    for change in ["ALTER TABLE orders DISABLE ROW LEVEL SECURITY", "DROP TABLE claim", "CREATE TABLE own (a text)"] {
        assert!(sqlx::raw_sql(change).execute(&mut app).await.is_err(), "{change}");
    }
}

/// Connections that the program itself uses are as blind once they are given back: whoever gets one next, without a transaction of
/// his own, is nobody there and sees nothing. The program looks at its tables that way every so many writes, to learn how they are
/// filled, and what it calls for that tells here what it saw.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_given_back_knows_nobody() {
    let world = World::postgres().await;
    let (ours, theirs) = (world.connection("acme").await, world.connection("acme").await);
    let mut raw = world.raw().await;
    raw.run(
        "CREATE TABLE planted_use (pid BIGINT, tenant TEXT);
         CREATE TABLE planted_look (pid BIGINT, tenant TEXT, merchant TEXT, seen BIGINT);
         GRANT SELECT, INSERT ON planted_use, planted_look TO millrace_app;
         CREATE FUNCTION planted_use() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO planted_use VALUES (pg_backend_pid(), current_setting('millrace.tenant', true));
             RETURN NULL;
         END $$;
         CREATE TRIGGER planted_use AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION planted_use();
         DROP FUNCTION learn_statistics();
         CREATE FUNCTION learn_statistics() RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO planted_look SELECT pg_backend_pid(), coalesce(current_setting('millrace.tenant', true), ''),
                 coalesce(current_setting('millrace.merchant', true), ''), (SELECT count(*) FROM orders);
         END $$",
    )
    .await
    .unwrap();
    let few = DatabaseConfig { connections: 2, ..DatabaseConfig::new(&world.url) };
    let db = Database::open(&few).await.unwrap();
    // Also after what failed, and after whoever asked has gone away.
    let mixed = ConnectionKey { scope: ours.scope.clone(), connection: theirs.connection.clone() };
    for number in 1..=70 {
        let key = if number % 2 == 0 { &ours } else { &theirs };
        db.record_orders(key, "acme", vec![requested(number)]).await.unwrap();
        if number % 5 == 0 {
            db.record_orders(&mixed, "acme", vec![requested(number)]).await.unwrap_err();
            let hasty = db.record_orders(key, "acme", vec![requested(1_000 + number)]);
            let _ = tokio::time::timeout(Duration::from_millis(1), hasty).await;
        }
    }
    let looks =
        "SELECT tenant || '/' || merchant || '/' || seen FROM planted_look WHERE pid IN (SELECT pid FROM planted_use)";
    let start = Instant::now();
    let seen = loop {
        let seen = raw.texts(looks).await;
        if !seen.is_empty() {
            break seen;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "no connection was looked at that a tenant had used");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(seen.iter().all(|seen| seen == "//0"), "{seen:?}");
    let anybody = raw.texts("SELECT tenant || '/' || merchant || '/' || seen FROM planted_look").await;
    assert!(anybody.iter().all(|seen| seen == "//0"), "{anybody:?}");
    let used = raw.texts("SELECT DISTINCT tenant FROM planted_use ORDER BY 1").await;
    let mut tenants = [ours.scope.tenant.to_string(), theirs.scope.tenant.to_string()];
    tenants.sort();
    assert_eq!(used, tenants, "each was known while its transaction ran");
    db.close().await;
}
