//! Orders of every shape go to the warehouse, leave in parts and in boxes, are told to Brightpearl, and stock comes right.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use simulators::brightpearl::{Allocation, Item, NewLine, NewOrder};

use crate::world::{ACCOUNT, Setup, Ships, Store, WAREHOUSE, World};

/// The orders of a run.
pub struct Placed {
    /// Those that must ship.
    pub expected: BTreeSet<i64>,
    /// Those that must not.
    pub others: BTreeSet<i64>,
}

/// Places `count` orders that must ship, among others that must not.
pub fn place(world: &World, count: usize, seed: u64) -> Placed {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut placed = Placed { expected: BTreeSet::new(), others: BTreeSet::new() };
    let known: BTreeSet<i64> = world.skus.iter().map(|(product, _)| *product).collect();
    let bundles: Vec<i64> = world
        .brightpearl
        .bundles(ACCOUNT)
        .expect("bundles")
        .into_iter()
        .filter(|(_, parts)| parts.iter().all(|(part, _)| known.contains(part)))
        .map(|(bundle, _)| bundle)
        .collect();
    assert!(!bundles.is_empty(), "the account has bundles of plain products");
    while placed.expected.len() < count {
        let mut lines: Vec<NewLine> = (0..rng.random_range(1..=4))
            .map(|_| {
                let (_, sku) = &world.skus[rng.random_range(0..world.skus.len())];
                NewLine::sku(sku, rng.random_range(1..=3))
            })
            .collect();
        match rng.random_range(0..10) {
            0 => lines.push(NewLine::product(bundles[rng.random_range(0..bundles.len())], rng.random_range(1..=2))),
            1 => lines.push(NewLine { item: Item::FreeText("Gift wrapping".to_owned()), quantity: 1, net: None }),
            _ => {}
        }
        let ready = world.ready(lines);
        match rng.random_range(0..20) {
            // Another warehouse, another status, cancelled, not allocated: not ours.
            0 => {
                placed.others.insert(world.place(NewOrder {
                    warehouse_id: Some(2),
                    allocation: Allocation::None,
                    ..ready
                }));
            }
            1 => {
                placed.others.insert(world.place(NewOrder { status_id: Some(3), ..ready }));
            }
            2 => {
                placed.others.insert(world.place(NewOrder { allocation: Allocation::None, ..ready }));
            }
            // Split by a person before anything was sent: two orders, each with its own rows.
            3 if ready.lines.len() > 1 => {
                let order = world.place(ready);
                let rows = world.brightpearl.order(ACCOUNT, order).expect("the order").rows;
                let shipping: BTreeMap<i64, i64> = rows
                    .iter()
                    .filter(|(_, row)| row.ships)
                    .map(|(id, row)| (*id, i64::try_from(row.quantity.trunc().mantissa()).unwrap_or(0)))
                    .collect();
                if shipping.len() > 1 {
                    let (row, _) = shipping.iter().next().expect("a row");
                    let units = world.brightpearl.order(ACCOUNT, order).expect("the order").rows[row]
                        .quantity
                        .to_string()
                        .parse::<rust_decimal::Decimal>()
                        .expect("a quantity");
                    let units: i64 = units.trunc().to_string().parse().expect("a whole quantity");
                    let child = world
                        .brightpearl
                        .split_order(ACCOUNT, order, &BTreeMap::from([(*row, units)]))
                        .expect("a split");
                    world.brightpearl.allocate(ACCOUNT, child).expect("allocated");
                    let ready = world.status("Ready to ship");
                    world.brightpearl.set_status(ACCOUNT, child, ready).expect("a status");
                    placed.expected.insert(child);
                }
                placed.expected.insert(order);
            }
            _ => {
                placed.expected.insert(world.place(ready));
            }
        }
    }
    if world.setup.start_mode == "goods_out_note" {
        for order in placed.expected.iter().chain(&placed.others) {
            // Automation made the notes: they are the requests. Those of other warehouses and statuses have none of ours.
            if placed.expected.contains(order) {
                world.brightpearl.create_note(ACCOUNT, *order, WAREHOUSE, 203, None).expect("a note");
            }
        }
    }
    placed
}

