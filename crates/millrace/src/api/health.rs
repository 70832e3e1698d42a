//! Is it alive, can it work, and what is counted.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{Api, auth};
use crate::operate::{Failure, FailureKind};

/// Longest time the database may take to show that it is there.
const LONGEST: Duration = Duration::from_secs(5);

/// It answers.
pub(super) async fn alive() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// It can work: its database is there and takes writes.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Response {
    if api.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "stopping" }))).into_response();
    }
    // In a task of its own, so that giving up on it does not leave a transaction open.
    let db = api.hub.db.clone();
    let look = tokio::spawn(async move {
        db.check().await?;
        db.safety().await
    });
    match tokio::time::timeout(LONGEST, look).await {
        // Frozen is ready: it reads, and says what it waits for. Why it is frozen is for callers with a key.
        Ok(Ok(Ok(state))) => {
            let frozen = state.frozen.as_ref();
            Json(json!({
                "status": "ok", "frozen": frozen.is_some(), "frozen_kind": frozen.map(|frozen| frozen.kind.as_str()),
                "frozen_since": frozen.map(|frozen| frozen.since),
            }))
            .into_response()
        }
        failed => {
            if let Ok(Ok(Err(error))) = failed {
                tracing::warn!("not ready: {error}");
            }
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "the database is not there" }))).into_response()
        }
    }
}

/// What is counted, for Prometheus: to callers on this machine, or with a key that administers the installation, since it
/// names every tenant's connections and accounts. A proxy on this machine that passes the world's requests on shows itself by
/// the headers it adds.
pub(super) async fn metrics(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let passed_on = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    let local = peer.ip().is_loopback() && !passed_on.iter().any(|name| headers.contains_key(*name));
    if !local {
        match auth::caller(&api, &headers).await {
            Ok(caller) if caller.installation => {}
            Ok(_) => {
                let why = "this needs a key that administers the whole installation: every tenant is counted here";
                return Failure::new(FailureKind::Forbidden, why).into_response();
            }
            Err(refused) => return refused,
        }
    }
    for ((tenant, account), report) in api.hub.workers.budgets().reports() {
        crate::metrics::calls(&tenant, &account, &report);
    }
    api.prometheus.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], api.prometheus.render()).into_response()
}
