//! What a warehouse that calls us may post, damaged: it has a key, and a program of its own that may be wrong.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use connect::{DeskState, PackageLine, Told, WarehouseId};
use engine::desk::is_complete;
use millrace::db::{DeskKey, DeskRow, Scope};
use rand::RngExt as _;
use rust_decimal::Decimal;
use serde_json::json;
use simulators::fuzz::{Form, damaged};

use super::{campaign, runtime, told};
use crate::{api::Installation, db::desk::request};

/// Documents with the path they are posted at.
fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let shipment = json!({
        "id": "S-1", "request": "A-1", "shipped_at": "2026-11-26T10:00:00Z", "carrier": "UPS", "service": "Ground",
        "packages": [{ "tracking": "1Z1", "weight": 1.5, "lines": [{ "line": 1, "sku": "WH-1", "quantity": 2 }] }],
        "lines": [{ "sku": "WH-2", "quantity": "0.5", "lot": "L1", "serials": ["a"] }], "final": false,
    });
    let count = json!({
        "id": "C-1", "counted_at": "2026-11-26T10:00:00Z", "sequence": 7, "complete": true,
        "levels": [{ "sku": "WH-1", "physical": 5, "available": "4" }, { "sku": "WH-2", "facility": "W", "physical": 1 }],
    });
    [
        ("/shipments", shipment),
        ("/stock", count),
        ("/pull", json!({ "limit": 5, "seconds": 60 })),
        ("/requests/A-1/acknowledge", json!({ "lease": "lea_1", "reference": "W-1" })),
        ("/requests/A-2/cancel", json!({ "answer": "accepted" })),
        ("/requests/A-2/give-up", json!({ "reason": "lost" })),
    ]
    .map(|(path, document)| (path, document.to_string().into_bytes()))
    .into()
}

/// What is kept of a request can be of that request, however damaged what was posted.
fn fits(row: &DeskRow, left: &[PackageLine]) -> Result<(), String> {
    for line in left {
        let asked: Decimal =
            row.request.lines.iter().filter(|asked| asked.sku == line.sku).map(|asked| asked.quantity).sum();
        let sum: Decimal = left.iter().filter(|other| other.sku == line.sku).map(|other| other.quantity).sum();
        if line.quantity <= Decimal::ZERO || sum > asked {
            return Err(format!("{sum} of {} are kept as shipped where {asked} were asked for", line.sku));
        }
    }
    if is_complete(&row.request.lines, left) && row.standing.state == DeskState::Waiting {
        return Err("everything has left, and it still waits".to_owned());
    }
    Ok(())
}

#[test]
fn desk_posts() {
    let runtime = runtime();
    let (installation, desk, key) = runtime.block_on(async {
        let installation = Installation::new().await;
        let merchant = installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await.json();
        let given = json!({ "name": "Desk", "merchant": "Acme", "platform": "warehouse_api" });
        let made = installation.post("/api/v1/warehouses", given).await.json();
        let warehouse: WarehouseId = made["id"].as_str().unwrap().parse().unwrap();
        let made = installation.post("/api/v1/warehouses/Desk/keys", json!({ "name": "WMS" })).await.json();
        let scope = Scope {
            tenant: installation.tenant("default").await,
            merchant: merchant["id"].as_str().unwrap().parse().unwrap(),
        };
        let desk = DeskKey { scope, warehouse };
        for name in ["A-1", "A-2"] {
            installation.hub.db.lay_on_desk(&desk, &request(name)).await.unwrap();
        }
        (installation, desk, made["key"].as_str().unwrap().to_owned())
    });
    let documents = documents();
    let donors: Vec<&[u8]> = documents.iter().map(|(_, body)| body.as_slice()).collect();
    // The first byte says where it is posted, so that an input can be played again.
    campaign("desk_posts").run(
        |dice| {
            let place = dice.random_range(0..documents.len());
            let mut input = vec![u8::try_from(place).unwrap()];
            input.extend(damaged(Form::Json, &documents[place].1, &donors, dice));
            input
        },
        |input| {
            let Some((place, body)) = input.split_first() else { return Ok(()) };
            let (path, _) = documents[usize::from(*place) % documents.len()];
            runtime.block_on(async {
                let ask = || {
                    Request::post(format!("/api/v1/desk{path}"))
                        .header("authorization", format!("Bearer {key}"))
                        .header("content-type", "application/json")
                        .body(Body::from(body.to_vec()))
                        .unwrap()
                };
                let answer = installation.send(ask()).await;
                told(&answer)?;
                let posted = ["/shipments", "/stock"].contains(&path);
                if posted && answer.status == StatusCode::CREATED {
                    let again = installation.send(ask()).await;
                    if (again.status, &again.text) != (StatusCode::OK, &answer.text) {
                        return Err(format!("posted again it is {}: {}", again.status, again.text));
                    }
                }
                let db = &installation.hub.db;
                let mut left: Vec<(String, PackageLine)> = Vec::new();
                let (mut after, mut more) = (0, true);
                while more {
                    let page = db.told_at_desk(&desk, after, 200).await.map_err(|error| error.to_string())?;
                    (after, more) = (page.reached, page.more);
                    for one in page.told {
                        if let Told::Shipment(shipment) = one {
                            left.extend(shipment.lines().map(|line| (shipment.key.clone(), line.clone())));
                        }
                    }
                }
                for name in ["A-1", "A-2"] {
                    let row = db.desk_request(&desk, name).await.map_err(|error| error.to_string())?.unwrap();
                    let own: Vec<PackageLine> =
                        left.iter().filter(|(key, _)| key == name).map(|(_, line)| line.clone()).collect();
                    fits(&row, &own)?;
                }
                // Counts are read as the channel reads them, and put away.
                let counts = db.counts_at_desk(&desk, 200).await.map_err(|error| error.to_string())?;
                if counts
                    .iter()
                    .flat_map(|count| &count.feed.levels)
                    .any(|level| level.sku.is_empty() || level.physical.is_some_and(|units| units < Decimal::ZERO))
                {
                    return Err("a count without a SKU or below zero is kept".to_owned());
                }
                let read: Vec<String> = counts.into_iter().map(|count| count.id).collect();
                db.put_counts_away(&desk, &read).await.map_err(|error| error.to_string())
            })
        },
    );
}
