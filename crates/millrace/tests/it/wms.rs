//! The system of a warehouse that calls the program, with people who work: over HTTP, and with books of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use connect::Clock as _;
use jiff::Timestamp;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, Method, StatusCode};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulators::{
    audit::{Units, WarehouseOrder, WarehouseShipment},
    dsfx::Habits,
};
use tokio_util::sync::CancellationToken;

/// How often it asks.
const EVERY: Duration = Duration::from_millis(100);
/// How often it counts.
const COUNTS_EVERY: Duration = Duration::from_secs(3);

struct Held {
    lease: String,
    acknowledged: bool,
    cancelled: bool,
    asked: Units,
    left: Units,
    shipments: Vec<WarehouseShipment>,
    received_at: Timestamp,
}

#[derive(Default)]
struct Books {
    held: BTreeMap<String, Held>,
    shelves: BTreeMap<String, Decimal>,
    /// What was written and is not known to be kept by the program yet, in order.
    outgoing: Vec<(String, Value)>,
    numbers: u32,
    /// Keys that were handed out again although they were acknowledged: never.
    twice: BTreeSet<String>,
    /// What was refused that must not be.
    refused: Vec<String>,
    /// Keys whose cancel is to be refused.
    stubborn: BTreeSet<String>,
    counted: Option<Instant>,
}

/// The warehouse.
#[derive(Clone)]
pub struct Wms {
    books: Arc<Mutex<Books>>,
    client: Client,
    base: String,
    key: Arc<Mutex<String>>,
    habits: Habits,
    /// Ships by itself.
    works: bool,
    /// Decides which calls are lost, once some are.
    line: Arc<Mutex<Option<StdRng>>>,
    stop: CancellationToken,
}

fn now() -> Timestamp {
    connect::SystemClock::default().now()
}

