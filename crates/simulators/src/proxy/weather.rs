//! What happens to connections by chance.

use std::time::Duration;

use rand::{RngExt as _, rngs::StdRng};

use super::{Disturbance, Way};

/// Disturbances at random, decided when a connection is accepted. A program that keeps its connections open has few of them
/// and many requests on each, so the place is drawn among many bytes: it falls into any of the requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Weather {
    /// Share of connections that meet something, between 0 and 1.
    pub chance: f64,
    /// The byte at which it happens is drawn below this.
    pub within: u64,
    /// How long silence and delay last at most.
    pub hold: Duration,
}

impl Weather {
    /// A bad day: a third of the connections, anywhere in their first 64 KiB.
    #[must_use]
    pub fn bad(hold: Duration) -> Self {
        Self { chance: 0.33, within: 64 * 1024, hold }
    }

    pub(super) fn draw(&self, dice: &mut StdRng) -> Option<Disturbance> {
        if !dice.random_bool(self.chance.clamp(0.0, 1.0)) {
            return None;
        }
        let way = if dice.random_bool(0.5) { Way::Request } else { Way::Answer };
        // Small places are as likely as large ones: the middle of the first request matters as much as a later one.
        let bits = u64::BITS - self.within.max(2).leading_zeros();
        let after = dice.random_range(0..self.within.max(1)) >> dice.random_range(0..bits);
        let hold = self.hold.mul_f64(dice.random_range(0.1..=1.0));
        Some(match dice.random_range(0..10) {
            0..=2 => Disturbance::Reset { way, after },
            3..=4 => Disturbance::End { way, after: after.max(1) },
            5..=6 => Disturbance::Silence { way, after, hold },
            7..=8 => Disturbance::Drip { way, piece: dice.random_range(16..=512), pause: Duration::from_millis(2) },
            _ => Disturbance::Delay { hold },
        })
    }
}
