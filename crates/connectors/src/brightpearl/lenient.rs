//! Values as Brightpearl writes them: decimals as texts here and as numbers there, ids and flags as texts in the
//! account configuration, times with the account's offset, and "none" as absent, null, 0 or an empty text.

use std::{collections::BTreeMap, fmt, marker::PhantomData, str::FromStr};

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use rust_decimal::Decimal;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::numbers;

/// A decimal; `None` when null or empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Number(pub(super) Option<Decimal>);

impl Number {
    /// The figure, 0 when there is none.
    pub(super) fn or_zero(self) -> Decimal {
        self.0.unwrap_or_default()
    }
}

/// An id or a count; 0 when null or empty, which is what the API itself writes for "none".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whole(pub(super) i64);

impl Whole {
    /// The id, unless it is 0.
    pub(super) fn id(self) -> Option<i64> {
        (self.0 > 0).then_some(self.0)
    }
}

/// A text; empty when null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

/// Yes or no; no when null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flag(pub(super) bool);

/// A time; `None` when null, empty or not a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Option<Timestamp>);

/// A day without a time; `None` when null, empty or not a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Day(pub(super) Option<Date>);

impl Day {
    /// Midnight UTC of the day, which is how the hub keeps one.
    pub(super) fn midnight(self) -> Option<Timestamp> {
        self.0?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }
}

/// What is written as an object. The fields of a plain structure would be taken from a list too, by their order, and a
/// list in the place of an answer is no answer of Brightpearl's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

/// A map keyed by ids. An empty one may be written as an empty array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdMap<T>(pub(super) BTreeMap<i64, T>);

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// A decimal from a JSON value, where it is one.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => numbers::decimal_text(text.trim()),
        Value::Number(number) => numbers::decimal(number),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A whole number from a JSON value, where it is one.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) if number.is_i64() => number.as_i64(),
        other => decimal(other).filter(|number| number.fract().is_zero()).and_then(|number| i64::try_from(number).ok()),
    }
}

/// A JSON number with a decimal's own digits. Its detour over a 64-bit float is exact for the up to 15 digits that
/// money and quantities have, and the text on the wire is again the decimal's.
pub(super) fn json_number(value: Decimal) -> serde_json::Number {
    let value = value.normalize();
    serde_json::Number::from_str(&value.to_string()).unwrap_or_else(|_| serde_json::Number::from(0))
}

/// A time with an offset; a plain date is midnight UTC, which is how Brightpearl itself takes one in.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = Timestamp::from_str(text) {
        return Some(time);
    }
    if text.len() > 10 {
        return None;
    }
    Date::from_str(text).ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// The day that a text means. Brightpearl stores a plain date as midnight UTC and shows it in the account's zone, where that may be
/// the evening before; some accounts show the midnight of their own zone instead (brightpearl-api.md §11.6). Anything else is the
/// day that stands there.
fn day(text: &str) -> Option<Date> {
    let moment = moment(text)?.to_zoned(TimeZone::UTC).datetime();
    if moment.time() == Time::midnight() {
        return Some(moment.date());
    }
    Date::from_str(text.trim().get(..10)?).ok()
}

/// A time as the API takes it in: UTC with milliseconds.
pub(super) fn time_text(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if is_blank(&value) {
            return Ok(Self(None));
        }
        decimal(&value).map(|number| Self(Some(number))).ok_or_else(|| D::Error::custom("a number was expected"))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if is_blank(&value) {
            return Ok(Self(0));
        }
        whole(&value).map(Self).ok_or_else(|| D::Error::custom("a whole number was expected"))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(flag) => Ok(Self(flag.to_string())),
            Value::Array(_) | Value::Object(_) => Err(D::Error::custom("a text was expected")),
        }
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(match &value {
            Value::Bool(flag) => *flag,
            Value::String(text) => text == "true" || text == "1",
            other => whole(other).is_some_and(|number| number != 0),
        }))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().and_then(moment)))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().and_then(day)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for IdMap<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdMapVisitor(PhantomData))
    }
}

