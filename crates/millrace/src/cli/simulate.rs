//! Stand-ins of remote systems, each in a process of its own.

use std::{net::SocketAddr, path::Path, time::Duration};

use rust_decimal::Decimal;
use serde_json::json;
use simulators::{brightpearl, dsfx, extensiv, mintsoft, shiphero};
use tokio_util::sync::CancellationToken;

use super::{args::Simulate, print::Printer};
use crate::operate::{Failure, FailureKind};

/// Runs one until told to stop.
///
/// # Errors
/// When it cannot listen, or its folder cannot be used.
pub async fn run(which: Simulate, printer: Printer, shutdown: CancellationToken) -> Result<(), Failure> {
    let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    match which {
        Simulate::Brightpearl { port, account, time_factor, orders } => {
            let mut one = brightpearl::AccountConfig::new(&account);
            if let Some(orders) = orders {
                one.data.orders = usize::try_from(orders).unwrap_or(usize::MAX);
            }
            let (email, password) = one
                .staff
                .iter()
                .find(|user| user.api)
                .map(|user| (user.email.clone(), user.password.clone()))
                .unwrap_or_default();
            let config = brightpearl::Config {
                accounts: vec![one],
                listen: local(port),
                time_factor: time_factor.max(1),
                ..brightpearl::Config::default()
            };
            let running = brightpearl::start(config).await.map_err(|error| failed(&error))?;
            let told = json!({
                "base_url": running.base_url(), "datacenter_code": "eu1", "account_id": account, "email": email,
                "password": password,
            });
            tell(printer, "Brightpearl stand-in", &told)?;
            shutdown.cancelled().await;
            running.shutdown().await;
        }
        Simulate::Dsfx { folder, every, stock } => {
            let stock = stock.as_deref().map(shelves).transpose()?.unwrap_or_default();
            let folder = std::path::absolute(&folder).map_err(|error| failed(&error))?;
            std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
            let warehouse = dsfx::Dsfx::open(dsfx::Config {
                stock,
                count_every: Some(Duration::from_secs(60)),
                ..dsfx::Config::new(&folder)
            })
            .map_err(|error| failed(&error))?;
            let told = json!({ "transport": "folder", "folder": folder });
            tell(printer, "Folder warehouse", &told)?;
            warehouse.run(Duration::from_secs(every.max(1)), shutdown).await;
        }
        Simulate::Extensiv { port, time_factor } => {
            let config = extensiv::Config {
                listen: local(port),
                work_every: Some(Duration::from_secs(5) / time_factor.max(1)),
                ..extensiv::Config::default()
            };
            let (client_id, client_secret) = (config.client_id.clone(), config.client_secret.clone());
            let (user_login, customer, facility) = (
                config.user_login.clone(),
                config.customers.first().map(|customer| customer.id),
                config.facilities.first().map(|facility| facility.id),
            );
            let running = extensiv::Extensiv::start(config).await.map_err(|error| failed(&error))?;
            let told = json!({
                "base_url": running.base_url(), "client_id": client_id, "client_secret": client_secret,
                "user_login": user_login, "customer_id": customer, "facility_id": facility,
            });
            tell(printer, "Extensiv stand-in", &told)?;
            shutdown.cancelled().await;
            running.stop().await;
        }
        Simulate::Mintsoft { port, time_factor } => {
            let config = mintsoft::Config {
                listen: local(port),
                work_every: Some(Duration::from_secs(5) / time_factor.max(1)),
                ..mintsoft::Config::default()
            };
            let (username, password) = (config.username.clone(), config.password.clone());
            let (client, warehouse) =
                (config.clients.first().map(|client| client.id), config.buildings.first().map(|building| building.id));
            let running = mintsoft::Mintsoft::start(config).await.map_err(|error| failed(&error))?;
            let told = json!({
                "base_url": running.base_url(), "username": username, "password": password, "client_id": client,
                "warehouse_id": warehouse,
            });
            tell(printer, "Mintsoft stand-in", &told)?;
            shutdown.cancelled().await;
            running.stop().await;
        }
        Simulate::Shiphero { port, time_factor } => {
            let factor = time_factor.max(1);
            let usual = shiphero::Credits::default();
            let credits = shiphero::Credits { per_second: usual.per_second.saturating_mul(factor), ..usual };
            let config = shiphero::Config {
                listen: local(port),
                credits,
                work_every: Some(Duration::from_secs(5) / factor),
                ..shiphero::Config::default()
            };
            let (username, password) = (config.username.clone(), config.password.clone());
            let customer = config.children.first().map(|(id, _)| shiphero::global("CustomerAccount", *id));
            let running = shiphero::ShipHero::start(config).await.map_err(|error| failed(&error))?;
            let told = json!({
                "base_url": running.base_url(), "username": username, "password": password,
                "customer_account_id": customer, "warehouse_id": shiphero::global("Warehouse", 1),
            });
            tell(printer, "ShipHero stand-in", &told)?;
            shutdown.cancelled().await;
            running.stop().await;
        }
    }
    Ok(())
}

/// The only facility that such a warehouse has.
const FACILITY: &str = "1";

/// What a file says lies on the shelves: a SKU and its units on each line.
fn shelves(file: &Path) -> Result<Vec<dsfx::SeedStock>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::new(FailureKind::Setup, format!("{} says no stock: {why}", file.display()))
            .remedy("Give a CSV file with a SKU and a number of units on each line, without a heading.")
    };
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_path(file).map_err(|error| wrong(&error))?;
    rows.deserialize::<(String, Decimal)>()
        .map(|row| row.map(|(sku, units)| dsfx::SeedStock::plain(&sku, FACILITY, units)).map_err(|error| wrong(&error)))
        .collect()
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Setup, error.to_string()).remedy("Choose another port or folder.")
}

fn tell(printer: Printer, title: &str, facts: &serde_json::Value) -> Result<(), Failure> {
    printer.answer(facts, |facts| {
        let lines: Vec<String> =
            facts.as_object().into_iter().flatten().map(|(name, value)| format!("  {name} = {value}")).collect();
        format!("{title} is running; Ctrl-C ends it. Settings to reach it:\n{}", lines.join("\n"))
    })
}
