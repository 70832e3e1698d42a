//! Built-in certificates: the real program speaks TLS, says nothing in the clear, and takes up a new certificate by itself.

use std::{fs, path::Path, sync::Arc, time::Duration};

use axum::{Router, routing};
use millrace::{
    app,
    config::Config,
    operate,
    serving::{self, Patience},
    tls::{Tls, TlsFiles},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tokio_util::sync::CancellationToken;

use super::seams;

const LIMIT: Duration = Duration::from_secs(30);
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tls").join(name)
}

/// Asks over TLS, trusting only this certificate.
async fn ask(port: u16, trusted: &str) -> Result<String, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture(trusted)).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(REQUEST).await?;
    let mut text = Vec::new();
    // Without a farewell is an end as well.
    drop(tokio::time::timeout(LIMIT, stream.read_to_end(&mut text)).await.expect("an answer"));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_speaks_tls_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let tls = TlsFiles { certificate: fixture("one.pem"), key: fixture("one.key.pem") };
    let patience = Patience { head: Duration::from_secs(2), ..Patience::default() };
    let config = Config { tls: Some(tls), patience, ..Config::in_folder(folder.path()) };
    operate::init(&config, &seams()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let running = tokio::spawn(app::run(config, Some(listener), seams(), stop.clone()));
    let answer = ask(port, "one.pem").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_lowercase().contains("strict-transport-security: max-age="), "{answer}");
    assert!(ask(port, "two.pem").await.is_err(), "another's certificate is not this one");
    let mut clear = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    clear.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(LIMIT, clear.read_to_end(&mut answer)).await.expect("it hangs up"));
    assert!(!answer.starts_with(b"HTTP"), "it was answered in the clear: {:?}", String::from_utf8_lossy(&answer));
    // A client that connects and says nothing is let go like any other.
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tokio::time::timeout(LIMIT, silent.read(&mut [0])).await.expect("it hangs up").ok();
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
    let put = |certificate: &str, key: &str| {
        fs::copy(fixture(certificate), &files.certificate).unwrap();
        fs::copy(fixture(key), &files.key).unwrap();
    };
    put("one.pem", "two.key.pem");
    let refused = Tls::open(files.clone()).err().expect("the key is another's").to_string();
    assert!(refused.contains("k.pem") && refused.contains("cannot be used with the certificate"), "{refused}");
    put("one.pem", "one.key.pem");
    let tls = Arc::new(Tls::looking_every(files.clone(), Duration::ZERO).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let router = Router::new().route("/healthz", routing::get(async || "well"));
    let serving = tokio::spawn(serving::serve(listener, router, Patience::default(), Some(tls), stop.clone()));
    assert!(ask(port, "one.pem").await.unwrap().ends_with("well"));
    fs::write(&files.certificate, "half of a certif").unwrap();
    assert!(ask(port, "one.pem").await.unwrap().ends_with("well"), "the old one stays");
    put("two.pem", "two.key.pem");
    assert!(ask(port, "two.pem").await.unwrap().ends_with("well"));
    assert!(ask(port, "one.pem").await.is_err());
    stop.cancel();
    serving.await.unwrap();
}
