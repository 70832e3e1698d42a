//! A real Odoo, and the people in its warehouse: not a stand-in. The server was started by `./dev test-odoo`, which says in
//! `MILLRACE_ODOO` where it is described; each [`Odoo`] is a database of its own there, and is gone when dropped.
//!
//! People work through Odoo's own interface as an administrator; what is proven about a client is proven with another user, who
//! has no more rights than the documentation asks for.

mod ledger;
mod people;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

pub use self::people::{Dispatch, Habits, Rest, Shift};

/// The password of [`Odoo::login`], which the older interface also takes in place of a key.
const PASSWORD: &str = "hub-secret-1";

/// What keeps Odoo from being used.
#[derive(Debug, thiserror::Error)]
pub enum OdooError {
    /// Nobody started it.
    #[error("no Odoo runs for this test; it is started, and this test with it, by:  ./dev test-odoo")]
    NotRunning,
    /// It is not as it was described.
    #[error("{0}")]
    Failed(String),
}

#[derive(Debug, Clone, Deserialize)]
struct Server {
    url: String,
    /// Folder of PostgreSQL's programs.
    postgres: PathBuf,
    postgres_port: u16,
    template: String,
    /// API keys by login.
    keys: BTreeMap<String, String>,
}

/// A database with Sales, Inventory and Delivery, without products.
#[derive(Debug)]
pub struct Odoo {
    server: Server,
    database: String,
    client: reqwest::Client,
    runtime: Option<tokio::runtime::Runtime>,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl Odoo {
    /// A fresh database on the server of this run.
    ///
    /// # Errors
    /// When no server was started, or the database cannot be made.
    pub fn open() -> Result<Self, OdooError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| OdooError::Failed(format!("{what}: {error}"));
        let described = std::env::var("MILLRACE_ODOO").map_err(|_| OdooError::NotRunning)?;
        let text = std::fs::read_to_string(&described).map_err(|error| failed(&described, &error))?;
        let server: Server = serde_json::from_str(&text).map_err(|error| failed(&described, &error))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let database = format!("wms_t{}_{number}", std::process::id());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| failed("a runtime", &error))?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| failed("a client", &error))?;
        let odoo = Self { server, database, client, runtime: Some(runtime) };
        odoo.postgres("createdb", &["--template", &odoo.server.template, &odoo.database])?;
        Ok(odoo)
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The user that programs work as.
    #[must_use]
    pub fn login(&self) -> &'static str {
        "hub"
    }

    /// That user's password.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// An API key: of `hub`, of `nobody`, who has no rights, or of `admin`.
    #[must_use]
    pub fn key(&self, login: &str) -> &str {
        self.server.keys.get(login).map_or("", String::as_str)
    }

    fn postgres(&self, program: &str, arguments: &[&str]) -> Result<(), OdooError> {
        let output = Command::new(self.server.postgres.join(program))
            .args(["--host", "127.0.0.1", "--username", "odoo", "--port", &self.server.postgres_port.to_string()])
            .args(arguments)
            .output()
            .map_err(|error| OdooError::Failed(format!("{program}: {error}")))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(OdooError::Failed(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// Lets every transfer have been changed for the last time so long ago, as if others had been changed since.
    ///
    /// # Errors
    /// PostgreSQL's own words.
    pub fn backdate_changes(&self, by: Duration) -> Result<(), OdooError> {
        let seconds = by.as_secs();
        let change = format!("UPDATE stock_picking SET write_date = write_date - interval '{seconds} seconds'");
        self.postgres("psql", &["--quiet", "--dbname", &self.database, "--command", &change])
    }

    /// Calls a method as the administrator and waits for what it returns.
    ///
    /// # Errors
    /// Odoo's own words, when it refuses.
    pub fn call(&self, model: &str, method: &str, arguments: &Value) -> Result<Value, String> {
        let url = format!("{}/json/2/{model}/{method}", self.server.url);
        let request = self
            .client
            .post(url)
            .bearer_auth(self.key("admin"))
            .header("x-odoo-database", &self.database)
            .json(arguments);
        let Some(runtime) = &self.runtime else { return Err("it is closed".to_owned()) };
        let asked = async move {
            let response = request.send().await.map_err(|error| error.to_string())?;
            let status = response.status();
            let text = response.text().await.map_err(|error| error.to_string())?;
            let value: Value = serde_json::from_str(&text).map_err(|_| format!("{status}: no JSON"))?;
            match status.is_success() {
                true => Ok(value),
                false => Err(format!("{status}: {}", value.get("message").unwrap_or(&value))),
            }
        };
        // A thread of its own: whoever asks may be inside a runtime, where nobody may wait.
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| runtime.block_on(asked));
            asking.join().unwrap_or_else(|_| Err("the call ended badly".to_owned()))
        })
        .map_err(|error| format!("{model}/{method}: {error}"))
    }

    /// Records that fit a domain.
    ///
    /// # Errors
    /// As [`Odoo::call`].
    pub fn search(&self, model: &str, domain: Value, fields: &[&str]) -> Result<Vec<Value>, String> {
        let found = self.call(model, "search_read", &json!({ "domain": domain, "fields": fields, "order": "id" }))?;
        found.as_array().cloned().ok_or_else(|| format!("{model}: no list"))
    }
}

impl Drop for Odoo {
    fn drop(&mut self) {
        // The server keeps a connection to it.
        if let Err(error) = self.postgres("dropdb", &["--force", &self.database]) {
            tracing::warn!("{error}");
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The id in a row, or in a relation of it.
fn id(row: &Value, name: &str) -> i64 {
    let value = row.get(name).unwrap_or(&Value::Null);
    value.as_i64().or_else(|| value.get(0)?.as_i64()).unwrap_or_default()
}

fn word<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}
