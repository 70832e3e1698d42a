//! The API, asked the way a program outside would, without a socket in between.

pub mod access;
mod allowance;
mod app;
mod backups;
mod brands;
pub mod browser;
mod census;
mod csrf;
mod demo;
mod desk;
mod documents;
mod drafts;
mod events;
mod exports;
mod figures;
mod hand_offs;
mod hooks;
mod layouts;
mod limits;
mod lists;
mod mappings;
mod matrix;
mod merchants;
mod oauth;
mod orders;
mod people;
mod preflight;
mod provider;
mod reference;
mod refusals;
mod removal;
mod schedules;
mod second_factor;
mod shape;
mod sign_in;
mod surface;
mod tenants;
mod tls;
mod two_people;
mod versions;
mod wrapping_key;

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use connect::{Guard, HttpTransport, HttpWaits, OsRandom, SystemClock, TenantId, Waits};
use metrics_exporter_prometheus::PrometheusBuilder;
use millrace::{
    api::{self, Api},
    config::Config,
    db::{NewApiKey, Observer, Phase, Verdict},
    operate::{self, Hub, Role, keys},
    worker::Seams,
};
use serde_json::Value;
use simulators::postgres::Postgres;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::db::world::{server, unique};

/// An installation of its own, with the API in front of it.
pub struct Installation {
    pub hub: Arc<Hub>,
    pub router: Router,
    pub administrator: String,
    pub stop: CancellationToken,
    _folder: tempfile::TempDir,
    /// Lives as long as its database is used.
    _server: Option<Arc<Postgres>>,
}

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The `type` of a problem document.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.headers.get("content-type").and_then(|value| value.to_str().ok()),
            Some("application/problem+json"),
            "{} {}",
            self.status,
            self.text
        );
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

pub fn seams() -> Seams {
    let waits = Waits::default();
    Seams {
        clock: Arc::new(SystemClock::default()),
        random: Arc::new(OsRandom),
        transport: Arc::new(HttpTransport::new(HttpWaits::default(), Guard::stand_ins()).unwrap()),
        files: Arc::new(connectors::files::Files::new(waits, Guard::stand_ins())),
    }
}

/// Holds an operation of a node's database, before anything of it is done, until it is let go.
pub struct Held {
    operation: &'static str,
    pub arrived: Notify,
    pub go: Notify,
}

impl Held {
    pub fn at(installation: &Installation, operation: &'static str) -> Arc<Self> {
        let held = Arc::new(Self { operation, arrived: Notify::new(), go: Notify::new() });
        installation.hub.db.set_observer(Arc::<Self>::clone(&held));
        held
    }
}

#[async_trait]
impl Observer for Held {
    async fn crossing(&self, operation: &'static str, phase: Phase) -> Verdict {
        if (operation, phase) == (self.operation, Phase::Before) {
            self.arrived.notify_one();
            self.go.notified().await;
        }
        Verdict::Continue
    }
}

impl Installation {
    pub async fn new() -> Self {
        Self::with(seams(), |_| {}).await
    }

    /// On a PostgreSQL database of its own.
    pub async fn on_postgres() -> Self {
        let server = server();
        let name = format!("api_{}_{}", std::process::id(), unique());
        server.create_database(&name).unwrap();
        Self {
            _server: Some(Arc::clone(&server)),
            ..Self::with(seams(), |config| config.database = server.url(&name)).await
        }
    }

    /// Another node on its database.
    pub async fn another_node(&self) -> Self {
        let hub = Hub::open(self.hub.config.clone(), seams()).await.unwrap();
        let stop = CancellationToken::new();
        let prometheus = PrometheusBuilder::new().build_recorder().handle();
        let router = api::router(Api::new(Arc::clone(&hub), prometheus, stop.clone()));
        let (administrator, _server) = (self.administrator.clone(), self._server.clone());
        Self { hub, router, administrator, stop, _folder: tempfile::tempdir().unwrap(), _server }
    }

    /// With seams and settings of its own.
    pub async fn with(seams: Seams, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Tests ask more than anybody may; those about that set it.
        let mut config =
            Config { allow_stand_ins: true, requests_per_minute: None, ..Config::in_folder(folder.path()) };
        change(&mut config);
        let installed = operate::init(&config, &seams).await.unwrap();
        let hub = Hub::open(config, seams).await.unwrap();
        let stop = CancellationToken::new();
        let prometheus = PrometheusBuilder::new().build_recorder().handle();
        let router = api::router(Api::new(Arc::clone(&hub), prometheus, stop.clone()));
        Self { hub, router, administrator: installed.administrator_key, stop, _folder: folder, _server: None }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 4 * 1024 * 1024).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Some(&self.administrator), None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(&self.administrator), Some(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path, Some(&self.administrator), Some(&body)).await
    }

    pub async fn tenant(&self, name: &str) -> TenantId {
        self.hub.db.tenant_by_name(name).await.unwrap()
    }

    /// A key of a tenant.
    pub async fn key(&self, tenant: &TenantId, role: Role, merchant: Option<&str>) -> String {
        self.key_with(tenant, role, merchant, "").await
    }

    /// The same, limited to these parts of the API.
    pub async fn key_with(&self, tenant: &TenantId, role: Role, merchant: Option<&str>, scopes: &str) -> String {
        let key = keys::generate(&OsRandom);
        let new = NewApiKey {
            tenant: Some(tenant.clone()),
            name: "test".to_owned(),
            hash: keys::hash(&key),
            role: role.as_str().to_owned(),
            scopes: scopes.to_owned(),
            merchant: merchant.map(|merchant| merchant.parse().unwrap()),
            warehouse: None,
            expires_at: None,
        };
        self.hub.db.create_api_key(new, "test").await.unwrap();
        key
    }
}
