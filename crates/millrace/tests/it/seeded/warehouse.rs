//! A small warehouse on the other side of the folder: it takes orders, ships them whole, in part or in several boxes, and
//! says what left and what it counts in the file exchange's default layouts. Or one that stands behind an API ([`RestWarehouse`]):
//! then this is its ledger, and what it does.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{files::ModelFolder, random::Dice, rest::RestWarehouse, trace::Trace};

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub number: u32,
    pub sku: String,
    pub asked: i64,
    pub shipped: i64,
}

/// An order as it came in.
#[derive(Debug, Clone)]
pub struct WarehouseOrder {
    pub key: String,
    pub lines: Vec<Line>,
    /// It was stopped before anything left.
    pub cancelled: bool,
    /// It was not let go: nobody works on it.
    pub held: bool,
    /// Behind an API: the id of what of it has not left; 0: nothing.
    open: i64,
}

/// One box: its tracking number, and line number, SKU and units of what is in it.
pub type Packed = (String, Vec<(u32, String, i64)>);

/// What left, with line number, SKU and quantity by box.
#[derive(Debug, Clone)]
pub struct Left {
    pub id: String,
    pub key: String,
    pub at: Timestamp,
    pub boxes: Vec<Packed>,
}

impl Left {
    /// The tracking numbers, in box order.
    pub fn tracking(&self) -> Vec<String> {
        self.boxes.iter().map(|(tracking, _)| tracking.clone()).collect()
    }
}

/// The warehouse and its ledger.
pub struct Warehouse {
    folder: Arc<ModelFolder>,
    /// It is behind an API, and not on the other side of the folder.
    rest: Option<Arc<RestWarehouse>>,
    /// Behind an API: what was taken over already.
    taken: BTreeMap<i64, usize>,
    trace: Arc<Trace>,
    dice: Dice,
    /// Every order that came in, repeats included.
    pub orders: Vec<WarehouseOrder>,
    pub left: Vec<Left>,
    /// Physically there.
    pub stock: BTreeMap<String, i64>,
    /// Found or lost in counting, by SKU, with the time.
    pub found: BTreeMap<String, Vec<(Timestamp, i64)>>,
    /// Shipments not yet in a file.
    unsaid: Vec<usize>,
    /// Files half written: path and whole content.
    half: Vec<(String, Vec<u8>)>,
    files: u64,
    /// What it took in goes to an archive.
    pub keeps_order_files: bool,
    /// The latest counts: when, and SKU, available and physical units.
    counts: Vec<Counted>,
}

/// A count: when, and SKU, available and physical units.
type Counted = (Timestamp, Vec<(String, i64, i64)>);

const SHIPMENT_COLUMNS: &str = "order_number,shipment_id,shipped_at,carrier,service,package_number,tracking_number,line_number,sku,quantity,lot,serial";
const STOCK_COLUMNS: &str = "sku,available,on_hand,facility_id,counted_at";

impl WarehouseOrder {
    /// Whether it has this id behind the API. One of which all has left has none any more.
    pub fn is(&self, id: i64) -> bool {
        self.open == id
    }
}

impl Warehouse {
    pub fn new(
        seed: u64,
        folder: Arc<ModelFolder>,
        rest: Option<Arc<RestWarehouse>>,
        trace: Arc<Trace>,
        stock: BTreeMap<String, i64>,
    ) -> Self {
        if let Some(rest) = &rest {
            rest.state().stock.clone_from(&stock);
        }
        let dice = Dice::new(seed, "warehouse");
        let keeps_order_files = dice.chance(300);
        Self {
            folder,
            rest,
            taken: BTreeMap::new(),
            trace,
            dice,
            orders: Vec::new(),
            left: Vec::new(),
            stock,
            found: BTreeMap::new(),
            unsaid: Vec::new(),
            half: Vec::new(),
            files: 0,
            keeps_order_files,
            counts: Vec::new(),
        }
    }

    /// Takes the order files out of the folder. Every header row is an order, whether its number was there before or not.
    pub fn pull(&mut self, now: Timestamp) {
        if let Some(rest) = self.rest.clone() {
            self.takes_over(now, &rest);
            return;
        }
        let mut held = self.folder.held();
        let names = held.names("in");
        for name in names.iter().filter(|name| name.starts_with("ord_") && name.ends_with(".csv")) {
            let path = format!("in/{name}");
            let Some(content) = held.take(&path) else { continue };
            if self.keeps_order_files {
                held.put(&format!("in/archive/{name}"), content.clone(), now);
            }
            let mut reader = csv_rows(&content);
            for row in reader.drain(..) {
                let cell = |place: usize| row.get(place).map(String::as_str).unwrap_or_default();
                match cell(0) {
                    "PH" => {
                        self.trace.note(&format!("{now} warehouse takes {}", cell(1)));
                        let key = cell(1).to_owned();
                        self.orders.push(WarehouseOrder {
                            key,
                            lines: Vec::new(),
                            cancelled: false,
                            held: false,
                            open: 0,
                        });
                    }
                    "PD" => {
                        let line = Line {
                            number: cell(2).parse().unwrap(),
                            sku: cell(3).to_owned(),
                            asked: cell(4).parse().unwrap(),
                            shipped: 0,
                        };
                        self.orders.last_mut().filter(|order| order.key == cell(1)).unwrap().lines.push(line);
                    }
                    other => panic!("an order file holds a row {other:?}"),
                }
            }
        }
    }

