//! Calls of Odoo's methods over either interface: the sign-in, the budget, and whether anything left.

use std::{sync::Arc, time::Duration};

use connect::{
    BuildContext, Clock, ConnectorError, HttpRequest, HttpResponse, Secret, Transport, TransportError,
    budget::{Budget, Limit, Priority},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::{
    answer::{Answer, denied, read},
    settings::{Config, Interface},
};
use crate::{
    times::http_date,
    turn::{Ended, Turn},
};

/// Who a call is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purpose(pub(super) Priority, pub(super) &'static str);

/// A call of one method of one model. Whoever makes one says by [`Client::read`] or [`Client::change`] which of the two it is:
/// the interface does not tell them apart.
#[derive(Debug, Clone)]
pub(super) struct Call {
    model: &'static str,
    method: &'static str,
    ids: Option<Vec<i64>>,
    arguments: Map<String, Value>,
}

impl Call {
    /// With named arguments.
    pub(super) fn new(model: &'static str, method: &'static str, arguments: Value) -> Self {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        Self { model, method, ids: None, arguments }
    }

    /// Of a method of records: on these.
    pub(super) fn on(model: &'static str, method: &'static str, ids: &[i64], arguments: Value) -> Self {
        Self { ids: Some(ids.to_vec()), ..Self::new(model, method, arguments) }
    }

    /// Records that fit a domain, archived ones as well where the domain is about ids.
    pub(super) fn search(model: &'static str, domain: Value, fields: &[&str]) -> Self {
        Self::new(model, "search_read", json!({ "domain": domain, "fields": fields }))
    }

    /// In this order, and no more than so many.
    #[must_use]
    pub(super) fn first(mut self, count: usize, order: &str) -> Self {
        self.arguments.insert("order".to_owned(), json!(order));
        self.arguments.insert("limit".to_owned(), json!(count));
        self
    }

    /// With further words about how it is to be done.
    #[must_use]
    pub(super) fn context(mut self, name: &str, value: Value) -> Self {
        let context = self.arguments.entry("context").or_insert_with(|| json!({}));
        if let Some(context) = context.as_object_mut() {
            context.insert(name.to_owned(), value);
        }
        self
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.model, self.method)
    }

    /// For people, without the sign-in.
    pub(super) fn shown(&self) -> String {
        json!({ "ids": self.ids, "arguments": self.arguments }).to_string()
    }
}

/// Odoo, as one of its users sees it.
pub(super) struct Client {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    share: String,
    base: Url,
    interface: Interface,
    database: Option<String>,
    login: String,
    key: Secret,
    /// JSON-RPC: the user's number, which costs a second to find out.
    user: Mutex<Option<i64>>,
    /// JSON-RPC: the server's main version.
    version: Mutex<Option<u32>>,
}

/// How a change ended.
pub(super) enum Changed {
    /// Certainly nothing happened there.
    NotSent(ConnectorError),
    /// An answer arrived whole.
    Answered {
        /// HTTP status.
        status: u16,
        /// As it came.
        body: String,
        /// What it says.
        answer: Answer,
    },
    /// It may have happened.
    Unknown(String),
}

impl Client {
    pub(super) fn new(config: &Config, context: &BuildContext) -> Self {
        let limit = Limit { reserve: 0, ..Limit::new(config.calls_per_minute, context.waits.throttle_window) };
        let host = config.base.host_str().unwrap_or_default();
        let database = config.database.clone().unwrap_or_default();
        Self {
            transport: Arc::clone(&context.transport),
            clock: Arc::clone(&context.clock),
            budget: context.budgets.account(&format!("odoo:{host}:{database}"), limit),
            share: context.share.clone(),
            base: config.base.clone(),
            interface: config.interface,
            database: config.database.clone(),
            login: config.login.clone(),
            key: config.api_key.clone(),
            user: Mutex::default(),
            version: Mutex::default(),
        }
    }

    /// Reads.
    pub(super) async fn read(&self, purpose: Purpose, call: Call) -> Result<Value, ConnectorError> {
        Ok(self.read_at(purpose, call).await?.0)
    }

    /// Reads, with the server's own time of the answer where it says it.
    pub(super) async fn read_at(
        &self,
        purpose: Purpose,
        call: Call,
    ) -> Result<(Value, Option<Timestamp>), ConnectorError> {
        let request = self.request(purpose, &call).await?;
        self.budget.acquire(purpose.0, purpose.1, &self.share).await;
        let response = self.transport.send(request).await.map_err(not_reached)?;
        let answer = self.sorted(&response).await;
        let value = answer.of_reading(&call.name(), response.status)?;
        Ok((value, response.header("date").and_then(http_date)))
    }

    /// Changes something, once. It is over at `until`, on the monotonic clock: what has not left by then does not leave, and an
    /// answer that has not come by then is none.
    pub(super) async fn change(&self, purpose: Purpose, call: &Call, until: Duration) -> Changed {
        let turn = Turn::new(&*self.clock, until);
        let ready = async {
            let request = self.request(purpose, call).await?;
            self.budget.acquire(purpose.0, purpose.1, &self.share).await;
            Ok(request)
        };
        let request = match turn.ready(ready).await {
            Ok(request) => request,
            Err(error) => return Changed::NotSent(error),
        };
        let response = match turn.send(&*self.transport, request).await {
            Ok(response) => response,
            Err(Ended::NotSent(error)) => return Changed::NotSent(error),
            Err(Ended::Unknown(why)) => return Changed::Unknown(why),
        };
        match self.sorted(&response).await {
            // Refused at the door.
            Answer::Denied(message) => Changed::NotSent(denied(&message)),
            answer => Changed::Answered {
                status: response.status,
                body: String::from_utf8_lossy(&response.body).into_owned(),
                answer,
            },
        }
    }

