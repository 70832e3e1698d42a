//! Seeded runs: flows, journal and connectors between model systems, with faults, people and dying processes, all decided by
//! one seed. The same seed gives the same run, to the byte (D1); the models' own ledgers say whether the contract held.
//!
//! | Module | Holds |
//! |---|---|
//! | `clock`, `random`, `trace` | time, randomness, what happened as one hash, and where a process dies |
//! | `brightpearl`, `files`, `rest`, `warehouse` | the models, and what goes wrong with files |
//! | `wire` | what goes wrong with a call to the models behind HTTP, `brightpearl` and `rest` |
//! | `node` | one process of the hub as it reaches the outside; it can stand still |
//! | `faults` | what fails inside the hub, planted faults among it |
//! | `world` | sales, people, the warehouse's own work |
//! | `run` | the hub in its loop |
//! | `losses` | the database loses what it had committed, and a person recovers |
//! | `crashes` | every place to die at, one after the other, and pairs of them |
//! | `witness`, `watch`, `checks` | what must hold, on the way and at rest |
//! | `cells` | which faults struck which change when |
//! | `planted` | mistakes compiled into the program, each of which must be noticed |
//!
//! `MILLRACE_SEED=N cargo test -p millrace --test it seeded::seeds` plays one seed (with `MILLRACE_TRACE=1` showing every
//! crossing, `MILLRACE_WAREHOUSE=folder` or `rest` choosing the warehouse, and `MILLRACE_KEEP=FILE` keeping the database as it was at the end). `MILLRACE_SEED_FROM` and `MILLRACE_SEEDS` choose a range, and `MILLRACE_TOTALS` names a file for what was counted.
//! See `docs/gates.md`.

mod brightpearl;
mod cells;
mod checks;
mod clock;
mod crashes;
mod faults;
mod files;
mod losses;
mod node;
#[cfg(feature = "planted")]
mod planted;
mod random;
mod rest;
mod run;
mod trace;
mod warehouse;
mod watch;
mod wire;
mod witness;
mod world;

use std::collections::BTreeMap;

use crashes::{Death, World};
use faults::Plant;
use run::Front;

/// Seeds played when nothing else is said.
const SEEDS: u64 = 500;
/// Seeds that once broke the contract with a warehouse that takes files, each played every time.
const REGRESSIONS: [u64; 45] = [
    9, 23, 37, 55, 105, 255, 275, 286, 292, 330, 336, 355, 409, 456, 609, 733, 927, 994, 1003, 1143, 1386, 1484, 1692,
    1804, 1905, 2042, 2114, 2311, 2650, 2830, 3811, 3898, 4080, 4135, 4167, 4262, 4427, 5024, 5031, 6481, 6688, 7224,
    8650, 9171, 9331,
];
/// The same with a warehouse behind an API.
const REST_REGRESSIONS: [u64; 9] = [260, 358, 457, 493, 1082, 4261, 4509, 4578, 4595];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Does this for each of these, several at a time; one shares nothing with another. In their order.
fn each<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(items.len().max(1));
    let next = std::sync::atomic::AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let players: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(item) = items.get(place) else { return done };
                        done.push((place, act(item)));
                    }
                })
            })
            .collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, done)| done).collect()
}

fn add_up(sum: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (what, count) in counts {
        *sum.entry(what).or_default() += count;
    }
}

/// Shown only when asked for, or when the test fails; kept where the gate says, and where `./dev test` sums up.
fn tell(what: &str, counts: &BTreeMap<String, u64>) {
    #[expect(clippy::print_stdout, reason = "shown only when asked for, or when the test fails")]
    {
        println!("{what}: {counts:#?}");
    }
    if let Ok(path) = std::env::var("MILLRACE_TOTALS") {
        std::fs::write(path, serde_json::to_string_pretty(counts).unwrap()).unwrap();
    }
    if let Ok(folder) = std::env::var("MILLRACE_COUNTS") {
        let path = std::path::Path::new(&folder).join(format!("{what}.json"));
        std::fs::write(path, serde_json::to_string(counts).unwrap()).unwrap();
    }
}

#[test]
fn same_seed_same_trace() {
    // Among them worlds whose clock is set, that lose something, and in which calls are late.
    let seeds = [1, 2, 3, 5, 9, 14, 20, 22];
    let worlds: Vec<(Front, u64)> =
        seeds.iter().flat_map(|seed| [(Front::Folder, *seed), (Front::Rest, *seed)]).collect();
    let hashes = || each(&worlds, |(front, seed)| run::run(*front, *seed, Plant::Nothing).hash);
    let (first, second) = (hashes(), hashes());
    assert_eq!(first, second, "D1: a run depends on something beside its seed");
    let mut different = first.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), worlds.len(), "different seeds play the same run: {first:?}");
}

