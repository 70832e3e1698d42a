//! Events sent to subscribers: signed, repeated, out of order.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rand::RngExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::floor::Event;
use super::ledger::Delivery;
use super::switches::WebhookKey;
use super::wire::Detail;
use super::{Handle, World};

/// How webhooks are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookRules {
    /// A subscriber that has not answered by then has not answered.
    pub answer_within: Duration,
    /// From one attempt to the next.
    pub retry_every: Duration,
    /// No attempt begins later than this after the first.
    pub give_up_after: Duration,
    /// Share of events, in percent, that are sent twice although the first was answered.
    pub repeat_percent: u8,
    /// Share of events, in percent, that are sent later than their successors.
    pub disorder_percent: u8,
    /// How much later.
    pub disorder_delay: Duration,
    /// Lets `http://` through for loopback addresses. The real system takes https only.
    pub allow_http_to_loopback: bool,
}

impl Default for WebhookRules {
    fn default() -> Self {
        Self {
            answer_within: Duration::from_secs(3),
            retry_every: Duration::from_secs(300),
            give_up_after: Duration::from_secs(6 * 3600),
            repeat_percent: 0,
            disorder_percent: 0,
            disorder_delay: Duration::from_secs(1),
            allow_http_to_loopback: true,
        }
    }
}

/// The address of a subscription is not https.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("webhooks are sent to https addresses only, not to {url}")]
pub struct NotHttps {
    /// The address given.
    pub url: String,
}

struct SigningKey {
    pair: KeyPair,
    pem: String,
    since: Timestamp,
}

#[derive(Clone)]
struct Subscription {
    url: String,
    include_body: bool,
}

#[derive(Default)]
pub(super) struct Webhooks {
    /// Made when first needed: making one takes a noticeable part of a second.
    key: Option<SigningKey>,
    subscriptions: Vec<Subscription>,
    deliveries: Vec<Delivery>,
}

impl Webhooks {
    pub(super) fn subscribe(&mut self, url: &str, include_body: bool, relaxed: bool) -> Result<(), NotHttps> {
        let is_loopback = |url: &url::Url| match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(_)) | None => false,
        };
        let fine = url::Url::parse(url)
            .is_ok_and(|url| url.scheme() == "https" || (relaxed && url.scheme() == "http" && is_loopback(&url)));
        if !fine {
            return Err(NotHttps { url: url.to_owned() });
        }
        self.subscriptions.push(Subscription { url: url.to_owned(), include_body });
        Ok(())
    }

    pub(super) fn rotate(&mut self, now: Timestamp) {
        self.key = new_key(now);
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.deliveries.clone()
    }

    fn key(&mut self, now: Timestamp) -> Option<&SigningKey> {
        if self.key.is_none() {
            self.key = new_key(now);
        }
        self.key.as_ref()
    }

    /// base64(RSA-SHA256(raw body)).
    fn sign(&mut self, body: &[u8], now: Timestamp) -> Option<String> {
        let key = self.key(now)?;
        let mut signature = vec![0; key.pair.public_modulus_len()];
        key.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature).ok()?;
        Some(STANDARD.encode(signature))
    }
}

fn new_key(now: Timestamp) -> Option<SigningKey> {
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    let encoded = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    Some(SigningKey { pair, pem, since: now })
}

/// `GET /events/webhook/key`.
pub(super) async fn public_key(
    State(handle): State<Handle>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if handle.shared.config.switches.webhook_key == WebhookKey::NeedsToken
        && let Err(refusal) = handle.authorise(&headers, None)
    {
        return refusal.status().into_response();
    }
    let previous = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case("previousRetrievalDateISO"))
        .and_then(|(_, value)| value.parse::<Timestamp>().ok());
    handle.with(|world, now| match world.webhooks.key(now) {
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(key) if previous.is_some_and(|previous| previous >= key.since) => StatusCode::NOT_MODIFIED.into_response(),
        Some(key) => Json(json!({"publicKey": key.pem, "retrievalDateISO": now.to_string()})).into_response(),
    })
}

/// One event on its way to one subscriber.
#[derive(Clone)]
struct Letter {
    event: Event,
    url: String,
    body: String,
    wait: Duration,
}

