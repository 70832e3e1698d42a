//! Recorded answers of real accounts through the real client: what Millrace reads gives the right values.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    Allocation, Armed, BuildContext, BundleRole, Effect, EffectId, Effects, ErrorKind, HttpRequest, HttpResponse,
    OrderFilter, OrderSource, OsRandom, Prepared, Probe, Progress, Sent, Transport, TransportError,
};
use connectors::brightpearl::{Brightpearl, build_source};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::hub::{HandClock, at, context, settings};

/// Answers in order of the list: the first whose method and part of the address match. Keeps what was asked.
struct Script {
    answers: Mutex<Vec<Answer>>,
    asked: Mutex<Vec<String>>,
}

struct Answer {
    method: &'static str,
    part: String,
    response: HttpResponse,
    /// Used up after one call.
    once: bool,
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.asked.lock().unwrap().push(format!("{} {}", request.method, request.url));
        let mut answers = self.answers.lock().unwrap();
        let place = answers
            .iter()
            .position(|answer| answer.method == request.method && request.url.as_str().contains(&answer.part))
            .unwrap_or_else(|| panic!("nothing is recorded for {} {}", request.method, request.url));
        match answers.get(place).is_some_and(|answer| answer.once) {
            true => Ok(answers.remove(place).response),
            false => Ok(answers.get(place).unwrap().response.clone()),
        }
    }
}

/// A recorded answer by the name of its file.
fn recorded(name: &str) -> HttpResponse {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/brightpearl");
    let path = folder.join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let recording: Value = serde_json::from_slice(&text).unwrap();
    let headers = recording.pointer("/response/headers").and_then(Value::as_object).unwrap();
    HttpResponse {
        status: recording.pointer("/response/status").and_then(Value::as_u64).unwrap().try_into().unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: recording.pointer("/response/body").unwrap().to_string().into(),
    }
}

fn written(status: u16, body: &Value) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.to_string().into() }
}

fn always(method: &'static str, part: &str, response: HttpResponse) -> Answer {
    Answer { method, part: part.to_owned(), response, once: false }
}

fn once(method: &'static str, part: &str, response: HttpResponse) -> Answer {
    Answer { once: true, ..always(method, part, response) }
}

fn script(answers: Vec<Answer>) -> (Arc<Script>, BuildContext) {
    let script = Arc::new(Script { answers: Mutex::new(answers), asked: Mutex::default() });
    let context = context(HandClock::new(), script.clone(), None);
    (script, context)
}

/// A connector of a private app, which signs in without a call.
fn app(answers: Vec<Answer>) -> (Arc<Script>, Arc<Brightpearl>) {
    let (script, context) = script(answers);
    let values = [
        ("datacenter_code", "eu1"),
        ("account_id", "exampleus"),
        ("sign_in", "account_token"),
        ("app_ref", "exampleus_hub"),
        ("staff_id", "4"),
    ];
    (script, build_source(&settings(&values, &[("account_token", "EXAMPLE-TOKEN")]), &context).unwrap())
}

/// A connector of a staff user.
fn staff(answers: Vec<Answer>) -> (Arc<Script>, Arc<Brightpearl>) {
    let (script, context) = script(answers);
    let values = [("datacenter_code", "use"), ("account_id", "example2014a"), ("email", "billing@example.test")];
    (script, build_source(&settings(&values, &[("password", "example-password")]), &context).unwrap())
}

