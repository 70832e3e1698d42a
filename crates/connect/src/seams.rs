//! Time and randomness come in through these traits, so that one seed can decide a whole run.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// The only source of time in the hub and in connectors.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;

    /// A reading that never goes back, for measuring how long something took and for limits that a stepped clock must not
    /// widen. Its zero is arbitrary.
    fn monotonic(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, time: Duration);
}

/// The only source of randomness in the hub and in connectors.
pub trait Random: Send + Sync {
    /// Fills the whole slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's own clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the system's time comes in")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness there are no safe ids, keys or nonces: there is nothing to fall back to.
        #[expect(clippy::expect_used, reason = "a machine whose random source fails cannot run the hub safely")]
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}
