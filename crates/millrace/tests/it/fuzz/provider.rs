//! What an identity provider says, damaged: its description, its answer to a code, its keys, and the header and the claims of an
//! ID token. Those two are signed after they were damaged, with a key that is published, so that they are read.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use connect::{HttpRequest, HttpResponse, Secret, Transport, TransportError};
use millrace::{config::Provider, worker::Seams};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Number, Value, json};
use simulators::fuzz::{Form, damaged};
use url::Url;

use super::{CANARY, campaign, runtime, told};
use crate::api::{
    Answer, Installation,
    browser::{Browser, COOKIE, HOST, administrator},
    seams,
};

const ISSUER: &str = "https://login.example.com";
const CLIENT: &str = "millrace-client";
const REDIRECT: &str = "https://hub.example.com/sign-in/provider";
/// What the browser holds meanwhile.
const FLOW: &str = "__Host-millrace-flow";
/// Stand in the documents for what is known only when they are asked for.
const NONCE: &str = "~nonce~";
const TOKEN: &str = "~token~";

/// Who it is at the provider.
const SUBJECT: &str = "248";

/// What the provider says, each thing at its place.
type Documents = [Vec<u8>; 5];
const DESCRIPTION: usize = 0;
const ANSWER: usize = 1;
const KEYS: usize = 2;
const HEADER: usize = 3;
const CLAIMS: usize = 4;

fn documents(pair: &KeyPair) -> Documents {
    let public = pair.public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let description = json!({
        "issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/authorize"), "token_endpoint": format!("{ISSUER}/token"),
        "jwks_uri": format!("{ISSUER}/keys"), "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    let answer = json!({ "access_token": "unused", "token_type": "Bearer", "expires_in": 300, "id_token": TOKEN });
    let keys = json!({ "keys": [
        { "kty": "EC", "kid": "two", "use": "sig", "crv": "P-256", "x": "AA", "y": "AA" },
        {
            "kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256",
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        },
    ] });
    let header = json!({ "alg": "RS256", "kid": "one", "typ": "JWT" });
    // Times that hold whenever this is played.
    let claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": [CLIENT, "another"], "azp": CLIENT, "exp": 4_000_000_000_u32,
        "iat": 1_700_000_000, "nbf": 1_700_000_000, "auth_time": 1_700_000_000, "nonce": NONCE,
        "email": "Ada@Example.com", "email_verified": true, "amr": ["pwd", "mfa"],
    });
    let mut said = Documents::default();
    said[DESCRIPTION] = description.to_string().into_bytes();
    said[ANSWER] = answer.to_string().into_bytes();
    said[KEYS] = keys.to_string().into_bytes();
    said[HEADER] = header.to_string().into_bytes();
    said[CLAIMS] = claims.to_string().into_bytes();
    said
}

/// A document with this in the place of what stands for it, as far as it is text.
fn with(document: &[u8], placeholder: &str, value: &str) -> Vec<u8> {
    match std::str::from_utf8(document) {
        Ok(text) => text.replace(placeholder, value).into_bytes(),
        Err(_) => document.to_vec(),
    }
}

/// The network, at the end of which is nobody but the provider.
struct Issuer {
    pair: KeyPair,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    documents: Documents,
    /// Of the sign-in that was begun last.
    nonce: String,
}

impl Said {
    fn claims(&self) -> Vec<u8> {
        with(&self.documents[CLAIMS], NONCE, &self.nonce)
    }
}

impl Issuer {
    fn token(&self, said: &Said) -> String {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = format!("{}.{}", encoded(&said.documents[HEADER]), encoded(&said.claims()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", encoded(&signature))
    }
}

#[async_trait]
impl Transport for Issuer {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let said = self.said.lock().unwrap();
        let body = match (request.method, request.url.path()) {
            ("GET", "/.well-known/openid-configuration") => said.documents[DESCRIPTION].clone(),
            // The provider may name any place.
            ("POST", _) => with(&said.documents[ANSWER], TOKEN, &self.token(&said)),
            _ => said.documents[KEYS].clone(),
        };
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: body.into() })
    }
}

/// What a token must say for somebody to come in, by the reference alone (OpenID Connect Core §3.1.3.7).
#[derive(Deserialize)]
struct Claimed {
    iss: String,
    sub: String,
    aud: Value,
    exp: Number,
    nonce: String,
}

fn may_come_in(claims: &[u8], nonce: &str) -> bool {
    let Ok(claimed) = serde_json::from_slice::<Claimed>(claims) else { return false };
    let audience = match &claimed.aud {
        Value::Array(several) => several.clone(),
        one => vec![one.clone()],
    };
    claimed.iss == ISSUER
        && claimed.sub == SUBJECT
        && audience.contains(&Value::from(CLIENT))
        && claimed.exp.as_f64().is_some_and(|ends| ends > 1_700_000_000.0)
        && claimed.nonce == nonce
}

