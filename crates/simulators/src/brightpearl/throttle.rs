//! The request quota: 200 a minute and pool, over which a request gets 503.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::call::Pace;
use super::switches::{BurstLimit, Switches, ThrottleWindow};

/// Real length of the window in milliseconds.
const WINDOW: i64 = 60_000;
/// Requests a second where short bursts are refused.
const BURST: usize = 20;

/// What one request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) granted: bool,
    /// Refused for a short burst rather than for the window.
    pub(crate) burst: bool,
    pub(crate) remaining: u32,
    /// Milliseconds until the pool refills.
    pub(crate) period: i64,
}

/// The pools of one account: one for all private apps, one per public developer.
#[derive(Default)]
pub(crate) struct Throttle {
    pools: BTreeMap<String, Pool>,
}

#[derive(Default)]
struct Pool {
    window: i64,
    used: u32,
    recent: VecDeque<i64>,
    last_second: VecDeque<i64>,
}

impl Throttle {
    /// Takes `cost` requests out of a pool. Without a limit everything is granted.
    pub(crate) fn take(
        &mut self,
        pool: &str,
        at: Timestamp,
        cost: u32,
        limit: Option<u32>,
        terms: (&Switches, Pace),
    ) -> Verdict {
        let now = at.as_millisecond();
        let length = terms.1.scaled_millis(WINDOW);
        let period = length - now.rem_euclid(length);
        let Some(limit) = limit else {
            return Verdict { granted: true, burst: false, remaining: 199, period };
        };
        let pool = self.pools.entry(pool.to_owned()).or_default();
        if terms.0.burst_limit == BurstLimit::TwentyASecond {
            let second = terms.1.scaled_millis(1000);
            while pool.last_second.front().is_some_and(|then| *then + second <= now) {
                pool.last_second.pop_front();
            }
            if pool.last_second.len() >= BURST {
                return Verdict { granted: false, burst: true, remaining: limit.saturating_sub(pool.used), period };
            }
            pool.last_second.push_back(now);
        }
        match terms.0.throttle_window {
            ThrottleWindow::UtcMinute => {
                let window = now.div_euclid(length);
                if pool.window != window {
                    (pool.window, pool.used) = (window, 0);
                }
                let granted = pool.used + cost <= limit;
                if granted {
                    pool.used += cost;
                }
                Verdict { granted, burst: false, remaining: limit.saturating_sub(pool.used), period }
            }
            ThrottleWindow::Rolling => {
                while pool.recent.front().is_some_and(|then| *then + length <= now) {
                    pool.recent.pop_front();
                }
                let used = u32::try_from(pool.recent.len()).unwrap_or(u32::MAX);
                let granted = used.saturating_add(cost) <= limit;
                if granted {
                    pool.recent.extend((0..cost).map(|_| now));
                }
                let used = u32::try_from(pool.recent.len()).unwrap_or(u32::MAX);
                let period = pool.recent.front().map_or(length, |oldest| oldest + length - now);
                Verdict { granted, burst: false, remaining: limit.saturating_sub(used), period }
            }
        }
    }
}

impl Pace {
    /// Milliseconds of the real system, shortened to at least one.
    pub(crate) fn scaled_millis(self, real: i64) -> i64 {
        (real / i64::from(self.0.max(1))).max(1)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Throttle, Verdict};
    use crate::brightpearl::call::Pace;
    use crate::brightpearl::switches::{Switches, ThrottleWindow};

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).expect("in range")
    }

    #[test]
    fn the_window_is_the_utc_minute() {
        let mut throttle = Throttle::default();
        let terms = (&Switches::default(), Pace(1));
        let mut take = |now| throttle.take("private", at(now), 1, Some(2), terms);
        assert_eq!(take(59_000), Verdict { granted: true, burst: false, remaining: 1, period: 1000 });
        assert_eq!(take(59_500), Verdict { granted: true, burst: false, remaining: 0, period: 500 });
        assert!(!take(59_999).granted);
        assert_eq!(take(60_000), Verdict { granted: true, burst: false, remaining: 1, period: 60_000 });
    }

    #[test]
    fn a_rolling_window_looks_back_a_minute() {
        let mut throttle = Throttle::default();
        let switches = Switches { throttle_window: ThrottleWindow::Rolling, ..Switches::default() };
        let mut take = |now| throttle.take("private", at(now), 1, Some(2), (&switches, Pace(1)));
        assert!(take(59_000).granted);
        assert!(take(59_500).granted);
        assert!(!take(60_000).granted);
        assert!(take(119_000).granted);
        assert!(!take(119_100).granted);
    }
}
