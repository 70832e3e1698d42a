//! Damage that knows nothing of what it damages.

use rand::{RngExt as _, rngs::StdRng};

use super::{
    pick,
    words::{NUMBERS, TEXTS, TIMES},
};

/// A place in a document, its end included.
fn place(document: &[u8], dice: &mut StdRng) -> usize {
    dice.random_range(0..=document.len())
}

/// A part of a document, short more often than long.
fn part(document: &[u8], dice: &mut StdRng) -> std::ops::Range<usize> {
    let start = place(document, dice);
    let most = if dice.random_bool(0.8) { 40 } else { document.len() };
    let end = (start + dice.random_range(0..=most)).min(document.len());
    start..end
}

/// One change.
pub(super) fn damage(mut document: Vec<u8>, donors: &[&[u8]], dice: &mut StdRng) -> Vec<u8> {
    match dice.random_range(0..8) {
        0 if !document.is_empty() => {
            let at = dice.random_range(0..document.len());
            if let Some(byte) = document.get_mut(at) {
                *byte ^= 1 << dice.random_range(0..8);
            }
        }
        1 => {
            let at = place(&document, dice);
            document.insert(at, dice.random());
        }
        2 => {
            let at = place(&document, dice);
            document.truncate(at);
        }
        3 => {
            let part = part(&document, dice);
            document.drain(part);
        }
        4 => {
            let copy = document.get(part(&document, dice)).unwrap_or_default().to_vec();
            let times = if dice.random_bool(0.05) { 200 } else { 1 };
            let at = place(&document, dice);
            document.splice(at..at, copy.repeat(times));
        }
        5 => {
            let donor = pick(donors, dice).copied().unwrap_or_default();
            let copy = donor.get(part(donor, dice)).unwrap_or_default().to_vec();
            let place = part(&document, dice);
            document.splice(place, copy);
        }
        6 => {
            let words = [NUMBERS, TEXTS, TIMES];
            let word = pick(&words, dice).and_then(|words| pick(words, dice)).copied().unwrap_or_default();
            let place = part(&document, dice);
            document.splice(place, word.bytes());
        }
        // Bytes that no text in UTF-8 has.
        _ => {
            let at = place(&document, dice);
            document.splice(at..at, [0xff, 0xc0, 0x80, 0xed, 0xa0].into_iter().take(dice.random_range(1..=5)));
        }
    }
    document
}
