//! Whatever happens to an account, its books balance.

use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::json;
use simulators::brightpearl::{AccountConfig, Config, DataConfig, NewLine, NewOrder};

use super::client::{ACCOUNT, Bench, small};

#[derive(Clone, Debug)]
enum Operation {
    Order { product: usize, quantity: i64 },
    Reserve { order: usize, quantity: i64 },
    Note { order: usize, quantity: i64 },
    Event { note: usize, code: &'static str },
    Delete { note: usize },
    Correct { product: usize, quantity: i64 },
    Cancel { order: usize },
    Split { order: usize },
    Transfer { product: usize, quantity: i64 },
    Release,
}

fn operation() -> impl Strategy<Value = Operation> {
    let (pick, amount) = (0..8_usize, 1..40_i64);
    prop_oneof![
        3 => (pick.clone(), amount.clone()).prop_map(|(product, quantity)| Operation::Order { product, quantity }),
        2 => (pick.clone(), amount.clone()).prop_map(|(order, quantity)| Operation::Reserve { order, quantity }),
        4 => (pick.clone(), amount.clone()).prop_map(|(order, quantity)| Operation::Note { order, quantity }),
        4 => (pick.clone(), prop_oneof![Just("PRI"), Just("PAC"), Just("UPA"), Just("SHW"), Just("SHW")])
            .prop_map(|(note, code)| Operation::Event { note, code }),
        2 => pick.clone().prop_map(|note| Operation::Delete { note }),
        3 => (pick.clone(), -60..60_i64).prop_map(|(product, quantity)| Operation::Correct { product, quantity }),
        1 => pick.clone().prop_map(|order| Operation::Cancel { order }),
        1 => pick.clone().prop_map(|order| Operation::Split { order }),
        1 => (pick, amount).prop_map(|(product, quantity)| Operation::Transfer { product, quantity }),
        1 => Just(Operation::Release),
    ]
}

/// Performs an operation through the API where there is a call for it; refusals are fine.
async fn perform(bench: &Bench, products: &[i64], operation: &Operation) {
    let orders = bench.sim.order_ids(ACCOUNT).unwrap();
    let notes = bench.sim.all_notes(ACCOUNT).unwrap();
    let order_at = |place: usize| orders.get(place % orders.len().max(1)).copied();
    let note_at = |place: usize| notes.get(place % notes.len().max(1));
    let first_row = |order: i64| {
        let order = bench.sim.order(ACCOUNT, order).unwrap();
        order.rows.iter().next().map(|(row, found)| (*row, found.product_id))
    };
    match operation {
        Operation::Order { product, quantity } => {
            let new =
                NewOrder { warehouse_id: Some(5), ..NewOrder::of([NewLine::product(products[*product], *quantity)]) };
            bench.sim.create_order(ACCOUNT, new).unwrap();
        }
        Operation::Reserve { order, quantity } => {
            if let Some((order, (row, product))) = order_at(*order).and_then(|id| Some((id, first_row(id)?))) {
                let body =
                    json!({ "products": [{ "productId": product, "salesOrderRowId": row, "quantity": quantity }] });
                bench.call("PUT", &format!("warehouse-service/order/{order}/reservation"), Some(body)).await;
            }
        }
        Operation::Note { order, quantity } => {
            if let Some((order, (row, product))) = order_at(*order).and_then(|id| Some((id, first_row(id)?))) {
                bench.post_note(order, 5, &[(row, product, *quantity)]).await;
            }
        }
        Operation::Event { note, code } => {
            if let Some(note) = note_at(*note) {
                bench.event(note.id, code, None).await;
            }
        }
        Operation::Delete { note } => {
            if let Some(note) = note_at(*note) {
                let path = format!("warehouse-service/order/{}/goods-note/goods-out/{}", note.order_id, note.id);
                bench.call("DELETE", &path, None).await;
            }
        }
        Operation::Correct { product, quantity } => {
            let mut line =
                json!({ "quantity": quantity, "productId": products[*product], "reason": "x", "locationId": 41 });
            if *quantity > 0 {
                line["cost"] = json!({ "currency": "GBP", "value": 1 });
            }
            let body = json!({ "corrections": [line] });
            bench.post("warehouse-service/warehouse/5/stock-correction", body).await;
        }
        Operation::Cancel { order } => {
            if let Some(order) = order_at(*order) {
                let body = json!({ "orderStatusId": 5 });
                bench.call("PUT", &format!("order-service/order/{order}/status"), Some(body)).await;
            }
        }
        Operation::Split { order } => {
            if let Some((order, (row, _))) = order_at(*order).and_then(|id| Some((id, first_row(id)?))) {
                let _ = bench.sim.split_order(ACCOUNT, order, &[(row, 1)].into());
            }
        }
        Operation::Transfer { product, quantity } => {
            let _ = bench.sim.create_transfer(ACCOUNT, 5, 3, products[*product], *quantity);
        }
        Operation::Release => bench.sim.release_quarantine(ACCOUNT, 3).unwrap(),
    }
}

#[test]
fn the_books_balance_whatever_happens() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = Cases { cases: 24, failure_persistence: None, ..Cases::default() };
    let operations = proptest::collection::vec(operation(), 10..60);
    let outcome = TestRunner::new(cases).run(&operations, |operations| {
        runtime.block_on(async {
            let data = DataConfig { products: 20, orders: 0, customers: 2 };
            let config = small(Default::default());
            let accounts = vec![AccountConfig { data, ..config.accounts[0].clone() }];
            let bench = Bench::with(Config { accounts, ..config }).await;
            let products: Vec<i64> =
                bench.sim.plain_products(ACCOUNT).unwrap().into_iter().map(|(id, _)| id).take(8).collect();
            for operation in &operations {
                perform(&bench, &products, operation).await;
                if let Err(faults) = bench.sim.check_double_entry(ACCOUNT) {
                    panic!("after {operation:?}: {faults}");
                }
            }
            for order in bench.sim.order_ids(ACCOUNT).unwrap() {
                let order = bench.sim.order(ACCOUNT, order).unwrap();
                for row in order.rows.values() {
                    assert!(row.shipped <= row.fulfilled, "{order:?}");
                    assert!(rust_decimal::Decimal::from(row.fulfilled) <= row.quantity, "{order:?}");
                }
            }
        });
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn the_opening_data_balances_and_has_the_odd_shapes() {
    let account = AccountConfig::new(ACCOUNT);
    let bench = Bench::with(Config { accounts: vec![account], ..small(Default::default()) }).await;
    bench.sim.check_double_entry(ACCOUNT).unwrap();
    let orders = bench.sim.order_ids(ACCOUNT).unwrap();
    assert!(orders.len() >= 500, "splits come on top: {}", orders.len());
    let orders: Vec<_> = orders.into_iter().map(|id| bench.sim.order(ACCOUNT, id).unwrap()).collect();
    let some = |what: &str, found: bool| assert!(found, "no {what}");
    some("child of a split", orders.iter().any(|order| order.parent_id != 0));
    some("cancelled order", orders.iter().any(|order| order.status_id == 5));
    some("purchase order", orders.iter().any(|order| order.type_code == "PO"));
    for code in ["ANA", "APA", "AAA"] {
        some(code, orders.iter().any(|order| order.allocation_status == code));
    }
    for code in ["NST", "SNS", "ASS"] {
        some(code, orders.iter().any(|order| order.shipping_status == code));
    }
    some("free-text row", orders.iter().flat_map(|order| order.rows.values()).any(|row| row.product_id == 1000));
    some("blank SKU", orders.iter().flat_map(|order| order.rows.values()).any(|row| row.sku.as_deref() == Some("")));
}
