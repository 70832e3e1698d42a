//! Orders, shelves and hands: what the warehouse does, without files or a clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::ledger::{LedgerContent, LedgerLine, LedgerOrder, LedgerPackage, LedgerShipment, OrderState, StockRow};
use super::order_file::ReceivedOrder;

/// What happens to an order between its acceptance and its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Handling {
    /// All of it, in one box.
    Full,
    /// All of it, spread over up to this many boxes.
    Boxes(usize),
    /// About half, and the rest in a later shipment.
    PartThenRest,
    /// About half, and nothing else ever.
    Short,
    /// Nothing, until told otherwise.
    Wait,
    /// Exactly these shipments, then the order is finished, complete or not.
    Exactly(Vec<PlannedShipment>),
}

/// One shipment of [`Handling::Exactly`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedShipment {
    /// Boxes, each with line numbers and units. More than is open or on the shelf is cut to what there is.
    pub boxes: Vec<Vec<(String, Decimal)>>,
}

/// How the warehouse works when nobody tells it. Shares are percent of orders; what they leave is shipped in full in
/// one box.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    /// From acceptance to the first shipment.
    pub delay: Duration,
    /// From one shipment of an order to its next, and between two looks at an empty shelf.
    pub rest_delay: Duration,
    /// Share shipped in two parts.
    pub part_then_rest_percent: u8,
    /// Share finished with less than asked.
    pub short_percent: u8,
    /// Share shipped in several boxes.
    pub boxes_percent: u8,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(5),
            rest_delay: Duration::from_secs(5),
            part_then_rest_percent: 15,
            short_percent: 5,
            boxes_percent: 15,
        }
    }
}

/// What a SKU brings along, and how much of it there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedStock {
    /// Warehouse SKU.
    pub sku: String,
    /// Facility it lies in.
    pub facility: String,
    /// Units on the shelf.
    pub physical: Decimal,
    /// Lot of those units, empty for none.
    pub lot: String,
    /// Whether each unit has a serial number.
    pub serials: bool,
}

impl SeedStock {
    /// Units without lot or serial numbers.
    #[must_use]
    pub fn plain(sku: &str, facility: &str, physical: Decimal) -> Self {
        Self { sku: sku.to_owned(), facility: facility.to_owned(), physical, lot: String::new(), serials: false }
    }
}

#[derive(Clone, Debug)]
struct Shelf {
    physical: Decimal,
    lot: String,
    serials: bool,
}

#[derive(Clone, Debug)]
struct Step {
    take: Take,
    boxes: usize,
}

#[derive(Clone, Debug)]
enum Take {
    Rest,
    Half,
    Exactly(Vec<Vec<(String, Decimal)>>),
}

#[derive(Clone, Debug)]
struct Work {
    order: LedgerOrder,
    steps: VecDeque<Step>,
    /// When the next step is due; `None` when nothing is.
    due: Option<Timestamp>,
    /// What is left when the steps are done stays unshipped for good.
    ends_short: bool,
}

/// Units of a line, by its place in the order.
type Pick = (usize, Decimal);

pub(super) struct Warehouse {
    habits: Habits,
    seed: u64,
    work: Vec<Work>,
    by_number: BTreeMap<String, Vec<usize>>,
    shelves: BTreeMap<(String, String), Shelf>,
    told: BTreeMap<String, Handling>,
    shipments: u64,
    boxes: u64,
    serials: u64,
}

impl Warehouse {
    pub(super) fn new(habits: Habits, seed: u64, stock: &[SeedStock]) -> Self {
        let mut warehouse = Self {
            habits,
            seed,
            work: Vec::new(),
            by_number: BTreeMap::new(),
            shelves: BTreeMap::new(),
            told: BTreeMap::new(),
            shipments: 0,
            boxes: 0,
            serials: 0,
        };
        for stock in stock {
            warehouse.seed_stock(stock);
        }
        warehouse
    }

    pub(super) fn seed_stock(&mut self, stock: &SeedStock) {
        let key = (stock.sku.clone(), stock.facility.clone());
        self.shelves.insert(
            key,
            Shelf { physical: stock.physical.max(Decimal::ZERO), lot: stock.lot.clone(), serials: stock.serials },
        );
    }

    /// Sets what a count finds; `false` when the SKU does not lie in the facility.
    pub(super) fn set_physical(&mut self, sku: &str, facility: &str, physical: Decimal) -> bool {
        match self.shelves.get_mut(&(sku.to_owned(), facility.to_owned())) {
            Some(shelf) => {
                shelf.physical = physical.max(Decimal::ZERO);
                true
            }
            None => false,
        }
    }

