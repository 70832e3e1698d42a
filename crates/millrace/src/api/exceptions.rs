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
