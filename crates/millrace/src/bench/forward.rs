//! The hub alone: orders come from a source that answers at once, and leave into a folder.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use connect::{Clock as _, Effect, Side, SystemClock, Waits};

use super::{
    BenchOptions, Figure, machine, per_second,
    setup::{Ends, Hub, hub, settings},
    source::{Made, skus},
};
use crate::{db::Arm, flow, journal, runtime::Runtime};

pub(super) const STATUS: i64 = 21;
pub(super) const WAREHOUSE: i64 = 5;
/// Orders one file carries: the connector's default.
pub(super) const PER_FILE: u32 = 50;

pub(super) async fn measure(options: &BenchOptions) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let folder = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let (hub, runtime) = prepare(folder.path(), options.forward).await?;
    let start = Instant::now();
    forward(&runtime, usize::try_from(options.forward)?).await?;
    let took = start.elapsed();
    let rate = per_second(usize::try_from(options.forward)?, took);
    figures.push(
        Figure::new(
            format!(
                "orders a second, import → stored → forwarded to a folder ({} orders, {PER_FILE} a file, SQLite FULL)",
                options.forward
            ),
            format!("{rate:.0}"),
        )
        .aim("2,000", rate >= 2_000.0),
    );
    if let Some(commits) = hub.db.commits() {
        let per_order = u64::try_from(options.forward)?.max(1);
        figures.push(Figure::new("commits of that run for 1,000 orders", format!("{}", commits * 1_000 / per_order)));
    }
    let size = std::fs::metadata(folder.path().join("bench.db"))?.len();
    figures.push(Figure::new(
        "database bytes an order (order, request, effect, attempts, compressed document)",
        format!("{}", size / u64::try_from(options.forward)?.max(1)),
    ));
    hub.db.close().await;
    drop(runtime);

    let kept = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let (hub, runtime) = prepare(kept.path(), options.kept).await?;
    forward(&runtime, usize::try_from(options.kept)?).await?;
    let memory = machine::resident(std::process::id()).context("memory cannot be read")?;
    figures.push(
        Figure::new(format!("resident memory after {} orders", options.kept), format!("{} MB", memory / 1_000_000))
            .aim("under 150 MB", memory < 150_000_000),
    );
    hub.db.close().await;
    drop(runtime);
    figures.push(start_up(options).await?);
    Ok(figures)
}

async fn prepare(folder: &Path, count: i64) -> anyhow::Result<(Hub, Runtime)> {
    let warehouse = folder.join("wms");
    std::fs::create_dir_all(warehouse.join("in"))?;
    std::fs::create_dir_all(warehouse.join("out"))?;
    let ends = Ends {
        brightpearl: "http://127.0.0.1:9",
        warehouse: &warehouse,
        skus: skus().collect(),
        settings: settings(STATUS, WAREHOUSE),
        orders_per_file: PER_FILE,
    };
    let hub = hub(folder, ends, Waits::default()).await?;
    let mut runtime = hub.workers.build(&hub.key).await?;
    runtime.source =
        Arc::new(Made { count, status_id: STATUS, warehouse_id: WAREHOUSE, placed_at: SystemClock::default().now() });
    Ok((hub, runtime))
}

/// Imports everything while the journal forwards it.
pub(super) async fn forward(runtime: &Runtime, count: usize) -> anyhow::Result<()> {
    let import = async {
        flow::orders::run(runtime).await?;
        anyhow::Ok(())
    };
    let drive = async {
        let mut forwarded = 0;
        let mut idle = 0;
        while forwarded < count {
            let driven = journal::drive(runtime, Side::Warehouse).await?;
            forwarded += driven.settled;
            if driven.claimed == 0 {
                idle += 1;
                anyhow::ensure!(
                    idle < 30_000,
                    "the journal has nothing to do, and {forwarded} of {count} are forwarded"
                );
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                idle = 0;
            }
        }
        anyhow::Ok(())
    };
    tokio::try_join!(import, drive)?;
    Ok(())
}

/// Effects whose process died after arming them: time from opening the database to the last one settled by looking.
async fn start_up(options: &BenchOptions) -> anyhow::Result<Figure> {
    let folder = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let (hub, runtime) = prepare(folder.path(), options.in_flight).await?;
    flow::orders::run(&runtime).await?;
    let total = usize::try_from(options.in_flight)?;
    let mut armed = 0;
    let limit = Duration::from_millis(1);
    while armed < total {
        // A lease that has ended as soon as the process is gone.
        let lease = Duration::from_millis(500);
        let rows = hub.db.claim_effects(&hub.key, Side::Warehouse, "gone", lease, 500).await?.rows;
        anyhow::ensure!(!rows.is_empty(), "{armed} of {total} could be claimed");
        let effects: Vec<Effect> = rows
            .iter()
            .map(|row| Effect {
                id: row.id.clone(),
                kind: row.kind,
                key: row.key.clone(),
                batch: row.batch.clone(),
                body: row.body.clone(),
                number: row.number,
                tried: None,
                others: std::collections::BTreeSet::new(),
            })
            .collect();
        let prepared = runtime.warehouse.prepare(&effects).await?;
        let arms: Vec<Arm> = rows
            .iter()
            .zip(prepared)
            .filter_map(|(row, prepared)| match prepared {
                connect::Prepared::Ready { baseline } => {
                    Some(Arm { id: row.id.clone(), fence: row.fence, from: row.state, baseline })
                }
                _ => None,
            })
            .collect();
        armed += hub.db.arm(&hub.key, arms, limit).await?.into_iter().flatten().count();
    }
    hub.db.close().await;
    drop(runtime);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let start = Instant::now();
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    let db = crate::db::Database::open(&crate::db::DatabaseConfig::new(url)).await?;
    let mut runtime = hub.workers.on(db).build(&hub.key).await?;
    runtime.source = Arc::new(Made {
        count: 0,
        status_id: STATUS,
        warehouse_id: WAREHOUSE,
        placed_at: SystemClock::default().now(),
    });
    let mut looked_up = 0;
    let first = Instant::now();
    let mut ready = None;
    while looked_up < total {
        let driven = journal::drive(&runtime, Side::Warehouse).await?;
        if driven.claimed > 0 {
            ready.get_or_insert_with(|| start.elapsed());
        }
        looked_up += driven.settled;
        if driven.claimed == 0 {
            anyhow::ensure!(first.elapsed() < Duration::from_secs(120), "{looked_up} of {total} were settled");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let took = start.elapsed();
    Ok(Figure::new(
        format!("start-up with {total} effects in flight: first claimed, and all settled"),
        format!("{:.2} s, {:.2} s", ready.unwrap_or(took).as_secs_f64(), took.as_secs_f64()),
    )
    .aim("under 5 s", took < Duration::from_secs(5)))
}
