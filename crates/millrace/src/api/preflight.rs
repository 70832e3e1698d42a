//! Pre-flight on history.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};

use super::{
    Api,
    extract::{Asked, Named, Perhaps},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    preflight::{self, PreflightDetailOut, PreflightIn, PreflightOut},
};

/// List pre-flights
///
/// Of a connection, newest first.
#[utoipa::path(get, path = "/connections/{connection}/preflight", operation_id = "list_preflights", tag = "preflight",
    params(("connection" = String, Path, description = "`con_…`, or the name."), PagingQuery),
    responses((status = 200, body = PageOut<PreflightOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_preflights(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Asked(query): Asked<PagingQuery>,
) -> Result<Json<PageOut<PreflightOut>>, Failure> {
    Ok(Json(preflight::list(&api.hub, &caller, &connection, &query).await?))
}

/// Start a pre-flight
///
/// The orders of the last days are read and planned as the orders channel would, and counted; nothing is sent and no order is
/// imported. One at a time per connection, which need not be switched on. Its calls let all others go first.
#[utoipa::path(post, path = "/connections/{connection}/preflight", operation_id = "start_preflight", tag = "preflight",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    request_body = Option<PreflightIn>,
    responses((status = 202, body = PreflightDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn start_preflight(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Perhaps(given): Perhaps<PreflightIn>,
) -> Result<(StatusCode, Json<PreflightDetailOut>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(preflight::start(&api.hub, &caller, &connection, given).await?)))
}

/// Get a pre-flight
///
/// How far it has come, what share of the orders would have stood still and why, and what has changed since the run before.
#[utoipa::path(get, path = "/connections/{connection}/preflight/{preflight}", operation_id = "get_preflight",
    tag = "preflight",
    params(("connection" = String, Path, description = "`con_…`, or the name."),
        ("preflight" = String, Path, description = "`pre_…`")),
    responses((status = 200, body = PreflightDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_preflight(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, run)): Named<(String, String)>,
) -> Result<Json<PreflightDetailOut>, Failure> {
    Ok(Json(preflight::show(&api.hub, &caller, &connection, &run).await?))
}

/// Cancel a pre-flight
///
/// What it has counted so far stays. One that has ended stays as it is.
#[utoipa::path(post, path = "/connections/{connection}/preflight/{preflight}/cancel", operation_id = "cancel_preflight",
    tag = "preflight",
    params(("connection" = String, Path, description = "`con_…`, or the name."),
        ("preflight" = String, Path, description = "`pre_…`")),
    responses((status = 200, body = PreflightDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn cancel_preflight(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, run)): Named<(String, String)>,
) -> Result<Json<PreflightDetailOut>, Failure> {
    Ok(Json(preflight::cancel(&api.hub, &caller, &connection, &run).await?))
}
