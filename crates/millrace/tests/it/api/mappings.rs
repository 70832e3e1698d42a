//! Translation tables as CSV, over the API: in and out, all or nothing, on both databases.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use serde_json::json;

use super::{
    Answer, Installation,
    access::{brightpearl, connected},
};

/// What every table is taken in from here, and what is written of it. The names are those of the stand-in's account.
const TABLES: [(&str, &str, &str); 5] = [
    (
        "listings.csv",
        "SKU,Their SKU\nA,W-A\n\"B, odd\",W-B\n",
        "brightpearl_sku,warehouse_sku\r\nA,W-A\r\n\"B, odd\",W-B\r\n",
    ),
    (
        "kits.csv",
        "Brightpearl SKU,Part SKU,Units\nSET,W-A,2\nSET,W-B,1\n",
        "brightpearl_sku,part_sku,units\r\nSET,W-A,2\r\nSET,W-B,1\r\n",
    ),
    ("ship_methods.csv", "METHOD,UPS,Ground\n", "brightpearl_method,carrier,service\r\nMETHOD,UPS,Ground\r\n"),
    ("source_methods.csv", "UPS,,METHOD\n", "carrier,service,brightpearl_method\r\nUPS,,METHOD\r\n"),
    ("locations.csv", "EAST,WAREHOUSE\n", "facility,brightpearl_warehouse\r\nEAST,WAREHOUSE\r\n"),
];

impl Installation {
    async fn send_csv(&self, path: &str, csv: &str) -> Answer {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", self.administrator))
            .header("content-type", "text/csv");
        self.send(request.body(Body::from(csv.to_owned())).unwrap()).await
    }
}

async fn tables_come_and_go(installation: Installation) {
    let source = brightpearl(0).await;
    let folder = tempfile::tempdir().unwrap();
    connected(&installation, &source.base_url(), folder.path().to_str().unwrap()).await;
    let base = "/api/v1/connections/main/mappings";
    let choices = installation.get("/api/v1/connections/main/choices").await.json();
    let (method, warehouse) = (&choices["ship_methods"][0], &choices["warehouses"][0]);
    let named = |text: &str, field: &str| {
        let of = |one: &serde_json::Value| one[field].to_string().replace('"', "");
        text.replace("METHOD", &of(method)).replace("WAREHOUSE", &of(warehouse))
    };
    for (table, given, written) in TABLES {
        let (path, given, written) = (format!("{base}/{table}"), named(given, "name"), named(written, "id"));
        let empty = installation.get(&path).await;
        assert_eq!((empty.status, empty.text.lines().count()), (StatusCode::OK, 1), "{}", empty.text);
        let preview = installation.send_csv(&format!("{path}?preview=true"), &given).await;
        assert_eq!(preview.status, StatusCode::OK, "{table}: {}", preview.text);
        assert!(preview.json()["preview"] == true && preview.json()["added"].as_u64() > Some(0), "{}", preview.text);
        assert_eq!(installation.get(&path).await.text, empty.text, "{table}: a preview changes nothing");
        // One line that is wrong, at the end: nothing of the others is kept.
        let wrong = installation.send_csv(&path, &format!("{given}alone\n")).await;
        assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid"));
        let line = format!("line {}", given.lines().count() + 1);
        assert_eq!(wrong.json()["problems"][0]["at"], line.as_str(), "{}", wrong.text);
        assert_eq!(installation.get(&path).await.text, empty.text, "{table}: nothing was changed");

        let added = installation.send_csv(&path, &given).await;
        assert_eq!(added.status, StatusCode::OK, "{table}: {}", added.text);
        assert_eq!(installation.get(&path).await.text, written, "{table}");
        // What was written out is taken in again, and nothing of it is new.
        let same = installation.send_csv(&path, &written).await.json();
        assert_eq!((&same["added"], &same["changed"], &same["left"]), (&json!(0), &json!([]), &json!([])), "{same}");
    }

    // What is there is left, unless it is to be replaced; what the file does not name stays.
    let path = format!("{base}/kits.csv");
    let left = installation.send_csv(&path, "SET,W-C,3\nNEW,W-C,1\n").await.json();
    assert_eq!((&left["added"], &left["left"]), (&json!(1), &json!([["SET", "2 x W-A, 1 x W-B", "3 x W-C"]])));
    let replaced = installation.send_csv(&format!("{path}?overwrite=true"), "SET,W-C,3\n").await.json();
    assert_eq!(replaced["changed"].as_array().map(Vec::len), Some(1), "{replaced}");
    let kits = installation.get(&path).await.text;
    assert_eq!(kits, "brightpearl_sku,part_sku,units\r\nNEW,W-C,1\r\nSET,W-C,3\r\n");
    let all = installation.get(base).await.json();
    assert_eq!(all["listings"], json!([["A", "W-A"], ["B, odd", "W-B"]]), "the other tables are as they were: {all}");
    let trail = installation.get("/api/v1/audit?limit=500").await.text;
    assert_eq!(trail.matches("\"connection.mappings\"").count(), 7, "each change, and no preview: {trail}");

    // What the account does not have is said with its line.
    let nowhere = installation.send_csv(&format!("{base}/locations.csv"), "WEST,Moon base\n").await;
    assert!(nowhere.json()["problems"][0]["problem"].as_str().unwrap().contains("no warehouse \"Moon base\""));
    let none = installation.get(&format!("{base}/colours.csv")).await;
    assert_eq!((none.status, none.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_comes_and_goes_as_csv() {
    tables_come_and_go(Installation::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_comes_and_goes_as_csv_on_postgresql() {
    tables_come_and_go(Installation::on_postgres().await).await;
}
