//! A database as it is after a long time of work: what the API is measured over.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use connect::{
    Clock as _, FeedCursor, Order, OrderSource as _, Package, PackageLine, ShipMethod, Shipment, StockFeed, StockLevel,
    SystemClock, ulid,
};
use engine::{
    finding::{Finding, FindingKind, Subject},
    key::request_key,
    order::Disposition,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    forward::{PER_FILE, STATUS, WAREHOUSE, forward},
    setup::{self, Ends},
    source::{Made, skus},
};
use crate::{
    config::Config,
    db::{
        Access, Advance, CensusOutcome, ConnectionKey, Database, Extent, ImportedOrder, NewShipment, OrderQuery,
        RequestWork, RunState, StockRun,
    },
    operate::Hub,
    runtime::Runtime,
    worker::Seams,
};

/// Of so many orders one each is held by a mapping, waits for its stock, and is left out; the rest is at the warehouse.
const ONE_IN: i64 = 20;
/// So many of those that are at the warehouse have not left it yet, the newest; of few orders, a quarter.
const AT_WAREHOUSE: i64 = 3_000;
/// Of so many shipments one needs a person, and one is not told to the source yet.
const UNTOLD_ONE_IN: i64 = 50;
/// The shipments of orders that nobody knows, each with its exception; of few orders, fewer.
const NOBODYS: i64 = 500;
/// What the warehouse keeps.
const CATALOGUE: i64 = 5_000;
/// What the census found.
const FINDINGS: i64 = 500;
/// What people did.
const DEEDS: i64 = 5_000;
/// Rows of one transaction.
const SLICE: usize = 500;
/// Transactions that wait together, so that they share their commits.
const TOGETHER: usize = 64;

/// Through the same functions as in daily work: orders are imported, journalled and forwarded, or kept with the reason why not;
/// most have left, and the source has been told of most of those; stock was counted, and the census has been there.
pub(super) async fn fill(config: &Config, seams: &Seams, folder: &Path, orders: i64) -> anyhow::Result<()> {
    let hub = Hub::open(config.clone(), seams.clone())
        .await
        .map_err(|failure| anyhow::anyhow!("{}: {}", failure.detail, failure.remedy))?;
    let warehouse = folder.join("wms");
    for part in ["in", "out"] {
        std::fs::create_dir_all(warehouse.join(part))?;
    }
    let ends = Ends {
        brightpearl: "http://127.0.0.1:9",
        warehouse: &warehouse,
        skus: skus().collect(),
        settings: setup::settings(STATUS, WAREHOUSE),
        orders_per_file: PER_FILE,
    };
    let tenant = hub.db.tenant_by_name("default").await?;
    let key = setup::connection(&hub.db, &hub.keyring, tenant, ends).await?;
    let mut runtime = hub.workers.build(&key).await?;
    let aside = (orders / ONE_IN).max(1);
    let forwarded = (orders - 3 * aside).max(1);
    let source = Arc::new(made(forwarded));
    runtime.source = Arc::clone(&source) as Arc<dyn connect::OrderSource>;
    forward(&runtime, usize::try_from(forwarded)?).await?;
    put_aside(&runtime, forwarded + 1, aside).await?;
    ship(&runtime, &source, forwarded - AT_WAREHOUSE.min(forwarded / 4)).await?;
    tell(&runtime).await?;
    lose(&runtime, NOBODYS.min(orders / 20)).await?;
    count(&runtime).await?;
    look(&runtime).await?;
    act(&runtime, DEEDS.min(orders)).await?;
    // Nothing talks to the outside while the API is measured.
    hub.db.enable_connection(&key, false).await?;
    checked(&hub.db, &key, orders).await?;
    hub.db.close().await;
    Ok(())
}

/// Now: orders are listed by when they came in, not by when they were placed.
fn now() -> Timestamp {
    SystemClock::default().now()
}

