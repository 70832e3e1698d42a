//! The configuration as a file.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Api, extract::Given, problem::ProblemOut};
use crate::operate::{
    Caller, Failure,
    file::{self, Document, Origin, Plan},
};

/// A configuration file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationIn {
    /// TOML. Secrets cannot be given here; stores and warehouses that exist keep theirs.
    pub toml: String,
}

impl ConfigurationIn {
    fn document(&self) -> Result<Document, Failure> {
        Document::parse(&self.toml, "configuration", Origin::Remote)
    }
}

/// Export the configuration
///
/// As TOML, secrets as references.
#[utoipa::path(get, path = "/configuration", operation_id = "get_configuration", tag = "configuration",
    responses((status = 200, body = String, content_type = "application/toml"), (status = "default", body = ProblemOut)))]
pub(super) async fn export_configuration(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Failure> {
    let text = file::export(&api.hub, &caller).await?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], text).into_response())
}

/// Apply a configuration
///
/// Administrators only. What is not in it is left alone.
#[utoipa::path(put, path = "/configuration", operation_id = "update_configuration", tag = "configuration",
    request_body = ConfigurationIn, responses((status = 200, body = Plan), (status = "default", body = ProblemOut)))]
pub(super) async fn apply_configuration(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<ConfigurationIn>,
) -> Result<Json<Plan>, Failure> {
    Ok(Json(file::apply(&api.hub, &caller, &given.document()?).await?))
}

/// Plan a configuration
///
/// What applying it would change; nothing is written.
#[utoipa::path(post, path = "/configuration/plan", operation_id = "plan_configuration", tag = "configuration",
    request_body = ConfigurationIn, responses((status = 200, body = Plan), (status = "default", body = ProblemOut)))]
pub(super) async fn plan_configuration(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Given(given): Given<ConfigurationIn>,
) -> Result<Json<Plan>, Failure> {
    Ok(Json(file::plan(&api.hub, &caller, &given.document()?).await?))
}
