//! REST API v1 and the addresses that remote systems call, over what [`crate::operate`] can do.
//!
//! Everything but health and signing in needs a key or a session. Lists go by cursor, errors are problem documents, ids carry their kind, and every
//! route is in the OpenAPI document, because it is registered there and here by the same line.

mod activity;
mod alerts;
mod allowance;
mod apart;
mod app;
mod auth;
mod backups;
mod browser;
mod census;
mod configuration;
mod connections;
mod demo;
mod desk;
mod document;
mod documents;
mod drafts;
mod effects;
mod events;
mod exceptions;
mod exports;
mod extract;
mod hand_offs;
mod health;
mod hooks;
mod keys;
mod links;
mod listeners;
mod merchants;
mod oauth;
mod orders;
mod outgoing;
mod people;
mod preflight;
mod problem;
mod provider;
mod reference;
mod refusals;
mod removal;
mod repeatable;
mod safety;
mod schedules;
mod session;
mod shell;
mod shipments;
mod stock;
mod tail;
mod tenants;
mod versions;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware,
    response::{IntoResponse as _, Response},
    routing::{self, MethodRouter},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tower_http::{
    catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, sensitive_headers::SetSensitiveRequestHeadersLayer,
    timeout::TimeoutLayer,
};
use utoipa::openapi::{
    OpenApi, OpenApiBuilder,
    info::{ContactBuilder, InfoBuilder, LicenseBuilder},
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
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
    listeners: listeners::Listeners,
    tails: tail::Tails,
    turns: versions::Turns,
    allowances: allowance::Allowances,
    refusals: refusals::Refusals,
}

impl Api {
    /// For this hub.
    pub fn new(hub: Arc<Hub>, prometheus: PrometheusHandle, shutdown: CancellationToken) -> Arc<Self> {
        let tails = tail::Tails::new(hub.db.clone(), shutdown.clone());
        Arc::new(Self {
            hub,
            prometheus,
            shutdown,
            listeners: listeners::Listeners::default(),
            tails,
            turns: versions::Turns::default(),
            allowances: allowance::Allowances::default(),
            refusals: refusals::Refusals::default(),
        })
    }
}

/// The routes for people who are not signed in yet: the only ones of v1 that need nothing.
fn open() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(session::sign_in))
        .routes(routes!(provider::get_provider, provider::begin_provider_sign_in))
        .routes(routes!(provider::finish_provider_sign_in))
        .routes(routes!(links::describe_link))
        .routes(routes!(links::redeem_link))
        .routes(routes!(hand_offs::submit_hand_off))
}

/// The routes for people about themselves, whatever else they may do.
fn own() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(session::get_session, session::sign_out))
        .routes(routes!(session::prove))
        .routes(routes!(session::change_password))
        .routes(routes!(session::begin_second_factor, session::remove_second_factor))
        .routes(routes!(session::confirm_second_factor))
        .routes(routes!(session::list_own_sessions))
        .routes(routes!(session::end_own_session))
}

/// The routes about the installation, where no tenant is meant.
fn installation() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(tenants::list_tenants, tenants::create_tenant))
        .routes(routes!(tenants::set_up_tenant))
        .routes(routes!(tenants::disable_tenant))
        .routes(routes!(tenants::enable_tenant))
        .routes(routes!(backups::list_backups, backups::create_backup))
        .routes(routes!(backups::export_backup))
        .routes(routes!(backups::remove_backup))
        .routes(routes!(backups::record_backup))
}

/// The routes for systems of warehouses, each with a key of its own.
fn desk() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(desk::pull_requests))
        .routes(routes!(desk::list_desk_requests))
        .routes(routes!(desk::get_desk_request))
        .routes(routes!(desk::acknowledge_request))
        .routes(routes!(desk::give_up_request))
        .routes(routes!(desk::answer_cancel))
        .routes(routes!(desk::post_shipment))
        .routes(routes!(desk::post_stock))
}

