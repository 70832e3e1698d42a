//! Contacts and postal addresses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::{Account, next};
use super::call::{Answer, Call, Refusal, Reply, field, int, text};
use super::orders::custom::patch_fields;
use crate::clock;

/// A postal address as orders hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Address {
    /// Name of the recipient.
    pub full_name: String,
    /// Company.
    pub company: String,
    /// Street.
    pub line1: String,
    /// More of the street.
    pub line2: String,
    /// City.
    pub city: String,
    /// State or county.
    pub region: String,
    /// Postal code.
    pub postal_code: String,
    /// ISO 3166 code with two letters; empty where the country was never set.
    pub country: String,
    /// Telephone.
    pub telephone: String,
    /// E-mail.
    pub email: String,
}

/// Country id, two letters, three letters, name.
const COUNTRIES: [(i64, &str, &str, &str); 8] = [
    (222, "GB", "GBR", "United Kingdom"),
    (223, "US", "USA", "United States"),
    (81, "DE", "DEU", "Germany"),
    (73, "FR", "FRA", "France"),
    (38, "CA", "CAN", "Canada"),
    (103, "IE", "IRL", "Ireland"),
    (107, "JP", "JPN", "Japan"),
    (195, "ES", "ESP", "Spain"),
];

impl Address {
    /// The form inside an order. Country fields are absent where the country id is 0.
    pub(crate) fn in_order(&self) -> Value {
        let mut out = json!({
            "addressFullName": self.full_name, "companyName": self.company,
            "addressLine1": self.line1, "addressLine2": self.line2,
            "addressLine3": self.city, "addressLine4": self.region,
            "postalCode": self.postal_code, "telephone": self.telephone,
            "mobileTelephone": "", "fax": "", "email": self.email, "countryId": 0,
        });
        if let Some((id, two, three, name)) = COUNTRIES.iter().find(|(_, two, ..)| *two == self.country) {
            out["countryId"] = json!(id);
            out["country"] = json!(name);
            out["countryIsoCode"] = json!(two);
            out["countryIsoCode3"] = json!(three);
        }
        out
    }

