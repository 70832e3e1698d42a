//! The state of the warehouse manager and what clients may do to it. Neither HTTP nor a clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::ledger::Mutation;
use super::model::{Customer, Facility, Item, Line, Order, Received, Status, Stock};
use super::refusal::Refusal;
use super::switches::{Allocation, CancelUntil, Duplicates, LocalTimes, OrderQueue, PutLines, Switches};

/// Something a webhook tells.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub id: u64,
    pub kind: &'static str,
    pub tags: &'static str,
    pub order: u64,
    pub at: Timestamp,
}

pub(super) struct Floor {
    pub switches: Switches,
    pub customers: BTreeMap<u64, Customer>,
    pub facilities: BTreeMap<u64, Facility>,
    pub items: BTreeMap<u64, Item>,
    by_sku: BTreeMap<(u64, String), u64>,
    pub stock: BTreeMap<u64, Stock>,
    pub orders: BTreeMap<u64, Order>,
    /// Orders by customer and reference in lower case.
    pub by_reference: BTreeMap<(u64, String), Vec<u64>>,
    pub mutations: Vec<Mutation>,
    /// Events nobody has taken to deliver yet.
    pub events: Vec<Event>,
    last_id: u64,
}

impl Floor {
    pub(super) fn new(switches: Switches, customers: &[Customer], facilities: &[Facility]) -> Self {
        Self {
            switches,
            customers: customers.iter().map(|one| (one.id, one.clone())).collect(),
            facilities: facilities.iter().map(|one| (one.id, one.clone())).collect(),
            items: BTreeMap::new(),
            by_sku: BTreeMap::new(),
            stock: BTreeMap::new(),
            orders: BTreeMap::new(),
            by_reference: BTreeMap::new(),
            mutations: Vec::new(),
            events: Vec::new(),
            last_id: 90_000,
        }
    }

    /// Ids of orders, lines, packages and receipts come from one row of numbers, so that none can be mistaken for another.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds an item, or replaces the one with the same customer and SKU. Id 0 asks for the next free one.
    pub(super) fn add_item(&mut self, mut item: Item) -> u64 {
        let key = (item.customer, item.sku.to_lowercase());
        if let Some(known) = self.by_sku.get(&key) {
            item.id = *known;
        } else if item.id == 0 {
            item.id = self.next_id();
        }
        self.by_sku.insert(key, item.id);
        let id = item.id;
        self.items.insert(id, item);
        id
    }

    pub(super) fn item_by_sku(&self, customer: u64, sku: &str) -> Option<&Item> {
        let id = self.by_sku.get(&(customer, sku.to_lowercase()))?;
        self.items.get(id)
    }

    /// Puts units on the shelves and sets them aside for orders that wait for them. `None` when the customer has no such
    /// SKU, the facility is unknown, or the quantity is below zero.
    pub(super) fn receive(&mut self, came: &Received, now: Timestamp) -> Option<u64> {
        let item = self.item_by_sku(came.customer, &came.sku)?.id;
        if came.quantity < Decimal::ZERO || !self.facilities.contains_key(&came.facility) {
            return None;
        }
        let id = self.next_id();
        self.stock.insert(
            id,
            Stock {
                id,
                item,
                at: now,
                on_hand: came.quantity,
                allocated: Decimal::ZERO,
                serials: came.serials.clone(),
                came: came.clone(),
            },
        );
        self.allocate_waiting();
        Some(id)
    }

    /// The zone in which times without an offset are shown for a facility.
    pub(super) fn zone(&self, facility: u64) -> jiff::tz::TimeZone {
        use super::model::Zone;
        match self.switches.local_times {
            LocalTimes::Utc => Zone::Utc.time_zone(),
            LocalTimes::Pacific => Zone::Pacific.time_zone(),
            LocalTimes::Facility => {
                self.facilities.get(&facility).map_or(Zone::Utc, |facility| facility.zone).time_zone()
            }
        }
    }

