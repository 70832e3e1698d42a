//! Damage to rows of cells: quotes, separators, columns that have moved, cells nobody expects.

use rand::{RngExt as _, rngs::StdRng};

use super::{
    bytes, pick,
    words::{NUMBERS, TEXTS, TIMES},
};

/// One change. Cells are cut at commas without regard to quotes: it is damage.
pub(super) fn damage(document: &[u8], dice: &mut StdRng) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(document) else { return bytes::damage(document.to_vec(), &[], dice) };
    let mut rows: Vec<Vec<String>> = text.split('\n').map(|row| row.split(',').map(str::to_owned).collect()).collect();
    let row = dice.random_range(0..rows.len());
    match dice.random_range(0..12) {
        0 => {
            let copy = rows.get(row).cloned().unwrap_or_default();
            let times = if dice.random_bool(0.1) { 300 } else { 1 };
            rows.splice(row..row, std::iter::repeat_n(copy, times));
        }
        1 => drop(rows.remove(row)),
        2 => {
            let other = dice.random_range(0..rows.len());
            rows.swap(row, other);
        }
        3 => {
            // A column moves in every row, or in one.
            let columns = rows.first().map_or(1, Vec::len).max(1);
            let (from, to) = (dice.random_range(0..columns), dice.random_range(0..columns));
            let only = dice.random_bool(0.3).then_some(row);
            for (number, row) in rows.iter_mut().enumerate() {
                if only.is_none_or(|only| only == number) && from < row.len() && to < row.len() {
                    row.swap(from, to);
                }
            }
        }
        4 => cell(&mut rows, row, dice, |cell, _| cell.insert(0, '"')),
        5 => cell(&mut rows, row, dice, |cell, _| *cell = format!("\"{}\"", cell.trim_matches('"'))),
        6 => cell(&mut rows, row, dice, |cell, dice| {
            let words = [NUMBERS, TEXTS, TIMES];
            *cell = pick(&words, dice).and_then(|words| pick(words, dice)).copied().unwrap_or_default().to_owned();
        }),
        7 => cell(&mut rows, row, dice, |cell, dice| *cell = "x".repeat(dice.random_range(1..200_000))),
        8 => cell(&mut rows, row, dice, |cell, _| cell.push(',')),
        9 => {
            if let Some(row) = rows.get_mut(row) {
                let at = dice.random_range(0..=row.len());
                row.truncate(at);
            }
        }
        10 => {
            let separator = ["\r\n", "\r", "\n\n", "\n\u{2028}"][dice.random_range(0..4)];
            return text.replace('\n', separator).into_bytes();
        }
        _ => {
            let separator = [";", "\t", "|", ", ", " ,"][dice.random_range(0..5)];
            return text.replace(',', separator).into_bytes();
        }
    }
    rows.iter().map(|row| row.join(",")).collect::<Vec<_>>().join("\n").into_bytes()
}

fn cell(rows: &mut [Vec<String>], row: usize, dice: &mut StdRng, change: impl Fn(&mut String, &mut StdRng)) {
    if let Some(row) = rows.get_mut(row)
        && !row.is_empty()
    {
        let place = dice.random_range(0..row.len());
        if let Some(cell) = row.get_mut(place) {
            change(cell, dice);
        }
    }
}
