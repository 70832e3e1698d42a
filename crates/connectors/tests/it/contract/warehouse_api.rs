//! The warehouse that calls us. Its desk is a model in memory that keeps the hub's rules, so that the connector is tried by
//! itself; over the program's own desk the same scenarios are played by the program's tests (`contract::desk`).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use connect::{
    CancelAsked, Capability, Clock as _, ConnectorError, Desk, DeskState, EffectKind, OnDesk, Package, PackageLine,
    PostedCount, RequestState, ShipMethod, Shipment, ShipmentRequest, StockFeed, StockLevel, Told, ToldPage, Warehouse,
    WebhookCall,
};
use engine::desk::{Act, CancelAnswer, Standing, act, faults, is_complete};
use jiff::Timestamp;
use rust_decimal::Decimal;
use simulators::audit::{Units, WarehouseOrder, WarehouseShipment};

use super::{
    harness::{Can, Does, Entry, Opened, Opening, Site, Trouble},
    run::every_scenario,
};
use crate::hub::{HandClock, NoNetwork, context, settings, warehouse};

pub static ENTRIES: &[Entry] = &[Entry {
    platform: "warehouse_api",
    declares: &[
        (EffectKind::SubmitRequest, &[Capability::UniqueKey, Capability::StrongRead]),
        (EffectKind::CancelRequest, &[Capability::AbsoluteSet, Capability::StrongRead]),
    ],
    can: &[Can::SayThatAnOrderIsShort, Can::NameBoxes, Can::NameLotsAndSerials, Can::SayThatItGaveUp],
    open,
}];

#[tokio::test]
async fn warehouse_api() {
    every_scenario(&ENTRIES[0]).await;
}

fn open(opening: Opening) -> Opened {
    Box::pin(async move { Box::new(Floor::new(opening)) as Box<dyn Site> })
}

#[derive(Clone)]
struct Lying {
    request: ShipmentRequest,
    standing: Standing,
    at: Timestamp,
    shipped: Vec<Shipment>,
}

#[derive(Default)]
struct Kept {
    lying: BTreeMap<String, Lying>,
    told: Vec<Told>,
    counts: Vec<PostedCount>,
    put_away: Vec<String>,
    trouble: Option<(Trouble, EffectKind)>,
    nonsense: u32,
    /// What is written and is not told yet, where it is told out of order.
    late: Option<Vec<Told>>,
}

impl Kept {
    fn tell(&mut self, told: Told) {
        self.late.as_mut().unwrap_or(&mut self.told).push(told);
    }
}

/// A desk in memory.
struct Model {
    clock: Arc<HandClock>,
    kept: Mutex<Kept>,
}

impl Model {
    fn lost(&self, kind: EffectKind, before: bool) -> Result<(), ConnectorError> {
        let mut kept = self.kept.lock().unwrap();
        let trouble = if before { Trouble::LostBefore } else { Trouble::LostAfter };
        if kept.trouble == Some((trouble, kind)) {
            kept.trouble = None;
            return Err(ConnectorError::transient("the connection to the desk was lost"));
        }
        Ok(())
    }

    fn on_desk(lying: &Lying) -> OnDesk {
        OnDesk { request: lying.request.clone(), state: lying.standing.state, cancel: lying.standing.cancel }
    }
}

#[async_trait]
impl Desk for Model {
    async fn lay(&self, request: &ShipmentRequest) -> Result<Option<OnDesk>, ConnectorError> {
        self.lost(EffectKind::SubmitRequest, true)?;
        let there = {
            let mut kept = self.kept.lock().unwrap();
            let there = kept.lying.get(&request.key).map(Self::on_desk);
            let at = self.clock.now();
            let new = || Lying { request: request.clone(), standing: Standing::NEW, at, shipped: Vec::new() };
            kept.lying.entry(request.key.clone()).or_insert_with(new);
            there
        };
        self.lost(EffectKind::SubmitRequest, false)?;
        Ok(there)
    }

    async fn look(&self, keys: &[String]) -> Result<Vec<OnDesk>, ConnectorError> {
        let kept = self.kept.lock().unwrap();
        Ok(keys.iter().filter_map(|key| kept.lying.get(key)).map(Self::on_desk).collect())
    }

    async fn take_back(&self, key: &str) -> Result<Option<OnDesk>, ConnectorError> {
        self.lost(EffectKind::CancelRequest, true)?;
        let there = {
            let mut kept = self.kept.lock().unwrap();
            kept.lying.get_mut(key).map(|lying| {
                lying.standing = act(lying.standing, Act::TakeBack).unwrap();
                Self::on_desk(lying)
            })
        };
        self.lost(EffectKind::CancelRequest, false)?;
        Ok(there)
    }

