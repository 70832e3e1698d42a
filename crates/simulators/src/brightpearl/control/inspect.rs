//! Reading back what is and what was done, past the API and its limits.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use super::{ControlError, CorrectionSnapshot, NoteSnapshot, NoteText, OrderSnapshot, RowSnapshot, StockSnapshot};
use crate::brightpearl::Brightpearl;
use crate::brightpearl::account::Account;
use crate::brightpearl::delivery::{DeliveryState, WebhookCall};
use crate::brightpearl::ledger::{LedgerEntry, RequestRecord};
use crate::brightpearl::notes_out::Note;
use crate::brightpearl::orders::Order;

impl Brightpearl {
    fn read<T>(&self, code: &str, work: impl FnOnce(&Account) -> T) -> Result<T, ControlError> {
        let world = self.world();
        world.accounts.get(code).map(work).ok_or_else(|| ControlError::NoAccount(code.to_owned()))
    }

    pub(super) fn delivery(&self) -> MutexGuard<'_, DeliveryState> {
        self.shared.delivery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Codes of the accounts.
    #[must_use]
    pub fn accounts(&self) -> Vec<String> {
        self.world().accounts.keys().cloned().collect()
    }

    /// Every request for a change and every edit by hand, oldest first.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.world().ledger.entries.clone()
    }

    /// The latest requests, with their headers.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.world().ledger.requests.iter().cloned().collect()
    }

    /// Requests by method and message name.
    #[must_use]
    pub fn calls(&self, account: &str) -> BTreeMap<(String, String), u64> {
        let world = self.world();
        let own = world.ledger.calls.iter().filter(|((code, ..), _)| code == account);
        own.map(|((_, method, message), count)| ((method.clone(), message.clone()), *count)).collect()
    }

    /// How many requests were refused for being too many.
    #[must_use]
    pub fn throttled_requests(&self, account: &str) -> u64 {
        self.world().ledger.throttled.get(account).copied().unwrap_or(0)
    }

    /// The most requests in any rolling throttle window.
    #[must_use]
    pub fn busiest_window(&self, account: &str) -> usize {
        self.world().ledger.busiest.get(account).copied().unwrap_or(0)
    }

    /// Every webhook call that was tried.
    #[must_use]
    pub fn webhook_calls(&self) -> Vec<WebhookCall> {
        self.delivery().calls.clone()
    }

    /// Ids of all orders.
    pub fn order_ids(&self, account: &str) -> Result<Vec<i64>, ControlError> {
        self.read(account, |account| account.orders.keys().copied().collect())
    }

    /// An order as it is.
    pub fn order(&self, account: &str, id: i64) -> Result<OrderSnapshot, ControlError> {
        let found =
            self.read(account, |account| account.orders.get(&id).map(|order| order_snapshot(account, order)))?;
        found.ok_or_else(|| ControlError::Missing(format!("order {id}")))
    }

    /// The goods-out notes an order has now.
    pub fn notes(&self, account: &str, order: i64) -> Result<Vec<NoteSnapshot>, ControlError> {
        self.read(account, |account| {
            account.notes.values().filter(|note| note.order_id == order).map(note_snapshot).collect()
        })
    }

    /// All goods-out notes, transfers too.
    pub fn all_notes(&self, account: &str) -> Result<Vec<NoteSnapshot>, ControlError> {
        self.read(account, |account| account.notes.values().map(note_snapshot).collect())
    }

    /// The shipped quantity of every row of an order.
    pub fn shipped(&self, account: &str, order: i64) -> Result<BTreeMap<i64, i64>, ControlError> {
        let order = self.order(account, order)?;
        Ok(order.rows.into_iter().map(|(row, snapshot)| (row, snapshot.shipped)).collect())
    }

    /// The stock of one product in one warehouse.
    pub fn stock(&self, account: &str, product: i64, warehouse: i64) -> Result<StockSnapshot, ControlError> {
        self.read(account, |account| {
            let held = account.stock.holdings.get(&(product, warehouse)).cloned().unwrap_or_default();
            stock_snapshot((product, warehouse), &held)
        })
    }

    /// All stock that was ever held.
    pub fn all_stock(&self, account: &str) -> Result<Vec<StockSnapshot>, ControlError> {
        self.read(account, |account| {
            account.stock.holdings.iter().map(|(place, held)| stock_snapshot(*place, held)).collect()
        })
    }

    /// The lines of all stock corrections.
    pub fn corrections(&self, account: &str) -> Result<Vec<CorrectionSnapshot>, ControlError> {
        self.read(account, |account| {
            let notes = account.stock.corrections.values();
            notes
                .flat_map(|note| {
                    note.moved.iter().map(|moved| CorrectionSnapshot {
                        note_id: note.id,
                        warehouse_id: note.warehouse_id,
                        product_id: moved.product_id,
                        quantity: moved.quantity,
                        reason: note.reason.clone(),
                        created_by: note.created_by,
                    })
                })
                .collect()
        })
    }

    /// Texts in square brackets in the reasons of corrections, with the number of notes that carry each.
    pub fn correction_markers(&self, account: &str) -> Result<BTreeMap<String, usize>, ControlError> {
        self.read(account, |account| {
            let mut markers = BTreeMap::new();
            for note in account.stock.corrections.values() {
                for marker in bracketed(&note.reason) {
                    *markers.entry(marker.to_owned()).or_insert(0) += 1;
                }
            }
            markers
        })
    }

    /// Id of the live product with a SKU, the smallest if there are several.
    pub fn product_id(&self, account: &str, sku: &str) -> Result<i64, ControlError> {
        let found = self.read(account, |account| {
            let mut live = account.products.values().filter(|product| !product.archived);
            live.find(|product| product.sku == sku).map(|product| product.id)
        })?;
        found.ok_or_else(|| ControlError::Missing(format!("product {sku}")))
    }

    /// Id of the order status with a name.
    pub fn status_id(&self, account: &str, name: &str) -> Result<i64, ControlError> {
        let found = self.read(account, |account| {
            account.statuses.values().find(|status| status.name == name).map(|status| status.id)
        })?;
        found.ok_or_else(|| ControlError::Missing(format!("order status {name}")))
    }

    /// Ids and SKUs of live, stock-tracked products with a SKU nobody else has.
    pub fn plain_products(&self, account: &str) -> Result<Vec<(i64, String)>, ControlError> {
        self.read(account, |account| {
            let mut by_sku: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
            for product in account.products.values().filter(|product| !product.sku.is_empty()) {
                by_sku.entry(&product.sku).or_default().push(product.id);
            }
            let plain =
                |id: &i64| account.products.get(id).is_some_and(|product| product.stock_tracked && !product.archived);
            let mut found: Vec<(i64, String)> = by_sku
                .into_iter()
                .filter_map(|(sku, ids)| match ids.as_slice() {
                    [id] if plain(id) => Some((*id, sku.to_owned())),
                    _ => None,
                })
                .collect();
            found.sort();
            found
        })
    }

    /// Live bundles with their components and how many of each.
    pub fn bundles(&self, account: &str) -> Result<BTreeMap<i64, Vec<(i64, i64)>>, ControlError> {
        self.read(account, |account| {
            let bundles =
                account.products.values().filter(|product| !product.components.is_empty() && !product.archived);
            bundles.map(|product| (product.id, product.components.clone())).collect()
        })
    }

    /// Checks that everything was entered on both sides: stock against its movements, allocation against notes and
    /// reservations, nothing negative. The error names every place that does not add up.
    pub fn check_double_entry(&self, account: &str) -> Result<(), String> {
        let faults = self.read(account, double_entry).map_err(|error| error.to_string())?;
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }
}