    /// `POST /orders`. The body is in camelCase.
    pub(super) fn create(&mut self, body: &Value, now: Timestamp) -> Result<u64, Refusal> {
        let body = body.as_object().ok_or_else(|| Refusal::required("Order"))?;
        let customer = self.customer_of(body)?;
        let facility = self.facility_of(body)?;
        let reference = text(body, "referenceNum");
        if reference.is_empty() {
            return Err(Refusal::required("ReferenceNum"));
        }
        require_address_and_billing(body)?;
        self.refuse_duplicate(customer, &reference)?;
        let id = self.next_id();
        let lines = self.lines_of(customer, body)?;
        if lines.is_empty() {
            return Err(Refusal::required("OrderItems"));
        }
        let deferred = match body.get("deferNotification") {
            Some(Value::Bool(deferred)) => *deferred,
            _ => self.switches.order_queue == OrderQueue::Incomplete,
        };
        self.orders.insert(
            id,
            Order {
                id,
                version: 1,
                customer,
                facility,
                reference: reference.clone(),
                written: written(body),
                lines,
                status: Status::Open,
                created_deferred: deferred,
                complete: false,
                created: now,
                modified: now,
                pick_started: false,
                pick_done: None,
                pack_started: false,
                pack_done: None,
                closed: None,
                hold: None,
                packages: Vec::new(),
                tracking: String::new(),
                bill_of_lading: String::new(),
                outbound_serials: BTreeMap::new(),
                shipped: Vec::new(),
                split_of: None,
                history: vec![(now, "created".to_owned())],
            },
        );
        self.index(customer, &reference, id);
        if deferred {
            if self.switches.allocation == Allocation::WhenCreated {
                self.allocate(id);
            }
        } else {
            self.release(id, now);
        }
        Ok(id)
    }

    pub(super) fn index(&mut self, customer: u64, reference: &str, id: u64) {
        self.by_reference.entry((customer, reference.to_lowercase())).or_default().push(id);
    }

    /// `PUT /orders/{id}`.
    pub(super) fn replace(&mut self, id: u64, body: &Value, now: Timestamp) -> Result<(), Refusal> {
        let order = self.orders.get(&id).ok_or(Refusal::NotFound)?;
        match order.status {
            Status::Closed => return Err(Refusal::operation("OrderUpdate", "OrderConfirmed")),
            Status::Cancelled => return Err(Refusal::operation("OrderUpdate", "OrderCanceled")),
            Status::Open => {}
        }
        if order.pick_started || order.hold.is_some() {
            return Err(Refusal::operation("OrderUpdate", "InUse"));
        }
        let (customer, old_reference) = (order.customer, order.reference.clone());
        let body = body.as_object().ok_or_else(|| Refusal::required("Order"))?;
        let reference = text(body, "referenceNum");
        if reference.is_empty() {
            return Err(Refusal::required("ReferenceNum"));
        }
        require_address_and_billing(body)?;
        if !reference.eq_ignore_ascii_case(&old_reference) {
            self.refuse_duplicate(customer, &reference)?;
        }
        let sent = self.lines_of(customer, body)?;
        self.deallocate(id);
        let order = self.orders.get_mut(&id).ok_or(Refusal::NotFound)?;
        order.lines = match self.switches.put_lines {
            PutLines::Replace => sent,
            PutLines::Merge => merge(&order.lines, sent),
        };
        order.written = written(body);
        order.reference.clone_from(&reference);
        order.touch(now, "replaced");
        let aside = order.complete || self.switches.allocation == Allocation::WhenCreated;
        if !reference.eq_ignore_ascii_case(&old_reference) {
            if let Some(ids) = self.by_reference.get_mut(&(customer, old_reference.to_lowercase())) {
                ids.retain(|other| *other != id);
            }
            self.index(customer, &reference, id);
        }
        if aside {
            self.allocate(id);
        }
        self.tell(id, "OrderUpdate", "", now);
        Ok(())
    }

