use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp, civil::time, tz::TimeZone};
use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_assume, proptest};

use super::{
    AlertKind, CauseKey, Change, Channel, Issue, MOST_CAUSES, Policy, Quiet, Said, Sighting, Word, cause_of, compare,
    group, words,
};

const REST: Duration = Duration::from_secs(600);
const PACE: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

fn at(seconds: i64) -> Timestamp {
    "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn key(cause: &str) -> CauseKey {
    CauseKey {
        kind: AlertKind::OrderError,
        merchant: "mer_1".to_owned(),
        connection: "con_1".to_owned(),
        cause: cause.to_owned(),
    }
}

fn sighting(cause: &str, count: u64) -> Sighting {
    Sighting { key: key(cause), what: cause.to_owned(), count, subjects: vec![format!("ord_{cause}")] }
}

fn issue(cause: &str, opened: i64) -> Issue {
    Issue {
        id: format!("iss_{cause}"),
        key: key(cause),
        what: cause.to_owned(),
        count: 1,
        subjects: Vec::new(),
        opened_at: at(opened),
        last_at: at(opened),
        gone_since: None,
        closed_at: None,
        acknowledged: false,
        snoozed_until: None,
    }
}

fn everything() -> Policy {
    Policy {
        merchant: String::new(),
        kinds: BTreeSet::new(),
        connections: BTreeSet::new(),
        channels: BTreeSet::new(),
        remind: Some(DAY),
        quiet: None,
    }
}

fn channel(last: Option<i64>) -> Channel {
    Channel { id: "alc_1".to_owned(), merchant: String::new(), last_at: last.map(at) }
}

fn said(seconds: i64) -> Option<Said> {
    Some(Said { at: at(seconds), closed: false })
}

#[test]
fn kinds_are_read_back() {
    for kind in AlertKind::ALL {
        assert_eq!(kind.as_str().parse::<AlertKind>().unwrap(), kind);
    }
    assert!("orders".parse::<AlertKind>().is_err());
}

#[test]
fn a_cause_is_what_reasons_have_in_common() {
    let cause = cause_of("SKU \"AB-12\" of row 7 is not mapped");
    assert_eq!(cause, cause_of("SKU \"XY-999\" of row 12 is not mapped"));
    assert_eq!(cause, "SKU … of row # is not mapped");
    assert_ne!(cause, cause_of("the shipping method 49 is not mapped"));
    assert_eq!(cause_of("7#8 \"9\"10 \"open"), "## …# …");
    assert_eq!(cause_of(&"1é".repeat(150)), "#é".repeat(100));
}

/// Many of one cause are one issue, and a thousand causes are few.
#[test]
fn a_flood_is_grouped() {
    let same =
        group((0..1000).map(|number| Sighting { subjects: vec![format!("exc_{number}")], ..sighting("same", 1) }));
    assert_eq!(same.len(), 1);
    assert_eq!((same[0].count, same[0].subjects.len()), (1000, 5));
    let many = group((0..1000).map(|number| sighting(&format!("cause {number:04}"), 2)));
    assert_eq!(many.len(), MOST_CAUSES + 1);
    assert_eq!(many.iter().map(|sighting| sighting.count).sum::<u64>(), 2000);
}

#[test]
fn an_issue_opens_counts_and_closes() {
    let opened = compare(&[], vec![sighting("a", 1)], at(0), REST);
    assert_eq!(opened, [Change::Open(sighting("a", 1))]);
    let open = [issue("a", 0)];
    assert_eq!(compare(&open, vec![sighting("a", 1)], at(60), REST), [], "nothing new is nothing to write");
    let counted = compare(&open, vec![sighting("a", 9)], at(60), REST);
    assert_eq!(counted, [Change::Seen("iss_a".to_owned(), sighting("a", 9))]);
    assert_eq!(compare(&open, vec![], at(60), REST), [Change::Gone("iss_a".to_owned())]);
    let gone = [Issue { gone_since: Some(at(60)), ..issue("a", 0) }];
    assert_eq!(compare(&gone, vec![], at(659), REST), [], "not for long enough");
    assert_eq!(compare(&gone, vec![], at(660), REST), [Change::Close("iss_a".to_owned())]);
    // It came back in time: the same issue goes on.
    let again = compare(&gone, vec![sighting("a", 1)], at(300), REST);
    assert_eq!(again, [Change::Seen("iss_a".to_owned(), sighting("a", 1))]);
}

