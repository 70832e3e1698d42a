//! The browser app: its files, which `build.rs` put into the program, and what a browser is told about them.
//!
//! Files under `/assets/` carry a hash of their content in their names, so browsers keep them for a year. The page itself is
//! asked for each time, and is the same for every address of the app, which finds its way by itself.

use std::io::Read as _;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use flate2::read::GzDecoder;
use uuid::Uuid;

/// A file of the app, compressed.
struct File {
    /// Path below the app's folder.
    name: &'static str,
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/app_files.rs"));

/// Stands in the page where the nonce of an answer goes.
const NONCE: &str = "__NONCE__";

/// The file or page of the app at this address; `None` where there is none, and the API answers.
///
/// The page goes only to who asks for a page, as browsers do: programs that call a wrong address are told so.
pub(super) fn at(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let path = uri.path();
    let file = FILES.iter().find(|file| file.name != "index.html" && path.strip_prefix('/') == Some(file.name));
    if let Some(file) = file {
        return Some(asset(file, takes_gzip(headers)));
    }
    let wants_page = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kinds| kinds.split(',').any(|kind| kind.trim().starts_with("text/html")));
    let of_others = ["/api/", "/hooks/", "/assets/"].iter().any(|start| path.starts_with(start));
    if wants_page && !of_others { page() } else { None }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|kind| kind.trim().eq_ignore_ascii_case("gzip") || kind.trim().to_lowercase().starts_with("gzip;q=1"))
}

fn unpacked(file: &File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match GzDecoder::new(file.gzip).read_to_end(&mut bytes) {
        Ok(_) => Some(bytes),
        Err(error) => {
            tracing::error!("the app's file {} is damaged: {error}", file.name);
            None
        }
    }
}

fn asset(file: &File, gzip: bool) -> Response {
    let kept = if file.name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let body = if gzip {
        Body::from(file.gzip)
    } else {
        match unpacked(file) {
            Some(bytes) => Body::from(bytes),
            None => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(file.name)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The page, with a nonce for the styles that the app's components write. Scripts come from files only.
fn page() -> Option<Response> {
    let text = String::from_utf8(unpacked(FILES.iter().find(|file| file.name == "index.html")?)?).ok()?;
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'self'; style-src 'self' 'nonce-{nonce}'; base-uri 'none'; object-src 'none'; \
         frame-ancestors 'none'; form-action 'self'"
    );
    let mut response = Response::new(Body::from(text.replace(NONCE, &nonce)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).ok()?);
    Some(response)
}
