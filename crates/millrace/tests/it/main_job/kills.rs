//! The real program, killed with `kill -9` again and again while orders flow, behind lines that fail, between systems that
//! fail. When it is left alone at last, the ledgers of both ends must show nothing twice and nothing lost.
//!
//! One seed decides configuration, orders, faults and moments. Real processes on a real machine do not repeat to the byte, so
//! a seed played again meets the same faults at the same moments, not the same instructions; what a kill does to any
//! instruction at all is proven by the crash points of the seeded runs. Nor does `kill -9` prove that what was committed
//! survives a power cut: the model database does that.
//!
//! | Environment | Means |
//! |---|---|
//! | `MILLRACE_KILL_SEED` | play this seed alone |
//! | `MILLRACE_KILLS` | kills in a world |
//! | `MILLRACE_TOTALS` | a file that is given one JSON object of counts |

use std::{collections::BTreeSet, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use simulators::{
    faults::{Fault, FaultPlan, FaultRule},
    proxy::Weather,
};

use super::{
    faults::drains,
    flow::{place, stock},
};
use crate::world::{FACTOR, Setup, Ships, Store, Warehouse, World};

const HOLD: Duration = Duration::from_secs(3);
/// Configurations of one node; the one after them has two.
const OF_ONE: u64 = 24;
/// How long a node stands still: claims last 4.5 s with these waits, and a late call may come after up to 7.75 s.
const STANDS: std::ops::Range<Duration> = Duration::from_secs(5)..Duration::from_millis(6_500);
/// What `./dev test` plays: seed and kills, 25 in all.
const SUITE: [(u64, u64); 3] = [(0, 6), (9, 6), (17, 5)];
const SUITE_OF_TWO: (u64, u64) = (OF_ONE, 8);

/// From this seed on the warehouses of files talk in X12; otherwise the configurations are the same again.
const X12: u64 = 100;
/// And from this one on in flat files of their own making.
const FLAT: u64 = 200;
/// And from this one on the warehouse is Mintsoft, which counts what is on hand.
const MINTSOFT: u64 = 300;
/// And from this one on the warehouse calls, and counts what is on hand.
const DESK: u64 = 400;
/// And from this one on it is ShipHero.
const SHIPHERO: u64 = 500;
/// And from this one on it is a real Odoo.
const ODOO: u64 = 600;

/// The configuration of a seed: databases, warehouses, ways to start and bases of stock in turn.
fn setup(seed: u64) -> Setup {
    let place = seed % (OF_ONE + 1);
    let two = place == OF_ONE;
    let notes = (place / 6) % 2 == 1;
    Setup {
        store: if place % 2 == 1 || two { Store::Postgres } else { Store::Sqlite },
        ships: match seed {
            ODOO.. => Ships::Odoo,
            SHIPHERO.. => Ships::ShipHero,
            DESK.. => Ships::Desk,
            MINTSOFT.. => Ships::Mintsoft,
            _ => [Ships::Folder, Ships::Sftp, Ships::Extensiv][usize::try_from(place / 2 % 3).expect("one of three")],
        },
        unique_numbers: seed.is_multiple_of(2),
        start_mode: if notes { "goods_out_note" } else { "order" },
        basis: if place / 12 % 2 == 1 || seed >= MINTSOFT { "physical" } else { "available" },
        settings: if notes {
            "import_warehouses = [\"Example 3PL\"]\nshort_ship = \"replace\"".to_owned()
        } else {
            String::new()
        },
        // Each start has a call budget of its own, and there are several in a minute.
        calls_per_minute: if two { 90 } else { 120 },
        lines: true,
        x12: (X12..FLAT).contains(&seed),
        flat: (FLAT..MINTSOFT).contains(&seed),
        // A real server is as fast as it is, so its waits are divided by less.
        factor: if seed >= ODOO { 4 } else { FACTOR },
        seed: 1_000 + seed,
        ..Setup::default()
    }
}

/// Bad days of a vendor on a share of its requests.
fn bad_days(plan: &FaultPlan) {
    let after =
        [Fault::TimeoutAfterEffect { hold: HOLD }, Fault::ErrorAfterEffect { html: false }, Fault::ResetMidBody];
    for method in ["POST", "PUT"] {
        for fault in &after {
            plan.add(FaultRule::new(fault.clone()).method(method).path_contains("/").chance(0.01));
        }
    }
    for fault in [Fault::Refuse, Fault::Throttled, Fault::Outage, Fault::HtmlBody, Fault::TruncatedBody] {
        plan.add(FaultRule::new(fault).chance(0.004));
    }
}

fn plans(world: &World) -> Vec<FaultPlan> {
    let mut plans = vec![world.brightpearl.faults().clone()];
    match &world.warehouse {
        Warehouse::Extensiv(running) => plans.push(running.faults()),
        Warehouse::Mintsoft(running) => plans.push(running.faults()),
        Warehouse::ShipHero(running) => plans.push(running.faults()),
        Warehouse::Dsfx { .. } | Warehouse::Odoo(..) | Warehouse::Desk(_) => {}
    }
    plans
}

/// One seed from its beginning to its end.
async fn play(seed: u64, kills: u64) {
    let setup = setup(seed);
    let two = seed % (OF_ONE + 1) == OF_ONE;
    let described = format!(
        "{:?}, {:?}, {} mode, {} stock{}",
        setup.store,
        setup.ships,
        setup.start_mode,
        setup.basis,
        if two { ", two nodes" } else { "" }
    );
    #[expect(clippy::print_stdout, reason = "shown when asked for, or when the test fails")]
    {
        println!("MILLRACE_KILL_SEED={seed} MILLRACE_KILLS={kills} ({described})");
    }
    let mut dice = StdRng::seed_from_u64(setup.seed);
    let mut world = World::new(setup).await;
    plans(&world).iter().for_each(bad_days);
    for line in world.lines() {
        line.weather(Some(Weather { chance: 0.2, within: 64 * 1024, hold: Duration::from_secs(2) }));
    }
    let (mut expected, mut stood) = (BTreeSet::new(), 0);
    for round in 0..kills {
        let first = !two || dice.random_bool(0.5);
        if round == 0 && two {
            world.start();
            world.start_second();
        } else if !two {
            world.start();
        }
        expected.extend(place(&world, 3, seed * 10_000 + round).expected);
        let moment = Duration::from_millis(dice.random_range(100..2_500));
        disturb(&world, moment, &mut dice).await;
        if two && dice.random_bool(0.5) {
            // Longer than its claims last, so that the other one takes over, and then it goes on where it stood. Not as long
            // as a late call may take: what stands that long with a call in its hands is the hole that remains (§5).
            world.stand_still(first, dice.random_range(STANDS)).await;
            stood += 1;
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..1_500))).await;
        }
        match first {
            true => world.kill(),
            false => world.kill_second(),
        }
        let problem = world.invariants().err();
        assert_eq!(problem, None, "seed {seed} ({described}), at kill {round}");
        if two {
            // The other goes on meanwhile.
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..800))).await;
            match first {
                true => world.start(),
                false => world.start_second(),
            }
        }
    }
    for plan in plans(&world) {
        plan.clear();
    }
    for line in world.lines() {
        line.weather(None);
        // What still crawls or is silent would only make the end slower.
        line.cut();
    }
    if two {
        // A node that was just starting may have lost its first connection with the cut, and ended with words.
        world.kill();
        world.kill_second();
        world.start_second();
    }
    world.start();
    let decided = drains(&mut world, &expected, Duration::from_secs(400)).await;
    stock(&mut world).await;
    told(
        &world,
        &[
            ("worlds", 1),
            ("kills", kills),
            ("orders", count(expected.len())),
            ("stood still", stood),
            ("decided", count(decided)),
        ],
    );
}

