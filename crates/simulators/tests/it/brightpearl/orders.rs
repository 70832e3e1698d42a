//! Orders: codes of refusals, status rules, notes, dates, versions.

use serde_json::{Value, json};
use simulators::brightpearl::switches::{DuplicateSalesOrder, FirstVersion, SameStatus};
use simulators::brightpearl::{Config, NewLine, NewOrder, Switches};

use super::client::{ACCOUNT, Bench, small};

async fn new_order(bench: &Bench) -> i64 {
    let body = json!({ "orderTypeCode": "SO", "reference": "#1", "parties": { "customer": { "contactId": 200 } } });
    bench.post("order-service/order", body).await.id()
}

#[tokio::test]
async fn documented_refusals() {
    let bench = Bench::new().await;
    let code = |code: &str| (400, vec![code.to_owned()]);
    let post = |body: Value| bench.post("order-service/order", body);
    assert_eq!(post(json!({ "reference": "x" })).await.refusal(), code("ORDC-005"));
    assert_eq!(post(json!({ "orderTypeCode": "UK" })).await.refusal(), code("ORDC-006"));
    let wrong_party = json!({ "orderTypeCode": "PO", "parties": { "customer": { "contactId": 200 } } });
    let answer = post(wrong_party).await;
    assert_eq!(answer.refusal(), code("ORDC-022"));
    assert_eq!(answer.json()["errors"][0]["message"], "Suppllier ID Required.");
    let order = new_order(&bench).await;
    let patch = json!([{ "op": "add", "path": "/reference", "value": "x" }]);
    let answer = bench.call("PATCH", &format!("order-service/order/{order}"), Some(patch)).await;
    assert_eq!(answer.refusal(), (500, vec!["CMNC-044".to_owned()]));
    let patch = json!([{ "op": "replace", "path": "/nothing", "value": "x" }]);
    let answer = bench.call("PATCH", &format!("order-service/order/{order}"), Some(patch)).await;
    assert_eq!(answer.refusal(), code("CMNC-043"));
    for warehouse in [1, 2, 99] {
        let patch = json!([{ "op": "replace", "path": "/warehouseId", "value": warehouse }]);
        assert_eq!(bench.call("PATCH", &format!("order-service/order/{order}"), Some(patch)).await.status, 400);
    }
    let patch = json!([{ "op": "replace", "path": "/PCF_TEAM", "value": "A" }]);
    let answer = bench.call("PATCH", &format!("order-service/order/{order}/custom-field"), Some(patch)).await;
    assert_eq!(answer.refusal(), code("CMNC-038"));
    let answer = bench.post("product-service/product", json!({ "salesChannels": [] })).await;
    assert_eq!(answer.refusal(), code("PRDC-014"));
}

#[tokio::test]
async fn versions_and_times_of_change() {
    let bench = Bench::new().await;
    let order = new_order(&bench).await;
    let path = format!("order-service/order/{order}");
    let fresh = bench.get(&path).await.response()[0].clone();
    assert_eq!((&fresh["version"], fresh.get("updatedOn")), (&json!(0), None));
    let patch = json!([{ "op": "replace", "path": "/reference", "value": "#2" }]);
    let patched = bench.call("PATCH", &path, Some(patch)).await.response();
    assert_eq!((&patched["version"], patched.get("updatedOn")), (&json!(1), None));
    assert!(bench.get(&path).await.response()[0].get("updatedOn").is_some());
    let bench = Bench::switched(|switches| switches.first_version = FirstVersion::One).await;
    let order = new_order(&bench).await;
    assert_eq!(bench.get(&format!("order-service/order/{order}")).await.response()[0]["version"], 1);
}

#[tokio::test]
async fn a_plain_date_shifts_with_the_zone() {
    let mut config: Config = small(Switches::default());
    config.accounts[0].zone = "America/Chicago".to_owned();
    let bench = Bench::with(config).await;
    let order = new_order(&bench).await;
    let patch = json!([{ "op": "replace", "path": "/delivery/deliveryDate", "value": "2022-01-20" }]);
    let patched = bench.call("PATCH", &format!("order-service/order/{order}"), Some(patch)).await.response();
    assert_eq!(patched["delivery"]["deliveryDate"], "2022-01-19T18:00:00.000-06:00");
}

