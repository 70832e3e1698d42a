//! Goods-out notes and reservations.

use serde_json::{Value, json};
use simulators::brightpearl::switches::{
    ChangeOfShipped, DeleteOfProgressed, DirectReadLag, EventOwner, EventTime, MissingNote, NoteDeleteAnswer,
    NotePostAnswer, NoteUpdate, OverFulfilment, ReservationRemoval, ReservationUse, SecondReservation, SecondShip,
    ShortStock, StaleVersion, UnclearedMovements,
};
use simulators::brightpearl::{Allocation, Config, Item, NewLine, NewOrder, Switches};

use super::client::{ACCOUNT, Bench, STAFF, now, small};

/// An order over `quantity` of one product in the 3PL warehouse, with its row.
fn order(bench: &Bench, quantity: i64, allocation: Allocation) -> (i64, i64, i64) {
    let product = bench.stocked(5, 20, 0);
    let new = NewOrder { warehouse_id: Some(5), allocation, ..NewOrder::of([NewLine::product(product, quantity)]) };
    let order = bench.sim.create_order(ACCOUNT, new).unwrap();
    (order, bench.row_of(order, product), product)
}

async fn read_note(bench: &Bench, note: i64) -> Value {
    let path = format!("warehouse-service/order/*/goods-note/goods-out/{note}");
    bench.get(&path).await.response()[note.to_string()].clone()
}

