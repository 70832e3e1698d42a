//! Tokens, roles, media types and pages.

use std::time::Duration;

use serde_json::{Value, json};
use simulators::extensiv::{Config, Switches, TokenRefusal};
use simulators::faults::{Fault, FaultRule};

use super::client::{Client, ORDER, config, order};

#[tokio::test]
async fn a_token_says_how_long_it_lives_and_dies_then() {
    let mut client = Client::start(Switches::default()).await;
    let body = json!({"grant_type": "client_credentials", "user_login": "millrace"});
    let answer: Value = client.token_call("client", "secret", &body).await.json().await.unwrap();
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer["refresh_token"].is_null() && answer["scope"].is_null());
    let life = answer["expires_in"].as_u64().unwrap();
    assert!((1800..=3600).contains(&life));
    client.token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(client.get("/orders").await.status, 200);
    client.handle().advance(Duration::from_secs(life));
    assert_eq!(client.get("/orders").await.status, 401);
    client.sign_in().await;
    client.handle().expire_tokens();
    let refused = client.get("/orders").await;
    assert_eq!((refused.status.as_u16(), refused.body), (401, Value::String(String::new())));
}

#[tokio::test]
async fn refused_token_calls() {
    let good = json!({"grant_type": "client_credentials", "user_login": "millrace"});
    let client = Client::start(Switches::default()).await;
    let answer = client.token_call("client", "wrong", &good).await;
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body, json!({"Message": "invalid_client: client not registered"}));
    let bodies = [
        json!({"grant_type": "password", "user_login": "millrace"}),
        json!({"grant_type": "client_credentials"}),
        json!({"grant_type": "client_credentials", "user_login": "nobody"}),
        json!({"grant_type": "client_credentials", "user_login_id": 8}),
    ];
    for body in bodies {
        assert_eq!(client.token_call("client", "secret", &body).await.status(), 401, "{body}");
    }
    let by_id = json!({"grant_type": "client_credentials", "user_login_id": 7});
    assert_eq!(client.token_call("client", "secret", &by_id).await.status(), 200);

    let client = Client::start(Switches { token_refusal: TokenRefusal::OAuth, ..Switches::default() }).await;
    let body: Value = client.token_call("x", "y", &good).await.json().await.unwrap();
    assert_eq!(body, json!({"error": "invalid_client", "error_description": "client not registered"}));
}