#[tokio::test]
async fn an_order() {
    let (script, connector) = app(vec![always("GET", "order-service/order/1", recorded("order-get-one-sales-order"))]);
    let order = connector.orders(&[1]).await.unwrap().remove(0);
    assert_eq!(
        script.asked.lock().unwrap().first().unwrap(),
        "GET https://euw1.brightpearlconnect.com/public-api/exampleus/order-service/order/1"
    );
    assert_eq!((order.order_id, order.parent_id, order.version, order.status_id), (1, None, 7, 4));
    assert_eq!((order.warehouse_id, order.channel_id, order.ship_method_id), (Some(2), None, None));
    assert!(order.is_sale);
    assert_eq!((order.allocation, order.fulfilment, order.shipping), (Allocation::All, Progress::All, Progress::All));
    assert_eq!(order.placed_at, at("2020-03-31T21:02:44Z"));
    assert_eq!(order.updated_at, Some(at("2020-03-31T21:57:21Z")));
    assert_eq!(order.deliver_on, None);
    assert_eq!((order.deliver_to.city.as_str(), order.deliver_to.state.as_str()), ("Exampletown", "Exampleshire"));
    assert_eq!((order.deliver_to.country.as_str(), order.deliver_to.name.as_str()), ("GB", "Alex Example"));
    assert_eq!(order.bill_to.email, "customer@example.test");
    let line = order.lines.first().unwrap();
    assert_eq!((line.row_id, line.product_id, line.sku.as_str(), line.sequence), (1, Some(1007), "TEST001", 10));
    assert_eq!((line.quantity, line.bundle), (Decimal::ONE, BundleRole::None));
    let price = line.unit_price.as_ref().unwrap();
    assert_eq!((price.currency.as_str(), price.amount), ("USD", Decimal::TEN));
}