impl World {
    fn letters(&mut self, rules: &WebhookRules) -> Vec<Letter> {
        let mut letters = Vec::new();
        for event in std::mem::take(&mut self.floor.events) {
            for subscription in self.webhooks.subscriptions.clone() {
                let body = self.payload(&event, subscription.include_body);
                let late = self.rng.random_range(0..100_u8) < rules.disorder_percent;
                let letter = Letter {
                    event: event.clone(),
                    url: subscription.url,
                    body,
                    wait: if late { rules.disorder_delay } else { Duration::ZERO },
                };
                if self.rng.random_range(0..100_u8) < rules.repeat_percent {
                    letters.push(letter.clone());
                }
                letters.push(letter);
            }
        }
        letters
    }

    fn payload(&self, event: &Event, include_body: bool) -> String {
        let order = self.floor.orders.get(&event.order);
        let zone = self.floor.zone(order.map_or(0, |order| order.facility));
        let local = event.at.to_zoned(zone).datetime();
        let utc = event.at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
        let digits = |time: jiff::civil::DateTime| {
            format!("{}.{:07}", time.strftime("%Y-%m-%dT%H:%M:%S"), time.subsec_nanosecond() / 100)
        };
        let mut resource = json!({
            "rel": "orders/order",
            "href": format!("/orders/{}?detail=OrderItems", event.order),
        });
        if let (true, Some(order), Some(part)) = (include_body, order, resource.as_object_mut()) {
            let detail = Detail { items: true, ..Detail::default() };
            let document = self.floor.order_document(order, &detail);
            part.insert("body".to_owned(), json!(document.to_string()));
        }
        let links = json!({
            "customers/customer": format!("/customers/{}", order.map_or(0, |order| order.customer)),
            "properties/facility": format!("/properties/facilities/{}", order.map_or(0, |order| order.facility)),
        });
        json!({
            "tplId": 2,
            "wmsEventId": event.id,
            "dateTime": digits(local),
            "eventDateTimeUtc": digits(utc),
            "warehouseTransactionEventId": 1,
            "createDateTimeUtc": digits(utc),
            "eventType": event.kind,
            "resource": resource,
            "links": links.to_string(),
            "data": json!({"OrderId": event.order.to_string()}).to_string(),
            "tags": event.tags,
        })
        .to_string()
    }
}

/// Sends events as they come, each on its own, until `shutdown` is cancelled.
pub(super) async fn deliver_events(handle: Handle, shutdown: CancellationToken) {
    let rules = handle.shared.config.webhooks;
    let client = match reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(rules.answer_within)
        .build()
    {
        Ok(client) => client,
        Err(error) => {
            tracing::warn!(%error, "webhooks of the warehouse simulator are off");
            return;
        }
    };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = handle.shared.events.notified() => {}
        }
        for letter in handle.with(|world, _| world.letters(&rules)) {
            let (handle, client, shutdown) = (handle.clone(), client.clone(), shutdown.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = deliver(handle, client, letter, rules) => {}
                }
            });
        }
    }
}

async fn deliver(handle: Handle, client: reqwest::Client, letter: Letter, rules: WebhookRules) {
    tokio::time::sleep(letter.wait).await;
    let begun = tokio::time::Instant::now();
    for attempt in 1_u32.. {
        // Signed per attempt: after a change of keys, repeats carry the new one's signature.
        let signature = handle.with(|world, now| world.webhooks.sign(letter.body.as_bytes(), now));
        let Some(signature) = signature else {
            return;
        };
        let sent_at = handle.with(|_, now| now);
        let answer = client
            .post(&letter.url)
            .header("Content-Type", "application/json")
            .header("Signature", signature)
            .body(letter.body.clone())
            .send()
            .await;
        let status = answer.ok().map(|answer| answer.status());
        handle.with(|world, _| {
            world.webhooks.deliveries.push(Delivery {
                at: sent_at,
                event_id: letter.event.id,
                event_type: letter.event.kind.to_owned(),
                order_id: letter.event.order,
                url: letter.url.clone(),
                attempt,
                status: status.map(|status| status.as_u16()),
            });
        });
        if status.is_some_and(|status| status.is_success()) {
            return;
        }
        tokio::time::sleep(rules.retry_every).await;
        if begun.elapsed() > rules.give_up_after {
            return;
        }
    }
}
