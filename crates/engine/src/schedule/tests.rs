use jiff::{SignedDuration, civil};
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 8] = [
    "UTC",
    "America/New_York",
    "Europe/London",
    "Asia/Kolkata",
    // Half an hour is put forward and back.
    "Australia/Lord_Howe",
    // The clock is changed at midnight.
    "Asia/Beirut",
    "America/Havana",
    "Pacific/Chatham",
];

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("the machine has the zones")
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn local(zone: &TimeZone, at: Timestamp) -> String {
    at.to_zoned(zone.clone()).strftime("%m-%d %H:%M %:z").to_string()
}

fn shown(rules: &[Rule], name: &str, after: &str, count: usize) -> Vec<String> {
    let zone = zone(name);
    preview(rules, &zone, moment(after), count).into_iter().map(|at| local(&zone, at)).collect()
}

fn daily(hour: i8, minute: i8) -> Rule {
    Rule::Daily { at: civil::time(hour, minute, 0, 0) }
}

/// By walking along the true time, minute by minute, looking at the clock of the wall.
fn walked(rule: &Rule, zone: &TimeZone, after: Timestamp) -> Timestamp {
    let minute = SignedDuration::from_mins(1);
    let fires = |time: DateTime| {
        let of_day = u32::from(time.hour().unsigned_abs()) * 60 + u32::from(time.minute().unsigned_abs());
        rule.minutes(Day::of(time.date())).contains(&of_day)
    };
    let mut at = Timestamp::from_second(after.as_second().div_euclid(60) * 60).expect("a time");
    loop {
        let before = at.to_zoned(zone.clone()).datetime();
        at += minute;
        let now = at.to_zoned(zone.clone()).datetime();
        let mut expected = before + jiff::Span::new().minutes(1);
        let mut found = false;
        while expected < now {
            found |= fires(expected);
            expected += jiff::Span::new().minutes(1);
        }
        // A clock that was put back shows again what it has shown.
        let again = || {
            (1..=PUT_BACK * 60).any(|back| {
                let past = at - SignedDuration::from_mins(back);
                past.to_zoned(zone.clone()).datetime() == now
            })
        };
        found |= fires(now) && !(rule.names_times() && again());
        if found && at > after {
            return at;
        }
    }
}

fn rules() -> impl Strategy<Value = Rule> {
    let day = prop_oneof![
        Just(Day::Monday),
        Just(Day::Tuesday),
        Just(Day::Wednesday),
        Just(Day::Thursday),
        Just(Day::Friday),
        Just(Day::Saturday),
        Just(Day::Sunday)
    ];
    let block = (0_u32..24, 1_u32..=24).prop_map(|(from, long)| Block { from, to: (from + long).min(24) });
    prop_oneof![
        (1_u32..=720).prop_map(|minutes| Rule::Minutely { minutes }),
        (1_u32..=12, 0_u32..60).prop_map(|(hours, minute)| Rule::Hourly { hours, minute }),
        (0_i8..24, 0_i8..60).prop_map(|(hour, minute)| daily(hour, minute)),
        (proptest::collection::btree_set(day, 1..=7), proptest::collection::vec(block, 1..4), 1_u32..=720)
            .prop_map(|(days, blocks, minutes)| Rule::Flexible { days, blocks, minutes }),
    ]
}