#[tokio::test]
async fn a_missing_order() {
    let (_, connector) =
        app(vec![always("GET", "order-service/order/999", recorded("order-get-missing-id-empty-200"))]);
    assert!(connector.orders(&[999]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_order_search() {
    let (script, connector) = app(vec![always("GET", "order-search", recorded("order-search-by-customer-ref"))]);
    let scan = connector
        .scan_orders(&OrderFilter { statuses: BTreeSet::from([3, 6]), ..OrderFilter::default() })
        .await
        .unwrap();
    let heads: Vec<_> = scan.heads.iter().map(|head| (head.order_id, head.status_id)).collect();
    assert_eq!(heads.first(), Some(&(322, 3)));
    assert!(heads.contains(&(323, 6)));
    assert!(scan.heads.iter().any(|head| head.order_id == 322 && head.updated.is_empty()));
    let asked = script.asked.lock().unwrap().first().unwrap().clone();
    assert!(asked.contains("orderTypeId=1&orderShippingStatusId=2,3&orderStatusId=3,6&"), "{asked}");
}

#[tokio::test]
async fn a_goods_out_note() {
    let (_, connector) = app(vec![
        always("GET", "order/*/goods-note/goods-out/12000001", recorded("goods-out-note-get-by-note-id")),
        always("GET", "order/700002/goods-note/goods-out/", recorded("goods-out-note-get-by-note-id")),
    ]);
    let note = connector.notes(&[700_002]).await.unwrap().remove(0);
    assert_eq!((note.note_id, note.order_id, note.warehouse_id, note.created_by), (12_000_001, 700_002, 2, 203));
    assert_eq!((note.version, note.ship_method_id, note.reference.as_str()), (3_130_001, 49, ""));
    assert_eq!(note.shipped_at, Some(at("2025-11-04T16:41:38Z")));
    assert_eq!(note.rows.len(), 4);
    assert_eq!(
        note.rows.first().map(|row| (row.row_id, row.product_id, row.quantity)),
        Some((2_900_001, 480_002, Decimal::ONE))
    );

    // It is shipped already, and by whom is told.
    let draft = connector.plan_shipped("key", 700_002, 12_000_001, &[], at("2025-11-04T16:00:00Z")).unwrap();
    let effect = Effect {
        id: EffectId::generate(at("2026-01-01T00:00:00Z"), &OsRandom),
        kind: draft.kind,
        key: draft.key,
        batch: None,
        body: draft.body,
        number: None,
        tried: None,
        others: BTreeSet::new(),
    };
    let prepared = connector.prepare(&[effect]).await.unwrap().remove(0);
    let Prepared::Found(Probe::Equal(found)) = prepared else { panic!("{prepared:?}") };
    assert_eq!(found.facts.get("shipped_by").map(String::as_str), Some("4"));
}

#[tokio::test]
async fn products_prices_and_stock() {
    let (_, connector) = app(vec![
        always("GET", "product-service/product/1007", recorded("product-get-one")),
        always("GET", "product-service/product/1010", recorded("legacy-product-get-one-with-variations")),
        always("GET", "product-service/product-price/1007", recorded("product-price-get")),
        always("GET", "product-availability/1007,1532", recorded("product-availability-get")),
    ]);
    let product = connector.products(&[1007]).await.unwrap().remove(0);
    assert_eq!((product.product_id, product.sku.as_str()), (1007, "TEST001"));
    assert!(product.stock_tracked && !product.archived && product.components.is_empty());
    let old = connector.products(&[1010]).await.unwrap().remove(0);
    assert_eq!((old.sku.as_str(), old.stock_tracked, old.archived), ("SKU-0010", true, false));
    let cost = connector.costs(1, &[1007]).await.unwrap().remove(&1007).unwrap();
    assert_eq!((cost.currency.as_str(), cost.amount), ("CRC", Decimal::TEN));
    assert!(connector.costs(2, &[1007]).await.unwrap().is_empty());
    let stock = connector.stock(2, &[1532, 1007]).await.unwrap();
    let figures: Vec<_> =
        stock.levels.iter().map(|(id, stock)| (*id, stock.in_stock, stock.on_hand, stock.allocated)).collect();
    assert_eq!(figures, [(1007, 4.into(), 4.into(), 0.into()), (1532, 60.into(), 48.into(), 12.into())]);
    assert!(connector.stock(3, &[1532, 1007]).await.unwrap().levels.is_empty());
}

#[tokio::test]
async fn lists() {
    let configuration = json!({"response": {"configuration": {"timeZone": "America/Costa_Rica", "baseCurrencyCode": "CRC",
                                            "cancelledOrderStatusId": "5", "defaultCostPriceListId": "1"}}});
    let none = json!({"errors": [{"code": "CMNC-404", "message": "none"}]});
    let (_, connector) = app(vec![
        always("GET", "account-configuration", written(200, &configuration)),
        always("GET", "order-service/order-status", recorded("order-status-get-by-id")),
        always("GET", "product-service/price-list", recorded("price-list-get-by-id")),
        always("GET", "", written(404, &none)),
    ]);
    let choices = connector.choices().await.unwrap();
    assert_eq!(choices.statuses.first().map(|status| (status.id, status.name.as_str())), Some((1, "Draft / Quote")));
    let list = choices.price_lists.first().unwrap();
    assert_eq!((list.id, list.name.as_str(), list.detail.as_str()), (1, "Cost CRC", "BUY CRC"));
    assert_eq!((choices.cancelled_status, choices.cost_price_list), (Some(5), Some(1)));
    assert!(choices.warehouses.is_empty() && choices.channels.is_empty() && choices.ship_methods.is_empty());
}

#[tokio::test]
async fn a_log_in_and_contacts() {
    let (script, connector) = staff(vec![
        always("POST", "/example2014a/authorise", recorded("legacy-authorise-post")),
        always("GET", "contact-search?isStaff=true", recorded("contact-search-by-email")),
    ]);
    // The two contacts of the recording share the e-mail, and neither is staff: events are not posted in their name.
    assert_eq!(connector.staff_id().await.unwrap(), None);
    let asked = script.asked.lock().unwrap().clone();
    assert_eq!(asked.first().unwrap(), "POST https://ws-use.brightpearl.com/example2014a/authorise");
    assert!(
        asked.iter().skip(1).all(|call| call.starts_with("GET https://ws-use.brightpearl.com/2.0.0/example2014a/"))
    );

    // The same answer as it would be for one member of staff.
    let mut answer: Value = serde_json::from_slice(&recorded("contact-search-by-email").body).unwrap();
    let rows = answer.pointer_mut("/response/results").and_then(Value::as_array_mut).unwrap();
    rows.truncate(1);
    rows[0][8] = json!(true);
    let (_, connector) = staff(vec![
        always("POST", "/authorise", recorded("legacy-authorise-post")),
        always("GET", "contact-search", written(200, &answer)),
    ]);
    assert_eq!(connector.staff_id().await.unwrap(), Some(71_003));
}

#[tokio::test]
async fn a_token_that_ended_and_one_that_is_wrong() {
    let (script, connector) = staff(vec![
        always("POST", "/authorise", recorded("legacy-authorise-post")),
        once("GET", "/order/1", recorded("order-get-401-token-expired")),
        always("GET", "/order/1", recorded("order-get-one-sales-order")),
    ]);
    assert_eq!(connector.orders(&[1]).await.unwrap().len(), 1);
    assert_eq!(script.asked.lock().unwrap().iter().filter(|call| call.contains("authorise")).count(), 2);

    let (_, connector) = app(vec![always("GET", "", recorded("order-get-401-invalid-token"))]);
    let error = connector.orders(&[1]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Credentials);
    assert!(!error.message.contains("INVALID_STUFF"));
}

#[tokio::test]
async fn refusals_and_the_request_cap() {
    let (_, connector) = app(vec![always("GET", "", recorded("product-search-500-bad-filter"))]);
    let error = connector.scan_orders(&OrderFilter::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected { code: "CMNC-018".to_owned() });

    let mut cap = recorded("hand-trimmed-503-request-cap");
    cap.headers.push(("brightpearl-next-throttle-period".to_owned(), "4000".to_owned()));
    let outage = recorded("hand-trimmed-503-other");
    for (answer, throttled) in [(cap, true), (outage, false)] {
        let (_, connector) = app(vec![
            once("GET", "/order/1", answer.clone()),
            always("GET", "/order/1", recorded("order-get-one-sales-order")),
            always("POST", "", answer),
        ]);
        assert_eq!(connector.orders(&[1]).await.unwrap().len(), 1);
        let draft = connector.plan_order_note("key", 1, "text").unwrap();
        let effect = Effect {
            id: EffectId::generate(at("2026-01-01T00:00:00Z"), &OsRandom),
            kind: draft.kind,
            key: draft.key,
            batch: None,
            body: draft.body,
            number: None,
            tried: None,
            others: BTreeSet::new(),
        };
        let baseline = json!({"added_on": "2026-01-01T00:00:00.000Z"});
        let armed = Armed { effect, baseline, attempt: 1, armed_at: at("2026-01-01T00:00:00Z") };
        let sent = connector.send(&[armed], Duration::from_secs(1_000_000)).await.outcomes.remove(0);
        assert_eq!(matches!(sent, Sent::Throttled { .. }), throttled, "{sent:?}");
        assert_eq!(matches!(sent, Sent::Unknown { .. }), !throttled, "{sent:?}");
    }
}

#[tokio::test]
async fn a_subscription() {
    let (_, connector) = app(vec![always("GET", "integration-service/webhook", recorded("webhook-get-by-id"))]);
    let address = "https://example.com/endpoint/to/receive/webhooks";
    let found = connector.list_webhooks(address).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
}

/// A page of order-search.
fn page(ids: std::ops::RangeInclusive<i64>, more: bool) -> HttpResponse {
    let rows: Vec<Value> = ids.map(|id| json!([id, 3, null])).collect();
    written(
        200,
        &json!({"response": {"results": rows, "metaData": {"morePagesAvailable": more, "resultsAvailable": 600,
                "columns": [{"name": "orderId"}, {"name": "orderStatusId"}, {"name": "updatedOn"}]}}, "reference": {}}),
    )
}

#[tokio::test]
async fn a_scan_begins_again_when_rows_move_up_meanwhile() {
    let (script, connector) = app(vec![
        once("GET", "firstResult=1", page(1..=500, true)),
        // Row 7 has left: what was row 501 is row 500 now, and nobody would see it.
        once("GET", "firstResult=500", page(501..=600, false)),
        once("GET", "firstResult=1", page(1..=500, true)),
        once("GET", "firstResult=500", page(500..=600, false)),
    ]);
    let scan = connector.scan_orders(&OrderFilter::default()).await.unwrap();
    assert_eq!(scan.heads.len(), 600);
    assert_eq!(script.asked.lock().unwrap().len(), 4);
}
