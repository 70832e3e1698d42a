//! Connecting, checking the host key, signing in.

use std::sync::{Arc, Mutex, PoisonError};

use connect::{FileError, FileErrorKind, Guard, Secret, Waits};
use russh::{
    Disconnect, MethodKind, MethodSet,
    client::{self, AuthResult, DisconnectReason, Handle, KeyboardInteractiveAuthResponse},
    keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key},
};
use russh_sftp::client::{Config as SftpConfig, RawSftpSession};
use tokio::net::TcpStream;

use super::{Server, library_limit, told_text};

/// A signed-in connection with its SFTP session.
pub(super) struct Connection {
    session: Handle<HostKeyCheck>,
    sftp: RawSftpSession,
    fsync: bool,
}

impl Connection {
    /// Connects and signs in, or says why not. Whatever fails here, no file operation was asked for.
    pub(super) async fn open(server: &Server, waits: &Waits, guard: &Guard) -> Result<Self, FileError> {
        if server.host_key.is_none() {
            return Err(FileError::new(
                FileErrorKind::Credentials,
                format!(
                    "the host key of {} is not known yet, so nothing was sent to it: test the settings, compare the \
                     fingerprint shown with the one its owner gives you, and keep it",
                    server.host
                ),
            ));
        }
        let whole = async {
            let (mut session, farewell) = reach(server, waits, guard, server.host_key.clone()).await?;
            sign_in(server, &mut session, &farewell).await?;
            open_sftp(server, waits, session).await
        };
        tokio::time::timeout(waits.connect + waits.http, whole)
            .await
            .unwrap_or_else(|_| Err(not_reached(server, "it did not finish the sign-in in time")))
    }

    pub(super) fn sftp(&self) -> &RawSftpSession {
        &self.sftp
    }

    pub(super) fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    pub(super) fn offers_fsync(&self) -> bool {
        self.fsync
    }
}

/// The fingerprint of the key that the server shows. The connection is given up right after it, before any sign-in.
pub(super) async fn see_host_key(server: &Server, waits: &Waits, guard: &Guard) -> Result<String, FileError> {
    let seen = tokio::time::timeout(waits.connect + waits.http, reach(server, waits, guard, None)).await;
    match seen {
        Ok(Err(Refusal::HostKey(seen))) => Ok(seen),
        Ok(Err(Refusal::Other(error))) => Err(error),
        Ok(Ok(_)) => Err(not_reached(server, "it went on without showing a host key")),
        Err(_) => Err(not_reached(server, "it did not answer in time")),
    }
}

/// Why there is no connection.
enum Refusal {
    /// We refused the server's key; its fingerprint.
    HostKey(String),
    Other(FileError),
}

impl From<FileError> for Refusal {
    fn from(error: FileError) -> Self {
        Self::Other(error)
    }
}

/// With which words the server ended the connection itself, and whether they refuse a sign-in.
type Farewell = Arc<Mutex<Option<(bool, String)>>>;

/// Compares the server's key with the pinned one; without a pin every key is refused. Hears what the server says when it ends the
/// connection.
pub(super) struct HostKeyCheck {
    pinned: Option<String>,
    seen: Arc<Mutex<Option<String>>>,
    farewell: Farewell,
}

impl client::Handler for HostKeyCheck {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let seen = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256).to_string(),
            PublicKeyOrCertificate::Certificate(certificate) => {
                certificate.public_key().fingerprint(HashAlg::Sha256).to_string()
            }
        };
        let fits = self.pinned.as_deref() == Some(seen.as_str());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(fits)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                let farewell = (refuses(said.reason_code), told_text(&said.message));
                *self.farewell.lock().unwrap_or_else(PoisonError::into_inner) = Some(farewell);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// Whether a server that ends a sign-in for this reason means the credentials. OpenSSH says *protocol error* after too many of them.
fn refuses(reason: Disconnect) -> bool {
    matches!(reason, Disconnect::ProtocolError | Disconnect::NoMoreAuthMethodsAvailable | Disconnect::IllegalUserName)
}

/// Connects up to the point where the server's key is accepted.
async fn reach(
    server: &Server,
    waits: &Waits,
    guard: &Guard,
    pinned: Option<String>,
) -> Result<(Handle<HostKeyCheck>, Farewell), Refusal> {
    let addresses =
        guard.sftp(&server.host, server.port).await.map_err(|refused| not_reached(server, &refused.to_string()))?;
    let stream = tokio::time::timeout(waits.connect, TcpStream::connect(&addresses[..]))
        .await
        .map_err(|_| not_reached(server, &format!("no connection within {} s", waits.connect.as_secs_f32())))?
        .map_err(|error| not_reached(server, &error.to_string()))?;
    // A small request must not wait for the answer to the one before it.
    stream.set_nodelay(true).map_err(|error| not_reached(server, &error.to_string()))?;
    let config = client::Config { keepalive_interval: Some(waits.http), ..client::Config::default() };
    let (seen, farewell) = (Arc::new(Mutex::new(None)), Farewell::default());
    let check = HostKeyCheck { pinned: pinned.clone(), seen: Arc::clone(&seen), farewell: Arc::clone(&farewell) };
    match client::connect_stream(Arc::new(config), stream, check).await {
        Ok(session) => Ok((session, farewell)),
        Err(error) => {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (seen, pinned) {
                (Some(seen), None) => Err(Refusal::HostKey(seen)),
                (Some(seen), Some(pinned)) if seen != pinned => Err(Refusal::Other(FileError::new(
                    FileErrorKind::Credentials,
                    format!(
                        "the host key of {} has changed: {pinned} was agreed, the server shows {seen}. Nothing was sent to \
                         it. Ask its owner whether the key was replaced; if so, test the settings again and keep the new one",
                        server.host
                    ),
                ))),
                _ => Err(Refusal::Other(not_reached(server, &told_text(&error.to_string())))),
            }
        }
    }
}

