//! Orders under a key, with what they are made of, and the ids of what a new one is to be made of.

use std::collections::BTreeMap;

use connect::ConnectorError;
use serde_json::{Value, json};

use super::{
    Odoo,
    client::{Call, Purpose},
    orders::{Ids, Lines, Wanted},
    wire::{
        BUILDING, Building, CONTACT, Contact, LINE, Line, Metadata, Named, ORDER, Order, Product, TRANSFER, Transfer,
        ids, product, rows,
    },
};

/// An order with what it is compared by.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) order: Order,
    /// What it was made under.
    pub(super) xmlid: String,
    /// Of goods; what is only billed is left out.
    pub(super) lines: Lines,
    /// Whether everything asked for has been delivered.
    pub(super) is_delivered: bool,
    pub(super) contact: Option<Contact>,
}

/// Why an order cannot be made as it is.
pub(super) type Missing = String;

impl Odoo {
    /// Every order under these keys, whatever its state, by key and then by id. A direct read: what was written is found at once.
    pub(super) async fn find(
        &self,
        purpose: Purpose,
        keys: &[String],
    ) -> Result<BTreeMap<String, Vec<Found>>, ConnectorError> {
        let call = Call::search("sale.order", json!([["client_order_ref", "in", keys]]), ORDER);
        let orders: Vec<Order> = rows("orders", self.client.read(purpose, call).await?)?;
        // The fence between what was asked for and what came.
        let orders: Vec<Order> = orders.into_iter().filter(|order| keys.contains(&order.client_order_ref)).collect();
        self.detailed(purpose, orders).await
    }

    async fn detailed(
        &self,
        purpose: Purpose,
        orders: Vec<Order>,
    ) -> Result<BTreeMap<String, Vec<Found>>, ConnectorError> {
        let mut found: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        if orders.is_empty() {
            return Ok(found);
        }
        let numbers: Vec<i64> = orders.iter().map(|order| order.id).collect();
        let names = self.external_ids(purpose, "sale.order", &numbers).await?;
        let call = Call::search("sale.order.line", json!([["order_id", "in", numbers]]), LINE);
        let lines: Vec<Line> = rows("order lines", self.client.read(purpose, call).await?)?;
        let products = self.products(purpose, ids(lines.iter().map(|line| line.product_id.as_ref()))).await?;
        let contacts = ids(orders.iter().map(|order| order.partner_shipping_id.as_ref()));
        let call = Call::on("res.partner", "read", &contacts, json!({ "fields": CONTACT }));
        let contacts: Vec<Contact> = rows("contacts", self.client.read(purpose, call).await?)?;
        for order in orders {
            let goods: Vec<(&Line, &Product)> = lines
                .iter()
                .filter(|line| line.order_id.as_ref().is_some_and(|link| link.id == order.id))
                .filter_map(|line| Some((line, products.get(&line.product_id.as_ref()?.id)?)))
                .filter(|(_, product)| product.kind != "service")
                .collect();
            let contact = order.partner_shipping_id.as_ref().map(|link| link.id);
            found.entry(order.client_order_ref.clone()).or_default().push(Found {
                xmlid: names.get(&order.id).cloned().unwrap_or_default(),
                lines: goods.iter().map(|(line, product)| (product.sku.as_str(), line.product_uom_qty)).collect(),
                is_delivered: goods.iter().all(|(line, _)| line.qty_delivered >= line.product_uom_qty),
                contact: contacts.iter().find(|one| Some(one.id) == contact).cloned(),
                order,
            });
        }
        found.values_mut().for_each(|orders| orders.sort_by_key(|one| one.order.id));
        Ok(found)
    }

    /// What records were made under. A user may ask that of records, though not read the list of external ids.
    pub(super) async fn external_ids(
        &self,
        purpose: Purpose,
        model: &'static str,
        records: &[i64],
    ) -> Result<BTreeMap<i64, String>, ConnectorError> {
        if records.is_empty() {
            return Ok(BTreeMap::new());
        }
        let answer = self.client.read(purpose, Call::on(model, "get_metadata", records, json!({}))).await?;
        let metadata: Vec<Metadata> = rows("external ids", answer)?;
        Ok(metadata.into_iter().map(|one| (one.id, one.xmlid)).collect())
    }

