//! Randomness of a seeded run.

use std::sync::{Mutex, PoisonError};

use connect::Random;

/// A stream of numbers that follows from a seed. Written out (splitmix64, <https://prng.di.unimi.it/splitmix64.c>) so that a
/// seed in a report means the same run after every update of a library.
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    /// The stream of this name for this seed; streams of one seed do not disturb each other.
    pub fn new(seed: u64, stream: &str) -> Self {
        let name = stream
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let dice = Self(Mutex::new(seed ^ name));
        dice.next();
        dice
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0, below `limit` (at least 1).
    pub fn below(&self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A number between these two, both possible.
    pub fn between(&self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.below(u64::try_from(most - least + 1).unwrap())).unwrap()
    }

    /// True so many times in a thousand.
    pub fn chance(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// These in another order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, usize::try_from(self.below(last as u64 + 1)).unwrap());
        }
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.next().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}
