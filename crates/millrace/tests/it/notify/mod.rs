//! What is told to the outside: webhooks and alerts, through the API and the program's own loop, to real receivers.

mod alerts;
mod desk;
pub mod receiver;
mod webhooks;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use connect::{Clock, SystemClock, Waits};
use jiff::{SignedDuration, Timestamp};
use millrace::{notify::Notifier, worker::Seams};
use serde_json::{Value, json};

use super::{
    api::{Installation, seams},
    db::world::{server, unique},
};

/// The machine's clock, put forward by hand.
#[derive(Default)]
pub struct Forward {
    clock: SystemClock,
    seconds: AtomicI64,
}

impl Forward {
    pub fn by(&self, time: SignedDuration) {
        self.seconds.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    /// To this moment, if it is not past.
    pub fn to(&self, at: Timestamp) {
        let missing = at.duration_since(self.now()).as_secs() + 1;
        self.seconds.fetch_add(missing.max(0), Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl Clock for Forward {
    fn now(&self) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(self.seconds.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

/// An installation that tells.
pub struct Telling {
    pub installation: Installation,
    pub notifier: Arc<Notifier>,
    pub clock: Arc<Forward>,
}

impl Telling {
    /// On SQLite, where the installation's clock is the database's as well.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut millrace::config::Config)) -> Self {
        let clock = Arc::new(Forward::default());
        let seams = Seams { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..seams() };
        let installation = Installation::with(seams, change).await;
        let notifier = Arc::new(Notifier::new(Arc::clone(&installation.hub)).unwrap());
        Self { installation, notifier, clock }
    }

    /// On PostgreSQL; its clock is its own, so all waits are divided instead.
    pub async fn on_postgres(factor: u32) -> (Self, Arc<simulators::postgres::Postgres>) {
        let server = server();
        let name = format!("notify_{}_{}", std::process::id(), unique());
        server.create_database(&name).unwrap();
        let url = server.url(&name);
        let telling = Self::with(|config| {
            config.database = url;
            config.waits = Waits::default().divided(factor);
        })
        .await;
        (telling, server)
    }

    /// Everything there is to do now: events given, issues found, deliveries sent.
    pub async fn turn(&self) {
        self.notifier.give().await.unwrap();
        self.notifier.watch().await.unwrap();
        self.notifier.deliver_due().await.unwrap();
    }

    /// Makes a webhook; its id and secret.
    pub async fn webhook(&self, url: &str, events: &[&str]) -> (String, String) {
        let given = json!({ "name": format!("hook {}", unique()), "url": url, "events": events });
        let made = self.installation.post("/api/v1/webhooks", given).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let made = made.json();
        (made["webhook"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }

    /// Newest first.
    pub async fn deliveries(&self, webhook: &str) -> Vec<Value> {
        let page = self.installation.get(&format!("/api/v1/webhooks/{webhook}/deliveries?limit=500")).await.json();
        page["items"].as_array().unwrap().clone()
    }

    /// A change that is an event of the kind `channel`.
    pub async fn change_connection(&self, connection: &str) {
        let path = format!("/api/v1/connections/{connection}/channels/orders");
        let answer =
            self.installation.put(&path, json!({ "enabled": false, "every_seconds": 30 + unique() % 1000 })).await;
        assert!(answer.status.is_success(), "{}", answer.text);
    }
}
