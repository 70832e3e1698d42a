//! The other side's clock beside ours, for the test of a connection: times of shipment and of counts are theirs, and files are
//! judged by when they were written.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Clock, HttpRequest, HttpResponse, Transport, TransportError};

/// A difference that is worth setting a clock for, in seconds.
const SHOWN: i64 = 30;

/// What a test says of two clocks: `theirs` less ours, in seconds, of the machine that is called `whose` ("Brightpearl's"). The
/// first where they agree well enough, the second where somebody should set one.
///
/// # Errors
/// The words for a warning.
pub fn beside_ours(whose: &str, theirs: i64) -> Result<String, String> {
    match theirs.abs() {
        0 => Ok(format!("{whose} clock and this machine's agree to the second.")),
        seconds @ ..=SHOWN => Ok(format!("{whose} clock and this machine's agree within {seconds} s.")),
        seconds => Err(format!(
            "{whose} clock is {seconds} s {} this machine's. Set the one that is wrong, so that times of shipment and of counts \
             are right.",
            if theirs > 0 { "ahead of" } else { "behind" }
        )),
    }
}

/// A transport that remembers how far the clock of whoever answers is from ours, by the `Date` of the last answer.
pub struct Dated {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    /// [`NOT_SEEN`] until an answer says a date.
    difference: AtomicI64,
}

const NOT_SEEN: i64 = i64::MIN;

impl Dated {
    /// Around another transport.
    pub fn around(inner: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock, difference: AtomicI64::new(NOT_SEEN) }
    }

    /// Their clock less ours, in seconds; `None` where no answer has said a date.
    pub fn difference(&self) -> Option<i64> {
        Some(self.difference.load(Ordering::Relaxed)).filter(|seen| *seen != NOT_SEEN)
    }
}

#[async_trait]
impl Transport for Dated {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let answer = self.inner.send(request).await?;
        if let Some(date) = answer.date() {
            self.difference.store(less(date, self.clock.now()), Ordering::Relaxed);
        }
        Ok(answer)
    }
}

/// One time less another in whole seconds, as a clock with whole seconds shows them.
pub fn less(theirs: Timestamp, ours: Timestamp) -> i64 {
    theirs.as_second() - ours.as_second()
}

#[cfg(test)]
mod tests {
    use super::beside_ours;

    #[test]
    fn a_clock_that_is_off_is_said_to_be() {
        assert!(beside_ours("The warehouse's", 0).unwrap().contains("to the second"));
        assert!(beside_ours("The warehouse's", -30).unwrap().contains("within 30 s"));
        assert!(beside_ours("The warehouse's", 31).unwrap_err().contains("31 s ahead of this machine's"));
        assert!(beside_ours("The warehouse's", -3600).unwrap_err().contains("3600 s behind this machine's"));
    }
}
