//! Seeded runs: flows, journal and connectors between model systems, with faults, people and dying processes, all decided by
//! one seed. The same seed gives the same run, to the byte (D1); the models' own ledgers say whether the contract held.
//!
//! | Module | Holds |
//! |---|---|
//! | `clock`, `random`, `trace` | time, randomness, and what happened as one hash |
//! | `brightpearl`, `files`, `warehouse` | the models and their faults |
//! | `faults` | what fails inside the hub, planted faults among it |
//! | `world` | sales, people, the warehouse's own work |
//! | `run` | the hub in its loop |
//! | `witness`, `watch`, `checks` | what must hold, on the way and at rest |
//!
//! `MILLRACE_SEED=N cargo test -p millrace --test it seeded` plays one seed (with `MILLRACE_TRACE=1` showing every crossing);
//! `MILLRACE_SEEDS=N` plays that many.

mod brightpearl;
mod checks;
mod clock;
mod faults;
mod files;
mod random;
mod run;
mod trace;
mod warehouse;
mod watch;
mod witness;
mod world;

use std::collections::BTreeMap;

use faults::Plant;

/// Seeds played when nothing else is said.
const SEEDS: u64 = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Plays these seeds, several at a time; a run shares nothing with another. In order of seeds.
fn play(seeds: &[u64], plant: Plant) -> Vec<(u64, run::Outcome)> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len().max(1));
    let mut outcomes: Vec<(u64, run::Outcome)> = std::thread::scope(|scope| {
        let share = |thread: usize| seeds.iter().copied().skip(thread).step_by(threads);
        let players: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || share(thread).map(|seed| (seed, run::run(seed, plant))).collect::<Vec<_>>())
            })
            .collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes
}

#[test]
fn same_seed_same_trace() {
    let seeds = [1, 2, 3, 5];
    let hashes =
        || -> Vec<String> { play(&seeds, Plant::Nothing).into_iter().map(|(_, outcome)| outcome.hash).collect() };
    let (first, second) = (hashes(), hashes());
    assert_eq!(first, second, "D1: a run depends on something beside its seed");
    let mut different = first.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), seeds.len(), "different seeds play the same run: {first:?}");
}

#[test]
fn hundred_seeds_keep_the_contract() {
    let seeds: Vec<u64> = match number("MILLRACE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("MILLRACE_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for (seed, outcome) in play(&seeds, Plant::Nothing) {
        for (what, count) in outcome.counts {
            *counts.entry(what).or_default() += count;
        }
        if !outcome.findings.is_empty() {
            broken.push(format!(
                "seed {seed} (replay: MILLRACE_SEED={seed} cargo test -p millrace --test it seeded::hundred)\n  {}",
                outcome.findings.join("\n  ")
            ));
        }
    }
    #[expect(clippy::print_stdout, reason = "shown only when asked for, or when the test fails")]
    {
        println!("{} seeds: {counts:#?}", seeds.len());
    }
    assert!(broken.is_empty(), "{} of {} seeds break the contract\n{}", broken.len(), seeds.len(), broken.join("\n"));
    if number("MILLRACE_SEED").is_none() {
        // A run in which nothing gets through would break nothing.
        let count = |what: &str| counts.get(what).copied().unwrap_or(0);
        assert!(count("orders closed") * 2 > count("orders"), "too few orders get through: {counts:#?}");
        assert!(count("shipments told") * 10 > count("shipments") * 7, "too few shipments are told: {counts:#?}");
    }
}

/// A test that cannot fail proves nothing: faults that are put there are noticed.
#[test]
fn planted_faults_are_noticed() {
    let seeds: Vec<u64> = (0..6).collect();
    for (plant, noticed_by) in [(Plant::ShortWait, "J2"), (Plant::Retry, "J2")] {
        let findings: Vec<String> = play(&seeds, plant).into_iter().flat_map(|(_, outcome)| outcome.findings).collect();
        assert!(
            findings.iter().any(|finding| finding.starts_with(noticed_by)),
            "{plant:?} was not noticed: {findings:?}"
        );
    }
}
