//! Delivery of webhooks: grouping, templates, retries. Calls are not signed and may come in any order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::Pace;
use super::idset::fold;
use super::switches::{Switches, WebhookCertificates, WebhookRedirects, WebhookRetries};
use super::webhooks::{Event, Webhook};
use crate::clock;

/// Events of the same kind within this time share one call (*assumption*).
const GROUPING: Duration = Duration::from_secs(5);
/// How long a receiver may take (*assumption*).
const PATIENCE: Duration = Duration::from_secs(30);
/// The version the calls tell.
const VERSION: &str = "4.123.4";

/// Something for a subscriber.
pub(crate) enum Outgoing {
    /// An event a webhook wants.
    Event { account: String, webhook: Webhook, event: Event },
    /// A test call with values of its own.
    Test { account: String, webhook: Webhook, values: Vec<(String, String)> },
}

/// Faults of the delivery. Calls may be lost, repeated and late in the real system too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookFaults {
    /// Chance that a call is never made.
    pub lose: f64,
    /// Chance that a call is made twice.
    pub duplicate: f64,
    /// Each call waits up to this long, so that calls overtake one another.
    #[serde(rename = "delay_up_to_ms")]
    pub delay_up_to_millis: u64,
}

/// One attempt to call a subscriber.
#[derive(Clone, Debug, Serialize)]
pub struct WebhookCall {
    /// When it ended.
    pub at: Timestamp,
    /// Account code.
    pub account: String,
    /// Id of the subscription.
    pub webhook: i64,
    /// The address.
    pub uri: String,
    /// The body, empty where the method has none.
    pub body: String,
    /// Counts from 1.
    pub attempt: u32,
    /// Status of the receiver; `None` if it could not be reached or took too long.
    pub status: Option<u16>,
}

/// What delivery and control share.
#[derive(Default)]
pub(crate) struct DeliveryState {
    pub(crate) faults: WebhookFaults,
    pub(crate) calls: Vec<WebhookCall>,
}

pub(crate) type SharedDelivery = Arc<Mutex<DeliveryState>>;

struct Group {
    webhook: Webhook,
    ids: Vec<i64>,
    raised_on: Timestamp,
    due: Instant,
}

/// Terms of the delivery that do not change.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) client: Client,
    pub(crate) switches: Switches,
    pub(crate) pace: Pace,
    pub(crate) state: SharedDelivery,
}

/// A client that behaves as the switches say.
pub(crate) fn client(switches: &Switches, pace: Pace) -> Result<Client, reqwest::Error> {
    let redirects = match switches.webhook_redirects {
        WebhookRedirects::Ignored => Policy::none(),
        WebhookRedirects::Followed => Policy::limited(5),
    };
    Client::builder()
        .redirect(redirects)
        .no_proxy()
        .tls_danger_accept_invalid_certs(switches.webhook_certificates == WebhookCertificates::Unchecked)
        .timeout(pace.wait(PATIENCE).max(Duration::from_millis(500)))
        .build()
}

