//! The interactive reference at `/api/docs`: the OpenAPI document for people, and a form to send each request.
//!
//! Four files of the binary, with no part from elsewhere: it works without a way out, under the same policy for browsers as
//! every other route (`shell.rs`). The page holds no secret; what it sends goes through the API like anybody else's request.

use std::sync::{Arc, OnceLock};

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::{self, MethodRouter},
};

use super::{Api, document};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Its routes: all are looked at.
pub(super) fn routes() -> [(&'static str, MethodRouter<Arc<Api>>); 6] {
    let document = || routing::get(async || file("application/json", openapi()));
    [
        ("/api/docs", routing::get(async || file("text/html; charset=utf-8", PAGE))),
        ("/api/docs/page.css", routing::get(async || file("text/css; charset=utf-8", STYLE))),
        ("/api/docs/page.js", routing::get(async || file("text/javascript; charset=utf-8", SCRIPT))),
        ("/api/docs/openapi.json", document()),
        // Where programs look for it.
        ("/api/v1/openapi.json", document()),
        ("/openapi.json", document()),
    ]
}

/// The document, made once.
fn openapi() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    // A document of texts and maps always serialises; a test reads it.
    DOCUMENT.get_or_init(|| document().to_json().unwrap_or_default())
}

fn file(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], content).into_response()
}
