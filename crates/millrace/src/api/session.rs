//! Signing in, and what people do about themselves.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use connect::Secret;

use super::{
    Api,
    auth::Token,
    browser::{self, Cookie},
    extract::{Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure,
    people::SessionView,
    second_factor::{self, CodeIn, FactorOut, RecoveryCodesOut},
    sign_in::{self, Begun, PasswordIn, ProofIn, SessionOut, SignInIn, Visitor},
};

/// The browser that asks, as far as its request tells.
pub(super) struct Browser {
    pub(super) visitor: Visitor,
    pub(super) cookie: Cookie,
    /// The token of the session it has, or had.
    token: Option<Secret>,
}

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let cookie = Cookie::of(&parts.extensions, &parts.headers, &parts.uri);
        Ok(Self {
            visitor: browser::visitor(&parts.extensions, &parts.headers),
            token: cookie.token(&parts.headers).map(Secret::new),
            cookie,
        })
    }
}

impl Browser {
    /// It has signed in: the session that it came with ends.
    pub(super) async fn ends_earlier(&self, api: &Api) {
        sign_in::end_earlier(&api.hub, self.token.as_ref().map(Secret::expose)).await;
    }

    /// An answer that gives the browser the session's new token.
    pub(super) fn keeps(&self, status: StatusCode, begun: Begun) -> Response {
        let mut response = (status, Json(begun.session)).into_response();
        if let Some(value) = self.cookie.set(begun.token.expose()) {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        response
    }
}

/// Sign in
///
/// Answers with the session's cookie (`__Host-millrace`; without TLS on the same machine `millrace-local`) and with the token
/// that must come back as `Millrace-Csrf`. Unknown addresses and wrong passwords answer alike. A session that the browser had
/// before ends.
#[utoipa::path(post, path = "/session", operation_id = "sign_in", tag = "session", security(()), request_body = SignInIn,
    responses((status = 201, body = SessionOut), (status = "default", body = ProblemOut)))]
pub(super) async fn sign_in(
    State(api): State<Arc<Api>>,
    browser: Browser,
    Given(given): Given<SignInIn>,
) -> Result<Response, Failure> {
    let begun = sign_in::sign_in(&api.hub, &browser.visitor, given).await?;
    browser.ends_earlier(&api).await;
    Ok(browser.keeps(StatusCode::CREATED, begun))
}

/// Show who is signed in
#[utoipa::path(get, path = "/session", operation_id = "get_session", tag = "session",
    responses((status = 200, body = SessionOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_session(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Extension(Token(token)): Extension<Token>,
) -> Result<Json<SessionOut>, Failure> {
    Ok(Json(sign_in::show(&api.hub, &caller, token.expose()).await?))
}

/// Sign out
///
/// The session ends at once, here and everywhere. The browser is told to forget what it has kept of it (`Clear-Site-Data`).
#[utoipa::path(delete, path = "/session", operation_id = "sign_out", tag = "session",
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn sign_out(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    browser: Browser,
) -> Result<Response, Failure> {
    sign_in::sign_out(&api.hub, &caller).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(value) = browser.cookie.clear() {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    // Pages that could be gone back to. Not its storage, where the person's views and colours are; nor its cookies, which would be
    // those of everything else under the same domain as well.
    response.headers_mut().insert(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// Give the password once more
///
/// For ten minutes from then on, what needs it does not ask again. The session gets a new token.
#[utoipa::path(post, path = "/session/proof", operation_id = "prove", tag = "session", request_body = ProofIn,
    responses((status = 200, body = SessionOut), (status = "default", body = ProblemOut)))]
pub(super) async fn prove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    browser: Browser,
    Given(given): Given<ProofIn>,
) -> Result<Response, Failure> {
    let begun = sign_in::proof(&api.hub, &caller, &browser.visitor, given).await?;
    Ok(browser.keeps(StatusCode::OK, begun))
}

/// Change the password
///
/// Every session of the person ends; the answer begins a new one.
#[utoipa::path(put, path = "/session/password", operation_id = "change_password", tag = "session", request_body = PasswordIn,
    responses((status = 200, body = SessionOut), (status = "default", body = ProblemOut)))]
pub(super) async fn change_password(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    browser: Browser,
    Given(given): Given<PasswordIn>,
) -> Result<Response, Failure> {
    let begun = sign_in::change_password(&api.hub, &caller, &browser.visitor, given).await?;
    Ok(browser.keeps(StatusCode::OK, begun))
}

/// Begin a second factor
///
/// Its secret is shown this once. Nothing asks for it until its first code was given. Needs the password, given lately.
#[utoipa::path(post, path = "/session/second-factor", operation_id = "begin_second_factor", tag = "session",
    responses((status = 201, body = FactorOut), (status = "default", body = ProblemOut)))]
pub(super) async fn begin_second_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<FactorOut>), Failure> {
    Ok((StatusCode::CREATED, Json(second_factor::begin(&api.hub, &caller).await?)))
}

/// Give the first code of a second factor
///
/// From now on one is asked for at every sign-in. The recovery codes are shown this once.
#[utoipa::path(post, path = "/session/second-factor/confirm", operation_id = "confirm_second_factor", tag = "session",
    request_body = CodeIn,
    responses((status = 200, body = RecoveryCodesOut), (status = "default", body = ProblemOut)))]
pub(super) async fn confirm_second_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<CodeIn>,
) -> Result<Json<RecoveryCodesOut>, Failure> {
    Ok(Json(second_factor::confirm(&api.hub, &caller, &given).await?))
}

/// Remove the second factor
///
/// Needs the password and a code, given lately.
#[utoipa::path(delete, path = "/session/second-factor", operation_id = "remove_second_factor", tag = "session",
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn remove_second_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Failure> {
    second_factor::remove(&api.hub, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List your sessions
#[utoipa::path(get, path = "/session/all", operation_id = "list_own_sessions", tag = "session",
    responses((status = 200, body = Vec<SessionView>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_own_sessions(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<SessionView>>, Failure> {
    Ok(Json(sign_in::sessions(&api.hub, &caller).await?))
}

/// End one of your sessions
#[utoipa::path(delete, path = "/session/all/{session}", operation_id = "end_own_session", tag = "session",
    params(("session" = String, Path, description = "`ses_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn end_own_session(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(session): Named<String>,
) -> Result<StatusCode, Failure> {
    sign_in::end_session(&api.hub, &caller, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
