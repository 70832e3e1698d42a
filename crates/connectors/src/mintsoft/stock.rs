//! Stock: whole readings, and what changed since the last one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{ConnectorError, StockFeed, StockLevel, StockPage, budget::Priority};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};

use super::{
    Mintsoft,
    calls::Read,
    client::Purpose,
    wire::{StockRow, list, parse, typed},
};
use crate::times::http_date;

const STOCK: Purpose = Purpose(Priority::Stock, "stock");
/// Where changes are read, everything is read again after so long.
const WHOLE_EVERY: Duration = Duration::from_secs(3600);
/// Changes are read from this long before the last reading on.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Units by SKU and warehouse.
type Levels = BTreeMap<(String, i64), Decimal>;

/// The last readings.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    levels: Levels,
    /// By the service's clock.
    read_at: Timestamp,
    /// When everything was read, on the monotonic clock.
    whole_at: Duration,
}

impl Mintsoft {
    /// One feed of all warehouses, of what is on hand: the service does not say what is available. The figures are those of the
    /// moment of the call, by the server's clock.
    pub(super) async fn read_stock(&self) -> Result<StockPage, ConnectorError> {
        let mut kept = self.counted.lock().await;
        let now = self.clock.monotonic();
        let every = WHOLE_EVERY / self.waits.factor.max(1);
        let basis =
            kept.clone().filter(|last| self.config.stock_by_changes && now.saturating_sub(last.whole_at) < every);
        let counted = match basis {
            Some(last) => {
                let since = last.read_at.checked_sub(OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
                let since = since.to_zoned(self.config.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S").to_string();
                let (changes, read_at) = self.levels(Read::StockSince { since: &since }).await?;
                let mut levels = last.levels;
                levels.extend(changes);
                Counted { levels, read_at, whole_at: last.whole_at }
            }
            None => {
                let (levels, read_at) = self.levels(Read::Stock).await?;
                Counted { levels, read_at, whole_at: now }
            }
        };
        let feed = feed(&counted);
        *kept = Some(counted);
        Ok(StockPage { feeds: vec![feed], ..StockPage::default() })
    }

    async fn levels(&self, read: Read<'_>) -> Result<(Levels, Timestamp), ConnectorError> {
        let what = read.path();
        // Without a date of the server's, our time before the call: nothing later is true of the figures.
        let before = self.clock.now();
        let response = self.client.read(STOCK, read, &self.config).await?;
        let read_at = response.header("date").and_then(http_date).unwrap_or(before);
        let mut rows = Vec::new();
        for row in list(&what, parse(&what, &response)?)? {
            rows.push(typed::<StockRow>("a stock level", row)?);
        }
        let (levels, doubtful) = sorted(rows, self.config.client);
        if !doubtful.is_empty() {
            tracing::warn!(stock.skus = ?doubtful, "two products of the warehouse have one SKU; their stock is left out");
        }
        Ok((levels, read_at))
    }
}

/// The client's own rows, by SKU and warehouse, and the SKUs that stand for two products, which are left out. So are bundles,
/// whose figures are calculated from what they are made of.
fn sorted(rows: Vec<StockRow>, client: Option<i64>) -> (Levels, BTreeSet<String>) {
    let mut levels = Levels::new();
    let mut products: BTreeMap<(String, i64), Option<i64>> = BTreeMap::new();
    let mut doubtful = BTreeSet::new();
    for row in rows {
        let is_ours = client.is_none_or(|client| row.client_id.is_none_or(|other| other == client));
        if !is_ours || row.bundle == Some(true) || row.sku.trim().is_empty() {
            continue;
        }
        let place = (row.sku, row.warehouse_id);
        match products.insert(place.clone(), row.product_id) {
            Some(other) if other != row.product_id || levels.get(&place) != Some(&row.level) => {
                doubtful.insert(place.0.clone());
            }
            _ => {}
        }
        levels.insert(place, row.level);
    }
    levels.retain(|(sku, _), _| !doubtful.contains(sku));
    (levels, doubtful)
}

fn feed(counted: &Counted) -> StockFeed {
    let levels: Vec<StockLevel> = counted
        .levels
        .iter()
        .map(|((sku, warehouse), units)| StockLevel {
            sku: sku.clone(),
            facility: Some(warehouse.to_string()),
            available: None,
            physical: Some(units.normalize()),
        })
        .collect();
    let cut_off = counted.read_at;
    let content_hash = Sha256::digest(serde_json::to_vec(&levels).unwrap_or_default());
    StockFeed {
        reference: format!("stock levels at {cut_off}"),
        // Equal figures at another time are another feed.
        content_hash: format!(
            "{cut_off}:{}",
            content_hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        ),
        cut_off,
        sequence: None,
        absent_is_zero: false,
        names_all: true,
        levels,
    }
}