fn made(count: i64) -> Made {
    Made { count, status_id: STATUS, warehouse_id: WAREHOUSE, placed_at: now() }
}

/// Orders that are not sent, so many for each reason.
async fn put_aside(runtime: &Runtime, mut first: i64, each: i64) -> anyhow::Result<()> {
    for disposition in [
        Disposition::Held(
            "SKU SKU-X is not mapped to a SKU of the warehouse; map it, or choose pass-through".to_owned(),
        ),
        Disposition::Waiting("its stock is not allocated".to_owned()),
        Disposition::Skipped("filter warehouses: it belongs to another warehouse".to_owned()),
    ] {
        let ids: Vec<i64> = (first..first + each).collect();
        first += each;
        for slice in ids.chunks(SLICE) {
            let kept = made(first).orders(slice).await?;
            let kept = kept.into_iter().map(|order| aside_of(runtime, order, &disposition)).collect();
            runtime.db.record_orders(&runtime.key, setup::ACCOUNT, kept).await?;
        }
    }
    Ok(())
}

fn aside_of(runtime: &Runtime, order: Order, disposition: &Disposition) -> ImportedOrder {
    let ordered = order.lines.iter().map(|line| (line.row_id, line.quantity)).collect();
    ImportedOrder {
        id: runtime.order_id(),
        seen: "bench".to_owned(),
        disposition: disposition.clone(),
        requests: Vec::new(),
        ordered,
        edition: 0,
        order,
    }
}

/// The first so many orders leave the warehouse, whole, a box each.
async fn ship(runtime: &Runtime, source: &Made, count: i64) -> anyhow::Result<()> {
    let ids: Vec<i64> = (1..=count).collect();
    for slice in ids.chunks(SLICE) {
        let left = source.orders(slice).await?;
        let left = left.iter().map(|order| shipment(runtime, order, setup::ACCOUNT)).collect();
        keep(runtime, left).await?;
    }
    Ok(())
}

/// Shipments for orders that this connection has not asked for.
async fn lose(runtime: &Runtime, count: i64) -> anyhow::Result<()> {
    let ids: Vec<i64> = (1..=count).collect();
    let left = made(count).orders(&ids).await?;
    keep(runtime, left.iter().map(|order| shipment(runtime, order, "elsewhere")).collect()).await
}

async fn keep(runtime: &Runtime, left: Vec<NewShipment>) -> anyhow::Result<()> {
    runtime.db.record_shipments(&runtime.key, left, Vec::new(), &[], &[], &FeedCursor::default()).await?;
    Ok(())
}

fn shipment(runtime: &Runtime, order: &Order, account: &str) -> NewShipment {
    let lines = order.lines.iter().zip(1..).map(|(line, number)| PackageLine {
        line_number: Some(number),
        sku: line.sku.clone(),
        quantity: line.quantity,
        lot: None,
        serials: Vec::new(),
    });
    let tracking = Some(format!("1Z{account}{:08}", order.order_id));
    NewShipment {
        id: runtime.shipment_id(),
        shipment: Shipment {
            reference: format!("{account}-{}", order.order_id),
            key: request_key(None, account, order.order_id, None),
            shipped_at: now(),
            ship_method: ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() },
            packages: vec![Package { tracking, weight: None, lines: lines.collect() }],
            loose: Vec::new(),
            is_final: true,
            ended: Vec::new(),
            whole: false,
            within_order: false,
            numbers_may_be_theirs: false,
        },
    }
}

/// The source knows of most of what left. How it was told is left out: that would be most of the time this takes.
async fn tell(runtime: &Runtime) -> anyhow::Result<()> {
    loop {
        let flagged = runtime.db.requests_to_advance(&runtime.key, SLICE).await?;
        // Telling flags a request once more, for its order's status; those come last.
        let told =
            |one: &RequestWork| !one.shipments.is_empty() && one.shipments.iter().all(|shipment| shipment.confirmed);
        let waiting: Vec<RequestWork> = flagged.into_iter().filter(|one| !told(one)).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        stream::iter(waiting)
            .map(|one| async move {
                let steps = told_of(&one);
                runtime.db.advance(&runtime.key, &one.id, one.version, steps).await.map(drop)
            })
            .buffer_unordered(TOGETHER)
            .try_collect::<()>()
            .await?;
    }
}

