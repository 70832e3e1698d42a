//! Whether anything is sent, and how it comes to be sent again after a loss.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{Api, apart::apart, extract::Given, problem::ProblemOut};
use crate::operate::{
    Caller, Failure, ReasonIn,
    safety::{self, RecoverIn, ReleaseIn, SafetyOut},
    wrapping_key::{self, RotatedKeyOut, WrappingKeyOut},
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

/// Get the wrapping key
///
/// For administrators of the installation. Its name, what it wraps and when it was last replaced; never the key.
#[utoipa::path(get, path = "/wrapping-key", operation_id = "get_wrapping_key", tag = "safety",
    responses((status = 200, body = WrappingKeyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_wrapping_key(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<WrappingKeyOut>, Failure> {
    Ok(Json(wrapping_key::show(&api.hub, &caller).await?))
}

/// Replace the wrapping key
///
/// For administrators of the installation, with the password given lately. A new key is put before the old one in the key file,
/// and every data key is wrapped with it, while everything goes on. Refused where the key is in the environment.
#[utoipa::path(post, path = "/wrapping-key/rotate", operation_id = "rotate_wrapping_key", tag = "safety",
    responses((status = 200, body = RotatedKeyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn rotate_wrapping_key(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<RotatedKeyOut>, Failure> {
    Ok(Json(apart(async move { wrapping_key::rotate(&api.hub, &caller).await }).await?))
}
