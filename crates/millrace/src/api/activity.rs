//! Who did what, and where the calls went.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Extension, Json, extract::State};

use super::{Api, extract::Asked, problem::ProblemOut};
use crate::operate::{
    Caller, Failure, PageOut,
    activity::{self, AuditOut, AuditQuery, BudgetOut},
    check::{self, CheckOut},
    overview::{self, OverviewOut},
    verification::{self, AuditVerificationOut},
};

/// List the audit trail
///
/// Administrators only. Newest first. Filters go together: a row fits all that are given.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "activity", params(AuditQuery),
    responses((status = 200, body = PageOut<AuditOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_audit(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<PageOut<AuditOut>>, Failure> {
    Ok(Json(activity::audit(&api.hub, &caller, query).await?))
}

/// Verify the audit trail
///
/// Administrators only. Works the chain of hashes out anew and says where it breaks. Administrators of the installation see
/// every tenant's trail and the installation's own.
#[utoipa::path(get, path = "/audit/verification", operation_id = "get_audit_verification", tag = "activity",
    responses((status = 200, body = AuditVerificationOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_audit_verification(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<AuditVerificationOut>, Failure> {
    Ok(Json(verification::verify(&api.hub, &caller).await?))
}

/// Get call budgets
///
/// By remote account: calls made by this process since it started, by purpose, and what the remote system says is left. Of
/// Brightpearl, the accounts of stores.
#[utoipa::path(get, path = "/budgets", operation_id = "get_budgets", tag = "activity",
    responses((status = 200, body = BTreeMap<String, BudgetOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn get_budgets(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<BTreeMap<String, BudgetOut>>, Failure> {
    Ok(Json(activity::budgets(&api.hub, &caller).await?))
}

/// Get the overview
///
/// What flows, what needs somebody, how long it takes: the figures of the first page, cheap enough to ask for often.
#[utoipa::path(get, path = "/overview", operation_id = "get_overview", tag = "activity",
    responses((status = 200, body = OverviewOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_overview(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<OverviewOut>, Failure> {
    Ok(Json(overview::show(&api.hub, &caller).await?))
}

/// Check the installation
///
/// For administrators of the installation. Tests the database, the audit trail, and every connection, store and warehouse of the
/// tenant; what is wrong is in the answer. Remote systems are asked, so it can take a minute; nothing is changed anywhere.
#[utoipa::path(post, path = "/check", operation_id = "check_installation", tag = "activity",
    responses((status = 200, body = CheckOut), (status = "default", body = ProblemOut)))]
pub(super) async fn check_installation(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<CheckOut>, Failure> {
    Ok(Json(check::installation(&api.hub, &caller).await?))
}
