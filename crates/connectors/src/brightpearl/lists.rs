//! The account's own lists, its staff, and the test of the credentials.

use connect::{AccountCheck, Choices, ConnectorError, ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Brightpearl,
    client::{Client, Failure, Purpose},
    lenient::whole,
    map,
    search::{self, Filter, Query},
    wire,
};

const LISTS: Purpose = Purpose::sweeps("lists");
const CHECK: Purpose = Purpose::sweeps("check");
/// Calls that Brightpearl allows in a minute (Brightpearl help: *Request throttling*, article 212644823).
const CALLS_ALLOWED: u32 = 200;

/// Everything a person picks from.
pub(super) async fn choices(client: &Client) -> Result<Choices, Failure> {
    let configuration = configuration(client, LISTS).await?;
    let value = |key: &str| configuration.configuration.get(key).map(|text| text.0.trim().to_owned());
    let id = |key: &str| value(key).and_then(|text| text.parse().ok()).filter(|id: &i64| *id > 0);
    let warehouses = list(client, LISTS, "warehouse-service/warehouse").await?;
    let statuses = list(client, LISTS, "order-service/order-status").await?;
    let channels = list(client, LISTS, "product-service/channel").await?;
    let ship_methods = list(client, LISTS, "warehouse-service/shipping-method").await?;
    let price_lists = list(client, LISTS, "product-service/price-list").await?;
    Ok(Choices {
        warehouses: warehouses.into_iter().map(map::to_warehouse).collect(),
        statuses: statuses.into_iter().filter_map(map::to_status).collect(),
        channels: channels.into_iter().map(map::to_channel).collect(),
        ship_methods: ship_methods.into_iter().map(map::to_ship_method).collect(),
        price_lists: price_lists.into_iter().map(map::to_price_list).collect(),
        cancelled_status: id("cancelledOrderStatusId"),
        cost_price_list: id("defaultCostPriceListId"),
        time_zone: value("timeZone").unwrap_or_default(),
        currency: value("baseCurrencyCode").unwrap_or_default(),
    })
}

async fn configuration(client: &Client, purpose: Purpose) -> Result<wire::AccountConfiguration, Failure> {
    client.get(purpose, "integration-service/account-configuration").await
}

/// A list; an empty one may be answered "not found".
async fn list<T: DeserializeOwned>(client: &Client, purpose: Purpose, path: &str) -> Result<Vec<T>, Failure> {
    match client.get(purpose, path).await {
        Err(failure) if failure.is_not_found() => Ok(Vec::new()),
        answer => answer,
    }
}

/// The staff contact with this e-mail; `None` where there is none or it is not the only one.
pub(super) async fn find_staff(client: &Client, purpose: Purpose, email: &str) -> Result<Option<i64>, Failure> {
    let query = Query {
        path: "contact-service/contact-search",
        columns: &["contactId", "isStaff", "primaryEmail", "secondaryEmail", "tertiaryEmail"],
        filters: vec![("isStaff", Filter::text("true"))],
    };
    // The whole list of staff, since the filter by e-mail minds letter case and looks at one of three addresses.
    let rows = search::all(client, purpose, &query).await?;
    let staff_with_email = |row: &search::Row| match row.as_slice() {
        [contact_id, Value::Bool(true), emails @ ..] => emails
            .iter()
            .any(|value| value.as_str().is_some_and(|text| text.trim().eq_ignore_ascii_case(email)))
            .then(|| whole(contact_id))
            .flatten(),
        _ => None,
    };
    let mut found = rows.iter().filter_map(staff_with_email);
    Ok(match (found.next(), found.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    })
}

async fn is_staff(client: &Client, contact_id: i64) -> Result<bool, Failure> {
    let query = Query {
        path: "contact-service/contact-search",
        columns: &["contactId", "isStaff"],
        filters: vec![("isStaff", Filter::text("true")), ("contactId", Filter::text(contact_id.to_string()))],
    };
    let rows = search::all(client, CHECK, &query).await?;
    let is_the_one =
        |row: &search::Row| matches!(row.as_slice(), [id, Value::Bool(true)] if whole(id) == Some(contact_id));
    Ok(rows.iter().any(is_the_one))
}

/// What is read by searching, what it is called, and what it is needed for.
const SEARCHED: [(&str, &str, &str, &str); 3] = [
    ("order-service/order-search", "orderId", "orders", "nothing is imported"),
    ("warehouse-service/goods-note/goods-out-search", "goodsOutNoteId", "goods-out notes", "no shipment is confirmed"),
    ("product-service/product-search", "productId", "products", "no stock is corrected"),
];

