//! The second factor: codes of an authenticator app (RFC 6238 with SHA-1, six digits, thirty seconds: what every app knows).

use connect::Random;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Seconds of one code.
const STEP: i64 = 30;

/// Bytes of a secret: as many as SHA-1 gives (RFC 4226 §4 R6).
const SECRET: usize = 20;

/// Codes that let somebody in who lost the app.
pub const RECOVERY_CODES: usize = 10;

/// A new secret, in base 32, as apps take it.
pub fn new_secret(random: &dyn Random) -> String {
    let mut bytes = [0_u8; SECRET];
    random.fill(&mut bytes);
    base32(&bytes)
}

/// What an app reads as a QR code.
pub fn address(secret: &str, email: &str) -> String {
    let account = utf8_percent_encode(email, NON_ALPHANUMERIC);
    format!("otpauth://totp/Millrace:{account}?secret={secret}&issuer=Millrace&algorithm=SHA1&digits=6&period=30")
}

/// The step whose code this is: the present one, or the one before or after for clocks that differ. A step up to `last` is
/// never taken: its code was used, or is older than one that was.
pub fn step_of(secret: &str, code: &str, last: Option<i64>, now: Timestamp) -> Option<i64> {
    let secret = from_base32(secret)?;
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let present = now.as_second().div_euclid(STEP);
    // All three are compared, whichever fits.
    [present - 1, present, present + 1]
        .into_iter()
        .filter(|step| code_at(&secret, *step).is_some_and(|right| bool::from(right.as_bytes().ct_eq(code.as_bytes()))))
        .find(|step| last.is_none_or(|last| *step > last))
}

/// The code of a step.
fn code_at(secret: &[u8], step: i64) -> Option<String> {
    let step = u64::try_from(step).ok()?;
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest.last()? & 0x0f);
    let bytes: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    Some(format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000))
}

/// New recovery codes: 160 random bits each, so that a plain hash keeps them safe, in groups that can be read aloud.
pub fn recovery_codes(random: &dyn Random) -> Vec<String> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut bytes = [0_u8; 20];
            random.fill(&mut bytes);
            let letters: Vec<char> = base32(&bytes).chars().collect();
            letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
        })
        .collect()
}

/// A recovery code as somebody types it, in the form it is kept in.
pub fn recovery_code(typed: &str) -> String {
    typed.chars().filter(|letter| letter.is_ascii_alphanumeric()).map(|letter| letter.to_ascii_uppercase()).collect()
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648 §6, without padding.
fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    let mut push = |value: u32| {
        if let Some(letter) = usize::try_from(value & 31).ok().and_then(|place| ALPHABET.get(place)) {
            text.push(char::from(*letter));
        }
    };
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(held >> bits);
        }
    }
    if bits > 0 {
        push(held << (5 - bits));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| known.eq_ignore_ascii_case(&letter))?;
        held = ((held << 5) | u32::try_from(value).ok()?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use connect::OsRandom;
    use jiff::Timestamp;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{base32, code_at, from_base32, new_secret, recovery_code, recovery_codes, step_of};

    /// RFC 6238 appendix B, the last six digits of its eight.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (second, code) in [
            (59_i64, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(secret, second / 30).as_deref(), Some(code), "{second}");
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(&base32(secret), code, None, now), Some(second / 30));
        }
    }

    #[test]
    fn a_code_is_taken_once_and_near_its_time_only() {
        let secret = new_secret(&OsRandom);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let step = 1_700_000_000 / 30;
        let code = code_at(&from_base32(&secret).unwrap(), step).unwrap();
        assert_eq!(step_of(&secret, &code, None, now), Some(step));
        assert_eq!(step_of(&secret, &format!(" {} {} ", &code[..3], &code[3..]), None, now), Some(step));
        assert_eq!(step_of(&secret, &code, Some(step), now), None, "used");
        assert_eq!(step_of(&secret, &code, Some(step + 1), now), None, "older than a used one");
        assert_eq!(step_of(&secret, &code, None, Timestamp::from_second(1_700_000_000 + 90).unwrap()), None);
        for wrong in ["", "12345", "1234567", "abcdef"] {
            assert_eq!(step_of(&secret, wrong, None, now), None, "{wrong}");
        }
    }

    #[test]
    fn recovery_codes_are_read_as_they_are_typed() {
        let codes = recovery_codes(&OsRandom);
        let kept: std::collections::BTreeSet<String> = codes.iter().map(|code| recovery_code(code)).collect();
        assert_eq!(kept.len(), codes.len());
        for code in &codes {
            assert_eq!(code.len(), 39, "{code}");
            assert_eq!(recovery_code(&code.to_lowercase().replace('-', " ")), recovery_code(code));
        }
    }

    proptest! {
        #[test]
        fn base_32_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_base32(&base32(&bytes)), Some(bytes));
        }
    }
}
