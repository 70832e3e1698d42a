//! Alerts: issues that need a person, who is told of them, and where.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};

use super::{
    Api,
    extract::{Asked, Given, Named, Perhaps},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    alert_channels::{self, AlertChannelOut, NewAlertChannelIn, UpdateAlertChannelIn},
    alerts::{self, AcknowledgeIn, IssueOut, IssuesQuery, PolicyIn, PolicyOut, SnoozeIn},
    deliveries::{self, DeliveriesQuery, DeliveryOut},
};

/// List issues
///
/// What needs a person, newest first.
#[utoipa::path(get, path = "/alerts/issues", operation_id = "list_issues", tag = "alerts", params(IssuesQuery), responses((status = 200, body = PageOut<IssueOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_issues(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<IssuesQuery>,
) -> Result<Json<PageOut<IssueOut>>, Failure> {
    Ok(Json(alerts::issues(&api.hub, &caller, query).await?))
}

/// Get an issue
#[utoipa::path(get, path = "/alerts/issues/{issue}", operation_id = "get_issue", tag = "alerts", params(("issue" = String, Path, description = "`iss_…`")), responses((status = 200, body = IssueOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_issue(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(issue): Named<String>,
) -> Result<Json<IssueOut>, Failure> {
    Ok(Json(alerts::issue(&api.hub, &caller, &issue).await?))
}

/// Acknowledge an issue
///
/// Somebody takes it on: no reminders any more.
#[utoipa::path(post, path = "/alerts/issues/{issue}/acknowledge", operation_id = "acknowledge_issue", tag = "alerts", params(("issue" = String, Path, description = "`iss_…`")), request_body = AcknowledgeIn, responses((status = 200, body = IssueOut), (status = "default", body = ProblemOut)))]
pub(super) async fn acknowledge_issue(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(issue): Named<String>,
    Perhaps(given): Perhaps<AcknowledgeIn>,
) -> Result<Json<IssueOut>, Failure> {
    Ok(Json(alerts::acknowledge(&api.hub, &caller, &issue, &given).await?))
}

/// Snooze an issue
///
/// Nothing is said of it for a while.
#[utoipa::path(post, path = "/alerts/issues/{issue}/snooze", operation_id = "snooze_issue", tag = "alerts", params(("issue" = String, Path, description = "`iss_…`")), request_body = SnoozeIn, responses((status = 200, body = IssueOut), (status = "default", body = ProblemOut)))]
pub(super) async fn snooze_issue(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(issue): Named<String>,
    Given(given): Given<SnoozeIn>,
) -> Result<Json<IssueOut>, Failure> {
    Ok(Json(alerts::snooze(&api.hub, &caller, &issue, &given).await?))
}

/// List alert policies
///
/// By name, with the default one, which covers everything that needs a person.
#[utoipa::path(get, path = "/alerts/policies", operation_id = "list_alert_policies", tag = "alerts", params(PagingQuery), responses((status = 200, body = PageOut<PolicyOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_alert_policies(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<PolicyOut>>, Failure> {
    Ok(Json(alerts::list_policies(&api.hub, &caller, &paging).await?))
}

/// Create an alert policy
///
/// Administrators only. An issue is told in the channels of every policy that covers it.
#[utoipa::path(post, path = "/alerts/policies", operation_id = "create_alert_policy", tag = "alerts", request_body = PolicyIn, responses((status = 201, body = PolicyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_alert_policy(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<PolicyIn>,
) -> Result<(StatusCode, Json<PolicyOut>), Failure> {
    Ok((StatusCode::CREATED, Json(alerts::create_policy(&api.hub, &caller, given).await?)))
}

/// Get an alert policy
#[utoipa::path(get, path = "/alerts/policies/{policy}", operation_id = "get_alert_policy", tag = "alerts", params(("policy" = String, Path, description = "Id or name")), responses((status = 200, body = PolicyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_alert_policy(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(policy): Named<String>,
) -> Result<Json<PolicyOut>, Failure> {
    Ok(Json(alerts::policy(&api.hub, &caller, &policy).await?))
}

