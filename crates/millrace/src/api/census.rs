//! The census, and what it found.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, ReasonIn,
    census::{self, CensusIn, CensusOut},
    findings::{self, FindingOut, FindingsQuery},
};

/// Get the census
///
/// Where every eligible order is, by an independent look at Brightpearl, Millrace and the warehouse: the headline
/// *unaccounted*, the buckets, and what is wrong.
#[utoipa::path(get, path = "/connections/{connection}/census", operation_id = "get_census", tag = "census",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = CensusOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_census(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<CensusOut>, Failure> {
    Ok(Json(census::show(&api.hub, &caller, &connection).await?))
}

/// Run the census
///
/// As soon as possible; its calls let all others go first. `wanted_at` is gone when it has begun.
#[utoipa::path(post, path = "/connections/{connection}/census", operation_id = "run_census", tag = "census",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    request_body = CensusIn,
    responses((status = 202, body = CensusOut), (status = "default", body = ProblemOut)))]
pub(super) async fn run_census(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Given(given): Given<CensusIn>,
) -> Result<(StatusCode, Json<CensusOut>), Failure> {
    Ok((StatusCode::ACCEPTED, Json(census::want(&api.hub, &caller, &connection, given).await?)))
}

/// List findings
///
/// What the census and the doctor of goods-out notes found to be wrong, newest first.
#[utoipa::path(get, path = "/findings", operation_id = "list_findings", tag = "census", params(FindingsQuery),
    responses((status = 200, body = PageOut<FindingOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_findings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<FindingsQuery>,
) -> Result<Json<PageOut<FindingOut>>, Failure> {
    Ok(Json(findings::list(&api.hub, &caller, query).await?))
}

/// Get a finding
#[utoipa::path(get, path = "/findings/{finding}", operation_id = "get_finding", tag = "census",
    params(("finding" = String, Path, description = "`fnd_…`")),
    responses((status = 200, body = FindingOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_finding(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(finding): Named<String>,
) -> Result<Json<FindingOut>, Failure> {
    Ok(Json(findings::show(&api.hub, &caller, &finding).await?))
}

/// Repair a finding
///
/// As it proposes. Both sides are read once more first; what does not hold any more is refused.
#[utoipa::path(post, path = "/findings/{finding}/repair", operation_id = "repair_finding", tag = "census",
    params(("finding" = String, Path, description = "`fnd_…`")),
    request_body = ReasonIn,
    responses((status = 200, body = FindingOut), (status = "default", body = ProblemOut)))]
pub(super) async fn repair_finding(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(finding): Named<String>,
    Given(given): Given<ReasonIn>,
) -> Result<Json<FindingOut>, Failure> {
    Ok(Json(findings::repair(&api.hub, &caller, &finding, &given).await?))
}
