//! Properties of the outcome, and what people are shown.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use rust_decimal::Decimal;

use super::{Answer, CancelStep, Facts, Outcome, Shown, What, outcome};
use crate::effect::EffectState;

const STEPS: [CancelStep; 6] = [
    CancelStep::None,
    CancelStep::Open,
    CancelStep::Stuck,
    CancelStep::Accepted,
    CancelStep::TooLate,
    CancelStep::Partly,
];
const ANSWERS: [Answer; 3] = [Answer::Accepted, Answer::TooLate, Answer::Partly];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn asked() -> Facts {
    Facts {
        asked_at: at(0),
        deadline: at(100),
        now: at(1),
        withdrawn: false,
        submit: EffectState::Applied,
        cancel: CancelStep::None,
        cancelled_there: false,
        finished: false,
        asked: Decimal::from(4),
        shipped: Decimal::ZERO,
        answer: None,
        before: Outcome::Pending,
    }
}

#[test]
fn ends_as_the_contract_says() {
    let open = asked();
    let sent = Facts { cancel: CancelStep::Open, ..open };
    let yes = Facts { cancel: CancelStep::Accepted, ..open };
    let no = Facts { cancel: CancelStep::TooLate, ..open };
    let some = |facts: Facts| Facts { shipped: Decimal::ONE, ..facts };
    let all = |facts: Facts| Facts { shipped: Decimal::from(4), ..facts };
    let late = |facts: Facts| Facts { now: at(100), ..facts };
    let told = |answer, facts: Facts| Facts { answer: Some(answer), ..facts };
    for (facts, expected) in [
        (open, Outcome::Pending),
        (sent, Outcome::Pending),
        (some(sent), Outcome::Pending),
        (late(sent), Outcome::Silent),
        (late(some(sent)), Outcome::Silent),
        (late(Facts { cancel: CancelStep::Stuck, ..open }), Outcome::Silent),
        (Facts { before: Outcome::Silent, deadline: at(200), ..sent }, Outcome::Silent),
        (yes, Outcome::Accepted),
        (late(yes), Outcome::Accepted),
        (Facts { before: Outcome::Silent, ..yes }, Outcome::Accepted),
        (Facts { cancelled_there: true, ..no }, Outcome::Accepted),
        (Facts { finished: true, ..open }, Outcome::Accepted),
        (Facts { submit: EffectState::Voided, ..open }, Outcome::Accepted),
        (Facts { submit: EffectState::Refused, ..open }, Outcome::Accepted),
        (some(yes), Outcome::Partly),
        (some(Facts { finished: true, ..open }), Outcome::Partly),
        (all(yes), Outcome::TooLate),
        (all(Facts { before: Outcome::Accepted, ..open }), Outcome::TooLate),
        (some(Facts { before: Outcome::Accepted, ..yes }), Outcome::Partly),
        (no, Outcome::TooLate),
        (some(no), Outcome::TooLate),
        (told(Answer::Accepted, no), Outcome::Accepted),
        (told(Answer::Accepted, some(open)), Outcome::Partly),
        (told(Answer::TooLate, late(open)), Outcome::TooLate),
        (Facts { withdrawn: true, ..open }, Outcome::Withdrawn),
        (Facts { withdrawn: true, before: Outcome::Silent, ..late(open) }, Outcome::Withdrawn),
        (Facts { withdrawn: true, ..sent }, Outcome::Pending),
        (Facts { withdrawn: true, ..yes }, Outcome::Accepted),
        (Facts { withdrawn: true, ..all(open) }, Outcome::TooLate),
    ] {
        assert_eq!(outcome(&facts).0, expected, "{facts:?}");
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    (
        (0_i64..200, 0_i64..200, any::<bool>(), any::<bool>(), any::<bool>()),
        prop::sample::select(EffectState::ALL.to_vec()),
        prop::sample::select(STEPS.to_vec()),
        prop::option::of(prop::sample::select(ANSWERS.to_vec())),
        prop::sample::select(Outcome::ALL.to_vec()),
        (1_i64..5, 0_i64..6),
    )
        .prop_map(|((deadline, now, withdrawn, there, finished), submit, cancel, answer, before, units)| Facts {
            asked_at: at(0),
            deadline: at(deadline),
            now: at(now),
            withdrawn,
            submit,
            cancel,
            cancelled_there: there,
            finished,
            asked: Decimal::from(units.0),
            shipped: Decimal::from(units.1),
            answer,
            before,
        })
}

/// What may happen next to a race: time goes on, boxes leave, words come in. Nothing is unsaid.
#[derive(Debug, Clone)]
enum Happens {
    Time(i64),
    Leaves(i64),
    Cancel(CancelStep),
    CancelledThere,
    Finished,
    Answer(Answer),
    Withdrawn,
}

fn happens() -> impl Strategy<Value = Happens> {
    proptest::prop_oneof![
        (0_i64..90).prop_map(Happens::Time),
        (0_i64..3).prop_map(Happens::Leaves),
        prop::sample::select(STEPS.to_vec()).prop_map(Happens::Cancel),
        Just(Happens::CancelledThere),
        Just(Happens::Finished),
        prop::sample::select(ANSWERS.to_vec()).prop_map(Happens::Answer),
        Just(Happens::Withdrawn),
    ]
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pending => 0,
        Outcome::Silent => 1,
        Outcome::Withdrawn => 2,
        Outcome::Accepted | Outcome::Partly | Outcome::TooLate => 3,
    }
}

