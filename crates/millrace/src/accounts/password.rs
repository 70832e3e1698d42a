//! Which passwords are taken: NIST SP 800-63B-4 §3.1.1.2 and ASVS 5.0 V6.2. Long, not well known, not about oneself;
//! nothing about which kinds of characters are in it.

use std::{collections::BTreeSet, io::Read as _, sync::OnceLock};

/// Fewest characters. Fifteen is what a password needs that stands alone, and nobody has to have a second factor.
pub const SHORTEST: usize = 15;

/// Most characters; more than any person types, and a bound on what is hashed.
pub const LONGEST: usize = 256;

/// Fewest characters beside what is about oneself.
const BESIDE: usize = 8;

/// What an attacker tries first for everybody.
const PRODUCT: &str = "millrace";

/// The most common passwords of published leaks: the list that Django carries (see `docs/decisions/0013`).
const COMMON: &[u8] = include_bytes!("common-passwords.txt.gz");

/// Why a password is not taken, in the words of the person who chose it. `about` holds what an attacker tries first: the
/// person's name and e-mail address.
pub fn refused(password: &str, about: &[&str]) -> Option<String> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Some(format!(
            "it has {length} characters; give at least {SHORTEST}, e.g. a few words that do not belong together"
        ));
    }
    if length > LONGEST {
        return Some(format!("it has {length} characters; give at most {LONGEST}"));
    }
    if password.contains('\0') {
        return Some("it holds a character that no keyboard types".to_owned());
    }
    let plain = password.to_lowercase();
    if repeats(&plain) {
        return Some("it is one short piece over and over; choose another".to_owned());
    }
    if of_common_passwords(&plain) {
        return Some("it is, or is put together from, the most common passwords; choose another".to_owned());
    }
    if about.iter().chain(&[PRODUCT]).flat_map(|text| parts(text)).any(|part| mostly(&plain, &part)) {
        return Some("it is mostly your name, your e-mail address or the product's name; choose another".to_owned());
    }
    None
}

/// One piece of up to half its length, over and over.
fn repeats(password: &str) -> bool {
    let letters: Vec<char> = password.chars().collect();
    (1..=letters.len() / 2).any(|length| letters.iter().zip(letters.iter().skip(length)).all(|(one, next)| one == next))
}

/// One of the list, or two of it one after the other.
fn of_common_passwords(password: &str) -> bool {
    let list = common();
    list.contains(password)
        || password.char_indices().any(|(at, _)| {
            let (head, tail) = password.split_at(at);
            list.contains(head) && list.contains(tail)
        })
}

/// What somebody would try of a text: itself, and its words; too short ones are in many passwords by chance.
fn parts(text: &str) -> Vec<String> {
    let text = text.trim().to_lowercase();
    let words = text.split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned);
    let mut parts: Vec<String> = words.filter(|word| word.chars().count() >= 4).collect();
    if text.chars().count() >= 4 {
        parts.push(text);
    }
    parts
}

/// Without this part, nothing is left that would be hard to guess: a year and a sign or two.
fn mostly(password: &str, part: &str) -> bool {
    password.contains(part) && password.replace(part, "").chars().count() < BESIDE
}

fn common() -> &'static BTreeSet<String> {
    static LIST: OnceLock<BTreeSet<String>> = OnceLock::new();
    LIST.get_or_init(|| {
        let mut text = String::new();
        // The bytes are part of the program, and a test reads them.
        let read = flate2::read::GzDecoder::new(COMMON).read_to_string(&mut text);
        if let Err(error) = read {
            tracing::error!("the list of common passwords cannot be read: {error}");
        }
        text.lines().map(|line| line.trim().to_lowercase()).filter(|line| !line.is_empty()).collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::{SHORTEST, common, refused};

    #[test]
    fn every_common_password_is_refused_alone_and_twice() {
        assert!(common().len() > 19_000, "{} in the list", common().len());
        for password in common() {
            assert!(refused(password, &[]).is_some(), "{password}");
            assert!(refused(&format!("{password}{password}"), &[]).is_some(), "{password} twice");
        }
        for password in ["1q2w3e4r5t6y7u8i9o0p", "PasswordSunshine", "qwertyuiop123456789"] {
            assert!(refused(password, &[]).is_some(), "{password}");
        }
    }

    #[test]
    fn long_ones_are_taken_whatever_they_are_made_of() {
        for password in [
            "correct horse battery staple",
            "a mill by the quiet race",
            "ÄÖÜßéèê漢字かな交じり文のパス",
            "🐎🔋📎🧲🌊🌾🏭🚚📦🧾🔑🗝️🪙🧭⛵",
            "0918273645091827364 5",
        ] {
            assert_eq!(refused(password, &["Ada", "ada@example.com"]), None, "{password}");
        }
        let long: String = "the quick brown fox jumps over the lazy dog, ".chars().cycle().take(64).collect();
        assert_eq!(refused(&long, &[]), None);
    }

    #[test]
    fn what_is_about_oneself_is_refused() {
        let about = ["Ada Lovelace", "ada.lovelace@example.com"];
        for password in ["ada.lovelace@example.com", "LovelaceLovelace!", "lovelace-2026-x", "millrace-2026-x"] {
            assert!(refused(password, &about).is_some(), "{password}");
        }
        assert_eq!(refused("lovelace counts the waves at noon", &about), None);
    }

    proptest! {
        #[test]
        fn the_length_is_counted_in_characters(password in "\\PC{0,40}") {
            let short = password.chars().count() < SHORTEST;
            prop_assert_eq!(refused(&password, &[]).is_some_and(|why| why.contains("characters; give at least")), short);
        }
    }
}
