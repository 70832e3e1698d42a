//! The tenants of the installation.

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
    links::LinkOut,
    tenants::{self, NewTenantIn, NewTenantOut, TenantOut},
};

/// List tenants
///
/// For administrators of the installation; it need not be said which tenant is meant. Disabled ones too, the oldest first.
#[utoipa::path(get, path = "/tenants", operation_id = "list_tenants", tag = "tenants", params(PagingQuery),
    responses((status = 200, body = PageOut<TenantOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_tenants(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<TenantOut>>, Failure> {
    Ok(Json(tenants::list(&api.hub, &caller, &paging).await?))
}

/// Create a tenant
///
/// For administrators of the installation. The link for its first administrator is shown in this answer and never again.
#[utoipa::path(post, path = "/tenants", operation_id = "create_tenant", tag = "tenants", request_body = NewTenantIn,
    responses((status = 201, body = NewTenantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_tenant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewTenantIn>,
) -> Result<Response, Failure> {
    let made = tenants::create(&api.hub, &caller, &given).await?;
    let mut response = (StatusCode::CREATED, Json(made)).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// Make another link for a tenant's first administrator
///
/// While nobody has come into it. The link before ends; this one is shown in this answer and never again.
#[utoipa::path(post, path = "/tenants/{tenant}/set-up", operation_id = "set_up_tenant", tag = "tenants",
    params(("tenant" = String, Path, description = "`ten_…`, or the name.")),
    responses((status = 201, body = LinkOut), (status = "default", body = ProblemOut)))]
pub(super) async fn set_up_tenant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(tenant): Named<String>,
) -> Result<Response, Failure> {
    let link = tenants::set_up(&api.hub, &caller, &tenant).await?;
    let mut response = (StatusCode::CREATED, Json(link)).into_response();
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// Disable a tenant
///
/// Its connections, webhooks and alerts stop, its people, keys and links let nobody in, and its sessions end. Its data stays.
#[utoipa::path(post, path = "/tenants/{tenant}/disable", operation_id = "disable_tenant", tag = "tenants",
    params(("tenant" = String, Path, description = "`ten_…`, or the name.")),
    responses((status = 200, body = TenantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn disable_tenant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(tenant): Named<String>,
) -> Result<Json<TenantOut>, Failure> {
    Ok(Json(tenants::set_disabled(&api.hub, &caller, &tenant, true).await?))
}

/// Enable a tenant
///
/// It goes on where it stopped. Its people sign in again.
#[utoipa::path(post, path = "/tenants/{tenant}/enable", operation_id = "enable_tenant", tag = "tenants",
    params(("tenant" = String, Path, description = "`ten_…`, or the name.")),
    responses((status = 200, body = TenantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn enable_tenant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(tenant): Named<String>,
) -> Result<Json<TenantOut>, Failure> {
    Ok(Json(tenants::set_disabled(&api.hub, &caller, &tenant, false).await?))
}
