//! What every answer carries, and what no answer gives away (controls 23 and 24).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use connect::{Clock, OsRandom, Random, SystemClock};
use millrace::{api, worker::Seams};
use tower::ServiceExt as _;

use super::{
    Installation,
    access::{OPEN, routes},
    seams,
};

/// In the order of their names. Nothing else of a browser's business is sent: above all no `access-control-*`.
const PRIVATE: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// What the answer says to a browser.
fn told(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let plain = [
        "content-type",
        "content-length",
        "x-request-id",
        "www-authenticate",
        "retry-after",
        "allow",
        "etag",
        "location",
    ];
    let mut told: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .filter(|(name, _)| !plain.contains(name))
        .collect();
    told.sort_unstable();
    told
}

/// A request from another machine.
fn request(method: &str, path: &str, key: Option<&str>, over_tls: bool) -> Request<Body> {
    let peer: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(peer));
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    if over_tls {
        request = request.header("x-forwarded-proto", "https");
    }
    request.body(Body::empty()).unwrap()
}

/// Every route in the document and beside it, and addresses where nothing is.
fn everything() -> Vec<(String, String)> {
    let mut all = routes("nothing");
    all.extend(
        OPEN.iter()
            .filter_map(|route| route.split_once(' '))
            .map(|(method, path)| (method.to_uppercase(), path.to_owned())),
    );
    for (method, path) in api::routes_beside() {
        let path = path.replace("{path}", "0").replace("{nonce}", "0123456789abcdef0123456789abcdef");
        assert!(!path.contains('{'), "say here what stands in {path}");
        // As a browser comes back to them.
        let query = if path.contains("oauth") || path.contains("sign-in") { "?code=a&state=b" } else { "" };
        all.push((method.to_string(), format!("{path}{query}")));
    }
    for path in ["/nowhere", "/api/v1/nowhere", "/hooks/reach/0", "/hooks/reach/", "/", "/%00"] {
        all.push(("GET".to_owned(), path.to_owned()));
    }
    for path in ["/healthz", "/api/v1/events"] {
        all.push(("POST".to_owned(), path.to_owned()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_a_browser_from_harm() {
    let installation = Installation::new().await;
    let administrator = installation.administrator.clone();
    // The head alone: a stream of events has no end.
    let ask = async |method: &str, path: &str, key: Option<&str>, over_tls: bool| {
        let asked = installation.router.clone().oneshot(request(method, path, key, over_tls)).await;
        asked.unwrap_or_else(|never| match never {}).into_parts().0
    };
    let mut statuses: BTreeMap<String, BTreeSet<u16>> = BTreeMap::new();
    for (method, path) in everything() {
        for key in [None, Some(administrator.as_str())] {
            let answer = ask(&method, &path, key, false).await;
            statuses.entry(path.clone()).or_default().insert(answer.status.as_u16());
            assert_eq!(told(&answer.headers), PRIVATE, "{method} {path}");
            assert!(answer.headers.contains_key("x-request-id"), "{method} {path}");
            let answer = ask(&method, &path, key, true).await;
            let mut over_tls = PRIVATE.to_vec();
            over_tls.insert(5, ("strict-transport-security", "max-age=31536000; includeSubDomains"));
            assert_eq!(told(&answer.headers), over_tls, "{method} {path}");
        }
    }
    for (path, status) in
        [("/metrics", 200), ("/metrics", 401), ("/api/v1/events", 200), ("/sign-in/provider?code=a&state=b", 303)]
    {
        assert!(statuses[path].contains(&status), "{path}: {:?}", statuses[path]);
    }
    let statuses: BTreeSet<u16> = statuses.into_values().flatten().collect();
    for status in [200, 303, 401, 404, 405, 415] {
        assert!(statuses.contains(&status), "{status} was among the answers: {statuses:?}");
    }
}

/// A clock and a source of randomness that break when told.
#[derive(Clone)]
struct Breaking {
    clock: SystemClock,
    broken: Arc<AtomicBool>,
}

impl Random for Breaking {
    fn fill(&self, bytes: &mut [u8]) {
        assert!(!self.broken.load(SeqCst), "CANARY-inward: the randomness in {} is broken", file!());
        OsRandom.fill(bytes);
    }
}

#[async_trait::async_trait]
impl Clock for Breaking {
    fn now(&self) -> jiff::Timestamp {
        assert!(!self.broken.load(SeqCst), "CANARY-inward: the clock in {} is broken", file!());
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

/// Whether a text shows the inside of the program.
fn inward(text: &str) -> bool {
    ["CANARY", "panicked", ".rs", "src/", "RUST_BACKTRACE"].iter().any(|sign| text.contains(sign))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_program_shows_nothing_of_it() {
    // In the middle of an answer.
    let broken = Arc::new(AtomicBool::new(false));
    let breaking = Breaking { clock: SystemClock::default(), broken: Arc::clone(&broken) };
    let installation = Installation::with(Seams { random: Arc::new(breaking.clone()), ..seams() }, |_| {}).await;
    broken.store(true, SeqCst);
    let asked = serde_json::json!({ "name": "k", "role": "read" });
    let answer = installation.post("/api/v1/keys", asked.clone()).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::INTERNAL_SERVER_ERROR, "internal".to_owned()));
    assert!(!inward(&answer.text), "{}", answer.text);
    assert_eq!(told(&answer.headers), PRIVATE);
    broken.store(false, SeqCst);
    assert_eq!(installation.post("/api/v1/keys", asked).await.status, StatusCode::CREATED, "it goes on");

    // Wherever the time is asked for.
    let installation = Installation::with(Seams { clock: Arc::new(breaking), ..seams() }, |_| {}).await;
    let administrator = installation.administrator.clone();
    assert_eq!(installation.get("/api/v1/orders").await.status, StatusCode::OK);
    broken.store(true, SeqCst);
    for (method, path) in routes("nothing") {
        let answer = installation.send(request(&method, &path, Some(&administrator), false)).await;
        assert!(answer.status.is_server_error(), "{method} {path}: {}", answer.text);
        assert!(["internal", "unavailable"].contains(&answer.problem().as_str()), "{}", answer.text);
        assert!(!inward(&answer.text), "{method} {path}: {}", answer.text);
        assert_eq!(told(&answer.headers), PRIVATE, "{method} {path}");
    }
    broken.store(false, SeqCst);
    assert_eq!(installation.get("/api/v1/orders").await.status, StatusCode::OK, "it goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_database_shows_nothing_of_itself() {
    let installation = Installation::new().await;
    assert_eq!(installation.get("/api/v1/orders").await.status, StatusCode::OK);
    installation.hub.db.close().await;
    for path in ["/api/v1/orders", "/api/v1/keys", "/readyz"] {
        let answer = installation.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text);
        for inward in ["pool", "sqlx", "sqlite", "closed", "millrace.db", "connection"] {
            assert!(!answer.text.to_lowercase().contains(inward), "{path}: {}", answer.text);
        }
    }
}

/// It names every tenant's connections and accounts, so a key of one tenant is not enough from elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_for_this_machine_and_for_who_runs_it() {
    let installation = Installation::new().await;
    let made = installation.post("/api/v1/keys", serde_json::json!({ "name": "one", "role": "admin" })).await.json();
    let of_tenant = made["key"].as_str().unwrap_or_else(|| panic!("a key: {made}")).to_owned();
    let ask = |key: Option<&str>, from_elsewhere: bool| {
        let peer: std::net::SocketAddr = "127.0.0.1:9".parse().unwrap();
        let mut request = Request::get("/metrics").extension(axum::extract::ConnectInfo(peer));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if from_elsewhere {
            request = request.header("x-forwarded-for", "203.0.113.9");
        }
        installation.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask(None, false).await.status, StatusCode::OK);
    assert_eq!(ask(None, true).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(Some(&of_tenant), true).await.status, StatusCode::FORBIDDEN);
    assert_eq!(ask(Some(&installation.administrator), true).await.status, StatusCode::OK);
}
