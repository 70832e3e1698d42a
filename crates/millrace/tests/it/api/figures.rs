//! What needs somebody by its cause, the overview, exports, and tests of what is not kept.

use axum::http::StatusCode;
use connect::{FeedCursor, Inbound, RejectedInput, Side};
use engine::{
    effect::EffectState,
    finding::{Finding, FindingKind, Subject},
    order::Disposition,
};
use millrace::db::{Access, CensusOutcome, ChannelKind, Extent};
use serde_json::{Value, json};

use super::orders::Shop;
use crate::db::{
    stock::feed,
    world::{carry_out, imported, order, requested, shipment},
};

fn held(order_id: i64, why: &str) -> millrace::db::ImportedOrder {
    imported(order(order_id), Disposition::Held(why.to_owned()), Vec::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_one_cause_is_one_group_and_retried_together() {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    let orders = vec![
        held(1, "row 11: \"A\" is not mapped"),
        held(2, "row 21: \"B\" is not mapped"),
        held(3, "shipping method 7 is not mapped"),
        requested(4),
    ];
    db.record_orders(&shop.key, "acme", orders).await.unwrap();
    carry_out(db, &shop.key, Side::Warehouse, &[EffectState::Refused]).await;
    let input = Inbound { name: "ship.csv".to_owned(), content_hash: "h".to_owned(), content: b"a".to_vec() };
    let rejected = [RejectedInput { input, reason: "line 1 cannot be read".to_owned(), beside: false, key: None }];
    db.record_shipments(&shop.key, Vec::new(), Vec::new(), &[], &rejected, &FeedCursor::default()).await.unwrap();

    let groups = shop.get("exceptions/groups").await["items"].take();
    let of = |kind: &str| -> Vec<Value> {
        groups.as_array().unwrap().iter().filter(|group| group["kind"] == kind).cloned().collect()
    };
    let lacking = of("order_held");
    assert_eq!(lacking.len(), 2, "{groups:#}");
    let rows = lacking.iter().find(|group| group["count"] == 2).expect("two of one cause");
    assert_eq!(rows["cause"], "row #: … is not mapped");
    assert_eq!((rows["can_retry"].clone(), rows["examples"].as_array().unwrap().len()), (json!(true), 2));
    assert!(rows["first_at"].as_str().unwrap() <= rows["last_at"].as_str().unwrap());
    assert_eq!((of("change_refused").len(), of("order_error").len(), of("exception").len()), (1, 1, 1), "{groups:#}");
    let again = shop.get("exceptions/groups?connection=main").await["items"].take();
    assert_eq!(again, groups, "the ids stay");
    let (mut one_by_one, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("exceptions/groups?limit=1{cursor}")).await;
        one_by_one.extend(page["items"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(Value::Array(one_by_one), groups, "over several pages");
    let wrong = shop.installation.get("/api/v1/exceptions/groups?cursor=nonsense").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text);

    let id = rows["id"].as_str().unwrap();
    let done = shop.post(&format!("exceptions/groups/{id}/retry"), json!({})).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    assert_eq!(done.json(), json!({ "retried": 2, "failed": [], "left": 0 }));
    let mut unseen = db.unseen_orders(&shop.key).await.unwrap();
    unseen.sort_unstable();
    assert_eq!(unseen, [1, 2], "and no other");

    let refused = of("change_refused");
    let done = shop.post(&format!("exceptions/groups/{}/retry", refused[0]["id"].as_str().unwrap()), json!({})).await;
    assert_eq!(done.json()["retried"], 1, "{}", done.text);
    assert!(
        shop.get("exceptions/groups").await["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|group| group["kind"] != "change_refused")
    );
    let input = of("exception");
    let one_by_one =
        shop.post(&format!("exceptions/groups/{}/retry", input[0]["id"].as_str().unwrap()), json!({})).await;
    assert_eq!(one_by_one.status, StatusCode::CONFLICT, "{}", one_by_one.text);
    let gone = shop.post("exceptions/groups/grp_0/retry", json!({})).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_counts_what_is_there() {
    let shop = Shop::new().await;
    let empty = shop.get("overview").await;
    assert_eq!((empty["hours"].as_array().unwrap().len(), &empty["unaccounted"]), (24, &Value::Null));
    let db = &shop.installation.hub.db;
    // Ids are drawn by the time of making, as import does.
    let now = db.now().await.unwrap();
    let orders = (1..=3).map(|id| millrace::db::ImportedOrder {
        id: connect::OrderId::generate(now, &connect::OsRandom),
        ..if id == 3 { held(id, "lacks something") } else { requested(id) }
    });
    db.record_orders(&shop.key, "acme", orders.collect()).await.unwrap();
    let left = millrace::db::NewShipment {
        id: connect::ShipmentId::generate(now, &connect::OsRandom),
        ..shipment(&order(1), "S1", &crate::db::world::request_key(1), &[3, 1])
    };
    db.record_shipments(&shop.key, vec![left], Vec::new(), &[], &[], &FeedCursor::default()).await.unwrap();
    let shown = shop.get("overview").await;
    let sum = |what: &str| -> i64 {
        shown["hours"].as_array().unwrap().iter().map(|hour| hour[what].as_i64().unwrap()).sum()
    };
    assert_eq!((sum("orders"), sum("shipments")), (3, 1), "{shown:#}");
    assert_eq!((&shown["needs"]["orders_held"], &shown["states"]["held"]), (&json!(1), &json!(1)));
    let hop = shown["latency"].as_array().unwrap().iter().find(|hop| hop["hop"] == "placed_to_imported").unwrap();
    assert_eq!(hop["count"], 3);
    assert!(hop["p50_ms"].as_i64().unwrap() > 0);
    assert!(shown["budgets"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_exported_and_nothing_is_a_formula() {
    let shop = Shop::new().await;
    let db = &shop.installation.hub.db;
    let mut orders: Vec<_> = (1..=1_100).map(requested).collect();
    orders[0].order.reference = "=HYPERLINK(\"http://x\",\"y\")".to_owned();
    for slice in orders.chunks(200) {
        db.record_orders(&shop.key, "acme", slice.to_vec()).await.unwrap();
    }
    let now = db.now().await.unwrap();
    let counted = feed("inv_1", now, &[("W-1001", "5")], false);
    let waiting = crate::db::stock::run("inv_1", now, millrace::db::RunState::Waiting);
    db.record_run(&shop.key, waiting, Vec::new(), &counted).await.unwrap();
    let orphan = Finding {
        kind: FindingKind::OrphanNote,
        subject: Subject::Note(7),
        order_id: Some(1),
        what: "=goods-out note 7 belongs to nothing".to_owned(),
    };
    let outcome =
        CensusOutcome { unaccounted: 0, report: Vec::new(), findings: vec![orphan], checked: FindingKind::ALL.into() };
    db.begin_census(&shop.key).await.unwrap();
    db.finish_census(&shop.key, Extent::Recent, outcome).await.unwrap();
    db.start_run(&shop.key, ChannelKind::Orders).await.unwrap();
    let listings = json!({ "listings": [["A", "@B"]] });
    let mapped = shop.installation.put("/api/v1/connections/main/mappings", listings).await;
    assert_eq!(mapped.status, StatusCode::OK, "{}", mapped.text);
    for (kind, lines, contains) in [
        ("orders", 1_101, "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
        ("effects", 1_101, "submit_request"),
        ("stock_levels", 2, "W-1001"),
        ("mappings", 2, ",A,'@B"),
        ("shipments", 1, "tracking"),
        ("exceptions", 1, "subject"),
        ("stock_runs", 2, "inv_1"),
        ("findings", 2, "'=goods-out note 7 belongs to nothing"),
        ("census", 3, "recent"),
        ("order_lines", 2_201, ",SKU-1001,Product 1001,3"),
        ("channel_runs", 2, ",orders,pace,"),
    ] {
        let answer = shop.installation.get(&format!("/api/v1/exports/{kind}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{kind}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
        assert!(answer.headers["content-disposition"].to_str().unwrap().contains(kind));
        assert_eq!(answer.text.lines().count(), lines, "{kind}");
        assert!(answer.text.contains(contains), "{kind}: {}", answer.text.chars().take(400).collect::<String>());
        let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
        assert!(reader.records().all(|record| record.is_ok()), "{kind}: every line has the columns of the first");
    }
    // As their list is filtered; a filter that a kind does not have is refused, and not passed over.
    let export = async |query: &str| shop.installation.get(&format!("/api/v1/exports/{query}")).await;
    assert_eq!(export("orders?text=1100").await.text.lines().count(), 2);
    assert_eq!(export("order_lines?text=1100").await.text.lines().count(), 3);
    assert_eq!(export("orders?state=held").await.text.lines().count(), 1);
    assert_eq!(export("orders?merchant=Acme&placed_to=2000-01-01T00:00:00Z").await.text.lines().count(), 1);
    assert_eq!(export("shipments?confirmed=false&needs_person=true&text=x").await.text.lines().count(), 1);
    for wrong in ["stock_levels?text=A", "shipments?state=held", "orders?confirmed=true"] {
        let told = export(wrong).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {}", told.text);
        assert_eq!(told.json()["problems"].as_array().map(Vec::len), Some(1), "{wrong}");
    }
    let events = shop.installation.get("/api/v1/exports/events").await;
    let kept = db.events_after(&Access::Tenant(shop.key.scope.tenant.clone()), 0, 5_000).await.unwrap();
    let ids: Vec<&str> = events.text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids, kept.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), "over several pages");
    let audit = shop.installation.get("/api/v1/exports/audit").await;
    assert!(audit.text.contains("merchant.create"), "{}", audit.text);
    let staff = shop.installation.key(&shop.key.scope.tenant, millrace::operate::Role::Staff, None).await;
    let refused = shop.installation.ask("GET", "/api/v1/exports/audit", Some(&staff), None).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(shop.installation.get("/api/v1/exports/secrets").await.status, StatusCode::NOT_FOUND);
    let nowhere = shop.installation.get("/api/v1/exports/orders?connection=nowhere").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kept_is_tested_like_what_is() {
    let shop = Shop::new().await;
    let saved = shop.post("stores/BP/test", json!({})).await.json();
    let kept = shop.get("stores/BP").await;
    let given = |password: &str| {
        json!({
            "name": "BP", "platform": "brightpearl", "settings": kept["settings"], "secrets": { "password": password },
        })
    };
    let told = shop.post("stores/test", given("example-password")).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    assert_eq!(told.json(), saved, "the very same answer");
    assert_eq!(told.json()["ok"], true);
    let wrong = shop.post("stores/test", given("CANARY-wrong")).await;
    assert_eq!((&wrong.json()["ok"], &wrong.json()["credentials_refused"]), (&json!(false), &json!(true)));
    assert!(!wrong.text.contains("CANARY"), "{}", wrong.text);
    // With the secret that another one keeps.
    let of = json!({ "name": "BP", "platform": "brightpearl", "settings": kept["settings"], "of": "BP" });
    assert_eq!(shop.post("stores/test", of).await.json(), saved);
    let problems = shop.post("stores/test", json!({ "platform": "brightpearl" })).await;
    assert_eq!(problems.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problems.json()["problems"].as_array().unwrap().len() > 1, "{}", problems.text);
    let warehouse = shop.get("warehouses/WH").await;
    let given = json!({ "name": "WH", "platform": "dsfx", "settings": warehouse["settings"], "of": "WH" });
    let (saved, told) = (shop.post("warehouses/WH/test", json!({})).await, shop.post("warehouses/test", given).await);
    assert_eq!((told.status, told.json()), (StatusCode::OK, saved.json()));
    // Another one that would take the first one's shipments away.
    let mut second = json!({ "name": "Second", "platform": "dsfx", "settings": warehouse["settings"] });
    let warned = |told: &Value| told["warnings"].to_string().contains("WH\\\" reads the same folder");
    let told = shop.post("warehouses/test", second.clone()).await;
    assert!(
        told.json()["ok"] == true && warned(&told.json()) && !warned(&saved.json()),
        "{} {}",
        told.text,
        saved.text
    );
    second["settings"]["out_folder"] = json!("elsewhere");
    let told = shop.post("warehouses/test", second).await;
    assert!(!warned(&told.json()), "{}", told.text);
    // Nothing of it is kept, not even a word of it.
    assert_eq!(shop.get("stores").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(shop.get("warehouses").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(shop.get("stores/BP").await, kept);
}
