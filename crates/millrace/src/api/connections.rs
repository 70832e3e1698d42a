//! Merchants, stores, warehouses, and what is connected with what.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
    repeatable::ShownOnce,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery,
    check::{self, ConnectionCheckOut, EndpointCheckOut, TrustQuery},
    connections::{
        self, ChannelOut, ChoicesOut, ConnectionDetailOut, ConnectionOut, ConnectionsQuery, NewConnectionIn,
        WarehouseChoicesOut,
    },
    endpoints::{
        self, EndpointOut, MerchantOut, NewEndpointIn, NewMerchantIn, PlatformOut, Side, TestEndpointIn,
        UpdateEndpointIn,
    },
    file::{ChannelIn, ConnectionSettingsIn, MappingsIn},
    layouts::{self, PreviewIn, PreviewOut},
    mappings,
    mappings_csv::{self, ImportQuery, ImportedOut, MappingTable},
    switches,
    webhooks::{self, CallAddressOut, WebhooksOut},
};

/// List platforms
///
/// The connectors there are, with their settings: what a form asks for.
#[utoipa::path(get, path = "/platforms", operation_id = "list_platforms", tag = "connections",
    responses((status = 200, body = Vec<PlatformOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_platforms(
    State(api): State<Arc<Api>>,
    Extension(_caller): Extension<Caller>,
) -> Json<Vec<PlatformOut>> {
    Json(endpoints::platforms(&api.hub))
}

/// List merchants
///
/// By name.
#[utoipa::path(get, path = "/merchants", operation_id = "list_merchants", tag = "connections", params(PagingQuery),
    responses((status = 200, body = PageOut<MerchantOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_merchants(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<MerchantOut>>, Failure> {
    Ok(Json(endpoints::list_merchants(&api.hub, &caller, &paging).await?))
}

/// Create a merchant
///
/// Administrators only.
#[utoipa::path(post, path = "/merchants", operation_id = "create_merchant", tag = "connections",
    request_body = NewMerchantIn,
    responses((status = 201, body = MerchantOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_merchant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewMerchantIn>,
) -> Result<(StatusCode, Json<MerchantOut>), Failure> {
    Ok((StatusCode::CREATED, Json(endpoints::create_merchant(&api.hub, &caller, given).await?)))
}

/// List stores
///
/// By name.
#[utoipa::path(get, path = "/stores", operation_id = "list_stores", tag = "connections", params(PagingQuery),
    responses((status = 200, body = PageOut<EndpointOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_stores(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<EndpointOut>>, Failure> {
    Ok(Json(endpoints::list(&api.hub, &caller, Side::Store, &paging).await?))
}

/// Create a store
///
/// Administrators only. Secrets are sealed and never shown again.
#[utoipa::path(post, path = "/stores", operation_id = "create_store", tag = "connections",
    request_body = NewEndpointIn,
    responses((status = 201, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewEndpointIn>,
) -> Result<(StatusCode, Json<EndpointOut>), Failure> {
    Ok((StatusCode::CREATED, Json(endpoints::create(&api.hub, &caller, Side::Store, given).await?)))
}

/// Get a store
#[utoipa::path(get, path = "/stores/{store}", operation_id = "get_store", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    responses((status = 200, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
) -> Result<Json<EndpointOut>, Failure> {
    Ok(Json(endpoints::show(&api.hub, &caller, Side::Store, &store).await?))
}

/// Update a store
///
/// Administrators only. Settings are replaced; of secrets, only those given.
#[utoipa::path(put, path = "/stores/{store}", operation_id = "update_store", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    request_body = UpdateEndpointIn,
    responses((status = 200, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
    Given(given): Given<UpdateEndpointIn>,
) -> Result<Json<EndpointOut>, Failure> {
    Ok(Json(endpoints::update(&api.hub, &caller, Side::Store, &store, given).await?))
}

/// Test a store
///
/// Signs in and looks around with the calls that real work uses.
#[utoipa::path(post, path = "/stores/{store}/test", operation_id = "test_store", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name."), TrustQuery),
    responses((status = 200, body = EndpointCheckOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
    Asked(query): Asked<TrustQuery>,
) -> Result<Json<EndpointCheckOut>, Failure> {
    Ok(Json(check::endpoint(&api.hub, &caller, Side::Store, &store, query.trust_host_key).await?))
}

/// Test a store that is not kept
///
/// Administrators only. Nothing is stored; the answer is that of the saved test.
#[utoipa::path(post, path = "/stores/test", operation_id = "test_new_store", tag = "connections",
    request_body = TestEndpointIn,
    responses((status = 200, body = EndpointCheckOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_new_store(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<TestEndpointIn>,
) -> Result<Json<EndpointCheckOut>, Failure> {
    Ok(Json(check::unsaved(&api.hub, &caller, Side::Store, given).await?))
}

/// Test a warehouse that is not kept
///
/// Administrators only. Nothing is stored; the answer is that of the saved test.
#[utoipa::path(post, path = "/warehouses/test", operation_id = "test_new_warehouse", tag = "connections",
    request_body = TestEndpointIn,
    responses((status = 200, body = EndpointCheckOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_new_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<TestEndpointIn>,
) -> Result<Json<EndpointCheckOut>, Failure> {
    Ok(Json(check::unsaved(&api.hub, &caller, Side::Warehouse, given).await?))
}

/// Preview a warehouse's files
///
/// Administrators only. How a sample file would be read with given settings, what is wrong with which row, and how an order
/// would be written: for warehouses whose files have columns that settings describe. Nothing is sent and nothing is kept.
#[utoipa::path(post, path = "/warehouses/preview", operation_id = "preview_files", tag = "connections",
    request_body = PreviewIn,
    responses((status = 200, body = PreviewOut), (status = "default", body = ProblemOut)))]
pub(super) async fn preview_files(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<PreviewIn>,
) -> Result<Json<PreviewOut>, Failure> {
    Ok(Json(layouts::preview(&api.hub, &caller, given).await?))
}

/// Get a warehouse's lists
///
/// Read from the warehouse now: its facilities and carriers, where it lists them. A warehouse that is driven by files lists
/// nothing.
#[utoipa::path(get, path = "/warehouses/{warehouse}/choices", operation_id = "get_warehouse_choices", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name.")),
    responses((status = 200, body = WarehouseChoicesOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_warehouse_choices(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
) -> Result<Json<WarehouseChoicesOut>, Failure> {
    Ok(Json(connections::warehouse_choices(&api.hub, &caller, &warehouse).await?))
}

/// Get a store's lists
///
/// The same as the account's lists of a connection, before there is one.
#[utoipa::path(get, path = "/stores/{store}/choices", operation_id = "get_store_choices", tag = "connections",
    params(("store" = String, Path, description = "`sto_…`, or the name.")),
    responses((status = 200, body = ChoicesOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_store_choices(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(store): Named<String>,
) -> Result<Json<ChoicesOut>, Failure> {
    Ok(Json(connections::store_choices(&api.hub, &caller, &store).await?))
}

/// List warehouses
///
/// By name.
#[utoipa::path(get, path = "/warehouses", operation_id = "list_warehouses", tag = "connections", params(PagingQuery),
    responses((status = 200, body = PageOut<EndpointOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_warehouses(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<EndpointOut>>, Failure> {
    Ok(Json(endpoints::list(&api.hub, &caller, Side::Warehouse, &paging).await?))
}

/// Create a warehouse
///
/// Administrators only. Secrets are sealed and never shown again.
#[utoipa::path(post, path = "/warehouses", operation_id = "create_warehouse", tag = "connections",
    request_body = NewEndpointIn,
    responses((status = 201, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewEndpointIn>,
) -> Result<(StatusCode, Json<EndpointOut>), Failure> {
    Ok((StatusCode::CREATED, Json(endpoints::create(&api.hub, &caller, Side::Warehouse, given).await?)))
}

/// Get a warehouse
#[utoipa::path(get, path = "/warehouses/{warehouse}", operation_id = "get_warehouse", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name.")),
    responses((status = 200, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
) -> Result<Json<EndpointOut>, Failure> {
    Ok(Json(endpoints::show(&api.hub, &caller, Side::Warehouse, &warehouse).await?))
}

/// Update a warehouse
///
/// Administrators only. Settings are replaced; of secrets, only those given.
#[utoipa::path(put, path = "/warehouses/{warehouse}", operation_id = "update_warehouse", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name.")),
    request_body = UpdateEndpointIn,
    responses((status = 200, body = EndpointOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
    Given(given): Given<UpdateEndpointIn>,
) -> Result<Json<EndpointOut>, Failure> {
    Ok(Json(endpoints::update(&api.hub, &caller, Side::Warehouse, &warehouse, given).await?))
}

/// Test a warehouse
///
/// Signs in and looks around with the calls that real work uses.
#[utoipa::path(post, path = "/warehouses/{warehouse}/test", operation_id = "test_warehouse", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name."), TrustQuery),
    responses((status = 200, body = EndpointCheckOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_warehouse(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
    Asked(query): Asked<TrustQuery>,
) -> Result<Json<EndpointCheckOut>, Failure> {
    Ok(Json(check::endpoint(&api.hub, &caller, Side::Warehouse, &warehouse, query.trust_host_key).await?))
}

/// List connections
///
/// By name.
#[utoipa::path(get, path = "/connections", operation_id = "list_connections", tag = "connections", params(ConnectionsQuery),
    responses((status = 200, body = PageOut<ConnectionOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_connections(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ConnectionsQuery>,
) -> Result<Json<PageOut<ConnectionOut>>, Failure> {
    Ok(Json(connections::list(&api.hub, &caller, &query).await?))
}

/// Create a connection
///
/// Administrators only. It starts switched off.
#[utoipa::path(post, path = "/connections", operation_id = "create_connection", tag = "connections",
    request_body = NewConnectionIn,
    responses((status = 201, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<NewConnectionIn>,
) -> Result<(StatusCode, Json<ConnectionDetailOut>), Failure> {
    Ok((StatusCode::CREATED, Json(connections::create(&api.hub, &caller, given).await?)))
}

/// Get a connection
///
/// With its channels, settings and what stands in its way.
#[utoipa::path(get, path = "/connections/{connection}", operation_id = "get_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(connections::show(&api.hub, &caller, &connection).await?))
}

/// Test a connection
///
/// Both sides and the settings.
#[utoipa::path(post, path = "/connections/{connection}/test", operation_id = "test_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), TrustQuery),
    responses((status = 200, body = ConnectionCheckOut), (status = "default", body = ProblemOut)))]
pub(super) async fn test_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Asked(query): Asked<TrustQuery>,
) -> Result<Json<ConnectionCheckOut>, Failure> {
    Ok(Json(check::connection(&api.hub, &caller, &connection, query.trust_host_key).await?))
}

/// Get the settings of a connection
///
/// As they are changed: as a whole, by the account's ids.
#[utoipa::path(get, path = "/connections/{connection}/settings", operation_id = "get_settings", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = ConnectionSettingsIn), (status = "default", body = ProblemOut)))]
pub(super) async fn get_settings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<ConnectionSettingsIn>, Failure> {
    Ok(Json(connections::settings(&api.hub, &caller, &connection).await?))
}

/// Update the settings of a connection
///
/// Replaced as a whole; the account's lists may be named or numbered.
#[utoipa::path(put, path = "/connections/{connection}/settings", operation_id = "update_settings", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    request_body = ConnectionSettingsIn,
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_settings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Given(given): Given<ConnectionSettingsIn>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(connections::update_settings(&api.hub, &caller, &connection, &given).await?))
}

/// Switch a connection on
///
/// Refused with every reason while something stands in its way.
#[utoipa::path(post, path = "/connections/{connection}/enable", operation_id = "enable_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn enable_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(switches::enable(&api.hub, &caller, &connection).await?))
}

/// Switch a connection off
///
/// What is on its way ends first.
#[utoipa::path(post, path = "/connections/{connection}/disable", operation_id = "disable_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn disable_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(switches::disable(&api.hub, &caller, &connection).await?))
}

/// Resume a connection
///
/// It was paused, e.g. because its credentials were refused.
#[utoipa::path(post, path = "/connections/{connection}/resume", operation_id = "resume_connection", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn resume_connection(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(switches::resume(&api.hub, &caller, &connection).await?))
}

/// Get a channel
#[utoipa::path(get, path = "/connections/{connection}/channels/{channel}", operation_id = "get_channel", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("channel" = String, Path, description = "`orders`, `shipments` or `stock`.")),
    responses((status = 200, body = ChannelOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, channel)): Named<(String, String)>,
) -> Result<Json<ChannelOut>, Failure> {
    Ok(Json(switches::show_channel(&api.hub, &caller, &connection, &channel).await?))
}

/// Update a channel
///
/// Its switch and its pace.
#[utoipa::path(put, path = "/connections/{connection}/channels/{channel}", operation_id = "update_channel", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("channel" = String, Path, description = "`orders`, `shipments` or `stock`.")),
    request_body = ChannelIn,
    responses((status = 200, body = ConnectionDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn update_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, channel)): Named<(String, String)>,
    Given(given): Given<ChannelIn>,
) -> Result<Json<ConnectionDetailOut>, Failure> {
    Ok(Json(switches::set_channel(&api.hub, &caller, &connection, &channel, given).await?))
}

/// Run a channel
///
/// As soon as possible.
#[utoipa::path(post, path = "/connections/{connection}/channels/{channel}/run", operation_id = "run_channel", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("channel" = String, Path, description = "`orders`, `shipments` or `stock`.")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn run_channel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, channel)): Named<(String, String)>,
) -> Result<StatusCode, Failure> {
    switches::run_now(&api.hub, &caller, &connection, &channel).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get the account's lists
///
/// Read from Brightpearl now: statuses, warehouses, channels, shipping methods, price lists.
#[utoipa::path(get, path = "/connections/{connection}/choices", operation_id = "get_choices", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = ChoicesOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_choices(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<ChoicesOut>, Failure> {
    Ok(Json(connections::choices(&api.hub, &caller, &connection).await?))
}

/// Get mappings
///
/// The translation tables of a connection.
#[utoipa::path(get, path = "/connections/{connection}/mappings", operation_id = "get_mappings", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = MappingsIn), (status = "default", body = ProblemOut)))]
pub(super) async fn get_mappings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<MappingsIn>, Failure> {
    Ok(Json(mappings::show(&api.hub, &caller, &connection).await?))
}

/// Update mappings
///
/// Tables that are given are replaced as a whole, the others stay.
#[utoipa::path(put, path = "/connections/{connection}/mappings", operation_id = "update_mappings", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    request_body = MappingsIn,
    responses((status = 200, body = MappingsIn), (status = "default", body = ProblemOut)))]
pub(super) async fn update_mappings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
    Given(given): Given<MappingsIn>,
) -> Result<Json<MappingsIn>, Failure> {
    Ok(Json(mappings::put(&api.hub, &caller, &connection, given).await?))
}

/// Export a translation table
///
/// As CSV with a line that names the columns; Brightpearl's shipping methods and warehouses by id.
#[utoipa::path(get, path = "/connections/{connection}/mappings/{table}", operation_id = "export_mappings", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("table" = inline(MappingTable), Path)),
    responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = ProblemOut)))]
pub(super) async fn export_mappings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, table)): Named<(String, MappingTable)>,
) -> Result<Response, Failure> {
    let csv = mappings_csv::export(&api.hub, &caller, &connection, table).await?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response())
}

/// Import a translation table
///
/// From CSV with the columns of the export, shipping methods and warehouses by id or name. Entries that are not in the file stay;
/// a wrong line is named, and then nothing is changed. `preview=true` changes nothing.
#[utoipa::path(post, path = "/connections/{connection}/mappings/{table}", operation_id = "import_mappings", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name."), ("table" = inline(MappingTable), Path), ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportedOut), (status = "default", body = ProblemOut)))]
pub(super) async fn import_mappings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named((connection, table)): Named<(String, MappingTable)>,
    Asked(query): Asked<ImportQuery>,
    csv: String,
) -> Result<Json<ImportedOut>, Failure> {
    Ok(Json(mappings_csv::import(&api.hub, &caller, &connection, table, &csv, query).await?))
}

/// Get webhooks
///
/// Whether Brightpearl calls this installation, or it polls only.
#[utoipa::path(get, path = "/connections/{connection}/webhooks", operation_id = "get_webhooks", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = WebhooksOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_webhooks(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<WebhooksOut>, Failure> {
    Ok(Json(webhooks::show(&api.hub, &caller, &connection).await?))
}

/// Register webhooks
///
/// Tests that the public address reaches this installation, then makes the subscriptions what they should be.
#[utoipa::path(post, path = "/connections/{connection}/webhooks", operation_id = "register_webhooks", tag = "connections",
    params(("connection" = String, Path, description = "`con_…`, or the name.")),
    responses((status = 200, body = WebhooksOut), (status = "default", body = ProblemOut)))]
pub(super) async fn register_webhooks(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(connection): Named<String>,
) -> Result<Json<WebhooksOut>, Failure> {
    Ok(Json(webhooks::register(&api.hub, &caller, &connection).await?))
}

/// Give a warehouse an address to call
///
/// Administrators only, with the password given lately. Where it reports to this installation when something changes; a warehouse
/// that calls is asked at once.
#[utoipa::path(post, path = "/warehouses/{warehouse}/address", operation_id = "create_warehouse_address", tag = "connections",
    params(("warehouse" = String, Path, description = "`whs_…`, or the name.")),
    responses((status = 200, body = CallAddressOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_warehouse_address(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(warehouse): Named<String>,
) -> Result<Response, Failure> {
    let address = webhooks::warehouse_address(&api.hub, &caller, &warehouse).await?;
    let mut response = Json(address).into_response();
    // Whoever knows it may call; a repeat of the request is no place to keep it.
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}