/// Waits until the moment of the kill, and does something to a line on the way there.
async fn disturb(world: &World, moment: Duration, dice: &mut StdRng) {
    let before = moment.mul_f64(dice.random_range(0.0..1.0));
    tokio::time::sleep(before).await;
    let line = world.lines().get(dice.random_range(0..world.lines().len()));
    match (line, dice.random_range(0..4)) {
        (Some(line), 0) => {
            line.cut();
            tokio::time::sleep(moment - before).await;
        }
        (Some(line), 1) => {
            line.shut().await;
            tokio::time::sleep(moment - before).await;
            line.open().await.expect("the port of the line is free again");
        }
        _ => tokio::time::sleep(moment - before).await,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn told(world: &World, counts: &[(&str, u64)]) {
    let mut totals: serde_json::Map<String, serde_json::Value> =
        counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
    let faults: usize = plans(world).iter().map(|plan| plan.fired().len()).sum();
    let disturbances: u64 = world.lines().iter().flat_map(|line| line.met().into_values()).sum();
    totals.insert("faults".to_owned(), count(faults).into());
    totals.insert("disturbed connections".to_owned(), disturbances.into());
    let totals = serde_json::Value::Object(totals).to_string();
    #[expect(clippy::print_stdout, reason = "shown when asked for, or when the test fails")]
    {
        println!("{totals}");
    }
    let told = |variable: &str| std::env::var_os(variable).map(std::path::PathBuf::from);
    // Where a gate says, and where `./dev test` sums up.
    for file in
        [told("MILLRACE_TOTALS"), told("MILLRACE_COUNTS").map(|folder| folder.join("kills.json"))].into_iter().flatten()
    {
        std::fs::write(file, &totals).expect("the totals are written");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_double_anything() {
    match number("MILLRACE_KILL_SEED") {
        Some(seed) => play(seed, number("MILLRACE_KILLS").unwrap_or(40)).await,
        None => {
            for (seed, kills) in SUITE {
                play(seed, kills).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_nodes_is_killed_while_the_other_goes_on() {
    let (seed, kills) = SUITE_OF_TWO;
    play(seed, kills).await;
}

/// SQLite and a folder, PostgreSQL and SFTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_double_anything_in_x12() {
    for (seed, kills) in [(X12, 4), (X12 + 3, 4)] {
        play(seed, kills).await;
    }
}

/// SQLite and a folder, PostgreSQL and SFTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_double_anything_in_flat_files() {
    for (seed, kills) in [(FLAT, 4), (FLAT + 3, 4)] {
        play(seed, kills).await;
    }
}

/// SQLite where numbers are unique, PostgreSQL where they are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_double_anything_with_mintsoft() {
    for (seed, kills) in [(MINTSOFT, 5), (MINTSOFT + 3, 5)] {
        play(seed, kills).await;
    }
}

/// SQLite and PostgreSQL. What was posted to a program that died before it answered is posted again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_double_anything_at_the_desk() {
    for (seed, kills) in [(DESK, 5), (DESK + 3, 5)] {
        play(seed, kills).await;
    }
}

/// SQLite and PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_neither_lose_nor_double_anything_with_shiphero() {
    for (seed, kills) in [(SHIPHERO, 5), (SHIPHERO + 3, 5)] {
        play(seed, kills).await;
    }
}

/// SQLite and PostgreSQL; Odoo itself is not killed, but the line to it is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a real Odoo: ./dev test-odoo"]
async fn kills_neither_lose_nor_double_anything_with_odoo() {
    for (seed, kills) in [(ODOO, 5), (ODOO + 3, 5)] {
        play(seed, kills).await;
    }
}

#[test]
fn seeds_reach_every_configuration() {
    let all: BTreeSet<String> = (0..OF_ONE)
        .map(|seed| {
            let setup = setup(seed);
            format!("{:?} {:?} {} {}", setup.store, setup.ships, setup.start_mode, setup.basis)
        })
        .collect();
    assert_eq!(count(all.len()), OF_ONE);
    assert_eq!(SUITE.iter().chain([&SUITE_OF_TWO]).map(|(_, kills)| kills).sum::<u64>(), 25);
}