    /// What an answer says, with what must be remembered of it.
    async fn sorted(&self, response: &HttpResponse) -> Answer {
        let answer = read(self.interface, response);
        match &answer {
            Answer::Throttled(wait) => self.budget.throttled(*wait),
            // Another password may come with another user.
            Answer::Denied(_) => *self.user.lock().await = None,
            _ => {}
        }
        answer
    }

    /// The server's main version: 19, say.
    pub(super) async fn version(&self, purpose: Purpose) -> Result<u32, ConnectorError> {
        let mut known = self.version.lock().await;
        if let Some(version) = *known {
            return Ok(version);
        }
        let (request, key) = match self.interface {
            Interface::Json2 => (HttpRequest::new("GET", self.address("/json/version")?), "version_info"),
            Interface::JsonRpc => (self.service("common", "version", json!([]))?, "server_version_info"),
        };
        self.budget.acquire(purpose.0, purpose.1, &self.share).await;
        let response = self.transport.send(request).await.map_err(not_reached)?;
        let answer = self.sorted(&response).await.of_reading("the version", response.status)?;
        // Of Odoo's own hosting the first part is a text such as `saas~18`.
        let first = answer.get(key).and_then(|info| info.get(0));
        let number = match first {
            Some(Value::Number(number)) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            Some(Value::String(text)) => text.rsplit('~').next().and_then(|text| text.parse().ok()),
            _ => None,
        };
        let version = number.ok_or_else(|| {
            ConnectorError::unexpected("the server does not say which version of Odoo it is: check the address")
        })?;
        *known = Some(version);
        Ok(version)
    }

    /// The number of the user whose key it is.
    pub(super) async fn who(&self, purpose: Purpose) -> Result<i64, ConnectorError> {
        if self.interface == Interface::Json2 {
            let context = self.read(purpose, Call::new("res.users", "context_get", json!({}))).await?;
            return context
                .get("uid")
                .and_then(Value::as_i64)
                .ok_or_else(|| ConnectorError::unexpected("Odoo does not say whose API key it is"));
        }
        self.signed_in(purpose).await
    }

    /// JSON-RPC: the user's number, asked for once.
    async fn signed_in(&self, purpose: Purpose) -> Result<i64, ConnectorError> {
        let mut user = self.user.lock().await;
        if let Some(user) = *user {
            return Ok(user);
        }
        let database = self.database.clone().unwrap_or_default();
        let request =
            self.service("common", "authenticate", json!([database, self.login, self.key.expose(), json!({})]))?;
        self.budget.acquire(purpose.0, "sign_in", &self.share).await;
        let response = self.transport.send(request).await.map_err(not_reached)?;
        // Not through `sorted`, which would wait for the lock held here.
        let found = read(self.interface, &response).of_reading("the sign-in", response.status)?;
        // A wrong name or password is answered with `false`.
        let found = found.as_i64().filter(|number| *number > 0).ok_or_else(|| {
            ConnectorError::credentials("Odoo refused the sign-in: check User name, API key and Database")
        })?;
        *user = Some(found);
        Ok(found)
    }

    async fn request(&self, purpose: Purpose, call: &Call) -> Result<HttpRequest, ConnectorError> {
        // Texts of dates are taken to be in the user's zone and words in the user's language unless it is said otherwise.
        let call = call.clone().context("tz", json!("UTC")).context("lang", json!("en_US"));
        match self.interface {
            Interface::Json2 => {
                let mut body = call.arguments;
                if let Some(ids) = call.ids {
                    body.insert("ids".to_owned(), json!(ids));
                }
                let url = self.address(&format!("/json/2/{}/{}", call.model, call.method))?;
                let mut request = HttpRequest::new("POST", url)
                    .header("accept", "application/json")
                    .header("authorization", format!("bearer {}", self.key.expose()));
                if let Some(database) = &self.database {
                    request = request.header("x-odoo-database", database);
                }
                Ok(request.json(Value::Object(body).to_string()))
            }
            Interface::JsonRpc => {
                let user = self.signed_in(purpose).await?;
                let positional = call.ids.map_or_else(|| json!([]), |ids| json!([ids]));
                let database = self.database.clone().unwrap_or_default();
                let key = self.key.expose();
                let arguments = json!([database, user, key, call.model, call.method, positional, call.arguments]);
                self.service("object", "execute_kw", arguments)
            }
        }
    }

    /// A call of one of the services of JSON-RPC. It carries the key in its body, so it is never shown.
    fn service(&self, service: &str, method: &str, arguments: Value) -> Result<HttpRequest, ConnectorError> {
        let params = json!({ "service": service, "method": method, "args": arguments });
        let body = json!({ "jsonrpc": "2.0", "method": "call", "id": 1, "params": params });
        let request = HttpRequest::new("POST", self.address("/jsonrpc")?).header("accept", "application/json");
        Ok(request.json(body.to_string()))
    }

    fn address(&self, path: &str) -> Result<Url, ConnectorError> {
        self.base.join(path).map_err(|error| ConnectorError::unexpected(format!("{path}: {error}")))
    }
}

fn not_reached(error: TransportError) -> ConnectorError {
    ConnectorError::transient(format!("Odoo was not reached: {error}"))
}
