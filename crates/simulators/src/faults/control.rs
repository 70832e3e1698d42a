//! A plan over HTTP, for a simulator that runs in a process of its own.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::Serialize;

use super::{FaultPlan, FaultRule, Fired};

#[derive(Serialize)]
struct RuleOut {
    id: u64,
    rule: FaultRule,
}

#[derive(Serialize)]
struct PlanOut {
    rules: Vec<RuleOut>,
    fired: Vec<Fired>,
}

/// `GET /_sim/faults` lists rules and what fired, `POST` adds a [`FaultRule`] and answers its id, `DELETE` removes all,
/// `DELETE /_sim/faults/{id}` removes one.
pub fn routes(plan: FaultPlan) -> Router {
    Router::new()
        .route("/_sim/faults", get(list).post(add).delete(clear))
        .route("/_sim/faults/{id}", delete(remove))
        .with_state(plan)
}

async fn list(State(plan): State<FaultPlan>) -> Json<PlanOut> {
    let rules = plan.rules().into_iter().map(|(id, rule)| RuleOut { id, rule }).collect();
    Json(PlanOut { rules, fired: plan.fired() })
}

async fn add(State(plan): State<FaultPlan>, Json(rule): Json<FaultRule>) -> Json<u64> {
    Json(plan.add(rule))
}

async fn clear(State(plan): State<FaultPlan>) -> StatusCode {
    plan.clear();
    StatusCode::NO_CONTENT
}

async fn remove(State(plan): State<FaultPlan>, Path(id): Path<u64>) -> StatusCode {
    if plan.remove(id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
