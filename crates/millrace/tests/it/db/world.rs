//! A database with what hangs on it, and builders for what goes into it.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use connect::{
    Address, Allocation, BundleRole, EffectDraft, EffectId, EffectKind, LineStock, MerchantId, Order, OrderId,
    OrderLine, OsRandom, Package, PackageLine, Progress, RequestId, RequestLine, ShipMethod, Shipment, ShipmentId,
    Side, TenantId,
};
use engine::{effect::EffectState, order::Disposition, settings::ConnectionSettings};
use jiff::Timestamp;
use millrace::db::{
    Arm, AttemptRow, ConnectionKey, Database, DatabaseConfig, EffectRow, ImportedOrder, NewEffect, NewEndpoint,
    NewRequest, NewShipment, Patience, Scope, Settlement, Subject,
};
use rust_decimal::Decimal;
use simulators::postgres::Postgres;
use sqlx::Connection as _;

/// One server for the tests of this process; each test gets a database of its own.
pub fn server() -> Arc<Postgres> {
    static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(Postgres::start().expect("a PostgreSQL server"));
    *shared = Arc::downgrade(&server);
    server
}

/// A number that no other test of this process gets.
pub fn unique() -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A fresh database.
pub struct World {
    pub db: Database,
    pub url: String,
    pub folder: tempfile::TempDir,
    /// The server and the name of the database in it.
    pub postgres: Option<(Arc<Postgres>, String)>,
}

impl World {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("millrace.db").display());
        let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
        Self { db, url, folder, postgres: None }
    }

    pub async fn postgres() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = server();
        let name = format!("test_{}_{}", std::process::id(), unique());
        server.create_database(&name).unwrap();
        let url = server.url(&name);
        let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
        Self { db, url, folder, postgres: Some((server, name)) }
    }

    /// Another node on the same database.
    pub async fn another_node(&self) -> Database {
        match &self.postgres {
            Some(_) => Database::open(&DatabaseConfig::new(&self.url)).await.unwrap(),
            None => self.db.clone(),
        }
    }

    /// Statements of the test's own, outside of the program, as whoever sees everything.
    pub async fn raw(&self) -> Raw {
        match &self.postgres {
            Some((server, name)) => {
                let url = server.administrator_url(name);
                Raw::Postgres(Box::new(sqlx::PgConnection::connect(&url).await.unwrap()))
            }
            None => Raw::Sqlite(Box::new(sqlx::SqliteConnection::connect(&self.url).await.unwrap())),
        }
    }

    /// A tenant with one merchant and one connection to `account`.
    pub async fn connection(&self, account: &str) -> ConnectionKey {
        let number = unique();
        let tenant = self.db.create_tenant(&format!("Tenant {number}")).await.unwrap();
        let merchant = self.db.create_merchant(&tenant, "Merchant").await.unwrap();
        self.further_connection(&tenant, &merchant, account).await
    }

    /// One more connection in a tenant.
    pub async fn further_connection(&self, tenant: &TenantId, merchant: &MerchantId, account: &str) -> ConnectionKey {
        set_up(&self.db, tenant, merchant, account).await
    }
}

/// One more connection in a tenant.
async fn set_up(db: &Database, tenant: &TenantId, merchant: &MerchantId, account: &str) -> ConnectionKey {
    let number = unique();
    let scope = Scope { tenant: tenant.clone(), merchant: merchant.clone() };
    let endpoint = |what: &str, platform: &str| NewEndpoint {
        name: format!("{what} {number}"),
        platform: platform.to_owned(),
        account: account.to_owned(),
        ..NewEndpoint::default()
    };
    let store = db.create_store(&scope, endpoint("Store", "brightpearl")).await.unwrap();
    let warehouse = db.create_warehouse(&scope, endpoint("Warehouse", "dsfx")).await.unwrap();
    let name = format!("Connection {number}");
    let settings = ConnectionSettings::default();
    let connection = db.create_connection(&scope, &name, &store, &warehouse, &settings).await.unwrap();
    ConnectionKey { scope, connection }
}

/// Runs a test on SQLite, then on PostgreSQL.
pub async fn on_both<F, W>(test: F)
where
    F: Fn(World) -> W,
    W: Future<Output = ()>,
{
    eprintln!("on SQLite");
    test(World::sqlite().await).await;
    eprintln!("on PostgreSQL");
    test(World::postgres().await).await;
}

