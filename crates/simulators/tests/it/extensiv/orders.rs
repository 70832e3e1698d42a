//! Creating, changing, completing and cancelling orders.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulators::extensiv::{
    Allocation, CancelUntil, CancelledIsClosed, CompleteShows, Config, Dispatch, Duplicates, OrderQueue, PutLines,
    Status, Switches,
};

use super::client::{Client, ORDER_ITEM, config, order};

#[tokio::test]
async fn a_deferred_order_is_created_read_and_completed() {
    let client = Client::start(Switches::default()).await;
    let answer = client.create(&order("R1", &[("SKU-A", 5.0), ("SKU-B", 1.0)])).await;
    assert_eq!(answer.status, 201);
    let read_only = &answer.body["readOnly"];
    assert_eq!((&read_only["status"], &read_only["isClosed"]), (&json!(0), &json!(false)));
    assert_eq!((&read_only["deferNotification"], &read_only["fullyAllocated"]), (&json!(true), &json!(false)));
    assert_eq!(read_only["customerIdentifier"], json!({"externalId": null, "name": "Acme", "id": 143}));
    assert_eq!(read_only["warehouseTransactionSourceType"], 7);
    assert_eq!(answer.body["shipTo"]["zip"], "LS1 1AA");
    assert_eq!(answer.body["savedElements"][0]["value"], "100001");
    assert_eq!(answer.body["parcelResponse"]["trackingNumbers"], json!([]));
    let line = &answer.body["_embedded"][ORDER_ITEM][0];
    assert_eq!((&line["qty"], &line["externalId"]), (&json!(5.0), &json!("1")));
    assert_eq!(line["readOnly"]["originalPrimaryQty"], json!(5.0));
    assert_eq!(line["qty"].to_string(), "5.0", "quantities are fractions on the wire");

    let id = read_only["orderId"].as_u64().unwrap();
    let bare = client.get(&format!("/orders/{id}")).await;
    assert_eq!(bare.etag, answer.etag);
    assert!(bare.body.get("_embedded").is_none(), "lines come with detail only");
    assert!(bare.body.get("savedElements").is_none() && bare.body["readOnly"].get("packages").is_none());
    let detailed = client.get(&format!("/orders/{id}?detail=orderitems")).await;
    assert_eq!(detailed.body["_embedded"][ORDER_ITEM].as_array().unwrap().len(), 2);
    assert_eq!(client.get("/orders/1").await.status, 404);
    assert_eq!(client.get("/orders/x").await.status, 404);

    let etag = answer.etag.unwrap();
    assert_eq!(client.complete(id, &etag).await.status, 204);
    let after = client.get(&format!("/orders/{id}?detail=All")).await;
    assert_ne!(after.etag.as_ref(), Some(&etag));
    assert_eq!(after.body["readOnly"]["deferNotification"], false);
    let lines = &after.body["_embedded"][ORDER_ITEM];
    assert_eq!(lines[0]["readOnly"]["fullyAllocated"], true);
    assert_eq!(lines[1]["readOnly"]["fullyAllocated"], false, "nothing of SKU-B in stock");
    let stock = &client.handle().stock()[0];
    assert_eq!((stock.physical, stock.allocated, stock.available), (100.into(), 5.into(), 95.into()));
    let released = client.handle().ledger().orders[0].released_at;
    assert!(released.is_some());
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_named() {
    let without = |name: &str| {
        let mut body = order("R1", &[("SKU-A", 1.0)]);
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = order("R1", &[("SKU-A", 1.0)]);
        body[name] = value;
        body
    };
    let cases = [
        (without("customerIdentifier"), "CustomerIdentifier", "Required"),
        (with("customerIdentifier", json!({"id": 9})), "CustomerIdentifier", "DoesNotExist"),
        (with("customerIdentifier", json!({"name": "Nobody"})), "CustomerIdentifier", "DoesNotExist"),
        (without("facilityIdentifier"), "FacilityIdentifier", "Required"),
        (with("facilityIdentifier", json!({"id": 9})), "FacilityIdentifier", "DoesNotExist"),
        (without("referenceNum"), "ReferenceNum", "Required"),
        (without("shipTo"), "ShipTo", "Required"),
        (with("shipTo", json!({"city": "Leeds"})), "ShipTo.Name", "Required"),
        (without("billingCode"), "BillingCode", "Required"),
        (without("orderItems"), "OrderItems", "Required"),
        (with("orderItems", json!([{"qty": 1.0}])), "ItemIdentifier", "Required"),
        (order("R1", &[("NOBODY", 1.0)]), "ItemIdentifier", "DoesNotExist"),
        (with("orderItems", json!([{"itemIdentifier": {"sku": "SKU-A"}}])), "Qty", "Required"),
        (order("R1", &[("SKU-A", 0.0)]), "Qty", "ValueNotSupported"),
        (with("orderItems", json!([{"itemIdentifier": {"sku": "SKU-A"}, "qty": "1"}])), "Qty", "ValueNotSupported"),
    ];
    let client = Client::start(Switches::default()).await;
    for (body, property, code) in cases {
        let answer = client.create(&body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(
            answer.body["$type"],
            "WMS.V2.Generic.Models.Exceptions.ModelValidationException, WMS.V2.Generic.Models"
        );
        assert_eq!(answer.body["Properties"][0]["Name"], property, "{body}");
        assert_eq!(answer.body["ErrorCode"], code, "{body}");
    }
    let ledger = client.handle().ledger();
    assert!(ledger.orders.is_empty());
    assert!(ledger.mutations.iter().all(|mutation| !mutation.took_effect && mutation.code.is_some()));

    // Another customer's item is not this customer's, even by id.
    let theirs = client.handle().add_item(144, "SKU-A");
    let body = with("orderItems", json!([{"itemIdentifier": {"id": theirs}, "qty": 1}]));
    assert_eq!(client.create(&body).await.body["ErrorCode"], "DoesNotExist");
}

#[tokio::test]
async fn unreadable_bodies() {
    let client = Client::start(Switches::default()).await;
    let url = format!("{}/orders", client.server.base_url());
    for (media_type, status) in [("application/hal+json", 400), ("text/plain", 415)] {
        let answer = client
            .http
            .post(&url)
            .bearer_auth(&client.token)
            .header("Content-Type", media_type)
            .body("{\"referenceNum\":")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn duplicates_by_switch() {
    for (switch, live, after_cancel) in [
        (Duplicates::Accepted, 201, 201),
        (Duplicates::RefusedAmongLive, 400, 201),
        (Duplicates::RefusedEver, 400, 400),
    ] {
        let client = Client::start(Switches { duplicates: switch, ..Switches::default() }).await;
        let body = order("R1", &[("SKU-A", 1.0)]);
        let (id, etag) = client.created(&body).await;
        let again = client.create(&body).await;
        assert_eq!(again.status.as_u16(), live, "{switch:?}");
        if live == 400 {
            assert_eq!(again.body["ErrorCode"], "Duplicate");
            assert_eq!(again.body["Properties"], json!([{"Name": "ReferenceNum", "Value": "R1"}]));
            assert!(client.handle().ledger().duplicates.is_empty());
        } else {
            let duplicates = client.handle().ledger().duplicates;
            assert_eq!((duplicates[0].reference.as_str(), duplicates[0].order_ids.len()), ("R1", 2));
        }
        let mut theirs = body.clone();
        theirs["customerIdentifier"] = json!({"id": 144});
        assert_eq!(client.create(&theirs).await.status, 201, "another customer's reference is another reference");
        client.cancel(id, &etag).await;
        assert_eq!(client.create(&body).await.status.as_u16(), after_cancel, "{switch:?}");
    }
}

#[tokio::test]
async fn changes_need_the_right_tag() {
    let client = Client::start(Switches::default()).await;
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    let path = format!("/orders/{id}");
    let body = order("R1", &[("SKU-A", 2.0)]);
    for (method, operator) in [(Method::PUT, ""), (Method::POST, "/completer"), (Method::POST, "/canceler")] {
        let path = format!("{path}{operator}");
        assert_eq!(client.send(method.clone(), &path, None, Some(&body)).await.status, 428, "{path}");
        assert_eq!(client.send(method, &path, Some("\"stale\""), Some(&body)).await.status, 412, "{path}");
    }
    assert_eq!(client.complete(id, &format!("W/{etag}")).await.status, 204, "the weak form is taken");
    assert_eq!(client.complete(id, &etag).await.status, 412, "the tag has moved on");
    let fresh = client.get(&path).await.etag.unwrap();
    let again = client.complete(id, &fresh).await;
    assert_eq!((again.status.as_u16(), &again.body["ErrorCode"]), (403, &json!("AlreadyCompleted")));
    assert!(again.body["$type"].as_str().unwrap().contains("OperationException"));
    assert_eq!(client.complete(1, &etag).await.status, 404);
}

#[tokio::test]
async fn left_out_deferral_depends_on_the_warehouse() {
    for (queue, deferred) in [(OrderQueue::Complete, false), (OrderQueue::Incomplete, true)] {
        let client = Client::start(Switches { order_queue: queue, ..Switches::default() }).await;
        let mut body = order("R1", &[("SKU-A", 1.0)]);
        body.as_object_mut().unwrap().remove("deferNotification");
        let answer = client.create(&body).await;
        assert_eq!(answer.body["readOnly"]["deferNotification"], deferred);
        assert_eq!(client.handle().ledger().orders[0].released_at.is_none(), deferred);
    }
}

#[tokio::test]
async fn completion_may_show_nowhere_and_stock_may_be_set_aside_early() {
    let switches =
        Switches { complete_shows: CompleteShows::Nothing, allocation: Allocation::WhenCreated, ..Switches::default() };
    let client = Client::start(switches).await;
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 3.0)])).await;
    assert_eq!(client.handle().stock()[0].allocated, 3.into());
    client.complete(id, &etag).await;
    let after = client.get(&format!("/orders/{id}")).await;
    assert_eq!(after.body["readOnly"]["deferNotification"], true);
    assert_ne!(after.etag.unwrap(), etag);
}