/// The other routes of v1 with their documentation.
fn v1() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(connections::list_platforms))
        .routes(routes!(connections::list_merchants, connections::create_merchant))
        .routes(routes!(removal::rename_merchant, removal::delete_merchant))
        .routes(routes!(merchants::export_merchant))
        .routes(routes!(merchants::get_erasure, merchants::erase_merchant))
        .routes(routes!(connections::list_stores, connections::create_store))
        .routes(routes!(connections::test_new_store))
        .routes(routes!(
            connections::get_store,
            connections::update_store,
            removal::rename_store,
            removal::delete_store
        ))
        .routes(routes!(connections::test_store))
        .routes(routes!(oauth::get_grant, oauth::begin_consent, oauth::forget_grant))
        .routes(routes!(drafts::list_drafts, drafts::create_draft))
        .routes(routes!(drafts::get_draft, drafts::update_draft, drafts::delete_draft))
        .routes(routes!(hand_offs::list_hand_offs, hand_offs::create_hand_off))
        .routes(routes!(hand_offs::revoke_hand_off))
        .routes(routes!(connections::get_store_choices))
        .routes(routes!(connections::get_warehouse_choices))
        .routes(routes!(connections::list_warehouses, connections::create_warehouse))
        .routes(routes!(connections::test_new_warehouse))
        .routes(routes!(connections::preview_files))
        .routes(routes!(
            connections::get_warehouse,
            connections::update_warehouse,
            removal::rename_warehouse,
            removal::delete_warehouse
        ))
        .routes(routes!(connections::test_warehouse))
        .routes(routes!(connections::create_warehouse_address))
        .routes(routes!(desk::create_warehouse_key))
        .routes(routes!(connections::list_connections, connections::create_connection))
        .routes(routes!(connections::get_connection, removal::rename_connection, removal::delete_connection))
        .routes(routes!(connections::test_connection))
        .routes(routes!(connections::get_settings, connections::update_settings))
        .routes(routes!(connections::enable_connection))
        .routes(routes!(connections::disable_connection))
        .routes(routes!(connections::resume_connection))
        .routes(routes!(connections::get_channel, connections::update_channel))
        .routes(routes!(connections::run_channel))
        .routes(routes!(schedules::get_schedule, schedules::update_schedule))
        .routes(routes!(schedules::list_channel_runs))
        .routes(routes!(connections::get_choices))
        .routes(routes!(connections::get_mappings, connections::update_mappings))
        .routes(routes!(connections::export_mappings, connections::import_mappings))
        .routes(routes!(connections::get_webhooks, connections::register_webhooks))
        .routes(routes!(preflight::list_preflights, preflight::start_preflight))
        .routes(routes!(preflight::get_preflight))
        .routes(routes!(preflight::cancel_preflight))
        .routes(routes!(orders::list_orders))
        .routes(routes!(orders::get_order_counts))
        .routes(routes!(orders::preview_bulk_action))
        .routes(routes!(orders::run_bulk_action))
        .routes(routes!(orders::get_order))
        .routes(routes!(orders::edit_order))
        .routes(routes!(orders::explain_order))
        .routes(routes!(orders::retry_order))
        .routes(routes!(orders::hold_order))
        .routes(routes!(orders::release_order))
        .routes(routes!(orders::archive_order))
        .routes(routes!(orders::unarchive_order))
        .routes(routes!(orders::cancel_order))
        .routes(routes!(orders::answer_order))
        .routes(routes!(orders::resend_order))
        .routes(routes!(shipments::list_shipments))
        .routes(routes!(shipments::get_shipment))
        .routes(routes!(shipments::retry_shipment))
        .routes(routes!(stock::list_runs))
        .routes(routes!(stock::get_run))
        .routes(routes!(stock::list_run_lines))
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
        .routes(routes!(exceptions::list_exception_groups))
        .routes(routes!(exceptions::retry_exception_group))
        .routes(routes!(exceptions::resolve_exception))
        .routes(routes!(documents::get_exception_document))
        .routes(routes!(documents::get_exception_content))
        .routes(routes!(documents::show_document))
        .routes(routes!(census::get_census, census::run_census))
        .routes(routes!(census::list_findings))
        .routes(routes!(census::get_finding))
        .routes(routes!(census::repair_finding))
        .routes(routes!(configuration::export_configuration, configuration::apply_configuration))
        .routes(routes!(configuration::plan_configuration))
        .routes(routes!(people::list_people))
        .routes(routes!(people::get_person, people::change_person))
        .routes(routes!(people::disable_person))
        .routes(routes!(people::enable_person))
        .routes(routes!(people::reset_person))
        .routes(routes!(people::remove_persons_second_factor))
        .routes(routes!(people::unlink_person))
        .routes(routes!(people::list_persons_sessions, people::end_persons_sessions))
        .routes(routes!(people::list_invitations, people::create_invitation))
        .routes(routes!(people::withdraw_invitation))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(activity::get_overview))
        .routes(routes!(exports::export_data))
        .routes(routes!(activity::list_audit))
        .routes(routes!(activity::get_audit_verification))
        .routes(routes!(activity::get_budgets))
        .routes(routes!(activity::check_installation))
        .routes(routes!(events::follow_events))
        .routes(routes!(safety::get_safety))
        .routes(routes!(safety::freeze_sending))
        .routes(routes!(safety::recover))
        .routes(routes!(safety::release_sending))
        .routes(routes!(safety::get_wrapping_key))
        .routes(routes!(safety::rotate_wrapping_key))
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