/// Update an alert policy
///
/// Administrators only. Replaces it as a whole.
#[utoipa::path(put, path = "/alerts/policies/{policy}", operation_id = "update_alert_policy", tag = "alerts", params(("policy" = String, Path, description = "Id or name")), request_body = PolicyIn, responses((status = 200, body = PolicyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_alert_policy(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(policy): Named<String>,
    Given(given): Given<PolicyIn>,
) -> Result<Json<PolicyOut>, Failure> {
    Ok(Json(alerts::update_policy(&api.hub, &caller, &policy, given).await?))
}

/// Delete an alert policy
///
/// Administrators only. The default one becomes what it was at first.
#[utoipa::path(delete, path = "/alerts/policies/{policy}", operation_id = "delete_alert_policy", tag = "alerts", params(("policy" = String, Path, description = "Id or name")), responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_alert_policy(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(policy): Named<String>,
) -> Result<StatusCode, Failure> {
    alerts::delete_policy(&api.hub, &caller, &policy).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List alert channels
///
/// By name.
#[utoipa::path(get, path = "/alerts/channels", operation_id = "list_alert_channels", tag = "alerts", params(PagingQuery), responses((status = 200, body = PageOut<AlertChannelOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_alert_channels(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<AlertChannelOut>>, Failure> {
    Ok(Json(alert_channels::list(&api.hub, &caller, &paging).await?))
}

/// Create an alert channel
///
/// Administrators only.
#[utoipa::path(post, path = "/alerts/channels", operation_id = "create_alert_channel", tag = "alerts", request_body = NewAlertChannelIn, responses((status = 201, body = AlertChannelOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_alert_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewAlertChannelIn>,
) -> Result<(StatusCode, Json<AlertChannelOut>), Failure> {
    Ok((StatusCode::CREATED, Json(alert_channels::create(&api.hub, &caller, given).await?)))
}

/// Get an alert channel
#[utoipa::path(get, path = "/alerts/channels/{channel}", operation_id = "get_alert_channel", tag = "alerts", params(("channel" = String, Path, description = "Id or name")), responses((status = 200, body = AlertChannelOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_alert_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(channel): Named<String>,
) -> Result<Json<AlertChannelOut>, Failure> {
    Ok(Json(alert_channels::show(&api.hub, &caller, &channel).await?))
}

/// Update an alert channel
///
/// Administrators only. Replaces it as a whole; a chat's address stays unless one is given.
#[utoipa::path(put, path = "/alerts/channels/{channel}", operation_id = "update_alert_channel", tag = "alerts", params(("channel" = String, Path, description = "Id or name")), request_body = UpdateAlertChannelIn, responses((status = 200, body = AlertChannelOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_alert_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(channel): Named<String>,
    Given(given): Given<UpdateAlertChannelIn>,
) -> Result<Json<AlertChannelOut>, Failure> {
    Ok(Json(alert_channels::update(&api.hub, &caller, &channel, given).await?))
}

/// Delete an alert channel
///
/// Administrators only.
#[utoipa::path(delete, path = "/alerts/channels/{channel}", operation_id = "delete_alert_channel", tag = "alerts", params(("channel" = String, Path, description = "Id or name")), responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_alert_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(channel): Named<String>,
) -> Result<StatusCode, Failure> {
    alert_channels::delete(&api.hub, &caller, &channel).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Test an alert channel
///
/// Has a test sent there; its delivery says how it went.
#[utoipa::path(post, path = "/alerts/channels/{channel}/test", operation_id = "test_alert_channel", tag = "alerts", params(("channel" = String, Path, description = "Id or name")), responses((status = 202, body = DeliveryOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_alert_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(channel): Named<String>,
) -> Result<(StatusCode, Json<DeliveryOut>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(deliveries::test_channel(&api.hub, &caller, &channel).await?)))
}

/// List deliveries of an alert channel
///
/// Newest first.
#[utoipa::path(get, path = "/alerts/channels/{channel}/deliveries", operation_id = "list_alert_deliveries", tag = "alerts", params(("channel" = String, Path, description = "Id or name"), DeliveriesQuery), responses((status = 200, body = PageOut<DeliveryOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_alert_deliveries(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(channel): Named<String>,
    Asked(query): Asked<DeliveriesQuery>,
) -> Result<Json<PageOut<DeliveryOut>>, Failure> {
    Ok(Json(deliveries::of_channel(&api.hub, &caller, &channel, &query).await?))
}
