//! The public API, as a program outside would use it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::ends::Ends;

pub(super) struct Api {
    client: reqwest::Client,
    base: String,
    key: String,
}

/// A stock run that waits for a person.
pub(super) struct WaitingRun {
    pub(super) id: String,
    pub(super) changes: u64,
}

impl Api {
    pub(super) fn new(address: SocketAddr, key: String) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { client, base: format!("http://{address}/api/v1"), key })
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        anyhow::ensure!(status.is_success(), "{method} {path} answered {status}: {text}");
        if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text).context("the answer is not JSON") }
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::POST, path, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(reqwest::Method::PUT, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(reqwest::Method::GET, path, None).await
    }

    /// Makes store, warehouse and connection, and switches it on. The connection's id.
    pub(super) async fn connect(&self, ends: &Ends) -> anyhow::Result<String> {
        self.post("/merchants", json!({ "name": "Example merchant" })).await?;
        self.post("/stores", ends.store()).await?;
        self.post("/warehouses", ends.warehouse()).await?;
        let made = self.post("/connections", ends.connection()).await?;
        let id = made.get("id").and_then(Value::as_str).context("the connection has no id")?.to_owned();
        self.put(&format!("/connections/{id}/mappings"), ends.mappings()).await?;
        for (channel, seconds) in [("orders", 5), ("shipments", 3), ("stock", 3)] {
            let body = json!({ "enabled": true, "every_seconds": seconds });
            self.put(&format!("/connections/{id}/channels/{channel}"), body).await?;
        }
        self.call(reqwest::Method::POST, &format!("/connections/{id}/enable"), None).await?;
        Ok(id)
    }

    pub(super) async fn waiting_run(&self, connection: &str) -> anyhow::Result<Option<WaitingRun>> {
        let runs = self.get(&format!("/connections/{connection}/stock/runs?limit=5")).await?;
        let waiting = runs
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .find(|run| run.get("state").and_then(Value::as_str) == Some("waiting"));
        waiting
            .map(|run| {
                Ok(WaitingRun {
                    id: run.get("id").and_then(Value::as_str).context("the run has no id")?.to_owned(),
                    changes: run.get("changed").and_then(Value::as_u64).unwrap_or_default(),
                })
            })
            .transpose()
    }

    pub(super) async fn approve(&self, run: &str) -> anyhow::Result<()> {
        self.call(reqwest::Method::POST, &format!("/stock/runs/{run}/approve"), None).await?;
        Ok(())
    }

    /// Has every order looked for on both sides, independently of what the hub did: how many nobody can account for. `None`
    /// while it has not ended within `limit`.
    pub(super) async fn census(&self, connection: &str, limit: Duration) -> anyhow::Result<Option<u64>> {
        let path = format!("/connections/{connection}/census");
        let end_of_full = |census: &Value| {
            let runs = census.get("runs").and_then(Value::as_array)?;
            let full = runs.iter().find(|run| run.get("extent").and_then(Value::as_str) == Some("full"))?;
            Some((full.get("finished_at")?.as_str()?.to_owned(), full.get("unaccounted")?.as_u64()?))
        };
        let before = end_of_full(&self.get(&path).await?);
        self.post(&path, json!({ "full": true })).await?;
        let start = Instant::now();
        while start.elapsed() < limit {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let now = end_of_full(&self.get(&path).await?);
            if let (true, Some((_, unaccounted))) = (now != before, now) {
                return Ok(Some(unaccounted));
            }
        }
        Ok(None)
    }

    /// Where the hub says its calls went, for comparison with what the simulator counted.
    pub(super) async fn calls(&self) -> anyhow::Result<Value> {
        self.get("/budgets").await
    }
}
