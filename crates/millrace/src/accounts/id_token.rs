//! What an identity provider says of somebody who signed in there: an ID token (OpenID Connect Core 1.0 §2), checked as §3.1.3.7
//! asks. Pure: keys and the time are given. Only RS256, which every provider must offer (§15.1): what is not accepted needs no
//! defence.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Number, Value};
use subtle::ConstantTimeEq as _;

/// Largest token that is looked at, in bytes.
const LARGEST: usize = 64 * 1024;

/// So far two clocks may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// The provider's public keys, as it publishes them (RFC 7517).
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Keys {
    keys: Vec<Key>,
}

/// One key. What is not known of it is left aside: there are keys of other kinds in such a list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Key {
    fn signs(&self) -> bool {
        self.kty == "RSA"
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
    }
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// Who issued it, letter by letter.
    pub issuer: &'e str,
    /// For whom it must be: this installation's client id.
    pub client: &'e str,
    /// What was sent along when signing in began: it is the answer to that, and to nothing else.
    pub nonce: &'e str,
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who it is at the provider; never given to anybody else there.
    pub subject: String,
    /// Their e-mail address in lower case, where the provider says that it is theirs.
    pub verified_email: Option<String>,
    /// The provider asked for more than one factor.
    pub several_factors: bool,
    /// When the person was last asked there who they are, where the provider tells. It may be long ago.
    pub asked_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Body {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: Number,
    iat: Option<Number>,
    auth_time: Option<Number>,
    nbf: Option<Number>,
    nonce: Option<String>,
    email: Option<String>,
    /// A truth value; a text is none.
    email_verified: Option<Value>,
    #[serde(default)]
    amr: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn several(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

fn part<T: for<'d> Deserialize<'d>>(text: &str, what: &str) -> Result<T, String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("its {what} is not base64"))?;
    serde_json::from_slice(&bytes).map_err(|_| format!("its {what} is not what an ID token has"))
}

/// A moment as JSON has it: seconds, whose fraction decides nothing.
fn time(seconds: &Number) -> Option<Timestamp> {
    let text = seconds.to_string();
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    Timestamp::from_second(whole.parse().ok()?).ok()
}

