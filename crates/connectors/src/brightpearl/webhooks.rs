//! Calls that Brightpearl makes to the hub when something changes (Brightpearl API docs: integration-service/webhook).
//! They carry no signature and may be lost or repeated: each is a hint to look, and carries a secret of the hub's own.

use connect::{ConnectorError, ErrorKind, Secret};
use serde::Deserialize;

use super::{
    Brightpearl,
    client::{Change, Changed, Failure, Purpose},
    envelope, idset,
    lenient::Text,
    wire,
};

pub use super::idset::IdSetError;

/// What the hub wants to hear of; each takes in what is below it as well. Nothing of products: their figures move with every order,
/// and stock follows the warehouse's count.
pub const EVENTS: [&str; 5] = [
    "order.modified",
    "sales-order.created",
    "goods-out-note.created",
    "goods-out-note.modified",
    "goods-out-note.destroyed",
];

/// The longest kind, event or time that is kept, in bytes.
const LONGEST_NAME: usize = 200;
/// The most ids that one call may name.
const MOST_IDS: usize = 10_000;
const WEBHOOK: Purpose = Purpose::sweeps("webhook");

/// Every id of an id set such as `1-5,99`, ascending; at most 10,000.
///
/// # Errors
/// When the text is not an id set, or names more.
pub fn expand_ids(text: &str) -> Result<Vec<i64>, IdSetError> {
    idset::expand(text, MOST_IDS)
}

/// A call as it arrived, before its secret is compared.
#[derive(Clone)]
pub struct WebhookCall {
    /// Account code, lower case.
    pub account: String,
    /// `order`, `goods-out-note` …
    pub resource: String,
    /// What changed; `None` where that cannot be read, or is more than one call may name: anything may have.
    pub ids: Option<Vec<i64>>,
    /// E.g. `goods-out-note.modified.shipped`.
    pub event: String,
    /// When, as Brightpearl wrote it. Part of what tells a repeated call from a new one.
    pub raised_on: String,
    /// To be compared with the secret it was registered with, in constant time.
    pub secret: Secret,
}

/// A body that is not one of the hub's own template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the webhook call cannot be read: {0}")]
pub struct WebhookCallError(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    account_code: Text,
    #[serde(default)]
    resource_type: Text,
    #[serde(default)]
    id: Text,
    #[serde(default)]
    lifecycle_event: Text,
    #[serde(default)]
    full_event: Text,
    #[serde(default)]
    raised_on: Text,
    secret: Text,
}

/// Reads a call. Says nothing about where it came from: that is the secret's matter. A call with an account and a secret is one,
/// whatever else of it cannot be read: Brightpearl never repeats one that is refused.
///
/// # Errors
/// When the body does not have the form of the hub's template.
pub fn parse_call(body: &[u8]) -> Result<WebhookCall, WebhookCallError> {
    let wrong = |why: String| WebhookCallError(why);
    // The parser's own words may quote the body, and with it a secret.
    let body: Body =
        serde_json::from_slice(body).map_err(|_| wrong("it is not the JSON that was asked for".to_owned()))?;
    let event = match body.full_event.0.is_empty() {
        true => format!("{}.{}", body.resource_type.0, body.lifecycle_event.0),
        false => body.full_event.0,
    };
    // A call that does not say when it was raised cannot be told from the one before.
    let kept = [&body.resource_type.0, &event, &body.raised_on.0].iter().all(|text| text.len() <= LONGEST_NAME);
    let tells = kept && !body.raised_on.0.is_empty();
    Ok(WebhookCall {
        account: body.account_code.0.to_lowercase(),
        resource: body.resource_type.0,
        ids: expand_ids(&body.id.0).ok().filter(|_| tells),
        event,
        raised_on: body.raised_on.0,
        secret: Secret::new(body.secret.0),
    })
}

/// A subscription at Brightpearl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Brightpearl's id.
    pub id: i64,
    /// What it is for.
    pub event: String,
    /// Where it calls.
    pub address: String,
}

/// What a call carries. The names between `${` and `}` are Brightpearl's; four of them are required.
fn template(secret: &Secret) -> String {
    serde_json::json!({
        "accountCode": "${account-code}",
        "resourceType": "${resource-type}",
        "id": "${resource-id}",
        "lifecycleEvent": "${lifecycle-event}",
        "fullEvent": "${full-event}",
        "raisedOn": "${raised-on}",
        "secret": secret.expose(),
    })
    .to_string()
}

impl Brightpearl {
    /// Makes the subscriptions to `address` what they should be: one for each of [`EVENTS`], with this secret. What is
    /// right stays, what is missing is added, what is double or has another secret is removed. Subscriptions to other
    /// addresses are not touched. Repeating it mends what an earlier try left half done.
    ///
    /// # Errors
    /// When the account cannot be read or refuses a subscription.
    pub async fn register_webhooks(&self, address: &str, secret: &Secret) -> Result<Vec<Subscription>, ConnectorError> {
        let template = template(secret);
        let is_right = |webhook: &wire::Webhook| {
            webhook.body_template.0 == template
                && webhook.id_set_accepted.0
                && webhook.http_method.0 == "POST"
                // Older accounts do not show it.
                && webhook.quality_of_service.is_none_or(|quality| quality.0 == 1)
        };
        let mut missing: Vec<&'static str> = EVENTS.to_vec();
        for webhook in self.read_webhooks().await? {
            if webhook.uri_template.0 != address {
                continue;
            }
            let wanted = missing.iter().position(|event| *event == webhook.subscribe_to.0);
            match wanted {
                Some(place) if is_right(&webhook) => {
                    missing.remove(place);
                }
                Some(_) | None => self.delete_webhook(webhook.id.0).await?,
            }
        }
        for event in missing {
            self.create_webhook(event, address, &template).await?;
        }
        self.list_webhooks(address).await
    }