    /// `POST /orders/{id}/completer`.
    pub(super) fn complete(&mut self, id: u64, now: Timestamp) -> Result<(), Refusal> {
        let order = self.orders.get(&id).ok_or(Refusal::NotFound)?;
        match order.status {
            Status::Closed => return Err(Refusal::operation("OrderComplete", "OrderConfirmed")),
            Status::Cancelled => return Err(Refusal::operation("OrderComplete", "OrderCanceled")),
            Status::Open => {}
        }
        if order.complete {
            return Err(Refusal::operation("OrderComplete", "AlreadyCompleted"));
        }
        if order.hold.is_some() {
            return Err(Refusal::operation("OrderComplete", "InUse"));
        }
        self.release(id, now);
        Ok(())
    }

    /// `POST /orders/{id}/canceler`.
    pub(super) fn cancel(&mut self, id: u64, body: &Value, now: Timestamp) -> Result<(), Refusal> {
        let reason = body.get("reason").and_then(Value::as_str).unwrap_or_default();
        let order = self.orders.get(&id).ok_or(Refusal::NotFound)?;
        match order.status {
            Status::Closed => return Err(Refusal::operation("OrderCancel", "OrderConfirmed")),
            Status::Cancelled => return Err(Refusal::operation("OrderCancel", "OrderCanceled")),
            Status::Open => {}
        }
        if reason.is_empty() {
            return Err(Refusal::required("Reason"));
        }
        let refused = match self.switches.cancel_until {
            CancelUntil::Never => Some("InUse"),
            _ if order.hold.is_some() => Some("InUse"),
            CancelUntil::Complete if order.complete => Some("AlreadyCompleted"),
            CancelUntil::Complete | CancelUntil::Picking if order.pick_started => Some("InUse"),
            CancelUntil::Complete | CancelUntil::Picking | CancelUntil::Closed => None,
        };
        if let Some(code) = refused {
            return Err(Refusal::operation("OrderCancel", code));
        }
        self.cancel_anyway(id, &format!("cancelled over the API: {reason}"), now);
        Ok(())
    }

    /// Takes an order out of the system for good.
    pub(super) fn remove(&mut self, id: u64) -> bool {
        self.deallocate(id);
        for ids in self.by_reference.values_mut() {
            ids.retain(|known| *known != id);
        }
        self.orders.remove(&id).is_some()
    }

    /// The warehouse's own cancel, which asks nobody.
    pub(super) fn cancel_anyway(&mut self, id: u64, what: &str, now: Timestamp) {
        self.deallocate(id);
        if let Some(order) = self.orders.get_mut(&id) {
            order.status = Status::Cancelled;
            order.touch(now, what);
            self.tell(id, "OrderCancel", "Cancelled", now);
            self.allocate_waiting();
        }
    }

