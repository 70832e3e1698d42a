//! Outgoing webhooks and what was delivered to them.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Asked, Given, Named, Perhaps},
    problem::ProblemOut,
    repeatable::ShownOnce,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    deliveries::{self, DeliveriesQuery, DeliveryDetailOut, DeliveryOut, ReplayIn, ReplayedOut},
    outlets::{self, NewWebhookIn, NewWebhookOut, RotateIn, RotatedOut, UpdateWebhookIn, WebhookOut},
};

/// An answer that shows a secret once.
fn once(status: StatusCode, shown: impl serde::Serialize) -> Response {
    let mut response = (status, Json(shown)).into_response();
    response.extensions_mut().insert(ShownOnce);
    response
}

/// List webhooks
///
/// By name.
#[utoipa::path(get, path = "/webhooks", operation_id = "list_webhooks", tag = "webhooks", params(PagingQuery), responses((status = 200, body = PageOut<WebhookOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_webhooks(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<WebhookOut>>, Failure> {
    Ok(Json(outlets::list(&api.hub, &caller, &paging).await?))
}

/// Create a webhook
///
/// Administrators only. Calls follow the Standard Webhooks scheme. The secret is shown in this answer and never again.
#[utoipa::path(post, path = "/webhooks", operation_id = "create_webhook", tag = "webhooks", request_body = NewWebhookIn, responses((status = 201, body = NewWebhookOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_webhook(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewWebhookIn>,
) -> Result<Response, Failure> {
    Ok(once(StatusCode::CREATED, outlets::create(&api.hub, &caller, given).await?))
}

/// Get a webhook
#[utoipa::path(get, path = "/webhooks/{webhook}", operation_id = "get_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name")), responses((status = 200, body = WebhookOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_webhook(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
) -> Result<Json<WebhookOut>, Failure> {
    Ok(Json(outlets::show(&api.hub, &caller, &webhook).await?))
}

/// Update a webhook
///
/// Administrators only. Replaces its settings as a whole; its secret stays.
#[utoipa::path(put, path = "/webhooks/{webhook}", operation_id = "update_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name")), request_body = UpdateWebhookIn, responses((status = 200, body = WebhookOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_webhook(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
    Given(given): Given<UpdateWebhookIn>,
) -> Result<Json<WebhookOut>, Failure> {
    Ok(Json(outlets::update(&api.hub, &caller, &webhook, given).await?))
}

/// Delete a webhook
///
/// Administrators only. The log of its deliveries goes with it.
#[utoipa::path(delete, path = "/webhooks/{webhook}", operation_id = "delete_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name")), responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_webhook(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
) -> Result<StatusCode, Failure> {
    outlets::delete(&api.hub, &caller, &webhook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate a webhook's secret
///
/// Administrators only. Messages are signed with both secrets for a while. The new one is shown in this answer and never again.
#[utoipa::path(post, path = "/webhooks/{webhook}/secret", operation_id = "rotate_webhook_secret", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name")), request_body = RotateIn, responses((status = 200, body = RotatedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn rotate_webhook_secret(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
    Perhaps(given): Perhaps<RotateIn>,
) -> Result<Response, Failure> {
    Ok(once(StatusCode::OK, outlets::rotate(&api.hub, &caller, &webhook, &given).await?))
}

/// Test a webhook
///
/// Has a message of the type `test` sent; its delivery says how it went.
#[utoipa::path(post, path = "/webhooks/{webhook}/test", operation_id = "test_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name")), responses((status = 202, body = DeliveryOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_webhook(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
) -> Result<(StatusCode, Json<DeliveryOut>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(deliveries::test_webhook(&api.hub, &caller, &webhook).await?)))
}

/// Replay events to a webhook
///
/// Has it told again of everything it wants of a time, whether it was told before or not.
#[utoipa::path(post, path = "/webhooks/{webhook}/replay", operation_id = "replay_webhook", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name")), request_body = ReplayIn, responses((status = 202, body = ReplayedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn replay_webhook(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
    Given(given): Given<ReplayIn>,
) -> Result<(StatusCode, Json<ReplayedOut>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(deliveries::replay_range(&api.hub, &caller, &webhook, &given).await?)))
}

/// List deliveries of a webhook
///
/// Newest first; kept for 30 days after they ended.
#[utoipa::path(get, path = "/webhooks/{webhook}/deliveries", operation_id = "list_webhook_deliveries", tag = "webhooks", params(("webhook" = String, Path, description = "Id or name"), DeliveriesQuery), responses((status = 200, body = PageOut<DeliveryOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_webhook_deliveries(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(webhook): Named<String>,
    Asked(query): Asked<DeliveriesQuery>,
) -> Result<Json<PageOut<DeliveryOut>>, Failure> {
    Ok(Json(deliveries::of_webhook(&api.hub, &caller, &webhook, &query).await?))
}

/// Get a delivery
///
/// With what is sent, and every try.
#[utoipa::path(get, path = "/deliveries/{delivery}", operation_id = "get_delivery", tag = "webhooks", params(("delivery" = String, Path, description = "`dlv_…`")), responses((status = 200, body = DeliveryDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_delivery(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(delivery): Named<String>,
) -> Result<Json<DeliveryDetailOut>, Failure> {
    Ok(Json(deliveries::show(&api.hub, &caller, &delivery).await?))
}

/// Replay a delivery
///
/// It goes again at once, with the same id.
#[utoipa::path(post, path = "/deliveries/{delivery}/replay", operation_id = "replay_delivery", tag = "webhooks", params(("delivery" = String, Path, description = "`dlv_…`")), responses((status = 202, body = DeliveryOut), (status = "default", body = ProblemOut)))]
pub(super) async fn replay_delivery(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(delivery): Named<String>,
) -> Result<(StatusCode, Json<DeliveryOut>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(deliveries::replay(&api.hub, &caller, &delivery).await?)))
}
