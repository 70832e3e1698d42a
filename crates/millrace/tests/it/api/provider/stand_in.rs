//! An identity provider, written from OpenID Connect Core and RFC 7636: small, and strict about what a client must do.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use connect::Clock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const CLIENT: &str = "millrace-client";
/// With characters that must be encoded twice over.
pub const SECRET: &str = "client secret: +/%&=";
pub const REDIRECT: &str = "https://hub.example.com/sign-in/provider";

/// Where signing in at the provider stands.
struct Grant {
    challenge: String,
    nonce: String,
    claims: Value,
}

/// What can be changed while it runs.
pub struct Inner {
    /// Who is at the browser: `sub`, `email` and so on.
    pub person: Value,
    /// Claims that are put in the place of the right ones.
    pub twist: Value,
    /// Signs with a key that is not published.
    pub foreign_key: bool,
    /// Signs with that key, and publishes it beside the one before.
    pub next_key: bool,
    /// Fields of the description that are put in the place of the right ones.
    pub description: Value,
    grants: BTreeMap<String, Grant>,
    /// What was asked, by path.
    pub asked: Vec<String>,
}

struct Shared {
    inner: Mutex<Inner>,
    own: KeyPair,
    foreign: KeyPair,
    issuer: String,
    clock: Arc<dyn Clock>,
}

pub struct StandIn {
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StandIn {
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap()
    }
}

/// A listener first: the installation must know the address before there is a clock to tell the time by.
pub async fn listen() -> (tokio::net::TcpListener, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    (listener, issuer)
}

pub fn start(listener: tokio::net::TcpListener, issuer: &str, clock: Arc<dyn Clock>) -> StandIn {
    let shared = Arc::new(Shared {
        inner: Mutex::new(Inner {
            person: json!({ "sub": "248", "email": "ada@example.com", "email_verified": true }),
            twist: json!({}),
            foreign_key: false,
            next_key: false,
            description: json!({}),
            grants: BTreeMap::new(),
            asked: Vec::new(),
        }),
        own: KeyPair::generate(KeySize::Rsa2048).unwrap(),
        foreign: KeyPair::generate(KeySize::Rsa2048).unwrap(),
        issuer: issuer.to_owned(),
        clock,
    });
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(describe))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/keys", get(keys))
        .route("/moved", post(moved))
        .route("/elsewhere", get(elsewhere).post(elsewhere))
        .with_state(Arc::clone(&shared));
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    StandIn { shared, task }
}

fn put(into: &mut Value, twist: &Value) {
    for (name, value) in twist.as_object().unwrap() {
        into[name.as_str()] = value.clone();
    }
}

async fn describe(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let mut inner = shared.inner.lock().unwrap();
    inner.asked.push("description".to_owned());
    let at = |path: &str| format!("{}{path}", shared.issuer);
    let mut description = json!({
        "issuer": shared.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "response_types_supported": ["code"],
    });
    put(&mut description, &inner.description);
    Json(description)
}

async fn authorize(State(shared): State<Arc<Shared>>, Query(asked): Query<BTreeMap<String, String>>) -> Response {
    let given = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let right = given("response_type") == "code"
        && given("client_id") == CLIENT
        && given("redirect_uri") == REDIRECT
        && given("scope").split(' ').any(|scope| scope == "openid")
        && given("code_challenge_method") == "S256"
        && given("code_challenge").len() == 43
        && given("nonce").len() >= 32
        && given("state").len() >= 32;
    if !right {
        return (StatusCode::BAD_REQUEST, format!("{asked:?}")).into_response();
    }
    let mut inner = shared.inner.lock().unwrap();
    let code = format!("code-{}", inner.asked.len());
    inner.asked.push("authorize".to_owned());
    let claims = inner.person.clone();
    let grant = Grant { challenge: given("code_challenge").to_owned(), nonce: given("nonce").to_owned(), claims };
    inner.grants.insert(code.clone(), grant);
    let mut back = url::Url::parse(REDIRECT).unwrap();
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", given("state"));
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

/// The two halves are encoded as in forms before they are put together (RFC 6749 §2.3.1).
fn is_the_client(headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(both) = given.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()) else { return false };
    let both = String::from_utf8(both).unwrap();
    let Some((client, secret)) = both.split_once(':') else { return false };
    let decoded =
        |text: &str| url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().unwrap().1.into_owned();
    decoded(client) == CLIENT && decoded(secret) == SECRET
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let mut inner = shared.inner.lock().unwrap();
    inner.asked.push("token".to_owned());
    let refused = |why: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))).into_response();
    if !is_the_client(&headers) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    if given("grant_type") != "authorization_code" || given("redirect_uri") != REDIRECT {
        return refused("invalid_request");
    }
    // A code works once.
    let Some(grant) = inner.grants.remove(given("code")) else { return refused("invalid_grant") };
    if URL_SAFE_NO_PAD.encode(Sha256::digest(given("code_verifier").as_bytes())) != grant.challenge {
        return refused("invalid_grant");
    }
    let now = shared.clock.now().as_second();
    let mut claims = json!({
        "iss": shared.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": grant.nonce,
    });
    put(&mut claims, &grant.claims);
    put(&mut claims, &inner.twist);
    let pair = if inner.foreign_key || inner.next_key { &shared.foreign } else { &shared.own };
    let kid = if inner.next_key { "two" } else { "one" };
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", encoded(&json!({ "alg": "RS256", "kid": kid, "typ": "JWT" })), encoded(&claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    let id_token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
    Json(json!({ "access_token": "unused", "token_type": "Bearer", "id_token": id_token })).into_response()
}

/// A token endpoint that sends on to another place, as no client may follow: the code and the secret would go there.
async fn moved(State(shared): State<Arc<Shared>>) -> Response {
    let to = format!("{}/elsewhere", shared.issuer);
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
}

async fn elsewhere(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.inner.lock().unwrap().asked.push("elsewhere".to_owned());
    StatusCode::OK
}

fn published(pair: &KeyPair, kid: &str) -> Value {
    let public = pair.public_key();
    json!({
        "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
        "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
        "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
    })
}

async fn keys(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let mut inner = shared.inner.lock().unwrap();
    inner.asked.push("keys".to_owned());
    let mut keys = vec![published(&shared.own, "one")];
    if inner.next_key {
        keys.push(published(&shared.foreign, "two"));
    }
    Json(json!({ "keys": keys }))
}
