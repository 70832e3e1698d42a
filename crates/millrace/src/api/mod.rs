//! REST API v1 and the addresses that remote systems call, over what [`crate::operate`] can do.
//!
//! Everything but health needs a key. Lists go by cursor, errors are problem documents, ids carry their kind, and every
//! route is in the OpenAPI document, because it is registered there and here by the same line.

mod activity;
mod alerts;
mod auth;
mod census;
mod configuration;
mod connections;
mod effects;
mod events;
mod exceptions;
mod extract;
mod health;
mod hooks;
mod keys;
mod orders;
mod outgoing;
mod problem;
mod repeatable;
mod safety;
mod shell;
mod shipments;
mod stock;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, http::StatusCode, middleware, routing};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, sensitive_headers::SetSensitiveRequestHeadersLayer,
    timeout::TimeoutLayer,
};
use utoipa::openapi::{
    OpenApi, OpenApiBuilder,
    info::{ContactBuilder, InfoBuilder, LicenseBuilder},
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    tag::TagBuilder,
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use problem::ProblemOut;

use crate::operate::Hub;

/// Largest request body, in bytes.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// Longest time until an answer begins. Tests of connections call remote systems, which may take their own time-outs.
const LONGEST_ANSWER: std::time::Duration = std::time::Duration::from_secs(120);

/// What every request can reach.
pub struct Api {
    /// What can be done.
    pub hub: Arc<Hub>,
    /// What is counted.
    pub prometheus: PrometheusHandle,
    /// Ends live streams.
    pub shutdown: CancellationToken,
    listeners: Arc<Semaphore>,
}

impl Api {
    /// For this hub.
    pub fn new(hub: Arc<Hub>, prometheus: PrometheusHandle, shutdown: CancellationToken) -> Arc<Self> {
        Arc::new(Self { hub, prometheus, shutdown, listeners: events::listeners() })
    }
}

/// The routes of v1 with their documentation.
fn v1() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(connections::list_platforms))
        .routes(routes!(connections::list_merchants, connections::create_merchant))
        .routes(routes!(connections::list_stores, connections::create_store))
        .routes(routes!(connections::get_store, connections::update_store))
        .routes(routes!(connections::test_store))
        .routes(routes!(connections::list_warehouses, connections::create_warehouse))
        .routes(routes!(connections::get_warehouse, connections::update_warehouse))
        .routes(routes!(connections::test_warehouse))
        .routes(routes!(connections::create_warehouse_address))
        .routes(routes!(connections::list_connections, connections::create_connection))
        .routes(routes!(connections::get_connection))
        .routes(routes!(connections::test_connection))
        .routes(routes!(connections::update_settings))
        .routes(routes!(connections::enable_connection))
        .routes(routes!(connections::disable_connection))
        .routes(routes!(connections::resume_connection))
        .routes(routes!(connections::update_channel))
        .routes(routes!(connections::run_channel))
        .routes(routes!(connections::get_choices))
        .routes(routes!(connections::get_mappings, connections::update_mappings))
        .routes(routes!(connections::export_listings, connections::import_listings))
        .routes(routes!(connections::get_webhooks, connections::register_webhooks))
        .routes(routes!(orders::list_orders))
        .routes(routes!(orders::get_order))
        .routes(routes!(orders::explain_order))
        .routes(routes!(orders::retry_order))
        .routes(routes!(orders::hold_order))
        .routes(routes!(orders::release_order))
        .routes(routes!(orders::archive_order))
        .routes(routes!(orders::cancel_order))
        .routes(routes!(orders::answer_order))
        .routes(routes!(orders::resend_order))
        .routes(routes!(shipments::list_shipments))
        .routes(routes!(shipments::get_shipment))
        .routes(routes!(shipments::retry_shipment))
        .routes(routes!(stock::list_runs))
        .routes(routes!(stock::get_run))
        .routes(routes!(stock::approve_run))
        .routes(routes!(stock::drop_run))
        .routes(routes!(stock::undo_run))
        .routes(routes!(stock::list_holds))
        .routes(routes!(stock::release_stock))
        .routes(routes!(stock::list_levels))
        .routes(routes!(stock::get_drift))
        .routes(routes!(effects::list_effects))
        .routes(routes!(effects::get_effect))
        .routes(routes!(effects::explain_effect))
        .routes(routes!(effects::decide_effect))
        .routes(routes!(exceptions::list_exceptions))
        .routes(routes!(exceptions::resolve_exception))
        .routes(routes!(census::get_census, census::run_census))
        .routes(routes!(census::list_findings))
        .routes(routes!(census::get_finding))
        .routes(routes!(census::repair_finding))
        .routes(routes!(configuration::export_configuration, configuration::apply_configuration))
        .routes(routes!(configuration::plan_configuration))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(activity::list_audit))
        .routes(routes!(activity::get_budgets))
        .routes(routes!(events::follow_events))
        .routes(routes!(safety::get_safety))
        .routes(routes!(safety::freeze_sending))
        .routes(routes!(safety::recover))
        .routes(routes!(safety::release_sending))
        .routes(routes!(outgoing::list_webhooks, outgoing::create_webhook))
        .routes(routes!(outgoing::get_webhook, outgoing::update_webhook, outgoing::delete_webhook))
        .routes(routes!(outgoing::rotate_webhook_secret))
        .routes(routes!(outgoing::test_webhook))
        .routes(routes!(outgoing::replay_webhook))
        .routes(routes!(outgoing::list_webhook_deliveries))
        .routes(routes!(outgoing::get_delivery))
        .routes(routes!(outgoing::replay_delivery))
        .routes(routes!(alerts::list_issues))
        .routes(routes!(alerts::get_issue))
        .routes(routes!(alerts::acknowledge_issue))
        .routes(routes!(alerts::snooze_issue))
        .routes(routes!(alerts::list_alert_policies, alerts::create_alert_policy))
        .routes(routes!(alerts::get_alert_policy, alerts::update_alert_policy, alerts::delete_alert_policy))
        .routes(routes!(alerts::list_alert_channels, alerts::create_alert_channel))
        .routes(routes!(alerts::get_alert_channel, alerts::update_alert_channel, alerts::delete_alert_channel))
        .routes(routes!(alerts::test_alert_channel))
        .routes(routes!(alerts::list_alert_deliveries))
}

