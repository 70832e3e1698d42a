//! What the API has, typed: many orders at once, groups by cause, the overview, exports, settings that are not kept, and backups
//! beside the database.

use std::sync::Arc;

use clap::ValueEnum as _;
use engine::order::Disposition;
use millrace::{
    db::{Database, DatabaseConfig},
    operate::exports::ExportKind,
};
use serde_json::{Value, json};

use super::{Desk, account, typed};
use crate::db::world::{imported, order, requested};

#[tokio::test(flavor = "multi_thread")]
async fn everything_the_api_has_can_be_typed() {
    let source = account(0, "example-password").await;
    let desk = Arc::new(Desk::new());
    desk.works(&["init"]);
    desk.configure(&source.base_url(), &[]);
    let applied = typed(&desk, &["apply", "-f", "millrace.toml"]).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    // Orders as a run would have kept them: two that lack the same, and one with a name that is a formula.
    let url = format!("sqlite:{}", desk.data().join("millrace.db").display());
    let db = Database::open(&DatabaseConfig::new(&url)).await.unwrap();
    let tenant = db.tenant_by_name("default").await.unwrap();
    let key = db.connection_by_name(&tenant, "main").await.unwrap();
    let held = |number: i64, why: &str| imported(order(number), Disposition::Held(why.to_owned()), Vec::new());
    let mut formula = requested(3);
    formula.order.reference = "=1+1".to_owned();
    let orders = vec![held(1, "row 11: \"A\" is not mapped"), held(2, "row 21: \"B\" is not mapped"), formula];
    db.record_orders(&key, "acme", orders).await.unwrap();
    db.close().await;

    // Many at once: a look first, which changes nothing.
    let states = async |desk: &Arc<Desk>| typed(desk, &["--json", "orders", "counts"]).await.json()["states"].clone();
    let before = states(&desk).await;
    let preview = typed(&desk, &["--json", "orders", "bulk", "hold", "1", "2", "77", "--reason", "test"]).await;
    assert_eq!(preview.code, 0, "{}", preview.all());
    assert_eq!((&preview.json()["would"], &preview.json()["refused"]), (&json!(2), &json!(1)), "{}", preview.out);
    assert_eq!(states(&desk).await, before);
    assert_eq!(typed(&desk, &["orders", "bulk", "hold", "1"]).await.code, 3, "a reason is needed");

    // One cause, one group.
    let groups = typed(&desk, &["--json", "exceptions", "groups"]).await.json();
    let group = groups.as_array().unwrap().iter().find(|group| group["count"] == 2).unwrap();
    assert!(group["cause"].as_str().unwrap().contains("is not mapped"), "{groups}");
    let id = group["id"].as_str().unwrap();
    let retried = typed(&desk, &["--json", "exceptions", "retry", id]).await;
    assert_eq!((retried.code, &retried.json()["retried"]), (0, &json!(2)), "{}", retried.all());
    assert_eq!(typed(&desk, &["exceptions", "retry", "grp_0"]).await.code, 4);

    // And then the doing.
    let done = typed(&desk, &["--json", "orders", "bulk", "archive", "--text", "lovelace", "--yes"]).await.json();
    let outcomes = (done["done"].as_u64().unwrap(), done["refused"].as_u64().unwrap());
    assert_eq!(outcomes.0 + outcomes.1, 3, "{done}");
    assert!(outcomes.0 >= 2, "{done}");
    assert_ne!(states(&desk).await, before);
    let back = typed(&desk, &["orders", "bulk", "unarchive", "1", "2", "3", "--yes"]).await;
    assert!(back.code == 0 && back.out.contains("done"), "{}", back.all());

    let overview = typed(&desk, &["--json", "overview"]).await.json();
    assert_eq!(overview["hours"].as_array().unwrap().len(), 24);
    let shown = typed(&desk, &["overview"]).await;
    assert!(shown.code == 0 && shown.out.contains("needs somebody"), "{}", shown.all());

    // As CSV, to the screen and to a file, never over one.
    let printed = typed(&desk, &["exports", "orders"]).await;
    assert_eq!(printed.out.lines().count(), 4, "{}", printed.all());
    assert!(printed.out.contains(",'=1+1,"), "{}", printed.out);
    let file = desk.path().join("orders.csv");
    let path = file.to_str().unwrap();
    assert_eq!(typed(&desk, &["exports", "orders", "--connection", "main", "--to", path]).await.code, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed.out);
    assert_ne!(typed(&desk, &["exports", "orders", "--to", path]).await.code, 0);
    for kind in ExportKind::value_variants() {
        let kind = kind.to_possible_value().unwrap();
        let mut arguments = vec!["exports", kind.get_name()];
        if kind.get_name() == "drift" {
            arguments.extend(["--connection", "main"]);
        }
        let ended = typed(&desk, &arguments).await;
        assert!(ended.code == 0 && ended.out.lines().count() >= 1, "{arguments:?}: {}", ended.all());
    }
    assert!(typed(&desk, &["exports", "keys"]).await.out.contains("\nkey_"));
    assert!(typed(&desk, &["exports", "request-lines"]).await.out.contains(",BPacme-O3,1,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_tried_without_being_kept() {
    let source = account(0, "example-password").await;
    let desk = Arc::new(Desk::new());
    desk.works(&["init"]);
    desk.configure(&source.base_url(), &[]);
    let applied = typed(&desk, &["apply", "-f", "millrace.toml"]).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    assert_eq!(typed(&desk, &["--json", "stores", "list"]).await.json()["items"][0]["name"], "BP");
    assert_eq!(typed(&desk, &["--json", "warehouses", "list"]).await.json()["items"][0]["name"], "WH");
    let kept = typed(&desk, &["--json", "stores", "test", "BP"]).await;
    assert_eq!((kept.code, &kept.json()["ok"]), (0, &json!(true)), "{}", kept.all());
    assert_eq!(typed(&desk, &["warehouses", "test", "WH"]).await.code, 0);
    assert_eq!(typed(&desk, &["stores", "test", "nowhere"]).await.code, 4);

    let settings = |password: &str| {
        json!({
            "name": "Try", "platform": "brightpearl", "secrets": { "password": password },
            "settings": {
                "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test",
                "base_url": source.base_url(),
            },
        })
    };
    let file = desk.path().join("try.json");
    let path = file.to_str().unwrap();
    let write = |value: &Value| std::fs::write(&file, value.to_string()).unwrap();
    write(&settings("example-password"));
    let tried = typed(&desk, &["--json", "stores", "try", path]).await;
    assert_eq!((tried.code, &tried.json()["ok"]), (0, &json!(true)), "{}", tried.all());
    write(&settings("CANARY-wrong"));
    let wrong = typed(&desk, &["stores", "try", path]).await;
    assert_eq!(wrong.code, 3, "{}", wrong.all());
    assert!(!wrong.all().contains("CANARY"), "{}", wrong.all());
    std::fs::write(&file, "{ \"secrets\": { \"password\": CANARY").unwrap();
    let unreadable = typed(&desk, &["stores", "try", path]).await;
    assert!(unreadable.code == 3 && !unreadable.all().contains("CANARY"), "{}", unreadable.all());
    assert_eq!(typed(&desk, &["--json", "stores", "list"]).await.json()["items"].as_array().unwrap().len(), 1);

    // Access that was never granted can be seen, and not taken away.
    assert_eq!(typed(&desk, &["--json", "stores", "access", "BP"]).await.json()["state"], "none");
    assert!(typed(&desk, &["stores", "access", "BP"]).await.out.contains("not connected"));
    assert_eq!(typed(&desk, &["stores", "disconnect", "BP"]).await.code, 4);

    // A backup beside the database, and the list of them.
    assert_eq!(typed(&desk, &["--json", "backup", "--list"]).await.json()["items"], json!([]));
    let made = typed(&desk, &["--json", "backup", "--keep"]).await;
    assert_eq!(made.code, 0, "{}", made.all());
    let listed = typed(&desk, &["--json", "backup", "--list"]).await.json();
    assert_eq!(listed["items"], json!([made.json()]));
    assert_eq!(typed(&desk, &["backup", "--keep", "--list"]).await.code, 2);
}
