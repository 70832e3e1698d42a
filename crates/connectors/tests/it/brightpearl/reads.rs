//! Reading orders, notes, products and stock.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ErrorKind, LineStock, NoteState, OrderFilter, OrderSource, Prepared};
use rust_decimal::Decimal;
use simulators::{
    brightpearl::{
        Config, NewLine, NewOrder, Switches,
        switches::{IdCapAnswer, MissingNote, NonStockAvailability, UnknownAvailability},
    },
    faults::{Fault, FaultRule},
};

use super::{ACCOUNT, Bench, LOCATION, WAREHOUSE, small};

fn ready(bench: &Bench) -> OrderFilter {
    OrderFilter {
        statuses: BTreeSet::from([bench.status("Ready to ship"), bench.status("On hold")]),
        warehouses: BTreeSet::from([WAREHOUSE]),
        ..OrderFilter::default()
    }
}

/// Orders in scope, and some of each kind that is not.
fn fill(bench: &Bench, count: usize) -> BTreeSet<i64> {
    let status = bench.status("Ready to ship");
    let product = *bench.products().first().unwrap();
    let order = |warehouse_id, status_id| NewOrder {
        status_id: Some(status_id),
        warehouse_id: Some(warehouse_id),
        allocation: simulators::brightpearl::Allocation::None,
        ..NewOrder::of([NewLine::product(product, 1)])
    };
    for (warehouse, status) in [(2, status), (WAREHOUSE, 3)] {
        bench.sim.create_order(ACCOUNT, order(warehouse, status)).unwrap();
    }
    (0..count).map(|_| bench.sim.create_order(ACCOUNT, order(WAREHOUSE, status)).unwrap()).collect()
}