    /// The subscriptions to `address`.
    ///
    /// # Errors
    /// When the account cannot be read.
    pub async fn list_webhooks(&self, address: &str) -> Result<Vec<Subscription>, ConnectorError> {
        let webhooks = self.read_webhooks().await?.into_iter().filter(|webhook| webhook.uri_template.0 == address);
        Ok(webhooks
            .map(|webhook| Subscription {
                id: webhook.id.0,
                event: webhook.subscribe_to.0,
                address: webhook.uri_template.0,
            })
            .collect())
    }

    /// Ends every subscription to `address`; says how many there were.
    ///
    /// # Errors
    /// When the account cannot be read or refuses.
    pub async fn unregister_webhooks(&self, address: &str) -> Result<usize, ConnectorError> {
        let webhooks = self.list_webhooks(address).await?;
        for webhook in &webhooks {
            self.delete_webhook(webhook.id).await?;
        }
        Ok(webhooks.len())
    }

    async fn read_webhooks(&self) -> Result<Vec<wire::Webhook>, Failure> {
        match self.client.get(WEBHOOK, "integration-service/webhook").await {
            Err(failure) if failure.is_not_found() => Ok(Vec::new()),
            answer => answer,
        }
    }

    async fn create_webhook(&self, event: &'static str, address: &str, template: &str) -> Result<(), ConnectorError> {
        let webhook = wire::NewWebhook {
            subscribe_to: event,
            http_method: "POST",
            uri_template: address.to_owned(),
            content_type: "application/json",
            id_set_accepted: true,
            // Repeated until answered 2xx or 4xx.
            quality_of_service: 1,
            body_template: template.to_owned(),
        };
        let body = serde_json::to_string(&webhook)
            .map_err(|error| ConnectorError::unexpected(format!("the subscription cannot be written: {error}")))?;
        let path = "integration-service/webhook".to_owned();
        self.change_webhooks(Change { method: "POST", path, body: Some(body), if_match: None }).await
    }

    async fn delete_webhook(&self, id: i64) -> Result<(), ConnectorError> {
        let path = format!("integration-service/webhook/{id}");
        let deleted = self.change_webhooks(Change { method: "DELETE", path, body: None, if_match: None }).await;
        match deleted {
            // Somebody else removed it.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    /// Subscriptions are told apart by event and address, so a second one that a lost answer left behind is found and
    /// removed by the next registration; they need no journal.
    async fn change_webhooks(&self, change: Change) -> Result<(), ConnectorError> {
        match self.client.change(WEBHOOK, change, self.client.whole_call()).await {
            Changed::NotSent(error) => Err(error),
            Changed::NoAnswer(why, _) => Err(Failure::NoAnswer(why).into()),
            Changed::Answer { answer, generation, .. } => {
                if let Some(failure) = self.client.gateway.throttled(&answer) {
                    return Err(failure.into());
                }
                if answer.status == 401 {
                    return Err(self.client.token_was_refused(generation).await);
                }
                let (status, refusal) = (answer.status, envelope::refusal(answer.status, &answer.body));
                match refusal {
                    None if answer.is_success() => Ok(()),
                    Some(refusal) => {
                        Err(Failure::Refused { status, code: refusal.code, message: refusal.message }.into())
                    }
                    None => Err(Failure::Outage(format!("HTTP {status}")).into()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use connect::Secret;
    use proptest::prelude::{any, prop, proptest};

    use super::{parse_call, template};

    #[test]
    fn a_call_of_our_template() {
        let body = template(&Secret::new("s3\"cret"))
            .replace("${account-code}", "ExampleEU")
            .replace("${resource-type}", "goods-out-note")
            .replace("${resource-id}", "12000001-12000003")
            .replace("${lifecycle-event}", "modified")
            .replace("${full-event}", "goods-out-note.modified.shipped")
            .replace("${raised-on}", "2026-02-03T16:41:39Z");
        let call = parse_call(body.as_bytes()).unwrap();
        assert_eq!(call.ids.unwrap(), [12_000_001, 12_000_002, 12_000_003]);
        assert_eq!((call.account.as_str(), call.event.as_str()), ("exampleeu", "goods-out-note.modified.shipped"));
        assert_eq!(call.secret.expose(), "s3\"cret");
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_quoting_it() {
        let body = br#"{"accountCode":"a","resourceType":"order","id":"1","lifecycleEvent":"m","secret":"S3CRET""#;
        assert!(!parse_call(body).err().unwrap().to_string().contains("S3CRET"));
    }

    #[test]
    fn what_it_says_of_itself_need_not_be_read_whole() {
        let wide = br#"{"accountCode":"a","resourceType":"order","id":"1-99999999","lifecycleEvent":"m","raisedOn":"2026-01-01T00:00:00","secret":"x"}"#;
        let call = parse_call(wide).unwrap();
        assert_eq!((call.ids, call.raised_on.as_str(), call.secret.expose()), (None, "2026-01-01T00:00:00", "x"));
        assert!(parse_call(br#"{"accountCode":"a","secret":"x"}"#).is_ok_and(|call| call.ids.is_none()));
        assert!(parse_call(br#"{"accountCode":"a","id":"1"}"#).is_err(), "without a secret it is nobody's");
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_call(&body);
        }
    }
}
