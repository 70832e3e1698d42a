//! Webhook subscriptions. Their delivery is in [`delivery`](super::delivery).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::{Account, next};
use super::call::{Answer, Call, Refusal, Reply, boolean, field, int, text};

/// Something that happened to a resource.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) resource: &'static str,
    pub(crate) lifecycle: &'static str,
    pub(crate) specifier: Option<&'static str>,
    pub(crate) id: i64,
    pub(crate) at: Timestamp,
}

impl Event {
    /// `resource.lifecycle[.specifier]`.
    pub(crate) fn full_name(&self) -> String {
        match self.specifier {
            None => format!("{}.{}", self.resource, self.lifecycle),
            Some(specifier) => format!("{}.{}.{specifier}", self.resource, self.lifecycle),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) id: i64,
    pub(crate) subscribe_to: String,
    pub(crate) method: String,
    pub(crate) uri_template: String,
    pub(crate) body_template: String,
    pub(crate) content_type: String,
    pub(crate) id_set_accepted: bool,
    pub(crate) quality: i64,
}

impl Webhook {
    /// A shorter name takes everything below it.
    pub(crate) fn wants(&self, event: &str) -> bool {
        event == self.subscribe_to
            || event.strip_prefix(self.subscribe_to.as_str()).is_some_and(|rest| rest.starts_with('.'))
    }
}

const EVENTS: [&str; 22] = [
    "order.modified",
    "order.modified.order-status",
    "order.modified.fully-shipped",
    "sales-order.created",
    "goods-out-note.created",
    "goods-out-note.destroyed",
    "goods-out-note.modified",
    "goods-out-note.modified.printed",
    "goods-out-note.modified.picked",
    "goods-out-note.modified.packed",
    "goods-out-note.modified.un-printed",
    "goods-out-note.modified.un-picked",
    "goods-out-note.modified.un-packed",
    "goods-out-note.modified.shipped",
    "drop-ship-note.created",
    "drop-ship-note.destroyed",
    "drop-ship-note.modified.shipped",
    "goods-in-note.created",
    "quarantine-release.created",
    "product.created",
    "product.modified",
    "product.modified.on-hand-modified",
];

/// Resources of which some event exists under a longer or shorter name.
fn is_known(name: &str) -> bool {
    name == "product.destroyed"
        || EVENTS
            .iter()
            .any(|event| *event == name || event.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

const REQUIRED: [&str; 4] = ["${account-code}", "${resource-type}", "${resource-id}", "${lifecycle-event}"];

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let take = |name: &str| field(body, name).and_then(text).unwrap_or_default().to_owned();
    let webhook = Webhook {
        id: 0,
        subscribe_to: take("subscribeTo"),
        method: take("httpMethod").to_ascii_uppercase(),
        uri_template: take("uriTemplate"),
        body_template: take("bodyTemplate"),
        content_type: take("contentType"),
        id_set_accepted: field(body, "idSetAccepted").and_then(boolean).unwrap_or(false),
        quality: field(body, "qualityOfService").and_then(int).unwrap_or(0),
    };
    let mut errors = Vec::new();
    if !is_known(&webhook.subscribe_to) {
        let message = format!("{} either does not exist or cannot be subscribed too", webhook.subscribe_to);
        errors.push(("INTC-064".to_owned(), message));
    }
    let templates = format!("{}{}", webhook.uri_template, webhook.body_template);
    for variable in REQUIRED.iter().filter(|variable| !templates.contains(**variable)) {
        let message =
            format!("templateUri OR templateBody (for POST/PUT) must contatin the template variable {variable}");
        errors.push(("INTC-057".to_owned(), message));
    }
    if webhook.subscribe_to == "product.destroyed" && webhook.method == "DELETE" {
        errors.push(("INTC-062".to_owned(), "destroyed is not a valid lifecycle".to_owned()));
    }
    if !["GET", "POST", "PUT", "DELETE"].contains(&webhook.method.as_str()) {
        errors
            .push((super::call::UNKNOWN_CODE.to_owned(), "httpMethod is not one of GET, POST, PUT, DELETE".to_owned()));
    }
    if !(0..=1).contains(&webhook.quality) {
        errors.push((super::call::UNKNOWN_CODE.to_owned(), "qualityOfService is not 0 or 1".to_owned()));
    }
    if !errors.is_empty() {
        return Err(Refusal { status: 400, errors });
    }
    let id = next(&mut account.next.webhook);
    account.webhooks.insert(id, Webhook { id, ..webhook });
    call.trace.took_effect = true;
    Ok(Reply::of(id))
}

pub(crate) fn get(account: &Account, call: &Call<'_>, ids: Option<&str>) -> Answer {
    let set = ids.map(|ids| call.id_set(ids, Some(200))).transpose()?;
    let found: Vec<Value> = account
        .webhooks
        .values()
        .filter(|webhook| set.as_ref().is_none_or(|set| set.contains(webhook.id)))
        .map(|webhook| {
            json!({
                "id": webhook.id, "subscribeTo": webhook.subscribe_to, "httpMethod": webhook.method,
                "uriTemplate": webhook.uri_template, "bodyTemplate": webhook.body_template,
                "contentType": webhook.content_type, "idSetAccepted": webhook.id_set_accepted,
                "qualityOfService": webhook.quality
            })
        })
        .collect();
    match ids {
        Some(ids) if found.is_empty() => Err(Refusal::not_found(format!("No webhooks available in ID Set {ids}"))),
        _ => Ok(Reply::of(found).named("webhook-get")),
    }
}

pub(crate) fn delete(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    if account.webhooks.remove(&id).is_none() {
        return Err(Refusal::not_found(format!("Cannot find webhook: {id}")));
    }
    call.trace.took_effect = true;
    Ok(Reply::empty().named("webhook-delete"))
}

/// A test call with given values, delivered like any other.
pub(crate) fn simulate(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let webhook = account.webhooks.get(&id).cloned();
    let webhook = webhook.ok_or_else(|| Refusal::not_found(format!("Cannot find webhook: {id}")))?;
    let data = field(call.json()?, "testData").and_then(Value::as_object);
    let data = data.ok_or_else(|| Refusal::invalid("You have not supplied test data"))?;
    let values: Vec<(String, String)> = data
        .iter()
        .map(|(name, value)| (name.clone(), text(value).map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let ids = values.iter().find(|(name, _)| name == "${resource-id}").map_or("", |(_, ids)| ids.as_str());
    if call.id_set(ids, Some(10)).is_err() {
        return Err(Refusal::invalid("At most 10 resource IDs can be simulated"));
    }
    account.test_calls.push((webhook, values));
    Ok(Reply::empty())
}