/// A cookie of this name that an answer sets.
fn set(answer: &Answer, name: &str) -> Option<String> {
    let all = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let mut own = all.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    own.next().and_then(|rest| rest.split(';').next()).filter(|value| !value.is_empty()).map(str::to_owned)
}

/// An installation whose people sign in at the provider.
struct Signing {
    installation: Installation,
    issuer: Arc<Issuer>,
    /// Each comes from an address of its own: who fails too often is not looked at for a while.
    visitors: AtomicU32,
}

impl Signing {
    /// Signs in once. Gives whether somebody came in.
    async fn once(&self, documents: Documents) -> Result<bool, String> {
        self.issuer.said.lock().unwrap().documents = documents;
        let visitor = self.visitors.fetch_add(1, Ordering::Relaxed) & 0x00ff_ffff;
        let peer = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 | visitor), 4711));
        let request = Browser { peer, ..Browser::new(&self.installation) }.request("POST", "/api/v1/session/provider");
        let request = request.header("content-type", "application/json").body(Body::from("{}")).unwrap();
        let answer = self.installation.send(request).await;
        match answer.status {
            StatusCode::CREATED => told(&answer)?,
            // What the provider says is of no use, which is the provider's trouble.
            StatusCode::BAD_GATEWAY if answer.problem() == "remote_system" && !answer.text.contains(CANARY) => {
                return Ok(false);
            }
            status => return Err(format!("signing in began with {status}: {}", answer.text)),
        }
        let address = answer.json()["address"].as_str().and_then(|address| Url::parse(address).ok());
        let address = address.ok_or("the browser is sent to what is no address")?;
        // What the provider's own address asks for stands before it.
        let asked = |name: &str| {
            let own = address.query_pairs().filter(|(key, _)| key == name).last();
            own.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let (nonce, flow) = (asked("nonce"), set(&answer, FLOW).ok_or("the browser is given nothing to hold")?);
        self.issuer.said.lock().unwrap().nonce.clone_from(&nonce);
        let mut back = Url::parse(REDIRECT).unwrap();
        back.query_pairs_mut().append_pair("code", "code-1").append_pair("state", &asked("state"));
        let request = Request::get(format!("{}?{}", back.path(), back.query().unwrap_or_default()))
            .extension(ConnectInfo(peer))
            .header("host", HOST)
            .header("sec-fetch-site", "cross-site")
            .header("cookie", format!("{FLOW}={flow}"));
        let answer = self.installation.send(request.body(Body::empty()).unwrap()).await;
        told(&answer)?;
        let place = answer.headers.get("location").and_then(|place| place.to_str().ok()).unwrap_or_default();
        match (answer.status, place, set(&answer, COOKIE)) {
            (StatusCode::SEE_OTHER, "/", Some(_)) => {
                match may_come_in(&self.issuer.said.lock().unwrap().claims(), &nonce) {
                    true => Ok(true),
                    false => Err("somebody came in whom the token does not let in".to_owned()),
                }
            }
            (StatusCode::SEE_OTHER, place, None) if place.starts_with("/sign-in#provider=") => Ok(false),
            (status, place, _) => Err(format!("coming back was answered {status}, and led to {place:?}")),
        }
    }
}

#[test]
fn provider_answers() {
    let runtime = runtime();
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let good = documents(&pair);
    let issuer = Arc::new(Issuer { pair, said: Mutex::default() });
    let signing = runtime.block_on(async {
        let seams = Seams { transport: Arc::<Issuer>::clone(&issuer), ..seams() };
        let installation = Installation::with(seams, |config| {
            config.public_url = Some(Url::parse("https://hub.example.com").unwrap());
            config.provider = Some(Provider {
                issuer: ISSUER.to_owned(),
                client_id: CLIENT.to_owned(),
                client_secret: Secret::new(CANARY),
                name: "Example".to_owned(),
            });
        })
        .await;
        administrator(&installation).await;
        Signing { installation, issuer, visitors: AtomicU32::new(1) }
    });
    // From now on it is the subject who is known, and nobody else.
    assert_eq!(runtime.block_on(signing.once(good.clone())), Ok(true), "undamaged");
    let donors: Vec<&[u8]> = good.iter().map(Vec::as_slice).collect();
    // The first byte says which of the documents it is; the others are as they should be.
    campaign("provider_answers").run(
        |dice| {
            // Most is read of the claims.
            let place = if dice.random_bool(0.5) { CLAIMS } else { dice.random_range(0..good.len()) };
            let mut input = vec![u8::try_from(place).unwrap()];
            input.extend(damaged(Form::Json, &good[place], &donors, dice));
            input
        },
        |input| {
            let Some((place, content)) = input.split_first() else { return Ok(()) };
            let mut documents = good.clone();
            documents[usize::from(*place) % good.len()] = content.to_vec();
            runtime.block_on(signing.once(documents)).map(drop)
        },
    );
    assert_eq!(runtime.block_on(signing.once(good.clone())), Ok(true), "undamaged, after all that was damaged");
}
