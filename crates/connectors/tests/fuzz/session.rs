//! One thing asked of a connector, with the answers it got: what is recorded, damaged and played back.

use connect::{Armed, Effect, EffectDraft, EffectId, EffectKind, HttpResponse, OsRandom, Prepared};
use jiff::Timestamp;
use rand::{RngExt as _, rngs::StdRng};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use simulators::fuzz::{Form, damaged};

/// What is asked, when, and what came back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session<Op> {
    pub op: Op,
    pub at: Timestamp,
    pub answers: Vec<Answer>,
}

/// An answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub method: String,
    /// With its query.
    pub path: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    #[serde(with = "body")]
    pub body: Vec<u8>,
}

impl Answer {
    pub fn response(&self) -> HttpResponse {
        HttpResponse { status: self.status, headers: self.headers.clone(), body: self.body.clone().into() }
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// An effect with what was found before it was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Written {
    pub kind: EffectKind,
    pub key: String,
    pub batch: Option<String>,
    pub body: String,
    pub baseline: Value,
}

impl Written {
    pub fn new(draft: &EffectDraft, prepared: Option<&Prepared>) -> Self {
        let baseline = match prepared {
            Some(Prepared::Ready { baseline }) => baseline.clone(),
            Some(other) => panic!("{}: not ready: {other:?}", draft.kind),
            None => Value::Null,
        };
        Self {
            kind: draft.kind,
            key: draft.key.clone(),
            batch: draft.batch.clone(),
            body: draft.body.clone(),
            baseline,
        }
    }

    pub fn effect(&self, at: Timestamp) -> Effect {
        Effect {
            id: EffectId::generate(at, &OsRandom),
            kind: self.kind,
            key: self.key.clone(),
            batch: self.batch.clone(),
            body: self.body.clone(),
            number: None,
            tried: None,
            others: std::collections::BTreeSet::new(),
        }
    }

    pub fn armed(&self, at: Timestamp) -> Armed {
        Armed { effect: self.effect(at), baseline: self.baseline.clone(), attempt: 1, armed_at: at }
    }

    /// As a hub has it that lost its memory: what was there before is not known.
    pub fn lost(&self, at: Timestamp) -> Armed {
        Armed { baseline: Value::Null, ..self.armed(at) }
    }
}

/// The recorded sessions of a connector.
pub fn corpus<Op: DeserializeOwned>(name: &str) -> Vec<Session<Op>> {
    let path = crate::folder().join("corpus").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Statuses that mean something, to somebody.
const STATUSES: &[u16] = &[
    100, 200, 201, 202, 204, 206, 207, 301, 307, 400, 401, 403, 404, 408, 409, 410, 412, 413, 414, 422, 428, 429, 451,
    499, 500, 501, 502, 503, 504, 520, 599, 999,
];
/// Headers that somebody reads, and what they never hold.
const HEADERS: &[&str] = &[
    "message-type",
    "etag",
    "date",
    "retry-after",
    "brightpearl-requests-remaining",
    "brightpearl-next-throttle-period",
    "content-type",
];
const VALUES: &[&str] = &[
    "",
    "0",
    "-1",
    "18446744073709551615",
    "99999999999999999999999",
    "api-proxy",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "\u{e9}\u{202e}",
    "W/\"1\"",
];

/// A session some of whose answers are damaged.
pub fn damage<Op: Clone>(session: &Session<Op>, donors: &[&[u8]], dice: &mut StdRng) -> Session<Op> {
    let mut copy = session.clone();
    let all = dice.random_bool(0.1);
    let chosen = dice.random_range(0..copy.answers.len().max(1));
    for (place, answer) in copy.answers.iter_mut().enumerate() {
        if !all && place != chosen {
            continue;
        }
        let what = dice.random_range(0..10);
        if what < 7 {
            answer.body = match dice.random_bool(0.05) {
                true => donors[dice.random_range(0..donors.len())].to_vec(),
                false => damaged(Form::Json, &answer.body, donors, dice),
            };
        }
        if what >= 6 {
            answer.status = STATUSES[dice.random_range(0..STATUSES.len())];
        }
        if what == 9 || dice.random_bool(0.1) {
            let name = HEADERS[dice.random_range(0..HEADERS.len())];
            answer.headers.retain(|(header, _)| header != name);
            if dice.random_bool(0.7) {
                answer.headers.push((name.to_owned(), VALUES[dice.random_range(0..VALUES.len())].to_owned()));
            }
        }
    }
    copy
}

/// Bodies as text where they are text.
mod body {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Body {
        Text(String),
        Base64(String),
    }

    pub fn serialize<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let written = match std::str::from_utf8(body) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Base64(STANDARD.encode(body)),
        };
        written.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        match Body::deserialize(deserializer)? {
            Body::Text(text) => Ok(text.into_bytes()),
            Body::Base64(text) => STANDARD.decode(text).map_err(D::Error::custom),
        }
    }
}
