//! Calls from the warehouse: a hint to look, once its signature fits.

use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{ConnectorError, ErrorKind, WebhookCall, WebhookHint, budget::Priority};
use serde_json::Value;

use super::{
    Extensiv,
    client::{Purpose, parse},
};

const KEY: &str = "/events/webhook/key";
const WEBHOOK: Purpose = Purpose(Priority::Sweeps, "webhook_key");
/// A wrong signature makes us fetch the key once more; not more often than this, or anybody could spend our calls.
const FETCH_EVERY: Duration = Duration::from_secs(60);
/// Largest call that is looked at.
const LARGEST: usize = 1024 * 1024;

/// The vendor's public key, as last fetched.
#[derive(Default)]
pub(super) struct KeptKey {
    der: Option<Vec<u8>>,
    fetched_at: Option<Duration>,
}

impl Extensiv {
    pub(super) async fn verified_hints(&self, call: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
        let refused = |why: &str| ConnectorError::new(ErrorKind::Rejected { code: "signature".to_owned() }, why);
        let signature = call
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("signature"))
            .and_then(|(_, value)| STANDARD.decode(value.trim()).ok())
            .ok_or_else(|| refused("the call carries no signature"))?;
        if call.body.len() > LARGEST {
            return Err(refused("the call is too large"));
        }
        if !self.is_signed(&call.body, &signature).await? {
            return Err(refused("the signature does not fit the call"));
        }
        hint(&call.body).map(|hint| vec![hint])
    }

    /// Checks with the kept key; when that fails, with the key fetched anew, since the vendor changes it.
    async fn is_signed(&self, body: &[u8], signature: &[u8]) -> Result<bool, ConnectorError> {
        let mut kept = self.webhook_key.lock().await;
        if kept.der.as_ref().is_some_and(|key| fits(key, body, signature)) {
            return Ok(true);
        }
        let now = self.clock.monotonic();
        if kept.fetched_at.is_some_and(|fetched| now.saturating_sub(fetched) < FETCH_EVERY / self.waits.factor.max(1)) {
            return Ok(false);
        }
        let key = self.fetch_key().await?;
        kept.fetched_at = Some(now);
        let signed = fits(&key, body, signature);
        kept.der = Some(key);
        Ok(signed)
    }

    /// Whether the key may be read without signing in is not documented: without first, then with.
    async fn fetch_key(&self) -> Result<Vec<u8>, ConnectorError> {
        let response = self.client.get_openly(WEBHOOK, KEY).await?;
        let answer = if response.is_success() {
            parse(KEY, &response)?
        } else {
            self.client.get_json(WEBHOOK, KEY, &[]).await?
        };
        answer
            .get("publicKey")
            .and_then(Value::as_str)
            .and_then(der)
            .ok_or_else(|| ConnectorError::unexpected(format!("{KEY}: the answer holds no public key")))
    }
}

fn fits(key: &[u8], body: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(body, signature).is_ok()
}

/// The bytes inside a PEM text.
fn der(pem: &str) -> Option<Vec<u8>> {
    let inside = pem.split_once("-----BEGIN PUBLIC KEY-----")?.1.split_once("-----END PUBLIC KEY-----")?.0;
    let text: String = inside.replace("\\n", "").split_whitespace().collect();
    STANDARD.decode(text).ok()
}

fn hint(body: &[u8]) -> Result<WebhookHint, ConnectorError> {
    let unexpected =
        |what: &str| ConnectorError::unexpected(format!("the call does not have the documented form: {what}"));
    let call: Value = serde_json::from_slice(body).map_err(|_| unexpected("it is not JSON"))?;
    let number = |name: &str| call.get(name).and_then(Value::as_i64).ok_or_else(|| unexpected(name));
    let subject = call
        .pointer("/resource/href")
        .and_then(Value::as_str)
        .or_else(|| call.get("data").and_then(Value::as_str))
        .unwrap_or_default();
    Ok(WebhookHint {
        event_id: format!("{}:{}", number("tplId")?, number("wmsEventId")?),
        event: call.get("eventType").and_then(Value::as_str).unwrap_or_default().chars().take(100).collect(),
        subject: subject.chars().take(200).collect(),
    })
}
