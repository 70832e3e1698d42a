//! The two ends: a simulated Brightpearl, and a simulated warehouse in a folder, behind a real OpenSSH server where there is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulators::{
    audit::{self, Audit, Terms, Units},
    brightpearl::{self, AccountConfig, Config, DataConfig, NewLine, NewOrder},
    dsfx::{self, Dsfx, Habits, SeedStock},
    openssh::OpenSsh,
};
use tokio_util::sync::CancellationToken;

use super::DemoOptions;

const ACCOUNT: &str = "demo";
const WAREHOUSE: i64 = 5;

/// Both ends of the line.
pub(super) struct Ends {
    brightpearl: brightpearl::Running,
    dsfx: Dsfx,
    ssh: Option<OpenSsh>,
    root: PathBuf,
    stop: CancellationToken,
    work: tokio::task::JoinHandle<()>,
    skus: Vec<(i64, String)>,
    bundles: Vec<i64>,
    placed_at: BTreeMap<i64, Timestamp>,
    calls_before: u64,
}

/// How things stand.
pub(super) struct State {
    pub(super) placed: usize,
    pub(super) at_warehouse: usize,
    pub(super) shipments: usize,
    pub(super) told: usize,
    pub(super) told_orders: usize,
    pub(super) stock_differences: usize,
    pub(super) audit: Audit,
}

/// Times between two moments that the simulators saw, sorted.
pub(super) struct Latencies {
    pub(super) to_warehouse: Vec<Duration>,
    pub(super) to_brightpearl: Vec<Duration>,
}

fn warehouse_sku(sku: &str) -> String {
    format!("W-{sku}")
}

impl Ends {
    pub(super) async fn start(folder: &Path, options: &DemoOptions) -> anyhow::Result<Self> {
        let mut account = AccountConfig::new(ACCOUNT);
        account.data = DataConfig { orders: 0, ..DataConfig::default() };
        let brightpearl = brightpearl::start(Config { accounts: vec![account], ..Config::default() }).await?;
        let mut skus = brightpearl.plain_products(ACCOUNT)?;
        skus.truncate(400);
        let known: BTreeSet<i64> = skus.iter().map(|(product, _)| *product).collect();
        let bundles = brightpearl
            .bundles(ACCOUNT)?
            .into_iter()
            .filter(|(_, parts)| parts.iter().all(|(part, _)| known.contains(part)))
            .map(|(bundle, _)| bundle)
            .collect();
        let mut stock = Vec::new();
        for (product, sku) in &skus {
            let held = brightpearl.stock(ACCOUNT, *product, WAREHOUSE)?.in_stock;
            if held < 50 {
                brightpearl.change_stock(ACCOUNT, *product, WAREHOUSE, 50 - held)?;
            }
            stock.push(SeedStock::plain(&warehouse_sku(sku), "1", Decimal::from(held.max(50))));
        }
        let root = folder.join("warehouse");
        let dsfx = Dsfx::open(dsfx::Config {
            stock,
            habits: Habits {
                delay: Duration::from_secs(3),
                rest_delay: Duration::from_secs(4),
                part_then_rest_percent: 15,
                short_percent: 0,
                boxes_percent: 20,
            },
            ..dsfx::Config::new(&root)
        })?;
        let ssh = if options.folder { None } else { OpenSsh::start(&root).ok() };
        let stop = CancellationToken::new();
        let (worker, token) = (dsfx.clone(), stop.clone());
        let work = tokio::spawn(async move { worker.run(Duration::from_millis(500), token).await });
        let calls_before = total(&brightpearl);
        Ok(Self { brightpearl, dsfx, ssh, root, stop, work, skus, bundles, placed_at: BTreeMap::new(), calls_before })
    }

    pub(super) fn describe(&self) -> String {
        match &self.ssh {
            Some(ssh) => format!(
                "Brightpearl stands in on {}; the warehouse is behind a real OpenSSH server on port {}.",
                self.brightpearl.base_url(),
                ssh.port()
            ),
            None => format!(
                "Brightpearl stands in on {}; the warehouse is the folder {}",
                self.brightpearl.base_url(),
                self.root.display()
            ),
        }
    }

    pub(super) fn store(&self) -> Value {
        json!({
            "name": "Brightpearl", "merchant": "Example merchant", "platform": "brightpearl",
            "settings": {
                "datacenter_code": "eu1", "account_id": ACCOUNT, "email": "api.user@example.test",
                "base_url": self.brightpearl.base_url(), "calls_per_minute": "190"
            },
            "secrets": { "password": "example-password" }
        })
    }

    pub(super) fn warehouse(&self) -> Value {
        let (settings, secrets) = match &self.ssh {
            Some(ssh) => (
                json!({
                    "transport": "sftp", "host": "127.0.0.1", "port": ssh.port().to_string(), "user": ssh.user(),
                    "host_key": ssh.host_key(), "root": ssh.root().display().to_string()
                }),
                json!({ "private_key": ssh.private_key() }),
            ),
            None => (json!({ "transport": "folder", "folder": self.root.display().to_string() }), json!({})),
        };
        json!({
            "name": "Warehouse", "merchant": "Example merchant", "platform": dsfx::PLATFORM,
            "settings": settings, "secrets": secrets
        })
    }

    pub(super) fn connection(&self) -> Value {
        json!({
            "name": "Demo", "store": "Brightpearl", "warehouse": "Warehouse",
            "settings": {
                "start_mode": "order", "import_statuses": ["Ready to ship"], "warehouse": "Example 3PL",
                "at_warehouse_status": "At warehouse", "shipped_status": "Shipped", "price_list": "Cost",
                "default_ship_method": { "carrier": "UPS", "service": "Ground" }, "default_source_method": "Courier",
                "stock": { "basis": "available", "increases": "correct", "first_run": "ask", "settle_seconds": 2 }
            }
        })
    }