    /// Why this order cannot be taken: a SKU or facility that is not known here.
    pub(super) fn refusal(&self, order: &ReceivedOrder, facility: &str) -> Option<String> {
        order
            .lines
            .iter()
            .find(|line| !self.shelves.contains_key(&(line.sku.clone(), facility.to_owned())))
            .map(|line| format!("order {}: SKU {:?} is not known in facility {facility:?}", order.number, line.sku))
    }

    pub(super) fn accept(&mut self, order: ReceivedOrder, file: &str, facility: &str, now: Timestamp) {
        let at = self.work.len();
        let receipt = at as u64 + 1;
        let handling = self.told.get(&order.number).cloned().unwrap_or_else(|| self.habit(receipt));
        let (steps, ends_short) = plan(handling);
        let due =
            (!steps.is_empty() || ends_short).then(|| now.checked_add(self.habits.delay).unwrap_or(Timestamp::MAX));
        self.by_number.entry(order.number.clone()).or_default().push(at);
        self.work.push(Work {
            order: LedgerOrder {
                receipt,
                number: order.number,
                file: file.to_owned(),
                received_at: now,
                facility: facility.to_owned(),
                po_number: order.po_number,
                email: order.email,
                ship_to: order.ship_to,
                ship_method: order.ship_method,
                payment_type: order.payment_type,
                notes: order.notes,
                state: OrderState::Open,
                lines: order
                    .lines
                    .into_iter()
                    .map(|line| LedgerLine {
                        number: line.number,
                        sku: line.sku,
                        ordered: line.quantity,
                        shipped: Decimal::ZERO,
                        unit_price: line.unit_price,
                        substituted: false,
                    })
                    .collect(),
                shipments: Vec::new(),
            },
            steps,
            due,
            ends_short,
        });
    }

    /// Overrides the habit for an order number, now and for every later receipt of it. An order that is already here
    /// and not finished is due at once.
    pub(super) fn tell(&mut self, number: &str, handling: Handling) {
        for at in self.by_number.get(number).into_iter().flatten() {
            let Some(work) = self.work.get_mut(*at) else {
                continue;
            };
            if matches!(work.order.state, OrderState::Open | OrderState::PartShipped) {
                (work.steps, work.ends_short) = plan(handling.clone());
                work.due = (!work.steps.is_empty() || work.ends_short).then_some(Timestamp::MIN);
            }
        }
        self.told.insert(number.to_owned(), handling);
    }

    /// Takes another SKU for a line of the orders of this number; `false` when there is no such line.
    pub(super) fn substitute(&mut self, number: &str, line: &str, sku: &str) -> bool {
        let mut found = false;
        for at in self.by_number.get(number).into_iter().flatten() {
            let lines = self.work.get_mut(*at).map(|work| work.order.lines.iter_mut()).into_iter().flatten();
            for one in lines.filter(|one| one.number == line) {
                sku.clone_into(&mut one.sku);
                one.substituted = true;
                found = true;
            }
        }
        found
    }

    /// Gives up the orders of this number of which nothing has left, and returns them.
    pub(super) fn cancel(&mut self, number: &str) -> Vec<LedgerOrder> {
        let mut cancelled = Vec::new();
        for at in self.by_number.get(number).into_iter().flatten() {
            if let Some(work) = self.work.get_mut(*at)
                && work.order.state == OrderState::Open
                && work.order.shipments.is_empty()
            {
                work.steps.clear();
                work.due = None;
                work.order.state = OrderState::Cancelled;
                cancelled.push(work.order.clone());
            }
        }
        cancelled
    }

    /// Ships whatever is due. Returns (order, shipment) positions, oldest order first.
    pub(super) fn ship_due(&mut self, now: Timestamp) -> Vec<(usize, usize)> {
        let mut shipped = Vec::new();
        for at in 0..self.work.len() {
            // One shipment per order and tick: what follows is due later.
            if self.is_due(at, now)
                && let Some(shipment) = self.step(at, now)
            {
                shipped.push((at, shipment));
            }
        }
        shipped
    }

    pub(super) fn shipped(
        &self,
        positions: &[(usize, usize)],
    ) -> impl Iterator<Item = (&LedgerOrder, &LedgerShipment)> {
        positions.iter().filter_map(|(order, shipment)| {
            let order = &self.work.get(*order)?.order;
            Some((order, order.shipments.get(*shipment)?))
        })
    }

    pub(super) fn orders(&self) -> BTreeMap<String, Vec<LedgerOrder>> {
        self.by_number
            .iter()
            .map(|(number, places)| {
                let orders = places.iter().filter_map(|at| self.work.get(*at)).map(|work| work.order.clone()).collect();
                (number.clone(), orders)
            })
            .collect()
    }

    pub(super) fn duplicates(&self) -> BTreeMap<String, usize> {
        self.by_number
            .iter()
            .filter(|(_, places)| places.len() > 1)
            .map(|(number, places)| (number.clone(), places.len()))
            .collect()
    }