    /// Reads the form of the sales-order message; the country may have two or three letters.
    pub(crate) fn read(value: &Value) -> Self {
        let take = |name: &str| field(value, name).and_then(text).unwrap_or_default().to_owned();
        let code = take("countryIsoCode");
        let country = COUNTRIES.iter().find(|(_, two, three, _)| *two == code || *three == code);
        Self {
            full_name: take("addressFullName"),
            company: take("companyName"),
            line1: take("addressLine1"),
            line2: take("addressLine2"),
            city: take("addressLine3"),
            region: take("addressLine4"),
            postal_code: take("postalCode"),
            country: country.map_or_else(String::new, |(_, two, ..)| (*two).to_owned()),
            telephone: take("telephone"),
            email: take("email"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) id: i64,
    pub(crate) salutation: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) company: String,
    pub(crate) email: String,
    pub(crate) telephone: String,
    pub(crate) staff: bool,
    pub(crate) supplier: bool,
    pub(crate) price_list_id: i64,
    pub(crate) addresses: BTreeMap<String, i64>,
    pub(crate) custom_fields: BTreeMap<String, Value>,
    pub(crate) created_on: Timestamp,
    pub(crate) updated_on: Option<Timestamp>,
}

impl Contact {
    /// The address copied into a new order.
    pub(crate) fn address(&self, addresses: &BTreeMap<i64, Address>) -> Address {
        let own = self.addresses.get("DEL").or_else(|| self.addresses.get("DEF"));
        let mut address = own.and_then(|id| addresses.get(id)).cloned().unwrap_or_default();
        if address.full_name.is_empty() {
            address.full_name = format!("{} {}", self.first_name, self.last_name).trim().to_owned();
        }
        if address.company.is_empty() {
            address.company.clone_from(&self.company);
        }
        address.email.clone_from(&self.email);
        address.telephone.clone_from(&self.telephone);
        address
    }
}

fn render(account: &Account, contact: &Contact) -> Value {
    // A contact that never changed tells the time of the reading, with its milliseconds.
    let updated = contact.updated_on.unwrap_or_else(clock::now);
    json!({
        "contactId": contact.id, "isPrimaryContact": true, "salutation": contact.salutation,
        "firstName": contact.first_name, "lastName": contact.last_name,
        "postAddressIds": contact.addresses,
        "communication": {
            "emails": { "PRI": { "email": contact.email } },
            "telephones": { "PRI": contact.telephone },
            "messagingVoips": {}, "websites": {}
        },
        "contactStatus": { "current": { "contactStatusId": 0 } },
        "relationshipToAccount": { "isSupplier": contact.supplier, "isStaff": contact.staff },
        "marketingDetails": { "isReceiveEmailNewsletter": true },
        "financialDetails": {
            "priceListId": contact.price_list_id, "nominalCode": "0", "creditLimit": 0, "creditTermDays": 0,
            "currencyId": 2, "discountPercentage": 0.0, "creditTermTypeId": 1
        },
        "assignment": { "current": {} },
        "organisation": { "organisationId": contact.id },
        "tradeStatus": "UNKNOWN", "createdByid": 0,
        "createdOn": account.time(contact.created_on), "updatedOn": account.time(updated),
        "contactTags": "", "aliases": {}, "companyId": 0
    })
}

pub(crate) fn get(account: &Account, call: &Call<'_>, ids: &str) -> Answer {
    let found: Vec<Value> = call
        .id_set(ids, Some(500))?
        .present_in(&account.contacts)
        .iter()
        .filter_map(|id| account.contacts.get(id))
        .map(|contact| render(account, contact))
        .collect();
    if found.is_empty() {
        return Err(Refusal::not_found("No Contact Found"));
    }
    let count = found.len();
    Ok(Reply::body(json!({
        "response": found,
        "pagination": { "morePagesAvailable": false, "resultsReturned": count, "firstResult": 1, "lastResult": count },
        "sorting": [{ "field": "contactId", "direction": "ASC" }]
    })))
}

pub(crate) fn patch(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let steps = call.patch()?;
    let mut contact = account.contacts.get(&id).cloned().ok_or_else(|| Refusal::not_found("No Contact Found"))?;
    for step in &steps {
        let value = || text(&step.value).map(str::to_owned).unwrap_or_default();
        match (step.path.as_str(), step.op.as_str()) {
            ("/firstName", "replace" | "add") => contact.first_name = value(),
            ("/lastName", "replace" | "add") => contact.last_name = value(),
            ("/salutation", "replace" | "add") => contact.salutation = value(),
            ("/firstName" | "/lastName" | "/salutation", _) => return Err(step.not_allowed()),
            _ => return Err(step.unknown_path()),
        }
    }
    contact.updated_on = Some(call.now);
    call.trace.took_effect = true;
    let out = render(account, &contact);
    account.contacts.insert(id, contact);
    Ok(Reply::of(out))
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let take = |name: &str| field(body, name).and_then(text).unwrap_or_default().to_owned();
    let mut addresses = BTreeMap::new();
    for (kind, address) in field(body, "postAddressIds").and_then(Value::as_object).into_iter().flatten() {
        let address = int(address).filter(|id| account.addresses.contains_key(id));
        let address = address.ok_or_else(|| Refusal::invalid("A postal address does not exist"))?;
        addresses.insert(kind.clone(), address);
    }
    let id = next(&mut account.next.contact);
    let contact = Contact {
        id,
        salutation: take("salutation"),
        first_name: take("firstName"),
        last_name: take("lastName"),
        company: body.pointer("/organisation/name").and_then(text).unwrap_or_default().to_owned(),
        email: body.pointer("/communication/emails/PRI/email").and_then(text).unwrap_or_default().to_owned(),
        telephone: body.pointer("/communication/telephones/PRI").and_then(text).unwrap_or_default().to_owned(),
        staff: false,
        supplier: body.pointer("/relationshipToAccount/isSupplier").and_then(Value::as_bool).unwrap_or(false),
        price_list_id: account.sell_price_list(),
        addresses,
        custom_fields: BTreeMap::new(),
        created_on: call.now,
        updated_on: None,
    };
    account.contacts.insert(id, contact);
    call.trace.took_effect = true;
    Ok(Reply::of(id))
}

pub(crate) fn post_address(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let address = Address::read(call.json()?);
    let id = next(&mut account.next.address);
    account.addresses.insert(id, address);
    call.trace.took_effect = true;
    Ok(Reply::of(id))
}

pub(crate) fn custom_fields(account: &Account, id: i64) -> Answer {
    let contact = account.contacts.get(&id).ok_or_else(|| Refusal::not_found("No Contact Found"))?;
    Ok(Reply::of(json!(contact.custom_fields)))
}

pub(crate) fn patch_custom_fields(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let steps = call.patch()?;
    let contact = account.contacts.get(&id).ok_or_else(|| Refusal::not_found("No Contact Found"))?;
    let fields = patch_fields(&account.custom_fields, contact.custom_fields.clone(), &steps)?;
    let out = json!(fields);
    if let Some(contact) = account.contacts.get_mut(&id) {
        contact.custom_fields = fields;
        contact.updated_on = Some(call.now);
    }
    call.trace.took_effect = true;
    Ok(Reply::of(out))
}
