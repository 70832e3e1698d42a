//! Backups kept beside the database.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::{
    Api,
    extract::{Asked, Named},
    problem::ProblemOut,
};
use crate::operate::{
    Caller, Failure, PageOut, PagingQuery, backup,
    backups::{self, KeptBackupOut},
};

/// List backups
///
/// For administrators of the installation. Those kept beside an SQLite database, newest first.
#[utoipa::path(get, path = "/backups", operation_id = "list_backups", tag = "safety", params(PagingQuery),
    responses((status = 200, body = PageOut<KeptBackupOut>), (status = "default", body = ProblemOut)))]
pub(super) async fn list_backups(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Asked(paging): Asked<PagingQuery>,
) -> Result<Json<PageOut<KeptBackupOut>>, Failure> {
    Ok(Json(backups::list(&api.hub, &caller, &paging)?))
}

/// Take a backup
///
/// For administrators of the installation. A whole copy of the SQLite database, taken while it is used, in the folder `backups`
/// beside it. It goes on to its end even if the answer is not waited for: then it is in the list. A PostgreSQL server makes its
/// own backups: the answer is 501 and says what to type.
#[utoipa::path(post, path = "/backups", operation_id = "create_backup", tag = "safety",
    responses((status = 201, body = KeptBackupOut), (status = "default", body = ProblemOut)))]
pub(super) async fn create_backup(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<KeptBackupOut>), Failure> {
    Ok((StatusCode::CREATED, Json(backups::take(&api.hub, &caller).await?)))
}

/// Note a backup
///
/// For administrators of the installation. The database's own means have just made one (`pg_dump`, a snapshot): the alert that
/// none was made for long waits anew from now.
#[utoipa::path(post, path = "/backups/recorded", operation_id = "record_backup", tag = "safety",
    responses((status = 204), (status = "default", body = ProblemOut)))]
pub(super) async fn record_backup(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, Failure> {
    backup::record(&api.hub, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fetch a backup
///
/// For administrators of the installation, with the password given lately: it holds every tenant's data, readable but for
/// secrets, which are sealed with a key that is not in it.
#[utoipa::path(get, path = "/backups/{backup}/file", operation_id = "export_backup", tag = "safety",
    params(("backup" = String, Path, description = "`bak_…`")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = "default", body = ProblemOut)))]
pub(super) async fn export_backup(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(backup): Named<String>,
) -> Result<Response, Failure> {
    let fetched = backups::fetch(&api.hub, &caller, &backup).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, fetched.about.bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.backup\"", fetched.about.id)),
    ];
    Ok((headers, Body::from_stream(fetched.content)).into_response())
}

/// Remove a backup
///
/// For administrators of the installation, with the password given lately.
#[utoipa::path(delete, path = "/backups/{backup}", operation_id = "remove_backup", tag = "safety",
    params(("backup" = String, Path, description = "`bak_…`")),
    responses((status = 204, description = "Done"), (status = "default", body = ProblemOut)))]
pub(super) async fn remove_backup(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Named(backup): Named<String>,
) -> Result<StatusCode, Failure> {
    backups::remove(&api.hub, &caller, &backup).await?;
    Ok(StatusCode::NO_CONTENT)
}
