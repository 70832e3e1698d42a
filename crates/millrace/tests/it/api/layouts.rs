//! Describing the layout of a warehouse's files: a sample is shown as it would be read, and nothing is kept of it.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Installation, browser::administrator};

fn sample(more: Value, content: &[u8]) -> Value {
    let mut given = json!({ "holds": "stock", "name": "inv_1.csv", "content_base64": STANDARD.encode(content) });
    given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    given
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_shown_with_given_settings_and_with_those_of_a_warehouse() {
    const PATH: &str = "/api/v1/warehouses/preview";
    let installation = Installation::new().await;
    let mut ann = administrator(&installation).await;
    let settings =
        json!({ "stock_columns": "sku=Artikel, available=Frei", "delimiter": "semicolon", "encoding": "windows-1252" });
    let content = b"Artikel;Frei\nSKU-A;5\nM\xfctze;viele\n";
    let shown = ann.post(PATH, sample(json!({ "platform": "csv", "settings": settings }), content)).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let shown = shown.json();
    assert_eq!((shown["name_fits"].as_bool(), &shown["titles"]), (Some(true), &json!(["Artikel", "Frei"])));
    assert_eq!(shown["rows"][1]["fields"]["sku"], "M\u{fc}tze");
    assert!(shown["rows"][1]["problem"].as_str().unwrap().contains("line 3, column 2"), "{shown}");
    assert_eq!(shown["found"][1], "SKU-A, available 5");
    assert!(shown["order"].as_str().unwrap().contains("BPexample-O100001"));

    // The settings of one that is kept, and one of them tried otherwise.
    ann.post("/api/v1/merchants", json!({ "name": "Acme" })).await;
    let mut kept = settings.clone();
    kept.as_object_mut()
        .unwrap()
        .extend(json!({ "host": "sftp.example.com", "user": "acme" }).as_object().unwrap().clone());
    let made = json!({
        "name": "Acme 3PL", "merchant": "Acme", "platform": "csv", "settings": kept, "secrets": { "password": "example-password" },
    });
    let made = ann.post("/api/v1/warehouses", made).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let again = ann.post(PATH, sample(json!({ "of": "Acme 3PL" }), content)).await;
    // But for the moment of the count, which the file does not name.
    assert_eq!(again.json()["found"][1], shown["found"][1]);
    assert_eq!(again.json()["rows"], shown["rows"]);
    let tried =
        ann.post(PATH, sample(json!({ "of": "Acme 3PL", "settings": { "delimiter": "comma" } }), content)).await;
    assert_eq!(tried.json()["found"], json!([]));
    assert!(tried.json()["problems"][0].as_str().unwrap().contains("there is no column"), "{}", tried.text);

    for (given, told) in [
        (sample(json!({ "platform": "x12" }), content), "no layout to describe"),
        (sample(json!({ "platform": "nothing" }), content), "no connector"),
        (sample(json!({}), content), "no platform"),
        (sample(json!({ "platform": "dsfx", "of": "Acme 3PL" }), content), "another platform"),
        (sample(json!({ "platform": "csv", "settings": { "dates": "soon" } }), content), "dates"),
        (json!({ "platform": "csv", "holds": "stock", "name": "x", "content_base64": "?" }), "base64"),
    ] {
        let refused = ann.post(PATH, given).await;
        assert!(
            refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.text.contains(told),
            "{told}: {}",
            refused.text
        );
    }
    assert_eq!(ann.post(PATH, sample(json!({ "of": "Nobody" }), content)).await.status, StatusCode::NOT_FOUND);
}
