//! The warehouse itself: what may be ordered, what becomes of orders, what lies where.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::ledger::Mutation;
use super::model::{Building, Client, Line, Order, Product, Received, Shelf, Status};
use super::switches::{CancelUntil, Switches, Uniqueness};

/// Something that a client asked to be called for.
pub(super) struct Event {
    pub order: u64,
    /// The code the address stands under: 1 despatched, 2 cancelled, 5 split.
    pub code: &'static str,
}

pub(super) struct Floor {
    pub switches: Switches,
    pub clients: Vec<Client>,
    pub buildings: Vec<Building>,
    pub couriers: Vec<String>,
    pub products: BTreeMap<u64, Product>,
    pub shelves: Vec<Shelf>,
    pub orders: BTreeMap<u64, Order>,
    pub mutations: Vec<Mutation>,
    pub events: Vec<Event>,
    next: u64,
}

impl Floor {
    pub(super) fn new(
        switches: Switches,
        clients: Vec<Client>,
        buildings: Vec<Building>,
        couriers: Vec<String>,
    ) -> Self {
        Self {
            switches,
            clients,
            buildings,
            couriers,
            products: BTreeMap::new(),
            shelves: Vec::new(),
            orders: BTreeMap::new(),
            mutations: Vec::new(),
            events: Vec::new(),
            next: 90_000,
        }
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn product(&self, client: u64, sku: &str) -> Option<&Product> {
        // Letter case does not matter in SKUs there.
        self.products.values().find(|product| product.client == client && product.sku.eq_ignore_ascii_case(sku))
    }

    /// Adds a product, or a bundle where it is made of others; a known SKU keeps its id.
    pub(super) fn add_product(&mut self, client: u64, sku: &str, parts: Vec<(String, i64)>) -> u64 {
        if let Some(known) = self.product(client, sku) {
            return known.id;
        }
        let id = self.next_id();
        self.products.insert(id, Product { id, client, sku: sku.to_owned(), parts });
        id
    }

    pub(super) fn receive(&mut self, came: &Received, now: Timestamp) -> bool {
        let Some(product) = self.product(came.client, &came.sku).filter(|product| product.parts.is_empty()) else {
            return false;
        };
        let shelf = Shelf {
            product: product.id,
            warehouse: came.warehouse,
            units: came.units,
            batch: came.batch.clone(),
            serials: came.serials.clone(),
            best_before: came.best_before,
            changed: now,
        };
        self.shelves.push(shelf);
        true
    }

    /// Units of a product in a building; of a bundle, how many can be made.
    pub(super) fn level(&self, product: &Product, warehouse: u64) -> i64 {
        if product.parts.is_empty() {
            let here = self.shelves.iter().filter(|shelf| shelf.product == product.id && shelf.warehouse == warehouse);
            return here.map(|shelf| shelf.units).sum();
        }
        let made = product.parts.iter().map(|(sku, units)| {
            self.product(product.client, sku).map_or(0, |part| self.level(part, warehouse) / (*units).max(1))
        });
        made.min().unwrap_or(0)
    }

    /// Takes an order in: the ids of what became of it, or the words of the refusal.
    pub(super) fn create(
        &mut self,
        client: u64,
        body: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<Vec<u64>, String> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default().to_owned();
        let number = text("OrderNumber");
        let reference = text("ExternalOrderReference");
        if number.is_empty() {
            return Err("OrderNumber is required".to_owned());
        }
        for required in ["FirstName", "Address1", "PostCode"] {
            if text(required).is_empty() {
                return Err(format!("{required} is required"));
            }
        }
        let country = text("Country");
        if country.len() != 2 && body.get("CountryId").is_none() {
            return Err(format!("Country {country} not found"));
        }
        let building = body.get("WarehouseId").and_then(Value::as_u64);
        let by_name = text("Warehouse");
        let building = self.buildings.iter().find(|known| Some(known.id) == building || known.name == by_name);
        let warehouse = building.ok_or("Warehouse not found")?.id;
        let courier = text("CourierService");
        if courier != "AUTO" && !self.couriers.contains(&courier) {
            return Err(format!("Courier Service {courier} not found"));
        }
        let is_taken = |order: &Order| {
            let counts = match self.switches.uniqueness {
                Uniqueness::PerClient => true,
                Uniqueness::AmongLive => order.status != Status::Cancelled,
                Uniqueness::None => false,
            };
            let same = order.number == number || (!reference.is_empty() && order.reference == reference);
            counts && order.client == client && same
        };
        if self.orders.values().any(is_taken) {
            return Err(match self.switches.duplicates_are_named {
                true => format!("Order Number {number} already exists for this Client"),
                false => "Unable to save order".to_owned(),
            });
        }
        let lines = self.lines_of(client, body)?;
        let mut written = body.clone();
        for own in ["OrderItems", "ClientId", "WarehouseId", "OrderNumber", "ExternalOrderReference"] {
            written.remove(own);
        }
        let id = self.next_id();
        let chosen = if courier == "AUTO" { self.couriers.first().cloned().unwrap_or_default() } else { courier };
        let order = Order {
            id,
            client,
            warehouse,
            number,
            reference,
            written,
            lines,
            status: Status::New,
            courier: chosen,
            part: 1,
            parts: 1,
            split_of: None,
            created: now,
            changed: now,
            despatched: None,
            parcels: Vec::new(),
            scans: Vec::new(),
            shipped: Vec::new(),
            // The create may carry them too; under which name is not published, so none is taken for it.
            calls: BTreeMap::new(),
            history: vec![(now, "created".to_owned())],
        };
        self.orders.insert(id, order);
        let mut ids = vec![id];
        let count = self.orders.get(&id).map_or(0, |order| order.lines.len());
        if self.switches.splits_on_entry && count > 1 {
            let first = self.orders.get(&id).and_then(|order| order.lines.first());
            let stays = first.map(|line| (line.id, line.quantity)).into_iter().collect();
            ids.extend(self.split(id, &stays, now));
        }
        Ok(ids)
    }

    fn lines_of(&mut self, client: u64, body: &Map<String, Value>) -> Result<Vec<Line>, String> {
        let items = body.get("OrderItems").and_then(Value::as_array).cloned().unwrap_or_default();
        if items.is_empty() {
            return Err("OrderItems are required".to_owned());
        }
        let mut lines = Vec::with_capacity(items.len());
        for item in items {
            let sku = item.get("SKU").and_then(Value::as_str).unwrap_or_default();
            let by_id = item.get("ProductId").and_then(Value::as_u64).and_then(|id| self.products.get(&id));
            let product = by_id.filter(|product| product.client == client).or_else(|| self.product(client, sku));
            let (product, sku) =
                product.map(|product| (product.id, product.sku.clone())).ok_or(format!("Product {sku} not found"))?;
            let quantity = item.get("Quantity").and_then(Value::as_i64).filter(|units| *units > 0);
            let quantity = quantity.ok_or(format!("Quantity of {sku} is not a whole number above zero"))?;
            let mut written = item.as_object().cloned().unwrap_or_default();
            for own in ["SKU", "ProductId", "Quantity"] {
                written.remove(own);
            }
            lines.push(Line { id: self.next_id(), product, sku, asked: quantity, quantity, written });
        }
        Ok(lines)
    }

    /// Moves what does not stay to a part of its own; its id.
    pub(super) fn split(&mut self, id: u64, stays: &BTreeMap<u64, i64>, now: Timestamp) -> Option<u64> {
        let new = self.next_id();
        let root = self.orders.get(&id)?.split_of.unwrap_or(id);
        let parts = self.orders.get(&root)?.parts + 1;
        let root_number = self.orders.get(&root)?.number.clone();
        let suffixed = self.switches.part_numbers == super::PartNumbers::Suffixed;
        let order = self.orders.get_mut(&id)?;
        let mut other = order.clone();
        for line in &mut order.lines {
            line.quantity = stays.get(&line.id).copied().unwrap_or(0).clamp(0, line.quantity);
            line.asked = line.quantity;
        }
        let kept: BTreeMap<u64, i64> = order.lines.iter().map(|line| (line.id, line.quantity)).collect();
        order.lines.retain(|line| line.quantity > 0);
        order.touch(now, "split");
        other.lines.retain_mut(|line| {
            line.quantity -= kept.get(&line.id).copied().unwrap_or(0);
            line.asked = line.quantity;
            line.quantity > 0
        });
        if other.lines.is_empty() {
            return None;
        }
        other.id = new;
        other.split_of = Some(root);
        other.part = parts;
        if suffixed {
            other.number = format!("{root_number}-{parts}");
        }
        other.status = Status::New;
        other.created = now;
        other.changed = now;
        other.history = vec![(now, format!("split from {id}"))];
        for line in &mut other.lines {
            line.id = self.next_id();
        }
        self.orders.insert(new, other);
        for part in self.orders.values_mut().filter(|part| part.id == root || part.split_of == Some(root)) {
            part.parts = parts;
            part.changed = now;
        }
        self.events.push(Event { order: id, code: "5" });
        Some(new)
    }

    /// A client cancels: done already counts as done.
    pub(super) fn cancel(&mut self, id: u64, now: Timestamp) -> Result<bool, String> {
        let until = self.switches.cancel_until;
        let order = self.orders.get(&id).ok_or("Order not found")?;
        match order.status {
            Status::Cancelled => return Ok(false),
            Status::Despatched => return Err("Order has been despatched".to_owned()),
            Status::Picked if until == CancelUntil::Picked => return Err("Order is being picked".to_owned()),
            _ => {}
        }
        self.cancel_anyway(id, "cancelled by the client", now);
        Ok(true)
    }

    pub(super) fn cancel_anyway(&mut self, id: u64, why: &str, now: Timestamp) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.status = Status::Cancelled;
            order.touch(now, why);
            self.events.push(Event { order: id, code: "2" });
        }
    }
}

/// The addresses that `…/ConnectActions` is given.
pub(super) fn calls_of(action: &Value) -> BTreeMap<String, String> {
    let Some(fields) = action.as_object() else { return BTreeMap::new() };
    if fields.get("Type").and_then(Value::as_str) != Some("API") {
        return BTreeMap::new();
    }
    let code = |name: &str| name.strip_prefix("ExtraCode").map(str::to_owned);
    fields.iter().filter_map(|(name, value)| Some((code(name)?, value.as_str()?.to_owned()))).collect()
}