#[test]
fn each_issue_is_announced_once_and_reminded_at_its_pace() {
    let policies = [everything()];
    let tell = |issue: Issue, said: Option<Said>, now: i64| {
        words(&channel(None), &[(issue, said)], &policies, at(now), PACE).first().map(|(_, word)| *word)
    };
    let day = 86_400;
    assert_eq!(tell(issue("a", 0), None, 0), Some(Word::Opened));
    assert_eq!(tell(issue("a", 0), said(0), day - 1), None);
    assert_eq!(tell(issue("a", 0), said(0), day), Some(Word::Reminder));
    let acknowledged = Issue { acknowledged: true, ..issue("a", 0) };
    assert_eq!(tell(acknowledged, said(0), 9 * day), None);
    let snoozed = Issue { snoozed_until: Some(at(5 * day)), ..issue("a", 0) };
    assert_eq!(tell(snoozed.clone(), said(0), 2 * day), None);
    assert_eq!(tell(snoozed, said(0), 5 * day), Some(Word::Reminder));
    let closed = Issue { closed_at: Some(at(100)), gone_since: Some(at(50)), ..issue("a", 0) };
    assert_eq!(tell(closed.clone(), said(0), 100), Some(Word::Closed));
    assert_eq!(tell(closed.clone(), Some(Said { at: at(100), closed: true }), 9 * day), None, "it was said");
    assert_eq!(tell(closed, None, 100), None, "nobody has heard of it");
}

#[test]
fn policies_choose() {
    let issues = [(issue("a", 0), None)];
    let other = [
        Policy { kinds: [AlertKind::Effect].into(), ..everything() },
        Policy { merchant: "mer_2".to_owned(), ..everything() },
        Policy { connections: ["con_2".to_owned()].into(), ..everything() },
        Policy { channels: ["alc_2".to_owned()].into(), ..everything() },
    ];
    for policy in &other {
        assert_eq!(words(&channel(None), &issues, std::slice::from_ref(policy), at(0), PACE), []);
    }
    let chosen = Policy {
        kinds: [AlertKind::OrderError].into(),
        merchant: "mer_1".to_owned(),
        connections: ["con_1".to_owned()].into(),
        channels: ["alc_1".to_owned()].into(),
        ..everything()
    };
    assert_eq!(words(&channel(None), &issues, &[chosen], at(0), PACE), [(0, Word::Opened)]);
    let brand = Channel { merchant: "mer_2".to_owned(), ..channel(None) };
    assert_eq!(words(&brand, &issues, &[everything()], at(0), PACE), [], "another brand's channel");
}

#[test]
fn quiet_hours_are_those_of_the_zone() {
    let zone = TimeZone::get("America/New_York").unwrap();
    let night = Quiet { from: time(22, 0, 0, 0), until: time(7, 0, 0, 0), zone };
    // 12:00 UTC on 1 March is 07:00 in New York.
    assert!(night.holds(at(-1)));
    assert!(!night.holds(at(0)));
    assert!(night.holds(at(15 * 3600)));
    let policy = Policy { quiet: Some(night), ..everything() };
    let issues = [(issue("a", -60), None)];
    assert_eq!(words(&channel(None), &issues, std::slice::from_ref(&policy), at(-1), PACE), []);
    assert_eq!(words(&channel(None), &issues, &[policy], at(0), PACE), [(0, Word::Opened)], "said afterwards");
    let noon = Quiet { from: time(12, 0, 0, 0), until: time(13, 0, 0, 0), zone: TimeZone::UTC };
    assert!(noon.holds(at(0)) && !noon.holds(at(3600)) && !noon.holds(at(-1)));
}

