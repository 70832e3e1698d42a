//! Damages documents and drives readers of outside data with them, for as long as it is told.
//!
//! A [`Campaign`] makes inputs from a seed, one after the other, and hands each to the reader under test. A panic, an answer
//! that breaks a property, and an input that keeps the reader busy for too long are failures: the input is written to a file,
//! and the message says how to play it again. Inputs that once failed are kept in a folder of the test and played first.
//!
//! The same seed makes the same inputs in the same order; the time given decides only how far it gets.
//!
//! | Environment | Means |
//! |---|---|
//! | `MILLRACE_FUZZ_SECONDS` | time for each target; a few seconds where it is not given |
//! | `MILLRACE_FUZZ_SEED` | where the inputs begin; 1 where it is not given |
//! | `MILLRACE_FUZZ_INPUT` | a file: play this one input and nothing else |
//! | `MILLRACE_TOTALS` | a file that is given one JSON object of counts |

mod bytes;
#[expect(clippy::panic, reason = "a campaign is a test, and fails as one")]
mod campaign;
mod json;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use campaign::Campaign;

use rand::{RngExt as _, rngs::StdRng};

/// What a document is, which decides how it can be damaged so that a reader gets further than its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// Rows of cells.
    Csv,
    /// Anything with lines.
    Text,
}

/// A damaged copy: one to four changes, of bytes or of what the form knows. `donors` are other documents of the same kind,
/// whose parts are spliced in.
#[must_use]
pub fn damaged(form: Form, document: &[u8], donors: &[&[u8]], dice: &mut StdRng) -> Vec<u8> {
    let mut copy = document.to_vec();
    for _ in 0..dice.random_range(1..=4) {
        let informed = dice.random_bool(0.75);
        copy = match form {
            Form::Json if informed => json::damage(&copy, donors, dice),
            Form::Csv if informed => table::damage(&copy, dice),
            _ => bytes::damage(copy, donors, dice),
        };
    }
    copy
}

/// One of them; `None` of none.
fn pick<'a, T>(all: &'a [T], dice: &mut StdRng) -> Option<&'a T> {
    if all.is_empty() { None } else { all.get(dice.random_range(0..all.len())) }
}
