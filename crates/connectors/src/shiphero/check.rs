//! The test of the settings.

use connect::{ConnectorError, WarehouseCheck, WarehouseChoices, budget::Priority};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ShipHero,
    client::Purpose,
    documents::{ACCOUNT, CHANGED, LEFT, PRODUCT},
    wire::{Connection, filled, typed},
};

const CHECK: Purpose = Purpose(Priority::Sweeps, "check");
/// Nothing is newer: whether a list may be read shows without reading it.
const LATE: &str = "2100-01-01T00:00:00Z";

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    username: Option<String>,
    is_3pl: bool,
    #[serde(default)]
    warehouses: Option<Vec<Building>>,
    #[serde(default)]
    customers: Option<Connection>,
}

#[derive(Deserialize)]
struct Building {
    id: String,
    #[serde(default)]
    identifier: Option<String>,
}

#[derive(Deserialize)]
struct Customer {
    id: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    username: Option<String>,
}

impl ShipHero {
    /// Signs in and makes each kind of read that work makes, so that a missing right shows here.
    pub(super) async fn look_around(&self) -> Result<WarehouseCheck, ConnectorError> {
        let mut check = WarehouseCheck::default();
        let account = self.account().await?;
        let who = filled(account.email.as_deref()).or_else(|| filled(account.username.as_deref()));
        check.reached.push(format!("Signed in; the account is {}.", who.unwrap_or("without a name")));
        self.look_at_customer(&account, &mut check)?;
        for building in account.warehouses.iter().flatten() {
            let name = filled(building.identifier.as_deref()).unwrap_or("without a name");
            check.reached.push(format!("Warehouse {}: {name}.", building.id));
            check.facilities.push(building.id.clone());
        }
        if !check.facilities.contains(&self.config.warehouse) {
            check.warnings.push(format!(
                "Warehouse ID {} is not among the account's warehouses ({}): enter one of them.",
                self.config.warehouse,
                check.facilities.join(", ")
            ));
        }
        let customer = &self.config.customer;
        let orders = json!({ "from": LATE, "customer": customer, "shop": self.config.shop, "after": null });
        self.few::<Value>(CHECK, &CHANGED, &orders).await?;
        check.reached.push("Orders can be read.".to_owned());
        self.few::<Value>(CHECK, &LEFT, &json!({ "from": LATE, "customer": customer, "after": null })).await?;
        check.reached.push("Shipments can be read.".to_owned());
        let products: Vec<Value> = self.few(CHECK, &PRODUCT, &json!({ "customer": customer, "sku": null })).await?;
        check.reached.push("Stock can be read.".to_owned());
        if products.is_empty() {
            check.warnings.push("The warehouse reports no stock at all for this account.".to_owned());
        }
        if self.config.webhook_secrets.is_empty() {
            check.warnings.push(
                "No webhook secret is set: ShipHero is asked regularly and does not call. Shipments are told a little later."
                    .to_owned(),
            );
        }
        check.warnings.push(
            "ShipHero lists no carriers: map shipping methods to the carrier and method codes that the warehouse uses. Whether \
             this user may also write orders shows with the first order: nothing was written."
                .to_owned(),
        );
        Ok(check)
    }

    /// What can be picked from: its warehouses. It lists no carriers.
    pub(super) async fn lists(&self) -> Result<WarehouseChoices, ConnectorError> {
        let buildings = self.account().await?.warehouses.unwrap_or_default();
        let facilities = buildings.into_iter().map(|building| building.id).collect();
        Ok(WarehouseChoices { facilities, carriers: Vec::new() })
    }

    async fn account(&self) -> Result<Account, ConnectorError> {
        let mut read = self.client.read(CHECK, &ACCOUNT, &json!({})).await?;
        let account = read.data.pointer_mut("/account/data").map(Value::take).unwrap_or_default();
        typed("the account", account)
    }

    /// A 3PL's user must say for which customer orders are.
    fn look_at_customer(&self, account: &Account, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let customers: Vec<Customer> = match &account.customers {
            Some(customers) => customers.typed("a customer of the account")?,
            None => Vec::new(),
        };
        let name = |customer: &Customer| {
            let name = filled(customer.username.as_deref()).or_else(|| filled(customer.email.as_deref()));
            name.unwrap_or("without a name").to_owned()
        };
        let listed: Vec<String> =
            customers.iter().map(|customer| format!("{} {}", customer.id, name(customer))).collect();
        let Some(wanted) = &self.config.customer else {
            return match account.is_3pl {
                true => Err(ConnectorError::unexpected(format!(
                    "the account is a 3PL's, and without a customer orders would be its own: enter Customer account ID, one of {}",
                    listed.join(", ")
                ))),
                false => Ok(()),
            };
        };
        match customers.iter().find(|customer| customer.id == *wanted) {
            Some(customer) => check.reached.push(format!("Customer account {wanted} is {}.", name(customer))),
            // More than the page shows.
            None if account.customers.as_ref().is_some_and(|customers| !customers.is_whole()) => {
                check
                    .warnings
                    .push(format!("Customer account {wanted} is not among the first hundred that are listed."));
            }
            None => {
                return Err(ConnectorError::unexpected(format!(
                    "the account has no customer {wanted}, or does not show it to this user; there are: {}. Check Customer account \
                     ID",
                    listed.join(", ")
                )));
            }
        }
        Ok(())
    }
}
