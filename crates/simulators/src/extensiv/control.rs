//! Control and ledger over HTTP, for a simulator in a process of its own. No token, no faults.
//!
//! | Call | Does |
//! |---|---|
//! | `GET /_sim/ledger` | the whole [`super::Ledger`] |
//! | `GET /_sim/stock` | its stock part |
//! | `POST /_sim/stock` | [`Received`]: puts units on the shelves, and makes the item when it is new |
//! | `POST /_sim/work` | one stage on for every order; answers how many moved |
//! | `POST /_sim/orders/{id}/ship` | [`Dispatch`]: answers the id of the split order, or null |
//! | `POST /_sim/orders/{id}/cancel` | cancelled by the warehouse |
//! | `POST /_sim/orders/{id}/hold`, `…/release` | held, released |

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::hands::Dispatch;
use super::ledger::{Ledger, LedgerStock};
use super::model::Received;
use super::{CannotShip, Handle};

pub(super) fn routes(handle: Handle) -> Router {
    Router::new()
        .route("/_sim/ledger", get(ledger))
        .route("/_sim/stock", get(stock).post(receive))
        .route("/_sim/work", post(work))
        .route("/_sim/orders/{id}/ship", post(ship))
        .route("/_sim/orders/{id}/cancel", post(cancel))
        .route("/_sim/orders/{id}/hold", post(hold))
        .route("/_sim/orders/{id}/release", post(release))
        .with_state(handle)
}

async fn ledger(State(handle): State<Handle>) -> Json<Ledger> {
    Json(handle.ledger())
}

async fn stock(State(handle): State<Handle>) -> Json<Vec<LedgerStock>> {
    Json(handle.stock())
}

async fn receive(State(handle): State<Handle>, Json(came): Json<Received>) -> Response {
    let known = handle.with(|world, _| world.floor.item_by_sku(came.customer, &came.sku).is_some());
    if !known {
        handle.add_item(came.customer, &came.sku);
    }
    match handle.receive(&came) {
        Some(id) => Json(id).into_response(),
        None => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    }
}

async fn work(State(handle): State<Handle>) -> Json<usize> {
    Json(handle.work())
}

async fn ship(State(handle): State<Handle>, Path(id): Path<u64>, Json(how): Json<Dispatch>) -> Response {
    match handle.ship(id, &how) {
        Ok(split) => Json(split).into_response(),
        Err(why @ CannotShip::NoSuchOrder) => (StatusCode::NOT_FOUND, why.to_string()).into_response(),
        Err(why) => (StatusCode::CONFLICT, why.to_string()).into_response(),
    }
}

async fn cancel(State(handle): State<Handle>, Path(id): Path<u64>) -> StatusCode {
    done(handle.cancel(id, "told to"))
}

async fn hold(State(handle): State<Handle>, Path(id): Path<u64>) -> StatusCode {
    done(handle.hold(id, Some("told to")))
}

async fn release(State(handle): State<Handle>, Path(id): Path<u64>) -> StatusCode {
    done(handle.hold(id, None))
}

fn done(took_effect: bool) -> StatusCode {
    if took_effect { StatusCode::NO_CONTENT } else { StatusCode::CONFLICT }
}
