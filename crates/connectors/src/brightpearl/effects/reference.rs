//! Several tracking numbers in the one field a goods-out note has for them.

/// The longest `shipping.reference` (Brightpearl API docs: warehouse-service/goods-out-note/put).
const LONGEST: usize = 64;
const BETWEEN: &str = ", ";

/// What is written into the field, and whether every number is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) text: String,
    pub(super) is_complete: bool,
}

/// The one rule: the numbers in order, joined by a comma and a space, as many whole numbers as fit into 64 characters;
/// where some do not, ` +N` at the end says how many are missing. A number is never cut.
pub(super) fn reference(numbers: &[String]) -> Reference {
    let whole = numbers.join(BETWEEN);
    if length(&whole) <= LONGEST {
        return Reference { text: whole, is_complete: true };
    }
    let text = (0..numbers.len())
        .rev()
        .map(|kept| {
            let shown = numbers.get(..kept).unwrap_or_default().join(BETWEEN);
            let missing = format!("+{}", numbers.len() - kept);
            if shown.is_empty() { missing } else { format!("{shown} {missing}") }
        })
        .find(|text| length(text) <= LONGEST);
    Reference { text: text.unwrap_or_default(), is_complete: false }
}

/// Tracking numbers as they are written: without blanks around them or control characters, each once, none empty.
pub(super) fn clean(numbers: &[String]) -> Vec<String> {
    let mut clean: Vec<String> = Vec::new();
    for number in numbers {
        let number: String = number.chars().filter(|letter| !letter.is_control()).collect();
        let number = number.trim();
        if !number.is_empty() && !clean.iter().any(|known| known == number) {
            clean.push(number.to_owned());
        }
    }
    clean
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::{clean, length, reference};

    fn numbers(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn whole_numbers_and_how_many_are_missing() {
        let one = reference(&numbers(&["1Z999EXAMPLE0001"]));
        assert_eq!((one.text.as_str(), one.is_complete), ("1Z999EXAMPLE0001", true));
        let four = reference(&numbers(&[
            "1Z999AA10123456784",
            "1Z999AA10123456785",
            "1Z999AA10123456786",
            "1Z999AA10123456787",
        ]));
        assert_eq!(
            (four.text.as_str(), four.is_complete),
            ("1Z999AA10123456784, 1Z999AA10123456785, 1Z999AA10123456786 +1", false)
        );
        assert_eq!(reference(&[]).text, "");
        assert_eq!(reference(&["x".repeat(64)]).text.len(), 64);
        assert_eq!(reference(&["x".repeat(65), "y".to_owned()]).text, "+2");
    }

    #[test]
    fn numbers_are_cleaned() {
        assert_eq!(clean(&numbers(&[" A1\n", "", "A1", "B\u{0}2"])), ["A1", "B2"]);
    }

    proptest! {
        #[test]
        fn fits_and_counts(given in prop::collection::vec("[A-Z0-9]{1,30}", 0..40)) {
            let given = clean(&given);
            let reference = reference(&given);
            prop_assert!(length(&reference.text) <= 64);
            let (shown, missing) = match reference.text.rsplit_once('+') {
                Some((shown, missing)) => (shown.trim_end(), missing.parse::<usize>().unwrap_or(0)),
                None => (reference.text.as_str(), 0),
            };
            let shown: Vec<&str> = if shown.is_empty() { Vec::new() } else { shown.split(", ").collect() };
            prop_assert_eq!(shown.len() + missing, given.len());
            prop_assert_eq!(reference.is_complete, missing == 0);
            prop_assert!(shown.iter().zip(&given).all(|(shown, given)| *shown == given.as_str()));
        }
    }
}
