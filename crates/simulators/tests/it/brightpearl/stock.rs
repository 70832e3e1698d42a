//! Availability and stock corrections.

use serde_json::{Value, json};
use simulators::brightpearl::switches::{
    AvailabilityCap, BadCorrectionLine, CorrectionIds, CorrectionLines, NonStockAvailability, ReasonText,
    ShortCorrection, UnknownAvailability,
};
use simulators::brightpearl::{Allocation, NewLine, NewOrder};

use super::client::{ACCOUNT, Bench};

fn add(product: i64, quantity: i64, reason: &str) -> Value {
    json!({ "quantity": quantity, "productId": product, "reason": reason, "locationId": 41, "cost": { "currency": "GBP", "value": 2.68 } })
}

fn remove(product: i64, quantity: i64, reason: &str) -> Value {
    json!({ "quantity": -quantity, "productId": product, "reason": reason, "locationId": 41 })
}

async fn correct(bench: &Bench, lines: Vec<Value>) -> super::client::Answer {
    bench.post("warehouse-service/warehouse/5/stock-correction", json!({ "corrections": lines })).await
}

#[tokio::test]
async fn corrections_are_relative() {
    let bench = Bench::new().await;
    let (up, down) = (bench.stocked(5, 20, 0), bench.stocked(5, 20, 1));
    let before = (bench.sim.stock(ACCOUNT, up, 5).unwrap(), bench.sim.stock(ACCOUNT, down, 5).unwrap());
    let ids = correct(&bench, vec![add(up, 5, "Count [ref A]"), remove(down, 3, "Count [ref B]")]).await.response();
    assert_eq!(ids.as_array().unwrap().len(), 2);
    assert_eq!(bench.sim.stock(ACCOUNT, up, 5).unwrap().in_stock, before.0.in_stock + 5);
    assert_eq!(bench.sim.stock(ACCOUNT, down, 5).unwrap().in_stock, before.1.in_stock - 3);
    let path = format!("warehouse-service/warehouse/5/stock-correction/{}-{}", ids[0], ids[1]);
    let read = bench.get(&path).await.response();
    assert_eq!(read[0]["reason"], "Count [ref A]");
    assert_eq!(read[0]["goodsMoved"][0]["productValue"], json!({ "currency": "GBP", "value": 2.68 }));
    let removed: i64 =
        read[1]["goodsMoved"].as_array().unwrap().iter().map(|moved| moved["quantity"].as_i64().unwrap()).sum();
    assert_eq!(removed, -3);
    let search = format!(
        "warehouse-service/goods-movement-search?productId={up}&warehouseId=5&goodsNoteTypeCode=SC&columns=goodsNoteId,quantity"
    );
    assert_eq!(bench.get(&search).await.response()["results"], json!([[ids[0], 5]]));
    assert_eq!(
        bench.sim.correction_markers(ACCOUNT).unwrap(),
        [("ref A".to_owned(), 1), ("ref B".to_owned(), 1)].into()
    );
    bench.sim.check_double_entry(ACCOUNT).unwrap();
    assert_eq!(bench.get("warehouse-service/warehouse/5/stock-correction/1").await.status, 404);
}