fn double_entry(account: &Account) -> Vec<String> {
    let mut allocated: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for note in account.notes.values().filter(|note| note.shipped.is_none()) {
        for (_, line) in note.lines() {
            *allocated.entry((line.product_id, note.warehouse_id)).or_insert(0) += line.quantity;
        }
    }
    for held in account.reservations.values() {
        for row in held.rows.values() {
            *allocated.entry((row.product_id, held.warehouse_id)).or_insert(0) += row.quantity;
        }
    }
    let mut faults = Vec::new();
    for ((product, warehouse), held) in &account.stock.holdings {
        let wanted = allocated.remove(&(*product, *warehouse)).unwrap_or(0);
        let place = format!("product {product} in warehouse {warehouse}");
        if held.in_stock() != held.figures.expected() {
            faults.push(format!("{place}: {} in stock, movements say {}", held.in_stock(), held.figures.expected()));
        }
        if held.allocated != wanted {
            faults.push(format!("{place}: {} allocated, notes and reservations say {wanted}", held.allocated));
        }
        if held.on_hand() < 0 || held.allocated < 0 || held.in_stock() < 0 {
            faults.push(format!("{place}: {} in stock, {} allocated", held.in_stock(), held.allocated));
        }
    }
    faults.extend(allocated.keys().map(|(product, warehouse)| {
        format!("product {product} in warehouse {warehouse}: allocated without any stock")
    }));
    faults
}

fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.split('[').skip(1).filter_map(|rest| rest.split_once(']').map(|(marker, _)| marker))
}

fn note_snapshot(note: &Note) -> NoteSnapshot {
    NoteSnapshot {
        id: note.id,
        order_id: note.order_id,
        warehouse_id: note.warehouse_id,
        transfer: note.transfer,
        rows: note.rows.iter().map(|(row, lines)| (*row, lines.iter().map(|line| line.quantity).sum())).collect(),
        reference: note.reference.clone(),
        shipping_method_id: note.method_id,
        boxes: note.boxes,
        weight: note.weight,
        created_by: note.created_by,
        created_on: note.created_on,
        shipped: note.shipped.is_some(),
        shipped_on: note.shipped.map(|(at, _)| at),
        shipped_by: note.shipped.map(|(_, by)| by),
        last_event_version: note.version,
    }
}

fn order_snapshot(account: &Account, order: &Order) -> OrderSnapshot {
    let fulfilled = account.noted_quantities(order);
    let mut shipped: BTreeMap<i64, i64> = BTreeMap::new();
    for note in order.notes_out.iter().filter_map(|id| account.notes.get(id)).filter(|note| note.shipped.is_some()) {
        for (row, lines) in &note.rows {
            *shipped.entry(*row).or_insert(0) += lines.iter().map(|line| line.quantity).sum::<i64>();
        }
    }
    let rows = order.rows.iter().map(|(id, row)| {
        let snapshot = RowSnapshot {
            product_id: row.product_id,
            sku: row.sku.clone(),
            quantity: row.quantity,
            fulfilled: fulfilled.get(id).copied().unwrap_or(0),
            shipped: shipped.get(id).copied().unwrap_or(0),
            ships: row.ships(),
        };
        (*id, snapshot)
    });
    let texts = account.order_notes.values().filter(|note| note.order_id == order.id).map(|note| NoteText {
        id: note.id,
        text: note.text.clone(),
        is_public: note.public,
        added_by: note.added_by,
        status_id: note.status_id,
    });
    OrderSnapshot {
        id: order.id,
        parent_id: order.parent_id,
        type_code: order.kind.code(),
        reference: order.reference.clone(),
        status_id: order.status_id,
        status_name: account.statuses.get(&order.status_id).map_or_else(String::new, |status| status.name.clone()),
        warehouse_id: order.warehouse_id,
        channel_id: order.assignment.channel,
        shipping_method_id: order.shipping_method_id,
        stock_status: order.stock_status,
        allocation_status: order.allocation_status,
        shipping_status: order.shipping_status,
        version: order.version,
        updated_on: order.updated_on,
        rows: rows.collect(),
        texts: texts.collect(),
    }
}

fn stock_snapshot((product, warehouse): (i64, i64), held: &crate::brightpearl::stock::Holding) -> StockSnapshot {
    StockSnapshot {
        product_id: product,
        warehouse_id: warehouse,
        in_stock: held.in_stock(),
        on_hand: held.on_hand(),
        allocated: held.allocated,
        in_quarantine: held.in_quarantine(),
        figures: held.figures,
    }
}