#[tokio::test]
async fn cancelling_by_stage_and_switch() {
    // For each switch: deferred, complete, picking.
    for (switch, expected) in [
        (CancelUntil::Complete, [204, 403, 403]),
        (CancelUntil::Picking, [204, 204, 403]),
        (CancelUntil::Closed, [204, 204, 204]),
        (CancelUntil::Never, [403, 403, 403]),
    ] {
        for (stage, status) in expected.into_iter().enumerate() {
            let client = Client::start(Switches { cancel_until: switch, ..Switches::default() }).await;
            let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
            if stage > 0 {
                client.complete(id, &etag).await;
            }
            if stage > 1 {
                client.handle().work();
            }
            let etag = client.get(&format!("/orders/{id}")).await.etag.unwrap();
            let answer = client.cancel(id, &etag).await;
            assert_eq!(answer.status.as_u16(), status, "{switch:?} at stage {stage}");
            let order = &client.handle().ledger().orders[0];
            assert_eq!(order.status == Status::Cancelled, status == 204);
            if status == 204 {
                assert_eq!(client.handle().stock()[0].allocated, 0.into(), "its stock is free again");
            }
        }
    }
}

#[tokio::test]
async fn what_is_cancelled_stays_so() {
    for (switch, closed) in [(CancelledIsClosed::No, false), (CancelledIsClosed::Yes, true)] {
        let client = Client::start(Switches { cancelled_is_closed: switch, ..Switches::default() }).await;
        let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
        let no_reason =
            client.send(Method::POST, &format!("/orders/{id}/canceler"), Some(&etag), Some(&json!({}))).await;
        assert_eq!((no_reason.status.as_u16(), &no_reason.body["ErrorCode"]), (400, &json!("Required")));
        assert_eq!(client.cancel(id, &etag).await.status, 204);
        let after = client.get(&format!("/orders/{id}")).await;
        assert_eq!(after.body["readOnly"]["status"], 2);
        assert_eq!(after.body["readOnly"]["isClosed"], closed);
        let etag = after.etag.unwrap();
        assert_eq!(client.cancel(id, &etag).await.body["ErrorCode"], "OrderCanceled");
        assert_eq!(client.complete(id, &etag).await.body["ErrorCode"], "OrderCanceled");
    }
}

