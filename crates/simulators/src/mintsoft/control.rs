//! Control and ledger over HTTP, for a simulator in a process of its own. No key, no faults.
//!
//! | Call | Does |
//! |---|---|
//! | `GET /_sim/ledger` | the whole [`super::Ledger`] |
//! | `POST /_sim/stock` | [`Received`]: puts units on the shelves, and makes the product when it is new |
//! | `POST /_sim/work` | one stage on for every order; answers how many moved |
//! | `POST /_sim/orders/{id}/ship` | [`Dispatch`]: answers the id of the part with the rest, or null |
//! | `POST /_sim/orders/{id}/cancel` | cancelled by the warehouse |

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::Handle;
use super::hands::{CannotShip, Dispatch};
use super::ledger::Ledger;
use super::model::Received;

pub(super) fn routes(handle: Handle) -> Router {
    Router::new()
        .route("/_sim/ledger", get(ledger))
        .route("/_sim/stock", post(receive))
        .route("/_sim/work", post(work))
        .route("/_sim/orders/{id}/ship", post(ship))
        .route("/_sim/orders/{id}/cancel", post(cancel))
        .with_state(handle)
}

async fn ledger(State(handle): State<Handle>) -> Json<Ledger> {
    Json(handle.ledger())
}

async fn receive(State(handle): State<Handle>, Json(came): Json<Received>) -> StatusCode {
    handle.add_product(came.client, &came.sku);
    if handle.receive(&came) { StatusCode::NO_CONTENT } else { StatusCode::UNPROCESSABLE_ENTITY }
}

async fn work(State(handle): State<Handle>) -> Json<usize> {
    Json(handle.work())
}

async fn ship(State(handle): State<Handle>, Path(id): Path<u64>, Json(how): Json<Dispatch>) -> Response {
    match handle.ship(id, &how) {
        Ok(rest) => Json(rest).into_response(),
        Err(why @ CannotShip::NoSuchOrder) => (StatusCode::NOT_FOUND, why.to_string()).into_response(),
        Err(why) => (StatusCode::CONFLICT, why.to_string()).into_response(),
    }
}

async fn cancel(State(handle): State<Handle>, Path(id): Path<u64>) -> StatusCode {
    if handle.cancel(id) { StatusCode::NO_CONTENT } else { StatusCode::CONFLICT }
}
