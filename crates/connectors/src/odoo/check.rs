//! The test of the settings.

use connect::{CarrierChoice, ConnectorError, WarehouseCheck, WarehouseChoices, budget::Priority};
use jiff::{SignedDuration, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    Odoo,
    client::{Call, Purpose},
    settings::Interface,
    wire::{product, rows},
};
use crate::times::moment;

const CHECK: Purpose = Purpose(Priority::Sweeps, "check");
/// A key that ends within this is told.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// The rights that the work needs, with their names in Odoo.
const RIGHTS: [(&str, &str); 3] = [
    ("sales_team.group_sale_salesman_all_leads", "Sales: User, all documents"),
    ("stock.group_stock_user", "Inventory: User"),
    ("base.group_partner_manager", "Contact creation"),
];
/// A search that finds nothing: the right to read is tested, not what there is.
const NOTHING: i64 = -1;

impl Odoo {
    /// Signs in and makes each kind of read that work makes, so that a missing right shows here.
    pub(super) async fn look_around(&self) -> Result<WarehouseCheck, ConnectorError> {
        let mut check = WarehouseCheck::default();
        let version = self.client.version(CHECK).await?;
        check.reached.push(format!("Odoo {version} answers."));
        if self.config.interface == Interface::JsonRpc && version >= 19 {
            check.warnings.push(
                "This Odoo speaks the newer interface: choose it under *Version*. The one in use ends with Odoo 20."
                    .to_owned(),
            );
        }
        if self.config.base.scheme() == "http" {
            check.warnings.push(
                "The address begins with http://, so the API key and all addresses cross the network in the clear. Use https:// \
                 unless nobody else is on that network."
                    .to_owned(),
            );
        }
        let user = self.client.who(CHECK).await?;
        check.reached.push("Signed in.".to_owned());
        self.look_at_rights(&mut check, version, user).await?;
        self.look_at_key(&mut check).await?;
        self.look_at_buildings(&mut check).await?;
        let nothing = || json!([["id", "=", NOTHING]]);
        for (model, fields) in [
            ("sale.order", super::wire::ORDER),
            ("sale.order.line", super::wire::LINE),
            ("stock.picking", super::wire::TRANSFER),
            ("res.partner", super::wire::CONTACT),
        ] {
            self.client.read(CHECK, Call::search(model, nothing(), fields)).await.map_err(|error| {
                let apps = "The apps Sales, Inventory and Delivery must be installed";
                ConnectorError::new(error.kind, format!("{}. {apps}", error.message))
            })?;
        }
        let fields = super::wire::moved(version);
        self.client.read(CHECK, Call::search("stock.move.line", nothing(), &fields)).await?;
        check.reached.push("Orders, transfers and contacts can be read.".to_owned());
        let field = self.config.sku_field.as_str();
        let call = Call::search("product.product", json!([[field, "!=", false]]), &product(field)).first(1, "id");
        let some: Vec<Value> = rows("products", self.client.read(CHECK, call).await?)?;
        if some.is_empty() {
            check.warnings.push("No product has a SKU where the settings look for it: check *SKU is in*.".to_owned());
        }
        check.carriers = self.delivery_methods().await?;
        check.reached.push(format!("{} delivery methods can be mapped.", check.carriers.len()));
        if !self.config.confirm {
            check
                .warnings
                .push("Orders are not confirmed: they stay quotations until somebody confirms them.".to_owned());
        }
        Ok(check)
    }

    /// What can be picked from: its warehouses and delivery methods.
    pub(super) async fn lists(&self) -> Result<WarehouseChoices, ConnectorError> {
        let facilities = self.buildings(CHECK).await?.into_iter().map(|building| building.code).collect();
        Ok(WarehouseChoices { facilities, carriers: self.delivery_methods().await? })
    }

    async fn delivery_methods(&self) -> Result<Vec<CarrierChoice>, ConnectorError> {
        let methods = self.carriers(CHECK).await?.into_iter();
        Ok(methods.map(|method| CarrierChoice { carrier: method.name, services: Vec::new() }).collect())
    }

    async fn look_at_rights(&self, check: &mut WarehouseCheck, version: u32, user: i64) -> Result<(), ConnectorError> {
        let mut missing = Vec::new();
        for (group, title) in RIGHTS {
            // Up to Odoo 17 it is asked of the user who asks.
            let call = match version {
                ..18 => Call::new("res.users", "has_group", json!({ "group_ext_id": group })),
                _ => Call::on("res.users", "has_group", &[user], json!({ "group_ext_id": group })),
            };
            if self.client.read(CHECK, call).await? != Value::Bool(true) {
                missing.push(title);
            }
        }
        if !missing.is_empty() {
            return Err(ConnectorError::credentials(format!(
                "the user lacks rights: give it {} in Odoo, under Settings, Users",
                missing.join("; ")
            )));
        }
        check.reached.push("The user has the rights that are needed.".to_owned());
        Ok(())
    }

    /// Which of the user's keys this is Odoo does not say, so the one that ends first is told.
    async fn look_at_key(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let call = Call::search("res.users.apikeys", json!([]), &["name", "expiration_date"]);
        let keys = match self.client.read(CHECK, call).await {
            Ok(keys) => keys,
            Err(error) if error.is_passing() => return Err(error),
            // Before Odoo 18 keys do not end.
            Err(_) => return Ok(()),
        };
        let ends = keys.as_array().into_iter().flatten().filter_map(|key| {
            let text = key.get("expiration_date")?.as_str()?;
            Some((moment(text, &TimeZone::UTC).ok()?, key.get("name")?.as_str()?.to_owned()))
        });
        let Some((end, name)) = ends.min() else { return Ok(()) };
        let day = end.to_zoned(TimeZone::UTC).date();
        let told = format!("The user's API key {name:?} ends on {day}.");
        let is_soon = self.clock.now().checked_add(SOON).is_ok_and(|soon| end <= soon);
        match is_soon {
            true => check
                .warnings
                .push(format!("{told} Make a new one and enter it before that; the old one may go on until then.")),
            false => check.reached.push(told),
        }
        Ok(())
    }

    async fn look_at_buildings(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let buildings = self.buildings(CHECK).await?;
        for building in &buildings {
            check.reached.push(format!("Warehouse {}: {}.", building.code, building.name));
            check.facilities.push(building.code.clone());
        }
        match &self.config.warehouse {
            Some(code) if !check.facilities.contains(code) => check.warnings.push(format!(
                "Odoo has no warehouse with the short name {code} ({}): enter one of them.",
                check.facilities.join(", ")
            )),
            None if buildings.len() > 1 => check.warnings.push(format!(
                "Odoo has several warehouses ({}) and *Warehouse* is empty: Odoo chooses for orders that name none.",
                check.facilities.join(", ")
            )),
            _ => {}
        }
        Ok(())
    }
}
