//! Hand-offs: links by which a store's credentials are entered by whoever has them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
    repeatable::ShownOnce,
    session::Browser,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    hand_offs::{self, HandOffIn, HandOffOut, HandOffResultOut, NewHandOffIn},
    links::LinkOut,
};

/// List hand-offs
///
/// Newest first, used and ended ones as well.
#[utoipa::path(get, path = "/hand-offs", operation_id = "list_hand_offs", tag = "connections",
    params(PagingQuery),
    responses((status = 200, body = PageOut<HandOffOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_hand_offs(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<HandOffOut>>, Failure> {
    Ok(Json(hand_offs::list(&api.hub, &caller, &paging).await?))
}

/// Hand off the credentials of a store
///
/// Makes a link through which somebody without an account enters them, tests them and saves them, once. It ends after seven
/// days or as given, and is shown in this answer and never again. What is entered is sealed: nobody here sees it. Of a store
/// that saving will make, administrators only.
#[utoipa::path(post, path = "/hand-offs", operation_id = "create_hand_off", tag = "connections",
    request_body = NewHandOffIn,
    responses((status = 201, body = LinkOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_hand_off(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewHandOffIn>,
) -> Result<Response, Failure> {
    let link = hand_offs::create(&api.hub, &caller, given).await?;
    let mut response = (StatusCode::CREATED, Json(link)).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// Take a hand-off back
///
/// Its link does nothing any more.
#[utoipa::path(delete, path = "/hand-offs/{hand_off}", operation_id = "revoke_hand_off", tag = "connections",
    params(("hand_off" = String, Path, description = "`lnk_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn revoke_hand_off(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(hand_off): Named<String>,
) -> Result<StatusCode, Failure> {
    hand_offs::revoke(&api.hub, &caller, &hand_off).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enter the credentials that a link asks for
///
/// They are tested at the remote system, and kept when that works or the person wants them kept all the same. Saving works
/// once; tests may be repeated, within limits. `POST /links/describe` says what is asked for.
#[utoipa::path(post, path = "/links/hand-off", operation_id = "submit_hand_off", tag = "session", security(()),
    request_body = HandOffIn,
    responses((status = 200, body = HandOffResultOut), (status = "default", body = ProblemOut)))]
pub(super) async fn submit_hand_off(
    State(api): State<Arc<Api>>,
    browser: Browser,
    Given(given): Given<HandOffIn>,
) -> Result<Json<HandOffResultOut>, Failure> {
    Ok(Json(hand_offs::submit(&api.hub, &browser.visitor, given).await?))
}
