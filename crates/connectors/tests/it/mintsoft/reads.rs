//! Reading in windows, boxes and batches, stock and its changes, call-backs.

use std::net::SocketAddr;

use connect::{Package, WarehouseFeature, WebhookCall};
use simulators::mintsoft::CallRules;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

/// Sends so many orders, and nothing else.
async fn orders(site: &Site, count: usize) {
    let keys = (0..count).map(|number| format!("BPacme-O{number}"));
    for armed in keys.map(|key| site.arm(&site.plan(&key))) {
        assert!(matches!(site.send(&armed).await, Sent::Accepted { .. }));
    }
}

#[tokio::test]
async fn hundreds_of_changes_are_read_whole_whatever_the_order_of_the_list() {
    let usual = Switches::default();
    for (name, switches) in [
        ("by change, with pages", usual),
        ("by change, without pages", Switches { pages: false, ..usual }),
        ("newest first", Switches { list_order: ListOrder::NewestFirst, ..usual }),
        ("by id", Switches { list_order: ListOrder::ById, ..usual }),
    ] {
        let habits = Habits { split_percent: 0, short_percent: 0, boxes_percent: 0 };
        let site =
            Site::with(Config { switches, habits, ..Config::default() }, &[("include_package_details", "false")]).await;
        orders(&site, 230).await;
        // The last is despatched first, so that neither ids nor times of creation say anything.
        let ids: Vec<u64> = site.handle().ledger().orders.iter().map(|order| order.order_id).collect();
        for id in ids.iter().rev() {
            site.handle().ship(*id, &Dispatch::full()).unwrap();
            // A time has milliseconds; each change has one of its own, or nearly so.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let mut cursor = FeedCursor::default();
        let (shipments, _) = site.shipments(&mut cursor).await;
        assert_eq!(shipments.len(), 230, "{name}");
        // The overlap is read again, and says the same.
        let (again, _) = site.shipments(&mut cursor).await;
        assert_eq!(again, shipments, "{name}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_whole_is_not_read_in_part() {
    for list_order in [ListOrder::NewestFirst, ListOrder::ById] {
        let site = Site::new(Switches { list_order, pages: false, ..Switches::default() }).await;
        orders(&site, 120).await;
        let first = site.handle().ledger().orders[0].order_id;
        site.handle().ship(first, &Dispatch::full()).unwrap();
        let error = site.warehouse.shipments(&FeedCursor::default()).await.unwrap_err();
        assert!(error.kind == ErrorKind::Unexpected && error.message.contains("pages switched on"), "{error}");
    }
}

#[tokio::test]
async fn boxes_batches_and_serial_numbers_come_as_they_were_scanned() {
    let site = Site::new(Switches::default()).await;
    let handle = site.handle();
    handle.add_product(CLIENT, "SKU-SER");
    let serials = vec!["S1".to_owned(), "S2".to_owned(), "S3".to_owned()];
    let came = Received { serials, batch: "L9".to_owned(), ..Received::plain(CLIENT, 3, "SKU-SER", 3) };
    assert!(handle.receive(&came));
    let mut order = request("BPacme-O1");
    order.lines[1].sku = "SKU-SER".to_owned();
    let draft = site.warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    assert!(matches!(site.send(&site.ready(&draft).await).await, Sent::Accepted { .. }));
    let id = handle.ledger().orders[0].order_id;
    handle.ship(id, &Dispatch { boxes: 2, ..Dispatch::full() }).unwrap();
    let (shipments, _) = site.shipments(&mut FeedCursor::default()).await;
    let shipment = &shipments[&id.to_string()];
    let [Package { lines: first, .. }, Package { lines: second, .. }] = &shipment.packages[..] else {
        panic!("two boxes: {shipment:?}")
    };
    assert_eq!((first[0].sku.as_str(), first[0].quantity, first[0].line_number), ("SKU-A", 5.into(), Some(1)));
    assert_eq!((second[0].lot.as_deref(), second[0].serials.join(" ").as_str()), (Some("L9"), "S1 S2 S3"));
    assert!(shipment.is_final && shipment.loose.is_empty());

    // Switched off, the lines are told without boxes.
    let off = connector(&site.simulator.base_url(), &site.clock, &[("include_package_details", "false")], &[]);
    let page = off.shipments(&FeedCursor::default()).await.unwrap();
    let lines: Vec<_> = page.shipments[0].loose.iter().map(|line| (line.sku.as_str(), line.quantity)).collect();
    assert_eq!(lines, [("SKU-A", 5.into()), ("SKU-SER", 3.into())]);
    assert_eq!(page.shipments[0].tracking_numbers().len(), 2);
}

#[tokio::test]
async fn a_split_order_has_ended_when_no_part_of_it_can_leave() {
    for finds in [true, false] {
        let site = Site::new(Switches { search_finds_parts: finds, ..Switches::default() }).await;
        let handle = site.handle();
        let (_, id) = site.order("BPacme-O1").await;
        let part = |rest| Dispatch { only: Some(BTreeMap::from([("SKU-A".to_owned(), 2)])), rest, boxes: 1 };
        let rest = handle.ship(id, &part(Rest::Split)).unwrap().unwrap();
        let mut cursor = FeedCursor::default();
        let (first, states) = site.shipments(&mut cursor).await;
        assert!(!first[&id.to_string()].is_final, "{finds}");
        assert_eq!(states, BTreeMap::new(), "the rest can still leave");
        // Of the rest some leaves; what is left is cancelled later.
        let last = handle.ship(rest, &part(Rest::Split)).unwrap().unwrap();
        let (second, states) = site.shipments(&mut cursor).await;
        assert_eq!((second.len(), states.len()), (2, 0), "{finds}");
        assert_eq!(second[&id.to_string()], first[&id.to_string()], "what was told stays as it was told");
        assert_eq!(second[&rest.to_string()].key, "BPacme-O1");
        assert!(handle.cancel(last));
        for warehouse in [&site.warehouse, &connector(&site.simulator.base_url(), &site.clock, &[], &[])] {
            let page = warehouse.shipments(&cursor).await.unwrap();
            assert_eq!(page.states, [("BPacme-O1".to_owned(), RequestState::Finished)], "{finds}");
            let told: BTreeMap<_, _> = page.shipments.into_iter().map(|one| (one.reference.clone(), one)).collect();
            assert_eq!(told, second, "{finds}: also by a hub that has just begun");
        }
    }
    // All parts cancelled: so is the order.
    let site = Site::new(Switches { splits_on_entry: true, ..Switches::default() }).await;
    site.order("BPacme-O1").await;
    for order in site.handle().ledger().orders {
        assert!(site.handle().cancel(order.order_id));
    }
    let (_, states) = site.shipments(&mut FeedCursor::default()).await;
    assert_eq!(states["BPacme-O1"], RequestState::Cancelled);
}

#[tokio::test]
async fn rows_that_cannot_be_used_are_set_aside_and_reading_goes_on() {
    let site = Site::new(Switches::default()).await;
    let (_, id) = site.order("BPacme-O1").await;
    site.handle().ship(id, &Dispatch::full()).unwrap();
    let answer = |body: &str| Fault::Answer { status: 200, headers: BTreeMap::new(), body: body.to_owned() };
    let list = |body: &str| FaultRule::new(answer(body)).path_contains("/api/Order/List").first(1);
    let faults = site.simulator.faults();
    let time = "\"LastUpdated\":\"2026-11-23T06:30:00\"";
    faults.add(list(&format!("[{{{time},\"ID\":7,\"OrderNumber\":5,\"OrderStatusId\":4}}]")));
    let page = site.warehouse.shipments(&FeedCursor::default()).await.unwrap();
    assert!(page.rejected[0].reason.contains("order 7 could not be used"), "{page:?}");
    for (body, passes) in [
        ("<html>", true),
        ("[{", true),
        ("{}", false),
        ("[{\"ID\":7}]", false),
        ("[{\"ID\":7,\"LastUpdated\":\"2999-01-01T00:00:00\"}]", false),
    ] {
        faults.add(list(body));
        let error = site.warehouse.shipments(&page.next).await.unwrap_err();
        assert_eq!(error.is_passing(), passes, "{body}: {error}");
    }
    // Nothing of that moved the place to go on from.
    let (shipments, _) = site.shipments(&mut page.next.clone()).await;
    assert!(shipments.contains_key(&id.to_string()));
    // A detail that does not come holds everything back; one that is nonsense sets the order aside.
    let scans = |fault| FaultRule::new(fault).path_contains("BarcodeVerified").first(1);
    let fresh = || connector(&site.simulator.base_url(), &site.clock, &[], &[]);
    faults.add(scans(Fault::Outage));
    assert!(fresh().shipments(&page.next).await.unwrap_err().is_passing());
    faults.add(scans(answer("[{\"Quantity\":1}]")));
    let page = fresh().shipments(&page.next).await.unwrap();
    assert_eq!((page.shipments.len(), page.rejected.len()), (0, 1));
}

#[tokio::test]
async fn another_clients_orders_and_stock_are_never_ours() {
    let site = Site::new(Switches::default()).await;
    let handle = site.handle();
    handle.add_product(13, "SKU-A");
    handle.add_product(13, "SKU-LOT");
    assert!(handle.receive(&Received::plain(13, 3, "SKU-A", 7)));
    let theirs = connector(&site.simulator.base_url(), &site.clock, &[("client_id", "13")], &[]);
    let draft = theirs.plan_submit(&[request("BPacme-O1")], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    let until = site.clock.monotonic() + Duration::from_secs(30);
    assert!(matches!(theirs.send(&[site.arm(&draft)], until).await.outcomes[0], Sent::Accepted { .. }));
    // The same number is free for us.
    let (_, ours) = site.order("BPacme-O1").await;
    let (_, states) = site.shipments(&mut FeedCursor::default()).await;
    assert_eq!(states.len(), 1);
    let seen = site.warehouse.sightings(&["BPacme-O1".to_owned()]).await.unwrap();
    assert_eq!(seen.found["BPacme-O1"].references, [ours.to_string()]);
    let stock = site.warehouse.stock().await.unwrap();
    let units: Vec<_> = stock.feeds[0].levels.iter().map(|level| level.physical.unwrap()).collect();
    assert_eq!(units, [Decimal::from(1000), 1000.into()]);
}

#[tokio::test]
async fn stock_is_on_hand_without_bundles_and_by_changes_where_that_is_wanted() {
    for by_changes in ["false", "true"] {
        let site = Site::with(Config::default(), &[("stock_by_changes", by_changes)]).await;
        let handle = site.handle();
        handle.add_bundle(CLIENT, "SET", &[("SKU-A", 2), ("SKU-LOT", 1)]);
        let read = || async {
            let mut page = site.warehouse.stock().await.unwrap();
            let feed = page.feeds.remove(0);
            assert!(!feed.absent_is_zero);
            let levels = feed.levels.iter().map(|level| (level.sku.clone(), level.physical.unwrap()));
            (levels.collect::<BTreeMap<_, _>>(), feed.content_hash)
        };
        let figures =
            |a: i64, lot: i64| BTreeMap::from([("SKU-A".to_owned(), a.into()), ("SKU-LOT".to_owned(), lot.into())]);
        assert_eq!(read().await.0, figures(1000, 1000));
        // A bundle is ordered by its name and leaves the shelves in parts.
        let mut order = request("BPacme-O1");
        order.lines.truncate(1);
        order.lines[0].sku = "SET".to_owned();
        let draft = site.warehouse.plan_submit(&[order], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        assert!(matches!(site.send(&site.ready(&draft).await).await, Sent::Accepted { .. }));
        assert_eq!(read().await.0, figures(1000, 1000), "on hand is what lies there, whatever is promised");
        let id = handle.ledger().orders[0].order_id;
        handle.ship(id, &Dispatch::full()).unwrap();
        assert_eq!(read().await.0, figures(990, 995), "{by_changes}");
        let (shipments, _) = site.shipments(&mut FeedCursor::default()).await;
        let lines: Vec<_> = shipments[&id.to_string()].lines().map(|line| (line.sku.clone(), line.quantity)).collect();
        assert_eq!(lines, [("SET".to_owned(), 5.into())], "told as it was ordered");

        let whole = |site: &Site| {
            site.simulator.faults().fired().iter().filter(|one| one.path.contains("StockLevels?")).count()
        };
        let slow = Fault::SlowBody { over: Duration::ZERO };
        site.simulator.faults().add(FaultRule::new(slow).path_contains("StockLevels"));
        read().await;
        assert_eq!(whole(&site), usize::from(by_changes == "false"), "changes are asked for where that is set");
        site.clock.pass(Duration::from_secs(3601));
        read().await;
        assert_eq!(whole(&site), if by_changes == "false" { 2 } else { 1 }, "and everything once an hour");
    }
}

#[tokio::test]
async fn stock_that_cannot_be_trusted_is_not_used() {
    let site = Site::new(Switches::default()).await;
    let faults = site.simulator.faults();
    let answer = |body: &str| {
        let fault = Fault::Answer { status: 200, headers: BTreeMap::new(), body: body.to_owned() };
        faults.add(FaultRule::new(fault).path_contains("StockLevels").first(1))
    };
    let row = |product: i64, level: &str| {
        format!("{{\"ProductId\":{product},\"WarehouseId\":3,\"ClientId\":12,\"SKU\":\"SKU-A\",\"Level\":{level}}}")
    };
    // Two products of one SKU: nobody knows which is meant.
    answer(&format!("[{},{}]", row(1, "5"), row(2, "6")));
    assert!(site.warehouse.stock().await.unwrap().feeds[0].levels.is_empty());
    answer(&format!("[{},{}]", row(1, "5"), row(1, "5")));
    assert_eq!(site.warehouse.stock().await.unwrap().feeds[0].levels.len(), 1);
    for body in ["{}", "[{\"SKU\":\"SKU-A\"}]", &format!("[{}", row(1, "5")), &format!("[{}]", row(1, "null"))] {
        answer(body);
        assert!(site.warehouse.stock().await.is_err(), "{body}");
    }
}

/// Answers every call with 200, and keeps what was posted.
async fn receiver() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, calls) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut piece = [0_u8; 4096];
            loop {
                let count = stream.read(&mut piece).await.unwrap();
                text.extend_from_slice(&piece[..count]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
                let length = head.to_ascii_lowercase();
                let length =
                    length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if count == 0 || body.len() >= length.unwrap_or(0) {
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let _ = sender.send((path, body.as_bytes().to_vec()));
                    break;
                }
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        }
    });
    (address, calls)
}

#[tokio::test]
async fn mintsoft_calls_at_the_address_it_was_told_for_the_order_and_it_is_shown_to_nobody() {
    let (address, mut calls) = receiver().await;
    let secret = format!("http://{address}/hooks/warehouse/0123456789abcdef");
    let config = Config { calls: CallRules { repeat_percent: 100, ..CallRules::default() }, ..Config::default() };
    let site = Site::with(config, &[]).await;
    let hub = connector(&site.simulator.base_url(), &site.clock, &[], &[("callback_address", &secret)]);
    let draft = hub.plan_submit(&[request("BPacme-O1")], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    assert!(!draft.body.contains("hooks"), "what is kept carries no secret: {}", draft.body);
    let until = site.clock.monotonic() + Duration::from_secs(30);
    let delivery = hub.send(&[site.arm(&draft)], until).await;
    assert!(!format!("{delivery:?}").contains("hooks"), "nor is it in what people see: {delivery:?}");
    let id = site.handle().ledger().orders[0].order_id;
    let asked = (format!("PUT /api/Order/{id}/ConnectActions"), true);
    assert_eq!(
        changes(&site.handle()),
        [("PUT /api/Order".to_owned(), true), asked],
        "asked for by the route there is"
    );
    let only = BTreeMap::from([("SKU-A".to_owned(), 1)]);
    site.handle().ship(id, &Dispatch { only: Some(only), rest: Rest::Cancel, boxes: 1 }).unwrap();
    let mut events = BTreeSet::new();
    for _ in 0..6 {
        let (path, body) = tokio::time::timeout(Duration::from_secs(10), calls.recv()).await.unwrap().unwrap();
        assert_eq!(path, "/hooks/warehouse/0123456789abcdef");
        let call = WebhookCall { headers: Vec::new(), body, received_at: site.clock.now() };
        let hints = hub.parse_webhook(&call).await.unwrap();
        events.insert((hints[0].subject.clone(), hints[0].event_id.clone()));
    }
    // Split, cancelled and despatched, each twice. What says the same is one: the order as it stands now, and its rest.
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(hub.features().contains(&WarehouseFeature::Webhooks));
    let nonsense = WebhookCall { headers: Vec::new(), body: b"{\"ID\":1}".to_vec(), received_at: site.clock.now() };
    assert!(hub.parse_webhook(&nonsense).await.is_err());
}

/// Nothing hangs on the calls, so nobody asks for them twice, and an order is there whatever became of the asking.
#[tokio::test]
async fn an_order_for_which_no_call_can_be_asked_is_an_order_all_the_same() {
    let secret = "http://127.0.0.1:9/hooks/warehouse/0123456789abcdef";
    let denied = "{\"ID\":0,\"Success\":false,\"Message\":\"no\"}".to_owned();
    for fault in [
        Fault::Refuse,
        Fault::Outage,
        Fault::ErrorAfterEffect { html: false },
        Fault::Answer { status: 200, headers: BTreeMap::new(), body: denied },
    ] {
        let site = Site::with(Config::default(), &[]).await;
        let hub = connector(&site.simulator.base_url(), &site.clock, &[], &[("callback_address", secret)]);
        let draft = hub.plan_submit(&[request("BPacme-O1")], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
        site.simulator.faults().add(FaultRule::new(fault.clone()).path_contains("/ConnectActions"));
        let until = site.clock.monotonic() + Duration::from_secs(30);
        let sent = hub.send(&[site.arm(&draft)], until).await.outcomes.remove(0);
        assert!(matches!(sent, Sent::Accepted { reference: Some(_) }), "{fault:?}: {sent:?}");
        assert_eq!(site.simulator.faults().fired().len(), 1, "{fault:?}: asked once");
    }
    // An order whose answer was lost is found by looking, which changes nothing.
    let site = Site::with(Config::default(), &[]).await;
    let hub = connector(&site.simulator.base_url(), &site.clock, &[], &[("callback_address", secret)]);
    let draft = hub.plan_submit(&[request("BPacme-O1")], at("2026-11-23T06:30:00Z")).remove(0).unwrap();
    site.simulator.faults().add(FaultRule::new(Fault::ResetMidBody).method("PUT").first(1));
    let armed = site.arm(&draft);
    let until = site.clock.monotonic() + Duration::from_secs(30);
    assert!(matches!(hub.send(std::slice::from_ref(&armed), until).await.outcomes[0], Sent::Unknown { .. }));
    assert!(matches!(hub.probe(&[armed]).await.unwrap()[0], Probe::Equal(_)));
    assert_eq!(changes(&site.handle()), [("PUT /api/Order".to_owned(), true)]);
}
