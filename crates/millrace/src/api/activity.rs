//! Who did what, and where the calls went.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Extension, Json, extract::State};

use super::{Api, extract::Asked, problem::ProblemOut};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    activity::{self, AuditOut, BudgetOut},
};

/// List the audit trail
///
/// Administrators only. Newest first.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "activity", params(PagingQuery),
    responses((status = 200, body = PageOut<AuditOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_audit(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<PagingQuery>,
) -> Result<Json<PageOut<AuditOut>>, Failure> {
    Ok(Json(activity::audit(&api.hub, &caller, &query).await?))
}

/// Get call budgets
///
/// By remote account: calls made by this process since it started, by purpose, and what the remote system says is left.
#[utoipa::path(get, path = "/budgets", operation_id = "get_budgets", tag = "activity",
    responses((status = 200, body = BTreeMap<String, BudgetOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn get_budgets(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<BTreeMap<String, BudgetOut>>, Failure> {
    Ok(Json(activity::budgets(&api.hub, &caller).await?))
}
