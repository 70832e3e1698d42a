//! Exceptions: what came in and could not be used.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut,
    exceptions::{self, ExceptionOut, ExceptionsQuery},
    groups::{self, GroupOut, GroupRetriedOut, GroupsQuery},
};

/// List exceptions
///
/// Rejected inputs, and shipments for orders that are not known. Newest first.
#[utoipa::path(get, path = "/exceptions", operation_id = "list_exceptions", tag = "exceptions", params(ExceptionsQuery),
    responses((status = 200, body = PageOut<ExceptionOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_exceptions(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ExceptionsQuery>,
) -> Result<Json<PageOut<ExceptionOut>>, Failure> {
    Ok(Json(exceptions::list(&api.hub, &caller, query).await?))
}

/// Resolve an exception
///
/// A person has dealt with it.
#[utoipa::path(post, path = "/exceptions/{exception}/resolve", operation_id = "resolve_exception", tag = "exceptions",
    params(("exception" = String, Path, description = "`exc_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn resolve_exception(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(exception): Named<String>,
) -> Result<axum::http::StatusCode, Failure> {
    exceptions::resolve(&api.hub, &caller, &exception).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// List exceptions by cause
///
/// Orders, inputs and changes that need somebody, grouped by what they have in common; the largest group first.
#[utoipa::path(get, path = "/exceptions/groups", operation_id = "list_exception_groups", tag = "exceptions", params(GroupsQuery),
    responses((status = 200, body = PageOut<GroupOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_exception_groups(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<GroupsQuery>,
) -> Result<Json<PageOut<GroupOut>>, Failure> {
    Ok(Json(groups::list(&api.hub, &caller, query).await?))
}

/// Retry all of a cause
///
/// Once the cause is mended. What has to be looked at one by one is refused.
#[utoipa::path(post, path = "/exceptions/groups/{group}/retry", operation_id = "retry_exception_group", tag = "exceptions",
    params(("group" = String, Path, description = "`grp_…`")),
    responses((status = 200, body = GroupRetriedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn retry_exception_group(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(group): Named<String>,
) -> Result<Json<GroupRetriedOut>, Failure> {
    Ok(Json(groups::retry(&api.hub, &caller, &group).await?))
}
