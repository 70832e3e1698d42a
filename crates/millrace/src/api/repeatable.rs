//! `Idempotency-Key`: a request that was answered once is not carried out again, its answer is given again.

use std::sync::Arc;

use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::{Api, LARGEST_BODY, problem::ProblemOut};
use crate::{
    db::Repeat,
    operate::{Caller, Failure},
};

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Largest answer that is kept.
const LARGEST_KEPT: usize = 256 * 1024;

/// Marks an answer that shows something once: it is never kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShownOnce;

pub(super) async fn keep_answers(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let key = request.headers().get(HEADER).cloned();
    let Some(key) = key.filter(|_| request.method() == Method::POST) else { return next.run(request).await };
    let Some(key) = key.to_str().ok().filter(|key| (1..=255).contains(&key.len())) else {
        return ProblemOut::new(
            StatusCode::BAD_REQUEST,
            "invalid_idempotency_key",
            "The Idempotency-Key cannot be used",
            "it must be 1 to 255 printable characters",
            "Use a random one, e.g. a UUID.",
        )
        .into_response();
    };
    let key = key.to_owned();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return ProblemOut::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "Too large",
            "the body is larger than 1 MiB or was cut off",
            "Send it whole, at most 1 MiB.",
        )
        .into_response();
    };
    let mut hash = Sha256::new();
    hash.update(parts.uri.path().as_bytes());
    // A preview and what it previews differ in nothing else.
    if let Some(query) = parts.uri.query() {
        hash.update(b"?");
        hash.update(query.as_bytes());
    }
    hash.update([0]);
    hash.update(&body);
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = Request::from_parts(parts, Body::from(body));
    // To its end even if the client has gone: the key would stay taken, and nobody could say whether it was done.
    let task = tokio::spawn(carry_out(api, caller, key, hash, request, next).in_current_span());
    match task.await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            // A fault of the program is answered as everywhere.
            Ok(fault) => std::panic::resume_unwind(fault),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
    }
}

/// Carries a request out unless it was before.
async fn carry_out(api: Arc<Api>, caller: Caller, key: String, hash: String, request: Request, next: Next) -> Response {
    match api.hub.db.begin_repeatable(&caller.tenant, &caller.actor, &key, &hash).await {
        Ok(Repeat::New) => {}
        Ok(Repeat::Answered { status, answer }) => return replay(status, answer),
        Ok(Repeat::Running) => {
            return ProblemOut::new(
                StatusCode::CONFLICT,
                "still_running",
                "The first one is still running",
                "a request with this Idempotency-Key has begun and not ended",
                "Wait, then look at what it was to make; use a new key to try anew.",
            )
            .into_response();
        }
        Ok(Repeat::Other) => {
            return ProblemOut::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The Idempotency-Key belongs to another request",
                "it was sent before with another address or body",
                "Use a new key for a new request.",
            )
            .into_response();
        }
        Err(error) => return Failure::from(error).into_response(),
    }
    let response = next.run(request).await;
    keep(&api, &caller, &key, response).await
}

async fn keep(api: &Api, caller: &Caller, key: &str, response: Response) -> Response {
    let status = response.status();
    let once = response.extensions().get::<ShownOnce>().is_some();
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let kept = if once {
        Some((StatusCode::CONFLICT.as_u16(), shown_once()))
    } else if status.is_success() && bytes.len() <= LARGEST_KEPT {
        String::from_utf8(bytes.to_vec()).ok().map(|answer| (status.as_u16(), answer))
    } else {
        // It changed nothing, or says so itself when it is repeated.
        None
    };
    if let Err(error) = api.hub.db.end_repeatable(&caller.tenant, &caller.actor, key, kept).await {
        tracing::warn!("an answer could not be kept for its repeat: {error}");
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn shown_once() -> String {
    let problem = ProblemOut::new(
        StatusCode::CONFLICT,
        "shown_once",
        "It was shown once",
        "an earlier request with this Idempotency-Key made it; its secret part is not kept",
        "If you do not have it, revoke it and make another.",
    );
    serde_json::to_string(&problem).unwrap_or_default()
}

fn replay(status: u16, answer: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer).into_response();
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
