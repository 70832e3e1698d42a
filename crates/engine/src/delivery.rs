//! When something that is told to the outside is told again, and when that is given up.
//!
//! The waits are those of the Standard Webhooks scheme. Deliveries change nothing at a remote system that the journal knows of: they
//! may be repeated, and each carries an id by which the receiver knows a repeat.

use std::time::Duration;

use jiff::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Waits after the first, second, … try that failed. The first try is at once; all of them together take a little over three days.
pub const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * MINUTE),
    Duration::from_secs(30 * MINUTE),
    Duration::from_secs(2 * HOUR),
    Duration::from_secs(5 * HOUR),
    Duration::from_secs(10 * HOUR),
    Duration::from_secs(14 * HOUR),
    Duration::from_secs(20 * HOUR),
    Duration::from_secs(24 * HOUR),
];

/// Longest wait that a receiver can ask for (`Retry-After`).
pub const LONGEST_ASKED: Duration = Duration::from_secs(24 * HOUR);

/// A receiver that has taken nothing for so long is switched off.
pub const PATIENCE: Duration = Duration::from_secs(5 * 24 * HOUR);

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was taken.
    Taken,
    /// Nobody wants it any more (410): the receiver is switched off.
    Gone,
    /// Not taken, or not known: it goes again.
    Again {
        /// The receiver's own wish for a pause.
        wait: Option<Duration>,
    },
}

/// What an HTTP answer means. Only 2xx counts as taken; a redirect is not followed and counts as not taken.
pub fn read(status: Option<u16>, retry_after: Option<Duration>) -> Answer {
    match status {
        Some(200..=299) => Answer::Taken,
        Some(410) => Answer::Gone,
        _ => Answer::Again { wait: retry_after },
    }
}

/// The wait after `tries` tries that failed, at least one; `None`: it is given up. `chance` is a random number that spreads the waits
/// by a fifth to either side, so that receivers that were away together are not called together.
pub fn wait(tries: u32, asked: Option<Duration>, chance: u16) -> Option<Duration> {
    let place = usize::try_from(tries.max(1) - 1).unwrap_or(usize::MAX);
    let usual = *SCHEDULE.get(place)?;
    let percent = 80 + u32::from(chance) % 41;
    let spread = usual * percent / 100;
    Some(asked.map_or(spread, |asked| spread.max(asked.min(LONGEST_ASKED))))
}

/// Whether a receiver that has failed since then is to be switched off. `patience` is [`PATIENCE`], divided like all waits.
pub fn is_lost(failing_since: Option<Timestamp>, now: Timestamp, patience: Duration) -> bool {
    failing_since.is_some_and(|since| Duration::try_from(now.duration_since(since)).is_ok_and(|long| long >= patience))
}

#[cfg(test)]
mod tests;