#[tokio::test]
async fn a_scan_is_complete_and_takes_few_calls() {
    // Long waits: a read that a busy machine lets time out is repeated, and would be counted.
    let bench = Bench::new(Config { time_factor: 3, ..small() }, &[]).await;
    let orders = fill(&bench, 1_200);
    let scan = bench.connector.scan_orders(&ready(&bench)).await.unwrap();
    assert_eq!(scan.heads.iter().map(|head| head.order_id).collect::<BTreeSet<_>>(), orders);
    assert!(scan.heads.is_sorted() && scan.heads.iter().all(|head| head.status_id == bench.status("Ready to ship")));
    assert_eq!(bench.calls("order_search"), 3);

    let missing = [1, 99_999_999];
    let ids: Vec<i64> = orders.iter().rev().copied().chain(missing).collect();
    let read = bench.connector.orders(&ids).await.unwrap();
    assert_eq!(read.iter().map(|order| order.order_id).collect::<BTreeSet<_>>(), orders);
    assert_eq!(bench.calls("order_read"), 7);
    assert!(bench.connector.orders(&missing).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_filter_that_takes_no_lists_is_asked_value_by_value() {
    let bench = Bench::small().await;
    let orders = fill(&bench, 5);
    let filter = ready(&bench);
    let list = filter.statuses.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let refused = bench.sim.faults().add(
        FaultRule::new(Fault::Answer {
            status: 500,
            headers: BTreeMap::new(),
            body: format!(
                r#"{{"errors":[{{"code":"CMNC-018","message":"The filter orderStatusId={list} cannot be parsed as: INTEGER"}}]}}"#
            ),
        })
        .path_contains(&format!("orderStatusId={list}")),
    );
    for _ in 0..2 {
        let scan = bench.connector.scan_orders(&filter).await.unwrap();
        assert_eq!(scan.heads.iter().map(|head| head.order_id).collect::<BTreeSet<_>>(), orders);
    }
    // Learned from the first refusal.
    assert_eq!(bench.sim.faults().fired_count(refused), 1);
}

#[tokio::test]
async fn reads_repeat_themselves_on_bad_days() {
    use std::time::Duration;
    let faults = [
        Fault::Refuse,
        Fault::TimeoutBeforeEffect { hold: Duration::from_millis(100) },
        Fault::ResetMidBody,
        Fault::ErrorBeforeEffect { html: false },
        Fault::ErrorBeforeEffect { html: true },
        Fault::Throttled,
        Fault::Outage,
        Fault::TruncatedBody,
        Fault::HtmlBody,
        Fault::ExpireTokens,
    ];
    let bench = Bench::small().await;
    let order = bench.order(&[2]);
    for fault in faults {
        let rule = bench.sim.faults().add(FaultRule::new(fault.clone()).path_contains("order-service/order/").first(1));
        assert_eq!(bench.connector.orders(&[order]).await.unwrap().len(), 1, "{fault:?}");
        assert_eq!(bench.sim.faults().fired_count(rule), 1, "{fault:?}");
    }
    // A bad day that does not end is told.
    bench.sim.faults().add(FaultRule::new(Fault::HtmlBody));
    assert!(bench.connector.orders(&[order]).await.is_err());
}

#[tokio::test]
async fn goods_out_notes_whoever_made_them() {
    for missing_note in [MissingNote::NotFound, MissingNote::EmptyMap] {
        let bench = Bench::with(Switches { missing_note, ..Switches::default() }).await;
        let (first, second, without) = (bench.order(&[3, 1]), bench.order(&[2]), bench.order(&[1]));
        assert!(bench.connector.notes(&[first, second, without]).await.unwrap().is_empty());
        let rows = bench.rows(first);
        let part = BTreeMap::from([(rows.first().unwrap().0, 2)]);
        let open = bench.sim.create_note(ACCOUNT, first, WAREHOUSE, 203, Some(part)).unwrap();
        let shipped = bench.sim.create_note(ACCOUNT, second, WAREHOUSE, 4, None).unwrap();
        bench.sim.ship_note(ACCOUNT, shipped, 4).unwrap();
        let product = rows.first().unwrap().1;
        let transfer = bench.sim.create_transfer(ACCOUNT, WAREHOUSE, 2, product, 1).unwrap();

        let notes = bench.connector.notes(&[first, second, without]).await.unwrap();
        let by_id: BTreeMap<i64, _> = notes.into_iter().map(|note| (note.note_id, note)).collect();
        assert_eq!(by_id.keys().copied().collect::<Vec<_>>(), [open, shipped]);
        let note = by_id.get(&open).unwrap();
        assert_eq!(
            (note.order_id, note.warehouse_id, note.created_by, note.state),
            (first, WAREHOUSE, 203, NoteState::Unshipped)
        );
        assert_eq!(
            note.rows.iter().map(|row| (row.row_id, row.quantity)).collect::<Vec<_>>(),
            [(rows.first().unwrap().0, Decimal::from(2))]
        );
        assert_eq!(by_id.get(&shipped).unwrap().state, NoteState::Shipped);

        let scan = bench.connector.scan_notes(&BTreeSet::from([WAREHOUSE, 2])).await.unwrap();
        assert_eq!(scan.notes, [(first, open)]);
        assert!(transfer > 0 && bench.connector.scan_notes(&BTreeSet::from([3])).await.unwrap().notes.is_empty());
    }
}

#[tokio::test]
async fn rows_of_every_kind() {
    use simulators::brightpearl::Item;
    let bench = Bench::small().await;
    let product = *bench.products().first().unwrap();
    let order = NewOrder {
        warehouse_id: Some(WAREHOUSE),
        channel_id: Some(2),
        allocation: simulators::brightpearl::Allocation::None,
        ..NewOrder::of([
            NewLine::product(product, 2),
            NewLine { item: Item::FreeText("Gift wrapping".to_owned()), quantity: 1, net: None },
        ])
    };
    let id = bench.sim.create_order(ACCOUNT, order).unwrap();
    let order = bench.connector.orders(&[id]).await.unwrap().remove(0);
    assert!(order.is_sale);
    assert_eq!((order.warehouse_id, order.channel_id), (Some(WAREHOUSE), Some(2)));
    let kinds: Vec<_> = order.lines.iter().map(|line| (line.product_id, line.stock)).collect();
    assert_eq!(kinds, [(Some(product), LineStock::Unknown), (None, LineStock::FreeText)]);
    assert_eq!(order.lines.first().unwrap().quantity, Decimal::from(2));
}

#[tokio::test]
async fn products_prices_and_stock() {
    let bench = Bench::small().await;
    let everything: Vec<i64> = (1_000..1_100).collect();
    let products = bench.connector.products(&everything).await.unwrap();
    assert_eq!(products.len(), 60);
    assert!(products.iter().any(|product| !product.components.is_empty()));
    assert!(products.iter().any(|product| !product.stock_tracked && product.components.is_empty()));

    let plain = bench.sim.plain_products(ACCOUNT).unwrap();
    let mut skus: Vec<String> = plain.iter().map(|(_, sku)| sku.clone()).collect();
    skus.push("NO-SUCH-SKU".to_owned());
    skus.push(String::new());
    for wanted in [skus.as_slice(), &skus[..3]] {
        let found = bench.connector.find_skus(wanted).await.unwrap();
        for (id, sku) in plain.iter().filter(|(_, sku)| wanted.contains(sku)) {
            assert_eq!(found.get(sku), Some(&vec![*id]));
        }
        assert!(!found.contains_key(""));
    }
    assert_eq!(bench.connector.find_skus(&skus).await.unwrap().get("NO-SUCH-SKU"), Some(&Vec::new()));

    let choices = bench.connector.choices().await.unwrap();
    assert!(
        choices
            .warehouses
            .iter()
            .any(|warehouse| warehouse.id == WAREHOUSE && warehouse.detail.contains("Third party"))
    );
    assert!(choices.statuses.iter().all(|status| status.order_type == "SO"));
    assert!(choices.statuses.iter().any(|status| status.disabled));
    assert_eq!((choices.cancelled_status, choices.cost_price_list), (Some(5), Some(1)));
    assert_eq!((choices.time_zone.as_str(), choices.currency.as_str()), ("Europe/London", "GBP"));
    assert!(!choices.channels.is_empty() && !choices.ship_methods.is_empty() && !choices.price_lists.is_empty());

    let ids: Vec<i64> = plain.iter().map(|(id, _)| *id).collect();
    let costs = bench.connector.costs(1, &ids).await.unwrap();
    assert!(!costs.is_empty() && costs.values().all(|cost| cost.currency == "GBP"));
    assert!(bench.connector.costs(77, &ids).await.unwrap().is_empty());
    assert_eq!(bench.connector.default_location(WAREHOUSE).await.unwrap(), LOCATION);
}

#[tokio::test]
async fn one_bad_product_does_not_hide_the_others() {
    let alternatives = [
        Switches::default(),
        Switches { non_stock_availability: NonStockAvailability::Refused, ..Switches::default() },
        Switches { unknown_availability: UnknownAvailability::BadRequest, ..Switches::default() },
        Switches { unknown_availability: UnknownAvailability::NotFound, ..Switches::default() },
        Switches { id_cap_answer: IdCapAnswer::UriTooLong, ..Switches::default() },
    ];
    for switches in alternatives {
        let bench = Bench::with(switches.clone()).await;
        let order = bench.order(&[2, 1, 1]);
        let expected: BTreeMap<i64, (i64, i64)> = bench
            .rows(order)
            .into_iter()
            .map(|(_, product, _)| {
                let stock = bench.sim.stock(ACCOUNT, product, WAREHOUSE).unwrap();
                (product, (stock.in_stock, stock.on_hand))
            })
            .collect();
        // Every product there is, and some there are not.
        let all: Vec<i64> = (1_000..1_080).collect();
        let stock = bench.connector.stock(WAREHOUSE, &all).await.unwrap();
        for (product, (in_stock, on_hand)) in expected {
            let found = stock.levels.get(&product).unwrap_or_else(|| panic!("{product} is missing under {switches:?}"));
            assert_eq!((found.in_stock, found.on_hand), (in_stock.into(), on_hand.into()));
            assert_eq!(found.in_stock, found.on_hand + found.allocated);
        }
        assert!(stock.unread.is_empty(), "{switches:?}: {:?}", stock.unread);
    }
}

#[tokio::test]
async fn a_product_whose_stock_is_refused_is_not_taken_for_one_without() {
    for (status, code, tells) in
        [(400, "WHSC-097", false), (404, "CMNC-404", false), (400, "WHSC-070", true), (404, "WHSB-038", true)]
    {
        let bench = Bench::small().await;
        bench.order(&[2, 1]);
        let (bad, good) = (bench.products()[0], bench.products()[1]);
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"Not this one"}}]}}"#);
        let answer = Fault::Answer { status, headers: BTreeMap::new(), body };
        // Alone, and at the head of a set.
        bench.sim.faults().add(FaultRule::new(answer).path_contains(&format!("/product-availability/{bad}")));
        let stock = bench.connector.stock(WAREHOUSE, &[bad, good]).await.unwrap();
        assert_eq!(stock.levels.keys().copied().collect::<Vec<_>>(), [good], "{code}");
        assert_eq!(stock.unread.get(&bad).is_some_and(|why| why.contains("Not this one")), tells, "{code}: {stock:?}");
        // What is there before decides after a lost answer, so it must be known.
        let (_, prepared) = bench.prepare(&bench.correction("batch", bad, -1)).await;
        assert_eq!(matches!(prepared, Prepared::NotYet { .. }), tells, "{code}: {prepared:?}");
    }
    // Nobody's word about one product.
    let bench = Bench::small().await;
    let product = bench.products()[0];
    let page = Fault::Answer { status: 403, headers: BTreeMap::new(), body: "<html>".to_owned() };
    bench.sim.faults().add(FaultRule::new(page).path_contains("/product-availability/"));
    assert!(bench.connector.stock(WAREHOUSE, &[product]).await.is_err());
}

