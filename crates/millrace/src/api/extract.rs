//! What a request gives, with refusals as problem documents.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::problem::ProblemOut;
use crate::operate::quoted;

/// A JSON body.
pub struct Given<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = ProblemOut;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemOut> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => {
                let (title, remedy) = match &rejection {
                    JsonRejection::MissingJsonContentType(_) => {
                        ("The body must be JSON", "Send `Content-Type: application/json`.")
                    }
                    JsonRejection::BytesRejection(_) => ("The body cannot be taken in", "Send at most 1 MiB."),
                    _ => ("The body cannot be read", "Correct it; the OpenAPI document describes it."),
                };
                Err(ProblemOut::new(rejection.status(), "invalid_body", title, without_values(&rejection), remedy))
            }
        }
    }
}

/// A JSON body that may be left out.
pub struct Perhaps<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Perhaps<T> {
    type Rejection = ProblemOut;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemOut> {
        let typed = request.headers().contains_key(axum::http::header::CONTENT_TYPE);
        let empty = axum::body::HttpBody::size_hint(request.body()).exact() == Some(0);
        if empty || !typed {
            return Ok(Self(T::default()));
        }
        Given::from_request(request, state).await.map(|Given(value)| Self(value))
    }
}

/// The parser's words name the place; the wrong value itself may be a secret that stands in the wrong field.
fn without_values(rejection: &JsonRejection) -> String {
    let text = rejection.body_text();
    match (text.find("invalid type"), text.find("invalid value")) {
        (Some(place), _) | (None, Some(place)) => {
            let expected = text.get(place..).and_then(|rest| rest.find("expected").map(|at| place + at));
            let head = text.get(..place).unwrap_or_default();
            format!(
                "{head}a value is not of the right kind: {}",
                expected.and_then(|at| text.get(at..)).unwrap_or_default()
            )
        }
        _ => text,
    }
}

/// The query part of the address. A name that is not documented is refused: a filter that is misspelt would show everything, and a
/// misspelt `dry_run` would do it.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for Asked<T> {
    type Rejection = ProblemOut;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemOut> {
        if let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) {
            let known: Vec<String> = T::into_params(|| None).into_iter().map(|one| one.name).collect();
            let given = url::form_urlencoded::parse(query.as_bytes());
            if let Some((unknown, _)) = given.into_iter().find(|(name, _)| !known.iter().any(|one| one == name)) {
                let there_are = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(unread(format!("there is no {}; there are: {there_are}", quoted(&unknown))));
            }
        }
        Returned::from_request_parts(parts, state).await.map(|Returned(value)| Self(value))
    }
}

/// The query part of an address that another system wrote, which may say more than is asked of it.
pub struct Returned<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Returned<T> {
    type Rejection = ProblemOut;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemOut> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(value)| Self(value)).map_err(|rejection| unread(rejection.body_text()))
    }
}

fn unread(why: String) -> ProblemOut {
    ProblemOut::new(
        StatusCode::BAD_REQUEST,
        "invalid_query",
        "The query cannot be read",
        why,
        "Correct it; the OpenAPI document describes it.",
    )
}

/// A part of the path: an id or a name.
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ProblemOut;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemOut> {
        Path::<T>::from_request_parts(parts, state).await.map(|Path(value)| Self(value)).map_err(|_| {
            ProblemOut::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "It does not exist",
                "there is nothing of this name",
                "Check the id; lists show what there is.",
            )
        })
    }
}
