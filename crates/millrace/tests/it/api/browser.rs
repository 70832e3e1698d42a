//! A browser as far as the API sees one: it keeps the cookie, says where its requests come from, and sends the token.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode},
};
use connect::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};
use millrace::{config::Config, operate::links, worker::Seams};
use serde_json::{Value, json};

use super::{Answer, Installation, seams};

/// The host that is asked for.
pub const HOST: &str = "hub.example.com";

/// A password that is taken.
pub const PASSWORD: &str = "the quiet mill race turns";

/// The cookie over TLS.
pub const COOKIE: &str = "__Host-millrace";

/// A clock that goes on by a millisecond each time it is read, and by what the test lets pass: how loaded the machine is
/// decides nothing.
pub struct Later {
    clock: SystemClock,
    start: Timestamp,
    passed_ms: AtomicI64,
}

#[async_trait]
impl Clock for Later {
    fn now(&self) -> Timestamp {
        self.start + SignedDuration::from_millis(self.passed_ms.fetch_add(1, Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic() + Duration::from_millis(self.passed_ms.load(Ordering::SeqCst).unsigned_abs())
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

impl Later {
    /// Lets time pass.
    pub fn pass(&self, time: SignedDuration) {
        self.passed_ms.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// An installation whose time the test moves.
pub async fn with_time() -> (Installation, Arc<Later>) {
    with_time_and(|_| {}).await
}

/// The same with settings of its own.
pub async fn with_time_and(change: impl FnOnce(&mut Config)) -> (Installation, Arc<Later>) {
    with_time_of(|config, _| change(config)).await
}

/// The same with settings that say what time it is.
pub async fn with_time_of(change: impl FnOnce(&mut Config, &Later)) -> (Installation, Arc<Later>) {
    // Early in a step of thirty seconds, which codes go by.
    let start = Timestamp::from_second(1_800_000_000 + 5).unwrap();
    let clock = Arc::new(Later { clock: SystemClock::default(), start, passed_ms: AtomicI64::new(0) });
    let seams = Seams { clock: Arc::<Later>::clone(&clock), ..seams() };
    let installation = Installation::with(seams, |config| change(config, &clock)).await;
    (installation, clock)
}

/// A browser of one person.
pub struct Browser<'i> {
    pub installation: &'i Installation,
    pub cookie: Option<String>,
    pub csrf: Option<String>,
    /// Where it is in the network.
    pub peer: SocketAddr,
}

impl<'i> Browser<'i> {
    pub fn new(installation: &'i Installation) -> Self {
        Self { installation, cookie: None, csrf: None, peer: "192.0.2.7:4711".parse().unwrap() }
    }

    /// A request as its own page makes it.
    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(ConnectInfo(self.peer))
            .header("host", HOST)
            .header("user-agent", "Test/1.0")
            .header("sec-fetch-site", "same-origin");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("other=1; {COOKIE}={cookie}"));
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("millrace-csrf", csrf);
        }
        request
    }

    /// Asks, and keeps what it is given to keep.
    pub async fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let answer = self.installation.send(request.body(body).unwrap()).await;
        if let Some(set) = answer.headers.get("set-cookie").and_then(|value| value.to_str().ok()) {
            let (name, rest) = set.split_once('=').unwrap();
            assert_eq!(name, COOKIE);
            let value = rest.split(';').next().unwrap();
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
            self.csrf = None;
            if !value.is_empty() {
                self.csrf = answer.json()["csrf"].as_str().map(str::to_owned);
            }
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(body)).await
    }

    pub async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, Some(body)).await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.ask("DELETE", path, None).await
    }

    /// Tries to sign in.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> Answer {
        self.post("/api/v1/session", json!({ "email": email, "password": password })).await
    }

    /// Signs in, which must work.
    pub async fn signed_in(mut self, email: &str, password: &str) -> Self {
        let answer = self.sign_in(email, password).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        assert!(self.cookie.is_some() && self.csrf.is_some());
        self
    }
}

/// The token of a new link for the first administrator; `None` once there is anybody.
pub async fn setup_token(installation: &Installation) -> Option<String> {
    let listening = installation.hub.config.listen;
    links::set_up(&installation.hub, listening).await.unwrap().map(|link| link.token)
}

/// The first administrator, signed in: `ada@example.com`.
pub async fn administrator(installation: &Installation) -> Browser<'_> {
    let token = setup_token(installation).await.unwrap();
    let mut browser = Browser::new(installation);
    let given = json!({ "token": token, "email": "ada@example.com", "name": "Ada", "password": PASSWORD });
    let made = browser.post("/api/v1/links/redeem", given).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    browser.signed_in("ada@example.com", PASSWORD).await
}

/// A person who was invited by the administrator and came, signed in.
pub async fn invited<'i>(administrator: &mut Browser<'i>, email: &str, rights: Value) -> Browser<'i> {
    let mut given = json!({ "email": email, "name": "Somebody" });
    given.as_object_mut().unwrap().extend(rights.as_object().unwrap().clone());
    let made = administrator.post("/api/v1/invitations", given).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let mut browser = Browser::new(administrator.installation);
    let redeemed = browser.post("/api/v1/links/redeem", json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!(redeemed.status, StatusCode::CREATED, "{}", redeemed.text);
    browser.signed_in(email, PASSWORD).await
}
