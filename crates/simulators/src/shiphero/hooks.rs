//! Webhooks: signed with a secret that is shown once, numbered, repeated five times, and not queued while they are off.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::floor::Event;
use super::ledger::Delivery;
use super::model::{Order, Shipment, global};
use super::{Handle, World};

/// How webhooks are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookRules {
    /// A subscriber that has not answered by then has not answered.
    pub answer_within: Duration,
    /// From one attempt to the next.
    pub retry_every: Duration,
    /// Attempts in all.
    pub attempts: u32,
    /// Share, in percent, that is sent again although the first was answered.
    pub repeat_percent: u8,
}

impl Default for WebhookRules {
    fn default() -> Self {
        let (answer_within, retry_every) = (Duration::from_secs(10), Duration::from_millis(500));
        Self { answer_within, retry_every, attempts: 6, repeat_percent: 0 }
    }
}

/// One registration.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub kind: String,
    pub shop: String,
    pub account: u64,
    pub url: String,
    pub secret: String,
}

struct Due {
    kind: &'static str,
    url: String,
    secret: String,
    message: String,
    body: String,
    repeated: bool,
}

impl World {
    pub(super) fn subscribe_by_api(&mut self, data: &Map<String, Value>) -> Result<Value, String> {
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let account = self.floor.account(data)?;
        let (kind, shop, url) = (text("name"), text("shop_name"), text("url"));
        let taken = |one: &Subscription| one.kind == kind && one.shop == shop && one.account == account;
        if self.subscriptions.iter().any(taken) {
            return Err(format!("There is already a {kind} webhook for this shop"));
        }
        let secret = format!("{:032x}", self.rng.random::<u128>());
        self.subscriptions.push(Subscription {
            kind: kind.clone(),
            shop,
            account,
            url: url.clone(),
            secret: secret.clone(),
        });
        let id = global("Webhook", self.rng.random_range(1..1_000_000));
        Ok(json!({"webhook": {"id": id, "name": kind, "url": url, "shared_signature_secret": secret}}))
    }

    pub(super) fn unsubscribe(&mut self, data: &Map<String, Value>) -> Result<Value, String> {
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
        let account = self.floor.account(data)?;
        let before = self.subscriptions.len();
        self.subscriptions
            .retain(|one| one.account != account || one.kind != text("name") || one.shop != text("shop_name"));
        match self.subscriptions.len() < before {
            true => Ok(json!({})),
            false => Err(format!("There is no {} webhook for this shop", text("name"))),
        }
    }

    fn body(&self, event: &Event) -> Value {
        let account = json!({"webhook_type": event.kind, "account_id": event.account, "account_uuid": global("Account", event.account)});
        let mut fields = account.as_object().cloned().unwrap_or_default();
        let order = self.floor.orders.get(&event.order);
        match (event.kind, order) {
            ("Shipment Update", Some(order)) => {
                let shipment = order.shipments.iter().find(|one| one.id == event.shipment);
                fields.insert("fulfillment".to_owned(), fulfillment(order, event.shipment, shipment));
            }
            (_, Some(order)) => {
                fields.insert("order_number".to_owned(), json!(order.number));
                fields.insert("partner_order_id".to_owned(), json!(order.partner_id));
                fields.insert("order_uuid".to_owned(), json!(global("Order", order.id)));
            }
            (_, None) => {
                let stock = self.floor.products.iter().find(|one| one.account == event.account && one.sku == event.sku);
                let on_hand = stock.map_or(0, |one| one.on_hand).to_string();
                fields
                    .insert("inventory".to_owned(), json!([{"sku": event.sku, "on_hand": on_hand, "virtual": false}]));
            }
        }
        Value::Object(fields)
    }
}

fn fulfillment(order: &Order, id: u64, shipment: Option<&Shipment>) -> Value {
    let labels = shipment.map(|one| one.labels.as_slice()).unwrap_or_default();
    let contents = shipment.map(|one| one.contents.as_slice()).unwrap_or_default();
    let lines = contents.iter().map(|content| {
        let line = order.lines.iter().find(|line| line.id == content.line);
        let package = labels.iter().position(|label| label.id == content.label).map_or(1, |place| place + 1);
        let lot = Some(&content.lot).filter(|lot| !lot.is_empty());
        json!({
            "id": line.map(|line| line.partner_id.clone()), "sku": content.sku, "quantity": content.units,
            "serial_numbers": content.serials, "lot_id": null, "lot_name": lot, "lot_expiration": null,
            "package": package,
        })
    });
    json!({
        "shipment_id": id, "shipment_uuid": global("Shipment", id), "warehouse_uuid": global("Warehouse", 1),
        "partner_order_id": order.partner_id, "order_number": order.number,
        "tracking_number": labels.first().map(|label| label.tracking.clone()), "shipping_method": order.carrier.1,
        "package_number": 1, "total_packages": labels.len(), "line_items": lines.collect::<Vec<_>>(),
    })
}

/// base64(HMAC-SHA256(raw body, secret)).
#[must_use]
pub fn signature(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body))
}

/// Delivers what events cause, until told to stop.
pub(super) async fn deliver(handle: Handle, shutdown: CancellationToken) {
    let rules = handle.shared.config.webhooks;
    let client = reqwest::Client::builder().no_proxy().timeout(rules.answer_within).build().unwrap_or_default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = handle.shared.events.notified() => {}
        }
        for due in handle.due() {
            let (handle, client) = (handle.clone(), client.clone());
            tokio::spawn(async move { deliver_one(&handle, &client, rules, &due).await });
        }
    }
}

async fn deliver_one(handle: &Handle, client: &reqwest::Client, rules: WebhookRules, due: &Due) {
    let mut repeats = u32::from(due.repeated);
    for attempt in 1..=rules.attempts {
        let request = client
            .post(&due.url)
            .header("x-shiphero-hmac-sha256", signature(&due.secret, due.body.as_bytes()))
            .header("X-Shiphero-Message-ID", &due.message)
            .header("content-type", "application/json")
            .body(due.body.clone());
        let status = request.send().await.ok().map(|answer| answer.status().as_u16());
        handle.with(|world, now| {
            let (kind, message) = (due.kind.to_owned(), due.message.clone());
            world.deliveries.push(Delivery { at: now, kind, message, attempt, status });
        });
        if status.is_some_and(|status| (200..300).contains(&status)) {
            if repeats == 0 {
                return;
            }
            repeats -= 1;
        }
        tokio::time::sleep(rules.retry_every).await;
    }
}

impl Handle {
    fn due(&self) -> Vec<Due> {
        let rules = self.shared.config.webhooks;
        self.with(|world, _| {
            let mut due = Vec::new();
            for event in std::mem::take(&mut world.floor.events) {
                if !world.webhooks_on {
                    continue;
                }
                let body = world.body(&event).to_string();
                let wanted = |one: &&Subscription| one.kind == event.kind && one.account == event.account;
                let found: Vec<Subscription> = world.subscriptions.iter().filter(wanted).cloned().collect();
                for one in found {
                    due.push(Due {
                        kind: event.kind,
                        url: one.url,
                        secret: one.secret,
                        message: format!("{:032x}", world.rng.random::<u128>()),
                        body: body.clone(),
                        repeated: world.rng.random_range(0..100_u8) < rules.repeat_percent,
                    });
                }
            }
            due
        })
    }
}
