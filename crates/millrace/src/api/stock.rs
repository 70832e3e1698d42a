//! Stock.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Given, Named, Perhaps},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    drift::{self, DriftOut, DriftQuery},
    stock::{self, ApproveIn, LevelOut, LevelsQuery, LinesQuery, RunDetailOut, RunLineOut, RunOut},
    undo::{self, HoldOut, StockReleaseIn, UndoIn, UndoOut, UndoQuery},
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
/// With how many of its lines have each verdict; the lines have a list of their own.
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

/// List the lines of a stock run
///
/// Every line that differs, is skipped or is held, with the parts of its equation, by warehouse and product.
#[utoipa::path(get, path = "/stock/runs/{run}/lines", operation_id = "list_stock_run_lines", tag = "stock",
    params(("run" = String, Path, description = "`run_…`"), LinesQuery),
    responses((status = 200, body = PageOut<RunLineOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_run_lines(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(run): Named<String>,
    Asked(query): Asked<LinesQuery>,
) -> Result<Json<PageOut<RunLineOut>>, Failure> {
    Ok(Json(stock::lines(&api.hub, &caller, &run, &query).await?))
}

/// Approve a stock run
///
/// It is worked out anew, and what still differs is corrected. With `skus`, single held lines of a run that was acted upon.
/// Where two people approve, the first one's yes is written down (`assents`), and the second one's decides.
#[utoipa::path(post, path = "/stock/runs/{run}/approve", operation_id = "approve_stock_run", tag = "stock",
    params(("run" = String, Path, description = "`run_…`")), request_body = Option<ApproveIn>,
    responses((status = 200, body = RunDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn approve_run(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(run): Named<String>,
    Perhaps(given): Perhaps<ApproveIn>,
) -> Result<Json<RunDetailOut>, Failure> {
    Ok(Json(stock::approve(&api.hub, &caller, &run, &given.skus).await?))
}

/// Undo a stock run
///
/// Each of its corrections that is done is taken back by one of its own, once; its products are held until they are released.
#[utoipa::path(post, path = "/stock/runs/{run}/undo", operation_id = "undo_stock_run", tag = "stock",
    params(("run" = String, Path, description = "`run_…`"), UndoQuery), request_body = UndoIn,
    responses((status = 200, body = UndoOut), (status = "default", body = ProblemOut)))]
pub(super) async fn undo_run(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(run): Named<String>,
    Asked(query): Asked<UndoQuery>,
    Given(given): Given<UndoIn>,
) -> Result<Json<UndoOut>, Failure> {
    Ok(Json(undo::undo(&api.hub, &caller, &run, &given, query.dry_run).await?))
}

/// List held products
///
/// No count changes their stock until they are released. By SKU.
#[utoipa::path(get, path = "/connections/{connection}/stock/holds", operation_id = "list_stock_holds", tag = "stock",
    params(("connection" = String, Path, description = "`con_…`, or the name."), PagingQuery),
    responses((status = 200, body = PageOut<HoldOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_holds(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Asked(query): Asked<PagingQuery>,
) -> Result<Json<PageOut<HoldOut>>, Failure> {
    Ok(Json(undo::holds(&api.hub, &caller, &connection, &query).await?))
}

/// Release held products
///
/// The next count writes their stock again. Answers those that were released.
#[utoipa::path(post, path = "/connections/{connection}/stock/release", operation_id = "release_stock", tag = "stock",
    params(("connection" = String, Path, description = "`con_…`, or the name.")), request_body = StockReleaseIn,
    responses((status = 200, body = Vec<HoldOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn release_stock(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Given(given): Given<StockReleaseIn>,
) -> Result<Json<Vec<HoldOut>>, Failure> {
    Ok(Json(undo::release(&api.hub, &caller, &connection, &given).await?))
}

/// Get explained drift
///
/// Where the warehouse and Brightpearl differ now, each difference split into named parts and an unexplained rest, the largest
/// unexplained first. Reads both sides behind all other work, and again for each page; with many products it takes as long as the
/// call budget says.
#[utoipa::path(get, path = "/connections/{connection}/drift", operation_id = "get_drift", tag = "stock",
    params(("connection" = String, Path, description = "`con_…`, or the name."), DriftQuery),
    responses((status = 200, body = DriftOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_drift(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Asked(query): Asked<DriftQuery>,
) -> Result<Json<DriftOut>, Failure> {
    Ok(Json(drift::drift(&api.hub, &caller, &connection, &query).await?))
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