#[tokio::test]
async fn each_status_update_leaves_a_note() {
    let bench = Bench::new().await;
    let order = new_order(&bench).await;
    let path = format!("order-service/order/{order}/status");
    let shipped = bench.sim.status_id(ACCOUNT, "Shipped").unwrap();
    let marked = json!({ "orderStatusId": shipped, "orderNote": { "text": "Shipped [ref A1]", "isPublic": false } });
    assert_eq!(bench.call("PUT", &path, Some(marked.clone())).await.text, "{}");
    assert_eq!(bench.call("PUT", &path, Some(marked)).await.status, 200);
    assert_eq!(bench.call("PUT", &path, Some(json!({ "orderStatusId": 3 }))).await.status, 200);
    let notes = bench.get(&format!("order-service/order/{order}/note")).await.response();
    assert_eq!(notes.as_array().unwrap().len(), 3);
    assert_ne!(notes[2]["text"], "");
    let found = bench.get("order-service/order-note-search?noteText=%5Bref%20A1%5D").await.response();
    assert_eq!(found["metaData"]["resultsAvailable"], 2);
    for refused in [6, 999, bench.sim.status_id(ACCOUNT, "Old shop").unwrap()] {
        assert_eq!(bench.call("PUT", &path, Some(json!({ "orderStatusId": refused }))).await.status, 400);
    }
    assert_eq!(bench.sim.order(ACCOUNT, order).unwrap().texts.len(), 3);

    for (choice, status) in [(SameStatus::Refused, 400), (SameStatus::Silent, 200)] {
        let bench = Bench::switched(|switches| switches.same_status = choice).await;
        let order = new_order(&bench).await;
        let path = format!("order-service/order/{order}/status");
        assert_eq!(bench.call("PUT", &path, Some(json!({ "orderStatusId": 3 }))).await.status, status);
        assert!(bench.sim.order(ACCOUNT, order).unwrap().texts.is_empty());
    }
}

