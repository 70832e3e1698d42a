//! Where remote systems call. Success is answered once the call is durable; own trouble is answered so that they come again;
//! whoever cannot prove itself learns nothing.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use connect::{
    WebhookCall,
    planted::{Planted, planted},
};

use super::{Api, refusals::Unproved};
use crate::operate::{
    Failure,
    webhooks::{self, Taken},
};

pub(super) async fn brightpearl(State(api): State<Arc<Api>>, Path(path): Path<String>, body: Bytes) -> Response {
    // In a task of its own: a caller that hangs up half way does not undo what is kept.
    let task = tokio::spawn(async move { webhooks::from_brightpearl(&api.hub, &path, &body).await });
    answer(task.await)
}

pub(super) async fn warehouse(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = WebhookCall {
        headers: headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect(),
        body: body.to_vec(),
        received_at: api.hub.seams.clock.now(),
    };
    let task = tokio::spawn(async move { webhooks::from_warehouse(&api.hub, &path, &call).await });
    answer(task.await)
}

fn answer(outcome: Result<Result<Taken, Failure>, tokio::task::JoinError>) -> Response {
    match outcome {
        // Some vendors look for these words, and call again without them.
        Ok(Ok(Taken::Kept)) => Json(serde_json::json!({ "code": "200", "Status": "Success" })).into_response(),
        Ok(Ok(Taken::NotOurs)) => {
            let mut response = super::nothing_here().into_response();
            response.extensions_mut().insert(Unproved);
            response
        }
        Ok(Err(_)) if planted(Planted::CallerAtFault) => super::nothing_here().into_response(),
        Ok(Err(_)) if planted(Planted::AnswersFirst) => StatusCode::OK.into_response(),
        Ok(Err(failure)) => {
            tracing::error!("a call could not be taken in: {}", failure.detail);
            Failure::new(crate::operate::FailureKind::Unavailable, "the call could not be kept").into_response()
        }
        Err(_) => Failure::new(crate::operate::FailureKind::Unavailable, "the call could not be kept").into_response(),
    }
}

/// Proves to the installation itself that its public address reaches it.
pub(super) async fn reach(State(api): State<Arc<Api>>, Path(nonce): Path<String>) -> Response {
    if nonce.len() != 32 || !nonce.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return super::nothing_here().into_response();
    }
    match api.hub.db.fingerprint().await {
        Ok(fingerprint) => webhooks::reach_answer(&fingerprint, &nonce).into_response(),
        Err(error) => Failure::from(error).into_response(),
    }
}