#[tokio::test]
async fn what_a_supplier_sends_is_told_or_not_known() {
    let bench = Bench::small().await;
    let order = bench.order(&[2, 1]);
    let rows = bench.rows(order);
    bench.sim.drop_ship(ACCOUNT, order, rows[0].0, 2).unwrap();
    let told = bench.connector.fulfilled(order).await.unwrap();
    assert_eq!(told.get(&rows[0].0), Some(&Decimal::from(2)));
    let errors = |code: &str| format!(r#"{{"errors":[{{"code":"{code}","message":"No"}}]}}"#);
    for (status, body, kind) in [
        (404, errors("CMNC-404"), None),
        (403, errors("CMNC-403"), Some(ErrorKind::Rejected { code: "CMNC-403".to_owned() })),
        (403, "<html>".to_owned(), Some(ErrorKind::Rejected { code: "HTTP 403".to_owned() })),
        (404, "<html>".to_owned(), Some(ErrorKind::NotFound)),
    ] {
        let answer = Fault::Answer { status, headers: BTreeMap::new(), body };
        let rule = bench.sim.faults().add(FaultRule::new(answer).path_contains("/fulfilment-status"));
        match (bench.connector.fulfilled(order).await, kind) {
            (Ok(told), None) => assert!(told.is_empty()),
            (Err(error), Some(kind)) => assert_eq!(error.kind, kind),
            other => panic!("{status}: {other:?}"),
        }
        bench.sim.faults().remove(rule);
    }
}
