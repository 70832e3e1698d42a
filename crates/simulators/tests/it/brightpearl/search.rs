//! The search engine.

use serde_json::{Value, json};
use simulators::brightpearl::switches::OrderSearchLag;
use simulators::brightpearl::{Config, DataConfig, Switches};

use super::client::{ACCOUNT, Bench, small};

async fn filled() -> Bench {
    let mut config: Config = small(Switches::default());
    config.accounts[0].data = DataConfig { products: 120, orders: 60, customers: 10 };
    Bench::with(config).await
}

async fn search(bench: &Bench, query: &str) -> Value {
    bench.get(&format!("order-service/order-search?{query}")).await.response()
}

#[tokio::test]
async fn paging_and_sorting() {
    let bench = filled().await;
    let all = bench.sim.order_ids(ACCOUNT).unwrap();
    let mut seen = Vec::new();
    let mut first = 1;
    loop {
        let page = search(&bench, &format!("columns=orderId&pageSize=7&firstResult={first}")).await;
        let meta = &page["metaData"];
        assert_eq!(meta["columns"].as_array().unwrap().len(), 1);
        assert_eq!(meta["resultsAvailable"], all.len());
        seen.extend(page["results"].as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()));
        assert_eq!(meta["lastResult"], seen.len());
        if meta["morePagesAvailable"] == false {
            break;
        }
        first += 7;
    }
    assert_eq!(seen, all);
    let sorted = search(&bench, "columns=orderStatusId,orderId&sort=orderStatusId.DESC,orderId.ASC").await;
    let rows: Vec<(i64, i64)> = sorted["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (-row[0].as_i64().unwrap(), row[1].as_i64().unwrap()))
        .collect();
    assert!(rows.is_sorted());
    let count = search(&bench, "countOnly=true").await;
    assert_eq!((&count["results"], &count["metaData"]["resultsAvailable"]), (&json!([]), &json!(all.len())));
    assert_eq!(search(&bench, "pageSize=9999").await["metaData"]["resultsReturned"], all.len().min(500));
}

#[tokio::test]
async fn filters_by_type() {
    let bench = filled().await;
    let statuses = search(&bench, "orderStatusId=3,5&columns=orderStatusId").await;
    assert!(statuses["results"].as_array().unwrap().iter().all(|row| [json!(3), json!(5)].contains(&row[0])));
    assert!(!statuses["results"].as_array().unwrap().is_empty());
    let range = search(&bench, "orderId=100001-100005&columns=orderId").await;
    assert_eq!(range["metaData"]["resultsAvailable"], 5);
    let reference = search(&bench, "customerRef=%2300003&columns=customerRef").await;
    assert!(reference["results"].as_array().unwrap().iter().all(|row| row[0] == "#00003"));
    let created: jiff::Timestamp =
        search(&bench, "orderId=100030&columns=createdOn").await["results"][0][0].as_str().unwrap().parse().unwrap();
    let all = bench.sim.order_ids(ACCOUNT).unwrap().len();
    for slash in ["/", "%2F"] {
        let since = search(&bench, &format!("createdOn={created}{slash}&columns=orderId")).await;
        let until = search(&bench, &format!("createdOn={slash}{created}&columns=orderId")).await;
        let exact = search(&bench, &format!("createdOn={created}{slash}{created}")).await;
        let count = |found: &Value| found["metaData"]["resultsAvailable"].as_u64().unwrap();
        assert_eq!(count(&since) + count(&until), all as u64 + count(&exact));
    }
    let names =
        bench.get("product-service/product-search?productName=PRODUCT%20101&columns=productName").await.response();
    assert!(names["results"].as_array().unwrap().iter().all(|row| row[0].as_str().unwrap().contains("product 101")));
    let staff = bench.get("contact-service/contact-search?isStaff=true&primaryEmail=api.user&columns=contactId").await;
    assert_eq!(staff.response()["results"], json!([[4]]));
}

#[tokio::test]
async fn unreadable_and_unknown() {
    let bench = filled().await;
    for (query, kind) in [
        ("orderStatusId=BAD%20PARAM", "INTEGER"),
        ("orderStatusId=1-5", "INTEGER"),
        ("orderId=x", "IDSET"),
        ("createdOn=yesterday", "PERIOD"),
        ("createdOn=2026-01-01", "PERIOD"),
    ] {
        let answer = bench.get(&format!("order-service/order-search?{query}")).await;
        assert_eq!(answer.refusal(), (500, vec!["CMNC-018".to_owned()]), "{query}");
        assert!(answer.text.contains(&format!("cannot be parsed as: {kind}")), "{}", answer.text);
    }
    for query in ["reference=x", "columns=nothing", "sort=nothing.ASC", "pageSize=0", "firstResult=0"] {
        assert_eq!(bench.get(&format!("order-service/order-search?{query}")).await.status, 400, "{query}");
    }
    let unsortable = bench.get("contact-service/contact-search?sort=isStaff.ASC").await;
    assert_eq!(unsortable.status, 400);
    let none = bench.get("order-service/order-search?orderId=1").await.json();
    assert_eq!(none["response"]["results"], json!([]));
    assert!(none["response"]["metaData"].get("firstResult").is_none());
    assert!(none["response"]["metaData"].get("lastResult").is_none());
    assert_eq!(none["reference"], json!({}));
}

#[tokio::test]
async fn reference_names_only_what_is_on_the_page() {
    let bench = filled().await;
    let page = bench.get("order-service/order-search?orderStatusId=5&pageSize=1").await.json();
    assert_eq!(page["reference"]["orderStatusNames"], json!({ "5": "Cancelled" }));
    let plain = bench.get("order-service/order-search?orderStatusId=5&columns=orderId").await.json();
    assert_eq!(plain["reference"], json!({}));
}

#[tokio::test]
async fn every_search_describes_itself() {
    let bench = filled().await;
    for search in [
        "order-service/order-search",
        "order-service/sales-order-search",
        "order-service/order-note-search",
        "product-service/product-search",
        "contact-service/contact-search",
        "accounting-service/customer-payment-search",
        "warehouse-service/goods-note/goods-out-search",
        "warehouse-service/goods-movement-search",
        "warehouse-service/goods-in-search",
        "warehouse-service/warehouse-search",
        "warehouse-service/shipping-method-search",
    ] {
        let described = bench.get(&format!("{search}/meta-data")).await.response();
        let found = bench.get(search).await.response();
        assert_eq!(described["columns"], found["metaData"]["columns"], "{search}");
        assert_eq!(described["sorting"], found["metaData"]["sorting"], "{search}");
    }
}

#[tokio::test]
async fn searches_may_lag_behind() {
    // 60 s, a hundred times faster.
    let switches = Switches { order_search_lag: OrderSearchLag::SixtySeconds, ..Switches::default() };
    let bench = Bench::with(Config { time_factor: 100, ..small(switches) }).await;
    let body = json!({ "orderTypeCode": "SO", "parties": { "customer": { "contactId": 200 } } });
    let order = bench.post("order-service/order", body).await.id();
    let visible = async |query: &str| search(&bench, query).await["metaData"]["resultsAvailable"].as_u64().unwrap();
    assert_eq!(visible("").await, 0);
    assert_eq!(bench.get(&format!("order-service/order/{order}")).await.response().as_array().unwrap().len(), 1);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert_eq!(visible("orderStatusId=3").await, 1);
    bench.sim.set_status(ACCOUNT, order, 2).unwrap();
    assert_eq!(visible("orderStatusId=3").await, 1, "the earlier state is still shown");
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert_eq!(visible("orderStatusId=2").await, 1);
}
