//! `ETag`, `If-Match` and `If-None-Match` of settings: nobody overwrites what somebody else has changed meanwhile.
//!
//! The version of a thing is a digest of what is shown of it. A change with `If-Match` is compared with what is shown at that
//! moment, and nothing else changes the thing over the API between the comparison and the change, on this node or another.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use axum::{
    Extension, Router,
    body::{Body, Bytes, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tower::ServiceExt as _;

use super::{Api, problem::ProblemOut, repeatable::whole};
use crate::operate::{Caller, Failure};

/// Where the routes with versions are.
const BASE: &str = "/api/v1";

/// A thing with a version: it is read and changed at the same address.
pub(super) struct Versioned {
    /// The route.
    path: &'static str,
    /// Fields of what is shown that pass by themselves; they are no part of the version.
    fleeting: &'static [&'static str],
    /// A change answers with what reading shows.
    answered: bool,
}

const fn versioned(path: &'static str) -> Versioned {
    Versioned { path, fleeting: &[], answered: true }
}

const VERSIONED: [Versioned; 12] = [
    versioned("/stores/{store}"),
    versioned("/warehouses/{warehouse}"),
    Versioned { answered: false, ..versioned("/connections/{connection}/settings") },
    versioned("/connections/{connection}/mappings"),
    Versioned {
        fleeting: &["next_run_at", "wanted_at", "started_at", "succeeded_at", "problem", "summary"],
        answered: false,
        ..versioned("/connections/{connection}/channels/{channel}")
    },
    Versioned { fleeting: &["next_runs"], ..versioned("/connections/{connection}/channels/{channel}/schedule") },
    versioned("/alerts/policies/{policy}"),
    Versioned { fleeting: &["problem", "failing_since", "last_message_at"], ..versioned("/alerts/channels/{channel}") },
    Versioned { fleeting: &["failing_since"], ..versioned("/webhooks/{webhook}") },
    versioned("/people/{person}"),
    versioned("/drafts/{draft}"),
    Versioned { answered: false, ..versioned("/configuration") },
];

/// What has a version at this address of a route.
pub(super) fn of(path: &str) -> Option<&'static Versioned> {
    let path = path.strip_prefix(BASE)?;
    VERSIONED.iter().find(|versioned| versioned.path == path)
}

/// Changes of things with a version, in turns. A thing may be named in several ways, so the turn is that of its tenant and kind;
/// two that share one by chance only wait for each other.
pub(super) struct Turns([Mutex<()>; 64]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Turns {
    fn of(&self, caller: &Caller, versioned: &Versioned) -> Option<&Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        (caller.tenant.as_str(), versioned.path).hash(&mut hasher);
        let count = u64::try_from(self.0.len()).ok()?;
        self.0.get(usize::try_from(hasher.finish() % count).ok()?)
    }
}

/// What the layer works with.
#[derive(Clone)]
pub(super) struct Versions {
    /// Whose turns.
    pub api: Arc<Api>,
    /// The routes below the layer: what a change is compared with is read through them, by the same caller.
    pub routes: Router,
}

/// Gives what is read its version, and refuses a change that is meant for another one.
pub(super) async fn keep_versions(
    State(versions): State<Versions>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(versioned) = path.as_deref().and_then(of) else { return next.run(request).await };
    match *request.method() {
        Method::GET => {
            let asked = request.headers().clone();
            let (mut response, tag) = tagged(versioned, next.run(request).await).await;
            // A tag that leaves something out says nothing of what it leaves out.
            if let Some(tag) = tag
                && versioned.fleeting.is_empty()
                && names(&asked, header::IF_NONE_MATCH, &tag)
            {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response.headers_mut().remove(header::CONTENT_TYPE);
                response.headers_mut().remove(header::CONTENT_LENGTH);
                *response.body_mut() = Body::empty();
            }
            response
        }
        Method::PUT => {
            // Before there is a turn: who sends slowly keeps nobody waiting.
            let (parts, body) = request.into_parts();
            let request = match whole(body).await {
                Ok(body) => Request::from_parts(parts, body.into()),
                Err(refused) => return refused,
            };
            let _turn = match versions.api.turns.of(&caller, versioned) {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            // After our own, so that a node waits for another once, however many changes it has.
            let _of_all_nodes = match versions.api.hub.db.turn(&caller.tenant, versioned.path).await {
                Ok(turn) => turn,
                Err(error) => return Failure::from(error).into_response(),
            };
            if request.headers().contains_key(header::IF_MATCH) {
                let read =
                    versions.routes.oneshot(reading(&request, caller)).await.unwrap_or_else(|never| match never {});
                let (shown, tag) = tagged(versioned, read).await;
                let Some(tag) = tag else { return shown };
                if !names(request.headers(), header::IF_MATCH, &tag) {
                    return changed(&tag);
                }
            }
            let response = next.run(request).await;
            if versioned.answered { tagged(versioned, response).await.0 } else { response }
        }
        _ => next.run(request).await,
    }
}

/// The request that reads what this one changes, by the same caller.
fn reading(change: &Request, caller: Caller) -> Request {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = change.uri().clone();
    request.extensions_mut().insert(caller);
    request
}

/// The answer with its version, where it shows the thing.
async fn tagged(versioned: &Versioned, response: Response) -> (Response, Option<HeaderValue>) {
    if response.status() != StatusCode::OK {
        return (response, None);
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return (Response::from_parts(parts, Body::empty()), None);
    };
    let tag = tag(versioned, &bytes);
    if let Some(tag) = &tag {
        parts.headers.insert(header::ETAG, tag.clone());
    }
    (Response::from_parts(parts, Body::from(bytes)), tag)
}

/// A digest of what is shown, without what passes by itself.
fn tag(versioned: &Versioned, shown: &Bytes) -> Option<HeaderValue> {
    let lasting = match serde_json::from_slice(shown) {
        Ok(Value::Object(mut fields)) if !versioned.fleeting.is_empty() => {
            fields.retain(|name, _| !versioned.fleeting.contains(&name.as_str()));
            Bytes::from(Value::Object(fields).to_string())
        }
        _ => shown.clone(),
    };
    let digest: String = Sha256::digest(&lasting).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digest}\"")).ok()
}

/// Whether a header names this version, or any. A weak tag names none: these are strong.
fn names(headers: &HeaderMap, header: header::HeaderName, tag: &HeaderValue) -> bool {
    headers
        .get_all(header)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|named| named == b"*" || named == tag.as_bytes())
}

fn changed(tag: &HeaderValue) -> Response {
    let mut response = ProblemOut::new(
        StatusCode::PRECONDITION_FAILED,
        "changed_meanwhile",
        "It has changed meanwhile",
        "somebody has changed it since the version that `If-Match` names; nothing was written",
        "Read it again, put your change into what it says now, and send that with its `ETag`.",
    )
    .into_response();
    response.headers_mut().insert(header::ETAG, tag.clone());
    response
}
