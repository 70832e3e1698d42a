//! `Idempotency-Key`: a request that was answered once is not carried out again, its answer is given again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, Bytes, to_bytes},
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

/// Largest answer that is kept. What was answered at greater length is not done again all the same.
const LARGEST_KEPT: usize = 256 * 1024;

/// How often a request that is being carried out shows that it still is: several times within [`crate::db::REPEAT_SILENT`], after which a
/// repeat is told that it was cut off.
const SHOWN_EVERY: Duration = Duration::from_secs(20);

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
    let body = match whole(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
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
                "Wait, then send it again with the same key: it is not carried out twice, and you get its answer.",
            )
            .after(5)
            .into_response();
        }
        Ok(Repeat::CutOff) => {
            return ProblemOut::new(
                StatusCode::CONFLICT,
                "outcome_unknown",
                "What became of the first one is not known",
                "a request with this Idempotency-Key has begun, and Millrace stopped or lost its database before its end was \
                 written down; it may have been done, as a whole or in part",
                "Look whether it was done. If it was not, send it with a new key; with this one it is not carried out again.",
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
    let response = tokio::select! {
        response = next.run(request) => response,
        never = show_running(&api, &caller, &key) => match never {},
    };
    keep(&api, &caller, &key, response).await
}

/// Shows from time to time that the request still runs.
async fn show_running(api: &Api, caller: &Caller, key: &str) -> Infallible {
    loop {
        api.hub.seams.clock.sleep(SHOWN_EVERY).await;
        if let Err(error) = api.hub.db.show_repeatable(&caller.tenant, &caller.actor, key).await {
            tracing::debug!("a request with an idempotency key could not show that it runs: {error}");
        }
    }
}

/// A body, read to its end; the answer to who does not send it whole, or sends too much.
pub(super) async fn whole(body: Body) -> Result<Bytes, Response> {
    to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        ProblemOut::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "Too large",
            "the body is larger than 1 MiB or was cut off",
            "Send it whole, at most 1 MiB.",
        )
        .into_response()
    })
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
    } else if status.is_success() {
        let answer = (bytes.len() <= LARGEST_KEPT).then(|| String::from_utf8(bytes.to_vec()).ok()).flatten();
        Some(
            answer
                .map_or_else(|| (StatusCode::CONFLICT.as_u16(), not_kept(status)), |answer| (status.as_u16(), answer)),
        )
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
        "an earlier request with this Idempotency-Key was carried out; the secret in its answer is not kept",
        "If you do not have it, ask again with a new key, and revoke what the first one made.",
    );
    serde_json::to_string(&problem).unwrap_or_default()
}

fn not_kept(status: StatusCode) -> String {
    let problem = ProblemOut::new(
        StatusCode::CONFLICT,
        "answer_not_kept",
        "It was done, and its answer was too long to keep",
        format!(
            "an earlier request with this Idempotency-Key was carried out and answered with {}; nothing was done this time",
            status.as_u16()
        ),
        "Read what it was about (`GET` of the run, order, connection or whatever else its address names) to see how it stands \
         now. Send it with a new key only if it is to be done once more.",
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