    /// `PUT /orders/orderholder` for one order: holds with a reason, releases without.
    pub(super) fn hold(&mut self, id: u64, reason: Option<&str>, now: Timestamp) -> Result<(), &'static str> {
        let order = self.orders.get_mut(&id).ok_or("order does not exist")?;
        if order.status != Status::Open {
            return Err("order is not open");
        }
        match (reason, &order.hold) {
            (Some(_), Some(_)) => return Err("order is already on hold"),
            (None, None) => return Err("order is not on hold"),
            (Some(reason), None) => {
                order.hold = Some((now, reason.to_owned()));
                order.touch(now, "put on hold");
            }
            (None, Some(_)) => {
                order.hold = None;
                order.touch(now, "released from hold");
            }
        }
        self.tell(id, "OrderUpdate", "", now);
        Ok(())
    }

    /// Makes an order complete: it may be picked, and stock is set aside for it.
    fn release(&mut self, id: u64, now: Timestamp) {
        if let Some(order) = self.orders.get_mut(&id) {
            let fresh = order.created == now && !order.created_deferred;
            order.complete = true;
            if fresh {
                order.history.push((now, "completed".to_owned()));
            } else {
                order.touch(now, "completed");
            }
        }
        self.allocate(id);
        self.tell(id, "OrderCreate", "", now);
    }

    pub(super) fn tell(&mut self, order: u64, kind: &'static str, tags: &'static str, at: Timestamp) {
        let id = self.next_id();
        self.events.push(Event { id, kind, tags, order, at });
    }

    /// Sets stock aside for an order, oldest receipts first, as far as it goes.
    pub(super) fn allocate(&mut self, id: u64) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        for line in &mut order.lines {
            let mut missing = line.qty - line.allocated();
            for stock in self.stock.values_mut() {
                if missing <= Decimal::ZERO {
                    break;
                }
                let fits = stock.item == line.item
                    && stock.came.facility == order.facility
                    && (line.qualifier.is_empty() || stock.came.qualifier == line.qualifier)
                    && (line.lot.is_empty() || stock.came.lot == line.lot)
                    && (line.serial.is_empty() || stock.serials.contains(&line.serial));
                if !fits {
                    continue;
                }
                let taken = stock.free().min(missing);
                if taken > Decimal::ZERO {
                    stock.allocated += taken;
                    *line.allocations.entry(stock.id).or_default() += taken;
                    missing -= taken;
                }
            }
        }
    }

    pub(super) fn deallocate(&mut self, id: u64) {
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        for line in &mut order.lines {
            for (stock, units) in std::mem::take(&mut line.allocations) {
                if let Some(stock) = self.stock.get_mut(&stock) {
                    stock.allocated -= units;
                }
            }
        }
    }

    /// Tries again for every complete order that still misses something, oldest first.
    pub(super) fn allocate_waiting(&mut self) {
        let waiting: Vec<u64> = self
            .orders
            .values()
            .filter(|order| order.status == Status::Open && order.complete && !order.fully_allocated())
            .map(|order| order.id)
            .collect();
        for id in waiting {
            self.allocate(id);
        }
    }

    fn refuse_duplicate(&self, customer: u64, reference: &str) -> Result<(), Refusal> {
        let same = self
            .by_reference
            .get(&(customer, reference.to_lowercase()))
            .into_iter()
            .flatten()
            .filter_map(|id| self.orders.get(id));
        let refused = match self.switches.duplicates {
            Duplicates::Accepted => false,
            Duplicates::RefusedAmongLive => same.into_iter().any(|order| order.status != Status::Cancelled),
            Duplicates::RefusedEver => same.count() > 0,
        };
        if refused {
            return Err(Refusal::model("ReferenceNum", Some(reference.to_owned()), "Duplicate"));
        }
        Ok(())
    }

    fn customer_of(&self, body: &Map<String, Value>) -> Result<u64, Refusal> {
        let given = body
            .get("customerIdentifier")
            .and_then(Value::as_object)
            .ok_or_else(|| Refusal::required("CustomerIdentifier"))?;
        let known = match given.get("id").and_then(Value::as_u64) {
            Some(id) => self.customers.get(&id),
            None => {
                let name = text(given, "name");
                self.customers.values().find(|one| one.name == name)
            }
        };
        known.map(|one| one.id).ok_or_else(|| {
            Refusal::model("CustomerIdentifier", Some(Value::Object(given.clone()).to_string()), "DoesNotExist")
        })
    }

    fn facility_of(&self, body: &Map<String, Value>) -> Result<u64, Refusal> {
        let given = body
            .get("facilityIdentifier")
            .and_then(Value::as_object)
            .ok_or_else(|| Refusal::required("FacilityIdentifier"))?;
        let known = match given.get("id").and_then(Value::as_u64) {
            Some(id) => self.facilities.get(&id),
            None => {
                let name = text(given, "name");
                self.facilities.values().find(|one| one.name == name)
            }
        };
        known.map(|one| one.id).ok_or_else(|| {
            Refusal::model("FacilityIdentifier", Some(Value::Object(given.clone()).to_string()), "DoesNotExist")
        })
    }

    fn lines_of(&mut self, customer: u64, body: &Map<String, Value>) -> Result<Vec<Line>, Refusal> {
        let embedded = || body.get("_embedded").and_then(|all| all.get(super::wire::ORDER_ITEM));
        let sent = body.get("orderItems").or_else(embedded).and_then(Value::as_array).cloned().unwrap_or_default();
        sent.iter().map(|line| self.line_of(customer, line)).collect()
    }

    fn line_of(&mut self, customer: u64, sent: &Value) -> Result<Line, Refusal> {
        let none = Map::new();
        let line = sent.as_object().unwrap_or(&none);
        let given =
            line.get("itemIdentifier").and_then(Value::as_object).ok_or_else(|| Refusal::required("ItemIdentifier"))?;
        let item = match given.get("id").and_then(Value::as_u64) {
            Some(id) => self.items.get(&id).filter(|item| item.customer == customer),
            None => self.item_by_sku(customer, &text(given, "sku")),
        };
        let item =
            item.cloned().ok_or_else(|| Refusal::model("ItemIdentifier", Some(text(given, "sku")), "DoesNotExist"))?;
        if item.deactivated {
            return Err(Refusal::model("ItemIdentifier", Some(item.sku), "Incompatible"));
        }
        let quantity = line.get("qty").ok_or_else(|| Refusal::required("Qty"))?;
        let qty = exact(quantity)
            .filter(|qty| *qty > Decimal::ZERO)
            .ok_or_else(|| Refusal::model("Qty", Some(quantity.to_string()), "ValueNotSupported"))?;
        let id = line.get("readOnly").and_then(|read_only| read_only.get("orderItemId")).and_then(Value::as_u64);
        Ok(Line {
            id: match id {
                Some(id) => id,
                None => self.next_id(),
            },
            item: item.id,
            sku: item.sku,
            qualifier: text(line, "qualifier"),
            external_id: text(line, "externalId"),
            lot: text(line, "lotNumber"),
            serial: text(line, "serialNumber"),
            asked: qty,
            qty,
            shown_original: qty,
            saved_elements: line.get("savedElements").cloned().unwrap_or_else(|| Value::Array(Vec::new())),
            allocations: BTreeMap::new(),
        })
    }
}