#[test]
fn seeds_keep_the_contract() {
    let from = number("MILLRACE_SEED_FROM").unwrap_or(0);
    let many = number("MILLRACE_SEEDS").unwrap_or(SEEDS);
    let mut seeds: Vec<(Front, u64)> = match number("MILLRACE_SEED") {
        Some(seed) => vec![(Front::of(seed), seed)],
        None => (from..from + many).map(|seed| (Front::of(seed), seed)).collect(),
    };
    // A gate plays them with its own range.
    if number("MILLRACE_SEED").or(number("MILLRACE_SEED_FROM")).is_none() {
        let known = seeds.clone();
        let folder = REGRESSIONS.iter().map(|seed| (Front::Folder, *seed));
        let rest = REST_REGRESSIONS.iter().map(|seed| (Front::Rest, *seed));
        seeds.extend(folder.chain(rest).filter(|world| !known.contains(world)));
    }
    let mut counts = BTreeMap::from([("seeds".to_owned(), seeds.len() as u64)]);
    let mut broken = Vec::new();
    let played = each(&seeds, |(front, seed)| run::run(*front, *seed, Plant::Nothing));
    for ((front, seed), outcome) in seeds.iter().zip(played) {
        add_up(&mut counts, BTreeMap::from([(format!("seeds with a warehouse behind {}", front.told()), 1)]));
        add_up(&mut counts, outcome.counts);
        if !outcome.findings.is_empty() {
            broken.push(format!(
                "seed {seed} (replay: MILLRACE_WAREHOUSE={} MILLRACE_SEED={seed} cargo test -p millrace --test it seeded::seeds)\n  {}",
                front.name(),
                outcome.findings.join("\n  ")
            ));
        }
    }
    counts.insert("seeds that break the contract".to_owned(), broken.len() as u64);
    tell("seeds", &counts);
    assert!(broken.is_empty(), "{} of {} seeds break the contract\n{}", broken.len(), seeds.len(), broken.join("\n"));
    if many >= SEEDS && number("MILLRACE_SEED").is_none() {
        // A run in which nothing gets through, or nothing goes wrong, would break nothing.
        let count = |what: &str| counts.get(what).copied().unwrap_or(0);
        assert!(count("orders closed") * 2 > count("orders"), "too few orders get through: {counts:#?}");
        assert!(count("shipments told") * 10 > count("shipments") * 7, "too few shipments are told: {counts:#?}");
        // The whole gate asks for the others (`no_cell_is_empty`).
        let (missing, ..) = cells::missing(&counts, cells::OFTEN, 1);
        assert!(missing.is_empty(), "no fault ever struck here: {missing:#?}");
    }
}

/// What the seeds of a whole gate hit, cell by cell: the counts that runs have left in `MILLRACE_TOTALS_DIR`.
#[test]
fn no_cell_is_empty() {
    const LEAST: u64 = 30;
    let mut counts = BTreeMap::new();
    let Ok(folder) = std::env::var("MILLRACE_TOTALS_DIR") else {
        // Without a gate's totals only the table itself can be looked at.
        let (missing, possible, excluded) = cells::missing(&counts, cells::CHANGES.len(), 1);
        assert_eq!((missing.len(), possible + excluded), (possible, cells::CHANGES.len() * 60));
        return;
    };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let told: BTreeMap<String, u64> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            add_up(&mut counts, told);
        }
    }
    let (missing, possible, excluded) = cells::missing(&counts, cells::CHANGES.len(), LEAST);
    let shown: BTreeMap<String, u64> = counts.into_iter().filter(|(name, _)| name.starts_with("cell ")).collect();
    tell(&format!("{possible} cells, {excluded} more that cannot be"), &shown);
    assert!(missing.is_empty(), "hit fewer than {LEAST} times: {missing:#?}");
}

/// Worlds in which the process is made to die: the first seed that starts from orders, and the first from goods-out notes, with a
/// warehouse that takes files; and the first that starts from orders with one behind an API.
fn crashed() -> Vec<World> {
    let mut by_mode: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..40 {
        let (outcome, _) = crashes::with_deaths((Front::Folder, seed), &[]);
        let mode = outcome.counts.into_keys().find(|name| name.starts_with("worlds in mode"));
        by_mode.entry(mode.expect("a world has a mode")).or_insert(seed);
        if by_mode.len() == 2 {
            break;
        }
    }
    assert_eq!(by_mode.len(), 2, "both start modes: {by_mode:?}");
    let orders = by_mode.iter().find(|(mode, _)| mode.ends_with("Order")).map(|(_, seed)| (Front::Rest, *seed));
    by_mode.into_values().map(|seed| (Front::Folder, seed)).chain(orders).collect()
}

