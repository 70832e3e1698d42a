//! The control desk over HTTP. Uses no quota and meets no fault.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Command, ControlError};
use crate::brightpearl::Brightpearl;
use crate::brightpearl::delivery::WebhookFaults;

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoAccount(_) | Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Refused { .. } => StatusCode::CONFLICT,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

type Answer<T> = Result<Json<T>, ControlError>;

/// All below `/_sim/`:
///
/// | Request | Answer |
/// |---|---|
/// | `GET ledger` | every change and edit |
/// | `GET requests` | the latest requests with their headers |
/// | `GET webhooks` | every webhook call that was tried |
/// | `PUT webhooks/faults` | sets the faults of webhook delivery |
/// | `GET accounts` | account codes |
/// | `POST accounts/{account}` | performs a [`Command`] |
/// | `GET accounts/{account}/orders`, `…/orders/{id}` | order ids; one order with its goods-out notes |
/// | `GET accounts/{account}/notes` | all goods-out notes |
/// | `GET accounts/{account}/stock` | all stock with how it came to be |
/// | `GET accounts/{account}/corrections` | the lines of all stock corrections |
/// | `GET accounts/{account}/calls` | requests by method and message, throttled requests, busiest window |
/// | `GET accounts/{account}/check` | `null`, or where stock and movements disagree |
pub(crate) fn routes(sim: Brightpearl) -> Router {
    Router::new()
        .route("/_sim/ledger", get(ledger))
        .route("/_sim/requests", get(requests))
        .route("/_sim/webhooks", get(webhooks))
        .route("/_sim/webhooks/faults", put(webhook_faults))
        .route("/_sim/accounts", get(accounts))
        .route("/_sim/accounts/{account}", post(perform))
        .route("/_sim/accounts/{account}/orders", get(orders))
        .route("/_sim/accounts/{account}/orders/{id}", get(order))
        .route("/_sim/accounts/{account}/notes", get(notes))
        .route("/_sim/accounts/{account}/stock", get(stock))
        .route("/_sim/accounts/{account}/corrections", get(corrections))
        .route("/_sim/accounts/{account}/calls", get(calls))
        .route("/_sim/accounts/{account}/check", get(check))
        .with_state(sim)
}

async fn ledger(State(sim): State<Brightpearl>) -> impl IntoResponse {
    Json(sim.ledger())
}

async fn requests(State(sim): State<Brightpearl>) -> impl IntoResponse {
    Json(sim.requests())
}

async fn webhooks(State(sim): State<Brightpearl>) -> impl IntoResponse {
    Json(sim.webhook_calls())
}

async fn webhook_faults(State(sim): State<Brightpearl>, Json(faults): Json<WebhookFaults>) -> StatusCode {
    sim.set_webhook_faults(faults);
    StatusCode::NO_CONTENT
}

async fn accounts(State(sim): State<Brightpearl>) -> Json<Vec<String>> {
    Json(sim.accounts())
}

async fn perform(
    State(sim): State<Brightpearl>,
    Path(account): Path<String>,
    Json(command): Json<Command>,
) -> Answer<impl Serialize> {
    sim.perform(&account, command).map(Json)
}

async fn orders(State(sim): State<Brightpearl>, Path(account): Path<String>) -> Answer<Vec<i64>> {
    sim.order_ids(&account).map(Json)
}

async fn order(State(sim): State<Brightpearl>, Path((account, id)): Path<(String, i64)>) -> Answer<Value> {
    let order = sim.order(&account, id)?;
    let notes = sim.notes(&account, id)?;
    Ok(Json(json!({ "order": order, "goods_out_notes": notes })))
}

async fn notes(State(sim): State<Brightpearl>, Path(account): Path<String>) -> Answer<impl Serialize> {
    sim.all_notes(&account).map(Json)
}

async fn stock(State(sim): State<Brightpearl>, Path(account): Path<String>) -> Answer<impl Serialize> {
    sim.all_stock(&account).map(Json)
}

async fn corrections(State(sim): State<Brightpearl>, Path(account): Path<String>) -> Answer<impl Serialize> {
    sim.corrections(&account).map(Json)
}

async fn calls(State(sim): State<Brightpearl>, Path(account): Path<String>) -> Json<Value> {
    let calls: Vec<Value> = sim
        .calls(&account)
        .into_iter()
        .map(|((method, message), count)| json!({ "method": method, "message_type": message, "count": count }))
        .collect();
    Json(json!({
        "calls": calls, "throttled": sim.throttled_requests(&account), "busiest_window": sim.busiest_window(&account)
    }))
}

async fn check(State(sim): State<Brightpearl>, Path(account): Path<String>) -> Json<Option<String>> {
    Json(sim.check_double_entry(&account).err())
}
