//! The main job with a real Odoo at the other end, over each of its interfaces. `./dev test-odoo` starts it; without it these are
//! listed as not run.

use super::flow::run;
use crate::world::{Setup, Ships, Store};

/// Orders of each run.
const ORDERS: usize = 40;

fn setup(store: Store, interface: &str) -> Setup {
    Setup {
        store,
        ships: Ships::Odoo,
        basis: "physical",
        exchange: format!("interface = \"{interface}\""),
        // A real server is as fast as it is, so its waits are divided by less.
        factor: 4,
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn orders_over_json_2_on_sqlite() {
    run(setup(Store::Sqlite, "json2"), ORDERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn orders_over_json_rpc_on_postgres() {
    run(setup(Store::Postgres, "jsonrpc"), ORDERS).await;
}

/// A goods-out note is the request. What Odoo calls available is what nobody has been promised.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn notes_over_json_2_on_postgres() {
    let settings = "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned();
    let setup = Setup { start_mode: "goods_out_note", settings, basis: "available", ..setup(Store::Postgres, "json2") };
    run(setup, ORDERS).await;
}
