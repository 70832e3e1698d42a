//! Stock summaries, page by page, whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorError, StockFeed, StockLevel, StockPage, budget::Priority};
use rust_decimal::Decimal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Extensiv,
    client::{Purpose, parse, rql},
    settings::InventoryMode,
    wire::{StockSummary, page, typed},
};
use crate::times::http_date;

const STOCK: Purpose = Purpose(Priority::Stock, "stock");
/// Rows a page, the most that is allowed.
const PAGE: usize = 500;
/// SKUs asked for in one filter, and the characters they may take in the address.
const SKUS_AT_ONCE: usize = 100;
const LONGEST_FILTER: usize = 1200;

impl Extensiv {
    /// One feed of all facilities. The figures are those of the moment of the first page, by the server's clock. Figures
    /// of one item under several qualifiers are added up.
    pub(super) async fn read_stock(&self) -> Result<StockPage, ConnectorError> {
        let filter = format!("customerIdentifier.id=={}", self.config.customer);
        let mut cut_off = self.clock.now();
        let mut rows: Vec<StockSummary> = Vec::new();
        let mut total = 0;
        for number in 1.. {
            let query = [("pgsiz", PAGE.to_string()), ("pgnum", number.to_string()), ("rql", filter.clone())];
            let response = self.client.get(STOCK, "/inventory/stocksummaries", &query).await?;
            let (said, list) = page("stock summaries", &parse("stock summaries", &response)?)?;
            if number == 1 {
                total = said;
                // Without a date of the server's, our time before the call: nothing later is true of the figures.
                cut_off = response.header("date").and_then(http_date).unwrap_or(cut_off);
            }
            if said != total {
                return Err(ConnectorError::transient("the stock changed while it was read; it is read again"));
            }
            let some = list.len();
            for row in list {
                rows.push(typed("a stock summary", row)?);
            }
            // A page that is not full is the last one, whatever total was promised.
            if some < PAGE || number * PAGE >= total {
                break;
            }
        }
        if rows.len() != total {
            return Err(ConnectorError::transient(format!(
                "the stock came with {} rows where {total} were promised, and was not used",
                rows.len()
            )));
        }
        let mut sums: BTreeMap<(String, i64), (Decimal, Decimal)> = BTreeMap::new();
        for row in rows {
            let (available, on_hand) = sums.entry((row.item_identifier.sku, row.facility_id)).or_default();
            *available += row.available;
            *on_hand += row.on_hand;
        }
        let strangers = self.strangers(sums.keys().map(|(sku, _)| sku.as_str())).await?;
        if !strangers.is_empty() {
            tracing::warn!(
                warehouse.customer = self.config.customer,
                stock.skus = ?strangers,
                "stock rows name SKUs that are not among the customer's items; they are left out"
            );
        }
        let mode = self.config.inventory_mode;
        let levels: Vec<StockLevel> = sums
            .into_iter()
            .filter(|((sku, _), _)| !strangers.contains(sku))
            .map(|((sku, facility), (available, on_hand))| StockLevel {
                sku,
                facility: Some(facility.to_string()),
                available: (mode != InventoryMode::OnHand).then(|| available.normalize()),
                physical: (mode != InventoryMode::Available).then(|| on_hand.normalize()),
            })
            .collect();
        let content_hash = Sha256::digest(serde_json::to_vec(&levels).unwrap_or_default());
        let feed = StockFeed {
            reference: format!("stock summaries of customer {} at {cut_off}", self.config.customer),
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
        };
        Ok(StockPage { feeds: vec![feed], ..StockPage::default() })
    }

    /// The SKUs that are not the customer's items. Stock rows name no customer, so the call's filter is the only fence
    /// between merchants; this is the second look over it. Items once seen are remembered.
    async fn strangers(&self, skus: impl Iterator<Item = &str>) -> Result<BTreeSet<String>, ConnectorError> {
        let unseen: Vec<String> = {
            let seen = self.items_seen.lock().await;
            let unseen: BTreeSet<&str> = skus.filter(|sku| !seen.contains(*sku)).collect();
            unseen.into_iter().map(str::to_owned).collect()
        };
        let path = format!("/customers/{}/items", self.config.customer);
        let mut strangers: BTreeSet<String> = unseen.iter().cloned().collect();
        let mut rest = unseen.as_slice();
        while !rest.is_empty() {
            let mut length = 0;
            let count = rest
                .iter()
                .take(SKUS_AT_ONCE)
                .take_while(|sku| {
                    length += 3 * rql(sku).len() + 3;
                    length <= LONGEST_FILTER
                })
                .count()
                .max(1);
            let (some, later) = rest.split_at(count);
            let list: Vec<String> = some.iter().map(|sku| rql(sku)).collect();
            let query = [
                ("pgsiz", SKUS_AT_ONCE.to_string()),
                ("pgnum", "1".to_owned()),
                ("rql", format!("sku=in=({})", list.join(","))),
            ];
            let (_, items) = page("items", &self.client.get_json(STOCK, &path, &query).await?)?;
            let known: BTreeSet<&str> =
                items.iter().filter_map(|item| item.get("sku").and_then(Value::as_str)).collect();
            strangers.retain(|sku| !known.contains(sku.as_str()));
            rest = later;
        }
        let mut seen = self.items_seen.lock().await;
        seen.extend(unseen.into_iter().filter(|sku| !strangers.contains(sku)));
        Ok(strangers)
    }
}
