//! Calls that anybody on the internet can make: bodies of both connectors' webhooks.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{ConnectorError, Waits, Warehouse, WebhookCall, WebhookHint};
use connectors::brightpearl::webhooks::parse_call;
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::json;
use simulators::fuzz::{Form, damaged};
use tokio::runtime::Runtime;

use super::{
    campaign, extensiv,
    replay::{Dial, Replay, context},
    runtime,
    session::Answer,
};
use crate::hub::at;

const SECRET: &str = "canary-of-the-webhook-secret";

#[test]
fn brightpearl_webhooks() {
    let bodies: Vec<Vec<u8>> = ["1", "7-9,11", "1-10000", "5"]
        .into_iter()
        .map(|id| {
            json!({
                "accountCode": "acme", "resourceType": "goods-out-note", "id": id, "lifecycleEvent": "modified",
                "fullEvent": "goods-out-note.modified.shipped", "raisedOn": "2026-02-03T16:41:39.123Z", "secret": SECRET,
            })
            .to_string()
            .into_bytes()
        })
        .collect();
    let donors: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    campaign("brightpearl_webhooks").run(
        |dice| damaged(Form::Json, &bodies[dice.random_range(0..bodies.len())], &donors, dice),
        |input| match parse_call(input) {
            Ok(call) => match call.ids {
                Some(ids) if ids.len() > 10_000 => Err(format!("one call names {} ids", ids.len())),
                Some(ids) if ids.windows(2).any(|pair| pair[0] >= pair[1]) => Err("ids are not ascending".to_owned()),
                Some(_) | None => Ok(()),
            },
            Err(error) if error.to_string().contains("canary") => Err("the error quotes the body".to_owned()),
            Err(_) => Ok(()),
        },
    );
}

/// When the calls come.
fn now() -> Timestamp {
    at("2026-11-23T06:30:00Z")
}

/// What the vendor answers to whoever asks for its key.
fn key(pair: &KeyPair) -> Answer {
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()));
    Answer {
        method: "GET".to_owned(),
        path: "/events/webhook/key".to_owned(),
        status: 200,
        headers: Vec::new(),
        body: json!({ "publicKey": pem }).to_string().into_bytes(),
    }
}

fn event() -> Vec<u8> {
    let body = json!({
        "tplId": 7, "wmsEventId": 4_711, "eventType": "OrderConfirm", "data": "206568",
        "resource": { "href": "/orders/206568", "body": { "readOnly": { "orderId": 206_568 } } },
    });
    body.to_string().into_bytes()
}

fn hub(key: Answer) -> Arc<dyn Warehouse> {
    extensiv::connector("http://127.0.0.1:9", &context(Replay::new(&[key]), Dial::at(now()), Waits::default()))
}

fn parse(
    runtime: &Runtime,
    hub: &Arc<dyn Warehouse>,
    body: &[u8],
    signature: &str,
) -> Result<Vec<WebhookHint>, ConnectorError> {
    let headers = vec![("signature".to_owned(), signature.to_owned())];
    let call = WebhookCall { headers, body: body.to_vec(), received_at: now() };
    runtime.block_on(hub.parse_webhook(&call))
}

#[test]
fn extensiv_webhooks() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let (hub, body, runtime) = (hub(key(&pair)), event(), runtime());
    let sign = |body: &[u8]| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature).unwrap();
        STANDARD.encode(signature)
    };
    let good = sign(&body);
    assert_eq!(parse(&runtime, &hub, &body, &good).unwrap()[0].event_id, "7:4711");
    campaign("extensiv_webhooks").run(
        |dice| {
            let mut input = vec![dice.random_range(0..4_u8)];
            input.extend(damaged(Form::Json, &body, &[], dice));
            input
        },
        |input| {
            let (how, content) = input.split_first().ok_or("an empty input")?;
            // Signed by the vendor, with a signature of something else, and with none that is one.
            let signature = match how {
                0 | 1 => sign(content),
                2 => good.clone(),
                _ => String::from_utf8_lossy(content).into_owned(),
            };
            match parse(&runtime, &hub, content, &signature) {
                Ok(hints) if *how > 1 && content != body => Err(format!("an unsigned call was believed: {hints:?}")),
                Ok(hints) if hints.iter().any(|hint| hint.subject.len() > 1_000 || hint.event.len() > 1_000) => {
                    Err("a hint is longer than a hint may be".to_owned())
                }
                Ok(_) => Ok(()),
                Err(error) if error.message.trim().is_empty() => Err("an error without words".to_owned()),
                Err(_) => Ok(()),
            }
        },
    );
}

/// The key itself comes from outside as well.
#[test]
fn extensiv_webhook_key() {
    let key = key(&KeyPair::generate(KeySize::Rsa2048).unwrap());
    let (body, runtime) = (event(), runtime());
    campaign("extensiv_webhook_key").run(
        |dice| damaged(Form::Json, &key.body, &[], dice),
        |input| {
            let hub = hub(Answer { body: input.to_vec(), ..key.clone() });
            match parse(&runtime, &hub, &body, "AAAA") {
                Ok(hints) => Err(format!("an unsigned call was believed: {hints:?}")),
                Err(error) if error.message.trim().is_empty() => Err("an error without words".to_owned()),
                Err(_) => Ok(()),
            }
        },
    );
}
