//! Stock.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    stock::{self, LevelOut, LevelsQuery, RunDetailOut, RunOut},
};

/// List stock runs
///
/// Newest first.
#[utoipa::path(get, path = "/connections/{connection}/stock/runs", operation_id = "list_stock_runs", tag = "stock",
    params(("connection" = String, Path, description = "`con_…`, or the name."), PagingQuery),
    responses((status = 200, body = PageOut<RunOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_runs(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Asked(query): Asked<PagingQuery>,
) -> Result<Json<PageOut<RunOut>>, Failure> {
    Ok(Json(stock::runs(&api.hub, &caller, &connection, &query).await?))
}

/// Get a stock run
///
/// With every line that differs, is skipped or is held, and the parts of its equation.
#[utoipa::path(get, path = "/stock/runs/{run}", operation_id = "get_stock_run", tag = "stock",
    params(("run" = String, Path, description = "`run_…`")),
    responses((status = 200, body = RunDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_run(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(run): Named<String>,
) -> Result<Json<RunDetailOut>, Failure> {
    Ok(Json(stock::show(&api.hub, &caller, &run).await?))
}

/// Approve a stock run
///
/// It is worked out anew, and what still differs is corrected.
#[utoipa::path(post, path = "/stock/runs/{run}/approve", operation_id = "approve_stock_run", tag = "stock",
    params(("run" = String, Path, description = "`run_…`")),
    responses((status = 200, body = RunDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn approve_run(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(run): Named<String>,
) -> Result<Json<RunDetailOut>, Failure> {
    Ok(Json(stock::approve(&api.hub, &caller, &run).await?))
}

/// Drop a stock run
///
/// A run that waits is turned down.
#[utoipa::path(post, path = "/stock/runs/{run}/drop", operation_id = "drop_stock_run", tag = "stock",
    params(("run" = String, Path, description = "`run_…`")),
    responses((status = 200, body = RunDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn drop_run(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(run): Named<String>,
) -> Result<Json<RunDetailOut>, Failure> {
    Ok(Json(stock::turn_down(&api.hub, &caller, &run).await?))
}

/// List stock levels
///
/// The warehouse's latest figures, by SKU.
#[utoipa::path(get, path = "/connections/{connection}/stock/levels", operation_id = "list_stock_levels", tag = "stock",
    params(("connection" = String, Path, description = "`con_…`, or the name."), LevelsQuery),
    responses((status = 200, body = PageOut<LevelOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_levels(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Asked(query): Asked<LevelsQuery>,
) -> Result<Json<PageOut<LevelOut>>, Failure> {
    Ok(Json(stock::levels(&api.hub, &caller, &connection, query).await?))
}
