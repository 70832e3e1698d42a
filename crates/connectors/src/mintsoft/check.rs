//! The test of the settings.

use connect::{CarrierChoice, ConnectorError, WarehouseCheck, WarehouseChoices, budget::Priority};
use serde_json::Value;

use super::{
    Mintsoft,
    calls::Read,
    client::Purpose,
    statuses::plain,
    wire::{Named, list, parse, typed},
};

const CHECK: Purpose = Purpose(Priority::Sweeps, "check");
/// A time from which on nothing has changed: the list is read for its form, not for what is in it.
const LATE: &str = "2999-01-01T00:00:00";

impl Mintsoft {
    /// Signs in and makes each kind of read that work makes, so that a missing right shows here.
    pub(super) async fn look_around(&self) -> Result<WarehouseCheck, ConnectorError> {
        let mut check = WarehouseCheck::default();
        let warehouses = self.named(Read::Warehouses).await?;
        check.reached.push("Signed in.".to_owned());
        for warehouse in &warehouses {
            check.reached.push(format!("Warehouse {}: {}.", warehouse.id, name(warehouse)));
            check.facilities.push(warehouse.id.to_string());
        }
        if !warehouses.iter().any(|warehouse| warehouse.id == self.config.warehouse) {
            check.warnings.push(format!(
                "Warehouse ID {} is not among the account's warehouses ({}): enter one of them.",
                self.config.warehouse,
                check.facilities.join(", ")
            ));
        }
        self.look_at_client(&mut check).await?;
        self.look_at_statuses(&mut check).await?;
        self.rows(Read::Changed { since: LATE, page: 1 }).await?;
        check.reached.push("Orders can be read.".to_owned());
        let rows = self.rows(Read::Stock).await?;
        let bundles = rows.iter().filter(|row| row.get("Bundle").and_then(Value::as_bool) == Some(true)).count();
        check.reached.push(format!(
            "Stock can be read; there are {} rows, {bundles} of them bundles, which are left out.",
            rows.len()
        ));
        if rows.is_empty() {
            check.warnings.push("The warehouse reports no stock at all.".to_owned());
        }
        self.look_at_couriers(&mut check).await?;
        self.look_at_channels(&mut check).await?;
        if self.config.callback.is_none() {
            check.warnings.push(
                "No call-back address is set: Mintsoft is asked regularly and does not call. Shipments are told a little later."
                    .to_owned(),
            );
        }
        check.warnings.push(
            "Whether this user may also write orders shows with the first order: nothing was written.".to_owned(),
        );
        Ok(check)
    }

    /// A user who sees several clients is an administrator, and must say whose orders are meant.
    async fn look_at_client(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let clients = match self.named(Read::Clients).await {
            Ok(clients) => clients,
            // Users of one client may not see the list.
            Err(error) if error.is_passing() => return Err(error),
            Err(_) => Vec::new(),
        };
        let listed: Vec<String> = clients.iter().map(|client| format!("{} {}", client.id, name(client))).collect();
        match (self.config.client, clients.as_slice()) {
            (None, [_, _, ..]) => {
                return Err(ConnectorError::unexpected(format!(
                    "this user sees {} clients of the warehouse ({}): enter your own as Client ID",
                    clients.len(),
                    listed.join(", ")
                )));
            }
            (Some(wanted), [_, ..]) if !clients.iter().any(|client| client.id == wanted) => {
                return Err(ConnectorError::unexpected(format!(
                    "the warehouse has no client {wanted}, or does not show it to this user; there are: {}. Check Client ID",
                    listed.join(", ")
                )));
            }
            _ => {}
        }
        if let Some(client) = self.config.client.and_then(|wanted| clients.iter().find(|client| client.id == wanted)) {
            check.reached.push(format!("Client {} is {}.", client.id, name(client)));
        }
        let several = clients.len() > 1;
        match (several, self.config.unique_numbers) {
            (true, false) => check.warnings.push(
                "The warehouse has several clients. Mintsoft then refuses a second order of one number: ask the warehouse, and \
                 if it is so, switch on *Order numbers are unique*."
                    .to_owned(),
            ),
            (_, true) => check.reached.push("Order numbers are taken to be unique, as set.".to_owned()),
            (false, false) => {}
        }
        Ok(())
    }

    async fn look_at_statuses(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let statuses = self.named(Read::Statuses).await?;
        let names: Vec<String> = statuses.iter().map(name).collect();
        let plain_names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        check.reached.push(format!("The account has these order statuses: {}.", names.join(", ")));
        for wanted in self.config.despatched.iter().filter(|wanted| !plain_names.contains(wanted)) {
            check.warnings.push(format!(
                "The account has no order status {wanted}: correct *Statuses that mean despatched*, or nothing will be seen to leave."
            ));
        }
        Ok(())
    }

    async fn look_at_couriers(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        check.carriers = self.courier_services().await?;
        check.reached.push(format!("{} courier services can be mapped.", check.carriers.len()));
        let chosen = &self.config.courier_service;
        if !chosen.eq_ignore_ascii_case("AUTO") && !check.carriers.iter().any(|choice| choice.carrier == *chosen) {
            check
                .warnings
                .push(format!("The warehouse has no courier service {chosen}: enter one that it lists, or AUTO."));
        }
        Ok(())
    }

    /// What can be picked from: its warehouses and courier services.
    pub(super) async fn lists(&self) -> Result<WarehouseChoices, ConnectorError> {
        let warehouses = self.named(Read::Warehouses).await?;
        let facilities = warehouses.iter().map(|warehouse| warehouse.id.to_string()).collect();
        Ok(WarehouseChoices { facilities, carriers: self.courier_services().await? })
    }

    async fn courier_services(&self) -> Result<Vec<CarrierChoice>, ConnectorError> {
        let services = self.named(Read::CourierServices).await?.into_iter();
        let active = services.filter(|service| service.active_b != Some(false));
        let choices = active.filter_map(|service| Some(CarrierChoice { carrier: service.name?, services: Vec::new() }));
        Ok(choices.collect())
    }

    async fn look_at_channels(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let Some(wanted) = &self.config.channel else { return Ok(()) };
        let names: Vec<String> = self.named(Read::Channels).await?.iter().map(name).collect();
        if !names.contains(wanted) {
            check.warnings.push(format!("The account has no channel {wanted}; it has: {}.", names.join(", ")));
        }
        Ok(())
    }

    async fn named(&self, read: Read<'_>) -> Result<Vec<Named>, ConnectorError> {
        let what = read.path();
        self.rows(read).await?.into_iter().map(|row| typed(&what, row)).collect()
    }

    async fn rows(&self, read: Read<'_>) -> Result<Vec<Value>, ConnectorError> {
        list(&read.path(), parse(&read.path(), &self.client.read(CHECK, read, &self.config).await?)?)
    }
}

fn name(named: &Named) -> String {
    named.name.clone().unwrap_or_else(|| "without a name".to_owned())
}