proptest! {
    /// Whatever is seen, an issue is left open only while its cause was seen within the rest, and no cause is open twice.
    #[test]
    fn issues_follow_their_causes(history in proptest::collection::vec(proptest::collection::btree_set(0_u8..5, 0..5), 1..40)) {
        let mut open: Vec<Issue> = Vec::new();
        let mut last_seen = [None::<i64>; 5];
        for (step, causes) in history.into_iter().enumerate() {
            let now = i64::try_from(step).unwrap() * 120;
            for cause in &causes {
                last_seen[usize::from(*cause)] = Some(now);
            }
            let seen = causes.iter().map(|cause| sighting(&cause.to_string(), 1)).collect();
            for change in compare(&open, seen, at(now), REST) {
                match change {
                    Change::Open(sighting) => open.push(Issue { last_at: at(now), ..issue(&sighting.key.cause, now) }),
                    Change::Seen(id, _) => {
                        let found = open.iter_mut().find(|issue| issue.id == id).unwrap();
                        (found.gone_since, found.last_at) = (None, at(now));
                    }
                    Change::Gone(id) => open.iter_mut().find(|issue| issue.id == id).unwrap().gone_since = Some(at(now)),
                    Change::Close(id) => open.retain(|issue| issue.id != id),
                }
            }
            let keys: BTreeSet<_> = open.iter().map(|issue| issue.key.clone()).collect();
            prop_assert_eq!(keys.len(), open.len());
            for (cause, seen) in last_seen.iter().enumerate() {
                let is_open = open.iter().any(|issue| issue.key.cause == cause.to_string());
                // Looks are 120 s apart: gone is noticed at the next one.
                let lately = seen.is_some_and(|seen| now - seen < 120 + 600);
                prop_assert_eq!(is_open, lately, "cause {} at {}", cause, now);
            }
        }
    }

    /// However many issues come and go, a channel gets at most one message in each pace, and speaks of each issue in order.
    #[test]
    fn messages_keep_their_pace(births in proptest::collection::vec((0_i64..4000, 60_i64..4000, any::<bool>()), 1..60)) {
        prop_assume!(!births.is_empty());
        let policies = [everything()];
        let mut here = channel(None);
        let mut heard: Vec<Vec<Word>> = vec![Vec::new(); births.len()];
        let mut told: Vec<Option<Said>> = vec![None; births.len()];
        let mut messages = Vec::new();
        for now in (0..9000).step_by(30) {
            let mut places = Vec::new();
            let mut issues = Vec::new();
            for (place, (born, life, acknowledged)) in births.iter().enumerate() {
                if now >= *born {
                    let closed_at = (now >= born + life).then(|| at(born + life));
                    places.push(place);
                    issues.push((Issue { closed_at, acknowledged: *acknowledged, ..issue(&place.to_string(), *born) }, told[place]));
                }
            }
            let found = words(&here, &issues, &policies, at(now), PACE);
            if !found.is_empty() {
                messages.push(now);
                here.last_at = Some(at(now));
            }
            for (index, word) in found {
                heard[places[index]].push(word);
                told[places[index]] = Some(Said { at: at(now), closed: word == Word::Closed });
            }
        }
        for pair in messages.windows(2) {
            prop_assert!(pair[1] - pair[0] >= 300);
        }
        for (place, words) in heard.iter().enumerate() {
            // Short ones may pass unheard; who heard of the opening hears of the end.
            prop_assert!(words.is_empty() || *words == [Word::Opened, Word::Closed], "{}: {:?}", place, words);
            prop_assert!(!words.is_empty() || births[place].1 < 300 + 60);
        }
    }
}