#[tokio::test]
async fn cancelling_has_conditions() {
    let bench = Bench::new().await;
    let product = bench.stocked(2, 10, 0);
    let new = || NewOrder::of([NewLine::product(product, 2)]);
    let cancel = json!({ "orderStatusId": 5 });
    let with_note = bench.sim.create_order(ACCOUNT, new()).unwrap();
    bench.sim.create_note(ACCOUNT, with_note, 2, 4, None).unwrap();
    let paid = NewOrder { paid: Some(5.into()), ..new() };
    let paid = bench.sim.create_order(ACCOUNT, paid).unwrap();
    let invoiced = NewOrder { invoiced: true, ..new() };
    let invoiced = bench.sim.create_order(ACCOUNT, invoiced).unwrap();
    for order in [with_note, paid, invoiced] {
        let answer = bench.call("PUT", &format!("order-service/order/{order}/status"), Some(cancel.clone())).await;
        assert_eq!(answer.status, 400);
        let order = bench.sim.order(ACCOUNT, order).unwrap();
        assert_ne!(order.status_id, 5);
        assert!(order.texts.is_empty());
    }
    let plain = bench.sim.create_order(ACCOUNT, new()).unwrap();
    let allocated = bench.sim.stock(ACCOUNT, product, 2).unwrap().allocated;
    assert_eq!(bench.call("PUT", &format!("order-service/order/{plain}/status"), Some(cancel)).await.status, 200);
    assert_eq!(bench.sim.stock(ACCOUNT, product, 2).unwrap().allocated, allocated - 2);
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn a_sales_order_is_unique_by_its_pair() {
    let bench = Bench::new().await;
    let body = json!({
        "customer": { "id": 200 }, "ref": "WEB-1", "externalRef": "e-1", "installedIntegrationInstanceId": 34,
        "statusId": 3, "warehouseId": 5, "channelId": 1, "delivery": { "shippingMethodId": 6 },
        "rows": [{ "productId": 1007, "name": "Shirt", "quantity": "2", "taxCode": "T20", "net": "20.00", "tax": "4.00" }]
    });
    let first = bench.post("order-service/sales-order/", body.clone()).await.id();
    assert_eq!(bench.post("order-service/sales-order", body.clone()).await.id(), first);
    assert_eq!(bench.sim.order_ids(ACCOUNT).unwrap(), [first]);
    let read = bench.get(&format!("order-service/sales-order/{first}")).await.response();
    assert_eq!(read[0]["total"]["gross"], "24.00");
    assert_eq!(read[0]["rows"][0]["parentRowId"], Value::Null);
    let bad = json!({ "customer": { "id": 200 }, "rows": [{ "productId": 1007, "quantity": "1", "taxCode": "none" }] });
    assert_eq!(bench.post("order-service/sales-order", bad).await.status, 400);
    assert_eq!(bench.sim.order_ids(ACCOUNT).unwrap().len(), 1, "nothing by halves");

    let bench = Bench::switched(|switches| switches.duplicate_sales_order = DuplicateSalesOrder::Empty).await;
    bench.post("order-service/sales-order", body.clone()).await.id();
    assert_eq!(bench.post("order-service/sales-order", body).await.text, "{}");
}

#[tokio::test]
async fn bundles_expand_and_rows_are_snapshots() {
    let bench = Bench::new().await;
    // The fiftieth product is a bundle of the two before it.
    let order = new_order(&bench).await;
    let row = json!({ "productId": 1056, "quantity": { "magnitude": "2" }, "rowValue": { "taxCode": "T20", "rowNet": { "value": "9.99" } } });
    let parent = bench.post(&format!("order-service/order/{order}/row"), row).await.id();
    let read = bench.get(&format!("order-service/order/{order}")).await.response();
    let rows = read[0]["orderRows"].as_object().unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[&parent.to_string()]["composition"]["bundleParent"], true);
    let children = rows.values().filter(|row| row["composition"]["parentOrderRowId"] == parent).count();
    assert_eq!(children, 2);
    let child = rows.values().find(|row| row["productId"] == 1055).unwrap();
    let sku = child["productSku"].clone();
    bench.sim.change_sku(ACCOUNT, 1055, "RENAMED").unwrap();
    let read = bench.get(&format!("order-service/order/{order}")).await.response();
    let child = read[0]["orderRows"].as_object().unwrap().values().find(|row| row["productId"] == 1055).unwrap();
    assert_eq!(child["productSku"], sku);
    let answer = bench.call("DELETE", &format!("order-service/order/{order}/row/{parent}"), None).await;
    assert_eq!(answer.text, "{}");
    let read = bench.get(&format!("order-service/order/{order}")).await.response();
    assert_eq!(read[0]["orderRows"], json!({}));
}

#[tokio::test]
async fn a_back_order_is_a_new_order() {
    let bench = Bench::new().await;
    let products = [bench.stocked(5, 10, 0), bench.stocked(5, 10, 1)];
    let lines = products.map(|product| NewLine::product(product, 3));
    let order = bench.sim.create_order(ACCOUNT, NewOrder { warehouse_id: Some(5), ..NewOrder::of(lines) }).unwrap();
    let rows = [(bench.row_of(order, products[0]), 3), (bench.row_of(order, products[1]), 1)].into();
    let child = bench.sim.split_order(ACCOUNT, order, &rows).unwrap();
    let (parent, child) = (bench.sim.order(ACCOUNT, order).unwrap(), bench.sim.order(ACCOUNT, child).unwrap());
    assert_eq!(child.parent_id, order);
    assert_eq!(parent.rows.values().map(|row| row.quantity).sum::<rust_decimal::Decimal>(), 2.into());
    assert_eq!(child.rows.values().map(|row| row.quantity).sum::<rust_decimal::Decimal>(), 4.into());
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn the_order_of_an_answer_is_not_that_of_the_request() {
    let bench = Bench::new().await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(new_order(&bench).await);
    }
    let read = bench.get(&format!("order-service/order/{}-{}", ids[0], ids[11])).await.response();
    let given: Vec<i64> = read.as_array().unwrap().iter().map(|order| order["id"].as_i64().unwrap()).collect();
    assert_ne!(given, ids);
    let mut sorted = given;
    sorted.sort_unstable();
    assert_eq!(sorted, ids);
}
