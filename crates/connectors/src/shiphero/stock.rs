//! Stock: everything of the account, in every warehouse.

use std::collections::BTreeMap;

use connect::{ConnectorError, StockFeed, StockLevel, StockPage, budget::Priority};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    ShipHero,
    client::Purpose,
    documents::STOCK,
    wire::{StockRow, typed},
};

const READ: Purpose = Purpose(Priority::Stock, "stock");

impl ShipHero {
    /// One feed of all warehouses, each a facility. Read in pages, each of which costs credits; a reading that is broken off gives
    /// nothing. The figures are not older than its beginning.
    pub(super) async fn read_stock(&self) -> Result<StockPage, ConnectorError> {
        // Without a date of the server's, our time before the call: nothing later is true of the figures.
        let before = self.clock.now();
        let (rows, at) = self.all(READ, &STOCK, json!({ "customer": self.config.customer })).await?;
        let mut levels: BTreeMap<(String, String), StockLevel> = BTreeMap::new();
        for row in rows {
            let row: StockRow = typed("a row of stock", row)?;
            if row.sku.trim().is_empty() {
                continue;
            }
            let unfit = if self.config.subtract_non_sellable { row.non_sellable() } else { 0.into() };
            let level = StockLevel {
                sku: row.sku.clone(),
                facility: Some(row.warehouse_id.clone()),
                available: Some((row.available - unfit).normalize()),
                physical: Some((row.on_hand - unfit).normalize()),
            };
            // A row that moved to a later page while they were read: the later is the newer.
            levels.insert((row.sku, row.warehouse_id), level);
        }
        let levels: Vec<StockLevel> = levels.into_values().collect();
        let cut_off = at.unwrap_or(before);
        let content = Sha256::digest(serde_json::to_vec(&levels).unwrap_or_default());
        let content: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
        let feed = StockFeed {
            reference: format!("stock levels at {cut_off}"),
            // Equal figures at another time are another feed.
            content_hash: format!("{cut_off}:{content}"),
            cut_off,
            sequence: None,
            absent_is_zero: false,
            names_all: true,
            levels,
        };
        Ok(StockPage { feeds: vec![feed], ..StockPage::default() })
    }
}
