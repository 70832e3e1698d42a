//! The ledger of stock: what is in each warehouse, by batch and location, and every movement.
//!
//! In stock is what the batches hold; on hand is in stock without what is allocated to notes and reservations. None of
//! the three is ever negative. What waits in quarantine belongs to neither (*assumption*: it shows as in transit).

pub(crate) mod availability;
pub(crate) mod correction;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

/// Product and warehouse.
pub(crate) type Place = (i64, i64);

/// Goods of one receipt in one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The goods note that brought them.
    pub(crate) note_id: i64,
    pub(crate) location_id: i64,
    pub(crate) quantity: i64,
    pub(crate) cost: Decimal,
}

/// How the stock of one product in one warehouse came to be, for double entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StockFigures {
    /// In stock at the start.
    pub initial: i64,
    /// Sum of corrections, signed.
    pub corrected: i64,
    /// Received by goods-in notes and out of quarantine.
    pub received: i64,
    /// Left with shipped goods-out notes of orders.
    pub shipped: i64,
    /// Left with shipped transfers.
    pub transferred: i64,
}

impl StockFigures {
    /// What must be in stock if every movement was entered on both sides.
    #[must_use]
    pub fn expected(&self) -> i64 {
        self.initial + self.corrected + self.received - self.shipped - self.transferred
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Holding {
    pub(crate) batches: Vec<Batch>,
    pub(crate) quarantine: Vec<Batch>,
    pub(crate) allocated: i64,
    pub(crate) figures: StockFigures,
}

impl Holding {
    pub(crate) fn in_stock(&self) -> i64 {
        self.batches.iter().map(|batch| batch.quantity).sum()
    }

    pub(crate) fn on_hand(&self) -> i64 {
        self.in_stock() - self.allocated
    }

    pub(crate) fn in_quarantine(&self) -> i64 {
        self.quarantine.iter().map(|batch| batch.quantity).sum()
    }

    pub(crate) fn in_location(&self, location: i64) -> i64 {
        self.batches.iter().filter(|batch| batch.location_id == location).map(|batch| batch.quantity).sum()
    }

    pub(crate) fn in_batch(&self, note: i64) -> i64 {
        self.batches.iter().filter(|batch| batch.note_id == note).map(|batch| batch.quantity).sum()
    }

    /// Takes goods out, oldest batch first, those that match `preferred` before others.
    pub(crate) fn take(&mut self, mut quantity: i64, preferred: impl Fn(&Batch) -> bool) -> Vec<Batch> {
        let mut taken = Vec::new();
        for only_preferred in [true, false] {
            for batch in self.batches.iter_mut().filter(|batch| !only_preferred || preferred(batch)) {
                let piece = batch.quantity.min(quantity);
                if piece > 0 {
                    batch.quantity -= piece;
                    quantity -= piece;
                    taken.push(Batch { quantity: piece, ..batch.clone() });
                }
            }
        }
        self.batches.retain(|batch| batch.quantity > 0);
        taken
    }

    /// Where the next goods to be allocated lie: oldest first, behind what is allocated already.
    pub(crate) fn locations_for(&self, quantity: i64) -> Vec<(i64, i64)> {
        let (mut skip, mut rest) = (self.allocated, quantity);
        let mut places: Vec<(i64, i64)> = Vec::new();
        for batch in &self.batches {
            let skipped = batch.quantity.min(skip);
            skip -= skipped;
            let piece = (batch.quantity - skipped).min(rest);
            if piece > 0 {
                rest -= piece;
                match places.iter_mut().find(|(location, _)| *location == batch.location_id) {
                    Some((_, amount)) => *amount += piece,
                    None => places.push((batch.location_id, piece)),
                }
            }
        }
        places
    }
}

/// One line of the goods-movement search.
#[derive(Clone, Debug)]
pub(crate) struct Movement {
    pub(crate) id: i64,
    pub(crate) product_id: i64,
    pub(crate) sales_row: Option<i64>,
    pub(crate) purchase_row: Option<i64>,
    pub(crate) quantity: i64,
    pub(crate) location_id: i64,
    pub(crate) warehouse_id: i64,
    pub(crate) note_id: i64,
    pub(crate) value: Decimal,
    pub(crate) currency: String,
    pub(crate) order_id: Option<i64>,
    /// Not while the goods still wait on an unshipped note.
    pub(crate) cleared: bool,
    /// Whether the goods went into quarantine (*assumption*). What leaves it goes into stock, and is no movement of quarantine.
    pub(crate) quarantine: bool,
    pub(crate) batch_id: i64,
    pub(crate) code: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) searched_from: Timestamp,
}

/// A stock correction note.
#[derive(Clone, Debug)]
pub(crate) struct Correction {
    pub(crate) id: i64,
    pub(crate) warehouse_id: i64,
    pub(crate) reason: String,
    pub(crate) order_id: Option<i64>,
    pub(crate) moved: Vec<Moved>,
    pub(crate) created_on: Timestamp,
    pub(crate) created_by: i64,
    pub(crate) read_from: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) product_id: i64,
    pub(crate) quantity: i64,
    pub(crate) location_id: i64,
    pub(crate) batch_id: i64,
    pub(crate) value: Decimal,
}

#[derive(Debug, Default)]
pub(crate) struct Stock {
    pub(crate) holdings: BTreeMap<Place, Holding>,
    pub(crate) movements: Vec<Movement>,
    pub(crate) corrections: BTreeMap<i64, Correction>,
}

impl Stock {
    pub(crate) fn holding(&mut self, product: i64, warehouse: i64) -> &mut Holding {
        self.holdings.entry((product, warehouse)).or_default()
    }

    pub(crate) fn on_hand(&self, product: i64, warehouse: i64) -> i64 {
        self.holdings.get(&(product, warehouse)).map_or(0, Holding::on_hand)
    }

    /// The holdings of one product, by warehouse.
    pub(crate) fn of_product(&self, product: i64) -> impl Iterator<Item = (i64, &Holding)> {
        self.holdings.range((product, i64::MIN)..=(product, i64::MAX)).map(|((_, warehouse), held)| (*warehouse, held))
    }

    /// Marks goods as allocated. The caller has made sure that there are enough on hand.
    pub(crate) fn allocate(&mut self, product: i64, warehouse: i64, quantity: i64) {
        self.holding(product, warehouse).allocated += quantity;
    }

    /// Gives allocated goods back.
    pub(crate) fn release(&mut self, product: i64, warehouse: i64, quantity: i64) {
        self.holding(product, warehouse).allocated -= quantity;
    }

    /// Opening stock of an account.
    pub(crate) fn open(&mut self, product: i64, warehouse: i64, batch: Batch) {
        let holding = self.holding(product, warehouse);
        holding.figures.initial += batch.quantity;
        holding.batches.push(batch);
    }
}