    async fn told(&self, after: i64) -> Result<ToldPage, ConnectorError> {
        let mut kept = self.kept.lock().unwrap();
        if kept.nonsense > 0 {
            kept.nonsense -= 1;
            return Err(ConnectorError::unexpected("what lies on the desk cannot be read"));
        }
        // The last first, and after them each once more.
        let late = kept.late.as_mut().map(std::mem::take).unwrap_or_default();
        kept.told.extend(late.iter().rev().cloned().chain(late.iter().cloned()));
        // Two at a time, so that going on is tried too.
        let from = usize::try_from(after).unwrap();
        let told: Vec<Told> = kept.told.iter().skip(from).take(2).cloned().collect();
        let reached = from + told.len();
        Ok(ToldPage { told, reached: i64::try_from(reached).unwrap(), more: reached < kept.told.len() })
    }

    async fn counts(&self) -> Result<Vec<PostedCount>, ConnectorError> {
        let kept = self.kept.lock().unwrap();
        Ok(kept.counts.iter().filter(|count| !kept.put_away.contains(&count.id)).cloned().collect())
    }

    async fn put_away(&self, counts: &[String]) -> Result<(), ConnectorError> {
        self.kept.lock().unwrap().put_away.extend_from_slice(counts);
        Ok(())
    }
}

/// The people and the system of a warehouse, at the desk.
struct Floor {
    desk: Arc<Model>,
    warehouse: Arc<dyn Warehouse>,
    clock: Arc<HandClock>,
    shelves: Mutex<BTreeMap<String, Decimal>>,
    tracked: bool,
}

impl Floor {
    fn new(opening: Opening) -> Self {
        let clock = HandClock::new();
        let desk = Arc::new(Model { clock: clock.clone(), kept: Mutex::default() });
        let mut hub = context(clock.clone(), Arc::new(NoNetwork), None);
        hub.desk = desk.clone();
        let warehouse = warehouse("warehouse_api", &settings(&[("carriers", "UPS: Ground")], &[]), &hub);
        let shelves = ["SKU-A", "SKU-B", "SKU-LOT"].map(|sku| (sku.to_owned(), 100.into()));
        Self { desk, warehouse, clock, shelves: Mutex::new(shelves.into()), tracked: opening.tracked }
    }

    /// So many of each SKU leave, in so many boxes.
    fn ship(&self, key: &str, units: &[(&str, u32)], boxes: usize, is_final: bool) {
        let mut kept = self.desk.kept.lock().unwrap();
        let number = kept.told.len() + kept.late.as_ref().map_or(0, Vec::len);
        let lying = kept.lying.get_mut(key).expect("a request");
        let mut packages = vec![Package::default(); boxes];
        let mut shelves = self.shelves.lock().unwrap();
        for (place, (sku, count)) in units.iter().enumerate() {
            let lot = self.tracked && *sku == "SKU-LOT";
            packages[place % boxes].lines.push(PackageLine {
                line_number: None,
                sku: (*sku).to_owned(),
                quantity: (*count).into(),
                lot: lot.then(|| "L1".to_owned()),
                serials: if lot { (1..=*count).map(|one| format!("SN{one:04}")).collect() } else { Vec::new() },
            });
            *shelves.get_mut(*sku).expect("a shelf") -= Decimal::from(*count);
        }
        for (place, package) in packages.iter_mut().enumerate() {
            package.tracking = Some(format!("1Z{number:04}{place}"));
        }
        let mut shipment = Shipment {
            reference: format!("S{number}"),
            key: key.to_owned(),
            shipped_at: self.clock.now(),
            ship_method: ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() },
            packages,
            loose: Vec::new(),
            is_final,
            ended: Vec::new(),
            whole: false,
            within_order: false,
            numbers_may_be_theirs: false,
        };
        let before: Vec<PackageLine> =
            lying.shipped.iter().flat_map(|shipment| shipment.lines().cloned().collect::<Vec<_>>()).collect();
        assert_eq!(faults(&lying.request.lines, &before, &shipment), []);
        shipment.is_final |= is_complete(&lying.request.lines, before.iter().chain(shipment.lines()));
        if shipment.is_final {
            lying.standing.state = DeskState::Closed;
        }
        lying.shipped.push(shipment.clone());
        kept.tell(Told::Shipment(shipment));
    }

    fn stop(&self, key: &str, done: Act<'_>) {
        let mut kept = self.desk.kept.lock().unwrap();
        let lying = kept.lying.get_mut(key).expect("a request");
        lying.standing = act(lying.standing, done).unwrap();
        kept.tell(Told::State(key.to_owned(), RequestState::Cancelled));
    }

    /// Keys of what lies there like this.
    fn like(&self, fits: impl Fn(Standing) -> bool) -> Vec<String> {
        let kept = self.desk.kept.lock().unwrap();
        kept.lying.iter().filter(|(_, lying)| fits(lying.standing)).map(|(key, _)| key.clone()).collect()
    }
}

