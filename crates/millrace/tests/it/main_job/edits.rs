//! An order that a person edits before it is sent arrives at the warehouse as edited.

use super::races::{at_warehouse, becomes, key, one_row, shown};
use crate::world::{Setup, World};

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
    let exchanged = sent["timeline"].to_string();
    assert!(exchanged.contains("Coppergate") && exchanged.contains("Ring twice"), "{sent:#}");
    assert!(!shown(&world, other)["timeline"].to_string().contains("Coppergate"));
    let (late, told) = world.try_command(&["orders", "edit", &edited.to_string(), edit.to_str().expect("a path")]);
    assert!(!late && told.contains("the warehouse has it"), "{told}");
}
