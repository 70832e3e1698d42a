//! Drafts of the wizard that connects a store with a warehouse.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    drafts::{self, DraftIn, DraftOut},
};

/// List drafts
///
/// Administrators only: one's own, the one begun last first.
#[utoipa::path(get, path = "/drafts", operation_id = "list_drafts", tag = "connections", params(PagingQuery),
    responses((status = 200, body = PageOut<DraftOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_drafts(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<PagingQuery>,
) -> Result<Json<PageOut<DraftOut>>, Failure> {
    Ok(Json(drafts::list(&api.hub, &caller, &query).await?))
}

/// Create a draft
///
/// Administrators only. Secrets are sealed and never shown again; a store or warehouse is tested or made of them with `draft`.
#[utoipa::path(post, path = "/drafts", operation_id = "create_draft", tag = "connections", request_body = DraftIn,
    responses((status = 201, body = DraftOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_draft(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<DraftIn>,
) -> Result<(StatusCode, Json<DraftOut>), Failure> {
    Ok((StatusCode::CREATED, Json(drafts::create(&api.hub, &caller, given).await?)))
}

/// Get a draft
#[utoipa::path(get, path = "/drafts/{draft}", operation_id = "get_draft", tag = "connections",
    params(("draft" = String, Path, description = "`dft_…`")),
    responses((status = 200, body = DraftOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_draft(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(draft): Named<String>,
) -> Result<Json<DraftOut>, Failure> {
    Ok(Json(drafts::show(&api.hub, &caller, &draft).await?))
}

/// Update a draft
///
/// Replaced as a whole; of secrets, only those given. It is kept for another 30 days.
#[utoipa::path(put, path = "/drafts/{draft}", operation_id = "update_draft", tag = "connections",
    params(("draft" = String, Path, description = "`dft_…`")), request_body = DraftIn,
    responses((status = 200, body = DraftOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_draft(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(draft): Named<String>,
    Given(given): Given<DraftIn>,
) -> Result<Json<DraftOut>, Failure> {
    Ok(Json(drafts::update(&api.hub, &caller, &draft, given).await?))
}

/// Delete a draft
#[utoipa::path(delete, path = "/drafts/{draft}", operation_id = "delete_draft", tag = "connections",
    params(("draft" = String, Path, description = "`dft_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_draft(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(draft): Named<String>,
) -> Result<StatusCode, Failure> {
    drafts::delete(&api.hub, &caller, &draft).await?;
    Ok(StatusCode::NO_CONTENT)
}