    /// Orders that still have something to do.
    pub(super) fn open(&self) -> usize {
        self.work.iter().filter(|work| matches!(work.order.state, OrderState::Open | OrderState::PartShipped)).count()
    }

    pub(super) fn stock(&self) -> Vec<StockRow> {
        let mut committed: BTreeMap<(&str, &str), Decimal> = BTreeMap::new();
        for work in &self.work {
            if matches!(work.order.state, OrderState::Open | OrderState::PartShipped) {
                for line in &work.order.lines {
                    *committed.entry((&line.sku, &work.order.facility)).or_default() += line.remaining();
                }
            }
        }
        self.shelves
            .iter()
            .map(|((sku, facility), shelf)| {
                let committed = committed.get(&(sku.as_str(), facility.as_str())).copied().unwrap_or_default();
                StockRow {
                    sku: sku.clone(),
                    facility: facility.clone(),
                    physical: shelf.physical,
                    committed,
                    available: shelf.physical - committed,
                }
            })
            .collect()
    }

    fn habit(&self, receipt: u64) -> Handling {
        // Drawn from the receipt, not from a running generator: the outcome of an order does not depend on its
        // neighbours' timing.
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_mul(0x9E37_79B9).wrapping_add(receipt));
        let drawn = rng.random_range(0..100_u16);
        let part = u16::from(self.habits.part_then_rest_percent);
        let short = part + u16::from(self.habits.short_percent);
        let boxes = short + u16::from(self.habits.boxes_percent);
        if drawn < part {
            Handling::PartThenRest
        } else if drawn < short {
            Handling::Short
        } else if drawn < boxes {
            Handling::Boxes(rng.random_range(2..=4))
        } else {
            Handling::Full
        }
    }

    fn is_due(&self, at: usize, now: Timestamp) -> bool {
        self.work.get(at).is_some_and(|work| work.due.is_some_and(|due| due <= now))
    }

    /// One step of one order. Returns the place of the shipment it made.
    fn step(&mut self, at: usize, now: Timestamp) -> Option<usize> {
        let later = now.checked_add(self.habits.rest_delay).unwrap_or(Timestamp::MAX);
        let work = self.work.get(at)?;
        let picked = match work.steps.front() {
            Some(step) => self.limit(&work.order, wanted(&work.order, step)),
            None => Vec::new(),
        };
        let waits_for_stock =
            picked.is_empty() && work.steps.front().is_some_and(|step| !wanted(&work.order, step).is_empty());
        if waits_for_stock {
            self.work.get_mut(at)?.due = Some(later);
            return None;
        }
        let made = if picked.is_empty() { None } else { Some(self.dispatch(at, &picked, now)?) };
        let work = self.work.get_mut(at)?;
        work.steps.pop_front();
        let remaining = work.order.lines.iter().any(|line| line.remaining() > Decimal::ZERO);
        let (state, due) = if !remaining {
            work.steps.clear();
            (OrderState::Shipped, None)
        } else if work.steps.is_empty() && work.ends_short {
            (OrderState::ShippedShort, None)
        } else {
            if work.steps.is_empty() {
                work.steps.push_back(Step { take: Take::Rest, boxes: 1 });
            }
            let state = if work.order.shipments.is_empty() { OrderState::Open } else { OrderState::PartShipped };
            (state, Some(later))
        };
        work.order.state = state;
        work.due = due;
        made
    }

    /// Cuts what is wanted to what is open and on the shelf; empty boxes vanish.
    fn limit(&self, order: &LedgerOrder, boxes: Vec<Vec<Pick>>) -> Vec<Vec<Pick>> {
        let mut open: Vec<Decimal> = order.lines.iter().map(LedgerLine::remaining).collect();
        let mut shelf: BTreeMap<&str, Decimal> = BTreeMap::new();
        for line in &order.lines {
            let key = (line.sku.clone(), order.facility.clone());
            let physical = self.shelves.get(&key).map_or(Decimal::ZERO, |shelf| shelf.physical);
            shelf.insert(&line.sku, physical);
        }
        boxes
            .into_iter()
            .map(|picks| {
                picks
                    .into_iter()
                    .filter_map(|(line_at, quantity)| {
                        let sku = order.lines.get(line_at)?.sku.as_str();
                        let open = open.get_mut(line_at)?;
                        let shelf = shelf.get_mut(sku)?;
                        let taken = quantity.min(*open).min(*shelf);
                        *open -= taken;
                        *shelf -= taken;
                        (taken > Decimal::ZERO).then_some((line_at, taken))
                    })
                    .collect::<Vec<_>>()
            })
            .filter(|picks| !picks.is_empty())
            .collect()
    }

    fn dispatch(&mut self, at: usize, boxes: &[Vec<Pick>], now: Timestamp) -> Option<usize> {
        let work = self.work.get_mut(at)?;
        let facility = work.order.facility.clone();
        let mut packages = Vec::new();
        for (index, picks) in boxes.iter().enumerate() {
            let mut contents = Vec::new();
            for (line_at, quantity) in picks {
                let line = work.order.lines.get_mut(*line_at)?;
                let shelf = self.shelves.get_mut(&(line.sku.clone(), facility.clone()))?;
                line.shipped += quantity;
                shelf.physical -= quantity;
                let mut serials = Vec::new();
                if shelf.serials {
                    let mut unit = Decimal::ONE;
                    while unit <= *quantity {
                        self.serials += 1;
                        serials.push(format!("SN{:08}", self.serials));
                        unit += Decimal::ONE;
                    }
                }
                contents.push(LedgerContent {
                    line_number: line.number.clone(),
                    sku: line.sku.clone(),
                    quantity: *quantity,
                    lot: shelf.lot.clone(),
                    serials,
                });
            }
            self.boxes += 1;
            packages.push(LedgerPackage {
                number: index + 1,
                tracking_number: format!("1ZDSFX{:010}", self.boxes),
                contents,
            });
        }
        self.shipments += 1;
        let (carrier, service) = carrier_and_service(&work.order.ship_method);
        work.order.shipments.push(LedgerShipment {
            shipment_id: format!("DS{:08}", self.shipments),
            shipped_at: now,
            carrier,
            service,
            packages,
        });
        Some(work.order.shipments.len() - 1)
    }
}

