//! Calls from the warehouse: a hint to look, and nothing else. They are not signed, so what proves them is the address itself,
//! which nobody knows but the warehouse and the hub; the hub has looked that up before anything here is asked.

use connect::{ConnectorError, ErrorKind, WebhookCall, WebhookHint};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Largest call that is looked at.
const LARGEST: usize = 1024 * 1024;

/// The body is the order as it stands. Mintsoft numbers its calls not at all: a repeat is one that says the same.
pub(super) fn hints(call: &WebhookCall) -> Result<Vec<WebhookHint>, ConnectorError> {
    let refused = |why: &str| ConnectorError::new(ErrorKind::Rejected { code: "form".to_owned() }, why);
    if call.body.len() > LARGEST {
        return Err(refused("the call is too large"));
    }
    let order: Value = serde_json::from_slice(&call.body).map_err(|_| refused("the call is not JSON"))?;
    let id = order.get("ID").and_then(Value::as_i64).filter(|id| *id > 0);
    let number = order.get("OrderNumber").and_then(Value::as_str).map(str::trim).filter(|number| !number.is_empty());
    let (Some(id), Some(_)) = (id, number) else {
        return Err(refused("the call is not about an order"));
    };
    let status = order.get("OrderStatusId").and_then(Value::as_i64);
    Ok(vec![WebhookHint {
        event_id: Sha256::digest(&call.body).iter().map(|byte| format!("{byte:02x}")).collect(),
        event: status.map_or_else(|| "order".to_owned(), |status| format!("order status {status}")),
        subject: format!("order {id}"),
    }])
}

#[cfg(test)]
mod tests {
    use connect::WebhookCall;
    use jiff::Timestamp;

    use super::hints;

    #[test]
    fn a_call_is_about_an_order_or_refused() {
        let call = |body: &str| {
            let body = body.as_bytes().to_vec();
            hints(&WebhookCall { headers: Vec::new(), body, received_at: Timestamp::UNIX_EPOCH })
        };
        let body = "{\"ID\":90210,\"OrderNumber\":\"BPacme-O1\",\"OrderStatusId\":4,\"Address1\":\"1 High St\"}";
        let [hint] = &call(body).unwrap()[..] else { panic!("one hint") };
        assert_eq!((hint.subject.as_str(), hint.event.as_str()), ("order 90210", "order status 4"));
        assert_eq!(call(body).unwrap()[0].event_id, hint.event_id, "a repeat is known by what it says");
        for other in
            ["", "[]", "{}", "{\"ID\":0,\"OrderNumber\":\"X\"}", "{\"ID\":1,\"OrderNumber\":\" \"}", "nonsense"]
        {
            assert!(call(other).is_err(), "{other}");
        }
        assert!(call(&format!("{{\"ID\":1,\"OrderNumber\":\"{}\"}}", "x".repeat(1024 * 1024))).is_err());
    }
}