/// A connection of the test's own.
pub enum Raw {
    Sqlite(Box<sqlx::SqliteConnection>),
    Postgres(Box<sqlx::PgConnection>),
}

impl Raw {
    /// Runs statements; whether they were taken.
    pub async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(raw) => sqlx::raw_sql(sql).execute(&mut **raw).await.map(drop),
            Self::Postgres(raw) => sqlx::raw_sql(sql).execute(&mut **raw).await.map(drop),
        }
    }

    /// The first column of every row, as text.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(raw) => sqlx::query_scalar(sql).fetch_all(&mut **raw).await.unwrap(),
            Self::Postgres(raw) => sqlx::query_scalar(sql).fetch_all(&mut **raw).await.unwrap(),
        }
    }
}

/// A time that grows with every call, so that ids sort by the order they were made in.
fn tick() -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + unique()).unwrap()
}

pub fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn effect(kind: EffectKind, key: &str, lane: &str) -> NewEffect {
    NewEffect {
        id: EffectId::generate(tick(), &OsRandom),
        draft: EffectDraft {
            kind,
            key: key.to_owned(),
            batch: None,
            body: format!("{{\"key\":\"{key}\"}}"),
            title: format!("Test {key}"),
            numbering: None,
        },
        lane: lane.to_owned(),
        subject: Subject::default(),
        not_before: None,
    }
}

pub fn batched(mut effect: NewEffect, batch: &str) -> NewEffect {
    effect.draft.batch = Some(batch.to_owned());
    effect
}

/// A settlement of a claimed effect along this path.
pub fn settlement(row: &EffectRow, path: &[EffectState]) -> Settlement {
    Settlement {
        id: row.id.clone(),
        fence: row.fence,
        path: path.to_vec(),
        next_at: None,
        note: "as the test says".to_owned(),
        remote: None,
        negative: false,
        baseline: None,
        attempt: AttemptRow { what: "send", outcome: "tested".to_owned(), ..AttemptRow::default() },
    }
}

pub const LEASE: Duration = Duration::from_secs(90);
pub const DEADLINE: Duration = Duration::from_secs(30);

/// An hour, and the staff.
pub fn patience() -> Patience {
    Patience { within: Duration::from_secs(3600), owner: "the staff".to_owned() }
}

pub fn arm_of(row: &EffectRow) -> Arm {
    Arm { id: row.id.clone(), fence: row.fence, from: row.state, baseline: serde_json::json!({ "seen": 1 }) }
}

/// Takes everything that is due on one side through arming to these states.
pub async fn carry_out(db: &Database, key: &ConnectionKey, side: Side, path: &[EffectState]) -> Vec<EffectRow> {
    let rows = db.claim_effects(key, side, "test", LEASE, 100).await.unwrap().rows;
    let armed = db.arm(key, rows.iter().map(arm_of).collect(), DEADLINE).await.unwrap();
    assert!(armed.iter().all(Option::is_some), "everything claimed can be armed");
    let settled = db.settle(key, rows.iter().map(|row| settlement(row, path)).collect()).await.unwrap();
    assert!(settled.into_iter().all(|settled| settled));
    rows
}

/// An order of two rows, with 3 and 1 units.
pub fn order(order_id: i64) -> Order {
    let address = Address {
        name: "Ada Lovelace".to_owned(),
        line1: "12 St James's Square".to_owned(),
        city: "London".to_owned(),
        postcode: "SW1Y 4JH".to_owned(),
        country: "GB".to_owned(),
        ..Address::default()
    };
    let line = |row_id: i64, product_id: i64, quantity: i64| OrderLine {
        row_id,
        product_id: Some(product_id),
        sku: format!("SKU-{product_id}"),
        name: format!("Product {product_id}"),
        quantity: Decimal::from(quantity),
        unit_price: None,
        stock: LineStock::Stocked,
        bundle: BundleRole::None,
        sequence: row_id,
    };
    Order {
        order_id,
        parent_id: None,
        version: 1,
        reference: format!("web-{order_id}"),
        status_id: 3,
        warehouse_id: Some(2),
        channel_id: Some(1),
        ship_method_id: Some(7),
        placed_at: "2026-05-01T10:00:00Z".parse().unwrap(),
        updated_at: None,
        deliver_on: None,
        notes: String::new(),
        is_sale: true,
        allocation: Allocation::All,
        fulfilment: Progress::None,
        shipping: Progress::None,
        deliver_to: address.clone(),
        bill_to: address,
        lines: vec![line(order_id * 10 + 1, 1001, 3), line(order_id * 10 + 2, 1002, 1)],
    }
}