/// The OpenAPI document.
pub fn document() -> OpenApi {
    OpenApiRouter::with_openapi(base()).nest("/api/v1", v1()).into_openapi()
}

fn base() -> OpenApi {
    let tag = |name: &str, about: &str| TagBuilder::new().name(name).description(Some(about)).build();
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Millrace")
                .version("1")
                .description(Some(
                    "Orders from Brightpearl to warehouses, shipments and stock back. Send `Authorization: Bearer mr_…` \
                     with every request. Lists answer `{items, next}`; give `next` as `cursor` to go on. Errors are \
                     `application/problem+json`.",
                ))
                .contact(Some(ContactBuilder::new().name(Some("Millrace")).build()))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
                .build(),
        )
        .tags(Some([
            tag("connections", "Merchants, stores, warehouses, and what is connected with what."),
            tag("orders", "Orders as Millrace sees them."),
            tag("shipments", "What left the building."),
            tag("stock", "Comparisons of the warehouse's count with Brightpearl's."),
            tag("effects", "Changes at remote systems: each is written down before it is tried."),
            tag("exceptions", "What came in and could not be used."),
            tag("census", "Where everything is, by an independent look, and what is wrong."),
            tag("configuration", "Configuration as a file."),
            tag("keys", "API keys."),
            tag("activity", "Who did what, and where the calls went."),
            tag("events", "Live changes."),
            tag("webhooks", "Calls to your programs when something changes, signed by the Standard Webhooks scheme."),
            tag("alerts", "What needs a person, who is told of it, and where."),
            tag("safety", "Whether anything is sent, and recovery from a loss."),
        ]))
        .security(Some([SecurityRequirement::new("key", Vec::<String>::new())]))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document
}

/// Everything that is served.
pub fn router(api: Arc<Api>) -> Router {
    let (routes, _) = v1().split_for_parts();
    let private = routes
        .layer(middleware::from_fn_with_state(Arc::clone(&api), repeatable::keep_answers))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::authenticate));
    Router::new()
        .route("/healthz", routing::get(health::alive))
        .route("/readyz", routing::get(health::ready))
        .route("/metrics", routing::get(health::metrics))
        .route("/hooks/brightpearl/{path}", routing::post(hooks::brightpearl))
        .route("/hooks/warehouse/{path}", routing::post(hooks::warehouse))
        .route("/hooks/reach/{nonce}", routing::get(hooks::reach))
        .nest("/api/v1", private)
        .fallback(nothing)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONGEST_ANSWER))
        .layer(CatchPanicLayer::custom(shell::after_panic))
        .layer(middleware::from_fn(shell::wrap))
        .layer(SetSensitiveRequestHeadersLayer::new([axum::http::header::AUTHORIZATION]))
        .with_state(api)
}

async fn nothing() -> ProblemOut {
    nothing_here()
}

/// There is nothing at this address, or nothing that this caller may know of.
fn nothing_here() -> ProblemOut {
    ProblemOut::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "It does not exist",
        "there is nothing at this address",
        "See the OpenAPI document (`millrace openapi`) for what there is.",
    )
}

async fn not_so() -> ProblemOut {
    ProblemOut::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Not in this way",
        "this address does not answer to this method",
        "See the OpenAPI document (`millrace openapi`) for what there is.",
    )
}