impl From<Refusal> for FileError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Other(error) => error,
            Refusal::HostKey(seen) => {
                Self::new(FileErrorKind::Credentials, format!("the server's host key {seen} is not agreed yet"))
            }
        }
    }
}

async fn sign_in(server: &Server, session: &mut Handle<HostKeyCheck>, farewell: &Farewell) -> Result<(), FileError> {
    let mut asks = true;
    if let Some(key) = &server.private_key {
        let key = decode_secret_key(key.expose(), None).map_err(|_| {
            FileError::new(
                FileErrorKind::Credentials,
                "the private key cannot be read: give the whole text of an OpenSSH or PEM key without a passphrase",
            )
        })?;
        // Only RSA keys come in several signature forms; the newest that the server takes is used.
        let hash = session
            .best_supported_rsa_hash()
            .await
            .map_err(|error| broken_off(server, farewell, &error.to_string()))?
            .flatten();
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        let answer = session.authenticate_publickey(&server.user, key).await;
        match judge(server, session, farewell, answer)? {
            None => return Ok(()),
            Some(methods) => asks = methods.contains(&MethodKind::KeyboardInteractive),
        }
    }
    if let Some(password) = &server.password {
        let answer = session.authenticate_password(&server.user, password.expose()).await;
        let Some(methods) = judge(server, session, farewell, answer)? else { return Ok(()) };
        asks &= methods.contains(&MethodKind::KeyboardInteractive);
        if asks {
            match answer_prompts(server, session, password).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // It takes passwords and has said no to this one: that it ends the connection over the questions is no more than
                // the end of that.
                Err(_) if methods.contains(&MethodKind::Password) => {}
                Err(error) => return Err(broken_off(server, farewell, &error.to_string())),
            }
        }
    }
    Err(refused(server))
}

/// What an answer means: `None`, signed in; otherwise the methods that the server would take instead. A connection that is lost
/// meanwhile looks to the protocol library like a no that names no method.
fn judge(
    server: &Server,
    session: &Handle<HostKeyCheck>,
    farewell: &Farewell,
    answer: Result<AuthResult, russh::Error>,
) -> Result<Option<MethodSet>, FileError> {
    match answer.map_err(|error| broken_off(server, farewell, &error.to_string()))? {
        AuthResult::Success => Ok(None),
        AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() && session.is_closed() => {
            Err(broken_off(server, farewell, "the connection was lost"))
        }
        AuthResult::Failure { remaining_methods, .. } => Ok(Some(remaining_methods)),
    }
}

fn refused(server: &Server) -> FileError {
    let offered = match (server.private_key.is_some(), server.password.is_some()) {
        (true, true) => "neither the private key nor the password",
        (true, false) => "the private key is not",
        (false, true) => "the password is not",
        (false, false) => "no password or private key is given, so nothing",
    };
    FileError::new(
        FileErrorKind::Credentials,
        format!(
            "{} refused the sign-in of user {:?}: {offered} accepted. Check them with the server's owner",
            server.host, server.user
        ),
    )
}

/// Why a sign-in ended with the connection: the server's own words, where they refuse it, or else nothing that says anything of
/// the credentials.
fn broken_off(server: &Server, farewell: &Farewell, why: &str) -> FileError {
    match farewell.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some((true, words)) => FileError::new(
            FileErrorKind::Credentials,
            format!(
                "{} ended the sign-in of user {:?}: {words}. Check password and private key with the server's owner",
                server.host, server.user
            ),
        ),
        Some((false, words)) => not_reached(server, &format!("it broke off the sign-in: {words}")),
        None => not_reached(server, &format!("it broke off the sign-in: {}", told_text(why))),
    }
}

/// Some servers ask for the password as a question. Only hidden questions are answered, and not for ever.
async fn answer_prompts(
    server: &Server,
    session: &mut Handle<HostKeyCheck>,
    password: &Secret,
) -> Result<bool, russh::Error> {
    let mut answer = session.authenticate_keyboard_interactive_start(&server.user, None::<String>).await?;
    for _ in 0..3 {
        let KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } = answer else { break };
        let replies = prompts
            .iter()
            .map(|prompt| if prompt.echo { String::new() } else { password.expose().to_owned() })
            .collect();
        answer = session.authenticate_keyboard_interactive_respond(replies).await?;
    }
    Ok(matches!(answer, KeyboardInteractiveAuthResponse::Success))
}

async fn open_sftp(server: &Server, waits: &Waits, session: Handle<HostKeyCheck>) -> Result<Connection, FileError> {
    let lost = |error: &str| not_reached(server, &format!("it gave no SFTP session: {}", told_text(error)));
    let channel = session.channel_open_session().await.map_err(|error| lost(&error.to_string()))?;
    channel.request_subsystem(true, "sftp").await.map_err(|error| lost(&error.to_string()))?;
    let config = SftpConfig { request_timeout_secs: library_limit(waits), ..SftpConfig::default() };
    let sftp = RawSftpSession::new_with_config(channel.into_stream(), config);
    let version = sftp.init().await.map_err(|error| lost(&error.to_string()))?;
    let fsync = version.extensions.contains_key("fsync@openssh.com");
    Ok(Connection { session, sftp, fsync })
}

fn not_reached(server: &Server, why: &str) -> FileError {
    FileError::new(
        FileErrorKind::NotReached,
        format!("{}:{} was not reached: {why}. Check host, port and firewall", server.host, server.port),
    )
}
