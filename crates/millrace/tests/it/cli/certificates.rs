//! A remote side that cannot prove who it is gets nothing: the real program, with a trust store of the test's own.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, http::StatusCode};
use millrace::{
    serving::{self, Patience},
    tls::{Tls, TlsFiles},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Desk, Ended, ended};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tls").join(name)
}

/// What comes of testing a store behind this certificate, and how many requests reached it.
async fn tried(desk: &Arc<Desk>, certificate: &str) -> (Ended, usize) {
    let files = TlsFiles {
        certificate: fixture(&format!("{certificate}.pem")),
        key: fixture(&format!("{certificate}.key.pem")),
    };
    let tls = Arc::new(Tls::open(files).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&reached);
    let router = Router::new().fallback(async move || {
        seen.fetch_add(1, Ordering::SeqCst);
        (StatusCode::NOT_FOUND, "nobody here")
    });
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serving::serve(listener, router, Patience::default(), Some(tls), stop.clone()));
    let store = json!({
        "platform": "brightpearl",
        "settings": {
            "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test",
            "base_url": format!("https://localhost:{port}"),
        },
        "secrets": { "password": "example-password" },
    });
    std::fs::write(desk.path().join("store.json"), store.to_string()).unwrap();
    let desk = Arc::clone(desk);
    let told = tokio::task::spawn_blocking(move || {
        let mut command = desk.command();
        command
            .args(["stores", "try", "store.json"])
            .env("SSL_CERT_FILE", fixture("ca.pem"))
            .env_remove("SSL_CERT_DIR");
        ended(&command.output().unwrap())
    })
    .await
    .unwrap();
    stop.cancel();
    serving.await.unwrap();
    (told, reached.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_certificate_is_refused_before_anything_is_told() {
    let desk = Arc::new(Desk::new());
    desk.works(&["init"]);
    // With a certificate that is in order it asks, and hears that there is nobody.
    let (good, reached) = tried(&desk, "good").await;
    assert!(reached > 0 && good.code != 0 && !good.all().contains("certificate"), "{reached}: {}", good.all());
    for (certificate, why) in [("one", "UnknownIssuer"), ("another_name", "not valid for name"), ("expired", "expired")]
    {
        let (told, reached) = tried(&desk, certificate).await;
        assert_ne!(told.code, 0, "{certificate}: {}", told.all());
        assert_eq!(reached, 0, "{certificate}: it was told something");
        assert!(told.all().contains("certificate") && told.all().contains(why), "{certificate}: {}", told.all());
        assert!(!told.all().contains("example-password"), "{}", told.all());
    }
}
