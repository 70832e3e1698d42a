//! What goes around every request: an id, a log line, and the headers that keep a browser from doing harm.

use std::{any::Any, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use tracing::Instrument as _;

use super::{
    Api, browser,
    problem::ProblemOut,
    refusals::{Asked, Known},
};

const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (
        HeaderName::from_static("content-security-policy"),
        HeaderValue::from_static(
            "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'",
        ),
    ),
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff")),
    (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY")),
    (HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store")),
];

/// Only https for a year. It belongs on answers that went over TLS and on no others (RFC 6797 §7.2), so it is sent where a
/// proxy says so, where the operator has given a public address with https, and where the program speaks TLS itself.
const ONLY_TLS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("strict-transport-security"),
    HeaderValue::from_static("max-age=31536000; includeSubDomains"),
);

/// Gives the request an id, writes one log line for it, and finishes the answer.
pub(super) async fn wrap(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let id = format!("req_{}", uuid::Uuid::now_v7().simple());
    let method = request.method().clone();
    // Without the query, and of a webhook's path only what kind it is: whatever follows may be what nobody else should know, also
    // where somebody has written it wrongly.
    let path = match request.uri().path() {
        path if path.starts_with("/hooks/") => {
            let kinds = ["/hooks/brightpearl", "/hooks/warehouse", "/hooks/reach"];
            kinds.into_iter().find(|kind| path.starts_with(kind)).unwrap_or("/hooks").to_owned()
        }
        path => path.to_owned(),
    };
    let protected = api.hub.config.tls.is_some()
        || api.hub.config.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
        || request.headers().get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let address = browser::visitor(request.extensions(), request.headers()).address;
    let asked = Asked::new(&id, &address, &request);
    let started = Instant::now();
    // Whatever is logged while it is worked on carries its id.
    let span = tracing::info_span!("request", request.id = id, http.method = %method, http.path = path);
    let mut response = next.run(request).instrument(span).await;
    let status = response.status();
    let known = response.extensions_mut().remove::<Known>();
    tracing::info!(
        request.id = id, http.method = %method, http.path = path, http.status = status.as_u16(),
        http.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        request.who = known.as_ref().map(Known::in_log), request.from = address, "request"
    );
    let told = response.extensions_mut().remove::<ProblemOut>();
    if let Some(why) = asked.refused(told.as_ref(), response.extensions()) {
        asked.note(&api, known, why).await;
    }
    if let Some(mut problem) = told {
        problem.instance.clone_from(&id);
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        // A struct of texts always serialises.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        response = Response::from_parts(parts, Body::from(body));
    } else if (status.is_client_error() || status.is_server_error())
        && response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/problem+json")
    {
        // A layer below answered with words of its own (too large a body, too long a wait).
        let mut problem = plain(status);
        problem.instance.clone_from(&id);
        response = problem.into_response();
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS.into_iter().chain(protected.then_some(ONLY_TLS)) {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

fn plain(status: StatusCode) -> ProblemOut {
    let (kind, detail, remedy) = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is larger than 1 MiB", "Send it in parts."),
        StatusCode::GATEWAY_TIMEOUT => {
            ("timed_out", "the answer took too long", "Look whether it was done before you try again.")
        }
        _ => ("refused", "the request was refused", "See the OpenAPI document (`millrace openapi`)."),
    };
    ProblemOut::new(status, kind, status.canonical_reason().unwrap_or("Refused"), detail, remedy)
}

/// A fault of the program while answering: nothing of it is shown.
pub(super) fn after_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    ProblemOut::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "A fault of the program",
        "the request could not be finished",
        "Try again; if it stays, keep the log and report it.",
    )
    .into_response()
}