/// Mostly in the days about a change of the clock, where there is one.
fn moments_near_changes() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    (0..ZONES.len(), 0_usize..6, -50_i64..50, 0_i64..3600, any::<bool>()).prop_map(
        |(name, change, hours, second, near)| {
            let zone = zone(ZONES[name]);
            let begin = moment("2024-01-01T00:00:00Z");
            let changed = zone.following(begin).nth(change).map(|change| change.timestamp());
            let about = match changed {
                Some(changed) if near => changed,
                _ => begin + SignedDuration::from_hours(hours.abs() * 400),
            };
            (zone, about + SignedDuration::from_hours(hours) + SignedDuration::from_secs(second))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_next_run_is_the_first_that_the_clock_of_the_wall_shows(rule in rules(), (zone, after) in moments_near_changes()) {
        prop_assert_eq!(rule.problem(), None);
        let next = rule.next(&zone, after).expect("it fires within a week");
        prop_assert!(next > after);
        prop_assert_eq!(local(&zone, next), local(&zone, walked(&rule, &zone, after)), "{} after {}", rule, after);
    }

    #[test]
    fn rules_stack(one in rules(), two in rules(), (zone, after) in moments_near_changes()) {
        let both = next(&[one.clone(), two.clone()], &zone, after);
        prop_assert_eq!(both, one.next(&zone, after).min(two.next(&zone, after)));
        let five = preview(&[one, two], &zone, after, 5);
        prop_assert_eq!(five.len(), 5);
        prop_assert!(five.windows(2).all(|two| two[0] < two[1]), "in order, each once: {:?}", five);
    }

    #[test]
    fn what_is_kept_comes_back(rule in rules()) {
        let text = serde_json::to_string(&rule).expect("it can be written");
        prop_assert_eq!(serde_json::from_str::<Rule>(&text).expect("it can be read"), rule);
    }
}

#[test]
fn a_time_that_does_not_exist_is_once_at_the_first_that_does() {
    let at = [daily(2, 30), daily(2, 45)];
    assert_eq!(
        shown(&at, "America/New_York", "2026-03-07T12:00:00Z", 3),
        ["03-08 03:00 -04:00", "03-09 02:30 -04:00", "03-09 02:45 -04:00"]
    );
}

#[test]
fn a_time_that_exists_twice_is_once() {
    assert_eq!(
        shown(&[daily(1, 30)], "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["11-01 01:30 -04:00", "11-02 01:30 -05:00"]
    );
    let hourly = [Rule::Hourly { hours: 1, minute: 30 }];
    assert_eq!(
        shown(&hourly, "America/New_York", "2026-11-01T04:00:00Z", 3),
        ["11-01 00:30 -04:00", "11-01 01:30 -04:00", "11-01 02:30 -05:00"]
    );
}

#[test]
fn a_pace_goes_on_through_both_hours() {
    let paced = [Rule::Minutely { minutes: 30 }];
    assert_eq!(
        shown(&paced, "America/New_York", "2026-11-01T05:00:00Z", 4),
        ["11-01 01:30 -04:00", "11-01 01:00 -05:00", "11-01 01:30 -05:00", "11-01 02:00 -05:00"]
    );
}

#[test]
fn hours_of_some_days() {
    let weekdays = Rule::Flexible {
        days: [Day::Friday, Day::Monday].into(),
        blocks: vec![Block { from: 8, to: 9 }, Block { from: 22, to: 24 }],
        minutes: 45,
    };
    assert_eq!(
        shown(std::slice::from_ref(&weekdays), "Europe/London", "2026-11-27T08:10:00Z", 5),
        ["11-27 08:45 +00:00", "11-27 22:00 +00:00", "11-27 22:45 +00:00", "11-27 23:30 +00:00", "11-30 08:00 +00:00"]
    );
    assert_eq!(weekdays.to_string(), "Mon, Fri 08:00-09:00, 22:00-24:00 every 45 minutes");
    let others = [Rule::Minutely { minutes: 1 }, Rule::Hourly { hours: 6, minute: 5 }, daily(2, 0)];
    assert_eq!(words(&others), "every minute; every 6 hours at minute 05; every day at 02:00");
}

#[test]
fn what_is_no_rule_says_why() {
    let flexible = |days: &[Day], from, to| Rule::Flexible {
        days: days.iter().copied().collect(),
        blocks: vec![Block { from, to }],
        minutes: 5,
    };
    for (rule, about) in [
        (Rule::Minutely { minutes: 0 }, "minutes"),
        (Rule::Minutely { minutes: 721 }, "minutes"),
        (Rule::Hourly { hours: 0, minute: 0 }, "hours"),
        (Rule::Hourly { hours: 1, minute: 60 }, "minute:"),
        (flexible(&[], 0, 24), "days"),
        (flexible(&[Day::Sunday], 8, 8), "blocks"),
        (flexible(&[Day::Sunday], 8, 25), "blocks"),
        (Rule::Flexible { days: [Day::Sunday].into(), blocks: Vec::new(), minutes: 5 }, "blocks"),
    ] {
        assert!(rule.problem().is_some_and(|problem| problem.starts_with(about)), "{rule:?}");
    }
    assert_eq!(next(&[], &TimeZone::UTC, Timestamp::UNIX_EPOCH), None);
}

#[test]
fn a_missed_run_is_made_up_for_once_and_tests_wait_less() {
    let (rules, since) = ([daily(2, 0)], moment("2026-11-26T12:00:00Z"));
    assert_eq!(due(&rules, &TimeZone::UTC, since, 1), Some(moment("2026-11-27T02:00:00Z")));
    assert_eq!(due(&rules, &TimeZone::UTC, since, 14), Some(moment("2026-11-26T13:00:00Z")));
}