/// Plays the small world with these deaths; what broke, and how many processes died.
fn crash(world: World, deaths: &[Death]) -> (Vec<String>, usize) {
    let (outcome, died) = crashes::with_deaths(world, deaths);
    let broken = outcome.findings.into_iter().map(|finding| format!("{world:?}, deaths {deaths:?}: {finding}"));
    (broken.collect(), died)
}

#[test]
fn every_single_crash() {
    let mut counts = BTreeMap::new();
    let mut broken = Vec::new();
    for world in crashed() {
        let (outcome, died) = crashes::with_deaths(world, &[]);
        assert_eq!((outcome.findings, died), (Vec::new(), 0), "nothing goes wrong in {world:?}");
        let deaths = crashes::every_death(world);
        let played = each(&deaths, |death| crash(world, &[*death]));
        let died = played.iter().filter(|(_, died)| *died == 1).count();
        assert!(died > 300, "{world:?} is too small: {died} deaths");
        assert_eq!(died, deaths.len(), "up to a death everything is as it was without it");
        add_up(&mut counts, BTreeMap::from([(format!("deaths in {world:?}"), died as u64)]));
        broken.extend(played.into_iter().flat_map(|(broken, _)| broken));
    }
    counts.insert("single crashes".to_owned(), counts.values().sum());
    tell("single crashes", &counts);
    assert!(broken.is_empty(), "{} findings\n{}", broken.len(), broken.join("\n"));
}

/// A second death while the first is being mended. All pairs are many: a range of them with `MILLRACE_PAIR_FROM` and
/// `MILLRACE_PAIRS`, else some from all over.
#[test]
fn crash_pairs() {
    const WAYS: [trace::Fate; 3] = [trace::Fate::DiesBefore, trace::Fate::DiesMeanwhile, trace::Fate::DiesAfter];
    /// The second death comes at most so many crossings after the first.
    const MENDING: u64 = 60;
    let mut pairs: Vec<(World, [Death; 2])> = Vec::new();
    let from = number("MILLRACE_PAIR_FROM");
    for world in crashed() {
        for first in crashes::every_death(world) {
            // The way of the second follows from its place, so that each way comes everywhere.
            let way = |after: u64| WAYS[((first.0 + after) % 3) as usize];
            pairs.extend((0..MENDING).map(|after| (world, [first, (after, way(after))])));
        }
    }
    let all = pairs.len() as u64;
    let places = pairs.into_iter().enumerate();
    let chosen: Vec<(usize, (World, [Death; 2]))> = match (from, number("MILLRACE_PAIRS")) {
        (None, None) => places.step_by(997).collect(),
        (from, many) => places.skip(from.unwrap_or(0) as usize).take(many.unwrap_or(u64::MAX) as usize).collect(),
    };
    let played = each(&chosen, |(place, (world, deaths))| (*place, crash(*world, deaths)));
    let both = played.iter().filter(|(_, (_, died))| *died == 2).count() as u64;
    let broken: Vec<String> = played
        .into_iter()
        .filter(|(_, (broken, _))| !broken.is_empty())
        .map(|(place, (broken, _))| {
            format!(
                "pair {place} (replay: MILLRACE_PAIR_FROM={place} MILLRACE_PAIRS=1 cargo test -p millrace --test it seeded::crash_pairs)\n  {}",
                broken.join("\n  ")
            )
        })
        .collect();
    let counts = BTreeMap::from([
        ("pairs there are".to_owned(), all),
        ("pairs".to_owned(), chosen.len() as u64),
        ("pairs in which both died".to_owned(), both),
        ("pairs that break the contract".to_owned(), broken.len() as u64),
    ]);
    tell("pairs", &counts);
    assert!(broken.is_empty(), "{} findings\n{}", broken.len(), broken.join("\n"));
}

/// A test that cannot fail proves nothing: faults that are put there are noticed.
#[test]
fn planted_faults_are_noticed() {
    let seeds: Vec<u64> = (0..6).collect();
    for (plant, noticed_by) in [(Plant::ShortWait, "J2"), (Plant::Retry, "J2")] {
        let findings: Vec<String> = each(&seeds, |seed| run::run(Front::Folder, *seed, plant).findings).concat();
        assert!(
            findings.iter().any(|finding| finding.starts_with(noticed_by)),
            "{plant:?} was not noticed: {findings:?}"
        );
    }
}
