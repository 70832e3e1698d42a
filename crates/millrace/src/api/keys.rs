//! API keys.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
    repeatable::ShownOnce,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    keys::{self, KeyOut, NewKeyIn, NewKeyOut},
};

/// List API keys
///
/// Administrators only, newest first. Keys themselves are not kept.
#[utoipa::path(get, path = "/keys", operation_id = "list_keys", tag = "keys", params(PagingQuery),
    responses((status = 200, body = PageOut<KeyOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_keys(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<KeyOut>>, Failure> {
    Ok(Json(keys::list(&api.hub, &caller, &paging).await?))
}

/// Create an API key
///
/// Administrators only. The key is shown in this answer and never again.
#[utoipa::path(post, path = "/keys", operation_id = "create_key", tag = "keys", request_body = NewKeyIn,
    responses((status = 201, body = NewKeyOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_key(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewKeyIn>,
) -> Result<Response, Failure> {
    let key = keys::create(&api.hub, &caller, given).await?;
    let mut response = (StatusCode::CREATED, Json(key)).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// Revoke an API key
///
/// Administrators only. It ends at once.
#[utoipa::path(delete, path = "/keys/{key}", operation_id = "revoke_key", tag = "keys",
    params(("key" = String, Path, description = "`key_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn revoke_key(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(key): Named<String>,
) -> Result<StatusCode, Failure> {
    keys::revoke(&api.hub, &caller, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
