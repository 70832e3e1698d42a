//! What people and strangers hand to the program itself: webhook calls, settings files, listings. See docs/gates.md; the
//! answers of remote systems are damaged in the connectors' own tests.

mod desk;

use std::{path::Path, sync::Arc};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::Secret;
use millrace::operate::file::{Document, Origin};
use rand::RngExt as _;
use serde_json::json;
use simulators::fuzz::{Campaign, Form, damaged};
use tokio::runtime::Runtime;

use crate::api::{
    Answer, Installation,
    access::{brightpearl, connected},
};

/// Planted, so that it can be looked for where it must not be.
const CANARY: &str = "canary-7f3a-of-a-secret";

fn campaign(name: &'static str) -> Campaign {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fuzz/found");
    Campaign::new(name, &found, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Whoever sends nonsense is told so: own trouble (5xx) would be a panic or a fault behind it, and nothing quotes a secret.
fn told(answer: &Answer) -> Result<(), String> {
    let shown: String = answer.text.chars().take(300).collect();
    if answer.status.is_server_error() {
        return Err(format!("it was answered {}: {shown}", answer.status));
    }
    if answer.text.contains(CANARY) {
        return Err(format!("the answer quotes a secret: {shown}"));
    }
    if answer.status.is_client_error() && answer.text.trim().is_empty() {
        return Err(format!("it was refused ({}) without a word", answer.status));
    }
    Ok(())
}

#[test]
fn webhook_calls() {
    let runtime = runtime();
    let (installation, scope, _source, _folder) = runtime.block_on(async {
        let installation = Installation::new().await;
        let source = brightpearl(0).await;
        let folder = tempfile::tempdir().unwrap();
        connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
        let (hub, tenant) = (&installation.hub, installation.tenant("default").await);
        let (scope, store) = hub.db.store_by_name(&tenant, "BP").await.unwrap();
        let hook = hub.db.ensure_hook(&scope, store.as_str(), "0123456789abcdef").await.unwrap();
        hub.db.put_secret(&scope, &hook.id, "webhook_secret", &Secret::new(CANARY), &hub.keyring).await.unwrap();
        (installation, scope, source, folder)
    });
    let body = |secret: &str, id: &str| {
        let call = json!({
            "accountCode": "acme", "resourceType": "order", "id": id, "lifecycleEvent": "modified",
            "fullEvent": "order.modified.order-status", "raisedOn": "2026-02-03T16:41:39Z", "secret": secret,
        });
        call.to_string().into_bytes()
    };
    let bodies = [body(CANARY, "1"), body(CANARY, "7-9,11"), body("wrong", "1"), body("", "1-3")];
    let donors: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    campaign("webhook_calls").run(
        |dice| damaged(Form::Json, &bodies[dice.random_range(0..bodies.len())], &donors, dice),
        |input| {
            runtime.block_on(async {
                let call =
                    Request::post("/hooks/brightpearl/0123456789abcdef").body(Body::from(input.to_vec())).unwrap();
                let answer = installation.send(call).await;
                told(&answer)?;
                let kept = installation.hub.db.take_calls(&scope, "acme", 20_000).await.unwrap();
                let proven = String::from_utf8_lossy(input).contains(CANARY);
                match answer.status {
                    StatusCode::OK if !proven => Err("a call without the secret was believed".to_owned()),
                    StatusCode::OK => Ok(()),
                    _ if kept.is_empty() => Ok(()),
                    status => Err(format!("{} calls were kept, and the answer was {status}", kept.len())),
                }
            })
        },
    );
}

#[test]
fn settings_files() {
    let runtime = runtime();
    let installation = runtime.block_on(Installation::new());
    let written = r#"
[tenant]
name = "default"

[[merchant]]
name = "Acme"

[[store]]
name = "BP"
merchant = "Acme"
platform = "brightpearl"
[store.settings]
datacenter_code = "eu1"
account_id = "acme"
calls_per_minute = 150
[store.secrets]
password = { env = "BP_PASSWORD" }

[[warehouse]]
name = "WH"
merchant = "Acme"
platform = "dsfx"
[warehouse.settings]
transport = "folder"
folder = "/srv/exchange"

[[connection]]
name = "main"
merchant = "Acme"
store = "BP"
warehouse = "WH"
enabled = true
[connection.settings]
start_mode = "order"
import_statuses = ["Ready to ship", 7]
default_ship_method = { carrier = "UPS", service = "Ground" }
[connection.settings.stock]
basis = "available"
settle_seconds = 10
[connection.channels]
orders = { enabled = true, every_seconds = 10 }
[connection.mappings]
listings = [["A", "W-A"], ["B", "W-B"]]
"#;
    // A secret written where it must not be: whatever is wrong with the file, it is not quoted.
    let careless = written.replace("{ env = \"BP_PASSWORD\" }", &format!("\"{CANARY}\""));
    let files = [written.as_bytes(), careless.as_bytes()];
    campaign("settings_files").run(
        |dice| damaged(Form::Text, files[dice.random_range(0..2)], &files, dice),
        |input| {
            let Ok(text) = std::str::from_utf8(input) else { return Ok(()) };
            let read = Document::parse(text, "millrace.toml", Origin::Remote);
            if let Err(failure) = &read {
                let words = format!("{} {failure:?}", failure.detail);
                if failure.detail.trim().is_empty() {
                    return Err("an error without words".to_owned());
                }
                // Only what stands where a secret belongs is one: damage may have copied it to the place of a name, and names that
                // are not known are quoted.
                let kept_to_its_place = text.matches(CANARY).count() == 1;
                let secret = text.contains(&format!("password = \"{CANARY}\"")) && kept_to_its_place;
                if secret && words.contains(CANARY) {
                    return Err(format!("the error quotes a secret: {words}"));
                }
            }
            // What can be read is compared with what is there, without a change.
            if read.is_ok() {
                let body = json!({ "toml": text });
                let answer = runtime.block_on(installation.ask(
                    "POST",
                    "/api/v1/configuration/plan",
                    Some(&installation.administrator),
                    Some(&body),
                ));
                told(&answer)?;
            }
            Ok(())
        },
    );
}

#[test]
fn listings() {
    let runtime = runtime();
    let (installation, _source, _folder) = runtime.block_on(async {
        let installation = Installation::new().await;
        let source = brightpearl(0).await;
        let folder = tempfile::tempdir().unwrap();
        connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
        (Arc::new(installation), source, folder)
    });
    let csv = "Brightpearl SKU,Warehouse SKU\nA,W-A\n\"B, odd\",\"W-\"\"B\"\"\"\n'=C,W-C\n";
    campaign("listings").run(
        |dice| damaged(Form::Csv, csv.as_bytes(), &[], dice),
        |input| {
            let request = Request::post("/api/v1/connections/main/mappings/listings.csv?preview=true")
                .header("authorization", format!("Bearer {}", installation.administrator))
                .header("content-type", "text/csv")
                .body(Body::from(input.to_vec()))
                .unwrap();
            told(&runtime.block_on(installation.send(request)))
        },
    );
    let kept = runtime.block_on(installation.get("/api/v1/connections/main/mappings/listings.csv"));
    assert!(!kept.text.contains("W-"), "a preview has changed the listings: {}", kept.text);
}
