//! Whether a clock that can be set runs on evenly.
//!
//! Waits that decide whether something is sent again are measured on the database's clock (docs/reliability.md, R4). A clock
//! that is set forward would end them early, and one machine may be ahead of another. What cannot be set is the monotonic
//! clock of a process, which knows nothing of the time before the process began. So an outcome counts as waited out only when
//! the database's clock says so *and* has run evenly beside the monotonic one for that long.

use std::time::Duration;

use jiff::Timestamp;

/// How a clock has run beside the monotonic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steady {
    since: Duration,
    /// The clock less the monotonic one, in milliseconds: at least, at most.
    difference: Option<(i64, i64)>,
}

impl Steady {
    /// Nothing seen before `now`, on the monotonic clock.
    pub fn new(now: Duration) -> Self {
        Self { since: now, difference: None }
    }

    /// The clock said `at` at some moment between `from` and `until` on the monotonic one. `error` is how far it may stray
    /// without being taken for set. How far it was set, if it was: forward is positive, in milliseconds.
    pub fn saw(&mut self, at: Timestamp, from: Duration, until: Duration, error: Duration) -> Option<i64> {
        let at = at.as_millisecond();
        let (least, most) = (at.saturating_sub(millis(until)), at.saturating_sub(millis(from)));
        let Some((known_least, known_most)) = self.difference else {
            self.difference = Some((least, most));
            return None;
        };
        let forward = least.saturating_sub(known_most);
        let back = known_least.saturating_sub(most);
        if forward.max(back) > millis(error) {
            self.difference = Some((least, most));
            self.since = until;
            return Some(if forward > 0 { forward } else { back.saturating_neg() });
        }
        let (closer_least, closer_most) = (least.max(known_least), most.min(known_most));
        // Two clocks drift apart slowly: then the newest reading is the better one.
        self.difference = Some(if closer_least <= closer_most { (closer_least, closer_most) } else { (least, most) });
        None
    }

    /// How long the clock has run evenly by `now`, on the monotonic clock.
    pub fn since(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since)
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::Steady;

    const ERROR: Duration = Duration::from_secs(5);

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_and_begins_anew() {
        let second = Duration::from_secs;
        let mut steady = Steady::new(second(0));
        assert_eq!(steady.saw(at(1_000), second(1), second(1), ERROR), None);
        assert_eq!(steady.saw(at(100_000), second(100), second(100), ERROR), None);
        assert_eq!(steady.since(second(100)), second(100));
        assert_eq!(steady.saw(at(281_000), second(101), second(101), ERROR), Some(180_000));
        assert_eq!(steady.since(second(161)), second(60));
        assert_eq!(steady.saw(at(341_000), second(161), second(161), ERROR), None, "it runs on from there");
        assert_eq!(steady.saw(at(342_000 - 300_000), second(162), second(162), ERROR), Some(-300_000));
    }

    proptest! {
        /// Answers take their time, and both clocks drift a little: that is no setting.
        #[test]
        fn slow_answers_and_drift_are_no_setting(
            waits in prop::collection::vec((1_u64..600_000, 0_u64..30_000, 0_u64..=100), 1..60),
            parts_per_million in -100_i64..100,
        ) {
            let mut steady = Steady::new(Duration::ZERO);
            let mut now = 0_u64;
            for (pause, took, place) in waits {
                let from = now + pause;
                let read = from + took * place / 100;
                now = from + took;
                let drift = i64::try_from(read).unwrap() * parts_per_million / 1_000_000;
                let said = at(i64::try_from(read).unwrap() + drift);
                let millisecond = Duration::from_millis;
                prop_assert_eq!(steady.saw(said, millisecond(from), millisecond(now), ERROR), None);
            }
            prop_assert_eq!(steady.since(Duration::from_millis(now)), Duration::from_millis(now));
        }

        /// However slow the answers: a setting by more than the error and the slowest answer is seen.
        #[test]
        fn a_setting_is_seen(took in 0_u64..20_000, set in 30_000_i64..600_000, back: bool) {
            let mut steady = Steady::new(Duration::ZERO);
            let millisecond = Duration::from_millis;
            steady.saw(at(50_000), millisecond(50_000), millisecond(50_000 + took), ERROR);
            let set = if back { -set } else { set };
            let seen = steady.saw(at(100_000 + set), millisecond(100_000), millisecond(100_000 + took), ERROR);
            prop_assert!(seen.is_some_and(|seen| seen.signum() == set.signum()));
        }
    }
}
