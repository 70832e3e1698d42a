//! Time of a seeded run: tokio's paused clock, which moves only when everything waits.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use connect::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every run begins: a Monday with both an ordinary day and a year's end far away.
const START: &str = "2026-03-02T08:00:00Z";

/// The hub's clock, and the true time that the models live in. The two may differ by what the contract allows for.
#[derive(Debug)]
pub struct ModelClock {
    start: Timestamp,
    began: Instant,
    /// How far the hub's clock is ahead of the true time, in milliseconds.
    offset: AtomicI64,
}

impl ModelClock {
    /// At the fixed start. Needs a paused runtime.
    pub fn new() -> Self {
        Self { start: START.parse().unwrap(), began: Instant::now(), offset: AtomicI64::new(0) }
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
