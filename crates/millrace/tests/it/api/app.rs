//! The browser app as the program serves it. What it does is tried in a real browser (`web/tests`).

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use tower::ServiceExt as _;

use super::{Answer, Installation};

const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn open(installation: &Installation, path: &str, accept: &str) -> Answer {
    let request = Request::builder().uri(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
    installation.send(request).await
}

fn policy(answer: &Answer) -> String {
    answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_the_app_answers_with_its_page() {
    let installation = Installation::new().await;
    for path in ["/", "/orders", "/orders/ord_1", "/setup", "/invitation", "/reset", "/no-such-page"] {
        let answer = open(&installation, path, PAGE).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-cache", "{path}");
        assert!(answer.text.contains("<title>Millrace</title>"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_come_from_files_only_and_styles_carry_the_answers_nonce() {
    let installation = Installation::new().await;
    let first = open(&installation, "/", PAGE).await;
    let policy_of_first = policy(&first);
    let nonce = policy_of_first.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
    assert_eq!(nonce.len(), 32);
    assert_eq!(
        policy_of_first,
        format!(
            "default-src 'self'; style-src 'self' 'nonce-{nonce}'; base-uri 'none'; object-src 'none'; \
             frame-ancestors 'none'; form-action 'self'"
        )
    );
    assert!(!first.text.contains("__NONCE__"));
    assert_ne!(policy(&open(&installation, "/", PAGE).await), policy_of_first, "each answer has a nonce of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_ask_for_a_page_is_told_that_there_is_nothing() {
    let installation = Installation::new().await;
    for (path, accept) in [
        ("/", "*/*"),
        ("/nowhere", "application/json"),
        ("/api/nowhere", PAGE),
        ("/hooks/nowhere", PAGE),
        ("/assets/nowhere.js", PAGE),
        ("/../Cargo.toml", PAGE),
    ] {
        let answer = open(&installation, path, accept).await;
        if path.starts_with("/..") {
            assert!(!answer.text.contains("[package]"));
        } else {
            assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
        }
    }
    let request = Request::builder().method("POST").uri("/orders").header(header::ACCEPT, PAGE);
    let answer = installation.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

/// Where the app was built into this program; where it was not, its page says how, and has no files.
#[tokio::test(flavor = "multi_thread")]
async fn files_with_a_hash_in_their_name_are_kept_for_a_year() {
    let installation = Installation::new().await;
    let page = open(&installation, "/", PAGE).await;
    let Some(script) = page.text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()) else {
        assert!(page.text.contains("./dev web"), "{}", page.text);
        return;
    };
    let plain = open(&installation, script, "*/*").await;
    assert_eq!(plain.status, StatusCode::OK, "{script}");
    assert_eq!(plain.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(plain.headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(plain.headers[header::VARY], "accept-encoding");
    assert!(!plain.headers.contains_key(header::CONTENT_ENCODING));
    assert!(plain.text.contains("function"), "it is readable without compression");
    let request = Request::builder().uri(script).header(header::ACCEPT_ENCODING, "br, gzip").body(Body::empty());
    let small = installation.router.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(small.headers()[header::CONTENT_ENCODING], "gzip");
    let small = to_bytes(small.into_body(), 4 * 1024 * 1024).await.unwrap();
    assert!(small.len() < plain.text.len() / 2, "{} of {}", small.len(), plain.text.len());
}
