//! How often signing in may be tried. Each failure beyond the first few doubles the wait until the next try is looked at, for
//! the account and for the address it comes from. A try is counted before it is looked at, so that many at once are no way
//! around it, and taken off again when it was right.

use jiff::{SignedDuration, Timestamp};

/// How patient one counter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Failures that cost nothing: typing mistakes.
    pub free: u32,
    /// The longest wait: somebody who is locked out by a stranger's tries gets in after that.
    pub longest: SignedDuration,
}

/// Of one account: an e-mail address, whether or not somebody has it.
pub const ACCOUNT: Rule = Rule { free: 5, longest: SignedDuration::from_mins(15) };

/// Of one network address, behind which a whole office may sit.
pub const ADDRESS: Rule = Rule { free: 30, longest: SignedDuration::from_mins(15) };

/// Of sign-ins that one network address begins at the identity provider and does not end there: people change their minds, and
/// the provider may be down. Each costs it a call, so there is an end to them; but a short one.
pub const BEGINNING: Rule = Rule { free: 30, longest: SignedDuration::from_secs(30) };

/// Without any try for so long, all is forgotten.
pub const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// What is known of one counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Failures that count.
    pub failures: u32,
    /// The last try that was looked at.
    pub last_at: Timestamp,
    /// The next one is looked at from then on.
    pub free_at: Timestamp,
}

/// Counts a try that happens now, or says from when on one is looked at.
///
/// # Errors
/// The time from which on a try is looked at again.
pub fn admit(known: Option<Tries>, rule: Rule, now: Timestamp) -> Result<Tries, Timestamp> {
    let known = known.filter(|tries| now.duration_since(tries.last_at) < FORGOTTEN);
    if let Some(tries) = known
        && now < tries.free_at
    {
        return Err(tries.free_at);
    }
    let failures = known.map_or(0, |tries| tries.failures).saturating_add(1);
    Ok(Tries { failures, last_at: now, free_at: now.saturating_add(wait(failures, rule)).unwrap_or(now) })
}

/// Takes off a try that was right.
pub fn forgive(tries: Tries, now: Timestamp) -> Tries {
    Tries { failures: tries.failures.saturating_sub(1), free_at: now, ..tries }
}

/// The wait after so many failures: 1 s after the first that is not free, then twice as long each time.
fn wait(failures: u32, rule: Rule) -> SignedDuration {
    let beyond = failures.saturating_sub(rule.free);
    if beyond == 0 {
        return SignedDuration::ZERO;
    }
    let seconds = 1_i64.checked_shl(beyond - 1).filter(|seconds| *seconds > 0).unwrap_or(i64::MAX);
    SignedDuration::from_secs(seconds).min(rule.longest)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::{prop_assert, proptest};

    use super::{ACCOUNT, ADDRESS, FORGOTTEN, admit, forgive};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let (mut tries, mut now, mut waits) = (None, at(1_000_000), Vec::new());
        for _ in 0..18 {
            let counted = admit(tries, ACCOUNT, now).unwrap();
            waits.push(counted.free_at.duration_since(now).as_secs());
            now = counted.free_at;
            tries = Some(counted);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    }

    #[test]
    fn a_day_of_quiet_forgets_and_a_right_try_is_not_counted() {
        let mut tries = None;
        for second in 0..6 {
            tries = Some(admit(tries, ACCOUNT, at(second)).unwrap());
        }
        let blocked = tries.unwrap();
        assert_eq!(admit(tries, ACCOUNT, at(5)), Err(at(6)));
        assert_eq!(forgive(blocked, at(6)).failures, 5);
        let later = blocked.last_at + FORGOTTEN;
        assert_eq!(admit(tries, ACCOUNT, later).unwrap().failures, 1);
    }

    proptest! {
        /// However tries are spread over a day, only few of them are looked at.
        #[test]
        fn a_day_of_tries_is_bounded(gaps in proptest::collection::vec(0_i64..200, 1000)) {
            for (rule, bound) in [(ACCOUNT, 5 + 10 + 97), (ADDRESS, 30 + 10 + 97)] {
                let (mut tries, mut now, mut looked) = (None, at(0), 0);
                for gap in &gaps {
                    now += SignedDuration::from_secs(*gap);
                    if now >= at(86_400) { break; }
                    if let Ok(counted) = admit(tries, rule, now) {
                        tries = Some(counted);
                        looked += 1;
                    }
                }
                prop_assert!(looked <= bound, "{} tries were looked at", looked);
            }
        }
    }
}