proptest! {
    /// It is total, and what it says agrees with what left.
    #[test]
    fn tells_the_truth(facts in facts()) {
        let (ended, words) = outcome(&facts);
        if facts.shipped > Decimal::ZERO {
            prop_assert!(ended != Outcome::Accepted, "something left");
        }
        if facts.shipped >= facts.asked {
            prop_assert_eq!(ended, Outcome::TooLate);
        }
        if facts.before.answered() {
            prop_assert!(ended.answered());
        }
        if ended != facts.before && ended != Outcome::Pending {
            prop_assert!(words.is_some(), "a new outcome says what settled it");
        }
        prop_assert_eq!(outcome(&Facts { before: ended, ..facts }).0, ended, "asked again, it says the same");
    }

    /// Whatever happens, and in whatever order, it never goes back from an answer to waiting, nor from silence to hope.
    #[test]
    fn never_goes_back(story in prop::collection::vec(happens(), 1..14)) {
        let mut facts = asked();
        let mut all_left = false;
        for happened in story {
            match happened {
                Happens::Time(seconds) => facts.now = facts.now.checked_add(SignedDuration::from_secs(seconds)).unwrap(),
                Happens::Leaves(units) => facts.shipped += Decimal::from(units),
                Happens::Cancel(step) => facts.cancel = step,
                Happens::CancelledThere => facts.cancelled_there = true,
                Happens::Finished => facts.finished = true,
                Happens::Answer(answer) => facts.answer = Some(answer),
                Happens::Withdrawn => facts.withdrawn = true,
            }
            let (ended, _) = outcome(&facts);
            // A wish that was withdrawn while our cancel was open is withdrawn only once that cancel is gone.
            let reopened = facts.before == Outcome::Withdrawn && facts.cancel != CancelStep::None;
            prop_assert!(reopened || rank(ended) >= rank(facts.before), "{:?} after {:?}", ended, facts.before);
            all_left |= facts.shipped >= facts.asked;
            prop_assert!(!all_left || ended == Outcome::TooLate);
            facts.before = ended;
        }
    }

    /// Without an answer it is somebody's by the deadline, unless it was taken back.
    #[test]
    fn silence_has_an_end(facts in facts()) {
        let later = Facts { now: facts.deadline.max(facts.now), ..facts };
        let (ended, _) = outcome(&later);
        prop_assert!(ended != Outcome::Pending);
    }
}

#[test]
fn people_are_asked_when_they_are_needed() {
    let pending = Shown {
        what: What::Cancel,
        why: "cancelled in Brightpearl".to_owned(),
        outcome: Outcome::Pending,
        words: String::new(),
        deadline: at(100),
        owner: "Ada".to_owned(),
        by_hand: None,
        undecided: false,
        resend: false,
        answer: None,
    };
    let by_hand = Shown { by_hand: Some("telephone".to_owned()), ..pending.clone() };
    let change = Shown { what: What::Change, undecided: true, ..pending.clone() };
    let end = |shown: &Shown, outcome| Shown { outcome, ..shown.clone() };
    for (shown, needs) in [
        (pending.clone(), false),
        (by_hand.clone(), true),
        (change.clone(), true),
        (end(&pending, Outcome::Silent), true),
        (end(&pending, Outcome::Partly), true),
        (Shown { answer: Some(Answer::Partly), ..end(&pending, Outcome::Partly) }, false),
        (end(&pending, Outcome::Accepted), false),
        (end(&change, Outcome::Accepted), true),
        (Shown { resend: true, ..end(&change, Outcome::Accepted) }, false),
        (end(&by_hand, Outcome::TooLate), false),
        (end(&pending, Outcome::Withdrawn), false),
        (end(&by_hand, Outcome::Withdrawn), true),
        (Shown { answer: Some(Answer::TooLate), ..end(&by_hand, Outcome::Withdrawn) }, false),
    ] {
        assert_eq!(shown.needs_person(), needs, "{shown:?}");
        assert!(!shown.told().is_empty());
    }
    assert!(end(&pending, Outcome::Silent).told().contains("Ada asks it"), "it has an owner");
    for outcome in Outcome::ALL {
        assert_eq!(outcome.as_str().parse::<Outcome>().unwrap(), outcome);
    }
    assert_eq!("too-late".parse::<Answer>().unwrap(), Answer::TooLate);
    assert!("maybe".parse::<Answer>().is_err());
}
