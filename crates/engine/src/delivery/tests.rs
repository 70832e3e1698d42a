use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Answer, LONGEST_ASKED, PATIENCE, SCHEDULE, is_lost, read, wait};

#[test]
fn only_2xx_is_taken() {
    assert_eq!(read(Some(204), None), Answer::Taken);
    assert_eq!(read(Some(410), None), Answer::Gone);
    for status in [None, Some(199), Some(301), Some(307), Some(400), Some(404), Some(429), Some(500)] {
        assert_eq!(read(status, None), Answer::Again { wait: None }, "{status:?}");
    }
}

#[test]
fn it_goes_on_for_days_and_ends() {
    let all: Duration = (1..).map_while(|tries| wait(tries, None, 20)).sum();
    assert_eq!(all, SCHEDULE.iter().sum());
    assert!(all > Duration::from_secs(3 * 86_400), "{all:?}");
    assert_eq!(wait(10, None, 0), None);
    assert_eq!(wait(u32::MAX, Some(Duration::from_secs(1)), 0), None);
}

#[test]
fn a_receiver_is_lost_after_days() {
    let since: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    assert!(!is_lost(None, since, PATIENCE));
    assert!(!is_lost(Some(since), "2026-03-05T23:59:59Z".parse().unwrap(), PATIENCE));
    assert!(is_lost(Some(since), "2026-03-06T00:00:00Z".parse().unwrap(), PATIENCE));
    assert!(!is_lost(Some(since), "2026-02-01T00:00:00Z".parse().unwrap(), PATIENCE), "a clock that was set back");
}

proptest! {
    /// Waits stay within a fifth of the schedule, or are what the receiver asks for, up to a day.
    #[test]
    fn waits_are_near_the_schedule(tries in 0_u32..12, asked in proptest::option::of(0_u64..1_000_000), chance in any::<u16>()) {
        let asked = asked.map(Duration::from_secs);
        let found = wait(tries, asked, chance);
        let place = usize::try_from(tries.max(1) - 1).unwrap();
        prop_assert_eq!(found.is_some(), place < SCHEDULE.len());
        if let Some(found) = found {
            let usual = SCHEDULE[place];
            let least = (usual * 80 / 100).max(asked.unwrap_or_default().min(LONGEST_ASKED));
            let most = (usual * 120 / 100).max(asked.unwrap_or_default().min(LONGEST_ASKED));
            prop_assert!(least <= found && found <= most, "{:?} not within {:?} and {:?}", found, least, most);
        }
    }
}
