//! HTTP as connectors see it: one request, one answer, and an honest word on whether anything left.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use crate::guard::{Guard, Range};

/// A request. Nothing in it is logged; a connector that keeps a capture leaves the headers out.
#[derive(Clone)]
pub struct HttpRequest {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Whole address.
    pub url: Url,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, where there is one.
    pub body: Option<Bytes>,
}

impl HttpRequest {
    /// Without headers or body.
    pub fn new(method: &'static str, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        self.body = Some(body.into());
        self
    }
}

/// An answer that arrived whole.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// Status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

impl HttpResponse {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// When it was given, by the clock of whoever gave it, to the second.
    pub fn date(&self) -> Option<jiff::Timestamp> {
        jiff::fmt::rfc2822::parse(self.header("date")?).ok().map(|zoned| zoned.timestamp())
    }

    /// Whether its body is a page of HTML, as what stands in front of a service answers with: no word of the service's own, whatever
    /// the status (reliability.md §14.1).
    pub fn is_page(&self) -> bool {
        self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// No whole answer arrived.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// Certainly no byte of the request left: the name did not resolve, the connection or its TLS did not come up.
    #[error("{0}")]
    NotSent(String),
    /// The request may have arrived: time-out, reset, cut-off or oversized answer.
    #[error("{0}")]
    Unknown(String),
}

/// Sends a request once. No retry, no redirect (R7).
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends it.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError>;
}

/// Limits of [`HttpTransport`].
#[derive(Debug, Clone, Copy)]
pub struct HttpWaits {
    /// For the connection to come up.
    pub connect: Duration,
    /// For the whole call, answer included (D_http).
    pub total: Duration,
    /// Largest answer taken in, in bytes.
    pub largest_answer: usize,
}

impl Default for HttpWaits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30), largest_answer: 32 * 1024 * 1024 }
    }
}

/// HTTP over the network, to addresses that a [`Guard`] permits.
#[derive(Clone)]
pub struct HttpTransport {
    guard: Guard,
    // In the order of `Range::ALL`. Connections are kept and used again, so requests that may go less far have their own.
    clients: [reqwest::Client; 3],
    largest_answer: usize,
}

impl HttpTransport {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// When the machine's trust store cannot be read.
    pub fn new(waits: HttpWaits, guard: Guard) -> Result<Self, TransportError> {
        let [world, listed, machine] = Range::ALL.map(|range| client(waits, guard.clone(), range));
        Ok(Self { clients: [world?, listed?, machine?], guard, largest_answer: waits.largest_answer })
    }
}

fn client(waits: HttpWaits, guard: Guard, range: Range) -> Result<reqwest::Client, TransportError> {
    reqwest::Client::builder()
        // A proxy from the environment would see every credential, and would dial what was not checked.
        .no_proxy()
        // A 307 or 308 would post a second time (R7); any redirect would lead past the guard.
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // The connection goes to the addresses that this gives, and to no others. TLS still names the host.
        .dns_resolver(Arc::new(Checked { guard, range }))
        .connect_timeout(waits.connect)
        .timeout(waits.total)
        // Shorter than the idle limits of common servers: a request written to a connection that the other side has
        // just closed has an unknown outcome, and an unknown outcome costs minutes.
        .pool_idle_timeout(Duration::from_secs(10))
        .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| TransportError::NotSent(format!("the HTTP client cannot start: {error}")))
}

/// Gives the client checked addresses only.
struct Checked {
    guard: Guard,
    range: Range,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, range) = (self.guard.clone(), self.range);
        Box::pin(async move {
            // The port comes from the address that is asked for; it was judged there.
            let addresses = guard.checked(range, name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|error| TransportError::NotSent(error.to_string()))?;
        let range = self.guard.range(&request.url).map_err(|refused| TransportError::NotSent(refused.to_string()))?;
        let [world, listed, machine] = &self.clients;
        let client = match range {
            Range::World => world,
            Range::Listed => listed,
            Range::Machine => machine,
        };
        let mut builder = client.request(method, request.url);
        for (name, value) in &request.headers {
            let mut value = reqwest::header::HeaderValue::from_str(value).map_err(|_| {
                TransportError::NotSent(format!("header {name} holds a character that HTTP does not carry"))
            })?;
            value.set_sensitive(true);
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await.map_err(classify)?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(classify)?;
            if body.len() + chunk.len() > self.largest_answer {
                return Err(TransportError::Unknown(format!(
                    "the answer is larger than {} bytes and was not read further",
                    self.largest_answer
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, headers, body: body.into() })
    }
}

fn classify(error: reqwest::Error) -> TransportError {
    // The address may carry nothing secret, but it is long; the chain of causes says more.
    let not_sent = error.is_builder() || error.is_connect();
    let mut text = String::new();
    let error = error.without_url();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if not_sent { TransportError::NotSent(text) } else { TransportError::Unknown(text) }
}