#[tokio::test]
async fn a_closed_order_takes_no_change() {
    let client = Client::start(Switches::default()).await;
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    client.complete(id, &etag).await;
    client.handle().ship(id, &Dispatch::full()).unwrap();
    let etag = client.get(&format!("/orders/{id}")).await.etag.unwrap();
    assert_eq!(client.cancel(id, &etag).await.body["ErrorCode"], "OrderConfirmed");
    assert_eq!(client.complete(id, &etag).await.body["ErrorCode"], "OrderConfirmed");
    let body = order("R1", &[("SKU-A", 2.0)]);
    let put = client.send(Method::PUT, &format!("/orders/{id}"), Some(&etag), Some(&body)).await;
    assert_eq!(put.body["ErrorCode"], "OrderConfirmed");
}

#[tokio::test]
async fn put_replaces_or_merges_lines() {
    for (switch, expected) in
        [(PutLines::Replace, vec![("SKU-A", 7)]), (PutLines::Merge, vec![("SKU-A", 7), ("SKU-B", 1)])]
    {
        let client = Client::start(Switches { put_lines: switch, ..Switches::default() }).await;
        let (id, etag) = client.created(&order("R1", &[("SKU-A", 5.0), ("SKU-B", 1.0)])).await;
        let body = order("R1b", &[("SKU-A", 7.0)]);
        let answer = client.send(Method::PUT, &format!("/orders/{id}"), Some(&etag), Some(&body)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.etag.is_some_and(|fresh| fresh != etag));
        let lines: Vec<(String, rust_decimal::Decimal)> =
            client.handle().ledger().orders[0].lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect();
        let expected: Vec<(String, rust_decimal::Decimal)> =
            expected.into_iter().map(|(sku, units)| (sku.to_owned(), units.into())).collect();
        assert_eq!(lines, expected);
        assert!(client.find("referenceNum==R1").await.is_empty());
        assert_eq!(client.find("referenceNum==R1b").await, [id]);
    }
}

