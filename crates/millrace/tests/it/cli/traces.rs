//! Traces: what a collector is sent by a build that has the feature `otel`, and what one without it says.

use std::sync::Arc;

use super::{Desk, account};

/// A new installation with one connection, and its key.
async fn installation(password: &str) -> (Arc<Desk>, String, impl Drop) {
    let source = account(20, password).await;
    let desk = Arc::new(Desk { password: password.to_owned(), ..Desk::new() });
    let made = desk.works(&["--json", "init"]).json();
    let key = made["administrator_key"].as_str().unwrap().to_owned();
    desk.configure(&source.base_url(), &[]);
    let typing = Arc::clone(&desk);
    tokio::task::spawn_blocking(move || typing.works(&["apply", "-f", "millrace.toml"])).await.unwrap();
    (desk, key, source)
}

#[cfg(not(feature = "otel"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_traces_says_so() {
    let (desk, _key, _source) = installation("example-password").await;
    let serving = desk.serve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
    serving.address().await;
    let log = serving.end();
    assert!(log.contains("this build sends none: build it with the feature otel"), "{log}");
}

#[cfg(feature = "otel")]
mod with_the_feature {
    use std::sync::{Mutex, PoisonError};

    use axum::{
        Router,
        body::Bytes,
        http::{HeaderMap, Uri},
        routing,
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::cli::contains;

    type Sent = Vec<(String, HeaderMap, Bytes)>;

    /// Takes what it is sent, over OTLP/HTTP.
    async fn collector() -> (String, Arc<Mutex<Sent>>) {
        let sent = Arc::new(Mutex::new(Sent::new()));
        let kept = Arc::clone(&sent);
        let take = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push((uri.path().to_owned(), headers, body));
            async {}
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(routing::post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (url, sent)
    }

    /// An order's way through the program is in the traces, under the names that docs/operating.md says; no secret is.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_is_sent_the_spans_and_no_secret() {
        const PASSWORD: &str = "CANARY-p4ssw0rd-77aa";
        let (url, sent) = collector().await;
        let (desk, key, _source) = installation(PASSWORD).await;
        let serving = desk.serve(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector=CANARY-token"),
            ("RUST_LOG", "trace,hyper=debug,h2=debug"),
        ]);
        serving.sends_an_order_on(&key).await;
        // What is still to be sent is sent at the end.
        let log = serving.end();
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(!sent.is_empty(), "nothing was sent: {log}");
        for (path, headers, _) in &sent {
            assert_eq!(path, "/v1/traces");
            assert_eq!(headers["content-type"], "application/x-protobuf");
            assert_eq!(headers["x-collector"], "CANARY-token", "the header that was set");
        }
        let all: Vec<u8> = sent.iter().flat_map(|(_, _, body)| body.to_vec()).collect();
        for part in [
            "service.name",
            "millrace",
            "request",
            "request.id",
            "http.method",
            "http.path",
            "/api/v1/orders",
            "channel.kind",
            "connection.id",
            "effects",
            "effect.kind",
            "submit_request",
        ] {
            assert!(contains(&all, part.as_bytes()), "{part} is in no trace");
        }
        for secret in [PASSWORD, key.as_str(), "CANARY-token"] {
            assert!(!contains(&all, secret.as_bytes()), "a planted secret is in a trace");
        }
    }
}
