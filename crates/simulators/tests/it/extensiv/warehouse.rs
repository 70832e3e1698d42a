//! What the warehouse does with orders, and how it shows.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, TestCaseError, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use simulators::extensiv::{
    CannotShip, Config, Dispatch, Habits, Ledger, Load, LocalTimes, OriginalQuantity, PackagesAt, Quantities, Received,
    Rest, ShortToNothing, Status, Switches, Zone,
};

use super::client::{Client, ORDER_ITEM, PACKAGE, PACKAGE_CONTENT, config, order};

async fn completed(client: &Client, reference: &str, lines: &[(&str, f64)]) -> u64 {
    let (id, etag) = client.created(&order(reference, lines)).await;
    assert_eq!(client.complete(id, &etag).await.status, 204);
    id
}

async fn shown(client: &Client, id: u64) -> Value {
    client.get(&format!("/orders/{id}?detail=All&itemdetail=All")).await.body
}

fn dispatch(units: &[(&str, i64)], rest: Rest, load: Load) -> Dispatch {
    let units: BTreeMap<String, Decimal> =
        units.iter().map(|(sku, units)| ((*sku).to_owned(), (*units).into())).collect();
    Dispatch { quantities: Quantities::Only(units), rest, load }
}

#[tokio::test]
async fn stages_show_on_the_order() {
    let mut config = config(Switches::default());
    config.habits =
        Habits { split_percent: 0, short_percent: 0, boxes_percent: 0, freight_percent: 0, cancel_percent: 0 };
    let client = Client::start_with(config).await;
    let (deferred, _) = client.created(&order("R0", &[("SKU-A", 1.0)])).await;
    let id = completed(&client, "R1", &[("SKU-A", 2.0)]).await;
    let handle = client.handle();

    assert_eq!(handle.work(), 1, "the deferred order is nobody's work");
    assert_eq!(shown(&client, id).await["readOnly"]["pickStarted"], true);
    handle.work();
    assert!(shown(&client, id).await["readOnly"]["pickDoneDate"].is_string());
    handle.work();
    let packed = shown(&client, id).await;
    assert!(packed["readOnly"]["packDoneDate"].is_string());
    assert_eq!((&packed["readOnly"]["status"], &packed["readOnly"]["processDate"]), (&json!(0), &Value::Null));
    assert!(handle.work_until_quiet(10));

    let closed = shown(&client, id).await;
    let read_only = &closed["readOnly"];
    assert_eq!((&read_only["status"], &read_only["isClosed"]), (&json!(1), &json!(true)));
    assert!(read_only["processDate"].is_string() && read_only["shipDate"].is_string());
    let tracking = &read_only["packages"][0]["trackingNumber"];
    assert!(tracking.as_str().unwrap().starts_with("1Z"));
    assert_eq!(&closed["parcelResponse"]["trackingNumbers"][0], tracking);
    assert_eq!(&closed["routingInfo"]["trackingNumber"], tracking);
    assert_eq!(closed["routingInfo"]["carrier"], "UPS");
    assert_eq!(shown(&client, deferred).await["readOnly"]["status"], 0);
    let stock = &handle.stock()[0];
    assert_eq!((stock.physical, stock.allocated), (98.into(), 0.into()));
    let history: Vec<String> = handle.ledger().orders[1].history.iter().map(|(_, what)| what.clone()).collect();
    assert_eq!(history, ["created", "completed", "picking started", "picked", "packed", "closed"]);
}

