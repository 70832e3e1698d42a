//! Stock, items, customers, facilities and carriers.

use serde_json::{Value, json};
use simulators::extensiv::{Item, OnHand, Received, Switches, TrackBys};

use super::client::{Client, order};

async fn summaries(client: &Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/inventory/stocksummaries?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.get("_embedded").is_none());
    answer.body["summaries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn summaries_carry_no_customer_and_only_the_filter_fences() {
    let client = Client::start(Switches::default()).await;
    client.handle().receive(&Received::plain(144, 10, "SKU-A", 7.into())).unwrap();
    client.handle().receive(&Received::plain(143, 11, "SKU-A", 3.into())).unwrap();
    let (id, etag) = client.created(&order("R1", &[("SKU-A", 5.0)])).await;
    client.complete(id, &etag).await;

    assert_eq!(summaries(&client, "").await.len(), 3, "without a filter every customer's stock comes");
    let own = summaries(&client, "rql=customerIdentifier.id%3D%3D143").await;
    assert_eq!(own.len(), 2);
    let row = &own[0];
    assert!(row.get("customerIdentifier").is_none());
    assert_eq!(row["itemIdentifier"]["sku"], "SKU-A");
    assert_eq!((&row["available"], &row["allocated"], &row["onHand"]), (&json!(95.0), &json!(5.0), &json!(100.0)));
    assert_eq!((&row["totalReceived"], &row["facilityId"]), (&json!(100.0), &json!(10)));
    assert_eq!(client.get("/inventory/stocksummaries?sort=sku").await.status, 400);
}

#[tokio::test]
async fn held_stock_cannot_be_set_aside() {
    for (switch, on_hand) in [(OnHand::WithHeld, 110.0), (OnHand::WithoutHeld, 100.0)] {
        let client = Client::start(Switches { on_hand: switch, ..Switches::default() }).await;
        client.handle().receive(&Received { on_hold: true, ..Received::plain(143, 10, "SKU-A", 10.into()) }).unwrap();
        let row = &summaries(&client, "").await[0];
        assert_eq!((&row["available"], &row["onHold"]), (&json!(100.0), &json!(10.0)));
        assert_eq!(row["onHand"], json!(on_hand));
        let (id, etag) = client.created(&order("R1", &[("SKU-A", 105.0)])).await;
        client.complete(id, &etag).await;
        let row = &summaries(&client, "").await[0];
        assert_eq!((&row["allocated"], &row["orderedNotAllocated"]), (&json!(100.0), &json!(5.0)));
    }
}

#[tokio::test]
async fn qualifiers_are_rows_of_their_own() {
    let client = Client::start(Switches::default()).await;
    let graded = Received { qualifier: "B".to_owned(), ..Received::plain(143, 10, "SKU-A", 4.into()) };
    client.handle().receive(&graded).unwrap();
    let rows = summaries(&client, "").await;
    let shown: Vec<(&Value, &Value)> = rows.iter().map(|row| (&row["qualifier"], &row["available"])).collect();
    assert_eq!(shown, [(&json!(""), &json!(100.0)), (&json!("B"), &json!(4.0))]);
}

#[tokio::test]
async fn details_need_customer_and_facility() {
    let client = Client::start(Switches::default()).await;
    let lot = Received {
        lot: "LOT1".to_owned(),
        expiration: Some("2027-01-01T00:00:00".to_owned()),
        quarantined: true,
        ..Received::plain(143, 10, "SKU-B", 3.into())
    };
    client.handle().receive(&lot).unwrap();
    for query in ["", "?customerid=143", "?facilityid=10"] {
        let refused = client.get(&format!("/inventory/stockdetails{query}")).await;
        assert_eq!((refused.status.as_u16(), &refused.body["ErrorCode"]), (400, &json!("Required")), "{query}");
    }
    let answer = client.get("/inventory/stockdetails?customerid=143&facilityid=10").await.body;
    assert_eq!(answer["totalResults"], 2);
    let row = &answer["_embedded"]["item"][1];
    assert_eq!((&row["lotNumber"], &row["expirationDate"]), (&json!("LOT1"), &json!("2027-01-01T00:00:00")));
    assert_eq!((&row["received"], &row["onHand"], &row["available"]), (&json!(3.0), &json!(3.0), &json!(0.0)));
    assert_eq!((&row["isOnHold"], &row["quarantined"]), (&json!(false), &json!(true)));
    let inventory = client.get("/inventory").await.body;
    assert_eq!(inventory["_embedded"]["item"][0]["onHandQty"], json!(100.0));
    assert_eq!(inventory["_embedded"]["item"][0]["customerIdentifier"]["id"], 143);
}

#[tokio::test]
async fn items_customers_facilities_and_carriers() {
    let client = Client::start(Switches::default()).await;
    client.handle().put_item(Item {
        id: 0,
        customer: 143,
        sku: "OLD".to_owned(),
        description: "gone".to_owned(),
        upc: "123".to_owned(),
        deactivated: true,
        track_bys: TrackBys { lot: 2, serial: 1, expiration: 0 },
    });
    let items = client.get("/customers/143/items?rql=sku%3D%3DOLD").await.body;
    let item = &items["_embedded"]["http://api.3plCentral.com/rels/customers/item"][0];
    assert_eq!(item["readOnly"]["deactivated"], true);
    assert_eq!(item["options"]["trackBys"]["trackLotNumber"], 2);
    let refused = client.create(&order("R1", &[("OLD", 1.0)])).await;
    assert_eq!(refused.body["ErrorCode"], "Incompatible");
    let id = item["itemId"].as_u64().unwrap();
    assert_eq!(client.get(&format!("/customers/143/items/{id}")).await.body["sku"], "OLD");
    assert_eq!(client.get(&format!("/customers/144/items/{id}")).await.status, 404);
    assert_eq!(client.get("/customers/9/items").await.status, 404);

    let customers = client.get("/customers").await.body;
    let customers = &customers["_embedded"]["http://api.3plCentral.com/rels/customers/customer"];
    assert_eq!(customers[1]["companyInfo"]["companyName"], "Bolt");
    assert_eq!(client.get("/customers/144").await.body["readOnly"]["customerId"], 144);
    assert_eq!(client.get("/customers/9").await.status, 404);

    let facilities = client.get("/properties/facilities").await.body;
    let facility = &facilities["_embedded"]["http://api.3plCentral.com/rels/properties/facility"][0];
    assert_eq!((&facility["facilityId"], &facility["timeZoneName"]), (&json!(10), &json!("Eastern Standard Time")));

    let carriers = client.get("/properties/carriers").await.body;
    let carrier = &carriers["_embedded"]["http://api.3plCentral.com/rels/properties/carrier"][0];
    assert_eq!((&carrier["carrierCode"], &carrier["scacCode"]), (&json!("UPS"), &json!("UPSN")));
    assert_eq!(carrier["shipmentServices"][0]["description"], "Ground");
    assert_eq!(carrier["billingCodes"][0]["code"], "Prepaid");
}
