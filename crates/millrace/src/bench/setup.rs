//! A hub to measure: database, configuration and workers, without web or command line.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use connect::{Guard, HttpTransport, HttpWaits, OsRandom, Secret, SystemClock, TenantId, Waits};
use engine::settings::{ConnectionSettings, FirstRun, Increases};

use crate::{
    db::{ChannelKind, ConnectionKey, Database, DatabaseConfig, Mappings, NewEndpoint, Scope},
    seal::Keyring,
    worker::{Seams, Workers},
};

/// What a measured hub is connected to.
pub struct Ends<'a> {
    /// Address of the Brightpearl stand-in.
    pub brightpearl: &'a str,
    /// Folder of the warehouse.
    pub warehouse: &'a Path,
    /// SKUs on both sides.
    pub skus: Vec<String>,
    /// The person's choices.
    pub settings: ConnectionSettings,
    /// Orders one file carries.
    pub orders_per_file: u32,
}

/// A hub with one connection.
pub struct Hub {
    /// Its database.
    pub db: Database,
    /// Its workers.
    pub workers: Arc<Workers>,
    /// Its connection.
    pub key: ConnectionKey,
}

/// The account of every measure.
pub const ACCOUNT: &str = "bench";

/// Settings of every measure.
pub fn settings(status: i64, warehouse: i64) -> ConnectionSettings {
    let mut settings = ConnectionSettings {
        import_statuses: [status].into(),
        warehouse: Some(warehouse),
        default_ship_method: Some(connect::ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() }),
        default_source_method: Some(6),
        ..ConnectionSettings::default()
    };
    settings.stock.first_run = FirstRun::Approve;
    settings.stock.increases = Some(Increases::Correct);
    settings.stock.settle_seconds = 1;
    settings
}

/// Opens a database in `folder` and makes one enabled connection in it.
///
/// # Errors
/// When anything of it fails.
pub async fn hub(folder: &Path, ends: Ends<'_>, waits: Waits) -> anyhow::Result<Hub> {
    let db = Database::open(&DatabaseConfig::new(format!("sqlite:{}", folder.join("bench.db").display()))).await?;
    let random = OsRandom;
    let keyring = Keyring::parse(&Keyring::generate(&random))?;
    let tenant = db.create_tenant("bench").await?;
    let key = connection(&db, &keyring, tenant, ends).await?;
    let clock = Arc::new(SystemClock::default());
    let http = HttpWaits { connect: waits.connect, total: waits.http, ..HttpWaits::default() };
    let seams = Seams {
        clock,
        random: Arc::new(random),
        transport: Arc::new(HttpTransport::new(http, Guard::stand_ins())?),
        files: Arc::new(connectors::files::Files::new(waits, Guard::stand_ins())),
    };
    let workers = Arc::new(Workers::new(db.clone(), keyring, seams, waits, "bench".to_owned()));
    Ok(Hub { db, workers, key })
}

/// Makes one enabled connection of a tenant.
///
/// # Errors
/// When anything of it fails.
pub async fn connection(
    db: &Database,
    keyring: &Keyring,
    tenant: TenantId,
    ends: Ends<'_>,
) -> anyhow::Result<ConnectionKey> {
    let merchant = db.create_merchant(&tenant, "Bench").await?;
    let scope = Scope { tenant, merchant };
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let store = db
        .create_store(
            &scope,
            NewEndpoint {
                name: "Brightpearl".to_owned(),
                platform: "brightpearl".to_owned(),
                values: texts(&[
                    ("datacenter_code", "eu1"),
                    ("account_id", ACCOUNT),
                    ("email", "api.user@example.test"),
                    ("base_url", ends.brightpearl),
                    ("calls_per_minute", "1000000"),
                ]),
                account: ACCOUNT.to_owned(),
            },
        )
        .await?;
    db.put_secret(&scope, store.as_str(), "password", &Secret::new("example-password"), keyring).await?;
    let warehouse = db
        .create_warehouse(
            &scope,
            NewEndpoint {
                name: "Folder".to_owned(),
                platform: simulators::dsfx::PLATFORM.to_owned(),
                values: texts(&[
                    ("transport", "folder"),
                    ("folder", &ends.warehouse.display().to_string()),
                    ("orders_per_file", &ends.orders_per_file.to_string()),
                ]),
                account: String::new(),
            },
        )
        .await?;
    let connection = db.create_connection(&scope, "bench", &store, &warehouse, &ends.settings).await?;
    let key = ConnectionKey { scope, connection };
    let listings = ends.skus.into_iter().map(|sku| (sku.clone(), sku)).collect();
    db.replace_mappings(&key, &Mappings { listings, ..Mappings::default() }).await?;
    for kind in ChannelKind::ALL {
        db.set_channel(&key, kind, true, 1).await?;
    }
    db.enable_connection(&key, true).await?;
    Ok(key)
}
