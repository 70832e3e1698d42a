//! The vendor's HTTP interface.

mod call;
mod catalogue;
mod orders;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use super::{Handle, token, webhook};
use crate::faults::Vendor;

pub(super) fn routes(handle: Handle) -> Router {
    Router::new()
        .route("/AuthServer/api/Token", post(token::give))
        .route("/events/webhook/key", get(webhook::public_key))
        .route("/orders", get(orders::find_orders).post(orders::create_order))
        .route("/orders/summaries", get(orders::order_summaries))
        .route("/orders/orderholder", put(orders::hold_orders))
        .route("/orders/{id}", get(orders::get_order).put(orders::put_order))
        .route("/orders/{id}/items", get(orders::order_items))
        .route("/orders/{id}/packages", get(orders::order_packages))
        .route("/orders/{id}/completer", post(orders::complete_order))
        .route("/orders/{id}/canceler", post(orders::cancel_order))
        .route("/inventory", get(catalogue::inventory))
        .route("/inventory/stocksummaries", get(catalogue::stock_summaries))
        .route("/inventory/stockdetails", get(catalogue::stock_details))
        .route("/customers", get(catalogue::customers))
        .route("/customers/{id}", get(catalogue::customer))
        .route("/customers/{id}/items", get(catalogue::items))
        .route("/customers/{id}/items/{item}", get(catalogue::item))
        .route("/properties/facilities", get(catalogue::facilities))
        .route("/properties/carriers", get(catalogue::carrier_list))
        .with_state(handle)
}

impl Vendor for Handle {
    fn throttled(&self) -> Response {
        (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "2")]).into_response()
    }

    /// The one error that is plain text.
    fn failed(&self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred.").into_response()
    }

    fn expire_tokens(&self, _path: &str) {
        Handle::expire_tokens(self);
    }
}
