//! HTTP as connectors see it: one request, one answer, and an honest word on whether anything left.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use url::Url;

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

/// HTTP over the network.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
    largest_answer: usize,
}

impl HttpTransport {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// When the machine's trust store cannot be read.
    pub fn new(waits: HttpWaits) -> Result<Self, TransportError> {
        let client = reqwest::Client::builder()
            // A proxy from the environment would see every credential.
            .no_proxy()
            // A 307 or 308 would post a second time (R7).
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(waits.connect)
            .timeout(waits.total)
            // Shorter than the idle limits of common servers: a request written to a connection that the other side has
            // just closed has an unknown outcome, and an unknown outcome costs minutes.
            .pool_idle_timeout(Duration::from_secs(10))
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| TransportError::NotSent(format!("the HTTP client cannot start: {error}")))?;
        Ok(Self { client, largest_answer: waits.largest_answer })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|error| TransportError::NotSent(error.to_string()))?;
        let mut builder = self.client.request(method, request.url);
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
