//! The journal is lost: a backup is restored, an old file is put over a new one, a database is loaded again on its server. The
//! ledgers of the two ends must show nothing twice and nothing lost.
//!
//! `MILLRACE_DRILLS` says how many drills of each kind are made, each with its own seed; one where it is not set.

use std::{collections::BTreeSet, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use super::flow::place;
use crate::world::{ACCOUNT, Setup, Ships, Store, World};

/// How the database comes to be older than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// `millrace backup`, later `millrace restore`.
    Backup,
    /// A copy of the file, later put over it without any command.
    OldFile,
    /// A dump of the server's database, later loaded into a new one of the same name.
    Dump,
}

fn drills() -> u64 {
    std::env::var("MILLRACE_DRILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// What only the program can have changed: orders at the warehouse, notes and corrections in Brightpearl, statuses.
fn changed(world: &World, orders: &BTreeSet<i64>) -> (usize, usize, usize, Vec<(i64, i64)>) {
    let notes = world.brightpearl.all_notes(ACCOUNT).expect("notes");
    let shipped = notes.iter().filter(|note| note.shipped).count();
    let markers = world.brightpearl.correction_markers(ACCOUNT).expect("markers").len();
    let statuses =
        orders.iter().map(|id| (*id, world.brightpearl.order(ACCOUNT, *id).expect("an order").status_id)).collect();
    (world.warehouse_orders().len(), notes.len() + shipped, markers, statuses)
}

fn safety(world: &World) -> Value {
    let (_, text) = world.try_command(&["safety", "--json"]);
    let begin = text.find('{').unwrap_or_else(|| panic!("no answer: {text}"));
    let mut answers = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
    answers.next().expect("an answer").unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a person does about comparisons of stock that wait.
fn approve_stock(world: &World) {
    let (_, text) = world.try_command(&["stock", "runs", "main", "--limit", "5", "--json"]);
    let Ok(listed) = serde_json::from_str::<Value>(&text) else { return };
    for run in listed["items"].as_array().into_iter().flatten() {
        if run["state"] == "waiting" {
            // A newer one may have taken its place meanwhile.
            world.try_command(&["stock", "approve", run["id"].as_str().expect("an id")]);
        }
    }
}

/// How many effects need a person who looks at the warehouse and at Brightpearl.
fn conflicts(state: &Value) -> i64 {
    state["recovery"]["conflicts"].as_i64().unwrap_or(0) + state["recovery"]["cannot_ask"].as_i64().unwrap_or(0)
}

async fn drill(setup: Setup, loss: Loss) {
    let seed = setup.seed;
    let mut dice = StdRng::seed_from_u64(seed);
    let mut world = World::new(setup).await;
    world.start();
    let mut expected = place(&world, 25, seed * 10).expected;
    // Long enough for the first shipments to be told, or not.
    tokio::time::sleep(Duration::from_millis(dice.random_range(500..9_000))).await;
    let since = connect::Clock::now(&connect::SystemClock::default());
    let sent_before = world.warehouse_orders().len();
    let copy = world.folder().join("copy.db");
    let copy_name = copy.to_str().expect("a plain path").to_owned();
    let mut dumped = Vec::new();
    match loss {
        Loss::Backup => {
            let told = world.command(&["backup", "--to", &copy_name]);
            assert!(told.contains("the key that opens them is not"), "{told}");
            let (ok, told) = world.try_command(&["backup", "--to", &copy_name]);
            assert!(!ok && told.contains("exists already"), "a backup overwrites nothing: {told}");
        }
        Loss::OldFile => {
            // As a snapshot of the disk would have it.
            let from = world.database_file();
            world.kill();
            for ending in ["", "-wal"] {
                let path = format!("{}{ending}", from.display());
                if std::path::Path::new(&path).exists() {
                    std::fs::copy(&path, format!("{copy_name}{ending}")).expect("a copy");
                }
            }
            world.start();
        }
        Loss::Dump => dumped = world.postgres().dump("millrace").expect("a dump"),
    }
    expected.extend(place(&world, 15, seed * 10 + 1).expected);
    // A window in which nothing was sent loses nothing, and is no drill.
    world
        .until("more is sent than the copy knows of", Duration::from_secs(60), |world| {
            let sent = world.warehouse_orders().len();
            if sent > sent_before { Ok(()) } else { Err(format!("{sent} orders, as before")) }
        })
        .await;
    tokio::time::sleep(Duration::from_millis(dice.random_range(0..8_000))).await;
    let (ok, told) = world.try_command(&["restore", &copy_name, "--replace"]);
    assert!(!ok, "nothing is put over a database that is used: {told}");
    world.kill();
    expected.extend(place(&world, 5, seed * 10 + 2).expected);

    match loss {
        Loss::Backup => {
            let (ok, told) = world.try_command(&["restore", &copy_name]);
            assert!(!ok && told.contains("--replace"), "{told}");
            let told = world.command(&["restore", &copy_name, "--replace"]);
            assert!(told.contains("sends nothing") && told.contains("is now"), "{told}");
        }
        Loss::OldFile => {
            let to = world.database_file();
            for ending in ["", "-wal", "-shm"] {
                let (from, to) = (format!("{copy_name}{ending}"), format!("{}{ending}", to.display()));
                let _ = std::fs::remove_file(&to);
                if std::path::Path::new(&from).exists() {
                    std::fs::copy(&from, &to).expect("the old file is put there");
                }
            }
        }
        Loss::Dump => world.postgres().load("millrace", &dumped).expect("the dump is loaded"),
    }
    // What is in the warehouse's hands goes on; what only the program does must not.
    let before = changed(&world, &expected);
    let sent_in_window = before.0 - sent_before;
    world.start();
    world
        .until("it notices", Duration::from_secs(60), |world| {
            let state = safety(world);
            if state["frozen"] == true && state["kind"] == "restored" && world.logs().contains("SENDING IS FROZEN") {
                Ok(())
            } else {
                Err(state.to_string())
            }
        })
        .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(changed(&world, &expected), before, "nothing leaves while sending is frozen");
    let (ok, told) = world.try_command(&["release-sending", "--reason", "in a hurry"]);
    assert!(!ok && told.contains("recover"), "not before the window was looked at: {told}");
    let (ok, told) = world.try_command(&["check"]);
    assert!(!ok && told.contains("frozen"), "{told}");

    world.command(&["recover", "--since", &since.to_string()]);
    world
        .until("everything is looked up", Duration::from_secs(120), |world| {
            let state = safety(world);
            let recovery = &state["recovery"];
            let read =
                recovery["connections"].as_array().is_some_and(|all| all.iter().all(|one| one["read_at"].is_string()));
            if read && recovery["open"] == 0 { Ok(()) } else { Err(state.to_string()) }
        })
        .await;
    assert_eq!(changed(&world, &expected), before, "looking changes nothing");
    let found = safety(&world);
    assert_eq!(conflicts(&found), 0, "{found:#}");
    let found_again = found["recovery"]["confirmed"].as_i64().unwrap_or(0);
    assert!(found_again > 0, "{sent_in_window} orders were sent in the window and none was found: {found:#}");
    assert_eq!(found["recovery"]["connections"][0]["report"]["not_there"], serde_json::json!([]), "{found:#}");
    // What is found leads to the next step, which is looked up as well: until the last, releasing is refused.
    world
        .until("sending is released", Duration::from_secs(60), |world| {
            let (ok, told) = world.try_command(&["release-sending", "--reason", "everything was looked up"]);
            if ok { Ok(()) } else { Err(told) }
        })
        .await;
    assert_eq!(safety(&world)["frozen"], false);
    let mut decided = 0;
    world
        .until("every order ships once and Brightpearl knows, after the loss", Duration::from_secs(180), |world| {
            let told = world.all_told(&expected);
            if told.is_err() {
                decided += world.decide_parked();
            }
            told
        })
        .await;
    assert!(decided <= 2, "{decided} effects had to be decided by a person");
    world.invariants().expect("the invariants hold");
    // The first comparison of stock is a person's; what is wrong is put right then, once.
    world.mistake(world.skus[0].0, 7);
    let mut looks = 0;
    world
        .until("stock converges once a person has seen it", Duration::from_secs(90), |world| {
            // A product of which something was just told is left to the next count.
            if looks % 15 == 0 {
                world.count();
            }
            looks += 1;
            approve_stock(world);
            let differences = world.stock_differences();
            if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
        })
        .await;
    world.invariants().expect("the invariants hold");
    // A plain restart is no loss.
    world.kill();
    world.start();
    world
        .until("it goes on after a kill", Duration::from_secs(30), |world| {
            let last = world.logs().rfind("workers run").is_some();
            if last && safety(world)["frozen"] == false { Ok(()) } else { Err(safety(world).to_string()) }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_restored_with_a_folder_on_sqlite() {
    for number in 0..drills() {
        drill(Setup { seed: 500 + number, ..Setup::default() }, Loss::Backup).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_loaded_again_with_extensiv_on_postgres() {
    for number in 0..drills() {
        let setup = Setup { seed: 600 + number, store: Store::Postgres, ships: Ships::Extensiv, ..Setup::default() };
        drill(setup, Loss::Dump).await;
    }
}

/// Beyond the first these run with `MILLRACE_DRILLS` only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_file_put_over_the_new_one() {
    for number in 0..drills() {
        let ships = if number % 2 == 0 { Ships::Folder } else { Ships::Extensiv };
        let mut setup = Setup { seed: 700 + number, ships, ..Setup::default() };
        if number % 4 >= 2 {
            setup.start_mode = "goods_out_note";
            setup.settings = "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned();
        }
        drill(setup, Loss::OldFile).await;
    }
}