/// Checks a token and reads it.
///
/// # Errors
/// Why it is refused, for the log and the audit trail; it holds nothing of the token.
pub fn check(token: &str, keys: &Keys, expected: Expected<'_>, now: Timestamp) -> Result<Claims, String> {
    if token.len() > LARGEST {
        return Err("it is larger than any ID token".to_owned());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("it has no signature")?;
    let (head, body) = signed.split_once('.').ok_or("it has no body")?;
    let header: Header = part(head, "header")?;
    if header.alg != "RS256" || header.crit.is_some() {
        return Err("it is not signed with RS256".to_owned());
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature is not base64")?;
    let able = keys.keys.iter().filter(|key| key.signs());
    let mut named = able.filter(|key| header.kid.is_none() || key.kid == header.kid).peekable();
    if named.peek().is_none() {
        return Err("the provider publishes no such key".to_owned());
    }
    if !named.any(|key| fits(key, signed.as_bytes(), &signature)) {
        return Err("its signature does not fit".to_owned());
    }
    judge(part(body, "body")?, expected, now)
}

fn fits(key: &Key, signed: &[u8], signature: &[u8]) -> bool {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (Some(n), Some(e)) = (number(&key.n), number(&key.e)) else { return false };
    RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
}

fn judge(body: Body, expected: Expected<'_>, now: Timestamp) -> Result<Claims, String> {
    if body.iss != expected.issuer {
        return Err("it was issued by somebody else".to_owned());
    }
    let audience = body.aud.several();
    if !audience.iter().any(|one| one == expected.client) {
        return Err("it is meant for somebody else".to_owned());
    }
    // Meant for several, it must say that it was asked for by us.
    let asked_by = body.azp.as_deref();
    if asked_by.is_some_and(|client| client != expected.client) || (audience.len() > 1 && asked_by.is_none()) {
        return Err("it was asked for by somebody else".to_owned());
    }
    let ends = time(&body.exp).ok_or("its end is no time")?;
    if now >= ends.saturating_add(LEEWAY).unwrap_or(ends) {
        return Err("it has ended".to_owned());
    }
    let from = now.saturating_add(LEEWAY).unwrap_or(now);
    for begins in [body.iat, body.nbf].into_iter().flatten() {
        if time(&begins).is_none_or(|begins| begins > from) {
            return Err("it is from the future: one of the two clocks is wrong".to_owned());
        }
    }
    let nonce = body.nonce.unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err("it answers another sign-in".to_owned());
    }
    if body.sub.is_empty() || body.sub.len() > 255 || body.sub.chars().any(char::is_control) {
        return Err("its subject is none".to_owned());
    }
    let verified = body.email_verified == Some(Value::Bool(true));
    Ok(Claims {
        subject: body.sub,
        verified_email: body.email.filter(|_| verified).and_then(|email| lower(&email)),
        several_factors: body.amr.iter().any(|method| method == "mfa"),
        asked_at: body.auth_time.as_ref().and_then(time),
    })
}

/// An address in lower case. None where a letter beyond ASCII would change: the sign of Kelvin becomes a k, and with it another
/// person's address.
fn lower(email: &str) -> Option<String> {
    let lower = email.to_ascii_lowercase();
    (lower == email.to_lowercase()).then_some(lower)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        rsa::{KeyPair, KeySize},
        signature::{KeyPair as _, RSA_PKCS1_SHA256},
    };
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jiff::Timestamp;
    use proptest::prelude::{prop_assert, proptest};
    use serde_json::{Value, json};

    use super::{Claims, Expected, Keys, check};

    const NOW: i64 = 1_800_000_000;
    const EXPECTED: Expected<'_> =
        Expected { issuer: "https://login.example.com", client: "millrace", nonce: "the nonce" };

    fn claims() -> Value {
        json!({
            "iss": "https://login.example.com", "sub": "248", "aud": "millrace", "exp": NOW + 300, "iat": NOW,
            "nonce": "the nonce", "email": "Ada@Example.com", "email_verified": true,
        })
    }

    fn encoded(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn signed(pair: &KeyPair, header: &Value, body: &Value) -> String {
        let text = format!("{}.{}", encoded(header), encoded(body));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn published(pair: &KeyPair, kid: &str) -> Value {
        let public = pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }

    fn keys(list: &[Value]) -> Keys {
        serde_json::from_value(json!({ "keys": list })).unwrap()
    }

    #[test]
    fn only_what_was_issued_for_this_sign_in_is_taken() {
        let (pair, other) =
            (KeyPair::generate(KeySize::Rsa2048).unwrap(), KeyPair::generate(KeySize::Rsa2048).unwrap());
        let own = keys(&[json!({ "kty": "EC", "kid": "e" }), published(&pair, "one")]);
        let now = Timestamp::from_second(NOW).unwrap();
        let header = json!({ "alg": "RS256", "kid": "one" });
        let taken = |body: &Value| check(&signed(&pair, &header, body), &own, EXPECTED, now);
        let good = Claims {
            subject: "248".to_owned(),
            verified_email: Some("ada@example.com".to_owned()),
            several_factors: false,
            asked_at: None,
        };
        assert_eq!(taken(&claims()), Ok(good.clone()));
        let with = |name: &str, value: Value| {
            let mut body = claims();
            body[name] = value;
            body
        };
        // What it may say besides.
        assert!(taken(&with("amr", json!(["pwd", "mfa"]))).unwrap().several_factors);
        assert!(!taken(&with("amr", json!(["pwd", "otp"]))).unwrap().several_factors);
        for unproved in [json!(false), json!("true"), json!(1), Value::Null] {
            assert_eq!(taken(&with("email_verified", unproved)).unwrap().verified_email, None);
        }
        for (email, read) in [
            ("ad\u{e4}@example.com", Some("ad\u{e4}@example.com")),
            ("Ad\u{c4}@example.com", None),
            ("\u{212a}im@example.com", None),
        ] {
            assert_eq!(taken(&with("email", json!(email))).unwrap().verified_email.as_deref(), read, "{email}");
        }
        assert_eq!(taken(&with("auth_time", json!(NOW - 7))).unwrap().asked_at, Timestamp::from_second(NOW - 7).ok());
        assert_eq!(taken(&with("auth_time", json!(1e300))).unwrap().asked_at, None);
        assert!(taken(&with("exp", json!(NOW - 59))).is_ok(), "clocks are a little apart");
        assert!(taken(&with("exp", json!(1_800_000_300.5))).is_ok());
        let mut several = with("aud", json!(["millrace", "other"]));
        assert_eq!(taken(&several).unwrap_err(), "it was asked for by somebody else");
        several["azp"] = json!("millrace");
        assert!(taken(&several).is_ok());
        // What it must not say.
        for (name, value, why) in [
            ("iss", json!("https://login.example.com/"), "issued by somebody else"),
            ("aud", json!("another"), "meant for somebody else"),
            ("aud", json!([]), "meant for somebody else"),
            ("azp", json!("another"), "asked for by somebody else"),
            ("exp", json!(NOW - 60), "has ended"),
            ("exp", json!(1e300), "no time"),
            ("iat", json!(NOW + 61), "from the future"),
            ("nbf", json!(NOW + 61), "from the future"),
            ("nonce", json!("another"), "another sign-in"),
            ("nonce", Value::Null, "another sign-in"),
            ("sub", json!(""), "subject"),
            ("sub", json!("x".repeat(256)), "subject"),
            ("exp", Value::Null, "body"),
        ] {
            let refused = taken(&with(name, value.clone())).unwrap_err();
            assert!(refused.contains(why), "{name} {value}: {refused}");
        }
        // How it must not be signed.
        let body = claims();
        for (token, why) in [
            (signed(&other, &header, &body), "does not fit"),
            (signed(&pair, &json!({ "alg": "RS256", "kid": "two" }), &body), "no such key"),
            (signed(&pair, &json!({ "alg": "none" }), &body), "RS256"),
            (signed(&pair, &json!({ "alg": "HS256", "kid": "one" }), &body), "RS256"),
            (signed(&pair, &json!({ "alg": "rs256", "kid": "one" }), &body), "RS256"),
            (signed(&pair, &json!({ "alg": "RS512", "kid": "one" }), &body), "RS256"),
            (signed(&pair, &json!({ "alg": "RS256", "kid": "one", "crit": ["x"] }), &body), "RS256"),
            (format!("{}.{}.", encoded(&json!({ "alg": "none" })), encoded(&body)), "RS256"),
            (format!("{}.{}.", encoded(&header), encoded(&body)), "does not fit"),
            ("x".repeat(super::LARGEST + 1), "larger"),
            (String::new(), "signature"),
        ] {
            let refused = check(&token, &own, EXPECTED, now).unwrap_err();
            assert!(refused.contains(why), "{why}: {refused}");
        }
        // Another body under a good signature.
        let token = signed(&pair, &header, &body);
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let forged = format!("{head}.{}.{signature}", encoded(&with("sub", json!("249"))));
        assert!(check(&forged, &own, EXPECTED, now).unwrap_err().contains("does not fit"));
        // Without a key's name every key may be it; a key for encrypting is none.
        let nameless = signed(&pair, &json!({ "alg": "RS256" }), &body);
        assert_eq!(check(&nameless, &keys(&[published(&other, "a"), published(&pair, "b")]), EXPECTED, now), Ok(good));
        let mut encrypts = published(&pair, "one");
        encrypts["use"] = json!("enc");
        assert!(check(&token, &keys(&[encrypts]), EXPECTED, now).unwrap_err().contains("no such key"));
    }

    proptest! {
        /// Whatever comes, it is refused and nothing breaks.
        #[test]
        fn damaged_tokens_are_refused(text in "[-A-Za-z0-9_.=]{0,200}") {
            let now = Timestamp::from_second(NOW).unwrap();
            prop_assert!(check(&text, &Keys::default(), EXPECTED, now).is_err());
        }
    }
}
