//! The system of a warehouse that calls is told when it is worth calling.

use connect::WarehouseId;
use millrace::db::{DeskKey, DeskStep, Scope};
use serde_json::{Value, json};

use super::{Telling, receiver::Receiver};
use crate::db::desk::request;

async fn told_of_its_own_desk(telling: &Telling) {
    let installation = &telling.installation;
    let receiver = Receiver::start().await;
    let merchant = installation.post("/api/v1/merchants", json!({ "name": "Acme" })).await.json();
    let tenant = installation.tenant("default").await;
    let scope = Scope { tenant, merchant: merchant["id"].as_str().unwrap().parse().unwrap() };
    let mut desks = Vec::new();
    for name in ["Desk", "Other"] {
        let given = json!({ "name": name, "merchant": "Acme", "platform": "warehouse_api" });
        let made = installation.post("/api/v1/warehouses", given).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let warehouse: WarehouseId = made.json()["id"].as_str().unwrap().parse().unwrap();
        desks.push(DeskKey { scope: scope.clone(), warehouse });
    }
    let (own, other) = (&desks[0], &desks[1]);
    let given = json!({ "name": "bad", "url": receiver.url, "events": ["desk/nowhere"] });
    assert_eq!(installation.post("/api/v1/webhooks", given).await.status, 422);
    let wanted = format!("desk/{}", own.warehouse);
    let (_, secret) = telling.webhook(&receiver.url, &[wanted.as_str()]).await;
    let db = &installation.hub.db;
    for desk in [own, other] {
        db.lay_on_desk(desk, &request("A-1")).await.unwrap();
        // Laid again it is no news.
        db.lay_on_desk(desk, &request("A-1")).await.unwrap();
        let (lease, _, _) = db.pull_from_desk(desk, 1, jiff::SignedDuration::from_mins(1)).await.unwrap();
        let take = DeskStep::Acknowledge { lease, reference: String::new() };
        db.step_at_desk(desk, "A-1", take).await.unwrap().unwrap().unwrap();
        for _ in 0..2 {
            db.take_back_from_desk(desk, "A-1").await.unwrap();
        }
    }
    telling.turn().await;
    let calls = receiver.calls();
    let kinds: Vec<Value> = calls.iter().map(|call| call.json()["type"].clone()).collect();
    assert_eq!(kinds, ["desk.waiting", "desk.cancel_asked"]);
    for call in &calls {
        assert!(call.is_signed_with(&secret));
        assert_eq!(call.json()["data"]["subject"], own.warehouse.as_str());
        assert!(!call.body.contains("A-1") && !call.body.contains("Jane"), "it says where to look: {}", call.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warehouse_is_told_that_something_waits_for_it() {
    told_of_its_own_desk(&Telling::new().await).await;
    let (telling, _server) = Telling::on_postgres(1).await;
    told_of_its_own_desk(&telling).await;
}
