//! Built-in certificates: the web role speaks TLS itself with a certificate and a key from two files, and takes up new ones
//! when the files change, so that whatever renews them need not know of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate, then those that lead to its issuer.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", .path.display())]
pub struct TlsError {
    /// Which.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// The files are looked at so often, when somebody connects.
const LOOK: Duration = Duration::from_secs(10);

/// Tells one writing of the files from another.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// Speaks TLS with whoever connects.
pub struct Tls {
    files: TlsFiles,
    look: Duration,
    state: Mutex<State>,
}

struct State {
    looked_at: Instant,
    stamp: Stamp,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or the key is not that of the certificate.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        Self::looking_every(files, LOOK)
    }

    /// The same, looking at the files so often.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn looking_every(files: TlsFiles, look: Duration) -> Result<Self, TlsError> {
        let stamp = stamp(&files);
        let config = read(&files)?;
        Ok(Self { files, look, state: Mutex::new(State { looked_at: Instant::now(), stamp, config }) })
    }

    /// Speaks TLS on a connection.
    ///
    /// # Errors
    /// When the client does not, or not as it should.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.current()).accept(stream).await
    }

    /// With the certificate that the files hold now. Files that cannot be used, half written say, change nothing.
    fn current(&self) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= self.look {
            state.looked_at = Instant::now();
            let stamp = stamp(&self.files);
            if stamp != state.stamp {
                match read(&self.files) {
                    Ok(config) => {
                        tracing::info!("the certificate was changed: the new one is used from now on");
                        state.config = config;
                        state.stamp = stamp;
                    }
                    Err(error) => tracing::warn!("the certificate was changed and the old one stays in use: {error}"),
                }
            }
        }
        Arc::clone(&state.config)
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |path: &Path| {
        let about = fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    [of(&files.certificate), of(&files.key)]
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong = |path: &Path, why: String| TlsError { path: path.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&files.certificate, format!("the certificate cannot be read: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(&files.certificate, "it holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, format!("the private key cannot be read: {error}")))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&files.certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&files.key, format!("it cannot be used with the certificate: {error}")))?;
    Ok(Arc::new(config))
}