#[tokio::test]
async fn a_dynamic_credential_must_name_the_warehouse() {
    let server =
        simulators::extensiv::Extensiv::start(Config { tpl: Some("ab-12".to_owned()), ..config(Switches::default()) })
            .await
            .unwrap();
    let url = format!("{}/AuthServer/api/Token", server.base_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (tpl, status) in [(None, 401), (Some("{other}"), 401), (Some("{AB-12}"), 200)] {
        let body = json!({"grant_type": "client_credentials", "user_login": "millrace", "tpl": tpl});
        let answer = http.post(&url).basic_auth("client", Some("secret")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_missing_role_is_an_authorization_exception() {
    let mut config = config(Switches::default());
    config.roles.remove("OrderWrite");
    let client = Client::start_with(config).await;
    let answer = client.create(&order("R1", &[("SKU-A", 1.0)])).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body["$type"].as_str().unwrap().contains("AuthorizationException"));
    let ledger = client.handle().ledger();
    assert!(ledger.orders.is_empty() && !ledger.mutations[0].took_effect);
}

#[tokio::test]
async fn the_media_type_decides_the_shape() {
    let mut client = Client::start(Switches::default()).await;
    client.created(&order("R1", &[("SKU-A", 2.0)])).await;
    let hal = client.get("/orders?detail=All").await.body;
    assert_eq!(hal["totalResults"], 1);
    assert_eq!(hal["_embedded"][ORDER][0]["referenceNum"], "R1");
    assert!(hal["_links"]["self"]["href"].is_string());

    client.accept = "application/json";
    let plain = client.get("/orders?detail=All").await.body;
    assert_eq!(plain["TotalResults"], 1);
    let row = &plain["ResourceList"][0];
    assert_eq!(row["ReferenceNum"], "R1");
    assert_eq!(row["ReadOnly"]["CustomerIdentifier"]["Id"], 143);
    assert_eq!(row["OrderItems"][0]["ItemIdentifier"]["Sku"], "SKU-A");
    assert!(plain.get("_links").is_none() && plain.get("_embedded").is_none());

    // Bodies in PascalCase are read as well.
    let pascal = json!({
        "CustomerIdentifier": {"Id": 143}, "FacilityIdentifier": {"Name": "NEWARK-1"}, "ReferenceNum": "R2",
        "ShipTo": {"Name": "Jane"}, "OrderItems": [{"ItemIdentifier": {"Sku": "SKU-A"}, "Qty": 1}],
    });
    let answer = client.create(&pascal).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["ReferenceNum"], "R2");
}

#[tokio::test]
async fn pages_have_limits() {
    let client = Client::start(Switches::default()).await;
    for number in 0..5 {
        client.created(&order(&format!("R{number}"), &[("SKU-A", 1.0)])).await;
    }
    let page = client.get("/orders?pgsiz=2&pgnum=2").await.body;
    assert_eq!(page["totalResults"], 5);
    let references: Vec<&str> =
        page["_embedded"][ORDER].as_array().unwrap().iter().map(|one| one["referenceNum"].as_str().unwrap()).collect();
    assert_eq!(references, ["R2", "R3"]);
    assert!(page["_links"]["next"].is_object() && page["_links"]["prev"].is_object());
    assert_eq!(client.get("/orders?pgsiz=2&pgnum=9").await.body["_embedded"][ORDER], json!([]));

    let limits = [
        ("/orders", 1000),
        ("/inventory", 1000),
        ("/inventory/stocksummaries", 500),
        ("/inventory/stockdetails?customerid=143&facilityid=10", 500),
        ("/customers", 100),
        ("/customers/143/items", 100),
    ];
    for (path, most) in limits {
        let join = if path.contains('?') { '&' } else { '?' };
        assert_eq!(client.get(&format!("{path}{join}pgsiz={most}")).await.status, 200, "{path}");
        let refused = client.get(&format!("{path}{join}pgsiz={}", most + 1)).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.body["$type"].as_str().unwrap().contains("QueryParameterException"));
        assert_eq!(refused.body["Parameters"], json!(["pgsiz"]));
    }
    for query in ["pgsiz=0", "pgsiz=x", "pgnum=0", "detail=Everything", "itemdetail=Nothing", "sort=nosuch"] {
        assert_eq!(client.get(&format!("/orders?{query}")).await.status, 400, "{query}");
    }
    // Without a size: 10 items a page.
    for number in 0..12 {
        client.handle().add_item(143, &format!("MORE-{number}"));
    }
    let items = client.get("/customers/143/items").await.body;
    assert_eq!(items["_embedded"]["http://api.3plCentral.com/rels/customers/item"].as_array().unwrap().len(), 10);
    assert_eq!(items["totalResults"], 14);
}

#[tokio::test]
async fn a_500_after_the_effect_is_plain_text() {
    let client = Client::start(Switches::default()).await;
    client
        .server
        .faults()
        .add(FaultRule::new(Fault::ErrorAfterEffect { html: false }).method("POST").path_contains("/orders").nth(1));
    let answer = client.create(&order("R1", &[("SKU-A", 1.0)])).await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.is_string(), "not JSON: {}", answer.body);
    assert_eq!(client.find("referenceNum==R1").await.len(), 1);
    client.server.faults().add(FaultRule::new(Fault::ExpireTokens).path_contains("/orders"));
    assert_eq!(client.get("/orders").await.status, 401);
}

#[tokio::test]
async fn the_connection_may_drop_after_the_effect() {
    let client = Client::start(Switches::default()).await;
    client.server.faults().add(
        FaultRule::new(Fault::TimeoutAfterEffect { hold: Duration::ZERO })
            .method("POST")
            .path_contains("/orders")
            .nth(1),
    );
    let url = format!("{}/orders", client.server.base_url());
    let lost = client
        .http
        .post(url)
        .bearer_auth(&client.token)
        .header("Content-Type", "application/hal+json")
        .body(order("R1", &[("SKU-A", 1.0)]).to_string())
        .send()
        .await;
    assert!(lost.is_err());
    assert_eq!(client.find("referenceNum==R1").await.len(), 1);
    let ledger = client.handle().ledger();
    assert!(ledger.mutations.iter().any(|mutation| mutation.took_effect && mutation.status == 201));
}
