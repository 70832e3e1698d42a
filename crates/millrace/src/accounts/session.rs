//! How long a session lasts: NIST SP 800-63B-4 §2.2.3, the limits of its second level.

use jiff::{SignedDuration, Timestamp};

/// Without use it ends after this.
pub const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// It ends after this, however much it is used.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// When a session ends that was begun and last used then.
pub fn ends_at(started_at: Timestamp, seen_at: Timestamp) -> Timestamp {
    let idle = seen_at.saturating_add(IDLE).unwrap_or(seen_at);
    let whole = started_at.saturating_add(LONGEST).unwrap_or(started_at);
    idle.min(whole)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{LONGEST, ends_at};

    #[test]
    fn unused_it_ends_after_an_hour_and_used_after_a_day() {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(ends_at(start, start), start + SignedDuration::from_hours(1));
        let used = start + SignedDuration::from_hours(5);
        assert_eq!(ends_at(start, used), start + SignedDuration::from_hours(6));
        assert_eq!(ends_at(start, start + SignedDuration::from_mins(1435)), start + LONGEST);
    }
}
