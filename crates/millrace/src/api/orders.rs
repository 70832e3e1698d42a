//! Orders.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, ReasonIn,
    bulk::{self, BulkIn, BulkOut, BulkPreviewOut, BulkRunIn},
    explain::ExplainOut,
    order_edits::{self, OrderEditIn},
    orders::{self, OrderCountsOut, OrderDetailOut, OrderOut, OrdersQuery},
    races::{self, AnswerIn},
};

/// List orders
///
/// Newest first.
#[utoipa::path(get, path = "/orders", operation_id = "list_orders", tag = "orders", params(OrdersQuery),
    responses((status = 200, body = PageOut<OrderOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_orders(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<OrdersQuery>,
) -> Result<Json<PageOut<OrderOut>>, Failure> {
    Ok(Json(orders::list(&api.hub, &caller, query).await?))
}

/// Get an order
///
/// With lines, requests, shipments, effects, its timeline, and why it is where it is.
#[utoipa::path(get, path = "/orders/{order}", operation_id = "get_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    responses((status = 200, body = OrderDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
) -> Result<Json<OrderDetailOut>, Failure> {
    Ok(Json(orders::show(&api.hub, &caller, &order).await?))
}

/// Explain an order
///
/// Why it is where it is, and what can be done.
#[utoipa::path(get, path = "/orders/{order}/explain", operation_id = "explain_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    responses((status = 200, body = ExplainOut), (status = "default", body = ProblemOut)))]
pub(super) async fn explain_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
) -> Result<Json<ExplainOut>, Failure> {
    Ok(Json(orders::show(&api.hub, &caller, &order).await?.explain))
}

/// Retry an order
///
/// It is read again from Brightpearl and planned anew. What is at the warehouse already is not sent again.
#[utoipa::path(post, path = "/orders/{order}/retry", operation_id = "retry_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn retry_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(orders::retry(&api.hub, &caller, &order).await?))
}

/// Hold an order
#[utoipa::path(post, path = "/orders/{order}/hold", operation_id = "hold_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    request_body = ReasonIn, responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn hold_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
    Given(given): Given<ReasonIn>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(orders::hold(&api.hub, &caller, &order, &given.reason).await?))
}

/// Release an order
///
/// A held order goes on.
#[utoipa::path(post, path = "/orders/{order}/release", operation_id = "release_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn release_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(orders::release(&api.hub, &caller, &order).await?))
}

/// Archive an order
#[utoipa::path(post, path = "/orders/{order}/archive", operation_id = "archive_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn archive_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(orders::archive(&api.hub, &caller, &order).await?))
}

/// Cancel an order
///
/// Not sent, or asked back from the warehouse where it is there already.
#[utoipa::path(post, path = "/orders/{order}/cancel", operation_id = "cancel_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    request_body = ReasonIn, responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn cancel_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
    Given(given): Given<ReasonIn>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(orders::cancel(&api.hub, &caller, &order, &given.reason).await?))
}

/// Record the warehouse's answer
///
/// To a cancel or change that came after the order was sent, as a person was told it.
#[utoipa::path(post, path = "/orders/{order}/answer", operation_id = "answer_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    request_body = AnswerIn, responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn answer_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
    Given(given): Given<AnswerIn>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(races::answer(&api.hub, &caller, &order, &given).await?))
}

/// Send an order again
///
/// It is cancelled at the warehouse, and sent again under a fresh key as it now stands, once the warehouse has accepted that.
#[utoipa::path(post, path = "/orders/{order}/resend", operation_id = "resend_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    request_body = ReasonIn, responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn resend_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
    Given(given): Given<ReasonIn>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(races::resend(&api.hub, &caller, &order, &given.reason).await?))
}

/// Count orders by state
///
/// Of the orders that a list with this filter would show, whatever states it names: for tabs.
#[utoipa::path(get, path = "/orders/counts", operation_id = "get_order_counts", tag = "orders", params(OrdersQuery),
    responses((status = 200, body = OrderCountsOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_order_counts(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<OrdersQuery>,
) -> Result<Json<OrderCountsOut>, Failure> {
    Ok(Json(orders::counts(&api.hub, &caller, query).await?))
}

/// Edit an order before it is sent
///
/// Beside what Brightpearl says, and as long as it says so; refused once the warehouse may have the order.
#[utoipa::path(post, path = "/orders/{order}/edit", operation_id = "edit_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    request_body = OrderEditIn,
    responses((status = 200, body = OrderDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn edit_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
    Given(given): Given<OrderEditIn>,
) -> Result<Json<OrderDetailOut>, Failure> {
    Ok(Json(order_edits::edit(&api.hub, &caller, &order, given).await?))
}

/// Unarchive an order
///
/// It is taken out again, and import looks at it.
#[utoipa::path(post, path = "/orders/{order}/unarchive", operation_id = "unarchive_order", tag = "orders",
    params(("order" = String, Path, description = "`ord_…`, or the Brightpearl order number.")),
    responses((status = 200, body = OrderOut), (status = "default", body = ProblemOut)))]
pub(super) async fn unarchive_order(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(order): Named<String>,
) -> Result<Json<OrderOut>, Failure> {
    Ok(Json(orders::unarchive(&api.hub, &caller, &order).await?))
}

/// Preview a bulk action
///
/// What would happen to how many orders, and which are refused and why. Nothing is changed; the token carries it out.
#[utoipa::path(post, path = "/orders/bulk/preview", operation_id = "preview_bulk_action", tag = "orders",
    request_body = BulkIn,
    responses((status = 200, body = BulkPreviewOut), (status = "default", body = ProblemOut)))]
pub(super) async fn preview_bulk_action(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<BulkIn>,
) -> Result<Json<BulkPreviewOut>, Failure> {
    Ok(Json(bulk::preview(&api.hub, &caller, given).await?))
}

/// Carry a bulk action out
///
/// What its preview has shown, once. The answer says what became of each order.
#[utoipa::path(post, path = "/orders/bulk", operation_id = "run_bulk_action", tag = "orders",
    request_body = BulkRunIn,
    responses((status = 200, body = BulkOut), (status = "default", body = ProblemOut)))]
pub(super) async fn run_bulk_action(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<BulkRunIn>,
) -> Result<Json<BulkOut>, Failure> {
    Ok(Json(bulk::run(&api.hub, &caller, &given).await?))
}
