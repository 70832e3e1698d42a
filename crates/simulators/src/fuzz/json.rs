//! Damage to JSON that stays JSON, so that it gets past the parser to whoever reads the values.

use rand::{RngExt as _, rngs::StdRng};
use serde_json::Value;

use super::{
    bytes, pick,
    words::{NUMBERS, TEXTS, TIMES},
};

/// Stands for text that no [`Value`] can hold (a number beyond every float, a key that is there twice) until it is written.
const PLACEHOLDER: &str = "~raw~";

/// One change to one value of the document, anywhere in it.
pub(super) fn damage(document: &[u8], donors: &[&[u8]], dice: &mut StdRng) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(document) else {
        return bytes::damage(document.to_vec(), donors, dice);
    };
    let mut left = dice.random_range(0..count(&value));
    let mut raw = None;
    if let Some(chosen) = find(&mut value, &mut left) {
        raw = change(chosen, donors, dice);
    }
    let text = value.to_string();
    match raw {
        Some(raw) => text.replacen(&format!("\"{PLACEHOLDER}\""), &raw, 1).into_bytes(),
        None => text.into_bytes(),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(count).sum(),
        Value::Object(all) => all.values().map(count).sum(),
        _ => 0,
    }
}

/// The value that many steps into the document.
fn find<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(all) => all.iter_mut().find_map(|value| find(value, left)),
        Value::Object(all) => all.values_mut().find_map(|value| find(value, left)),
        _ => None,
    }
}

/// Changes a value; gives the text to be written in its place where JSON's own values cannot say it.
fn change(value: &mut Value, donors: &[&[u8]], dice: &mut StdRng) -> Option<String> {
    let raw = |text: String, value: &mut Value| {
        *value = Value::String(PLACEHOLDER.to_owned());
        Some(text)
    };
    let which = dice.random_range(0..12);
    if let (0..=2, Value::Object(all)) = (which, &mut *value)
        && !all.is_empty()
    {
        return shape(all, dice).and_then(|text| raw(text, value));
    }
    match (which, &mut *value) {
        (0..=2, Value::Array(all)) if !all.is_empty() => {
            let at = dice.random_range(0..all.len());
            match dice.random_range(0..4) {
                0 => drop(all.remove(at)),
                1 => all.clear(),
                2 => all.reverse(),
                _ => {
                    let times = if dice.random_bool(0.05) { 500 } else { 1 };
                    if let Some(copy) = all.get(at).cloned() {
                        all.extend(std::iter::repeat_n(copy, times));
                    }
                }
            }
            None
        }
        (0..=3, _) => raw((*pick(NUMBERS, dice)?).to_owned(), value),
        (4, _) => text(value, pick(NUMBERS, dice)?),
        (5, _) => text(value, pick(TEXTS, dice)?),
        (6, _) => text(value, pick(TIMES, dice)?),
        // Half of a pair of surrogates: JSON can write it, text cannot hold it.
        (7, _) => raw(["\"\\ud800\"", "\"\\u0000\"", "\"\\udc00\\ud800\""][dice.random_range(0..3)].to_owned(), value),
        (8, _) => {
            *value = match dice.random_range(0..6) {
                0 => Value::Null,
                1 => Value::Bool(dice.random()),
                2 => Value::Array(vec![value.take()]),
                3 => Value::Object(serde_json::Map::from_iter([("0".to_owned(), value.take())])),
                4 => Value::Array(Vec::new()),
                _ => Value::Object(serde_json::Map::new()),
            };
            None
        }
        (9, _) => {
            let depth = if dice.random_bool(0.3) { 100_000 } else { 120 };
            let (open, close) = if dice.random_bool(0.5) { ("[", "]") } else { ("{\"a\":", "}") };
            raw(format!("{}1{}", open.repeat(depth), close.repeat(depth)), value)
        }
        (10, _) => text(value, &"x".repeat(dice.random_range(1..100_000))),
        _ => {
            let donor = serde_json::from_slice::<Value>(pick(donors, dice)?).ok();
            if let Some(mut donor) = donor {
                let mut left = dice.random_range(0..count(&donor));
                if let Some(part) = find(&mut donor, &mut left) {
                    *value = part.take();
                }
            }
            None
        }
    }
}

fn text(value: &mut Value, text: &str) -> Option<String> {
    *value = Value::String(text.to_owned());
    None
}

/// Keys dropped, renamed, added and doubled.
/// Gives the text to be written where a key stands twice.
fn shape(all: &mut serde_json::Map<String, Value>, dice: &mut StdRng) -> Option<String> {
    let keys: Vec<String> = all.keys().cloned().collect();
    let key = pick(&keys, dice)?;
    match dice.random_range(0..4) {
        0 => drop(all.remove(key)),
        1 => {
            let moved = all.remove(key)?;
            let name = if dice.random_bool(0.5) { key.to_uppercase() } else { (*pick(TEXTS, dice)?).to_owned() };
            all.insert(name, moved);
        }
        2 => {
            let copy = all.get(key)?.clone();
            all.insert((*pick(NUMBERS, dice)?).to_owned(), copy);
        }
        _ => {
            let written = Value::Object(all.clone()).to_string();
            let again = format!("{}:{}", Value::String(key.clone()), all.get(key)?);
            return Some(written.replacen('{', &format!("{{{again},"), 1));
        }
    }
    None
}
