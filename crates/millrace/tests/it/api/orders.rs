//! Orders over the API: finding, counting, editing before sending, and acting on many.

use axum::http::StatusCode;
use connect::{Address, FeedCursor, Side};
use engine::{effect::EffectState, order::Disposition};
use millrace::db::{ConnectionKey, Scope};
use serde_json::{Value, json};
use simulators::brightpearl::Running;

use super::{
    Answer, Installation,
    access::{brightpearl, connected},
};
use crate::db::world::{carry_out, imported, order, request_key, requested, shipment};

/// An installation with one connection that does not run.
pub struct Shop {
    pub installation: Installation,
    pub key: ConnectionKey,
    _source: Running,
    _folder: tempfile::TempDir,
}

impl Shop {
    pub async fn new() -> Self {
        let installation = Installation::new().await;
        let source = brightpearl(0).await;
        let folder = tempfile::tempdir().unwrap();
        for name in ["in", "out"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let path = folder.path().to_str().unwrap();
        let (connection, merchant) = connected(&installation, &source.base_url(), path).await;
        let scope = Scope { tenant: installation.tenant("default").await, merchant: merchant.parse().unwrap() };
        let key = ConnectionKey { scope, connection: connection.parse().unwrap() };
        Self { installation, key, _source: source, _folder: folder }
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.installation.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.installation.post(&format!("/api/v1/{path}"), body).await
    }

    async fn numbers(&self, query: &str) -> Vec<i64> {
        let page = self.get(&format!("orders?{query}")).await;
        page["items"].as_array().unwrap().iter().map(|order| order["number"].as_i64().unwrap()).collect()
    }

    /// So many orders that would be sent.
    pub async fn orders(&self, count: i64) {
        let orders = (1..=count).map(requested).collect();
        self.installation.hub.db.record_orders(&self.key, "acme", orders).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_by_any_word_of_its() {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    shop.orders(3).await;
    let mut other = requested(77);
    other.order.reference = "Shop/ÄB-9".to_owned();
    other.order.deliver_to = Address {
        name: "Grace Hopper".to_owned(),
        email: "grace@navy.example".to_owned(),
        country: "US".to_owned(),
        ..Address::default()
    };
    other.order.lines[0].sku = "MUG-BLUE_L".to_owned();
    // Ada still pays for it.
    db.record_orders(&shop.key, "acme", vec![other]).await.unwrap();
    let left = shipment(&order(2), "S2", &request_key(2), &[3, 1]);
    db.record_shipments(&shop.key, vec![left], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();

    for (text, found) in [
        ("web-2", vec![2]),
        ("77", vec![77]),
        ("grace", vec![77]),
        ("HOPPER", vec![77]),
        ("grace%40navy", vec![77]),
        ("navy", vec![77]),
        ("mug", vec![77]),
        ("blue_l", vec![77]),
        ("lue_l", vec![]),
        ("mug-blue_l", vec![77]),
        ("%C3%A4b-9", vec![77]),
        ("1zs2", vec![2]),
        ("love", vec![77, 3, 2, 1]),
        ("lovelace%20web-3", vec![3]),
        ("lovelace%20hopper", vec![77]),
        ("web-3%20hopper", vec![]),
        ("%25", vec![]),
        ("%20%2C%20", vec![]),
    ] {
        assert_eq!(shop.numbers(&format!("text={text}")).await, found, "{text}");
    }
    // What an order is found by changes with it.
    let mut other = requested(77);
    other.order.reference = "renamed".to_owned();
    db.record_orders(&shop.key, "acme", vec![other]).await.unwrap();
    assert_eq!(shop.numbers("text=hopper").await, Vec::<i64>::new());
    assert_eq!(shop.numbers("text=renamed").await, [77]);

    assert_eq!(shop.numbers("merchant=Acme&connection=main").await, [77, 3, 2, 1]);
    assert_eq!(shop.installation.get("/api/v1/orders?merchant=Nobody").await.status, StatusCode::NOT_FOUND);
    assert_eq!(shop.numbers("imported_from=2020-01-01T00:00:00Z").await.len(), 4);
    assert_eq!(shop.numbers("imported_to=2020-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(shop.numbers("placed_to=2026-05-01T10:00:00Z").await.len(), 0);
    assert_eq!(shop.numbers("placed_from=2026-05-01T10:00:00Z").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_through_several_states_newest_first() {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    let orders = (1..=9)
        .map(|id| match id % 3 {
            0 => imported(order(id), Disposition::Held("no mapping".to_owned()), Vec::new()),
            1 => imported(order(id), Disposition::Skipped("a filter".to_owned()), Vec::new()),
            _ => requested(id),
        })
        .collect();
    db.record_orders(&shop.key, "acme", orders).await.unwrap();
    for (query, expected) in [
        ("", vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("&state=held,skipped", vec![9, 7, 6, 4, 3, 1]),
        ("&state=held", vec![9, 6, 3]),
        ("&state=held,queued&text=web", vec![9, 8, 6, 5, 3, 2]),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = shop.get(&format!("orders?limit=2{query}{cursor}")).await;
            seen.extend(page["items"].as_array().unwrap().iter().map(|order| order["number"].as_i64().unwrap()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{query}");
    }
    let counts = shop.get("orders/counts").await;
    assert_eq!(counts["total"], 9);
    assert_eq!((&counts["states"]["held"], &counts["states"]["skipped"]), (&json!(3), &json!(3)));
    assert_eq!((&counts["states"]["queued"], &counts["states"]["archived"]), (&json!(3), &json!(0)));
    let counts = shop.get("orders/counts?text=web-9&state=queued").await;
    assert_eq!((&counts["total"], &counts["states"]["held"]), (&json!(1), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_edited_beside_the_source_until_it_is_sent() {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    shop.orders(1).await;
    let to = json!({
        "name": "Ada Lovelace", "line1": "1 Coppergate", "city": "York", "postcode": "YO1 9NR", "country": "gb",
    });
    let given = json!({ "ship_to": to, "notes": "Ring twice", "edition": 0 });
    let edited = shop.post("orders/1/edit", given.clone()).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.text);
    let edited = edited.json();
    assert_eq!((&edited["edition"], &edited["state"]), (&json!(1), &json!("new")));
    assert_eq!((&edited["deliver_to"]["city"], &edited["notes"]), (&json!("York"), &json!("Ring twice")));
    let address = &edited["edits"].as_array().unwrap().iter().find(|edit| edit["field"] == "ship_to").unwrap();
    assert_eq!(address["standing"], "next");
    let city = json!({ "part": "city", "source": "London", "wanted": "York" });
    assert!(address["differences"].as_array().unwrap().contains(&city), "{address:#}");
    assert!(!address["differences"].to_string().contains("Ada"), "what is the same is no difference: {address:#}");
    // What was planned is given up, and import reads it again.
    assert_eq!(db.unseen_orders(&shop.key).await.unwrap(), [1]);
    assert!(
        db.claim_effects(&shop.key, Side::Warehouse, "t", crate::db::world::LEASE, 9).await.unwrap().rows.is_empty()
    );
    // Somebody who saw it before the edit changes nothing, and neither does a decision from before.
    let late = shop.post("orders/1/edit", given).await;
    assert_eq!((late.status, late.problem().as_str()), (StatusCode::CONFLICT, "conflict"));
    let older = db.record_orders(&shop.key, "acme", vec![requested(1)]).await.unwrap();
    assert_eq!(older, [millrace::db::Recorded::EditedMeanwhile]);
    assert_eq!(shop.get("orders/1").await["state"], "new", "an older decision is not kept");
    assert_eq!(db.unseen_orders(&shop.key).await.unwrap(), [1]);

    // As import finds it: the edit laid over what the source says.
    let edition = db.editions(&shop.key, &[1]).await.unwrap().0.remove(&1).unwrap();
    let again = |city: &str| {
        let mut read = requested(1);
        city.clone_into(&mut read.order.deliver_to.city);
        let overtaken = engine::edit::lay_over(&mut read.order, &edition.edits);
        read.edition = edition.number;
        (read, overtaken)
    };
    let (read, overtaken) = again("London");
    assert!(overtaken.is_empty());
    db.record_orders(&shop.key, "acme", vec![read]).await.unwrap();
    let shown = shop.get("orders/1").await;
    assert_eq!(shown["state"], "queued");
    assert!(shown["ship_to"].as_str().unwrap().contains("York"));
    assert!(shown["edits"].as_array().unwrap().iter().all(|edit| edit["standing"] == "holds"), "{shown:#}");

    // The source says something else now: nobody's words are lost.
    let (read, overtaken) = again("Hull");
    assert_eq!(overtaken, [engine::edit::Field::ShipTo]);
    let held = Disposition::Held(engine::edit::overtaken_words(&overtaken));
    let read = millrace::db::ImportedOrder { disposition: held, requests: Vec::new(), ..read };
    db.record_orders(&shop.key, "acme", vec![read]).await.unwrap();
    let shown = shop.get("orders/1").await;
    assert_eq!(shown["state"], "held");
    assert!(shown["reason"].as_str().unwrap().contains("delivery address"), "{shown:#}");
    let address = &shown["edits"].as_array().unwrap().iter().find(|edit| edit["field"] == "ship_to").unwrap();
    assert_eq!(address["standing"], "overtaken");
    assert!(address["differences"].to_string().contains("Hull"), "{address:#}");
    let back = shop.post("orders/1/edit", json!({ "take_back": ["ship_to", "notes"] })).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.text);
    assert_eq!(back.json()["edits"], json!([]));
    let audit = shop.get("audit?limit=1").await;
    assert_eq!(audit["items"][0]["action"], "order.edit");
    assert!(audit["items"][0]["detail"]["ship_to"]["before"].to_string().contains("York"), "{audit:#}");

    // Once it may be at the warehouse it is too late, and the answer says what to do.
    let read = millrace::db::ImportedOrder { edition: 2, ..requested(1) };
    db.record_orders(&shop.key, "acme", vec![read]).await.unwrap();
    carry_out(db, &shop.key, Side::Warehouse, &[EffectState::Applied]).await;
    let refused = shop.post("orders/1/edit", json!({ "notes": "too late" })).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("warehouse has it"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_not_kept() {
    let shop = Shop::new().await;
    shop.orders(1).await;
    for (given, at) in [
        (json!({}), ""),
        (json!({ "ship_to": { "line1": "x", "city": "y", "country": "GB" } }), "ship_to.name"),
        (json!({ "ship_to": { "name": "a", "line1": "x", "city": "y", "country": "England" } }), "ship_to.country"),
        (json!({ "ship_to": { "name": "a\nb", "line1": "x", "city": "y", "country": "GB" } }), "ship_to.name"),
        (json!({ "ship_method": 0 }), "ship_method"),
        (json!({ "notes": "x".repeat(501) }), "notes"),
        (json!({ "notes": "a", "take_back": ["notes"] }), "take_back"),
    ] {
        let answer = shop.post("orders/1/edit", given.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{given}");
        assert_eq!(answer.json()["problems"][0]["at"], at, "{}", answer.text);
    }
    assert_eq!(shop.get("orders/1").await["edition"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_orders_are_looked_at_first_and_then_done() {
    let shop = Shop::new().await;
    shop.orders(5).await;
    shop.post("orders/2/hold", json!({ "reason": "before" })).await;
    shop.post("orders/3/archive", json!({})).await;
    let why = json!({ "action": "hold", "orders": ["1", "2", "3", "4", "99"] });
    assert_eq!(shop.post("orders/bulk/preview", why).await.status, StatusCode::UNPROCESSABLE_ENTITY, "a reason");
    let given = json!({ "action": "hold", "orders": ["1", "2", "3", "4", "99", "1"], "reason": "counting" });
    let preview = shop.post("orders/bulk/preview", given).await;
    assert_eq!(preview.status, StatusCode::OK, "{}", preview.text);
    let preview = preview.json();
    assert_eq!((&preview["would"], &preview["refused"]), (&json!(2), &json!(3)));
    let refused: Vec<&str> =
        preview["orders"].as_array().unwrap().iter().filter_map(|one| one["refused"].as_str()).collect();
    assert_eq!(refused.len(), 3);
    assert!(refused.contains(&"it does not exist") && refused.contains(&"a person holds it already"), "{refused:?}");
    assert_eq!(shop.get("orders/1").await["state"], "queued", "nothing was done yet");

    // Meanwhile one of them changes: it is looked at once more.
    shop.post("orders/4/archive", json!({})).await;
    let token = json!({ "token": preview["token"] });
    let stranger = shop.installation.key(&shop.key.scope.tenant, millrace::operate::Role::Staff, None).await;
    let path = "/api/v1/orders/bulk";
    let other = shop.installation.ask("POST", path, Some(&stranger), Some(&token)).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND, "another's preview");
    let done = shop.post("orders/bulk", token.clone()).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let done = done.json();
    assert_eq!((&done["done"], &done["refused"]), (&json!(1), &json!(1)), "{done:#}");
    let held = shop.get("orders/1").await;
    assert_eq!((&held["state"], held["reason"].as_str().unwrap().contains("counting")), (&json!("held"), true));
    assert_eq!(shop.post("orders/bulk", token).await.status, StatusCode::NOT_FOUND, "once");

    // By a filter, and all the other actions.
    let act = async |action: &str, state: &str| {
        let given = json!({ "action": action, "filter": { "state": state }, "reason": "in bulk" });
        let preview = shop.post("orders/bulk/preview", given).await;
        assert_eq!(preview.status, StatusCode::OK, "{}", preview.text);
        shop.post("orders/bulk", json!({ "token": preview.json()["token"] })).await.json()["done"].clone()
    };
    assert_eq!(act("release", "held").await, 2);
    assert_eq!(act("unarchive", "archived").await, 2);
    assert_eq!(act("retry", "queued,new,held").await, 5);
    assert_eq!(act("cancel", "queued").await, 3);
    assert_eq!(shop.get("orders/counts").await["states"]["cancelled"], 3);
    assert_eq!(act("archive", "cancelled").await, 3);
    let both = json!({ "action": "retry", "orders": ["1"], "filter": {} });
    assert_eq!(shop.post("orders/bulk/preview", both).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let restored = shop.post("orders/1/unarchive", json!({})).await;
    assert_eq!(restored.status, StatusCode::OK, "{}", restored.text);
    assert_eq!(shop.post("orders/1/unarchive", json!({})).await.status, StatusCode::CONFLICT);
}