/// What they may write cannot be looked at.
const WRITES: &str = "Whether they may also write shows with the first of each: nothing was written. The API user, or the app, needs \
    the right to make, change, ship and remove goods-out notes, to set the status of sales orders and to write notes on \
    them, and to correct stock";

/// What the credentials may read, one small look at each, and what they may not.
async fn rights(client: &Client) -> Result<(Option<String>, Vec<String>), Failure> {
    let (mut may, mut may_not) = (Vec::new(), Vec::new());
    for (path, id, what, without) in SEARCHED {
        let query = Query { path, columns: &[id], filters: vec![(id, Filter::text("1"))] };
        match search::all(client, CHECK, &query).await {
            Ok(_) => may.push(what),
            Err(Failure::Refused { status: 403, message, .. }) => may_not.push(format!(
                "Brightpearl does not let these credentials read {what} ({message}): {without} until it does. Give the API user, \
                 or the app, the right to them, then test again."
            )),
            Err(failure) => return Err(failure),
        }
    }
    Ok(((!may.is_empty()).then(|| format!("May read {}", may.join(", "))), may_not))
}

/// How many warehouses the account has, and which, as far as a line holds.
fn named_warehouses(warehouses: &[wire::Warehouse]) -> String {
    const NAMED: usize = 6;
    let names: Vec<&str> = warehouses.iter().take(NAMED).map(|warehouse| warehouse.name.0.as_str()).collect();
    let count = match warehouses.len() {
        1 => "1 warehouse".to_owned(),
        count => format!("{count} warehouses"),
    };
    match warehouses.len() {
        0 => count,
        more if more > NAMED => format!("{count}: {} and {} more", names.join(", "), more - NAMED),
        _ => format!("{count}: {}", names.join(", ")),
    }
}

/// Signs in and looks around.
pub(super) async fn check(connector: &Brightpearl) -> Result<AccountCheck, ConnectorError> {
    let (client, account) = (&connector.client, &connector.account);
    let mut reached = Vec::new();
    let mut warnings = Vec::new();

    let configuration = configuration(client, CHECK).await?.configuration;
    let value = |key: &str| configuration.get(key).map_or("not given", |text| text.0.as_str());
    reached.push(format!("Signed in to {} (datacentre {})", client.gateway.place, account.datacenter.code()));
    reached.push(format!(
        "Account configuration: base currency {}, time zone {}",
        value("baseCurrencyCode"),
        value("timeZone")
    ));

    let warehouses: Vec<wire::Warehouse> = list(client, CHECK, "warehouse-service/warehouse").await?;
    reached.push(named_warehouses(&warehouses));

    let (may, may_not) = rights(client).await?;
    reached.extend(may);
    reached.push(WRITES.to_owned());
    warnings.extend(may_not);

    let staff_id = match (account.staff_id, &account.email) {
        (Some(staff_id), _) => {
            if !is_staff(client, staff_id).await? {
                return Err(ConnectorError::new(
                    ErrorKind::Rejected { code: "staff_id".to_owned() },
                    format!(
                        "Contact {staff_id} is not a staff contact of the account. Shipped events are posted as a staff \
                         contact: enter its contact id as Staff contact id."
                    ),
                ));
            }
            Some(staff_id)
        }
        (None, Some(email)) => {
            let found = find_staff(client, CHECK, email).await?;
            if found.is_none() {
                warnings.push(format!(
                    "No single staff contact has the e-mail {email}. Shipments cannot be confirmed until Staff contact id is \
                     entered."
                ));
            }
            found
        }
        (None, None) => {
            warnings.push("Shipments cannot be confirmed until Staff contact id is entered.".to_owned());
            None
        }
    };
    if let Some(staff_id) = staff_id {
        reached.push(format!("Staff contact {staff_id}"));
    }
    if let (Some(staff_id), Some(author)) = (staff_id, connector.note_author())
        && staff_id != author
    {
        warnings.push(format!(
            "Goods-out notes that the hub makes are kept as made by contact {author}, while shipped events are posted as \
             contact {staff_id}."
        ));
    }
    if account.calls_per_minute > CALLS_ALLOWED {
        warnings.push(format!(
            "Calls per minute is {}; Brightpearl allows {CALLS_ALLOWED} for all apps of an account together.",
            account.calls_per_minute
        ));
    }
    let clock_difference = client.clock_difference();
    match connect::clocks::beside_ours("Brightpearl's", clock_difference) {
        Ok(words) => reached.push(words),
        Err(words) => warnings.push(words),
    }
    Ok(AccountCheck { account: account.code.clone(), staff_id, clock_difference, reached, warnings })
}
