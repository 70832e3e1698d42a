//! The whole line against an unthrottled Brightpearl: what left is told, webhooks are answered by forwarding, calls are counted.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use connect::{Clock as _, SystemClock, Waits};
use rust_decimal::Decimal;
use simulators::{
    brightpearl::{self, AccountConfig, Config, DataConfig, NewLine, NewOrder},
    dsfx::{self, Dsfx, Habits, SeedStock},
};
use tokio_util::sync::CancellationToken;

use super::{
    BenchOptions, Figure, per_second,
    setup::{ACCOUNT, Ends, hub, settings},
};

const WAREHOUSE: i64 = 5;

pub(super) async fn measure(options: &BenchOptions) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::Builder::new().prefix("millrace-bench-").tempdir()?;
    let mut account = AccountConfig::new(ACCOUNT);
    account.data = DataConfig { products: 400, orders: 0, customers: 20 };
    let source = brightpearl::start(Config {
        accounts: vec![account],
        requests_per_window: None,
        keep_requests: 1_000,
        ..Config::default()
    })
    .await?;
    let products = source.plain_products(ACCOUNT)?;
    for (product, _) in &products {
        source.change_stock(ACCOUNT, *product, WAREHOUSE, 1_000_000)?;
    }
    let warehouse = warehouse(folder.path(), &source, &products)?;
    let ready = source.status_id(ACCOUNT, "Ready to ship")?;
    let mut chosen = settings(ready, WAREHOUSE);
    chosen.at_warehouse_status = Some(source.status_id(ACCOUNT, "At warehouse")?);
    chosen.shipped_status = Some(source.status_id(ACCOUNT, "Shipped")?);
    let root = folder.path().join("wms");
    let ends = Ends {
        brightpearl: &source.base_url(),
        warehouse: &root,
        skus: products.iter().map(|(_, sku)| sku.clone()).collect(),
        settings: chosen,
        orders_per_file: 50,
    };
    let place = |count: usize| -> anyhow::Result<Vec<i64>> {
        (0..count)
            .map(|number| {
                let line = |place: usize| {
                    let (_, sku) = &products[(number * 7 + place * 13) % products.len()];
                    NewLine::sku(sku, 1 + i64::try_from(place % 3).unwrap_or(0))
                };
                Ok(source.create_order(
                    ACCOUNT,
                    NewOrder {
                        status_id: Some(ready),
                        warehouse_id: Some(WAREHOUSE),
                        shipping_method_id: Some(49),
                        ..NewOrder::of((1..=3).map(line))
                    },
                )?)
            })
            .collect()
    };
    place(options.round)?;
    let before = calls(&source);
    let hub = hub(folder.path(), ends, Waits::default()).await?;
    let stop = CancellationToken::new();
    let (workers, token) = (std::sync::Arc::clone(&hub.workers), stop.clone());
    let running = tokio::spawn(async move { workers.run(token).await });
    let clock = SystemClock::default();
    let count = options.round;

    // A backlog: from the start of the workers to the last order read by the warehouse.
    until("the backlog is forwarded", || {
        warehouse.read_orders(clock.now())?;
        Ok(warehouse.ledger().orders.len() >= count)
    })
    .await?;
    let at_warehouse = source.status_id(ACCOUNT, "At warehouse")?;
    until("the backlog has its status", || {
        let orders = source.order_ids(ACCOUNT)?;
        Ok(orders
            .iter()
            .filter(|id| source.order(ACCOUNT, **id).is_ok_and(|order| order.status_id == at_warehouse))
            .count()
            >= count)
    })
    .await?;
    let imported = difference(&calls(&source), &before);
    let shipped_at = Instant::now();
    let before = calls(&source);
    warehouse.tick(clock.now())?;
    until("everything that left is told", || {
        Ok(source.all_notes(ACCOUNT)?.iter().filter(|note| note.shipped).count() >= count)
    })
    .await?;
    let took = shipped_at.elapsed();
    let shipped = source.status_id(ACCOUNT, "Shipped")?;
    until("every order has its last status", || {
        let orders = source.order_ids(ACCOUNT)?;
        Ok(orders.iter().filter(|id| source.order(ACCOUNT, **id).is_ok_and(|order| order.status_id == shipped)).count()
            >= count)
    })
    .await?;
    let told = difference(&calls(&source), &before);
    let mut figures = Vec::new();
    let rate = per_second(count, took);
    figures.push(
        Figure::new(
            format!("orders a second, shipped → confirmed, unthrottled stand-in on the same machine ({count} orders)"),
            format!("{rate:.0}"),
        )
        .aim("300", rate >= 300.0),
    );
    figures.extend(call_figures(count, &imported, &told));

    // The trickle: one order at a time, each announced the way a webhook does.
    let mut waits = Vec::new();
    let before = calls(&source);
    for number in 0..100 {
        let placed = Instant::now();
        place(1)?;
        if let Some(runtime) = hub.workers.runtime(&hub.key) {
            hub.db.want_run(&hub.key, crate::db::ChannelKind::Orders, None).await?;
            runtime.wake.orders.notify_one();
        }
        let expected = count + number + 1;
        until("an announced order is forwarded", || {
            warehouse.read_orders(clock.now())?;
            Ok(warehouse.ledger().orders.len() >= expected)
        })
        .await?;
        waits.push(placed.elapsed());
    }
    let trickle = difference(&calls(&source), &before);
    waits.sort();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).or(waits.last()).copied().unwrap_or_default();
    figures.push(
        Figure::new(
            "announced → read by the warehouse, one order at a time, p50 and p99",
            format!("{} ms, {} ms", at(50).as_millis(), at(99).as_millis()),
        )
        .aim("2 s, 10 s", at(50) < Duration::from_secs(2) && at(99) < Duration::from_secs(10)),
    );
    figures.push(Figure::new(
        "Brightpearl calls an order, trickle of single orders, import and status",
        format!("{:.1}", per_order(&trickle, 100)),
    ));
    figures.extend(stock(&source, &warehouse, &products).await?);
    stop.cancel();
    running.await?;
    hub.db.close().await;
    source.shutdown().await;
    Ok(figures)
}

