//! Two connections that both want the same orders: each order ships once.

use std::time::Duration;

use super::flow::place;
use crate::world::{Setup, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_connections_ship_each_order_once() {
    let mut world = World::new(Setup::default()).await;
    // A second connection with the same filter and a warehouse folder of its own: whatever it gets would ship twice.
    let folder = world.folder().join("second");
    std::fs::create_dir_all(folder.join("in")).expect("a folder");
    std::fs::create_dir_all(folder.join("out")).expect("a folder");
    let first = std::fs::read_to_string(world.folder().join("millrace.toml")).expect("the configuration");
    let connection = first.split("[[connection]]").nth(1).expect("a connection");
    let second = format!(
        "{first}\n[[warehouse]]\nname = \"Second\"\nmerchant = \"Acme\"\nplatform = \"dsfx\"\n[warehouse.settings]\ntransport = \"folder\"\nfolder = \"{}\"\n\n[[connection]]{}",
        folder.display(),
        connection
            .replace("name = \"main\"", "name = \"second\"")
            .replace("warehouse = \"Acme warehouse\"", "warehouse = \"Second\"")
            .replace("stock = { enabled = true", "stock = { enabled = false"),
    );
    let file = world.folder().join("both.toml");
    std::fs::write(&file, second).expect("the configuration is written");
    world.command(&["apply", "-f", file.to_str().expect("a plain path")]);
    let placed = place(&world, 120, 3);
    world.start();
    // The second warehouse ships nothing, so orders it won stay there: together both have each order once.
    let expected = placed.expected.clone();
    world
        .until("every order is at exactly one of the two", Duration::from_secs(120), |world| {
            let mut at: std::collections::BTreeMap<i64, usize> = expected.iter().map(|id| (*id, 0)).collect();
            for order in world.warehouse_orders() {
                let id: i64 =
                    order.key.split("-O").nth(1).and_then(|rest| rest.split('-').next()?.parse().ok()).expect("a key");
                *at.get_mut(&id).expect("an expected order") += 1;
            }
            for entry in std::fs::read_dir(folder.join("in")).expect("the folder") {
                let path = entry.expect("an entry").path();
                if path.extension().is_some_and(|extension| extension == "csv") {
                    let content = std::fs::read_to_string(&path).expect("an order file");
                    for line in content.lines().filter(|line| line.starts_with("\"PH\"")) {
                        let id: i64 = line
                            .split("-O")
                            .nth(1)
                            .and_then(|rest| rest.split(['-', '"']).next()?.parse().ok())
                            .expect("a key");
                        *at.get_mut(&id).expect("an expected order") += 1;
                    }
                }
            }
            match at.iter().find(|(_, count)| **count != 1) {
                None => Ok(()),
                Some((id, count)) => Err(format!("order {id} is there {count} times")),
            }
        })
        .await;
    let listed = world.command(&["orders", "list", "--state", "skipped", "--limit", "5"]);
    assert!(listed.contains("claimed") || listed.contains("main") || listed.contains("second"), "{listed}");
}
