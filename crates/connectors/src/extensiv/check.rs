//! The test of the settings.

use connect::{CarrierChoice, ConnectorError, ErrorKind, WarehouseCheck, WarehouseChoices, budget::Priority};
use serde_json::Value;

use super::{Extensiv, client::Purpose, wire::page};

const CHECK: Purpose = Purpose(Priority::Sweeps, "check");

impl Extensiv {
    /// Signs in and makes each kind of read that work makes, so that a missing role shows here.
    pub(super) async fn look_around(&self) -> Result<WarehouseCheck, ConnectorError> {
        let mut check = WarehouseCheck::default();
        let customer = self.config.customer;
        let answer = self.client.get_json(CHECK, &format!("/customers/{customer}"), &[]).await.map_err(|error| {
            if error.kind == ErrorKind::NotFound {
                ConnectorError::new(ErrorKind::NotFound, format!("the warehouse has no customer {customer}, or does not show it to these credentials: check Customer ID"))
            } else {
                error
            }
        })?;
        let name = ["/companyInfo/companyName", "/companyInfo/name", "/name", "/primaryContact/companyName"]
            .iter()
            .find_map(|path| answer.pointer(path)?.as_str());
        check.reached.push(match name {
            Some(name) => format!("Signed in; customer {customer} is {name}."),
            None => format!("Signed in; customer {customer} is there."),
        });

        let of_customer = format!("readOnly.customerIdentifier.id=={customer}");
        let orders = self.count("/orders", &of_customer).await?;
        check.reached.push(format!("Orders can be read; there are {orders}."));
        let rows = self.count("/inventory/stocksummaries", &format!("customerIdentifier.id=={customer}")).await?;
        check.reached.push(format!("Stock can be read; there are {rows} rows."));
        if rows == 0 {
            check.warnings.push("The warehouse reports no stock at all for this customer.".to_owned());
        }
        let items = self.count(&format!("/customers/{customer}/items"), "").await?;
        check.reached.push(format!("Items can be read; there are {items}."));

        let facilities = self.list("/properties/facilities").await?;
        for facility in &facilities {
            if let Some(id) = id_of(facility) {
                let name = facility.get("name").and_then(Value::as_str).unwrap_or("without a name");
                check.reached.push(format!("Facility {id}: {name}."));
                check.facilities.push(id.to_string());
            }
        }
        if !check.facilities.contains(&self.config.facility.to_string()) {
            check.warnings.push(format!(
                "Facility ID {} is not among the facilities of the warehouse ({}).",
                self.config.facility,
                check.facilities.join(", ")
            ));
        }
        self.look_at_carriers(&mut check).await?;
        check.warnings.push(
            "Whether these credentials may also write orders shows with the first order: nothing was written."
                .to_owned(),
        );
        Ok(check)
    }

    async fn look_at_carriers(&self, check: &mut WarehouseCheck) -> Result<(), ConnectorError> {
        let carriers = self.active_carriers().await?;
        let mut codes: Vec<String> = carriers.iter().flat_map(|carrier| texts(carrier.get("billingCodes"))).collect();
        check.carriers = carriers.iter().filter_map(choice_of).collect();
        check.reached.push(format!("{} carriers can be mapped.", check.carriers.len()));
        let billing = &self.config.billing_code;
        if !codes.is_empty() && !codes.contains(billing) {
            codes.sort_unstable();
            codes.dedup();
            check.warnings.push(format!(
                "No carrier of the warehouse lists the billing code {billing}; they list {}.",
                codes.join(", ")
            ));
        }
        Ok(())
    }

    /// What can be picked from: its facilities and carriers.
    pub(super) async fn lists(&self) -> Result<WarehouseChoices, ConnectorError> {
        let facilities = self.list("/properties/facilities").await?;
        let carriers = self.active_carriers().await?;
        Ok(WarehouseChoices {
            facilities: facilities.iter().filter_map(id_of).map(|id| id.to_string()).collect(),
            carriers: carriers.iter().filter_map(choice_of).collect(),
        })
    }

    async fn active_carriers(&self) -> Result<Vec<Value>, ConnectorError> {
        let mut carriers = self.list("/properties/carriers").await?;
        carriers.retain(|carrier| carrier.get("deactivated").and_then(Value::as_bool) != Some(true));
        Ok(carriers)
    }

    async fn count(&self, path: &str, filter: &str) -> Result<usize, ConnectorError> {
        let mut query = vec![("pgsiz", "1".to_owned()), ("pgnum", "1".to_owned())];
        if !filter.is_empty() {
            query.push(("rql", filter.to_owned()));
        }
        Ok(page(path, &self.client.get_json(CHECK, path, &query).await?)?.0)
    }

    /// A list of properties, whose exact shape is not published: the first list in the answer.
    async fn list(&self, path: &str) -> Result<Vec<Value>, ConnectorError> {
        let answer = self.client.get_json(CHECK, path, &[]).await?;
        if let Some(list) = answer.as_array() {
            return Ok(list.clone());
        }
        let lists = answer.get("_embedded").and_then(Value::as_object).into_iter().flat_map(|lists| lists.values());
        let whole = answer.as_object().into_iter().flat_map(|fields| fields.values());
        lists
            .chain(whole)
            .find_map(Value::as_array)
            .cloned()
            .ok_or_else(|| ConnectorError::unexpected(format!("{path}: the answer holds no list")))
    }
}

fn id_of(value: &Value) -> Option<i64> {
    ["/id", "/facilityId", "/facilityIdentifier/id", "/readOnly/facilityId", "/readOnly/id"]
        .iter()
        .find_map(|path| value.pointer(path)?.as_i64())
}

fn choice_of(carrier: &Value) -> Option<CarrierChoice> {
    let name = carrier.get("name")?.as_str()?;
    Some(CarrierChoice { carrier: name.to_owned(), services: texts(carrier.get("shipmentServices")) })
}

/// Names in a list of texts or of things with a name or code.
fn texts(list: Option<&Value>) -> Vec<String> {
    let named = |value: &Value| {
        let field = |name: &str| value.get(name).and_then(Value::as_str);
        value
            .as_str()
            .or_else(|| field("code"))
            .or_else(|| field("name"))
            .or_else(|| field("description"))
            .map(str::to_owned)
    };
    list.and_then(Value::as_array).into_iter().flatten().filter_map(named).collect()
}
