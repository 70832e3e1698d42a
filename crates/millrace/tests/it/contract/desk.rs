//! The Warehouse API over the program's own desk: kept in a real database, worked on over the routes that a warehouse has.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::http::StatusCode;
use connect::{
    CancelAsked, Capability, Clock as _, ConnectorError, Desk, DeskState, EffectKind, OnDesk, PostedCount,
    ShipmentRequest, SystemClock, ToldPage, Warehouse, WarehouseId, WebhookCall,
};
use jiff::Timestamp;
use millrace::{
    db::{DeskKey, DeskQuery, DeskRow, Scope},
    desk::WarehouseDesk,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulators::audit::{Units, WarehouseOrder, WarehouseShipment};
use tokio::{runtime::Handle, task::block_in_place};

use super::{
    harness::{Can, Does, Entry, Opened, Opening, Site, Trouble},
    run::every_scenario,
};
use crate::{
    api::{Answer, Installation},
    hub::{HandClock, NoNetwork, context, settings, warehouse},
};

/// What is declared and expressed is what the connectors' own tests say of the model of a desk: the two are to agree.
static ENTRY: Entry = Entry {
    platform: "warehouse_api",
    declares: &[
        (EffectKind::SubmitRequest, &[Capability::UniqueKey, Capability::StrongRead]),
        (EffectKind::CancelRequest, &[Capability::AbsoluteSet, Capability::StrongRead]),
    ],
    can: &[Can::SayThatAnOrderIsShort, Can::NameBoxes, Can::NameLotsAndSerials, Can::SayThatItGaveUp],
    open: |opening| Box::pin(open(opening)) as Opened,
};

/// More than any scenario lays down.
const MOST: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_desk_keeps_the_contract() {
    every_scenario(&ENTRY).await;
}

fn now() -> Timestamp {
    SystemClock::default().now()
}

/// The system of the warehouse: its key, and its own books of what left.
struct Floor {
    installation: Installation,
    desk: DeskKey,
    key: String,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    left: BTreeMap<String, Vec<WarehouseShipment>>,
    shelves: BTreeMap<String, Decimal>,
    /// What was posted of shipments, with the answer.
    posted: Vec<(Value, String)>,
    /// What was written and is not posted yet, where posts go out of order.
    late: Option<Vec<Value>>,
    numbers: u32,
}

impl Floor {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let merchant = installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await.json();
        let given = json!({ "name": "Desk", "merchant": "Acme", "platform": "warehouse_api",
            "settings": { "carriers": "UPS: Ground" } });
        let made = installation.post("/api/v1/warehouses", given).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let warehouse: WarehouseId = made.json()["id"].as_str().unwrap().parse().unwrap();
        let made = installation.post("/api/v1/warehouses/Desk/keys", json!({ "name": "WMS" })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let tenant = installation.tenant("default").await;
        let scope = Scope { tenant, merchant: merchant["id"].as_str().unwrap().parse().unwrap() };
        let shelves = ["SKU-A", "SKU-B", "SKU-LOT"].map(|sku| (sku.to_owned(), 100.into())).into();
        let books = Mutex::new(Books { shelves, ..Books::default() });
        Self { installation, desk: DeskKey { scope, warehouse }, key, books }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.installation.ask(method, &format!("/api/v1/desk{path}"), Some(&self.key), body).await
    }

    /// What the warehouse posts is taken.
    async fn post(&self, path: &str, body: &Value, status: StatusCode) -> Answer {
        let answer = self.call("POST", path, Some(body)).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text);
        answer
    }

    /// What lies there, by the database.
    async fn rows(&self) -> Vec<DeskRow> {
        let all = DeskQuery { limit: MOST, ..DeskQuery::default() };
        self.installation.hub.db.desk_requests(&self.desk, &all).await.unwrap()
    }

    async fn take_in(&self) {
        let pulled = self.call("POST", "/pull", None).await.json();
        for item in pulled["items"].as_array().unwrap() {
            let request = item["request"].as_str().unwrap();
            let body = json!({ "lease": pulled["lease"], "reference": format!("W-{request}") });
            self.post(&format!("/requests/{request}/acknowledge"), &body, StatusCode::OK).await;
        }
    }

    /// So many of each SKU leave, in so many boxes.
    async fn ship(&self, tracked: bool, key: &str, units: &[(&str, u32)], boxes: usize, is_final: bool) {
        let body = {
            let mut books = self.books.lock().unwrap();
            books.numbers += 1;
            let number = books.numbers;
            let mut packages = vec![Vec::new(); boxes];
            for (place, (sku, count)) in units.iter().enumerate() {
                let mut line = json!({ "sku": sku, "quantity": count });
                if tracked && *sku == "SKU-LOT" {
                    line["lot"] = json!("L1");
                    line["serials"] = (1..=*count).map(|one| json!(format!("SN{one:04}"))).collect();
                }
                packages[place % boxes].push(line);
                *books.shelves.get_mut(*sku).expect("a shelf") -= Decimal::from(*count);
            }
            let tracking: Vec<String> = (0..boxes).map(|place| format!("1Z{number:04}{place}")).collect();
            let packages: Vec<Value> = packages
                .into_iter()
                .zip(&tracking)
                .map(|(lines, tracking)| json!({ "tracking": tracking, "lines": lines }))
                .collect();
            let (reference, shipped_at) = (format!("S{number}"), now());
            let body = json!({
                "id": reference, "request": key, "shipped_at": shipped_at.to_string(), "carrier": "UPS",
                "service": "Ground", "packages": packages, "final": is_final,
            });
            let units = units.iter().map(|(sku, count)| ((*sku).to_owned(), Decimal::from(*count))).collect();
            let left = WarehouseShipment { reference, shipped_at, tracking, boxes, units };
            books.left.entry(key.to_owned()).or_default().push(left);
            if let Some(late) = &mut books.late {
                late.push(body);
                return;
            }
            body
        };
        let answer = self.post("/shipments", &body, StatusCode::CREATED).await;
        self.books.lock().unwrap().posted.push((body, answer.text));
    }

    /// What is written and was not posted goes out, the last first, and whatever was ever posted comes once more.
    async fn catch_up(&self) {
        let late = self.books.lock().unwrap().late.as_mut().map(std::mem::take);
        let Some(late) = late.filter(|late| !late.is_empty()) else { return };
        for body in late.into_iter().rev() {
            let answer = self.post("/shipments", &body, StatusCode::CREATED).await;
            self.books.lock().unwrap().posted.push((body, answer.text));
        }
        let posted = self.books.lock().unwrap().posted.clone();
        for (body, first) in posted {
            let again = self.post("/shipments", &body, StatusCode::OK).await;
            assert_eq!(again.text, first, "the same post is told otherwise");
        }
    }

    async fn orders(&self) -> Vec<WarehouseOrder> {
        let rows = self.rows().await;
        let books = self.books.lock().unwrap();
        let orders = rows.into_iter().map(|row| {
            let mut asked = Units::new();
            for line in &row.request.lines {
                *asked.entry(line.sku.clone()).or_default() += line.quantity;
            }
            WarehouseOrder {
                shipments: books.left.get(&row.request.key).cloned().unwrap_or_default(),
                key: row.request.key,
                received_at: row.put_at,
                live: !matches!(row.standing.state, DeskState::Cancelled | DeskState::GivenUp),
                asked,
            }
        });
        orders.collect()
    }

    /// By SKU: available, on the shelf.
    async fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        let mut promised = Units::new();
        for order in self.orders().await.into_iter().filter(|order| order.live && order.shipments.is_empty()) {
            for (sku, units) in order.asked {
                *promised.entry(sku).or_default() += units;
            }
        }
        let books = self.books.lock().unwrap();
        let figures = books
            .shelves
            .iter()
            .map(|(sku, units)| (sku.clone(), (units - promised.get(sku).copied().unwrap_or_default(), *units)));
        figures.collect()
    }

    async fn count(&self) {
        let figures = self.figures().await;
        let number = {
            let mut books = self.books.lock().unwrap();
            books.numbers += 1;
            books.numbers
        };
        let levels: Vec<Value> = figures
            .into_iter()
            .map(|(sku, (available, physical))| json!({ "sku": sku, "available": available, "physical": physical }))
            .collect();
        let body =
            json!({ "id": format!("C{number}"), "counted_at": now().to_string(), "complete": true, "levels": levels });
        // One that comes twice is one count.
        self.post("/stock", &body, StatusCode::CREATED).await;
        self.post("/stock", &body, StatusCode::OK).await;
    }
}