fn told_of(one: &RequestWork) -> Advance {
    let shipments = one.shipments.iter().map(|shipment| shipment.id.clone());
    let mut steps = Advance::default();
    match one.order_id % UNTOLD_ONE_IN {
        0 => {
            let why = "Brightpearl has other quantities on its note: look at both";
            steps.shipment_problems = shipments.map(|id| (id, Some(why.to_owned()))).collect();
        }
        1 => {}
        _ => steps.confirmed = shipments.collect(),
    }
    steps
}

/// The warehouse has counted all that it keeps, and nothing differs.
async fn count(runtime: &Runtime) -> anyhow::Result<()> {
    let at = now();
    let level = |number: i64| StockLevel {
        sku: format!("SKU-{number:05}"),
        facility: None,
        available: Some(Decimal::from(number % 300)),
        physical: Some(Decimal::from(number % 300 + 5)),
    };
    let feed = StockFeed {
        reference: "inv_bench.csv".to_owned(),
        content_hash: "bench".to_owned(),
        cut_off: at,
        sequence: None,
        absent_is_zero: false,
        names_all: false,
        levels: (1..=CATALOGUE).map(level).collect(),
    };
    let run = StockRun {
        id: format!("run_{}", ulid(at, &*runtime.random)),
        feed: feed.reference.clone(),
        content_hash: feed.content_hash.clone(),
        cut_off: at,
        sequence: None,
        made_at: at,
        state: RunState::Planned,
        reason: String::new(),
        skus: u32::try_from(CATALOGUE)?,
        compared: u32::try_from(CATALOGUE)?,
        changed: 0,
        lines: Vec::new(),
    };
    runtime.db.record_run(&runtime.key, run, Vec::new(), &feed).await?;
    Ok(())
}

/// The census has looked and found something; half of it was gone when it looked again.
async fn look(runtime: &Runtime) -> anyhow::Result<()> {
    let found = |number: i64| Finding {
        kind: FindingKind::OrphanNote,
        subject: Subject::Note(number),
        order_id: Some(number),
        what: format!("note {number} is nobody's"),
    };
    runtime.db.begin_census(&runtime.key).await?;
    for count in [FINDINGS, FINDINGS / 2] {
        let outcome = CensusOutcome {
            unaccounted: usize::try_from(count)?,
            report: b"{}".to_vec(),
            findings: (1..=count).map(found).collect(),
            checked: BTreeSet::from([FindingKind::OrphanNote]),
        };
        runtime.db.finish_census(&runtime.key, Extent::Recent, outcome).await?;
    }
    Ok(())
}

/// People have held orders, each a few.
async fn act(runtime: &Runtime, count: i64) -> anyhow::Result<()> {
    let access = &Access::Tenant(runtime.key.scope.tenant.clone());
    stream::iter(1..=count)
        .map(|number| async move {
            let actor = format!("person {}", number % 20);
            let detail = serde_json::json!({ "reason": "bench" });
            runtime.db.audit(access, &actor, "order.hold", &format!("ord_{number}"), &detail).await
        })
        .buffer_unordered(TOGETHER)
        .try_collect::<()>()
        .await?;
    Ok(())
}

async fn checked(db: &Database, key: &ConnectionKey, orders: i64) -> anyhow::Result<()> {
    let counts = db.count_orders(&(&key.scope).into(), OrderQuery::default()).await?;
    let total: i64 = counts.values().sum();
    anyhow::ensure!(total >= orders.min(4), "only {total} orders are stored: {counts:?}");
    Ok(())
}