fn everything() -> OpenApiRouter<Arc<Api>> {
    open().merge(own()).merge(installation()).merge(desk()).merge(v1())
}

/// The OpenAPI document.
pub fn document() -> OpenApi {
    let mut document = OpenApiRouter::with_openapi(base()).nest(auth::V1, everything()).into_openapi();
    document::complete(&mut document);
    document
}

fn base() -> OpenApi {
    let tag = |name: &str, about: &str| TagBuilder::new().name(name).description(Some(about)).build();
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Millrace")
                .version("1")
                .description(Some(
                    "Orders from Brightpearl to warehouses, shipments and stock back. Programs send `Authorization: Bearer \
                     mr_…` with every request; browsers sign in (`POST /session`) and send the cookie, and `Millrace-Csrf` \
                     with every change. `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` \
                     say how many requests a key or person has left. Lists answer `{items, next}`; give `next` as `cursor` to go on. Errors are \
                     `application/problem+json`.",
                ))
                .contact(Some(ContactBuilder::new().name(Some("Millrace")).build()))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
                .build(),
        )
        .tags(Some([
            tag("connections", "Merchants, stores, warehouses, and what is connected with what."),
            tag("preflight", "What would have become of past orders, before a connection is switched on."),
            tag("orders", "Orders as Millrace sees them."),
            tag("shipments", "What left the building."),
            tag("stock", "Comparisons of the warehouse's count with Brightpearl's."),
            tag("effects", "Changes at remote systems: each is written down before it is tried."),
            tag("exceptions", "What came in and could not be used."),
            tag("census", "Where everything is, by an independent look, and what is wrong."),
            tag("configuration", "Configuration as a file."),
            tag("session", "Signing in, and what people do about themselves."),
            tag("people", "Who may sign in, and what they may do."),
            tag("keys", "API keys."),
            tag("warehouse", "What the system of a warehouse calls, with a key that opens its own desk and nothing else."),
            tag("tenants", "The organisations that use this installation, for whoever administers it."),
            tag("activity", "Who did what, and where the calls went."),
            tag("exports", "Everything as files."),
            tag("events", "Live changes."),
            tag("webhooks", "Calls to your programs when something changes, signed by the Standard Webhooks scheme."),
            tag("alerts", "What needs a person, who is told of it, and where."),
            tag("safety", "Whether anything is sent, and recovery from a loss."),
        ]))
        .security(Some([
            SecurityRequirement::new("key", Vec::<String>::new()),
            SecurityRequirement::new("session", Vec::<String>::new()),
        ]))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKeyValue::new(browser::COOKIE);
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    document
}