    /// Writes what was made behind the API into its own ledger.
    fn takes_over(&mut self, now: Timestamp, rest: &RestWarehouse) {
        // A part that was split off belongs to its whole.
        for made in rest.state().made().filter(|made| !made.is_part) {
            let place = *self.taken.entry(made.id).or_insert_with(|| {
                self.trace.note(&format!("{now} warehouse has {}", made.reference));
                let (key, lines) = (made.reference.clone(), made.lines());
                self.orders.push(WarehouseOrder { key, lines, cancelled: false, held: made.held, open: made.id });
                self.orders.len() - 1
            });
            self.orders[place].cancelled = made.cancelled;
            self.orders[place].held = made.held;
        }
    }

    /// Ships something of some orders; `all`: everything that is left of all of them.
    pub fn work(&mut self, now: Timestamp, all: bool) {
        for place in 0..self.orders.len() {
            if all || self.dice.chance(350) {
                let part = !all && self.dice.chance(350);
                self.ship(now, place, part);
            }
        }
    }

    /// Ships a part, or what is left, of every order.
    pub fn ships(&mut self, now: Timestamp, part: bool) {
        for place in 0..self.orders.len() {
            self.ship(now, place, part);
        }
    }

    fn ship(&mut self, now: Timestamp, place: usize, part: bool) {
        if self.rest.as_ref().is_some_and(|rest| !rest.may_ship(self.orders[place].open)) {
            return;
        }
        let mut goods = Vec::new();
        for line in &mut self.orders[place].lines {
            let open = line.asked - line.shipped;
            let there = self.stock.get(&line.sku).copied().unwrap_or(0);
            let most = open.min(there);
            let units = if part { self.dice.between(0, most.max(0)) } else { most };
            if units > 0 {
                line.shipped += units;
                *self.stock.get_mut(&line.sku).unwrap() -= units;
                goods.push((line.number, line.sku.clone(), units));
            }
        }
        if goods.is_empty() {
            return;
        }
        let number = self.left.len() + 1;
        let count = if self.dice.chance(100) { 5 } else { *self.dice.pick(&[1, 1, 1, 2, 3]) };
        let mut boxes: Vec<Packed> =
            (1..=count).map(|one| (format!("1Z999AA1{number:06}{one:02}"), Vec::new())).collect();
        for (line, sku, units) in goods {
            for _ in 0..units {
                let into = usize::try_from(self.dice.below(boxes.len() as u64)).unwrap();
                match boxes[into].1.iter_mut().find(|(known, _, _)| *known == line) {
                    Some((_, _, sum)) => *sum += 1,
                    None => boxes[into].1.push((line, sku.clone(), 1)),
                }
            }
        }
        boxes.retain(|(_, lines)| !lines.is_empty());
        let mut id = format!("S{number:05}");
        if let Some(rest) = &self.rest {
            let order = &mut self.orders[place];
            id = order.open.to_string();
            order.open = rest.ships(now, order.open, &boxes).unwrap_or(0);
            rest.state().stock.clone_from(&self.stock);
        }
        let left = Left { id, key: self.orders[place].key.clone(), at: now, boxes };
        self.trace.note(&format!("{now} warehouse ships {left:?}"));
        self.unsaid.push(self.left.len());
        self.left.push(left);
    }

    /// Something was counted wrong, is found or lost: units more, or fewer.
    pub fn finds(&mut self, now: Timestamp, sku: &str, units: i64) {
        *self.stock.get_mut(sku).unwrap() += units;
        if let Some(rest) = &self.rest {
            rest.state().stock.clone_from(&self.stock);
        }
        self.found.entry(sku.to_owned()).or_default().push((now, units));
        self.trace.note(&format!("{now} warehouse finds {units} of {sku}"));
    }

    /// Units asked for and not shipped.
    pub fn committed(&self, sku: &str) -> i64 {
        let lines = self
            .orders
            .iter()
            .filter(|order| !order.cancelled)
            .flat_map(|order| &order.lines)
            .filter(|line| line.sku == sku);
        lines.map(|line| line.asked - line.shipped).sum()
    }

    /// Ends the files that were half written.
    pub fn finish_files(&mut self, now: Timestamp) {
        let mut held = self.folder.held();
        for (path, content) in self.half.drain(..) {
            held.put(&path, content, now);
        }
    }