/// The way to the desk, on which an answer can be lost.
struct Way {
    inner: Arc<dyn Desk>,
    floor: Arc<Floor>,
    met: Mutex<Met>,
}

#[derive(Default)]
struct Met {
    trouble: Option<(Trouble, EffectKind)>,
    /// So many readings fail.
    unreadable: u32,
}

impl Way {
    fn meet(&self, trouble: Trouble, kind: EffectKind) -> Result<(), ConnectorError> {
        match self.met.lock().unwrap().trouble.take_if(|next| *next == (trouble, kind)) {
            None => Ok(()),
            Some(_) => Err(ConnectorError::transient("the connection to the desk was lost")),
        }
    }
}

#[async_trait]
impl Desk for Way {
    async fn lay(&self, request: &ShipmentRequest) -> Result<Option<OnDesk>, ConnectorError> {
        self.meet(Trouble::LostBefore, EffectKind::SubmitRequest)?;
        let there = self.inner.lay(request).await?;
        self.meet(Trouble::LostAfter, EffectKind::SubmitRequest)?;
        Ok(there)
    }

    async fn look(&self, keys: &[String]) -> Result<Vec<OnDesk>, ConnectorError> {
        self.inner.look(keys).await
    }

    async fn take_back(&self, key: &str) -> Result<Option<OnDesk>, ConnectorError> {
        self.meet(Trouble::LostBefore, EffectKind::CancelRequest)?;
        let there = self.inner.take_back(key).await?;
        self.meet(Trouble::LostAfter, EffectKind::CancelRequest)?;
        Ok(there)
    }

