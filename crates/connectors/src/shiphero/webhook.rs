//! Calls from the warehouse: a hint to look, once the signature fits. Data in them is never taken for the truth.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{ConnectorError, ErrorKind, Secret, WebhookCall, WebhookHint};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Largest call that is looked at.
const LARGEST: usize = 1024 * 1024;

/// What a call hints at. Each webhook has a secret of its own, and calls do not say which: any of them may fit. The number of
/// a call tells repeats apart; calls of before December 2025 have none, and then it is what they say.
pub(super) fn hints(secrets: &[Secret], call: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
    let refused = |why: &str| ConnectorError::new(ErrorKind::Rejected { code: "signature".to_owned() }, why);
    let header = |name: &str| {
        let found = call.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    };
    if call.body.len() > LARGEST {
        return Err(refused("the call is too large"));
    }
    let signature = header("x-shiphero-hmac-sha256")
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(|| refused("the call carries no signature"))?;
    let fits = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        hmac::verify(&key, &call.body, &signature).is_ok()
    };
    if !secrets.iter().any(fits) {
        return Err(refused("the signature fits none of the webhook secrets of the warehouse"));
    }
    let unexpected =
        |what: &str| ConnectorError::unexpected(format!("the call does not have the documented form: {what}"));
    let body: Value = serde_json::from_slice(&call.body).map_err(|_| unexpected("it is not JSON"))?;
    let event = body.get("webhook_type").and_then(Value::as_str).ok_or_else(|| unexpected("webhook_type"))?;
    let number = header("x-shiphero-message-id").map(|id| short(id, 100));
    let content = || Sha256::digest(&call.body).iter().map(|byte| format!("{byte:02x}")).collect();
    let subject = ["/fulfillment/order_number", "/order_number", "/inventory/0/sku"]
        .iter()
        .find_map(|path| body.pointer(path)?.as_str())
        .unwrap_or_default();
    Ok(vec![WebhookHint {
        event_id: number.unwrap_or_else(content),
        event: short(event, 100),
        subject: short(subject, 200),
    }])
}

fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use connect::{Secret, WebhookCall};
    use jiff::Timestamp;

    use super::hints;

    fn call(body: &str, secret: &str, more: &[(&str, &str)]) -> WebhookCall {
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
        let signed = ("X-Shiphero-Hmac-Sha256".to_owned(), STANDARD.encode(signature));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let headers = more.chain([signed]).collect();
        WebhookCall { headers, body: body.as_bytes().to_vec(), received_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_call_is_known_by_its_number_and_believed_by_its_signature() {
        let secrets = [Secret::new("one"), Secret::new("two")];
        let body = "{\"webhook_type\":\"Shipment Update\",\"fulfillment\":{\"order_number\":\"BPacme-O1\"}}";
        let numbered = hints(&secrets, &call(body, "two", &[("X-Shiphero-Message-ID", "m-1")])).unwrap();
        assert_eq!((numbered[0].event_id.as_str(), numbered[0].subject.as_str()), ("m-1", "BPacme-O1"));
        let unnumbered = hints(&secrets, &call(body, "one", &[])).unwrap();
        assert_eq!(unnumbered[0].event_id.len(), 64, "by what it says");
        assert_eq!(unnumbered, hints(&secrets, &call(body, "one", &[])).unwrap());

        for (secrets, call) in [
            (&secrets[..], call(body, "three", &[])),
            (&[], call(body, "one", &[])),
            (&secrets, WebhookCall { body: body.replace("O1", "O2").into_bytes(), ..call(body, "one", &[]) }),
            (&secrets, WebhookCall { headers: Vec::new(), ..call(body, "one", &[]) }),
            (&secrets, call("nonsense", "one", &[])),
            (&secrets, call("{}", "one", &[])),
            (&secrets, call(&"x".repeat(1024 * 1024 + 1), "one", &[])),
        ] {
            let refused = hints(secrets, &call).unwrap_err();
            assert!(!refused.message.contains("one\"") && !refused.message.is_empty());
        }
    }
}
