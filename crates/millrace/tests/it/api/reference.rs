//! The interactive reference: complete, part of the program, and under the same policy as every other route.

use axum::http::StatusCode;
use serde_json::Value;

use super::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_is_served_whole_and_under_the_usual_policy() {
    let installation = Installation::new().await;
    let ask = async |path: &str| installation.ask("GET", path, None, None).await;
    let usual = ask("/healthz").await;
    let policy = |answer: &super::Answer| answer.headers["content-security-policy"].to_str().unwrap().to_owned();
    for (path, kind) in [
        ("/api/docs", "text/html; charset=utf-8"),
        ("/api/docs/page.css", "text/css; charset=utf-8"),
        ("/api/docs/page.js", "text/javascript; charset=utf-8"),
        ("/api/docs/openapi.json", "application/json"),
        ("/api/v1/openapi.json", "application/json"),
        ("/openapi.json", "application/json"),
    ] {
        let answer = ask(path).await;
        assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (StatusCode::OK, kind), "{path}");
        assert_eq!(policy(&answer), policy(&usual), "{path}");
        assert!(!answer.text.is_empty(), "{path}");
    }
    // What the page needs is its own: the policy would keep all else from it, and there may be no way out.
    let page = ask("/api/docs").await.text;
    for outside in ["http:", "https:", "style=", "<style", "onclick", "javascript:"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let script = ask("/api/docs/page.js").await.text;
    for markup in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "https://"]
    {
        assert!(!script.contains(markup), "{markup}");
    }
    let document = ask("/api/docs/openapi.json").await.json();
    let checked_in: Value = serde_json::from_str(include_str!("../../../../../openapi.json")).unwrap();
    assert_eq!(document, checked_in);
    // Nothing is below it that is not there.
    assert_eq!(ask("/api/docs/other").await.status, StatusCode::NOT_FOUND);
}
