//! How much of what is refused is written down. A stranger may be refused as often as they like, and the audit trail is never cut:
//! so a repeat is only counted, and told at ten, at a hundred, at a thousand; and each trail takes so many rows an hour and no more.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// So long is counted together.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// Rows that one trail takes in that time.
pub const MOST: u32 = 100;

/// What is told of one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A row, which says how often it has happened in this hour.
    Times(u64),
    /// A row that says that it is the last one of this hour, whatever comes.
    NoMore,
    /// Nothing: it is counted, or not even that.
    Nothing,
}

/// What was refused in one hour, in one trail. It holds no more than it has told.
#[derive(Debug)]
pub struct Window {
    began: Timestamp,
    rows: u32,
    times: BTreeMap<[String; 3], u64>,
}

impl Window {
    /// Nothing yet.
    pub fn new(now: Timestamp) -> Self {
        Self { began: now, rows: 0, times: BTreeMap::new() }
    }

    /// Counts a refusal: who, from where, and why.
    pub fn count(&mut self, what: [String; 3], now: Timestamp) -> Told {
        // A clock that was set back begins anew as well.
        if now < self.began || now.duration_since(self.began) >= WINDOW {
            *self = Self::new(now);
        }
        if self.rows >= MOST {
            return Told::Nothing;
        }
        let times = self.times.entry(what).or_default();
        *times = times.saturating_add(1);
        let times = *times;
        if !is_power_of_ten(times) {
            return Told::Nothing;
        }
        self.rows += 1;
        if self.rows == MOST { Told::NoMore } else { Told::Times(times) }
    }
}

fn is_power_of_ten(mut number: u64) -> bool {
    while number >= 10 && number.is_multiple_of(10) {
        number /= 10;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{MOST, Told, Window};

    fn who(number: u32) -> [String; 3] {
        [format!("key {number}"), "192.0.2.1".to_owned(), "forbidden".to_owned()]
    }

    #[test]
    fn a_repeat_is_told_ever_more_rarely() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut window = Window::new(now);
        let told: Vec<u64> = (0..12_345)
            .filter_map(|_| match window.count(who(1), now) {
                Told::Times(times) => Some(times),
                Told::NoMore | Told::Nothing => None,
            })
            .collect();
        assert_eq!(told, [1, 10, 100, 1000, 10_000]);
        assert_eq!(window.count(who(2), now), Told::Times(1), "somebody else is told at once");
        let later = now + SignedDuration::from_hours(1);
        assert_eq!(window.count(who(1), later), Told::Times(1), "an hour later it is new again");
        assert_eq!(window.count(who(1), now), Told::Times(1), "the clock was set back");
    }

    #[test]
    fn whoever_comes_from_everywhere_fills_no_trail() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut window = Window::new(now);
        let told: Vec<Told> = (0..100_000).map(|number| window.count(who(number), now)).collect();
        let rows = told.iter().filter(|told| **told != Told::Nothing).count();
        assert_eq!(u32::try_from(rows).unwrap(), MOST);
        assert_eq!(told.iter().position(|told| *told == Told::NoMore), Some(rows - 1), "the last row says that it is");
        assert_eq!(window.times.len(), rows, "nor memory");
        assert_eq!(window.count(who(1), now + SignedDuration::from_hours(1)), Told::Times(1));
    }
}