/// Everything that is served.
pub fn router(api: Arc<Api>) -> Router {
    let authenticate = || middleware::from_fn_with_state(Arc::clone(&api), auth::authenticate);
    let allowance = || middleware::from_fn_with_state(Arc::clone(&api), allowance::keep);
    let from_here = || middleware::from_fn_with_state(Arc::clone(&api), auth::from_here);
    let (routes, _) = open().split_for_parts();
    let open = routes.layer(from_here());
    let demo = match &api.hub.config.demo {
        Some(_) => Router::new().route(demo::PATH, routing::post(demo::come_in).layer(from_here())),
        None => Router::new(),
    };
    let (routes, _) = own().split_for_parts();
    let own = routes.layer(middleware::from_fn(auth::only_people)).layer(allowance()).layer(authenticate());
    let (routes, document) = v1().split_for_parts();
    let scopes = middleware::from_fn_with_state(auth::areas(&document), auth::within_scopes);
    let versions = versions::Versions { api: Arc::clone(&api), routes: routes.clone().with_state(Arc::clone(&api)) };
    let private = routes
        .layer(middleware::from_fn_with_state(versions, versions::keep_versions))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), repeatable::keep_answers))
        .layer(middleware::from_fn(auth::may_change))
        .layer(scopes)
        .layer(middleware::from_fn(auth::with_factor))
        .layer(allowance())
        .layer(authenticate());
    let (routes, document) = installation().split_for_parts();
    let scopes = middleware::from_fn_with_state(auth::areas(&document), auth::within_scopes);
    let installation = routes
        .layer(middleware::from_fn_with_state(Arc::clone(&api), repeatable::keep_answers))
        .layer(middleware::from_fn(auth::may_change))
        .layer(scopes)
        .layer(middleware::from_fn(auth::with_factor))
        .layer(allowance())
        .layer(authenticate())
        .layer(middleware::from_fn_with_state(Arc::clone(&api), auth::of_no_tenant));
    let (routes, _) = desk().split_for_parts();
    let desk =
        routes.layer(allowance()).layer(middleware::from_fn_with_state(Arc::clone(&api), auth::authenticate_warehouse));
    beside()
        .into_iter()
        .fold(Router::new(), |router, one| router.route(one.path, one.answer))
        .nest(auth::V1, open.merge(own).merge(installation).merge(desk).merge(private))
        .merge(demo)
        .fallback(otherwise)
        .method_not_allowed_fallback(not_so)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONGEST_ANSWER))
        .layer(CatchPanicLayer::custom(shell::after_panic))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), shell::wrap))
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .with_state(api)
}

/// A route that is not in the document.
struct Beside {
    method: Method,
    path: &'static str,
    answer: MethodRouter<Arc<Api>>,
}

fn beside() -> Vec<Beside> {
    let get = |path, answer| Beside { method: Method::GET, path, answer };
    let post = |path, answer| Beside { method: Method::POST, path, answer };
    let mut routes = vec![
        get("/healthz", routing::get(health::alive)),
        get("/readyz", routing::get(health::ready)),
        get("/metrics", routing::get(health::metrics)),
        post("/hooks/brightpearl/{path}", routing::post(hooks::brightpearl)),
        post("/hooks/warehouse/{path}", routing::post(hooks::warehouse)),
        get("/hooks/reach/{nonce}", routing::get(hooks::reach)),
        get("/oauth/brightpearl", routing::get(oauth::come_back)),
        get("/sign-in/provider", routing::get(provider::come_back)),
    ];
    routes.extend(reference::routes().into_iter().map(|(path, answer)| get(path, answer)));
    routes
}

/// Method and path of every route that is not in the document. Whatever else is asked for is a page or file of the browser app.
pub fn routes_beside() -> Vec<(Method, &'static str)> {
    beside().into_iter().map(|one| (one.method, one.path)).collect()
}

/// A page or file of the browser app, or nothing.
async fn otherwise(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    app::at(&method, &uri, &headers).unwrap_or_else(|| nothing_here().into_response())
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
