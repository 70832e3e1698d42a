//! Documents of warehouses as people read them: one that is given, and one that was set aside.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{FeedCursor, Inbound, RejectedInput};
use serde_json::{Value, json};

use super::orders::Shop;

const ADVICE: &str = "ISA*00*          *00*          *ZZ*THREEPL        *ZZ*BPMERCHANT     *261123*0630*U*00401*000000001*0*P*>~\
    GS*SW*THREEPL*BPMERCHANT*20261123*0630*1*X*004010~ST*945*0001~W06*F*A*20261123*S1~W12*CP*5*2**EA**VN*SKU~SE*9*0001~\
    GE*1*1~IEA*1*000000001~";

fn line<'a>(shown: &'a Value, id: &str) -> &'a Value {
    shown["segments"].as_array().unwrap().iter().find(|segment| segment["id"] == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_shown_with_its_meanings() {
    let shop = Shop::new().await;
    let given = shop.post("documents/show", json!({ "content_base64": STANDARD.encode(ADVICE) })).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.text);
    let shown = given.json();
    assert_eq!(line(&shown, "ST")["name"], "Warehouse shipping advice");
    let status = &line(&shown, "W12")["elements"][0];
    assert_eq!(
        status,
        &json!({ "number": 1, "name": "Status", "value": "CP", "meaning": "part shipped, the rest is cancelled" })
    );
    assert!(line(&shown, "SE")["findings"][0].as_str().unwrap().contains("counts 9"), "{shown:#}");
    for (content, told) in [("?".to_owned(), "base64"), (STANDARD.encode(&ADVICE[..150]), "cannot be shown")] {
        let refused = shop.post("documents/show", json!({ "content_base64": content })).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }

    // One that was set aside is shown where it is kept.
    let input = |name: &str, content: &[u8]| RejectedInput {
        input: Inbound { name: name.to_owned(), content_hash: name.to_owned(), content: content.to_vec() },
        reason: format!("{name} cannot be used"),
        beside: false,
        key: None,
    };
    let rejected = [input("945.edi", ADVICE.as_bytes()), input("cut.edi", &ADVICE.as_bytes()[..150])];
    let db = &shop.installation.hub.db;
    db.record_shipments(&shop.key, Vec::new(), Vec::new(), &[], &rejected, &FeedCursor::default()).await.unwrap();
    let kept = db.exceptions(&shop.key, false, 10).await.unwrap();
    let id = |name: &str| kept.iter().find(|row| row.subject.starts_with(name)).unwrap().id.clone();
    assert_eq!(shop.get(&format!("exceptions/{}/document", id("945.edi"))).await, shown);
    let cut = shop.installation.get(&format!("/api/v1/exceptions/{}/document", id("cut.edi"))).await;
    assert!(cut.status == StatusCode::UNPROCESSABLE_ENTITY && cut.text.contains("cut off"), "{}", cut.text);
}
