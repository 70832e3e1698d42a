//! An order that a person edits before it is sent arrives at the warehouse as edited.

use super::races::{at_warehouse, becomes, key, one_row, shown};
use crate::world::{Setup, Warehouse, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_order_is_sent_as_edited() {
    let settings = "hold_minutes = 5".to_owned();
    let mut world = World::new(Setup { told: true, settings, ..Setup::default() }).await;
    let (edited, other) = (one_row(&world, 0, 3), one_row(&world, 1, 3));
    world.start();
    becomes(&mut world, edited, "held", "leaves at").await;
    let edit = world.folder().join("edit.json");
    let wanted = r#"{
        "ship_to": { "name": "Grace Hopper", "line1": "1 Coppergate", "city": "York", "postcode": "YO1 9NR", "country": "GB" },
        "notes": "Ring twice"
    }"#;
    std::fs::write(&edit, wanted).expect("written");
    world.command(&["orders", "edit", &edited.to_string(), edit.to_str().expect("a path")]);
    at_warehouse(&mut world, edited, &[key(edited)]).await;
    at_warehouse(&mut world, other, &[key(other)]).await;
    let sent = shown(&world, edited);
    assert_eq!(sent["deliver_to"]["city"], "York");
    assert_eq!(sent["edits"][0]["standing"], "holds", "{sent:#}");
    let Warehouse::Dsfx { dsfx, .. } = &world.warehouse else { panic!("a folder warehouse") };
    let orders = dsfx.ledger().orders;
    let got = |order: i64| serde_json::to_value(&orders[&key(order)]).expect("it is shown").to_string();
    assert!(got(edited).contains("1 Coppergate") && got(edited).contains("Ring twice"), "{}", got(edited));
    assert!(!got(other).contains("Coppergate"), "{}", got(other));
    let (late, told) = world.try_command(&["orders", "edit", &edited.to_string(), edit.to_str().expect("a path")]);
    assert!(!late && told.contains("the warehouse has it"), "{told}");
}