#[tokio::test]
async fn a_bad_line_refuses_them_all() {
    let bench = Bench::new().await;
    let product = bench.stocked(5, 20, 0);
    let order = NewOrder { warehouse_id: Some(5), ..NewOrder::of([NewLine::product(product, 15)]) };
    bench.sim.create_order(ACCOUNT, order).unwrap();
    let before = bench.sim.stock(ACCOUNT, product, 5).unwrap();
    assert_eq!(before.allocated, 15);
    let mut cases = vec![
        add(product, 0, "x"),
        add(product, 1, ""),
        add(999_999, 1, "x"),
        add(1046, 1, "not stock tracked"),
        add(product, 1, &"x".repeat(256)),
        remove(product, before.on_hand + 1, "allocated goods stay"),
    ];
    for (key, value) in
        [("locationId", json!(2)), ("cost", Value::Null), ("batchId", json!(1)), ("quantity", json!(1.5))]
    {
        let mut line = add(product, 1, "x");
        line[key] = value;
        cases.push(line);
    }
    let mut costly = remove(product, 1, "x");
    costly["cost"] = json!({ "currency": "GBP", "value": 0 });
    cases.push(costly);
    for line in cases {
        let answer = correct(&bench, vec![add(product, 1, "good"), line.clone()]).await;
        assert_eq!(answer.status, 400, "{line}");
    }
    let twice = vec![remove(product, before.on_hand, "all"), remove(product, 1, "one more")];
    assert_eq!(correct(&bench, twice).await.status, 400);
    assert_eq!(correct(&bench, vec![add(product, 1, "x"); 101]).await.status, 400);
    assert_eq!(correct(&bench, vec![]).await.status, 400);
    assert_eq!(bench.sim.stock(ACCOUNT, product, 5).unwrap(), before);
    assert_eq!(correct(&bench, vec![remove(product, before.on_hand, "all")]).await.status, 200);
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn the_other_answers_about_corrections() {
    let bench = Bench::switched(|switches| {
        switches.bad_correction_line = BadCorrectionLine::GoodApplied;
        switches.short_stock_on_correction = ShortCorrection::OtherLines;
        switches.correction_ids = CorrectionIds::PerProduct;
        switches.reason_text = ReasonText::Cut128;
        switches.correction_lines = CorrectionLines::Ten;
    })
    .await;
    let product = bench.stocked(5, 20, 0);
    let before = bench.sim.stock(ACCOUNT, product, 5).unwrap().in_stock;
    let long = "r".repeat(200);
    let lines = vec![
        add(product, 1, "[one]"),
        add(999_999, 1, "bad"),
        remove(product, 100_000, "short"),
        add(product, 1, &long),
    ];
    let ids = correct(&bench, lines).await.response();
    assert_eq!(ids.as_array().unwrap().len(), 1, "one per product");
    assert_eq!(bench.sim.stock(ACCOUNT, product, 5).unwrap().in_stock, before + 2);
    let read = bench.get(&format!("warehouse-service/warehouse/5/stock-correction/{}", ids[0])).await.response();
    assert_eq!(read[0]["reason"], format!("[one]; {}", "r".repeat(128)));
    assert_eq!(correct(&bench, vec![add(product, 1, "x"); 11]).await.status, 400);
    let bench = Bench::switched(|switches| switches.short_stock_on_correction = ShortCorrection::Conflict).await;
    assert_eq!(correct(&bench, vec![remove(product, 100_000, "short")]).await.status, 409);
}

#[tokio::test]
async fn adding_stock_revives_an_archived_product() {
    let bench = Bench::new().await;
    // The forty-fifth product is archived.
    let status = |bench: &Bench| {
        let call = bench.sim.product_id(ACCOUNT, "SKU-01051");
        call.is_ok()
    };
    assert!(!status(&bench));
    assert_eq!(correct(&bench, vec![add(1051, 2, "found")]).await.status, 200);
    assert!(status(&bench));
}

#[tokio::test]
async fn availability() {
    let bench = Bench::new().await;
    let product = bench.stocked(5, 20, 0);
    let order = NewOrder { warehouse_id: Some(5), ..NewOrder::of([NewLine::product(product, 4)]) };
    let order = bench.sim.create_order(ACCOUNT, order).unwrap();
    bench.sim.create_note(ACCOUNT, order, 5, 4, None).unwrap();
    let path = format!("warehouse-service/product-availability/{product}");
    let sections = "breakDownByLocation,allocatedOrders,allocatedTransfers,onOrder";
    let read = bench.get(&format!("{path}?includeOptional={sections}")).await.response()[product.to_string()].clone();
    let stock = bench.sim.stock(ACCOUNT, product, 5).unwrap();
    let own = &read["warehouses"]["5"];
    assert_eq!((own["inStock"].as_i64(), own["onHand"].as_i64()), (Some(stock.in_stock), Some(stock.on_hand)));
    assert_eq!(own["byLocation"]["41"]["inStock"], stock.in_stock);
    assert_eq!(read["allocatedOrders"], json!([{ "orderId": order, "quantity": 4 }]));
    let total: i64 =
        [2, 3, 4, 5].iter().map(|warehouse| bench.sim.stock(ACCOUNT, product, *warehouse).unwrap().in_stock).sum();
    assert_eq!(read["total"]["inStock"], total);
    let mixed = bench.get("warehouse-service/product-availability/1046,999999").await;
    assert_eq!(mixed.response(), json!({}), "untracked and unknown products are left out");
    assert_eq!(bench.get("warehouse-service/product-availability").await.refusal(), (400, vec!["WHSC-020".to_owned()]));
    assert_eq!(bench.get("warehouse-service/product-availability/1-201").await.status, 400);

    let bench = Bench::switched(|switches| {
        switches.non_stock_availability = NonStockAvailability::Refused;
        switches.availability_cap = AvailabilityCap::Unlimited;
    })
    .await;
    let refused = bench.get(&format!("warehouse-service/product-availability/{product},1046")).await;
    assert_eq!(
        refused.json()["errors"][0],
        json!({ "code": "WHSC-097", "message": "This is a non stock tracked product." })
    );
    let bench = Bench::switched(|switches| switches.unknown_availability = UnknownAvailability::NotFound).await;
    assert_eq!(bench.get("warehouse-service/product-availability/999999").await.status, 404);
}

#[tokio::test]
async fn receipts_are_unique_by_their_reference() {
    let bench = Bench::new().await;
    let product = bench.stocked(5, 20, 0);
    let order =
        NewOrder { purchase: true, allocation: Allocation::None, ..NewOrder::of([NewLine::product(product, 10)]) };
    let order = bench.sim.create_order(ACCOUNT, order).unwrap();
    let row = bench.row_of(order, product);
    let before = bench.sim.stock(ACCOUNT, product, 5).unwrap().in_stock;
    let body = json!({
        "transfer": false, "warehouseId": 5, "receivedOn": "2026-02-03T09:00:00.000Z", "userBatchReference": "RCPT-1",
        "goodsMoved": [{ "productId": product, "purchaseOrderRowId": row, "quantity": 6, "destinationLocationId": 41,
                         "productValue": { "currency": "GBP", "value": 12.00 } }]
    });
    let path = format!("warehouse-service/order/{order}/goods-note/goods-in");
    let note = bench.post(&path, body.clone()).await.id();
    assert_eq!(bench.post(&path, body.clone()).await.status, 400, "the same reference");
    let mut over = body;
    over["userBatchReference"] = json!("RCPT-2");
    assert_eq!(bench.post(&path, over).await.status, 400, "more than ordered");
    assert_eq!(bench.sim.stock(ACCOUNT, product, 5).unwrap().in_stock, before + 6);
    assert_eq!(bench.sim.order(ACCOUNT, order).unwrap().stock_status, "POP");
    let read = bench.get(&format!("warehouse-service/order/*/goods-note/goods-in/{note}")).await.response();
    assert_eq!(read[note.to_string()]["userBatchReference"], "RCPT-1");
    let found = bench.get("warehouse-service/goods-in-search?userBatchRef=RCPT-1").await.response();
    assert_eq!(found["metaData"]["resultsAvailable"], 1);
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}