struct IdMapVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for IdMapVisitor<T> {
    type Value = IdMap<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map keyed by ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IdMap<T>, A::Error> {
        let mut all = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let id = key.trim().parse().map_err(|_| A::Error::custom(format!("{key:?} is not an id")))?;
            all.insert(id, map.next_value()?);
        }
        Ok(IdMap(all))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<IdMap<T>, A::Error> {
        match seq.next_element::<Value>()? {
            None => Ok(IdMap::default()),
            Some(_) => Err(A::Error::custom("a map keyed by ids was expected, not an array")),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<IdMap<T>, E> {
        Ok(IdMap::default())
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use serde_json::{from_str, json};

    use super::{Day, Flag, IdMap, Moment, Number, Text, Whole, json_number, moment, time_text};

    #[test]
    fn numbers_as_texts_and_as_numbers() {
        assert_eq!(from_str::<Number>("\"5.0000\"").unwrap().0, Some(Decimal::from(5)));
        assert_eq!(from_str::<Number>("2.68").unwrap().0, Some(Decimal::new(268, 2)));
        assert_eq!(from_str::<Number>("0.0").unwrap().0, Some(Decimal::ZERO));
        assert_eq!(from_str::<Number>("\"\"").unwrap().0, None);
        assert_eq!(from_str::<Number>("null").unwrap().0, None);
        assert!(from_str::<Number>("\"five\"").is_err());
        assert_eq!(from_str::<Whole>("\"4\"").unwrap(), Whole(4));
        assert_eq!(from_str::<Whole>("null").unwrap().id(), None);
        assert!(from_str::<Whole>("4.5").is_err());
        assert_eq!(from_str::<Text>("7").unwrap().0, "7");
        assert!(from_str::<Flag>("\"1\"").unwrap().0);
        assert!(!from_str::<Flag>("null").unwrap().0);
    }

    #[test]
    fn times_with_offsets_and_plain_dates() {
        let utc = "2022-01-26T16:39:46Z".parse().unwrap();
        assert_eq!(moment("2022-01-26T10:39:46.000-06:00"), Some(utc));
        assert_eq!(moment("2022-01-20"), Some("2022-01-20T00:00:00Z".parse().unwrap()));
        assert_eq!(from_str::<Moment>("\"soon\"").unwrap().0, None);
        assert_eq!(time_text(utc), "2022-01-26T16:39:46.000Z");
    }

    #[test]
    fn days_are_not_moved_by_the_zone_they_are_shown_in() {
        for (text, day) in [
            // A plain date, shown by accounts west and east of Greenwich.
            ("2022-01-19T18:00:00.000-06:00", "2022-01-20"),
            ("2022-07-20T01:00:00.000+01:00", "2022-07-20"),
            ("2022-01-20", "2022-01-20"),
            // The midnight of the account's own zone.
            ("2020-03-31T00:00:00.000-06:00", "2020-03-31"),
            ("2022-07-20T00:00:00.000+01:00", "2022-07-20"),
            // With a time of day.
            ("2022-01-20T23:30:00.000-06:00", "2022-01-20"),
        ] {
            let midnight = from_str::<Day>(&format!("{text:?}")).unwrap().midnight().unwrap();
            assert_eq!(midnight, format!("{day}T00:00:00Z").parse().unwrap(), "{text}");
        }
        assert_eq!(from_str::<Day>("null").unwrap().midnight(), None);
        assert_eq!(from_str::<Day>("\"soon\"").unwrap().midnight(), None);
    }

    #[test]
    fn maps_keyed_by_ids() {
        let map: IdMap<Whole> = from_str(r#"{"2900002":1,"17":"3"}"#).unwrap();
        assert_eq!(map.0.into_iter().collect::<Vec<_>>(), [(17, Whole(3)), (2_900_002, Whole(1))]);
        assert!(from_str::<IdMap<Whole>>("[]").unwrap().0.is_empty());
        assert!(from_str::<IdMap<Whole>>("null").unwrap().0.is_empty());
        assert!(from_str::<IdMap<Whole>>("[1]").is_err());
        assert!(from_str::<IdMap<Whole>>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn money_keeps_its_digits_on_the_wire() {
        for text in ["2.68", "0.1", "12.3456", "1234567.89", "3"] {
            assert_eq!(json!(json_number(text.parse().unwrap())).to_string(), text);
        }
        assert_eq!(json_number("12.5000".parse().unwrap()).to_string(), "12.5");
    }
}