    /// Products by id, archived ones as well.
    pub(super) async fn products(
        &self,
        purpose: Purpose,
        ids: Vec<i64>,
    ) -> Result<BTreeMap<i64, Product>, ConnectorError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fields = product(&self.config.sku_field);
        let call = Call::on("product.product", "read", &ids, json!({ "fields": fields }));
        let products: Vec<Value> = rows("products", self.client.read(purpose, call).await?)?;
        products
            .iter()
            .map(|row| Product::new(row, &self.config.sku_field).map(|product| (product.id, product)))
            .collect()
    }

    /// Transfers of these orders, out of the building and towards that, by id. In deliveries of several steps the transfer that goes
    /// out is there only for what was picked already.
    pub(super) async fn transfers(&self, purpose: Purpose, orders: &[i64]) -> Result<Vec<Transfer>, ConnectorError> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let domain = json!([["sale_id", "in", orders], ["picking_type_code", "in", ["outgoing", "internal"]]]);
        let call = Call::search("stock.picking", domain, TRANSFER);
        let mut transfers: Vec<Transfer> = rows("transfers", self.client.read(purpose, call).await?)?;
        transfers.sort_by_key(|transfer| transfer.id);
        Ok(transfers)
    }

    /// Warehouses of the user's company, by id.
    pub(super) async fn buildings(&self, purpose: Purpose) -> Result<Vec<Building>, ConnectorError> {
        let call = Call::search("stock.warehouse", json!([]), BUILDING);
        let mut buildings: Vec<Building> = rows("warehouses", self.client.read(purpose, call).await?)?;
        buildings.sort_by_key(|building| building.id);
        Ok(buildings)
    }

    /// Delivery methods by name; none where the app for them is not installed.
    pub(super) async fn carriers(&self, purpose: Purpose) -> Result<Vec<Named>, ConnectorError> {
        rows(
            "delivery methods",
            self.client.read(purpose, Call::search("delivery.carrier", json!([]), &["name"])).await?,
        )
    }

    /// The ids that each of these orders needs, or what Odoo lacks for it.
    pub(super) async fn resolve(
        &self,
        purpose: Purpose,
        orders: &[&Wanted],
    ) -> Result<Vec<Result<Ids, Missing>>, ConnectorError> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        let mut skus: Vec<&str> =
            orders.iter().flat_map(|wanted| &wanted.lines).map(|line| line.sku.as_str()).collect();
        skus.sort_unstable();
        skus.dedup();
        let field = self.config.sku_field.as_str();
        let call = Call::search("product.product", json!([[field, "in", skus]]), &product(field));
        let found: Vec<Value> = rows("products", self.client.read(purpose, call).await?)?;
        let mut products: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in &found {
            let product = Product::new(row, field)?;
            products.entry(product.sku).or_default().push(product.id);
        }
        let places = self.places(purpose, orders).await?;
        let needs_building = orders.iter().any(|wanted| wanted.warehouse.is_some());
        let buildings = if needs_building { self.buildings(purpose).await? } else { Vec::new() };
        let needs_carrier = orders.iter().any(|wanted| wanted.carrier.is_some());
        let carriers = if needs_carrier { self.carriers(purpose).await? } else { Vec::new() };
        Ok(orders.iter().map(|wanted| put_together(wanted, &products, &places, &buildings, &carriers)).collect())
    }

    /// Countries of these orders by code, each with its states by code and by name.
    async fn places(&self, purpose: Purpose, orders: &[&Wanted]) -> Result<Places, ConnectorError> {
        let mut codes: Vec<String> = orders.iter().map(|wanted| code(&wanted.ship_to.country)).collect();
        codes.sort_unstable();
        codes.dedup();
        let call = Call::search("res.country", json!([["code", "in", codes]]), &["code"]);
        let countries = self.client.read(purpose, call).await?;
        let mut places = Places::default();
        for country in countries.as_array().into_iter().flatten() {
            if let (Some(id), Some(code)) = (number(country, "id"), country.get("code").and_then(Value::as_str)) {
                places.countries.insert(code.to_owned(), id);
            }
        }
        if orders.iter().all(|wanted| wanted.ship_to.state.trim().is_empty()) {
            return Ok(places);
        }
        let countries: Vec<i64> = places.countries.values().copied().collect();
        let domain = json!([["country_id", "in", countries]]);
        let states = self
            .client
            .read(purpose, Call::search("res.country.state", domain, &["name", "code", "country_id"]))
            .await?;
        for state in states.as_array().into_iter().flatten() {
            let country = state.get("country_id").and_then(|link| link.get(0)?.as_i64());
            let (Some(id), Some(country)) = (number(state, "id"), country) else { continue };
            for word in ["name", "code"].iter().filter_map(|name| state.get(*name)?.as_str()) {
                places.states.insert((country, word.to_lowercase()), id);
            }
        }
        Ok(places)
    }
}

/// Countries and their states.
#[derive(Default)]
struct Places {
    countries: BTreeMap<String, i64>,
    states: BTreeMap<(i64, String), i64>,
}

fn number(row: &Value, name: &str) -> Option<i64> {
    row.get(name)?.as_i64()
}

fn code(country: &str) -> String {
    country.trim().to_uppercase()
}

fn put_together(
    wanted: &Wanted,
    products: &BTreeMap<String, Vec<i64>>,
    places: &Places,
    buildings: &[Building],
    carriers: &[Named],
) -> Result<Ids, Missing> {
    let mut found = Ids::default();
    for line in &wanted.lines {
        match products.get(&line.sku).map(Vec::as_slice).unwrap_or_default() {
            [only] => found.products.insert(line.sku.clone(), *only),
            [] => {
                return Err(format!(
                    "Odoo has no product {}: make one there, or map the SKU to what it is called there",
                    line.sku
                ));
            }
            several => {
                return Err(format!(
                    "{} products in Odoo carry the SKU {}: give each one of its own",
                    several.len(),
                    line.sku
                ));
            }
        };
    }
    let country = code(&wanted.ship_to.country);
    let Some(id) = places.countries.get(&country) else {
        return Err(format!("Odoo does not know the country {country} of the delivery address"));
    };
    found.country = Some(*id);
    found.state = places.states.get(&(*id, wanted.ship_to.state.trim().to_lowercase())).copied();
    if let Some(code) = &wanted.warehouse {
        let listed: Vec<&str> = buildings.iter().map(|building| building.code.as_str()).collect();
        let building = buildings.iter().find(|building| building.code == *code).ok_or_else(|| {
            format!("Odoo has no warehouse with the short name {code}; it has: {}", listed.join(", "))
        })?;
        found.warehouse = Some(building.id);
    }
    if let Some(name) = &wanted.carrier {
        let carrier = carriers.iter().find(|carrier| carrier.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            format!("Odoo has no delivery method {name}: map the shipping method to one that it lists")
        })?;
        found.carrier = Some(carrier.id);
    }
    Ok(found)
}
