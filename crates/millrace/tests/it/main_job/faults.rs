//! The main job with every kind of fault switched on at both ends. The ledgers must still show nothing twice and nothing lost.

use std::{collections::BTreeSet, time::Duration};

use simulators::{
    brightpearl,
    dsfx::{Fault as FileFault, Feed},
    faults::{Fault, FaultRule},
};

use super::{flow::place, races::dsfx};
use crate::world::{Setup, Warehouse, World};

const HOLD: Duration = Duration::from_secs(3);

/// Every fault that a network or a bad day can bring, each on a share of the requests.
fn http_faults() -> Vec<Fault> {
    vec![
        Fault::Refuse,
        Fault::TimeoutBeforeEffect { hold: HOLD },
        Fault::TimeoutAfterEffect { hold: HOLD },
        Fault::ErrorBeforeEffect { html: true },
        Fault::ErrorAfterEffect { html: false },
        Fault::Throttled,
        Fault::Outage,
        Fault::ResetMidBody,
        Fault::TruncatedBody,
        Fault::HtmlBody,
        Fault::SlowBody { over: Duration::from_millis(300) },
        Fault::LateEffect { delay: Duration::from_millis(700) },
        Fault::ExpireTokens,
    ]
}

/// Everything shipped and told although some outcomes were unknown; what a person would have to decide is decided here the way
/// the screen asks for it, by looking at the other system. How much that was.
pub async fn drains(world: &mut World, expected: &BTreeSet<i64>, limit: Duration) -> usize {
    let mut decided = 0;
    let most = 5 + expected.len() / 25;
    world
        .until("every order ships once and Brightpearl knows, faults or not", limit, |world| {
            let told = world.all_told(expected);
            if told.is_err() {
                decided += world.decide_parked();
                assert!(decided <= most, "{decided} effects had to be decided by a person");
            }
            told
        })
        .await;
    world.invariants().expect("the invariants hold");
    decided
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_network_one_after_the_other() {
    one_after_the_other(Setup::default(), 100, |_, _| {}, |_| {}).await;
}

/// Every fault at Brightpearl's end, one after the other. What the warehouse's end does beside each is begun by `beside`, which
/// is told the round; while a round settles, `meanwhile` happens again and again.
pub async fn one_after_the_other(setup: Setup, seed: u64, beside: impl Fn(&World, usize), meanwhile: impl Fn(&World)) {
    let mut world = World::new(setup).await;
    world.start();
    let mut expected = BTreeSet::new();
    for (round, fault) in http_faults().into_iter().enumerate() {
        let name = format!("{fault:?}");
        // A few of each: an effect whose outcome is unknown twice, or a token that is refused right after a new log-in, is a
        // person's to decide, and that is another test.
        let rules: Vec<u64> = if fault == Fault::ExpireTokens {
            vec![world.brightpearl.faults().add(FaultRule::new(fault).path_contains("goods-out").nth(5))]
        } else {
            let add = |rule| world.brightpearl.faults().add(rule);
            vec![
                add(FaultRule::new(fault.clone()).method("POST").first(4)),
                add(FaultRule::new(fault.clone()).method("PUT").first(4)),
                add(FaultRule::new(fault).method("GET").chance(0.05)),
            ]
        };
        beside(&world, round);
        expected.extend(place(&world, 12, seed + u64::try_from(round).expect("few rounds")).expected);
        tokio::time::sleep(Duration::from_secs(4)).await;
        for rule in rules {
            world.brightpearl.faults().remove(rule);
        }
        let expected = expected.clone();
        let what = format!("everything settles after {name}");
        let settled = |world: &World| {
            meanwhile(world);
            world.all_told(&expected)
        };
        world.until(&what, Duration::from_secs(120), settled).await;
        world.invariants().expect("the invariants hold");
    }
    assert!(!world.brightpearl.faults().fired().is_empty(), "faults were played");
}

/// The same while files of the warehouse come in halves, twice and out of order.
pub async fn with_files_in_disorder(setup: Setup, seed: u64) {
    let faults =
        [FileFault::DuplicateFile, FileFault::HalfWritten { pause: Duration::from_millis(300) }, FileFault::Reordered];
    let beside = |world: &World, round: usize| {
        dsfx(world).inject(Feed::Shipments, faults[round % faults.len()].clone()).expect("the fault fits");
    };
    // What is held back until another one has been written is not to wait for the next round.
    let meanwhile = |world: &World| {
        dsfx(world).release_held(connect::Clock::now(&connect::SystemClock::default())).expect("the folder");
    };
    one_after_the_other(setup, seed, beside, meanwhile).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_files_are_set_aside_and_lose_nothing() {
    let mut world = World::new(Setup::default()).await;
    world.start();
    let Warehouse::Dsfx { dsfx, .. } = &world.warehouse else { panic!("a folder warehouse") };
    let dsfx = dsfx.clone();
    let faults = [
        FileFault::HalfWritten { pause: Duration::from_millis(300) },
        FileFault::CutRow,
        FileFault::NoFinalNewline,
        FileFault::DuplicateFile,
        FileFault::DuplicateRows,
        FileFault::Reordered,
        FileFault::FormulaCell,
        FileFault::HugeCell,
        FileFault::NulByte,
        FileFault::InvalidUtf8,
        FileFault::WrongColumnCount,
        FileFault::OddFileName,
    ];
    let mut expected = BTreeSet::new();
    for (round, fault) in faults.into_iter().enumerate() {
        dsfx.inject(Feed::Shipments, fault).expect("the fault fits");
        expected.extend(place(&world, 5, 900 + u64::try_from(round).expect("few rounds")).expected);
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    // A damaged shipment file is sent again intact by the warehouse, as a person there would.
    world
        .until("everything settles although files were bad", Duration::from_secs(180), |world| {
            for written in dsfx.ledger().written {
                if written.fault.as_ref().is_some_and(FileFault::damages) && written.repeats.is_none() {
                    let again =
                        dsfx.ledger().written.iter().any(|other| other.repeats.as_deref() == Some(&*written.name));
                    if !again {
                        dsfx.resend(&written.name, connect::Clock::now(&connect::SystemClock::default()))
                            .expect("it is sent again");
                    }
                }
            }
            world.all_told(&expected)
        })
        .await;
    world.invariants().expect("the invariants hold");
    // A file without its end is given time before it is set aside.
    world
        .until("the files set aside are shown with their reasons", Duration::from_secs(90), |world| {
            let listed = world.command(&["exceptions", "list", "--json", "--limit", "100"]);
            let damaged = dsfx.ledger().written.iter().filter(|file| file.fault.as_ref().is_some_and(refused)).count();
            let shown = listed.matches("shp_").count();
            if damaged > 3 && shown >= damaged { Ok(()) } else { Err(format!("{shown} of {damaged}: {listed}")) }
        })
        .await;
}

/// Faults after which a reader must refuse the whole file: what is wrong cannot be told from what is right.
fn refused(fault: &FileFault) -> bool {
    matches!(fault, FileFault::CutRow | FileFault::NulByte | FileFault::InvalidUtf8 | FileFault::WrongColumnCount)
}

/// Brightpearl's answers to open questions, other than the assumed ones: each order finishes, or is held with a reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_orders_under_answers_that_touch_the_whole_line() {
    use brightpearl::switches::{MissingNote, NotePostAnswer};
    let switches = brightpearl::Switches {
        missing_note: MissingNote::EmptyMap,
        note_post_answer: NotePostAnswer::Number,
        ..brightpearl::Switches::default()
    };
    let mut world = World::new(Setup { switches, ..Setup::default() }).await;
    let expected = place(&world, 20, 5).expected;
    world.start();
    drains(&mut world, &expected, Duration::from_secs(120)).await;
}