/// What the client wrote and gets back, without the parts that are kept as facts.
fn written(body: &Map<String, Value>) -> Map<String, Value> {
    let kept_elsewhere = [
        "customerIdentifier",
        "facilityIdentifier",
        "referenceNum",
        "orderItems",
        "deferNotification",
        "readOnly",
        "_embedded",
        "_links",
        "parcelResponse",
    ];
    body.iter()
        .filter(|(name, _)| !kept_elsewhere.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn require_address_and_billing(body: &Map<String, Value>) -> Result<(), Refusal> {
    let none = Map::new();
    let part = |name: &str| body.get(name).and_then(Value::as_object);
    let address = part("shipTo").ok_or_else(|| Refusal::required("ShipTo"))?;
    if text(address, "name").is_empty() && text(address, "companyName").is_empty() {
        return Err(Refusal::required("ShipTo.Name"));
    }
    let routing = part("routingInfo").unwrap_or(&none);
    let routed = !text(routing, "carrier").is_empty() && !text(routing, "mode").is_empty();
    if routed && text(body, "billingCode").is_empty() {
        return Err(Refusal::required("BillingCode"));
    }
    Ok(())
}

/// Lines sent that name an order item, or an external id the order has, change it; the rest is added.
fn merge(old: &[Line], sent: Vec<Line>) -> Vec<Line> {
    let mut lines = old.to_vec();
    for line in sent {
        let same = lines.iter_mut().find(|known| {
            known.id == line.id || (!line.external_id.is_empty() && known.external_id == line.external_id)
        });
        match same {
            Some(known) => *known = Line { id: known.id, ..line },
            None => lines.push(line),
        }
    }
    lines
}

pub(super) fn text(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A JSON number without the detour over a binary fraction.
fn exact(value: &Value) -> Option<Decimal> {
    let text = value.as_number()?.to_string();
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}