    async fn told(&self, after: i64) -> Result<ToldPage, ConnectorError> {
        {
            let mut met = self.met.lock().unwrap();
            if met.unreadable > 0 {
                met.unreadable -= 1;
                return Err(ConnectorError::unexpected("what lies on the desk cannot be read"));
            }
        }
        self.floor.catch_up().await;
        self.inner.told(after).await
    }

    async fn counts(&self) -> Result<Vec<PostedCount>, ConnectorError> {
        self.inner.counts().await
    }

    async fn put_away(&self, counts: &[String]) -> Result<(), ConnectorError> {
        self.inner.put_away(counts).await
    }
}

/// The connector, the desk, and the warehouse on its other side.
struct Both {
    floor: Arc<Floor>,
    way: Arc<Way>,
    warehouse: Arc<dyn Warehouse>,
    clock: Arc<HandClock>,
    tracked: bool,
}

async fn open(opening: Opening) -> Box<dyn Site> {
    let floor = Arc::new(Floor::new().await);
    let inner = WarehouseDesk::shared(floor.installation.hub.db.clone(), floor.desk.clone());
    let way = Arc::new(Way { inner, floor: Arc::clone(&floor), met: Mutex::default() });
    let clock = HandClock::new();
    let mut hub = context(Arc::clone(&clock), Arc::new(NoNetwork), None);
    hub.desk = Arc::<Way>::clone(&way);
    let warehouse = warehouse("warehouse_api", &settings(&[("carriers", "UPS: Ground")], &[]), &hub);
    Box::new(Both { floor, way, warehouse, clock, tracked: opening.tracked })
}

/// A site is driven without waiting; the program behind this one is not.
fn wait<T>(work: impl Future<Output = T>) -> T {
    block_in_place(|| Handle::current().block_on(work))
}

impl Both {
    fn ship(&self, key: &str, units: &[(&str, u32)], boxes: usize, is_final: bool) {
        wait(self.floor.ship(self.tracked, key, units, boxes, is_final));
    }

    fn stop(&self, path: &str, body: &Value) {
        wait(self.floor.post(path, body, StatusCode::OK));
    }
}

#[async_trait]
impl Site for Both {
    fn warehouse(&self) -> &Arc<dyn Warehouse> {
        &self.warehouse
    }

    fn clock(&self) -> &Arc<HandClock> {
        &self.clock
    }

    fn take_in(&self) {
        wait(self.floor.take_in());
    }

    fn work(&self, key: &str, does: Does) {
        match does {
            Does::All => self.ship(key, &[("SKU-A", 5), ("SKU-LOT", 3)], 1, false),
            Does::TwoBoxes => self.ship(key, &[("SKU-A", 5), ("SKU-LOT", 3)], 2, false),
            Does::Part => self.ship(key, &[("SKU-A", 2)], 1, false),
            Does::Rest => self.ship(key, &[("SKU-A", 3), ("SKU-LOT", 3)], 1, false),
            Does::Short => self.ship(key, &[("SKU-A", 2)], 1, true),
            Does::GiveUp => self.stop(&format!("/requests/{key}/give-up"), &json!({ "reason": "none left" })),
            Does::Substitute => panic!("what was not asked for cannot be posted"),
        }
    }

    fn work_off(&self) {
        for row in wait(self.floor.rows()).into_iter().filter(|row| row.standing.state == DeskState::Acknowledged) {
            let key = &row.request.key;
            match row.standing.cancel {
                CancelAsked::Asked => self.stop(&format!("/requests/{key}/cancel"), &json!({ "answer": "accepted" })),
                _ => self.work(key, Does::All),
            }
        }
    }

    fn touch(&self, _: &str) {
        panic!("nothing here is written on a condition");
    }

    fn orders(&self) -> Vec<WarehouseOrder> {
        wait(self.floor.orders())
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        self.floor.books.lock().unwrap().shelves.insert(sku.to_owned(), units);
    }

    fn count(&self) {
        wait(self.floor.count());
    }

    fn reports_are_whole(&self) -> bool {
        true
    }

    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        wait(self.floor.figures())
    }

    fn trouble(&self, trouble: Trouble, kind: EffectKind) {
        self.way.met.lock().unwrap().trouble = Some((trouble, kind));
    }

    fn spoil(&self) {
        self.way.met.lock().unwrap().unreadable = 3;
    }

    /// Shipments are posted late, the last first, and everything that was posted comes once more.
    fn disorder(&self) {
        self.floor.books.lock().unwrap().late = Some(Vec::new());
    }

    async fn calls(&self) -> Vec<WebhookCall> {
        Vec::new()
    }
}
