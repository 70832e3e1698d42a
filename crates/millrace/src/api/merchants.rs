//! All of a merchant's data: as a file, and without the people in it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Given, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, archive,
    erasure::{self, ErasureIn, ErasureOut},
};

/// Export a merchant
///
/// For administrators, also with a key limited to the merchant; people give their password lately. Everything of the merchant but secrets
/// as one archive (tar, gzip) of NDJSON and CSV files, sent as it is read. Its last file, `manifest.json`, names all others; without it the
/// archive was cut off.
#[utoipa::path(get, path = "/merchants/{merchant}/export", operation_id = "export_merchant", tag = "exports",
    params(("merchant" = String, Path, description = "`mer_…`, or the name.")),
    responses((status = 200, body = Vec<u8>, content_type = "application/gzip"), (status = "default", body = ProblemOut)))]
pub(super) async fn export_merchant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(merchant): Named<String>,
) -> Result<Response, Failure> {
    let archive = archive::export(Arc::clone(&api.hub), &caller, &merchant).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", archive.file_name)),
    ];
    Ok((headers, Body::from_stream(archive.content)).into_response())
}

/// Look at what erasing would erase
///
/// Administrators only. How many finished orders of the merchant have people in them, and what keeps its people for now.
#[utoipa::path(get, path = "/merchants/{merchant}/erasure", operation_id = "get_erasure", tag = "connections",
    params(("merchant" = String, Path, description = "`mer_…`, or the name.")),
    responses((status = 200, body = ErasureOut), (status = "default", body = ProblemOut)))]
pub(super) async fn get_erasure(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(merchant): Named<String>,
) -> Result<Json<ErasureOut>, Failure> {
    Ok(Json(erasure::preview(&api.hub, &caller, &merchant).await?))
}

/// Erase people
///
/// Administrators only, with the password given lately. Names, addresses, telephones, e-mails and notes of the merchant's finished orders,
/// the payloads that held them, and kept files of warehouses are replaced, for good. Keys, hashes, quantities, references and times stay, so
/// that nothing is sent twice. It goes on to its end even if the answer is not waited for.
#[utoipa::path(post, path = "/merchants/{merchant}/erasure", operation_id = "erase_merchant", tag = "connections",
    params(("merchant" = String, Path, description = "`mer_…`, or the name.")),
    request_body = ErasureIn,
    responses((status = 200, body = ErasureOut), (status = "default", body = ProblemOut)))]
pub(super) async fn erase_merchant(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(merchant): Named<String>,
    Given(given): Given<ErasureIn>,
) -> Result<Json<ErasureOut>, Failure> {
    Ok(Json(erasure::erase(&api.hub, &caller, &merchant, &given).await?))
}
