//! Whether anything is sent, and how it comes to be sent again after a loss.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{Api, extract::Given, problem::ProblemOut};
use crate::operate::{
    Caller, Failure, ReasonIn,
    safety::{self, RecoverIn, ReleaseIn, SafetyOut},
};

/// Get the state of sending
///
/// Whether anything is sent, why not and since when, and how far a recovery is for the caller's own data.
#[utoipa::path(get, path = "/safety", operation_id = "get_safety", tag = "safety",
    responses((status = 200, body = SafetyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_safety(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<SafetyOut>, Failure> {
    Ok(Json(safety::show(&api.hub, &caller).await?))
}

/// Stop sending
///
/// For the whole installation. Reading goes on.
#[utoipa::path(post, path = "/safety/freeze", operation_id = "freeze_sending", tag = "safety", request_body = ReasonIn,
    responses((status = 200, body = SafetyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn freeze_sending(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<ReasonIn>,
) -> Result<Json<SafetyOut>, Failure> {
    Ok(Json(safety::freeze(&api.hub, &caller, &given.reason).await?))
}

/// Recover from a loss
///
/// Marks everything that a lost journal may have sent since a moment, and looks all of it up. Nothing is sent meanwhile.
#[utoipa::path(post, path = "/safety/recover", operation_id = "recover", tag = "safety", request_body = RecoverIn,
    responses((status = 200, body = SafetyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn recover(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<RecoverIn>,
) -> Result<Json<SafetyOut>, Failure> {
    Ok(Json(safety::recover(&api.hub, &caller, &given).await?))
}

/// Release sending
///
/// Refused while something is not looked up yet, unless it is forced.
#[utoipa::path(post, path = "/safety/release", operation_id = "release_sending", tag = "safety", request_body = ReleaseIn,
    responses((status = 200, body = SafetyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn release_sending(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<ReleaseIn>,
) -> Result<Json<SafetyOut>, Failure> {
    Ok(Json(safety::release(&api.hub, &caller, &given).await?))
}
