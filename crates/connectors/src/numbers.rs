//! Quantities and money in JSON numbers.

use std::str::FromStr as _;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize as _, Deserializer, de::Error as _};
use serde_json::{Number, Value};

/// Digits that survive the way through a 64-bit float whatever they are.
const SAFE_DIGITS: u32 = 15;

/// No count of goods and no price is larger. Below this, millions of them can be added up and multiplied without an overflow,
/// which would end the program.
const LARGEST: Decimal = Decimal::from_parts(2_808_348_672, 232_830_643, 0, false, 0);

/// A decimal from a text: plain, or with an exponent. `None` when it is none, or 10¹⁸ and more.
pub(crate) fn decimal_text(text: &str) -> Option<Decimal> {
    let read = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()?;
    (read.abs() < LARGEST).then_some(read)
}

/// A decimal from a JSON number, never another one than was written.
///
/// The parser holds fractions as 64-bit floats, whose shortest text has the digits that were written as long as there are
/// no more than 15. More come from a sender who calculates with floats himself (0.30000000000000004), and are rounded away
/// from small numbers; a large number with more digits than a float holds is refused, since its units are no longer known.
pub(crate) fn decimal(number: &Number) -> Option<Decimal> {
    if number.is_i64() || number.is_u64() {
        return decimal_text(&number.to_string());
    }
    let read = decimal_text(&number.to_string())?;
    let digits = digits_before_the_point(read);
    if digits + read.normalize().scale() <= SAFE_DIGITS {
        return Some(read);
    }
    // Nine digits before the point leave six behind it: finer than any quantity or price.
    (digits <= 9).then(|| read.round_dp_with_strategy(SAFE_DIGITS - digits, RoundingStrategy::MidpointNearestEven))
}

/// A quantity, sent as a number (`5.0`) or as text.
///
/// # Errors
/// When it is neither, or cannot be kept exactly.
pub fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => decimal(&number),
        Value::String(text) => decimal_text(text.trim()),
        _ => return Err(D::Error::custom("a quantity is neither a number nor text")),
    };
    number.map(|number| number.normalize()).ok_or_else(|| D::Error::custom("a quantity is not a number"))
}

/// Digits before the point; 0 for numbers below one, whose zeros behind the point count as digits: finer is noise.
fn digits_before_the_point(number: Decimal) -> u32 {
    let whole = number.trunc().mantissa().unsigned_abs();
    whole.checked_ilog10().map_or(0, |digits| digits + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};
    use rust_decimal::Decimal;
    use serde_json::Number;

    use super::decimal;

    fn read(text: &str) -> Option<Decimal> {
        decimal(&serde_json::from_str::<Number>(text).unwrap())
    }

    #[test]
    fn digits_are_kept_or_refused() {
        for (text, expected) in [
            ("5.0", Some("5")),
            ("0.1", Some("0.1")),
            ("-2.68", Some("-2.68")),
            ("1e3", Some("1000")),
            ("9007199254740993", Some("9007199254740993")),
            ("999999999999999999", Some("999999999999999999")),
            ("1000000000000000000", None),
            ("-1000000000000000000", None),
            ("18446744073709551615", None),
            ("0.30000000000000004", Some("0.3")),
            ("2.9999999999999996", Some("3")),
            ("999999999.1234567", Some("999999999.123457")),
            ("12345678901.12345678", None),
            ("123456789012345678.5", None),
            ("1e29", None),
            ("1e300", None),
        ] {
            assert_eq!(read(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_goods_and_money_have_is_exact(units in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..=6) {
            let exact = Decimal::new(units, scale);
            prop_assert_eq!(read(&exact.to_string()), Some(exact));
        }
    }
}
