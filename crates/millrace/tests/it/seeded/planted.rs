//! Mistakes that are compiled into the program with the feature `planted`. One that no seed notices is a hole in what the seeds
//! prove.

use connect::planted::Planted;

use super::{
    each,
    faults::Plant,
    run::{self, Front},
};

/// A mistake must be noticed within so many seeds.
const MOST: u64 = 1_000;
/// Seeds played at once.
const AT_ONCE: u64 = 8;

/// Noticed for a reason of their own: that something else breaks in the end would prove nothing of the check that is meant.
const BY: [(Planted, &str); 1] = [(Planted::SentUnpublished, "O2: ")];

/// Noticed elsewhere: they are not in what the seeds play.
const ELSEWHERE: [Planted; 3] = [Planted::CallerAtFault, Planted::AnswersFirst, Planted::OpenRoute];

#[test]
fn every_planted_fault_is_noticed() {
    let mut missed = Vec::new();
    // `MILLRACE_PLANT=OneLook` plays one of them.
    let only = std::env::var("MILLRACE_PLANT").ok();
    let wanted = |fault: &Planted| match &only {
        Some(only) => format!("{fault:?}") == *only,
        None => !ELSEWHERE.contains(fault),
    };
    for fault in Planted::ALL.into_iter().filter(wanted) {
        let mut noticed = None;
        for from in (0..MOST).step_by(AT_ONCE as usize) {
            let seeds: Vec<u64> = (from..from + AT_ONCE).collect();
            let played = each(&seeds, |seed| run::run(Front::of(*seed), *seed, Plant::Inside(fault)).findings);
            let meant = BY.iter().find(|(one, _)| *one == fault).map_or("", |(_, meant)| *meant);
            noticed = seeds.into_iter().zip(played).find_map(|(seed, findings)| {
                Some((seed, findings.into_iter().find(|finding| finding.starts_with(meant))?))
            });
            if noticed.is_some() {
                break;
            }
        }
        #[expect(clippy::print_stdout, reason = "the gate's own table")]
        match noticed {
            Some((seed, finding)) => println!("{fault:?}: noticed by seed {seed}: {finding}"),
            None => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "not noticed within {MOST} seeds: {missed:?}");
}