fn warehouse(folder: &Path, source: &brightpearl::Running, products: &[(i64, String)]) -> anyhow::Result<Dsfx> {
    let stock = products
        .iter()
        .map(|(product, sku)| {
            let held = source.stock(ACCOUNT, *product, WAREHOUSE).map_or(0, |stock| stock.in_stock);
            SeedStock::plain(sku, "1", Decimal::from(held))
        })
        .collect();
    Ok(Dsfx::open(dsfx::Config {
        stock,
        habits: Habits {
            delay: Duration::ZERO,
            rest_delay: Duration::ZERO,
            part_then_rest_percent: 0,
            short_percent: 0,
            boxes_percent: 0,
        },
        ..dsfx::Config::new(folder.join("wms"))
    })?)
}

/// One in ten products is wrong in Brightpearl; the warehouse counts once.
async fn stock(
    source: &brightpearl::Running,
    warehouse: &Dsfx,
    products: &[(i64, String)],
) -> anyhow::Result<Vec<Figure>> {
    // Everything placed for the trickle leaves first: what is open belongs to the count.
    let clock = SystemClock::default();
    warehouse.tick(clock.now())?;
    let orders = warehouse.ledger().orders.len();
    until(
        "the trickle is told",
        || Ok(source.all_notes(ACCOUNT)?.iter().filter(|note| note.shipped).count() >= orders),
    )
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let wrong: Vec<&(i64, String)> = products.iter().step_by(10).collect();
    for (product, _) in &wrong {
        source.change_stock(ACCOUNT, *product, WAREHOUSE, 3)?;
    }
    let before = calls(source);
    let corrections = source.corrections(ACCOUNT)?.len();
    warehouse.count(clock.now())?;
    until("stock is corrected", || Ok(source.corrections(ACCOUNT)?.len() >= corrections + wrong.len())).await?;
    let used = difference(&calls(source), &before);
    let posts: u64 = used.iter().filter(|((method, _), _)| method == "POST").map(|(_, count)| count).sum();
    let reads: u64 = used.iter().filter(|((method, _), _)| method == "GET").map(|(_, count)| count).sum();
    let allowed = u64::try_from(wrong.len().div_ceil(100))?;
    Ok(vec![
        Figure::new(
            format!("correction calls for {} changed of {} SKUs", wrong.len(), products.len()),
            format!("{posts} (and {reads} reads, order scans of the time included)"),
        )
        .aim("one per 100 changed", posts <= allowed),
    ])
}

type Calls = BTreeMap<(String, String), u64>;

fn calls(source: &brightpearl::Running) -> Calls {
    source.calls(ACCOUNT)
}

fn difference(after: &Calls, before: &Calls) -> Calls {
    after
        .iter()
        .map(|(call, count)| (call.clone(), count - before.get(call).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn per_order(calls: &Calls, orders: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a rate to show to people")]
    let (total, orders) = (calls.values().sum::<u64>() as f64, orders.max(1) as f64);
    total / orders
}

fn call_figures(count: usize, imported: &Calls, told: &Calls) -> Vec<Figure> {
    let sum = |calls: &Calls, wanted: &dyn Fn(&str, &str) -> bool| -> f64 {
        let some: Calls = calls
            .iter()
            .filter(|((method, name), _)| wanted(method, name))
            .map(|(call, count)| (call.clone(), *count))
            .collect();
        per_order(&some, count) * 1_000.0
    };
    let status = |method: &str, name: &str| method == "PUT" && name == "put-order-status";
    let import = |method: &str, name: &str| {
        method == "GET" && (name == "bulk-data-search" || name == "get-order" || name == "get-goods-out-note")
    };
    let reads = sum(imported, &import);
    let writes = sum(told, &|method, name| method != "GET" && !status(method, name));
    let shipping_reads = sum(told, &|method, _| method == "GET");
    vec![
        Figure::new(
            "Brightpearl calls for 1,000 orders, import of a backlog (search, orders, notes)",
            format!("{reads:.0}"),
        )
        .aim("at most 15", reads <= 15.0),
        Figure::new("… for each status written", format!("{:.0}", (sum(imported, &status) + sum(told, &status)) / 2.0)),
        Figure::new(
            "… for shipping (note, tracking, shipped event)",
            format!("{writes:.0} writes, {shipping_reads:.0} reads"),
        )
        .aim("at most 1.05 × 3,007", writes + shipping_reads <= 1.05 * 3_007.0),
    ]
}

async fn until(what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let start = Instant::now();
    while !done()? {
        anyhow::ensure!(start.elapsed() < Duration::from_secs(300), "{what}: not after five minutes");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