    fn write(&mut self, now: Timestamp, prefix: &str, text: String) {
        self.files += 1;
        let path = format!("out/{prefix}_{}_{:05}.csv", now.strftime("%y%m%d%H%M%S"), self.files);
        let content = text.into_bytes();
        let mut held = self.folder.held();
        if held.strength > 0 && self.dice.chance(150) {
            // In the middle of a cell of the last line.
            held.put(&path, content[..content.len() - 3].to_vec(), now);
            self.half.push((path, content));
        } else {
            held.put(&path, content, now);
        }
    }

    /// Writes what left into a file; sometimes a shipment is said twice, in two files.
    pub fn report(&mut self, now: Timestamp) {
        if self.rest.is_some() {
            return;
        }
        let mut said = std::mem::take(&mut self.unsaid);
        if !said.is_empty() && self.left.len() > 1 && self.dice.chance(80) {
            let before = usize::try_from(self.dice.below(self.left.len() as u64)).unwrap();
            if !said.contains(&before) {
                said.push(before);
            }
        }
        if said.is_empty() {
            return;
        }
        let mut text = format!("{SHIPMENT_COLUMNS}\n");
        for left in said.iter().map(|place| &self.left[*place]) {
            for (number, (tracking, lines)) in left.boxes.iter().enumerate() {
                for (line, sku, units) in lines {
                    text.push_str(&format!(
                        "{},{},{},UPS,Ground,{},{tracking},{line},{sku},{units},,\n",
                        left.key,
                        left.id,
                        left.at,
                        number + 1
                    ));
                }
            }
        }
        self.write(now, "shp", text);
    }

    /// It is behind an API, where the figures are always those of now.
    pub fn is_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// When it counted last.
    pub fn counted_at(&self) -> Option<Timestamp> {
        self.counts.last().map(|(at, _)| *at)
    }

    /// An old count comes once more, in a new file: what was there some time ago, as counted then.
    pub fn count_again(&mut self, now: Timestamp) {
        let Some((counted_at, rows)) = self.counts.first().cloned() else { return };
        let mut text = format!("{STOCK_COLUMNS}\n");
        for (sku, available, there) in rows {
            text.push_str(&format!("{sku},{available},{there},,{counted_at}\n"));
        }
        self.trace.note(&format!("{now} warehouse sends the count of {counted_at} again"));
        self.write(now, "inv", text);
    }

    /// A count of nothing at all: every SKU is there with zero. Never of the moment of another count, so that a person who lets
    /// a good one go ahead does not let this one.
    pub fn count_nothing(&mut self, now: Timestamp) {
        if self.rest.is_some() {
            return;
        }
        self.pull(now);
        self.report(now);
        let now = now + SignedDuration::from_millis(1);
        let mut text = format!("{STOCK_COLUMNS}\n");
        for sku in self.stock.keys() {
            text.push_str(&format!("{sku},0,0,,{now}\n"));
        }
        self.trace.note(&format!("{now} warehouse counts nothing"));
        self.write(now + SignedDuration::from_millis(1), "inv", text);
    }

    /// Counts everything and writes it into a file. Orders are taken and shipments told first, so that the count and what
    /// was told agree.
    pub fn count(&mut self, now: Timestamp) {
        self.pull(now);
        if self.rest.is_some() {
            return;
        }
        self.report(now);
        let mut text = format!("{STOCK_COLUMNS}\n");
        let rows: Vec<(String, i64, i64)> =
            self.stock.iter().map(|(sku, there)| (sku.clone(), there - self.committed(sku), *there)).collect();
        for (sku, available, there) in &rows {
            text.push_str(&format!("{sku},{available},{there},,{now}\n"));
        }
        self.counts.push((now, rows));
        if self.counts.len() > 4 {
            self.counts.remove(0);
        }
        // A file's name has the second in it, and no two counts are of one second.
        self.write(now + SignedDuration::from_millis(1), "inv", text);
    }
}

/// The rows of an order file.
pub fn csv_rows(content: &[u8]) -> Vec<Vec<String>> {
    // Every cell is quoted, and cells hold no quotes in these runs.
    let text = String::from_utf8_lossy(content);
    let cells = |line: &str| -> Option<Vec<String>> {
        Some(line.strip_prefix('"')?.strip_suffix('"')?.split("\",\"").map(str::to_owned).collect())
    };
    text.lines().map(|line| cells(line).unwrap()).collect()
}

/// The keys of the orders in an order file.
pub fn keys(content: &str) -> Vec<String> {
    csv_rows(content.as_bytes())
        .into_iter()
        .filter(|row| row.first().is_some_and(|cell| cell == "PH"))
        .filter_map(|row| row.get(1).cloned())
        .collect()
}