/// The lines of a request for the whole order.
pub fn lines(order: &Order) -> Vec<RequestLine> {
    order
        .lines
        .iter()
        .zip(1_u32..)
        .map(|(line, line_number)| RequestLine {
            line_number,
            sku: format!("W-{}", line.sku),
            quantity: line.quantity,
            row_id: line.row_id,
            product_id: line.product_id.unwrap(),
            per_unit: Decimal::ONE,
            name: line.name.clone(),
            unit_price: None,
        })
        .collect()
}

pub fn request(order: &Order, key: &str, lines: Vec<RequestLine>) -> NewRequest {
    let body = serde_json::to_string(&lines).unwrap();
    NewRequest {
        id: RequestId::generate(tick(), &OsRandom),
        key: key.to_owned(),
        note_id: None,
        warehouse_id: Some(2),
        lines,
        submit: EffectDraft {
            kind: EffectKind::SubmitRequest,
            key: key.to_owned(),
            batch: None,
            body: format!("{{\"order\":{},\"lines\":{body}}}", order.order_id),
            title: format!("Send order {}", order.order_id),
            numbering: None,
        },
        not_before: None,
    }
}

/// An order as import saw it.
pub fn imported(order: Order, disposition: Disposition, requests: Vec<NewRequest>) -> ImportedOrder {
    let ordered = order.lines.iter().map(|line| (line.row_id, line.quantity)).collect();
    ImportedOrder {
        id: OrderId::generate(tick(), &OsRandom),
        order,
        seen: "3/2026".to_owned(),
        disposition,
        requests,
        ordered,
        edition: 0,
    }
}

/// An order that becomes one request for everything.
pub fn requested(order_id: i64) -> ImportedOrder {
    let order = order(order_id);
    let request = request(&order, &request_key(order_id), lines(&order));
    imported(order, Disposition::Requested, vec![request])
}

pub fn request_key(order_id: i64) -> String {
    format!("BPacme-O{order_id}")
}

/// Everything of an order in one box.
pub fn shipment(order: &Order, reference: &str, key: &str, quantities: &[i64]) -> NewShipment {
    let lines = lines(order)
        .into_iter()
        .zip(quantities)
        .map(|(line, quantity)| PackageLine {
            line_number: Some(line.line_number),
            sku: line.sku,
            quantity: Decimal::from(*quantity),
            lot: None,
            serials: Vec::new(),
        })
        .collect();
    NewShipment {
        id: ShipmentId::generate(tick(), &OsRandom),
        shipment: Shipment {
            reference: reference.to_owned(),
            key: key.to_owned(),
            shipped_at: "2026-05-02T10:00:00Z".parse().unwrap(),
            ship_method: ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() },
            packages: vec![Package { tracking: Some(format!("1Z{reference}")), weight: None, lines }],
            loose: Vec::new(),
            is_final: false,
            ended: Vec::new(),
            whole: false,
            within_order: false,
            numbers_may_be_theirs: false,
        },
    }
}

/// Another tenant with things of the same names and numbers as everybody's, at work: how many orders it has.
pub async fn busy_neighbour(db: &Database, tenant: &TenantId, merchant: &MerchantId) -> usize {
    let key = set_up(db, tenant, merchant, "acme").await;
    let orders: Vec<ImportedOrder> = (1..=20).map(requested).collect();
    let count = orders.len();
    db.record_orders(&key, "elsewhere", orders).await.unwrap();
    let left = (1..=20).map(|id| shipment(&order(id), &format!("S{id}"), &request_key(id), &[3, 1])).collect();
    db.record_shipments(&key, left, Vec::new(), &[], &[], &connect::FeedCursor::default()).await.unwrap();
    carry_out(db, &key, Side::Warehouse, &[EffectState::Applied]).await;
    count
}
