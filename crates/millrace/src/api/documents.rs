//! Documents of warehouses as people read them.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};

use super::{
    Api,
    extract::{Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure,
    documents::{self, ContentOut, DocumentIn, DocumentOut},
};

/// Show a document
///
/// An X12 document segment by segment, with what its elements and codes mean and what is wrong with it. Nothing is kept of it.
#[utoipa::path(post, path = "/documents/show", operation_id = "show_document", tag = "exceptions", request_body = DocumentIn,
    responses((status = 200, body = DocumentOut), (status = "default", body = ProblemOut)))]
pub(super) async fn show_document(
    Extension(caller): Extension<Caller>,
    Given(given): Given<DocumentIn>,
) -> Result<Json<DocumentOut>, Failure> {
    Ok(Json(documents::show(&caller, &given)?))
}

/// Show what came in
///
/// What an exception keeps of the file or message that could not be used, as it came. Refused as not found where nothing was kept.
#[utoipa::path(get, path = "/exceptions/{exception}/content", operation_id = "get_exception_content", tag = "exceptions",
    params(("exception" = String, Path, description = "`exc_…`")),
    responses((status = 200, body = ContentOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_exception_content(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(exception): Named<String>,
) -> Result<Json<ContentOut>, Failure> {
    Ok(Json(documents::content(&api.hub, &caller, &exception).await?))
}

/// Show what was set aside
///
/// The X12 document that an exception keeps, segment by segment. One that cannot be told apart is refused with the reason.
#[utoipa::path(get, path = "/exceptions/{exception}/document", operation_id = "get_exception_document", tag = "exceptions",
    params(("exception" = String, Path, description = "`exc_…`")),
    responses((status = 200, body = DocumentOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_exception_document(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(exception): Named<String>,
) -> Result<Json<DocumentOut>, Failure> {
    Ok(Json(documents::of_exception(&api.hub, &caller, &exception).await?))
}