/// Delivers until the simulator ends.
pub(crate) async fn run(mut queue: UnboundedReceiver<Outgoing>, terms: Terms, seed: u64, shutdown: CancellationToken) {
    let mut groups: BTreeMap<(String, i64, String), Group> = BTreeMap::new();
    let mut rng = StdRng::seed_from_u64(seed);
    loop {
        let due = groups.values().map(|group| group.due).min();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = wait_until(due) => {
                let now = Instant::now();
                let (ready, waiting): (BTreeMap<_, _>, BTreeMap<_, _>) =
                    groups.into_iter().partition(|(_, group)| group.due <= now);
                groups = waiting;
                for ((account, _, name), group) in ready {
                    for values in calls_of(&account, &name, &group) {
                        send(&terms, account.clone(), group.webhook.clone(), values, &mut rng, &shutdown);
                    }
                }
            }
            outgoing = queue.recv() => match outgoing {
                None => return,
                Some(Outgoing::Test { account, webhook, values }) => {
                    send(&terms, account, webhook, values, &mut rng, &shutdown);
                }
                Some(Outgoing::Event { account, webhook, event }) => {
                    let key = (account, webhook.id, event.full_name());
                    let due = Instant::now() + terms.pace.wait(GROUPING);
                    let group = groups.entry(key).or_insert(Group { webhook, ids: Vec::new(), raised_on: event.at, due });
                    group.ids.push(event.id);
                    group.raised_on = group.raised_on.max(event.at);
                }
            },
        }
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// One call with an id set where the subscriber takes sets, else one per id.
fn calls_of(account: &str, name: &str, group: &Group) -> Vec<Vec<(String, String)>> {
    let mut ids = group.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let sets: Vec<String> =
        if group.webhook.id_set_accepted { vec![fold(&ids)] } else { ids.iter().map(i64::to_string).collect() };
    let mut parts = name.splitn(3, '.');
    let (resource, lifecycle) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let specifier = parts.next().unwrap_or_default();
    sets.into_iter()
        .map(|ids| {
            [
                ("${account-code}", account.to_owned()),
                ("${resource-type}", resource.to_owned()),
                ("${resource-id}", ids),
                ("${lifecycle-event}", lifecycle.to_owned()),
                ("${resource-specifier}", specifier.to_owned()),
                ("${full-event}", name.to_owned()),
                ("${raised-on}", group.raised_on.to_string()),
                ("${brightpearl-version}", VERSION.to_owned()),
            ]
            .map(|(variable, value)| (variable.to_owned(), value))
            .to_vec()
        })
        .collect()
}

fn send(
    terms: &Terms,
    account: String,
    webhook: Webhook,
    values: Vec<(String, String)>,
    rng: &mut StdRng,
    shutdown: &CancellationToken,
) {
    let faults = terms.state.lock().unwrap_or_else(PoisonError::into_inner).faults;
    if rng.random_bool(faults.lose.clamp(0.0, 1.0)) {
        return;
    }
    let copies = if rng.random_bool(faults.duplicate.clamp(0.0, 1.0)) { 2 } else { 1 };
    for _ in 0..copies {
        let delay = Duration::from_millis(rng.random_range(0..=faults.delay_up_to_millis));
        let (terms, shutdown) = (terms.clone(), shutdown.clone());
        let (account, webhook, values) = (account.clone(), webhook.clone(), values.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = async {
                    tokio::time::sleep(delay).await;
                    deliver(&terms, &account, &webhook, &values).await;
                } => {}
            }
        });
    }
}

fn substitute(template: &str, values: &[(String, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

/// Calls the subscriber, again and again as its service level says.
async fn deliver(terms: &Terms, account: &str, webhook: &Webhook, values: &[(String, String)]) {
    let uri = substitute(&webhook.uri_template, values);
    let has_body = matches!(webhook.method.as_str(), "POST" | "PUT");
    let body = if has_body { substitute(&webhook.body_template, values) } else { String::new() };
    let method = Method::from_bytes(webhook.method.as_bytes()).unwrap_or(Method::POST);
    let (attempts, mut pause) = match terms.switches.webhook_retries {
        WebhookRetries::TenFromMinute => (11, Duration::from_secs(60)),
        WebhookRetries::ThreeFromTenSeconds => (4, Duration::from_secs(10)),
    };
    for attempt in 1..=attempts {
        let mut request = terms.client.request(method.clone(), &uri);
        if has_body {
            request = request.header("content-type", webhook.content_type.as_str()).body(body.clone());
        }
        let status = request.send().await.ok().map(|answer| answer.status().as_u16());
        let call = WebhookCall {
            at: clock::now(),
            account: account.to_owned(),
            webhook: webhook.id,
            uri: uri.clone(),
            body: body.clone(),
            attempt,
            status,
        };
        terms.state.lock().unwrap_or_else(PoisonError::into_inner).calls.push(call);
        let again = match (webhook.quality, status) {
            (_, Some(200..=299)) => false,
            (0, status) => status == Some(503),
            (_, Some(400..=499)) => false,
            _ => true,
        };
        if !again {
            return;
        }
        tokio::time::sleep(terms.pace.wait(pause)).await;
        pause *= 2;
    }
}