/// The steps of a handling, and whether what they leave stays unshipped for good.
fn plan(handling: Handling) -> (VecDeque<Step>, bool) {
    let step = |take, boxes| Step { take, boxes };
    match handling {
        Handling::Full => (VecDeque::from([step(Take::Rest, 1)]), false),
        Handling::Boxes(boxes) => (VecDeque::from([step(Take::Rest, boxes.max(1))]), false),
        Handling::PartThenRest => (VecDeque::from([step(Take::Half, 1), step(Take::Rest, 1)]), false),
        Handling::Short => (VecDeque::from([step(Take::Half, 1)]), true),
        Handling::Wait => (VecDeque::new(), false),
        Handling::Exactly(shipments) => {
            (shipments.into_iter().map(|shipment| step(Take::Exactly(shipment.boxes), 1)).collect(), true)
        }
    }
}

/// What a step would take if stock were endless, by box.
fn wanted(order: &LedgerOrder, step: &Step) -> Vec<Vec<Pick>> {
    let rest: Vec<Pick> = order
        .lines
        .iter()
        .map(LedgerLine::remaining)
        .enumerate()
        .filter(|(_, quantity)| *quantity > Decimal::ZERO)
        .collect();
    match &step.take {
        Take::Rest => spread(&rest, step.boxes),
        Take::Half => {
            let half: Vec<Pick> = rest
                .iter()
                .map(|(line, quantity)| (*line, (*quantity / Decimal::TWO).floor()))
                .filter(|(_, quantity)| *quantity > Decimal::ZERO)
                .collect();
            // Single units cannot be halved: then the first line leaves whole.
            let half = if half.is_empty() { rest.iter().take(1).copied().collect() } else { half };
            spread(&half, step.boxes)
        }
        Take::Exactly(boxes) => boxes
            .iter()
            .map(|contents| {
                contents
                    .iter()
                    .filter_map(|(number, quantity)| {
                        let at = order.lines.iter().position(|line| line.number == *number)?;
                        Some((at, *quantity))
                    })
                    .collect()
            })
            .filter(|contents: &Vec<Pick>| !contents.is_empty())
            .collect(),
    }
}

/// Deals whole units out to boxes, one after the other; a fraction goes into the first box.
fn spread(picks: &[Pick], boxes: usize) -> Vec<Vec<Pick>> {
    let count = Decimal::from(boxes.max(1));
    let mut filled = vec![Vec::new(); boxes.max(1)];
    for (line, quantity) in picks {
        let share = (*quantity / count).floor();
        let mut left = *quantity - share * count;
        for contents in &mut filled {
            let extra = left.min(Decimal::ONE);
            left -= extra;
            if share + extra > Decimal::ZERO {
                contents.push((*line, share + extra));
            }
        }
    }
    filled.retain(|contents| !contents.is_empty());
    filled
}

/// A ship method is *carrier + service code*; without a separator it is all carrier.
fn carrier_and_service(method: &str) -> (String, String) {
    match method.split_once([' ', '_']) {
        Some((carrier, service)) => (carrier.to_owned(), service.to_owned()),
        None => (method.to_owned(), String::new()),
    }
}