#[tokio::test]
async fn held_orders_block_what_clients_ask() {
    let client = Client::start(Switches::default()).await;
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    let body = json!({"orderIdentifiers": [{"id": id}, {"id": 1}]});
    let path = "/orders/orderholder";
    assert_eq!(client.send(Method::PUT, path, None, Some(&body)).await.status, 400, "a hold needs a reason");
    let held = client.send(Method::PUT, &format!("{path}?holdReason=fraud"), None, Some(&body)).await;
    assert_eq!(held.status, 200);
    assert_eq!(held.body["heldOrderIds"], json!([id]));
    assert!(held.body["exceptions"]["1"].is_string());
    let order = client.get(&format!("/orders/{id}")).await;
    assert_eq!(order.body["readOnly"]["onHoldReason"], "fraud");
    assert!(order.body["readOnly"]["onHoldDate"].is_string());
    let tag = order.etag.unwrap();
    assert_ne!(tag, etag);
    assert_eq!(client.complete(id, &tag).await.body["ErrorCode"], "InUse");
    assert_eq!(client.cancel(id, &tag).await.body["ErrorCode"], "InUse");
    let freed = client.send(Method::PUT, &format!("{path}?release=true"), None, Some(&body)).await;
    assert_eq!(freed.body["heldOrderIds"], json!([id]));
    let tag = client.get(&format!("/orders/{id}")).await.etag.unwrap();
    assert_eq!(client.complete(id, &tag).await.status, 204);
}

#[tokio::test]
async fn a_new_order_may_be_missing_from_lists_for_a_while() {
    let lag = Duration::from_secs(60);
    let client = Client::start_with(Config { search_lag: lag, ..config(Switches::default()) }).await;
    let (id, _) = client.created(&order("R1", &[("SKU-A", 1.0)])).await;
    assert_eq!(client.get(&format!("/orders/{id}")).await.status, 200);
    assert!(client.find("referenceNum==R1").await.is_empty());
    client.handle().advance(lag);
    assert_eq!(client.find("referenceNum==R1").await, [id]);
}