/// The whole job: half of the orders are there before the program starts, half come while it runs; then stock.
pub async fn run(setup: Setup, count: usize) {
    let seed = setup.seed;
    let mut world = World::new(setup).await;
    let mut placed = place(&world, count / 2, seed);
    world.start();
    let more = place(&world, count - count / 2, seed + 1);
    placed.expected.extend(more.expected);
    placed.others.extend(more.others);
    let expected = placed.expected.clone();
    world
        .until("every order ships once and Brightpearl knows", Duration::from_secs(300), |world| {
            world.all_told(&expected)
        })
        .await;
    for order in &placed.others {
        let shown = world.brightpearl.order(ACCOUNT, *order).expect("the order");
        assert_ne!(shown.shipping_status, "ASS", "order {order} was not ours to ship");
    }
    stock(&mut world).await;
    world.invariants().expect("the invariants hold");
    // What is reached over the network has a clock of its own, and the test of its settings says how far it is off.
    let told = world.command(&["warehouses", "test", "Acme warehouse"]);
    let apart = !matches!(world.setup.ships, Ships::Folder | Ships::Desk);
    assert_eq!(told.contains("clock and this machine's agree"), apart, "{told}");
    assert!(!world.logs().contains(crate::world::PASSWORD), "the password is in no log (X1)");
}

/// Brightpearl is wrong about every tenth SKU, in either direction; the warehouse counts; Brightpearl comes right.
pub async fn stock(world: &mut World) {
    world.count();
    world
        .until("stock agrees before it is disturbed", Duration::from_secs(60), |world| {
            let differences = world.stock_differences();
            if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
        })
        .await;
    let wrong: Vec<i64> = world.skus.iter().step_by(10).map(|(product, _)| *product).collect();
    for (place, product) in wrong.iter().enumerate() {
        world.mistake(*product, if place % 2 == 0 { 7 } else { -5 });
    }
    assert_eq!(world.stock_differences().len(), wrong.len());
    world.count();
    world
        .until("stock converges", Duration::from_secs(90), |world| {
            let differences = world.stock_differences();
            if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
        })
        .await;
    world.invariants().expect("the invariants hold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_by_folder_on_sqlite() {
    run(Setup::default(), 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_by_sftp_on_postgres_with_physical_counts() {
    run(
        Setup {
            store: Store::Postgres,
            ships: Ships::Sftp,
            start_mode: "goods_out_note",
            basis: "physical",
            settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
            ..Setup::default()
        },
        500,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_by_extensiv_on_postgres() {
    run(Setup { store: Store::Postgres, ships: Ships::Extensiv, basis: "physical", ..Setup::default() }, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_by_extensiv_on_sqlite() {
    run(
        Setup {
            ships: Ships::Extensiv,
            start_mode: "goods_out_note",
            settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
            ..Setup::default()
        },
        100,
    )
    .await;
}

/// Mintsoft says what is on hand, and not what is available.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_by_mintsoft_on_postgres() {
    run(Setup { store: Store::Postgres, ships: Ships::Mintsoft, basis: "physical", ..Setup::default() }, 100).await;
}

/// An account that refuses no second order, whose list has no pages and whose search shows no parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_by_mintsoft_on_sqlite() {
    run(
        Setup {
            ships: Ships::Mintsoft,
            basis: "physical",
            start_mode: "goods_out_note",
            settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
            unique_numbers: false,
            mintsoft: simulators::mintsoft::Switches {
                pages: false,
                search_finds_parts: false,
                ..simulators::mintsoft::Switches::default()
            },
            ..Setup::default()
        },
        100,
    )
    .await;
}

/// A customer of a 3PL, whose orders are held until they were counted. Fewer than elsewhere: each costs credits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_by_shiphero_on_postgres() {
    run(Setup { store: Store::Postgres, ships: Ships::ShipHero, basis: "physical", ..Setup::default() }, 60).await;
}

/// An account with words of its own for orders, where nothing is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_by_shiphero_on_sqlite() {
    run(
        Setup {
            ships: Ships::ShipHero,
            start_mode: "goods_out_note",
            settings: "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned(),
            exchange: "create_held = false".to_owned(),
            shiphero: simulators::shiphero::Switches {
                pending_word: "Ready to pick",
                cancelled_word: "cancelled",
                ..simulators::shiphero::Switches::default()
            },
            ..Setup::default()
        },
        60,
    )
    .await;
}
