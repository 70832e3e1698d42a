//! Errors as problem documents (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::operate::{Failure, FailureKind, Problem};

/// Why a request failed, and what to do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemOut {
    /// Stable name of the kind of problem: `not_found`, `invalid`, `conflict`, `unauthorised`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in a few words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened, and why.
    pub detail: String,
    /// What you can do.
    pub remedy: String,
    /// The request's own id, as in the log.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// Every single thing that is wrong with what was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Seconds until it is worth trying again; told as a header.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl ProblemOut {
    /// A problem that no operation reports: of the HTTP layer itself.
    pub fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>, remedy: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            remedy: remedy.to_owned(),
            instance: String::new(),
            problems: Vec::new(),
            retry_after: None,
        }
    }

    /// It is worth trying again after so many seconds.
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// No key, or none that is valid.
    pub fn unauthorised() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "Sign in, or send a valid key",
            "the request carries no API key or session, or one that is unknown, ended or revoked",
            "Sign in (`POST /session`), or send `Authorization: Bearer mr_…`; `millrace keys create` makes a key.",
        )
    }
}

impl From<Failure> for ProblemOut {
    fn from(failure: Failure) -> Self {
        // The database's words may name files, hosts, rows and parts of the program: the log has them, the world has not.
        let detail = match (failure.inward, failure.kind) {
            (false, _) => failure.detail,
            (true, FailureKind::Unavailable) => {
                "the database cannot be used at the moment; look whether it was done before you try again".to_owned()
            }
            (true, _) => "the request could not be finished".to_owned(),
        };
        Self {
            kind: failure.kind.code().to_owned(),
            title: failure.kind.title().to_owned(),
            status: status(failure.kind).as_u16(),
            detail,
            remedy: failure.remedy,
            instance: String::new(),
            problems: failure.problems,
            retry_after: failure.retry_after,
        }
    }
}

/// What each kind of failure is in HTTP.
fn status(kind: FailureKind) -> StatusCode {
    match kind {
        FailureKind::NotFound => StatusCode::NOT_FOUND,
        FailureKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        FailureKind::Conflict | FailureKind::NeedsPerson => StatusCode::CONFLICT,
        FailureKind::Forbidden | FailureKind::FactorOwed => StatusCode::FORBIDDEN,
        FailureKind::SignIn | FailureKind::SecondFactor | FailureKind::Proof => StatusCode::UNAUTHORIZED,
        FailureKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        FailureKind::Credentials | FailureKind::Remote => StatusCode::BAD_GATEWAY,
        FailureKind::Setup => StatusCode::NOT_IMPLEMENTED,
        FailureKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        FailureKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for ProblemOut {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let usual = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(5);
        if let Some(seconds) = self.retry_after.or(usual) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Read by the layer that knows the request's id.
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.inward {
            tracing::error!(problem.kind = self.kind.code(), "request failed: {}", self.detail);
        }
        ProblemOut::from(self).into_response()
    }
}
