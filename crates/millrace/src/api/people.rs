//! Who may sign in, and what they may do.

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
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    links::{self, InvitationOut, LinkOut},
    people::{self, InviteIn, PersonOut, RightsIn, SessionView, SessionsEndedOut},
};

/// An answer with a link: it is shown once and not kept for repeats.
fn shown_once(link: LinkOut) -> Response {
    let mut response = (StatusCode::CREATED, Json(link)).into_response();
    response.extensions_mut().insert(ShownOnce);
    response
}

/// List people
///
/// Administrators only, like everything here.
#[utoipa::path(get, path = "/people", operation_id = "list_people", tag = "people",
    params(PagingQuery),
    responses((status = 200, body = PageOut<PersonOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_people(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<PersonOut>>, Failure> {
    Ok(Json(people::list(&api.hub, &caller, &paging).await?))
}

/// Show a person
///
/// With what they may do.
#[utoipa::path(get, path = "/people/{person}", operation_id = "get_person", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = PersonOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_person(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<PersonOut>, Failure> {
    Ok(Json(people::show(&api.hub, &caller, &person).await?))
}

/// Change what a person may do
///
/// It holds from their next request on.
#[utoipa::path(put, path = "/people/{person}", operation_id = "change_person", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")), request_body = RightsIn,
    responses((status = 200, body = PersonOut), (status = "default", body = ProblemOut)))]
pub(super) async fn change_person(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
    Given(given): Given<RightsIn>,
) -> Result<Json<PersonOut>, Failure> {
    Ok(Json(people::change(&api.hub, &caller, &person, &given).await?))
}

/// Let a person sign in no more
///
/// All their sessions end.
#[utoipa::path(post, path = "/people/{person}/disable", operation_id = "disable_person", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = PersonOut), (status = "default", body = ProblemOut)))]
pub(super) async fn disable_person(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<PersonOut>, Failure> {
    Ok(Json(people::set_disabled(&api.hub, &caller, &person, true).await?))
}

/// Let a person sign in again
///
/// With the password they had.
#[utoipa::path(post, path = "/people/{person}/enable", operation_id = "enable_person", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = PersonOut), (status = "default", body = ProblemOut)))]
pub(super) async fn enable_person(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<PersonOut>, Failure> {
    Ok(Json(people::set_disabled(&api.hub, &caller, &person, false).await?))
}

/// Make a link to choose a new password
///
/// It works once, and is shown in this answer and never again. Give it to the person.
#[utoipa::path(post, path = "/people/{person}/reset", operation_id = "reset_person", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 201, body = LinkOut), (status = "default", body = ProblemOut)))]
pub(super) async fn reset_person(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Response, Failure> {
    Ok(shown_once(people::reset(&api.hub, &caller, &person).await?))
}

/// Take a person's second factor away
///
/// For somebody who lost it and the recovery codes.
#[utoipa::path(delete, path = "/people/{person}/second-factor", operation_id = "remove_persons_second_factor", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = PersonOut), (status = "default", body = ProblemOut)))]
pub(super) async fn remove_persons_second_factor(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<PersonOut>, Failure> {
    Ok(Json(people::remove_factor(&api.hub, &caller, &person).await?))
}

/// Forget who a person is at the identity provider
///
/// For somebody who is another one there now: their verified address links them anew.
#[utoipa::path(delete, path = "/people/{person}/provider", operation_id = "unlink_person", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = PersonOut), (status = "default", body = ProblemOut)))]
pub(super) async fn unlink_person(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<PersonOut>, Failure> {
    Ok(Json(people::unlink(&api.hub, &caller, &person).await?))
}

/// List a person's sessions
///
/// Those that are open.
#[utoipa::path(get, path = "/people/{person}/sessions", operation_id = "list_persons_sessions", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = Vec<SessionView>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_persons_sessions(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<Vec<SessionView>>, Failure> {
    Ok(Json(people::sessions(&api.hub, &caller, &person).await?))
}

/// End a person's sessions
///
/// All of them, at once.
#[utoipa::path(delete, path = "/people/{person}/sessions", operation_id = "end_persons_sessions", tag = "people",
    params(("person" = String, Path, description = "`per_…` or e-mail address")),
    responses((status = 200, body = SessionsEndedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn end_persons_sessions(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(person): Named<String>,
) -> Result<Json<SessionsEndedOut>, Failure> {
    Ok(Json(people::end_sessions(&api.hub, &caller, &person).await?))
}

/// List invitations
///
/// Newest first, used and ended ones as well.
#[utoipa::path(get, path = "/invitations", operation_id = "list_invitations", tag = "people",
    params(PagingQuery),
    responses((status = 200, body = PageOut<InvitationOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_invitations(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<InvitationOut>>, Failure> {
    Ok(Json(links::invitations(&api.hub, &caller, &paging).await?))
}

/// Invite a person
///
/// The link works once, ends after seven days, and is shown in this answer and never again. Give it to the person.
#[utoipa::path(post, path = "/invitations", operation_id = "create_invitation", tag = "people", request_body = InviteIn,
    responses((status = 201, body = LinkOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_invitation(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<InviteIn>,
) -> Result<Response, Failure> {
    Ok(shown_once(people::invite(&api.hub, &caller, &given).await?))
}

/// Take an invitation back
///
/// Its link lets nobody in any more.
#[utoipa::path(delete, path = "/invitations/{invitation}", operation_id = "withdraw_invitation", tag = "people",
    params(("invitation" = String, Path, description = "`lnk_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn withdraw_invitation(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(invitation): Named<String>,
) -> Result<StatusCode, Failure> {
    links::withdraw(&api.hub, &caller, &invitation).await?;
    Ok(StatusCode::NO_CONTENT)
}