    pub(super) fn mappings(&self) -> Value {
        let listings: Vec<[String; 2]> = self.skus.iter().map(|(_, sku)| [sku.clone(), warehouse_sku(sku)]).collect();
        json!({ "listings": listings })
    }

    /// Places one order: one to three lines, every tenth with a bundle.
    pub(super) fn place(&mut self, number: usize) -> anyhow::Result<i64> {
        let sku =
            |place: usize| self.skus.get((number * 17 + place * 31) % self.skus.len()).map(|(_, sku)| sku.as_str());
        let mut lines: Vec<NewLine> = (0..1 + number % 3)
            .filter_map(sku)
            .map(|sku| NewLine::sku(sku, 1 + i64::from(number.is_multiple_of(2))))
            .collect();
        if number % 10 == 9
            && let Some(bundle) = self.bundles.get(number % self.bundles.len().max(1))
        {
            lines.push(NewLine::product(*bundle, 1));
        }
        let order = NewOrder {
            status_id: Some(self.brightpearl.status_id(ACCOUNT, "Ready to ship")?),
            warehouse_id: Some(WAREHOUSE),
            shipping_method_id: Some(49),
            channel_id: Some(1),
            ..NewOrder::of(lines)
        };
        let id = self.brightpearl.create_order(ACCOUNT, order)?;
        self.placed_at.insert(id, connect::Clock::now(&connect::SystemClock::default()));
        Ok(id)
    }

    /// Makes Brightpearl wrong about some SKUs, and has the warehouse count. How many.
    pub(super) fn disturb(&self) -> anyhow::Result<usize> {
        let wrong: Vec<&(i64, String)> = self.skus.iter().step_by(16).collect();
        for (place, (product, _)) in wrong.iter().enumerate() {
            let units = if place % 2 == 0 { 4 } else { -3 };
            self.brightpearl.change_stock(ACCOUNT, *product, WAREHOUSE, units)?;
        }
        self.dsfx.count(connect::Clock::now(&connect::SystemClock::default()))?;
        Ok(wrong.len())
    }

    pub(super) fn state(&self, placed: &BTreeSet<i64>) -> State {
        let orders = audit::dsfx_orders(&self.dsfx.ledger());
        let order_of = |key: &str| key.split("-O").nth(1)?.split('-').next()?.parse().ok();
        let translate = |units: &Units| -> Units {
            units.iter().map(|(sku, count)| (sku.strip_prefix("W-").unwrap_or(sku).to_owned(), *count)).collect()
        };
        let terms = Terms { account: ACCOUNT, expected: placed, order_of: &order_of, translate: &translate };
        let audit = audit::compare(&self.brightpearl, &orders, &terms);
        let mut physical: BTreeMap<String, Decimal> = BTreeMap::new();
        for row in self.dsfx.stock() {
            if let Some(sku) = row.sku.strip_prefix("W-") {
                *physical.entry(sku.to_owned()).or_default() += row.physical;
            }
        }
        let shipped = self.brightpearl.status_id(ACCOUNT, "Shipped").unwrap_or_default();
        let told_orders = placed
            .iter()
            .filter(|id| {
                self.brightpearl
                    .order(ACCOUNT, **id)
                    .is_ok_and(|order| order.shipping_status == "ASS" && order.status_id == shipped)
            })
            .count();
        State {
            placed: placed.len(),
            at_warehouse: audit.orders,
            shipments: audit.shipments,
            told: audit.told,
            told_orders,
            stock_differences: audit::stock_differences(&self.brightpearl, ACCOUNT, WAREHOUSE, &physical).len(),
            audit,
        }
    }

    /// How long orders took to the warehouse, and shipments to Brightpearl, by the simulators' own clocks.
    pub(super) fn latencies(&self) -> Latencies {
        let mut to_warehouse = Vec::new();
        let mut to_brightpearl = Vec::new();
        for order in audit::dsfx_orders(&self.dsfx.ledger()) {
            let id: Option<i64> = order.key.split("-O").nth(1).and_then(|rest| rest.split('-').next()?.parse().ok());
            let Some(id) = id else { continue };
            if let Some(placed_at) = self.placed_at.get(&id) {
                to_warehouse.extend(between(*placed_at, order.received_at));
            }
            let told: Vec<Timestamp> = self
                .brightpearl
                .ledger()
                .iter()
                .filter(|entry| entry.took_effect && entry.orders.contains(&id) && entry.path.ends_with("/event"))
                .map(|entry| entry.at)
                .collect();
            for (shipment, told) in order.shipments.iter().zip(told) {
                to_brightpearl.extend(between(shipment.shipped_at, told));
            }
        }
        to_warehouse.sort();
        to_brightpearl.sort();
        Latencies { to_warehouse, to_brightpearl }
    }

    /// Calls the simulated Brightpearl counted since the start, and the most in any minute.
    pub(super) fn calls(&self) -> (u64, usize) {
        (total(&self.brightpearl) - self.calls_before, self.brightpearl.busiest_window(ACCOUNT))
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.work.await {
            tracing::warn!("the warehouse ended badly: {error}");
        }
        self.brightpearl.shutdown().await;
    }
}

fn total(brightpearl: &brightpearl::Running) -> u64 {
    brightpearl.calls(ACCOUNT).values().sum()
}

fn between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    // The simulators keep whole seconds in places; a step back by rounding is no time at all.
    Some(Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO))
}
