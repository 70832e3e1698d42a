//! How many requests one caller may make: a bucket that holds a minute's worth, loses one with each request, and fills evenly. A
//! program that runs wild takes nothing from the others, and one that works off a list in a burst is not slowed.

use std::{num::NonZeroU32, time::Duration};

/// Requests a minute where the operator says nothing: far above what people and well-behaved programs need, far below what would keep
/// a small machine busy.
pub const USUAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(2999);

/// What the bucket holds, in time.
const MINUTE: Duration = Duration::from_secs(60);

/// How a caller stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Requests that the full bucket holds.
    pub limit: u32,
    /// Requests that it holds now.
    pub remaining: u32,
    /// Until it is full again.
    pub full_in: Duration,
    /// Until it holds a request again, where this one found it empty; then it is refused.
    pub retry_in: Option<Duration>,
}

/// Takes a request out of a bucket that is full from `full_at` on (`None`: it is full), at the moment `now` of a clock that never
/// goes back. When it is full again after that, and how the caller stands. A request that is refused takes nothing.
pub fn take(a_minute: NonZeroU32, full_at: Option<Duration>, now: Duration) -> (Duration, Standing) {
    let each = MINUTE / a_minute.get();
    let before = full_at.unwrap_or(now).max(now);
    let after = before + each;
    let limit = a_minute.get();
    let missing = after - now;
    if missing > MINUTE {
        let retry_in = Some(missing - MINUTE);
        return (before, Standing { limit, remaining: 0, full_in: before - now, retry_in });
    }
    let held = (MINUTE - missing).as_nanos() / each.as_nanos().max(1);
    let remaining = u32::try_from(held).unwrap_or(u32::MAX).min(limit - 1);
    (after, Standing { limit, remaining, full_in: missing, retry_in: None })
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::take;

    fn a_minute(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn a_minutes_worth_goes_at_once_and_then_evenly() {
        let (mut full_at, now) = (None, Duration::from_secs(1000));
        for left in (0..60).rev() {
            let (after, standing) = take(a_minute(60), full_at, now);
            assert_eq!((standing.remaining, standing.retry_in), (left, None));
            full_at = Some(after);
        }
        let (after, refused) = take(a_minute(60), full_at, now);
        assert_eq!((refused.remaining, refused.retry_in), (0, Some(Duration::from_secs(1))));
        assert_eq!((Some(after), refused.full_in), (full_at, Duration::from_secs(60)), "it took nothing");
        let later = now + Duration::from_millis(1500);
        let (after, standing) = take(a_minute(60), full_at, later);
        assert_eq!((standing.remaining, standing.retry_in), (0, None));
        assert_eq!(take(a_minute(60), Some(after), later).1.retry_in, Some(Duration::from_millis(500)));
        // A minute without any, and it is full.
        assert_eq!(take(a_minute(60), Some(after), later + Duration::from_secs(60)).1.remaining, 59);
    }

    proptest! {
        /// In no minute are more taken than a bucket and what flowed into it; who waits as long as told is let in; and the count that is
        /// told is how many really go.
        #[test]
        fn what_is_told_holds(number in 1_u32..200, gaps in prop::collection::vec(0_u64..400, 1..400)) {
            let (mut full_at, mut now, mut taken) = (None, Duration::from_secs(5), Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                let (after, standing) = take(a_minute(number), full_at, now);
                full_at = Some(after);
                match standing.retry_in {
                    None => taken.push(now),
                    Some(wait) => {
                        prop_assert!(wait <= Duration::from_secs(60) / number);
                        prop_assert_eq!(take(a_minute(number), full_at, now + wait).1.retry_in, None);
                    }
                }
                let mut rest = 0;
                let mut trial = full_at;
                while rest <= standing.remaining && take(a_minute(number), trial, now).1.retry_in.is_none() {
                    trial = Some(take(a_minute(number), trial, now).0);
                    rest += 1;
                }
                prop_assert_eq!(rest, standing.remaining);
            }
            for (place, from) in taken.iter().enumerate() {
                let within = taken[place..].iter().take_while(|at| **at < *from + Duration::from_secs(60)).count();
                prop_assert!(within <= 2 * number as usize, "{} in a minute", within);
            }
        }
    }
}
