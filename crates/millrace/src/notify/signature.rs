//! Signatures of the Standard Webhooks scheme (<https://www.standardwebhooks.com>): HMAC-SHA-256 over id, time and body.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{Random, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a new secret; the scheme allows 24 to 64.
const BYTES: usize = 32;

/// The secret is not one of the scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing secret must be {PREFIX} and 24 to 64 bytes in base64")]
pub struct BadSecret;

/// A new secret.
pub fn new_secret(random: &dyn Random) -> Secret {
    let mut bytes = Zeroizing::new([0_u8; BYTES]);
    random.fill(&mut *bytes);
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(*bytes)))
}

fn key(secret: &Secret) -> Result<Zeroizing<Vec<u8>>, BadSecret> {
    let text = secret.expose().strip_prefix(PREFIX).ok_or(BadSecret)?;
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| BadSecret)?);
    if (24..=64).contains(&bytes.len()) { Ok(bytes) } else { Err(BadSecret) }
}

/// Whether it can be signed with.
///
/// # Errors
/// When the secret is not one of the scheme.
pub fn check(secret: &Secret) -> Result<(), BadSecret> {
    key(secret).map(|_| ())
}

/// The value of `webhook-signature`: one signature for each secret, with spaces between.
///
/// # Errors
/// When a secret is not one of the scheme.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    id: &str,
    seconds: i64,
    body: &str,
) -> Result<String, BadSecret> {
    let mut signatures = Vec::new();
    for secret in secrets {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).map_err(|_| BadSecret)?;
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    if signatures.is_empty() { Err(BadSecret) } else { Ok(signatures.join(" ")) }
}

#[cfg(test)]
mod tests {
    use connect::{OsRandom, Secret};

    use super::{check, new_secret, sign};

    /// The scheme's own example.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: i64 = 1_614_265_330;
    const BODY: &str = "{\"test\": 2432232314}";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn signs_as_the_scheme_says() {
        let secret = Secret::new(SECRET);
        assert_eq!(sign([&secret], ID, TIME, BODY).unwrap(), SIGNATURE);
        let other = new_secret(&OsRandom);
        let both = sign([&other, &secret], ID, TIME, BODY).unwrap();
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!((parts.len(), parts[1]), (2, SIGNATURE), "during rotation either secret proves it");
        for (id, time, body) in [("msg_x", TIME, BODY), (ID, TIME + 1, BODY), (ID, TIME, "{\"test\": 2432232315}")] {
            assert_ne!(sign([&secret], id, time, body).unwrap(), SIGNATURE, "tampered");
        }
    }

    #[test]
    fn secrets_are_those_of_the_scheme() {
        let (one, two) = (new_secret(&OsRandom), new_secret(&OsRandom));
        assert!(check(&one).is_ok() && one.expose() != two.expose());
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILA==", "whsec_%%%"] {
            assert!(check(&Secret::new(bad)).is_err(), "{bad}");
        }
        assert!(sign([], ID, TIME, BODY).is_err(), "nothing goes unsigned");
    }
}
