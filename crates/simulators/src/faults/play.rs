//! Plays one fault on one request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::wire::Hold;
use super::{ERROR_PAGE, Fault, FaultPlan, Vendor};

/// Larger requests are refused before a rule looks at them.
const LARGEST_REQUEST: usize = 64 * 1024 * 1024;

#[derive(Clone)]
pub(super) struct Stage {
    pub(super) plan: FaultPlan,
    pub(super) vendor: Arc<dyn Vendor>,
    pub(super) shutdown: CancellationToken,
}

/// The middleware that stands between the connection and the simulator.
pub(super) async fn play(State(stage): State<Stage>, request: Request, next: Next) -> Response {
    let hold = request.extensions().get::<ConnectInfo<Hold>>().map(|ConnectInfo(hold)| hold.clone());
    let shutdown = stage.shutdown.clone();
    tokio::select! {
        answer = perform(stage, request, next) => answer,
        () = shutdown.cancelled() => {
            if let Some(hold) = hold {
                hold.reset();
            }
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

async fn perform(stage: Stage, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/_sim/") || stage.plan.is_idle() {
        return next.run(request).await;
    }
    let Ok(copy) = Copyable::read(request).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Some(fault) = stage.plan.draw(copy.parts.method.as_str(), &copy.path(), &copy.body) else {
        return next.run(copy.request()).await;
    };
    match fault {
        Fault::Refuse => copy.abort(),
        Fault::TimeoutBeforeEffect { hold } => {
            tokio::time::sleep(hold).await;
            copy.abort()
        }
        Fault::TimeoutAfterEffect { hold } => {
            next.run(copy.request()).await;
            tokio::time::sleep(hold).await;
            copy.abort()
        }
        Fault::ResetMidBody => cut(next.run(copy.request()).await).await,
        Fault::ErrorAfterEffect { html } => {
            next.run(copy.request()).await;
            stage.error(html)
        }
        Fault::ErrorBeforeEffect { html } => stage.error(html),
        Fault::Throttled => stage.vendor.throttled(),
        Fault::Outage => stage.vendor.outage(),
        Fault::TruncatedBody => truncate(next.run(copy.request()).await).await,
        Fault::HtmlBody => {
            next.run(copy.request()).await;
            Html(ERROR_PAGE).into_response()
        }
        Fault::SlowBody { over } => slow(next.run(copy.request()).await, over).await,
        Fault::DuplicateDelivery { answer_second } => {
            let first = next.clone().run(copy.request()).await;
            let second = next.run(copy.request()).await;
            if answer_second { second } else { first }
        }
        Fault::LateEffect { delay } => {
            if stage.vendor.finishes_abandoned_requests() {
                let request = copy.request();
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    next.run(request).await;
                });
            }
            copy.abort()
        }
        Fault::ExpireTokens => {
            stage.vendor.expire_tokens(copy.parts.uri.path());
            next.run(copy.request()).await
        }
        Fault::Answer { status, headers, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut answer = (status, body).into_response();
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                    answer.headers_mut().insert(name, value);
                }
            }
            answer
        }
    }
}

impl Stage {
    fn error(&self, html: bool) -> Response {
        if html { (StatusCode::INTERNAL_SERVER_ERROR, Html(ERROR_PAGE)).into_response() } else { self.vendor.failed() }
    }
}

/// A request whose body has been read, so that it can be run more than once.
struct Copyable {
    parts: axum::http::request::Parts,
    body: Bytes,
}

impl Copyable {
    async fn read(request: Request) -> Result<Self, axum::Error> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_REQUEST).await?;
        Ok(Self { parts, body })
    }

    fn path(&self) -> String {
        self.parts.uri.path_and_query().map_or_else(String::new, ToString::to_string)
    }

    fn request(&self) -> Request {
        Request::from_parts(self.parts.clone(), Body::from(self.body.clone()))
    }

    /// Breaks the connection under the answer, so that the client never sees one.
    fn abort(&self) -> Response {
        if let Some(ConnectInfo(hold)) = self.parts.extensions.get::<ConnectInfo<Hold>>() {
            hold.reset();
        }
        StatusCode::BAD_GATEWAY.into_response()
    }
}

async fn whole(body: Body) -> Bytes {
    to_bytes(body, usize::MAX).await.unwrap_or_default()
}

/// The head and half of the body, then a broken connection.
async fn cut(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let body = whole(body).await;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let half = body.slice(..body.len() / 2);
    let pieces = stream::unfold(Some(half), |state| async move {
        match state {
            Some(half) => Some((Ok(half), None)),
            None => {
                // Lets the first half reach the client before the connection breaks.
                tokio::time::sleep(Duration::from_millis(5)).await;
                Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)), None))
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

async fn truncate(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let body = whole(body).await;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(TRANSFER_ENCODING);
    Response::from_parts(parts, Body::from(body.slice(..body.len() / 2)))
}

/// At most this many pieces, so that a large body does not become thousands of timers.
const SLOW_PIECES: usize = 20;

async fn slow(answer: Response, over: Duration) -> Response {
    let (mut parts, body) = answer.into_parts();
    let body = whole(body).await;
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let size = body.len().div_ceil(SLOW_PIECES).max(1);
    let pause = over / u32::try_from(SLOW_PIECES).unwrap_or(1);
    let pieces = stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, std::io::Error>(piece), rest))
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}