#[tokio::test]
async fn from_order_to_shipment() {
    let bench = Bench::new().await;
    let (order, row, product) = order(&bench, 4, Allocation::Full);
    let codes = |bench: &Bench| {
        let order = bench.sim.order(ACCOUNT, order).unwrap();
        (order.stock_status, order.allocation_status, order.shipping_status)
    };
    let before = bench.sim.stock(ACCOUNT, product, 5).unwrap();
    assert_eq!(codes(&bench), ("SON", "AAA", "SNS"));

    let note = bench.post_note(order, 5, &[(row, product, 3)]).await.id();
    assert_eq!(codes(&bench), ("SOP", "AAA", "SNS"));
    assert_eq!(
        bench.sim.stock(ACCOUNT, product, 5).unwrap().allocated,
        before.allocated,
        "the reservation was absorbed"
    );
    let read = read_note(&bench, note).await;
    assert_eq!(read["orderRows"][row.to_string()], json!([{ "productId": product, "quantity": 3, "locationId": 41 }]));
    assert_eq!(read["createdBy"], STAFF);
    assert_eq!(read["sequence"], 1);
    assert_eq!(read["status"], json!({ "shipped": false, "packed": false, "picked": false, "printed": false }));
    assert_eq!(read["events"][0]["eventCode"], "PLA");

    let put = json!({ "priority": false, "shipping": { "shippingMethodId": 50, "reference": "1Z9", "boxes": 2, "weight": "3.40" } });
    let path = format!("warehouse-service/goods-note/goods-out/{note}");
    assert_eq!(bench.call("PUT", &path, Some(put.clone())).await.text, "{}");
    let read = read_note(&bench, note).await;
    assert_eq!(read["shipping"], json!({ "reference": "1Z9", "shippingMethodId": 50, "boxes": 2, "weight": "3.40" }));
    let version = read["lastEventVersion"].as_i64().unwrap();
    assert_eq!(bench.event(note, "SHW", Some(version)).await.text, "{}");

    let read = read_note(&bench, note).await;
    assert!(read["lastEventVersion"].as_i64().unwrap() > version);
    let events: Vec<&str> =
        read["events"].as_array().unwrap().iter().map(|event| event["eventCode"].as_str().unwrap()).collect();
    assert_eq!(events, ["PLA", "SHW", "PRI", "PIC", "PAC"]);
    assert_eq!(read["status"]["shippedById"], STAFF);
    assert_eq!(codes(&bench), ("SOP", "AAA", "SPS"));
    let after = bench.sim.stock(ACCOUNT, product, 5).unwrap();
    assert_eq!(
        (after.in_stock, after.allocated, after.figures.shipped),
        (before.in_stock - 3, before.allocated - 3, 3)
    );

    // What is shipped is final.
    let again = bench.event(note, "SHW", None).await;
    assert_eq!(again.status, 400);
    assert!(again.text.contains("cannot be edited"));
    assert_eq!(bench.call("PUT", &path, Some(put)).await.status, 400);
    let delete = format!("warehouse-service/order/{order}/goods-note/goods-out/{note}");
    assert_eq!(bench.call("DELETE", &delete, None).await.status, 400);
    assert_eq!(bench.sim.shipped(ACCOUNT, order).unwrap()[&row], 3);

    let rest = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
    assert_eq!(read_note(&bench, rest).await["sequence"], 2);
    assert_eq!(bench.event(rest, "SHW", None).await.status, 200);
    assert_eq!(codes(&bench), ("SOA", "AAA", "ASS"));
    let status = bench.get(&format!("warehouse-service/order/{order}/fulfilment-status")).await.response();
    assert_eq!(
        status[row.to_string()],
        json!({ "quantity": 4, "fulfilled": 4, "shipped": 4, "fulfilmentLocations": { "41": 4 } })
    );
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn a_note_is_refused_and_nothing_happens() {
    let bench = Bench::new().await;
    let (order, row, product) = order(&bench, 4, Allocation::None);
    // Free text and products without stock tracking never go on a note: the fortieth product is one.
    let free = NewLine { item: Item::FreeText("Card".to_owned()), quantity: 1, net: None };
    let free = bench.sim.add_row(ACCOUNT, order, free).unwrap();
    let untracked = bench.sim.add_row(ACCOUNT, order, NewLine::product(1046, 1)).unwrap();
    let before = bench.sim.stock(ACCOUNT, product, 5).unwrap();
    for (rows, warehouse) in [
        (vec![(row, product, 5)], 5),
        (vec![(row, product, 3), (row, product, 2)], 5),
        (vec![(row, product, 0)], 5),
        (vec![(row, product + 1, 1)], 5),
        (vec![(row + 1000, product, 1)], 5),
        (vec![(free, 1000, 1)], 5),
        (vec![(untracked, 1046, 1)], 5),
        (vec![(row, product, 1)], 77),
        (vec![], 5),
    ] {
        let answer = bench.post_note(order, warehouse, &rows).await;
        assert_eq!(answer.status, 400, "{rows:?}: {}", answer.text);
    }
    let zero = json!({ "warehouses": [{ "warehouseId": 5, "products": [{ "productId": 0, "salesOrderRowId": row, "quantity": 1 }] }] });
    let path = format!("warehouse-service/order/{order}/goods-note/goods-out");
    assert_eq!(bench.post(&path, zero).await.refusal(), (400, vec!["WHSC-014".to_owned()]));
    assert_eq!(bench.post("warehouse-service/order/99/goods-note/goods-out", json!({})).await.status, 400);
    assert_eq!(bench.sim.stock(ACCOUNT, product, 5).unwrap(), before);
    assert!(bench.sim.notes(ACCOUNT, order).unwrap().is_empty());
    assert_eq!(bench.sim.ledger().iter().filter(|entry| entry.took_effect && entry.method == "POST").count(), 0);
}

#[tokio::test]
async fn more_than_ordered_and_more_than_there_is() {
    let bench = Bench::switched(|switches| switches.over_fulfilment = OverFulfilment::Accepted).await;
    let (first, row, product) = order(&bench, 2, Allocation::None);
    assert_eq!(bench.post_note(first, 5, &[(row, product, 3)]).await.status, 200);
    for (choice, status) in [
        (ShortStock::BadRequest, 400),
        (ShortStock::Conflict, 409),
        (ShortStock::ServerError, 500),
        (ShortStock::Partial, 200),
    ] {
        let bench = Bench::switched(|switches| switches.short_stock_on_note = choice).await;
        let (order, row, product) = order(&bench, 5000, Allocation::None);
        let on_hand = bench.sim.stock(ACCOUNT, product, 5).unwrap().on_hand;
        assert_eq!(bench.post_note(order, 5, &[(row, product, 5000)]).await.status, status);
        let made: i64 = bench.sim.notes(ACCOUNT, order).unwrap().iter().flat_map(|note| note.rows.values()).sum();
        assert_eq!(made, if choice == ShortStock::Partial { on_hand } else { 0 });
        bench.sim.check_double_entry(ACCOUNT).unwrap();
    }
}

#[tokio::test]
async fn stale_versions() {
    for (choice, status) in [
        (StaleVersion::PreconditionFailed, 412),
        (StaleVersion::Conflict, 409),
        (StaleVersion::BadRequest, 400),
        (StaleVersion::Ignored, 200),
    ] {
        let bench = Bench::switched(|switches| switches.stale_event_version = choice).await;
        let (order, row, product) = order(&bench, 1, Allocation::Full);
        let note = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
        let version = bench.sim.notes(ACCOUNT, order).unwrap()[0].last_event_version;
        assert_eq!(bench.event(note, "PRI", Some(version)).await.status, 200);
        assert_eq!(bench.event(note, "SHW", Some(version)).await.status, status);
        assert_eq!(bench.sim.notes(ACCOUNT, order).unwrap()[0].shipped, status == 200);
    }
}

#[tokio::test]
async fn the_other_answers_about_notes() {
    let bench = Bench::switched(|switches| {
        switches.note_post_answer = NotePostAnswer::Number;
        switches.note_delete_answer = NoteDeleteAnswer::Empty;
        switches.delete_of_progressed_note = DeleteOfProgressed::Refused;
        switches.missing_note = MissingNote::EmptyMap;
        switches.second_ship = SecondShip::Ok;
        switches.change_of_shipped_note = ChangeOfShipped::Conflict;
        switches.event_owner = EventOwner::Staff;
        switches.event_time = EventTime::Plausible;
    })
    .await;
    let (order, row, product) = order(&bench, 2, Allocation::Full);
    let list = format!("warehouse-service/order/{order}/goods-note/goods-out/");
    assert_eq!(bench.get(&list).await.response(), json!({}));
    let answer = bench.post_note(order, 5, &[(row, product, 1)]).await;
    assert!(answer.response().is_i64());
    let note = answer.id();
    assert_eq!(bench.event(note, "PRI", None).await.status, 400, "it happened before the note was made");
    let path = format!("warehouse-service/goods-note/goods-out/{note}/event");
    let event = |code: &str, owner: i64| {
        let now = now();
        json!({ "events": [{ "eventCode": code, "occured": now, "eventOwnerId": owner }] })
    };
    assert_eq!(bench.post(&path, event("PRI", 200)).await.status, 400, "a customer");
    assert_eq!(bench.post(&path, event("PRI", STAFF)).await.status, 200);
    let delete = format!("warehouse-service/order/{order}/goods-note/goods-out/{note}");
    assert_eq!(bench.call("DELETE", &delete, None).await.status, 400);
    assert_eq!(bench.post(&path, event("UPR", STAFF)).await.status, 200);
    assert_eq!(bench.call("DELETE", &delete, None).await.text, "{}");
    let note = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
    let path = format!("warehouse-service/goods-note/goods-out/{note}");
    assert_eq!(bench.post(&format!("{path}/event"), event("SHW", STAFF)).await.status, 200);
    assert_eq!(bench.post(&format!("{path}/event"), event("SHW", STAFF)).await.status, 200);
    assert_eq!(bench.sim.stock(ACCOUNT, product, 5).unwrap().figures.shipped, 1);
    assert_eq!(bench.call("PUT", &path, Some(json!({ "priority": true }))).await.status, 409);
}

#[tokio::test]
async fn deleting_frees_the_stock() {
    let bench = Bench::new().await;
    let (order, row, product) = order(&bench, 2, Allocation::None);
    let before = bench.sim.stock(ACCOUNT, product, 5).unwrap();
    let note = bench.post_note(order, 5, &[(row, product, 2)]).await.id();
    assert_eq!(bench.event(note, "PAC", None).await.status, 200);
    let delete = format!("warehouse-service/order/{order}/goods-note/goods-out/{note}");
    assert_eq!(bench.call("DELETE", &delete, None).await.id(), note);
    assert_eq!(bench.sim.stock(ACCOUNT, product, 5).unwrap(), before);
    assert_eq!(bench.call("DELETE", &delete, None).await.status, 404);
    let gone = bench.get(&format!("warehouse-service/order/*/goods-note/goods-out/{note}")).await;
    assert_eq!(gone.refusal(), (404, vec!["CMNC-404".to_owned()]));
    assert_eq!(bench.sim.order(ACCOUNT, order).unwrap().stock_status, "SON");
    assert_ne!(bench.post_note(order, 5, &[(row, product, 2)]).await.id(), note, "ids are never used twice");
}

#[tokio::test]
async fn limits_of_shipping_details() {
    let bench = Bench::new().await;
    let (order, row, product) = order(&bench, 1, Allocation::Full);
    let note = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
    let path = format!("warehouse-service/goods-note/goods-out/{note}");
    for shipping in [
        json!({ "shipping": { "reference": "x".repeat(65) } }),
        json!({ "shipping": { "weight": "1000000.00" } }),
        json!({ "shipping": { "weight": "heavy" } }),
        json!({ "shipping": { "shippingMethodId": 12345 } }),
        json!({ "labelUri": "x".repeat(513) }),
        json!({ "priority": "perhaps" }),
    ] {
        assert_eq!(bench.call("PUT", &path, Some(shipping.clone())).await.status, 400, "{shipping}");
    }
    let longest = json!({ "shipping": { "reference": "x".repeat(64), "weight": "999999.99" } });
    assert_eq!(bench.call("PUT", &path, Some(longest)).await.status, 200);
}

#[tokio::test]
async fn reservations() {
    let bench = Bench::new().await;
    let (order, row, product) = order(&bench, 5, Allocation::None);
    let path = format!("warehouse-service/order/{order}/reservation");
    assert_eq!(
        bench.get(&path).await.json()["errors"][0]["message"],
        format!("No reservation exists for order {order}")
    );
    let body = |quantity: &str| json!({ "products": [{ "productId": product, "salesOrderRowId": row, "quantity": quantity }] });
    assert_eq!(bench.post(&format!("{path}/warehouse/5"), body("3")).await.text, "{}");
    assert_eq!(bench.post(&format!("{path}/warehouse/5"), body("1")).await.status, 400, "a second one");
    assert_eq!(bench.call("PUT", &path, Some(body("5"))).await.text, "{}");
    let read = bench.get(&path).await.response();
    let rows = json!({ row.to_string(): { "productId": product, "quantity": 5 } });
    assert_eq!(read, json!([{ "orderId": order, "warehouseId": 5, "orderRows": rows }]));
    assert_eq!(bench.call("DELETE", &path, None).await.text, "{}");
    assert_eq!(bench.get(&path).await.status, 404);
    let zero = json!({ "products": [{ "productId": 0, "salesOrderRowId": row, "quantity": 1 }] });
    assert_eq!(bench.post(&format!("{path}/warehouse/5"), zero).await.refusal(), (400, vec!["WHSC-014".to_owned()]));
    // What there is of a short product is reserved; where there is nothing the call fails.
    let on_hand = bench.sim.stock(ACCOUNT, product, 5).unwrap().on_hand;
    bench.sim.change_stock(ACCOUNT, product, 5, 2 - on_hand).unwrap();
    assert_eq!(bench.post(&format!("{path}/warehouse/5"), body("5")).await.status, 200);
    assert_eq!(bench.get(&path).await.response()[0]["orderRows"][row.to_string()]["quantity"], 2);
    bench.call("DELETE", &path, None).await;
    bench.sim.change_stock(ACCOUNT, product, 5, -2).unwrap();
    assert_eq!(bench.post(&format!("{path}/warehouse/5"), body("5")).await.status, 400);
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn the_other_answers_about_reservations() {
    let bench = Bench::switched(|switches| {
        switches.second_reservation = SecondReservation::Adds;
        switches.reservation_removal = ReservationRemoval::None;
        switches.reservation_use = ReservationUse::MustBeRemoved;
    })
    .await;
    let (order, row, product) = order(&bench, 5, Allocation::None);
    let path = format!("warehouse-service/order/{order}/reservation");
    let body = json!({ "products": [{ "productId": product, "salesOrderRowId": row, "quantity": 2 }] });
    for _ in 0..2 {
        assert_eq!(bench.post(&format!("{path}/warehouse/5"), body.clone()).await.status, 200);
    }
    assert_eq!(bench.get(&path).await.response()[0]["orderRows"][row.to_string()]["quantity"], 4);
    assert_eq!(bench.call("DELETE", &path, None).await.status, 404);
    assert_eq!(bench.post_note(order, 5, &[(row, product, 1)]).await.status, 400);
}

#[tokio::test]
async fn notes_of_other_people_and_transfers() {
    let bench = Bench::new().await;
    let (order, row, product) = order(&bench, 3, Allocation::Full);
    let note = bench.sim.create_note(ACCOUNT, order, 5, 203, Some([(row, 2)].into())).unwrap();
    assert_eq!(read_note(&bench, note).await["createdBy"], 203);
    bench.sim.ship_note(ACCOUNT, note, 5).unwrap();
    assert_eq!(read_note(&bench, note).await["status"]["shippedById"], 5);
    let before = bench.sim.stock(ACCOUNT, product, 3).unwrap();
    let transfer = bench.sim.create_transfer(ACCOUNT, 5, 3, product, 4).unwrap();
    let read = read_note(&bench, transfer).await;
    assert_eq!((&read["orderId"], &read["transfer"], &read["targetWarehouseId"]), (&json!(0), &json!(true), &json!(3)));
    assert_eq!(read["transferRows"][0]["quantity"], 4);
    let found = bench.get("warehouse-service/goods-note/goods-out-search?shipped=false&transfer=true").await.response();
    assert_eq!(found["results"][0][0], transfer);
    bench.sim.ship_note(ACCOUNT, transfer, 5).unwrap();
    let waiting = bench.sim.stock(ACCOUNT, product, 3).unwrap();
    assert_eq!((waiting.in_stock, waiting.in_quarantine), (before.in_stock, 4));
    bench.sim.release_quarantine(ACCOUNT, 3).unwrap();
    assert_eq!(bench.sim.stock(ACCOUNT, product, 3).unwrap().in_stock, before.in_stock + 4);
    bench.sim.check_double_entry(ACCOUNT).unwrap();
    // What went into quarantine is in no figure; what came out of it is.
    let moved = format!(
        "warehouse-service/goods-movement-search?productId={product}&warehouseId=3&columns=quantity,isCleared,isQuarantine"
    );
    let moved = bench.get(&moved).await.response();
    assert_eq!(moved["results"], json!([[4, true, true], [4, true, false]]));
}

#[tokio::test]
async fn goods_on_an_open_note_may_be_listed_as_not_cleared() {
    let switches = Switches { uncleared_movements: UnclearedMovements::Listed, ..Switches::default() };
    let bench = Bench::with(small(switches)).await;
    let (order, row, product) = order(&bench, 3, Allocation::Full);
    let listed = async || {
        let search =
            "warehouse-service/goods-movement-search?columns=quantity,isCleared&goodsNoteTypeCode=GO&productId=";
        bench.get(&format!("{search}{product}")).await.response()["results"].clone()
    };
    let deleted = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
    let note = bench.post_note(order, 5, &[(row, product, 2)]).await.id();
    assert_eq!(listed().await, json!([[-1, false], [-2, false]]));
    bench.sim.delete_note(ACCOUNT, deleted).unwrap();
    bench.sim.ship_note(ACCOUNT, note, 5).unwrap();
    assert_eq!(listed().await, json!([[-2, true]]));
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn a_change_of_a_note_may_clear_what_it_does_not_name() {
    for (note_update, weight) in [(NoteUpdate::Keeps, json!("3.40")), (NoteUpdate::Replaces, Value::Null)] {
        let bench = Bench::with(small(Switches { note_update, ..Switches::default() })).await;
        let (order, row, product) = order(&bench, 1, Allocation::Full);
        let note = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
        for shipping in [json!({ "weight": "3.40", "boxes": 2 }), json!({ "boxes": 1 })] {
            let path = format!("warehouse-service/goods-note/goods-out/{note}");
            let put = bench.call("PUT", &path, Some(json!({ "shipping": shipping }))).await;
            assert_eq!(put.status, 200);
        }
        let read = read_note(&bench, note).await;
        assert_eq!((&read["shipping"]["boxes"], &read["shipping"]["weight"]), (&json!(1), &weight));
    }
}

#[tokio::test]
async fn what_is_new_may_be_seen_late() {
    // 2 s, twice as fast: a direct read sees the note after one second, and not before.
    let switches = Switches { direct_read_lag: DirectReadLag::TwoSeconds, ..Switches::default() };
    let bench = Bench::with(Config { time_factor: 2, ..small(switches) }).await;
    let (order, row, product) = order(&bench, 1, Allocation::Full);
    let note = bench.post_note(order, 5, &[(row, product, 1)]).await.id();
    let path = format!("warehouse-service/order/*/goods-note/goods-out/{note}");
    assert_eq!(bench.get(&path).await.status, 404);
    assert_eq!(bench.sim.notes(ACCOUNT, order).unwrap().len(), 1);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(bench.get(&path).await.status, 200);
}
