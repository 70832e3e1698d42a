//! Effects: changes at remote systems.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Asked, Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut,
    effects::{self, DecisionIn, EffectDetailOut, EffectOut, EffectsQuery},
    explain::ExplainOut,
};

/// List effects
///
/// Newest first.
#[utoipa::path(get, path = "/effects", operation_id = "list_effects", tag = "effects", params(EffectsQuery),
    responses((status = 200, body = PageOut<EffectOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_effects(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<EffectsQuery>,
) -> Result<Json<PageOut<EffectOut>>, Failure> {
    Ok(Json(effects::list(&api.hub, &caller, query).await?))
}

/// Get an effect
///
/// With every attempt: what was sent, and what came back.
#[utoipa::path(get, path = "/effects/{effect}", operation_id = "get_effect", tag = "effects",
    params(("effect" = String, Path, description = "`eff_…`")),
    responses((status = 200, body = EffectDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_effect(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(effect): Named<String>,
) -> Result<Json<EffectDetailOut>, Failure> {
    Ok(Json(effects::show(&api.hub, &caller, &effect).await?))
}

/// Explain an effect
///
/// Why it is where it is, and what can be done.
#[utoipa::path(get, path = "/effects/{effect}/explain", operation_id = "explain_effect", tag = "effects",
    params(("effect" = String, Path, description = "`eff_…`")),
    responses((status = 200, body = ExplainOut), (status = "default", body = ProblemOut)))]
pub(super) async fn explain_effect(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(effect): Named<String>,
) -> Result<Json<ExplainOut>, Failure> {
    Ok(Json(effects::show(&api.hub, &caller, &effect).await?.explain))
}

/// Decide about an effect
///
/// A person says what is so: `retry` (it goes again), `applied` (it is there, with its number), `void` (not wanted).
#[utoipa::path(post, path = "/effects/{effect}/decide", operation_id = "decide_effect", tag = "effects",
    params(("effect" = String, Path, description = "`eff_…`")), request_body = DecisionIn,
    responses((status = 200, body = EffectDetailOut), (status = "default", body = ProblemOut)))]
pub(super) async fn decide_effect(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(effect): Named<String>,
    Given(given): Given<DecisionIn>,
) -> Result<Json<EffectDetailOut>, Failure> {
    Ok(Json(effects::decide(&api.hub, &caller, &effect, given).await?))
}