impl Wms {
    /// With goods on its shelves. It starts with [`Wms::start`].
    pub fn new(port: u16, habits: Habits, works: bool, stock: &BTreeMap<String, i64>) -> Self {
        let shelves = stock.iter().map(|(sku, units)| (sku.clone(), Decimal::from(*units))).collect();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        Self {
            books: Arc::new(Mutex::new(Books { shelves, ..Books::default() })),
            client,
            base: format!("http://127.0.0.1:{port}/api/v1/desk"),
            key: Arc::default(),
            habits,
            works,
            line: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// The port that it calls.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The key it was given.
    pub fn key(&self) -> String {
        self.key.lock().expect("a key").clone()
    }

    /// Keeps the key without working with it: somebody else does.
    pub fn take_key(&self, key: &str) {
        key.clone_into(&mut self.key.lock().expect("a key"));
    }

    /// From now on a fifth of its calls is lost: half of them before they arrive, of the others the answer.
    pub fn lose(&self, seed: u64) {
        *self.line.lock().expect("the line") = Some(StdRng::seed_from_u64(seed));
    }

    /// Its people begin.
    pub fn start(&self, seed: u64) {
        let wms = self.clone();
        tokio::spawn(async move {
            let mut rng = StdRng::seed_from_u64(seed);
            while !wms.stop.is_cancelled() {
                wms.turn(&mut rng).await;
                tokio::time::sleep(EVERY).await;
            }
        });
    }

    /// Its people go home.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// A cancel of this request is refused from now on.
    pub fn refuse_cancel_of(&self, key: &str) {
        self.books.lock().expect("books").stubborn.insert(key.to_owned());
    }

    /// What went wrong between the two.
    pub fn problems(&self) -> Vec<String> {
        let books = self.books.lock().expect("books");
        let twice = books.twice.iter().map(|key| format!("{key} was handed out after it was acknowledged"));
        twice.chain(books.refused.iter().cloned()).collect()
    }

    /// What it took in, by its own books.
    pub fn orders(&self) -> Vec<WarehouseOrder> {
        let books = self.books.lock().expect("books");
        let orders = books.held.iter().filter(|(_, held)| held.acknowledged).map(|(key, held)| WarehouseOrder {
            key: key.clone(),
            received_at: held.received_at,
            live: !held.cancelled,
            asked: held.asked.clone(),
            shipments: held.shipments.clone(),
        });
        orders.collect()
    }

    /// What lies on its shelves.
    pub fn shelves(&self) -> BTreeMap<String, Decimal> {
        self.books.lock().expect("books").shelves.clone()
    }

    /// Some of a request leaves; all that is left where nothing is named.
    pub fn ship(&self, key: &str, units: Option<&Units>, is_final: bool) {
        self.books.lock().expect("books").ship(key, units, 1, is_final);
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(StatusCode, Value)> {
        let fate = self.line.lock().expect("the line").as_mut().map(|dice| dice.random_range(0..10));
        if fate == Some(0) {
            return None;
        }
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(self.key());
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        if fate == Some(1) {
            return None;
        }
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    async fn turn(&self, rng: &mut StdRng) {
        self.post().await;
        self.answer_cancels().await;
        if let Some((StatusCode::OK, pulled)) =
            self.call(Method::POST, "/pull", Some(&json!({ "limit": 10, "seconds": 10 }))).await
        {
            self.take(&pulled);
        }
        self.acknowledge().await;
        let mut books = self.books.lock().expect("books");
        if self.works {
            books.work(&self.habits, rng);
        }
        if books.counted.is_none_or(|at| at.elapsed() > COUNTS_EVERY) && books.outgoing.is_empty() {
            books.count();
        }
    }

    /// What was written goes out in order; an entry that is not known to be kept goes again, the same.
    async fn post(&self) {
        loop {
            let Some((path, body)) = self.books.lock().expect("books").outgoing.first().cloned() else { return };
            match self.call(Method::POST, &path, Some(&body)).await {
                Some((StatusCode::OK | StatusCode::CREATED, _)) => {}
                Some((status, answer)) if status.is_client_error() => {
                    self.books.lock().expect("books").refused.push(format!("{path} {body}: {status} {answer}"));
                }
                _ => return,
            }
            self.books.lock().expect("books").outgoing.remove(0);
        }
    }

    fn take(&self, pulled: &Value) {
        let lease = pulled["lease"].as_str().expect("a lease");
        let mut books = self.books.lock().expect("books");
        for item in pulled["items"].as_array().expect("items") {
            let key = item["request"].as_str().expect("a name").to_owned();
            if let Some(held) = books.held.get_mut(&key) {
                // It was handed out before, and its acknowledgement never arrived.
                lease.clone_into(&mut held.lease);
                if held.acknowledged {
                    books.twice.insert(key);
                }
                continue;
            }
            let mut asked = Units::new();
            for line in item["lines"].as_array().expect("lines") {
                let units: Decimal = line["quantity"].as_str().expect("units").parse().expect("a number");
                *asked.entry(line["sku"].as_str().expect("a SKU").to_owned()).or_default() += units;
            }
            let held = Held {
                lease: lease.to_owned(),
                acknowledged: false,
                cancelled: false,
                asked,
                left: Units::new(),
                shipments: Vec::new(),
                received_at: now(),
            };
            books.held.insert(key, held);
        }
    }

    async fn acknowledge(&self) {
        let open: Vec<(String, String)> = {
            let books = self.books.lock().expect("books");
            let open = books.held.iter().filter(|(_, held)| !held.acknowledged);
            open.map(|(key, held)| (key.clone(), held.lease.clone())).collect()
        };
        for (key, lease) in open {
            let body = json!({ "lease": lease, "reference": format!("W-{key}") });
            let answer = self.call(Method::POST, &format!("/requests/{key}/acknowledge"), Some(&body)).await;
            let mut books = self.books.lock().expect("books");
            match answer {
                Some((StatusCode::OK, _)) => {
                    books.held.get_mut(&key).expect("it").acknowledged = true;
                }
                // Taken back before it was ours.
                Some((StatusCode::CONFLICT, _)) => {
                    books.held.remove(&key);
                }
                Some((status, answer)) if status.is_client_error() => {
                    books.refused.push(format!("acknowledge {key}: {status} {answer}"));
                }
                _ => {}
            }
        }
    }

    async fn answer_cancels(&self) {
        let listed = self.call(Method::GET, "/requests?state=cancel_asked", None).await;
        let Some((StatusCode::OK, listed)) = listed else { return };
        for item in listed["items"].as_array().expect("items") {
            let key = item["request"].as_str().expect("a name");
            let stops = {
                let mut books = self.books.lock().expect("books");
                let stubborn = books.stubborn.contains(key);
                books.held.get_mut(key).is_some_and(|held| {
                    held.cancelled |= held.shipments.is_empty() && !stubborn;
                    held.cancelled
                })
            };
            let body = json!({ "answer": if stops { "accepted" } else { "too_late" } });
            self.call(Method::POST, &format!("/requests/{key}/cancel"), Some(&body)).await;
        }
    }
}

impl Books {
    fn work(&mut self, habits: &Habits, rng: &mut StdRng) {
        let open: Vec<(String, bool)> = self
            .held
            .iter()
            .filter(|(_, held)| held.acknowledged && !held.cancelled && held.left != held.asked)
            .map(|(key, held)| (key.clone(), held.shipments.is_empty()))
            .collect();
        for (key, first) in open {
            // Not at once, so that some wait beside others.
            if rng.random_range(0..100) < 50 {
                continue;
            }
            let part = first && rng.random_range(0..100) < habits.part_then_rest_percent;
            let boxes = if rng.random_range(0..100) < habits.boxes_percent { 2 } else { 1 };
            let some = part
                .then(|| self.held[&key].asked.iter().take(1).map(|(sku, _)| (sku.clone(), Decimal::ONE)).collect());
            self.ship(&key, some.as_ref(), boxes, false);
        }
    }

    fn ship(&mut self, key: &str, units: Option<&Units>, boxes: usize, is_final: bool) {
        let held = self.held.get_mut(key).expect("a request");
        let rest: Units = held
            .asked
            .iter()
            .map(|(sku, units)| (sku.clone(), units - held.left.get(sku).copied().unwrap_or_default()))
            .filter(|(_, units)| *units > Decimal::ZERO)
            .collect();
        let goes = units.cloned().unwrap_or(rest);
        if goes.is_empty() {
            return;
        }
        self.numbers += 1;
        let number = self.numbers;
        let mut packages: Vec<Vec<Value>> = vec![Vec::new(); boxes.min(goes.len()).max(1)];
        let count = packages.len();
        for (place, (sku, units)) in goes.iter().enumerate() {
            packages[place % count].push(json!({ "sku": sku, "quantity": units }));
            *held.left.entry(sku.clone()).or_default() += units;
            *self.shelves.get_mut(sku).expect("a shelf") -= units;
        }
        let tracking: Vec<String> = (1..=count).map(|place| format!("1Z{number:05}{place}")).collect();
        let shipped_at = now();
        let packages: Vec<Value> = packages
            .into_iter()
            .zip(&tracking)
            .map(|(lines, tracking)| json!({ "tracking": tracking, "lines": lines }))
            .collect();
        let reference = format!("SH-{number}");
        let body = json!({
            "id": reference, "request": key, "shipped_at": shipped_at.to_string(), "carrier": "UPS",
            "service": "Ground", "packages": packages, "final": is_final,
        });
        held.shipments.push(WarehouseShipment { reference, shipped_at, tracking, boxes: count, units: goes });
        self.outgoing.push(("/shipments".to_owned(), body));
    }

    /// What left before the count is told before it, because it was written before it.
    fn count(&mut self) {
        self.counted = Some(Instant::now());
        self.numbers += 1;
        let levels: Vec<Value> =
            self.shelves.iter().map(|(sku, units)| json!({ "sku": sku, "physical": units })).collect();
        let body = json!({
            "id": format!("C-{}", self.numbers), "counted_at": now().to_string(), "complete": true, "levels": levels,
        });
        self.outgoing.push(("/stock".to_owned(), body));
    }
}
