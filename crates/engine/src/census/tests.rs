use std::{collections::BTreeSet, time::Duration};

use connect::{RequestState, Sighting};
use jiff::Timestamp;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{AtSource, Bucket, Facts, Known, Lost, Patience, Request, place};
use crate::{
    effect::{EffectState, later},
    order::Disposition,
};

const PATIENCE: Patience = Patience {
    grace: Duration::from_secs(300),
    import: Duration::from_secs(300),
    reading: Duration::from_secs(300),
    queue: Duration::from_secs(3_600),
    unknown: Duration::from_secs(900),
    telling: Duration::from_secs(3_600),
};

/// A schedule of the orders channel delays what it has to take in, and nothing else: what was sent and is not there is lost over a
/// weekend as well.
#[test]
fn a_schedule_delays_imports_only() {
    let weekend = Patience::new(Duration::from_secs(64 * 3_600), Duration::ZERO, 1);
    let lost = Request { seen: Some(None), ..sent() };
    assert_eq!(place(&facts(Some(known(vec![lost]))), &weekend, minutes(6)).lost, Some(Lost::NotAtWarehouse));
    let new = facts(None);
    assert_eq!(place(&new, &weekend, minutes(60 * 64)).bucket, Bucket::OnItsWay);
    assert_eq!(place(&new, &weekend, minutes(60 * 193)).lost, Some(Lost::NotKnown));
    assert_eq!(place(&facts(Some(known(Vec::new()))), &weekend, minutes(60)).bucket, Bucket::OnItsWay);
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn minutes(minutes: u64) -> Timestamp {
    later(start(), Duration::from_secs(minutes * 60))
}

fn sighting(state: RequestState) -> Sighting {
    Sighting { references: vec!["7".to_owned()], state, left: Vec::new(), since: None }
}

fn sent() -> Request {
    Request {
        submit: EffectState::Applied,
        changed_at: start(),
        planned_at: start(),
        problem: None,
        cancel_accepted: false,
        cancelled_by_warehouse: false,
        all_left: false,
        seen: Some(Some(sighting(RequestState::Waiting))),
    }
}

fn known(requests: Vec<Request>) -> Known {
    Known {
        archived: false,
        held_by_person: None,
        disposition: Disposition::Requested,
        problem: None,
        marked: None,
        changed_at: start(),
        requests,
    }
}

fn facts(known: Option<Known>) -> Facts {
    Facts { source: AtSource::Open, source_changed_at: start(), known, held_elsewhere: None, stopped: None }
}

#[test]
fn everything_has_its_place() {
    let with = |change: fn(&mut Request)| {
        let mut request = sent();
        change(&mut request);
        facts(Some(known(vec![request])))
    };
    let made = |disposition| facts(Some(Known { disposition, ..known(Vec::new()) }));
    let why = || "why".to_owned();
    let cases = [
        (facts(None), Bucket::Unaccounted, Some(Lost::NotKnown)),
        (Facts { held_elsewhere: Some(why()), ..facts(None) }, Bucket::Filtered, None),
        (Facts { stopped: Some(why()), ..facts(None) }, Bucket::Waiting, None),
        (Facts { source: AtSource::OutOfScope(why()), ..facts(None) }, Bucket::Filtered, None),
        (Facts { source_changed_at: minutes(58), ..facts(None) }, Bucket::OnItsWay, None),
        (with(|_| {}), Bucket::AtWarehouse, None),
        (with(|one| one.seen = None), Bucket::AtWarehouse, None),
        (with(|one| one.seen = Some(None)), Bucket::Unaccounted, Some(Lost::NotAtWarehouse)),
        (
            with(|one| {
                one.seen = Some(None);
                one.changed_at = minutes(58);
            }),
            Bucket::OnItsWay,
            None,
        ),
        (with(|one| one.seen = Some(Some(sighting(RequestState::Cancelled)))), Bucket::NeedsPerson, None),
        (with(|one| one.seen = Some(Some(sighting(RequestState::Finished)))), Bucket::Shipped, None),
        (with(|one| one.all_left = true), Bucket::Shipped, None),
        (with(|one| one.problem = Some("p".to_owned())), Bucket::NeedsPerson, None),
        (with(|one| one.cancel_accepted = true), Bucket::Cancelled, None),
        (with(|one| one.cancelled_by_warehouse = true), Bucket::NeedsPerson, None),
        (with(|one| one.submit = EffectState::Planned), Bucket::Waiting, None),
        (with(|one| one.submit = EffectState::Parked), Bucket::NeedsPerson, None),
        (with(|one| one.submit = EffectState::Voided), Bucket::Unaccounted, Some(Lost::NothingPlanned)),
        // What is unknown is there once the warehouse says so.
        (with(|one| one.submit = EffectState::Unknown), Bucket::AtWarehouse, None),
        (
            with(|one| {
                one.submit = EffectState::Unknown;
                one.seen = Some(None);
            }),
            Bucket::Unaccounted,
            Some(Lost::OutcomeUnknown),
        ),
        (made(Disposition::Waiting(why())), Bucket::Waiting, None),
        (made(Disposition::Held(why())), Bucket::Held, None),
        (made(Disposition::Skipped(why())), Bucket::Excluded, None),
        (made(Disposition::Cancelled(why())), Bucket::Cancelled, None),
        (made(Disposition::Requested), Bucket::Unaccounted, Some(Lost::NothingPlanned)),
        (Facts { source: AtSource::Cancelled, ..made(Disposition::Requested) }, Bucket::Cancelled, None),
    ];
    for (facts, bucket, lost) in cases {
        let found = place(&facts, &PATIENCE, minutes(60));
        assert_eq!((found.bucket, found.lost), (bucket, lost), "{facts:?}");
    }
    let queued = with(|one| one.submit = EffectState::NotSent);
    assert_eq!(place(&queued, &PATIENCE, minutes(59)).bucket, Bucket::Waiting);
    assert_eq!(place(&queued, &PATIENCE, minutes(61)).lost, Some(Lost::QueuedTooLong));
}

#[test]
fn what_somebody_has_in_hand_is_with_a_person_and_found_until_it_is_not_so_any_more() {
    let marked = |requests| facts(Some(Known { marked: Some("asked".to_owned()), ..known(requests) }));
    let at = |requests| place(&marked(requests), &PATIENCE, minutes(60));
    let gone = at(vec![Request { seen: Some(None), ..sent() }]);
    assert_eq!((gone.bucket, gone.lost), (Bucket::NeedsPerson, Some(Lost::NotAtWarehouse)));
    let back = at(vec![sent()]);
    assert_eq!((back.bucket, back.lost, back.why.as_str()), (Bucket::NeedsPerson, None, "asked"));
}

#[test]
fn the_worst_part_says_where_the_whole_is() {
    let left = Request { all_left: true, ..sent() };
    let gone = Request { seen: Some(None), ..sent() };
    let bucket = |requests| place(&facts(Some(known(requests))), &PATIENCE, minutes(60)).bucket;
    assert_eq!(bucket(vec![left.clone(), sent()]), Bucket::AtWarehouse);
    assert_eq!(bucket(vec![left.clone(), left.clone()]), Bucket::Shipped);
    assert_eq!(bucket(vec![left, gone, sent()]), Bucket::Unaccounted);
}

#[test]
fn names_are_told_apart() {
    let names: BTreeSet<&str> = Bucket::ALL.iter().map(|bucket| bucket.as_str()).collect();
    assert_eq!(names.len(), Bucket::ALL.len());
    let slow = Patience::new(Duration::from_secs(600), Duration::from_secs(1_200), 10);
    assert_eq!(slow.import, Duration::from_secs(180), "three runs of a slow channel, divided like every wait");
    assert_eq!(slow.reading, Duration::from_secs(360), "of its own channel");
    assert_eq!(slow.grace, Duration::from_secs(30), "for what waits for no channel");
    let usual = Patience::new(Duration::from_secs(60), Duration::from_secs(60), 1);
    let five_minutes = Duration::from_secs(300);
    assert_eq!((usual.grace, usual.import, usual.reading), (five_minutes, five_minutes, five_minutes));
}

fn any_request() -> impl Strategy<Value = Request> {
    let states = [
        RequestState::Waiting,
        RequestState::Held,
        RequestState::Working,
        RequestState::Finished,
        RequestState::Cancelled,
        RequestState::Gone,
    ];
    let seen = prop::option::of(prop::option::of(prop::sample::select(states.to_vec()).prop_map(sighting)));
    (
        prop::sample::select(EffectState::ALL.to_vec()),
        (0_u64..200, 0_u64..200),
        prop::option::of(Just("p".to_owned())),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        seen,
    )
        .prop_map(|(submit, (changed, planned), problem, (accepted, cancelled, all_left), seen)| Request {
            submit,
            changed_at: minutes(changed),
            planned_at: minutes(planned),
            problem,
            cancel_accepted: accepted,
            cancelled_by_warehouse: cancelled,
            all_left,
            seen,
        })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let why = || Just("why".to_owned());
    let source = prop_oneof![
        Just(AtSource::Open),
        why().prop_map(AtSource::Elsewhere),
        why().prop_map(AtSource::OutOfScope),
        Just(AtSource::Shipped),
        Just(AtSource::Cancelled),
        Just(AtSource::Gone),
    ];
    let disposition = prop_oneof![
        why().prop_map(Disposition::Waiting),
        why().prop_map(Disposition::Held),
        why().prop_map(Disposition::Skipped),
        why().prop_map(Disposition::Cancelled),
        Just(Disposition::Requested),
    ];
    let known = (
        any::<bool>(),
        prop::option::of(why()),
        disposition,
        (prop::option::of(why()), prop::option::of(why())),
        0_u64..200,
        prop::collection::vec(any_request(), 0..4),
    )
        .prop_map(|(archived, held_by_person, disposition, (problem, marked), changed, requests)| Known {
            archived,
            held_by_person,
            disposition,
            problem,
            marked,
            changed_at: minutes(changed),
            requests,
        });
    (source, 0_u64..200, prop::option::of(known), prop::option::of(why()), prop::option::of(why())).prop_map(
        |(source, changed, known, held_elsewhere, stopped)| Facts {
            source,
            source_changed_at: minutes(changed),
            known,
            held_elsewhere,
            stopped,
        },
    )
}

proptest! {
    /// Total, one bucket, the same each time, with a reason; and *unaccounted* exactly where it says how.
    #[test]
    fn one_place_for_everything(facts in any_facts(), at in 0_u64..400) {
        let found = place(&facts, &PATIENCE, minutes(at));
        prop_assert_eq!(&found, &place(&facts, &PATIENCE, minutes(at)));
        prop_assert_eq!(Bucket::ALL.iter().filter(|bucket| **bucket == found.bucket).count(), 1);
        prop_assert!(!found.why.is_empty());
        let in_hand = facts.known.as_ref().is_some_and(|known| known.marked.is_some());
        prop_assert_eq!(found.bucket == Bucket::Unaccounted, found.lost.is_some() && !in_hand);
    }

    /// What is old and that nobody has a record of is never put anywhere else, and what anybody accounts for never there.
    #[test]
    fn unaccounted_means_that_nobody_knows(facts in any_facts()) {
        let found = place(&facts, &PATIENCE, minutes(10_000));
        match &facts.known {
            None => {
                let explained = facts.source != AtSource::Open || facts.held_elsewhere.is_some() || facts.stopped.is_some();
                prop_assert_eq!(found.lost == Some(Lost::NotKnown), !explained);
            }
            Some(known) => {
                prop_assert!(found.lost != Some(Lost::NotKnown));
                let visible = known.archived
                    || known.problem.is_some()
                    || known.marked.is_some()
                    || known.requests.iter().any(|one| one.problem.is_some())
                    || matches!(known.disposition, Disposition::Held(_));
                prop_assert!(!visible || found.bucket != Bucket::Unaccounted);
                // A request that the warehouse is asked for and does not have cannot hide behind others.
                let missing = known.requests.iter().any(|one| {
                    one.submit == EffectState::Applied && one.seen == Some(None) && !one.all_left && !one.cancel_accepted
                        && !one.cancelled_by_warehouse
                });
                if missing && !visible && facts.source != AtSource::Cancelled {
                    prop_assert_eq!(found.bucket, Bucket::Unaccounted);
                }
            }
        }
    }

    /// Time alone never makes something that is lost well again.
    #[test]
    fn waiting_does_not_hide_anything(facts in any_facts(), at in 0_u64..400, more in 0_u64..10_000) {
        let (before, after) = (place(&facts, &PATIENCE, minutes(at)), place(&facts, &PATIENCE, minutes(at + more)));
        if before.bucket == Bucket::Unaccounted {
            prop_assert_eq!(after.bucket, Bucket::Unaccounted);
        }
    }
}
