//! Compares the shape of two JSON values: keys, types, and the form of numbers and times written as text.

use serde_json::Value;

/// How strictly objects are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// The same keys on both sides.
    Same,
    /// Everything recorded is there; newer answers hold more.
    AtLeast,
}

/// The differences in shape between a recorded value and a given one.
pub fn differences(recorded: &Value, given: &Value, keys: Keys) -> Vec<String> {
    let mut found = Vec::new();
    compare(recorded, given, keys, "$", &mut found);
    found
}

fn compare(recorded: &Value, given: &Value, keys: Keys, at: &str, found: &mut Vec<String>) {
    match (recorded, given) {
        (Value::Object(wanted), Value::Object(have)) if is_map(wanted) && is_map(have) => {
            if wanted.is_empty() != have.is_empty() {
                found.push(format!("{at}: one map is empty"));
            }
            for (key, value) in have {
                let model = wanted.get(key).or_else(|| wanted.values().next().filter(|_| !key.starts_with("PCF_")));
                if let Some(model) = model {
                    compare(model, value, keys, &format!("{at}.{key}"), found);
                }
            }
        }
        (Value::Object(wanted), Value::Object(have)) => {
            for (key, value) in wanted {
                match have.get(key) {
                    Some(own) => compare(value, own, keys, &format!("{at}.{key}"), found),
                    None => found.push(format!("{at}.{key}: missing")),
                }
            }
            if keys == Keys::Same {
                let extra = have.keys().filter(|key| !wanted.contains_key(*key));
                found.extend(extra.map(|key| format!("{at}.{key}: not in the recording")));
            }
        }
        (Value::Array(wanted), Value::Array(have)) => compare_arrays(wanted, have, keys, at, found),
        (Value::String(wanted), Value::String(have)) => {
            if form(wanted) != form(have) {
                found.push(format!("{at}: {wanted:?} and {have:?} differ in form"));
            }
        }
        (Value::Number(wanted), Value::Number(have)) if wanted.is_f64() == have.is_f64() => {}
        (Value::Bool(_), Value::Bool(_)) | (Value::Null, Value::Null) => {}
        _ => found.push(format!("{at}: recorded {recorded}, given {given}")),
    }
}

fn compare_arrays(wanted: &[Value], have: &[Value], keys: Keys, at: &str, found: &mut Vec<String>) {
    if wanted.is_empty() != have.is_empty() {
        found.push(format!("{at}: recorded {} elements, given {}", wanted.len(), have.len()));
    }
    let scalars = |array: &[Value]| array.iter().all(|value| !value.is_object() && !value.is_array());
    if wanted.len() == have.len() && wanted.len() > 3 && scalars(wanted) {
        // A search row: position by position, where an unset value is null on either side.
        for (place, (wanted, have)) in wanted.iter().zip(have).enumerate() {
            if !wanted.is_null() && !have.is_null() {
                compare(wanted, have, keys, &format!("{at}[{place}]"), found);
            }
        }
        return;
    }
    for (place, value) in have.iter().enumerate() {
        // Elements may differ among themselves: one recorded model must fit.
        let best = wanted
            .iter()
            .map(|model| {
                let mut own = Vec::new();
                compare(model, value, keys, &format!("{at}[{place}]"), &mut own);
                own
            })
            .min_by_key(Vec::len);
        found.extend(best.unwrap_or_default());
    }
}

/// Maps keyed by id, and custom fields, whose keys are data.
fn is_map(object: &serde_json::Map<String, Value>) -> bool {
    object.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_digit()) || key.starts_with("PCF_"))
}

#[derive(Debug, PartialEq, Eq)]
enum Form {
    Time,
    Decimals(usize),
    Text,
}

/// `9.09` has two decimals, `2022-01-26T10:39:46.000-06:00` is a time, anything else is text.
fn form(text: &str) -> Form {
    if text.len() == 29 && text.as_bytes()[10] == b'T' && text.as_bytes()[19] == b'.' {
        return Form::Time;
    }
    match text.split_once('.') {
        Some((whole, decimals)) if is_digits(whole.trim_start_matches('-')) && is_digits(decimals) => {
            Form::Decimals(decimals.len())
        }
        _ => Form::Text,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[test]
fn differences_are_seen() {
    let recorded = serde_json::json!({ "a": "1.00", "b": [{ "c": 1 }], "on": "2022-01-26T10:39:46.000-06:00" });
    let mut given = recorded.clone();
    assert!(differences(&recorded, &given, Keys::Same).is_empty());
    given["a"] = "1.0".into();
    given["b"][0]["d"] = 1.into();
    given["on"] = "2022-01-26".into();
    assert_eq!(differences(&recorded, &given, Keys::Same).len(), 3);
    assert_eq!(differences(&recorded, &given, Keys::AtLeast).len(), 2);
}
