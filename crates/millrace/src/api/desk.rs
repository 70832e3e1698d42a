//! The Warehouse API: what the system of a warehouse calls, with a key of its own (docs/warehouse-api.md).

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use super::{
    Api,
    apart::apart,
    extract::{Asked, Given, Named, Perhaps},
    problem::ProblemOut,
    repeatable::ShownOnce,
};
use crate::operate::{
    Caller, Failure, PageOut,
    desk::{
        self, AcknowledgeRequestIn, CancelAnswerIn, CountIn, CountOut, DeskRequestOut, DeskRequestsQuery, GiveUpIn,
        PullIn, PulledOut, ShipmentIn, TakenInOut,
    },
    keys::{self, NewKeyOut, NewWarehouseKeyIn, Wms},
};

/// Create a key for a warehouse
///
/// Administrators only; for warehouses that collect their requests. It opens the Warehouse API for this warehouse, and nothing
/// else. The key is shown in this answer and never again.
#[utoipa::path(post, path = "/warehouses/{warehouse}/keys", operation_id = "create_warehouse_key", tag = "keys",
    params(("warehouse" = String, Path, description = "Name, or `wh_…`")), request_body = NewWarehouseKeyIn,
    responses((status = 201, body = NewKeyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_warehouse_key(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
    Given(given): Given<NewWarehouseKeyIn>,
) -> Result<Response, Failure> {
    let key = keys::create_for_warehouse(&api.hub, &caller, &warehouse, given).await?;
    let mut response = (StatusCode::CREATED, Json(key)).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// Pull shipment requests
///
/// The oldest that wait, under one lease. Those that are not acknowledged before it ends are handed out again.
#[utoipa::path(post, path = "/desk/pull", operation_id = "pull_requests", tag = "warehouse", request_body = Option<PullIn>,
    responses((status = 200, body = PulledOut), (status = "default", body = ProblemOut)))]
pub(super) async fn pull_requests(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Perhaps(given): Perhaps<PullIn>,
) -> Result<Json<PulledOut>, Failure> {
    Ok(Json(desk::pull(&api.hub, &wms, &given).await?))
}

/// List shipment requests
///
/// Oldest first. Looking takes no lease.
#[utoipa::path(get, path = "/desk/requests", operation_id = "list_desk_requests", tag = "warehouse",
    params(DeskRequestsQuery),
    responses((status = 200, body = PageOut<DeskRequestOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_desk_requests(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Asked(query): Asked<DeskRequestsQuery>,
) -> Result<Json<PageOut<DeskRequestOut>>, Failure> {
    Ok(Json(desk::list(&api.hub, &wms, &query).await?))
}

/// Get a shipment request
#[utoipa::path(get, path = "/desk/requests/{request}", operation_id = "get_desk_request", tag = "warehouse",
    params(("request" = String, Path, description = "Its `request`")),
    responses((status = 200, body = DeskRequestOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_desk_request(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Named(request): Named<String>,
) -> Result<Json<DeskRequestOut>, Failure> {
    Ok(Json(desk::show(&api.hub, &wms, &request).await?))
}

/// Acknowledge a shipment request
///
/// You have it now, and it is not handed out again. Work on it only once this has been answered with success.
#[utoipa::path(post, path = "/desk/requests/{request}/acknowledge", operation_id = "acknowledge_request",
    tag = "warehouse", request_body = AcknowledgeRequestIn, params(("request" = String, Path, description = "Its `request`")),
    responses((status = 200, body = DeskRequestOut), (status = "default", body = ProblemOut)))]
pub(super) async fn acknowledge_request(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Named(request): Named<String>,
    Given(given): Given<AcknowledgeRequestIn>,
) -> Result<Json<DeskRequestOut>, Failure> {
    apart(async move { desk::acknowledge(&api.hub, &wms, &request, given).await }).await.map(Json)
}

/// Give up a shipment request
///
/// You will not ship it, or nothing more of it. A person at the merchant is shown why.
#[utoipa::path(post, path = "/desk/requests/{request}/give-up", operation_id = "give_up_request", tag = "warehouse",
    request_body = GiveUpIn, params(("request" = String, Path, description = "Its `request`")),
    responses((status = 200, body = DeskRequestOut), (status = "default", body = ProblemOut)))]
pub(super) async fn give_up_request(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Named(request): Named<String>,
    Given(given): Given<GiveUpIn>,
) -> Result<Json<DeskRequestOut>, Failure> {
    apart(async move { desk::give_up(&api.hub, &wms, &request, given).await }).await.map(Json)
}

/// Answer a cancel
///
/// When `cancel` of a request is `asked`: whether it is stopped, or too late.
#[utoipa::path(post, path = "/desk/requests/{request}/cancel", operation_id = "answer_cancel", tag = "warehouse",
    request_body = CancelAnswerIn, params(("request" = String, Path, description = "Its `request`")),
    responses((status = 200, body = DeskRequestOut), (status = "default", body = ProblemOut)))]
pub(super) async fn answer_cancel(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Named(request): Named<String>,
    Given(given): Given<CancelAnswerIn>,
) -> Result<Json<DeskRequestOut>, Failure> {
    apart(async move { desk::answer_cancel(&api.hub, &wms, &request, &given).await }).await.map(Json)
}

/// Post a shipment
///
/// What left. Posted again under its id it counts once and is answered as the first time, with 200; something else under that
/// id is refused with 409.
#[utoipa::path(post, path = "/desk/shipments", operation_id = "post_shipment", tag = "warehouse",
    request_body = ShipmentIn,
    responses((status = 201, body = TakenInOut, description = "It is kept"),
        (status = 200, body = TakenInOut, description = "It was kept before"),
        (status = "default", body = ProblemOut)))]
pub(super) async fn post_shipment(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Given(given): Given<ShipmentIn>,
) -> Result<Response, Failure> {
    apart(async move { desk::post_shipment(&api.hub, &wms, given).await }).await.map(taken)
}

/// Post a count
///
/// What lies on the shelves. Posted again under its id it counts once, with 200; something else under that id is refused with
/// 409.
#[utoipa::path(post, path = "/desk/stock", operation_id = "post_stock", tag = "warehouse", request_body = CountIn,
    responses((status = 201, body = CountOut, description = "It is kept"),
        (status = 200, body = CountOut, description = "It was kept before"),
        (status = "default", body = ProblemOut)))]
pub(super) async fn post_stock(
    State(api): State<Arc<Api>>,
    Extension(wms): Extension<Wms>,
    Given(given): Given<CountIn>,
) -> Result<Response, Failure> {
    apart(async move { desk::post_count(&api.hub, &wms, given).await }).await.map(taken)
}

fn taken<T: Serialize>((new, body): (bool, T)) -> Response {
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(body)).into_response()
}
