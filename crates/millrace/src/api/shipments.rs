//! Shipments.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut,
    shipments::{self, ShipmentDetailOut, ShipmentOut, ShipmentsQuery},
};

/// List shipments
///
/// Newest first.
#[utoipa::path(get, path = "/shipments", operation_id = "list_shipments", tag = "shipments", params(ShipmentsQuery),
    responses((status = 200, body = PageOut<ShipmentOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_shipments(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ShipmentsQuery>,
) -> Result<Json<PageOut<ShipmentOut>>, Failure> {
    Ok(Json(shipments::list(&api.hub, &caller, query).await?))
}

/// Get a shipment
///
/// With its boxes and the effects that tell Brightpearl.
#[utoipa::path(get, path = "/shipments/{shipment}", operation_id = "get_shipment", tag = "shipments",
    params(("shipment" = String, Path, description = "`shp_…`")),
    responses((status = 200, body = ShipmentDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_shipment(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(shipment): Named<String>,
) -> Result<Json<ShipmentDetailOut>, Failure> {
    Ok(Json(shipments::show(&api.hub, &caller, &shipment).await?))
}

/// Retry a shipment
///
/// Its next step is decided again.
#[utoipa::path(post, path = "/shipments/{shipment}/retry", operation_id = "retry_shipment", tag = "shipments",
    params(("shipment" = String, Path, description = "`shp_…`")),
    responses((status = 200, body = ShipmentDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn retry_shipment(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(shipment): Named<String>,
) -> Result<Json<ShipmentDetailOut>, Failure> {
    Ok(Json(shipments::retry(&api.hub, &caller, &shipment).await?))
}
