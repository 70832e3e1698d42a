//! Other names for merchants, stores, warehouses and connections, and taking them away.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};

use super::{
    Api,
    extract::{Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure,
    connections::ConnectionDetailOut,
    endpoints::{EndpointOut, MerchantOut, Side},
    removal::{self, RemovedOut, RenameIn},
};

/// Rename a merchant
///
/// Administrators only.
#[utoipa::path(patch, path = "/merchants/{merchant}", operation_id = "rename_merchant", tag = "connections",
    params(("merchant" = String, Path, description = "`mer_…`, or the name.")),
    request_body = RenameIn,
    responses((status = 200, body = MerchantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn rename_merchant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(merchant): Named<String>,
    Given(given): Given<RenameIn>,
) -> Result<Json<MerchantOut>, Failure> {
    Ok(Json(removal::rename_merchant(&api.hub, &caller, &merchant, &given).await?))
}

/// Delete a merchant
///
/// Administrators only. Refused while anything belongs to it.
#[utoipa::path(delete, path = "/merchants/{merchant}", operation_id = "delete_merchant", tag = "connections",
    params(("merchant" = String, Path, description = "`mer_…`, or the name.")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_merchant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(merchant): Named<String>,
) -> Result<StatusCode, Failure> {
    removal::remove_merchant(&api.hub, &caller, &merchant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rename a store
///
/// Administrators only. Its connections are built anew.
#[utoipa::path(patch, path = "/stores/{store}", operation_id = "rename_store", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    request_body = RenameIn,
    responses((status = 200, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn rename_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
    Given(given): Given<RenameIn>,
) -> Result<Json<EndpointOut>, Failure> {
    Ok(Json(removal::rename_endpoint(&api.hub, &caller, Side::Store, &store, &given).await?))
}

/// Delete a store
///
/// Administrators only. With its secrets; refused while a connection uses it.
#[utoipa::path(delete, path = "/stores/{store}", operation_id = "delete_store", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
) -> Result<StatusCode, Failure> {
    removal::remove_endpoint(&api.hub, &caller, Side::Store, &store).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rename a warehouse
///
/// Administrators only. Its connections are built anew.
#[utoipa::path(patch, path = "/warehouses/{warehouse}", operation_id = "rename_warehouse", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name.")),
    request_body = RenameIn,
    responses((status = 200, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn rename_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
    Given(given): Given<RenameIn>,
) -> Result<Json<EndpointOut>, Failure> {
    Ok(Json(removal::rename_endpoint(&api.hub, &caller, Side::Warehouse, &warehouse, &given).await?))
}

/// Delete a warehouse
///
/// Administrators only. With its secrets; refused while a connection uses it.
#[utoipa::path(delete, path = "/warehouses/{warehouse}", operation_id = "delete_warehouse", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name.")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
) -> Result<StatusCode, Failure> {
    removal::remove_endpoint(&api.hub, &caller, Side::Warehouse, &warehouse).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rename a connection
///
/// Administrators only.
#[utoipa::path(patch, path = "/connections/{connection}", operation_id = "rename_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    request_body = RenameIn,
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn rename_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Given(given): Given<RenameIn>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(removal::rename_connection(&api.hub, &caller, &connection, &given).await?))
}

/// Delete a connection
///
/// Administrators only. Refused while it is switched on or anything of it is in flight. One with which something has happened is
/// put away with its history instead, and its name is free.
#[utoipa::path(delete, path = "/connections/{connection}", operation_id = "delete_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = RemovedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn delete_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<RemovedOut>, Failure> {
    Ok(Json(removal::remove_connection(&api.hub, &caller, &connection).await?))
}
