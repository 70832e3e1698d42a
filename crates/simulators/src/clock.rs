//! The clock of the simulated world. Waits are shortened by settings; the time of day is the real one.

use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "a simulated vendor has a clock of its own")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
