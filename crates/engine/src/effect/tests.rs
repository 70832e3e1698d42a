use std::time::Duration;

use connect::{ConnectorError, EffectKind, Probe, RemoteRef, Sent};
use jiff::Timestamp;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{EffectState, Facts, Policy, after_failed_probe, after_found, after_probe, after_send, later};

fn policy(repeat_is_safe: bool, survives_second_unknown: bool) -> Policy {
    Policy {
        quiescence: Duration::from_secs(155),
        repeat_is_safe,
        survives_second_unknown,
        first_probe: Duration::from_secs(2),
        pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(300),
        deadline: Duration::from_secs(3600),
    }
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// What may happen next in a model run: an outcome of a send, or an answer of a look.
#[derive(Debug, Clone)]
enum Event {
    Send(u8),
    Look(u8),
    LeaseLost,
}

fn events() -> impl Strategy<Value = Vec<(Event, u64)>> {
    let event = prop_oneof![(0_u8..5).prop_map(Event::Send), (0_u8..8).prop_map(Event::Look), Just(Event::LeaseLost)];
    prop::collection::vec((event, 0_u64..400), 1..60)
}

fn outcome(which: u8) -> Sent {
    match which {
        0 => Sent::NotSent { cause: ConnectorError::transient("no connection") },
        1 => Sent::Throttled { wait: Some(Duration::from_secs(9)) },
        2 => Sent::Accepted { reference: Some(RemoteRef::new("77")) },
        3 => Sent::Refused { code: "X".to_owned(), message: "no".to_owned() },
        _ => Sent::unknown("timed out"),
    }
}

proptest! {
    /// Runs an effect through arbitrary outcomes the way the journal does, and checks the contract at every step:
    /// only permitted edges (J3), never a send from *unknown* without a safe repeat or R4 (R3, J2), and a stock
    /// difference is armed once in its life.
    #[test]
    fn keeps_the_contract(
        kind in prop::sample::select(EffectKind::ALL.to_vec()),
        safe in any::<bool>(),
        survives in any::<bool>(),
        events in events(),
    ) {
        let policy = policy(safe && kind != EffectKind::CorrectStock, survives);
        let mut now = start();
        let mut facts = Facts {
            kind,
            state: EffectState::Planned,
            attempt: 0,
            unknowns: 0,
            negatives: 0,
            armed_at: None,
            steady: Duration::MAX,
        };
        let mut sends = 0_u32;
        let mut negatives_since_send: Vec<Timestamp> = Vec::new();
        let mut last_send_unknown = false;
        for (event, seconds) in events {
            now = later(now, Duration::from_secs(seconds));
            let arm = |facts: &mut Facts, now| {
                facts.state = EffectState::Armed;
                facts.attempt += 1;
                facts.negatives = 0;
                facts.armed_at = Some(now);
            };
            let step = match (facts.state, event) {
                (EffectState::Planned | EffectState::NotSent | EffectState::AbsentConfirmed, Event::Send(which)) => {
                    if last_send_unknown {
                        prop_assert!(facts.state == EffectState::AbsentConfirmed);
                        prop_assert!(negatives_since_send.len() >= 2);
                        let quiet = later(facts.armed_at.unwrap(), policy.quiescence);
                        prop_assert!(*negatives_since_send.last().unwrap() > quiet);
                    }
                    prop_assert!(facts.state.permits(EffectState::Armed, kind));
                    arm(&mut facts, now);
                    sends += 1;
                    negatives_since_send.clear();
                    let outcome = outcome(which);
                    last_send_unknown = matches!(outcome, Sent::Unknown { .. });
                    if !matches!(outcome, Sent::Unknown { .. } | Sent::Accepted { .. } | Sent::Refused { .. }) {
                        sends -= 1;
                    }
                    after_send(&facts, &policy, &outcome, now)
                }
                (EffectState::Unknown | EffectState::Probing, Event::Look(which)) => {
                    let probe = match which {
                        0..=3 => Probe::Absent,
                        4 => Probe::Equal(RemoteRef::new("77")),
                        5 => Probe::Many(vec![RemoteRef::new("77"), RemoteRef::new("78")]),
                        6 => Probe::Unaccounted { why: "the stock changed".to_owned() },
                        _ => Probe::MovedOn { state: "shipped".to_owned() },
                    };
                    let step = after_probe(&facts, &policy, &probe, now);
                    if step.negative {
                        facts.negatives += 1;
                        negatives_since_send.push(now);
                    }
                    step
                }
                (EffectState::Unknown, Event::Send(_)) => after_failed_probe(&facts, &policy, "no answer", now),
                (EffectState::Planned, Event::Look(_)) => {
                    let step = after_found(&facts, &policy, &Probe::Equal(RemoteRef::new("9")), now);
                    facts.attempt += 1;
                    facts.armed_at = Some(now);
                    step
                }
                (EffectState::Probing, _) => {
                    prop_assert!(EffectState::Probing.permits(EffectState::Unknown, kind));
                    facts.state = EffectState::Unknown;
                    continue;
                }
                _ => continue,
            };
            if step.resend {
                prop_assert!(policy.repeat_is_safe);
                facts.state = EffectState::Probing;
                prop_assert!(facts.state.permits(EffectState::Armed, kind));
                arm(&mut facts, now);
                negatives_since_send.clear();
                let step = after_send(&facts, &policy, &Sent::unknown("timed out"), now);
                facts.state = step.state().unwrap();
                facts.unknowns += 1;
                last_send_unknown = true;
                continue;
            }
            for next in &step.path {
                prop_assert!(facts.state.permits(*next, kind), "{} -> {next} for {kind}", facts.state);
                if *next == EffectState::Unknown && facts.state == EffectState::Armed {
                    facts.unknowns += 1;
                }
                facts.state = *next;
            }
            prop_assert_eq!(facts.state.open(), step.next_at.is_some(), "an open effect is always looked at again");
        }
        if kind == EffectKind::CorrectStock {
            prop_assert!(sends <= 1, "a difference that may have left is never sent again");
        }
    }
}

#[test]
fn nothing_follows_what_is_final() {
    for kind in EffectKind::ALL {
        for state in EffectState::ALL {
            assert!(!EffectState::Applied.permits(state, kind));
            assert!(!EffectState::Superseded.permits(state, kind));
            assert!(!state.permits(state, kind));
        }
    }
}

/// An earlier attempt may still arrive: only where nothing is sent again before it cannot, *not sent* is known.
#[test]
fn an_attempt_that_did_nothing_after_an_unknown_one_tells_nothing() {
    let facts = |unknowns| Facts {
        kind: EffectKind::PostShipped,
        state: EffectState::Armed,
        attempt: 2,
        unknowns,
        negatives: 0,
        armed_at: Some(start()),
        steady: Duration::MAX,
    };
    for sent in [outcome(0), Sent::Throttled { wait: None }] {
        for (unknowns, repeat_is_safe, expected) in
            [(0, true, EffectState::NotSent), (1, true, EffectState::Unknown), (1, false, EffectState::NotSent)]
        {
            let step = after_send(&facts(unknowns), &policy(repeat_is_safe, false), &sent, start());
            assert_eq!(step.state(), Some(expected), "{unknowns} {repeat_is_safe} {sent:?}");
            assert!(step.next_at > Some(start()), "not at once");
        }
    }
}

#[test]
fn second_unknown_is_parked_unless_the_target_refuses_repeats() {
    let facts = Facts {
        kind: EffectKind::CreateNote,
        state: EffectState::Unknown,
        attempt: 2,
        unknowns: 2,
        negatives: 1,
        armed_at: Some(start()),
        steady: Duration::MAX,
    };
    let late = later(start(), Duration::from_secs(156));
    assert_eq!(after_probe(&facts, &policy(false, false), &Probe::Absent, late).state(), Some(EffectState::Parked));
    assert_eq!(
        after_probe(&facts, &policy(false, true), &Probe::Absent, late).state(),
        Some(EffectState::AbsentConfirmed)
    );
}

/// R4: what a clock says that was just set, or a process that has just begun, is no proof that Tq has passed.
#[test]
fn a_clock_that_was_just_set_proves_nothing() {
    let steady_for = |seconds| Facts {
        kind: EffectKind::CreateNote,
        state: EffectState::Unknown,
        attempt: 1,
        unknowns: 1,
        negatives: 3,
        armed_at: Some(start()),
        steady: Duration::from_secs(seconds),
    };
    let now = later(start(), Duration::from_secs(3600));
    for seconds in [0, 60, 154] {
        let step = after_probe(&steady_for(seconds), &policy(false, false), &Probe::Absent, now);
        assert_eq!(step.state(), Some(EffectState::Unknown), "{seconds} s");
        assert!(step.next_at >= Some(later(now, Duration::from_secs(155 - seconds))), "{:?}", step.next_at);
    }
    let step = after_probe(&steady_for(155), &policy(false, false), &Probe::Absent, now);
    assert_eq!(step.state(), Some(EffectState::AbsentConfirmed));
}

/// §8.3, step 2: not found is not enough; the figures must add up without it, or a person decides.
#[test]
fn a_correction_that_figures_speak_for_is_not_taken_for_absent() {
    let facts = Facts {
        kind: EffectKind::CorrectStock,
        state: EffectState::Unknown,
        attempt: 1,
        unknowns: 1,
        negatives: 1,
        armed_at: Some(start()),
        steady: Duration::MAX,
    };
    let doubt = Probe::Unaccounted { why: "three units are gone".to_owned() };
    let after = |seconds| later(start(), Duration::from_secs(seconds));
    let policy = policy(false, false);
    for seconds in [10, 156, 619] {
        let step = after_probe(&facts, &policy, &doubt, after(seconds));
        assert_eq!(step.state(), Some(EffectState::Unknown), "after {seconds} s");
        assert!(step.negative && step.next_at > Some(after(seconds)));
    }
    let given_up = after_probe(&facts, &policy, &doubt, after(621));
    assert_eq!(given_up.path, [EffectState::Probing, EffectState::Parked]);
    assert!(given_up.note.contains("three units are gone"), "{}", given_up.note);
    assert!(given_up.next_at.is_none());
    // Once the figures add up it is what it always was.
    let absent = after_probe(&facts, &policy, &Probe::Absent, after(200));
    assert_eq!(absent.state(), Some(EffectState::Voided));
}

#[test]
fn pauses_double_and_end() {
    let policy = policy(false, false);
    assert_eq!(policy.pause_after(1), Duration::from_secs(1));
    assert_eq!(policy.pause_after(4), Duration::from_secs(8));
    assert_eq!(policy.pause_after(400), Duration::from_secs(300));
}