#[async_trait]
impl Site for Floor {
    fn warehouse(&self) -> &Arc<dyn Warehouse> {
        &self.warehouse
    }

    fn clock(&self) -> &Arc<HandClock> {
        &self.clock
    }

    fn take_in(&self) {
        for key in self.like(|standing| standing.state == DeskState::Waiting) {
            let mut kept = self.desk.kept.lock().unwrap();
            let lying = kept.lying.get_mut(&key).expect("a request");
            lying.standing = act(lying.standing, Act::Acknowledge { lease: "A", last: Some("A") }).unwrap();
        }
    }

    fn work(&self, key: &str, does: Does) {
        match does {
            Does::All => self.ship(key, &[("SKU-A", 5), ("SKU-LOT", 3)], 1, false),
            Does::TwoBoxes => self.ship(key, &[("SKU-A", 5), ("SKU-LOT", 3)], 2, false),
            Does::Part => self.ship(key, &[("SKU-A", 2)], 1, false),
            Does::Rest => self.ship(key, &[("SKU-A", 3), ("SKU-LOT", 3)], 1, false),
            Does::Short => self.ship(key, &[("SKU-A", 2)], 1, true),
            Does::GiveUp => self.stop(key, Act::GiveUp { shipped: false }),
            Does::Substitute => panic!("what was not asked for cannot be posted"),
        }
    }

    fn work_off(&self) {
        for key in
            self.like(|standing| standing.cancel == CancelAsked::Asked && standing.state == DeskState::Acknowledged)
        {
            self.stop(&key, Act::Answer(CancelAnswer::Accepted));
        }
        for key in self.like(|standing| standing.state == DeskState::Acknowledged) {
            self.work(&key, Does::All);
        }
    }

    fn touch(&self, _: &str) {
        panic!("nothing here is written on a condition");
    }

    fn orders(&self) -> Vec<WarehouseOrder> {
        let kept = self.desk.kept.lock().unwrap();
        let orders = kept.lying.iter().map(|(key, lying)| {
            let mut asked = Units::new();
            for line in &lying.request.lines {
                *asked.entry(line.sku.clone()).or_default() += line.quantity;
            }
            let left = lying.shipped.iter().map(|shipment| {
                let mut units = Units::new();
                for line in shipment.lines() {
                    *units.entry(line.sku.clone()).or_default() += line.quantity;
                }
                WarehouseShipment {
                    reference: shipment.reference.clone(),
                    shipped_at: shipment.shipped_at,
                    tracking: shipment.tracking_numbers().into_iter().map(str::to_owned).collect(),
                    boxes: shipment.packages.len(),
                    units,
                }
            });
            WarehouseOrder {
                key: key.clone(),
                received_at: lying.at,
                live: !matches!(lying.standing.state, DeskState::Cancelled | DeskState::GivenUp),
                asked,
                shipments: left.collect(),
            }
        });
        orders.collect()
    }

    fn shelve(&self, sku: &str, units: Decimal) {
        self.shelves.lock().unwrap().insert(sku.to_owned(), units);
    }

    fn count(&self) {
        let figures = self.figures();
        let mut kept = self.desk.kept.lock().unwrap();
        let id = format!("C{}", kept.counts.len());
        let levels = figures
            .into_iter()
            .map(|(sku, (available, physical))| StockLevel {
                sku,
                facility: None,
                available: Some(available),
                physical: Some(physical),
            })
            .collect();
        let feed = StockFeed {
            reference: id.clone(),
            content_hash: id.clone(),
            cut_off: self.clock.now(),
            sequence: None,
            absent_is_zero: true,
            names_all: true,
            levels,
        };
        kept.counts.push(PostedCount { id, feed });
    }

    fn reports_are_whole(&self) -> bool {
        true
    }

    fn figures(&self) -> BTreeMap<String, (Decimal, Decimal)> {
        let mut promised = Units::new();
        for order in self.orders().into_iter().filter(|order| order.live && order.shipments.is_empty()) {
            for (sku, units) in order.asked {
                *promised.entry(sku).or_default() += units;
            }
        }
        let shelves = self.shelves.lock().unwrap();
        let figures = shelves
            .iter()
            .map(|(sku, units)| (sku.clone(), (units - promised.get(sku).copied().unwrap_or_default(), *units)));
        figures.collect()
    }

    fn trouble(&self, trouble: Trouble, kind: EffectKind) {
        self.desk.kept.lock().unwrap().trouble = Some((trouble, kind));
    }

    fn spoil(&self) {
        self.desk.kept.lock().unwrap().nonsense = 3;
    }

    /// A desk keeps each shipment once, so twice is more than it would say; the connector may not mind.
    fn disorder(&self) {
        self.desk.kept.lock().unwrap().late = Some(Vec::new());
    }

    async fn calls(&self) -> Vec<WebhookCall> {
        Vec::new()
    }
}