#[tokio::test]
async fn boxes_say_what_is_inside() {
    let client = Client::start(Switches::default()).await;
    let handle = client.handle();
    handle.add_item(143, "SKU-SER");
    let serials = vec!["SN001".to_owned(), "SN002".to_owned(), "SN003".to_owned()];
    let came = Received { lot: "LOT1".to_owned(), serials, ..Received::plain(143, 10, "SKU-SER", 3.into()) };
    let receipt = handle.receive(&came).unwrap();
    let id = completed(&client, "R1", &[("SKU-A", 5.0), ("SKU-SER", 2.0)]).await;
    let how = Dispatch { load: Load::Boxes(2), ..Dispatch::full() };
    assert_eq!(handle.ship(id, &how), Ok(None));

    let closed = shown(&client, id).await;
    let packages = closed["readOnly"]["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 2);
    let lines = closed["_embedded"][ORDER_ITEM].as_array().unwrap();
    let mut boxed: BTreeMap<u64, f64> = BTreeMap::new();
    for content in packages.iter().flat_map(|package| package["packageContents"].as_array().unwrap()) {
        *boxed.entry(content["orderItemId"].as_u64().unwrap()).or_default() += content["qty"].as_f64().unwrap();
    }
    for (line, units) in lines.iter().zip([5.0, 2.0]) {
        assert_eq!(boxed[&line["readOnly"]["orderItemId"].as_u64().unwrap()].to_string(), units.to_string());
    }
    let serial =
        packages[0]["packageContents"].as_array().unwrap().iter().find(|one| one["lotNumber"] == "LOT1").unwrap();
    assert_eq!((&serial["serialNumbers"], &serial["receiveItemId"]), (&json!(["SN001"]), &json!(receipt)));
    let outbound = &closed["readOnly"]["outboundSerialNumbers"];
    assert_eq!(outbound[0]["itemIdentifier"]["sku"], "SKU-SER");
    assert_eq!(outbound[0]["serialNumbers"], json!(["SN001", "SN002"]));
    let numbers = &closed["parcelResponse"]["trackingNumbers"];
    assert_eq!(numbers.as_array().unwrap().len(), 2);
    assert_ne!(numbers[0], numbers[1]);

    let below = client.get(&format!("/orders/{id}/packages")).await.body;
    let first = &below["_embedded"][PACKAGE][0];
    assert_eq!(first["trackingNumber"], numbers[0]);
    assert_eq!(first["_embedded"][PACKAGE_CONTENT].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn packages_may_be_in_one_place_only() {
    for (switch, on_order, below) in
        [(PackagesAt::Both, true, 1), (PackagesAt::OrderOnly, true, 0), (PackagesAt::SubresourceOnly, false, 1)]
    {
        let client = Client::start(Switches { packages_at: switch, ..Switches::default() }).await;
        let id = completed(&client, "R1", &[("SKU-A", 1.0)]).await;
        client.handle().ship(id, &Dispatch::full()).unwrap();
        assert_eq!(shown(&client, id).await["readOnly"]["packages"].is_array(), on_order);
        let list = client.get(&format!("/orders/{id}/packages")).await.body;
        assert_eq!(list["_embedded"][PACKAGE].as_array().unwrap().len(), below);
    }
}

#[tokio::test]
async fn freight_has_no_boxes() {
    let client = Client::start(Switches::default()).await;
    let id = completed(&client, "R1", &[("SKU-A", 2.0)]).await;
    client.handle().ship(id, &Dispatch { load: Load::Freight, ..Dispatch::full() }).unwrap();
    let freight = shown(&client, id).await;
    assert_eq!(freight["readOnly"]["packages"], json!([]));
    assert_eq!(freight["parcelResponse"]["trackingNumbers"], json!([]));
    assert!(freight["routingInfo"]["trackingNumber"].as_str().unwrap().starts_with("PRO"));

    let id = completed(&client, "R2", &[("SKU-A", 2.0)]).await;
    client.handle().ship(id, &Dispatch { load: Load::BillOfLading, ..Dispatch::full() }).unwrap();
    let freight = shown(&client, id).await;
    assert_eq!(freight["routingInfo"]["trackingNumber"], "");
    assert!(freight["routingInfo"]["billOfLading"].as_str().unwrap().starts_with("BOL"));

    let id = completed(&client, "R3", &[("SKU-A", 2.0)]).await;
    client.handle().ship(id, &Dispatch { load: Load::BoxesWithoutContents(2), ..Dispatch::full() }).unwrap();
    let silent = shown(&client, id).await;
    let packages = silent["readOnly"]["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 2);
    assert!(packages.iter().all(|package| package["packageContents"] == json!([])));
}

#[tokio::test]
async fn a_part_shipment_is_a_split_order() {
    let client = Client::start(Switches::default()).await;
    let handle = client.handle();
    handle.receive(&Received::plain(143, 10, "SKU-B", 4.into())).unwrap();
    let id = completed(&client, "BPacme-O1", &[("SKU-A", 5.0), ("SKU-B", 4.0)]).await;
    let split = handle.ship(id, &dispatch(&[("SKU-A", 2)], Rest::Split, Load::Boxes(1))).unwrap().unwrap();
    let again = handle.ship(split, &dispatch(&[("SKU-A", 1)], Rest::Split, Load::Boxes(1))).unwrap().unwrap();
    handle.ship(again, &Dispatch::full()).unwrap();
    assert_eq!(client.find("referenceNum==BPacme-O1*").await, [id, split, again]);
    let references =
        [shown(&client, split).await["referenceNum"].clone(), shown(&client, again).await["referenceNum"].clone()];
    assert_eq!(references, [json!("BPacme-O1-2"), json!("BPacme-O1-3")]);
    let ledger = handle.ledger();
    let shipped = |at: usize| {
        ledger.orders[at].shipped.iter().map(|(_, sku, units)| format!("{sku} {units}")).collect::<Vec<_>>()
    };
    assert_eq!(shipped(0), ["SKU-A 2"]);
    assert_eq!(shipped(1), ["SKU-A 1"]);
    assert_eq!(shipped(2), ["SKU-A 2", "SKU-B 4"]);
    assert_eq!(ledger.orders[2].split_of, Some(id));
    assert_eq!(ledger.orders[2].external_id, "shr_8f3");
    assert!(ledger.duplicates.is_empty(), "a split is no duplicate");
    let line = &shown(&client, again).await["_embedded"][ORDER_ITEM][1];
    assert_eq!((&line["itemIdentifier"]["sku"], &line["externalId"]), (&json!("SKU-B"), &json!("2")));
    assert!(handle.stock().iter().all(|row| row.allocated.is_zero()));
}

#[tokio::test]
async fn shorts_are_edited_before_closing() {
    for (nothing, original, lines, first_original) in [
        (ShortToNothing::LineRemoved, OriginalQuantity::Edited, 1, 2.0),
        (ShortToNothing::LineZero, OriginalQuantity::Edited, 2, 2.0),
        (ShortToNothing::LineRemoved, OriginalQuantity::Kept, 1, 5.0),
    ] {
        let switches = Switches { short_to_nothing: nothing, original_quantity: original, ..Switches::default() };
        let client = Client::start(switches).await;
        client.handle().receive(&Received::plain(143, 10, "SKU-B", 4.into())).unwrap();
        let id = completed(&client, "R1", &[("SKU-A", 5.0), ("SKU-B", 4.0)]).await;
        let how = dispatch(&[("SKU-A", 2)], Rest::Short, Load::Boxes(1));
        assert_eq!(client.handle().ship(id, &how), Ok(None));
        let closed = shown(&client, id).await;
        let shown = closed["_embedded"][ORDER_ITEM].as_array().unwrap();
        assert_eq!(shown.len(), lines);
        assert_eq!(shown[0]["qty"], json!(2.0), "the order shows what left, not what was asked");
        assert_eq!(shown[0]["readOnly"]["originalPrimaryQty"], json!(first_original));
        let ledger = client.handle().ledger();
        assert_eq!(ledger.orders[0].lines[0].asked, 5.into());
        assert!(ledger.stock.iter().all(|row| row.allocated.is_zero()));
    }
}

#[tokio::test]
async fn what_cannot_be_shipped() {
    let client = Client::start(Switches::default()).await;
    let handle = client.handle();
    let (deferred, _) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    assert_eq!(handle.ship(deferred, &Dispatch::full()), Err(CannotShip::Deferred));
    let empty = completed(&client, "R2", &[("SKU-B", 1.0)]).await;
    assert_eq!(handle.ship(empty, &Dispatch::full()), Err(CannotShip::NothingAllocated));
    assert!(handle.hold(empty, Some("check")));
    assert_eq!(handle.ship(empty, &Dispatch::full()), Err(CannotShip::OnHold));
    assert!(handle.hold(empty, None));
    assert!(handle.cancel(empty, "damaged"));
    assert!(!handle.cancel(empty, "again"));
    assert_eq!(handle.ship(empty, &Dispatch::full()), Err(CannotShip::NotOpen));
    assert_eq!(handle.ship(1, &Dispatch::full()), Err(CannotShip::NoSuchOrder));
    assert_eq!(shown(&client, empty).await["readOnly"]["status"], 2);
}

#[tokio::test]
async fn stock_that_comes_later_is_set_aside_for_who_waits() {
    let client = Client::start(Switches::default()).await;
    let id = completed(&client, "R1", &[("SKU-B", 3.0)]).await;
    assert_eq!(client.handle().work(), 0);
    client.handle().receive(&Received::plain(143, 10, "SKU-B", 10.into())).unwrap();
    assert_eq!(shown(&client, id).await["readOnly"]["fullyAllocated"], true);
}

#[tokio::test]
async fn a_lot_asked_for_is_the_lot_taken() {
    let client = Client::start(Switches::default()).await;
    for lot in ["L1", "L2"] {
        client
            .handle()
            .receive(&Received { lot: lot.to_owned(), ..Received::plain(143, 10, "SKU-B", 5.into()) })
            .unwrap();
    }
    let mut body = order("R1", &[("SKU-B", 2.0)]);
    body["orderItems"][0]["lotNumber"] = json!("L2");
    let (id, etag) = client.created(&body).await;
    client.complete(id, &etag).await;
    client.handle().ship(id, &Dispatch::full()).unwrap();
    assert_eq!(shown(&client, id).await["readOnly"]["packages"][0]["packageContents"][0]["lotNumber"], "L2");
}

#[tokio::test]
async fn times_are_without_offset_in_a_zone_by_switch() {
    for (switch, facility, zone) in [
        (LocalTimes::Facility, 10, Zone::Eastern),
        (LocalTimes::Facility, 11, Zone::London),
        (LocalTimes::Utc, 10, Zone::Utc),
        (LocalTimes::Pacific, 10, Zone::Pacific),
    ] {
        let client = Client::start(Switches { local_times: switch, ..Switches::default() }).await;
        let mut body = order("R1", &[("SKU-A", 1.0)]);
        body["facilityIdentifier"] = json!({"id": facility});
        let (id, _) = client.created(&body).await;
        let at = client.handle().ledger().orders[0].created_at;
        let local = at.to_zoned(zone.time_zone()).strftime("%Y-%m-%dT%H:%M:%S").to_string();
        assert_eq!(shown(&client, id).await["readOnly"]["creationDate"], local);
        let rql = format!("readOnly.creationDate=ge={local};readOnly.creationDate=le={local}");
        assert_eq!(client.find(&rql).await, [id]);
    }
}

#[tokio::test]
async fn the_worker_empties_the_house_and_the_ledger_is_on_the_wire() {
    let mut config = config(Switches::default());
    config.habits =
        Habits { split_percent: 25, short_percent: 10, boxes_percent: 25, freight_percent: 25, cancel_percent: 0 };
    let client = Client::start_with(config).await;
    for number in 0..30 {
        completed(&client, &format!("R{number}x"), &[("SKU-A", 3.0)]).await;
    }
    assert!(client.handle().work_until_quiet(50));
    let url = format!("{}/_sim/ledger", client.server.base_url());
    let wire: Ledger = client.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(wire, client.handle().ledger());
    assert!(wire.orders.iter().all(|order| order.status == Status::Closed));
    assert!(wire.orders.len() > 30, "some were split");
    assert!(wire.orders.iter().any(|order| order.packages.len() > 1), "some went in several boxes");
    assert!(wire.orders.iter().any(|order| order.packages.is_empty()), "some went as freight");
    let left: Decimal = wire.orders.iter().flat_map(|order| &order.shipped).map(|shipped| shipped.2).sum();
    assert_eq!(wire.stock[0].physical + left, 100.into());
}

#[tokio::test]
async fn the_worker_comes_by_itself_and_can_be_steered_from_outside() {
    let every = std::time::Duration::from_millis(5);
    let client = Client::start_with(Config { work_every: Some(every), ..config(Switches::default()) }).await;
    let id = completed(&client, "R1", &[("SKU-A", 3.0)]).await;
    for _ in 0..1000 {
        if client.handle().ledger().orders[0].status == Status::Closed {
            break;
        }
        tokio::time::sleep(every).await;
    }
    assert_eq!(shown(&client, id).await["readOnly"]["status"], 1);

    let post = async |path: &str, body: Value| {
        let url = format!("{}/_sim{path}", client.server.base_url());
        client.http.post(url).json(&body).send().await.unwrap().status().as_u16()
    };
    let came = serde_json::to_value(Received::plain(143, 10, "NEW", 5.into())).unwrap();
    assert_eq!(post("/stock", came).await, 200);
    let (id, etag) = client.created(&order("R2", &[("NEW", 1.0)])).await;
    let full = serde_json::to_value(Dispatch::full()).unwrap();
    assert_eq!(post(&format!("/orders/{id}/ship"), full.clone()).await, 409);
    assert_eq!(post(&format!("/orders/{id}/hold"), json!({})).await, 204);
    client.complete(id, &etag).await;
    assert_eq!(post(&format!("/orders/{id}/release"), json!({})).await, 204);
    assert_eq!(post(&format!("/orders/{id}/cancel"), json!({})).await, 204);
    assert_eq!(post("/orders/1/ship", full).await, 404);
    assert_eq!(post("/work", json!({})).await, 200);
    client.server.stop().await;
}

#[tokio::test]
async fn an_order_can_be_shipped_under_every_answer() {
    let alternatives = Switches::alternatives();
    for (at, (name, switches)) in alternatives.into_iter().enumerate() {
        assert_ne!(switches, Switches::default(), "{name}");
        let client = Client::start(switches).await;
        let id = completed(&client, &format!("R{at}x"), &[("SKU-A", 2.0)]).await;
        client.handle().ship(id, &Dispatch::full()).unwrap();
        let ledger = client.handle().ledger();
        assert_eq!(ledger.orders[0].shipped[0].2, 2.into(), "{name}");
        assert_eq!(shown(&client, id).await["readOnly"]["isClosed"], true, "{name}");
    }
}

#[derive(Clone, Debug)]
enum Act {
    Order(u32, u32, bool),
    Receive(u32, bool),
    Work,
    Ship(usize, u32, Rest, Load),
    Cancel(usize),
    Hold(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let rest = prop_oneof![Just(Rest::Split), Just(Rest::Short)];
    let load = prop_oneof![
        Just(Load::Boxes(1)),
        Just(Load::Boxes(3)),
        Just(Load::Freight),
        Just(Load::BoxesWithoutContents(2))
    ];
    let act = prop_oneof![
        4 => (1..60_u32, 1..20_u32, proptest::bool::weighted(0.8)).prop_map(|(a, b, complete)| Act::Order(a, b, complete)),
        1 => (1..40_u32, proptest::bool::weighted(0.2)).prop_map(|(units, held)| Act::Receive(units, held)),
        3 => Just(Act::Work),
        3 => (0..10_usize, 1..60_u32, rest, load).prop_map(|(at, units, rest, load)| Act::Ship(at, units, rest, load)),
        1 => (0..10_usize).prop_map(Act::Cancel),
        1 => (0..10_usize).prop_map(Act::Hold),
    ];
    prop::collection::vec(act, 1..25)
}

/// No stock below zero; nothing set aside beyond what is there; every unit that came is on a shelf or has left.
fn check(ledger: &Ledger, came: &BTreeMap<&str, Decimal>) -> Result<(), TestCaseError> {
    for row in &ledger.stock {
        prop_assert!(row.physical >= Decimal::ZERO && row.allocated >= Decimal::ZERO);
        prop_assert!(row.available >= Decimal::ZERO && row.held >= Decimal::ZERO);
        prop_assert_eq!(row.physical, row.available + row.allocated + row.held);
    }
    for (sku, units) in came {
        let shelf: Decimal = ledger.stock.iter().filter(|row| row.sku == *sku).map(|row| row.physical).sum();
        let left: Decimal = ledger
            .orders
            .iter()
            .flat_map(|order| &order.shipped)
            .filter(|shipped| shipped.1 == *sku)
            .map(|shipped| shipped.2)
            .sum();
        prop_assert_eq!(shelf + left, *units);
        let aside: Decimal = ledger.stock.iter().filter(|row| row.sku == *sku).map(|row| row.allocated).sum();
        let lines: Decimal = ledger
            .orders
            .iter()
            .flat_map(|order| &order.lines)
            .filter(|line| line.sku == *sku)
            .map(|line| line.allocated)
            .sum();
        prop_assert_eq!(aside, lines);
    }
    for order in &ledger.orders {
        let shipped: Decimal = order.shipped.iter().map(|shipped| shipped.2).sum();
        let asked: Decimal = order.lines.iter().map(|line| line.asked).sum();
        prop_assert!(shipped <= asked, "{order:?}");
        prop_assert!(order.status == Status::Closed || order.shipped.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() })]

    #[test]
    fn stock_is_never_below_zero(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::start(Switches::default()).await;
            let handle = client.handle();
            let mut came = BTreeMap::from([("SKU-A", Decimal::from(100)), ("SKU-B", Decimal::ZERO)]);
            let mut ids = Vec::new();
            for (number, act) in acts.into_iter().enumerate() {
                let pick = |at: usize| ids.get(at % ids.len().max(1)).copied().unwrap_or_default();
                match act {
                    Act::Order(a, b, complete) => {
                        let mut body = order(&format!("R{number}x"), &[("SKU-A", a.into()), ("SKU-B", b.into())]);
                        body["deferNotification"] = json!(!complete);
                        ids.push(client.created(&body).await.0);
                    }
                    Act::Receive(units, on_hold) => {
                        *came.get_mut("SKU-B").unwrap() += Decimal::from(units);
                        handle.receive(&Received { on_hold, ..Received::plain(143, 10, "SKU-B", units.into()) }).unwrap();
                    }
                    Act::Work => {
                        handle.work();
                    }
                    Act::Ship(at, units, rest, load) => {
                        let how = dispatch(&[("SKU-A", units.into()), ("SKU-B", 1)], rest, load);
                        let _ = handle.ship(pick(at), &how);
                    }
                    Act::Cancel(at) => {
                        handle.cancel(pick(at), "no reason");
                    }
                    Act::Hold(at) => {
                        handle.hold(pick(at), Some("no reason"));
                    }
                }
                check(&handle.ledger(), &came)?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}
