//! Everything as CSV.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Asked, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure,
    exports::{self, ExportKind, ExportQuery},
};

/// Export as CSV
///
/// All of what the caller may see, in the order of its list, page by page as it is read. A cell that a spreadsheet would take for a formula has an
/// apostrophe in front. An export that ends before its end was cut off: its transfer is not finished.
#[utoipa::path(get, path = "/exports/{kind}", operation_id = "export_data", tag = "exports",
    params(("kind" = inline(ExportKind), Path, description = "What to export."), ExportQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = ProblemOut)))]
pub(super) async fn export_data(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(kind): Named<ExportKind>,
    Asked(query): Asked<ExportQuery>,
) -> Result<Response, Failure> {
    let stream = exports::export(Arc::clone(&api.hub), caller, kind, query).await?;
    let file = format!("attachment; filename=\"{}\"", kind.file());
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, file)];
    Ok((headers, Body::from_stream(stream)).into_response())
}
