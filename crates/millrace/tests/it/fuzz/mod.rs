//! What people and strangers hand to the program itself: webhook calls, settings files, translation tables, what an identity
//! provider says, its own files that come back from a disk. See docs/gates.md; the answers of remote systems are damaged in the
//! connectors' own tests.

mod desk;
mod own_files;
mod provider;
mod settings;

use std::path::Path;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::Secret;
use millrace::operate::mappings_csv::MappingTable;
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

/// Each translation table as CSV, by the name of its file.
fn tables() -> [(&'static str, &'static str); 5] {
    MappingTable::ALL.map(|table| {
        let csv = match table {
            MappingTable::Listings => "Brightpearl SKU,Warehouse SKU\nA,W-A\n\"B, odd\",\"W-\"\"B\"\"\"\n'=C,W-C\n",
            MappingTable::Kits => {
                "Brightpearl SKU,Part SKU,Units\nSET,W-A,2\nSET,\"W-\"\"B\"\"\",0.5\n\"B, odd\",W-C,1\n"
            }
            MappingTable::ShipMethods => "Brightpearl method,Carrier,Service\n50,UPS,Ground\nTracked 24,DPD,\n",
            MappingTable::SourceMethods => "Carrier,Service,Brightpearl method\nUPS,Ground,50\nDPD,,Tracked 24\n",
            MappingTable::Locations => "Facility,Brightpearl warehouse\nEAST,Example 3PL\n\"W, odd\",2\n",
        };
        (table.file_name(), csv)
    })
}

#[test]
fn translation_tables() {
    let runtime = runtime();
    let (installation, _source, _folder) = runtime.block_on(async {
        let installation = Installation::new().await;
        let source = brightpearl(0).await;
        let folder = tempfile::tempdir().unwrap();
        connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
        (installation, source, folder)
    });
    let tables = tables();
    let path = |name: &str| format!("/api/v1/connections/main/mappings/{name}");
    let preview = |name: &str, csv: &[u8]| {
        let request = Request::post(format!("{}?preview=true", path(name)))
            .header("authorization", format!("Bearer {}", installation.administrator))
            .header("content-type", "text/csv")
            .body(Body::from(csv.to_vec()))
            .unwrap();
        runtime.block_on(installation.send(request))
    };
    let kept = || tables.map(|(name, _)| runtime.block_on(installation.get(&path(name))).text);
    let before = kept();
    for (name, csv) in tables {
        let answer = preview(name, csv.as_bytes());
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
    }
    // The first byte says which table it is. Inputs from before there was one are listings: no table begins with such a byte.
    campaign("translation_tables").run(
        |dice| {
            let place = dice.random_range(0..tables.len());
            let donor = tables[dice.random_range(0..tables.len())].1.as_bytes();
            let mut input = vec![u8::try_from(place).unwrap()];
            input.extend(damaged(Form::Csv, tables[place].1.as_bytes(), &[donor], dice));
            input
        },
        |input| {
            let (name, csv) = match input.split_first() {
                Some((place, csv)) if usize::from(*place) < tables.len() => (tables[usize::from(*place)].0, csv),
                _ => (MappingTable::Listings.file_name(), input),
            };
            told(&preview(name, csv))
        },
    );
    assert_eq!(kept(), before, "a preview has changed a table");
}
