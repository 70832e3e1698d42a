//! Connecting stores by OAuth. The way back from Brightpearl is no route of v1: a browser is sent there, not a program.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{OriginalUri, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    Api, auth,
    browser::Cookie,
    extract::{Named, Returned},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure,
    oauth::{self, BackIn, ConsentOut, GrantOut},
    sign_in,
};

/// Get what access a store was granted
///
/// Of a store that signs in by OAuth. Tokens are never shown.
#[utoipa::path(get, path = "/stores/{store}/oauth", operation_id = "get_grant", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    responses((status = 200, body = GrantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_grant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
) -> Result<Json<GrantOut>, Failure> {
    Ok(Json(oauth::show(&api.hub, &caller, &store).await?))
}

/// Connect a store at Brightpearl
///
/// Administrators who signed in. Open the address of the answer in the same browser within ten minutes; Brightpearl asks for
/// consent and sends the browser back here.
#[utoipa::path(post, path = "/stores/{store}/oauth", operation_id = "begin_consent", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    responses((status = 201, body = ConsentOut), (status = "default", body = ProblemOut)))]
pub(super) async fn begin_consent(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
) -> Result<Response, Failure> {
    let consent = oauth::begin(&api.hub, &caller, &store).await?;
    let mut response = (StatusCode::CREATED, Json(consent)).into_response();
    // Its state works once: a repeat is a consent of its own.
    response.extensions_mut().insert(super::repeatable::ShownOnce);
    Ok(response)
}

/// Disconnect a store
///
/// Administrators only, with the password given lately. Its tokens are forgotten; remove the app at Brightpearl as well where it is
/// to end there. A store that was granted nothing is not found.
#[utoipa::path(delete, path = "/stores/{store}/oauth", operation_id = "forget_grant", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    responses((status = 200, body = GrantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn forget_grant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
) -> Result<Json<GrantOut>, Failure> {
    Ok(Json(oauth::disconnect(&api.hub, &caller, &store).await?))
}

/// Where Brightpearl sends the browser back to. The session says who it is; a browser without the one that began this gets
/// nothing. Words only: nothing that came with the address is shown.
pub(super) async fn come_back(
    State(api): State<Arc<Api>>,
    OriginalUri(uri): OriginalUri,
    Returned(given): Returned<BackIn>,
    request: Request,
) -> Response {
    let cookie = Cookie::of(request.extensions(), request.headers(), &uri);
    let Some(token) = cookie.token(request.headers()) else { return ProblemOut::unauthorised().into_response() };
    let caller = match sign_in::session(&api.hub, &token, None).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return ProblemOut::unauthorised().into_response(),
        Err(failure) => return failure.into_response(),
    };
    if let Some(refused) = auth::owes(&caller) {
        return refused.into_response();
    }
    match oauth::end(&api.hub, &caller, given).await {
        Ok(words) => ([("content-type", "text/plain; charset=utf-8")], words).into_response(),
        Err(failure) => failure.into_response(),
    }
}
