//! Time of a seeded run: tokio's paused clock, which moves only when everything waits.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use connect::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::random::Dice;

/// When runs begin: on an ordinary day, and shortly before what calendars do to clocks (summer time in Europe and in
/// America, its end in both, a leap day, a year's end).
const STARTS: [&str; 8] = [
    "2026-03-02T08:00:00Z",
    "2026-05-18T13:20:00Z",
    "2026-03-29T00:52:00Z",
    "2026-10-25T00:52:00Z",
    "2026-03-08T07:52:00Z",
    "2026-11-01T06:52:00Z",
    "2028-02-28T23:52:00Z",
    "2026-12-31T23:52:00Z",
];

/// The hub's clock, and the true time that the models live in. The two may differ by what the contract allows for.
#[derive(Debug)]
pub struct ModelClock {
    start: Timestamp,
    began: Instant,
    /// How far the hub's clock is ahead of the true time, in milliseconds.
    offset: AtomicI64,
}

impl ModelClock {
    /// At one of the starts. Needs a paused runtime.
    pub fn new(dice: &Dice) -> Self {
        Self { start: dice.pick(&STARTS).parse().unwrap(), began: Instant::now(), offset: AtomicI64::new(0) }
    }

    /// The time that the models live in.
    pub fn true_time(&self) -> Timestamp {
        self.start + SignedDuration::try_from(self.began.elapsed()).unwrap()
    }

    /// Sets how far the hub's clock is ahead.
    pub fn skew(&self, milliseconds: i64) {
        self.offset.store(milliseconds, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for ModelClock {
    fn now(&self) -> Timestamp {
        self.true_time() + SignedDuration::from_millis(self.offset.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
